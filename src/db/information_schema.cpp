// information_schema: the catalog in the tables of the SQL standard, as the transaction sees it.
//
// Columns that say nothing here (collations, domains, rights) are left out. The names are found as
// "information_schema.tables"; nothing can be created in that schema.

#include <algorithm>

#include "db/sequences.h"
#include "db/system_tables.h"

namespace trefoil {
namespace {

using catalog::ColumnDef;
using catalog::RelationKind;
using catalog::TableDef;

constexpr const char* kDatabase = "trefoil";

Value yes_or_no(bool value) {
    return value ? "YES" : "NO";
}

Value text_or_null(const std::optional<std::string>& text) {
    return text ? Value(*text) : Value();
}

// Calls `add` for every table and view.
template <typename F>
void for_each_relation(const table::Version& version, F&& add) {
    for (const catalog::TablePtr& r : version.catalog->relations()) {
        if (r->kind == RelationKind::kTable || r->kind == RelationKind::kView) add(*r);
    }
}

TableRows schemata(const table::Version& version) {
    std::vector<std::string> names = {std::string(catalog::kPublicSchema), "information_schema"};
    for (const catalog::TablePtr& r : version.catalog->relations()) {
        if (r->kind == RelationKind::kSchema) names.push_back(r->name);
    }
    std::sort(names.begin(), names.end());
    TableRows rows;
    for (const std::string& name : names) rows.push_back({kDatabase, name});
    return rows;
}

TableRows tables(const table::Version& version) {
    TableRows rows;
    for_each_relation(version, [&](const TableDef& t) {
        const bool temporary = t.schema_name.starts_with(catalog::kTemporaryPrefix);
        const bool view = t.kind == RelationKind::kView;
        rows.push_back({kDatabase, t.schema_name, t.name,
                        temporary ? "LOCAL TEMPORARY" : (view ? "VIEW" : "BASE TABLE"),
                        yes_or_no(!view)});
    });
    for (const char* name : kInformationSchemaTables) {
        rows.push_back({kDatabase, "information_schema", name, "VIEW", "NO"});
    }
    return rows;
}

// Digits of a number, and those behind its point.
std::pair<Value, Value> precision_of(const arrow::Type& type) {
    switch (type.id) {
        case arrow::TypeId::kDecimal128:
            return {int64_t{type.precision}, int64_t{type.scale}};
        case arrow::TypeId::kInt16:
            return {int64_t{16}, int64_t{0}};
        case arrow::TypeId::kInt32:
            return {int64_t{32}, int64_t{0}};
        case arrow::TypeId::kInt64:
            return {int64_t{64}, int64_t{0}};
        case arrow::TypeId::kFloat32:
            return {int64_t{24}, Value()};
        case arrow::TypeId::kFloat64:
            return {int64_t{53}, Value()};
        default:
            return {Value(), Value()};
    }
}

TableRows columns(const table::Version& version) {
    TableRows rows;
    for_each_relation(version, [&](const TableDef& t) {
        for (size_t i = 0; i < t.visible_columns().size(); i++) {
            const ColumnDef& c = t.columns[i];
            const auto [precision, scale] = precision_of(c.type);
            const bool stored = c.generated == ColumnDef::Generated::kStored;
            const bool always = c.generated == ColumnDef::Generated::kAlways;
            const bool has_default = c.generated == ColumnDef::Generated::kNo && c.default_sql;
            rows.push_back(
                {kDatabase, t.schema_name, t.name, c.name,
                 has_default ? Value(shown_default(*c.default_sql)) : Value(),
                 yes_or_no(!c.not_null), c.type.sql_name(), yes_or_no(c.is_identity()),
                 c.is_identity() ? Value(always ? "ALWAYS" : "BY DEFAULT") : Value(),
                 stored ? "ALWAYS" : "NEVER", stored ? text_or_null(c.default_sql) : Value(),
                 static_cast<int64_t>(i) + 1,
                 c.char_length ? Value(int64_t{*c.char_length}) : Value(), precision, scale});
        }
    });
    return rows;
}

TableRows views(const table::Version& version) {
    TableRows rows;
    for_each_relation(version, [&](const TableDef& t) {
        if (t.kind == RelationKind::kView) {
            rows.push_back({kDatabase, t.schema_name, t.name, t.query, "NONE", "NO"});
        }
    });
    return rows;
}

}  // namespace

void add_information_schema(access::VirtualTables& all) {
    add_table(all, "information_schema.schemata", {"catalog_name", "schema_name"}, {}, schemata);
    add_table(all, "information_schema.tables",
              {"table_catalog", "table_schema", "table_name", "table_type", "is_insertable_into"},
              {}, tables);
    add_table(
        all, "information_schema.columns",
        {"table_catalog", "table_schema", "table_name", "column_name", "column_default",
         "is_nullable", "data_type", "is_identity", "identity_generation", "is_generated",
         "generation_expression"},
        {"ordinal_position", "character_maximum_length", "numeric_precision", "numeric_scale"},
        columns);
    add_table(all, "information_schema.views",
              {"table_catalog", "table_schema", "table_name", "view_definition", "check_option",
               "is_updatable"},
              {}, views);
    add_constraint_tables(all);
}

}  // namespace trefoil
