// Placing literals among the keys of a column.

#include "access/filter_key.h"

#include <cmath>
#include <limits>

namespace trefoil::access {
namespace {

using arrow::TimeUnit;
using arrow::TypeId;
using Where = Place::Where;

constexpr int64_t kMicrosPerDay = 86'400'000'000;
constexpr int64_t kExactDoubleMax = int64_t{1} << 53;  // beyond it not every integer is a double

Place at(Int128 key) {
    return {Where::kAt, key, key};
}
Place between(Int128 low) {
    return {Where::kBetween, low, low + 1};
}
constexpr Place kBelow = {Where::kBelow, 0, 0};
constexpr Place kAbove = {Where::kAbove, 0, 0};

// `p` in a column that has only the keys of `all`.
Place within(Place p, const KeyRange& all) {
    if (p.where == Where::kAt || p.where == Where::kBetween) {
        if (p.high < all.low || (p.where == Where::kBetween && p.low < all.low)) return kBelow;
        if (p.low > all.high || (p.where == Where::kBetween && p.high > all.high)) return kAbove;
    }
    return p;
}

// numerator / denominator, rounded down. REQUIRES: denominator > 0.
Place quotient(Int128 numerator, Int128 denominator) {
    Int128 floor = numerator / denominator;
    const Int128 rest = numerator % denominator;
    if (rest == 0) return at(floor);
    return between(rest < 0 ? floor - 1 : floor);
}

// unscaled * 10^digits. A product that overflows lies beyond all keys, on the side of its sign.
Place scaled(Int128 unscaled, int64_t digits) {
    if (unscaled == 0) return at(0);
    const bool negative = unscaled < 0;
    for (; digits > 0; digits--) {
        if (__builtin_mul_overflow(unscaled, Int128{10}, &unscaled)) {
            return negative ? kBelow : kAbove;
        }
    }
    Int128 divisor = 1;
    for (; digits < 0; digits++) {
        // Divided by 10^39 or more, what is left is a fraction beside zero.
        if (__builtin_mul_overflow(divisor, Int128{10}, &divisor)) {
            return between(negative ? -1 : 0);
        }
    }
    return quotient(unscaled, divisor);
}

// A number in a column of integers with `scale` digits after the point.
std::optional<Place> place_number(const Value& value, int32_t scale) {
    if (const auto* v = value.get_if<int64_t>()) return scaled(*v, scale);
    if (const auto* v = value.get_if<Decimal>())
        return scaled(v->unscaled, int64_t{scale} - v->scale);
    return std::nullopt;
}

std::optional<Place> place_integer(const Value& value, KeyKind kind) {
    const auto* v = value.get_if<double>();
    if (!v) return place_number(value, 0);
    if (std::isnan(*v)) return std::nullopt;
    if (std::abs(*v) < static_cast<double>(kExactDoubleMax)) {
        const double floor = std::floor(*v);
        return floor == *v ? at(static_cast<Int128>(floor)) : between(static_cast<Int128>(floor));
    }
    // SQL compares as doubles; that rounds a BIGINT, so only what lies beyond all of them is
    // certain.
    const bool small = kind == KeyKind::kInt16 || kind == KeyKind::kInt32;
    if (!small && std::abs(*v) < 1e20) return std::nullopt;
    return *v < 0 ? kBelow : kAbove;
}

std::optional<double> as_double(const Value& value) {
    if (const auto* v = value.get_if<double>()) return *v;
    const auto* v = value.get_if<int64_t>();
    if (!v || *v < -kExactDoubleMax || *v > kExactDoubleMax) return std::nullopt;
    return static_cast<double>(*v);
}

constexpr Place kZeros = {Where::kAt, -1, 0};  // -0 and 0

std::optional<Place> place_float64(const Value& value) {
    std::optional<double> v = as_double(value);
    if (!v) return std::nullopt;
    return *v == 0 ? kZeros : at(float_key(*v));
}

std::optional<Place> place_float32(const Value& value) {
    std::optional<double> v = as_double(value);
    if (!v) return std::nullopt;
    if (*v == 0) return kZeros;
    const auto nearest = static_cast<float>(*v);
    const int32_t key = float_key(nearest);
    if (std::isnan(*v)) {
        // Of the many NaNs only the ordinary one is sure to stay itself when it is made wider.
        const bool ordinary = std::bit_cast<uint64_t>(std::abs(*v)) == 0x7ff8000000000000u;
        return ordinary ? std::optional(at(key)) : std::nullopt;
    }
    const auto back = static_cast<double>(nearest);
    if (back == *v) return at(key);
    return float_key(back) < float_key(*v) ? between(key) : between(Int128{key} - 1);
}

std::optional<Place> place_date(const Value& value) {
    if (const auto* v = value.get_if<Date>()) return at(v->days);
    const auto* v = value.get_if<Timestamp>();
    if (!v || v->utc) return std::nullopt;
    return quotient(v->micros, kMicrosPerDay);
}

std::optional<Place> place_timestamp(const Value& value, bool utc) {
    if (const auto* v = value.get_if<Timestamp>()) {
        return v->utc == utc ? std::optional(at(v->micros)) : std::nullopt;
    }
    const auto* v = value.get_if<Date>();
    if (!v || utc) return std::nullopt;
    return at(Int128{v->days} * kMicrosPerDay);
}

std::optional<Place> place_uuid(const Value& value) {
    if (const auto* v = value.get_if<Uuid>()) return at(uuid_key(v->bytes.data()));
    const auto* v = value.get_if<Blob>();
    if (!v || v->bytes.size() != 16) return std::nullopt;
    return at(uuid_key(v->bytes.data()));
}

std::optional<Place> place_unclipped(const Value& value, const arrow::Type& type) {
    switch (type.id) {
        case TypeId::kBool:
            if (const auto* v = value.get_if<bool>()) return at(*v);
            return std::nullopt;
        case TypeId::kInt16:
        case TypeId::kInt32:
        case TypeId::kInt64:
        case TypeId::kUInt64:
            return place_integer(value, key_kind(type));
        case TypeId::kFloat32:
            return place_float32(value);
        case TypeId::kFloat64:
            return place_float64(value);
        case TypeId::kDecimal128:
            return place_number(value, type.scale);
        case TypeId::kDate32:
            return place_date(value);
        case TypeId::kTime64:
            if (const auto* v = value.get_if<Time>()) return at(v->micros);
            return std::nullopt;
        case TypeId::kTimestamp:
            return place_timestamp(value, !type.timezone.empty());
        case TypeId::kFixedSizeBinary:
            return place_uuid(value);
        default:
            return std::nullopt;
    }
}

template <typename T>
KeyRange range_of() {
    return {std::numeric_limits<T>::min(), std::numeric_limits<T>::max()};
}

}  // namespace

KeyKind key_kind(const arrow::Type& type) {
    switch (type.id) {
        case TypeId::kBool:
            return KeyKind::kBool;
        case TypeId::kInt16:
            return KeyKind::kInt16;
        case TypeId::kInt32:
        case TypeId::kDate32:
            return KeyKind::kInt32;
        case TypeId::kInt64:
            return KeyKind::kInt64;
        case TypeId::kTime64:
        case TypeId::kTimestamp:
            return type.unit == TimeUnit::kMicro ? KeyKind::kInt64 : KeyKind::kNone;
        case TypeId::kUInt64:
            return KeyKind::kUInt64;
        case TypeId::kFloat32:
            return KeyKind::kFloat32;
        case TypeId::kFloat64:
            return KeyKind::kFloat64;
        case TypeId::kDecimal128:
            return KeyKind::kDecimal;
        case TypeId::kFixedSizeBinary:
            return type.width == 16 ? KeyKind::kUuid : KeyKind::kNone;
        case TypeId::kUtf8View:
        case TypeId::kBinaryView:
            return KeyKind::kText;
        default:
            return KeyKind::kNone;
    }
}

KeyRange all_keys(KeyKind kind) {
    switch (kind) {
        case KeyKind::kBool:
            return {0, 1};
        case KeyKind::kInt16:
            return range_of<int16_t>();
        case KeyKind::kInt32:
        case KeyKind::kFloat32:
            return range_of<int32_t>();
        case KeyKind::kUInt64:
            return range_of<uint64_t>();
        case KeyKind::kDecimal:
        case KeyKind::kUuid:
            return {kInt128Min, kInt128Max};
        default:
            return range_of<int64_t>();
    }
}

std::optional<Place> place_of(const Value& value, const arrow::Type& type) {
    std::optional<Place> place = place_unclipped(value, type);
    if (!place) return std::nullopt;
    return within(*place, all_keys(key_kind(type)));
}

}  // namespace trefoil::access
