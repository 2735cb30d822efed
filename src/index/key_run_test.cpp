// A run answers as a plain sorted array does, for every set of keys; and says how it searched.

#include "index/key_run.h"

#include "index/index_testing.h"

namespace trefoil::index {
namespace {

KeySet set_named(std::string_view name) {
    for (KeySet& set : std::vector<KeySet>(key_sets())) {
        if (set.name == name) return std::move(set);
    }
    FAIL("no such set");
    return {};
}

KeyRunPtr build(std::string_view name) {
    Entries entries;
    return index::build(set_named(name), &entries);
}

TEST_CASE("O-50 lookups, batches and ranges agree with a sorted array") {
    for (const KeySet& set : key_sets()) {
        CAPTURE(set.name);
        Entries entries;
        KeyRunPtr run = index::build(set, &entries);
        std::vector<Key> probes = probes_of(set);
        check_entries(*run, entries);
        check_lookups(*run, entries, probes);
        check_ranges(*run, entries, probes);
    }
}

TEST_CASE("every small run of integers is right") {
    // All subsets of eight keys, each alone and with one key twice.
    for (unsigned bits = 0; bits < 256; ++bits) {
        for (uint64_t base : {uint64_t{0}, kSignBit, ~uint64_t{0} - 7}) {
            for (bool twice : {false, true}) {
                KeySet set{"subset", KeyShape::kInteger, {}};
                for (unsigned i = 0; i < 8; ++i) {
                    if (bits >> i & 1) set.keys.push_back(integer_key(base + i));
                }
                if (twice && !set.keys.empty()) set.keys.push_back(set.keys[set.keys.size() / 2]);
                Entries entries;
                KeyRunPtr run = index::build(set, &entries);
                std::vector<Key> probes;
                for (uint64_t i = 0; i < 10; ++i) probes.push_back(integer_key(base + i - 1));
                check_entries(*run, entries);
                check_lookups(*run, entries, probes);
            }
        }
    }
}

TEST_CASE("dense keys need no array, and one hole or one row out of order ends that") {
    CHECK(build("dense")->model_text() == "dense");
    CHECK(build("dense")->memory_bytes() < 1500);
    CHECK(build("one key")->model_text() == "dense");
    CHECK(build("dense with one hole")->model_text() == "learned, 1 segment");
    CHECK(build("dense, backwards")->model_text() == "learned, 1 segment");
    CHECK(build("dense with one key twice")->model_text() == "learned, 1 segment");
}

TEST_CASE("a run says how it is searched") {
    CHECK(build("no keys")->model_text() == "none, empty");
    CHECK(build("gaps of a million")->model_text() == "learned, 1 segment");
    CHECK(build("uniform")->model_text().starts_with("learned, "));
    CHECK(build("a common prefix")->model_text() == "learned, 1 segment");
    CHECK(build("uuids")->model_text().starts_with("learned, "));
    CHECK(build("composite of integers")->model_text().starts_with("learned, "));
    CHECK(build("long keys that differ at the end")->model_text() == "none, prefixes collide");
}

TEST_CASE("keys that need a line for each few are searched without a model, and found") {
    // Few keys, each as often as chance will have it: the positions of the first ones form no line.
    KeySet set{"wild duplicates", KeyShape::kInteger, {}};
    std::mt19937_64 random(1);
    for (uint64_t key = 0; key < 500; ++key) {
        for (uint64_t n = random() % 8 == 0 ? 400 : 1 + random() % 3; n > 0; --n) {
            set.keys.push_back(integer_key(key * 1000));
        }
    }
    Entries entries;
    KeyRunPtr run = index::build(set, &entries);
    CHECK(run->model_text() == "none, irregular keys");
    std::vector<Key> probes = probes_of(set);
    check_lookups(*run, entries, probes);
    check_ranges(*run, entries, probes);
    // Distinct keys always have a model: 33 neighbours fit any line.
    set.keys.clear();
    for (int burst = 0; burst < 2000; ++burst) {
        uint64_t at = random();
        for (int i = 0; i < 9; ++i) set.keys.push_back(integer_key(at + (uint64_t{1} << (4 * i))));
    }
    CHECK(index::build(set, &entries)->model_text().starts_with("learned, "));
}

TEST_CASE("O-04 counters tell that the model was used, and how far it was off") {
    KeyRunPtr uniform = build("uniform");
    IndexCounters counters;
    Positions found = uniform->lookup(uniform->key(777), counters);
    CHECK(found == Positions{777, 778});
    CHECK(counters.searches == 1);
    CHECK(counters.model_searches == 1);
    CHECK(counters.last_mile_steps > 0);
    CHECK(counters.last_mile_steps < 14);
    CHECK(counters.rows_found == 1);
    uniform->range({uniform->key(10), uniform->key(20)}, counters);
    CHECK(counters.searches == 2);
    CHECK(counters.model_searches == 3);
    CHECK(counters.rows_found == 12);

    counters = {};
    KeyRunPtr dense = build("dense");
    dense->lookup(dense->key(7), counters);
    CHECK(counters.model_searches == 1);
    CHECK(counters.last_mile_steps == 0);

    counters = {};
    KeyRunPtr collide = build("long keys that differ at the end");
    CHECK(collide->lookup(collide->key(7), counters) == Positions{7, 8});
    CHECK(counters.searches == 1);
    CHECK(counters.model_searches == 0);
}

TEST_CASE("the first duplicate is found, or that there is none") {
    CHECK_FALSE(build("uniform")->first_duplicate().has_value());
    CHECK_FALSE(build("dense")->first_duplicate().has_value());
    CHECK_FALSE(build("no keys")->first_duplicate().has_value());
    CHECK(build("dense with one key twice")->first_duplicate() == 3001);
    CHECK(build("one text many times")->first_duplicate() == 1);
    CHECK(build("all equal")->distinct_keys() == 1);
}

TEST_CASE("ranges by prefix end where the prefix ends") {
    KeyRunPtr run = build("composite of integers");
    IndexCounters counters;
    KeyWriter prefix;
    prefix.i64(17);
    std::string end = prefix.data();
    REQUIRE(prefix_successor(&end));
    KeyRange range{bytes_key(prefix.data()), bytes_key(end), true, false};
    CHECK(run->range(range, counters) == Positions{17 * 50, 18 * 50});
    CHECK(run->range(KeyRange::nothing(), counters).empty());
    CHECK(run->range({}, counters) == Positions{0, 20000});
}

TEST_CASE("a range contains what its bounds say") {
    KeyRange range{integer_key(3), integer_key(5), true, false};
    CHECK_FALSE(range.contains(integer_key(2)));
    CHECK(range.contains(integer_key(3)));
    CHECK(range.contains(integer_key(4)));
    CHECK_FALSE(range.contains(integer_key(5)));
    CHECK(KeyRange{}.contains(bytes_key("x")));
    CHECK(KeyRange::nothing().is_empty());
    CHECK_FALSE(KeyRange::nothing().contains(integer_key(0)));
    CHECK_FALSE(KeyRange::nothing().contains(integer_key(1)));
    CHECK_FALSE(KeyRange::nothing().contains(bytes_key("")));
    CHECK_FALSE(KeyRange::exactly(integer_key(1)).is_empty());
}

}  // namespace
}  // namespace trefoil::index
