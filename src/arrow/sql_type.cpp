// Types by their SQL names.

#include "arrow/sql_type.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <string>
#include <utility>

#include "base/check.h"

namespace trefoil::arrow {
namespace {

struct Name {
    std::string_view name;
    Type (*type)();
};

Type with_zone() {
    return timestamp("UTC");
}
Type without_zone() {
    return timestamp();
}
Type uuid() {
    return fixed_size_binary(16);
}

constexpr Name kNames[] = {
    {"BOOLEAN", boolean},
    {"BOOL", boolean},
    {"SMALLINT", int16},
    {"INT2", int16},
    {"INTEGER", int32},
    {"INT", int32},
    {"INT4", int32},
    {"BIGINT", int64},
    {"INT8", int64},
    {"REAL", float32},
    {"FLOAT4", float32},
    {"DOUBLE", float64},
    {"DOUBLE PRECISION", float64},
    {"FLOAT8", float64},
    {"TEXT", utf8_view},
    {"VARCHAR", utf8_view},
    {"BYTEA", binary_view},
    {"DATE", date32},
    {"TIME", time64},
    {"TIMESTAMP", without_zone},
    {"TIMESTAMPTZ", with_zone},
    {"UUID", uuid},
    {"INTERVAL", interval},
};

// A number at the beginning of `text`, which loses it.
std::optional<int32_t> take_number(std::string_view* text) {
    int32_t n = 0;
    auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), n);
    if (error != std::errc()) return std::nullopt;
    text->remove_prefix(static_cast<size_t>(end - text->data()));
    return n;
}

// "(10,2)", "(10)"
std::optional<Type> decimal_of(std::string_view text) {
    if (!text.starts_with("(") || !text.ends_with(")")) return std::nullopt;
    text = text.substr(1, text.size() - 2);
    auto precision = take_number(&text);
    if (!precision) return std::nullopt;
    if (text.empty()) return decimal(*precision, 0);
    if (!text.starts_with(",")) return std::nullopt;
    text.remove_prefix(1);
    auto scale = take_number(&text);
    if (!scale || !text.empty()) return std::nullopt;
    return decimal(*precision, *scale);
}

}  // namespace

Result<Type> type_of_sql_name(std::string_view name) {
    std::string upper;
    for (char c : name) upper += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    if (upper.ends_with("[]") && !upper.ends_with("[][]")) {
        ASSIGN_OR_RETURN(Type element, type_of_sql_name(upper.substr(0, upper.size() - 2)));
        return list(std::move(element));
    }
    for (const Name& known : kNames) {
        if (known.name == upper) return known.type();
    }
    for (std::string_view word : {"DECIMAL", "NUMERIC"}) {
        if (!upper.starts_with(word)) continue;
        auto type = decimal_of(std::string_view(upper).substr(word.size()));
        if (!type) break;
        if (type->precision < 1 || type->precision > 38 || type->scale < 0 ||
            type->scale > type->precision) {
            return Status(Code::kInvalidInput, "22023",
                          "type " + std::string(name) +
                              " must have a precision of 1 to 38 and a scale within it");
        }
        return *type;
    }
    return Status(Code::kInvalidInput, "42704",
                  "type \"" + std::string(name) + "\" does not exist");
}

}  // namespace trefoil::arrow
