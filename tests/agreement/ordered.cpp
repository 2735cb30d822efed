// ORDER BY through an index, columns fetched late, and keys of a join looked up: each against the
// plain way.
//
// A seeded table with NULLs, duplicates and extreme values goes through its stages (in memory, in
// segments, patched with moved keys, inside an open transaction, opened again); at each, random
// conditions, orders and limits are asked with the switch on and off, on both tiers. Rows that are
// equal in what they are ordered by may come in any order, so of these columns alone the sequences
// are compared.

#include "trial.h"

namespace trefoil {
namespace {

class Trial : public StagedTrial {
public:
    explicit Trial(uint32_t seed) : StagedTrial(seed, 560) {
        run(*session_,
            "CREATE TABLE t (id BIGINT PRIMARY KEY, a INT, b TEXT, c DOUBLE, d BIGINT, "
            "e INT NOT NULL, wide TEXT)");
        for (const char* columns : {"a", "a, b", "b, e", "c", "d", "e, id", "e, a, d", "a, b DESC",
                                    "e, d DESC NULLS LAST", "b DESC NULLS LAST, d, a DESC",
                                    "c NULLS FIRST, e DESC, id"}) {
            run(*session_, std::string("CREATE INDEX ON t (") + columns + ")");
        }
        run(*session_, "CREATE UNIQUE INDEX ON t (d, id)");
        run(*session_, "CREATE UNIQUE INDEX ON t (d NULLS FIRST, id DESC)");
        run(*session_, "CREATE INDEX ON t (upper(b), e)");
        run(*session_, "CREATE INDEX ON t ((a + e) DESC)");
        run(*session_, "CREATE INDEX ON t (d, a) WHERE e < 7");
    }

    int64_t ordered_scans() {
        return number(*session_, "SELECT ordered_scans FROM trefoil_stats WHERE table_name = 't'");
    }

private:
    std::string value(const char* column) {
        if (below(6) == 0 && *column != 'e') return "NULL";
        switch (*column) {
            case 'b':
                return "'b" + std::to_string(below(12)) + "'";
            case 'c':
                return std::to_string(below(20)) + ".5";
            case 'd':
                return below(8) ? std::to_string(below(50)) : "9223372036854775807";
            default:
                return std::to_string(below(9));
        }
    }

    void insert(int from, int to) override {
        std::string values;
        for (int i = from; i < to; i++) {
            values += (values.empty() ? "(" : ", (") + std::to_string(i * 7 % 1009);
            for (const char* column : {"a", "b", "c", "d", "e"}) values += ", " + value(column);
            values += ", 'row " + std::to_string(i) + "')";
        }
        run(*session_, "INSERT INTO t VALUES " + values);
    }

    // Values that move in every index, and back; rows that go.
    void change() override {
        for (const char* column : {"a", "b", "c", "d", "e"}) {
            run(*session_, std::string("UPDATE t SET ") + column + " = " + value(column) +
                               " WHERE id % 13 = " + std::to_string(below(13)));
        }
        run(*session_, "UPDATE t SET a = a + 1 WHERE id % 5 = 2");
        run(*session_, "UPDATE t SET a = a - 1 WHERE id % 5 = 2");
        run(*session_, "UPDATE t SET wide = 'x' WHERE id % 17 = 3");
        run(*session_, "DELETE FROM t WHERE id % 41 = " + std::to_string(below(41)));
    }

    std::string order(std::string* columns) {
        static const std::vector<std::vector<const char*>> kOrders = {{"id"},
                                                                      {"a"},
                                                                      {"a", "b"},
                                                                      {"b"},
                                                                      {"b", "e"},
                                                                      {"c"},
                                                                      {"d"},
                                                                      {"d", "id"},
                                                                      {"e", "id"},
                                                                      {"e", "a"},
                                                                      {"e"},
                                                                      {"e", "a", "d"},
                                                                      {"c", "id"},
                                                                      {"a", "id"},
                                                                      {"upper(b)"},
                                                                      {"a + e"},
                                                                      {"upper(b)", "e"},
                                                                      {"d", "a"},
                                                                      {"e", "d"},
                                                                      {"b", "d", "a"},
                                                                      {"c", "e"}};
        const auto& keys = kOrders[below(static_cast<uint32_t>(kOrders.size()))];
        // All of them, or every other.
        const bool descending = below(2), mixed = below(2);
        const uint32_t nulls = below(4);
        std::string text;
        for (size_t i = 0; i < keys.size(); i++) {
            text += (i ? ", " : " ORDER BY ") + std::string(keys[i]);
            *columns += (i ? ", " : "") + std::string(keys[i]);
            if (descending != (mixed && i % 2 == 1)) text += " DESC";
            if (nulls == 0 || (nulls == 1 && i == 0)) text += " NULLS FIRST";
            if (nulls == 2 || (nulls == 3 && mixed && i == 0)) text += " NULLS LAST";
        }
        return text;
    }

    std::string where() {
        switch (below(9)) {
            case 0:
                return " WHERE e = " + std::to_string(below(9));
            case 1:
                return " WHERE a = " + std::to_string(below(9)) + " AND b LIKE 'b1%'";
            case 2:
                return " WHERE a IN (1, 3, 5)";
            case 3:
                return " WHERE d > 20 OR d IS NULL";
            case 4:
                return " WHERE e >= 3 AND e < 7 AND wide LIKE '%1%'";
            case 5:
                return " WHERE b > 'b3' AND abs(e) < 8";
            case 6:
                return " WHERE e = 2 AND a = 3";
            default:
                return "";
        }
    }

    void compare(const std::string& stage) override {
        CAPTURE(stage);
        for (int i = 0; i < 40; i++) {
            std::string columns;
            const std::string by = order(&columns);
            std::string tail = by;
            const bool limited = below(4) != 0;
            if (limited) tail += " LIMIT " + std::to_string(below(30));
            if (limited && below(3) == 0) tail += " OFFSET " + std::to_string(below(12));
            const std::string from = " FROM t" + where();
            compare_one("SELECT " + columns + from + tail);
            if (!limited) compare_sets("SELECT *" + from + tail);
        }
    }

    void compare_one(const std::string& sql) {
        INFO(sql);
        set("index_order", false);
        set("fast_path", false);
        const auto truth = sequence(*session_, sql);
        set("index_order", true);
        CHECK(sequence(*session_, sql) == truth);
        set("fast_path", true);
        CHECK(sequence(*session_, sql) == truth);
    }

    // Of all rows: none is missing, none comes twice.
    void compare_sets(const std::string& sql) {
        INFO(sql);
        set("index_order", false);
        const Answer truth = run(*session_, sql);
        set("index_order", true);
        CHECK(run(*session_, sql).rows == truth.rows);
    }
};

TEST_CASE("an index puts rows in the order in which a sort puts them") {
    for (uint32_t seed : {11u, 12u, 13u}) {
        CAPTURE(seed);
        Trial trial(seed);
        trial.run_all();
        CHECK(trial.ordered_scans() > 20);  // since it was opened again
    }
}

TEST_CASE("an index whose columns differ in direction gives its order and the opposite one") {
    TestDirectory directory;
    std::optional<Database> db(must(Database::open(directory / "db")));
    std::optional<Session> session(must(db->connect()));
    run(*session, "CREATE TABLE t (id BIGINT PRIMARY KEY, a INT NOT NULL, b INT, c TEXT)");
    run(*session,
        "INSERT INTO t SELECT i, i % 50, CASE WHEN i % 7 = 0 THEN NULL ELSE i * 7919 % 10007 END, "
        "concat('c', i % 100) FROM generate_series(1, 20000) AS g(i)");
    run(*session, "CREATE INDEX ON t (a, b DESC NULLS LAST, c)");
    for (int round = 0; round < 2; round++) {
        auto scans = [&] { return number(*session, "SELECT ordered_scans FROM trefoil_stats"); };
        int64_t expected = scans();
        for (const char* order : {"a, b DESC NULLS LAST", "a DESC, b NULLS FIRST",
                                  "a, b DESC NULLS LAST, c", "a DESC, b NULLS FIRST, c DESC"}) {
            run(*session, std::string("SELECT id FROM t ORDER BY ") + order + " LIMIT 5");
            CHECK(scans() == ++expected);
        }
        // Behind a column that is held to one value the NULLs may come at either end.
        run(*session, "SELECT id FROM t WHERE a = 7 ORDER BY b DESC LIMIT 5");
        CHECK(scans() == ++expected);
        for (const char* order : {"a, b", "a, b DESC", "a DESC, b DESC NULLS LAST"}) {
            run(*session, std::string("SELECT id FROM t ORDER BY ") + order + " LIMIT 5");
            CHECK(scans() == expected);
        }
        must(db->checkpoint());
        session.reset();
        db.reset();
        db.emplace(must(Database::open(directory / "db")));
        session.emplace(must(db->connect()));
    }
}

TEST_CASE("an ordered scan stops where the limit is reached") {
    Database db = must(Database::open(":memory:"));
    Session session = must(db.connect());
    run(session, "CREATE TABLE t (id BIGINT PRIMARY KEY, a INT, b INT)");
    run(session,
        "INSERT INTO t SELECT i, i * 7919 % 100003, i % 10 "
        "FROM generate_series(1, 100000) AS g(i)");
    run(session, "CREATE INDEX ON t (a)");
    auto fetched = [&](const std::string& sql) {
        const int64_t before = stats_of(session, "t").fetched;
        run(session, sql);
        return stats_of(session, "t").fetched - before;
    };
    for (bool flushed : {false, true}) {
        if (flushed) must(db.checkpoint());
        for (bool fast : {false, true}) {
            run(session, std::string("SET trefoil.fast_path = ") + on_off(fast));
            CHECK(fetched("SELECT * FROM t ORDER BY a DESC LIMIT 10 OFFSET 5") == 15);
            CHECK(fetched("SELECT * FROM t ORDER BY id LIMIT 3") == 3);
            // One row in ten passes.
            CHECK(fetched("SELECT * FROM t WHERE b = 3 ORDER BY a LIMIT 5") < 1000);
        }
    }
}

// A top-k over wide rows, and joins with few rows on one side.
struct Wide {
    Wide() : db(must(Database::open(":memory:"))), session(must(db.connect())) {
        run(session,
            "CREATE TABLE wide (id BIGINT PRIMARY KEY, x INT, y INT, k BIGINT, p TEXT, q TEXT, "
            "r DOUBLE)");
        run(session,
            "INSERT INTO wide SELECT i, i * 7919 % 30011, CASE WHEN i % 9 = 0 THEN NULL ELSE "
            "i % 50 END, i % 5000, concat('p', i), concat('a longer text ', i % 77), i / 3.0 "
            "FROM generate_series(1, 30000) AS g(i)");
        run(session, "CREATE INDEX ON wide (k)");
        must(db.checkpoint());
        run(session, "UPDATE wide SET p = 'changed' WHERE id % 31 = 4");
        run(session, "UPDATE wide SET k = k + 1 WHERE id % 37 = 5");
        run(session, "DELETE FROM wide WHERE id % 43 = 6");
        run(session,
            "INSERT INTO wide SELECT i, -i, i, i % 60, 'late', NULL, 0 "
            "FROM generate_series(40001, 40050) AS g(i)");
        run(session, "CREATE TABLE few (id INT PRIMARY KEY, k BIGINT, name TEXT)");
        run(session,
            "INSERT INTO few SELECT i, i * 37 % 6000, concat('few ', i) "
            "FROM generate_series(1, 40) AS g(i)");
        run(session, "INSERT INTO few VALUES (100, NULL, 'none'), (101, 999999, 'far')");
    }
    void agree(const std::string& name, const std::string& sql) {
        INFO(sql);
        const auto on = sequence(session, sql);
        run(session, "SET trefoil." + name + " = off");
        CHECK(sequence(session, sql) == on);
        run(session, "SET trefoil." + name + " = on");
    }
    int64_t counted(const std::string& counter, const std::string& sql) {
        const std::string ask =
            "SELECT sum(" + counter + ") FROM trefoil_stats WHERE table_name = 'wide'";
        const int64_t before = number(session, ask);
        run(session, sql);
        return number(session, ask) - before;
    }
    Database db;
    Session session;
};

TEST_CASE("columns that are fetched late are those of the winners") {
    Wide w;
    for (const char* by : {"x, id", "x DESC, id", "y NULLS FIRST, x, id", "q, id", "r DESC, x, id",
                           "abs(x), id", "x % 100, id DESC"}) {
        for (const char* where :
             {"", " WHERE y < 20", " WHERE p LIKE '%7%' AND y IS NOT NULL", " WHERE abs(y) = 7"}) {
            const std::string from = " FROM wide" + std::string(where) + " ORDER BY " + by;
            w.agree("late_fetch", "SELECT *" + from + " LIMIT 20");
            w.agree("late_fetch", "SELECT upper(p), q, id + 1" + from + " LIMIT 7 OFFSET 5");
            w.agree("late_fetch",
                    "SELECT count(*), min(p), max(q) FROM (SELECT *" + from + " LIMIT 100) AS top");
        }
    }
    const std::string sql = "SELECT * FROM wide ORDER BY x, y LIMIT 10";
    CHECK(w.counted("late_fetches", sql) == 10);
    run(w.session, "SET trefoil.late_fetch = off");
    CHECK(w.counted("late_fetches", sql) == 0);
    run(w.session, "SET trefoil.late_fetch = on");
    run(w.session, "BEGIN");
    run(w.session, "INSERT INTO wide VALUES (-1, -100000, 1, 1, 'mine', 'q', 0)");
    w.agree("late_fetch", "SELECT * FROM wide ORDER BY x, y LIMIT 10");
    run(w.session, "ROLLBACK");
}

TEST_CASE("keys of a join that are looked up find what a scan finds") {
    Wide w;
    for (const char* sql : {
             "SELECT few.id, wide.id, p FROM few JOIN wide ON wide.k = few.k ORDER BY 1, 2",
             "SELECT few.id, wide.id, p FROM few JOIN wide ON wide.id = few.k ORDER BY 1, 2",
             "SELECT few.id, wide.id FROM few LEFT JOIN wide ON wide.k = few.k ORDER BY 1, 2",
             "SELECT few.id, wide.id FROM few LEFT JOIN wide ON wide.k = few.k AND wide.y < 9 "
             "ORDER BY 1, 2",
             "SELECT id, p FROM wide WHERE k IN (SELECT k FROM few WHERE id < 5) ORDER BY 1",
             "SELECT id, p FROM wide WHERE EXISTS (SELECT 1 FROM few WHERE few.k = wide.k AND "
             "few.id < 9) ORDER BY 1",
             "SELECT name, count(*) FROM few JOIN wide ON wide.k = few.k WHERE q LIKE '%7' "
             "GROUP BY 1 ORDER BY 1",
             "SELECT count(*) FROM few a JOIN wide b ON a.k = b.k JOIN wide c ON c.id = b.id",
             "SELECT count(*) FROM few JOIN wide ON wide.k = few.k WHERE few.id > 1000",
         }) {
        w.agree("index_joins", sql);
    }
    const std::string sql = "SELECT sum(r) FROM few JOIN wide ON wide.k = few.k WHERE few.id < 10";
    CHECK(w.counted("index_probes", sql) > 0);
    CHECK(w.counted("rows_scanned", sql) == 0);
    run(w.session, "SET trefoil.index_joins = off");
    CHECK(w.counted("index_probes", sql) == 0);
    CHECK(w.counted("rows_scanned", sql) > 0);
}

}  // namespace
}  // namespace trefoil
