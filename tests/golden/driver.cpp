// Golden driver: runs one golden script and prints it again with the answers it got.
//
//     golden_driver SCRIPT [--database PATH] [--set NAME=VALUE]... [--flush]
//
// A script is text. Lines that start with "> " are a statement (several lines, one statement),
// "---" ends it, and what follows up to an empty line is its answer. Everything else is kept as it
// stands. Before the statement, comment lines may direct how it is run:
//
//     # reopen [read_only]   close the database and open it again, with all sessions
//     # sort                 the order of the rows is not promised: compare them sorted
//     # types                print the columns' types under their names
//     # batches              print the sizes of the batches, greatest first, and not the rows
//     # tier                 print which tier answered
//     # params: 7, 'x'       run with these parameters
//     # pad: 1000            blanks are added until the statement has 1000 bytes
//     # only: default        run only where no --set and no --flush changes the path taken
//
// Times that EXPLAIN ANALYZE shows, find_time=1.27ms, are printed as find_time=*.
//
// "> @b: COMMIT" runs in a session named b, "> !cat out.csv" runs a shell command in the working
// folder. With --flush the database writes its delta to segment files after every statement, so
// that the same script reads what it wrote from there. tools/golden.py calls this and compares.

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "trefoil/database.h"

namespace {

using trefoil::Database;
using trefoil::Result;
using trefoil::Rows;
using trefoil::Session;
using trefoil::Status;
using trefoil::Value;
using Lines = std::vector<std::string>;

struct Options {
    std::string script;
    std::string database = ":memory:";
    Lines settings;  // "SET trefoil.fast_path = off"
    bool flush = false;

    bool is_default() const { return settings.empty() && !flush; }
};

// How one statement is run, as the comment lines before it say.
struct Directions {
    bool sort = false, types = false, batches = false, tier = false, default_only = false;
    std::vector<Value> parameters;
    size_t pad = 0;
};

bool starts_with(const std::string& text, std::string_view prefix) {
    return text.compare(0, prefix.size(), prefix) == 0;
}

std::string trim(const std::string& text) {
    size_t first = text.find_first_not_of(" \t"), last = text.find_last_not_of(" \t");
    return first == std::string::npos ? "" : text.substr(first, last - first + 1);
}

Lines split(const std::string& text, char mark) {
    Lines parts;
    std::istringstream in(text);
    for (std::string part; std::getline(in, part, mark);) parts.push_back(part);
    return parts;
}

// 7 | -1.5 | 'text' | true | NULL
Value parse_parameter(const std::string& text) {
    if (text == "NULL") return Value();
    if (text == "true" || text == "false") return Value(text == "true");
    if (text.size() >= 2 && text[0] == '\'') return Value(text.substr(1, text.size() - 2));
    if (text.find_first_of(".e") != std::string::npos) return Value(std::stod(text));
    return Value(static_cast<int64_t>(std::stoll(text)));
}

// Characters, not bytes: enough to align the columns of scripts that are mostly ASCII.
size_t width_of(const std::string& text) {
    return std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; });
}

// With * for the number and unit of each time.
std::string without_times(std::string text) {
    constexpr std::string_view kTime = "_time=";
    for (size_t at = 0; (at = text.find(kTime, at)) != std::string::npos;) {
        at += kTime.size();
        const size_t end = text.find_first_of(", ]", at);
        text.replace(at, (end == std::string::npos ? text.size() : end) - at, "*");
    }
    return text;
}

std::string printable(const trefoil::RowBatch& batch, int64_t row, int32_t column) {
    if (batch.is_null(row, column)) return "NULL";
    std::string out, text = without_times(batch.text(row, column));
    if (text.empty()) return "''";
    for (char c : text) {
        if (c == '\n') {
            out += "\\n";
        } else {
            out += c;
        }
    }
    return out;
}

// Lines up columns with " | " between them, without trailing blanks.
Lines layout(const std::vector<Lines>& rows) {
    std::vector<size_t> widths(rows[0].size());
    for (const Lines& row : rows) {
        for (size_t i = 0; i < row.size(); i++) widths[i] = std::max(widths[i], width_of(row[i]));
    }
    Lines out;
    for (const Lines& row : rows) {
        std::string line;
        for (size_t i = 0; i < row.size(); i++) {
            line += (i ? " | " : "") + row[i] + std::string(widths[i] - width_of(row[i]), ' ');
        }
        line.erase(line.find_last_not_of(' ') + 1);
        out.push_back(line);
    }
    return out;
}

// The status as its text, and the position as line and column of the statement.
Lines describe(const Status& status, const std::string& statement) {
    Lines out = split(status.to_string(), '\n');
    if (status.position()) {
        std::string before = statement.substr(0, *status.position());
        size_t line = std::count(before.begin(), before.end(), '\n');
        size_t column = before.size() - (before.rfind('\n') + 1);  // npos + 1 is 0
        out.push_back("AT " + std::to_string(line + 1) + ":" + std::to_string(column + 1));
    }
    return out;
}

Result<Lines> print_rows(Rows& rows, const Directions& how) {
    std::vector<Lines> table(1);
    for (const auto& column : rows.columns()) table[0].push_back(column.name);
    if (how.types) {
        table.emplace_back();
        for (const auto& column : rows.columns()) table[1].push_back(column.type);
    }
    size_t head = table.size();
    std::vector<int64_t> sizes;
    for (;;) {
        auto batch = rows.next();
        if (!batch.ok()) return batch.status();
        if (!batch->has_value()) break;
        sizes.push_back((*batch)->row_count());
        for (int64_t r = 0; r < (*batch)->row_count(); r++) {
            Lines& row = table.emplace_back();
            for (int32_t c = 0; c < (*batch)->column_count(); c++) {
                row.push_back(printable(**batch, r, c));
            }
        }
    }
    Lines out = rows.columns().empty() ? Lines{rows.tag()} : layout(table);
    if (!rows.columns().empty()) {
        auto first = out.begin() + static_cast<long>(head);
        if (how.sort) std::sort(first, out.end());
        if (how.batches) out.erase(first, out.end());
        size_t count = table.size() - head;
        out.push_back("(" + std::to_string(count) + (count == 1 ? " row)" : " rows)"));
        // A change with RETURNING has both.
        if (rows.tag().find(' ') != std::string::npos) out.push_back(rows.tag());
    }
    if (how.batches) {
        std::sort(sizes.rbegin(), sizes.rend());
        std::string& line = out.emplace_back("batches:");
        for (int64_t size : sizes) line += " " + std::to_string(size);
    }
    if (how.tier) out.push_back("tier: " + std::string(rows.tier()));
    return out;
}

// The database of one script and its sessions by name.
class Stage {
public:
    explicit Stage(const Options& options) : options_(options) {}

    Status open(bool read_only) {
        sessions_.clear();
        db_.reset();
        auto db = Database::open(options_.database, {.read_only = read_only});
        if (!db.ok()) return db.status();
        db_ = std::make_unique<Database>(std::move(*db));
        read_only_ = read_only;
        return Status();
    }

    Lines run(const std::string& session_name, const std::string& sql, const Directions& how) {
        if (!db_) return {"the database is not open"};
        auto session = session_called(session_name);
        if (!session.ok()) return describe(session.status(), "");
        Lines answer;
        {
            auto rows = (*session)->execute(sql, how.parameters);
            if (!rows.ok()) return describe(rows.status(), sql);
            auto printed = print_rows(*rows, how);
            answer = printed.ok() ? *printed : describe(printed.status(), sql);
        }
        if (options_.flush && !read_only_) {
            Status flushed = db_->checkpoint();
            if (!flushed.ok()) answer.push_back("flush: " + flushed.to_string());
        }
        return answer;
    }

private:
    Result<Session*> session_called(const std::string& name) {
        auto found = sessions_.find(name);
        if (found != sessions_.end()) return &found->second;
        auto session = db_->connect();
        if (!session.ok()) return session.status();
        for (const std::string& setting : options_.settings) {
            auto rows = session->execute(setting);
            if (!rows.ok()) return rows.status();
        }
        return &sessions_.emplace(name, std::move(*session)).first->second;
    }

    const Options& options_;
    std::unique_ptr<Database> db_;
    bool read_only_ = false;
    std::map<std::string, Session> sessions_;  // after db_: they go first
};

Lines run_shell(const std::string& command) {
    Lines out;
    std::string text;
    FILE* pipe = popen((command + " 2>&1").c_str(), "r");
    if (!pipe) return {"cannot run a shell"};
    std::array<char, 4096> buffer;
    while (size_t n = fread(buffer.data(), 1, buffer.size(), pipe)) text.append(buffer.data(), n);
    int code = pclose(pipe);
    out = split(text, '\n');
    if (code != 0) out.push_back("exit code " + std::to_string(code >> 8));
    return out;
}

// Reads a script and writes it again, running what it finds.
class Script {
public:
    Script(const Options& options, Lines lines)
        : options_(options), stage_(options), lines_(std::move(lines)) {}

    int run() {
        if (Status opened = stage_.open(false); !opened.ok()) {
            std::cerr << opened.to_string() << "\n";
            return 2;
        }
        while (at_ < lines_.size()) {
            if (starts_with(lines_[at_], "> ")) {
                run_block();
            } else {
                direct(lines_[at_]);
                std::cout << lines_[at_++] << "\n";
            }
        }
        return 0;
    }

private:
    void direct(const std::string& line) {
        if (!starts_with(line, "# ")) return;
        std::string word = trim(line.substr(2));
        if (word == "sort") how_.sort = true;
        if (word == "types") how_.types = true;
        if (word == "batches") how_.batches = true;
        if (word == "tier") how_.tier = true;
        if (word == "only: default") how_.default_only = true;
        if (word == "reopen" || word == "reopen read_only") {
            Status opened = stage_.open(word != "reopen");
            if (!opened.ok()) reopen_error_ = describe(opened, "");
        }
        if (starts_with(word, "pad:")) how_.pad = std::stoul(word.substr(4));
        if (starts_with(word, "params:")) {
            for (const std::string& part : split(word.substr(7), ',')) {
                how_.parameters.push_back(parse_parameter(trim(part)));
            }
        }
    }

    void run_block() {
        std::string text;
        while (at_ < lines_.size() && starts_with(lines_[at_], ">")) {
            const std::string& line = lines_[at_++];
            std::cout << line << "\n";
            text += (text.empty() ? "" : "\n") + (line.size() > 2 ? line.substr(2) : "");
        }
        Lines recorded;
        if (at_ < lines_.size() && lines_[at_] == "---") {
            for (at_++; at_ < lines_.size() && !lines_[at_].empty(); at_++) {
                recorded.push_back(lines_[at_]);
            }
        }
        text.resize(std::max(text.size(), how_.pad), ' ');
        Lines answer = how_.default_only && !options_.is_default() ? recorded : answer_to(text);
        std::cout << "---\n";
        for (const std::string& line : answer) std::cout << (line.empty() ? "\\" : line) << "\n";
        how_ = Directions();
    }

    Lines answer_to(const std::string& text) {
        if (!reopen_error_.empty()) return std::exchange(reopen_error_, {});
        if (text[0] == '!') return run_shell(text.substr(1));
        size_t colon = text.find(": ");
        if (text[0] == '@' && colon != std::string::npos) {
            return stage_.run(text.substr(1, colon - 1), text.substr(colon + 2), how_);
        }
        return stage_.run("", text, how_);
    }

    const Options& options_;
    Stage stage_;
    Lines lines_;
    size_t at_ = 0;
    Directions how_;
    Lines reopen_error_;  // told as the answer of the next statement
};

std::optional<Options> parse_options(int argc, char** argv) {
    Options options;
    for (int i = 1; i < argc; i++) {
        std::string arg = argv[i];
        if (arg == "--flush") {
            options.flush = true;
        } else if (arg == "--database" && i + 1 < argc) {
            options.database = argv[++i];
        } else if (arg == "--set" && i + 1 < argc) {
            options.settings.push_back("SET " + std::string(argv[++i]));
        } else if (options.script.empty() && !starts_with(arg, "--")) {
            options.script = arg;
        } else {
            return std::nullopt;
        }
    }
    if (options.script.empty()) return std::nullopt;
    return options;
}

}  // namespace

int main(int argc, char** argv) {
    std::optional<Options> options = parse_options(argc, argv);
    if (!options) {
        std::cerr
            << "usage: golden_driver SCRIPT [--database PATH] [--set NAME=VALUE]... [--flush]\n";
        return 2;
    }
    std::ifstream file(options->script);
    if (!file) {
        std::cerr << "cannot read " << options->script << "\n";
        return 2;
    }
    Lines lines;
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    return Script(*options, std::move(lines)).run();
}
