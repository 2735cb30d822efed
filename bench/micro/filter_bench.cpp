// How fast a filter runs over batches: values per second and bytes per second, beside a plain sum
// over the same memory, which is as fast as a scan can be.

#include <benchmark/benchmark.h>

#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "access/filter.h"

namespace trefoil::access {
namespace {

using plan::CompareOp;
using plan::Expr;

constexpr int64_t kRows = 1 << 23;  // 64 MiB of BIGINT: larger than the caches
constexpr int64_t kBatchRows = 8192;

template <typename T>
arrow::Array random_array(const arrow::Type& type, uint64_t below) {
    std::mt19937_64 random(1);
    auto memory = arrow::allocate(kRows * sizeof(T));
    auto* values = reinterpret_cast<T*>(memory.get());
    for (int64_t i = 0; i < kRows; i++) values[i] = static_cast<T>(random() % below);
    arrow::Array a;
    a.type = type;
    a.length = kRows;
    a.null_count = 0;
    a.buffers = {{}, {memory.get(), kRows * sizeof(T), memory}};
    return a;
}

// "name 123456 of many": 16 to 24 bytes, one in a thousand with an x.
arrow::Array random_text() {
    std::mt19937_64 random(1);
    auto memory = arrow::allocate(kRows * sizeof(arrow::View));
    auto* views = reinterpret_cast<arrow::View*>(memory.get());
    auto heap = std::make_shared<std::string>();
    for (int64_t i = 0; i < kRows; i++) {
        const std::string text = "name " + std::to_string(random() % 1'000'000) +
                                 (random() % 1000 == 0 ? " x of many" : " of many");
        views[i] = {};
        views[i].size = static_cast<int32_t>(text.size());
        std::memcpy(views[i].ref.prefix, text.data(), 4);
        views[i].ref.offset = static_cast<int32_t>(heap->size());
        *heap += text;
    }
    arrow::Array a;
    a.type = arrow::utf8_view();
    a.length = kRows;
    a.null_count = 0;
    a.buffers = {{},
                 {memory.get(), kRows * sizeof(arrow::View), memory},
                 {reinterpret_cast<const uint8_t*>(heap->data()), heap->size(), heap}};
    return a;
}

void run(benchmark::State& state, const arrow::Array& column, const Expr& filter, bool offsets) {
    arrow::Schema schema{{{"c", column.type, true}}};
    Result<FilterProgram> program = FilterProgram::compile({&filter, 1}, schema);
    if (!program.ok()) return state.SkipWithError(program.status().message().c_str());
    Selection selection;
    std::vector<uint32_t> rows;
    int64_t passed = 0;
    for (auto _ : state) {
        passed = 0;
        for (int64_t first = 0; first < kRows; first += kBatchRows) {
            const arrow::Array batch = column.slice(first, kBatchRows);
            const arrow::Array* columns[] = {&batch};
            program->select(columns, kBatchRows, &selection);
            passed += selection.count;
            if (offsets) selection.offsets(&rows);
        }
        benchmark::DoNotOptimize(passed);
    }
    state.SetItemsProcessed(state.iterations() * kRows);
    state.SetBytesProcessed(state.iterations() * kRows *
                            static_cast<int64_t>(column.type.byte_width()));
    state.counters["passed"] = static_cast<double>(passed) / kRows;
}

Expr less(Value v) {
    return Expr::compare(CompareOp::kLess, Expr::column(0), Expr::literal(v));
}

Expr in_list(int64_t count, int64_t step) {
    Expr e;
    e.kind = Expr::Kind::kInList;
    e.children.push_back(Expr::column(0));
    for (int64_t i = 0; i < count; i++) e.children.push_back(Expr::literal(i * step));
    return e;
}

Expr like(const char* pattern) {
    Expr e;
    e.kind = Expr::Kind::kLike;
    e.children = {Expr::column(0), Expr::literal(pattern)};
    return e;
}

void sum_of_memory(benchmark::State& state) {
    const arrow::Array column = random_array<int64_t>(arrow::int64(), 1000);
    for (auto _ : state) {
        int64_t sum = 0;
        for (int64_t i = 0; i < kRows; i++) sum += column.values<int64_t>()[i];
        benchmark::DoNotOptimize(sum);
    }
    state.SetItemsProcessed(state.iterations() * kRows);
    state.SetBytesProcessed(state.iterations() * kRows * 8);
}
BENCHMARK(sum_of_memory);

// The argument: how many in a thousand pass.
void int64_less(benchmark::State& state) {
    run(state, random_array<int64_t>(arrow::int64(), 1000), less(state.range(0)), false);
}
BENCHMARK(int64_less)->Arg(1)->Arg(500);

void int64_less_offsets(benchmark::State& state) {
    run(state, random_array<int64_t>(arrow::int64(), 1000), less(state.range(0)), true);
}
BENCHMARK(int64_less_offsets)->Arg(1)->Arg(100)->Arg(500)->Arg(999);

void int16_less(benchmark::State& state) {
    run(state, random_array<int16_t>(arrow::int16(), 1000), less(500), false);
}
BENCHMARK(int16_less);

void int32_less(benchmark::State& state) {
    run(state, random_array<int32_t>(arrow::int32(), 1000), less(500), false);
}
BENCHMARK(int32_less);

void float64_less(benchmark::State& state) {
    run(state, random_array<double>(arrow::float64(), 1000), less(500.0), false);
}
BENCHMARK(float64_less);

void decimal_less(benchmark::State& state) {
    run(state, random_array<__int128>(arrow::decimal(20, 2), 1000), less(5), false);
}
BENCHMARK(decimal_less);

void int64_between(benchmark::State& state) {
    Expr between = Expr::both(
        Expr::compare(CompareOp::kGreaterEqual, Expr::column(0), Expr::literal(100)), less(200));
    run(state, random_array<int64_t>(arrow::int64(), 1000), between, false);
}
BENCHMARK(int64_between);

void int64_in_near(benchmark::State& state) {
    run(state, random_array<int64_t>(arrow::int64(), 1000), in_list(100, 10), false);
}
BENCHMARK(int64_in_near);

void int64_in_far(benchmark::State& state) {
    run(state, random_array<int64_t>(arrow::int64(), 1000), in_list(1000, int64_t{1} << 40), false);
}
BENCHMARK(int64_in_far);

void text_equal(benchmark::State& state) {
    Expr e = Expr::compare(CompareOp::kEqual, Expr::column(0), Expr::literal("name 4711 of many"));
    run(state, random_text(), e, false);
}
BENCHMARK(text_equal);

void text_prefix(benchmark::State& state) {
    run(state, random_text(), like("name 47%"), false);
}
BENCHMARK(text_prefix);

void text_infix(benchmark::State& state) {
    run(state, random_text(), like("%x of%"), false);
}
BENCHMARK(text_infix);

void text_pattern(benchmark::State& state) {
    run(state, random_text(), like("n_me%x%many"), false);
}
BENCHMARK(text_pattern);

}  // namespace
}  // namespace trefoil::access
