// Key coding keeps order: for random and extreme values, memcmp of the keys is the order of the
// values.

#include "base/key_coding.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <tuple>
#include <vector>

#include "base/hash.h"

namespace trefoil {
namespace {

int sign(int v) {
    return (v > 0) - (v < 0);
}

template <typename T, typename Encode, typename Compare>
void check_order(const std::vector<T>& values, Encode encode, Compare compare) {
    for (const T& a : values) {
        for (const T& b : values) {
            KeyWriter ka, kb;
            encode(ka, a);
            encode(kb, b);
            REQUIRE(sign(ka.data().compare(kb.data())) == compare(a, b));
        }
    }
}

template <typename T>
int three_way(const T& a, const T& b) {
    return a < b ? -1 : b < a ? 1 : 0;
}

template <typename T>
std::vector<T> integers() {
    using L = std::numeric_limits<T>;
    std::vector<T> v{L::min(), static_cast<T>(L::min() + 1), -256,    -255, -2, -1, 0, 1, 2, 255,
                     256,      static_cast<T>(L::max() - 1), L::max()};
    std::mt19937_64 random(7);
    for (int i = 0; i < 150; ++i) v.push_back(static_cast<T>(random() >> (random() % 60)));
    return v;
}

template <typename T>
std::vector<T> floats() {
    using L = std::numeric_limits<T>;
    std::vector<T> v{-L::infinity(),   L::lowest(),    T(-1.5),         -L::min(),
                     -L::denorm_min(), T(-0.0),        T(0.0),          L::denorm_min(),
                     L::min(),         T(1),           T(1.5),          L::max(),
                     L::infinity(),    L::quiet_NaN(), -L::quiet_NaN(), L::signaling_NaN()};
    std::mt19937_64 random(8);
    for (int i = 0; i < 150; ++i) {
        if constexpr (sizeof(T) == 8) {
            v.push_back(std::bit_cast<double>(random()));
        } else {
            v.push_back(std::bit_cast<float>(static_cast<uint32_t>(random())));
        }
    }
    return v;
}

// As PostgreSQL orders them: NaN equals NaN and is greatest.
template <typename T>
int compare_floats(T a, T b) {
    if (std::isnan(a) || std::isnan(b)) return int(std::isnan(a)) - int(std::isnan(b));
    return three_way(a, b);
}

std::vector<std::string> texts() {
    std::vector<std::string> v{"",
                               std::string(1, '\0'),
                               std::string(2, '\0'),
                               "a",
                               std::string("a\0", 2),
                               std::string("a\0\0", 3),
                               std::string("a\0b", 3),
                               std::string("a\0\xff", 3),
                               std::string("a\xff\0", 3),
                               "a\x01",
                               "ab",
                               "b",
                               "\xff",
                               "\xff\xff",
                               "\x01"};
    std::mt19937_64 random(9);
    for (int i = 0; i < 150; ++i) {
        std::string s;
        for (size_t n = random() % 6; n > 0; --n)
            s.push_back(
                "\0\x01\xfe\xff"
                "a"[random() % 5]);
        v.push_back(s);
    }
    return v;
}

TEST_CASE("integers sort as numbers, from the least to the greatest") {
    auto compare = [](auto a, auto b) { return three_way(a, b); };
    check_order(integers<int16_t>(), [](KeyWriter& k, int16_t v) { k.i16(v); }, compare);
    check_order(integers<int32_t>(), [](KeyWriter& k, int32_t v) { k.i32(v); }, compare);
    check_order(integers<int64_t>(), [](KeyWriter& k, int64_t v) { k.i64(v); }, compare);
    for (int64_t a : integers<int64_t>()) {
        CHECK(order_to_i64(order_u64(a)) == a);
        for (int64_t b : integers<int64_t>()) REQUIRE((order_u64(a) < order_u64(b)) == (a < b));
    }
}

TEST_CASE("floats sort as PostgreSQL sorts them: -0 equals 0, NaN is one value and the greatest") {
    check_order(floats<double>(), [](KeyWriter& k, double v) { k.f64(v); }, compare_floats<double>);
    check_order(floats<float>(), [](KeyWriter& k, float v) { k.f32(v); }, compare_floats<float>);
}

TEST_CASE("decimals sort as their unscaled 128-bit values") {
    std::vector<__int128> values;
    for (int64_t high : {std::numeric_limits<int64_t>::min(), int64_t{-1}, int64_t{0}, int64_t{1},
                         std::numeric_limits<int64_t>::max()}) {
        for (uint64_t low : {uint64_t{0}, uint64_t{1}, kSignBit, ~uint64_t{0}}) {
            values.push_back(
                static_cast<__int128>(static_cast<unsigned __int128>(high) << 64 | low));
        }
    }
    check_order(
        values, [](KeyWriter& k, __int128 v) { k.i128(v); },
        [](__int128 a, __int128 b) { return three_way(a, b); });
}

TEST_CASE("texts sort bytewise, with zeros inside and empty ones") {
    check_order(
        texts(), [](KeyWriter& k, const std::string& v) { k.text(v); },
        [](const std::string& a, const std::string& b) { return sign(a.compare(b)); });
}

TEST_CASE("composite keys sort by their first part, then by the next") {
    using Row = std::tuple<std::string, int64_t, std::string>;
    std::vector<Row> rows;
    std::mt19937_64 random(10);
    std::vector<std::string> words = texts();
    for (int i = 0; i < 300; ++i) {
        rows.emplace_back(words[random() % 12], int64_t(random() % 3) - 1, words[random() % 12]);
    }
    check_order(
        rows,
        [](KeyWriter& k, const Row& r) {
            k.text(std::get<0>(r));
            k.i64(std::get<1>(r));
            k.text(std::get<2>(r));
        },
        [](const Row& a, const Row& b) { return three_way(a, b); });
}

TEST_CASE("a part that was flipped sorts the other way, whatever follows, and is read back") {
    using Row = std::pair<std::string, int64_t>;
    std::vector<Row> rows;
    std::mt19937_64 random(11);
    const std::vector<std::string> words = texts();
    for (const std::string& word : words) rows.emplace_back(word, int64_t(random() % 3) - 1);
    check_order(
        rows,
        [](KeyWriter& k, const Row& r) {
            k.text(r.first);
            k.flip_from(0);
            k.i64(r.second);
        },
        [](const Row& a, const Row& b) {
            return a.first == b.first ? three_way(a.second, b.second) : three_way(b.first, a.first);
        });
    check_order(
        rows,
        [](KeyWriter& k, const Row& r) {
            k.i64(r.second);
            k.flip_from(0);
            k.text(r.first);
        },
        [](const Row& a, const Row& b) {
            return a.second == b.second ? three_way(a.first, b.first)
                                        : three_way(b.second, a.second);
        });
    for (const Row& row : rows) {
        KeyWriter key;
        key.text(row.first);
        key.i64(row.second);
        key.flip_from(0);
        key.text("end");
        KeyReader reader(key.data());
        std::string memory;
        REQUIRE(KeyReader(reader.flipped(0, &memory)).text() == row.first);
        REQUIRE(KeyReader(reader.flipped(8, &memory)).i64() == row.second);
        REQUIRE(reader.text() == "end");
        REQUIRE(reader.at_end());
        const Bytes cut = Bytes(key.data()).substr(0, 1 + random() % 3);
        KeyReader broken(cut);
        KeyReader part(broken.flipped(0, &memory));
        CHECK((!broken.ok() || part.text() == row.first || !part.ok()));
    }
}

TEST_CASE("with flags, NULL sorts after every value, or before") {
    KeyWriter null, first, greatest, least;
    null.null_flag();
    first.null_flag(/*nulls_first=*/true);
    greatest.value_flag();
    greatest.fixed(std::string(16, '\xff'));
    least.value_flag();
    CHECK(greatest.data() < null.data());
    CHECK(first.data() < least.data());
    CHECK_FALSE(KeyReader(first.data()).has_value());
    KeyReader reader(greatest.data());
    CHECK(reader.has_value());
    CHECK_FALSE(KeyReader(null.data()).has_value());
}

TEST_CASE("what was written is read back") {
    for (const std::string& s : texts()) {
        for (double d : floats<double>()) {
            KeyWriter key;
            key.boolean(true);
            key.text(s);
            key.f64(d);
            key.i16(-3);
            key.i32(-70000);
            key.i128(-5);
            key.f32(-2.5f);
            key.fixed("0123456789abcdef");
            KeyReader reader(key.data());
            REQUIRE(reader.boolean());
            REQUIRE(reader.text() == s);
            REQUIRE(compare_floats(reader.f64(), d) == 0);
            REQUIRE(reader.i16() == -3);
            REQUIRE(reader.i32() == -70000);
            REQUIRE((reader.i128() == -5));
            REQUIRE(reader.f32() == -2.5f);
            REQUIRE(reader.fixed(16) == "0123456789abcdef");
            REQUIRE(reader.ok());
            REQUIRE(reader.at_end());
        }
    }
}

TEST_CASE("a key that is cut short or malformed is noticed") {
    KeyWriter key;
    key.text("abc");
    key.i64(1);
    for (size_t n = 0; n < key.data().size(); ++n) {
        KeyReader reader(Bytes(key.data()).substr(0, n));
        reader.text();
        reader.i64();
        CHECK_FALSE(reader.ok());
    }
    KeyReader bad(Bytes("a\0\x05", 3));
    CHECK(bad.text().empty());
    CHECK_FALSE(bad.ok());
}

TEST_CASE("the successor of a prefix ends exactly the range of strings that begin with it") {
    for (const std::string& prefix : texts()) {
        std::string end = prefix;
        bool exists = prefix_successor(&end);
        for (const std::string& s : texts()) {
            bool in_range = s >= prefix && (!exists || s < end);
            REQUIRE(in_range == (s.substr(0, prefix.size()) == prefix));
        }
    }
    std::string all_ones = "\xff\xff";
    CHECK_FALSE(prefix_successor(&all_ones));
}

TEST_CASE("hashes: no two of many integers collide, and bytes hash as XXH3 does everywhere") {
    std::vector<uint64_t> hashes;
    for (uint64_t i = 0; i < 100000; ++i) hashes.push_back(hash_u64(i));
    std::sort(hashes.begin(), hashes.end());
    CHECK(std::adjacent_find(hashes.begin(), hashes.end()) == hashes.end());
    CHECK(hash_bytes("") == 0x2d06800538d394c2u);  // the value of the XXH3 specification
    CHECK(hash_bytes("abc") != hash_bytes("abc", 1));
}

}  // namespace
}  // namespace trefoil
