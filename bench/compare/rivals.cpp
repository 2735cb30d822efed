// SQLite and LMDB, set up.

#include "rivals.h"

#include <cstring>
#include <filesystem>

#include "report.h"

namespace trefoil::compare {

namespace {

void check(sqlite3* db, int code) {
    if (code != SQLITE_OK) fail(std::string("SQLite: ") + sqlite3_errmsg(db));
}

void check(int lmdb_code) {
    if (lmdb_code != 0) fail(std::string("LMDB: ") + mdb_strerror(lmdb_code));
}

}  // namespace

Sqlite::Sqlite(const std::string& path) {
    check(db_, sqlite3_open(path.c_str(), &db_));
    sqlite3_busy_timeout(db_, 60'000);
    execute("PRAGMA journal_mode=WAL");
    execute("PRAGMA synchronous=FULL");
    execute("PRAGMA mmap_size=68719476736");
    execute("PRAGMA cache_size=-262144");
}

Sqlite::~Sqlite() {
    sqlite3_close(db_);
}

void Sqlite::execute(const char* sql) {
    check(db_, sqlite3_exec(db_, sql, nullptr, nullptr, nullptr));
}

double Sqlite::number(const char* sql) {
    sqlite3_stmt* statement = nullptr;
    check(db_, sqlite3_prepare_v2(db_, sql, -1, &statement, nullptr));
    if (sqlite3_step(statement) != SQLITE_ROW) fail(std::string("SQLite: ") + sqlite3_errmsg(db_));
    const double number = sqlite3_column_double(statement, 0);
    sqlite3_finalize(statement);
    return number;
}

SqliteStatement::SqliteStatement(Sqlite& db, const char* sql) {
    check(db.handle(), sqlite3_prepare_v3(db.handle(), sql, -1, SQLITE_PREPARE_PERSISTENT,
                                          &statement_, nullptr));
}

void SqliteStatement::run() {
    if (sqlite3_step(statement_) != SQLITE_DONE) {
        fail(std::string("SQLite: ") + sqlite3_errmsg(sqlite3_db_handle(statement_)));
    }
    sqlite3_reset(statement_);
}

int64_t SqliteStatement::find() {
    if (sqlite3_step(statement_) != SQLITE_ROW) fail("SQLite does not find a row");
    const int64_t value = sqlite3_column_int64(statement_, 0);
    sqlite3_reset(statement_);
    return value;
}

Lmdb::Lmdb(const std::string& folder, const std::vector<int64_t>& keys,
           const std::vector<int64_t>& values) {
    std::filesystem::create_directory(folder);
    check(mdb_env_create(&env_));
    check(mdb_env_set_mapsize(env_, size_t{64} << 30));
    check(mdb_env_open(env_, folder.c_str(), MDB_NORDAHEAD, 0600));
    MDB_txn* writer = nullptr;
    check(mdb_txn_begin(env_, nullptr, 0, &writer));
    check(mdb_dbi_open(writer, nullptr, MDB_INTEGERKEY, &table_));
    for (size_t i = 0; i < keys.size(); i++) {
        int64_t key = keys[i], bytes = values[i];
        MDB_val k{sizeof key, &key}, v{sizeof bytes, &bytes};
        check(mdb_put(writer, table_, &k, &v, MDB_APPEND));
    }
    check(mdb_txn_commit(writer));
    check(mdb_txn_begin(env_, nullptr, MDB_RDONLY, &reader_));
}

Lmdb::~Lmdb() {
    mdb_txn_abort(reader_);
    mdb_env_close(env_);
}

int64_t Lmdb::get(int64_t key) {
    MDB_val k{sizeof key, &key}, v{};
    check(mdb_get(reader_, table_, &k, &v));
    int64_t value;
    std::memcpy(&value, v.mv_data, sizeof value);
    return value;
}

}  // namespace trefoil::compare
