// System tables about who is there:
//
//     trefoil_sessions   each session, what it does and since when
//     trefoil_locks      each lock of rows, and who waits for one
//     trefoil_progress_create_index   each index that is being built, and how far it is

#include "base/check.h"
#include "db/database_state.h"
#include "db/system_tables.h"

namespace trefoil {
namespace {

Value number(std::optional<uint64_t> v) {
    return v ? Value(static_cast<int64_t>(*v)) : Value();
}

TableRows sessions_rows(const Database::State& db) {
    TableRows rows;
    for (const Activity::Report& r : db.activities.list()) {
        const Value since = r.since_us ? Value(Timestamp{r.since_us}) : Value();
        rows.push_back(
            {number(r.session), Value(r.state), Value(r.statement), since, number(r.transaction)});
    }
    return rows;
}

TableRows locks_rows(const Database::State& db, const table::Version& version) {
    TableRows rows;
    for (const table::LockManager::Held& held : db.tables->locks().list()) {
        catalog::TablePtr table = version.catalog->find(held.table);
        rows.push_back({table ? Value(table->name) : Value(), number(held.row), number(held.rows),
                        number(held.owner), Value(std::string(table::lock_mode_name(held.mode))),
                        Value(held.granted)});
    }
    return rows;
}

const char* phase_name(table::IndexProgress::Phase phase) {
    switch (phase) {
        case table::IndexProgress::Phase::kComputing:
            return "computing expressions";
        case table::IndexProgress::Phase::kScanning:
            return "scanning table";
        case table::IndexProgress::Phase::kWriting:
            return "writing index";
        case table::IndexProgress::Phase::kChecking:
            return "checking uniqueness";
        case table::IndexProgress::Phase::kCatchingUp:
            return "adding changes";
    }
    CHECK(false);
}

TableRows index_builds_rows(const Database::State& db) {
    TableRows rows;
    for (const Activity::Report& r : db.activities.list()) {
        if (!r.index_build) continue;
        const table::IndexProgress::Report& build = *r.index_build;
        rows.push_back({number(r.session), Value(build.schema), Value(build.table),
                        Value(build.index), Value(phase_name(build.phase)), number(build.rows_done),
                        number(build.rows_total)});
    }
    return rows;
}

}  // namespace

void add_session_tables(Database::State& db, access::VirtualTables& all) {
    add_table(all, "trefoil_sessions",
              {{"session", arrow::int64(), false},
               {"state", arrow::utf8_view(), false},
               {"statement", arrow::utf8_view(), false},
               {"since", arrow::timestamp("UTC"), true},
               {"transaction", arrow::int64(), true}},
              [&db](const table::Version&) { return sessions_rows(db); });
    add_table(all, "trefoil_locks",
              {{"table_name", arrow::utf8_view(), true},
               {"row_id", arrow::int64(), true},
               {"rows", arrow::int64(), false},
               {"transaction", arrow::int64(), false},
               {"mode", arrow::utf8_view(), false},
               {"granted", arrow::boolean(), false}},
              [&db](const table::Version& version) { return locks_rows(db, version); });
    add_table(all, "trefoil_progress_create_index",
              {{"session", arrow::int64(), false},
               {"schema", arrow::utf8_view(), false},
               {"table_name", arrow::utf8_view(), false},
               {"index_name", arrow::utf8_view(), false},
               {"phase", arrow::utf8_view(), false},
               {"rows_done", arrow::int64(), false},
               {"rows_total", arrow::int64(), false}},
              [&db](const table::Version&) { return index_builds_rows(db); });
}

}  // namespace trefoil
