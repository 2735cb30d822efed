// What the tests of this room share: sets of keys that are easy, hard and odd, and a plain oracle.

#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/key_coding.h"
#include "index/key_run.h"

namespace trefoil::index {

struct KeySet {
    std::string name;
    KeyShape shape;
    std::vector<Key> keys;  // in any order; may repeat
};

inline Key integer_key(uint64_t v) {
    return {v, {}};
}
inline Key bytes_key(std::string v) {
    return {0, std::move(v)};
}

inline void add_integer_sets(std::vector<KeySet>& sets) {
    std::mt19937_64 random(4);
    std::lognormal_distribution<double> lognormal(0, 2);
    uint64_t cluster = 0;
    auto add = [&](std::string name, size_t n, auto next) {
        KeySet set{std::move(name), KeyShape::kInteger, {}};
        for (size_t i = 0; i < n; ++i) set.keys.push_back(integer_key(next(i)));
        sets.push_back(std::move(set));
    };
    add("no keys", 0, [](uint64_t i) { return i; });
    add("one key", 1, [](uint64_t) { return order_u64(int64_t{-5}); });
    add("two keys", 2, [](uint64_t i) { return i * 77; });
    add("all equal", 1000, [](uint64_t) { return 9; });
    add("dense", 5000, [](uint64_t i) { return order_u64(int64_t(i) - 50); });
    add("dense, backwards", 5000, [](uint64_t i) { return 9000 - i; });
    add("dense with one hole", 5000, [](uint64_t i) { return i + (i > 3000); });
    add("dense with one key twice", 5000, [](uint64_t i) { return i - (i > 3000); });
    add("gaps of a million", 5000, [](uint64_t i) { return order_u64(int64_t(i) * 1000000); });
    add("extremes", 4, [](uint64_t i) {
        constexpr int64_t kValues[] = {INT64_MIN, INT64_MAX, 0, -1};
        return order_u64(kValues[i]);
    });
    add("uniform", 20000, [&](uint64_t) { return random(); });
    add("lognormal", 20000, [&](uint64_t) { return uint64_t(1e6 * lognormal(random)); });
    add("clustered", 20000, [&](uint64_t i) {
        if (i % 300 == 0) cluster = random();
        return cluster + random() % 2000;
    });
    add("near 2^64", 5000, [&](uint64_t) { return ~(random() % 20000); });
    add("many duplicates", 20000, [&](uint64_t) { return random() % 200; });
    add("doubles", 5000, [&](uint64_t) { return order_u64(lognormal(random) - 3); });
    add("powers of two", 64, [](uint64_t i) { return uint64_t{1} << i; });
}

inline std::string random_text(std::mt19937_64& random, size_t length_max,
                               std::string_view alphabet) {
    std::string s;
    for (size_t n = random() % (length_max + 1); n > 0; --n)
        s += alphabet[random() % alphabet.size()];
    return s;
}

inline void add_bytes_sets(std::vector<KeySet>& sets) {
    std::mt19937_64 random(5);
    auto add = [&](std::string name, size_t n, auto next) {
        KeySet set{std::move(name), KeyShape::kBytes, {}};
        for (size_t i = 0; i < n; ++i) set.keys.push_back(bytes_key(next(i)));
        sets.push_back(std::move(set));
    };
    auto text = [](const std::string& v) {
        KeyWriter key;
        key.text(v);
        return key.take();
    };
    auto padded = [](uint64_t v) {
        std::string digits = std::to_string(v);
        return std::string(8 - digits.size(), '0') + digits;
    };
    add("no texts", 0, [](uint64_t) { return ""; });
    add("the empty text", 1, [&](uint64_t) { return text(""); });
    add("raw empty bytes and zeros", 6, [&](uint64_t i) { return std::string(i, '\0'); });
    add("one text many times", 500, [&](uint64_t) { return text("Ann"); });
    add("a common prefix", 20000, [&](uint64_t i) { return text("user:" + padded(i * 3)); });
    add("short words", 5000, [&](uint64_t) { return text(random_text(random, 6, "abcdefgh")); });
    add("embedded zeros", 5000,
        [&](uint64_t) { return text(random_text(random, 12, std::string_view("\0\x01\xff", 3))); });
    add("raw bytes", 5000,
        [&](uint64_t) { return random_text(random, 5, std::string_view("\0\x01\xfe\xff", 4)); });
    add("urls", 20000, [&](uint64_t i) {
        return text("https://www.example.com/shop/category/" + std::to_string(i % 7) +
                    "/item/with/a/long/name/" + std::to_string(i));
    });
    add("long keys that differ at the end", 500,
        [&](uint64_t i) { return text(std::string(400, 'x') + std::to_string(i)); });
    add("uuids", 20000, [&](uint64_t) {
        KeyWriter key;
        uint64_t halves[2] = {random(), random()};
        key.fixed({reinterpret_cast<const char*>(halves), 16});
        return key.take();
    });
    add("composite of integers", 20000, [&](uint64_t i) {
        KeyWriter key;
        key.i64(int64_t(i / 50));
        key.i32(int32_t(i % 50));
        return key.take();
    });
    add("composite with negatives", 5000, [&](uint64_t) {
        KeyWriter key;
        key.i64(int64_t(random() % 100) - 50);
        key.i64(int64_t(random() % 100) - 50);
        return key.take();
    });
    add("composite of text and integer", 10000, [&](uint64_t i) {
        KeyWriter key;
        key.text(random_text(random, 3, "ab"));
        key.i64(int64_t(i));
        return key.take();
    });
}

inline std::vector<KeySet> key_sets() {
    std::vector<KeySet> sets;
    add_integer_sets(sets);
    add_bytes_sets(sets);
    return sets;
}

// Keys with their row ids, sorted.
using Entries = std::vector<std::pair<Key, uint64_t>>;

inline KeyRunPtr build(const KeySet& set, Entries* entries, uint64_t first_row_id = 0) {
    KeyRunBuilder builder(set.shape);
    builder.reserve(set.keys.size());
    entries->clear();
    for (size_t i = 0; i < set.keys.size(); ++i) {
        builder.add(set.keys[i], first_row_id + i);
        entries->emplace_back(set.keys[i], first_row_id + i);
    }
    std::sort(entries->begin(), entries->end());
    return builder.finish();
}

// Keys to look up: those of the set, what lies just beside them, and some from far away.
inline std::vector<Key> probes_of(const KeySet& set) {
    std::vector<Key> probes;
    std::mt19937_64 random(6);
    size_t step = set.keys.size() / 3000 + 1;
    for (size_t i = 0; i < set.keys.size(); i += step) {
        const Key& k = set.keys[i];
        probes.push_back(k);
        if (set.shape == KeyShape::kInteger) {
            probes.push_back(integer_key(k.integer - 1));
            probes.push_back(integer_key(k.integer + 1));
            continue;
        }
        probes.push_back(bytes_key(k.bytes + '\0'));
        probes.push_back(bytes_key(k.bytes + "\xff"));
        if (k.bytes.empty()) continue;
        probes.push_back(bytes_key(k.bytes.substr(0, random() % k.bytes.size())));
        std::string changed = k.bytes;
        changed[random() % changed.size()] += static_cast<char>(random() % 2 ? 1 : -1);
        probes.push_back(bytes_key(changed));
    }
    for (uint64_t v : {uint64_t{0}, uint64_t{1}, kSignBit, ~uint64_t{0} - 1, ~uint64_t{0}}) {
        if (set.shape == KeyShape::kInteger) probes.push_back(integer_key(v));
    }
    if (set.shape == KeyShape::kBytes) {
        for (const char* v :
             {"", "\x01", "zzzz", "https://", "\xff\xff\xff\xff\xff\xff\xff\xff\xff"}) {
            probes.push_back(bytes_key(v));
        }
    }
    return probes;
}

inline Positions expected(const Entries& entries, const KeyRange& range) {
    auto begin = std::partition_point(entries.begin(), entries.end(), [&](const auto& e) {
        return range.low && (range.low_inclusive ? e.first < *range.low : e.first <= *range.low);
    });
    auto end = std::partition_point(begin, entries.end(), [&](const auto& e) {
        return !range.high ||
               (range.high_inclusive ? e.first <= *range.high : e.first < *range.high);
    });
    return {static_cast<uint64_t>(begin - entries.begin()),
            static_cast<uint64_t>(end - entries.begin())};
}

// The run holds exactly these entries.
inline void check_entries(const KeyRun& run, const Entries& entries) {
    REQUIRE(run.size() == entries.size());
    for (size_t i = 0; i < entries.size(); ++i) {
        REQUIRE(run.key(i) == entries[i].first);
        REQUIRE(run.row_id(i) == entries[i].second);
    }
}

// Every way to ask for `probes` answers what a search in a plain sorted array answers.
inline void check_lookups(const KeyRun& run, const Entries& entries,
                          const std::vector<Key>& probes) {
    IndexCounters counters, batched;
    std::vector<Positions> batch(probes.size());
    run.lookup_batch(probes, batch, batched);
    for (size_t i = 0; i < probes.size(); ++i) {
        Positions found = run.lookup(probes[i], counters);
        Positions wanted = expected(entries, KeyRange::exactly(probes[i]));
        REQUIRE(found.size() == wanted.size());
        if (!wanted.empty()) REQUIRE(found == wanted);
        REQUIRE(batch[i].size() == wanted.size());
        if (!wanted.empty()) REQUIRE(batch[i] == wanted);
    }
    CHECK(counters.searches == probes.size());
    CHECK(batched.searches == probes.size());
    CHECK(batched.rows_found == counters.rows_found);
}

inline void check_ranges(const KeyRun& run, const Entries& entries,
                         const std::vector<Key>& probes) {
    std::mt19937_64 random(7);
    IndexCounters counters;
    for (int i = 0; i < 3000; ++i) {
        KeyRange range;
        if (random() % 5 != 0) range.low = probes[random() % probes.size()];
        if (random() % 5 != 0) range.high = probes[random() % probes.size()];
        range.low_inclusive = random() % 2 == 0;
        range.high_inclusive = random() % 2 == 0;
        Positions found = run.range(range, counters);
        Positions wanted = expected(entries, range);
        REQUIRE(found.size() == wanted.size());
        if (!wanted.empty()) REQUIRE(found == wanted);
    }
}

}  // namespace trefoil::index
