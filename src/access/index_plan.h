// IndexPlan: which index scans answer a WHERE, and how the rows they find are combined.
//
//     age = 25                                    scan of age_idx
//     age < 30 AND department = 'Sales'           (age_idx AND department_idx)
//     (age = 25 OR age = 28) AND name LIKE '%x%'  scan of age_idx, then a filter
//     age = 25 OR department = 'Sales'            (age_idx OR department_idx)
//     age = 25 OR name LIKE '%x%'                 none: every row must be looked at
//
// Finding comes first, fetching second: a scan yields a set of rows, AND intersects and OR unites
// them, and only what is left is read. What the scans say exactly is not checked again, the rest is
// a filter over the rows that were fetched, so conditions that no index answers mix freely with
// others.
//
// The choice is by cost: an AND takes a further scan only if it saves more fetches than it costs,
// and a plan that costs more than reading the table is not taken. Whose indexes they are does not
// matter: an IndexSource says what each of them can do and what it costs. There are two, for stored
// tables (stored_indexes.h) and for those of a program (custom_indexes.h), with sets of their own.

#pragma once

#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "plan/expr.h"
#include "trefoil/custom_table.h"

namespace trefoil::access {

struct IndexPlan {
    enum class Kind : uint8_t { kScan, kAnd, kOr };
    Kind kind = Kind::kScan;
    size_t index = 0;                 // of the source; kScan
    IndexRequest request;             // kScan
    bool points = false;              // kScan: every range is one whole key without NULLs
    std::vector<IndexPlan> children;  // kAnd, kOr; of kAnd the cheapest first
    double rows = 0;                  // that come out: an estimate
    double finding = 0;               // the cost of it, in numbers compared by a scan
    double fetching = 0;              // the cost of reading the rows then
};

// A plan for conditions that must all hold.
struct PlannedIndexes {
    IndexPlan plan;
    // By condition: looked at; answered, so not to be checked again.
    std::vector<bool> used, exact;
    // By condition: answered but for rows that share a hash, so to be checked again all the same.
    // Empty: none.
    std::vector<bool> hashed = {};

    bool is_hashed(size_t condition) const { return !hashed.empty() && hashed[condition]; }
};

// The indexes of one table, for the planner.
class IndexSource {
public:
    virtual ~IndexSource() = default;
    virtual size_t index_count() const = 0;
    virtual std::string index_name(size_t index) const = 0;
    // Why plan_scan() has no scan for conditions that are there.
    virtual std::string limit_of(size_t /*index*/) const {
        return "does not answer the conditions";
    }
    // Of the table: an estimate.
    virtual double rows() const = 0;
    // The scan of an index for conditions that must all hold; nullopt if it does not help.
    virtual std::optional<PlannedIndexes> plan_scan(size_t index,
                                                    std::span<const plan::Expr> filters) const = 0;
    // What reading the whole table costs, with these conditions checked on each row.
    virtual double scan_cost(std::span<const plan::Expr> filters) const = 0;
};

struct IndexChoice {
    IndexPlan plan;
    std::vector<plan::Expr> used;      // the conditions that the scans were made from
    std::vector<plan::Expr> residual;  // what must be checked on each row found
};

// The cheapest plan, if it is cheaper than a scan of the table. REQUIRES: `filters` must all hold,
// hold no parameters.
std::optional<IndexChoice> choose_indexes(const IndexSource& source,
                                          std::span<const plan::Expr> filters);

// Whether the plan scans the index.
bool uses(const IndexPlan& plan, size_t index);

// Why each of the indexes that `taken` does not use was not taken, a line for each; `taken` is null
// if the table is scanned. REQUIRES: `filters` as choose_indexes had them, which chose `taken`.
//
//     department_idx (rows 41000, cost 2500000): costs more than the scan (1000000)
std::vector<std::string> rejected_indexes(const IndexSource& source,
                                          std::span<const plan::Expr> filters,
                                          const IndexPlan* taken);
// "name (rows 41000, cost 2500000): reason"
std::string rejection(const std::string& name, double rows, double cost, const std::string& reason);

// "age_idx", "(age_idx AND department_idx)"
std::string to_string(const IndexPlan& plan, const IndexSource& source);

// Runs the scans of a plan and combines what they find. `Set` holds rows:
//
//     bool empty() const;
//     void intersect(const Set& other);
//     void add(Set other);                // until normalise() it may hold rows more than once
//     void normalise();
//
// `scan` answers a Result<Set>, normalised, for a plan of kind kScan. Of an AND, what would follow
// an empty set is not run.
template <typename Set, typename Scan>
Result<Set> run_index_plan(const IndexPlan& plan, const Scan& scan) {
    if (plan.kind == IndexPlan::Kind::kScan) return scan(plan);
    const bool both = plan.kind == IndexPlan::Kind::kAnd;
    ASSIGN_OR_RETURN(Set rows, run_index_plan<Set>(plan.children[0], scan));
    for (size_t i = 1; i < plan.children.size() && !(both && rows.empty()); i++) {
        ASSIGN_OR_RETURN(Set found, run_index_plan<Set>(plan.children[i], scan));
        if (both) {
            rows.intersect(found);
        } else {
            rows.add(std::move(found));
        }
    }
    if (!both) rows.normalise();
    return rows;
}

}  // namespace trefoil::access
