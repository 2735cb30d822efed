// Fields as Values and as text, for every Arrow type.

#include "arrow/value.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "arrow/builder.h"
#include "arrow/dictionary.h"
#include "arrow/wide_decimal.h"
#include "base/check.h"
#include "base/date.h"
#include "base/text_format.h"

namespace trefoil::arrow {
namespace {

int64_t units_per_second(TimeUnit unit) {
    switch (unit) {
        case TimeUnit::kSecond:
            return 1;
        case TimeUnit::kMilli:
            return 1000;
        case TimeUnit::kMicro:
            return 1'000'000;
        case TimeUnit::kNano:
            return 1'000'000'000;
    }
    return 1;
}

int64_t floor_div(int64_t a, int64_t b) {
    return a / b - (a % b < 0 ? 1 : 0);
}

int64_t saturated(__int128 v) {
    return static_cast<int64_t>(
        std::clamp<__int128>(v, std::numeric_limits<int64_t>::min(), INT64_MAX));
}

// A count of units as micros, cut towards the past. What no int64 holds becomes its nearest.
int64_t to_micros(int64_t v, TimeUnit unit) {
    const int64_t per_second = units_per_second(unit);
    if (per_second > kMicrosPerSecond) return floor_div(v, per_second / kMicrosPerSecond);
    return saturated(static_cast<__int128>(v) * (kMicrosPerSecond / per_second));
}

float half_to_float(uint16_t bits) {
    const int exponent = bits >> 10 & 31;
    const auto fraction = static_cast<float>(bits & 1023);
    float v;
    if (exponent == 31) {
        v = fraction == 0 ? std::numeric_limits<float>::infinity()
                          : std::numeric_limits<float>::quiet_NaN();
    } else if (exponent == 0) {
        v = std::ldexp(fraction, -24);
    } else {
        v = std::ldexp(1024 + fraction, exponent - 25);
    }
    return bits & 0x8000 ? -v : v;
}

int64_t integer_at(const Array& array, int64_t row) {
    switch (array.type.id) {
        case TypeId::kInt8:
            return array.values<int8_t>()[row];
        case TypeId::kUInt8:
            return array.values<uint8_t>()[row];
        case TypeId::kInt16:
            return array.values<int16_t>()[row];
        case TypeId::kUInt16:
            return array.values<uint16_t>()[row];
        case TypeId::kUInt32:
            return array.values<uint32_t>()[row];
        case TypeId::kInt32:
        case TypeId::kDate32:
        case TypeId::kTime32:
        case TypeId::kIntervalMonths:
            return array.values<int32_t>()[row];
        default:
            return array.values<int64_t>()[row];
    }
}

Interval interval_at(const Array& array, int64_t row) {
    struct DayTime {
        int32_t days, millis;
    };
    struct MonthDayNano {
        int32_t months, days;
        int64_t nanos;
    };
    switch (array.type.id) {
        case TypeId::kIntervalMonths:
            return {static_cast<int32_t>(integer_at(array, row)), 0, 0};
        case TypeId::kIntervalDayTime: {
            const auto& v = array.values<DayTime>()[row];
            return {0, v.days, int64_t{v.millis} * 1'000'000};
        }
        case TypeId::kIntervalMonthDayNano: {
            const auto& v = array.values<MonthDayNano>()[row];
            return {v.months, v.days, v.nanos};
        }
        default:
            break;
    }
    // A duration: whole days apart, as PostgreSQL has it in the difference of two timestamps.
    const int64_t v = integer_at(array, row), per_second = units_per_second(array.type.unit);
    const int64_t per_day = 86'400 * per_second;
    const int64_t days = std::clamp<int64_t>(v / per_day, INT32_MIN, INT32_MAX);
    return {0, static_cast<int32_t>(days), v % per_day * (kNanosPerSecond / per_second)};
}

Value temporal_at(const Array& array, int64_t row) {
    switch (array.type.id) {
        case TypeId::kDate32:
            return Date{static_cast<int32_t>(integer_at(array, row))};
        case TypeId::kDate64: {
            const int64_t days = floor_div(integer_at(array, row), 86'400'000);
            return Date{static_cast<int32_t>(std::clamp<int64_t>(days, INT32_MIN, INT32_MAX))};
        }
        case TypeId::kTime32:
        case TypeId::kTime64:
            return Time{to_micros(integer_at(array, row), array.type.unit)};
        case TypeId::kTimestamp:
            return Timestamp{to_micros(integer_at(array, row), array.type.unit),
                             !array.type.timezone.empty()};
        default:
            return interval_at(array, row);
    }
}

Value bytes_value(const Array& array, int64_t row) {
    const std::string_view bytes = array.bytes_at(row);
    if (array.type.is_string()) return Value(bytes);
    if (array.type.id != TypeId::kFixedSizeBinary || array.type.width != 16) {
        return Blob{std::string(bytes)};
    }
    Uuid uuid;
    std::memcpy(uuid.bytes.data(), bytes.data(), 16);
    return uuid;
}

Value list_value(const Array& array, int64_t row) {
    const Array elements = array.list_at(row);
    Value::List list;
    list.reserve(static_cast<size_t>(elements.length));
    for (int64_t i = 0; i < elements.length; i++) list.push_back(value_at(elements, i));
    return list;
}

std::string text_at(const Array& array, int64_t row) {
    std::string text;
    append_text(array, row, &text);
    return text;
}

Value wide_decimal_value(const Array& array, int64_t row) {
    Decimal v{0, array.type.scale};
    if (narrow(array.values<Int256>()[row], &v.unscaled)) return v;
    return text_at(array, row);
}

Value unsigned_value(uint64_t v) {
    if (v <= INT64_MAX) return static_cast<int64_t>(v);
    return Decimal{static_cast<__int128>(v), 0};
}

// --- Text
// ----------------------------------------------------------------------------------------

void append_list_text(const Array& elements, std::string* out) {
    const TypeId id = elements.type.id;
    const bool nested =
        id == TypeId::kList || id == TypeId::kLargeList || id == TypeId::kFixedSizeList;
    out->push_back('{');
    for (int64_t i = 0; i < elements.length; i++) {
        if (i) out->push_back(',');
        if (elements.is_null(i)) {
            out->append("NULL");
        } else if (nested) {
            append_text(elements, i, out);
        } else {
            append_array_element(text_at(elements, i), out);
        }
    }
    out->push_back('}');
}

void append_or_null(const Array& array, int64_t row, std::string* out) {
    if (array.is_null(row)) {
        out->append("NULL");
    } else {
        append_text(array, row, out);
    }
}

void append_struct_text(const Array& array, int64_t row, std::string* out) {
    out->push_back('{');
    for (size_t c = 0; c < array.children.size(); c++) {
        if (c) out->append(", ");
        out->append(array.type.children[c].name).append(": ");
        append_or_null(array.children[c], array.offset + row, out);
    }
    out->push_back('}');
}

void append_map_text(const Array& array, int64_t row, std::string* out) {
    const Array entries = array.list_at(row);
    out->push_back('{');
    for (int64_t i = 0; i < entries.length; i++) {
        if (i) out->append(", ");
        append_or_null(entries.children[0], entries.offset + i, out);
        out->append(": ");
        append_or_null(entries.children[1], entries.offset + i, out);
    }
    out->push_back('}');
}

void append_temporal_text(const Array& array, int64_t row, std::string* out) {
    switch (array.type.id) {
        case TypeId::kDate32:
            return append_date(integer_at(array, row), out);
        case TypeId::kDate64:
            return append_date(floor_div(integer_at(array, row), 86'400'000), out);
        case TypeId::kTime32:
        case TypeId::kTime64: {
            const int64_t nanos_per_unit = kNanosPerSecond / units_per_second(array.type.unit);
            return append_time(
                saturated(static_cast<__int128>(integer_at(array, row)) * nanos_per_unit), out);
        }
        case TypeId::kTimestamp: {
            const int64_t v = integer_at(array, row),
                          per_second = units_per_second(array.type.unit);
            const int64_t seconds = floor_div(v, per_second);
            const int64_t part = v % per_second < 0 ? v % per_second + per_second : v % per_second;
            const int64_t nanos = part * (kNanosPerSecond / per_second);
            return append_timestamp(seconds, nanos, !array.type.timezone.empty(), out);
        }
        default:
            return append_interval(interval_at(array, row), out);
    }
}

void append_bytes_text(const Array& array, int64_t row, std::string* out) {
    const std::string_view bytes = array.bytes_at(row);
    if (array.type.is_string()) {
        out->append(bytes);
    } else if (array.type.id == TypeId::kFixedSizeBinary && array.type.width == 16) {
        append_uuid(bytes, out);
    } else {
        append_bytea(bytes, out);
    }
}

}  // namespace

Value value_at(const Array& array, int64_t row) {
    if (array.is_null(row)) return {};
    switch (array.type.id) {
        case TypeId::kNull:
            return {};
        case TypeId::kBool:
            return array.bool_at(row);
        case TypeId::kInt8:
        case TypeId::kInt16:
        case TypeId::kInt32:
        case TypeId::kInt64:
        case TypeId::kUInt8:
        case TypeId::kUInt16:
        case TypeId::kUInt32:
            return integer_at(array, row);
        case TypeId::kUInt64:
            return unsigned_value(array.values<uint64_t>()[row]);
        case TypeId::kFloat16:
            return double{half_to_float(array.values<uint16_t>()[row])};
        case TypeId::kFloat32:
            return double{array.values<float>()[row]};
        case TypeId::kFloat64:
            return array.values<double>()[row];
        case TypeId::kDecimal128:
            return Decimal{array.values<__int128>()[row], array.type.scale};
        case TypeId::kDecimal256:
            return wide_decimal_value(array, row);
        case TypeId::kUtf8:
        case TypeId::kLargeUtf8:
        case TypeId::kUtf8View:
        case TypeId::kBinary:
        case TypeId::kLargeBinary:
        case TypeId::kBinaryView:
        case TypeId::kFixedSizeBinary:
            return bytes_value(array, row);
        case TypeId::kDate32:
        case TypeId::kDate64:
        case TypeId::kTime32:
        case TypeId::kTime64:
        case TypeId::kTimestamp:
        case TypeId::kDuration:
        case TypeId::kIntervalMonths:
        case TypeId::kIntervalDayTime:
        case TypeId::kIntervalMonthDayNano:
            return temporal_at(array, row);
        case TypeId::kList:
        case TypeId::kLargeList:
        case TypeId::kFixedSizeList:
            return list_value(array, row);
        case TypeId::kStruct:
        case TypeId::kMap:
            return text_at(array, row);
        case TypeId::kDictionary:
            return value_at(*array.dictionary, dictionary_index(array, row));
    }
    return {};
}

void append_text(const Array& array, int64_t row, std::string* out) {
    if (array.is_null(row)) return;
    switch (array.type.id) {
        case TypeId::kNull:
            return;
        case TypeId::kBool:
            out->append(array.bool_at(row) ? "true" : "false");
            return;
        case TypeId::kInt8:
        case TypeId::kInt16:
        case TypeId::kInt32:
        case TypeId::kInt64:
        case TypeId::kUInt8:
        case TypeId::kUInt16:
        case TypeId::kUInt32:
            return append_int64(integer_at(array, row), out);
        case TypeId::kUInt64:
            return append_uint64(array.values<uint64_t>()[row], out);
        case TypeId::kFloat16:
            return append_float(half_to_float(array.values<uint16_t>()[row]), out);
        case TypeId::kFloat32:
            return append_float(array.values<float>()[row], out);
        case TypeId::kFloat64:
            return append_double(array.values<double>()[row], out);
        case TypeId::kDecimal128:
            return append_decimal(array.values<__int128>()[row], array.type.scale, out);
        case TypeId::kDecimal256:
            return append_wide_decimal(array.values<Int256>()[row], array.type.scale, out);
        case TypeId::kUtf8:
        case TypeId::kLargeUtf8:
        case TypeId::kUtf8View:
        case TypeId::kBinary:
        case TypeId::kLargeBinary:
        case TypeId::kBinaryView:
        case TypeId::kFixedSizeBinary:
            return append_bytes_text(array, row, out);
        case TypeId::kDate32:
        case TypeId::kDate64:
        case TypeId::kTime32:
        case TypeId::kTime64:
        case TypeId::kTimestamp:
        case TypeId::kDuration:
        case TypeId::kIntervalMonths:
        case TypeId::kIntervalDayTime:
        case TypeId::kIntervalMonthDayNano:
            return append_temporal_text(array, row, out);
        case TypeId::kList:
        case TypeId::kLargeList:
        case TypeId::kFixedSizeList:
            return append_list_text(array.list_at(row), out);
        case TypeId::kStruct:
            return append_struct_text(array, row, out);
        case TypeId::kMap:
            return append_map_text(array, row, out);
        case TypeId::kDictionary:
            return append_text(*array.dictionary, dictionary_index(array, row), out);
    }
}

Result<Array> array_of(const Type& type, std::span<const Value> values) {
    ColumnBuilder builder(type);
    builder.reserve(static_cast<int64_t>(values.size()));
    for (const Value& value : values) RETURN_IF_ERROR(builder.append(value));
    return builder.finish();
}

}  // namespace trefoil::arrow
