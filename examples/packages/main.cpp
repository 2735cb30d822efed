// Your package manager as a database: reads what packages this machine could install, loads them
// into Trefoil, asks questions, closes, reopens, and checks that everything is there.
//
//     packages [--database PATH] [--packages FILE | --generate N] [--no-shell]

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "load.h"
#include "questions.h"
#include "screen.h"
#include "trefoil/database.h"
#include "universe.h"

using trefoil::Database;
using trefoil::Result;
using trefoil::Session;
using trefoil::Status;

namespace {

constexpr int64_t kGeneratedPackages = 60'000;

constexpr const char* kUsage = R"(packages - your package manager as a database

    packages [OPTIONS]

Reads the package index that a Debian machine has (the apt lists), loads it into a Trefoil
database, asks it questions, closes, reopens, checks that everything is there, and, on a
terminal, leaves you in the shell with that database open.

    --database PATH  the database to make or refill (packages.trefoil)
    --packages FILE  read this file, in the form of Debian's Packages files, not the apt lists
    --generate N     make N packages up (also --rows N)
    --generated      make 60,000 up, as is done by itself where there are no apt lists
    --no-shell       end when everything was checked
    --help           print this
)";

struct Options {
    std::string database = "packages.trefoil";
    std::string packages_file;
    std::optional<int64_t> generate;
    bool shell = true;
    bool help = false;
    std::string error;
};

Options parse(int argc, char** argv) {
    Options options;
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    for (size_t i = 0; i < arguments.size(); i++) {
        const std::string& name = arguments[i];
        const bool takes_value = name == "--database" || name == "--packages" ||
                                 name == "--generate" || name == "--rows";
        if (takes_value && i + 1 == arguments.size()) {
            options.error = name + " needs a value";
        } else if (name == "--database") {
            options.database = arguments[++i];
        } else if (name == "--packages") {
            options.packages_file = arguments[++i];
        } else if (name == "--generate" || name == "--rows") {
            options.generate = std::atoll(arguments[++i].c_str());
            if (*options.generate < 1) options.error = name + " needs a number of packages";
        } else if (name == "--generated") {
            options.generate = kGeneratedPackages;
        } else if (name == "--no-shell") {
            options.shell = false;
        } else if (name == "--help" || name == "-h") {
            options.help = true;
        } else {
            options.error = "unknown option " + name;
        }
    }
    return options;
}

int fail(const Status& status) {
    std::fflush(stdout);
    std::fprintf(stderr, "\n%s\n", status.to_string().c_str());
    return 1;
}

std::string quoted(const std::string& path) {
    std::string out = "'";
    for (const char c : path) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return out + "'";
}

Universe read_or_generate(const Options& options) {
    const auto begun = std::chrono::steady_clock::now();
    const auto told = [](const std::string& what) {
        return [what](int64_t n) { screen::progress("[1/4] " + what + ": " + screen::grouped(n)); };
    };
    Universe universe;
    std::string source = "made up";
    if (!options.packages_file.empty()) {
        source = "read from " + options.packages_file;
        universe = read_universe("cat -- " + quoted(options.packages_file), told("reading"));
    } else if (!options.generate) {
        source = "read from this machine's apt lists";
        universe = read_universe("apt-cache dumpavail 2>/dev/null", told("reading the apt lists"));
        if (universe.packages.empty()) {
            std::puts("This machine has no apt lists; the packages that follow are made up.");
        }
    }
    if (universe.packages.empty() && options.packages_file.empty()) {
        source = "made up";
        universe =
            generate_universe(options.generate.value_or(kGeneratedPackages), told("making up"));
    }
    const auto count = [](const auto& items) {
        return screen::grouped(static_cast<int64_t>(items.size()));
    };
    screen::finish("[1/4] " + count(universe.packages) + " packages, " +
                   count(universe.dependencies) + " relations, " + count(universe.tags) + " tags " +
                   source + "  " + screen::since(begun));
    if (universe.older_versions > 0) {
        std::printf("      (%s older versions are left out: the newest counts)\n",
                    screen::grouped(universe.older_versions).c_str());
    }
    return universe;
}

// One line of figures per table that change if any row is lost or any text changed.
constexpr const char* kFingerprints[] = {
    "SELECT 'maintainer', count(*), sum(id), sum(length(name)), sum(length(email)) FROM maintainer",
    R"(SELECT 'package', count(*), sum(id), sum(installed_size), sum(download_size),
           sum(maintainer), sum(length(name)), sum(length(version)), sum(length(summary)),
           sum(length(description)), min(name), max(name), count(homepage) FROM package)",
    R"(SELECT 'depends', count(*), sum(from_package * position), sum(to_package), count(relation),
           sum(length(to_name)), sum(length(version)) FROM depends)",
    "SELECT 'provides', count(*), sum(package * position), sum(length(name)) FROM provides",
    "SELECT 'tag', count(*), sum(package), sum(length(facet)), sum(length(value)) FROM tag",
};

Result<std::vector<std::string>> fingerprints(Session& session) {
    std::vector<std::string> lines;
    for (const char* sql : kFingerprints) {
        auto rows = session.execute(sql);
        if (!rows.ok()) return rows.status();
        auto batch = rows->next();
        if (!batch.ok()) return batch.status();
        if (!batch->has_value()) return Status::corruption("a count has no row");
        std::string& line = lines.emplace_back();
        for (int32_t c = 0; c < (*batch)->column_count(); c++) line += (*batch)->text(0, c) + " ";
    }
    return lines;
}

int64_t interesting_package(const Universe& universe) {
    const auto count = static_cast<int64_t>(universe.packages.size());
    for (int64_t i = 0; i < count; i++) {
        if (universe.packages[static_cast<size_t>(i)].name == "git") return i + 1;
    }
    return count / 2 + 1;
}

// Loads and asks; answers the fingerprints of what is in the database when it is closed.
Result<std::vector<std::string>> load_and_ask(const Options& options, const Universe& universe) {
    Result<Database> database = Database::open(options.database);
    if (!database.ok()) return database.status();
    Result<Session> session = database->connect();
    if (!session.ok()) return session.status();

    std::printf("[2/4] loading %s\n", options.database.c_str());
    if (const int64_t before = packages_of_earlier_run(*session); before > 0) {
        std::printf("      it holds %s packages of an earlier run, which are replaced\n",
                    screen::grouped(before).c_str());
    }
    if (Status s = load_universe(*session, universe); !s.ok()) return s;
    if (Status s = database->checkpoint(); !s.ok()) return s;

    std::puts("[3/4] asking");
    if (Status s = ask(*session, questions(interesting_package(universe))); !s.ok()) return s;
    return fingerprints(*session);
}

Status check_after_reopening(const Options& options, const std::vector<std::string>& before) {
    const auto begun = std::chrono::steady_clock::now();
    screen::progress("[4/4] reopening ...");
    Result<Database> database = Database::open(options.database, {.create_if_missing = false});
    if (!database.ok()) return database.status();
    Result<Session> session = database->connect();
    if (!session.ok()) return session.status();
    const auto after = fingerprints(*session);
    if (!after.ok()) return after.status();
    for (size_t i = 0; i < before.size(); i++) {
        if (before[i] == (*after)[i]) continue;
        return Status::corruption("after reopening, table " + kTables[i] + " differs")
            .with_detail("before: " + before[i] + "\nafter:  " + (*after)[i]);
    }
    screen::finish("[4/4] closed, reopened, compared: every row of all " +
                   std::to_string(kTables.size()) + " tables is there  " + screen::since(begun));
    return Status();
}

// Becomes the shell that was built beside this program, or else the one on the path.
int enter_shell(const std::string& database) {
    std::error_code ignored;
    const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", ignored);
    const std::string beside = (self.parent_path().parent_path() / "trefoil").string();
    const bool built = access(beside.c_str(), X_OK) == 0;
    const std::string program = built ? beside : "trefoil";
    if (isatty(STDIN_FILENO) == 0 || isatty(STDOUT_FILENO) == 0) {
        std::printf("\nAsk more with: %s %s\n", program.c_str(), database.c_str());
        return 0;
    }
    std::puts(
        "\nNow it is yours. Try:\n"
        "    \\d package\n"
        "    SELECT name, summary FROM package WHERE summary ILIKE '%database%' LIMIT 10;\n"
        "    SELECT kind, to_name FROM depends d JOIN package p ON p.id = d.from_package\n"
        "      WHERE p.name = 'git';\n");
    std::fflush(stdout);
    execlp(program.c_str(), program.c_str(), database.c_str(), static_cast<char*>(nullptr));
    std::fprintf(stderr, "cannot start %s\n", program.c_str());
    return 1;
}

}  // namespace

int main(int argc, char** argv) {
    const Options options = parse(argc, argv);
    if (!options.error.empty()) {
        std::fprintf(stderr, "packages: %s\nTry \"packages --help\".\n", options.error.c_str());
        return 2;
    }
    if (options.help) {
        std::fputs(kUsage, stdout);
        return 0;
    }
    const Universe universe = read_or_generate(options);
    if (universe.packages.empty()) {
        std::fprintf(stderr, "There are no packages in %s.\n", options.packages_file.c_str());
        return 1;
    }
    const auto before = load_and_ask(options, universe);
    if (!before.ok()) return fail(before.status());
    std::puts("");
    if (Status s = check_after_reopening(options, *before); !s.ok()) return fail(s);
    return options.shell ? enter_shell(options.database) : 0;
}
