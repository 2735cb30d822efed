// Renderer: prints an answer, one form per output mode, as its rows arrive.
//
//     auto renderer = make_renderer(Mode::kCsv, style, sink);
//     renderer->begin(rows.columns());
//     for each batch: renderer->add(BatchGrid(batch));
//     renderer->end();
//
// Every renderer streams: it keeps at most kMeasuredRows rows, however long the answer is.
//
//     table     box-drawing table, right-aligned numbers; on a terminal cut to its width and to
//     max_rows csv       RFC 4180 with "\n" line ends; NULL is an empty field, the empty string is
//     "" tsv       PostgreSQL's text form: \t \n \r \\ escaped, NULL is \N json      one array of
//     objects, an object per line jsonl     one object per line markdown  a pipe table line one
//     "column = value" per line, a blank line between rows

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "shell/grid.h"
#include "shell/sink.h"

namespace trefoil::shell {

enum class Mode : uint8_t { kTable, kCsv, kTsv, kJson, kJsonl, kMarkdown, kLine };

inline constexpr std::string_view kModeNames[] = {"table", "csv",      "tsv", "json",
                                                  "jsonl", "markdown", "line"};
std::optional<Mode> mode_from_name(std::string_view name);
std::string_view mode_name(Mode mode);

struct Style {
    bool header = true;    // csv, tsv, table
    bool color = false;    // table, line: NULL and frames in dim, column names in bold
    int width = 0;         // of the terminal; 0: not a terminal, nothing is cut
    int64_t max_rows = 0;  // table: rows to print before only counting; 0: all
};

// Rows that a table is measured by before its first line is printed.
inline constexpr int64_t kMeasuredRows = 1000;

class Renderer {
public:
    virtual ~Renderer() = default;

    virtual void begin(const std::vector<ColumnInfo>& columns) = 0;
    virtual void add(const Grid& rows) = 0;
    // Prints what is left. `complete` is false if the answer broke off with an error.
    virtual void end(bool complete) = 0;

    // Rows and columns that were not printed because of Style::max_rows and Style::width.
    virtual int64_t rows_hidden() const { return 0; }
    virtual int32_t columns_hidden() const { return 0; }
};

// `sink` must outlive the renderer.
std::unique_ptr<Renderer> make_renderer(Mode mode, const Style& style, Sink& sink);

// True for the types that are written flush right: "BIGINT", "DECIMAL(10,2)", but not "BIGINT[]".
bool is_numeric_type(std::string_view sql_type);

// One field of a CSV line: quoted if it is empty or holds a comma, quote or line break.
void append_csv_field(std::string& out, std::string_view text);

}  // namespace trefoil::shell
