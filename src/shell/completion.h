// What TAB offers: keywords, tables, columns, shell commands, modes and file names, by where the
// cursor is.
//
// The rules are simple enough to foresee: after FROM, JOIN, INTO, UPDATE, TABLE, DESCRIBE and COPY
// tables come first; after "t." the columns of t (or of the table that t is an alias of in this
// statement); elsewhere keywords, tables and columns. Nothing is offered inside a string or a
// comment.

#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace trefoil::shell {

// The names that exist, as the shell knows them at the moment.
struct Names {
    struct Table {
        std::string name;
        std::vector<std::string> columns;
    };
    std::vector<Table> tables;
    std::vector<std::string> commands;  // ".help", "\\d", ...
};

struct Completions {
    size_t replaced = 0;             // bytes before the cursor that a candidate replaces
    std::vector<std::string> words;  // sorted, without doubles
    bool add_space = true;           // after the only candidate
};

// `before` is the statement so far, earlier lines included, up to the cursor.
Completions complete(std::string_view before, const Names& names);

// The longest text that all of `words` begin with; "" if there are none.
std::string common_prefix(const std::vector<std::string>& words);

// `name` as SQL must write it: in double quotes unless it is lower-case letters, digits and "_".
std::string quote_identifier(std::string_view name);

}  // namespace trefoil::shell
