// Lexing of SQL: tokens, statement ends, lifted literals.

#include "db/sql_lexer.h"

#include <array>
#include <charconv>

#include "trefoil/database.h"

namespace trefoil {
namespace {

bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}
bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_word_start(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           static_cast<uint8_t>(c) >= 0x80;
}
bool is_word(char c) {
    return is_word_start(c) || is_digit(c) || c == '$';
}

// Past spaces and comments; nullopt if a comment does not end.
std::optional<size_t> skip_blank(std::string_view sql, size_t at) {
    while (at < sql.size()) {
        if (is_space(sql[at])) {
            at++;
        } else if (sql.substr(at, 2) == "--") {
            size_t end = sql.find('\n', at);
            at = end == std::string_view::npos ? sql.size() : end + 1;
        } else if (sql.substr(at, 2) == "/*") {
            int depth = 0;
            do {
                if (at >= sql.size()) return std::nullopt;
                if (sql.substr(at, 2) == "/*") {
                    depth++;
                    at += 2;
                } else if (sql.substr(at, 2) == "*/") {
                    depth--;
                    at += 2;
                } else {
                    at++;
                }
            } while (depth > 0);
        } else {
            break;
        }
    }
    return at;
}

// The end of a quoted run whose quote is at `at`; npos if it does not end.
size_t quoted_end(std::string_view sql, size_t at, bool backslashes) {
    const char quote = sql[at];
    for (size_t i = at + 1; i < sql.size(); i++) {
        if (backslashes && sql[i] == '\\') {
            i++;
        } else if (sql[i] == quote) {
            if (i + 1 < sql.size() && sql[i + 1] == quote) {
                i++;
            } else {
                return i + 1;
            }
        }
    }
    return std::string_view::npos;
}

// The end of $tag$...$tag$ at `at`; `at` if there is no such opening, npos if it does not end.
size_t dollar_quoted_end(std::string_view sql, size_t at) {
    size_t i = at + 1;
    while (i < sql.size() && sql[i] != '$' && is_word(sql[i])) i++;
    if (i >= sql.size() || sql[i] != '$' || (i > at + 1 && is_digit(sql[at + 1]))) return at;
    std::string_view tag = sql.substr(at, i + 1 - at);
    size_t end = sql.find(tag, i + 1);
    return end == std::string_view::npos ? end : end + tag.size();
}

size_t number_end(std::string_view sql, size_t at) {
    while (at < sql.size() && is_digit(sql[at])) at++;
    if (at < sql.size() && sql[at] == '.') {
        at++;
        while (at < sql.size() && is_digit(sql[at])) at++;
    }
    if (at < sql.size() && (sql[at] == 'e' || sql[at] == 'E')) {
        size_t digits = at + 1;
        if (digits < sql.size() && (sql[digits] == '+' || sql[digits] == '-')) digits++;
        if (digits < sql.size() && is_digit(sql[digits])) {
            at = digits;
            while (at < sql.size() && is_digit(sql[at])) at++;
        }
    }
    return at;
}

bool equals_ignore_case(std::string_view a, std::string_view lower) {
    if (a.size() != lower.size()) return false;
    for (size_t i = 0; i < a.size(); i++) {
        char c = a[i] >= 'A' && a[i] <= 'Z' ? static_cast<char>(a[i] - 'A' + 'a') : a[i];
        if (c != lower[i]) return false;
    }
    return true;
}

// Words that mean more than one table, its conditions and a limit.
constexpr std::array kNotSimple = {
    "join", "union",     "intersect", "except", "group",    "order", "having",   "with",
    "over", "window",    "case",      "select", "distinct", "cast",  "interval", "date",
    "time", "timestamp", "array",     "exists", "qualify",  "fetch", "for",      "escape",
};

bool is_simple_word(std::string_view word) {
    for (const char* w : kNotSimple) {
        if (equals_ignore_case(word, w)) return false;
    }
    return true;
}

std::optional<Value> number_value(std::string_view text, bool negative) {
    std::string digits = (negative ? "-" : "") + std::string(text);
    int64_t v = 0;
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), v);
    if (error == std::errc() && end == digits.data() + digits.size()) return Value(v);
    return std::nullopt;  // decimals and floats stay where they are
}

// 12.50, with as many digits as every type of numbers holds exactly.
std::optional<Value> decimal_value(std::string_view text, bool negative) {
    constexpr size_t kDigitsMax = 15;
    const size_t point = text.find('.');
    if (point == std::string_view::npos || text.size() - 1 > kDigitsMax) return std::nullopt;
    std::string digits(text.substr(0, point));
    digits += text.substr(point + 1);
    int64_t unscaled = 0;
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), unscaled);
    if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
    const auto scale = static_cast<int32_t>(text.size() - point - 1);
    return Value(Decimal{negative ? -unscaled : unscaled, scale});
}

Value string_value(std::string_view quoted) {
    std::string out;
    for (size_t i = 1; i + 1 < quoted.size(); i++) {
        out += quoted[i];
        if (quoted[i] == '\'') i++;
    }
    return Value(std::move(out));
}

}  // namespace

std::optional<Token> next_token(std::string_view sql, size_t* at, bool* open) {
    *open = false;
    auto begin = skip_blank(sql, *at);
    if (!begin) {
        *open = true;
        return std::nullopt;
    }
    const size_t start = *begin;
    *at = start;
    if (start >= sql.size()) return std::nullopt;
    const char c = sql[start];
    const bool escape_string =
        (c == 'e' || c == 'E') && start + 1 < sql.size() && sql[start + 1] == '\'';
    TokenKind kind = TokenKind::kSymbol;
    size_t end = start + 1;
    if (c == '\'' || escape_string) {
        kind = TokenKind::kString;
        end = quoted_end(sql, escape_string ? start + 1 : start, escape_string);
    } else if (c == '"') {
        kind = TokenKind::kQuoted;
        end = quoted_end(sql, start, false);
    } else if (c == '$') {
        end = dollar_quoted_end(sql, start);
        kind = TokenKind::kString;
        if (end == start) {
            kind = TokenKind::kParameter;
            for (end = start + 1; end < sql.size() && is_digit(sql[end]);) end++;
        }
    } else if (is_word_start(c)) {
        kind = TokenKind::kWord;
        while (end < sql.size() && is_word(sql[end])) end++;
    } else if (is_digit(c) || (c == '.' && end < sql.size() && is_digit(sql[end]))) {
        kind = TokenKind::kNumber;
        end = number_end(sql, start);
    }
    if (end == std::string_view::npos) {
        *open = true;
        return std::nullopt;
    }
    *at = end;
    return Token{kind, sql.substr(start, end - start), start};
}

namespace {

// Which literals of a statement may be lifted.
class Lifter {
public:
    explicit Lifter(std::string_view sql) : sql_(sql) {}

    std::optional<LiftedStatement> lift() {
        size_t at = 0;
        bool open = false;
        while (auto token = next_token(sql_, &at, &open)) {
            if (!take(*token, at)) return std::nullopt;
            if (lifted_.literals.size() > kLiftedMax) return std::nullopt;
            two_before_ = before_;
            before_ = token->text;
        }
        if (open || lifted_.literals.empty()) return std::nullopt;
        lifted_.text.append(sql_.substr(copied_));
        return std::move(lifted_);
    }

private:
    // Statements of more literals are worth a plan of their own.
    static constexpr size_t kLiftedMax = 512;
    enum class Kind : uint8_t { kNone, kQuery, kChange };

    static Kind kind_of(std::string_view word) {
        if (equals_ignore_case(word, "select")) return Kind::kQuery;
        const bool change = equals_ignore_case(word, "insert") ||
                            equals_ignore_case(word, "update") ||
                            equals_ignore_case(word, "delete");
        return change ? Kind::kChange : Kind::kNone;
    }

    // False if the statement is none of ours.
    bool take(const Token& token, size_t end) {
        if (kind_ == Kind::kNone) {
            kind_ = kind_of(token.text);
            return kind_ != Kind::kNone;
        }
        if (token.kind == TokenKind::kParameter) return false;
        if (token.kind == TokenKind::kWord && !take_word(token.text)) return false;
        if (token.text == "(") parentheses_++;
        if (token.text == ")") parentheses_--;
        if (!among_values_) return true;
        if (token.kind == TokenKind::kNumber) return take_number(token, end);
        if (token.kind != TokenKind::kString) return true;
        if (token.text[0] != '\'') return kind_ == Kind::kQuery;  // stays where it is
        replace(token.offset, end, string_value(token.text));
        return true;
    }

    bool take_word(std::string_view word) {
        if (kind_ == Kind::kChange) {
            among_values_ |= equals_ignore_case(word, "values") ||
                             equals_ignore_case(word, "set") || equals_ignore_case(word, "where");
            return !equals_ignore_case(word, "select") && !equals_ignore_case(word, "with");
        }
        if (!is_simple_word(word)) return false;
        among_values_ |= parentheses_ == 0 &&
                         (equals_ignore_case(word, "where") || equals_ignore_case(word, "limit"));
        return true;
    }

    bool take_number(const Token& token, size_t end) {
        const bool minus = before_ == "-";
        if (kind_ == Kind::kQuery) {
            // "-7" after an operator is a negative number, after a value it is a subtraction.
            if (minus) return false;
            auto value = number_value(token.text, false);
            if (value) replace(token.offset, end, std::move(*value));  // or it stays where it is
            return true;
        }
        const bool sign = minus && (two_before_ == "(" || two_before_ == "," || two_before_ == "=");
        auto value = number_value(token.text, sign);
        if (!value) value = decimal_value(token.text, sign);
        if (!value) return false;
        replace(sign ? minus_at(token.offset) : token.offset, end, std::move(*value));
        return true;
    }

    // Where the "-" before this place is.
    size_t minus_at(size_t offset) const { return sql_.rfind('-', offset - 1); }

    void replace(size_t begin, size_t end, Value value) {
        lifted_.text.append(sql_.substr(copied_, begin - copied_));
        lifted_.literals.push_back(std::move(value));
        lifted_.text += "$" + std::to_string(lifted_.literals.size());
        copied_ = end;
    }

    std::string_view sql_;
    LiftedStatement lifted_;
    size_t copied_ = 0;
    Kind kind_ = Kind::kNone;
    bool among_values_ = false;
    int parentheses_ = 0;
    std::string_view before_, two_before_;  // the tokens before, to tell a sign from a minus
};

}  // namespace

std::optional<LiftedStatement> lift_literals(std::string_view sql) {
    return Lifter(sql).lift();
}

std::optional<std::string_view> first_statement(std::string_view text) {
    size_t at = 0;
    bool open = false;
    while (auto token = next_token(text, &at, &open)) {
        if (token->text == ";") return text.substr(0, at);
    }
    return std::nullopt;
}

bool is_blank_sql(std::string_view text) {
    size_t at = 0;
    bool open = false;
    return !next_token(text, &at, &open) && !open;
}

}  // namespace trefoil
