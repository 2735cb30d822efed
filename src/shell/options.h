// The command line of `trefoil`, read into values. See usage_text() for what it offers.

#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shell/renderer.h"

namespace trefoil::shell {

// -c and -f run in the order in which they were given.
struct Action {
    bool is_file = false;
    std::string text;  // SQL, or a file name; "-" is standard input
};

// "restore BACKUP DATABASE", "upgrade DATABASE".
struct ToolOptions {
    std::string name;
    std::string from, to;
};

struct Options {
    std::optional<ToolOptions> tool;  // instead of a shell
    std::string database;             // "" for a database in memory
    std::vector<Action> actions;
    std::optional<Mode> mode;
    bool read_only = false;
    bool header = true;
    bool help = false;
    bool version = false;
};

struct OptionsResult {
    Options options;
    std::string error;  // "" if all is well; else what is wrong, and where it can be known a hint
};

// `arguments` without the program's name.
OptionsResult parse_options(const std::vector<std::string>& arguments);

// What --help prints.
std::string usage_text();

// The word of `words` that `word` is most likely a misspelling of, or "" if none is close.
std::string_view closest_word(std::string_view word, const std::vector<std::string_view>& words);

}  // namespace trefoil::shell
