// Reading the indices of dictionary arrays.

#pragma once

#include <cstdint>

#include "arrow/array.h"
#include "base/check.h"

namespace trefoil::arrow {

// The place in array.dictionary of value `row`. REQUIRES: it is not NULL.
inline int64_t dictionary_index(const Array& array, int64_t row) {
    switch (array.type.children[0].type.id) {
        case TypeId::kInt8:
            return array.values<int8_t>()[row];
        case TypeId::kUInt8:
            return array.values<uint8_t>()[row];
        case TypeId::kInt16:
            return array.values<int16_t>()[row];
        case TypeId::kUInt16:
            return array.values<uint16_t>()[row];
        case TypeId::kInt32:
            return array.values<int32_t>()[row];
        case TypeId::kUInt32:
            return array.values<uint32_t>()[row];
        case TypeId::kInt64:
            return array.values<int64_t>()[row];
        case TypeId::kUInt64:
            return static_cast<int64_t>(array.values<uint64_t>()[row]);
        default:
            CHECK(false && "a dictionary's indices are integers");
    }
    return 0;
}

}  // namespace trefoil::arrow
