// System tables: what a database tells about itself, as tables.
//
//     trefoil_tables     each table with its rows and how they are stored
//     trefoil_indexes    each index with its columns, its size and its models
//     trefoil_statistics what the planner knows of each column (analyze.cpp)
//     trefoil_stats      each table with what its scans and its index did since the database was
//                        opened
//     trefoil_counters   statements by tier, plans, commits, flushes
//     trefoil_settings   each setting with its value in the session that asks (variables.cpp)

#include <array>

#include "arrow/builder.h"
#include "base/check.h"
#include "db/database_state.h"
#include "db/system_tables.h"

namespace trefoil {
namespace {

Value number(uint64_t v) {
    return Value(static_cast<int64_t>(v));
}

// Of the primary key; empty if there is none.
std::string key_name(const catalog::TableDef& table) {
    const catalog::IndexDef* key = table.primary();
    return key ? key->name : "";
}

TableRows tables_rows(const table::Version& version) {
    TableRows rows;
    for (const auto& [id, t] : version.tables) {
        uint64_t bytes = 0, runs = 0;
        for (const auto& file : t->files()) bytes += file->size();
        for (size_t i = 0; i < t->index_count(); i++) runs += t->runs(i).size();
        rows.push_back({t->def().name, key_name(t->def()), t->def().schema_name,
                        number(t->live_rows()), number(t->base().size()),
                        number(t->patches().size()), number(t->delta_rows()),
                        number(t->delta_bytes()), number(bytes), number(runs)});
    }
    return rows;
}

// "primary key", "unique constraint", "unique index", "index"
std::string kind_of(const catalog::IndexDef& index) {
    if (index.is_primary) return "primary key";
    if (index.is_hash) return "hash index";
    return (index.unique ? "unique " : "") +
           std::string(index.is_constraint ? "constraint" : "index");
}

// Indexes of the program's tables: nothing of them is stored.
void add_custom_indexes(const Database::State& db, TableRows* rows) {
    static constexpr std::array kKinds = {"program, ordered", "program, hash",
                                          "program, conditions"};
    for (const auto& [name, t] : db.custom_tables.current()->by_name) {
        for (const access::CustomIndexDef& index : t->indexes) {
            std::string columns;
            for (uint32_t c : index.columns) {
                columns += (columns.empty() ? "" : ", ") + t->schema->fields[c].name;
            }
            rows->push_back({name, index.name, columns, kKinds[static_cast<size_t>(index.kind)],
                             Value(), Value(), std::string(catalog::kPublicSchema), Value(),
                             number(0), number(0)});
        }
    }
}

TableRows indexes_rows(const Database::State& db, const table::Version& version) {
    TableRows rows;
    for (const auto& [id, t] : version.tables) {
        for (size_t i = 0; i < t->index_count(); i++) {
            const catalog::IndexDef& index = t->index_def(i);
            const std::string columns = t->def().columns_sql(index) + t->def().included_sql(index);
            std::string model;
            uint64_t entries = 0, bytes = 0;
            for (const table::RunPart& r : t->runs(i)) {
                entries += r.run->size();
                bytes += r.run->file()->size();
                model += (model.empty() ? "" : "; ") + r.run->model_text();
            }
            for (const table::Part& p : t->delta()) entries += p.chunk->keys()[i]->size();
            rows.push_back({t->def().name, index.name, columns, kind_of(index),
                            t->def().index_sql(index), model, t->def().schema_name, number(entries),
                            number(bytes), number(t->runs(i).size())});
        }
    }
    add_custom_indexes(db, &rows);
    return rows;
}

std::vector<Value> stats_row(const std::string& table, const std::string& index,
                             const access::TableCounters& c) {
    std::vector<Value> row = {table, index};
    for (const std::atomic<uint64_t>* counter :
         {&c.scans, &c.rows_scanned, &c.zones_skipped, &c.point_lookups, &c.range_lookups,
          &c.index_scans, &c.ordered_scans, &c.merge_scans, &c.late_fetches, &c.index_probes,
          &c.searches, &c.model_searches, &c.last_mile_steps, &c.rows_fetched, &c.rows_covered}) {
        row.push_back(number(*counter));
    }
    return row;
}

TableRows stats_rows(Database::State& db, const table::Version& version) {
    TableRows rows;
    for (const auto& [id, t] : version.tables) {
        rows.push_back(stats_row(t->def().name, key_name(t->def()), *db.table_counters.of(id)));
    }
    for (const auto& [name, t] : db.custom_tables.current()->by_name) {
        rows.push_back(stats_row(name, "", *t->counters));
    }
    return rows;
}

TableRows counters_rows(const Database::State& db) {
    const StatementCounters& s = db.statement_counters;
    const table::TableStore::Counters& t = db.tables->counters();
    return {
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
        {"analyses", number(t.analyses)},
        {"engine_memory_bytes", number(db.engine->memory_used())},
        {"delta_bytes", number(db.tables->delta_bytes())},
    };
}

// What COMMENT ON said.
TableRows comments_rows(const table::Version& version) {
    TableRows rows;
    for (const catalog::TablePtr& r : version.catalog->relations()) {
        const std::string kind(catalog::kind_name(r->kind));
        if (!r->comment.empty()) rows.push_back({kind, r->schema_name, r->name, "", r->comment});
        for (const catalog::ColumnDef& c : r->columns) {
            if (!c.comment.empty()) {
                rows.push_back({"column", r->schema_name, r->name, c.name, c.comment});
            }
        }
    }
    return rows;
}

}  // namespace

void add_table(access::VirtualTables& all, const std::string& name,
               const std::vector<const char*>& texts, const std::vector<const char*>& numbers,
               std::function<TableRows(const table::Version&)> rows) {
    std::vector<arrow::Field> columns;
    for (const char* column : texts) columns.push_back({column, arrow::utf8_view(), true});
    for (const char* column : numbers) columns.push_back({column, arrow::int64(), true});
    add_table(all, name, std::move(columns), std::move(rows));
}

void add_table(access::VirtualTables& all, const std::string& name,
               std::vector<arrow::Field> columns,
               std::function<TableRows(const table::Version&)> rows) {
    auto schema = std::make_shared<arrow::Schema>();
    schema->fields = std::move(columns);
    auto batch = [schema,
                  rows = std::move(rows)](const table::Version& version) -> Result<arrow::Batch> {
        const TableRows all_rows = rows(version);
        arrow::Batch out{schema, static_cast<int64_t>(all_rows.size()), {}};
        for (size_t c = 0; c < schema->fields.size(); c++) {
            arrow::ColumnBuilder column(schema->fields[c].type);
            for (const auto& row : all_rows) RETURN_IF_ERROR(column.append(row[c]));
            out.columns.push_back(column.finish());
        }
        return out;
    };
    all.emplace(name, access::VirtualTable{schema, batch});
}

access::VirtualTables make_system_tables(Database::State& db) {
    access::VirtualTables all;
    add_table(all, "trefoil_tables", {"name", "index", "schema"},
              {"rows", "segments", "patches", "rows_in_memory", "bytes_in_memory", "bytes_on_disk",
               "index_runs"},
              tables_rows);
    add_table(all, "trefoil_indexes",
              {"table_name", "name", "columns", "kind", "definition", "model", "schema"},
              {"entries", "bytes_on_disk", "runs"},
              [&db](const table::Version& version) { return indexes_rows(db, version); });
    add_table(all, "trefoil_stats", {"table_name", "index_name"},
              {"scans", "rows_scanned", "zones_skipped", "point_lookups", "range_lookups",
               "index_scans", "ordered_scans", "merge_scans", "late_fetches", "index_probes",
               "searches", "model_searches", "last_mile_steps", "rows_fetched", "rows_covered"},
              [&db](const table::Version& version) { return stats_rows(db, version); });
    add_table(all, "trefoil_counters", {"name"}, {"value"},
              [&db](const table::Version&) { return counters_rows(db); });
    add_table(all, "trefoil_comments", {"object_type", "schema", "name", "column_name", "comment"},
              {}, comments_rows);
    add_statistics_table(all);
    add_session_tables(db, all);
    add_settings_table(all, [] { return TableRows(); });  // the name; a session has the rows
    add_information_schema(all);
    add_sequence_tables(db, all);
    return all;
}

}  // namespace trefoil
