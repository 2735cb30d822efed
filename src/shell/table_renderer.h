// The box-drawing table. See renderer.h for what it prints.

#pragma once

#include <string>
#include <vector>

#include "shell/renderer.h"

namespace trefoil::shell {

class TableRenderer final : public Renderer {
public:
    TableRenderer(const Style& style, Sink& sink) : style_(style), sink_(sink) {}

    void begin(const std::vector<ColumnInfo>& columns) override;
    void add(const Grid& rows) override;
    void end(bool complete) override;
    int64_t rows_hidden() const override { return rows_hidden_; }
    int32_t columns_hidden() const override { return columns_hidden_; }

private:
    struct Cell {
        std::string text;
        bool null = false;
    };
    using Row = std::vector<Cell>;
    struct Column {
        std::string name;
        bool right = false;
        int width = 0;
    };

    Row read_row(const Grid& rows, int64_t row) const;
    void measure(const Row& row);
    void start_printing();
    void fit_to_terminal();
    void print_rule(const char* left, const char* middle, const char* right);
    void print_header();
    void print_row(const Row& row);
    std::string pad(const std::string& text, int width, bool right) const;
    std::string dim(std::string_view text) const;

    Style style_;
    Sink& sink_;
    std::vector<Column> columns_;  // those that are shown
    std::vector<Row> measured_;
    bool printing_ = false;
    int64_t rows_printed_ = 0;
    int64_t rows_hidden_ = 0;
    int32_t columns_hidden_ = 0;
};

// The widths of columns that want `wanted` so that they take at most `available` in all: the widest
// give way first, none below `least` (or its wish, if that is smaller).
std::vector<int> shrink_widths(std::vector<int> wanted, int available, int least);

}  // namespace trefoil::shell
