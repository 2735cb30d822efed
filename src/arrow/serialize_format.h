// The bytes of an array or a batch, as redo records and statistics keep them.
//
// All numbers are little-endian. A column is described first; all buffers follow in one body, so
// that a reader copies the body once, into aligned memory, and points into the copy.
//
//   array    u8 format (1), column, u64 body bytes, body
//   batch    u8 format (1), u64 rows, u32 number of columns, columns, u64 body bytes, body
//
//   column   u8   bytes of the Arrow format string
//            ...  the format string ("l", "vu", "d:10,2", "+l"; see arrow/type.h)
//            u32  length
//            u8   flags: 1 there is a validity bitmap
//            views:  u16 number of heaps, then the bytes of each as u64
//            lists:  the column of their elements
//
//   body     for each column in the order of the descriptions, an element after its list:
//            validity bitmap (if flagged)   ceil(length / 8) bytes
//            values                         bools: ceil(length / 8); views: 16 * length;
//                                           lists: offsets, 4 * (length + 1); else width * length
//            views: each heap
//
// Each buffer begins at a multiple of 8 from the start of the body, 16 for values of 16 bytes; the
// gaps and the end (to a multiple of 8) are zero. A buffer of 0 bytes takes no space. Arrays are
// written compact: offset 0, list offsets from 0, no bytes that no value uses.
//
// A reader refuses, as corruption, what does not satisfy this, views that point outside their heap
// or whose prefix or padding is wrong, text that is not UTF-8, and offsets that are not ascending.
//
// Example: BIGINT 5, NULL
//
//   01 | 01 'l' | 02000000 | 01 | 18 00000000000000 | 01 00000000000000 | 05 00000000000000 |
//   00 00000000000000

#pragma once

#include <cstdint>

namespace trefoil::arrow {

constexpr uint8_t kSerialFormat = 1;
constexpr uint8_t kSerialHasValidity = 1;
constexpr int kSerialDepthMax = 32;  // of lists in lists

}  // namespace trefoil::arrow
