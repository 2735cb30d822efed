// RowIds: which row ids the rows of a chunk have, in ascending order.
//
// Rows that arrived together are dense (first, first + 1, ...), which needs no array. Rows that
// were updated keep their ids while they move to another chunk, so there the ids are listed.

#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/check.h"

namespace trefoil::table {

class RowIds {
public:
    RowIds() = default;

    static RowIds dense(uint64_t first, uint64_t count) {
        RowIds ids;
        ids.first_ = first;
        ids.count_ = count;
        return ids;
    }

    // REQUIRES: strictly ascending. `owner` keeps the ids alive.
    static RowIds listed(std::span<const uint64_t> list, std::shared_ptr<const void> owner) {
        if (list.empty()) return {};
        if (list.back() - list.front() + 1 == list.size()) return dense(list[0], list.size());
        RowIds ids;
        ids.list_ = list.data();
        ids.first_ = list.front();
        ids.count_ = list.size();
        ids.owner_ = std::move(owner);
        return ids;
    }
    static RowIds listed(std::vector<uint64_t> list) {
        auto held = std::make_shared<const std::vector<uint64_t>>(std::move(list));
        return listed(*held, held);
    }

    uint64_t count() const { return count_; }
    bool is_dense() const { return list_ == nullptr; }
    uint64_t first() const { return first_; }
    uint64_t last() const { return at(count_ - 1); }  // REQUIRES: count() > 0
    uint64_t at(uint64_t row) const { return list_ ? list_[row] : first_ + row; }

    // Where row id `id` is, if it is here.
    std::optional<uint32_t> find(uint64_t id) const {
        if (count_ == 0 || id < first_) return std::nullopt;
        if (!list_) {
            if (id - first_ >= count_) return std::nullopt;
            return static_cast<uint32_t>(id - first_);
        }
        const uint64_t* end = list_ + count_;
        const uint64_t* at = std::lower_bound(list_, end, id);
        if (at == end || *at != id) return std::nullopt;
        return static_cast<uint32_t>(at - list_);
    }

    // The first row whose id is at least `id`; count() if there is none.
    uint32_t lower_bound(uint64_t id) const {
        if (id <= first_) return 0;
        if (!list_) return static_cast<uint32_t>(std::min(id - first_, count_));
        return static_cast<uint32_t>(std::lower_bound(list_, list_ + count_, id) - list_);
    }

    // The listed ids. REQUIRES: !is_dense().
    std::span<const uint64_t> list() const { return {list_, count_}; }

private:
    const uint64_t* list_ = nullptr;
    uint64_t first_ = 0;
    uint64_t count_ = 0;
    std::shared_ptr<const void> owner_;
};

}  // namespace trefoil::table
