// bench_compare: Trefoil beside LMDB, SQLite and plain loops, in one process and one run.
//
//     build/bench/bench_compare [--rows N] [--runs K] [--folder DIR] [NAME ...]
//
// NAME is lookups, sums, commits or csv; all four by default. The same data and the same durability
// for everyone; each figure is the median of K runs in turn. DIR must lie on the disk that is to be
// measured; what is made there is removed again. DuckDB is compared by duckdb_compare.py.

#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "workloads.h"

using namespace trefoil::compare;

namespace {

std::string scratch;  // removed at exit, also after a failure

struct Named {
    const char* name;
    void (*run)(Report&, const Workload&);
};

constexpr Named kWorkloads[] = {{"lookups", compare_lookups},
                                {"sums", compare_column_sums},
                                {"commits", compare_commits},
                                {"csv", compare_csv_load}};

struct Options {
    uint64_t rows = 10'000'000;
    int runs = 5;
    std::string folder = "/var/tmp";
    std::vector<std::string> names;
};

Options parse(int argc, char** argv) {
    Options options;
    for (int i = 1; i < argc; i++) {
        const std::string arg = argv[i];
        if (arg.rfind("--", 0) != 0) {
            options.names.push_back(arg);
            continue;
        }
        if (i + 1 == argc) fail(arg + " needs a value");
        const std::string value = argv[++i];
        if (arg == "--rows") {
            options.rows = std::strtoull(value.c_str(), nullptr, 10);
        } else if (arg == "--runs") {
            options.runs = std::atoi(value.c_str());
        } else if (arg == "--folder") {
            options.folder = value;
        } else {
            fail("unknown option " + arg + " (--rows, --runs, --folder)");
        }
    }
    if (options.rows == 0 || options.runs <= 0) fail("--rows and --runs must be numbers above 0");
    return options;
}

bool wanted(const Options& options, const std::string& name) {
    if (options.names.empty()) return true;
    for (const std::string& n : options.names) {
        if (n == name) return true;
    }
    return false;
}

}  // namespace

int main(int argc, char** argv) {
    const Options options = parse(argc, argv);
    std::string folder = options.folder + "/bench-compare-XXXXXX";
    if (mkdtemp(folder.data()) == nullptr) fail("cannot make a folder in " + options.folder);
    scratch = folder;
    std::atexit([] { std::filesystem::remove_all(scratch); });
    print_circumstances(folder);
    Report report(options.runs);
    for (const Named& workload : kWorkloads) {
        if (!wanted(options, workload.name)) continue;
        const std::string own = folder + "/" + workload.name;
        std::filesystem::create_directory(own);
        workload.run(report, {own, options.rows});
        std::filesystem::remove_all(own);
    }
    std::cout << std::endl;
    report.print_json();
    return 0;
}
