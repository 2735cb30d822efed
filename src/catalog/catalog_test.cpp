// Catalog: versions are values, definitions survive their stored form, bad tables are refused.

#include "catalog/catalog.h"

#include <doctest/doctest.h>

namespace trefoil::catalog {
namespace {

TableDef person() {
    TableDef t;
    t.id = 7;
    t.name = "person";
    t.columns.push_back({0, "id", arrow::int64(), {}, false, {}});
    t.columns.push_back({1, "name", arrow::utf8_view(), 20, true, "'nobody'"});
    t.columns.push_back({2, "tags", arrow::list(arrow::utf8_view()), {}, false, {}});
    t.columns.push_back({3, "at", arrow::timestamp("UTC"), {}, false, {}});
    t.indexes.push_back({0, "person_pkey", {0}, true, true, true});
    t.indexes.push_back({0, "person_at_name_idx", {3, 1}, false, false, false});
    t.checks.push_back({"person_name_check", "name <> ''", {1}});
    t.next_column_id = 4;
    t.finish();
    return t;
}

TEST_CASE("a definition survives its stored form") {
    std::string bytes = encode(person());
    auto back = decode(bytes);
    REQUIRE(back.ok());
    CHECK(encode(*back) == bytes);
    CHECK(*back->schema() == *person().schema());
    CHECK(back->primary()->name == "person_pkey");
    CHECK(back->indexes[1].columns == std::vector<uint32_t>{3, 1});
    CHECK(back->indexes[1].id == 2);
    CHECK(back->next_index_id == 3);
    REQUIRE(back->checks.size() == 1);
    CHECK(back->checks[0].condition == "name <> ''");
    CHECK(back->checks[0].columns == std::vector<uint32_t>{1});
    CHECK(back->columns[1].sql_type() == "VARCHAR(20)");
}

TEST_CASE("a definition of the first format is read, its primary key as the first index") {
    // person(id BIGINT PRIMARY KEY) with id 7, as format 1 wrote it.
    Writer old;
    old.u16(1);
    old.u32(7);
    old.str("person");
    old.u32(1);
    old.u32(1);
    old.u32(0);
    old.str("id");
    old.str("l");
    old.u32(0);
    old.u8(1);
    old.u32(1);
    old.u32(0);
    old.str("person_pkey");
    auto table = decode(old.data());
    REQUIRE(table.ok());
    REQUIRE(table->indexes.size() == 1);
    CHECK(table->indexes[0].id == kFirstIndexId);
    CHECK(table->primary()->name == "person_pkey");
    CHECK(table->primary()->unique);
    CHECK(table->next_index_id == kFirstIndexId + 1);
    CHECK(encode(*decode(encode(*table))) == encode(*table));
}

TEST_CASE("indexes over expressions and parts of the rows are stored, and shown as SQL") {
    TableDef table = person();
    ColumnDef lower;
    lower.id = table.next_column_id++;
    lower.name = kHiddenPrefix + std::string("lower(name)");
    lower.type = arrow::utf8_view();
    lower.generated = ColumnDef::Generated::kStored;
    lower.default_sql = "lower(name)";
    lower.uses = {table.columns[1].id};
    ColumnDef early = lower;
    early.id = table.next_column_id++;
    early.name = kHiddenPrefix + std::string("(id < 9)");
    early.type = arrow::boolean();
    const auto position = static_cast<uint32_t>(table.columns.size());
    table.columns.push_back(lower);
    table.columns.push_back(early);
    IndexDef index;
    index.columns = {position, 0, 1};
    index.included = 1;
    index.orders = {{true, true}, {false, true}};
    index.filters = {position + 1};
    index.conditions = "bytes";
    table.indexes.push_back(index);
    REQUIRE(validate(table).ok());
    REQUIRE(name_indexes(table, Catalog()).ok());
    table.finish();
    auto back = decode(encode(table));
    REQUIRE(back.ok());
    CHECK(encode(*back) == encode(table));
    const IndexDef& stored = back->indexes.back();
    CHECK(stored.filters == index.filters);
    CHECK(stored.conditions == "bytes");
    CHECK(back->index_sql(stored) ==
          "CREATE INDEX person_lower_id_name_idx ON person (lower(name) DESC, id NULLS FIRST) "
          "INCLUDE (name) WHERE (id < 9)");
    CHECK(stored.orders == std::vector<PartOrder>{{true, true}, {false, true}, {}});
    CHECK(stored.included == 1);
    CHECK(stored.key_columns().size() == 2);
    CHECK(back->create_sql().find("lower") == std::string::npos);
    CHECK(back->visible_columns().size() == position);
    CHECK(!back->find_column(lower.name));
    std::swap(back->columns[0], back->columns.back());
    CHECK(validate(*back).sqlstate() == "42602");
}

TEST_CASE("an index of hashes is stored and shown as one") {
    TableDef table = person();
    IndexDef index;
    index.columns = {1, 3};
    index.is_hash = true;
    table.indexes.push_back(index);
    REQUIRE(name_indexes(table, Catalog()).ok());
    table.finish();
    auto back = decode(encode(table));
    REQUIRE(back.ok());
    CHECK(back->indexes.back().is_hash);
    CHECK_FALSE(back->indexes[1].is_hash);
    CHECK(back->index_sql(back->indexes.back()) ==
          "CREATE INDEX person_name_at_idx ON person USING hash (name, at)");
}

TEST_CASE("a definition from before foreign keys, views or CHECK constraints is read") {
    TableDef plain = person();
    plain.checks.clear();
    std::string bytes = encode(plain);
    bytes[0] = 5;
    bytes.resize(bytes.size() - 4);  // the number of foreign keys
    auto before_foreign_keys = decode(bytes);
    REQUIRE(before_foreign_keys.ok());
    CHECK(encode(*before_foreign_keys) == encode(plain));
    bytes[0] = 4;
    bytes.resize(bytes.size() - 27);  // kind, schema "public", texts and lists that are empty
    auto before_views = decode(bytes);
    REQUIRE(before_views.ok());
    CHECK(encode(*before_views) == encode(plain));
    bytes[0] = 3;
    bytes.resize(bytes.size() - 4);  // the number of CHECK constraints
    auto back = decode(bytes);
    REQUIRE(back.ok());
    CHECK(encode(*back) == encode(plain));
}

TEST_CASE("CHECK constraints without a name get one, and none twice") {
    TableDef table = person();
    table.checks.push_back({"", "name <> 'x'", {1}});
    table.checks.push_back({"", "name <> 'x' OR id > 1", {0, 1}});
    REQUIRE(name_constraints(table).ok());
    CHECK(table.checks[1].name == "person_name_check1");
    CHECK(table.checks[2].name == "person_check");
    table.checks.push_back({"person_check", "id > 0", {0}});
    CHECK(name_constraints(table).sqlstate() == "42710");
}

TEST_CASE("foreign keys are stored, named, and found from the table that they refer to") {
    TableDef table = person();
    ForeignKeyDef own{
        "", {0}, 7, {1}, false, ReferenceAction::kCascade, ReferenceAction::kNoAction};
    own.referenced = {table.columns[0].id};
    ForeignKeyDef other = own;
    other.table = 3;
    other.columns = {3, 0};
    other.referenced = {9, 5};
    other.match_full = true;
    other.on_update = ReferenceAction::kSetDefault;
    table.foreign_keys = {own, other, own};
    REQUIRE(name_constraints(table).ok());
    CHECK(table.foreign_keys[0].name == "person_id_fkey");
    CHECK(table.foreign_keys[1].name == "person_at_id_fkey");
    CHECK(table.foreign_keys[2].name == "person_id_fkey1");
    auto back = decode(encode(table));
    REQUIRE(back.ok());
    CHECK(encode(*back) == encode(table));
    CHECK(back->foreign_keys[1].columns == std::vector<uint32_t>{3, 0});
    CHECK(back->foreign_keys[1].on_update == ReferenceAction::kSetDefault);
    CHECK(referenced_index(*back, back->foreign_keys[0]) == 0);
    Catalog all = Catalog().with_table(std::make_shared<TableDef>(table));
    CHECK(all.referencing(3).size() == 1);
    CHECK(all.has_references(7));
    CHECK(all.referencing(4).empty());
    CHECK(!all.without_table(7).has_references(3));
    table.foreign_keys[0].name = "person_id_fkey1";
    CHECK(name_constraints(table).sqlstate() == "42710");
}

TEST_CASE("indexes without a name get one that is free") {
    TableDef t = person();
    t.indexes.clear();
    t.indexes.push_back({0, "", {0}, true, true, true});
    t.indexes.push_back({0, "", {1, 3}, true, false, true});
    t.indexes.push_back({0, "", {1, 3}, true, false, true});
    REQUIRE(name_indexes(t, Catalog()).ok());
    CHECK(t.indexes[0].name == "person_pkey");
    CHECK(t.indexes[1].name == "person_name_at_key");
    CHECK(t.indexes[2].name == "person_name_at_key1");
    Catalog all = Catalog().with_table(std::make_shared<TableDef>(person()));
    CHECK(all.has_relation("public", "person_at_name_idx"));
    TableDef other;
    other.name = "other";
    other.columns.push_back({0, "id", arrow::int64(), {}, false, {}});
    other.indexes.push_back({0, "person_pkey", {0}, true, true, true});
    CHECK(name_indexes(other, all).sqlstate() == "42P07");
}

TEST_CASE("a shortened definition is corruption, never a crash") {
    std::string bytes = encode(person());
    for (size_t n = 0; n < bytes.size(); n++) CHECK(!decode(Bytes(bytes).substr(0, n)).ok());
}

TEST_CASE("versions of the catalog do not disturb each other") {
    Catalog empty;
    Catalog one = empty.with_table(std::make_shared<TableDef>(person()));
    CHECK(empty.find("person") == nullptr);
    CHECK(one.find("person")->id == 7);
    Catalog none = one.without_table(7);
    CHECK(none.find("person") == nullptr);
    CHECK(one.find(7u) != nullptr);
    CHECK(none.version() > one.version());
}

TEST_CASE("tables that cannot be are refused") {
    TableDef twice = person();
    twice.columns[2].name = "id";
    CHECK(validate(twice).sqlstate() == "42701");
    TableDef list_key = person();
    list_key.indexes[0].columns = {2};
    CHECK(validate(list_key).sqlstate() == "42P16");
    TableDef nothing;
    nothing.name = "nothing";
    CHECK(!validate(nothing).ok());
    CHECK(validate(person()).ok());
}

}  // namespace
}  // namespace trefoil::catalog
