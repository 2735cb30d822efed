// MD5 (RFC 1321), for the hashes in sqllogictest files. Not for anything that must be safe.

#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace slt {

class Md5 {
public:
    void add(std::string_view bytes) {
        for (char c : bytes) {
            block_[length_++ % 64] = static_cast<uint8_t>(c);
            if (length_ % 64 == 0) mix();
        }
    }

    // The hash as 32 hexadecimal digits; nothing may be added afterwards.
    std::string hex() {
        const uint64_t bits = length_ * 8;
        add("\x80");
        while (length_ % 64 != 56) add(std::string_view("\0", 1));
        for (int i = 0; i < 8; i++) {
            const char byte = static_cast<char>(bits >> (8 * i));
            add(std::string_view(&byte, 1));
        }
        std::string out;
        for (uint32_t word : state_) {
            for (int i = 0; i < 4; i++) {
                const uint8_t byte = static_cast<uint8_t>(word >> (8 * i));
                out += "0123456789abcdef"[byte >> 4];
                out += "0123456789abcdef"[byte & 15];
            }
        }
        return out;
    }

private:
    void mix() {
        static constexpr std::array<std::array<int, 4>, 4> kShifts = {
            {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}}};
        std::array<uint32_t, 16> words{};
        for (size_t i = 0; i < 64; i++) {
            words[i / 4] |= static_cast<uint32_t>(block_[i]) << (8 * (i % 4));
        }
        auto [a, b, c, d] = state_;
        for (uint32_t i = 0; i < 64; i++) {
            uint32_t f = 0, at = 0;
            switch (i / 16) {
                case 0:
                    f = (b & c) | (~b & d), at = i;
                    break;
                case 1:
                    f = (d & b) | (~d & c), at = 5 * i + 1;
                    break;
                case 2:
                    f = b ^ c ^ d, at = 3 * i + 5;
                    break;
                default:
                    f = c ^ (b | ~d), at = 7 * i;
            }
            const auto sine =
                static_cast<uint32_t>(std::floor(std::abs(std::sin(i + 1.0)) * 0x1p32));
            const uint32_t sum = a + f + sine + words[at % 16];
            a = d, d = c, c = b;
            b += std::rotl(sum, kShifts[i / 16][i % 4]);
        }
        state_[0] += a, state_[1] += b, state_[2] += c, state_[3] += d;
    }

    std::array<uint32_t, 4> state_ = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
    std::array<uint8_t, 64> block_{};
    uint64_t length_ = 0;
};

}  // namespace slt
