// Uniqueness: checking new rows against a table and against each other, in every unique index. A
// row with a NULL among the columns of an index is no duplicate there.

#pragma once

#include <memory>
#include <span>
#include <vector>

#include "index/key_run.h"
#include "storage/store.h"
#include "table/table_version.h"

namespace trefoil::table {

// 23505 with constraint and value, if a live row of `part` has the key of another of them, or of a
// live row of `table`.
Status check_unique(const TableVersion& table, const Part& part);

// The same for many parts at once, none of which is in `table` yet: their keys are merged, so that
// it takes one pass. The merged runs (row ids as in the parts, minus kPrivateRowId) come back for
// later use, one for each index of the table, whether it is unique or not. REQUIRES: no dead rows,
// private ids.
Result<ChunkKeys> check_unique_bulk(const TableVersion& table, std::span<const Part> parts);

// Merges the runs of several statements into one durable file for each index.
Result<ChunkKeys> write_staged_keys(Store& store, std::span<const ChunkKeys> statements);

}  // namespace trefoil::table
