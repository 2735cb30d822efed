// Catalog: what exists. Tables, views, sequences and schemas by name and by id, as immutable
// values.
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
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "arrow/type.h"
#include "base/bytes.h"
#include "base/key_coding.h"
#include "catalog/foreign_key.h"
#include "trefoil/status.h"
#include "trefoil/value.h"

namespace trefoil::catalog {

// The first index of a table; what was stored before indexes had ids belongs to it.
inline constexpr uint32_t kFirstIndexId = 1;
// The schema of what is named without one, and where temporary tables of a session live.
inline constexpr std::string_view kPublicSchema = "public";
inline constexpr std::string_view kTemporaryPrefix = "pg_temp_";

// The names of columns that a table keeps for its indexes begin with this, and nobody else's.
inline constexpr char kHiddenPrefix = '\1';
// What such a name stands for, the text of an expression; other names as they are.
constexpr std::string_view shown_name(std::string_view column) {
    return column.substr(column.starts_with(kHiddenPrefix) ? 1 : 0);
}

// What a name stands for. A schema is in the catalog like what it holds; its own schema is "".
enum class RelationKind : uint8_t { kTable = 0, kView = 1, kSequence = 2, kSchema = 3 };
// "table", "view", ...
std::string_view kind_name(RelationKind kind);

// A name as it travels in one text: "t", "app.t". A part that has a point or a quote in it stands
// in double quotes.
struct Reference {
    std::string schema;  // "" if none was given
    std::string name;
};
Reference parse_reference(std::string_view text);
std::string reference(std::string_view schema, std::string_view name);
// A reference as SQL writes it, 'App."My Seq"': its parts are folded to lower case unless quoted.
std::string fold_reference(std::string_view text);

// The schemas in which a name without one is looked up, in this order; the first that exists is
// where things are created.
using SearchPath = std::vector<std::string>;

struct ColumnDef {
    uint32_t id = 0;  // never reused within its table
    std::string name;
    arrow::Type type;                    // of the store's canon, see is_storage_type
    std::optional<int32_t> char_length;  // VARCHAR(n): characters, not bytes
    bool not_null = false;
    std::optional<std::string> default_sql;  // the text of the expression
    // What rows hold that were written before the column was added: the default as it was then.
    Value missing = {};
    std::string comment = {};
    // How the default comes about: it is the next number of a sequence that the table owns, or an
    // expression over the other columns of the row, which is then always what the column holds.
    enum class Generated : uint8_t { kNo = 0, kAlways = 1, kByDefault = 2, kStored = 3 };
    Generated generated = Generated::kNo;
    std::vector<uint32_t> uses = {};  // ids of the columns that the expression of kStored uses
    bool uses_column(uint32_t column) const;

    // A stored column that the table keeps for an index over an expression. No statement sees it.
    // It is named by the text of its expression, behind kHiddenPrefix.
    bool is_hidden() const { return name.starts_with(kHiddenPrefix); }
    // As messages and definitions show it: the name, or the expression.
    std::string_view shown_name() const { return catalog::shown_name(name); }

    bool is_identity() const {
        return generated == Generated::kAlways || generated == Generated::kByDefault;
    }

    // "VARCHAR(20)", "BIGINT"
    std::string sql_type() const;
};

// One key of a table and the index that keeps it: PRIMARY KEY, UNIQUE or CREATE INDEX.
struct IndexDef {
    uint32_t id = 0;                // never reused within its table
    std::string name;               // no other index or table has it
    std::vector<uint32_t> columns;  // positions in the table's columns, in key order
    bool unique = false;            // rows with a NULL in key_columns() are never duplicates
    bool is_primary = false;
    bool is_constraint = false;  // declared with the table, not by CREATE INDEX
    bool is_hash = false;        // USING hash: it knows equality only, of all columns
    // So many of the columns, at the end, are INCLUDEd: in the entries, as if they were of the key,
    // but of no account for whether rows are duplicates.
    uint32_t included = 0;
    std::span<const uint32_t> key_columns() const {
        return std::span(columns).first(columns.size() - included);
    }
    // Of the columns, as declared; those that are left out ascend, NULLs last.
    std::vector<PartOrder> orders = {};
    PartOrder order(size_t column) const {
        return column < orders.size() ? orders[column] : PartOrder();
    }
    // Of a partial index: positions of the hidden BOOLEAN columns that are true in its rows, and
    // the same as conditions (access/partial_index.h).
    std::vector<uint32_t> filters = {};
    std::string conditions = {};
    bool is_partial() const { return !filters.empty(); }
};

// A CHECK constraint: what no row may make false.
struct CheckDef {
    std::string name;               // no other CHECK of the table has it
    std::string condition;          // as SQL
    std::vector<uint32_t> columns;  // positions of the columns that it uses
    bool uses_column(uint32_t position) const;
};

// What a sequence counts.
struct SequenceDef {
    int64_t start = 1, increment = 1, min = 1, max = INT64_MAX;
    bool cycle = false;  // begins again at the other bound
    int64_t cache = 1;   // numbers that are reserved at once, if that is more than usual
    uint8_t bytes = 8;   // of the integers of its type: 2, 4 or 8
    // Where it stands is no part of the catalog, because it does not roll back: it is kept under
    // this number (table/sequences.h). A sequence that is restarted gets a new one, and begins at
    // `first`; so RESTART rolls back like any other change of a definition.
    uint32_t counter = 0;
    int64_t first = 1;
    // The id of the column that it belongs to and goes with; its table is the one it depends on.
    std::optional<uint32_t> owner;
};

class Catalog;

// A table, or what else has a name; most members are a table's.
struct TableDef {
    uint32_t id = 0;  // never reused
    RelationKind kind = RelationKind::kTable;
    std::string schema_name{kPublicSchema};
    std::string name;
    std::vector<ColumnDef> columns;  // the hidden ones at the end
    std::vector<IndexDef> indexes;   // the primary key, if there is one, is the first
    uint32_t next_column_id = 0;
    uint32_t next_index_id = kFirstIndexId;
    std::vector<CheckDef> checks;
    std::vector<ForeignKeyDef> foreign_keys;
    std::string comment;
    std::string query;                 // of a view: the text of its SELECT
    SearchPath search_path;            // of a view: where the names in it are looked up
    SequenceDef sequence;              // of a sequence
    std::vector<uint32_t> depends_on;  // ids of what cannot go without this one
    // Of a sequence: its options as SQL, "START WITH 1 INCREMENT BY 1 ...".
    std::string options_sql() const;
    // "person", "app.person": as messages and references name it.
    std::string full_name() const;
    // The same as SQL writes it.
    std::string sql_name() const;

    // The columns that statements see.
    std::span<const ColumnDef> visible_columns() const;
    // Of a column that statements see.
    std::optional<uint32_t> find_column(std::string_view name) const;
    // The position of the column with this id.
    std::optional<uint32_t> find_column_id(uint32_t id) const;
    // Whether a constraint has this name: a key, a CHECK or a FOREIGN KEY.
    bool has_constraint(std::string_view name) const;
    // Position in `indexes`.
    std::optional<size_t> find_index(std::string_view name) const;
    std::optional<size_t> find_index(uint32_t id) const;
    // Null if there is none.
    const IndexDef* primary() const;
    // Positions in `columns`, in key order; empty if there is no primary key.
    std::span<const uint32_t> primary_key() const;
    arrow::SchemaPtr schema() const;  // built once, by finish()
    // The key columns of an index as SQL: "id DESC, lower(name)".
    std::string columns_sql(const IndexDef& index) const;
    // " INCLUDE (name)", "" if there is none.
    std::string included_sql(const IndexDef& index) const;
    // "CONSTRAINT person_pkey PRIMARY KEY (id)", or the CREATE INDEX statement.
    std::string index_sql(const IndexDef& index) const;
    // The CREATE TABLE statement that makes this table, without its foreign keys. Of an identity
    // column it says the options of the sequence, if `catalog` has it.
    std::string create_sql(const Catalog* catalog = nullptr) const;

    // Builds what is derived: the schema, ids of columns and indexes that have none yet. Call after
    // the last change.
    void finish();

private:
    arrow::SchemaPtr schema_;
};

using TablePtr = std::shared_ptr<const TableDef>;

class Catalog {
public:
    // The table with this reference, in the schema public unless it says otherwise. Null if there
    // is none, or if it is something else.
    TablePtr find(std::string_view reference) const;
    // Whatever has this id. Null if there is nothing.
    TablePtr find(uint32_t id) const;
    // The table that has an index of this name; null if none has.
    TablePtr find_by_index(std::string_view schema, std::string_view index) const;
    // True if an index or anything else has this name.
    bool has_relation(std::string_view schema, std::string_view name) const;
    // Whatever has this name (no schemas), looked for along `path`. Null if there is nothing.
    TablePtr resolve(std::string_view reference, const SearchPath& path) const;
    // Whatever has just this name. Null if there is nothing.
    TablePtr find(std::string_view schema, std::string_view name) const;
    bool has_schema(std::string_view schema) const;
    // Rises with every change, so that whoever cached something can see that it is old.
    uint64_t version() const { return version_; }
    std::vector<TablePtr> tables() const;     // by schema and name
    std::vector<TablePtr> relations() const;  // everything, likewise
    // Those that depend on what has this id.
    std::vector<TablePtr> dependents(uint32_t id) const;
    // The tables with foreign keys that refer to the table with this id, be it that table itself.
    std::vector<TablePtr> referencing(uint32_t id) const;
    // Whether the table has a foreign key, or one refers to it.
    bool has_references(uint32_t id) const;

    // Nothing else may have its name or id.
    Catalog with_table(TablePtr table) const;
    // REQUIRES: the table exists.
    Catalog without_table(uint32_t id) const;

private:
    uint64_t version_ = 0;
    std::map<std::pair<std::string, std::string>, TablePtr> by_name_;  // schema and name
    std::map<uint32_t, TablePtr> by_id_;
    std::set<std::pair<uint32_t, uint32_t>>
        references_;  // the table referred to, the one referring
};

using CatalogPtr = std::shared_ptr<const Catalog>;

// Gives names to the CHECK and FOREIGN KEY constraints that have none, as PostgreSQL forms them:
// t_price_check, t_check, t_city_fkey, with a number where the name is taken. Errors: 42710 if a
// name is given twice.
Status name_constraints(TableDef& table);

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

// A name as people write it in SQL: in double quotes unless it is plain lower case and no reserved
// word. Statements that are only parsed have all their names in quotes (in_quotes).
std::string quoted(std::string_view name);

// Likewise with its schema: 'public."My Seq"'.
std::string quoted_reference(std::string_view schema, std::string_view name);

// The stored form; see catalog_format.h.
std::string encode(const TableDef& table);
Result<TableDef> decode(Bytes data);

}  // namespace trefoil::catalog
