// A transaction block that nobody goes on with is rolled back, and its locks are free; a statement
// that somebody waits for is cancelled by another session.

#include <doctest/doctest.h>

#include <chrono>
#include <thread>

#include "clients.h"

namespace trefoil {

TEST_CASE("a block that is idle for too long is rolled back; the next statement is told") {
    Database db = must(Database::open(":memory:"));
    Session a = must(db.connect()), b = must(db.connect());
    CHECK(ask(a, "CREATE TABLE t (id INT PRIMARY KEY, n INT)") == "CREATE TABLE");
    CHECK(ask(a, "INSERT INTO t VALUES (1, 1)") == "INSERT 0 1");
    CHECK(ask(a, "BEGIN") == "BEGIN");
    CHECK(ask(a, "SET lock_timeout = '5s'") == "SET");
    CHECK(ask(a, "UPDATE t SET n = 2 WHERE id = 1") == "UPDATE 1");
    CHECK(ask(a, "SET idle_in_transaction_session_timeout = '20ms'") == "SET");
    // It waits for the row, which is free when the block of `a` ends.
    CHECK(ask(b, "UPDATE t SET n = n + 10 WHERE id = 1") == "UPDATE 1");
    CHECK(ask(a, "COMMIT") == "ERROR 25P03");
    CHECK(!a.in_transaction());
    CHECK(ask(a, "SELECT n FROM t") == "11");
    CHECK(ask(a, "SHOW lock_timeout") == "0");
    CHECK(ask(a, "BEGIN") == "BEGIN");
    CHECK(ask(a, "ROLLBACK") == "ROLLBACK");
}

TEST_CASE("who reads an answer is not idle") {
    Database db = must(Database::open(":memory:"));
    Session a = must(db.connect());
    CHECK(ask(a, "BEGIN") == "BEGIN");
    {
        Rows rows = must(a.execute("SELECT * FROM generate_series(1, 10)"));
        CHECK(ask(a, "SET LOCAL idle_in_transaction_session_timeout = '1ms'") == "SET");
        std::this_thread::sleep_for(std::chrono::milliseconds(30));
        CHECK(a.in_transaction());
    }
}

TEST_CASE("a session cancels what another one runs") {
    World world;
    Client &t1 = world.client(), &t2 = world.client();
    t1("CREATE TABLE t (id INT PRIMARY KEY, n INT)");
    t1("INSERT INTO t VALUES (1, 1)");
    CHECK(t1("BEGIN") == "BEGIN");
    CHECK(t1("UPDATE t SET n = 2") == "UPDATE 1");
    CHECK(t2("UPDATE t SET n = 3") == "waits");
    const std::string waiting =
        t1("SELECT session FROM trefoil_sessions WHERE statement = 'UPDATE t SET n = 3'");
    CHECK(t1("SELECT trefoil_cancel(" + waiting + ")") == "true");
    CHECK(t2.answer() == "ERROR 57014");
    CHECK(t1("SELECT trefoil_cancel(1000)") == "false");
    CHECK(t1("SELECT trefoil_cancel(NULL)") == "NULL");
    CHECK(t1("COMMIT") == "COMMIT");
}

}  // namespace trefoil
