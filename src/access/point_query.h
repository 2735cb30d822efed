// PointQuery: SELECT columns FROM table WHERE whole key of a unique index = values, made ready.
//
// The shortest way through the house: the key is encoded, the learned index says where the row is,
// slices of its columns go out. Nothing is planned, compiled or scheduled, so it takes a
// microsecond or two.

#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "access/counters.h"
#include "arrow/array.h"
#include "plan/expr.h"
#include "table/table_version.h"

namespace trefoil::access {

class PointQuery {
public:
    // nullptr unless the conditions are `column = literal or parameter`, one for each column of a
    // unique index.
    static std::shared_ptr<const PointQuery> make(const catalog::TableDef& table,
                                                  std::span<const plan::Expr> filters,
                                                  std::vector<uint32_t> projection,
                                                  arrow::SchemaPtr output,
                                                  TableCountersPtr counters);

    uint32_t table_id() const { return table_id_; }

    // The row, if there is one. `understood` is cleared, and nothing looked up, if a parameter is
    // of a type that a key column cannot be compared with.
    Result<std::optional<arrow::Batch>> run(const table::TableVersion& table,
                                            std::span<const Value> parameters,
                                            bool* understood) const;

private:
    struct KeyPart {
        bool is_parameter;
        uint32_t parameter;
        Value literal;
    };
    // For one index; nullopt if these are not the conditions for it.
    static std::optional<std::vector<KeyPart>> key_parts(const catalog::IndexDef& index,
                                                         std::span<const plan::Expr> filters);

    uint32_t table_id_ = 0;
    size_t index_ = 0;            // of the table
    std::vector<KeyPart> parts_;  // in key order
    std::vector<uint32_t> projection_;
    arrow::SchemaPtr output_;
    TableCountersPtr counters_;
};

}  // namespace trefoil::access
