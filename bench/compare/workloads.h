// The workloads of bench_compare. Each makes its own data in `folder`, the same for all sides, and
// leaves nothing behind.

#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "report.h"
#include "trefoil/database.h"

namespace trefoil::compare {

struct Workload {
    std::string folder;  // empty, on the disk that is to be measured
    uint64_t rows;
};

void compare_lookups(Report& report, const Workload& workload);
void compare_column_sums(Report& report, const Workload& workload);
void compare_commits(Report& report, const Workload& workload);
void compare_csv_load(Report& report, const Workload& workload);

// A bijection of the 64-bit numbers that looks like chance (the finalizer of SplitMix64).
inline uint64_t scramble(uint64_t x) {
    x += 0x9e3779b97f4a7c15;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
}

// Runs a statement; answers how many rows it changed.
inline uint64_t run_sql(Session& session, std::string_view sql) {
    return must(session.execute(sql)).affected_rows();
}

// The only field of a query's only row, as a number.
inline double sql_number(Session& session, std::string_view sql) {
    Rows rows = must(session.execute(sql));
    auto batch = must(rows.next());
    return std::stod(batch->text(0, 0));
}

}  // namespace trefoil::compare
