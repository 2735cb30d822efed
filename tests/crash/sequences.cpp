// kill -9 while numbers of sequences are given out: none is given twice, whatever was asked last,
// and keys made of them never meet.
//
// A child process asks for numbers in every way there is and writes each to a file before it asks
// for the next; the parent kills it and reads the file. Sequences are made, restarted and dropped
// meanwhile, in transactions that commit and in some that do not.
//
// TREFOIL_CRASH_SEED is where it begins, TREFOIL_CRASH_ROUNDS how often it kills.

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <random>
#include <set>
#include <string>

#include "storage/storage_testing.h"
#include "trefoil/database.h"

namespace trefoil {
namespace {

// Runs statements, and writes down the numbers in the first column of what they answer.
class Client {
public:
    Client(Session& session, const std::string& path)
        : session_(session), out_(std::fopen(path.c_str(), "a")) {}
    ~Client() { std::fclose(out_); }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    void run(const std::string& sql) { (void)must(session_.execute(sql)); }
    void count(const std::string& sql) {
        Rows rows = must(session_.execute(sql));
        while (auto batch = must(rows.next())) {
            for (int64_t r = 0; r < batch->row_count(); r++) {
                std::fprintf(out_, "%s\n", std::string(batch->text(r, 0)).c_str());
            }
        }
        std::fflush(out_);
    }

private:
    Session& session_;
    std::FILE* out_;
};

void child(const ChildProcess::Say& say, const std::string& directory, const std::string& path,
           uint64_t seed) {
    Database database = must(Database::open(directory));
    Session session = must(database.connect());
    Client client(session, path);
    client.run("CREATE SEQUENCE IF NOT EXISTS s");
    client.run(
        "CREATE TABLE IF NOT EXISTS t (id BIGSERIAL PRIMARY KEY, a BIGINT, "
        "twice BIGINT GENERATED ALWAYS AS (a * 2) STORED)");
    std::mt19937_64 random(seed);
    for (;;) {
        switch (random() % 8) {
            case 0:
                client.count("SELECT nextval('s') FROM generate_series(1, 70)");
                break;
            case 1:
                client.run("BEGIN");
                client.count("SELECT nextval('s')");
                client.run("INSERT INTO t (a) SELECT i FROM generate_series(1, 50) AS g(i)");
                client.run("ALTER SEQUENCE s RESTART WITH 1");
                client.count("SELECT -nextval('s') WHERE false");
                client.run("CREATE SEQUENCE other");
                client.run("SELECT nextval('other')");
                client.run("ROLLBACK");
                break;
            case 2:
                client.run("SELECT setval('s', nextval('s') + 1000)");
                break;
            case 3:
                client.run("UPDATE t SET a = a + 1 WHERE id % 7 = 0");
                break;
            case 4:
                client.run("CHECKPOINT");
                break;
            case 5:
                client.run("INSERT INTO t (a) VALUES (1), (2)");
                break;
            default:
                client.count("SELECT nextval('s')");
        }
        say('a');
    }
}

}  // namespace

TEST_CASE("a number of a sequence is given once, whenever the process is killed") {
    TestDirectory directory;
    const std::string path = directory / "numbers";
    std::mt19937_64 random(setting("TREFOIL_CRASH_SEED", 7));
    const uint64_t rounds = setting("TREFOIL_CRASH_ROUNDS", 6);
    for (uint64_t round = 0; round < rounds; round++) {
        ChildProcess process([&, seed = random()](const ChildProcess::Say& say) {
            child(say, directory / "db", path, seed);
        });
        const uint64_t life = 1 + random() % 40;
        for (uint64_t i = 0; i < life; i++) REQUIRE(process.hear().has_value());
        ::usleep(static_cast<useconds_t>(random() % 3000));
        process.kill();
        while (process.hear()) {
        }
    }
    std::set<int64_t> seen;
    std::ifstream in(path);
    for (int64_t number = 0; in >> number;) CHECK(seen.insert(number).second);
    CHECK(seen.size() > rounds);

    Database database = must(Database::open(directory / "db"));
    Session session = must(database.connect());
    Rows rows = must(session.execute("SELECT count(*) FROM t WHERE twice <> a * 2"));
    CHECK(must(rows.next())->text(0, 0) == "0");
    CHECK(session.execute("INSERT INTO t (a) VALUES (1)").ok());
}

}  // namespace trefoil
