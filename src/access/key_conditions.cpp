// KeyConditions: intervals over key columns, and their key ranges.

#include "access/key_conditions.h"

#include <algorithm>

#include "base/key_coding.h"
#include "table/zone_map.h"

namespace trefoil::access {
namespace {

using index::Key;
using index::KeyEncoder;
using index::KeyRange;
using plan::CompareOp;
using plan::Expr;
using table::less;

// More single values than this on an early key column are not multiplied out with the next one.
constexpr size_t kPointsMax = 1000;

// Values v with low <= v <= high (or <). An absent bound is open.
struct Interval {
    std::optional<Value> low, high;
    bool low_inclusive = true, high_inclusive = true;

    bool is_point() const { return low && high && !less(*low, *high); }
    bool is_empty() const {
        if (!low || !high) return false;
        return less(*high, *low) || (!less(*low, *high) && !(low_inclusive && high_inclusive));
    }
};

// Disjoint intervals in ascending order and whether NULL is wanted, too; and whether they say all
// that the condition says.
struct IntervalSet {
    std::vector<Interval> intervals;
    bool exact = true;
    bool nulls = false;
};

// Whether interval a begins before b.
bool begins_before(const Interval& a, const Interval& b) {
    if (!b.low) return false;
    if (!a.low) return true;
    if (less(*a.low, *b.low)) return true;
    return !less(*b.low, *a.low) && a.low_inclusive && !b.low_inclusive;
}

bool ends_before(const Interval& a, const Interval& b) {
    if (!a.high) return false;
    if (!b.high) return true;
    if (less(*a.high, *b.high)) return true;
    return !less(*b.high, *a.high) && !a.high_inclusive && b.high_inclusive;
}

// Whether they overlap or meet without a gap. REQUIRES: a does not begin after b.
bool touches(const Interval& a, const Interval& b) {
    if (!a.high || !b.low) return true;
    if (less(*a.high, *b.low)) return false;
    return less(*b.low, *a.high) || a.high_inclusive || b.low_inclusive;
}

std::vector<Interval> unite(std::vector<Interval> all) {
    std::sort(all.begin(), all.end(), begins_before);
    std::vector<Interval> out;
    for (Interval& next : all) {
        if (!out.empty() && touches(out.back(), next)) {
            if (ends_before(out.back(), next)) {
                out.back().high = std::move(next.high);
                out.back().high_inclusive = next.high_inclusive;
            }
        } else {
            out.push_back(std::move(next));
        }
    }
    return out;
}

Interval intersect(const Interval& a, const Interval& b) {
    const Interval& low = begins_before(a, b) ? b : a;
    const Interval& high = ends_before(a, b) ? a : b;
    return {low.low, high.high, low.low_inclusive, high.high_inclusive};
}

std::vector<Interval> intersect(const std::vector<Interval>& a, const std::vector<Interval>& b) {
    std::vector<Interval> out;
    for (size_t i = 0, j = 0; i < a.size() && j < b.size();) {
        Interval both = intersect(a[i], b[j]);
        if (!both.is_empty()) out.push_back(std::move(both));
        if (ends_before(a[i], b[j])) {
            i++;
        } else {
            j++;
        }
    }
    return out;
}

// Turns conditions into intervals over one key column.
class Deriver {
public:
    Deriver(const KeyEncoder& keys, size_t part, uint32_t column)
        : keys_(keys), part_(part), column_(column) {
        arrow::TypeId id = keys.types()[part].id;
        floating_ = id == arrow::TypeId::kFloat32 || id == arrow::TypeId::kFloat64;
        text_ = id == arrow::TypeId::kUtf8View;
    }

    // nullopt: the condition says nothing about the column.
    std::optional<IntervalSet> derive(const Expr& e) const {
        switch (e.kind) {
            case Expr::Kind::kCompare:
                return compare(e);
            case Expr::Kind::kInList:
                return in_list(e);
            case Expr::Kind::kAnd:
                return conjunction(e);
            case Expr::Kind::kOr:
                return disjunction(e);
            case Expr::Kind::kIsNull:
                if (is_column(e.children[0])) return IntervalSet{{}, true, keys_.nullable()};
                return std::nullopt;
            case Expr::Kind::kNot:
                return is_not_null(e.children[0]);
            case Expr::Kind::kColumn:
                if (is_column(e)) return against(CompareOp::kEqual, Value(true));
                return std::nullopt;
            case Expr::Kind::kLike:
                return like(e);
            case Expr::Kind::kLiteral:
                return literal(e.value);
            default:
                return std::nullopt;
        }
    }

private:
    bool is_column(const Expr& e) const {
        return e.kind == Expr::Kind::kColumn && e.index == column_;
    }

    // FALSE, or NULL: what is left of conditions that contradict each other.
    static std::optional<IntervalSet> literal(const Value& value) {
        const bool* truth = value.get_if<bool>();
        if (value.is_null() || (truth && !*truth)) return IntervalSet{};
        return std::nullopt;
    }

    // What is left under NOT: IS NULL, and a BOOLEAN column.
    std::optional<IntervalSet> is_not_null(const Expr& e) const {
        if (is_column(e)) return against(CompareOp::kEqual, Value(false));
        if (e.kind != Expr::Kind::kIsNull || !is_column(e.children[0])) return std::nullopt;
        return IntervalSet{{Interval{}}, true};
    }

    // LIKE 'abc%': the texts that begin with abc.
    std::optional<IntervalSet> like(const Expr& e) const {
        if (!text_ || e.negated || e.ignore_case || !is_column(e.children[0])) return std::nullopt;
        if (e.children[1].kind != Expr::Kind::kLiteral) return std::nullopt;
        if (e.children[1].value.is_null()) return IntervalSet{};
        const std::string* pattern = e.children[1].value.get_if<std::string>();
        if (!pattern) return std::nullopt;
        const size_t special = pattern->find_first_of("%_\\");
        if (special == std::string::npos) return against(CompareOp::kEqual, e.children[1].value);
        if (special == 0) return std::nullopt;
        std::string prefix = pattern->substr(0, special), end = prefix;
        Interval texts;
        texts.low = Value(std::move(prefix));
        if (prefix_successor(&end)) {
            texts.high = Value(std::move(end));
            texts.high_inclusive = false;
        }
        return IntervalSet{{std::move(texts)}, pattern->substr(special) == "%"};
    }

    std::optional<IntervalSet> compare(const Expr& e) const {
        const Expr& a = e.children[0];
        const Expr& b = e.children[1];
        if (is_column(a) && b.kind == Expr::Kind::kLiteral) return against(e.op, b.value);
        if (is_column(b) && a.kind == Expr::Kind::kLiteral) return against(mirrored(e.op), a.value);
        return std::nullopt;
    }

    std::optional<IntervalSet> against(CompareOp op, const Value& literal) const {
        if (literal.is_null()) return IntervalSet{};
        if (op == CompareOp::kNotEqual) return not_equal(literal);
        using Kind = KeyEncoder::Converted::Kind;
        KeyEncoder::Converted c = keys_.convert(literal, part_);
        const bool below = op == CompareOp::kLess || op == CompareOp::kLessEqual;
        const bool equal = op == CompareOp::kEqual;
        switch (c.kind) {
            case Kind::kNotComparable:
                return std::nullopt;
            case Kind::kBelowAll:
                return equal || below ? IntervalSet{} : everything();
            case Kind::kAboveAll:
                return equal || !below ? IntervalSet{} : everything();
            case Kind::kBetween:
                if (equal) return IntervalSet{};
                return below ? up_to(c.value, true) : from(c.value, false);
            case Kind::kExact:
                break;
        }
        switch (op) {
            case CompareOp::kEqual:
                return IntervalSet{{{c.value, c.value, true, true}}, !floating_};
            case CompareOp::kLess:
                return up_to(c.value, false);
            case CompareOp::kLessEqual:
                return up_to(c.value, true);
            case CompareOp::kGreater:
                return from(c.value, false);
            default:
                return from(c.value, true);
        }
    }

    std::optional<IntervalSet> not_equal(const Value& literal) const {
        using Kind = KeyEncoder::Converted::Kind;
        KeyEncoder::Converted c = keys_.convert(literal, part_);
        if (floating_ || c.kind == Kind::kNotComparable) return std::nullopt;
        if (c.kind != Kind::kExact) return everything();
        return IntervalSet{
            {{std::nullopt, c.value, true, false}, {c.value, std::nullopt, false, true}}, true};
    }

    // In comparisons some NaNs are below all numbers, in keys all of them are above: so a range
    // that is open below says nothing, and one that is open above must be checked again.
    std::optional<IntervalSet> up_to(Value v, bool inclusive) const {
        if (floating_) return std::nullopt;
        return IntervalSet{{{std::nullopt, std::move(v), true, inclusive}}, true};
    }
    std::optional<IntervalSet> from(Value v, bool inclusive) const {
        return IntervalSet{{{std::move(v), std::nullopt, inclusive, true}}, !floating_};
    }
    std::optional<IntervalSet> everything() const {
        if (floating_) return std::nullopt;
        return IntervalSet{{{std::nullopt, std::nullopt, true, true}}, true};
    }

    std::optional<IntervalSet> in_list(const Expr& e) const {
        if (!is_column(e.children[0])) return std::nullopt;
        if (e.negated) return not_in_list(e);
        IntervalSet out;
        for (size_t i = 1; i < e.children.size(); i++) {
            if (e.children[i].kind != Expr::Kind::kLiteral) return std::nullopt;
            auto one = against(CompareOp::kEqual, e.children[i].value);
            if (!one) return std::nullopt;
            out.exact &= one->exact;
            out.intervals.insert(out.intervals.end(), one->intervals.begin(), one->intervals.end());
        }
        out.intervals = unite(std::move(out.intervals));
        return out;
    }

    std::optional<IntervalSet> not_in_list(const Expr& e) const {
        std::optional<IntervalSet> out = everything();
        for (size_t i = 1; i < e.children.size() && out; i++) {
            if (e.children[i].kind != Expr::Kind::kLiteral) return std::nullopt;
            auto one = against(CompareOp::kNotEqual, e.children[i].value);
            if (!one) return std::nullopt;
            out->intervals = intersect(out->intervals, one->intervals);
        }
        return out;
    }

    std::optional<IntervalSet> conjunction(const Expr& e) const {
        std::optional<IntervalSet> out;
        bool exact = true;
        for (const Expr& child : e.children) {
            auto one = derive(child);
            if (!one) {
                exact = false;
                continue;
            }
            exact &= one->exact;
            out = out ? IntervalSet{intersect(out->intervals, one->intervals), true,
                                    out->nulls && one->nulls}
                      : std::move(one);
        }
        if (out) out->exact = exact;
        return out;
    }

    std::optional<IntervalSet> disjunction(const Expr& e) const {
        IntervalSet out;
        for (const Expr& child : e.children) {
            auto one = derive(child);
            if (!one) return std::nullopt;
            out.exact &= one->exact;
            out.nulls |= one->nulls;
            out.intervals.insert(out.intervals.end(), one->intervals.begin(), one->intervals.end());
        }
        out.intervals = unite(std::move(out.intervals));
        return out;
    }

    const KeyEncoder& keys_;
    size_t part_;
    uint32_t column_;
    bool floating_ = false;
    bool text_ = false;
};

// The least key above all that begin with this one; empty if there is none.
Key successor(Key key) {
    if (!prefix_successor(&key.bytes)) key.bytes.clear();
    return key;
}

// The keys that begin with `prefix` and whose next column lies in `interval`.
IndexRange range_of(const std::vector<Value>& prefix, Interval interval) {
    IndexRange range;
    range.equal = prefix;
    if (interval.is_point()) {
        range.equal.push_back(std::move(*interval.low));
        return range;
    }
    range.bounded = true;
    range.low = std::move(interval.low);
    range.high = std::move(interval.high);
    range.low_inclusive = interval.low_inclusive;
    range.high_inclusive = interval.high_inclusive;
    return range;
}

IndexRange with_prefix(std::vector<Value> prefix) {
    IndexRange range;
    range.equal = std::move(prefix);
    return range;
}

// What all filters together say about one key column. Marks in `exact` those it says all of.
std::optional<IntervalSet> narrow(const Deriver& deriver, std::span<const Expr> filters,
                                  KeyConditions* conditions) {
    std::optional<IntervalSet> out;
    for (size_t i = 0; i < filters.size(); i++) {
        auto one = deriver.derive(filters[i]);
        if (!one) continue;
        conditions->used[i] = true;
        if (one->exact) conditions->exact[i] = true;
        out = out ? IntervalSet{intersect(out->intervals, one->intervals), true,
                                out->nulls && one->nulls}
                  : std::move(one);
    }
    return out;
}

// The single values of a set, if it has nothing else.
std::optional<std::vector<Value>> points_of(const IntervalSet& set) {
    std::vector<Value> points;
    for (const Interval& i : set.intervals) {
        if (!i.is_point()) return std::nullopt;
        points.push_back(*i.low);
    }
    if (set.nulls) points.push_back(Value());
    return points;
}

Expr push_not(const Expr& e, bool negate) {
    Expr out = e;
    switch (e.kind) {
        case Expr::Kind::kNot:
            return push_not(e.children[0], !negate);
        case Expr::Kind::kAnd:
        case Expr::Kind::kOr:
            if (negate) out.kind = e.kind == Expr::Kind::kAnd ? Expr::Kind::kOr : Expr::Kind::kAnd;
            for (Expr& child : out.children) child = push_not(child, negate);
            return out;
        case Expr::Kind::kCompare:
            if (negate) out.op = inverse(e.op);
            return out;
        case Expr::Kind::kInList:
        case Expr::Kind::kLike:
            out.negated = e.negated != negate;
            return out;
        default:
            break;
    }
    if (!negate) return out;
    Expr no;
    no.kind = Expr::Kind::kNot;
    no.children.push_back(std::move(out));
    return no;
}

bool begins_before(const KeyRange& a, const KeyRange& b) {
    if (!a.low || !b.low) return !a.low && b.low;
    return *a.low < *b.low;
}

}  // namespace

std::vector<KeyRange> in_order(std::vector<KeyRange> ranges) {
    std::sort(ranges.begin(), ranges.end(),
              [](const KeyRange& a, const KeyRange& b) { return begins_before(a, b); });
    std::vector<KeyRange> out;
    for (KeyRange& next : ranges) {
        const bool meets = !out.empty() && next.low &&
                           (!out.back().high || *next.low < *out.back().high ||
                            (*next.low == *out.back().high && out.back().high_inclusive));
        if (!meets) {
            out.push_back(std::move(next));
        } else if (out.back().high && (!next.high || *out.back().high < *next.high)) {
            out.back().high = std::move(next.high);
            out.back().high_inclusive = next.high_inclusive;
        }
    }
    return out;
}

Expr without_not(const Expr& filter) {
    return push_not(filter, false);
}

std::optional<KeyConditions> find_key_conditions(std::span<const Expr> filters,
                                                 std::span<const uint32_t> columns,
                                                 const KeyEncoder& keys) {
    KeyConditions out;
    out.used.resize(filters.size());
    out.exact.resize(filters.size());
    std::vector<std::vector<Value>> prefixes = {{}};
    bool null = false;  // a prefix holds one
    for (size_t part = 0; part < keys.types().size(); part++) {
        auto set = narrow(Deriver(keys, part, columns[part]), filters, &out);
        if (!set) {
            if (part == 0) return std::nullopt;
            // The columns before this one are fixed: everything that begins with them.
            for (auto& prefix : prefixes) out.ranges.push_back(with_prefix(std::move(prefix)));
            break;
        }
        const bool last = part + 1 == keys.types().size();
        auto points = points_of(*set);
        null |= set->nulls;
        if (last || !points || prefixes.size() * points->size() > kPointsMax) {
            for (const auto& prefix : prefixes) {
                for (const Interval& i : set->intervals) {
                    out.ranges.push_back(range_of(prefix, i));
                }
                if (!set->nulls) continue;
                out.ranges.push_back(with_prefix(prefix));
                out.ranges.back().equal.push_back(Value());
            }
            out.points = last && points && !null;
            break;
        }
        std::vector<std::vector<Value>> longer;
        for (const auto& prefix : prefixes) {
            for (const Value& value : *points) {
                longer.push_back(prefix);
                longer.back().push_back(value);
            }
        }
        prefixes = std::move(longer);
        if (prefixes.empty()) {
            out.points = true;
            break;
        }
    }
    if (keys.is_hashing() && !out.points) return std::nullopt;
    return out;
}

KeyRange encode_range(const KeyEncoder& keys, const IndexRange& wanted) {
    const size_t columns = keys.types().size();
    const std::vector<Value>& prefix = wanted.equal;
    if (prefix.size() == columns) return KeyRange::exactly(keys.encode(prefix));
    if (!wanted.bounded && prefix.empty()) return {};  // all
    if (!wanted.bounded) return KeyRange::beginning_with(keys.encode(prefix));
    // In the order of keys.
    const PartOrder order = keys.order(prefix.size());
    const std::optional<Value>& lowest = order.descending ? wanted.high : wanted.low;
    const std::optional<Value>& highest = order.descending ? wanted.low : wanted.high;
    const bool with_lowest = order.descending ? wanted.high_inclusive : wanted.low_inclusive;
    const bool with_highest = order.descending ? wanted.low_inclusive : wanted.high_inclusive;
    KeyRange range;
    auto with = [&](const Value& v) {
        std::vector<Value> values = prefix;
        values.push_back(v);
        return keys.encode(values);
    };
    const bool last = prefix.size() + 1 == columns;
    if (lowest) {
        range.low = with(*lowest);
        range.low_inclusive = with_lowest;
        if (!last && !with_lowest) {
            range.low = successor(std::move(*range.low));
            range.low_inclusive = true;
            if (range.low->bytes.empty()) return KeyRange::nothing();  // nothing is greater
        }
    } else if (keys.nullable() && order.nulls_first) {
        range.low = successor(with(Value()));  // all values, no NULLs
    } else if (!prefix.empty()) {
        range.low = keys.encode(prefix);
    }
    if (highest) {
        range.high = with(*highest);
        range.high_inclusive = with_highest;
        if (!last && with_highest) {
            range.high = successor(std::move(*range.high));
            range.high_inclusive = false;
        }
    } else if (keys.nullable() && !order.nulls_first) {
        range.high = with(Value());
        range.high_inclusive = !keys.null_is_distinct();
    } else if (!prefix.empty()) {
        range.high = successor(keys.encode(prefix));
        range.high_inclusive = false;
    }
    // An empty successor: nothing is greater.
    if (range.high && keys.shape() == index::KeyShape::kBytes && range.high->bytes.empty()) {
        range.high.reset();
    }
    return range;
}

}  // namespace trefoil::access
