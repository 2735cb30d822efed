// The C data interface: arrays of every type cross it and come back, and everything is released
// exactly once.

#include <doctest/doctest.h>

#include <vector>

#include "arrow/array.h"
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

// Puts a counter between an exported struct and its release.
struct Counted {
    void (*release)(ArrowArray*);
    void* private_data;
    int* releases;
};

void release_counted(ArrowArray* array) {
    auto* counted = static_cast<Counted*>(array->private_data);
    ++*counted->releases;
    array->release = counted->release;
    array->private_data = counted->private_data;
    delete counted;
    array->release(array);
    CHECK_FALSE(bool(array->release));
}

void count_releases(ArrowArray* array, int* releases) {
    array->private_data = new Counted{array->release, array->private_data, releases};
    array->release = release_counted;
}

// A buffer whose owner tells when it goes.
Array with_watched_owner(Array array, bool* gone) {
    std::shared_ptr<const void> owner(new Array(array), [gone](const void* p) {
        delete static_cast<const Array*>(p);
        *gone = true;
    });
    for (Buffer& b : array.buffers) b.owner = owner;
    for (Array& child : array.children) {
        for (Buffer& b : child.buffers) b.owner = owner;
    }
    return array;
}

std::vector<Array> samples() {
    RandomArrays random(31);
    std::vector<Array> arrays;
    for (const Type& type : buildable_types()) {
        arrays.push_back(random.make(type, 100, 0.2));
        arrays.push_back(random.make(type, 40, 0));
        arrays.push_back(random.make(type, 0, 0));
    }
    Array dictionary;
    dictionary.type.id = TypeId::kDictionary;
    dictionary.type.children = {{"", int16(), true}, {"", utf8_view(), true}};
    const Array indices = array_of(int16(), std::vector<Value>{0, 2, {}, 1, 0}).value();
    dictionary.length = 5;
    dictionary.buffers = indices.buffers;
    dictionary.dictionary = std::make_shared<Array>(
        array_of(utf8_view(), std::vector<Value>{"a", "more than twelve bytes", "c"}).value());
    arrays.push_back(dictionary);
    Array structs;
    structs.type.id = TypeId::kStruct;
    structs.type.children = {{"x", int64(), true}, {"y", list(utf8_view()), true}};
    structs.length = 30;
    structs.buffers = {Buffer{}};
    structs.children = {random.make(int64(), 30, 0.2), random.make(list(utf8_view()), 30, 0.2)};
    arrays.push_back(structs);
    Array nothing;
    nothing.length = 4;
    nothing.null_count = 4;
    arrays.push_back(nothing);
    for (TypeId id : {TypeId::kUtf8, TypeId::kLargeUtf8, TypeId::kBinary, TypeId::kLargeList,
                      TypeId::kMap, TypeId::kDate64, TypeId::kDuration, TypeId::kIntervalMonths,
                      TypeId::kIntervalDayTime, TypeId::kDecimal256, TypeId::kFloat16}) {
        Type type;
        type.id = id;
        type.precision = id == TypeId::kDecimal256 ? 50 : 0;
        if (id == TypeId::kLargeList) type.children = {{"item", int32(), true}};
        if (id == TypeId::kMap) {
            Type entries;
            entries.id = TypeId::kStruct;
            entries.children = {{"key", int32(), false}, {"value", int32(), true}};
            type.children = {{"entries", entries, false}};
        }
        arrays.push_back(make_nulls(type, 6));
    }
    return arrays;
}

TEST_CASE("types and names cross the border and come back") {
    for (const Array& array : samples()) {
        CAPTURE(array.type.format());
        ArrowSchema schema;
        export_type({"n\xc3\xa4me", array.type, false}, &schema);
        const Field field = import_field(schema).value();
        schema.release(&schema);
        CHECK_FALSE(bool(schema.release));
        CHECK(field.name == "n\xc3\xa4me");
        CHECK_FALSE(field.nullable);
        CHECK(field.type.format() == array.type.format());
        if (array.type.id == TypeId::kDictionary) {
            CHECK(field.type.children[1].type == utf8_view());
        } else {
            CHECK(field.type == array.type);
        }
    }
}

TEST_CASE("arrays of every type cross the border and come back, slices too") {
    for (const Array& whole : samples()) {
        CAPTURE(whole.type.format());
        for (const Array& array : {whole, whole.slice(whole.length / 3, whole.length / 2)}) {
            int releases = 0;
            const std::string expected = texts(array);
            {
                ArrowArray exported;
                export_array(array, &exported);
                count_releases(&exported, &releases);
                Array back = import_array(&exported, array.type).value();
                CHECK_FALSE(bool(exported.release));
                CHECK(texts(back) == expected);
                CHECK(texts(compact(back)) == expected);
                const Array copy = back;
                back = Array();
                CHECK(releases == (array.buffers.empty() ? 1 : 0));
                CHECK(texts(copy.slice(0, copy.length)) == expected);
            }
            CHECK(releases == 1);
        }
    }
}

TEST_CASE("an exported array keeps its memory until it is released") {
    for (const Array& array : samples()) {
        if (array.length == 0 || array.buffers.empty() || array.buffers.size() < 2) continue;
        CAPTURE(array.type.format());
        bool gone = false;
        ArrowArray exported;
        export_array(with_watched_owner(array, &gone), &exported);
        CHECK_FALSE(gone);
        Array back = import_array(&exported, array.type).value();
        CHECK(texts(back) == texts(array));
        CHECK_FALSE(gone);
        back = Array();
        CHECK(gone);
    }
}

TEST_CASE("a batch crosses as a struct, with its row count and offset") {
    RandomArrays random(32);
    const auto schema = std::make_shared<const Schema>(
        Schema{{{"a", int32(), false}, {"b", list(utf8_view()), true}, {"c", boolean(), true}}});
    Batch batch{schema, 20, {}};
    for (const Field& f : schema->fields) batch.columns.push_back(random.make(f.type, 20, 0.2));
    ArrowSchema exported_schema;
    export_schema(*schema, &exported_schema);
    CHECK(import_schema(exported_schema).value() == *schema);
    exported_schema.release(&exported_schema);

    int releases = 0;
    ArrowArray exported;
    export_batch(batch.slice(3, 10), &exported);
    count_releases(&exported, &releases);
    // A struct may have an offset of its own.
    exported.offset = 2;
    exported.length = 5;
    Batch back = import_batch(&exported, schema).value();
    CHECK(back.rows == 5);
    for (size_t c = 0; c < 3; c++) {
        CHECK(texts(back.columns[c]) == texts(batch.columns[c].slice(5, 5)));
    }
    const Array kept = back.columns[1];
    back = Batch();
    CHECK(releases == 0);
    CHECK(texts(kept) == texts(batch.columns[1].slice(5, 5)));
}

TEST_CASE("a batch without columns still has rows") {
    const auto schema = std::make_shared<const Schema>();
    ArrowArray exported;
    export_batch(Batch{schema, 7, {}}, &exported);
    CHECK(import_batch(&exported, schema).value().rows == 7);
}

TEST_CASE("what does not fit is refused, and released") {
    const Array array = array_of(int32(), std::vector<Value>{1}).value();
    int releases = 0;
    ArrowArray exported;
    export_array(array, &exported);
    count_releases(&exported, &releases);
    CHECK_FALSE(import_array(&exported, list(int32())).ok());
    CHECK(releases == 1);
    const auto two = std::make_shared<const Schema>(Schema{{{"a", int32()}, {"b", int32()}}});
    export_batch(Batch{two, 1, {array}}, &exported);
    count_releases(&exported, &releases);
    CHECK_FALSE(import_batch(&exported, two).ok());
    CHECK(releases == 2);
    for (const char* format : {"", "x", "d:", "d:1,2,64", "ts", "tsx:", "w:abc", "w:-1",
                               "+w:", "vx", "tdX", "+u", "d:a,b", "d:77,2,256"}) {
        CAPTURE(format);
        CHECK_FALSE(Type::from_format(format).ok());
    }
}

}  // namespace
}  // namespace trefoil::arrow
