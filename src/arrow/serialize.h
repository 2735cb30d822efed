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
void serialize(const Array& array, Writer& out);
// The array owns its memory. Errors: kCorruption, also if it is not of this type.
Result<Array> deserialize(Reader& in, const Type& type);

// Appends all columns; names are not written. REQUIRES: as above, for each column.
void serialize(const Batch& batch, Writer& out);
Result<Batch> deserialize(Reader& in, const SchemaPtr& schema);

}  // namespace trefoil::arrow
