// Hashes for tables in memory and for checksums.
//
// hash_u64 is a permutation of 64-bit numbers (the finaliser of SplitMix64, Steele, Lea and Flood
// 2014): no two keys collide before the table folds the answer. hash_bytes is XXH3, whose answers
// are stable over versions and machines: they are stored (index/key_run_format.h). Neither resists
// an adversary who chooses the keys: a seed, where it matters, is the caller's.

#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace trefoil {

constexpr uint64_t hash_u64(uint64_t v) {
    v += 0x9e3779b97f4a7c15u;
    v = (v ^ (v >> 30)) * 0xbf58476d1ce4e5b9u;
    v = (v ^ (v >> 27)) * 0x94d049bb133111ebu;
    return v ^ (v >> 31);
}

// XXH3_64bits with this seed.
uint64_t hash_bytes(Bytes bytes, uint64_t seed = 0);

// The hash of a sequence, from the hash of what came before and of the next element.
constexpr uint64_t hash_combine(uint64_t before, uint64_t next) {
    return hash_u64(before ^ (next + 0x9e3779b97f4a7c15u + (before << 6) + (before >> 2)));
}

}  // namespace trefoil
