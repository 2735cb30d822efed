// How an Expr crosses the border, byte by byte. The bridge writes it, decode_expr reads it.
//
// Numbers are little-endian; str is a u32 length and that many bytes.
//
//   expr    u8 kind, then
//     0 column      u32 index
//     1 literal     value
//     2 parameter   u32 index, str Arrow format of the inferred type ("" if unknown)
//     3 compare     u8 op (0 =, 1 <>, 2 <, 3 <=, 4 >, 5 >=), expr left, expr right
//     4 and         u32 n, n exprs
//     5 or          u32 n, n exprs
//     6 not         expr
//     7 is null     expr
//     8 in list     u8 negated, expr, u32 n, n exprs
//     9 like        u8 negated, u8 ignore_case, expr, expr pattern
//    10 opaque      str text
//
//   value   str Arrow format, u8 is_null, and unless null:
//     b                    u8
//     c s i l C S I L      u64 (sign-extended; L: as is)
//     f g                  f64
//     d:p,s                u64 low, u64 high of the unscaled 128-bit integer (the scale is in the
//     format) u U vu z Z vz w:n    str tdD                  u64 days            tdm     u64
//     milliseconds tts ttm ttu ttn      u64 in that unit    tss.. tsm.. tsu.. tsn..   u64 in that
//     unit tin                  u64 months, u64 days, u64 nanoseconds
//   A literal of any other type crosses as opaque. An L above the range of int64 becomes a Decimal
//   of scale 0, a w:16 a Uuid, any other w:n a Blob.
//
// Example: id >= 3, id being column 0 of type BIGINT
//   03 05  00 00000000  01 01000000 'l' 00 0300000000000000

#pragma once

#include <cstdint>

namespace trefoil::plan {

enum class ExprTag : uint8_t {
    kColumn,
    kLiteral,
    kParameter,
    kCompare,
    kAnd,
    kOr,
    kNot,
    kIsNull,
    kInList,
    kLike,
    kOpaque,
};

constexpr int kExprDepthMax = 1000;  // deeper ones cross as opaque

}  // namespace trefoil::plan
