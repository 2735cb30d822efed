// CREATE and DROP: what a statement asks for becomes a definition of the catalog.
//
// The names in it are checked here, against the catalog that the transaction sees; what every
// definition must satisfy is checked by catalog::validate.

#include <algorithm>

#include "db/session_state.h"

namespace trefoil {

using Answer = Session::State::Answer;

namespace {

// The positions of these columns, for a key.
Result<std::vector<uint32_t>> key_columns(const std::vector<engine::Name>& names,
                                          const catalog::TableDef& table) {
    std::vector<uint32_t> positions;
    for (const engine::Name& name : names) {
        auto position = table.find_column(name.text);
        if (!position) {
            return Status(Code::kInvalidInput, "42703",
                          "column \"" + name.text + "\" named in key does not exist")
                .with_position(name.position);
        }
        positions.push_back(*position);
    }
    return positions;
}

// Adds PRIMARY KEY or UNIQUE to a table. A UNIQUE without a name over the columns of a key that is
// already there says nothing new.
Status add_key(const engine::KeySpec& spec, catalog::TableDef* table) {
    ASSIGN_OR_RETURN(auto columns, key_columns(spec.columns, *table));
    catalog::IndexDef key;
    if (spec.name) key.name = spec.name->text;
    key.unique = key.is_constraint = true;
    key.is_primary = spec.is_primary;
    const bool known = std::any_of(
        table->indexes.begin(), table->indexes.end(),
        [&](const catalog::IndexDef& other) { return other.unique && other.columns == columns; });
    if (known && !spec.is_primary && !spec.name) return {};
    key.columns = std::move(columns);
    table->indexes.insert(spec.is_primary ? table->indexes.begin() : table->indexes.end(),
                          std::move(key));
    return {};
}

catalog::CheckDef check_of(const engine::CheckSpec& spec, const catalog::TableDef& table) {
    catalog::CheckDef check;
    if (spec.name) check.name = spec.name->text;
    check.condition = spec.condition;
    for (const std::string& column : spec.columns) {
        check.columns.push_back(table.find_column(column).value());
    }
    return check;
}

}  // namespace

Result<Answer> Session::State::create_table(const engine::CreateTable& statement) {
    catalog::TableDef def;
    def.name = statement.table.text;
    for (const engine::ColumnSpec& spec : statement.columns) {
        catalog::ColumnDef column;
        column.name = spec.name.text;
        column.type = spec.type;
        column.char_length = spec.char_length;
        column.not_null = spec.not_null;
        column.default_sql = spec.default_sql;
        if (spec.default_sql) {
            Status fits = engine->evaluate(*spec.default_sql, spec.type).status();
            if (!fits.ok()) {
                return std::move(fits).with_detail("column \"" + column.name + "\" is of type " +
                                                   column.sql_type());
            }
        }
        def.columns.push_back(std::move(column));
    }
    for (const engine::KeySpec& key : statement.keys) RETURN_IF_ERROR(add_key(key, &def));
    for (const engine::CheckSpec& spec : statement.checks)
        def.checks.push_back(check_of(spec, def));
    RETURN_IF_ERROR(catalog::name_checks(def));
    bool exists = false;
    auto work = [&](table::Transaction& t) -> Result<uint64_t> {
        exists = t.view()->catalog->find(def.name) != nullptr;
        if (exists && statement.if_not_exists) return uint64_t{0};
        if (exists) {
            return Status(Code::kInvalidInput, "42P07", "table \"" + def.name + "\" already exists")
                .with_position(statement.table.position);
        }
        if (db.system_tables.contains(def.name)) {
            return Status(Code::kInvalidInput, "42939",
                          "\"" + def.name + "\" is the name of a system table")
                .with_position(statement.table.position);
        }
        RETURN_IF_ERROR(t.create_table(def));
        return uint64_t{0};
    };
    RETURN_IF_ERROR(change(work).status());
    return done("CREATE TABLE");
}

Result<Answer> Session::State::drop_table(const engine::DropTable& statement) {
    auto work = [&](table::Transaction& t) -> Result<uint64_t> {
        for (const engine::Name& name : statement.tables) {
            auto table = table_to_change(*t.view(), name);
            if (table.status().sqlstate() == "42P01" && statement.if_exists) continue;
            if (!table.ok()) return table.status();
            RETURN_IF_ERROR(t.drop_table((*table)->id));
        }
        return uint64_t{0};
    };
    RETURN_IF_ERROR(change(work).status());
    return done("DROP TABLE");
}

}  // namespace trefoil
