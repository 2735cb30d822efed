// Prefix codes are monotone, tell keys apart where they differ, and know the place of foreign keys.

#include "index/prefix_code.h"

#include "index/index_testing.h"

namespace trefoil::index {
namespace {

PrefixRanges ranges_of(const std::vector<std::string>& keys) {
    PrefixRanges ranges;
    for (const std::string& k : keys) ranges.observe(k);
    return ranges;
}

TEST_CASE("decimal numbers after a common prefix are their own code") {
    PrefixCode code(ranges_of({"user:000123", "user:999999", "user:000000"}));
    CHECK(code.encode("user:000000") == 0);
    CHECK(code.encode("user:000123") == 123);
    CHECK(code.encode("user:999999") == 999999);
}

TEST_CASE("the worked example of key_run_format.h is right") {
    PrefixCode code(ranges_of({"b", "ba", "c"}));
    CHECK(code.encode("b") == 0);
    CHECK(code.encode("ba") == 97);
    CHECK(code.encode("c") == 98);
}

TEST_CASE("codes are monotone, and a foreign key's place agrees with its order") {
    for (const KeySet& set : key_sets()) {
        if (set.shape != KeyShape::kBytes) continue;
        CAPTURE(set.name);
        std::vector<std::string> keys;
        for (const Key& k : set.keys) keys.push_back(k.bytes);
        std::sort(keys.begin(), keys.end());
        PrefixCode code(ranges_of(keys));
        for (size_t i = 0; i + 1 < keys.size(); ++i) {
            REQUIRE(code.encode(keys[i]) <= code.encode(keys[i + 1]));
        }
        if (keys.size() > 600) keys.resize(600);
        std::vector<Key> probes = probes_of(set);
        if (probes.size() > 1500) probes.resize(1500);
        for (const Key& probe : probes) {
            PrefixCode::Place place = code.place(probe.bytes);
            for (const std::string& key : keys) {
                uint64_t c = code.encode(key);
                switch (place.where) {
                    case PrefixCode::Where::kAt:
                        if (c < place.code) REQUIRE(key < probe.bytes);
                        if (c > place.code) REQUIRE(key > probe.bytes);
                        break;
                    case PrefixCode::Where::kBefore:
                        REQUIRE((c >= place.code) == (key > probe.bytes));
                        break;
                    case PrefixCode::Where::kAfter:
                        REQUIRE((c <= place.code) == (key < probe.bytes));
                        break;
                }
            }
        }
    }
}

TEST_CASE("bytes of any value use all 64 bits") {
    std::vector<std::string> keys{std::string(8, '\0'), std::string(8, '\xff'),
                                  std::string(9, '\x80')};
    PrefixCode code(ranges_of(keys));
    CHECK(code.encode(keys[0]) == 0);
    CHECK(code.encode(keys[1]) == ~uint64_t{0});
    CHECK(code.encode(keys[2]) == 0x8080808080808080u);
}

TEST_CASE("merged ranges are those of all keys, and the stored form is the ranges") {
    std::vector<std::string> a{"abc", "abd", "a"}, b{"bzzzz", "b\x01"}, all = a;
    all.insert(all.end(), b.begin(), b.end());
    PrefixRanges merged = ranges_of(a);
    merged.merge(ranges_of(b));
    Writer out;
    merged.encode(out);
    PrefixRanges decoded;
    Reader in(out.data());
    REQUIRE(PrefixRanges::decode(in, &decoded));
    PrefixCode want(ranges_of(all)), one(merged), two(decoded);
    for (const std::string& k : all) {
        CHECK(one.encode(k) == want.encode(k));
        CHECK(two.encode(k) == want.encode(k));
    }
    Reader cut(Bytes(out.data()).substr(0, out.size() - 1));
    CHECK_FALSE(PrefixRanges::decode(cut, &decoded));
}

}  // namespace
}  // namespace trefoil::index
