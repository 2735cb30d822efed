// Widths count UTF-8 characters, each as one column of the terminal.

#include "screen.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <vector>

namespace screen {

namespace {

constexpr size_t kCellMax = 48;

bool on_terminal() {
    return isatty(STDOUT_FILENO) != 0;
}

size_t width(std::string_view text) {
    return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](unsigned char c) {
        return (c & 0xC0) != 0x80;  // not a later byte of a character
    }));
}

std::string cut(std::string text) {
    std::replace(text.begin(), text.end(), '\n', ' ');
    if (width(text) <= kCellMax) return text;
    size_t characters = 0;
    for (size_t i = 0; i < text.size(); i++) {
        if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80 && ++characters == kCellMax) {
            return text.substr(0, i) + "…";
        }
    }
    return text;
}

bool is_number(const std::string& type) {
    for (const char* prefix :
         {"SMALLINT", "INTEGER", "BIGINT", "REAL", "DOUBLE", "DECIMAL", "UBIGINT"}) {
        if (type.starts_with(prefix) && !type.ends_with("]")) return true;
    }
    return false;
}

using Row = std::vector<std::string>;

void print_row(const Row& row, const std::vector<size_t>& widths, const std::vector<bool>& right) {
    std::string line = "  ";
    for (size_t c = 0; c < row.size(); c++) {
        line += " " + (right[c] ? padded_left(row[c], widths[c]) : padded(row[c], widths[c])) + " ";
    }
    while (line.ends_with(' ')) line.pop_back();
    std::puts(line.c_str());
}

void print_rule(const std::vector<size_t>& widths) {
    std::string line = "  ";
    for (const size_t w : widths) {
        line += " ";
        for (size_t i = 0; i < w; i++) line += "─";
        line += " ";
    }
    std::puts(line.c_str());
}

}  // namespace

void progress(const std::string& line) {
    if (!on_terminal()) return;
    std::printf("\r\x1b[K%s", line.c_str());
    std::fflush(stdout);
}

void finish(const std::string& line) {
    std::printf("%s%s\n", on_terminal() ? "\r\x1b[K" : "", line.c_str());
    std::fflush(stdout);
}

std::string grouped(int64_t number) {
    std::string digits = std::to_string(number);
    const size_t first = number < 0 ? 4 : 3;
    for (size_t i = digits.size(); i > first; i -= 3) digits.insert(i - 3, ",");
    return digits;
}

std::string padded(std::string_view text, size_t columns) {
    return std::string(text) + std::string(columns - std::min(columns, width(text)), ' ');
}

std::string padded_left(std::string_view text, size_t columns) {
    return std::string(columns - std::min(columns, width(text)), ' ') + std::string(text);
}

std::string since(std::chrono::steady_clock::time_point begun) {
    const std::chrono::duration<double, std::milli> passed =
        std::chrono::steady_clock::now() - begun;
    char text[32];
    if (passed.count() < 1000) {
        std::snprintf(text, sizeof text, passed.count() < 10 ? "%.2f ms" : "%.0f ms",
                      passed.count());
    } else {
        std::snprintf(text, sizeof text, "%.1f s", passed.count() / 1000);
    }
    return text;
}

trefoil::Status print_table(trefoil::Rows& rows) {
    Row names;
    std::vector<bool> right;
    std::vector<size_t> widths;
    for (const trefoil::ColumnInfo& column : rows.columns()) {
        names.push_back(column.name);
        right.push_back(is_number(column.type));
        widths.push_back(width(column.name));
    }
    std::vector<Row> table;
    for (;;) {
        auto batch = rows.next();
        if (!batch.ok()) return batch.status();
        if (!batch->has_value()) break;
        for (int64_t r = 0; r < (*batch)->row_count(); r++) {
            Row& row = table.emplace_back();
            for (size_t c = 0; c < names.size(); c++) {
                const auto column = static_cast<int32_t>(c);
                row.push_back((*batch)->is_null(r, column) ? "NULL"
                                                           : cut((*batch)->text(r, column)));
                widths[c] = std::max(widths[c], width(row[c]));
            }
        }
    }
    print_row(names, widths, right);
    print_rule(widths);
    for (const Row& row : table) print_row(row, widths, right);
    return trefoil::Status();
}

trefoil::Status print_lines(trefoil::Rows& rows) {
    const auto last = static_cast<int32_t>(rows.columns().size()) - 1;
    for (;;) {
        auto batch = rows.next();
        if (!batch.ok()) return batch.status();
        if (!batch->has_value()) return trefoil::Status();
        for (int64_t r = 0; r < (*batch)->row_count(); r++) {
            std::string line;
            for (const char c : (*batch)->text(r, last) + "\n") {
                if (c != '\n') {
                    line += c;
                    continue;
                }
                std::printf("   %s\n", line.c_str());
                line.clear();
            }
        }
    }
}

}  // namespace screen
