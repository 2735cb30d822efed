// CREATE, DROP and ALTER INDEX, REINDEX: each is another definition of a table, which lists its
// indexes; a new one is built over the rows that are there by Transaction::alter_indexes. One over
// an expression has a hidden column for it, which is computed for all rows before.

#include <algorithm>
#include <utility>

#include "access/key_conditions.h"
#include "access/partial_index.h"
#include "base/text_cursor.h"
#include "base/text_format.h"
#include "db/constraints.h"
#include "db/session_state.h"
#include "db/stored_columns.h"

namespace trefoil {

using Answer = Session::State::Answer;

namespace {

// An index by its name: its table and its place there.
struct Place {
    catalog::TablePtr table;
    size_t index = 0;
    const catalog::IndexDef& def() const { return table->indexes[index]; }
};

Result<Place> find_index(const catalog::Catalog& catalog, const engine::Name& name,
                         const catalog::SearchPath& path) {
    const catalog::Reference place = catalog::parse_reference(name.text);
    const catalog::SearchPath own = {place.schema};
    for (const std::string& schema : place.schema.empty() ? path : own) {
        if (catalog::TablePtr table = catalog.find_by_index(schema, place.name)) {
            return Place{table, *table->find_index(place.name)};
        }
    }
    if (catalog.resolve(name.text, path)) {
        return Status(Code::kInvalidInput, "42809", "\"" + name.text + "\" is not an index")
            .with_position(name.position);
    }
    return Status(Code::kInvalidInput, "42704", "index \"" + name.text + "\" does not exist")
        .with_position(name.position);
}

// What is wrong with an expression, said of WHERE.
Status of_predicate(const Status& wrong) {
    std::string message = wrong.message();
    const std::string_view expression = "index expression";
    if (const size_t at = message.find(expression); at != std::string::npos) {
        message.replace(at, expression.size(), "index predicate");
    }
    return Status(wrong.code(), wrong.sqlstate(), message)
        .with_detail(wrong.detail())
        .with_position(wrong.position().value_or(0));
}

Status name_is_taken(const engine::Name& name) {
    return Status(Code::kInvalidInput, "42P07", "relation \"" + name.text + "\" already exists")
        .with_position(name.position);
}

std::string lower_name(const arrow::Type& type) {
    std::string name = type.sql_name();
    for (char& c : name) c = to_lower(c);
    return name;
}

Status check_class(const std::optional<engine::Name>& text_class, const arrow::Type& type) {
    if (!text_class || type.is_string()) return {};
    return Status(Code::kInvalidInput, "42804",
                  "operator class \"" + text_class->text + "\" does not accept data type " +
                      lower_name(type))
        .with_position(text_class->position);
}

Result<uint32_t> column_named(const engine::Name& name, const catalog::TableDef& table) {
    if (auto position = table.find_column(name.text)) return *position;
    return Status(Code::kInvalidInput, "42703", "column \"" + name.text + "\" does not exist")
        .with_position(name.position);
}

// Every index is built, and dropped, while others write. CONCURRENTLY says no more than that no
// transaction block is open, which would hold its definition back.
Status check_concurrently(bool concurrently, bool in_block, const char* statement) {
    if (!concurrently || !in_block) return {};
    return {Code::kInvalidInput, "25001",
            std::string(statement) + " cannot run inside a transaction block"};
}

}  // namespace

// The index as it is to be made; hidden columns for its expressions are added to the table.
Result<catalog::IndexDef> Session::State::index_of(const engine::CreateIndex& statement,
                                                   const table::VersionPtr& version,
                                                   catalog::TableDef* table) {
    catalog::IndexDef index;
    if (statement.name) index.name = statement.name->text;
    index.unique = statement.unique;
    index.is_hash = statement.hash;
    for (const engine::CreateIndex::Key& key : statement.keys) {
        index.orders.push_back({key.descending, key.nulls_first});
        auto column = key.is_expression
                          ? hidden_column(*engine, *catalog_of(version), key.name, table)
                          : column_named(key.name, *table);
        RETURN_IF_ERROR(column.status());
        RETURN_IF_ERROR(check_class(key.text_class, table->columns[*column].type));
        index.columns.push_back(*column);
    }
    for (const engine::Name& name : statement.included) {
        ASSIGN_OR_RETURN(uint32_t column, column_named(name, *table));
        index.columns.push_back(column);
        index.included++;
    }
    for (const engine::Name& condition : statement.conditions) {
        auto column = hidden_column(*engine, *catalog_of(version), condition, table);
        if (!column.ok()) return of_predicate(column.status());
        const arrow::Type& type = table->columns[*column].type;
        if (type != arrow::boolean()) {
            return Status(Code::kInvalidInput, "42804",
                          "argument of WHERE must be type boolean, not type " + lower_name(type))
                .with_position(condition.position);
        }
        index.filters.push_back(*column);
    }
    catalog::TableDef with = *table;
    with.indexes.push_back(index);
    RETURN_IF_ERROR(catalog::validate(with));
    return index;
}

// The conditions of a partial index as queries have them: its columns are there.
Result<std::string> Session::State::conditions_of(const catalog::IndexDef& index,
                                                  const catalog::TableDef& table,
                                                  const table::VersionPtr& version) {
    const bool kept = std::exchange(settings.use_indexes, true);
    const auto now = catalog_of(version);
    settings.use_indexes = kept;
    std::vector<plan::Expr> conditions;
    for (uint32_t position : index.filters) {
        const std::string sql = "SELECT " + in_quotes(table.columns[0].name, '"') + " FROM " +
                                in_quotes(table.schema_name, '"') + "." +
                                in_quotes(table.name, '"') + " WHERE " +
                                std::string(table.columns[position].shown_name());
        ASSIGN_OR_RETURN(engine::Statement query, engine->parse(sql));
        ASSIGN_OR_RETURN(engine::QueryPlan plan, engine->plan(query, *now));
        if (!plan.access || plan.access->filters.empty()) {
            // The column itself.
            conditions.push_back(plan::Expr::compare(plan::CompareOp::kEqual,
                                                     plan::Expr::column(position),
                                                     plan::Expr::literal(Value(true))));
            continue;
        }
        for (const plan::Expr& filter : plan.access->filters) {
            plan::flatten_and(access::without_not(filter), &conditions);
        }
    }
    return index.is_partial() ? access::encode_conditions(table, conditions) : std::string();
}

Status Session::State::create_index_in(table::Transaction& t,
                                       const engine::CreateIndex& statement) {
    ASSIGN_OR_RETURN(catalog::TablePtr table, table_to_change(*t.view(), statement.table));
    if (statement.name &&
        (t.view()->catalog->has_relation(table->schema_name, statement.name->text) ||
         db.system_tables.contains(statement.name->text) ||
         !free_place({table->schema_name, statement.name->text}, *statement.name).ok())) {
        if (statement.if_not_exists) return Status();
        return name_is_taken(*statement.name);
    }
    catalog::TableDef def = *table;
    ASSIGN_OR_RETURN(catalog::IndexDef index, index_of(statement, t.view(), &def));
    if (def.columns.size() > table->columns.size()) {
        activity->index_progress().begin(table->schema_name, table->name, index.name);
        RETURN_IF_ERROR(t.alter_indexes(std::move(def)));
        def = *t.view()->catalog->find(table->id);
    }
    ASSIGN_OR_RETURN(index.conditions, conditions_of(index, def, t.view()));
    def.indexes.push_back(std::move(index));
    return t.alter_indexes(std::move(def));
}

Result<Answer> Session::State::create_index(const engine::CreateIndex& statement) {
    RETURN_IF_ERROR(
        check_concurrently(statement.concurrently, txn.has_value(), "CREATE INDEX CONCURRENTLY"));
    return define([&](table::Transaction& t) { return create_index_in(t, statement); },
                  "CREATE INDEX");
}

Result<Answer> Session::State::drop_index(const engine::DropIndex& statement) {
    RETURN_IF_ERROR(
        check_concurrently(statement.concurrently, txn.has_value(), "DROP INDEX CONCURRENTLY"));
    auto work = [&](table::Transaction& t) -> Status {
        for (const engine::Name& name : statement.indexes) {
            auto place = find_index(*t.view()->catalog, name, path());
            if (place.status().sqlstate() == "42704" && statement.if_exists) continue;
            RETURN_IF_ERROR(place.status());
            if (place->def().is_constraint) {
                const std::string& table = place->table->name;
                return Status(Code::kInvalidInput, "2BP01",
                              "cannot drop index " + name.text + " because constraint " +
                                  name.text + " on table " + table + " requires it")
                    .with_hint("You can drop constraint " + name.text + " on table " + table +
                               " instead.")
                    .with_position(name.position);
            }
            catalog::TableDef def = *place->table;
            def.indexes.erase(def.indexes.begin() + static_cast<ptrdiff_t>(place->index));
            drop_unused_columns(&def);
            const auto lost = orphans(*place->table, def, *t.view()->catalog);
            if (!lost.empty()) {
                const std::string what = "index " + name.text;
                return still_needed(what, what, lost, *t.view()->catalog)
                    .with_position(name.position);
            }
            RETURN_IF_ERROR(t.alter_indexes(std::move(def)));
        }
        return {};
    };
    return define(work, "DROP INDEX");
}

Result<Answer> Session::State::rename_index(const engine::RenameIndex& statement) {
    auto work = [&](table::Transaction& t) -> Status {
        auto place = find_index(*t.view()->catalog, statement.index, path());
        if (place.status().sqlstate() == "42704" && statement.if_exists) return Status();
        RETURN_IF_ERROR(place.status());
        if (t.view()->catalog->has_relation(place->table->schema_name, statement.to.text) ||
            db.system_tables.contains(statement.to.text) ||
            !free_place({place->table->schema_name, statement.to.text}, statement.to).ok()) {
            return name_is_taken(statement.to);
        }
        catalog::TableDef def = *place->table;
        def.indexes[place->index].name = statement.to.text;
        RETURN_IF_ERROR(t.alter_indexes(std::move(def)));
        return {};
    };
    return define(work, "ALTER INDEX");
}

// The index is built anew under another id, and the old one goes.
Result<Answer> Session::State::reindex(const engine::Reindex& statement) {
    RETURN_IF_ERROR(
        check_concurrently(statement.concurrently, txn.has_value(), "REINDEX CONCURRENTLY"));
    auto work = [&](table::Transaction& t) -> Status {
        catalog::TableDef def;
        if (statement.of_table) {
            ASSIGN_OR_RETURN(catalog::TablePtr table, table_to_change(*t.view(), statement.name));
            def = *table;
            for (catalog::IndexDef& index : def.indexes) index.id = 0;
        } else {
            ASSIGN_OR_RETURN(Place place, find_index(*t.view()->catalog, statement.name, path()));
            def = *place.table;
            def.indexes[place.index].id = 0;
        }
        return t.alter_indexes(std::move(def));
    };
    return define(work, "REINDEX");
}

}  // namespace trefoil
