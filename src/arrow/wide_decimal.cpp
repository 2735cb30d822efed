// 256-bit decimals: division by ten, word by word.

#include "arrow/wide_decimal.h"

#include "base/text_format.h"

namespace trefoil::arrow {
namespace {

// Divides in place; answers the remainder.
int divide_by_ten(Int256* v) {
    unsigned __int128 rest = 0;
    for (int i = 3; i >= 0; i--) {
        const unsigned __int128 part = rest << 64 | v->words[i];
        v->words[i] = static_cast<uint64_t>(part / 10);
        rest = part % 10;
    }
    return static_cast<int>(rest);
}

void negate(Int256* v) {
    uint64_t carry = 1;
    for (uint64_t& word : v->words) {
        word = ~word + carry;
        carry = carry && word == 0;
    }
}

bool is_zero(const Int256& v) {
    return (v.words[0] | v.words[1] | v.words[2] | v.words[3]) == 0;
}

}  // namespace

bool narrow(const Int256& wide, __int128* out) {
    *out =
        static_cast<__int128>(static_cast<unsigned __int128>(wide.words[1]) << 64 | wide.words[0]);
    const uint64_t sign = *out < 0 ? ~uint64_t{0} : 0;
    return wide.words[2] == sign && wide.words[3] == sign;
}

void append_wide_decimal(Int256 v, int32_t scale, std::string* out) {
    if (__int128 narrowed; narrow(v, &narrowed)) return append_decimal(narrowed, scale, out);
    if (static_cast<int64_t>(v.words[3]) < 0) {
        out->push_back('-');
        negate(&v);
    }
    std::string digits;  // the last first
    while (!is_zero(v)) digits.push_back(static_cast<char>('0' + divide_by_ten(&v)));
    if (scale <= 0) {
        out->append(digits.rbegin(), digits.rend()).append(static_cast<size_t>(-scale), '0');
        return;
    }
    while (digits.size() <= static_cast<size_t>(scale)) digits.push_back('0');
    out->append(digits.rbegin(), digits.rend() - scale);
    out->append(".").append(digits.rend() - scale, digits.rend());
}

}  // namespace trefoil::arrow
