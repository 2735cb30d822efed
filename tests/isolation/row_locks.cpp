// Writers of one row: who waits for whom, who goes on, who is told to begin again; and what
// SELECT ... FOR UPDATE locks.

#include <doctest/doctest.h>

#include <atomic>
#include <thread>

#include "clients.h"

namespace trefoil {
namespace {

struct Bank {
    World world;
    Client &ann, &bob, &cid;

    Bank() : ann(world.client()), bob(world.client()), cid(world.client()) {
        world("CREATE TABLE t (id INT PRIMARY KEY, v INT)");
        world("INSERT INTO t VALUES (1, 10), (2, 20), (3, 30), (4, 40)");
    }
    std::string rows() { return world("SELECT id, v FROM t ORDER BY id"); }
};

}  // namespace

TEST_CASE("a single statement that waited runs again on what the other has made") {
    Bank b;
    b.ann("BEGIN");
    CHECK(b.ann("UPDATE t SET v = v + 1 WHERE id = 1") == "UPDATE 1");
    CHECK(b.bob("UPDATE t SET v = v + 1 WHERE id = 1") == "waits");
    CHECK(b.ann("COMMIT") == "COMMIT");
    CHECK(b.bob.answer() == "UPDATE 1");
    CHECK(b.rows() == "1:12,2:20,3:30,4:40");
    // The condition is looked at again as well.
    b.ann("BEGIN");
    CHECK(b.ann("UPDATE t SET v = 99 WHERE id = 1") == "UPDATE 1");
    CHECK(b.bob("DELETE FROM t WHERE v = 12") == "waits");
    CHECK(b.cid("DELETE FROM t WHERE v = 99 OR v = 12") == "waits");
    CHECK(b.ann("COMMIT") == "COMMIT");
    CHECK(b.bob.answer() == "DELETE 0");
    CHECK(b.cid.answer() == "DELETE 1");
}

TEST_CASE("whoever waited for one that rolled back goes on, on its own snapshot") {
    Bank b;
    b.ann("BEGIN");
    b.bob("BEGIN");
    CHECK(b.ann("DELETE FROM t WHERE id = 1") == "DELETE 1");
    CHECK(b.bob("UPDATE t SET v = v + 1 WHERE id = 1") == "waits");
    b.ann("ROLLBACK");
    CHECK(b.bob.answer() == "UPDATE 1");
    CHECK(b.bob("COMMIT") == "COMMIT");
    CHECK(b.rows() == "1:11,2:20,3:30,4:40");
}

TEST_CASE("inside BEGIN a row that was changed since is 40001, at once or after waiting") {
    Bank b;
    b.ann("BEGIN");
    b.bob("BEGIN");
    b.cid("BEGIN");
    b.ann("UPDATE t SET v = 11 WHERE id = 1");
    CHECK(b.bob("UPDATE t SET v = 12 WHERE id = 1") == "waits");
    b.ann("COMMIT");
    CHECK(b.bob.answer() == "ERROR 40001");
    CHECK(b.bob("COMMIT") == "ROLLBACK");
    CHECK(b.cid("DELETE FROM t WHERE id = 1") == "ERROR 40001");
    CHECK(b.cid("ROLLBACK") == "ROLLBACK");
    CHECK(b.rows() == "1:11,2:20,3:30,4:40");
}

TEST_CASE("READ COMMITTED: each statement sees the newest, and one that waited goes on") {
    Bank b;
    b.bob("BEGIN ISOLATION LEVEL READ COMMITTED");
    CHECK(b.bob("UPDATE t SET v = v + 100 WHERE id = 2") == "UPDATE 1");
    CHECK(b.bob("INSERT INTO t VALUES (5, 50)") == "INSERT 0 1");
    CHECK(b.ann("UPDATE t SET v = 11 WHERE id = 1") == "UPDATE 1");
    CHECK(b.ann("INSERT INTO t VALUES (6, 60)") == "INSERT 0 1");
    CHECK(b.ann("DELETE FROM t WHERE id = 3") == "DELETE 1");
    // The newest snapshot with its own changes on top.
    CHECK(b.bob("SELECT id, v FROM t ORDER BY id") == "1:11,2:120,4:40,5:50,6:60");
    CHECK(b.bob("SAVEPOINT s") == "SAVEPOINT");
    CHECK(b.bob("UPDATE t SET v = 0") == "UPDATE 5");
    CHECK(b.bob("ROLLBACK TO s") == "ROLLBACK");
    CHECK(b.ann("INSERT INTO t VALUES (7, 70)") == "INSERT 0 1");
    b.ann("BEGIN");
    b.ann("UPDATE t SET v = v + 1 WHERE id = 1");
    CHECK(b.bob("UPDATE t SET v = v * 2 WHERE id = 1") == "waits");
    b.ann("COMMIT");
    CHECK(b.bob.answer() == "UPDATE 1");
    CHECK(b.bob("COMMIT") == "COMMIT");
    CHECK(b.rows() == "1:24,2:120,4:40,5:50,6:60,7:70");
}

TEST_CASE("READ COMMITTED keeps its changes over flushes") {
    Bank b;
    b.bob("BEGIN ISOLATION LEVEL READ COMMITTED");
    b.bob("DELETE FROM t WHERE id = 1");
    b.bob("UPDATE t SET v = 21 WHERE id = 2");
    REQUIRE(b.world.database().checkpoint().ok());
    CHECK(b.bob("SELECT id, v FROM t ORDER BY id") == "2:21,3:30,4:40");
    b.ann("UPDATE t SET v = 31 WHERE id = 3");
    REQUIRE(b.world.database().checkpoint().ok());
    CHECK(b.bob("UPDATE t SET v = v + 1 WHERE id > 1") == "UPDATE 3");
    CHECK(b.bob("COMMIT") == "COMMIT");
    CHECK(b.rows() == "2:22,3:32,4:41");
}

TEST_CASE("a deadlock ends with 40P01 for one, and the other goes on") {
    Bank b;
    b.ann("BEGIN");
    b.bob("BEGIN");
    b.ann("UPDATE t SET v = 0 WHERE id = 1");
    b.bob("UPDATE t SET v = 0 WHERE id = 2");
    CHECK(b.ann("UPDATE t SET v = 0 WHERE id = 2") == "waits");
    CHECK(b.bob("UPDATE t SET v = 0 WHERE id = 1") == "ERROR 40P01");
    CHECK(b.bob("SELECT 1") == "ERROR 25P02");
    CHECK(b.bob("ROLLBACK") == "ROLLBACK");
    CHECK(b.ann.answer() == "UPDATE 1");
    CHECK(b.ann("COMMIT") == "COMMIT");
    CHECK(b.world("SELECT value FROM trefoil_counters WHERE name = 'deadlocks'") == "1");
}

TEST_CASE("a savepoint gives back the locks that were taken after it") {
    Bank b;
    b.ann("BEGIN");
    b.ann("UPDATE t SET v = 0 WHERE id = 1");
    b.ann("SAVEPOINT s");
    b.ann("UPDATE t SET v = 0 WHERE id = 2");
    CHECK(b.bob("UPDATE t SET v = 7 WHERE id = 2") == "waits");
    b.ann("ROLLBACK TO s");
    CHECK(b.bob.answer() == "UPDATE 1");
    CHECK(b.bob("UPDATE t SET v = 7 WHERE id = 1") == "waits");
    b.ann("COMMIT");
    CHECK(b.bob.answer() == "UPDATE 1");
}

TEST_CASE("time-outs: of a lock, of a statement, by hand") {
    Bank b;
    b.ann("BEGIN");
    b.ann("UPDATE t SET v = 0 WHERE id = 1");
    b.bob("SET lock_timeout = '30ms'");
    CHECK(b.bob("SHOW lock_timeout") == "30ms");
    CHECK(ask(b.bob.session(), "UPDATE t SET v = 1 WHERE id = 1") == "ERROR 55P03");
    b.bob("SET lock_timeout = 0");
    b.bob("SET statement_timeout = 30");
    CHECK(ask(b.bob.session(), "UPDATE t SET v = 1 WHERE id = 1") == "ERROR 57014");
    CHECK(ask(b.bob.session(),
              "SELECT count(*) FROM generate_series(1, 100000) a, generate_series(1, 1000000) b") ==
          "ERROR 57014");
    CHECK(b.bob("SELECT v FROM t WHERE id = 2") == "20");
    b.bob("RESET statement_timeout");
    CHECK(b.bob("UPDATE t SET v = 1 WHERE id = 1") == "waits");
    b.bob.session().cancel();
    CHECK(b.bob.answer() == "ERROR 57014");
}

TEST_CASE("SELECT FOR UPDATE locks the rows that it answers") {
    Bank b;
    b.ann("BEGIN");
    CHECK(b.ann("SELECT v FROM t WHERE id < 3 ORDER BY id FOR UPDATE") == "10,20");
    CHECK(b.bob("SELECT v FROM t WHERE id = 1") == "10");
    CHECK(b.bob("UPDATE t SET v = 0 WHERE id = 3") == "UPDATE 1");
    CHECK(b.bob("SELECT * FROM t WHERE id = 2 FOR SHARE NOWAIT") == "ERROR 55P03");
    CHECK(b.bob("SELECT * FROM t ORDER BY id FOR UPDATE SKIP LOCKED") == "3:0,4:40");
    CHECK(b.bob("SELECT * FROM t ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED") == "3:0");
    CHECK(b.bob("SELECT * FROM t ORDER BY id FOR UPDATE SKIP LOCKED LIMIT 1 OFFSET 1") == "4:40");
    CHECK(b.bob("SELECT v FROM t WHERE id = 1 FOR UPDATE") == "waits");
    CHECK(b.ann("UPDATE t SET v = 11 WHERE id = 1") == "UPDATE 1");
    CHECK(b.ann("COMMIT") == "COMMIT");
    CHECK(b.bob.answer() == "11");
    CHECK(b.world("SELECT count(*) FROM trefoil_locks") == "0");
}

TEST_CASE("shared locks go together, and stop writers") {
    Bank b;
    b.ann("BEGIN");
    b.bob("BEGIN");
    CHECK(b.ann("SELECT v FROM t WHERE id = 1 FOR SHARE") == "10");
    CHECK(b.bob("SELECT v FROM t WHERE id = 1 FOR KEY SHARE") == "10");
    CHECK(b.cid("UPDATE t SET v = 0 WHERE id = 1") == "waits");
    b.ann("COMMIT");
    // A key share does not stop an update that leaves the key alone.
    CHECK(b.cid.answer() == "UPDATE 1");
    CHECK(b.cid("DELETE FROM t WHERE id = 1") == "waits");
    b.bob("COMMIT");
    CHECK(b.cid.answer() == "DELETE 1");
}

TEST_CASE("OF names the tables to lock; rows of joins are locked in each") {
    Bank b;
    b.world("CREATE TABLE u (id INT PRIMARY KEY, t_id INT)");
    b.world("INSERT INTO u VALUES (1, 1), (2, 2)");
    b.ann("BEGIN");
    CHECK(b.ann("SELECT x.*, u.id FROM t AS x JOIN u ON u.t_id = x.id WHERE x.id = 1 "
                "FOR UPDATE OF x FOR KEY SHARE OF u") == "1:10:1");
    CHECK(b.world("SELECT table_name, mode FROM trefoil_locks ORDER BY 1") ==
          "t:FOR UPDATE,u:FOR KEY SHARE");
    CHECK(b.bob("UPDATE u SET t_id = 3 WHERE id = 1") == "UPDATE 1");
    CHECK(b.bob("UPDATE t SET v = 3 WHERE id = 2") == "UPDATE 1");
    CHECK(b.bob("UPDATE t SET v = 3 WHERE id = 1") == "waits");
    b.ann("ROLLBACK");
    CHECK(b.bob.answer() == "UPDATE 1");
    CHECK(b.bob("SELECT * FROM t LEFT JOIN u ON u.t_id = t.id WHERE t.id > 2 ORDER BY 1 "
                "FOR UPDATE OF t") == "3:30:1:3,4:40:NULL:NULL");
}

TEST_CASE("a queue of jobs: each is taken once") {
    World world;
    world("CREATE TABLE job (id INT PRIMARY KEY, done_by INT)");
    world("INSERT INTO job SELECT i, NULL FROM generate_series(1, 60) AS g(i)");
    std::vector<std::thread> workers;
    std::atomic<int> done{0}, conflicts{0};
    for (int w = 0; w < 4; w++) {
        workers.emplace_back([&, w] {
            Session session = must(world.database().connect());
            for (;;) {
                ask(session, "BEGIN ISOLATION LEVEL READ COMMITTED");
                const std::string id =
                    ask(session,
                        "SELECT id FROM job WHERE done_by IS NULL ORDER BY id LIMIT 1 "
                        "FOR UPDATE SKIP LOCKED");
                if (id.empty()) break;
                if (id.starts_with("ERROR")) {
                    conflicts++;
                    ask(session, "ROLLBACK");
                    continue;
                }
                ask(session, "UPDATE job SET done_by = " + std::to_string(w) + " WHERE id = " + id);
                if (ask(session, "COMMIT") == "COMMIT") done++;
            }
        });
    }
    for (std::thread& t : workers) t.join();
    CHECK(done == 60);
    CHECK(conflicts == 0);
    CHECK(world("SELECT count(*) FROM job WHERE done_by IS NULL") == "0");
}

TEST_CASE("on a hot counter no increment is lost, and everybody gets there") {
    World world;
    world("CREATE TABLE counter (id INT PRIMARY KEY, n INT)");
    world("INSERT INTO counter VALUES (1, 0)");
    std::vector<std::thread> threads;
    std::atomic<int> failed{0};
    for (int i = 0; i < 64; i++) {
        threads.emplace_back([&, i] {
            Session session = must(world.database().connect());
            for (int k = 0; k < 10; k++) {
                // Every other thread inside a block, where it is the row's lock that counts.
                bool ok;
                if (i % 2 == 0) {
                    ok = ask(session, "UPDATE counter SET n = n + 1 WHERE id = 1") == "UPDATE 1";
                } else {
                    ask(session, "BEGIN ISOLATION LEVEL READ COMMITTED");
                    ok = ask(session, "SELECT n FROM counter WHERE id = 1 FOR UPDATE")
                                 .starts_with("ERROR") == false &&
                         ask(session, "UPDATE counter SET n = n + 1 WHERE id = 1") == "UPDATE 1" &&
                         ask(session, "COMMIT") == "COMMIT";
                }
                if (!ok) failed++;
            }
        });
    }
    for (std::thread& t : threads) t.join();
    CHECK(failed == 0);
    CHECK(world("SELECT n FROM counter") == "640");
}

TEST_CASE("of two that insert the same key one gets 23505") {
    Bank b;
    b.ann("BEGIN");
    b.bob("BEGIN");
    CHECK(b.ann("INSERT INTO t VALUES (9, 1)") == "INSERT 0 1");
    CHECK(b.bob("INSERT INTO t VALUES (9, 2)") == "INSERT 0 1");
    CHECK(b.ann("COMMIT") == "COMMIT");
    CHECK(b.bob("COMMIT") == "ERROR 23505");
    CHECK(b.world("SELECT v FROM t WHERE id = 9") == "1");
}

TEST_CASE("single statements under SERIALIZABLE run again, and blocks are told") {
    Bank b;
    b.ann("SET default_transaction_isolation = 'serializable'");
    CHECK(b.ann("UPDATE t SET v = v + 1 WHERE id = 1") == "UPDATE 1");
    b.ann("BEGIN");
    CHECK(b.ann("SHOW transaction_isolation") == "serializable");
    CHECK(b.ann("SELECT v FROM t WHERE id = 1") == "11");
    CHECK(b.bob("UPDATE t SET v = 0 WHERE id = 4") == "UPDATE 1");
    CHECK(b.ann("SAVEPOINT s") == "SAVEPOINT");
    CHECK(b.ann("ROLLBACK TO s") == "ROLLBACK");
    CHECK(b.ann("CREATE TABLE made (x INT)") == "CREATE TABLE");
    CHECK(b.ann("COMMIT") == "ERROR 40001");
    // Reading alone is never refused.
    b.ann("BEGIN");
    CHECK(b.ann("SELECT count(*) FROM t") == "4");
    CHECK(b.bob("DELETE FROM t WHERE id = 4") == "DELETE 1");
    CHECK(b.ann("SELECT count(*) FROM t") == "4");
    CHECK(b.ann("COMMIT") == "COMMIT");
}

TEST_CASE("what CREATE TABLE AS reads counts under SERIALIZABLE") {
    Bank b;
    b.ann("BEGIN ISOLATION LEVEL SERIALIZABLE");
    CHECK(b.ann("CREATE TABLE copy AS SELECT * FROM t") == "SELECT 4");
    CHECK(b.bob("UPDATE t SET v = 0 WHERE id = 4") == "UPDATE 1");
    CHECK(b.ann("COMMIT") == "ERROR 40001");
    b.ann("ROLLBACK");
    CHECK(b.world("SELECT count(*) FROM information_schema.tables WHERE table_name = 'copy'") ==
          "0");
}

TEST_CASE("trefoil_sessions tells who does what") {
    Bank b;
    b.ann("BEGIN");
    b.ann("UPDATE t SET v = 0 WHERE id = 1");
    CHECK(b.bob("UPDATE t SET v = 1 WHERE id = 1") == "waits");
    CHECK(b.world("SELECT state, statement FROM trefoil_sessions WHERE transaction IS NOT NULL") ==
          "idle in transaction:UPDATE t SET v = 0 WHERE id = 1");
    CHECK(b.world("SELECT count(*) FROM trefoil_sessions WHERE state = 'active' AND statement = "
                  "'UPDATE t SET v = 1 WHERE id = 1'") == "1");
    b.ann("COMMIT");
    CHECK(b.bob.answer() == "UPDATE 1");
}

}  // namespace trefoil
