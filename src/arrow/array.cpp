// Array: reading values and slicing.

#include "arrow/array.h"

#include <algorithm>
#include <cstdlib>

#include "arrow/bitmap.h"
#include "base/check.h"

namespace trefoil::arrow {
namespace {
constexpr size_t kAlignment = 64;
}

std::shared_ptr<uint8_t> allocate(size_t bytes) {
    size_t rounded =
        std::max<size_t>(kAlignment, (bytes + kAlignment - 1) / kAlignment * kAlignment);
    auto* p = static_cast<uint8_t*>(std::aligned_alloc(kAlignment, rounded));
    CHECK(p != nullptr);
    return {p, [](uint8_t* q) { std::free(q); }};
}

Buffer copy_buffer(std::span<const uint8_t> bytes) {
    auto memory = allocate(bytes.size());
    if (!bytes.empty()) std::memcpy(memory.get(), bytes.data(), bytes.size());
    return {memory.get(), bytes.size(), memory};
}

bool Array::has_nulls() const {
    if (type.id == TypeId::kNull) return length > 0;
    if (null_count == 0 || buffers[0].data == nullptr) return false;
    if (null_count > 0) return true;
    return count_bits(buffers[0].data, offset, length) != length;
}

std::string_view Array::bytes_at(int64_t i) const {
    const int64_t at = offset + i;
    switch (type.id) {
        case TypeId::kUtf8:
        case TypeId::kBinary: {
            const auto* o = reinterpret_cast<const int32_t*>(buffers[1].data);
            return {reinterpret_cast<const char*>(buffers[2].data) + o[at],
                    static_cast<size_t>(o[at + 1] - o[at])};
        }
        case TypeId::kLargeUtf8:
        case TypeId::kLargeBinary: {
            const auto* o = reinterpret_cast<const int64_t*>(buffers[1].data);
            return {reinterpret_cast<const char*>(buffers[2].data) + o[at],
                    static_cast<size_t>(o[at + 1] - o[at])};
        }
        case TypeId::kUtf8View:
        case TypeId::kBinaryView: {
            const View& v = reinterpret_cast<const View*>(buffers[1].data)[at];
            if (v.size <= 12) return {v.inlined, static_cast<size_t>(v.size)};
            const auto* data = buffers[2 + static_cast<size_t>(v.ref.buffer)].data;
            return {reinterpret_cast<const char*>(data) + v.ref.offset,
                    static_cast<size_t>(v.size)};
        }
        case TypeId::kFixedSizeBinary: {
            auto width = static_cast<size_t>(type.width);
            return {
                reinterpret_cast<const char*>(buffers[1].data) + static_cast<size_t>(at) * width,
                width};
        }
        default:
            CHECK(false && "bytes_at: not a string or binary type");
    }
    return {};
}

Array Array::list_at(int64_t i) const {
    const int64_t at = offset + i;
    if (type.id == TypeId::kFixedSizeList) {
        return children[0].slice(at * type.width, type.width);
    }
    if (type.id == TypeId::kLargeList) {
        const auto* o = reinterpret_cast<const int64_t*>(buffers[1].data);
        return children[0].slice(o[at], o[at + 1] - o[at]);
    }
    CHECK(type.id == TypeId::kList || type.id == TypeId::kMap);
    const auto* o = reinterpret_cast<const int32_t*>(buffers[1].data);
    return children[0].slice(o[at], o[at + 1] - o[at]);
}

Array Array::slice(int64_t start, int64_t count) const {
    CHECK(start >= 0 && count >= 0 && start + count <= length);
    Array a = *this;
    a.offset += start;
    a.length = count;
    if (start != 0 || count != length) a.null_count = null_count == 0 ? 0 : -1;
    return a;
}

size_t Array::byte_size() const {
    size_t n = 0;
    for (const Buffer& b : buffers) n += b.size;
    for (const Array& c : children) n += c.byte_size();
    return n + (dictionary ? dictionary->byte_size() : 0);
}

Batch Batch::slice(int64_t start, int64_t count) const {
    Batch b{schema, count, {}};
    b.columns.reserve(columns.size());
    for (const Array& c : columns) b.columns.push_back(c.slice(start, count));
    return b;
}

size_t Batch::byte_size() const {
    size_t n = 0;
    for (const Array& c : columns) n += c.byte_size();
    return n;
}

}  // namespace trefoil::arrow
