// ORDER BY ... LIMIT and joins with few rows over a million wide rows, with each optimisation on
// and off.
//
//     build/bench/bench_order_bench

#include <benchmark/benchmark.h>

#include "base/check.h"
#include "trefoil/database.h"

namespace trefoil {
namespace {

struct Bench {
    Bench() : db(std::move(*Database::open(":memory:"))), session(std::move(*db.connect())) {
        run("CREATE TABLE t (id BIGINT PRIMARY KEY, x INT, k BIGINT, a TEXT, b TEXT, c TEXT, "
            "d DOUBLE, e DOUBLE)");
        run("INSERT INTO t SELECT i, i * 7919 % 1000003, i * 31 % 100000, concat('a ', i), "
            "concat('some longer text ', i), concat('and one more ', i % 1000), i / 3.0, i / 7.0 "
            "FROM generate_series(1, 1000000) AS g(i)");
        run("CREATE INDEX ON t (k)");
        run("CREATE TABLE few (k BIGINT PRIMARY KEY)");
        run("INSERT INTO few SELECT i * 997 FROM generate_series(1, 100) AS g(i)");
        CHECK(db.checkpoint().ok());
    }
    void run(const std::string& sql) {
        auto rows = session.execute(sql);
        CHECK(rows.ok());
        for (;;) {
            auto batch = rows->next();
            CHECK(batch.ok());
            if (!batch->has_value()) return;
        }
    }
    Database db;
    Session session;
};

Bench& bench() {
    static Bench b;
    return b;
}

void measure(benchmark::State& state, const char* name, const char* sql) {
    const std::string setting = std::string("SET trefoil.") + name;
    bench().run(setting + (state.range(0) ? " = on" : " = off"));
    for (auto _ : state) bench().run(sql);
    bench().run(setting + " = on");
}

BENCHMARK_CAPTURE(measure, order_by_key, "index_order", "SELECT * FROM t ORDER BY id DESC LIMIT 10")
    ->Arg(1)
    ->Arg(0);
BENCHMARK_CAPTURE(measure, order_by_index, "index_order",
                  "SELECT * FROM t WHERE e > 50 ORDER BY k LIMIT 10")
    ->Arg(1)
    ->Arg(0);
BENCHMARK_CAPTURE(measure, order_whole_table, "index_order", "SELECT id, x FROM t ORDER BY id")
    ->Arg(1)
    ->Arg(0);
BENCHMARK_CAPTURE(measure, late_fetch, "late_fetch", "SELECT * FROM t ORDER BY x LIMIT 100")
    ->Arg(1)
    ->Arg(0);
BENCHMARK_CAPTURE(measure, index_join, "index_joins",
                  "SELECT sum(d) FROM few JOIN t ON t.k = few.k")
    ->Arg(1)
    ->Arg(0);

}  // namespace
}  // namespace trefoil
