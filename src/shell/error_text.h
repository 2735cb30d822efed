// How an error is told:
//
//     ERROR 42703: column "nme" does not exist
//     LINE 2: WHERE nme = 'Ann'
//                   ^
//     HINT: did you mean "name"?
//
// The caret stands under the position, whatever tabs and wide characters come before it. In a
// script the label names the file and its line, "load.sql:14: ", so that editors can jump there.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "trefoil/status.h"

namespace trefoil::shell {

struct ErrorPlace {
    std::string_view statement = "";
    std::string_view file = "";  // "" for what was typed or given with -c
    int64_t line = 1;            // of the file, where the statement begins
    int width = 0;               // of the terminal; 0 if it is none. A longer line is shown in part
    bool color = false;
};

// The lines of the error, each with its "\n".
// REQUIRES: !status.ok().
std::string error_text(const Status& status, const ErrorPlace& place);

// The line of `statement` that holds byte `position`, with `label` in front, and the caret line
// below.
std::string caret_lines(std::string_view statement, size_t position, const std::string& label,
                        int width);

}  // namespace trefoil::shell
