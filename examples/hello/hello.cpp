// The shortest tour: open a database, make a table, put rows in, ask, and read the answer.
//
//     hello [DATABASE]        without one: in memory

#include <cstdio>
#include <iostream>

#include "trefoil/database.h"

using trefoil::Database;
using trefoil::Result;
using trefoil::Rows;
using trefoil::Session;
using trefoil::Status;

namespace {

Status run(const std::string& path) {
    Result<Database> database = Database::open(path);
    if (!database.ok()) return database.status();
    Result<Session> session = database->connect();
    if (!session.ok()) return session.status();

    for (const char* statement :
         {"CREATE TABLE IF NOT EXISTS planet (name TEXT PRIMARY KEY, moons INTEGER, year DOUBLE)",
          "DELETE FROM planet",
          "INSERT INTO planet VALUES ('Mercury', 0, 0.24), ('Venus', 0, 0.62), ('Earth', 1, 1.0),"
          " ('Mars', 2, 1.88), ('Jupiter', 95, 11.86), ('Saturn', 146, 29.46)"}) {
        Result<Rows> done = session->execute(statement);
        if (!done.ok()) return done.status();
        std::cout << done->tag() << "\n";
    }

    // Parameters are $1, $2, ... They are values, never text that is pasted in.
    Result<Rows> rows = session->execute(
        "SELECT name, moons FROM planet WHERE moons >= $1 ORDER BY moons DESC", {1});
    if (!rows.ok()) return rows.status();
    for (;;) {
        auto batch = rows->next();
        if (!batch.ok()) return batch.status();
        if (!batch->has_value()) return Status();
        for (int64_t r = 0; r < (*batch)->row_count(); r++) {
            std::cout << (*batch)->text(r, 0) << " has " << (*batch)->int64(r, 1) << " moons\n";
        }
    }
}

}  // namespace

int main(int argc, char** argv) {
    const Status status = run(argc > 1 ? argv[1] : "");
    if (status.ok()) return 0;
    std::cerr << status.to_string() << "\n";
    return 1;
}
