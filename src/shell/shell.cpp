// The order of things for a statement: run it, print its rows as they come, then count and time; or
// the error, after what was printed already.

#include "shell/shell.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "shell/commands.h"
#include "shell/error_text.h"
#include "shell/line_editor.h"
#include "shell/text.h"
#include "shell/width.h"

namespace trefoil::shell {

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kReadDepthMax = 16;

bool colors_wanted() {
    const char* no_color = std::getenv("NO_COLOR");
    const char* terminal = std::getenv("TERM");
    return (no_color == nullptr || no_color[0] == '\0') && terminal != nullptr &&
           std::strcmp(terminal, "dumb") != 0;
}

int terminal_width(int fd) {
    winsize size{};
    return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

std::string expand_home(const std::string& path) {
    const char* home = std::getenv("HOME");
    if (home == nullptr || !(path == "~" || path.starts_with("~/"))) return path;
    return home + path.substr(1);
}

Status file_error(int error, const std::string& what, const std::string& path) {
    const bool missing = error == ENOENT;
    return Status(missing ? Code::kNotFound : Code::kIo, missing ? "58P01" : "58030",
                  "cannot " + what + " \"" + path + "\": " + std::strerror(error));
}

// In the modes that people read, what a statement did is told, too.
bool tells_tags(Mode mode) {
    return mode == Mode::kTable || mode == Mode::kLine;
}

// "UPDATE 3", but not "SELECT".
bool counts_rows(const std::string& tag) {
    return !tag.empty() && tag.back() >= '0' && tag.back() <= '9';
}

}  // namespace

Shell::Shell(Database& database, Session session, Interrupts& interrupts, std::string name,
             const Settings& settings)
    : database_(database),
      session_(std::move(session)),
      interrupts_(interrupts),
      name_(std::move(name)),
      settings_(settings),
      sink_(std::make_unique<FileSink>(stdout)) {}

Shell::~Shell() {
    std::fflush(stdout);
    if (output_file_ != nullptr) std::fclose(output_file_);
}

bool Shell::run_text(std::string_view text, const std::string& file) {
    Script script;
    script.feed(text);
    if (!run_all(script, file)) return false;
    if (quitting_) return true;
    const std::optional<Piece> last = script.rest();
    return !last || run_piece(*last, file);
}

bool Shell::run_file(const std::string& path) {
    if (path == "-") return run_stream(stdin);
    if (depth_ >= kReadDepthMax) {
        return fail(Status(Code::kInvalidInput, "54001",
                           "\"" + path + "\" is read by itself, or files are nested more than " +
                               std::to_string(kReadDepthMax) + " deep"));
    }
    std::FILE* input = std::fopen(expand_home(path).c_str(), "r");
    if (input == nullptr) return fail(file_error(errno, "read", path));
    depth_++;
    const bool well = run_stream(input, path);
    depth_--;
    std::fclose(input);
    return well;
}

bool Shell::run_stream(std::FILE* input, const std::string& file) {
    Script script;
    char* line = nullptr;
    size_t capacity = 0;
    bool well = true;
    while (well && !quitting_) {
        errno = 0;
        const ssize_t length = getline(&line, &capacity, input);
        if (length < 0) break;
        script.feed({line, static_cast<size_t>(length)});
        well = run_all(script, file);
    }
    const int error = std::ferror(input) != 0 ? errno : 0;
    std::free(line);
    if (!well || quitting_) return well;
    if (error != 0) return fail(file_error(error, "read", file.empty() ? "standard input" : file));
    const std::optional<Piece> last = script.rest();
    return !last || run_piece(*last, file);
}

bool Shell::run_all(Script& script, const std::string& file) {
    while (!quitting_) {
        const std::optional<Piece> piece = script.next();
        if (!piece) break;
        if (!run_piece(*piece, file)) return false;
    }
    return true;
}

bool Shell::run_piece(const Piece& piece, const std::string& file) {
    const Origin origin{file, piece.line};
    if (piece.kind == Piece::Kind::kCommand) return run_command(*this, piece.text, origin);
    return run_statement(piece.text, origin);
}

bool Shell::run_statement(const std::string& sql, const Origin& origin) {
    const auto begun = Clock::now();
    std::string footer;
    Status broken;
    {
        const Interrupts::Query query(interrupts_, [this] { session_.cancel(); });
        Result<Rows> rows = session_.execute(sql);
        if (!rows.ok()) {
            broken = rows.status();
        } else if (rows->columns().empty()) {
            if (tells_tags(settings_.mode)) footer = rows->tag();
        } else if (settings_.mode == Mode::kTable && is_explain(sql)) {
            broken = print_plan(*rows, footer);
        } else {
            broken = print_rows(*rows, query, footer);
            // Of a change with RETURNING: what was done, beside the rows.
            if (settings_.mode == Mode::kTable && counts_rows(rows->tag())) {
                footer += " · " + rows->tag();
            }
        }
    }
    if (!broken.ok()) return fail(broken, origin, sql);
    print_footer(std::move(footer), begun);
    return output_is_well();
}

Status Shell::print_rows(Rows& rows, const Interrupts::Query& query, std::string& footer) {
    const std::unique_ptr<Renderer> renderer = make_renderer(settings_.mode, style(), *sink_);
    const auto column_count = static_cast<int64_t>(rows.columns().size());
    renderer->begin(rows.columns());
    uint64_t count = 0;
    for (;;) {
        Result<std::optional<RowBatch>> batch = rows.next();
        if (!batch.ok() || query.interrupted()) {
            renderer->end(false);
            if (!batch.ok()) return batch.status();
            return Status(Code::kInvalidInput, "57014", "canceled by Ctrl-C");
        }
        if (!batch->has_value()) break;
        count += static_cast<uint64_t>((*batch)->row_count());
        renderer->add(BatchGrid(**batch));
        if (sink_->error() != 0) break;  // told by output_is_well()
    }
    renderer->end(true);
    if (settings_.mode != Mode::kTable) {
        const bool told = settings_.mode == Mode::kLine && (count == 0 || output_is_terminal());
        if (told) footer = count_text(count, "row", "rows");
        return Status();
    }
    footer = count_text(count, "row", "rows");
    if (const auto hidden = static_cast<uint64_t>(renderer->rows_hidden()); hidden > 0) {
        footer = grouped(count - hidden) + " of " + footer + " shown (.maxrows 0 shows all)";
    }
    if (const int32_t hidden = renderer->columns_hidden(); hidden > 0) {
        footer += ", " + std::to_string(column_count - hidden) + " of " +
                  std::to_string(column_count) + " columns shown (\\x shows all)";
    }
    return Status();
}

// A plan is a text of its own: its lines are printed as they are, without a frame.
Status Shell::print_plan(Rows& rows, std::string& footer) {
    const auto columns = static_cast<int32_t>(rows.columns().size());
    for (;;) {
        Result<std::optional<RowBatch>> batch = rows.next();
        if (!batch.ok()) return batch.status();
        if (!batch->has_value()) return Status();
        for (int64_t r = 0; r < (*batch)->row_count(); r++) {
            for (int32_t c = 0; c < columns; c++) {
                std::string text = (*batch)->text(r, c);
                while (!text.empty() && text.back() == '\n') text.pop_back();
                sink_->write((c + 1 < columns ? text + ":" : text) + "\n");
            }
        }
        footer.clear();
    }
}

// What was done and, if wanted, how long it took: on one line for people, apart for programs.
void Shell::print_footer(std::string text, Clock::time_point begun) {
    if (settings_.timer) {
        const std::string time = duration_text(Clock::now() - begun);
        if (!tells_tags(settings_.mode) && !output_is_terminal()) {
            sink_->flush();
            std::fputs((time + "\n").c_str(), stderr);
        } else {
            text += (text.empty() ? "" : " · ") + time;
        }
    }
    if (text.empty()) return;
    const bool dim = output_is_terminal() && color();
    sink_->write((dim ? "\x1b[2m" + text + "\x1b[0m" : text) + "\n");
}

bool Shell::output_is_well() {
    sink_->flush();
    const int error = sink_->error();
    if (error == 0) return true;
    const std::string path = output_file_ != nullptr ? output_path_ : "standard output";
    if (output_file_ != nullptr) set_output("");
    sink_ = std::make_unique<FileSink>(stdout);
    return fail(file_error(error, "write", path));
}

bool Shell::fail(const Status& status, const Origin& origin, std::string_view statement) {
    sink_->flush();
    std::fflush(stdout);
    const bool terminal = isatty(STDERR_FILENO) != 0;
    const std::string text =
        error_text(status, {.statement = statement,
                            .file = origin.file,
                            .line = origin.line,
                            .width = terminal ? terminal_width(STDERR_FILENO) : 0,
                            .color = terminal && colors_wanted()});
    std::fputs(text.c_str(), stderr);
    std::fflush(stderr);
    return false;
}

std::optional<Shell::TextRows> Shell::query(const std::string& sql) {
    const Interrupts::Query query(interrupts_, [this] { session_.cancel(); });
    Result<Rows> rows = session_.execute(sql);
    if (!rows.ok()) return fail(rows.status()), std::nullopt;
    TextRows out;
    out.columns = rows->columns();
    for (;;) {
        Result<std::optional<RowBatch>> batch = rows->next();
        if (!batch.ok()) return fail(batch.status()), std::nullopt;
        if (!batch->has_value()) return out;
        for (int64_t r = 0; r < (*batch)->row_count(); r++) {
            auto& row = out.rows.emplace_back();
            for (int32_t c = 0; c < (*batch)->column_count(); c++) {
                row.push_back((*batch)->is_null(r, c) ? std::nullopt
                                                      : std::optional((*batch)->text(r, c)));
            }
        }
    }
}

bool Shell::set_output(const std::string& path) {
    std::FILE* file = nullptr;
    if (!path.empty()) {
        file = std::fopen(expand_home(path).c_str(), "w");
        if (file == nullptr) return fail(file_error(errno, "write", path));
    }
    const int error = output_file_ != nullptr && std::fclose(output_file_) != 0 ? errno : 0;
    const std::string before = std::exchange(output_path_, path);
    output_file_ = file;
    sink_ = std::make_unique<FileSink>(file != nullptr ? file : stdout);
    return error == 0 || fail(file_error(error, "write", before));
}

void Shell::print(std::string_view text) {
    sink_->write(text);
    sink_->flush();
}

void Shell::note(std::string_view text) {
    if (interactive_) std::fwrite(text.data(), 1, text.size(), stdout);
}

bool Shell::output_is_terminal() const {
    return output_file_ == nullptr && isatty(STDOUT_FILENO) != 0;
}

bool Shell::color() const {
    return output_is_terminal() && colors_wanted();
}

Style Shell::style() const {
    Style style;
    style.header = settings_.header;
    if (output_is_terminal()) {
        style.color = color();
        style.width = terminal_width(STDOUT_FILENO);
        style.max_rows = settings_.max_rows;
    }
    return style;
}

void Shell::run_interactive() {
    interactive_ = true;
    interrupts_.set_interactive();
    Script script;
    LineEditor editor(interrupts_, {.history_file = default_history_file(),
                                    .complete =
                                        [&](std::string_view line) {
                                            return complete(
                                                std::string(script.pending()) + std::string(line),
                                                names());
                                        },
                                    .color = color()});
    std::fputs(welcome().c_str(), stdout);
    std::string line;
    while (!quitting_) {
        switch (editor.read(prompt(!script.empty()), line)) {
            case LineEditor::Outcome::kEnd:
                std::fputs("\n", stdout);
                quitting_ = true;
                continue;
            case LineEditor::Outcome::kInterrupted:
                script.clear();
                continue;
            case LineEditor::Outcome::kLine:
                break;
        }
        script.feed(line + "\n");
        while (!quitting_) {
            const std::optional<Piece> piece = script.next();
            if (!piece) break;
            editor.add_to_history(piece->text);
            run_piece(*piece, "");  // what failed was told
        }
    }
}

std::string Shell::prompt(bool continued) const {
    if (continued) return "     -> ";
    return session_.in_transaction() ? "trefoil*> " : "trefoil> ";
}

std::string Shell::welcome() const {
    const std::string where = name_.empty() ? "a database in memory: nothing is kept" : name_;
    const std::string text = "Trefoil " + std::string(trefoil::version()) + " · " + where + "\n";
    return (color() ? "\x1b[1m" + text + "\x1b[0m" : text) +
           "Type .help for help, .quit or Ctrl-D to leave.\n";
}

// Asked for at every TAB: what another session made is offered, too. Errors offer nothing.
Names Shell::names() {
    Names names;
    names.commands = command_names();
    if (!names_session_) {
        Result<Session> session = database_.connect();
        if (!session.ok()) return names;
        names_session_.emplace(std::move(*session));
    }
    Result<Rows> rows = names_session_->execute(
        "SELECT table_name, column_name FROM information_schema.columns"
        " ORDER BY table_schema, table_name, ordinal_position");
    while (rows.ok()) {
        Result<std::optional<RowBatch>> batch = rows->next();
        if (!batch.ok() || !batch->has_value()) break;
        for (int64_t r = 0; r < (*batch)->row_count(); r++) {
            const std::string table = (*batch)->text(r, 0);
            if (names.tables.empty() || names.tables.back().name != table) {
                names.tables.push_back({table, {}});
            }
            names.tables.back().columns.push_back((*batch)->text(r, 1));
        }
    }
    return names;
}

}  // namespace trefoil::shell
