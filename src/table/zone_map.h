// ZoneMap: what a chunk's columns hold, zone by zone, without looking at them.
//
// A zone is 8,192 rows, the unit in which scans hand out batches. A scan skips a zone whose bounds
// say that no row can pass its filters, and answers min, max and counts from here.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "arrow/array.h"
#include "arrow/distinct_sketch.h"
#include "base/bytes.h"
#include "trefoil/value.h"

namespace trefoil::table {

inline constexpr uint64_t kZoneRows = 8192;

// Bounds of one column over some rows.
struct Bounds {
    Value min, max;  // NULL if every row is NULL
    uint64_t null_count = 0;
    bool known = false;  // false: min and max say nothing (no order, or very long strings)
};

struct ColumnZones {
    std::vector<Bounds> zones;  // one per zone
    Bounds all;                 // over the chunk
    arrow::DistinctSketch distinct;
};

struct ZoneMap {
    std::vector<ColumnZones> columns;
};

// Reads every value once.
ZoneMap build_zone_map(const std::vector<arrow::Array>& columns, uint64_t rows);

// Of a column that holds `value` in every row.
ColumnZones constant_zones(const Value& value, const arrow::Type& type, uint64_t rows);

// Whether a comes before b. REQUIRES: two values of one column whose type has an order, not NULL.
bool less(const Value& a, const Value& b);

// The union of two bounds.
Bounds merge(const Bounds& a, const Bounds& b);

// The stored form of one column's zones (keyspace stats); see manifest_format.h.
std::string encode_zones(const ColumnZones& zones, const arrow::Type& type);
Result<ColumnZones> decode_zones(Bytes data, const arrow::Type& type);

}  // namespace trefoil::table
