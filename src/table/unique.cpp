// Uniqueness of keys: each new key is looked up in the table's index and compared with its
// neighbour among the new ones, which are sorted.

#include "table/unique.h"

#include <optional>

#include "base/check.h"
#include "table/keyed_rows.h"

namespace trefoil::table {
namespace {

// 23505 for the key of one row, as PostgreSQL words it.
Status duplicate_key(const catalog::TableDef& table, const catalog::IndexDef& index,
                     const Chunk& chunk, uint64_t row) {
    ASSIGN_OR_RETURN(std::string key, key_text(table, index.key_columns(), chunk, row));
    return Status(Code::kInvalidInput, "23505",
                  "duplicate key value violates unique constraint \"" + index.name + "\"")
        .with_detail(key + " already exists in table \"" + table.name + "\".");
}

// Whether a part of the row's key in this index is NULL.
Result<bool> holds_null(const catalog::IndexDef& index, const Chunk& chunk, uint64_t row) {
    for (uint32_t position : index.key_columns()) {
        ASSIGN_OR_RETURN(const arrow::Array* column, chunk.column(position));
        if (!column->is_valid(static_cast<int64_t>(row))) return true;
    }
    return false;
}

Status check_index(const TableVersion& table, size_t index, const Part& part) {
    const catalog::IndexDef& def = table.index_def(index);
    const index::KeyEncoder& encoder = table.encoder(index);
    const index::KeyRun& keys = *part.chunk->keys()[index];
    const bool others = table.live_rows() > 0;
    index::IndexCounters counters;
    std::optional<index::Key> before;
    for (uint64_t i = 0; i < keys.size(); i++) {
        const uint64_t row = keys.row_id(i);
        if (part.is_dead(row)) continue;
        index::Key key = encoder.first_parts(keys.key(i), def.key_columns().size());
        if (encoder.may_hold_null(key)) {
            ASSIGN_OR_RETURN(bool null, holds_null(def, *part.chunk, row));
            if (null) continue;
        }
        if (before && *before == key) return duplicate_key(table.def(), def, *part.chunk, row);
        if (others) {
            ASSIGN_OR_RETURN(auto found, table.find_key(index, key, counters));
            if (found) return duplicate_key(table.def(), def, *part.chunk, row);
        }
        before = std::move(key);
    }
    return {};
}

// The row of one of these parts that has this id.
std::pair<const Chunk*, uint64_t> row_of(std::span<const Part> parts, uint64_t row_id) {
    for (const Part& p : parts) {
        if (auto row = p.chunk->row_ids().find(row_id)) return {p.chunk.get(), *row};
    }
    CHECK(false && "a merged key belongs to no part");
    return {};
}

// `keys` are those of all the parts, merged.
Status check_merged(const TableVersion& table, size_t index, const index::KeyRun& keys,
                    std::span<const Part> parts) {
    const catalog::IndexDef& def = table.index_def(index);
    const index::KeyEncoder& encoder = table.encoder(index);
    const bool others = table.live_rows() > 0;
    if (!encoder.nullable() && !others && !keys.first_duplicate()) return {};
    index::IndexCounters counters;
    std::optional<index::Key> before;
    for (uint64_t i = 0; i < keys.size(); i++) {
        index::Key key = encoder.first_parts(keys.key(i), def.key_columns().size());
        auto at = [&] { return row_of(parts, kPrivateRowId + keys.row_id(i)); };
        if (encoder.may_hold_null(key)) {
            auto [chunk, row] = at();
            ASSIGN_OR_RETURN(bool null, holds_null(def, *chunk, row));
            if (null) continue;
        }
        bool duplicate = before && *before == key;
        if (!duplicate && others) {
            ASSIGN_OR_RETURN(auto found, table.find_key(index, key, counters));
            duplicate = found.has_value();
        }
        if (duplicate) {
            auto [chunk, row] = at();
            return duplicate_key(table.def(), def, *chunk, row);
        }
        before = std::move(key);
    }
    return {};
}

}  // namespace

Status check_unique(const TableVersion& table, const Part& part) {
    for (size_t i = 0; i < table.index_count(); i++) {
        if (table.index_def(i).unique) RETURN_IF_ERROR(check_index(table, i, part));
    }
    return {};
}

Result<ChunkKeys> check_unique_bulk(const TableVersion& table, std::span<const Part> parts) {
    ChunkKeys all;
    for (size_t i = 0; i < table.index_count(); i++) {
        std::vector<index::RunSource> sources;
        for (const Part& p : parts) {
            sources.push_back({p.chunk->keys()[i], p.chunk->row_ids().first() - kPrivateRowId});
        }
        auto merged = index::merge_in_memory(sources, [](uint64_t) { return true; });
        if (table.index_def(i).unique) {
            RETURN_IF_ERROR(check_merged(table, i, *merged, parts));
        }
        all.push_back(std::move(merged));
    }
    return all;
}

Result<ChunkKeys> write_staged_keys(Store& store, std::span<const ChunkKeys> statements) {
    ChunkKeys all;
    for (size_t i = 0; i < statements.front().size(); i++) {
        std::vector<index::RunSource> sources;
        for (const ChunkKeys& keys : statements) sources.push_back({keys[i], 0});
        ASSIGN_OR_RETURN(auto run,
                         index::merge_to_file(store, sources, [](uint64_t) { return true; }));
        all.push_back(std::move(run));
    }
    return all;
}

}  // namespace trefoil::table
