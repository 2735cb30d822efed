// Indexes of a table: each finds exactly the live rows that have its keys, whatever happened to
// them, in memory, in segments and after reopening.

#include "table/table_store.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>

#include "arrow/builder.h"
#include "table/table_testing.h"

namespace trefoil::table {
namespace {

// One row: a key that never changes, and two columns that may be NULL.
struct Row {
    int64_t id = 0;
    std::optional<int64_t> age;
    std::optional<std::string> name;
    bool operator==(const Row&) const = default;
};

enum Index : size_t {
    kById,
    kByAge,
    kByName,
    kByNameAndAge,
    kYoungByName,
    kByNameAndFallingAge,
    kByHash,
    kByNameWithAge
};

// The rows of the partial index.
bool is_young(const Row& row) {
    return row.age && *row.age < 20;
}

void create(TableStore& store) {
    catalog::TableDef t;
    t.name = "t";
    t.columns.push_back({0, "id", arrow::int64(), {}, false, {}});
    t.columns.push_back({0, "age", arrow::int64(), {}, false, {}});
    t.columns.push_back({0, "name", arrow::utf8_view(), {}, false, {}});
    catalog::ColumnDef young;
    young.name = "\1(age < 20)";
    young.type = arrow::boolean();
    young.generated = catalog::ColumnDef::Generated::kStored;
    young.default_sql = "(age < 20)";
    t.columns.push_back(young);
    t.indexes.push_back({0, "", {0}, true, true, true});
    t.indexes.push_back({0, "", {1}, false, false, false});
    t.indexes.push_back({0, "", {2}, true, false, true});
    t.indexes.push_back({0, "", {2, 1}, false, false, false});
    t.indexes.push_back({0, "", {2}, false, false, false});
    t.indexes.back().filters = {3};
    t.indexes.push_back({0, "", {2, 1}, false, false, false});
    t.indexes.back().orders = {{false, true}, {true, false}};
    t.indexes.push_back({0, "", {2, 1}, false, false, false, /*is_hash=*/true});
    t.indexes.push_back({0, "t_name_with_age", {2, 1}, true, false, false});
    t.indexes.back().included = 1;
    auto txn = store.begin();
    REQUIRE_OK(txn.status());
    REQUIRE_OK(txn->create_table(t));
    REQUIRE_OK(store.commit(*txn));
}

arrow::Batch batch_of(const catalog::TablePtr& table, const std::vector<Row>& rows) {
    arrow::ColumnBuilder id(arrow::int64()), age(arrow::int64()), name(arrow::utf8_view()),
        young(arrow::boolean());
    for (const Row& row : rows) {
        id.append_int64(row.id);
        row.age ? age.append_int64(*row.age) : age.append_null();
        row.name ? name.append_bytes(*row.name) : name.append_null();
        row.age ? young.append_bool(is_young(row)) : young.append_null();
    }
    return {table->schema(),
            static_cast<int64_t>(rows.size()),
            {id.finish(), age.finish(), name.finish(), young.finish()}};
}

Row row_at(const TableVersion& table, uint32_t part, uint64_t row) {
    const Chunk& chunk = *table.part(part).chunk;
    const auto at = static_cast<int64_t>(row);
    Row out;
    out.id = (*chunk.column(0))->values<int64_t>()[at];
    const arrow::Array* age = *chunk.column(1);
    const arrow::Array* name = *chunk.column(2);
    if (age->is_valid(at)) out.age = age->values<int64_t>()[at];
    if (name->is_valid(at)) out.name = std::string(name->bytes_at(at));
    return out;
}

arrow::Array row_ids(const TableVersion& table, const std::vector<Row>& rows) {
    arrow::ColumnBuilder out(arrow::uint64());
    index::IndexCounters counters;
    for (const Row& row : rows) {
        std::vector<Value> key = {Value(row.id)};
        auto at = table.find_key(kById, table.encoder(kById).encode(key), counters);
        REQUIRE_OK(at.status());
        REQUIRE(*at);
        const RowIds& ids = table.part((*at)->part).chunk->row_ids();
        out.append_int64(static_cast<int64_t>(ids.at((*at)->row)));
    }
    return out.finish();
}

std::vector<int64_t> ids_in(const TableVersion& table, size_t index, const index::KeyRange& range) {
    std::vector<RowSpan> spans;
    index::IndexCounters counters;
    REQUIRE_OK(table.find_range(index, range, &spans, counters));
    normalise(&spans);
    std::vector<int64_t> ids;
    for (const RowSpan& span : spans) {
        for (uint32_t row = span.begin; row < span.end; row++) {
            ids.push_back(row_at(table, span.part, row).id);
        }
    }
    std::sort(ids.begin(), ids.end());
    return ids;
}

using Model = std::map<int64_t, Row>;

// The ids of the model's rows whose key in the index is this one. All rows with a NULL have one
// hash.
std::vector<int64_t> expected(const Model& model, size_t index, const Row& like) {
    std::vector<int64_t> ids;
    const bool any_null = index == kByHash && (!like.age || !like.name);
    for (const auto& [id, row] : model) {
        if (any_null && (!row.age || !row.name)) ids.push_back(id);
        if (any_null) continue;
        const bool age =
            index == kByName || (index == kYoungByName ? is_young(row) : row.age == like.age);
        const bool name = index == kByAge || row.name == like.name;
        if (age && name) ids.push_back(id);
    }
    return ids;
}

void compare(const TableVersion& table, const Model& model, const std::vector<Row>& asked) {
    CHECK(table.live_rows() == model.size());
    auto value = [](const auto& v) { return v ? Value(*v) : Value(); };
    for (const Row& row : asked) {
        CAPTURE(row.id);
        const Value age = value(row.age), name = value(row.name);
        const std::vector<std::pair<Index, std::vector<Value>>> keys = {
            {kByAge, {age}},
            {kByName, {name}},
            {kByNameAndAge, {name, age}},
            {kYoungByName, {name}},
            {kByNameAndFallingAge, {name, age}},
            {kByHash, {name, age}},
            {kByNameWithAge, {name, age}}};
        for (const auto& [index, values] : keys) {
            CAPTURE(index);
            const index::Key key = table.encoder(index).encode(values);
            CHECK(ids_in(table, index, index::KeyRange::exactly(key)) ==
                  expected(model, index, row));
        }
        index::IndexCounters counters;
        if (!row.name) continue;
        for (Index index : {kByName, kByNameWithAge}) {
            const index::Key key = table.encoder(index).encode(keys[1].second);
            auto at = table.find_key(index, key, counters);
            REQUIRE_OK(at.status());
            CHECK(at->has_value() == !expected(model, kByName, row).empty());
        }
    }
}

Row random_row(int64_t id, std::mt19937& random) {
    Row row;
    row.id = id;
    if (random() % 5) row.age = static_cast<int64_t>(random() % 50);
    // Unique: made of the id and a number that changes.
    if (random() % 5) row.name = "n" + std::to_string(id) + "_" + std::to_string(random() % 3);
    return row;
}

}  // namespace

TEST_CASE("every index agrees with a model through changes, flushes and reopenings") {
    for (uint32_t seed : {1u, 2u}) {
        CAPTURE(seed);
        Directory dir;
        std::mt19937 random(seed);
        TableStoreOptions options;
        options.flush_rows = 1500;
        auto store = dir.open(options);
        create(*store);
        Model model;
        for (int step = 1; step <= 150; step++) {
            auto txn = store->begin();
            REQUIRE_OK(txn.status());
            catalog::TablePtr table = txn->view()->catalog->find("t");
            Model next = model;
            std::vector<Row> fresh, known;
            for (int i = 0; i < 40; i++) {
                const auto id = static_cast<int64_t>(random() % 2000);
                auto same = [&](const Row& r) { return r.id == id; };
                auto& rows = next.contains(id) ? known : fresh;
                if (std::none_of(rows.begin(), rows.end(), same)) {
                    rows.push_back(random_row(id, random));
                }
            }
            TableWriter change(*txn, table);
            const arrow::Array places = row_ids(*txn->view()->tables.at(table->id), known);
            if (random() % 3 == 0) {
                REQUIRE_OK(change.erase(places));
                for (const Row& row : known) next.erase(row.id);
            } else {
                REQUIRE_OK(change.update(places, batch_of(table, known).columns));
                for (const Row& row : known) next[row.id] = row;
            }
            REQUIRE_OK(change.finish().status());
            TableWriter insert(*txn, table);
            REQUIRE_OK(insert.insert(batch_of(table, fresh)));
            REQUIRE_OK(insert.finish().status());
            for (const Row& row : fresh) next[row.id] = row;
            if (random() % 10 == 0) continue;  // rolled back
            REQUIRE_OK(store->commit(*txn));
            model = std::move(next);
            if (random() % 30 == 0) REQUIRE_OK(store->checkpoint());
            if (random() % 40 == 0) {
                store.reset();
                store = dir.open(options);
            }
            if (step % 10 == 0) {
                known.insert(known.end(), fresh.begin(), fresh.end());
                compare(*(*store->current())->find("t"), model, known);
            }
        }
        CHECK((*store->current())->find("t")->base().size() > 0);
    }
}

TEST_CASE("a unique index refuses duplicates by name and value, but not NULLs") {
    Directory dir;
    auto store = dir.open();
    create(*store);
    auto insert = [&](const std::vector<Row>& rows) -> Status {
        auto txn = store->begin();
        RETURN_IF_ERROR(txn.status());
        catalog::TablePtr table = txn->view()->catalog->find("t");
        TableWriter writer(*txn, table);
        RETURN_IF_ERROR(writer.insert(batch_of(table, rows)));
        RETURN_IF_ERROR(writer.finish().status());
        return store->commit(*txn);
    };
    REQUIRE_OK(insert({{1, 5, "a"}, {2, {}, {}}, {3, {}, {}}}));
    for (bool flushed : {false, true}) {
        CAPTURE(flushed);
        if (flushed) REQUIRE_OK(store->checkpoint());
        Status twice = insert({{4, {}, "b"}, {5, {}, "b"}});
        CHECK(twice.sqlstate() == "23505");
        CHECK(twice.message().find("\"t_name_key\"") != std::string::npos);
        CHECK(twice.detail().find("(name)=(b)") != std::string::npos);
        CHECK(insert({{4, {}, "a"}}).sqlstate() == "23505");
        REQUIRE_OK(insert({{flushed ? 6 : 7, {}, {}}}));
    }
    // Staged in files: the greatest BIGINT shares its key with NULL.
    std::vector<Row> many;
    for (int64_t i = 0; i < 140000; i++) {
        many.push_back({100 + i, i % 2 ? std::optional<int64_t>(INT64_MAX) : std::nullopt, {}});
    }
    REQUIRE_OK(insert(many));
    auto table = (*store->current())->find("t");
    const std::vector<Value> null = {Value()};
    const auto key = index::KeyRange::exactly(table->encoder(kByAge).encode(null));
    CHECK(ids_in(*table, kByAge, key).size() == 140004);
    CHECK_FALSE(table->encoder(kByAge).null_is_distinct());
    many.resize(140000);
    for (size_t i = 0; i < many.size(); i++) {
        many[i].id += 1000000;
        many[i].name = "m" + std::to_string(i % 139999);
    }
    Status staged = insert(many);
    CHECK(staged.sqlstate() == "23505");
    CHECK(staged.detail().find("(name)=(m0)") != std::string::npos);
}

}  // namespace trefoil::table
