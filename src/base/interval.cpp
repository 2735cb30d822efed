// Intervals as text: reading every form that PostgreSQL reads, printing its default one.
//
// A fraction of a unit goes down to the next: half a month is 15 days, half a day 12 hours, but
// half a year is 6 months. What was added never moves up again: 36 hours stay 36 hours.

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <optional>
#include <string>

#include "base/date.h"
#include "base/text_cursor.h"

namespace trefoil {
namespace {

constexpr int64_t kBillion = 1'000'000'000;

// A number of a literal: sign, whole part, billionths.
struct Number {
    bool negative = false;
    int64_t whole = 0;
    int64_t billionths = 0;
    bool has_fraction = false;

    int64_t signed_whole() const { return negative ? -whole : whole; }
    int64_t signed_billionths() const { return negative ? -billionths : billionths; }
};

// Adds up in 128 bits; the result is checked once.
struct Sum {
    __int128 months = 0, days = 0, nanos = 0;

    void add_nanos(const Number& n, int64_t unit) {
        nanos += static_cast<__int128>(n.signed_whole()) * unit;
        nanos += static_cast<__int128>(n.signed_billionths()) * unit / kBillion;
    }
    void add_days(const Number& n, int64_t unit) {
        days += static_cast<__int128>(n.signed_whole()) * unit;
        add_part_of_days(static_cast<__int128>(n.signed_billionths()) * unit);
    }
    void add_months(const Number& n) {
        months += n.signed_whole();
        add_part_of_days(static_cast<__int128>(n.signed_billionths()) * 30);
    }
    void add_years(const Number& n, int64_t unit) {
        months += static_cast<__int128>(n.signed_whole()) * unit * 12;
        const __int128 part = static_cast<__int128>(n.billionths) * unit * 12;
        const __int128 rounded = (part + kBillion / 2) / kBillion;
        months += n.negative ? -rounded : rounded;
    }
    Parsed finish(bool ago, Interval* out) const {
        const int sign = ago ? -1 : 1;
        const __int128 m = months * sign, d = days * sign, n = nanos * sign;
        if (m < INT32_MIN || m > INT32_MAX || d < INT32_MIN || d > INT32_MAX) return Parsed::kRange;
        if (n < INT64_MIN || n > INT64_MAX) return Parsed::kRange;
        *out = {static_cast<int32_t>(m), static_cast<int32_t>(d), static_cast<int64_t>(n)};
        return Parsed::kOk;
    }

private:
    // Billionths of days: whole days first, then time.
    void add_part_of_days(__int128 part) {
        days += part / kBillion;
        nanos += part % kBillion * 86'400;
    }
};

bool read_number(TextCursor& in, Number* n) {
    *n = Number();
    if (in.peek() == '-' || in.peek() == '+') {
        n->negative = in.peek() == '-';
        in.skip(1);
    }
    const size_t digits = in.count_digits();
    if (digits > 18) return false;
    n->whole = in.number(digits);
    if (in.peek() == '.' && (digits > 0 || is_digit(in.peek(1)))) {
        in.skip(1);
        n->has_fraction = true;
        n->billionths = in.billionths();
        if (n->billionths == kBillion) {
            n->billionths = 0;
            n->whole++;
        }
    }
    return digits > 0 || n->has_fraction;
}

enum class UnitKind { kNanos, kDays, kMonths, kYears };

struct Unit {
    UnitKind kind;
    int64_t factor;
    std::string_view names[6];
};

constexpr Unit kUnits[] = {
    {UnitKind::kNanos, 1000, {"us", "usec", "usecs", "microsecond", "microseconds", "useconds"}},
    {UnitKind::kNanos,
     1'000'000,
     {"ms", "msec", "msecs", "millisecond", "milliseconds", "mseconds"}},
    {UnitKind::kNanos, kBillion, {"s", "sec", "secs", "second", "seconds", ""}},
    {UnitKind::kNanos, 60 * kBillion, {"m", "min", "mins", "minute", "minutes", ""}},
    {UnitKind::kNanos, 3600 * kBillion, {"h", "hr", "hrs", "hour", "hours", ""}},
    {UnitKind::kDays, 1, {"d", "day", "days", "", "", ""}},
    {UnitKind::kDays, 7, {"w", "week", "weeks", "", "", ""}},
    {UnitKind::kMonths, 1, {"mon", "mons", "month", "months", "", ""}},
    {UnitKind::kYears, 1, {"y", "yr", "yrs", "year", "years", ""}},
    {UnitKind::kYears, 10, {"dec", "decs", "decade", "decades", "", ""}},
    {UnitKind::kYears, 100, {"c", "cent", "century", "centuries", "", ""}},
    {UnitKind::kYears, 1000, {"mil", "mils", "millennium", "millennia", "", ""}},
    {UnitKind::kNanos, 1, {"ns", "nsec", "nanosecond", "nanoseconds", "", ""}},
};

const Unit* find_unit(std::string_view name) {
    for (const Unit& unit : kUnits) {
        for (std::string_view known : unit.names) {
            if (!known.empty() && equal_ignoring_case(known, name)) return &unit;
        }
    }
    return nullptr;
}

void add(Sum& sum, const Number& n, const Unit& unit) {
    switch (unit.kind) {
        case UnitKind::kNanos:
            sum.add_nanos(n, unit.factor);
            break;
        case UnitKind::kDays:
            sum.add_days(n, unit.factor);
            break;
        case UnitKind::kMonths:
            sum.add_months(n);
            break;
        case UnitKind::kYears:
            sum.add_years(n, unit.factor);
            break;
    }
}

// The rest of H:MM[:SS[.fraction]], after the hours.
Parsed read_clock(TextCursor& in, const Number& hours, Sum& sum) {
    if (hours.has_fraction) return Parsed::kSyntax;
    Number minutes, seconds;
    in.skip(1);
    if (!is_digit(in.peek()) || !read_number(in, &minutes)) return Parsed::kSyntax;
    if (in.accept(':')) {
        if (minutes.has_fraction || !is_digit(in.peek())) return Parsed::kSyntax;
        if (!read_number(in, &seconds)) return Parsed::kSyntax;
    } else if (minutes.has_fraction) {
        return Parsed::kSyntax;
    }
    if (minutes.whole > 59 || seconds.whole > 60) return Parsed::kRange;
    minutes.negative = seconds.negative = hours.negative;
    sum.add_nanos(hours, 3600 * kBillion);
    sum.add_nanos(minutes, 60 * kBillion);
    sum.add_nanos(seconds, kBillion);
    return Parsed::kOk;
}

// One "2 mons", "04:05:06", "1-2" or bare number.
Parsed read_part(TextCursor& in, Sum& sum) {
    Number n;
    if (!read_number(in, &n)) return Parsed::kSyntax;
    if (in.peek() == ':') return read_clock(in, n, sum);
    if (in.peek() == '-' && is_digit(in.peek(1)) && !n.has_fraction) {
        in.skip(1);
        Number months;
        if (!read_number(in, &months) || months.has_fraction) return Parsed::kSyntax;
        if (months.whole > 11) return Parsed::kRange;
        months.negative = n.negative;
        sum.add_years(n, 1);
        sum.add_months(months);
        return Parsed::kOk;
    }
    in.skip_spaces();
    if (in.at_end()) {
        sum.add_nanos(n, kBillion);  // a bare number counts seconds
        return Parsed::kOk;
    }
    if (is_digit(in.peek()) || in.peek() == '-' || in.peek() == '+') {
        sum.add_days(n, 1);  // "3 4:05:06"
        return in.rest().find(':') == std::string_view::npos ? Parsed::kSyntax : Parsed::kOk;
    }
    const Unit* unit = find_unit(in.letters());
    if (!unit) return Parsed::kSyntax;
    add(sum, n, *unit);
    return Parsed::kOk;
}

// P1Y2M3W4DT5H6M7.8S
Parsed read_iso(TextCursor& in, Sum& sum) {
    bool time = false, any = false;
    while (!in.at_end()) {
        if (!time && in.accept('T')) {
            time = true;
            continue;
        }
        Number n;
        if (!read_number(in, &n)) return Parsed::kSyntax;
        const char designator = in.peek();
        if (designator != '\0') in.skip(1);
        any = true;
        switch (designator) {
            case 'Y':
                sum.add_years(n, 1);
                break;
            case 'W':
                sum.add_days(n, 7);
                break;
            case 'D':
                sum.add_days(n, 1);
                break;
            case 'M':
                time ? sum.add_nanos(n, 60 * kBillion) : sum.add_months(n);
                break;
            case 'H':
                sum.add_nanos(n, 3600 * kBillion);
                break;
            case 'S':
                sum.add_nanos(n, kBillion);
                break;
            default:
                return Parsed::kSyntax;
        }
        const bool belongs_to_time = designator == 'H' || designator == 'S';
        const bool belongs_to_date = designator != 'M' && !belongs_to_time;
        if ((time && belongs_to_date) || (!time && belongs_to_time)) return Parsed::kSyntax;
    }
    return any ? Parsed::kOk : Parsed::kSyntax;
}

// Prints the parts one after the other, as PostgreSQL's default style has it.
class Printer {
public:
    explicit Printer(std::string* out) : out_(out) {}

    void unit(int64_t value, std::string_view name) {
        if (value == 0) return;
        space();
        if (after_negative_ && value > 0) out_->push_back('+');
        out_->append(std::to_string(value)).append(" ").append(name);
        if (value != 1) out_->push_back('s');
        after_negative_ = value < 0;
    }

    void time(int64_t nanos) {
        if (nanos == 0 && !first_) return;
        space();
        if (nanos < 0) {
            out_->push_back('-');
        } else if (after_negative_) {
            out_->push_back('+');
        }
        const uint64_t size =
            nanos < 0 ? ~static_cast<uint64_t>(nanos) + 1 : static_cast<uint64_t>(nanos);
        append_time(static_cast<int64_t>(std::min<uint64_t>(size, INT64_MAX)), out_);
    }

private:
    void space() {
        if (!first_) out_->push_back(' ');
        first_ = false;
    }
    std::string* out_;
    bool first_ = true;
    bool after_negative_ = false;
};

}  // namespace

Parsed parse_interval(std::string_view text, Interval* out) {
    TextCursor in(trim(text));
    Sum sum;
    if (in.accept('P')) {
        if (Parsed p = read_iso(in, sum); p != Parsed::kOk) return p;
        return sum.finish(false, out);
    }
    in.accept('@');
    in.skip_spaces();
    if (in.at_end()) return Parsed::kSyntax;
    bool ago = false;
    while (!in.at_end() && !ago) {
        if (Parsed p = read_part(in, sum); p != Parsed::kOk) return p;
        in.skip_spaces();
        ago = in.accept_word("ago");
    }
    in.skip_spaces();
    if (!in.at_end()) return Parsed::kSyntax;
    return sum.finish(ago, out);
}

void append_interval(const Interval& v, std::string* out) {
    Printer printer(out);
    printer.unit(v.months / 12, "year");
    printer.unit(v.months % 12, "mon");
    printer.unit(v.days, "day");
    printer.time(v.nanos);
}

}  // namespace trefoil
