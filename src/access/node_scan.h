// NodeScan: reads a table from one end to the other, zone by zone.
//
// Zones that the zone maps rule out are not touched; filters run on the stored columns of a zone
// before any other column is read; what passes goes out as slices of the stored columns or, if it
// is little, picked together until it fills a batch. Partitions are runs of zones of equal number.
//
// Where a join tells which keys it has (row_probe.h), and looking them up in an index costs less
// than what is left to scan, the scan becomes lookups: an index nested-loop join, decided when the
// keys are there. Each partition looks for rows of its own zones.

#pragma once

#include <memory>

#include "access/counters.h"
#include "access/source.h"
#include "table/table_version.h"

namespace trefoil::access {

struct NodeScanSpec {
    table::TableVersionPtr table;
    std::vector<uint32_t> projection;  // may end in the row id column
    arrow::SchemaPtr output;
    std::vector<plan::Expr> filters;
    std::optional<uint64_t> limit;
    uint32_t partitions_max = 1;
    bool use_indexes = true;  // else none was thought of
    bool index_joins = true;  // keys of a join may be looked up
    Statistics statistics;    // of the output
    TableCountersPtr counters;
};

// Errors: 0A000 if a filter is not understood.
Result<std::shared_ptr<Leaf>> make_node_scan(NodeScanSpec spec);

}  // namespace trefoil::access
