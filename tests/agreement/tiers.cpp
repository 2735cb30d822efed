// The access tier against the engine: a statement without algebra must answer the same on both.
//
// The fast path may be as clever as it likes, so each of its shapes is asked twice, and rows, names
// and types of columns are compared; Rows::tier() proves which tier ran. Then: literals that are
// lifted out of a text, DDL that makes plans old, parameters of unexpected types.

#include "answers.h"

namespace trefoil {
namespace {

struct Shop {
    Shop() : db(must(Database::open(":memory:"))), session(must(db.connect())) {
        run(session,
            "CREATE TABLE p (id BIGINT PRIMARY KEY, name TEXT, short VARCHAR(20), n SMALLINT, i "
            "INT, "
            "price DECIMAL(10,2), d DOUBLE, r REAL, ok BOOLEAN, day DATE, at TIME, ts TIMESTAMP, "
            "tz TIMESTAMPTZ, u UUID, b BYTEA, span INTERVAL, tags INT[], \"Mixed Case\" INT)");
        fill(0, 150);
        must(db.checkpoint());
        fill(150, 230);
        run(session, "UPDATE p SET name = 'renamed' WHERE id BETWEEN 40 AND 45");
        run(session, "DELETE FROM p WHERE id IN (3, 160)");
        run(session, "INSERT INTO p (id) VALUES (-5)");
        run(session, "CREATE TABLE keyless (x INT, y TEXT)");
        run(session, "INSERT INTO keyless VALUES (1, 'a'), (2, NULL), (2, 'c')");
        run(session, "CREATE TABLE pair (a TEXT, b BIGINT, c INT, PRIMARY KEY (a, b))");
        run(session,
            "INSERT INTO pair VALUES ('x', 1, 10), ('x', 2, 20), ('y', 1, 30), ('', 0, 40)");
        run(session, "CREATE TABLE empty (id INT PRIMARY KEY, t TEXT)");
    }

    void fill(int from, int to) {
        std::string rows;
        for (int id = from; id < to; id++) {
            const std::string n = std::to_string(id), digit = std::to_string(id % 10);
            rows += rows.empty() ? "(" : ", (";
            rows += n + ", 'name of number " + n + "', " + (id % 7 ? "'s" + digit + "'" : "NULL") +
                    ", " + digit + ", " + std::to_string(id * 1000 - 50000) + ", " + n + ".25, " +
                    n + ".5, 0." + digit + ", " + (id % 3 ? (id % 2 ? "true" : "false") : "NULL") +
                    ", DATE '2024-02-1" + digit + "', '12:00:0" + digit +
                    "', TIMESTAMP '2024-02-29 10:0" + digit + ":00.5', '2024-02-29 10:00:0" +
                    digit + "+00', '00000000-0000-0000-0000-00000000000" + digit + "', '\\x0" +
                    digit + "ff', INTERVAL '" + digit + " days', ARRAY[" + n + ", 2], " + digit +
                    ")";
        }
        run(session, "INSERT INTO p VALUES " + rows);
    }

    void fast(bool on) {
        run(session, on ? "SET trefoil.fast_path = on" : "SET trefoil.fast_path = off");
    }

    // On both tiers; the answer of the access tier.
    Answer both(const std::string& sql, std::vector<Value> parameters = {}) {
        INFO(sql);
        fast(false);
        Answer engine = ask(session, sql, parameters);
        fast(true);
        Answer access = ask(session, sql, parameters);
        CHECK(engine.ok() == access.ok());
        CHECK(std::string(engine.status.sqlstate()) == std::string(access.status.sqlstate()));
        if (engine.ok() && access.ok()) {
            CHECK(engine.tier == "engine");
            CHECK(access.rows == engine.rows);
            CHECK(access.shape() == engine.shape());
        }
        return access;
    }

    Database db;
    Session session;
};

// Conditions of every kind that the access operators understand.
const std::vector<std::string> kConditions = {"id = 7",
                                              "7 = id",
                                              "id = -5",
                                              "id = 3",
                                              "id = 99999",
                                              "id IN (1, 2, 3, 3, -5, 1000)",
                                              "id NOT IN (1, 2, 3)",
                                              "id BETWEEN 10 AND 20",
                                              "id BETWEEN 20 AND 10",
                                              "id NOT BETWEEN 5 AND 220",
                                              "id < 10",
                                              "10 > id",
                                              "id <= 10 AND id > 5",
                                              "id >= 225",
                                              "id <> 7",
                                              "id < 5 OR id > 225",
                                              "(id >= 100 AND id <= 110) OR id = 150",
                                              "NOT (id > 5)",
                                              "id = 5 AND id = 6",
                                              "id > 5 AND id < 5",
                                              "name = 'renamed'",
                                              "name = 'name of number 17'",
                                              "name LIKE 'name of number 1%'",
                                              "name LIKE '%7'",
                                              "name LIKE 'name of number _'",
                                              "name NOT LIKE '%of%'",
                                              "name ILIKE 'NAME OF NUMBER 2_'",
                                              "name IS NULL",
                                              "name IS NOT NULL",
                                              "short IS NULL",
                                              "short = 's3'",
                                              "short < 's2'",
                                              "n = 3",
                                              "n > 7",
                                              "i = -43000",
                                              "i BETWEEN -45000 AND -40000",
                                              "price = 17.25",
                                              "price > 225.5",
                                              "price < 3",
                                              "d = 12.5",
                                              "d > 220.5",
                                              "d < 1",
                                              "r > 0.85",
                                              "ok",
                                              "NOT ok",
                                              "ok IS NULL",
                                              "ok = true",
                                              "day = DATE '2024-02-13'",
                                              "day < DATE '2024-02-11'",
                                              "day = '2024-02-13'",
                                              "at = '12:00:04'",
                                              "ts > TIMESTAMP '2024-02-29 10:08:00'",
                                              "ts = '2024-02-29 10:03:00.5'",
                                              "tz = '2024-02-29 10:00:04+00'",
                                              "u = '00000000-0000-0000-0000-000000000004'",
                                              "b = '\\x04ff'",
                                              "\"Mixed Case\" = 4",
                                              "id = 7 AND name LIKE '%7'",
                                              "id < 50 AND n = 3 AND ok IS NOT NULL",
                                              "id < 30 AND (n = 3 OR short = 's4' OR name IS NULL)",
                                              "id = 7 OR name = 'renamed'",
                                              "name IN ('renamed', 'name of number 2', 'nobody')",
                                              "price IN (1.25, 2.25, 99999.99)",
                                              "n NOT IN (1, 2, 3, 4, 5, 6, 7, 8)",
                                              "NOT (n = 1 OR n = 2 OR n > 3)",
                                              "id = 7 AND TRUE",
                                              "TRUE",
                                              "FALSE",
                                              "id = NULL",
                                              "id > 9223372036854775806",
                                              "id >= -9223372036854775808"};

TEST_CASE("one table, conditions, columns: both tiers give the same rows, names and types") {
    Shop shop;
    uint64_t on_access = 0, asked = 0;
    for (const std::string& condition : kConditions) {
        for (const char* columns : {"*", "id, name", "name AS \"N\", id AS x, id"}) {
            Answer a = shop.both(std::string("SELECT ") + columns + " FROM p WHERE " + condition);
            CHECK_MESSAGE(a.ok(), condition << ": " << a.status.to_string());
            on_access += a.tier == "access";
            asked++;
        }
    }
    MESSAGE(on_access << " of " << asked << " ran on the access tier");
    CHECK(on_access * 10 > asked * 8);
}

TEST_CASE("every shape of a simple statement runs on the access tier and answers as the engine") {
    Shop shop;
    for (const char* sql :
         {"SELECT * FROM p",
          "SELECT id FROM p",
          "SELECT id, id AS again FROM p",
          "SELECT \"Mixed Case\" FROM p",
          "SELECT p.id, p.name FROM p WHERE p.id = 4",
          "SELECT q.id FROM p AS q WHERE q.id < 4",
          "SELECT q.* FROM p q WHERE q.id = 4",
          "select ID, NAME from P where ID = 4",
          "SELECT name, id FROM p WHERE id = 12",
          "SELECT * FROM (SELECT id, name FROM p) AS s WHERE id = 4",
          "SELECT x FROM (SELECT id AS x, name FROM p WHERE id < 9) AS s WHERE x > 4",
          "SELECT * FROM pair WHERE a = 'x' AND b = 2",
          "SELECT c FROM pair WHERE b = 2 AND a = 'x'",
          "SELECT * FROM pair WHERE a = 'x'",
          "SELECT * FROM pair WHERE a = ''",
          "SELECT * FROM pair WHERE b = 1",
          "SELECT * FROM pair WHERE a = 'x' AND b > 1",
          "SELECT * FROM pair WHERE a IN ('x', 'y') AND b = 1",
          "SELECT * FROM keyless",
          "SELECT y FROM keyless WHERE x = 2",
          "SELECT * FROM keyless WHERE y IS NULL",
          "SELECT * FROM empty",
          "SELECT t FROM empty WHERE id = 1",
          "SELECT * FROM empty LIMIT 3",
          "SELECT tags, span, b, u FROM p WHERE id IN (4, 155)",
          "SELECT * FROM p WHERE id = 4;",
          "SELECT /* a comment */ id FROM p -- another\n WHERE id = 4"}) {
        Answer a = shop.both(sql);
        CHECK_MESSAGE(a.ok(), sql << ": " << a.status.to_string());
        CHECK_MESSAGE(a.tier == "access", sql);
    }
}

TEST_CASE("algebra goes to the engine, whatever is set") {
    Shop shop;
    for (const char* sql :
         {"SELECT count(*) FROM p", "SELECT id FROM p ORDER BY n", "SELECT DISTINCT n FROM p",
          "SELECT id + 1 FROM p", "SELECT n, count(*) FROM p GROUP BY n",
          "SELECT p.id FROM p JOIN keyless ON p.id = keyless.x", "SELECT 1",
          "SELECT id FROM p WHERE id = (SELECT max(x) FROM keyless)",
          "SELECT id FROM p WHERE id = 1 UNION ALL SELECT x FROM keyless",
          "WITH s AS (SELECT max(id) AS m FROM p) SELECT m FROM s",
          "SELECT row_number() OVER (ORDER BY id) FROM p"}) {
        Answer a = run(shop.session, sql);
        CHECK_MESSAGE(a.tier == "engine", sql);
    }
    CHECK(run(shop.session, "INSERT INTO keyless SELECT 9, 'z'").tier == "engine");
    CHECK(run(shop.session, "BEGIN").tier.empty());
    CHECK(run(shop.session, "COMMIT").tier.empty());
}

TEST_CASE("LIMIT and OFFSET: so many rows, all of them rows of the table, none twice") {
    Shop shop;
    const size_t all = run(shop.session, "SELECT id FROM p").rows.size();
    const std::vector<std::string> rows = run(shop.session, "SELECT id FROM p").rows;
    for (bool fast : {false, true}) {
        shop.fast(fast);
        for (size_t limit : {0u, 1u, 7u, 149u, 150u, 1000u}) {
            for (size_t offset : {0u, 1u, 148u, 500u}) {
                const std::string sql = "SELECT id FROM p LIMIT " + std::to_string(limit) +
                                        " OFFSET " + std::to_string(offset);
                INFO(sql);
                Answer a = run(shop.session, sql);
                CHECK(a.rows.size() == std::min(limit, all - std::min(offset, all)));
                CHECK(std::includes(rows.begin(), rows.end(), a.rows.begin(), a.rows.end()));
                CHECK(std::adjacent_find(a.rows.begin(), a.rows.end()) == a.rows.end());
                if (fast && limit > 0) CHECK(a.tier == "access");
            }
        }
        CHECK(
            run(shop.session, "SELECT id FROM p WHERE id BETWEEN 10 AND 19 LIMIT 4").rows.size() ==
            4);
        CHECK(run(shop.session, "SELECT id FROM p WHERE n = 3 LIMIT 5").rows.size() == 5);
        CHECK(run(shop.session, "SELECT id FROM p WHERE n = 3 LIMIT 2 OFFSET 22").rows.size() <= 2);
    }
    CHECK(!shop.both("SELECT id FROM p LIMIT -1").ok());
    CHECK(shop.both("SELECT id FROM p LIMIT $1", {Value(4)}).rows.size() == 4);
    CHECK(shop.both("SELECT id FROM p LIMIT $1", {Value()}).rows.size() == all);
}

// --- The statement cache
// ------------------------------------------------------------------------------------

int64_t plans_of(Shop& shop, const std::vector<std::string>& statements) {
    (void)counter(shop.session, "plans_made");  // has its own plan now
    const int64_t before = counter(shop.session, "plans_made");
    for (const std::string& sql : statements) {
        INFO(sql);
        CHECK(run(shop.session, sql).tier == "access");
    }
    return counter(shop.session, "plans_made") - before;
}

TEST_CASE("statements that differ in literals alone are planned once") {
    Shop shop;
    CHECK(plans_of(shop,
                   {"SELECT name FROM p WHERE id = 1", "SELECT name FROM p WHERE id = 2",
                    "SELECT name FROM p WHERE id = 222", "SELECT name FROM p WHERE id = 1"}) == 1);
    CHECK(plans_of(shop, {"SELECT id FROM p WHERE name = 'renamed'",
                          "SELECT id FROM p WHERE name = 'it''s none'"}) == 1);
    CHECK(plans_of(shop, {"SELECT id FROM p WHERE id IN (1, 2, 5)",
                          "SELECT id FROM p WHERE id IN (10, 20, 7)"}) == 1);
    CHECK(plans_of(shop, {"SELECT id FROM p WHERE id BETWEEN 1 AND 5 LIMIT 3",
                          "SELECT id FROM p WHERE id BETWEEN 3 AND 50 LIMIT 9"}) == 1);
    // The answers are those of their own literals.
    CHECK(run(shop.session, "SELECT name FROM p WHERE id = 41").first() == "renamed|");
    CHECK(run(shop.session, "SELECT name FROM p WHERE id = 21").first() == "name of number 21|");
    CHECK(run(shop.session, "SELECT id FROM p WHERE id IN (8, 9, 10)").rows.size() == 3);
    CHECK(run(shop.session, "SELECT id FROM p WHERE id BETWEEN 3 AND 50 LIMIT 2").rows.size() == 2);
}

TEST_CASE("what looks like a literal but is none, or one of another type, is not mixed up") {
    Shop shop;
    for (const char* sql : {"SELECT id FROM p WHERE id = 7",
                            "SELECT id FROM p WHERE id = '7'",
                            "SELECT id FROM p WHERE id = 7.0",
                            "SELECT id FROM p WHERE id = 7.5",
                            "SELECT id FROM p WHERE id = -5",
                            "SELECT id FROM p WHERE id = - 5",
                            "SELECT id FROM p WHERE id = 9-2",
                            "SELECT id FROM p WHERE id = 7e0",
                            "SELECT id FROM p WHERE id = 99999999999999999999",
                            "SELECT id FROM p WHERE id = 'seven'",
                            "SELECT id FROM p WHERE id = true",
                            "SELECT id FROM p WHERE id > 7.5 AND id < 9.5",
                            "SELECT id FROM p WHERE id > 228.5",
                            "SELECT id FROM p WHERE id < 0.5",
                            "SELECT id FROM p WHERE name = 7",
                            "SELECT id FROM p WHERE price = '17.25'",
                            "SELECT id FROM p WHERE price = 17.250",
                            "SELECT id FROM p WHERE d = 12",
                            "SELECT id FROM p WHERE n = 3.0",
                            "SELECT id FROM p WHERE n = 70000",
                            "SELECT id FROM p WHERE i < 3000000000",
                            "SELECT id FROM p WHERE r = 0.5",
                            "SELECT id FROM p WHERE day = '2024-02-30'",
                            "SELECT id FROM p WHERE ts = '2024-02-29'",
                            "SELECT id FROM p WHERE u = 'no uuid'",
                            "SELECT id FROM p WHERE ok = 'true'",
                            "SELECT id FROM p WHERE name = E'renamed'",
                            "SELECT id FROM p WHERE name = $$renamed$$",
                            "SELECT id FROM p WHERE name LIKE 'name\\_%'",
                            "SELECT id FROM p WHERE name = ''",
                            "SELECT id FROM p WHERE 1 = 1 AND id = 4",
                            "SELECT id FROM p WHERE 'a' = 'b'",
                            "SELECT id FROM p WHERE day = DATE '2024-02-13' AND id < 50",
                            "SELECT 7 FROM p WHERE id = 7",
                            "SELECT 'x' AS id FROM p WHERE id = 7",
                            "SELECT id FROM p WHERE id IN ('7', 8)",
                            "SELECT id FROM p WHERE id = 7 LIMIT 1.5",
                            "SELECT id FROM p WHERE id = 7 LIMIT '1'"}) {
        (void)shop.both(sql);
    }
}

TEST_CASE("parameters of every type: both tiers agree") {
    Shop shop;
    const std::vector<Value> values = {Value(7),
                                       Value("7"),
                                       Value(7.0),
                                       Value(2.5),
                                       Value(),
                                       Value(true),
                                       Value("seven"),
                                       Value(1e30),
                                       Value(-1e30),
                                       Value(INT64_MAX),
                                       Value(INT64_MIN),
                                       Value("99999999999999999999"),
                                       Value(""),
                                       Value(" 7 "),
                                       Value(Decimal{700, 2}),
                                       Value(Decimal{725, 2}),
                                       Value(Decimal{70, 1}),
                                       Value(Date{19787}),
                                       Value("2024-02-13"),
                                       Value(Timestamp{1709200000000000, false}),
                                       Value(Uuid{}),
                                       Value(Blob{"x"}),
                                       Value(70000),
                                       Value(3000000000)};
    for (const char* column : {"id", "name", "n", "i", "price", "d", "day", "ts", "u", "ok", "b"}) {
        for (const char* op : {" = ", " < ", " >= "}) {
            const std::string sql = std::string("SELECT id FROM p WHERE ") + column + op + "$1";
            for (const Value& value : values) {
                CAPTURE(value.to_string());
                CAPTURE(value.storage().index());
                (void)shop.both(sql, {value});
            }
        }
    }
    CHECK(shop.both("SELECT id FROM p WHERE id = $1", {Value(7)}).first() == "7|");
    CHECK(shop.both("SELECT id FROM p WHERE id = $1", {Value("7")}).first() == "7|");
    CHECK(shop.both("SELECT id FROM p WHERE id = $1", {Value()}).rows.empty());
    CHECK(shop.both("SELECT id FROM p WHERE id IN ($1, $2)", {Value(7), Value(9)}).rows.size() ==
          2);
    CHECK(shop.both("SELECT id FROM p WHERE id = $1", {}).status.sqlstate() == "08P01");
    CHECK(shop.both("SELECT id FROM p WHERE id = $1", {Value(1), Value(2)}).status.sqlstate() ==
          "08P01");
}

TEST_CASE("DDL makes plans old: texts and prepared statements follow it") {
    Shop shop;
    Session& s = shop.session;
    run(s, "CREATE TABLE moving (id INT PRIMARY KEY, v INT)");
    run(s, "INSERT INTO moving VALUES (1, 10), (2, 20)");
    Prepared prepared = must(s.prepare("SELECT v FROM moving WHERE id = $1"));
    CHECK(prepared.parameter_count() == 1);
    CHECK(run(s, "SELECT v FROM moving WHERE id = 1").first() == "10|");
    std::vector<Value> one = {Value(1)};
    CHECK(read_answer(prepared.execute(one)).first() == "10|");
    run(s, "DROP TABLE moving");
    CHECK(ask(s, "SELECT v FROM moving WHERE id = 1").status.sqlstate() == "42P01");
    CHECK(read_answer(prepared.execute(one)).status.sqlstate() == "42P01");
    run(s, "CREATE TABLE moving (other TEXT, v TEXT, id INT PRIMARY KEY)");
    run(s, "INSERT INTO moving VALUES ('o', 'now text', 1)");
    Answer again = run(s, "SELECT v FROM moving WHERE id = 1");
    CHECK(again.first() == "now text|");
    CHECK(again.shape() == "v TEXT, ");
    CHECK(read_answer(prepared.execute(one)).first() == "now text|");
    // A table that another session drops is gone here too.
    Session other = must(shop.db.connect());
    run(other, "DROP TABLE moving");
    CHECK(ask(s, "SELECT v FROM moving WHERE id = 1").status.sqlstate() == "42P01");
    // A table made in a transaction is known in it, and nowhere after a rollback.
    run(s, "BEGIN");
    run(s, "CREATE TABLE moving (id INT PRIMARY KEY)");
    CHECK(run(s, "SELECT * FROM moving WHERE id = 1").tier == "access");
    CHECK(ask(other, "SELECT * FROM moving WHERE id = 1").status.sqlstate() == "42P01");
    run(s, "ROLLBACK");
    CHECK(ask(s, "SELECT * FROM moving WHERE id = 1").status.sqlstate() == "42P01");
}

TEST_CASE("the fast path sees a transaction's own changes, and its snapshot") {
    Shop shop;
    Session& s = shop.session;
    Session other = must(shop.db.connect());
    run(s, "BEGIN");
    run(s, "UPDATE p SET name = 'mine' WHERE id = 8");
    run(s, "DELETE FROM p WHERE id = 9");
    run(s, "INSERT INTO p (id, name) VALUES (5000, 'new')");
    run(other, "UPDATE p SET name = 'theirs' WHERE id = 10");
    for (const char* id : {"8", "9", "10", "5000"}) {
        (void)shop.both(std::string("SELECT id, name FROM p WHERE id = ") + id);
    }
    CHECK(run(s, "SELECT name FROM p WHERE id = 8").first() == "mine|");
    CHECK(run(s, "SELECT name FROM p WHERE id = 9").rows.empty());
    CHECK(run(s, "SELECT name FROM p WHERE id = 10").first() == "name of number 10|");
    CHECK(run(s, "SELECT name FROM p WHERE id = 5000").tier == "access");
    CHECK(run(other, "SELECT name FROM p WHERE id = 8").first() == "name of number 8|");
    run(s, "ROLLBACK");
    CHECK(run(s, "SELECT name FROM p WHERE id = 10").first() == "theirs|");
    CHECK(run(s, "SELECT name FROM p WHERE id = 5000").rows.empty());
}

TEST_CASE("EXPLAIN says which tier runs") {
    Shop shop;
    auto plan_text = [&](const std::string& sql) {
        std::string text;
        for (const std::string& row : run(shop.session, sql).rows) text += row + "\n";
        return text;
    };
    const std::string point = plan_text("EXPLAIN SELECT * FROM p WHERE id = 7");
    CAPTURE(point);
    CHECK(point.find("fast path") != std::string::npos);
    CHECK(point.find("PointLookup p_pkey (learned): id = 7") != std::string::npos);
    CHECK(plan_text("EXPLAIN SELECT n, count(*) FROM p GROUP BY n").find("fast path") ==
          std::string::npos);
    shop.fast(false);
    CHECK(plan_text("EXPLAIN SELECT * FROM p WHERE id = 7").find("PointLookup p_pkey (learned)") !=
          std::string::npos);
}

}  // namespace
}  // namespace trefoil
