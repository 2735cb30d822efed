// Foreign keys between transactions: whatever two of them do at once, no row is left that refers to
// nothing.

#include <doctest/doctest.h>

#include <atomic>
#include <random>
#include <thread>

#include "clients.h"

namespace trefoil {
namespace {

// What refers to nothing.
constexpr const char* kOrphans =
    "SELECT count(*) FROM child WHERE ref IS NOT NULL AND ref NOT IN (SELECT id FROM parent)";

struct Family {
    World world;
    Client &ann, &bob;

    explicit Family(const std::string& action = "") : ann(world.client()), bob(world.client()) {
        world("CREATE TABLE parent (id INT PRIMARY KEY, v INT)");
        world("CREATE TABLE child (id INT PRIMARY KEY, ref INT REFERENCES parent " + action + ")");
        world("INSERT INTO parent VALUES (1, 10), (2, 20), (3, 30)");
    }
    ~Family() { CHECK(world(kOrphans) == "0"); }
};

}  // namespace

TEST_CASE("whoever deletes a row waits for one that has begun to refer to it, and is refused") {
    Family f;
    f.ann("BEGIN");
    CHECK(f.ann("INSERT INTO child VALUES (1, 1)") == "INSERT 0 1");
    CHECK(f.bob("DELETE FROM parent WHERE id = 1") == "waits");
    CHECK(f.ann("COMMIT") == "COMMIT");
    CHECK(f.bob.answer() == "ERROR 23503");
    CHECK(f.world("SELECT id FROM parent ORDER BY id") == "1,2,3");
    // If it rolls back, nobody refers.
    f.ann("BEGIN");
    f.ann("UPDATE child SET ref = 2 WHERE id = 1");
    CHECK(f.bob("DELETE FROM parent WHERE id = 2") == "waits");
    f.ann("ROLLBACK");
    CHECK(f.bob.answer() == "DELETE 1");
}

TEST_CASE("whoever refers to a row waits for one that deletes it, and is refused") {
    Family f;
    f.ann("BEGIN");
    CHECK(f.ann("DELETE FROM parent WHERE id = 1") == "DELETE 1");
    CHECK(f.bob("INSERT INTO child VALUES (1, 1)") == "waits");
    f.ann("COMMIT");
    CHECK(f.bob.answer() == "ERROR 23503");
    f.ann("BEGIN");
    f.ann("DELETE FROM parent WHERE id = 2");
    CHECK(f.bob("INSERT INTO child VALUES (2, 2)") == "waits");
    f.ann("ROLLBACK");
    CHECK(f.bob.answer() == "INSERT 0 1");
}

TEST_CASE("another key is as good as deleted, another value is nothing") {
    Family f;
    f.ann("BEGIN");
    f.ann("INSERT INTO child VALUES (1, 1)");
    CHECK(f.bob("UPDATE parent SET v = 11 WHERE id = 1") == "UPDATE 1");
    CHECK(f.bob("UPDATE parent SET id = 9 WHERE id = 1") == "waits");
    f.ann("COMMIT");
    CHECK(f.bob.answer() == "ERROR 23503");
    // And the other way round: the row that is referred to may be changed by somebody.
    f.ann("BEGIN");
    f.ann("UPDATE parent SET v = 12 WHERE id = 1");
    CHECK(f.bob("INSERT INTO child VALUES (2, 1)") == "INSERT 0 1");
    CHECK(f.ann("COMMIT") == "COMMIT");
    f.ann("BEGIN");
    f.ann("UPDATE parent SET id = 8 WHERE id = 3");
    CHECK(f.bob("INSERT INTO child VALUES (3, 3)") == "waits");
    f.ann("COMMIT");
    CHECK(f.bob.answer() == "ERROR 23503");
    CHECK(f.bob("INSERT INTO child VALUES (3, 8)") == "INSERT 0 1");
}

TEST_CASE("inside BEGIN what others committed meanwhile is 40001") {
    Family f;
    f.ann("BEGIN");
    f.bob("BEGIN");
    CHECK(f.bob("SELECT count(*) FROM child") == "0");
    f.ann("INSERT INTO child VALUES (1, 1)");
    f.ann("COMMIT");
    CHECK(f.bob("DELETE FROM parent WHERE id = 1") == "ERROR 40001");
    f.bob("ROLLBACK");
    f.bob("BEGIN");
    CHECK(f.bob("SELECT count(*) FROM child") == "1");
    CHECK(f.ann("DELETE FROM parent WHERE id = 2") == "DELETE 1");
    CHECK(f.bob("INSERT INTO child VALUES (2, 2)") == "ERROR 40001");
    f.bob("ROLLBACK");
    CHECK(f.bob("INSERT INTO child VALUES (2, 2)") == "ERROR 23503");
    // READ COMMITTED looks again.
    f.bob("BEGIN ISOLATION LEVEL READ COMMITTED");
    f.bob("SELECT count(*) FROM child");
    f.ann("INSERT INTO child VALUES (3, 3)");
    CHECK(f.bob("DELETE FROM parent WHERE id = 3") == "ERROR 23503");
    f.bob("ROLLBACK");
}

TEST_CASE("CASCADE takes along what others committed meanwhile") {
    Family f("ON DELETE CASCADE ON UPDATE CASCADE");
    f.ann("BEGIN");
    f.ann("INSERT INTO child VALUES (1, 1)");
    CHECK(f.bob("DELETE FROM parent WHERE id = 1") == "waits");
    f.ann("COMMIT");
    CHECK(f.bob.answer() == "DELETE 1");
    CHECK(f.world("SELECT count(*) FROM child") == "0");
    f.ann("BEGIN");
    f.ann("INSERT INTO child VALUES (2, 2)");
    CHECK(f.bob("UPDATE parent SET id = 20 WHERE id = 2") == "waits");
    f.ann("COMMIT");
    CHECK(f.bob.answer() == "UPDATE 1");
    CHECK(f.world("SELECT * FROM child") == "2:20");
}

TEST_CASE("a row that refers and is deleted by another is no obstacle once that has committed") {
    Family f("ON DELETE CASCADE");
    f.world("INSERT INTO child VALUES (1, 1)");
    f.ann("BEGIN");
    f.ann("DELETE FROM child WHERE id = 1");
    CHECK(f.bob("DELETE FROM parent WHERE id = 1") == "waits");
    f.ann("COMMIT");
    CHECK(f.bob.answer() == "DELETE 1");
}

TEST_CASE("a foreign key that is added meanwhile is not overlooked") {
    Family f;
    f.world("CREATE TABLE late (ref INT)");
    f.world("INSERT INTO late VALUES (1)");
    f.ann("BEGIN");
    f.bob("BEGIN");
    CHECK(f.bob("DELETE FROM parent WHERE id = 1") == "DELETE 1");
    CHECK(f.ann("ALTER TABLE late ADD FOREIGN KEY (ref) REFERENCES parent") == "ALTER TABLE");
    CHECK(f.ann("COMMIT") == "COMMIT");
    CHECK(f.bob("COMMIT") == "ERROR 40001");
    f.ann("BEGIN");
    f.bob("BEGIN");
    CHECK(f.bob("DELETE FROM parent WHERE id = 2") == "DELETE 1");
    CHECK(f.ann("CREATE TABLE later (ref INT REFERENCES parent)") == "CREATE TABLE");
    CHECK(f.bob("COMMIT") == "COMMIT");
    CHECK(f.ann("COMMIT") == "COMMIT");
    CHECK(f.world("INSERT INTO later VALUES (2)") == "ERROR 23503");
    f.ann("BEGIN");
    f.ann("INSERT INTO child VALUES (9, 3)");
    CHECK(f.bob("DROP TABLE parent CASCADE") == "DROP TABLE");
    CHECK(f.ann("COMMIT") == "ERROR 40001");
    f.world("CREATE TABLE parent (id INT PRIMARY KEY)");
}

TEST_CASE("a table that was truncated meanwhile may refer again") {
    Family f;
    f.world("INSERT INTO child VALUES (7, 2)");
    f.ann("BEGIN");
    CHECK(f.ann("SELECT count(*) FROM child") == "1");
    f.bob("TRUNCATE child");
    CHECK(f.bob("INSERT INTO child VALUES (1, 1)") == "INSERT 0 1");
    CHECK(f.ann("DELETE FROM parent WHERE id = 1") == "ERROR 40001");
    f.ann("ROLLBACK");
    f.ann("BEGIN");
    CHECK(f.ann("INSERT INTO child VALUES (2, 2)") == "INSERT 0 1");
    f.bob("TRUNCATE parent CASCADE");
    CHECK(f.ann("COMMIT") == "ERROR 40001");
}

TEST_CASE("many writers of parents and children at once leave no orphan") {
    for (const std::string action : {"", "ON DELETE CASCADE", "ON DELETE SET NULL"}) {
        Family f(action);
        std::atomic<int> children{0};
        auto work = [&](int seed) {
            Session session = must(f.world.database().connect());
            std::mt19937 random(static_cast<unsigned>(seed));
            for (int i = 0; i < 150; i++) {
                const std::string key = std::to_string(random() % 8);
                switch (random() % 4) {
                    case 0:
                        ask(session, "INSERT INTO parent VALUES (" + key + ", 0)");
                        break;
                    case 1:
                        ask(session, "DELETE FROM parent WHERE id = " + key);
                        break;
                    case 2:
                        ask(session, "INSERT INTO child VALUES (" + std::to_string(++children) +
                                         ", " + key + ")");
                        break;
                    default:
                        ask(session, "DELETE FROM child WHERE ref = " + key);
                }
            }
        };
        std::vector<std::thread> threads;
        for (int i = 0; i < 4; i++) threads.emplace_back(work, i);
        for (std::thread& t : threads) t.join();
        CHECK(f.world(kOrphans) == "0");
    }
}

}  // namespace trefoil
