// Foreign keys with indexes over the columns that refer, and without: the same rows, the same
// errors. That the indexes are used is told by the table's counters and by EXPLAIN ANALYZE.

#include <random>

#include "answers.h"

namespace trefoil {
namespace {

// The counters of foreign keys alone: nothing else of these statements reads the child.
struct Work {
    int64_t scans, index_scans;
};

Work work_of(Session& session, const std::string& table) {
    const std::string from = " FROM trefoil_stats WHERE table_name = '" + table + "'";
    return {number(session, "SELECT scans" + from), number(session, "SELECT index_scans" + from)};
}

bool mentions(const Answer& answer, const std::string& words) {
    for (const std::string& row : answer.rows) {
        if (row.find(words) != row.npos) return true;
    }
    return false;
}

TEST_CASE("an index over the columns that refer changes no answer") {
    for (const char* action : {"NO ACTION", "RESTRICT", "CASCADE", "SET NULL", "SET DEFAULT"}) {
        CAPTURE(action);
        Database db = must(Database::open(":memory:"));
        Database other = must(Database::open(":memory:"));
        Session fast = must(db.connect()), plain = must(other.connect());
        for (Session* s : {&fast, &plain}) {
            run(*s, "CREATE TABLE p (a INT, b TEXT, PRIMARY KEY (a, b))");
            run(*s, std::string("CREATE TABLE c (id INT PRIMARY KEY, b TEXT DEFAULT 'k1', a INT "
                                "DEFAULT 1, FOREIGN KEY (a, b) REFERENCES p ON DELETE ") +
                        action + " ON UPDATE " + action + ")");
            run(*s, "INSERT INTO p SELECT i % 20, 'k' || i FROM generate_series(1, 200) AS g(i)");
            run(*s,
                "INSERT INTO c SELECT i, 'k' || (i % 90 + 1), (i % 90 + 1) % 20 FROM "
                "generate_series(1, 500) AS g(i)");
        }
        run(fast, "CREATE INDEX ON c (b, a, id)");
        run(plain, "SET trefoil.use_indexes = off");
        std::mt19937 random(11);
        for (int i = 0; i < 40; i++) {
            const std::string k = std::to_string(random() % 200 + 1);
            const std::string n = std::to_string(random() % 20);
            const std::string sql =
                random() % 2 ? "DELETE FROM p WHERE b = 'k" + k + "'"
                             : "UPDATE p SET a = " + n + " WHERE b IN ('k" + k + "', 'k7')";
            CAPTURE(sql);
            const Answer a = ask(fast, sql), b = ask(plain, sql);
            CHECK(a.tag == b.tag);
            CHECK(std::string(a.status.sqlstate()) == std::string(b.status.sqlstate()));
        }
        for (const char* sql : {"SELECT * FROM p ORDER BY b", "SELECT * FROM c ORDER BY id"}) {
            CHECK(run(fast, sql).rows == run(plain, sql).rows);
        }
    }
}

TEST_CASE("the rows that refer are found by an index that begins with their columns") {
    Database db = must(Database::open(":memory:"));
    Session session = must(db.connect());
    run(session, "CREATE TABLE p (id INT PRIMARY KEY)");
    run(session, "CREATE TABLE c (p INT REFERENCES p, n INT)");
    run(session, "INSERT INTO p SELECT i FROM generate_series(1, 50) AS g(i)");
    run(session, "INSERT INTO c VALUES (1, 1), (2, 2)");
    const Work before = work_of(session, "c");
    run(session, "DELETE FROM p WHERE id = 40");
    const Work read = work_of(session, "c");
    CHECK(read.scans == before.scans + 1);
    CHECK(read.index_scans == before.index_scans);
    run(session, "CREATE INDEX ON c (n)");
    run(session, "CREATE INDEX ON c (p, n)");
    run(session, "DELETE FROM p WHERE id = 41");
    const Work found = work_of(session, "c");
    CHECK(found.scans == read.scans);
    CHECK(found.index_scans == read.index_scans + 1);
    CHECK(ask(session, "DELETE FROM p WHERE id = 2").status.sqlstate() == "23503");
    run(session, "SET trefoil.use_indexes = off");
    run(session, "DELETE FROM p WHERE id = 42");
    CHECK(work_of(session, "c").index_scans == found.index_scans + 1);
}

TEST_CASE("EXPLAIN ANALYZE says what foreign keys did") {
    Database db = must(Database::open(":memory:"));
    Session session = must(db.connect());
    run(session, "CREATE TABLE p (id INT PRIMARY KEY)");
    run(session, "CREATE TABLE c (p INT REFERENCES p ON DELETE CASCADE, n INT)");
    run(session, "CREATE INDEX ON c (p)");
    run(session, "INSERT INTO p SELECT i FROM generate_series(1, 50) AS g(i)");
    run(session, "INSERT INTO c SELECT i, i FROM generate_series(1, 50) AS g(i)");
    const Answer gone = run(session, "EXPLAIN ANALYZE DELETE FROM p WHERE id <= 10");
    CHECK(mentions(gone, "c_p_fkey, ON DELETE CASCADE: Delete: public.c, rows=10"));
    CHECK(mentions(gone, "Foreign keys, table c: index_scans=10"));
    const Answer more = run(session, "EXPLAIN ANALYZE INSERT INTO c VALUES (20, 1), (21, 1)");
    CHECK(mentions(more, "Foreign keys, table p: point_lookups=2"));
    CHECK(number(session, "SELECT count(*) FROM c") == 42);
}

TEST_CASE("appended rows must refer to something, too") {
    Database db = must(Database::open(":memory:"));
    Session session = must(db.connect());
    run(session, "CREATE TABLE p (id INT PRIMARY KEY)");
    run(session, "CREATE TABLE c (p INT REFERENCES p)");
    run(session, "INSERT INTO p VALUES (1), (2)");
    for (const char* sql : {"SELECT 1 UNION ALL SELECT 2", "SELECT 1 UNION ALL SELECT 3"}) {
        Session source = must(db.connect());
        Rows rows = must(source.execute(sql));
        ArrowArrayStream stream{};
        rows.export_stream(&stream);
        const auto appended = session.append("c", &stream);
        CHECK(appended.ok() == (std::string(sql).back() == '2'));
        if (!appended.ok()) CHECK(appended.status().sqlstate() == "23503");
    }
    CHECK(number(session, "SELECT count(*) FROM c") == 2);
}

}  // namespace
}  // namespace trefoil
