// The shares that conditions are expected to keep, over statistics made up by hand.

#include "access/selectivity.h"

#include <cmath>

#include <doctest/doctest.h>

namespace trefoil::access {
namespace {

using plan::CompareOp;
using plan::Expr;

// Column 0: BIGINT 0 to 999, each once. Column 1: 20 different texts, a tenth NULL.
table::TableStatistics thousand() {
    table::TableStatistics t;
    t.rows = 1000;
    t.columns.resize(2);
    t.columns[0].distinct = 1000;
    t.columns[0].min = Value(0);
    t.columns[0].max = Value(999);
    t.columns[1].distinct = 20;
    t.columns[1].null_count = 100;
    return t;
}

Expr compare(uint32_t column, CompareOp op, Value v) {
    return Expr::compare(op, Expr::column(column), Expr::literal(std::move(v)));
}

double share(const Expr& e, const table::TableStatistics& t = thousand()) {
    return selectivity(e, t);
}

TEST_CASE("an equality keeps one of the different values, and nothing out of bounds") {
    CHECK(share(compare(0, CompareOp::kEqual, Value(7))) == doctest::Approx(0.001));
    CHECK(share(compare(0, CompareOp::kEqual, Value(5000))) == 0);
    CHECK(share(compare(1, CompareOp::kEqual, Value("x"))) == doctest::Approx(0.9 / 20));
    CHECK(share(compare(1, CompareOp::kNotEqual, Value("x"))) == doctest::Approx(0.9 - 0.9 / 20));
    CHECK(share(compare(0, CompareOp::kEqual, Value())) == 0);
}

TEST_CASE("ranges are measured between the bounds, two over one column together") {
    CHECK(share(compare(0, CompareOp::kLess, Value(250))) == doctest::Approx(0.25).epsilon(0.01));
    CHECK(share(compare(0, CompareOp::kGreaterEqual, Value(900))) ==
          doctest::Approx(0.1).epsilon(0.02));
    CHECK(share(compare(0, CompareOp::kGreater, Value(99999))) == 0);
    const Expr both = Expr::both(compare(0, CompareOp::kGreaterEqual, Value(400)),
                                 compare(0, CompareOp::kLess, Value(500)));
    CHECK(share(both) == doctest::Approx(0.1).epsilon(0.02));
    // The literal first: 250 > id.
    const Expr mirrored =
        Expr::compare(CompareOp::kGreater, Expr::literal(Value(250)), Expr::column(0));
    CHECK(share(mirrored) == doctest::Approx(0.25).epsilon(0.01));
}

TEST_CASE("common values and quantiles count before bounds") {
    table::ColumnAnalysis analysis;
    analysis.distinct = 500;
    analysis.common = {{Value(7), 0.5}};
    analysis.quantiles = {Value(0), Value(10), Value(20), Value(999)};
    table::TableStatistics t = thousand();
    t.columns[0].analysis = &analysis;
    CHECK(share(compare(0, CompareOp::kEqual, Value(7)), t) == 0.5);
    CHECK(share(compare(0, CompareOp::kEqual, Value(8)), t) == doctest::Approx(0.5 / 999));
    // A third of the other half lies below 10, and the common 7.
    CHECK(share(compare(0, CompareOp::kLess, Value(10)), t) == doctest::Approx(0.5 + 0.5 / 3));
    CHECK(share(compare(0, CompareOp::kGreater, Value(20)), t) ==
          doctest::Approx(0.5 / 3).epsilon(0.02));
}

TEST_CASE("AND multiplies, OR adds what is not in both, IN adds, NOT is the rest") {
    const Expr small = compare(0, CompareOp::kLess, Value(100));
    Expr either;
    either.kind = Expr::Kind::kOr;
    either.children = {small, compare(1, CompareOp::kEqual, Value("x"))};
    CHECK(share(either) == doctest::Approx(1 - 0.9 * (1 - 0.045)).epsilon(0.01));
    Expr list;
    list.kind = Expr::Kind::kInList;
    list.children = {Expr::column(0), Expr::literal(Value(1)), Expr::literal(Value(2))};
    CHECK(share(list) == doctest::Approx(0.002));
    list.negated = true;
    CHECK(share(list) == doctest::Approx(0.998));
    Expr not_small;
    not_small.kind = Expr::Kind::kNot;
    not_small.children = {small};
    CHECK(share(not_small) == doctest::Approx(0.9).epsilon(0.01));
    Expr null;
    null.kind = Expr::Kind::kIsNull;
    null.children = {Expr::column(1)};
    CHECK(share(null) == doctest::Approx(0.1));
    CHECK(share(Expr::literal(Value(false))) == 0);
}

TEST_CASE("a share is a share, whatever the condition is made of") {
    Expr opaque;
    opaque.kind = Expr::Kind::kOpaque;
    const double usual = share(opaque);
    CHECK(usual > 0);
    CHECK(usual < 1);
    for (const Value& v : {Value(std::nan("")), Value("text"), Value(Date{3}), Value(true)}) {
        for (CompareOp op : {CompareOp::kEqual, CompareOp::kLess, CompareOp::kGreaterEqual}) {
            const double s = share(compare(0, op, v));
            CHECK(s >= 0);
            CHECK(s <= 1);
        }
    }
    CHECK(share(compare(9, CompareOp::kLess, Value(1))) <= 1);
}

TEST_CASE("of few rows taken, few different values are left") {
    CHECK(distinct_among(1000, 1000, 20) == 20);
    CHECK(distinct_among(10, 1000, 1000) == doctest::Approx(10).epsilon(0.01));
    CHECK(distinct_among(500, 1000, 2) == doctest::Approx(2));
    CHECK(distinct_among(0, 1000, 5) == 1);
}

}  // namespace
}  // namespace trefoil::access
