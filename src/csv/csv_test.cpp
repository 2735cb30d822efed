// CSV in and out: the rules, the errors a user sees, and the round trip of every type.

#include <doctest/doctest.h>

#include <algorithm>

#include "arrow/builder.h"
#include "arrow/compute.h"
#include "arrow/random_arrays.h"
#include "arrow/value.h"
#include "csv/reader.h"
#include "csv/writer.h"

namespace trefoil::csv {
namespace {

using arrow::Array;
using arrow::Batch;
using arrow::Schema;
using arrow::SchemaPtr;

SchemaPtr schema_of(std::initializer_list<arrow::Field> fields) {
    return std::make_shared<const Schema>(Schema{fields});
}

const SchemaPtr kPair = schema_of({{"id", arrow::int32()}, {"name", arrow::utf8_view()}});

void append_rows(const Batch& batch, std::string* out) {
    for (int64_t r = 0; r < batch.rows; r++) {
        for (size_t c = 0; c < batch.columns.size(); c++) {
            if (c) *out += '|';
            if (batch.columns[c].is_null(r)) {
                *out += "NULL";
            } else {
                arrow::append_text(batch.columns[c], r, out);
            }
        }
        *out += ';';
    }
}

struct Outcome {
    std::string rows;  // or the error
    uint64_t skipped = 0;
    std::string first_skip;
};

// Reads `text` in pieces of `piece` bytes.
Outcome read(const SchemaPtr& schema, std::string_view text, const ReadOptions& options = {},
             size_t piece = 1 << 16) {
    Reader reader(schema, options);
    Outcome out;
    const auto take = [&](Result<std::vector<Batch>> batches) {
        if (!batches.ok()) {
            out.rows = std::string(batches.status().sqlstate()) + " " + batches.status().message();
            return false;
        }
        for (const Batch& b : *batches) append_rows(b, &out.rows);
        return true;
    };
    while (!text.empty()) {
        if (!take(reader.push(text.substr(0, piece)))) return out;
        text.remove_prefix(std::min(piece, text.size()));
    }
    if (!take(reader.finish())) return out;
    out.skipped = reader.skipped();
    out.first_skip = reader.first_skip().message();
    return out;
}

std::string rows(std::string_view text, const ReadOptions& options = {}) {
    const std::string whole = read(kPair, text, options).rows;
    for (size_t piece : {1, 2, 3, 7}) CHECK(read(kPair, text, options, piece).rows == whole);
    return whole;
}

TEST_CASE("rows and fields are where RFC 4180 and PostgreSQL see them") {
    CHECK(rows("1,a\n2,b\n") == "1|a;2|b;");
    CHECK(rows("1,a\n2,b") == "1|a;2|b;");
    CHECK(rows("1,a\r\n2,b\r\n") == "1|a;2|b;");
    CHECK(rows("1,a\r\n2,b\r") == "1|a;2|b;");
    CHECK(rows("").empty());
    CHECK(rows("\xef\xbb\xbf").empty());
    CHECK(rows("\xef\xbb\xbf"
               "1,a\n") == "1|a;");
    CHECK(rows("1,\"a,b\"\n2,\"c\nd\"\n") == "1|a,b;2|c\nd;");
    CHECK(rows("1,\"c\r\nd\"\r\n") == "1|c\r\nd;");
    CHECK(rows("1,\"say \"\"hi\"\"\"\n") == "1|say \"hi\";");
    CHECK(rows("\"1\",\"\"\"\"\n") == "1|\";");
    CHECK(rows("1,a\"b,c\"d\n") == "1|ab,cd;");
    CHECK(rows("1, a \n") == "1| a ;");
    CHECK(rows(" 1 ,a\n") == "1|a;");
    CHECK(rows("1,") == "1|NULL;");
    CHECK(rows("1,\xc3\xa9\n") == "1|\xc3\xa9;");
}

TEST_CASE("an empty field is NULL and a quoted one is the empty string") {
    CHECK(rows("1,\n2,\"\"\n,x\n") == "1|NULL;2|;NULL|x;");
    ReadOptions options;
    options.null_string = "NULL";
    CHECK(rows("1,NULL\n2,\"NULL\"\n3,\nNULL,x\n", options) == "1|NULL;2|NULL;3|;NULL|x;");
    const SchemaPtr one = schema_of({{"v", arrow::utf8_view()}});
    CHECK(read(one, "a\n\n\"\"\n").rows == "a;NULL;;");
}

TEST_CASE("delimiter, quote and escape may be others") {
    ReadOptions tabs;
    tabs.delimiter = '\t';
    CHECK(rows("1\ta,b\n", tabs) == "1|a,b;");
    ReadOptions odd;
    odd.delimiter = ';';
    odd.quote = '\'';
    odd.escape = '\\';
    CHECK(rows("1;'it\\'s; \\\\ \\n'\n2;'a\nb'\n", odd) == "1|it's; \\ \\n;2|a\nb;");
    // Outside quotes an escape is a byte like any other.
    CHECK(rows("1;'a\\\\'\n2;x\\'y'\n", odd) == "1|a\\;2|x\\y;");
    CHECK(validate(odd).ok());
    odd.delimiter = '\'';
    CHECK(validate(odd).sqlstate() == "22023");
    ReadOptions bad;
    bad.delimiter = '\n';
    CHECK(validate(bad).sqlstate() == "22023");
    bad = {};
    bad.null_string = "a,b";
    CHECK(validate(bad).sqlstate() == "22023");
}

TEST_CASE("a header is skipped or must match") {
    ReadOptions options;
    options.header = Header::kSkip;
    CHECK(rows("any,thing,\"at\nall\"\n1,a\n", options) == "1|a;");
    CHECK(rows("only", options).empty());
    CHECK(rows("h\nx,a\n", options) ==
          "22P02 line 2, column \"id\": invalid input syntax for type INTEGER: \"x\"");
    options.header = Header::kMatch;
    CHECK(rows("id,\"name\"\r\n1,a\n", options) == "1|a;");
    CHECK(rows("id,nmae\n", options) ==
          "22P04 line 1: the header names field 2 \"nmae\", expected \"name\"");
    CHECK(rows("id\n", options) == "22P04 line 1: the header has 1 names, expected 2");
}

TEST_CASE("an error names line, column and value") {
    CHECK(rows("1,a\n2\n") == "22P04 line 2: the row has 1 field, expected 2");
    CHECK(rows("1,a\n2,b,c,d,e\n") == "22P04 line 2: the row has 5 fields, expected 2");
    CHECK(rows("1,a\n\n") == "22P04 line 2: the row has 1 field, expected 2");
    CHECK(rows("1,\"a\nb\nc\"\nx,d\n") ==
          "22P02 line 4, column \"id\": invalid input syntax for type INTEGER: \"x\"");
    CHECK(rows("3000000000,a\n") ==
          "22003 line 1, column \"id\": value \"3000000000\" is out of range for type INTEGER");
    CHECK(rows("1,a\n2,b\xff\n") ==
          "22021 line 2, column \"name\": text is not valid UTF-8 at byte 1");
    CHECK(rows("1,a\n2,\"b\nc,d\n") == "22P04 line 2: a quoted field is not closed");
    CHECK(rows("1,a\rb\n") == "22P04 line 1: a carriage return outside quotes that ends no line");
    CHECK(rows("1,\"\"\n\"\",a\n") ==
          "22P02 line 2, column \"id\": invalid input syntax for type INTEGER: \"\"");
}

TEST_CASE("of several errors the first in the text is told") {
    const SchemaPtr schema =
        schema_of({{"a", arrow::utf8_view()}, {"b", arrow::int32()}, {"c", arrow::date32()}});
    CHECK(read(schema, "x,1,2024-01-01\nx,1,soon\nx,y,2024-01-01\nx\n").rows ==
          "22007 line 2, column \"c\": invalid input syntax for type DATE: \"soon\"");
    CHECK(read(schema, "x,1,2024-01-01\nx\nx,y,soon\n").rows ==
          "22P04 line 2: the row has 1 field, expected 3");
    CHECK(read(schema, "x,y,soon\nx,1,soon\n").rows.starts_with("22P02 line 1, column \"b\""));
}

TEST_CASE("bad rows can be skipped, and are counted") {
    ReadOptions options;
    options.ignore_errors = true;
    const Outcome out =
        read(kPair, "1,a\nx,b\n2\n3,c\n4,\xff\n5,e,f\n6,\"g\n\"\n7\rh,i\n8,j\n", options);
    CHECK(out.rows == "1|a;3|c;6|g\n;8|j;");
    CHECK(out.skipped == 5);
    CHECK(out.first_skip == "line 2, column \"id\": invalid input syntax for type INTEGER: \"x\"");
    const Outcome open = read(kPair, "1,a\n2,\"b\n3,c\n", options);
    CHECK(open.rows == "1|a;");
    CHECK(open.skipped == 1);
    const Outcome fine = read(kPair, "1,a\n", options);
    CHECK(fine.skipped == 0);
    CHECK(fine.first_skip.empty());
    const Outcome none = read(kPair, "x,a\ny,b\n", options);
    CHECK(none.rows.empty());
    CHECK(none.skipped == 2);
}

TEST_CASE("every spelling of a literal is read, not only the plain ones") {
    const SchemaPtr schema = schema_of({{"i", arrow::int64()},
                                        {"d", arrow::decimal(10, 2)},
                                        {"t", arrow::date32()},
                                        {"f", arrow::float64()},
                                        {"b", arrow::boolean()}});
    CHECK(read(schema, "+7,1e2,2024/2/29,Infinity,t\n").rows ==
          "7|100.00|2024-02-29|Infinity|true;");
    CHECK(read(schema, "-7,-1.255,2024-02-29,1e-3,no\n").rows ==
          "-7|-1.26|2024-02-29|0.001|false;");
    CHECK(read(schema, "\"7\", .5 ,2024-02-28,-0,1\n").rows == "7|0.50|2024-02-28|-0|true;");
    CHECK(read(schema, "0,-,2024-02-28,1,1\n").rows.starts_with("22P02 line 1, column \"d\""));
    CHECK(read(schema, "0,123456789,2024-02-28,1,1\n")
              .rows.starts_with("22003 line 1, column \"d\""));
    CHECK(read(schema, "0,12345678.9,2024-02-28,1,1\n").rows == "0|12345678.90|2024-02-28|1|true;");
    CHECK(read(schema, "0,1,2023-02-29,1,1\n").rows.starts_with("22008 line 1, column \"t\""));
    CHECK(read(schema, "0,1,0000-01-01,1,1\n").rows.starts_with("22008"));
}

TEST_CASE("blocks hold whole rows and know their lines") {
    std::string text;
    for (int i = 0; i < 300000; i++) {
        text += std::to_string(i) + (i % 1000 == 0 ? ",\"two\nlines\"\n" : ",some text\n");
    }
    for (size_t piece : {size_t{1000}, size_t{1} << 20, text.size()}) {
        BlockSplitter splitter(ReadOptions{});
        std::vector<Block> blocks;
        for (size_t at = 0; at < text.size(); at += piece) {
            REQUIRE(splitter.push(std::string_view(text).substr(at, piece), &blocks).ok());
        }
        splitter.finish(&blocks);
        CHECK(blocks.size() >= 3);
        std::string joined;
        int64_t total = 0;
        for (const Block& b : blocks) {
            CHECK(b.text.size() < 3 * BlockSplitter::kBlockBytes);
            CHECK(b.first_line ==
                  1 + static_cast<uint64_t>(std::count(joined.begin(), joined.end(), '\n')));
            joined += b.text;
            total += parse_block(b, kPair, {}).value().batch.rows;
        }
        CHECK(joined == text);
        CHECK(total == 300000);
    }
    // A bad row far into the file.
    CHECK(read(kPair, text + "oops,x\n").rows.starts_with("22P02 line 300301, column \"id\""));
}

TEST_CASE("what is written reads back, for every type and however it is cut") {
    arrow::RandomArrays random(41);
    std::vector<WriteOptions> styles(4);
    styles[1].delimiter = '\t';
    styles[1].null_string = "NULL";
    styles[2].quote = '\'';
    styles[2].escape = '\\';
    styles[2].delimiter = ';';
    styles[3].force_quote = true;
    for (const WriteOptions& style : styles) {
        ReadOptions options;
        options.delimiter = style.delimiter;
        options.quote = style.quote;
        options.escape = style.escape;
        options.null_string = style.null_string;
        options.header = Header::kMatch;
        Schema fields;
        for (const arrow::Type& type : arrow::buildable_types()) {
            fields.fields.push_back({"a \"quoted\", " + type.sql_name(), type});
        }
        const auto schema = std::make_shared<const Schema>(fields);
        Batch batch{schema, 120, {}};
        for (const arrow::Field& f : schema->fields) {
            batch.columns.push_back(random.make(f.type, 150, 0.2).slice(20, 120));
        }
        std::string text, expected;
        append_header(*schema, style, &text);
        append_batch(batch, style, &text);
        append_rows(batch, &expected);
        for (size_t piece : {size_t{1}, size_t{100}, text.size()}) {
            CHECK(read(schema, text, options, piece).rows == expected);
        }
    }
}

TEST_CASE("the default style writes as PostgreSQL does") {
    Batch batch{kPair, 6, {}};
    batch.columns.push_back(
        arrow::array_of(arrow::int32(), std::vector<Value>{1, 2, {}, 4, 5, 6}).value());
    batch.columns.push_back(
        arrow::array_of(arrow::utf8_view(),
                        std::vector<Value>{"plain", "", {}, "a,b", "say \"hi\"", "two\nlines"})
            .value());
    std::string text;
    append_header(*kPair, {}, &text);
    append_batch(batch, {}, &text);
    CHECK(text ==
          "id,name\n1,plain\n2,\"\"\n,\n4,\"a,b\"\n5,\"say \"\"hi\"\"\"\n6,\"two\nlines\"\n");
}

TEST_CASE("random bytes never do harm") {
    arrow::RandomArrays random(42);
    static constexpr char kBytes[] = "12,,,\"\"\n\n\rab \\\xff\xc3\xa9";
    for (int round = 0; round < 3000; round++) {
        std::string text;
        for (uint64_t n = random.number(200); n > 0; n--) {
            text += kBytes[random.number(sizeof kBytes - 1)];
        }
        ReadOptions options;
        options.ignore_errors = random.number(2);
        if (random.number(3) == 0) options.escape = '\\';
        const std::string whole = read(kPair, text, options).rows;
        const size_t piece = 1 + random.number(70);
        REQUIRE(read(kPair, text, options, piece).rows == whole);
    }
}

}  // namespace
}  // namespace trefoil::csv
