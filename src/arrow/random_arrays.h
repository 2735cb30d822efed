// Random arrays of every type that a ColumnBuilder makes: the data of property tests.

#pragma once

#include <random>
#include <string>
#include <vector>

#include "arrow/array.h"
#include "arrow/builder.h"
#include "base/text_format.h"

namespace trefoil::arrow {

inline std::vector<Type> buildable_types() {
    std::vector<Type> types = {boolean(),
                               int16(),
                               int32(),
                               int64(),
                               uint64(),
                               float32(),
                               float64(),
                               decimal(10, 2),
                               decimal(38, 10),
                               utf8_view(),
                               binary_view(),
                               fixed_size_binary(16),
                               fixed_size_binary(5),
                               date32(),
                               time64(),
                               timestamp(),
                               timestamp("UTC"),
                               interval()};
    for (TypeId id : {TypeId::kInt8, TypeId::kUInt8, TypeId::kUInt16, TypeId::kUInt32}) {
        Type type;
        type.id = id;
        types.push_back(type);
    }
    const size_t flat = types.size();
    for (size_t i = 0; i < flat; i++) types.push_back(list(types[i]));
    types.push_back(list(list(utf8_view())));
    return types;
}

class RandomArrays {
public:
    explicit RandomArrays(uint64_t seed) : random_(seed) {}

    uint64_t number(uint64_t below) { return below ? random_() % below : 0; }

    Array make(const Type& type, int64_t length, double nulls) {
        ColumnBuilder builder(type);
        for (int64_t i = 0; i < length; i++) {
            if (static_cast<double>(number(1000)) < nulls * 1000) {
                builder.append_null();
            } else {
                append(builder);
            }
        }
        return builder.finish();
    }

    std::vector<uint32_t> rows(int64_t length, size_t count) {
        std::vector<uint32_t> rows(length ? count : 0);
        for (uint32_t& r : rows) r = static_cast<uint32_t>(number(static_cast<uint64_t>(length)));
        return rows;
    }

    // Valid UTF-8; short and long ones, with quotes, commas and line ends among them.
    std::string text() {
        static constexpr const char* kPieces[] = {"a",  "bc",   " ",        ",",
                                                  "\"", "\n",   "\r\n",     "\\",
                                                  "{",  "}",    "\xc3\xa9", "\xf0\x9f\x8d\x80",
                                                  "0",  "NULL", "\t",       "xyz"};
        std::string v;
        for (uint64_t n = number(number(4) == 0 ? 60 : 8); n > 0; n--) {
            v += kPieces[number(std::size(kPieces))];
        }
        return v;
    }

private:
    std::string bytes(size_t n) {
        std::string v(n, '\0');
        for (char& c : v) c = static_cast<char>(random_());
        return v;
    }

    int64_t small_or_large(int bits) {
        const auto v = static_cast<int64_t>(random_());
        return v >> (64 - bits + static_cast<int>(number(static_cast<uint64_t>(bits))));
    }

    void append(ColumnBuilder& builder) {
        const Type& type = builder.type();
        switch (type.id) {
            case TypeId::kBool:
                return builder.append_bool(number(2));
            case TypeId::kFloat32:
            case TypeId::kFloat64:
                return builder.append_double(static_cast<double>(small_or_large(40)) / 1024);
            case TypeId::kDecimal128: {
                const __int128 limit = power_of_ten(type.precision);
                const __int128 v = static_cast<__int128>(random_()) << 64 | random_();
                return builder.append_decimal(v % limit);
            }
            case TypeId::kUtf8View:
                return builder.append_bytes(text());
            case TypeId::kBinaryView:
                return builder.append_bytes(bytes(number(30)));
            case TypeId::kFixedSizeBinary:
                return builder.append_bytes(bytes(static_cast<size_t>(type.width)));
            case TypeId::kDate32:
                return builder.append_int64(small_or_large(24));
            case TypeId::kTime64:
                return builder.append_int64(
                    static_cast<int64_t>(number(static_cast<uint64_t>(kMicrosPerDay))));
            case TypeId::kTimestamp:
                return builder.append_int64(small_or_large(55));
            case TypeId::kIntervalMonthDayNano:
                return builder.append_interval({static_cast<int32_t>(small_or_large(16)),
                                                static_cast<int32_t>(small_or_large(16)),
                                                small_or_large(50)});
            case TypeId::kList:
                for (uint64_t n = number(5); n > 0; n--) {
                    number(5) ? append(builder.elements()) : builder.elements().append_null();
                }
                return builder.append_list();
            default:
                return builder.append_int64(
                    small_or_large(static_cast<int>(type.byte_width()) * 8));
        }
    }

    std::mt19937_64 random_;
};

}  // namespace trefoil::arrow
