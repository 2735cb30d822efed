// Literals in and out. Each table was taken from PostgreSQL 15 (timezone UTC, intervalstyle
// postgres): what a literal prints as, or the SQLSTATE it is refused with.

#include "base/text_format.h"

#include <doctest/doctest.h>

#include <chrono>
#include <cmath>
#include <limits>
#include <random>

#include "base/date.h"
#include "base/utf8.h"

namespace trefoil {
namespace {

struct Sample {
    const char* literal;
    const char* printed;
};

// Reads with `parse(text, &value)`, prints with `append(value, &text)`.
template <typename T, typename Parse, typename Append>
void check_samples(std::initializer_list<Sample> samples, Parse parse, Append append) {
    for (const Sample& s : samples) {
        CAPTURE(s.literal);
        T value{};
        REQUIRE(parse(std::string_view(s.literal), &value) == Parsed::kOk);
        std::string text;
        append(value, &text);
        CHECK(text == s.printed);
    }
}

void print_timestamp(const Timestamp& v, std::string* out) {
    out->append(Value(v).to_string());
}

TEST_CASE("doubles print as the shortest text, with an exponent where PostgreSQL has one") {
    check_samples<double>({{"1", "1"},
                           {"0", "0"},
                           {"-0", "-0"},
                           {"0.1", "0.1"},
                           {"999.99", "999.99"},
                           {"1e14", "100000000000000"},
                           {"1e15", "1e+15"},
                           {"123456789012345", "123456789012345"},
                           {"1234567890123456", "1.234567890123456e+15"},
                           {"0.0001", "0.0001"},
                           {"0.00001", "1e-05"},
                           {"1e300", "1e+300"},
                           {"-1.5e-7", "-1.5e-07"},
                           {"NaN", "NaN"},
                           {"Infinity", "Infinity"},
                           {"-Infinity", "-Infinity"},
                           {"1e-320", "1e-320"},
                           {"123456.789", "123456.789"},
                           {"0.30000000000000004", "0.30000000000000004"},
                           {" +1e22 ", "1e+22"}},
                          parse_double, append_double);
    check_samples<float>({{"1", "1"},
                          {"0.1", "0.1"},
                          {"100000", "100000"},
                          {"1e6", "1e+06"},
                          {"1234567", "1.234567e+06"},
                          {"123456", "123456"},
                          {"0.0001", "0.0001"},
                          {"0.00001", "1e-05"},
                          {"3.4e38", "3.4e+38"},
                          {"999999.5", "999999.5"},
                          {"16777216", "1.6777216e+07"}},
                         parse_float, append_float);
}

TEST_CASE("every double reads back as itself") {
    std::mt19937_64 random(3);
    for (int i = 0; i < 20000; i++) {
        const double v = std::bit_cast<double>(random());
        if (!std::isfinite(v)) continue;
        std::string text;
        append_double(v, &text);
        double back = 0;
        REQUIRE(parse_double(text, &back) == Parsed::kOk);
        REQUIRE(std::bit_cast<uint64_t>(back) == std::bit_cast<uint64_t>(v));
    }
}

TEST_CASE("intervals read in every style and print in the default one") {
    check_samples<Interval>(
        {{"1 year 2 mons 3 days 04:05:06.789", "1 year 2 mons 3 days 04:05:06.789"},
         {"-1 year", "-1 years"},
         {"-1 mon", "-1 mons"},
         {"1 mon -1 day", "1 mon -1 days"},
         {"-1 day 02:03", "-1 days +02:03:00"},
         {"0", "00:00:00"},
         {"1.5 days", "1 day 12:00:00"},
         {"1.5 months", "1 mon 15 days"},
         {"0.5 year", "6 mons"},
         {"1.55 years", "1 year 7 mons"},
         {"1 day ago", "-1 days"},
         {"1-2", "1 year 2 mons"},
         {"-1-2", "-1 years -2 mons"},
         {"3 4:05:06", "3 days 04:05:06"},
         {"P1Y2M3DT4H5M6.7S", "1 year 2 mons 3 days 04:05:06.7"},
         {"PT36H", "36:00:00"},
         {"P1W", "7 days"},
         {"@ 1 minute", "00:01:00"},
         {"1 week 2 days", "9 days"},
         {"5", "00:00:05"},
         {"5.25", "00:00:05.25"},
         {"-5", "-00:00:05"},
         {"1 hour -1 sec", "00:59:59"},
         {"-00:00:00.1", "-00:00:00.1"},
         {"2 decades", "20 years"},
         {"1 century", "100 years"},
         {"1.5 weeks", "10 days 12:00:00"},
         {"3.7 hours", "03:42:00"},
         {"100:00:00", "100:00:00"},
         {"1 mon 2 days 3:4", "1 mon 2 days 03:04:00"},
         {"1 microsecond", "00:00:00.000001"},
         {"12:30", "12:30:00"},
         {"-3 4:05", "-3 days +04:05:00"},
         {"+1 day", "1 day"},
         {"1.1 mons", "1 mon 3 days"},
         {"0.7 mon", "21 days"},
         {"1y 2mon 3d 4h 5m 6s", "1 year 2 mons 3 days 04:05:06"},
         {"-1.5 days", "-1 days -12:00:00"}},
        parse_interval, append_interval);
    std::string extreme;
    append_interval({INT32_MIN, INT32_MIN, INT64_MIN}, &extreme);
    CHECK(extreme == "-178956970 years -8 mons -2147483648 days -2562047:47:16.854775807");
}

TEST_CASE("dates, times and timestamps read and print as in PostgreSQL") {
    check_samples<Date>({{"2024-02-29", "2024-02-29"},
                         {"0044-03-15 BC", "0044-03-15 BC"},
                         {"10000-01-01", "10000-01-01"},
                         {"0001-01-01", "0001-01-01"},
                         {"2024/2/9", "2024-02-09"},
                         {"20240229", "2024-02-29"},
                         {" 2024-01-01 12:30:00 ", "2024-01-01"},
                         {"1969-12-31", "1969-12-31"}},
                        parse_date, [](Date d, std::string* out) { append_date(d.days, out); });
    check_samples<Time>({{"12:00", "12:00:00"},
                         {"04:05:06.789", "04:05:06.789"},
                         {"24:00", "24:00:00"},
                         {"1:02:03 pm", "13:02:03"},
                         {"12:00 AM", "00:00:00"},
                         {"040506", "04:05:06"},
                         {"0405", "04:05:00"},
                         {"23:59:59.9999999", "24:00:00"},
                         {"23:59:60", "24:00:00"},
                         {"04:05:06+02", "04:05:06"}},
                        parse_time,
                        [](Time t, std::string* out) { append_time(t.micros * 1000, out); });
    check_samples<Timestamp>(
        {{"2024-02-29 12:00:00.123", "2024-02-29 12:00:00.123"},
         {"2024-02-29T12:00:00Z", "2024-02-29 12:00:00"},
         {"2024-02-29", "2024-02-29 00:00:00"},
         {"1969-12-31 23:59:59.999999", "1969-12-31 23:59:59.999999"},
         {"2024-02-29 12:00:00+05", "2024-02-29 12:00:00"},
         {"0044-03-15 12:00:00 BC", "0044-03-15 12:00:00 BC"},
         {"2024-02-29 24:00", "2024-03-01 00:00:00"},
         {"20240229T120000", "2024-02-29 12:00:00"},
         {"2024-02-29 1:02 PM", "2024-02-29 13:02:00"}},
        [](std::string_view s, Timestamp* t) { return parse_timestamp(s, false, t); },
        print_timestamp);
    check_samples<Timestamp>(
        {{"2024-02-29 12:00:00.123", "2024-02-29 12:00:00.123+00"},
         {"2024-02-29 12:00:00+05", "2024-02-29 07:00:00+00"},
         {"2024-02-29 12:00:00-0330", "2024-02-29 15:30:00+00"},
         {"2024-02-29 12:00:00+05:30", "2024-02-29 06:30:00+00"},
         {"2024-02-29 12:00 UTC", "2024-02-29 12:00:00+00"},
         {"0044-03-15 12:00:00 BC", "0044-03-15 12:00:00+00 BC"},
         {"2024-02-29 12:00:00 +2", "2024-02-29 10:00:00+00"}},
        [](std::string_view s, Timestamp* t) { return parse_timestamp(s, true, t); },
        print_timestamp);
}

TEST_CASE("decimals round half away from zero to their scale") {
    check_samples<Decimal>(
        {{"12.50", "12.50"},
         {"12.345", "12.35"},
         {"12.355", "12.36"},
         {"-12.345", "-12.35"},
         {"0.005", "0.01"},
         {"0.0049", "0.00"},
         {"1e3", "1000.00"},
         {"1.5e-1", "0.15"},
         {".5", "0.50"},
         {"5.", "5.00"},
         {"0", "0.00"},
         {"-0", "0.00"},
         {"00012.1", "12.10"},
         {"99999999.99", "99999999.99"},
         {"99999999.994", "99999999.99"},
         {"1e-400", "0.00"},
         {"0e999999999999", "0.00"},
         {"  7 ", "7.00"}},
        [](std::string_view s, Decimal* d) {
            d->scale = 2;
            return parse_decimal(s, 10, 2, &d->unscaled);
        },
        [](const Decimal& d, std::string* out) { append_decimal(d.unscaled, d.scale, out); });
    __int128 v;
    CHECK(parse_decimal("99999999.995", 10, 2, &v) == Parsed::kRange);
    CHECK(parse_decimal("100000000", 10, 2, &v) == Parsed::kRange);
    CHECK(parse_decimal("1e999999999999", 38, 0, &v) == Parsed::kRange);
    CHECK(parse_decimal("NaN", 10, 2, &v) == Parsed::kRange);
    for (const char* bad : {"", ".", "-", "1.2.3", "1e", "1e+", "abc", "1 2", "--1", "1,5"}) {
        CAPTURE(bad);
        CHECK(parse_decimal(bad, 10, 2, &v) == Parsed::kSyntax);
    }
    const std::string nines(38, '9');
    REQUIRE(parse_decimal("-" + nines, 38, 0, &v) == Parsed::kOk);
    std::string text;
    append_decimal(v, 0, &text);
    append_decimal(v, 38, &text);
    append_decimal(1, 3, &text);
    append_decimal(-15, -2, &text);
    CHECK(text == "-" + nines + "-0." + nines + "0.001-1500");
    for (int32_t n = 0; n <= 38; n++) {
        std::string power;
        append_decimal(power_of_ten(n), 0, &power);
        CHECK(power == "1" + std::string(static_cast<size_t>(n), '0'));
        power.clear();
        append_decimal(-(power_of_ten(n) / 10) * 7, n, &power);
        CHECK(power == (n == 0 ? "0" : "-0.7" + std::string(static_cast<size_t>(n - 1), '0')));
    }
}

TEST_CASE("decimals change their scale or say that they cannot") {
    __int128 v;
    REQUIRE(rescale(-125, 2, 1, 10, &v));
    CHECK(v == -13);
    REQUIRE(rescale(124, 2, 1, 10, &v));
    CHECK(v == 12);
    REQUIRE(rescale(5, 0, 37, 38, &v));
    CHECK(v == 5 * power_of_ten(37));
    CHECK_FALSE(rescale(10, 0, 37, 38, &v));
    CHECK_FALSE(rescale(1, 0, 40, 38, &v));
    CHECK_FALSE(rescale(995, 2, 1, 2, &v));
    REQUIRE(rescale(0, 0, 100, 38, &v));
    CHECK(v == 0);
    REQUIRE(decimal_from_double(0.1 + 0.2, 10, 5, &v));
    CHECK(v == 30000);
    CHECK_FALSE(decimal_from_double(1e300, 38, 0, &v));
    CHECK_FALSE(decimal_from_double(std::nan(""), 38, 0, &v));
    CHECK(decimal_to_double(12345, 2) == 123.45);
    CHECK(decimal_to_double(-power_of_ten(38) / 3, 30) == -33333333.333333333);
    CHECK(decimal_to_double(1, 38) == 1e-38);
}

TEST_CASE("bytes, booleans and UUIDs have several spellings") {
    check_samples<std::string>({{"\\x00ff", "\\x00ff"},
                                {"abc", "\\x616263"},
                                {"a\\\\b", "\\x615c62"},
                                {"a\\001", "\\x6101"},
                                {"\\xDE AD", "\\xdead"},
                                {"", "\\x"}},
                               parse_bytea, append_bytea);
    const auto print_bool = [](bool v, std::string* out) { out->append(v ? "true" : "false"); };
    check_samples<bool>({{"t", "true"},
                         {"TRUE", "true"},
                         {"y", "true"},
                         {"yes", "true"},
                         {"on", "true"},
                         {"1", "true"},
                         {"f", "false"},
                         {"fa", "false"},
                         {"no", "false"},
                         {"off", "false"},
                         {"of", "false"},
                         {"0", "false"},
                         {" true ", "true"}},
                        parse_bool, print_bool);
    const auto print_uuid = [](const Uuid& v, std::string* out) {
        out->append(Value(v).to_string());
    };
    constexpr auto kUuid = "123e4567-e89b-12d3-a456-426614174000";
    check_samples<Uuid>({{kUuid, kUuid},
                         {"{123E4567-E89B-12D3-A456-426614174000}", kUuid},
                         {"123e4567e89b12d3a456426614174000", kUuid},
                         {"123e-4567-e89b-12d3-a456-4266-1417-4000", kUuid}},
                        parse_uuid, print_uuid);
}

TEST_CASE("arrays take their elements apart and quote them again") {
    const auto parse = [](std::string_view text, Value* value) {
        std::vector<ArrayElement> elements;
        if (Parsed p = parse_array(text, &elements); p != Parsed::kOk) return p;
        Value::List list;
        for (ArrayElement& e : elements) list.push_back(e.null ? Value() : Value(e.text));
        *value = list;
        return Parsed::kOk;
    };
    const auto print = [](const Value& v, std::string* out) { out->append(v.to_string()); };
    check_samples<Value>({{"{a,b}", "{a,b}"},
                          {"{}", "{}"},
                          {"{\"a b\",c}", "{\"a b\",c}"},
                          {"{NULL,null,\"NULL\"}", "{NULL,NULL,\"NULL\"}"},
                          {"{\"\",x}", "{\"\",x}"},
                          {"{a\\\\b,\"q\\\"q\"}", "{\"a\\\\b\",\"q\\\"q\"}"},
                          {"{ a , b }", "{a,b}"},
                          {"{\"{x}\"}", "{\"{x}\"}"},
                          {"{a\\,b}", "{\"a,b\"}"},
                          {"{a b}", "{\"a b\"}"},
                          {"{{a,b},{c,d}}", "{\"{a,b}\",\"{c,d}\"}"}},
                         parse, print);
    for (const char* bad :
         {"", "{", "a", "{a,,b}", "{a", "{a}x", "{a}{b}", "{\"a\"b}", "{a,}", "{\\"}) {
        CAPTURE(bad);
        std::vector<ArrayElement> elements;
        CHECK(parse_array(bad, &elements) == Parsed::kSyntax);
    }
}

template <typename T, typename Parse>
Parsed parsed_as(const char* text, Parse parse) {
    T value{};
    return parse(std::string_view(text), &value);
}

TEST_CASE("what is no literal is told apart from what does not fit") {
    for (const char* bad : {"1.0", "abc", "", "+-5", "--5", "1 2", "0x10", "+"}) {
        CAPTURE(bad);
        CHECK(parsed_as<int64_t>(bad, parse_int64) == Parsed::kSyntax);
    }
    CHECK(parsed_as<int64_t>("9223372036854775808", parse_int64) == Parsed::kRange);
    CHECK(parsed_as<uint64_t>("-1", parse_uint64) == Parsed::kRange);
    CHECK(parsed_as<double>("1e400", parse_double) == Parsed::kRange);
    CHECK(parsed_as<double>("1e-400", parse_double) == Parsed::kRange);
    CHECK(parsed_as<float>("1e50", parse_float) == Parsed::kRange);
    for (const char* bad : {"x", "", "1e", "1.2.3", "+-1", "1,5"}) {
        CHECK(parsed_as<double>(bad, parse_double) == Parsed::kSyntax);
    }
    for (const char* bad : {"2024-13-01", "2024-02-30", "2023-02-29", "0000-01-01", "2024-00-01",
                            "2024-01-00", "5900000-01-01", "2024-01-01 25:00"}) {
        CAPTURE(bad);
        CHECK(parsed_as<Date>(bad, parse_date) == Parsed::kRange);
    }
    for (const char* bad :
         {"x", "", "2024-01", "2024-01-01x", "2024-1-", "2024-01/01", "99999999-1-1"}) {
        CAPTURE(bad);
        CHECK(parsed_as<Date>(bad, parse_date) == Parsed::kSyntax);
    }
    for (const char* bad : {"25:00", "12:60", "13:00 pm", "24:00:01", "00:00:61"}) {
        CAPTURE(bad);
        CHECK(parsed_as<Time>(bad, parse_time) == Parsed::kRange);
    }
    CHECK(parsed_as<Time>("12", parse_time) == Parsed::kSyntax);
    for (const char* bad : {"1 foo", "", "1:2:3:4", "1 2", "P", "PT", "P1H", "1 day ago x", "@",
                            "abc", "1.5-2", "PT1"}) {
        CAPTURE(bad);
        CHECK(parsed_as<Interval>(bad, parse_interval) == Parsed::kSyntax);
    }
    for (const char* bad :
         {"1-13", "5:61", "3000000000 months", "999999999 years", "99999999999 hours"}) {
        CAPTURE(bad);
        CHECK(parsed_as<Interval>(bad, parse_interval) == Parsed::kRange);
    }
    for (const char* bad : {"o", "", "tru e", "2"}) {
        CHECK(parsed_as<bool>(bad, parse_bool) == Parsed::kSyntax);
    }
    for (const char* bad : {"zz", "", "123e4567-e89b-12d3-a456-42661417400", "{", "{}"}) {
        CHECK(parsed_as<Uuid>(bad, parse_uuid) == Parsed::kSyntax);
    }
    for (const char* bad : {"\\xabc", "\\xzz", "\\", "\\9", "\\400"}) {
        CHECK(parsed_as<std::string>(bad, parse_bytea) == Parsed::kSyntax);
    }
    CHECK(literal_error(Parsed::kSyntax, "BIGINT", "abc").sqlstate() == "22P02");
    CHECK(literal_error(Parsed::kRange, "SMALLINT", "70000").sqlstate() == "22003");
    CHECK(literal_error(Parsed::kSyntax, "DATE", "x").sqlstate() == "22007");
    CHECK(literal_error(Parsed::kRange, "TIMESTAMPTZ", "x").sqlstate() == "22008");
    const Status cut = literal_error(Parsed::kSyntax, "BIGINT", std::string(99, 'a') + "\xc3\xa9");
    CHECK(is_utf8(cut.message()));
}

TEST_CASE("the calendar agrees with the standard library's over ten thousand years") {
    using namespace std::chrono;
    for (int64_t day = -1'000'000; day < 2'700'000; day += 3) {
        const CivilDate date = civil_from_days(day);
        REQUIRE(days_from_civil(date) == day);
        if (day % 2 != 0) continue;
        const year_month_day expected{sys_days{days{day}}};
        REQUIRE(date.year == int{expected.year()});
        REQUIRE(static_cast<unsigned>(date.month) == unsigned{expected.month()});
        REQUIRE(static_cast<unsigned>(date.day) == unsigned{expected.day()});
    }
    for (int64_t day : {int64_t{INT32_MIN}, int64_t{INT32_MAX}, int64_t{-106'751'992}}) {
        CHECK(days_from_civil(civil_from_days(day)) == day);
    }
}

TEST_CASE("UTF-8 is told from what only looks like it") {
    CHECK(is_utf8(""));
    CHECK(is_utf8("plain ascii, longer than a word"));
    CHECK(is_utf8("h\xc3\xa9llo \xe2\x82\xac \xf0\x9f\x8d\x80 \xf4\x8f\xbf\xbf"));
    for (const char* bad : {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xed\xa0\x80",
                            "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff",
                            "\xe2\x82", "\xc3", "\xf0\x9f\x8d", "\xe2\x28\xa1"}) {
        CHECK_FALSE(is_utf8(bad));
        CHECK(utf8_prefix(std::string("0123456789\xc3\xa9") + bad) == 12);
    }
}

TEST_CASE("values print as SQL does") {
    CHECK(Value().to_string().empty());
    CHECK(Value(true).to_string() == "true");
    CHECK(Value(Decimal{1250, 2}).to_string() == "12.50");
    CHECK(Value(Timestamp{-1, true}).to_string() == "1969-12-31 23:59:59.999999+00");
    CHECK(Value(Blob{std::string("\0\xff", 2)}).to_string() == "\\x00ff");
    CHECK(Value(Value::List{1, 2, {}}).to_string() == "{1,2,NULL}");
    CHECK(Value(Value::List{Value::List{1}, Value::List{"a b"}}).to_string() == "{{1},{\"a b\"}}");
    CHECK(Value(Interval{1, 2, 11'045'000'000'000}).to_string() == "1 mon 2 days 03:04:05");
}

}  // namespace
}  // namespace trefoil
