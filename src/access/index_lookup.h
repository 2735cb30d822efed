// PointLookup, RangeLookup, IndexScan and RecordFetch: rows found through indexes.
//
// Two phases. First the places of the rows are found (index_plan.h, stored_indexes.h): the learned
// model of each run of keys predicts where a key is, the rows found are checked against the
// snapshot (deleted and newer rows never show), and sets of rows are intersected and united. Then
// the rows are fetched in the order in which they lie: what the keys did not answer is filtered,
// and the columns asked for are read, slices where rows lie side by side, picked otherwise; of many
// rows, each thread fetches a share. A limit counts rows that came through the filter.
//
//     PointLookup   whole keys of a unique index
//     RangeLookup   ranges of the primary key
//     IndexScan     another index
//     RecordFetch   several index scans combined

#pragma once

#include <memory>

#include "access/counters.h"
#include "access/index_plan.h"
#include "access/source.h"
#include "access/stored_indexes.h"
#include "table/table_version.h"

namespace trefoil::access {

struct IndexLookupSpec {
    table::TableVersionPtr table;
    std::vector<uint32_t> projection;  // may end in the row id column
    arrow::SchemaPtr output;
    std::vector<plan::Expr> filters;  // that the choice was made for
    IndexChoice choice;
    std::optional<uint64_t> limit;
    uint32_t partitions_max = 1;
    TableCountersPtr counters;
};

// Errors: 0A000 if a residual filter is not understood.
Result<std::shared_ptr<Leaf>> make_index_lookup(IndexLookupSpec spec);

}  // namespace trefoil::access
