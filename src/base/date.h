// Dates, times, timestamps and intervals as text, the way PostgreSQL reads and prints them (ISO
// style).
//
// The calendar is the proleptic Gregorian one. Year 0 is 1 BC. There is no time zone but UTC and
// fixed offsets: a TIMESTAMPTZ without an offset is UTC, and prints with +00.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "trefoil/value.h"

namespace trefoil {

inline constexpr int64_t kMicrosPerSecond = 1'000'000;
inline constexpr int64_t kMicrosPerDay = int64_t{86'400} * kMicrosPerSecond;
inline constexpr int64_t kNanosPerSecond = 1'000'000'000;
inline constexpr int64_t kNanosPerDay = int64_t{86'400} * kNanosPerSecond;

struct CivilDate {
    int64_t year;
    int32_t month;  // 1..12
    int32_t day;    // 1..31
};

// Days since 1970-01-01, and back.
int64_t days_from_civil(CivilDate date);
CivilDate civil_from_days(int64_t days);

// How reading a literal went.
enum class Parsed : uint8_t { kOk, kSyntax, kRange };

// 'YYYY-MM-DD', 'YYYY/MM/DD', 'YYYYMMDD', also with BC; a time of day after it is dropped.
Parsed parse_date(std::string_view text, Date* out);
// 'HH:MM[:SS[.fraction]]', 'HHMMSS', also with AM/PM; '24:00' is the end of the day.
Parsed parse_time(std::string_view text, Time* out);
// A date, then perhaps a time (after a space or T) and an offset (Z, UTC, +02, +0230, +02:30). The
// offset counts if `utc`, and is dropped otherwise.
Parsed parse_timestamp(std::string_view text, bool utc, Timestamp* out);
// '1 year 2 mons 3 days 04:05:06.789', '-1.5 hours', '1 day ago', '1-2', '3 4:05',
// 'P1Y2M3DT4H5M6S'.
Parsed parse_interval(std::string_view text, Interval* out);

void append_date(int64_t days, std::string* out);
void append_time(int64_t nanos, std::string* out);  // since midnight; digits as needed
// Seconds since 1970 and a fraction of it in nanoseconds, 0..999,999,999.
void append_timestamp(int64_t seconds, int64_t nanos, bool utc, std::string* out);
void append_interval(const Interval& interval, std::string* out);

}  // namespace trefoil
