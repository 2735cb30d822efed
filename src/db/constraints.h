// Constraints of a definition: how PRIMARY KEY, UNIQUE, CHECK and FOREIGN KEY get into it, out of
// it, and another name. What the rows say about them is checked by whoever changes the table.

#pragma once

#include <string>
#include <vector>

#include "catalog/catalog.h"
#include "engine/engine.h"
#include "engine/statement.h"

namespace trefoil {

// Adds PRIMARY KEY or UNIQUE. Errors: 42703, 42P16 (a second primary key).
Status add_key(const engine::KeySpec& spec, catalog::TableDef* table);

// Adds a CHECK of ALTER TABLE. The engine finds out which columns it uses. Errors: 42703, 42804,
// 42803, 0A000.
Status add_check(const engine::CheckSpec& spec, engine::EngineSession& engine,
                 catalog::TableDef* table);

// Adds a FOREIGN KEY; the table that it refers to is looked for along `path`, unless it is `table`
// itself. Errors: 42P01, 42809, 42703, 42830 (no unique key there), 42804 (other types), 42P16 (a
// temporary table).
Status add_foreign_key(const engine::ForeignKeySpec& spec, const catalog::Catalog& catalog,
                       const catalog::SearchPath& path, catalog::TableDef* table);

// Errors: 42804 if values of the columns cannot be compared, at the place of `at`.
Status check_key_types(const catalog::TableDef& child, const catalog::TableDef& parent,
                       const catalog::ForeignKeyDef& key, const engine::Name& at);

// Errors: 42704, if there is none of this name.
Status drop_constraint(const engine::Name& name, catalog::TableDef* table);
// Errors: 42704, 42710.
Status rename_constraint(const engine::Name& name, const engine::Name& to,
                         catalog::TableDef* table);

// Forgets the foreign keys of a table that use a column, and moves those of columns behind it.
void column_goes(uint32_t position, catalog::TableDef* table);

// A foreign key of a table.
struct Referrer {
    uint32_t table = 0;
    std::string key;
};
// The foreign keys that refer to a key of `before` that `after` has not, of the table itself as
// `after` has them.
std::vector<Referrer> orphans(const catalog::TableDef& before, const catalog::TableDef& after,
                              const catalog::Catalog& catalog);
// 2BP01: `what` ("constraint p_pkey on table p") cannot go, because these foreign keys need
// `needed` ("index p_pkey").
Status still_needed(const std::string& what, const std::string& needed,
                    const std::vector<Referrer>& referrers, const catalog::Catalog& catalog);
void drop_foreign_key(const std::string& name, catalog::TableDef* table);

}  // namespace trefoil
