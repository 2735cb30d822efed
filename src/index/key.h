// Key, KeyRange: what an index is asked for.
//
// A key has one of two shapes, fixed by the types of its columns. A single column whose values fit
// 64 bits (integers, floats, DATE, TIME, TIMESTAMP, small decimals) is one u64. Everything else
// (text, uuid, several columns, ...) is memcomparable bytes, as base/key_coding.h writes them.
// Either way keys sort as values do.

#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>

#include "base/key_coding.h"

namespace trefoil::index {

// The numbers are stored.
enum class KeyShape : uint8_t { kInteger = 0, kBytes = 1 };

// One key, of either shape. Compared only with keys of the same shape.
struct Key {
    uint64_t integer = 0;
    std::string bytes;  // empty for kInteger
    bool operator==(const Key&) const = default;
    auto operator<=>(const Key&) const = default;
};

// Keys k with low <= k <= high, or < where not inclusive; an absent bound is open. A range whose
// low bound lies above its high bound is empty. KeyEncoder::range makes ranges from values,
// prefixes included.
struct KeyRange {
    std::optional<Key> low, high;
    bool low_inclusive = true, high_inclusive = true;

    bool contains(const Key& key) const {
        if (low && (low_inclusive ? key < *low : key <= *low)) return false;
        return !high || (high_inclusive ? key <= *high : key < *high);
    }
    // True if no key can be in it, whatever the keys are.
    bool is_empty() const {
        return low && high &&
               (*high < *low || (*low == *high && !(low_inclusive && high_inclusive)));
    }

    // The range without keys, of either shape.
    static KeyRange nothing() { return {Key{1, "\x01"}, Key{0, ""}}; }
    static KeyRange exactly(const Key& key) { return {key, key}; }
    // All keys that begin so. REQUIRES: of shape kBytes.
    static KeyRange beginning_with(const Key& key) {
        KeyRange range{key, key, true, false};
        if (!prefix_successor(&range.high->bytes)) range.high.reset();
        return range;
    }
};

}  // namespace trefoil::index
