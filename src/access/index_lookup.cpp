// Rows found through indexes: the leaf and its stream.

#include "access/index_lookup.h"

#include <algorithm>
#include <cmath>
#include <mutex>

#include "access/row_reader.h"
#include "access/stopwatch.h"
#include "base/check.h"

namespace trefoil::access {
namespace {

constexpr uint32_t kBatchRows = 8192;
// Spans from here on go out as slices of their own; shorter ones are picked together.
constexpr uint32_t kLongSpan = 1024;
// A partition of fewer rows costs more than it gains.
constexpr double kPartitionRows = 20'000;

Status cancelled() {
    return {Code::kInvalidInput, "57014", "the statement was cancelled"};
}

struct LookupMetrics {
    std::atomic<uint64_t> keys{0}, searches{0}, model_searches{0}, last_mile_steps{0};
    std::atomic<uint64_t> rows_combined{0}, rows_fetched{0}, rows_dropped{0}, rows_out{0};
    std::atomic<uint64_t> find_ns{0}, fetch_ns{0};
    std::vector<std::atomic<uint64_t>> found;  // by index
    explicit LookupMetrics(size_t indexes) : found(indexes) {}
};

// What was found, shared by all streams: spans in the order in which the rows lie.
struct FoundRows {
    std::vector<table::RowSpan> spans;
    uint64_t count = 0;  // of rows
};

class IndexLookup final : public Leaf, public std::enable_shared_from_this<IndexLookup> {
public:
    IndexLookup(IndexLookupSpec spec, FilterProgram residual)
        : spec_(std::move(spec)),
          reader_(*spec_.table, spec_.projection, spec_.output, std::move(residual)),
          metrics_(spec_.table->index_count()) {
        const double rows = counts_only() ? 0 : static_cast<double>(*statistics().row_count);
        partitions_ = partitions_of(rows, kPartitionRows, spec_.partitions_max);
    }

    std::string name() const override {
        const IndexPlan& plan = spec_.choice.plan;
        if (plan.kind != IndexPlan::Kind::kScan) return "RecordFetch";
        if (StoredIndexes(*spec_.table).is_lookup(plan)) return "PointLookup";
        return index_def().is_primary ? "RangeLookup" : "IndexScan";
    }
    std::string explain() const override {
        const arrow::Schema& schema = *spec_.table->def().schema();
        const IndexPlan& plan = spec_.choice.plan;
        std::string text = plan.kind == IndexPlan::Kind::kScan
                               ? index_def().name + " (" + index_kind() + "): "
                               : "indexes=[" + to_string(plan, StoredIndexes(*spec_.table)) + "], ";
        text += plan::to_string(spec_.choice.used, schema);
        if (!spec_.choice.residual.empty()) {
            text += ", filter=[" + plan::to_string(spec_.choice.residual, schema) + "]";
        }
        if (spec_.limit) text += ", limit=" + std::to_string(*spec_.limit);
        return text;
    }
    std::vector<std::string> rejected() const override {
        return rejected_indexes(StoredIndexes(*spec_.table), spec_.filters, &spec_.choice.plan);
    }
    const arrow::SchemaPtr& schema() const override { return spec_.output; }
    uint32_t partitions() const override { return partitions_; }
    Result<std::unique_ptr<BatchStream>> open(uint32_t partition,
                                              const CancelFlag* cancel) const override;

    Statistics statistics() const override {
        Statistics s;
        s.row_count = std::min(static_cast<uint64_t>(std::llround(spec_.choice.plan.rows)),
                               spec_.table->live_rows());
        if (spec_.limit) s.row_count = std::min(*s.row_count, *spec_.limit);
        return s;
    }
    bool row_count_is_exact() const override { return false; }

    std::vector<Metric> metrics() const override {
        std::vector<Metric> all = {{"keys", metrics_.keys},
                                   {"runs_searched", metrics_.searches},
                                   {"model_searches", metrics_.model_searches},
                                   {"last_mile_steps", metrics_.last_mile_steps}};
        const IndexPlan& plan = spec_.choice.plan;
        for (size_t i = 0; i < metrics_.found.size(); i++) {
            if (!uses(plan, i)) continue;
            all.emplace_back(spec_.table->index_def(i).name + "_rows", metrics_.found[i]);
        }
        if (plan.kind != IndexPlan::Kind::kScan) {
            all.emplace_back("rows_combined", metrics_.rows_combined);
        }
        all.insert(all.end(), {{"rows_fetched", metrics_.rows_fetched},
                               {"rows_dropped", metrics_.rows_dropped},
                               {"rows_out", metrics_.rows_out},
                               {"find_time_ns", metrics_.find_ns},
                               {"fetch_time_ns", metrics_.fetch_ns}});
        return all;
    }

    const IndexLookupSpec& spec() const { return spec_; }
    const RowReader& reader() const { return reader_; }
    LookupMetrics& counts() const { return metrics_; }
    // Nothing is wanted but how many rows there are.
    bool counts_only() const { return spec_.projection.empty() && spec_.choice.residual.empty(); }
    // Found once, by the first stream.
    Result<const FoundRows*> found(const CancelFlag* cancel) const {
        std::call_once(finding_, [&] { finding_status_ = find(cancel); });
        RETURN_IF_ERROR(finding_status_);
        return &found_;
    }

private:
    Status find(const CancelFlag* cancel) const;
    // REQUIRES: a plan of one scan.
    const catalog::IndexDef& index_def() const {
        return spec_.table->index_def(spec_.choice.plan.index);
    }
    // "learned", or why a large run has no model: "none, prefixes collide"; or "hash".
    std::string index_kind() const {
        if (index_def().is_hash) return "hash";
        for (const table::RunPart& r : spec_.table->runs(spec_.choice.plan.index)) {
            if (r.run->model_text().starts_with("none")) return r.run->model_text();
        }
        return "learned";
    }

    IndexLookupSpec spec_;
    RowReader reader_;
    uint32_t partitions_ = 1;
    mutable std::once_flag finding_;
    mutable Status finding_status_;
    mutable FoundRows found_;
    mutable LookupMetrics metrics_;
};

Status IndexLookup::find(const CancelFlag* cancel) const {
    const IndexPlan& plan = spec_.choice.plan;
    const StoredIndexes indexes(*spec_.table);
    const Stopwatch watch(metrics_.find_ns);
    IndexScanCounts counts;
    ASSIGN_OR_RETURN(found_.spans, indexes.find_rows(plan, cancel, &counts));
    for (const table::RowSpan& span : found_.spans) found_.count += span.size();
    metrics_.keys += counts.keys;
    metrics_.searches += counts.searches.searches;
    metrics_.model_searches += counts.searches.model_searches;
    metrics_.last_mile_steps += counts.searches.last_mile_steps;
    for (size_t i = 0; i < counts.found.size(); i++) metrics_.found[i] += counts.found[i];
    metrics_.rows_combined += found_.count;
    TableCounters& all = *spec_.counters;
    const bool primary =
        plan.kind == IndexPlan::Kind::kScan && spec_.table->index_def(plan.index).is_primary;
    auto& kind = indexes.is_lookup(plan) ? all.point_lookups
                 : primary               ? all.range_lookups
                                         : all.index_scans;
    kind.fetch_add(counts.keys, std::memory_order_relaxed);
    all.add(counts.searches);
    return {};
}

// One of `partitions()` equal shares of the rows.
class IndexLookupStream final : public BatchStream {
public:
    IndexLookupStream(std::shared_ptr<const IndexLookup> lookup, uint32_t partition,
                      const CancelFlag* cancel)
        : lookup_(std::move(lookup)),
          partition_(partition),
          cancel_(cancel),
          wanted_(lookup_->spec().limit.value_or(UINT64_MAX)) {}
    const arrow::SchemaPtr& schema() const override { return lookup_->schema(); }
    Result<std::optional<arrow::Batch>> next() override;

private:
    Status begin();
    // What is left of the span at which we are, as far as it is ours.
    table::RowSpan current() const;
    void advance(uint64_t rows);
    Result<arrow::Batch> read_span(table::RowSpan span, bool* empty);
    Result<arrow::Batch> read_rows(bool* empty);
    arrow::Batch count_rows();
    void count(uint64_t fetched, uint64_t passed);

    std::shared_ptr<const IndexLookup> lookup_;
    const uint32_t partition_;
    const CancelFlag* cancel_;
    const FoundRows* found_ = nullptr;  // null before the first next()
    size_t span_ = 0;                   // at which we are
    uint32_t done_ = 0;                 // rows of it that others have or that went out
    uint64_t left_ = 0;                 // rows of our share that are still to be read
    uint64_t wanted_;                   // rows that may still go out
};

Result<std::unique_ptr<BatchStream>> IndexLookup::open(uint32_t partition,
                                                       const CancelFlag* cancel) const {
    return std::unique_ptr<BatchStream>(
        new IndexLookupStream(shared_from_this(), partition, cancel));
}

Status IndexLookupStream::begin() {
    ASSIGN_OR_RETURN(found_, lookup_->found(cancel_));
    const uint64_t first = found_->count * partition_ / lookup_->partitions();
    const uint64_t end = found_->count * (partition_ + 1) / lookup_->partitions();
    left_ = first;
    while (left_ > 0) advance(current().size());
    left_ = end - first;
    return {};
}

table::RowSpan IndexLookupStream::current() const {
    table::RowSpan span = found_->spans[span_];
    span.begin += done_;
    span.end = static_cast<uint32_t>(std::min<uint64_t>(span.end, span.begin + left_));
    return span;
}

void IndexLookupStream::advance(uint64_t rows) {
    done_ += static_cast<uint32_t>(rows);
    left_ -= rows;
    if (done_ < found_->spans[span_].size()) return;
    span_++;
    done_ = 0;
}

void IndexLookupStream::count(uint64_t fetched, uint64_t passed) {
    lookup_->counts().rows_fetched += fetched;
    lookup_->counts().rows_dropped += fetched - passed;
    lookup_->spec().counters->rows_fetched.fetch_add(fetched, std::memory_order_relaxed);
}

// All rows at once, where none of their columns is wanted.
arrow::Batch IndexLookupStream::count_rows() {
    const uint64_t rows = std::min(left_, wanted_);
    count(left_, left_);
    left_ = 0;
    return {lookup_->spec().output, static_cast<int64_t>(rows), {}};
}

// A long span: slices where every row passes the residual filter.
Result<arrow::Batch> IndexLookupStream::read_span(table::RowSpan span, bool* empty) {
    const table::Part& part = lookup_->spec().table->part(span.part);
    std::vector<uint32_t> rows;
    bool all = false;
    RETURN_IF_ERROR(lookup_->reader().select(part, span.begin, span.end, &rows, &all));
    count(span.size(), all ? span.size() : rows.size());
    if (all) return lookup_->reader().read_range(part, span.begin, span.end);
    *empty = rows.empty();
    if (*empty) return arrow::Batch();
    return lookup_->reader().read(part, rows);
}

// Short spans of one part, picked together.
Result<arrow::Batch> IndexLookupStream::read_rows(bool* empty) {
    const uint32_t number = current().part;
    const table::Part& part = lookup_->spec().table->part(number);
    uint64_t wanted = kBatchRows;
    if (lookup_->spec().choice.residual.empty()) wanted = std::min(wanted, wanted_);
    std::vector<uint32_t> rows;
    while (left_ > 0 && rows.size() < wanted) {
        const table::RowSpan span = current();
        if (span.part != number || span.size() >= kLongSpan) break;
        for (uint32_t row = span.begin; row < span.end; row++) rows.push_back(row);
        advance(span.size());
    }
    const size_t fetched = rows.size();
    RETURN_IF_ERROR(lookup_->reader().filter(part, &rows));
    count(fetched, rows.size());
    *empty = rows.empty();
    if (*empty) return arrow::Batch();
    return lookup_->reader().read(part, rows);
}

Result<std::optional<arrow::Batch>> IndexLookupStream::next() {
    if (!found_) RETURN_IF_ERROR(begin());
    const Stopwatch watch(lookup_->counts().fetch_ns);
    while (left_ > 0 && wanted_ > 0) {
        if (cancel_ && cancel_->load(std::memory_order_relaxed)) return cancelled();
        bool empty = false;
        arrow::Batch batch;
        table::RowSpan span = current();
        if (lookup_->counts_only()) {
            batch = count_rows();
        } else if (span.size() >= kLongSpan) {
            span.end = std::min<uint32_t>(span.end, span.begin + kBatchRows);
            advance(span.size());
            ASSIGN_OR_RETURN(batch, read_span(span, &empty));
        } else {
            ASSIGN_OR_RETURN(batch, read_rows(&empty));
        }
        if (empty) continue;
        if (static_cast<uint64_t>(batch.rows) > wanted_) {
            batch = batch.slice(0, static_cast<int64_t>(wanted_));
        }
        wanted_ -= static_cast<uint64_t>(batch.rows);
        lookup_->counts().rows_out += static_cast<uint64_t>(batch.rows);
        return std::optional(std::move(batch));
    }
    return std::optional<arrow::Batch>();
}

}  // namespace

Result<std::shared_ptr<Leaf>> make_index_lookup(IndexLookupSpec spec) {
    ASSIGN_OR_RETURN(FilterProgram residual,
                     FilterProgram::compile(spec.choice.residual, *spec.table->def().schema()));
    return std::shared_ptr<Leaf>(
        std::make_shared<IndexLookup>(std::move(spec), std::move(residual)));
}

}  // namespace trefoil::access
