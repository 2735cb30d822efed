// Joins by merging what two indexes have in order, against joins by hash tables and sorts.
//
// Two seeded tables with NULLs, duplicates on both sides and keys of one to three columns go
// through their stages (in memory, in segments, patched with moved keys, inside an open
// transaction, opened again). At each, random joins of every kind are asked: as they are, with
// ORDER BY and LIMIT, and as the sort-merge joins that are planned where a hash table does not fit.

#include "trial.h"

namespace trefoil {
namespace {

class Trial : public StagedTrial {
public:
    explicit Trial(uint32_t seed) : StagedTrial(seed, 370) {
        for (const char* table : {"l", "r"}) {
            run(*session_, "CREATE TABLE " + std::string(table) +
                               " (id BIGINT PRIMARY KEY, k BIGINT, m TEXT, n INT NOT NULL, "
                               "v INT, d DATE)");
        }
        for (const char* index : {"l (k)", "l (m, k)", "l (n, k)", "l (n)", "l (d, n, k)", "r (k)",
                                  "r (k, m)", "r (n, k)", "r (m)", "r (d, n, k)"}) {
            run(*session_, std::string("CREATE INDEX ON ") + index);
        }
    }

    int64_t merge_scans() {
        return number(*session_, "SELECT sum(merge_scans) FROM trefoil_stats");
    }

private:
    std::string value(char column) {
        if (below(7) == 0 && column != 'n') return "NULL";
        switch (column) {
            case 'k':
                return below(9) ? std::to_string(below(60)) : "9223372036854775807";
            case 'm':
                return "'m" + std::to_string(below(9)) + "'";
            case 'd':
                return "DATE '2024-01-0" + std::to_string(1 + below(8)) + "'";
            default:
                return std::to_string(below(9));
        }
    }

    void insert(int from, int to) override {
        for (const char* table : {"l", "r"}) {
            std::string values;
            const int step = *table == 'l' ? 7 : 5;
            for (int i = from; i < to; i++) {
                values += (values.empty() ? "(" : ", (") + std::to_string(i * step % 1009);
                for (const char column : {'k', 'm', 'n', 'v', 'd'}) values += ", " + value(column);
                values += ")";
            }
            run(*session_, "INSERT INTO " + std::string(table) + " VALUES " + values);
        }
    }

    void change() override {
        for (const std::string table : {"l", "r"}) {
            for (const char column : {'k', 'm', 'n', 'd'}) {
                run(*session_, "UPDATE " + table + " SET " + column + " = " + value(column) +
                                   " WHERE id % 13 = " + std::to_string(below(13)));
            }
            run(*session_, "UPDATE " + table + " SET k = k - 1 WHERE id % 5 = 2 AND k < 100");
            run(*session_,
                "DELETE FROM " + table + " WHERE id % 41 = " + std::to_string(below(41)));
        }
    }

    std::string pick(const std::vector<std::string>& from) {
        return from[below(static_cast<uint32_t>(from.size()))];
    }

    // A join, the columns that an index orders it by, and those of both sides.
    struct Join {
        std::string from, columns;
        std::vector<std::string> keys;
    };

    Join join() {
        static const std::vector<std::vector<std::string>> kKeys = {
            {"id"}, {"k"}, {"m"}, {"n"}, {"n", "k"}, {"k", "n"}, {"k", "m"}, {"d", "n", "k"}};
        const auto& keys = kKeys[below(static_cast<uint32_t>(kKeys.size()))];
        std::string on;
        for (const std::string& key : keys) {
            on += (on.empty() ? "l." : " AND l.") + key + " = r." + key;
        }
        if (below(4) == 0) on += " AND l.v < r.v";
        const std::string left = pick({"l", "l", "(SELECT * FROM l WHERE n < 6) AS l",
                                       "(SELECT * FROM l WHERE abs(v) < 7) AS l"});
        const std::string right = pick({"r", "r", "(SELECT * FROM r WHERE v IS NOT NULL) AS r"});
        Join out;
        const std::string kind =
            pick({" JOIN ", " JOIN ", " LEFT JOIN ", " RIGHT JOIN ", " FULL JOIN ", "IN", "NOT"});
        if (kind == "IN" || kind == "NOT") {
            out.columns = "l.id, l.k, l.m, l.n";
            out.from = left + " WHERE " + (kind == "NOT" ? "NOT " : "") + "EXISTS (SELECT 1 FROM " +
                       right + " WHERE " + on + ")";
        } else {
            out.columns = "l.id, l.k, r.id, r.m, r.n";
            out.from = left + kind + right + " ON " + on;
            if (below(5) == 0) out.from += " WHERE l.v IS NULL OR l.v > 2";
        }
        const std::string side = kind == " RIGHT JOIN " ? "r." : "l.";
        for (const std::string& key : keys) out.keys.push_back(side + key);
        return out;
    }

    std::string order(const Join& join, std::string* columns) {
        const bool descending = below(2);
        const uint32_t nulls = below(4);
        std::string text;
        const size_t length = 1 + below(static_cast<uint32_t>(join.keys.size()));
        for (size_t i = 0; i < length; i++) {
            text += (i ? ", " : " ORDER BY ") + join.keys[i];
            *columns += (i ? ", " : "") + join.keys[i];
            if (descending) text += " DESC";
            if (nulls == 0) text += " NULLS FIRST";
            if (nulls == 1 && i == 0) text += " NULLS LAST";
        }
        return text;
    }

    void compare(const std::string& stage) override {
        CAPTURE(stage);
        for (int i = 0; i < 25; i++) {
            const Join join = this->join();
            compare_sets("SELECT " + join.columns + " FROM " + join.from);
            std::string columns;
            std::string by = order(join, &columns);
            if (below(4)) by += " LIMIT " + std::to_string(below(30));
            compare_sequences("SELECT " + columns + " FROM " + join.from + by);
        }
    }

    void prefer_hash_join(bool on) {
        run(*session_,
            std::string("SET datafusion.optimizer.prefer_hash_join = ") + (on ? "true" : "false"));
    }

    // With merge joins and without, with hash tables and with sorts.
    template <class Ask>
    void compare_all(const std::string& sql, Ask ask) {
        INFO(sql);
        set("merge_joins", false);
        const auto truth = ask();
        prefer_hash_join(false);
        CHECK(ask() == truth);
        prefer_hash_join(true);
        set("merge_joins", true);
        CHECK(ask() == truth);
        prefer_hash_join(false);
        CHECK(ask() == truth);
        run(*session_, "SET target_partitions = 1");
        CHECK(ask() == truth);
        run(*session_, "RESET target_partitions");
        prefer_hash_join(true);
    }
    void compare_sets(const std::string& sql) {
        compare_all(sql, [&] { return run(*session_, sql).rows; });
    }
    void compare_sequences(const std::string& sql) {
        compare_all(sql, [&] { return sequence(*session_, sql); });
    }
};

TEST_CASE("a join that merges two indexes finds what a hash join finds") {
    for (uint32_t seed : {31u, 32u, 33u}) {
        CAPTURE(seed);
        Trial trial(seed);
        trial.run_all();
        CHECK(trial.merge_scans() > 20);  // since it was opened again
    }
}

struct Shop {
    explicit Shop(const OpenOptions& options = {}) : db(must(Database::open(":memory:", options))) {
        session.emplace(must(db.connect()));
    }
    int64_t counted(const std::string& counter, const std::string& sql) {
        const std::string ask = "SELECT sum(" + counter + ") FROM trefoil_stats";
        const int64_t before = number(*session, ask);
        run(*session, sql);
        return number(*session, ask) - before;
    }
    Database db;
    std::optional<Session> session;
};

TEST_CASE("a merge join with a limit reads no more than it needs") {
    Shop shop;
    Session& s = *shop.session;
    run(s, "CREATE TABLE customer (id BIGINT PRIMARY KEY, name TEXT)");
    run(s, "CREATE TABLE orders (id BIGINT PRIMARY KEY, customer BIGINT, total INT)");
    run(s,
        "INSERT INTO customer SELECT i, concat('customer ', i) "
        "FROM generate_series(1, 20000) AS g(i)");
    run(s,
        "INSERT INTO orders SELECT i, i * 7919 % 20011, i % 100 "
        "FROM generate_series(1, 60000) AS g(i)");
    run(s, "CREATE INDEX ON orders (customer)");
    const std::string sql =
        "SELECT c.id, name, o.id FROM customer c JOIN orders o ON o.customer = c.id "
        "ORDER BY c.id DESC LIMIT 10";
    for (const bool flushed : {false, true}) {
        if (flushed) must(shop.db.checkpoint());
        CHECK(shop.counted("merge_scans", sql) == 2);
        CHECK(shop.counted("rows_fetched", sql) < 2000);
        CHECK(shop.counted("rows_scanned", sql) == 0);
    }
    run(s, "BEGIN");
    run(s, "INSERT INTO customer VALUES (99999, 'mine')");
    run(s, "INSERT INTO orders VALUES (70000, 99999, 1), (70001, 99999, 2)");
    CHECK(sequence(s, sql)[0].starts_with("99999|mine|7000"));
    CHECK(shop.counted("merge_scans", sql) == 2);
    run(s, "ROLLBACK");
    CHECK_FALSE(sequence(s, sql)[0].starts_with("99999"));
    run(s, "SET trefoil.merge_joins = off");
    CHECK(shop.counted("merge_scans", sql) == 0);
}

TEST_CASE("a join whose hash table would not fit into memory is a merge of indexes at once") {
    Shop shop({.memory_limit_bytes = 64 << 20, .threads = 2});
    Session& s = *shop.session;
    run(s, "CREATE TABLE a (id INT PRIMARY KEY, p TEXT, q TEXT, r TEXT, s TEXT, t TEXT, u TEXT)");
    run(s, "CREATE TABLE b (id INT PRIMARY KEY, p TEXT, q TEXT, r TEXT, s TEXT, t TEXT, u TEXT)");
    for (const char* table : {"a", "b"}) {
        run(s, "INSERT INTO " + std::string(table) +
                   " SELECT i, 'p', 'q', 'r', 's', 't', NULL FROM generate_series(1, 300000) AS "
                   "g(i) WHERE i % 1000 <> 7");
    }
    must(shop.db.checkpoint());
    const std::string wide =
        "SELECT count(*), max(concat(a.p, a.q, a.r, a.s, a.t, a.u, b.p, b.q, b.r, b.s, b.t, b.u)) "
        "FROM a JOIN b ON a.id = b.id";
    const std::string plan = plan_of(s, wide);
    INFO(plan);
    CHECK(has(plan, "SortMergeJoinExec"));
    CHECK_FALSE(has(plan, "SortExec"));
    CHECK(shop.counted("merge_scans", wide) == 2);
    const std::string narrow = "SELECT count(*) FROM a JOIN b ON a.id = b.id";
    CHECK(has(plan_of(s, narrow), "HashJoinExec"));
    const auto merged = run(s, wide).rows;
    run(s, "SET trefoil.merge_joins = off");
    CHECK(has(plan_of(s, wide), "HashJoinExec"));
    CHECK(run(s, wide).rows == merged);
}

}  // namespace
}  // namespace trefoil
