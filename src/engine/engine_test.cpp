// Queries over C++ tables through the whole of the bridge.

#include "engine/engine.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "engine/test_tables.h"

using namespace trefoil;
using namespace trefoil::engine;
using Lines = std::vector<std::string>;

namespace {

struct Shop {
    std::unique_ptr<Engine> engine = Engine::create({2, 0, ""}).value();
    std::unique_ptr<EngineSession> session = engine->open_session().value();
    TestCatalog catalog;
    TestTable* person;
    TestTable* city;

    Shop() {
        person = &catalog.add("person",
                              {{"id", arrow::int64(), false},
                               {"name", arrow::utf8_view(), true},
                               {"age", arrow::int32(), true},
                               {"city", arrow::int64(), true}},
                              {{1, "Ann", 31, 10},
                               {2, "Bob", 25, 20},
                               {3, "Łukasz the Longer of Name", Value(), 10},
                               {4, Value(), 25, Value()},
                               {5, "Eve", 60, 30}},
                              2);
        person->primary_key = {0};
        city = &catalog.add("city",
                            {{"id", arrow::int64(), false}, {"name", arrow::utf8_view(), false}},
                            {{10, "Kraków"}, {20, "Oslo"}});
    }

    Lines rows(std::string_view sql, std::vector<Value> parameters = {}) {
        Result<Lines> r = ask(*session, catalog, sql, std::move(parameters));
        return r.ok() ? *r : Lines{r.status().to_string()};
    }
    Status error(std::string_view sql) { return ask(*session, catalog, sql).status(); }
    QueryPlan planned(std::string_view sql) {
        return session->plan(session->parse(sql).value(), catalog).value();
    }
    access::ScanRequest last_request(const TestTable& t) { return t.requests.back(); }
};

Lines sorted(Lines lines) {
    std::sort(lines.begin(), lines.end());
    return lines;
}

std::string joined(const Lines& lines) {
    std::string text;
    for (const std::string& line : lines) text += line + "\n";
    return text;
}

}  // namespace

TEST_CASE("a query without a table answers") {
    Shop shop;
    CHECK(shop.rows("SELECT 1 + 1 AS two, 'x'") == Lines{"2|x"});
    CHECK(shop.planned("SELECT 1 AS one").schema->fields[0].name == "one");
}

TEST_CASE("rows of C++ tables come back as they are") {
    Shop shop;
    CHECK(shop.rows("SELECT * FROM person ORDER BY id") ==
          Lines{"1|Ann|31|10", "2|Bob|25|20", "3|Łukasz the Longer of Name|NULL|10",
                "4|NULL|25|NULL", "5|Eve|60|30"});
    CHECK(shop.rows("SELECT count(*) FROM person") == Lines{"5"});
}

TEST_CASE("joins, aggregates and subqueries run over C++ tables") {
    Shop shop;
    CHECK(shop.rows("SELECT p.name, c.name FROM person p JOIN city c ON p.city = c.id "
                    "ORDER BY p.id") ==
          Lines{"Ann|Kraków", "Bob|Oslo", "Łukasz the Longer of Name|Kraków"});
    CHECK(shop.rows("SELECT age, count(*), min(name) FROM person GROUP BY age ORDER BY age") ==
          Lines{"25|2|Bob", "31|1|Ann", "60|1|Eve", "NULL|1|Łukasz the Longer of Name"});
    CHECK(shop.rows(
              "SELECT id FROM person WHERE city IN (SELECT id FROM city WHERE name = 'Oslo')") ==
          Lines{"2"});
    CHECK(shop.rows("SELECT p.id FROM person p WHERE NOT EXISTS "
                    "(SELECT 1 FROM city c WHERE c.id = p.city) ORDER BY 1") == Lines{"4", "5"});
    CHECK(shop.rows("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4) "
                    "SELECT sum(i) FROM n") == Lines{"10"});
}

TEST_CASE("filters cross into the scan, and only columns that are wanted") {
    Shop shop;
    CHECK(shop.rows("SELECT name FROM person WHERE age >= 31 AND name LIKE 'E%'") == Lines{"Eve"});
    access::ScanRequest request = shop.last_request(*shop.person);
    CHECK(request.projection == std::vector<uint32_t>{1});
    REQUIRE(request.filters.size() == 2);
    std::string text = to_string(request.filters[0], *shop.person->schema) + "; " +
                       to_string(request.filters[1], *shop.person->schema);
    CHECK(text == "age >= 31; name LIKE 'E%'");
    CHECK(shop.person->rows_given == 1);
}

TEST_CASE("a filter that the table does not understand is applied above it") {
    Shop shop;
    shop.person->understands_filters = false;
    CHECK(shop.rows("SELECT id FROM person WHERE age = 25 ORDER BY id") == Lines{"2", "4"});
    CHECK(shop.last_request(*shop.person).filters.empty());
    CHECK(shop.rows("SELECT id FROM person WHERE length(name) = 3 AND id > 1 ORDER BY id") ==
          Lines{"2", "5"});
}

TEST_CASE("the shapes that WHERE takes arrive in the scan") {
    Shop shop;
    auto pushed = [&](const std::string& where) {
        shop.rows("SELECT id FROM person WHERE " + where);
        std::string text;
        for (const plan::Expr& f : shop.last_request(*shop.person).filters) {
            text += (text.empty() ? "" : "; ") + to_string(f, *shop.person->schema);
        }
        return text;
    };
    CHECK(pushed("id = 3") == "id = 3");
    CHECK(pushed("3 = id") == "id = 3");
    CHECK(pushed("id BETWEEN 2 AND 4") == "id >= 2; id <= 4");
    CHECK(pushed("age < 30") == "age < 30");
    CHECK(pushed("name IS NOT NULL") == "name IS NOT NULL");
    CHECK(pushed("id = 1 OR age = 25") == "id = 1 OR age = 25");
    CHECK(pushed("id IN (1, 2, 3, 4, 5)") == "id IN (1, 2, 3, 4, 5)");
    CHECK(pushed("id NOT IN (1, 2, 3, 4, 5)") == "id NOT IN (1, 2, 3, 4, 5)");
    CHECK(pushed("name ILIKE '%n_'") == "name ILIKE '%n_'");
    CHECK(pushed("length(name) = 3") == "");
}

TEST_CASE("a limit crosses into the scan and is kept over partitions") {
    Shop shop;
    CHECK(shop.rows("SELECT id FROM person LIMIT 2").size() == 2);
    CHECK(shop.last_request(*shop.person).limit == 2);
    shop.person->partitions = 3;
    CHECK(shop.rows("SELECT id FROM person LIMIT 4").size() == 4);
    CHECK(shop.rows("SELECT id FROM person LIMIT 100").size() == 5);
    CHECK(shop.rows("SELECT id FROM person ORDER BY id OFFSET 3") == Lines{"4", "5"});
}

TEST_CASE("parameters are typed by their place and cast to it") {
    Shop shop;
    QueryPlan plan = shop.planned("SELECT name FROM person WHERE id = $1 AND age > $2");
    REQUIRE(plan.parameters.size() == 2);
    CHECK(plan.parameters[0] == arrow::int64());
    CHECK(plan.parameters[1] == arrow::int32());
    const std::string sql = "SELECT name FROM person WHERE id = $1";
    CHECK(shop.rows(sql, {1}) == Lines{"Ann"});
    CHECK(shop.rows(sql, {"2"}) == Lines{"Bob"});
    CHECK(shop.rows(sql, {Value()}) == Lines{});
    CHECK(shop.rows("SELECT $1 + 1", {41}) == Lines{"42"});
    CHECK(shop.rows("SELECT count(*) FROM person WHERE name LIKE $1", {"%e%"}) == Lines{"2"});
}

TEST_CASE("a missing parameter, or one too many, is an error") {
    Shop shop;
    QueryPlan plan = shop.planned("SELECT name FROM person WHERE id = $1");
    for (std::vector<Value> values : {std::vector<Value>{}, std::vector<Value>{1, 2}}) {
        auto stream = shop.session->run(plan, values, shop.catalog, nullptr);
        REQUIRE_FALSE(stream.ok());
        CHECK(stream.status().sqlstate() == "08P01");
    }
}

TEST_CASE("a plan is run many times, each time with the tables of the moment") {
    Shop shop;
    QueryPlan plan = shop.planned("SELECT count(*) FROM city WHERE id >= $1");
    auto count = [&](const TestCatalog& catalog) {
        std::vector<Value> values = {10};
        auto stream = shop.session->run(plan, values, catalog, nullptr);
        return text_rows(*stream.value()).value();
    };
    CHECK(count(shop.catalog) == Lines{"2"});
    TestCatalog later;
    later.add("city", {{"id", arrow::int64(), false}, {"name", arrow::utf8_view(), false}},
              {{10, "a"}, {11, "b"}, {12, "c"}, {1, "d"}});
    CHECK(count(later) == Lines{"3"});
    CHECK(count(shop.catalog) == Lines{"2"});
}

TEST_CASE("EXPLAIN shows the text of the leaf") {
    Shop shop;
    std::string text = joined(shop.rows("EXPLAIN SELECT name FROM person WHERE id = 3"));
    CHECK(text.find("TestScan person, id = 3") != std::string::npos);
    text = joined(shop.rows("EXPLAIN ANALYZE SELECT count(*), max(age) FROM person WHERE id >= 3"));
    CHECK(text.find("TestScan person, id >= 3") != std::string::npos);
    CHECK(text.find("rows_given=3") != std::string::npos);
    text = joined(shop.rows("EXPLAIN VERBOSE SELECT name FROM person WHERE id = 3"));
    CHECK(text.find("person") != std::string::npos);
}

TEST_CASE("a statement without algebra is described for the fast path") {
    Shop shop;
    QueryPlan plan = shop.planned("SELECT name, id FROM person WHERE id = $1 AND age < 99 LIMIT 5");
    REQUIRE(plan.access.has_value());
    CHECK(plan.access->table == "person");
    CHECK(plan.access->projection == std::vector<uint32_t>{1, 0});
    REQUIRE(plan.access->filters.size() == 2);
    CHECK(to_string(plan.access->filters[0], *shop.person->schema) == "id = $1");
    REQUIRE(plan.access->limit.has_value());
    CHECK(plan.access->limit->value == Value(5));
    CHECK(plan.tables == Lines{"person"});
    for (const char* sql :
         {"SELECT count(*) FROM person", "SELECT id + 1 FROM person",
          "SELECT id FROM person ORDER BY id + 1", "SELECT DISTINCT age FROM person",
          "SELECT p.id FROM person p, city c", "SELECT 1"}) {
        INFO(sql);
        CHECK_FALSE(shop.planned(sql).access.has_value());
    }
    CHECK(shop.planned("SELECT p.id FROM person p, city c").tables.size() == 2);
}

TEST_CASE("the read side of INSERT has every column, in order and of the table's types") {
    Shop shop;
    shop.person->defaults = {std::nullopt, "'nobody'", "18", std::nullopt};
    CHECK(shop.rows("INSERT INTO person (city, id) VALUES (7, 6), (8, 7)") ==
          Lines{"6|nobody|18|7", "7|nobody|18|8"});
    CHECK(shop.rows("INSERT INTO person SELECT id + 100, name, id, NULL FROM city") ==
          Lines{"110|Kraków|10|NULL", "120|Oslo|20|NULL"});
    QueryPlan plan = shop.planned("INSERT INTO person VALUES ($1, $2, $3, $4)");
    CHECK(plan.parameters[0] == arrow::int64());
    CHECK(plan.parameters[2] == arrow::int32());
    CHECK(plan.schema->fields[2].type == arrow::int32());
    CHECK(shop.error("INSERT INTO person VALUES (1, 'a', 3000000000, 1)").sqlstate() == "22003");
    CHECK_FALSE(shop.error("INSERT INTO person VALUES (1, 'a', 3, 4, 5)").ok());
}

TEST_CASE("the read side of UPDATE has the row id and the new row, that of DELETE the row id") {
    Shop shop;
    CHECK(sorted(shop.rows("UPDATE person SET age = age + 1, name = upper(name) WHERE age = 25")) ==
          Lines{"1|2|BOB|26|20", "3|4|NULL|26|NULL"});
    CHECK(shop.rows("UPDATE person SET name = c.name FROM city c WHERE c.id = person.city AND "
                    "person.id = 1") == Lines{"0|1|Kraków|31|10"});
    CHECK(sorted(shop.rows("DELETE FROM person WHERE id > 3")) == Lines{"3", "4"});
    CHECK(shop.rows("DELETE FROM person USING city WHERE city.id = person.city AND "
                    "city.name = 'Oslo'") == Lines{"1"});
    QueryPlan plan = shop.planned("UPDATE person SET age = $1 WHERE id = $2");
    CHECK(plan.schema->fields[0].name == access::kRowIdColumn);
    CHECK(plan.schema->fields[0].type == arrow::uint64());
    INFO((plan.parameters[0] ? plan.parameters[0]->sql_name() : "none"));
    CHECK(plan.parameters[0] == arrow::int32());
    CHECK(shop.error("SELECT _rowid FROM person").sqlstate() == "42703");
}

TEST_CASE("errors say what, where, and what was perhaps meant") {
    Shop shop;
    Status s = shop.error("SELECT * FROM persn");
    CHECK(s.sqlstate() == "42P01");
    CHECK(s.position() == 14);
    CHECK(s.hint().find("person") != std::string::npos);

    s = shop.error("SELECT nam FROM person");
    CHECK(s.sqlstate() == "42703");
    CHECK(s.position() == 7);
    CHECK(s.hint().find("name") != std::string::npos);

    s = shop.error("SELEC 1");
    CHECK(s.sqlstate() == "42601");
    CHECK(s.position() == 0);
    CHECK(s.hint().find("SELECT") != std::string::npos);

    s = shop.error("SELECT 1; SELECT 2");
    CHECK(s.sqlstate() == "42601");
    CHECK(s.message().find("ultiple statements") != std::string::npos);
    CHECK(shop.rows("SELECT 1;") == Lines{"1"});

    CHECK(shop.error("SELECT 1 / 0").sqlstate() == "22012");
    CHECK(shop.error("SELECT CAST('x' AS INT)").sqlstate() == "22P02");
    CHECK(shop.error("SELECT CAST(300000 AS SMALLINT)").sqlstate() == "22003");
    CHECK(shop.error("CREATE TRIGGER t AFTER INSERT ON x EXECUTE FUNCTION f()").sqlstate() ==
          "0A000");
    CHECK(shop.error("").sqlstate() == "42601");
    CHECK(shop.error("SELECT 'a").sqlstate() == "42601");
}

TEST_CASE("settings are the session's own") {
    Shop shop;
    auto other = shop.engine->open_session().value();
    REQUIRE(shop.session->set("batch_size", "1000").ok());
    CHECK(shop.session->get("batch_size").value() == "1000");
    CHECK(shop.session->get("datafusion.execution.batch_size").value() == "1000");
    CHECK(other->get("batch_size").value() != "1000");
    CHECK(shop.session->set("no_such_setting", "1").code() == Code::kNotFound);
    CHECK(shop.session->get("no_such_setting").status().sqlstate() == "42704");
    CHECK_FALSE(shop.session->set("batch_size", "many").ok());
}

TEST_CASE("a constant expression becomes a value of the type that is asked for") {
    Shop shop;
    auto value = [&](const char* text, const arrow::Type& type) {
        return shop.session->evaluate(text, type).value();
    };
    CHECK(value("1 + 2", arrow::int32()) == Value(3));
    CHECK(value("'a' || 'b'", arrow::utf8_view()) == Value("ab"));
    CHECK(value("1", arrow::decimal(10, 2)) == Value(Decimal{100, 2}));
    CHECK(value("'2024-02-29'", arrow::date32()) == Value(Date{19782}));
    CHECK(value("NULL", arrow::int64()).is_null());
    CHECK(value("[1, 2]", arrow::list(arrow::int64())) == Value(Value::List{1, 2}));
    CHECK(shop.session->evaluate("1 +", arrow::int32()).status().sqlstate() == "42601");
    CHECK_FALSE(shop.session->evaluate("'x'", arrow::int32()).ok());
}
