// The rivals as small RAII types, with the settings that are best for them and equally durable.

#pragma once

#include <lmdb.h>
#include <sqlite3.h>

#include <cstdint>
#include <string>
#include <vector>

namespace trefoil::compare {

// A connection to a SQLite file: WAL, synchronous=FULL (an fsync per commit), 64 GiB of mmap, 256
// MiB of cache. An error ends the program.
class Sqlite {
public:
    explicit Sqlite(const std::string& path);
    Sqlite(const Sqlite&) = delete;
    ~Sqlite();
    void execute(const char* sql);
    // A number of one row.
    double number(const char* sql);
    sqlite3* handle() { return db_; }

private:
    sqlite3* db_ = nullptr;
};

class SqliteStatement {
public:
    SqliteStatement(Sqlite& db, const char* sql);
    SqliteStatement(const SqliteStatement&) = delete;
    ~SqliteStatement() { sqlite3_finalize(statement_); }
    // Parameters count from 1.
    void bind(int number, int64_t value) { sqlite3_bind_int64(statement_, number, value); }
    void bind(int number, double value) { sqlite3_bind_double(statement_, number, value); }
    // Without a copy: the text lives until run().
    void bind(int number, const char* text, size_t size) {
        sqlite3_bind_text(statement_, number, text, static_cast<int>(size), SQLITE_STATIC);
    }
    // Runs a statement that answers no rows.
    void run();
    // The first field of the row that a query finds. An error if there is none.
    int64_t find();

private:
    sqlite3_stmt* statement_ = nullptr;
};

// Rows sorted by key in an LMDB file, 64-bit key to 64-bit value (MDB_INTEGERKEY, loaded with
// MDB_APPEND, which packs the pages), with one read transaction open.
class Lmdb {
public:
    Lmdb(const std::string& folder, const std::vector<int64_t>& keys,
         const std::vector<int64_t>& values);
    Lmdb(const Lmdb&) = delete;
    ~Lmdb();
    int64_t get(int64_t key);

private:
    MDB_env* env_ = nullptr;
    MDB_txn* reader_ = nullptr;
    MDB_dbi table_ = 0;
};

}  // namespace trefoil::compare
