// information_schema, what it says of constraints: which there are, over which columns, and what
// foreign keys refer to.

#include <algorithm>
#include <functional>

#include "db/system_tables.h"

namespace trefoil {
namespace {

using catalog::ForeignKeyDef;
using catalog::IndexDef;
using catalog::TableDef;

constexpr const char* kDatabase = "trefoil";

// A constraint of any kind. Of `index`, `check` and `foreign_key` one is set.
struct Constraint {
    const TableDef& table;
    const std::string& name;
    const char* type;
    const IndexDef* index = nullptr;
    const catalog::CheckDef* check = nullptr;
    const ForeignKeyDef* foreign_key = nullptr;

    // Of the key that it is or refers with; a CHECK has none.
    std::vector<uint32_t> columns() const {
        if (index) return index->columns;
        return foreign_key ? foreign_key->columns : std::vector<uint32_t>();
    }
};

void for_each_constraint(const table::Version& version,
                         const std::function<void(const Constraint&)>& visit) {
    for (const catalog::TablePtr& t : version.catalog->tables()) {
        for (const IndexDef& index : t->indexes) {
            if (!index.is_constraint) continue;
            visit({*t, index.name, index.is_primary ? "PRIMARY KEY" : "UNIQUE", &index});
        }
        for (const catalog::CheckDef& check : t->checks) {
            visit({*t, check.name, "CHECK", nullptr, &check});
        }
        for (const ForeignKeyDef& key : t->foreign_keys) {
            visit({*t, key.name, "FOREIGN KEY", nullptr, nullptr, &key});
        }
    }
}

// The table that a foreign key refers to, and its index.
std::pair<catalog::TablePtr, const IndexDef*> referred(const table::Version& version,
                                                       const ForeignKeyDef& key) {
    catalog::TablePtr parent = version.catalog->find(key.table);
    const auto index = parent ? catalog::referenced_index(*parent, key) : std::nullopt;
    return {parent, index ? &parent->indexes[*index] : nullptr};
}

TableRows table_constraints(const table::Version& version) {
    TableRows rows;
    for_each_constraint(version, [&](const Constraint& c) {
        rows.push_back({kDatabase, c.table.schema_name, c.name, kDatabase, c.table.schema_name,
                        c.table.name, c.type, "NO", "NO"});
    });
    return rows;
}

// The place of a column of a foreign key in the key that it refers to, from 1.
Value position_in_key(const table::Version& version, const ForeignKeyDef& key, size_t column) {
    const auto [parent, index] = referred(version, key);
    if (!index) return {};
    for (size_t i = 0; i < index->key_columns().size(); i++) {
        if (parent->columns[index->columns[i]].id == key.referenced[column]) {
            return static_cast<int64_t>(i) + 1;
        }
    }
    return {};
}

TableRows key_column_usage(const table::Version& version) {
    TableRows rows;
    for_each_constraint(version, [&](const Constraint& c) {
        const std::vector<uint32_t> columns = c.columns();
        for (size_t i = 0; i < columns.size(); i++) {
            rows.push_back({kDatabase, c.table.schema_name, c.name, kDatabase, c.table.schema_name,
                            c.table.name, c.table.columns[columns[i]].name,
                            static_cast<int64_t>(i) + 1,
                            c.foreign_key ? position_in_key(version, *c.foreign_key, i) : Value()});
        }
    });
    return rows;
}

TableRows check_constraints(const table::Version& version) {
    TableRows rows;
    for_each_constraint(version, [&](const Constraint& c) {
        if (!c.check) return;
        rows.push_back({kDatabase, c.table.schema_name, c.name, c.check->condition});
    });
    return rows;
}

TableRows referential_constraints(const table::Version& version) {
    TableRows rows;
    for_each_constraint(version, [&](const Constraint& c) {
        if (!c.foreign_key) return;
        const ForeignKeyDef& key = *c.foreign_key;
        const auto [parent, index] = referred(version, key);
        if (!index) return;
        rows.push_back({kDatabase, c.table.schema_name, c.name, kDatabase, parent->schema_name,
                        index->name, key.match_full ? "FULL" : "NONE",
                        std::string(catalog::action_name(key.on_update)),
                        std::string(catalog::action_name(key.on_delete))});
    });
    return rows;
}

// Of a foreign key the columns that it refers to, of the others their own.
TableRows constraint_column_usage(const table::Version& version) {
    TableRows rows;
    for_each_constraint(version, [&](const Constraint& c) {
        auto add = [&](const TableDef& table, const std::string& column) {
            rows.push_back({kDatabase, table.schema_name, table.name, column, kDatabase,
                            c.table.schema_name, c.name});
        };
        if (c.foreign_key) {
            const auto [parent, index] = referred(version, *c.foreign_key);
            for (uint32_t id : c.foreign_key->referenced) {
                const auto position = parent ? parent->find_column_id(id) : std::nullopt;
                if (position) add(*parent, parent->columns[*position].name);
            }
            return;
        }
        for (uint32_t position : c.check ? c.check->columns : c.index->columns) {
            add(c.table, c.table.columns[position].name);
        }
    });
    return rows;
}

}  // namespace

void add_constraint_tables(access::VirtualTables& all) {
    add_table(
        all, "information_schema.table_constraints",
        {"constraint_catalog", "constraint_schema", "constraint_name", "table_catalog",
         "table_schema", "table_name", "constraint_type", "is_deferrable", "initially_deferred"},
        {}, table_constraints);
    add_table(all, "information_schema.key_column_usage",
              {"constraint_catalog", "constraint_schema", "constraint_name", "table_catalog",
               "table_schema", "table_name", "column_name"},
              {"ordinal_position", "position_in_unique_constraint"}, key_column_usage);
    add_table(all, "information_schema.check_constraints",
              {"constraint_catalog", "constraint_schema", "constraint_name", "check_clause"}, {},
              check_constraints);
    add_table(all, "information_schema.referential_constraints",
              {"constraint_catalog", "constraint_schema", "constraint_name",
               "unique_constraint_catalog", "unique_constraint_schema", "unique_constraint_name",
               "match_option", "update_rule", "delete_rule"},
              {}, referential_constraints);
    add_table(all, "information_schema.constraint_column_usage",
              {"table_catalog", "table_schema", "table_name", "column_name", "constraint_catalog",
               "constraint_schema", "constraint_name"},
              {}, constraint_column_usage);
}

}  // namespace trefoil
