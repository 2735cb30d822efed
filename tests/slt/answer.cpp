// Answers of queries, written and compared.

#include "answer.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <sstream>

#include "md5.h"

namespace slt {
namespace {

using Values = std::vector<std::string>;

std::optional<double> number_of(const std::string& text) {
    char* end = nullptr;
    const double value = std::strtod(text.c_str(), &end);
    if (text.empty() || *end != 0) return std::nullopt;
    return value;
}

std::string printable(const std::string& text) {
    if (text.empty()) return "(empty)";
    std::string out = text;
    for (char& c : out) {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '@';
    }
    return out;
}

std::string written(const std::string& text, const std::string& sql_type, char letter) {
    if (letter == 'I') {
        if (sql_type == "BOOLEAN") return text == "true" ? "1" : "0";
        const bool whole = !text.empty() && text.find_first_not_of("0123456789", text[0] == '-') ==
                                                std::string::npos;
        if (whole) return text;
        if (auto number = number_of(text); number && std::abs(*number) < 9e18) {
            return std::to_string(static_cast<int64_t>(*number));
        }
    }
    if (letter == 'R') {
        if (auto number = number_of(text); number && std::isfinite(*number)) {
            std::string out(400, 0);
            out.resize(std::snprintf(out.data(), out.size(), "%.3f", *number));
            return out;
        }
    }
    return printable(text);
}

std::string joined(Values::const_iterator first, size_t n, const char* between) {
    std::string out;
    for (size_t i = 0; i < n; i++) out += (i ? between : "") + *(first + static_cast<long>(i));
    return out;
}

// One row of expected values in a line: between tabs or blanks; nullopt if they are not `width`.
std::optional<Values> split_row(const std::string& line, size_t width) {
    Values cells;
    std::istringstream in(line);
    for (std::string cell; std::getline(in, cell, '\t');) cells.push_back(cell);
    if (cells.size() == width) return cells;
    cells.clear();
    std::istringstream words(line);
    for (std::string word; words >> word;) cells.push_back(word);
    if (cells.size() == width) return cells;
    return std::nullopt;
}

bool same(const std::string& expected, const std::string& got) {
    if (expected == got) return true;
    if (got == "true") return expected == "t" || expected == "1";
    if (got == "false") return expected == "f" || expected == "0";
    // Files of the row-wise kind write all digits of a number; three were kept of ours.
    auto a = number_of(expected), b = number_of(got);
    return a && b && got.find('.') != std::string::npos && std::abs(*a - *b) <= 0.000501;
}

std::string difference(const std::string& what, const Values& expected, const Values& got) {
    const size_t kShown = 20;
    std::string out = what;
    auto list = [&](const char* title, const Values& lines) {
        out += std::string("\n  ") + title + ":";
        for (size_t i = 0; i < std::min(lines.size(), kShown); i++) out += "\n    " + lines[i];
        if (lines.size() > kShown) out += "\n    ... " + std::to_string(lines.size()) + " in all";
    };
    list("expected", expected);
    list("got", got);
    return out;
}

Values as_rows(const Answer& answer) {
    Values rows;
    for (size_t i = 0; i < answer.values.size(); i += answer.width) {
        rows.push_back(joined(answer.values.begin() + static_cast<long>(i), answer.width, "\t"));
    }
    return rows;
}

// The expected lines as values, in the order in which the answer is sorted; nullopt if they are
// neither values nor rows of this width.
std::optional<Answer> expected_answer(const Record& record, size_t width) {
    Answer out{width, {}};
    std::vector<Values> rows;
    for (const std::string& line : record.expected) {
        auto row = split_row(line, width);
        if (!row) break;
        rows.push_back(std::move(*row));
    }
    if (width > 1 && rows.size() == record.expected.size()) {
        for (Values& row : rows) out.values.insert(out.values.end(), row.begin(), row.end());
    } else if (record.expected.size() % std::max<size_t>(width, 1) == 0) {
        out.values = record.expected;
    } else {
        return std::nullopt;
    }
    sort_answer(out, record.sort);
    return out;
}

}  // namespace

std::string Answer::hash() const {
    Md5 md5;
    for (const std::string& value : values) {
        md5.add(value);
        md5.add("\n");
    }
    return std::to_string(values.size()) + " values hashing to " + md5.hex();
}

trefoil::Result<Answer> read_answer(trefoil::Rows& rows, const std::string& types) {
    Answer answer{rows.columns().size(), {}};
    for (;;) {
        auto batch = rows.next();
        if (!batch.ok()) return batch.status();
        if (!batch->has_value()) return answer;
        for (int64_t r = 0; r < (*batch)->row_count(); r++) {
            for (int32_t c = 0; c < (*batch)->column_count(); c++) {
                const auto column = static_cast<size_t>(c);
                const char letter = column < types.size() ? types[column] : 'T';
                answer.values.push_back(
                    (*batch)->is_null(r, c)
                        ? "NULL"
                        : written((*batch)->text(r, c), rows.columns()[column].type, letter));
            }
        }
    }
}

void sort_answer(Answer& answer, Sort sort) {
    if (sort == Sort::kValues) std::sort(answer.values.begin(), answer.values.end());
    if (sort != Sort::kRows || answer.width == 0) return;
    std::vector<Values> rows;
    for (auto at = answer.values.begin(); at != answer.values.end();) {
        auto end = at + static_cast<long>(answer.width);
        rows.emplace_back(at, end);
        at = end;
    }
    std::sort(rows.begin(), rows.end());
    answer.values.clear();
    for (Values& row : rows) answer.values.insert(answer.values.end(), row.begin(), row.end());
}

std::string compare(const Record& record, const Answer& answer) {
    if (!record.types.empty() && record.types.size() != answer.width) {
        return "expected " + std::to_string(record.types.size()) + " columns, got " +
               std::to_string(answer.width);
    }
    const Values& lines = record.expected;
    if (lines.size() == 1 && lines[0].find(" values hashing to ") != std::string::npos) {
        return lines[0] == answer.hash() ? "" : difference("another hash", lines, {answer.hash()});
    }
    auto expected = expected_answer(record, answer.width);
    if (!expected) {
        // Texts with blanks, row by row.
        Values got;
        for (size_t i = 0; i < answer.values.size(); i += answer.width) {
            got.push_back(joined(answer.values.begin() + static_cast<long>(i), answer.width, " "));
        }
        return got == lines ? "" : difference("other rows", lines, got);
    }
    if (expected->values.size() != answer.values.size()) {
        return difference("expected " + std::to_string(expected->rows()) + " rows, got " +
                              std::to_string(answer.rows()),
                          as_rows(*expected), as_rows(answer));
    }
    for (size_t i = 0; i < answer.values.size(); i++) {
        if (!same(expected->values[i], answer.values[i])) {
            return difference("other values, first \"" + expected->values[i] + "\" against \"" +
                                  answer.values[i] + "\"",
                              as_rows(*expected), as_rows(answer));
        }
    }
    return "";
}

}  // namespace slt
