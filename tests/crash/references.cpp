// kill -9 in the midst of transactions over tables with foreign keys: rows that refer go with what
// they refer to, or follow it to another key, whole or not at all.
//
// Every parent has id % 5 children that CASCADE, and one that is set to NULL, so whoever opens the
// database can tell whether half of something is there. The constraints themselves are dropped and
// added again now and then; after each kill they must be there, and must refuse.

#include <unistd.h>

#include <iostream>
#include <random>
#include <string>

#include "storage/storage_testing.h"
#include "trefoil/database.h"

namespace trefoil {
namespace {

Result<std::string> ask(Session& session, const std::string& sql) {
    ASSIGN_OR_RETURN(Rows rows, session.execute(sql));
    std::string text;
    for (;;) {
        ASSIGN_OR_RETURN(auto batch, rows.next());
        if (!batch) return text;
        for (int64_t r = 0; r < batch->row_count(); r++) {
            text += batch->is_null(r, 0) ? "NULL\n" : std::string(batch->text(r, 0)) + "\n";
        }
    }
}

void create(Session& session) {
    for (const char* sql : {
             "CREATE TABLE parent (id INT PRIMARY KEY)",
             "CREATE TABLE follows (id INT PRIMARY KEY, p INT NOT NULL, CONSTRAINT to_parent "
             "FOREIGN KEY (p) REFERENCES parent ON DELETE CASCADE ON UPDATE CASCADE)",
             "CREATE TABLE stays (id INT PRIMARY KEY, p INT REFERENCES parent ON DELETE SET NULL "
             "ON UPDATE CASCADE)",
             "CREATE TABLE life (born INT, died INT)",
             "INSERT INTO life VALUES (0, 0)",
         }) {
        must(session.execute(sql));
    }
}

// Nothing, or what is wrong.
std::string wrong(Session& session) {
    const struct {
        const char* sql;
        const char* answer;
    } expected[] = {
        {"PRAGMA integrity_check", "ok\n"},
        {"SELECT p.id FROM parent p LEFT JOIN follows f ON f.p = p.id GROUP BY p.id "
         "HAVING count(f.id) <> p.id % 5",
         ""},
        {"SELECT count(*) FROM follows WHERE p NOT IN (SELECT id FROM parent)", "0\n"},
        {"SELECT count(*) FROM stays WHERE p IS NOT NULL AND p NOT IN (SELECT id FROM parent)",
         "0\n"},
        {"SELECT born - (SELECT count(*) FROM stays) FROM life", "0\n"},
        {"SELECT died - (SELECT count(*) FROM stays WHERE p IS NULL) FROM life", "0\n"},
        {"SELECT born - died - (SELECT count(*) FROM parent) FROM life", "0\n"},
        {"SELECT constraint_name FROM information_schema.referential_constraints ORDER BY 1",
         "stays_p_fkey\nto_parent\n"},
    };
    for (const auto& [sql, answer] : expected) {
        auto found = ask(session, sql);
        if (!found.ok()) return std::string(sql) + ": " + found.status().to_string();
        if (*found != answer) return std::string(sql) + ": " + *found;
    }
    const Status orphan = session.execute("INSERT INTO follows VALUES (-1, -1)").status();
    return orphan.sqlstate() == "23503" ? "" : "an orphan: " + orphan.to_string();
}

std::string number(int64_t n) {
    return std::to_string(n);
}

std::string birth(int64_t id) {
    std::string sql = "INSERT INTO parent VALUES (" + number(id) + ");";
    for (int64_t i = 0; i < id % 5; i++) {
        sql += "INSERT INTO follows VALUES (" + number(id * 5 + i) + ", " + number(id) + ");";
    }
    return sql + "INSERT INTO stays VALUES (" + number(id) + ", " + number(id) +
           ");UPDATE life SET born = born + 1";
}

std::string change(std::mt19937& random, int64_t id) {
    switch (random() % 8) {
        case 0:
            // One of those that are there; MERGE would be a join.
            return "UPDATE life SET died = died + (SELECT count(*) FROM parent WHERE id % 7 = " +
                   number(id % 7) + ");DELETE FROM parent WHERE id % 7 = " + number(id % 7);
        case 1:
            return "UPDATE parent SET id = id + 1000000 WHERE id = (SELECT min(id) FROM parent)";
        case 2:
            return "ALTER TABLE follows DROP CONSTRAINT to_parent;ALTER TABLE follows ADD "
                   "CONSTRAINT to_parent FOREIGN KEY (p) REFERENCES parent ON DELETE CASCADE ON "
                   "UPDATE CASCADE";
        case 3:
            return birth(id) + ";DELETE FROM parent WHERE id = " + number(id) +
                   ";UPDATE life SET died = died + 1";
        default:
            return birth(id);
    }
}

// Says '.' if all is well, else 'X'; then 'a' after each transaction.
void child(const ChildProcess::Say& say, const std::string& directory, uint64_t seed) {
    Database database = must(Database::open(directory));
    Session session = must(database.connect());
    if (*ask(session, "SELECT count(*) FROM information_schema.tables WHERE table_name = 'life'") ==
        "0\n") {
        must(session.execute("BEGIN"));
        create(session);
        must(session.execute("COMMIT"));
    }
    if (const std::string what = wrong(session); !what.empty()) {
        std::cerr << what << "\n";
        return say('X');
    }
    say('.');
    std::mt19937 random(static_cast<unsigned>(seed));
    auto next = std::stoll(*ask(session, "SELECT coalesce(max(id % 1000000), 0) FROM stays"));
    for (;;) {
        std::string sql = "BEGIN;" + change(random, ++next) + ";COMMIT;";
        for (size_t at = 0, end; (end = sql.find(';', at)) != sql.npos; at = end + 1) {
            const Status done = session.execute(sql.substr(at, end - at)).status();
            if (done.ok()) continue;
            std::cerr << sql.substr(at, end - at) << ": " << done.to_string() << "\n";
            return say('X');
        }
        say('a');
        if (random() % 16 == 0) must(database.checkpoint());
    }
}

}  // namespace

TEST_CASE("what refers and what is referred to survive a kill together") {
    TestDirectory directory;
    std::mt19937 random(7);
    for (uint64_t round = 0; round < 8; round++) {
        INFO("round ", round);
        ChildProcess process(
            [&](const ChildProcess::Say& say) { child(say, directory / "db", round); });
        const auto found = process.hear();
        REQUIRE(found.has_value());
        REQUIRE(*found == '.');
        for (uint64_t i = 1 + random() % 40; i > 0; i--) {
            const auto heard = process.hear();
            REQUIRE(heard.has_value());
            REQUIRE(*heard == 'a');
        }
        ::usleep(static_cast<useconds_t>(random() % 3000));
        process.kill();
    }
}

}  // namespace trefoil
