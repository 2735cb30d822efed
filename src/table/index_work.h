// IndexWork: what the building of indexes may use, and who watches it.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

#include "base/memory_pool.h"
#include "trefoil/status.h"

namespace trefoil::table {

// How far the index has come that is being built: written by its builder, read by who looks.
// Threads: everything may be called by many at once; one index at a time is built.
class IndexProgress {
public:
    enum class Phase : uint8_t { kComputing, kScanning, kWriting, kChecking, kCatchingUp };
    struct Report {
        std::string schema, table, index;
        Phase phase = Phase::kScanning;
        uint64_t rows_done = 0, rows_total = 0;  // of the phase
    };

    // An index is being built from now on; end() says that none is.
    void begin(std::string schema, std::string table, std::string index) {
        std::lock_guard lock(mutex_);
        report_ = Report{std::move(schema), std::move(table), std::move(index)};
        rows_done_ = 0;
    }
    void enter(Phase phase, uint64_t rows_total) {
        std::lock_guard lock(mutex_);
        if (!report_) return;
        report_->phase = phase;
        report_->rows_total = rows_total;
        rows_done_ = 0;
    }
    void advance(uint64_t rows) { rows_done_.fetch_add(rows, std::memory_order_relaxed); }
    void end() {
        std::lock_guard lock(mutex_);
        report_.reset();
    }
    // nullopt if no index is being built.
    std::optional<Report> report() const {
        std::lock_guard lock(mutex_);
        auto report = report_;
        if (report) report->rows_done = rows_done_;
        return report;
    }

private:
    mutable std::mutex mutex_;
    std::optional<Report> report_;
    std::atomic<uint64_t> rows_done_{0};
};

struct IndexWork {
    size_t threads = 1;
    MemoryPool* memory = nullptr;                // null: there is always enough
    uint64_t memory_bytes = uint64_t{64} << 20;  // that an index may hold while it is built
    const std::atomic<bool>* cancel = nullptr;
    IndexProgress* progress = nullptr;

    // Errors: 57014 once it is cancelled.
    Status advance(uint64_t rows) const {
        if (progress) progress->advance(rows);
        if (!cancel || !cancel->load(std::memory_order_relaxed)) return {};
        return {Code::kInvalidInput, "57014", "the statement was cancelled"};
    }
    void enter(IndexProgress::Phase phase, uint64_t rows_total) const {
        if (progress) progress->enter(phase, rows_total);
    }
};

}  // namespace trefoil::table
