// BulkInsert: rows at hand into a table, for COPY and for appends.
//
// Most tables take the rows as they are. One with CHECK constraints has them looked at by the
// engine first: each batch goes through the plan of INSERT INTO t SELECT * FROM these rows.

#pragma once

#include "access/source.h"
#include "db/change_sink.h"
#include "engine/engine.h"
#include "table/transaction.h"

namespace trefoil {

class BulkInsert {
public:
    // All of them must outlive this. Errors: those of planning.
    static Result<BulkInsert> make(engine::EngineSession& engine,
                                   const access::SourceCatalog& catalog,
                                   const access::CancelFlag& cancel, table::TableWriter& writer);

    // All columns in the table's order. Errors: 23514, those of the writer.
    Status write(arrow::Batch rows);

private:
    BulkInsert(engine::EngineSession& engine, const access::SourceCatalog& catalog,
               const access::CancelFlag& cancel, table::TableWriter& writer)
        : engine_(&engine), catalog_(&catalog), cancel_(&cancel), writer_(&writer) {}

    engine::EngineSession* engine_;
    const access::SourceCatalog* catalog_;
    const access::CancelFlag* cancel_;
    table::TableWriter* writer_;
    std::optional<engine::QueryPlan> plan_;  // if the rows must be looked at
};

}  // namespace trefoil
