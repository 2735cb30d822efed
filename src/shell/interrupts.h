// Interrupts: what Ctrl-C and a change of the window's size do.
//
// The signals are blocked in every thread and fetched by one thread of ours, so that what they
// cause runs as ordinary code: Session::cancel() while a query runs, a byte in a pipe while the
// prompt waits.
//
//     Interrupts interrupts;                    // before any other thread is started
//     {
//         Interrupts::Query query(interrupts, [&] { session.cancel(); });
//         ... run it ...; if (query.interrupted()) stop printing;
//     }
//
// A third Ctrl-C during one query ends the process, in case the query does not listen. Where
// neither a query runs nor a prompt waits, Ctrl-C ends the process as usual.

#pragma once

#include <csignal>
#include <functional>
#include <mutex>
#include <thread>

namespace trefoil::shell {

class Interrupts {
public:
    // What the prompt reads from wake_fd(): one of these bytes per event.
    static constexpr char kInterrupt = 'i';
    static constexpr char kResize = 'r';
    static constexpr char kContinue = 'c';

    Interrupts();
    ~Interrupts();
    Interrupts(const Interrupts&) = delete;
    Interrupts& operator=(const Interrupts&) = delete;

    // While it lives, Ctrl-C calls `cancel`, from another thread. They do not nest.
    class Query {
    public:
        Query(Interrupts& interrupts, std::function<void()> cancel);
        ~Query();
        Query(const Query&) = delete;
        Query& operator=(const Query&) = delete;
        bool interrupted() const;

    private:
        Interrupts& interrupts_;
    };

    // From now on there is a prompt: outside of queries Ctrl-C puts kInterrupt into the pipe.
    void set_interactive();
    int wake_fd() const { return pipe_[0]; }

private:
    void watch();
    void on_interrupt();
    void wake(char event);

    sigset_t watched_;
    sigset_t before_;
    int pipe_[2];
    mutable std::mutex mutex_;
    bool interactive_ = false;  // guarded by mutex_, as all below
    bool stopping_ = false;
    std::function<void()> cancel_;  // empty if no query runs
    int count_ = 0;                 // of Ctrl-C during this query
    std::thread watcher_;
};

}  // namespace trefoil::shell
