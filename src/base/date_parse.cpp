// Reading dates, times and timestamps.
//
// One parser reads a whole moment, "date [time] [offset] [BC]"; the types take from it what they
// keep.

#include <optional>

#include "base/date.h"
#include "base/text_cursor.h"

namespace trefoil {
namespace {

struct Moment {
    int64_t days = 0;
    int64_t micros = 0;  // of the day; may be a whole day, or a leap second more
    int64_t offset_seconds = 0;
};

constexpr size_t kYearDigitsMax = 7;

int days_of_month(int64_t year, int64_t month) {
    constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return kDays[month - 1] + (month == 2 && leap ? 1 : 0);
}

struct DateFields {
    int64_t year = 0, month = 0, day = 0;
};

// YYYY-MM-DD, YYYY/MM/DD, YYYYMMDD
Parsed read_date_fields(TextCursor& in, DateFields* date) {
    const size_t digits = in.count_digits();
    if (digits == 8) {
        date->year = in.number(4);
        date->month = in.number(2);
        date->day = in.number(2);
        return Parsed::kOk;
    }
    if (digits < 4 || digits > kYearDigitsMax) return Parsed::kSyntax;
    date->year = in.number(digits);
    const char separator = in.peek();
    if (separator != '-' && separator != '/') return Parsed::kSyntax;
    in.skip(1);
    const size_t month_digits = in.count_digits();
    if (month_digits < 1 || month_digits > 2) return Parsed::kSyntax;
    date->month = in.number(month_digits);
    if (!in.accept(separator)) return Parsed::kSyntax;
    const size_t day_digits = in.count_digits();
    if (day_digits < 1 || day_digits > 2) return Parsed::kSyntax;
    date->day = in.number(day_digits);
    return Parsed::kOk;
}

// HH:MM[:SS], HHMM[SS]
Parsed read_clock(TextCursor& in, int64_t* hour, int64_t* minute, int64_t* second) {
    const size_t digits = in.count_digits();
    *second = 0;
    if (digits == 4 || digits == 6) {
        *hour = in.number(2);
        *minute = in.number(2);
        if (digits == 6) *second = in.number(2);
        return Parsed::kOk;
    }
    if (digits < 1 || digits > 2) return Parsed::kSyntax;
    *hour = in.number(digits);
    if (!in.accept(':') || in.count_digits() < 1 || in.count_digits() > 2) return Parsed::kSyntax;
    *minute = in.number(in.count_digits());
    if (!in.accept(':')) return Parsed::kOk;
    if (in.count_digits() < 1 || in.count_digits() > 2) return Parsed::kSyntax;
    *second = in.number(in.count_digits());
    return Parsed::kOk;
}

Parsed read_time(TextCursor& in, int64_t* micros) {
    int64_t hour, minute, second, fraction = 0;
    if (Parsed p = read_clock(in, &hour, &minute, &second); p != Parsed::kOk) return p;
    if (in.accept('.')) fraction = (in.billionths() + 500) / 1000;
    TextCursor after = in;
    after.skip_spaces();
    const bool am = after.accept_word("am"), pm = !am && after.accept_word("pm");
    if (am || pm) {
        if (hour < 1 || hour > 12) return Parsed::kRange;
        hour = hour % 12 + (pm ? 12 : 0);
        in = after;
    }
    if (hour > 24 || minute > 59 || second > 60) return Parsed::kRange;
    *micros = ((hour * 60 + minute) * 60 + second) * kMicrosPerSecond + fraction;
    if (hour == 24 && *micros > kMicrosPerDay) return Parsed::kRange;
    return Parsed::kOk;
}

// Z, UTC, GMT, +HH, +HHMM, +HH:MM[:SS]; nothing is UTC.
Parsed read_offset(TextCursor& in, int64_t* seconds) {
    in.skip_spaces();
    if (in.accept_word("z") || in.accept_word("utc") || in.accept_word("gmt")) return Parsed::kOk;
    const char sign = in.peek();
    if (sign != '+' && sign != '-') return Parsed::kOk;
    in.skip(1);
    const size_t digits = in.count_digits();
    if (digits != 1 && digits != 2 && digits != 4) return Parsed::kSyntax;
    int64_t hours = in.number(digits == 4 ? 2 : digits);
    int64_t rest[2] = {digits == 4 ? in.number(2) : 0, 0};
    for (size_t i = 0; digits != 4 && i < 2 && in.accept(':'); i++) {
        if (in.count_digits() != 2) return Parsed::kSyntax;
        rest[i] = in.number(2);
    }
    if (hours > 15 || rest[0] > 59 || rest[1] > 59) return Parsed::kRange;
    *seconds = (hours * 60 + rest[0]) * 60 + rest[1];
    if (sign == '-') *seconds = -*seconds;
    return Parsed::kOk;
}

Parsed read_moment(std::string_view text, Moment* out) {
    TextCursor in(trim(text));
    DateFields date;
    if (Parsed p = read_date_fields(in, &date); p != Parsed::kOk) return p;
    if (in.peek() == 'T' || in.peek() == 't') {
        in.skip(1);
        if (!is_digit(in.peek())) return Parsed::kSyntax;
    }
    in.skip_spaces();
    if (is_digit(in.peek())) {
        if (Parsed p = read_time(in, &out->micros); p != Parsed::kOk) return p;
    }
    if (Parsed p = read_offset(in, &out->offset_seconds); p != Parsed::kOk) return p;
    in.skip_spaces();
    const bool bc = in.accept_word("bc");
    if (!bc) in.accept_word("ad");
    if (!in.at_end()) return Parsed::kSyntax;
    if (date.year == 0) return Parsed::kRange;
    const int64_t year = bc ? 1 - date.year : date.year;
    if (date.month < 1 || date.month > 12 || date.day < 1) return Parsed::kRange;
    if (date.day > days_of_month(year, date.month)) return Parsed::kRange;
    out->days =
        days_from_civil({year, static_cast<int32_t>(date.month), static_cast<int32_t>(date.day)});
    return Parsed::kOk;
}

}  // namespace

Parsed parse_date(std::string_view text, Date* out) {
    Moment moment;
    if (Parsed p = read_moment(text, &moment); p != Parsed::kOk) return p;
    if (moment.days < INT32_MIN || moment.days > INT32_MAX) return Parsed::kRange;
    out->days = static_cast<int32_t>(moment.days);
    return Parsed::kOk;
}

Parsed parse_time(std::string_view text, Time* out) {
    TextCursor in(trim(text));
    int64_t offset = 0;
    if (Parsed p = read_time(in, &out->micros); p != Parsed::kOk) return p;
    if (Parsed p = read_offset(in, &offset); p != Parsed::kOk) return p;
    if (!in.at_end()) return Parsed::kSyntax;
    return out->micros <= kMicrosPerDay ? Parsed::kOk : Parsed::kRange;
}

Parsed parse_timestamp(std::string_view text, bool utc, Timestamp* out) {
    Moment moment;
    if (Parsed p = read_moment(text, &moment); p != Parsed::kOk) return p;
    __int128 micros = static_cast<__int128>(moment.days) * kMicrosPerDay + moment.micros;
    if (utc) micros -= static_cast<__int128>(moment.offset_seconds) * kMicrosPerSecond;
    if (micros < INT64_MIN || micros > INT64_MAX) return Parsed::kRange;
    *out = {static_cast<int64_t>(micros), utc};
    return Parsed::kOk;
}

}  // namespace trefoil
