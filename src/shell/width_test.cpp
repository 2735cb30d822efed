// Width and form of text on a terminal.

#include "shell/width.h"

#include <doctest/doctest.h>

using namespace trefoil::shell;

TEST_CASE("ascii takes one column, wide characters two, combining marks none") {
    CHECK(display_width("") == 0);
    CHECK(display_width("abc") == 3);
    CHECK(display_width("äöü") == 3);
    CHECK(display_width("日本語") == 6);
    CHECK(display_width("e\u0301") == 1);
    CHECK(display_width("🍀") == 2);
    CHECK(display_width("한국") == 4);
    CHECK(display_width("a\u200Bb") == 2);
}

TEST_CASE("bytes that are not UTF-8 are read one by one") {
    std::string_view text = "\xFF\xC3";
    CHECK(take_code_point(text) == 0xFFFD);
    CHECK(take_code_point(text) == 0xFFFD);
    CHECK(text.empty());
    std::string_view overlong = "\xC0\x80";
    CHECK(take_code_point(overlong) == 0xFFFD);
    std::string_view surrogate = "\xED\xA0\x80";
    CHECK(take_code_point(surrogate) == 0xFFFD);
    CHECK(one_line("a\xFFz") == "a�z");
}

TEST_CASE("a value is shown on one line and cannot command the terminal") {
    CHECK(one_line("a\nb") == "a↵b");
    CHECK(one_line("a\r\nb") == "a↵b");
    CHECK(one_line("\x1b[2J") == "␛[2J");
    CHECK(one_line("a\tb") == "a␉b");
    CHECK(one_line("\x7f") == "␡");
    CHECK(one_line("\u009b2J") == "�2J");
}

TEST_CASE("text is cut at a character, with an ellipsis") {
    CHECK(cut_to_width("hello", 5) == "hello");
    CHECK(cut_to_width("hello!", 5) == "hell…");
    CHECK(cut_to_width("日本語", 6) == "日本語");
    CHECK(cut_to_width("日本語", 5) == "日本…");
    CHECK(cut_to_width("日本語", 4) == "日…");
    CHECK(cut_to_width("日本語", 1) == "…");
    CHECK(cut_to_width("e\u0301xyz", 2) == "e\u0301…");
    CHECK(cut_to_width("", 1) == "");
}
