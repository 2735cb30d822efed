// KeyEncoder::convert: where a literal lies among the values of a key column.
//
// Exact or not at all: a literal is converted only where comparing it with the column gives the
// same answer as comparing the converted value. 2^53 and 2^24 are the bounds up to which DOUBLE and
// REAL hold every integer; beyond them a comparison in floating point calls different numbers
// equal.

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/date.h"
#include "base/text_format.h"
#include "index/key_encoder.h"

namespace trefoil::index {
namespace {

using arrow::Type;
using arrow::TypeId;
using Converted = KeyEncoder::Converted;
using Kind = KeyEncoder::Converted::Kind;

constexpr double kDoubleIntegers = 9007199254740992.0;  // 2^53
constexpr double kFloatIntegers = 16777216.0;           // 2^24
// Decimals of so many digits differ as doubles if they differ at all.
constexpr int32_t kDoubleDigits = 15;
// 10^22 is the last power of ten that is a double.
constexpr int32_t kExactPowers = 22;

Converted exact(Value v) {
    return {Kind::kExact, std::move(v)};
}
Converted between(Value below) {
    return {Kind::kBetween, std::move(below)};
}
Converted below_all() {
    return {Kind::kBelowAll, {}};
}
Converted above_all() {
    return {Kind::kAboveAll, {}};
}
Converted not_comparable() {
    return {};
}

// A number on a grid: `floor` and whether it lies on it exactly; the grid ends at low and high.
struct OnGrid {
    __int128 floor;
    bool exact;
};

template <typename MakeValue>
Converted place(OnGrid at, __int128 low, __int128 high, MakeValue make) {
    if (at.floor < low) return below_all();
    if (at.floor > high || (at.floor == high && !at.exact)) return above_all();
    return at.exact ? exact(make(at.floor)) : between(make(at.floor));
}

OnGrid divide(__int128 v, __int128 by) {
    __int128 quotient = v / by, rest = v % by;
    return {quotient - (rest < 0), rest == 0};
}

// --- Integers
// ---------------------------------------------------------------------------------------

Converted to_integer(const Value& literal, int64_t low, int64_t high) {
    auto make = [](__int128 v) { return Value(static_cast<int64_t>(v)); };
    if (auto* v = literal.get_if<int64_t>()) return place({*v, true}, low, high, make);
    if (auto* v = literal.get_if<Decimal>()) {
        if (v->scale < 0 || v->scale > kDecimalDigitsMax) return not_comparable();
        return place(divide(v->unscaled, power_of_ten(v->scale)), low, high, make);
    }
    if (auto* v = literal.get_if<double>()) {
        if (std::isnan(*v)) return above_all();
        if (std::isinf(*v)) return *v < 0 ? below_all() : above_all();
        if (std::abs(*v) < kDoubleIntegers) {
            double floor = std::floor(*v);
            return place({static_cast<__int128>(floor), floor == *v}, low, high, make);
        }
        // Columns of up to 32 bits hold nothing that DOUBLE does not.
        if (high < (int64_t{1} << 53)) return *v < 0 ? below_all() : above_all();
    }
    return not_comparable();
}

// --- Floating point
// ---------------------------------------------------------------------------------

bool is_double_integer(__int128 v) {
    constexpr auto kMost = static_cast<__int128>(kDoubleIntegers);
    return -kMost <= v && v <= kMost;
}

// A number literal as a double, if that loses nothing.
bool exact_double(const Value& literal, double* out) {
    if (auto* v = literal.get_if<double>()) {
        *out = *v;
        return true;
    }
    if (auto* v = literal.get_if<int64_t>()) {
        *out = static_cast<double>(*v);
        return is_double_integer(*v);
    }
    if (auto* v = literal.get_if<Decimal>()) {
        if (v->scale < 0 || v->scale > kExactPowers) return false;
        *out = decimal_to_double(v->unscaled, v->scale);
        return is_double_integer(v->unscaled);
    }
    return false;
}

Converted to_double(const Value& literal) {
    double v;
    return exact_double(literal, &v) ? exact(v) : not_comparable();
}

Converted to_float(const Value& literal) {
    double v;
    if (!exact_double(literal, &v)) return not_comparable();
    auto nearest = static_cast<float>(v);
    if (std::isnan(v) || nearest == v) {
        bool is_integer = literal.get_if<int64_t>() != nullptr;
        if (is_integer && std::abs(v) > kFloatIntegers) return not_comparable();
        return exact(static_cast<double>(nearest));
    }
    // A comparison with an integer or decimal may round the literal to REAL; with a DOUBLE it does
    // not.
    if (!literal.get_if<double>()) return not_comparable();
    if (nearest > v) nearest = std::nextafter(nearest, -std::numeric_limits<float>::infinity());
    return between(static_cast<double>(nearest));
}

// --- Decimals
// ---------------------------------------------------------------------------------------

Converted decimal_from_number(double v, const Type& type) {
    if (type.precision > kDoubleDigits) return not_comparable();
    if (std::isnan(v)) return above_all();
    __int128 most = power_of_ten(type.precision) - 1;
    __int128 unscaled;
    if (std::isinf(v) || !decimal_from_double(v, type.precision, type.scale, &unscaled)) {
        return v < 0 ? below_all() : above_all();
    }
    double back = decimal_to_double(unscaled, type.scale);
    OnGrid at{back > v ? unscaled - 1 : unscaled, back == v};
    auto make = [&](__int128 u) { return Value(Decimal{u, type.scale}); };
    return place(at, -most, most, make);
}

Converted to_decimal(const Value& literal, const Type& type) {
    if (auto* v = literal.get_if<double>()) return decimal_from_number(*v, type);
    Decimal d;
    if (auto* v = literal.get_if<int64_t>()) {
        d = {*v, 0};
    } else if (auto* v = literal.get_if<Decimal>()) {
        d = *v;
    } else {
        return not_comparable();
    }
    __int128 most = power_of_ten(type.precision) - 1;
    auto make = [&](__int128 u) { return Value(Decimal{u, type.scale}); };
    int32_t more = type.scale - d.scale;
    if (more < -kDecimalDigitsMax || more > kDecimalDigitsMax) return not_comparable();
    if (more < 0) return place(divide(d.unscaled, power_of_ten(-more)), -most, most, make);
    // Multiplied out it may leave 128 bits, but then it lies beyond the column's digits too.
    if (d.unscaled > most / power_of_ten(more)) return above_all();
    if (d.unscaled < -most / power_of_ten(more)) return below_all();
    return place({d.unscaled * power_of_ten(more), true}, -most, most, make);
}

// --- Dates and times
// --------------------------------------------------------------------------------

Converted to_date(const Value& literal) {
    auto make = [](__int128 v) { return Value(Date{static_cast<int32_t>(v)}); };
    if (literal.get_if<Date>()) return exact(literal);
    if (auto* v = literal.get_if<Timestamp>(); v && !v->utc) {
        using Days = std::numeric_limits<int32_t>;
        return place(divide(v->micros, kMicrosPerDay), Days::min(), Days::max(), make);
    }
    Date parsed;
    auto* text = literal.get_if<std::string>();
    return text && parse_date(*text, &parsed) == Parsed::kOk ? exact(parsed) : not_comparable();
}

Converted to_time(const Value& literal) {
    if (literal.get_if<Time>()) return exact(literal);
    Time parsed;
    auto* text = literal.get_if<std::string>();
    return text && parse_time(*text, &parsed) == Parsed::kOk ? exact(parsed) : not_comparable();
}

Converted to_timestamp(const Value& literal, bool utc) {
    auto make = [&](__int128 v) { return Value(Timestamp{static_cast<int64_t>(v), utc}); };
    using Micros = std::numeric_limits<int64_t>;
    if (auto* v = literal.get_if<Timestamp>()) return v->utc == utc ? exact(*v) : not_comparable();
    if (auto* v = literal.get_if<Date>(); v && !utc) {
        auto micros = static_cast<__int128>(v->days) * kMicrosPerDay;
        return place({micros, true}, Micros::min(), Micros::max(), make);
    }
    Timestamp parsed;
    auto* text = literal.get_if<std::string>();
    if (!text || parse_timestamp(*text, utc, &parsed) != Parsed::kOk) return not_comparable();
    return exact(Timestamp{parsed.micros, utc});
}

// --- Bytes
// ------------------------------------------------------------------------------------------

// `width` is 16: the only fixed-size binaries in a key are UUIDs.
Converted to_uuid(const Value& literal) {
    if (literal.get_if<Uuid>()) return exact(literal);
    Uuid uuid;
    if (auto* v = literal.get_if<Blob>(); v && v->bytes.size() == uuid.bytes.size()) {
        std::copy(v->bytes.begin(), v->bytes.end(), uuid.bytes.begin());
        return exact(uuid);
    }
    auto* text = literal.get_if<std::string>();
    return text && parse_uuid(*text, &uuid) == Parsed::kOk ? exact(uuid) : not_comparable();
}

template <typename T>
Converted same(const Value& literal) {
    return literal.get_if<T>() ? exact(literal) : not_comparable();
}

}  // namespace

Converted KeyEncoder::convert(const Value& literal, size_t column) const {
    const Type& type = types_[column];
    switch (type.id) {
        case TypeId::kBool:
            return same<bool>(literal);
        case TypeId::kInt16:
            return to_integer(literal, std::numeric_limits<int16_t>::min(),
                              std::numeric_limits<int16_t>::max());
        case TypeId::kInt32:
            return to_integer(literal, std::numeric_limits<int32_t>::min(),
                              std::numeric_limits<int32_t>::max());
        case TypeId::kInt64:
            return to_integer(literal, std::numeric_limits<int64_t>::min(),
                              std::numeric_limits<int64_t>::max());
        case TypeId::kFloat32:
            return to_float(literal);
        case TypeId::kFloat64:
            return to_double(literal);
        case TypeId::kDecimal128:
            return to_decimal(literal, type);
        case TypeId::kDate32:
            return to_date(literal);
        case TypeId::kTime64:
            return to_time(literal);
        case TypeId::kTimestamp:
            return to_timestamp(literal, !type.timezone.empty());
        case TypeId::kFixedSizeBinary:
            return to_uuid(literal);
        case TypeId::kBinary:
        case TypeId::kLargeBinary:
        case TypeId::kBinaryView:
            return same<Blob>(literal);
        default:
            return same<std::string>(literal);
    }
}

}  // namespace trefoil::index
