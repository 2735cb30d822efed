// CustomIndexes: the indexes of a program's table, for the planner, and the keys that a plan
// finds.
//
// The sets that are intersected and united are sorted lists of encoded keys, so a key may be of any
// type and of any number of columns. Beside each stands where its columns are, to hand them back.

#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "access/custom_def.h"
#include "access/index_plan.h"
#include "access/source.h"

namespace trefoil::access {

// Keys in ascending order, each once.
struct FoundKeys {
    struct Entry {
        index::Key key;
        uint32_t batch = 0, row = 0;  // in `batches`
    };
    std::vector<Entry> entries;
    std::vector<arrow::Batch> batches;  // of key columns

    // The columns of keys [begin, end). REQUIRES: begin < end.
    arrow::Batch columns(const arrow::SchemaPtr& schema, size_t begin, size_t end) const;
};

// What each index did when a plan ran.
struct CustomScanCounts {
    uint64_t requests = 0;        // ranges and conditions asked for
    std::vector<uint64_t> found;  // by index: keys that it yielded, before they were combined
};

class CustomIndexes final : public IndexSource {
public:
    // `table` must outlive this.
    explicit CustomIndexes(const CustomTableDef& table);

    size_t index_count() const override { return table_.indexes.size(); }
    std::string index_name(size_t index) const override { return table_.indexes[index].name; }
    double rows() const override { return rows_; }
    std::optional<PlannedIndexes> plan_scan(size_t index,
                                            std::span<const plan::Expr> filters) const override;
    double scan_cost(std::span<const plan::Expr>) const override { return rows_; }
    // What the table's code did wrong while it was asked for estimates.
    const Status& status() const { return status_; }

    // Errors: 57014 if cancelled, those of the indexes, and of what they yield.
    Result<FoundKeys> find_keys(const IndexPlan& plan, const CancelFlag* cancel,
                                CustomScanCounts* counts) const;

private:
    std::optional<PlannedIndexes> plan_ranges(size_t index,
                                              std::span<const plan::Expr> filters) const;
    std::optional<PlannedIndexes> plan_conditions(size_t index,
                                                  std::span<const plan::Expr> filters) const;
    std::optional<PlannedIndexes> priced(PlannedIndexes plan) const;

    const CustomTableDef& table_;
    double rows_ = 0;
    double fetch_cost_ = 1;
    mutable Status status_;
};

}  // namespace trefoil::access
