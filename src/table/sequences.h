// Sequences: where each sequence stands.
//
// Numbers are given once and never again, whatever becomes of the transaction that asked; so a
// sequence's place is no part of any snapshot. It is reserved ahead, in the root, for a good many
// numbers at a time: what is given lies below what is written, and a crash loses numbers, but
// repeats none. When the database is closed the exact places are written, and none is lost.
//
// A place belongs to a counter (catalog::SequenceDef::counter), which is the sequence's as long as
// it is not restarted. Counters of which nothing is stored are at their beginning. The stored form
// is drawn in manifest_format.h.
//
// Threads: everything may be called by many at once. Tested by sequences_test.cpp.

#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>

#include "catalog/catalog.h"
#include "storage/store.h"

namespace trefoil::table {

class Sequences {
public:
    // `store` must outlive this.
    explicit Sequences(Store& store) : store_(store) {}
    ~Sequences();  // writes the exact places

    // The last number that was given; if none was, the one that will be.
    struct Place {
        int64_t value = 0;
        bool is_called = false;
        friend bool operator==(const Place&, const Place&) = default;
    };

    // Gives the next numbers. Errors: 2200H at the end of a sequence that does not begin again
    // (those before are given all the same), and what writing to the root may meet.
    // REQUIRES: `sequence` is one.
    Status next(const catalog::TableDef& sequence, std::span<int64_t> out);
    // Goes to a place, at once and durably. Errors: 22003 if it is out of bounds.
    Status set(const catalog::TableDef& sequence, const Place& place);
    // In a read-only store the newest that is reserved.
    Result<Place> place(const catalog::TableDef& sequence);

    // Forgets the stored places of counters that no sequence has. REQUIRES: no transaction is open.
    Status sweep(const catalog::Catalog& catalog);

private:
    struct Counter {
        std::mutex mutex;
        bool loaded = false;
        Place at;
        // How many numbers after `at` may be given without writing, if the sequence is still
        // defined as it was.
        int64_t reserved = 0;
        catalog::SequenceDef reserved_for;
    };
    using CounterPtr = std::shared_ptr<Counter>;

    CounterPtr counter(uint32_t id);
    Status load(const catalog::SequenceDef& sequence, Counter& counter);
    Status reserve(const catalog::SequenceDef& sequence, size_t wanted, Counter& counter);
    Result<std::optional<Place>> read(uint32_t id) const;
    Status write(uint32_t id, const Place& place);

    Store& store_;
    std::mutex mutex_;  // of the map
    std::map<uint32_t, CounterPtr> counters_;
};

}  // namespace trefoil::table
