// Building an index: one run in memory for each segment, merged into a file.

#include "table/index_build.h"

#include <optional>
#include <vector>

#include "base/check.h"
#include "table/keyed_rows.h"

namespace trefoil::table {
namespace {

Result<std::vector<const arrow::Array*>> key_columns(const Chunk& chunk,
                                                     const catalog::IndexDef& index) {
    std::vector<const arrow::Array*> columns;
    for (uint32_t position : index.columns) {
        ASSIGN_OR_RETURN(const arrow::Array* column, chunk.column(position));
        columns.push_back(column);
    }
    return columns;
}

// The keys of the part's live rows -> their ids.
Result<index::KeyRunPtr> run_of(const Part& part, const TableVersion& table, size_t index) {
    ASSIGN_OR_RETURN(auto columns, key_columns(*part.chunk, table.index_def(index)));
    const index::KeyEncoder& encoder = table.encoder(index);
    const RowIds& ids = part.chunk->row_ids();
    index::KeyRunBuilder builder(encoder.shape());
    builder.reserve(part.live_rows());
    index::Key key;
    for (uint64_t row = 0; row < part.chunk->rows(); row++) {
        if (part.is_dead(row)) continue;
        encoder.encode(columns, static_cast<int64_t>(row), &key);
        builder.add(key, ids.at(row));
    }
    return builder.finish();
}

Status duplicate(const TableVersion& table, size_t index, Location at) {
    const catalog::IndexDef& def = table.index_def(index);
    ASSIGN_OR_RETURN(std::string key,
                     key_text(table.def(), def.columns, *table.part(at.part).chunk, at.row));
    return Status(Code::kInvalidInput, "23505",
                  "could not create unique index \"" + def.name + "\"")
        .with_detail(key + " is duplicated in table \"" + table.def().name + "\".");
}

// All entries of the index, those of rows in memory too, under their row ids.
index::KeyRunPtr all_entries(const TableVersion& table, size_t index) {
    index::KeyRunBuilder builder(table.encoder(index).shape());
    builder.reserve(table.delta_rows());
    for (const Part& p : table.delta()) {
        const index::KeyRun& keys = *p.chunk->keys()[index];
        for (uint64_t at = 0; at < keys.size(); at++) {
            const uint64_t row = keys.row_id(at);
            if (!p.is_dead(row)) builder.add(keys.key(at), p.chunk->row_ids().at(row));
        }
    }
    std::vector<index::RunSource> sources = {{builder.finish(), 0}};
    for (const RunPart& r : table.runs(index)) sources.push_back({r.run, r.row_id_base});
    return index::merge_in_memory(sources,
                                  [&](uint64_t id) { return table.locate(id).has_value(); });
}

}  // namespace

Result<index::KeyRunPtr> build_run(Store& store, const TableVersion& table, size_t index,
                                   const std::set<uint64_t>& skip) {
    std::vector<index::RunSource> sources;
    for (std::span<const Part> parts : {table.base(), table.patches()}) {
        for (const Part& part : parts) {
            if (skip.contains(part.segment_id) || part.live_rows() == 0) continue;
            ASSIGN_OR_RETURN(auto run, run_of(part, table, index));
            sources.push_back({std::move(run), 0});
        }
    }
    if (sources.empty()) return index::KeyRunPtr();
    return index::merge_to_file(store, sources, [](uint64_t) { return true; });
}

index::KeyRunPtr staged_entries(const TableVersion& table, size_t index) {
    std::vector<index::RunSource> sources = {
        {index::KeyRunBuilder(table.encoder(index).shape()).finish(), 0}};
    for (const Part& p : table.delta()) {
        if (!p.chunk->file()) continue;
        sources.push_back({p.chunk->keys()[index], p.chunk->row_ids().first() - kPrivateRowId});
    }
    return index::merge_in_memory(sources, [](uint64_t) { return true; });
}

Status check_no_duplicates(const TableVersion& table, size_t index) {
    const index::KeyRunPtr entries = all_entries(table, index);
    std::optional<index::Key> before;
    for (uint64_t i = 0; i < entries->size(); i++) {
        index::Key key = entries->key(i);
        // An entry may be of a row that has got another key since, or hold a NULL.
        const bool repeated =
            (before && *before == key) || (i + 1 < entries->size() && entries->key(i + 1) == key);
        if (!repeated) continue;
        const auto at = table.locate(entries->row_id(i));
        CHECK(at.has_value());
        ASSIGN_OR_RETURN(bool same, table.has_key(index, *at, key, /*or_null=*/false));
        if (!same) continue;
        if (before && *before == key) return duplicate(table, index, *at);
        before = std::move(key);
    }
    return {};
}

}  // namespace trefoil::table
