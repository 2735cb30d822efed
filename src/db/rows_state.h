// Rows from the inside: where batches come from, and what they must keep alive.

#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "access/source.h"
#include "arrow/array.h"
#include "trefoil/database.h"

namespace trefoil {

struct RowBatch::State {
    arrow::Batch batch;
};

struct Rows::State {
    std::vector<ColumnInfo> columns;
    arrow::SchemaPtr schema;
    std::string tag;
    uint64_t affected_rows = 0;
    std::string_view tier;
    // What the stream reads from; destroyed after it.
    std::shared_ptr<const void> source;
    std::unique_ptr<access::BatchStream> stream;  // null: no rows (any more)
    std::optional<arrow::Batch> only;             // instead of a stream: one batch
};

// An answer without rows.
std::unique_ptr<Rows::State> done(std::string tag, uint64_t affected_rows = 0);
// An answer of one batch at hand.
std::unique_ptr<Rows::State> answer_of(arrow::Batch batch, std::string tag);
// An answer that is read from a stream, and what the stream needs.
std::unique_ptr<Rows::State> answer_of(std::unique_ptr<access::BatchStream> stream,
                                       std::shared_ptr<const void> source, std::string tag);
// An answer of batches at hand, none of them empty.
std::unique_ptr<Rows::State> answer_of(arrow::SchemaPtr schema, std::vector<arrow::Batch> batches,
                                       std::string tag);
// Columns of text, as SHOW and EXPLAIN answer.
std::unique_ptr<Rows::State> text_answer(std::vector<std::string> names,
                                         const std::vector<std::vector<Value>>& rows,
                                         std::string tag);

// Hands a stream over as an Arrow C stream.
void export_stream(std::unique_ptr<Rows::State> rows, ArrowArrayStream* out);

}  // namespace trefoil
