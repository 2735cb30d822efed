// A merge holds the entries of all its sources that are kept, once each, and searches like any run.

#include "index/index_testing.h"

namespace trefoil::index {
namespace {

Entries merged_entries(const std::vector<Entries>& sources, const std::vector<uint64_t>& bases,
                       const KeepRow& keep) {
    Entries all;
    for (size_t i = 0; i < sources.size(); ++i) {
        for (auto [key, row_id] : sources[i]) {
            if (keep(row_id + bases[i])) all.emplace_back(key, row_id + bases[i]);
        }
    }
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    return all;
}

TEST_CASE("runs of any keys merge, with filter and with row ids moved") {
    std::mt19937_64 random(3);
    std::vector<KeySet> sets = key_sets();
    for (int round = 0; round < 60; ++round) {
        std::vector<RunSource> sources;
        std::vector<Entries> entries;
        std::vector<uint64_t> bases;
        KeyShape shape = round % 2 ? KeyShape::kBytes : KeyShape::kInteger;
        std::vector<Key> probes;
        while (sources.size() < 1 + size_t(round) % 5) {
            const KeySet& set = sets[random() % sets.size()];
            if (set.shape != shape) continue;
            entries.emplace_back();
            KeyRunPtr run = build(set, &entries.back());
            bases.push_back(random() % 3 * 100000);
            sources.push_back({run, bases.back()});
            for (Key& k : probes_of(set)) probes.push_back(std::move(k));
        }
        KeepRow keep = [&](uint64_t row_id) { return round % 3 == 0 || row_id % 5 != 0; };
        KeyRunPtr merged = merge_in_memory(sources, keep);
        Entries all = merged_entries(entries, bases, keep);
        check_entries(*merged, all);
        std::shuffle(probes.begin(), probes.end(), random);
        probes.resize(std::min<size_t>(probes.size(), 3000));
        check_lookups(*merged, all, probes);
        check_ranges(*merged, all, probes);
    }
}

TEST_CASE("dense runs that continue each other merge to a dense run") {
    KeyRunBuilder a(KeyShape::kInteger), b(KeyShape::kInteger);
    for (uint64_t i = 0; i < 1000; ++i) a.add_integer(100 + i, i);
    for (uint64_t i = 0; i < 500; ++i) b.add_integer(1100 + i, i);
    RunSource sources[] = {{b.finish(), 1000}, {a.finish(), 0}};
    KeyRunPtr merged = merge_in_memory(sources, [](uint64_t) { return true; });
    CHECK(merged->model_text() == "dense");
    CHECK(merged->size() == 1500);
    CHECK(merged->row_id(1499) == 1499);
    // Row 700 goes: a hole in the middle, so the 700 entries before it are written after all.
    merged = merge_in_memory(sources, [](uint64_t row_id) { return row_id != 700; });
    CHECK(merged->model_text() == "learned, 1 segment");
    IndexCounters counters;
    CHECK(merged->lookup(integer_key(799), counters) == Positions{699, 700});
    CHECK(merged->lookup(integer_key(800), counters).empty());
    CHECK(merged->row_id(700) == 701);
}

TEST_CASE("O-05 a merge that keeps nothing is an empty run") {
    for (const KeySet& set : key_sets()) {
        Entries entries;
        RunSource source{build(set, &entries), 0};
        KeyRunPtr merged = merge_in_memory({&source, 1}, [](uint64_t) { return false; });
        CHECK(merged->size() == 0);
        check_lookups(*merged, {}, probes_of(set));
    }
}

TEST_CASE("the filter is asked once for each entry") {
    KeyRunBuilder a(KeyShape::kInteger), b(KeyShape::kInteger);
    for (uint64_t i = 0; i < 100; ++i) a.add_integer(i * 3, i);
    for (uint64_t i = 50; i < 150; ++i) b.add_integer(i * 3, i);
    RunSource sources[] = {{a.finish(), 0}, {b.finish(), 0}};
    std::vector<uint64_t> asked;
    merge_in_memory(sources, [&](uint64_t row_id) {
        asked.push_back(row_id);
        return true;
    });
    CHECK(asked.size() == 150);
    CHECK(std::is_sorted(asked.begin(), asked.end()));
}

}  // namespace
}  // namespace trefoil::index
