// Building an index: in memory, through scratch files, on one thread or several, it is the same;
// and what is cancelled leaves no file.

#include "table/table_testing.h"

#include <algorithm>
#include <random>

namespace trefoil::table {
namespace {

constexpr uint64_t kRows = 300000;
constexpr uint32_t kHashed = 99;  // no column, but hashes of the names

void insert(TableStore& store, std::vector<int64_t> ids) {
    auto txn = store.begin();
    REQUIRE_OK(txn.status());
    catalog::TablePtr table = txn->view()->catalog->find("person");
    TableWriter writer(*txn, table);
    REQUIRE_OK(writer.insert(rows_of(table, ids, 1)));
    REQUIRE_OK(writer.finish().status());
    REQUIRE_OK(store.commit(*txn));
}

// Ids in no order, so that pieces overlap.
void fill(TableStore& store) {
    create_person(store);
    std::vector<int64_t> ids(kRows);
    for (uint64_t i = 0; i < kRows; i++) ids[i] = static_cast<int64_t>(i * 7919 % kRows);
    insert(store, ids);
}

Status add_index(TableStore& store, uint32_t column, const IndexWork& work, bool unique = false) {
    auto txn = store.begin();
    RETURN_IF_ERROR(txn.status());
    txn->set_index_work(work);
    catalog::TableDef def = *txn->view()->catalog->find("person");
    const bool hash = column == kHashed;
    def.indexes.push_back({0, "", {hash ? 1 : column}, unique, false, false, hash});
    RETURN_IF_ERROR(txn->alter_indexes(std::move(def)));
    return store.commit(*txn);
}

// Entries of the last index of the table, in order.
std::vector<std::pair<index::Key, uint64_t>> entries(TableStore& store) {
    const TableVersionPtr table = (*store.current())->find("person");
    const size_t index = table->index_count() - 1;
    REQUIRE(table->runs(index).size() == 1);
    const RunPart& run = table->runs(index)[0];
    std::vector<std::pair<index::Key, uint64_t>> all;
    for (uint64_t i = 0; i < run.run->size(); i++) {
        all.emplace_back(run.run->key(i), run.row_id_base + run.run->row_id(i));
    }
    return all;
}

size_t files_in(const Directory& dir, const char* folder) {
    size_t n = 0;
    for ([[maybe_unused]] const auto& file : std::filesystem::directory_iterator(dir.path / folder))
        n++;
    return n;
}

// Counts what is taken, has a limit, and can do something when it is asked.
struct Pool final : MemoryPool {
    uint64_t limit, taken = 0, peak = 0;
    std::function<void()> asked = [] {};
    explicit Pool(uint64_t bytes) : limit(bytes) {}
    bool take(uint64_t bytes) override {
        asked();
        if (taken + bytes > limit) return false;
        taken += bytes;
        peak = std::max(peak, taken);
        return true;
    }
    void give_back(uint64_t bytes) override { taken -= bytes; }
};

}  // namespace

TEST_CASE("an index is the same whatever it is built with") {
    Directory dir;
    auto store = dir.open();
    fill(*store);
    REQUIRE_OK(store->checkpoint());
    for (uint32_t column : {0u, 1u, kHashed}) {
        CAPTURE(column);
        REQUIRE_OK(add_index(*store, column, {}));
        const auto expected = entries(*store);
        CHECK(std::is_sorted(expected.begin(), expected.end()));
        CHECK(expected.size() == kRows);
        for (size_t threads : {1u, 2u, 5u}) {
            CAPTURE(threads);
            // The second is so small that nearly every piece goes through a scratch file.
            for (uint64_t bytes : {uint64_t{64} << 20, uint64_t{1} << 20}) {
                CAPTURE(bytes);
                Pool pool(1 << 30);
                IndexWork work;
                work.threads = threads;
                work.memory = &pool;
                work.memory_bytes = bytes;
                REQUIRE_OK(add_index(*store, column, work));
                CHECK(entries(*store) == expected);
                CHECK(pool.peak == bytes);
                CHECK(pool.taken == 0);
            }
        }
    }
    CHECK(files_in(dir, "tmp") == 0);
}

TEST_CASE("a build takes less where less memory is free, and none fails") {
    Directory dir;
    auto store = dir.open();
    fill(*store);
    Pool pool(uint64_t{20} << 20);
    IndexWork work;
    work.memory = &pool;
    REQUIRE_OK(add_index(*store, 0, work));
    CHECK(pool.peak == uint64_t{16} << 20);
    pool.limit = 1000;
    CHECK(add_index(*store, 0, work).sqlstate() == "53200");
    CHECK((*store->current())->find("person")->index_count() == 2);
}

TEST_CASE("a build that is cancelled leaves no file, and says before how far it is") {
    Directory dir;
    auto store = dir.open();
    fill(*store);
    REQUIRE_OK(store->checkpoint());
    const size_t files = files_in(dir, "idx");
    std::atomic<bool> cancel{false};
    IndexProgress progress;
    std::optional<IndexProgress::Report> report;
    Pool pool(1 << 30);
    pool.asked = [&] {
        report = progress.report();
        cancel = true;
    };
    IndexWork work;
    work.threads = 2;
    work.memory = &pool;
    work.cancel = &cancel;
    work.progress = &progress;
    CHECK(add_index(*store, 1, work).sqlstate() == "57014");
    REQUIRE(report);
    CHECK(report->table == "person");
    CHECK(report->index == "person_name_idx");
    CHECK(report->phase == IndexProgress::Phase::kScanning);
    CHECK(report->rows_total == kRows);
    CHECK(files_in(dir, "idx") == files);
    CHECK(files_in(dir, "tmp") == 0);
    CHECK((*store->current())->find("person")->index_count() == 1);
    // Not cancelled, it counts every row in each phase.
    pool.asked = [] {};
    cancel = false;
    REQUIRE_OK(add_index(*store, 1, work));
    CHECK(progress.report()->phase == IndexProgress::Phase::kWriting);
    CHECK(progress.report()->rows_done == kRows);
    progress.end();
    CHECK_FALSE(progress.report());
}

TEST_CASE("a unique index is refused where two rows are equal, wherever they lie") {
    Directory dir;
    auto store = dir.open();
    create_person(*store);
    // Names are NULL where the id ends in 9: NULLs are not equal.
    std::vector<int64_t> ids;
    for (int64_t i = 0; i < 1000; i++) ids.push_back(i);
    insert(*store, ids);
    REQUIRE_OK(store->checkpoint());
    REQUIRE_OK(add_index(*store, 1, {}, /*unique=*/true));
    auto change_name = [&](int64_t id, int64_t to) {
        auto txn = store->begin();
        REQUIRE_OK(txn.status());
        catalog::TablePtr table = txn->view()->catalog->find("person");
        catalog::TableDef def = *table;
        def.indexes.resize(1);
        REQUIRE_OK(txn->alter_indexes(std::move(def)));
        table = txn->view()->catalog->find("person");
        arrow::ColumnBuilder row(arrow::uint64()), ids(arrow::int64()), name(arrow::utf8_view());
        const TableVersion& view = *txn->view()->tables.at(table->id);
        index::IndexCounters counters;
        const std::vector<Value> key = {Value(id)};
        auto at = view.find_key(0, view.encoder(0).encode(key), counters);
        REQUIRE_OK(at.status());
        row.append_int64(
            static_cast<int64_t>(view.part((*at)->part).chunk->row_ids().at((*at)->row)));
        ids.append_int64(id);
        name.append_bytes(name_of(to, 1));
        TableWriter writer(*txn, table);
        REQUIRE_OK(writer.update(row.finish(), {ids.finish(), name.finish()}));
        REQUIRE_OK(writer.finish().status());
        REQUIRE_OK(store->commit(*txn));
    };
    for (bool flushed : {false, true}) {
        CAPTURE(flushed);
        change_name(77, 123);
        if (flushed) REQUIRE_OK(store->checkpoint());
        const Status refused = add_index(*store, 1, {}, /*unique=*/true);
        CHECK(refused.sqlstate() == "23505");
        CHECK(refused.detail() ==
              "Key (name)=(" + name_of(123, 1) + ") is duplicated in table \"person\".");
        change_name(77, 77);
        REQUIRE_OK(add_index(*store, 1, {}, /*unique=*/true));
    }
}

}  // namespace trefoil::table
