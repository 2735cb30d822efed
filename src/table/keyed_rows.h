// Putting rows together: gathering live rows out of parts, and building their keys.
//
// What commits, flushes and merges share: all of them take live rows from several parts, order them
// by row id, and make a chunk of the result.

#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "arrow/array.h"
#include "catalog/catalog.h"
#include "index/key_encoder.h"
#include "index/key_run.h"
#include "table/table_version.h"

namespace trefoil::table {

// Which rows are in an index: all, unless it is partial.
class RowFilter {
public:
    // Of rows with these columns, all of the table's, which must outlive this.
    RowFilter(const catalog::IndexDef& index, const std::vector<arrow::Array>& columns);
    // Of the rows of a chunk. Errors: kCorruption.
    static Result<RowFilter> make(const catalog::IndexDef& index, const Chunk& chunk);

    bool takes(int64_t row) const;

private:
    RowFilter() = default;
    std::vector<const arrow::Array*> columns_;  // all true
};

// Values as they are stored: compact, and with one form of NaN.
arrow::Array to_store(const arrow::Array& values);

// A live row of a list of parts.
struct LiveRow {
    uint64_t row_id;
    uint32_t part;
    uint32_t row;
};

// All live rows of the parts, by row id.
std::vector<LiveRow> live_rows(std::span<const Part> parts);

// Their row ids.
RowIds ids_of(std::span<const LiveRow> rows);

// Their values in every column, in this order, as arrays of their own.
Result<std::vector<arrow::Array>> gather_columns(std::span<const Part> parts,
                                                 std::span<const LiveRow> rows,
                                                 const catalog::TableDef& table);

// The keys that these rows have in each index of the table -> row.
ChunkKeys build_keys(const std::vector<arrow::Array>& columns, const TableVersion& table);

// The keys that the rows of a chunk have in one index of the table -> row. Errors: kCorruption.
Result<index::KeyRunPtr> keys_of(const Chunk& chunk, const TableVersion& table, size_t index);

// The columns of a row at these positions, for messages: "Key (a, b)=(1, 2)". Errors: kCorruption.
Result<std::string> key_text(const catalog::TableDef& table, std::span<const uint32_t> positions,
                             const Chunk& chunk, uint64_t row);

// One part in memory with the live rows of all. It may be empty.
Result<Part> merge_parts(std::span<const Part> parts, const TableVersion& table);

}  // namespace trefoil::table
