// LineEditor: reads a line from a terminal, with editing keys, history and TAB.
//
// A thin coat over libedit. It reads keys itself, from the terminal and from Interrupts at once, so
// that Ctrl-C clears the line instead of ending the program and a new window size redraws it.

#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "shell/completion.h"
#include "shell/interrupts.h"

namespace trefoil::shell {

class LineEditor {
public:
    struct Options {
        std::string
            history_file;  // "" for none; its folder is made when the first entry is written
        // What to offer when the text from the start of the line to the cursor is `line_before`.
        std::function<Completions(std::string_view line_before)> complete;
        bool color = false;
    };
    enum class Outcome : uint8_t { kLine, kInterrupted, kEnd };

    // REQUIRES: standard input and output are a terminal; one LineEditor per process.
    LineEditor(Interrupts& interrupts, Options options);
    ~LineEditor();
    LineEditor(const LineEditor&) = delete;
    LineEditor& operator=(const LineEditor&) = delete;

    // Reads one line into `line`, without its line break. kInterrupted: Ctrl-C, `line` is empty.
    // kEnd: Ctrl-D on an empty line, or the terminal is gone.
    Outcome read(std::string_view prompt, std::string& line);

    // Remembers a whole statement, in memory and in the history file.
    void add_to_history(const std::string& statement);

private:
    struct State;
    std::unique_ptr<State> state_;
};

// $XDG_STATE_HOME/trefoil/history, or ~/.local/state/trefoil/history; "" if neither variable is
// set.
std::string default_history_file();

}  // namespace trefoil::shell
