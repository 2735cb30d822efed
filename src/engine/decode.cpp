// Reading what the bridge describes in bytes.

#include "engine/decode.h"

#include <limits>
#include <utility>

#include "base/check.h"
#include "engine/border.h"
#include "plan/expr.h"

namespace trefoil::engine {
namespace {

// A type cannot nest deeper than this: arrays of arrays of arrays.
constexpr int kTypeDepthMax = 16;

Status malformed(std::string_view what) {
    return internal_error("the bridge sent a malformed " + std::string(what));
}

std::string read_string(Reader& in) {
    return std::string(in.str());
}

Name read_name(Reader& in) {
    Name name;
    name.text = read_string(in);
    name.position = in.u32();
    return name;
}

// list X, with `read_item` for X. Ends early when the bytes do.
template <typename T, typename F>
std::vector<T> read_list(Reader& in, F&& read_item) {
    std::vector<T> items;
    const uint32_t count = in.u32();
    for (uint32_t i = 0; i < count && in.ok(); i++) items.push_back(read_item(in));
    return items;
}

template <typename F>
auto read_optional(Reader& in, F&& read_item) {
    std::optional<decltype(read_item(in))> item;
    if (in.u8() != 0) item = read_item(in);
    return item;
}

CopyOptions read_options(Reader& in) {
    return read_list<CopyOptions::value_type>(in, [](Reader& r) {
        std::string name = read_string(r);
        return CopyOptions::value_type(std::move(name), read_string(r));
    });
}

Result<arrow::Type> read_type(Reader& in, int depth = 0) {
    const Bytes format = in.str();
    if (!in.ok() || depth > kTypeDepthMax) return malformed("type");
    if (format == "+l") {
        ASSIGN_OR_RETURN(arrow::Type element, read_type(in, depth + 1));
        return arrow::list(std::move(element));
    }
    Result<arrow::Type> type = arrow::Type::from_format(format);
    if (!type.ok()) return malformed("type");
    return type;
}

SequenceOptions read_sequence_options(Reader& in) {
    return read_list<SequenceOption>(in, [](Reader& r) {
        SequenceOption option;
        option.kind = static_cast<SequenceOption::Kind>(r.u8());
        option.value = read_optional(r, [](Reader& v) { return static_cast<int64_t>(v.u64()); });
        option.names = read_list<Name>(r, read_name);
        option.position = r.u32();
        return option;
    });
}

Identity read_identity(Reader& in) {
    Identity identity;
    identity.how = static_cast<catalog::ColumnDef::Generated>(in.u8() & 3);
    identity.options = read_sequence_options(in);
    return identity;
}

Result<ColumnSpec> read_column(Reader& in) {
    ColumnSpec column;
    column.name = read_name(in);
    ASSIGN_OR_RETURN(column.type, read_type(in));
    if (auto length = read_optional(in, [](Reader& r) { return r.u32(); })) {
        if (*length > static_cast<uint32_t>(std::numeric_limits<int32_t>::max())) {
            return malformed("column");
        }
        column.char_length = static_cast<int32_t>(*length);
    }
    column.not_null = in.u8() != 0;
    column.default_sql = read_optional(in, read_string);
    column.default_volatile = in.u8() != 0;
    column.identity = read_optional(in, read_identity);
    column.stored = read_optional(in, [](Reader& r) {
        Stored stored;
        stored.expression = read_string(r);
        stored.columns = read_list<std::string>(r, read_string);
        return stored;
    });
    return column;
}

KeySpec read_key(Reader& in) {
    KeySpec key;
    key.name = read_optional(in, read_name);
    key.is_primary = in.u8() != 0;
    key.columns = read_list<Name>(in, read_name);
    return key;
}

CheckSpec read_check(Reader& in) {
    CheckSpec check;
    check.name = read_optional(in, read_name);
    check.condition = read_string(in);
    check.columns = read_list<std::string>(in, read_string);
    return check;
}

Result<ForeignKeySpec> read_foreign_key(Reader& in) {
    ForeignKeySpec key;
    key.name = read_optional(in, read_name);
    key.columns = read_list<Name>(in, read_name);
    key.table = read_name(in);
    key.referenced = read_list<Name>(in, read_name);
    key.match_full = in.u8() != 0;
    for (catalog::ReferenceAction* action : {&key.on_delete, &key.on_update}) {
        *action = static_cast<catalog::ReferenceAction>(in.u8());
        if (*action > catalog::ReferenceAction::kSetDefault) return malformed("foreign key");
    }
    return key;
}

Result<StatementKind> read_create_table(Reader& in) {
    CreateTable create;
    create.table = read_name(in);
    create.if_not_exists = in.u8() != 0;
    create.temporary = in.u8() != 0;
    const uint32_t count = in.u32();
    for (uint32_t i = 0; i < count; i++) {
        ASSIGN_OR_RETURN(ColumnSpec column, read_column(in));
        create.columns.push_back(std::move(column));
    }
    create.keys = read_list<KeySpec>(in, read_key);
    create.checks = read_list<CheckSpec>(in, read_check);
    const uint32_t foreign_keys = in.u32();
    for (uint32_t i = 0; i < foreign_keys && in.ok(); i++) {
        ASSIGN_OR_RETURN(ForeignKeySpec key, read_foreign_key(in));
        create.foreign_keys.push_back(std::move(key));
    }
    return StatementKind(std::move(create));
}

// ADD of a constraint, behind its kind.
Result<AlterAction> read_added_constraint(AlterAction::Kind kind, Reader& in) {
    AlterAction action;
    action.kind = kind;
    if (kind == AlterAction::Kind::kAddKey) {
        action.key = read_key(in);
    } else if (kind == AlterAction::Kind::kAddCheck) {
        action.check = read_check(in);
        action.check.position = in.u32();
    } else {
        ASSIGN_OR_RETURN(action.foreign_key, read_foreign_key(in));
    }
    action.optional = in.u8() & 1;
    return action;
}

Result<AlterAction> read_alter_action(Reader& in) {
    using Kind = AlterAction::Kind;
    AlterAction action;
    const uint8_t kind = in.u8();
    if (kind > static_cast<uint8_t>(Kind::kDropExpression)) {
        return malformed("action of ALTER TABLE");
    }
    action.kind = static_cast<Kind>(kind);
    if (action.kind >= Kind::kAddKey && action.kind <= Kind::kAddForeignKey) {
        return read_added_constraint(action.kind, in);
    }
    if (action.kind == Kind::kAddColumn || action.kind == Kind::kSetType) {
        ASSIGN_OR_RETURN(action.column, read_column(in));
        action.name = action.column.name;
    } else {
        action.name = read_name(in);
    }
    action.new_name = read_name(in);
    const uint8_t flags = in.u8();
    action.optional = flags & 1;
    action.cascade = flags & 2;
    action.not_null = flags & 4;
    action.text = read_optional(in, read_string);
    if (action.kind == Kind::kAddIdentity || action.kind == Kind::kSetIdentity) {
        action.identity = read_identity(in);
    }
    return action;
}

Result<StatementKind> read_alter_table(Reader& in) {
    AlterTable alter;
    alter.table = read_name(in);
    alter.if_exists = in.u8() != 0;
    const uint32_t count = in.u32();
    for (uint32_t i = 0; i < count && in.ok(); i++) {
        ASSIGN_OR_RETURN(AlterAction action, read_alter_action(in));
        alter.actions.push_back(std::move(action));
    }
    return StatementKind(std::move(alter));
}

StatementKind read_copy_from(Reader& in) {
    CopyFrom copy;
    copy.table = read_name(in);
    copy.columns = read_list<Name>(in, read_name);
    copy.file = read_string(in);
    copy.options = read_options(in);
    return copy;
}

StatementKind read_copy_to(Reader& in) {
    CopyTo copy;
    copy.file = read_string(in);
    copy.options = read_options(in);
    return copy;
}

StatementKind read_set(Reader& in) {
    SetVariable set;
    set.name = read_string(in);
    set.value = read_optional(in, read_string);
    set.local = in.u8() != 0;
    return set;
}

StatementKind read_truncate(Reader& in) {
    Truncate truncate;
    truncate.tables = read_list<Name>(in, read_name);
    truncate.restart_identity = in.u8() != 0;
    truncate.cascade = in.u8() != 0;
    return truncate;
}

catalog::RelationKind read_relation_kind(Reader& in) {
    return static_cast<catalog::RelationKind>(in.u8() & 3);
}

StatementKind read_drop(Reader& in) {
    Drop drop;
    drop.kind = read_relation_kind(in);
    drop.names = read_list<Name>(in, read_name);
    drop.if_exists = in.u8() != 0;
    drop.cascade = in.u8() != 0;
    return drop;
}

RowBound read_bound(Reader& in) {
    RowBound bound;
    if (in.u8() == 0) {
        bound.number = in.u64();
    } else {
        bound.parameter = in.u32();
    }
    return bound;
}

Query read_query(Reader& in) {
    Query query;
    query.locks = read_list<RowLock>(in, [](Reader& r) {
        RowLock lock;
        lock.table = read_name(r);
        lock.mode = r.u8();
        lock.wait = static_cast<RowLock::Wait>(r.u8());
        return lock;
    });
    query.limit = read_optional(in, read_bound);
    query.offset = read_optional(in, read_bound);
    return query;
}

TransactionModes read_modes(Reader& in) {
    TransactionModes modes;
    const uint8_t isolation = in.u8();
    if (isolation != 0) modes.isolation = static_cast<Isolation>(isolation);
    modes.read_only = read_optional(in, [](Reader& r) { return r.u8() != 0; });
    return modes;
}

StatementKind read_set_transaction(Reader& in) {
    SetTransaction set;
    set.modes = read_modes(in);
    set.session = in.u8() != 0;
    return set;
}

Result<StatementKind> read_house(Reader& in) {
    House house;
    const uint8_t action = in.u8();
    if (action > static_cast<uint8_t>(House::Action::kSetConstraints))
        return malformed("statement");
    house.action = static_cast<House::Action>(action);
    house.table = read_optional(in, read_name);
    house.directory = read_string(in);
    house.options = read_options(in);
    return StatementKind(std::move(house));
}

CreateIndex::Key read_index_key(Reader& in) {
    CreateIndex::Key key;
    key.is_expression = in.u8() != 0;
    key.name = read_name(in);
    key.descending = in.u8() != 0;
    key.nulls_first = in.u8() != 0;
    key.text_class = read_optional(in, read_name);
    return key;
}

Result<StatementKind> read_index(Reader& in) {
    switch (in.u8()) {
        case 0: {
            CreateIndex create;
            create.name = read_optional(in, read_name);
            create.if_not_exists = in.u8() != 0;
            create.unique = in.u8() != 0;
            create.hash = in.u8() != 0;
            create.concurrently = in.u8() != 0;
            create.table = read_name(in);
            create.keys = read_list<CreateIndex::Key>(in, read_index_key);
            create.included = read_list<Name>(in, read_name);
            create.conditions = read_list<Name>(in, read_name);
            return StatementKind(std::move(create));
        }
        case 1: {
            DropIndex drop;
            drop.indexes = read_list<Name>(in, read_name);
            drop.if_exists = in.u8() != 0;
            drop.concurrently = in.u8() != 0;
            return StatementKind(std::move(drop));
        }
        case 2: {
            RenameIndex rename;
            rename.index = read_name(in);
            rename.to = read_name(in);
            rename.if_exists = in.u8() != 0;
            return StatementKind(std::move(rename));
        }
        case 3: {
            Reindex rebuild;
            rebuild.name = read_name(in);
            rebuild.of_table = in.u8() != 0;
            rebuild.concurrently = in.u8() != 0;
            return StatementKind(std::move(rebuild));
        }
        default:
            return malformed("statement");
    }
}

StatementKind read_create_view(Reader& in) {
    CreateView create;
    create.view = read_name(in);
    create.or_replace = in.u8() != 0;
    create.if_not_exists = in.u8() != 0;
    create.temporary = in.u8() != 0;
    create.columns = read_list<Name>(in, read_name);
    create.query = read_string(in);
    return create;
}

StatementKind read_create_table_as(Reader& in) {
    CreateTableAs create;
    create.table = read_name(in);
    create.if_not_exists = in.u8() != 0;
    create.temporary = in.u8() != 0;
    return create;
}

StatementKind read_comment(Reader& in) {
    Comment comment;
    comment.name = read_name(in);
    comment.kind = read_relation_kind(in);
    comment.column = read_optional(in, read_name);
    comment.text = read_optional(in, read_string);
    return comment;
}

StatementKind read_create_sequence(Reader& in) {
    CreateSequence create;
    create.sequence = read_name(in);
    create.if_not_exists = in.u8() != 0;
    create.temporary = in.u8() != 0;
    create.options = read_sequence_options(in);
    return create;
}

StatementKind read_alter_sequence(Reader& in) {
    AlterSequence alter;
    alter.sequence = read_name(in);
    alter.if_exists = in.u8() != 0;
    alter.options = read_sequence_options(in);
    alter.new_name = read_optional(in, read_name);
    return alter;
}

StatementKind read_create_schema(Reader& in) {
    CreateSchema create{read_name(in)};
    create.if_not_exists = in.u8() != 0;
    return create;
}

StatementKind read_sequence(uint8_t kind, Reader& in) {
    return kind == 72 ? read_create_sequence(in) : read_alter_sequence(in);
}

Result<StatementKind> read_kind(Reader& in) {
    const uint8_t kind = in.u8();
    switch (kind) {
        case 0:
            return StatementKind(read_query(in));
        case 1:
            return StatementKind(Insert{read_name(in)});
        case 2:
            return StatementKind(Update{read_name(in)});
        case 3:
            return StatementKind(Delete{read_name(in)});
        case 4:
            return read_create_table(in);
        case 5:
            return read_drop(in);
        case 6:
            return StatementKind(Begin{read_modes(in)});
        case 7:
            return StatementKind(Commit{in.u8() != 0});
        case 8:
            return StatementKind(Rollback{in.u8() != 0});
        case 9:
            return read_set(in);
        case 10:
            return StatementKind(ShowVariable{read_string(in)});
        case 11:
            return StatementKind(ShowTables{});
        case 12:
            return StatementKind(Describe{read_name(in)});
        case 13:
            return read_copy_from(in);
        case 14:
            return read_copy_to(in);
        case 15:
            return read_house(in);
        case 30:
            return read_alter_table(in);
        case 40:
            return StatementKind(Savepoint{read_name(in)});
        case 41:
            return StatementKind(RollbackTo{read_name(in)});
        case 42:
            return StatementKind(Release{read_name(in)});
        case 43:
            return read_set_transaction(in);
        case 31:
            return read_create_view(in);
        case 32:
            return read_create_table_as(in);
        case 33:
            return read_create_schema(in);
        case 34:
            return read_comment(in);
        case 50:
            return StatementKind(Merge{read_name(in)});
        case 51:
            return read_truncate(in);
        case 60:
            return read_index(in);
        case 70:
            return StatementKind(Analyze{read_list<Name>(in, read_name)});
        case 72:
        case 73:
            return read_sequence(kind, in);
        default:
            return malformed("statement");
    }
}

Explain read_explain(Reader& in) {
    Explain explain;
    explain.analyze = in.u8() != 0;
    explain.verbose = in.u8() != 0;
    explain.format = read_string(in);
    return explain;
}

Result<std::optional<plan::Expr>> read_optional_expr(Reader& in) {
    if (in.u8() == 0) return std::optional<plan::Expr>();
    ASSIGN_OR_RETURN(plan::Expr e, plan::decode_expr(in));
    return std::optional(std::move(e));
}

Result<AccessQuery> read_access(Reader& in) {
    AccessQuery query;
    query.table = read_string(in);
    query.projection = read_list<uint32_t>(in, [](Reader& r) { return r.u32(); });
    const uint32_t count = in.u32();
    for (uint32_t i = 0; i < count; i++) {
        ASSIGN_OR_RETURN(plan::Expr filter, plan::decode_expr(in));
        query.filters.push_back(std::move(filter));
    }
    ASSIGN_OR_RETURN(query.limit, read_optional_expr(in));
    ASSIGN_OR_RETURN(query.offset, read_optional_expr(in));
    query.order = read_order(in);
    return query;
}

Result<std::vector<plan::Expr>> read_exprs(Reader& in) {
    std::vector<plan::Expr> exprs;
    const uint32_t count = in.u32();
    for (uint32_t i = 0; i < count; i++) {
        ASSIGN_OR_RETURN(plan::Expr e, plan::decode_expr(in));
        exprs.push_back(std::move(e));
    }
    return exprs;
}

Result<access::DirectForm> read_direct(Reader& in) {
    access::DirectForm form;
    const uint8_t kind = in.u8();
    if (kind > 2) return malformed("change");
    form.kind = static_cast<access::DirectForm::Kind>(kind);
    const uint32_t rows = in.u32();
    for (uint32_t i = 0; i < rows && in.ok(); i++) {
        ASSIGN_OR_RETURN(auto row, read_exprs(in));
        form.rows.push_back(std::move(row));
    }
    const uint32_t assignments = in.u32();
    for (uint32_t i = 0; i < assignments && in.ok(); i++) {
        access::DirectForm::Assignment a;
        a.column = in.u32();
        const uint8_t operation = in.u8();
        if (operation > 2) return malformed("change");
        a.operation = static_cast<access::DirectForm::Operation>(operation);
        a.from = in.u32();
        ASSIGN_OR_RETURN(a.value, plan::decode_expr(in));
        form.assignments.push_back(std::move(a));
    }
    ASSIGN_OR_RETURN(form.keys, read_exprs(in));
    form.returning = read_list<uint32_t>(in, [](Reader& r) { return r.u32(); });
    return form;
}

Result<OnConflict> read_conflict(Reader& in) {
    OnConflict conflict;
    const uint8_t target = in.u8();
    if (target > static_cast<uint8_t>(OnConflict::Target::kPrimaryKey)) return malformed("change");
    conflict.target = static_cast<OnConflict::Target>(target);
    conflict.names = read_list<Name>(in, read_name);
    conflict.conditions = read_list<std::string>(in, read_string);
    conflict.update = in.u8() != 0;
    return conflict;
}

Result<ChangeShape> read_change(Reader& in) {
    ChangeShape shape;
    shape.action = in.u8() != 0;
    shape.row_id = in.u8() != 0;
    shape.columns = in.u32();
    shape.checks = read_list<std::string>(in, read_string);
    shape.returning = in.u8() != 0;
    if (in.u8() != 0) {
        ASSIGN_OR_RETURN(shape.direct, read_direct(in));
    }
    const uint8_t kind = in.u8();
    if (kind > static_cast<uint8_t>(ChangeKind::kMerge)) return malformed("change");
    shape.kind = static_cast<ChangeKind>(kind);
    shape.table = read_name(in);
    if (in.u8() != 0) {
        ASSIGN_OR_RETURN(shape.conflict, read_conflict(in));
    }
    shape.given = read_string(in);
    return shape;
}

}  // namespace

Result<Statement> decode_statement(Bytes bytes) {
    Reader in(bytes);
    Statement statement;
    statement.explain = read_optional(in, read_explain);
    ASSIGN_OR_RETURN(statement.kind, read_kind(in));
    if (!in.ok() || !in.at_end()) return malformed("statement");
    return statement;
}

Status decode_plan(Bytes bytes, QueryPlan* plan) {
    Reader in(bytes);
    const uint32_t parameters = in.u32();
    for (uint32_t i = 0; i < parameters && in.ok(); i++) {
        plan->parameters.emplace_back();
        if (in.u8() == 0) continue;
        ASSIGN_OR_RETURN(plan->parameters.back(), read_type(in));
    }
    if (in.u8() != 0) {
        ASSIGN_OR_RETURN(plan->access, read_access(in));
    }
    plan->tables = read_list<std::string>(in, read_string);
    if (in.u8() != 0) {
        ASSIGN_OR_RETURN(plan->change, read_change(in));
    }
    plan->locking = read_optional(in, [](Reader& r) {
        LockingPart part;
        part.given = read_string(r);
        part.query = read_query(r);
        return part;
    });
    return in.ok() && in.at_end() ? Status() : malformed("plan");
}

Result<std::vector<std::string>> decode_strings(Bytes bytes) {
    Reader in(bytes);
    std::vector<std::string> strings = read_list<std::string>(in, read_string);
    if (!in.ok() || !in.at_end()) return malformed("list");
    return strings;
}

Result<std::vector<Setting>> decode_settings(Bytes bytes) {
    Reader in(bytes);
    auto settings = read_list<Setting>(in, [](Reader& r) {
        Setting setting;
        setting.name = read_string(r);
        setting.value = read_string(r);
        setting.about = read_string(r);
        return setting;
    });
    if (!in.ok() || !in.at_end()) return malformed("settings");
    return settings;
}

}  // namespace trefoil::engine
