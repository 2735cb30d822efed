// Statistics: what is known of a table's values without reading them, for the planner.
//
//     segments   from their zone maps, made when they were written
//     memory     a sample of the first rows of each chunk, taken once
//     ANALYZE    common values and quantiles, of a sample of the whole table; kept in the root.
//                A small table is analysed when it is first asked about, and not kept: it costs
//                less than a plan
//
// All of it is an estimate and changes only how a query runs. It is put together once per set of
// chunks: a StatisticsCache is shared by all versions of a table, so that a commit of a few rows
// costs the next plan no more than those rows.
//
// Threads: a StatisticsCache may be used by many at once.

#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "arrow/distinct_sketch.h"
#include "table/chunk.h"
#include "table/zone_map.h"
#include "trefoil/value.h"

namespace trefoil::table {

class TableVersion;

// What ANALYZE found in one column.
struct ColumnAnalysis {
    double null_share = 0;  // of all rows
    double distinct = 0;
    // Values that are more frequent than most, with their share of all rows, the greatest first.
    std::vector<std::pair<Value, double>> common;
    // Of all values but NULL and the common ones: the least, the greatest, and between them values
    // with equally many rows from one to the next. Empty if the type has no order.
    std::vector<Value> quantiles;
};

struct Analysis {
    uint64_t rows = 0;                           // live when it was made
    uint64_t sampled = 0;                        // of them looked at
    std::map<uint32_t, ColumnAnalysis> columns;  // by column id
};
using AnalysisPtr = std::shared_ptr<const Analysis>;

struct ColumnSummary {
    uint64_t null_count = 0;
    uint64_t distinct = 0;
    Value min, max;  // NULL if not known
    const ColumnAnalysis* analysis = nullptr;
};

struct TableStatistics {
    uint64_t rows = 0;                   // dead ones included
    bool complete = true;                // every row was looked at: bounds enclose all of them
    std::vector<ColumnSummary> columns;  // by position
    AnalysisPtr analysis;
};
using TableStatisticsPtr = std::shared_ptr<const TableStatistics>;

class StatisticsCache {
public:
    TableStatisticsPtr of(const TableVersion& table);
    AnalysisPtr analysis() const;
    void set_analysis(AnalysisPtr analysis);

private:
    // REQUIRES of both: mutex_ is held.
    const TableStatisticsPtr& up_to_date(const TableVersion& table);
    TableStatisticsPtr put_together(const TableVersion& table);

    mutable std::mutex mutex_;
    // Chunks are known, not held: a file goes from the disk when nobody reads it any more.
    using KnownChunk = std::weak_ptr<const Chunk>;
    using Samples = std::map<KnownChunk, ZoneMap, std::owner_less<KnownChunk>>;

    std::vector<KnownChunk> chunks_;  // that made_ is about
    TableStatisticsPtr made_;
    Samples samples_;  // of chunks in memory
    AnalysisPtr analysis_;
    bool analysing_ = false;  // a small table, by one who asked; others take what is known
};

}  // namespace trefoil::table
