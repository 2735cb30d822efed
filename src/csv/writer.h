// Writing Arrow batches as CSV text.
//
//     append_header(*batch.schema, options, &text);
//     append_batch(batch, options, &text);
//
// A field is quoted when it must be: when it holds the delimiter, a quote, or a line end, or reads
// like the null string. So by default NULL is an empty field and the empty string is "". Lines end
// in LF. What is written here, csv::Reader reads back as the same values.

#pragma once

#include <string>
#include <vector>

#include "arrow/array.h"

namespace trefoil::csv {

struct WriteOptions {
    char delimiter = ',';
    char quote = '"';
    char escape = '"';
    std::string null_string;
    bool force_quote = false;  // quote every field that is not NULL
};

void append_header(const arrow::Schema& schema, const WriteOptions& options, std::string* out);
// Appends one line per row. Any Arrow type; fields are as arrow::append_text prints them.
void append_batch(const arrow::Batch& batch, const WriteOptions& options, std::string* out);

}  // namespace trefoil::csv
