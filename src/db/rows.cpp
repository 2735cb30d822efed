// Rows and RowBatch: the public side of an answer, over the batches that the inside yields.
//
// One way out for all answers: a batch at hand, or a stream that is read as the caller asks. The
// same goes out as an Arrow C stream, uncopied. Tested by src/db/c_api_test.cpp and the golden
// driver.

#include "arrow/builder.h"
#include "arrow/value.h"
#include "base/check.h"
#include "db/rows_state.h"

namespace trefoil {
namespace {

std::vector<ColumnInfo> describe(const arrow::Schema& schema) {
    std::vector<ColumnInfo> columns;
    columns.reserve(schema.fields.size());
    for (const arrow::Field& f : schema.fields) columns.push_back({f.name, f.type.sql_name()});
    return columns;
}

Result<std::optional<arrow::Batch>> next_batch(Rows::State& rows) {
    if (rows.only) return std::exchange(rows.only, std::nullopt);
    if (!rows.stream) return std::optional<arrow::Batch>();
    auto batch = rows.stream->next();
    if (!batch.ok() || !batch->has_value()) rows.stream.reset();
    return batch;
}

class BatchList final : public access::BatchStream {
public:
    BatchList(arrow::SchemaPtr schema, std::vector<arrow::Batch> batches)
        : schema_(std::move(schema)), batches_(std::move(batches)) {}
    const arrow::SchemaPtr& schema() const override { return schema_; }
    Result<std::optional<arrow::Batch>> next() override {
        if (next_ == batches_.size()) return std::optional<arrow::Batch>();
        return std::optional(std::move(batches_[next_++]));
    }

private:
    arrow::SchemaPtr schema_;
    std::vector<arrow::Batch> batches_;
    size_t next_ = 0;
};

}  // namespace

std::unique_ptr<Rows::State> done(std::string tag, uint64_t affected_rows) {
    static const auto kNoColumns = std::make_shared<const arrow::Schema>();
    auto rows = std::make_unique<Rows::State>();
    rows->schema = kNoColumns;
    rows->tag = std::move(tag);
    rows->affected_rows = affected_rows;
    return rows;
}

std::unique_ptr<Rows::State> answer_of(arrow::Batch batch, std::string tag) {
    auto rows = done(std::move(tag));
    rows->columns = describe(*batch.schema);
    rows->schema = batch.schema;
    if (batch.rows > 0) rows->only = std::move(batch);
    return rows;
}

std::unique_ptr<Rows::State> answer_of(std::unique_ptr<access::BatchStream> stream,
                                       std::shared_ptr<const void> source, std::string tag) {
    auto rows = done(std::move(tag));
    rows->columns = describe(*stream->schema());
    rows->schema = stream->schema();
    rows->source = std::move(source);
    rows->stream = std::move(stream);
    return rows;
}

std::unique_ptr<Rows::State> answer_of(arrow::SchemaPtr schema, std::vector<arrow::Batch> batches,
                                       std::string tag) {
    auto list = std::make_unique<BatchList>(std::move(schema), std::move(batches));
    return answer_of(std::move(list), nullptr, std::move(tag));
}

std::unique_ptr<Rows::State> text_answer(std::vector<std::string> names,
                                         const std::vector<std::vector<Value>>& rows,
                                         std::string tag) {
    auto schema = std::make_shared<arrow::Schema>();
    arrow::Batch batch;
    batch.rows = static_cast<int64_t>(rows.size());
    for (size_t c = 0; c < names.size(); c++) {
        schema->fields.push_back({names[c], arrow::utf8_view(), true});
        arrow::ColumnBuilder column(arrow::utf8_view());
        for (const auto& row : rows) {
            if (row[c].is_null()) {
                column.append_null();
            } else {
                column.append_bytes(row[c].to_string());
            }
        }
        batch.columns.push_back(column.finish());
    }
    batch.schema = std::move(schema);
    return answer_of(std::move(batch), std::move(tag));
}

// --- RowBatch
// -----------------------------------------------------------------------------------------

RowBatch::RowBatch(std::unique_ptr<State> state) : state_(std::move(state)) {}
RowBatch::RowBatch(RowBatch&&) noexcept = default;
RowBatch& RowBatch::operator=(RowBatch&&) noexcept = default;
RowBatch::~RowBatch() = default;

int64_t RowBatch::row_count() const {
    return state_->batch.rows;
}
int32_t RowBatch::column_count() const {
    return static_cast<int32_t>(state_->batch.columns.size());
}

bool RowBatch::is_null(int64_t row, int32_t column) const {
    const arrow::Array& a = state_->batch.columns[static_cast<size_t>(column)];
    return a.type.id == arrow::TypeId::kDictionary ? value(row, column).is_null() : a.is_null(row);
}

Value RowBatch::value(int64_t row, int32_t column) const {
    return arrow::value_at(state_->batch.columns[static_cast<size_t>(column)], row);
}

std::string RowBatch::text(int64_t row, int32_t column) const {
    std::string out;
    arrow::append_text(state_->batch.columns[static_cast<size_t>(column)], row, &out);
    return out;
}

int64_t RowBatch::int64(int64_t row, int32_t column) const {
    const arrow::Array& a = state_->batch.columns[static_cast<size_t>(column)];
    switch (a.type.id) {
        case arrow::TypeId::kInt16:
            return a.values<int16_t>()[row];
        case arrow::TypeId::kInt32:
            return a.values<int32_t>()[row];
        case arrow::TypeId::kInt64:
            return a.values<int64_t>()[row];
        default: {
            Value v = value(row, column);
            CHECK(v.get_if<int64_t>() != nullptr);
            return *v.get_if<int64_t>();
        }
    }
}

double RowBatch::float64(int64_t row, int32_t column) const {
    const arrow::Array& a = state_->batch.columns[static_cast<size_t>(column)];
    if (a.type.id == arrow::TypeId::kFloat64) return a.values<double>()[row];
    CHECK(a.type.id == arrow::TypeId::kFloat32);
    return static_cast<double>(a.values<float>()[row]);
}

void RowBatch::export_to(ArrowArray* out) const {
    arrow::export_batch(state_->batch, out);
}

// --- Rows
// ---------------------------------------------------------------------------------------------

Rows::Rows(std::unique_ptr<State> state) : state_(std::move(state)) {}
Rows::Rows(Rows&&) noexcept = default;
Rows& Rows::operator=(Rows&&) noexcept = default;
Rows::~Rows() = default;

const std::vector<ColumnInfo>& Rows::columns() const {
    return state_->columns;
}
const std::string& Rows::tag() const {
    return state_->tag;
}
uint64_t Rows::affected_rows() const {
    return state_->affected_rows;
}
std::string_view Rows::tier() const {
    return state_->tier;
}

Result<std::optional<RowBatch>> Rows::next() {
    ASSIGN_OR_RETURN(auto batch, next_batch(*state_));
    if (!batch) return std::optional<RowBatch>();
    return std::optional(
        RowBatch(std::make_unique<RowBatch::State>(RowBatch::State{std::move(*batch)})));
}

// --- As an Arrow C stream
// -----------------------------------------------------------------------------

namespace {

struct ExportedStream {
    std::unique_ptr<Rows::State> rows;
    std::string error;
};

int stream_schema(ArrowArrayStream* stream, ArrowSchema* out) {
    auto* self = static_cast<ExportedStream*>(stream->private_data);
    arrow::export_schema(*self->rows->schema, out);
    return 0;
}

int stream_next(ArrowArrayStream* stream, ArrowArray* out) {
    auto* self = static_cast<ExportedStream*>(stream->private_data);
    auto batch = next_batch(*self->rows);
    if (!batch.ok()) {
        self->error = batch.status().to_string();
        constexpr int kIoError = 5;  // EIO, as the interface wants an errno
        return kIoError;
    }
    if (*batch) {
        arrow::export_batch(**batch, out);
    } else {
        *out = {};
    }
    return 0;
}

const char* stream_error(ArrowArrayStream* stream) {
    auto* self = static_cast<ExportedStream*>(stream->private_data);
    return self->error.empty() ? nullptr : self->error.c_str();
}

void stream_release(ArrowArrayStream* stream) {
    delete static_cast<ExportedStream*>(stream->private_data);
    stream->release = nullptr;
}

}  // namespace

void export_stream(std::unique_ptr<Rows::State> rows, ArrowArrayStream* out) {
    out->get_schema = stream_schema;
    out->get_next = stream_next;
    out->get_last_error = stream_error;
    out->release = stream_release;
    out->private_data = new ExportedStream{std::move(rows), {}};
}

void Rows::export_stream(ArrowArrayStream* out) {
    trefoil::export_stream(std::move(state_), out);
}

}  // namespace trefoil
