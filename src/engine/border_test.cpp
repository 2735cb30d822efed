// The border without Rust: errors both ways, byte forms, and the functions that Rust would call.

#include "engine/border.h"

#include <doctest/doctest.h>

#include <random>

#include "arrow/array.h"
#include "engine/decode.h"
#include "engine/leaf_vtable.h"
#include "engine/test_tables.h"

using namespace trefoil;
using namespace trefoil::engine;

namespace {

void write_name(Writer& w, std::string_view text, uint32_t position) {
    w.str(text);
    w.u32(position);
}

// CREATE TABLE t (c INTEGER[] NOT NULL DEFAULT 1, d VARCHAR(9) PRIMARY KEY) as statement bytes.
std::string create_table_bytes() {
    Writer w;
    w.u8(0);  // no EXPLAIN
    w.u8(4);
    write_name(w, "t", 13);
    w.u8(1);
    w.u8(0);  // not temporary
    w.u32(2);
    write_name(w, "c", 16);
    w.str("+l"), w.str("i");
    w.u8(0), w.u8(1), w.u8(1), w.str("1"), w.u8(0);
    w.u8(0), w.u8(0);  // no identity, not stored
    write_name(w, "d", 40);
    w.str("vu");
    w.u8(1), w.u32(9), w.u8(0), w.u8(0), w.u8(0);
    w.u8(0), w.u8(0);
    w.u32(1), w.u8(0), w.u8(1), w.u32(1), write_name(w, "d", 60);
    w.u32(0);  // no CHECK
    w.u32(0);  // no FOREIGN KEY
    return w.take();
}

std::string plan_bytes() {
    Writer w;
    w.u32(2);
    w.u8(0);
    w.u8(1), w.str("l");
    w.u8(1);
    w.str("person");
    w.u32(2), w.u32(1), w.u32(0);
    w.u32(1);
    w.u8(6), w.u8(0), w.u32(3);  // NOT column 3
    w.u8(1), w.u8(2), w.u32(0), w.str("l");
    w.u8(0);
    w.u32(1), w.u32(1), w.u8(3);  // ORDER BY column 1 DESC NULLS FIRST
    w.u32(1), w.str("person");
    w.u8(1), w.u8(0), w.u8(1), w.u32(2), w.u32(0), w.u8(1), w.u8(0);
    w.u8(1), w.str("person"), w.u32(7), w.u8(0),
        w.str("");  // UPDATE person  // row id, 2 columns, RETURNING
    w.u8(1), w.str("\1rows"), w.u32(1), w.str("person"), w.u32(7), w.u8(4), w.u8(2);  // FOR UPDATE
    w.u8(1), w.u8(0), w.u64(3), w.u8(0);                                              // LIMIT 3
    return w.take();
}

std::string read(auto function, void* context) {
    StringSink sink;
    tf_error error{};
    REQUIRE(function(context, sink.get(), &error) == 0);
    return sink.take();
}

}  // namespace

TEST_CASE("a status crosses the border and comes back with nothing lost") {
    Status full = Status(Code::kConflict, "40001", "two of them")
                      .with_detail("detail")
                      .with_hint("hint")
                      .with_position(0);
    for (const Status& status : {full, Status::io(""), Status::unsupported("żółw")}) {
        tf_error error{};
        give_error(status, &error);
        Status back = take_error(&error);
        CHECK((error.release == nullptr));
        CHECK(back.code() == status.code());
        CHECK(back.sqlstate() == status.sqlstate());
        CHECK(back.message() == status.message());
        CHECK(back.detail() == status.detail());
        CHECK(back.hint() == status.hint());
        CHECK(back.position() == status.position());
    }
    give_error(full, nullptr);  // a caller that does not want to know
}

TEST_CASE("an error that says nothing is still an error") {
    tf_error error{};
    CHECK(take_error(&error).sqlstate() == "XX000");
    give_out_of_memory(&error);
    Status s = take_error(&error);
    CHECK(s.sqlstate() == "53200");
    CHECK(s.code() == Code::kIo);
}

TEST_CASE("statement bytes become a statement") {
    Result<Statement> s = decode_statement(create_table_bytes());
    REQUIRE(s.ok());
    const auto& create = std::get<CreateTable>(s->kind);
    CHECK(create.if_not_exists);
    REQUIRE(create.columns.size() == 2);
    CHECK(create.columns[0].type == arrow::list(arrow::int32()));
    CHECK(create.columns[0].not_null);
    CHECK(create.columns[0].default_sql == "1");
    CHECK(create.columns[1].char_length == 9);
    REQUIRE(create.keys.size() == 1);
    CHECK(create.keys[0].is_primary);
    CHECK(create.keys[0].columns[0].position == 60);
    CHECK_FALSE(create.keys[0].name.has_value());
}

TEST_CASE("plan bytes become a plan") {
    QueryPlan plan;
    REQUIRE(decode_plan(plan_bytes(), &plan).ok());
    CHECK_FALSE(plan.parameters[0].has_value());
    CHECK(plan.parameters[1] == arrow::int64());
    REQUIRE(plan.access.has_value());
    CHECK(plan.access->projection == std::vector<uint32_t>{1, 0});
    CHECK(plan.access->limit->kind == plan::Expr::Kind::kParameter);
    CHECK_FALSE(plan.access->offset.has_value());
    REQUIRE(plan.access->order.size() == 1);
    CHECK(plan.access->order[0].column == 1);
    CHECK(plan.access->order[0].descending);
    CHECK(plan.access->order[0].nulls_first);
    CHECK(plan.tables == std::vector<std::string>{"person"});
    REQUIRE(plan.change.has_value());
    CHECK(plan.change->width() == 3);
    CHECK(plan.change->returning);
    REQUIRE(plan.locking.has_value());
    CHECK(plan.locking->given == "\1rows");
    CHECK(plan.locking->query.locks.at(0).wait == RowLock::Wait::kSkipLocked);
    CHECK(plan.locking->query.limit->number == 3);
}

TEST_CASE("bytes that are cut or damaged are refused and do no harm") {
    std::mt19937_64 random(5);
    for (const std::string& good : {create_table_bytes(), plan_bytes()}) {
        for (size_t n = 0; n < good.size(); n++) {
            QueryPlan plan;
            Result<Statement> s = decode_statement(good.substr(0, n));
            if (good == create_table_bytes()) {
                REQUIRE_FALSE(s.ok());
                REQUIRE(s.status().sqlstate() == "XX000");
            } else {
                REQUIRE_FALSE(decode_plan(good.substr(0, n), &plan).ok());
            }
        }
        for (int i = 0; i < 20000; i++) {
            std::string bad = good;
            for (int k = 0; k < 3; k++) bad[random() % bad.size()] = static_cast<char>(random());
            QueryPlan plan;
            (void)decode_statement(bad).ok();
            (void)decode_plan(bad, &plan).ok();
            (void)decode_strings(bad).ok();
        }
    }
    CHECK_FALSE(decode_strings(std::string("\xff\xff\xff\xff", 4)).ok());
}

TEST_CASE("the functions of a table answer as the table does") {
    TestCatalog catalog;
    TestTable& table =
        catalog.add("t", {{"id", arrow::int64(), false}, {"x", arrow::utf8_view(), true}},
                    {{1, "a"}, {2, Value()}, {3, "c"}}, 2);
    table.primary_key = {0};
    table.defaults = {std::nullopt, "'d'"};
    tf_catalog functions = catalog_functions(catalog);
    tf_error error{};
    CHECK(read(functions.table_names, functions.context) == std::string("\1\0\0\0\1\0\0\0t", 9));

    tf_table none{};
    REQUIRE(functions.find(functions.context, as_text("nothing"), 0, &none, &error) == 0);
    CHECK((none.release == nullptr));

    tf_table t{};
    REQUIRE(functions.find(functions.context, as_text("t"), 1, &t, &error) == 0);
    SchemaStruct schema;
    REQUIRE(t.schema(t.context, schema.get(), &error) == 0);
    CHECK(arrow::import_schema(*schema.get())->fields.size() == 3);  // with the row id
    CHECK(read(t.primary_key, t.context) == std::string("\1\0\0\0\0\0\0\0", 8));

    StringSink text;
    uint8_t has = 9;
    REQUIRE(t.column_default(t.context, 0, text.get(), &has, &error) == 0);
    CHECK(has == 0);
    REQUIRE(t.column_default(t.context, 1, text.get(), &has, &error) == 0);
    CHECK(has == 1);
    CHECK(text.take() == "'d'");

    uint8_t support = 9;
    CHECK(t.supports(t.context, as_text("garbage"), &support, &error) == 1);
    CHECK(take_error(&error).code() == Code::kInvalidInput);
    t.release(t.context);
}

TEST_CASE("a leaf is scanned through its functions, and everything is released") {
    TestCatalog catalog;
    TestTable& table =
        catalog.add("t", {{"id", arrow::int64(), false}, {"x", arrow::utf8_view(), true}},
                    {{1, "a"}, {2, Value()}, {3, "c"}}, 2);
    tf_catalog functions = catalog_functions(catalog);
    tf_error error{};
    tf_table t{};
    REQUIRE(functions.find(functions.context, as_text("t"), 0, &t, &error) == 0);

    Writer filters;
    filters.u32(0);
    const uint32_t projection[] = {1, 0};
    tf_scan_request request{TF_BRIDGE_VERSION,
                            sizeof(tf_scan_request),
                            projection,
                            2,
                            as_text(filters.data()),
                            0,
                            0,
                            {},
                            UINT64_MAX,
                            0};
    tf_leaf leaf{};
    REQUIRE(t.scan(t.context, &request, &leaf, &error) == 0);
    t.release(t.context);
    CHECK(read(leaf.name, leaf.context) == "TestScan");
    CHECK(leaf.partitions(leaf.context) == 1);

    tf_stream stream{};
    REQUIRE(leaf.open(leaf.context, 0, nullptr, &stream, &error) == 0);
    int64_t rows = 0;
    for (;;) {
        ArrowArray array{};
        REQUIRE(stream.next(stream.context, &array, &error) == 0);
        if (!array.release) break;
        CHECK(array.n_children == 2);
        rows += array.length;
        array.release(&array);
    }
    CHECK(rows == 3);
    stream.release(stream.context);
    leaf.release(leaf.context);
    CHECK(table.leaves_alive == 0);

    const uint32_t beyond[] = {7};
    request.projection = beyond;
    request.projection_count = 1;
    REQUIRE(functions.find(functions.context, as_text("t"), 0, &t, &error) == 0);
    CHECK(t.scan(t.context, &request, &leaf, &error) == 1);
    CHECK(take_error(&error).sqlstate() == "XX000");
    request.version = 99;
    CHECK(t.scan(t.context, &request, &leaf, &error) == 1);
    CHECK(take_error(&error).sqlstate() == "XX000");
    t.release(t.context);
}

TEST_CASE("a stream whose batches do not fit its schema is stopped before Rust sees them") {
    class Liar final : public access::BatchStream {
    public:
        const arrow::SchemaPtr& schema() const override { return schema_; }
        Result<std::optional<arrow::Batch>> next() override {
            return std::optional(arrow::Batch{schema_, 5, {column_}});
        }
        arrow::SchemaPtr schema_ =
            std::make_shared<arrow::Schema>(arrow::Schema{{{"a", arrow::int64(), true}}});
        arrow::Array column_;
    };
    std::vector<Value> five(5, Value(1)), four(4, Value(1));
    for (const arrow::Array& column : {arrow::array_of(arrow::int32(), five).value(),
                                       arrow::array_of(arrow::int64(), four).value()}) {
        Liar liar;
        liar.column_ = column;
        tf_stream stream = borrowed_stream_functions(&liar);
        ArrowArray array{};
        tf_error error{};
        CHECK(stream.next(stream.context, &array, &error) == 1);
        CHECK(take_error(&error).message().find("\"a\"") != std::string::npos);
        stream.release(stream.context);
    }
}
