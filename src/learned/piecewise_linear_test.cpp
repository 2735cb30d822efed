// The model's promises: error at most epsilon at fitted keys, as few lines as possible, always in
// range, and never a wrong answer, whatever the bytes of the model.

#include "learned/piecewise_linear.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <random>
#include <string>

#include "learned/last_mile.h"

namespace trefoil {
namespace {

using Keys = std::vector<uint64_t>;
constexpr uint64_t kMax = ~uint64_t{0};

Keys distinct(Keys keys) {
    std::sort(keys.begin(), keys.end());
    keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
    return keys;
}

Keys generate(size_t n, const auto& next) {
    Keys keys(n);
    for (uint64_t& k : keys) k = next();
    return distinct(std::move(keys));
}

struct Named {
    std::string name;
    Keys keys;
};

std::vector<Named> data_sets() {
    std::mt19937_64 random(42);
    std::lognormal_distribution<double> lognormal(0, 2);
    uint64_t cluster = 0, counter = 0;
    std::vector<Named> sets{
        {"none", {}},
        {"one", {7}},
        {"zero", {0}},
        {"two", {3, kMax}},
        {"extremes", {0, 1, kMax / 2, kMax - 1, kMax}},
        {"dense", generate(20000, [&] { return 1000 + counter++; })},
        {"gaps of a million", generate(20000, [&] { return 1000000 * counter++; })},
        {"uniform", generate(50000, [&] { return random(); })},
        {"lognormal", generate(50000, [&] { return uint64_t(1e9 * lognormal(random)); })},
        {"clustered", generate(50000,
                               [&] {
                                   if (random() % 500 == 0) cluster = random();
                                   return cluster + random() % 3000;
                               })},
        {"near 2^64", generate(20000, [&] { return kMax - random() % 1000000; })},
        {"squares", generate(20000,
                             [&] {
                                 ++counter;
                                 return counter * counter;
                             })},
        {"powers of two", {}},
        {"far apart", {}},
    };
    for (int i = 0; i < 64; ++i) sets[12].keys.push_back(uint64_t{1} << i);
    // Two dense runs at both ends of the range: the span exceeds 2^53.
    for (uint64_t i = 0; i < 5000; ++i) sets[13].keys.push_back(i);
    for (uint64_t i = 0; i < 5000; ++i) sets[13].keys.push_back(kMax - 5000 + i);
    return sets;
}

// Every key, its neighbours, the ends of the range, and some numbers at random.
Keys probes_of(const Keys& keys) {
    Keys probes{0, 1, kMax / 2, kMax - 1, kMax};
    for (uint64_t k : keys) {
        for (uint64_t p : {k - 1, k, k + 1}) probes.push_back(p);
    }
    std::mt19937_64 random(1);
    for (int i = 0; i < 1000; ++i) probes.push_back(random());
    return probes;
}

uint64_t search(const PiecewiseLinearModel& model, const Keys& keys, uint64_t key,
                uint64_t& steps) {
    return lower_bound_from(
        model.predict(key), keys.size(), [&](uint64_t i) { return keys[i] < key; }, steps);
}

uint64_t expected(const Keys& keys, uint64_t key) {
    return static_cast<uint64_t>(std::lower_bound(keys.begin(), keys.end(), key) - keys.begin());
}

// How many lines the greedy optimum needs, by brute force: a segment is extended as long as some
// line passes through all gates, which is checked pair by pair in O(n^2).
size_t fewest_lines(const Keys& keys, int64_t epsilon) {
    size_t lines = 0;
    for (size_t first = 0; first < keys.size();) {
        long double steepest = HUGE_VALL, flattest = -HUGE_VALL;
        size_t end = first + 1;
        for (; end < keys.size(); ++end) {
            long double least = steepest, most = flattest;
            for (size_t i = first; i < end; ++i) {
                auto dx = static_cast<long double>(keys[end] - keys[i]);
                auto dy = static_cast<long double>(end - i);
                least = std::min(least, (dy + 2 * epsilon) / dx);
                most = std::max(most, (dy - 2 * epsilon) / dx);
            }
            if (least < most) break;
            steepest = least;
            flattest = most;
        }
        ++lines;
        first = end;
    }
    return lines;
}

TEST_CASE("O-50 a prediction for a fitted key is off by at most epsilon") {
    for (const Named& set : data_sets()) {
        for (uint32_t epsilon : {1u, 4u, 16u, 64u}) {
            CAPTURE(set.name);
            ModelFitter fitter(epsilon);
            for (size_t i = 0; i < set.keys.size(); ++i) fitter.add(set.keys[i], i);
            PiecewiseLinearModel model = fitter.finish(set.keys.size());
            CHECK(fitter.error_max() <= epsilon + 1e-6);
            for (size_t i = 0; i < set.keys.size(); ++i) {
                auto error = std::abs(static_cast<int64_t>(model.predict(set.keys[i]) - i));
                REQUIRE(error <= epsilon + 1);
            }
        }
    }
}

TEST_CASE("O-50 a search from the prediction answers as std::lower_bound does") {
    for (const Named& set : data_sets()) {
        CAPTURE(set.name);
        PiecewiseLinearModel model = PiecewiseLinearModel::fit(set.keys);
        CHECK(model.positions() == set.keys.size());
        CHECK(model.key_count() == set.keys.size());
        uint64_t steps = 0;
        for (uint64_t key : probes_of(set.keys)) {
            REQUIRE(model.predict(key) <= set.keys.size());
            REQUIRE(search(model, set.keys, key, steps) == expected(set.keys, key));
        }
    }
}

TEST_CASE("the fit is optimal: no other one has fewer lines") {
    std::mt19937_64 random(5);
    for (int round = 0; round < 60; ++round) {
        uint64_t range = uint64_t{1} << (8 + random() % 40);
        Keys keys = generate(400, [&] { return random() % range; });
        for (uint32_t epsilon : {1u, 3u}) {
            size_t fewest = fewest_lines(keys, epsilon);
            REQUIRE(PiecewiseLinearModel::fit(keys, epsilon).segment_count() == fewest);
        }
    }
}

TEST_CASE("keys on a line need one line, and random keys few") {
    std::vector<Named> sets = data_sets();
    CHECK(PiecewiseLinearModel::fit(sets[5].keys).segment_count() == 1);
    CHECK(PiecewiseLinearModel::fit(sets[6].keys).segment_count() == 1);
    CHECK(PiecewiseLinearModel::fit(sets[7].keys).segment_count() < 50000 / 256);
    CHECK(PiecewiseLinearModel::fit(sets[0].keys).segment_count() == 0);
    CHECK(PiecewiseLinearModel::fit(sets[13].keys).segment_count() <= 3);
}

TEST_CASE("a model of many lines has levels, and a search costs few steps") {
    std::mt19937_64 random(6);
    Keys keys = generate(1000000, [&] { return random() >> (random() % 20); });
    PiecewiseLinearModel model = PiecewiseLinearModel::fit(keys);
    CHECK(model.level_count() >= 2);
    uint64_t steps = 0;
    for (size_t i = 0; i < keys.size(); i += 7) REQUIRE(search(model, keys, keys[i], steps) == i);
    CHECK(double(steps) / (double(keys.size()) / 7) < 8);
}

TEST_CASE("positions may jump where a key has duplicates") {
    std::mt19937_64 random(3);
    Keys all, keys;
    ModelFitter fitter(kDefaultEpsilon);
    for (uint64_t key = 5; all.size() < 30000; key += 1 + random() % 9) {
        fitter.add(key, all.size());
        keys.push_back(key);
        all.insert(all.end(), 1 + random() % 100, key);
    }
    PiecewiseLinearModel model = fitter.finish(all.size());
    uint64_t steps = 0;
    for (uint64_t key : probes_of(keys)) {
        REQUIRE(search(model, all, key, steps) == expected(all, key));
    }
}

TEST_CASE("the stored form is the model") {
    for (const Named& set : data_sets()) {
        PiecewiseLinearModel model = PiecewiseLinearModel::fit(set.keys);
        auto copy = std::make_shared<Keys>(model.bytes().size() / 8);
        std::memcpy(copy->data(), model.bytes().data(), model.bytes().size());
        Bytes bytes(reinterpret_cast<const char*>(copy->data()), model.bytes().size());
        Result<PiecewiseLinearModel> opened = PiecewiseLinearModel::open(bytes, copy);
        REQUIRE(opened.ok());
        CHECK(opened->epsilon() == kDefaultEpsilon);
        CHECK(opened->segment_count() == model.segment_count());
        for (uint64_t key : probes_of(set.keys))
            REQUIRE(opened->predict(key) == model.predict(key));
        // Any part of it is refused.
        for (size_t n = 0; n < bytes.size(); n += 8) {
            REQUIRE_FALSE(PiecewiseLinearModel::open(bytes.substr(0, n), copy).ok());
        }
    }
}

TEST_CASE("a damaged model is slow or refused, never wrong") {
    std::mt19937_64 random(11);
    for (const Named& set : data_sets()) {
        PiecewiseLinearModel model = PiecewiseLinearModel::fit(set.keys, 2);
        Keys probes = probes_of(set.keys);
        for (int round = 0; round < 300; ++round) {
            auto copy = std::make_shared<Keys>(model.bytes().size() / 8);
            std::memcpy(copy->data(), model.bytes().data(), model.bytes().size());
            auto* raw = reinterpret_cast<uint8_t*>(copy->data());
            for (uint64_t flips = 1 + random() % 8; flips > 0; --flips) {
                raw[random() % model.bytes().size()] ^= static_cast<uint8_t>(1u << random() % 8);
            }
            if (round % 10 == 0) {  // a line made of NaN, infinities and the like
                for (size_t i = kModelHeaderWords; i < copy->size(); ++i) {
                    if (random() % 4 == 0) (*copy)[i] = random() | uint64_t{0x7ff} << 52;
                }
            }
            Bytes bytes(reinterpret_cast<const char*>(copy->data()), model.bytes().size());
            Result<PiecewiseLinearModel> damaged = PiecewiseLinearModel::open(bytes, copy);
            if (!damaged.ok()) continue;
            uint64_t steps = 0;
            for (int i = 0; i < 50; ++i) {
                uint64_t key = probes[random() % probes.size()];
                REQUIRE(search(*damaged, set.keys, key, steps) == expected(set.keys, key));
            }
        }
    }
}

TEST_CASE("the last mile is right from every hint") {
    for (uint64_t n : {0, 1, 2, 3, 17, 100}) {
        for (uint64_t answer = 0; answer <= n; ++answer) {
            for (uint64_t hint = 0; hint <= n + 2; ++hint) {
                uint64_t steps = 0;
                auto before = [&](uint64_t i) {
                    REQUIRE(i < n);
                    return i < answer;
                };
                REQUIRE(lower_bound_from(hint, n, before, steps) == answer);
            }
            uint64_t steps = 0;
            REQUIRE(
                lower_bound_from(kMax, n, [&](uint64_t i) { return i < answer; }, steps) == answer);
        }
    }
}

}  // namespace
}  // namespace trefoil
