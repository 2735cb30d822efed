// Long options may be written "--mode json" or "--mode=json"; "--" ends the options.

#include "shell/options.h"

#include <algorithm>
#include <iterator>

namespace trefoil::shell {

namespace {

const std::vector<std::string_view> kLongOptions = {
    "--mode",    "--csv",  "--json",    "--readonly", "--no-header",
    "--version", "--help", "--command", "--file",
};

// Letters to add, drop, change or swap with a neighbour to make `b` of `a`.
size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::vector<size_t>> d(a.size() + 1, std::vector<size_t>(b.size() + 1));
    for (size_t i = 0; i <= a.size(); i++) d[i][0] = i;
    for (size_t j = 0; j <= b.size(); j++) d[0][j] = j;
    for (size_t i = 1; i <= a.size(); i++) {
        for (size_t j = 1; j <= b.size(); j++) {
            const size_t change = d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
            d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, change});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
            }
        }
    }
    return d[a.size()][b.size()];
}

std::string mode_list() {
    std::string list;
    for (const std::string_view name : kModeNames) {
        if (!list.empty()) list += ", ";
        list += name;
    }
    return list;
}

class Parser {
public:
    explicit Parser(const std::vector<std::string>& arguments) : arguments_(arguments) {}

    OptionsResult run() {
        if (!arguments_.empty() && (arguments_[0] == "restore" || arguments_[0] == "upgrade")) {
            take_tool();
            return std::move(result_);
        }
        for (; next_ < arguments_.size() && result_.error.empty(); next_++) {
            std::string_view argument = arguments_[next_];
            if (only_names_ || argument.size() < 2 || argument[0] != '-') {
                take_database(argument);
            } else if (argument == "--") {
                only_names_ = true;
            } else {
                take_option(argument);
            }
        }
        Options& options = result_.options;
        if (result_.error.empty() && options.read_only && options.database.empty() &&
            !options.help && !options.version) {
            fail("--readonly needs a DATABASE: a new database in memory has nothing to read");
        }
        return std::move(result_);
    }

private:
    void take_option(std::string_view argument) {
        std::string_view name = argument;
        inline_value_.reset();
        if (const size_t equals = argument.find('=');
            argument.starts_with("--") && equals != argument.npos) {
            name = argument.substr(0, equals);
            inline_value_ = std::string(argument.substr(equals + 1));
        }
        Options& options = result_.options;
        if (name == "-c" || name == "--command") {
            if (auto text = take_value(name, "an SQL statement"))
                options.actions.push_back({false, *text});
        } else if (name == "-f" || name == "--file") {
            if (auto text = take_value(name, "a file name"))
                options.actions.push_back({true, *text});
        } else if (name == "--mode") {
            if (auto text = take_value(name, "one of " + mode_list())) take_mode(*text);
        } else if (inline_value_) {
            const bool known =
                std::find(kLongOptions.begin(), kLongOptions.end(), name) != kLongOptions.end();
            known ? fail("option " + std::string(name) + " takes no value") : unknown(name);
        } else if (name == "--csv") {
            options.mode = Mode::kCsv;
        } else if (name == "--json") {
            options.mode = Mode::kJson;
        } else if (name == "--readonly") {
            options.read_only = true;
        } else if (name == "--no-header") {
            options.header = false;
        } else if (name == "--version" || name == "-V") {
            options.version = true;
        } else if (name == "--help" || name == "-h") {
            options.help = true;
        } else {
            unknown(name);
        }
    }

    std::optional<std::string> take_value(std::string_view name, const std::string& what) {
        if (inline_value_) return inline_value_;
        if (next_ + 1 < arguments_.size()) return arguments_[++next_];
        fail("option " + std::string(name) + " needs " + what);
        return std::nullopt;
    }

    void take_mode(const std::string& name) {
        result_.options.mode = mode_from_name(name);
        if (result_.options.mode) return;
        const std::vector<std::string_view> names(std::begin(kModeNames), std::end(kModeNames));
        const std::string_view close = closest_word(name, names);
        fail("unknown mode \"" + name + "\": " +
             (close.empty() ? "it is one of " + mode_list()
                            : "did you mean " + std::string(close) + "?"));
    }

    void take_tool() {
        ToolOptions tool;
        tool.name = arguments_[0];
        const bool restores = tool.name == "restore";
        if (arguments_.size() != (restores ? 3 : 2)) {
            return fail(restores ? "restore needs two directories: restore BACKUP DATABASE"
                                 : "upgrade needs one directory: upgrade DATABASE");
        }
        tool.from = arguments_[1];
        if (restores) tool.to = arguments_[2];
        result_.options.tool = std::move(tool);
    }

    void take_database(std::string_view argument) {
        if (!result_.options.database.empty()) {
            return fail("more than one database: \"" + result_.options.database + "\" and \"" +
                        std::string(argument) + "\" (statements are given with -c)");
        }
        if (argument.empty()) return fail("the name of the database is empty");
        result_.options.database = argument;
    }

    void unknown(std::string_view name) {
        const std::string_view close = closest_word(name, kLongOptions);
        fail("unknown option " + std::string(name) +
             (close.empty() ? "" : " (did you mean " + std::string(close) + "?)"));
    }

    void fail(std::string message) { result_.error = std::move(message); }

    const std::vector<std::string>& arguments_;
    size_t next_ = 0;
    bool only_names_ = false;
    std::optional<std::string> inline_value_;
    OptionsResult result_;
};

}  // namespace

OptionsResult parse_options(const std::vector<std::string>& arguments) {
    return Parser(arguments).run();
}

std::string_view closest_word(std::string_view word, const std::vector<std::string_view>& words) {
    std::string_view best;
    size_t best_distance = std::max<size_t>(1, word.size() / 3) + 1;
    for (const std::string_view candidate : words) {
        const size_t distance = edit_distance(word, candidate);
        if (distance < best_distance) best = candidate, best_distance = distance;
    }
    return best;
}

std::string usage_text() {
    return R"(NAME
    trefoil - the shell of the Trefoil database

SYNOPSIS
    trefoil [DATABASE] [-c SQL]... [-f FILE]... [--mode MODE] [--csv | --json]
            [--readonly] [--no-header]
    trefoil restore BACKUP DATABASE
    trefoil upgrade DATABASE

DESCRIPTION
    Opens the database directory DATABASE, creating it if there is none, and runs SQL in it.
    Without DATABASE it works in memory, and nothing is kept.

    On a terminal it reads statements with line editing, history and completion; type .help
    there. Otherwise it reads statements from standard input, from -c and from -f.

    restore makes a database out of what BACKUP TO wrote, which stays as it is.
    upgrade brings a database of an older version to the format of this one, and checks it; a
    database that this version cannot read is refused and left alone. (A database of the name
    restore or upgrade is opened as ./restore.)

OPTIONS
    -c, --command SQL   run SQL (one statement or several), then leave
    -f, --file FILE     run the statements of FILE, then leave; - is standard input
                        -c and -f may be repeated and run in the order given
    --mode MODE         how answers are printed: table (the default), csv, tsv, json,
                        jsonl, markdown, line
    --csv, --json       short for --mode csv, --mode json
    --readonly          open for reading only, beside a process that writes
    --no-header         no line of column names in table, csv and tsv
    -V, --version       print the version and leave
    -h, --help          print this and leave

OUTPUT
    csv prints NULL as an empty field and the empty string as "". tsv escapes tab, line
    break and backslash as \t \n \\ and prints NULL as \N. json prints numbers with all
    their digits; NaN and infinity, which JSON lacks, as strings.
    Errors go to standard error, with the statement's line and a caret under the position.
    Colours are used on a terminal only, and not if NO_COLOR is set.

EXIT STATUS
    0   everything ran
    1   a statement, command or file failed, or the database could not be opened. With -c,
        -f or a pipe nothing after the first failure is run, and a transaction that is
        still open is rolled back
    2   the command line is wrong

FILES
    $XDG_STATE_HOME/trefoil/history, or ~/.local/state/trefoil/history: what was typed

EXAMPLES
    trefoil shop.trefoil
    trefoil shop.trefoil -c "SELECT count(*) FROM product" --csv
    trefoil shop.trefoil -f load.sql
    trefoil shop.trefoil -c "BACKUP TO 'monday'"; trefoil restore monday shop2.trefoil
    echo "SELECT 6 * 7 AS answer" | trefoil --json
)";
}

}  // namespace trefoil::shell
