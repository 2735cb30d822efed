// From plan::Expr to FilterNode: what is understood, and what it comes down to.

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "access/filter_node.h"
#include "base/check.h"

namespace trefoil::access {
namespace {

using plan::CompareOp;
using plan::Expr;
using Kind = FilterNode::Kind;

// Alternating ANDs and ORs may nest as deep as this; each level takes a few hundred bytes of stack
// when the filter runs.
constexpr int kDepthMax = 60;

FilterNode constant(bool truth) {
    FilterNode n;
    n.kind = truth ? Kind::kAlways : Kind::kNever;
    return n;
}

// The keys that satisfy `key op value`; for <>, those that do not (the caller negates).
KeyRange range_for(CompareOp op, const Place& place, const KeyRange& all) {
    using Where = Place::Where;
    const bool is_at = place.where == Where::kAt;
    const bool wants_less = op == CompareOp::kLess || op == CompareOp::kLessEqual;
    if (op == CompareOp::kEqual || op == CompareOp::kNotEqual) {
        return is_at ? KeyRange{place.low, place.high} : kNoKeys;
    }
    if (place.where == Where::kBelow) return wants_less ? kNoKeys : all;
    if (place.where == Where::kAbove) return wants_less ? all : kNoKeys;
    switch (op) {
        case CompareOp::kLess:
            if (!is_at) return {all.low, place.low};
            return place.low == all.low ? kNoKeys : KeyRange{all.low, place.low - 1};
        case CompareOp::kLessEqual:
            return {all.low, is_at ? place.high : place.low};
        case CompareOp::kGreater:
            if (!is_at) return {place.high, all.high};
            return place.high == all.high ? kNoKeys : KeyRange{place.high + 1, all.high};
        default:
            return {is_at ? place.low : place.high, all.high};
    }
}

// A range test as what it comes down to.
FilterNode simplified_range(FilterNode n) {
    const bool none = n.range.empty();
    const bool all = n.range == all_keys(n.key_kind);
    if (none || all) n.kind = none == n.negated ? Kind::kIsNotNull : Kind::kNever;
    return n;
}

class Compiler {
public:
    Compiler(const arrow::Schema& schema, bool parameters)
        : schema_(schema), parameters_(parameters) {}

    Result<FilterNode> compile(const Expr& e, bool negate, int depth) {
        switch (e.kind) {
            case Expr::Kind::kColumn:
                return compile_bool_column(e, negate);
            case Expr::Kind::kLiteral:
                return compile_constant(e, negate);
            case Expr::Kind::kCompare:
                return compile_compare(e, negate);
            case Expr::Kind::kAnd:
                return compile_list(e, negate, !negate, depth);
            case Expr::Kind::kOr:
                return compile_list(e, negate, negate, depth);
            case Expr::Kind::kNot:
                return compile(e.children[0], !negate, depth);
            case Expr::Kind::kIsNull:
                return compile_is_null(e, negate);
            case Expr::Kind::kInList:
                return compile_in(e, negate != e.negated);
            case Expr::Kind::kLike:
                return compile_like(e, negate != e.negated);
            default:
                return not_understood(e);
        }
    }

private:
    Status not_understood(const Expr& e) const {
        return Status::unsupported("this filter cannot be applied in a scan: " +
                                   to_string(e, schema_));
    }

    bool is_column(const Expr& e) const {
        return e.kind == Expr::Kind::kColumn && e.index < schema_.fields.size();
    }

    FilterNode column_node(Kind kind, const Expr& column, bool negated = false) const {
        FilterNode n;
        n.kind = kind;
        n.negated = negated;
        n.column = column.index;
        n.type = schema_.fields[column.index].type;
        n.key_kind = access::key_kind(n.type);
        return n;
    }

    Result<FilterNode> compile_bool_column(const Expr& e, bool negate) const {
        if (!is_column(e)) return not_understood(e);
        FilterNode n = column_node(Kind::kRange, e);
        if (n.key_kind != KeyKind::kBool) return not_understood(e);
        n.range = negate ? KeyRange{0, 0} : KeyRange{1, 1};
        return n;
    }

    Result<FilterNode> compile_constant(const Expr& e, bool negate) const {
        if (e.value.is_null()) return constant(false);
        const auto* truth = e.value.get_if<bool>();
        if (!truth) return not_understood(e);
        return constant(*truth != negate);
    }

    Result<FilterNode> compile_list(const Expr& e, bool negate, bool is_and, int depth) {
        if (depth >= kDepthMax) {
            return Status::unsupported("a filter nested more than " + std::to_string(kDepthMax) +
                                       " deep cannot be applied in a scan");
        }
        std::vector<FilterNode> nodes;
        for (const Expr& child : e.children) {
            ASSIGN_OR_RETURN(FilterNode n, compile(child, negate, depth + 1));
            nodes.push_back(std::move(n));
        }
        return is_and ? conjunction(std::move(nodes)) : disjunction(std::move(nodes));
    }

    static FilterNode disjunction(std::vector<FilterNode> nodes) {
        FilterNode out;
        out.kind = Kind::kOr;
        for (FilterNode& n : nodes) {
            if (n.kind == Kind::kAlways) return constant(true);
            if (n.kind == Kind::kNever) continue;
            if (n.kind == Kind::kOr) {
                std::move(n.children.begin(), n.children.end(), std::back_inserter(out.children));
            } else {
                out.children.push_back(std::move(n));
            }
        }
        if (out.children.empty()) return constant(false);
        if (out.children.size() == 1) return FilterNode(out.children[0]);
        return out;
    }

    Result<FilterNode> compile_is_null(const Expr& e, bool negate) const {
        const Expr& operand = e.children[0];
        if (operand.kind == Expr::Kind::kLiteral) {
            return constant(operand.value.is_null() != negate);
        }
        if (!is_column(operand)) return not_understood(e);
        return column_node(negate ? Kind::kIsNotNull : Kind::kIsNull, operand);
    }

    Result<FilterNode> compile_compare(const Expr& e, bool negate) const {
        const CompareOp op = negate ? inverse(e.op) : e.op;
        const Expr& left = e.children[0];
        const Expr& right = e.children[1];
        if (is_column(left) && is_column(right)) return compile_columns(e, op);
        const bool turned = is_column(right);
        const Expr& column = turned ? right : left;
        const Expr& operand = turned ? left : right;
        if (!is_column(column)) return not_understood(e);
        return compile_with_operand(e, column, turned ? mirrored(op) : op, operand);
    }

    Result<FilterNode> compile_columns(const Expr& e, CompareOp op) const {
        FilterNode n = column_node(Kind::kColumns, e.children[0]);
        n.op = op;
        n.other = e.children[1].index;
        if (n.key_kind == KeyKind::kNone) return not_understood(e);
        if (!(n.type == schema_.fields[n.other].type)) return not_understood(e);
        return n;
    }

    Result<FilterNode> compile_with_operand(const Expr& e, const Expr& column, CompareOp op,
                                            const Expr& operand) const {
        FilterNode n = column_node(Kind::kRange, column, op == CompareOp::kNotEqual);
        if (n.key_kind == KeyKind::kNone) return not_understood(e);
        if (operand.kind == Expr::Kind::kParameter) return unbound(operand, n.type);
        if (operand.kind != Expr::Kind::kLiteral) return not_understood(e);
        if (operand.value.is_null()) return constant(false);
        if (n.key_kind == KeyKind::kText) {
            std::optional<std::string> text = text_of(operand.value, n.type);
            if (!text) return not_understood(e);
            n.kind = Kind::kText;
            n.negated = false;
            n.op = op;
            n.text = std::move(*text);
            return n;
        }
        std::optional<Place> place = place_of(operand.value, n.type);
        if (!place) return not_understood(e);
        n.range = range_for(op, *place, all_keys(n.key_kind));
        return simplified_range(std::move(n));
    }

    // The bytes of a string for a string column, of a blob for a binary one.
    static std::optional<std::string> text_of(const Value& value, const arrow::Type& type) {
        if (type.is_string()) {
            const auto* text = value.get_if<std::string>();
            return text ? std::optional(*text) : std::nullopt;
        }
        const auto* blob = value.get_if<Blob>();
        return blob ? std::optional(blob->bytes) : std::nullopt;
    }

    // A parameter that will become a value of its inferred type; `type` is the column's.
    Result<FilterNode> unbound(const Expr& parameter, const arrow::Type& type) const {
        if (!parameters_) {
            return Status(
                Code::kInvalidInput, "08P01",
                "there is no value for parameter $" + std::to_string(parameter.index + 1));
        }
        const arrow::Type& p = parameter.type;
        const bool same_kind = type.is_string() ? p.is_string() : p.id == type.id;
        const bool same_detail = p.unit == type.unit && p.width == type.width &&
                                 p.timezone.empty() == type.timezone.empty();
        if (!same_kind || !same_detail) return not_understood(parameter);
        return constant(false);
    }

    Result<FilterNode> compile_in(const Expr& e, bool negated) const {
        const Expr& column = e.children[0];
        if (!is_column(column) || e.children.size() < 2) return not_understood(e);
        FilterNode n = column_node(Kind::kKeySet, column, negated);
        if (n.key_kind == KeyKind::kNone) return not_understood(e);
        std::vector<Int128> keys;
        std::vector<std::string> texts;
        bool has_null = false;
        for (size_t i = 1; i < e.children.size(); i++) {
            const Expr& item = e.children[i];
            if (item.kind == Expr::Kind::kParameter) {
                ASSIGN_OR_RETURN(FilterNode ignored, unbound(item, n.type));
                continue;
            }
            if (item.kind != Expr::Kind::kLiteral) return not_understood(e);
            if (item.value.is_null()) {
                has_null = true;
            } else if (!add_item(item.value, n, &keys, &texts)) {
                return not_understood(e);
            }
        }
        // x NOT IN (1, NULL) is false or unknown.
        if (negated && has_null) return constant(false);
        return finish_set(std::move(n), std::move(keys), std::move(texts));
    }

    // A value that no row can have is left out. False if it cannot be compared here.
    static bool add_item(const Value& value, const FilterNode& n, std::vector<Int128>* keys,
                         std::vector<std::string>* texts) {
        if (n.key_kind == KeyKind::kText) {
            std::optional<std::string> text = text_of(value, n.type);
            if (text) texts->push_back(std::move(*text));
            return text.has_value();
        }
        std::optional<Place> place = place_of(value, n.type);
        if (!place) return false;
        if (place->where != Place::Where::kAt) return true;
        keys->push_back(place->low);
        if (place->high != place->low) keys->push_back(place->high);
        return true;
    }

    static FilterNode finish_set(FilterNode n, std::vector<Int128> keys,
                                 std::vector<std::string> texts) {
        if (keys.empty() && texts.empty()) {
            n.kind = n.negated ? Kind::kIsNotNull : Kind::kNever;
            return n;
        }
        if (n.key_kind == KeyKind::kText) {
            n.kind = Kind::kTextSet;
            n.texts = std::make_shared<TextSet>(std::move(texts));
            return n;
        }
        auto [low, high] = std::minmax_element(keys.begin(), keys.end());
        if (*low == *high || n.key_kind == KeyKind::kBool) {
            n.kind = Kind::kRange;
            n.range = {*low, *high};
            return simplified_range(std::move(n));
        }
        if (is_wide(n.key_kind)) {
            n.wide_keys = std::make_shared<KeySet<Int128>>(std::move(keys));
            return n;
        }
        std::vector<int64_t> narrow;
        for (Int128 k : keys) narrow.push_back(narrow_key(n.key_kind, k));
        n.keys = std::make_shared<KeySet<int64_t>>(std::move(narrow));
        return n;
    }

    Result<FilterNode> compile_like(const Expr& e, bool negated) const {
        const Expr& column = e.children[0];
        const Expr& pattern = e.children[1];
        if (!is_column(column)) return not_understood(e);
        FilterNode n = column_node(Kind::kLike, column, negated);
        if (n.type.id != arrow::TypeId::kUtf8View) return not_understood(e);
        if (pattern.kind == Expr::Kind::kParameter) {
            return e.ignore_case ? Result<FilterNode>(not_understood(e)) : unbound(pattern, n.type);
        }
        if (pattern.kind != Expr::Kind::kLiteral) return not_understood(e);
        if (pattern.value.is_null()) return constant(false);
        const auto* text = pattern.value.get_if<std::string>();
        if (!text) return not_understood(e);
        std::optional<LikePattern> like = LikePattern::parse(*text, e.ignore_case);
        if (!like) return not_understood(e);
        if (like->matches_all()) {
            n.kind = negated ? Kind::kNever : Kind::kIsNotNull;
        } else if (auto exact = like->exact()) {
            n.kind = Kind::kText;
            n.negated = false;
            n.op = negated ? CompareOp::kNotEqual : CompareOp::kEqual;
            n.text = *exact;
        } else {
            n.pattern = std::make_shared<LikePattern>(std::move(*like));
        }
        return n;
    }

    const arrow::Schema& schema_;
    const bool parameters_;
};

// What a row costs, roughly.
int cost(const FilterNode& n) {
    switch (n.kind) {
        case Kind::kIsNull:
        case Kind::kIsNotNull:
            return 0;
        case Kind::kRange:
            return is_narrow(n.key_kind) ? 1 : 3;
        case Kind::kColumns:
            return n.key_kind == KeyKind::kText ? 8 : 3;
        case Kind::kKeySet:
            return 4;
        case Kind::kText:
            return 6;
        case Kind::kTextSet:
            return 10;
        case Kind::kLike:
            return 20;
        default:
            break;
    }
    int sum = 0;
    for (const FilterNode& child : n.children) sum += cost(child);
    return sum;
}

// Adds `n` to conditions that must all hold. A range joins the range over its column.
void add_condition(FilterNode n, std::vector<FilterNode>* conditions) {
    if (n.kind == Kind::kRange && !n.negated) {
        for (FilterNode& c : *conditions) {
            if (c.kind != Kind::kRange || c.negated || c.column != n.column) continue;
            c.range.low = std::max(c.range.low, n.range.low);
            c.range.high = std::min(c.range.high, n.range.high);
            return;
        }
    }
    conditions->push_back(std::move(n));
}

}  // namespace

int64_t narrow_key(KeyKind kind, Int128 key) {
    return static_cast<int64_t>(kind == KeyKind::kUInt64 ? key + INT64_MIN : key);
}

FilterNode conjunction(std::vector<FilterNode> conditions) {
    FilterNode out;
    out.kind = Kind::kAnd;
    for (FilterNode& n : conditions) {
        if (n.kind == Kind::kNever) return constant(false);
        if (n.kind == Kind::kAlways) continue;
        if (n.kind == Kind::kAnd) {
            for (FilterNode& child : n.children) add_condition(std::move(child), &out.children);
        } else {
            add_condition(std::move(n), &out.children);
        }
    }
    for (FilterNode& n : out.children) {
        if (n.kind == Kind::kRange && n.range.empty() && !n.negated) return constant(false);
    }
    if (out.children.empty()) return constant(true);
    if (out.children.size() == 1) return FilterNode(out.children[0]);
    // Cheap ones first, and those of one cost as they came.
    std::vector<FilterNode> ordered;
    for (FilterNode& n : out.children) {
        auto at = std::upper_bound(
            ordered.begin(), ordered.end(), cost(n),
            [](int wanted, const FilterNode& other) { return wanted < cost(other); });
        ordered.insert(at, std::move(n));
    }
    out.children = std::move(ordered);
    return out;
}

Result<FilterNode> compile_filter(const Expr& filter, const arrow::Schema& schema,
                                  bool parameters) {
    return Compiler(schema, parameters).compile(filter, false, 0);
}

}  // namespace trefoil::access
