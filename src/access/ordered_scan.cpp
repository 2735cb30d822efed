// OrderedScan: the leaf and its stream.

#include "access/ordered_scan.h"

#include <algorithm>
#include <cmath>

#include "access/key_merge.h"
#include "access/row_fetch.h"
#include "access/stopwatch.h"
#include "base/check.h"

namespace trefoil::access {
namespace {

constexpr size_t kBatchMin = 64;
constexpr size_t kBatchMax = 8192;

struct OrderedMetrics {
    std::atomic<uint64_t> entries{0}, rows_fetched{0}, rows_dropped{0}, rows_out{0};
    std::atomic<uint64_t> find_ns{0}, fetch_ns{0};
};

class OrderedScan;

class OrderedStream final : public BatchStream {
public:
    OrderedStream(std::shared_ptr<const OrderedScan> scan, const CancelFlag* cancel);
    const arrow::SchemaPtr& schema() const override;
    Result<std::optional<arrow::Batch>> next() override;

private:
    Status find_places();

    std::shared_ptr<const OrderedScan> scan_;
    const CancelFlag* cancel_;
    KeyMerge merge_;
    size_t range_ = 0;  // of the plan's, the one that comes after this
    bool over_ = false;
    size_t batch_rows_ = kBatchMin;
    uint64_t rows_out_ = 0;
    std::vector<table::Location> places_;
};

class OrderedScan final : public Leaf, public std::enable_shared_from_this<OrderedScan> {
public:
    OrderedScan(OrderedScanSpec spec, FilterProgram residual)
        : spec_(std::move(spec)),
          reader_(*spec_.table, spec_.projection, spec_.output, std::move(residual)) {}

    std::string name() const override { return "OrderedScan"; }
    std::string explain() const override {
        const arrow::Schema& schema = *spec_.table->def().schema();
        std::string text = spec_.table->index_def(spec_.plan.index).name;
        if (spec_.plan.backward) text += " backward";
        std::string order;
        for (const OrderColumn& o : spec_.order) {
            if (!order.empty()) order += ", ";
            order += catalog::shown_name(schema.fields[o.column].name);
            if (o.descending) order += " DESC";
            if (o.nulls_first != o.descending) {
                order += o.nulls_first ? " NULLS FIRST" : " NULLS LAST";
            }
        }
        text += ": order=[" + order + "]";
        if (!spec_.plan.used.empty()) text += ", " + plan::to_string(spec_.plan.used, schema);
        if (!spec_.plan.residual.empty()) {
            text += ", filter=[" + plan::to_string(spec_.plan.residual, schema) + "]";
        }
        if (spec_.limit) text += ", limit=" + std::to_string(*spec_.limit);
        return text;
    }
    std::vector<std::string> rejected() const override {
        return rejected_orders(*spec_.table, spec_.filters, spec_.order, spec_.wanted, spec_.plan);
    }
    const arrow::SchemaPtr& schema() const override { return spec_.output; }
    uint32_t partitions() const override { return 1; }
    bool is_ordered() const override { return true; }
    Result<std::unique_ptr<BatchStream>> open(uint32_t, const CancelFlag* cancel) const override {
        auto& opened = spec_.for_join ? spec_.counters->merge_scans : spec_.counters->ordered_scans;
        opened.fetch_add(1, std::memory_order_relaxed);
        return std::unique_ptr<BatchStream>(new OrderedStream(shared_from_this(), cancel));
    }
    Statistics statistics() const override {
        Statistics s;
        s.row_count = static_cast<uint64_t>(std::llround(std::ceil(spec_.plan.rows)));
        if (spec_.limit) s.row_count = std::min(*s.row_count, *spec_.limit);
        return s;
    }
    bool row_count_is_exact() const override { return false; }
    std::vector<Metric> metrics() const override {
        return {{"entries", metrics_.entries},           {"rows_fetched", metrics_.rows_fetched},
                {"rows_dropped", metrics_.rows_dropped}, {"rows_out", metrics_.rows_out},
                {"find_time_ns", metrics_.find_ns},      {"fetch_time_ns", metrics_.fetch_ns}};
    }

    const OrderedScanSpec& spec() const { return spec_; }
    const RowReader& reader() const { return reader_; }
    OrderedMetrics& counts() const { return metrics_; }

private:
    OrderedScanSpec spec_;
    RowReader reader_;
    mutable OrderedMetrics metrics_;
};

OrderedStream::OrderedStream(std::shared_ptr<const OrderedScan> scan, const CancelFlag* cancel)
    : scan_(std::move(scan)),
      cancel_(cancel),
      merge_(*scan_->spec().table, scan_->spec().plan.index, scan_->spec().plan.backward) {}

const arrow::SchemaPtr& OrderedStream::schema() const {
    return scan_->schema();
}

// The places of the next rows, batch_rows_ at most.
Status OrderedStream::find_places() {
    const OrderedScanSpec& spec = scan_->spec();
    places_.clear();
    const Stopwatch watch(scan_->counts().find_ns);
    const uint64_t before = merge_.entries();
    index::IndexCounters searches;
    while (places_.size() < batch_rows_ && !over_) {
        ASSIGN_OR_RETURN(auto place, merge_.next());
        if (place) {
            places_.push_back(*place);
        } else if (range_ < spec.plan.ranges.size()) {
            merge_.seek(spec.plan.ranges[range_++], &searches);
        } else {
            over_ = true;
        }
    }
    spec.counters->add(searches);
    scan_->counts().entries += merge_.entries() - before;
    return {};
}

Result<std::optional<arrow::Batch>> OrderedStream::next() {
    const OrderedScanSpec& spec = scan_->spec();
    OrderedMetrics& counts = scan_->counts();
    while (!over_) {
        if (cancel_ && cancel_->load(std::memory_order_relaxed)) {
            return Status(Code::kInvalidInput, "57014", "the statement was cancelled");
        }
        if (spec.limit && rows_out_ >= *spec.limit) break;
        if (spec.limit && spec.plan.residual.empty()) {
            batch_rows_ = std::min<uint64_t>(kBatchMax, *spec.limit - rows_out_);
        }
        RETURN_IF_ERROR(find_places());
        batch_rows_ = std::min(kBatchMax, batch_rows_ * 4);
        if (places_.empty()) continue;
        const Stopwatch watch(counts.fetch_ns);
        ASSIGN_OR_RETURN(arrow::Batch batch, fetch_rows(scan_->reader(), *spec.table, places_));
        const auto passed = static_cast<uint64_t>(batch.rows);
        counts.rows_fetched += places_.size();
        counts.rows_dropped += places_.size() - passed;
        spec.counters->rows_fetched.fetch_add(places_.size(), std::memory_order_relaxed);
        if (passed == 0) continue;
        if (spec.limit && passed > *spec.limit - rows_out_) {
            batch = batch.slice(0, static_cast<int64_t>(*spec.limit - rows_out_));
        }
        rows_out_ += static_cast<uint64_t>(batch.rows);
        counts.rows_out += static_cast<uint64_t>(batch.rows);
        return std::optional(std::move(batch));
    }
    return std::optional<arrow::Batch>();
}

}  // namespace

Result<std::shared_ptr<Leaf>> make_ordered_scan(OrderedScanSpec spec) {
    ASSIGN_OR_RETURN(FilterProgram residual,
                     FilterProgram::compile(spec.plan.residual, *spec.table->def().schema()));
    return std::shared_ptr<Leaf>(
        std::make_shared<OrderedScan>(std::move(spec), std::move(residual)));
}

}  // namespace trefoil::access
