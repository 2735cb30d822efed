// NodeScan: the leaf and its streams.

#include "access/node_scan.h"

#include <algorithm>
#include <utility>

#include "access/index_cost.h"
#include "access/row_probe.h"
#include "access/row_reader.h"
#include "access/stored_indexes.h"
#include "base/check.h"

namespace trefoil::access {
namespace {

using table::kZoneRows;

// A run of rows of one part, at most a zone.
struct Zone {
    uint32_t part;
    uint32_t begin, end;
};

struct ScanMetrics {
    std::atomic<uint64_t> rows_scanned{0}, rows_out{0}, zones{0}, zones_skipped{0};
    std::atomic<uint64_t> probe_zones_skipped{0}, probe_rows_dropped{0};
    std::atomic<bool> probed{false};
    std::atomic<uint64_t> keys_probed{0}, rows_found{0};
};

class NodeScan;

class NodeScanStream final : public BatchStream {
public:
    NodeScanStream(std::shared_ptr<const NodeScan> scan, size_t first, size_t last,
                   const CancelFlag* cancel)
        : scan_(std::move(scan)), next_(first), last_(last), cancel_(cancel) {}
    const arrow::SchemaPtr& schema() const override;
    Result<std::optional<arrow::Batch>> next() override;
    void set_probe(std::shared_ptr<RowProbe> probe) override;

private:
    Status look_keys_up();
    Result<std::optional<arrow::Batch>> next_found();
    bool may_match(const table::Part& part, const Zone& zone);
    Status select(const table::Part& part, const Zone& zone, bool* all);
    Result<arrow::Batch> emit(arrow::Batch batch);
    Result<std::optional<arrow::Batch>> flush_rows();

    std::shared_ptr<const NodeScan> scan_;
    size_t next_, last_;
    const CancelFlag* cancel_;
    std::optional<ProbeFilter> probe_;
    std::vector<uint32_t> rows_;  // of part rows_part_, passed but not yet out
    uint32_t rows_part_ = 0;
    uint64_t rows_out_ = 0;
    bool began_ = false;
    // Set if keys are looked up: the rows that were found, and the first that is not out yet.
    std::optional<std::vector<table::RowSpan>> found_;
    size_t found_at_ = 0;
};

class NodeScan final : public Leaf, public std::enable_shared_from_this<NodeScan> {
public:
    NodeScan(NodeScanSpec spec, FilterProgram filter)
        : spec_(std::move(spec)),
          reader_(*spec_.table, spec_.projection, spec_.output, std::move(filter)) {
        for (uint32_t p = 0; p < spec_.table->part_count(); p++) {
            const auto rows = static_cast<uint32_t>(spec_.table->part(p).chunk->rows());
            for (uint32_t begin = 0; begin < rows; begin += kZoneRows) {
                zones_.push_back({p, begin, std::min<uint32_t>(begin + kZoneRows, rows)});
            }
        }
        // A partition of less than a few zones costs more than it gains.
        constexpr size_t kZonesMin = 4;
        partitions_ = static_cast<uint32_t>(
            std::clamp<size_t>(zones_.size() / kZonesMin, 1, std::max(1u, spec_.partitions_max)));
    }

    std::string name() const override { return "NodeScan"; }
    std::string explain() const override {
        std::string text = spec_.table->def().name;
        if (!spec_.filters.empty()) {
            text += ", filter=[";
            for (size_t i = 0; i < spec_.filters.size(); i++) {
                text += (i ? ", " : "") +
                        plan::to_string(spec_.filters[i], *spec_.table->def().schema());
            }
            text += "]";
        }
        if (spec_.limit) text += ", limit=" + std::to_string(*spec_.limit);
        return text + ", zones=" + std::to_string(zones_.size());
    }
    const arrow::SchemaPtr& schema() const override { return spec_.output; }
    uint32_t partitions() const override { return partitions_; }
    // Under a limit the rows that are dropped would not count.
    bool takes_probe() const override { return !spec_.limit; }

    Result<std::unique_ptr<BatchStream>> open(uint32_t partition,
                                              const CancelFlag* cancel) const override {
        spec_.counters->scans.fetch_add(1, std::memory_order_relaxed);
        size_t first = zones_.size() * partition / partitions_;
        size_t last = zones_.size() * (partition + 1) / partitions_;
        return std::unique_ptr<BatchStream>(
            new NodeScanStream(shared_from_this(), first, last, cancel));
    }

    std::vector<std::string> rejected() const override {
        const StoredIndexes indexes(*spec_.table);
        if (spec_.use_indexes) return rejected_indexes(indexes, spec_.filters, nullptr);
        if (indexes.index_count() == 0) return {};
        return {"all indexes: trefoil.use_indexes is off"};
    }
    Statistics statistics() const override { return spec_.statistics; }
    // Under a limit each partition may yield as many rows as the limit.
    bool row_count_is_exact() const override { return spec_.filters.empty() && !spec_.limit; }

    std::vector<Metric> metrics() const override {
        std::vector<Metric> all = {{"rows_scanned", metrics_.rows_scanned},
                                   {"zones_read", metrics_.zones},
                                   {"zones_skipped", metrics_.zones_skipped},
                                   {"rows_out", metrics_.rows_out}};
        if (metrics_.probed) {
            all.emplace_back("dynamic_zones_skipped", metrics_.probe_zones_skipped);
            all.emplace_back("dynamic_rows_dropped", metrics_.probe_rows_dropped);
        }
        if (metrics_.keys_probed > 0) {
            all.emplace_back("keys_probed", metrics_.keys_probed);
            all.emplace_back("rows_found", metrics_.rows_found);
        }
        return all;
    }

    const RowReader& reader() const { return reader_; }
    const NodeScanSpec& spec() const { return spec_; }
    const Zone& zone(size_t i) const { return zones_[i]; }
    ScanMetrics& counts() const { return metrics_; }

private:
    NodeScanSpec spec_;
    RowReader reader_;
    std::vector<Zone> zones_;
    uint32_t partitions_ = 1;
    mutable ScanMetrics metrics_;
};

const arrow::SchemaPtr& NodeScanStream::schema() const {
    return scan_->schema();
}

void NodeScanStream::set_probe(std::shared_ptr<RowProbe> probe) {
    const NodeScanSpec& spec = scan_->spec();
    probe_.emplace(*spec.table, spec.projection, *spec.output, std::move(probe));
    scan_->counts().probed = true;
}

// Sets found_ if what the probe says is cheaper looked up than scanned for.
Status NodeScanStream::look_keys_up() {
    const NodeScanSpec& spec = scan_->spec();
    const table::TableVersion& table = *spec.table;
    if (!probe_ || !spec.use_indexes || !spec.index_joins || table.live_rows() <= kSmallTableRows)
        return {};
    auto known = probe_->conditions();
    if (!known.ok() || known->empty()) return {};  // they only save work
    std::vector<plan::Expr> conditions = spec.filters;
    for (const plan::Expr& condition : *known) plan::flatten_and(condition, &conditions);
    const StoredIndexes indexes(table);
    auto choice = choose_indexes(indexes, conditions);
    if (!choice) return {};
    IndexScanCounts counts;
    ASSIGN_OR_RETURN(std::vector<table::RowSpan> rows,
                     indexes.find_rows(choice->plan, cancel_, &counts));
    const Zone& first = scan_->zone(next_);
    const Zone& last = scan_->zone(last_ - 1);
    found_.emplace();
    for (table::RowSpan span : rows) {
        if (span.part < first.part || span.part > last.part) continue;
        if (span.part == first.part) span.begin = std::max(span.begin, first.begin);
        if (span.part == last.part) span.end = std::min(span.end, last.end);
        if (span.begin >= span.end) continue;
        scan_->counts().rows_found += span.size();
        found_->push_back(span);
    }
    scan_->counts().keys_probed += counts.keys;
    spec.counters->index_probes.fetch_add(counts.keys, std::memory_order_relaxed);
    for (uint64_t found : counts.found) {
        spec.counters->rows_fetched.fetch_add(found, std::memory_order_relaxed);
    }
    spec.counters->add(counts.searches);
    return {};
}

// The next of the rows that were found, of one part, as far as they pass.
Result<std::optional<arrow::Batch>> NodeScanStream::next_found() {
    constexpr size_t kBatchRows = 8192;
    while (found_at_ < found_->size()) {
        if (cancel_ && cancel_->load(std::memory_order_relaxed)) {
            return Status(Code::kInvalidInput, "57014", "the statement was cancelled");
        }
        const uint32_t number = (*found_)[found_at_].part;
        const table::Part& part = scan_->spec().table->part(number);
        std::vector<uint32_t> rows;
        while (found_at_ < found_->size() && rows.size() < kBatchRows) {
            table::RowSpan& span = (*found_)[found_at_];
            if (span.part != number) break;
            while (span.begin < span.end && rows.size() < kBatchRows) rows.push_back(span.begin++);
            if (span.begin == span.end) found_at_++;
        }
        RETURN_IF_ERROR(scan_->reader().filter(part, &rows));
        bool all = false;
        const size_t candidates = rows.size();
        RETURN_IF_ERROR(probe_->refine(part, 0, 0, 0, &rows, &all));
        scan_->counts().probe_rows_dropped += candidates - rows.size();
        if (rows.empty()) continue;
        ASSIGN_OR_RETURN(arrow::Batch batch, scan_->reader().read(part, rows));
        ASSIGN_OR_RETURN(batch, emit(std::move(batch)));
        return std::optional(std::move(batch));
    }
    return std::optional<arrow::Batch>();
}

bool NodeScanStream::may_match(const table::Part& part, const Zone& zone) {
    if (!scan_->reader().may_match(part, zone.begin, zone.end)) return false;
    if (!probe_ || probe_->may_match(part, zone.begin, zone.end)) return true;
    scan_->counts().probe_zones_skipped++;
    return false;
}

// Adds the rows of `zone` that pass to rows_; `all` is set instead if every row does.
Status NodeScanStream::select(const table::Part& part, const Zone& zone, bool* all) {
    const size_t before = rows_.size();
    RETURN_IF_ERROR(scan_->reader().select(part, zone.begin, zone.end, &rows_, all));
    if (!probe_) return {};
    const size_t candidates = *all ? zone.end - zone.begin : rows_.size() - before;
    RETURN_IF_ERROR(probe_->refine(part, zone.begin, zone.end, before, &rows_, all));
    const size_t passed = *all ? candidates : rows_.size() - before;
    scan_->counts().probe_rows_dropped += candidates - passed;
    return {};
}

Result<arrow::Batch> NodeScanStream::emit(arrow::Batch batch) {
    const auto& limit = scan_->spec().limit;
    if (limit && rows_out_ + static_cast<uint64_t>(batch.rows) > *limit) {
        batch = batch.slice(0, static_cast<int64_t>(*limit - rows_out_));
    }
    rows_out_ += static_cast<uint64_t>(batch.rows);
    scan_->counts().rows_out += static_cast<uint64_t>(batch.rows);
    return batch;
}

Result<std::optional<arrow::Batch>> NodeScanStream::flush_rows() {
    std::vector<uint32_t> rows = std::move(rows_);
    rows_.clear();
    ASSIGN_OR_RETURN(arrow::Batch batch,
                     scan_->reader().read(scan_->spec().table->part(rows_part_), rows));
    ASSIGN_OR_RETURN(batch, emit(std::move(batch)));
    return std::optional(std::move(batch));
}

Result<std::optional<arrow::Batch>> NodeScanStream::next() {
    constexpr size_t kRowsWorthABatch = 4096;
    const auto& limit = scan_->spec().limit;
    ScanMetrics& counts = scan_->counts();
    if (!std::exchange(began_, true) && next_ < last_) RETURN_IF_ERROR(look_keys_up());
    if (found_) return next_found();
    while (next_ < last_) {
        if (limit && rows_out_ >= *limit) return std::optional<arrow::Batch>();
        if (cancel_ && cancel_->load(std::memory_order_relaxed)) {
            return Status(Code::kInvalidInput, "57014", "the statement was cancelled");
        }
        const Zone zone = scan_->zone(next_);
        // Picked rows go out before their part ends.
        if (!rows_.empty() && (zone.part != rows_part_ || rows_.size() >= kRowsWorthABatch ||
                               (limit && rows_out_ + rows_.size() >= *limit))) {
            return flush_rows();
        }
        const table::Part& part = scan_->spec().table->part(zone.part);
        if (!may_match(part, zone)) {
            next_++;
            counts.zones_skipped++;
            scan_->spec().counters->zones_skipped.fetch_add(1, std::memory_order_relaxed);
            continue;
        }
        bool all = false;
        const size_t before = rows_.size();
        RETURN_IF_ERROR(select(part, zone, &all));
        rows_part_ = zone.part;
        if (all && before > 0) {
            rows_.resize(before);
            return flush_rows();  // this zone comes again
        }
        next_++;
        counts.zones++;
        counts.rows_scanned += zone.end - zone.begin;
        scan_->spec().counters->rows_scanned.fetch_add(zone.end - zone.begin,
                                                       std::memory_order_relaxed);
        if (all) {
            ASSIGN_OR_RETURN(arrow::Batch batch,
                             scan_->reader().read_range(part, zone.begin, zone.end));
            ASSIGN_OR_RETURN(batch, emit(std::move(batch)));
            return std::optional(std::move(batch));
        }
    }
    if (!rows_.empty() && !(limit && rows_out_ >= *limit)) return flush_rows();
    return std::optional<arrow::Batch>();
}

}  // namespace

Result<std::shared_ptr<Leaf>> make_node_scan(NodeScanSpec spec) {
    ASSIGN_OR_RETURN(FilterProgram filter,
                     FilterProgram::compile(spec.filters, *spec.table->def().schema()));
    return std::shared_ptr<Leaf>(std::make_shared<NodeScan>(std::move(spec), std::move(filter)));
}

}  // namespace trefoil::access
