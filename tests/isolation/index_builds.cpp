// Indexes that come and go while others write, over columns, over expressions and over part of the
// rows: nobody fails for them or waits, and afterwards each holds what its table holds (CHECK
// DATABASE compares them).

#include <doctest/doctest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <thread>

#include "clients.h"

namespace trefoil {
namespace {

// As after n rows (i, i % 100, 'name i').
void fill(Session& s, int rows) {
    CHECK(ask(s, "CREATE TABLE t (id BIGINT PRIMARY KEY, a BIGINT, s TEXT)") == "CREATE TABLE");
    const std::string n = std::to_string(rows);
    CHECK(ask(s, "INSERT INTO t SELECT i, i % 100, 'name ' || i FROM generate_series(1, " + n +
                     ") g(i)") == "INSERT 0 " + n);
}

void check_database(Session& s) {
    CHECK(ask(s, "CHECK DATABASE").starts_with("database:ok:"));
}

// A folder that goes with the test.
struct Folder {
    std::filesystem::path path = std::filesystem::temp_directory_path() /
                                 ("trefoil_index_builds_" + std::to_string(getpid()));
    Folder() {
        std::filesystem::remove_all(path);
        std::filesystem::create_directory(path);
    }
    ~Folder() { std::filesystem::remove_all(path); }
    std::string operator/(const char* name) const { return (path / name).string(); }
};

struct Two {
    Folder folder;
    Database db = must(Database::open(folder / "db", {.threads = 2}));
    Session a = must(db.connect()), b = must(db.connect());
    void checkpoint() { CHECK(ask(b, "CHECKPOINT") == "CHECKPOINT"); }

    // How many files are in a folder of the database.
    int64_t files(const char* in) const {
        const std::filesystem::directory_iterator all(folder / in);
        return std::distance(begin(all), end(all));
    }
    // The background thread may look at the version before for a moment: it is waited for.
    bool has_files(const char* in, int64_t wanted) const {
        for (int attempt = 0; files(in) != wanted; attempt++) {
            if (attempt == 1000) return false;
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
        return true;
    }
};

// Threads that write until they are stopped, and count.
struct Writers {
    std::atomic<bool> stop{false};
    std::atomic<uint64_t> commits{0};
    std::atomic<int> failures{0};
    std::vector<std::jthread> threads;

    // `write` is called with a number below `count`, and writes until `stop`.
    Writers(int count, const std::function<void(int, Writers&)>& write) {
        for (int i = 0; i < count; i++) threads.emplace_back([this, i, write] { write(i, *this); });
    }
    ~Writers() { end(); }
    void wait_for(uint64_t commit) const {
        while (commits < commit) std::this_thread::yield();
    }
    void end() {
        stop = true;
        threads.clear();
    }
};

}  // namespace

TEST_CASE("who wrote before an index came commits with it") {
    for (const char* isolation : {"REPEATABLE READ", "READ COMMITTED"}) {
        for (bool flushed : {false, true}) {
            CAPTURE(isolation);
            CAPTURE(flushed);
            Two two;
            auto& [folder, db, a, b] = two;
            fill(a, 1000);
            CHECK(ask(a, "CREATE INDEX t_old ON t (s)") == "CREATE INDEX");
            if (flushed) two.checkpoint();
            CHECK(ask(a, std::string("BEGIN ISOLATION LEVEL ") + isolation) == "BEGIN");
            CHECK(ask(a, "INSERT INTO t VALUES (2001, 1000, 'new')") == "INSERT 0 1");
            CHECK(ask(a, "UPDATE t SET a = 1001 WHERE id IN (5, 6)") == "UPDATE 2");
            CHECK(ask(a, "UPDATE t SET s = 'other' WHERE id = 7") == "UPDATE 1");
            CHECK(ask(a, "DELETE FROM t WHERE id = 8") == "DELETE 1");
            CHECK(ask(b, "CREATE INDEX t_a ON t (a)") == "CREATE INDEX");
            CHECK(ask(b, "CREATE UNIQUE INDEX t_s ON t (s, id)") == "CREATE INDEX");
            CHECK(ask(b, "CREATE INDEX t_sum ON t ((a + id))") == "CREATE INDEX");
            // One row of it leaves, and three come.
            CHECK(ask(b, "CREATE INDEX t_few ON t (id) WHERE a < 6 OR a > 99") == "CREATE INDEX");
            CHECK(ask(b, "DROP INDEX t_old") == "DROP INDEX");
            CHECK(ask(a, "INSERT INTO t VALUES (2002, 1000, 'newer')") == "INSERT 0 1");
            CHECK(ask(a, "COMMIT") == "COMMIT");
            for (bool again : {false, true}) {
                CHECK(ask(b, "SELECT id FROM t WHERE a = 1000 ORDER BY id") == "2001,2002");
                CHECK(ask(b, "SELECT id FROM t WHERE a = 1001 ORDER BY id") == "5,6");
                CHECK(ask(b, "SELECT count(*) FROM t WHERE a IN (5, 6, 7, 8)") == "37");
                CHECK(ask(b, "SELECT id FROM t WHERE s = 'other'") == "7");
                CHECK(ask(b, "SELECT id FROM t WHERE a + id IN (10, 1006, 3002) ORDER BY id") ==
                      "5,953,2002");
                CHECK(ask(b, "SELECT id FROM t WHERE (a < 6 OR a > 99) AND id < 9 ORDER BY id") ==
                      "1,2,3,4,5,6");
                check_database(b);
                if (!again) two.checkpoint();
            }
        }
    }
}

TEST_CASE("a unique index that came meanwhile is kept by those who wrote before") {
    Two two;
    auto& [folder, db, a, b] = two;
    fill(a, 1000);
    CHECK(ask(a, "BEGIN") == "BEGIN");
    CHECK(ask(a, "INSERT INTO t VALUES (2001, 0, 'name 5')") == "INSERT 0 1");
    CHECK(ask(b, "CREATE UNIQUE INDEX t_s ON t (s)") == "CREATE INDEX");
    CHECK(ask(a, "COMMIT") == "ERROR 23505");
    CHECK(ask(a, "BEGIN") == "BEGIN");
    CHECK(ask(a, "UPDATE t SET s = 'name 5' WHERE id = 6") == "ERROR 23505");
    CHECK(ask(a, "ROLLBACK") == "ROLLBACK");
    CHECK(ask(b, "SELECT id FROM t WHERE s = 'name 5'") == "5");
    check_database(b);
}

TEST_CASE("an index over an expression that came meanwhile fails who wrote what it cannot hold") {
    Two two;
    auto& [folder, db, a, b] = two;
    fill(a, 1000);
    CHECK(ask(a, "BEGIN") == "BEGIN");
    CHECK(ask(a, "INSERT INTO t VALUES (0, 0, 'zero')") == "INSERT 0 1");
    CHECK(ask(b, "CREATE INDEX t_div ON t ((100 / id))") == "CREATE INDEX");
    CHECK(ask(a, "COMMIT") == "ERROR 22012");
    CHECK(ask(b, "SELECT id FROM t WHERE 100 / id = 20") == "5");
    // And the other way about: the one who makes the index.
    CHECK(ask(b, "DROP INDEX t_div") == "DROP INDEX");
    CHECK(ask(a, "BEGIN") == "BEGIN");
    CHECK(ask(a, "CREATE INDEX t_div ON t ((100 / id))") == "CREATE INDEX");
    CHECK(ask(b, "INSERT INTO t VALUES (0, 0, 'zero')") == "INSERT 0 1");
    CHECK(ask(a, "COMMIT") == "ERROR 22012");
    CHECK(ask(b, "SELECT name FROM trefoil_indexes") == "t_pkey");
    // A row that is deleted stands in nobody's way.
    for (bool flushed : {false, true}) {
        if (flushed) two.checkpoint();
        CHECK(ask(b, "DELETE FROM t WHERE id = 0") == (flushed ? "DELETE 0" : "DELETE 1"));
        CHECK(ask(a, "CREATE INDEX t_div ON t ((100 / id))") == "CREATE INDEX");
        CHECK(ask(b, "SELECT id FROM t WHERE 100 / id = 20") == "5");
        check_database(b);
        CHECK(ask(b, "DROP INDEX t_div") == "DROP INDEX");
    }
}

TEST_CASE("a large insert that was staged in files gets the keys of an index that came meanwhile") {
    Two two;
    auto& [folder, db, a, b] = two;
    fill(a, 1000);
    CHECK(ask(a, "CREATE INDEX t_s ON t (s)") == "CREATE INDEX");
    CHECK(ask(a, "BEGIN") == "BEGIN");
    for (int i = 1; i <= 2; i++) {
        const std::string n = std::to_string(i);
        CHECK(ask(a, "INSERT INTO t SELECT " + n + " * 1000000 + i, -i, 'n' FROM " +
                         "generate_series(1, 150000) g(i)") == "INSERT 0 150000");
    }
    CHECK(ask(b, "CREATE INDEX t_a ON t (a)") == "CREATE INDEX");
    CHECK(ask(b, "CREATE INDEX t_sum ON t ((a + id)) WHERE s = 'n'") == "CREATE INDEX");
    CHECK(ask(b, "DROP INDEX t_s") == "DROP INDEX");
    CHECK(ask(a, "COMMIT") == "COMMIT");
    CHECK(ask(b, "SELECT id FROM t WHERE a = -149999 ORDER BY id") == "1149999,2149999");
    CHECK(ask(b, "SELECT count(*) FROM t WHERE a + id = 2000000 AND s = 'n'") == "150000");
    check_database(b);
    // Two columns of a file beside each segment, until it is written anew.
    two.checkpoint();
    const std::string count = "SELECT segments FROM trefoil_tables WHERE name = 't'";
    CHECK(two.files("db/seg") == std::stoi(ask(b, count)) + 2);
    CHECK(ask(b, "DELETE FROM t WHERE a = -1") == "DELETE 2");
    CHECK(ask(b, "VACUUM t") == "VACUUM");
    CHECK(two.files("db/seg") == std::stoi(ask(b, count)));
    check_database(b);
}

TEST_CASE("an index follows what is committed while it is made") {
    for (bool flushed : {false, true}) {
        CAPTURE(flushed);
        Two two;
        auto& [folder, db, a, b] = two;
        fill(a, 3000);
        if (flushed) two.checkpoint();
        CHECK(ask(a, "BEGIN") == "BEGIN");
        CHECK(ask(a, "DELETE FROM t WHERE id = 1") == "DELETE 1");
        CHECK(ask(a, "UPDATE t SET a = 500, s = 's' WHERE id = 2") == "UPDATE 1");
        CHECK(ask(a, "CREATE INDEX t_a ON t (a)") == "CREATE INDEX");
        CHECK(ask(a, "CREATE UNIQUE INDEX t_s ON t (s)") == "CREATE INDEX");
        CHECK(ask(a, "CREATE INDEX t_sum ON t ((a + id))") == "CREATE INDEX");
        CHECK(ask(a, "CREATE UNIQUE INDEX t_few ON t (upper(s)) WHERE a >= 500") == "CREATE INDEX");
        CHECK(ask(a, "INSERT INTO t VALUES (5001, 501, 'own')") == "INSERT 0 1");
        // Freed by the delete above, once it is committed.
        CHECK(ask(b, "INSERT INTO t VALUES (5002, 502, 'name 1')") == "INSERT 0 1");
        CHECK(ask(b, "UPDATE t SET a = 503 WHERE id BETWEEN 100 AND 199") == "UPDATE 100");
        CHECK(ask(b, "DELETE FROM t WHERE id BETWEEN 200 AND 299") == "DELETE 100");
        if (flushed) two.checkpoint();
        CHECK(ask(b, "UPDATE t SET s = s || '!' WHERE id BETWEEN 150 AND 160") == "UPDATE 11");
        if (flushed) CHECK(ask(b, "VACUUM t") == "VACUUM");
        CHECK(ask(b, "UPDATE t SET a = 504 WHERE id BETWEEN 120 AND 130") == "UPDATE 11");
        CHECK(ask(a, "COMMIT") == "COMMIT");
        for (bool again : {false, true}) {
            CHECK(ask(b, "SELECT id FROM t WHERE a IN (500, 501, 502) ORDER BY id") ==
                  "2,5001,5002");
            CHECK(ask(b, "SELECT count(*) FROM t WHERE a = 503") == "89");
            CHECK(ask(b, "SELECT count(*) FROM t WHERE a = 504") == "11");
            CHECK(ask(b, "SELECT count(*) FROM t WHERE a BETWEEN 0 AND 99") == "2798");
            CHECK(ask(b, "SELECT id FROM t WHERE s IN ('name 1', 'name 150!') ORDER BY id") ==
                  "150,5002");
            CHECK(ask(b, "INSERT INTO t VALUES (7000, 1, 'name 150!')") == "ERROR 23505");
            CHECK(ask(b,
                      "SELECT id FROM t WHERE a + id IN (502, 5502, 5504, 632, 300) ORDER BY "
                      "id") == "2,128,300,451,501,566,616,5001,5002");
            CHECK(ask(b, "INSERT INTO t VALUES (7000, 500, 'Name 190')") == "ERROR 23505");
            CHECK(ask(b, "SELECT count(*) FROM t WHERE upper(s) LIKE 'NAME 1%' AND a >= 500") ==
                  "101");
            check_database(b);
            if (!again) two.checkpoint();
        }
    }
}

TEST_CASE("an index over an expression is whole after a kill, whatever was in memory") {
    Two two;
    auto& [folder, db, a, b] = two;
    fill(a, 1000);
    two.checkpoint();
    CHECK(ask(b, "UPDATE t SET a = 200 WHERE id < 10") == "UPDATE 9");
    CHECK(ask(a, "CREATE INDEX t_sum ON t ((a + id))") == "CREATE INDEX");
    CHECK(ask(b, "UPDATE t SET a = 300 WHERE id < 5") == "UPDATE 4");
    CHECK(ask(a, "CREATE INDEX t_few ON t (lower(s)) WHERE a >= 200") == "CREATE INDEX");
    CHECK(ask(b, "UPDATE t SET a = 0 WHERE id = 9") == "UPDATE 1");
    // What is on the disk now is what a kill would leave.
    const std::string copy = folder / "copy";
    std::filesystem::copy(folder / "db", copy, std::filesystem::copy_options::recursive);
    Database again = must(Database::open(copy, {.threads = 2}));
    Session s = must(again.connect());
    CHECK(ask(s, "SELECT id FROM t WHERE a + id IN (207, 303, 209, 9, 110) ORDER BY id") ==
          "3,7,9,55,105");
    CHECK(ask(s, "SELECT id FROM t WHERE lower(s) LIKE 'name %' AND a >= 200 ORDER BY id") ==
          "1,2,3,4,5,6,7,8");
    check_database(s);
    CHECK(ask(s, "DROP INDEX t_sum, t_few") == "DROP INDEX");
    check_database(s);
}

TEST_CASE("a backup has what indexes over expressions hold") {
    Two two;
    auto& [folder, db, a, b] = two;
    fill(a, 1000);
    two.checkpoint();
    for (int round = 0; round < 2; round++) {
        CHECK(ask(a, "UPDATE t SET a = 200 WHERE id = 5") == "UPDATE 1");
        CHECK(ask(a, "CREATE INDEX t_sum ON t ((a + id))") == "CREATE INDEX");
        const std::string backup = "backup " + std::to_string(round);
        CHECK(
            ask(a, "BACKUP DATABASE TO '" + (folder / backup.c_str()) + "'").starts_with("BACKUP"));
        Database copy = must(Database::open(folder / backup.c_str(), {.read_only = true}));
        Session s = must(copy.connect());
        CHECK(ask(s, "SELECT id FROM t WHERE a + id = 205") == "5");
        check_database(s);
        CHECK(ask(a, "DROP INDEX t_sum") == "DROP INDEX");
        CHECK(ask(s, "SELECT id FROM t WHERE a + id = 205") == "5");
    }
}

TEST_CASE("rows that become equal while a unique index is made undo it") {
    for (bool flushed : {false, true}) {
        CAPTURE(flushed);
        Two two;
        auto& [folder, db, a, b] = two;
        fill(a, 1000);
        two.checkpoint();
        CHECK(ask(a, "BEGIN") == "BEGIN");
        CHECK(ask(a, "CREATE UNIQUE INDEX t_s ON t (s)") == "CREATE INDEX");
        CHECK(ask(b, "UPDATE t SET s = 'name 17' WHERE id = 900") == "UPDATE 1");
        if (flushed) two.checkpoint();
        const Status refused = a.execute("COMMIT").status();
        CHECK(refused.sqlstate() == "23505");
        CHECK(refused.message() == "could not create unique index \"t_s\"");
        CHECK(refused.detail() == "Key (s)=(name 17) is duplicated in table \"t\".");
        CHECK(ask(b, "SELECT name FROM trefoil_indexes") == "t_pkey");
        CHECK(ask(b, "UPDATE t SET s = 'name 18' WHERE id = 900") == "UPDATE 1");
        two.checkpoint();
        CHECK(std::to_string(two.files("db/idx")) ==
              ask(b, "SELECT index_runs FROM trefoil_tables WHERE name = 't'"));
        check_database(b);
    }
}

TEST_CASE("the files of a dropped index go at once, or with the last who may read them") {
    Two two;
    auto& [folder, db, a, b] = two;
    fill(a, 1000);
    CHECK(ask(a, "CREATE INDEX t_a ON t (a)") == "CREATE INDEX");
    two.checkpoint();
    auto has_runs = [&](int64_t wanted) { return two.has_files("db/idx", wanted); };
    CHECK(has_runs(2));
    CHECK(ask(a, "DROP INDEX t_a") == "DROP INDEX");
    CHECK(has_runs(1));
    CHECK(ask(a, "CREATE INDEX t_a ON t (a)") == "CREATE INDEX");
    CHECK(ask(b, "BEGIN") == "BEGIN");
    CHECK(ask(b, "SELECT count(*) FROM t WHERE a = 7") == "10");
    CHECK(ask(a, "REINDEX INDEX t_a") == "REINDEX");
    CHECK(has_runs(3));
    CHECK(ask(a, "DROP INDEX t_a") == "DROP INDEX");
    CHECK(ask(b, "SELECT count(*) FROM t WHERE a = 7") == "10");
    CHECK(has_runs(2));
    CHECK(ask(b, "COMMIT") == "COMMIT");
    CHECK(has_runs(1));
    CHECK(ask(a, "DROP TABLE t") == "DROP TABLE");
    CHECK(has_runs(0));
}

TEST_CASE("the columns of an index over an expression go with it") {
    Two two;
    auto& [folder, db, a, b] = two;
    fill(a, 1000);
    two.checkpoint();
    auto has_files = [&](int64_t wanted) { return two.has_files("db/seg", wanted); };
    CHECK(has_files(1));
    CHECK(ask(a, "CREATE INDEX t_sum ON t ((a + id))") == "CREATE INDEX");
    CHECK(has_files(2));
    CHECK(ask(a, "CREATE INDEX t_both ON t ((a + id), lower(s)) WHERE a > 5") == "CREATE INDEX");
    CHECK(has_files(3));
    CHECK(ask(a, "DROP INDEX t_sum") == "DROP INDEX");
    CHECK(has_files(3));  // one is of both
    CHECK(ask(b, "BEGIN") == "BEGIN");
    CHECK(ask(b, "SELECT count(*) FROM t WHERE a + id = 108 AND a > 5") == "1");
    CHECK(ask(a, "DROP INDEX t_both") == "DROP INDEX");
    CHECK(ask(b, "SELECT count(*) FROM t WHERE a + id = 108 AND a > 5") == "1");
    CHECK(ask(b, "COMMIT") == "COMMIT");
    CHECK(has_files(1));
    // What was made for one that failed goes, too.
    CHECK(ask(a, "CREATE UNIQUE INDEX t_mod ON t ((a % 7))") == "ERROR 23505");
    CHECK(ask(a, "CREATE INDEX t_div ON t ((1 / (id - 500)))") == "ERROR 22012");
    CHECK(has_files(1));
    check_database(a);
}

TEST_CASE("who wrote before something else was altered is still told") {
    Two two;
    auto& [folder, db, a, b] = two;
    fill(a, 100);
    CHECK(ask(a, "BEGIN") == "BEGIN");
    CHECK(ask(a, "UPDATE t SET a = 1 WHERE id = 1") == "UPDATE 1");
    CHECK(ask(b, "ALTER TABLE t ADD COLUMN n INT") == "ALTER TABLE");
    CHECK(ask(b, "CREATE INDEX ON t (n)") == "CREATE INDEX");
    CHECK(ask(a, "COMMIT") == "ERROR 40001");
    CHECK(ask(a, "BEGIN ISOLATION LEVEL READ COMMITTED") == "BEGIN");
    CHECK(ask(a, "UPDATE t SET a = 1 WHERE id = 1") == "UPDATE 1");
    CHECK(ask(b, "ALTER TABLE t DROP COLUMN n") == "ALTER TABLE");
    CHECK(ask(a, "SELECT count(*) FROM t") == "ERROR 40001");
    CHECK(ask(a, "ROLLBACK") == "ROLLBACK");
    // A foreign key that came with an index.
    CHECK(ask(a, "BEGIN") == "BEGIN");
    CHECK(ask(a, "DELETE FROM t WHERE id = 1") == "DELETE 1");
    CHECK(ask(b, "BEGIN") == "BEGIN");
    CHECK(ask(b, "CREATE INDEX ON t (a)") == "CREATE INDEX");
    CHECK(ask(b, "CREATE TABLE c (id BIGINT REFERENCES t)") == "CREATE TABLE");
    CHECK(ask(b, "COMMIT") == "COMMIT");
    CHECK(ask(a, "COMMIT") == "ERROR 40001");
    check_database(b);
}

TEST_CASE("CONCURRENTLY is what always happens, but for a block") {
    Two two;
    auto& [folder, db, a, b] = two;
    fill(a, 100);
    CHECK(ask(a, "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a)") == "CREATE INDEX");
    CHECK(ask(a, "REINDEX INDEX CONCURRENTLY i") == "REINDEX");
    CHECK(ask(a, "REINDEX TABLE CONCURRENTLY t") == "REINDEX");
    CHECK(ask(a, "BEGIN") == "BEGIN");
    CHECK(ask(a, "CREATE INDEX CONCURRENTLY j ON t (a)") == "ERROR 25001");
    CHECK(ask(a, "ROLLBACK") == "ROLLBACK");
    CHECK(ask(a, "BEGIN") == "BEGIN");
    CHECK(ask(a, "REINDEX TABLE CONCURRENTLY t") == "ERROR 25001");
    CHECK(ask(a, "ROLLBACK") == "ROLLBACK");
    CHECK(ask(a, "BEGIN") == "BEGIN");
    CHECK(ask(a, "DROP INDEX CONCURRENTLY i") == "ERROR 25001");
    CHECK(ask(a, "ROLLBACK") == "ROLLBACK");
    CHECK(ask(a, "DROP INDEX CONCURRENTLY IF EXISTS i") == "DROP INDEX");
    CHECK(ask(a, "SELECT count(*) FROM trefoil_progress_create_index") == "0");
}

// Writers of the same rows, each statement by itself.
TEST_CASE("statements do not fail for an index over an expression") {
    constexpr int kWriters = 2, kRounds = 5, kRows = 20000;
    Two two;
    auto& [folder, db, a, b] = two;
    fill(a, kRows);
    two.checkpoint();
    auto write = [&db = db](int writer, Writers& all) {
        Session s = must(db.connect());
        for (int n = writer; !all.stop; n += 7919) {
            const std::string id = std::to_string(n % kRows + 1);
            const std::string answer = ask(s, "UPDATE t SET a = a + 1 WHERE id = " + id);
            if (answer != "UPDATE 1") {
                all.failures++;
                MESSAGE(answer);
            }
            all.commits++;
        }
    };
    Writers writers(kWriters, write);
    for (int round = 0; round < kRounds; round++) {
        const uint64_t before = writers.commits;
        CHECK(ask(a, "CREATE INDEX t_sum ON t ((a + id))") == "CREATE INDEX");
        CHECK(ask(a, "CREATE INDEX t_few ON t (s) WHERE a < 50") == "CREATE INDEX");
        writers.wait_for(before + 10);
        check_database(a);
        CHECK(ask(a, "DROP INDEX t_sum, t_few") == "DROP INDEX");
    }
    writers.end();
    CHECK(writers.failures == 0);
    check_database(a);
}

// Writers have rows of their own, so that nothing but an index could stand in their way; they write
// in blocks, which are not tried again.
TEST_CASE("writers go on while indexes come and go") {
    constexpr int kWriters = 3, kRounds = 12, kRowsOfOne = 2000;
    Two two;
    auto& [folder, db, a, b] = two;
    fill(a, kWriters * kRowsOfOne);
    two.checkpoint();
    auto write = [&db = db](int writer, Writers& all) {
        Session s = must(db.connect());
        uint64_t state = static_cast<uint64_t>(writer) + 1;
        auto number = [&](uint64_t below) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            return std::to_string(static_cast<int64_t>((state >> 33) % below));
        };
        const std::string own = " WHERE id % " + std::to_string(kWriters) + " = " +
                                std::to_string(writer) + " AND id BETWEEN ";
        for (int64_t next = 0; !all.stop; next++) {
            const std::string from = number(kWriters * kRowsOfOne);
            const std::string range = own + from + " AND " + from + " + 40";
            const std::string id =
                std::to_string((100000 + next) * kWriters + static_cast<int64_t>(writer));
            for (const std::string& sql :
                 {std::string("BEGIN"), "UPDATE t SET a = " + number(100) + range,
                  "UPDATE t SET s = s || 'x'" + range, "DELETE FROM t" + range + " - 35",
                  "INSERT INTO t VALUES (" + id + ", " + number(100) + ", 'own " + id + "')",
                  std::string(next % 7 == 6 ? "ROLLBACK" : "COMMIT")}) {
                const std::string answer = ask(s, sql);
                if (!answer.starts_with("ERROR")) continue;
                all.failures++;
                MESSAGE(sql << ": " << answer);
                (void)ask(s, "ROLLBACK");
                break;
            }
            all.commits++;
        }
    };
    Writers writers(kWriters, write);
    for (int round = 0; round < kRounds; round++) {
        const uint64_t before = writers.commits;
        CHECK(ask(a, "CREATE INDEX t_a ON t (a)") == "CREATE INDEX");
        CHECK(ask(a, "CREATE UNIQUE INDEX t_s ON t (s, id)") == "CREATE INDEX");
        if (round % 2) two.checkpoint();
        CHECK(ask(a, "CREATE INDEX t_sum ON t ((a + id))") == "CREATE INDEX");
        CHECK(ask(a, "CREATE INDEX t_few ON t (lower(s)) WHERE a < 50") == "CREATE INDEX");
        CHECK(ask(a, "REINDEX INDEX t_a") == "REINDEX");
        CHECK(ask(a, "REINDEX INDEX t_few") == "REINDEX");
        check_database(a);
        writers.wait_for(before + 10);
        CHECK(ask(a, "DROP INDEX t_a, t_s, t_sum, t_few") == "DROP INDEX");
        if (round % 3 == 0) CHECK(ask(a, "VACUUM") == "VACUUM");
    }
    CHECK(ask(a, "CREATE INDEX t_a ON t (a)") == "CREATE INDEX");
    writers.end();
    CHECK(writers.failures == 0);
    check_database(a);
    const std::string count = "SELECT count(*) FROM t WHERE a BETWEEN 10 AND 12";
    const std::string with = ask(a, count);
    CHECK(ask(a, "SET trefoil.use_indexes = off") == "SET");
    CHECK(ask(a, count) == with);
}

}  // namespace trefoil
