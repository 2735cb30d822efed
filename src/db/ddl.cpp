// CREATE and DROP: what a statement asks for becomes a definition of the catalog.
//
// The names in it are checked here, against the catalog that the transaction sees; what every
// definition must satisfy is checked by catalog::validate.

#include <algorithm>
#include <set>

#include "base/check.h"
#include "db/constraints.h"
#include "db/session_state.h"

namespace trefoil {

using Answer = Session::State::Answer;

namespace {

// Adds PRIMARY KEY or UNIQUE to a table. A UNIQUE without a name over the columns of a key that is
// already there says nothing new.
Status add_new_key(const engine::KeySpec& spec, catalog::TableDef* table) {
    catalog::TableDef with = *table;
    RETURN_IF_ERROR(add_key(spec, &with));
    const bool known =
        !spec.is_primary && !spec.name &&
        std::any_of(table->indexes.begin(), table->indexes.end(),
                    [&](const catalog::IndexDef& other) {
                        return other.unique && !other.is_partial() &&
                               std::ranges::equal(other.key_columns(), with.indexes.back().columns);
                    });
    if (!known) *table = std::move(with);
    return {};
}

// Ids of columns are given in their order.
void set_stored(const engine::Stored& stored, size_t column, catalog::TableDef* table) {
    catalog::ColumnDef& c = table->columns[column];
    c.generated = catalog::ColumnDef::Generated::kStored;
    c.default_sql = stored.expression;
    for (const std::string& used : stored.columns) c.uses.push_back(*table->find_column(used));
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
    def.name = catalog::parse_reference(statement.table.text).name;
    for (const engine::ColumnSpec& spec : statement.columns) {
        catalog::ColumnDef column;
        column.name = spec.name.text;
        column.type = spec.type;
        column.char_length = spec.char_length;
        column.not_null = spec.not_null;
        column.default_sql = spec.default_sql;
        if (spec.identity) column.generated = spec.identity->how;
        if (spec.default_sql && sequences_in(*spec.default_sql).empty()) {
            Status fits = engine->evaluate(*spec.default_sql, spec.type).status();
            if (!fits.ok()) {
                return std::move(fits).with_detail("column \"" + column.name + "\" is of type " +
                                                   column.sql_type());
            }
        }
        def.columns.push_back(std::move(column));
    }
    for (size_t i = 0; i < def.columns.size(); i++) {
        if (statement.columns[i].stored) set_stored(*statement.columns[i].stored, i, &def);
    }
    for (const engine::KeySpec& key : statement.keys) RETURN_IF_ERROR(add_new_key(key, &def));
    for (const engine::CheckSpec& spec : statement.checks)
        def.checks.push_back(check_of(spec, def));
    RETURN_IF_ERROR(catalog::name_constraints(def));
    auto work = [&](table::Transaction& t) -> Status {
        auto found = place_of(*t.view(), statement.table, statement.temporary);
        if (statement.if_not_exists && found.status().sqlstate() == "42P07") return Status();
        ASSIGN_OR_RETURN(catalog::Reference place, std::move(found));
        def.schema_name = place.schema;
        catalog::TablePtr existing = t.view()->catalog->find(place.schema, place.name);
        if (existing && statement.if_not_exists) return Status();
        if (existing) {
            return table::already_exists(*existing).with_position(statement.table.position);
        }
        catalog::TableDef made = def;
        for (uint32_t i = 0; i < made.columns.size(); i++) made.columns[i].id = i;
        for (const engine::ForeignKeySpec& key : statement.foreign_keys) {
            RETURN_IF_ERROR(add_foreign_key(key, *t.view()->catalog, path(), &made));
        }
        RETURN_IF_ERROR(create_with_sequences(t, made, statement));
        catalog::TablePtr table = t.view()->catalog->find(place.schema, place.name);
        return hold_parents(t, def, *table);
    };
    return define(work, "CREATE TABLE");
}

// The place, unless a table of the program has it. Errors: 42P07.
Result<catalog::Reference> Session::State::free_place(catalog::Reference place,
                                                      const engine::Name& name) const {
    if (place.schema != catalog::kPublicSchema || !db.custom_tables.contains(place.name)) {
        return place;
    }
    return Status(Code::kInvalidInput, "42P07", "relation \"" + place.name + "\" already exists")
        .with_detail("It is a table of the program.")
        .with_position(name.position);
}

Result<catalog::Reference> Session::State::place_of(const table::Version& version,
                                                    const engine::Name& name, bool temporary) {
    catalog::Reference place = catalog::parse_reference(name.text);
    if (db.system_tables.contains(place.name)) {
        return Status(Code::kInvalidInput, "42939",
                      "\"" + place.name + "\" is the name of a system table")
            .with_position(name.position);
    }
    if (temporary) {
        if (!place.schema.empty()) {
            return Status(Code::kInvalidInput, "42P16",
                          "cannot create temporary relation in non-temporary schema")
                .with_position(name.position);
        }
        has_temporary = true;
        place.schema = temporary_schema;
        return place;
    }
    if (!place.schema.empty()) {
        if (version.catalog->has_schema(place.schema)) return free_place(std::move(place), name);
        return Status(Code::kInvalidInput, "3F000",
                      "schema \"" + place.schema + "\" does not exist")
            .with_position(name.position);
    }
    for (const std::string& schema : search_path) {
        if (!version.catalog->has_schema(schema)) continue;
        place.schema = schema;
        return free_place(std::move(place), name);
    }
    return Status(Code::kInvalidInput, "3F000", "no schema has been selected to create in")
        .with_hint("SET search_path names schemas that do not exist.");
}

Result<catalog::TablePtr> Session::State::relation_to_change(const table::Version& version,
                                                             const engine::Name& name,
                                                             catalog::RelationKind kind,
                                                             bool or_view) {
    using catalog::RelationKind;
    if (kind == RelationKind::kSchema) {
        const std::string schema = catalog::parse_reference(name.text).name;
        if (catalog::TablePtr found = version.catalog->find("", schema)) return found;
        return Status(Code::kInvalidInput, "3F000", "schema \"" + schema + "\" does not exist")
            .with_position(name.position);
    }
    catalog::TablePtr found = version.catalog->resolve(name.text, path());
    if (found && (found->kind == kind || (or_view && found->kind == RelationKind::kView))) {
        return found;
    }
    const std::string wanted(catalog::kind_name(kind));
    if (found) {
        return Status(Code::kInvalidInput, "42809",
                      "\"" + found->full_name() + "\" is not a " + wanted)
            .with_hint("It is a " + std::string(catalog::kind_name(found->kind)) + ".")
            .with_position(name.position);
    }
    if (kind == RelationKind::kTable) return table_to_change(version, name);
    return Status(Code::kInvalidInput, "42P01", wanted + " \"" + name.text + "\" does not exist")
        .with_position(name.position);
}

namespace {

std::string described(const catalog::TableDef& relation) {
    return std::string(catalog::kind_name(relation.kind)) + " " + relation.full_name();
}

// What must go with it: what depends on it, and what is in it.
std::vector<catalog::TablePtr> hangers_on(const catalog::Catalog& catalog,
                                          const catalog::TableDef& relation) {
    std::vector<catalog::TablePtr> out = catalog.dependents(relation.id);
    if (relation.kind != catalog::RelationKind::kSchema) return out;
    for (const catalog::TablePtr& member : catalog.relations()) {
        if (member->schema_name == relation.name) out.push_back(member);
    }
    return out;
}

std::string described_default(const catalog::TableDef& table, const catalog::TableDef& sequence) {
    std::string columns;
    for (uint32_t position : columns_using(table, sequence)) {
        columns += (columns.empty() ? "" : ", ") + table.columns[position].name;
    }
    return "default value for column " + columns + " of " + described(table);
}

// The sequence of an identity column goes with the column only.
Status refuse_identity(const catalog::Catalog& catalog, const catalog::TableDef& relation,
                       const std::set<uint32_t>& going) {
    if (relation.kind != catalog::RelationKind::kSequence) return {};
    const catalog::TablePtr table = identity_table(catalog, relation);
    if (!table || going.contains(table->id)) return {};
    const std::string column = "column " +
                               table->columns[columns_using(*table, relation).at(0)].name + " of " +
                               described(*table);
    return Status(Code::kInvalidInput, "2BP01",
                  "cannot drop " + described(relation) + " because " + column + " requires it")
        .with_hint("You can drop " + column + " instead.");
}

}  // namespace

Status Session::State::drop_in(table::Transaction& t, const engine::Drop& statement) {
    const catalog::Catalog& catalog = *t.view()->catalog;
    std::vector<catalog::TablePtr> going;
    std::set<uint32_t> ids;
    for (const engine::Name& name : statement.names) {
        if (statement.kind == catalog::RelationKind::kSchema &&
            catalog::parse_reference(name.text).name == catalog::kPublicSchema) {
            return Status::unsupported("DROP SCHEMA public is not supported")
                .with_position(name.position);
        }
        auto found = relation_to_change(*t.view(), name, statement.kind, false);
        const std::string_view sqlstate = found.status().sqlstate();
        if (statement.if_exists && (sqlstate == "42P01" || sqlstate == "3F000")) continue;
        if (!found.ok()) return found.status();
        if (ids.insert((*found)->id).second) going.push_back(*found);
    }
    std::string detail;
    const catalog::TablePtr first = going.empty() ? nullptr : going.front();
    std::vector<std::pair<catalog::TablePtr, catalog::TablePtr>> users;  // tables, and sequences
    for (size_t i = 0; i < going.size(); i++) {
        const catalog::TablePtr gone = going[i];
        RETURN_IF_ERROR(refuse_identity(catalog, *gone, ids));
        for (const catalog::TablePtr& other : hangers_on(catalog, *gone)) {
            if (ids.contains(other->id)) continue;
            const bool uses = gone->kind == catalog::RelationKind::kSequence;
            const bool owned = other->kind == catalog::RelationKind::kSequence;
            if (uses) {
                users.emplace_back(other, gone);
            } else {
                ids.insert(other->id);
                going.push_back(other);
            }
            if (owned) continue;
            detail += (detail.empty() ? "" : "\n") +
                      (uses ? described_default(*other, *gone) : described(*other)) +
                      " depends on " + described(*gone);
        }
    }
    std::vector<Referrer> referrers;
    for (const catalog::TablePtr& gone : going) {
        for (const catalog::TablePtr& child : catalog.referencing(gone->id)) {
            if (ids.contains(child->id)) continue;
            for (const catalog::ForeignKeyDef& key : child->foreign_keys) {
                if (key.table != gone->id) continue;
                referrers.push_back({child->id, key.name});
                detail += (detail.empty() ? "constraint " : "\nconstraint ") + key.name +
                          " on table " + child->full_name() + " depends on " + described(*gone);
            }
        }
    }
    if (!detail.empty() && !statement.cascade) {
        return Status(Code::kInvalidInput, "2BP01",
                      "cannot drop " + described(*first) + " because other objects depend on it")
            .with_detail(detail)
            .with_hint("Use DROP ... CASCADE to drop the dependent objects too.");
    }
    for (const Referrer& r : referrers) {
        catalog::TableDef child = *t.view()->catalog->find(r.table);
        drop_foreign_key(r.key, &child);
        RETURN_IF_ERROR(t.alter_table(std::move(child), /*rows_matter=*/false));
    }
    for (const auto& [user, sequence] : users) {
        const catalog::TablePtr table = t.view()->catalog->find(user->id);
        if (!ids.contains(user->id)) RETURN_IF_ERROR(drop_defaults(t, *table, *sequence));
    }
    for (const catalog::TablePtr& relation : going) RETURN_IF_ERROR(t.drop_table(relation->id));
    return {};
}

Result<Answer> Session::State::drop(const engine::Drop& statement) {
    std::string kind(catalog::kind_name(statement.kind));
    std::transform(kind.begin(), kind.end(), kind.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    return define([&](table::Transaction& t) { return drop_in(t, statement); }, "DROP " + kind);
}

// Temporary tables go with their session; whatever a crash left goes at the next open.
Session::State::~State() {
    idle_alarm.reset();
    txn.reset();
    (void)drop_temporary();
    db.activities.remove(*activity);
}

// REQUIRES: no block is open.
Status Session::State::drop_temporary() {
    if (!std::exchange(has_temporary, false)) return {};
    auto is_own = [&](std::string_view schema) { return schema == temporary_schema; };
    auto work = [&](table::Transaction& t) { return drop_schema_members(t, is_own); };
    return define(work, "").status();
}

Status drop_schema_members(table::Transaction& t,
                           const std::function<bool(std::string_view)>& which) {
    for (const catalog::TablePtr& r : t.view()->catalog->relations()) {
        if (which(r->schema_name)) RETURN_IF_ERROR(t.drop_table(r->id));
    }
    return {};
}

}  // namespace trefoil
