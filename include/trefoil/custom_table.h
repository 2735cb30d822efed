// CustomTable, CustomIndex: a program's own data as tables, without copying it in.
//
//     class Employees : public trefoil::CustomTable { ... };
//     database->register_table("employees", std::make_shared<Employees>());
//     session->execute("SELECT department, avg(age) FROM employees JOIN pay USING (id) ...");
//
// A table says which columns it has and hands out its rows. That is enough for every query. If it
// also names a key, fetches rows by key and has indexes, WHERE finds before it reads:
//
//     WHERE age < 30 AND department = 'Sales' AND name LIKE '%x%'
//
//     index on age         ──► keys ┐
//                                   ├─ intersected ──► fetch(keys) ──► name LIKE '%x%' ──► rows
//     index on department  ──► keys ┘
//
// The engine plans this as it does for stored tables: AND, OR and NOT nested as you like, indexed
// and unindexed conditions mixed, each index used only where it pays. What an index answers need
// not be exact: unless it says that it is, conditions are checked again on the rows fetched.
//
// Errors: a Status that your code returns ends the query with its code and text; an exception that
// leaves it ends it with SQLSTATE 38000 and the text of what(). Neither harms anything else.
//
// Threads: const functions are called from several threads at once. One stream is used by one
// thread at a time, not always the same. None of this may execute statements of a Database.
//
// Transactions do not cover these tables, and nothing can be written to them with SQL. How a table
// that changes shows one state to each statement: snapshot(). A guide: your-own-tables.md.

#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "trefoil/arrow_c.h"
#include "trefoil/status.h"
#include "trefoil/value.h"

namespace trefoil {

// `type` as SQL names it: BOOLEAN, SMALLINT, INTEGER, BIGINT, REAL, DOUBLE, DECIMAL(p,s), TEXT,
// BYTEA, DATE, TIME, TIMESTAMP, TIMESTAMPTZ, UUID, INTERVAL, or a list of one of these (TEXT[]).
struct CustomColumn {
    std::string name;
    std::string type;
    bool nullable = true;
};

// Where your code puts rows: whole rows, column by column, or Arrow batches.
//
// Mistakes (a value of the wrong type, NULL in a column without NULLs, columns of different
// lengths) end the query with an error that names the column; appending more is harmless then.
class RowSink {
public:
    struct State;  // the insides, for the library alone

    explicit RowSink(State& state) : state_(&state) {}

    // The columns that are wanted, in this order; a row has one value for each.
    uint32_t column_count() const;
    // One row. Integers may go to columns of any number type, everything else to its own type.
    void append_row(std::span<const Value> values);
    void append_row(std::initializer_list<Value> values) {
        append_row(std::span<const Value>(values.begin(), values.size()));
    }
    // Rows without columns: how many there are is all that is wanted.
    void append_rows(uint64_t count);

    // One field of the next row of a column. All columns must be equally long in the end.
    void append(uint32_t column, const Value& value);
    void append_null(uint32_t column);
    void append_int64(uint32_t column, int64_t value);  // also DATE, TIME, TIMESTAMP
    void append_double(uint32_t column, double value);
    void append_text(uint32_t column, std::string_view value);  // also BYTEA

    // A struct array with one child per column. `array` is taken over; where its types are the
    // columns' own (text as string views), nothing is copied. `schema` stays yours.
    void append_arrow(const ArrowSchema& schema, ArrowArray* array);

private:
    State* state_;
};

// Appends the next rows, any number of them, some thousands at best; false: there are no more after
// them. Not called again after false or an error. Cancelling is looked at between the calls.
using RowStream = std::function<Result<bool>(RowSink& rows)>;

// Keys of rows that are wanted.
class KeyBatch {
public:
    struct State;  // the insides, for the library alone

    explicit KeyBatch(const State& state) : state_(&state) {}

    uint64_t size() const;
    // Part `column` of key `i`, as a Value or as what it is. REQUIRES: i < size().
    Value value(uint64_t i, uint32_t column = 0) const;
    int64_t int64(uint64_t i, uint32_t column = 0) const;          // REQUIRES: an integer column
    std::string_view text(uint64_t i, uint32_t column = 0) const;  // REQUIRES: a TEXT column
    // All of them as an Arrow struct array, uncopied; the receiver releases it.
    void export_to(ArrowArray* out) const;

private:
    const State* state_;
};

// Rows whose first columns of an index equal `equal` (NULL: are NULL), and, if `bounded`, whose
// next column is not NULL and lies between low and high. An absent bound is open. The values have
// the types of their columns. Text is in the order of its bytes, NaN above all other numbers.
//
//     index on (department, age):  department = 'Sales' AND age > 30   {{"Sales"}, true, 30, -}
//                                  department = 'Sales'                {{"Sales"}}
//                                  department < 'M'                    {{}, true, -, "M"}
struct IndexRange {
    std::vector<Value> equal;
    bool bounded = false;
    std::optional<Value> low, high;
    bool low_inclusive = true, high_inclusive = true;
};

// `column` compared with literals.
struct IndexCondition {
    enum class Operator : uint8_t {
        kEqual,         // values[0]
        kNotEqual,      // values[0]
        kLess,          // values[0]
        kLessEqual,     // values[0]
        kGreater,       // values[0]
        kGreaterEqual,  // values[0]
        kIn,            // any of values
        kNotIn,         // none of values
        kLike,          // values[0] with % and _, escape character is a backslash
        kNotLike,
        kILike,
        kNotILike,
        kIsNull,
        kIsNotNull,
    };
    std::string column;
    Operator op = Operator::kEqual;
    std::vector<Value> values;  // as they stand in the statement; never NULL
};

// What an index is asked for: rows in any of `ranges` that satisfy all `conditions`.
struct IndexRequest {
    std::vector<IndexRange> ranges;          // disjoint and ascending; none of these: no row at all
    std::vector<IndexCondition> conditions;  // only of an index of kind kConditions, which gets
                                             // no ranges
};

// How well an index answers. kExact: it finds just the rows that satisfy the condition. kInexact:
// all of these and perhaps others. kNone: it cannot be asked.
enum class IndexAnswer : uint8_t { kNone, kInexact, kExact };

enum class IndexKind : uint8_t {
    kOrdered,     // ranges of any form over its columns
    kHash,        // only ranges in which `equal` has all of its columns
    kConditions,  // single conditions on its columns that answers() accepts: text search, ...
};

class CustomIndex {
public:
    virtual ~CustomIndex() = default;

    // Asked once, at registration.
    virtual std::string name() const = 0;
    virtual std::vector<std::string> columns() const = 0;  // of the table, at least one
    virtual IndexKind kind() const { return IndexKind::kOrdered; }
    // False: rows with a NULL in one of the columns are not in the index.
    virtual bool holds_nulls() const { return true; }

    // How well each request of ranges is answered.
    virtual IndexAnswer answers_ranges() const { return IndexAnswer::kExact; }
    // How well this condition is answered by an index of kind kConditions.
    virtual IndexAnswer answers(const IndexCondition&) const { return IndexAnswer::kNone; }

    // About how many rows it would find; without an answer it is guessed. Called while planning,
    // so it should be quick.
    virtual std::optional<double> estimate(const IndexRequest&) const { return std::nullopt; }
    // The keys of the rows, in any order, repeated or not: the sink's columns are the key's.
    // The request outlives the stream.
    virtual Result<RowStream> scan(const IndexRequest& request) const = 0;
};

class CustomTable {
public:
    virtual ~CustomTable() = default;

    // The shape of it, asked once, at registration.
    virtual std::vector<CustomColumn> columns() const = 0;
    // Columns that identify a row, which are never NULL. Without a key there are no indexes.
    virtual std::vector<std::string> key() const { return {}; }
    virtual std::vector<std::shared_ptr<const CustomIndex>> indexes() const { return {}; }

    // About how many rows there are. Without an answer indexes are used wherever there are some.
    virtual std::optional<double> row_count() const { return std::nullopt; }
    // Reading one row by its key costs as much as reading so many in a scan.
    virtual double fetch_cost() const { return 4; }

    // All rows, in any order: of each the columns with these numbers, which ascend.
    virtual Result<RowStream> scan(const std::vector<uint32_t>& columns) const = 0;
    // The rows with these keys, in any order, each once. A key that the table does not have is an
    // error: leave it out, and the query ends with one that names it. `keys` outlives the stream.
    virtual Result<RowStream> fetch(const KeyBatch& keys,
                                    const std::vector<uint32_t>& columns) const {
        (void)keys, (void)columns;
        return Status::unsupported("fetching rows of this table by key");
    }

    // The table as it is now, for the whole of one statement: an object whose rows do not change,
    // of the same shape. Null: this object itself.
    virtual std::shared_ptr<const CustomTable> snapshot() const { return nullptr; }
};

}  // namespace trefoil
