// ColumnBuilder: what goes in comes out, and what may not go in is refused without a trace.

#include "arrow/builder.h"

#include <doctest/doctest.h>

#include <limits>

#include "arrow/random_arrays.h"
#include "arrow/value.h"

namespace trefoil::arrow {
namespace {

std::string texts(const Array& array) {
    std::string out;
    for (int64_t i = 0; i < array.length; i++) {
        if (i) out += '|';
        if (array.is_null(i)) {
            out += "NULL";
        } else {
            append_text(array, i, &out);
        }
    }
    return out;
}

// What a column of `type` makes of `value`: its text, or the SQLSTATE.
std::string assigned(const Type& type, const Value& value) {
    ColumnBuilder builder(type);
    Status status = builder.append(value);
    if (!status.ok()) {
        CHECK(builder.length() == 0);
        CHECK(builder.finish().length == 0);
        return std::string(status.sqlstate());
    }
    return texts(builder.finish());
}

TEST_CASE("values of every type come out as they went in") {
    RandomArrays random(1);
    for (const Type& type : buildable_types()) {
        CAPTURE(type.sql_name());
        const Array array = random.make(type, 300, 0.2);
        ColumnBuilder by_row(type), by_array(type), by_value(type);
        for (int64_t i = 0; i < array.length; i++) {
            by_row.append_from(array, i);
            if (type.id != TypeId::kList || type.children[0].type.id != TypeId::kFloat32) {
                REQUIRE(by_value.append(value_at(array, i)).ok());
            }
        }
        by_array.append_array(array.slice(0, 77));
        by_array.append_array(array.slice(77, 0));
        by_array.append_array(array.slice(77, 223));
        CHECK(texts(by_row.finish()) == texts(array));
        CHECK(texts(by_array.finish()) == texts(array));
        if (by_value.length()) CHECK(texts(by_value.finish()) == texts(array));
    }
}

TEST_CASE("nulls may come first, last, or not at all") {
    for (int first : {0, 1, 7, 8, 9, 64, 100}) {
        ColumnBuilder builder(int32()), bools(boolean());
        for (int i = 0; i < first; i++) {
            builder.append_int64(i);
            bools.append_bool(i % 3 == 0);
        }
        CHECK(builder.finish().buffers[0].data == nullptr);
        for (int i = 0; i < first; i++) builder.append_int64(i);
        builder.append_nulls(11);
        bools.append_nulls(11);
        builder.append_int64(-1);
        bools.append_bool(true);
        const Array array = builder.finish(), bits = bools.finish();
        CHECK(array.length == first + 12);
        CHECK(array.null_count == 11);
        for (int i = 0; i < first + 12; i++) {
            CHECK(array.is_valid(i) == (i < first || i == first + 11));
            CHECK(bits.is_valid(i) == (i < first || i == first + 11));
            if (bits.is_valid(i)) CHECK(bits.bool_at(i) == (i == first + 11 || i % 3 == 0));
        }
    }
}

TEST_CASE("a finished builder is empty and can go on") {
    ColumnBuilder builder(list(utf8_view()));
    builder.elements().append_bytes("a string of more than twelve bytes");
    builder.append_list();
    const Array first = builder.finish();
    CHECK(builder.length() == 0);
    builder.append_null();
    builder.append_list();
    CHECK(texts(builder.finish()) == "NULL|{}");
    CHECK(texts(first) == "{\"a string of more than twelve bytes\"}");
}

TEST_CASE("strings of any layout are taken over as views") {
    const std::string long_text = "fourteen bytes";
    Array utf8;
    utf8.type.id = TypeId::kUtf8;
    utf8.length = 3;
    const int32_t offsets[] = {0, 1, 1, 15};
    utf8.buffers = {{},
                    copy_buffer({reinterpret_cast<const uint8_t*>(offsets), sizeof offsets}),
                    copy_buffer({reinterpret_cast<const uint8_t*>("xfourteen bytes"), 15})};
    Array dictionary;
    dictionary.type.id = TypeId::kDictionary;
    dictionary.type.children = {{"indices", int32(), true}, {"values", utf8.type, true}};
    ColumnBuilder indices(int32());
    for (int i : {2, 0, 2}) indices.append_int64(i);
    indices.append_null();
    const Array index_array = indices.finish();
    dictionary.length = 4;
    dictionary.buffers = index_array.buffers;
    dictionary.dictionary = std::make_shared<Array>(utf8);

    ColumnBuilder builder(utf8_view());
    builder.append_array(utf8.slice(1, 2));
    builder.append_array(dictionary);
    CHECK(texts(builder.finish()) ==
          "|" + long_text + "|" + long_text + "|x|" + long_text + "|NULL");
}

TEST_CASE("long strings share a few blocks of heap") {
    ColumnBuilder builder(binary_view());
    size_t total = 0;
    for (int i = 0; i < 20000; i++) {
        std::string v(static_cast<size_t>(i % 300), static_cast<char>(i));
        total += v.size();
        builder.append_bytes(v);
    }
    const Array array = builder.finish();
    CHECK(array.buffers.size() < 2 + 14);
    CHECK(array.byte_size() < total + 20000 * 16 + 100);
    for (int i = 0; i < 20000; i += 7) {
        REQUIRE(array.bytes_at(i) ==
                std::string(static_cast<size_t>(i % 300), static_cast<char>(i)));
    }
}

TEST_CASE("numbers are assigned as PostgreSQL assigns them") {
    CHECK(assigned(int16(), 32767) == "32767");
    CHECK(assigned(int16(), 32768) == "22003");
    CHECK(assigned(int16(), -32769) == "22003");
    CHECK(assigned(int32(), int64_t{1} << 31) == "22003");
    CHECK(assigned(int32(), 1.5) == "2");
    CHECK(assigned(int32(), 2.5) == "2");
    CHECK(assigned(int32(), -0.5) == "0");
    CHECK(assigned(int32(), Decimal{25, 1}) == "3");
    CHECK(assigned(int64(), 9.3e18) == "22003");
    CHECK(assigned(int64(), -9223372036854775808.0) == "-9223372036854775808");
    CHECK(assigned(int64(), std::nan("")) == "22003");
    CHECK(assigned(int64(), HUGE_VAL) == "22003");
    CHECK(assigned(uint64(), -1) == "22003");
    CHECK(assigned(uint64(), Decimal{static_cast<__int128>(UINT64_MAX), 0}) ==
          "18446744073709551615");
    CHECK(assigned(float64(), 7) == "7");
    CHECK(assigned(float64(), Decimal{1250, 2}) == "12.5");
    CHECK(assigned(float32(), 1e39) == "22003");
    CHECK(assigned(float32(), HUGE_VAL) == "Infinity");
    CHECK(assigned(decimal(5, 2), 999) == "999.00");
    CHECK(assigned(decimal(5, 2), 1000) == "22003");
    CHECK(assigned(decimal(5, 2), Decimal{12345, 3}) == "12.35");
    CHECK(assigned(decimal(10, 9), 1e-7) == "0.000000100");
    CHECK(assigned(boolean(), true) == "true");
    CHECK(assigned(boolean(), 1) == "42804");
    CHECK(assigned(int32(), true) == "42804");
    CHECK(assigned(int32(), Date{1}) == "42804");
}

TEST_CASE("text is read as a literal of the column's type") {
    CHECK(assigned(int32(), " 42 ") == "42");
    CHECK(assigned(int32(), "x") == "22P02");
    CHECK(assigned(int32(), "1.0") == "22P02");
    CHECK(assigned(int16(), "70000") == "22003");
    CHECK(assigned(uint64(), "18446744073709551615") == "18446744073709551615");
    CHECK(assigned(float32(), "0.1") == "0.1");
    CHECK(assigned(decimal(10, 2), "12.345") == "12.35");
    CHECK(assigned(boolean(), "yes") == "true");
    CHECK(assigned(date32(), "2024-02-30") == "22008");
    CHECK(assigned(date32(), "soon") == "22007");
    CHECK(assigned(timestamp("UTC"), "2024-02-29 12:00+02") == "2024-02-29 10:00:00+00");
    CHECK(assigned(timestamp(), "2024-02-29 12:00+02") == "2024-02-29 12:00:00");
    CHECK(assigned(interval(), "1 mon 2 days 03:04:05") == "1 mon 2 days 03:04:05");
    CHECK(assigned(binary_view(), "\\x00ff") == "\\x00ff");
    CHECK(assigned(fixed_size_binary(16), "123e4567e89b12d3a456426614174000") ==
          "123e4567-e89b-12d3-a456-426614174000");
    CHECK(assigned(fixed_size_binary(2), "\\x00ff01") == "22003");
    CHECK(assigned(list(int32()), "{1,NULL,3}") == "{1,NULL,3}");
    CHECK(assigned(list(list(int32())), "{{1},{},NULL}") == "{{1},{},NULL}");
    CHECK(assigned(list(int32()), "{1,x}") == "22P02");
    CHECK(assigned(list(int32()), "1,2") == "22P02");
    CHECK(assigned(utf8_view(), "\xff") == "22021");
}

TEST_CASE("anything becomes text, and moments become each other") {
    CHECK(assigned(utf8_view(), 42) == "42");
    CHECK(assigned(utf8_view(), Decimal{1250, 2}) == "12.50");
    CHECK(assigned(utf8_view(), Value::List{1, {}}) == "{1,NULL}");
    CHECK(assigned(date32(), Timestamp{-1, false}) == "1969-12-31");
    CHECK(assigned(timestamp(), Date{1}) == "1970-01-02 00:00:00");
    CHECK(assigned(timestamp(), Date{INT32_MAX}) == "22008");
    CHECK(assigned(timestamp("UTC"), Timestamp{0, false}) == "1970-01-01 00:00:00+00");
    CHECK(assigned(time64(), Timestamp{-1, false}) == "23:59:59.999999");
    CHECK(assigned(time64(), Timestamp{INT64_MIN, false}) == "19:59:05.224192");
    CHECK(assigned(time64(), Time{kMicrosPerDay + 1}) == "22008");
    CHECK(assigned(interval(), Time{INT64_MAX}) == "22008");
    CHECK(assigned(interval(), Time{1'000'000}) == "00:00:01");
    CHECK(assigned(interval(), 5) == "42804");
    CHECK(assigned(binary_view(), Blob{"a"}) == "\\x61");
    CHECK(assigned(fixed_size_binary(16), Blob{"a"}) == "22003");
    CHECK(assigned(fixed_size_binary(16), 1) == "42804");
    CHECK(assigned(list(int16()), Value::List{1, {}, "3"}) == "{1,NULL,3}");
    CHECK(assigned(list(int16()), Value::List{1, 70000}) == "22003");
    CHECK(assigned(list(int16()), 1) == "42804");
}

}  // namespace
}  // namespace trefoil::arrow
