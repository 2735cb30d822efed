// Finding bytes 64 at a time: a mask with one bit for each byte that is one of a few.
//
// SSE2 belongs to every x86-64; elsewhere a plain loop does the same.

#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "base/bytes.h"

namespace trefoil::csv {

inline constexpr size_t kWindow = 64;

// A bit for each of the 64 bytes at `p` that equals `c`.
inline uint64_t match(const char* p, char c) {
#if defined(__SSE2__)
    const __m128i wanted = _mm_set1_epi8(c);
    uint64_t mask = 0;
    for (size_t i = 0; i < 4; i++) {
        const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 16 * i));
        const int found = _mm_movemask_epi8(_mm_cmpeq_epi8(bytes, wanted));
        mask |= static_cast<uint64_t>(static_cast<uint32_t>(found)) << (16 * i);
    }
    return mask;
#else
    uint64_t mask = 0;
    for (size_t i = 0; i < kWindow; i++) mask |= static_cast<uint64_t>(p[i] == c) << i;
    return mask;
#endif
}

// A window over `text` from `at`, filled up with zeros behind the end.
class Window {
public:
    Window(Bytes text, size_t at) {
        const size_t left = text.size() - at;
        if (left >= kWindow) {
            data_ = text.data() + at;
            valid_ = ~uint64_t{0};
            return;
        }
        std::memset(copy_, 0, sizeof copy_);
        std::memcpy(copy_, text.data() + at, left);
        data_ = copy_;
        valid_ = (uint64_t{1} << left) - 1;
    }
    Window(const Window&) = delete;
    Window& operator=(const Window&) = delete;

    uint64_t match(char c) const { return csv::match(data_, c) & valid_; }

private:
    const char* data_;
    uint64_t valid_;
    char copy_[kWindow];
};

// Bit i is the parity of bits 0..i: which bytes lie within quotes.
inline uint64_t prefix_parity(uint64_t bits) {
    for (int shift = 1; shift < 64; shift *= 2) bits ^= bits << shift;
    return bits;
}

inline uint64_t count_lines(Bytes text) {
    uint64_t n = 0;
    for (size_t at = 0; at < text.size(); at += kWindow) {
        n += static_cast<uint64_t>(std::popcount(Window(text, at).match('\n')));
    }
    return n;
}

}  // namespace trefoil::csv
