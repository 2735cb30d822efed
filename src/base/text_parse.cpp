// Reading scalars: every parser takes one literal, space around it allowed, and says whether it was
// none or did not fit. Numbers go through std::from_chars; decimals are rounded digit by digit,
// exactly.

#include <charconv>
#include <cmath>
#include <limits>

#include "base/text_cursor.h"
#include "base/text_format.h"

namespace trefoil {
namespace {

template <typename T>
Parsed parse_integer(std::string_view text, T* out) {
    text = trim(text);
    if (text.starts_with('+')) {
        text.remove_prefix(1);
        if (!text.empty() && text[0] == '-') return Parsed::kSyntax;
    }
    const char* end = text.data() + text.size();
    auto [at, error] = std::from_chars(text.data(), end, *out);
    if (at != end || error == std::errc::invalid_argument) {
        // "-1" as an unsigned number is a number all the same.
        int64_t negative;
        if (!std::is_signed_v<T> && text.starts_with('-') &&
            parse_integer(text, &negative) != Parsed::kSyntax) {
            return Parsed::kRange;
        }
        return Parsed::kSyntax;
    }
    return error == std::errc() ? Parsed::kOk : Parsed::kRange;
}

template <typename T>
Parsed parse_floating(std::string_view text, T* out) {
    text = trim(text);
    if (text.starts_with('+')) {
        text.remove_prefix(1);
        if (!text.empty() && text[0] == '-') return Parsed::kSyntax;
    }
    const char* end = text.data() + text.size();
    auto [at, error] = std::from_chars(text.data(), end, *out);
    if (at != end || error == std::errc::invalid_argument) return Parsed::kSyntax;
    if (error != std::errc()) return Parsed::kRange;
    return Parsed::kOk;
}

bool is_prefix_of(std::string_view text, std::string_view word, size_t least) {
    return text.size() >= least && text.size() <= word.size() &&
           equal_ignoring_case(text, word.substr(0, text.size()));
}

// A decimal literal taken apart. The digits stay where they are, with the point among them.
struct DecimalLiteral {
    bool negative = false;
    std::string_view digits;  // "0012.50"
    int64_t whole = 0;        // digits before the point, leading zeros included
    int64_t fraction = 0;     // digits after it
    int64_t exponent = 0;
};

Parsed read_exponent(TextCursor& in, int64_t* exponent) {
    constexpr int64_t kExponentMax = 1'000'000;  // beyond every precision
    in.skip(1);
    const bool negative = in.peek() == '-';
    if (negative || in.peek() == '+') in.skip(1);
    if (!is_digit(in.peek())) return Parsed::kSyntax;
    for (; is_digit(in.peek()); in.skip(1)) {
        if (*exponent < kExponentMax) *exponent = *exponent * 10 + (in.peek() - '0');
    }
    if (negative) *exponent = -*exponent;
    return Parsed::kOk;
}

Parsed read_decimal(std::string_view text, DecimalLiteral* out) {
    TextCursor in(trim(text));
    out->negative = in.peek() == '-';
    if (out->negative || in.peek() == '+') in.skip(1);
    if (in.accept_word("nan") || in.accept_word("inf") || in.accept_word("infinity")) {
        return in.at_end() ? Parsed::kRange : Parsed::kSyntax;
    }
    std::string_view begin = in.rest();
    out->whole = static_cast<int64_t>(in.count_digits());
    in.skip(static_cast<size_t>(out->whole));
    if (in.accept('.')) {
        out->fraction = static_cast<int64_t>(in.count_digits());
        in.skip(static_cast<size_t>(out->fraction));
    }
    if (out->whole + out->fraction == 0) return Parsed::kSyntax;
    out->digits = begin.substr(0, begin.size() - in.rest().size());
    if (to_lower(in.peek()) == 'e') {
        if (Parsed p = read_exponent(in, &out->exponent); p != Parsed::kOk) return p;
    }
    return in.at_end() ? Parsed::kOk : Parsed::kSyntax;
}

int hex_value(char c) {
    if (is_digit(c)) return c - '0';
    const char lower = to_lower(c);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

Parsed parse_hex(std::string_view text, std::string* out) {
    while (!text.empty()) {
        if (is_space(text[0])) {
            text.remove_prefix(1);
            continue;
        }
        const int high = hex_value(text[0]), low = text.size() > 1 ? hex_value(text[1]) : -1;
        if (high < 0 || low < 0) return Parsed::kSyntax;
        out->push_back(static_cast<char>(high << 4 | low));
        text.remove_prefix(2);
    }
    return Parsed::kOk;
}

// One element of an array literal, up to the comma or brace behind it.
Parsed read_element(TextCursor& in, ArrayElement* out) {
    in.skip_spaces();
    if (in.accept('"')) {
        while (!in.at_end() && in.peek() != '"') {
            if (in.peek() == '\\') in.skip(1);
            if (in.at_end()) return Parsed::kSyntax;
            out->text.push_back(in.peek());
            in.skip(1);
        }
        if (!in.accept('"')) return Parsed::kSyntax;
        in.skip_spaces();
        return Parsed::kOk;
    }
    int depth = 0;
    bool quoted = false, escaped = false;
    for (; !in.at_end(); in.skip(1)) {
        const char c = in.peek();
        if (depth == 0 && (c == ',' || c == '}')) break;
        if (depth == 0 && (c == '"' || (c == '{' && !trim(out->text).empty())))
            return Parsed::kSyntax;
        if (depth == 0 && c == '\\') {
            escaped = true;
            in.skip(1);
            if (in.at_end()) return Parsed::kSyntax;
            out->text.push_back(in.peek());
            continue;
        }
        out->text.push_back(c);
        if (depth > 0 && c == '\\' && in.peek(1) != '\0') {
            in.skip(1);
            out->text.push_back(in.peek());
        } else if (depth > 0 && c == '"') {
            quoted = !quoted;
        } else if (!quoted && c == '{') {
            depth++;
        } else if (!quoted && c == '}') {
            depth--;
        }
    }
    if (!escaped) out->text = std::string(trim(out->text));
    if (out->text.empty()) return Parsed::kSyntax;
    out->null = !escaped && equal_ignoring_case(out->text, "null");
    return Parsed::kOk;
}

}  // namespace

Parsed parse_bool(std::string_view text, bool* out) {
    text = trim(text);
    if (is_prefix_of(text, "true", 1) || is_prefix_of(text, "yes", 1) || text == "1" ||
        equal_ignoring_case(text, "on")) {
        *out = true;
        return Parsed::kOk;
    }
    if (is_prefix_of(text, "false", 1) || is_prefix_of(text, "no", 1) || text == "0" ||
        is_prefix_of(text, "off", 2)) {
        *out = false;
        return Parsed::kOk;
    }
    return Parsed::kSyntax;
}

Parsed parse_int64(std::string_view text, int64_t* out) {
    return parse_integer(text, out);
}

Parsed parse_uint64(std::string_view text, uint64_t* out) {
    return parse_integer(text, out);
}

Parsed parse_double(std::string_view text, double* out) {
    return parse_floating(text, out);
}

Parsed parse_float(std::string_view text, float* out) {
    return parse_floating(text, out);
}

Parsed parse_decimal(std::string_view text, int32_t precision, int32_t scale, __int128* out) {
    DecimalLiteral literal;
    if (Parsed p = read_decimal(text, &literal); p != Parsed::kOk) return p;
    // Of the digits, so many stand before the last kept place; the one behind decides the rounding.
    const int64_t kept = literal.whole + literal.exponent + scale;
    __int128 v = 0;
    bool round_up = false;
    int64_t at = 0;
    for (char c : literal.digits) {
        if (c == '.') continue;
        if (at == kept) round_up = c >= '5';
        if (at >= kept) break;
        if (v > power_of_ten(kDecimalDigitsMax - 1)) return Parsed::kRange;
        v = v * 10 + (c - '0');
        at++;
    }
    for (; at < kept && v != 0; at++) {
        if (v > power_of_ten(kDecimalDigitsMax - 1)) return Parsed::kRange;
        v *= 10;
    }
    if (round_up) v++;
    if (v >= power_of_ten(precision)) return Parsed::kRange;
    *out = literal.negative ? -v : v;
    return Parsed::kOk;
}

Parsed parse_bytea(std::string_view text, std::string* out) {
    out->clear();
    if (text.starts_with("\\x")) return parse_hex(text.substr(2), out);
    for (size_t i = 0; i < text.size(); i++) {
        if (text[i] != '\\') {
            out->push_back(text[i]);
            continue;
        }
        if (i + 1 < text.size() && text[i + 1] == '\\') {
            out->push_back(text[++i]);
            continue;
        }
        int code = 0;
        for (size_t d = 1; d <= 3; d++) {
            const char c = i + d < text.size() ? text[i + d] : '\0';
            if (c < '0' || c > (d == 1 ? '3' : '7')) return Parsed::kSyntax;
            code = code * 8 + (c - '0');
        }
        out->push_back(static_cast<char>(code));
        i += 3;
    }
    return Parsed::kOk;
}

Parsed parse_uuid(std::string_view text, Uuid* out) {
    text = trim(text);
    if (text.starts_with('{')) {
        if (!text.ends_with('}')) return Parsed::kSyntax;
        text = text.substr(1, text.size() - 2);
    }
    TextCursor in(text);
    for (size_t i = 0; i < 16; i++) {
        // A hyphen may stand after every second byte.
        if (i > 0 && i % 2 == 0) in.accept('-');
        const int high = hex_value(in.peek()), low = hex_value(in.peek(1));
        if (high < 0 || low < 0) return Parsed::kSyntax;
        out->bytes[i] = static_cast<uint8_t>(high << 4 | low);
        in.skip(2);
    }
    return in.at_end() ? Parsed::kOk : Parsed::kSyntax;
}

Parsed parse_array(std::string_view text, std::vector<ArrayElement>* out) {
    out->clear();
    TextCursor in(trim(text));
    if (!in.accept('{')) return Parsed::kSyntax;
    in.skip_spaces();
    if (in.accept('}')) return in.at_end() ? Parsed::kOk : Parsed::kSyntax;
    do {
        out->emplace_back();
        if (Parsed p = read_element(in, &out->back()); p != Parsed::kOk) return p;
    } while (in.accept(','));
    if (!in.accept('}')) return Parsed::kSyntax;
    return in.at_end() ? Parsed::kOk : Parsed::kSyntax;
}

}  // namespace trefoil
