// Transaction: a snapshot with private changes.

#include "table/transaction.h"

#include <algorithm>

#include "base/check.h"
#include "table/column_fill.h"
#include "table/duplicates.h"
#include "table/index_build.h"
#include "table/index_catch_up.h"
#include "table/segment.h"
#include "table/table_store.h"

namespace trefoil::table {

Status already_exists(const catalog::TableDef& relation) {
    const bool schema = relation.kind == catalog::RelationKind::kSchema;
    return {Code::kInvalidInput, schema ? "42P06" : "42P07",
            std::string(catalog::kind_name(relation.kind)) + " \"" + relation.name +
                "\" already exists"};
}

Status name_taken(const std::string& index) {
    return {Code::kInvalidInput, "42P07", "relation \"" + index + "\" already exists"};
}

uint64_t ActiveTransactions::add() {
    std::lock_guard lock(mutex_);
    snapshots_[next_] = 0;  // as old as can be, until it is known
    return next_++;
}

void ActiveTransactions::set_snapshot(uint64_t registration, uint64_t xid) {
    std::lock_guard lock(mutex_);
    snapshots_[registration] = xid;
}

void ActiveTransactions::remove(uint64_t registration) {
    std::lock_guard lock(mutex_);
    snapshots_.erase(registration);
}

uint64_t ActiveTransactions::oldest() const {
    std::lock_guard lock(mutex_);
    uint64_t oldest = UINT64_MAX;
    for (const auto& [id, xid] : snapshots_) oldest = std::min(oldest, xid);
    return oldest;
}

size_t ActiveTransactions::count_before(uint64_t xid) const {
    std::lock_guard lock(mutex_);
    size_t n = 0;
    for (const auto& [id, snapshot] : snapshots_) n += snapshot < xid;
    return n;
}

Transaction::Transaction(TableStore& store, VersionPtr snapshot, bool read_only,
                         std::unique_ptr<Registration> registration)
    : store_(&store), read_only_(read_only), registration_(std::move(registration)) {
    state_.snapshot = std::move(snapshot);
    state_.view = state_.snapshot;
}

Transaction::~Transaction() = default;

Status Transaction::check_writable() const {
    if (store_->store().read_only()) {
        return Status::read_only("the database is open read-only")
            .with_hint("Open it without --readonly to change it.");
    }
    if (read_only_) return Status::read_only("the transaction is READ ONLY");
    return store_->store().stopped();
}

void StagedFiles::keep(const Chunk& chunk) {
    if (!chunk.files()) return;
    for (const auto& file : chunk.files()->all()) keep(*file);
}

void Transaction::keep_named_files() {
    for (const auto& [table_id, writes] : state_.writes) {
        const TableVersion& table = *state_.view->tables.at(table_id);
        for (const Part& part : table.delta().subspan(writes.private_floor)) {
            staged_.keep(*part.chunk);
        }
    }
    for (const auto& [table_id, alteration] : state_.altered) {
        const TableVersionPtr table = state_.view->find(table_id);
        if (!table) continue;  // a view has no files
        for (size_t i = 0; i < table->index_count(); i++) {
            for (const RunPart& r : table->runs(i)) staged_.keep(*r.run->file());
        }
    }
}

// --- Locks and snapshots ---

Status changed_meanwhile(const catalog::TableDef& table) {
    return Status::conflict("conflict: a row of table \"" + table.name +
                            "\" was changed by another transaction since this one began")
        .with_hint("Run the transaction again.");
}

Status altered_by_another(const catalog::TableDef& table) {
    return Status::conflict("conflict: table \"" + table.name +
                            "\" was altered by another transaction since this one began")
        .with_hint("Run the transaction again.");
}

// What others committed before they released a row's lock is published and remembered by now.
Status Transaction::check_unchanged(const catalog::TableDef& table,
                                    std::span<const uint64_t> rows) const {
    const VersionPtr newest = store_->current_.load();
    auto now = newest->tables.find(table.id);
    auto then = snapshot()->tables.find(table.id);
    if (now == newest->tables.end() || then == snapshot()->tables.end()) return {};
    if (now->second == then->second) return {};
    if (store_->recent_changes_.find(table.id, rows, snapshot()->xid)) {
        return changed_meanwhile(table);
    }
    return {};
}

Status Transaction::wait_for_rows(const catalog::TableDef& table, std::span<const uint64_t> rows,
                                  LockMode mode) {
    Status locked = registration_->locks.lock(table.id, rows, mode, patience_);
    if (patience_.nowait && locked.sqlstate() == "55P03") {
        return {Code::kConflict, "55P03",
                "could not obtain lock on row in relation \"" + table.name + "\""};
    }
    return locked;
}

Status Transaction::lock_rows(const catalog::TableDef& table, std::span<const uint64_t> rows,
                              LockMode mode) {
    RETURN_IF_ERROR(wait_for_rows(table, rows, mode));
    return check_unchanged(table, rows);
}

Result<VersionPtr> Transaction::newest() const {
    return store_->current();
}

Result<bool> Transaction::try_lock_row(const catalog::TableDef& table, uint64_t row,
                                       LockMode mode) {
    if (!registration_->locks.try_lock(table.id, row, mode)) return false;
    RETURN_IF_ERROR(check_unchanged(table, std::span(&row, 1)));
    return true;
}

Status Transaction::renew_snapshot() {
    ASSIGN_OR_RETURN(VersionPtr newest, store_->current());
    if (newest == snapshot()) return {};
    State next = state_;
    next.snapshot = newest;
    VersionPtr renewed = newest;
    if (has_changes()) {
        auto view = std::make_shared<Version>(*newest);
        if (state_.changed_catalog) {
            if (newest->catalog != snapshot()->catalog) {
                return Status::conflict("tables were changed by another transaction, too");
            }
            view->catalog = state_.view->catalog;
            for (uint32_t id : state_.dropped) view->tables.erase(id);
            // What is no table has a definition only.
            for (uint32_t id : state_.created) {
                if (TableVersionPtr made = state_.view->find(id)) view->tables[id] = made;
            }
            for (const auto& [id, alteration] : state_.altered) {
                if (!state_.view->find(id)) continue;
                if (newest->tables.at(id) != snapshot()->tables.at(id)) {
                    return changed_meanwhile(newest->tables.at(id)->def());
                }
                view->tables[id] = state_.view->tables.at(id);
            }
        }
        for (auto& [id, writes] : next.writes) {
            if (state_.created.contains(id) || state_.altered.contains(id)) continue;
            auto table = newest->tables.find(id);
            if (table == newest->tables.end()) {
                return Status::conflict("a table that this transaction changes was dropped");
            }
            TableVersion rebased(*table->second);
            RETURN_IF_ERROR(follow_definition(next, id, rebased));
            RETURN_IF_ERROR(rebase(writes, *next.view->tables.at(id), rebased));
            view->tables[id] = std::make_shared<const TableVersion>(std::move(rebased));
        }
        renewed = std::move(view);
    }
    next.view = std::move(renewed);
    registration_->active->set_snapshot(registration_->id, newest->xid);
    state_ = std::move(next);
    return {};
}

Status Transaction::rebase(TableWrites& writes, const TableVersion& view,
                           TableVersion& newest) const {
    std::vector<Location> killed;
    for (uint64_t id : writes.killed) {
        auto at = newest.locate(id);
        if (!at) return changed_meanwhile(newest.def());
        killed.push_back(*at);
    }
    newest.kill(killed);
    for (size_t i = 0; i < newest.index_count(); i++) {
        if (view.keys_moved(i)) newest.set_keys_moved(i);
    }
    const size_t floor = newest.delta().size();
    for (const Part& part : view.delta().subspan(writes.private_floor)) {
        RETURN_IF_ERROR(newest.add_delta(part, floor));
    }
    writes.private_floor = floor;
    return {};
}

Status Transaction::follow_definition(State& state, uint32_t table_id, const TableVersion& newest) {
    const TableVersionPtr view = state.view->tables.at(table_id);
    if (view->def_ptr() == newest.def_ptr()) return {};
    if (newest.altered_by() > state.view->xid) return altered_by_another(newest.def());
    const catalog::TableDef& before = view->def();
    TableWrites& writes = state.writes.at(table_id);
    auto own = std::make_shared<TableVersion>(newest.def_ptr());
    ColumnFill columns(*store_, newest.def_ptr(), index_work_, &staged_);
    for (Part part : view->delta().subspan(writes.private_floor)) {
        ASSIGN_OR_RETURN(part.chunk, columns.fill(part));
        ASSIGN_OR_RETURN(part.chunk, newest.adopt(part.chunk, before));
        RETURN_IF_ERROR(own->add_delta(std::move(part), /*merge_floor=*/SIZE_MAX));
    }
    for (size_t i = 0; i < own->index_count(); i++) {
        const auto old = before.find_index(own->index_def(i).id);
        bool moved = old && view->keys_moved(*old);
        for (const Part& part : own->delta()) {
            if (old || moved) break;
            ASSIGN_OR_RETURN(moved, moves_keys(newest, i, part));
        }
        if (moved) own->set_keys_moved(i);
    }
    alter_staged_keys(before, *own, writes);
    writes.private_floor = 0;
    auto next = std::make_shared<Version>(*state.view);
    next->tables[table_id] = std::move(own);
    state.view = std::move(next);
    return {};
}

void Transaction::set_table(std::shared_ptr<const TableVersion> table) {
    auto next = std::make_shared<Version>(*state_.view);
    uint32_t id = table->def().id;
    next->tables[id] = std::move(table);
    state_.view = std::move(next);
}

Status Transaction::create_table(catalog::TableDef table) {
    RETURN_IF_ERROR(check_writable());
    RETURN_IF_ERROR(catalog::validate(table));
    if (auto namesake = state_.view->catalog->find(table.schema_name, table.name)) {
        return already_exists(*namesake);
    }
    if (state_.view->catalog->find_by_index(table.schema_name, table.name)) {
        return name_taken(table.name);
    }
    RETURN_IF_ERROR(catalog::name_indexes(table, *state_.view->catalog));
    for (catalog::ColumnDef& column : table.columns) column.id = table.next_column_id++;
    add_table(std::move(table));
    return {};
}

void Transaction::add_table(catalog::TableDef table) {
    table.id = store_->next_table_id_++;
    for (catalog::ForeignKeyDef& key : table.foreign_keys) {
        if (key.table == 0) key.table = table.id;
    }
    table.finish();
    auto def = std::make_shared<const catalog::TableDef>(std::move(table));
    auto next = std::make_shared<Version>(*state_.view);
    next->catalog = std::make_shared<const catalog::Catalog>(next->catalog->with_table(def));
    if (def->kind == catalog::RelationKind::kTable) {
        next->tables[def->id] = std::make_shared<const TableVersion>(def);
    }
    state_.view = std::move(next);
    state_.created.insert(def->id);
    state_.changed_catalog = true;
}

uint32_t Transaction::new_counter() const {
    return store_->next_table_id_++;
}

Status Transaction::truncate_table(uint32_t table_id) {
    catalog::TablePtr table = state_.view->catalog->find(table_id);
    const auto dependents = state_.view->catalog->dependents(table_id);
    catalog::TableDef again = *table;
    for (catalog::ForeignKeyDef& key : again.foreign_keys) {
        if (key.table == table_id) key.table = 0;
    }
    RETURN_IF_ERROR(drop_table(table_id));
    add_table(std::move(again));
    const uint32_t fresh = state_.view->catalog->find(table->schema_name, table->name)->id;
    for (const catalog::TablePtr& dependent : dependents) {
        catalog::TableDef moved = *dependent;
        std::replace(moved.depends_on.begin(), moved.depends_on.end(), table_id, fresh);
        RETURN_IF_ERROR(alter_table(std::move(moved), /*rows_matter=*/false));
    }
    for (const catalog::TablePtr& referencing : state_.view->catalog->referencing(table_id)) {
        catalog::TableDef moved = *referencing;
        for (catalog::ForeignKeyDef& key : moved.foreign_keys) {
            if (key.table == table_id) key.table = fresh;
        }
        RETURN_IF_ERROR(alter_table(std::move(moved), /*rows_matter=*/false));
    }
    return {};
}

Status Transaction::drop_table(uint32_t table_id) {
    RETURN_IF_ERROR(check_writable());
    auto next = std::make_shared<Version>(*state_.view);
    next->catalog =
        std::make_shared<const catalog::Catalog>(next->catalog->without_table(table_id));
    next->tables.erase(table_id);
    state_.view = std::move(next);
    state_.writes.erase(table_id);
    state_.altered.erase(table_id);
    if (state_.created.erase(table_id) == 0) state_.dropped.insert(table_id);
    state_.changed_catalog = true;
    return {};
}

Status Transaction::alter_table(catalog::TableDef table, bool rows_matter) {
    return alter(std::move(table), rows_matter ? Alteration::kRows : Alteration::kDefinition);
}

Status Transaction::alter_indexes(catalog::TableDef table) {
    return alter(std::move(table), Alteration::kIndexes);
}

Status Transaction::alter(catalog::TableDef table, Alteration alteration) {
    RETURN_IF_ERROR(check_writable());
    RETURN_IF_ERROR(catalog::validate(table));
    catalog::TablePtr namesake = state_.view->catalog->find(table.schema_name, table.name);
    if (namesake && namesake->id != table.id) return already_exists(*namesake);
    if (state_.view->catalog->find_by_index(table.schema_name, table.name)) {
        return name_taken(table.name);
    }
    // An index that is built anew keeps its name.
    RETURN_IF_ERROR(catalog::name_indexes(table, state_.view->catalog->without_table(table.id)));
    table.finish();
    auto def = std::make_shared<const catalog::TableDef>(std::move(table));
    auto next = std::make_shared<Version>(*state_.view);
    if (def->kind == catalog::RelationKind::kTable) {
        const TableVersion& before = *next->tables.at(def->id);
        auto altered = std::make_shared<TableVersion>(before);
        if (alteration == Alteration::kIndexes) {
            RETURN_IF_ERROR(ColumnFill(*store_, def, index_work_, &staged_).fill(*altered));
        }
        RETURN_IF_ERROR(altered->set_definition(def));
        RETURN_IF_ERROR(build_indexes(before.def(), *altered));
        next->tables[def->id] = std::move(altered);
    }
    next->catalog = std::make_shared<const catalog::Catalog>(
        next->catalog->without_table(def->id).with_table(def));
    state_.view = std::move(next);
    if (!state_.created.contains(def->id)) {
        Alteration& all = state_.altered[def->id];
        all = std::max(all, alteration);
    }
    state_.changed_catalog = true;
    return {};
}

// Gives the new indexes of a table that was altered the keys of rows in segments and of rows that
// this transaction staged.
Status Transaction::build_indexes(const catalog::TableDef& before, TableVersion& table) {
    const std::vector<Part> segments = segments_of(table);
    IndexProgress* progress = index_work_.progress;
    for (size_t i = 0; i < table.index_count(); i++) {
        const catalog::IndexDef& def = table.index_def(i);
        if (before.find_index(def.id)) continue;
        if (progress) progress->begin(before.schema_name, before.name, def.name);
        ASSIGN_OR_RETURN(auto run, build_run(store_->store(), table, i, segments, index_work_));
        if (run) {
            staged_.add(run->file());
            table.add_run(i, {std::move(run), 0, store_->next_part_id_++});
        }
        if (def.unique) RETURN_IF_ERROR(check_no_duplicates(table, i, index_work_));
    }
    auto writes = state_.writes.find(table.def().id);
    if (writes != state_.writes.end()) alter_staged_keys(before, table, writes->second);
    return {};
}

void Transaction::alter_staged_keys(const catalog::TableDef& before, const TableVersion& table,
                                    TableWrites& writes) {
    std::vector<ChunkKeys> staged(writes.staged_keys.size());
    for (size_t i = 0; i < table.index_count(); i++) {
        const auto old = before.find_index(table.index_def(i).id);
        for (size_t n = 0; n < staged.size(); n++) {
            // The first run of a new index holds the keys of all statements.
            staged[n].push_back(old      ? writes.staged_keys[n][*old]
                                : n == 0 ? staged_entries(table, i)
                                         : index::KeyRunBuilder(table.encoder(i).shape()).finish());
        }
    }
    writes.staged_keys = std::move(staged);
}

}  // namespace trefoil::table
