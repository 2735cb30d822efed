// TableStore: all tables of one database, and the pipeline by which they change.
//
//     begin()   the newest published Version, as the snapshot of a Transaction
//     commit()  validate, apply to a copy of the newest Version, log, publish
//     flush     in the background: the delta becomes segments, small or holey segments are
//               rewritten, files that nobody needs any more are removed
//
// Commits that arrive together form a group: the first thread leads, applies every transaction of
// the group in turn, writes all their redo records in one transaction of the root (one sync),
// publishes one new Version and wakes the others. A commit is acknowledged after that sync, never
// before.
//
// A flush freezes the delta (later commits open new chunks), writes segments and key runs outside
// any lock, then in one transaction of the root names them in the manifest and drops the redo
// records they replace. Rows that were killed meanwhile are carried over as dead rows.
//
// At open the manifest is loaded and the redo records after the last flush are applied, by the same
// code that commits them. What is in the files and in the log is drawn in manifest_format.h.
//
// Threads: everything may be called by many at once.

#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/shared_pointer.h"
#include "storage/backup.h"
#include "storage/commit_log.h"
#include "storage/store.h"
#include "table/compute_columns.h"
#include "table/lock_manager.h"
#include "table/recent_changes.h"
#include "table/sequences.h"
#include "table/table_version.h"
#include "table/transaction.h"

namespace trefoil::table {

// The keys of rows that a transaction staged in files: one durable run for each index of a table,
// their row ids counted from the transaction's first private id.
using StagedKeys = ChunkKeys;

class IndexCatchUp;

struct TableStoreOptions {
    // A flush starts when the delta has this many rows or bytes; commits wait at twice as much.
    uint64_t flush_rows = 4 * kSegmentRows;
    uint64_t flush_bytes = 64 << 20;
    bool background_flush = true;
    // For indexes over expressions; without it they cannot be made.
    ComputeColumns compute = nullptr;
    // How long after a change the background thread looks for segments that are worth compacting.
    std::chrono::milliseconds compaction_delay{1000};
};

// What a flush does beside making segments of the delta.
struct FlushGoal {
    bool everything = false;        // rewrites all that holds a dead row, not only where it pays
    std::optional<uint32_t> table;  // `everything` is meant for this table alone
};

class TableStore {
public:
    // Loads the database that `store` holds. Errors: kCorruption, kIo, kUnsupported.
    static Result<std::unique_ptr<TableStore>> open(std::unique_ptr<Store> store,
                                                    const TableStoreOptions& options = {});
    ~TableStore();

    // The newest committed state. A read-only store looks for commits of the writing process first.
    Result<VersionPtr> current();
    Result<Transaction> begin(bool read_only = false);

    // Makes the changes durable and visible, all at once. The transaction is over either way.
    // Errors: 40001 conflict, 23505 duplicate key, 42P07 table exists, 25006 read-only, 53100 disk
    // full.
    Status commit(Transaction& txn);

    // Flushes everything now, and refreshes the backup copy of the root.
    Status checkpoint();
    // The same, and gives all space back that dead rows take in this table, or in all of them
    // (nullopt): rewrites every segment that has a dead row or is patched, and merges the runs.
    // Readers and writers go on; files go when the last snapshot that reads them does.
    Status vacuum(std::optional<uint32_t> table_id);
    // Writes what is committed as of now as a database of its own, while others go on writing, and
    // opens it to see that it is whole. Errors as write_backup (storage/backup.h).
    Result<BackupSize> backup(Vfs& to, const std::string& path);
    // Reads everything against its checksums.
    Status verify();

    // Changes TableStoreOptions::flush_bytes.
    void set_flush_bytes(uint64_t bytes);
    // Samples a table and keeps what it found, durably unless the table is not committed yet.
    // The background thread does so by itself when much has changed since the last time.
    Status analyse(const TableVersion& table);

    Store& store() { return *store_; }
    uint64_t delta_bytes() const;

    struct Counters {
        std::atomic<uint64_t> commits{0}, commit_groups{0}, flushes{0}, compacted_segments{0},
            analyses{0}, manifest_loads{0};  // by a reader beside the writer, after it was opened
    };
    const Counters& counters() const { return counters_; }
    const LockManager& locks() const { return *locks_; }
    Sequences& sequences() { return sequences_; }

private:
    friend class Transaction;
    friend class TableWriter;
    friend class CommitGroup;
    friend class Flush;
    friend class IndexCatchUp;
    friend class ColumnFill;

    // A thread that waits for its commit.
    struct CommitRequest {
        Transaction* txn;
        std::map<uint32_t, StagedKeys> staged;
        std::map<uint32_t, std::shared_ptr<IndexCatchUp>> catch_ups;  // of tables with new indexes
        Status result;
        bool done = false;
    };

    TableStore(std::unique_ptr<Store> store, const TableStoreOptions& options);
    Status load();
    Status refresh();
    // What of a commit needs no lock of the others: files of keys, and new indexes.
    Status prepare(CommitRequest& request, std::unique_lock<std::mutex>& flushing);
    Status write_staged(CommitRequest& request, uint32_t table_id);
    void run_group(std::vector<CommitRequest*>& group);
    void publish(VersionPtr version) { current_.store(std::move(version)); }
    void wait_for_room();
    void maintain();  // the background thread
    bool needs_flush() const;
    Status flush_once(const FlushGoal& goal);
    // After a commit: the background thread may have something to do.
    void note_change();
    // Files that the newest manifest does not name any more. They go once the backup copy of the
    // root does not name them either, and nobody reads them.
    void add_garbage(std::vector<std::shared_ptr<const DataFile>> files);
    bool has_garbage();
    Status remove_garbage();  // REQUIRES: flush_mutex_ is held
    Status analyse_changed();

    std::unique_ptr<Store> store_;
    Sequences sequences_;
    CommitLog log_;
    TableStoreOptions options_;
    Counters counters_;

    SharedPointer<const Version> current_;
    uint64_t checkpoint_xid_ = 0;         // redo records up to here are in segments
    uint64_t root_version_ = 0;           // of a reader: what current_ was loaded from
    std::atomic<uint64_t> flush_bytes_;   // see TableStoreOptions
    std::atomic<uint64_t> log_bytes_{0};  // of redo records since the last flush
    bool old_records_ = false;  // some were found at open that an altered table could not read

    // Held while the newest version is being replaced: by a group's leader, by a flush, by a
    // refresh.
    std::mutex tip_mutex_;
    RecentChanges recent_changes_;  // for conflicts
    // What the root holds of each segment's dead rows. Guarded by flush_mutex_.
    std::map<uint64_t, DeadRowsPtr> stored_dead_rows_;
    std::atomic<uint32_t> next_table_id_{1};
    std::atomic<uint64_t> next_part_id_{1};  // of segments and runs in the manifest

    std::mutex queue_mutex_;
    std::condition_variable queue_changed_;
    std::vector<CommitRequest*> queue_;
    bool leader_active_ = false;

    std::shared_ptr<ActiveTransactions> active_ = std::make_shared<ActiveTransactions>();
    std::shared_ptr<LockManager> locks_ = std::make_shared<LockManager>();

    std::mutex flush_mutex_;  // one flush at a time
    std::mutex maintain_mutex_;
    std::condition_variable maintain_wanted_, room_made_;
    bool closing_ = false;
    bool changed_ = false;  // something was committed since the last look for holey segments
    Status flush_error_;    // of the last background flush; guarded by maintain_mutex_
    std::mutex garbage_mutex_;
    std::vector<std::shared_ptr<const DataFile>> garbage_;
    std::thread maintainer_;
};

}  // namespace trefoil::table
