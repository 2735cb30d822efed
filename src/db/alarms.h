// Alarms: things to do at a time, for the time-outs of sessions.
//
// One thread for a database, started with the first alarm. What an alarm does must be short: it
// sets a flag that somebody looks at.
//
// Threads: everything may be called by many at once.

#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

namespace trefoil {

class Alarms {
public:
    using Clock = std::chrono::steady_clock;

    Alarms() = default;
    ~Alarms();
    Alarms(const Alarms&) = delete;
    Alarms& operator=(const Alarms&) = delete;

    // An alarm that is set as long as this object lives. Once it is destroyed, `ring` is neither
    // running nor will be.
    class Alarm {
    public:
        Alarm(Alarms& alarms, Clock::time_point time) : alarms_(alarms), time_(time) {}
        ~Alarm();
        Alarm(const Alarm&) = delete;
        Alarm& operator=(const Alarm&) = delete;

    private:
        Alarms& alarms_;
        Clock::time_point time_;
        friend class Alarms;
    };
    // Calls `ring` on a thread of its own after that time.
    std::shared_ptr<Alarm> set(std::chrono::milliseconds after, std::function<void()> ring);

private:
    void run();

    std::mutex mutex_;
    std::condition_variable changed_;
    std::multimap<Clock::time_point, std::pair<const Alarm*, std::function<void()>>> waiting_;
    bool closing_ = false;
    std::thread thread_;
};

}  // namespace trefoil
