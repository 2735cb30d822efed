// CustomSource: leaves over a program's table.

#include "access/custom_source.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "access/custom_indexes.h"
#include "access/custom_stream.h"
#include "access/filter.h"
#include "access/stopwatch.h"
#include "arrow/compute.h"
#include "arrow/value.h"

namespace trefoil::access {
namespace {

// Conditions that nothing is known of are taken to keep one row in so many.
constexpr uint64_t kFilterPart = 5;
// Keys that are fetched at once.
constexpr size_t kFetchKeys = 4096;

arrow::SchemaPtr project(const arrow::Schema& schema, const std::vector<uint32_t>& columns) {
    auto out = std::make_shared<arrow::Schema>();
    for (uint32_t c : columns) out->fields.push_back(schema.fields[c]);
    return out;
}

// Which columns are asked for, and what becomes of the rows that come.
struct RowShape {
    RowShape(const CustomTableDef& table, std::vector<uint32_t> projection, FilterProgram program)
        : filter(std::move(program)),
          output(project(*table.schema, projection)),
          wanted(std::move(projection)) {
        columns = wanted;
        columns.insert(columns.end(), filter.columns().begin(), filter.columns().end());
        normalise(table);
    }
    void add_columns(const CustomTableDef& table, const std::vector<uint32_t>& more) {
        columns.insert(columns.end(), more.begin(), more.end());
        normalise(table);
    }
    // Whether the key's columns are all that is wanted.
    bool covered_by(const std::vector<uint32_t>& key) const {
        return std::all_of(columns.begin(), columns.end(), [&](uint32_t c) {
            return std::find(key.begin(), key.end(), c) != key.end();
        });
    }

    // Those rows of a batch of `columns` that pass the filter, as the output wants them.
    arrow::Batch emit(const arrow::Batch& rows) const {
        Selection passed;
        std::vector<uint32_t> offsets;
        arrow::Batch out{output, rows.rows, {}};
        if (!filter.columns().empty() || filter.is_never()) {
            std::vector<const arrow::Array*> arrays;
            for (uint32_t c : filter.columns()) arrays.push_back(&rows.columns[position(c)]);
            filter.select(arrays, rows.rows, &passed);
            if (!passed.all()) passed.offsets(&offsets);
            out.rows = passed.count;
        }
        const bool some = out.rows < rows.rows;
        for (uint32_t c : wanted) {
            const arrow::Array& all = rows.columns[position(c)];
            out.columns.push_back(some ? arrow::take(all, offsets) : all);
        }
        return out;
    }
    size_t position(uint32_t column) const {
        return static_cast<size_t>(std::lower_bound(columns.begin(), columns.end(), column) -
                                   columns.begin());
    }

    FilterProgram filter;
    arrow::SchemaPtr output;
    std::vector<uint32_t> wanted;   // columns of the output
    std::vector<uint32_t> columns;  // of the table that are read, ascending
    arrow::SchemaPtr read;          // of these

private:
    void normalise(const CustomTableDef& table) {
        std::sort(columns.begin(), columns.end());
        columns.erase(std::unique(columns.begin(), columns.end()), columns.end());
        read = project(*table.schema, columns);
    }
};

// Cuts the batch to the rows that are left of a limit, and takes them off.
void count_off(arrow::Batch* batch, uint64_t* left) {
    if (static_cast<uint64_t>(batch->rows) > *left) {
        *batch = batch->slice(0, static_cast<int64_t>(*left));
    }
    *left -= static_cast<uint64_t>(batch->rows);
}

// --- Scan
// ---------------------------------------------------------------------------------------------

class CustomScan final : public Leaf, public std::enable_shared_from_this<CustomScan> {
public:
    CustomScan(CustomTableDefPtr table, RowShape shape, std::vector<plan::Expr> filters,
               std::optional<uint64_t> limit, bool use_indexes, Statistics statistics)
        : table_(std::move(table)),
          shape_(std::move(shape)),
          filters_(std::move(filters)),
          limit_(limit),
          use_indexes_(use_indexes),
          statistics_(std::move(statistics)) {}

    std::string name() const override { return "CustomScan"; }
    std::string explain() const override {
        std::string text = table_->name;
        if (!filters_.empty())
            text += ", filter=[" + plan::to_string(filters_, *table_->schema) + "]";
        if (limit_) text += ", limit=" + std::to_string(*limit_);
        return text;
    }
    std::vector<std::string> rejected() const override {
        if (use_indexes_) return rejected_indexes(CustomIndexes(*table_), filters_, nullptr);
        if (table_->indexes.empty()) return {};
        return {"all indexes: trefoil.use_indexes is off"};
    }
    const arrow::SchemaPtr& schema() const override { return shape_.output; }
    uint32_t partitions() const override { return 1; }
    Result<std::unique_ptr<BatchStream>> open(uint32_t, const CancelFlag* cancel) const override {
        return std::unique_ptr<BatchStream>(new Stream(shared_from_this(), cancel));
    }
    Statistics statistics() const override { return statistics_; }
    bool row_count_is_exact() const override { return false; }
    std::vector<Metric> metrics() const override {
        return {{"rows_scanned", scanned_}, {"rows_out", out_}};
    }

private:
    class Stream final : public BatchStream {
    public:
        Stream(std::shared_ptr<const CustomScan> scan, const CancelFlag* cancel)
            : scan_(std::move(scan)),
              rows_(scan_->shape_.read, describe(*scan_->table_), cancel),
              left_(scan_->limit_.value_or(UINT64_MAX)) {}
        const arrow::SchemaPtr& schema() const override { return scan_->shape_.output; }
        Result<std::optional<arrow::Batch>> next() override {
            const CustomTableDef& table = *scan_->table_;
            if (!opened_) {
                opened_ = true;
                table.counters->scans.fetch_add(1, std::memory_order_relaxed);
                RETURN_IF_ERROR(
                    rows_.open([&] { return table.table->scan(scan_->shape_.columns); }));
            }
            while (left_ > 0) {
                ASSIGN_OR_RETURN(auto batch, rows_.next());
                if (!batch) break;
                const auto rows = static_cast<uint64_t>(batch->rows);
                scan_->scanned_ += rows;
                table.counters->rows_scanned.fetch_add(rows, std::memory_order_relaxed);
                arrow::Batch out = scan_->shape_.emit(*batch);
                if (out.rows == 0) continue;
                count_off(&out, &left_);
                scan_->out_ += static_cast<uint64_t>(out.rows);
                return std::optional(std::move(out));
            }
            return std::optional<arrow::Batch>();
        }

    private:
        std::shared_ptr<const CustomScan> scan_;
        CustomStream rows_;
        uint64_t left_;
        bool opened_ = false;
    };

    CustomTableDefPtr table_;
    RowShape shape_;
    std::vector<plan::Expr> filters_;
    std::optional<uint64_t> limit_;
    bool use_indexes_;
    Statistics statistics_;
    mutable std::atomic<uint64_t> scanned_{0}, out_{0};
};

// --- Lookup
// -------------------------------------------------------------------------------------------

struct LookupMetrics {
    std::atomic<uint64_t> requests{0}, combined{0}, fetched{0}, dropped{0}, out{0};
    std::atomic<uint64_t> find_ns{0}, fetch_ns{0};
    std::vector<std::atomic<uint64_t>> found;  // by index
    explicit LookupMetrics(size_t indexes) : found(indexes) {}
};

class CustomLookup final : public Leaf, public std::enable_shared_from_this<CustomLookup> {
public:
    CustomLookup(CustomTableDefPtr table, RowShape shape, std::vector<plan::Expr> filters,
                 IndexChoice choice, std::optional<uint64_t> limit)
        : table_(std::move(table)),
          indexes_(*table_),
          shape_(std::move(shape)),
          filters_(std::move(filters)),
          choice_(std::move(choice)),
          limit_(limit),
          keys_only_(shape_.covered_by(table_->key)),
          metrics_(table_->indexes.size()) {
        // What is fetched is held against the key.
        if (!keys_only_) shape_.add_columns(*table_, table_->key);
    }

    std::string name() const override {
        return choice_.plan.kind == IndexPlan::Kind::kScan ? "IndexScan" : "RecordFetch";
    }
    std::string explain() const override {
        static constexpr std::array kKinds = {" (ordered): ", " (hash): ", ": "};
        const IndexPlan& plan = choice_.plan;
        std::string text = "indexes=[" + to_string(plan, indexes_) + "], ";
        if (plan.kind == IndexPlan::Kind::kScan) {
            const CustomIndexDef& index = table_->indexes[plan.index];
            text = index.name + kKinds[static_cast<size_t>(index.kind)];
        }
        text += plan::to_string(choice_.used, *table_->schema);
        if (!choice_.residual.empty()) {
            text += ", filter=[" + plan::to_string(choice_.residual, *table_->schema) + "]";
        }
        if (limit_) text += ", limit=" + std::to_string(*limit_);
        return keys_only_ ? text + ", keys only" : text;
    }
    std::vector<std::string> rejected() const override {
        return rejected_indexes(indexes_, filters_, &choice_.plan);
    }
    const arrow::SchemaPtr& schema() const override { return shape_.output; }
    uint32_t partitions() const override { return 1; }
    Result<std::unique_ptr<BatchStream>> open(uint32_t, const CancelFlag* cancel) const override;
    Statistics statistics() const override {
        Statistics s;
        s.row_count = static_cast<uint64_t>(std::llround(choice_.plan.rows));
        if (limit_) s.row_count = std::min(*s.row_count, *limit_);
        return s;
    }
    bool row_count_is_exact() const override { return false; }
    std::vector<Metric> metrics() const override {
        std::vector<Metric> all = {{"requests", metrics_.requests}};
        for (size_t i = 0; i < metrics_.found.size(); i++) {
            if (uses(choice_.plan, i)) {
                all.emplace_back(table_->indexes[i].name + "_keys", metrics_.found[i]);
            }
        }
        all.insert(all.end(), {{"keys_combined", metrics_.combined},
                               {"rows_fetched", metrics_.fetched},
                               {"rows_dropped", metrics_.dropped},
                               {"rows_out", metrics_.out},
                               {"find_time_ns", metrics_.find_ns},
                               {"fetch_time_ns", metrics_.fetch_ns}});
        return all;
    }

private:
    friend class CustomLookupStream;

    CustomTableDefPtr table_;
    CustomIndexes indexes_;
    RowShape shape_;
    std::vector<plan::Expr> filters_;
    IndexChoice choice_;
    std::optional<uint64_t> limit_;
    bool keys_only_;
    mutable LookupMetrics metrics_;
};

class CustomLookupStream final : public BatchStream {
public:
    CustomLookupStream(std::shared_ptr<const CustomLookup> lookup, const CancelFlag* cancel)
        : lookup_(std::move(lookup)),
          cancel_(cancel),
          left_(lookup_->limit_.value_or(UINT64_MAX)) {}
    const arrow::SchemaPtr& schema() const override { return lookup_->shape_.output; }
    Result<std::optional<arrow::Batch>> next() override;

private:
    Status search();
    Result<std::optional<arrow::Batch>> next_rows();
    Status start_fetch();
    Status check(const arrow::Batch& rows);
    Status check_complete() const;
    std::string key_text(size_t entry) const;

    std::shared_ptr<const CustomLookup> lookup_;
    const CancelFlag* cancel_;
    uint64_t left_;
    bool searched_ = false;
    FoundKeys found_;
    // Keys [begin_, end_) are being fetched; `came_` says which rows are there.
    size_t begin_ = 0, end_ = 0;
    size_t expected_ = 0;
    std::vector<bool> came_;
    KeyBatch::State asked_;
    std::optional<KeyBatch> asked_keys_;
    std::optional<CustomStream> rows_;
};

Result<std::unique_ptr<BatchStream>> CustomLookup::open(uint32_t, const CancelFlag* cancel) const {
    return std::unique_ptr<BatchStream>(new CustomLookupStream(shared_from_this(), cancel));
}

Status CustomLookupStream::search() {
    const Stopwatch watch(lookup_->metrics_.find_ns);
    CustomScanCounts counts;
    ASSIGN_OR_RETURN(found_, lookup_->indexes_.find_keys(lookup_->choice_.plan, cancel_, &counts));
    LookupMetrics& m = lookup_->metrics_;
    m.requests += counts.requests;
    m.combined += found_.entries.size();
    for (size_t i = 0; i < counts.found.size(); i++) m.found[i] += counts.found[i];
    lookup_->table_->counters->index_scans.fetch_add(counts.requests, std::memory_order_relaxed);
    return {};
}

std::string CustomLookupStream::key_text(size_t entry) const {
    const CustomTableDef& table = *lookup_->table_;
    const arrow::Batch key = found_.columns(table.key_schema, entry, entry + 1);
    std::string names, values;
    for (size_t c = 0; c < key.columns.size(); c++) {
        names += (c ? ", " : "") + table.key_schema->fields[c].name;
        values += (c ? ", " : "") + arrow::value_at(key.columns[c], 0).to_string();
    }
    return "(" + names + ")=(" + values + ")";
}

// Holds fetched rows against the keys that were asked for.
Status CustomLookupStream::check(const arrow::Batch& rows) {
    const CustomTableDef& table = *lookup_->table_;
    std::vector<const arrow::Array*> columns;
    for (uint32_t c : table.key) columns.push_back(&rows.columns[lookup_->shape_.position(c)]);
    index::Key key;
    for (int64_t row = 0; row < rows.rows; row++) {
        table.keys->encode(columns, row, &key);
        size_t at = expected_;
        if (at >= end_ || found_.entries[at].key != key) {
            auto first = found_.entries.begin() + static_cast<ptrdiff_t>(begin_);
            auto last = found_.entries.begin() + static_cast<ptrdiff_t>(end_);
            auto it = std::lower_bound(first, last, key,
                                       [](const auto& e, const auto& k) { return e.key < k; });
            at = it == last || it->key != key ? end_
                                              : static_cast<size_t>(it - found_.entries.begin());
        }
        if (at == end_) {
            return Status(Code::kInvalidInput, "38000",
                          describe(table) + " answered a row whose key was not asked for");
        }
        if (came_[at - begin_]) {
            return Status(Code::kInvalidInput, "38000",
                          describe(table) + " answered two rows with one key")
                .with_detail("Key " + key_text(at) + ".");
        }
        came_[at - begin_] = true;
        expected_ = at + 1;
    }
    return {};
}

Status CustomLookupStream::check_complete() const {
    auto missing = std::find(came_.begin(), came_.end(), false);
    if (missing == came_.end()) return {};
    const auto entry = begin_ + static_cast<size_t>(missing - came_.begin());
    const IndexPlan& plan = lookup_->choice_.plan;
    return Status(Code::kInvalidInput, "XX002",
                  describe(*lookup_->table_) + " has no row with key " + key_text(entry) +
                      ", which was found by " +
                      (plan.kind == IndexPlan::Kind::kScan ? "index " : "indexes ") +
                      to_string(plan, lookup_->indexes_));
}

Status CustomLookupStream::start_fetch() {
    const CustomTableDef& table = *lookup_->table_;
    size_t count = kFetchKeys;
    if (lookup_->choice_.residual.empty() && left_ < count) count = static_cast<size_t>(left_);
    begin_ = expected_ = end_;
    end_ = std::min(found_.entries.size(), begin_ + count);
    came_.assign(end_ - begin_, false);
    asked_.keys = found_.columns(table.key_schema, begin_, end_);
    asked_keys_.emplace(asked_);
    rows_.emplace(lookup_->shape_.read, describe(table), cancel_);
    return rows_->open([&] { return table.table->fetch(*asked_keys_, lookup_->shape_.columns); });
}

// The next rows by key, in any order; nullopt at the end.
Result<std::optional<arrow::Batch>> CustomLookupStream::next_rows() {
    if (lookup_->keys_only_) {
        if (end_ == found_.entries.size()) return std::optional<arrow::Batch>();
        begin_ = end_;
        end_ = std::min(found_.entries.size(), begin_ + kFetchKeys);
        const CustomTableDef& table = *lookup_->table_;
        arrow::Batch keys = found_.columns(table.key_schema, begin_, end_);
        arrow::Batch rows{lookup_->shape_.read, keys.rows, {}};
        for (uint32_t c : lookup_->shape_.columns) {
            auto at = std::find(table.key.begin(), table.key.end(), c) - table.key.begin();
            rows.columns.push_back(keys.columns[static_cast<size_t>(at)]);
        }
        return std::optional(std::move(rows));
    }
    for (;;) {
        if (!rows_) {
            if (end_ == found_.entries.size()) return std::optional<arrow::Batch>();
            RETURN_IF_ERROR(start_fetch());
        }
        ASSIGN_OR_RETURN(auto batch, rows_->next());
        if (batch) {
            RETURN_IF_ERROR(check(*batch));
            const auto rows = static_cast<uint64_t>(batch->rows);
            lookup_->metrics_.fetched += rows;
            lookup_->table_->counters->rows_fetched.fetch_add(rows, std::memory_order_relaxed);
            return batch;
        }
        RETURN_IF_ERROR(check_complete());
        rows_.reset();
    }
}

Result<std::optional<arrow::Batch>> CustomLookupStream::next() {
    if (!searched_) {
        searched_ = true;
        RETURN_IF_ERROR(search());
    }
    const Stopwatch watch(lookup_->metrics_.fetch_ns);
    while (left_ > 0) {
        ASSIGN_OR_RETURN(auto batch, next_rows());
        if (!batch) break;
        arrow::Batch out = lookup_->shape_.emit(*batch);
        lookup_->metrics_.dropped += static_cast<uint64_t>(batch->rows - out.rows);
        if (out.rows == 0) continue;
        count_off(&out, &left_);
        lookup_->metrics_.out += static_cast<uint64_t>(out.rows);
        return std::optional(std::move(out));
    }
    return std::optional<arrow::Batch>();
}

// --- Source
// -------------------------------------------------------------------------------------------

class CustomSource final : public TableSource {
public:
    CustomSource(CustomTableDefPtr table, bool use_indexes)
        : table_(std::move(table)), use_indexes_(use_indexes) {}

    const arrow::SchemaPtr& schema() const override { return table_->schema; }
    Statistics statistics() const override {
        Statistics s;
        std::optional<double> rows;
        // What it does wrong here it will do again in the scan, which can say so.
        const Status asked = guarded(describe(*table_), [&]() -> Status {
            rows = table_->table->row_count();
            return {};
        });
        if (asked.ok() && rows && *rows >= 0 && *rows < 1e18) {
            s.row_count = static_cast<uint64_t>(*rows);
        }
        return s;
    }
    FilterSupport supports(const plan::Expr& filter) const override {
        return access::supports(filter, *table_->schema);
    }
    std::vector<uint32_t> primary_key() const override { return table_->key; }
    std::optional<std::string> column_default(uint32_t) const override { return std::nullopt; }

    Result<std::shared_ptr<Leaf>> scan(const ScanRequest& request) const override {
        std::vector<plan::Expr> filters;
        for (const plan::Expr& f : request.filters) plan::flatten_and(f, &filters);
        if (use_indexes_) {
            const CustomIndexes indexes(*table_);
            auto choice = choose_indexes(indexes, filters);
            RETURN_IF_ERROR(indexes.status());
            if (choice) {
                ASSIGN_OR_RETURN(auto residual,
                                 FilterProgram::compile(choice->residual, *table_->schema));
                RowShape shape(*table_, request.projection, std::move(residual));
                return std::shared_ptr<Leaf>(
                    std::make_shared<CustomLookup>(table_, std::move(shape), std::move(filters),
                                                   std::move(*choice), request.limit));
            }
        }
        ASSIGN_OR_RETURN(auto filter, FilterProgram::compile(filters, *table_->schema));
        RowShape shape(*table_, request.projection, std::move(filter));
        Statistics s = statistics();
        if (s.row_count && !filters.empty()) *s.row_count = (*s.row_count + 4) / kFilterPart;
        if (s.row_count && request.limit) s.row_count = std::min(*s.row_count, *request.limit);
        return std::shared_ptr<Leaf>(std::make_shared<CustomScan>(table_, std::move(shape),
                                                                  std::move(filters), request.limit,
                                                                  use_indexes_, std::move(s)));
    }

private:
    CustomTableDefPtr table_;
    bool use_indexes_;
};

}  // namespace

std::shared_ptr<TableSource> make_custom_source(CustomTableDefPtr table, bool use_indexes) {
    return std::make_shared<CustomSource>(std::move(table), use_indexes);
}

}  // namespace trefoil::access
