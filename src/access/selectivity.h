// Selectivity: which share of a table's rows a condition lets through, as far as the statistics
// tell.
//
//     =          a common value has its own share; the others share the rest evenly
//     < > range  from the quantiles, or evenly between the least and the greatest value
//     AND        as if independent, but for ranges over one column, which are taken together
//
// A guess for the planner: it decides how a query runs, never what it answers.

#pragma once

#include <span>

#include "plan/expr.h"
#include "table/statistics.h"

namespace trefoil::access {

// Between 0 and 1. Parts that are not understood, and parameters, count as a usual condition does.
double selectivity(const plan::Expr& condition, const table::TableStatistics& table);
// That all hold.
double selectivity(std::span<const plan::Expr> conditions, const table::TableStatistics& table);

// Different values among `rows` rows, of `all_rows` rows with `distinct` different ones.
double distinct_among(double rows, double all_rows, double distinct);

}  // namespace trefoil::access
