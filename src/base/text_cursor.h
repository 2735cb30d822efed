// TextCursor: walks over a literal, for the parsers of dates, times and intervals.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace trefoil {

constexpr bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}
constexpr bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
constexpr char to_lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}
constexpr bool is_letter(char c) {
    return to_lower(c) >= 'a' && to_lower(c) <= 'z';
}

constexpr std::string_view trim(std::string_view text) {
    while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    return text;
}

constexpr bool equal_ignoring_case(std::string_view a, std::string_view b) {
    if (a.size() != b.size()) return false;
    for (size_t i = 0; i < a.size(); i++) {
        if (to_lower(a[i]) != to_lower(b[i])) return false;
    }
    return true;
}

class TextCursor {
public:
    explicit TextCursor(std::string_view text) : rest_(text) {}

    bool at_end() const { return rest_.empty(); }
    std::string_view rest() const { return rest_; }
    // '\0' at the end.
    char peek(size_t ahead = 0) const { return ahead < rest_.size() ? rest_[ahead] : '\0'; }
    void skip(size_t n) { rest_.remove_prefix(n); }
    void skip_spaces() {
        while (is_space(peek())) skip(1);
    }
    bool accept(char c) {
        if (peek() != c) return false;
        skip(1);
        return true;
    }
    // A word of letters, in any case, that is not part of a longer one.
    bool accept_word(std::string_view word) {
        if (!equal_ignoring_case(rest_.substr(0, word.size()), word)) return false;
        if (is_letter(peek(word.size()))) return false;
        skip(word.size());
        return true;
    }
    size_t count_digits() const {
        size_t n = 0;
        while (is_digit(peek(n))) n++;
        return n;
    }
    // The next `digits` digits. REQUIRES: count_digits() >= digits, digits <= 18.
    int64_t number(size_t digits) {
        int64_t v = 0;
        for (size_t i = 0; i < digits; i++) v = v * 10 + (rest_[i] - '0');
        skip(digits);
        return v;
    }
    std::string_view letters() {
        size_t n = 0;
        while (is_letter(peek(n))) n++;
        std::string_view word = rest_.substr(0, n);
        skip(n);
        return word;
    }
    // Digits of a fraction as billionths, the tenth digit rounding; any number of digits.
    int64_t billionths() {
        int64_t v = 0;
        size_t n = 0;
        for (; is_digit(peek()); n++, skip(1)) {
            if (n < 9) v = v * 10 + (peek() - '0');
            if (n == 9 && peek() >= '5') v++;
        }
        for (; n < 9; n++) v *= 10;
        return v;
    }

private:
    std::string_view rest_;
};

}  // namespace trefoil
