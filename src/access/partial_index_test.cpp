// Implication: what a query's conditions say of a column is compared with what an index asks for.

#include "access/partial_index.h"

#include <doctest/doctest.h>

namespace trefoil::access {
namespace {

using plan::CompareOp;
using plan::Expr;

catalog::TableDef table() {
    catalog::TableDef t;
    t.name = "t";
    t.columns.push_back({7, "n", arrow::int64(), {}, false, {}});
    t.columns.push_back({9, "text", arrow::utf8_view(), {}, false, {}});
    t.columns.push_back({11, "list", arrow::list(arrow::int64()), {}, false, {}});
    t.finish();
    return t;
}

Expr is(uint32_t column, CompareOp op, Value value) {
    return Expr::compare(op, Expr::column(column), Expr::literal(std::move(value)));
}

Expr of_kind(Expr::Kind kind, std::vector<Expr> children) {
    Expr e;
    e.kind = kind;
    e.children = std::move(children);
    return e;
}

Expr is_null(uint32_t column) {
    return of_kind(Expr::Kind::kIsNull, {Expr::column(column)});
}

Expr is_not_null(uint32_t column) {
    return of_kind(Expr::Kind::kNot, {is_null(column)});
}

bool implies(std::vector<Expr> known, const Expr& wanted) {
    return access::implies(known, wanted, table());
}

TEST_CASE("a range implies each range around it, and that there is a value") {
    using enum CompareOp;
    CHECK(implies({is(0, kGreater, Value(10))}, is(0, kGreater, Value(5))));
    CHECK(implies({is(0, kGreater, Value(5))}, is(0, kGreater, Value(5))));
    CHECK(implies({is(0, kGreater, Value(5))}, is(0, kGreaterEqual, Value(5))));
    CHECK(!implies({is(0, kGreaterEqual, Value(5))}, is(0, kGreater, Value(5))));
    CHECK(!implies({is(0, kLess, Value(5))}, is(0, kGreater, Value(5))));
    CHECK(implies({is(0, kEqual, Value(7))}, is(0, kGreater, Value(5))));
    CHECK(implies({is(0, kEqual, Value(7))}, is(0, kNotEqual, Value(5))));
    CHECK(!implies({is(0, kEqual, Value(5))}, is(0, kNotEqual, Value(5))));
    CHECK(implies({is(0, kGreater, Value(1)), is(0, kLess, Value(9))}, is(0, kLess, Value(20))));
    CHECK(implies({is(0, kGreater, Value(INT64_MAX - 1))}, is_not_null(0)));
    CHECK(implies({is(0, kNotEqual, Value(3))}, is_not_null(0)));
    CHECK(implies({is(1, kEqual, Value("x"))}, is_not_null(1)));
    CHECK(!implies({is(1, kEqual, Value("x"))}, is_not_null(0)));
    CHECK(!implies({is_null(0)}, is_not_null(0)));
    CHECK(!implies({is(0, kGreater, Value(INT64_MAX - 1))}, is_null(0)));
    CHECK(implies({is_null(0)}, is_null(0)));
    CHECK(!implies({}, is_not_null(0)));
}

TEST_CASE("what is no range is implied by itself alone") {
    using enum CompareOp;
    const Expr either = of_kind(Expr::Kind::kOr, {is(0, kEqual, Value(1)), is_null(1)});
    CHECK(implies({is(1, kEqual, Value("x")), either}, either));
    CHECK(!implies({is(0, kEqual, Value(2))}, either));
    const Expr one_of =
        of_kind(Expr::Kind::kOr, {is(0, kEqual, Value(1)), is(0, kGreater, Value(5))});
    CHECK(implies({is(0, kEqual, Value(6))}, one_of));
    CHECK(!implies({is(0, kGreater, Value(4))}, one_of));
    CHECK(implies({is_not_null(2)}, is_not_null(2)));
    CHECK(!implies({is(0, kEqual, Value(6))}, is_not_null(2)));
    // A comparison that no key can make says nothing.
    CHECK(!implies({is(0, kEqual, Value("x"))}, is(0, kGreater, Value(5))));
    CHECK(!implies({is(0, kGreater, Value(7))}, is(0, kGreater, Value("x"))));
}

TEST_CASE("conditions are kept by the ids of their columns") {
    catalog::TableDef t = table();
    const std::vector<Expr> conditions = {is(1, CompareOp::kEqual, Value("open")), is_not_null(0)};
    catalog::IndexDef index;
    index.name = "i";
    index.filters = {0};
    index.conditions = encode_conditions(t, conditions);
    std::swap(t.columns[0], t.columns[1]);
    auto moved = conditions_of(t, index);
    REQUIRE(moved.ok());
    t.finish();
    CHECK(plan::to_string(moved->at(0), *t.schema()) == "text = 'open'");
    CHECK(plan::to_string(moved->at(1), *t.schema()) == "n IS NOT NULL");
    CHECK(holds_all(index, *moved, t));
    CHECK(!holds_all(index, std::vector<Expr>{moved->at(0)}, t));
    CHECK(holds_all(catalog::IndexDef(), {}, t));
    t.columns.erase(t.columns.begin());
    CHECK(!conditions_of(t, index).ok());
    index.conditions.resize(5);
    CHECK(!conditions_of(t, index).ok());
}

}  // namespace
}  // namespace trefoil::access
