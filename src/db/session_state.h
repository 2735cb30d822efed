// A session: the router of statements.
//
//     text ──► cache ──► parsed statement, plan ──► query      access tier, or engine
//                                                   DML        read side by the engine, rows to a
//                                                   TableWriter DDL, transactions, settings, COPY
//                                                   here
//
// Outside BEGIN ... COMMIT each statement is a transaction of its own; one that changes rows and
// meets a conflict is run again on a newer snapshot. Inside a block a failed statement leaves
// nothing behind, and everything is refused (25P02) until ROLLBACK, as in PostgreSQL.

#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "access/snapshot_catalog.h"
#include "db/database_state.h"
#include "db/rows_state.h"
#include "db/settings.h"
#include "db/statement_cache.h"
#include "engine/engine.h"
#include "table/transaction.h"
#include "trefoil/database.h"

namespace trefoil {

// How a transaction runs.
struct TransactionModes {
    engine::Isolation isolation = engine::Isolation::kRepeatableRead;
    bool read_only = false;
};

struct Session::State {
    explicit State(Database::State& database)
        : db(database),
          temporary_schema(std::string(catalog::kTemporaryPrefix) +
                           std::to_string(database.sessions_opened++)) {}
    ~State();  // drops temporary tables

    Database::State& db;
    std::unique_ptr<engine::EngineSession> engine;
    Settings settings;
    StatementCache cache;
    access::CancelFlag cancel{false};
    std::optional<table::Transaction> txn;  // inside BEGIN ... COMMIT
    TransactionModes txn_modes;
    bool txn_failed = false;
    bool txn_used = false;  // a statement has looked at data
    struct SavepointMark {
        std::string name;
        table::Transaction::State mark;
    };
    std::vector<SavepointMark> savepoints;
    // Begun so far: the number of the open one. One that was rolled back to a savepoint is new.
    uint64_t blocks = 0;
    catalog::SearchPath search_path{std::string(catalog::kPublicSchema)};
    std::string temporary_schema;
    bool has_temporary = false;  // something was created there

    // Where names without a schema are looked up.
    catalog::SearchPath path() const {
        catalog::SearchPath all = search_path;
        if (has_temporary) all.insert(all.begin(), temporary_schema);
        return all;
    }

    using Answer = std::unique_ptr<Rows::State>;

    // Finds or parses a statement.
    Result<CachedStatementPtr> analyse(std::string_view sql);
    Result<Answer> execute(std::string_view sql, std::span<const Value> parameters);
    Result<Answer> run(const CachedStatementPtr& statement, std::span<const Value> parameters);
    Result<Answer> append(std::string_view table, ArrowArrayStream* rows);

    // What a statement of this moment reads.
    Result<std::shared_ptr<access::SnapshotCatalog>> catalog();
    std::shared_ptr<access::SnapshotCatalog> catalog_of(table::VersionPtr version);

    // Runs `work` in the open transaction, or in one of its own that is committed, and again on
    // conflict.
    Result<uint64_t> change(const std::function<Result<uint64_t>(table::Transaction&)>& work);

    // --- the parts of it ---
    Result<Answer> dispatch(CachedStatement& statement, std::span<const Value> parameters);
    Result<Answer> try_lifted(std::string_view sql, bool* handled);
    Status plan(CachedStatement& statement, const access::SnapshotCatalog& catalog);

    // query.cpp
    // Plans the statement for the catalog of the moment, if its plan is for another one.
    Result<Answer> query(CachedStatement& statement, std::span<const Value> parameters);
    // REQUIRES: the statement was planned for the catalog of `now`.
    Result<Answer> access_query(const CachedStatement& statement, std::span<const Value> parameters,
                                const std::shared_ptr<access::SnapshotCatalog>& now,
                                bool* understood);
    Result<std::shared_ptr<access::Leaf>> access_leaf(const engine::AccessQuery& query,
                                                      std::span<const Value> parameters,
                                                      const access::SnapshotCatalog& catalog,
                                                      uint64_t* offset);
    Result<Answer> explain(const CachedStatement& statement, std::span<const Value> parameters);

    // Reading the rows of an answer of block number `block` failed.
    void reading_failed(uint64_t block) {
        if (txn && block == blocks) txn_failed = true;
    }

    // changes.cpp
    // The table, or 42P01 with its position and the name it may have been; 42809 for what is not a
    // table that can be changed.
    Result<catalog::TablePtr> table_to_change(const table::Version& version,
                                              const engine::Name& name) const;
    Result<Answer> modify(CachedStatement& statement, std::span<const Value> parameters);

    // ddl.cpp
    Result<Answer> create_table(const engine::CreateTable& statement);
    Result<Answer> drop(const engine::Drop& statement);
    Status drop_in(table::Transaction& t, const engine::Drop& statement);
    // Where something of this name is created. Errors: 3F000, 42939.
    Result<catalog::Reference> place_of(const table::Version& version, const engine::Name& name,
                                        bool temporary);
    // What has this name and is of this kind, or a view. Errors: 42P01, 3F000, 42809.
    Result<catalog::TablePtr> relation_to_change(const table::Version& version,
                                                 const engine::Name& name,
                                                 catalog::RelationKind kind, bool or_view);

    // views.cpp
    Result<Answer> create_view(CachedStatement& statement, const engine::CreateView& create);
    Result<Answer> create_table_as(CachedStatement& statement, const engine::CreateTableAs& create);
    Result<Answer> create_schema(const engine::CreateSchema& create);
    Result<Answer> comment(const engine::Comment& statement);
    Result<std::vector<catalog::ColumnDef>> view_columns(const catalog::TableDef& view,
                                                         const table::VersionPtr& version);
    // Refuses (2BP01) what `t` did to a table if a view over it would be another one.
    Status check_views(table::Transaction& t, const catalog::TableDef& changed);

    // alter.cpp
    Result<Answer> alter_table(const engine::AlterTable& statement);
    Status alter_in(table::Transaction& t, const engine::AlterTable& statement);
    Status rewrite_rows(table::Transaction& t, const table::VersionPtr& before,
                        const std::string& sql, catalog::TablePtr table);

    // transactions.cpp
    // 25P02, for what is asked of a block in which a statement failed.
    Status block_failed() const;
    Status open_block(TransactionModes modes);
    void close_block();
    Result<Answer> begin(const engine::Begin& statement);
    Result<Answer> commit(const engine::Commit& statement);
    Result<Answer> rollback(const engine::Rollback& statement);
    Result<Answer> savepoint(const engine::Savepoint& statement);
    Result<Answer> roll_back_to(const engine::RollbackTo& statement);
    Result<Answer> release(const engine::Release& statement);
    Result<size_t> find_savepoint(const engine::Name& name) const;
    Result<Answer> set_transaction(const engine::SetTransaction& statement);
    // transaction_isolation and transaction_read_only are variables, too.
    std::optional<std::string> transaction_variable(std::string_view name) const;
    Result<Answer> set_transaction_variable(const engine::SetVariable& statement);
    Result<Answer> checkpoint();

    // variables.cpp
    Result<Answer> set_variable(const engine::SetVariable& statement);
    Result<Answer> show_variable(const engine::ShowVariable& statement);
    Result<Answer> show_tables();
    Result<Answer> describe(const engine::Describe& statement);

    // copy.cpp
    Result<Answer> copy_from(const engine::CopyFrom& statement);
    Result<Answer> copy_to(const CachedStatement& statement, const engine::CopyTo& copy);
};

// The columns of the table must stand in the rows of the engine, the first of them as column
// `first`; others may follow.
Status check_shape(const arrow::Schema& rows, const catalog::TableDef& table, size_t first);

// Drops everything in the schemas whose names begin so.
Status drop_schema_members(table::Transaction& t, std::string_view prefix);

}  // namespace trefoil
