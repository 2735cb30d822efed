// Engine: relational algebra, by Apache DataFusion behind the border of bridge.h.
//
//     Engine (one per database: threads, memory pool, spill folder)
//       EngineSession (one per conversation: settings, functions)
//         parse    text -> Statement
//         plan     Statement + SourceCatalog -> QueryPlan   (optimised logical plan, reusable)
//         run      QueryPlan + parameters + SourceCatalog -> BatchStream
//
// A QueryPlan may be run many times, each time with the SourceCatalog of the moment: tables are
// looked up again by name, so it reads the snapshot it is given. It must be planned again after
// DDL.
//
// Of DML the engine plans the read side. What comes out of the stream:
//     INSERT   one row per new row, all columns of the table in its order, defaults filled in, cast
//     to the
//              columns' types; not-null, length and key checks are the writer's
//     UPDATE   kRowIdColumn, then all columns of the table with their new values, cast likewise
//     DELETE   kRowIdColumn
// and behind these, what RETURNING asks for. UPDATE ... FROM and DELETE ... USING may yield a row
// id more than once; the first one counts.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/memory_pool.h"
#include "access/direct_form.h"
#include "access/source.h"
#include "arrow/array.h"
#include "engine/statement.h"
#include "plan/expr.h"
#include "trefoil/value.h"

namespace trefoil::engine {

// The schema in which every table has the column access::kRowIdColumn besides, for the queries that
// the database makes itself. Nobody writes such a name by accident.
inline constexpr std::string_view kRowsSchema = "\x01rows";

struct EngineOptions {
    uint32_t threads = 0;  // 0: one per core
    uint64_t memory_bytes =
        0;  // of the pool for joins, sorts, aggregates; beyond it they spill or fail
    std::string spill_path;  // folder for spilled runs; "" for the system's temporary folder
};

// A statement that needs no algebra: one table, conditions, columns. The fast path runs it in C++
// alone; an ORDER BY only if an index has the order.
struct AccessQuery {
    std::string table;
    std::vector<uint32_t> projection;        // table columns, one per output column
    std::vector<plan::Expr> filters;         // all must hold; no opaque parts
    std::optional<plan::Expr> limit;         // literal or parameter
    std::optional<plan::Expr> offset;        // literal or parameter
    std::vector<access::OrderColumn> order;  // ORDER BY
};

// What MERGE does with a row.
enum class RowAction : int32_t { kInsert = 1, kUpdate = 2, kDelete = 3 };

enum class ChangeKind : uint8_t { kInsert, kUpdate, kDelete, kMerge };

// What a plan that changes something does, and the columns that it yields, in this order.
struct ChangeShape {
    ChangeKind kind = ChangeKind::kInsert;
    Name table;
    std::optional<OnConflict> conflict;  // of INSERT
    std::string given;  // of a part of WITH: under which name the others read what it returns

    bool action = false;  // the first column says what is done with each row, see RowAction
    bool row_id = false;
    uint32_t columns = 0;  // of the table: all or none
    // CHECK constraints. Unless there are none, an INTEGER: which of them the row violates, or NULL
    std::vector<std::string> checks;
    bool returning = false;                    // the rest is what RETURNING answers, be it nothing
    std::optional<access::DirectForm> direct;  // set if it can be done without the engine

    size_t width() const {
        return action + row_id + columns + !checks.empty();
    }  // without RETURNING
};

// A query inside of a statement that locks what it reads: its rows are given to the rest.
struct LockingPart {
    std::string given;  // under which name the others read them
    Query query;
};

struct QueryPlan {
    arrow::SchemaPtr schema;                             // of the rows that come out
    std::vector<std::optional<arrow::Type>> parameters;  // $1, $2, ...; nullopt if not inferred
    std::optional<AccessQuery> access;                   // set if the statement is that simple
    std::vector<std::string> tables;                     // every table it reads, by name
    std::optional<ChangeShape> change;                   // set if it is the read side of a change
    std::optional<LockingPart> locking;
    std::shared_ptr<const void> handle;  // the engine's own
    // Parts that are run by themselves: of INSERT ... ON CONFLICT DO UPDATE the update of the rows
    // that are there, which reads the table "\1conflict" (see ChangeSink); then queries inside of
    // the statement that lock rows, and the data-changing parts of WITH.
    std::vector<QueryPlan> children;
};

struct Setting {
    std::string name, value, about;
};

class EngineSession {
public:
    virtual ~EngineSession() = default;

    // Exactly one statement; a trailing semicolon is fine. Errors: 42601 with position and, for a
    // misspelt keyword, a hint; 42601 "multiple statements" ; 0A000 for what we do not do yet, by
    // name.
    virtual Result<Statement> parse(std::string_view sql) = 0;

    // REQUIRES: the statement is a Query, Insert, Update, Delete or CopyTo (with or without
    // EXPLAIN). Errors: 42P01, 42703 with position and did-you-mean hint, 42804, ...
    virtual Result<QueryPlan> plan(const Statement& statement,
                                   const access::SourceCatalog& catalog) = 0;

    // Runs the plan. `catalog` must live as long as the stream; `cancel` too. A query that runs out
    // of memory in a hash join before its first row is planned again with sort-merge joins. Errors:
    // 53200 out of memory, 57014 cancelled, 22012, 22P02, 22003, ... as evaluated.
    virtual Result<std::unique_ptr<access::BatchStream>> run(const QueryPlan& plan,
                                                             std::span<const Value> parameters,
                                                             const access::SourceCatalog& catalog,
                                                             const access::CancelFlag* cancel) = 0;

    // EXPLAIN [ANALYZE] of a planned statement, as the lines of the plan. ANALYZE runs it.
    virtual Result<std::vector<std::string>> explain(const QueryPlan& plan, const Explain& how,
                                                     std::span<const Value> parameters,
                                                     const access::SourceCatalog& catalog,
                                                     const access::CancelFlag* cancel) = 0;

    // The plan behind a stream that run() gave, as the lines of EXPLAIN ANALYZE, with what it has
    // counted so far.
    virtual Result<std::vector<std::string>> analysed(const access::BatchStream& stream) = 0;

    // Evaluates one constant SQL expression (a DEFAULT) to a value of `type`.
    virtual Result<Value> evaluate(std::string_view expression, const arrow::Type& type) = 0;

    // The text of an expression over the columns of one table, in which `column` is called `to`.
    // Errors: 42601.
    virtual Result<std::string> rename_column(std::string_view expression, std::string_view column,
                                              std::string_view to) = 0;

    // Likewise of a query that reads a table, of which it may speak by these references; if
    // `column` is "", it is the table that is called `to`. The same text if it is not clear what
    // names in it mean.
    virtual Result<std::string> rename_in_query(std::string_view query,
                                                const std::vector<std::string>& tables,
                                                std::string_view column, std::string_view to) = 0;

    // A source over rows that somebody else streams (bulk append): INSERT INTO table SELECT * FROM
    // rows, i.e. casts each column of `rows` to the table's types by position. Takes the stream
    // over.
    virtual Result<std::unique_ptr<access::BatchStream>> cast_stream(
        ArrowArrayStream* rows, const arrow::SchemaPtr& target,
        const access::CancelFlag* cancel) = 0;

    // Reads a Parquet file as a stream of batches, columns in the file's order.
    virtual Result<std::unique_ptr<access::BatchStream>> read_parquet(
        const std::string& path, const access::CancelFlag* cancel) = 0;
    // Writes a stream to a Parquet file (to `path`, replacing it); answers the number of rows.
    virtual Result<uint64_t> write_parquet(access::BatchStream& rows, const std::string& path,
                                           const CopyOptions& options) = 0;

    // Settings that are the engine's ("datafusion.*", "timezone", "batch_size",
    // "target_partitions"). kNotFound if the engine has no such setting. Without a value, a setting
    // is what it was in the beginning; so is every one if its name is "all".
    virtual Status set(std::string_view name, std::optional<std::string_view> value) = 0;
    virtual Result<std::string> get(std::string_view name) = 0;
    // All of them, by name.
    virtual Result<std::vector<Setting>> settings() = 0;
};

// The pool of memory is also there for work beside the engine (MemoryPool, base/memory_pool.h).
class Engine : public MemoryPool {
public:
    static Result<std::unique_ptr<Engine>> create(const EngineOptions& options);
    virtual Result<std::unique_ptr<EngineSession>> open_session() = 0;
    // Bytes that running queries hold now.
    virtual uint64_t memory_used() const = 0;
    // Bytes of the pool, and of what queries spill; both hold for those that run already, too.
    virtual Status set_limits(uint64_t memory_bytes, uint64_t temp_bytes) = 0;
};

}  // namespace trefoil::engine
