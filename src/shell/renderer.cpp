// The renderers that print each row as it comes, without looking at the next.

#include "shell/renderer.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <string>
#include <utility>

#include "shell/json_text.h"
#include "shell/table_renderer.h"
#include "shell/width.h"

namespace trefoil::shell {

namespace {

constexpr size_t kFlushBytes = size_t{1} << 16;

// One text that grows and is handed on in large pieces.
class Buffer {
public:
    explicit Buffer(Sink& sink) : sink_(sink) {}
    std::string& text() { return text_; }
    void flush_if_full() {
        if (text_.size() >= kFlushBytes) flush();
    }
    void flush() {
        sink_.write(text_);
        text_.clear();
    }

private:
    Sink& sink_;
    std::string text_;
};

// CSV and TSV.
class SeparatedRenderer final : public Renderer {
public:
    SeparatedRenderer(bool csv, const Style& style, Sink& sink)
        : csv_(csv), header_(style.header), buffer_(sink) {}

    void begin(const std::vector<ColumnInfo>& columns) override {
        column_count_ = static_cast<int32_t>(columns.size());
        if (!header_) return;
        for (int32_t c = 0; c < column_count_; c++) {
            separate(c);
            append_field(columns[static_cast<size_t>(c)].name);
        }
        buffer_.text() += '\n';
    }
    void add(const Grid& rows) override {
        for (int64_t r = 0; r < rows.row_count(); r++) {
            for (int32_t c = 0; c < column_count_; c++) {
                separate(c);
                if (!rows.is_null(r, c)) {
                    append_field(rows.text(r, c));
                } else if (!csv_) {
                    buffer_.text() += "\\N";
                }
            }
            buffer_.text() += '\n';
            buffer_.flush_if_full();
        }
    }
    void end(bool) override { buffer_.flush(); }

private:
    void separate(int32_t column) {
        if (column > 0) buffer_.text() += csv_ ? ',' : '\t';
    }
    void append_field(std::string_view text) {
        if (csv_) return append_csv_field(buffer_.text(), text);
        for (const char c : text) {
            switch (c) {
                case '\t':
                    buffer_.text() += "\\t";
                    break;
                case '\n':
                    buffer_.text() += "\\n";
                    break;
                case '\r':
                    buffer_.text() += "\\r";
                    break;
                case '\\':
                    buffer_.text() += "\\\\";
                    break;
                default:
                    buffer_.text() += c;
            }
        }
    }

    bool csv_;
    bool header_;
    int32_t column_count_ = 0;
    Buffer buffer_;
};

// JSON and JSON lines. Two columns of one name would hide each other: later ones become name_2,
// name_3.
class JsonRenderer final : public Renderer {
public:
    JsonRenderer(bool array, Sink& sink) : array_(array), buffer_(sink) {}

    void begin(const std::vector<ColumnInfo>& columns) override {
        std::set<std::string> taken;
        for (const ColumnInfo& column : columns) {
            std::string name = column.name;
            for (int n = 2; !taken.insert(name).second; n++) {
                name = column.name + "_" + std::to_string(n);
            }
            std::string key;
            append_json_string(key, name);
            keys_.push_back(key + ":");
        }
        if (array_) buffer_.text() += '[';
    }
    void add(const Grid& rows) override {
        for (int64_t r = 0; r < rows.row_count(); r++) {
            if (array_) buffer_.text() += first_ ? "\n  " : ",\n  ";
            first_ = false;
            buffer_.text() += '{';
            for (size_t c = 0; c < keys_.size(); c++) {
                if (c > 0) buffer_.text() += ',';
                buffer_.text() += keys_[c];
                append_json_value(buffer_.text(), rows.value(r, static_cast<int32_t>(c)));
            }
            buffer_.text() += '}';
            if (!array_) buffer_.text() += '\n';
            buffer_.flush_if_full();
        }
    }
    void end(bool complete) override {
        // An array that broke off stays open, so that nobody takes it for the whole answer.
        if (array_ && complete) buffer_.text() += first_ ? "]\n" : "\n]\n";
        if (array_ && !complete) buffer_.text() += "\n";
        buffer_.flush();
    }

private:
    bool array_;
    bool first_ = true;
    std::vector<std::string> keys_;
    Buffer buffer_;
};

class MarkdownRenderer final : public Renderer {
public:
    explicit MarkdownRenderer(Sink& sink) : buffer_(sink) {}

    void begin(const std::vector<ColumnInfo>& columns) override {
        column_count_ = static_cast<int32_t>(columns.size());
        for (const ColumnInfo& column : columns) {
            buffer_.text() += "| ";
            append_cell(column.name);
            buffer_.text() += ' ';
        }
        buffer_.text() += "|\n";
        for (const ColumnInfo& column : columns) {
            buffer_.text() += is_numeric_type(column.type) ? "| ---: " : "| --- ";
        }
        buffer_.text() += "|\n";
    }
    void add(const Grid& rows) override {
        for (int64_t r = 0; r < rows.row_count(); r++) {
            for (int32_t c = 0; c < column_count_; c++) {
                buffer_.text() += "| ";
                append_cell(rows.is_null(r, c) ? "NULL" : rows.text(r, c));
                buffer_.text() += ' ';
            }
            buffer_.text() += "|\n";
            buffer_.flush_if_full();
        }
    }
    void end(bool) override { buffer_.flush(); }

private:
    void append_cell(std::string_view text) {
        for (const char c : text) {
            switch (c) {
                case '|':
                    buffer_.text() += "\\|";
                    break;
                case '\n':
                    buffer_.text() += "<br>";
                    break;
                case '\r':
                    break;
                default:
                    buffer_.text() += c;
            }
        }
    }

    int32_t column_count_ = 0;
    Buffer buffer_;
};

class LineRenderer final : public Renderer {
public:
    LineRenderer(const Style& style, Sink& sink) : style_(style), buffer_(sink) {}

    void begin(const std::vector<ColumnInfo>& columns) override {
        for (const ColumnInfo& column : columns) {
            names_.push_back(one_line(column.name));
            width_ = std::max(width_, display_width(names_.back()));
        }
    }
    void add(const Grid& rows) override {
        for (int64_t r = 0; r < rows.row_count(); r++) {
            if (!first_) buffer_.text() += '\n';
            first_ = false;
            for (size_t c = 0; c < names_.size(); c++) {
                append_line(c, rows, r);
            }
            buffer_.flush_if_full();
        }
    }
    void end(bool) override { buffer_.flush(); }

private:
    void append_line(size_t column, const Grid& rows, int64_t row) {
        const auto c = static_cast<int32_t>(column);
        std::string& out = buffer_.text();
        const int missing = width_ - display_width(names_[column]);
        out.append(static_cast<size_t>(missing), ' ');
        out += style_.color ? "\x1b[1m" + names_[column] + "\x1b[0m" : names_[column];
        out += " = ";
        if (rows.is_null(row, c)) {
            out += style_.color ? "\x1b[2mNULL\x1b[0m" : "NULL";
        } else {
            append_value(rows.text(row, c));
        }
        out += '\n';
    }
    // The lines of a value stand below each other.
    void append_value(std::string_view text) {
        for (;;) {
            const size_t end = text.find('\n');
            buffer_.text() += one_line(text.substr(0, end));
            if (end == text.npos) return;
            text.remove_prefix(end + 1);
            buffer_.text() += '\n';
            buffer_.text().append(static_cast<size_t>(width_) + 3, ' ');
        }
    }

    Style style_;
    bool first_ = true;
    int width_ = 0;
    std::vector<std::string> names_;
    Buffer buffer_;
};

}  // namespace

std::optional<Mode> mode_from_name(std::string_view name) {
    const auto found = std::find(std::begin(kModeNames), std::end(kModeNames), name);
    if (found == std::end(kModeNames)) return std::nullopt;
    return static_cast<Mode>(found - std::begin(kModeNames));
}

std::string_view mode_name(Mode mode) {
    return kModeNames[static_cast<size_t>(mode)];
}

std::unique_ptr<Renderer> make_renderer(Mode mode, const Style& style, Sink& sink) {
    switch (mode) {
        case Mode::kTable:
            break;
        case Mode::kCsv:
            return std::make_unique<SeparatedRenderer>(true, style, sink);
        case Mode::kTsv:
            return std::make_unique<SeparatedRenderer>(false, style, sink);
        case Mode::kJson:
            return std::make_unique<JsonRenderer>(true, sink);
        case Mode::kJsonl:
            return std::make_unique<JsonRenderer>(false, sink);
        case Mode::kMarkdown:
            return std::make_unique<MarkdownRenderer>(sink);
        case Mode::kLine:
            return std::make_unique<LineRenderer>(style, sink);
    }
    return std::make_unique<TableRenderer>(style, sink);
}

bool is_numeric_type(std::string_view sql_type) {
    if (sql_type.ends_with("]")) return false;
    constexpr std::string_view kNumeric[] = {
        "TINYINT", "SMALLINT", "INT",   "BIGINT", "UTINYINT", "USMALLINT", "UINT",
        "UBIGINT", "REAL",     "FLOAT", "DOUBLE", "DECIMAL",  "NUMERIC"};
    if (sql_type.starts_with("INTERVAL")) return false;
    return std::any_of(std::begin(kNumeric), std::end(kNumeric),
                       [&](std::string_view prefix) { return sql_type.starts_with(prefix); });
}

void append_csv_field(std::string& out, std::string_view text) {
    if (!text.empty() && text.find_first_of(",\"\r\n") == text.npos) {
        out += text;
        return;
    }
    out += '"';
    for (const char c : text) {
        if (c == '"') out += '"';
        out += c;
    }
    out += '"';
}

}  // namespace trefoil::shell
