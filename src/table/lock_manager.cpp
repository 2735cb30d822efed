// LockManager: granting, waiting, and finding deadlocks.

#include "table/lock_manager.h"

#include <algorithm>
#include <chrono>

#include "base/check.h"

namespace trefoil::table {
namespace {

using Clock = std::chrono::steady_clock;

// How often somebody who waits looks whether it was cancelled.
constexpr auto kLookAround = std::chrono::milliseconds(50);

bool conflict(LockMode a, LockMode b) {
    return static_cast<int>(a) + static_cast<int>(b) >= 5;
}

Status not_available(std::string message) {
    return {Code::kConflict, "55P03", std::move(message)};
}

RowIds sorted(std::span<const uint64_t> rows) {
    std::vector<uint64_t> list(rows.begin(), rows.end());
    if (!std::is_sorted(list.begin(), list.end())) std::sort(list.begin(), list.end());
    list.erase(std::unique(list.begin(), list.end()), list.end());
    return RowIds::listed(std::move(list));
}

bool overlap(const RowIds& a, const RowIds& b) {
    if (a.first() > b.last() || b.first() > a.last()) return false;
    const RowIds& few = a.count() < b.count() ? a : b;
    const RowIds& many = a.count() < b.count() ? b : a;
    for (uint64_t i = few.lower_bound(many.first()); i < few.count(); i++) {
        if (few.at(i) > many.last()) return false;
        if (many.find(few.at(i))) return true;
    }
    return false;
}

}  // namespace

std::string_view lock_mode_name(LockMode mode) {
    switch (mode) {
        case LockMode::kKeyShare:
            return "FOR KEY SHARE";
        case LockMode::kShare:
            return "FOR SHARE";
        case LockMode::kNoKeyUpdate:
            return "FOR NO KEY UPDATE";
        case LockMode::kUpdate:
            return "FOR UPDATE";
    }
    return "";
}

// --- LockOwner ----------------------------------------------------------------------------------

LockOwner::LockOwner(LockManager& manager) : manager_(manager), id_(manager.next_owner_++) {}

LockOwner::~LockOwner() {
    release_after(0);
}

Status LockOwner::lock(uint32_t table, std::span<const uint64_t> rows, LockMode mode,
                       const LockPatience& patience) {
    return rows.empty() ? Status() : manager_.lock(*this, table, rows, mode, patience);
}

bool LockOwner::try_lock(uint32_t table, uint64_t row, LockMode mode) {
    return manager_.try_lock(*this, table, row, mode);
}

void LockOwner::release_after(size_t mark) {
    if (log_.size() > mark) manager_.release_after(*this, mark);
}

// --- Taking -------------------------------------------------------------------------------------

Status LockManager::lock(LockOwner& owner, uint32_t table, std::span<const uint64_t> rows,
                         LockMode mode, const LockPatience& patience) {
    std::unique_lock guard(mutex_);
    if (rows.size() >= kClaimRows && claim(owner, table, rows, mode)) return {};
    for (uint64_t row : rows) {
        if (try_row(owner, table, row, mode)) continue;
        RETURN_IF_ERROR(wait(guard, owner, table, row, mode, patience));
    }
    return {};
}

bool LockManager::try_lock(LockOwner& owner, uint32_t table, uint64_t row, LockMode mode) {
    std::lock_guard guard(mutex_);
    return try_row(owner, table, row, mode);
}

// All of the rows at once, if nobody else holds or wants one of them.
bool LockManager::claim(LockOwner& owner, uint32_t table, std::span<const uint64_t> rows,
                        LockMode mode) {
    TableLocks& locks = tables_[table];
    RowIds wanted = sorted(rows);
    for (const Claim& c : locks.claims) {
        if (c.owner != &owner && conflict(c.mode, mode) && overlap(c.rows, wanted)) return false;
    }
    auto is_free = [&](const RowLock& lock) {
        return lock.waiters.empty() &&
               std::all_of(lock.holders.begin(), lock.holders.end(), [&](const Holder& h) {
                   return h.owner == &owner || !conflict(h.mode, mode);
               });
    };
    if (locks.rows.size() < wanted.count()) {
        for (const auto& [row, lock] : locks.rows) {
            if (wanted.find(row) && !is_free(lock)) return false;
        }
    } else {
        for (uint64_t i = 0; i < wanted.count(); i++) {
            auto found = locks.rows.find(wanted.at(i));
            if (found != locks.rows.end() && !is_free(found->second)) return false;
        }
    }
    locks.claims.push_back({next_claim_, &owner, mode, std::move(wanted), {}});
    owner.log_.push_back({table, 0, std::nullopt, next_claim_++});
    return true;
}

// Puts what other owners' claims say about the row into an entry of its own.
void LockManager::take_out(TableLocks& locks, uint64_t row, const LockOwner& wanted_by,
                           LockMode mode) {
    for (Claim& c : locks.claims) {
        if (c.owner == &wanted_by || !conflict(c.mode, mode) || !c.rows.find(row)) continue;
        RowLock& lock = locks.rows[row];
        if (std::any_of(lock.holders.begin(), lock.holders.end(),
                        [&](const Holder& h) { return h.claim == c.number; })) {
            continue;
        }
        lock.holders.push_back({c.owner, c.mode, c.number});
        c.taken_out.push_back(row);
    }
}

bool LockManager::try_row(LockOwner& owner, uint32_t table, uint64_t row, LockMode mode) {
    TableLocks& locks = tables_[table];
    if (!locks.claims.empty()) {
        for (const Claim& c : locks.claims) {
            if (c.owner == &owner && c.mode >= mode && c.rows.find(row)) return true;
        }
        take_out(locks, row, owner, mode);
    }
    RowLock& lock = locks.rows[row];
    bool holds = false;
    for (const Holder& h : lock.holders) {
        if (h.owner == &owner) {
            if (h.mode >= mode) return true;
            holds = true;
        } else if (conflict(h.mode, mode)) {
            return false;
        }
    }
    if (!holds && std::any_of(lock.waiters.begin(), lock.waiters.end(),
                              [&](const Waiter* w) { return conflict(w->mode, mode); })) {
        return false;
    }
    grant(owner, table, row, lock, mode);
    return true;
}

void LockManager::grant(LockOwner& owner, uint32_t table, uint64_t row, RowLock& lock,
                        LockMode mode) {
    for (Holder& h : lock.holders) {
        if (h.owner != &owner || h.claim != 0) continue;
        owner.log_.push_back({table, row, h.mode, std::nullopt});
        h.mode = mode;
        return;
    }
    owner.log_.push_back({table, row, std::nullopt, std::nullopt});
    lock.holders.push_back({&owner, mode, 0});
}

// --- Waiting ------------------------------------------------------------------------------------

Status LockManager::wait(std::unique_lock<std::mutex>& guard, LockOwner& owner, uint32_t table,
                         uint64_t row, LockMode mode, const LockPatience& patience) {
    if (patience.nowait) return not_available("could not obtain lock on row");
    RowLock& lock = tables_[table].rows[row];
    Waiter waiter{&owner, table, row, mode, false, {}};
    const bool holds = std::any_of(lock.holders.begin(), lock.holders.end(),
                                   [&](const Holder& h) { return h.owner == &owner; });
    lock.waiters.insert(holds ? lock.waiters.begin() : lock.waiters.end(), &waiter);
    owner.waiting_ = &waiter;
    counters_.waits++;
    auto give_up = [&](Status status) {
        std::erase(lock.waiters, &waiter);
        owner.waiting_ = nullptr;
        wake(table, row);
        return status;
    };
    if (auto circle = find_circle(owner)) {
        counters_.deadlocks++;
        return give_up(Status(Code::kConflict, "40P01", "deadlock detected")
                           .with_detail(std::move(*circle))
                           .with_hint("Run the transaction again."));
    }
    const auto deadline = patience.timeout_ms > 0
                              ? Clock::now() + std::chrono::milliseconds(patience.timeout_ms)
                              : Clock::time_point::max();
    while (!waiter.granted) {
        waiter.changed.wait_until(guard, std::min(deadline, Clock::now() + kLookAround));
        if (waiter.granted) break;
        if (patience.cancel && patience.cancel->load()) {
            return give_up(Status(Code::kInvalidInput, "57014", "the statement was cancelled"));
        }
        if (Clock::now() >= deadline) {
            counters_.timeouts++;
            return give_up(not_available("canceling statement due to lock timeout"));
        }
    }
    return {};
}

// Gives the row to those in line who can have it, and forgets it if nobody is left.
void LockManager::wake(uint32_t table, uint64_t row) {
    TableLocks& locks = tables_[table];
    auto found = locks.rows.find(row);
    if (found == locks.rows.end()) return;
    RowLock& lock = found->second;
    while (!lock.waiters.empty()) {
        Waiter& first = *lock.waiters.front();
        const bool free =
            std::all_of(lock.holders.begin(), lock.holders.end(), [&](const Holder& h) {
                return h.owner == first.owner || !conflict(h.mode, first.mode);
            });
        if (!free) break;
        lock.waiters.erase(lock.waiters.begin());
        grant(*first.owner, table, row, lock, first.mode);
        first.granted = true;
        first.owner->waiting_ = nullptr;  // now, not when its thread wakes up
        first.changed.notify_one();
    }
    if (lock.holders.empty() && lock.waiters.empty()) locks.rows.erase(found);
}

// Whether `start`, which is about to wait, would wait for itself: the circle in words.
std::optional<std::string> LockManager::find_circle(LockOwner& start) {
    searches_++;
    std::vector<LockOwner*> path{&start};
    // Those that stand in the way of a waiter.
    auto blockers = [&](const Waiter& w) {
        std::vector<LockOwner*> found;
        const RowLock& lock = tables_[w.table].rows[w.row];
        for (const Holder& h : lock.holders) {
            if (h.owner != w.owner && conflict(h.mode, w.mode)) found.push_back(h.owner);
        }
        for (const Waiter* ahead : lock.waiters) {
            if (ahead == &w) break;
            if (conflict(ahead->mode, w.mode)) found.push_back(ahead->owner);
        }
        return found;
    };
    auto search = [&](auto& self, LockOwner& owner) -> bool {
        if (!owner.waiting_) return false;
        for (LockOwner* next : blockers(*owner.waiting_)) {
            if (next == &start) return true;
            if (std::exchange(next->visited_, searches_) == searches_) continue;
            path.push_back(next);
            if (self(self, *next)) return true;
            path.pop_back();
        }
        return false;
    };
    if (!search(search, start)) return std::nullopt;
    std::string text;
    for (size_t i = 0; i < path.size(); i++) {
        text += (i ? " Transaction " : "Transaction ") + std::to_string(path[i]->id()) +
                " waits for transaction " + std::to_string(path[(i + 1) % path.size()]->id()) + ".";
    }
    return text;
}

// --- Letting go ---------------------------------------------------------------------------------

void LockManager::release_after(LockOwner& owner, size_t mark) {
    std::lock_guard guard(mutex_);
    for (; owner.log_.size() > mark; owner.log_.pop_back()) {
        const LockOwner::Entry entry = owner.log_.back();
        if (entry.claim) {
            release_claim(entry.table, *entry.claim);
        } else {
            release_row(entry, owner);
        }
    }
}

void LockManager::release_row(const LockOwner::Entry& entry, LockOwner& owner) {
    RowLock& lock = tables_[entry.table].rows.at(entry.row);
    auto held = std::find_if(lock.holders.begin(), lock.holders.end(),
                             [&](const Holder& h) { return h.owner == &owner && h.claim == 0; });
    if (entry.before) {
        held->mode = *entry.before;
    } else {
        lock.holders.erase(held);
    }
    wake(entry.table, entry.row);
}

void LockManager::release_claim(uint32_t table, uint64_t number) {
    TableLocks& locks = tables_[table];
    auto claim = std::find_if(locks.claims.begin(), locks.claims.end(),
                              [&](const Claim& c) { return c.number == number; });
    const std::vector<uint64_t> taken_out = std::move(claim->taken_out);
    locks.claims.erase(claim);
    for (uint64_t row : taken_out) {
        std::erase_if(locks.rows.at(row).holders,
                      [&](const Holder& h) { return h.claim == number; });
        wake(table, row);
    }
}

std::vector<LockManager::Held> LockManager::list() const {
    std::lock_guard guard(mutex_);
    std::vector<Held> all;
    for (const auto& [table, locks] : tables_) {
        for (const Claim& c : locks.claims) {
            all.push_back({table, std::nullopt, c.rows.count(), c.owner->id(), c.mode, true});
        }
        for (const auto& [row, lock] : locks.rows) {
            for (const Holder& h : lock.holders) {
                all.push_back({table, row, 1, h.owner->id(), h.mode, true});
            }
            for (const Waiter* w : lock.waiters) {
                all.push_back({table, row, 1, w->owner->id(), w->mode, false});
            }
        }
    }
    return all;
}

}  // namespace trefoil::table
