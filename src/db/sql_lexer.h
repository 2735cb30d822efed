// Lexing of SQL, as far as it is needed outside the engine: where statements end, and where
// literals are.
//
// It knows what may hide a semicolon or a quote: '...', E'...', "...", $tag$...$tag$, -- and nested
// /* */.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "trefoil/value.h"

namespace trefoil {

enum class TokenKind : uint8_t { kWord, kQuoted, kNumber, kString, kParameter, kSymbol };

struct Token {
    TokenKind kind;
    std::string_view text;  // as written
    size_t offset;
};

// The next token at or after `*at`, which moves behind it; nullopt at the end, or, with *open set,
// inside a quote or comment that does not end.
std::optional<Token> next_token(std::string_view sql, size_t* at, bool* open);

// A statement with its literals taken out: "... WHERE id = 7 LIMIT 3" is "... WHERE id = $1 LIMIT
// $2" with 7 and 3. So statements that differ in literals alone share one plan.
struct LiftedStatement {
    std::string text;
    std::vector<Value> literals;
};

// nullopt unless the statement is of a simple kind that the fast path may run: a SELECT (no joins,
// groups, orders, subqueries, parameters) with a literal behind WHERE or LIMIT, or an INSERT,
// UPDATE or DELETE without a query, all whose literals behind VALUES, SET or WHERE can be lifted.
std::optional<LiftedStatement> lift_literals(std::string_view sql);

}  // namespace trefoil
