// Filters against an evaluator that knows no tricks: random filters over random batches of every
// type, with NULLs, slices, NaN, both zeros and the ends of every range; and the answers that
// matter one by one.

#include "access/filter.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <random>

#include "access/filter_oracle.h"

using namespace trefoil;
using namespace trefoil::access;
using namespace trefoil::access::oracle;
using Kind = Expr::Kind;

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
constexpr int64_t kMax = std::numeric_limits<int64_t>::max();

Value day(int32_t d) {
    return Date{d};
}
Value at(int64_t micros, bool utc = false) {
    return Timestamp{micros, utc};
}
Value dec(int64_t unscaled, int32_t scale) {
    return Decimal{unscaled, scale};
}
Value uuid(uint8_t first, uint8_t last) {
    Uuid u;
    u.bytes[0] = first, u.bytes[15] = last;
    return u;
}
Value big(uint64_t v) {
    return v > static_cast<uint64_t>(kMax) ? Value(Decimal{static_cast<__int128>(v), 0})
                                           : Value(static_cast<int64_t>(v));
}

// A column type, the values that its rows are drawn from, and what they may be compared with.
struct Domain {
    arrow::Type type;
    std::vector<Value> values;
    std::vector<Value> literals;  // besides the values
};

const std::vector<Domain>& domains() {
    constexpr int64_t kDay = 86'400'000'000;
    static const std::string long_text = "abcdefghijklmnopqrstuvwxyz";
    static const std::vector<Domain> all = {
        {arrow::boolean(), {false, true}, {}},
        {arrow::int16(),
         {-32768, -1, 0, 1, 2, 3, 32767},
         {-32769, 32768, kMin, kMax, 2.5, -0.5, 1e30, -kInf, dec(25, 1), dec(-5, 1), dec(20, 1)}},
        {arrow::int32(),
         {-2147483648L, -7, 0, 5, 6, 2147483647},
         {-2147483649L, 2147483648L, 5.5, 5.0, -1e18, dec(55, 1), dec(1, 18)}},
        {arrow::int64(),
         {kMin, kMin + 1, -1, 0, 1, 1000000, kMax - 1, kMax},
         {0.5, -0.5, 1e20, -1e300, kInf, dec(15, 1), dec(-1, 3)}},
        {arrow::uint64(), {0, 1, big(kMax), big(1ull << 63), big(~0ull)}, {-1, kMin, 1.5, -kInf}},
        {arrow::float32(),
         {0.0, -0.0, 1.5, -1.5, kNan, -kNan, kInf, -kInf, 16777216.0, double{1e-45f}},
         {0, 1, 0.1, -0.1, 1e-300, -1e-300, 1e300, -1e300, 16777217, kNan}},
        {arrow::float64(),
         {0.0, -0.0, 0.1, -0.1, kNan, -kNan, kInf, -kInf, 1e308, 5e-324, 3.0},
         {0, 3, -3, int64_t{1} << 53}},
        {arrow::decimal(12, 2),
         {dec(0, 2), dec(-1, 2), dec(1, 2), dec(150, 2), dec(999999999999, 2), dec(-150, 2)},
         {0, 1, -2, dec(15, 1), dec(1505, 3), dec(-1505, 3), dec(1, 9), dec(-1, 9)}},
        {arrow::utf8_view(),
         {"", "a", "ab", "abcd", "abce", "abcdefghijkl", "abcdefghijklm", "abcdefghijkln",
          long_text, "Łódź", "żółw", "a%b", "a_b", "A\nB", "\u212aelvin", "kelvin",
          "mi\u017f\u017f", "MISS", "aaaaaaaaaaaaaaaaaaaaaaaaaaaab"},
         {"abc", "b", "zzz", "abcdefghijklmnop", "Ł"}},
        {arrow::binary_view(),
         {Blob{""}, Blob{std::string("\0", 1)}, Blob{"\xff\xfe"}, Blob{"0123456789abcdef"}},
         {Blob{"0123456789abcdeg"}, Blob{std::string("\0\0", 2)}}},
        {arrow::date32(),
         {day(0), day(-1), day(19000), day(INT32_MIN), day(INT32_MAX)},
         {at(0), at(1), at(-1), at(19000 * kDay), at(19000 * kDay + 5), at(kMax), at(kMin)}},
        {arrow::time64(), {Time{0}, Time{1}, Time{86'399'999'999}}, {Time{2}}},
        {arrow::timestamp(),
         {at(kMin), at(-1), at(0), at(1), at(kDay), at(kMax)},
         {day(0), day(1), day(-1), day(INT32_MAX), day(INT32_MIN)}},
        {arrow::timestamp("UTC"), {at(-5, true), at(0, true), at(5, true)}, {at(4, true)}},
        {arrow::fixed_size_binary(16),
         {uuid(0, 0), uuid(0, 1), uuid(127, 0), uuid(128, 0), uuid(255, 255)},
         {uuid(128, 1), Blob{std::string(16, '\x7f')}}},
    };
    return all;
}

arrow::Schema all_columns() {
    // Each domain twice, so that columns of one type can be compared, and one that only IS NULL
    // understands.
    arrow::Schema schema;
    for (int copy = 0; copy < 2; copy++) {
        for (const Domain& d : domains()) {
            schema.fields.push_back({"c" + std::to_string(schema.fields.size()), d.type, true});
        }
    }
    schema.fields.push_back({"span", arrow::interval(), true});
    return schema;
}

using Random = std::mt19937_64;
uint64_t below(Random& r, uint64_t n) {
    return r() % n;
}
template <typename T>
const T& pick(Random& r, const std::vector<T>& from) {
    return from[below(r, from.size())];
}

const Domain& domain(uint32_t column) {
    return domains()[column % domains().size()];
}

Value random_literal(Random& r, uint32_t column) {
    const Domain& d = domain(column);
    if (below(r, 25) == 0) return Value();
    if (below(r, 2) == 0 && !d.literals.empty()) return pick(r, d.literals);
    return pick(r, d.values);
}

std::string random_pattern(Random& r, bool ascii) {
    static const std::vector<std::string> pieces = {"a",  "b", "ab", "abcd", "%",   "%",  "_",
                                                    "\\", "k", "S",  "l",    "\\%", "\\_"};
    std::string p;
    for (uint64_t n = below(r, 6); n > 0; n--) {
        p += below(r, 8) == 0 && !ascii ? "ó" : pick(r, pieces);
    }
    return p;
}

Expr node(Kind kind, std::vector<Expr> children) {
    Expr e;
    e.kind = kind;
    e.children = std::move(children);
    return e;
}

Expr random_leaf(Random& r) {
    const auto n = static_cast<uint32_t>(domains().size());
    const auto c = static_cast<uint32_t>(below(r, 2 * n));
    Expr column = Expr::column(c);
    const auto op = static_cast<CompareOp>(below(r, 6));
    switch (below(r, 12)) {
        case 0:
            return node(Kind::kIsNull, {Expr::column(static_cast<uint32_t>(below(r, 2 * n + 1)))});
        case 1: {
            Expr in = node(Kind::kInList, {column});
            in.negated = below(r, 2);
            for (uint64_t i = 1 + below(r, 6); i > 0; i--) {
                in.children.push_back(Expr::literal(random_literal(r, c)));
            }
            return in;
        }
        case 2:
        case 3: {
            Expr like =
                node(Kind::kLike, {Expr::column(8 + n * static_cast<uint32_t>(below(r, 2)))});
            like.negated = below(r, 2);
            like.ignore_case = below(r, 2);
            like.children.push_back(Expr::literal(random_pattern(r, like.ignore_case)));
            return like;
        }
        case 4:
            return Expr::compare(op, column, Expr::column((c + n) % (2 * n)));
        case 5:
            return Expr::column(n * static_cast<uint32_t>(below(r, 2)));
        case 6:
            return Expr::compare(op, Expr::literal(random_literal(r, c)), column);
        case 7:
            if (below(r, 10) == 0) return Expr::literal(below(r, 2) ? Value(true) : Value());
            [[fallthrough]];
        default:
            return Expr::compare(op, column, Expr::literal(random_literal(r, c)));
    }
}

Expr random_filter(Random& r, int depth) {
    switch (depth == 0 ? 9 : below(r, 10)) {
        case 0:
        case 1:
        case 2:
            return Expr::both(random_filter(r, depth - 1), random_filter(r, depth - 1));
        case 3:
        case 4: {
            std::vector<Expr> children;
            for (uint64_t n = 2 + below(r, 2); n > 0; n--) {
                children.push_back(random_filter(r, depth - 1));
            }
            return node(Kind::kOr, children);
        }
        case 5:
        case 6:
            return node(Kind::kNot, {random_filter(r, depth - 1)});
        default:
            return random_leaf(r);
    }
}

struct Table {
    std::vector<Row> rows;
    arrow::Batch batch;
    std::vector<ColumnStatistics> zones;
};

// Random rows. Of the values of a domain a table uses a few only, so that zone maps have something
// to say.
Table random_table(Random& r, const arrow::SchemaPtr& schema, size_t row_count) {
    Table t;
    t.rows.assign(row_count, {});
    t.batch = {schema, static_cast<int64_t>(row_count), {}};
    for (uint32_t c = 0; c < schema->fields.size(); c++) {
        const arrow::Type& type = schema->fields[c].type;
        const auto offset = static_cast<int64_t>(below(r, 3) == 0 ? below(r, 70) : 0);
        const uint64_t nulls = below(r, 4);  // 0: none .. 3: many
        std::vector<Value> few;
        for (uint64_t n = 1 + below(r, 6); n > 0; n--) {
            few.push_back(type == arrow::interval() ? Value(Interval{1, 2, 3})
                                                    : pick(r, domain(c).values));
        }
        std::vector<Value> values;
        ColumnStatistics zone;
        zone.null_count = 0;
        for (size_t i = 0; i < row_count + static_cast<size_t>(offset); i++) {
            const bool null = nulls > 0 && below(r, nulls == 3 ? 2 : 10) == 0;
            values.push_back(null ? Value() : pick(r, few));
            if (i < static_cast<size_t>(offset)) continue;
            const Value& v = values.back();
            t.rows[i - static_cast<size_t>(offset)].push_back(v);
            if (v.is_null()) {
                ++*zone.null_count;
            } else if (type != arrow::interval()) {
                if (zone.min.is_null() || order_of(v, zone.min) < 0) zone.min = v;
                if (zone.max.is_null() || order_of(v, zone.max) > 0) zone.max = v;
            }
        }
        t.zones.push_back(zone);
        t.batch.columns.push_back(make_array(type, values, offset));
    }
    return t;
}

std::vector<uint32_t> expected(const Expr& filter, const Table& table) {
    std::vector<uint32_t> rows;
    for (uint32_t i = 0; i < table.rows.size(); i++) {
        if (evaluate(filter, table.rows[i]) == true) rows.push_back(i);
    }
    return rows;
}

std::vector<uint32_t> selected(const FilterProgram& program, const arrow::Batch& batch) {
    Selection s;
    program.select(batch, &s);
    std::vector<uint32_t> rows;
    s.offsets(&rows);
    REQUIRE(rows.size() == static_cast<size_t>(s.count));
    return rows;
}

bool may(const FilterProgram& program, const Table& table) {
    std::vector<ColumnStatistics> zones;
    for (uint32_t c : program.columns()) zones.push_back(table.zones[c]);
    return program.may_match(zones, table.rows.size());
}

// One column of `type`, with these values, under this filter: the numbers of the rows that pass.
std::vector<uint32_t> rows_of(const arrow::Type& type, const std::vector<Value>& values,
                              const Expr& filter) {
    auto schema = std::make_shared<arrow::Schema>(arrow::Schema{{{"c", type, true}}});
    Result<FilterProgram> program = FilterProgram::compile({&filter, 1}, *schema);
    REQUIRE(program.ok());
    return selected(*program,
                    {schema, static_cast<int64_t>(values.size()), {make_array(type, values)}});
}

FilterSupport support(const arrow::Type& type, Value literal) {
    return supports(Expr::compare(CompareOp::kLess, Expr::column(0), Expr::literal(literal)),
                    {{{"c", type, true}}});
}

using Rows = std::vector<uint32_t>;

}  // namespace

TEST_CASE("random filters over random batches pass the rows that the oracle passes") {
    Random r(42);
    auto schema = std::make_shared<arrow::Schema>(all_columns());
    size_t passed = 0, refused = 0, skipped = 0, filters = 0;
    for (int round = 0; round < 300; round++) {
        const size_t sizes[] = {1, 7, 63, 64, 65, 200, 2048, 2200};
        Table table = random_table(r, schema, sizes[below(r, round % 10 == 0 ? 8 : 6)]);
        for (int i = 0; i < 40; i++) {
            Expr filter = random_filter(r, 3);
            REQUIRE(supports(filter, *schema) == FilterSupport::kExact);
            Result<FilterProgram> program = FilterProgram::compile({&filter, 1}, *schema);
            REQUIRE(program.ok());
            Rows want = expected(filter, table);
            INFO(to_string(filter, *schema));
            REQUIRE(selected(*program, table.batch) == want);
            const bool possible = may(*program, table);
            REQUIRE((possible || want.empty()));
            passed += want.size();
            refused += table.rows.size() - want.size();
            skipped += !possible;
            filters++;
        }
    }
    // The trial is worth something only if neither answer is rare.
    CHECK(passed > 100000);
    CHECK(refused > 100000);
    CHECK(skipped > filters / 20);
}

TEST_CASE("several filters must all hold, and no filter passes every row") {
    auto schema = std::make_shared<arrow::Schema>(arrow::Schema{{{"c", arrow::int64(), true}}});
    arrow::Batch batch{schema, 100, {}};
    std::vector<Value> values;
    for (int i = 0; i < 100; i++) values.push_back(i);
    batch.columns.push_back(make_array(arrow::int64(), values));
    std::vector<Expr> filters = {
        Expr::compare(CompareOp::kGreaterEqual, Expr::column(0), Expr::literal(10)),
        Expr::compare(CompareOp::kLess, Expr::column(0), Expr::literal(13))};
    Result<FilterProgram> program = FilterProgram::compile(filters, *schema);
    REQUIRE(program.ok());
    CHECK(selected(*program, batch) == Rows{10, 11, 12});
    CHECK(program->columns() == Rows{0});

    Result<FilterProgram> none = FilterProgram::compile({}, *schema);
    REQUIRE(none.ok());
    CHECK(none->is_always());
    CHECK(none->columns().empty());
    Selection s;
    none->select(batch, &s);
    CHECK(s.all());
}

TEST_CASE("a literal that the column's type cannot hold moves the bound, not the answer") {
    auto filter = [](CompareOp op, Value v) {
        return Expr::compare(op, Expr::column(0), Expr::literal(std::move(v)));
    };
    const std::vector<Value> ints = {1, 2, 3, Value()};
    CHECK(rows_of(arrow::int64(), ints, filter(CompareOp::kLess, 2.5)) == Rows{0, 1});
    CHECK(rows_of(arrow::int64(), ints, filter(CompareOp::kGreaterEqual, 2.5)) == Rows{2});
    CHECK(rows_of(arrow::int64(), ints, filter(CompareOp::kEqual, 2.5)) == Rows{});
    CHECK(rows_of(arrow::int64(), ints, filter(CompareOp::kNotEqual, 2.5)) == Rows{0, 1, 2});
    CHECK(rows_of(arrow::int16(), ints, filter(CompareOp::kLess, 70000)) == Rows{0, 1, 2});
    CHECK(rows_of(arrow::int16(), ints, filter(CompareOp::kGreater, 70000)) == Rows{});
    CHECK(rows_of(arrow::int16(), ints, filter(CompareOp::kEqual, -70000)) == Rows{});
    const std::vector<Value> days = {day(0), day(1)};
    CHECK(rows_of(arrow::date32(), days, filter(CompareOp::kLess, at(1))) == Rows{0});
    CHECK(rows_of(arrow::date32(), days, filter(CompareOp::kEqual, at(86'400'000'000))) == Rows{1});
    Value huge = Decimal{kMax, -30};  // kMax * 10^30: beyond 128 bits
    CHECK(rows_of(arrow::decimal(38, 0), {dec(1, 0)}, filter(CompareOp::kLess, huge)) == Rows{0});
    Value tiny = Decimal{-1, 100};
    CHECK(rows_of(arrow::decimal(38, 0), {dec(0, 0), dec(-1, 0)}, filter(CompareOp::kLess, tiny)) ==
          Rows{1});
}

TEST_CASE("what would need a guess is not understood") {
    CHECK(support(arrow::int64(), 2.5) == FilterSupport::kExact);
    CHECK(support(arrow::int64(), 9.1e15) == FilterSupport::kNone);  // SQL compares rounded doubles
    CHECK(support(arrow::int64(), 1e19) == FilterSupport::kNone);
    CHECK(support(arrow::int64(), kNan) == FilterSupport::kNone);
    CHECK(support(arrow::int32(), 9.1e15) == FilterSupport::kExact);
    CHECK(support(arrow::float64(), kMax) == FilterSupport::kNone);
    CHECK(support(arrow::int64(), "7") == FilterSupport::kNone);
    CHECK(support(arrow::boolean(), 1) == FilterSupport::kNone);
    CHECK(support(arrow::decimal(10, 2), 1.5) == FilterSupport::kNone);
    CHECK(support(arrow::timestamp("UTC"), at(0)) == FilterSupport::kNone);
    CHECK(support(arrow::timestamp("UTC"), day(0)) == FilterSupport::kNone);
    CHECK(support(arrow::utf8_view(), Blob{"x"}) == FilterSupport::kNone);
    CHECK(support(arrow::interval(), Interval{}) == FilterSupport::kNone);
    CHECK(support(arrow::list(arrow::int64()), Value::List{1}) == FilterSupport::kNone);

    arrow::Schema text{{{"c", arrow::utf8_view(), true}, {"d", arrow::int64(), true}}};
    Expr like = node(Kind::kLike, {Expr::column(0), Expr::literal("ó%")});
    CHECK(supports(like, text) == FilterSupport::kExact);
    like.ignore_case = true;
    CHECK(supports(like, text) == FilterSupport::kNone);
    CHECK(supports(Expr(), text) == FilterSupport::kNone);  // opaque
    CHECK(supports(Expr::both(Expr::literal(true), Expr()), text) == FilterSupport::kNone);
    CHECK(supports(Expr::compare(CompareOp::kEqual, Expr::column(0), Expr::column(1)), text) ==
          FilterSupport::kNone);
    CHECK(supports(Expr::compare(CompareOp::kEqual, Expr::column(9), Expr::literal(1)), text) ==
          FilterSupport::kNone);
}

TEST_CASE("a parameter is understood if its inferred type is the column's") {
    arrow::Schema schema{{{"c", arrow::int64(), true}}};
    Expr p = Expr::parameter(0);
    Expr filter = Expr::compare(CompareOp::kEqual, Expr::column(0), p);
    CHECK(supports(filter, schema) == FilterSupport::kNone);
    filter.children[1].type = arrow::int64();
    CHECK(supports(filter, schema) == FilterSupport::kExact);
    Result<FilterProgram> program = FilterProgram::compile({&filter, 1}, schema);
    REQUIRE_FALSE(program.ok());
    CHECK(program.status().sqlstate() == "08P01");
    filter.children[1].type = arrow::utf8_view();
    CHECK(supports(filter, schema) == FilterSupport::kNone);
}

TEST_CASE("what is not understood is named in the error") {
    arrow::Schema schema{{{"span", arrow::interval(), true}}};
    Expr filter = Expr::compare(CompareOp::kEqual, Expr::column(0), Expr::parameter(0));
    Result<FilterProgram> program = FilterProgram::compile({&filter, 1}, schema);
    REQUIRE_FALSE(program.ok());
    CHECK(program.status().code() == Code::kUnsupported);
    CHECK(program.status().message().find("span = $1") != std::string::npos);
}

TEST_CASE("IN finds the values of long lists, near together and far apart") {
    Random r(7);
    for (int64_t step : {int64_t{1}, int64_t{1} << 40}) {
        Expr in = node(Kind::kInList, {Expr::column(0)});
        std::vector<Value> values;
        for (int64_t i = -500; i < 500; i++) {
            in.children.push_back(Expr::literal(i * 2 * step));
            values.push_back(static_cast<int64_t>(i * step));
        }
        Rows rows = rows_of(arrow::int64(), values, in);
        REQUIRE(rows.size() == 500);
        for (uint32_t row : rows) REQUIRE(row % 2 == 0);
        in.negated = true;
        CHECK(rows_of(arrow::int64(), values, in).size() == 500);
    }
    Expr in = node(Kind::kInList, {Expr::column(0)});
    for (int i = 0; i < 1000; i++) in.children.push_back(Expr::literal("key " + std::to_string(i)));
    CHECK(rows_of(arrow::utf8_view(), {"key 7", "key 1000", Value(), "key 999"}, in) == Rows{0, 3});
}

TEST_CASE("IN with NULL is never false, so NOT IN with NULL is never true") {
    Expr in = node(Kind::kInList, {Expr::column(0), Expr::literal(1), Expr::literal(Value())});
    CHECK(rows_of(arrow::int64(), {1, 2, Value()}, in) == Rows{0});
    in.negated = true;
    CHECK(rows_of(arrow::int64(), {1, 2, Value()}, in) == Rows{});
}

TEST_CASE("zones keep chunks out that cannot match, and only those") {
    arrow::Schema schema{{{"c", arrow::int64(), true}}};
    ColumnStatistics zone;
    zone.min = 10, zone.max = 20, zone.null_count = 0;
    auto possible = [&](const Expr& filter) {
        Result<FilterProgram> p = FilterProgram::compile({&filter, 1}, schema);
        return p->may_match({&zone, p->columns().size()}, 100);
    };
    auto cmp = [](CompareOp op, Value v) {
        return Expr::compare(op, Expr::column(0), Expr::literal(v));
    };
    CHECK_FALSE(possible(cmp(CompareOp::kLess, 10)));
    CHECK(possible(cmp(CompareOp::kLessEqual, 10)));
    CHECK_FALSE(possible(cmp(CompareOp::kEqual, 21)));
    CHECK_FALSE(possible(cmp(CompareOp::kGreater, 20)));
    CHECK(possible(cmp(CompareOp::kNotEqual, 10)));
    CHECK_FALSE(possible(node(Kind::kIsNull, {Expr::column(0)})));
    Expr in = node(Kind::kInList, {Expr::column(0), Expr::literal(9), Expr::literal(21)});
    CHECK_FALSE(possible(in));
    in.children.push_back(Expr::literal(15));
    CHECK(possible(in));
    zone.max = 10;
    CHECK_FALSE(possible(cmp(CompareOp::kNotEqual, 10)));
    zone.null_count = 100;
    CHECK_FALSE(possible(cmp(CompareOp::kLessEqual, 10)));
    CHECK(possible(node(Kind::kIsNull, {Expr::column(0)})));
    zone = {};  // nothing known
    CHECK(possible(cmp(CompareOp::kLess, 10)));
    CHECK(possible(node(Kind::kIsNull, {Expr::column(0)})));
}

TEST_CASE("a bound that is NaN says nothing, whichever way its maker sorts NaN") {
    arrow::Schema schema{{{"c", arrow::float64(), true}}};
    for (double nan : {kNan, -kNan}) {
        ColumnStatistics zone;
        zone.min = 1.0, zone.max = nan, zone.null_count = 0;
        for (CompareOp op : {CompareOp::kLess, CompareOp::kGreater}) {
            Expr filter = Expr::compare(op, Expr::column(0), Expr::literal(0.0));
            Result<FilterProgram> p = FilterProgram::compile({&filter, 1}, schema);
            CHECK(p->may_match({&zone, 1}, 10));
        }
    }
}

TEST_CASE("the offsets of a selection are its bits, in order") {
    Random r(3);
    for (int round = 0; round < 200; round++) {
        Selection s;
        s.rows = 1 + static_cast<int64_t>(below(r, 500));
        Rows want;
        s.words.assign(static_cast<size_t>(s.rows + 63) / 64, 0);
        for (uint32_t i = 0; i < s.rows; i++) {
            if (below(r, 4) <= static_cast<uint64_t>(round) / 50) {
                s.words[i / 64] |= uint64_t{1} << (i % 64);
                want.push_back(i);
            }
        }
        s.count = static_cast<int64_t>(want.size());
        Rows rows;
        s.offsets(&rows);
        REQUIRE(rows == want);
    }
}
