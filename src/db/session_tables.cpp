// System tables about who is there:
//
//     trefoil_sessions   each session, what it does and since when
//     trefoil_locks      each lock of rows, and who waits for one

#include "arrow/builder.h"
#include "base/check.h"
#include "db/database_state.h"

namespace trefoil {
namespace {

using Row = std::vector<Value>;

Result<arrow::Batch> batch_of(const arrow::SchemaPtr& schema, const std::vector<Row>& rows) {
    arrow::Batch batch{schema, static_cast<int64_t>(rows.size()), {}};
    for (size_t c = 0; c < schema->fields.size(); c++) {
        arrow::ColumnBuilder column(schema->fields[c].type);
        for (const Row& row : rows) RETURN_IF_ERROR(column.append(row[c]));
        batch.columns.push_back(column.finish());
    }
    return batch;
}

arrow::SchemaPtr schema_of(std::vector<arrow::Field> fields) {
    auto schema = std::make_shared<arrow::Schema>();
    schema->fields = std::move(fields);
    return schema;
}

Value number(std::optional<uint64_t> v) {
    return v ? Value(static_cast<int64_t>(*v)) : Value();
}

access::VirtualTable sessions_table(Database::State& db) {
    auto schema = schema_of({{"session", arrow::int64(), false},
                             {"state", arrow::utf8_view(), false},
                             {"statement", arrow::utf8_view(), false},
                             {"since", arrow::timestamp("UTC"), true},
                             {"transaction", arrow::int64(), true}});
    return {schema, [&db, schema]() -> Result<arrow::Batch> {
                std::vector<Row> rows;
                for (const Activity::Report& r : db.activities.list()) {
                    const Value since = r.since_us ? Value(Timestamp{r.since_us}) : Value();
                    rows.push_back({number(r.session), Value(r.state), Value(r.statement), since,
                                    number(r.transaction)});
                }
                return batch_of(schema, rows);
            }};
}

access::VirtualTable locks_table(Database::State& db) {
    auto schema = schema_of({{"table_name", arrow::utf8_view(), true},
                             {"row_id", arrow::int64(), true},
                             {"rows", arrow::int64(), false},
                             {"transaction", arrow::int64(), false},
                             {"mode", arrow::utf8_view(), false},
                             {"granted", arrow::boolean(), false}});
    return {schema, [&db, schema]() -> Result<arrow::Batch> {
                ASSIGN_OR_RETURN(table::VersionPtr version, db.tables->current());
                std::vector<Row> rows;
                for (const table::LockManager::Held& held : db.tables->locks().list()) {
                    catalog::TablePtr table = version->catalog->find(held.table);
                    rows.push_back({table ? Value(table->name) : Value(), number(held.row),
                                    number(held.rows), number(held.owner),
                                    Value(std::string(table::lock_mode_name(held.mode))),
                                    Value(held.granted)});
                }
                return batch_of(schema, rows);
            }};
}

}  // namespace

void add_session_tables(Database::State& db, access::VirtualTables& tables) {
    tables.emplace("trefoil_sessions", sessions_table(db));
    tables.emplace("trefoil_locks", locks_table(db));
}

}  // namespace trefoil
