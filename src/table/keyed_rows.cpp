// Gathering live rows and building their keys.

#include "table/keyed_rows.h"

#include <algorithm>

#include "arrow/compute.h"
#include "arrow/nan_signs.h"
#include "arrow/value.h"
#include "base/check.h"

namespace trefoil::table {

RowFilter::RowFilter(const catalog::IndexDef& index, const std::vector<arrow::Array>& columns) {
    for (uint32_t position : index.filters) columns_.push_back(&columns[position]);
}

Result<RowFilter> RowFilter::make(const catalog::IndexDef& index, const Chunk& chunk) {
    RowFilter filter;
    for (uint32_t position : index.filters) {
        ASSIGN_OR_RETURN(const arrow::Array* column, chunk.column(position));
        filter.columns_.push_back(column);
    }
    return filter;
}

bool RowFilter::takes(int64_t row) const {
    return std::all_of(columns_.begin(), columns_.end(), [&](const arrow::Array* column) {
        return column->is_valid(row) && column->bool_at(row);
    });
}

arrow::Array to_store(const arrow::Array& values) {
    return arrow::without_nan_signs(arrow::compact(values));
}

std::vector<LiveRow> live_rows(std::span<const Part> parts) {
    std::vector<LiveRow> rows;
    uint64_t total = 0;
    for (const Part& p : parts) total += p.live_rows();
    rows.reserve(total);
    for (uint32_t i = 0; i < parts.size(); i++) {
        const RowIds& ids = parts[i].chunk->row_ids();
        for (uint32_t row = 0; row < ids.count(); row++) {
            if (!parts[i].is_dead(row)) rows.push_back({ids.at(row), i, row});
        }
    }
    auto by_id = [](const LiveRow& a, const LiveRow& b) { return a.row_id < b.row_id; };
    if (!std::is_sorted(rows.begin(), rows.end(), by_id))
        std::sort(rows.begin(), rows.end(), by_id);
    return rows;
}

RowIds ids_of(std::span<const LiveRow> rows) {
    std::vector<uint64_t> ids;
    ids.reserve(rows.size());
    for (const LiveRow& r : rows) ids.push_back(r.row_id);
    return RowIds::listed(std::move(ids));
}

Result<std::vector<arrow::Array>> gather_columns(std::span<const Part> parts,
                                                 std::span<const LiveRow> rows,
                                                 const catalog::TableDef& table) {
    std::vector<arrow::RowRef> refs;
    refs.reserve(rows.size());
    for (const LiveRow& r : rows) refs.push_back({r.part, r.row});
    std::vector<arrow::Array> columns;
    std::vector<const arrow::Array*> sources(parts.size());
    for (uint32_t c = 0; c < table.columns.size(); c++) {
        for (size_t i = 0; i < parts.size(); i++) {
            ASSIGN_OR_RETURN(sources[i], parts[i].chunk->column(c));
        }
        columns.push_back(arrow::compact(arrow::gather(sources, refs)));
    }
    return columns;
}

namespace {

index::KeyRunPtr build_run(std::span<const arrow::Array* const> columns,
                           const index::KeyEncoder& encoder, const RowFilter& filter) {
    const int64_t rows = columns[0]->length;
    index::KeyRunBuilder builder(encoder.shape());
    builder.reserve(static_cast<uint64_t>(rows));
    index::Key key;
    for (int64_t row = 0; row < rows; row++) {
        if (!filter.takes(row)) continue;
        encoder.encode(columns, row, &key);
        builder.add(key, static_cast<uint64_t>(row));
    }
    return builder.finish();
}

}  // namespace

ChunkKeys build_keys(const std::vector<arrow::Array>& columns, const TableVersion& table) {
    ChunkKeys keys;
    keys.reserve(table.index_count());
    for (size_t i = 0; i < table.index_count(); i++) {
        std::vector<const arrow::Array*> key_columns;
        for (uint32_t position : table.index_def(i).columns) {
            key_columns.push_back(&columns[position]);
        }
        keys.push_back(build_run(key_columns, table.encoder(i), {table.index_def(i), columns}));
    }
    return keys;
}

Result<index::KeyRunPtr> keys_of(const Chunk& chunk, const TableVersion& table, size_t index) {
    std::vector<const arrow::Array*> key_columns;
    for (uint32_t position : table.index_def(index).columns) {
        ASSIGN_OR_RETURN(const arrow::Array* column, chunk.column(position));
        key_columns.push_back(column);
    }
    ASSIGN_OR_RETURN(RowFilter filter, RowFilter::make(table.index_def(index), chunk));
    return build_run(key_columns, table.encoder(index), filter);
}

Result<std::string> key_text(const catalog::TableDef& table, std::span<const uint32_t> positions,
                             const Chunk& chunk, uint64_t row) {
    std::string names, values;
    for (uint32_t position : positions) {
        ASSIGN_OR_RETURN(const arrow::Array* column, chunk.column(position));
        if (!names.empty()) {
            names += ", ";
            values += ", ";
        }
        names += table.columns[position].shown_name();
        arrow::append_text(*column, static_cast<int64_t>(row), &values);
    }
    return "Key (" + names + ")=(" + values + ")";
}

Result<Part> merge_parts(std::span<const Part> parts, const TableVersion& table) {
    std::vector<LiveRow> rows = live_rows(parts);
    ASSIGN_OR_RETURN(std::vector<arrow::Array> columns, gather_columns(parts, rows, table.def()));
    ChunkKeys keys = build_keys(columns, table);
    return Part{
        Chunk::in_memory(table.def_ptr(), ids_of(rows), std::move(columns), std::move(keys)),
        nullptr, 0};
}

}  // namespace trefoil::table
