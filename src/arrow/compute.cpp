// Picking and joining arrays: take, gather, concat, compact.
//
// take and gather are one template: a row is a number for the first and a RowRef for the second.
// Each layout has its own loop; nested types pick the rows of their children.

#include "arrow/compute.h"

#include <algorithm>
#include <limits>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "arrow/bitmap.h"
#include "arrow/builder.h"
#include "arrow/dictionary.h"
#include "base/check.h"

namespace trefoil::arrow {
namespace {

using Sources = std::span<const Array* const>;

uint32_t source_of(uint32_t) {
    return 0;
}
uint32_t source_of(RowRef ref) {
    return ref.source;
}
int64_t row_of(uint32_t row) {
    return row;
}
int64_t row_of(RowRef ref) {
    return ref.row;
}

template <typename Ref>
Ref make_ref(uint32_t source, int64_t row) {
    CHECK(row >= 0 && row <= UINT32_MAX);
    if constexpr (std::is_same_v<Ref, RowRef>) {
        return {source, static_cast<uint32_t>(row)};
    } else {
        return static_cast<uint32_t>(row);
    }
}

Buffer zeros(size_t bytes) {
    auto memory = allocate(bytes);
    if (bytes) std::memset(memory.get(), 0, bytes);
    return {memory.get(), bytes, memory};
}

uint8_t* writable(const Buffer& buffer) {
    return const_cast<uint8_t*>(buffer.data);
}

Buffer uninitialised(size_t bytes) {
    auto memory = allocate(bytes);
    return {memory.get(), bytes, memory};
}

// Gives the data buffers of the views of several sources one numbering: a buffer enters it when the
// first view that uses it is picked, and once only, however many sources share it.
class HeapMap {
public:
    explicit HeapMap(Sources sources) : sources_(sources), places_(sources.size()) {
        for (size_t s = 0; s < sources.size(); s++) {
            places_[s].assign(sources[s]->buffers.size() - 2, -1);
        }
    }

    View map(View view, uint32_t source) {
        if (view.size <= 12) return view;
        int32_t& place = places_[source][static_cast<size_t>(view.ref.buffer)];
        if (place < 0) {
            const Buffer& b = sources_[source]->buffers[2 + static_cast<size_t>(view.ref.buffer)];
            auto [it, fresh] = known_.emplace(b.data, static_cast<int32_t>(heap_.size()));
            if (fresh) {
                heap_.push_back(b);
            } else if (heap_[static_cast<size_t>(it->second)].size < b.size) {
                heap_[static_cast<size_t>(it->second)] = b;
            }
            place = it->second;
        }
        view.ref.buffer = place;
        return view;
    }

    void append_to(std::vector<Buffer>* buffers) {
        for (Buffer& b : heap_) buffers->push_back(std::move(b));
    }

private:
    Sources sources_;
    std::vector<std::vector<int32_t>> places_;
    std::unordered_map<const uint8_t*, int32_t> known_;
    std::vector<Buffer> heap_;
};

template <typename Ref>
class Picker {
public:
    Picker(Sources sources, std::span<const Ref> rows) : sources_(sources), rows_(rows) {}

    Array pick() {
        const Type& type = sources_[0]->type;
        out_.type = type;
        out_.length = static_cast<int64_t>(rows_.size());
        if (type.id == TypeId::kNull) {
            out_.null_count = out_.length;
            return std::move(out_);
        }
        pick_validity();
        switch (type.id) {
            case TypeId::kBool:
                pick_bools();
                break;
            case TypeId::kUtf8:
            case TypeId::kBinary:
                pick_strings<int32_t>();
                break;
            case TypeId::kLargeUtf8:
            case TypeId::kLargeBinary:
                pick_strings<int64_t>();
                break;
            case TypeId::kUtf8View:
            case TypeId::kBinaryView:
                pick_views();
                break;
            case TypeId::kList:
            case TypeId::kMap:
                pick_lists<int32_t>();
                break;
            case TypeId::kLargeList:
                pick_lists<int64_t>();
                break;
            case TypeId::kFixedSizeList:
                pick_fixed_lists();
                break;
            case TypeId::kStruct:
                pick_structs();
                break;
            case TypeId::kDictionary:
                share_dictionary();
                [[fallthrough]];
            default:
                pick_fixed(type.byte_width());
        }
        return std::move(out_);
    }

private:
    const Array& source(size_t i) const { return *sources_[source_of(rows_[i])]; }
    bool valid(size_t i) const {
        return out_.buffers[0].data == nullptr ||
               get_bit(out_.buffers[0].data, static_cast<int64_t>(i));
    }

    void pick_validity() {
        const bool nulls = std::any_of(sources_.begin(), sources_.end(),
                                       [](const Array* a) { return a->has_nulls(); });
        if (!nulls) {
            out_.null_count = 0;
            out_.buffers.emplace_back();
            return;
        }
        const auto bytes = static_cast<size_t>(bitmap_size(out_.length));
        Buffer bits = zeros(bytes);
        int64_t valid_count = 0;
        for (size_t i = 0; i < rows_.size(); i++) {
            if (source(i).is_null(row_of(rows_[i]))) continue;
            set_bit(writable(bits), static_cast<int64_t>(i));
            valid_count++;
        }
        out_.null_count = out_.length - valid_count;
        out_.buffers.push_back(out_.null_count ? bits : Buffer{});
    }

    void pick_bools() {
        Buffer bits = zeros(static_cast<size_t>(bitmap_size(out_.length)));
        for (size_t i = 0; i < rows_.size(); i++) {
            if (source(i).bool_at(row_of(rows_[i])))
                set_bit(writable(bits), static_cast<int64_t>(i));
        }
        out_.buffers.push_back(std::move(bits));
    }

    template <typename T>
    void pick_numbers() {
        Buffer values = uninitialised(rows_.size() * sizeof(T));
        T* to = reinterpret_cast<T*>(writable(values));
        if constexpr (std::is_same_v<Ref, RowRef>) {
            std::vector<const T*> from;
            for (const Array* a : sources_) from.push_back(a->values<T>());
            for (size_t i = 0; i < rows_.size(); i++) to[i] = from[rows_[i].source][rows_[i].row];
        } else {
            const T* from = sources_[0]->values<T>();
            for (size_t i = 0; i < rows_.size(); i++) to[i] = from[rows_[i]];
        }
        out_.buffers.push_back(std::move(values));
    }

    void pick_fixed(size_t width) {
        struct Pair {
            uint64_t a, b;
        };
        switch (width) {
            case 1:
                return pick_numbers<uint8_t>();
            case 2:
                return pick_numbers<uint16_t>();
            case 4:
                return pick_numbers<uint32_t>();
            case 8:
                return pick_numbers<uint64_t>();
            case 16:
                return pick_numbers<Pair>();
            default:
                break;
        }
        Buffer values = uninitialised(rows_.size() * width);
        for (size_t i = 0; i < rows_.size(); i++) {
            const Array& a = source(i);
            const auto at = static_cast<size_t>(a.offset + row_of(rows_[i]));
            if (width)
                std::memcpy(writable(values) + i * width, a.buffers[1].data + at * width, width);
        }
        out_.buffers.push_back(std::move(values));
    }

    template <typename Offset>
    void pick_strings() {
        Buffer offsets = uninitialised((rows_.size() + 1) * sizeof(Offset));
        auto* ends = reinterpret_cast<Offset*>(writable(offsets));
        size_t total = 0;
        ends[0] = 0;
        for (size_t i = 0; i < rows_.size(); i++) {
            if (valid(i)) total += source(i).bytes_at(row_of(rows_[i])).size();
            CHECK(total <= static_cast<size_t>(std::numeric_limits<Offset>::max()));
            ends[i + 1] = static_cast<Offset>(total);
        }
        Buffer bytes = uninitialised(total);
        for (size_t i = 0; i < rows_.size(); i++) {
            if (ends[i + 1] == ends[i]) continue;
            std::string_view v = source(i).bytes_at(row_of(rows_[i]));
            std::memcpy(writable(bytes) + ends[i], v.data(), v.size());
        }
        out_.buffers.push_back(std::move(offsets));
        out_.buffers.push_back(std::move(bytes));
    }

    void pick_views() {
        Buffer values = uninitialised(rows_.size() * sizeof(View));
        auto* to = reinterpret_cast<View*>(writable(values));
        HeapMap heap(sources_);
        for (size_t i = 0; i < rows_.size(); i++) {
            const View& view = source(i).template values<View>()[row_of(rows_[i])];
            to[i] = valid(i) ? heap.map(view, source_of(rows_[i])) : View{};
        }
        out_.buffers.push_back(std::move(values));
        heap.append_to(&out_.buffers);
    }

    template <typename Offset>
    void pick_lists() {
        Buffer offsets = uninitialised((rows_.size() + 1) * sizeof(Offset));
        auto* ends = reinterpret_cast<Offset*>(writable(offsets));
        std::vector<Ref> elements;
        ends[0] = 0;
        for (size_t i = 0; i < rows_.size(); i++) {
            if (valid(i)) {
                const Offset* at = source(i).template values<Offset>() + row_of(rows_[i]);
                for (Offset e = at[0]; e < at[1]; e++) {
                    elements.push_back(make_ref<Ref>(source_of(rows_[i]), e));
                }
            }
            CHECK(elements.size() <= static_cast<size_t>(std::numeric_limits<Offset>::max()));
            ends[i + 1] = static_cast<Offset>(elements.size());
        }
        out_.buffers.push_back(std::move(offsets));
        pick_child(0, elements);
    }

    void pick_fixed_lists() {
        const int64_t width = out_.type.width;
        std::vector<Ref> elements;
        elements.reserve(rows_.size() * static_cast<size_t>(width));
        for (Ref row : rows_) {
            const int64_t first = (sources_[source_of(row)]->offset + row_of(row)) * width;
            for (int64_t e = 0; e < width; e++) {
                elements.push_back(make_ref<Ref>(source_of(row), first + e));
            }
        }
        pick_child(0, elements);
    }

    void pick_structs() {
        std::vector<Ref> shifted;
        shifted.reserve(rows_.size());
        for (Ref row : rows_) {
            const Array& a = *sources_[source_of(row)];
            shifted.push_back(make_ref<Ref>(source_of(row), a.offset + row_of(row)));
        }
        for (size_t c = 0; c < out_.type.children.size(); c++) pick_child(c, shifted);
    }

    void pick_child(size_t c, const std::vector<Ref>& rows) {
        std::vector<const Array*> children;
        for (const Array* a : sources_) children.push_back(&a->children[c]);
        out_.children.push_back(Picker(children, rows).pick());
    }

    void share_dictionary() {
        out_.dictionary = sources_[0]->dictionary;
        for (const Array* a : sources_) CHECK(a->dictionary == out_.dictionary);
    }

    Sources sources_;
    std::span<const Ref> rows_;
    Array out_;
};

std::vector<RowRef> all_rows(Sources sources) {
    std::vector<RowRef> rows;
    for (uint32_t s = 0; s < sources.size(); s++) {
        CHECK(sources[s]->length <= UINT32_MAX);
        for (int64_t r = 0; r < sources[s]->length; r++) {
            rows.push_back({s, static_cast<uint32_t>(r)});
        }
    }
    return rows;
}

Buffer concat_validity(std::span<const Array> arrays, int64_t length, int64_t* nulls) {
    *nulls = 0;
    for (const Array& a : arrays) *nulls += null_count(a);
    if (*nulls == 0) return {};
    Buffer bits = zeros(static_cast<size_t>(bitmap_size(length)));
    int64_t at = 0;
    for (const Array& a : arrays) {
        if (a.buffers[0].data) {
            copy_bits(a.buffers[0].data, a.offset, a.length, writable(bits), at);
        } else {
            fill_bits(writable(bits), at, a.length, true);
        }
        at += a.length;
    }
    return bits;
}

// Fixed widths, bools and views one after the other; the result lacks nothing but its heap.
Array concat_flat(std::span<const Array> arrays, int64_t length) {
    Array out;
    out.type = arrays[0].type;
    out.length = length;
    out.buffers.push_back(concat_validity(arrays, length, &out.null_count));
    const size_t width = out.type.byte_width();
    const bool bits = out.type.id == TypeId::kBool;
    const auto n = static_cast<size_t>(length);
    Buffer values =
        bits ? zeros(static_cast<size_t>(bitmap_size(length))) : uninitialised(n * width);
    int64_t at = 0;
    for (const Array& a : arrays) {
        if (bits) {
            copy_bits(a.buffers[1].data, a.offset, a.length, writable(values), at);
        } else if (a.length) {
            std::memcpy(writable(values) + static_cast<size_t>(at) * width,
                        a.buffers[1].data + static_cast<size_t>(a.offset) * width,
                        static_cast<size_t>(a.length) * width);
        }
        at += a.length;
    }
    out.buffers.push_back(std::move(values));
    return out;
}

void renumber_views(Sources sources, Array* out) {
    HeapMap heap(sources);
    auto* views = reinterpret_cast<View*>(writable(out->buffers[1]));
    int64_t at = 0;
    for (uint32_t s = 0; s < sources.size(); s++) {
        for (const int64_t end = at + sources[s]->length; at < end; at++) {
            views[at] = out->is_valid(at) ? heap.map(views[at], s) : View{};
        }
    }
    heap.append_to(&out->buffers);
}

// Bytes of the strings that do not fit into their views.
size_t heap_bytes(const Array& array) {
    size_t n = 0;
    for (int64_t i = 0; i < array.length; i++) {
        if (array.is_null(i)) continue;
        const auto size = static_cast<size_t>(array.values<View>()[i].size);
        if (size > 12) n += size;
    }
    return n;
}

}  // namespace

Array take(const Array& array, std::span<const uint32_t> rows) {
    const Array* source = &array;
    return Picker<uint32_t>({&source, 1}, rows).pick();
}

Batch take(const Batch& batch, std::span<const uint32_t> rows) {
    Batch out{batch.schema, static_cast<int64_t>(rows.size()), {}};
    for (const Array& column : batch.columns) out.columns.push_back(take(column, rows));
    return out;
}

Array gather(std::span<const Array* const> sources, std::span<const RowRef> rows) {
    CHECK(!sources.empty());
    return Picker<RowRef>(sources, rows).pick();
}

Array concat(std::span<const Array> arrays) {
    CHECK(!arrays.empty());
    if (arrays.size() == 1) return arrays[0];
    std::vector<const Array*> sources;
    int64_t length = 0;
    for (const Array& a : arrays) {
        sources.push_back(&a);
        length += a.length;
    }
    const Type& type = arrays[0].type;
    const bool flat = type.id == TypeId::kBool || type.is_view() || type.byte_width() > 0;
    if (!flat || type.id == TypeId::kDictionary) return gather(sources, all_rows(sources));
    Array out = concat_flat(arrays, length);
    if (type.is_view()) renumber_views(sources, &out);
    return out;
}

Batch concat(std::span<const Batch> batches) {
    CHECK(!batches.empty());
    Batch out{batches[0].schema, 0, {}};
    for (const Batch& b : batches) out.rows += b.rows;
    for (size_t c = 0; c < batches[0].columns.size(); c++) {
        std::vector<Array> columns;
        for (const Batch& b : batches) columns.push_back(b.columns[c]);
        out.columns.push_back(concat(columns));
    }
    return out;
}

Array compact(const Array& array) {
    if (!is_buildable(array.type)) {
        const Array* source = &array;
        return gather({&source, 1}, all_rows({&source, 1}));
    }
    ColumnBuilder builder(array.type);
    builder.reserve(array.length, array.type.is_view() ? heap_bytes(array) : 0);
    builder.append_array(array);
    return builder.finish();
}

Array decode_dictionary(const Array& array) {
    if (!array.dictionary) return array;
    Array values = decode_dictionary(*array.dictionary);
    // A NULL is a row beyond the values, where the second source has one.
    const Array null = make_nulls(values.type, 1);
    const Array* const sources[] = {&values, &null};
    std::vector<RowRef> rows(static_cast<size_t>(array.length), RowRef{1, 0});
    for (int64_t i = 0; i < array.length; i++) {
        if (array.is_null(i)) continue;
        rows[static_cast<size_t>(i)] = make_ref<RowRef>(0, dictionary_index(array, i));
    }
    return gather(sources, rows);
}

Result<Array> make_constant(const Type& type, const Value& value, int64_t length) {
    ColumnBuilder builder(type);
    RETURN_IF_ERROR(builder.append(value));
    return take(builder.finish(), std::vector<uint32_t>(static_cast<size_t>(length), 0));
}

Array make_nulls(const Type& type, int64_t length) {
    Array out;
    out.type = type;
    out.length = out.null_count = length;
    if (type.id == TypeId::kNull) return out;
    const auto n = static_cast<size_t>(length);
    const auto bits = static_cast<size_t>(bitmap_size(length));
    out.buffers.push_back(zeros(bits));
    switch (type.id) {
        case TypeId::kBool:
            out.buffers.push_back(zeros(bits));
            break;
        case TypeId::kUtf8:
        case TypeId::kBinary:
        case TypeId::kLargeUtf8:
        case TypeId::kLargeBinary:
            out.buffers.push_back(zeros((n + 1) * 8));
            out.buffers.push_back(zeros(0));
            break;
        case TypeId::kList:
        case TypeId::kMap:
        case TypeId::kLargeList:
            out.buffers.push_back(zeros((n + 1) * 8));
            out.children.push_back(make_nulls(type.children[0].type, 0));
            break;
        case TypeId::kFixedSizeList:
            out.children.push_back(make_nulls(type.children[0].type, length * type.width));
            break;
        case TypeId::kStruct:
            for (const Field& f : type.children) out.children.push_back(make_nulls(f.type, length));
            break;
        default:
            out.buffers.push_back(zeros(n * type.byte_width()));
    }
    if (type.id == TypeId::kDictionary) {
        out.dictionary = std::make_shared<Array>(make_nulls(type.children[1].type, 0));
    }
    return out;
}

int64_t null_count(const Array& array) {
    if (array.type.id == TypeId::kNull) return array.length;
    if (array.null_count >= 0) return array.null_count;
    if (array.buffers[0].data == nullptr) return 0;
    return array.length - count_bits(array.buffers[0].data, array.offset, array.length);
}

}  // namespace trefoil::arrow
