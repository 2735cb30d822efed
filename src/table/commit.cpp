// Commit: a group of transactions becomes one new Version and one durable transaction of the root.

#include <algorithm>
#include <set>

#include "arrow/compute.h"
#include "base/check.h"
#include "storage/store_format.h"
#include "table/commit_group.h"
#include "table/index_catch_up.h"
#include "table/keyed_rows.h"
#include "table/manifest.h"
#include "table/manifest_format.h"
#include "table/segment.h"
#include "table/table_store.h"
#include "table/unique.h"

namespace trefoil::table {
namespace {

// Rows that a new index may still have to follow when it holds up flushes, and others' commits.
constexpr uint64_t kRowsBehindMax = 65536;
constexpr int kRoundsMax = 8;

// Private ids become real ones from `first` on; ids of committed rows stay.
RowIds real_ids(const RowIds& ids, uint64_t first) {
    auto real = [&](uint64_t id) { return id < kPrivateRowId ? id : first + (id - kPrivateRowId); };
    if (ids.is_dense()) return RowIds::dense(real(ids.first()), ids.count());
    std::vector<uint64_t> list;
    list.reserve(ids.count());
    for (uint64_t id : ids.list()) list.push_back(real(id));
    return RowIds::listed(std::move(list));
}

Result<RedoTable::Rows> redo_rows(const Chunk& chunk) {
    RedoTable::Rows rows{chunk.row_ids(), {}};
    for (uint32_t c = 0; c < chunk.table().columns.size(); c++) {
        ASSIGN_OR_RETURN(const arrow::Array* column, chunk.column(c));
        rows.columns.push_back(*column);
    }
    return rows;
}

}  // namespace

CommitGroup::CommitGroup(TableStore& store, size_t group_size)
    : store_(store), group_size_(group_size) {
    tip_ = std::make_shared<Version>(*store.current_.load());
}

Status CommitGroup::add(TableStore::CommitRequest& request) {
    Change change;
    change.version = std::make_shared<Version>(*tip_);
    change.version->xid = tip_->xid + 1;
    RETURN_IF_ERROR(check_reads(*request.txn));
    RETURN_IF_ERROR(apply_catalog(request, change));
    for (const auto& [table_id, writes] : request.txn->state_.writes) {
        RETURN_IF_ERROR(apply_table(request, table_id, change));
    }
    change.record = encode_redo(change.redo);
    tip_ = change.version;
    changes_.push_back(std::move(change));
    return {};
}

// A serializable transaction could have run whole at this moment if what it read is still so.
Status CommitGroup::check_reads(const Transaction& txn) const {
    const uint64_t seen = txn.snapshot()->xid;
    bool changed = txn.reads_.contains(Transaction::kAllTables) && tip_->xid != seen;
    for (uint32_t id : txn.reads_) {
        auto table = tip_->tables.find(id);
        if (table != tip_->tables.end()) changed = changed || table->second->changed_by() > seen;
        if (table == tip_->tables.end()) changed = changed || txn.snapshot()->tables.contains(id);
    }
    if (!changed) return {};
    return Status::conflict(
               "could not serialize access due to read/write dependencies among transactions")
        .with_detail("A table that this transaction read was changed by another since it began.")
        .with_hint("Run the transaction again.");
}

// What was altered leaves the catalog first and comes back under its new name, so that two tables
// may swap theirs.
Status CommitGroup::apply_catalog(TableStore::CommitRequest& request, Change& change) {
    Transaction& txn = *request.txn;
    Version& next = *change.version;
    catalog::Catalog catalog = *next.catalog;
    for (uint32_t id : txn.state_.dropped) {
        if (!catalog.find(id)) {
            return Status::conflict("a table that this transaction drops was dropped by another");
        }
        catalog = catalog.without_table(id);
        change.dropped.push_back(id);
        if (auto table = next.tables.extract(id)) change.dropped_tables.push_back(table.mapped());
    }
    for (const auto& [id, alteration] : txn.state_.altered) {
        RETURN_IF_ERROR(check_alterable(txn, id, alteration, next));
        catalog = catalog.without_table(id);
        catalog::TablePtr def = txn.view()->catalog->find(id);
        change.defined.push_back(def);
        if (def->kind == catalog::RelationKind::kTable) {
            RETURN_IF_ERROR(apply_definition(request, def, alteration, change));
        }
    }
    for (uint32_t id : txn.state_.created) {
        catalog::TablePtr def = txn.view()->catalog->find(id);
        change.defined.push_back(def);
        if (def->kind != catalog::RelationKind::kTable) continue;
        next.tables[id] = std::make_shared<const TableVersion>(def);
    }
    for (const catalog::TablePtr& def : change.defined) {
        if (auto namesake = catalog.find(def->schema_name, def->name)) {
            return already_exists(*namesake);
        }
        if (catalog.find_by_index(def->schema_name, def->name)) return name_taken(def->name);
        for (const catalog::IndexDef& index : def->indexes) {
            if (catalog.has_relation(def->schema_name, index.name)) return name_taken(index.name);
        }
        catalog = catalog.with_table(def);
    }
    RETURN_IF_ERROR(check_dependencies(change, *txn.snapshot()->catalog, catalog));
    if (txn.state_.changed_catalog) {
        next.catalog = std::make_shared<const catalog::Catalog>(std::move(catalog));
    }
    return {};
}

// What was made needs what it depends on, and nothing may depend on what was dropped.
Status CommitGroup::check_dependencies(const Change& change, const catalog::Catalog& before,
                                       const catalog::Catalog& after) {
    Status gone = Status::conflict(
        "conflict: another transaction dropped what this one needs, or uses what it drops");
    for (const catalog::TablePtr& def : change.defined) {
        if (!def->schema_name.empty() && !after.has_schema(def->schema_name)) return gone;
        for (uint32_t id : def->depends_on) {
            if (!after.find(id)) return gone;
        }
        for (const catalog::ForeignKeyDef& key : def->foreign_keys) {
            if (!after.find(key.table)) return gone;
        }
    }
    for (uint32_t id : change.dropped) {
        if (!after.dependents(id).empty() || !after.referencing(id).empty()) return gone;
        catalog::TablePtr def = before.find(id);
        if (!def || def->kind != catalog::RelationKind::kSchema) continue;
        for (const catalog::TablePtr& member : after.relations()) {
            if (member->schema_name == def->name) return gone;
        }
    }
    return {};
}

Status CommitGroup::check_alterable(const Transaction& txn, uint32_t id, Alteration alteration,
                                    const Version& newest) {
    catalog::TablePtr def = newest.catalog->find(id);
    if (!def)
        return Status::conflict("a table that this transaction alters was dropped by another");
    if (def != txn.snapshot()->catalog->find(id)) {
        return altered_by_another(*def);
    }
    if (alteration == Alteration::kRows && def->kind == catalog::RelationKind::kTable &&
        newest.tables.at(id)->changed_by() > txn.snapshot()->xid) {
        return changed_meanwhile(*def);
    }
    return {};
}

// New indexes have followed what was committed since they were built, but for the last moment.
Status CommitGroup::apply_definition(TableStore::CommitRequest& request,
                                     const catalog::TablePtr& def, Alteration alteration,
                                     Change& change) {
    TableVersionPtr& current = change.version->tables.at(def->id);
    const TableVersionPtr newest = current;
    std::shared_ptr<TableVersion> altered;
    if (auto made = request.catch_ups.find(def->id); made != request.catch_ups.end()) {
        RETURN_IF_ERROR(made->second->follow(newest));
        altered = std::make_shared<TableVersion>(made->second->result());
        RETURN_IF_ERROR(add_indexes(*made->second, change));
    } else {
        altered = std::make_shared<TableVersion>(*newest);
        RETURN_IF_ERROR(altered->set_definition(def));
    }
    if (alteration > Alteration::kIndexes) altered->set_altered_by(change.version->xid);
    for (size_t i = 0; i < newest->index_count(); i++) {
        if (def->find_index(newest->index_def(i).id)) continue;
        for (const RunPart& r : newest->runs(i)) change.dropped_runs.push_back({def->id, r});
    }
    refile_segments(*newest, *altered, change);
    current = std::move(altered);
    return {};
}

// An alteration leaves segments in their places.
void CommitGroup::refile_segments(const TableVersion& before, const TableVersion& after,
                                  Change& change) {
    const size_t base = after.base().size(), segments = base + after.patches().size();
    for (size_t i = 0; i < segments; i++) {
        const auto& then = before.part(i).chunk->files()->all();
        const auto& now = after.part(i).chunk->files()->all();
        if (then == now) continue;
        change.refiled.push_back({after.def_ptr(), after.part(i), i >= base});
        for (const auto& file : then) {
            const bool kept = std::find(now.begin(), now.end(), file) != now.end();
            if (!kept) change.dropped_files.push_back(file);
        }
    }
}

// Redo records that lack a new column stay behind rows in memory: these are written once more, as
// if each was replaced by itself.
Status CommitGroup::add_indexes(const IndexCatchUp& caught_up, Change& change) {
    const TableVersion& table = caught_up.result();
    RedoTable redo;
    redo.table_id = table.def().id;
    redo.next_row_id = table.next_row_id();
    for (size_t i : caught_up.indexes()) {
        const uint32_t index_id = table.index_def(i).id;
        for (const RunPart& run : table.runs(i)) {
            change.runs.push_back({redo.table_id, index_id, run});
        }
        if (table.keys_moved(i)) redo.keys_moved.push_back(index_id);
    }
    if (caught_up.fills_columns() && !table.delta().empty()) {
        redo.column_ids = column_ids(table.def());
        ASSIGN_OR_RETURN(Part rows, merge_parts(table.delta(), table));
        const RowIds& ids = rows.chunk->row_ids();
        for (uint64_t row = 0; row < ids.count(); row++) redo.killed.push_back(ids.at(row));
        ASSIGN_OR_RETURN(auto logged, redo_rows(*rows.chunk));
        if (ids.count() > 0) redo.parts.push_back(std::move(logged));
    }
    if (!redo.keys_moved.empty() || !redo.parts.empty()) change.redo.push_back(std::move(redo));
    return {};
}

Status CommitGroup::apply_table(TableStore::CommitRequest& request, uint32_t table_id,
                                Change& change) {
    Transaction& txn = *request.txn;
    auto it = change.version->tables.find(table_id);
    if (it == change.version->tables.end()) {
        return Status::conflict("a table that this transaction changes was dropped by another");
    }
    const TableVersionPtr newest = it->second;
    if (newest->def_ptr() != txn.view()->tables.at(table_id)->def_ptr()) {
        RETURN_IF_ERROR(txn.follow_definition(txn.state_, table_id, *newest));
        RETURN_IF_ERROR(store_.write_staged(request, table_id));
    }
    const TableWrites& writes = txn.state_.writes.at(table_id);
    auto seen = txn.snapshot()->tables.find(table_id);
    const bool unchanged = seen == txn.snapshot()->tables.end() || seen->second == newest;

    TableVersion next(*newest);
    RedoTable redo;
    redo.table_id = table_id;
    redo.column_ids = column_ids(next.def());
    next.set_changed_by(change.version->xid);
    RETURN_IF_ERROR(kill_rows(txn, writes, unchanged, next, redo));
    const TableVersion& view = *txn.view()->tables.at(table_id);
    for (size_t i = 0; i < next.index_count(); i++) {
        if (view.keys_moved(i)) next.set_keys_moved(i);
        if (next.keys_moved(i)) redo.keys_moved.push_back(next.index_def(i).id);
    }

    const uint64_t first_id = next.next_row_id();
    for (const Part& part : view.delta().subspan(writes.private_floor)) {
        if (!unchanged) RETURN_IF_ERROR(check_unique(next, part));
        RETURN_IF_ERROR(add_part(part, first_id, next, redo, change));
    }
    const StagedKeys& staged = request.staged[table_id];
    for (size_t i = 0; i < staged.size(); i++) {
        RunPart run{staged[i], first_id, store_.next_part_id_++};
        next.add_run(i, run);
        change.runs.push_back({table_id, next.index_def(i).id, run});
    }
    next.set_next_row_id(first_id + writes.private_ids);
    redo.next_row_id = next.next_row_id();
    change.redo.push_back(std::move(redo));
    it->second = std::make_shared<const TableVersion>(std::move(next));
    return {};
}

Status CommitGroup::kill_rows(Transaction& txn, const TableWrites& writes, bool unchanged,
                              TableVersion& next, RedoTable& redo) {
    if (!unchanged &&
        store_.recent_changes_.find(next.def().id, writes.killed, txn.snapshot()->xid)) {
        return changed_meanwhile(next.def());
    }
    std::vector<Location> locations;
    locations.reserve(writes.killed.size());
    for (uint64_t id : writes.killed) {
        auto at = next.locate(id);
        if (!at) return changed_meanwhile(next.def());
        locations.push_back(*at);
    }
    next.kill(locations);
    redo.killed = writes.killed;
    return {};
}

Status CommitGroup::add_part(const Part& part, uint64_t first_id, TableVersion& next,
                             RedoTable& redo, Change& change) {
    if (part.chunk->files()) {
        Part segment{part.chunk->with_row_ids(real_ids(part.chunk->row_ids(), first_id), {}),
                     part.dead, store_.next_part_id_++};
        next.add_segment(segment);
        change.segments.push_back({next.def_ptr(), std::move(segment)});
        return {};
    }
    Part live = part;
    if (part.dead) {
        ASSIGN_OR_RETURN(live, merge_parts(std::span(&part, 1), next));
    }
    if (live.chunk->rows() == 0) return {};
    live.chunk =
        live.chunk->with_row_ids(real_ids(live.chunk->row_ids(), first_id), live.chunk->keys());
    ASSIGN_OR_RETURN(auto rows, redo_rows(*live.chunk));
    redo.parts.push_back(std::move(rows));
    return next.add_delta(std::move(live), 0);
}

void CommitGroup::accept(const Transaction& txn) {
    // Members of a group may conflict with each other; for a single one it is seen when it is
    // published.
    if (group_size_ > 1) {
        remember_kills(txn);
    } else {
        alone_ = &txn;
    }
}

void CommitGroup::remember_kills(const Transaction& txn) {
    for (const auto& [table_id, writes] : txn.state_.writes) {
        store_.recent_changes_.add(table_id, writes.killed, tip_->xid);
    }
}

Status CommitGroup::write() {
    if (changes_.empty()) return {};
    ASSIGN_OR_RETURN(WriteTransaction root, store_.store_->begin_write());
    std::vector<Bytes> records;
    for (Change& change : changes_) {
        records.push_back(change.record);
        RETURN_IF_ERROR(write_manifest(root, change));
    }
    uint64_t first_xid = changes_.front().version->xid;
    RETURN_IF_ERROR(store_.log_.append(root, first_xid, records));
    return root.commit();
}

Status CommitGroup::write_manifest(WriteTransaction& root, const Change& change) {
    for (uint32_t id : change.dropped) RETURN_IF_ERROR(erase_table(root, id));
    for (const catalog::TablePtr& def : change.defined) {
        RETURN_IF_ERROR(
            root.put(Keyspace::kCatalog, manifest_key('T', def->id), catalog::encode(*def)));
        Writer next_id;
        next_id.u32(store_.next_table_id_);
        RETURN_IF_ERROR(root.put(Keyspace::kMeta, kNextTableIdKey, next_id.data()));
    }
    for (const auto& [table_id, run] : change.dropped_runs) {
        RETURN_IF_ERROR(erase_run(root, table_id, run.run_id));
    }
    bool beside = false;  // whether a segment has more than its own file
    for (const auto& [def, segment] : change.segments) {
        RETURN_IF_ERROR(put_segment(root, *def, segment, /*patch=*/false));
        beside = beside || segment.chunk->files()->all().size() > 1;
    }
    for (const auto& [def, segment, patch] : change.refiled) {
        RETURN_IF_ERROR(put_segment_files(root, *def, segment, patch));
        beside = beside || segment.chunk->files()->all().size() > 1;
    }
    if (beside) RETURN_IF_ERROR(store_.store_->require(root, kColumnFilesFeature));
    for (const auto& [table_id, index_id, run] : change.runs) {
        RETURN_IF_ERROR(put_run(root, table_id, index_id, run));
    }
    return {};
}

void CommitGroup::publish() {
    if (changes_.empty()) return;
    store_.counters_.commits += changes_.size();
    store_.counters_.commit_groups++;
    store_.publish(tip_);
    for (const Change& change : changes_) {
        store_.log_bytes_ += change.record.size();
        for (const TableVersionPtr& table : change.dropped_tables) {
            store_.add_garbage(table->files());
        }
        for (const auto& [id, run] : change.dropped_runs) store_.add_garbage({run.run->file()});
        store_.add_garbage(change.dropped_files);
    }
    // Whoever begins from now on sees this commit; only transactions that began before it may
    // conflict.
    if (alone_ && store_.active_->count_before(tip_->xid) > 1) remember_kills(*alone_);
}

// --- The pipeline
// -------------------------------------------------------------------------------------

// The keys of a transaction's staged rows as files; those of an earlier definition go.
Status TableStore::write_staged(CommitRequest& request, uint32_t table_id) {
    const TableWrites& writes = request.txn->state_.writes.at(table_id);
    if (writes.staged_keys.empty()) return {};
    ASSIGN_OR_RETURN(StagedKeys keys, write_staged_keys(*store_, writes.staged_keys));
    for (const auto& run : keys) request.txn->staged_.add(run->file());
    request.staged[table_id] = std::move(keys);
    return {};
}

// New indexes follow what others commit, in rounds, until little is missing, and little is to be
// logged once more. Then no flush may come between: it would not write their keys.
Status TableStore::prepare(CommitRequest& request, std::unique_lock<std::mutex>& flushing) {
    Transaction& txn = *request.txn;
    VersionPtr newest = current_.load();
    for (auto& [id, writes] : txn.state_.writes) {
        const TableVersionPtr table = newest->find(id);
        if (table && !txn.state_.altered.contains(id)) {
            RETURN_IF_ERROR(txn.follow_definition(txn.state_, id, *table));
        }
        RETURN_IF_ERROR(write_staged(request, id));
    }
    if (txn.state_.altered.empty()) return {};
    for (const auto& [id, alteration] : txn.state_.altered) {
        if (!IndexCatchUp::is_needed(txn, id)) continue;
        ASSIGN_OR_RETURN(request.catch_ups[id], IndexCatchUp::begin(*this, txn, id));
    }
    for (int round = 1;; round++) {
        uint64_t behind = 0, to_log = 0;
        newest = current_.load();
        for (const auto& [id, index] : request.catch_ups) {
            if (const TableVersionPtr table = newest->find(id)) {
                RETURN_IF_ERROR(index->follow(table));
            }
        }
        flushing.lock();
        newest = current_.load();
        for (const auto& [id, index] : request.catch_ups) {
            const TableVersionPtr table = newest->find(id);
            if (!table) continue;
            behind += index->rows_behind(*table);
            if (index->fills_columns()) to_log += table->delta_rows();
        }
        if (std::max(behind, to_log) <= kRowsBehindMax || round == kRoundsMax) return {};
        flushing.unlock();
        if (to_log > kRowsBehindMax) RETURN_IF_ERROR(flush_once({}));
    }
}

Status TableStore::commit(Transaction& txn) {
    // After it is published: whoever waits for a row sees what became of it.
    auto release = [](Transaction* t) { t->release_locks_after(0); };
    std::unique_ptr<Transaction, decltype(release)> locks(&txn, release);
    if (!txn.has_changes()) return {};
    wait_for_room();
    CommitRequest request{&txn, {}, {}, {}, false};
    std::unique_lock flushing(flush_mutex_, std::defer_lock);
    RETURN_IF_ERROR(prepare(request, flushing));
    std::unique_lock lock(queue_mutex_);
    queue_.push_back(&request);
    while (!request.done) {
        if (leader_active_) {
            queue_changed_.wait(lock);
            continue;
        }
        leader_active_ = true;
        std::vector<CommitRequest*> group;
        group.swap(queue_);
        lock.unlock();
        run_group(group);
        lock.lock();
        for (CommitRequest* r : group) r->done = true;
        leader_active_ = false;
        queue_changed_.notify_all();
    }
    lock.unlock();
    // The files of what was dropped; if a flush is busy, it does so at its end.
    const bool dropped = request.result.ok() && txn.state_.changed_catalog && has_garbage();
    if (dropped && (flushing.owns_lock() || flushing.try_lock())) (void)remove_garbage();
    if (flushing.owns_lock()) flushing.unlock();
    if (request.result.ok()) {
        txn.keep_named_files();
        for (const auto& [table_id, keys] : request.staged) {
            for (const auto& run : keys) txn.staged_.keep(*run->file());
        }
        for (const auto& [table_id, index] : request.catch_ups) index->keep_files();
    }
    note_change();
    return request.result;
}

void TableStore::run_group(std::vector<CommitRequest*>& group) {
    std::lock_guard tip(tip_mutex_);
    CommitGroup commits(*this, group.size());
    for (CommitRequest* r : group) {
        r->result = commits.add(*r);
        if (r->result.ok()) commits.accept(*r->txn);
    }
    Status written = commits.write();
    if (written.ok()) {
        commits.publish();
        recent_changes_.forget(active_->oldest());
        return;
    }
    for (CommitRequest* r : group) {
        if (r->result.ok()) r->result = written;
    }
}

}  // namespace trefoil::table
