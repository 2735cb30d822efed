// Script: cuts text that arrives in pieces into SQL statements and shell commands.
//
//     Script script;
//     script.feed(line);
//     while (auto piece = script.next()) run(*piece);
//     at the end of the input: if (auto piece = script.rest()) run(*piece);
//
// A shell command begins with "." or "\" where a statement could begin, and ends with its line. A
// statement ends with its semicolon; the last one of the input may do without. Comments and blank
// lines between statements are skipped.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace trefoil::shell {

struct Piece {
    enum class Kind : uint8_t { kStatement, kCommand };
    Kind kind = Kind::kStatement;
    std::string text;  // from its first character, without space and comments around it
    int64_t line = 1;  // where that character stands in the input, from 1
};

class Script {
public:
    // Finds the end of a statement; trefoil::first_statement outside of tests.
    using FirstStatement = std::optional<std::string_view> (*)(std::string_view);

    Script();
    explicit Script(FirstStatement first_statement) : first_statement_(first_statement) {}

    void feed(std::string_view text);

    // The next whole statement or command, or nullopt if more input is needed.
    std::optional<Piece> next();

    // At the end of the input: what is left, if it is more than space and comments.
    std::optional<Piece> rest();

    // True if nothing has been fed that waits for its end.
    bool empty();

    // What waits for its end: the front of an unfinished statement.
    std::string_view pending() const { return std::string_view(text_).substr(start_); }

    // Forgets what was fed.
    void clear();

private:
    void skip_blank();
    void advance(size_t bytes);

    FirstStatement first_statement_;
    std::string text_;
    size_t start_ = 0;     // of what was not handed out yet
    size_t searched_ = 0;  // up to here there was no semicolon that ends the statement
    int64_t line_ = 1;     // of start_
};

// Bytes of space, "-- ..." and "/* ... */" (they nest) at the front of `text`. An open comment does
// not count.
size_t blank_prefix(std::string_view text);

}  // namespace trefoil::shell
