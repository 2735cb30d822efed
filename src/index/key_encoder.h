// KeyEncoder: rows and literals as keys that sort as the values do.
//
// A key has one of two shapes, fixed by the types of its columns. A single integer-like column
// (SMALLINT, INTEGER, BIGINT, DATE, TIME, TIMESTAMP) is one u64. Everything else (text, uuid,
// several columns, ...) is memcomparable bytes, as base/key_coding.h writes them.

#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "arrow/array.h"
#include "trefoil/value.h"

namespace trefoil::index {

enum class KeyShape : uint8_t { kInteger, kBytes };

// One key, of either shape. Compared only with keys of the same shape.
struct Key {
    uint64_t integer = 0;
    std::string bytes;  // empty for kInteger
    bool operator==(const Key&) const = default;
    auto operator<=>(const Key&) const = default;
};

// Keys k with low <= k <= high; an absent bound is open. Exclusive bounds and prefixes are turned
// into this form by whoever makes the range (successor(), prefix_successor()).
struct KeyRange {
    std::optional<Key> low, high;
    bool low_inclusive = true, high_inclusive = true;
    bool contains(const Key& key) const;
};

class KeyEncoder {
public:
    explicit KeyEncoder(std::vector<arrow::Type> types);

    KeyShape shape() const { return shape_; }
    const std::vector<arrow::Type>& types() const { return types_; }

    // The key of one row. `columns` are the key columns in key order, none NULL at `row`.
    Key encode(std::span<const arrow::Array* const> columns, int64_t row) const;

    // The key of literals for the first n columns (n <= types().size()): the whole key, or a prefix
    // of kBytes keys. REQUIRES: each value is exactly of its column's type (see convert()).
    Key encode(std::span<const Value> values) const;

    // A literal as a value of key column `column`, for a comparison: exact if the column can hold
    // it; otherwise where it lies between (2.5 on BIGINT lies below 3), above or below all.
    struct Converted {
        enum class Kind : uint8_t { kExact, kBetween, kBelowAll, kAboveAll, kNotComparable };
        Kind kind = Kind::kNotComparable;
        Value value;  // kExact: the literal; kBetween: the greatest value of the column below it
    };
    Converted convert(const Value& literal, size_t column) const;

private:
    std::vector<arrow::Type> types_;
    KeyShape shape_;
};

}  // namespace trefoil::index
