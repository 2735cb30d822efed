// decode_expr: reads the byte form of expr_format.h.
//
// The bytes come from the bridge, but nothing here trusts them: tags, depths, counts and lengths
// are checked, and a count never makes us reserve memory that the bytes do not pay for.
//
// A literal that a Value cannot hold without loss (a timestamp with nanoseconds, a second beyond
// the range of microseconds) becomes opaque: whoever evaluates it is not told something almost
// right.

#include <limits>
#include <optional>
#include <utility>

#include "base/check.h"
#include "plan/expr.h"
#include "plan/expr_format.h"

namespace trefoil::plan {
namespace {

using arrow::Type;
using arrow::TypeId;

constexpr int64_t kMillisPerDay = 86'400'000;

Status malformed(const Reader& reader, std::string_view what) {
    return Status::invalid("malformed expression at byte " + std::to_string(reader.position()) +
                           ": " + std::string(what));
}

// What was read as a value: one that we hold, or (nullopt) one that only the engine can.
using MaybeValue = std::optional<Value>;

// `v` of `unit` in microseconds, if that is exact.
std::optional<int64_t> to_micros(int64_t v, arrow::TimeUnit unit) {
    int64_t micros = 0;
    switch (unit) {
        case arrow::TimeUnit::kSecond:
            if (__builtin_mul_overflow(v, int64_t{1'000'000}, &micros)) return std::nullopt;
            return micros;
        case arrow::TimeUnit::kMilli:
            if (__builtin_mul_overflow(v, int64_t{1000}, &micros)) return std::nullopt;
            return micros;
        case arrow::TimeUnit::kMicro:
            return v;
        case arrow::TimeUnit::kNano:
            if (v % 1000 != 0) return std::nullopt;
            return v / 1000;
    }
    return std::nullopt;
}

MaybeValue unsigned_value(uint64_t v) {
    if (v <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
        return Value(static_cast<int64_t>(v));
    }
    return Value(Decimal{static_cast<__int128>(v), 0});
}

Result<MaybeValue> decode_integer(Reader& reader, TypeId id) {
    const auto v = static_cast<int64_t>(reader.u64());
    int64_t low = std::numeric_limits<int64_t>::min(), high = std::numeric_limits<int64_t>::max();
    switch (id) {
        case TypeId::kInt8:
            low = -128, high = 127;
            break;
        case TypeId::kInt16:
            low = -32768, high = 32767;
            break;
        case TypeId::kInt32:
            low = -2147483648LL, high = 2147483647;
            break;
        case TypeId::kUInt8:
            low = 0, high = 255;
            break;
        case TypeId::kUInt16:
            low = 0, high = 65535;
            break;
        case TypeId::kUInt32:
            low = 0, high = 4294967295;
            break;
        default:
            break;
    }
    if (v < low || v > high) return malformed(reader, "an integer that its type cannot hold");
    return MaybeValue(Value(v));
}

Result<MaybeValue> decode_decimal(Reader& reader, const Type& type) {
    const uint64_t low = reader.u64();
    const uint64_t high = reader.u64();
    const auto bits = static_cast<unsigned __int128>(high) << 64 | low;
    return MaybeValue(Value(Decimal{static_cast<__int128>(bits), type.scale}));
}

Result<MaybeValue> decode_date(Reader& reader, TypeId id) {
    auto days = static_cast<int64_t>(reader.u64());
    if (id == TypeId::kDate64) {
        if (days % kMillisPerDay != 0) return MaybeValue();
        days /= kMillisPerDay;
    }
    if (days < std::numeric_limits<int32_t>::min() || days > std::numeric_limits<int32_t>::max()) {
        return malformed(reader, "a date out of range");
    }
    return MaybeValue(Value(Date{static_cast<int32_t>(days)}));
}

Result<MaybeValue> decode_time(Reader& reader, const Type& type) {
    std::optional<int64_t> micros = to_micros(static_cast<int64_t>(reader.u64()), type.unit);
    if (!micros) return MaybeValue();
    if (type.id == TypeId::kTimestamp) {
        return MaybeValue(Value(Timestamp{*micros, !type.timezone.empty()}));
    }
    return MaybeValue(Value(Time{*micros}));
}

Result<MaybeValue> decode_interval(Reader& reader) {
    const auto months = static_cast<int64_t>(reader.u64());
    const auto days = static_cast<int64_t>(reader.u64());
    const auto nanos = static_cast<int64_t>(reader.u64());
    if (months != static_cast<int32_t>(months) || days != static_cast<int32_t>(days)) {
        return malformed(reader, "an interval out of range");
    }
    return MaybeValue(
        Value(Interval{static_cast<int32_t>(months), static_cast<int32_t>(days), nanos}));
}

Result<MaybeValue> decode_fixed_binary(Reader& reader, const Type& type) {
    const Bytes bytes = reader.str();
    if (type.width < 0 || bytes.size() != static_cast<size_t>(type.width)) {
        return malformed(reader, "a fixed-size binary of another size");
    }
    if (bytes.size() != 16) return MaybeValue(Value(Blob{std::string(bytes)}));
    Uuid uuid;
    std::copy(bytes.begin(), bytes.end(), uuid.bytes.begin());
    return MaybeValue(Value(uuid));
}

// The part of a value after its type and its null flag.
Result<MaybeValue> decode_content(Reader& reader, const Type& type) {
    switch (type.id) {
        case TypeId::kBool:
            return MaybeValue(Value(reader.u8() != 0));
        case TypeId::kInt8:
        case TypeId::kInt16:
        case TypeId::kInt32:
        case TypeId::kInt64:
        case TypeId::kUInt8:
        case TypeId::kUInt16:
        case TypeId::kUInt32:
            return decode_integer(reader, type.id);
        case TypeId::kUInt64:
            return unsigned_value(reader.u64());
        case TypeId::kFloat32:
        case TypeId::kFloat64:
            return MaybeValue(Value(reader.f64()));
        case TypeId::kDecimal128:
            return decode_decimal(reader, type);
        case TypeId::kUtf8:
        case TypeId::kLargeUtf8:
        case TypeId::kUtf8View:
            return MaybeValue(Value(std::string(reader.str())));
        case TypeId::kBinary:
        case TypeId::kLargeBinary:
        case TypeId::kBinaryView:
            return MaybeValue(Value(Blob{std::string(reader.str())}));
        case TypeId::kFixedSizeBinary:
            return decode_fixed_binary(reader, type);
        case TypeId::kDate32:
        case TypeId::kDate64:
            return decode_date(reader, type.id);
        case TypeId::kTime32:
        case TypeId::kTime64:
        case TypeId::kTimestamp:
            return decode_time(reader, type);
        case TypeId::kIntervalMonthDayNano:
            return decode_interval(reader);
        default:
            return malformed(reader, "a literal of type " + type.format());
    }
}

Result<Type> decode_type(Reader& reader) {
    Result<Type> type = Type::from_format(reader.str());
    if (!reader.ok() || !type.ok()) return malformed(reader, "not a type");
    return type;
}

Status decode_literal(Reader& reader, Expr* e) {
    ASSIGN_OR_RETURN(e->type, decode_type(reader));
    const uint8_t is_null = reader.u8();
    if (!reader.ok() || is_null > 1) return malformed(reader, "not a value");
    if (is_null) return {};
    ASSIGN_OR_RETURN(MaybeValue value, decode_content(reader, e->type));
    if (!reader.ok()) return malformed(reader, "it ends too early");
    if (value) {
        e->value = std::move(*value);
    } else {
        e->kind = Expr::Kind::kOpaque;
        e->text = "a " + e->type.sql_name() + " finer or wider than microseconds";
    }
    return {};
}

Status decode_parameter(Reader& reader, Expr* e) {
    e->index = reader.u32();
    const Bytes format = reader.str();
    if (!reader.ok()) return malformed(reader, "it ends too early");
    // Of a nested type only the outer name is told: that is not enough to be a type.
    if (format.empty() || format[0] == '+') return {};
    Result<Type> type = Type::from_format(format);
    if (!type.ok()) return malformed(reader, "not a type");
    e->type = std::move(type).value();
    return {};
}

bool read_flag(Reader& reader, bool* flag) {
    const uint8_t v = reader.u8();
    *flag = v == 1;
    return v <= 1;
}

Status decode_into(Reader& reader, int depth, Expr* e);

Status decode_children(Reader& reader, int depth, uint32_t count, Expr* e) {
    for (uint32_t i = 0; i < count; i++) {
        e->children.emplace_back();
        RETURN_IF_ERROR(decode_into(reader, depth + 1, &e->children.back()));
    }
    return {};
}

// The head of an inner node: sets kind and flags, answers how many children follow.
Result<uint32_t> decode_head(Reader& reader, ExprTag tag, Expr* e) {
    switch (tag) {
        case ExprTag::kCompare: {
            const uint8_t op = reader.u8();
            if (op > static_cast<uint8_t>(CompareOp::kGreaterEqual)) {
                return malformed(reader, "not a comparison");
            }
            e->kind = Expr::Kind::kCompare;
            e->op = static_cast<CompareOp>(op);
            return 2u;
        }
        case ExprTag::kAnd:
        case ExprTag::kOr: {
            e->kind = tag == ExprTag::kAnd ? Expr::Kind::kAnd : Expr::Kind::kOr;
            const uint32_t n = reader.u32();
            if (n < 2) return malformed(reader, "AND or OR of fewer than two");
            return n;
        }
        case ExprTag::kNot:
            e->kind = Expr::Kind::kNot;
            return 1u;
        case ExprTag::kIsNull:
            e->kind = Expr::Kind::kIsNull;
            return 1u;
        case ExprTag::kLike:
            e->kind = Expr::Kind::kLike;
            if (!read_flag(reader, &e->negated) || !read_flag(reader, &e->ignore_case)) {
                return malformed(reader, "not a flag");
            }
            return 2u;
        default:
            return malformed(reader, "not an expression");
    }
}

Status decode_in_list(Reader& reader, int depth, Expr* e) {
    e->kind = Expr::Kind::kInList;
    if (!read_flag(reader, &e->negated)) return malformed(reader, "not a flag");
    RETURN_IF_ERROR(decode_children(reader, depth, 1, e));
    return decode_children(reader, depth, reader.u32(), e);
}

Status decode_into(Reader& reader, int depth, Expr* e) {
    if (depth > kExprDepthMax) return malformed(reader, "nested too deeply");
    const uint8_t tag = reader.u8();
    if (!reader.ok()) return malformed(reader, "it ends too early");
    switch (static_cast<ExprTag>(tag)) {
        case ExprTag::kColumn:
            *e = Expr::column(reader.u32());
            break;
        case ExprTag::kLiteral:
            e->kind = Expr::Kind::kLiteral;
            return decode_literal(reader, e);
        case ExprTag::kParameter:
            e->kind = Expr::Kind::kParameter;
            return decode_parameter(reader, e);
        case ExprTag::kInList:
            RETURN_IF_ERROR(decode_in_list(reader, depth, e));
            break;
        case ExprTag::kOpaque:
            e->text = std::string(reader.str());
            break;
        default: {
            ASSIGN_OR_RETURN(uint32_t count, decode_head(reader, static_cast<ExprTag>(tag), e));
            RETURN_IF_ERROR(decode_children(reader, depth, count, e));
        }
    }
    if (!reader.ok()) return malformed(reader, "it ends too early");
    return {};
}

}  // namespace

Result<Expr> decode_expr(Reader& reader) {
    Expr e;
    RETURN_IF_ERROR(decode_into(reader, 1, &e));
    return e;
}

}  // namespace trefoil::plan
