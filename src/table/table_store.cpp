// TableStore: opening, refreshing, and the thread that flushes.

#include "table/table_store.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/check.h"
#include "table/analysis.h"
#include "table/flush.h"
#include "table/manifest.h"
#include "table/manifest_format.h"
#include "table/recovery.h"

namespace trefoil::table {

TableStore::TableStore(std::unique_ptr<Store> store, const TableStoreOptions& options)
    : store_(std::move(store)),
      sequences_(*store_),
      options_(options),
      flush_bytes_(options.flush_bytes) {}

Result<std::unique_ptr<TableStore>> TableStore::open(std::unique_ptr<Store> store,
                                                     const TableStoreOptions& options) {
    std::unique_ptr<TableStore> tables(new TableStore(std::move(store), options));
    RETURN_IF_ERROR(tables->load());
    if (tables->old_records_ && !tables->store_->read_only()) {
        RETURN_IF_ERROR(tables->flush_once({}));
    }
    if (!tables->store_->read_only() && options.background_flush) {
        tables->maintainer_ = std::thread([raw = tables.get()] { raw->maintain(); });
    }
    return tables;
}

TableStore::~TableStore() {
    {
        std::lock_guard lock(maintain_mutex_);
        closing_ = true;
    }
    maintain_wanted_.notify_all();
    room_made_.notify_all();
    if (maintainer_.joinable()) maintainer_.join();
}

Status TableStore::load() {
    std::lock_guard tip(tip_mutex_);
    ASSIGN_OR_RETURN(Recovered state, recover(*store_, log_));
    checkpoint_xid_ = state.checkpoint_xid;
    root_version_ = state.root_version;
    next_table_id_ = state.next_table_id;
    next_part_id_ = state.part_id_max + 1;
    for (const auto& [id, dead] : state.stored_dead_rows) stored_dead_rows_[id] = dead;
    publish(std::move(state.version));
    old_records_ = state.old_records;
    if (store_->read_only()) return {};
    RETURN_IF_ERROR(store_->sweep_orphans(state.files).status());
    return sequences_.sweep(*current_.load()->catalog);
}

// A reader beside the writing process: takes over what was committed since.
Status TableStore::refresh() {
    constexpr int kAttemptsMax = 10;
    std::lock_guard tip(tip_mutex_);
    for (int attempt = 1;; attempt++) {
        const uint64_t before = root_version_;
        auto newer = catch_up(*store_, log_, current_.load(), &root_version_);
        counters_.manifest_loads += root_version_ != before;
        // The writer may rewrite a file between our look at the manifest and our opening it.
        if (newer.status().sqlstate() == "58P01" && attempt < kAttemptsMax) continue;
        RETURN_IF_ERROR(newer.status());
        if (*newer) publish(std::move(*newer));
        return {};
    }
}

Result<VersionPtr> TableStore::current() {
    if (store_->read_only()) RETURN_IF_ERROR(refresh());
    return current_.load();
}

Result<Transaction> TableStore::begin(bool read_only) {
    // Registered before the snapshot is taken, so that no change it might conflict with is
    // forgotten.
    auto registration = std::make_unique<Transaction::Registration>(active_, locks_);
    ASSIGN_OR_RETURN(VersionPtr version, current());
    active_->set_snapshot(registration->id, version->xid);
    return Transaction(*this, std::move(version), read_only, std::move(registration));
}

uint64_t TableStore::delta_bytes() const {
    uint64_t n = 0;
    for (const auto& [id, table] : current_.load()->tables) n += table->delta_bytes();
    return n;
}

// --- Flushing
// -----------------------------------------------------------------------------------------

namespace {

bool exceeds(const Version& version, uint64_t rows_max, uint64_t bytes_max) {
    uint64_t rows = 0, bytes = 0;
    for (const auto& [id, table] : version.tables) {
        rows += table->delta_rows();
        bytes += table->delta_bytes();
    }
    return rows >= rows_max || bytes >= bytes_max;
}

}  // namespace

Status TableStore::flush_once(const FlushGoal& goal) {
    std::lock_guard flushing(flush_mutex_);
    RETURN_IF_ERROR(store_->stopped());
    {
        Flush flush(*this, goal);
        RETURN_IF_ERROR(flush.freeze());
        RETURN_IF_ERROR(flush.build());
        RETURN_IF_ERROR(flush.publish());
    }
    return remove_garbage();
}

Status TableStore::checkpoint() {
    if (store_->read_only()) return Status::read_only("the database is open read-only");
    return flush_once({});
}

Status TableStore::vacuum(std::optional<uint32_t> table_id) {
    if (store_->read_only()) return Status::read_only("the database is open read-only");
    return flush_once({.everything = true, .table = table_id});
}

void TableStore::set_flush_bytes(uint64_t bytes) {
    flush_bytes_ = bytes;
    note_change();
}

bool TableStore::needs_flush() const {
    return log_bytes_ >= flush_bytes_ ||
           exceeds(*current_.load(), options_.flush_rows, flush_bytes_);
}

// Flushes at once when the delta or the log is large. A moment after a change it looks whether a
// compaction pays, or files are left over; doing so at each change would cost more than it gives.
void TableStore::maintain() {
    std::unique_lock lock(maintain_mutex_);
    auto urgent = [&] { return closing_ || (flush_error_.ok() && needs_flush()); };
    while (!closing_) {
        maintain_wanted_.wait(lock, [&] { return changed_ || urgent(); });
        maintain_wanted_.wait_for(lock, options_.compaction_delay, urgent);
        if (closing_) return;
        changed_ = false;
        lock.unlock();
        Status done;
        if (needs_flush() || Flush::pays(*current_.load())) {
            done = flush_once({});
        } else if (has_garbage()) {
            std::lock_guard flushing(flush_mutex_);
            done = remove_garbage();
        }
        if (done.ok()) done = analyse_changed();
        lock.lock();
        flush_error_ = done;
        room_made_.notify_all();
    }
}

// --- Files that are left over
// -----------------------------------------------------------------------------------------

void TableStore::add_garbage(std::vector<std::shared_ptr<const DataFile>> files) {
    std::lock_guard lock(garbage_mutex_);
    for (auto& file : files) garbage_.push_back(std::move(file));
}

bool TableStore::has_garbage() {
    std::lock_guard lock(garbage_mutex_);
    return !garbage_.empty();
}

// The copy of the root is refreshed first: it is to name only files that are there.
Status TableStore::remove_garbage() {
    std::vector<std::shared_ptr<const DataFile>> files;
    {
        std::lock_guard lock(garbage_mutex_);
        files.swap(garbage_);
    }
    Status copied = store_->backup_root();
    if (!copied.ok()) {
        add_garbage(std::move(files));
        return copied;
    }
    for (const auto& file : files) file->discard();
    return {};
}

void TableStore::note_change() {
    std::lock_guard lock(maintain_mutex_);
    if (std::exchange(changed_, true) && !needs_flush()) return;
    maintain_wanted_.notify_one();
}

// --- Statistics
// ----------------------------------------------------------------------------------------

Status TableStore::analyse(const TableVersion& table) {
    if (store_->read_only()) return Status::read_only("the database is open read-only");
    ASSIGN_OR_RETURN(Analysis found, table::analyse(table));
    auto analysis = std::make_shared<const Analysis>(std::move(found));
    counters_.analyses++;
    ASSIGN_OR_RETURN(WriteTransaction root, store_->begin_write());
    if (current_.load()->tables.contains(table.def().id)) {
        RETURN_IF_ERROR(put_analysis(root, table.def(), *analysis));
        RETURN_IF_ERROR(root.commit());
    }
    table.statistics_cache().set_analysis(std::move(analysis));
    return {};
}

Status TableStore::analyse_changed() {
    const VersionPtr version = current_.load();
    for (const auto& [id, table] : version->tables) {
        if (wants_analysis(*table)) RETURN_IF_ERROR(analyse(*table));
    }
    return {};
}

// Keeps the delta bounded: a commit waits while a flush is badly behind.
void TableStore::wait_for_room() {
    if (!maintainer_.joinable()) {
        if (needs_flush()) (void)flush_once({});
        return;
    }
    std::unique_lock lock(maintain_mutex_);
    if (!flush_error_.ok()) {
        // The last flush failed, a full disk perhaps: the next commit tries again.
        flush_error_ = Status();
        maintain_wanted_.notify_one();
    }
    room_made_.wait(lock, [&] {
        if (closing_ || !flush_error_.ok()) return true;
        if (!exceeds(*current_.load(), 2 * options_.flush_rows, 2 * flush_bytes_)) return true;
        maintain_wanted_.notify_one();
        return false;
    });
}

Status TableStore::verify() {
    RETURN_IF_ERROR(store_->verify_root());
    ASSIGN_OR_RETURN(VersionPtr version, current());
    for (const auto& [id, table] : version->tables) {
        for (const auto& file : table->files()) RETURN_IF_ERROR(file->verify_all());
    }
    return {};
}

}  // namespace trefoil::table
