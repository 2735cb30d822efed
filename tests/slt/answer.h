// The answer of a query in the form in which sqllogictest files write it, and whether it is the one
// that a file expects.

#pragma once

#include <string>
#include <vector>

#include "records.h"
#include "trefoil/database.h"

namespace slt {

struct Answer {
    size_t width = 0;
    std::vector<std::string> values;  // row by row

    size_t rows() const { return width == 0 ? 0 : values.size() / width; }
    std::string hash() const;
};

// Reads `rows` to the end. A value is written as its letter in `types` says: I a whole number, R a
// number with three digits behind the point, anything else text; NULL is NULL, '' is (empty).
trefoil::Result<Answer> read_answer(trefoil::Rows& rows, const std::string& types);

void sort_answer(Answer& answer, Sort sort);

// "" if the answer, which is sorted, is what the record expects; else what is wrong. Expected lines
// may be values, rows of values between blanks, or "30 values hashing to ...".
std::string compare(const Record& record, const Answer& answer);

}  // namespace slt
