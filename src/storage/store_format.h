// The bytes of the root (root/data.mdb), as far as the storage room gives them a meaning, and the
// names in a database directory.
//
//     shop.trefoil/
//       lock               process id of the writer; flock'ed while it lives
//       root/data.mdb      LMDB 0.9 environment with one named database per Keyspace
//       root/lock.mdb      LMDB's table of readers; may be deleted while nobody has it open
//       root.bak/data.mdb  compacted copy of an earlier root
//       log/               files of the commit log, see log_file_format.h: <file id, 16 hex
//                          digits>.log
//       seg/ idx/          data files, see file_format.h: <file id, 16 hex digits>.<suffix>
//       gph/ vec/          the same
//       tmp/               staging; emptied when the database is opened for writing
//
// A directory is a database if and only if root/data.mdb exists: the root is made complete in
// tmp/root and then renamed, so a crash during a creation leaves nothing that looks like one.
//
// Named databases: "meta", "catalog", "manifest", "log", "stats". Keys have 1 to 511 bytes and sort
// as unsigned bytes. Every value, in every keyspace, starts with the same header:
//
//   OFFSET  SIZE  MEANING
//        0     4  bytes of the payload (at most 1 MiB)
//        4     2  version of this header, 1
//        6     2  zero
//        8     8  XXH3_64bits(payload, seed = XXH3_64bits(key, seed = number of the keyspace))
//       16        payload
//
// so a payload under the wrong key, or in the wrong keyspace, is found out like a flipped bit.
// Integers in the header and in the payloads below are little-endian.
//
// Keyspace "meta", keys that belong to the storage room (others may use keys that do not begin with
// "store."):
//
//   "store.format"    0   8  magic "TREFOILD"
//                     8   4  format version, 1; a reader refuses a higher one
//                    12   8  features that one must know to read; an unknown bit: refuse
//                    20   8  features that one must know to write; an unknown bit: only read
//                    28  16  uuid of the database
//   "store.file_id"   0   8  the next file id; the manifest names no file of this id or a higher
//   "store.root_version"
//                     0   8  one more with each commit that changes anything but keyspace "log",
//                            and with each commit while there are log files
//   "store.log"       0   8  records of the log files with a lower xid are erased
//                     8      file ids of the log files, 8 bytes each, oldest first; no key: none
//
// Features to read: bit 0, there may be log files; bit 1, a segment may have columns in files of
// their own (table/manifest_format.h).
//
// Keyspace "log" belongs to CommitLog:
//
//   key               0   8  xid, big-endian, so that keys sort as numbers do
//                     8   2  part, big-endian, from 0
//   payload           0   2  number of parts of this record
//                     2      bytes of this part, at most 1 MiB - 2
//
// Worked example: the first commit of a new database, xid 1, record "hi":
//
//   log  00 00 00 00 00 00 00 01 00 00  ->  04 00 00 00 | 01 00 | 00 00 | <hash> | 01 00 68 69

#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace trefoil {

inline constexpr std::string_view kStoreMagic = "TREFOILD";
inline constexpr uint32_t kStoreFormatVersion = 1;
inline constexpr uint64_t kLogFilesFeature = 1;
inline constexpr uint64_t kColumnFilesFeature = 2;
inline constexpr uint64_t kKnownReadFeatures = kLogFilesFeature | kColumnFilesFeature;
inline constexpr uint64_t kKnownWriteFeatures = 0;

inline constexpr std::string_view kStoreDirectories[] = {"log", "seg", "idx", "gph", "vec", "tmp"};

inline constexpr std::string_view kFormatKey = "store.format";
inline constexpr std::string_view kFileIdKey = "store.file_id";
inline constexpr std::string_view kRootVersionKey = "store.root_version";
inline constexpr std::string_view kLogFilesKey = "store.log";

inline constexpr size_t kRootKeyMaxBytes = 511;
inline constexpr size_t kRootValueMaxBytes = size_t{1} << 20;
inline constexpr size_t kRootHeaderBytes = 16;
inline constexpr uint16_t kRootHeaderVersion = 1;

inline constexpr size_t kLogPartMaxBytes = kRootValueMaxBytes - 2;

}  // namespace trefoil
