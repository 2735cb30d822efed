// Nothing here knows a terminal or a database.

#include "shell/text.h"

#include <cctype>
#include <cstdio>

#include "shell/script.h"

namespace trefoil::shell {

std::string grouped(uint64_t number) {
    std::string digits = std::to_string(number);
    for (size_t i = digits.size(); i > 3; i -= 3) digits.insert(i - 3, ",");
    return digits;
}

std::string count_text(uint64_t count, std::string_view one, std::string_view many) {
    return grouped(count) + " " + std::string(count == 1 ? one : many);
}

std::string duration_text(std::chrono::nanoseconds duration) {
    const double ms = static_cast<double>(duration.count()) / 1e6;
    char text[48];
    if (ms < 10) {
        std::snprintf(text, sizeof text, "%.2f ms", ms);
    } else if (ms < 1000) {
        std::snprintf(text, sizeof text, "%.1f ms", ms);
    } else if (ms < 60'000) {
        std::snprintf(text, sizeof text, "%.2f s", ms / 1000);
    } else {
        const auto seconds = static_cast<long>(ms / 1000);
        std::snprintf(text, sizeof text, "%ld min %02ld s", seconds / 60, seconds % 60);
    }
    return text;
}

bool is_explain(std::string_view sql) {
    sql.remove_prefix(blank_prefix(sql));
    constexpr std::string_view kWord = "EXPLAIN";
    if (sql.size() <= kWord.size()) return false;
    for (size_t i = 0; i < kWord.size(); i++) {
        if (std::toupper(static_cast<unsigned char>(sql[i])) != kWord[i]) return false;
    }
    return std::isspace(static_cast<unsigned char>(sql[kWord.size()])) != 0;
}

std::string quote_literal(std::string_view text) {
    std::string out = "'";
    for (const char c : text) {
        if (c == '\'') out += '\'';
        out += c;
    }
    return out + "'";
}

std::vector<std::string> split_words(std::string_view line) {
    while (!line.empty() &&
           (std::isspace(static_cast<unsigned char>(line.back())) != 0 || line.back() == ';')) {
        line.remove_suffix(1);
    }
    std::vector<std::string> words;
    bool in_word = false;
    char quote = 0;
    for (const char c : line) {
        if (quote != 0) {
            if (c == quote) {
                quote = 0;
            } else {
                words.back() += c;
            }
            continue;
        }
        if (std::isspace(static_cast<unsigned char>(c)) != 0) {
            in_word = false;
            continue;
        }
        if (!in_word) words.emplace_back();
        in_word = true;
        if (c == '\'' || c == '"') {
            quote = c;
        } else {
            words.back() += c;
        }
    }
    return words;
}

}  // namespace trefoil::shell
