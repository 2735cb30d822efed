// CustomTableDef: asking a program's table for its description, and checking it.

#include "access/custom_def.h"

#include <algorithm>
#include <utility>

#include "arrow/sql_type.h"
#include "base/check.h"
#include "catalog/catalog.h"

namespace trefoil::access {
namespace {

Status refused(std::string_view sqlstate, std::string message) {
    return {Code::kInvalidInput, sqlstate, std::move(message)};
}

// The numbers of these columns, all of types that have an order. `of`: whose they are.
Result<std::vector<uint32_t>> positions_of(const std::vector<std::string>& names,
                                           const arrow::Schema& schema, const std::string& of,
                                           bool ordered) {
    std::vector<uint32_t> positions;
    for (const std::string& name : names) {
        auto at = std::find_if(schema.fields.begin(), schema.fields.end(),
                               [&](const arrow::Field& f) { return f.name == name; });
        if (at == schema.fields.end()) {
            return refused("42703", "column \"" + name + "\" of the " + of + " does not exist");
        }
        const auto position = static_cast<uint32_t>(at - schema.fields.begin());
        if (ordered && !catalog::is_key_type(at->type)) {
            return refused("42704", "column \"" + name + "\" of type " + at->type.sql_name() +
                                        " cannot be part of the " + of + ": the type has no order");
        }
        if (std::find(positions.begin(), positions.end(), position) != positions.end()) {
            return refused("42701", "column \"" + name + "\" appears twice in the " + of);
        }
        positions.push_back(position);
    }
    return positions;
}

std::vector<arrow::Type> types_of(const std::vector<uint32_t>& columns,
                                  const arrow::Schema& schema) {
    std::vector<arrow::Type> types;
    for (uint32_t c : columns) types.push_back(schema.fields[c].type);
    return types;
}

Result<arrow::SchemaPtr> schema_of(const CustomTable& table, const std::string& name) {
    auto schema = std::make_shared<arrow::Schema>();
    for (const CustomColumn& column : table.columns()) {
        if (column.name.empty()) {
            return refused("42602", "table \"" + name + "\" has a column without a name");
        }
        for (const arrow::Field& other : schema->fields) {
            if (other.name != column.name) continue;
            return refused("42701", "column \"" + column.name + "\" of table \"" + name +
                                        "\" is specified more than once");
        }
        ASSIGN_OR_RETURN(arrow::Type type, arrow::type_of_sql_name(column.type));
        schema->fields.push_back({column.name, std::move(type), column.nullable});
    }
    if (schema->fields.empty()) {
        return refused("42P16", "table \"" + name + "\" must have at least one column");
    }
    return arrow::SchemaPtr(std::move(schema));
}

// The key's columns are never NULL, whatever was said of them.
Status add_key(CustomTableDef* def) {
    ASSIGN_OR_RETURN(def->key, positions_of(def->table->key(), *def->schema,
                                            "key of table \"" + def->name + "\"", true));
    if (def->key.empty()) return {};
    auto schema = std::make_shared<arrow::Schema>(*def->schema);
    auto key_schema = std::make_shared<arrow::Schema>();
    for (uint32_t c : def->key) {
        schema->fields[c].nullable = false;
        key_schema->fields.push_back(schema->fields[c]);
    }
    def->schema = std::move(schema);
    def->keys.emplace(types_of(def->key, *def->schema));
    def->key_schema = std::move(key_schema);
    return {};
}

Status add_index(const std::shared_ptr<const CustomIndex>& index, CustomTableDef* def) {
    if (!index) return refused("42602", describe(*def) + " has an index that is null");
    CustomIndexDef one;
    one.index = index;
    one.name = index->name();
    one.kind = index->kind();
    one.holds_nulls = index->holds_nulls();
    if (one.name.empty()) return refused("42602", describe(*def) + " has an index without a name");
    for (const CustomIndexDef& other : def->indexes) {
        if (other.name != one.name) continue;
        return refused("42710", "index \"" + one.name + "\" of table \"" + def->name +
                                    "\" is specified more than once");
    }
    const std::string whose = describe(*def, one);
    if (def->key.empty()) {
        return refused("42P16", whose + " needs a key of the table, which has none");
    }
    const bool ordered = one.kind != IndexKind::kConditions;
    ASSIGN_OR_RETURN(one.columns, positions_of(index->columns(), *def->schema, whose, ordered));
    if (one.columns.empty()) return refused("42P16", whose + " has no columns");
    if (ordered) one.values.emplace(types_of(one.columns, *def->schema), /*nullable=*/true);
    def->indexes.push_back(std::move(one));
    return {};
}

}  // namespace

std::string describe(const CustomTableDef& table) {
    return "table \"" + table.name + "\"";
}

std::string describe(const CustomTableDef& table, const CustomIndexDef& index) {
    return "index \"" + index.name + "\" of " + describe(table);
}

Result<CustomTableDefPtr> describe_custom_table(std::string name,
                                                std::shared_ptr<const CustomTable> table,
                                                TableCountersPtr counters) {
    if (name.empty()) return refused("42602", "a table must have a name");
    if (!table) return refused("42602", "table \"" + name + "\" is null");
    auto def = std::make_shared<CustomTableDef>();
    def->name = std::move(name);
    def->table = std::move(table);
    def->counters = std::move(counters);
    auto ask = [&]() -> Status {
        ASSIGN_OR_RETURN(def->schema, schema_of(*def->table, def->name));
        RETURN_IF_ERROR(add_key(def.get()));
        for (const auto& index : def->table->indexes())
            RETURN_IF_ERROR(add_index(index, def.get()));
        return {};
    };
    RETURN_IF_ERROR(guarded(describe(*def), ask));
    return CustomTableDefPtr(std::move(def));
}

Result<CustomTableDefPtr> snapshot_of(const CustomTableDefPtr& def) {
    auto ask = [&]() -> Result<std::shared_ptr<const CustomTable>> {
        return def->table->snapshot();
    };
    ASSIGN_OR_RETURN(auto table, guarded(describe(*def), ask));
    if (!table) return def;
    ASSIGN_OR_RETURN(auto now, describe_custom_table(def->name, std::move(table), def->counters));
    auto same_index = [](const CustomIndexDef& a, const CustomIndexDef& b) {
        return a.name == b.name && a.columns == b.columns && a.kind == b.kind;
    };
    if (*now->schema == *def->schema && now->key == def->key &&
        std::equal(now->indexes.begin(), now->indexes.end(), def->indexes.begin(),
                   def->indexes.end(), same_index)) {
        return now;
    }
    return Status(Code::kInvalidInput, "XX000",
                  "the snapshot of " + describe(*def) +
                      " has other columns, another key or other indexes than it was registered "
                      "with");
}

}  // namespace trefoil::access
