// The last mile: from a predicted position to the right one.
//
// Gallop away from the hint in doubling strides until the answer is bracketed, then bisect the
// bracket. A hint that is off by e costs about 2 log2(e) comparisons, so a good model makes this
// nearly free, and a wrong one, even one made of random bits, makes it slow and never wrong: the
// answer depends on the comparisons alone. Tested by piecewise_linear_test.cpp.

#pragma once

#include <algorithm>
#include <cstdint>

namespace trefoil {

// The first stride. An error within epsilon = 16 is bracketed after one to three comparisons.
inline constexpr uint64_t kFirstStride = 8;

// The smallest i in [low, high] such that i == high or !before(i). Adds the comparisons to `steps`.
// REQUIRES: before(i) is true up to some i and false after it.
template <typename Before>
uint64_t bisect(uint64_t low, uint64_t high, Before before, uint64_t& steps) {
    uint64_t length = high - low;
    while (length > 0) {
        ++steps;
        uint64_t half = length / 2;
        bool right = before(low + half);
        low = right ? low + half + 1 : low;
        length = right ? length - half - 1 : half;
    }
    return low;
}

// The smallest i in [0, n] such that i == n or !before(i), as std::lower_bound, starting at `hint`.
// Adds the number of comparisons to `steps`. REQUIRES: before(i) is true up to some i and false
// after it.
template <typename Before>
uint64_t lower_bound_from(uint64_t hint, uint64_t n, Before before, uint64_t& steps) {
    if (n == 0) return 0;
    hint = std::min(hint, n - 1);
    uint64_t low = 0;   // before(i) for all i < low
    uint64_t high = n;  // !before(i) for all i >= high
    uint64_t probes = 1;
    uint64_t stride = kFirstStride;
    if (before(hint)) {
        low = hint + 1;
        for (; stride < high - low; stride *= 2) {
            ++probes;
            if (!before(low + stride)) {
                high = low + stride;
                break;
            }
            low += stride + 1;
        }
    } else {
        high = hint;
        for (; stride < high; stride *= 2) {
            ++probes;
            if (before(high - stride)) {
                low = high - stride + 1;
                break;
            }
            high -= stride;
        }
    }
    steps += probes;
    return bisect(low, high, before, steps);
}

}  // namespace trefoil
