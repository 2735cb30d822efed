// ForeignKeyDef: what the rows of a table refer to, and what happens when that goes away.
//
// It belongs to the table that refers, and names the other by ids, so that renaming either changes
// nothing. The key that it refers to must be that of a unique index; which one is looked up when it
// is needed, because indexes come and go. Tested by catalog_test.cpp.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "trefoil/status.h"

namespace trefoil::catalog {

struct TableDef;
struct IndexDef;
class Catalog;

// What is done with rows when the row that they refer to is deleted or gets another key. The
// numbers cross the border, and are stored.
enum class ReferenceAction : uint8_t {
    kNoAction = 0,  // an error, unless it is all right again at the end of the statement
    kRestrict = 1,  // an error
    kCascade = 2,   // deleted, too; or they get the new key
    kSetNull = 3,
    kSetDefault = 4,
};
std::string_view action_name(ReferenceAction action);  // "NO ACTION"

// A FOREIGN KEY constraint.
struct ForeignKeyDef {
    std::string name;               // no other constraint of the table has it
    std::vector<uint32_t> columns;  // positions in the table's columns
    // The table referred to, and the ids of its columns (ColumnDef::id), in the order of `columns`.
    // In a definition that has no id yet, table 0 is that table itself, whose columns get
    // the ids 0, 1, ...
    uint32_t table = 0;
    std::vector<uint32_t> referenced;
    bool match_full = false;  // all columns are NULL, or none; else one NULL refers to nothing
    ReferenceAction on_delete = ReferenceAction::kNoAction;
    ReferenceAction on_update = ReferenceAction::kNoAction;

    bool uses(uint32_t position) const;
};

// The place (in TableDef::indexes) of the unique index of `table` whose key is what `key` refers
// to, in whatever order. nullopt if there is none.
std::optional<size_t> referenced_index(const TableDef& table, const ForeignKeyDef& key);

// "CONSTRAINT person_city_fkey FOREIGN KEY (city) REFERENCES city(id) ON DELETE CASCADE".
// REQUIRES: the table that it refers to is in the catalog.
std::string foreign_key_sql(const TableDef& table, const ForeignKeyDef& key,
                            const Catalog& catalog);

}  // namespace trefoil::catalog
