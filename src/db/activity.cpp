// Activity: a few words under a mutex.

#include "db/activity.h"

#include <algorithm>
#include <chrono>

namespace trefoil {
namespace {

constexpr size_t kStatementBytesShown = 1000;

}  // namespace

void Activity::stamp() {
    since_us_ = std::chrono::duration_cast<std::chrono::microseconds>(
                    std::chrono::system_clock::now().time_since_epoch())
                    .count();
}

void Activity::begin(std::string_view statement) {
    std::lock_guard lock(mutex_);
    running_ = true;
    statement_ = statement.substr(0, kStatementBytesShown);
    stamp();
}

void Activity::end() {
    std::lock_guard lock(mutex_);
    running_ = false;
    if (!is_active()) stamp();
}

void Activity::open_answer(std::string_view statement) {
    std::lock_guard lock(mutex_);
    if (!is_active()) stamp();
    statement_ = statement.substr(0, kStatementBytesShown);
    answers_++;
}

void Activity::close_answer() {
    std::lock_guard lock(mutex_);
    answers_--;
    if (!is_active()) stamp();
}

void Activity::set_transaction(std::optional<uint64_t> transaction) {
    std::lock_guard lock(mutex_);
    transaction_ = transaction;
}

bool Activity::is_waiting() const {
    std::lock_guard lock(mutex_);
    return !is_active();
}

Activity::Report Activity::report() const {
    std::lock_guard lock(mutex_);
    const char* state = is_active() ? "active" : transaction_ ? "idle in transaction" : "idle";
    return {session_, state, statement_, since_us_, transaction_, index_progress_.report()};
}

std::shared_ptr<Activity> Activities::add(std::atomic<bool>& cancel) {
    std::lock_guard lock(mutex_);
    auto activity = std::make_shared<Activity>(next_++, cancel);
    all_[activity.get()] = activity;
    return activity;
}

void Activities::remove(const Activity& activity) {
    std::lock_guard lock(mutex_);
    all_.erase(&activity);
}

bool Activities::cancel(uint64_t session) {
    std::lock_guard lock(mutex_);
    for (const auto& [key, activity] : all_) {
        if (activity->session_ != session) continue;
        activity->cancel_.store(true);
        return true;
    }
    return false;
}

std::vector<Activity::Report> Activities::list() const {
    std::lock_guard lock(mutex_);
    std::vector<Activity::Report> reports;
    for (const auto& [key, activity] : all_) reports.push_back(activity->report());
    std::sort(reports.begin(), reports.end(),
              [](const auto& a, const auto& b) { return a.session < b.session; });
    return reports;
}

}  // namespace trefoil
