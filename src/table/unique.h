// Uniqueness of the primary key: checking new rows against a table and against each other.

#pragma once

#include <memory>
#include <span>
#include <vector>

#include "index/key_run.h"
#include "storage/store.h"
#include "table/table_version.h"

namespace trefoil::table {

// 23505 with constraint and value, if a live row of `part` has the key of another of them, or of a
// live row of `table`. Ok for a table without a key.
Status check_unique(const TableVersion& table, const Part& part);

// The same for many parts at once, none of which is in `table` yet: their keys are merged, so that
// it takes one pass. The merged run (row ids as in the parts, minus kPrivateRowId) comes back for
// later use; null for a table without a key. REQUIRES: no dead rows, private ids.
Result<std::shared_ptr<const index::KeyRun>> check_unique_bulk(const TableVersion& table,
                                                               std::span<const Part> parts);

// Merges the runs of several statements into one durable file.
Result<std::shared_ptr<const index::KeyRun>> write_staged_keys(
    Store& store, std::span<const std::shared_ptr<const index::KeyRun>> runs);

}  // namespace trefoil::table
