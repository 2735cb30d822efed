// DistinctSketch: how many different values there were, in about a kilobyte.
//
// Up to kExactMax different hashes are kept as they are, so small answers are exact. Beyond that it
// is a HyperLogLog of 1024 registers (standard error 3.3 %), estimated with Ertl's improved
// estimator, which needs no correction tables ("New cardinality estimation algorithms for
// HyperLogLog sketches", 2017). Sketches of parts merge to the sketch of the whole, in any order.
//
// Stored form, little-endian:
//
//   u8   kind: 0 exact, 1 registers
//   exact:      u16 number of hashes, then each as u64, ascending
//   registers:  1024 bytes, each the greatest number of leading zeros seen, plus one

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "trefoil/status.h"

namespace trefoil::arrow {

class DistinctSketch {
public:
    static constexpr int kRegisterBits = 10;
    static constexpr size_t kRegisters = size_t{1} << kRegisterBits;
    static constexpr size_t kExactMax = 128;

    // A well-mixed 64-bit hash of one value.
    void add_hash(uint64_t hash);
    void merge(const DistinctSketch& other);
    uint64_t estimate() const;
    bool is_exact() const { return registers_.empty(); }

    std::string serialise() const;
    // Errors: kCorruption.
    static Result<DistinctSketch> deserialise(Bytes data);

    bool operator==(const DistinctSketch&) const = default;

private:
    void add_register(uint64_t hash);
    void spill();

    std::vector<uint64_t> hashes_;    // ascending; empty once there are registers
    std::vector<uint8_t> registers_;  // empty, or kRegisters
};

}  // namespace trefoil::arrow
