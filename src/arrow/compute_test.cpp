// Picking and joining arrays, against the simplest oracle: the values one by one.

#include "arrow/compute.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "arrow/bitmap.h"
#include "arrow/builder.h"
#include "arrow/nan_signs.h"
#include "arrow/random_arrays.h"
#include "arrow/value.h"

namespace trefoil::arrow {
namespace {

std::string row_text(const Array& array, int64_t row) {
    if (value_at(array, row).is_null()) return "(null)";
    std::string text;
    append_text(array, row, &text);
    return text;
}

std::vector<std::string> texts(const Array& array) {
    std::vector<std::string> out;
    for (int64_t i = 0; i < array.length; i++) out.push_back(row_text(array, i));
    return out;
}

Array utf8_array(TypeId id, const Array& views) {
    Array out;
    out.type.id = id;
    out.length = views.length;
    const bool large = id == TypeId::kLargeUtf8;
    std::string bytes;
    std::vector<int32_t> small{0};
    std::vector<int64_t> big{0};
    for (int64_t i = 0; i < views.length; i++) {
        if (views.is_valid(i)) bytes += views.bytes_at(i);
        small.push_back(static_cast<int32_t>(bytes.size()));
        big.push_back(static_cast<int64_t>(bytes.size()));
    }
    const auto* offsets = large ? reinterpret_cast<const uint8_t*>(big.data())
                                : reinterpret_cast<const uint8_t*>(small.data());
    out.buffers = {views.buffers[0], copy_buffer({offsets, (large ? 8 : 4) * small.size()}),
                   copy_buffer({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()})};
    return out;
}

// Arrays of types that only the engine makes.
std::vector<Array> foreign_arrays(RandomArrays& random) {
    std::vector<Array> out;
    const Array views = random.make(utf8_view(), 200, 0.2);
    const Array numbers = random.make(int32(), 200, 0.2);
    out.push_back(utf8_array(TypeId::kUtf8, views));
    out.push_back(utf8_array(TypeId::kLargeUtf8, views));
    Array structs;
    structs.type.id = TypeId::kStruct;
    structs.type.children = {{"a", int32(), true}, {"b", utf8_view(), true}};
    structs.length = 200;
    structs.buffers = {random.make(int32(), 200, 0.3).buffers[0]};
    structs.children = {numbers, views};
    out.push_back(structs);
    Array fixed_list;
    fixed_list.type.id = TypeId::kFixedSizeList;
    fixed_list.type.width = 2;
    fixed_list.type.children = {{"item", int32(), true}};
    fixed_list.length = 100;
    fixed_list.buffers = {Buffer{}};
    fixed_list.children = {numbers};
    out.push_back(fixed_list);
    Array dictionary;
    dictionary.type.id = TypeId::kDictionary;
    dictionary.type.children = {{"", int16(), true}, {"", utf8_view(), true}};
    ColumnBuilder indices(int16());
    for (int i = 0; i < 150; i++) {
        i % 7 ? indices.append_int64(static_cast<int64_t>(random.number(200)))
              : indices.append_null();
    }
    const Array index_array = indices.finish();
    dictionary.length = 150;
    dictionary.buffers = index_array.buffers;
    dictionary.dictionary = std::make_shared<Array>(views);
    out.push_back(dictionary);
    Array nothing;
    nothing.length = 5;
    out.push_back(nothing);
    Array halves;
    halves.type.id = TypeId::kFloat16;
    halves.length = 100;
    halves.buffers = {Buffer{}, numbers.buffers[1]};
    out.push_back(halves);
    return out;
}

std::vector<Array> samples() {
    RandomArrays random(5);
    std::vector<Array> arrays = foreign_arrays(random);
    for (const Type& type : buildable_types()) {
        arrays.push_back(random.make(type, 200, 0.2));
        arrays.push_back(random.make(type, 64, 0));
        arrays.push_back(random.make(type, 0, 0));
    }
    return arrays;
}

TEST_CASE("take picks rows, of slices too") {
    RandomArrays random(6);
    for (const Array& whole : samples()) {
        CAPTURE(whole.type.format());
        for (const Array& array : {whole, whole.slice(whole.length / 3, whole.length / 2)}) {
            const std::vector<uint32_t> rows = random.rows(array.length, 333);
            const Array taken = take(array, rows);
            REQUIRE(taken.length == static_cast<int64_t>(rows.size()));
            CHECK(taken.type == array.type);
            for (size_t i = 0; i < rows.size(); i++) {
                REQUIRE(row_text(taken, static_cast<int64_t>(i)) == row_text(array, rows[i]));
            }
            CHECK(null_count(taken) ==
                  static_cast<int64_t>(std::count_if(
                      rows.begin(), rows.end(), [&](uint32_t r) { return array.is_null(r); })));
        }
    }
}

TEST_CASE("gather picks rows of several arrays and shares their strings") {
    RandomArrays random(7);
    for (const Type& type : buildable_types()) {
        CAPTURE(type.sql_name());
        const Array a = random.make(type, 50, 0.3), b = random.make(type, 90, 0);
        const Array slice = a.slice(10, 30);
        const Array* const sources[] = {&a, &b, &slice};
        std::vector<RowRef> rows;
        for (int i = 0; i < 200; i++) {
            const auto s = static_cast<uint32_t>(random.number(3));
            rows.push_back({s, static_cast<uint32_t>(
                                   random.number(static_cast<uint64_t>(sources[s]->length)))});
        }
        const Array gathered = gather(sources, rows);
        for (size_t i = 0; i < rows.size(); i++) {
            REQUIRE(row_text(gathered, static_cast<int64_t>(i)) ==
                    row_text(*sources[rows[i].source], rows[i].row));
        }
        if (type.is_view()) {
            // The slice shares its heap with `a`; nothing is listed twice.
            std::set<const uint8_t*> heaps;
            for (size_t h = 2; h < gathered.buffers.size(); h++) {
                CHECK(heaps.insert(gathered.buffers[h].data).second);
            }
            CHECK(heaps.size() <= a.buffers.size() + b.buffers.size() - 4);
        }
    }
}

TEST_CASE("concat joins arrays, slices and empty ones") {
    for (const Array& array : samples()) {
        CAPTURE(array.type.format());
        const int64_t third = array.length / 3;
        const Array parts[] = {array.slice(0, third), array.slice(0, 0),
                               array.slice(third, array.length - third),
                               array.slice(third / 2, third)};
        std::vector<std::string> expected;
        for (const Array& p : parts) {
            for (std::string& t : texts(p)) expected.push_back(std::move(t));
        }
        const Array joined = concat(parts);
        CHECK(texts(joined) == expected);
        CHECK(texts(concat(std::span(parts, 1))) == texts(parts[0]));
    }
}

TEST_CASE("a compact array holds its own values and nothing else") {
    for (const Array& whole : samples()) {
        CAPTURE(whole.type.format());
        const Array slice = whole.slice(whole.length / 4, whole.length / 4);
        const Array array = compact(slice);
        CHECK(array.offset == 0);
        CHECK(array.null_count == null_count(slice));
        CHECK(texts(array) == texts(slice));
        if (array.type.is_view()) {
            size_t heap = 0, needed = 0;
            for (size_t i = 2; i < array.buffers.size(); i++) heap += array.buffers[i].size;
            for (int64_t i = 0; i < array.length; i++) {
                if (array.is_valid(i) && array.bytes_at(i).size() > 12) {
                    needed += array.bytes_at(i).size();
                }
            }
            CHECK(heap == needed);
            CHECK(array.buffers.size() <= 3);
        }
    }
}

TEST_CASE("a NaN loses its sign, and nothing else changes") {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    ColumnBuilder builder(float64());
    for (double v : {1.5, -nan, -0.0, nan}) builder.append_double(v);
    builder.append_null();
    const Array before = builder.finish();
    const Array after = without_nan_signs(before);
    const auto* values = after.values<double>();
    CHECK(values[0] == 1.5);
    CHECK((std::isnan(values[1]) && !std::signbit(values[1])));
    CHECK((values[2] == 0 && std::signbit(values[2])));
    CHECK((std::isnan(values[3]) && !std::signbit(values[3])));
    CHECK(after.is_null(4));
    const Array again = without_nan_signs(after);
    CHECK(again.values<double>() == values);
}

TEST_CASE("a dictionary decodes to its values") {
    RandomArrays random(8);
    for (const Array& array : foreign_arrays(random)) {
        const Array decoded = decode_dictionary(array.slice(1, array.length - 1));
        CHECK(decoded.dictionary == nullptr);
        CHECK(texts(decoded) == texts(array.slice(1, array.length - 1)));
    }
}

TEST_CASE("constants and nulls of every type") {
    for (const Array& array : samples()) {
        CAPTURE(array.type.format());
        const Array nulls = make_nulls(array.type, 10);
        CHECK(null_count(nulls) == 10);
        CHECK(texts(nulls) == std::vector<std::string>(10, "(null)"));
        const Array both[] = {array, nulls};
        if (array.type.id != TypeId::kDictionary) CHECK(concat(both).length == array.length + 10);
    }
    CHECK(texts(make_constant(utf8_view(), "more than twelve bytes", 3).value()) ==
          std::vector<std::string>(3, "more than twelve bytes"));
    CHECK(make_constant(int16(), 70000, 3).status().sqlstate() == "22003");
    CHECK(make_constant(int16(), {}, 3).value().null_count == 3);
    CHECK(make_constant(int16(), 1, 0).value().length == 0);
}

TEST_CASE("bounds are those of the sorted values") {
    RandomArrays random(9);
    for (const Type& type : buildable_types()) {
        CAPTURE(type.sql_name());
        const Array array = random.make(type, 500, 0.1).slice(3, 400);
        const std::optional<MinMax> found = min_max(array);
        const bool ordered = type.id != TypeId::kList && type.id != TypeId::kIntervalMonthDayNano;
        REQUIRE(found.has_value() == ordered);
        if (!ordered) continue;
        CHECK(found->null_count == null_count(array));
        bool min_seen = false, max_seen = false;
        for (int64_t i = 0; i < array.length; i++) {
            if (array.is_null(i)) continue;
            const Value v = value_at(array, i);
            min_seen |= v == found->min;
            max_seen |= v == found->max;
            if (const auto* n = v.get_if<int64_t>(); n && type.id != TypeId::kUInt64) {
                REQUIRE(*n >= *found->min.get_if<int64_t>());
                REQUIRE(*n <= *found->max.get_if<int64_t>());
            }
            if (const auto* s = v.get_if<std::string>()) {
                REQUIRE(*s >= *found->min.get_if<std::string>());
                REQUIRE(*s <= *found->max.get_if<std::string>());
            }
            if (const auto* d = v.get_if<Decimal>(); d && type.id == TypeId::kDecimal128) {
                REQUIRE(d->unscaled >= found->min.get_if<Decimal>()->unscaled);
                REQUIRE(d->unscaled <= found->max.get_if<Decimal>()->unscaled);
            }
        }
        CHECK(min_seen);
        CHECK(max_seen);
    }
    CHECK(min_max(make_nulls(int64(), 3))->min.is_null());
    CHECK(min_max(make_nulls(utf8_view(), 0))->max.is_null());
}

TEST_CASE("NaN is the greatest number, and strings go by unsigned bytes") {
    const double nan = std::nan("");
    const Array some = array_of(float64(), std::vector<Value>{nan, 1.0, {}, -HUGE_VAL}).value();
    CHECK(min_max(some)->min == Value(-HUGE_VAL));
    CHECK(min_max(some)->max.to_string() == "NaN");
    const Array only = array_of(float64(), std::vector<Value>{nan, nan}).value();
    CHECK(min_max(only)->min.to_string() == "NaN");
    const Array texts =
        array_of(utf8_view(), std::vector<Value>{"\xc3\xa9", "z", "", "zz", std::string("\0", 1)})
            .value();
    CHECK(min_max(texts)->min == Value(""));
    CHECK(min_max(texts)->max == Value("\xc3\xa9"));
}

TEST_CASE("distinct values are counted exactly while few and nearly when many") {
    ColumnBuilder few(int64()), many(int64());
    for (int i = 0; i < 100000; i++) {
        few.append_int64(i % 100);
        many.append_int64(i * int64_t{7919});
    }
    CHECK(approximate_distinct(few.finish()).estimate() == 100);
    const auto estimate = static_cast<double>(approximate_distinct(many.finish()).estimate());
    CHECK(std::abs(estimate / 100000 - 1) < 0.12);
    const Array zeros =
        array_of(float64(), std::vector<Value>{0.0, -0.0, {}, std::nan("1"), -std::nan("2")})
            .value();
    CHECK(approximate_distinct(zeros).estimate() == 2);
    RandomArrays random(10);
    for (const Array& array : samples()) {
        std::set<std::string> expected;
        for (int64_t i = 0; i < array.length; i++) {
            if (array.is_valid(i)) expected.insert(row_text(array, i));
        }
        expected.erase("(null)");
        if (expected.size() > DistinctSketch::kExactMax) continue;
        if (array.type.id == TypeId::kFloat16) continue;  // several NaNs print the same
        CAPTURE(array.type.format());
        CHECK(approximate_distinct(array).estimate() == expected.size());
    }
}

TEST_CASE("sketches of parts merge to the sketch of the whole") {
    for (uint64_t n : {0, 1, 100, 128, 129, 1000, 50000, 1000000}) {
        DistinctSketch whole, left, right;
        for (uint64_t i = 0; i < n; i++) {
            const uint64_t hash = (i + 1) * 0x9e3779b97f4a7c15u ^ (i * 0xbf58476d1ce4e5b9u >> 29);
            std::mt19937_64 mix(hash);
            const uint64_t mixed = mix();
            whole.add_hash(mixed);
            (i % 3 ? left : right).add_hash(mixed);
            if (n > 100000 && i > 100000) break;  // the generator is slow
        }
        left.merge(right);
        CHECK(left == whole);
        const std::string bytes = whole.serialise();
        CHECK(bytes.size() <= 1 + 2 + 8 * 128);
        CHECK(DistinctSketch::deserialise(bytes).value() == whole);
        CHECK(DistinctSketch::deserialise(bytes.substr(0, bytes.size() - 1)).status().code() ==
              Code::kCorruption);
        CHECK_FALSE(DistinctSketch::deserialise(bytes + "x").ok());
    }
}

TEST_CASE("bits are copied, counted and filled at any offset") {
    RandomArrays random(11);
    for (int round = 0; round < 2000; round++) {
        std::vector<uint8_t> from(40), to(40), expected;
        for (auto& b : from) b = static_cast<uint8_t>(random.number(256));
        for (auto& b : to) b = static_cast<uint8_t>(random.number(256));
        expected = to;
        const auto count = static_cast<int64_t>(random.number(200));
        const auto a = static_cast<int64_t>(random.number(static_cast<uint64_t>(320 - count)));
        const auto b = static_cast<int64_t>(random.number(static_cast<uint64_t>(320 - count)));
        int64_t ones = 0;
        for (int64_t i = 0; i < count; i++) {
            const bool v = get_bit(from.data(), a + i);
            ones += v;
            expected[static_cast<size_t>((b + i) >> 3)] &=
                static_cast<uint8_t>(~(1u << ((b + i) & 7)));
            if (v) set_bit(expected.data(), b + i);
        }
        REQUIRE(count_bits(from.data(), a, count) == ones);
        copy_bits(from.data(), a, count, to.data(), b);
        REQUIRE(to == expected);
        fill_bits(to.data(), b, count, round % 2);
        REQUIRE(count_bits(to.data(), b, count) == (round % 2 ? count : 0));
    }
}

}  // namespace
}  // namespace trefoil::arrow
