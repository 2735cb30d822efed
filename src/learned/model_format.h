// The bytes of a piecewise-linear model: little-endian 64-bit words, so that a mapped file is the
// model.
//
//     +--------+----------------------+---------+-----+-----------------------+
//     | header | level 0 (most lines) | level 1 | ... | top level (few lines) |
//     +--------+----------------------+---------+-----+-----------------------+
//
//   HEADER    SIZE  MEANING
//        0       8  magic "TFLPLA01"
//        8       8  positions: predictions lie in [0, positions]
//       16       4  epsilon: greatest error at a fitted key when the model was fitted
//       20       4  levels, 0 to 8
//       24       8  keys that were fitted
//       32    8x8   segments of level 0, 1, ...; 0 beyond the last level
//
//   LEVEL of m segments
//        0     8m   the first key of each segment, ascending
//       8m  16(m+1) for each segment, then once more as a sentinel:
//                     8  slope (IEEE double), positions per key
//                     8  base (IEEE double), the position predicted for the first key
//                   The sentinel has slope 0 and base = positions of the level.
//
// On level 0 "position" is a position in the run; on level l + 1 it is the number of a segment of
// level l. The prediction for a key of segment i is  base[i] + slope[i] * (key - first_key[i]),  at
// most base[i + 1].
//
// Worked example: keys 10, 11, ..., 1009 at positions 0 ... 999: one level of one segment.
//
//        offset 0   "TFLPLA01"  1000  16|1  1000  1 0 0 0 0 0 0 0
//        offset 96  first key 10
//        offset 104 {1.0, 0.0} {0.0, 1000.0}
//        136 bytes in all

#pragma once

#include <cstddef>
#include <cstdint>

namespace trefoil {

inline constexpr uint64_t kModelMagic = 0x3130414c504c4654;  // "TFLPLA01" as a little-endian word
inline constexpr size_t kModelHeaderWords = 12;
inline constexpr size_t kModelLevelsMax = 8;

// One line; its first key is kept apart, so that a search among first keys touches few cache lines.
struct ModelLine {
    double slope;
    double base;
};
static_assert(sizeof(ModelLine) == 16);

}  // namespace trefoil
