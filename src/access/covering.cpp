// Covering: which index covers, and what that costs.

#include "access/covering.h"

#include <algorithm>
#include <set>

#include "access/index_cost.h"
#include "access/key_conditions.h"
#include "index/key_decoder.h"

namespace trefoil::access {
namespace {

using plan::Expr;
using table::TableVersion;

// Whether the index has the column in a form that can be read back.
bool has_column(const TableVersion& table, size_t index, uint32_t column) {
    const auto& columns = table.index_def(index).columns;
    auto at = std::find(columns.begin(), columns.end(), column);
    return at != columns.end() &&
           index::KeyDecoder::can_decode(
               table.encoder(index).types()[static_cast<size_t>(at - columns.begin())]);
}

void add_columns(const Expr& e, std::set<uint32_t>* columns) {
    if (e.kind == Expr::Kind::kColumn) columns->insert(e.index);
    for (const Expr& child : e.children) add_columns(child, columns);
}

// The segments hold no dead row, and the runs as many entries as these have rows: since each row
// has an entry, each has one, and there are no others.
bool all_entries_live(const TableVersion& table, size_t index) {
    if (!table.patches().empty() || table.index_def(index).is_partial()) return false;
    uint64_t rows = 0, entries = 0;
    for (const table::Part& p : table.base()) {
        if (p.dead) return false;
        rows += p.chunk->rows();
    }
    for (const table::RunPart& r : table.runs(index)) entries += r.run->size();
    return rows == entries;
}

double entry_cost(const TableVersion& table, const CoveringPlan& plan,
                  const std::set<uint32_t>& columns) {
    const size_t index = plan.plan.index;
    double cost = 0;
    if (!plan.all_live) cost = kLiveCost + (table.runs(index).size() > 1 ? kSeenCost : 0);
    if (columns.empty()) return cost;
    if (table.encoder(index).shape() == index::KeyShape::kInteger) return cost + kIntegerKeyCost;
    cost += kBytesKeyCost;
    for (uint32_t c : columns) {
        cost += table.def().columns[c].type.is_view() ? kKeyTextCost : kKeyPartCost;
    }
    return cost;
}

}  // namespace

std::optional<CoveringPlan> choose_covering(const TableVersion& table,
                                            std::span<const Expr> filters,
                                            std::span<const uint32_t> projection) {
    std::vector<Expr> conditions;
    for (const Expr& f : filters) plan::flatten_and(without_not(f), &conditions);
    const StoredIndexes indexes(table);
    std::optional<CoveringPlan> best;
    for (size_t i = 0; i < table.index_count(); i++) {
        // Rows mostly lie in the order of the primary key: slices of columns cost less than keys.
        if (table.index_def(i).is_primary || table.index_def(i).is_hash) continue;
        auto has = [&](uint32_t column) { return has_column(table, i, column); };
        if (table.keys_moved(i) || !std::all_of(projection.begin(), projection.end(), has)) {
            continue;
        }
        auto scan = indexes.plan_scan(i, conditions);
        if (!scan || indexes.is_lookup(scan->plan)) continue;
        CoveringPlan one{std::move(scan->plan), {}, {}, {}, all_entries_live(table, i)};
        std::set<uint32_t> columns(projection.begin(), projection.end());
        for (size_t f = 0; f < conditions.size(); f++) {
            if (scan->used[f]) one.used.push_back(conditions[f]);
            if (scan->exact[f]) continue;
            add_columns(conditions[f], &columns);
            one.residual.push_back(conditions[f]);
        }
        if (!std::all_of(columns.begin(), columns.end(), has)) continue;
        const auto ranges = static_cast<double>(one.plan.request.ranges.size());
        one.plan.finding = ranges * kRangeCost;
        one.plan.fetching = one.plan.rows * entry_cost(table, one, columns);
        const double cost = one.plan.finding + one.plan.fetching;
        if (best && best->plan.finding + best->plan.fetching <= cost) continue;
        best = std::move(one);
    }
    if (!best) return best;
    const index::KeyEncoder& keys = table.encoder(best->plan.index);
    for (const IndexRange& range : best->plan.request.ranges) {
        best->ranges.push_back(encode_range(keys, range));
    }
    best->ranges = in_order(std::move(best->ranges));
    return best;
}

}  // namespace trefoil::access
