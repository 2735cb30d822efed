// Arrays as bytes and back; the bytes are drawn in serialize_format.h.
//
// What is read is checked to the last view and offset, so that no bytes, however damaged, make
// anybody read outside the buffers.

#pragma once

#include "arrow/array.h"
#include "base/bytes.h"
#include "trefoil/status.h"

namespace trefoil::arrow {

// Appends the array. REQUIRES: is_buildable(array.type); fewer than 2^31 values.
void write_array(const Array& array, Writer& out);
// Errors: kCorruption. The array owns its memory.
Result<Array> read_array(Reader& in);

// Appends all columns; names are not written. REQUIRES: as write_array, for each column.
void write_batch(const Batch& batch, Writer& out);
// Errors: kCorruption, also if the columns are not of the schema's types.
Result<Batch> read_batch(Reader& in, const SchemaPtr& schema);

}  // namespace trefoil::arrow
