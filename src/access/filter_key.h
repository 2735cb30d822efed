// Keys: values of any fixed-width type as integers that sort as the values compare.
//
// With keys every comparison over such a column is one question: does the key lie in a range?
// Literals are placed among the keys: at one (or, for zero of floating-point numbers, at two: -0
// and 0), between two, or beyond all of them.
//
//     type                 key
//     bool, integers       the value
//     REAL, DOUBLE         the bits, those of negative numbers flipped: IEEE's total order
//     DATE, TIME, ...      days, microseconds
//     DECIMAL              the unscaled integer
//     UUID                 the bytes as a big-endian number, less 2^127

#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>

#include "arrow/type.h"
#include "trefoil/value.h"

namespace trefoil::access {

using Int128 = __int128;
using Uint128 = unsigned __int128;

constexpr Int128 kInt128Max = static_cast<Int128>(~Uint128{0} >> 1);
constexpr Int128 kInt128Min = -kInt128Max - 1;

// How the values of a column are laid out and compared.
enum class KeyKind : uint8_t {
    kNone,  // cannot be compared here
    kBool,
    kInt16,
    kInt32,
    kInt64,
    kUInt64,
    kFloat32,
    kFloat64,  // keys of up to 64 bits
    kDecimal,
    kUuid,  // keys of 128 bits
    kText,  // string and binary views: no key
};

KeyKind key_kind(const arrow::Type& type);
inline bool is_narrow(KeyKind kind) {
    return kind >= KeyKind::kBool && kind <= KeyKind::kFloat64;
}
inline bool is_wide(KeyKind kind) {
    return kind == KeyKind::kDecimal || kind == KeyKind::kUuid;
}

struct KeyRange {
    Int128 low = 0, high = 0;  // both within
    bool empty() const { return low > high; }
    bool operator==(const KeyRange&) const = default;
};

constexpr KeyRange kNoKeys = {1, 0};

// Every key that a column of this kind can have. REQUIRES: kind has keys.
KeyRange all_keys(KeyKind kind);

inline int64_t float_key(double v) {
    const auto bits = std::bit_cast<int64_t>(v);
    return bits ^ ((bits >> 63) & INT64_MAX);
}
inline int32_t float_key(float v) {
    const auto bits = std::bit_cast<int32_t>(v);
    return bits ^ ((bits >> 31) & INT32_MAX);
}
inline Int128 uuid_key(const void* bytes) {
    uint64_t high, low;
    std::memcpy(&high, bytes, 8);
    std::memcpy(&low, static_cast<const char*>(bytes) + 8, 8);
    const Uint128 v = Uint128{__builtin_bswap64(high)} << 64 | __builtin_bswap64(low);
    return static_cast<Int128>(v ^ Uint128{1} << 127);
}

struct Place {
    enum class Where : uint8_t { kAt, kBetween, kBelow, kAbove };
    Where where = Where::kAt;
    Int128 low = 0, high = 0;  // kAt: the keys equal to it; kBetween: its neighbours
};

// Where `value` lies among the keys of a column of `type`; nullopt if the two cannot be compared
// here with the answer that SQL gives (a BIGINT with a DOUBLE of more than 2^53, a TIMESTAMPTZ with
// a DATE). REQUIRES: the type has keys, the value is not NULL.
std::optional<Place> place_of(const Value& value, const arrow::Type& type);

}  // namespace trefoil::access
