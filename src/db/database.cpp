// Database: builds the parts and hands them to each other.

#include "trefoil/database.h"

#include <algorithm>
#include <thread>

#include "base/check.h"
#include "db/database_state.h"
#include "db/session_state.h"
#include "db/stored_columns.h"
#include "storage/store.h"

namespace trefoil {
namespace {

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
    auto is_temporary = [](std::string_view schema) {
        return schema.starts_with(catalog::kTemporaryPrefix);
    };
    RETURN_IF_ERROR(drop_schema_members(txn, is_temporary));
    return tables.commit(txn);
}

}  // namespace

Result<Database> Database::open(const std::string& path, const OpenOptions& options) {
    auto db = std::make_unique<State>();
    db->options = options;
    db->path = path == ":memory:" ? "" : path;
    db->threads =
        options.threads ? options.threads : std::max(1u, std::thread::hardware_concurrency());
    set_default_limits(options, &db->limits);
    const uint64_t memory = db->limits.memory_bytes;
    if (memory < kMemoryLimitMin) {
        return Status(Code::kInvalidInput, "22023",
                      "a memory limit below 64 MB is too small to work in");
    }
    // One budget: commits that wait to be flushed take up to a quarter of it (they are flushed at
    // half of that, and wait at all of it), queries have the rest.
    table::TableStoreOptions table_options;
    table_options.flush_bytes = flush_bytes_of(memory);
    table_options.compute = [state = db.get()](const auto& table, auto wanted, const auto& rows,
                                               const auto* cancel) {
        return compute_columns(*state->engine, table, wanted, rows, cancel);
    };
    ASSIGN_OR_RETURN(auto store, open_store(*db));
    engine::EngineOptions engine_options;
    engine_options.threads = db->threads;
    engine_options.memory_bytes = memory - 2 * table_options.flush_bytes;
    engine_options.spill_path = store->tmp_path();
    ASSIGN_OR_RETURN(db->tables, table::TableStore::open(std::move(store), table_options));
    ASSIGN_OR_RETURN(db->engine, engine::Engine::create(engine_options));
    RETURN_IF_ERROR(
        db->engine->set_limits(engine_options.memory_bytes, db->limits.temp_space_bytes));
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
