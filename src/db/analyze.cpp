// ANALYZE: tables by name, or all of them; and what it found, as the table trefoil_statistics.
//
// What it finds belongs to the table, not to the transaction: it is there for everybody at once,
// and stays when the transaction is rolled back.

#include <algorithm>

#include "db/session_state.h"
#include "db/system_tables.h"

namespace trefoil {
namespace {

Value number(uint64_t v) {
    return Value(static_cast<int64_t>(v));
}

std::string joined(const std::vector<std::string>& parts) {
    std::string text;
    for (const std::string& part : parts) text += (text.empty() ? "" : ", ") + part;
    return "{" + text + "}";
}

std::vector<Value> statistics_row(const table::TableVersion& t, const table::TableStatistics& known,
                                  size_t c) {
    const table::ColumnSummary& column = known.columns[c];
    std::vector<Value> row = {t.def().schema_name, t.def().name, t.def().columns[c].name,
                              number(t.live_rows())};
    double nulls = 0;
    if (known.rows > 0) {
        nulls = static_cast<double>(column.null_count) / static_cast<double>(known.rows);
    }
    row.emplace_back(column.analysis ? column.analysis->null_share : nulls);
    row.push_back(number(std::min(column.distinct, t.live_rows())));
    row.push_back(column.min.is_null() ? Value() : Value(column.min.to_string()));
    row.push_back(column.max.is_null() ? Value() : Value(column.max.to_string()));
    if (!column.analysis) {
        row.insert(row.end(), 4, Value());
        return row;
    }
    std::vector<std::string> values, shares, quantiles;
    for (const auto& [value, share] : column.analysis->common) {
        values.push_back(value.to_string());
        shares.push_back(Value(share).to_string());
    }
    for (const Value& v : column.analysis->quantiles) quantiles.push_back(v.to_string());
    row.insert(row.end(), {joined(values), joined(shares), joined(quantiles),
                           number(known.analysis->sampled)});
    return row;
}

}  // namespace

void add_statistics_table(access::VirtualTables& all) {
    const arrow::Type text = arrow::utf8_view(), count = arrow::int64(), share = arrow::float64();
    std::vector<arrow::Field> columns = {
        {"schema", text, false},         {"table_name", text, false},
        {"column_name", text, false},    {"row_count", count, false},
        {"null_fraction", share, false}, {"n_distinct", count, false},
        {"minimum", text, true},         {"maximum", text, true},
        {"common_values", text, true},   {"common_fractions", text, true},
        {"quantiles", text, true},       {"sampled_rows", count, true}};
    add_table(all, "trefoil_statistics", std::move(columns), [](const table::Version& version) {
        TableRows rows;
        for (const auto& [id, t] : version.tables) {
            const table::TableStatisticsPtr known = t->statistics();
            for (size_t c = 0; c < known->columns.size(); c++) {
                if (t->def().columns[c].is_hidden()) continue;
                rows.push_back(statistics_row(*t, *known, c));
            }
        }
        return rows;
    });
}

using Answer = Session::State::Answer;

Result<Answer> Session::State::analyze(const engine::Analyze& statement) {
    ASSIGN_OR_RETURN(auto now, catalog());
    const table::VersionPtr version = now->version();
    std::vector<table::TableVersionPtr> tables;
    for (const engine::Name& name : statement.tables) {
        ASSIGN_OR_RETURN(catalog::TablePtr table, table_to_change(*version, name));
        tables.push_back(version->tables.at(table->id));
    }
    if (statement.tables.empty()) {
        for (const auto& [id, table] : version->tables) tables.push_back(table);
    }
    for (const table::TableVersionPtr& table : tables) {
        RETURN_IF_ERROR(db.tables->analyse(*table));
    }
    // Orders of joins that were chosen without this.
    cache = StatementCache();
    return done("ANALYZE");
}

}  // namespace trefoil
