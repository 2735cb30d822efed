// How wide UTF-8 text is on a terminal, and how to make it fit.
//
// One unit is one column of a terminal: a CJK character or an emoji takes two, a combining accent
// none. Text that is not UTF-8 is read byte by byte, each broken byte as U+FFFD.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace trefoil::shell {

// The code point at the front of `text`, which loses its bytes; U+FFFD for a byte that starts none.
// REQUIRES: !text.empty().
char32_t take_code_point(std::string_view& text);

// Columns of one code point: 0, 1 or 2. Control characters count 0.
int code_point_width(char32_t code_point);

// Columns of `text`.
int display_width(std::string_view text);

// `text` on one line and harmless to a terminal: a line break becomes "↵", other control characters
// become their visible pictures (ESC "␛", TAB "␉"), bytes that are not UTF-8 become "�".
std::string one_line(std::string_view text);

// `text`, if it is at most `columns` wide; else as much of its front as fits, and "…".
// REQUIRES: columns >= 1.
std::string cut_to_width(std::string_view text, int columns);

}  // namespace trefoil::shell
