// Moving rows: picking, joining and compacting arrays, and reading them for statistics.
//
// Strings in views are picked by their views: the result shares the data buffers of its sources and
// copies no string. That is quick and keeps whole buffers alive; compact() breaks the tie.
//
// All Arrow types are understood unless a function says otherwise.

#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "arrow/array.h"
#include "arrow/distinct_sketch.h"
#include "trefoil/value.h"

namespace trefoil::arrow {

// A row of one of several arrays.
struct RowRef {
    uint32_t source;
    uint32_t row;
};

// The values at `rows`, in this order; rows may repeat. Also how a selection filters.
// REQUIRES: every row is below array.length.
Array take(const Array& array, std::span<const uint32_t> rows);
// The rows of a batch, column by column.
Batch take(const Batch& batch, std::span<const uint32_t> rows);

// Values of several arrays of one type, in this order.
// REQUIRES: at least one source; dictionary arrays share one dictionary (see decode_dictionary).
Array gather(std::span<const Array* const> sources, std::span<const RowRef> rows);

// The arrays one after the other. Strings are shared, not copied.
// REQUIRES: as gather().
Array concat(std::span<const Array> arrays);
// REQUIRES: at least one batch.
Batch concat(std::span<const Batch> batches);

// The same values with offset 0 in buffers that hold nothing else, null_count counted; strings of
// views in one fresh heap (more than one only above 1 GiB). What is written to a file is compact.
// Types that are not is_buildable (structs) still share the heaps of views in their children.
Array compact(const Array& array);

// The values themselves instead of a dictionary; other arrays come back as they are.
Array decode_dictionary(const Array& array);

// `length` times the same value, converted as ColumnBuilder::append() does. REQUIRES: is_buildable.
Result<Array> make_constant(const Type& type, const Value& value, int64_t length);
Array make_nulls(const Type& type, int64_t length);

// Counted, whatever array.null_count says.
int64_t null_count(const Array& array);

struct MinMax {
    Value min, max;  // NULL if there is no value that is not NULL
    int64_t null_count = 0;
};
// The least and the greatest value that is not NULL, in the order of the type: NaN is greatest,
// strings and binaries go by bytes. nullopt for types without an order (lists, intervals, structs).
std::optional<MinMax> min_max(const Array& array);

// How many different values there are, NULL not counted. Equal values count once whatever the
// layout of the array; 0.0 and -0.0 are equal, and so are all NaNs.
DistinctSketch approximate_distinct(const Array& array);
// Adds the values of an array.
void add_distinct(const Array& array, DistinctSketch* sketch);

}  // namespace trefoil::arrow
