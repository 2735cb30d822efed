// Hashes: the one place that compiles XXH3 for general use.

#include "base/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace trefoil {

uint64_t hash_bytes(Bytes bytes, uint64_t seed) {
    return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

}  // namespace trefoil
