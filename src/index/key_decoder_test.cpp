// What KeyEncoder puts into keys comes out of them again.

#include "index/key_decoder.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

#include "arrow/value.h"

namespace trefoil::index {
namespace {

const std::vector<arrow::Type>& types() {
    static const std::vector<arrow::Type> kTypes = {
        arrow::boolean(),      arrow::int16(),
        arrow::int32(),        arrow::int64(),
        arrow::decimal(10, 2), arrow::decimal(38, 4),
        arrow::utf8_view(),    arrow::binary_view(),
        arrow::date32(),       arrow::fixed_size_binary(16)};
    return kTypes;
}

// A column of values, some NULL: extremes, zeros and what its random source says.
arrow::Array column_of(const arrow::Type& type, int64_t rows, bool nulls, std::mt19937& random) {
    arrow::ColumnBuilder out(type);
    for (int64_t i = 0; i < rows; i++) {
        if (nulls && random() % 5 == 0) {
            out.append_null();
            continue;
        }
        std::string text(random() % 30, '\0');
        for (char& c : text) c = random() % 4 ? static_cast<char>('a' + random() % 26) : '\0';
        switch (type.id) {
            case arrow::TypeId::kBool:
                out.append_bool(random() % 2);
                break;
            case arrow::TypeId::kInt16:
                out.append_int64(static_cast<int16_t>(random()));
                break;
            case arrow::TypeId::kInt64:
                out.append_int64(random() % 7 == 0
                                     ? INT64_MIN
                                     : static_cast<int64_t>(random()) << (random() % 31));
                break;
            case arrow::TypeId::kDecimal128:
                out.append_decimal(static_cast<int64_t>(random()) - (int64_t{1} << 31));
                break;
            case arrow::TypeId::kFixedSizeBinary:
                text.resize(16, 'x');
                out.append_bytes(text);
                break;
            case arrow::TypeId::kUtf8View:
            case arrow::TypeId::kBinaryView:
                out.append_bytes(text);
                break;
            default:
                out.append_int64(static_cast<int32_t>(random()));
        }
    }
    return out.finish();
}

void check_same(const arrow::Array& a, const arrow::Array& b) {
    REQUIRE(a.length == b.length);
    REQUIRE(a.type == b.type);
    for (int64_t i = 0; i < a.length; i++) {
        REQUIRE(a.is_null(i) == b.is_null(i));
        if (a.is_valid(i)) REQUIRE(arrow::value_at(a, i) == arrow::value_at(b, i));
    }
}

TEST_CASE("a key of one column gives back its values and NULLs") {
    std::mt19937 random(1);
    for (const arrow::Type& type : types()) {
        for (bool nullable : {false, true}) {
            const KeyEncoder keys({type}, nullable);
            const arrow::Array column = column_of(type, 200, nullable, random);
            KeyDecoder decoder(keys, {0});
            for (int64_t i = 0; i < column.length; i++) {
                const Key key = keys.encode(std::vector<const arrow::Array*>{&column}, i);
                if (keys.shape() == KeyShape::kInteger) {
                    decoder.add_integer(key.integer, column.is_null(i));
                } else {
                    decoder.add_bytes(key.bytes);
                }
            }
            check_same(decoder.finish()[0], column);
        }
    }
}

TEST_CASE(
    "any parts of a key of several columns, ascending or not, can be asked for in any order") {
    std::mt19937 random(2);
    for (int trial = 0; trial < 60; trial++) {
        std::vector<arrow::Type> chosen;
        std::vector<arrow::Array> columns;
        const bool nullable = trial % 2;
        for (size_t i = 0; i < 2 + static_cast<size_t>(trial) % 4; i++) {
            chosen.push_back(types()[random() % types().size()]);
            columns.push_back(column_of(chosen.back(), 50, nullable, random));
        }
        // A part that cannot be decoded is passed over.
        chosen.insert(chosen.begin() + 1, arrow::float64());
        arrow::ColumnBuilder doubles(arrow::float64());
        for (int i = 0; i < 50; i++) doubles.append_double(i - 25.5);
        columns.insert(columns.begin() + 1, doubles.finish());
        std::vector<uint32_t> parts;
        for (uint32_t i = 0; i < chosen.size(); i++) {
            if (i != 1 && random() % 3) parts.push_back(i);
        }
        std::shuffle(parts.begin(), parts.end(), random);
        std::vector<PartOrder> orders(chosen.size());
        for (PartOrder& order : orders) order = {random() % 2 == 0, random() % 2 == 0};
        const KeyEncoder keys(chosen, nullable, trial % 3 ? orders : std::vector<PartOrder>());
        KeyDecoder decoder(keys, parts);
        std::vector<const arrow::Array*> pointers;
        for (const arrow::Array& c : columns) pointers.push_back(&c);
        for (int round = 0; round < 2; round++) {
            for (int64_t i = 0; i < 50; i++) decoder.add_bytes(keys.encode(pointers, i).bytes);
            const std::vector<arrow::Array> out = decoder.finish();
            REQUIRE(out.size() == parts.size());
            for (size_t i = 0; i < parts.size(); i++) check_same(out[i], columns[parts[i]]);
        }
    }
}

TEST_CASE("numbers with several zeros and NaNs are not decoded") {
    CHECK(!KeyDecoder::can_decode(arrow::float32()));
    CHECK(!KeyDecoder::can_decode(arrow::float64()));
    CHECK(KeyDecoder::can_decode(arrow::utf8_view()));
}

}  // namespace
}  // namespace trefoil::index
