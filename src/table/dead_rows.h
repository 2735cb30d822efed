// DeadRows: which rows of a chunk are deleted or replaced, as an immutable bitmap.
//
// Every commit that kills rows of a chunk makes a new bitmap (16 KiB for a full segment); older
// versions of the table keep theirs. A chunk without dead rows has none (a null pointer).

#pragma once

#include <bit>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/bytes.h"

namespace trefoil::table {

class DeadRows {
public:
    explicit DeadRows(uint64_t rows) : words_((rows + 63) / 64) {}
    explicit DeadRows(std::vector<uint64_t> words) : words_(std::move(words)) {
        for (uint64_t w : words_) count_ += static_cast<uint64_t>(std::popcount(w));
    }

    bool contains(uint64_t row) const { return (words_[row >> 6] >> (row & 63)) & 1; }
    uint64_t count() const { return count_; }
    std::span<const uint64_t> words() const { return words_; }

    // False if it was in already.
    bool insert(uint64_t row) {
        uint64_t bit = uint64_t{1} << (row & 63);
        if (words_[row >> 6] & bit) return false;
        words_[row >> 6] |= bit;
        count_++;
        return true;
    }

    // True if any row of [begin, end) is dead.
    bool any_in(uint64_t begin, uint64_t end) const {
        for (uint64_t row = begin; row < end;) {
            if ((row & 63) == 0 && row + 64 <= end) {
                if (words_[row >> 6]) return true;
                row += 64;
            } else {
                if (contains(row)) return true;
                row++;
            }
        }
        return false;
    }

private:
    std::vector<uint64_t> words_;
    uint64_t count_ = 0;
};

using DeadRowsPtr = std::shared_ptr<const DeadRows>;

}  // namespace trefoil::table
