// What the tests of filters are measured against: rows as Values, and an evaluator that takes one
// row and one expression at a time, with NULL as a third truth value and no tricks. Used by tests
// only.

#pragma once

#include <algorithm>
#include <cctype>
#include <cmath>
#include <compare>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "arrow/array.h"
#include "plan/expr.h"

namespace trefoil::access::oracle {

using Truth = std::optional<bool>;  // nullopt: unknown
using plan::CompareOp;
using plan::Expr;

// --- Arrays from values
// ----------------------------------------------------------------------------

inline std::string fixed_bytes(const Value& v, const arrow::Type& type) {
    auto raw = [](auto x) {
        std::string s(sizeof x, 0);
        std::memcpy(s.data(), &x, sizeof x);
        return s;
    };
    using arrow::TypeId;
    if (v.is_null())
        return std::string(type.byte_width(), '\x5a');  // what lies under NULL is noise
    if (const auto* d = v.get_if<double>()) {
        return type.id == TypeId::kFloat32 ? raw(static_cast<float>(*d)) : raw(*d);
    }
    if (const auto* i = v.get_if<int64_t>()) {
        if (type.id == TypeId::kInt16) return raw(static_cast<int16_t>(*i));
        return type.id == TypeId::kInt32 ? raw(static_cast<int32_t>(*i)) : raw(*i);
    }
    if (const auto* d = v.get_if<Decimal>()) {
        return type.id == TypeId::kUInt64 ? raw(static_cast<uint64_t>(d->unscaled))
                                          : raw(d->unscaled);
    }
    if (const auto* d = v.get_if<Date>()) return raw(d->days);
    if (const auto* t = v.get_if<Time>()) return raw(t->micros);
    if (const auto* t = v.get_if<Timestamp>()) return raw(t->micros);
    if (const auto* u = v.get_if<Uuid>()) return raw(u->bytes);
    if (const auto* i = v.get_if<Interval>()) return raw(i->months) + raw(i->days) + raw(i->nanos);
    std::abort();
}

inline std::string bitmap(size_t n, auto bit) {
    std::string bits((n + 7) / 8, 0);
    for (size_t i = 0; i < n; i++) {
        if (bit(i)) bits[i / 8] |= static_cast<char>(1 << (i % 8));
    }
    return bits;
}

inline arrow::Buffer buffer(const std::string& s) {
    return arrow::copy_buffer({reinterpret_cast<const uint8_t*>(s.data()), s.size()});
}

// `values` as an array. The first `offset` of them are cut off again by slicing.
inline arrow::Array make_array(const arrow::Type& type, const std::vector<Value>& values,
                               int64_t offset = 0) {
    arrow::Array a;
    a.type = type;
    a.length = static_cast<int64_t>(values.size());
    const bool has_null =
        std::any_of(values.begin(), values.end(), [](const Value& v) { return v.is_null(); });
    a.null_count = has_null ? -1 : 0;
    a.buffers.resize(2);
    if (has_null) {
        a.buffers[0] =
            buffer(bitmap(values.size(), [&](size_t i) { return !values[i].is_null(); }));
    }
    std::string data, heap;
    if (type.id == arrow::TypeId::kBool) {
        data = bitmap(values.size(), [&](size_t i) {
            const bool* b = values[i].get_if<bool>();
            return b ? *b : true;
        });
    } else if (type.is_view()) {
        for (const Value& v : values) {
            const auto* text = v.get_if<std::string>();
            const auto* blob = v.get_if<Blob>();
            const std::string s = text ? *text : blob ? blob->bytes : "under NULL, and long";
            arrow::View view{};
            view.size = static_cast<int32_t>(s.size());
            if (s.size() <= 12) {
                std::memcpy(view.inlined, s.data(), s.size());
            } else {
                std::memcpy(view.ref.prefix, s.data(), 4);
                view.ref.offset = static_cast<int32_t>(heap.size());
                heap += s;
            }
            data.append(reinterpret_cast<const char*>(&view), sizeof view);
        }
        a.buffers.push_back(buffer(heap));
    } else {
        for (const Value& v : values) data += fixed_bytes(v, type);
    }
    a.buffers[1] = buffer(data);
    return offset == 0 ? a : a.slice(offset, a.length - offset);
}

// --- Comparing values
// ------------------------------------------------------------------------------

inline std::strong_ordering order_of(double a, double b) {
    return std::strong_order(a == 0 ? 0.0 : a, b == 0 ? 0.0 : b);  // IEEE totalOrder, but -0 = 0
}

// A number with up to 18 digits after the point, times 10^18. REQUIRES: small enough.
inline __int128 in_attos(const Value& v) {
    __int128 x = 0;
    int32_t scale = 0;
    if (const auto* i = v.get_if<int64_t>()) {
        x = *i;
    } else if (const auto* d = v.get_if<Decimal>()) {
        x = d->unscaled, scale = d->scale;
    }
    for (; scale < 18; scale++) {
        if (__builtin_mul_overflow(x, __int128{10}, &x)) std::abort();
    }
    return x;
}

inline std::strong_ordering order_of(const Value& a, const Value& b) {
    constexpr int64_t kDay = 86'400'000'000;
    const auto *x = a.get_if<double>(), *y = b.get_if<double>();
    if (x && y) return order_of(*x, *y);
    // An integer beside a double: long double holds both exactly.
    auto wide = [](const Value& v) -> long double {
        if (const auto* d = v.get_if<double>()) return *d;
        const auto* i = v.get_if<int64_t>();
        return i ? static_cast<long double>(*i)
                 : static_cast<long double>(v.get_if<Decimal>()->unscaled);
    };
    if (x || y) {
        const long double l = wide(a), r = wide(b);
        if (y && std::isnan(*y))
            return std::signbit(*y) ? std::strong_ordering::greater : std::strong_ordering::less;
        if (x && std::isnan(*x))
            return std::signbit(*x) ? std::strong_ordering::less : std::strong_ordering::greater;
        return l < r   ? std::strong_ordering::less
               : l > r ? std::strong_ordering::greater
                       : std::strong_ordering::equal;
    }
    if (a.get_if<int64_t>() || a.get_if<Decimal>()) return in_attos(a) <=> in_attos(b);
    auto micros = [&](const Value& v) -> std::optional<__int128> {
        if (const auto* d = v.get_if<Date>()) return __int128{d->days} * kDay;
        if (const auto* t = v.get_if<Timestamp>()) return t->micros;
        return std::nullopt;
    };
    if (micros(a)) return *micros(a) <=> *micros(b);
    if (const auto* t = a.get_if<Time>()) return t->micros <=> b.get_if<Time>()->micros;
    if (const auto* u = a.get_if<bool>()) return *u <=> *b.get_if<bool>();
    if (const auto* s = a.get_if<std::string>()) return *s <=> *b.get_if<std::string>();
    auto bytes = [](const Value& v) {
        const auto* u = v.get_if<Uuid>();
        return u ? std::string(u->bytes.begin(), u->bytes.end()) : v.get_if<Blob>()->bytes;
    };
    return bytes(a) <=> bytes(b);
}

inline bool holds(CompareOp op, std::strong_ordering o) {
    switch (op) {
        case CompareOp::kEqual:
            return o == 0;
        case CompareOp::kNotEqual:
            return o != 0;
        case CompareOp::kLess:
            return o < 0;
        case CompareOp::kLessEqual:
            return o <= 0;
        case CompareOp::kGreater:
            return o > 0;
        case CompareOp::kGreaterEqual:
            return o >= 0;
    }
    return false;
}

// --- LIKE
// ------------------------------------------------------------------------------------------

inline std::vector<std::string> characters(std::string_view text) {
    std::vector<std::string> out;
    for (char c : text) {
        if ((static_cast<unsigned char>(c) & 0xc0) != 0x80) out.emplace_back();
        out.back() += c;
    }
    return out;
}

inline std::string folded(const std::string& c) {
    if (c == "\u017f") return "s";
    if (c == "\u212a") return "k";
    return c.size() == 1 ? std::string(1, static_cast<char>(std::tolower(c[0]))) : c;
}

inline bool like(const std::vector<std::string>& text, size_t t, const std::vector<std::string>& p,
                 size_t i, bool ignore_case) {
    if (i == p.size()) return t == text.size();
    if (p[i] == "%") {
        for (size_t from = t; from <= text.size(); from++) {
            if (like(text, from, p, i + 1, ignore_case)) return true;
        }
        return false;
    }
    if (t == text.size()) return false;
    std::string want = p[i];
    const bool any = want == "_";
    if (want == "\\" && i + 1 < p.size()) want = p[++i];
    const bool same = ignore_case ? folded(want) == folded(text[t]) : want == text[t];
    return (any || same) && like(text, t + 1, p, i + 1, ignore_case);
}

// --- Expressions
// -----------------------------------------------------------------------------------

using Row = std::vector<Value>;

inline const Value& operand(const Expr& e, const Row& row) {
    return e.kind == Expr::Kind::kColumn ? row[e.index] : e.value;
}

inline Truth negation(Truth t) {
    return t ? Truth(!*t) : t;
}

inline Truth evaluate(const Expr& e, const Row& row) {
    auto child = [&](size_t i) -> const Value& { return operand(e.children[i], row); };
    switch (e.kind) {
        case Expr::Kind::kColumn:
        case Expr::Kind::kLiteral: {
            const bool* b = operand(e, row).get_if<bool>();
            return b ? Truth(*b) : std::nullopt;
        }
        case Expr::Kind::kCompare:
            if (child(0).is_null() || child(1).is_null()) return std::nullopt;
            return holds(e.op, order_of(child(0), child(1)));
        case Expr::Kind::kNot:
            return negation(evaluate(e.children[0], row));
        case Expr::Kind::kIsNull:
            return child(0).is_null();
        case Expr::Kind::kAnd:
        case Expr::Kind::kOr: {
            const bool decides = e.kind == Expr::Kind::kOr;
            Truth all = !decides;
            for (const Expr& c : e.children) {
                Truth t = evaluate(c, row);
                if (t == decides) return decides;
                if (!t) all = std::nullopt;
            }
            return all;
        }
        case Expr::Kind::kInList: {
            if (child(0).is_null()) return std::nullopt;
            Truth found = false;
            for (size_t i = 1; i < e.children.size() && found != true; i++) {
                if (child(i).is_null()) {
                    found = std::nullopt;
                } else if (order_of(child(0), child(i)) == 0) {
                    found = true;
                }
            }
            return e.negated ? negation(found) : found;
        }
        case Expr::Kind::kLike: {
            if (child(0).is_null() || child(1).is_null()) return std::nullopt;
            const bool matched =
                like(characters(*child(0).get_if<std::string>()), 0,
                     characters(*child(1).get_if<std::string>()), 0, e.ignore_case);
            return matched != e.negated;
        }
        default:
            std::abort();
    }
}

}  // namespace trefoil::access::oracle
