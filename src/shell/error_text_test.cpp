// Where the caret stands.

#include "shell/error_text.h"

#include <doctest/doctest.h>

using namespace trefoil;
using namespace trefoil::shell;

TEST_CASE("the caret stands under the position") {
    CHECK(caret_lines("SELECT nme", 7, "LINE 1: ", 0) == "LINE 1: SELECT nme\n               ^\n");
    CHECK(caret_lines("SELECT 1,\n\tnme\nFROM x", 11, "", 0) == "\tnme\n\t^\n");
    CHECK(caret_lines("日本 nme", 7, "", 0) == "日本 nme\n     ^\n");
    CHECK(caret_lines("SELECT", 6, "", 0) == "SELECT\n      ^\n");
    CHECK(caret_lines("SELECT\r\nFROM", 0, "", 0) == "SELECT\n^\n");
    CHECK(caret_lines("", 0, "", 0) == "\n^\n");
    CHECK(caret_lines("a", 99, "", 0) == "a\n ^\n");
    CHECK(caret_lines("a\n\nb", 2, "", 0) == "\n^\n");
}

TEST_CASE("a long line is shown around its position") {
    const std::string sql = std::string(300, 'a') + " nme " + std::string(300, 'b');
    const std::string text = caret_lines(sql, 301, "LINE 1: ", 60);
    const size_t first_end = text.find('\n');
    CHECK(text.substr(0, first_end).find("nme") != std::string::npos);
    CHECK(text.find("…") != std::string::npos);
    CHECK(text.substr(first_end + 1).find('^') == text.find("nme") - 2);  // "…" is three bytes
}

TEST_CASE("an error is told with its place, detail and hint") {
    const Status status = Status(Code::kInvalidInput, "42703", "column \"nme\" does not exist")
                              .with_position(7)
                              .with_hint("did you mean \"name\"?");
    CHECK(error_text(status, {.statement = "SELECT nme"}) ==
          "ERROR 42703: column \"nme\" does not exist\n"
          "LINE 1: SELECT nme\n"
          "               ^\n"
          "HINT: did you mean \"name\"?\n");
    CHECK(error_text(status, {.statement = "SELECT nme", .file = "a.sql", .line = 4}) ==
          "ERROR 42703: column \"nme\" does not exist\n"
          "a.sql:4: SELECT nme\n"
          "                ^\n"
          "HINT: did you mean \"name\"?\n");
    CHECK(error_text(Status::io("no").with_detail("why"), {.file = "a.sql", .line = 4}) ==
          "ERROR 58030: no\nin a.sql, the statement at line 4\nDETAIL: why\n");
}
