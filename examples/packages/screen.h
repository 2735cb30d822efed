// What this example prints: progress, times, and answers as tables.

#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "trefoil/database.h"

namespace screen {

// A line that the next progress() or finish() overwrites; shown on a terminal only.
void progress(const std::string& line);
// A line that stays.
void finish(const std::string& line);

std::string grouped(int64_t number);  // "63,666"
std::string padded(std::string_view text, size_t columns);
std::string padded_left(std::string_view text, size_t columns);
std::string since(std::chrono::steady_clock::time_point begun);  // "12.3 ms"

// Prints the rows as a table with numbers to the right and long texts cut; answers what went wrong.
trefoil::Status print_table(trefoil::Rows& rows);
// Prints the texts of the first column as they are: the lines of a plan.
trefoil::Status print_lines(trefoil::Rows& rows);

}  // namespace screen
