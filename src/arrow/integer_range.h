// The ranges of the integer types.

#pragma once

#include <cstdint>
#include <limits>

#include "arrow/type.h"
#include "base/check.h"

namespace trefoil::arrow {

struct IntegerRange {
    __int128 min, max;
    bool contains(__int128 v) const { return v >= min && v <= max; }
};

// REQUIRES: an integer type.
inline IntegerRange integer_range(TypeId id) {
    const auto of = [](auto sample) {
        using Limits = std::numeric_limits<decltype(sample)>;
        return IntegerRange{Limits::min(), Limits::max()};
    };
    switch (id) {
        case TypeId::kInt8:
            return of(int8_t{});
        case TypeId::kInt16:
            return of(int16_t{});
        case TypeId::kInt32:
            return of(int32_t{});
        case TypeId::kInt64:
            return of(int64_t{});
        case TypeId::kUInt8:
            return of(uint8_t{});
        case TypeId::kUInt16:
            return of(uint16_t{});
        case TypeId::kUInt32:
            return of(uint32_t{});
        case TypeId::kUInt64:
            return of(uint64_t{});
        default:
            CHECK(false && "not an integer type");
    }
    return {};
}

}  // namespace trefoil::arrow
