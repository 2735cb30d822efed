// LockManager: which transaction may change which row, until it ends.
//
// A transaction locks a row before it changes it, or reads it FOR UPDATE; another that wants a lock
// that does not go with it waits in line, first come first served, until the holder ends. Locks are
// in memory, belong to transactions (LockOwner) and never to threads, and say nothing about what is
// in the row: whether it was changed meanwhile is asked of RecentChanges after the lock is there.
//
//     table ─┬─ rows     row id -> who holds it and how, who waits        a few rows: one entry
//     each
//            └─ claims   a list of row ids held by one owner              a bulk change: one a
//            batch
//
// Locking nothing that others want costs a hash entry a row, or for kClaimRows and more at once one
// search among the rows that others hold and a sorted list. Whoever finds a row in another's claim
// takes it out into an entry of its own and waits there.
//
// Deadlocks are found when somebody is about to wait: it looks whether those it would wait for
// wait, directly or not, for it. If so it is refused (40P01), which breaks the circle.
//
// Threads: one mutex, held briefly; an owner is used by one thread at a time.
// Tested by lock_manager_test.cpp.

#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "table/row_ids.h"
#include "trefoil/status.h"

namespace trefoil::table {

// As PostgreSQL's row locks. Two go together if their numbers add up to less than five:
//
//                    key share   share   no key update   update
//     key share          yes      yes         yes          no
//     share              yes      yes         no           no
//     no key update      yes      no          no           no
//     update             no       no          no           no
enum class LockMode : uint8_t {
    kKeyShare = 1,     // the row keeps its key: a row that refers to it is being inserted
    kShare = 2,        // SELECT FOR SHARE
    kNoKeyUpdate = 3,  // UPDATE that leaves the keys as they are
    kUpdate = 4,       // DELETE, UPDATE of a key, SELECT FOR UPDATE
};
std::string_view lock_mode_name(LockMode mode);  // "FOR NO KEY UPDATE"

// How long a transaction waits for a lock.
struct LockPatience {
    uint64_t timeout_ms = 0;                    // 55P03 after this; 0: for ever
    bool nowait = false;                        // 55P03 at once
    const std::atomic<bool>* cancel = nullptr;  // 57014 when it is set
};

class LockManager;

// The locks of one transaction. Released when it is destroyed. Must not outlive the manager.
class LockOwner {
public:
    explicit LockOwner(LockManager& manager);
    ~LockOwner();
    LockOwner(const LockOwner&) = delete;
    LockOwner& operator=(const LockOwner&) = delete;

    uint64_t id() const { return id_; }

    // Locks all of the rows. On an error some of them may be locked.
    // Errors: 55P03 (NOWAIT, or lock_timeout), 40P01 deadlock, 57014.
    Status lock(uint32_t table, std::span<const uint64_t> rows, LockMode mode,
                const LockPatience& patience);
    // Locks the row if that needs no waiting; says whether it did.
    bool try_lock(uint32_t table, uint64_t row, LockMode mode);

    // How much is held, for release_after(): what was locked since then is let go.
    size_t mark() const { return log_.size(); }
    void release_after(size_t mark);

private:
    friend class LockManager;
    // What was done, so that it can be undone.
    struct Entry {
        uint32_t table;
        uint64_t row;                    // of a row's lock ...
        std::optional<LockMode> before;  // ... and what was held of it before
        std::optional<uint64_t> claim;   // or the number of a claim
    };

    LockManager& manager_;
    const uint64_t id_;
    std::vector<Entry> log_;
    struct Waiter* waiting_ = nullptr;  // guarded by the manager's mutex, as is the next
    uint64_t visited_ = 0;              // by which search for a deadlock
};

// One that waits for a row.
struct Waiter {
    LockOwner* owner;
    uint32_t table;
    uint64_t row;
    LockMode mode;
    bool granted = false;
    std::condition_variable changed;
};

class LockManager {
public:
    LockManager() = default;
    LockManager(const LockManager&) = delete;
    LockManager& operator=(const LockManager&) = delete;

    struct Held {
        uint32_t table;
        std::optional<uint64_t> row;  // nullopt: several rows
        uint64_t rows;
        uint64_t owner;
        LockMode mode;
        bool granted;
    };
    // All locks and all waiters of this moment.
    std::vector<Held> list() const;

    struct Counters {
        std::atomic<uint64_t> waits{0}, deadlocks{0}, timeouts{0};
    };
    const Counters& counters() const { return counters_; }

    static constexpr size_t kClaimRows = 64;

private:
    friend class LockOwner;
    struct Holder {
        LockOwner* owner;
        LockMode mode;
        uint64_t claim = 0;  // the number of the claim that says so; 0: it was locked by itself
    };
    struct RowLock {
        std::vector<Holder> holders;
        std::vector<Waiter*> waiters;  // in order of arrival; owners that want more come first
    };
    struct Claim {
        uint64_t number;
        LockOwner* owner;
        LockMode mode;
        RowIds rows;
        std::vector<uint64_t> taken_out;  // rows of it that have an entry of their own
    };
    struct TableLocks {
        std::unordered_map<uint64_t, RowLock> rows;
        std::list<Claim> claims;
    };

    Status lock(LockOwner& owner, uint32_t table, std::span<const uint64_t> rows, LockMode mode,
                const LockPatience& patience);
    bool try_lock(LockOwner& owner, uint32_t table, uint64_t row, LockMode mode);
    void release_after(LockOwner& owner, size_t mark);
    void release_row(const LockOwner::Entry& entry, LockOwner& owner);
    void release_claim(uint32_t table, uint64_t number);

    bool claim(LockOwner& owner, uint32_t table, std::span<const uint64_t> rows, LockMode mode);
    bool try_row(LockOwner& owner, uint32_t table, uint64_t row, LockMode mode);
    Status wait(std::unique_lock<std::mutex>& guard, LockOwner& owner, uint32_t table, uint64_t row,
                LockMode mode, const LockPatience& patience);
    void take_out(TableLocks& locks, uint64_t row, const LockOwner& wanted_by, LockMode mode);
    void grant(LockOwner& owner, uint32_t table, uint64_t row, RowLock& lock, LockMode mode);
    void wake(uint32_t table, uint64_t row);
    std::optional<std::string> find_circle(LockOwner& start);

    mutable std::mutex mutex_;
    std::unordered_map<uint32_t, TableLocks> tables_;
    uint64_t next_claim_ = 1;
    uint64_t searches_ = 0;
    std::atomic<uint64_t> next_owner_{1};
    Counters counters_;
};

}  // namespace trefoil::table
