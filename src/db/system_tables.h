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
void add_table(access::VirtualTables& all, const std::string& name,
               const std::vector<const char*>& texts, const std::vector<const char*>& numbers,
               std::function<TableRows(const table::Version&)> rows);

inline constexpr std::array kInformationSchemaTables = {"check_constraints",
                                                        "columns",
                                                        "constraint_column_usage",
                                                        "key_column_usage",
                                                        "referential_constraints",
                                                        "schemata",
                                                        "sequences",
                                                        "table_constraints",
                                                        "tables",
                                                        "views"};
// Those that are about constraints.
void add_constraint_tables(access::VirtualTables& all);
void add_information_schema(access::VirtualTables& all);
// trefoil_statistics (analyze.cpp).
void add_statistics_table(access::VirtualTables& all);
// trefoil_sequences, information_schema.sequences.
void add_sequence_tables(Database::State& db, access::VirtualTables& all);
// trefoil_settings (variables.cpp): each session has its own, with these rows.
void add_settings_table(access::VirtualTables& all, std::function<TableRows()> rows);
// trefoil_sessions, trefoil_locks.
void add_session_tables(Database::State& db, access::VirtualTables& all);

}  // namespace trefoil
