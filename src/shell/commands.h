// The commands of the shell: lines that begin with "." or, as psql users are used to, with "\".

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "shell/shell.h"

namespace trefoil::shell {

// Runs one line. Answers false, after printing why, if there is no such command or it failed.
bool run_command(Shell& shell, std::string_view line, const Origin& origin);

// All spellings, for TAB.
std::vector<std::string> command_names();

}  // namespace trefoil::shell
