// Printing scalars. Reading them is in text_parse.cpp; dates and intervals have files of their own.

#include "base/text_format.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstring>

#include "base/check.h"
#include "base/text_cursor.h"

namespace trefoil {
namespace {

// PostgreSQL prints an exponent below 1e-4 and from the number of digits that the type holds.
constexpr int kExponentMin = -4;
constexpr int kDoubleDigits = 15;
constexpr int kFloatDigits = 6;

template <typename T>
void append_floating(T v, int digits_max, std::string* out) {
    if (std::isnan(v)) {
        out->append("NaN");
        return;
    }
    if (std::isinf(v)) {
        out->append(v < 0 ? "-Infinity" : "Infinity");
        return;
    }
    char text[64];
    char* end = std::to_chars(text, text + sizeof text, v, std::chars_format::scientific).ptr;
    const char* e =
        static_cast<const char*>(std::memchr(text, 'e', static_cast<size_t>(end - text)));
    int exponent = 0;
    std::from_chars(e[1] == '+' ? e + 2 : e + 1, end, exponent);
    if (exponent < kExponentMin || exponent >= digits_max) {
        out->append(text, end);
        return;
    }
    if (text[0] == '-') out->push_back('-');
    // The digits without their point: "1.25e+01" becomes 1 2 5.
    char digits[32];
    char* last = digits;
    for (const char* p = text; p < e; p++) {
        if (is_digit(*p)) *last++ = *p;
    }
    if (exponent < 0) {
        out->append("0.").append(static_cast<size_t>(-exponent - 1), '0').append(digits, last);
        return;
    }
    const auto whole = static_cast<size_t>(exponent) + 1,
               count = static_cast<size_t>(last - digits);
    if (count <= whole) {
        out->append(digits, last).append(whole - count, '0');
    } else {
        out->append(digits, whole).append(".").append(digits + whole, last);
    }
}

constexpr char kHexDigits[] = "0123456789abcdef";

void append_hex(std::string_view bytes, std::string* out) {
    for (char c : bytes) {
        out->push_back(kHexDigits[static_cast<uint8_t>(c) >> 4]);
        out->push_back(kHexDigits[static_cast<uint8_t>(c) & 15]);
    }
}

// Writes the digits of `v` before `end`, none for 0; answers where they begin.
char* put_digits(uint64_t v, char* end) {
    for (; v; v /= 10) *--end = static_cast<char>('0' + v % 10);
    return end;
}

template <typename T>
void append_integer(T v, std::string* out) {
    char text[24];
    out->append(text, std::to_chars(text, text + sizeof text, v).ptr);
}

}  // namespace

void append_double(double v, std::string* out) {
    append_floating(v, kDoubleDigits, out);
}

void append_float(float v, std::string* out) {
    append_floating(v, kFloatDigits, out);
}

void append_int64(int64_t v, std::string* out) {
    append_integer(v, out);
}

void append_uint64(uint64_t v, std::string* out) {
    append_integer(v, out);
}

void append_decimal(__int128 unscaled, int32_t scale, std::string* out) {
    char text[48];
    char* const end = text + sizeof text;
    char* begin = end;
    auto rest = static_cast<unsigned __int128>(unscaled);
    if (unscaled < 0) rest = ~rest + 1;
    // Division of 128 bits is slow: eighteen digits at a time, the rest in 64 bits.
    constexpr uint64_t kChunk = 1'000'000'000'000'000'000u;
    while (rest > UINT64_MAX) {
        char* const chunk = begin - 18;
        begin = put_digits(static_cast<uint64_t>(rest % kChunk), begin);
        while (begin > chunk) *--begin = '0';
        rest /= kChunk;
    }
    begin = put_digits(static_cast<uint64_t>(rest), begin);
    if (unscaled < 0) out->push_back('-');
    const auto digits = static_cast<int32_t>(end - begin);
    if (scale <= 0) {
        if (digits == 0) {
            out->push_back('0');
        } else {
            out->append(begin, end).append(static_cast<size_t>(-scale), '0');
        }
        return;
    }
    if (digits <= scale) {
        out->append("0.").append(static_cast<size_t>(scale - digits), '0').append(begin, end);
        return;
    }
    out->append(begin, end - scale).append(".").append(end - scale, end);
}

void append_bytea(std::string_view bytes, std::string* out) {
    out->append("\\x");
    append_hex(bytes, out);
}

void append_uuid(std::string_view bytes, std::string* out) {
    CHECK(bytes.size() == 16);
    constexpr size_t kGroups[] = {4, 2, 2, 2, 6};
    size_t at = 0;
    for (size_t group : kGroups) {
        if (at) out->push_back('-');
        append_hex(bytes.substr(at, group), out);
        at += group;
    }
}

std::string in_quotes(std::string_view text, char quote) {
    std::string out(1, quote);
    for (char c : text) {
        out += c;
        if (c == quote) out += c;
    }
    return out + quote;
}

void append_array_element(std::string_view text, std::string* out) {
    bool plain = !text.empty() && !equal_ignoring_case(text, "null");
    for (char c : text) {
        plain &= c != '{' && c != '}' && c != ',' && c != '"' && c != '\\' && !is_space(c);
    }
    if (plain) {
        out->append(text);
        return;
    }
    out->push_back('"');
    for (char c : text) {
        if (c == '"' || c == '\\') out->push_back('\\');
        out->push_back(c);
    }
    out->push_back('"');
}

Status literal_error(Parsed parsed, std::string_view type, std::string_view text) {
    constexpr size_t kShownMax = 100;
    std::string shown(text.substr(0, kShownMax));
    if (text.size() > kShownMax) {
        while (!shown.empty() && (static_cast<uint8_t>(text[shown.size()]) & 0xc0) == 0x80) {
            shown.pop_back();  // not in the middle of a character
        }
        shown += "...";
    }
    const bool temporal =
        type.starts_with("DATE") || type.starts_with("TIME") || type == "INTERVAL";
    if (parsed == Parsed::kSyntax) {
        return {Code::kInvalidInput, temporal ? "22007" : "22P02",
                "invalid input syntax for type " + std::string(type) + ": \"" + shown + "\""};
    }
    if (temporal) {
        return {Code::kInvalidInput, "22008", "date/time value out of range: \"" + shown + "\""};
    }
    return {Code::kInvalidInput, "22003",
            "value \"" + shown + "\" is out of range for type " + std::string(type)};
}

// --- Decimals
// ----------------------------------------------------------------------------------

__int128 power_of_ten(int32_t n) {
    static const auto kPowers = [] {
        std::array<__int128, kDecimalDigitsMax + 1> powers{1};
        for (size_t i = 1; i < powers.size(); i++) powers[i] = powers[i - 1] * 10;
        return powers;
    }();
    CHECK(n >= 0 && n <= kDecimalDigitsMax);
    return kPowers[static_cast<size_t>(n)];
}

bool rescale(__int128 unscaled, int32_t from_scale, int32_t to_scale, int32_t precision,
             __int128* out) {
    const __int128 limit = power_of_ten(precision);
    const int32_t up = to_scale - from_scale;
    if (up >= 0) {
        if (unscaled != 0) {
            if (up > kDecimalDigitsMax) return false;
            const __int128 factor = power_of_ten(up);
            const __int128 most = (limit - 1) / factor;
            if (unscaled > most || unscaled < -most) return false;
            unscaled *= factor;
        }
        *out = unscaled;
        return true;
    }
    if (-up > kDecimalDigitsMax) {
        *out = 0;
        return true;
    }
    const __int128 divisor = power_of_ten(-up);
    __int128 quotient = unscaled / divisor;
    const __int128 rest = unscaled % divisor;
    const __int128 half = divisor - divisor / 2;  // the divisor is even, so this is exactly half
    if (rest >= half) quotient++;
    if (rest <= -half) quotient--;
    *out = quotient;
    return quotient < limit && quotient > -limit;
}

double decimal_to_double(__int128 unscaled, int32_t scale) {
    // Below 2^53, and up to 10^22, both numbers are exact and so one division rounds correctly.
    constexpr __int128 kExactMax = __int128{1} << 53;
    constexpr int32_t kExactScaleMax = 22;
    if (scale >= 0 && scale <= kExactScaleMax && unscaled < kExactMax && unscaled > -kExactMax) {
        return static_cast<double>(unscaled) / static_cast<double>(power_of_ten(scale));
    }
    std::string text;
    append_decimal(unscaled, scale, &text);
    double v = 0;
    std::from_chars(text.data(), text.data() + text.size(), v);
    return v;
}

bool decimal_from_double(double v, int32_t precision, int32_t scale, __int128* out) {
    if (!std::isfinite(v)) return false;
    char text[400];
    auto end =
        std::to_chars(text, text + sizeof text, v, std::chars_format::scientific, kDoubleDigits - 1)
            .ptr;
    return parse_decimal({text, static_cast<size_t>(end - text)}, precision, scale, out) ==
           Parsed::kOk;
}

}  // namespace trefoil
