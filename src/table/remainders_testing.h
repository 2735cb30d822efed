// A hidden column for tests, (id % 7) over the first column of a table, and an index over it: what
// CREATE INDEX over an expression makes, with C++ in the place of SQL.

#pragma once

#include <string_view>

#include "arrow/builder.h"
#include "table/transaction.h"

namespace trefoil::table {

// What the column holds for these ids.
inline arrow::Array remainders(const arrow::Array& ids) {
    arrow::ColumnBuilder out(arrow::int64());
    for (int64_t i = 0; i < ids.length; i++) out.append_int64(ids.values<int64_t>()[i] % 7);
    return out.finish();
}

// The column comes last, and so does the index.
inline Status add_remainders(Transaction& txn, std::string_view table) {
    catalog::TableDef def = *txn.view()->catalog->find(table);
    catalog::ColumnDef column;
    column.id = def.next_column_id++;
    column.name = "\1(id % 7)";
    column.type = arrow::int64();
    column.generated = catalog::ColumnDef::Generated::kStored;
    column.default_sql = "(id % 7)";
    column.uses = {def.columns[0].id};
    const auto position = static_cast<uint32_t>(def.columns.size());
    def.columns.push_back(column);
    RETURN_IF_ERROR(txn.alter_indexes(def));
    def = *txn.view()->catalog->find(table);
    def.indexes.push_back({0, "", {position}, false, false, false});
    return txn.alter_indexes(def);
}

// Takes both away. REQUIRES: they are the last.
inline Status drop_remainders(Transaction& txn, std::string_view table) {
    catalog::TableDef def = *txn.view()->catalog->find(table);
    def.indexes.pop_back();
    def.columns.pop_back();
    return txn.alter_indexes(def);
}

}  // namespace trefoil::table
