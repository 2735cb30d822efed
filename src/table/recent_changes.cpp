// RecentChanges: remembering and forgetting.

#include "table/recent_changes.h"

#include <algorithm>
#include <mutex>

namespace trefoil::table {
namespace {

constexpr size_t kBulkRows = 1000;
constexpr size_t kCleanAt = 100'000;

}  // namespace

RecentChanges::RecentChanges() : clean_at_(kCleanAt) {}

void RecentChanges::add(uint32_t table, std::span<const uint64_t> rows, uint64_t xid) {
    if (rows.empty()) return;
    std::unique_lock lock(mutex_);
    Table& t = tables_[table];
    t.newest = xid;
    if (rows.size() < kBulkRows) {
        for (uint64_t row : rows) t.rows[row] = xid;
        count_ += rows.size();
        return;
    }
    std::vector<uint64_t> list(rows.begin(), rows.end());
    if (!std::is_sorted(list.begin(), list.end())) std::sort(list.begin(), list.end());
    t.bulks.push_back({xid, RowIds::listed(std::move(list))});
    count_++;
}

std::optional<uint64_t> RecentChanges::find(uint32_t table, std::span<const uint64_t> rows,
                                            uint64_t xid) const {
    std::shared_lock lock(mutex_);
    auto found = tables_.find(table);
    if (found == tables_.end() || found->second.newest <= xid) return std::nullopt;
    const Table& t = found->second;
    for (uint64_t row : rows) {
        auto changed = t.rows.find(row);
        if (changed != t.rows.end() && changed->second > xid) return row;
        for (size_t i = t.bulks.size(); i > 0 && t.bulks[i - 1].xid > xid; i--) {
            if (t.bulks[i - 1].rows.find(row)) return row;
        }
    }
    return std::nullopt;
}

void RecentChanges::forget(uint64_t xid) {
    std::unique_lock lock(mutex_);
    if (count_ < clean_at_) return;
    count_ = 0;
    for (auto& [id, t] : tables_) {
        std::erase_if(t.rows, [&](const auto& entry) { return entry.second <= xid; });
        std::erase_if(t.bulks, [&](const Bulk& b) { return b.xid <= xid; });
        count_ += t.rows.size() + t.bulks.size();
    }
    // While an old transaction stays open, little can be forgotten: then look less often.
    clean_at_ = std::max(kCleanAt, 2 * count_);
}

}  // namespace trefoil::table
