// Rows by their places, in any order: read part by part, put together in the order asked for.

#pragma once

#include <span>

#include "access/row_reader.h"
#include "table/table_version.h"

namespace trefoil::access {

// Those of the rows at `places` that pass the reader's filter, in the order of the places, which
// may repeat. May be empty.
Result<arrow::Batch> fetch_rows(const RowReader& reader, const table::TableVersion& table,
                                std::span<const table::Location> places);

}  // namespace trefoil::access
