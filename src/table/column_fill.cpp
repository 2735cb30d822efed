// ColumnFill: the rows that live go out to be computed, and come back to their places.

#include "table/column_fill.h"

#include <algorithm>
#include <thread>

#include "arrow/compute.h"
#include "base/check.h"
#include "table/keyed_rows.h"
#include "table/segment.h"
#include "table/table_store.h"

namespace trefoil::table {
namespace {

// The rows of these columns of the chunk that live, under the columns' names.
Result<arrow::Batch> rows_of(const Chunk& chunk, std::span<const uint32_t> positions,
                             std::span<const uint32_t> live) {
    auto schema = std::make_shared<arrow::Schema>();
    arrow::Batch batch{schema, static_cast<int64_t>(live.size()), {}};
    for (uint32_t position : positions) {
        const catalog::ColumnDef& column = chunk.table().columns[position];
        schema->fields.push_back({column.name, column.type, !column.not_null});
        ASSIGN_OR_RETURN(const arrow::Array* values, chunk.column(position));
        const bool all = live.size() == chunk.rows();
        batch.columns.push_back(all ? *values : arrow::take(*values, live));
    }
    return batch;
}

// The positions of all columns that these use; the first one if they use none, as there must be
// rows.
std::vector<uint32_t> used_by(const catalog::TableDef& table, std::span<const uint32_t> wanted) {
    std::vector<uint32_t> used;
    for (uint32_t i = 0; i < table.columns.size(); i++) {
        const uint32_t id = table.columns[i].id;
        if (std::any_of(wanted.begin(), wanted.end(),
                        [&](uint32_t w) { return table.columns[w].uses_column(id); })) {
            used.push_back(i);
        }
    }
    if (used.empty()) used.push_back(0);
    return used;
}

// NULL for the rows that are not live.
arrow::Array spread(const arrow::Array& values, std::span<const uint32_t> live, uint64_t rows) {
    const arrow::Array null = arrow::make_nulls(values.type, 1);
    std::vector<arrow::RowRef> refs(rows, arrow::RowRef{1, 0});
    for (uint32_t i = 0; i < live.size(); i++) refs[live[i]] = {0, i};
    const std::vector<const arrow::Array*> sources = {&values, &null};
    return arrow::gather(sources, refs);
}

}  // namespace

std::vector<uint32_t> ColumnFill::lacking(const catalog::TableDef& before,
                                          const catalog::TableDef& after) {
    std::vector<uint32_t> positions;
    for (uint32_t i = 0; i < after.columns.size(); i++) {
        const catalog::ColumnDef& column = after.columns[i];
        if (column.is_hidden() && !before.find_column_id(column.id)) positions.push_back(i);
    }
    return positions;
}

Result<std::vector<arrow::Array>> ColumnFill::compute(const Part& part, const Chunk& chunk,
                                                      std::span<const uint32_t> wanted) const {
    std::vector<uint32_t> live;
    for (uint32_t row = 0; row < chunk.rows(); row++) {
        if (!part.is_dead(row)) live.push_back(row);
    }
    std::vector<arrow::Array> columns;
    if (live.empty()) {
        for (uint32_t position : wanted) {
            const auto rows = static_cast<int64_t>(chunk.rows());
            columns.push_back(arrow::make_nulls(def_->columns[position].type, rows));
        }
        return columns;
    }
    ASSIGN_OR_RETURN(arrow::Batch rows, rows_of(chunk, used_by(*def_, wanted), live));
    ASSIGN_OR_RETURN(columns, store_.options_.compute(*def_, wanted, rows, work_.cancel));
    for (arrow::Array& column : columns) {
        if (live.size() < chunk.rows()) column = spread(column, live, chunk.rows());
        column = to_store(column);
    }
    return columns;
}

Result<ChunkPtr> ColumnFill::fill(const Part& part) {
    const std::vector<uint32_t> wanted = lacking(part.chunk->table(), *def_);
    if (wanted.empty()) return part.chunk;
    if (!store_.options_.compute) return Status::unsupported("computing columns of rows");
    const ChunkPtr chunk = part.chunk->with_definition(def_);
    ASSIGN_OR_RETURN(std::vector<arrow::Array> values, compute(part, *chunk, wanted));
    SegmentFilesPtr files;
    if (chunk->files()) {
        ASSIGN_OR_RETURN(files, write_columns(store_.store(), *def_, wanted, values));
        std::lock_guard lock(mutex_);
        staged_->add(files->own());
    }
    RETURN_IF_ERROR(work_.advance(chunk->rows()));
    return chunk->with_columns(wanted, std::move(values), files);
}

Status ColumnFill::fill(TableVersion& table, const AlteredChunks& known) {
    if (!is_needed(table.def(), *def_)) return {};
    std::vector<Part> parts;
    uint64_t rows = 0;
    for (size_t i = 0; i < table.part_count(); i++) {
        if (known.contains(table.part(i).chunk.get())) continue;
        parts.push_back(table.part(i));
        rows += parts.back().chunk->rows();
    }
    work_.enter(IndexProgress::Phase::kComputing, rows);
    AlteredChunks filled;
    Status error;
    std::mutex mutex;  // guards both
    std::atomic<size_t> next{0};
    auto run = [&] {
        for (size_t i = next++; i < parts.size(); i = next++) {
            auto chunk = fill(parts[i]);
            std::lock_guard lock(mutex);
            if (error.ok()) error = chunk.status();
            if (!error.ok()) return;
            filled[parts[i].chunk.get()] = *chunk;
        }
    };
    std::vector<std::jthread> threads;
    for (size_t i = 1; i < std::min(work_.threads, parts.size()); i++) threads.emplace_back(run);
    run();
    threads.clear();
    RETURN_IF_ERROR(error);
    table.replace_chunks(filled);
    return {};
}

}  // namespace trefoil::table
