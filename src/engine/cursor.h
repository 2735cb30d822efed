// The rows of a run as a BatchStream.

#pragma once

#include <memory>
#include <string>
#include <vector>

#include "access/source.h"
#include "engine/border.h"

namespace trefoil::engine {

// Takes the cursor over. `catalog` is what the run reads its tables with, or null; it is kept until
// the cursor is released.
Result<std::unique_ptr<access::BatchStream>> open_cursor(CursorHandle cursor,
                                                         std::unique_ptr<tf_catalog> catalog);

// The plan behind a stream that open_cursor() made, with what it has counted so far, as lines.
Result<std::vector<std::string>> analysed(const access::BatchStream& stream);

}  // namespace trefoil::engine
