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
    t.primary_key = {0};
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
    CHECK(back->primary_key_name == "person_pkey");
    CHECK(back->columns[1].sql_type() == "VARCHAR(20)");
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
    list_key.primary_key = {2};
    CHECK(validate(list_key).sqlstate() == "42P16");
    TableDef nothing;
    nothing.name = "nothing";
    CHECK(!validate(nothing).ok());
    CHECK(validate(person()).ok());
}

}  // namespace
}  // namespace trefoil::catalog
