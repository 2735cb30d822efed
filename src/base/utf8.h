// UTF-8: is it, and where is it not.

#pragma once

#include <cstddef>

#include "base/bytes.h"

namespace trefoil {

// True if the bytes are well-formed UTF-8 (RFC 3629: no surrogates, nothing overlong, up to
// U+10FFFF).
bool is_utf8(Bytes bytes);

// The length of the longest prefix that is well-formed UTF-8.
size_t utf8_prefix(Bytes bytes);

}  // namespace trefoil
