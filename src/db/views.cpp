// Views, CREATE TABLE AS, schemas and comments.
//
// A view is the text of its query. When a statement names it, the bridge plans that text in its
// place; names in it are looked up where they were when the view was made. The catalog keeps the
// names and types of its columns as they were when it was made, and what it depends on. Another
// name of a table or a column is written into the text, where it is clear what is meant; a change
// of a table is refused if a view over it would not be planned with the same columns any more.

#include <algorithm>
#include <set>

#include "base/check.h"
#include "base/text_format.h"
#include "db/session_state.h"

namespace trefoil {
namespace {

using Answer = Session::State::Answer;
using catalog::RelationKind;
using catalog::TableDef;

// The columns of a query under the names that the statement gives to the first of them.
Result<std::vector<catalog::ColumnDef>> columns_of(const arrow::Schema& schema,
                                                   const std::vector<engine::Name>& names,
                                                   const char* what) {
    if (names.size() > schema.fields.size()) {
        return Status(Code::kInvalidInput, "42601",
                      std::string(what) + " specifies more column names than columns")
            .with_position(names[schema.fields.size()].position);
    }
    std::vector<catalog::ColumnDef> columns;
    std::set<std::string> seen;
    for (size_t i = 0; i < schema.fields.size(); i++) {
        catalog::ColumnDef column;
        column.id = static_cast<uint32_t>(i);
        column.name = i < names.size() ? names[i].text : schema.fields[i].name;
        column.type = schema.fields[i].type;
        if (!seen.insert(column.name).second) {
            return Status(Code::kInvalidInput, "42701",
                          "column \"" + column.name + "\" specified more than once");
        }
        columns.push_back(std::move(column));
    }
    return columns;
}

// Whether `now` begins with the columns of `before`.
bool begins_with(const std::vector<catalog::ColumnDef>& now,
                 const std::vector<catalog::ColumnDef>& before) {
    if (now.size() < before.size()) return false;
    for (size_t i = 0; i < before.size(); i++) {
        if (now[i].name != before[i].name || now[i].type.sql_name() != before[i].type.sql_name()) {
            return false;
        }
    }
    return true;
}

Status check_replaceable(const TableDef& before, const TableDef& after) {
    if (before.kind != RelationKind::kView) {
        return Status(Code::kInvalidInput, "42809", "\"" + before.full_name() + "\" is not a view");
    }
    if (after.columns.size() < before.columns.size()) {
        return Status(Code::kInvalidInput, "42P16", "cannot drop columns from view");
    }
    for (size_t i = 0; i < before.columns.size(); i++) {
        const auto &old = before.columns[i], &now = after.columns[i];
        if (old.name != now.name) {
            return Status(
                Code::kInvalidInput, "42P16",
                "cannot change name of view column \"" + old.name + "\" to \"" + now.name + "\"");
        }
        if (old.type.sql_name() != now.type.sql_name()) {
            return Status(Code::kInvalidInput, "42P16",
                          "cannot change data type of view column \"" + old.name + "\" from " +
                              old.type.sql_name() + " to " + now.type.sql_name());
        }
    }
    return {};
}

}  // namespace

// The columns that a view has by the catalog of `version`.
Result<std::vector<catalog::ColumnDef>> Session::State::view_columns(
    const TableDef& view, const table::VersionPtr& version) {
    const std::string sql =
        "SELECT * FROM " + in_quotes(view.schema_name, '"') + "." + in_quotes(view.name, '"');
    ASSIGN_OR_RETURN(engine::Statement query, engine->parse(sql));
    ASSIGN_OR_RETURN(engine::QueryPlan made, engine->plan(query, *catalog_of(version)));
    return columns_of(*made.schema, {}, "SELECT");
}

Status Session::State::rename_in_views(
    table::Transaction& t, const catalog::Catalog& before, const TableDef& table,
    const std::vector<std::pair<std::string, std::string>>& columns) {
    const catalog::TablePtr now = t.view()->catalog->find(table.id);
    if (columns.empty() && now->name == table.name) return {};
    for (const catalog::TablePtr& view : t.view()->catalog->dependents(table.id)) {
        if (view->kind != RelationKind::kView) continue;
        std::vector<std::string> references = {catalog::reference(table.schema_name, table.name)};
        const std::string plain = catalog::reference("", table.name);
        const catalog::TablePtr found = before.resolve(plain, view->search_path);
        if (found && found->id == table.id) references.push_back(plain);
        TableDef def = *view;
        for (const auto& [from, to] : columns) {
            ASSIGN_OR_RETURN(def.query, engine->rename_in_query(def.query, references, from, to));
        }
        const catalog::TablePtr seen =
            t.view()->catalog->resolve(catalog::reference("", now->name), view->search_path);
        // Unless the new name means something else there.
        if (now->name != table.name && seen && seen->id == table.id) {
            ASSIGN_OR_RETURN(def.query,
                             engine->rename_in_query(def.query, references, "", now->name));
        }
        if (def.query != view->query) RETURN_IF_ERROR(t.alter_table(def, /*rows_matter=*/false));
    }
    return {};
}

Status Session::State::check_views(table::Transaction& t, const TableDef& changed) {
    for (const catalog::TablePtr& view : t.view()->catalog->dependents(changed.id)) {
        if (view->kind != RelationKind::kView) continue;
        auto columns = view_columns(*view, t.view());
        if (columns.ok() && begins_with(*columns, view->columns)) continue;
        return Status(Code::kInvalidInput, "2BP01",
                      "cannot alter table \"" + changed.full_name() + "\" because view \"" +
                          view->full_name() + "\" depends on it")
            .with_detail(columns.ok() ? "its columns would change"
                                      : std::string(columns.status().message()))
            .with_hint("Drop the view first, and create it again.");
    }
    return {};
}

Result<Answer> Session::State::create_view(CachedStatement& statement,
                                           const engine::CreateView& create) {
    auto work = [&](table::Transaction& t) -> Status {
        ASSIGN_OR_RETURN(catalog::Reference place,
                         place_of(*t.view(), create.view, create.temporary));
        catalog::TablePtr existing = t.view()->catalog->find(place.schema, place.name);
        if (existing && create.if_not_exists) return Status();
        if (existing && !create.or_replace) {
            return table::already_exists(*existing).with_position(create.view.position);
        }
        RETURN_IF_ERROR(plan(statement, *catalog_of(t.view())));
        if (!statement.plan->parameters.empty()) {
            return Status(Code::kInvalidInput, "42P02", "a view cannot have parameters");
        }
        TableDef def;
        if (existing) def.id = existing->id;
        def.kind = RelationKind::kView;
        def.schema_name = place.schema;
        def.name = place.name;
        def.query = create.query;
        def.search_path = search_path;
        ASSIGN_OR_RETURN(def.columns,
                         columns_of(*statement.plan->schema, create.columns, "CREATE VIEW"));
        for (const std::string& name : statement.plan->tables) {
            catalog::TablePtr needed = t.view()->catalog->resolve(name, path());
            if (needed) def.depends_on.push_back(needed->id);
        }
        if (existing) {
            RETURN_IF_ERROR(check_replaceable(*existing, def));
            RETURN_IF_ERROR(t.alter_table(def, /*rows_matter=*/false));
        } else {
            RETURN_IF_ERROR(t.create_table(def));
        }
        // It must be what it is for everybody, without the temporary tables of this session.
        auto columns = view_columns(def, t.view());
        if (!columns.ok()) return columns.status();
        if (existing) RETURN_IF_ERROR(check_views(t, def));
        return {};
    };
    return define(work, "CREATE VIEW");
}

Result<Answer> Session::State::create_table_as(CachedStatement& statement,
                                               const engine::CreateTableAs& create) {
    bool exists = false;
    auto work = [&](table::Transaction& t) -> Result<uint64_t> {
        auto found = place_of(*t.view(), create.table, create.temporary);
        exists = create.if_not_exists && found.status().sqlstate() == "42P07";
        if (exists) return uint64_t{0};
        ASSIGN_OR_RETURN(catalog::Reference place, std::move(found));
        catalog::TablePtr existing = t.view()->catalog->find(place.schema, place.name);
        exists = existing && create.if_not_exists;
        if (exists) return uint64_t{0};
        if (existing) {
            return table::already_exists(*existing).with_position(create.table.position);
        }
        auto now = catalog_of(t.view());
        RETURN_IF_ERROR(plan(statement, *now));
        note_reads(statement, *t.view());
        for (uint32_t read : statement_reads) t.note_read(read);
        TableDef def;
        def.schema_name = place.schema;
        def.name = place.name;
        ASSIGN_OR_RETURN(def.columns, columns_of(*statement.plan->schema, {}, "CREATE TABLE AS"));
        RETURN_IF_ERROR(t.create_table(def));
        catalog::TablePtr table = t.view()->catalog->find(place.schema, place.name);
        ASSIGN_OR_RETURN(auto stream, engine->run(*statement.plan, {}, *now, &cancel));
        table::TableWriter writer(t, table);
        for (;;) {
            ASSIGN_OR_RETURN(auto batch, stream->next());
            if (!batch) break;
            RETURN_IF_ERROR(writer.insert(*batch));
        }
        return writer.finish();
    };
    ASSIGN_OR_RETURN(uint64_t count, change(work));
    if (exists) return done("CREATE TABLE AS");
    return done("SELECT " + std::to_string(count), count);
}

Result<Answer> Session::State::create_schema(const engine::CreateSchema& create) {
    const std::string name = catalog::parse_reference(create.name.text).name;
    if (name.starts_with("pg_") || name == "information_schema" || name.empty()) {
        return Status(Code::kInvalidInput, "42939", "unacceptable schema name \"" + name + "\"")
            .with_detail("The prefix \"pg_\" is reserved for system schemas.")
            .with_position(create.name.position);
    }
    auto work = [&](table::Transaction& t) -> Status {
        if (t.view()->catalog->has_schema(name)) {
            if (create.if_not_exists) return Status();
            return Status(Code::kInvalidInput, "42P06", "schema \"" + name + "\" already exists")
                .with_position(create.name.position);
        }
        TableDef def;
        def.kind = RelationKind::kSchema;
        def.schema_name = "";
        def.name = name;
        RETURN_IF_ERROR(t.create_table(def));
        return {};
    };
    return define(work, "CREATE SCHEMA");
}

Result<Answer> Session::State::comment(const engine::Comment& statement) {
    auto work = [&](table::Transaction& t) -> Status {
        ASSIGN_OR_RETURN(catalog::TablePtr found,
                         relation_to_change(*t.view(), statement.name, statement.kind,
                                            /*or_view=*/statement.column.has_value()));
        TableDef def = *found;
        if (statement.column) {
            auto position = def.find_column(statement.column->text);
            if (!position) {
                return Status(Code::kInvalidInput, "42703",
                              "column \"" + statement.column->text + "\" of \"" + def.full_name() +
                                  "\" does not exist")
                    .with_position(statement.column->position);
            }
            def.columns[*position].comment = statement.text.value_or("");
        } else {
            def.comment = statement.text.value_or("");
        }
        RETURN_IF_ERROR(t.alter_table(def, /*rows_matter=*/false));
        return {};
    };
    return define(work, "COMMENT");
}

}  // namespace trefoil
