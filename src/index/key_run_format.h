// The bytes of a key run (idx/*.run): sections as arrays that are used where they lie, and a
// directory that says where. Little-endian throughout. Offsets are those of FileWriter::append();
// sections are 64-byte aligned, and one that is not needed has length 0.
//
//   DIRECTORY  SIZE  MEANING
//        0       8  magic "TFKEYRUN"
//        8       4  format version, 1
//       12       1  shape: 0 integer, 1 bytes
//       13       1  form: 0 entries, 1 dense
//       14       1  model: 0 none needed, 1 model, 2 none because prefixes collide, 3 none because
//       keys are
//                   too irregular
//       15       1  0
//       16       8  entries n
//       24       8  distinct keys
//       32       8  shape integer: the least key
//       40       8  shape integer: the greatest key
//       48       8  form dense: the row id of the least key
//       56       8  shape bytes: codes c
//       64      16  {offset, length} of ENTRIES
//       80      16  {offset, length} of BLOB
//       96      16  {offset, length} of CODES
//      112      16  {offset, length} of FIRSTS
//      128      16  {offset, length} of MODEL
//      144          shape bytes: PREFIX RANGES
//
//   ENTRIES, integer   n x { u64 key, u64 row id }, by key, then row id. In one place, so that a
//   cold lookup
//                      costs one page.
//   dense              no sections: entry i has key least + i and row id first + i.
//   ENTRIES, bytes     (n + 1) x { u64 offset of the key in BLOB, u64 row id }; the key ends where
//   the next
//                      begins; the last entry has only an offset, the length of BLOB
//   BLOB               the keys, in order, with nothing between them
//   CODES              c x u64: the distinct prefix codes of the keys, ascending (prefix_code.h)
//   FIRSTS             (c + 1) x u64: the first entry with each code, and n; absent if c = n
//   MODEL              learned/model_format.h; from keys to entries, or from codes to their numbers
//   PREFIX RANGES      u32 bytes of the shortest key, u32 window w, w bytes: the least byte at each
//                      position, w bytes: the greatest
//
// Keys of an index USING hash are of shape integer: XXH3 (64 bits, seed 0) of the bytes that
// base/key_coding.h writes for the values, part after part, ascending and without flags; all ones
// if one of them is NULL. ("b", 7 as i32) is the hash of 62 00 00 80 00 00 07, 0x215e776951f77fa6.
// That must never change: another hash would be another flag of the index in the catalog.
//
// Worked example: keys "b", "ba", "c" of rows 7, 8, 9.
//
//        BLOB     "bbac"
//        ENTRIES  {0, 7} {1, 8} {3, 9} {4, 0}
//        RANGES   shortest 1, window 2, least "ba", greatest "ca" (beyond the shortest key the
//        least is 0) CODES    0, 97, 98 (radices 2 and 98), one per key, so no FIRSTS

#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "index/key.h"
#include "index/prefix_code.h"
#include "trefoil/status.h"

namespace trefoil::index {

inline constexpr uint64_t kRunMagic = 0x4e555259454b4654;  // "TFKEYRUN" as a little-endian word
inline constexpr uint32_t kRunFormatVersion = 1;

struct IntegerEntry {
    uint64_t key;
    uint64_t row_id;
};
struct BytesEntry {
    uint64_t offset;
    uint64_t row_id;
};
static_assert(sizeof(IntegerEntry) == 16 && sizeof(BytesEntry) == 16);

// The numbers are stored.
enum class RunForm : uint8_t { kEntries = 0, kDense = 1 };
enum class ModelUse : uint8_t { kNotNeeded = 0, kModel = 1, kPrefixesCollide = 2, kIrregular = 3 };

struct RunSection {
    uint64_t offset = 0;
    uint64_t length = 0;
};

struct RunDirectory {
    KeyShape shape = KeyShape::kInteger;
    RunForm form = RunForm::kEntries;
    ModelUse model_use = ModelUse::kNotNeeded;
    uint64_t entry_count = 0;
    uint64_t distinct_keys = 0;
    uint64_t key_min = 0, key_max = 0;
    uint64_t dense_row_id = 0;
    uint64_t code_count = 0;
    RunSection entries, blob, codes, firsts, model;
    PrefixRanges ranges;

    std::string encode() const;
    // kCorruption if it is malformed or its sections have wrong lengths, kUnsupported if it is
    // newer.
    static Result<RunDirectory> decode(Bytes bytes);
};

}  // namespace trefoil::index
