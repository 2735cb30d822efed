// A table of commands: two spellings, what they take, one sentence of help, and a function.

#include "shell/commands.h"

#include <algorithm>
#include <charconv>
#include <map>

#include "shell/options.h"
#include "shell/text.h"
#include "shell/width.h"

namespace trefoil::shell {

namespace {

using Arguments = std::vector<std::string>;

struct Command {
    std::string_view name;        // ".tables"
    std::string_view short_name;  // "\\dt", or ""
    std::string_view arguments;   // as help shows them
    size_t arguments_max;
    std::string_view help;
    bool (*run)(Shell& shell, const Arguments& arguments);
};

const std::vector<Command>& commands();

Status bad_request(std::string message) {
    return Status(Code::kInvalidInput, "42601", std::move(message));
}

std::string field(const std::vector<std::optional<std::string>>& row, size_t column) {
    return column < row.size() ? row[column].value_or("") : "";
}

bool set_switch(Shell& shell, bool& what, const Arguments& arguments, std::string_view name) {
    if (arguments.empty()) {
        what = !what;
    } else if (arguments[0] == "on" || arguments[0] == "off") {
        what = arguments[0] == "on";
    } else {
        return shell.fail(
            bad_request(std::string(name) + " takes on or off, not \"" + arguments[0] + "\""));
    }
    shell.note(std::string(name) + " " + (what ? "on" : "off") + "\n");
    return true;
}

bool help(Shell& shell, const Arguments& arguments) {
    std::string out;
    for (const Command& command : commands()) {
        if (!arguments.empty() && command.name != arguments[0] &&
            command.short_name != arguments[0] && command.name.substr(1) != arguments[0]) {
            continue;
        }
        std::string left = "  " + std::string(command.name);
        if (!command.short_name.empty()) left += ", " + std::string(command.short_name);
        if (!command.arguments.empty()) left += " " + std::string(command.arguments);
        left.resize(std::max<size_t>(left.size() + 2, 28), ' ');
        out += left + std::string(command.help) + "\n";
    }
    if (out.empty()) {
        return shell.fail(bad_request("there is no command \"" + arguments[0] + "\"")
                              .with_hint(".help lists all"));
    }
    if (arguments.empty()) {
        out +=
            "\n  Everything else is SQL; a statement ends with a semicolon and may span lines.\n"
            "  TAB completes, the arrows recall, Ctrl-C stops a query, Ctrl-D leaves.\n";
    }
    shell.print(out);
    return true;
}

constexpr std::string_view kTablesOf =
    "SELECT table_name, table_type FROM information_schema.tables"
    " WHERE table_schema = 'public'";

// The names in columns, as ls prints files.
std::string in_columns(const std::vector<std::string>& words, int width) {
    int widest = 1;
    for (const std::string& word : words) widest = std::max(widest, display_width(word));
    const auto per_line = static_cast<size_t>(std::max(1, width / (widest + 2)));
    const size_t lines = (words.size() + per_line - 1) / per_line;
    std::string out;
    for (size_t l = 0; l < lines; l++) {
        for (size_t i = l; i < words.size(); i += lines) {
            out += words[i];
            if (i + lines < words.size()) {
                out.append(static_cast<size_t>(widest + 2 - display_width(words[i])), ' ');
            }
        }
        out += '\n';
    }
    return out;
}

bool tables(Shell& shell, const Arguments& arguments) {
    std::string sql(kTablesOf);
    if (!arguments.empty()) sql += " AND table_name LIKE " + quote_literal(arguments[0]);
    const auto found = shell.query(sql + " ORDER BY table_name");
    if (!found) return false;
    std::vector<std::string> words;
    for (const auto& row : found->rows) words.push_back(one_line(field(row, 0)));
    if (words.empty()) {
        shell.print(arguments.empty() ? "There are no tables.\n"
                                      : "No table is like \"" + arguments[0] + "\".\n");
    } else {
        shell.print(in_columns(words, shell.output_is_terminal() ? 80 : 1));
    }
    return true;
}

bool list_tables(Shell& shell, const Arguments& arguments) {
    std::string sql =
        "SELECT t.table_name AS \"table\", s.\"rows\", s.bytes_in_memory + s.bytes_on_disk AS "
        "bytes,"
        " s.\"index\" AS primary_key FROM information_schema.tables t"
        " LEFT JOIN trefoil_tables s ON s.name = t.table_name AND s.\"schema\" = t.table_schema"
        " WHERE t.table_schema = 'public'";
    if (!arguments.empty()) sql += " AND t.table_name LIKE " + quote_literal(arguments[0]);
    return shell.run_statement(sql + " ORDER BY t.table_name", {});
}

// app.item: each part quoted for itself.
std::string quote_qualified(const std::string& name) {
    const size_t point = name.find('.');
    if (point == name.npos) return quote_identifier(name);
    return quote_identifier(name.substr(0, point)) + "." + quote_identifier(name.substr(point + 1));
}

// The condition that finds the rows of a table in trefoil_indexes.
std::string is_of_table(const std::string& name) {
    const size_t point = name.find('.');
    const std::string schema = point == name.npos ? "public" : name.substr(0, point);
    const std::string table = point == name.npos ? name : name.substr(point + 1);
    return "table_name = " + quote_literal(table) + " AND \"schema\" = " + quote_literal(schema);
}

bool describe(Shell& shell, const Arguments& arguments) {
    if (arguments.empty()) return list_tables(shell, arguments);
    if (!shell.run_statement("DESCRIBE " + quote_qualified(arguments[0]), {})) return false;
    const std::string indexes =
        " FROM trefoil_indexes WHERE kind <> 'primary key' AND " + is_of_table(arguments[0]);
    const auto found = shell.query("SELECT name" + indexes);
    if (!found || found->rows.empty()) return true;
    return shell.run_statement(
        "SELECT name AS \"index\", columns, kind" + indexes + " ORDER BY name", {});
}

// What DESCRIBE says of one table, written as the CREATE TABLE that would make it, and its indexes.
bool print_create_table(Shell& shell, const std::string& table) {
    const auto found = shell.query("DESCRIBE " + quote_qualified(table));
    if (!found) return false;
    std::map<std::string, size_t> at;
    for (size_t c = 0; c < found->columns.size(); c++) at[found->columns[c].name] = c;
    const auto get = [&](const auto& row, const char* name) {
        return at.count(name) != 0 ? field(row, at[name]) : std::string();
    };
    const auto indexes =
        shell.query("SELECT definition FROM trefoil_indexes WHERE " + is_of_table(table) +
                    " ORDER BY kind = 'primary key' DESC, name");
    if (!indexes) return false;
    std::string out = "CREATE TABLE " + quote_qualified(table) + " (";
    for (size_t r = 0; r < found->rows.size(); r++) {
        const auto& row = found->rows[r];
        const std::string name = quote_identifier(get(row, "column_name"));
        const bool in_key = get(row, "key").starts_with("PRI");
        out += (r == 0 ? "\n    " : ",\n    ") + name + " " + get(row, "column_type");
        if (get(row, "null") == "NO" && !in_key) out += " NOT NULL";
        if (const std::string value = get(row, "default"); !value.empty())
            out += " DEFAULT " + value;
    }
    std::string statements;
    for (const auto& row : indexes->rows) {
        const std::string definition = field(row, 0);
        if (definition.starts_with("CREATE ")) {
            statements += definition + ";\n";
        } else {
            out += ",\n    " + definition;
        }
    }
    shell.print(out + "\n);\n" + statements);
    return true;
}

bool schema(Shell& shell, const Arguments& arguments) {
    if (!arguments.empty()) return print_create_table(shell, arguments[0]);
    const auto found = shell.query(std::string(kTablesOf) + " ORDER BY table_name");
    const auto views = shell.query(
        "SELECT table_name, view_definition FROM information_schema.views"
        " WHERE table_schema = 'public' ORDER BY table_name");
    if (!found || !views) return false;
    for (const auto& row : found->rows) {
        if (field(row, 1) == "VIEW") continue;
        if (!print_create_table(shell, field(row, 0))) return false;
    }
    for (const auto& row : views->rows) {
        shell.print("CREATE VIEW " + quote_identifier(field(row, 0)) + " AS " + field(row, 1) +
                    ";\n");
    }
    if (found->rows.empty()) shell.print("There are no tables.\n");
    return true;
}

bool databases(Shell& shell, const Arguments&) {
    shell.print(shell.name().empty() ? "in memory\n" : shell.name() + "\n");
    return true;
}

bool mode(Shell& shell, const Arguments& arguments) {
    if (!arguments.empty()) {
        const std::optional<Mode> wanted = mode_from_name(arguments[0]);
        if (!wanted) {
            std::string names;
            for (const std::string_view name : kModeNames) names += " " + std::string(name);
            return shell.fail(bad_request("there is no mode \"" + arguments[0] + "\"")
                                  .with_hint("modes are" + names));
        }
        shell.settings().mode = *wanted;
        return true;
    }
    shell.print(std::string(mode_name(shell.settings().mode)) + "\n");
    return true;
}

bool expanded(Shell& shell, const Arguments& arguments) {
    bool on = shell.settings().mode == Mode::kLine;
    if (!set_switch(shell, on, arguments, "expanded")) return false;
    shell.settings().mode = on ? Mode::kLine : Mode::kTable;
    return true;
}

bool headers(Shell& shell, const Arguments& arguments) {
    return set_switch(shell, shell.settings().header, arguments, "headers");
}

bool timer(Shell& shell, const Arguments& arguments) {
    return set_switch(shell, shell.settings().timer, arguments, "timer");
}

bool max_rows(Shell& shell, const Arguments& arguments) {
    int64_t& rows = shell.settings().max_rows;
    if (!arguments.empty()) {
        const std::string& text = arguments[0];
        int64_t wanted = 0;
        const auto parsed = std::from_chars(text.data(), text.data() + text.size(), wanted);
        if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() || wanted < 0) {
            return shell.fail(bad_request(".maxrows takes a number of rows, not \"" + text + "\"")
                                  .with_hint("0 shows all rows"));
        }
        rows = wanted;
        return true;
    }
    shell.print(rows == 0 ? "all rows\n"
                          : count_text(static_cast<uint64_t>(rows), "row", "rows") + "\n");
    return true;
}

bool read(Shell& shell, const Arguments& arguments) {
    if (arguments.empty()) return shell.fail(bad_request(".read needs the name of a file"));
    return shell.run_file(arguments[0]);
}

bool output(Shell& shell, const Arguments& arguments) {
    return shell.set_output(arguments.empty() ? "" : arguments[0]);
}

bool quit(Shell& shell, const Arguments&) {
    shell.quit();
    return true;
}

const std::vector<Command>& commands() {
    static const std::vector<Command> kCommands = {
        {".help", "\\?", "[COMMAND]", 1, "what the commands do", help},
        {".tables", "", "[PATTERN]", 1, "names of the tables, all or those LIKE the pattern",
         tables},
        {".list", "\\dt", "[PATTERN]", 1, "the tables as a table", list_tables},
        {".describe", "\\d", "[TABLE]", 1, "the columns of a table; without one, the tables",
         describe},
        {".schema", "", "[TABLE]", 1, "the CREATE TABLE of one table or all", schema},
        {".database", "\\l", "", 0, "which database is open", databases},
        {".mode", "", "[MODE]", 1, "table, csv, tsv, json, jsonl, markdown or line", mode},
        {".expanded", "\\x", "[on|off]", 1, "one line per column (mode line), or back to table",
         expanded},
        {".headers", "", "[on|off]", 1, "print column names in table, csv and tsv", headers},
        {".maxrows", "", "[N]", 1, "rows of a table on a terminal; 0 for all", max_rows},
        {".timer", "\\timing", "[on|off]", 1, "print how long statements take", timer},
        {".read", "\\i", "FILE", 1, "run the statements of a file", read},
        {".output", "\\o", "[FILE]", 1, "send answers to a file; without one, back to the screen",
         output},
        {".quit", "\\q", "", 0, "leave (also .exit)", quit},
    };
    return kCommands;
}

}  // namespace

bool run_command(Shell& shell, std::string_view line, const Origin& origin) {
    std::vector<std::string> words = split_words(line);
    const std::string name = words.empty() ? std::string(line) : words[0];
    if (!words.empty()) words.erase(words.begin());
    for (const Command& command : commands()) {
        const bool exit = command.name == ".quit" && name == ".exit";
        if (command.name != name && (command.short_name.empty() || command.short_name != name) &&
            !exit) {
            continue;
        }
        if (words.size() > command.arguments_max) {
            const std::string takes = command.arguments_max == 0 ? "no argument" : "one argument";
            return shell.fail(bad_request(name + " takes " + takes), origin);
        }
        return command.run(shell, words);
    }
    std::vector<std::string_view> known;
    const std::vector<std::string> names = command_names();
    known.assign(names.begin(), names.end());
    const std::string_view close = closest_word(name, known);
    return shell.fail(bad_request("there is no command " + one_line(name))
                          .with_hint(close.empty() ? ".help lists all commands"
                                                   : "did you mean " + std::string(close) + "?"),
                      origin);
}

std::vector<std::string> command_names() {
    std::vector<std::string> names = {".exit"};
    for (const Command& command : commands()) {
        names.emplace_back(command.name);
        if (!command.short_name.empty()) names.emplace_back(command.short_name);
    }
    std::sort(names.begin(), names.end());
    return names;
}

}  // namespace trefoil::shell
