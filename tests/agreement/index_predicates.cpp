// Indexes against a scan: whatever nested AND, OR and NOT is asked, both find the same rows.
//
// A seeded generator makes trees of conditions over a table with NULLs, duplicates and several
// indexes, some columns without one. Each tree is asked in one session with indexes and in one
// without, on the same data; between the trees rows are changed, files are written and the database
// is reopened. Some are asked with a LIMIT, where only the number of rows is compared.
//
// The same trees are asked of tables of the program with indexes of its own.
//
//     TREFOIL_SEED=7 TREFOIL_TREES=100000 build/tests/agreement_index_predicates

#include <atomic>
#include <cstdlib>
#include <random>
#include <thread>

#include "answers.h"
#include "plain_table.h"

namespace trefoil {
namespace {

// Conditions over the columns of t.
class Trees {
public:
    explicit Trees(uint64_t seed) : random_(seed) {}

    std::string tree(int depth) {
        const uint64_t kind = pick(depth <= 0 ? 1 : 6);
        if (kind == 0) return leaf();
        if (kind == 1) return "NOT (" + tree(depth - 1) + ")";
        const char* word = kind % 2 ? " AND " : " OR ";
        std::string text = "(" + tree(depth - 1);
        for (uint64_t more = 1 + pick(3); more > 0; more--) text += word + tree(depth - 1);
        return text + ")";
    }

    uint64_t pick(uint64_t n) { return random_() % n; }

private:
    std::string leaf() {
        static const char* const kOps[] = {"=", "=", "=", "<", "<=", ">", ">=", "<>"};
        const std::string op = kOps[pick(8)];
        switch (pick(15)) {
            case 0:
                return "age " + op + " " + number(40);
            case 1:
                return number(40) + " " + op + " age";
            case 2:
                return "city " + op + " " + city();
            case 3:
                return "age BETWEEN " + number(40) + " AND " + number(40);
            case 4:
                return "city IN (" + city() + ", " + city() + ", NULL)";
            case 5:
                return "age NOT IN (" + number(40) + ", " + number(40) + ")";
            case 6:
                return (pick(2) ? "age" : "city") +
                       std::string(pick(2) ? " IS NULL" : " IS NOT NULL");
            case 7:
                return "city LIKE 'c1" + std::string(pick(2) ? "%'" : "%2'");
            case 8:
                return "score " + op + " " + number(10) + ".5";
            case 9:
                return "(big " + op + " " + (pick(2) ? "9223372036854775807" : number(5)) + ")";
            case 10:
                return "upper(city) " + op + " upper(" + city() + ")";
            case 11:
                return "upper(city) " + std::string(pick(2) ? "LIKE 'C1%'" : "IS NULL");
            case 12:
                return "age + plain " + op + " " + number(60);
            case 13:
                return "plain " + op + " " + number(20);
            default:
                return "(age = " + number(40) + " AND city = " + city() + ")";
        }
    }
    std::string number(uint64_t n) { return std::to_string(pick(n)); }
    std::string city() { return "'c" + number(25) + "'"; }

    std::mt19937_64 random_;
};

// A table with indexes of every kind; or with hashes alone, so that nothing else answers.
struct Town {
    explicit Town(bool hashes = false) {
        open();
        run(*session,
            "CREATE TABLE t (id BIGINT PRIMARY KEY, age INT, city TEXT, score DOUBLE, big BIGINT, "
            "plain INT, code TEXT UNIQUE)");
        if (hashes) {
            for (const char* columns :
                 {"(city)", "(age)", "(score)", "(big)", "(upper(city), plain)", "(city, age)",
                  "((age + plain))", "(plain) WHERE age > 20", "(id) WHERE score IS NULL"}) {
                run(*session, std::string("CREATE INDEX ON t USING hash ") + columns);
            }
            // So few rows that an index is always used.
            add(0, 500);
            must(db->checkpoint());
            run(*session, "CREATE INDEX ON t USING hash (plain, city)");
            add(500, 600);
            return;
        }
        run(*session, "CREATE INDEX ON t (age)");
        run(*session, "CREATE INDEX ON t (city, age)");
        run(*session, "CREATE INDEX ON t ((age + plain), upper(city))");
        run(*session, "CREATE INDEX ON t (city, score DESC)");
        run(*session, "CREATE INDEX ON t (plain, age DESC NULLS LAST, big NULLS FIRST)");
        add(0, 3000);
        must(db->checkpoint());
        run(*session, "CREATE INDEX ON t (score)");
        run(*session, "CREATE INDEX ON t (big)");
        run(*session, "CREATE INDEX ON t (upper(city)) INCLUDE (age)");
        run(*session, "CREATE INDEX ON t (plain) WHERE age > 20");
        run(*session, "CREATE INDEX ON t (score, age) WHERE city IS NOT NULL AND plain < 15");
        run(*session, "CREATE UNIQUE INDEX ON t (id) WHERE upper(city) <> 'C3'");
        run(*session, "CREATE UNIQUE INDEX ON t (age NULLS FIRST, id DESC)");
        add(3000, 3500);
    }

    void open() {
        session.reset();
        scan.reset();
        db.reset();
        db.emplace(must(Database::open(directory / "db.trefoil")));
        session.emplace(must(db->connect()));
        scan.emplace(must(db->connect()));
        run(*scan, "SET trefoil.use_indexes = off");
    }

    void add(int from, int to) {
        const std::string i = "i * 7919 % 1000";
        run(*session,
            "INSERT INTO t SELECT i, CASE WHEN " + i + " % 11 = 0 THEN NULL ELSE " + i +
                " % 40 END, CASE WHEN " + i + " % 13 = 0 THEN NULL ELSE concat('c', " + i +
                " % 25) END, CASE WHEN i % 5 = 0 THEN NULL WHEN i % 97 = 0 THEN 'NaN' ELSE " + i +
                " % 10 + 0.5 END, CASE WHEN i % 4 = 0 THEN NULL WHEN i % 4 = 1 THEN "
                "9223372036854775807 ELSE i % 5 END, " +
                i + " % 20, CASE WHEN i % 3 = 0 THEN NULL ELSE concat('k', i) END" +
                " FROM generate_series(" + std::to_string(from) + ", " + std::to_string(to - 1) +
                ") AS s(i)");
    }

    // Rows that a round adds stay for so many rounds.
    static constexpr int kRoundsKept = 20;

    // Changes some rows, by way of the indexes.
    void change(Trees& trees, int round) {
        run(*session, "UPDATE t SET age = age + 1 WHERE " + trees.tree(1) + " AND id % 5 = 0");
        run(*session, "UPDATE t SET city = concat('c', id % 25), age = NULL WHERE id % 50 = " +
                          std::to_string(round % 50));
        run(*session, "DELETE FROM t WHERE " + trees.tree(2) + " AND id % 17 = 3");
        const int first = 10000 + round * 100;
        add(first, first + 60);
        // A long run goes on with a table of this size.
        run(*session, "DELETE FROM t WHERE id >= 10000 AND id < " +
                          std::to_string(first - kRoundsKept * 100));
        if (round % 3 == 0) must(db->checkpoint());
        if (round % 4 == 1) open();
    }

    TestDirectory directory;
    std::optional<Database> db;
    std::optional<Session> session, scan;
};

}  // namespace

TEST_CASE("an index finds what a scan finds, for nested conditions over columns with NULLs") {
    const uint64_t seed = setting("TREFOIL_SEED", 5);
    const uint64_t trees = setting("TREFOIL_TREES", 2000);
    CAPTURE(seed);
    Trees make(seed);
    Town town;
    for (uint64_t i = 0; i < trees; i++) {
        if (i % 100 == 99) town.change(make, static_cast<int>(i / 100));
        const std::string where = " FROM t WHERE " + make.tree(3);
        CAPTURE(where);
        const Answer fast = ask(*town.session, "SELECT id, age, city" + where);
        const Answer slow = ask(*town.scan, "SELECT id, age, city" + where);
        REQUIRE_MESSAGE(slow.ok(), slow.status.to_string());
        REQUIRE_MESSAGE(fast.ok(), fast.status.to_string());
        REQUIRE(fast.rows == slow.rows);
        if (i % 10 != 0) continue;
        CHECK(ask(*town.session, "SELECT count(*)" + where).first() ==
              std::to_string(slow.rows.size()) + "|");
        const size_t limit = 1 + make.pick(20);
        CHECK(ask(*town.session, "SELECT name FROM (SELECT city AS name" + where + " LIMIT " +
                                     std::to_string(limit) + ") AS some")
                  .rows.size() == std::min(limit, slow.rows.size()));
    }
    const Answer used = ask(*town.session, "SELECT index_scans > 0, scans > 0 FROM trefoil_stats");
    CHECK(used.first() == "true|true|");
}

TEST_CASE("many rows that an index finds are fetched by several threads, each row once") {
    Database db = must(Database::open(":memory:", {.threads = 4}));
    Session session = must(db.connect());
    run(session, "CREATE TABLE t (id BIGINT PRIMARY KEY, s TEXT, v BIGINT)");
    // One part of the rows lies together, another is scattered.
    run(session,
        "INSERT INTO t SELECT i, concat('some text with ', CASE WHEN i < 50000 THEN 7 ELSE i % 25 "
        "END), i FROM generate_series(0, 799999) AS g(i)");
    run(session, "CREATE INDEX ON t (s)");
    const std::string where = " FROM t WHERE s LIKE 'some text with 7%' AND v <> 11";
    const std::string plan = plan_of(session, "SELECT sum(v)" + where);
    INFO(plan);
    CHECK(has(plan, "IndexScan t_s_idx"));
    CHECK_FALSE(has(plan, "input_partitions=1"));
    run(session, "CHECKPOINT");
    for (const bool changed : {false, true}) {
        if (changed) {
            run(session, "DELETE FROM t WHERE id % 1000 = 3 OR id BETWEEN 700 AND 9000");
            // From now on entries are compared with their rows.
            run(session, "UPDATE t SET s = 'some text with 8' WHERE id BETWEEN 20000 AND 20100");
        }
        for (const bool fast : {true, false}) {
            run(session, std::string("SET trefoil.fast_path = ") + (fast ? "on" : "off"));
            for (const char* columns : {"id, v", "s", "sum(v), count(*), min(id), max(id)"}) {
                const std::string sql = "SELECT " + std::string(columns) + where;
                const auto found = run(session, sql).rows;
                CHECK(run(session, sql + " LIMIT 70000 OFFSET 5").rows.size() ==
                      std::min<size_t>(found.size() - std::min<size_t>(found.size(), 5), 70000));
                run(session, "SET trefoil.use_indexes = off");
                CHECK(run(session, sql).rows == found);
                run(session, "SET trefoil.use_indexes = on");
            }
        }
    }
}

TEST_CASE("hashes find what a scan finds, too, and nothing else with the same hash") {
    Trees make(setting("TREFOIL_SEED", 5) + 3);
    Town town(/*hashes=*/true);
    const uint64_t trees = setting("TREFOIL_TREES", 2000) / 3;
    for (uint64_t i = 0; i < trees; i++) {
        if (i % 100 == 99) town.change(make, static_cast<int>(i / 100));
        const std::string where = " FROM t WHERE " + make.tree(static_cast<int>(i % 3));
        CAPTURE(where);
        const Answer slow = ask(*town.scan, "SELECT id, age, city" + where);
        REQUIRE_MESSAGE(slow.ok(), slow.status.to_string());
        REQUIRE(ask(*town.session, "SELECT id, age, city" + where).rows == slow.rows);
        if (i % 10 != 0) continue;
        CHECK(ask(*town.session, "SELECT count(*)" + where).first() ==
              std::to_string(slow.rows.size()) + "|");
    }
    CHECK(number(*town.session, "SELECT index_scans FROM trefoil_stats") > 0);
    CHECK(run(*town.session, "CHECK DATABASE").first().starts_with("database|ok|"));
}

TEST_CASE("indexes and scans agree on one snapshot while others write") {
    Trees make(setting("TREFOIL_SEED", 5) + 1);
    Town town;
    std::atomic<bool> stop{false};
    std::thread writer([&] {
        Session own = must(town.db->connect());
        for (int round = 1; !stop; round++) {
            const std::string n = std::to_string(round % 37);
            const std::string id = std::to_string(100000 + round);
            run(own, "UPDATE t SET age = (age + 1) % 40 WHERE id % 37 = " + n);
            run(own, "DELETE FROM t WHERE age = " + n + " AND id % 100 = 1");
            run(own, "INSERT INTO t (id, age, city) VALUES (" + id + ", " + n + ", 'c12')");
            if (round % 10 == 0) run(own, "CHECKPOINT");
        }
    });
    const uint64_t trees = setting("TREFOIL_TREES", 2000) / 10;
    for (uint64_t i = 0; i < trees; i++) {
        const std::string sql = "SELECT id, age, city FROM t WHERE " + make.tree(2);
        CAPTURE(sql);
        run(*town.session, "BEGIN");
        const Answer fast = run(*town.session, sql);
        run(*town.session, "SET trefoil.use_indexes = off");
        const Answer slow = run(*town.session, sql);
        run(*town.session, "SET trefoil.use_indexes = on");
        run(*town.session, "COMMIT");
        CHECK(fast.rows == slow.rows);
    }
    stop = true;
    writer.join();
}

namespace {

// The rows of a query, as a table of the program with indexes of every kind.
std::shared_ptr<PlainTable> plain_copy(Session& session, const std::string& sql) {
    auto table = std::make_shared<PlainTable>();
    Rows rows = must(session.execute(sql));
    for (const ColumnInfo& c : rows.columns()) table->the_columns.push_back({c.name, c.type});
    for (;;) {
        auto batch = must(rows.next());
        if (!batch) break;
        for (int64_t r = 0; r < batch->row_count(); r++) {
            PlainRow& row = table->rows.emplace_back();
            for (int32_t c = 0; c < batch->column_count(); c++) row.push_back(batch->value(r, c));
        }
    }
    table->the_key = {"id"};
    using Columns = std::vector<std::string>;
    auto add = [&](const char* name, Columns columns, IndexKind kind = IndexKind::kOrdered) {
        auto index = std::make_shared<PlainIndex>(*table, name, std::move(columns), kind);
        table->the_indexes.push_back(index);
        return index;
    };
    add("age_idx", {"age"});
    add("city_age_idx", {"city", "age"})->nulls = false;
    add("city_idx", {"city"}, IndexKind::kHash);
    add("score_idx", {"score"})->answer = IndexAnswer::kInexact;
    add("big_idx", {"big"})->repeat = 2;
    add("letters_idx", {"city"}, IndexKind::kConditions);
    return table;
}

}  // namespace

TEST_CASE("a program's indexes find what a scan of the same rows in a stored table finds") {
    Trees make(setting("TREFOIL_SEED", 5) + 2);
    Town town;
    run(*town.session,
        "CREATE TABLE small AS SELECT id, age, city, score, big, plain FROM t WHERE "
        "id < 300");
    const std::vector<Manner> manners = {{1000, 0}, {1, 1}, {50, 2}};
    std::vector<std::shared_ptr<PlainTable>> tables;
    for (size_t i = 0; i < manners.size(); i++) {
        tables.push_back(plain_copy(*town.session, "SELECT * FROM small"));
        tables[i]->manner = manners[i];
        tables[i]->cost = i == 0 ? 4 : 1000;
        must(town.db->register_table("plain" + std::to_string(i), tables[i]));
    }
    const uint64_t trees = setting("TREFOIL_TREES", 2000) / 2;
    for (uint64_t i = 0; i < trees; i++) {
        const std::string where = " WHERE " + make.tree(3);
        CAPTURE(where);
        const std::string plain = " FROM plain" + std::to_string(i % tables.size());
        const Answer slow = ask(*town.scan, "SELECT id, age, city FROM small" + where);
        const Answer fast = ask(*town.session, "SELECT id, age, city" + plain + where);
        REQUIRE_MESSAGE(fast.ok(), fast.status.to_string());
        REQUIRE(fast.rows == slow.rows);
        if (i % 10 != 0) continue;
        CHECK(ask(*town.scan, "SELECT id, age, city" + plain + where).rows == slow.rows);
        CHECK(ask(*town.session, "SELECT count(*)" + plain + where).first() ==
              std::to_string(slow.rows.size()) + "|");
        const size_t limit = 1 + make.pick(20);
        CHECK(ask(*town.session, "SELECT city" + plain + where + " LIMIT " + std::to_string(limit))
                  .rows.size() == std::min(limit, slow.rows.size()));
    }
    CHECK(number(*town.session,
                 "SELECT min(index_scans) FROM trefoil_stats WHERE table_name LIKE "
                 "'plain%'") > 0);
}

}  // namespace trefoil
