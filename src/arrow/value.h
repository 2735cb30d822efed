// Single fields of arrays: as Values, as text, and arrays made of Values.
//
// Every Arrow type has both forms, also those that only the engine makes.

#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "arrow/array.h"
#include "trefoil/status.h"
#include "trefoil/value.h"

namespace trefoil::arrow {

// One field. What Value has no type for comes as the nearest it has: unsigned integers above the
// BIGINT range and 256-bit decimals that fit as Decimal; times and timestamps in microseconds,
// cut towards the past; durations as Interval; structs, maps and larger decimals as their text.
Value value_at(const Array& array, int64_t row);

// Appends one field as SQL prints it; nothing for NULL. Like Value::to_string, but exact where a
// Value is not (nanoseconds), and REAL with the digits of REAL. Structs print as {a: 1, b: x}, maps
// as {k: v}.
void append_text(const Array& array, int64_t row, std::string* out);

// Values as a column, each converted as ColumnBuilder::append() does.
// REQUIRES: is_buildable(type).
Result<Array> array_of(const Type& type, std::span<const Value> values);

}  // namespace trefoil::arrow
