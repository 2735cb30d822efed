// KeyEncoder: rows and exact values as keys. Literals of other types are in key_convert.cpp.

#include "index/key_encoder.h"

#include <cstring>

#include "base/check.h"
#include "base/hash.h"
#include "base/key_coding.h"

namespace trefoil::index {
namespace {

using arrow::Array;
using arrow::Type;
using arrow::TypeId;

// The longest DECIMAL whose unscaled value fits 64 bits.
constexpr int32_t kNarrowDigitsMax = 18;

bool is_narrow(const Type& type) {
    switch (type.id) {
        case TypeId::kBool:
        case TypeId::kInt16:
        case TypeId::kInt32:
        case TypeId::kInt64:
        case TypeId::kFloat32:
        case TypeId::kFloat64:
        case TypeId::kDate32:
        case TypeId::kTime64:
        case TypeId::kTimestamp:
            return true;
        case TypeId::kDecimal128:
            return type.precision <= kNarrowDigitsMax;
        default:
            return false;
    }
}

// The index into the dictionary of value `row`.
int64_t dictionary_index(const Array& array, int64_t row) {
    switch (array.type.byte_width()) {
        case 1:
            return array.values<uint8_t>()[row];
        case 2:
            return array.values<uint16_t>()[row];
        case 4:
            return array.values<uint32_t>()[row];
        default:
            return array.values<int64_t>()[row];
    }
}

// One value of a row. RowPart and ValuePart answer the same questions, so that both are coded by
// one function.
class RowPart {
public:
    RowPart(const Array& array, int64_t row) : array_(array), row_(row) {}

    bool boolean() const { return array_.bool_at(row_); }
    int64_t integer() const {
        switch (array_.type.id) {
            case TypeId::kInt16:
                return array_.values<int16_t>()[row_];
            case TypeId::kInt32:
            case TypeId::kDate32:
                return array_.values<int32_t>()[row_];
            default:
                return array_.values<int64_t>()[row_];
        }
    }
    double floating() const {
        return array_.type.id == TypeId::kFloat32 ? array_.values<float>()[row_]
                                                  : array_.values<double>()[row_];
    }
    __int128 decimal() const {
        __int128 v;  // not necessarily aligned as C++ wants it
        std::memcpy(&v, reinterpret_cast<const char*>(array_.values<Decimal128Bytes>() + row_),
                    sizeof v);
        return v;
    }
    Bytes bytes() const {
        if (array_.type.id != TypeId::kDictionary) return array_.bytes_at(row_);
        return array_.dictionary->bytes_at(dictionary_index(array_, row_));
    }

private:
    struct Decimal128Bytes {
        char bytes[16];
    };
    const Array& array_;
    int64_t row_;
};

// One Value that is exactly of its column's type.
class ValuePart {
public:
    explicit ValuePart(const Value& value) : value_(value) {}

    bool boolean() const { return get<bool>(); }
    int64_t integer() const {
        if (auto* v = value_.get_if<Date>()) return v->days;
        if (auto* v = value_.get_if<Time>()) return v->micros;
        if (auto* v = value_.get_if<Timestamp>()) return v->micros;
        return get<int64_t>();
    }
    double floating() const { return get<double>(); }
    __int128 decimal() const { return get<Decimal>().unscaled; }
    Bytes bytes() const {
        if (auto* v = value_.get_if<Blob>()) return v->bytes;
        if (auto* v = value_.get_if<Uuid>()) {
            return {reinterpret_cast<const char*>(v->bytes.data()), v->bytes.size()};
        }
        return get<std::string>();
    }

private:
    template <typename T>
    const T& get() const {
        const T* v = value_.get_if<T>();
        CHECK(v != nullptr);
        return *v;
    }
    const Value& value_;
};

template <typename Part>
uint64_t narrow_key(const Type& type, const Part& part) {
    switch (type.id) {
        case TypeId::kBool:
            return part.boolean() ? 1 : 0;
        case TypeId::kFloat32:
            return order_u32(static_cast<float>(part.floating()));
        case TypeId::kFloat64:
            return order_u64(part.floating());
        case TypeId::kDecimal128:
            return order_u64(static_cast<int64_t>(part.decimal()));
        default:
            return order_u64(part.integer());
    }
}

template <typename Part>
void append_part(const Type& type, const Part& part, KeyWriter* out) {
    switch (type.id) {
        case TypeId::kBool:
            return out->boolean(part.boolean());
        case TypeId::kInt16:
            return out->i16(static_cast<int16_t>(part.integer()));
        case TypeId::kInt32:
        case TypeId::kDate32:
            return out->i32(static_cast<int32_t>(part.integer()));
        case TypeId::kInt64:
        case TypeId::kTime64:
        case TypeId::kTimestamp:
            return out->i64(part.integer());
        case TypeId::kFloat32:
            return out->f32(static_cast<float>(part.floating()));
        case TypeId::kFloat64:
            return out->f64(part.floating());
        case TypeId::kDecimal128:
            return out->i128(part.decimal());
        case TypeId::kFixedSizeBinary:
            return out->fixed(part.bytes());
        default:
            return out->text(part.bytes());
    }
}

// The part as its order has it, with its flag if it may be NULL.
template <typename Part>
void append_ordered(const Type& type, PartOrder order, bool nullable, const Part& part,
                    KeyWriter* out) {
    if (nullable) out->value_flag();
    const size_t begin = out->data().size();
    append_part(type, part, out);
    if (order.descending) out->flip_from(begin);
}

// Reads what append_ordered wrote, behind the flag.
void skip_part(const Type& type, PartOrder order, KeyReader* in) {
    std::string memory;
    if (const size_t width = part_width(type)) {
        in->fixed(width);
    } else if (order.descending) {
        in->flipped(0, &memory);
    } else {
        in->text_view(&memory);
    }
}

bool is_key_type(const Type& type) {
    switch (type.id) {
        case TypeId::kDecimal128:
        case TypeId::kFixedSizeBinary:
        case TypeId::kUtf8:
        case TypeId::kLargeUtf8:
        case TypeId::kUtf8View:
        case TypeId::kBinary:
        case TypeId::kLargeBinary:
        case TypeId::kBinaryView:
            return true;
        default:
            return is_narrow(type);
    }
}

}  // namespace

size_t part_width(const Type& type) {
    switch (type.id) {
        case TypeId::kBool:
            return 1;
        case TypeId::kInt16:
            return 2;
        case TypeId::kInt32:
        case TypeId::kDate32:
        case TypeId::kFloat32:
            return 4;
        case TypeId::kInt64:
        case TypeId::kTime64:
        case TypeId::kTimestamp:
        case TypeId::kFloat64:
            return 8;
        case TypeId::kDecimal128:
            return 16;
        case TypeId::kFixedSizeBinary:
            return static_cast<size_t>(type.width);
        default:
            return 0;
    }
}

KeyEncoder::KeyEncoder(std::vector<Type> types, bool nullable, std::vector<PartOrder> orders)
    : types_(std::move(types)), orders_(std::move(orders)), nullable_(nullable) {
    CHECK(!types_.empty());
    for (const Type& type : types_) CHECK(is_key_type(type));
    bool integer = types_.size() == 1 && is_narrow(types_[0]);
    shape_ = integer ? KeyShape::kInteger : KeyShape::kBytes;
    if (integer) orders_.clear();
    const TypeId id = types_[0].id;
    if (nullable_ && integer) {
        null_is_distinct_ = id != TypeId::kInt64 && id != TypeId::kTimestamp;
    }
}

KeyEncoder KeyEncoder::hashing(std::vector<Type> types) {
    KeyEncoder out(std::move(types), /*nullable=*/true);
    out.shape_ = KeyShape::kInteger;
    out.null_is_distinct_ = false;
    out.hashing_ = true;
    return out;
}

bool KeyEncoder::may_hold_null(const Key& key) const {
    if (!nullable_) return false;
    if (shape_ == KeyShape::kInteger) return key.integer == kNullKey;
    KeyReader in(key.bytes);
    for (size_t i = 0; i < types_.size() && !in.at_end(); ++i) {
        if (!in.has_value()) return true;
        skip_part(types_[i], order(i), &in);
    }
    return false;
}

Key KeyEncoder::first_parts(Key key, size_t parts) const {
    if (parts == types_.size()) return key;
    CHECK(shape_ == KeyShape::kBytes);
    KeyReader in(key.bytes);
    for (size_t i = 0; i < parts; ++i) {
        if (!nullable_ || in.has_value()) skip_part(types_[i], order(i), &in);
    }
    key.bytes.resize(in.position());
    return key;
}

void KeyEncoder::encode(std::span<const Array* const> columns, int64_t row, Key* key) const {
    CHECK(columns.size() <= types_.size());
    if (hashing_) {
        CHECK(columns.size() == types_.size());
        KeyWriter parts(std::move(key->bytes));
        parts.clear();
        key->integer = kNullKey;
        size_t i = 0;
        for (; i < columns.size() && columns[i]->is_valid(row); ++i) {
            append_part(types_[i], RowPart(*columns[i], row), &parts);
        }
        if (i == columns.size()) key->integer = hash_bytes(parts.data());
        key->bytes = parts.take();
        key->bytes.clear();  // the memory stays
        return;
    }
    if (shape_ == KeyShape::kInteger) {
        const bool null = nullable_ && !columns[0]->is_valid(row);
        key->integer = null ? kNullKey : narrow_key(types_[0], RowPart(*columns[0], row));
        return;
    }
    KeyWriter out(std::move(key->bytes));
    out.clear();
    for (size_t i = 0; i < columns.size(); ++i) {
        if (nullable_ && !columns[i]->is_valid(row)) {
            out.null_flag(order(i).nulls_first);
            continue;
        }
        append_ordered(types_[i], order(i), nullable_, RowPart(*columns[i], row), &out);
    }
    key->bytes = out.take();
}

Key KeyEncoder::encode(std::span<const Array* const> columns, int64_t row) const {
    Key key;
    encode(columns, row, &key);
    return key;
}

Key KeyEncoder::encode(std::span<const Value> values) const {
    CHECK(values.size() <= types_.size());
    if (hashing_) {
        CHECK(values.size() == types_.size());
        KeyWriter parts;
        for (size_t i = 0; i < values.size(); ++i) {
            if (values[i].is_null()) return {kNullKey, {}};
            append_part(types_[i], ValuePart(values[i]), &parts);
        }
        return {hash_bytes(parts.data()), {}};
    }
    if (shape_ == KeyShape::kInteger) {
        if (values.empty()) return {};
        const bool null = nullable_ && values[0].is_null();
        return {null ? kNullKey : narrow_key(types_[0], ValuePart(values[0])), {}};
    }
    KeyWriter out;
    for (size_t i = 0; i < values.size(); ++i) {
        if (nullable_ && values[i].is_null()) {
            out.null_flag(order(i).nulls_first);
            continue;
        }
        append_ordered(types_[i], order(i), nullable_, ValuePart(values[i]), &out);
    }
    return {0, out.take()};
}

}  // namespace trefoil::index
