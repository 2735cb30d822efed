// What statements say of sequences: CREATE and ALTER SEQUENCE, identity columns.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "catalog/catalog.h"
#include "engine/name.h"

namespace trefoil::engine {

struct SequenceOption {
    // The numbers cross the border.
    enum class Kind : uint8_t {
        kType,  // value: bytes of the integers, 2, 4 or 8
        kIncrement,
        kMin,  // without a value: NO MINVALUE
        kMax,
        kStart,
        kCache,
        kCycle,    // value: 1, or 0 for NO CYCLE
        kRestart,  // without a value: at its start
        kOwnedBy,  // names: table and column, or nothing for NONE
        kName,     // SEQUENCE NAME: of the sequence of an identity column
    };
    Kind kind = Kind::kType;
    std::optional<int64_t> value;
    std::vector<Name> names;
    uint32_t position = 0;
};
using SequenceOptions = std::vector<SequenceOption>;

// A column whose default is a sequence of its own: SERIAL (kNo), GENERATED ... AS IDENTITY.
struct Identity {
    catalog::ColumnDef::Generated how = catalog::ColumnDef::Generated::kNo;
    SequenceOptions options;
};
// GENERATED ALWAYS AS (expression) STORED.
struct Stored {
    std::string expression;
    std::vector<std::string> columns;  // that it uses
};

struct CreateSequence {
    Name sequence;
    bool if_not_exists = false, temporary = false;
    SequenceOptions options;
};
struct AlterSequence {
    Name sequence;
    bool if_exists = false;
    SequenceOptions options;
    std::optional<Name> new_name;
};

}  // namespace trefoil::engine
