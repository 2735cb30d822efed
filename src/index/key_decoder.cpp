// KeyDecoder: keys taken apart as KeyEncoder put them together.

#include "index/key_decoder.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/key_coding.h"

namespace trefoil::index {
namespace {

using arrow::ColumnBuilder;
using arrow::Type;
using arrow::TypeId;

// Reads one part that is not NULL; into nothing if `out` is null.
void read_part(const Type& type, KeyReader* in, std::string* scratch, ColumnBuilder* out) {
    auto integer = [&](int64_t v) {
        if (out) out->append_int64(v);
    };
    switch (type.id) {
        case TypeId::kBool: {
            const bool v = in->boolean();
            if (out) out->append_bool(v);
            return;
        }
        case TypeId::kInt16:
            return integer(in->i16());
        case TypeId::kInt32:
        case TypeId::kDate32:
            return integer(in->i32());
        case TypeId::kInt64:
        case TypeId::kTime64:
        case TypeId::kTimestamp:
            return integer(in->i64());
        case TypeId::kFloat32:
        case TypeId::kFloat64:
            in->fixed(part_width(type));
            return;
        case TypeId::kDecimal128: {
            const __int128 v = in->i128();
            if (out) out->append_decimal(v);
            return;
        }
        case TypeId::kFixedSizeBinary: {
            const Bytes v = in->fixed(static_cast<size_t>(type.width));
            if (out) out->append_bytes(v);
            return;
        }
        default: {
            const Bytes v = in->text_view(scratch);
            if (out) out->append_bytes(v);
            return;
        }
    }
}

template <typename T>
void write_integers(std::span<const uint64_t> keys, uint8_t* out) {
    for (size_t i = 0; i < keys.size(); i++) {
        const T v = static_cast<T>(order_to_i64(keys[i]));
        std::memcpy(out + i * sizeof(T), &v, sizeof(T));
    }
}

}  // namespace

bool KeyDecoder::can_decode(const Type& type) {
    switch (type.id) {
        case TypeId::kFloat32:
        case TypeId::kFloat64:
            return false;
        default:
            return type.id != TypeId::kUtf8 && type.id != TypeId::kLargeUtf8 &&
                   type.id != TypeId::kBinary && type.id != TypeId::kLargeBinary;
    }
}

KeyDecoder::KeyDecoder(const KeyEncoder& keys, std::vector<uint32_t> parts)
    : keys_(keys), parts_(std::move(parts)) {
    for (size_t i = 0; i < parts_.size(); i++) {
        CHECK(parts_[i] < keys.types().size() && can_decode(keys.types()[parts_[i]]));
        if (places_.size() <= parts_[i]) places_.resize(parts_[i] + 1, kSkip);
        places_[parts_[i]] = i;
        builders_.emplace_back(keys.types()[parts_[i]]);
    }
}

void KeyDecoder::add_bytes(Bytes key) {
    KeyReader in(key);
    for (size_t part = 0; part < places_.size(); part++) {
        ColumnBuilder* out = places_[part] == kSkip ? nullptr : &builders_[places_[part]];
        if (keys_.nullable() && !in.has_value()) {
            if (out) out->append_null();
            continue;
        }
        const Type& type = keys_.types()[part];
        if (!keys_.order(part).descending) {
            read_part(type, &in, &scratch_, out);
            continue;
        }
        KeyReader flipped(in.flipped(part_width(type), &flipped_));
        if (out) read_part(type, &flipped, &scratch_, out);
        CHECK(flipped.ok());
    }
    CHECK(in.ok());
}

arrow::Array KeyDecoder::finish_integers() {
    const Type& type = keys_.types()[0];
    const size_t count = integers_.size();
    if (type.id == TypeId::kBool || type.id == TypeId::kDecimal128) {
        ColumnBuilder& out = builders_[0];
        auto null = nulls_.begin();
        for (size_t i = 0; i < count; i++) {
            if (null != nulls_.end() && *null == i) {
                out.append_null();
                ++null;
            } else if (type.id == TypeId::kBool) {
                out.append_bool(integers_[i] != 0);
            } else {
                out.append_decimal(order_to_i64(integers_[i]));
            }
        }
        return out.finish();
    }
    const size_t width = type.byte_width();
    auto memory = arrow::allocate(std::max<size_t>(1, count * width));
    switch (width) {
        case 2:
            write_integers<int16_t>(integers_, memory.get());
            break;
        case 4:
            write_integers<int32_t>(integers_, memory.get());
            break;
        default:
            write_integers<int64_t>(integers_, memory.get());
    }
    arrow::Array out;
    out.type = type;
    out.length = static_cast<int64_t>(count);
    out.null_count = static_cast<int64_t>(nulls_.size());
    out.buffers = {{}, {memory.get(), count * width, memory}};
    if (!nulls_.empty()) {
        const size_t bytes = (count + 7) / 8;
        auto valid = arrow::allocate(bytes);
        std::memset(valid.get(), 0xff, bytes);
        for (size_t i : nulls_) valid.get()[i >> 3] &= static_cast<uint8_t>(~(1u << (i & 7)));
        out.buffers[0] = {valid.get(), bytes, valid};
    }
    return out;
}

std::vector<arrow::Array> KeyDecoder::finish() {
    std::vector<arrow::Array> columns;
    if (keys_.shape() == KeyShape::kInteger) {
        if (!parts_.empty()) columns.push_back(finish_integers());
    } else {
        for (ColumnBuilder& builder : builders_) columns.push_back(builder.finish());
    }
    integers_.clear();
    nulls_.clear();
    return columns;
}

}  // namespace trefoil::index
