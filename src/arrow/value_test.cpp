// Fields as Values and as text, for the types that only the engine makes and at the edges of the
// others.

#include "arrow/value.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "arrow/builder.h"
#include "arrow/wide_decimal.h"

namespace trefoil::arrow {
namespace {

Type of(TypeId id, TimeUnit unit = TimeUnit::kMicro, std::string timezone = "") {
    Type type;
    type.id = id;
    type.unit = unit;
    type.timezone = std::move(timezone);
    return type;
}

template <typename T>
Array fixed(Type type, std::initializer_list<T> values) {
    Array array;
    array.type = std::move(type);
    array.length = static_cast<int64_t>(values.size());
    const std::vector<T> v(values);
    array.buffers = {
        Buffer{}, copy_buffer({reinterpret_cast<const uint8_t*>(v.data()), v.size() * sizeof(T)})};
    return array;
}

std::string text_at(const Array& array, int64_t row = 0) {
    std::string text;
    append_text(array, row, &text);
    return text;
}

TEST_CASE("numbers of every width") {
    CHECK(text_at(fixed<int8_t>(of(TypeId::kInt8), {-128})) == "-128");
    CHECK(value_at(fixed<uint8_t>(of(TypeId::kUInt8), {255}), 0) == Value(255));
    CHECK(value_at(fixed<uint16_t>(of(TypeId::kUInt16), {65535}), 0) == Value(65535));
    CHECK(value_at(fixed<uint32_t>(of(TypeId::kUInt32), {UINT32_MAX}), 0) ==
          Value(int64_t{UINT32_MAX}));
    const Array large = fixed<uint64_t>(uint64(), {7, UINT64_MAX});
    CHECK(value_at(large, 0) == Value(7));
    CHECK(value_at(large, 1) == Value(Decimal{static_cast<__int128>(UINT64_MAX), 0}));
    CHECK(text_at(large, 1) == "18446744073709551615");
    const Array reals = fixed<float>(float32(), {0.1f, 1e10f});
    CHECK(text_at(reals, 0) == "0.1");
    CHECK(text_at(reals, 1) == "1e+10");
    CHECK(value_at(reals, 0) == Value(double{0.1f}));
    const Array halves = fixed<uint16_t>(of(TypeId::kFloat16),
                                         {0x3c00, 0xc000, 0x7bff, 0x0001, 0x7c00, 0x3555, 0x8000});
    CHECK(text_at(halves, 0) == "1");
    CHECK(text_at(halves, 1) == "-2");
    CHECK(text_at(halves, 2) == "65504");
    CHECK(value_at(halves, 3) == Value(std::ldexp(1.0, -24)));
    CHECK(text_at(halves, 4) == "Infinity");
    CHECK(value_at(halves, 5) == Value(0.333251953125));
    CHECK(text_at(halves, 6) == "-0");
}

TEST_CASE("256-bit decimals print in full and become Decimals where they fit") {
    Type type = of(TypeId::kDecimal256);
    type.precision = 76;
    type.scale = 2;
    const Array array =
        fixed<Int256>(type, {{{1250, 0, 0, 0}},
                             {{~uint64_t{0}, ~uint64_t{0}, ~uint64_t{0}, ~uint64_t{0}}},
                             {{0, 0, 1, 0}},
                             {{0, 0, 0, uint64_t{1} << 63}}});
    CHECK(value_at(array, 0) == Value(Decimal{1250, 2}));
    CHECK(value_at(array, 1) == Value(Decimal{-1, 2}));
    CHECK(text_at(array, 1) == "-0.01");
    // 2^128 and -2^255, by hand.
    CHECK(text_at(array, 2) == "3402823669209384634633746074317682114.56");
    CHECK(value_at(array, 2) == Value("3402823669209384634633746074317682114.56"));
    CHECK(text_at(array, 3) ==
          "-578960446186580977117854925043439539266349923328202820197287920039565648199.68");
}

TEST_CASE("moments of every unit, before and after 1970") {
    CHECK(text_at(fixed<int64_t>(of(TypeId::kTimestamp, TimeUnit::kSecond), {1709208000})) ==
          "2024-02-29 12:00:00");
    CHECK(text_at(fixed<int64_t>(of(TypeId::kTimestamp, TimeUnit::kMilli, "UTC"), {-1})) ==
          "1969-12-31 23:59:59.999+00");
    const Array nanos = fixed<int64_t>(of(TypeId::kTimestamp, TimeUnit::kNano), {-1, 1500});
    CHECK(text_at(nanos, 0) == "1969-12-31 23:59:59.999999999");
    CHECK(value_at(nanos, 0) == Value(Timestamp{-1, false}));
    CHECK(text_at(nanos, 1) == "1970-01-01 00:00:00.0000015");
    CHECK(value_at(nanos, 1) == Value(Timestamp{1, false}));
    CHECK(text_at(fixed<int64_t>(timestamp(), {INT64_MIN})) == "290309-12-21 19:59:05.224192 BC");
    CHECK(text_at(fixed<int64_t>(timestamp(), {INT64_MAX})) == "294247-01-10 04:00:54.775807");
    CHECK(text_at(fixed<int32_t>(of(TypeId::kTime32, TimeUnit::kSecond), {3661})) == "01:01:01");
    CHECK(text_at(fixed<int32_t>(of(TypeId::kTime32, TimeUnit::kMilli), {1})) == "00:00:00.001");
    CHECK(value_at(fixed<int64_t>(of(TypeId::kTime64, TimeUnit::kNano), {1999}), 0) ==
          Value(Time{1}));
    CHECK(text_at(fixed<int64_t>(of(TypeId::kDate64), {-1})) == "1969-12-31");
    CHECK(value_at(fixed<int64_t>(of(TypeId::kDate64), {86'400'000}), 0) == Value(Date{1}));
    CHECK(text_at(fixed<int32_t>(date32(), {INT32_MIN})) == "5877642-06-23 BC");
}

TEST_CASE("durations and intervals of all three kinds are intervals") {
    CHECK(text_at(fixed<int64_t>(of(TypeId::kDuration, TimeUnit::kSecond), {90'061})) ==
          "1 day 01:01:01");
    CHECK(text_at(fixed<int64_t>(of(TypeId::kDuration, TimeUnit::kNano), {-1})) ==
          "-00:00:00.000000001");
    CHECK(value_at(fixed<int64_t>(of(TypeId::kDuration, TimeUnit::kMilli), {-86'400'001}), 0) ==
          Value(Interval{0, -1, -1'000'000}));
    CHECK(text_at(fixed<int32_t>(of(TypeId::kIntervalMonths), {14})) == "1 year 2 mons");
    CHECK(text_at(fixed<int32_t>(of(TypeId::kIntervalDayTime), {2, 1500}).slice(0, 1)) ==
          "2 days 00:00:01.5");
}

TEST_CASE("structs and maps print their names and values, with offsets") {
    Array structs;
    structs.type = of(TypeId::kStruct);
    structs.type.children = {{"a", int32(), true}, {"b", utf8_view(), true}};
    structs.length = 3;
    structs.buffers = {Buffer{}};
    structs.children = {array_of(int32(), std::vector<Value>{1, 2, {}}).value(),
                        array_of(utf8_view(), std::vector<Value>{"x", {}, "z"}).value()};
    CHECK(text_at(structs) == "{a: 1, b: x}");
    CHECK(text_at(structs.slice(1, 2), 0) == "{a: 2, b: NULL}");
    CHECK(value_at(structs.slice(1, 2), 1) == Value("{a: NULL, b: z}"));

    Array maps = fixed<int32_t>(of(TypeId::kMap), {0, 2, 3});
    maps.length = 2;
    maps.type.children = {{"entries", structs.type, false}};
    maps.children = {structs};
    CHECK(text_at(maps, 0) == "{1: x, 2: NULL}");
    CHECK(text_at(maps.slice(1, 1), 0) == "{NULL: z}");
}

TEST_CASE("lists print as PostgreSQL arrays") {
    ColumnBuilder builder(list(list(utf8_view())));
    REQUIRE(
        builder.append(Value(Value::List{Value::List{"a", "b c", {}}, {}, Value::List{}})).ok());
    const Array array = builder.finish();
    CHECK(text_at(array) == "{{a,\"b c\",NULL},NULL,{}}");
    CHECK(value_at(array, 0).to_string() == text_at(array));
    Array fixed_list;
    fixed_list.type = of(TypeId::kFixedSizeList);
    fixed_list.type.width = 2;
    fixed_list.type.children = {{"item", int32(), true}};
    fixed_list.length = 2;
    fixed_list.buffers = {Buffer{}};
    fixed_list.children = {array_of(int32(), std::vector<Value>{1, 2, 3, {}}).value()};
    CHECK(text_at(fixed_list, 1) == "{3,NULL}");
    CHECK(value_at(fixed_list.slice(1, 1), 0) == Value(Value::List{3, {}}));
    Array large = fixed<int64_t>(of(TypeId::kLargeList), {1, 3});
    large.length = 1;
    large.type.children = {{"item", int32(), true}};
    large.children = fixed_list.children;
    CHECK(text_at(large) == "{2,3}");
}

TEST_CASE("NULL is no text and no value, also of the type Null") {
    Array nothing;
    nothing.length = 2;
    CHECK(text_at(nothing).empty());
    CHECK(value_at(nothing, 1).is_null());
    CHECK(array_of(int32(), std::vector<Value>{1, "x"}).status().sqlstate() == "22P02");
}

}  // namespace
}  // namespace trefoil::arrow
