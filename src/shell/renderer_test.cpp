// Every output mode, on the values that are hard to print.

#include "shell/renderer.h"

#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <vector>

#include "shell/json_text.h"
#include "shell/table_renderer.h"
#include "shell/width.h"

using namespace trefoil;
using namespace trefoil::shell;

namespace {

// Rows of Values; a test writes texts and integers.
class ValueGrid final : public Grid {
public:
    explicit ValueGrid(std::vector<std::vector<Value>> rows) : rows_(std::move(rows)) {}
    int64_t row_count() const override { return static_cast<int64_t>(rows_.size()); }
    bool is_null(int64_t r, int32_t c) const override { return value(r, c).is_null(); }
    std::string text(int64_t r, int32_t c) const override { return value(r, c).to_string(); }
    Value value(int64_t r, int32_t c) const override {
        return rows_[static_cast<size_t>(r)][static_cast<size_t>(c)];
    }

private:
    std::vector<std::vector<Value>> rows_;
};

std::string render(Mode mode, const std::vector<ColumnInfo>& columns,
                   std::vector<std::vector<Value>> rows, const Style& style = {}) {
    StringSink sink;
    const auto renderer = make_renderer(mode, style, sink);
    renderer->begin(columns);
    if (!rows.empty()) renderer->add(ValueGrid(std::move(rows)));
    renderer->end(true);
    return sink.text();
}

const std::vector<ColumnInfo> kPeople = {{"id", "BIGINT"}, {"name", "TEXT"}};

}  // namespace

TEST_CASE("csv tells NULL from the empty string and quotes by RFC 4180") {
    CHECK(render(Mode::kCsv, kPeople,
                 {{1, "Ann"},
                  {Value(), ""},
                  {2, Value()},
                  {3, "a,b"},
                  {4, "say \"hi\""},
                  {5, "x\ny"}}) ==
          "id,name\n1,Ann\n,\"\"\n2,\n3,\"a,b\"\n4,\"say \"\"hi\"\"\"\n5,\"x\ny\"\n");
    CHECK(render(Mode::kCsv, kPeople, {}) == "id,name\n");
    CHECK(render(Mode::kCsv, kPeople, {{1, "Ann"}}, {.header = false}) == "1,Ann\n");
    CHECK(render(Mode::kCsv, {{"a,b", "TEXT"}}, {}) == "\"a,b\"\n");
}

TEST_CASE("tsv escapes as PostgreSQL's text form does") {
    CHECK(render(Mode::kTsv, kPeople, {{1, "a\tb\\c\nd\re"}, {Value(), ""}}) ==
          "id\tname\n1\ta\\tb\\\\c\\nd\\re\n\\N\t\n");
}

TEST_CASE("json keeps numbers exact and text intact") {
    CHECK(render(Mode::kJson, kPeople, {}) == "[]\n");
    CHECK(render(Mode::kJson, kPeople, {{1, "Ann"}, {Value(), Value()}}) ==
          "[\n  {\"id\":1,\"name\":\"Ann\"},\n  {\"id\":null,\"name\":null}\n]\n");
    CHECK(render(Mode::kJsonl, {{"n", "BIGINT"}}, {{INT64_MIN}, {INT64_MAX}}) ==
          "{\"n\":-9223372036854775808}\n{\"n\":9223372036854775807}\n");
    CHECK(render(Mode::kJsonl, {{"a", "INTEGER"}, {"a", "INTEGER"}}, {{1, 2}}) ==
          "{\"a\":1,\"a_2\":2}\n");
}

TEST_CASE("json values") {
    const auto json = [](const Value& value) {
        std::string out;
        append_json_value(out, value);
        return out;
    };
    CHECK(json(true) == "true");
    CHECK(json(0.1) == "0.1");
    CHECK(json(3.0) == "3.0");
    CHECK(json(1e300) == "1e+300");
    CHECK(json(std::numeric_limits<double>::quiet_NaN()) == "\"NaN\"");
    CHECK(json(-std::numeric_limits<double>::infinity()) == "\"-Infinity\"");
    CHECK(json(Decimal{1250, 2}) == "12.50");
    CHECK(json(Decimal{-5, 2}) == "-0.05");
    CHECK(json(Value::List{1, Value(), Value::List{"x"}}) == "[1,null,[\"x\"]]");
    CHECK(json("quote \" slash \\ tab \t bell \a") == R"("quote \" slash \\ tab \t bell \u0007")");
    CHECK(json("日本") == "\"日本\"");
    CHECK(json("broken \xFF") == "\"broken \uFFFD\"");
}

TEST_CASE("an answer that broke off leaves its json array open") {
    StringSink sink;
    const auto renderer = make_renderer(Mode::kJson, {}, sink);
    renderer->begin({{"a", "INTEGER"}});
    renderer->add(ValueGrid(std::vector<std::vector<Value>>{{Value(1)}}));
    renderer->end(false);
    CHECK(sink.text() == "[\n  {\"a\":1}\n");
}

TEST_CASE("markdown escapes pipes and aligns numbers") {
    CHECK(render(Mode::kMarkdown, kPeople, {{1, "a|b\nc"}, {Value(), ""}}) ==
          "| id | name |\n| ---: | --- |\n| 1 | a\\|b<br>c |\n| NULL |  |\n");
}

TEST_CASE("line mode writes a column per line and the lines of a value below each other") {
    CHECK(render(Mode::kLine, kPeople, {{1, "Ann\nBo"}, {2, Value()}}) ==
          "  id = 1\nname = Ann\n       Bo\n\n  id = 2\nname = NULL\n");
}

TEST_CASE("a table is as wide as its values, numbers to the right") {
    CHECK(render(Mode::kTable, kPeople, {{1, "Ann"}, {100, "日本"}, {Value(), "a\nb"}}) ==
          "┌──────┬──────┐\n"
          "│   id │ name │\n"
          "├──────┼──────┤\n"
          "│    1 │ Ann  │\n"
          "│  100 │ 日本 │\n"
          "│ NULL │ a↵b  │\n"
          "└──────┴──────┘\n");
    CHECK(render(Mode::kTable, kPeople, {}, {.header = false}) == "┌───┬───┐\n└───┴───┘\n");
}

TEST_CASE("on a terminal long columns are cut, and columns that cannot fit are left out") {
    const std::string text = render(Mode::kTable, {{"a", "TEXT"}, {"b", "BIGINT"}},
                                    {{Value(std::string(100, 'x')), 7}}, {.width = 20});
    CHECK(text.find("xxxxxxxxx… │ 7 │") != text.npos);

    std::vector<ColumnInfo> columns;
    std::vector<Value> row;
    for (int i = 0; i < 12; i++) {
        columns.push_back({"column_" + std::to_string(i), "TEXT"});
        row.emplace_back("a value of some length");
    }
    StringSink sink;
    TableRenderer renderer({.width = 40}, sink);
    renderer.begin(columns);
    renderer.add(ValueGrid(std::vector<std::vector<Value>>{row}));
    renderer.end(true);
    CHECK(renderer.columns_hidden() == 9);
    std::string_view rest = sink.text();
    while (!rest.empty()) {
        const size_t end = rest.find('\n');
        CHECK(display_width(rest.substr(0, end)) <= 40);
        rest.remove_prefix(end + 1);
    }
}

TEST_CASE("later rows do not move the frame on a terminal, and are not cut in a file") {
    std::vector<std::vector<Value>> rows(kMeasuredRows, std::vector<Value>{1, "x"});
    rows.push_back({2, "much longer"});
    const std::string on_terminal = render(Mode::kTable, kPeople, rows, {.width = 80});
    CHECK(on_terminal.find("│  2 │ muc… │") != on_terminal.npos);
    const std::string in_file = render(Mode::kTable, kPeople, rows);
    CHECK(in_file.find("much longer") != in_file.npos);
}

TEST_CASE("a table stops at its limit and counts the rest") {
    StringSink sink;
    TableRenderer renderer({.width = 80, .max_rows = 2}, sink);
    renderer.begin(kPeople);
    renderer.add(ValueGrid({{1, "a"}, {2, "b"}, {3, "c"}}));
    renderer.add(ValueGrid({{4, "d"}}));
    renderer.end(true);
    CHECK(renderer.rows_hidden() == 2);
    CHECK(sink.text().find("b") != std::string::npos);
    CHECK(sink.text().find("c ") == std::string::npos);
}

TEST_CASE("the widest columns give way first") {
    CHECK(shrink_widths({10, 20, 30}, 60, 6) == std::vector<int>{10, 20, 30});
    CHECK(shrink_widths({10, 20, 30}, 50, 6) == std::vector<int>{10, 20, 20});
    CHECK(shrink_widths({10, 20, 30}, 30, 6) == std::vector<int>{10, 10, 10});
    CHECK(shrink_widths({3, 20, 30}, 10, 6) == std::vector<int>{3, 6, 6});
}

TEST_CASE("numeric types") {
    CHECK(is_numeric_type("BIGINT"));
    CHECK(is_numeric_type("DECIMAL(10,2)"));
    CHECK_FALSE(is_numeric_type("BIGINT[]"));
    CHECK_FALSE(is_numeric_type("INTERVAL"));
    CHECK_FALSE(is_numeric_type("TEXT"));
}
