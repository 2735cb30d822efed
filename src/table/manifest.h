// The manifest: which segments and runs a table has, as rows of the root. Drawn in
// manifest_format.h.

#pragma once

#include <cstdint>
#include <set>
#include <vector>

#include "storage/store.h"
#include "table/table_version.h"

namespace trefoil::table {

// Writing, inside a transaction of the root.
Status put_segment(WriteTransaction& root, const catalog::TableDef& table, const Part& part,
                   bool patch);
// What put_segment() says of its files, after one came or went beside the first: neither its dead
// rows nor the columns of the first are written anew.
Status put_segment_files(WriteTransaction& root, const catalog::TableDef& table, const Part& part,
                         bool patch);
Status put_dead_rows(WriteTransaction& root, uint32_t table, const Part& part);
Status put_run(WriteTransaction& root, uint32_t table, uint32_t index_id, const RunPart& run);
Status put_table_state(WriteTransaction& root, const TableVersion& table);
Status erase_segment(WriteTransaction& root, uint32_t table, uint64_t segment_id);
Status erase_run(WriteTransaction& root, uint32_t table, uint64_t run_id);
// Everything of a table that was dropped.
Status erase_table(WriteTransaction& root, uint32_t table);

// Reads one table back. Opens its files and adds their names to `files`; raises `part_id_max` to
// the highest segment or run id seen. Files that `known`, an older version of the table or null,
// has open are not read again.
Result<TableVersion> load_table(const Store& store, const ReadTransaction& root,
                                const catalog::TablePtr& def, const TableVersion* known,
                                std::set<FileName>* files, uint64_t* part_id_max);

}  // namespace trefoil::table
