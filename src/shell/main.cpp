// The program `trefoil`: reads the command line, opens the database, and lets the Shell work.

#include <unistd.h>

#include <cstdio>
#include <string>
#include <vector>

#include "shell/error_text.h"
#include "shell/interrupts.h"
#include "shell/options.h"
#include "shell/shell.h"
#include "shell/tools.h"
#include "trefoil/database.h"

namespace trefoil::shell {
namespace {

constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;

int open_failed(const Status& status) {
    std::fputs(error_text(status, {}).c_str(), stderr);
    return kExitFailed;
}

bool run_actions(Shell& shell, const std::vector<Action>& actions) {
    for (const Action& action : actions) {
        const bool well =
            action.is_file ? shell.run_file(action.text) : shell.run_text(action.text);
        if (!well) return false;
    }
    return true;
}

int run(const Options& options) {
    // Before the database starts threads, which must not receive the signals.
    Interrupts interrupts;
    OpenOptions open;
    open.read_only = options.read_only;
    Result<Database> database = Database::open(options.database, open);
    if (!database.ok()) return open_failed(database.status());
    Result<Session> session = database->connect();
    if (!session.ok()) return open_failed(session.status());

    const bool at_terminal = isatty(STDIN_FILENO) != 0 && isatty(STDOUT_FILENO) != 0;
    const bool interactive = options.actions.empty() && at_terminal;
    Settings settings;
    settings.mode = options.mode.value_or(Mode::kTable);
    settings.header = options.header;
    settings.timer = interactive;
    const bool in_memory = options.database.empty() || options.database == ":memory:";
    std::string name = in_memory ? "" : options.database;
    if (options.read_only) name += " (read-only)";

    Shell shell(*database, std::move(*session), interrupts, name, settings);
    if (!options.actions.empty()) return run_actions(shell, options.actions) ? 0 : kExitFailed;
    if (!interactive) return shell.run_stream(stdin) ? 0 : kExitFailed;
    shell.run_interactive();
    return 0;
}

}  // namespace
}  // namespace trefoil::shell

int main(int argc, char** argv) {
    using namespace trefoil::shell;
    const OptionsResult parsed = parse_options({argv + 1, argv + argc});
    if (!parsed.error.empty()) {
        std::fprintf(stderr, "trefoil: %s\nTry \"trefoil --help\".\n", parsed.error.c_str());
        return kExitUsage;
    }
    if (parsed.options.help) {
        std::fputs(usage_text().c_str(), stdout);
        return 0;
    }
    if (parsed.options.version) {
        std::printf("trefoil %s\n", std::string(trefoil::version()).c_str());
        return 0;
    }
    if (parsed.options.tool) return run_tool(*parsed.options.tool);
    return run(parsed.options);
}
