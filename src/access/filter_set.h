// KeySet, TextSet: what IN looks values up in.
//
// Keys that lie close together are a bitmap, others an open hash table. Keys are kept sorted too: a
// zone map asks whether any of them lies between two bounds.

#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/hash.h"

namespace trefoil::access {

inline uint64_t hash_key(int64_t key) {
    return hash_u64(static_cast<uint64_t>(key));
}
inline uint64_t hash_key(__int128 key) {
    return hash_combine(hash_u64(static_cast<uint64_t>(key)), static_cast<uint64_t>(key >> 64));
}

template <typename Key>
class KeySet {
public:
    // REQUIRES: not empty.
    explicit KeySet(std::vector<Key> keys) : sorted_(std::move(keys)) {
        std::sort(sorted_.begin(), sorted_.end());
        sorted_.erase(std::unique(sorted_.begin(), sorted_.end()), sorted_.end());
        low_ = sorted_.front();
        span_ = distance(sorted_.back());
        if (span_ < kBitmapSpanMax) {
            bitmap_.resize(static_cast<size_t>(span_ / 64 + 1));
            for (Key k : sorted_) {
                const auto d = static_cast<size_t>(distance(k));
                bitmap_[d / 64] |= uint64_t{1} << (d % 64);
            }
        } else {
            build_table();
        }
    }

    bool contains(Key key) const {
        if (!bitmap_.empty()) {
            const Distance d = distance(key);
            return d <= span_ && (bitmap_[static_cast<size_t>(d / 64)] >> (d % 64) & 1);
        }
        for (uint64_t i = hash_key(key) & mask_;; i = (i + 1) & mask_) {
            if (table_[i] == key) return key != free_;
            if (table_[i] == free_) return false;
        }
    }

    // True if some key lies in [low, high].
    bool any_within(Key low, Key high) const {
        auto at = std::lower_bound(sorted_.begin(), sorted_.end(), low);
        return at != sorted_.end() && *at <= high;
    }

private:
    static constexpr uint64_t kBitmapSpanMax = 1 << 16;

    using Distance = std::conditional_t<sizeof(Key) == 16, unsigned __int128, uint64_t>;

    // From the lowest key; of a smaller one, more than any key's.
    Distance distance(Key key) const {
        return static_cast<Distance>(key) - static_cast<Distance>(low_);
    }

    void build_table() {
        size_t size = 16;
        while (size < sorted_.size() * 4) size *= 2;
        mask_ = size - 1;
        // Some value that is not a key marks free places: the first gap.
        free_ = 0;
        while (std::binary_search(sorted_.begin(), sorted_.end(), free_)) free_++;
        table_.assign(size, free_);
        for (Key k : sorted_) {
            uint64_t i = hash_key(k) & mask_;
            while (table_[i] != free_) i = (i + 1) & mask_;
            table_[i] = k;
        }
    }

    std::vector<Key> sorted_;
    std::vector<uint64_t> bitmap_;
    std::vector<Key> table_;
    Key low_ = 0, free_ = 0;
    Distance span_ = 0;
    uint64_t mask_ = 0;
};

class TextSet {
public:
    // REQUIRES: not empty.
    explicit TextSet(std::vector<std::string> texts) : sorted_(std::move(texts)) {
        std::sort(sorted_.begin(), sorted_.end());
        sorted_.erase(std::unique(sorted_.begin(), sorted_.end()), sorted_.end());
        size_t size = 16;
        while (size < sorted_.size() * 2) size *= 2;
        table_.assign(size, kFree);
        for (uint32_t n = 0; n < sorted_.size(); n++) {
            uint64_t i = hash_bytes(sorted_[n]) & (size - 1);
            while (table_[i] != kFree) i = (i + 1) & (size - 1);
            table_[i] = n;
        }
    }

    bool contains(std::string_view text) const {
        const uint64_t mask = table_.size() - 1;
        for (uint64_t i = hash_bytes(text) & mask; table_[i] != kFree; i = (i + 1) & mask) {
            if (sorted_[table_[i]] == text) return true;
        }
        return false;
    }

    // True if some text lies in [low, high].
    bool any_within(std::string_view low, std::string_view high) const {
        auto at = std::lower_bound(sorted_.begin(), sorted_.end(), low);
        return at != sorted_.end() && *at <= high;
    }

private:
    static constexpr uint32_t kFree = UINT32_MAX;
    std::vector<std::string> sorted_;
    std::vector<uint32_t> table_;
};

}  // namespace trefoil::access
