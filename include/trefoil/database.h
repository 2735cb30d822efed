// Database, Session, Prepared, Rows: everything a program does with Trefoil.
//
//     auto db = trefoil::Database::open("shop.trefoil");
//     if (!db.ok()) return fail(db.status());
//     auto session = db->connect();
//     auto rows = session->execute("SELECT name FROM product WHERE id = $1", {{7}});
//     if (!rows.ok()) return fail(rows.status());
//     for (;;) {
//         auto batch = rows->next();
//         if (!batch.ok()) return fail(batch.status());
//         if (!batch->has_value()) break;
//         for (int64_t r = 0; r < (*batch)->row_count(); r++) print((*batch)->text(r, 0));
//     }
//
// All four are handles: they move and are not copied. A Database outlives its Sessions, a Session
// its Prepared statements and Rows.
//
// Threads: a Database may be used from any thread. A Session, with its Prepared and Rows, by one
// thread at a time; only cancel() may be called from another. Open a Session per thread: readers
// never wait.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "trefoil/arrow_c.h"
#include "trefoil/custom_table.h"
#include "trefoil/status.h"
#include "trefoil/value.h"

namespace trefoil {

struct OpenOptions {
    bool read_only = false;  // may be opened beside the one writer process
    bool create_if_missing = true;
    uint64_t memory_limit_bytes = 0;  // 0: half of the machine's memory
    uint32_t threads = 0;             // 0: one per core
};

struct ColumnInfo {
    std::string name;
    std::string type;  // as SQL names it: "BIGINT", "DECIMAL(10,2)", "TEXT", "INTEGER[]"
};

// Some rows of an answer.
class RowBatch {
public:
    struct State;  // the insides, for the library alone

    RowBatch(RowBatch&&) noexcept;
    RowBatch& operator=(RowBatch&&) noexcept;
    ~RowBatch();

    int64_t row_count() const;
    int32_t column_count() const;
    bool is_null(int64_t row, int32_t column) const;
    // One field. REQUIRES: row and column exist.
    Value value(int64_t row, int32_t column) const;
    // One field as SQL prints it; "" for NULL.
    std::string text(int64_t row, int32_t column) const;
    // Fast access to one BIGINT/INTEGER/SMALLINT/DOUBLE/... field without a Value.
    // REQUIRES: not NULL, and the column is an integer (or: a floating-point) column.
    int64_t int64(int64_t row, int32_t column) const;
    double float64(int64_t row, int32_t column) const;
    // The rows as an Arrow struct array, uncopied; the receiver releases it.
    void export_to(ArrowArray* out) const;

private:
    friend class Rows;
    explicit RowBatch(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

// An answer: a stream of batches for a query, a count for the rest.
// Reading on after the Session executed something else is fine: the rows come from their own
// snapshot.
class Rows {
public:
    struct State;  // the insides, for the library alone

    Rows(Rows&&) noexcept;
    Rows& operator=(Rows&&) noexcept;
    ~Rows();

    // Empty for a statement that returns no rows.
    const std::vector<ColumnInfo>& columns() const;
    // The next batch, never empty of rows; nullopt at the end.
    Result<std::optional<RowBatch>> next();
    // What was done, as PostgreSQL tags it: "SELECT", "INSERT 0 3", "UPDATE 1", "CREATE TABLE".
    const std::string& tag() const;
    // Rows inserted, updated, deleted or copied; 0 for a query.
    uint64_t affected_rows() const;
    // Which tier ran: "access" (C++ alone), "engine" (DataFusion), "" for commands.
    std::string_view tier() const;
    // The rest of the rows as an Arrow C stream, which the receiver releases. The Rows is used up.
    void export_stream(ArrowArrayStream* out);

private:
    friend class Session;
    friend class Prepared;
    explicit Rows(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

// A statement that was analysed once and is run many times. It follows DDL by itself.
class Prepared {
public:
    struct State;  // the insides, for the library alone

    Prepared(Prepared&&) noexcept;
    Prepared& operator=(Prepared&&) noexcept;
    ~Prepared();

    int32_t parameter_count() const;
    Result<Rows> execute(std::span<const Value> parameters = {});

private:
    friend class Session;
    explicit Prepared(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

class Session {
public:
    struct State;  // the insides, for the library alone

    Session(Session&&) noexcept;
    Session& operator=(Session&&) noexcept;
    ~Session();  // rolls back what is open

    // Runs exactly one statement; a trailing semicolon is fine. Outside BEGIN ... COMMIT it is a
    // transaction of its own. Parameters are $1, $2, ...
    Result<Rows> execute(std::string_view sql, std::span<const Value> parameters = {});
    Result<Rows> execute(std::string_view sql, std::initializer_list<Value> parameters) {
        return execute(sql, std::span<const Value>(parameters.begin(), parameters.size()));
    }
    Result<Prepared> prepare(std::string_view sql);

    // Appends all rows of an Arrow stream to a table, columns by position, in one transaction (the
    // open one, if there is one). Takes the stream over. Answers the number of rows; on an error
    // nothing is appended.
    Result<uint64_t> append(std::string_view table, ArrowArrayStream* rows);

    // Stops the running statement of this session, which answers 57014. From any thread.
    void cancel();

    bool in_transaction() const;

private:
    friend class Database;
    explicit Session(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

class Database {
public:
    struct State;  // the insides, for the library alone

    // Opens the database directory at `path`, creating it if there is none; "" or ":memory:" is a
    // new database in memory. Errors: 55006 another process writes it (open it read-only); 58030
    // and XX001 with what is wrong; 0A000 the files are of a newer version.
    static Result<Database> open(const std::string& path, const OpenOptions& options = {});

    Database(Database&&) noexcept;
    Database& operator=(Database&&) noexcept;
    ~Database();  // closes; every acknowledged commit is on disk already

    Result<Session> connect();

    // Writes what commits left in memory to segment files.
    Status checkpoint();

    // Makes a table of the program's own known in schema public, under this name, to all sessions,
    // until the database is closed (custom_table.h). Nothing of it is stored.
    // Errors: 42P07 the name is taken, and what is wrong with its description: 42701 a column or
    // an index twice, 42703 a key or an index over columns that it does not have, 42704 a type
    // that is none or has no order, 42P16 an index without a key, 38000 what it throws.
    Status register_table(std::string name, std::shared_ptr<const CustomTable> table);
    // Statements that are running read on; those that come later do not find it (42P01).
    Status unregister_table(std::string_view name);

private:
    explicit Database(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

// The first statement of `text`, up to and with its semicolon, or nullopt if none is complete.
// Knows quotes, dollar quotes and comments. What a shell needs to split its input.
std::optional<std::string_view> first_statement(std::string_view text);
// True if `text` holds nothing but space and comments.
bool is_blank_sql(std::string_view text);

// "0.1.0"
std::string_view version();

}  // namespace trefoil
