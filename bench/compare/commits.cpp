// Durable commits: of one row, of a thousand rows, and of one row from 64 clients at once.
//
// Both sides write to the same disk and sync before a commit is acknowledged (SQLite: WAL,
// synchronous=FULL). Keys are random, the tables hold a million rows before. What flushes and
// checkpoints cost is inside: they run when the side finds it time. With many clients SQLite is
// measured twice: a connection per client, which wait for each other's lock, and one connection
// that the clients share under a mutex.

#include <atomic>
#include <mutex>
#include <thread>

#include "number_stream.h"
#include "rivals.h"
#include "workloads.h"

namespace trefoil::compare {

namespace {

constexpr uint64_t kRowsBefore = 1'000'000;
constexpr uint64_t kBulk = 1000;
constexpr int kClients = 64;
const char* const kInsertTrefoil = "INSERT INTO entry VALUES ($1, $2)";
const char* const kInsertSqlite = "INSERT INTO entry VALUES (?, ?)";

// Keys that were never used before, the same series for each side.
class Keys {
public:
    int64_t next() { return static_cast<int64_t>(scramble(used_++) >> 1); }

private:
    std::atomic<uint64_t> used_{0};
};

struct TrefoilSide {
    Database database;
    Session session;
    Prepared insert;
    Keys keys;

    explicit TrefoilSide(const std::string& path)
        : database(must(Database::open(path))),
          session(must(database.connect())),
          insert(prepare(session)) {
        append(kRowsBefore);
        must(database.checkpoint());
    }
    static Prepared prepare(Session& session) {
        run_sql(session, "CREATE TABLE entry (id BIGINT PRIMARY KEY, v BIGINT NOT NULL)");
        return must(session.prepare(kInsertTrefoil));
    }
    void append(uint64_t rows) {
        auto id = std::make_shared<std::vector<int64_t>>();
        for (uint64_t i = 0; i < rows; i++) id->push_back(keys.next());
        ArrowArrayStream stream = number_stream({column_of("id", id), column_of("v", id)}, rows);
        must(session.append("entry", &stream));
    }
    void insert_row(Prepared& statement) {
        const int64_t key = keys.next();
        const Value row[] = {key, key};
        must(statement.execute(row));
    }
};

struct SqliteSide {
    Sqlite sqlite;
    std::unique_ptr<SqliteStatement> insert;
    Keys keys;

    explicit SqliteSide(const std::string& path) : sqlite(path) {
        sqlite.execute("CREATE TABLE entry (id INTEGER PRIMARY KEY, v INTEGER NOT NULL)");
        insert = std::make_unique<SqliteStatement>(sqlite, kInsertSqlite);
        insert_rows(kRowsBefore);
        sqlite.execute("PRAGMA wal_checkpoint(TRUNCATE)");
    }
    void insert_row(SqliteStatement& statement) {
        const int64_t key = keys.next();
        statement.bind(1, key);
        statement.bind(2, key);
        statement.run();
    }
    void insert_rows(uint64_t rows) {
        sqlite.execute("BEGIN");
        for (uint64_t i = 0; i < rows; i++) insert_row(*insert);
        sqlite.execute("COMMIT");
    }
};

template <typename Commit>
Side repeat(uint64_t n, Commit commit) {
    return [n, commit] {
        Stopwatch watch;
        for (uint64_t i = 0; i < n; i++) commit();
        return Run{watch.seconds(), n};
    };
}

// `client` makes what one thread needs and answers the function that commits one row.
template <typename Client>
Side concurrently(uint64_t commits_each, Client client) {
    return [commits_each, client] {
        std::atomic<int> ready{0};
        std::atomic<bool> start{false};
        std::vector<std::thread> threads;
        for (int t = 0; t < kClients; t++) {
            threads.emplace_back([&] {
                auto commit = client();
                ready++;
                start.wait(false);
                for (uint64_t i = 0; i < commits_each; i++) commit();
            });
        }
        while (ready < kClients) std::this_thread::yield();
        Stopwatch watch;
        start = true;
        start.notify_all();
        for (std::thread& thread : threads) thread.join();
        return Run{watch.seconds(), kClients * commits_each};
    };
}

void compare_clients(Report& report, TrefoilSide& trefoil, SqliteSide& sqlite,
                     const std::string& sqlite_path) {
    constexpr uint64_t kEach = 20;
    const auto trefoil_client = [&] {
        auto session = std::make_shared<Session>(must(trefoil.database.connect()));
        auto insert = std::make_shared<Prepared>(must(session->prepare(kInsertTrefoil)));
        return [&trefoil, session, insert] { trefoil.insert_row(*insert); };
    };
    const auto connection_client = [&] {
        auto own = std::make_shared<Sqlite>(sqlite_path);
        auto insert = std::make_shared<SqliteStatement>(*own, kInsertSqlite);
        return [&sqlite, own, insert] { sqlite.insert_row(*insert); };
    };
    std::mutex mutex;
    const auto shared_client = [&] {
        return [&] {
            std::lock_guard lock(mutex);
            sqlite.insert_row(*sqlite.insert);
        };
    };
    report.compare("durable commit, 64 clients, 1 row", kClients * kEach,
                   concurrently(kEach, trefoil_client),
                   {{"SQLite, shared connection", concurrently(kEach, shared_client)},
                    {"SQLite, own connections", concurrently(kEach, connection_client)}});
}

}  // namespace

void compare_commits(Report& report, const Workload& workload) {
    TrefoilSide trefoil(workload.folder + "/trefoil");
    const std::string sqlite_path = workload.folder + "/sqlite";
    SqliteSide sqlite(sqlite_path);
    constexpr uint64_t kSingle = 200, kMany = 20;
    const Side sqlite_row = repeat(kSingle, [&] { sqlite.insert_row(*sqlite.insert); });
    const Side sqlite_bulk = repeat(kMany, [&] { sqlite.insert_rows(kBulk); });
    report.compare("durable commit, 1 row, prepared INSERT", kSingle,
                   repeat(kSingle, [&] { trefoil.insert_row(trefoil.insert); }),
                   {{"SQLite WAL FULL", sqlite_row}});
    report.compare("durable commit, 1 row, append", kSingle,
                   repeat(kSingle, [&] { trefoil.append(1); }), {{"SQLite WAL FULL", sqlite_row}});
    report.compare("durable commit, 1000 rows, prepared INSERT", kMany,
                   repeat(kMany,
                          [&] {
                              run_sql(trefoil.session, "BEGIN");
                              for (uint64_t i = 0; i < kBulk; i++)
                                  trefoil.insert_row(trefoil.insert);
                              run_sql(trefoil.session, "COMMIT");
                          }),
                   {{"SQLite WAL FULL", sqlite_bulk}});
    report.compare("durable commit, 1000 rows, append", kMany,
                   repeat(kMany, [&] { trefoil.append(kBulk); }),
                   {{"SQLite WAL FULL", sqlite_bulk}});
    compare_clients(report, trefoil, sqlite, sqlite_path);
}

}  // namespace trefoil::compare
