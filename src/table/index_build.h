// Building an index over rows that are there: CREATE INDEX, REINDEX.
//
// The rows in memory get their keys with the definition (TableVersion::set_definition); those in
// segments get a run here. Internal to the room.

#pragma once

#include <cstdint>
#include <set>

#include "index/key_run.h"
#include "storage/store.h"
#include "table/table_version.h"

namespace trefoil::table {

// A durable run of the keys that the live rows in segments have in this index; null if there are no
// rows. Segments in `skip` are left out. Errors: 53100, kCorruption.
Result<index::KeyRunPtr> build_run(Store& store, const TableVersion& table, size_t index,
                                   const std::set<uint64_t>& skip);

// The keys of the rows that a transaction staged in files; row ids count from kPrivateRowId.
index::KeyRunPtr staged_entries(const TableVersion& table, size_t index);

// 23505, with the value, if two live rows have the same key and no NULL in it.
Status check_no_duplicates(const TableVersion& table, size_t index);

}  // namespace trefoil::table
