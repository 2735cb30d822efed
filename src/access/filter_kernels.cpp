// The tight loops of a filter.
//
// A range test on keys is one subtraction and one comparison: key - (low + 2^63), modulo 2^64 and
// read as a signed number, is at most (high - low) - 2^63 exactly when low <= key <= high. The same
// with 2^31, 2^15.

#include "access/filter_kernels.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <type_traits>

#if defined(__x86_64__) && !defined(TREFOIL_PORTABLE_KERNELS)
#include <immintrin.h>
#define TREFOIL_AVX2 __attribute__((target("avx2")))
#endif

namespace trefoil::access {
namespace {

uint64_t low_bits(int64_t n) {
    return n >= 64 ? ~uint64_t{0} : (uint64_t{1} << n) - 1;
}

// --- Range tests
// -----------------------------------------------------------------------------------

// What a range test compares: of an integer type as wide as the values.
template <typename Int>
struct RangeTest {
    Int base;   // subtracted from the key
    Int limit;  // the difference must not be greater
};

template <typename Int>
RangeTest<Int> range_test(int64_t low, int64_t high) {
    using U = std::make_unsigned_t<Int>;
    constexpr U kSign = U{1} << (sizeof(U) * 8 - 1);
    const auto l = static_cast<U>(low);
    return {static_cast<Int>(static_cast<U>(l ^ kSign)),
            static_cast<Int>(static_cast<U>(static_cast<U>(static_cast<U>(high) - l) ^ kSign))};
}

template <typename Int>
bool passes(Int key, RangeTest<Int> test) {
    using U = std::make_unsigned_t<Int>;
    return static_cast<Int>(static_cast<U>(static_cast<U>(key) - static_cast<U>(test.base))) <=
           test.limit;
}

template <typename Value>
auto key_of(Value v) {
    if constexpr (std::is_floating_point_v<Value>) {
        return float_key(v);
    } else {
        return v;
    }
}

// 64 answers as a word, by way of bytes, which any compiler vectorises.
template <typename Value, typename Int>
uint64_t portable_word(const Value* v, RangeTest<Int> test) {
    alignas(64) std::array<uint8_t, 64> pass;
    for (size_t i = 0; i < 64; i++) pass[i] = passes<Int>(key_of(v[i]), test);
    uint64_t word = 0;
    for (size_t i = 0; i < 8; i++) {
        uint64_t eight;
        std::memcpy(&eight, pass.data() + i * 8, 8);
        word |= (eight * 0x0102040810204080u >> 56) << (i * 8);
    }
    return word;
}

template <typename Value, typename Int>
void portable_words(const Value* v, int64_t words, RangeTest<Int> test, uint64_t flip,
                    uint64_t* rows) {
    for (int64_t w = 0; w < words; w++) {
        if (rows[w] != 0) rows[w] &= portable_word<Value, Int>(v + w * 64, test) ^ flip;
    }
}

#if defined(__x86_64__) && !defined(TREFOIL_PORTABLE_KERNELS)

template <typename T>
TREFOIL_AVX2 inline __m256i load(const T* p) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}

template <typename Value>
TREFOIL_AVX2 inline __m256i keys64(const Value* v) {
    __m256i bits = load(v);
    if constexpr (std::is_floating_point_v<Value>) {
        __m256i sign = _mm256_cmpgt_epi64(_mm256_setzero_si256(), bits);
        bits = _mm256_xor_si256(bits, _mm256_srli_epi64(sign, 1));
    }
    return bits;
}

template <typename Value>
TREFOIL_AVX2 inline __m256i keys32(const Value* v) {
    __m256i bits = load(v);
    if constexpr (std::is_floating_point_v<Value>) {
        bits = _mm256_xor_si256(bits, _mm256_srli_epi32(_mm256_srai_epi32(bits, 31), 1));
    }
    return bits;
}

// In each word the bits of the values that fail.
template <typename Value>
TREFOIL_AVX2 inline uint64_t failing(const Value* v, __m256i base, __m256i limit) {
    uint64_t fail = 0;
    if constexpr (sizeof(Value) == 8) {
        for (int i = 0; i < 64; i += 4) {
            __m256i d = _mm256_sub_epi64(keys64(v + i), base);
            auto mask = _mm256_movemask_pd(_mm256_castsi256_pd(_mm256_cmpgt_epi64(d, limit)));
            fail |= static_cast<uint64_t>(mask) << i;
        }
    } else if constexpr (sizeof(Value) == 4) {
        for (int i = 0; i < 64; i += 8) {
            __m256i d = _mm256_sub_epi32(keys32(v + i), base);
            auto mask = _mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpgt_epi32(d, limit)));
            fail |= static_cast<uint64_t>(mask) << i;
        }
    } else {
        for (int i = 0; i < 64; i += 32) {
            __m256i a = _mm256_cmpgt_epi16(_mm256_sub_epi16(load(v + i), base), limit);
            __m256i b = _mm256_cmpgt_epi16(_mm256_sub_epi16(load(v + i + 16), base), limit);
            __m256i ab = _mm256_permute4x64_epi64(_mm256_packs_epi16(a, b), 0xd8);
            fail |= uint64_t{static_cast<uint32_t>(_mm256_movemask_epi8(ab))} << i;
        }
    }
    return fail;
}

template <typename Value, typename Int>
TREFOIL_AVX2 void avx2_words(const Value* v, int64_t words, RangeTest<Int> test, uint64_t flip,
                             uint64_t* rows) {
    __m256i base, limit;
    if constexpr (sizeof(Value) == 8) {
        base = _mm256_set1_epi64x(test.base), limit = _mm256_set1_epi64x(test.limit);
    } else if constexpr (sizeof(Value) == 4) {
        base = _mm256_set1_epi32(test.base), limit = _mm256_set1_epi32(test.limit);
    } else {
        base = _mm256_set1_epi16(test.base), limit = _mm256_set1_epi16(test.limit);
    }
    for (int64_t w = 0; w < words; w++) {
        if (rows[w] != 0) rows[w] &= ~failing(v + w * 64, base, limit) ^ flip;
    }
}

#endif

template <typename Value, typename Int>
void range_words(const Value* v, int64_t words, RangeTest<Int> test, uint64_t flip,
                 uint64_t* rows) {
#if defined(__x86_64__) && !defined(TREFOIL_PORTABLE_KERNELS)
    static const bool has_avx2 = __builtin_cpu_supports("avx2");
    if (has_avx2) return avx2_words(v, words, test, flip, rows);
#endif
    portable_words(v, words, test, flip, rows);
}

template <typename Value, typename Int>
void keep_range(const void* values, int64_t count, int64_t low, int64_t high, bool negated,
                uint64_t* rows) {
    const auto* v = static_cast<const Value*>(values);
    const RangeTest<Int> test = range_test<Int>(low, high);
    const int64_t words = count / 64;
    range_words(v, words, test, negated ? ~uint64_t{0} : 0, rows);
    keep_each(count - words * 64, rows + words,
              [&](int64_t i) { return passes<Int>(key_of(v[words * 64 + i]), test) != negated; });
}

// --- Keys of single values
// -------------------------------------------------------------------------

struct DecimalKeys {
    Int128 operator()(const void* values, int64_t i) const {
        Int128 v;  // need not be aligned to more than 8 bytes
        std::memcpy(&v, static_cast<const char*>(values) + i * 16, 16);
        return v;
    }
};
struct UuidKeys {
    Int128 operator()(const void* values, int64_t i) const {
        return uuid_key(static_cast<const char*>(values) + i * 16);
    }
};
template <typename Value>
struct NarrowKeys {
    int64_t operator()(const void* values, int64_t i) const {
        return key_of(static_cast<const Value*>(values)[i]);
    }
};
// As compared, not as laid out: -0 is 0.
template <typename Value>
struct FloatKeys {
    int64_t operator()(const void* values, int64_t i) const {
        const Value v = static_cast<const Value*>(values)[i];
        return v == 0 ? 0 : float_key(v);
    }
};
struct UnsignedKeys {
    int64_t operator()(const void* values, int64_t i) const {
        return static_cast<int64_t>(static_cast<const uint64_t*>(values)[i] ^ (uint64_t{1} << 63));
    }
};

// Calls f with the key reader of `kind`.
template <typename F>
void with_keys(KeyKind kind, F&& f) {
    switch (kind) {
        case KeyKind::kInt16:
            return f(NarrowKeys<int16_t>());
        case KeyKind::kInt32:
            return f(NarrowKeys<int32_t>());
        case KeyKind::kInt64:
            return f(NarrowKeys<int64_t>());
        case KeyKind::kUInt64:
            return f(UnsignedKeys());
        case KeyKind::kFloat32:
            return f(FloatKeys<float>());
        case KeyKind::kFloat64:
            return f(FloatKeys<double>());
        case KeyKind::kDecimal:
            return f(DecimalKeys());
        case KeyKind::kUuid:
            return f(UuidKeys());
        default:
            return;
    }
}

template <typename Keys>
void keep_wide_range(Keys keys, const void* values, int64_t count, const KeyRange& range,
                     bool negated, uint64_t* rows) {
    const auto low = static_cast<Uint128>(range.low);
    const Uint128 span = static_cast<Uint128>(range.high) - low;
    keep_each(count, rows, [&](int64_t i) {
        return (static_cast<Uint128>(keys(values, i)) - low <= span) != negated;
    });
}

void keep_bools(const uint8_t* bits, int64_t first, int64_t count, bool with_false, bool with_true,
                uint64_t* rows) {
    for (int64_t w = 0; w * 64 < count; w++) {
        if (rows[w] == 0) continue;
        const uint64_t v = load_bits(bits, first + w * 64, std::min<int64_t>(64, count - w * 64));
        rows[w] &= (with_true ? v : 0) | (with_false ? ~v : 0);
    }
}

template <typename Keys, typename Holds>
void keep_pairs(Keys keys, const void* left, const void* right, int64_t count, Holds holds,
                uint64_t* rows) {
    keep_each(count, rows, [&](int64_t i) { return holds(keys(left, i), keys(right, i)); });
}

}  // namespace

uint64_t load_bits(const uint8_t* bits, int64_t first, int64_t count) {
    const uint8_t* p = bits + first / 8;
    const int64_t shift = first % 8;
    const auto bytes = static_cast<size_t>((shift + count + 7) / 8);
    uint64_t low = 0;
    std::memcpy(&low, p, std::min<size_t>(8, bytes));
    uint64_t word = low >> shift;
    if (bytes > 8) word |= uint64_t{p[8]} << (64 - shift);
    return word & low_bits(count);
}

void keep_valid(const uint8_t* bits, int64_t first, int64_t count, uint64_t* rows) {
    for (int64_t w = 0; w * 64 < count; w++) {
        rows[w] &= load_bits(bits, first + w * 64, std::min<int64_t>(64, count - w * 64));
    }
}

void keep_null(const uint8_t* bits, int64_t first, int64_t count, uint64_t* rows) {
    for (int64_t w = 0; w * 64 < count; w++) {
        rows[w] &= ~load_bits(bits, first + w * 64, std::min<int64_t>(64, count - w * 64));
    }
}

void keep_in_range(const KeyValues& given, const KeyRange& range, bool negated, uint64_t* rows) {
    const auto& [kind, values, count, first] = given;
    const auto low = static_cast<int64_t>(range.low), high = static_cast<int64_t>(range.high);
    switch (kind) {
        case KeyKind::kBool:
            return keep_bools(static_cast<const uint8_t*>(values), first, count,
                              (low <= 0 && high >= 0) != negated,
                              (low <= 1 && high >= 1) != negated, rows);
        case KeyKind::kInt16:
            return keep_range<int16_t, int16_t>(values, count, low, high, negated, rows);
        case KeyKind::kInt32:
            return keep_range<int32_t, int32_t>(values, count, low, high, negated, rows);
        case KeyKind::kInt64:
            return keep_range<int64_t, int64_t>(values, count, low, high, negated, rows);
        case KeyKind::kFloat32:
            return keep_range<float, int32_t>(values, count, low, high, negated, rows);
        case KeyKind::kFloat64:
            return keep_range<double, int64_t>(values, count, low, high, negated, rows);
        case KeyKind::kUInt64:
            // The test is made modulo 2^64, where signed and unsigned are the same.
            return keep_range<int64_t, int64_t>(values, count, low, high, negated, rows);
        case KeyKind::kDecimal:
            return keep_wide_range(DecimalKeys(), values, count, range, negated, rows);
        case KeyKind::kUuid:
            return keep_wide_range(UuidKeys(), values, count, range, negated, rows);
        default:
            return;
    }
}

void keep_in_set(const KeyValues& values, const KeySet<int64_t>* narrow, const KeySet<Int128>* wide,
                 bool negated, uint64_t* rows) {
    with_keys(values.kind, [&](auto keys) {
        keep_each(values.count, rows, [&](int64_t i) {
            const auto key = keys(values.at, i);
            if constexpr (sizeof key == 16) {
                return wide->contains(key) != negated;
            } else {
                return narrow->contains(key) != negated;
            }
        });
    });
}

void keep_compared(KeyKind kind, plan::CompareOp op, const void* left, const void* right,
                   int64_t count, uint64_t* rows) {
    with_keys(kind, [&](auto keys) {
        auto run = [&](auto holds) { keep_pairs(keys, left, right, count, holds, rows); };
        switch (op) {
            case plan::CompareOp::kEqual:
                return run([](auto a, auto b) { return a == b; });
            case plan::CompareOp::kNotEqual:
                return run([](auto a, auto b) { return a != b; });
            case plan::CompareOp::kLess:
                return run([](auto a, auto b) { return a < b; });
            case plan::CompareOp::kLessEqual:
                return run([](auto a, auto b) { return a <= b; });
            case plan::CompareOp::kGreater:
                return run([](auto a, auto b) { return a > b; });
            case plan::CompareOp::kGreaterEqual:
                return run([](auto a, auto b) { return a >= b; });
        }
    });
}

}  // namespace trefoil::access
