// ColumnFill: whatever a row lies in, it gets what an index over an expression needs, also after
// reopening; rows that are gone are not asked; and an expression that fails leaves nothing.

#include "table/column_fill.h"

#include "storage/storage_testing.h"
#include "storage/store_format.h"
#include "table/check.h"
#include "table/remainders_testing.h"
#include "table/segment.h"
#include "table/table_testing.h"

namespace trefoil::table {
namespace {

constexpr int64_t kUnfit = 13;  // the id of a row for which the expression fails

// A stand-in for SQL: "(id % 7)" over the column id.
Result<std::vector<arrow::Array>> compute(const catalog::TableDef& table,
                                          std::span<const uint32_t> wanted,
                                          const arrow::Batch& rows, const std::atomic<bool>*) {
    CHECK(wanted.size() == 1);
    CHECK(table.columns[wanted[0]].name == "\1(id % 7)");
    CHECK(rows.columns.size() == 1);
    CHECK(rows.rows > 0);
    for (int64_t row = 0; row < rows.rows; row++) {
        if (rows.columns[0].values<int64_t>()[row] != kUnfit) continue;
        return Status(Code::kInvalidInput, "22012", "13 is not fit");
    }
    return std::vector<arrow::Array>{remainders(rows.columns[0])};
}

TableStoreOptions options() {
    return {.background_flush = false, .compute = compute};
}

Status add_index(TableStore& store, const IndexWork& work = {}) {
    auto txn = store.begin();
    RETURN_IF_ERROR(txn.status());
    txn->set_index_work(work);
    RETURN_IF_ERROR(add_remainders(*txn, "person"));
    return store.commit(*txn);
}

void drop_index(TableStore& store) {
    auto txn = store.begin();
    REQUIRE_OK(txn.status());
    REQUIRE_OK(drop_remainders(*txn, "person"));
    REQUIRE_OK(store.commit(*txn));
}

void insert_and_commit(TableStore& store, std::span<const int64_t> ids) {
    auto txn = store.begin();
    REQUIRE_OK(txn.status());
    REQUIRE_OK(insert(*txn, ids).status());
    REQUIRE_OK(store.commit(*txn));
}

// Live rows, each of which has its remainder, as has the index (check() compares the two).
uint64_t rows_with_remainders(TableStore& store) {
    const TableVersionPtr table = (*store.current())->find("person");
    REQUIRE(table->def().columns.size() == 3);
    uint64_t rows = 0, wrong = 0;
    for (size_t p = 0; p < table->part_count(); p++) {
        const Part& part = table->part(p);
        const arrow::Array* id = *part.chunk->column(0);
        const arrow::Array* remainder = *part.chunk->column(2);
        for (uint64_t row = 0; row < part.chunk->rows(); row++) {
            const auto at = static_cast<int64_t>(row);
            if (part.is_dead(row)) continue;
            rows++;
            wrong += !remainder->is_valid(at) ||
                     remainder->values<int64_t>()[row] != id->values<int64_t>()[row] % 7;
        }
    }
    CHECK(wrong == 0);
    CheckReport report;
    REQUIRE_OK(check_table(*table, nullptr, &report));
    for (const Finding& f : report.findings) MESSAGE(f.object << " " << f.what << " " << f.detail);
    CHECK(report.findings.empty());
    return rows;
}

size_t segment_files(const Directory& dir) {
    const std::filesystem::directory_iterator files(dir.path / "seg");
    return static_cast<size_t>(std::distance(begin(files), end(files)));
}

uint64_t features(TableStore& store) {
    ReadTransaction root = must(store.store().begin_read());
    Reader format(must(root.get(Keyspace::kMeta, kFormatKey)));
    (void)format.bytes(8 + 4);  // magic, version
    return format.u64();
}

TEST_CASE("rows in segments, patches and memory are filled, and dead ones are not asked") {
    Directory dir;
    auto store = dir.open(options());
    create_person(*store);
    insert_and_commit(*store, sequence(0, 70000));
    REQUIRE_OK(store->checkpoint());
    auto txn = store->begin();
    REQUIRE_OK(erase(*txn, Ids{kUnfit, 17}).status());
    REQUIRE_OK(update(*txn, sequence(100, 50), 1).status());
    REQUIRE_OK(store->commit(*txn));
    REQUIRE_OK(store->checkpoint());
    REQUIRE((*store->current())->find("person")->patches().size() == 1);
    insert_and_commit(*store, Ids{80000, 80001, kUnfit});
    txn = store->begin();
    REQUIRE_OK(erase(*txn, Ids{80000, kUnfit}).status());
    REQUIRE_OK(store->commit(*txn));
    CHECK(features(*store) == 0);
    REQUIRE_OK(add_index(*store));
    CHECK(rows_with_remainders(*store) == 69999);
    CHECK(segment_files(dir) == 4);  // one beside the segment, one beside the patch
    CHECK(features(*store) == kColumnFilesFeature);
    // From the log, of which some records know no such column, then from the files alone.
    for (const bool flushed : {false, true}) {
        store.reset();
        store = dir.open(options());
        CHECK(rows_with_remainders(*store) == 69999);
        if (!flushed) REQUIRE_OK(store->checkpoint());
    }
    REQUIRE_OK(store->vacuum(std::nullopt));
    CHECK(segment_files(dir) == (*store->current())->find("person")->base().size());
    CHECK(rows_with_remainders(*store) == 69999);
}

TEST_CASE("the files of columns go with the index, whoever has them open") {
    Directory dir;
    auto store = dir.open(options());
    create_person(*store);
    insert_and_commit(*store, sequence(100, 3000));
    REQUIRE_OK(store->checkpoint());
    for (int round = 0; round < 3; round++) {
        REQUIRE_OK(add_index(*store));
        CHECK(segment_files(dir) == 2);
        if (round == 1) {
            store.reset();
            store = dir.open(options());
        }
        CHECK(rows_with_remainders(*store) == 3000);
        drop_index(*store);
        CHECK(segment_files(dir) == 1);
    }
    store.reset();
    store = dir.open(options());
    CHECK((*store->current())->find("person")->live_rows() == 3000);
}

TEST_CASE("an expression that fails for a row leaves nothing") {
    Directory dir;
    auto store = dir.open(options());
    create_person(*store);
    insert_and_commit(*store, sequence(100, 3000));
    REQUIRE_OK(store->checkpoint());
    for (const bool flushed : {false, true}) {
        if (flushed) {
            REQUIRE_OK(store->checkpoint());
        } else {
            insert_and_commit(*store, Ids{kUnfit});
        }
        const size_t files = segment_files(dir);
        CHECK(add_index(*store).sqlstate() == "22012");
        CHECK(segment_files(dir) == files);
        CHECK((*store->current())->find("person")->def().columns.size() == 2);
    }
    // Where nothing computes at all.
    store.reset();
    store = dir.open({.background_flush = false});
    CHECK(add_index(*store).code() == Code::kUnsupported);
}

TEST_CASE("several threads fill as one does, and say how far they are") {
    constexpr int64_t kRows = 3 * kSegmentRows + 17;
    Directory dir;
    IndexProgress progress;
    progress.begin("public", "person", "person_mod");
    std::atomic<bool> told{true};
    auto watched = [&](const auto& table, auto wanted, const auto& rows, const auto* cancel) {
        const IndexProgress::Report report = progress.report().value();
        if (report.phase != IndexProgress::Phase::kComputing) told = false;
        if (report.rows_total != kRows || report.rows_done >= kRows) told = false;
        return compute(table, wanted, rows, cancel);
    };
    auto store = dir.open({.background_flush = false, .compute = watched});
    create_person(*store);
    insert_and_commit(*store, sequence(100, kRows));
    REQUIRE_OK(add_index(*store, {.threads = 4, .progress = &progress}));
    CHECK(told);
    CHECK(rows_with_remainders(*store) == kRows);
}

TEST_CASE("filling can be cancelled, and leaves nothing") {
    Directory dir;
    std::atomic<bool> cancel{false};
    std::atomic<int> calls{0};
    auto watched = [&](const auto& table, auto wanted, const auto& rows, const auto* cancelled) {
        CHECK(cancelled == &cancel);
        if (++calls == 2) cancel = true;
        return compute(table, wanted, rows, cancelled);
    };
    auto store = dir.open({.background_flush = false, .compute = watched});
    create_person(*store);
    insert_and_commit(*store, sequence(100, 4 * kSegmentRows));
    CHECK(add_index(*store, {.cancel = &cancel}).sqlstate() == "57014");
    CHECK(calls == 2);
    CHECK(segment_files(dir) == 4);
}

// They would all be logged once more, while others wait.
TEST_CASE("many rows in memory are flushed before") {
    Directory dir;
    auto store = dir.open(options());
    create_person(*store);
    insert_and_commit(*store, sequence(100, 100000));
    const uint64_t flushes = store->counters().flushes;
    REQUIRE((*store->current())->find("person")->delta_rows() == 100000);
    REQUIRE_OK(add_index(*store));
    CHECK(store->counters().flushes > flushes);
    CHECK((*store->current())->find("person")->delta_rows() == 0);
    CHECK(rows_with_remainders(*store) == 100000);
}

TEST_CASE("rows that a transaction has made itself are filled, also those it staged in files") {
    Directory dir;
    auto store = dir.open(options());
    create_person(*store);
    insert_and_commit(*store, sequence(0, 13));
    auto txn = store->begin();
    REQUIRE_OK(txn.status());
    REQUIRE_OK(update(*txn, Ids{3, 4}, 1).status());
    REQUIRE_OK(insert(*txn, sequence(100, 150000)).status());
    REQUIRE_OK(add_index(*store));  // by another, meanwhile
    REQUIRE_OK(store->commit(*txn));
    CHECK(rows_with_remainders(*store) == 150013);
    store.reset();
    store = dir.open(options());
    CHECK(rows_with_remainders(*store) == 150013);
}

}  // namespace
}  // namespace trefoil::table
