// IndexPlan: which index scans answer a WHERE, and how the rows they find are combined.
//
//     age = 25                                    scan of age_idx
//     age < 30 AND department = 'Sales'           (age_idx AND department_idx)
//     (age = 25 OR age = 28) AND name LIKE '%x%'  scan of age_idx, then a filter
//     age = 25 OR department = 'Sales'            (age_idx OR department_idx)
//     age = 25 OR name LIKE '%x%'                 none: every row must be looked at
//
// Finding comes first, fetching second: a scan yields the places of rows, AND intersects and OR
// unites them, and only what is left is read. What the scans say exactly is not checked again, the
// rest is a filter over the rows that were fetched, so conditions that no index answers mix freely
// with others.
//
// The choice is by cost. How many entries a scan would read is known, not guessed: two searches in
// each run. An AND takes a further scan only if it saves more fetches than it costs, and a plan
// that costs more than reading the table is not taken.

#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "access/key_conditions.h"
#include "access/source.h"
#include "plan/expr.h"
#include "table/table_version.h"

namespace trefoil::access {

struct IndexPlan {
    enum class Kind : uint8_t { kScan, kAnd, kOr };
    Kind kind = Kind::kScan;
    size_t index = 0;                 // of the table; kScan
    KeyConditions conditions;         // kScan
    std::vector<IndexPlan> children;  // kAnd, kOr; of kAnd the cheapest first
    double rows = 0;                  // that come out: an estimate
    double finding = 0;               // the cost of it, in numbers compared by a scan
    double fetching = 0;              // the cost of reading the rows then

    bool is_lookup(const table::TableVersion& table) const {
        return kind == Kind::kScan && conditions.points && table.index_def(index).unique;
    }
};

struct IndexChoice {
    IndexPlan plan;
    std::vector<plan::Expr> used;      // the conditions that the scans were made from
    std::vector<plan::Expr> residual;  // what must be checked on each row found
};

// The cheapest plan, if it is cheaper than a scan of the table. REQUIRES: `filters` must all hold,
// hold no parameters.
std::optional<IndexChoice> choose_indexes(const table::TableVersion& table,
                                          std::span<const plan::Expr> filters);

// "age_idx", "(age_idx AND department_idx)"
std::string to_string(const IndexPlan& plan, const table::TableVersion& table);

// What a plan did when it ran.
struct IndexScanCounts {
    index::IndexCounters searches;
    uint64_t keys = 0;     // keys and ranges asked for
    uint64_t entries = 0;  // rows that scans found, before they were combined
};

// Where the rows are: normalised, so in the order in which they are best fetched.
// Errors: 57014 if cancelled, kCorruption.
Result<std::vector<table::RowSpan>> find_rows(const IndexPlan& plan,
                                              const table::TableVersion& table,
                                              const CancelFlag* cancel, IndexScanCounts* counts);

}  // namespace trefoil::access
