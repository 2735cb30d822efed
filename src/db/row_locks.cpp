// SELECT ... FOR UPDATE and its like: all rows are read and locked before the answer is given.
//
// The plan yields the row ids of the locked tables as its last columns. If a row turns out to have
// been changed since the snapshot, the whole query is run again on a newer one where the statement
// has a snapshot of its own (Session::State::change), and is 40001 elsewhere; so what is answered
// is what is locked.

#include <algorithm>

#include "arrow/compute.h"
#include "base/check.h"
#include "db/session_state.h"

namespace trefoil {
namespace {

using Answer = Session::State::Answer;
using engine::RowLock;

// Locks the rows of one run of the query, batch by batch.
class RowLocker {
public:
    RowLocker(const engine::Query& query, table::Transaction& txn, table::LockPatience patience)
        : query_(query), txn_(txn), patience_(patience) {}

    Status find_tables(const Session::State& session) {
        for (const RowLock& lock : query_.locks) {
            ASSIGN_OR_RETURN(catalog::TablePtr table,
                             session.table_to_change(*txn_.view(), lock.table));
            tables_.push_back(std::move(table));
            skips_ = skips_ || lock.wait == RowLock::Wait::kSkipLocked;
        }
        return {};
    }

    // Which rows of the batch are locked now; nullopt for all.
    Result<std::optional<std::vector<uint32_t>>> lock(const arrow::Batch& batch,
                                                      uint64_t rows_max) {
        const size_t first = batch.columns.size() - tables_.size();
        std::optional<std::vector<uint32_t>> locked;
        if (!skips_) {
            for (size_t i = 0; i < tables_.size(); i++) {
                const auto* ids = batch.columns[first + i].values<uint64_t>();
                RETURN_IF_ERROR(lock_rows(i, {ids, static_cast<size_t>(batch.rows)}));
            }
            return locked;
        }
        locked.emplace();
        for (int64_t row = 0; row < batch.rows && locked->size() < rows_max; row++) {
            bool all = true;
            for (size_t i = 0; i < tables_.size() && all; i++) {
                ASSIGN_OR_RETURN(all,
                                 lock_row(i, batch.columns[first + i].values<uint64_t>()[row]));
            }
            if (all) locked->push_back(static_cast<uint32_t>(row));
        }
        return locked;
    }

private:
    table::LockMode mode(size_t i) const {
        return static_cast<table::LockMode>(query_.locks[i].mode);
    }

    Status lock_rows(size_t i, std::span<const uint64_t> ids) {
        std::vector<uint64_t> committed;
        std::copy_if(ids.begin(), ids.end(), std::back_inserter(committed),
                     [](uint64_t id) { return id < table::kPrivateRowId; });
        table::LockPatience patience = patience_;
        patience.nowait = query_.locks[i].wait == RowLock::Wait::kNowait;
        txn_.set_patience(patience);
        return txn_.lock_rows(*tables_[i], committed, mode(i));
    }

    // False if it is to be skipped.
    Result<bool> lock_row(size_t i, uint64_t id) {
        if (id >= table::kPrivateRowId) return true;
        if (query_.locks[i].wait == RowLock::Wait::kSkipLocked) {
            return txn_.try_lock_row(*tables_[i], id, mode(i));
        }
        RETURN_IF_ERROR(lock_rows(i, {&id, 1}));
        return true;
    }

    const engine::Query& query_;
    table::Transaction& txn_;
    table::LockPatience patience_;
    std::vector<catalog::TablePtr> tables_;
    bool skips_ = false;
};

Result<uint64_t> value_of(const std::optional<engine::RowBound>& bound,
                          std::span<const Value> parameters, const char* clause,
                          uint64_t otherwise) {
    if (!bound) return otherwise;
    if (bound->number) return *bound->number;
    const Value& value = parameters[bound->parameter];
    if (value.is_null()) return otherwise;
    const int64_t* n = value.get_if<int64_t>();
    if (!n || *n < 0) {
        return Status(Code::kInvalidInput, std::string_view(clause) == "LIMIT" ? "2201W" : "2201X",
                      std::string(clause) + " must be a number that is not negative");
    }
    return static_cast<uint64_t>(*n);
}

arrow::Batch taken(const arrow::Batch& batch, const std::vector<uint32_t>& rows) {
    arrow::Batch out{batch.schema, static_cast<int64_t>(rows.size()), {}};
    for (const arrow::Array& column : batch.columns) {
        out.columns.push_back(arrow::take(column, rows));
    }
    return out;
}

}  // namespace

Result<std::vector<arrow::Batch>> Session::State::lock_and_read(
    table::Transaction& t, const engine::Query& query, const engine::QueryPlan& plan,
    std::span<const Value> parameters, const access::SourceCatalog& catalog) {
    if (t.read_only()) {
        return Status::read_only("cannot execute SELECT FOR UPDATE in a read-only transaction");
    }
    const size_t width = plan.schema->fields.size() - query.locks.size();
    auto schema = std::make_shared<arrow::Schema>(*plan.schema);
    schema->fields.resize(width);
    ASSIGN_OR_RETURN(uint64_t left, value_of(query.limit, parameters, "LIMIT", UINT64_MAX));
    ASSIGN_OR_RETURN(uint64_t skip, value_of(query.offset, parameters, "OFFSET", 0));
    RowLocker locker(query, t, {settings.lock_timeout.count, false, &cancel});
    RETURN_IF_ERROR(locker.find_tables(*this));
    std::vector<arrow::Batch> answer;
    ASSIGN_OR_RETURN(auto stream, engine->run(plan, parameters, catalog, &cancel));
    while (left > 0) {
        ASSIGN_OR_RETURN(auto batch, stream->next());
        if (!batch) break;
        const uint64_t wanted = left > UINT64_MAX - skip ? UINT64_MAX : left + skip;
        ASSIGN_OR_RETURN(auto locked, locker.lock(*batch, wanted));
        batch->columns.resize(width);
        batch->schema = schema;
        arrow::Batch rows = locked ? taken(*batch, *locked) : std::move(*batch);
        const auto skipped = std::min(skip, static_cast<uint64_t>(rows.rows));
        skip -= skipped;
        const auto rest = static_cast<uint64_t>(rows.rows) - skipped;
        if (rest == 0) continue;
        left -= rest;
        answer.push_back(rows.slice(static_cast<int64_t>(skipped), static_cast<int64_t>(rest)));
    }
    return answer;
}

Result<Answer> Session::State::locking_query(const CachedStatement& statement,
                                             std::span<const Value> parameters) {
    const auto& query = std::get<engine::Query>(statement.statement.kind);
    const engine::QueryPlan& plan = *statement.plan;
    RETURN_IF_ERROR(check_parameter_count(plan, parameters));
    std::vector<arrow::Batch> answer;
    auto work = [&](table::Transaction& t) -> Result<uint64_t> {
        auto now = catalog_of(t.view());
        ASSIGN_OR_RETURN(answer, lock_and_read(t, query, plan, parameters, *now));
        return uint64_t{0};
    };
    RETURN_IF_ERROR(change(work).status());
    db.statement_counters.engine_tier.fetch_add(1, std::memory_order_relaxed);
    auto schema = std::make_shared<arrow::Schema>(*plan.schema);
    schema->fields.resize(schema->fields.size() - query.locks.size());
    auto rows = answer_of(std::move(schema), std::move(answer), "SELECT");
    rows->tier = "engine";
    return rows;
}

}  // namespace trefoil
