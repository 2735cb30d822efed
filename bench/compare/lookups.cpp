// One row by its primary key, at many rows: through SQL, and through the storage API alone.
//
// Two sets of keys: sparse (random 63-bit numbers, in the order of chance in which they were made)
// and dense (0, 1, 2, ...). Trefoil keeps rows in the order in which they came, so with sparse keys
// a row is anywhere; LMDB and SQLite keep them in key order and get them sorted, which packs their
// pages best. Only keys that exist are looked up, in random order, warm, from one thread; every
// side reads the value of the row. The rivals keep one transaction open for all lookups.

#include <algorithm>
#include <random>

#include "base/check.h"
#include "base/key_coding.h"
#include "number_stream.h"
#include "rivals.h"
#include "table/table_store.h"
#include "workloads.h"

namespace trefoil::compare {

namespace {

constexpr size_t kLookups = 1'000'000;

struct Data {
    std::vector<int64_t> keys, values;  // in the order in which they are inserted
    std::vector<int64_t> wanted;        // keys
};

Data make_data(uint64_t rows, bool dense) {
    Data data;
    for (uint64_t i = 0; i < rows; i++) {
        data.keys.push_back(static_cast<int64_t>(dense ? i : scramble(i) >> 1));
        data.values.push_back(static_cast<int64_t>(scramble(~i) >> 32));
    }
    std::mt19937_64 random(7);
    for (size_t i = 0; i < kLookups; i++) data.wanted.push_back(data.keys[random() % rows]);
    return data;
}

void sort_by_key(Data* data) {
    std::vector<std::pair<int64_t, int64_t>> rows;
    for (size_t i = 0; i < data->keys.size(); i++) {
        rows.emplace_back(data->keys[i], data->values[i]);
    }
    std::sort(rows.begin(), rows.end());
    for (size_t i = 0; i < rows.size(); i++) {
        std::tie(data->keys[i], data->values[i]) = rows[i];
        if (i > 0 && data->keys[i] == data->keys[i - 1]) fail("a key came twice");
    }
}

template <typename Get>
Run look_up(const std::vector<int64_t>& wanted, Get get) {
    Run run;
    Stopwatch watch;
    for (int64_t key : wanted) run.proof += static_cast<uint64_t>(get(key));
    run.seconds = watch.seconds();
    return run;
}

void load(Database& database, const Data& data) {
    Session session = must(database.connect());
    run_sql(session, "CREATE TABLE point (id BIGINT PRIMARY KEY, v BIGINT NOT NULL)");
    ArrowArrayStream stream =
        number_stream({column_of("id", std::make_shared<std::vector<int64_t>>(data.keys)),
                       column_of("v", std::make_shared<std::vector<int64_t>>(data.values))},
                      data.keys.size());
    must(session.append("point", &stream));
    must(database.checkpoint());
}

void load(Sqlite& sqlite, const Data& sorted) {
    sqlite.execute("CREATE TABLE point (id INTEGER PRIMARY KEY, v INTEGER NOT NULL)");
    sqlite.execute("BEGIN");
    SqliteStatement insert(sqlite, "INSERT INTO point VALUES (?, ?)");
    for (size_t i = 0; i < sorted.keys.size(); i++) {
        insert.bind(1, sorted.keys[i]);
        insert.bind(2, sorted.values[i]);
        insert.run();
    }
    sqlite.execute("COMMIT");
    sqlite.execute("PRAGMA wal_checkpoint(TRUNCATE)");
}

Run select_trefoil(Prepared& select, const std::vector<int64_t>& wanted) {
    return look_up(wanted, [&](int64_t key) {
        const Value id(key);
        Rows rows = must(select.execute({&id, 1}));
        auto batch = must(rows.next());
        if (!batch) fail("Trefoil does not find a row");
        return batch->int64(0, 0);
    });
}

// Below SQL: the learned index says where the row is, and its value is read from the column.
Run get_from_storage(const table::TableVersion& table, const std::vector<int64_t>& wanted) {
    index::IndexCounters counters;
    return look_up(wanted, [&](int64_t key) {
        auto at = must(table.find_key(0, index::Key{order_u64(key), {}}, counters));
        if (!at) fail("the store does not find a row");
        return must(table.part(at->part).chunk->column(1))->values<int64_t>()[at->row];
    });
}

void compare_keys(Report& report, const Workload& workload, bool dense) {
    const std::string folder = workload.folder + (dense ? "/dense" : "/sparse");
    const std::string keys = dense ? "dense keys, " : "sparse keys, ";
    std::filesystem::create_directory(folder);
    Data data = make_data(workload.rows, dense);
    const std::string path = folder + "/trefoil";
    {
        Database database = must(Database::open(path));
        load(database, data);
    }
    sort_by_key(&data);
    Sqlite sqlite(folder + "/sqlite");
    load(sqlite, data);
    Lmdb lmdb(folder + "/lmdb", data.keys, data.values);
    sqlite.execute("BEGIN");
    SqliteStatement select_row(sqlite, "SELECT v FROM point WHERE id = ?");
    const Side in_sqlite = [&] {
        return look_up(data.wanted, [&](int64_t key) {
            select_row.bind(1, key);
            return select_row.find();
        });
    };
    const Side in_lmdb = [&] {
        return look_up(data.wanted, [&](int64_t key) { return lmdb.get(key); });
    };
    {
        Database database = must(Database::open(path));
        Session session = must(database.connect());
        Prepared select = must(session.prepare("SELECT v FROM point WHERE id = $1"));
        report.compare(keys + "prepared SELECT", kLookups,
                       [&] { return select_trefoil(select, data.wanted); },
                       {{"SQLite prepared SELECT", in_sqlite}, {"LMDB get", in_lmdb}});
    }
    PosixVfs disk;
    auto store = must(Store::open(disk, path));
    auto tables = must(table::TableStore::open(std::move(store)));
    const table::VersionPtr version = must(tables->current());
    const table::TableVersionPtr point = version->find("point");
    report.compare(keys + "get through the storage API", kLookups,
                   [&] { return get_from_storage(*point, data.wanted); },
                   {{"LMDB get", in_lmdb}, {"SQLite prepared SELECT", in_sqlite}});
}

}  // namespace

void compare_lookups(Report& report, const Workload& workload) {
    compare_keys(report, workload, false);
    compare_keys(report, workload, true);
}

}  // namespace trefoil::compare
