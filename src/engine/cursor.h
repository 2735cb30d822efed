// The rows of a run as a BatchStream.

#pragma once

#include <memory>

#include "access/source.h"
#include "engine/border.h"

namespace trefoil::engine {

// Takes the cursor over. `catalog` is what the run reads its tables with, or null; it is kept until
// the cursor is released.
Result<std::unique_ptr<access::BatchStream>> open_cursor(CursorHandle cursor,
                                                         std::unique_ptr<tf_catalog> catalog);

}  // namespace trefoil::engine
