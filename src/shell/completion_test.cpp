// What TAB offers where.

#include "shell/completion.h"

#include <doctest/doctest.h>

using namespace trefoil::shell;

namespace {

using Words = std::vector<std::string>;

const Names kNames = {
    {{"person", {"id", "name"}}, {"pet", {"owner", "Name"}}},
    {".mode", ".read", ".schema", "\\d"},
};

Words offered(std::string_view before) {
    return complete(before, kNames).words;
}

}  // namespace

TEST_CASE("keywords follow the letters that were typed") {
    CHECK(offered("sel") == Words{"select"});
    CHECK(offered("SEL") == Words{"SELECT"});
    CHECK(complete("SELECT 1 WHE", kNames).replaced == 3);
}

TEST_CASE("after FROM come tables, after a dot the columns of its table or alias") {
    CHECK(offered("SELECT * FROM ") == Words{"person", "pet"});
    CHECK(offered("SELECT * FROM per") == Words{"person"});
    CHECK(offered("SELECT * FROM person JOIN pe") == Words{"person", "pet"});
    CHECK(offered("SELECT person.") == Words{"id", "name"});
    CHECK(offered("SELECT * FROM person p WHERE p.") == Words{"id", "name"});
    CHECK(offered("SELECT * FROM pet AS q WHERE q.n") == Words{"\"Name\""});
    CHECK(offered("SELECT x.").empty());
}

TEST_CASE("columns are those of the tables that were named") {
    CHECK(offered("SELECT count(*) FROM pet WHERE ow") == Words{"owner"});
    CHECK(offered("UPDATE person SET na") == Words{"name"});
}

TEST_CASE("nothing is offered inside a string or a comment") {
    CHECK(offered("SELECT 'sel").empty());
    CHECK(offered("SELECT 1 -- sel").empty());
    CHECK(offered("/* sel").empty());
}

TEST_CASE("commands and their arguments") {
    CHECK(offered(".re") == Words{".read"});
    CHECK(offered(".mode js") == Words{"json", "jsonl"});
    CHECK(offered("\\d pe") == Words{"person", "pet"});
    CHECK(offered(".mode json x").empty());
}

TEST_CASE("the common prefix never ends inside a character") {
    CHECK(common_prefix({"select", "set"}) == "se");
    CHECK(common_prefix({}).empty());
    CHECK(common_prefix({"aä", "aö"}) == "a");
}

TEST_CASE("names are quoted when SQL would read them otherwise") {
    CHECK(quote_identifier("person") == "person");
    CHECK(quote_identifier("Name") == "\"Name\"");
    CHECK(quote_identifier("order") == "\"order\"");
    CHECK(quote_identifier("1st") == "\"1st\"");
    CHECK(quote_identifier("a\"b") == "\"a\"\"b\"");
}
