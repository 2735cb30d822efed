// Tokenizer: cuts CSV text into rows of fields.
//
// It looks only at bytes that can matter (delimiter, quote, escape, line end), which it finds 64
// bytes at a time; fields are places in the text, and those with quotes are unquoted when somebody
// wants them.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "csv/byte_scan.h"
#include "csv/reader.h"

namespace trefoil::csv {

struct Field {
    uint32_t offset;
    uint32_t length : 31;
    uint32_t quoted : 1;  // it holds a quote, and is not NULL whatever it reads like
};

class Tokenizer {
public:
    // REQUIRES: less than 2^31 bytes, which stay where they are.
    Tokenizer(Bytes text, const ReadOptions& options) : text_(text), options_(options) {}

    // Appends the fields of the next row; false at the end. If the row is malformed, problem() is
    // not empty until the next call.
    bool next_row(std::vector<Field>* fields);

    size_t row_start() const { return row_start_; }
    // Behind the last row.
    size_t position() const { return field_start_; }
    std::string_view problem() const { return problem_; }

    // The field's value. It is a view into the text or into `scratch`.
    std::string_view value(Field field, std::string* scratch) const;

private:
    static constexpr size_t kNone = ~size_t{0};
    size_t next_special();
    void load_window();
    void end_field(size_t end, std::vector<Field>* fields);
    // A line end that is no data: takes its bytes, answers true.
    bool at_carriage_return(size_t at);
    std::string_view unquote(std::string_view raw, std::string* scratch) const;

    Bytes text_;
    const ReadOptions& options_;
    size_t window_ = 0;  // where the bits of mask_ begin
    bool loaded_ = false;
    uint64_t mask_ = 0;  // special bytes not looked at yet
    size_t row_start_ = 0;
    size_t field_start_ = 0;
    bool quoted_ = false;  // the field has a quote
    std::string_view problem_;
};

}  // namespace trefoil::csv
