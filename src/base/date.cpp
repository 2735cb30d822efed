// The calendar, and dates, times and timestamps as text. Reading them is in date_parse.cpp.

#include "base/date.h"

#include <array>
#include <charconv>

namespace trefoil {
namespace {

constexpr int64_t kDaysPerEra = 146'097;   // of 400 years
constexpr int64_t kDaysToEpoch = 719'468;  // from 0000-03-01 to 1970-01-01

void append_padded(int64_t v, int width, std::string* out) {
    char digits[24];
    auto end = std::to_chars(digits, digits + sizeof digits, v).ptr;
    for (auto n = end - digits; n < width; n++) out->push_back('0');
    out->append(digits, end);
}

// ".123", without zeros at the end; nothing for 0.
void append_fraction(int64_t nanos, std::string* out) {
    if (nanos == 0) return;
    out->push_back('.');
    append_padded(nanos, 9, out);
    while (out->back() == '0') out->pop_back();
}

// Returns true if the year is one before Christ, which is said at the very end.
bool append_date_part(int64_t days, std::string* out) {
    const CivilDate date = civil_from_days(days);
    const bool bc = date.year <= 0;
    append_padded(bc ? 1 - date.year : date.year, 4, out);
    out->push_back('-');
    append_padded(date.month, 2, out);
    out->push_back('-');
    append_padded(date.day, 2, out);
    return bc;
}

}  // namespace

// Years are counted from March, so that the leap day is the last of its year; eras of 400 years
// repeat.
int64_t days_from_civil(CivilDate date) {
    const int64_t year = date.month <= 2 ? date.year - 1 : date.year;
    const int64_t era = (year >= 0 ? year : year - 399) / 400;
    const int64_t year_of_era = year - era * 400;
    const int64_t month = date.month > 2 ? date.month - 3 : date.month + 9;
    const int64_t day_of_year = (153 * month + 2) / 5 + date.day - 1;
    const int64_t day_of_era =
        year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * kDaysPerEra + day_of_era - kDaysToEpoch;
}

CivilDate civil_from_days(int64_t days) {
    days += kDaysToEpoch;
    const int64_t era = (days >= 0 ? days : days - (kDaysPerEra - 1)) / kDaysPerEra;
    const int64_t day_of_era = days - era * kDaysPerEra;
    const int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
    const int64_t day_of_year =
        day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const int64_t month = (5 * day_of_year + 2) / 153;
    CivilDate date;
    date.day = static_cast<int32_t>(day_of_year - (153 * month + 2) / 5 + 1);
    date.month = static_cast<int32_t>(month < 10 ? month + 3 : month - 9);
    date.year = year_of_era + era * 400 + (date.month <= 2 ? 1 : 0);
    return date;
}

void append_date(int64_t days, std::string* out) {
    if (append_date_part(days, out)) out->append(" BC");
}

void append_time(int64_t nanos, std::string* out) {
    const int64_t seconds = nanos / kNanosPerSecond;
    append_padded(seconds / 3600, 2, out);
    out->push_back(':');
    append_padded(seconds / 60 % 60, 2, out);
    out->push_back(':');
    append_padded(seconds % 60, 2, out);
    append_fraction(nanos % kNanosPerSecond, out);
}

void append_timestamp(int64_t seconds, int64_t nanos, bool utc, std::string* out) {
    constexpr int64_t kSecondsPerDay = 86'400;
    int64_t days = seconds / kSecondsPerDay;
    int64_t rest = seconds % kSecondsPerDay;
    if (rest < 0) {
        rest += kSecondsPerDay;
        days--;
    }
    const bool bc = append_date_part(days, out);
    out->push_back(' ');
    append_time(rest * kNanosPerSecond + nanos, out);
    if (utc) out->append("+00");
    if (bc) out->append(" BC");
}

}  // namespace trefoil
