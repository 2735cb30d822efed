// XXH3, compiled in.

#include "storage/checksum.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace trefoil {

uint64_t checksum(Bytes bytes, uint64_t seed) {
    return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

}  // namespace trefoil
