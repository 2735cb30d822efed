// libedit calls back for every key (read_key) and for TAB (on_tab); both find their State through
// EL_CLIENTDATA.

#include "shell/line_editor.h"

#include <fcntl.h>
#include <histedit.h>
#include <langinfo.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <utility>

#include "shell/width.h"

namespace trefoil::shell {

namespace {

constexpr int kHistorySize = 5000;
constexpr uintmax_t kHistoryBytes = 1 << 20;
constexpr size_t kCandidatesShown = 200;

// libedit edits characters, not bytes, only in a UTF-8 locale.
void use_utf8_locale() {
    std::setlocale(LC_CTYPE, "");
    if (std::strcmp(nl_langinfo(CODESET), "UTF-8") == 0) return;
    for (const char* name : {"C.UTF-8", "C.utf8", "en_US.UTF-8"}) {
        if (std::setlocale(LC_CTYPE, name) != nullptr) return;
    }
}

int terminal_width() {
    winsize size{};
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

}  // namespace

struct LineEditor::State {
    Interrupts& interrupts;
    Options options;
    EditLine* editor = nullptr;
    History* history_list = nullptr;
    std::string prompt;
    std::string input;  // bytes read and not yet handed to libedit
    bool interrupted = false;
    bool tab_before = false;  // the key before this one was a TAB that changed nothing

    State(Interrupts& i, Options o) : interrupts(i), options(std::move(o)) {}

    int read_key(wchar_t* key);
    bool fill_input();
    void handle_events();
    unsigned char on_tab();
    void append_newest() const;
    void load_history() const;
    void list(const std::vector<std::string>& words) const;

    static State* of(EditLine* editor) {
        void* data = nullptr;
        el_get(editor, EL_CLIENTDATA, &data);
        return static_cast<State*>(data);
    }
    static int read_key_callback(EditLine* editor, wchar_t* key) {
        return of(editor)->read_key(key);
    }
    static unsigned char tab_callback(EditLine* editor, int) { return of(editor)->on_tab(); }
    static char* prompt_callback(EditLine* editor) { return of(editor)->prompt.data(); }
};

// One character; 1, or 0 at the end of the input, or -1 to leave the line.
int LineEditor::State::read_key(wchar_t* key) {
    for (;;) {
        if (!input.empty()) {
            const auto lead = static_cast<unsigned char>(input[0]);
            const size_t size = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
            if (input.size() >= size) {
                std::string_view rest = input;
                *key = static_cast<wchar_t>(take_code_point(rest));
                input.erase(0, input.size() - rest.size());
                if (*key != L'\t') tab_before = false;
                return 1;
            }
        }
        if (!fill_input()) return interrupted ? -1 : 0;
    }
}

// Waits for keys or events; false if the line is over.
bool LineEditor::State::fill_input() {
    for (;;) {
        pollfd fds[2] = {{STDIN_FILENO, POLLIN, 0}, {interrupts.wake_fd(), POLLIN, 0}};
        if (poll(fds, 2, -1) < 0) {
            if (errno == EINTR) continue;
            return false;
        }
        if ((fds[1].revents & POLLIN) != 0) {
            handle_events();
            if (interrupted) return false;
        }
        if ((fds[0].revents & (POLLIN | POLLHUP | POLLERR)) == 0) continue;
        char bytes[4096];
        const ssize_t n = ::read(STDIN_FILENO, bytes, sizeof bytes);
        if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (n <= 0) return false;
        input.append(bytes, static_cast<size_t>(n));
        return true;
    }
}

void LineEditor::State::handle_events() {
    char event = 0;
    while (::read(interrupts.wake_fd(), &event, 1) == 1) {
        switch (event) {
            case Interrupts::kInterrupt:
                interrupted = true;
                break;
            case Interrupts::kResize:
                el_resize(editor);
                break;
            case Interrupts::kContinue:  // back from Ctrl-Z, which left it in its usual mode
                el_set(editor, EL_PREP_TERM, 1);
                el_set(editor, EL_REFRESH);
                break;
            default:
                break;
        }
    }
}

// Completes as far as the candidates agree; a second TAB lists them. Where there is nothing to
// complete, and where text is being pasted, a TAB is just space.
unsigned char LineEditor::State::on_tab() {
    const LineInfo* info = el_line(editor);
    const std::string before(info->buffer, static_cast<size_t>(info->cursor - info->buffer));
    if (!input.empty() || before.find_first_not_of(" \t") == before.npos) {
        return el_insertstr(editor, "    ") == 0 ? CC_REFRESH : CC_ERROR;
    }
    const Completions found = options.complete(before);
    if (found.words.empty()) return CC_ERROR;
    std::string insert = common_prefix(found.words);
    if (found.words.size() == 1 && found.add_space) insert += ' ';
    const std::string typed = before.substr(before.size() - found.replaced);
    if (insert.size() > typed.size() || (insert.size() == typed.size() && insert != typed)) {
        const auto characters = [](const std::string& text) {
            std::string_view rest = text;
            int n = 0;
            for (; !rest.empty(); n++) take_code_point(rest);
            return n;
        };
        el_deletestr(editor, characters(typed));
        tab_before = false;
        return el_insertstr(editor, insert.c_str()) == 0 ? CC_REFRESH : CC_ERROR;
    }
    if (!std::exchange(tab_before, true)) return CC_ERROR;
    list(found.words);
    return CC_REDISPLAY;
}

void LineEditor::State::list(const std::vector<std::string>& words) const {
    const size_t shown = std::min(words.size(), kCandidatesShown);
    int widest = 1;
    for (size_t i = 0; i < shown; i++) widest = std::max(widest, display_width(one_line(words[i])));
    const int column = widest + 2;
    const auto per_line = static_cast<size_t>(std::max(1, terminal_width() / column));
    const size_t lines = (shown + per_line - 1) / per_line;
    std::string out = "\n";
    for (size_t l = 0; l < lines; l++) {
        for (size_t i = l; i < shown; i += lines) {
            const std::string word = one_line(words[i]);
            out += word;
            if (i + lines < shown)
                out.append(static_cast<size_t>(column - display_width(word)), ' ');
        }
        out += '\n';
    }
    if (shown < words.size()) out += "... and " + std::to_string(words.size() - shown) + " more\n";
    std::fputs(out.c_str(), stdout);
    std::fflush(stdout);
}

LineEditor::LineEditor(Interrupts& interrupts, Options options)
    : state_(std::make_unique<State>(interrupts, std::move(options))) {
    use_utf8_locale();
    State& s = *state_;
    s.history_list = history_init();
    HistEvent event;
    history(s.history_list, &event, H_SETSIZE, kHistorySize);
    history(s.history_list, &event, H_SETUNIQUE, 1);
    if (!s.options.history_file.empty()) s.load_history();
    s.editor = el_init("trefoil", stdin, stdout, stderr);
    el_set(s.editor, EL_CLIENTDATA, &s);
    el_set(s.editor, EL_EDITOR, "emacs");
    el_set(s.editor, EL_SIGNAL, 0);
    el_set(s.editor, EL_HIST, history, s.history_list);
    el_set(s.editor, EL_GETCFN, &State::read_key_callback);
    el_set(s.editor, EL_PROMPT_ESC, &State::prompt_callback, '\1');
    el_set(s.editor, EL_ADDFN, "trefoil-complete", "Complete the word", &State::tab_callback);
    el_set(s.editor, EL_BIND, "^I", "trefoil-complete", nullptr);
    el_set(s.editor, EL_BIND, "^R", "em-inc-search-prev", nullptr);
    el_set(s.editor, EL_BIND, "^W", "ed-delete-prev-word", nullptr);
    // Home, End, Delete, and words with Ctrl or Alt and the arrows, as terminals send them.
    constexpr const char* kKeys[][2] = {
        {"\\e[H", "ed-move-to-beg"},       {"\\e[F", "ed-move-to-end"},
        {"\\eOH", "ed-move-to-beg"},       {"\\eOF", "ed-move-to-end"},
        {"\\e[1~", "ed-move-to-beg"},      {"\\e[4~", "ed-move-to-end"},
        {"\\e[3~", "ed-delete-next-char"}, {"\\e[1;5C", "em-next-word"},
        {"\\e[1;5D", "ed-prev-word"},      {"\\e[1;3C", "em-next-word"},
        {"\\e[1;3D", "ed-prev-word"},
    };
    for (const auto& key : kKeys) el_set(s.editor, EL_BIND, key[0], key[1], nullptr);
    el_source(s.editor, nullptr);  // the user's ~/.editrc has the last word
}

LineEditor::~LineEditor() {
    el_end(state_->editor);
    history_end(state_->history_list);
}

LineEditor::Outcome LineEditor::read(std::string_view prompt, std::string& line) {
    State& s = *state_;
    line.clear();
    s.prompt =
        s.options.color ? "\1\x1b[1m\1" + std::string(prompt) + "\1\x1b[0m\1" : std::string(prompt);
    s.interrupted = false;
    s.tab_before = false;
    int length = 0;
    const char* text = el_gets(s.editor, &length);
    if (s.interrupted) {
        s.input.clear();
        std::fputs("^C\n", stdout);
        std::fflush(stdout);
        return Outcome::kInterrupted;
    }
    if (text == nullptr || length <= 0) return Outcome::kEnd;
    line.assign(text, static_cast<size_t>(length));
    while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.pop_back();
    return Outcome::kLine;
}

void LineEditor::add_to_history(const std::string& statement) {
    State& s = *state_;
    HistEvent event;
    history(s.history_list, &event, H_ENTER, statement.c_str());
    if (s.options.history_file.empty()) return;
    std::error_code error;
    std::filesystem::create_directories(std::filesystem::path(s.options.history_file).parent_path(),
                                        error);
    s.append_newest();
}

// Appending lets two shells keep one file. libedit writes the newest entry, or the newest two,
// depending on its version; equal neighbours become one when they are read.
void LineEditor::State::append_newest() const {
    const int fd =
        open(options.history_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) return;  // a history that cannot be kept is no reason to bother anybody
    std::FILE* file = fdopen(fd, "a");
    if (file == nullptr) {
        close(fd);
        return;
    }
    std::fseek(file, 0, SEEK_END);  // libedit writes a heading if the position is 0
    HistEvent event;
    history(history_list, &event, H_NSAVE_FP, size_t{1}, file);
    std::fclose(file);
}

// Loads the file, and writes it anew if appending made it long.
void LineEditor::State::load_history() const {
    HistEvent event;
    if (history(history_list, &event, H_LOAD, options.history_file.c_str()) < 0) return;
    std::error_code error;
    if (std::filesystem::file_size(options.history_file, error) < kHistoryBytes || error) return;
    // Statements may hold secrets: the file is the user's alone.
    const mode_t mask = umask(077);
    history(history_list, &event, H_SAVE, options.history_file.c_str());
    umask(mask);
}

std::string default_history_file() {
    const char* state_home = std::getenv("XDG_STATE_HOME");
    if (state_home != nullptr && state_home[0] == '/')
        return std::string(state_home) + "/trefoil/history";
    const char* home = std::getenv("HOME");
    if (home == nullptr || home[0] == '\0') return "";
    return std::string(home) + "/.local/state/trefoil/history";
}

}  // namespace trefoil::shell
