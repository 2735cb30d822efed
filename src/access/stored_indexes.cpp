// StoredIndexes: what scans of a stored table's indexes cost, and running them.

#include "access/stored_indexes.h"

#include <algorithm>
#include <cmath>

#include "access/index_cost.h"
#include "access/key_conditions.h"
#include "access/partial_index.h"
#include "base/check.h"

namespace trefoil::access {
namespace {

using plan::Expr;
using table::RowSpan;
using table::TableVersion;

// In the units of index_cost.h.
constexpr double kTextCost = 3;   // comparing a text in a scan
constexpr double kLikeCost = 16;  // looking into a text in a scan
// Of so many ranges the entries are counted; those of the others are taken to be alike.
constexpr size_t kCountedRangesMax = 64;

// Entries of an index in some ranges, by how the rows lie.
struct Entries {
    double all = 0, clustered = 0, dense = 0;

    // Entries [begin, end) of a run; `dense`: keys and row ids are known to be consecutive.
    void add(const index::KeyRun& run, index::Positions found, bool is_dense) {
        if (found.empty()) return;
        const auto n = static_cast<double>(found.size());
        const auto first = static_cast<double>(run.row_id(found.begin));
        const auto last = static_cast<double>(run.row_id(found.end - 1));
        all += n;
        if (is_dense) {
            dense += n;
        } else if (std::abs(last - first) + 1 <= 2 * n) {
            clustered += n;
        }
    }
    void scale(double by) {
        all *= by;
        clustered *= by;
        dense *= by;
    }
    double scattered() const { return all - clustered - dense; }
};

void count_entries(const TableVersion& table, size_t index, const index::KeyRange& range,
                   Entries* entries) {
    index::IndexCounters ignored;
    for (const table::RunPart& r : table.runs(index)) {
        entries->add(*r.run, r.run->range(range, ignored),
                     r.run->is_dense() && !table.keys_moved(index));
    }
    for (const table::Part& p : table.delta()) {
        const index::KeyRun& keys = *p.chunk->keys()[index];
        entries->add(keys, keys.range(range, ignored), keys.is_dense());
    }
}

// What a scan does to evaluate a filter on one row.
double scan_cost(const Expr& filter, const catalog::TableDef& table) {
    double cost = filter.kind == Expr::Kind::kLike ? kLikeCost : 1;
    if (filter.kind == Expr::Kind::kColumn &&
        table.columns[filter.index].type.id == arrow::TypeId::kUtf8View) {
        cost = kTextCost;
    }
    for (const Expr& child : filter.children) cost = std::max(cost, scan_cost(child, table));
    return cost;
}

// Whether rows with NULL may be among those with these keys, though they were not asked for: the
// greatest value of a column may share its key with NULL. Then the rows must be looked at.
bool shares_key_with_null(const index::KeyEncoder& keys, std::span<const index::KeyRange> ranges) {
    if (!keys.nullable() || keys.null_is_distinct()) return false;
    const index::Key null{index::KeyEncoder::kNullKey, {}};
    return std::any_of(ranges.begin(), ranges.end(),
                       [&](const index::KeyRange& range) { return range.contains(null); });
}

// Of a partial index to which no condition on its columns is put.
KeyConditions all_entries(size_t filters) {
    return {{IndexRange()}, false, std::vector<bool>(filters), std::vector<bool>(filters)};
}

// Rows by their places: normalised, so in the order in which they are best fetched.
struct PlaceSet {
    std::vector<RowSpan> spans;

    bool empty() const { return spans.empty(); }
    void normalise() { table::normalise(&spans); }
    void add(PlaceSet other) { spans.insert(spans.end(), other.spans.begin(), other.spans.end()); }
    void intersect(const PlaceSet& other);
};

void PlaceSet::intersect(const PlaceSet& other) {
    const std::vector<RowSpan>& a = spans;
    const std::vector<RowSpan>& b = other.spans;
    std::vector<RowSpan> out;
    for (size_t i = 0, j = 0; i < a.size() && j < b.size();) {
        if (a[i].part != b[j].part) {
            a[i].part < b[j].part ? i++ : j++;
            continue;
        }
        const uint32_t begin = std::max(a[i].begin, b[j].begin);
        const uint32_t end = std::min(a[i].end, b[j].end);
        if (begin < end) out.push_back({a[i].part, begin, end});
        a[i].end < b[j].end ? i++ : j++;
    }
    spans = std::move(out);
}

}  // namespace

std::string StoredIndexes::index_name(size_t index) const {
    return table_.index_def(index).name;
}

std::string StoredIndexes::limit_of(size_t index) const {
    if (!table_.index_def(index).is_hash) return IndexSource::limit_of(index);
    return "does not answer the conditions: hashes know only = and IN, of all columns";
}

double StoredIndexes::scan_cost(std::span<const Expr> filters) const {
    double cost = 1;
    for (const Expr& filter : filters) {
        cost = std::max(cost, access::scan_cost(filter, table_.def()));
    }
    return cost * rows();
}

// What a partial index says of its rows need not be checked again.
void StoredIndexes::mark_implied(const catalog::IndexDef& index, std::span<const Expr> filters,
                                 PlannedIndexes* plan) const {
    if (!index.is_partial()) return;
    const auto conditions = conditions_of(table_.def(), index);
    for (size_t i = 0; i < filters.size() && conditions.ok(); i++) {
        if (plan->exact[i] || !implies(*conditions, filters[i], table_.def())) continue;
        plan->used[i] = plan->exact[i] = true;
    }
}

std::optional<PlannedIndexes> StoredIndexes::plan_scan(size_t index,
                                                       std::span<const Expr> filters) const {
    const index::KeyEncoder& keys = table_.encoder(index);
    const catalog::IndexDef& def = table_.index_def(index);
    if (!holds_all(def, filters, table_.def())) return std::nullopt;
    auto conditions = find_key_conditions(filters, def.columns, keys);
    if (!conditions && !def.is_partial()) return std::nullopt;
    if (!conditions) conditions = all_entries(filters.size());
    std::vector<index::KeyRange> ranges;
    for (const IndexRange& range : conditions->ranges) ranges.push_back(encode_range(keys, range));
    PlannedIndexes out{{}, std::move(conditions->used), std::move(conditions->exact)};
    out.plan.index = index;
    out.plan.points = conditions->points;
    if (shares_key_with_null(keys, ranges)) {
        out.exact.assign(out.exact.size(), false);
        out.plan.points = false;
    }
    if (def.is_hash) out.hashed = out.used;
    mark_implied(def, filters, &out);
    Entries entries;
    if (out.plan.points && table_.index_def(index).unique) {
        entries.all = static_cast<double>(ranges.size());
    } else {
        const size_t counted = std::min(ranges.size(), kCountedRangesMax);
        for (size_t i = 0; i < counted; i++) count_entries(table_, index, ranges[i], &entries);
        if (counted < ranges.size()) {
            entries.scale(static_cast<double>(ranges.size()) / static_cast<double>(counted));
        }
    }
    out.plan.rows = std::min(entries.all, rows());
    out.plan.finding = static_cast<double>(ranges.size()) * kRangeCost +
                       entries.clustered * kClusteredCost + entries.scattered() * kEntryCost;
    out.plan.fetching = entries.dense * kDenseCost + entries.clustered * kClusteredCost +
                        entries.scattered() * kFetchCost;
    out.plan.request.ranges = std::move(conditions->ranges);
    return out;
}

Result<std::vector<RowSpan>> StoredIndexes::find_rows(const IndexPlan& plan,
                                                      const CancelFlag* cancel,
                                                      IndexScanCounts* counts) const {
    counts->found.resize(index_count());
    auto scan = [&](const IndexPlan& one) -> Result<PlaceSet> {
        PlaceSet rows;
        const bool lookup = is_lookup(one);
        const index::KeyEncoder& keys = table_.encoder(one.index);
        for (const IndexRange& wanted : one.request.ranges) {
            if (cancel && cancel->load(std::memory_order_relaxed)) {
                return Status(Code::kInvalidInput, "57014", "the statement was cancelled");
            }
            const index::KeyRange range = encode_range(keys, wanted);
            if (lookup) {
                ASSIGN_OR_RETURN(auto at, table_.find_key(one.index, *range.low, counts->searches));
                if (at) rows.spans.push_back({at->part, at->row, at->row + 1});
            } else {
                RETURN_IF_ERROR(table_.find_range(one.index, range, &rows.spans, counts->searches));
            }
        }
        rows.normalise();
        counts->keys += one.request.ranges.size();
        for (const RowSpan& span : rows.spans) counts->found[one.index] += span.size();
        return rows;
    };
    ASSIGN_OR_RETURN(PlaceSet rows, run_index_plan<PlaceSet>(plan, scan));
    return std::move(rows.spans);
}

}  // namespace trefoil::access
