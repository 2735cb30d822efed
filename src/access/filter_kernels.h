// The tight loops of a filter: each takes a run of values and clears the bits of the rows that
// fail.
//
// `rows` holds one bit per value, as in Selection; bits beyond `count` are 0 and stay so. Words
// that are already 0 are skipped together with their values. Range tests compare 64 values into one
// word without a branch, with AVX2 where the processor has it: a scan of BIGINTs runs at the speed
// of memory.

#pragma once

#include <cstdint>

#include "access/filter_key.h"
#include "access/filter_set.h"
#include "plan/expr.h"

namespace trefoil::access {

// Clears the rows that are null. `bits` is a validity bitmap, `first` the position of row 0 in it.
void keep_valid(const uint8_t* bits, int64_t first, int64_t count, uint64_t* rows);
void keep_null(const uint8_t* bits, int64_t first, int64_t count, uint64_t* rows);

// `count` values of which `at` points to the first; for kBool it is the bitmap, in which they begin
// at position `first`, which is 0 for all others.
struct KeyValues {
    KeyKind kind;
    const void* at;
    int64_t count;
    int64_t first = 0;
};

// Keeps the rows whose key is in `range` (negated: is not). REQUIRES: range is not empty and lies
// in all_keys(kind).
void keep_in_range(const KeyValues& values, const KeyRange& range, bool negated, uint64_t* rows);

// By the set of the kind's width: `wide` for keys of 128 bits. Not for kBool.
void keep_in_set(const KeyValues& values, const KeySet<int64_t>* narrow, const KeySet<Int128>* wide,
                 bool negated, uint64_t* rows);

// Keeps the rows for which `left op right` holds. Not for kText and kBool.
void keep_compared(KeyKind kind, plan::CompareOp op, const void* left, const void* right,
                   int64_t count, uint64_t* rows);

// 64 bits of a bitmap from position `first` on, of which only the lowest `count` (at most 64) are
// read and meant.
uint64_t load_bits(const uint8_t* bits, int64_t first, int64_t count);

// For each bit that is set among the rows: clears it unless keep(row).
template <typename Keep>
void keep_each(int64_t count, uint64_t* rows, Keep&& keep) {
    for (int64_t w = 0; w * 64 < count; w++) {
        uint64_t left = rows[w];
        uint64_t kept = 0;
        while (left != 0) {
            const int bit = __builtin_ctzll(left);
            left &= left - 1;
            kept |= uint64_t{keep(w * 64 + bit)} << bit;
        }
        rows[w] = kept;
    }
}

}  // namespace trefoil::access
