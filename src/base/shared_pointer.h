// SharedPointer: a shared_ptr that one thread replaces while others read it.
//
// std::atomic<std::shared_ptr> would be this, but that of libstdc++ 12 gives its lock back with
// memory_order_relaxed after a load, so that the pointer may be read after another thread has
// replaced it; the thread sanitizer reports that race.

#pragma once

#include <memory>
#include <mutex>
#include <utility>

namespace trefoil {

template <typename T>
class SharedPointer {
public:
    std::shared_ptr<T> load() const {
        std::lock_guard lock(mutex_);
        return value_;
    }
    void store(std::shared_ptr<T> value) {
        std::lock_guard lock(mutex_);
        value_.swap(value);  // the old value goes after the lock
    }

private:
    mutable std::mutex mutex_;
    std::shared_ptr<T> value_;
};

}  // namespace trefoil
