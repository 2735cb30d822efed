// ColumnBuilder: the checked way in. Which value may become which type follows PostgreSQL's
// assignment casts; text counts as a literal of unknown type and is read as the column's.

#include <cmath>
#include <limits>

#include "arrow/builder.h"
#include "arrow/integer_range.h"
#include "base/check.h"
#include "base/date.h"
#include "base/text_format.h"
#include "base/utf8.h"

namespace trefoil::arrow {
namespace {

struct TypeName {
    std::string operator()(std::monostate) const { return "NULL"; }
    std::string operator()(bool) const { return "BOOLEAN"; }
    std::string operator()(int64_t) const { return "BIGINT"; }
    std::string operator()(double) const { return "DOUBLE"; }
    std::string operator()(const std::string&) const { return "TEXT"; }
    std::string operator()(const Decimal&) const { return "DECIMAL"; }
    std::string operator()(Date) const { return "DATE"; }
    std::string operator()(Time) const { return "TIME"; }
    std::string operator()(const Timestamp& v) const { return v.utc ? "TIMESTAMPTZ" : "TIMESTAMP"; }
    std::string operator()(const Interval&) const { return "INTERVAL"; }
    std::string operator()(const Uuid&) const { return "UUID"; }
    std::string operator()(const Blob&) const { return "BYTEA"; }
    std::string operator()(const Value::List&) const { return "an array"; }
};

Status no_conversion(const Value& value, const Type& type) {
    Status status(
        Code::kInvalidInput, "42804",
        "cannot convert " + std::visit(TypeName(), value.storage()) + " to " + type.sql_name());
    return std::move(status).with_hint("Convert it with CAST, or write it as a quoted literal.");
}

Status out_of_range(const Value& value, const Type& type) {
    return literal_error(Parsed::kRange, type.sql_name(), value.to_string());
}

Status check_length(size_t bytes) {
    if (bytes <= kFieldBytesMax) return {};
    return {Code::kInvalidInput, "54000",
            "a value of " + std::to_string(bytes) + " bytes is too long; the limit is 1 GiB"};
}

Status check_text(std::string_view text) {
    RETURN_IF_ERROR(check_length(text.size()));
    if (is_utf8(text)) return {};
    return {Code::kInvalidInput, "22021",
            "text is not valid UTF-8 at byte " + std::to_string(utf8_prefix(text))};
}

int64_t floor_div(int64_t a, int64_t b) {
    return a / b - (a % b < 0 ? 1 : 0);
}

// A double that becomes an integer; half goes to even, as in PostgreSQL.
bool round_to_integer(double v, __int128* out) {
    constexpr double kLimit = 1e19;
    const double rounded = std::nearbyint(v);
    if (!(rounded > -kLimit && rounded < kLimit)) return false;
    *out = static_cast<__int128>(rounded);
    return true;
}

}  // namespace

Status ColumnBuilder::append(const Value& value) {
    if (value.is_null()) {
        append_null();
        return {};
    }
    const auto* text = value.get_if<std::string>();
    if (type_.id == TypeId::kUtf8View) {
        if (!text) return append_text(value.to_string());
        RETURN_IF_ERROR(check_text(*text));
        append_bytes(*text);
        return {};
    }
    if (text) return append_text(*text);
    return append_converted(value);
}

Status ColumnBuilder::append_converted(const Value& value) {
    switch (type_.id) {
        case TypeId::kBool:
            if (const auto* v = value.get_if<bool>()) {
                append_bool(*v);
                return {};
            }
            return no_conversion(value, type_);
        case TypeId::kBinaryView:
            if (const auto* v = value.get_if<Blob>()) {
                RETURN_IF_ERROR(check_length(v->bytes.size()));
                append_bytes(v->bytes);
                return {};
            }
            return no_conversion(value, type_);
        case TypeId::kFixedSizeBinary:
            if (const auto* v = value.get_if<Uuid>(); v && type_.width == 16) {
                append_bytes({reinterpret_cast<const char*>(v->bytes.data()), 16});
                return {};
            }
            if (const auto* v = value.get_if<Blob>()) {
                if (v->bytes.size() != static_cast<size_t>(type_.width)) {
                    return out_of_range(value, type_);
                }
                append_bytes(v->bytes);
                return {};
            }
            return no_conversion(value, type_);
        case TypeId::kList:
            if (const auto* v = value.get_if<Value::List>()) return append_list_value(*v);
            return no_conversion(value, type_);
        case TypeId::kDate32:
        case TypeId::kTime64:
        case TypeId::kTimestamp:
        case TypeId::kIntervalMonthDayNano:
            return append_moment(value);
        default:
            return append_number(value);
    }
}

Status ColumnBuilder::append_number(const Value& value) {
    const auto* integer = value.get_if<int64_t>();
    const auto* real = value.get_if<double>();
    const auto* decimal = value.get_if<Decimal>();
    if (!integer && !real && !decimal) return no_conversion(value, type_);
    if (type_.id == TypeId::kFloat32 || type_.id == TypeId::kFloat64) {
        double v = integer ? static_cast<double>(*integer)
                   : real  ? *real
                           : decimal_to_double(decimal->unscaled, decimal->scale);
        if (type_.id == TypeId::kFloat32 && std::isfinite(v) &&
            std::abs(v) > static_cast<double>(std::numeric_limits<float>::max())) {
            return out_of_range(value, type_);
        }
        append_double(v);
        return {};
    }
    __int128 v = 0;
    bool fits = true;
    if (type_.id == TypeId::kDecimal128) {
        fits = real ? decimal_from_double(*real, type_.precision, type_.scale, &v)
                    : rescale(integer ? *integer : decimal->unscaled, integer ? 0 : decimal->scale,
                              type_.scale, type_.precision, &v);
        if (!fits) return out_of_range(value, type_);
        append_decimal(v);
        return {};
    }
    if (integer) v = *integer;
    if (real) fits = round_to_integer(*real, &v);
    if (decimal) fits = rescale(decimal->unscaled, decimal->scale, 0, kDecimalDigitsMax, &v);
    if (!fits || !integer_range(type_.id).contains(v)) return out_of_range(value, type_);
    append_int64(static_cast<int64_t>(v));
    return {};
}

// Dates, times, timestamps and intervals, from each other.
Status ColumnBuilder::append_moment(const Value& value) {
    const auto* date = value.get_if<Date>();
    const auto* time = value.get_if<Time>();
    const auto* timestamp = value.get_if<Timestamp>();
    const auto* interval = value.get_if<Interval>();
    switch (type_.id) {
        case TypeId::kDate32:
            if (!date && !timestamp) return no_conversion(value, type_);
            append_int64(date ? date->days : floor_div(timestamp->micros, kMicrosPerDay));
            return {};
        case TypeId::kTime64:
            if (time) {
                if (time->micros < 0 || time->micros > kMicrosPerDay) {
                    return out_of_range(value, type_);
                }
                append_int64(time->micros);
            } else if (timestamp) {
                const int64_t rest = timestamp->micros % kMicrosPerDay;
                append_int64(rest < 0 ? rest + kMicrosPerDay : rest);
            } else {
                return no_conversion(value, type_);
            }
            return {};
        case TypeId::kTimestamp: {
            if (timestamp) {
                append_int64(timestamp->micros);
                return {};
            }
            if (!date) return no_conversion(value, type_);
            int64_t micros;
            if (__builtin_mul_overflow(int64_t{date->days}, kMicrosPerDay, &micros)) {
                return out_of_range(value, type_);
            }
            append_int64(micros);
            return {};
        }
        default:
            if (interval) {
                append_interval(*interval);
            } else if (time) {
                if (time->micros < 0 || time->micros > kMicrosPerDay) {
                    return out_of_range(value, type_);
                }
                append_interval({0, 0, time->micros * 1000});
            } else {
                return no_conversion(value, type_);
            }
            return {};
    }
}

Status ColumnBuilder::append_list_value(const Value::List& list) {
    // Apart first, so that a bad element leaves no good ones behind.
    ColumnBuilder elements(type_.children[0].type);
    for (const Value& element : list) RETURN_IF_ERROR(elements.append(element));
    elements_->append_array(elements.finish());
    append_list();
    return {};
}

// --- Text
// ----------------------------------------------------------------------------------------

Status ColumnBuilder::append_text(std::string_view text) {
    const auto fail = [&](Parsed parsed) { return literal_error(parsed, type_.sql_name(), text); };
    Parsed parsed = Parsed::kOk;
    switch (type_.id) {
        case TypeId::kUtf8View:
            RETURN_IF_ERROR(check_text(text));
            append_bytes(text);
            return {};
        case TypeId::kBool: {
            bool v;
            if ((parsed = parse_bool(text, &v)) != Parsed::kOk) return fail(parsed);
            append_bool(v);
            return {};
        }
        case TypeId::kBinaryView:
        case TypeId::kFixedSizeBinary: {
            if (type_.id == TypeId::kFixedSizeBinary && type_.width == 16) {
                Uuid uuid;
                if ((parsed = parse_uuid(text, &uuid)) != Parsed::kOk) return fail(parsed);
                append_bytes({reinterpret_cast<const char*>(uuid.bytes.data()), 16});
                return {};
            }
            Blob blob;
            if ((parsed = parse_bytea(text, &blob.bytes)) != Parsed::kOk) return fail(parsed);
            return append_converted(blob);
        }
        case TypeId::kDate32: {
            Date v;
            if ((parsed = parse_date(text, &v)) != Parsed::kOk) return fail(parsed);
            append_int64(v.days);
            return {};
        }
        case TypeId::kTime64: {
            Time v;
            if ((parsed = parse_time(text, &v)) != Parsed::kOk) return fail(parsed);
            append_int64(v.micros);
            return {};
        }
        case TypeId::kTimestamp: {
            Timestamp v;
            parsed = parse_timestamp(text, !type_.timezone.empty(), &v);
            if (parsed != Parsed::kOk) return fail(parsed);
            append_int64(v.micros);
            return {};
        }
        case TypeId::kIntervalMonthDayNano: {
            Interval v;
            if ((parsed = parse_interval(text, &v)) != Parsed::kOk) return fail(parsed);
            append_interval(v);
            return {};
        }
        case TypeId::kList:
            return append_list_text(text);
        default:
            return append_number_text(text);
    }
}

Status ColumnBuilder::append_number_text(std::string_view text) {
    Parsed parsed = Parsed::kOk;
    if (type_.id == TypeId::kFloat64) {
        double v;
        parsed = parse_double(text, &v);
        if (parsed == Parsed::kOk) append_double(v);
    } else if (type_.id == TypeId::kFloat32) {
        float v;
        parsed = parse_float(text, &v);
        if (parsed == Parsed::kOk) append_double(double{v});
    } else if (type_.id == TypeId::kDecimal128) {
        __int128 v;
        parsed = parse_decimal(text, type_.precision, type_.scale, &v);
        if (parsed == Parsed::kOk) append_decimal(v);
    } else {
        return append_integer_text(text);
    }
    if (parsed != Parsed::kOk) return literal_error(parsed, type_.sql_name(), text);
    return {};
}

Status ColumnBuilder::append_integer_text(std::string_view text) {
    int64_t v;
    Parsed parsed;
    if (type_.id == TypeId::kUInt64) {
        uint64_t bits;
        parsed = parse_uint64(text, &bits);
        v = static_cast<int64_t>(bits);
    } else {
        parsed = parse_int64(text, &v);
        if (parsed == Parsed::kOk && !integer_range(type_.id).contains(v)) parsed = Parsed::kRange;
    }
    if (parsed != Parsed::kOk) return literal_error(parsed, type_.sql_name(), text);
    append_int64(v);
    return {};
}

Status ColumnBuilder::append_list_text(std::string_view text) {
    std::vector<ArrayElement> list;
    if (Parsed p = parse_array(text, &list); p != Parsed::kOk) {
        Status status(Code::kInvalidInput, "22P02",
                      "malformed array literal: \"" + std::string(text.substr(0, 100)) + "\"");
        return std::move(status).with_hint("Arrays are written as {1,2,NULL}.");
    }
    ColumnBuilder elements(type_.children[0].type);
    for (const ArrayElement& element : list) {
        if (element.null) {
            elements.append_null();
        } else {
            RETURN_IF_ERROR(elements.append_text(element.text));
        }
    }
    elements_->append_array(elements.finish());
    append_list();
    return {};
}

}  // namespace trefoil::arrow
