// Recovery: loading the manifest, replaying redo records.

#include "table/recovery.h"

#include <algorithm>

#include "base/check.h"
#include "table/keyed_rows.h"
#include "table/manifest.h"
#include "table/manifest_format.h"
#include "table/redo.h"

namespace trefoil::table {
namespace {

Result<uint64_t> read_number(const ReadTransaction& root, Bytes key, uint64_t otherwise) {
    ASSIGN_OR_RETURN(auto value, root.find(Keyspace::kMeta, key));
    if (!value) return otherwise;
    Reader in(*value);
    return value->size() == 4 ? uint64_t{in.u32()} : in.u64();
}

Result<catalog::Catalog> load_catalog(const ReadTransaction& root) {
    catalog::Catalog catalog;
    RETURN_IF_ERROR(root.for_each(
        Keyspace::kCatalog, KeyRange::prefix("T"), [&](Bytes, Bytes value) -> Result<Visit> {
            ASSIGN_OR_RETURN(auto def, catalog::decode(value));
            catalog = catalog.with_table(std::make_shared<const catalog::TableDef>(std::move(def)));
            return Visit::kNext;
        }));
    return catalog;
}

Status replay_table(const RedoTable& redo, TableVersion& table) {
    std::vector<Location> killed;
    for (uint64_t id : redo.killed) {
        auto at = table.locate(id);
        if (!at) {
            return Status::corruption("a redo record deletes row " + std::to_string(id) +
                                      " of table \"" + table.def().name + "\", which is not there");
        }
        killed.push_back(*at);
    }
    table.kill(killed);
    for (uint32_t id : redo.keys_moved) {
        if (auto index = table.def().find_index(id)) table.set_keys_moved(*index);
    }
    for (const RedoTable::Rows& rows : redo.parts) {
        ChunkKeys keys = build_keys(rows.columns, table);
        RETURN_IF_ERROR(table.add_delta(
            {Chunk::in_memory(table.def_ptr(), rows.ids, rows.columns, std::move(keys)), nullptr,
             0},
            0));
    }
    table.set_next_row_id(std::max(table.next_row_id(), redo.next_row_id));
    return {};
}

// Applies every record after `version.xid`.
Status replay(const ReadTransaction& root, const CommitLog& log, Version& version,
              bool* old_records) {
    std::map<uint32_t, std::unique_ptr<TableVersion>> changing;
    auto find = [&](uint32_t id) { return version.catalog->find(id); };
    RETURN_IF_ERROR(log.read_from(root, version.xid + 1, [&](uint64_t xid, Bytes record) -> Status {
        *old_records |= is_old_redo(record);
        ASSIGN_OR_RETURN(auto tables, decode_redo(record, find));
        for (const RedoTable& redo : tables) {
            auto& table = changing[redo.table_id];
            if (!table) table = std::make_unique<TableVersion>(*version.tables.at(redo.table_id));
            RETURN_IF_ERROR(replay_table(redo, *table));
        }
        version.xid = xid;
        return {};
    }));
    for (auto& [id, table] : changing) {
        version.tables[id] = std::shared_ptr<const TableVersion>(std::move(table));
    }
    return {};
}

// `known`: an older version, or null.
Result<Recovered> load(const Store& store, const CommitLog& log, const ReadTransaction& root,
                       const Version* known) {
    Recovered state;
    auto version = std::make_shared<Version>();
    ASSIGN_OR_RETURN(state.checkpoint_xid, read_number(root, kCheckpointXidKey, 0));
    ASSIGN_OR_RETURN(state.root_version, Store::root_version(root));
    ASSIGN_OR_RETURN(uint64_t next_table_id, read_number(root, kNextTableIdKey, 1));
    state.next_table_id = static_cast<uint32_t>(next_table_id);
    version->xid = state.checkpoint_xid;
    ASSIGN_OR_RETURN(catalog::Catalog catalog, load_catalog(root));
    for (const catalog::TablePtr& def : catalog.tables()) {
        const TableVersionPtr before = known ? known->find(def->id) : nullptr;
        ASSIGN_OR_RETURN(TableVersion table, load_table(store, root, def, before.get(),
                                                        &state.files, &state.part_id_max));
        for (size_t i = 0; i < table.part_count(); i++) {
            state.stored_dead_rows[table.part(i).segment_id] = table.part(i).dead;
        }
        version->tables[def->id] = std::make_shared<const TableVersion>(std::move(table));
    }
    version->catalog = std::make_shared<const catalog::Catalog>(std::move(catalog));
    RETURN_IF_ERROR(replay(root, log, *version, &state.old_records));
    state.version = std::move(version);
    return state;
}

}  // namespace

Result<Recovered> recover(const Store& store, const CommitLog& log) {
    ASSIGN_OR_RETURN(ReadTransaction root, store.begin_read());
    return recover_from(store, log, root);
}

Result<Recovered> recover_from(const Store& store, const CommitLog& log,
                               const ReadTransaction& root) {
    return load(store, log, root, nullptr);
}

Result<VersionPtr> catch_up(const Store& store, const CommitLog& log, const VersionPtr& current,
                            uint64_t* root_version) {
    ASSIGN_OR_RETURN(ReadTransaction root, store.begin_read());
    ASSIGN_OR_RETURN(uint64_t now, Store::root_version(root));
    if (now == *root_version) {
        ASSIGN_OR_RETURN(auto last, log.last_xid(root));
        if (last.value_or(0) <= current->xid) return VersionPtr();
        auto next = std::make_shared<Version>(*current);
        bool old_records = false;  // the writing process flushes them
        RETURN_IF_ERROR(replay(root, log, *next, &old_records));
        return VersionPtr(std::move(next));
    }
    ASSIGN_OR_RETURN(Recovered state, load(store, log, root, current.get()));
    *root_version = state.root_version;
    return state.version;
}

}  // namespace trefoil::table
