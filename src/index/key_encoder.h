// KeyEncoder: rows and literals as keys that sort as the values do.
//
//     KeyEncoder encoder({arrow::utf8_view(), arrow::int64()});       // PRIMARY KEY (tenant, id)
//     Key key = encoder.encode(columns, row);
//     Key prefix = encoder.encode(std::vector<Value>{"acme"});        // all of it begin so
//
// A single column whose values fit 64 bits (BOOLEAN, integers, REAL, DOUBLE, DECIMAL of up to 18
// digits, DATE, TIME, TIMESTAMP) makes keys of shape kInteger. Everything else (TEXT, BYTEA, UUID,
// longer DECIMALs, several columns) makes memcomparable bytes, part after part, as
// base/key_coding.h writes them.
//
// Parts of byte keys ascend or descend, each as its PartOrder says.
//
// A nullable encoder takes NULLs, which sort last. In bytes a flag before each part says so, and a
// PartOrder may have them first; a kInteger key is kNullKey then. No value but the greatest BIGINT
// and TIMESTAMP has that key: null_is_distinct() is false for these, and whoever asks for NULLs, or
// for a range that reaches up to them, must look at the rows. Whether columns are declared NOT NULL
// makes no difference, so that a key outlives ALTER TABLE.
//
// -0.0 and 0.0 are one key, and so are all NaNs, above all other numbers.
//
// A hashing encoder makes keys of shape kInteger of any columns: hashes of the bytes that it would
// make otherwise (key_run_format.h says which). Equal values have equal keys, but others may, too,
// so whoever finds a key looks at the row. Tested by key_encoder_test.cpp.

#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "arrow/array.h"
#include "arrow/type.h"
#include "base/key_coding.h"
#include "index/key.h"
#include "trefoil/value.h"

namespace trefoil::index {

// How many bytes a part of this type takes in a byte key, without its flag; 0 if it is a text,
// which says itself where it ends.
size_t part_width(const arrow::Type& type);

class KeyEncoder {
public:
    // `orders` are of the parts; those that are left out ascend, NULLs last. Keys of shape kInteger
    // do so always: they can be read backwards, and NULLs are one key at their end.
    // REQUIRES: at least one type, each of them one that a key may have (catalog::is_key_type).
    explicit KeyEncoder(std::vector<arrow::Type> types, bool nullable = false,
                        std::vector<PartOrder> orders = {});

    // Keys that are hashes. REQUIRES: as above.
    static KeyEncoder hashing(std::vector<arrow::Type> types);
    bool is_hashing() const { return hashing_; }

    static constexpr uint64_t kNullKey = UINT64_MAX;
    bool nullable() const { return nullable_; }
    bool null_is_distinct() const { return null_is_distinct_; }
    // Whether a part of the key, or of the beginning of one, is NULL; true also for the value that
    // shares NULL's key.
    bool may_hold_null(const Key& key) const;
    // The first parts of a whole key.
    Key first_parts(Key key, size_t parts) const;

    KeyShape shape() const { return shape_; }
    const std::vector<arrow::Type>& types() const { return types_; }
    PartOrder order(size_t part) const {
        return part < orders_.size() ? orders_[part] : PartOrder();
    }

    // The key of one row. `columns` are the key columns in key order, or the first of them where a
    // prefix is meant (below), none NULL at `row` unless nullable; strings may have any layout,
    // also that of a dictionary.
    Key encode(std::span<const arrow::Array* const> columns, int64_t row) const;
    // The same, into a key whose memory is used again.
    void encode(std::span<const arrow::Array* const> columns, int64_t row, Key* key) const;

    // The key of literals for the first n columns (n <= types().size()): the whole key, or a prefix
    // of kBytes keys. REQUIRES: each value is exactly of its column's type (see convert()), or NULL
    // if nullable; of a hashing encoder, there is one for each column.
    Key encode(std::span<const Value> values) const;

    // A literal as a value of key column `column`, for a comparison: exact if the column can hold
    // it; otherwise where it lies between (2.5 on BIGINT lies below 3), above or below all.
    //
    // kNotComparable where a comparison is not of the values themselves or not exact (text with a
    // number, a BIGINT with a DOUBLE beyond 2^53, TIMESTAMP with TIMESTAMPTZ), and for NULL: then
    // the index cannot answer. Text is read as a literal of a UUID, DATE, TIME or TIMESTAMP column
    // if it is one.
    struct Converted {
        enum class Kind : uint8_t { kExact, kBetween, kBelowAll, kAboveAll, kNotComparable };
        Kind kind = Kind::kNotComparable;
        Value value;  // kExact: the literal; kBetween: the greatest value of the column below it
    };
    Converted convert(const Value& literal, size_t column) const;

private:
    std::vector<arrow::Type> types_;
    std::vector<PartOrder> orders_;
    KeyShape shape_;
    bool nullable_;
    bool null_is_distinct_ = true;
    bool hashing_ = false;
};

}  // namespace trefoil::index
