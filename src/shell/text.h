// Small texts that the shell prints: counts, durations.

#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace trefoil::shell {

// "12,345".
std::string grouped(uint64_t number);
// "1 row", "12,345 rows".
std::string count_text(uint64_t count, std::string_view one, std::string_view many);
// "0.42 ms", "12.3 ms", "1.25 s", "2 min 05 s".
std::string duration_text(std::chrono::nanoseconds duration);
// True if the first word of `sql` is EXPLAIN.
bool is_explain(std::string_view sql);

// A literal of SQL: 'it''s'.
std::string quote_literal(std::string_view text);

// The words of a shell command: split at space; '...' and "..." keep space, and a semicolon at the
// end of the line is dropped, as people write it out of habit.
std::vector<std::string> split_words(std::string_view line);

}  // namespace trefoil::shell
