// ALTER TABLE: the actions are applied to a copy of the definition, one after the other; then the
// transaction takes the copy, and rows are rewritten if an action asked for it.
//
//     ADD COLUMN        no rewrite: rows that are there hold ColumnDef::missing, the default as it
//                       is now; only a default that may differ from row to row is written into them
//     DROP COLUMN       no rewrite: the column leaves the definition, its bytes go with compaction
//     RENAME COLUMN     no rewrite: expressions that use the column are kept as text, and get
//                       another one
//     TYPE, USING       the column becomes a new one in its place, whose values are computed from
//                       the rows as they were; its indexes are built, and its CHECKs and foreign
//                       keys checked, anew
//
// Expressions are evaluated by the engine over the table as it was before the statement.

#include <algorithm>
#include <map>

#include "base/check.h"
#include "base/text_format.h"
#include "db/constraints.h"
#include "db/session_state.h"
#include "db/stored_columns.h"

namespace trefoil {
namespace {

using Answer = Session::State::Answer;
using arrow::TypeId;
using catalog::ColumnDef;
using catalog::TableDef;
using engine::AlterAction;
using Generated = ColumnDef::Generated;

Status column_error(const char* sqlstate, const TableDef& table, const engine::Name& name,
                    std::string_view what) {
    return Status(
               Code::kInvalidInput, sqlstate,
               "column \"" + name.text + "\" of table \"" + table.name + "\" " + std::string(what))
        .with_position(name.position);
}

// An error gets the place of the name.
Status at_name(Status status, const engine::Name& name) {
    return status.ok() ? status : std::move(status).with_position(name.position);
}

bool is_number(const arrow::Type& t) {
    switch (t.id) {
        case TypeId::kInt16:
        case TypeId::kInt32:
        case TypeId::kInt64:
        case TypeId::kFloat32:
        case TypeId::kFloat64:
        case TypeId::kDecimal128:
            return true;
        default:
            return false;
    }
}

// Whether a column may become one of another type without USING: what storing a value in it allows.
bool casts_by_itself(const arrow::Type& from, const arrow::Type& to) {
    if (from == to || to.id == TypeId::kUtf8View) return true;
    if (is_number(from) && is_number(to)) return true;
    auto is_day_or_moment = [](const arrow::Type& t) {
        return t.id == TypeId::kDate32 || t.id == TypeId::kTimestamp;
    };
    return is_day_or_moment(from) && is_day_or_moment(to);
}

// The definition that a statement makes of a table, and what its rows need.
class Alteration {
public:
    Alteration(const TableDef& before, const table::Version& version, catalog::SearchPath path,
               engine::EngineSession& engine)
        : before_(before),
          def_(before),
          catalog_(*version.catalog),
          path_(std::move(path)),
          has_rows_(version.tables.at(before.id)->live_rows() > 0),
          engine_(engine) {}

    Status apply(const AlterAction& action) {
        switch (action.kind) {
            case AlterAction::Kind::kAddColumn:
                return add_column(action);
            case AlterAction::Kind::kDropColumn:
                return drop_column(action);
            case AlterAction::Kind::kRenameColumn:
                return rename_column(action);
            case AlterAction::Kind::kRenameTable:
                def_.name = catalog::parse_reference(action.new_name.text).name;
                return {};
            case AlterAction::Kind::kSetDefault:
                return set_default(action);
            case AlterAction::Kind::kSetNotNull:
                return set_not_null(action);
            case AlterAction::Kind::kSetType:
                return set_type(action);
            case AlterAction::Kind::kAddIdentity:
                return add_identity(action);
            case AlterAction::Kind::kSetIdentity:
            case AlterAction::Kind::kDropIdentity:
                return change_identity(action);
            case AlterAction::Kind::kDropExpression:
                return drop_expression(action);
            default:
                return change_constraint(action);
        }
        return {};
    }

    // After the last action.
    Status finish() {
        if (retyped_.empty()) return {};
        RETURN_IF_ERROR(check_references());
        RETURN_IF_ERROR(retype_checks());
        take_indexes_out();
        make_new_columns();
        return {};
    }

    const TableDef& definition() const { return def_; }
    // Columns, by id, whose values are computed by an expression over the table as it was.
    const std::map<uint32_t, std::string>& computed() const { return computed_; }
    // Columns, by id, in which there must be no NULL.
    const std::vector<uint32_t>& checked() const { return checked_; }
    // The names of CHECKs that rows which are there must pass.
    const std::vector<std::string>& to_check() const { return to_check_; }
    // The ids of columns that have another type, before and after.
    const std::map<uint32_t, uint32_t>& renumbered() const { return renumbered_; }
    // Statements that make the indexes over expressions that use such columns.
    const std::vector<std::string>& indexes_to_make() const { return indexes_to_make_; }
    // Columns that have other names: before, and now.
    const std::vector<std::pair<std::string, std::string>>& renamed() const { return renamed_; }
    // Foreign keys of other tables that go with what was dropped.
    const std::vector<Referrer>& orphaned() const { return orphaned_; }
    bool rows_matter() const { return !computed_.empty() || !checked_.empty() || new_constraints_; }

private:
    // The position of a column. Errors: 42703.
    Result<uint32_t> find(const engine::Name& name) const {
        if (auto position = def_.find_column(name.text)) return *position;
        return column_error("42703", def_, name, "does not exist");
    }

    bool in_primary_key(uint32_t position) const {
        const auto key = def_.primary_key();
        return std::find(key.begin(), key.end(), position) != key.end();
    }

    Status change_constraint(const AlterAction& action) {
        // What came with a column that was there already is there, too.
        if (action.kind <= AlterAction::Kind::kAddForeignKey && action.optional && column_known_) {
            return {};
        }
        switch (action.kind) {
            case AlterAction::Kind::kAddKey:
                RETURN_IF_ERROR(add_key(action.key, &def_));
                if (!action.key.is_primary) return {};
                for (uint32_t position : def_.primary_key()) {
                    checked_.push_back(def_.columns[position].id);
                }
                return {};
            case AlterAction::Kind::kAddCheck:
                new_constraints_ = true;
                RETURN_IF_ERROR(add_check(action.check, engine_, &def_));
                RETURN_IF_ERROR(catalog::name_constraints(def_));
                to_check_.push_back(def_.checks.back().name);
                return {};
            case AlterAction::Kind::kAddForeignKey:
                new_constraints_ = true;
                return add_foreign_key(action.foreign_key, catalog_, path_, &def_);
            case AlterAction::Kind::kRenameConstraint:
                std::replace(to_check_.begin(), to_check_.end(), action.name.text,
                             action.new_name.text);
                return rename_constraint(action.name, action.new_name, &def_);
            default:
                return drop_constraint(action);
        }
    }

    Status drop_constraint(const AlterAction& action) {
        if (action.optional && !def_.has_constraint(action.name.text)) return {};
        RETURN_IF_ERROR(trefoil::drop_constraint(action.name, &def_));
        return release_keys("constraint " + action.name.text + " on table " + before_.full_name(),
                            "index " + action.name.text, action);
    }

    // Something went. If it took a key with it that foreign keys refer to, they go too, or
    // it stays.
    Status release_keys(const std::string& what, const std::string& needed,
                        const AlterAction& action) {
        const std::vector<Referrer> lost = orphans(before_, def_, catalog_);
        if (!lost.empty() && !action.cascade) {
            return still_needed(what, needed, lost, catalog_).with_position(action.name.position);
        }
        for (const Referrer& r : lost) {
            if (r.table == before_.id) {
                drop_foreign_key(r.key, &def_);
            } else {
                orphaned_.push_back(r);
            }
        }
        return {};
    }

    Status add_column(const AlterAction& action) {
        const engine::ColumnSpec& spec = action.column;
        column_known_ = def_.find_column(spec.name.text).has_value();
        if (column_known_) {
            if (action.optional) return {};
            return column_error("42701", def_, spec.name, "already exists");
        }
        ColumnDef column;
        column.id = def_.next_column_id++;
        column.name = spec.name.text;
        column.type = spec.type;
        column.char_length = spec.char_length;
        column.not_null = spec.not_null;
        column.default_sql = spec.default_sql;
        if (spec.identity) column.generated = spec.identity->how;
        if (spec.stored) {
            RETURN_IF_ERROR(
                at_name(set_stored(engine_, def_, spec.stored->expression, &column), spec.name));
            computed_[column.id] = spec.stored->expression;
        } else if (spec.default_sql && spec.default_volatile) {
            computed_[column.id] = *spec.default_sql;
        } else if (spec.default_sql) {
            auto value = engine_.evaluate(*spec.default_sql, spec.type);
            if (!value.ok()) return value.status();
            column.missing = std::move(*value);
        }
        if (column.not_null && has_rows_) checked_.push_back(column.id);
        add_visible(std::move(column), &def_);
        return {};
    }

    Status drop_column(const AlterAction& action) {
        auto position = def_.find_column(action.name.text);
        if (!position && action.optional) return {};
        ASSIGN_OR_RETURN(uint32_t at, find(action.name));
        RETURN_IF_ERROR(drop_users(at, action));
        at = *def_.find_column(action.name.text);
        computed_.erase(def_.columns[at].id);
        retyped_.erase(def_.columns[at].id);
        std::erase(checked_, def_.columns[at].id);
        erase_column(at, &def_);
        drop_unused_columns(&def_);
        const std::string what = "column " + action.name.text + " of table " + before_.full_name();
        return release_keys(what, what, action);
    }

    Status rename_column(const AlterAction& action) {
        ASSIGN_OR_RETURN(uint32_t at, find(action.name));
        if (def_.find_column(action.new_name.text)) {
            return column_error("42701", def_, action.new_name, "already exists");
        }
        renamed_.emplace_back(action.name.text, action.new_name.text);
        return at_name(trefoil::rename_column(engine_, at, action.new_name.text, &def_),
                       action.name);
    }

    Status set_default(const AlterAction& action) {
        ASSIGN_OR_RETURN(uint32_t at, find(action.name));
        if (def_.columns[at].generated != Generated::kNo) {
            const bool stored = def_.columns[at].generated == Generated::kStored;
            return column_error("42601", def_, action.name,
                                stored ? "is a generated column" : "is an identity column")
                .with_hint(std::string("Use ALTER TABLE ... ALTER COLUMN ... DROP ") +
                           (stored ? "EXPRESSION" : "IDENTITY") + " instead.");
        }
        if (action.text && sequences_in(*action.text).empty()) {
            RETURN_IF_ERROR(engine_.evaluate(*action.text, def_.columns[at].type).status());
        }
        def_.columns[at].default_sql = action.text;
        return {};
    }

    Status set_not_null(const AlterAction& action) {
        ASSIGN_OR_RETURN(uint32_t at, find(action.name));
        if (!action.not_null && in_primary_key(at)) {
            return Status(Code::kInvalidInput, "42P16",
                          "column \"" + action.name.text + "\" is in a primary key")
                .with_position(action.name.position);
        }
        if (!action.not_null && def_.columns[at].is_identity()) {
            return column_error("42601", def_, action.name, "is an identity column");
        }
        def_.columns[at].not_null = action.not_null;
        std::erase(checked_, def_.columns[at].id);
        if (action.not_null) checked_.push_back(def_.columns[at].id);
        return {};
    }

    Status set_type(const AlterAction& action) {
        ASSIGN_OR_RETURN(uint32_t at, find(action.name));
        ColumnDef& column = def_.columns[at];
        const engine::ColumnSpec& spec = action.column;
        const bool longer =
            !spec.char_length || (column.char_length && *spec.char_length >= *column.char_length);
        if (spec.type == column.type && longer && !action.text) {
            column.char_length = spec.char_length;
            return {};
        }
        RETURN_IF_ERROR(refuse_in_generated(at, action));
        const std::string type = spec.char_length ? "VARCHAR" : spec.type.sql_name();
        if (!action.text && !casts_by_itself(column.type, spec.type)) {
            return Status(Code::kInvalidInput, "42804",
                          "column \"" + column.name + "\" cannot be cast automatically to type " +
                              type)
                .with_hint("You might need to specify \"USING " + catalog::quoted(column.name) +
                           "::" + type + "\".")
                .with_position(action.name.position);
        }
        const bool is_generated = column.generated == Generated::kStored;
        if (column.default_sql && !is_generated && sequences_in(*column.default_sql).empty() &&
            !engine_.evaluate(*column.default_sql, spec.type).ok()) {
            return Status(Code::kInvalidInput, "42804",
                          "default for column \"" + column.name +
                              "\" cannot be cast automatically to type " + type)
                .with_position(action.name.position);
        }
        // Rows are computed from the table as it was.
        const auto then = before_.find_column_id(column.id);
        const std::string& name = then ? before_.columns[*then].name : column.name;
        computed_[column.id] = action.text.value_or(in_quotes(name, '"'));
        column.type = spec.type;
        column.char_length = spec.char_length;
        column.missing = Value();
        retyped_[column.id] = action.name;
        if (is_generated) return recompute(at, action.name);
        return {};
    }

    // The expression of a generated column must have a value of its new type.
    Status recompute(uint32_t position, const engine::Name& name) {
        ColumnDef& column = def_.columns[position];
        computed_[column.id] = *column.default_sql;
        TableDef others = def_;
        others.columns.erase(others.columns.begin() + position);
        column.uses.clear();
        return at_name(set_stored(engine_, others, *column.default_sql, &column), name);
    }

    // --- When the type of a column is another one: by id, and where the statement names them ---

    // The CHECKs that use such columns must be true of their new types, and then of all rows.
    Status retype_checks() {
        for (const auto& [id, name] : retyped_) {
            const uint32_t position = *def_.find_column_id(id);
            for (const catalog::CheckDef& check : def_.checks) {
                if (!check.uses_column(position)) continue;
                TableDef trial = def_;
                engine::CheckSpec spec;
                spec.condition = check.condition;
                spec.position = name.position;
                RETURN_IF_ERROR(add_check(spec, engine_, &trial));
                to_check_.push_back(check.name);
            }
        }
        return {};
    }

    // Foreign keys compare values of one type.
    Status check_references() const {
        const engine::Name& at = retyped_.begin()->second;
        for (const catalog::ForeignKeyDef& key : def_.foreign_keys) {
            const catalog::TablePtr other = catalog_.find(key.table);
            const TableDef& parent = key.table == def_.id ? def_ : *other;
            RETURN_IF_ERROR(check_key_types(def_, parent, key, at));
        }
        for (const catalog::TablePtr& child : catalog_.referencing(def_.id)) {
            if (child->id == def_.id) continue;
            for (const catalog::ForeignKeyDef& key : child->foreign_keys) {
                if (key.table != def_.id || is_orphaned(child->id, key.name)) continue;
                RETURN_IF_ERROR(check_key_types(*child, def_, key, at));
            }
        }
        return {};
    }

    bool is_orphaned(uint32_t table, const std::string& key) const {
        return std::any_of(orphaned_.begin(), orphaned_.end(),
                           [&](const Referrer& r) { return r.table == table && r.key == key; });
    }

    // Whether the expression of a hidden column uses one of them.
    bool is_stale(uint32_t position) const {
        const auto& uses = def_.columns[position].uses;
        return def_.columns[position].is_hidden() &&
               std::any_of(uses.begin(), uses.end(),
                           [&](uint32_t id) { return retyped_.contains(id); });
    }

    // Indexes over such expressions are made again when the rows hold the new values.
    void take_indexes_out() {
        std::erase_if(def_.indexes, [&](const catalog::IndexDef& index) {
            auto stale = [&](uint32_t position) { return is_stale(position); };
            if (!std::any_of(index.columns.begin(), index.columns.end(), stale) &&
                !std::any_of(index.filters.begin(), index.filters.end(), stale)) {
                return false;
            }
            indexes_to_make_.push_back(def_.index_sql(index));
            return true;
        });
        drop_unused_columns(&def_);
    }

    void make_new_columns() {
        for (const auto& [id, name] : retyped_) {
            const uint32_t now = def_.next_column_id++;
            def_.columns[*def_.find_column_id(id)].id = now;
            renumbered_[id] = now;
            auto computed = computed_.extract(id);
            computed.key() = now;
            computed_.insert(std::move(computed));
            std::replace(checked_.begin(), checked_.end(), id, now);
            for (catalog::ForeignKeyDef& key : def_.foreign_keys) {
                if (key.table != def_.id) continue;
                std::replace(key.referenced.begin(), key.referenced.end(), id, now);
            }
        }
    }

    // --- Generated columns ---

    // The stored column that uses another; null if there is none.
    const ColumnDef* user_of(uint32_t position) const {
        const uint32_t id = def_.columns[position].id;
        for (const ColumnDef& c : def_.columns) {
            if (c.uses_column(id)) return &c;
        }
        return nullptr;
    }

    // Whose type is not to be changed, or not so.
    Status refuse_in_generated(uint32_t position, const AlterAction& action) const {
        const ColumnDef& column = def_.columns[position];
        for (const ColumnDef& user : def_.visible_columns()) {
            if (!user.uses_column(column.id)) continue;
            return Status::unsupported("cannot alter type of a column used by a generated column")
                .with_detail("Column \"" + column.name + "\" is used by generated column \"" +
                             user.name + "\".")
                .with_position(action.name.position);
        }
        if (column.generated != Generated::kStored) return {};
        if (action.text) {
            return Status(Code::kInvalidInput, "42611",
                          "cannot specify USING when altering type of generated column")
                .with_detail("Column \"" + column.name + "\" is a generated column.")
                .with_position(action.name.position);
        }
        return {};
    }

    // Stored columns that use the column go with it, if that is wanted; indexes in any case.
    Status drop_users(uint32_t position, const AlterAction& action) {
        const std::string name = def_.columns[position].name;
        while (const ColumnDef* user = user_of(*def_.find_column(name))) {
            if (user->is_hidden()) {
                erase_column(static_cast<uint32_t>(user - def_.columns.data()), &def_);
                continue;
            }
            const std::string of_table = " of table " + def_.name;
            if (!action.cascade) {
                return Status(Code::kInvalidInput, "2BP01",
                              "cannot drop column " + name + of_table +
                                  " because other objects depend on it")
                    .with_detail("column " + user->name + of_table + " depends on column " + name +
                                 of_table)
                    .with_hint("Use DROP ... CASCADE to drop the dependent objects too.")
                    .with_position(action.name.position);
            }
            AlterAction drop = action;
            drop.name.text = user->name;
            RETURN_IF_ERROR(drop_column(drop));
        }
        return {};
    }

    Status add_identity(const AlterAction& action) {
        ASSIGN_OR_RETURN(uint32_t at, find(action.name));
        ColumnDef& column = def_.columns[at];
        const bool integer = column.type == arrow::int16() || column.type == arrow::int32() ||
                             column.type == arrow::int64();
        if (!integer) {
            return Status(Code::kInvalidInput, "22023",
                          "identity column type must be smallint, integer, or bigint")
                .with_position(action.name.position);
        }
        if (!column.not_null) {
            return column_error("55000", def_, action.name,
                                "must be declared NOT NULL before identity can be added");
        }
        if (column.is_identity()) {
            return column_error("55000", def_, action.name, "is already an identity column");
        }
        if (column.default_sql) {
            return column_error("55000", def_, action.name, "already has a default value");
        }
        column.generated = action.identity.how;
        column.default_sql = action.text;
        return {};
    }

    // SET GENERATED and DROP IDENTITY; what is said of the sequence is done elsewhere.
    Status change_identity(const AlterAction& action) {
        ASSIGN_OR_RETURN(uint32_t at, find(action.name));
        ColumnDef& column = def_.columns[at];
        if (!column.is_identity()) {
            if (action.optional) return {};
            return column_error("55000", def_, action.name, "is not an identity column");
        }
        if (action.kind == AlterAction::Kind::kDropIdentity) {
            column.generated = Generated::kNo;
            column.default_sql.reset();
        } else if (action.identity.how != Generated::kNo) {
            column.generated = action.identity.how;
        }
        return {};
    }

    Status drop_expression(const AlterAction& action) {
        ASSIGN_OR_RETURN(uint32_t at, find(action.name));
        ColumnDef& column = def_.columns[at];
        if (column.generated != Generated::kStored) {
            if (action.optional) return {};
            return column_error("55000", def_, action.name, "is not a stored generated column");
        }
        column.generated = Generated::kNo;
        column.default_sql.reset();
        column.uses.clear();
        return {};
    }

    const TableDef& before_;
    TableDef def_;
    const catalog::Catalog& catalog_;
    catalog::SearchPath path_;
    bool has_rows_;
    engine::EngineSession& engine_;
    std::map<uint32_t, std::string> computed_;
    std::vector<uint32_t> checked_;
    std::vector<std::string> to_check_;
    std::map<uint32_t, engine::Name> retyped_;
    std::map<uint32_t, uint32_t> renumbered_;
    std::vector<std::string> indexes_to_make_;
    std::vector<std::pair<std::string, std::string>> renamed_;
    std::vector<Referrer> orphaned_;
    bool new_constraints_ = false;
    bool column_known_ = false;  // that the last ADD COLUMN was to add
};

}  // namespace

// Rows of the altered table, computed from those that `before` shows.
Status Session::State::rewrite_rows(table::Transaction& t, const table::VersionPtr& before,
                                    const std::string& sql, const catalog::TablePtr& table) {
    auto then = catalog_of(before);
    ASSIGN_OR_RETURN(engine::Statement query, engine->parse(sql));
    ASSIGN_OR_RETURN(engine::QueryPlan plan, engine->plan(query, *then));
    RETURN_IF_ERROR(check_shape(*plan.schema, *table, 1));
    ASSIGN_OR_RETURN(auto stream, engine->run(plan, {}, *then, &cancel));
    table::TableWriter writer(t, table);
    for (;;) {
        ASSIGN_OR_RETURN(auto batch, stream->next());
        if (!batch) break;
        arrow::Array row_ids = std::move(batch->columns[0]);
        batch->columns.erase(batch->columns.begin());
        RETURN_IF_ERROR(writer.update(row_ids, batch->columns));
    }
    return writer.finish().status();
}

namespace {

// Errors: 23502 if one of these columns, given by their ids, holds NULL.
Status check_no_nulls(const table::TableVersion& table, const std::vector<uint32_t>& columns) {
    for (uint32_t id : columns) {
        const uint32_t position = table.def().find_column_id(id).value();
        ASSIGN_OR_RETURN(bool null, table.has_null(position));
        if (null) {
            return Status(Code::kInvalidInput, "23502",
                          "column \"" + table.def().columns[position].name + "\" of table \"" +
                              table.def().name + "\" contains null values");
        }
    }
    return {};
}

}  // namespace

// Takes the definition, and writes what it computes into the rows. Indexes over such columns are
// made when the rows hold them.
Status Session::State::take_definition(table::Transaction& t, const TableDef& before,
                                       TableDef after,
                                       const std::map<uint32_t, std::string>& computed,
                                       bool rows_matter) {
    if (computed.empty()) return t.alter_table(std::move(after), rows_matter);
    const table::VersionPtr then = t.view();
    const std::vector<catalog::IndexDef> wanted = after.indexes;
    auto is_late = [&](const catalog::IndexDef& index) {
        return std::any_of(index.columns.begin(), index.columns.end(), [&](uint32_t position) {
            return computed.contains(after.columns[position].id);
        });
    };
    std::vector<bool> late(wanted.size());
    std::transform(wanted.begin(), wanted.end(), late.begin(), is_late);
    std::erase_if(after.indexes, is_late);
    RETURN_IF_ERROR(t.alter_table(std::move(after), rows_matter));
    const catalog::TablePtr altered = t.view()->catalog->find(before.id);
    RETURN_IF_ERROR(
        without_place(rewrite_rows(t, then, rewriting_query(before, *altered, computed), altered)));
    if (altered->indexes.size() == wanted.size()) return {};
    TableDef whole = *altered;
    whole.indexes.clear();
    for (size_t i = 0, kept = 0; i < wanted.size(); i++) {
        whole.indexes.push_back(late[i] ? wanted[i] : altered->indexes[kept++]);
        if (late[i]) whole.indexes.back().id = 0;
    }
    return t.alter_table(std::move(whole), rows_matter);
}

namespace {

// Foreign keys of other tables follow the columns that they refer to, which have other ids now.
Status renumber_references(table::Transaction& t, const TableDef& table,
                           const std::map<uint32_t, uint32_t>& renumbered) {
    if (renumbered.empty()) return {};
    for (const catalog::TablePtr& child : t.view()->catalog->referencing(table.id)) {
        TableDef def = *child;
        bool any = false;
        for (catalog::ForeignKeyDef& key : def.foreign_keys) {
            if (key.table != table.id) continue;
            for (uint32_t& column : key.referenced) {
                const auto now = renumbered.find(column);
                if (now == renumbered.end()) continue;
                column = now->second;
                any = true;
            }
        }
        if (!any) continue;
        RETURN_IF_ERROR(t.alter_table(def, /*rows_matter=*/true));
        for (const catalog::ForeignKeyDef& key : def.foreign_keys) {
            if (key.table != table.id) continue;
            RETURN_IF_ERROR(table::check_references(*t.view(), def, key));
        }
    }
    return {};
}

}  // namespace

Status Session::State::alter_in(table::Transaction& t, const engine::AlterTable& statement) {
    auto found = table_to_change(*t.view(), statement.table);
    if (found.status().sqlstate() == "42P01" && statement.if_exists) return {};
    ASSIGN_OR_RETURN(catalog::TablePtr table, std::move(found));
    engine::AlterTable prepared = statement;
    RETURN_IF_ERROR(prepare_sequences(t, *table, &prepared));
    const table::VersionPtr before = t.view();
    Alteration alteration(*table, *before, path(), *engine);
    for (const AlterAction& action : prepared.actions) {
        RETURN_IF_ERROR(alteration.apply(action));
    }
    RETURN_IF_ERROR(alteration.finish());
    TableDef after = alteration.definition();
    if (db.system_tables.contains(after.name)) {
        return Status(Code::kInvalidInput, "42939",
                      "\"" + after.name + "\" is the name of a system table");
    }
    if (after.name != table->name) {
        RETURN_IF_ERROR(free_place({after.schema_name, after.name}, statement.table).status());
    }
    for (const Referrer& orphan : alteration.orphaned()) {
        TableDef referring = *t.view()->catalog->find(orphan.table);
        drop_foreign_key(orphan.key, &referring);
        RETURN_IF_ERROR(t.alter_table(std::move(referring), /*rows_matter=*/false));
    }
    depend_on_sequences(*before->catalog, &after);
    Status taken = take_definition(t, *table, std::move(after), alteration.computed(),
                                   alteration.rows_matter());
    if (!alteration.computed().empty()) taken = at_name(std::move(taken), statement.table);
    RETURN_IF_ERROR(taken);
    const catalog::TablePtr altered = t.view()->catalog->find(table->id);
    RETURN_IF_ERROR(renumber_references(t, *altered, alteration.renumbered()));
    RETURN_IF_ERROR(rename_in_views(t, *before->catalog, *table, alteration.renamed()));
    RETURN_IF_ERROR(check_views(t, *table));
    RETURN_IF_ERROR(settle_sequences(t, *table, prepared));
    RETURN_IF_ERROR(check_no_nulls(*t.view()->tables.at(table->id), alteration.checked()));
    for (const catalog::CheckDef& check : altered->checks) {
        const auto& wanted = alteration.to_check();
        if (std::find(wanted.begin(), wanted.end(), check.name) == wanted.end()) continue;
        RETURN_IF_ERROR(check_all_rows(t.view(), *altered, check));
    }
    RETURN_IF_ERROR(hold_parents(t, *table, *altered));
    RETURN_IF_ERROR(check_new_references(t, *table, *altered));
    for (const std::string& sql : alteration.indexes_to_make()) {
        RETURN_IF_ERROR(at_name(make_index(t, *altered, sql), statement.table));
    }
    return {};
}

// `sql`: a CREATE INDEX as TableDef::index_sql writes it.
Status Session::State::make_index(table::Transaction& t, const TableDef& table,
                                  const std::string& sql) {
    ASSIGN_OR_RETURN(engine::Statement statement, engine->parse(sql));
    auto& index = std::get<engine::CreateIndex>(statement.kind);
    index.table.text = catalog::reference(table.schema_name, table.name);
    return without_place(create_index_in(t, index));
}

Result<Answer> Session::State::alter_table(const engine::AlterTable& statement) {
    return define([&](table::Transaction& t) { return alter_in(t, statement); }, "ALTER TABLE");
}

}  // namespace trefoil
