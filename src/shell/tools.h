// What `trefoil` does to a whole database instead of opening a shell on it.
//
//     trefoil restore BACKUP DATABASE     makes a database out of a backup, which stays as it is
//     trefoil upgrade DATABASE            brings a database to the newest format, and checks it

#pragma once

#include <string>

#include "shell/options.h"

namespace trefoil::shell {

// Says on standard output what was done, on standard error what went wrong. The exit status.
int run_tool(const ToolOptions& options);

}  // namespace trefoil::shell
