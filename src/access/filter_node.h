// FilterNode: a compiled condition, one node per question that is asked of the rows.
//
// A node answers only "is it true": NOT has been pushed down into the leaves, and a leaf over a
// NULL is not true, negated or not. So AND and OR are those of bits.

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "access/filter_key.h"
#include "access/filter_set.h"
#include "access/filter_text.h"
#include "plan/expr.h"

namespace trefoil::access {

struct FilterNode {
    enum class Kind : uint8_t {
        kNever,
        kAlways,
        kIsNull,
        kIsNotNull,
        kRange,    // a key in `range`; negated: outside it
        kKeySet,   // a key in `keys` (up to 64 bits) or `wide_keys`
        kText,     // the bytes compare with `text` as `op` says
        kTextSet,  // the bytes are in `texts`
        kLike,     // the text matches `pattern`
        kColumns,  // the values of `column` and `other` compare as `op` says
        kAnd,
        kOr,
    };

    Kind kind = Kind::kNever;
    bool negated = false;
    KeyKind key_kind = KeyKind::kNone;
    plan::CompareOp op = plan::CompareOp::kEqual;
    uint32_t column = 0;  // while compiling: of the table; then: an index into columns()
    uint32_t other = 0;
    arrow::Type type;  // of the column
    KeyRange range;
    std::string text;
    // Shared, since they may be large and nodes are copied while compiling.
    std::shared_ptr<const KeySet<int64_t>> keys;
    std::shared_ptr<const KeySet<Int128>> wide_keys;
    std::shared_ptr<const TextSet> texts;
    std::shared_ptr<const LikePattern> pattern;
    std::vector<FilterNode> children;
};

// The node for `filter`. With `parameters`, a parameter stands for a value that will come, and the
// node is good for nothing but to know that there is one. Errors: as FilterProgram::compile.
Result<FilterNode> compile_filter(const plan::Expr& filter, const arrow::Schema& schema,
                                  bool parameters);

// A key as KeySet<int64_t> holds it: those of UBIGINT are shifted down to fit. REQUIRES:
// is_narrow(kind).
int64_t narrow_key(KeyKind kind, Int128 key);

// All `conditions` as one node: constants folded, ranges over one column merged, cheap ones first.
FilterNode conjunction(std::vector<FilterNode> conditions);

}  // namespace trefoil::access
