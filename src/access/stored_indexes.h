// StoredIndexes: the indexes of one snapshot of a stored table, for the planner, and the rows that
// its plan finds.
//
// How many entries a scan would read is known, not guessed: two searches in each run of keys. Rows
// are found as places (part, row), kept as sorted spans: these intersect and unite in one pass and
// are the order in which rows are best fetched.

#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "access/index_plan.h"
#include "access/source.h"
#include "table/table_version.h"

namespace trefoil::access {

// What a plan did when it ran.
struct IndexScanCounts {
    index::IndexCounters searches;
    uint64_t keys = 0;            // keys and ranges asked for
    std::vector<uint64_t> found;  // by index: rows that its scans found, before they were combined
};

class StoredIndexes final : public IndexSource {
public:
    // `table` must outlive this.
    explicit StoredIndexes(const table::TableVersion& table) : table_(table) {}

    size_t index_count() const override { return table_.index_count(); }
    std::string index_name(size_t index) const override;
    std::string limit_of(size_t index) const override;
    double rows() const override { return static_cast<double>(table_.live_rows()); }
    std::optional<PlannedIndexes> plan_scan(size_t index,
                                            std::span<const plan::Expr> filters) const override;
    double scan_cost(std::span<const plan::Expr> filters) const override;

    // Whether the plan looks whole keys of a unique index up.
    bool is_lookup(const IndexPlan& plan) const {
        return plan.kind == IndexPlan::Kind::kScan && plan.points &&
               table_.index_def(plan.index).unique;
    }
    // Where the rows are: normalised, so in the order in which they are best fetched.
    // Errors: 57014 if cancelled, kCorruption.
    Result<std::vector<table::RowSpan>> find_rows(const IndexPlan& plan, const CancelFlag* cancel,
                                                  IndexScanCounts* counts) const;

private:
    void mark_implied(const catalog::IndexDef& index, std::span<const plan::Expr> filters,
                      PlannedIndexes* plan) const;

    const table::TableVersion& table_;
};

}  // namespace trefoil::access
