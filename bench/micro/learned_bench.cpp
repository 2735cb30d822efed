// A primary-key lookup, part by part: KeyRun against a bisection of a sorted array and against
// LMDB.
//
// Ten million keys, warm, one thread, hits only. Each lookup answers a 64-bit row id. "x16" hands
// 16 keys over at a time; the others do one after the other. Keys are looked up in random order.
//
//     build/bench/bench_learned_bench [--benchmark_filter=uniform]

#include <benchmark/benchmark.h>
#include <lmdb.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <functional>
#include <random>

#include "base/check.h"
#include "base/key_coding.h"
#include "index/key_run.h"
#include "learned/last_mile.h"

namespace trefoil::index {
namespace {

constexpr size_t kKeys = 10'000'000;
constexpr size_t kTextKeys = 2'000'000;
constexpr size_t kQueries = 1 << 20;

struct Data {
    std::vector<uint64_t> keys;  // sorted, distinct
    std::vector<uint64_t> queries;
    KeyRunPtr run;
    std::vector<IntegerEntry> entries;
};

Data make_data(const std::function<uint64_t()>& next) {
    Data data;
    for (size_t i = 0; i < kKeys; ++i) data.keys.push_back(next());
    std::sort(data.keys.begin(), data.keys.end());
    data.keys.erase(std::unique(data.keys.begin(), data.keys.end()), data.keys.end());
    KeyRunBuilder builder(KeyShape::kInteger);
    builder.reserve(data.keys.size());
    for (size_t i = 0; i < data.keys.size(); ++i) {
        builder.add_integer(data.keys[i], i);
        data.entries.push_back({data.keys[i], i});
    }
    data.run = builder.finish();
    std::mt19937_64 random(2);
    for (size_t i = 0; i < kQueries; ++i) {
        data.queries.push_back(data.keys[random() % data.keys.size()]);
    }
    return data;
}

enum Set { kUniform, kDense, kClustered };

const Data& data_of(Set set) {
    static std::mt19937_64 random(1);
    static uint64_t counter = 0, cluster = 0;
    if (set == kUniform) {
        static const Data data = make_data([] { return random(); });
        return data;
    }
    if (set == kDense) {
        static const Data data = make_data([] { return order_u64(int64_t(counter++)); });
        return data;
    }
    static const Data data = make_data([] {
        if (random() % 1000 == 0) cluster = random();
        return cluster + random() % 100000;
    });
    return data;
}

void key_run_get(benchmark::State& state, Set set) {
    const Data& data = data_of(set);
    IndexCounters counters;
    uint64_t sum = 0;
    size_t i = 0;
    for (auto _ : state) {
        Positions p = data.run->lookup_integer(data.queries[i++ % kQueries], counters);
        sum += data.run->row_id(p.begin);
    }
    benchmark::DoNotOptimize(sum);
    CHECK(counters.rows_found == counters.searches);
    state.SetItemsProcessed(state.iterations());
    state.SetLabel(data.run->model_text());
    state.counters["steps"] = double(counters.last_mile_steps) / double(counters.searches);
}

void key_run_get_x16(benchmark::State& state, Set set) {
    const Data& data = data_of(set);
    IndexCounters counters;
    std::array<Positions, 16> out;
    uint64_t sum = 0;
    size_t i = 0;
    for (auto _ : state) {
        data.run->lookup_integers({&data.queries[i % kQueries], 16}, out, counters);
        i += 16;
        for (const Positions& p : out) sum += data.run->row_id(p.begin);
    }
    benchmark::DoNotOptimize(sum);
    CHECK(counters.rows_found == counters.searches);
    state.SetItemsProcessed(state.iterations() * 16);
}

void lower_bound_get(benchmark::State& state, Set set) {
    const Data& data = data_of(set);
    uint64_t sum = 0;
    size_t i = 0;
    for (auto _ : state) {
        auto it =
            std::lower_bound(data.entries.begin(), data.entries.end(), data.queries[i++ % kQueries],
                             [](const IntegerEntry& e, uint64_t k) { return e.key < k; });
        sum += it->row_id;
    }
    benchmark::DoNotOptimize(sum);
    state.SetItemsProcessed(state.iterations());
}

// An LMDB environment in a fresh folder, loaded in order.
class Lmdb {
public:
    explicit Lmdb(unsigned flags) {
        char name[] = "/tmp/trefoil_bench_XXXXXX";
        CHECK(mkdtemp(name) != nullptr);
        path_ = name;
        CHECK(mdb_env_create(&env_) == 0 && mdb_env_set_mapsize(env_, size_t{8} << 30) == 0);
        CHECK(mdb_env_open(env_, name, MDB_NOSYNC, 0644) == 0);
        CHECK(mdb_txn_begin(env_, nullptr, 0, &txn_) == 0);
        CHECK(mdb_dbi_open(txn_, nullptr, MDB_CREATE | flags, &dbi_) == 0);
    }
    ~Lmdb() {
        mdb_txn_abort(txn_);
        mdb_env_close(env_);
        std::filesystem::remove_all(path_);
    }
    void append(Bytes key, uint64_t row_id) {
        MDB_val k{key.size(), const_cast<char*>(key.data())}, v{sizeof row_id, &row_id};
        CHECK(mdb_put(txn_, dbi_, &k, &v, MDB_APPEND) == 0);
    }
    void begin_read() {
        CHECK(mdb_txn_commit(txn_) == 0);
        CHECK(mdb_txn_begin(env_, nullptr, MDB_RDONLY, &txn_) == 0);
    }
    uint64_t get(Bytes key) const {
        MDB_val k{key.size(), const_cast<char*>(key.data())}, v;
        CHECK(mdb_get(txn_, dbi_, &k, &v) == 0);
        uint64_t row_id;
        std::memcpy(&row_id, v.mv_data, sizeof row_id);
        return row_id;
    }

private:
    std::string path_;
    MDB_env* env_ = nullptr;
    MDB_txn* txn_ = nullptr;
    MDB_dbi dbi_ = 0;
};

Bytes raw(const uint64_t& v) {
    return {reinterpret_cast<const char*>(&v), sizeof v};
}

void lmdb_get(benchmark::State& state, Set set) {
    const Data& data = data_of(set);
    Lmdb lmdb(MDB_INTEGERKEY);
    for (const IntegerEntry& e : data.entries) lmdb.append(raw(e.key), e.row_id);
    lmdb.begin_read();
    uint64_t sum = 0;
    size_t i = 0;
    for (auto _ : state) sum += lmdb.get(raw(data.queries[i++ % kQueries]));
    benchmark::DoNotOptimize(sum);
    state.SetItemsProcessed(state.iterations());
}

void build_run(benchmark::State& state, Set set) {
    const Data& data = data_of(set);
    for (auto _ : state) {
        KeyRunBuilder builder(KeyShape::kInteger);
        builder.reserve(data.keys.size());
        // Row ids backwards, so that dense keys are no special case.
        for (size_t i = 0; i < data.keys.size(); ++i) builder.add_integer(data.keys[i], kKeys - i);
        benchmark::DoNotOptimize(builder.finish());
    }
    state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(data.keys.size()));
}

void merge_runs(benchmark::State& state) {
    const Data& data = data_of(kUniform);
    KeyRunBuilder odd(KeyShape::kInteger), even(KeyShape::kInteger);
    for (size_t i = 0; i < data.keys.size(); ++i) {
        (i % 10 == 0 ? odd : even).add_integer(data.keys[i], i);
    }
    RunSource sources[] = {{even.finish(), 0}, {odd.finish(), 0}};
    for (auto _ : state) {
        benchmark::DoNotOptimize(merge_in_memory(sources, [](uint64_t) { return true; }));
    }
    state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(data.keys.size()));
}

// --- Text
// -------------------------------------------------------------------------------------------

enum TextSet { kUsers, kUuids, kUrls };

struct TextData {
    std::vector<Key> keys;  // sorted
    std::vector<Key> queries;
    KeyRunPtr run;
};

std::string text_key(TextSet set, uint64_t i, std::mt19937_64& random) {
    char text[128];
    if (set == kUsers) {
        std::snprintf(text, sizeof text, "user:%09llu", static_cast<unsigned long long>(i * 7));
    } else if (set == kUuids) {
        std::snprintf(text, sizeof text, "%08x-%04x-4%03x-a%03x-%012llx", unsigned(random()),
                      unsigned(random() & 0xffff), unsigned(random() & 0xfff),
                      unsigned(random() & 0xfff),
                      static_cast<unsigned long long>(random() & 0xffffffffffff));
    } else {
        std::snprintf(text, sizeof text, "https://www.site%llu.example.com/articles/%llu/%llu.html",
                      static_cast<unsigned long long>(random() % 300),
                      static_cast<unsigned long long>(random() % 40),
                      static_cast<unsigned long long>(i));
    }
    KeyWriter key;
    key.text(text);
    return key.take();
}

const TextData& text_data_of(TextSet set) {
    static TextData sets[3];
    TextData& data = sets[set];
    if (data.run) return data;
    std::mt19937_64 random(3);
    for (uint64_t i = 0; i < kTextKeys; ++i) data.keys.push_back({0, text_key(set, i, random)});
    std::sort(data.keys.begin(), data.keys.end());
    KeyRunBuilder builder(KeyShape::kBytes);
    for (size_t i = 0; i < data.keys.size(); ++i) builder.add(data.keys[i], i);
    data.run = builder.finish();
    for (size_t i = 0; i < kQueries; ++i) {
        data.queries.push_back(data.keys[random() % data.keys.size()]);
    }
    return data;
}

void text_run_get(benchmark::State& state, TextSet set) {
    const TextData& data = text_data_of(set);
    IndexCounters counters;
    uint64_t sum = 0;
    size_t i = 0;
    for (auto _ : state) {
        sum += data.run->row_id(data.run->lookup(data.queries[i++ % kQueries], counters).begin);
    }
    benchmark::DoNotOptimize(sum);
    CHECK(counters.rows_found == counters.searches);
    state.SetItemsProcessed(state.iterations());
    state.SetLabel(data.run->model_text());
}

void text_run_get_x16(benchmark::State& state, TextSet set) {
    const TextData& data = text_data_of(set);
    IndexCounters counters;
    std::array<Positions, 16> out;
    uint64_t sum = 0;
    size_t i = 0;
    for (auto _ : state) {
        data.run->lookup_batch({&data.queries[i % kQueries], 16}, out, counters);
        i += 16;
        for (const Positions& p : out) sum += data.run->row_id(p.begin);
    }
    benchmark::DoNotOptimize(sum);
    state.SetItemsProcessed(state.iterations() * 16);
}

void text_lmdb_get(benchmark::State& state, TextSet set) {
    const TextData& data = text_data_of(set);
    Lmdb lmdb(0);
    for (size_t i = 0; i < data.keys.size(); ++i) lmdb.append(data.keys[i].bytes, i);
    lmdb.begin_read();
    uint64_t sum = 0;
    size_t i = 0;
    for (auto _ : state) sum += lmdb.get(data.queries[i++ % kQueries].bytes);
    benchmark::DoNotOptimize(sum);
    state.SetItemsProcessed(state.iterations());
}

BENCHMARK_CAPTURE(key_run_get, uniform, kUniform);
BENCHMARK_CAPTURE(key_run_get_x16, uniform, kUniform);
BENCHMARK_CAPTURE(lower_bound_get, uniform, kUniform);
BENCHMARK_CAPTURE(lmdb_get, uniform, kUniform);
BENCHMARK_CAPTURE(key_run_get, dense, kDense);
BENCHMARK_CAPTURE(key_run_get_x16, dense, kDense);
BENCHMARK_CAPTURE(lower_bound_get, dense, kDense);
BENCHMARK_CAPTURE(lmdb_get, dense, kDense);
BENCHMARK_CAPTURE(key_run_get, clustered, kClustered);
BENCHMARK_CAPTURE(key_run_get_x16, clustered, kClustered);
BENCHMARK_CAPTURE(build_run, uniform, kUniform)->Iterations(1);
BENCHMARK_CAPTURE(build_run, dense, kDense)->Iterations(1);
BENCHMARK(merge_runs)->Iterations(1);
BENCHMARK_CAPTURE(text_run_get, users, kUsers);
BENCHMARK_CAPTURE(text_run_get_x16, users, kUsers);
BENCHMARK_CAPTURE(text_lmdb_get, users, kUsers);
BENCHMARK_CAPTURE(text_run_get, uuids, kUuids);
BENCHMARK_CAPTURE(text_run_get_x16, uuids, kUuids);
BENCHMARK_CAPTURE(text_lmdb_get, uuids, kUuids);
BENCHMARK_CAPTURE(text_run_get, urls, kUrls);
BENCHMARK_CAPTURE(text_run_get_x16, urls, kUrls);
BENCHMARK_CAPTURE(text_lmdb_get, urls, kUrls);

}  // namespace
}  // namespace trefoil::index
