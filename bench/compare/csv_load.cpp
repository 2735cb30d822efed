// A CSV file into an empty table with a primary key, until it is durable in its final place: COPY
// and a checkpoint here, prepared inserts in one transaction and a checkpoint in SQLite (which is
// what its shell's .import does). The fields for SQLite are split by a loop that knows the file has
// no quotes and leaves the conversion of numbers to SQLite, which is less work than a real reader
// has. Rows are narrow: BIGINT key, BIGINT, DOUBLE, a short text.

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>

#include "rivals.h"
#include "workloads.h"

namespace trefoil::compare {

namespace {

void write_csv(const std::string& path, uint64_t rows) {
    std::ofstream out(path);
    char line[128];
    for (uint64_t i = 0; i < rows; i++) {
        const uint64_t chance = scramble(i);
        const int size = std::snprintf(line, sizeof line, "%llu,%llu,%.2f,item-%llu\n",
                                       static_cast<unsigned long long>(i),
                                       static_cast<unsigned long long>(chance % 1'000'000),
                                       static_cast<double>(chance >> 40) / 100,
                                       static_cast<unsigned long long>((chance >> 20) % 100'000));
        out.write(line, size);
    }
}

Run load_trefoil(const std::string& csv, const std::string& path) {
    std::filesystem::remove_all(path);
    Database database = must(Database::open(path));
    Session session = must(database.connect());
    run_sql(session,
            "CREATE TABLE item (id BIGINT PRIMARY KEY, n BIGINT NOT NULL, "
            "x DOUBLE NOT NULL, name TEXT NOT NULL)");
    Stopwatch watch;
    run_sql(session, "COPY item FROM '" + csv + "'");
    must(database.checkpoint());
    Run run{watch.seconds(), 0};
    run.proof = static_cast<uint64_t>(sql_number(session, "SELECT sum(n) FROM item"));
    return run;
}

void insert_lines(SqliteStatement& insert, const char* at, const char* end) {
    while (at < end) {
        for (int field = 1; field <= 4; field++) {
            const char* stop = static_cast<const char*>(
                std::memchr(at, field < 4 ? ',' : '\n', static_cast<size_t>(end - at)));
            insert.bind(field, at, static_cast<size_t>(stop - at));
            at = stop + 1;
        }
        insert.run();
    }
}

Run load_sqlite(const std::string& csv, const std::string& path) {
    for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(path + suffix);
    Sqlite sqlite(path);
    sqlite.execute(
        "CREATE TABLE item (id INTEGER PRIMARY KEY, n INTEGER NOT NULL, "
        "x REAL NOT NULL, name TEXT NOT NULL)");
    SqliteStatement insert(sqlite, "INSERT INTO item VALUES (?, ?, ?, ?)");
    Stopwatch watch;
    const size_t bytes = std::filesystem::file_size(csv);
    const int fd = ::open(csv.c_str(), O_RDONLY);
    void* mapped = ::mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    if (fd < 0 || mapped == MAP_FAILED) fail("cannot map " + csv);
    ::close(fd);
    const char* text = static_cast<const char*>(mapped);
    sqlite.execute("BEGIN");
    insert_lines(insert, text, text + bytes);
    sqlite.execute("COMMIT");
    sqlite.execute("PRAGMA wal_checkpoint(TRUNCATE)");
    Run run{watch.seconds(), 0};
    ::munmap(mapped, bytes);
    run.proof = static_cast<uint64_t>(sqlite.number("SELECT sum(n) FROM item"));
    return run;
}

}  // namespace

void compare_csv_load(Report& report, const Workload& workload) {
    const std::string csv = workload.folder + "/item.csv";
    write_csv(csv, workload.rows);
    report.compare(
        "COPY FROM CSV and checkpoint", workload.rows,
        [&] { return load_trefoil(csv, workload.folder + "/trefoil"); },
        {{"SQLite WAL FULL", [&] { return load_sqlite(csv, workload.folder + "/sqlite"); }}});
}

}  // namespace trefoil::compare
