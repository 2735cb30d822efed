// Bitmaps: runs of bits at any offset, as Arrow keeps validity and booleans (least significant
// first).

#pragma once

#include <cstdint>

namespace trefoil::arrow {

// Bits set among `count` bits from `offset`.
int64_t count_bits(const uint8_t* bits, int64_t offset, int64_t count);

// Copies `count` bits. The bits around the target stay as they are. REQUIRES: no overlap.
void copy_bits(const uint8_t* from, int64_t from_offset, int64_t count, uint8_t* to,
               int64_t to_offset);

// Sets `count` bits to `value`.
void fill_bits(uint8_t* bits, int64_t offset, int64_t count, bool value);

constexpr int64_t bitmap_size(int64_t bits) {
    return (bits + 7) / 8;
}

}  // namespace trefoil::arrow
