// Arrays as bytes: the writer, and a reader that trusts nothing. Layout: serialize_format.h.

#include "arrow/serialize.h"

#include <algorithm>
#include <string>
#include <vector>

#include "arrow/builder.h"
#include "arrow/compute.h"
#include "arrow/bitmap.h"
#include "arrow/serialize_format.h"
#include "base/check.h"
#include "base/utf8.h"

namespace trefoil::arrow {
namespace {

size_t values_alignment(const Type& type) {
    return type.byte_width() == 16 && type.id != TypeId::kFixedSizeBinary ? 16 : 8;
}

size_t round_up(size_t n, size_t alignment) {
    return (n + alignment - 1) / alignment * alignment;
}

Bytes bytes_of(const Buffer& buffer) {
    return {reinterpret_cast<const char*>(buffer.data), buffer.size};
}

// --- Writing
// ------------------------------------------------------------------------------------------

// REQUIRES: a compact array.
void write_column(const Array& array, Writer& header, Writer& body) {
    CHECK(array.length <= INT32_MAX);
    const std::string format = array.type.format();
    header.u8(static_cast<uint8_t>(format.size()));
    header.bytes(format);
    header.u32(static_cast<uint32_t>(array.length));
    header.u8(array.buffers[0].data ? kSerialHasValidity : 0);
    for (size_t i = 0; i < array.buffers.size(); i++) {
        if (array.buffers[i].size == 0) continue;
        body.align(i == 1 ? values_alignment(array.type) : 8);
        body.bytes(bytes_of(array.buffers[i]));
    }
    if (array.type.is_view()) {
        CHECK(array.buffers.size() - 2 <= UINT16_MAX);
        header.u16(static_cast<uint16_t>(array.buffers.size() - 2));
        for (size_t i = 2; i < array.buffers.size(); i++) header.u64(array.buffers[i].size);
    }
    for (const Array& child : array.children) write_column(child, header, body);
}

void write_body(Writer& body, Writer& out) {
    body.align(8);
    out.u64(body.size());
    out.bytes(body.data());
}

// --- Reading
// ------------------------------------------------------------------------------------------

Status malformed(const std::string& what) {
    return Status::corruption("a serialised column is malformed: " + what);
}

// The description of a column, before its buffers are known.
struct Column {
    const Type* type;
    uint32_t length;
    bool has_validity;
    std::vector<uint64_t> heaps;
    std::vector<Column> children;
};

Result<Column> read_header(Reader& in, const Type& type, int depth) {
    if (depth > kSerialDepthMax) return malformed("lists are nested too deeply");
    Bytes format = in.bytes(in.u8());
    Column column{&type, in.u32(), false, {}, {}};
    const uint8_t flags = in.u8();
    if (!in.ok()) return malformed("it ends early");
    if (format != type.format()) {
        return malformed("its type is \"" + std::string(format) + "\", not \"" + type.format() +
                         "\"");
    }
    if (column.length > INT32_MAX || (flags & ~kSerialHasValidity)) return malformed("its head");
    column.has_validity = flags & kSerialHasValidity;
    if (type.is_view()) {
        const uint16_t heaps = in.u16();
        for (uint16_t i = 0; i < heaps && in.ok(); i++) column.heaps.push_back(in.u64());
    }
    if (type.id == TypeId::kList) {
        ASSIGN_OR_RETURN(Column child, read_header(in, type.children[0].type, depth + 1));
        column.children.push_back(std::move(child));
    }
    if (!in.ok()) return malformed("it ends early");
    return column;
}

// Hands out the buffers of a body that was copied into aligned memory.
class Body {
public:
    explicit Body(Bytes bytes) : size_(bytes.size()), memory_(allocate(bytes.size())) {
        if (size_) std::memcpy(memory_.get(), bytes.data(), size_);
    }

    // No data if the body is too short; ok() says so.
    Buffer next(size_t bytes, size_t alignment) {
        if (bytes == 0) return {memory_.get(), 0, memory_};
        const size_t at = round_up(at_, alignment);
        if (at > size_ || bytes > size_ - at) {
            ok_ = false;
            return {};
        }
        at_ = at + bytes;
        return {memory_.get() + at, bytes, memory_};
    }
    bool ok() const { return ok_; }
    bool at_end() const { return round_up(at_, 8) == size_; }

private:
    size_t size_;
    std::shared_ptr<uint8_t> memory_;
    size_t at_ = 0;
    bool ok_ = true;
};

size_t values_bytes(const Type& type, size_t length) {
    if (type.id == TypeId::kBool) return (length + 7) / 8;
    if (type.id == TypeId::kList) return (length + 1) * 4;
    return length * type.byte_width();
}

bool is_sound(const View& view, const Array& array) {
    if (view.size < 0) return false;
    const auto size = static_cast<size_t>(view.size);
    if (size <= 12) {
        return std::all_of(view.inlined + size, view.inlined + 12, [](char c) { return c == 0; });
    }
    if (view.ref.buffer < 0 || view.ref.offset < 0) return false;
    const auto buffer = static_cast<size_t>(view.ref.buffer) + 2;
    if (buffer >= array.buffers.size()) return false;
    const Buffer& heap = array.buffers[buffer];
    const auto offset = static_cast<size_t>(view.ref.offset);
    if (offset > heap.size || size > heap.size - offset) return false;
    return std::memcmp(view.ref.prefix, heap.data + offset, 4) == 0;
}

Status check_views(const Array& array) {
    for (int64_t i = 0; i < array.length; i++) {
        if (!is_sound(array.values<View>()[i], array)) return malformed("a view");
    }
    if (array.type.id != TypeId::kUtf8View) return {};
    for (int64_t i = 0; i < array.length; i++) {
        if (!is_utf8(array.bytes_at(i))) return malformed("text is not UTF-8");
    }
    return {};
}

Status check_offsets(const Array& array) {
    const auto* offsets = array.values<int32_t>();
    bool ascending = offsets[0] == 0 && offsets[array.length] == array.children[0].length;
    for (int64_t i = 0; i < array.length; i++) ascending &= offsets[i] <= offsets[i + 1];
    return ascending ? Status() : malformed("list offsets");
}

Result<Array> read_column(const Column& column, Body& body) {
    Array array;
    array.type = *column.type;
    array.length = column.length;
    const size_t length = column.length;
    array.buffers.push_back(column.has_validity ? body.next((length + 7) / 8, 8) : Buffer{});
    array.buffers.push_back(
        body.next(values_bytes(array.type, length), values_alignment(array.type)));
    for (uint64_t heap : column.heaps) array.buffers.push_back(body.next(heap, 8));
    if (!body.ok()) return malformed("its buffers end early");
    for (const Column& child : column.children) {
        ASSIGN_OR_RETURN(Array elements, read_column(child, body));
        array.children.push_back(std::move(elements));
    }
    if (array.type.is_view()) RETURN_IF_ERROR(check_views(array));
    if (array.type.id == TypeId::kList) RETURN_IF_ERROR(check_offsets(array));
    array.null_count = null_count(array);
    return array;
}

Status check_format(Reader& in) {
    const uint8_t format = in.u8();
    if (!in.ok()) return malformed("it is empty");
    if (format != kSerialFormat) return malformed("format " + std::to_string(format));
    return {};
}

Result<Body> read_body(Reader& in) {
    const uint64_t size = in.u64();
    Bytes bytes = in.bytes(size);
    if (!in.ok()) return malformed("it ends early");
    return Body(bytes);
}

}  // namespace

void serialize(const Array& array, Writer& out) {
    out.u8(kSerialFormat);
    Writer body;
    write_column(compact(array), out, body);
    write_body(body, out);
}

void serialize(const Batch& batch, Writer& out) {
    out.u8(kSerialFormat);
    out.u64(static_cast<uint64_t>(batch.rows));
    out.u32(static_cast<uint32_t>(batch.columns.size()));
    Writer body;
    for (const Array& column : batch.columns) write_column(compact(column), out, body);
    write_body(body, out);
}

Result<Array> deserialize(Reader& in, const Type& type) {
    CHECK(is_buildable(type));
    RETURN_IF_ERROR(check_format(in));
    ASSIGN_OR_RETURN(Column column, read_header(in, type, 0));
    ASSIGN_OR_RETURN(Body body, read_body(in));
    ASSIGN_OR_RETURN(Array array, read_column(column, body));
    if (!body.at_end()) return malformed("bytes are left over");
    return array;
}

Result<Batch> deserialize(Reader& in, const SchemaPtr& schema) {
    RETURN_IF_ERROR(check_format(in));
    Batch batch{schema, static_cast<int64_t>(in.u64()), {}};
    const uint32_t n = in.u32();
    if (!in.ok() || n != schema->fields.size()) return malformed("its number of columns");
    std::vector<Column> columns;
    for (const Field& field : schema->fields) {
        CHECK(is_buildable(field.type));
        ASSIGN_OR_RETURN(Column column, read_header(in, field.type, 0));
        if (column.length != batch.rows) return malformed("columns of different lengths");
        columns.push_back(std::move(column));
    }
    ASSIGN_OR_RETURN(Body body, read_body(in));
    for (const Column& column : columns) {
        ASSIGN_OR_RETURN(Array array, read_column(column, body));
        batch.columns.push_back(std::move(array));
    }
    if (!body.at_end()) return malformed("bytes are left over");
    return batch;
}

}  // namespace trefoil::arrow
