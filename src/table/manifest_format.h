// What the tables keep in the root: the manifest, statistics, and the redo records.
//
// Keys are big-endian so that they sort as numbers; values are little-endian; str is a u32 length
// and bytes.
//
//   KEYSPACE  KEY                              VALUE
//   meta      "table.checkpoint_xid"           u64  redo records up to this xid are in segments
//   meta      "table.next_table_id"            u32
//   catalog   'T' u32 table                    definition, see catalog/catalog_format.h
//   manifest  't' u32 table                    table state
//   manifest  's' u32 table u64 segment        segment entry
//   manifest  'd' u32 table u64 segment        dead rows: bitmap words, u64 each
//   manifest  'r' u32 table u64 run            run entry
//   manifest  'q' u32 counter                  place of a sequence
//   stats     'z' u32 table u64 segment u32 column   zone map of one column
//   stats     'a' u32 table u64 0 u32 column         what ANALYZE found in one column
//   log       xid                              redo record of one commit
//
//   table state     u64 next row id, u8 flags (1: keys of index 1 moved; 2: a list follows), if
//                   listed: u32 number of indexes whose keys moved, then their ids, u32 each
//   place           i64 number, u8 is_called: 1 the last that may have been given, 0 the next
//   segment entry   u64 file id, u64 first row id, u64 rows, u8 flags (1: ids listed, 2: patch),
//                   then the ids of files with more of its columns, u64 each (feature to read: bit
//                   1 in storage/store_format.h)
//   run entry       u64 file id, u64 row id base, u64 order (runs are searched from the highest
//                   order down), u32 index id (absent: 1)
//   zone map        u32 zones; zones+1 times: u64 null count, u8 known (the last one is the
//                   chunk's); distinct sketch as str; u8 1 if bounds follow; aligned to 8, an array
//                   of zones+1 minima and one of maxima, in the form of arrow/serialize_format.h
//
//   analysis        u16 format (1), u64 rows, u64 rows sampled, f64 share of NULLs, f64 different
//                   values, u8 1 if what follows is there: u32 number of common values, the share
//                   of each as f64; aligned to 8, an array of them; aligned to 8, the quantiles
//
//   redo record     u16 format (3), u32 number of tables, then for each
//                     u32 table, u64 next row id after the commit
//                     u32 number of indexes whose keys moved, then their ids, u32 each
//                     u32 number of columns, then their ids in the catalog, u32 each
//                     u32 number of killed rows, then their row ids, u64 each
//                     u32 number of parts, then for each
//                       u32 rows, u8 ids dense, u64 first id  or  rows x u64 ids
//                       for each column: u64 bytes; aligned to 8, an array in the form of
//                       arrow/serialize_format.h
//   Formats 1 and 2, which are still read, have no column ids, and all columns of a part in one
//   piece: u64 bytes; aligned to 8, the arrays of the table's columns one after the other. Format 1
//   has, instead of the list of indexes, u8 flags (1: keys of index 1 moved). A database that has
//   such records flushes them when it is opened to be written.
//
// A redo record names rows by id only and carries their contents: nothing is looked up to replay
// it.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace trefoil::table {

constexpr uint16_t kAnalysisFormat = 1;
constexpr uint16_t kRedoFormat = 3;
constexpr uint16_t kRedoFormatPrimaryKeyOnly = 1;
constexpr uint16_t kRedoFormatAllColumns = 2;
constexpr std::string_view kCheckpointXidKey = "table.checkpoint_xid";
constexpr std::string_view kNextTableIdKey = "table.next_table_id";

enum SegmentFlags : uint8_t { kIdsListed = 1, kPatch = 2 };
enum TableFlags : uint8_t { kPrimaryKeysMoved = 1, kIndexesListed = 2 };

// u8 tag, then big-endian numbers: how every key of the tables is made.
std::string manifest_key(char tag, uint32_t table);
std::string manifest_key(char tag, uint32_t table, uint64_t part);
std::string manifest_key(char tag, uint32_t table, uint64_t part, uint32_t column);

}  // namespace trefoil::table
