// Shell: runs statements and shell commands and prints what comes back.
//
// One Shell serves a whole run of the program: what -c and -f bring, a pipe, or a person at a
// terminal. Each run_...() answers whether all of it went well; a script stops at the first thing
// that fails.

#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "shell/completion.h"
#include "shell/interrupts.h"
#include "shell/renderer.h"
#include "shell/script.h"
#include "shell/sink.h"
#include "trefoil/database.h"

namespace trefoil::shell {

// On a terminal a table ends after so many rows, with a note how many more there are.
inline constexpr int64_t kDefaultMaxRows = 200;

struct Settings {
    Mode mode = Mode::kTable;
    bool header = true;
    bool timer = false;
    int64_t max_rows = kDefaultMaxRows;  // 0: all
};

// Where a piece of a script comes from.
struct Origin {
    std::string file;  // "" for -c and for what is typed
    int64_t line = 1;
};

class Shell {
public:
    // `database` and `interrupts` must outlive the shell. `name` is the database as the user called
    // it.
    Shell(Database& database, Session session, Interrupts& interrupts, std::string name,
          const Settings& settings);
    ~Shell();
    Shell(const Shell&) = delete;
    Shell& operator=(const Shell&) = delete;

    bool run_text(std::string_view text, const std::string& file = "");
    bool run_file(const std::string& path);  // "-" is standard input
    bool run_stream(std::FILE* input, const std::string& file = "");
    // Until .quit or Ctrl-D.
    void run_interactive();

    // What the shell's commands are made of.
    Settings& settings() { return settings_; }
    const std::string& name() const { return name_; }
    void quit() { quitting_ = true; }
    // Runs one statement and prints its answer.
    bool run_statement(const std::string& sql, const Origin& origin);
    // All rows of a query as text; prints the error and answers nullopt if it fails.
    struct TextRows {
        std::vector<ColumnInfo> columns;
        std::vector<std::vector<std::optional<std::string>>> rows;
    };
    std::optional<TextRows> query(const std::string& sql);
    // Sends answers to a file from now on; "" for standard output again.
    bool set_output(const std::string& path);
    // Answers go to the output; notes to a person at the terminal, or nowhere.
    void print(std::string_view text);
    void note(std::string_view text);
    bool fail(const Status& status, const Origin& origin = {}, std::string_view statement = "");
    bool output_is_terminal() const;
    bool color() const;

private:
    bool run_piece(const Piece& piece, const std::string& file);
    bool run_all(Script& script, const std::string& file);
    // Prints all rows; answers the error that broke them off.
    Status print_rows(Rows& rows, const Interrupts::Query& query, std::string& footer);
    Status print_plan(Rows& rows, std::string& footer);
    void print_footer(std::string text, std::chrono::steady_clock::time_point begun);
    bool output_is_well();
    Style style() const;
    std::string prompt(bool continued) const;
    std::string welcome() const;
    Names names();

    Database& database_;
    Session session_;
    std::optional<Session>
        names_session_;  // looks names up for TAB, apart from the user's transaction
    Interrupts& interrupts_;
    std::string name_;
    Settings settings_;
    std::FILE* output_file_ = nullptr;  // null for standard output
    std::string output_path_;
    std::unique_ptr<FileSink> sink_;
    bool interactive_ = false;
    bool quitting_ = false;
    int depth_ = 0;  // of .read within .read
};

}  // namespace trefoil::shell
