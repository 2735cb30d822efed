// Report: runs the sides of a comparison in turn and prints what came out.
//
// A side does the same work as the others and answers how long it took and a number that shows that
// it did (a sum, a count); sides whose numbers differ end the program. All sides run once, then all
// once more, and so on, so that a disturbance of the machine meets everybody; the median counts.
//
//     Report report(5);
//     report.compare("point SELECT", n, trefoil, {{"SQLite", sqlite}, {"LMDB", lmdb}});
//     report.print_json();

#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <iostream>
#include <string>
#include <vector>

#include "trefoil/status.h"

namespace trefoil::compare {

struct Run {
    double seconds = 0;
    uint64_t proof = 0;
};

using Side = std::function<Run()>;

struct Rival {
    std::string name;
    Side run;
};

class Stopwatch {
public:
    double seconds() const {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    }

private:
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

class Report {
public:
    explicit Report(int runs) : runs_(runs) {}

    // Measures and prints one line per rival: the time per item of both, and how many times as long
    // the rival takes. `n` is the number of items (rows, lookups, commits) of one run.
    void compare(const std::string& name, uint64_t n, const Side& trefoil,
                 const std::vector<Rival>& rivals);
    // All lines again, as a JSON array.
    void print_json() const;

    int runs() const { return runs_; }

private:
    struct Line {
        std::string name, rival;
        double trefoil_ns, rival_ns;  // per item
        uint64_t n;
    };
    void print(const Line& line) const;

    int runs_;
    std::vector<Line> lines_;
};

// The machine, the versions and the price of an fsync in `folder`.
void print_circumstances(const std::string& folder);

[[noreturn]] void fail(const std::string& what);

// What a call answers; an error ends the program.
template <typename T>
T must(Result<T> result) {
    if (!result.ok()) fail(result.status().to_string());
    return *std::move(result);
}
inline void must(const Status& status) {
    if (!status.ok()) fail(status.to_string());
}

}  // namespace trefoil::compare
