// Keys of rows sort as the rows do, keys of literals equal those of rows, and a literal of another
// type finds its exact place or none.

#include "index/key_encoder.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <random>

#include "arrow/builder.h"
#include "base/text_format.h"

namespace trefoil::index {
namespace {

using Kind = KeyEncoder::Converted::Kind;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// Values of each key type, ascending and distinct.
struct Column {
    arrow::Type type;
    std::vector<Value> ascending;
};

Uuid uuid(std::string_view text) {
    Uuid out;
    REQUIRE(parse_uuid(text, &out) == Parsed::kOk);
    return out;
}

std::vector<Column> columns() {
    constexpr int64_t kMin = INT64_MIN, kMax = INT64_MAX;
    __int128 most = power_of_ten(38) - 1;
    return {
        {arrow::boolean(), {false, true}},
        {arrow::int16(), {int64_t{INT16_MIN}, -1, 0, 1, int64_t{INT16_MAX}}},
        {arrow::int32(), {int64_t{INT32_MIN}, -70000, -1, 0, 1, int64_t{INT32_MAX}}},
        {arrow::int64(), {kMin, kMin + 1, int64_t{-1}, 0, 1, kMax - 1, kMax}},
        {arrow::float32(), {-kInfinity, -1.5, 0.0, 0.5, 0x1p127, kInfinity, kNaN}},
        {arrow::float64(), {-kInfinity, -1e300, -5e-324, 0.0, 5e-324, 0.1, kInfinity, kNaN}},
        {arrow::decimal(10, 2),
         {Decimal{-9999999999, 2}, Decimal{-1, 2}, Decimal{0, 2}, Decimal{1250, 2}}},
        {arrow::decimal(38, 4),
         {Decimal{-most, 4}, Decimal{-1, 4}, Decimal{0, 4}, Decimal{most, 4}}},
        {arrow::utf8_view(),
         {"", std::string("\0", 1), std::string("\0\0", 2), "Ann", "Anna",
          "a text of more than 12 bytes", "a text of more than 12 bytes!", "\xc3\xa4"}},
        {arrow::binary_view(),
         {Blob{""}, Blob{std::string("\0", 1)}, Blob{"a"}, Blob{std::string("a\0", 2)},
          Blob{"\xff"}}},
        {arrow::fixed_size_binary(16),
         {uuid("00000000-0000-0000-0000-000000000000"),
          uuid("00000000-0000-0000-0000-0000000000ff"),
          uuid("123e4567-e89b-12d3-a456-426614174000"),
          uuid("ffffffff-ffff-ffff-ffff-ffffffffffff")}},
        {arrow::date32(), {Date{INT32_MIN}, Date{-1}, Date{0}, Date{INT32_MAX}}},
        {arrow::time64(), {Time{0}, Time{1}, Time{86399999999}}},
        {arrow::timestamp(), {Timestamp{kMin}, Timestamp{-1}, Timestamp{0}, Timestamp{kMax}}},
        {arrow::timestamp("UTC"),
         {Timestamp{kMin, true}, Timestamp{0, true}, Timestamp{kMax, true}}},
    };
}

arrow::Array array_of(const Column& column) {
    arrow::ColumnBuilder builder(column.type);
    for (const Value& v : column.ascending) REQUIRE(builder.append(v).ok());
    return builder.finish();
}

TEST_CASE("keys of rows ascend with the values, and are the keys of the values as literals") {
    for (const Column& column : columns()) {
        CAPTURE(column.type.sql_name());
        KeyEncoder encoder({column.type});
        arrow::Array array = array_of(column);
        const arrow::Array* arrays[] = {&array};
        std::optional<Key> before;
        for (size_t i = 0; i < column.ascending.size(); ++i) {
            Key key = encoder.encode(arrays, static_cast<int64_t>(i));
            if (before) REQUIRE(*before < key);
            before = key;
            KeyEncoder::Converted literal = encoder.convert(column.ascending[i], 0);
            REQUIRE(literal.kind == Kind::kExact);
            REQUIRE(encoder.encode({&literal.value, 1}) == key);
        }
        // A slice begins elsewhere in its buffers.
        arrow::Array slice = array.slice(1, array.length - 1);
        const arrow::Array* slices[] = {&slice};
        CHECK(encoder.encode(slices, 0) == encoder.encode(arrays, 1));
    }
}

TEST_CASE("composite keys of any two columns sort by the first, then by the second") {
    for (const Column& a : columns()) {
        for (const Column& b : columns()) {
            KeyEncoder encoder({a.type, b.type});
            CHECK(encoder.shape() == KeyShape::kBytes);
            std::optional<Key> before;
            for (const Value& x : a.ascending) {
                Key prefix = encoder.encode({&x, 1});
                for (const Value& y : b.ascending) {
                    Value both[] = {x, y};
                    Key key = encoder.encode(both);
                    REQUIRE(key.bytes.starts_with(prefix.bytes));
                    if (before) REQUIRE(*before < key);
                    before = std::move(key);
                }
            }
        }
    }
}

TEST_CASE("each part of a composite key has its own direction and place of NULLs") {
    for (const Column& a : columns()) {
        for (const Column& b : columns()) {
            for (int orders = 0; orders < 16; ++orders) {
                const PartOrder first{(orders & 1) != 0, (orders & 2) != 0};
                const PartOrder second{(orders & 4) != 0, (orders & 8) != 0};
                KeyEncoder encoder({a.type, b.type}, /*nullable=*/true, {first, second});
                auto sorted = [](const Column& column, PartOrder order) {
                    std::vector<Value> values = column.ascending;
                    if (order.descending) std::reverse(values.begin(), values.end());
                    values.insert(order.nulls_first ? values.begin() : values.end(), Value());
                    return values;
                };
                std::optional<Key> before;
                for (const Value& x : sorted(a, first)) {
                    Key prefix = encoder.encode({&x, 1});
                    for (const Value& y : sorted(b, second)) {
                        Value both[] = {x, y};
                        Key key = encoder.encode(both);
                        REQUIRE(key.bytes.starts_with(prefix.bytes));
                        REQUIRE(encoder.may_hold_null(key) == (x.is_null() || y.is_null()));
                        if (before) REQUIRE(*before < key);
                        before = std::move(key);
                    }
                }
            }
        }
    }
    // A key that is one number ascends always.
    KeyEncoder number({arrow::int64()}, true, {{true, true}});
    Value one(1), two(2);
    CHECK(number.encode({&one, 1}).integer < number.encode({&two, 1}).integer);
    CHECK(number.order(0) == PartOrder());
}

TEST_CASE("a row of several columns is coded as its values are") {
    std::vector<Column> all = columns();
    std::vector<arrow::Type> types;
    std::vector<arrow::Array> arrays;
    std::vector<const arrow::Array*> pointers;
    std::vector<Value> firsts, seconds;
    for (const Column& c : all) {
        types.push_back(c.type);
        arrays.push_back(array_of(c));
        firsts.push_back(c.ascending[0]);
        seconds.push_back(c.ascending[1]);
    }
    for (const arrow::Array& a : arrays) pointers.push_back(&a);
    KeyEncoder encoder(types);
    CHECK(encoder.encode(pointers, 0) == encoder.encode(firsts));
    Key reused = encoder.encode(pointers, 0);
    encoder.encode(pointers, 1, &reused);
    CHECK(reused == encoder.encode(seconds));
}

TEST_CASE("columns that fit 64 bits make integer keys") {
    CHECK(KeyEncoder({arrow::int64()}).shape() == KeyShape::kInteger);
    CHECK(KeyEncoder({arrow::float64()}).shape() == KeyShape::kInteger);
    CHECK(KeyEncoder({arrow::decimal(18, 2)}).shape() == KeyShape::kInteger);
    CHECK(KeyEncoder({arrow::decimal(19, 2)}).shape() == KeyShape::kBytes);
    CHECK(KeyEncoder({arrow::utf8_view()}).shape() == KeyShape::kBytes);
    // Consecutive numbers, dates and decimals have consecutive keys: that is what makes runs dense.
    KeyEncoder small({arrow::int16()});
    Value one(1), two(2);
    CHECK(small.encode({&one, 1}).integer + 1 == small.encode({&two, 1}).integer);
}

TEST_CASE("-0.0 and 0.0 are one key, and so are all NaNs") {
    for (const arrow::Type& type : {arrow::float32(), arrow::float64()}) {
        KeyEncoder encoder({type});
        Value zero(0.0), negative(-0.0), nan(kNaN), other(-kNaN);
        CHECK(encoder.encode({&zero, 1}) == encoder.encode({&negative, 1}));
        CHECK(encoder.encode({&nan, 1}) == encoder.encode({&other, 1}));
    }
}

TEST_CASE("hashes are the same for equal values, however they come, and never change") {
    std::vector<Column> all = columns();
    all.push_back({arrow::float64(), {-0.0, kNaN}});
    for (const Column& column : all) {
        CAPTURE(column.type.sql_name());
        const KeyEncoder encoder = KeyEncoder::hashing({column.type, arrow::int32()});
        CHECK(encoder.shape() == KeyShape::kInteger);
        arrow::Array array = array_of(column);
        arrow::ColumnBuilder numbers(arrow::int32());
        for (size_t i = 0; i < column.ascending.size(); ++i) numbers.append_int64(7);
        arrow::Array sevens = numbers.finish();
        const arrow::Array* arrays[] = {&array, &sevens};
        std::optional<Key> before;
        Key key;
        for (size_t i = 0; i < column.ascending.size(); ++i) {
            encoder.encode(arrays, static_cast<int64_t>(i), &key);
            CHECK(key.bytes.empty());
            Value values[] = {column.ascending[i], 7};
            CHECK(encoder.encode(values) == key);
            if (before) CHECK(*before != key);
            before = key;
        }
    }
    const KeyEncoder number = KeyEncoder::hashing({arrow::float64()});
    Value zero(0.0), negative(-0.0), nan(kNaN), other(-kNaN);
    CHECK(number.encode({&zero, 1}) == number.encode({&negative, 1}));
    CHECK(number.encode({&nan, 1}) == number.encode({&other, 1}));
    const KeyEncoder words = KeyEncoder::hashing({arrow::utf8_view(), arrow::int32()});
    Value known[] = {"b", 7}, some[] = {"b", Value()};
    CHECK(words.encode(known).integer == 0x215e776951f77fa6u);  // key_run_format.h
    CHECK(words.encode(some).integer == KeyEncoder::kNullKey);
    CHECK(words.may_hold_null(words.encode(some)));
    arrow::ColumnBuilder null(arrow::int32());
    null.append_null();
    arrow::ColumnBuilder word(arrow::utf8_view());
    word.append_bytes("b");
    arrow::Array nulls = null.finish(), texts = word.finish();
    const arrow::Array* row[] = {&texts, &nulls};
    CHECK(words.encode(row, 0) == words.encode(some));
}

TEST_CASE("texts in a dictionary or with offsets have the keys of plain texts") {
    arrow::ColumnBuilder words(arrow::utf8_view());
    for (const char* w : {"b", "a", "a much longer word than twelve bytes"}) words.append_bytes(w);
    auto dictionary = std::make_shared<const arrow::Array>(words.finish());
    std::vector<int32_t> indices{2, 0, 1, 1};
    arrow::Array coded;
    coded.type.id = arrow::TypeId::kDictionary;
    coded.type.children = {{"", arrow::int32()}, {"", arrow::utf8_view()}};
    coded.length = 4;
    coded.null_count = 0;
    coded.buffers = {{},
                     arrow::copy_buffer({reinterpret_cast<const uint8_t*>(indices.data()), 16})};
    coded.dictionary = dictionary;
    KeyEncoder encoder({arrow::utf8_view()});
    const arrow::Array* by_index[] = {&coded};
    const arrow::Array* plain[] = {dictionary.get()};
    for (int64_t i = 0; i < 4; ++i) {
        CHECK(encoder.encode(by_index, i) ==
              encoder.encode(plain, indices[static_cast<size_t>(i)]));
    }
}

// --- Literals of other types
// ------------------------------------------------------------------------

struct Case {
    arrow::Type type;
    Value literal;
    Kind kind;
    Value value;
};

void check(const std::vector<Case>& cases) {
    for (const Case& c : cases) {
        CAPTURE(c.type.sql_name());
        CAPTURE(c.literal.to_string());
        KeyEncoder::Converted converted = KeyEncoder({c.type}).convert(c.literal, 0);
        CHECK(converted.kind == c.kind);
        if (c.kind == Kind::kExact || c.kind == Kind::kBetween) CHECK(converted.value == c.value);
    }
}

TEST_CASE("O-11 numbers find their place among integers") {
    check({
        {arrow::int64(), 2.0, Kind::kExact, 2},
        {arrow::int64(), 2.5, Kind::kBetween, 2},
        {arrow::int64(), -2.5, Kind::kBetween, -3},
        {arrow::int64(), 9007199254740991.0, Kind::kExact, int64_t{9007199254740991}},
        {arrow::int64(), 9007199254740992.0, Kind::kNotComparable, {}},
        {arrow::int64(), kInfinity, Kind::kAboveAll, {}},
        {arrow::int64(), -kInfinity, Kind::kBelowAll, {}},
        {arrow::int64(), kNaN, Kind::kAboveAll, {}},
        {arrow::int64(), Decimal{150, 2}, Kind::kBetween, 1},
        {arrow::int64(), Decimal{-150, 2}, Kind::kBetween, -2},
        {arrow::int64(), Decimal{200, 2}, Kind::kExact, 2},
        {arrow::int64(), Decimal{__int128{1} << 64, 0}, Kind::kAboveAll, {}},
        {arrow::int64(), Decimal{-(__int128{1} << 64), 0}, Kind::kBelowAll, {}},
        {arrow::int64(), "7", Kind::kNotComparable, {}},
        {arrow::int64(), true, Kind::kNotComparable, {}},
        {arrow::int64(), Value(), Kind::kNotComparable, {}},
        {arrow::int32(), int64_t{1} << 31, Kind::kAboveAll, {}},
        {arrow::int32(), 1e300, Kind::kAboveAll, {}},
        {arrow::int16(), -40000, Kind::kBelowAll, {}},
        {arrow::int16(), 32767.5, Kind::kAboveAll, {}},
        {arrow::int16(), -32768.5, Kind::kBelowAll, {}},
        {arrow::int16(), -32767.5, Kind::kBetween, -32768},
    });
}

TEST_CASE("numbers find their place among floats and decimals") {
    float below = std::nextafter(0.1f, 0.0f);
    check({
        {arrow::float64(), 3, Kind::kExact, 3.0},
        {arrow::float64(), Decimal{11, 1}, Kind::kExact, 1.1},
        {arrow::float64(), int64_t{9007199254740993}, Kind::kNotComparable, {}},
        {arrow::float32(), 0.5, Kind::kExact, 0.5},
        {arrow::float32(), 0.1, Kind::kBetween, static_cast<double>(below)},
        {arrow::float32(), 1e300, Kind::kBetween,
         static_cast<double>(std::numeric_limits<float>::max())},
        {arrow::float32(), -1e300, Kind::kBetween, -kInfinity},
        {arrow::float32(), 16777217, Kind::kNotComparable, {}},
        {arrow::float32(), Decimal{1, 1}, Kind::kNotComparable, {}},
        {arrow::decimal(5, 2), 7, Kind::kExact, Decimal{700, 2}},
        {arrow::decimal(5, 2), 1000, Kind::kAboveAll, {}},
        {arrow::decimal(5, 2), -1000, Kind::kBelowAll, {}},
        {arrow::decimal(5, 2), Decimal{12345, 4}, Kind::kBetween, Decimal{123, 2}},
        {arrow::decimal(5, 2), Decimal{-12345, 4}, Kind::kBetween, Decimal{-124, 2}},
        {arrow::decimal(5, 2), Decimal{12300, 4}, Kind::kExact, Decimal{123, 2}},
        {arrow::decimal(5, 2), Decimal{9999999, 4}, Kind::kAboveAll, {}},
        {arrow::decimal(5, 2), 1.23, Kind::kExact, Decimal{123, 2}},
        {arrow::decimal(5, 2), 1.234, Kind::kBetween, Decimal{123, 2}},
        {arrow::decimal(5, 2), 1.236, Kind::kBetween, Decimal{123, 2}},
        {arrow::decimal(5, 2), -1.236, Kind::kBetween, Decimal{-124, 2}},
        {arrow::decimal(5, 2), 1e20, Kind::kAboveAll, {}},
        {arrow::decimal(5, 2), -kInfinity, Kind::kBelowAll, {}},
        {arrow::decimal(5, 2), kNaN, Kind::kAboveAll, {}},
        {arrow::decimal(5, 2), 999.995, Kind::kAboveAll, {}},
        {arrow::decimal(5, 2), -999.995, Kind::kBelowAll, {}},
        {arrow::decimal(20, 2), 1.5, Kind::kNotComparable, {}},
        {arrow::decimal(38, 2), Decimal{power_of_ten(37), 0}, Kind::kAboveAll, {}},
    });
}

TEST_CASE("dates, times, UUIDs and texts take what is theirs") {
    Uuid id = uuid("123e4567-e89b-12d3-a456-426614174000");
    Blob raw{std::string(reinterpret_cast<const char*>(id.bytes.data()), 16)};
    constexpr int64_t kDay = 86400000000;
    check({
        {arrow::date32(), "1970-01-11", Kind::kExact, Date{10}},
        {arrow::date32(), "soon", Kind::kNotComparable, {}},
        {arrow::date32(), Timestamp{10 * kDay}, Kind::kExact, Date{10}},
        {arrow::date32(), Timestamp{10 * kDay + 1}, Kind::kBetween, Date{10}},
        {arrow::date32(), Timestamp{-1}, Kind::kBetween, Date{-1}},
        {arrow::date32(), Timestamp{0, true}, Kind::kNotComparable, {}},
        {arrow::timestamp(), Date{10}, Kind::kExact, Timestamp{10 * kDay}},
        {arrow::timestamp(), Date{INT32_MAX}, Kind::kAboveAll, {}},
        {arrow::timestamp(), Date{INT32_MIN}, Kind::kBelowAll, {}},
        {arrow::timestamp(), Timestamp{0, true}, Kind::kNotComparable, {}},
        {arrow::timestamp("UTC"), Date{10}, Kind::kNotComparable, {}},
        {arrow::timestamp(), "1970-01-02 00:00:01", Kind::kExact, Timestamp{kDay + 1000000}},
        {arrow::timestamp("UTC"), "1970-01-02 00:00:00+00", Kind::kExact, Timestamp{kDay, true}},
        {arrow::time64(), "00:00:01", Kind::kExact, Time{1000000}},
        {arrow::fixed_size_binary(16), "123e4567-e89b-12d3-a456-426614174000", Kind::kExact, id},
        {arrow::fixed_size_binary(16), raw, Kind::kExact, id},
        {arrow::fixed_size_binary(16), Blob{"short"}, Kind::kNotComparable, {}},
        {arrow::fixed_size_binary(16), "no uuid", Kind::kNotComparable, {}},
        {arrow::utf8_view(), 7, Kind::kNotComparable, {}},
        {arrow::utf8_view(), Blob{"x"}, Kind::kNotComparable, {}},
        {arrow::binary_view(), Blob{"x"}, Kind::kExact, Blob{"x"}},
        {arrow::boolean(), 1, Kind::kNotComparable, {}},
    });
}

TEST_CASE("random literals divide a column exactly where they lie") {
    std::mt19937_64 random(12);
    KeyEncoder small({arrow::int16()}), real({arrow::float32()}), money({arrow::decimal(4, 1)});
    for (int i = 0; i < 20000; ++i) {
        double literal = (static_cast<double>(random() % 2000001) - 1000000) / 20.0;
        KeyEncoder::Converted c = small.convert(literal, 0);
        int64_t v = int16_t(random());
        bool less = static_cast<double>(v) < literal;
        switch (c.kind) {
            case Kind::kExact:
                REQUIRE(static_cast<double>(*c.value.get_if<int64_t>()) == literal);
                break;
            case Kind::kBetween:
                REQUIRE(less == (v <= *c.value.get_if<int64_t>()));
                break;
            default:
                REQUIRE(less == (c.kind == Kind::kAboveAll));
        }
        KeyEncoder::Converted f = real.convert(literal, 0);
        if (f.kind == Kind::kBetween) {
            double low = *f.value.get_if<double>();
            REQUIRE(low < literal);
            REQUIRE(std::nextafter(static_cast<float>(low), INFINITY) > literal);
        }
        KeyEncoder::Converted d = money.convert(literal, 0);
        if (d.kind == Kind::kBetween || d.kind == Kind::kExact) {
            auto unscaled = static_cast<int64_t>(d.value.get_if<Decimal>()->unscaled);
            REQUIRE(decimal_to_double(unscaled, 1) <= literal);
            REQUIRE(decimal_to_double(unscaled + 1, 1) > literal);
        } else {
            REQUIRE(std::abs(literal) > 999.9);
        }
    }
}

}  // namespace
}  // namespace trefoil::index
