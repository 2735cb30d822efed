// Expressions: how they print, how they come apart, and how parameters are put in.
// What the bytes of one mean is tested in expr_decode_test.cpp.

#include "plan/expr.h"

#include <doctest/doctest.h>

#include <limits>

using namespace trefoil;
using namespace trefoil::plan;

namespace {

arrow::Schema people() {
    return {{{"id", arrow::int64(), false},
             {"name", arrow::utf8_view(), true},
             {"Full Name", arrow::utf8_view(), true},
             {"ok", arrow::boolean(), true}}};
}

Expr column(uint32_t i) {
    return Expr::column(i);
}
Expr node(Expr::Kind kind, std::vector<Expr> children) {
    Expr e;
    e.kind = kind;
    e.children = std::move(children);
    return e;
}
Expr opaque(std::string text) {
    Expr e;
    e.text = std::move(text);
    return e;
}
Expr is(CompareOp op, uint32_t i, Value v) {
    return Expr::compare(op, column(i), Expr::literal(std::move(v)));
}
std::string text(const Expr& e) {
    return to_string(e, people());
}

}  // namespace

TEST_CASE("an expression prints as SQL, with parentheses only where they are needed") {
    Expr a = is(CompareOp::kGreaterEqual, 0, 3);
    Expr b = node(Expr::Kind::kLike, {column(1), Expr::literal("A%")});
    CHECK(text(Expr::both(a, b)) == "id >= 3 AND name LIKE 'A%'");
    Expr either = node(Expr::Kind::kOr, {a, b});
    CHECK(text(Expr::both(either, a)) == "(id >= 3 OR name LIKE 'A%') AND id >= 3");
    CHECK(text(node(Expr::Kind::kOr, {Expr::both(a, b), b})) ==
          "id >= 3 AND name LIKE 'A%' OR name LIKE 'A%'");
    CHECK(text(node(Expr::Kind::kNot, {either})) == "NOT (id >= 3 OR name LIKE 'A%')");
    CHECK(text(node(Expr::Kind::kNot, {column(3)})) == "NOT ok");
    CHECK(text(node(Expr::Kind::kNot, {a})) == "NOT (id >= 3)");
    CHECK(text(node(Expr::Kind::kIsNull, {a})) == "(id >= 3) IS NULL");
    b.negated = b.ignore_case = true;
    CHECK(text(b) == "name NOT ILIKE 'A%'");
}

TEST_CASE("names and strings are quoted where SQL wants it") {
    CHECK(text(node(Expr::Kind::kIsNull, {column(2)})) == "\"Full Name\" IS NULL");
    CHECK(text(node(Expr::Kind::kNot, {node(Expr::Kind::kIsNull, {column(1)})})) ==
          "name IS NOT NULL");
    CHECK(text(is(CompareOp::kEqual, 1, "Alice O'Brien")) == "name = 'Alice O''Brien'");
    CHECK(text(is(CompareOp::kNotEqual, 3, true)) == "ok <> true");
    CHECK(text(is(CompareOp::kLess, 0, Value())) == "id < NULL");
    CHECK(text(Expr::compare(CompareOp::kEqual, column(0), Expr::parameter(0))) == "id = $1");
}

TEST_CASE("temporal and other literals say their type") {
    CHECK(text(Expr::literal(Date{19782})) == "DATE '2024-02-29'");
    CHECK(text(Expr::literal(Timestamp{0, false})).starts_with("TIMESTAMP '1970-01-01 00:00:00"));
    CHECK(text(Expr::literal(Timestamp{0, true})).starts_with("TIMESTAMPTZ '1970-01-01 00:00:00"));
    CHECK(text(Expr::literal(Blob{std::string("\0\xff", 2)})) == "BYTEA '\\x00ff'");
    CHECK(text(Expr::literal(Decimal{1250, 2})) == "12.50");
    CHECK(text(Expr::literal(Value::List{1, Value()})) == "ARRAY[1, NULL]");
    CHECK(text(Expr::literal(std::numeric_limits<double>::infinity())).starts_with("DOUBLE '"));
}

TEST_CASE("of a long IN list the rest is counted") {
    std::vector<Expr> children = {column(0)};
    for (int i = 0; i < 3; i++) children.push_back(Expr::literal(i));
    Expr list = node(Expr::Kind::kInList, children);
    CHECK(text(list) == "id IN (0, 1, 2)");
    list.negated = true;
    CHECK(text(list) == "id NOT IN (0, 1, 2)");
    for (int i = 3; i < 100; i++) list.children.push_back(Expr::literal(i));
    CHECK(text(list).ends_with("18, 19, ... 80 more)"));
}

TEST_CASE("opaque text is wrapped unless it is one term") {
    Expr sum = Expr::compare(CompareOp::kEqual, opaque("id + 1"), Expr::literal(2));
    CHECK(text(sum) == "(id + 1) = 2");
    Expr call = Expr::compare(CompareOp::kEqual, opaque("lower(name || ' x')"), Expr::literal("a"));
    CHECK(text(call) == "lower(name || ' x') = 'a'");
    CHECK(text(opaque("a AND b")) == "a AND b");
    CHECK(text(Expr::both(opaque("a OR b"), column(3))) == "(a OR b) AND ok");
}

TEST_CASE("an expression knows whether a part of it is opaque") {
    CHECK(opaque("x").has_opaque());
    CHECK(Expr::both(column(3), node(Expr::Kind::kNot, {opaque("x")})).has_opaque());
    CHECK_FALSE(is(CompareOp::kEqual, 0, 1).has_opaque());
}

TEST_CASE("nested ANDs flatten into the conditions that must all hold") {
    Expr a = is(CompareOp::kEqual, 0, 1), b = column(3), c = is(CompareOp::kLess, 0, 9);
    std::vector<Expr> conditions;
    flatten_and(Expr::both(Expr::both(a, b), node(Expr::Kind::kOr, {a, c})), &conditions);
    REQUIRE(conditions.size() == 3);
    CHECK(text(conditions[0]) == "id = 1");
    CHECK(text(conditions[2]) == "id = 1 OR id < 9");
}

TEST_CASE("binding puts values in the place of parameters, however deep") {
    Expr e = Expr::both(Expr::compare(CompareOp::kEqual, column(0), Expr::parameter(1)),
                        node(Expr::Kind::kLike, {column(1), Expr::parameter(0)}));
    std::vector<Value> values = {"B%", 7};
    Result<Expr> bound = bind(e, values);
    REQUIRE(bound.ok());
    CHECK(text(*bound) == "id = 7 AND name LIKE 'B%'");
    CHECK(bound->children[0].children[1].type == arrow::int64());

    Result<Expr> missing = bind(e, std::span<const Value>(values).first(1));
    REQUIRE_FALSE(missing.ok());
    CHECK(missing.status().sqlstate() == "08P01");
    CHECK(missing.status().message().find("$2") != std::string::npos);
}

TEST_CASE("a NULL that is bound keeps the type of its parameter") {
    Expr p = Expr::parameter(0);
    p.type = arrow::date32();
    std::vector<Value> values = {Value()};
    Result<Expr> bound = bind(p, values);
    REQUIRE(bound.ok());
    CHECK(bound->kind == Expr::Kind::kLiteral);
    CHECK(bound->type == arrow::date32());
}

TEST_CASE("an inverse comparison is the one that holds where the other does not") {
    CHECK(inverse(CompareOp::kEqual) == CompareOp::kNotEqual);
    CHECK(inverse(CompareOp::kLess) == CompareOp::kGreaterEqual);
    CHECK(inverse(CompareOp::kGreater) == CompareOp::kLessEqual);
    for (CompareOp op : {CompareOp::kEqual, CompareOp::kNotEqual, CompareOp::kLess,
                         CompareOp::kLessEqual, CompareOp::kGreater, CompareOp::kGreaterEqual}) {
        CHECK(inverse(inverse(op)) == op);
    }
}

TEST_CASE("a mirrored comparison holds for the operands exchanged") {
    CHECK(mirrored(CompareOp::kEqual) == CompareOp::kEqual);
    CHECK(mirrored(CompareOp::kNotEqual) == CompareOp::kNotEqual);
    CHECK(mirrored(CompareOp::kLess) == CompareOp::kGreater);
    CHECK(mirrored(CompareOp::kGreaterEqual) == CompareOp::kLessEqual);
}
