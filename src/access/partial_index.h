// Partial indexes: which queries may use them.
//
//     CREATE INDEX ON job (at) WHERE state = 'open' AND tries < 10
//     ... WHERE state = 'open' AND tries IN (1, 2) AND at > $1       may
//     ... WHERE state = 'open' AND at > $1                           may not: rows are missing
//
// A query may if its conditions imply each condition of the index: it is among them, or those over
// its column leave no other values. Both are read as intervals of keys, by find_key_conditions.

#pragma once

#include <span>
#include <string>
#include <vector>

#include "catalog/catalog.h"
#include "plan/expr.h"
#include "trefoil/status.h"

namespace trefoil::access {

// Conditions over the columns of `table` as catalog::IndexDef::conditions keeps them.
std::string encode_conditions(const catalog::TableDef& table,
                              std::span<const plan::Expr> conditions);

// The conditions of an index; none if it is not partial. Errors: kCorruption.
Result<std::vector<plan::Expr>> conditions_of(const catalog::TableDef& table,
                                              const catalog::IndexDef& index);

// Whether rows for which all of `known` are true satisfy `wanted`; false if that cannot be told.
// REQUIRES: no parameters; NOT is pushed down as without_not() does.
bool implies(std::span<const plan::Expr> known, const plan::Expr& wanted,
             const catalog::TableDef& table);

// Whether the index holds all rows that satisfy `filters`: always, unless it is partial.
bool holds_all(const catalog::IndexDef& index, std::span<const plan::Expr> filters,
               const catalog::TableDef& table);

}  // namespace trefoil::access
