// Columns of 64-bit numbers in memory as an Arrow stream, uncopied: what Session::append takes.

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "trefoil/arrow_c.h"

namespace trefoil::compare {

// A column, and a hand on what keeps its numbers alive.
struct NumberColumn {
    std::string name;
    const char* format;  // "l" for int64, "g" for double
    std::shared_ptr<const void> owner;
    const void* numbers;
};

inline NumberColumn column_of(std::string name, std::shared_ptr<const std::vector<int64_t>> v) {
    return {std::move(name), "l", v, v->data()};
}
inline NumberColumn column_of(std::string name, std::shared_ptr<const std::vector<double>> v) {
    return {std::move(name), "g", v, v->data()};
}

// REQUIRES: each column has `rows` numbers. The receiver releases the stream.
ArrowArrayStream number_stream(std::vector<NumberColumn> columns, uint64_t rows);

}  // namespace trefoil::compare
