// The bytes of a data file (seg/*.seg, idx/*.run, gph/*.csr, vec/*.hnsw): written once.
//
//     +---------------+------------------------------------+-----------+------------+---------+
//     | header 4096 B | sections, each 64-byte aligned ... | directory | hash table | trailer |
//     +---------------+------------------------------------+-----------+------------+---------+
//     0               4096                                             body_bytes    size - 64
//     |<----------------- body, hashed in blocks of 64 KiB ----------->|
//
// The storage room does not know what the sections mean; the directory is one last section in which
// the owner of the file describes the others. All integers are little-endian. Every byte of the
// file is covered by exactly one checksum: the body by the hash table, the table by the trailer,
// the trailer by itself. "XXH3" is XXH3_64bits with seed 0 unless a seed is named.
//
//   HEADER    SIZE  MEANING
//        0       8  magic "TREFOILF"
//        8       4  format version, 1
//       12       4  kind: 1 segment, 2 index run, 3 adjacency, 4 vector graph
//       16      16  uuid of the database that the file belongs to
//       32       8  file id
//       40       8  feature flags, 0; a bit that the reader does not know means: refuse the file
//       48    4048  zero
//
//   HASH TABLE      for each block of 64 KiB of the body (the last may be shorter), in order:
//                8  XXH3 of the block, seed = number of the block
//
//   TRAILER   SIZE  MEANING
//        0       8  body_bytes: size of header, sections and directory; a multiple of 64
//        8       8  offset of the directory in the file
//       16       8  bytes of the directory; 0 if there is none
//       24       8  file id, as in the header
//       32       4  bytes of a block, 65536
//       36       4  kind, as in the header
//       40       8  XXH3 of the hash table
//       48       8  XXH3 of trailer bytes 0..47
//       56       8  magic "TREFOILE"
//
// Worked example: file 7 of kind 1, sections "abc" and 70,000 bytes of 'x', directory "two".
//
//        offset 0      header
//        offset 4096   "abc", then 61 zero bytes
//        offset 4160   70,000 x 'x', then 16 zero bytes          (4160 + 70000 = 74160)
//        offset 74176  "two", then 61 zero bytes
//        offset 74240  = body_bytes; hash table of 2 entries: block 0 is [0, 65536), block 1 is
//                      [65536, 74240)
//        offset 74256  trailer: 74240, 74176, 3, 7, 65536, 1, XXH3(table), XXH3(these), "TREFOILE"
//        offset 74320  end of file

#pragma once

#include <cstdint>
#include <string_view>

namespace trefoil {

inline constexpr std::string_view kFileMagic = "TREFOILF";
inline constexpr std::string_view kFileEndMagic = "TREFOILE";
inline constexpr uint32_t kFileFormatVersion = 1;
inline constexpr uint64_t kFileHeaderBytes = 4096;
inline constexpr uint64_t kFileTrailerBytes = 64;
inline constexpr uint64_t kFileBlockBytes = 65536;
inline constexpr uint64_t kFileAlignment = 64;

}  // namespace trefoil
