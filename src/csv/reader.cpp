// Turning blocks of CSV into batches.
//
// A block is first cut into a table of field places, then converted column by column: the type is
// looked at once per column, and each loop does one thing. A bad field spoils its row; which of
// several bad fields is reported, or counted, does not depend on the order in which columns are
// converted.

#include "csv/reader.h"

#include <charconv>
#include <optional>
#include <utility>

#include "arrow/builder.h"
#include "arrow/compute.h"
#include "arrow/integer_range.h"
#include "base/check.h"
#include "base/date.h"
#include "base/utf8.h"
#include "csv/byte_scan.h"
#include "csv/tokenizer.h"

namespace trefoil::csv {
namespace {

using arrow::ColumnBuilder;
using arrow::TypeId;

// Plain forms are read here, quickly; whatever is not plain is left to ColumnBuilder::append_text.

template <typename T>
bool read_number(std::string_view text, T* out) {
    const char* end = text.data() + text.size();
    auto [at, error] = std::from_chars(text.data(), end, *out);
    return at == end && error == std::errc();
}

// [-]digits[.digits] with up to 18 digits, none of them beyond the scale.
bool read_decimal(std::string_view text, const arrow::Type& type, __int128* out) {
    constexpr size_t kTextMax = 19;
    const bool negative = text.starts_with('-');
    if (negative) text.remove_prefix(1);
    if (text.empty() || text.size() > kTextMax) return false;
    int64_t v = 0;
    int32_t digits = 0, fraction = -1;
    for (char c : text) {
        if (c == '.' && fraction < 0) {
            fraction = 0;
            continue;
        }
        if (c < '0' || c > '9') return false;
        v = v * 10 + (c - '0');
        digits++;
        if (fraction >= 0) fraction++;
    }
    const int32_t up = type.scale - std::max(fraction, 0);
    if (digits == 0 || digits > 18 || up < 0 || digits + up > type.precision) return false;
    constexpr int64_t kPowers[] = {1,       10,        100,        1000,       10'000,
                                   100'000, 1'000'000, 10'000'000, 100'000'000};
    if (static_cast<size_t>(up) >= std::size(kPowers)) return false;
    const __int128 scaled = static_cast<__int128>(v) * kPowers[up];
    *out = negative ? -scaled : scaled;
    return true;
}

int two_digits(const char* p) {
    return (p[0] - '0') * 10 + (p[1] - '0');
}

// YYYY-MM-DD, with a day that every month has; the others take the long way.
bool read_date(std::string_view text, int32_t* days) {
    if (text.size() != 10 || text[4] != '-' || text[7] != '-') return false;
    for (size_t i : {0, 1, 2, 3, 5, 6, 8, 9}) {
        if (text[i] < '0' || text[i] > '9') return false;
    }
    const int year = two_digits(text.data()) * 100 + two_digits(text.data() + 2);
    const int month = two_digits(text.data() + 5), day = two_digits(text.data() + 8);
    if (year == 0 || month < 1 || month > 12 || day < 1 || day > 28) return false;
    *days = static_cast<int32_t>(days_from_civil({year, month, day}));
    return true;
}

// Appends one field that is not NULL. `checked` says that the bytes are known to be UTF-8.
Status append_field(ColumnBuilder& builder, std::string_view text, bool checked) {
    switch (builder.type().id) {
        case TypeId::kInt16:
        case TypeId::kInt32:
        case TypeId::kInt64: {
            int64_t v;
            if (!read_number(text, &v) || !arrow::integer_range(builder.type().id).contains(v))
                break;
            builder.append_int64(v);
            return {};
        }
        case TypeId::kFloat64: {
            double v;
            if (!read_number(text, &v)) break;
            builder.append_double(v);
            return {};
        }
        case TypeId::kDecimal128: {
            __int128 v;
            if (!read_decimal(text, builder.type(), &v)) break;
            builder.append_decimal(v);
            return {};
        }
        case TypeId::kDate32: {
            int32_t v;
            if (!read_date(text, &v)) break;
            builder.append_int64(v);
            return {};
        }
        case TypeId::kUtf8View:
            if (!checked) break;
            builder.append_bytes(text);
            return {};
        default:
            break;
    }
    return builder.append_text(text);
}

class BlockParser {
public:
    BlockParser(const Block& block, const arrow::SchemaPtr& schema, const ReadOptions& options)
        : block_(block),
          schema_(schema),
          options_(options),
          tokenizer_(block.text, options),
          checked_(is_utf8(block.text)) {}

    Result<BlockRows> parse() {
        split();
        BlockRows out{{schema_, 0, {}}, 0, {}};
        out.batch.columns.reserve(columns());
        for (size_t c = 0; c < columns(); c++) out.batch.columns.push_back(convert(c));
        if (first_error_ && !options_.ignore_errors) return first_error_->status;
        out.batch.rows = static_cast<int64_t>(rows_);
        if (bad_rows_ > 0) drop_bad_rows(&out.batch);
        out.skipped = malformed_rows_ + bad_rows_;
        if (first_error_) out.first_skip = first_error_->status;
        return out;
    }

private:
    struct Error {
        size_t offset;
        Status status;
    };

    size_t columns() const { return schema_->fields.size(); }

    // Fills fields_ with the rows that have the right number of fields.
    void split() {
        fields_.reserve(block_.text.size() / 8);
        while (tokenizer_.next_row(&fields_)) {
            const size_t n = fields_.size() - rows_ * columns();
            if (n == columns() && tokenizer_.problem().empty()) {
                rows_++;
                continue;
            }
            std::string message(tokenizer_.problem());
            if (message.empty()) {
                message = "the row has " + std::to_string(n) + (n == 1 ? " field" : " fields") +
                          ", expected " + std::to_string(columns());
            }
            report(tokenizer_.row_start(), "", {Code::kInvalidInput, "22P04", std::move(message)});
            fields_.resize(rows_ * columns());
            malformed_rows_++;
            if (!options_.ignore_errors) return;
        }
    }

    arrow::Array convert(size_t column) {
        const arrow::Field& field = schema_->fields[column];
        ColumnBuilder builder(field.type);
        builder.reserve(static_cast<int64_t>(rows_));
        std::string scratch;
        for (size_t row = 0; row < rows_; row++) {
            const Field place = fields_[row * columns() + column];
            const std::string_view text = tokenizer_.value(place, &scratch);
            if (!place.quoted && text == options_.null_string) {
                builder.append_null();
                continue;
            }
            Status status = append_field(builder, text, checked_);
            if (status.ok()) continue;
            report(place.offset, field.name, status);
            if (!options_.ignore_errors) {
                rows_ = row;  // later columns may only have an earlier error
                break;
            }
            mark_bad(row);
            builder.append_null();
        }
        return builder.finish();
    }

    // Keeps the first error in the text.
    void report(size_t offset, const std::string& column, const Status& status) {
        if (first_error_ && first_error_->offset <= offset) return;
        const uint64_t line = block_.first_line + count_lines(Bytes(block_.text).substr(0, offset));
        std::string message = "line " + std::to_string(line);
        if (!column.empty()) message += ", column \"" + column + "\"";
        message += ": " + status.message();
        first_error_ = {offset, Status(status.code(), status.sqlstate(), std::move(message))};
    }

    void mark_bad(size_t row) {
        bad_.resize(rows_);
        if (!bad_[row]) bad_rows_++;
        bad_[row] = true;
    }

    void drop_bad_rows(arrow::Batch* batch) const {
        std::vector<uint32_t> good;
        for (size_t row = 0; row < rows_; row++) {
            if (!bad_[row]) good.push_back(static_cast<uint32_t>(row));
        }
        *batch = arrow::take(*batch, good);
    }

    const Block& block_;
    const arrow::SchemaPtr& schema_;
    const ReadOptions& options_;
    Tokenizer tokenizer_;
    const bool checked_;
    std::vector<Field> fields_;  // by row, then column
    size_t rows_ = 0;
    uint64_t malformed_rows_ = 0;
    uint64_t bad_rows_ = 0;
    std::vector<bool> bad_;
    std::optional<Error> first_error_;
};

}  // namespace

Result<BlockRows> parse_block(const Block& block, const arrow::SchemaPtr& schema,
                              const ReadOptions& options) {
    CHECK(block.text.size() < size_t{1} << 31);
    return BlockParser(block, schema, options).parse();
}

Status take_header(Block* block, const arrow::Schema& schema, const ReadOptions& options) {
    Tokenizer tokenizer(block->text, options);
    std::vector<Field> fields;
    if (!tokenizer.next_row(&fields)) return {};
    if (options.header == Header::kMatch) {
        const auto mismatch = [](std::string message) {
            return Status(Code::kInvalidInput, "22P04", "line 1: the header " + std::move(message));
        };
        if (!tokenizer.problem().empty())
            return mismatch("has " + std::string(tokenizer.problem()));
        if (fields.size() != schema.fields.size()) {
            return mismatch("has " + std::to_string(fields.size()) + " names, expected " +
                            std::to_string(schema.fields.size()));
        }
        std::string scratch;
        for (size_t i = 0; i < fields.size(); i++) {
            const std::string name(tokenizer.value(fields[i], &scratch));
            if (name != schema.fields[i].name) {
                return mismatch("names field " + std::to_string(i + 1) + " \"" + name +
                                "\", expected \"" + schema.fields[i].name + "\"");
            }
        }
    }
    const size_t end = std::min(tokenizer.position(), block->text.size());
    block->first_line += count_lines(Bytes(block->text).substr(0, end));
    block->text.erase(0, end);
    return {};
}

Reader::Reader(arrow::SchemaPtr schema, ReadOptions options)
    : schema_(std::move(schema)),
      options_(std::move(options)),
      splitter_(options_),
      header_pending_(options_.header != Header::kNone) {
    CHECK(validate(options_).ok());
}

Result<std::vector<arrow::Batch>> Reader::push(Bytes input) {
    std::vector<Block> blocks;
    RETURN_IF_ERROR(splitter_.push(input, &blocks));
    return parse(std::move(blocks));
}

Result<std::vector<arrow::Batch>> Reader::finish() {
    std::vector<Block> blocks;
    splitter_.finish(&blocks);
    return parse(std::move(blocks));
}

Result<std::vector<arrow::Batch>> Reader::parse(std::vector<Block> blocks) {
    std::vector<arrow::Batch> batches;
    for (Block& block : blocks) {
        if (std::exchange(header_pending_, false)) {
            RETURN_IF_ERROR(take_header(&block, *schema_, options_));
        }
        ASSIGN_OR_RETURN(BlockRows rows, parse_block(block, schema_, options_));
        skipped_ += rows.skipped;
        if (first_skip_.ok()) first_skip_ = rows.first_skip;
        if (rows.batch.rows > 0) batches.push_back(std::move(rows.batch));
    }
    return batches;
}

}  // namespace trefoil::csv
