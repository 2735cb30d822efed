// ANALYZE: samples a table for common values and quantiles, and keeps what it found in the root.
//
// Rows are taken at equal distances through all parts, kSampleRows at most. A value is common if
// it is seen clearly more often than the average; quantiles cut the rest into equal numbers of
// rows. Different values come from the sketches of the zone maps where every row has one, else
// from the sample, by how many values were seen once (Haas and Stokes, "Estimating the number of
// classes in a finite population", 1998). Stored form: manifest_format.h.

#pragma once

#include "storage/store.h"
#include "table/statistics.h"
#include "table/table_version.h"

namespace trefoil::table {

inline constexpr uint64_t kSampleRows = 30000;
inline constexpr size_t kCommonMax = 32;
inline constexpr size_t kQuantiles = 64;

// Errors: kCorruption.
Result<Analysis> analyse(const TableVersion& table);

// Whether so much has changed since the last one that another is worth while. A table of fewer than
// kSmallTableRows is looked at as a whole when a plan asks what is known of it, so that it is known
// at once; a larger one by the background thread, a moment after it grew.
inline constexpr uint64_t kSmallTableRows = 10000;
bool wants_analysis_at_once(const Analysis* last, uint64_t rows);
bool wants_analysis(const TableVersion& table);

Status put_analysis(WriteTransaction& root, const catalog::TableDef& table,
                    const Analysis& analysis);
// Null if there is none.
Result<AnalysisPtr> read_analysis(const ReadTransaction& root, const catalog::TableDef& table);

}  // namespace trefoil::table
