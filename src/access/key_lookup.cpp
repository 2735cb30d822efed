// PointLookup and RangeLookup: the leaf and its stream.

#include "access/key_lookup.h"

#include <algorithm>

#include "access/row_reader.h"
#include "base/check.h"

namespace trefoil::access {
namespace {

constexpr size_t kBatchRows = 8192;

struct LookupMetrics {
    std::atomic<uint64_t> keys{0}, searches{0}, model_searches{0}, last_mile_steps{0};
    std::atomic<uint64_t> rows_fetched{0}, rows_out{0};
};

std::string list(const std::vector<plan::Expr>& exprs, const arrow::Schema& schema) {
    std::string text;
    for (const plan::Expr& e : exprs) {
        text += (text.empty() ? "" : " AND ") + plan::to_string(e, schema);
    }
    return text;
}

class KeyLookup;

class KeyLookupStream final : public BatchStream {
public:
    KeyLookupStream(std::shared_ptr<const KeyLookup> lookup, const CancelFlag* cancel)
        : lookup_(std::move(lookup)), cancel_(cancel) {}
    const arrow::SchemaPtr& schema() const override;
    Result<std::optional<arrow::Batch>> next() override;

private:
    Status search();

    std::shared_ptr<const KeyLookup> lookup_;
    const CancelFlag* cancel_;
    bool searched_ = false;
    std::vector<table::Location> found_;  // by part and row
    size_t at_ = 0;
    uint64_t rows_out_ = 0;
};

class KeyLookup final : public Leaf, public std::enable_shared_from_this<KeyLookup> {
public:
    KeyLookup(KeyLookupSpec spec, FilterProgram residual)
        : spec_(std::move(spec)),
          reader_(*spec_.table, spec_.projection, spec_.output, std::move(residual)) {}

    std::string name() const override {
        return spec_.conditions.points ? "PointLookup" : "RangeLookup";
    }
    std::string explain() const override {
        const arrow::Schema& schema = *spec_.table->def().schema();
        std::string text = spec_.table->def().primary_key_name +
                           " (learned): " + list(spec_.conditions.used, schema);
        if (!spec_.conditions.residual.empty()) {
            text += ", filter=[" + list(spec_.conditions.residual, schema) + "]";
        }
        if (spec_.limit) text += ", limit=" + std::to_string(*spec_.limit);
        return text;
    }
    const arrow::SchemaPtr& schema() const override { return spec_.output; }
    uint32_t partitions() const override { return 1; }
    Result<std::unique_ptr<BatchStream>> open(uint32_t, const CancelFlag* cancel) const override {
        return std::unique_ptr<BatchStream>(new KeyLookupStream(shared_from_this(), cancel));
    }

    Statistics statistics() const override {
        Statistics s;
        if (spec_.conditions.points) {
            s.row_count = spec_.conditions.ranges.size();
        } else {
            s.row_count = estimate();
        }
        s.row_count = std::min(*s.row_count, spec_.table->live_rows());
        if (spec_.limit) s.row_count = std::min(*s.row_count, *spec_.limit);
        return s;
    }
    bool row_count_is_exact() const override { return false; }

    std::vector<Metric> metrics() const override {
        return {{"keys", metrics_.keys},
                {"runs_searched", metrics_.searches},
                {"model_searches", metrics_.model_searches},
                {"last_mile_steps", metrics_.last_mile_steps},
                {"rows_fetched", metrics_.rows_fetched},
                {"rows_out", metrics_.rows_out}};
    }

    const KeyLookupSpec& spec() const { return spec_; }
    const RowReader& reader() const { return reader_; }
    LookupMetrics& counts() const { return metrics_; }

private:
    // Entries in the runs' ranges: two searches per run, no row is touched.
    uint64_t estimate() const {
        index::IndexCounters ignored;
        uint64_t n = 0;
        for (const index::KeyRange& range : spec_.conditions.ranges) {
            for (const table::RunPart& r : spec_.table->runs()) {
                auto [begin, end] = r.run->range(range, ignored);
                n += end - begin;
            }
            for (const table::Part& p : spec_.table->delta()) {
                auto [begin, end] = p.chunk->keys()->range(range, ignored);
                n += end - begin;
            }
        }
        return n;
    }

    KeyLookupSpec spec_;
    RowReader reader_;
    mutable LookupMetrics metrics_;
};

const arrow::SchemaPtr& KeyLookupStream::schema() const {
    return lookup_->schema();
}

Status KeyLookupStream::search() {
    const KeyLookupSpec& spec = lookup_->spec();
    index::IndexCounters counters;
    for (const index::KeyRange& range : spec.conditions.ranges) {
        if (cancel_ && cancel_->load(std::memory_order_relaxed)) {
            return {Code::kInvalidInput, "57014", "the statement was cancelled"};
        }
        if (spec.conditions.points) {
            ASSIGN_OR_RETURN(auto at, spec.table->find_key(*range.low, counters));
            if (at) found_.push_back(*at);
        } else {
            RETURN_IF_ERROR(spec.table->find_range(range, &found_, counters));
        }
    }
    if (!std::is_sorted(found_.begin(), found_.end())) std::sort(found_.begin(), found_.end());
    LookupMetrics& m = lookup_->counts();
    const uint64_t keys = spec.conditions.ranges.size();
    m.keys += keys;
    m.searches += counters.searches;
    m.model_searches += counters.model_searches;
    m.last_mile_steps += counters.last_mile_steps;
    m.rows_fetched += found_.size();
    auto& kind =
        spec.conditions.points ? spec.counters->point_lookups : spec.counters->range_lookups;
    kind.fetch_add(keys, std::memory_order_relaxed);
    spec.counters->rows_fetched.fetch_add(found_.size(), std::memory_order_relaxed);
    spec.counters->add(counters);
    return {};
}

Result<std::optional<arrow::Batch>> KeyLookupStream::next() {
    if (!searched_) {
        searched_ = true;
        RETURN_IF_ERROR(search());
    }
    const KeyLookupSpec& spec = lookup_->spec();
    while (at_ < found_.size()) {
        if (spec.limit && rows_out_ >= *spec.limit) break;
        if (cancel_ && cancel_->load(std::memory_order_relaxed)) {
            return Status(Code::kInvalidInput, "57014", "the statement was cancelled");
        }
        const uint32_t part_number = found_[at_].part;
        std::vector<uint32_t> rows;
        while (at_ < found_.size() && found_[at_].part == part_number && rows.size() < kBatchRows) {
            rows.push_back(found_[at_++].row);
        }
        const table::Part& part = spec.table->part(part_number);
        RETURN_IF_ERROR(lookup_->reader().filter(part, &rows));
        if (rows.empty()) continue;
        if (spec.limit) rows.resize(std::min<uint64_t>(rows.size(), *spec.limit - rows_out_));
        ASSIGN_OR_RETURN(arrow::Batch batch, lookup_->reader().read(part, rows));
        rows_out_ += rows.size();
        lookup_->counts().rows_out += rows.size();
        return std::optional(std::move(batch));
    }
    return std::optional<arrow::Batch>();
}

}  // namespace

Result<std::shared_ptr<Leaf>> make_key_lookup(KeyLookupSpec spec) {
    ASSIGN_OR_RETURN(FilterProgram residual,
                     FilterProgram::compile(spec.conditions.residual, *spec.table->def().schema()));
    return std::shared_ptr<Leaf>(std::make_shared<KeyLookup>(std::move(spec), std::move(residual)));
}

}  // namespace trefoil::access
