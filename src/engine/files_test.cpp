// Parquet files, and streams of others cast to a table's types.

#include <doctest/doctest.h>

#include <cstdio>
#include <filesystem>

#include "engine/test_tables.h"

using namespace trefoil;
using namespace trefoil::engine;
using Lines = std::vector<std::string>;

namespace {

struct Files {
    std::unique_ptr<Engine> engine = Engine::create({2, 0, ""}).value();
    std::unique_ptr<EngineSession> session = engine->open_session().value();
    TestCatalog catalog;
    std::filesystem::path folder;

    Files() {
        std::string name = (std::filesystem::temp_directory_path() / "trefoil-XXXXXX").string();
        folder = ::mkdtemp(name.data());
    }
    ~Files() { std::filesystem::remove_all(folder); }
    std::string path(const char* name) const { return folder / name; }
};

TestTable& add_all_types(TestCatalog& catalog) {
    Uuid uuid;
    uuid.bytes[0] = 0xab;
    std::vector<Value> full = {true,
                               -7,
                               70000,
                               int64_t{1} << 60,
                               0.5,
                               -0.1,
                               Decimal{-1250, 2},
                               "Łódź, a text that is longer",
                               Blob{std::string("\0\xff", 2)},
                               Date{19782},
                               Time{1},
                               Timestamp{-1, false},
                               Timestamp{1, true},
                               uuid,
                               Value::List{1, Value(), 3}};
    return catalog.add("everything",
                       {{"a", arrow::boolean(), true},
                        {"b", arrow::int16(), true},
                        {"c", arrow::int32(), true},
                        {"d", arrow::int64(), true},
                        {"e", arrow::float32(), true},
                        {"f", arrow::float64(), true},
                        {"g", arrow::decimal(12, 2), true},
                        {"h", arrow::utf8_view(), true},
                        {"i", arrow::binary_view(), true},
                        {"j", arrow::date32(), true},
                        {"k", arrow::time64(), true},
                        {"l", arrow::timestamp(), true},
                        {"m", arrow::timestamp("UTC"), true},
                        {"n", arrow::fixed_size_binary(16), true},
                        {"o", arrow::list(arrow::int64()), true}},
                       {full, std::vector<Value>(15), full}, 2);
}

// A stream over batches as a foreign library would hand it to us.
class ForeignStream {
public:
    ForeignStream(arrow::SchemaPtr schema, std::vector<arrow::Batch> batches, int* released)
        : schema_(std::move(schema)), batches_(std::move(batches)), released_(released) {}

    static ArrowArrayStream make(arrow::SchemaPtr schema, std::vector<arrow::Batch> batches,
                                 int* released) {
        ArrowArrayStream out{};
        out.private_data = new ForeignStream(std::move(schema), std::move(batches), released);
        out.get_schema = [](ArrowArrayStream* s, ArrowSchema* schema) {
            arrow::export_schema(*self(s).schema_, schema);
            return 0;
        };
        out.get_next = [](ArrowArrayStream* s, ArrowArray* array) {
            *array = {};
            ForeignStream& f = self(s);
            if (f.next_ < f.batches_.size()) arrow::export_batch(f.batches_[f.next_++], array);
            return 0;
        };
        out.get_last_error = [](ArrowArrayStream*) -> const char* { return nullptr; };
        out.release = [](ArrowArrayStream* s) {
            ++*self(s).released_;
            delete &self(s);
            s->release = nullptr;
        };
        return out;
    }

private:
    static ForeignStream& self(ArrowArrayStream* s) {
        return *static_cast<ForeignStream*>(s->private_data);
    }
    arrow::SchemaPtr schema_;
    std::vector<arrow::Batch> batches_;
    int* released_;
    size_t next_ = 0;
};

}  // namespace

TEST_CASE("every type of the store goes through the engine and comes back as it was") {
    Files files;
    TestTable& table = add_all_types(files.catalog);
    Statement statement = files.session->parse("SELECT * FROM everything").value();
    QueryPlan plan = files.session->plan(statement, files.catalog).value();
    CHECK(plan.schema->fields.size() == 15);
    for (size_t i = 0; i < 15; i++) {
        INFO(i);
        CHECK(plan.schema->fields[i].type == table.schema->fields[i].type);
    }
    auto stream = files.session->run(plan, {}, files.catalog, nullptr).value();
    Lines rows = text_rows(*stream).value();
    REQUIRE(rows.size() == 3);
    CHECK(rows[0] == rows[2]);
    CHECK(
        rows[0].starts_with("true|-7|70000|1152921504606846976|0.5|-0.1|-12.50|Łódź, a text that "
                            "is longer|\\x00ff|2024-02-29|00:00:00.000001|1969-12-31 "
                            "23:59:59.999999|"));
}

TEST_CASE("a Parquet file gives back what was written to it") {
    Files files;
    add_all_types(files.catalog);
    Lines before = ask(*files.session, files.catalog, "SELECT * FROM everything").value();
    auto source = files.catalog.find("everything", false).value();
    access::ScanRequest request;
    for (uint32_t i = 0; i < 15; i++) request.projection.push_back(i);
    for (const char* compression : {"zstd", "snappy", "none"}) {
        access::CancelFlag never{false};
        auto stream = source->scan(request).value()->open(0, &never).value();
        Result<uint64_t> written =
            files.session->write_parquet(*stream, files.path("x.parquet"),
                                         {{"format", "parquet"}, {"compression", compression}});
        INFO(written.status().to_string());
        REQUIRE(written.ok());
        CHECK(*written == 3);
        auto back = files.session->read_parquet(files.path("x.parquet"), nullptr).value();
        CHECK(back->schema()->fields.size() == 15);
        CHECK(back->schema()->fields[7].name == "h");
        CHECK(text_rows(*back).value() == before);
    }
}

TEST_CASE("Parquet's errors have names") {
    Files files;
    TestTable& table = add_all_types(files.catalog);
    CHECK(files.session->read_parquet(files.path("nothing.parquet"), nullptr).status().sqlstate() ==
          "58P01");
    std::FILE* f = std::fopen(files.path("bad.parquet").c_str(), "w");
    std::fputs("this is no Parquet file at all", f);
    std::fclose(f);
    CHECK_FALSE(files.session->read_parquet(files.path("bad.parquet"), nullptr).ok());

    auto source = files.catalog.find("everything", false).value();
    access::CancelFlag never{false};
    auto open = [&] {
        return source->scan({{0}, {}, {}, {}, {}}).value()->open(0, &never).value();
    };
    auto stream = open();
    CHECK_FALSE(
        files.session->write_parquet(*stream, files.path("no/such/folder.parquet"), {}).ok());
    stream = open();
    CHECK_FALSE(
        files.session->write_parquet(*stream, files.path("y.parquet"), {{"compression", "magic"}})
            .ok());
    table.before_batch = [] { return Status::io("the disk went away"); };
    stream = open();
    Status s = files.session->write_parquet(*stream, files.path("y.parquet"), {}).status();
    CHECK(s.message() == "the disk went away");
    CHECK(s.sqlstate() == "58030");
}

TEST_CASE("a foreign stream is cast by position to the types of a table") {
    Files files;
    TestTable& source = files.catalog.add("source",
                                          {{"x", arrow::int32(), true},
                                           {"y", arrow::utf8_view(), true},
                                           {"z", arrow::date32(), true}},
                                          {{1, "10", Date{0}}, {2, Value(), Value()}});
    auto target = std::make_shared<arrow::Schema>(arrow::Schema{{{"a", arrow::int64(), false},
                                                                 {"b", arrow::decimal(10, 2), true},
                                                                 {"c", arrow::timestamp(), true}}});
    int released = 0;
    ArrowArrayStream stream = ForeignStream::make(source.schema, source.batches, &released);
    auto rows = files.session->cast_stream(&stream, target, nullptr).value();
    for (size_t i = 0; i < 3; i++) {
        CHECK(rows->schema()->fields[i].type == target->fields[i].type);
    }
    CHECK(text_rows(*rows).value() == Lines{"1|10.00|1970-01-01 00:00:00", "2|NULL|NULL"});
    rows.reset();
    CHECK(released == 1);
}

TEST_CASE("the rows that are cast may be those of another query of the same engine") {
    Files files;
    files.catalog.add("source", {{"x", arrow::int32(), true}}, {{1}, {2}, {3}});
    Statement statement = files.session->parse("SELECT x * 2 FROM source ORDER BY x").value();
    QueryPlan plan = files.session->plan(statement, files.catalog).value();

    // An Arrow stream whose get_next() asks the engine.
    struct QueryStream {
        std::unique_ptr<access::BatchStream> rows;
    };
    ArrowArrayStream stream{};
    stream.private_data =
        new QueryStream{files.session->run(plan, {}, files.catalog, nullptr).value()};
    stream.get_schema = [](ArrowArrayStream* s, ArrowSchema* schema) {
        arrow::export_schema(*static_cast<QueryStream*>(s->private_data)->rows->schema(), schema);
        return 0;
    };
    stream.get_next = [](ArrowArrayStream* s, ArrowArray* array) {
        auto batch = static_cast<QueryStream*>(s->private_data)->rows->next();
        *array = {};
        if (batch.ok() && batch->has_value()) arrow::export_batch(**batch, array);
        return batch.ok() ? 0 : 5;
    };
    stream.get_last_error = [](ArrowArrayStream*) -> const char* { return "failed"; };
    stream.release = [](ArrowArrayStream* s) {
        delete static_cast<QueryStream*>(s->private_data);
        s->release = nullptr;
    };
    auto target = std::make_shared<arrow::Schema>(arrow::Schema{{{"a", arrow::utf8_view(), true}}});
    auto other = files.engine->open_session().value();
    auto rows = other->cast_stream(&stream, target, nullptr).value();
    CHECK(text_rows(*rows).value() == Lines{"2", "4", "6"});
}

TEST_CASE("a foreign stream that does not fit is refused and released") {
    Files files;
    TestTable& source =
        files.catalog.add("source", {{"x", arrow::utf8_view(), true}}, {{"7"}, {"seven"}});
    auto narrow = std::make_shared<arrow::Schema>(arrow::Schema{{{"a", arrow::int64(), true}}});
    int released = 0;
    ArrowArrayStream stream = ForeignStream::make(source.schema, source.batches, &released);
    auto rows = files.session->cast_stream(&stream, narrow, nullptr).value();
    CHECK(text_rows(*rows).status().sqlstate() == "22P02");
    rows.reset();
    CHECK(released == 1);

    auto wide = std::make_shared<arrow::Schema>(
        arrow::Schema{{{"a", arrow::int64(), true}, {"b", arrow::int64(), true}}});
    stream = ForeignStream::make(source.schema, source.batches, &released);
    CHECK_FALSE(files.session->cast_stream(&stream, wide, nullptr).ok());
    CHECK(released == 2);
}
