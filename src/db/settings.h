// Settings: what SET changes for one session, beside those that belong to the engine.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/statement.h"
#include "trefoil/status.h"

namespace trefoil {

// A length of time. 0 switches off what it limits.
struct Milliseconds {
    uint64_t count = 0;
};

struct Settings {
    bool use_indexes = true;     // trefoil.use_indexes
    bool index_order = true;     // trefoil.index_order
    bool index_joins = true;     // trefoil.index_joins
    bool covering_scans = true;  // trefoil.covering_scans
    bool fast_path = true;       // trefoil.fast_path

    // What a transaction is when it does not say it.
    engine::Isolation default_isolation = engine::Isolation::kRepeatableRead;
    bool default_read_only = false;

    Milliseconds statement_timeout;
    Milliseconds lock_timeout;
    Milliseconds idle_in_transaction_timeout;  // idle_in_transaction_session_timeout

    struct Description {
        std::string name, value, about;
    };
    // kNotFound if the name is not one of these; 22023 if the value is not allowed.
    Status set(std::string_view name, std::string_view value);
    Status reset(std::string_view name);
    Result<std::string> get(std::string_view name) const;
    std::vector<Description> all() const;
};

// "repeatable read", as SHOW says it.
std::string_view isolation_name(engine::Isolation isolation);
// Of a setting called `name`. Errors: 22023.
Result<engine::Isolation> parse_isolation(std::string_view name, std::string_view value);
Result<bool> parse_switch(std::string_view name, std::string_view value);
// "250", "100ms", "5s", "2min", "1h", "1d", also with a space between.
Result<Milliseconds> parse_milliseconds(std::string_view name, std::string_view value);

}  // namespace trefoil
