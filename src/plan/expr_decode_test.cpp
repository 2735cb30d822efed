// The byte form of expressions: what is written is read back, and bytes that are cut, damaged or
// made up are refused without harm.

#include <doctest/doctest.h>

#include <limits>
#include <random>

#include "plan/expr.h"
#include "plan/expr_format.h"

using namespace trefoil;
using namespace trefoil::plan;
using Kind = Expr::Kind;

namespace {

// The writer's side of expr_format.h, as simple as it can be.
void write(const Expr& e, Writer* out) {
    out->u8(static_cast<uint8_t>(e.kind));
    switch (e.kind) {
        case Kind::kColumn:
            out->u32(e.index);
            return;
        case Kind::kLiteral:
            encode_value(e.value, e.type, out);
            return;
        case Kind::kParameter:
            out->u32(e.index);
            out->str(e.type == arrow::Type() ? "" : e.type.format());
            return;
        case Kind::kOpaque:
            out->str(e.text);
            return;
        case Kind::kCompare:
            out->u8(static_cast<uint8_t>(e.op));
            break;
        case Kind::kAnd:
        case Kind::kOr:
            out->u32(static_cast<uint32_t>(e.children.size()));
            break;
        case Kind::kInList:
            out->u8(e.negated);
            break;
        case Kind::kLike:
            out->u8(e.negated);
            out->u8(e.ignore_case);
            break;
        default:
            break;
    }
    for (size_t i = 0; i < e.children.size(); i++) {
        if (e.kind == Kind::kInList && i == 1) {
            out->u32(static_cast<uint32_t>(e.children.size() - 1));
        }
        write(e.children[i], out);
    }
    if (e.kind == Kind::kInList && e.children.size() == 1) out->u32(0);
}

bool same(const Expr& a, const Expr& b) {
    if (a.kind != b.kind || a.op != b.op || a.negated != b.negated || a.index != b.index ||
        a.ignore_case != b.ignore_case || !(a.type == b.type) || !(a.value == b.value) ||
        a.text != b.text || a.children.size() != b.children.size()) {
        return false;
    }
    for (size_t i = 0; i < a.children.size(); i++) {
        if (!same(a.children[i], b.children[i])) return false;
    }
    return true;
}

Result<Expr> decode(const std::string& bytes) {
    Reader reader(bytes);
    return decode_expr(reader);
}

Result<Expr> decode_literal(std::string_view format, auto content) {
    Writer out;
    out.u8(1);
    out.str(format);
    out.u8(0);
    content(out);
    return decode(out.data());
}

std::vector<Value> sample_values() {
    return {Value(),
            true,
            0,
            std::numeric_limits<int64_t>::min(),
            std::numeric_limits<int64_t>::max(),
            -0.5,
            "",
            "Łódź 'x'",
            Decimal{-(__int128{1} << 100), 7},
            Date{-1},
            Time{86'399'999'999},
            Timestamp{-1, false},
            Timestamp{1, true},
            Interval{-1, 2, -3},
            Uuid{{1, 2, 3}},
            Blob{std::string("\0x", 2)}};
}

using Random = std::mt19937_64;
uint64_t below(Random& r, uint64_t n) {
    return r() % n;
}

Expr random_expr(Random& r, int depth) {
    static const std::vector<Value> values = sample_values();
    Expr e;
    e.kind = static_cast<Kind>(depth == 0 ? below(r, 3) : below(r, 11));
    size_t children = 0;
    switch (e.kind) {
        case Kind::kColumn:
            return Expr::column(static_cast<uint32_t>(r()));
        case Kind::kLiteral:
            return Expr::literal(values[below(r, values.size())]);
        case Kind::kParameter:
            e.index = static_cast<uint32_t>(below(r, 9));
            if (below(r, 2)) e.type = arrow::decimal(10, 2);
            return e;
        case Kind::kOpaque:
            e.text = "f(x)";
            return e;
        case Kind::kCompare:
            e.op = static_cast<CompareOp>(below(r, 6)), children = 2;
            break;
        case Kind::kAnd:
        case Kind::kOr:
            children = 2 + below(r, 3);
            break;
        case Kind::kNot:
        case Kind::kIsNull:
            children = 1;
            break;
        case Kind::kInList:
            e.negated = below(r, 2), children = 1 + below(r, 4);
            break;
        case Kind::kLike:
            e.negated = below(r, 2), e.ignore_case = below(r, 2), children = 2;
            break;
    }
    for (size_t i = 0; i < children; i++) e.children.push_back(random_expr(r, depth - 1));
    return e;
}

std::string nested_nots(int depth) {
    Writer out;
    for (int i = 1; i < depth; i++) out.u8(static_cast<uint8_t>(ExprTag::kNot));
    out.u8(static_cast<uint8_t>(ExprTag::kColumn));
    out.u32(0);
    return out.take();
}

}  // namespace

TEST_CASE("the example of expr_format.h reads as it says") {
    const char raw[] = "\x03\x05\0\0\0\0\0\x01\x01\0\0\0l\0\x03\0\0\0\0\0\0\0";
    Result<Expr> e = decode(std::string(raw, sizeof raw - 1));
    REQUIRE(e.ok());
    CHECK(to_string(*e, {{{"id", arrow::int64(), false}}}) == "id >= 3");
    CHECK(e->children[1].type == arrow::int64());
}

TEST_CASE("what is written is read back, for random trees") {
    Random r(1);
    for (int i = 0; i < 3000; i++) {
        Expr e = random_expr(r, 4);
        Writer out;
        write(e, &out);
        Reader reader(out.data());
        Result<Expr> back = decode_expr(reader);
        REQUIRE(back.ok());
        REQUIRE(reader.at_end());
        REQUIRE(same(e, *back));
    }
}

TEST_CASE("every proper beginning of an expression is refused") {
    Random r(2);
    for (int i = 0; i < 200; i++) {
        Writer out;
        write(random_expr(r, 3), &out);
        for (size_t n = 0; n < out.size(); n++) {
            Result<Expr> e = decode(out.data().substr(0, n));
            REQUIRE_FALSE(e.ok());
            REQUIRE(e.status().code() == Code::kInvalidInput);
        }
    }
}

TEST_CASE("random and randomly damaged bytes never do harm") {
    Random r(3);
    int refused = 0;
    for (int i = 0; i < 20000; i++) {
        std::string bytes;
        if (i % 2 == 0) {
            for (uint64_t n = below(r, 60); n > 0; n--) bytes += static_cast<char>(below(r, 12));
        } else {
            Writer out;
            write(random_expr(r, 3), &out);
            bytes = out.take();
            for (int k = 0; k < 3; k++) bytes[below(r, bytes.size())] = static_cast<char>(r());
        }
        Result<Expr> e = decode(bytes);
        if (e.ok()) continue;
        refused++;
        REQUIRE(e.status().code() == Code::kInvalidInput);
    }
    CHECK(refused > 5000);
}

TEST_CASE("a count of billions reserves no memory") {
    Writer out;
    out.u8(static_cast<uint8_t>(ExprTag::kAnd));
    out.u32(0xffffffff);
    CHECK_FALSE(decode(out.data()).ok());
}

TEST_CASE("nesting is accepted to the limit and refused beyond it") {
    CHECK(decode(nested_nots(kExprDepthMax)).ok());
    Result<Expr> e = decode(nested_nots(kExprDepthMax + 1));
    REQUIRE_FALSE(e.ok());
    CHECK(e.status().message().find("deep") != std::string::npos);
    CHECK_FALSE(decode(nested_nots(1'000'000)).ok());
}

TEST_CASE("every literal type is read exactly") {
    auto u64 = [](uint64_t v) { return [v](Writer& w) { w.u64(v); }; };
    auto minus = [&](int64_t v) { return u64(static_cast<uint64_t>(v)); };
    CHECK(decode_literal("s", minus(-3))->value == Value(-3));
    CHECK(decode_literal("C", u64(255))->value == Value(255));
    CHECK(decode_literal("L", u64(7))->value == Value(7));
    CHECK(decode_literal("L", u64(~0ull))->value == Value(Decimal{__int128{~0ull}, 0}));
    CHECK(decode_literal("f", [](Writer& w) { w.f64(1.5); })->value == Value(1.5));
    CHECK(decode_literal("U", [](Writer& w) { w.str("x"); })->value == Value("x"));
    CHECK(decode_literal("Z", [](Writer& w) { w.str("x"); })->value == Value(Blob{"x"}));
    CHECK(decode_literal("w:3", [](Writer& w) { w.str("abc"); })->value == Value(Blob{"abc"}));
    CHECK(decode_literal("tdm", u64(86'400'000))->value == Value(Date{1}));
    CHECK(decode_literal("tts", u64(61))->value == Value(Time{61'000'000}));
    CHECK(decode_literal("ttn", u64(5000))->value == Value(Time{5}));
    CHECK(decode_literal("tsm:", minus(-1))->value == Value(Timestamp{-1000, false}));
    CHECK(decode_literal("tsu:Europe/Berlin", u64(5))->value == Value(Timestamp{5, true}));
    CHECK(decode_literal("tsu:Europe/Berlin", u64(5))->type.timezone == "Europe/Berlin");
}

TEST_CASE("a literal that cannot be held exactly becomes opaque") {
    auto u64 = [](uint64_t v) { return [v](Writer& w) { w.u64(v); }; };
    CHECK(decode_literal("tsn:", u64(1001))->kind == Kind::kOpaque);
    CHECK(decode_literal("tss:", u64(1ull << 62))->kind == Kind::kOpaque);
    CHECK(decode_literal("tdm", u64(1))->kind == Kind::kOpaque);
}

TEST_CASE("literals that contradict their type are refused") {
    auto u64 = [](uint64_t v) { return [v](Writer& w) { w.u64(v); }; };
    CHECK_FALSE(decode_literal("s", u64(40000)).ok());
    CHECK_FALSE(decode_literal("tdD", u64(1ull << 40)).ok());
    CHECK_FALSE(decode_literal("w:3", [](Writer& w) { w.str("abcd"); }).ok());
    CHECK_FALSE(decode_literal("+l", [](Writer& w) { w.u32(0); }).ok());
    CHECK_FALSE(decode_literal("?", u64(0)).ok());
}

TEST_CASE("a value is written as the type asked for, or as its own") {
    auto format = [](const Value& v, const arrow::Type& type) {
        Writer out;
        encode_value(v, type, &out);
        return std::string(Reader(out.data()).str());
    };
    CHECK(format(7, arrow::int16()) == "s");
    CHECK(format(Value(), arrow::date32()) == "tdD");
    CHECK(format(7, arrow::date32()) == "l");
    CHECK(format(Decimal{1, 2}, arrow::decimal(10, 2)) == "d:10,2");
    CHECK(format(Decimal{1, 3}, arrow::decimal(10, 2)) == "d:38,3");
    CHECK(format(Timestamp{1, true}, arrow::timestamp("Asia/Tokyo")) == "tsu:Asia/Tokyo");
    CHECK(format(Timestamp{1, false}, arrow::timestamp("UTC")) == "tsu:");
    CHECK(format(Value::List{1}, arrow::list(arrow::int32())) == "+l");
}
