// TableStore: what was committed is there, under every snapshot, after flushes and after reopening.

#include "table/table_store.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <map>
#include <random>
#include <thread>

#include "arrow/builder.h"
#include "arrow/value.h"

namespace trefoil::table {
namespace {

// A database directory that goes with the test.
struct Directory {
    Directory() {
        path =
            std::filesystem::temp_directory_path() /
            ("trefoil_table_test_" + std::to_string(getpid()) + "_" + std::to_string(counter()++));
        std::filesystem::remove_all(path);
    }
    ~Directory() { std::filesystem::remove_all(path); }
    static int& counter() {
        static int n = 0;
        return n;
    }
    std::unique_ptr<TableStore> open(TableStoreOptions options = {}) {
        auto store = Store::open(vfs, path.string(), {.create_if_missing = true});
        REQUIRE_MESSAGE(store.ok(), store.status().to_string());
        auto tables = TableStore::open(std::move(*store), options);
        REQUIRE_MESSAGE(tables.ok(), tables.status().to_string());
        return std::move(*tables);
    }
    PosixVfs vfs;
    std::filesystem::path path;
};

#define REQUIRE_OK(expression)                      \
    do {                                            \
        ::trefoil::Status ok_ = (expression);       \
        REQUIRE_MESSAGE(ok_.ok(), ok_.to_string()); \
    } while (0)

catalog::TableDef person() {
    catalog::TableDef t;
    t.name = "person";
    t.columns.push_back({0, "id", arrow::int64(), {}, false, {}});
    t.columns.push_back({0, "name", arrow::utf8_view(), {}, false, {}});
    t.indexes.push_back({0, "person_pkey", {0}, true, true, true});
    return t;
}

void create_person(TableStore& store) {
    auto txn = store.begin();
    REQUIRE_OK(txn.status());
    REQUIRE_OK(txn->create_table(person()));
    REQUIRE_OK(store.commit(*txn));
}

std::string name_of(int64_t id, int64_t generation) {
    return "name of person " + std::to_string(id) + ", generation " + std::to_string(generation);
}

arrow::Batch rows_of(const catalog::TablePtr& table, std::span<const int64_t> ids,
                     int64_t generation) {
    arrow::ColumnBuilder id(arrow::int64()), name(arrow::utf8_view());
    for (int64_t i : ids) {
        id.append_int64(i);
        if (i % 10 == 9) {
            name.append_null();
        } else {
            name.append_bytes(name_of(i, generation));
        }
    }
    return {table->schema(), static_cast<int64_t>(ids.size()), {id.finish(), name.finish()}};
}

Result<uint64_t> insert(Transaction& txn, std::span<const int64_t> ids, int64_t generation = 0) {
    catalog::TablePtr table = txn.view()->catalog->find("person");
    TableWriter writer(txn, table);
    RETURN_IF_ERROR(writer.insert(rows_of(table, ids, generation)));
    return writer.finish();
}

std::optional<Location> find(const TableVersion& table, int64_t id) {
    index::IndexCounters counters;
    std::vector<Value> key = {Value(id)};
    auto at = table.find_key(0, table.key_encoder()->encode(key), counters);
    REQUIRE_OK(at.status());
    return *at;
}

uint64_t row_id(const TableVersion& table, int64_t id) {
    auto at = find(table, id);
    REQUIRE(at);
    return table.part(at->part).chunk->row_ids().at(at->row);
}

arrow::Array row_ids_of(const Transaction& txn, std::span<const int64_t> ids) {
    arrow::ColumnBuilder out(arrow::uint64());
    for (int64_t id : ids) {
        out.append_int64(static_cast<int64_t>(row_id(*txn.view()->find("person"), id)));
    }
    return out.finish();
}

Result<uint64_t> update(Transaction& txn, std::span<const int64_t> ids, int64_t generation) {
    catalog::TablePtr table = txn.view()->catalog->find("person");
    TableWriter writer(txn, table);
    RETURN_IF_ERROR(writer.update(row_ids_of(txn, ids), rows_of(table, ids, generation).columns));
    return writer.finish();
}

Result<uint64_t> erase(Transaction& txn, std::span<const int64_t> ids) {
    catalog::TablePtr table = txn.view()->catalog->find("person");
    TableWriter writer(txn, table);
    RETURN_IF_ERROR(writer.erase(row_ids_of(txn, ids)));
    return writer.finish();
}

// Everything that a version shows: id -> name.
std::map<int64_t, std::string> contents(const TableVersion& table) {
    std::map<int64_t, std::string> out;
    for (size_t p = 0; p < table.part_count(); p++) {
        const Part& part = table.part(p);
        auto id = part.chunk->column(0), name = part.chunk->column(1);
        REQUIRE_OK(id.status());
        REQUIRE_OK(name.status());
        for (uint64_t row = 0; row < part.chunk->rows(); row++) {
            if (part.is_dead(row)) continue;
            auto at = static_cast<int64_t>(row);
            std::string text = "NULL";
            if ((*name)->is_valid(at)) text = std::string((*name)->bytes_at(at));
            REQUIRE(out.emplace((*id)->values<int64_t>()[at], text).second);
        }
    }
    REQUIRE(out.size() == table.live_rows());
    return out;
}

std::vector<int64_t> sequence(int64_t first, int64_t count) {
    std::vector<int64_t> ids;
    for (int64_t i = 0; i < count; i++) ids.push_back(first + i);
    return ids;
}

using Ids = std::vector<int64_t>;

TEST_CASE("a transaction sees its own changes, others see them after the commit") {
    Directory dir;
    auto store = dir.open();
    create_person(*store);
    auto txn = store->begin();
    REQUIRE_OK(insert(*txn, Ids{1, 2, 3}).status());
    CHECK(find(*txn->view()->find("person"), 2));
    auto before = store->current();
    CHECK(!find(*(*before)->find("person"), 2));
    REQUIRE_OK(store->commit(*txn));
    CHECK(find(*(*store->current())->find("person"), 2));
    CHECK(!find(*(*before)->find("person"), 2));
}

TEST_CASE("a transaction that is not committed leaves no trace") {
    Directory dir;
    auto store = dir.open();
    create_person(*store);
    {
        auto txn = store->begin();
        REQUIRE_OK(insert(*txn, Ids{1}).status());
    }
    CHECK((*store->current())->find("person")->live_rows() == 0);
}

TEST_CASE("a duplicate key refuses the whole statement and names the value") {
    Directory dir;
    auto store = dir.open();
    create_person(*store);
    auto txn = store->begin();
    REQUIRE_OK(insert(*txn, Ids{1, 2}).status());
    auto again = insert(*txn, Ids{3, 2});
    CHECK(again.status().sqlstate() == "23505");
    CHECK(again.status().detail().find("(id)=(2)") != std::string::npos);
    CHECK(insert(*txn, Ids{7, 7}).status().sqlstate() == "23505");
    CHECK(!find(*txn->view()->find("person"), 3));
    REQUIRE_OK(store->commit(*txn));
    CHECK((*store->current())->find("person")->live_rows() == 2);
}

TEST_CASE("first writer wins: a row changed by two transactions is a conflict") {
    Directory dir;
    auto store = dir.open();
    create_person(*store);
    auto setup = store->begin();
    REQUIRE_OK(insert(*setup, Ids{1, 2}).status());
    REQUIRE_OK(store->commit(*setup));
    auto a = store->begin(), b = store->begin(), c = store->begin(), d = store->begin();
    REQUIRE_OK(update(*a, Ids{1}, 1).status());
    b->set_patience({.nowait = true});
    CHECK(update(*b, Ids{1}, 2).status().sqlstate() == "55P03");
    REQUIRE_OK(update(*c, Ids{2}, 3).status());
    REQUIRE_OK(store->commit(*a));
    Status lost = update(*b, Ids{1}, 2).status();
    CHECK(lost.sqlstate() == "40001");
    CHECK(lost.message().find("conflict") != std::string::npos);
    b->release_locks_after(0);
    REQUIRE_OK(store->commit(*c));
    CHECK(erase(*d, Ids{1}).status().sqlstate() == "40001");
    auto now = contents(*(*store->current())->find("person"));
    CHECK(now[1] == name_of(1, 1));
    CHECK(now[2] == name_of(2, 3));
    // On a newer snapshot it works, with what it did before; a mark brings the older one back.
    REQUIRE_OK(insert(*d, Ids{9}).status());
    auto mark = d->mark();
    REQUIRE_OK(d->renew_snapshot());
    REQUIRE_OK(erase(*d, Ids{1}).status());
    auto seen = contents(*d->view()->find("person"));
    CHECK(seen.size() == 2);
    CHECK(seen[2] == name_of(2, 3));
    d->roll_back_to(mark);
    CHECK(contents(*d->view()->find("person"))[1] == name_of(1, 0));
    REQUIRE_OK(d->renew_snapshot());
    REQUIRE_OK(update(*d, Ids{1}, 7).status());
    REQUIRE_OK(store->commit(*d));
    now = contents(*(*store->current())->find("person"));
    CHECK(now.size() == 3);
    CHECK(now[1] == name_of(1, 7));
}

TEST_CASE("two transactions that insert one key: the second is told at its commit") {
    Directory dir;
    auto store = dir.open();
    create_person(*store);
    auto a = store->begin(), b = store->begin();
    REQUIRE_OK(insert(*a, Ids{5}).status());
    REQUIRE_OK(insert(*b, Ids{5}).status());
    REQUIRE_OK(store->commit(*a));
    CHECK(store->commit(*b).sqlstate() == "23505");
}

TEST_CASE("delete and insert again, also within one transaction, before and after a flush") {
    Directory dir;
    auto store = dir.open();
    create_person(*store);
    for (int round = 0; round < 3; round++) {
        auto txn = store->begin();
        REQUIRE_OK(insert(*txn, Ids{1, 2}, round).status());
        REQUIRE_OK(erase(*txn, Ids{1}).status());
        REQUIRE_OK(insert(*txn, Ids{1}, round + 100).status());
        REQUIRE_OK(store->commit(*txn));
        CHECK(contents(*(*store->current())->find("person"))[1] == name_of(1, round + 100));
        if (round == 1) REQUIRE_OK(store->checkpoint());
        auto gone = store->begin();
        REQUIRE_OK(erase(*gone, Ids{1, 2}).status());
        REQUIRE_OK(store->commit(*gone));
        CHECK((*store->current())->find("person")->live_rows() == 0);
    }
}

TEST_CASE("a transaction changes a committed row again and again") {
    Directory dir;
    auto store = dir.open();
    create_person(*store);
    auto setup = store->begin();
    REQUIRE_OK(insert(*setup, Ids{1, 2, 3}).status());
    REQUIRE_OK(store->commit(*setup));
    for (int round = 0; round < 2; round++) {
        auto txn = store->begin();
        REQUIRE_OK(update(*txn, Ids{1, 2}, 1).status());
        REQUIRE_OK(update(*txn, Ids{1, 3}, 2).status());
        REQUIRE_OK(update(*txn, Ids{1}, 3).status());
        REQUIRE_OK(erase(*txn, Ids{2}).status());
        REQUIRE_OK(insert(*txn, Ids{2}, 4).status());
        REQUIRE_OK(store->commit(*txn));
        auto now = contents(*(*store->current())->find("person"));
        CHECK(now[1] == name_of(1, 3));
        CHECK(now[2] == name_of(2, 4));
        CHECK(now[3] == name_of(3, 2));
        REQUIRE_OK(store->checkpoint());
    }
}

TEST_CASE("an update keeps the row id, also when the key moves") {
    Directory dir;
    auto store = dir.open();
    create_person(*store);
    auto txn = store->begin();
    REQUIRE_OK(insert(*txn, Ids{1, 2, 3}).status());
    REQUIRE_OK(store->commit(*txn));
    REQUIRE_OK(store->checkpoint());
    uint64_t id = row_id(*(*store->current())->find("person"), 2);
    auto move = store->begin();
    catalog::TablePtr table = move->view()->catalog->find("person");
    TableWriter writer(*move, table);
    REQUIRE_OK(
        writer.update(row_ids_of(*move, Ids{1, 2, 3}), rows_of(table, Ids{2, 3, 4}, 1).columns));
    auto moved = writer.finish();
    REQUIRE_OK(moved.status());
    CHECK(*moved == 3);
    REQUIRE_OK(store->commit(*move));
    for (int step = 0; step < 3; step++) {
        auto version = (*store->current())->find("person");
        CHECK(!find(*version, 1));
        CHECK(row_id(*version, 3) == id);
        CHECK(contents(*version).size() == 3);
        if (step == 0) REQUIRE_OK(store->checkpoint());
        if (step == 1) {
            store.reset();
            store = dir.open();
        }
    }
}

TEST_CASE("reopening finds tables, rows, updates and deletes, flushed or not") {
    Directory dir;
    for (bool flush : {false, true}) {
        std::filesystem::remove_all(dir.path);
        auto store = dir.open();
        create_person(*store);
        auto txn = store->begin();
        REQUIRE_OK(insert(*txn, sequence(0, 30000)).status());
        REQUIRE_OK(store->commit(*txn));
        if (flush) REQUIRE_OK(store->checkpoint());
        auto change = store->begin();
        REQUIRE_OK(update(*change, sequence(100, 50), 1).status());
        REQUIRE_OK(erase(*change, sequence(200, 50)).status());
        REQUIRE_OK(store->commit(*change));
        auto before = contents(*(*store->current())->find("person"));
        store.reset();
        store = dir.open();
        auto version = (*store->current())->find("person");
        CHECK(contents(*version) == before);
        CHECK(find(*version, 29999));
        CHECK(!find(*version, 210));
        REQUIRE_OK(store->verify());
    }
}

TEST_CASE("large inserts are staged in files and appear as a whole") {
    Directory dir;
    auto store = dir.open();
    create_person(*store);
    auto txn = store->begin();
    REQUIRE_OK(insert(*txn, sequence(0, 300000)).status());
    CHECK(find(*txn->view()->find("person"), 299999));
    REQUIRE_OK(erase(*txn, Ids{5, 299999}).status());
    CHECK(insert(*txn, Ids{6}).status().sqlstate() == "23505");
    REQUIRE_OK(store->commit(*txn));
    CHECK((*store->current())->find("person")->live_rows() == 299998);
    CHECK(!find(*(*store->current())->find("person"), 5));
    auto twice = store->begin();
    std::vector<int64_t> ids = sequence(400000, 200000);
    ids.push_back(450000);
    auto duplicate = insert(*twice, ids);
    CHECK(duplicate.status().sqlstate() == "23505");
    CHECK(duplicate.status().detail().find("450000") != std::string::npos);
    store.reset();
    store = dir.open();
    auto version = (*store->current())->find("person");
    CHECK(version->live_rows() == 299998);
    CHECK(find(*version, 150000));
    CHECK(!find(*version, 5));
}

TEST_CASE("tables come and go with their transactions") {
    Directory dir;
    auto store = dir.open();
    {
        auto txn = store->begin();
        REQUIRE_OK(txn->create_table(person()));
        REQUIRE_OK(insert(*txn, Ids{1}).status());
    }
    CHECK((*store->current())->find("person") == nullptr);
    create_person(*store);
    auto again = store->begin();
    CHECK(again->create_table(person()).sqlstate() == "42P07");
    auto old = store->begin();
    auto drop = store->begin();
    REQUIRE_OK(drop->drop_table(drop->view()->catalog->find("person")->id));
    REQUIRE_OK(store->commit(*drop));
    CHECK(old->view()->find("person") != nullptr);
    REQUIRE_OK(insert(*old, Ids{1}).status());
    CHECK(store->commit(*old).code() == Code::kConflict);
    store.reset();
    store = dir.open();
    CHECK((*store->current())->find("person") == nullptr);
}

TEST_CASE("writers on many threads: commits are grouped and none is lost") {
    Directory dir;
    auto store = dir.open();
    create_person(*store);
    constexpr int kThreads = 8, kCommits = 40;
    uint64_t rows = 0;
    // Where a sync takes no time, few commits meet: until some have.
    for (int round = 0; round < 50; round++) {
        std::vector<std::thread> threads;
        for (int t = 0; t < kThreads; t++) {
            threads.emplace_back([&, t] {
                for (int i = 0; i < kCommits; i++) {
                    auto txn = store->begin();
                    int64_t id = (round * kThreads + t) * kCommits + i;
                    if (!insert(*txn, Ids{id}).ok() || !store->commit(*txn).ok()) std::abort();
                }
            });
        }
        for (auto& t : threads) t.join();
        rows += kThreads * kCommits;
        CHECK((*store->current())->find("person")->live_rows() == rows);
        if (store->counters().commit_groups < store->counters().commits) break;
    }
    CHECK(store->counters().commit_groups < store->counters().commits);
    store.reset();
    store = dir.open();
    CHECK((*store->current())->find("person")->live_rows() == rows);
}

// The store against a std::map, with flushes in between, small enough to be flushed often.
TEST_CASE("random changes agree with a model through flushes and reopenings") {
    for (uint32_t seed : {1u, 2u, 3u}) {
        CAPTURE(seed);
        Directory dir;
        std::mt19937 random(seed);
        TableStoreOptions options;
        options.flush_rows = 2000;
        auto store = dir.open(options);
        create_person(*store);
        std::map<int64_t, std::string> model;
        for (int step = 1; step <= 300; step++) {
            auto txn = store->begin();
            REQUIRE_OK(txn.status());
            auto next = model;
            std::vector<int64_t> fresh, known;
            for (int i = 0; i < 60; i++) {
                int64_t id = static_cast<int64_t>(random() % 4000);
                auto& list = next.contains(id) ? known : fresh;
                if (std::find(list.begin(), list.end(), id) == list.end()) list.push_back(id);
            }
            if (random() % 3 == 0) {
                REQUIRE_OK(erase(*txn, known).status());
                for (int64_t id : known) next.erase(id);
            } else {
                REQUIRE_OK(update(*txn, known, step).status());
                for (int64_t id : known) next[id] = id % 10 == 9 ? "NULL" : name_of(id, step);
            }
            REQUIRE_OK(insert(*txn, fresh, step).status());
            for (int64_t id : fresh) next[id] = id % 10 == 9 ? "NULL" : name_of(id, step);
            if (random() % 10 == 0) continue;  // rolled back
            REQUIRE_OK(store->commit(*txn));
            model = std::move(next);
            if (random() % 40 == 0) REQUIRE_OK(store->checkpoint());
            if (random() % 60 == 0) {
                store.reset();
                store = dir.open(options);
            }
            if (step % 20 == 0) {
                auto version = (*store->current())->find("person");
                CHECK(contents(*version) == model);
                for (int64_t id = 0; id < 4000; id += 7) {
                    CHECK(find(*version, id).has_value() == model.contains(id));
                }
            }
        }
        CHECK(store->counters().flushes > 0);
        CHECK(contents(*(*store->current())->find("person")) == model);
    }
}

TEST_CASE("a reader in another process's place sees commits and flushes of the writer") {
    Directory dir;
    auto writer = dir.open();
    create_person(*writer);
    auto txn = writer->begin();
    REQUIRE_OK(insert(*txn, Ids{1}).status());
    REQUIRE_OK(writer->commit(*txn));
    writer.reset();
    PosixVfs vfs;
    StoreOptions options;
    options.mode = StoreOptions::Mode::kReadOnly;
    auto store = Store::open(vfs, dir.path.string(), options);
    REQUIRE_OK(store.status());
    auto reader = TableStore::open(std::move(*store));
    REQUIRE_OK(reader.status());
    auto version = (*reader)->current();
    REQUIRE_OK(version.status());
    CHECK(find(*(*version)->find("person"), 1));
    auto change = (*reader)->begin();
    CHECK(insert(*change, Ids{2}).status().code() == Code::kReadOnly);
}

}  // namespace
}  // namespace trefoil::table
