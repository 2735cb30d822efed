// PrefixCode: the beginning of a byte key as one u64 that sorts as the key does.
//
// A model wants numbers. The first eight bytes of "user:000123" or of a big-endian (tenant, id) say
// nothing: they are the same for all keys. So the code spends its 64 bits only where the keys of a
// run differ. At each byte position it knows the least and the greatest byte that occurs, low and
// high, and reads the key as a number with digits  byte - low  and radix  high - low + 1  per
// position, from the front, for as many positions as fit:
//
//     keys            user:000123   user:000124  ...  user:999999
//     radix           1 1 1 1 1 10 10 10 10 10 10
//     code            123           124               999999
//
// Constant positions have radix 1 and cost nothing, wherever they are; decimal digits cost 3.3
// bits. A key that ends is read as if zeros followed. So the code is monotone: a < b implies
// code(a) <= code(b), and equal codes are told apart by comparing the keys. A foreign key with a
// byte that no key of the run has at its position has no code, but its place among the codes is
// known.
//
// Compare: order-preserving key compression (HOPE, Zhang et al., SIGMOD 2020), which codes whole
// keys. Tested by prefix_code_test.cpp.

#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace trefoil::index {

// Positions beyond are left to the comparison of keys.
inline constexpr uint32_t kPrefixWindowMax = 256;

// Which bytes occur at which position. Collected over the keys of a run, kept with it, merged with
// it.
class PrefixRanges {
public:
    void observe(Bytes key);
    void merge(const PrefixRanges& other);

    void encode(Writer& out) const;
    // False if the bytes are malformed.
    static bool decode(Reader& in, PrefixRanges* out);

private:
    friend class PrefixCode;
    uint32_t shortest_ = ~uint32_t{0};  // bytes of the shortest key
    uint32_t window_ = 0;               // bytes of the longest key, at most kPrefixWindowMax
    std::array<uint8_t, kPrefixWindowMax> low_, high_;  // [0, window_)
};

class PrefixCode {
public:
    PrefixCode() = default;
    explicit PrefixCode(const PrefixRanges& ranges);

    // Where a key lies among keys with codes: where those with `code` are; or before all keys whose
    // code is at least `code`; or after all keys whose code is at most `code`.
    enum class Where : uint8_t { kAt, kBefore, kAfter };
    struct Place {
        Where where;
        uint64_t code;
    };
    Place place(Bytes key) const;

    // The code of a key that was observed.
    uint64_t encode(Bytes key) const { return place(key).code; }

private:
    struct Digit {
        uint64_t rest;  // how many codes share the digits before this one, modulo 2^64
        uint8_t low;
        uint8_t span;  // radix - 1
    };
    std::string head_;  // the leading bytes, which all keys share (short keys: read as zeros)
    std::vector<Digit> digits_;
};

}  // namespace trefoil::index
