// What an index costs, and what a scan does instead, in units of one number compared by a scan,
// about a nanosecond where these were measured (a million rows in segments).

#pragma once

#include <cstdint>

namespace trefoil::access {

inline constexpr double kEntryCost = 20;     // finding a row through an index
inline constexpr double kFetchCost = 40;     // reading a row that lies alone
inline constexpr double kClusteredCost = 6;  // each of the two, where rows lie as their keys do
inline constexpr double kDenseCost = 1;      // reading a row where that is known without looking
inline constexpr double kRangeCost = 200;    // searching the runs once
// A row that is answered from its key alone: looking whether it lives, where that is not known of
// all, and whether it came already, where there are several runs; then reading a key that is one
// number, or one of bytes, and each column that is wanted of these.
inline constexpr double kLiveCost = 16;
inline constexpr double kSeenCost = 24;
inline constexpr double kIntegerKeyCost = 3;
inline constexpr double kBytesKeyCost = 30;
inline constexpr double kKeyPartCost = 14;
inline constexpr double kKeyTextCost = 32;
// Up to so many rows nothing takes time, and an index is always used: plans are then what they will
// be when the table has grown.
inline constexpr uint64_t kSmallTableRows = 1000;

}  // namespace trefoil::access
