// Root: an ordered map with transactions, as the Store needs it. Two of them: LmdbRoot on disk and
// MemoryRoot. They move bytes; headers and checksums are added above them (transaction.cpp), so
// both are tested by the same tests.

#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "storage/transaction.h"

namespace trefoil {

// Entries as they lie in the root: values with their header.
class RootCursor {
public:
    virtual ~RootCursor() = default;
    // To the first key >= `key`; false if there is none.
    virtual Result<bool> seek(Bytes key) = 0;
    // REQUIRES: the previous move answered true, and nothing was changed since.
    virtual Result<bool> next() = 0;
    // To the last key < `key`, or to the very last one if `key` is empty.
    virtual Result<bool> seek_before(Bytes key) = 0;
    // REQUIRES: the previous move answered true. Valid until the next change in the transaction, or
    // its end; in memory also until the next move.
    virtual Bytes key() const = 0;
    virtual Bytes value() const = 0;
};

class RootTransaction {
public:
    virtual ~RootTransaction() = default;  // aborts what was not committed
    virtual Result<std::optional<Bytes>> find(Keyspace keyspace, Bytes key) = 0;
    virtual Result<std::unique_ptr<RootCursor>> cursor(Keyspace keyspace) = 0;

    // REQUIRES of what follows: begun by begin_write().
    // Makes room for a value of `bytes` under `key`; the caller fills it before the next call.
    virtual Result<char*> reserve(Keyspace keyspace, Bytes key, size_t bytes) = 0;
    virtual Status erase(Keyspace keyspace, Bytes key) = 0;
    virtual Result<uint64_t> erase_range(Keyspace keyspace, const KeyRange& range) = 0;
    virtual Status commit() = 0;
};

class Root {
public:
    virtual ~Root() = default;
    virtual Result<std::unique_ptr<RootTransaction>> begin(bool write) = 0;
    // Writes a compacted copy into the existing, empty directory `path`.
    virtual Status copy_to(const std::string& path) = 0;
};

}  // namespace trefoil
