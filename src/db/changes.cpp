// Changes: INSERT, UPDATE, DELETE, and appending rows in bulk.
//
// The engine plans and runs the read side of a change; what comes out of it goes to a TableWriter.

#include "base/check.h"
#include "base/edit_distance.h"
#include "db/session_state.h"

namespace trefoil {
namespace {

using Answer = Session::State::Answer;

// Rows of the read side must come in exactly the columns that the writer takes.
Status check_shape(const arrow::Schema& rows, const catalog::TableDef& table, size_t first) {
    bool fits = rows.fields.size() == first + table.columns.size();
    for (size_t i = 0; fits && i < table.columns.size(); i++) {
        fits = rows.fields[first + i].type == table.columns[i].type;
    }
    if (fits) return {};
    return Status(
        Code::kCorruption, "XX000",
        "internal: the engine's rows do not have the columns of table \"" + table.name + "\"");
}

Status write_batch(table::TableWriter& writer, const engine::StatementKind& kind,
                   arrow::Batch batch) {
    if (std::holds_alternative<engine::Insert>(kind)) return writer.insert(batch);
    if (std::holds_alternative<engine::Delete>(kind)) return writer.erase(batch.columns[0]);
    arrow::Array row_ids = std::move(batch.columns[0]);
    batch.columns.erase(batch.columns.begin());
    return writer.update(row_ids, batch.columns);
}

struct Target {
    const engine::Name* table;
    const char* tag;
    size_t first_column;  // of the table's columns in the read side's rows; -1: none
};

Target target_of(const engine::StatementKind& kind) {
    if (const auto* insert = std::get_if<engine::Insert>(&kind))
        return {&insert->table, "INSERT 0 ", 0};
    if (const auto* update = std::get_if<engine::Update>(&kind))
        return {&update->table, "UPDATE ", 1};
    return {&std::get<engine::Delete>(kind).table, "DELETE ", SIZE_MAX};
}

}  // namespace

Result<catalog::TablePtr> find_table(const table::Version& version, const engine::Name& name) {
    if (catalog::TablePtr table = version.catalog->find(name.text)) return table;
    Status missing(Code::kInvalidInput, "42P01", "table \"" + name.text + "\" does not exist");
    std::vector<std::string> names;
    for (const catalog::TablePtr& t : version.catalog->tables()) names.push_back(t->name);
    missing = std::move(missing).with_position(name.position);
    if (auto meant = closest_name(name.text, names)) {
        missing = std::move(missing).with_hint("Did you mean \"" + *meant + "\"?");
    }
    return missing;
}

Result<catalog::TablePtr> Session::State::table_to_change(const table::Version& version,
                                                          const engine::Name& name) const {
    if (db.system_tables.contains(name.text)) {
        return Status(Code::kInvalidInput, "42809",
                      "\"" + name.text + "\" is a system table and cannot be changed")
            .with_position(name.position);
    }
    return find_table(version, name);
}

Result<Answer> Session::State::modify(const CachedStatement& statement,
                                      std::span<const Value> parameters) {
    const engine::StatementKind& kind = statement.statement.kind;
    const Target target = target_of(kind);
    auto work = [&](table::Transaction& t) -> Result<uint64_t> {
        auto now = catalog_of(t.view());
        ASSIGN_OR_RETURN(catalog::TablePtr table, table_to_change(*t.view(), *target.table));
        if (target.first_column != SIZE_MAX) {
            RETURN_IF_ERROR(check_shape(*statement.plan->schema, *table, target.first_column));
        }
        table::TableWriter writer(t, table);
        ASSIGN_OR_RETURN(auto stream, engine->run(*statement.plan, parameters, *now, &cancel));
        for (;;) {
            ASSIGN_OR_RETURN(auto batch, stream->next());
            if (!batch) break;
            RETURN_IF_ERROR(write_batch(writer, kind, std::move(*batch)));
        }
        return writer.finish();
    };
    ASSIGN_OR_RETURN(uint64_t count, change(work));
    db.statement_counters.engine_tier.fetch_add(1, std::memory_order_relaxed);
    auto answer = done(target.tag + std::to_string(count), count);
    answer->tier = "engine";
    return answer;
}

Result<Answer> Session::State::append(std::string_view table_name, ArrowArrayStream* rows) {
    cancel.store(false);
    // Taken over whatever happens.
    std::unique_ptr<ArrowArrayStream, void (*)(ArrowArrayStream*)> held(rows,
                                                                        [](ArrowArrayStream* s) {
                                                                            if (s->release)
                                                                                s->release(s);
                                                                        });
    if (txn_failed) {
        return block_failed();
    }
    // The stream can be read once, so a conflict is not tried again: appends have none anyway.
    auto work = [&](table::Transaction& t) -> Result<uint64_t> {
        ASSIGN_OR_RETURN(catalog::TablePtr table,
                         table_to_change(*t.view(), engine::Name{std::string(table_name), 0}));
        ASSIGN_OR_RETURN(auto stream, engine->cast_stream(held.get(), table->schema(), &cancel));
        table::TableWriter writer(t, table);
        for (;;) {
            ASSIGN_OR_RETURN(auto batch, stream->next());
            if (!batch) break;
            RETURN_IF_ERROR(writer.insert(*batch));
        }
        return writer.finish();
    };
    auto count = change(work);
    if (!count.ok()) {
        if (txn) txn_failed = true;
        return count.status();
    }
    return done("INSERT 0 " + std::to_string(*count), *count);
}

}  // namespace trefoil
