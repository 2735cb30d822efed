// Locks of rows: which go together, who waits for whom and in which order, deadlocks, claims; and
// what is remembered of recent changes. Owners wait on threads of their own; list() tells a test
// that one does.

#include "table/lock_manager.h"

#include <doctest/doctest.h>

#include <chrono>
#include <numeric>
#include <optional>
#include <thread>

#include "table/recent_changes.h"

using namespace trefoil;
using namespace trefoil::table;

namespace {

constexpr uint32_t kTable = 7;

std::vector<uint64_t> range(uint64_t first, uint64_t count) {
    std::vector<uint64_t> rows(count);
    std::iota(rows.begin(), rows.end(), first);
    return rows;
}

Status lock(LockOwner& owner, std::vector<uint64_t> rows, LockMode mode = LockMode::kUpdate,
            LockPatience patience = {.timeout_ms = 10'000}) {
    return owner.lock(kTable, rows, mode, patience);
}

Status lock_now(LockOwner& owner, std::vector<uint64_t> rows, LockMode mode = LockMode::kUpdate) {
    return lock(owner, std::move(rows), mode, {.nowait = true});
}

// Until `owner`s wait for something: the number of those that do.
void await_waiters(const LockManager& locks, size_t wanted) {
    for (int i = 0; i < 10'000; i++) {
        size_t waiting = 0;
        for (const auto& held : locks.list()) waiting += !held.granted;
        if (waiting == wanted) return;
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    FAIL("nobody came to wait");
}

}  // namespace

TEST_CASE("lock modes go together as in PostgreSQL") {
    using enum LockMode;
    const std::vector<LockMode> modes = {kKeyShare, kShare, kNoKeyUpdate, kUpdate};
    const bool together[4][4] = {{true, true, true, false},
                                 {true, true, false, false},
                                 {true, false, false, false},
                                 {false, false, false, false}};
    for (size_t a = 0; a < 4; a++) {
        for (size_t b = 0; b < 4; b++) {
            LockManager locks;
            LockOwner ann(locks), bob(locks);
            REQUIRE(lock(ann, {1}, modes[a]).ok());
            CHECK(lock_now(bob, {1}, modes[b]).ok() == together[a][b]);
            CHECK(bob.try_lock(kTable, 1, modes[b]) == together[a][b]);
            CHECK(bob.try_lock(kTable, 2, modes[b]));
        }
    }
}

TEST_CASE("a lock is held until its owner ends, and an owner never waits for itself") {
    LockManager locks;
    LockOwner bob(locks);
    {
        LockOwner ann(locks);
        REQUIRE(lock(ann, {1, 2}, LockMode::kShare).ok());
        REQUIRE(lock(ann, {1}, LockMode::kUpdate).ok());
        REQUIRE(lock(ann, {1}, LockMode::kKeyShare).ok());
        CHECK(lock_now(bob, {1}, LockMode::kKeyShare).sqlstate() == "55P03");
        CHECK(lock_now(bob, {2}, LockMode::kShare).ok());
    }
    CHECK(lock_now(bob, {1, 2}).ok());
}

TEST_CASE("many rows are locked as one claim, which others meet row by row") {
    LockManager locks;
    LockOwner bob(locks), cid(locks);
    {
        LockOwner ann(locks);
        REQUIRE(lock(ann, range(0, 100'000)).ok());
        CHECK(locks.list().size() == 1);
        REQUIRE(lock(ann, {5}).ok());
        CHECK(locks.list().size() == 1);
        CHECK(lock_now(bob, {100'000}).ok());
        CHECK(lock_now(bob, {99'999}).sqlstate() == "55P03");
        CHECK(lock_now(bob, range(99'000, 2000)).sqlstate() == "55P03");
        CHECK_FALSE(cid.try_lock(kTable, 0, LockMode::kKeyShare));
    }
    CHECK(lock_now(bob, range(0, 1000)).ok());
    CHECK(lock_now(cid, range(1000, 1000)).ok());
    CHECK(lock_now(cid, range(999, 100)).sqlstate() == "55P03");
}

TEST_CASE("a claim does not pass over rows that others hold or wait for") {
    LockManager locks;
    LockOwner ann(locks), bob(locks);
    REQUIRE(lock(ann, {500}).ok());
    CHECK(lock_now(bob, range(0, 1000)).sqlstate() == "55P03");
    bob.release_after(0);  // those that it got
    CHECK(lock_now(bob, range(501, 1000)).ok());
    // Listed, not dense.
    std::vector<uint64_t> even;
    for (uint64_t i = 0; i < 1000; i += 2) even.push_back(i);
    LockOwner cid(locks);
    even.erase(even.begin() + 250, even.end());
    CHECK(lock_now(cid, even).ok());
    CHECK(lock_now(ann, {7}).ok());
    CHECK_FALSE(lock_now(ann, {8}).ok());
}

TEST_CASE("those that wait are served in order, each when the one before it ends") {
    LockManager locks;
    auto first = std::make_optional<LockOwner>(locks);
    REQUIRE(lock(*first, {1}).ok());
    std::vector<int> order;  // only whoever holds the row writes it
    std::vector<std::thread> threads;
    for (int i = 0; i < 20; i++) {
        threads.emplace_back([&, i] {
            LockOwner mine(locks);
            REQUIRE(lock(mine, {1}).ok());
            order.push_back(i);
        });
        await_waiters(locks, static_cast<size_t>(i) + 1);
    }
    first.reset();
    for (std::thread& t : threads) t.join();
    std::vector<int> expected(20);
    std::iota(expected.begin(), expected.end(), 0);
    CHECK(order == expected);
    CHECK(locks.list().empty());
}

TEST_CASE("a waiter behind a claim gets its row when the claim ends") {
    LockManager locks;
    auto ann = std::make_optional<LockOwner>(locks);
    REQUIRE(lock(*ann, range(0, 1000)).ok());
    std::thread waiter([&] {
        LockOwner bob(locks);
        CHECK(lock(bob, {17}).ok());
        CHECK(lock(bob, range(0, 1000)).ok());
    });
    await_waiters(locks, 1);
    ann.reset();
    waiter.join();
    CHECK(locks.list().empty());
}

TEST_CASE("a deadlock is found when it would close, and told in words") {
    LockManager locks;
    auto ann = std::make_optional<LockOwner>(locks);
    LockOwner bob(locks);
    REQUIRE(lock(*ann, {1}).ok());
    REQUIRE(lock(bob, {2}).ok());
    std::thread waiter([&] { CHECK(lock(bob, {1}).ok()); });
    await_waiters(locks, 1);
    Status deadlock = lock(*ann, {2});
    CHECK(deadlock.sqlstate() == "40P01");
    CHECK(deadlock.detail() ==
          "Transaction 1 waits for transaction 2. Transaction 2 waits for transaction 1.");
    CHECK(locks.counters().deadlocks == 1);
    ann.reset();
    waiter.join();
}

TEST_CASE("two that share a row and both want to change it are a deadlock; one may go on") {
    LockManager locks;
    LockOwner ann(locks);
    auto bob = std::make_optional<LockOwner>(locks);
    REQUIRE(lock(ann, {1}, LockMode::kShare).ok());
    REQUIRE(lock(*bob, {1}, LockMode::kShare).ok());
    std::thread waiter([&] { CHECK(lock(ann, {1}).ok()); });
    await_waiters(locks, 1);
    CHECK(lock(*bob, {1}).sqlstate() == "40P01");
    bob.reset();
    waiter.join();
}

TEST_CASE("a deadlock of three, one of them waiting in line only") {
    LockManager locks;
    auto ann = std::make_optional<LockOwner>(locks);
    LockOwner bob(locks), cid(locks);
    REQUIRE(lock(*ann, range(0, 100)).ok());  // a claim
    REQUIRE(lock(cid, {200}).ok());
    std::thread first([&] {
        CHECK(lock(bob, {1}).ok());
        bob.release_after(0);
    });
    await_waiters(locks, 1);
    std::thread second([&] {
        // Behind bob in line.
        CHECK(lock(cid, {1}, LockMode::kShare).ok());
    });
    await_waiters(locks, 2);
    CHECK(lock(*ann, {200}).sqlstate() == "40P01");
    ann.reset();
    first.join();
    second.join();
}

TEST_CASE("patience ends: NOWAIT, a timeout, a cancelled statement") {
    LockManager locks;
    LockOwner ann(locks), bob(locks);
    REQUIRE(lock(ann, {1}).ok());
    CHECK(lock(bob, {1}, LockMode::kShare, {.nowait = true}).sqlstate() == "55P03");
    CHECK(lock(bob, {1}, LockMode::kShare, {.timeout_ms = 20}).sqlstate() == "55P03");
    const std::atomic<bool> cancel{true};
    CHECK(lock(bob, {1}, LockMode::kShare, {.cancel = &cancel}).sqlstate() == "57014");
    CHECK(locks.list().size() == 1);
}

TEST_CASE("what was locked after a mark is let go, also a stronger mode, and claims") {
    LockManager locks;
    LockOwner ann(locks), bob(locks);
    REQUIRE(lock(ann, {1}, LockMode::kKeyShare).ok());
    REQUIRE(lock(ann, range(100, 100)).ok());
    const size_t mark = ann.mark();
    REQUIRE(lock(ann, {1}, LockMode::kUpdate).ok());
    REQUIRE(lock(ann, {2}).ok());
    REQUIRE(lock(ann, range(200, 100)).ok());
    CHECK_FALSE(lock_now(bob, {150}).ok());  // taken out of the first claim, after the mark
    CHECK_FALSE(lock_now(bob, {250}).ok());
    ann.release_after(mark);
    CHECK(lock_now(bob, {2, 250}).ok());
    CHECK(lock_now(bob, {1}, LockMode::kNoKeyUpdate).ok());
    CHECK_FALSE(lock_now(bob, {1}).ok());
    CHECK_FALSE(lock_now(bob, {150}).ok());
}

TEST_CASE("recent changes are found, few or many, and forgotten when nobody needs them") {
    RecentChanges changes;
    changes.add(kTable, std::vector<uint64_t>{1, 2}, 10);
    changes.add(kTable, range(1000, 5000), 11);
    changes.add(kTable, std::vector<uint64_t>{2}, 12);
    auto find = [&](uint64_t row, uint64_t since) {
        return changes.find(kTable, std::vector<uint64_t>{0, row}, since).has_value();
    };
    CHECK(find(1, 9));
    CHECK_FALSE(find(1, 10));
    CHECK(find(2, 11));
    CHECK(find(5999, 10));
    CHECK_FALSE(find(5999, 11));
    CHECK_FALSE(find(6000, 0));
    CHECK_FALSE(changes.find(kTable + 1, std::vector<uint64_t>{1}, 0));
    for (uint64_t i = 0; i < 200; i++) changes.add(kTable, range(10'000 + i * 900, 900), 13 + i);
    changes.forget(100);
    CHECK_FALSE(find(1, 0));
    CHECK(find(10'000 + 150 * 900, 100));
}
