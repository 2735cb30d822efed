// Rows answered from the keys of an index, against the rows themselves.
//
// A seeded table with NULLs, duplicates, extreme values and texts with odd bytes goes through its
// stages (in memory, in segments, with dead rows, with updated rows that stand in two runs, inside
// an open transaction, opened again, with keys that moved, after REINDEX); at each, random columns
// and conditions are asked with covering scans on and off, on both tiers.

#include "trial.h"

namespace trefoil {
namespace {

class Trial : SeededTrial {
public:
    explicit Trial(uint32_t seed) : SeededTrial(seed) {
        run(*session_,
            "CREATE TABLE t (id BIGINT PRIMARY KEY, a INT, b TEXT, c DOUBLE, d BIGINT, e "
            "DECIMAL(8,2),"
            " f DATE, g BOOLEAN NOT NULL, h DECIMAL(30,4), u UUID, wide TEXT)");
        for (const char* columns : {"a", "d", "e", "f", "g", "a, b", "b, d, e", "g, c, a", "h, u",
                                    "c", "b, id", "f, g, b, a", "b DESC, a", "a, h DESC",
                                    "d NULLS FIRST, u DESC, e DESC NULLS LAST, g DESC"}) {
            run(*session_, std::string("CREATE INDEX ON t (") + columns + ")");
        }
        run(*session_, "CREATE UNIQUE INDEX ON t (d, id)");
        run(*session_, "CREATE INDEX ON t (u) INCLUDE (a, h)");
        run(*session_, "CREATE INDEX ON t (f DESC) INCLUDE (c, u) WHERE g");
    }

    void run_all() {
        insert(0, 400);
        compare("in memory");
        must(db_->checkpoint());
        compare("in a segment");
        run(*session_, "DELETE FROM t WHERE id % 41 = " + std::to_string(below(41)));
        compare("dead rows");
        run(*session_, "UPDATE t SET wide = 'x' WHERE id % 7 = 3");
        insert(400, 600);
        compare("rows updated in memory");
        must(db_->checkpoint());
        compare("rows updated in segments");
        run(*session_, "UPDATE t SET wide = 'y' WHERE id % 11 = 3");
        must(db_->checkpoint());
        compare("updated again");
        run(*session_, "BEGIN");
        insert(600, 640);
        run(*session_, "UPDATE t SET wide = 'z' WHERE id % 5 = 3");
        run(*session_, "DELETE FROM t WHERE id % 31 = 1");
        compare("an open transaction");
        run(*session_, "COMMIT");
        open();
        compare("opened again");
        CHECK(covered_ > 100);
        move_keys();
        compare("keys that moved, in memory");
        must(db_->checkpoint());
        compare("keys that moved, in segments");
        run(*session_, "REINDEX TABLE t");
        const uint64_t before = covered_;
        compare("after REINDEX");
        CHECK(covered_ > before);
    }

private:
    std::string text(uint32_t n) { return std::to_string(n); }

    std::string value(char column) {
        if (column != 'g' && below(6) == 0) return "NULL";
        switch (column) {
            case 'b':
                return below(5) ? "'b" + text(below(12)) + "'"
                                : "'a longer text with \xc3\xa4 " + text(below(3)) + "'";
            case 'c':
                return below(4) ? text(below(20)) + ".5" : "CAST('-0.0' AS DOUBLE)";
            case 'd':
                return below(8)   ? text(below(50))
                       : below(2) ? "9223372036854775807"
                                  : "-9223372036854775808";
            case 'e':
            case 'h':
                return "-" + text(below(20)) + ".25";
            case 'f':
                return "DATE '2020-01-" + text(10 + below(15)) + "'";
            case 'g':
                return below(3) ? "true" : "false";
            case 'u':
                return "CAST('00000000-0000-0000-0000-0000000000" + text(10 + below(9)) +
                       "' AS UUID)";
            default:
                return text(below(9));
        }
    }

    void insert(uint32_t from, uint32_t to) {
        std::string values;
        for (uint32_t i = from; i < to; i++) {
            values += (values.empty() ? "(" : ", (") + text(i * 7 % 1009);
            for (char column : std::string("abcdefghu")) values += ", " + value(column);
            values += ", 'row " + text(i) + "')";
        }
        run(*session_, "INSERT INTO t VALUES " + values);
    }

    // There, and some of them back.
    void move_keys() {
        for (char column : std::string("abdefgh")) {
            run(*session_, std::string("UPDATE t SET ") + column + " = " + value(column) +
                               " WHERE id % 13 = " + text(below(13)));
        }
        run(*session_, "UPDATE t SET a = a + 1 WHERE id % 5 = 2");
        run(*session_, "UPDATE t SET a = a - 1 WHERE id % 5 = 2");
    }

    std::string columns() {
        static const std::vector<const char*> kColumns = {
            "count(*)", "a",    "b",        "a, b",
            "b, a, a",  "d",    "e",        "f",
            "g",        "d, e", "b, id",    "h, u",
            "c",        "a, g", "sum(a)",   "count(d), min(d), max(d)",
            "f, b",     "id",   "count(b)", "d, id"};
        return kColumns[below(static_cast<uint32_t>(kColumns.size()))];
    }

    std::string leaf() {
        const char column = "aabbcddefghu"[below(12)];
        static const std::vector<const char*> kOps = {"=", "=", "<", ">=", "<>", ">", "<="};
        const std::string name(1, column);
        if (column == 'g') return below(2) ? "g" : "NOT g";
        switch (below(6)) {
            case 0:
                return name + (below(2) ? " IS NULL" : " IS NOT NULL");
            case 1:
                return name + " IN (" + value(column) + ", " + value(column) + ")";
            default:
                return name + " " + kOps[below(7)] + " " + value(column);
        }
    }

    std::string where() {
        std::string out = leaf();
        for (uint32_t more = below(3); more > 0; more--) {
            out = "(" + out + (below(3) ? " AND " : " OR ") + leaf() + ")";
        }
        return out;
    }

    uint64_t rows_covered() {
        return static_cast<uint64_t>(
            number(*session_, "SELECT rows_covered FROM trefoil_stats WHERE table_name = 't'"));
    }

    void compare(const std::string& stage) {
        CAPTURE(stage);
        const uint64_t before = rows_covered();
        for (int i = 0; i < 50; i++) {
            const std::string sql = "SELECT " + columns() + " FROM t WHERE " + where();
            INFO(sql);
            set("covering_scans", false);
            set("fast_path", below(2));
            const Answer truth = run(*session_, sql);
            set("covering_scans", true);
            CHECK(run(*session_, sql).rows == truth.rows);
            set("fast_path", true);
            CHECK(run(*session_, sql).rows == truth.rows);
            const std::string limited = sql + " LIMIT " + text(below(20));
            const Answer some = run(*session_, limited);
            set("covering_scans", false);
            CHECK(some.rows.size() == run(*session_, limited).rows.size());
            set("covering_scans", true);
        }
        covered_ += rows_covered() - before;
    }

    uint64_t covered_ = 0;
};

TEST_CASE("covering scans answer what the rows answer, at every stage of a table") {
    Trial(7).run_all();
}

TEST_CASE("what is covered is answered without rows, and what is not is read") {
    Database db = must(Database::open(":memory:"));
    Session session = must(db.connect());
    run(session, "CREATE TABLE t (id BIGINT PRIMARY KEY, a INT, b INT, x DOUBLE, s TEXT)");
    run(session,
        "INSERT INTO t SELECT i, i * 7919 % 1000, i % 77, CAST(i AS DOUBLE), 's' || i "
        "FROM generate_series(1, 20000) AS g(i)");
    run(session, "CREATE INDEX t_ab ON t (a, b)");
    run(session, "CREATE INDEX t_x ON t (x)");
    auto rows_covered = [&] {
        return number(session, "SELECT rows_covered FROM trefoil_stats WHERE table_name = 't'");
    };
    auto rows_fetched = [&] {
        return number(session, "SELECT rows_fetched FROM trefoil_stats WHERE table_name = 't'");
    };
    const std::string covered = "SELECT b FROM t WHERE a = 5";
    CHECK(has(plan_of(session, covered), "IndexOnlyScan t_ab: a = 5"));
    CHECK(run(session, covered).rows.size() == 20);
    CHECK(rows_covered() == 20);
    CHECK(number(session, "SELECT count(*) FROM t WHERE a BETWEEN 5 AND 9") == 100);
    CHECK(rows_covered() == 120);
    CHECK(rows_fetched() == 0);
    CHECK(has(plan_of(session, "SELECT a FROM t WHERE a < 5 AND b <> 3"),
              "IndexOnlyScan t_ab: a < 5, filter=[b <> 3]"));
    CHECK(has(plan_of(session, "SELECT count(*) FROM t WHERE a < 5 AND b <> 3"),
              "IndexOnlyScan t_ab: a < 5, filter=[b <> 3]"));
    CHECK(has(plan_of(session, "SELECT s FROM t WHERE a = 5"), "IndexScan t_ab"));
    CHECK(has(plan_of(session, "SELECT x FROM t WHERE x > 19990.0"), "IndexScan t_x"));
    CHECK(has(plan_of(session, "SELECT a FROM t WHERE id = 7"), "PointLookup t_pkey"));
    run(session, "SET trefoil.covering_scans = off");
    CHECK(has(plan_of(session, covered), "IndexScan t_ab"));
    run(session, "SET trefoil.covering_scans = on");
    // A key that moves: entries are compared with rows, so rows are read.
    run(session, "UPDATE t SET b = 78 WHERE id = 5");
    CHECK(has(plan_of(session, covered), "IndexScan t_ab"));
    run(session, "REINDEX INDEX t_ab");
    CHECK(has(plan_of(session, covered), "IndexOnlyScan t_ab"));
    const std::string verbose =
        plan_of(session, "VERBOSE SELECT b FROM t WHERE a = 5 AND a + 0 < 1000000");
    CHECK(has(verbose, "rejected: t_x: does not answer the conditions"));
}

}  // namespace
}  // namespace trefoil
