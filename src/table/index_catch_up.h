// IndexCatchUp: new indexes follow what others commit while they are built.
//
//     IndexCatchUp up = ...                       what the transaction has built over its snapshot
//     while (up.rows_behind(newest) is large)     no lock: commits go on
//         up.follow(newest)
//     ... with no flush any more, and at last at the tip ...
//     up.follow(tip), publish up.result()
//
// Between two versions of a table most parts are the same. Those that are not, fresh ones, hold
// every row whose key may be another now: chunks in memory get keys of their own, segments a run,
// both first the hidden columns that are new (column_fill.h). So each round takes as long as what
// was committed, or moved by a flush, during the one before.
//
// Internal to the room.

#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "table/index_work.h"
#include "table/table_version.h"
#include "table/transaction.h"

namespace trefoil::table {

class IndexCatchUp {
public:
    // Whether the transaction has made an index of a table that others see, too.
    static bool is_needed(const Transaction& txn, uint32_t table_id);
    // REQUIRES: is_needed(). The transaction lives longer. Errors: kCorruption.
    static Result<std::unique_ptr<IndexCatchUp>> begin(TableStore& store, Transaction& txn,
                                                       uint32_t table_id);

    // Rows in fresh parts; 0 if the table was altered by others, and so no commit will come of it.
    uint64_t rows_behind(const TableVersion& newest) const;
    // Errors: 23505, 57014, 53100, 53200, kCorruption, those of an expression.
    Status follow(const TableVersionPtr& newest);

    // What was followed last, under the new definition and with the new indexes.
    const TableVersion& result() const { return *result_; }
    // Places of the new indexes.
    const std::vector<size_t>& indexes() const { return indexes_; }
    // Whether the rows in memory have columns that their redo records lack.
    bool fills_columns() const { return fills_columns_; }
    // The files that were made, as far as result() has them.
    void keep_files();

private:
    IndexCatchUp(TableStore& store, Transaction& txn) : store_(store), txn_(txn) {}
    Status follow_index(size_t index, std::span<const Part> segments, std::span<const size_t> fresh,
                        TableVersion& next);
    // Whether a row of the fresh parts may be in another run under another key. `run` has those of
    // the segments, null if there are none.
    Result<bool> has_moved(size_t index, const index::KeyRun* run, std::span<const Part> segments,
                           std::span<const size_t> fresh, const TableVersion& next) const;
    bool is_same_table(const TableVersion& newest) const {
        return newest.def_ptr() == seen_->def_ptr();
    }

    TableStore& store_;
    Transaction& txn_;
    TableVersionPtr seen_;    // what was followed last, as others see it ...
    TableVersionPtr result_;  // ... and with the new indexes, part by part
    std::vector<size_t> indexes_;
    bool fills_columns_ = false;
    std::vector<uint64_t> leaving_;  // rows that the transaction itself kills, sorted
};

// True if a row in memory had another key before, or has left a partial index. `before` has the
// index, too.
Result<bool> moves_keys(const TableVersion& before, size_t index, const Part& part);

}  // namespace trefoil::table
