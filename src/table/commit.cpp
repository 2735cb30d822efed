// Commit: a group of transactions becomes one new Version and one durable transaction of the root.

#include <algorithm>
#include <set>

#include "arrow/compute.h"
#include "base/check.h"
#include "table/commit_group.h"
#include "table/index_build.h"
#include "table/keyed_rows.h"
#include "table/manifest.h"
#include "table/manifest_format.h"
#include "table/table_store.h"
#include "table/unique.h"

namespace trefoil::table {
namespace {

Status altered_by_another(const catalog::TableDef& table) {
    return Status::conflict("conflict: table \"" + table.name +
                            "\" was altered by another transaction since this one began")
        .with_hint("Run the transaction again.");
}

// Private ids become real ones from `first` on; ids of committed rows stay.
RowIds real_ids(const RowIds& ids, uint64_t first) {
    auto real = [&](uint64_t id) { return id < kPrivateRowId ? id : first + (id - kPrivateRowId); };
    if (ids.is_dense()) return RowIds::dense(real(ids.first()), ids.count());
    std::vector<uint64_t> list;
    list.reserve(ids.count());
    for (uint64_t id : ids.list()) list.push_back(real(id));
    return RowIds::listed(std::move(list));
}

}  // namespace

CommitGroup::CommitGroup(TableStore& store, size_t group_size)
    : store_(store), group_size_(group_size) {
    tip_ = std::make_shared<Version>(*store.current_.load());
}

Status CommitGroup::add(Transaction& txn, const std::map<uint32_t, StagedKeys>& staged) {
    Change change;
    change.version = std::make_shared<Version>(*tip_);
    change.version->xid = tip_->xid + 1;
    RETURN_IF_ERROR(check_reads(txn));
    RETURN_IF_ERROR(apply_catalog(txn, change));
    for (const auto& [table_id, writes] : txn.state_.writes) {
        auto keys = staged.find(table_id);
        RETURN_IF_ERROR(apply_table(txn, table_id, writes,
                                    keys == staged.end() ? StagedKeys() : keys->second, change));
    }
    for (const auto& [table_id, index] : change.unchecked) {
        RETURN_IF_ERROR(check_no_duplicates(*change.version->tables.at(table_id), index));
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
Status CommitGroup::apply_catalog(Transaction& txn, Change& change) {
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
    for (const auto& [id, rows_matter] : txn.state_.altered) {
        RETURN_IF_ERROR(check_alterable(txn, id, rows_matter, next));
        catalog = catalog.without_table(id);
        catalog::TablePtr def = txn.view()->catalog->find(id);
        change.defined.push_back(def);
        if (def->kind == catalog::RelationKind::kTable) {
            RETURN_IF_ERROR(apply_definition(txn, def, change));
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
    const Status gone = Status::conflict(
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

Status CommitGroup::check_alterable(const Transaction& txn, uint32_t id, bool rows_matter,
                                    const Version& newest) {
    catalog::TablePtr def = newest.catalog->find(id);
    if (!def)
        return Status::conflict("a table that this transaction alters was dropped by another");
    if (def != txn.snapshot()->catalog->find(id)) {
        return altered_by_another(*def);
    }
    if (rows_matter && def->kind == catalog::RelationKind::kTable &&
        newest.tables.at(id)->changed_by() > txn.snapshot()->xid) {
        return changed_meanwhile(*def);
    }
    return {};
}

Status CommitGroup::apply_definition(const Transaction& txn, const catalog::TablePtr& def,
                                     Change& change) {
    TableVersionPtr& current = change.version->tables.at(def->id);
    const TableVersionPtr newest = current;
    auto altered = std::make_shared<TableVersion>(*newest);
    RETURN_IF_ERROR(altered->set_definition(def));
    RETURN_IF_ERROR(add_indexes(txn, newest, *altered, change));
    current = std::move(altered);
    return {};
}

// New indexes come with the runs that were built over the snapshot. What was committed since is
// added here: rows in memory have got their keys with the definition, segments get a run of their
// own, and because rows may have been updated, the runs count as moved.
Status CommitGroup::add_indexes(const Transaction& txn, const TableVersionPtr& newest,
                                TableVersion& altered, Change& change) {
    const uint32_t id = altered.def().id;
    const TableVersion& view = *txn.view()->tables.at(id);
    const TableVersionPtr& seen = txn.snapshot()->tables.at(id);
    std::set<uint64_t> covered;
    for (const Part& p : seen->base()) covered.insert(p.segment_id);
    for (const Part& p : seen->patches()) covered.insert(p.segment_id);
    RedoTable redo;
    redo.table_id = id;
    redo.next_row_id = altered.next_row_id();
    for (size_t i = 0; i < altered.index_count(); i++) {
        const catalog::IndexDef& def = altered.index_def(i);
        if (newest->def().find_index(def.id)) continue;
        std::vector<RunPart> runs(view.runs(i).begin(), view.runs(i).end());
        if (newest != seen) {
            ASSIGN_OR_RETURN(auto run, build_run(*store_.store_, altered, i, covered));
            if (run) runs.push_back({std::move(run), 0, store_.next_part_id_++});
            altered.set_keys_moved(i);
            redo.keys_moved.push_back(def.id);
            if (def.unique) change.unchecked.push_back({id, i});
        }
        for (RunPart& run : runs) {
            altered.add_run(i, run);
            change.runs.push_back({id, def.id, std::move(run)});
        }
    }
    if (!redo.keys_moved.empty()) change.redo.push_back(std::move(redo));
    for (size_t i = 0; i < newest->index_count(); i++) {
        if (altered.def().find_index(newest->index_def(i).id)) continue;
        for (const RunPart& r : newest->runs(i)) change.dropped_runs.push_back({id, r});
    }
    return {};
}

Status CommitGroup::apply_table(Transaction& txn, uint32_t table_id, const TableWrites& writes,
                                const StagedKeys& staged, Change& change) {
    auto it = change.version->tables.find(table_id);
    if (it == change.version->tables.end()) {
        return Status::conflict("a table that this transaction changes was dropped by another");
    }
    const TableVersionPtr newest = it->second;
    if (newest->def_ptr() != txn.view()->tables.at(table_id)->def_ptr()) {
        return altered_by_another(newest->def());
    }
    auto seen = txn.snapshot()->tables.find(table_id);
    const bool unchanged = seen == txn.snapshot()->tables.end() || seen->second == newest;

    TableVersion next(*newest);
    RedoTable redo;
    redo.table_id = table_id;
    for (const catalog::ColumnDef& column : next.def().columns) {
        redo.column_ids.push_back(column.id);
    }
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
    if (part.chunk->file()) {
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
    RedoTable::Rows rows{live.chunk->row_ids(), {}};
    for (uint32_t c = 0; c < next.def().columns.size(); c++) {
        ASSIGN_OR_RETURN(const arrow::Array* column, live.chunk->column(c));
        rows.columns.push_back(*column);
    }
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
    for (const auto& [def, segment] : change.segments) {
        RETURN_IF_ERROR(put_segment(root, *def, segment, /*patch=*/false));
    }
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
    }
    // Whoever begins from now on sees this commit; only transactions that began before it may
    // conflict.
    if (alone_ && store_.active_->count_before(tip_->xid) > 1) remember_kills(*alone_);
}

// --- The pipeline
// -------------------------------------------------------------------------------------

Status TableStore::commit(Transaction& txn) {
    // After it is published: whoever waits for a row sees what became of it.
    auto release = [](Transaction* t) { t->release_locks_after(0); };
    std::unique_ptr<Transaction, decltype(release)> locks(&txn, release);
    if (!txn.has_changes()) return {};
    CommitRequest request{&txn, {}, {}, false};
    for (const auto& [table_id, writes] : txn.state_.writes) {
        if (writes.staged_keys.empty()) continue;
        ASSIGN_OR_RETURN(request.staged[table_id], write_staged_keys(*store_, writes.staged_keys));
    }
    wait_for_room();
    // No flush meets two definitions of a table: it would not write the keys of a new index.
    std::unique_lock flushing(flush_mutex_, std::defer_lock);
    if (!txn.state_.altered.empty()) flushing.lock();
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
    if (flushing.owns_lock()) flushing.unlock();
    if (request.result.ok()) {
        txn.keep_named_files();
    } else {
        for (const auto& [table_id, keys] : request.staged) {
            for (const auto& run : keys) run->file()->discard();
        }
    }
    note_change();
    return request.result;
}

void TableStore::run_group(std::vector<CommitRequest*>& group) {
    std::lock_guard tip(tip_mutex_);
    CommitGroup commits(*this, group.size());
    for (CommitRequest* r : group) {
        r->result = commits.add(*r->txn, r->staged);
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
