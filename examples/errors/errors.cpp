// What an error tells: a code for the program, a SQLSTATE, a message, and where it helps a position
// in the statement, a detail and a hint.

#include <iostream>
#include <string>

#include "trefoil/database.h"

using trefoil::Database;
using trefoil::Result;
using trefoil::Session;
using trefoil::Status;

namespace {

void tell(const std::string& sql, const Status& status) {
    std::cout << sql << "\n";
    if (const auto position = status.position()) std::cout << std::string(*position, ' ') << "^\n";
    std::cout << "  " << status.sqlstate() << " " << status.message() << "\n";
    if (!status.detail().empty()) std::cout << "  detail: " << status.detail() << "\n";
    if (!status.hint().empty()) std::cout << "  hint: " << status.hint() << "\n";
}

Status run() {
    Result<Database> database = Database::open("");
    if (!database.ok()) return database.status();
    Result<Session> session = database->connect();
    if (!session.ok()) return session.status();
    for (const char* statement :
         {"CREATE TABLE person (id BIGINT PRIMARY KEY, name TEXT NOT NULL, age SMALLINT)",
          "INSERT INTO person VALUES (1, 'Ann', 34)"}) {
        if (auto done = session->execute(statement); !done.ok()) return done.status();
    }

    struct Mistake {
        const char* sql;
        const char* sqlstate;
    };
    const Mistake mistakes[] = {
        {"SELEC name FROM person", "42601"},                       // a keyword
        {"SELECT nme FROM person", "42703"},                       // a column
        {"SELECT name FROM persn", "42P01"},                       // a table
        {"INSERT INTO person VALUES (1, 'Bob', 30)", "23505"},     // a key that is taken
        {"INSERT INTO person VALUES (2, NULL, 30)", "23502"},      // a NULL where none may be
        {"INSERT INTO person VALUES (3, 'Eve', 99999)", "22003"},  // a number out of range
        {"SELECT 1 / 0", "22012"},
        {"COMMIT", "25P01"},  // no transaction is open
    };
    int surprises = 0;
    for (const Mistake& mistake : mistakes) {
        auto rows = session->execute(mistake.sql);
        // Some errors only show while the rows are computed.
        Status status = rows.ok() ? rows->next().status() : rows.status();
        if (status.sqlstate() != mistake.sqlstate) {
            std::cerr << "expected " << mistake.sqlstate << " for: " << mistake.sql << "\n";
            surprises++;
        }
        if (!status.ok()) tell(mistake.sql, status);
    }
    if (surprises == 0) return Status();
    return Status::invalid(std::to_string(surprises) + " errors were not as expected");
}

}  // namespace

int main() {
    const Status status = run();
    if (status.ok()) return 0;
    std::cerr << status.to_string() << "\n";
    return 1;
}
