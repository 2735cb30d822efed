// Covering: a query answered from the keys of one index, without its rows.
//
//     index on (department, age)
//     SELECT age WHERE department = 'Sales'               covered
//     SELECT count(*) WHERE department = 'Sales'          covered, and no key is read
//     SELECT age WHERE department = 'Sales' AND age <> 30 covered, the filter too
//     SELECT name WHERE department = 'Sales'              not: name is not in the index
//
// Keys hold all that their columns hold, but for REAL and DOUBLE (index/key_decoder.h), and unless
// they are hashes. They do not say whether their row lives, nor, once a key of the index has moved,
// whether it has the key still: rows are looked up for the former, and such an index covers nothing
// until REINDEX.

#pragma once

#include <optional>
#include <span>
#include <vector>

#include "access/stored_indexes.h"
#include "index/key.h"
#include "plan/expr.h"
#include "table/table_version.h"

namespace trefoil::access {

struct CoveringPlan {
    IndexPlan plan;                       // kScan
    std::vector<index::KeyRange> ranges;  // ascending, without overlaps
    std::vector<plan::Expr> used, residual;
    // Of rows in segments: every entry of the index is of a live row, each of another.
    bool all_live = false;
};

// The cheapest index that covers `projection` (columns of the table) and what must be filtered.
// REQUIRES: the filters must all hold, hold no parameters.
std::optional<CoveringPlan> choose_covering(const table::TableVersion& table,
                                            std::span<const plan::Expr> filters,
                                            std::span<const uint32_t> projection);

}  // namespace trefoil::access
