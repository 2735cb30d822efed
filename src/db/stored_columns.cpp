// Stored columns: checking their expressions, and what ALTER TABLE and CREATE INDEX do with them.

#include "db/stored_columns.h"

#include <algorithm>

#include "base/text_format.h"
#include "db/constraints.h"

namespace trefoil {
namespace {

using catalog::ColumnDef;
using catalog::TableDef;
using Generated = ColumnDef::Generated;

// Without what it says of our own text.
Status of_expression(const Status& wrong) {
    return Status(wrong.code(), wrong.sqlstate(), wrong.message()).with_detail(wrong.detail());
}

// The type of the column that would hold the expression.
Result<arrow::Type> type_of(engine::EngineSession& engine, const access::SourceCatalog& catalog,
                            const TableDef& table, const std::string& expression) {
    auto statement =
        engine.parse("CREATE TABLE t AS SELECT " + expression + " AS value FROM " +
                     in_quotes(table.schema_name, '"') + "." + in_quotes(table.name, '"'));
    if (!statement.ok()) return of_expression(statement.status());
    auto plan = engine.plan(*statement, catalog);
    if (!plan.ok()) return of_expression(plan.status());
    return plan->schema->fields.at(0).type;
}

}  // namespace

// The statement that would make the table with the new column is parsed.
Status set_stored(engine::EngineSession& engine, const TableDef& table,
                  const std::string& expression, ColumnDef* column) {
    column->generated = Generated::kStored;
    column->default_sql = expression;
    std::string sql = "CREATE TABLE " + in_quotes(table.name, '"') + " (";
    for (const ColumnDef& c : table.visible_columns()) {
        sql += in_quotes(c.name, '"') + " " + c.sql_type();
        if (c.generated == Generated::kStored) {
            sql += " GENERATED ALWAYS AS (" + *c.default_sql + ") STORED";
        }
        sql += ", ";
    }
    auto parsed = engine.parse(sql + in_quotes(column->name, '"') + " " + column->sql_type() +
                               " GENERATED ALWAYS AS (" + expression + ") STORED)");
    if (!parsed.ok()) return of_expression(parsed.status());
    const auto& made = std::get<engine::CreateTable>(parsed->kind);
    for (const std::string& used : made.columns.back().stored.value().columns) {
        column->uses.push_back(table.columns[*table.find_column(used)].id);
    }
    return {};
}

Result<uint32_t> hidden_column(engine::EngineSession& engine, const access::SourceCatalog& catalog,
                               const engine::Name& expression, TableDef* table) {
    const std::string name = catalog::kHiddenPrefix + expression.text;
    for (uint32_t i = 0; i < table->columns.size(); i++) {
        if (table->columns[i].name == name) return i;
    }
    auto type = type_of(engine, catalog, *table, expression.text);
    if (!type.ok()) return Status(type.status()).with_position(expression.position);
    ColumnDef column;
    column.name = name;
    column.type = *type;
    Status stored = set_stored(engine, *table, expression.text, &column);
    if (!stored.ok()) return std::move(stored).with_position(expression.position);
    column.id = table->next_column_id++;
    table->columns.push_back(std::move(column));
    return static_cast<uint32_t>(table->columns.size() - 1);
}

void add_visible(ColumnDef column, TableDef* table) {
    const size_t at = table->visible_columns().size();
    table->columns.insert(table->columns.begin() + static_cast<ptrdiff_t>(at), std::move(column));
    for (catalog::IndexDef& index : table->indexes) {
        for (auto* positions : {&index.columns, &index.filters}) {
            for (uint32_t& position : *positions) position += position >= at;
        }
    }
}

void erase_column(uint32_t at, TableDef* table) {
    auto uses = [&](const auto& owner) {
        return std::find(owner.columns.begin(), owner.columns.end(), at) != owner.columns.end();
    };
    table->columns.erase(table->columns.begin() + at);
    std::erase_if(table->indexes, [&](const catalog::IndexDef& index) {
        const auto& filters = index.filters;
        return uses(index) || std::find(filters.begin(), filters.end(), at) != filters.end();
    });
    for (catalog::IndexDef& index : table->indexes) {
        for (auto* positions : {&index.columns, &index.filters}) {
            for (uint32_t& position : *positions) position -= position > at;
        }
    }
    column_goes(at, table);
    std::erase_if(table->checks, uses);
    for (catalog::CheckDef& check : table->checks) {
        for (uint32_t& column : check.columns) column -= column > at;
    }
}

void drop_unused_columns(TableDef* table) {
    for (auto i = static_cast<uint32_t>(table->columns.size()); i-- > 0;) {
        if (!table->columns[i].is_hidden()) return;
        const bool used = std::any_of(table->indexes.begin(), table->indexes.end(), [&](auto& x) {
            return std::find(x.columns.begin(), x.columns.end(), i) != x.columns.end() ||
                   std::find(x.filters.begin(), x.filters.end(), i) != x.filters.end();
        });
        if (!used) erase_column(i, table);
    }
}

std::string rewriting_query(const TableDef& before, const TableDef& after,
                            const std::map<uint32_t, std::string>& computed) {
    const std::string table = in_quotes(before.name, '"');
    std::string sql = "SELECT " + table + ".\"" + std::string(access::kRowIdColumn) + "\"";
    for (const ColumnDef& column : after.columns) {
        auto expression = computed.find(column.id);
        const auto old = std::find_if(before.columns.begin(), before.columns.end(),
                                      [&](const ColumnDef& c) { return c.id == column.id; });
        const std::string name = in_quotes(column.name, '"');
        std::string value;
        if (expression != computed.end()) {
            value = "(" + expression->second + ")";
        } else if (old != before.columns.end() && !column.is_hidden()) {
            value = table + "." + in_quotes(old->name, '"');
        } else {
            value = column.default_sql ? "(" + *column.default_sql + ")" : "NULL";
        }
        sql += ", CAST(" + value + " AS " + column.type.sql_name() + ") AS " + name;
    }
    return sql + " FROM \"" + std::string(engine::kRowsSchema) + "\"." +
           in_quotes(catalog::reference(before.schema_name, before.name), '"') + " AS " + table;
}

}  // namespace trefoil
