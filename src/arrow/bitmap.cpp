// Bitmaps: word-wise counting, copying and filling; single bits only at the edges.

#include "arrow/bitmap.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace trefoil::arrow {
namespace {

bool bit(const uint8_t* bits, int64_t i) {
    return (bits[i >> 3] >> (i & 7)) & 1;
}

void put_bit(uint8_t* bits, int64_t i, bool v) {
    auto mask = static_cast<uint8_t>(1u << (i & 7));
    bits[i >> 3] = static_cast<uint8_t>(v ? bits[i >> 3] | mask : bits[i >> 3] & ~mask);
}

// Eight bytes of bits from any bit offset; touches nine bytes unless the offset is a whole byte.
uint64_t load_word(const uint8_t* bits, int64_t at) {
    const uint8_t* p = bits + (at >> 3);
    const int shift = static_cast<int>(at & 7);
    uint64_t low;
    std::memcpy(&low, p, 8);
    if (shift == 0) return low;
    return low >> shift | static_cast<uint64_t>(p[8]) << (64 - shift);
}

}  // namespace

int64_t count_bits(const uint8_t* bits, int64_t offset, int64_t count) {
    int64_t n = 0, i = 0;
    for (; i + 64 <= count; i += 64) n += std::popcount(load_word(bits, offset + i));
    for (; i < count; i++) n += bit(bits, offset + i);
    return n;
}

void copy_bits(const uint8_t* from, int64_t from_offset, int64_t count, uint8_t* to,
               int64_t to_offset) {
    int64_t i = 0;
    for (; i < count && ((to_offset + i) & 7); i++) {
        put_bit(to, to_offset + i, bit(from, from_offset + i));
    }
    for (; i + 64 <= count; i += 64) {
        uint64_t word = load_word(from, from_offset + i);
        std::memcpy(to + ((to_offset + i) >> 3), &word, 8);
    }
    for (; i < count; i++) put_bit(to, to_offset + i, bit(from, from_offset + i));
}

void fill_bits(uint8_t* bits, int64_t offset, int64_t count, bool value) {
    int64_t i = 0;
    for (; i < count && ((offset + i) & 7); i++) put_bit(bits, offset + i, value);
    const int64_t bytes = (count - i) / 8;
    if (bytes > 0) {
        std::memset(bits + ((offset + i) >> 3), value ? 0xff : 0, static_cast<size_t>(bytes));
    }
    for (i += std::max<int64_t>(bytes, 0) * 8; i < count; i++) put_bit(bits, offset + i, value);
}

}  // namespace trefoil::arrow
