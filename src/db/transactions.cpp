// BEGIN, COMMIT, ROLLBACK, savepoints, SET TRANSACTION.
//
// A savepoint is the transaction's state of that moment, which is a few pointers, under a name. The
// newest of a name hides older ones; ROLLBACK TO keeps it, RELEASE forgets it and what came after.

#include <algorithm>

#include "base/check.h"
#include "db/session_state.h"

namespace trefoil {
namespace {

using Answer = Session::State::Answer;

Status outside_block(std::string_view what) {
    return {Code::kInvalidInput, "25P01",
            std::string(what) + " can only be used in transaction blocks"};
}

}  // namespace

Status Session::State::block_failed() const {
    return Status(Code::kInvalidInput, "25P02",
                  "the transaction is aborted: a statement in it failed")
        .with_hint(savepoints.empty() ? "End it with ROLLBACK."
                                      : "End it with ROLLBACK, or go back with ROLLBACK TO \"" +
                                            savepoints.back().name + "\".");
}

void Session::State::fail_block() {
    if (!txn) return;
    txn_failed = true;
    txn->release_locks_after(savepoints.empty() ? 0 : savepoints.back().locks);
}

Status Session::State::open_block(TransactionModes modes) {
    ASSIGN_OR_RETURN(table::Transaction begun, db.tables->begin(modes.read_only));
    txn.emplace(std::move(begun));
    in_block.store(true);
    txn_modes = modes;
    activity->set_transaction(txn->id());
    txn_failed = false;
    txn_used = false;
    blocks++;
    return {};
}

void Session::State::close_block(bool committed) {
    txn.reset();
    in_block.store(false);
    activity->set_transaction(std::nullopt);
    savepoints.clear();
    txn_failed = false;
    restore_settings(0, /*only_local=*/committed);
    changed_settings.clear();
}

// --- Blocks that wait for too long --------------------------------------------------------------

void Session::State::watch_idle_block() {
    const uint64_t patience_ms = settings.idle_in_transaction_timeout.count;
    if (!txn || patience_ms == 0) return;
    // It rings while nobody else uses this session, since every statement destroys it first. The
    // rows of an answer may still be read: then somebody is there.
    auto ring = [this] {
        if (!activity->is_waiting()) return;
        idled_out = true;
        txn.reset();
        in_block.store(false);
        activity->set_transaction(std::nullopt);
    };
    idle_alarm = db.alarms.set(std::chrono::milliseconds(patience_ms), std::move(ring));
}

Status Session::State::check_idle_block() {
    idle_alarm.reset();
    if (!std::exchange(idled_out, false)) return {};
    close_block(/*committed=*/false);
    return Status(Code::kConflict, "25P03",
                  "the transaction was rolled back: it was idle for longer than "
                  "idle_in_transaction_session_timeout")
        .with_hint("Run the transaction again.");
}

Result<Answer> Session::State::begin(const engine::Begin& statement) {
    if (txn) {
        return Status(Code::kInvalidInput, "25001", "there is already a transaction in progress")
            .with_hint("End it with COMMIT or ROLLBACK first.");
    }
    RETURN_IF_ERROR(open_block({statement.modes.isolation.value_or(settings.default_isolation),
                                statement.modes.read_only.value_or(settings.default_read_only)}));
    return done("BEGIN");
}

Result<Answer> Session::State::commit(const engine::Commit& statement) {
    if (!txn && statement.chain) return outside_block("COMMIT AND CHAIN");
    if (!txn) return Status(Code::kInvalidInput, "25P01", "no active transaction to commit");
    table::Transaction ending = std::move(*txn);
    const bool failed = txn_failed;
    const Status committed = failed ? Status() : db.tables->commit(ending);
    close_block(!failed && committed.ok());
    RETURN_IF_ERROR(committed);
    if (statement.chain) RETURN_IF_ERROR(open_block(txn_modes));
    return done(failed ? "ROLLBACK" : "COMMIT");
}

Result<Answer> Session::State::rollback(const engine::Rollback& statement) {
    if (!txn && statement.chain) return outside_block("ROLLBACK AND CHAIN");
    if (!txn) return Status(Code::kInvalidInput, "25P01", "no active transaction to roll back");
    close_block(/*committed=*/false);
    if (statement.chain) RETURN_IF_ERROR(open_block(txn_modes));
    return done("ROLLBACK");
}

// --- Savepoints ---------------------------------------------------------------------------------

Result<Answer> Session::State::savepoint(const engine::Savepoint& statement) {
    if (!txn) return outside_block("SAVEPOINT");
    savepoints.push_back(
        {statement.name.text, txn->mark(), txn->lock_mark(), changed_settings.size()});
    return done("SAVEPOINT");
}

// The newest savepoint of this name. Errors: 3B001.
Result<size_t> Session::State::find_savepoint(const engine::Name& name) const {
    for (size_t i = savepoints.size(); i-- > 0;) {
        if (savepoints[i].name == name.text) return i;
    }
    return Status(Code::kInvalidInput, "3B001", "savepoint \"" + name.text + "\" does not exist")
        .with_position(name.position);
}

Result<Answer> Session::State::roll_back_to(const engine::RollbackTo& statement) {
    if (!txn) return outside_block("ROLLBACK TO SAVEPOINT");
    ASSIGN_OR_RETURN(size_t at, find_savepoint(statement.savepoint));
    savepoints.resize(at + 1);
    txn->roll_back_to(savepoints[at].mark);
    txn->release_locks_after(savepoints[at].locks);
    restore_settings(savepoints[at].settings, /*only_local=*/false);
    txn_failed = false;
    blocks++;  // answers of before may no longer fail the block
    return done("ROLLBACK");
}

Result<Answer> Session::State::release(const engine::Release& statement) {
    if (!txn) return outside_block("RELEASE SAVEPOINT");
    ASSIGN_OR_RETURN(size_t at, find_savepoint(statement.savepoint));
    savepoints.resize(at);
    return done("RELEASE");
}

// --- Modes --------------------------------------------------------------------------------------

Result<Answer> Session::State::set_transaction(const engine::SetTransaction& statement) {
    const engine::TransactionModes& wanted = statement.modes;
    if (statement.session) {
        if (wanted.isolation) settings.default_isolation = *wanted.isolation;
        if (wanted.read_only) settings.default_read_only = *wanted.read_only;
        return done("SET");
    }
    if (!txn) return outside_block("SET TRANSACTION");
    TransactionModes modes{wanted.isolation.value_or(txn_modes.isolation),
                           wanted.read_only.value_or(txn_modes.read_only)};
    if (txn_used && modes.isolation != txn_modes.isolation) {
        return Status(Code::kInvalidInput, "25001",
                      "SET TRANSACTION ISOLATION LEVEL must be called before any query");
    }
    if (txn_used && txn_modes.read_only && !modes.read_only) {
        return Status(Code::kInvalidInput, "25001",
                      "transaction read-write mode must be set before any query");
    }
    txn->set_read_only(modes.read_only);
    txn_modes = modes;
    return done("SET");
}

std::optional<std::string> Session::State::transaction_variable(std::string_view name) const {
    const TransactionModes modes =
        txn ? txn_modes : TransactionModes{settings.default_isolation, settings.default_read_only};
    if (name == "transaction_isolation") return std::string(isolation_name(modes.isolation));
    if (name == "transaction_read_only") return modes.read_only ? "on" : "off";
    return std::nullopt;
}

Result<Answer> Session::State::set_transaction_variable(const engine::SetVariable& statement) {
    engine::SetTransaction set;
    if (statement.name == "transaction_isolation") {
        set.modes.isolation = settings.default_isolation;
        if (statement.value) {
            ASSIGN_OR_RETURN(set.modes.isolation,
                             parse_isolation(statement.name, *statement.value));
        }
    } else {
        set.modes.read_only = settings.default_read_only;
        if (statement.value) {
            ASSIGN_OR_RETURN(set.modes.read_only, parse_switch(statement.name, *statement.value));
        }
    }
    return set_transaction(set);
}

}  // namespace trefoil
