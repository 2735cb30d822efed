// How a table definition is stored (keyspace catalog, key: u8 'T', u32 big-endian table id).
//
// Little-endian; str is a u32 length and that many bytes.
//
//   u16  format (1)
//   u32  table id
//   str  table name
//   u32  next column id
//   u32  number of columns, then for each
//        u32  column id
//        str  name
//        type
//        u8   flags: 1 not null, 2 has a character length, 4 has a default
//        u32  character length      (if flag 2)
//        str  default expression    (if flag 4)
//   u32  number of key columns, then for each its position (u32)
//   str  name of the primary key, "" if there is none
//
//   type   str Arrow format, u32 number of children, then for each: str name, u8 nullable, type
//
// A reader refuses a format number that it does not know.

#pragma once

#include <cstdint>

namespace trefoil::catalog {

constexpr uint16_t kTableFormat = 1;

enum ColumnFlags : uint8_t { kNotNull = 1, kHasCharLength = 2, kHasDefault = 4 };

}  // namespace trefoil::catalog
