// How a chunk lies in a segment file (kind kSegment), as sections of a storage::DataFile.
//
// The file's sections are the Arrow buffers themselves, 64-byte aligned, each column's one after
// the other, offset 0, in the layout of arrow/array.h. So a mapped segment is read in place, and
// its arrays go out to anybody without a copy. The directory says where they are:
//
//   u16  format (1)
//   u16  flags: 1 row ids are listed
//   u64  rows
//   u64  offset of the listed row ids (rows x u64, ascending)     if flag 1
//   u32  number of columns, then for each
//        u32  column id in the catalog
//        array
//
//   array   str Arrow format (checked against the schema)
//           u64 length, u64 null count
//           u32 number of buffers, then for each: u64 offset, u64 bytes  (bytes 0: absent)
//           u32 number of children, then for each: array
//
// A file of columns that were computed later for the rows of a segment looks the same: a dense
// segment of those columns alone, and of as many rows.
//
// Little-endian; str is a u32 length and that many bytes. The row ids of a dense chunk are not in
// the file: the manifest holds the first one, because it is given out only when the transaction
// that staged the file commits.

#pragma once

#include <cstdint>

namespace trefoil::table {

constexpr uint16_t kSegmentFormat = 1;
constexpr uint16_t kRowIdsListed = 1;
constexpr int kArrayDepthMax = 32;
constexpr uint64_t kSegmentRowsMax = 1
                                     << 20;  // what a reader accepts; writers stop at kSegmentRows

}  // namespace trefoil::table
