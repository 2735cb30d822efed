// Reading arrays for statistics: bounds and distinct counts.

#include <algorithm>
#include <bit>
#include <cmath>
#include <optional>
#include <string>

#include "arrow/compute.h"
#include "arrow/dictionary.h"
#include "arrow/value.h"
#include "base/hash.h"

namespace trefoil::arrow {
namespace {

// The rows that hold the least and the greatest value.
struct Extremes {
    int64_t min_row = -1, max_row = -1;
};

// `less` compares two rows; only rows that are not NULL are asked for.
template <typename T>
Extremes find_numbers(const Array& array) {
    Extremes e;
    const T* v = array.values<T>();
    T min{}, max{};
    const bool nulls = array.has_nulls();
    for (int64_t i = 0; i < array.length; i++) {
        if (nulls && array.is_null(i)) continue;
        if (e.min_row < 0) {
            min = max = v[i];
            e.min_row = e.max_row = i;
            continue;
        }
        if (v[i] < min) {
            min = v[i];
            e.min_row = i;
        } else if (v[i] > max) {
            max = v[i];
            e.max_row = i;
        }
    }
    return e;
}

// NaN is greater than every number and equal to itself.
template <typename T>
Extremes find_floats(const Array& array) {
    Extremes e;
    const T* v = array.values<T>();
    const auto less = [](T a, T b) { return a < b || (!std::isnan(a) && std::isnan(b)); };
    const bool nulls = array.has_nulls();
    for (int64_t i = 0; i < array.length; i++) {
        if (nulls && array.is_null(i)) continue;
        if (e.min_row < 0 || less(v[i], v[e.min_row])) e.min_row = i;
        if (e.max_row < 0 || less(v[e.max_row], v[i])) e.max_row = i;
    }
    return e;
}

Extremes find_bools(const Array& array) {
    Extremes e;
    for (int64_t i = 0; i < array.length; i++) {
        if (array.is_null(i)) continue;
        if (e.min_row < 0 || (!array.bool_at(i) && array.bool_at(e.min_row))) e.min_row = i;
        if (e.max_row < 0 || (array.bool_at(i) && !array.bool_at(e.max_row))) e.max_row = i;
    }
    return e;
}

// The first bytes as a number that sorts as they do; short strings are filled up with zeros.
uint32_t prefix_of(std::string_view v) {
    uint32_t word = 0;
    std::memcpy(&word, v.data(), std::min<size_t>(4, v.size()));
    return __builtin_bswap32(word);
}

Extremes find_strings(const Array& array) {
    Extremes e;
    std::string_view min, max;
    uint32_t min_prefix = 0, max_prefix = 0;
    for (int64_t i = 0; i < array.length; i++) {
        if (array.is_null(i)) continue;
        const std::string_view v = array.bytes_at(i);
        const uint32_t prefix = prefix_of(v);
        // Prefixes decide nearly always; the strings themselves are compared where they are equal.
        if (e.min_row < 0 || prefix < min_prefix || (prefix == min_prefix && v < min)) {
            min = v;
            min_prefix = prefix;
            e.min_row = i;
        }
        if (e.max_row < 0 || prefix > max_prefix || (prefix == max_prefix && v > max)) {
            max = v;
            max_prefix = prefix;
            e.max_row = i;
        }
    }
    return e;
}

std::optional<Extremes> find_extremes(const Array& array) {
    switch (array.type.id) {
        case TypeId::kBool:
            return find_bools(array);
        case TypeId::kInt8:
            return find_numbers<int8_t>(array);
        case TypeId::kInt16:
            return find_numbers<int16_t>(array);
        case TypeId::kInt32:
        case TypeId::kDate32:
            return find_numbers<int32_t>(array);
        case TypeId::kInt64:
            return find_numbers<int64_t>(array);
        case TypeId::kUInt8:
            return find_numbers<uint8_t>(array);
        case TypeId::kUInt16:
            return find_numbers<uint16_t>(array);
        case TypeId::kUInt32:
            return find_numbers<uint32_t>(array);
        case TypeId::kUInt64:
            return find_numbers<uint64_t>(array);
        case TypeId::kFloat32:
            return find_floats<float>(array);
        case TypeId::kFloat64:
            return find_floats<double>(array);
        case TypeId::kDecimal128:
            return find_numbers<__int128>(array);
        case TypeId::kTime64:
        case TypeId::kTimestamp:
            // A Value has no nanoseconds; a bound that is cut would not be one.
            if (array.type.unit == TimeUnit::kNano) return std::nullopt;
            return find_numbers<int64_t>(array);
        case TypeId::kUtf8:
        case TypeId::kLargeUtf8:
        case TypeId::kUtf8View:
        case TypeId::kBinary:
        case TypeId::kLargeBinary:
        case TypeId::kBinaryView:
        case TypeId::kFixedSizeBinary:
            return find_strings(array);
        default:
            return std::nullopt;
    }
}

uint64_t hash_double(double v) {
    if (v == 0) v = 0;  // -0.0
    return hash_u64(std::isnan(v) ? ~uint64_t{0} : std::bit_cast<uint64_t>(v));
}

template <typename T>
void add_integers(const Array& array, DistinctSketch* sketch) {
    const T* v = array.values<T>();
    const bool nulls = array.has_nulls();
    for (int64_t i = 0; i < array.length; i++) {
        if (nulls && array.is_null(i)) continue;
        sketch->add_hash(hash_u64(static_cast<uint64_t>(v[i])));
    }
}

template <typename Hash>
void add_rows(const Array& array, DistinctSketch* sketch, Hash hash) {
    for (int64_t i = 0; i < array.length; i++) {
        if (array.is_valid(i)) sketch->add_hash(hash(i));
    }
}

}  // namespace

std::optional<MinMax> min_max(const Array& array) {
    if (array.dictionary) return min_max(decode_dictionary(array));
    const std::optional<Extremes> found = find_extremes(array);
    if (!found) return std::nullopt;
    MinMax bounds;
    bounds.null_count = null_count(array);
    if (found->min_row >= 0) {
        bounds.min = value_at(array, found->min_row);
        bounds.max = value_at(array, found->max_row);
    }
    return bounds;
}

void add_distinct(const Array& array, DistinctSketch* sketch) {
    switch (array.type.id) {
        case TypeId::kNull:
            return;
        case TypeId::kBool:
            return add_rows(array, sketch, [&](int64_t i) { return hash_u64(array.bool_at(i)); });
        case TypeId::kInt8:
            return add_integers<int8_t>(array, sketch);
        case TypeId::kInt16:
            return add_integers<int16_t>(array, sketch);
        case TypeId::kInt32:
        case TypeId::kDate32:
        case TypeId::kTime32:
            return add_integers<int32_t>(array, sketch);
        case TypeId::kInt64:
        case TypeId::kDate64:
        case TypeId::kTime64:
        case TypeId::kTimestamp:
        case TypeId::kDuration:
            return add_integers<int64_t>(array, sketch);
        case TypeId::kUInt8:
            return add_integers<uint8_t>(array, sketch);
        case TypeId::kUInt16:
            return add_integers<uint16_t>(array, sketch);
        case TypeId::kUInt32:
            return add_integers<uint32_t>(array, sketch);
        case TypeId::kUInt64:
            return add_integers<uint64_t>(array, sketch);
        case TypeId::kFloat32:
            return add_rows(array, sketch,
                            [&](int64_t i) { return hash_double(array.values<float>()[i]); });
        case TypeId::kFloat64:
            return add_rows(array, sketch,
                            [&](int64_t i) { return hash_double(array.values<double>()[i]); });
        case TypeId::kDecimal128:
            return add_rows(array, sketch, [&](int64_t i) {
                const __int128 v = array.values<__int128>()[i];
                return hash_combine(static_cast<uint64_t>(v), static_cast<uint64_t>(v >> 64));
            });
        case TypeId::kUtf8:
        case TypeId::kLargeUtf8:
        case TypeId::kUtf8View:
        case TypeId::kBinary:
        case TypeId::kLargeBinary:
        case TypeId::kBinaryView:
        case TypeId::kFixedSizeBinary:
            return add_rows(array, sketch,
                            [&](int64_t i) { return hash_bytes(array.bytes_at(i)); });
        case TypeId::kDictionary:
            return add_distinct(decode_dictionary(array), sketch);
        default:
            break;
    }
    // The rest is rare: two values are the same if they print the same.
    std::string text;
    add_rows(array, sketch, [&](int64_t i) {
        text.clear();
        append_text(array, i, &text);
        return hash_bytes(text);
    });
}

DistinctSketch approximate_distinct(const Array& array) {
    DistinctSketch sketch;
    add_distinct(array, &sketch);
    return sketch;
}

}  // namespace trefoil::arrow
