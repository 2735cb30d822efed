// MemoryPool: the memory that everything of a database shares, as seen by whoever needs some of it.
//
//     MemoryShare share(&pool, 64 << 20, 4 << 20);     // as much as is free, at least the latter
//     if (share.bytes() == 0) ... there is not enough ...
//
// Threads: everything may be called by many at once.

#pragma once

#include <algorithm>
#include <cstdint>

namespace trefoil {

class MemoryPool {
public:
    virtual ~MemoryPool() = default;
    // False if so much is not free; then nothing was taken.
    virtual bool take(uint64_t bytes) = 0;
    virtual void give_back(uint64_t bytes) = 0;
};

// A part of a pool, given back at the end.
class MemoryShare {
public:
    // `wanted`, or half of it, a quarter ..., but at least `least`. Without a pool, what is wanted.
    MemoryShare(MemoryPool* pool, uint64_t wanted, uint64_t least) : pool_(pool), bytes_(wanted) {
        while (pool_ && bytes_ > 0 && !pool_->take(bytes_)) {
            bytes_ = bytes_ > least ? std::max(bytes_ / 2, least) : 0;
        }
    }
    ~MemoryShare() {
        if (pool_ && bytes_ > 0) pool_->give_back(bytes_);
    }
    MemoryShare(const MemoryShare&) = delete;
    MemoryShare& operator=(const MemoryShare&) = delete;

    // 0 if there is not even the least.
    uint64_t bytes() const { return bytes_; }

private:
    MemoryPool* pool_;
    uint64_t bytes_;
};

}  // namespace trefoil
