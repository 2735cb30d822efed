// Activity: what a session is doing, for those who look at trefoil_sessions.
//
// Point queries do not tell: they take microseconds, and a lock and a clock would be a good part of
// that.
//
// Threads: everything may be called by many at once.

#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "table/index_work.h"

namespace trefoil {

class Activity {
public:
    // `cancel` must live until the session is removed from its Activities.
    Activity(uint64_t session, std::atomic<bool>& cancel) : session_(session), cancel_(cancel) {}

    // A statement runs ...
    void begin(std::string_view statement);
    void end();
    // ... and its answer is read.
    void open_answer(std::string_view statement);
    void close_answer();
    void set_transaction(std::optional<uint64_t> transaction);

    struct Report {
        uint64_t session = 0;
        std::string state;      // "active", "idle", "idle in transaction"
        std::string statement;  // that runs, or ran last
        int64_t since_us = 0;   // in this state, as a timestamp
        std::optional<uint64_t> transaction;
        std::optional<table::IndexProgress::Report> index_build;
    };
    Report report() const;
    // Of what the session's statement builds.
    table::IndexProgress& index_progress() { return index_progress_; }
    // Nothing runs, and no answer is read.
    bool is_waiting() const;

private:
    bool is_active() const { return running_ || answers_ > 0; }
    void stamp();

    const uint64_t session_;
    std::atomic<bool>& cancel_;
    friend class Activities;
    mutable std::mutex mutex_;
    bool running_ = false;
    int answers_ = 0;
    std::string statement_;
    int64_t since_us_ = 0;
    std::optional<uint64_t> transaction_;
    table::IndexProgress index_progress_;
};

// The sessions of a database.
class Activities {
public:
    std::shared_ptr<Activity> add(std::atomic<bool>& cancel);
    void remove(const Activity& activity);
    std::vector<Activity::Report> list() const;
    // Cancels what the session runs. False if there is none of this number.
    bool cancel(uint64_t session);

private:
    mutable std::mutex mutex_;
    std::map<const Activity*, std::shared_ptr<Activity>> all_;
    uint64_t next_ = 1;
};

}  // namespace trefoil
