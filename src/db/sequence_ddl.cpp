// CREATE and ALTER SEQUENCE, and what becomes of defaults when a sequence goes or is renamed.

#include <algorithm>

#include "base/check.h"
#include "db/sequences.h"
#include "db/session_state.h"

namespace trefoil {
namespace {

using Answer = Session::State::Answer;
using catalog::RelationKind;
using engine::SequenceOption;
using Kind = SequenceOption::Kind;

}  // namespace

// What OWNED BY says; the table must be in the same schema.
Status Session::State::set_owner(const table::Version& version, const SequenceOption& option,
                                 catalog::TableDef* sequence) const {
    sequence->depends_on.clear();
    sequence->sequence.owner.reset();
    if (option.names.empty()) return {};
    ASSIGN_OR_RETURN(catalog::TablePtr table, table_to_change(version, option.names[0]));
    const engine::Name& column = option.names[1];
    auto position = table->find_column(column.text);
    if (!position) {
        return Status(Code::kInvalidInput, "42703",
                      "column \"" + column.text + "\" of relation \"" + table->name +
                          "\" does not exist")
            .with_position(column.position);
    }
    if (table->schema_name != sequence->schema_name) {
        return Status(Code::kInvalidInput, "55000",
                      "sequence must be in same schema as table it is linked to")
            .with_position(option.position);
    }
    sequence->depends_on = {table->id};
    sequence->sequence.owner = table->columns[*position].id;
    return {};
}

Result<Answer> Session::State::create_sequence(const engine::CreateSequence& statement) {
    catalog::TableDef def;
    def.kind = RelationKind::kSequence;
    table::Sequences::Place place;
    RETURN_IF_ERROR(apply_options(statement.options, /*is_new=*/true, &def.sequence, &place));
    auto work = [&](table::Transaction& t) -> Status {
        ASSIGN_OR_RETURN(catalog::Reference at,
                         place_of(*t.view(), statement.sequence, statement.temporary));
        def.schema_name = at.schema;
        def.name = at.name;
        catalog::TablePtr existing = t.view()->catalog->find(at.schema, at.name);
        if (existing && statement.if_not_exists) return {};
        if (existing) {
            return table::already_exists(*existing).with_position(statement.sequence.position);
        }
        if (auto* owner = find_option(statement.options, Kind::kOwnedBy)) {
            RETURN_IF_ERROR(set_owner(*t.view(), *owner, &def));
        }
        def.sequence.counter = t.new_counter();
        def.sequence.first = place.value;
        return t.create_table(def);
    };
    return define(work, "CREATE SEQUENCE");
}

Status Session::State::alter_sequence_in(table::Transaction& t, const catalog::TablePtr& before,
                                         const engine::SequenceOptions& options) {
    catalog::TableDef def = *before;
    ASSIGN_OR_RETURN(table::Sequences::Place place, db.tables->sequences().place(def));
    RETURN_IF_ERROR(apply_options(options, /*is_new=*/false, &def.sequence, &place));
    if (find_option(options, Kind::kRestart)) {
        def.sequence.counter = t.new_counter();
        def.sequence.first = place.value;
    }
    if (auto* owner = find_option(options, Kind::kOwnedBy)) {
        if (catalog::TablePtr table = identity_table(*t.view()->catalog, *before)) {
            return Status(Code::kInvalidInput, "0A000",
                          "cannot change ownership of identity sequence")
                .with_detail("Sequence \"" + def.name + "\" is linked to table \"" + table->name +
                             "\".")
                .with_position(owner->position);
        }
        RETURN_IF_ERROR(set_owner(*t.view(), *owner, &def));
    }
    return t.alter_table(std::move(def), /*rows_matter=*/false);
}

Status rename_sequence(table::Transaction& t, const catalog::TableDef& before,
                       const std::string& name) {
    catalog::TableDef after = before;
    after.name = name;
    const std::string old_name = catalog::quoted_reference(before.schema_name, before.name);
    for (const catalog::TablePtr& user : t.view()->catalog->dependents(before.id)) {
        catalog::TableDef table = *user;
        for (uint32_t position : columns_using(table, before)) {
            std::optional<std::string>& sql = table.columns[position].default_sql;
            auto renamed = [&](const std::string& in_text) -> Result<std::string> {
                catalog::TableDef named = after;
                if (in_text == old_name) return sequence_literal(named);
                const catalog::Reference other =
                    catalog::parse_reference(catalog::fold_reference(in_text));
                named.schema_name = other.schema;
                named.name = other.name;
                return sequence_literal(named);
            };
            ASSIGN_OR_RETURN(sql, replace_sequences(*sql, renamed));
        }
        RETURN_IF_ERROR(t.alter_table(std::move(table), /*rows_matter=*/false));
    }
    return t.alter_table(std::move(after), /*rows_matter=*/false);
}

Result<Answer> Session::State::alter_sequence(const engine::AlterSequence& statement) {
    auto work = [&](table::Transaction& t) -> Status {
        auto found =
            relation_to_change(*t.view(), statement.sequence, RelationKind::kSequence, false);
        if (found.status().sqlstate() == "42P01" && statement.if_exists) return {};
        ASSIGN_OR_RETURN(catalog::TablePtr sequence, std::move(found));
        if (statement.new_name) {
            return rename_sequence(t, *sequence, statement.new_name->text);
        }
        return alter_sequence_in(t, sequence, statement.options);
    };
    return define(work, "ALTER SEQUENCE");
}

// An expression whose sequences are named with their schemas. Errors: 42P01, 42809.
Result<std::string> Session::State::with_schemas(const std::string& sql,
                                                 const table::Version& version) const {
    return replace_sequences(sql, [&](const std::string& name) -> Result<std::string> {
        const std::string folded = catalog::fold_reference(name);
        catalog::TablePtr found = version.catalog->resolve(folded, path());
        if (found && found->kind == RelationKind::kSequence) return sequence_literal(*found);
        if (found) {
            return Status(Code::kInvalidInput, "42809", "\"" + folded + "\" is not a sequence");
        }
        return Status(Code::kInvalidInput, "42P01", "relation \"" + folded + "\" does not exist");
    });
}

Status drop_defaults(table::Transaction& t, const catalog::TableDef& user,
                     const catalog::TableDef& sequence) {
    catalog::TableDef table = user;
    for (uint32_t position : columns_using(table, sequence)) {
        table.columns[position].default_sql.reset();
    }
    std::erase(table.depends_on, sequence.id);
    return t.alter_table(std::move(table), /*rows_matter=*/false);
}

}  // namespace trefoil
