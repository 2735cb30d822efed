// One thread sits in sigwait(). It is ended by one more SIGINT, sent to it alone, with stopping_
// set.

#include "shell/interrupts.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

namespace trefoil::shell {

namespace {

constexpr int kInterruptsToQuit = 3;
constexpr int kExitInterrupted = 130;  // as shells report a program that Ctrl-C ended

}  // namespace

Interrupts::Interrupts() {
    sigemptyset(&watched_);
    sigaddset(&watched_, SIGINT);
    sigaddset(&watched_, SIGWINCH);
    sigaddset(&watched_, SIGCONT);
    pthread_sigmask(SIG_BLOCK, &watched_, &before_);
    if (pipe2(pipe_, O_CLOEXEC | O_NONBLOCK) != 0) pipe_[0] = pipe_[1] = -1;
    watcher_ = std::thread([this] { watch(); });
}

Interrupts::~Interrupts() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    pthread_kill(watcher_.native_handle(), SIGINT);
    watcher_.join();
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    for (const int fd : pipe_) {
        if (fd >= 0) close(fd);
    }
}

void Interrupts::set_interactive() {
    const std::lock_guard lock(mutex_);
    interactive_ = true;
}

void Interrupts::watch() {
    for (;;) {
        int signal = 0;
        if (sigwait(&watched_, &signal) != 0) continue;
        const std::lock_guard lock(mutex_);
        if (stopping_) return;
        if (signal == SIGINT) on_interrupt();
        if (signal == SIGWINCH) wake(kResize);
        if (signal == SIGCONT) wake(kContinue);
    }
}

void Interrupts::on_interrupt() {
    if (cancel_) {
        count_++;
        if (count_ < kInterruptsToQuit) return cancel_();
        std::fputs("\ntrefoil: the query does not stop; leaving\n", stderr);
        std::_Exit(kExitInterrupted);
    }
    if (interactive_) return wake(kInterrupt);
    // Nobody is there to hear it: end as a program without a handler would.
    std::signal(SIGINT, SIG_DFL);
    pthread_sigmask(SIG_UNBLOCK, &watched_, nullptr);
    std::raise(SIGINT);
}

void Interrupts::wake(char event) {
    // A full pipe holds plenty of events already.
    if (interactive_ && write(pipe_[1], &event, 1) < 0) return;
}

Interrupts::Query::Query(Interrupts& interrupts, std::function<void()> cancel)
    : interrupts_(interrupts) {
    const std::lock_guard lock(interrupts_.mutex_);
    interrupts_.cancel_ = std::move(cancel);
    interrupts_.count_ = 0;
}

Interrupts::Query::~Query() {
    const std::lock_guard lock(interrupts_.mutex_);
    interrupts_.cancel_ = nullptr;
}

bool Interrupts::Query::interrupted() const {
    const std::lock_guard lock(interrupts_.mutex_);
    return interrupts_.count_ > 0;
}

}  // namespace trefoil::shell
