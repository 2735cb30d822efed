// BulkInsert: the plan through which rows go.

#include "db/bulk_insert.h"

#include "access/given_rows.h"
#include "base/check.h"

namespace trefoil {
namespace {

// The rows that are inserted.
const std::string kRows("\1rows");

std::string quoted(std::string_view name) {
    std::string text = "\"";
    for (char c : name) text += c == '"' ? "\"\"" : std::string(1, c);
    return text + "\"";
}

}  // namespace

Result<BulkInsert> BulkInsert::make(engine::EngineSession& engine,
                                    const access::SourceCatalog& catalog,
                                    const access::CancelFlag& cancel, table::TableWriter& writer) {
    BulkInsert insert(engine, catalog, cancel, writer);
    const catalog::TableDef& table = writer.table();
    if (table.checks.empty()) return insert;
    access::GivenRows given(catalog);
    given.set(kRows, table.schema(), {});
    ASSIGN_OR_RETURN(engine::Statement statement,
                     engine.parse("INSERT INTO " + quoted(table.schema_name) + "." +
                                  quoted(table.name) + " SELECT * FROM " + quoted(kRows)));
    ASSIGN_OR_RETURN(insert.plan_, engine.plan(statement, given));
    return insert;
}

Status BulkInsert::write(arrow::Batch rows) {
    if (!plan_ || rows.rows == 0) return writer_->insert(rows);
    access::GivenRows given(*catalog_);
    rows.schema = writer_->table().schema();
    std::vector<arrow::Batch> batches;
    batches.push_back(std::move(rows));
    given.set(kRows, writer_->table().schema(), std::move(batches));
    ChangeSink sink(*writer_, *plan_);
    ASSIGN_OR_RETURN(auto stream, engine_->run(*plan_, {}, given, cancel_));
    for (;;) {
        ASSIGN_OR_RETURN(auto batch, stream->next());
        if (!batch) return {};
        RETURN_IF_ERROR(sink.write(std::move(*batch)));
    }
}

}  // namespace trefoil
