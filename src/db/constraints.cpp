// Constraints of a definition: adding, dropping, renaming, and checking them against the rows that
// are there.

#include "db/constraints.h"

#include <algorithm>

#include "base/check.h"
#include "base/text_format.h"
#include "db/change_sink.h"
#include "db/session_state.h"
#include "table/references.h"

namespace trefoil {
namespace {

using catalog::ForeignKeyDef;
using catalog::TableDef;

// The positions of these columns, for a key.
Result<std::vector<uint32_t>> key_columns(const std::vector<engine::Name>& names,
                                          const TableDef& table, const char* where) {
    std::vector<uint32_t> positions;
    for (const engine::Name& name : names) {
        auto position = table.find_column(name.text);
        if (!position) {
            return Status(Code::kInvalidInput, "42703",
                          "column \"" + name.text + "\" " + where + " does not exist")
                .with_position(name.position);
        }
        positions.push_back(*position);
    }
    return positions;
}

bool is_temporary(const TableDef& table) {
    return table.schema_name.starts_with(catalog::kTemporaryPrefix);
}

Status cannot_be(const std::string& key, const engine::Name& at, const char* sqlstate,
                 const std::string& detail) {
    return Status(Code::kInvalidInput, sqlstate,
                  "foreign key constraint \"" + key + "\" cannot be implemented")
        .with_detail(detail)
        .with_position(at.position);
}

bool is_integer(const arrow::Type& type) {
    using arrow::TypeId;
    return type.id == TypeId::kInt16 || type.id == TypeId::kInt32 || type.id == TypeId::kInt64;
}

// The table that a foreign key refers to.
Result<catalog::TablePtr> find_parent(const engine::Name& name, const catalog::Catalog& catalog,
                                      const catalog::SearchPath& path) {
    catalog::TablePtr parent = catalog.resolve(name.text, path);
    if (!parent) {
        return Status(Code::kInvalidInput, "42P01", "relation \"" + name.text + "\" does not exist")
            .with_position(name.position);
    }
    if (parent->kind != catalog::RelationKind::kTable) {
        return Status(Code::kInvalidInput, "42809",
                      "referenced relation \"" + name.text + "\" is not a table")
            .with_position(name.position);
    }
    return parent;
}

Status check_temporary(const TableDef& child, const TableDef& parent, const engine::Name& at) {
    if (is_temporary(child) == is_temporary(parent)) return {};
    return Status(Code::kInvalidInput, "42P16",
                  is_temporary(child)
                      ? "constraints on temporary tables may reference only temporary tables"
                      : "constraints on permanent tables may reference only permanent tables")
        .with_position(at.position);
}

// Sets the columns that a key refers to. `self`: the parent is the table itself.
Status refer(const engine::ForeignKeySpec& spec, const TableDef& parent, ForeignKeyDef* key) {
    std::vector<uint32_t> positions;
    if (spec.referenced.empty()) {
        positions.assign(parent.primary_key().begin(), parent.primary_key().end());
        if (positions.empty()) {
            return Status(Code::kInvalidInput, "42704",
                          "there is no primary key for referenced table \"" + parent.name + "\"")
                .with_position(spec.table.position);
        }
    } else {
        ASSIGN_OR_RETURN(positions, key_columns(spec.referenced, parent,
                                                "referenced in foreign key constraint"));
    }
    if (positions.size() != key->columns.size()) {
        return Status(Code::kInvalidInput, "42830",
                      "number of referencing and referenced columns for foreign key disagree")
            .with_position(spec.table.position);
    }
    for (uint32_t position : positions) key->referenced.push_back(parent.columns[position].id);
    if (catalog::referenced_index(parent, *key)) return {};
    return Status(Code::kInvalidInput, "42830",
                  "there is no unique constraint matching given keys for referenced table \"" +
                      parent.name + "\"")
        .with_position(spec.table.position);
}

Status no_constraint(const engine::Name& name, const TableDef& table, const char* of) {
    return Status(
               Code::kInvalidInput, "42704",
               "constraint \"" + name.text + "\" " + of + " \"" + table.name + "\" does not exist")
        .with_position(name.position);
}

std::vector<uint32_t> ids_of(const TableDef& table, const std::vector<uint32_t>& columns) {
    std::vector<uint32_t> ids;
    for (uint32_t position : columns) ids.push_back(table.columns[position].id);
    return ids;
}

// The same but for the name.
bool has_foreign_key(const TableDef& before, const TableDef& after, const ForeignKeyDef& key) {
    return std::any_of(before.foreign_keys.begin(), before.foreign_keys.end(),
                       [&](const ForeignKeyDef& k) {
                           return k.table == key.table && k.referenced == key.referenced &&
                                  k.match_full == key.match_full &&
                                  ids_of(before, k.columns) == ids_of(after, key.columns);
                       });
}

}  // namespace

Status add_key(const engine::KeySpec& spec, TableDef* table) {
    ASSIGN_OR_RETURN(auto columns, key_columns(spec.columns, *table, "named in key"));
    if (spec.is_primary && table->primary()) {
        return Status(Code::kInvalidInput, "42P16",
                      "multiple primary keys for table \"" + table->name + "\" are not allowed")
            .with_position(spec.columns.front().position);
    }
    catalog::IndexDef key;
    if (spec.name) key.name = spec.name->text;
    key.unique = key.is_constraint = true;
    key.is_primary = spec.is_primary;
    key.columns = std::move(columns);
    if (spec.is_primary) {
        for (uint32_t position : key.columns) table->columns[position].not_null = true;
    }
    table->indexes.insert(spec.is_primary ? table->indexes.begin() : table->indexes.end(),
                          std::move(key));
    return {};
}

// The condition is read as that of a table with these columns.
Status add_check(const engine::CheckSpec& spec, engine::EngineSession& engine, TableDef* table) {
    std::string sql = "CREATE TABLE " + in_quotes(table->name, '"') + " (";
    for (const catalog::ColumnDef& column : table->visible_columns()) {
        sql += in_quotes(column.name, '"') + " " + column.sql_type() + ", ";
    }
    auto parsed = engine.parse(sql + "CHECK (" + spec.condition + "))");
    if (!parsed.ok()) {
        const Status& e = parsed.status();
        return Status(e.code(), e.sqlstate(), e.message())
            .with_detail(e.detail())
            .with_hint(e.hint())
            .with_position(spec.position);
    }
    const auto* made = std::get_if<engine::CreateTable>(&parsed->kind);
    CHECK(made && made->checks.size() == 1);
    catalog::CheckDef check;
    if (spec.name) check.name = spec.name->text;
    check.condition = made->checks[0].condition;
    for (const std::string& column : made->checks[0].columns) {
        check.columns.push_back(table->find_column(column).value());
    }
    table->checks.push_back(std::move(check));
    return {};
}

Status add_foreign_key(const engine::ForeignKeySpec& spec, const catalog::Catalog& catalog,
                       const catalog::SearchPath& path, TableDef* table) {
    ForeignKeyDef key;
    ASSIGN_OR_RETURN(key.columns,
                     key_columns(spec.columns, *table, "referenced in foreign key constraint"));
    key.match_full = spec.match_full;
    key.on_delete = spec.on_delete;
    key.on_update = spec.on_update;
    // A table that is being made is not in the catalog yet.
    const catalog::Reference wanted = catalog::parse_reference(spec.table.text);
    const bool self = table->id == 0 && wanted.name == table->name &&
                      (wanted.schema.empty() || wanted.schema == table->schema_name);
    const TableDef* parent = table;
    catalog::TablePtr found;
    if (!self) {
        ASSIGN_OR_RETURN(found, find_parent(spec.table, catalog, path));
        key.table = found->id;
        if (found->id != table->id) parent = found.get();
    }
    RETURN_IF_ERROR(check_temporary(*table, *parent, spec.table));
    RETURN_IF_ERROR(refer(spec, *parent, &key));
    if (spec.name) key.name = spec.name->text;
    table->foreign_keys.push_back(std::move(key));
    Status names = catalog::name_constraints(*table);
    if (!names.ok()) return std::move(names).with_position(spec.name->position);
    return check_key_types(*table, *parent, table->foreign_keys.back(), spec.table);
}

Status check_key_types(const TableDef& child, const TableDef& parent, const ForeignKeyDef& key,
                       const engine::Name& at) {
    for (size_t i = 0; i < key.columns.size(); i++) {
        const catalog::ColumnDef& from = child.columns[key.columns[i]];
        const catalog::ColumnDef& to = parent.columns[*parent.find_column_id(key.referenced[i])];
        if (from.type == to.type || (is_integer(from.type) && is_integer(to.type))) continue;
        return cannot_be(key.name, at, "42804",
                         "Key columns \"" + from.name + "\" and \"" + to.name +
                             "\" are of incompatible types: " + from.type.sql_name() + " and " +
                             to.type.sql_name() + ".");
    }
    return {};
}

Status drop_constraint(const engine::Name& name, TableDef* table) {
    auto is_it = [&](const auto& c) { return c.name == name.text; };
    const size_t gone = std::erase_if(table->checks, is_it) +
                        std::erase_if(table->foreign_keys, is_it) +
                        std::erase_if(table->indexes, [&](const catalog::IndexDef& index) {
                            return index.is_constraint && is_it(index);
                        });
    return gone > 0 ? Status() : no_constraint(name, *table, "of relation");
}

Status rename_constraint(const engine::Name& name, const engine::Name& to, TableDef* table) {
    if (!table->has_constraint(name.text)) return no_constraint(name, *table, "for table");
    if (table->has_constraint(to.text)) {
        return Status(Code::kInvalidInput, "42710",
                      "constraint \"" + to.text + "\" for relation \"" + table->name +
                          "\" already exists")
            .with_position(to.position);
    }
    auto rename = [&](auto& constraints) {
        for (auto& c : constraints) {
            if (c.name == name.text) c.name = to.text;
        }
    };
    rename(table->checks);
    rename(table->foreign_keys);
    rename(table->indexes);
    return {};
}

void column_goes(uint32_t position, TableDef* table) {
    std::erase_if(table->foreign_keys, [&](const ForeignKeyDef& k) { return k.uses(position); });
    for (ForeignKeyDef& key : table->foreign_keys) {
        for (uint32_t& column : key.columns) column -= column > position;
    }
}

std::vector<Referrer> orphans(const TableDef& before, const TableDef& after,
                              const catalog::Catalog& catalog) {
    std::vector<Referrer> out;
    auto look = [&](const TableDef& child) {
        for (const ForeignKeyDef& key : child.foreign_keys) {
            if (key.table == before.id && !catalog::referenced_index(after, key)) {
                out.push_back({child.id, key.name});
            }
        }
    };
    for (const catalog::TablePtr& child : catalog.referencing(before.id)) {
        if (child->id != before.id) look(*child);
    }
    look(after);
    return out;
}

Status still_needed(const std::string& what, const std::string& needed,
                    const std::vector<Referrer>& referrers, const catalog::Catalog& catalog) {
    std::string detail;
    for (const Referrer& r : referrers) {
        detail += (detail.empty() ? "constraint " : "\nconstraint ") + r.key + " on table " +
                  catalog.find(r.table)->full_name() + " depends on " + needed;
    }
    return Status(Code::kInvalidInput, "2BP01",
                  "cannot drop " + what + " because other objects depend on it")
        .with_detail(detail)
        .with_hint("Use DROP ... CASCADE to drop the dependent objects too.");
}

void drop_foreign_key(const std::string& name, TableDef* table) {
    std::erase_if(table->foreign_keys, [&](const ForeignKeyDef& k) { return k.name == name; });
}

// --- The rows that are there --------------------------------------------------------------------

Status Session::State::check_all_rows(const table::VersionPtr& version, const TableDef& table,
                                      const catalog::CheckDef& check) {
    const std::string sql = "SELECT * FROM " + in_quotes(table.schema_name, '"') + "." +
                            in_quotes(table.name, '"') + " WHERE (" + check.condition +
                            ") IS FALSE LIMIT 1";
    auto now = catalog_of(version);
    ASSIGN_OR_RETURN(engine::Statement query, engine->parse(sql));
    ASSIGN_OR_RETURN(engine::QueryPlan plan, engine->plan(query, *now));
    ASSIGN_OR_RETURN(auto stream, engine->run(plan, {}, *now, &cancel));
    for (;;) {
        auto next = stream->next();
        if (!next.ok()) {
            return Status(next.status().code(), next.status().sqlstate(), next.status().message())
                .with_detail("It is for check constraint \"" + check.name + "\" of relation \"" +
                             table.name + "\".");
        }
        const auto& batch = *next;
        if (!batch) return {};
        if (batch->rows == 0) continue;
        return Status(Code::kInvalidInput, "23514",
                      "check constraint \"" + check.name + "\" of relation \"" + table.name +
                          "\" is violated by some row")
            .with_detail("Failing row contains (" + row_text(*batch, 0) + ").");
    }
}

Status Session::State::hold_parents(table::Transaction& t, const TableDef& before,
                                    const TableDef& after) {
    for (const ForeignKeyDef& key : after.foreign_keys) {
        if (key.table == after.id || has_foreign_key(before, after, key)) continue;
        // A new table has no rows that the parent could have lost.
        RETURN_IF_ERROR(t.alter_table(*t.view()->catalog->find(key.table),
                                      /*rows_matter=*/before.id != 0));
    }
    return {};
}

Status Session::State::check_new_references(table::Transaction& t, const TableDef& before,
                                            const TableDef& after) {
    for (const ForeignKeyDef& key : after.foreign_keys) {
        if (has_foreign_key(before, after, key)) continue;
        RETURN_IF_ERROR(table::check_references(*t.view(), after, key));
    }
    return {};
}

}  // namespace trefoil
