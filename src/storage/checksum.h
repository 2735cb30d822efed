// XXH3 over bytes: the one hash of every stored checksum. The only room that includes xxhash.h.

#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace trefoil {

uint64_t checksum(Bytes bytes, uint64_t seed = 0);

}  // namespace trefoil
