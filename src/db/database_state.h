// What an open database is made of. Built by Database::open, in this order, and taken down in
// reverse.

#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "access/counters.h"
#include "access/snapshot_catalog.h"
#include "db/activity.h"
#include "db/alarms.h"
#include "db/custom_tables.h"
#include "db/limits.h"
#include "engine/engine.h"
#include "storage/vfs.h"
#include "table/table_store.h"
#include "trefoil/database.h"

namespace trefoil {

// How statements were run, since the database was opened. Shown by trefoil_counters.
struct StatementCounters {
    std::atomic<uint64_t> access_tier{0};     // by the access operators alone
    std::atomic<uint64_t> engine_tier{0};     // through DataFusion
    std::atomic<uint64_t> plans_made{0};      // statements planned
    std::atomic<uint64_t> cache_hits{0};      // statements found in a session's cache
    std::atomic<uint64_t> commit_retries{0};  // single statements run again after a conflict
};

struct Database::State {
    OpenOptions options;
    std::string path;  // "" in memory
    uint32_t threads = 1;
    Limits limits;
    PosixVfs vfs;
    std::unique_ptr<table::TableStore> tables;
    std::unique_ptr<engine::Engine> engine;
    access::CounterRegistry table_counters;
    StatementCounters statement_counters;
    std::atomic<uint64_t> sessions_opened{0};
    access::VirtualTables system_tables;
    CustomRegistry custom_tables;
    Alarms alarms;
    Activities activities;
};

// trefoil_tables, trefoil_stats, trefoil_counters, trefoil_settings. `state` must outlive them.
access::VirtualTables make_system_tables(Database::State& state);

}  // namespace trefoil
