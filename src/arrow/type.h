// Type, Field, Schema: what an Arrow column holds, as values.
//
// The store keeps a small canon of types (see storage_types in catalog); answers of DataFusion may
// be of any Arrow type, so this file names them all. `format()` and `from_format` speak the format
// strings of the Arrow C data interface ("l", "vu", "d:10,2", "tsu:UTC").

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "trefoil/status.h"

namespace trefoil::arrow {

enum class TypeId : uint8_t {
    kNull,
    kBool,
    kInt8,
    kInt16,
    kInt32,
    kInt64,
    kUInt8,
    kUInt16,
    kUInt32,
    kUInt64,
    kFloat16,
    kFloat32,
    kFloat64,
    kDecimal128,
    kDecimal256,
    kUtf8,
    kLargeUtf8,
    kUtf8View,
    kBinary,
    kLargeBinary,
    kBinaryView,
    kFixedSizeBinary,
    kDate32,
    kDate64,
    kTime32,
    kTime64,
    kTimestamp,
    kDuration,
    kIntervalMonths,
    kIntervalDayTime,
    kIntervalMonthDayNano,
    kList,
    kLargeList,
    kFixedSizeList,
    kStruct,
    kMap,
    kDictionary,
};

enum class TimeUnit : uint8_t { kSecond, kMilli, kMicro, kNano };

struct Field;

struct Type {
    TypeId id = TypeId::kNull;
    TimeUnit unit = TimeUnit::kMicro;  // times, timestamps, durations
    int32_t precision = 0;             // decimals
    int32_t scale = 0;                 // decimals
    int32_t width = 0;                 // bytes of a fixed-size binary; entries of a fixed-size list
    std::string timezone;              // timestamps; "" for none
    std::vector<Field> children;  // lists, structs, maps; a dictionary: its indices, its values

    bool operator==(const Type&) const;

    // The format string of this node alone, without its children.
    std::string format() const;
    // A type without children; those of a nested type are added by the importer.
    static Result<Type> from_format(std::string_view format);

    // Bytes per value in the data buffer; 0 for types without a fixed width (and for bools: one
    // bit).
    size_t byte_width() const;
    bool is_string() const;  // Utf8, LargeUtf8, Utf8View
    bool is_view() const { return id == TypeId::kUtf8View || id == TypeId::kBinaryView; }
    // What SQL calls it: "BIGINT", "DECIMAL(10,2)", "TEXT", "INTEGER[]"; the Arrow name if SQL has
    // none.
    std::string sql_name() const;
};

struct Field {
    std::string name;
    Type type;
    bool nullable = true;
    bool operator==(const Field&) const = default;
};

inline bool Type::operator==(const Type& o) const {
    return id == o.id && unit == o.unit && precision == o.precision && scale == o.scale &&
           width == o.width && timezone == o.timezone && children == o.children;
}

struct Schema {
    std::vector<Field> fields;
    bool operator==(const Schema&) const = default;
};

using SchemaPtr = std::shared_ptr<const Schema>;

// Short constructors of the types that the store keeps.
Type boolean();
Type int16();
Type int32();
Type int64();
Type uint64();
Type float32();
Type float64();
Type decimal(int32_t precision, int32_t scale);  // 128 bits
Type utf8_view();
Type binary_view();
Type fixed_size_binary(int32_t width);
Type date32();
Type time64();                              // microseconds
Type timestamp(std::string timezone = "");  // microseconds
Type interval();                            // months, days, nanoseconds
Type list(Type element);

}  // namespace trefoil::arrow
