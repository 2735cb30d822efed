// Prepared statements: analysed once, run many times with other values. They notice by themselves
// when a table is dropped and made anew.

#include <chrono>
#include <iostream>
#include <span>
#include <string>
#include <vector>

#include "trefoil/database.h"

using trefoil::Database;
using trefoil::Prepared;
using trefoil::Result;
using trefoil::Session;
using trefoil::Status;
using trefoil::Value;

namespace {

constexpr int64_t kProducts = 1000;
constexpr int64_t kLookups = 20'000;

Status fill(Session& session) {
    if (auto done = session.execute("CREATE TABLE product (id BIGINT PRIMARY KEY, name TEXT)");
        !done.ok()) {
        return done.status();
    }
    Result<Prepared> insert = session.prepare("INSERT INTO product VALUES ($1, $2)");
    if (!insert.ok()) return insert.status();
    std::cout << "the INSERT has " << insert->parameter_count() << " parameters\n";
    // One transaction for all: a commit per row would wait for the disk a thousand times.
    if (auto done = session.execute("BEGIN"); !done.ok()) return done.status();
    for (int64_t id = 1; id <= kProducts; id++) {
        const std::vector<Value> values = {id * 7, "product " + std::to_string(id)};
        if (auto done = insert->execute(values); !done.ok()) return done.status();
    }
    return session.execute("COMMIT").status();
}

Status look_up(Session& session) {
    Result<Prepared> select = session.prepare("SELECT name FROM product WHERE id = $1");
    if (!select.ok()) return select.status();
    const auto begun = std::chrono::steady_clock::now();
    int64_t found = 0;
    for (int64_t i = 0; i < kLookups; i++) {
        const Value id = i % (2 * kProducts * 7);
        auto rows = select->execute(std::span(&id, 1));
        if (!rows.ok()) return rows.status();
        auto batch = rows->next();
        if (!batch.ok()) return batch.status();
        if (batch->has_value()) found += (*batch)->row_count();
    }
    const std::chrono::duration<double, std::micro> passed =
        std::chrono::steady_clock::now() - begun;
    std::cout << kLookups << " lookups found " << found << " rows\n";
    std::cerr << passed.count() / static_cast<double>(kLookups) << " microseconds each\n";
    return Status();
}

Status run() {
    Result<Database> database = Database::open("");
    if (!database.ok()) return database.status();
    Result<Session> session = database->connect();
    if (!session.ok()) return session.status();
    if (Status s = fill(*session); !s.ok()) return s;
    return look_up(*session);
}

}  // namespace

int main() {
    const Status status = run();
    if (status.ok()) return 0;
    std::cerr << status.to_string() << "\n";
    return 1;
}
