// The command line, and small texts.

#include "shell/options.h"

#include <doctest/doctest.h>

#include "shell/text.h"

using namespace trefoil::shell;

TEST_CASE("options are read in any order, and actions keep theirs") {
    const auto [options, error] = parse_options(
        {"-c", "SELECT 1", "shop.trefoil", "--mode=json", "-f", "x.sql", "--readonly"});
    CHECK(error.empty());
    CHECK(options.database == "shop.trefoil");
    REQUIRE(options.actions.size() == 2);
    CHECK_FALSE(options.actions[0].is_file);
    CHECK(options.actions[1].is_file);
    CHECK(options.actions[1].text == "x.sql");
    CHECK(options.mode == Mode::kJson);
    CHECK(options.read_only);
    CHECK(parse_options({"--", "-odd-name"}).options.database == "-odd-name");
    CHECK(parse_options({}).options.database.empty());
}

TEST_CASE("restore and upgrade take directories, and nothing else") {
    const auto [options, error] = parse_options({"restore", "monday", "shop.trefoil"});
    CHECK(error.empty());
    REQUIRE(options.tool);
    CHECK(options.tool->from == "monday");
    CHECK(options.tool->to == "shop.trefoil");
    CHECK(parse_options({"upgrade", "shop"}).options.tool->from == "shop");
    CHECK_FALSE(parse_options({"upgrade"}).error.empty());
    CHECK_FALSE(parse_options({"restore", "monday"}).error.empty());
    CHECK(parse_options({"./restore"}).options.database == "./restore");
}

TEST_CASE("a bad command line is told with a hint") {
    CHECK(parse_options({"--cvs"}).error == "unknown option --cvs (did you mean --csv?)");
    CHECK(parse_options({"--jsno"}).error == "unknown option --jsno (did you mean --json?)");
    CHECK(parse_options({"--zzzzzz"}).error == "unknown option --zzzzzz");
    CHECK(parse_options({"--mode", "jsn"}).error == "unknown mode \"jsn\": did you mean json?");
    CHECK(parse_options({"-c"}).error == "option -c needs an SQL statement");
    CHECK(parse_options({"--csv=1"}).error == "option --csv takes no value");
    CHECK_FALSE(parse_options({"a", "b"}).error.empty());
    CHECK_FALSE(parse_options({"--readonly"}).error.empty());
    CHECK_FALSE(parse_options({""}).error.empty());
}

TEST_CASE("counts and durations are written for people") {
    using namespace std::chrono_literals;
    CHECK(count_text(1, "row", "rows") == "1 row");
    CHECK(count_text(0, "row", "rows") == "0 rows");
    CHECK(count_text(1234567, "row", "rows") == "1,234,567 rows");
    CHECK(duration_text(420us) == "0.42 ms");
    CHECK(duration_text(12345us) == "12.3 ms");
    CHECK(duration_text(1250ms) == "1.25 s");
    CHECK(duration_text(125s) == "2 min 05 s");
}

TEST_CASE("EXPLAIN is found behind comments") {
    CHECK(is_explain("explain SELECT 1"));
    CHECK(is_explain("-- why?\n EXPLAIN ANALYZE SELECT 1"));
    CHECK_FALSE(is_explain("SELECT 'EXPLAIN '"));
    CHECK_FALSE(is_explain("EXPLAINER x"));
}

TEST_CASE("words of a command may be quoted") {
    CHECK(split_words(".read 'my file.sql' \"b c\"") ==
          std::vector<std::string>{".read", "my file.sql", "b c"});
    CHECK(split_words("\\d person;  ") == std::vector<std::string>{"\\d", "person"});
    CHECK(split_words("").empty());
}
