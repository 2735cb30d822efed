// Measures the first rows, settles the widths of the columns, then prints row by row.
//
// On a terminal a wider value of a later row is cut to its column. In a file nothing is ever cut:
// there such a value pushes its line out.

#include "shell/table_renderer.h"

#include <algorithm>
#include <numeric>

#include "shell/width.h"

namespace trefoil::shell {

namespace {

constexpr int kLeastWidth = 6;  // a column is not squeezed below this
constexpr std::string_view kNull = "NULL";

int64_t total(const std::vector<int>& widths) {
    return std::accumulate(widths.begin(), widths.end(), int64_t{0});
}

std::string repeat(std::string_view text, int times) {
    std::string out;
    for (int i = 0; i < times; i++) out += text;
    return out;
}

}  // namespace

std::vector<int> shrink_widths(std::vector<int> wanted, int available, int least) {
    while (total(wanted) > available) {
        const int widest = *std::max_element(wanted.begin(), wanted.end());
        if (widest <= least) break;
        // Lower all of the widest to the next width below, or as far as is needed.
        int next = least;
        int count = 0;
        for (const int w : wanted) {
            if (w == widest) count++;
            if (w < widest) next = std::max(next, w);
        }
        const int64_t excess = total(wanted) - available;
        const int step =
            static_cast<int>(std::min<int64_t>(widest - next, (excess + count - 1) / count));
        for (int& w : wanted) {
            if (w == widest) w -= std::max(step, 1);
        }
    }
    return wanted;
}

void TableRenderer::begin(const std::vector<ColumnInfo>& columns) {
    for (const ColumnInfo& column : columns) {
        Column shown{one_line(column.name), is_numeric_type(column.type), 1};
        if (style_.header) shown.width = std::max(1, display_width(shown.name));
        columns_.push_back(std::move(shown));
    }
}

void TableRenderer::add(const Grid& rows) {
    for (int64_t r = 0; r < rows.row_count(); r++) {
        if (style_.max_rows > 0 && rows_printed_ >= style_.max_rows) {
            rows_hidden_ += rows.row_count() - r;
            return;
        }
        Row row = read_row(rows, r);
        rows_printed_++;
        if (printing_) {
            print_row(row);
            continue;
        }
        measure(row);
        measured_.push_back(std::move(row));
        if (static_cast<int64_t>(measured_.size()) == kMeasuredRows) start_printing();
    }
}

void TableRenderer::end(bool complete) {
    if (!printing_) {
        if (!complete && measured_.empty()) return;
        start_printing();
    }
    print_rule("└", "┴", "┘");
}

TableRenderer::Row TableRenderer::read_row(const Grid& rows, int64_t row) const {
    Row out(columns_.size());
    for (size_t c = 0; c < columns_.size(); c++) {
        const auto column = static_cast<int32_t>(c);
        out[c].null = rows.is_null(row, column);
        out[c].text = out[c].null ? std::string(kNull) : one_line(rows.text(row, column));
    }
    return out;
}

void TableRenderer::measure(const Row& row) {
    for (size_t c = 0; c < columns_.size(); c++) {
        columns_[c].width = std::max(columns_[c].width, display_width(row[c].text));
    }
}

void TableRenderer::start_printing() {
    printing_ = true;
    if (style_.width > 0) fit_to_terminal();
    print_rule("┌", "┬", "┐");
    if (style_.header) {
        print_header();
        print_rule("├", "┼", "┤");
    }
    for (const Row& row : measured_) print_row(row);
    measured_.clear();
}

// Frames take three columns per cell and one at the end. Columns that do not fit even at their
// least width are left out from the right; "…" takes the place of the first.
void TableRenderer::fit_to_terminal() {
    std::vector<int> wanted;
    for (const Column& column : columns_) wanted.push_back(column.width);
    const auto room = [&](size_t shown) {
        const int ellipsis = shown < columns_.size() ? 4 : 0;
        return style_.width - static_cast<int>(3 * shown + 1) - ellipsis;
    };
    std::vector<int> widths = shrink_widths(wanted, room(wanted.size()), kLeastWidth);
    while (wanted.size() > 1 && total(widths) > room(wanted.size())) {
        wanted.pop_back();
        widths = shrink_widths(wanted, room(wanted.size()), kLeastWidth);
    }
    columns_hidden_ = static_cast<int32_t>(columns_.size() - widths.size());
    columns_.resize(widths.size());
    for (size_t c = 0; c < widths.size(); c++) columns_[c].width = widths[c];
}

void TableRenderer::print_rule(const char* left, const char* middle, const char* right) {
    std::string line = left;
    for (size_t c = 0; c < columns_.size(); c++) {
        if (c > 0) line += middle;
        line += repeat("─", columns_[c].width + 2);
    }
    if (columns_hidden_ > 0) line += middle + std::string("───");
    line += right;
    sink_.write(dim(line) + "\n");
}

void TableRenderer::print_header() {
    std::string line;
    for (const Column& column : columns_) {
        const std::string name =
            style_.width > 0 ? cut_to_width(column.name, column.width) : column.name;
        const std::string padded = pad(name, column.width, column.right);
        line += dim("│") + " " + (style_.color ? "\x1b[1m" + padded + "\x1b[0m" : padded) + " ";
    }
    if (columns_hidden_ > 0) line += dim("│") + " … ";
    sink_.write(line + dim("│") + "\n");
}

void TableRenderer::print_row(const Row& row) {
    std::string line;
    for (size_t c = 0; c < columns_.size(); c++) {
        const Column& column = columns_[c];
        const std::string text =
            style_.width > 0 ? cut_to_width(row[c].text, column.width) : row[c].text;
        const std::string padded = pad(text, column.width, column.right);
        line += dim("│") + " " + (row[c].null ? dim(padded) : padded) + " ";
    }
    if (columns_hidden_ > 0) line += dim("│") + " … ";
    sink_.write(line + dim("│") + "\n");
}

std::string TableRenderer::pad(const std::string& text, int width, bool right) const {
    const int missing = std::max(0, width - display_width(text));
    const std::string space(static_cast<size_t>(missing), ' ');
    return right ? space + text : text + space;
}

std::string TableRenderer::dim(std::string_view text) const {
    if (!style_.color) return std::string(text);
    return "\x1b[2m" + std::string(text) + "\x1b[0m";
}

}  // namespace trefoil::shell
