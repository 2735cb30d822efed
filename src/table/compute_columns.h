// ComputeColumns: what the columns of a table that hold an expression hold in some rows.
// Expressions are SQL, so whoever opens the tables brings it.

#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "arrow/array.h"
#include "catalog/catalog.h"
#include "trefoil/status.h"

namespace trefoil::table {

// The values of `table`'s columns at the positions `wanted`, one for each of `rows`, in their
// order. `rows`, of which there are some, has the columns that these use, under their names.
// `cancel` may be null. Called by many threads at once. Errors: those of the expressions, without a
// position; 57014.
using ComputeColumns = std::function<Result<std::vector<arrow::Array>>(
    const catalog::TableDef& table, std::span<const uint32_t> wanted, const arrow::Batch& rows,
    const std::atomic<bool>* cancel)>;

}  // namespace trefoil::table
