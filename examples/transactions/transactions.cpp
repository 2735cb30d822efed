// Transactions: all or nothing, a snapshot for every reader, and what to do when two writers
// collide.

#include <iostream>
#include <string>

#include "trefoil/database.h"

using trefoil::Code;
using trefoil::Database;
using trefoil::Result;
using trefoil::Session;
using trefoil::Status;

namespace {

Status run_all(Session& session, std::initializer_list<const char*> statements) {
    for (const char* statement : statements) {
        if (auto done = session.execute(statement); !done.ok()) return done.status();
    }
    return Status();
}

Result<int64_t> total(Session& session) {
    auto rows = session.execute("SELECT CAST(sum(balance) AS BIGINT) FROM account");
    if (!rows.ok()) return rows.status();
    auto batch = rows->next();
    if (!batch.ok()) return batch.status();
    return (*batch)->int64(0, 0);
}

// Moves money; the caller runs it again if it answers kConflict.
Status transfer(Session& session) {
    Status status =
        run_all(session, {"BEGIN", "UPDATE account SET balance = balance - 30 WHERE id = 1",
                          "UPDATE account SET balance = balance + 30 WHERE id = 2", "COMMIT"});
    if (!status.ok() && session.in_transaction()) {
        if (auto undone = session.execute("ROLLBACK"); !undone.ok()) return undone.status();
    }
    return status;
}

Status run() {
    Result<Database> database = Database::open("");
    if (!database.ok()) return database.status();
    Result<Session> ann = database->connect();
    if (!ann.ok()) return ann.status();
    Result<Session> bob = database->connect();
    if (!bob.ok()) return bob.status();
    if (Status s = run_all(*ann, {"CREATE TABLE account (id BIGINT PRIMARY KEY, balance BIGINT)",
                                  "INSERT INTO account VALUES (1, 100), (2, 0)"});
        !s.ok()) {
        return s;
    }

    // Bob's transaction keeps seeing what was there when it began.
    if (Status s = run_all(*bob, {"BEGIN"}); !s.ok()) return s;
    if (auto before = total(*bob); !before.ok()) return before.status();
    if (Status s = run_all(*ann, {"INSERT INTO account VALUES (3, 500)"}); !s.ok()) return s;
    const auto seen_by_bob = total(*bob);
    const auto seen_by_ann = total(*ann);
    if (!seen_by_bob.ok()) return seen_by_bob.status();
    if (!seen_by_ann.ok()) return seen_by_ann.status();
    std::cout << "Ann sees " << *seen_by_ann << ", Bob still " << *seen_by_bob << "\n";
    if (Status s = run_all(*bob, {"ROLLBACK"}); !s.ok()) return s;

    // A transaction that is rolled back leaves no trace.
    if (Status s = run_all(*ann, {"BEGIN", "DELETE FROM account", "ROLLBACK"}); !s.ok()) return s;

    for (int attempt = 1; attempt <= 5; attempt++) {
        const Status status = transfer(*ann);
        if (status.ok()) break;
        if (status.code() != Code::kConflict) return status;
        std::cout << "somebody else was faster; once more\n";
    }
    const auto after = total(*ann);
    if (!after.ok()) return after.status();
    std::cout << "after the transfer there are " << *after << " in all\n";
    return Status();
}

}  // namespace

int main() {
    const Status status = run();
    if (status.ok()) return 0;
    std::cerr << status.to_string() << "\n";
    return 1;
}
