// IndexOnlyScan: rows answered from the keys of an index (covering.h).
//
// Entries of all runs that lie in the ranges are taken one after the other; those of dead rows are
// passed over, and where a row stands in two runs, because it was updated, it comes once. The
// columns that are wanted are decoded from the keys; where none are, live entries are counted, and
// if all are known to live, subtracted.

#pragma once

#include <memory>

#include "access/counters.h"
#include "access/covering.h"
#include "access/source.h"
#include "table/table_version.h"

namespace trefoil::access {

struct IndexOnlyScanSpec {
    table::TableVersionPtr table;
    std::vector<uint32_t> projection;
    arrow::SchemaPtr output;
    std::vector<plan::Expr> filters;  // that the plan was made for
    CoveringPlan plan;
    std::optional<uint64_t> limit;
    uint32_t partitions_max = 1;
    TableCountersPtr counters;
};

// Errors: 0A000 if a residual filter is not understood.
Result<std::shared_ptr<Leaf>> make_index_only_scan(IndexOnlyScanSpec spec);

}  // namespace trefoil::access
