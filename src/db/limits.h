// Limits of a database as a whole: what SET changes for all its sessions, at once.
//
//     memory_limit          of queries and of commits that wait to be flushed
//     temp_space_limit      of files that queries spill to; beyond it they fail (53400)
//     max_statement_size    of the text of a statement (54000)
//
// Values are sizes: '512MB', '2GB', a number of bytes.

#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "trefoil/database.h"

namespace trefoil {

struct Limits {
    std::atomic<uint64_t> memory_bytes{0};
    std::atomic<uint64_t> temp_space_bytes{0};
    std::atomic<uint64_t> statement_bytes{0};
};

inline constexpr uint64_t kMemoryLimitMin = 64 << 20;

// The limits that hold until somebody changes them.
void set_default_limits(const OpenOptions& options, Limits* limits);
// How a budget is divided: a delta of this size is flushed; commits wait at twice as much.
uint64_t flush_bytes_of(uint64_t memory_limit_bytes);

bool is_limit(std::string_view name);
// REQUIRES of both: is_limit(name). A missing value is the default. Errors: 22023.
Status set_limit(Database::State& db, std::string_view name,
                 const std::optional<std::string>& value);
std::string limit_text(const Database::State& db, std::string_view name);
std::string default_limit_text(const Database::State& db, std::string_view name);
// Name, value, description of each.
std::vector<std::vector<Value>> all_limits(const Database::State& db);

// "2GB", "512MB", "1000B". Errors: 22023.
Result<uint64_t> parse_size(std::string_view name, std::string_view text);
std::string size_text(uint64_t bytes);

}  // namespace trefoil
