// Scalars as text: how every value is printed and how literals are read, the same everywhere.
//
// The forms are PostgreSQL's. The parsers accept space around the literal and report kSyntax ("abc"
// as a number) apart from kRange (70000 as SMALLINT), so that callers can word their errors.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/date.h"
#include "trefoil/status.h"
#include "trefoil/value.h"

namespace trefoil {

// 1, 999.99, 1e+300, NaN, Infinity: the shortest text that reads back as the same number.
void append_double(double v, std::string* out);
void append_float(float v, std::string* out);
void append_int64(int64_t v, std::string* out);
void append_uint64(uint64_t v, std::string* out);
void append_decimal(__int128 unscaled, int32_t scale, std::string* out);
// \x00ff
void append_bytea(std::string_view bytes, std::string* out);
// 123e4567-e89b-12d3-a456-426614174000. REQUIRES: 16 bytes.
void append_uuid(std::string_view bytes, std::string* out);
// Between two quotes, each quote in it doubled: a name in SQL ("a""b"), a literal ('it''s').
std::string in_quotes(std::string_view text, char quote);
// One element of an array, in quotes if it needs them: {1,"a b",NULL}.
void append_array_element(std::string_view text, std::string* out);

// true/false, t/f, yes/no, y/n, on/off, 1/0, and prefixes of the words that are not ambiguous.
Parsed parse_bool(std::string_view text, bool* out);
Parsed parse_int64(std::string_view text, int64_t* out);
Parsed parse_uint64(std::string_view text, uint64_t* out);
Parsed parse_double(std::string_view text, double* out);
Parsed parse_float(std::string_view text, float* out);
// Rounded half away from zero to `scale`; kRange if it has more than `precision` digits then.
Parsed parse_decimal(std::string_view text, int32_t precision, int32_t scale, __int128* out);
// Hex with \x, or bytes with \\ and \ooo.
Parsed parse_bytea(std::string_view text, std::string* out);
// Hex digits with or without hyphens and braces.
Parsed parse_uuid(std::string_view text, Uuid* out);
// {1,NULL,"a b",{nested}}: the text of each element; that of a nested array is its literal.
struct ArrayElement {
    std::string text;
    bool null = false;
};
Parsed parse_array(std::string_view text, std::vector<ArrayElement>* out);

// The error for a literal that could not be read: 22P02 or 22003, for dates and times 22007 or
// 22008. `type` is the name in SQL. REQUIRES: parsed is not kOk.
Status literal_error(Parsed parsed, std::string_view type, std::string_view text);

// --- Decimals
// -----------------------------------------------------------------------------------------

inline constexpr int32_t kDecimalDigitsMax = 38;
// 10^n. REQUIRES: 0 <= n <= 38.
__int128 power_of_ten(int32_t n);
// The value at another scale, rounded half away from zero; false if it needs more than `precision`
// digits.
bool rescale(__int128 unscaled, int32_t from_scale, int32_t to_scale, int32_t precision,
             __int128* out);
double decimal_to_double(__int128 unscaled, int32_t scale);
// With 15 significant digits, as PostgreSQL does; false if it is NaN, infinite or too large.
bool decimal_from_double(double v, int32_t precision, int32_t scale, __int128* out);

}  // namespace trefoil
