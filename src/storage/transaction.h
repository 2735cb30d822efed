// Transactions on the root: a small ordered map from keys to values, in a handful of keyspaces, and
// the commit log (commit_log.h).
//
//     ASSIGN_OR_RETURN(WriteTransaction txn, store.begin_write());
//     RETURN_IF_ERROR(txn.put(Keyspace::kManifest, key, value));
//     return txn.commit();
//
// A WriteTransaction that is destroyed before commit() leaves the store as it found it. Every value
// is checked against its checksum at each read; damage is kCorruption naming keyspace and key.
//
// Keep both kinds short: a ReadTransaction pins everything that is written while it lives (for a
// snapshot that lasts, hold files, not transactions).
//
// Threads: many read transactions run at once and wait for nobody; there is one write transaction
// at a time. A ReadTransaction may move between threads, a WriteTransaction belongs to the thread
// that began it. Both must end before the Store does. Tested by transaction_test.cpp, over LMDB and
// in memory.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "storage/log_files.h"
#include "trefoil/status.h"

namespace trefoil {

class RootTransaction;
class Store;

// The numbers are stored (in checksums): append, never reorder.
enum class Keyspace : uint8_t {
    kMeta = 0,      // format, uuid, counters; keys "store.*" belong to the Store
    kCatalog = 1,   // what tables, columns and indexes there are
    kManifest = 2,  // which files there are, and what lies in them
    kLog = 3,       // redo records of commits, see commit_log.h
    kStats = 4,     // zone maps and other statistics
};
inline constexpr int kKeyspaces = 5;
std::string_view name_of(Keyspace keyspace);

// Keys k with from <= k, and k < to unless `to` is empty.
struct KeyRange {
    std::string from;
    std::string to;

    static KeyRange all() { return {}; }
    // Every key that begins with `prefix`.
    static KeyRange prefix(Bytes prefix);
};

// What a visitor wants next.
enum class Visit : uint8_t { kNext, kStop };
// The bytes are valid during the call only. An error ends the walk and is its answer.
using Visitor = std::function<Result<Visit>(Bytes key, Bytes value)>;

class ReadTransaction {
public:
    ReadTransaction(ReadTransaction&&) noexcept;
    ReadTransaction& operator=(ReadTransaction&&) noexcept;
    virtual ~ReadTransaction();

    // The value under `key`, or nothing.
    // The bytes live inside the store's memory map: they stay valid until the next change in this
    // transaction, and at the latest until it ends. Copy what must live longer.
    Result<std::optional<Bytes>> find(Keyspace keyspace, Bytes key) const;

    // The same, but a missing key is kNotFound.
    Result<Bytes> get(Keyspace keyspace, Bytes key) const;

    // Visits the keys of a range in ascending order. The visitor must not change the keyspace.
    Status for_each(Keyspace keyspace, const KeyRange& range, const Visitor& visitor) const;

    // The greatest key of a range and its value, or nothing. The value lives as long as those of
    // find().
    struct Entry {
        std::string key;
        Bytes value;
    };
    Result<std::optional<Entry>> last(Keyspace keyspace, const KeyRange& range) const;

    // The same without a look at the value, which may be long.
    Result<std::optional<std::string>> last_key(Keyspace keyspace, const KeyRange& range) const;

protected:
    friend class CommitLog;
    friend class Store;
    friend class StoreOpener;
    ReadTransaction(std::unique_ptr<RootTransaction> root, LogView log);
    std::unique_ptr<RootTransaction> root_;
    LogView log_;
};

// Reads of a write transaction see its own changes.
class WriteTransaction final : public ReadTransaction {
public:
    WriteTransaction(WriteTransaction&&) noexcept;
    WriteTransaction& operator=(WriteTransaction&&) noexcept;
    ~WriteTransaction() override;

    // Stores `value` under `key`, replacing what was there. Keys have 1 to 511 bytes, values at
    // most 1 MiB (kInvalidInput otherwise: the caller splits). After another error nothing can be
    // committed.
    Status put(Keyspace keyspace, Bytes key, Bytes value);

    // Removes `key`. It is not an error if there is none.
    Status erase(Keyspace keyspace, Bytes key);

    // Removes every key of a range; the answer is how many there were.
    Result<uint64_t> erase_range(Keyspace keyspace, const KeyRange& range);

    // Makes every change durable and visible, all at once. The transaction is over either way.
    // An error here stops the store (Store::stopped()): what failed is not visible, reads go on,
    // and every later begin_write() is refused with the reason.
    Status commit();

private:
    friend class CommitLog;
    friend class Store;
    // Records for the log, which commit() puts into a file or into the root.
    struct NewRecords {
        uint64_t first_xid = 0;
        std::vector<Bytes> records;
    };
    WriteTransaction(Store& store, std::unique_ptr<RootTransaction> root, LogView log);
    struct EndTurn {
        void operator()(Store* store) const;
    };
    void end();
    void note_change(Keyspace keyspace);
    // Writes what log_ says into the root, as the files of the log from now on.
    Status put_log_files();
    std::unique_ptr<Store, EndTurn> store_;  // null once it is over
    Status failed_;                          // the first put or erase that broke the transaction
    bool in_root_ = false;                   // something was changed in the root
    bool beyond_log_ = false;                // something outside of Keyspace::kLog was
    bool log_changed_ = false;               // log_ is not what the root had
    NewRecords new_records_;
};

}  // namespace trefoil
