// CHECK DATABASE: a whole database has no findings; each kind of damage is named.

#include <fstream>

#include "table/check.h"
#include "table/keyed_rows.h"
#include "table/segment.h"
#include "table/table_testing.h"

namespace trefoil::table {
namespace {

// Rows in segments, patched and partly dead; and in memory.
void fill(TableStore& store) {
    auto create = store.begin();
    catalog::TableDef def = person();
    def.indexes.push_back({0, "person_name_key", {1}, true, false, true});
    REQUIRE_OK(create->create_table(def));
    REQUIRE_OK(store.commit(*create));
    auto txn = store.begin();
    REQUIRE_OK(insert(*txn, sequence(0, 5000)).status());
    REQUIRE_OK(store.commit(*txn));
    REQUIRE_OK(store.checkpoint());
    txn = store.begin();
    REQUIRE_OK(update(*txn, sequence(10, 20), 1).status());
    REQUIRE_OK(erase(*txn, sequence(100, 50)).status());
    REQUIRE_OK(store.commit(*txn));
    REQUIRE_OK(store.checkpoint());
    txn = store.begin();
    REQUIRE_OK(insert(*txn, sequence(6000, 100)).status());
    REQUIRE_OK(erase(*txn, Ids{6005, 7}).status());
    REQUIRE_OK(store.commit(*txn));
}

CheckReport check(TableStore& store) {
    VersionPtr version = *store.current();
    auto report = check_database(store.store(), *version, nullptr);
    REQUIRE_OK(report.status());
    return std::move(*report);
}

CheckReport check(const TableVersion& table) {
    CheckReport report;
    REQUIRE_OK(check_table(table, nullptr, &report));
    return report;
}

bool has(const CheckReport& report, const std::string& object, const std::string& what) {
    for (const Finding& f : report.findings) {
        if (f.object == object && f.what == what) return true;
    }
    return false;
}

std::vector<std::vector<RunPart>> runs_of(const TableVersion& table) {
    std::vector<std::vector<RunPart>> runs;
    for (size_t i = 0; i < table.index_count(); i++) {
        runs.emplace_back(table.runs(i).begin(), table.runs(i).end());
    }
    return runs;
}

// The table with other segments, or other runs.
TableVersion with(const TableVersion& table, std::vector<Part> base,
                  std::vector<std::vector<RunPart>> runs) {
    TableVersion changed = table;
    changed.replace_segments(std::move(base), {table.patches().begin(), table.patches().end()},
                             std::move(runs), 0);
    return changed;
}

void flip_a_bit(const std::string& path, uint64_t at) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(at));
    const char byte = static_cast<char>(file.get() ^ 4);
    file.seekp(static_cast<std::streamoff>(at));
    file.put(byte);
}

TEST_CASE("a whole database has no findings, whatever was done to it") {
    Directory dir;
    auto store = dir.open();
    fill(*store);
    auto txn = store->begin();
    // Keys that move: the runs keep the old ones for a while.
    catalog::TablePtr def = txn->view()->catalog->find("person");
    {
        TableWriter writer(*txn, def);
        REQUIRE_OK(writer.update(row_ids_of(*txn, Ids{20, 21, 22}),
                                 rows_of(def, Ids{21, 22, 9001}, 5).columns));
        REQUIRE_OK(writer.finish().status());
    }
    REQUIRE_OK(store->commit(*txn));
    for (int round = 0; round < 3; round++) {
        CheckReport report = check(*store);
        for (const Finding& f : report.findings)
            MESSAGE(f.object << " " << f.what << " " << f.detail);
        CHECK(report.findings.empty());
        CHECK(report.tables == 1);
        CHECK(report.rows == (*store->current())->find("person")->live_rows());
        CHECK(report.index_entries >= 2 * report.rows);
        if (round == 0) {
            REQUIRE_OK(store->vacuum(std::nullopt));
        } else {
            store.reset();
            store = dir.open();
        }
    }
}

TEST_CASE("a damaged file is named") {
    Directory dir;
    auto store = dir.open();
    fill(*store);
    VersionPtr version = *store->current();
    const TableVersion& table = *version->find("person");
    const auto& segment = table.base()[0].chunk->files()->own();
    flip_a_bit(segment->path(), 5000);
    CHECK(has(check(*store), to_string(segment->name()), "checksum"));
    flip_a_bit(segment->path(), 5000);
    CHECK(check(*store).findings.empty());
    const auto& run = table.runs(0)[0].run->file();
    flip_a_bit(run->path(), 4100);
    CheckReport report = check(*store);
    CHECK(has(report, to_string(run->name()), "checksum"));
    CHECK(report.findings.size() == 1);
}

TEST_CASE("an index that lacks an entry, or has one too many, is named") {
    Directory dir;
    auto store = dir.open();
    fill(*store);
    VersionPtr version = *store->current();
    const TableVersion& table = *version->find("person");
    const std::vector<Part> base(table.base().begin(), table.base().end());
    CHECK(check(with(table, base, runs_of(table))).findings.empty());

    auto runs = runs_of(table);
    runs[1].clear();
    CheckReport report = check(with(table, base, runs));
    CHECK(has(report, "index person_name_key", "missing entry"));
    CHECK_FALSE(has(report, "index person_pkey", "missing entry"));

    // Key 4242 leads to the row of key 17, and to one that never was.
    index::KeyRunBuilder builder(table.encoder(0).shape());
    const std::vector<Value> key = {Value(int64_t{4242})};
    builder.add(table.encoder(0).encode(key), row_id(table, 17));
    builder.add(table.encoder(0).encode(key), uint64_t{1} << 40);
    const index::RunSource source{builder.finish(), 0};
    auto wrong = index::merge_to_file(store->store(), {&source, 1}, [](uint64_t) { return true; });
    REQUIRE_OK(wrong.status());
    runs = runs_of(table);
    runs[0].push_back({*wrong, 0, 99});
    report = check(with(table, base, runs));
    CHECK(has(report, "index person_pkey", "entry"));
    // Row 4242 has its own entry, but a search meets the wrong one first.
    CHECK(has(report, "index person_pkey", "duplicate key"));
    for (const Finding& f : report.findings) {
        if (f.what == "entry") CHECK(f.detail.find("and 1 more") != std::string::npos);
    }
}

TEST_CASE("bounds that do not hold, rows that live twice and NULLs are named") {
    Directory dir;
    auto store = dir.open();
    fill(*store);
    VersionPtr version = *store->current();
    const TableVersion& table = *version->find("person");
    std::vector<Part> base(table.base().begin(), table.base().end());
    const Part good = base[0];
    ZoneMap zones = *good.chunk->zones();
    zones.columns[0].zones[0].max = Value(int64_t{3});
    auto chunk = Chunk::in_file(table.def_ptr(), good.chunk->row_ids(), good.chunk->files(), zones);
    REQUIRE_OK(chunk.status());
    base[0].chunk = *chunk;
    CHECK(has(check(with(table, base, runs_of(table))),
              to_string(good.chunk->files()->own()->name()), "zone map"));

    TableVersion twice = table;
    twice.replace_segments({good}, {good}, runs_of(table), 0);
    CHECK(has(check(twice), "table person", "row"));

    catalog::TableDef strict = table.def();
    strict.columns[1].not_null = true;
    strict.finish();
    TableVersion other(std::make_shared<const catalog::TableDef>(strict));
    other.set_next_row_id(table.next_row_id());
    other.replace_segments({good}, {table.patches().begin(), table.patches().end()}, runs_of(table),
                           0);
    CHECK(has(check(other), "table person", "not null"));
}

}  // namespace
}  // namespace trefoil::table
