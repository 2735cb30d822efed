// Database: builds the parts and hands them to each other.

#include "trefoil/database.h"

#include <unistd.h>

#include <algorithm>
#include <thread>

#include "base/check.h"
#include "db/database_state.h"
#include "db/session_state.h"
#include "storage/store.h"

namespace trefoil {
namespace {

constexpr uint64_t kMemoryLimitMin = 64 << 20;

uint64_t machine_memory() {
    return static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) *
           static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

Result<std::unique_ptr<Store>> open_store(Database::State& db) {
    if (db.path.empty()) return Store::open_memory();
    StoreOptions options;
    options.mode =
        db.options.read_only ? StoreOptions::Mode::kReadOnly : StoreOptions::Mode::kReadWrite;
    options.create_if_missing = db.options.create_if_missing && !db.options.read_only;
    return Store::open(db.vfs, db.path, options);
}

// Temporary tables of sessions that did not end as they should.
Status drop_leftovers(table::TableStore& tables) {
    ASSIGN_OR_RETURN(table::Transaction txn, tables.begin());
    RETURN_IF_ERROR(drop_schema_members(txn, catalog::kTemporaryPrefix));
    return tables.commit(txn);
}

}  // namespace

Result<Database> Database::open(const std::string& path, const OpenOptions& options) {
    auto db = std::make_unique<State>();
    db->options = options;
    db->path = path == ":memory:" ? "" : path;
    db->threads =
        options.threads ? options.threads : std::max(1u, std::thread::hardware_concurrency());
    db->memory_limit_bytes =
        options.memory_limit_bytes ? options.memory_limit_bytes : machine_memory() / 2;
    if (db->memory_limit_bytes < kMemoryLimitMin) {
        return Status(Code::kInvalidInput, "22023",
                      "a memory limit below 64 MB is too small to work in");
    }
    // One budget: commits that wait to be flushed take up to a quarter of it (they are flushed at
    // half of that, and wait at all of it), queries have the rest.
    table::TableStoreOptions table_options;
    table_options.flush_bytes =
        std::min<uint64_t>(table_options.flush_bytes, db->memory_limit_bytes / 8);
    ASSIGN_OR_RETURN(auto store, open_store(*db));
    engine::EngineOptions engine_options;
    engine_options.threads = db->threads;
    engine_options.memory_bytes = db->memory_limit_bytes - 2 * table_options.flush_bytes;
    engine_options.spill_path = store->tmp_path();
    ASSIGN_OR_RETURN(db->tables, table::TableStore::open(std::move(store), table_options));
    ASSIGN_OR_RETURN(db->engine, engine::Engine::create(engine_options));
    db->system_tables = make_system_tables(*db);
    if (!options.read_only) RETURN_IF_ERROR(drop_leftovers(*db->tables));
    return Database(std::move(db));
}

Database::Database(std::unique_ptr<State> state) : state_(std::move(state)) {}
Database::Database(Database&&) noexcept = default;
Database& Database::operator=(Database&&) noexcept = default;
Database::~Database() = default;

Result<Session> Database::connect() {
    auto session = std::make_unique<Session::State>(*state_);
    ASSIGN_OR_RETURN(session->engine, state_->engine->open_session());
    return Session(std::move(session));
}

Status Database::checkpoint() {
    return state_->tables->checkpoint();
}

std::string_view version() {
    return "0.1.0";
}

}  // namespace trefoil
