// Building the run of an index over rows that are there: CREATE INDEX, REINDEX.
//
//     parts ──► threads, each: keys of some rows, sorted ──► one merge ──► the run's file
//
// The sorted pieces wait in memory for the merge as far as the build's share of it goes; beyond
// that they are merged into scratch files first. The rows in memory get their keys with the
// definition (TableVersion::set_definition). Internal to the room.

#pragma once

#include <cstdint>
#include <span>

#include "index/key_run.h"
#include "storage/store.h"
#include "table/index_work.h"
#include "table/table_version.h"

namespace trefoil::table {

// All segments of a table.
std::vector<Part> segments_of(const TableVersion& table);

// A durable run of the keys that the live rows of these segments have in this index of the table;
// null if there are no rows. Errors: 53100, 53200, 57014, kCorruption.
Result<index::KeyRunPtr> build_run(Store& store, const TableVersion& table, size_t index,
                                   std::span<const Part> segments, const IndexWork& work);

// The keys of the rows that a transaction staged in files; row ids count from kPrivateRowId.
index::KeyRunPtr staged_entries(const TableVersion& table, size_t index);

}  // namespace trefoil::table
