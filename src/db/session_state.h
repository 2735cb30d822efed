// A session: the router of statements.
//
//     text ──► cache ──► parsed statement, plan ──► query      access tier, or engine
//                                                   DML        read side by the engine,
//                                                              rows to a TableWriter
//                                                   others     here
//
// Outside BEGIN ... COMMIT each statement is a transaction of its own; one that changes rows and
// meets a conflict is run again on a newer snapshot. Inside a block a failed statement leaves
// nothing behind, and everything is refused (25P02) until ROLLBACK, as in PostgreSQL.

#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "access/snapshot_catalog.h"
#include "db/database_state.h"
#include "db/rows_state.h"
#include "db/sequences.h"
#include "db/settings.h"
#include "db/statement_cache.h"
#include "engine/engine.h"
#include "table/check.h"
#include "table/references.h"
#include "table/transaction.h"
#include "trefoil/database.h"

namespace trefoil {

class ChangeSink;

// How a transaction runs.
struct TransactionModes {
    engine::Isolation isolation = engine::Isolation::kRepeatableRead;
    bool read_only = false;
};

struct Session::State {
    explicit State(Database::State& database)
        : db(database),
          activity(db.activities.add(cancel)),
          sequences(db.tables->sequences(), db.activities),
          temporary_schema(std::string(catalog::kTemporaryPrefix) +
                           std::to_string(database.sessions_opened++)) {
        add_session_settings();
    }
    ~State();  // drops temporary tables

    Database::State& db;
    std::shared_ptr<Activity> activity;
    SessionSequences sequences;
    access::VirtualTables session_tables;
    std::unique_ptr<engine::EngineSession> engine;
    Settings settings;
    std::string application_name;  // what the program called itself; nothing depends on it
    StatementCache cache;
    StatementCache cascades;  // statements that foreign keys make, see references.cpp
    access::CancelFlag cancel{false};
    // Set while a statement with a time-out runs or its answer is read.
    std::shared_ptr<Alarms::Alarm> deadline;
    std::atomic<bool> timed_out{false};
    std::atomic<uint64_t> statements{0};    // begun so far
    std::optional<table::Transaction> txn;  // inside BEGIN ... COMMIT
    TransactionModes txn_modes;
    bool txn_failed = false;
    bool txn_used = false;  // a statement has looked at data
    struct SavepointMark {
        std::string name;
        table::Transaction::State mark;
        size_t locks;
        size_t settings;  // how many were changed in the block before
    };
    std::vector<SavepointMark> savepoints;
    std::vector<uint32_t> statement_reads;  // tables, under SERIALIZABLE
    // Begun so far: the number of the open one. One that was rolled back to a savepoint is new.
    uint64_t blocks = 0;
    // What SET changed in the open block, oldest first: as it was before (nullopt: what RESET makes
    // of it), and whether it is so again when the block commits.
    struct ChangedSetting {
        std::string name;
        std::optional<std::string> before;
        bool local;
    };
    std::vector<ChangedSetting> changed_settings;
    // Set while the block waits for a statement; when it rings, the block is rolled back.
    std::shared_ptr<Alarms::Alarm> idle_alarm;
    std::atomic<bool> in_block{false};
    bool idled_out = false;  // the alarm rang, and no statement has been told
    // What relative paths of COPY FROM begin at; "": the process's folder.
    std::string copy_directory;
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

    // Runs `work` in the open transaction, or in one of its own that is committed. Where statements
    // have snapshots of their own (outside of a block, and under READ COMMITTED) it is run again on
    // a newer one when it meets a row that was changed meanwhile; the locks that it has stay, so
    // that it gets there. `once`: its input can be read only once, so it is not run again.
    using Work = std::function<Result<uint64_t>(table::Transaction&)>;
    Result<uint64_t> change(const Work& work, bool once = false);

    // The same for a statement that defines something: it answers `tag`.
    Result<Answer> define(const std::function<Status(table::Transaction&)>& work, std::string tag);

    // At the start of every statement: the cancel flag is cleared, the time runs, and under READ
    // COMMITTED the block moves to the newest snapshot.
    Status begin_statement();
    // An error fails the block, and the statement's time ends.
    Result<Answer> settle(Result<Answer> answer);
    // Says so if what was cancelled was cancelled by the time-out.
    Status explain_cancel(Status status) const;
    // Under SERIALIZABLE: notes which tables the statement reads, for the transaction that runs it.
    void note_reads(const CachedStatement& statement, const table::Version& version);
    bool has_statement_snapshots() const {
        return !txn || txn_modes.isolation <= engine::Isolation::kReadCommitted;
    }

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
    Result<Answer> explain(CachedStatement& statement, std::span<const Value> parameters);

    // row_locks.cpp
    // A SELECT ... FOR UPDATE: reads all of its rows and locks them before it answers.
    Result<Answer> locking_query(const CachedStatement& statement,
                                 std::span<const Value> parameters);
    // The rows of such a query, which are locked, without the row ids at their end.
    Result<std::vector<arrow::Batch>> lock_and_read(table::Transaction& t,
                                                    const engine::Query& query,
                                                    const engine::QueryPlan& plan,
                                                    std::span<const Value> parameters,
                                                    const access::SourceCatalog& catalog);

    // Reading the rows of an answer of block number `block` failed.
    void reading_failed(uint64_t block) {
        if (block == blocks) fail_block();
    }

    // named_statements.cpp
    struct NamedStatement {
        std::string text;
        std::vector<std::string> types;  // of its parameters, as PREPARE gave them
    };
    std::map<std::string, NamedStatement> named;
    // Runs PREPARE, EXECUTE and DEALLOCATE; otherwise nothing was `handled`.
    Result<Answer> named_statement(std::string_view sql, bool* handled);
    Result<Answer> prepare_named(std::string_view sql, size_t at);
    Result<Answer> execute_named(std::string_view sql, size_t at);
    Result<std::vector<Value>> evaluate(const std::vector<std::string_view>& expressions,
                                        const std::vector<std::string>& types);

    // changes.cpp
    // The table, or 42P01 with its position and the name it may have been; 42809 for what is not a
    // table that can be changed.
    Result<catalog::TablePtr> table_to_change(const table::Version& version,
                                              const engine::Name& name) const;
    // With `analysis`, by the engine in any case, and the lines of EXPLAIN ANALYZE go there.
    Result<Answer> modify(CachedStatement& statement, std::span<const Value> parameters,
                          std::vector<std::string>* analysis = nullptr);
    struct Changed {
        uint64_t rows = 0;
        std::vector<arrow::Batch> returned;
        std::vector<std::string> analysis;  // lines of EXPLAIN ANALYZE
    };
    Result<Changed> run_change(table::Transaction& t, const engine::QueryPlan& plan,
                               std::span<const Value> parameters,
                               const access::SourceCatalog& catalog, bool analyse);
    Result<Changed> read_all(const engine::QueryPlan& plan, std::span<const Value> parameters,
                             const access::SourceCatalog& catalog, bool analyse);
    Status settle_conflicts(ChangeSink& sink, const engine::QueryPlan& plan,
                            std::span<const Value> parameters,
                            const access::SourceCatalog& catalog);
    Result<Answer> truncate(const engine::Truncate& statement);
    Result<Answer> direct_change(const CachedStatement& statement,
                                 std::span<const Value> parameters, bool* understood);
    // Whether the engine is left out when the statement runs with these values.
    bool goes_directly(const CachedStatement& statement, std::span<const Value> parameters) const;
    // The change as it is done without the engine; null if that cannot be.
    std::shared_ptr<const access::DirectChange> direct_form(const CachedStatement& statement) const;

    // ddl.cpp
    Result<Answer> create_table(const engine::CreateTable& statement);
    Result<Answer> drop(const engine::Drop& statement);
    Status drop_in(table::Transaction& t, const engine::Drop& statement);
    Status drop_temporary();
    // Where something of this name is created. Errors: 3F000, 42939.
    Result<catalog::Reference> place_of(const table::Version& version, const engine::Name& name,
                                        bool temporary);
    Result<catalog::Reference> free_place(catalog::Reference place, const engine::Name& name) const;
    // What has this name and is of this kind, or a view. Errors: 42P01, 3F000, 42809.
    Result<catalog::TablePtr> relation_to_change(const table::Version& version,
                                                 const engine::Name& name,
                                                 catalog::RelationKind kind, bool or_view);

    // sequence_ddl.cpp
    Result<Answer> create_sequence(const engine::CreateSequence& statement);
    Result<Answer> alter_sequence(const engine::AlterSequence& statement);
    Status alter_sequence_in(table::Transaction& t, const catalog::TablePtr& before,
                             const engine::SequenceOptions& options);
    // Makes the sequence of a column of `table`, and the column's default of it; own_sequence()
    // gives it to the column when that has its id.
    Status add_sequence(table::Transaction& t, const catalog::TableDef& table,
                        const engine::Identity& identity, catalog::ColumnDef* column);
    Status create_with_sequences(table::Transaction& t, catalog::TableDef table,
                                 const engine::CreateTable& statement);
    // Before an ALTER TABLE: makes the sequences of new columns, and gives expressions their
    // schemas.
    Status prepare_sequences(table::Transaction& t, const catalog::TableDef& table,
                             engine::AlterTable* statement);
    // After it: sequences go with the columns that own them, or to them.
    Status settle_sequences(table::Transaction& t, const catalog::TableDef& before,
                            const engine::AlterTable& statement);
    Status set_owner(const table::Version& version, const engine::SequenceOption& option,
                     catalog::TableDef* sequence) const;
    // An expression whose sequences are named with their schemas. Errors: 42P01, 42809.
    Result<std::string> with_schemas(const std::string& sql, const table::Version& version) const;

    // views.cpp
    Result<Answer> create_view(CachedStatement& statement, const engine::CreateView& create);
    Result<Answer> create_table_as(CachedStatement& statement, const engine::CreateTableAs& create);
    Result<Answer> create_schema(const engine::CreateSchema& create);
    Result<Answer> comment(const engine::Comment& statement);
    Result<std::vector<catalog::ColumnDef>> view_columns(const catalog::TableDef& view,
                                                         const table::VersionPtr& version);
    // Writes another name of a table, and of columns (before and now), into the views over it.
    Status rename_in_views(table::Transaction& t, const catalog::Catalog& before,
                           const catalog::TableDef& table,
                           const std::vector<std::pair<std::string, std::string>>& columns);
    // Refuses (2BP01) what `t` did to a table if a view over it would be another one.
    Status check_views(table::Transaction& t, const catalog::TableDef& changed);

    // alter.cpp
    Result<Answer> alter_table(const engine::AlterTable& statement);
    Status alter_in(table::Transaction& t, const engine::AlterTable& statement);
    Status take_definition(table::Transaction& t, const catalog::TableDef& before,
                           catalog::TableDef after, const std::map<uint32_t, std::string>& computed,
                           bool rows_matter);
    Status make_index(table::Transaction& t, const catalog::TableDef& table,
                      const std::string& sql);
    Status rewrite_rows(table::Transaction& t, const table::VersionPtr& before,
                        const std::string& sql, const catalog::TablePtr& table);

    // constraints.cpp
    // What must hold for the rows of a table that got foreign keys that it did not have before.
    // Errors: 23503.
    Status check_new_references(table::Transaction& t, const catalog::TableDef& before,
                                const catalog::TableDef& after);
    // Transactions that change a table to which foreign keys of `after` refer, and do not know it
    // yet, will not commit.
    Status hold_parents(table::Transaction& t, const catalog::TableDef& before,
                        const catalog::TableDef& after);
    Status check_all_rows(const table::VersionPtr& version, const catalog::TableDef& table,
                          const catalog::CheckDef& check);

    // references.cpp
    // At the end of a statement that began at `before`: foreign keys do what they say about the
    // rows that it changed. Errors: 23503; 40001 if others changed what refers to them; those of
    // changing rows.
    Status settle_references(table::Transaction& t, table::VersionPtr before);
    Status carry_out(table::Transaction& t, const table::Consequence& consequence);
    // What that was, as lines of EXPLAIN ANALYZE; null unless they are wanted.
    std::vector<std::string>* reference_lines = nullptr;

    // indexes.cpp
    Result<Answer> create_index(const engine::CreateIndex& statement);
    Status create_index_in(table::Transaction& t, const engine::CreateIndex& statement);
    Result<catalog::IndexDef> index_of(const engine::CreateIndex& statement,
                                       const table::VersionPtr& version, catalog::TableDef* table);
    Result<std::string> conditions_of(const catalog::IndexDef& index,
                                      const catalog::TableDef& table,
                                      const table::VersionPtr& version);
    Result<Answer> drop_index(const engine::DropIndex& statement);
    Result<Answer> rename_index(const engine::RenameIndex& statement);
    Result<Answer> reindex(const engine::Reindex& statement);

    // transactions.cpp
    // 25P02, for what is asked of a block in which a statement failed.
    Status block_failed() const;
    // If a block is open: from now on it can only be rolled back, as a whole or to a savepoint;
    // what it locked since is free for others.
    void fail_block();
    Status open_block(TransactionModes modes);
    // `committed`: what SET changed stays, unless it was LOCAL.
    void close_block(bool committed);
    // After a statement: the time of an open block runs.
    void watch_idle_block();
    // Before one: it stops. Errors: 25P03 if it was over.
    Status check_idle_block();
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

    // maintenance.cpp
    Result<Answer> keep_house(const engine::House& statement);
    Result<Answer> vacuum(const engine::House& statement);
    Result<Answer> discard_all();
    Result<Answer> check_database(bool as_pragma);
    Status check_constraints(const table::VersionPtr& version, table::CheckReport* report);

    // export.cpp
    Result<Answer> export_database(const engine::House& statement);
    Result<Answer> import_database(const std::string& directory);
    Result<Answer> run_own(std::string_view sql);
    Status run_and_read(std::string_view sql);

    // analyze.cpp
    Result<Answer> analyze(const engine::Analyze& statement);

    // variables.cpp
    Result<Answer> set_variable(const engine::SetVariable& statement);
    Status apply_variable(const engine::SetVariable& statement);
    Status remember_setting(const engine::SetVariable& statement);
    // Takes back what was set since there were `kept` changed settings.
    void restore_settings(size_t kept, bool only_local);
    // nullopt if there is no such setting.
    Result<std::optional<std::string>> setting_text(const std::string& name);
    Result<Answer> show_variable(const engine::ShowVariable& statement);
    // Every setting: name, value, what it is about.
    std::vector<Settings::Description> all_settings() const;
    void add_session_settings();
    Result<Answer> show_all();
    // 42704, with the name that was perhaps meant.
    Status unknown_setting(std::string_view name);
    Result<Answer> show_tables();
    Result<Answer> describe(const engine::Describe& statement);

    // copy.cpp
    Result<Answer> copy_from(const engine::CopyFrom& statement);
    Result<Answer> copy_to(const CachedStatement& statement, const engine::CopyTo& copy);
};

// The columns of the table must stand in the rows of the engine, the first of them as column
// `first`; others may follow.
Status check_shape(const arrow::Schema& rows, const catalog::TableDef& table, size_t first);
// 08P01 unless there is one value for each parameter of the plan.
Status check_parameter_count(const engine::QueryPlan& plan, std::span<const Value> parameters);
// Statements that need the engine's plan.
bool wants_plan(const engine::StatementKind& kind);

// Drops everything in the schemas of which `which` says so.
Status drop_schema_members(table::Transaction& t,
                           const std::function<bool(std::string_view)>& which);

}  // namespace trefoil
