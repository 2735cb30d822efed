// KeyMerge: the entries of an index in key order, over all its runs.
//
// A row whose key was updated may stand in a run under its old key, and a row may stand in several
// runs under the same: only what the row says now counts, and it comes once.

#pragma once

#include <optional>
#include <span>
#include <vector>

#include "access/index_order.h"
#include "index/key_run.h"
#include "table/table_version.h"

namespace trefoil::access {

class KeyMerge {
public:
    // `table` must outlive it.
    KeyMerge(const table::TableVersion& table, size_t index, bool backward)
        : table_(table), index_(index), backward_(backward) {}

    // Begins with a range.
    void seek(const OrderedRange& range, index::IndexCounters* counters);
    // The place of the next live row; nullopt at the end of the range. Errors: kCorruption.
    Result<std::optional<table::Location>> next();
    // How many entries were looked at.
    uint64_t entries() const { return entries_; }

private:
    // What is left of one run.
    struct Cursor {
        const index::KeyRun* run;
        uint64_t row_id_base;
        std::optional<uint32_t> delta_part;  // the part whose rows it names; nullopt: row ids
        index::Positions left;
        uint64_t at = 0;  // the entry that comes next
        uint64_t integer = 0;
        Bytes bytes;  // its key, by the shape
    };

    void add(Cursor cursor);
    void load(Cursor* cursor) const;
    bool comes_later(const Cursor& a, const Cursor& b) const;
    Result<std::optional<table::Location>> row_of(const Cursor& cursor);

    const table::TableVersion& table_;
    size_t index_;
    bool backward_;
    OrderedRange::Rows rows_ = OrderedRange::Rows::kAll;
    std::vector<Cursor> heap_;  // the one that comes next is at the front
    uint64_t entries_ = 0;
    // The last entry of a segment's run: the same may come again from another run.
    std::optional<Cursor> last_;
};

}  // namespace trefoil::access
