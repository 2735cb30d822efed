// BEGIN, COMMIT, ROLLBACK, CHECKPOINT.

#include "base/check.h"
#include "db/session_state.h"

namespace trefoil {

using Answer = Session::State::Answer;

Result<Answer> Session::State::begin(const engine::Begin& statement) {
    if (txn) {
        return Status(Code::kInvalidInput, "25001", "there is already a transaction in progress")
            .with_hint("End it with COMMIT or ROLLBACK first.");
    }
    ASSIGN_OR_RETURN(table::Transaction begun, db.tables->begin(statement.read_only));
    txn.emplace(std::move(begun));
    txn_failed = false;
    blocks++;
    return done("BEGIN");
}

Result<Answer> Session::State::commit() {
    if (!txn) return Status(Code::kInvalidInput, "25P01", "no active transaction to commit");
    table::Transaction ending = std::move(*txn);
    txn.reset();
    if (std::exchange(txn_failed, false)) return done("ROLLBACK");
    RETURN_IF_ERROR(db.tables->commit(ending));
    return done("COMMIT");
}

Result<Answer> Session::State::rollback() {
    if (!txn) return Status(Code::kInvalidInput, "25P01", "no active transaction to roll back");
    txn.reset();
    txn_failed = false;
    return done("ROLLBACK");
}

Result<Answer> Session::State::checkpoint() {
    if (txn) {
        return Status(Code::kInvalidInput, "25001", "CHECKPOINT cannot run inside a transaction");
    }
    RETURN_IF_ERROR(db.tables->checkpoint());
    return done("CHECKPOINT");
}

}  // namespace trefoil
