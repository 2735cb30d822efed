// IndexOrder: which index has the order, the pieces in which it is read, and what that costs.

#include "access/index_order.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "access/index_cost.h"
#include "access/index_plan.h"
#include "access/key_conditions.h"
#include "access/partial_index.h"
#include "access/selectivity.h"
#include "access/stored_indexes.h"
#include "base/key_coding.h"

namespace trefoil::access {
namespace {

using index::Key;
using index::KeyEncoder;
using index::KeyRange;
using plan::CompareOp;
using plan::Expr;
using table::TableVersion;
using Rows = OrderedRange::Rows;

// What a sort costs, in the units of index_cost.h: to begin one, for each row that it compares with
// the best so far, and for each row and halving if it sorts all.
constexpr double kSortStart = 20'000;
constexpr double kTopRow = 4;
constexpr double kSortStep = 8;
// Each column of a row that is read out of turn, beyond the first.
constexpr double kColumnCost = 10;

// Columns that conditions hold to one value.
std::map<uint32_t, Value> constants_of(std::span<const Expr> filters) {
    std::map<uint32_t, Value> constants;
    for (const Expr& f : filters) {
        if (f.kind != Expr::Kind::kCompare || f.op != CompareOp::kEqual) continue;
        const Expr &a = f.children[0], &b = f.children[1];
        const Expr& column = a.kind == Expr::Kind::kColumn ? a : b;
        const Expr& literal = a.kind == Expr::Kind::kColumn ? b : a;
        if (column.kind != Expr::Kind::kColumn || literal.kind != Expr::Kind::kLiteral) continue;
        if (!literal.value.is_null()) constants.emplace(column.index, literal.value);
    }
    return constants;
}

// How an index has an order.
struct Match {
    size_t index = 0;
    bool backward = false;
    std::vector<Value> prefix;  // of the key: columns held to one value
    // NULLs of the column after the prefix are read apart, before or after the others.
    bool splits_nulls = false;
    bool nulls_first = false;
};

class Matcher {
public:
    Matcher(const TableVersion& table, std::span<const Expr> filters,
            std::span<const OrderColumn> order)
        : table_(table), constants_(constants_of(filters)) {
        for (const OrderColumn& o : order) {
            const bool known = std::any_of(order_.begin(), order_.end(),
                                           [&](const auto& k) { return k.column == o.column; });
            if (!known && !constants_.contains(o.column)) order_.push_back(o);
        }
    }

    // nullopt if the index does not have the order.
    std::optional<Match> match(size_t index) const {
        const catalog::IndexDef& def = table_.index_def(index);
        const KeyEncoder& keys = table_.encoder(index);
        if (def.is_hash) return std::nullopt;
        Match out{index, false, {}, false, false};
        size_t matched = 0;
        for (size_t part = 0; part < def.columns.size() && matched < order_.size(); part++) {
            const uint32_t column = def.columns[part];
            if (column != order_[matched].column) {
                // Skipped if it is held to one value of the column's own type.
                auto constant = constants_.find(column);
                if (constant == constants_.end()) return std::nullopt;
                auto value = keys.convert(constant->second, part);
                if (value.kind != KeyEncoder::Converted::Kind::kExact) return std::nullopt;
                if (matched == 0) out.prefix.push_back(std::move(value.value));
                continue;
            }
            if (!fits(order_[matched], matched == 0, keys, part, &out)) return std::nullopt;
            matched++;
        }
        if (matched == order_.size() && matched > 0) return out;
        // No two rows have the same key: what is ordered by it needs no more columns.
        return matched > 0 && never_equal(def) ? std::optional(out) : std::nullopt;
    }

private:
    bool nullable(uint32_t column) const { return !table_.def().columns[column].not_null; }

    bool fits(const OrderColumn& wanted, bool first, const KeyEncoder& keys, size_t part,
              Match* out) const {
        PartOrder order = keys.order(part);
        if (first) out->backward = wanted.descending != order.descending;
        if (out->backward) order = order.reversed();
        if (wanted.descending != order.descending) return false;
        if (!nullable(wanted.column)) return true;
        const bool natural = wanted.nulls_first == order.nulls_first;
        if (!first) return natural;
        out->nulls_first = wanted.nulls_first;
        out->splits_nulls = !natural || !keys.null_is_distinct();
        return true;
    }

    bool never_equal(const catalog::IndexDef& def) const {
        const auto key = def.key_columns();
        return def.unique &&
               std::none_of(key.begin(), key.end(), [&](uint32_t c) { return nullable(c); });
    }

    const TableVersion& table_;
    std::map<uint32_t, Value> constants_;
    std::vector<OrderColumn> order_;  // without those that play no part
};

KeyRange below(KeyRange range, const Key& bound, bool inclusive) {
    if (!range.high || bound < *range.high || (bound == *range.high && !inclusive)) {
        range.high = bound;
        range.high_inclusive = inclusive;
    }
    return range;
}

KeyRange from(KeyRange range, const Key& bound) {
    if (!range.low || *range.low < bound) {
        range.low = bound;
        range.low_inclusive = true;
    }
    return range;
}

// The pieces of the key ranges, which are in ascending order, in the order in which they are read.
std::vector<OrderedRange> pieces_of(const Match& match, const KeyEncoder& keys,
                                    std::vector<KeyRange> ranges) {
    std::vector<OrderedRange> values, nulls;
    auto add = [](std::vector<OrderedRange>* to, KeyRange range, Rows rows) {
        if (!range.is_empty()) to->push_back({std::move(range), rows});
    };
    for (KeyRange& range : ranges) {
        if (!match.splits_nulls) {
            add(&values, std::move(range), Rows::kAll);
            continue;
        }
        std::vector<Value> prefix = match.prefix;
        prefix.emplace_back();
        const Key null = keys.encode(prefix);
        if (keys.order(match.prefix.size()).nulls_first) {
            Key first_value = null;
            prefix_successor(&first_value.bytes);  // there is one: the flag of values is greater
            add(&nulls, below(range, first_value, false), Rows::kAll);
            add(&values, from(range, first_value), Rows::kAll);
            continue;
        }
        add(&values, below(range, null, false), Rows::kAll);
        if (keys.null_is_distinct()) {
            add(&nulls, from(range, null), Rows::kAll);
        } else if (range.contains(null)) {
            add(&values, KeyRange::exactly(null), Rows::kValues);
            add(&nulls, KeyRange::exactly(null), Rows::kNulls);
        }
    }
    if (match.backward) {
        std::reverse(values.begin(), values.end());
        std::reverse(nulls.begin(), nulls.end());
    }
    std::vector<OrderedRange>& first = match.nulls_first ? nulls : values;
    std::vector<OrderedRange>& second = match.nulls_first ? values : nulls;
    first.insert(first.end(), std::make_move_iterator(second.begin()),
                 std::make_move_iterator(second.end()));
    return std::move(first);
}

// Whether rows with NULL may be among those with these keys, though they were not asked for.
bool hold_null(const KeyEncoder& keys, const std::vector<KeyRange>& ranges) {
    if (!keys.nullable() || keys.null_is_distinct()) return false;
    const Key null{KeyEncoder::kNullKey, {}};
    return std::any_of(ranges.begin(), ranges.end(),
                       [&](const KeyRange& range) { return range.contains(null); });
}

// What the conditions say of an index, and the rest.
IndexOrder plan_of(const TableVersion& table, const Match& match, std::span<const Expr> filters) {
    IndexOrder out;
    out.index = match.index;
    out.backward = match.backward;
    const KeyEncoder& keys = table.encoder(match.index);
    std::vector<Expr> plain;
    for (const Expr& f : filters) plain.push_back(without_not(f));
    auto conditions = find_key_conditions(plain, table.index_def(match.index).columns, keys);
    std::vector<KeyRange> ranges = {KeyRange{}};
    if (conditions) {
        ranges.clear();
        for (const IndexRange& range : conditions->ranges) {
            ranges.push_back(encode_range(keys, range));
        }
        ranges = in_order(std::move(ranges));
        if (hold_null(keys, ranges)) conditions->exact.assign(filters.size(), false);
    }
    for (size_t i = 0; i < filters.size(); i++) {
        if (conditions && conditions->used[i]) out.used.push_back(filters[i]);
        if (!conditions || !conditions->exact[i]) out.residual.push_back(filters[i]);
    }
    out.ranges = pieces_of(match, keys, std::move(ranges));
    return out;
}

// Entries in some ranges; near: of which the next row lies beside the one before.
struct Neighbours {
    double all = 0, near = 0;

    void add(const index::KeyRun& run, index::Positions found) {
        constexpr uint64_t kSamples = 32, kNear = 16;
        if (found.empty()) return;
        const auto n = static_cast<double>(found.size());
        all += n;
        if (run.is_dense() || found.size() == 1) {
            near += n;
            return;
        }
        const uint64_t step = std::max<uint64_t>(1, found.size() / kSamples);
        double looked = 0, close = 0;
        for (uint64_t at = found.begin; at + 1 < found.end; at += step) {
            const uint64_t a = run.row_id(at), b = run.row_id(at + 1);
            looked++;
            close += std::max(a, b) - std::min(a, b) <= kNear;
        }
        near += n * close / looked;
    }
};

// Estimates how many entries are read for the rows that are wanted, and what that costs.
void weigh(const TableVersion& table, double passing, std::optional<uint64_t> wanted,
           IndexOrder* plan) {
    constexpr size_t kRangesMax = 64;
    Neighbours entries;
    index::IndexCounters ignored;
    const size_t counted = std::min(plan->ranges.size(), kRangesMax);
    for (size_t i = 0; i < counted; i++) {
        const KeyRange& keys = plan->ranges[i].keys;
        for (const table::RunPart& r : table.runs(plan->index)) {
            entries.add(*r.run, r.run->range(keys, ignored));
        }
        for (const table::Part& p : table.delta()) {
            const index::KeyRun& run = *p.chunk->keys()[plan->index];
            entries.add(run, run.range(keys, ignored));
        }
    }
    const auto ranges = static_cast<double>(plan->ranges.size());
    const double scale = counted > 0 ? ranges / static_cast<double>(counted) : 0;
    plan->rows = std::min(passing, entries.all * scale);
    double read = 1;
    if (wanted && static_cast<double>(*wanted) < plan->rows) {
        read = static_cast<double>(*wanted) / plan->rows;
        plan->rows = static_cast<double>(*wanted);
    }
    const auto columns = static_cast<double>(table.def().columns.size());
    const double far =
        (entries.all - entries.near) * (kEntryCost + kFetchCost + kColumnCost * columns);
    plan->cost = ranges * kRangeCost + (entries.near * 2 * kClusteredCost + far) * scale * read;
}

// What the plan without an ordered index costs.
double cost_of_sort(const TableVersion& table, std::span<const Expr> filters, double passing,
                    std::optional<uint64_t> wanted) {
    const StoredIndexes indexes(table);
    double cost = indexes.scan_cost(filters);
    if (auto choice = choose_indexes(indexes, filters)) {
        cost = std::min(cost, choice->plan.finding + choice->plan.fetching);
    }
    const bool top = wanted && static_cast<double>(*wanted) < passing / 2;
    const double step = top ? kTopRow : kSortStep * std::log2(passing + 2);
    return cost + kSortStart + passing * step;
}

// The conditions one by one, without NOT.
std::vector<Expr> flattened(std::span<const Expr> filters) {
    std::vector<Expr> conditions;
    for (const Expr& f : filters) plan::flatten_and(without_not(f), &conditions);
    return conditions;
}

// How many rows pass the conditions.
double rows_passing(const TableVersion& table, std::span<const Expr> filters) {
    const auto rows = static_cast<double>(table.live_rows());
    return filters.empty() ? rows : rows * selectivity(filters, *table.statistics());
}

}  // namespace

std::optional<IndexOrder> choose_index_order(const TableVersion& table,
                                             std::span<const Expr> filters,
                                             std::span<const OrderColumn> order,
                                             std::optional<uint64_t> wanted) {
    const Matcher matcher(table, filters, order);
    const double passing = rows_passing(table, filters);
    const std::vector<Expr> conditions = flattened(filters);
    std::optional<IndexOrder> best;
    for (size_t i = 0; i < table.index_count(); i++) {
        auto match = matcher.match(i);
        if (!match || !holds_all(table.index_def(i), conditions, table.def())) continue;
        IndexOrder plan = plan_of(table, *match, filters);
        weigh(table, passing, wanted, &plan);
        if (!best || plan.cost < best->cost) best = std::move(plan);
    }
    if (!best) return std::nullopt;
    best->sort_cost = cost_of_sort(table, filters, passing, wanted);
    if (best->cost > best->sort_cost) return std::nullopt;
    return best;
}

std::vector<std::string> rejected_orders(const TableVersion& table, std::span<const Expr> filters,
                                         std::span<const OrderColumn> order,
                                         std::optional<uint64_t> wanted, const IndexOrder& taken) {
    const Matcher matcher(table, filters, order);
    const std::vector<Expr> conditions = flattened(filters);
    const double passing = rows_passing(table, filters);
    std::vector<std::string> lines;
    for (size_t i = 0; i < table.index_count(); i++) {
        if (i == taken.index) continue;
        const std::string& name = table.index_def(i).name;
        auto match = matcher.match(i);
        if (!match) {
            lines.push_back(name + ": does not have the order");
            continue;
        }
        if (!holds_all(table.index_def(i), conditions, table.def())) {
            lines.push_back(name + ": does not hold all rows");
            continue;
        }
        IndexOrder plan = plan_of(table, *match, filters);
        weigh(table, passing, wanted, &plan);
        lines.push_back(rejection(name, plan.rows, plan.cost,
                                  "costs no less than " + table.index_def(taken.index).name));
    }
    lines.push_back(rejection("sort", taken.rows, taken.sort_cost,
                              "costs more than " + table.index_def(taken.index).name));
    return lines;
}

}  // namespace trefoil::access
