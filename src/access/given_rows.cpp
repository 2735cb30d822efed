// GivenRows: sources over batches, and over a stream.

#include "access/given_rows.h"

#include <functional>

#include "base/check.h"

namespace trefoil::access {
namespace {

using Open = std::function<Result<std::unique_ptr<BatchStream>>()>;

// The columns of `schema` at these places.
arrow::SchemaPtr project(const arrow::Schema& schema, const std::vector<uint32_t>& columns) {
    auto projected = std::make_shared<arrow::Schema>();
    for (uint32_t c : columns) projected->fields.push_back(schema.fields[c]);
    return projected;
}

class ProjectedStream final : public BatchStream {
public:
    ProjectedStream(std::unique_ptr<BatchStream> input, arrow::SchemaPtr schema,
                    std::vector<uint32_t> columns)
        : input_(std::move(input)), schema_(std::move(schema)), columns_(std::move(columns)) {}
    const arrow::SchemaPtr& schema() const override { return schema_; }
    Result<std::optional<arrow::Batch>> next() override {
        ASSIGN_OR_RETURN(auto batch, input_->next());
        if (!batch) return batch;
        arrow::Batch out{schema_, batch->rows, {}};
        for (uint32_t c : columns_) out.columns.push_back(batch->columns[c]);
        return std::optional(std::move(out));
    }

private:
    std::unique_ptr<BatchStream> input_;
    arrow::SchemaPtr schema_;
    std::vector<uint32_t> columns_;
};

class GivenLeaf final : public Leaf {
public:
    GivenLeaf(std::string name, arrow::SchemaPtr schema, std::vector<uint32_t> columns, Open open)
        : name_(std::move(name)),
          schema_(std::move(schema)),
          columns_(std::move(columns)),
          open_(std::move(open)) {}
    std::string name() const override { return "GivenRows"; }
    std::string explain() const override { return name_; }
    const arrow::SchemaPtr& schema() const override { return schema_; }
    uint32_t partitions() const override { return 1; }
    Result<std::unique_ptr<BatchStream>> open(uint32_t, const CancelFlag*) const override {
        ASSIGN_OR_RETURN(auto input, open_());
        return std::unique_ptr<BatchStream>(
            new ProjectedStream(std::move(input), schema_, columns_));
    }
    Statistics statistics() const override { return {}; }
    bool row_count_is_exact() const override { return false; }
    std::vector<Metric> metrics() const override { return {}; }

private:
    std::string name_;
    arrow::SchemaPtr schema_;
    std::vector<uint32_t> columns_;
    Open open_;
};

class GivenSource final : public TableSource {
public:
    GivenSource(std::string name, arrow::SchemaPtr schema, Open open)
        : name_(std::move(name)), schema_(std::move(schema)), open_(std::move(open)) {}
    const arrow::SchemaPtr& schema() const override { return schema_; }
    Statistics statistics() const override { return {}; }
    FilterSupport supports(const plan::Expr&) const override { return FilterSupport::kNone; }
    std::vector<uint32_t> primary_key() const override { return {}; }
    std::optional<std::string> column_default(uint32_t) const override { return std::nullopt; }
    Result<std::shared_ptr<Leaf>> scan(const ScanRequest& request) const override {
        return std::shared_ptr<Leaf>(std::make_shared<GivenLeaf>(
            name_, project(*schema_, request.projection), request.projection, open_));
    }

private:
    std::string name_;
    arrow::SchemaPtr schema_;
    Open open_;
};

class ListStream final : public BatchStream {
public:
    ListStream(arrow::SchemaPtr schema, std::shared_ptr<const std::vector<arrow::Batch>> batches)
        : schema_(std::move(schema)), batches_(std::move(batches)) {}
    const arrow::SchemaPtr& schema() const override { return schema_; }
    Result<std::optional<arrow::Batch>> next() override {
        if (next_ == batches_->size()) return std::optional<arrow::Batch>();
        return std::optional((*batches_)[next_++]);
    }

private:
    arrow::SchemaPtr schema_;
    std::shared_ptr<const std::vector<arrow::Batch>> batches_;
    size_t next_ = 0;
};

class BorrowedStream final : public BatchStream {
public:
    explicit BorrowedStream(BatchStream& stream) : stream_(stream) {}
    const arrow::SchemaPtr& schema() const override { return stream_.schema(); }
    Result<std::optional<arrow::Batch>> next() override { return stream_.next(); }

private:
    BatchStream& stream_;
};

// A name as EXPLAIN may print it.
std::string printable(const std::string& name) {
    return name[0] == '\1' ? name.substr(1) : name;
}

}  // namespace

void GivenRows::set(std::string name, arrow::SchemaPtr schema, std::vector<arrow::Batch> batches) {
    auto held = std::make_shared<const std::vector<arrow::Batch>>(std::move(batches));
    Open open = [schema, held]() -> Result<std::unique_ptr<BatchStream>> {
        return std::unique_ptr<BatchStream>(new ListStream(schema, held));
    };
    auto source =
        std::make_shared<GivenSource>(printable(name), std::move(schema), std::move(open));
    given_[std::move(name)] = std::move(source);
}

void GivenRows::set(std::string name, BatchStream& stream) {
    Open open = [&stream]() -> Result<std::unique_ptr<BatchStream>> {
        return std::unique_ptr<BatchStream>(new BorrowedStream(stream));
    };
    auto source = std::make_shared<GivenSource>(printable(name), stream.schema(), std::move(open));
    given_[std::move(name)] = std::move(source);
}

Result<std::shared_ptr<TableSource>> GivenRows::find(std::string_view name, bool row_ids) const {
    auto it = given_.find(name);
    if (it != given_.end()) return it->second;
    return base_.find(name, row_ids);
}

}  // namespace trefoil::access
