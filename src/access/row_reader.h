// RowReader: turns places of rows into batches of the columns that were asked for.
//
// What scans and lookups share. Rows of one part that follow each other go out as slices, uncopied;
// others are picked. The conditions that are left are checked before anything else is read.

#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "access/filter.h"
#include "arrow/array.h"
#include "table/table_version.h"

namespace trefoil::access {

// Reads columns of one part.
class RowReader {
public:
    // `projection` may name the column after the last one: the row id.
    RowReader(const table::TableVersion& table, std::vector<uint32_t> projection,
              arrow::SchemaPtr output, FilterProgram filter);

    // The rows of `part` at `rows` (ascending) as a batch of the projection. REQUIRES: rows is not
    // empty.
    Result<arrow::Batch> read(const table::Part& part, std::span<const uint32_t> rows) const;
    // Rows [begin, end) of it.
    Result<arrow::Batch> read_range(const table::Part& part, uint64_t begin, uint64_t end) const;

    // Keeps those of `rows` that pass the filter.
    Status filter(const table::Part& part, std::vector<uint32_t>* rows) const;
    // The live rows of [begin, end) that pass the filter; `all` is set instead if every row does.
    Status select(const table::Part& part, uint64_t begin, uint64_t end,
                  std::vector<uint32_t>* rows, bool* all) const;
    // False if the zone map of the part says that no row of [begin, end), one zone, can pass.
    bool may_match(const table::Part& part, uint64_t begin, uint64_t end) const;

    const arrow::SchemaPtr& schema() const { return output_; }
    const FilterProgram& program() const { return filter_; }

private:
    const table::TableVersion& table_;
    std::vector<uint32_t> projection_;
    arrow::SchemaPtr output_;
    FilterProgram filter_;
};

}  // namespace trefoil::access
