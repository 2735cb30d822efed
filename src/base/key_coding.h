// Key coding: values as bytes (or as one integer) that sort as the values do.
//
//     KeyWriter key;                       // PRIMARY KEY (tenant TEXT, at TIMESTAMP)
//     key.text("acme");
//     key.i64(micros);
//     ... memcmp of two such keys answers what comparing (tenant, at) would ...
//
// Every part is self-delimiting and keeps its order whatever follows, so parts are simply put one
// after the other, and the bytes of the first parts are a prefix of exactly the keys that begin
// with those values; prefix_successor() gives the end of that range.
//
//     bool            00 or 01
//     i16, i32, i64   big-endian, sign bit flipped         -1 -> 7f ff, 0 -> 80 00, 1 -> 80 01
//     f32, f64        big-endian IEEE bits; negative: all bits flipped, else: sign bit flipped.
//                     -0.0 becomes +0.0; every NaN becomes one NaN, greater than all else
//     i128            as integers, 16 bytes (the unscaled value of a DECIMAL; the scale is the
//                     column's)
//     text            bytes with 00 written as 00 ff, then 00 00
//     fixed           the bytes as they are (UUID); all values of a part have the same length
//     null flag       optional, before a part that may be NULL: 01 a value follows, 02 NULL, or 00
//                     where NULLs come first
//
// A part that descends has all its bits flipped, but for the flag: since no part is the beginning
// of another, that turns its order round.
//
// A worked example: ("a\0b", 1 as i16) is  61 00 ff 62 00 00 80 01.
// Tested by key_coding_test.cpp.

#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>

#include "base/bytes.h"

namespace trefoil {

// --- One integer
// ------------------------------------------------------------------------------------

inline constexpr uint64_t kSignBit = uint64_t{1} << 63;

// Unsigned numbers that sort as the arguments do, and back.
constexpr uint64_t order_u64(int64_t v) {
    return static_cast<uint64_t>(v) ^ kSignBit;
}
constexpr int64_t order_to_i64(uint64_t v) {
    return static_cast<int64_t>(v ^ kSignBit);
}

inline uint64_t order_u64(double v) {
    if (std::isnan(v)) v = std::numeric_limits<double>::quiet_NaN();
    if (v == 0) v = 0;  // -0.0
    uint64_t bits = std::bit_cast<uint64_t>(v);
    return bits & kSignBit ? ~bits : bits | kSignBit;
}
inline double order_to_f64(uint64_t v) {
    return std::bit_cast<double>(v & kSignBit ? v ^ kSignBit : ~v);
}

inline uint32_t order_u32(float v) {
    constexpr uint32_t kSign = uint32_t{1} << 31;
    if (std::isnan(v)) v = std::numeric_limits<float>::quiet_NaN();
    if (v == 0) v = 0;
    uint32_t bits = std::bit_cast<uint32_t>(v);
    return bits & kSign ? ~bits : bits | kSign;
}
inline float order_to_f32(uint32_t v) {
    constexpr uint32_t kSign = uint32_t{1} << 31;
    return std::bit_cast<float>(v & kSign ? v ^ kSign : ~v);
}

// --- Bytes
// ------------------------------------------------------------------------------------------

inline constexpr char kKeyNullFirstFlag = 0;
inline constexpr char kKeyValueFlag = 1;
inline constexpr char kKeyNullFlag = 2;

// How one part of a key sorts.
struct PartOrder {
    bool descending = false;
    bool nulls_first = false;

    bool operator==(const PartOrder&) const = default;
    // The order of the same keys read backwards.
    PartOrder reversed() const { return {!descending, !nulls_first}; }
};

// Appends parts to a key. clear() keeps the memory, for a loop over rows.
class KeyWriter {
public:
    KeyWriter() = default;
    // Appends to `memory`.
    explicit KeyWriter(std::string memory) : out_(std::move(memory)) {}

    void value_flag() { out_.push_back(kKeyValueFlag); }
    void null_flag(bool nulls_first = false) {
        out_.push_back(nulls_first ? kKeyNullFirstFlag : kKeyNullFlag);
    }
    void boolean(bool v) { out_.push_back(v ? 1 : 0); }
    void i16(int16_t v) { big_endian<2>(static_cast<uint16_t>(v) ^ 0x8000u); }
    void i32(int32_t v) { big_endian<4>(static_cast<uint32_t>(v) ^ 0x80000000u); }
    void i64(int64_t v) { big_endian<8>(order_u64(v)); }
    void f32(float v) { big_endian<4>(order_u32(v)); }
    void f64(double v) { big_endian<8>(order_u64(v)); }
    void i128(__int128 v) {
        big_endian<8>(order_u64(static_cast<int64_t>(v >> 64)));
        big_endian<8>(static_cast<uint64_t>(v));
    }
    void text(Bytes v);
    void fixed(Bytes v) { out_.append(v); }
    // Makes the part that was written from byte `begin` on, without its flag, descend.
    void flip_from(size_t begin) {
        for (size_t i = begin; i < out_.size(); i++) out_[i] = static_cast<char>(~out_[i]);
    }

    const std::string& data() const { return out_; }
    std::string take() { return std::exchange(out_, {}); }
    void clear() { out_.clear(); }

private:
    template <int kBytes>
    void big_endian(uint64_t v) {
        char raw[kBytes];
        for (int i = 0; i < kBytes; ++i) raw[i] = static_cast<char>(v >> (8 * (kBytes - 1 - i)));
        out_.append(raw, kBytes);
    }
    std::string out_;
};

// Takes a key apart, part by part as it was written. Never reads past the end: after a short or
// malformed part ok() is false and every further part answers zero.
class KeyReader {
public:
    explicit KeyReader(Bytes key) : key_(key) {}

    // Reads a flag; true if it says that a value follows.
    bool has_value();
    bool boolean() { return big_endian<1>() != 0; }
    int16_t i16() { return static_cast<int16_t>(big_endian<2>() ^ 0x8000u); }
    int32_t i32() { return static_cast<int32_t>(big_endian<4>() ^ 0x80000000u); }
    int64_t i64() { return order_to_i64(big_endian<8>()); }
    float f32() { return order_to_f32(static_cast<uint32_t>(big_endian<4>())); }
    double f64() { return order_to_f64(big_endian<8>()); }
    __int128 i128() {
        auto high = static_cast<__int128>(i64());
        return static_cast<__int128>(static_cast<unsigned __int128>(high) << 64 | big_endian<8>());
    }
    std::string text();
    // The same without copying it, where it holds no 00; else it is put into `memory`.
    Bytes text_view(std::string* memory);
    // A view into the key.
    Bytes fixed(size_t n);
    // The bytes of a part that descends, as they were before they were flipped: `width` of them, or
    // a whole text if that is 0. They are put into `memory`; another reader takes them apart.
    Bytes flipped(size_t width, std::string* memory);

    bool ok() const { return ok_; }
    bool at_end() const { return at_ == key_.size(); }
    // Bytes that were taken.
    size_t position() const { return at_; }

private:
    template <int kBytes>
    uint64_t big_endian() {
        Bytes raw = fixed(kBytes);
        uint64_t v = 0;
        for (char c : raw) v = v << 8 | static_cast<uint8_t>(c);
        return v;
    }
    Bytes key_;
    size_t at_ = 0;
    bool ok_ = true;
};

// Turns `prefix` into the smallest byte string that is greater than every string beginning with it.
// False, and `prefix` is empty, if there is none: it was empty or all ff.
bool prefix_successor(std::string* prefix);

}  // namespace trefoil
