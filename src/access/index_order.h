// IndexOrder: ORDER BY answered by an index, without a sort.
//
//     ORDER BY id LIMIT 10                            the primary key, ten entries of it
//     WHERE tenant = 'a' ORDER BY at DESC LIMIT 10    an index on (tenant, at), backwards
//     ORDER BY age NULLS FIRST                        an index on age: its NULLs, then the rest
//
// A column that a condition holds to one value plays no part in the order. The others must be the
// next columns of the index, all of them in the direction in which its keys have them (ascending,
// NULLs last, unless CREATE INDEX said otherwise) or all of them in the other. Of the first of them
// NULLs may stand at either end, because they are a range of their own.
//
// Whether it pays depends on how many rows are wanted: each costs a search for its place and a read
// out of turn, where a scan reads in turn and sorts. Conditions that the ranges do not answer are
// checked on each row, so a filter that keeps few rows makes many entries be read for nothing.

#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "access/source.h"
#include "index/key.h"
#include "table/table_version.h"

namespace trefoil::access {

// Entries of an index. The greatest value of a column may share its key with NULL; then the rows
// say which is which.
struct OrderedRange {
    enum class Rows : uint8_t { kAll, kValues, kNulls };
    index::KeyRange keys;
    Rows rows = Rows::kAll;
};

struct IndexOrder {
    size_t index = 0;
    bool backward = false;             // each range from its end to its beginning
    std::vector<OrderedRange> ranges;  // in the order in which they are read
    std::vector<plan::Expr> used;      // the conditions that the ranges were made from
    std::vector<plan::Expr> residual;  // what must be checked on each row
    double rows = 0;                   // that will come out: an estimate
    double cost = 0;
    double sort_cost = 0;  // of what it replaces
};

// The cheapest such index, if it is cheaper than sorting. `wanted`: how many rows will be read.
// REQUIRES: the filters must all hold, hold no parameters.
std::optional<IndexOrder> choose_index_order(const table::TableVersion& table,
                                             std::span<const plan::Expr> filters,
                                             std::span<const OrderColumn> order,
                                             std::optional<uint64_t> wanted);

// Why each index but `taken` does not give the order, a line for each; as rejected_indexes.
std::vector<std::string> rejected_orders(const table::TableVersion& table,
                                         std::span<const plan::Expr> filters,
                                         std::span<const OrderColumn> order,
                                         std::optional<uint64_t> wanted, const IndexOrder& taken);

}  // namespace trefoil::access
