// ColumnBuilder: memory and the unchecked appends. Conversions of values are in builder_values.cpp.

#include "arrow/builder.h"

#include <algorithm>
#include <utility>

#include "arrow/bitmap.h"
#include "arrow/dictionary.h"
#include "base/check.h"

namespace trefoil::arrow {
namespace {

constexpr size_t kFirstHeapBytes = size_t{4} << 10;
constexpr size_t kUsualHeapBytesMax = size_t{16} << 20;

bool is_buildable_at(const Type& type, int depth) {
    switch (type.id) {
        case TypeId::kBool:
        case TypeId::kInt8:
        case TypeId::kInt16:
        case TypeId::kInt32:
        case TypeId::kInt64:
        case TypeId::kUInt8:
        case TypeId::kUInt16:
        case TypeId::kUInt32:
        case TypeId::kUInt64:
        case TypeId::kFloat32:
        case TypeId::kFloat64:
        case TypeId::kDecimal128:
        case TypeId::kUtf8View:
        case TypeId::kBinaryView:
        case TypeId::kFixedSizeBinary:
        case TypeId::kDate32:
        case TypeId::kIntervalMonthDayNano:
            return true;
        case TypeId::kTime64:
        case TypeId::kTimestamp:
            return type.unit == TimeUnit::kMicro;
        case TypeId::kList:
            return depth < 32 && is_buildable_at(type.children.at(0).type, depth + 1);
        default:
            return false;
    }
}

size_t array_values(const Array& array) {
    return static_cast<size_t>(array.length);
}

}  // namespace

bool is_buildable(const Type& type) {
    return is_buildable_at(type, 0);
}

// --- Memory
// ------------------------------------------------------------------------------------

void ColumnBuilder::Memory::reserve(size_t bytes) {
    if (bytes <= capacity) return;
    size_t grown = std::max<size_t>({bytes, capacity * 2, 64});
    auto larger = allocate(grown);
    if (size) std::memcpy(larger.get(), data.get(), size);
    data = std::move(larger);
    capacity = grown;
}

uint8_t* ColumnBuilder::Memory::extend(size_t bytes) {
    reserve(size + bytes);
    uint8_t* p = data.get() + size;
    size += bytes;
    return p;
}

Buffer ColumnBuilder::Memory::take() {
    if (!data) data = allocate(0);
    Buffer b{data.get(), size, data};
    *this = Memory();
    return b;
}

ColumnBuilder::ColumnBuilder(Type type) : type_(std::move(type)), width_(type_.byte_width()) {
    CHECK(is_buildable(type_));
    if (type_.id == TypeId::kList) {
        elements_ = std::make_unique<ColumnBuilder>(type_.children[0].type);
        std::memset(values_.extend(4), 0, 4);
    }
}

size_t ColumnBuilder::byte_size() const {
    size_t n = validity_.size + values_.size;
    for (const Memory& block : heap_) n += block.capacity;
    return n + (elements_ ? elements_->byte_size() : 0);
}

void ColumnBuilder::reserve(int64_t values, size_t string_bytes) {
    const auto n = static_cast<size_t>(values);
    if (type_.id == TypeId::kBool) {
        values_.reserve(static_cast<size_t>(bitmap_size(length_ + values)));
    } else {
        values_.reserve(values_.size + n * (elements_ ? 4 : width_));
    }
    if (string_bytes == 0 || !type_.is_view()) return;
    if (heap_.empty() || heap_.back().capacity - heap_.back().size < string_bytes) {
        heap_.emplace_back();
        heap_.back().reserve(std::min(string_bytes, kHeapBlockBytesMax));
    }
}

// --- Single values
// ------------------------------------------------------------------------------------

// Everything so far was valid.
void ColumnBuilder::start_validity() {
    if (length_ == 0) return;
    const auto bytes = static_cast<size_t>(bitmap_size(length_));
    std::memset(validity_.extend(bytes), 0, bytes);
    fill_bits(validity_.data.get(), 0, length_, true);
}

void ColumnBuilder::append_valid_bit() {
    if (validity_.data) {
        if ((length_ & 7) == 0) *validity_.extend(1) = 0;
        set_bit(validity_.data.get(), length_);
    }
    length_++;
}

template <typename T>
void ColumnBuilder::append_fixed(T v) {
    std::memcpy(values_.extend(sizeof v), &v, sizeof v);
    append_valid_bit();
}

void ColumnBuilder::append_null() {
    append_nulls(1);
}

void ColumnBuilder::append_nulls(int64_t count) {
    if (count == 0) return;
    const auto before = static_cast<size_t>(bitmap_size(length_));
    const auto after = static_cast<size_t>(bitmap_size(length_ + count));
    if (!validity_.data) start_validity();
    if (after > validity_.size) std::memset(validity_.extend(after - before), 0, after - before);
    if (type_.id == TypeId::kBool) {
        if (after > values_.size) std::memset(values_.extend(after - before), 0, after - before);
    } else if (elements_) {
        const auto end = static_cast<int32_t>(elements_->length());
        for (int64_t i = 0; i < count; i++) std::memcpy(values_.extend(4), &end, 4);
    } else {
        const size_t bytes = static_cast<size_t>(count) * width_;
        std::memset(values_.extend(bytes), 0, bytes);
    }
    length_ += count;
    null_count_ += count;
}

void ColumnBuilder::append_bool(bool v) {
    if ((length_ & 7) == 0) *values_.extend(1) = 0;
    if (v) set_bit(values_.data.get(), length_);
    append_valid_bit();
}

void ColumnBuilder::append_int64(int64_t v) {
    switch (width_) {
        case 1:
            append_fixed(static_cast<int8_t>(v));
            break;
        case 2:
            append_fixed(static_cast<int16_t>(v));
            break;
        case 4:
            append_fixed(static_cast<int32_t>(v));
            break;
        default:
            append_fixed(v);
    }
}

void ColumnBuilder::append_double(double v) {
    if (type_.id == TypeId::kFloat32) {
        append_fixed(static_cast<float>(v));
    } else {
        append_fixed(v);
    }
}

void ColumnBuilder::append_decimal(__int128 unscaled) {
    append_fixed(unscaled);
}

void ColumnBuilder::append_interval(const Interval& v) {
    struct {
        int32_t months, days;
        int64_t nanos;
    } stored{v.months, v.days, v.nanos};
    append_fixed(stored);
}

void ColumnBuilder::append_bytes(std::string_view v) {
    if (type_.id == TypeId::kFixedSizeBinary) {
        CHECK(v.size() == static_cast<size_t>(type_.width));
        std::memcpy(values_.extend(v.size()), v.data(), v.size());
        append_valid_bit();
    } else {
        append_fixed(make_view(v));
    }
}

void ColumnBuilder::append_list() {
    CHECK(elements_->length() <= INT32_MAX);
    append_fixed(static_cast<int32_t>(elements_->length()));
}

// --- Strings
// ------------------------------------------------------------------------------------------

uint8_t* ColumnBuilder::heap_space(size_t bytes) {
    CHECK(bytes <= kFieldBytesMax);
    if (heap_.empty() || heap_.back().capacity - heap_.back().size < bytes) {
        size_t usual = heap_.empty() ? kFirstHeapBytes
                                     : std::min(heap_.back().capacity * 2, kUsualHeapBytesMax);
        heap_.emplace_back();
        heap_.back().reserve(std::max(bytes, usual));
    }
    return heap_.back().extend(bytes);
}

View ColumnBuilder::make_view(std::string_view v) {
    View view{};
    view.size = static_cast<int32_t>(v.size());
    if (v.size() <= 12) {
        if (!v.empty()) std::memcpy(view.inlined, v.data(), v.size());
        return view;
    }
    uint8_t* place = heap_space(v.size());
    std::memcpy(place, v.data(), v.size());
    std::memcpy(view.ref.prefix, v.data(), 4);
    view.ref.buffer = static_cast<int32_t>(heap_.size() - 1);
    view.ref.offset = static_cast<int32_t>(place - heap_.back().data.get());
    return view;
}

// --- Arrays
// -------------------------------------------------------------------------------------------

void ColumnBuilder::append_from(const Array& array, int64_t row) {
    if (array.is_null(row)) return append_null();
    if (array.dictionary) return append_from(*array.dictionary, dictionary_index(array, row));
    if (type_.is_view()) return append_bytes(array.bytes_at(row));
    CHECK(array.type.id == type_.id);
    if (type_.id == TypeId::kBool) return append_bool(array.bool_at(row));
    if (elements_) {
        elements_->append_array(array.list_at(row));
        return append_list();
    }
    const uint8_t* from = array.buffers[1].data + static_cast<size_t>(array.offset + row) * width_;
    std::memcpy(values_.extend(width_), from, width_);
    append_valid_bit();
}

// Extends validity by that of `array`; call before the values and before length_ moves.
void ColumnBuilder::append_validity(const Array& array) {
    const int64_t nulls = array.has_nulls() ? array.length - count_bits(array.buffers[0].data,
                                                                        array.offset, array.length)
                                            : 0;
    if (nulls == 0 && !validity_.data) return;
    const auto before = static_cast<size_t>(bitmap_size(length_));
    const auto after = static_cast<size_t>(bitmap_size(length_ + array.length));
    if (!validity_.data) start_validity();
    if (after > before) std::memset(validity_.extend(after - before), 0, after - before);
    if (nulls == 0) {
        fill_bits(validity_.data.get(), length_, array.length, true);
    } else {
        copy_bits(array.buffers[0].data, array.offset, array.length, validity_.data.get(), length_);
    }
    null_count_ += nulls;
}

void ColumnBuilder::append_array(const Array& array) {
    if (array.length == 0) return;
    const bool same = array.type.id == type_.id;
    if (array.dictionary || (!same && !type_.is_view()) || array.type.id == TypeId::kNull) {
        for (int64_t i = 0; i < array.length; i++) append_from(array, i);
        return;
    }
    append_validity(array);
    if (type_.is_view()) {
        append_views(array);
    } else if (type_.id == TypeId::kBool) {
        append_bools(array);
    } else if (elements_) {
        append_lists(array);
    } else {
        const uint8_t* from = array.buffers[1].data + static_cast<size_t>(array.offset) * width_;
        const size_t bytes = array_values(array) * width_;
        std::memcpy(values_.extend(bytes), from, bytes);
    }
    length_ += array.length;
}

void ColumnBuilder::append_views(const Array& array) {
    auto* views = reinterpret_cast<View*>(values_.extend(array_values(array) * sizeof(View)));
    for (int64_t i = 0; i < array.length; i++) {
        views[i] = array.is_valid(i) ? make_view(array.bytes_at(i)) : View{};
    }
}

void ColumnBuilder::append_bools(const Array& array) {
    const auto before = static_cast<size_t>(bitmap_size(length_));
    const auto after = static_cast<size_t>(bitmap_size(length_ + array.length));
    if (after > before) std::memset(values_.extend(after - before), 0, after - before);
    copy_bits(array.buffers[1].data, array.offset, array.length, values_.data.get(), length_);
}

void ColumnBuilder::append_lists(const Array& array) {
    const auto* offsets = array.values<int32_t>();
    elements_->reserve(offsets[array.length] - offsets[0]);
    for (int64_t i = 0; i < array.length; i++) {
        if (array.is_valid(i)) elements_->append_array(array.list_at(i));
        CHECK(elements_->length() <= INT32_MAX);
        const auto end = static_cast<int32_t>(elements_->length());
        std::memcpy(values_.extend(4), &end, 4);
    }
}

Array ColumnBuilder::finish() {
    Array array;
    array.type = type_;
    array.length = length_;
    array.null_count = null_count_;
    array.buffers.push_back(validity_.data ? validity_.take() : Buffer{});
    array.buffers.push_back(values_.take());
    for (Memory& block : heap_) array.buffers.push_back(block.take());
    heap_.clear();
    if (elements_) {
        array.children.push_back(elements_->finish());
        std::memset(values_.extend(4), 0, 4);
    }
    length_ = null_count_ = 0;
    return array;
}

}  // namespace trefoil::arrow
