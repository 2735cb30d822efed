// ColumnBuilder: makes one column, value by value or array by array.
//
//     ColumnBuilder names(utf8_view());
//     names.append_bytes("Ann");
//     names.append_null();
//     Array column = names.finish();
//
// The typed appends check nothing but their REQUIRES; append(Value) and append_text are the checked
// way in, with the conversions that SQL allows when a value is assigned to a column.
//
// A builder makes every type the store keeps, integers of any width, and lists of all these.
// Strings become views: up to 12 bytes inline, longer ones in heap blocks that the builder owns.
//
// Threads: a builder belongs to one thread at a time.

#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "arrow/array.h"
#include "arrow/type.h"
#include "trefoil/status.h"
#include "trefoil/value.h"

namespace trefoil::arrow {

// The longest string or binary value, as in PostgreSQL; longer ones are refused with 54000.
inline constexpr size_t kFieldBytesMax = size_t{1} << 30;
// No heap block of strings is longer, so that every offset fits a view.
inline constexpr size_t kHeapBlockBytesMax = size_t{1} << 30;

// True if a ColumnBuilder can make this type.
bool is_buildable(const Type& type);

class ColumnBuilder {
public:
    // REQUIRES: is_buildable(type).
    explicit ColumnBuilder(Type type);
    ColumnBuilder(ColumnBuilder&&) noexcept = default;
    ColumnBuilder& operator=(ColumnBuilder&&) noexcept = default;

    const Type& type() const { return type_; }
    int64_t length() const { return length_; }
    // Heap bytes in use, for budgets.
    size_t byte_size() const;

    // Room for so many more values, and so many more bytes of strings over 12 bytes.
    void reserve(int64_t values, size_t string_bytes = 0);

    void append_null();
    void append_nulls(int64_t count);
    void append_bool(bool v);
    // Any integer-like type: integers, dates, times, timestamps. UInt64 takes the bits.
    // REQUIRES: the value fits the type.
    void append_int64(int64_t v);
    // REQUIRES: Float32 or Float64.
    void append_double(double v);
    // The unscaled value, at the column's scale. REQUIRES: it has at most `precision` digits.
    void append_decimal(__int128 unscaled);
    void append_interval(const Interval& v);
    // REQUIRES: a view type, and at most kFieldBytesMax bytes; or FixedSizeBinary, and its width.
    // Text must be valid UTF-8.
    void append_bytes(std::string_view v);

    // A list is made of elements that are appended to elements() and closed by append_list().
    ColumnBuilder& elements() { return *elements_; }
    void append_list();

    // Value `row` of an array of this type. Strings and binaries may have any layout, also that of
    // a dictionary.
    void append_from(const Array& array, int64_t row);
    // All values of such an array, at the speed of copying.
    void append_array(const Array& array);

    // A value, converted as SQL assigns it: text is parsed as the type's literal; numbers are
    // rounded to the scale (or integer) of the column; anything becomes text.
    // Errors: 22003 out of range, 22P02 / 22007 text that is no such literal, 42804 no such
    // conversion, 54000 too long. Nothing is appended then.
    Status append(const Value& value);
    // A literal of the type, as in '2024-02-29'. Errors as for append().
    Status append_text(std::string_view text);

    // The array made so far; the builder is empty afterwards and can go on.
    Array finish();

private:
    // Growing memory, 64-byte aligned.
    struct Memory {
        std::shared_ptr<uint8_t> data;
        size_t size = 0;
        size_t capacity = 0;
        void reserve(size_t bytes);
        uint8_t* extend(size_t bytes);  // uninitialised
        Buffer take();
    };

    template <typename T>
    void append_fixed(T v);
    void start_validity();
    void append_valid_bit();
    void append_validity(const Array& array);
    View make_view(std::string_view v);
    uint8_t* heap_space(size_t bytes);
    void append_views(const Array& array);
    void append_lists(const Array& array);
    void append_bools(const Array& array);
    Status append_converted(const Value& value);
    Status append_number(const Value& value);
    Status append_moment(const Value& value);
    Status append_list_value(const Value::List& list);
    Status append_integer_text(std::string_view text);
    Status append_number_text(std::string_view text);
    Status append_list_text(std::string_view text);

    Type type_;
    size_t width_;  // bytes per value; 0 for bools and lists
    int64_t length_ = 0;
    int64_t null_count_ = 0;
    Memory validity_;  // empty as long as there was no null
    Memory values_;    // values, bits, views or list offsets
    std::vector<Memory> heap_;
    std::unique_ptr<ColumnBuilder> elements_;
};

}  // namespace trefoil::arrow
