// The bytes of a log file (log/*.log): commits in the order in which they were made.
//
//     +--------------+---------+---------+------------------+--------------------------+
//     | header 512 B | frame 0 | frame 1 | ...              | zero, to the end of file |
//     +--------------+---------+---------+------------------+--------------------------+
//
// The file has its full size, in zeros, before it is named by the root, so that a commit changes
// bytes in place and no length, and costs one sync. Nothing in it is ever written twice: what a
// process did not finish is left alone, and the next process begins another file.
//
// Everything is made of sectors of 512 bytes, which a disk writes whole: the two bytes "TL", then
// 508 bytes of content, the two bytes "OG". That tells an unfinished frame, at the end of the log
// after a power loss, from a damaged one: of the former a sector has no beginning or no end yet,
// while a flipped bit leaves all sectors written and a checksum that does not fit. Integers are
// little-endian; the seed of all checksums (XXH3_64bits) is salt = XXH3_64bits(uuid of the
// database, seed = file id) plus the offset of what is summed, in the file.
//
//   HEADER    SIZE  MEANING (offsets in the content of its sector)
//        0       8  magic "TREFOILL"
//        8       4  format version, 1
//       12       8  bytes of the file
//       20       8  XXH3 of bytes 0..20
//
//   FRAME     SIZE  MEANING (offsets in the joined content of its sectors)
//        0       4  bytes of content n, 40 at least; the frame has ceil(n / 508) sectors
//        4       4  number of records, 1 at least
//        8       8  store.root_version when it was written: a snapshot of an older root does not
//                   see it
//       16       8  xid of the first record; the others follow without gaps
//       24       8  XXH3 of bytes 40..n
//       32       8  XXH3 of bytes 0..32
//       40          records: length (4), bytes
//
// Worked example: the records "hi" (xid 17) and "" (xid 18), as the first frame of a file:
//
//   offset 512  "TL" | 50 | 2 | root version | 17 | XXH3 | XXH3 | 2 "hi" | 0 | zero | "OG"

#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace trefoil {

inline constexpr std::string_view kLogFileMagic = "TREFOILL";
inline constexpr uint32_t kLogFileFormatVersion = 1;
inline constexpr std::string_view kLogSectorHead = "TL";
inline constexpr std::string_view kLogSectorTail = "OG";
inline constexpr size_t kLogSectorBytes = 512;
inline constexpr size_t kLogSectorContentBytes =
    kLogSectorBytes - kLogSectorHead.size() - kLogSectorTail.size();
inline constexpr size_t kLogFrameHeaderBytes = 40;

}  // namespace trefoil
