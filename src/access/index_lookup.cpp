// Rows found through indexes: the leaf and its stream.

#include "access/index_lookup.h"

#include <algorithm>
#include <cmath>

#include "access/row_reader.h"
#include "access/stopwatch.h"
#include "base/check.h"

namespace trefoil::access {
namespace {

constexpr uint32_t kBatchRows = 8192;
// Spans from here on go out as slices of their own; shorter ones are picked together.
constexpr uint32_t kLongSpan = 1024;

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

std::string list(const std::vector<plan::Expr>& exprs, const arrow::Schema& schema) {
    std::string text;
    for (const plan::Expr& e : exprs) {
        text += (text.empty() ? "" : " AND ") + plan::to_string(e, schema);
    }
    return text;
}

class IndexLookup;

class IndexLookupStream final : public BatchStream {
public:
    IndexLookupStream(std::shared_ptr<const IndexLookup> lookup, const CancelFlag* cancel)
        : lookup_(std::move(lookup)), cancel_(cancel) {}
    const arrow::SchemaPtr& schema() const override;
    Result<std::optional<arrow::Batch>> next() override;

private:
    Status search();
    Result<arrow::Batch> read_span(table::RowSpan span, bool* empty);
    Result<arrow::Batch> read_rows(bool* empty);
    std::optional<arrow::Batch> count_rows();
    void count(uint64_t fetched, uint64_t passed);

    std::shared_ptr<const IndexLookup> lookup_;
    const CancelFlag* cancel_;
    bool searched_ = false;

    std::vector<table::RowSpan> found_;  // normalised
    size_t at_ = 0;
    uint64_t rows_out_ = 0;
};

class IndexLookup final : public Leaf, public std::enable_shared_from_this<IndexLookup> {
public:
    IndexLookup(IndexLookupSpec spec, FilterProgram residual)
        : spec_(std::move(spec)),
          reader_(*spec_.table, spec_.projection, spec_.output, std::move(residual)),
          metrics_(spec_.table->index_count()) {}

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
        text += list(spec_.choice.used, schema);
        if (!spec_.choice.residual.empty()) {
            text += ", filter=[" + list(spec_.choice.residual, schema) + "]";
        }
        if (spec_.limit) text += ", limit=" + std::to_string(*spec_.limit);
        return text;
    }
    std::vector<std::string> rejected() const override {
        return rejected_indexes(StoredIndexes(*spec_.table), spec_.filters, &spec_.choice.plan);
    }
    const arrow::SchemaPtr& schema() const override { return spec_.output; }
    uint32_t partitions() const override { return 1; }
    Result<std::unique_ptr<BatchStream>> open(uint32_t, const CancelFlag* cancel) const override {
        return std::unique_ptr<BatchStream>(new IndexLookupStream(shared_from_this(), cancel));
    }

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

private:
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
    mutable LookupMetrics metrics_;
};

const arrow::SchemaPtr& IndexLookupStream::schema() const {
    return lookup_->schema();
}

Status IndexLookupStream::search() {
    const IndexLookupSpec& spec = lookup_->spec();
    const IndexPlan& plan = spec.choice.plan;
    const StoredIndexes indexes(*spec.table);
    const Stopwatch watch(lookup_->counts().find_ns);
    IndexScanCounts counts;
    ASSIGN_OR_RETURN(found_, indexes.find_rows(plan, cancel_, &counts));
    uint64_t rows = 0;
    for (const table::RowSpan& span : found_) rows += span.size();
    LookupMetrics& m = lookup_->counts();
    m.keys += counts.keys;
    m.searches += counts.searches.searches;
    m.model_searches += counts.searches.model_searches;
    m.last_mile_steps += counts.searches.last_mile_steps;
    for (size_t i = 0; i < counts.found.size(); i++) m.found[i] += counts.found[i];
    m.rows_combined += rows;
    TableCounters& all = *spec.counters;
    const bool primary =
        plan.kind == IndexPlan::Kind::kScan && spec.table->index_def(plan.index).is_primary;
    auto& kind = indexes.is_lookup(plan) ? all.point_lookups
                 : primary               ? all.range_lookups
                                         : all.index_scans;
    kind.fetch_add(counts.keys, std::memory_order_relaxed);
    all.add(counts.searches);
    return {};
}

void IndexLookupStream::count(uint64_t fetched, uint64_t passed) {
    lookup_->counts().rows_fetched += fetched;
    lookup_->counts().rows_dropped += fetched - passed;
    lookup_->spec().counters->rows_fetched.fetch_add(fetched, std::memory_order_relaxed);
}

// All rows at once, where none of their columns is wanted.
std::optional<arrow::Batch> IndexLookupStream::count_rows() {
    uint64_t rows = 0;
    for (const table::RowSpan& span : found_) rows += span.size();
    at_ = found_.size();
    count(rows, rows);
    rows = std::min(rows, lookup_->spec().limit.value_or(UINT64_MAX));
    lookup_->counts().rows_out += rows;
    if (rows == 0) return std::nullopt;
    return arrow::Batch{lookup_->spec().output, static_cast<int64_t>(rows), {}};
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
    const uint32_t number = found_[at_].part;
    const table::Part& part = lookup_->spec().table->part(number);
    const IndexLookupSpec& spec = lookup_->spec();
    uint64_t wanted = kBatchRows;
    if (spec.limit && spec.choice.residual.empty()) {
        wanted = std::min(wanted, *spec.limit - rows_out_);
    }
    std::vector<uint32_t> rows;
    while (at_ < found_.size() && found_[at_].part == number && found_[at_].size() < kLongSpan &&
           rows.size() < wanted) {
        for (uint32_t row = found_[at_].begin; row < found_[at_].end; row++) rows.push_back(row);
        at_++;
    }
    const size_t fetched = rows.size();
    RETURN_IF_ERROR(lookup_->reader().filter(part, &rows));
    count(fetched, rows.size());
    *empty = rows.empty();
    if (*empty) return arrow::Batch();
    return lookup_->reader().read(part, rows);
}

Result<std::optional<arrow::Batch>> IndexLookupStream::next() {
    if (!searched_) {
        searched_ = true;
        RETURN_IF_ERROR(search());
    }
    const Stopwatch watch(lookup_->counts().fetch_ns);
    const auto& limit = lookup_->spec().limit;
    const bool counts_only =
        lookup_->spec().projection.empty() && lookup_->spec().choice.residual.empty();
    if (counts_only && at_ < found_.size()) return count_rows();
    while (at_ < found_.size() && !(limit && rows_out_ >= *limit)) {
        if (cancel_ && cancel_->load(std::memory_order_relaxed)) return cancelled();
        bool empty = false;
        arrow::Batch batch;
        if (found_[at_].size() >= kLongSpan) {
            table::RowSpan span = found_[at_];
            span.end = std::min<uint32_t>(span.end, span.begin + kBatchRows);
            found_[at_].begin = span.end;
            if (found_[at_].size() == 0) at_++;
            ASSIGN_OR_RETURN(batch, read_span(span, &empty));
        } else {
            ASSIGN_OR_RETURN(batch, read_rows(&empty));
        }
        if (empty) continue;
        if (limit && static_cast<uint64_t>(batch.rows) > *limit - rows_out_) {
            batch = batch.slice(0, static_cast<int64_t>(*limit - rows_out_));
        }
        rows_out_ += static_cast<uint64_t>(batch.rows);
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
