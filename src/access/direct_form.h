// DirectForm: what INSERT of given values, or UPDATE or DELETE by a whole primary key, says. The
// engine reads it off the statement, DirectChange runs it.

#pragma once

#include <cstdint>
#include <vector>

#include "plan/expr.h"

namespace trefoil::access {

// Every Expr is a literal or a parameter; in a row that is inserted it may also be opaque: then it
// is the next number of the sequence that its text names.
struct DirectForm {
    enum class Kind : uint8_t { kInsert, kUpdate, kDelete };
    enum class Operation : uint8_t { kValue, kAdd, kSubtract };

    // SET column = value, or = from + value, or = from - value.
    struct Assignment {
        uint32_t column = 0;
        Operation operation = Operation::kValue;
        uint32_t from = 0;
        plan::Expr value;
    };

    Kind kind = Kind::kInsert;
    std::vector<std::vector<plan::Expr>> rows;  // of INSERT: all columns of the table
    std::vector<Assignment> assignments;        // of UPDATE
    std::vector<plan::Expr> keys;               // of UPDATE and DELETE: in key order
    std::vector<uint32_t> returning;            // table columns
};

}  // namespace trefoil::access
