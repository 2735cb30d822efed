// Array and Batch: Arrow columns as C++ values, in memory that somebody owns.
//
// An Array is a description: lengths, and views of buffers with a counted owner (a heap block, a
// mapped segment file, a struct that came from Rust). Copying one copies no data. The bytes live as
// long as any copy does, also beyond the snapshot or the database they came from.
//
// Layout is Arrow's own: `buffers[0]` is the validity bitmap (no data pointer: all valid) for every
// type but Null; then
//     fixed width, bool   values
//     Utf8, Binary        offsets, bytes
//     views               16-byte views, then the data buffers the views refer to
//     list                offsets; children[0] holds the elements
//     dictionary          indices; *dictionary holds the values

#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "arrow/type.h"
#include "trefoil/arrow_c.h"

namespace trefoil::arrow {

struct Buffer {
    const uint8_t* data = nullptr;
    size_t size = 0;
    std::shared_ptr<const void> owner;
};

// 64-byte aligned memory; what builders fill and Buffers own.
std::shared_ptr<uint8_t> allocate(size_t bytes);
// A buffer that holds a copy of `bytes`.
Buffer copy_buffer(std::span<const uint8_t> bytes);

inline bool get_bit(const uint8_t* bits, int64_t i) {
    return (bits[i >> 3] >> (i & 7)) & 1;
}
inline void set_bit(uint8_t* bits, int64_t i) {
    bits[i >> 3] |= static_cast<uint8_t>(1u << (i & 7));
}

// One entry of a view array: up to 12 bytes inline, else a prefix and a place in a data buffer.
struct View {
    int32_t size;
    union {
        char inlined[12];
        struct {
            char prefix[4];
            int32_t buffer;
            int32_t offset;
        } ref;
    };
};
static_assert(sizeof(View) == 16);

struct Array {
    Type type;
    int64_t length = 0;
    int64_t offset = 0;       // of the first value, in all buffers
    int64_t null_count = -1;  // -1: not counted
    std::vector<Buffer> buffers;
    std::vector<Array> children;
    std::shared_ptr<const Array> dictionary;

    bool is_valid(int64_t i) const {
        if (type.id == TypeId::kNull) return false;
        return buffers[0].data == nullptr || get_bit(buffers[0].data, offset + i);
    }
    bool is_null(int64_t i) const { return !is_valid(i); }
    bool has_nulls() const;  // counts if it must

    // The values of a fixed-width type, from the first value of this array on.
    template <typename T>
    const T* values() const {
        return reinterpret_cast<const T*>(buffers[1].data) + offset;
    }
    bool bool_at(int64_t i) const { return get_bit(buffers[1].data, offset + i); }
    // The bytes of value i of any string, binary or fixed-size binary type. They live as long as
    // this.
    std::string_view bytes_at(int64_t i) const;
    // The elements of list i, as an array of their own.
    Array list_at(int64_t i) const;

    // `count` values from `start`, without copying. REQUIRES: they exist.
    Array slice(int64_t start, int64_t count) const;
    // Bytes that this array keeps in memory or mapped, shared buffers counted whole.
    size_t byte_size() const;
};

// Rows: columns of equal length. A batch without columns still has a row count.
struct Batch {
    SchemaPtr schema;
    int64_t rows = 0;
    std::vector<Array> columns;

    Batch slice(int64_t start, int64_t count) const;
    size_t byte_size() const;
};

// --- The C data interface
// -----------------------------------------------------------------------------

// Fills `out`; the receiver releases it. The arrays' owners are held until then.
void export_type(const Field& field, ArrowSchema* out);
void export_schema(const Schema& schema, ArrowSchema* out);
void export_array(const Array& array, ArrowArray* out);
void export_batch(const Batch& batch, ArrowArray* out);  // as a struct array

// Reads a schema; the struct stays the caller's.
Result<Field> import_field(const ArrowSchema& schema);
Result<Schema> import_schema(const ArrowSchema& schema);  // a struct
// Takes the struct over: it is released when the last copy of the array goes. On an error it is
// released.
Result<Array> import_array(ArrowArray* array, const Type& type);
Result<Batch> import_batch(ArrowArray* array, const SchemaPtr& schema);

}  // namespace trefoil::arrow
