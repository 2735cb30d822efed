// Stored columns: checking their expressions, and what ALTER TABLE and CREATE INDEX do with them.

#include "db/stored_columns.h"

#include <algorithm>

#include "access/given_rows.h"
#include "arrow/compute.h"
#include "base/check.h"
#include "base/text_format.h"
#include "db/constraints.h"

namespace trefoil {

using catalog::ColumnDef;
using catalog::TableDef;
using Generated = ColumnDef::Generated;

Status without_place(const Status& status) {
    if (status.ok()) return {};
    return Status(status.code(), status.sqlstate(), status.message()).with_detail(status.detail());
}

namespace {

// The type of the column that would hold the expression.
Result<arrow::Type> type_of(engine::EngineSession& engine, const access::SourceCatalog& catalog,
                            const TableDef& table, const std::string& expression) {
    auto statement =
        engine.parse("CREATE TABLE t AS SELECT " + expression + " AS value FROM " +
                     in_quotes(table.schema_name, '"') + "." + in_quotes(table.name, '"'));
    if (!statement.ok()) return without_place(statement.status());
    auto plan = engine.plan(*statement, catalog);
    if (!plan.ok()) return without_place(plan.status());
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
    if (!parsed.ok()) return without_place(parsed.status());
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

namespace {

bool same_numbers(std::vector<uint32_t> a, std::vector<uint32_t> b) {
    std::sort(a.begin(), a.end());
    std::sort(b.begin(), b.end());
    return a == b;
}

// Whether the engine finds the same columns in the texts of a CHECK or a stored column as before.
bool is_same(engine::EngineSession& engine, const TableDef& table, const catalog::CheckDef& check) {
    TableDef trial = table;
    engine::CheckSpec spec;
    spec.condition = check.condition;
    return add_check(spec, engine, &trial).ok() &&
           same_numbers(trial.checks.back().columns, check.columns);
}

bool is_same(engine::EngineSession& engine, const TableDef& table, const ColumnDef& column) {
    TableDef others = table;
    std::erase_if(others.columns, [&](const ColumnDef& c) { return c.id == column.id; });
    ColumnDef trial = column;
    trial.uses.clear();
    return set_stored(engine, others, *column.default_sql, &trial).ok() &&
           same_numbers(trial.uses, column.uses);
}

Status cannot_rename(const std::string& user) {
    return Status::unsupported("renaming a column that " + user + " uses is not supported");
}

}  // namespace

Status rename_column(engine::EngineSession& engine, uint32_t position, const std::string& to,
                     TableDef* table) {
    TableDef renamed = *table;
    const ColumnDef& before = table->columns[position];
    renamed.columns[position].name = to;
    for (catalog::CheckDef& check : renamed.checks) {
        if (!check.uses_column(position)) continue;
        ASSIGN_OR_RETURN(check.condition, engine.rename_column(check.condition, before.name, to));
    }
    for (ColumnDef& column : renamed.columns) {
        if (!column.uses_column(before.id)) continue;
        ASSIGN_OR_RETURN(*column.default_sql,
                         engine.rename_column(*column.default_sql, before.name, to));
        if (column.is_hidden()) column.name = catalog::kHiddenPrefix + *column.default_sql;
    }
    for (const catalog::CheckDef& check : renamed.checks) {
        if (!check.uses_column(position) || is_same(engine, renamed, check)) continue;
        return cannot_rename("CHECK constraint \"" + check.name + "\"");
    }
    for (const ColumnDef& column : renamed.columns) {
        if (!column.uses_column(before.id) || is_same(engine, renamed, column)) continue;
        return cannot_rename(column.is_hidden() ? "an index"
                                                : "generated column \"" + column.name + "\"");
    }
    *table = std::move(renamed);
    return {};
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
        const auto old = before.find_column_id(column.id);
        const std::string name = in_quotes(column.name, '"');
        std::string value;
        if (expression != computed.end()) {
            value = "(" + expression->second + ")";
        } else if (old && !column.is_hidden()) {
            value = table + "." + in_quotes(before.columns[*old].name, '"');
        } else {
            // In terms of the table as it was.
            const ColumnDef& c = old ? before.columns[*old] : column;
            value = c.default_sql ? "(" + *c.default_sql + ")" : "NULL";
        }
        sql += ", CAST(" + value + " AS " + column.type.sql_name() + ") AS " + name;
    }
    return sql + " FROM \"" + std::string(engine::kRowsSchema) + "\"." +
           in_quotes(catalog::reference(before.schema_name, before.name), '"') + " AS " + table;
}

namespace {

// Rows that were given have a name that no text can write, and nothing is beside them.
constexpr std::string_view kGiven = "\x01computed";

class NoTables final : public access::SourceCatalog {
public:
    Result<std::shared_ptr<access::TableSource>> find(std::string_view, bool) const override {
        return std::shared_ptr<access::TableSource>();
    }
    std::vector<std::string> table_names() const override { return {}; }
};

// Of all rows that were given, in their order.
std::string computing_query(const TableDef& table, std::span<const uint32_t> wanted) {
    std::string sql;
    for (uint32_t position : wanted) {
        const ColumnDef& column = table.columns[position];
        sql += (sql.empty() ? "SELECT CAST((" : ", CAST((") + *column.default_sql + ") AS " +
               column.type.sql_name() + ") AS " + in_quotes("c" + std::to_string(position), '"');
    }
    return sql + " FROM " + in_quotes(kGiven, '"') + " AS " + in_quotes(table.name, '"');
}

}  // namespace

Result<std::vector<arrow::Array>> compute_columns(engine::Engine& engine, const TableDef& table,
                                                  std::span<const uint32_t> wanted,
                                                  const arrow::Batch& rows,
                                                  const access::CancelFlag* cancel) {
    NoTables nothing;
    access::GivenRows given(nothing);
    given.set(std::string(kGiven), rows.schema, {rows});
    ASSIGN_OR_RETURN(auto session, engine.open_session());
    // Several partitions would not keep the order.
    RETURN_IF_ERROR(session->set("target_partitions", "1"));
    ASSIGN_OR_RETURN(engine::Statement query, session->parse(computing_query(table, wanted)));
    ASSIGN_OR_RETURN(engine::QueryPlan plan, session->plan(query, given));
    auto stream = session->run(plan, {}, given, cancel);
    if (!stream.ok()) return without_place(stream.status());
    std::vector<arrow::Batch> batches;
    for (;;) {
        auto batch = (*stream)->next();
        if (!batch.ok()) return without_place(batch.status());
        if (!*batch) break;
        batches.push_back(std::move(**batch));
    }
    arrow::Batch all = arrow::concat(batches);
    CHECK(all.rows == rows.rows);
    return std::move(all.columns);
}

}  // namespace trefoil
