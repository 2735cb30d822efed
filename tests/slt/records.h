// A sqllogictest file as a list of records.
//
//     statement ok | statement error [PATTERN] | statement count N      the statement follows
//     query TYPES [nosort|rowsort|valuesort] [LABEL]                    the query, "----", rows
//     query error [PATTERN]
//     skipif NAME, onlyif NAME                                          for the record that follows
//     connection NAME                                                   for the record that follows
//     hash-threshold N, halt, restart, mode skip|unskip, subtest NAME
//     loop VARIABLE FROM TO ... endloop, foreach VARIABLE WORD... ... endloop
//
// Loops are unrolled while reading: "${VARIABLE}" and "$VARIABLE" stand for the value. A line that
// is none of these is an error of the file, which is reported with its line.

#pragma once

#include <string>
#include <vector>

namespace slt {

enum class Kind { kStatement, kQuery, kHalt, kRestart, kBad };
enum class Sort { kNone, kRows, kValues };

struct Record {
    Kind kind = Kind::kBad;
    int line = 0;
    std::string connection{}, sql{};
    bool fails = false;            // an error is expected
    std::string pattern{};         // and matches this
    long count = -1;               // rows that a statement changes; -1: any
    std::string types{}, label{};  // of a query
    Sort sort = Sort::kNone;
    std::vector<std::string> expected{};  // the lines after "----"
    std::string problem{};                // of a bad record
};

// The records of a text, without those that are not for any of `names`.
std::vector<Record> read_records(const std::string& text, const std::vector<std::string>& names);

}  // namespace slt
