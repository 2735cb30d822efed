// Changes that run without the engine against the same changes by the engine.
//
// Two databases are given the same statements, one with the fast path and one without. After each,
// what it answered (count, rows of RETURNING, SQLSTATE) and what the table holds must be the same.
// Rows::tier() and the count of plans prove which way was taken.

#include "answers.h"

namespace trefoil {
namespace {

struct Side {
    explicit Side(bool fast) : db(must(Database::open(":memory:"))), session(must(db.connect())) {
        run(session, fast ? "SET trefoil.fast_path = on" : "SET trefoil.fast_path = off");
        run(session,
            "CREATE TABLE t (id BIGINT PRIMARY KEY, name TEXT NOT NULL DEFAULT 'nobody', short "
            "VARCHAR(5), n SMALLINT, i INT DEFAULT -7, price DECIMAL(10,2) DEFAULT 1.5, d DOUBLE, "
            "r REAL, ok BOOLEAN, day DATE, at TIME, ts TIMESTAMP, tz TIMESTAMPTZ, u UUID, b "
            "BYTEA, tags INT[])");
        run(session, "CREATE TABLE pair (a TEXT, b INT, c INT, PRIMARY KEY (a, b))");
        run(session, "CREATE TABLE bare (x INT, made TIMESTAMP DEFAULT now())");
        run(session, "INSERT INTO t (id, i) SELECT v, v FROM generate_series(100, 400) AS g(v)");
        must(db.checkpoint());
    }
    Database db;
    Session session;
};

struct Both {
    Side fast{true}, plain{false};

    // The answer of the fast side.
    Answer ask(const std::string& sql, std::vector<Value> parameters = {}) {
        CAPTURE(sql);
        Answer a = trefoil::ask(fast.session, sql, parameters);
        Answer b = trefoil::ask(plain.session, sql, parameters);
        CHECK(a.ok() == b.ok());
        CHECK(std::string(a.status.sqlstate()) == std::string(b.status.sqlstate()));
        CHECK(a.status.message() == b.status.message());
        CHECK(a.tag == b.tag);
        CHECK(a.affected == b.affected);
        CHECK(a.rows == b.rows);
        CHECK(a.shape() == b.shape());
        if (b.ok()) CHECK(b.tier == "engine");
        return a;
    }
    void compare() {
        for (const char* sql : {"SELECT * FROM t", "SELECT * FROM pair"}) {
            CHECK(run(fast.session, sql).rows == run(plain.session, sql).rows);
        }
    }
};

TEST_CASE("INSERT of values does the same without the engine") {
    Both both;
    for (const char* sql : {
             "INSERT INTO t VALUES (1, 'Ann', 'abc', 5, 70000, 12.25, 2.5, NULL, true, "
             "'2024-02-29', '12:30:00', '2024-02-29 10:00:00.5', NULL, "
             "'0190a5c1-7e2b-7cc3-98c4-dc0c0c07398f', NULL, NULL)",
             "INSERT INTO t (id) VALUES (2)",
             "INSERT INTO t (id, name, i, price) VALUES (3, 'it''s', -5, -0.75), (4, '', 0, 3)",
             "INSERT INTO t (name, id) VALUES ('long name, longer than a view holds inline', 5)",
             "INSERT INTO t (id, d) VALUES (6, 3), (7, 1.5), (8, -0.125)",
             "INSERT INTO t (id, price) VALUES (9, 99999999.99)",
             "INSERT INTO t (id, name) VALUES (10, DEFAULT) RETURNING id, name AS n, *",
             "INSERT INTO t AS x (id, ok) VALUES (11, false) RETURNING x.id, ok",
             "insert into t (id, i) values (12, NULL);",
             "INSERT INTO pair VALUES ('a', 1, 2), ('a', 2, NULL)",
         }) {
        CAPTURE(sql);
        CHECK(both.ask(sql).tier == "access");
    }
    both.compare();
}

TEST_CASE("what INSERT refuses is refused alike, and leaves nothing") {
    Both both;
    for (const char* sql : {
             "INSERT INTO t (id) VALUES (100)",
             "INSERT INTO t (id) VALUES (50), (51), (50)",
             "INSERT INTO t (id, name) VALUES (52, NULL)",
             "INSERT INTO t (id, short) VALUES (53, 'too long')",
             "INSERT INTO t (id, n) VALUES (54, 40000)",
             "INSERT INTO t (id, i) VALUES (55, 3000000000)",
             "INSERT INTO t (id) VALUES (99999999999999999999)",
             "INSERT INTO t (id, i) VALUES (56, 'abc')",
             "INSERT INTO t (id, day) VALUES (57, '2024-02-30')",
             "INSERT INTO t (id, u) VALUES (58, 'no uuid')",
             "INSERT INTO t (id, price) VALUES (59, 123456789012)",
             "INSERT INTO t (id, ok) VALUES (60, 1)",
             "INSERT INTO t (id, nothing) VALUES (61, 1)",
             "INSERT INTO t VALUES (62, 'a', 'b', 1, 1, 1, 1, 1, true, NULL, NULL, NULL, NULL, "
             "NULL, NULL, NULL, 17)",
             "INSERT INTO t (id) VALUES (NULL)",
             "INSERT INTO pair VALUES (NULL, 1, 1)",
         }) {
        CAPTURE(sql);
        CHECK(!both.ask(sql).ok());
    }
    CHECK(both.ask("INSERT INTO t (id, i) VALUES (55, 3000000000)").status.sqlstate() == "22003");
    CHECK(both.ask("INSERT INTO t (id, i) VALUES (56, 'abc')").status.sqlstate() == "22P02");
    both.compare();
}

TEST_CASE("values that only the engine converts go its way") {
    Both both;
    for (const char* sql : {
             "INSERT INTO t (id, i) VALUES (1, '42')",
             "INSERT INTO t (id, i) VALUES (2, 1.5), (3, 2.5)",
             "INSERT INTO t (id, name) VALUES (4, 17)",
             "INSERT INTO t (id, price) VALUES (5, 1.005)",
             "INSERT INTO t (id, d) VALUES (6, 1e300)",
             "INSERT INTO t (id, name) VALUES (7, upper('x'))",
             "INSERT INTO t (id, tz) VALUES (8, '2024-02-29 10:00:00+02')",
             "INSERT INTO t (id, tags) VALUES (9, '{1,2}')",
             "INSERT INTO t (id, b) VALUES (10, '\\x00ff')",
             "INSERT INTO t (id, day) VALUES (11, DATE '2024-01-01')",
             "INSERT INTO t (id) VALUES (1 + 11)",
             "INSERT INTO t (id) SELECT 13",
         }) {
        CAPTURE(sql);
        const Answer answer = both.ask(sql);
        CHECK(answer.ok());
        CHECK(answer.tier == "engine");
    }
    both.compare();
    CHECK(run(both.fast.session, "INSERT INTO bare (x) VALUES (1)").tier == "engine");
}

TEST_CASE("UPDATE and DELETE by key do the same without the engine") {
    Both both;
    run(both.fast.session, "INSERT INTO pair VALUES ('a', 1, 10), ('a', 2, 20), ('b', 1, NULL)");
    run(both.plain.session, "INSERT INTO pair VALUES ('a', 1, 10), ('a', 2, 20), ('b', 1, NULL)");
    for (const char* sql : {
             "UPDATE t SET name = 'x', i = i + 5 WHERE id = 100",
             "UPDATE t SET i = i - 3, n = -4, price = 2.5, d = 0.5 WHERE id = 101 RETURNING *",
             "UPDATE t SET d = d + 1.5 WHERE id = 102",
             "UPDATE t AS x SET d = 3 WHERE x.id = 102 RETURNING x.d",
             "UPDATE t SET d = d + 1, day = '2024-03-01' WHERE 102 = id",
             "UPDATE t SET i = 1 WHERE id = 99999 RETURNING id",
             "UPDATE t SET i = 1 WHERE id = NULL",
             "UPDATE t SET id = 1000 WHERE id = 103",
             "UPDATE t SET id = id + 1000 WHERE id = 104 RETURNING id",
             "UPDATE pair SET c = c + 1 WHERE a = 'a' AND b = 1",
             "UPDATE pair SET c = c + 1, a = 'c' WHERE b = 1 AND a = 'b' RETURNING *",
             "DELETE FROM t WHERE id = 105",
             "DELETE FROM t WHERE id = 105",
             "DELETE FROM t WHERE id = 106 RETURNING id, i",
             "DELETE FROM pair WHERE (a = 'a') AND b = 2",
         }) {
        CAPTURE(sql);
        const Answer answer = both.ask(sql);
        CHECK(answer.ok());
        if (std::string(sql).find("(a =") == std::string::npos &&
            std::string(sql).find("+ 1.5") == std::string::npos) {
            CHECK(answer.tier == "access");
        }
    }
    for (const char* sql : {
             "UPDATE t SET id = 200 WHERE id = 107",
             "UPDATE t SET name = NULL WHERE id = 107",
             "UPDATE t SET i = i + 2147483647 WHERE id = 107",
             "UPDATE t SET n = 40000 WHERE id = 107",
             "UPDATE t SET short = 'too long' WHERE id = 107",
             "UPDATE t SET i = 1, i = 2 WHERE id = 107",
         }) {
        CAPTURE(sql);
        CHECK(!both.ask(sql).ok());
    }
    both.compare();
}

TEST_CASE("a prepared change is planned once") {
    Both both;
    Session& session = both.fast.session;
    auto insert = must(session.prepare("INSERT INTO t (id, name, price) VALUES ($1, $2, $3)"));
    auto update = must(session.prepare("UPDATE t SET i = i + $1 WHERE id = $2 RETURNING i"));
    auto erase = must(session.prepare("DELETE FROM t WHERE id = $1"));
    const int64_t plans = counter(session, "plans_made");
    for (int64_t id = 1; id <= 50; id++) {
        const std::vector<Value> row = {id, "n" + std::to_string(id), Decimal{id * 10, 2}};
        CHECK(must(insert.execute(row)).affected_rows() == 1);
        const std::vector<Value> step = {Value(7), id};
        CHECK(read_answer(update.execute(step)).first() == "0|");
        const std::vector<Value> other = {Value(0), id};
        CHECK(read_answer(update.execute(other)).first() == "0|");
        if (id % 5 == 0) CHECK(must(erase.execute(std::vector<Value>{id})).affected_rows() == 1);
    }
    CHECK(counter(session, "plans_made") <= plans + 1);  // the counter's own query
    CHECK(number(session, "SELECT count(*) FROM t WHERE id <= 50 AND i = 0") == 40);
    // After DDL they are planned anew, and go on.
    run(session, "CREATE TABLE other (x INT)");
    CHECK(must(insert.execute(std::vector<Value>{Value(60), "x", Value()})).tier() == "access");
    // Values of other kinds take the other way.
    CHECK(must(insert.execute(std::vector<Value>{Value(61), "x", "12.5"})).tier() == "engine");
    CHECK(number(session, "SELECT count(*) FROM t WHERE price = 12.5") == 1);
}

TEST_CASE("texts that differ in literals share one plan") {
    Both both;
    Session& session = both.fast.session;
    run(session, "INSERT INTO t (id, name) VALUES (1, 'a')");
    const int64_t plans = counter(session, "plans_made");
    for (int id = 2; id < 30; id++) {
        const std::string n = std::to_string(id);
        run(session, "INSERT INTO t (id, name) VALUES (" + n + ", 'name " + n + "')");
    }
    CHECK(counter(session, "plans_made") <= plans + 1);
    CHECK(number(session, "SELECT count(*) FROM t WHERE id < 30") == 29);
}

TEST_CASE("a direct change is part of its block") {
    Both both;
    Session& session = both.fast.session;
    run(session, "BEGIN");
    run(session, "INSERT INTO t (id) VALUES (1)");
    CHECK(run(session, "UPDATE t SET i = 5 WHERE id = 1").affected == 1);
    CHECK(number(session, "SELECT i FROM t WHERE id = 1") == 5);
    CHECK(ask(session, "INSERT INTO t (id) VALUES (1)").status.sqlstate() == "23505");
    CHECK(ask(session, "INSERT INTO t (id) VALUES (2)").status.sqlstate() == "25P02");
    run(session, "ROLLBACK");
    CHECK(number(session, "SELECT count(*) FROM t WHERE id < 10") == 0);
}

TEST_CASE("EXPLAIN says so, and the settings switch it off") {
    Both both;
    Session& session = both.fast.session;
    const std::string plan = "EXPLAIN UPDATE t SET i = 1 WHERE id = 100";
    CHECK(run(session, plan).rows[0] == "  Update: t, by t_pkey|");
    run(session, "SET trefoil.use_indexes = off");
    CHECK(run(session, plan).rows[0] != "  Update: t, by t_pkey|");
    CHECK(run(session, "UPDATE t SET i = 1 WHERE id = 100").tier == "engine");
    CHECK(run(session, "INSERT INTO t (id) VALUES (1)").tier == "access");
    run(session, "SET trefoil.fast_path = off");
    CHECK(run(session, "INSERT INTO t (id) VALUES (2)").tier == "engine");
}

TEST_CASE("EXPLAIN ANALYZE of a change does it, and counts") {
    Both both;
    Session& session = both.fast.session;
    const Answer plan = run(session, "EXPLAIN ANALYZE DELETE FROM t WHERE id = 100");
    const auto title = std::find(plan.rows.begin(), plan.rows.end(), "Delete: t, rows=1|");
    CHECK(title != plan.rows.end());
    CHECK(std::any_of(plan.rows.begin(), plan.rows.end(), [](const std::string& line) {
        return line.find("metrics=[") != std::string::npos;
    }));
    CHECK(number(session, "SELECT count(*) FROM t WHERE id = 100") == 0);
}

}  // namespace
}  // namespace trefoil
