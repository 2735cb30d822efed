// Alarms: one thread that sleeps until the next one is due.

#include "db/alarms.h"

namespace trefoil {

Alarms::~Alarms() {
    {
        std::lock_guard lock(mutex_);
        closing_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
}

std::shared_ptr<Alarms::Alarm> Alarms::set(std::chrono::milliseconds after,
                                           std::function<void()> ring) {
    auto alarm = std::make_shared<Alarm>(*this, Clock::now() + after);
    std::lock_guard lock(mutex_);
    if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
    waiting_.emplace(alarm->time_, std::pair(alarm.get(), std::move(ring)));
    changed_.notify_all();
    return alarm;
}

Alarms::Alarm::~Alarm() {
    std::lock_guard lock(alarms_.mutex_);
    auto [from, to] = alarms_.waiting_.equal_range(time_);
    for (auto at = from; at != to; ++at) {
        if (at->second.first != this) continue;
        alarms_.waiting_.erase(at);
        return;
    }
}

// Rings under the mutex, so that an alarm that is gone does not ring.
void Alarms::run() {
    std::unique_lock lock(mutex_);
    while (!closing_) {
        if (waiting_.empty()) {
            changed_.wait(lock);
            continue;
        }
        const Clock::time_point next = waiting_.begin()->first;
        if (Clock::now() < next) {
            changed_.wait_until(lock, next);
            continue;
        }
        auto ring = std::move(waiting_.begin()->second.second);
        waiting_.erase(waiting_.begin());
        ring();
    }
}

}  // namespace trefoil
