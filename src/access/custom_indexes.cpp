// CustomIndexes: asking a program's indexes.

#include "access/custom_indexes.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "access/custom_stream.h"
#include "access/key_conditions.h"
#include "arrow/compute.h"
#include "base/check.h"

namespace trefoil::access {
namespace {

using plan::CompareOp;
using plan::Expr;

// A table that does not know its size counts as one whose indexes always pay.
constexpr double kUnknownRows = 1000;
// Parts of the table that a request is taken to find if its index does not say.
constexpr double kPointPart = 0.01, kRangePart = 0.1, kConditionPart = 0.05;

// Costs in rows of a scan: a request, and a key that an index yields.
constexpr double kRequestCost = 1;
constexpr double kKeyCost = 1;

// What an index that does not say is taken to find.
double guess(const IndexRequest& request, double rows) {
    double part = request.conditions.empty() ? 0 : 1;
    for (const IndexRange& range : request.ranges) {
        part += range.bounded && range.equal.empty() ? kRangePart : kPointPart;
    }
    for (size_t i = 0; i < request.conditions.size(); i++) part *= kConditionPart;
    return std::max(1.0, rows * part);
}

IndexCondition::Operator operator_of(CompareOp op) {
    using Operator = IndexCondition::Operator;
    switch (op) {
        case CompareOp::kEqual:
            return Operator::kEqual;
        case CompareOp::kNotEqual:
            return Operator::kNotEqual;
        case CompareOp::kLess:
            return Operator::kLess;
        case CompareOp::kLessEqual:
            return Operator::kLessEqual;
        case CompareOp::kGreater:
            return Operator::kGreater;
        default:
            return Operator::kGreaterEqual;
    }
}

// The same for an Expr whose first child is the column and whose others are literals.
std::optional<IndexCondition::Operator> operator_of(const Expr& e) {
    using Operator = IndexCondition::Operator;
    switch (e.kind) {
        case Expr::Kind::kCompare:
            return operator_of(e.op);
        case Expr::Kind::kInList:
            return e.negated ? Operator::kNotIn : Operator::kIn;
        case Expr::Kind::kLike:
            if (e.ignore_case) return e.negated ? Operator::kNotILike : Operator::kILike;
            return e.negated ? Operator::kNotLike : Operator::kLike;
        case Expr::Kind::kIsNull:
            return Operator::kIsNull;
        default:
            return std::nullopt;
    }
}

// A column compared with literals, none of them NULL, as an index is asked it.
std::optional<IndexCondition> condition_of(const Expr& filter, const CustomIndexDef& index,
                                           const arrow::Schema& schema) {
    Expr e = filter;
    const bool negated = e.kind == Expr::Kind::kNot;
    if (negated) e = filter.children[0];
    if (e.kind == Expr::Kind::kCompare && e.children[1].kind == Expr::Kind::kColumn) {
        std::swap(e.children[0], e.children[1]);
        e.op = plan::mirrored(e.op);
    }
    auto op = operator_of(e);
    if (!op || e.children[0].kind != Expr::Kind::kColumn) return std::nullopt;
    if (negated && op != IndexCondition::Operator::kIsNull) return std::nullopt;
    const uint32_t column = e.children[0].index;
    if (std::find(index.columns.begin(), index.columns.end(), column) == index.columns.end()) {
        return std::nullopt;
    }
    IndexCondition out{schema.fields[column].name, *op, {}};
    if (negated) out.op = IndexCondition::Operator::kIsNotNull;
    for (size_t i = 1; i < e.children.size(); i++) {
        const Expr& literal = e.children[i];
        if (literal.kind != Expr::Kind::kLiteral || literal.value.is_null()) return std::nullopt;
        out.values.push_back(literal.value);
    }
    return out;
}

// Whether the index can find all rows of the range.
bool answers(const CustomIndexDef& index, const IndexRange& range) {
    const bool whole = range.equal.size() == index.columns.size();
    if (index.kind == IndexKind::kHash && !whole) return false;
    if (index.holds_nulls) return true;
    // Rows with a NULL are missing: a column that may be NULL must not be left open.
    const bool says_all =
        whole || (range.bounded && range.equal.size() + 1 == index.columns.size());
    return says_all && std::none_of(range.equal.begin(), range.equal.end(),
                                    [](const Value& v) { return v.is_null(); });
}

struct KeySet {
    std::vector<FoundKeys::Entry> entries;

    bool empty() const { return entries.empty(); }
    void normalise() {
        auto less = [](const auto& a, const auto& b) { return a.key < b.key; };
        auto same = [](const auto& a, const auto& b) { return a.key == b.key; };
        std::sort(entries.begin(), entries.end(), less);
        entries.erase(std::unique(entries.begin(), entries.end(), same), entries.end());
    }
    void add(KeySet other) {
        entries.insert(entries.end(), std::make_move_iterator(other.entries.begin()),
                       std::make_move_iterator(other.entries.end()));
    }
    void intersect(const KeySet& other) {
        auto at = other.entries.begin();
        auto missing = [&](const FoundKeys::Entry& e) {
            while (at != other.entries.end() && at->key < e.key) ++at;
            return at == other.entries.end() || e.key < at->key;
        };
        // In order, each key once: std::remove_if promises neither.
        size_t kept = 0;
        for (FoundKeys::Entry& e : entries) {
            if (missing(e)) continue;
            if (&entries[kept] != &e) entries[kept] = std::move(e);
            kept++;
        }
        entries.resize(kept);
    }
};

}  // namespace

arrow::Batch FoundKeys::columns(const arrow::SchemaPtr& schema, size_t begin, size_t end) const {
    std::map<uint32_t, uint32_t> used;  // numbers of batches, and of the sources below
    std::vector<arrow::RowRef> rows;
    for (size_t i = begin; i < end; i++) {
        const auto next = static_cast<uint32_t>(used.size());
        rows.push_back({used.emplace(entries[i].batch, next).first->second, entries[i].row});
    }
    arrow::Batch out{schema, static_cast<int64_t>(end - begin), {}};
    for (size_t c = 0; c < schema->fields.size(); c++) {
        std::vector<const arrow::Array*> sources(used.size());
        for (auto [batch, source] : used) sources[source] = &batches[batch].columns[c];
        out.columns.push_back(arrow::gather(sources, rows));
    }
    return out;
}

CustomIndexes::CustomIndexes(const CustomTableDef& table) : table_(table) {
    auto ask = [&]() -> Status {
        rows_ = std::max(0.0, table.table->row_count().value_or(kUnknownRows));
        fetch_cost_ = std::max(0.0, table.table->fetch_cost());
        return {};
    };
    status_ = guarded(describe(table), ask);
}

std::optional<PlannedIndexes> CustomIndexes::plan_scan(size_t index,
                                                       std::span<const Expr> filters) const {
    if (!status_.ok()) return std::nullopt;
    return table_.indexes[index].kind == IndexKind::kConditions ? plan_conditions(index, filters)
                                                                : plan_ranges(index, filters);
}

std::optional<PlannedIndexes> CustomIndexes::plan_ranges(size_t index,
                                                         std::span<const Expr> filters) const {
    const CustomIndexDef& def = table_.indexes[index];
    auto conditions = find_key_conditions(filters, def.columns, *def.values);
    if (!conditions) return std::nullopt;
    for (const IndexRange& range : conditions->ranges) {
        if (!answers(def, range)) return std::nullopt;
    }
    IndexAnswer answer = IndexAnswer::kNone;
    status_ = guarded(describe(table_, def), [&]() -> Status {
        answer = def.index->answers_ranges();
        return {};
    });
    if (answer == IndexAnswer::kNone) return std::nullopt;
    PlannedIndexes out{{}, std::move(conditions->used), std::move(conditions->exact)};
    if (answer == IndexAnswer::kInexact) out.exact.assign(out.exact.size(), false);
    out.plan.index = index;
    out.plan.points = conditions->points;
    out.plan.request.ranges = std::move(conditions->ranges);
    return priced(std::move(out));
}

std::optional<PlannedIndexes> CustomIndexes::plan_conditions(size_t index,
                                                             std::span<const Expr> filters) const {
    const CustomIndexDef& def = table_.indexes[index];
    PlannedIndexes out;
    out.plan.index = index;
    out.used.resize(filters.size());
    out.exact.resize(filters.size());
    for (size_t i = 0; i < filters.size(); i++) {
        auto condition = condition_of(filters[i], def, *table_.schema);
        if (!condition) continue;
        IndexAnswer answer = IndexAnswer::kNone;
        status_ = guarded(describe(table_, def), [&]() -> Status {
            answer = def.index->answers(*condition);
            return {};
        });
        if (!status_.ok()) return std::nullopt;
        if (answer == IndexAnswer::kNone) continue;
        out.used[i] = true;
        out.exact[i] = answer == IndexAnswer::kExact;
        out.plan.request.conditions.push_back(std::move(*condition));
    }
    if (out.plan.request.conditions.empty()) return std::nullopt;
    return priced(std::move(out));
}

std::optional<PlannedIndexes> CustomIndexes::priced(PlannedIndexes out) const {
    const CustomIndexDef& def = table_.indexes[out.plan.index];
    const IndexRequest& request = out.plan.request;
    const auto requests = static_cast<double>(request.ranges.size() + request.conditions.size());
    std::optional<double> estimate;
    if (requests == 0) {
        estimate = 0;  // nothing can satisfy the conditions
    } else {
        status_ = guarded(describe(table_, def), [&]() -> Status {
            estimate = def.index->estimate(request);
            return {};
        });
        if (!status_.ok()) return std::nullopt;
    }
    double rows = estimate.value_or(guess(request, rows_));
    if (std::isnan(rows)) rows = rows_;
    out.plan.rows = std::clamp(rows, 0.0, rows_);
    out.plan.finding = requests * kRequestCost + out.plan.rows * kKeyCost;
    out.plan.fetching = out.plan.rows * fetch_cost_;
    return out;
}

Result<FoundKeys> CustomIndexes::find_keys(const IndexPlan& plan, const CancelFlag* cancel,
                                           CustomScanCounts* counts) const {
    FoundKeys found;
    counts->found.resize(table_.indexes.size());
    auto scan = [&](const IndexPlan& one) -> Result<KeySet> {
        const CustomIndexDef& def = table_.indexes[one.index];
        const IndexRequest& request = one.request;
        KeySet keys;
        if (request.ranges.empty() && request.conditions.empty()) return keys;
        counts->requests += request.ranges.size() + request.conditions.size();
        CustomStream stream(table_.key_schema, describe(table_, def), cancel);
        RETURN_IF_ERROR(stream.open([&] { return def.index->scan(request); }));
        for (;;) {
            ASSIGN_OR_RETURN(auto batch, stream.next());
            if (!batch) break;
            counts->found[one.index] += static_cast<uint64_t>(batch->rows);
            const auto number = static_cast<uint32_t>(found.batches.size());
            std::vector<const arrow::Array*> columns;
            for (const arrow::Array& c : batch->columns) columns.push_back(&c);
            for (uint32_t row = 0; row < batch->rows; row++) {
                keys.entries.push_back({table_.keys->encode(columns, row), number, row});
            }
            found.batches.push_back(std::move(*batch));
        }
        keys.normalise();
        return keys;
    };
    ASSIGN_OR_RETURN(KeySet keys, run_index_plan<KeySet>(plan, scan));
    found.entries = std::move(keys.entries);
    return found;
}

}  // namespace trefoil::access
