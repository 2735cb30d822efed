// Tables in memory for the tests of this room: a SourceCatalog over rows that a test writes down,
// with switches for everything that can go wrong in a scan.

#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "access/filter.h"
#include "access/source.h"
#include "arrow/compute.h"
#include "arrow/value.h"
#include "engine/engine.h"

namespace trefoil::engine {

struct TestTable {
    arrow::SchemaPtr schema;
    std::vector<arrow::Batch> batches;
    std::vector<uint32_t> primary_key;
    std::vector<std::optional<std::string>> defaults;
    bool understands_filters = true;
    bool understands_limits = true;
    uint32_t partitions = 1;  // batches are dealt out to them in turn
    // Called before each batch; what it answers or throws comes out of next().
    std::function<Status()> before_batch;
    std::function<void()> on_scan, on_explain;

    // What was asked and given, over all scans.
    mutable std::atomic<uint64_t> scans{0}, rows_given{0}, leaves_alive{0};
    mutable std::mutex mutex;
    mutable std::vector<access::ScanRequest> requests;

    int64_t rows() const {
        int64_t n = 0;
        for (const arrow::Batch& b : batches) n += b.rows;
        return n;
    }
};

class TestStream final : public access::BatchStream {
public:
    TestStream(const TestTable& table, const access::ScanRequest& request, arrow::SchemaPtr schema,
               bool row_ids, uint32_t partition, uint32_t partitions,
               const access::CancelFlag* cancel)
        : table_(table),
          request_(request),
          schema_(std::move(schema)),
          row_ids_(row_ids),
          next_(partition),
          step_(partitions),
          cancel_(cancel) {}

    const arrow::SchemaPtr& schema() const override { return schema_; }

    Result<std::optional<arrow::Batch>> next() override {
        while (next_ < table_.batches.size()) {
            if (table_.before_batch) {
                if (Status s = table_.before_batch(); !s.ok()) return s;
            }
            if (cancel_->load()) {
                return Status(Code::kInvalidInput, "57014", "the statement was cancelled");
            }
            Result<arrow::Batch> batch = read(next_);
            if (!batch.ok()) return batch.status();
            next_ += step_;
            if (request_.limit) {
                const auto left = static_cast<int64_t>(*request_.limit - given_);
                if (batch->rows > left) *batch = batch->slice(0, left);
            }
            if (batch->rows == 0) continue;
            given_ += static_cast<uint64_t>(batch->rows);
            table_.rows_given += static_cast<uint64_t>(batch->rows);
            return std::optional(std::move(batch).value());
        }
        return std::optional<arrow::Batch>();
    }

private:
    Result<arrow::Batch> read(size_t index) const {
        const arrow::Batch& all = table_.batches[index];
        Result<access::FilterProgram> filter =
            access::FilterProgram::compile(request_.filters, *table_.schema);
        if (!filter.ok()) return filter.status();
        access::Selection selection;
        filter->select(all, &selection);
        std::vector<uint32_t> rows;
        selection.offsets(&rows);
        arrow::Batch out{schema_, selection.count, {}};
        for (uint32_t c : request_.projection) {
            const bool is_row_id = row_ids_ && c == table_.schema->fields.size();
            arrow::Array column = is_row_id ? row_ids(index) : all.columns[c];
            out.columns.push_back(selection.all() ? column : arrow::take(column, rows));
        }
        return out;
    }

    // Rows are numbered through the batches.
    arrow::Array row_ids(size_t index) const {
        std::vector<Value> ids;
        int64_t first = 0;
        for (size_t i = 0; i < index; i++) first += table_.batches[i].rows;
        for (int64_t i = 0; i < table_.batches[index].rows; i++) ids.push_back(first + i);
        return arrow::array_of(arrow::uint64(), ids).value();
    }

    const TestTable& table_;
    access::ScanRequest request_;
    arrow::SchemaPtr schema_;
    bool row_ids_;
    size_t next_, step_;
    const access::CancelFlag* cancel_;
    uint64_t given_ = 0;
};

class TestLeaf final : public access::Leaf {
public:
    TestLeaf(const std::string& name, const TestTable& table, const access::ScanRequest& request,
             bool row_ids)
        : name_(name), table_(table), request_(request), row_ids_(row_ids) {
        auto schema = std::make_shared<arrow::Schema>();
        for (uint32_t c : request.projection) {
            const bool is_row_id = row_ids && c == table.schema->fields.size();
            schema->fields.push_back(
                is_row_id ? arrow::Field{std::string(access::kRowIdColumn), arrow::uint64(), false}
                          : table.schema->fields[c]);
        }
        schema_ = std::move(schema);
        table_.leaves_alive++;
    }
    ~TestLeaf() override { table_.leaves_alive--; }

    std::string name() const override { return "TestScan"; }
    std::string explain() const override {
        if (table_.on_explain) table_.on_explain();
        std::string text = name_;
        for (const plan::Expr& f : request_.filters) text += ", " + to_string(f, *table_.schema);
        if (request_.limit) text += ", limit " + std::to_string(*request_.limit);
        return text;
    }
    const arrow::SchemaPtr& schema() const override { return schema_; }
    uint32_t partitions() const override { return table_.partitions; }
    Result<std::unique_ptr<access::BatchStream>> open(
        uint32_t partition, const access::CancelFlag* cancel) const override {
        return std::unique_ptr<access::BatchStream>(std::make_unique<TestStream>(
            table_, request_, schema_, row_ids_, partition, table_.partitions, cancel));
    }
    access::Statistics statistics() const override {
        access::Statistics s;
        s.row_count = static_cast<uint64_t>(table_.rows());
        if (request_.limit) s.row_count = std::min(*s.row_count, *request_.limit);
        return s;
    }
    bool row_count_is_exact() const override { return request_.filters.empty(); }
    std::vector<access::Metric> metrics() const override {
        return {{"rows_given", table_.rows_given.load()}};
    }

private:
    const std::string name_;
    const TestTable& table_;
    const access::ScanRequest request_;
    const bool row_ids_;
    arrow::SchemaPtr schema_;
};

class TestSource final : public access::TableSource {
public:
    TestSource(std::string name, const TestTable& table, bool row_ids)
        : name_(std::move(name)), table_(table), row_ids_(row_ids), schema_(table.schema) {
        if (!row_ids) return;
        auto schema = std::make_shared<arrow::Schema>(*table.schema);
        schema->fields.push_back({std::string(access::kRowIdColumn), arrow::uint64(), false});
        schema_ = std::move(schema);
    }
    const TestTable& table() const { return table_; }
    const arrow::SchemaPtr& schema() const override { return schema_; }
    access::Statistics statistics() const override {
        access::Statistics s;
        s.row_count = static_cast<uint64_t>(table_.rows());
        return s;
    }
    access::FilterSupport supports(const plan::Expr& filter) const override {
        if (!table_.understands_filters) return access::FilterSupport::kNone;
        return access::supports(filter, *table_.schema);
    }
    std::vector<uint32_t> primary_key() const override { return table_.primary_key; }
    std::optional<std::string> column_default(uint32_t column) const override {
        return column < table_.defaults.size() ? table_.defaults[column] : std::nullopt;
    }
    Result<std::shared_ptr<access::Leaf>> scan(const access::ScanRequest& request) const override {
        if (table_.on_scan) table_.on_scan();
        table_.scans++;
        {
            std::lock_guard lock(table_.mutex);
            table_.requests.push_back(request);
        }
        return std::shared_ptr<access::Leaf>(
            std::make_shared<TestLeaf>(name_, table_, request, row_ids_));
    }

private:
    const std::string name_;
    const TestTable& table_;
    const bool row_ids_;
    arrow::SchemaPtr schema_;
};

class TestCatalog final : public access::SourceCatalog {
public:
    Result<std::shared_ptr<access::TableSource>> find(std::string_view name,
                                                      bool row_ids) const override {
        auto at = tables_.find(name);
        if (at == tables_.end()) return std::shared_ptr<access::TableSource>();
        return std::shared_ptr<access::TableSource>(
            std::make_shared<TestSource>(at->first, *at->second, row_ids));
    }
    std::vector<std::string> table_names() const override {
        std::vector<std::string> names;
        for (const auto& [name, table] : tables_) names.push_back(name);
        return names;
    }

    // A table of these columns and rows, `batch_rows` to a batch.
    TestTable& add(const std::string& name, std::vector<arrow::Field> fields,
                   const std::vector<std::vector<Value>>& rows, size_t batch_rows = 1000) {
        auto table = std::make_unique<TestTable>();
        table->schema = std::make_shared<arrow::Schema>(arrow::Schema{std::move(fields)});
        for (size_t first = 0; first < rows.size(); first += batch_rows) {
            const size_t count = std::min(batch_rows, rows.size() - first);
            arrow::Batch batch{table->schema, static_cast<int64_t>(count), {}};
            for (size_t c = 0; c < table->schema->fields.size(); c++) {
                std::vector<Value> values;
                for (size_t r = first; r < first + count; r++) values.push_back(rows[r][c]);
                batch.columns.push_back(
                    arrow::array_of(table->schema->fields[c].type, values).value());
            }
            table->batches.push_back(std::move(batch));
        }
        return *(tables_[name] = std::move(table));
    }

private:
    std::map<std::string, std::unique_ptr<TestTable>, std::less<>> tables_;
};

// --- Asking
// ----------------------------------------------------------------------------------------

inline Result<std::vector<std::string>> text_rows(access::BatchStream& stream) {
    std::vector<std::string> lines;
    for (;;) {
        Result<std::optional<arrow::Batch>> batch = stream.next();
        if (!batch.ok()) return batch.status();
        if (!batch->has_value()) return lines;
        if ((*batch)->rows == 0) return Status::invalid("a batch without rows");
        for (int64_t r = 0; r < (*batch)->rows; r++) {
            std::string line;
            for (const arrow::Array& column : (*batch)->columns) {
                if (!line.empty()) line += "|";
                if (column.is_null(r)) line += "NULL";
                arrow::append_text(column, r, &line);
            }
            lines.push_back(std::move(line));
        }
    }
}

// Parses, plans and runs `sql`: a line per row, fields parted by |.
inline Result<std::vector<std::string>> ask(EngineSession& session,
                                            const access::SourceCatalog& catalog,
                                            std::string_view sql,
                                            std::vector<Value> parameters = {},
                                            const access::CancelFlag* cancel = nullptr) {
    Result<Statement> statement = session.parse(sql);
    if (!statement.ok()) return statement.status();
    Result<QueryPlan> plan = session.plan(*statement, catalog);
    if (!plan.ok()) return plan.status();
    if (statement->explain) {
        return session.explain(*plan, *statement->explain, parameters, catalog, cancel);
    }
    Result<std::unique_ptr<access::BatchStream>> stream =
        session.run(*plan, parameters, catalog, cancel);
    if (!stream.ok()) return stream.status();
    return text_rows(**stream);
}

}  // namespace trefoil::engine
