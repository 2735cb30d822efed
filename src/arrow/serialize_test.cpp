// Arrays as bytes: they come back as they went, and no bytes, however damaged, do any harm.

#include "arrow/serialize.h"

#include <doctest/doctest.h>

#include "arrow/compute.h"
#include "arrow/random_arrays.h"
#include "arrow/value.h"

namespace trefoil::arrow {
namespace {

std::string texts(const Array& array) {
    std::string out;
    for (int64_t i = 0; i < array.length; i++) {
        out += array.is_null(i) ? "N" : "V";
        append_text(array, i, &out);
        out += '|';
    }
    return out;
}

std::string bytes_of(const Array& array) {
    Writer out;
    serialize(array, out);
    return out.take();
}

TEST_CASE("the worked example of the format is true") {
    const Array array = array_of(int64(), std::vector<Value>{5, {}}).value();
    const std::string expected(
        "\x01\x01l\x02\0\0\0\x01\x18\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x05\0\0\0\0\0\0\0\0\0\0\0\0\0"
        "\0\0",
        40);
    CHECK(bytes_of(array) == expected);
}

TEST_CASE("arrays of every type survive the round trip, slices included") {
    RandomArrays random(21);
    for (const Type& type : buildable_types()) {
        CAPTURE(type.sql_name());
        const Array whole = random.make(type, 200, 0.2);
        for (const Array& array : {whole, whole.slice(13, 101), whole.slice(5, 0),
                                   random.make(type, 9, 0), make_nulls(type, 3)}) {
            const std::string bytes = bytes_of(array);
            Reader in(bytes);
            Result<Array> back = deserialize(in, type);
            REQUIRE(back.ok());
            CHECK(in.at_end());
            CHECK(back->type == type);
            CHECK(back->null_count == null_count(array));
            CHECK(texts(*back) == texts(array));
            for (const Buffer& buffer : back->buffers) {
                CHECK(reinterpret_cast<uintptr_t>(buffer.data) % 8 == 0);
            }
            if (type.byte_width() == 16 && type.id != TypeId::kFixedSizeBinary) {
                CHECK(reinterpret_cast<uintptr_t>(back->buffers[1].data) % 16 == 0);
            }
            // What was read is written as the same bytes.
            CHECK(bytes_of(*back) == bytes);
        }
    }
}

TEST_CASE("a batch keeps its columns together, whatever stands before it") {
    RandomArrays random(22);
    Schema fields;
    for (const Type& type : buildable_types()) fields.fields.push_back({"c", type, true});
    const auto schema = std::make_shared<const Schema>(fields);
    Batch batch{schema, 50, {}};
    for (const Field& f : schema->fields) batch.columns.push_back(random.make(f.type, 50, 0.1));
    Writer out;
    out.u8(7);
    serialize(batch, out);
    serialize(batch.slice(10, 1), out);
    serialize(Batch{std::make_shared<const Schema>(), 3, {}}, out);
    Reader in(out.data());
    in.u8();
    Batch back = deserialize(in, schema).value();
    Batch one = deserialize(in, schema).value();
    CHECK(deserialize(in, std::make_shared<const Schema>()).value().rows == 3);
    CHECK(in.at_end());
    CHECK(back.rows == 50);
    CHECK(one.rows == 1);
    for (size_t c = 0; c < batch.columns.size(); c++) {
        CHECK(texts(back.columns[c]) == texts(batch.columns[c]));
        CHECK(texts(one.columns[c]) == texts(batch.columns[c].slice(10, 1)));
    }
    Reader again(out.data());
    again.u8();
    Schema other = fields;
    other.fields.pop_back();
    CHECK(deserialize(again, std::make_shared<const Schema>(other)).status().code() ==
          Code::kCorruption);
}

TEST_CASE("another type or another format is refused") {
    const std::string bytes = bytes_of(array_of(int32(), std::vector<Value>{1, 2}).value());
    Reader as_text(bytes);
    CHECK(deserialize(as_text, utf8_view()).status().code() == Code::kCorruption);
    std::string newer = bytes;
    newer[0] = 2;
    Reader in(newer);
    CHECK(deserialize(in, int32()).status().sqlstate() == "XX001");
}

TEST_CASE("every truncation is refused") {
    RandomArrays random(23);
    for (const Type& type : buildable_types()) {
        const std::string bytes = bytes_of(random.make(type, 20, 0.2));
        for (size_t n = 0; n < bytes.size(); n++) {
            // In memory of its own, so that a sanitizer sees any read behind the end.
            const std::vector<char> cut(bytes.begin(), bytes.begin() + static_cast<long>(n));
            Reader in(Bytes(cut.data(), cut.size()));
            REQUIRE(deserialize(in, type).status().code() == Code::kCorruption);
        }
    }
}

TEST_CASE("damaged bytes are refused or read as an array that is safe to use") {
    RandomArrays random(24);
    for (const Type& type : buildable_types()) {
        const std::string bytes = bytes_of(random.make(type, 30, 0.2));
        for (int round = 0; round < 1500; round++) {
            std::vector<char> damaged(bytes.begin(), bytes.end());
            for (uint64_t flips = 1 + random.number(3); flips > 0; flips--) {
                // Half of the flips go for the head and the first values, where they hurt most.
                const uint64_t range =
                    random.number(2) ? bytes.size() : std::min<size_t>(64, bytes.size());
                damaged[random.number(range)] ^= static_cast<char>(1u << random.number(8));
            }
            Reader in(Bytes(damaged.data(), damaged.size()));
            Result<Array> back = deserialize(in, type);
            if (!back.ok()) {
                REQUIRE(back.status().code() == Code::kCorruption);
                continue;
            }
            texts(*back);
            compact(*back);
            approximate_distinct(*back);
        }
    }
}

TEST_CASE("random bytes are refused") {
    RandomArrays random(25);
    for (const Type& type : buildable_types()) {
        for (int round = 0; round < 500; round++) {
            std::string noise(random.number(100), '\0');
            for (char& c : noise) c = static_cast<char>(random.number(256));
            if (!noise.empty() && random.number(2)) noise[0] = 1;
            Reader in(noise);
            (void)deserialize(in, type).ok();
        }
    }
}

}  // namespace
}  // namespace trefoil::arrow
