// IndexPlan: choosing scans by cost.

#include "access/index_plan.h"

#include <algorithm>
#include <cmath>

#include "access/index_cost.h"
#include "access/key_conditions.h"

namespace trefoil::access {
namespace {

using plan::Expr;

std::string rounded(double n) {
    return std::to_string(std::llround(std::min(n, 1e18)));
}

// What a Planner looked at and did not take.
struct PlanLog {
    struct Entry {
        IndexPlan plan;
        double cost;
        std::string reason;
    };
    std::vector<Entry> entries;

    void add(const IndexPlan& plan, double cost, std::string reason) {
        entries.push_back({plan, cost, std::move(reason)});
    }
};

class Planner {
public:
    // `log` may be null.
    explicit Planner(const IndexSource& source, PlanLog* log) : source_(source), log_(log) {}

    // For conditions that must all hold; nullopt if no index helps.
    std::optional<PlannedIndexes> conjunction(std::span<const Expr> filters) const {
        std::vector<PlannedIndexes> candidates;
        for (size_t i = 0; i < source_.index_count(); i++) {
            if (auto one = source_.plan_scan(i, filters)) candidates.push_back(std::move(*one));
        }
        for (size_t i = 0; i < filters.size(); i++) {
            const bool answered = std::any_of(candidates.begin(), candidates.end(),
                                              [&](const PlannedIndexes& c) { return c.exact[i]; });
            if (filters[i].kind != Expr::Kind::kOr || answered) continue;
            if (auto one = disjunction(filters, i)) candidates.push_back(std::move(*one));
        }
        if (candidates.empty()) return std::nullopt;
        return combine(std::move(candidates));
    }

private:
    // For the OR at `at`: each of its branches must have a plan.
    std::optional<PlannedIndexes> disjunction(std::span<const Expr> filters, size_t at) const {
        PlannedIndexes out;
        out.plan.kind = IndexPlan::Kind::kOr;
        out.used.resize(filters.size());
        out.exact.resize(filters.size());
        out.used[at] = out.exact[at] = true;
        bool whole = true;
        for (const Expr& branch : filters[at].children) {
            std::vector<Expr> conditions;
            plan::flatten_and(branch, &conditions);
            auto one = conjunction(conditions);
            whole &= one.has_value();
            if (!whole && !log_) return std::nullopt;
            if (!one) continue;
            const bool exact =
                std::find(one->exact.begin(), one->exact.end(), false) == one->exact.end();
            if (!exact) out.exact[at] = false;
            for (size_t i = 0; i < conditions.size(); i++) {
                if (one->is_hashed(i)) mark_hashed(at, &out);
            }
            out.plan.rows += one->plan.rows;
            out.plan.finding += one->plan.finding;
            out.plan.fetching += one->plan.fetching;
            out.plan.children.push_back(std::move(one->plan));
        }
        if (!whole) {
            for (const IndexPlan& child : out.plan.children) {
                log_->add(child, child.finding + child.fetching,
                          "no index answers another branch of the OR");
            }
            return std::nullopt;
        }
        out.plan.rows = std::min(out.plan.rows, source_.rows());
        return out;
    }

    // Takes the candidate that leaves the fewest rows, then others while they pay: conditions are
    // taken to be independent.
    std::optional<PlannedIndexes> combine(std::vector<PlannedIndexes> candidates) const {
        const double live = std::max(1.0, source_.rows());
        std::sort(candidates.begin(), candidates.end(),
                  [](const PlannedIndexes& a, const PlannedIndexes& b) {
                      return a.plan.rows != b.plan.rows ? a.plan.rows < b.plan.rows
                                                        : a.plan.finding < b.plan.finding;
                  });
        PlannedIndexes out = std::move(candidates[0]);
        IndexPlan both;
        both.kind = IndexPlan::Kind::kAnd;
        both.rows = out.plan.rows;
        both.finding = out.plan.finding;
        both.fetching = out.plan.fetching;
        for (size_t i = 1; i < candidates.size(); i++) {
            PlannedIndexes& next = candidates[i];
            const double kept = next.plan.rows / live;
            const double saved = both.fetching * (1 - kept);
            if (!adds(next.used, out.exact)) {
                if (log_) {
                    log_->add(next.plan, next.plan.finding, "what it answers is answered already");
                }
                continue;
            }
            if (next.plan.finding >= saved) {
                if (log_) {
                    log_->add(next.plan, next.plan.finding,
                              "adding it saves less than it costs (" + rounded(saved) + ")");
                }
                continue;
            }
            both.rows *= kept;
            both.fetching *= kept;
            both.finding += next.plan.finding;
            for (size_t f = 0; f < out.used.size(); f++) {
                out.used[f] = out.used[f] || next.used[f];
                out.exact[f] = out.exact[f] || next.exact[f];
                if (next.is_hashed(f)) mark_hashed(f, &out);
            }
            both.children.push_back(std::move(next.plan));
        }
        if (both.children.empty()) return out;
        both.children.insert(both.children.begin(), std::move(out.plan));
        out.plan = std::move(both);
        return out;
    }

    static void mark_hashed(size_t condition, PlannedIndexes* plan) {
        plan->hashed.resize(plan->used.size());
        plan->hashed[condition] = true;
    }

    // Whether one of these conditions is not known to hold already.
    static bool adds(const std::vector<bool>& used, const std::vector<bool>& known) {
        for (size_t i = 0; i < used.size(); i++) {
            if (used[i] && !known[i]) return true;
        }
        return false;
    }

    const IndexSource& source_;
    PlanLog* log_;
};

std::optional<IndexChoice> choose(const IndexSource& source, std::span<const Expr> filters,
                                  PlanLog* log) {
    if (source.index_count() == 0 || filters.empty()) return std::nullopt;
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
    auto planned = Planner(source, log).conjunction(conditions);
    if (!planned) return std::nullopt;
    const double cost = planned->plan.finding + planned->plan.fetching;
    const double scan = source.scan_cost(filters);
    if (source.rows() > kSmallTableRows && cost > scan) {
        if (log) {
            log->add(planned->plan, cost, "costs more than the scan (" + rounded(scan) + ")");
        }
        return std::nullopt;
    }
    IndexChoice out{std::move(planned->plan), {}, {}};
    for (size_t i = 0; i < conditions.size(); i++) {
        if (planned->used[i]) out.used.push_back(originals[i]);
        if (!planned->exact[i] || planned->is_hashed(i)) out.residual.push_back(originals[i]);
    }
    return out;
}

}  // namespace

std::optional<IndexChoice> choose_indexes(const IndexSource& source,
                                          std::span<const Expr> filters) {
    return choose(source, filters, nullptr);
}

bool uses(const IndexPlan& plan, size_t index) {
    if (plan.kind == IndexPlan::Kind::kScan) return plan.index == index;
    return std::any_of(plan.children.begin(), plan.children.end(),
                       [&](const IndexPlan& child) { return uses(child, index); });
}

std::string rejection(const std::string& name, double rows, double cost,
                      const std::string& reason) {
    return name + " (rows " + rounded(rows) + ", cost " + rounded(cost) + "): " + reason;
}

std::vector<std::string> rejected_indexes(const IndexSource& source, std::span<const Expr> filters,
                                          const IndexPlan* taken) {
    PlanLog log;
    // Not taken after all if its rows are answered without being read.
    if (const auto choice = choose(source, filters, &log)) {
        log.add(choice->plan, choice->plan.finding + choice->plan.fetching,
                "costs more than the index-only scan");
    }
    std::vector<std::string> lines;
    for (size_t i = 0; i < source.index_count(); i++) {
        if (taken && uses(*taken, i)) continue;
        auto entry = std::find_if(log.entries.begin(), log.entries.end(),
                                  [&](const PlanLog::Entry& e) { return uses(e.plan, i); });
        if (entry == log.entries.end()) {
            lines.push_back(source.index_name(i) + ": " +
                            (filters.empty() ? "there is no condition" : source.limit_of(i)));
            continue;
        }
        // A plan of several indexes is one line.
        std::string line =
            rejection(to_string(entry->plan, source), entry->plan.rows, entry->cost, entry->reason);
        if (std::find(lines.begin(), lines.end(), line) == lines.end()) {
            lines.push_back(std::move(line));
        }
    }
    return lines;
}

std::string to_string(const IndexPlan& plan, const IndexSource& source) {
    if (plan.kind == IndexPlan::Kind::kScan) return source.index_name(plan.index);
    std::string text;
    for (const IndexPlan& child : plan.children) {
        const char* word = plan.kind == IndexPlan::Kind::kAnd ? " AND " : " OR ";
        text += (text.empty() ? "(" : word) + to_string(child, source);
    }
    return text + ")";
}

}  // namespace trefoil::access
