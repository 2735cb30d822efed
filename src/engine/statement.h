// Statement: what a piece of SQL asks for, after it was parsed once.
//
// Queries and the read side of DML stay in the engine as a parsed tree that this object holds;
// everything that is ours to do (tables, transactions, settings, COPY) is spelled out here as plain
// values.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "arrow/type.h"
#include "catalog/catalog.h"
#include "engine/name.h"
#include "engine/sequence_statement.h"

namespace trefoil::engine {

struct ColumnSpec {
    Name name;
    arrow::Type type;                    // of the store's canon
    std::optional<int32_t> char_length;  // VARCHAR(n), CHAR(n)
    bool not_null = false;
    std::optional<std::string> default_sql;  // the text of the expression
    bool default_volatile = false;           // it may differ from row to row
    std::optional<Identity> identity;
    std::optional<Stored> stored;
};

// PRIMARY KEY or UNIQUE, of a column or of the table.
struct KeySpec {
    std::optional<Name> name;  // CONSTRAINT name
    bool is_primary = false;
    std::vector<Name> columns;
};

// CHECK, of a column or of the table.
struct CheckSpec {
    std::optional<Name> name;          // CONSTRAINT name
    std::string condition;             // as SQL
    std::vector<std::string> columns;  // that it uses; unknown of one that ALTER TABLE adds
    uint32_t position = 0;             // byte offset in the statement; of one that ALTER TABLE adds
};

// FOREIGN KEY, of a column or of the table.
struct ForeignKeySpec {
    std::optional<Name> name;  // CONSTRAINT name
    std::vector<Name> columns;
    Name table;
    std::vector<Name> referenced;  // columns of that table; none: its primary key
    bool match_full = false;
    catalog::ReferenceAction on_delete = catalog::ReferenceAction::kNoAction;
    catalog::ReferenceAction on_update = catalog::ReferenceAction::kNoAction;
};

struct CreateTable {
    Name table;
    bool if_not_exists = false;
    bool temporary = false;
    std::vector<ColumnSpec> columns;
    std::vector<KeySpec> keys;
    std::vector<CheckSpec> checks;
    std::vector<ForeignKeySpec> foreign_keys;
};
// One action of ALTER TABLE.
struct AlterAction {
    enum class Kind : uint8_t {
        kAddColumn,         // column; optional: IF NOT EXISTS
        kDropColumn,        // name; optional: IF EXISTS; cascade
        kRenameColumn,      // name, new_name
        kRenameTable,       // new_name
        kSetDefault,        // name, text: the expression, none for DROP DEFAULT
        kSetNotNull,        // name; not_null
        kSetType,           // name, column.type and char_length, text: the expression of USING
        kAddKey,            // key; optional: it came with the column that the action before adds
        kAddCheck,          // check; optional likewise
        kAddForeignKey,     // foreign_key; optional likewise
        kDropConstraint,    // name; optional: IF EXISTS; cascade
        kRenameConstraint,  // name, new_name
        // Of generated columns:
        kAddIdentity = 20,  // name, identity
        kSetIdentity,       // name, identity; its `how` is kNo if that stays
        kDropIdentity,      // name; optional: IF EXISTS
        kDropExpression,    // likewise
    };
    Kind kind = Kind::kAddColumn;
    Name name, new_name;
    ColumnSpec column;
    KeySpec key;
    CheckSpec check;
    ForeignKeySpec foreign_key;
    bool optional = false, cascade = false, not_null = false;
    std::optional<std::string> text;
    Identity identity;
};
struct AlterTable {
    Name table;
    bool if_exists = false;
    std::vector<AlterAction> actions;
};
struct Drop {
    catalog::RelationKind kind = catalog::RelationKind::kTable;
    std::vector<Name> names;
    bool if_exists = false;
    bool cascade = false;
};
struct CreateView {
    // The columns are those of the statement's query.
    Name view;
    bool or_replace = false, if_not_exists = false, temporary = false;
    std::vector<Name> columns;  // of the first columns of the query; the others keep theirs
    std::string query;          // its text
};
struct CreateTableAs {
    // The rows are those of the statement's query, in types of the store's canon.
    Name table;
    bool if_not_exists = false, temporary = false;
};
struct CreateSchema {
    Name name;
    bool if_not_exists = false;
};
struct Comment {
    catalog::RelationKind kind = catalog::RelationKind::kTable;
    Name name;
    std::optional<Name> column;
    std::optional<std::string> text;  // none: IS NULL
};
struct CreateIndex {
    std::optional<Name> name;
    bool if_not_exists = false;
    bool unique = false;
    bool hash = false;
    bool concurrently = false;  // outside of transaction blocks only; so of the two below
    Name table;
    struct Key {
        bool is_expression = false;
        Name name;  // of the column; or the text of the expression as SQL, and its place
        bool descending = false, nulls_first = false;
        std::optional<Name> text_class;  // an operator class that is for texts alone
    };
    std::vector<Key> keys;
    std::vector<Name> included;    // columns of INCLUDE
    std::vector<Name> conditions;  // of WHERE: texts and places, as those of expressions
};
struct DropIndex {
    std::vector<Name> indexes;
    bool if_exists = false;
    bool concurrently = false;
};
struct RenameIndex {
    Name index, to;
    bool if_exists = false;
};
struct Reindex {
    Name name;
    bool of_table = false;  // all indexes of the table `name`, not the index `name`
    bool concurrently = false;
};
enum class Isolation : uint8_t {
    kReadUncommitted = 1,
    kReadCommitted,
    kRepeatableRead,
    kSerializable
};
struct TransactionModes {
    std::optional<Isolation> isolation;  // as far as they are said
    std::optional<bool> read_only;
};
struct Begin {
    TransactionModes modes;
};
struct Commit {
    bool chain = false;
};
struct Rollback {
    bool chain = false;
};
struct Savepoint {
    Name name;
};
struct RollbackTo {
    Name savepoint;
};
struct Release {
    Name savepoint;
};
struct SetTransaction {
    TransactionModes modes;
    bool session = false;  // of the transactions to come, not of this one
};
struct SetVariable {
    std::string name;                  // "memory_limit", "trefoil.use_indexes", lower case
    std::optional<std::string> value;  // nullopt: RESET / SET x TO DEFAULT
    bool local = false;                // until the end of the block
};
struct ShowVariable {
    std::string name;  // "all" for SHOW ALL
};
struct ShowTables {};
struct Describe {
    Name table;
};
using CopyOptions =
    std::vector<std::pair<std::string, std::string>>;  // lower-case name, value as text
struct CopyFrom {
    Name table;
    std::vector<Name> columns;  // empty: all
    std::string file;
    CopyOptions options;
};
struct CopyTo {
    // The rows to write are the query of the Statement (SELECT, or the whole table).
    std::string file;
    CopyOptions options;
};
// Keeping house: statements about the database as a whole.
struct House {
    // The numbers cross the border.
    enum class Action : uint8_t {
        kCheckpoint,
        kCheck,           // CHECK DATABASE
        kIntegrityCheck,  // PRAGMA integrity_check
        kVacuum,
        kBackup,
        kExport,
        kImport,
        kDiscard,         // DISCARD ALL
        kSetConstraints,  // SET CONSTRAINTS ALL
    };
    Action action = Action::kCheckpoint;
    std::optional<Name> table;  // VACUUM t
    std::string directory;      // of BACKUP, EXPORT, IMPORT
    CopyOptions options;        // of EXPORT; "analyze" of VACUUM
};
struct Analyze {
    std::vector<Name> tables;  // none: all
};

// What SELECT ... FOR UPDATE locks. The last columns of the rows are the row ids, one for each of
// `locks`.
struct RowLock {
    enum class Wait : uint8_t { kForever, kNowait, kSkipLocked };
    Name table;
    uint8_t mode = 0;  // table::LockMode
    Wait wait = Wait::kForever;
};
// LIMIT or OFFSET, where rows that are skipped do not count.
struct RowBound {
    std::optional<uint64_t> number;
    uint32_t parameter = 0;  // unless there is a number
};
struct Query {  // SELECT, VALUES, WITH ..., TABLE t
    std::vector<RowLock> locks;
    std::optional<RowBound> limit, offset;  // with SKIP LOCKED
};
// What INSERT does about rows whose key is taken.
struct OnConflict {
    enum class Target : uint8_t {
        kAny,         // of any unique index
        kColumns,     // of the unique indexes of these columns
        kConstraint,  // of the index that has this name
        kPrimaryKey,
    };
    Target target = Target::kAny;
    std::vector<Name> names;
    std::vector<std::string> conditions;  // of WHERE behind the columns, spelled as in CREATE INDEX
    bool update = false;                  // the row that is there; else nothing is done
};
struct Insert {
    Name table;
};
struct Update {
    Name table;
};
struct Delete {
    Name table;
};
struct Merge {
    Name table;
};
struct Truncate {
    std::vector<Name> tables;
    bool restart_identity = false;
    bool cascade = false;  // the tables that refer to these, too
};
struct Explain {
    bool analyze = false;
    bool verbose = false;
    // "" or "indent", "tree": as written in FORMAT.
    std::string format;
};

using StatementKind =
    std::variant<Query, Insert, Update, Delete, CreateTable, Drop, AlterTable, Begin, Commit,
                 Rollback, Savepoint, RollbackTo, Release, SetTransaction, SetVariable,
                 ShowVariable, ShowTables, Describe, CopyFrom, CopyTo, House, Merge, Truncate,
                 CreateIndex, DropIndex, RenameIndex, Reindex, CreateView, CreateTableAs,
                 CreateSchema, Comment, Analyze, CreateSequence, AlterSequence>;

struct Parsed;  // the engine's own tree

struct Statement {
    StatementKind kind;
    std::optional<Explain> explain;  // EXPLAIN in front of `kind`
    std::shared_ptr<Parsed> parsed;  // never null
};

}  // namespace trefoil::engine
