// KeyConditions: which part of a filter an index answers.
//
//     id >= 100 AND id < 200 OR id = 500   ->   [100, 200), [500, 500]
//     tenant = 'a' AND at > $1             ->   ('a', t] ... everything of tenant a after t
//     name LIKE 'x%'                       ->   ['x', 'y') of an index on name; of one on id
//     nothing age IS NULL OR age < 3               ->   [NULL, NULL], [..., 3)
//
// Conditions become sets of intervals over the first key column: AND intersects them, OR unites
// them. If only single values remain, the second column narrows each of them, and so on. What the
// intervals say exactly need not be checked again; the rest is the residual filter, applied to the
// rows that were found.

#pragma once

#include <optional>
#include <span>
#include <vector>

#include "index/key_encoder.h"
#include "plan/expr.h"
#include "trefoil/custom_table.h"

namespace trefoil::access {

struct KeyConditions {
    std::vector<IndexRange> ranges;  // disjoint; empty: no row can match
    bool points = false;             // every range is one whole key without NULLs
    std::vector<bool> used;          // by filter: the ranges were made from it
    std::vector<bool> exact;         // by filter: the ranges say all that it says
};

// nullopt if an index on these columns does not help: no condition on the first of them; or, if its
// keys are hashes, not single values for all of them. That values may share a hash is not looked
// at.
// REQUIRES: `filters` must all hold, hold no parameters; NOT is pushed down as without_not does.
std::optional<KeyConditions> find_key_conditions(std::span<const plan::Expr> filters,
                                                 std::span<const uint32_t> columns,
                                                 const index::KeyEncoder& keys);

// The same range in the order of encoded keys.
index::KeyRange encode_range(const index::KeyEncoder& keys, const IndexRange& range);

// Ranges in ascending order, without overlaps: those that are disjoint in values may share a key
// (NULL's, or that of two zeros).
std::vector<index::KeyRange> in_order(std::vector<index::KeyRange> ranges);

// The same condition with NOT only before what has no opposite: NOT (a < 1 OR b = 2) becomes
// a >= 1 AND b <> 2. In three-valued logic, too, both are true for the same rows.
plan::Expr without_not(const plan::Expr& filter);

}  // namespace trefoil::access
