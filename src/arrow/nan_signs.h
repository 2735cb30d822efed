// NaN without a sign: what a table stores.

#pragma once

#include "arrow/array.h"

namespace trefoil::arrow {

// The same numbers, each NaN without a sign, which SQL does not know but some comparisons see.
// Arrays that hold none come back as they are.
Array without_nan_signs(Array array);

}  // namespace trefoil::arrow
