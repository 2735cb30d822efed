// IndexPlan: choosing scans by cost, and running them.

#include "access/index_plan.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace trefoil::access {
namespace {

using plan::Expr;
using table::RowSpan;
using table::TableVersion;

// Costs in units of one number compared by a scan, about a nanosecond where these were measured (a
// million rows in segments).
constexpr double kEntryCost = 20;     // finding a row through an index, putting rows in order
constexpr double kFetchCost = 40;     // reading a row that lies alone
constexpr double kClusteredCost = 6;  // each of the two, where rows lie in the order of their keys
constexpr double kDenseCost = 1;      // reading a row where that is known without looking
constexpr double kRangeCost = 200;    // searching the runs once
constexpr double kTextCost = 3;       // comparing a text in a scan
constexpr double kLikeCost = 16;      // looking into a text in a scan
// Up to so many rows nothing takes time, and an index is always used: plans are then what they will
// be when the table has grown.
constexpr uint64_t kSmallTableRows = 1000;
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

class Planner {
public:
    explicit Planner(const TableVersion& table) : table_(table) {}

    struct Planned {
        IndexPlan plan;
        std::vector<bool> used, exact;  // by filter
    };

    // For conditions that must all hold; nullopt if no index helps.
    std::optional<Planned> conjunction(std::span<const Expr> filters) const {
        std::vector<Planned> candidates;
        for (size_t i = 0; i < table_.index_count(); i++) {
            if (auto one = scan(i, filters)) candidates.push_back(std::move(*one));
        }
        for (size_t i = 0; i < filters.size(); i++) {
            const bool answered = std::any_of(candidates.begin(), candidates.end(),
                                              [&](const Planned& c) { return c.exact[i]; });
            if (filters[i].kind != Expr::Kind::kOr || answered) continue;
            if (auto one = disjunction(filters, i)) candidates.push_back(std::move(*one));
        }
        if (candidates.empty()) return std::nullopt;
        return combine(std::move(candidates));
    }

private:
    std::optional<Planned> scan(size_t index, std::span<const Expr> filters) const {
        auto conditions =
            find_key_conditions(filters, table_.index_def(index), table_.encoder(index));
        if (!conditions) return std::nullopt;
        Planned out{{}, conditions->used, conditions->exact};
        out.plan.index = index;
        const size_t ranges = conditions->ranges.size();
        const auto live = static_cast<double>(table_.live_rows());
        Entries entries;
        if (conditions->points && table_.index_def(index).unique) {
            entries.all = static_cast<double>(ranges);
        } else {
            const size_t counted = std::min(ranges, kCountedRangesMax);
            for (size_t i = 0; i < counted; i++) {
                count_entries(table_, index, conditions->ranges[i], &entries);
            }
            if (counted < ranges) {
                entries.scale(static_cast<double>(ranges) / static_cast<double>(counted));
            }
        }
        out.plan.rows = std::min(entries.all, live);
        out.plan.finding = static_cast<double>(ranges) * kRangeCost +
                           entries.clustered * kClusteredCost + entries.scattered() * kEntryCost;
        out.plan.fetching = entries.dense * kDenseCost + entries.clustered * kClusteredCost +
                            entries.scattered() * kFetchCost;
        out.plan.conditions = std::move(*conditions);
        return out;
    }

    // For the OR at `at`: each of its branches must have a plan.
    std::optional<Planned> disjunction(std::span<const Expr> filters, size_t at) const {
        Planned out;
        out.plan.kind = IndexPlan::Kind::kOr;
        out.used.resize(filters.size());
        out.exact.resize(filters.size());
        out.used[at] = out.exact[at] = true;
        for (const Expr& branch : filters[at].children) {
            std::vector<Expr> conditions;
            plan::flatten_and(branch, &conditions);
            auto one = conjunction(conditions);
            if (!one) return std::nullopt;
            const bool exact =
                std::find(one->exact.begin(), one->exact.end(), false) == one->exact.end();
            if (!exact) out.exact[at] = false;
            out.plan.rows += one->plan.rows;
            out.plan.finding += one->plan.finding;
            out.plan.fetching += one->plan.fetching;
            out.plan.children.push_back(std::move(one->plan));
        }
        out.plan.rows = std::min(out.plan.rows, static_cast<double>(table_.live_rows()));
        return out;
    }

    // Takes the candidate that leaves the fewest rows, then others while they pay: conditions are
    // taken to be independent.
    std::optional<Planned> combine(std::vector<Planned> candidates) const {
        const double live = std::max(1.0, static_cast<double>(table_.live_rows()));
        std::sort(candidates.begin(), candidates.end(), [](const Planned& a, const Planned& b) {
            return a.plan.rows != b.plan.rows ? a.plan.rows < b.plan.rows
                                              : a.plan.finding < b.plan.finding;
        });
        Planned out = std::move(candidates[0]);
        IndexPlan both;
        both.kind = IndexPlan::Kind::kAnd;
        both.rows = out.plan.rows;
        both.finding = out.plan.finding;
        both.fetching = out.plan.fetching;
        for (size_t i = 1; i < candidates.size(); i++) {
            Planned& next = candidates[i];
            const double kept = next.plan.rows / live;
            if (!adds(next.used, out.exact) || next.plan.finding >= both.fetching * (1 - kept)) {
                continue;
            }
            both.rows *= kept;
            both.fetching *= kept;
            both.finding += next.plan.finding;
            for (size_t f = 0; f < out.used.size(); f++) {
                out.used[f] = out.used[f] || next.used[f];
                out.exact[f] = out.exact[f] || next.exact[f];
            }
            both.children.push_back(std::move(next.plan));
        }
        if (both.children.empty()) return out;
        both.children.insert(both.children.begin(), std::move(out.plan));
        out.plan = std::move(both);
        return out;
    }

    // Whether one of these conditions is not known to hold already.
    static bool adds(const std::vector<bool>& used, const std::vector<bool>& known) {
        for (size_t i = 0; i < used.size(); i++) {
            if (used[i] && !known[i]) return true;
        }
        return false;
    }

    const TableVersion& table_;
};

std::vector<RowSpan> intersect(const std::vector<RowSpan>& a, const std::vector<RowSpan>& b) {
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
    return out;
}

Result<std::vector<RowSpan>> scan_index(const IndexPlan& plan, const TableVersion& table,
                                        const CancelFlag* cancel, IndexScanCounts* counts) {
    std::vector<RowSpan> rows;
    const bool lookup = plan.is_lookup(table);
    for (const index::KeyRange& range : plan.conditions.ranges) {
        if (cancel && cancel->load(std::memory_order_relaxed)) {
            return Status(Code::kInvalidInput, "57014", "the statement was cancelled");
        }
        if (lookup) {
            ASSIGN_OR_RETURN(auto at, table.find_key(plan.index, *range.low, counts->searches));
            if (at) rows.push_back({at->part, at->row, at->row + 1});
        } else {
            RETURN_IF_ERROR(table.find_range(plan.index, range, &rows, counts->searches));
        }
    }
    normalise(&rows);
    counts->keys += plan.conditions.ranges.size();
    for (const RowSpan& span : rows) counts->entries += span.size();
    return rows;
}

}  // namespace

std::optional<IndexChoice> choose_indexes(const TableVersion& table,
                                          std::span<const Expr> filters) {
    if (table.index_count() == 0 || filters.empty()) return std::nullopt;
    std::vector<Expr> conditions, originals;
    for (const Expr& filter : filters) {
        // NOT (a OR b) is two conditions.
        std::vector<Expr> parts;
        plan::flatten_and(without_not(filter), &parts);
        for (Expr& part : parts) {
            originals.push_back(parts.size() == 1 ? filter : part);
            conditions.push_back(std::move(part));
        }
    }
    auto planned = Planner(table).conjunction(conditions);
    if (!planned) return std::nullopt;
    double scan = 1;
    for (const Expr& filter : filters) scan = std::max(scan, scan_cost(filter, table.def()));
    scan *= static_cast<double>(table.live_rows());
    const double cost = planned->plan.finding + planned->plan.fetching;
    if (table.live_rows() > kSmallTableRows && cost > scan) return std::nullopt;
    IndexChoice out{std::move(planned->plan), {}, {}};
    for (size_t i = 0; i < conditions.size(); i++) {
        if (planned->used[i]) out.used.push_back(originals[i]);
        if (!planned->exact[i]) out.residual.push_back(originals[i]);
    }
    return out;
}

std::string to_string(const IndexPlan& plan, const TableVersion& table) {
    if (plan.kind == IndexPlan::Kind::kScan) return table.index_def(plan.index).name;
    std::string text;
    for (const IndexPlan& child : plan.children) {
        const char* word = plan.kind == IndexPlan::Kind::kAnd ? " AND " : " OR ";
        text += (text.empty() ? "(" : word) + to_string(child, table);
    }
    return text + ")";
}

Result<std::vector<RowSpan>> find_rows(const IndexPlan& plan, const TableVersion& table,
                                       const CancelFlag* cancel, IndexScanCounts* counts) {
    if (plan.kind == IndexPlan::Kind::kScan) return scan_index(plan, table, cancel, counts);
    std::vector<RowSpan> rows;
    bool first = true;
    for (const IndexPlan& child : plan.children) {
        const bool both = plan.kind == IndexPlan::Kind::kAnd;
        if (both && !first && rows.empty()) break;
        ASSIGN_OR_RETURN(std::vector<RowSpan> found, find_rows(child, table, cancel, counts));
        if (first) {
            rows = std::move(found);
        } else if (both) {
            rows = intersect(rows, found);
        } else {
            rows.insert(rows.end(), found.begin(), found.end());
        }
        first = false;
    }
    if (plan.kind == IndexPlan::Kind::kOr) normalise(&rows);
    return rows;
}

}  // namespace trefoil::access
