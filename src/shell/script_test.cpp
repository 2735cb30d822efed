// Cutting scripts into statements and commands.

#include "shell/script.h"

#include <doctest/doctest.h>

#include "trefoil/database.h"

using namespace trefoil::shell;

namespace {

std::vector<std::string> pieces(std::string_view text, size_t step) {
    Script script;
    std::vector<std::string> out;
    const auto add = [&](const Piece& piece) {
        const char* kind = piece.kind == Piece::Kind::kCommand ? "C" : "S";
        out.push_back(kind + std::to_string(piece.line) + ":" + piece.text);
    };
    for (size_t i = 0; i < text.size(); i += step) {
        script.feed(text.substr(i, step));
        while (auto piece = script.next()) add(*piece);
    }
    while (auto piece = script.rest()) add(*piece);
    CHECK(script.empty());
    return out;
}

}  // namespace

TEST_CASE(
    "statements end at their semicolon, commands at their line, whatever the input's pieces") {
    const std::string text =
        "SELECT 1; SELECT ';' ;\n-- a comment; with a semicolon\n.tables\n"
        "  \\d person\nSELECT\n  \"a;b\"; /* x; /* y */ ; */ SELECT 'last'\n";
    const std::vector<std::string> expected = {
        "S1:SELECT 1;",  "S1:SELECT ';' ;",       "C3:.tables",
        "C4:\\d person", "S5:SELECT\n  \"a;b\";", "S6:SELECT 'last'"};
    for (const size_t step : {size_t{1}, size_t{2}, size_t{7}, text.size()}) {
        CHECK(pieces(text, step) == expected);
    }
}

TEST_CASE("a dot inside a statement is no command") {
    CHECK(pieces("SELECT 1\n.5;\n", 100) == std::vector<std::string>{"S1:SELECT 1\n.5;"});
}

TEST_CASE("nothing is left of space, comments and lone semicolons") {
    CHECK(pieces(" \n;; -- done", 100).empty());
    CHECK(pieces("", 100).empty());
    CHECK(pieces("/* all */\n", 3).empty());
}

TEST_CASE("an unfinished statement is handed out at the end of the input") {
    CHECK(pieces("SELECT 'open", 100) == std::vector<std::string>{"S1:SELECT 'open"});
    CHECK(pieces(".quit", 100) == std::vector<std::string>{"C1:.quit"});
}

TEST_CASE("clear forgets the front of a statement") {
    Script script;
    script.feed("SELECT 1,\n");
    CHECK_FALSE(script.next());
    CHECK_FALSE(script.empty());
    CHECK(script.pending() == "SELECT 1,\n");
    script.clear();
    CHECK(script.empty());
    script.feed("SELECT 2;");
    CHECK(script.next()->text == "SELECT 2;");
}

TEST_CASE("a long script keeps its line numbers") {
    Script script;
    const std::string filler(3000, 'x');
    int64_t expected = 1;
    for (int i = 0; i < 1000; i++) {
        script.feed("SELECT\n'" + filler + "';\n");
        const auto piece = script.next();
        REQUIRE(piece);
        REQUIRE(piece->line == expected);
        expected += 2;
    }
}
