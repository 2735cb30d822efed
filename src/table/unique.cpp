// Uniqueness of the primary key.

#include "table/unique.h"

#include <optional>

#include "arrow/value.h"
#include "base/check.h"

namespace trefoil::table {
namespace {

// 23505 for the key of one row: "(id)=(7)", as PostgreSQL words it.
Status duplicate_key(const catalog::TableDef& table, const Chunk& chunk, uint64_t row) {
    std::string names, values;
    for (uint32_t position : table.primary_key) {
        ASSIGN_OR_RETURN(const arrow::Array* column, chunk.column(position));
        if (!names.empty()) {
            names += ", ";
            values += ", ";
        }
        names += table.columns[position].name;
        arrow::append_text(*column, static_cast<int64_t>(row), &values);
    }
    return Status(
               Code::kInvalidInput, "23505",
               "duplicate key value violates unique constraint \"" + table.primary_key_name + "\"")
        .with_detail("Key (" + names + ")=(" + values + ") already exists in table \"" +
                     table.name + "\".");
}

}  // namespace

Status check_unique(const TableVersion& table, const Part& part) {
    if (!table.key_encoder()) return {};
    const index::KeyRun& keys = *part.chunk->keys();
    const bool others = table.live_rows() > 0;
    index::IndexCounters counters;
    std::optional<index::Key> before;
    for (uint64_t i = 0; i < keys.size(); i++) {
        const uint64_t row = keys.row_id(i);
        if (part.is_dead(row)) continue;
        index::Key key = keys.key(i);
        if (before && *before == key) return duplicate_key(table.def(), *part.chunk, row);
        if (others) {
            ASSIGN_OR_RETURN(auto found, table.find_key(key, counters));
            if (found) return duplicate_key(table.def(), *part.chunk, row);
        }
        before = std::move(key);
    }
    return {};
}

Result<std::shared_ptr<const index::KeyRun>> check_unique_bulk(const TableVersion& table,
                                                               std::span<const Part> parts) {
    if (!table.key_encoder()) return std::shared_ptr<const index::KeyRun>();
    std::vector<index::RunSource> sources;
    for (const Part& p : parts) {
        sources.push_back({p.chunk->keys(), p.chunk->row_ids().first() - kPrivateRowId});
    }
    auto merged = index::merge_in_memory(sources, [](uint64_t) { return true; });
    auto error = [&](uint64_t at) -> Status {
        for (const Part& p : parts) {
            if (auto row = p.chunk->row_ids().find(kPrivateRowId + merged->row_id(at))) {
                return duplicate_key(table.def(), *p.chunk, *row);
            }
        }
        CHECK(false && "a merged key belongs to no part");
        return {};
    };
    if (auto duplicate = merged->first_duplicate()) return error(*duplicate);
    if (table.live_rows() > 0) {
        index::IndexCounters counters;
        for (uint64_t i = 0; i < merged->size(); i++) {
            ASSIGN_OR_RETURN(auto found, table.find_key(merged->key(i), counters));
            if (found) return error(i);
        }
    }
    return std::shared_ptr<const index::KeyRun>(std::move(merged));
}

Result<std::shared_ptr<const index::KeyRun>> write_staged_keys(
    Store& store, std::span<const std::shared_ptr<const index::KeyRun>> runs) {
    std::vector<index::RunSource> sources;
    for (const auto& run : runs) sources.push_back({run, 0});
    return index::merge_to_file(store, sources, [](uint64_t) { return true; });
}

}  // namespace trefoil::table
