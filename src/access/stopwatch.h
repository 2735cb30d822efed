// Stopwatch: how long the phases of an operator take, for EXPLAIN ANALYZE.

#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace trefoil::access {

// Adds the nanoseconds until it goes to a total.
class Stopwatch {
public:
    explicit Stopwatch(std::atomic<uint64_t>& total) : total_(total) {}
    ~Stopwatch() {
        const auto time = std::chrono::steady_clock::now() - start_;
        total_ += static_cast<uint64_t>(
            std::chrono::duration_cast<std::chrono::nanoseconds>(time).count());
    }
    Stopwatch(const Stopwatch&) = delete;
    Stopwatch& operator=(const Stopwatch&) = delete;

private:
    std::atomic<uint64_t>& total_;
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace trefoil::access
