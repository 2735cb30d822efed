// How system tables are made, for the files that make them.

#pragma once

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "access/snapshot_catalog.h"
#include "catalog/catalog.h"
#include "db/database_state.h"

namespace trefoil {

using TableRows = std::vector<std::vector<Value>>;

// Adds a table with these columns.
void add_table(access::VirtualTables& all, const std::string& name,
               std::vector<arrow::Field> columns,
               std::function<TableRows(const table::Version&)> rows);
// Adds a table of columns of text and, after them, of BIGINT.
void add_table(access::VirtualTables& all, const std::string& name, std::vector<const char*> texts,
               std::vector<const char*> numbers,
               std::function<TableRows(const table::Version&)> rows);

// A constraint of a table, as information_schema calls it.
struct Constraint {
    std::string name;
    const char* type;  // "PRIMARY KEY", "UNIQUE"
    std::vector<uint32_t> columns;
};
std::vector<Constraint> constraints_of(const catalog::TableDef& table);

inline constexpr std::array kInformationSchemaTables = {
    "columns", "key_column_usage", "schemata", "table_constraints", "tables", "views"};
void add_information_schema(access::VirtualTables& all);
// trefoil_statistics (analyze.cpp).
void add_statistics_table(access::VirtualTables& all);
// trefoil_sessions, trefoil_locks.
void add_session_tables(Database::State& db, access::VirtualTables& all);

}  // namespace trefoil
