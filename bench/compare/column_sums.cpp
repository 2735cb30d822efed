// SELECT sum(column) over many rows, warm, against loops over a file of the bare numbers.
//
// The plain loop adds one number after the other; a sum of doubles has to wait for each addition,
// as the order matters, so a loop with eight sums is there as well, which only memory can slow
// down. The loops use one thread; SQL uses as many as it likes. The doubles are whole numbers, so
// that every order of additions gives the same sum.

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <fstream>

#include "number_stream.h"
#include "rivals.h"
#include "workloads.h"

namespace trefoil::compare {

namespace {

// The numbers of a file, mapped.
template <typename T>
class MappedNumbers {
public:
    MappedNumbers(const std::string& path, const std::vector<T>& numbers) : size_(numbers.size()) {
        std::ofstream(path, std::ios::binary)
            .write(reinterpret_cast<const char*>(numbers.data()),
                   static_cast<std::streamsize>(bytes()));
        const int fd = ::open(path.c_str(), O_RDONLY);
        void* mapped = ::mmap(nullptr, bytes(), PROT_READ, MAP_SHARED, fd, 0);
        if (fd < 0 || mapped == MAP_FAILED) fail("cannot map " + path);
        ::close(fd);
        numbers_ = static_cast<const T*>(mapped);
    }
    MappedNumbers(const MappedNumbers&) = delete;
    ~MappedNumbers() { ::munmap(const_cast<T*>(numbers_), bytes()); }

    T sum() const {
        T total = 0;
        for (size_t i = 0; i < size_; i++) total += numbers_[i];
        return total;
    }
    T sum_by_eight() const {
        T totals[8] = {};
        size_t i = 0;
        for (; i + 8 <= size_; i += 8) {
            for (size_t lane = 0; lane < 8; lane++) totals[lane] += numbers_[i + lane];
        }
        for (; i < size_; i++) totals[0] += numbers_[i];
        T total = 0;
        for (T part : totals) total += part;
        return total;
    }

private:
    size_t bytes() const { return size_ * sizeof(T); }
    size_t size_;
    const T* numbers_;
};

Side timed(std::function<double()> sum) {
    return [sum] {
        Stopwatch watch;
        const double total = sum();
        return Run{watch.seconds(), static_cast<uint64_t>(total)};
    };
}

template <typename T>
void compare_sum(Report& report, const Workload& workload, Session& session, Sqlite& sqlite,
                 const std::string& column, const std::vector<T>& numbers) {
    const MappedNumbers<T> mapped(workload.folder + "/" + column, numbers);
    const std::string sql = "SELECT sum(" + column + ") FROM measure";
    report.compare(sql, numbers.size(), timed([&] { return sql_number(session, sql); }),
                   {{"plain loop over mmap", timed([&] { return mapped.sum(); })},
                    {"loop with eight sums", timed([&] { return mapped.sum_by_eight(); })},
                    {"SQLite", timed([&] { return sqlite.number(sql.c_str()); })}});
}

}  // namespace

void compare_column_sums(Report& report, const Workload& workload) {
    auto id = std::make_shared<std::vector<int64_t>>();
    auto whole = std::make_shared<std::vector<int64_t>>();
    auto real = std::make_shared<std::vector<double>>();
    for (uint64_t i = 0; i < workload.rows; i++) {
        id->push_back(static_cast<int64_t>(i));
        whole->push_back(static_cast<int64_t>(scramble(i) % 1'000'000));
        real->push_back(static_cast<double>(scramble(~i) % 1'000'000));
    }
    Database database = must(Database::open(workload.folder + "/trefoil"));
    Session session = must(database.connect());
    run_sql(session,
            "CREATE TABLE measure (id BIGINT PRIMARY KEY, n BIGINT NOT NULL, "
            "x DOUBLE NOT NULL)");
    ArrowArrayStream stream = number_stream(
        {column_of("id", id), column_of("n", whole), column_of("x", real)}, workload.rows);
    must(session.append("measure", &stream));
    must(database.checkpoint());

    Sqlite sqlite(workload.folder + "/sqlite");
    sqlite.execute(
        "CREATE TABLE measure (id INTEGER PRIMARY KEY, n INTEGER NOT NULL, "
        "x REAL NOT NULL)");
    sqlite.execute("BEGIN");
    SqliteStatement insert(sqlite, "INSERT INTO measure VALUES (?, ?, ?)");
    for (uint64_t i = 0; i < workload.rows; i++) {
        insert.bind(1, (*id)[i]);
        insert.bind(2, (*whole)[i]);
        insert.bind(3, (*real)[i]);
        insert.run();
    }
    sqlite.execute("COMMIT");
    sqlite.execute("PRAGMA wal_checkpoint(TRUNCATE)");

    compare_sum(report, workload, session, sqlite, "n", *whole);
    compare_sum(report, workload, session, sqlite, "x", *real);
}

}  // namespace trefoil::compare
