// Duplicates in a unique index that is being made. (New rows of an index that is there: unique.h.)
//
// Internal to the room.

#pragma once

#include <functional>
#include <span>

#include "table/index_work.h"
#include "table/table_version.h"

namespace trefoil::table {

// All of these: 23505, with the value, if two live rows have the same key and no NULL in it.

// Among all rows of the table. REQUIRES: the index was built over them just now.
Status check_no_duplicates(const TableVersion& table, size_t index, const IndexWork& work);

// Between one of these entries and any other row. `row_id_of` answers the row of an entry of
// `keys`; rows in `leaving` (sorted) do not count.
using RowIdOf = std::function<uint64_t(uint64_t position)>;
Status check_entries(const TableVersion& table, size_t index, const index::KeyRun& keys,
                     const RowIdOf& row_id_of, std::span<const uint64_t> leaving,
                     const IndexWork& work);

}  // namespace trefoil::table
