// Transaction: a snapshot, and the changes made to it.
//
//     Transaction txn = store.begin();
//     TableWriter writer(txn, table);
//     RETURN_IF_ERROR(writer.insert(batch));
//     RETURN_IF_ERROR(writer.finish());
//     return store.commit(txn);
//
// Changes are private until commit: view() is the snapshot with them applied, a Version like any
// other, so a transaction reads its own writes through the same code as everybody. A statement that
// fails must leave nothing: take a mark() before it and roll_back_to() it (a mark is a few
// pointers).
//
// Snapshot isolation, first writer wins: a row is locked before it is changed (lock_manager.h), and
// whoever gets the lock of a row that was changed since its snapshot is told so (40001). It may
// then roll back the statement, renew its snapshot and try again, keeping its locks; that is how
// single statements and READ COMMITTED go on. Commit checks once more. Uniqueness is checked by
// each statement against view(), and again at commit against what others committed meanwhile
// (23505).
//
// Threads: one at a time. Tested by table_store_test.cpp.

#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "index/key_run.h"
#include "storage/data_file.h"
#include "table/index_work.h"
#include "table/lock_manager.h"
#include "table/table_version.h"

namespace trefoil::table {

class TableStore;

// 42P07, or 42P06 for a schema.
Status already_exists(const catalog::TableDef& relation);
Status name_taken(const std::string& index);

// How a definition is altered, each more than the one before: who writes the table at the same time
// does not notice a change of its indexes and their hidden columns; others do not commit if they
// knew it otherwise; with kRows it is right only for the rows that the transaction sees.
enum class Alteration : uint8_t { kIndexes, kDefinition, kRows };

// What a transaction did to one table.
struct TableWrites {
    uint64_t private_ids = 0;      // handed out: kPrivateRowId + 0, 1, ...
    std::vector<uint64_t> killed;  // committed rows that were deleted or replaced, each once
    size_t private_floor = 0;      // parts of the view's delta from here on are this transaction's
    // Keys of the rows that were staged in files, one run per statement for each index; row ids
    // count from kPrivateRowId.
    std::vector<ChunkKeys> staged_keys;
};

// The rows that a statement changed in a table with foreign keys, or to which some refer.
struct TouchedRows {
    uint32_t table;
    std::vector<uint64_t> rows;  // deleted or replaced
    uint64_t first_new = 0, new_rows = 0;
};

// The snapshots that open transactions look at: what says which past changes may still matter to
// somebody. Shared by the store and its transactions, so that these may end in any order.
class ActiveTransactions {
public:
    // Of a snapshot that is about to be taken.
    uint64_t add();
    void set_snapshot(uint64_t registration, uint64_t xid);
    void remove(uint64_t registration);
    // The oldest snapshot; UINT64_MAX if there is none.
    uint64_t oldest() const;
    // How many snapshots are older than `xid`.
    size_t count_before(uint64_t xid) const;

private:
    mutable std::mutex mutex_;
    std::map<uint64_t, uint64_t> snapshots_;  // registration -> xid
    uint64_t next_ = 1;
};

// Files that a transaction has staged. Those that its commit did not name go with it.
class StagedFiles {
public:
    StagedFiles() = default;
    StagedFiles(StagedFiles&& other) noexcept { files_.swap(other.files_); }
    StagedFiles& operator=(StagedFiles&& other) noexcept {
        files_.swap(other.files_);
        return *this;
    }
    ~StagedFiles() {
        for (const auto& [id, file] : files_) file->discard();
    }
    void add(std::shared_ptr<const DataFile> file) { files_[file->name().id] = std::move(file); }
    void keep(const DataFile& file) { files_.erase(file.name().id); }
    void keep(const Chunk& chunk);  // the files of its segment, if it is in one

private:
    std::map<FileId, std::shared_ptr<const DataFile>> files_;
};

class Transaction {
public:
    Transaction(Transaction&&) noexcept = default;
    Transaction& operator=(Transaction&&) noexcept = default;
    ~Transaction();  // forgets the changes, unless committed

    // The snapshot with this transaction's changes. A new pointer after each change; the old one
    // stays valid for whoever reads it.
    const VersionPtr& view() const { return state_.view; }
    const VersionPtr& snapshot() const { return state_.snapshot; }
    bool has_changes() const { return !state_.writes.empty() || state_.changed_catalog; }
    bool read_only() const { return read_only_; }
    void set_read_only(bool read_only) { read_only_ = read_only; }

    // A table, or something else that has a name. Its id is assigned here. Errors: 42P07 if the
    // name is taken. At commit 40001 if what it depends on, or its schema, is gone.
    Status create_table(catalog::TableDef table);
    // Likewise. At commit 40001 if something depends on it by then. REQUIRES: it is in view().
    Status drop_table(uint32_t table_id);
    // A number for a counter of a sequence, see SequenceDef; nobody else has it.
    uint32_t new_counter() const;
    // Gives what has the id of `table` a new definition; its rows stay, and a column or an
    // index is the same if its id is. An index with id 0 is new and is built over the rows of
    // view(). With `rows_matter` (the change is right only for the rows that view() shows) commit
    // answers 40001 if others changed rows of the table meanwhile, otherwise only if others altered
    // it. Errors: 42P07 if the name is another's, 23505 (a unique index over duplicates), and those
    // of catalog::validate. REQUIRES: a table of that id is in view().
    Status alter_table(catalog::TableDef table, bool rows_matter);
    // The same where nothing is another but the indexes and the hidden columns that they have; what
    // a new one of these holds is computed. Errors also: those of its expression.
    Status alter_indexes(catalog::TableDef table);
    // What indexes are built with from now on.
    void set_index_work(const IndexWork& work) { index_work_ = work; }
    // The table without its rows. It is a new one of the same definition, under another id, so that
    // it takes no longer for a million rows than for one. REQUIRES: the table is in view().
    Status truncate_table(uint32_t table_id);

    // --- Locks, held until the end ---

    // A number of its own among the transactions of this process.
    uint64_t id() const { return registration_->locks.id(); }
    void set_patience(const LockPatience& patience) { patience_ = patience; }
    // REQUIRES: ids of committed rows of a table in view().
    // Errors: 40001 if one was changed by a commit that the snapshot does not show (the locks are
    // there all the same); 55P03, 40P01, 57014.
    Status lock_rows(const catalog::TableDef& table, std::span<const uint64_t> rows, LockMode mode);
    // False if somebody else has it. Errors: 40001.
    // The same, but whoever waits must look himself what became of the rows.
    Status wait_for_rows(const catalog::TableDef& table, std::span<const uint64_t> rows,
                         LockMode mode);
    Result<bool> try_lock_row(const catalog::TableDef& table, uint64_t row, LockMode mode);
    size_t lock_mark() const { return registration_->locks.mark(); }
    void release_locks_after(size_t mark) { registration_->locks.release_after(mark); }

    // --- Snapshots ---

    // For a serializable transaction: its commit fails (40001) if a table that it read was changed
    // since the snapshot by another. So what it did is what it would have done at once, at its
    // commit. kAllTables: it is not known which it read.
    static constexpr uint32_t kAllTables = UINT32_MAX;
    void note_read(uint32_t table) { reads_.insert(table); }

    // Moves to the newest snapshot, with the changes made so far on top of it. An older mark()
    // brings the older snapshot back. Errors: 40001 if what was changed is there no more, or if
    // both this transaction and others have changed what tables there are.
    Status renew_snapshot();

    struct State {
        VersionPtr snapshot;
        VersionPtr view;
        std::map<uint32_t, TableWrites> writes;
        std::set<uint32_t> created, dropped;
        std::map<uint32_t, Alteration> altered;
        bool changed_catalog = false;
        std::vector<TouchedRows> touched;  // since take_touched()
    };
    State mark() const { return state_; }
    void roll_back_to(State mark) { state_ = std::move(mark); }

    // What foreign keys have to do with what happened since the last call (references.h).
    std::vector<TouchedRows> take_touched() { return std::exchange(state_.touched, {}); }
    // The newest snapshot, for whoever must know what others committed. Errors: kCorruption.
    Result<VersionPtr> newest() const;

private:
    friend class TableStore;
    friend class TableWriter;
    friend class CommitGroup;
    friend class IndexCatchUp;
    // Ends an entry of ActiveTransactions, and releases the locks.
    struct Registration {
        std::shared_ptr<ActiveTransactions> active;
        std::shared_ptr<LockManager> lock_manager;
        uint64_t id;
        LockOwner locks;
        Registration(std::shared_ptr<ActiveTransactions> all, std::shared_ptr<LockManager> manager)
            : active(std::move(all)),
              lock_manager(std::move(manager)),
              id(active->add()),
              locks(*lock_manager) {}
        Registration(const Registration&) = delete;
        Registration& operator=(const Registration&) = delete;
        ~Registration() { active->remove(id); }
    };
    Transaction(TableStore& store, VersionPtr snapshot, bool read_only,
                std::unique_ptr<Registration> registration);
    Status check_writable() const;
    void add_table(catalog::TableDef table);
    // After the commit: what it named belongs to the tables now.
    void keep_named_files();
    Status check_unchanged(const catalog::TableDef& table, std::span<const uint64_t> rows) const;
    // One table's changes, moved from this transaction's view to `newest`.
    Status rebase(TableWrites& writes, const TableVersion& view, TableVersion& newest) const;
    // Replaces one table in the view.
    void set_table(std::shared_ptr<const TableVersion> table);
    Status alter(catalog::TableDef table, Alteration alteration);
    Status build_indexes(const catalog::TableDef& before, TableVersion& table);
    // The keys of rows that were staged in files, by the indexes of `table`, which was altered.
    static void alter_staged_keys(const catalog::TableDef& before, const TableVersion& table,
                                  TableWrites& writes);
    // If others have altered the indexes of a table that this transaction writes: turns its own
    // rows in `state` into such of the newest definition; nothing else of the view's table is left.
    // Errors: 40001 if more than the indexes was altered; kCorruption; those of the expression of a
    // new index.
    Status follow_definition(State& state, uint32_t table_id, const TableVersion& newest);

    TableStore* store_;
    bool read_only_;
    LockPatience patience_;
    IndexWork index_work_;
    State state_;
    StagedFiles staged_;
    std::set<uint32_t> reads_;  // not undone: whoever rolls back has seen them
    std::unique_ptr<Registration> registration_;
};

// 40001, for a transaction that changes what another has changed, or altered.
Status changed_meanwhile(const catalog::TableDef& table);
Status altered_by_another(const catalog::TableDef& table);

// One statement's changes to one table: all of them, or none.
// Batches arrive in any number; checks that need all rows happen in finish().
class TableWriter {
public:
    // REQUIRES: the table is in txn.view(), and nobody else writes through `txn` until finish().
    TableWriter(Transaction& txn, catalog::TablePtr table);
    ~TableWriter();

    // New rows, all columns in the table's order.
    // Errors: 23502 not null, 22001 too long; 53100 disk full (large inserts are staged in files).
    Status insert(const arrow::Batch& rows);
    // Both lock the rows first, which may wait. Errors besides: as Transaction::lock_rows.
    // New contents for live rows: ids (UInt64), then all columns. An id that comes twice counts
    // once. `applied` learns which places of `row_ids` counted, in rising order.
    Status update(const arrow::Array& row_ids, const std::vector<arrow::Array>& columns,
                  std::vector<uint32_t>* applied = nullptr);
    Status erase(const arrow::Array& row_ids, std::vector<uint32_t>* applied = nullptr);

    // What insert() and update() refuse of these rows: 23502 not null, 22001 too long.
    Status check_rows(const std::vector<arrow::Array>& columns, int64_t rows) const;

    const catalog::TableDef& table() const { return *table_; }
    // The key of a row in an index of the table, without what is included; nullopt if a part of it
    // is NULL.
    std::optional<index::Key> key_of(size_t index, const std::vector<arrow::Array>& columns,
                                     int64_t row) const;
    // The row that has this key of a unique index, among those that were there before the statement
    // and that it has not touched.
    Result<std::optional<uint64_t>> find(size_t index, const index::Key& key) const;
    // All columns of such rows.
    Result<std::vector<arrow::Array>> read(std::span<const uint64_t> row_ids) const;

    // Applies everything to the transaction. On an error (23505, ...) nothing is applied.
    // Answers how many rows were inserted, updated and deleted.
    Result<uint64_t> finish();

private:
    Status flush_pending(bool all);
    Status stage(std::vector<arrow::Array> columns, uint64_t rows);
    struct Killed {
        std::vector<uint64_t> ids;
        std::vector<Location> locations;
        std::vector<uint32_t> at;
    };
    Status kill_rows(const arrow::Array& row_ids, LockMode mode, Killed* killed);
    Status note_moved_keys(size_t index, const Killed& killed,
                           const std::vector<arrow::Array>& columns);

    Transaction& txn_;
    catalog::TablePtr table_;
    std::unique_ptr<TableVersion> next_;
    TableWrites writes_;
    std::vector<arrow::Batch> pending_;  // inserted rows that are not in a part yet
    uint64_t pending_rows_ = 0;
    std::vector<Part> added_;  // parts of this statement, keys not yet checked
    TouchedRows touched_;
    bool has_references_;
    uint64_t count_ = 0;
};

}  // namespace trefoil::table
