// FilterProgram: conditions over the columns of a table, made ready to run over batches.
//
//     plan::Expr --compile--> FilterProgram --select-----> which rows of a batch pass
//                                           --may_match--> can any row of a chunk pass?
//
// Compiling does what it can once: NOT is pushed down to the conditions (NOT (a < 3 AND b) becomes
// a >= 3 OR NOT b), so that only "is it true" must be tracked and NULL needs no third state; every
// literal is placed among the values of its column's type, so that `i < 2.5` over integers becomes
// i <= 2 and a comparison with something out of range becomes IS NOT NULL or nothing at all; ranges
// over one column that must both hold become one.
//
// The answers are those of DataFusion, which see docs of `compare`: floating-point numbers in the
// total order of IEEE 754 (NaN with its sign bit below -infinity, NaN without it above infinity)
// except that -0 = 0; strings and bytes by their bytes; LIKE by Unicode characters with the escape
// character \.
//
// What is understood: = <> < <= > >= between a column and a literal, or two columns of one type;
// IN; [NOT] [I]LIKE with a literal pattern (ILIKE: of ASCII); IS NULL; AND, OR, NOT of these; a
// BOOLEAN column by itself. Over BOOLEAN, SMALLINT, INTEGER, BIGINT, UBIGINT, REAL, DOUBLE,
// DECIMAL, TEXT, BYTEA, DATE, TIME, TIMESTAMP[TZ], UUID; columns of other types (INTERVAL, lists)
// only in IS NULL. Tested by filter_test.cpp against an evaluator that knows no tricks.

#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "access/source.h"
#include "arrow/array.h"
#include "plan/expr.h"

namespace trefoil::access {

// kExact if a FilterProgram can be compiled from `filter`, else kNone. A parameter counts as
// understood where a literal of its inferred type would be, whatever its value.
FilterSupport supports(const plan::Expr& filter, const arrow::Schema& schema);

// The rows of one batch that pass: row i is bit i % 64 of words[i / 64].
struct Selection {
    std::vector<uint64_t> words;
    int64_t rows = 0;   // of the batch
    int64_t count = 0;  // that pass

    bool all() const { return count == rows; }
    bool none() const { return count == 0; }
    // The numbers of the rows that pass, ascending, in place of what `out` held.
    void offsets(std::vector<uint32_t>* out) const;
};

struct FilterNode;

// An immutable value, cheap to copy, used by any number of threads at once.
class FilterProgram {
public:
    // All `filters` must hold; none at all hold for every row. `schema` is the table's.
    // Errors: 0A000 if one is not understood, 08P01 if one has an unbound parameter.
    static Result<FilterProgram> compile(std::span<const plan::Expr> filters,
                                         const arrow::Schema& schema);

    // The table columns that it reads, ascending.
    const std::vector<uint32_t>& columns() const { return columns_; }
    // True if every row passes, or none does, whatever they hold.
    bool is_always() const;
    bool is_never() const;

    // Fills `out` with the rows that pass. `columns` are the arrays of columns(), in that order,
    // each of its table column's type and `rows` long (fewer than 2^32).
    void select(std::span<const arrow::Array* const> columns, int64_t rows, Selection* out) const;
    // The same over a batch of all columns of the table.
    void select(const arrow::Batch& batch, Selection* out) const;

    // False only if no row of a chunk of `row_count` rows can pass. `columns` describes the chunk:
    // the columns of columns(), in that order. Bounds need not be values of the chunk but must
    // enclose its values; a chunk with a NaN must have a NaN for one of its bounds.
    bool may_match(std::span<const ColumnStatistics> columns, uint64_t row_count) const;

private:
    FilterProgram(std::shared_ptr<const FilterNode> root, std::vector<uint32_t> columns)
        : root_(std::move(root)), columns_(std::move(columns)) {}

    std::shared_ptr<const FilterNode> root_;
    std::vector<uint32_t> columns_;
};

}  // namespace trefoil::access
