// PointLookup and RangeLookup: rows found through the primary index.
//
// The learned model of each run of keys predicts where a key is, the rows found are checked against
// the snapshot (deleted and newer rows never show), what the key did not answer is filtered, and
// the columns asked for are read: slices where rows lie side by side, picked otherwise.

#pragma once

#include <memory>

#include "access/counters.h"
#include "access/key_conditions.h"
#include "access/source.h"
#include "table/table_version.h"

namespace trefoil::access {

struct KeyLookupSpec {
    table::TableVersionPtr table;
    std::vector<uint32_t> projection;  // may end in the row id column
    arrow::SchemaPtr output;
    KeyConditions conditions;
    std::optional<uint64_t> limit;
    TableCountersPtr counters;
};

// Errors: 0A000 if a residual filter is not understood.
Result<std::shared_ptr<Leaf>> make_key_lookup(KeyLookupSpec spec);

}  // namespace trefoil::access
