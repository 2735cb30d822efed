// Selectivity: one function per kind of condition.

#include "access/selectivity.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

namespace trefoil::access {
namespace {

using plan::CompareOp;
using plan::Expr;
using table::ColumnSummary;
using table::TableStatistics;

// Shares of conditions of which nothing is known.
constexpr double kUsual = 0.25;
constexpr double kUsualRange = 0.33;
constexpr double kUsualContains = 0.1;
constexpr double kUsualPrefix = 0.02;
constexpr double kDayMicros = 86400e6;

double first_bytes(std::string_view bytes) {
    double at = 0, weight = 1;
    for (size_t i = 0; i < 8; i++) {
        weight /= 256;
        at += weight * (i < bytes.size() ? static_cast<uint8_t>(bytes[i]) : 0);
    }
    return at;
}

// Where a value is among those of its kind.
std::optional<double> position(const Value& v) {
    if (const auto* x = v.get_if<bool>()) return *x ? 1 : 0;
    if (const auto* x = v.get_if<int64_t>()) return static_cast<double>(*x);
    if (const auto* x = v.get_if<double>())
        return std::isfinite(*x) ? std::optional(*x) : std::nullopt;
    if (const auto* x = v.get_if<Decimal>()) {
        return static_cast<double>(x->unscaled) * std::pow(10.0, -x->scale);
    }
    if (const auto* x = v.get_if<Date>()) return x->days * kDayMicros;
    if (const auto* x = v.get_if<Time>()) return static_cast<double>(x->micros);
    if (const auto* x = v.get_if<Timestamp>()) return static_cast<double>(x->micros);
    if (const auto* x = v.get_if<std::string>()) return first_bytes(*x);
    if (const auto* x = v.get_if<Blob>()) return first_bytes(x->bytes);
    return std::nullopt;
}

bool is_text(const Value& v) {
    return v.get_if<std::string>() || v.get_if<Blob>();
}

bool same(const Value& a, const Value& b) {
    if (a == b) return true;
    if (is_text(a) || is_text(b)) return false;
    auto x = position(a), y = position(b);
    return x && y && *x == *y;
}

bool before(const Value& a, const Value& b) {
    if (a.storage().index() == b.storage().index() && is_text(a)) return table::less(a, b);
    auto x = position(a), y = position(b);
    return x && y && *x < *y;
}

// The share of [low, high] below `v`.
double share_between(const Value& low, const Value& high, const Value& v) {
    auto a = position(low), b = position(high), at = position(v);
    if (!a || !b || !at) return 0.5;
    if (*b <= *a) return *at > *a ? 1 : 0;
    return std::clamp((*at - *a) / (*b - *a), 0.0, 1.0);
}

double share_of_nulls(const ColumnSummary& column, const TableStatistics& table) {
    if (column.analysis) return column.analysis->null_share;
    if (table.rows == 0) return 0;
    return std::min(1.0, static_cast<double>(column.null_count) / static_cast<double>(table.rows));
}

double distinct_of(const ColumnSummary& column) {
    const double found = static_cast<double>(column.distinct);
    return std::max({1.0, found, column.analysis ? column.analysis->distinct : 0.0});
}

double share_equal(const ColumnSummary& column, const TableStatistics& table, const Value* v) {
    double rest = 1 - share_of_nulls(column, table);
    double others = distinct_of(column);
    if (column.analysis) {
        for (const auto& [value, share] : column.analysis->common) {
            if (v && same(value, *v)) return share;
            rest -= share;
            others -= 1;
        }
    }
    const double each = std::max(0.0, rest) / std::max(1.0, others);
    if (v && table.complete && !column.min.is_null() &&
        (before(*v, column.min) || before(column.max, *v))) {
        return 0;
    }
    return each;
}

// The share of all rows below `v`.
double share_below(const ColumnSummary& column, const TableStatistics& table, const Value& v) {
    double rest = 1 - share_of_nulls(column, table);
    double below = 0;
    if (column.analysis) {
        for (const auto& [value, share] : column.analysis->common) {
            rest -= share;
            if (before(value, v)) below += share;
        }
        const std::vector<Value>& quantiles = column.analysis->quantiles;
        if (quantiles.size() > 1) {
            auto at = std::lower_bound(quantiles.begin(), quantiles.end(), v, before);
            const auto whole = static_cast<double>(at - quantiles.begin());
            double share = 0;
            if (at == quantiles.end()) {
                share = 1;
            } else if (at != quantiles.begin()) {
                share = (whole - 1 + share_between(*(at - 1), *at, v)) /
                        static_cast<double>(quantiles.size() - 1);
            }
            return below + std::max(0.0, rest) * share;
        }
    }
    if (column.min.is_null()) return rest * kUsualRange;
    return below + std::max(0.0, rest) * share_between(column.min, column.max, v);
}

// The rows of one column between two bounds.
struct Interval {
    double below_low = 0;   // share of all rows below the interval
    double below_high = 1;  // and below its end
    double nulls = 0;

    double share() const { return std::max(0.0, below_high - below_low - nulls); }
};

// column op literal; the column's index in `column`.
const Value* literal_comparison(const Expr& e, uint32_t* column, CompareOp* op) {
    if (e.kind != Expr::Kind::kCompare) return nullptr;
    const Expr &left = e.children[0], &right = e.children[1];
    if (left.kind == Expr::Kind::kColumn && right.kind == Expr::Kind::kLiteral) {
        *column = left.index;
        *op = e.op;
        return &right.value;
    }
    if (right.kind == Expr::Kind::kColumn && left.kind == Expr::Kind::kLiteral) {
        *column = right.index;
        *op = plan::mirrored(e.op);
        return &left.value;
    }
    return nullptr;
}

bool is_range(CompareOp op) {
    return op != CompareOp::kEqual && op != CompareOp::kNotEqual;
}

void narrow(Interval* interval, const ColumnSummary& column, const TableStatistics& table,
            CompareOp op, const Value& v) {
    interval->nulls = share_of_nulls(column, table);
    double below = share_below(column, table, v);
    if (op == CompareOp::kLessEqual || op == CompareOp::kGreater) {
        below = std::min(1 - interval->nulls, below + share_equal(column, table, &v));
    }
    // Below the end there are the nulls besides, see share().
    if (op == CompareOp::kLess || op == CompareOp::kLessEqual) {
        interval->below_high = std::min(interval->below_high, below + interval->nulls);
    } else {
        interval->below_low = std::max(interval->below_low, below);
    }
}

double share_of_comparison(const Expr& e, const TableStatistics& table) {
    uint32_t at = 0;
    CompareOp op = e.op;
    if (const Value* v = literal_comparison(e, &at, &op)) {
        if (v->is_null()) return 0;
        if (at >= table.columns.size()) return is_range(op) ? kUsualRange : kUsual;
        const ColumnSummary& column = table.columns[at];
        if (is_range(op)) {
            Interval interval;
            narrow(&interval, column, table, op, *v);
            return interval.share();
        }
        const double equal = share_equal(column, table, v);
        return op == CompareOp::kEqual ? equal : 1 - share_of_nulls(column, table) - equal;
    }
    if (is_range(op)) return kUsualRange;
    double equal = 1;
    bool known = false;
    for (const Expr& side : e.children) {
        if (side.kind != Expr::Kind::kColumn || side.index >= table.columns.size()) continue;
        equal = std::min(equal, share_equal(table.columns[side.index], table, nullptr));
        known = true;
    }
    if (!known) equal = kUsual;
    return op == CompareOp::kEqual ? equal : 1 - equal;
}

double share_of_list(const Expr& e, const TableStatistics& table) {
    double share = 0;
    for (size_t i = 1; i < e.children.size(); i++) {
        share += share_of_comparison(Expr::compare(CompareOp::kEqual, e.children[0], e.children[i]),
                                     table);
    }
    return std::min(share, 1.0);
}

double share_of_like(const Expr& e) {
    const std::string* pattern = e.children[1].value.get_if<std::string>();
    if (!pattern || pattern->empty()) return kUsualContains;
    return pattern->front() == '%' || pattern->front() == '_' ? kUsualContains : kUsualPrefix;
}

}  // namespace

double selectivity(const Expr& condition, const TableStatistics& table) {
    double share = kUsual;
    switch (condition.kind) {
        case Expr::Kind::kCompare:
            share = share_of_comparison(condition, table);
            break;
        case Expr::Kind::kAnd:
            return selectivity(condition.children, table);
        case Expr::Kind::kOr: {
            double none = 1;
            for (const Expr& child : condition.children) none *= 1 - selectivity(child, table);
            share = 1 - none;
            break;
        }
        case Expr::Kind::kNot:
            share = 1 - selectivity(condition.children[0], table);
            break;
        case Expr::Kind::kIsNull: {
            const Expr& child = condition.children[0];
            const bool known =
                child.kind == Expr::Kind::kColumn && child.index < table.columns.size();
            share = known ? share_of_nulls(table.columns[child.index], table) : 0.01;
            break;
        }
        case Expr::Kind::kInList:
            share = share_of_list(condition, table);
            break;
        case Expr::Kind::kLike:
            share = share_of_like(condition);
            break;
        case Expr::Kind::kLiteral: {
            const bool* value = condition.value.get_if<bool>();
            return value && *value ? 1 : 0;
        }
        default:
            break;
    }
    const bool negated = condition.negated && (condition.kind == Expr::Kind::kInList ||
                                               condition.kind == Expr::Kind::kLike);
    return std::clamp(negated ? 1 - share : share, 0.0, 1.0);
}

double selectivity(std::span<const Expr> conditions, const TableStatistics& table) {
    std::vector<Expr> flat;
    for (const Expr& condition : conditions) plan::flatten_and(condition, &flat);
    std::map<uint32_t, Interval> intervals;
    double share = 1;
    for (const Expr& condition : flat) {
        uint32_t column = 0;
        CompareOp op = condition.op;
        const Value* v = literal_comparison(condition, &column, &op);
        if (v && !v->is_null() && is_range(op) && column < table.columns.size()) {
            narrow(&intervals[column], table.columns[column], table, op, *v);
        } else {
            share *= selectivity(condition, table);
        }
    }
    for (const auto& [column, interval] : intervals) share *= interval.share();
    return std::clamp(share, 0.0, 1.0);
}

double distinct_among(double rows, double all_rows, double distinct) {
    if (distinct <= 0 || rows >= all_rows) return std::max(1.0, distinct);
    // Each value has all_rows / distinct rows; it is missed if none of them was taken.
    const double missed = std::pow(1 - rows / all_rows, all_rows / distinct);
    return std::max(1.0, std::min(rows, distinct * (1 - missed)));
}

}  // namespace trefoil::access
