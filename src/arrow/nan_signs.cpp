// without_nan_signs: a copy, where there is a signed NaN.

#include "arrow/nan_signs.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "arrow/builder.h"

namespace trefoil::arrow {
namespace {

template <typename T>
Array with_plain_nans(Array array) {
    auto is_signed_nan = [](T v) { return std::isnan(v) && std::signbit(v); };
    const T* values = array.values<T>();
    if (std::none_of(values, values + array.length, is_signed_nan)) return array;
    ColumnBuilder builder(array.type);
    builder.reserve(array.length, 0);
    for (int64_t i = 0; i < array.length; i++) {
        const T value = is_signed_nan(values[i]) ? std::numeric_limits<T>::quiet_NaN() : values[i];
        if (array.is_null(i)) {
            builder.append_null();
        } else {
            builder.append_double(value);
        }
    }
    return builder.finish();
}

}  // namespace

Array without_nan_signs(Array array) {
    if (array.type.id == TypeId::kFloat64) return with_plain_nans<double>(std::move(array));
    if (array.type.id == TypeId::kFloat32) return with_plain_nans<float>(std::move(array));
    return array;
}

}  // namespace trefoil::arrow
