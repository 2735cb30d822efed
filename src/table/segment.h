// Segments: chunks written to files, as drawn in segment_format.h.

#pragma once

#include <memory>
#include <vector>

#include "arrow/array.h"
#include "catalog/catalog.h"
#include "storage/store.h"
#include "table/row_ids.h"

namespace trefoil::table {

// What a segment file's directory says.
struct SegmentDirectory {
    uint64_t rows = 0;
    bool ids_listed = false;
    uint64_t ids_offset = 0;
    struct ArrayPlace {
        uint64_t length = 0, null_count = 0;
        std::vector<std::pair<uint64_t, uint64_t>> buffers;  // offset, bytes
        std::vector<ArrayPlace> children;
        std::string format;
    };
    std::vector<uint32_t> column_ids;
    std::vector<ArrayPlace> columns;

    // Where the column with this id is; null if the segment was written without it.
    const ArrayPlace* find(uint32_t column_id) const;
};

// Writes a durable segment file of these columns; `ids` is written too if it is listed.
// REQUIRES: compact arrays of storage types (arrow::compact), at most kSegmentRows rows.
Result<std::shared_ptr<const DataFile>> write_segment(Store& store, const catalog::TableDef& table,
                                                      const RowIds& ids,
                                                      const std::vector<arrow::Array>& columns);

Result<SegmentDirectory> read_segment_directory(const DataFile& file);

// The listed row ids of a segment.
Result<RowIds> read_row_ids(const std::shared_ptr<const DataFile>& file,
                            const SegmentDirectory& directory);

// One column, its buffers in the mapped file, verified.
Result<arrow::Array> read_column(const std::shared_ptr<const DataFile>& file,
                                 const SegmentDirectory::ArrayPlace& place,
                                 const arrow::Type& type);

}  // namespace trefoil::table
