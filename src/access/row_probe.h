// RowProbe: a condition that is only found while the statement runs.
//
//     hash join   the keys of its build side, once that is built: rows of the other side without
//                 a partner need not be read
//     top-k       the worst of the k best rows so far: what is worse need not be read
//
// A scan asks for the ranges to look rows up or to skip zones by, and for each zone that is left
// tests the columns of the condition before it reads any other. The condition may become stricter
// at any time; whoever made it checks again, so a scan may let rows pass, never drop one that
// passes.
//
// ProbeFilter is how one stream uses one probe.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "access/row_reader.h"
#include "arrow/array.h"
#include "plan/expr.h"
#include "trefoil/status.h"

namespace trefoil::access {

// Used by one thread at a time.
class RowProbe {
public:
    virtual ~RowProbe() = default;
    // Columns of the leaf's output that test() looks at.
    virtual std::vector<uint32_t> columns() const = 0;
    // Changes when the condition has become stricter.
    virtual uint64_t generation() const = 0;
    // Conditions over the table's columns that hold for every row that passes; may be none.
    virtual Result<std::vector<plan::Expr>> ranges() const = 0;
    // Sets bit i % 64 of words[i / 64] if row i of `keys` passes. Answers false if nearly all rows
    // do, so that asking is not worth while before the generation changes.
    virtual Result<bool> test(const arrow::Batch& keys, std::vector<uint64_t>* words) = 0;
};

class ProbeFilter {
public:
    // `projection`: the leaf's columns as columns of the table. `table` must outlive it.
    ProbeFilter(const table::TableVersion& table, const std::vector<uint32_t>& projection,
                const arrow::Schema& output, std::shared_ptr<RowProbe> probe);

    // What is known now of the rows that pass, as RowProbe::ranges() says it.
    Result<std::vector<plan::Expr>> conditions() const { return probe_->ranges(); }
    // False if no row of [begin, end), one zone, can pass.
    bool may_match(const table::Part& part, uint64_t begin, uint64_t end);
    // Keeps those rows that pass. The candidates are (*rows)[from ...] or, if `all` is set, every
    // row of [begin, end); afterwards the same holds for the answer.
    Status refine(const table::Part& part, uint64_t begin, uint64_t end, size_t from,
                  std::vector<uint32_t>* rows, bool* all);

private:
    void refresh();

    const table::TableVersion& table_;
    std::shared_ptr<RowProbe> probe_;
    std::vector<uint32_t> columns_;  // of the table
    arrow::SchemaPtr keys_;
    std::optional<RowReader> reader_;  // of the keys; its filter is the ranges
    uint64_t generation_ = 0;
    bool useful_ = true;
    std::vector<uint64_t> words_;
};

}  // namespace trefoil::access
