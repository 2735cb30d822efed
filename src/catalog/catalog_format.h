// How the definition of a table, a view, a sequence or a schema is stored (keyspace catalog, key:
// u8 'T', u32 big-endian table id).
//
// Little-endian; str is a u32 length and that many bytes.
//
//   u16  format (6; 1 to 5 are read too)
//   u32  table id
//   str  table name
//   u32  next column id
//   u32  number of columns, then for each
//        u32  column id
//        str  name; if it begins with the byte 1, the column is one that the table keeps for
//             indexes over an expression: it is stored and at the end, and the rest is the text
//             of the expression
//        type
//        u8   flags: 1 not null, 2 has a character length, 4 has a default,
//             8 was added with a value for the rows that were there, 16 has a comment,
//             32 is generated
//        u32  character length      (if flag 2)
//        str  default expression    (if flag 4)
//        str  value for rows written before the column was added, as an array of one row in the
//             form of arrow/serialize_format.h; else they hold NULL   (if flag 8)
//        str  comment               (if flag 16)
//        u8   how: ColumnDef::Generated; if stored, u32 number of columns that the expression
//             uses, and the id of each (u32)   (if flag 32)
//   u32  next index id
//   u32  number of indexes, the primary key first, then for each
//        u32  index id
//        str  name
//        u8   flags: 1 unique, 2 primary key, 4 constraint, 8 partial, 16 hash,
//             32 has included columns
//        u32  number of columns, then for each
//             u32  column id
//             u8   order: 1 descending, 2 NULLs first
//        u32  number of these that are included, at the end   (if flag 32)
//        of a partial index (flag 8) only:
//        u32  number of hidden columns that are all true in its rows, and the id of each (u32)
//        str  the same as conditions: u32 n, n exprs (plan/expr_format.h) whose columns are ids
//   u32  number of CHECK constraints, then for each
//        str  name
//        str  condition
//        u32  number of columns that it uses, then for each its column id (u32)
//   u8   kind: 0 table, 1 view, 2 sequence, 3 schema
//   str  schema, "" of a schema itself
//   str  comment, "" if there is none
//   str  the query of a view, else ""
//   u32  number of schemas in which a view looks names up, then the name of each (str)
//   u32  number of those that it depends on, then the id of each (u32)
//   of a sequence only:
//        i64  start, i64 increment, i64 minimum, i64 maximum, u8 cycle
//        u32  counter, i64 first number of that counter, i64 cache, u8 bytes of its type
//        u8   1 if a column owns it, then u32 its id in the table it depends on
//   u32  number of foreign keys, then for each
//        str  name
//        u32  id of the table that it refers to
//        u8   1 MATCH FULL
//        u8   on delete, u8 on update: catalog::ReferenceAction
//        u32  number of columns, then for each
//             u32  its column id, u32 column id in the table that it refers to
//
//   type   str Arrow format, u32 number of children, then for each: str name, u8 nullable, type
//
// Format 5 had no foreign keys and stored columns, of indexes no flags from 8 on and no order but
// 0, and only the first line of a sequence. Format 4 ended with the CHECK constraints and had no
// flags 16 and 32 of columns; formats 2 and 3 ended with the indexes. Format 2 had no flag 8 of
// columns. Format 1 ended, instead of the indexes, with
//
//   u32  number of columns of the primary key, then for each its position (u32)
//   str  name of the primary key, "" if there is none
//
// A reader refuses a format number that it does not know.

#pragma once

#include <cstdint>

namespace trefoil::catalog {

constexpr uint16_t kTableFormat = 6;
constexpr uint16_t kTableFormatWithoutChecks = 3;
constexpr uint16_t kTableFormatPrimaryKeyOnly = 1;
constexpr uint16_t kTableFormatTablesOnly = 4;
constexpr uint16_t kTableFormatWithoutForeignKeys = 5;

enum ColumnFlags : uint8_t {
    kNotNull = 1,
    kHasCharLength = 2,
    kHasDefault = 4,
    kHasMissing = 8,
    kHasComment = 16,
    kIsGenerated = 32
};
enum OrderFlags : uint8_t { kDescending = 1, kNullsFirst = 2 };
enum IndexFlags : uint8_t {
    kUnique = 1,
    kPrimary = 2,
    kConstraint = 4,
    kPartial = 8,
    kHash = 16,
    kIncludes = 32
};

}  // namespace trefoil::catalog
