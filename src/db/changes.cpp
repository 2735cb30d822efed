// Changes: INSERT, UPDATE, DELETE, and appending rows in bulk.
//
// The engine plans and runs the read side of a change; what comes out of it goes to a TableWriter.

#include <algorithm>
#include <array>
#include <set>

#include "access/given_rows.h"
#include "base/check.h"
#include "base/edit_distance.h"
#include "db/bulk_insert.h"
#include "db/change_sink.h"
#include "db/session_state.h"

namespace trefoil {
namespace {

using Answer = Session::State::Answer;

std::string tag_of(engine::ChangeKind kind, uint64_t rows) {
    static constexpr std::array kTags = {"INSERT 0 ", "UPDATE ", "DELETE ", "MERGE "};
    return kTags[static_cast<size_t>(kind)] + std::to_string(rows);
}

// "Insert: t", "with gone: Delete: t"
std::string title_of(const engine::ChangeShape& change) {
    static constexpr std::array kTitles = {"Insert: ", "Update: ", "Delete: ", "Merge: "};
    std::string title = kTitles[static_cast<size_t>(change.kind)] + change.table.text;
    return change.given.empty() ? title : change.given.substr(1) + ": " + title;
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
    if (const std::string plain = catalog::parse_reference(name.text).name;
        db.custom_tables.contains(plain)) {
        return Status(
                   Code::kInvalidInput, "42809",
                   "\"" + plain + "\" is a table of the program, which cannot be changed with SQL")
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

std::shared_ptr<const access::DirectChange> Session::State::direct_form(
    const CachedStatement& statement) const {
    const auto& change = statement.plan->change;
    if (!change || !change->direct) return nullptr;
    catalog::TablePtr table =
        statement.planned_for->resolve(change->table.text, statement.search_path);
    if (!table || table->kind != catalog::RelationKind::kTable) return nullptr;
    const uint32_t id = table->id;
    return access::DirectChange::make(std::move(table), *change->direct,
                                      returned_schema(*statement.plan), db.table_counters.of(id));
}

bool Session::State::goes_directly(const CachedStatement& statement,
                                   std::span<const Value> parameters) const {
    return statement.direct && settings.fast_path &&
           (settings.use_indexes || !statement.direct->uses_index()) &&
           parameters.size() == statement.plan->parameters.size() &&
           statement.direct->fits(parameters);
}

// `understood` is cleared, and nothing changed, if the engine must do it.
Result<Answer> Session::State::direct_change(const CachedStatement& statement,
                                             std::span<const Value> parameters, bool* understood) {
    access::DirectChange::Outcome outcome;
    *understood = true;
    auto work = [&](table::Transaction& t) -> Result<uint64_t> {
        *understood = t.view()->catalog == statement.planned_for;
        if (!*understood) return uint64_t{0};
        const auto now = statement.direct->uses_sequences() ? catalog_of(t.view()) : nullptr;
        ASSIGN_OR_RETURN(auto done, statement.direct->run(t, parameters, now.get()));
        *understood = done.has_value();
        if (done) outcome = std::move(*done);
        return outcome.rows;
    };
    ASSIGN_OR_RETURN(uint64_t count, change(work));
    if (!*understood) return Answer();
    db.statement_counters.access_tier.fetch_add(1, std::memory_order_relaxed);
    std::string tag = tag_of(statement.plan->change->kind, count);
    auto answer = statement.plan->change->returning
                      ? answer_of(std::move(outcome.returned), std::move(tag))
                      : done(std::move(tag));
    answer->affected_rows = count;
    answer->tier = "access";
    return answer;
}

Result<Answer> Session::State::modify(CachedStatement& statement, std::span<const Value> parameters,
                                      std::vector<std::string>* analysis) {
    if (!analysis && goes_directly(statement, parameters)) {
        bool understood = false;
        ASSIGN_OR_RETURN(Answer answer, direct_change(statement, parameters, &understood));
        if (understood) return answer;
    }
    const engine::QueryPlan& whole = *statement.plan;
    Changed done_last;
    std::vector<std::string> parts;
    auto work = [&](table::Transaction& t) -> Result<uint64_t> {
        parts.clear();
        // All parts see the rows that were there before the statement.
        auto now = catalog_of(t.view());
        RETURN_IF_ERROR(plan(statement, *now));  // the catalog may be another one by now
        access::GivenRows given(*now);
        for (const engine::QueryPlan& part : whole.children) {
            if (part.locking) {
                ASSIGN_OR_RETURN(auto rows,
                                 lock_and_read(t, part.locking->query, part, parameters, given));
                given.set(part.locking->given, returned_schema(part), std::move(rows));
                continue;
            }
            if (part.change->given.empty()) continue;
            ASSIGN_OR_RETURN(Changed changed, run_change(t, part, parameters, given, analysis));
            given.set(part.change->given, returned_schema(part), std::move(changed.returned));
            for (std::string& line : changed.analysis) parts.push_back(std::move(line));
        }
        if (whole.change) {
            ASSIGN_OR_RETURN(done_last, run_change(t, whole, parameters, given, analysis));
        } else {
            ASSIGN_OR_RETURN(done_last, read_all(whole, parameters, given, analysis));
        }
        return done_last.rows;
    };
    std::vector<std::string> consequences;
    if (analysis) reference_lines = &consequences;
    auto changed = change(work);
    reference_lines = nullptr;
    ASSIGN_OR_RETURN(uint64_t count, std::move(changed));
    db.statement_counters.engine_tier.fetch_add(1, std::memory_order_relaxed);
    if (analysis) {
        *analysis = std::move(done_last.analysis);
        analysis->insert(analysis->end(), parts.begin(), parts.end());
        analysis->insert(analysis->end(), consequences.begin(), consequences.end());
    }
    std::string tag = whole.change ? tag_of(whole.change->kind, count) : "SELECT";
    const bool rows = !whole.change || whole.change->returning;
    auto answer = rows ? answer_of(whole.change ? returned_schema(whole) : whole.schema,
                                   std::move(done_last.returned), std::move(tag))
                       : done(std::move(tag));
    answer->affected_rows = count;
    answer->tier = "engine";
    return answer;
}

// One change of one table, read through `catalog`.
Result<Session::State::Changed> Session::State::run_change(table::Transaction& t,
                                                           const engine::QueryPlan& plan,
                                                           std::span<const Value> parameters,
                                                           const access::SourceCatalog& catalog,
                                                           bool analyse) {
    ASSIGN_OR_RETURN(catalog::TablePtr table, table_to_change(*t.view(), plan.change->table));
    if (const engine::ChangeShape& shape = *plan.change; shape.columns > 0) {
        RETURN_IF_ERROR(check_shape(*plan.schema, *table, shape.action + shape.row_id));
    }
    table::TableWriter writer(t, table);
    ChangeSink sink(writer, plan);
    if (plan.change->conflict) RETURN_IF_ERROR(sink.set_conflict(*plan.change->conflict));
    ASSIGN_OR_RETURN(auto stream, engine->run(plan, parameters, catalog, &cancel));
    for (;;) {
        ASSIGN_OR_RETURN(auto batch, stream->next());
        if (!batch) break;
        RETURN_IF_ERROR(sink.write(std::move(*batch)));
    }
    RETURN_IF_ERROR(settle_conflicts(sink, plan, parameters, catalog));
    Changed changed;
    std::vector<std::string> lines;
    if (analyse) {
        ASSIGN_OR_RETURN(lines, engine->analysed(*stream));
    }
    changed.returned = sink.take_returned();
    ASSIGN_OR_RETURN(changed.rows, writer.finish());
    if (!analyse) return changed;
    changed.analysis.push_back(title_of(*plan.change) + ", rows=" + std::to_string(changed.rows));
    for (const std::string& line : lines) changed.analysis.push_back("  " + line);
    return changed;
}

Result<Session::State::Changed> Session::State::read_all(const engine::QueryPlan& plan,
                                                         std::span<const Value> parameters,
                                                         const access::SourceCatalog& catalog,
                                                         bool analyse) {
    Changed all;
    ASSIGN_OR_RETURN(auto stream, engine->run(plan, parameters, catalog, &cancel));
    for (;;) {
        ASSIGN_OR_RETURN(auto batch, stream->next());
        if (!batch) break;
        batch->schema = plan.schema;
        all.returned.push_back(std::move(*batch));
    }
    if (analyse) {
        ASSIGN_OR_RETURN(all.analysis, engine->analysed(*stream));
    }
    return all;
}

namespace {

// The tables that refer to those that lose their rows must lose them, too. Each once.
Status add_referring(const catalog::Catalog& catalog, bool cascade,
                     std::vector<catalog::TablePtr>* tables) {
    std::set<uint32_t> ids;
    std::erase_if(*tables, [&](const auto& table) { return !ids.insert(table->id).second; });
    for (size_t i = 0; i < tables->size(); i++) {
        const catalog::TablePtr table = (*tables)[i];
        for (const catalog::TablePtr& child : catalog.referencing(table->id)) {
            if (!ids.insert(child->id).second) continue;
            if (!cascade) {
                return Status(Code::kInvalidInput, "0A000",
                              "cannot truncate a table referenced in a foreign key constraint")
                    .with_detail("Table \"" + child->name + "\" references \"" + table->name +
                                 "\".")
                    .with_hint("Truncate table \"" + child->name +
                               "\" at the same time, or use TRUNCATE ... CASCADE.");
            }
            tables->push_back(child);
        }
    }
    return {};
}

}  // namespace

Result<Answer> Session::State::truncate(const engine::Truncate& statement) {
    engine::SequenceOption restart;
    restart.kind = engine::SequenceOption::Kind::kRestart;
    auto work = [&](table::Transaction& t) -> Status {
        std::vector<catalog::TablePtr> tables;
        for (const engine::Name& name : statement.tables) {
            ASSIGN_OR_RETURN(catalog::TablePtr table, table_to_change(*t.view(), name));
            tables.push_back(std::move(table));
        }
        RETURN_IF_ERROR(add_referring(*t.view()->catalog, statement.cascade, &tables));
        for (const catalog::TablePtr& table : tables) {
            RETURN_IF_ERROR(t.truncate_table(table->id));
            if (!statement.restart_identity) continue;
            const catalog::Catalog& catalog = *t.view()->catalog;
            const uint32_t fresh = catalog.find(table->schema_name, table->name)->id;
            for (const catalog::TablePtr& owned : catalog.dependents(fresh)) {
                if (owned->kind != catalog::RelationKind::kSequence) continue;
                RETURN_IF_ERROR(alter_sequence_in(t, owned, {restart}));
            }
        }
        return {};
    };
    return define(work, "TRUNCATE TABLE");
}

// Runs the update of ON CONFLICT DO UPDATE over the rows that the sink found to be there.
Status Session::State::settle_conflicts(ChangeSink& sink, const engine::QueryPlan& plan,
                                        std::span<const Value> parameters,
                                        const access::SourceCatalog& catalog) {
    std::vector<arrow::Batch> conflicts = sink.take_conflicts();
    if (conflicts.empty()) return {};
    CHECK(!plan.children.empty());
    access::GivenRows given(catalog);
    given.set(kConflictRows, sink.conflict_schema(), std::move(conflicts));
    ASSIGN_OR_RETURN(auto stream, engine->run(plan.children[0], parameters, given, &cancel));
    for (;;) {
        ASSIGN_OR_RETURN(auto batch, stream->next());
        if (!batch) return {};
        RETURN_IF_ERROR(sink.write_conflicts(plan.children[0], std::move(*batch)));
    }
}

Result<Answer> Session::State::append(std::string_view table_name, ArrowArrayStream* rows) {
    // Taken over whatever happens.
    std::unique_ptr<ArrowArrayStream, void (*)(ArrowArrayStream*)> held(rows,
                                                                        [](ArrowArrayStream* s) {
                                                                            if (s->release)
                                                                                s->release(s);
                                                                        });
    RETURN_IF_ERROR(check_idle_block());
    if (txn_failed) {
        return block_failed();
    }
    RETURN_IF_ERROR(begin_statement());
    auto work = [&](table::Transaction& t) -> Result<uint64_t> {
        ASSIGN_OR_RETURN(catalog::TablePtr table,
                         table_to_change(*t.view(), engine::Name{std::string(table_name), 0}));
        table::TableWriter writer(t, table);
        auto now = catalog_of(t.view());
        ASSIGN_OR_RETURN(BulkInsert insert, BulkInsert::make(*engine, *now, cancel, writer, {}));
        ASSIGN_OR_RETURN(auto stream, engine->cast_stream(held.get(), insert.schema(), &cancel));
        for (;;) {
            ASSIGN_OR_RETURN(auto batch, stream->next());
            if (!batch) break;
            RETURN_IF_ERROR(insert.write(std::move(*batch)));
        }
        return writer.finish();
    };
    auto count = change(work, /*once=*/true);
    deadline.reset();
    if (!count.ok()) {
        fail_block();
        return explain_cancel(count.status());
    }
    return done("INSERT 0 " + std::to_string(*count), *count);
}

}  // namespace trefoil
