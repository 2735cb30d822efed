// Catalog: versions, validation, and the CREATE TABLE text.

#include "catalog/catalog.h"

#include <algorithm>
#include <set>

#include "base/check.h"
#include "base/text_format.h"

namespace trefoil::catalog {
namespace {

using arrow::TypeId;

// "PRIMARY KEY", 'UNIQUE constraint "t_a_key"', 'index "t_a_idx"'
std::string describe(const IndexDef& index) {
    if (index.is_primary) return "the PRIMARY KEY";
    return (index.is_constraint ? "UNIQUE constraint" : "index") +
           (index.name.empty() ? "" : " \"" + index.name + "\"");
}

Status validate_index(const TableDef& table, const IndexDef& index) {
    std::set<uint32_t> seen;
    for (size_t i = 0; i < index.columns.size(); i++) {
        const uint32_t position = index.columns[i];
        CHECK(position < table.columns.size());
        const ColumnDef& column = table.columns[position];
        if (!seen.insert(position).second) {
            return {Code::kInvalidInput, "42701",
                    "column \"" + std::string(column.shown_name()) + "\" appears twice in " +
                        describe(index) + " of table \"" + table.name + "\""};
        }
        if (!is_key_type(column.type) && i >= index.key_columns().size()) {
            return {Code::kUnsupported, "0A000",
                    "column \"" + column.name + "\" of type " + column.sql_type() +
                        " cannot be included in " + describe(index) + ": the type has no order"};
        }
        if (!is_key_type(column.type)) {
            return {Code::kInvalidInput, index.is_primary ? "42P16" : "42704",
                    "column \"" + std::string(column.shown_name()) + "\" of type " +
                        column.sql_type() + " cannot be part of " + describe(index) +
                        ": the type has no order"};
        }
    }
    return {};
}

// The words that PostgreSQL does not take as a name everywhere, in order.
constexpr std::string_view kReservedWords[] = {
    "all",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asymmetric",
    "authorization",
    "between",
    "bigint",
    "binary",
    "bit",
    "boolean",
    "both",
    "case",
    "cast",
    "char",
    "character",
    "check",
    "coalesce",
    "collate",
    "collation",
    "column",
    "concurrently",
    "constraint",
    "create",
    "cross",
    "current_catalog",
    "current_date",
    "current_role",
    "current_schema",
    "current_time",
    "current_timestamp",
    "current_user",
    "dec",
    "decimal",
    "default",
    "deferrable",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "exists",
    "extract",
    "false",
    "fetch",
    "float",
    "for",
    "foreign",
    "freeze",
    "from",
    "full",
    "grant",
    "greatest",
    "group",
    "grouping",
    "having",
    "ilike",
    "in",
    "initially",
    "inner",
    "inout",
    "int",
    "integer",
    "intersect",
    "interval",
    "into",
    "is",
    "isnull",
    "join",
    "lateral",
    "leading",
    "least",
    "left",
    "like",
    "limit",
    "localtime",
    "localtimestamp",
    "national",
    "natural",
    "nchar",
    "none",
    "normalize",
    "not",
    "notnull",
    "null",
    "nullif",
    "numeric",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "out",
    "outer",
    "overlaps",
    "overlay",
    "placing",
    "position",
    "precision",
    "primary",
    "qualify",
    "real",
    "references",
    "returning",
    "right",
    "row",
    "select",
    "session_user",
    "setof",
    "similar",
    "smallint",
    "some",
    "substring",
    "symmetric",
    "table",
    "tablesample",
    "then",
    "time",
    "timestamp",
    "to",
    "trailing",
    "treat",
    "trim",
    "true",
    "union",
    "unique",
    "user",
    "using",
    "values",
    "varchar",
    "variadic",
    "verbose",
    "when",
    "where",
    "window",
    "with",
};

// What a column gives to the name of an index: a call its function.
std::string name_part(const ColumnDef& column) {
    if (!column.is_hidden()) return column.name;
    const std::string_view text = column.shown_name();
    return text[0] == '(' ? "expr" : std::string(text.substr(0, text.find('(')));
}

// "t_a_b_key"
std::string default_name(const TableDef& table, const IndexDef& index) {
    if (index.is_primary) return table.name + "_pkey";
    std::string name = table.name;
    std::vector<std::string> parts;
    for (uint32_t position : index.columns) {
        const std::string base = name_part(table.columns[position]);
        std::string part = base;
        auto known = [&] { return std::find(parts.begin(), parts.end(), part) != parts.end(); };
        for (int n = 1; known(); n++) part = base + std::to_string(n);
        name += "_" + part;
        parts.push_back(std::move(part));
    }
    return name + (index.is_constraint ? "_key" : "_idx");
}

}  // namespace

std::string quoted(std::string_view name) {
    bool plain = !name.empty() && !(name[0] >= '0' && name[0] <= '9') &&
                 std::all_of(name.begin(), name.end(), [](char c) {
                     return c == '_' || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
                 });
    plain = plain && !std::ranges::binary_search(kReservedWords, name);
    return plain ? std::string(name) : in_quotes(name, '"');
}

std::string quoted_reference(std::string_view schema, std::string_view name) {
    return quoted(schema) + "." + quoted(name);
}

std::string ColumnDef::sql_type() const {
    if (char_length) return "VARCHAR(" + std::to_string(*char_length) + ")";
    return type.sql_name();
}

std::optional<uint32_t> TableDef::find_column(std::string_view column) const {
    const auto visible = visible_columns();
    for (uint32_t i = 0; i < visible.size(); i++) {
        if (visible[i].name == column) return i;
    }
    return std::nullopt;
}

std::span<const ColumnDef> TableDef::visible_columns() const {
    size_t n = columns.size();
    while (n > 0 && columns[n - 1].is_hidden()) n--;
    return {columns.data(), n};
}

std::optional<uint32_t> TableDef::find_column_id(uint32_t column_id) const {
    for (uint32_t i = 0; i < columns.size(); i++) {
        if (columns[i].id == column_id) return i;
    }
    return std::nullopt;
}

bool ColumnDef::uses_column(uint32_t column) const {
    return std::find(uses.begin(), uses.end(), column) != uses.end();
}

bool CheckDef::uses_column(uint32_t position) const {
    return std::find(columns.begin(), columns.end(), position) != columns.end();
}

bool TableDef::has_constraint(std::string_view constraint) const {
    auto is_it = [&](const auto& c) { return c.name == constraint; };
    return std::any_of(checks.begin(), checks.end(), is_it) ||
           std::any_of(foreign_keys.begin(), foreign_keys.end(), is_it) ||
           std::any_of(indexes.begin(), indexes.end(),
                       [&](const IndexDef& i) { return i.is_constraint && is_it(i); });
}

arrow::SchemaPtr TableDef::schema() const {
    CHECK(schema_ != nullptr);
    return schema_;
}

std::optional<size_t> TableDef::find_index(std::string_view index) const {
    for (size_t i = 0; i < indexes.size(); i++) {
        if (indexes[i].name == index) return i;
    }
    return std::nullopt;
}

std::optional<size_t> TableDef::find_index(uint32_t index_id) const {
    for (size_t i = 0; i < indexes.size(); i++) {
        if (indexes[i].id == index_id) return i;
    }
    return std::nullopt;
}

const IndexDef* TableDef::primary() const {
    return indexes.empty() || !indexes[0].is_primary ? nullptr : &indexes[0];
}

std::span<const uint32_t> TableDef::primary_key() const {
    const IndexDef* key = primary();
    return key ? std::span<const uint32_t>(key->columns) : std::span<const uint32_t>();
}

void TableDef::finish() {
    for (uint32_t position : primary_key()) columns[position].not_null = true;
    for (IndexDef& index : indexes) {
        if (index.id == 0) index.id = next_index_id++;
    }
    auto schema = std::make_shared<arrow::Schema>();
    for (const ColumnDef& c : columns) schema->fields.push_back({c.name, c.type, !c.not_null});
    schema_ = std::move(schema);
}

std::string TableDef::columns_sql(const IndexDef& index) const {
    std::string sql;
    for (size_t i = 0; i < index.key_columns().size(); i++) {
        const ColumnDef& column = columns[index.columns[i]];
        const PartOrder order = index.order(i);
        sql += (sql.empty() ? "" : ", ") +
               (column.is_hidden() ? std::string(column.shown_name()) : quoted(column.name)) +
               (order.descending ? " DESC" : "");
        if (order.nulls_first != order.descending) {
            sql += order.nulls_first ? " NULLS FIRST" : " NULLS LAST";
        }
    }
    return sql;
}

std::string TableDef::included_sql(const IndexDef& index) const {
    std::string names;
    for (size_t i = index.key_columns().size(); i < index.columns.size(); i++) {
        names += (names.empty() ? "" : ", ") + quoted(columns[index.columns[i]].name);
    }
    return names.empty() ? "" : " INCLUDE (" + names + ")";
}

std::string TableDef::index_sql(const IndexDef& index) const {
    std::string sql =
        "CONSTRAINT " + quoted(index.name) + (index.is_primary ? " PRIMARY KEY (" : " UNIQUE (");
    if (!index.is_constraint) {
        sql = std::string(index.unique ? "CREATE UNIQUE INDEX " : "CREATE INDEX ") +
              quoted(index.name) + " ON " + sql_name() + (index.is_hash ? " USING hash (" : " (");
    }
    sql += columns_sql(index) + ")" + included_sql(index);
    for (uint32_t position : index.filters) {
        sql += (position == index.filters[0] ? " WHERE " : " AND ");
        sql += columns[position].shown_name();
    }
    return sql;
}

std::string TableDef::sql_name() const {
    return (schema_name == kPublicSchema ? "" : quoted(schema_name) + ".") + quoted(name);
}

std::string TableDef::options_sql() const {
    const SequenceDef& s = sequence;
    return "START WITH " + std::to_string(s.start) + " INCREMENT BY " +
           std::to_string(s.increment) + " MINVALUE " + std::to_string(s.min) + " MAXVALUE " +
           std::to_string(s.max) + " CACHE " + std::to_string(s.cache) +
           (s.cycle ? " CYCLE" : " NO CYCLE");
}

namespace {

// " GENERATED ALWAYS AS IDENTITY (...)", "" if the column is none.
std::string generated_sql(const TableDef& table, const ColumnDef& column, const Catalog* catalog) {
    if (column.generated == ColumnDef::Generated::kStored) {
        return " GENERATED ALWAYS AS (" + column.default_sql.value_or("") + ") STORED";
    }
    if (!column.is_identity()) return "";
    const bool always = column.generated == ColumnDef::Generated::kAlways;
    std::string sql =
        std::string(" GENERATED ") + (always ? "ALWAYS" : "BY DEFAULT") + " AS IDENTITY";
    if (!catalog) return sql;
    for (const TablePtr& sequence : catalog->dependents(table.id)) {
        if (sequence->kind != RelationKind::kSequence || sequence->sequence.owner != column.id) {
            continue;
        }
        sql += " (SEQUENCE NAME " + quoted_reference(sequence->schema_name, sequence->name) + " " +
               sequence->options_sql() + ")";
    }
    return sql;
}

}  // namespace

std::string TableDef::create_sql(const Catalog* catalog) const {
    std::string sql = "CREATE TABLE " + sql_name() + " (";
    const auto visible = visible_columns();
    for (size_t i = 0; i < visible.size(); i++) {
        const ColumnDef& c = visible[i];
        sql += (i ? ",\n    " : "\n    ") + quoted(c.name) + " " + c.sql_type();
        if (c.not_null) sql += " NOT NULL";
        if (c.generated != ColumnDef::Generated::kNo) {
            sql += generated_sql(*this, c, catalog);
        } else if (c.default_sql) {
            sql += " DEFAULT " + *c.default_sql;
        }
    }
    for (const IndexDef& index : indexes) {
        if (index.is_constraint) sql += ",\n    " + index_sql(index);
    }
    for (const CheckDef& check : checks) {
        sql += ",\n    CONSTRAINT " + quoted(check.name) + " CHECK (" + check.condition + ")";
    }
    return sql + "\n);";
}

std::string_view kind_name(RelationKind kind) {
    switch (kind) {
        case RelationKind::kTable:
            return "table";
        case RelationKind::kView:
            return "view";
        case RelationKind::kSequence:
            return "sequence";
        case RelationKind::kSchema:
            return "schema";
    }
    return "relation";
}

Reference parse_reference(std::string_view text) {
    Reference out;
    bool quoted = false;
    for (size_t i = 0; i < text.size(); i++) {
        const char c = text[i];
        if (quoted && c == '"' && i + 1 < text.size() && text[i + 1] == '"') {
            out.name += text[++i];
        } else if (c == '"') {
            quoted = !quoted;
        } else if (c == '.' && !quoted) {
            out.schema = std::move(out.name);
            out.name.clear();
        } else {
            out.name += c;
        }
    }
    return out;
}

std::string reference(std::string_view schema, std::string_view name) {
    auto part = [](std::string_view text) {
        return text.find_first_of(".\"") == text.npos ? std::string(text) : in_quotes(text, '"');
    };
    return schema.empty() ? part(name) : part(schema) + "." + part(name);
}

std::string fold_reference(std::string_view text) {
    std::string folded(text);
    bool quoted = false;
    for (char& c : folded) {
        if (c == '"') quoted = !quoted;
        if (!quoted && c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    const Reference parts = parse_reference(folded);
    return reference(parts.schema, parts.name);
}

std::string TableDef::full_name() const {
    return reference(schema_name == kPublicSchema ? "" : schema_name, name);
}

TablePtr Catalog::find(std::string_view reference) const {
    TablePtr found = resolve(reference, {std::string(kPublicSchema)});
    return found && found->kind == RelationKind::kTable ? found : nullptr;
}

TablePtr Catalog::find(uint32_t id) const {
    auto it = by_id_.find(id);
    return it == by_id_.end() ? nullptr : it->second;
}

TablePtr Catalog::find(std::string_view schema, std::string_view name) const {
    auto it = by_name_.find({std::string(schema), std::string(name)});
    return it == by_name_.end() ? nullptr : it->second;
}

TablePtr Catalog::find_by_index(std::string_view schema, std::string_view index) const {
    for (const auto& [id, table] : by_id_) {
        if (table->schema_name == schema && table->find_index(index)) return table;
    }
    return nullptr;
}

TablePtr Catalog::resolve(std::string_view reference, const SearchPath& path) const {
    const Reference wanted = parse_reference(reference);
    if (!wanted.schema.empty()) return find(wanted.schema, wanted.name);
    for (const std::string& schema : path) {
        if (TablePtr found = find(schema, wanted.name)) return found;
    }
    return nullptr;
}

bool Catalog::has_relation(std::string_view schema, std::string_view name) const {
    return find(schema, name) || find_by_index(schema, name);
}

bool Catalog::has_schema(std::string_view schema) const {
    return schema == kPublicSchema || schema.starts_with(kTemporaryPrefix) || find("", schema);
}

std::vector<TablePtr> Catalog::tables() const {
    std::vector<TablePtr> out = relations();
    std::erase_if(out, [](const TablePtr& r) { return r->kind != RelationKind::kTable; });
    return out;
}

std::vector<TablePtr> Catalog::relations() const {
    std::vector<TablePtr> out;
    for (const auto& [name, relation] : by_name_) out.push_back(relation);
    return out;
}

std::vector<TablePtr> Catalog::dependents(uint32_t id) const {
    std::vector<TablePtr> out = relations();
    std::erase_if(out, [&](const TablePtr& r) {
        return std::find(r->depends_on.begin(), r->depends_on.end(), id) == r->depends_on.end();
    });
    return out;
}

std::vector<TablePtr> Catalog::referencing(uint32_t id) const {
    std::vector<TablePtr> out;
    for (auto it = references_.lower_bound({id, 0}); it != references_.end() && it->first == id;
         ++it) {
        out.push_back(find(it->second));
    }
    return out;
}

bool Catalog::has_references(uint32_t id) const {
    if (references_.empty()) return false;
    auto it = references_.lower_bound({id, 0});
    if (it != references_.end() && it->first == id) return true;
    TablePtr table = find(id);
    return table && !table->foreign_keys.empty();
}

Catalog Catalog::with_table(TablePtr table) const {
    CHECK(!find(table->schema_name, table->name) && !find(table->id));
    Catalog next = *this;
    next.version_++;
    for (const ForeignKeyDef& key : table->foreign_keys) {
        next.references_.insert({key.table, table->id});
    }
    next.by_id_[table->id] = table;
    next.by_name_[{table->schema_name, table->name}] = std::move(table);
    return next;
}

Catalog Catalog::without_table(uint32_t id) const {
    Catalog next = *this;
    next.version_++;
    auto it = next.by_id_.find(id);
    CHECK(it != next.by_id_.end());
    for (const ForeignKeyDef& key : it->second->foreign_keys) {
        next.references_.erase({key.table, id});
    }
    next.by_name_.erase({it->second->schema_name, it->second->name});
    next.by_id_.erase(it);
    return next;
}

Status validate(const TableDef& table) {
    if (table.kind != RelationKind::kTable) return {};
    if (table.visible_columns().empty()) {
        return {Code::kInvalidInput, "42P16",
                "table \"" + table.name + "\" needs at least one column"};
    }
    std::set<std::string_view> names;
    for (size_t i = 0; i < table.columns.size(); i++) {
        const ColumnDef& c = table.columns[i];
        const bool in_place =
            i >= table.visible_columns().size() && c.generated == ColumnDef::Generated::kStored;
        if (!c.is_hidden() || in_place) continue;
        return {Code::kInvalidInput, "42602",
                "the name of a column of table \"" + table.name +
                    "\" begins with a character that cannot be part of it"};
    }
    for (const ColumnDef& c : table.columns) {
        if (!names.insert(c.name).second) {
            return {Code::kInvalidInput, "42701",
                    "column \"" + c.name + "\" is declared more than once in table \"" +
                        table.name + "\""};
        }
        if (!is_storage_type(c.type)) {
            return Status::unsupported("columns of type " + c.type.sql_name() + " (column \"" +
                                       c.name + "\") are not supported");
        }
    }
    for (size_t i = 0; i < table.indexes.size(); i++) {
        const IndexDef& index = table.indexes[i];
        CHECK(!index.columns.empty() && (i == 0 || !index.is_primary));
        RETURN_IF_ERROR(validate_index(table, index));
    }
    return {};
}

Status name_indexes(TableDef& table, const Catalog& catalog) {
    // Of the table itself, other than index `self`.
    auto taken = [&](std::string_view name, const IndexDef* self) {
        if (name == table.name || catalog.has_relation(table.schema_name, name)) return true;
        return std::any_of(table.indexes.begin(), table.indexes.end(),
                           [&](const IndexDef& i) { return &i != self && i.name == name; });
    };
    for (IndexDef& index : table.indexes) {
        const bool stored = index.id != 0;
        if (stored || index.name.empty()) continue;
        if (!taken(index.name, &index)) continue;
        return {Code::kInvalidInput, "42P07", "relation \"" + index.name + "\" already exists"};
    }
    for (IndexDef& index : table.indexes) {
        if (!index.name.empty()) continue;
        const std::string base = default_name(table, index);
        std::string name = base;
        for (int n = 1; taken(name, &index); n++) name = base + std::to_string(n);
        index.name = std::move(name);
    }
    return {};
}

namespace {

// "t_a_b_fkey", "t_a_check", "t_check"
std::string default_name(const TableDef& table, const std::vector<uint32_t>& columns,
                         const char* ending) {
    std::string name = table.name;
    for (uint32_t position : columns) name += "_" + table.columns[position].name;
    return name + ending;
}

}  // namespace

Status name_constraints(TableDef& table) {
    auto uses = [&](std::string_view name) {
        auto is_it = [&](const auto& c) { return c.name == name; };
        return std::count_if(table.checks.begin(), table.checks.end(), is_it) +
               std::count_if(table.foreign_keys.begin(), table.foreign_keys.end(), is_it) +
               std::count_if(table.indexes.begin(), table.indexes.end(), is_it);
    };
    auto complete = [&](std::string* name, const std::vector<uint32_t>& columns,
                        const char* ending) -> Status {
        if (!name->empty()) {
            if (uses(*name) == 1) return {};
            return {
                Code::kInvalidInput, "42710",
                "constraint \"" + *name + "\" for relation \"" + table.name + "\" already exists"};
        }
        const std::string base = default_name(table, columns, ending);
        std::string free = base;
        for (int n = 1; uses(free) > 0; n++) free = base + std::to_string(n);
        *name = std::move(free);
        return {};
    };
    for (const bool named : {true, false}) {
        for (CheckDef& check : table.checks) {
            if (check.name.empty() == named) continue;
            const bool one = check.columns.size() == 1;
            RETURN_IF_ERROR(
                complete(&check.name, one ? check.columns : std::vector<uint32_t>(), "_check"));
        }
        for (ForeignKeyDef& key : table.foreign_keys) {
            if (key.name.empty() == named) continue;
            RETURN_IF_ERROR(complete(&key.name, key.columns, "_fkey"));
        }
    }
    return {};
}

bool is_storage_type(const arrow::Type& type) {
    switch (type.id) {
        case TypeId::kBool:
        case TypeId::kInt16:
        case TypeId::kInt32:
        case TypeId::kInt64:
        case TypeId::kFloat32:
        case TypeId::kFloat64:
        case TypeId::kDecimal128:
        case TypeId::kUtf8View:
        case TypeId::kBinaryView:
        case TypeId::kDate32:
        case TypeId::kIntervalMonthDayNano:
            return true;
        case TypeId::kFixedSizeBinary:
            return type.width == 16;
        case TypeId::kTime64:
        case TypeId::kTimestamp:
            return type.unit == arrow::TimeUnit::kMicro;
        case TypeId::kList:
            return is_storage_type(type.children.at(0).type);
        default:
            return false;
    }
}

bool is_key_type(const arrow::Type& type) {
    return is_storage_type(type) && type.id != TypeId::kList &&
           type.id != TypeId::kIntervalMonthDayNano;
}

}  // namespace trefoil::catalog
