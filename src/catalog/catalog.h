// Catalog: what exists. Tables by name and by id, as immutable values.
//
// A Catalog is one version of the whole and never changes; with_table and without_table give the
// next one. A transaction that creates a table sees its own version at once, others see it after
// the commit, and a reader keeps the one it started with: DDL follows the same snapshots as rows
// do.

#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "arrow/type.h"
#include "base/bytes.h"
#include "trefoil/status.h"
#include "trefoil/value.h"

namespace trefoil::catalog {

// The first index of a table; what was stored before indexes had ids belongs to it.
inline constexpr uint32_t kFirstIndexId = 1;

struct ColumnDef {
    uint32_t id = 0;  // never reused within its table
    std::string name;
    arrow::Type type;                    // of the store's canon, see is_storage_type
    std::optional<int32_t> char_length;  // VARCHAR(n): characters, not bytes
    bool not_null = false;
    std::optional<std::string> default_sql;  // the text of the expression
    // What rows hold that were written before the column was added: the default as it was then.
    Value missing = {};

    // "VARCHAR(20)", "BIGINT"
    std::string sql_type() const;
};

// One key of a table and the index that keeps it: PRIMARY KEY, UNIQUE or CREATE INDEX.
struct IndexDef {
    uint32_t id = 0;                // never reused within its table
    std::string name;               // no other index or table has it
    std::vector<uint32_t> columns;  // positions in the table's columns, in key order
    bool unique = false;            // rows with a NULL in these columns are never duplicates
    bool is_primary = false;
    bool is_constraint = false;  // declared with the table, not by CREATE INDEX
};

// A CHECK constraint: what no row may make false.
struct CheckDef {
    std::string name;               // no other CHECK of the table has it
    std::string condition;          // as SQL
    std::vector<uint32_t> columns;  // positions of the columns that it uses
};

struct TableDef {
    uint32_t id = 0;  // never reused
    std::string name;
    std::vector<ColumnDef> columns;
    std::vector<IndexDef> indexes;  // the primary key, if there is one, is the first
    uint32_t next_column_id = 0;
    uint32_t next_index_id = kFirstIndexId;
    std::vector<CheckDef> checks;

    std::optional<uint32_t> find_column(std::string_view name) const;
    // Position in `indexes`.
    std::optional<size_t> find_index(std::string_view name) const;
    std::optional<size_t> find_index(uint32_t id) const;
    // Null if there is none.
    const IndexDef* primary() const;
    // Positions in `columns`, in key order; empty if there is no primary key.
    std::span<const uint32_t> primary_key() const;
    arrow::SchemaPtr schema() const;  // built once, by finish()
    // "CONSTRAINT person_pkey PRIMARY KEY (id)", or the CREATE INDEX statement.
    std::string index_sql(const IndexDef& index) const;
    // The CREATE TABLE statement that makes this table.
    std::string create_sql() const;

    // Builds what is derived: the schema, ids of columns and indexes that have none yet. Call after
    // the last change.
    void finish();

private:
    arrow::SchemaPtr schema_;
};

using TablePtr = std::shared_ptr<const TableDef>;

class Catalog {
public:
    // Null if there is none.
    TablePtr find(std::string_view name) const;
    TablePtr find(uint32_t id) const;
    // The table that has an index of this name; null if none has.
    TablePtr find_by_index(std::string_view index) const;
    // True if a table or an index has this name.
    bool has_relation(std::string_view name) const;
    // Rises with every change, so that whoever cached something can see that it is old.
    uint64_t version() const { return version_; }
    std::vector<TablePtr> tables() const;  // by name

    // REQUIRES: no table of that name or id.
    Catalog with_table(TablePtr table) const;
    // REQUIRES: the table exists.
    Catalog without_table(uint32_t id) const;

private:
    uint64_t version_ = 0;
    std::map<std::string, TablePtr, std::less<>> by_name_;
    std::map<uint32_t, TablePtr> by_id_;
};

using CatalogPtr = std::shared_ptr<const Catalog>;

// Gives names to the CHECK constraints that have none, as PostgreSQL forms them: t_price_check,
// t_check, with a number where the name is taken. Errors: 42710 if a name is given twice.
Status name_checks(TableDef& table);

// Checks what every table must satisfy: names unique, at least one column, types that the store
// keeps, key columns that exist, are used once and have an order. Errors: 42701 duplicate column,
// 42703 key column missing, 0A000 type, 42P16 bad key.
Status validate(const TableDef& table);

// Gives names to the indexes that have none, as PostgreSQL forms them: person_pkey,
// person_email_key, person_city_idx, with a number where the name is taken. Errors: 42P07 if a name
// that was given is taken.
Status name_indexes(TableDef& table, const Catalog& catalog);

// True if the store keeps columns of this type.
bool is_storage_type(const arrow::Type& type);
// True if a key may contain it.
bool is_key_type(const arrow::Type& type);

// A name as SQL writes it: in double quotes unless it is plain lower case.
std::string quoted(std::string_view name);

// The stored form; see catalog_format.h.
std::string encode(const TableDef& table);
Result<TableDef> decode(Bytes data);

}  // namespace trefoil::catalog
