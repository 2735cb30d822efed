// Columns that hold an expression: stored generated columns, and the hidden ones that a table keeps
// for its indexes over expressions (catalog::ColumnDef::is_hidden).

#pragma once

#include <map>
#include <string>

#include "access/source.h"
#include "catalog/catalog.h"
#include "engine/engine.h"
#include "engine/statement.h"

namespace trefoil {

// Makes a column that is to be added to `table` one that holds `expression`. The engine finds out
// whether it can, and which columns it uses. Errors carry no position: 42703, 42804, 42803, 42P17
// (it is not immutable), 0A000.
Status set_stored(engine::EngineSession& engine, const catalog::TableDef& table,
                  const std::string& expression, catalog::ColumnDef* column);

// The position of the hidden column that holds an expression, which is added to the table unless it
// is there. Errors: those of set_stored(), at the expression's place.
Result<uint32_t> hidden_column(engine::EngineSession& engine, const access::SourceCatalog& catalog,
                               const engine::Name& expression, catalog::TableDef* table);

// Gives a column another name, also in the expressions of CHECK constraints, generated columns and
// indexes that use it. Errors: 0A000 if one of them would not be the same then.
Status rename_column(engine::EngineSession& engine, uint32_t position, const std::string& to,
                     catalog::TableDef* table);

// Adds a column behind those that statements see.
void add_visible(catalog::ColumnDef column, catalog::TableDef* table);

// Takes a column out of a definition, with the indexes and constraints that are over it. What uses
// its value must have gone before.
void erase_column(uint32_t position, catalog::TableDef* table);

// Takes hidden columns out that no index has.
void drop_unused_columns(catalog::TableDef* table);

// The query whose rows are those of the altered table, with their row ids in front, in terms of the
// table as it was. `computed` says of columns, by id, what they hold; hidden ones say it
// themselves.
std::string rewriting_query(const catalog::TableDef& before, const catalog::TableDef& after,
                            const std::map<uint32_t, std::string>& computed);

// What these columns of the table hold in some rows, as table::ComputeColumns says.
Result<std::vector<arrow::Array>> compute_columns(engine::Engine& engine,
                                                  const catalog::TableDef& table,
                                                  std::span<const uint32_t> wanted,
                                                  const arrow::Batch& rows,
                                                  const access::CancelFlag* cancel);

// Without position and hint, which are about a statement of our own.
Status without_place(const Status& status);

}  // namespace trefoil
