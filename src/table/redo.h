// Redo records: what one commit did, self-contained, as drawn in manifest_format.h.

#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "arrow/array.h"
#include "base/bytes.h"
#include "catalog/catalog.h"
#include "table/row_ids.h"

namespace trefoil::table {

// One table's share of a record. In a record that was read, the columns are those of the table as
// it is now, whatever it was when the record was written.
struct RedoTable {
    uint32_t table_id = 0;
    uint64_t next_row_id = 0;
    std::vector<uint32_t> keys_moved;  // ids of indexes
    std::vector<uint32_t> column_ids;
    std::vector<uint64_t> killed;
    struct Rows {
        RowIds ids;
        std::vector<arrow::Array> columns;
    };
    std::vector<Rows> parts;
};

std::string encode_redo(const std::vector<RedoTable>& tables);

// True if the record is in a form that says nothing of columns that were altered since.
bool is_old_redo(Bytes record);

// `find` names the schema of a table, or null if the table was dropped since: its share is skipped.
// Errors: kCorruption if the record is malformed, kUnsupported if it is of a newer format.
Result<std::vector<RedoTable>> decode_redo(
    Bytes record, const std::function<catalog::TablePtr(uint32_t table)>& find);

}  // namespace trefoil::table
