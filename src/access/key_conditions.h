// KeyConditions: which part of a filter the primary index answers.
//
//     id >= 100 AND id < 200 OR id = 500   ->   [100, 200), [500, 500]
//     tenant = 'a' AND at > $1             ->   ('a', t] ... everything of tenant a after t
//     name LIKE 'x%'                       ->   nothing: the index is on id
//
// Conditions become sets of intervals over the first key column: AND intersects them, OR unites
// them. If only single values remain, the second column narrows each of them, and so on. What the
// intervals say exactly need not be checked again; the rest is the residual filter, applied to the
// rows that were found.

#pragma once

#include <optional>
#include <span>
#include <vector>

#include "catalog/catalog.h"
#include "index/key_encoder.h"
#include "plan/expr.h"

namespace trefoil::access {

struct KeyConditions {
    std::vector<index::KeyRange> ranges;  // disjoint; empty: no row can match
    bool points = false;                  // every range is one whole key
    std::vector<plan::Expr> used;         // what the ranges were made from
    std::vector<plan::Expr> residual;     // what must be checked on each row found
};

// nullopt if the primary index does not help: no key, or no condition on its first column.
// REQUIRES: `filters` must all hold, hold no parameters.
std::optional<KeyConditions> find_key_conditions(std::span<const plan::Expr> filters,
                                                 const catalog::TableDef& table,
                                                 const index::KeyEncoder& keys);

}  // namespace trefoil::access
