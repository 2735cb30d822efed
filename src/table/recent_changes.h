// RecentChanges: which rows were changed or deleted by which commit, as long as a transaction is
// open that began before it and might change them, too.
//
// A few rows are remembered one by one; many rows of one commit as a sorted list.
//
// Threads: everything may be called by many at once. Tested by lock_manager_test.cpp.

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <shared_mutex>
#include <span>
#include <unordered_map>
#include <vector>

#include "table/row_ids.h"

namespace trefoil::table {

class RecentChanges {
public:
    RecentChanges();

    // REQUIRES: `xid` is not below that of an earlier call.
    void add(uint32_t table, std::span<const uint64_t> rows, uint64_t xid);
    // The first of the rows that was changed by a commit after `xid`.
    std::optional<uint64_t> find(uint32_t table, std::span<const uint64_t> rows,
                                 uint64_t xid) const;
    // Forgets what was changed by commits up to `xid`, if much has come together.
    void forget(uint64_t xid);

private:
    struct Bulk {
        uint64_t xid;
        RowIds rows;
    };
    struct Table {
        std::unordered_map<uint64_t, uint64_t> rows;  // row id -> xid of its last change
        std::vector<Bulk> bulks;                      // by xid
        uint64_t newest = 0;
    };
    mutable std::shared_mutex mutex_;
    std::map<uint32_t, Table> tables_;
    size_t count_ = 0, clean_at_;
};

}  // namespace trefoil::table
