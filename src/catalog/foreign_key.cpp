// Foreign keys: finding the index that they refer to, and their text.

#include "catalog/foreign_key.h"

#include <algorithm>

#include "base/check.h"
#include "catalog/catalog.h"

namespace trefoil::catalog {

std::string_view action_name(ReferenceAction action) {
    switch (action) {
        case ReferenceAction::kNoAction:
            return "NO ACTION";
        case ReferenceAction::kRestrict:
            return "RESTRICT";
        case ReferenceAction::kCascade:
            return "CASCADE";
        case ReferenceAction::kSetNull:
            return "SET NULL";
        case ReferenceAction::kSetDefault:
            return "SET DEFAULT";
    }
    return "";
}

bool ForeignKeyDef::uses(uint32_t position) const {
    return std::find(columns.begin(), columns.end(), position) != columns.end();
}

std::optional<size_t> referenced_index(const TableDef& table, const ForeignKeyDef& key) {
    std::vector<uint32_t> wanted = key.referenced;
    std::sort(wanted.begin(), wanted.end());
    for (size_t i = 0; i < table.indexes.size(); i++) {
        if (!table.indexes[i].unique || table.indexes[i].is_partial()) continue;
        std::vector<uint32_t> ids;
        for (uint32_t position : table.indexes[i].key_columns()) {
            ids.push_back(table.columns[position].id);
        }
        std::sort(ids.begin(), ids.end());
        if (ids == wanted) return i;
    }
    return std::nullopt;
}

std::string foreign_key_sql(const TableDef& table, const ForeignKeyDef& key,
                            const Catalog& catalog) {
    const TablePtr parent = catalog.find(key.table);
    CHECK(parent != nullptr);
    std::string columns, referenced;
    for (uint32_t position : key.columns) {
        columns += (columns.empty() ? "" : ", ") + quoted(table.columns[position].name);
    }
    for (uint32_t id : key.referenced) {
        const auto position = parent->find_column_id(id);
        CHECK(position.has_value());
        referenced += (referenced.empty() ? "" : ", ") + quoted(parent->columns[*position].name);
    }
    std::string sql = "CONSTRAINT " + quoted(key.name) + " FOREIGN KEY (" + columns +
                      ") REFERENCES " + parent->sql_name() + "(" + referenced + ")";
    if (key.match_full) sql += " MATCH FULL";
    for (const auto& [when, action] :
         {std::pair(" ON UPDATE ", key.on_update), std::pair(" ON DELETE ", key.on_delete)}) {
        if (action == ReferenceAction::kNoAction) continue;
        sql += when + std::string(action_name(action));
    }
    return sql;
}

}  // namespace trefoil::catalog
