// System tables: what a database tells about itself, as tables.
//
//     trefoil_tables     each table with its rows and how they are stored
//     trefoil_indexes    each index with its columns, its size and its models
//     trefoil_stats      each table with what its scans and its index did since the database was
//     opened trefoil_counters   statements by tier, plans, commits, flushes

#include "arrow/builder.h"
#include "base/check.h"
#include "db/database_state.h"

namespace trefoil {
namespace {

using Row = std::vector<Value>;

arrow::SchemaPtr schema_of(std::initializer_list<const char*> texts,
                           std::initializer_list<const char*> numbers) {
    auto schema = std::make_shared<arrow::Schema>();
    for (const char* name : texts) schema->fields.push_back({name, arrow::utf8_view(), false});
    for (const char* name : numbers) schema->fields.push_back({name, arrow::int64(), false});
    return schema;
}

Result<arrow::Batch> batch_of(const arrow::SchemaPtr& schema, const std::vector<Row>& rows) {
    arrow::Batch batch{schema, static_cast<int64_t>(rows.size()), {}};
    for (size_t c = 0; c < schema->fields.size(); c++) {
        arrow::ColumnBuilder column(schema->fields[c].type);
        for (const Row& row : rows) RETURN_IF_ERROR(column.append(row[c]));
        batch.columns.push_back(column.finish());
    }
    return batch;
}

Value number(uint64_t v) {
    return Value(static_cast<int64_t>(v));
}

// Of the primary key; empty if there is none.
std::string key_name(const catalog::TableDef& table) {
    const catalog::IndexDef* key = table.primary();
    return key ? key->name : "";
}

access::VirtualTable tables_table(Database::State& db) {
    auto schema = schema_of({"name", "index"}, {"rows", "segments", "patches", "rows_in_memory",
                                                "bytes_in_memory", "bytes_on_disk", "index_runs"});
    return {schema, [&db, schema]() -> Result<arrow::Batch> {
                ASSIGN_OR_RETURN(table::VersionPtr version, db.tables->current());
                std::vector<Row> rows;
                for (const auto& [id, t] : version->tables) {
                    uint64_t bytes = 0, runs = 0;
                    for (size_t i = 0; i < t->part_count(); i++) {
                        const auto& file = t->part(i).chunk->file();
                        if (file) bytes += file->size();
                    }
                    for (size_t i = 0; i < t->index_count(); i++) {
                        runs += t->runs(i).size();
                        for (const table::RunPart& r : t->runs(i)) bytes += r.run->file()->size();
                    }
                    rows.push_back({t->def().name, key_name(t->def()), number(t->live_rows()),
                                    number(t->base().size()), number(t->patches().size()),
                                    number(t->delta_rows()), number(t->delta_bytes()),
                                    number(bytes), number(runs)});
                }
                return batch_of(schema, rows);
            }};
}

// "primary key", "unique constraint", "unique index", "index"
std::string kind_of(const catalog::IndexDef& index) {
    if (index.is_primary) return "primary key";
    return (index.unique ? "unique " : "") +
           std::string(index.is_constraint ? "constraint" : "index");
}

access::VirtualTable indexes_table(Database::State& db) {
    auto schema = schema_of({"table_name", "name", "columns", "kind", "definition", "model"},
                            {"entries", "bytes_on_disk", "runs"});
    return {schema, [&db, schema]() -> Result<arrow::Batch> {
                ASSIGN_OR_RETURN(table::VersionPtr version, db.tables->current());
                std::vector<Row> rows;
                for (const auto& [id, t] : version->tables) {
                    for (size_t i = 0; i < t->index_count(); i++) {
                        const catalog::IndexDef& index = t->index_def(i);
                        std::string columns, model;
                        for (uint32_t c : index.columns) {
                            columns += (columns.empty() ? "" : ", ") + t->def().columns[c].name;
                        }
                        uint64_t entries = 0, bytes = 0;
                        for (const table::RunPart& r : t->runs(i)) {
                            entries += r.run->size();
                            bytes += r.run->file()->size();
                            model += (model.empty() ? "" : "; ") + r.run->model_text();
                        }
                        for (const table::Part& p : t->delta()) {
                            entries += p.chunk->keys()[i]->size();
                        }
                        rows.push_back({t->def().name, index.name, columns, kind_of(index),
                                        t->def().index_sql(index), model, number(entries),
                                        number(bytes), number(t->runs(i).size())});
                    }
                }
                return batch_of(schema, rows);
            }};
}

access::VirtualTable stats_table(Database::State& db) {
    auto schema =
        schema_of({"table_name", "index_name"},
                  {"scans", "rows_scanned", "zones_skipped", "point_lookups", "range_lookups",
                   "index_scans", "searches", "model_searches", "last_mile_steps", "rows_fetched"});
    return {schema, [&db, schema]() -> Result<arrow::Batch> {
                ASSIGN_OR_RETURN(table::VersionPtr version, db.tables->current());
                std::vector<Row> rows;
                for (const auto& [id, t] : version->tables) {
                    auto c = db.table_counters.of(id);
                    rows.push_back({t->def().name, key_name(t->def()), number(c->scans),
                                    number(c->rows_scanned), number(c->zones_skipped),
                                    number(c->point_lookups), number(c->range_lookups),
                                    number(c->index_scans), number(c->searches),
                                    number(c->model_searches), number(c->last_mile_steps),
                                    number(c->rows_fetched)});
                }
                return batch_of(schema, rows);
            }};
}

access::VirtualTable counters_table(Database::State& db) {
    auto schema = schema_of({"name"}, {"value"});
    return {schema, [&db, schema]() -> Result<arrow::Batch> {
                const StatementCounters& s = db.statement_counters;
                const table::TableStore::Counters& t = db.tables->counters();
                std::vector<Row> rows = {
                    {"statements_access_tier", number(s.access_tier)},
                    {"statements_engine_tier", number(s.engine_tier)},
                    {"plans_made", number(s.plans_made)},
                    {"cache_hits", number(s.cache_hits)},
                    {"commit_retries", number(s.commit_retries)},
                    {"lock_waits", number(db.tables->locks().counters().waits)},
                    {"deadlocks", number(db.tables->locks().counters().deadlocks)},
                    {"commits", number(t.commits)},
                    {"commit_groups", number(t.commit_groups)},
                    {"flushes", number(t.flushes)},
                    {"compacted_segments", number(t.compacted_segments)},
                    {"engine_memory_bytes", number(db.engine->memory_used())},
                    {"delta_bytes", number(db.tables->delta_bytes())},
                };
                return batch_of(schema, rows);
            }};
}

}  // namespace

access::VirtualTables make_system_tables(Database::State& db) {
    access::VirtualTables tables;
    tables.emplace("trefoil_tables", tables_table(db));
    tables.emplace("trefoil_indexes", indexes_table(db));
    tables.emplace("trefoil_stats", stats_table(db));
    tables.emplace("trefoil_counters", counters_table(db));
    add_session_tables(db, tables);
    return tables;
}

}  // namespace trefoil
