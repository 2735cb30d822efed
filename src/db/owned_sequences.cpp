// Sequences that belong to a column: those of SERIAL and identity columns, from CREATE TABLE
// through ALTER TABLE to their end.

#include <algorithm>

#include "base/check.h"
#include "db/sequences.h"
#include "db/session_state.h"

namespace trefoil {
namespace {

using catalog::ColumnDef;
using catalog::RelationKind;
using catalog::TableDef;
using engine::AlterAction;
using Kind = engine::SequenceOption::Kind;

// AS the column's type.
engine::SequenceOption type_of(const ColumnDef& column) {
    engine::SequenceOption type;
    type.kind = Kind::kType;
    type.value = static_cast<int64_t>(column.type.byte_width());
    return type;
}

// t_id_seq, with a number if the name is taken.
std::string name_of_sequence(const catalog::Catalog& catalog, const TableDef& table,
                             const std::string& column) {
    const std::string base = table.name + "_" + column + "_seq";
    std::string name = base;
    for (int n = 1; catalog.has_relation(table.schema_name, name) || name == table.name; n++) {
        name = base + std::to_string(n);
    }
    return name;
}

Status own_sequence(table::Transaction& t, const TableDef& table, const ColumnDef& column) {
    for (const std::string& name : sequences_in(column.default_sql.value_or(""))) {
        auto sequence = t.view()->catalog->resolve(catalog::fold_reference(name), {});
        CHECK(sequence != nullptr);
        TableDef owned = *sequence;
        owned.depends_on = {table.id};
        owned.sequence.owner = column.id;
        RETURN_IF_ERROR(t.alter_table(std::move(owned), /*rows_matter=*/false));
    }
    return {};
}

}  // namespace

Status Session::State::add_sequence(table::Transaction& t, const TableDef& table,
                                    const engine::Identity& identity, ColumnDef* column) {
    TableDef sequence;
    sequence.kind = RelationKind::kSequence;
    sequence.schema_name = table.schema_name;
    if (auto* named = find_option(identity.options, Kind::kName)) {
        sequence.name = catalog::parse_reference(named->names.at(0).text).name;
    } else {
        sequence.name = name_of_sequence(*t.view()->catalog, table, column->name);
    }
    engine::SequenceOptions options = identity.options;
    if (!find_option(options, Kind::kType)) {
        options.push_back(type_of(*column));
    }
    table::Sequences::Place place;
    RETURN_IF_ERROR(apply_options(options, /*is_new=*/true, &sequence.sequence, &place));
    sequence.sequence.counter = t.new_counter();
    sequence.sequence.first = place.value;
    RETURN_IF_ERROR(t.create_table(sequence));
    column->default_sql = "nextval(" + sequence_literal(sequence) + ")";
    column->generated = identity.how;
    return {};
}

Status Session::State::create_with_sequences(table::Transaction& t, TableDef table,
                                             const engine::CreateTable& statement) {
    std::vector<uint32_t> owners;
    for (uint32_t i = 0; i < table.columns.size(); i++) {
        ColumnDef& column = table.columns[i];
        if (const auto& identity = statement.columns[i].identity) {
            RETURN_IF_ERROR(add_sequence(t, table, *identity, &column));
            owners.push_back(i);
        } else if (column.default_sql) {
            ASSIGN_OR_RETURN(column.default_sql, with_schemas(*column.default_sql, *t.view()));
        }
    }
    depend_on_sequences(*t.view()->catalog, &table);
    RETURN_IF_ERROR(t.create_table(table));
    const catalog::TablePtr made = t.view()->catalog->find(table.schema_name, table.name);
    for (uint32_t i : owners) RETURN_IF_ERROR(own_sequence(t, *made, made->columns[i]));
    return {};
}

Status Session::State::prepare_sequences(table::Transaction& t, const TableDef& table,
                                         engine::AlterTable* statement) {
    for (AlterAction& action : statement->actions) {
        engine::ColumnSpec& spec = action.column;
        if (action.kind == AlterAction::Kind::kAddColumn && spec.identity) {
            if (table.find_column(spec.name.text)) continue;  // which is an error, or nothing
            ColumnDef column;
            column.name = spec.name.text;
            column.type = spec.type;
            RETURN_IF_ERROR(add_sequence(t, table, *spec.identity, &column));
            spec.default_sql = column.default_sql;
            spec.default_volatile = true;
        } else if (action.kind == AlterAction::Kind::kAddIdentity) {
            auto position = table.find_column(action.name.text);
            if (!position) continue;
            ColumnDef column = table.columns[*position];
            RETURN_IF_ERROR(add_sequence(t, table, action.identity, &column));
            action.text = column.default_sql;
        } else if (action.kind == AlterAction::Kind::kSetDefault && action.text) {
            ASSIGN_OR_RETURN(action.text, with_schemas(*action.text, *t.view()));
        } else if (spec.default_sql) {
            ASSIGN_OR_RETURN(spec.default_sql, with_schemas(*spec.default_sql, *t.view()));
        }
    }
    return {};
}

// What became of the column that owns the sequence: it may be gone, have another id because its
// type was changed, or have no use for the sequence any more.
Status Session::State::settle_sequences(table::Transaction& t, const TableDef& before,
                                        const engine::AlterTable& statement) {
    const catalog::TablePtr after = t.view()->catalog->find(before.id);
    for (const AlterAction& action : statement.actions) {
        const bool adds = action.kind == AlterAction::Kind::kAddColumn && action.column.identity;
        if (!adds && action.kind != AlterAction::Kind::kAddIdentity) continue;
        auto position = after->find_column(action.name.text);
        if (position) RETURN_IF_ERROR(own_sequence(t, *after, after->columns[*position]));
    }
    for (const AlterAction& action : statement.actions) {
        if (action.kind != AlterAction::Kind::kSetIdentity || action.identity.options.empty()) {
            continue;
        }
        const ColumnDef& column = after->columns.at(*after->find_column(action.name.text));
        for (const catalog::TablePtr& sequence : t.view()->catalog->dependents(before.id)) {
            const bool mine = sequence->kind == RelationKind::kSequence && uses(column, *sequence);
            if (mine) RETURN_IF_ERROR(alter_sequence_in(t, sequence, action.identity.options));
        }
    }
    for (const catalog::TablePtr& sequence : t.view()->catalog->dependents(before.id)) {
        if (sequence->kind != RelationKind::kSequence || !sequence->sequence.owner) continue;
        const auto old_place = before.find_column_id(*sequence->sequence.owner);
        if (!old_place) continue;  // it is new
        const ColumnDef& then = before.columns[*old_place];
        const auto now = after->find_column_id(then.id);
        if (now && (!then.is_identity() || after->columns[*now].is_identity())) continue;
        auto position = after->find_column(then.name);
        if (!now && position && uses(after->columns[*position], *sequence)) {
            const ColumnDef& column = after->columns[*position];
            TableDef moved = *sequence;
            moved.sequence.owner = column.id;
            table::Sequences::Place place{moved.sequence.start, false};
            if (column.is_identity()) {
                RETURN_IF_ERROR(
                    apply_options({type_of(column)}, /*is_new=*/false, &moved.sequence, &place));
            }
            RETURN_IF_ERROR(t.alter_table(std::move(moved), /*rows_matter=*/false));
            continue;
        }
        const bool cascade = std::any_of(statement.actions.begin(), statement.actions.end(),
                                         [](const AlterAction& a) { return a.cascade; });
        engine::Drop drop;
        drop.kind = RelationKind::kSequence;
        drop.names = {{catalog::reference(sequence->schema_name, sequence->name), 0}};
        drop.cascade = cascade;
        RETURN_IF_ERROR(drop_in(t, drop));
    }
    return {};
}

}  // namespace trefoil
