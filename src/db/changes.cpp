// Changes: INSERT, UPDATE, DELETE, and appending rows in bulk.
//
// The engine plans and runs the read side of a change; what comes out of it goes to a TableWriter.

#include "arrow/compute.h"
#include "base/check.h"
#include "base/edit_distance.h"
#include "db/session_state.h"

namespace trefoil {
namespace {

using Answer = Session::State::Answer;

// Takes the batches of a change's read plan apart: gives the writer its columns, and keeps what
// RETURNING answers for the rows that were changed.
class ChangeSink {
public:
    ChangeSink(table::TableWriter& writer, const engine::StatementKind& kind,
               const engine::QueryPlan& plan)
        : writer_(writer), kind_(kind), shape_(*plan.change) {
        const auto& fields = plan.schema->fields;
        auto returned = std::make_shared<arrow::Schema>();
        returned->fields.assign(fields.begin() + static_cast<ptrdiff_t>(shape_.width()),
                                fields.end());
        returned_schema_ = std::move(returned);
    }

    Status write(arrow::Batch batch) {
        const auto width = batch.columns.begin() + static_cast<ptrdiff_t>(shape_.width());
        arrow::Batch returned{returned_schema_, batch.rows, {width, batch.columns.end()}};
        batch.columns.erase(width, batch.columns.end());
        std::vector<uint32_t> applied;
        if (std::holds_alternative<engine::Insert>(kind_)) {
            RETURN_IF_ERROR(writer_.insert(batch));
            keep(std::move(returned));
            return {};
        }
        arrow::Array row_ids = std::move(batch.columns[0]);
        batch.columns.erase(batch.columns.begin());
        RETURN_IF_ERROR(shape_.columns > 0 ? writer_.update(row_ids, batch.columns, &applied)
                                           : writer_.erase(row_ids, &applied));
        const bool all = applied.size() == static_cast<size_t>(returned.rows);
        keep(all ? std::move(returned) : arrow::take(returned, applied));
        return {};
    }

    const arrow::SchemaPtr& returned_schema() const { return returned_schema_; }
    std::vector<arrow::Batch> take_returned() { return std::move(returned_); }

private:
    void keep(arrow::Batch batch) {
        if (shape_.returning && batch.rows > 0) returned_.push_back(std::move(batch));
    }

    table::TableWriter& writer_;
    const engine::StatementKind& kind_;
    const engine::ChangeShape& shape_;
    arrow::SchemaPtr returned_schema_;
    std::vector<arrow::Batch> returned_;
};

struct Target {
    const engine::Name* table;
    const char* tag;
};

Target target_of(const engine::StatementKind& kind) {
    if (const auto* insert = std::get_if<engine::Insert>(&kind)) {
        return {&insert->table, "INSERT 0 "};
    }
    if (const auto* update = std::get_if<engine::Update>(&kind)) return {&update->table, "UPDATE "};
    return {&std::get<engine::Delete>(kind).table, "DELETE "};
}

}  // namespace

Status check_shape(const arrow::Schema& rows, const catalog::TableDef& table, size_t first) {
    bool fits = rows.fields.size() >= first + table.columns.size();
    for (size_t i = 0; fits && i < table.columns.size(); i++) {
        fits = rows.fields[first + i].type == table.columns[i].type;
    }
    if (fits) return {};
    return Status(
        Code::kCorruption, "XX000",
        "internal: the engine's rows do not have the columns of table \"" + table.name + "\"");
}

Result<catalog::TablePtr> Session::State::table_to_change(const table::Version& version,
                                                          const engine::Name& name) const {
    catalog::TablePtr found = version.catalog->resolve(name.text, path());
    if (found && found->kind == catalog::RelationKind::kTable) return found;
    if (found) {
        return Status(Code::kInvalidInput, "42809",
                      "\"" + found->full_name() + "\" is a " +
                          std::string(catalog::kind_name(found->kind)) + ", not a table")
            .with_position(name.position);
    }
    if (db.system_tables.contains(name.text)) {
        return Status(Code::kInvalidInput, "42809",
                      "\"" + name.text + "\" is a system table and cannot be changed")
            .with_position(name.position);
    }
    Status missing(Code::kInvalidInput, "42P01", "table \"" + name.text + "\" does not exist");
    missing = std::move(missing).with_position(name.position);
    std::vector<std::string> names;
    for (const catalog::TablePtr& t : version.catalog->tables()) names.push_back(t->full_name());
    if (auto meant = closest_name(name.text, names)) {
        missing = std::move(missing).with_hint("Did you mean \"" + *meant + "\"?");
    }
    return missing;
}

Result<Answer> Session::State::modify(CachedStatement& statement,
                                      std::span<const Value> parameters) {
    const engine::StatementKind& kind = statement.statement.kind;
    const Target target = target_of(kind);
    arrow::SchemaPtr schema;
    std::vector<arrow::Batch> returned;
    auto work = [&](table::Transaction& t) -> Result<uint64_t> {
        auto now = catalog_of(t.view());
        RETURN_IF_ERROR(plan(statement, *now));  // the catalog may be another one by now
        ASSIGN_OR_RETURN(catalog::TablePtr table, table_to_change(*t.view(), *target.table));
        const engine::ChangeShape& shape = *statement.plan->change;
        if (shape.columns > 0) {
            RETURN_IF_ERROR(check_shape(*statement.plan->schema, *table, shape.row_id));
        }
        table::TableWriter writer(t, table);
        ChangeSink sink(writer, kind, *statement.plan);
        ASSIGN_OR_RETURN(auto stream, engine->run(*statement.plan, parameters, *now, &cancel));
        for (;;) {
            ASSIGN_OR_RETURN(auto batch, stream->next());
            if (!batch) break;
            RETURN_IF_ERROR(sink.write(std::move(*batch)));
        }
        schema = sink.returned_schema();
        returned = sink.take_returned();
        return writer.finish();
    };
    ASSIGN_OR_RETURN(uint64_t count, change(work));
    db.statement_counters.engine_tier.fetch_add(1, std::memory_order_relaxed);
    std::string tag = target.tag + std::to_string(count);
    auto answer = statement.plan->change->returning
                      ? answer_of(std::move(schema), std::move(returned), std::move(tag))
                      : done(std::move(tag));
    answer->affected_rows = count;
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
