// Stopping a query: any thread may call Session::cancel(). The statement then fails with SQLSTATE
// 57014, and the session goes on with the next.

#include <chrono>
#include <iostream>
#include <thread>

#include "trefoil/database.h"

using trefoil::Database;
using trefoil::Result;
using trefoil::Rows;
using trefoil::Session;
using trefoil::Status;

namespace {

// Reads all rows; answers the error that broke them off, if any.
Status drain(Result<Rows> rows) {
    if (!rows.ok()) return rows.status();
    for (;;) {
        auto batch = rows->next();
        if (!batch.ok()) return batch.status();
        if (!batch->has_value()) return Status();
    }
}

Status run() {
    Result<Database> database = Database::open("");
    if (!database.ok()) return database.status();
    Result<Session> session = database->connect();
    if (!session.ok()) return session.status();

    std::thread impatient([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(300));
        session->cancel();
    });
    const auto begun = std::chrono::steady_clock::now();
    const Status status = drain(
        session->execute("SELECT count(*) FROM generate_series(1, 10000000) a(x)"
                         " CROSS JOIN generate_series(1, 10000000) b(y) WHERE x * y % 7 = 3"));
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - begun;
    impatient.join();
    if (status.sqlstate() != "57014") {
        return status.ok() ? Status::invalid("nothing was cancelled") : status;
    }
    std::cout << "the query was cancelled\n";
    std::cerr << "after " << passed.count() << " s\n";

    if (Status next = drain(session->execute("SELECT 1")); !next.ok()) return next;
    std::cout << "the session goes on\n";
    return Status();
}

}  // namespace

int main() {
    const Status status = run();
    if (status.ok()) return 0;
    std::cerr << status.to_string() << "\n";
    return 1;
}
