// Segments: chunks written to files, as drawn in segment_format.h.
//
// A segment is one file with all columns that its table had when it was written. Columns that were
// computed for its rows later (column_fill.h) are in files of their own beside it, until the
// segment is written anew.

#pragma once

#include <memory>
#include <span>
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

class SegmentFiles;
using SegmentFilesPtr = std::shared_ptr<const SegmentFiles>;

// The open files of one segment. Immutable.
class SegmentFiles : public std::enable_shared_from_this<SegmentFiles> {
public:
    // The segment's own file comes first. Errors: kCorruption, kUnsupported.
    static Result<SegmentFilesPtr> open(std::vector<std::shared_ptr<const DataFile>> files);

    const std::vector<std::shared_ptr<const DataFile>>& all() const { return files_; }
    const std::shared_ptr<const DataFile>& own() const { return files_.front(); }
    uint64_t rows() const { return directories_.front().rows; }
    // Whether it can be one of the table's: a column that its own file lacks must be younger than
    // all that it holds.
    bool fits(const catalog::TableDef& table) const;

    bool has(uint32_t column_id) const;
    // Whether it is in a file beside the segment's own.
    bool has_beside(uint32_t column_id) const;
    // One column, its buffers in the mapped file, verified. REQUIRES: has(). Errors: kCorruption.
    Result<arrow::Array> read(uint32_t column_id, const arrow::Type& type) const;
    // The listed row ids. Errors: kCorruption.
    Result<RowIds> row_ids() const;

    // With the files of some more columns.
    SegmentFilesPtr with(const SegmentFiles& columns) const;
    // Without the files beside its own that have no column of the table; itself if there are none.
    SegmentFilesPtr without_unused(const catalog::TableDef& table) const;

private:
    std::vector<std::shared_ptr<const DataFile>> files_;
    std::vector<SegmentDirectory> directories_;
};

// Of all columns, in the table's order.
std::vector<uint32_t> column_ids(const catalog::TableDef& table);

// Writes a durable segment file of these columns of the table; `ids` is written too if it is
// listed. REQUIRES: compact arrays of storage types (arrow::compact), at most kSegmentRows rows.
Result<SegmentFilesPtr> write_segment(Store& store, const catalog::TableDef& table,
                                      const RowIds& ids, const std::vector<arrow::Array>& columns);
// Likewise a file of the columns at these positions, which goes beside a segment of these rows.
Result<SegmentFilesPtr> write_columns(Store& store, const catalog::TableDef& table,
                                      std::span<const uint32_t> positions,
                                      const std::vector<arrow::Array>& columns);

}  // namespace trefoil::table
