// Writes values in the form of expr_format.h, for parameters and statistics, and expressions, for
// the conditions of partial indexes.

#include <utility>

#include "base/check.h"
#include "plan/expr.h"
#include "plan/expr_format.h"

namespace trefoil::plan {
namespace {

using arrow::Type;
using arrow::TypeId;

bool is_integer(TypeId id) {
    return id >= TypeId::kInt8 && id <= TypeId::kUInt64;
}
bool is_float(TypeId id) {
    return id == TypeId::kFloat32 || id == TypeId::kFloat64;
}
bool is_binary(TypeId id) {
    return id == TypeId::kBinary || id == TypeId::kLargeBinary || id == TypeId::kBinaryView;
}

// True if `value` can be written as a value of `type` as it is.
bool fits(const Value& value, const Type& type) {
    if (value.get_if<bool>()) return type.id == TypeId::kBool;
    if (value.get_if<int64_t>()) return is_integer(type.id);
    if (value.get_if<double>()) return is_float(type.id);
    if (value.get_if<std::string>()) return type.is_string();
    if (const auto* v = value.get_if<Decimal>()) {
        return (type.id == TypeId::kDecimal128 && type.scale == v->scale) ||
               (type.id == TypeId::kUInt64 && v->scale == 0 && v->unscaled >> 64 == 0);
    }
    if (value.get_if<Date>()) return type.id == TypeId::kDate32;
    if (value.get_if<Time>()) {
        return type.id == TypeId::kTime64 && type.unit == arrow::TimeUnit::kMicro;
    }
    if (const auto* v = value.get_if<Timestamp>()) {
        return type.id == TypeId::kTimestamp && type.unit == arrow::TimeUnit::kMicro &&
               type.timezone.empty() != v->utc;
    }
    if (value.get_if<Interval>()) return type.id == TypeId::kIntervalMonthDayNano;
    if (value.get_if<Uuid>()) return type.id == TypeId::kFixedSizeBinary && type.width == 16;
    if (const auto* v = value.get_if<Blob>()) {
        return is_binary(type.id) || (type.id == TypeId::kFixedSizeBinary &&
                                      static_cast<size_t>(type.width) == v->bytes.size());
    }
    return type.id == TypeId::kList;
}

uint64_t bits(int64_t v) {
    return static_cast<uint64_t>(v);
}

void write_content(const Value& value, const Type& type, Writer* out) {
    if (const auto* v = value.get_if<bool>()) out->u8(*v);
    if (const auto* v = value.get_if<int64_t>()) out->u64(bits(*v));
    if (const auto* v = value.get_if<double>()) out->f64(*v);
    if (const auto* v = value.get_if<std::string>()) out->str(*v);
    if (const auto* v = value.get_if<Decimal>()) {
        out->u64(static_cast<uint64_t>(v->unscaled));
        if (type.id == TypeId::kDecimal128) out->u64(static_cast<uint64_t>(v->unscaled >> 64));
    }
    if (const auto* v = value.get_if<Date>()) out->u64(bits(v->days));
    if (const auto* v = value.get_if<Time>()) out->u64(bits(v->micros));
    if (const auto* v = value.get_if<Timestamp>()) out->u64(bits(v->micros));
    if (const auto* v = value.get_if<Interval>()) {
        out->u64(bits(v->months));
        out->u64(bits(v->days));
        out->u64(bits(v->nanos));
    }
    if (const auto* v = value.get_if<Uuid>()) {
        out->str({reinterpret_cast<const char*>(v->bytes.data()), v->bytes.size()});
    }
    if (const auto* v = value.get_if<Blob>()) out->str(v->bytes);
    if (const auto* v = value.get_if<Value::List>()) {
        const Type element = type.children.empty() ? Type() : type.children[0].type;
        out->u32(static_cast<uint32_t>(v->size()));
        for (const Value& e : *v) encode_value(e, element, out);
    }
}

}  // namespace

void encode_expr(const Expr& e, Writer* out) {
    using Kind = Expr::Kind;
    // Kinds are in the order of their tags.
    out->u8(static_cast<uint8_t>(e.kind));
    if (e.kind == Kind::kColumn || e.kind == Kind::kParameter) out->u32(e.index);
    if (e.kind == Kind::kParameter) out->str(e.type.id == TypeId::kNull ? "" : e.type.format());
    if (e.kind == Kind::kLiteral) encode_value(e.value, e.type, out);
    if (e.kind == Kind::kCompare) out->u8(static_cast<uint8_t>(e.op));
    if (e.kind == Kind::kInList || e.kind == Kind::kLike) out->u8(e.negated);
    if (e.kind == Kind::kLike) out->u8(e.ignore_case);
    if (e.kind == Kind::kOpaque) out->str(e.text);
    const bool many = e.kind == Kind::kAnd || e.kind == Kind::kOr;
    if (many) out->u32(static_cast<uint32_t>(e.children.size()));
    for (size_t i = 0; i < e.children.size(); i++) {
        if (e.kind == Kind::kInList && i == 1) {
            out->u32(static_cast<uint32_t>(e.children.size() - 1));
        }
        encode_expr(e.children[i], out);
    }
}

void encode_value(const Value& value, const Type& type, Writer* out) {
    const bool as_asked = value.is_null() || fits(value, type);
    const Type written = as_asked ? type : Expr::literal(value).type;
    out->str(written.format());
    out->u8(value.is_null());
    write_content(value, written, out);
}

}  // namespace trefoil::plan
