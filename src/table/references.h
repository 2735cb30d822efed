// References: what foreign keys say about the rows that a statement has changed.
//
//     changed rows ──► References::note ──► checks for later: rows that refer, keys that went
//                          │                                        │
//                          └──► Consequences: CASCADE, SET NULL ...  │ at the end of the statement
//                               (changed by db, noted in turn)      ▼
//                                                          References::check
//
// Rows are looked at as they are when everything is done, so a statement may break a reference for
// a while: UPDATE t SET id = id + 1, a tree that is inserted in one piece. RESTRICT alone is
// checked at once. A row is found in the unique index that its foreign key refers to; the rows
// that refer to a key are found by an index of theirs that begins with the columns of the
// foreign key, else all of them are read.
//
// Two transactions cannot break a reference together. Whoever refers to a committed row locks it
// FOR KEY SHARE, whoever deletes it or changes its key has it FOR UPDATE; the second one waits
// for the first to end, and then looks at what was committed meanwhile (40001: a newer snapshot
// will see it). Tested by tests/golden/sql/foreign_keys, tests/isolation/references and
// tests/differential/references.py.

#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "table/transaction.h"

namespace trefoil::table {

struct Relation;

// What has to be done to the rows that refer to keys which are gone or others now.
struct Consequence {
    catalog::TablePtr child;
    catalog::ForeignKeyDef key;
    catalog::TablePtr parent;
    catalog::ReferenceAction action = catalog::ReferenceAction::kCascade;
    bool deleted = false;  // else the key was changed
    // The values of the columns of the parent that `key` refers to, in its order: as they were, and
    // (if changed) as they are. One array for each column.
    std::vector<arrow::Array> before, after;
};

// What was looked at in one table.
struct ReferenceCounters {
    uint64_t key_lookups = 0;   // in the index that is referred to
    uint64_t index_ranges = 0;  // of the index of a table that refers
    uint64_t scans = 0, rows_scanned = 0;
    index::IndexCounters index;
};

class References {
public:
    // `use_indexes`: else rows that refer are found by reading all of them.
    References(Transaction& txn, bool use_indexes) : txn_(txn), use_indexes_(use_indexes) {}

    // What was touched since the transaction's view was `before`. Errors: 23503 for RESTRICT.
    Result<std::vector<Consequence>> note(const Version& before,
                                          const std::vector<TouchedRows>& touched);
    // When nothing is left to be done. Errors: 23503; 40001; those of locks.
    Status check();
    // By table id.
    const std::map<uint32_t, ReferenceCounters>& counters() const { return counters_; }

private:
    struct LostKey {
        index::Key key;
        std::vector<Value> values;  // in the order of the index of the parent
        std::string text;           // "Key (id)=(1)"
    };
    // Of one foreign key: the table that has it, and its name.
    using Id = std::pair<uint32_t, std::string>;
    struct RowChange;
    struct ParentRows;
    struct Loss;

    std::optional<Relation> relation_of(const catalog::TableDef& child,
                                        const catalog::ForeignKeyDef& key);
    Status note_child(const Version& before, const TouchedRows& touched);
    Status note_relation(const Relation& relation, const TableVersion& then,
                         const TouchedRows& touched, std::vector<Consequence>* out);
    static Result<std::optional<Loss>> loss_of(ParentRows& rows, uint64_t id);
    Status refuse_referred(const Relation& relation, const std::map<index::Key, LostKey>& keys);

    Transaction& txn_;
    bool use_indexes_;
    std::map<uint32_t, ReferenceCounters> counters_;
    std::map<Id, std::vector<uint64_t>> referring_;     // rows whose reference is new
    std::map<Id, std::map<index::Key, LostKey>> lost_;  // keys that may be referred to still
};

// 23503 if a row of `child` refers to nothing.
Status check_references(const Version& version, const catalog::TableDef& child,
                        const catalog::ForeignKeyDef& key);

}  // namespace trefoil::table
