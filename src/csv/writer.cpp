// Writing CSV: each field is printed where it belongs, then looked at, and quoted in place if it
// must be.

#include "csv/writer.h"

#include <string_view>

#include "arrow/compute.h"
#include "arrow/value.h"

namespace trefoil::csv {
namespace {

// Also what PostgreSQL takes for the end of the data when it stands alone on a line.
constexpr std::string_view kEndOfData = "\\.";

bool needs_quotes(std::string_view text, const WriteOptions& options) {
    if (options.force_quote || text == options.null_string || text == kEndOfData) return true;
    for (char c : text) {
        if (c == options.delimiter || c == options.quote || c == '\n' || c == '\r') return true;
    }
    return false;
}

// Quotes what `out` holds from `start` on.
void quote_from(size_t start, const WriteOptions& options, std::string* out) {
    const std::string text = out->substr(start);
    out->resize(start);
    out->push_back(options.quote);
    for (char c : text) {
        if (c == options.quote || c == options.escape) out->push_back(options.escape);
        out->push_back(c);
    }
    out->push_back(options.quote);
}

void append_field(const arrow::Array& column, int64_t row, const WriteOptions& options,
                  std::string* out) {
    if (column.is_null(row)) {
        out->append(options.null_string);
        return;
    }
    const size_t start = out->size();
    arrow::append_text(column, row, out);
    if (needs_quotes(std::string_view(*out).substr(start), options))
        quote_from(start, options, out);
}

}  // namespace

void append_header(const arrow::Schema& schema, const WriteOptions& options, std::string* out) {
    for (size_t c = 0; c < schema.fields.size(); c++) {
        if (c) out->push_back(options.delimiter);
        const size_t start = out->size();
        out->append(schema.fields[c].name);
        if (needs_quotes(schema.fields[c].name, options)) quote_from(start, options, out);
    }
    out->push_back('\n');
}

void append_batch(const arrow::Batch& batch, const WriteOptions& options, std::string* out) {
    // A dictionary may hold NULL among its values, which is_null() of a row does not see.
    std::vector<arrow::Array> columns;
    for (const arrow::Array& c : batch.columns) columns.push_back(arrow::decode_dictionary(c));
    for (int64_t row = 0; row < batch.rows; row++) {
        for (size_t c = 0; c < columns.size(); c++) {
            if (c) out->push_back(options.delimiter);
            append_field(columns[c], row, options, out);
        }
        out->push_back('\n');
    }
}

}  // namespace trefoil::csv
