// ColumnFill: rows that were written without a hidden column get what it holds.
//
// An index over an expression needs a column that holds it (catalog::ColumnDef::is_hidden). It is
// computed for the rows that are there, and for those that others write meanwhile under the
// definition that lacks it; so nobody has to wait:
//
//     rows in a segment     into a file beside it (segment.h); nothing is rewritten
//     rows in memory        into the chunk
//
// Dead rows get NULL: nobody who knows the column sees them, and their values might not be fit for
// the expression. What computes is given by the room above (ComputeColumns).
//
// Internal to the room.

#pragma once

#include <atomic>
#include <mutex>
#include <vector>

#include "storage/store.h"
#include "table/compute_columns.h"
#include "table/index_work.h"
#include "table/table_version.h"
#include "table/transaction.h"

namespace trefoil::table {

class ColumnFill {
public:
    // `def` is what the table is to be; files that are made go to `staged`. All but `def` live
    // longer.
    ColumnFill(TableStore& store, catalog::TablePtr def, const IndexWork& work, StagedFiles* staged)
        : store_(store), def_(std::move(def)), work_(work), staged_(staged) {}

    // The part's chunk with all columns that are new, under the new definition; the same chunk if
    // none is. Errors: those of the expression, 57014, 53100, kCorruption.
    Result<ChunkPtr> fill(const Part& part);
    // Does so with all parts of a table but those that are `known`, on several threads.
    Status fill(TableVersion& table, const AlteredChunks& known = {});

    // Whether a table of the one definition lacks columns of the other.
    static bool is_needed(const catalog::TableDef& before, const catalog::TableDef& after) {
        return !lacking(before, after).empty();
    }

private:
    static std::vector<uint32_t> lacking(const catalog::TableDef& before,
                                         const catalog::TableDef& after);
    Result<std::vector<arrow::Array>> compute(const Part& part, const Chunk& chunk,
                                              std::span<const uint32_t> wanted) const;

    TableStore& store_;
    catalog::TablePtr def_;
    const IndexWork& work_;
    StagedFiles* staged_;
    std::mutex mutex_;  // guards staged_
};

}  // namespace trefoil::table
