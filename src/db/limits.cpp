// Limits: their names, how they are read, and who must hear of a change.

#include "db/limits.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "base/check.h"
#include "db/database_state.h"

namespace trefoil {
namespace {

constexpr uint64_t kTempSpaceDefault = uint64_t{100} << 30;
constexpr uint64_t kStatementDefault = 10 << 20;
constexpr uint64_t kFlushBytesMax = 64 << 20;

struct Limit {
    std::string_view name;
    std::atomic<uint64_t> Limits::* member;
    uint64_t min;
    std::string_view about;
};

constexpr Limit kLimits[] = {
    {"memory_limit", &Limits::memory_bytes, kMemoryLimitMin,
     "memory for queries and for commits that wait to be flushed"},
    {"temp_space_limit", &Limits::temp_space_bytes, 0,
     "bytes of files that running queries may spill to"},
    {"max_statement_size", &Limits::statement_bytes, 1000, "bytes of the text of a statement"},
};

const Limit* find_limit(std::string_view name) {
    for (const Limit& limit : kLimits) {
        if (limit.name == name) return &limit;
    }
    return nullptr;
}

struct Unit {
    std::string_view name;  // lower case
    int shift;
};
constexpr Unit kUnits[] = {{"b", 0},   {"kb", 10},  {"kib", 10}, {"mb", 20},  {"mib", 20},
                           {"gb", 30}, {"gib", 30}, {"tb", 40},  {"tib", 40}, {"", 0}};

}  // namespace

Result<uint64_t> parse_size(std::string_view name, std::string_view text) {
    uint64_t number = 0;
    const char* end = text.data() + text.size();
    auto [after, error] = std::from_chars(text.data(), end, number);
    std::string unit;
    for (const char* c = after; c != end; c++) {
        if (*c != ' ') unit += static_cast<char>(std::tolower(static_cast<unsigned char>(*c)));
    }
    for (const Unit& u : kUnits) {
        if (error != std::errc() || u.name != unit || number > UINT64_MAX >> u.shift) continue;
        return number << u.shift;
    }
    return Status(Code::kInvalidInput, "22023",
                  "invalid value for \"" + std::string(name) + "\": \"" + std::string(text) + "\"")
        .with_hint("It is a size, such as '512MB' or '2GB'.");
}

std::string size_text(uint64_t bytes) {
    for (const Unit& u : {Unit{"GB", 30}, Unit{"MB", 20}, Unit{"kB", 10}}) {
        if (bytes > 0 && bytes % (uint64_t{1} << u.shift) == 0) {
            return std::to_string(bytes >> u.shift) + std::string(u.name);
        }
    }
    return std::to_string(bytes) + "B";
}

void set_default_limits(const OpenOptions& options, Limits* limits) {
    const uint64_t machine = static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) *
                             static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
    const uint64_t half = std::max(machine / 2 >> 20 << 20, kMemoryLimitMin);
    limits->memory_bytes = options.memory_limit_bytes ? options.memory_limit_bytes : half;
    limits->temp_space_bytes = kTempSpaceDefault;
    limits->statement_bytes = kStatementDefault;
}

uint64_t flush_bytes_of(uint64_t memory_limit_bytes) {
    return std::min(kFlushBytesMax, memory_limit_bytes / 8);
}

bool is_limit(std::string_view name) {
    return find_limit(name) != nullptr;
}

Status set_limit(Database::State& db, std::string_view name,
                 const std::optional<std::string>& value) {
    const Limit& limit = *find_limit(name);
    Limits defaults;
    set_default_limits(db.options, &defaults);
    uint64_t bytes = defaults.*limit.member;
    if (value) {
        ASSIGN_OR_RETURN(bytes, parse_size(name, *value));
    }
    if (bytes < limit.min) {
        return Status(Code::kInvalidInput, "22023",
                      "\"" + std::string(name) + "\" must be at least " + size_text(limit.min));
    }
    db.limits.*limit.member = bytes;
    const uint64_t memory = db.limits.memory_bytes, flush = flush_bytes_of(memory);
    db.tables->set_flush_bytes(flush);
    return db.engine->set_limits(memory - 2 * flush, db.limits.temp_space_bytes);
}

std::string limit_text(const Database::State& db, std::string_view name) {
    return size_text(db.limits.*find_limit(name)->member);
}

std::string default_limit_text(const Database::State& db, std::string_view name) {
    Limits defaults;
    set_default_limits(db.options, &defaults);
    return size_text(defaults.*find_limit(name)->member);
}

std::vector<std::vector<Value>> all_limits(const Database::State& db) {
    std::vector<std::vector<Value>> rows;
    for (const Limit& limit : kLimits) {
        rows.push_back({limit.name, limit_text(db, limit.name), limit.about});
    }
    return rows;
}

}  // namespace trefoil
