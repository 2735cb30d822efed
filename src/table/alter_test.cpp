// Altered tables: rows written before answer for columns they never had, under every snapshot,
// after flushes and after reopening; and who alters and who writes at once is told apart.

#include "table/table_store.h"

#include <doctest/doctest.h>

#include "arrow/builder.h"
#include "arrow/value.h"
#include "table/table_testing.h"

namespace trefoil::table {
namespace {

catalog::ColumnDef number(const char* name) {
    catalog::ColumnDef c;
    c.name = name;
    c.type = arrow::int64();
    return c;
}

void create(TableStore& store) {
    catalog::TableDef t;
    t.name = "t";
    t.columns = {number("a"), number("b")};
    auto txn = store.begin();
    REQUIRE_OK(txn.status());
    REQUIRE_OK(txn->create_table(t));
    REQUIRE_OK(store.commit(*txn));
}

Status insert(Transaction& txn, std::vector<int64_t> row, int64_t times = 1) {
    catalog::TablePtr table = txn.view()->catalog->find("t");
    arrow::Batch batch{table->schema(), times, {}};
    for (int64_t value : row) {
        arrow::ColumnBuilder column(arrow::int64());
        for (int64_t i = 0; i < times; i++) column.append_int64(value);
        batch.columns.push_back(column.finish());
    }
    TableWriter writer(txn, table);
    RETURN_IF_ERROR(writer.insert(batch));
    return writer.finish().status();
}

void insert_alone(TableStore& store, std::vector<int64_t> row, int64_t times = 1) {
    auto txn = store.begin();
    REQUIRE_OK(txn.status());
    REQUIRE_OK(insert(*txn, std::move(row), times));
    REQUIRE_OK(store.commit(*txn));
}

// Column b goes, column c comes, with 7 in the rows that are there.
Status drop_b_add_c(Transaction& txn, bool rows_matter = false) {
    catalog::TableDef t = *txn.view()->catalog->find("t");
    t.columns.erase(t.columns.begin() + 1);
    catalog::ColumnDef c = number("c");
    c.id = t.next_column_id++;
    c.missing = Value(7);
    t.columns.push_back(c);
    return txn.alter_table(t, rows_matter);
}

// "1,7 2,9": the live rows.
std::string text_of(const TableVersion& table) {
    std::string out;
    for (size_t p = 0; p < table.part_count(); p++) {
        const Part& part = table.part(p);
        for (uint32_t row = 0; row < part.chunk->rows(); row++) {
            if (part.is_dead(row)) continue;
            for (uint32_t c = 0; c < table.def().columns.size(); c++) {
                auto column = part.chunk->column(c);
                REQUIRE_OK(column.status());
                out += c ? "," : out.empty() ? "" : " ";
                out += arrow::value_at(**column, row).to_string();
            }
        }
    }
    return out;
}

std::string text_of(TableStore& store) {
    auto version = store.current();
    REQUIRE_OK(version.status());
    return text_of(*(*version)->find("t"));
}

TEST_CASE("rows from before answer for a column that was added, wherever they lie") {
    Directory directory;
    auto store = directory.open({.background_flush = false});
    create(*store);
    insert_alone(*store, {1, 10});
    REQUIRE_OK(store->checkpoint());  // one row in a segment, one in memory
    insert_alone(*store, {2, 20});
    auto before = store->begin();
    REQUIRE_OK(before.status());
    {
        auto txn = store->begin();
        REQUIRE_OK(insert(*txn, {3, 30}));
        REQUIRE_OK(drop_b_add_c(*txn));
        REQUIRE_OK(insert(*txn, {4, 40}));
        CHECK(text_of(*txn->view()->find("t")) == "1,7 2,7 3,7 4,40");
        REQUIRE_OK(store->commit(*txn));
    }
    CHECK(text_of(*store) == "1,7 2,7 3,7 4,40");
    CHECK(text_of(*before->view()->find("t")) == "1,10 2,20");
    store.reset();
    store = directory.open({.background_flush = false});  // from the redo records
    CHECK(text_of(*store) == "1,7 2,7 3,7 4,40");
    CHECK((*store->current())->find("t")->base()[0].chunk->zones()->columns[1].all.min == Value(7));
    REQUIRE_OK(store->checkpoint());
    CHECK(text_of(*store) == "1,7 2,7 3,7 4,40");
    store.reset();
    store = directory.open({.background_flush = false});  // from segments, written before and after
    CHECK(text_of(*store) == "1,7 2,7 3,7 4,40");
    REQUIRE_OK(store->verify());
}

TEST_CASE("segments that a transaction staged itself follow its own change of the table") {
    Directory directory;
    auto store = directory.open({.background_flush = false});
    create(*store);
    auto txn = store->begin();
    REQUIRE_OK(insert(*txn, {1, 10}, static_cast<int64_t>(kSegmentRows)));
    REQUIRE_OK(drop_b_add_c(*txn));
    REQUIRE_OK(store->commit(*txn));
    for (int i = 0; i < 2; i++) {
        auto table = (*store->current())->find("t");
        CHECK(table->live_rows() == kSegmentRows);
        CHECK(arrow::value_at(**table->part(0).chunk->column(1), 100) == Value(7));
        store.reset();
        store = directory.open({.background_flush = false});
    }
}

TEST_CASE("a change of a table that is rolled back leaves no trace") {
    Directory directory;
    auto store = directory.open({.background_flush = false});
    create(*store);
    insert_alone(*store, {1, 10});
    auto txn = store->begin();
    auto mark = txn->mark();
    REQUIRE_OK(drop_b_add_c(*txn));
    txn->roll_back_to(std::move(mark));
    CHECK(!txn->has_changes());
    CHECK(text_of(*txn->view()->find("t")) == "1,10");
}

TEST_CASE("who wrote while another altered runs again, and the other way round if rows matter") {
    Directory directory;
    auto store = directory.open({.background_flush = false});
    create(*store);
    auto writer = store->begin();
    REQUIRE_OK(insert(*writer, {1, 10}));
    auto alterer = store->begin(), careful = store->begin(), late = store->begin();
    REQUIRE_OK(drop_b_add_c(*alterer));
    REQUIRE_OK(drop_b_add_c(*careful, true));
    REQUIRE_OK(drop_b_add_c(*late));
    insert_alone(*store, {2, 20});
    CHECK(store->commit(*careful).sqlstate() == "40001");
    REQUIRE_OK(store->commit(*alterer));
    CHECK(store->commit(*late).sqlstate() == "40001");
    CHECK(store->commit(*writer).sqlstate() == "40001");
    CHECK(text_of(*store) == "2,7");
}

}  // namespace
}  // namespace trefoil::table
