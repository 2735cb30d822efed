// IndexCatchUp: new indexes follow what others commit while they are built.
//
//     IndexCatchUp up = ...                       what the transaction has built over its snapshot
//     while (up.rows_behind(newest) is large)     no lock: commits go on
//         up.follow(newest)
//     ... with no flush any more, and at last at the tip ...
//     up.follow(tip), publish up.result()
//
// Between two versions of a table most parts are the same. Those that are not, fresh ones, hold
// every row whose key may be another now: chunks in memory get keys of their own, segments a run.
// So each round takes as long as what was committed, or moved by a flush, during the one before.
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
    // Errors: 23505, 57014, 53100, 53200, kCorruption.
    Status follow(const TableVersionPtr& newest);

    // What was followed last, under the new definition and with the new indexes.
    const TableVersion& result() const { return *result_; }
    // Places of the new indexes.
    const std::vector<size_t>& indexes() const { return indexes_; }
    // The files that were made.
    void keep_files();

private:
    IndexCatchUp(TableStore& store, Transaction& txn) : store_(store), txn_(txn) {}
    Status follow_index(size_t index, std::span<const Part> segments, std::span<const size_t> fresh,
                        TableVersion& next);
    bool is_same_table(const TableVersion& newest) const {
        return newest.def_ptr() == seen_->def_ptr();
    }

    TableStore& store_;
    Transaction& txn_;
    TableVersionPtr seen_;    // what was followed last, as others see it ...
    TableVersionPtr result_;  // ... and with the new indexes, part by part
    std::vector<size_t> indexes_;
    std::vector<uint64_t> leaving_;  // rows that the transaction itself kills, sorted
    std::vector<std::shared_ptr<const DataFile>> files_;
};

// True if a row of these entries had another key before. `before` has the index, too.
Result<bool> moves_keys(const TableVersion& before, size_t index, const index::KeyRun& keys,
                        const std::function<uint64_t(uint64_t position)>& row_id_of);

}  // namespace trefoil::table
