// CustomTableDef: a table of the program's own, as it was described and found to be sound.
//
// Everything that the program's code says about itself is asked once, checked, and kept here in our
// terms: a schema, column numbers, encoders of keys. The code itself is only called through
// `guarded`, which turns what it throws into a Status.

#pragma once

#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "access/counters.h"
#include "arrow/type.h"
#include "index/key_encoder.h"
#include "trefoil/custom_table.h"

namespace trefoil::access {

struct CustomIndexDef {
    std::shared_ptr<const CustomIndex> index;
    std::string name;
    std::vector<uint32_t> columns;
    IndexKind kind = IndexKind::kOrdered;
    bool holds_nulls = true;
    std::optional<index::KeyEncoder> values;  // of its columns; not of kConditions
};

struct CustomTableDef {
    std::string name;
    std::shared_ptr<const CustomTable> table;
    arrow::SchemaPtr schema;
    std::vector<uint32_t> key;              // columns; empty: none
    arrow::SchemaPtr key_schema;            // of these columns
    std::optional<index::KeyEncoder> keys;  // of the key
    std::vector<CustomIndexDef> indexes;
    TableCountersPtr counters;
};

using CustomTableDefPtr = std::shared_ptr<const CustomTableDef>;
// All of a database, never changed once they are shared: another table makes another map, of a
// higher generation.
struct CustomTables {
    std::map<std::string, CustomTableDefPtr, std::less<>> by_name;
    uint64_t generation = 0;
};
using CustomTablesPtr = std::shared_ptr<const CustomTables>;

// Asks a table for its description. Errors: 42P16 no columns or a key that cannot be one, 42701 two
// columns and 42710 two indexes of one name, 42703 a key or index over columns that are not there,
// 42704 a type that is none or has no order, 42602 an empty name, and what the table throws.
Result<CustomTableDefPtr> describe_custom_table(std::string name,
                                                std::shared_ptr<const CustomTable> table,
                                                TableCountersPtr counters);

// The table as one statement sees it. Errors: XX000 its snapshot has another shape, and those of
// describe_custom_table.
Result<CustomTableDefPtr> snapshot_of(const CustomTableDefPtr& def);

// "table \"employees\"", "index \"age_idx\" of table \"employees\"": for errors.
std::string describe(const CustomTableDef& table);
std::string describe(const CustomTableDef& table, const CustomIndexDef& index);

// The answer of `call`, which answers a Result or Status, or 38000 if it throws.
template <typename Call>
auto guarded(const std::string& whose, const Call& call) -> decltype(call()) {
    try {
        return call();
    } catch (const std::exception& e) {
        return Status(Code::kInvalidInput, "38000", whose + " threw an exception: " + e.what());
    } catch (...) {
        return Status(Code::kInvalidInput, "38000", whose + " threw an exception");
    }
}

}  // namespace trefoil::access
