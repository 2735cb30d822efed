// BulkInsert: rows at hand into a table, for COPY and for appends.
//
// Most tables take the rows as they are, with constants in the columns that are not given. Rows of
// a table that has CHECK constraints or stored columns, or defaults that must be computed for each
// row, go through the engine: each batch through the plan of INSERT INTO t SELECT * FROM these
// rows.

#pragma once

#include "access/source.h"
#include "db/change_sink.h"
#include "engine/engine.h"
#include "table/transaction.h"

namespace trefoil {

class BulkInsert {
public:
    // All of them must outlive this. `columns` are those that are given, by position; none: all
    // but the stored ones. Errors: 428C9 if one is stored, those of planning.
    static Result<BulkInsert> make(engine::EngineSession& engine,
                                   const access::SourceCatalog& catalog,
                                   const access::CancelFlag& cancel, table::TableWriter& writer,
                                   std::vector<uint32_t> columns);

    // Of the rows that write() takes.
    const arrow::SchemaPtr& schema() const { return schema_; }

    // Errors: 23514, those of the writer.
    Status write(arrow::Batch rows);

private:
    BulkInsert(engine::EngineSession& engine, const access::SourceCatalog& catalog,
               const access::CancelFlag& cancel, table::TableWriter& writer)
        : engine_(&engine), catalog_(&catalog), cancel_(&cancel), writer_(&writer) {}
    Status make_plan();
    Status evaluate_defaults();
    Result<arrow::Batch> widen(arrow::Batch rows) const;

    engine::EngineSession* engine_;
    const access::SourceCatalog* catalog_;
    const access::CancelFlag* cancel_;
    table::TableWriter* writer_;
    std::vector<uint32_t> columns_;
    arrow::SchemaPtr schema_;
    std::vector<Value> defaults_;            // by column of the table
    std::optional<engine::QueryPlan> plan_;  // if the rows must be looked at
};

}  // namespace trefoil
