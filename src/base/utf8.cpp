// UTF-8: eight ASCII bytes at a time, other characters one by one.

#include "base/utf8.h"

#include <cstdint>
#include <cstring>

namespace trefoil {
namespace {

bool is_continuation(unsigned char c) {
    return (c & 0xc0) == 0x80;
}

// The length of the well-formed character at `p`, 0 if there is none. `left` bytes may be read.
size_t character_at(const unsigned char* p, size_t left) {
    const unsigned char c = p[0];
    if (c < 0x80) return 1;
    if (c < 0xc2 || c > 0xf4) return 0;
    if (c < 0xe0) return left >= 2 && is_continuation(p[1]) ? 2 : 0;
    if (left < 3 || !is_continuation(p[1]) || !is_continuation(p[2])) return 0;
    if (c < 0xf0) {
        const bool overlong = c == 0xe0 && p[1] < 0xa0;
        const bool surrogate = c == 0xed && p[1] >= 0xa0;
        return overlong || surrogate ? 0 : 3;
    }
    if (left < 4 || !is_continuation(p[3])) return 0;
    const bool overlong = c == 0xf0 && p[1] < 0x90;
    const bool too_large = c == 0xf4 && p[1] >= 0x90;
    return overlong || too_large ? 0 : 4;
}

}  // namespace

size_t utf8_prefix(Bytes bytes) {
    const auto* p = reinterpret_cast<const unsigned char*>(bytes.data());
    size_t at = 0;
    while (at < bytes.size()) {
        uint64_t word;
        while (at + 8 <= bytes.size()) {
            std::memcpy(&word, p + at, 8);
            if (word & 0x8080808080808080u) break;
            at += 8;
        }
        if (at == bytes.size()) break;
        const size_t n = character_at(p + at, bytes.size() - at);
        if (n == 0) return at;
        at += n;
    }
    return at;
}

bool is_utf8(Bytes bytes) {
    return utf8_prefix(bytes) == bytes.size();
}

}  // namespace trefoil
