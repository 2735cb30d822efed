// Expr: a condition or a value over the columns of one table, as a tree.
//
// This is the form in which filters cross the border from DataFusion and in which the fast path
// keeps its statements. It holds only what the access operators can do something with; everything
// else arrives as kOpaque, and whoever meets an opaque part answers "not understood", never "true".
//
// Three-valued logic throughout: a comparison with NULL is NULL, and a filter keeps rows that are
// true. The byte form, written by the bridge, is drawn in expr_format.h.

#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "arrow/type.h"
#include "base/bytes.h"
#include "trefoil/value.h"

namespace trefoil::plan {

enum class CompareOp : uint8_t { kEqual, kNotEqual, kLess, kLessEqual, kGreater, kGreaterEqual };

// The operator that holds for (b, a) where `op` holds for (a, b): < becomes >.
CompareOp mirrored(CompareOp op);
// The operator that holds where `op` does not, unless one of the two is NULL: < becomes >=.
CompareOp inverse(CompareOp op);

struct Expr {
    enum class Kind : uint8_t {
        kColumn,     // index: column of the table, in the table's order
        kLiteral,    // value, type
        kParameter,  // index: from 0; type: as inferred, kNull if unknown
        kCompare,    // op, children: left, right
        kAnd,        // children: 2 or more
        kOr,         // children: 2 or more
        kNot,        // children: 1
        kIsNull,     // children: 1
        kInList,     // negated, children: the value, then the list
        kLike,    // negated, ignore_case, children: the text, the pattern (escape character is \)
        kOpaque,  // text: what it was, for EXPLAIN
    };

    Kind kind = Kind::kOpaque;
    CompareOp op = CompareOp::kEqual;
    bool negated = false;
    bool ignore_case = false;
    uint32_t index = 0;
    arrow::Type type;
    Value value;
    std::string text;
    std::vector<Expr> children;

    static Expr column(uint32_t index);
    static Expr literal(Value value);
    static Expr parameter(uint32_t index);
    static Expr compare(CompareOp op, Expr left, Expr right);
    static Expr both(Expr left, Expr right);

    bool has_opaque() const;
};

// The conditions that must all hold: nested ANDs flattened.
void flatten_and(const Expr& filter, std::vector<Expr>* conditions);

// `expr` with each parameter replaced by its value.
// Errors: 08P01 if a parameter has no value.
Result<Expr> bind(const Expr& expr, std::span<const Value> parameters);

// "id >= 3 AND name LIKE 'A%'", with names from `schema`; parameters as $1. Of an IN list longer
// than kPrintedListMax the rest is counted: "id IN (1, 2, ... 98 more)".
constexpr size_t kPrintedListMax = 20;
std::string to_string(const Expr& expr, const arrow::Schema& schema);
// Conditions that must all hold, with AND between them.
std::string to_string(std::span<const Expr> conditions, const arrow::Schema& schema);

// Reads one expression in the form of expr_format.h. A literal that a Value cannot hold without
// loss becomes opaque. Errors: kInvalidInput if the bytes are malformed.
Result<Expr> decode_expr(Reader& reader);

// Writes an expression in the form of expr_format.h.
void encode_expr(const Expr& expr, Writer* out);

// Writes a value in the form of expr_format.h: as `type` if it holds the value as it is (NULL in
// any type), else in the value's own type. A list is written as str "+l", u8 is_null, u32 n, n
// values.
void encode_value(const Value& value, const arrow::Type& type, Writer* out);

}  // namespace trefoil::plan
