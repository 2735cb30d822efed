// RowSink from the inside: what a program's code appends, as batches of known columns.
//
// Nothing that comes from there is believed: values must be of the column's type, text must be
// UTF-8, columns equally long. The first mistake is kept as an error, and what follows it dropped.

#pragma once

#include <string>
#include <vector>

#include "arrow/array.h"
#include "arrow/builder.h"
#include "trefoil/custom_table.h"

namespace trefoil {

struct RowSink::State {
    // `whose` is named in errors: "index \"age_idx\" of table \"employees\"".
    State(arrow::SchemaPtr columns, std::string whose);

    // Moves what was appended since the last time to `out`, no batch empty of rows.
    // Errors: 42804 wrong type, 23502 NULL where there may be none, 22003 out of range, 22021 text
    // that is not UTF-8, 22000 columns of different lengths.
    Status take(std::vector<arrow::Batch>* out);

    // --- for RowSink ---
    // The builder of a column; null, with an error kept, if there is none.
    arrow::ColumnBuilder* column(uint32_t column);
    void fail(std::string_view sqlstate, const std::string& message);
    void mistyped(uint32_t column, const std::string& given);
    Status flush();  // rows in builders become a batch
    Status add_batch(arrow::Batch batch);

    arrow::SchemaPtr schema;
    std::string whose;
    std::vector<arrow::ColumnBuilder> builders;
    uint64_t bare_rows = 0;  // of a sink without columns
    std::vector<arrow::Batch> batches;
    Status error;
};

// Some keys, as columns of them.
struct KeyBatch::State {
    arrow::Batch keys;
};

}  // namespace trefoil
