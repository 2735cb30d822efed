// Finds the line, cuts it to the terminal around the position, and measures its way to the caret.

#include "shell/error_text.h"

#include <algorithm>

#include "shell/width.h"

namespace trefoil::shell {

namespace {

constexpr int kLinesShownFrom = 20;  // columns before the position that a shortened line keeps

// A line of source as it can be printed: tabs stay tabs, other control characters become pictures.
std::string printable(std::string_view line) {
    std::string out;
    for (;;) {
        const size_t tab = line.find('\t');
        out += one_line(line.substr(0, tab));
        if (tab == line.npos) return out;
        out += '\t';
        line.remove_prefix(tab + 1);
    }
}

// Space that is as wide as `text`: a tab for each tab.
std::string blanks_for(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const char32_t c = take_code_point(text);
        if (c == '\t') {
            out += '\t';
        } else {
            out.append(static_cast<size_t>(code_point_width(c)), ' ');
        }
    }
    return out;
}

// The last part of `text` that is at most `columns` wide.
std::string_view tail(std::string_view text, int columns) {
    while (display_width(text) > columns) take_code_point(text);
    return text;
}

}  // namespace

std::string caret_lines(std::string_view statement, size_t position, const std::string& label,
                        int width) {
    position = std::min(position, statement.size());
    const size_t before = position == 0 ? statement.npos : statement.rfind('\n', position - 1);
    const size_t begin = before == statement.npos ? 0 : before + 1;
    const size_t end = std::min(statement.find('\n', position), statement.size());

    std::string front = printable(statement.substr(begin, position - begin));
    std::string back = printable(statement.substr(position, end - position));
    while (!back.empty() && back.ends_with("␍"))
        back.resize(back.size() - std::string_view("␍").size());

    const int room = width - display_width(label);
    if (width > 0 && room > 2 * kLinesShownFrom &&
        display_width(front) + display_width(back) >= room) {
        if (display_width(front) > room - kLinesShownFrom) {
            front = "…" + std::string(tail(front, kLinesShownFrom));
        }
        back = cut_to_width(back, room - 1 - display_width(front));
    }
    return label + front + back + "\n" + blanks_for(label) + blanks_for(front) + "^\n";
}

std::string error_text(const Status& status, const ErrorPlace& place) {
    const std::string red = place.color ? "\x1b[1;31m" : "";
    const std::string bold = place.color ? "\x1b[1m" : "";
    const std::string off = place.color ? "\x1b[0m" : "";

    std::string out = red + "ERROR " + std::string(status.sqlstate()) + ":" + off + " " + bold +
                      status.message() + off + "\n";
    if (status.position() && !place.statement.empty()) {
        const size_t position = std::min<size_t>(*status.position(), place.statement.size());
        const int64_t line =
            std::count(place.statement.begin(),
                       place.statement.begin() + static_cast<ptrdiff_t>(position), '\n');
        const std::string label = place.file.empty() ? "LINE " + std::to_string(line + 1) + ": "
                                                     : std::string(place.file) + ":" +
                                                           std::to_string(place.line + line) + ": ";
        out += caret_lines(place.statement, position, label, place.width);
    } else if (!place.file.empty()) {
        out += "in " + std::string(place.file) + ", the statement at line " +
               std::to_string(place.line) + "\n";
    }
    if (!status.detail().empty()) out += "DETAIL: " + status.detail() + "\n";
    if (!status.hint().empty()) out += "HINT: " + status.hint() + "\n";
    return out;
}

}  // namespace trefoil::shell
