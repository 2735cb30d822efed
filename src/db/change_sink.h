// ChangeSink: where the rows of a change's read plan go.
//
//     read plan ──► batches ──► ChangeSink ──► TableWriter
//                                    └──► what RETURNING answers, for the rows that really changed
//
// It takes each batch apart (engine::ChangeShape says what is where), refuses rows that violate a
// CHECK, and settles what ON CONFLICT says: a row whose key is taken is dropped, or kept for the
// update of the row that is there, which is a plan of its own (see conflicts()).

#pragma once

#include <set>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "table/transaction.h"

namespace trefoil {

// The values of a row, as errors show them: "1, null, x".
std::string row_text(const arrow::Batch& rows, int64_t row);

// Of what RETURNING answers; of a query that locks rows, without their ids.
arrow::SchemaPtr returned_schema(const engine::QueryPlan& plan);

// The name under which the rows of conflicts() are read.
extern const std::string kConflictRows;

class ChangeSink {
public:
    // Both must outlive the sink. REQUIRES: plan.change.
    ChangeSink(table::TableWriter& writer, const engine::QueryPlan& plan);

    // Rows that are there stop new ones from being inserted, instead of an error.
    // Errors: 42P10 if no unique key is meant, 42704 if no constraint is.
    Status set_conflict(const engine::OnConflict& conflict);

    // Errors: 23514, 21000 (a row would be changed twice by ON CONFLICT DO UPDATE), those of the
    // writer.
    Status write(arrow::Batch batch);

    // The rows that ON CONFLICT DO UPDATE has to look at: _rowid, e0, ... of the row that was
    // proposed, t0, ... of the row that is there.
    std::vector<arrow::Batch> take_conflicts() { return std::move(conflicts_); }
    arrow::SchemaPtr conflict_schema() const;
    // What their plan yields.
    Status write_conflicts(const engine::QueryPlan& plan, arrow::Batch batch);

    std::vector<arrow::Batch> take_returned() { return std::move(returned_); }

private:
    // A batch of a read plan, taken apart.
    struct Pieces {
        arrow::Array actions;   // of MERGE
        arrow::Batch rows;      // of the table's columns
        arrow::Array row_ids;   // if there are any
        arrow::Array violated;  // if there are CHECK constraints
        arrow::Batch returned;
    };
    Pieces take_apart(const engine::QueryPlan& plan, arrow::Batch batch) const;
    Status check(const engine::QueryPlan& plan, const Pieces& pieces) const;
    Status insert(Pieces pieces);
    Status merge(const Pieces& pieces);
    Result<std::vector<uint32_t>> without_conflict(const arrow::Batch& rows);
    void keep(const engine::QueryPlan& plan, arrow::Batch returned);

    table::TableWriter& writer_;
    const engine::QueryPlan& plan_;
    arrow::SchemaPtr returned_schema_;
    std::vector<arrow::Batch> returned_;

    bool skips_ = false, updates_ = false;
    std::vector<size_t> arbiters_;                // unique indexes
    std::vector<std::set<index::Key>> proposed_;  // for each of them: keys of rows inserted
    std::vector<arrow::Batch> conflicts_;
    std::set<uint64_t> updated_;  // rows that ON CONFLICT changed
};

}  // namespace trefoil
