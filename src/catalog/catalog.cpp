// Catalog: versions, validation, and the CREATE TABLE text.

#include "catalog/catalog.h"

#include <algorithm>
#include <set>

#include "base/check.h"

namespace trefoil::catalog {
namespace {

using arrow::TypeId;

std::string quoted(std::string_view name) {
    bool plain = !name.empty() && !(name[0] >= '0' && name[0] <= '9') &&
                 std::all_of(name.begin(), name.end(), [](char c) {
                     return c == '_' || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
                 });
    if (plain) return std::string(name);
    std::string out = "\"";
    for (char c : name) {
        if (c == '"') out += '"';
        out += c;
    }
    return out + '"';
}

Status validate_key(const TableDef& table) {
    std::set<uint32_t> seen;
    for (uint32_t position : table.primary_key) {
        CHECK(position < table.columns.size());
        const ColumnDef& column = table.columns[position];
        if (!seen.insert(position).second) {
            return {Code::kInvalidInput, "42701",
                    "column \"" + column.name + "\" appears twice in the PRIMARY KEY of table \"" +
                        table.name + "\""};
        }
        if (!is_key_type(column.type)) {
            return {Code::kInvalidInput, "42P16",
                    "column \"" + column.name + "\" of type " + column.sql_type() +
                        " cannot be part of a PRIMARY KEY: the type has no order"};
        }
    }
    return {};
}

}  // namespace

std::string ColumnDef::sql_type() const {
    if (char_length) return "VARCHAR(" + std::to_string(*char_length) + ")";
    return type.sql_name();
}

std::optional<uint32_t> TableDef::find_column(std::string_view column) const {
    for (uint32_t i = 0; i < columns.size(); i++) {
        if (columns[i].name == column) return i;
    }
    return std::nullopt;
}

arrow::SchemaPtr TableDef::schema() const {
    CHECK(schema_ != nullptr);
    return schema_;
}

void TableDef::finish() {
    for (uint32_t position : primary_key) columns[position].not_null = true;
    if (!primary_key.empty() && primary_key_name.empty()) primary_key_name = name + "_pkey";
    auto schema = std::make_shared<arrow::Schema>();
    for (const ColumnDef& c : columns) schema->fields.push_back({c.name, c.type, !c.not_null});
    schema_ = std::move(schema);
}

std::string TableDef::create_sql() const {
    std::string sql = "CREATE TABLE " + quoted(name) + " (";
    for (size_t i = 0; i < columns.size(); i++) {
        const ColumnDef& c = columns[i];
        sql += (i ? ",\n    " : "\n    ") + quoted(c.name) + " " + c.sql_type();
        if (c.not_null) sql += " NOT NULL";
        if (c.default_sql) sql += " DEFAULT " + *c.default_sql;
    }
    if (!primary_key.empty()) {
        sql += ",\n    CONSTRAINT " + quoted(primary_key_name) + " PRIMARY KEY (";
        for (size_t i = 0; i < primary_key.size(); i++) {
            sql += (i ? ", " : "") + quoted(columns[primary_key[i]].name);
        }
        sql += ")";
    }
    return sql + "\n);";
}

TablePtr Catalog::find(std::string_view name) const {
    auto it = by_name_.find(name);
    return it == by_name_.end() ? nullptr : it->second;
}

TablePtr Catalog::find(uint32_t id) const {
    auto it = by_id_.find(id);
    return it == by_id_.end() ? nullptr : it->second;
}

std::vector<TablePtr> Catalog::tables() const {
    std::vector<TablePtr> out;
    for (const auto& [name, table] : by_name_) out.push_back(table);
    return out;
}

Catalog Catalog::with_table(TablePtr table) const {
    CHECK(!find(table->name) && !find(table->id));
    Catalog next = *this;
    next.version_++;
    next.by_id_[table->id] = table;
    next.by_name_[table->name] = std::move(table);
    return next;
}

Catalog Catalog::without_table(uint32_t id) const {
    Catalog next = *this;
    next.version_++;
    auto it = next.by_id_.find(id);
    CHECK(it != next.by_id_.end());
    next.by_name_.erase(it->second->name);
    next.by_id_.erase(it);
    return next;
}

Status validate(const TableDef& table) {
    if (table.columns.empty()) {
        return {Code::kInvalidInput, "42P16",
                "table \"" + table.name + "\" needs at least one column"};
    }
    std::set<std::string_view> names;
    for (const ColumnDef& c : table.columns) {
        if (!names.insert(c.name).second) {
            return {Code::kInvalidInput, "42701",
                    "column \"" + c.name + "\" is declared more than once in table \"" +
                        table.name + "\""};
        }
        if (!is_storage_type(c.type)) {
            return Status::unsupported("columns of type " + c.type.sql_name() + " (column \"" +
                                       c.name + "\")");
        }
    }
    return validate_key(table);
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
