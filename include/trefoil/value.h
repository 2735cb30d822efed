// Value: one SQL value, of any type, that owns its bytes.
//
// Values are how parameters go in and how single fields come out; whole results travel as Arrow
// batches. A Value is copied and compared like an int.

#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "trefoil/status.h"

namespace trefoil {

// DECIMAL: unscaled * 10^-scale. 12.50 is {1250, 2}.
struct Decimal {
    __int128 unscaled = 0;
    int32_t scale = 0;
    bool operator==(const Decimal&) const = default;
};

// Days since 1970-01-01.
struct Date {
    int32_t days = 0;
    auto operator<=>(const Date&) const = default;
};

// Microseconds since midnight.
struct Time {
    int64_t micros = 0;
    auto operator<=>(const Time&) const = default;
};

// Microseconds since 1970-01-01 00:00:00; `utc` for TIMESTAMPTZ, otherwise local to nobody.
struct Timestamp {
    int64_t micros = 0;
    bool utc = false;
    auto operator<=>(const Timestamp&) const = default;
};

// Months, days and nanoseconds are kept apart: a month has no fixed length, a day may have 23
// hours.
struct Interval {
    int32_t months = 0;
    int32_t days = 0;
    int64_t nanos = 0;
    bool operator==(const Interval&) const = default;
};

struct Uuid {
    std::array<uint8_t, 16> bytes{};
    auto operator<=>(const Uuid&) const = default;
};

// BYTEA.
struct Blob {
    std::string bytes;
    auto operator<=>(const Blob&) const = default;
};

class Value {
public:
    using List = std::vector<Value>;
    using Storage = std::variant<std::monostate, bool, int64_t, double, std::string, Decimal, Date,
                                 Time, Timestamp, Interval, Uuid, Blob, List>;

    Value() = default;  // NULL
    Value(std::nullptr_t) {}
    Value(bool v) : v_(v) {}
    Value(int v) : v_(int64_t{v}) {}
    Value(int64_t v) : v_(v) {}
    Value(double v) : v_(v) {}
    Value(const char* v) : v_(std::string(v)) {}
    Value(std::string_view v) : v_(std::string(v)) {}
    Value(std::string v) : v_(std::move(v)) {}
    Value(Decimal v) : v_(v) {}
    Value(Date v) : v_(v) {}
    Value(Time v) : v_(v) {}
    Value(Timestamp v) : v_(v) {}
    Value(Interval v) : v_(v) {}
    Value(Uuid v) : v_(v) {}
    Value(Blob v) : v_(std::move(v)) {}
    Value(List v) : v_(std::move(v)) {}

    bool is_null() const { return v_.index() == 0; }
    const Storage& storage() const { return v_; }

    // Null if the value is of another type.
    template <typename T>
    const T* get_if() const {
        return std::get_if<T>(&v_);
    }

    // As SQL prints it: true/false, 12.50, 2024-02-29 12:00:00, \x00ff, {1,2,NULL}; "" for NULL.
    std::string to_string() const;

    bool operator==(const Value&) const = default;

private:
    Storage v_;
};

}  // namespace trefoil
