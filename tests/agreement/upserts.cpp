// INSERT ... ON CONFLICT against a model, and by several sessions at once.

#include <atomic>
#include <map>
#include <random>
#include <thread>

#include "answers.h"

namespace trefoil {
namespace {

TEST_CASE("sessions that upsert one row lose no increment") {
    constexpr int kSessions = 4, kTimes = 50;
    Database db = must(Database::open(":memory:"));
    Session first = must(db.connect());
    run(first, "CREATE TABLE c (id INT PRIMARY KEY, n INT)");
    std::vector<std::thread> threads;
    std::atomic<int> failed{0};
    for (int s = 0; s < kSessions; s++) {
        threads.emplace_back([&] {
            Session session = must(db.connect());
            for (int i = 0; i < kTimes; i++) {
                auto done = session.execute(
                    "INSERT INTO c VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET n = c.n + 1");
                failed += !done.ok();
            }
        });
    }
    for (std::thread& t : threads) t.join();
    CHECK(failed == 0);
    CHECK(number(first, "SELECT n FROM c") == kSessions * kTimes);
}

// Upserts into t (id, code, n), in which id and code are unique.
void check_upserts(Database& db, Session& session, uint32_t seed) {
    std::mt19937 random(seed);
    std::map<int, std::pair<int, int>> model;  // id -> code, n
    auto code_taken = [&](int code) {
        return std::any_of(model.begin(), model.end(),
                           [&](const auto& row) { return row.second.first == code; });
    };
    for (int round = 0; round < 200; round++) {
        const int id = static_cast<int>(random() % 20), code = static_cast<int>(random() % 20);
        const std::string row = "(" + std::to_string(id) + ", " + std::to_string(code) + ", 1)";
        const bool there = model.contains(id);
        if (random() % 2 == 0) {
            const Answer a = run(
                session, "INSERT INTO t VALUES " + row + " ON CONFLICT DO NOTHING RETURNING id");
            const bool free = !there && !code_taken(code);
            CHECK(a.rows.size() == (free ? 1u : 0u));
            if (free) model[id] = {code, 1};
            continue;
        }
        const Answer a = ask(session, "INSERT INTO t VALUES " + row +
                                          " ON CONFLICT (id) DO UPDATE SET n = t.n + excluded.n "
                                          "WHERE t.n < 5");
        const bool fine = there || !code_taken(code);
        CHECK(a.ok() == fine);
        if (!fine) {
            CHECK(a.status.sqlstate() == "23505");
        } else if (!there) {
            model[id] = {code, 1};
        } else if (model[id].second < 5) {
            model[id].second++;
        }
        if (round == 100) must(db.checkpoint());
    }
    std::vector<std::string> expected;
    for (const auto& [id, row] : model) {
        expected.push_back(std::to_string(id) + "|" + std::to_string(row.first) + "|" +
                           std::to_string(row.second) + "|");
    }
    std::sort(expected.begin(), expected.end());
    CHECK(run(session, "SELECT * FROM t").rows == expected);
}

TEST_CASE("random upserts do what a map does") {
    Database db = must(Database::open(":memory:"));
    Session session = must(db.connect());
    run(session, "CREATE TABLE t (id INT PRIMARY KEY, code INT UNIQUE, n INT)");
    check_upserts(db, session, 7);
}

TEST_CASE("upserts do not look at what a unique index includes") {
    Database db = must(Database::open(":memory:"));
    Session session = must(db.connect());
    run(session, "CREATE TABLE t (id INT NOT NULL, code INT, n INT)");
    run(session, "CREATE UNIQUE INDEX ON t (id DESC) INCLUDE (n, code)");
    run(session, "CREATE UNIQUE INDEX ON t (code) INCLUDE (n)");
    check_upserts(db, session, 8);
    CHECK(run(session, "CHECK DATABASE").first().starts_with("database|ok|"));
}

}  // namespace
}  // namespace trefoil
