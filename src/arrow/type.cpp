// Type: format strings both ways, widths, SQL names.

#include "arrow/type.h"

#include <array>
#include <charconv>
#include <utility>

namespace trefoil::arrow {
namespace {

struct Simple {
    std::string_view format;
    TypeId id;
    size_t byte_width;
    std::string_view name;
};

// Types whose format string says everything.
constexpr std::array kSimple = {
    Simple{"n", TypeId::kNull, 0, "NULL"},
    Simple{"b", TypeId::kBool, 0, "BOOLEAN"},
    Simple{"c", TypeId::kInt8, 1, "TINYINT"},
    Simple{"s", TypeId::kInt16, 2, "SMALLINT"},
    Simple{"i", TypeId::kInt32, 4, "INTEGER"},
    Simple{"l", TypeId::kInt64, 8, "BIGINT"},
    Simple{"C", TypeId::kUInt8, 1, "UTINYINT"},
    Simple{"S", TypeId::kUInt16, 2, "USMALLINT"},
    Simple{"I", TypeId::kUInt32, 4, "UINTEGER"},
    Simple{"L", TypeId::kUInt64, 8, "UBIGINT"},
    Simple{"e", TypeId::kFloat16, 2, "HALF"},
    Simple{"f", TypeId::kFloat32, 4, "REAL"},
    Simple{"g", TypeId::kFloat64, 8, "DOUBLE"},
    Simple{"u", TypeId::kUtf8, 0, "TEXT"},
    Simple{"U", TypeId::kLargeUtf8, 0, "TEXT"},
    Simple{"vu", TypeId::kUtf8View, 16, "TEXT"},
    Simple{"z", TypeId::kBinary, 0, "BYTEA"},
    Simple{"Z", TypeId::kLargeBinary, 0, "BYTEA"},
    Simple{"vz", TypeId::kBinaryView, 16, "BYTEA"},
    Simple{"tdD", TypeId::kDate32, 4, "DATE"},
    Simple{"tdm", TypeId::kDate64, 8, "DATE"},
    Simple{"tiM", TypeId::kIntervalMonths, 4, "INTERVAL"},
    Simple{"tiD", TypeId::kIntervalDayTime, 8, "INTERVAL"},
    Simple{"tin", TypeId::kIntervalMonthDayNano, 16, "INTERVAL"},
    Simple{"+l", TypeId::kList, 0, "LIST"},
    Simple{"+L", TypeId::kLargeList, 0, "LIST"},
    Simple{"+s", TypeId::kStruct, 0, "STRUCT"},
    Simple{"+m", TypeId::kMap, 0, "MAP"},
};

const Simple* find_simple(TypeId id) {
    for (const Simple& s : kSimple) {
        if (s.id == id) return &s;
    }
    return nullptr;
}

constexpr std::string_view kUnits = "smun";

Status malformed(std::string_view format) {
    return Status::invalid("malformed Arrow format \"" + std::string(format) + "\"");
}

// False unless the whole text is a number.
bool parse_int(std::string_view text, int32_t* out) {
    const char* end = text.data() + text.size();
    auto [at, error] = std::from_chars(text.data(), end, *out);
    return at == end && error == std::errc();
}

// "10,2" or "10,2,128": precision, scale, bits.
Result<Type> parse_decimal(std::string_view arguments, std::string_view format) {
    Type t;
    const size_t comma = arguments.find(',');
    if (comma == std::string_view::npos) return malformed(format);
    const std::string_view rest = arguments.substr(comma + 1);
    const size_t second = rest.find(',');
    int32_t bits = 128;
    if (second != std::string_view::npos && !parse_int(rest.substr(second + 1), &bits)) {
        return malformed(format);
    }
    if (bits != 128 && bits != 256) {
        return Status::unsupported("decimals of " + std::to_string(bits) +
                                   " bits are not supported");
    }
    t.id = bits == 128 ? TypeId::kDecimal128 : TypeId::kDecimal256;
    const int32_t precision_max = bits == 128 ? 38 : 76;
    if (!parse_int(arguments.substr(0, comma), &t.precision) || t.precision < 1 ||
        t.precision > precision_max || !parse_int(rest.substr(0, second), &t.scale)) {
        return malformed(format);
    }
    return t;
}

// "tts", "ttu", "tss:UTC", "tDn": times, timestamps, durations with a unit.
Result<Type> parse_temporal(std::string_view format) {
    Type t;
    size_t unit = format.size() >= 3 ? kUnits.find(format[2]) : std::string_view::npos;
    if (unit == std::string_view::npos) {
        return Status::unsupported("the Arrow type \"" + std::string(format) +
                                   "\" is not supported");
    }
    t.unit = static_cast<TimeUnit>(unit);
    switch (format[1]) {
        case 't':
            t.id = unit < 2 ? TypeId::kTime32 : TypeId::kTime64;
            break;
        case 'D':
            t.id = TypeId::kDuration;
            break;
        case 's':
            t.id = TypeId::kTimestamp;
            if (format.size() > 4) t.timezone = format.substr(4);
            break;
        default:
            return Status::unsupported("the Arrow type \"" + std::string(format) +
                                       "\" is not supported");
    }
    return t;
}

Type of(TypeId id) {
    Type t;
    t.id = id;
    return t;
}

}  // namespace

std::string Type::format() const {
    std::string unit_letter(1, kUnits[static_cast<size_t>(unit)]);
    switch (id) {
        case TypeId::kDecimal128:
            return "d:" + std::to_string(precision) + "," + std::to_string(scale);
        case TypeId::kDecimal256:
            return "d:" + std::to_string(precision) + "," + std::to_string(scale) + ",256";
        case TypeId::kFixedSizeBinary:
            return "w:" + std::to_string(width);
        case TypeId::kFixedSizeList:
            return "+w:" + std::to_string(width);
        case TypeId::kTime32:
        case TypeId::kTime64:
            return "tt" + unit_letter;
        case TypeId::kDuration:
            return "tD" + unit_letter;
        case TypeId::kTimestamp:
            return "ts" + unit_letter + ":" + timezone;
        case TypeId::kDictionary:
            return children.at(0).type.format();
        default:
            return std::string(find_simple(id)->format);
    }
}

Result<Type> Type::from_format(std::string_view format) {
    for (const Simple& s : kSimple) {
        if (s.format == format) return of(s.id);
    }
    if (format.starts_with("d:")) return parse_decimal(format.substr(2), format);
    if (format.starts_with("w:") || format.starts_with("+w:")) {
        Type t = of(format[0] == '+' ? TypeId::kFixedSizeList : TypeId::kFixedSizeBinary);
        if (!parse_int(format.substr(format.find(':') + 1), &t.width) || t.width < 0) {
            return malformed(format);
        }
        return t;
    }
    if (format.starts_with("t")) return parse_temporal(format);
    return Status::unsupported("the Arrow type \"" + std::string(format) + "\" is not supported");
}

size_t Type::byte_width() const {
    switch (id) {
        case TypeId::kDecimal128:
            return 16;
        case TypeId::kDecimal256:
            return 32;
        case TypeId::kFixedSizeBinary:
            return static_cast<size_t>(width);
        case TypeId::kTime32:
            return 4;
        case TypeId::kTime64:
        case TypeId::kDuration:
        case TypeId::kTimestamp:
            return 8;
        case TypeId::kDictionary:
            return children.at(0).type.byte_width();
        case TypeId::kFixedSizeList:
            return 0;
        default:
            return find_simple(id)->byte_width;
    }
}

bool Type::is_string() const {
    return id == TypeId::kUtf8 || id == TypeId::kLargeUtf8 || id == TypeId::kUtf8View;
}

std::string Type::sql_name() const {
    switch (id) {
        case TypeId::kDecimal128:
        case TypeId::kDecimal256:
            return "DECIMAL(" + std::to_string(precision) + "," + std::to_string(scale) + ")";
        case TypeId::kFixedSizeBinary:
            return width == 16 ? "UUID" : "BINARY(" + std::to_string(width) + ")";
        case TypeId::kTime32:
        case TypeId::kTime64:
            return "TIME";
        case TypeId::kDuration:
            return "DURATION";
        case TypeId::kTimestamp:
            return timezone.empty() ? "TIMESTAMP" : "TIMESTAMPTZ";
        case TypeId::kDictionary:
            return children.at(1).type.sql_name();
        case TypeId::kList:
        case TypeId::kLargeList:
        case TypeId::kFixedSizeList:
            return children.at(0).type.sql_name() + "[]";
        default:
            return std::string(find_simple(id)->name);
    }
}

Type boolean() {
    return of(TypeId::kBool);
}
Type int16() {
    return of(TypeId::kInt16);
}
Type int32() {
    return of(TypeId::kInt32);
}
Type int64() {
    return of(TypeId::kInt64);
}
Type uint64() {
    return of(TypeId::kUInt64);
}
Type float32() {
    return of(TypeId::kFloat32);
}
Type float64() {
    return of(TypeId::kFloat64);
}
Type utf8_view() {
    return of(TypeId::kUtf8View);
}
Type binary_view() {
    return of(TypeId::kBinaryView);
}
Type date32() {
    return of(TypeId::kDate32);
}
Type interval() {
    return of(TypeId::kIntervalMonthDayNano);
}

Type decimal(int32_t precision, int32_t scale) {
    Type t = of(TypeId::kDecimal128);
    t.precision = precision;
    t.scale = scale;
    return t;
}

Type fixed_size_binary(int32_t width) {
    Type t = of(TypeId::kFixedSizeBinary);
    t.width = width;
    return t;
}

Type time64() {
    Type t = of(TypeId::kTime64);
    t.unit = TimeUnit::kMicro;
    return t;
}

Type timestamp(std::string timezone) {
    Type t = of(TypeId::kTimestamp);
    t.unit = TimeUnit::kMicro;
    t.timezone = std::move(timezone);
    return t;
}

Type list(Type element) {
    Type t = of(TypeId::kList);
    t.children.push_back({"item", std::move(element), true});
    return t;
}

}  // namespace trefoil::arrow
