// OrderedScan: the rows of a table in the order of one of its indexes (index_order.h).
//
// Runs of keys are each in order; they are merged, entry by entry, and each entry's row is found
// and read. Batches begin small and grow, so that a reader who stops after ten rows made little
// work. Changes that are not flushed yet have runs of keys too, and take part like the others.

#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "access/counters.h"
#include "access/index_order.h"
#include "access/source.h"
#include "table/table_version.h"

namespace trefoil::access {

struct OrderedScanSpec {
    table::TableVersionPtr table;
    std::vector<uint32_t> projection;  // may end in the row id column
    arrow::SchemaPtr output;
    std::vector<plan::Expr> filters;  // that the plan was made for
    IndexOrder plan;
    std::vector<OrderColumn> order;
    std::optional<uint64_t> limit;
    std::optional<uint64_t> wanted;  // about how many rows will be read
    bool for_join = false;           // the order is that of the keys of a merge join
    TableCountersPtr counters;
};

// Errors: 0A000 if a residual filter is not understood.
Result<std::shared_ptr<Leaf>> make_ordered_scan(OrderedScanSpec spec);

}  // namespace trefoil::access
