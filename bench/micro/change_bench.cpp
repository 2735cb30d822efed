// What one small change costs in memory, from the call to the answer: prepared, and as a text whose
// literals differ each time; without the engine, and by it ("Planned").
//
//     build/bench/bench_change_bench

#include <benchmark/benchmark.h>

#include "base/check.h"
#include "trefoil/database.h"

namespace trefoil {
namespace {

struct Bench {
    explicit Bench(bool fast)
        : db(std::move(*Database::open(":memory:"))), session(std::move(*db.connect())) {
        CHECK(session.execute(fast ? "SET trefoil.fast_path = on" : "SET trefoil.fast_path = off")
                  .ok());
        CHECK(session.execute("CREATE TABLE t (id BIGINT PRIMARY KEY, name TEXT, n INT)").ok());
    }
    void fill(int64_t rows) {
        CHECK(session
                  .execute("INSERT INTO t SELECT i, 'name', 0 FROM generate_series(0, " +
                           std::to_string(rows - 1) + ") AS g(i)")
                  .ok());
        CHECK(db.checkpoint().ok());
    }
    Database db;
    Session session;
};

void insert_prepared(benchmark::State& state, bool fast) {
    Bench bench(fast);
    auto insert = std::move(*bench.session.prepare("INSERT INTO t VALUES ($1, $2, $3)"));
    int64_t id = 0;
    std::vector<Value> row = {Value(0), Value("a name of some length"), Value(7)};
    for (auto _ : state) {
        row[0] = Value(id++);
        CHECK(insert.execute(row).ok());
    }
}

void insert_text(benchmark::State& state, bool fast) {
    Bench bench(fast);
    int64_t id = 0;
    for (auto _ : state) {
        CHECK(bench.session
                  .execute("INSERT INTO t VALUES (" + std::to_string(id++) +
                           ", 'a name of some length', 7)")
                  .ok());
    }
}

void insert_in_block(benchmark::State& state, bool fast) {
    Bench bench(fast);
    auto insert = std::move(*bench.session.prepare("INSERT INTO t VALUES ($1, $2, $3)"));
    CHECK(bench.session.execute("BEGIN").ok());
    int64_t id = 0;
    std::vector<Value> row = {Value(0), Value("a name of some length"), Value(7)};
    for (auto _ : state) {
        row[0] = Value(id++);
        CHECK(insert.execute(row).ok());
    }
}

void update_prepared(benchmark::State& state, bool fast) {
    constexpr int64_t kRows = 100'000;
    Bench bench(fast);
    bench.fill(kRows);
    auto update = std::move(*bench.session.prepare("UPDATE t SET n = n + $1 WHERE id = $2"));
    int64_t id = 0;
    for (auto _ : state) {
        const std::vector<Value> step = {Value(1), Value(id++ * 7919 % kRows)};
        CHECK(update.execute(step).ok());
    }
}

BENCHMARK_CAPTURE(insert_prepared, Direct, true);
BENCHMARK_CAPTURE(insert_prepared, Planned, false);
BENCHMARK_CAPTURE(insert_text, Direct, true);
BENCHMARK_CAPTURE(insert_text, Planned, false);
BENCHMARK_CAPTURE(insert_in_block, Direct, true);
BENCHMARK_CAPTURE(update_prepared, Direct, true);
BENCHMARK_CAPTURE(update_prepared, Planned, false);

}  // namespace
}  // namespace trefoil
