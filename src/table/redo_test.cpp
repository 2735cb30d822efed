// Redo records: read back as the table is now, whatever it was when they were written.

#include "table/redo.h"

#include <doctest/doctest.h>

#include "arrow/builder.h"
#include "arrow/serialize.h"
#include "arrow/value.h"
#include "table/manifest_format.h"

namespace trefoil::table {
namespace {

catalog::ColumnDef column(uint32_t id, const char* name, arrow::Type type, Value missing = {}) {
    catalog::ColumnDef c;
    c.id = id;
    c.name = name;
    c.type = std::move(type);
    c.missing = std::move(missing);
    return c;
}

catalog::TablePtr table_of(std::vector<catalog::ColumnDef> columns) {
    auto table = std::make_shared<catalog::TableDef>();
    table->id = 3;
    table->name = "t";
    table->columns = std::move(columns);
    table->finish();
    return table;
}

arrow::Array numbers(std::initializer_list<int64_t> values) {
    arrow::ColumnBuilder out(arrow::int64());
    for (int64_t v : values) out.append_int64(v);
    return out.finish();
}

TEST_CASE("a record lacks columns that were added later and holds some that were dropped") {
    RedoTable written;
    written.table_id = 3;
    written.next_row_id = 12;
    written.column_ids = {0, 1};
    written.killed = {4};
    written.parts.push_back({RowIds::dense(10, 2), {numbers({1, 2}), numbers({30, 40})}});
    const std::string record = encode_redo({written});
    CHECK(!is_old_redo(record));

    auto now = table_of({column(1, "b", arrow::int64()), column(2, "c", arrow::utf8_view(), "x")});
    auto read = decode_redo(record, [&](uint32_t) { return now; });
    REQUIRE(read.ok());
    REQUIRE(read->size() == 1);
    CHECK((*read)[0].killed == std::vector<uint64_t>{4});
    const auto& columns = (*read)[0].parts.at(0).columns;
    REQUIRE(columns.size() == 2);
    CHECK(arrow::value_at(columns[0], 1) == Value(40));
    CHECK(arrow::value_at(columns[1], 1) == Value("x"));

    auto dropped = decode_redo(record, [](uint32_t) { return nullptr; });
    REQUIRE(dropped.ok());
    CHECK(dropped->empty());
}

TEST_CASE("a record of format 1 is read, and known as old") {
    Writer columns;
    arrow::serialize(numbers({1, 2}), columns);
    arrow::serialize(numbers({30, 40}), columns);
    Writer out;
    out.u16(1);
    out.u32(1);   // tables
    out.u32(3);   // its id
    out.u64(12);  // next row id
    out.u8(0);    // flags
    out.u32(0);   // killed
    out.u32(1);   // parts
    out.u32(2);
    out.u8(1);
    out.u64(10);
    out.u64(columns.size());
    out.align(8);
    out.bytes(columns.data());
    const std::string record = out.take();
    CHECK(is_old_redo(record));

    auto table = table_of({column(0, "a", arrow::int64()), column(1, "b", arrow::int64())});
    auto read = decode_redo(record, [&](uint32_t) { return table; });
    REQUIRE(read.ok());
    REQUIRE(read->size() == 1);
    CHECK((*read)[0].parts.at(0).ids.first() == 10);
    CHECK(arrow::value_at((*read)[0].parts[0].columns.at(1), 0) == Value(30));
}

TEST_CASE("a shortened record is corruption, never a crash") {
    RedoTable written;
    written.table_id = 3;
    written.column_ids = {0};
    written.parts.push_back({RowIds::dense(0, 2), {numbers({1, 2})}});
    const std::string record = encode_redo({written});
    auto table = table_of({column(0, "a", arrow::int64())});
    for (size_t n = 0; n < record.size(); n++) {
        CHECK(!decode_redo(Bytes(record).substr(0, n), [&](uint32_t) { return table; }).ok());
    }
}

}  // namespace
}  // namespace trefoil::table
