// 256-bit decimals, which the store does not keep but the engine may answer with: text, and as 128
// bits where they fit.

#pragma once

#include <cstdint>
#include <string>

namespace trefoil::arrow {

// Little-endian, two's complement.
struct Int256 {
    uint64_t words[4];
};

// False if it does not fit.
bool narrow(const Int256& wide, __int128* out);
void append_wide_decimal(Int256 unscaled, int32_t scale, std::string* out);

}  // namespace trefoil::arrow
