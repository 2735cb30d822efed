// Session: finding or making a statement's plan, and sending it where it runs.

#include <algorithm>

#include "base/check.h"
#include "db/session_state.h"
#include "db/sql_lexer.h"

namespace trefoil {
namespace {

// Of the memory limit, what an index that is being built may hold at most.
constexpr uint64_t kIndexShare = 8;

template <typename... Handlers>
struct Overloaded : Handlers... {
    using Handlers::operator()...;
};
template <typename... Handlers>
Overloaded(Handlers...) -> Overloaded<Handlers...>;

}  // namespace

bool wants_plan(const engine::StatementKind& kind) {
    return std::holds_alternative<engine::Query>(kind) ||
           std::holds_alternative<engine::Insert>(kind) ||
           std::holds_alternative<engine::Update>(kind) ||
           std::holds_alternative<engine::Delete>(kind) ||
           std::holds_alternative<engine::Merge>(kind) ||
           std::holds_alternative<engine::CopyTo>(kind);
}

std::shared_ptr<access::SnapshotCatalog> Session::State::catalog_of(table::VersionPtr version) {
    access::AccessOptions options;
    options.use_indexes = settings.use_indexes;
    options.index_order = settings.index_order;
    options.index_joins = settings.index_joins;
    options.covering_scans = settings.covering_scans;
    options.partitions_max = db.threads;
    options.search_path = path();
    options.sequences = &sequences;
    options.session_tables = &session_tables;
    options.read_only =
        db.tables->store().read_only() || (txn ? txn->read_only() : settings.default_read_only);
    return std::make_shared<access::SnapshotCatalog>(std::move(version), options, db.table_counters,
                                                     db.system_tables, db.custom_tables.current());
}

Result<std::shared_ptr<access::SnapshotCatalog>> Session::State::catalog() {
    if (txn) return catalog_of(txn->view());
    ASSIGN_OR_RETURN(table::VersionPtr version, db.tables->current());
    return catalog_of(std::move(version));
}

Result<CachedStatementPtr> Session::State::analyse(std::string_view sql) {
    if (CachedStatementPtr cached = cache.find(sql)) {
        db.statement_counters.cache_hits.fetch_add(1, std::memory_order_relaxed);
        return cached;
    }
    auto made = std::make_shared<CachedStatement>();
    made->text = sql;
    ASSIGN_OR_RETURN(made->statement, engine->parse(sql));
    cache.insert(made);
    return made;
}

// Plans the statement for this catalog, unless its plan is good still.
Status Session::State::plan(CachedStatement& statement, const access::SnapshotCatalog& catalog) {
    const table::Version& version = *catalog.version();
    const uint64_t generation = catalog.custom_tables()->generation;
    if (statement.plan && statement.planned_for == version.catalog &&
        statement.custom_generation == generation &&
        statement.with_indexes.value_or(settings.use_indexes) == settings.use_indexes &&
        statement.search_path == catalog.search_path()) {
        return {};
    }
    statement.plan.reset();
    statement.point.reset();
    statement.direct.reset();
    ASSIGN_OR_RETURN(engine::QueryPlan made, engine->plan(statement.statement, catalog));
    db.statement_counters.plans_made.fetch_add(1, std::memory_order_relaxed);
    if (made.access && !made.access->limit && !made.access->offset) {
        if (catalog::TablePtr table = catalog.resolve(made.access->table)) {
            std::vector<plan::Expr> filters;
            for (const plan::Expr& f : made.access->filters) plan::flatten_and(f, &filters);
            statement.point =
                access::PointQuery::make(*table, filters, made.access->projection, made.schema,
                                         db.table_counters.of(table->id));
        }
    }
    statement.with_indexes.reset();
    for (const std::string& name : made.tables) {
        catalog::TablePtr table = catalog.resolve(name);
        const bool hidden = table && table->visible_columns().size() < table->columns.size();
        if (hidden) statement.with_indexes = settings.use_indexes;
    }
    statement.plan = std::move(made);
    statement.planned_for = version.catalog;
    statement.custom_generation = generation;
    statement.search_path = catalog.search_path();
    statement.direct = direct_form(statement);
    return {};
}

Result<Session::State::Answer> Session::State::execute(std::string_view sql,
                                                       std::span<const Value> parameters) {
    if (const uint64_t max = db.limits.statement_bytes; sql.size() > max) {
        return Status(Code::kInvalidInput, "54000",
                      "the statement has " + std::to_string(sql.size()) +
                          " bytes; max_statement_size allows " + size_text(max))
            .with_hint("Load rows with COPY or through the append interface.");
    }
    RETURN_IF_ERROR(begin_statement());
    if (parameters.empty() && settings.fast_path && !txn_failed) {
        bool handled = false;
        auto answer = try_lifted(sql, &handled);
        if (handled) return answer;
    }
    if (parameters.empty()) {
        bool handled = false;
        auto answer = named_statement(sql, &handled);
        if (handled && !answer.ok()) fail_block();
        if (handled) return answer;
    }
    auto statement = analyse(sql);
    if (!statement.ok()) {
        fail_block();
        return statement.status();
    }
    return run(*statement, parameters);
}

// Statements that differ in literals alone share the plan of their common text, if it is one that
// the fast path runs. Otherwise nothing was `handled`.
Result<Session::State::Answer> Session::State::try_lifted(std::string_view sql, bool* handled) {
    auto lifted = lift_literals(sql);
    if (!lifted) return Answer();
    CachedStatementPtr statement = cache.find(lifted->text);
    ASSIGN_OR_RETURN(auto now, catalog());
    const uint64_t generation = now->custom_tables()->generation;
    if (statement &&
        (statement->planned_for != now->version()->catalog ||
         statement->custom_generation != generation ||
         statement->with_indexes.value_or(settings.use_indexes) != settings.use_indexes)) {
        statement.reset();
    }
    if (!statement) {
        statement = std::make_shared<CachedStatement>();
        statement->text = lifted->text;
        statement->planned_for = now->version()->catalog;
        statement->custom_generation = generation;
        auto parsed = engine->parse(lifted->text);
        if (parsed.ok()) {
            statement->statement = std::move(*parsed);
            statement->planned_for = nullptr;
            Status planned = plan(*statement, *now);
            statement->not_liftable =
                !planned.ok() || (!statement->plan->access && !statement->direct);
            statement->planned_for = now->version()->catalog;
        } else {
            statement->not_liftable = true;
        }
        cache.insert(statement);
    } else {
        db.statement_counters.cache_hits.fetch_add(1, std::memory_order_relaxed);
    }
    if (statement->not_liftable) return Answer();
    if (statement->direct) {
        if (!goes_directly(*statement, lifted->literals)) return Answer();
        txn_used = true;
        note_reads(*statement, *now->version());
        activity->begin(sql);
        auto answer = direct_change(*statement, lifted->literals, handled);
        activity->end();
        return settle(std::move(answer));
    }
    bool understood = false;
    txn_used = true;
    note_reads(*statement, *now->version());
    auto answer = access_query(*statement, lifted->literals, now, &understood);
    if (!answer.ok()) return Answer();  // the ordinary way says it with the right position
    *handled = understood;
    return answer;
}

Result<Session::State::Answer> Session::State::run(const CachedStatementPtr& statement,
                                                   std::span<const Value> parameters) {
    const engine::StatementKind& kind = statement->statement.kind;
    const bool ends_block = std::holds_alternative<engine::Rollback>(kind) ||
                            std::holds_alternative<engine::RollbackTo>(kind) ||
                            std::holds_alternative<engine::Commit>(kind);
    if (txn_failed && !ends_block) {
        return block_failed();
    }
    // Point queries are too short to be seen.
    const bool shown = !statement->point;
    if (shown) activity->begin(statement->text);
    auto answer = dispatch(*statement, parameters);
    if (shown) activity->end();
    return settle(std::move(answer));
}

Result<Session::State::Answer> Session::State::settle(Result<Answer> answer) {
    if (answer.ok()) return answer;
    fail_block();
    deadline.reset();
    return explain_cancel(answer.status());
}

Result<Session::State::Answer> Session::State::dispatch(CachedStatement& statement,
                                                        std::span<const Value> parameters) {
    const engine::Statement& s = statement.statement;
    if (wants_plan(s.kind)) {
        txn_used = true;
        ASSIGN_OR_RETURN(auto now, catalog());
        RETURN_IF_ERROR(plan(statement, *now));
        note_reads(statement, *now->version());
    } else if (!parameters.empty()) {
        return Status(Code::kInvalidInput, "08P01", "this statement takes no parameters");
    }
    if (s.explain) return explain(statement, parameters);
    return std::visit(
        Overloaded{
            [&](const engine::Query& q) {
                // WITH may change something for a query, too.
                if (!statement.plan->children.empty()) {
                    return modify(statement, parameters);
                }
                return q.locks.empty() ? query(statement, parameters)
                                       : locking_query(statement, parameters);
            },
            [&](const engine::Insert&) { return modify(statement, parameters); },
            [&](const engine::Update&) { return modify(statement, parameters); },
            [&](const engine::Delete&) { return modify(statement, parameters); },
            [&](const engine::Merge&) { return modify(statement, parameters); },
            [&](const engine::Truncate& t) { return truncate(t); },
            [&](const engine::CreateTable& c) { return create_table(c); },
            [&](const engine::Drop& d) { return drop(d); },
            [&](const engine::CreateView& c) { return create_view(statement, c); },
            [&](const engine::CreateTableAs& c) { return create_table_as(statement, c); },
            [&](const engine::CreateSchema& c) { return create_schema(c); },
            [&](const engine::Comment& c) { return comment(c); },
            [&](const engine::CreateSequence& c) { return create_sequence(c); },
            [&](const engine::AlterSequence& a) { return alter_sequence(a); },
            [&](const engine::AlterTable& a) { return alter_table(a); },
            [&](const engine::CreateIndex& c) { return create_index(c); },
            [&](const engine::DropIndex& d) { return drop_index(d); },
            [&](const engine::RenameIndex& r) { return rename_index(r); },
            [&](const engine::Reindex& r) { return reindex(r); },
            [&](const engine::Begin& b) { return begin(b); },
            [&](const engine::Commit& c) { return commit(c); },
            [&](const engine::Rollback& r) { return rollback(r); },
            [&](const engine::Savepoint& p) { return savepoint(p); },
            [&](const engine::RollbackTo& r) { return roll_back_to(r); },
            [&](const engine::Release& r) { return release(r); },
            [&](const engine::SetTransaction& t) { return set_transaction(t); },
            [&](const engine::SetVariable& v) { return set_variable(v); },
            [&](const engine::ShowVariable& v) { return show_variable(v); },
            [&](const engine::ShowTables&) { return show_tables(); },
            [&](const engine::Describe& d) { return describe(d); },
            [&](const engine::CopyFrom& c) { return copy_from(c); },
            [&](const engine::CopyTo& c) { return copy_to(statement, c); },
            [&](const engine::Analyze& a) { return analyze(a); },
            [&](const engine::House& h) { return keep_house(h); },
        },
        s.kind);
}

Result<uint64_t> Session::State::change(const Work& work, bool once) {
    constexpr int kAttemptsMax = 100;
    std::optional<table::Transaction> own;
    table::IndexProgress& progress = activity->index_progress();
    const auto end_progress = [](table::IndexProgress* p) { p->end(); };
    const std::unique_ptr<table::IndexProgress, decltype(end_progress)> shown(&progress);
    for (int attempt = 1;; attempt++) {
        if (!txn && !own) {
            ASSIGN_OR_RETURN(own, db.tables->begin(settings.default_read_only));
        }
        table::Transaction& t = txn ? *txn : *own;
        if (!txn) {
            for (uint32_t table : statement_reads) t.note_read(table);
        }
        t.set_patience({settings.lock_timeout.count, /*nowait=*/false, &cancel});
        t.set_index_work({db.threads, db.engine.get(), db.limits.memory_bytes / kIndexShare,
                          &cancel, &progress});
        table::Transaction::State mark = t.mark();
        auto count = work(t);
        Status status = count.status();
        if (status.ok()) status = settle_references(t, mark.view);
        const bool at_commit = status.ok() && !txn;
        if (at_commit) status = db.tables->commit(*own);
        if (status.ok()) return count;
        t.roll_back_to(std::move(mark));
        // A key that is taken only at the commit was inserted meanwhile; a second try sees it.
        const bool again =
            status.sqlstate() == "40001" || (at_commit && status.sqlstate() == "23505");
        if (!again || once || !has_statement_snapshots() || attempt == kAttemptsMax) return status;
        db.statement_counters.commit_retries.fetch_add(1, std::memory_order_relaxed);
        if (at_commit) {
            own.reset();  // it is over
        } else {
            RETURN_IF_ERROR(t.renew_snapshot());
        }
    }
}

Result<Session::State::Answer> Session::State::define(
    const std::function<Status(table::Transaction&)>& work, std::string tag) {
    auto counted = [&](table::Transaction& t) -> Result<uint64_t> {
        RETURN_IF_ERROR(work(t));
        return uint64_t{0};
    };
    RETURN_IF_ERROR(change(counted).status());
    return done(std::move(tag));
}

Status Session::State::begin_statement() {
    RETURN_IF_ERROR(check_idle_block());
    statements++;
    statement_reads.clear();
    cancel.store(false);
    timed_out.store(false);
    deadline.reset();
    if (settings.statement_timeout.count > 0) {
        // The answer of an earlier statement may still be read, on its own time.
        auto ring = [this, number = statements.load()] {
            if (statements.load() != number) return;
            timed_out.store(true);
            cancel.store(true);
        };
        deadline = db.alarms.set(std::chrono::milliseconds(settings.statement_timeout.count),
                                 std::move(ring));
    }
    if (!txn || txn_failed || !has_statement_snapshots()) return {};
    Status renewed = txn->renew_snapshot();
    if (!renewed.ok()) fail_block();
    return renewed;
}

void Session::State::note_reads(const CachedStatement& statement, const table::Version& version) {
    statement_reads.clear();
    const engine::Isolation level = txn ? txn_modes.isolation : settings.default_isolation;
    if (level != engine::Isolation::kSerializable || !statement.plan) return;
    for (const std::string& name : statement.plan->tables) {
        if (db.system_tables.contains(name)) continue;
        catalog::TablePtr table = version.catalog->resolve(name, statement.search_path);
        if (!table && db.custom_tables.contains(catalog::parse_reference(name).name)) continue;
        if (table && table->kind == catalog::RelationKind::kView) continue;  // its tables follow
        statement_reads.push_back(table ? table->id : table::Transaction::kAllTables);
    }
    if (!txn) return;
    for (uint32_t table : statement_reads) txn->note_read(table);
}

Status Session::State::explain_cancel(Status status) const {
    if (status.sqlstate() != "57014" || !timed_out.load()) return status;
    return {Code::kInvalidInput, "57014", "canceling statement due to statement timeout"};
}

// --- The public handles
// -------------------------------------------------------------------------------

Session::Session(std::unique_ptr<State> state) : state_(std::move(state)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

Result<Rows> Session::execute(std::string_view sql, std::span<const Value> parameters) {
    auto answer = state_->execute(sql, parameters);
    state_->watch_idle_block();
    RETURN_IF_ERROR(answer.status());
    state_->deadline.reset();
    return Rows(std::move(*answer));
}

Result<uint64_t> Session::append(std::string_view table, ArrowArrayStream* rows) {
    auto answer = state_->append(table, rows);
    state_->watch_idle_block();
    RETURN_IF_ERROR(answer.status());
    return (*answer)->affected_rows;
}

void Session::cancel() {
    state_->cancel.store(true);
}

bool Session::in_transaction() const {
    return state_->in_block.load();
}

struct Prepared::State {
    Session::State& session;
    CachedStatementPtr statement;
};

Result<Prepared> Session::prepare(std::string_view sql) {
    ASSIGN_OR_RETURN(CachedStatementPtr statement, state_->analyse(sql));
    if (wants_plan(statement->statement.kind)) {
        ASSIGN_OR_RETURN(auto now, state_->catalog());
        RETURN_IF_ERROR(state_->plan(*statement, *now));
    }
    return Prepared(
        std::make_unique<Prepared::State>(Prepared::State{*state_, std::move(statement)}));
}

Prepared::Prepared(std::unique_ptr<State> state) : state_(std::move(state)) {}
Prepared::Prepared(Prepared&&) noexcept = default;
Prepared& Prepared::operator=(Prepared&&) noexcept = default;
Prepared::~Prepared() = default;

int32_t Prepared::parameter_count() const {
    const auto& plan = state_->statement->plan;
    return plan ? static_cast<int32_t>(plan->parameters.size()) : 0;
}

Result<Rows> Prepared::execute(std::span<const Value> parameters) {
    Session::State& session = state_->session;
    RETURN_IF_ERROR(session.begin_statement());
    auto answer = session.run(state_->statement, parameters);
    session.watch_idle_block();
    RETURN_IF_ERROR(answer.status());
    session.deadline.reset();
    return Rows(std::move(*answer));
}

}  // namespace trefoil
