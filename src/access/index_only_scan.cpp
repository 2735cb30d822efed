// IndexOnlyScan: the leaf and its streams.

#include "access/index_only_scan.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>
#include <utility>

#include "access/filter.h"
#include "access/stopwatch.h"
#include "arrow/compute.h"
#include "base/check.h"
#include "index/key_decoder.h"

namespace trefoil::access {
namespace {

using index::KeyEncoder;

constexpr uint64_t kBatchEntries = 8192;
// A partition of fewer entries costs more than it gains.
constexpr double kPartitionEntries = 50'000;

struct Metrics {
    std::atomic<uint64_t> entries{0}, covered{0}, dropped{0}, out{0}, find_ns{0}, decode_ns{0};
};

// Entries of one run.
struct Piece {
    const index::KeyRun* run;
    uint64_t row_id_base;
    std::optional<uint32_t> delta_part;  // the part whose rows it names; nullopt: row ids
    index::Positions entries;
};

// One entry of a run.
struct Entry {
    uint64_t row_id;
    const index::KeyRun* run;
    uint64_t at;
};

// The entries in the ranges, shared by all streams. A row that was updated may stand in several
// runs under the same key: those of the run that has the most are read as they lie, those of the
// others are gathered, so that they can be told from the former.
struct Entries {
    std::vector<Piece> pieces;
    std::vector<Entry> gathered;  // by row id, each once
    uint64_t count = 0;           // of both
    // Row ids that live for certain: [first, last], ascending.
    std::vector<std::pair<uint64_t, uint64_t>> live;

    bool is_gathered(uint64_t row_id) const {
        auto at = std::lower_bound(gathered.begin(), gathered.end(), row_id,
                                   [](const Entry& e, uint64_t id) { return e.row_id < id; });
        return at != gathered.end() && at->row_id == row_id;
    }
    bool is_live(uint64_t row_id) const {
        auto after = std::upper_bound(live.begin(), live.end(), row_id,
                                      [](uint64_t id, const auto& r) { return id < r.first; });
        return after != live.begin() && row_id <= (after - 1)->second;
    }
};

class IndexOnlyScan final : public Leaf, public std::enable_shared_from_this<IndexOnlyScan> {
public:
    IndexOnlyScan(IndexOnlyScanSpec spec, FilterProgram residual)
        : spec_(std::move(spec)), residual_(std::move(residual)) {
        for (uint32_t c : spec_.projection) output_places_.push_back(place_of(c));
        for (uint32_t c : residual_.columns()) filter_places_.push_back(place_of(c));
        // Without columns there is only to count.
        const double entries = parts_.empty() ? 0 : spec_.plan.plan.rows;
        partitions_ = partitions_of(entries, kPartitionEntries, spec_.partitions_max);
    }

    std::string name() const override { return "IndexOnlyScan"; }
    std::string explain() const override {
        const arrow::Schema& schema = *spec_.table->def().schema();
        std::string text = spec_.table->index_def(index()).name + ": ";
        text += plan::to_string(spec_.plan.used, schema);
        if (!spec_.plan.residual.empty()) {
            text += ", filter=[" + plan::to_string(spec_.plan.residual, schema) + "]";
        }
        if (spec_.limit) text += ", limit=" + std::to_string(*spec_.limit);
        return text;
    }
    std::vector<std::string> rejected() const override {
        return rejected_indexes(StoredIndexes(*spec_.table), spec_.filters, &spec_.plan.plan);
    }
    const arrow::SchemaPtr& schema() const override { return spec_.output; }
    uint32_t partitions() const override { return partitions_; }
    Result<std::unique_ptr<BatchStream>> open(uint32_t partition,
                                              const CancelFlag* cancel) const override;
    Statistics statistics() const override {
        Statistics s;
        s.row_count = std::min(static_cast<uint64_t>(std::llround(spec_.plan.plan.rows)),
                               spec_.table->live_rows());
        if (spec_.limit) s.row_count = std::min(*s.row_count, *spec_.limit);
        return s;
    }
    bool row_count_is_exact() const override { return false; }
    std::vector<Metric> metrics() const override {
        return {{"keys", spec_.plan.ranges.size()},
                {"entries", metrics_.entries},
                {"rows_covered", metrics_.covered},
                {"rows_dropped", metrics_.dropped},
                {"rows_out", metrics_.out},
                {"find_time_ns", metrics_.find_ns},
                {"decode_time_ns", metrics_.decode_ns}};
    }

    const IndexOnlyScanSpec& spec() const { return spec_; }
    size_t index() const { return spec_.plan.plan.index; }
    const FilterProgram& residual() const { return residual_; }
    // Of the key, that are decoded; and where among these the columns of output and filter are.
    const std::vector<uint32_t>& parts() const { return parts_; }
    const std::vector<size_t>& output_places() const { return output_places_; }
    const std::vector<size_t>& filter_places() const { return filter_places_; }
    Metrics& counts() const { return metrics_; }
    // Found once, by the first stream.
    const Entries& entries() const {
        std::call_once(found_, [this] { find(); });
        return entries_;
    }

private:
    // Where the column is among those that are decoded: from now on, if it was not.
    size_t place_of(uint32_t column);
    void find() const;
    void gather() const;

    IndexOnlyScanSpec spec_;
    FilterProgram residual_;
    std::vector<uint32_t> parts_;
    std::vector<size_t> output_places_, filter_places_;
    uint32_t partitions_ = 1;
    mutable std::once_flag found_;
    mutable Entries entries_;
    mutable Metrics metrics_;
};

size_t IndexOnlyScan::place_of(uint32_t column) {
    const auto& key = spec_.table->index_def(index()).columns;
    const auto part =
        static_cast<uint32_t>(std::find(key.begin(), key.end(), column) - key.begin());
    auto at = std::find(parts_.begin(), parts_.end(), part);
    if (at == parts_.end()) at = parts_.insert(at, part);
    return static_cast<size_t>(at - parts_.begin());
}

void IndexOnlyScan::find() const {
    const Stopwatch watch(metrics_.find_ns);
    const table::TableVersion& table = *spec_.table;
    index::IndexCounters searches;
    auto add = [&](const index::KeyRun& run, uint64_t base, std::optional<uint32_t> delta_part) {
        for (const index::KeyRange& range : spec_.plan.ranges) {
            const index::Positions found = run.range(range, searches);
            if (!found.empty()) entries_.pieces.push_back({&run, base, delta_part, found});
        }
    };
    for (const table::RunPart& r : table.runs(index())) {
        add(*r.run, r.row_id_base, std::nullopt);
    }
    if (!spec_.plan.all_live) gather();
    const size_t segments = table.base().size() + table.patches().size();
    for (size_t i = 0; i < table.delta().size(); i++) {
        add(*table.delta()[i].chunk->keys()[index()], 0, static_cast<uint32_t>(segments + i));
    }
    entries_.count = entries_.gathered.size();
    for (const Piece& p : entries_.pieces) entries_.count += p.entries.size();
    for (const table::Part& p : table.base()) {
        const table::RowIds& ids = p.chunk->row_ids();
        if (p.dead || !ids.is_dense() || ids.count() == 0) continue;
        if (!entries_.live.empty() && entries_.live.back().second + 1 == ids.first()) {
            entries_.live.back().second = ids.last();
        } else {
            entries_.live.emplace_back(ids.first(), ids.last());
        }
    }
    spec_.counters->index_scans.fetch_add(spec_.plan.ranges.size(), std::memory_order_relaxed);
    spec_.counters->add(searches);
}

// Leaves the pieces of the run with the most entries as they are.
void IndexOnlyScan::gather() const {
    std::map<const index::KeyRun*, uint64_t> sizes;
    for (const Piece& p : entries_.pieces) sizes[p.run] += p.entries.size();
    if (sizes.size() < 2) return;
    auto less = [](const auto& a, const auto& b) { return a.second < b.second; };
    const index::KeyRun* most = std::max_element(sizes.begin(), sizes.end(), less)->first;
    std::vector<Entry>& gathered = entries_.gathered;
    std::erase_if(entries_.pieces, [&](const Piece& p) {
        if (p.run == most) return false;
        for (uint64_t at = p.entries.begin; at < p.entries.end; at++) {
            gathered.push_back({p.row_id_base + p.run->row_id(at), p.run, at});
        }
        return true;
    });
    std::sort(gathered.begin(), gathered.end(),
              [](const Entry& a, const Entry& b) { return a.row_id < b.row_id; });
    auto same = [](const Entry& a, const Entry& b) { return a.row_id == b.row_id; };
    gathered.erase(std::unique(gathered.begin(), gathered.end(), same), gathered.end());
}

class IndexOnlyStream final : public BatchStream {
public:
    IndexOnlyStream(std::shared_ptr<const IndexOnlyScan> scan, uint32_t partition,
                    const CancelFlag* cancel)
        : scan_(std::move(scan)),
          table_(*scan_->spec().table),
          keys_(table_.encoder(scan_->index())),
          partition_(partition),
          cancel_(cancel),
          decoder_(keys_, scan_->parts()),
          left_(scan_->spec().limit.value_or(UINT64_MAX)) {}
    const arrow::SchemaPtr& schema() const override { return scan_->schema(); }
    Result<std::optional<arrow::Batch>> next() override;

private:
    void begin();
    Status take(uint64_t most);
    Status take(const Piece& piece, index::Positions entries);
    bool take_plain(const index::KeyRun& run, index::Positions entries);
    Status add(const index::KeyRun& run, uint64_t at, uint64_t row_id,
               std::optional<table::Location> place);
    Result<arrow::Batch> batch();

    bool counts_only() const { return scan_->parts().empty(); }

    std::shared_ptr<const IndexOnlyScan> scan_;
    const table::TableVersion& table_;
    const KeyEncoder& keys_;
    uint32_t partition_;
    const CancelFlag* cancel_;
    const Entries* entries_ = nullptr;  // null before the first next()
    uint64_t at_ = 0, end_ = 0;         // entries, numbered through pieces and those gathered
    size_t piece_ = 0;
    uint64_t piece_begin_ = 0;  // the number of its first entry
    index::KeyDecoder decoder_;
    uint64_t rows_ = 0;  // that were taken for the next batch
    uint64_t left_;      // rows that may still go out
};

Result<std::unique_ptr<BatchStream>> IndexOnlyScan::open(uint32_t partition,
                                                         const CancelFlag* cancel) const {
    return std::unique_ptr<BatchStream>(new IndexOnlyStream(shared_from_this(), partition, cancel));
}

void IndexOnlyStream::begin() {
    entries_ = &scan_->entries();
    at_ = entries_->count * partition_ / scan_->partitions();
    end_ = entries_->count * (partition_ + 1) / scan_->partitions();
}

// Takes the next entries, `most` at most, of one piece at most.
Status IndexOnlyStream::take(uint64_t most) {
    const auto& pieces = entries_->pieces;
    while (piece_ < pieces.size() && at_ >= piece_begin_ + pieces[piece_].entries.size()) {
        piece_begin_ += pieces[piece_++].entries.size();
    }
    most = std::min(most, end_ - at_);
    if (piece_ < pieces.size()) {
        const index::Positions all = pieces[piece_].entries;
        const uint64_t from = all.begin + (at_ - piece_begin_);
        const index::Positions some{from, std::min(all.end, from + most)};
        at_ += some.size();
        return take(pieces[piece_], some);
    }
    for (uint64_t i = at_ - piece_begin_; most > 0; i++, most--, at_++) {
        const Entry& e = entries_->gathered[i];
        auto place = table_.locate_in_segments(e.row_id);
        if (place) RETURN_IF_ERROR(add(*e.run, e.at, e.row_id, place));
    }
    return {};
}

Status IndexOnlyStream::take(const Piece& piece, index::Positions entries) {
    const index::KeyRun& run = *piece.run;
    const bool of_segments = !piece.delta_part;
    const bool all_live = of_segments && scan_->spec().plan.all_live;
    if (all_live && counts_only()) {
        rows_ += entries.size();
        return {};
    }
    if (all_live && take_plain(run, entries)) return {};
    for (uint64_t at = entries.begin; at < entries.end; at++) {
        const uint64_t id = piece.row_id_base + run.row_id(at);
        std::optional<table::Location> place;
        if (!of_segments) {
            const table::Part& part = table_.part(*piece.delta_part);
            if (part.is_dead(id)) continue;
            place = table::Location{*piece.delta_part, static_cast<uint32_t>(id)};
        } else if (!all_live) {
            if (!entries_->gathered.empty() && entries_->is_gathered(id)) continue;
            if (!entries_->is_live(id)) {
                place = table_.locate_in_segments(id);
                if (!place) continue;
            }
        }
        RETURN_IF_ERROR(add(run, at, id, place));
    }
    return {};
}

// Live rows whose keys say all; false, and nothing is taken, if one of them may be NULL's.
bool IndexOnlyStream::take_plain(const index::KeyRun& run, index::Positions entries) {
    if (keys_.shape() == index::KeyShape::kBytes) {
        for (uint64_t at = entries.begin; at < entries.end; at++) {
            decoder_.add_bytes(run.bytes_key(at));
        }
    } else {
        // NULL's key is the greatest.
        const uint64_t last = run.integer_key(entries.end - 1);
        if (keys_.nullable() && last == KeyEncoder::kNullKey) return false;
        for (uint64_t at = entries.begin; at < entries.end; at++) {
            decoder_.add_integer(run.integer_key(at), false);
        }
    }
    rows_ += entries.size();
    return true;
}

// A live row; `place` is left out if it is in a segment and was not looked for.
Status IndexOnlyStream::add(const index::KeyRun& run, uint64_t at, uint64_t row_id,
                            std::optional<table::Location> place) {
    rows_++;
    if (counts_only()) return {};
    if (keys_.shape() == index::KeyShape::kBytes) {
        decoder_.add_bytes(run.bytes_key(at));
        return {};
    }
    const uint64_t key = run.integer_key(at);
    bool null = keys_.nullable() && key == KeyEncoder::kNullKey;
    if (null && !keys_.null_is_distinct()) {
        // The row says whether it is NULL or the greatest value.
        if (!place) place = table_.locate_in_segments(row_id);
        CHECK(place.has_value());
        const uint32_t column = table_.index_def(scan_->index()).columns[0];
        ASSIGN_OR_RETURN(const arrow::Array* values,
                         table_.part(place->part).chunk->column(column));
        null = values->is_null(place->row);
    }
    decoder_.add_integer(key, null);
    return {};
}

// The rows that were taken, as far as they pass.
Result<arrow::Batch> IndexOnlyStream::batch() {
    Metrics& m = scan_->counts();
    m.covered += rows_;
    scan_->spec().counters->rows_covered.fetch_add(rows_, std::memory_order_relaxed);
    arrow::Batch out{scan_->schema(), static_cast<int64_t>(rows_), {}};
    const std::vector<arrow::Array> columns = decoder_.finish();
    std::vector<uint32_t> passed;
    const bool filtered = !scan_->residual().is_always();
    if (filtered) {
        std::vector<const arrow::Array*> inputs;
        for (size_t place : scan_->filter_places()) inputs.push_back(&columns[place]);
        Selection selection;
        scan_->residual().select(inputs, out.rows, &selection);
        m.dropped += static_cast<uint64_t>(out.rows - selection.count);
        out.rows = selection.count;
        if (!selection.all()) selection.offsets(&passed);
    }
    const bool some = static_cast<uint64_t>(out.rows) < rows_;
    for (size_t place : scan_->output_places()) {
        out.columns.push_back(some ? arrow::take(columns[place], passed) : columns[place]);
    }
    rows_ = 0;
    return out;
}

Result<std::optional<arrow::Batch>> IndexOnlyStream::next() {
    if (!entries_) begin();
    if (!counts_only()) decoder_.reserve(kBatchEntries);
    Metrics& m = scan_->counts();
    const Stopwatch watch(m.decode_ns);
    // Only counting needs no batches.
    uint64_t wanted = counts_only() ? UINT64_MAX : kBatchEntries;
    if (scan_->residual().is_always()) wanted = std::min(wanted, left_);
    while (at_ < end_ && left_ > 0) {
        while (at_ < end_ && rows_ < wanted) {
            if (cancel_ && cancel_->load(std::memory_order_relaxed)) {
                return Status(Code::kInvalidInput, "57014", "the statement was cancelled");
            }
            const uint64_t before = at_;
            RETURN_IF_ERROR(take(std::min(kBatchEntries, wanted - rows_)));
            m.entries += at_ - before;
        }
        if (rows_ == 0) continue;
        ASSIGN_OR_RETURN(arrow::Batch out, batch());
        if (out.rows == 0) continue;
        if (static_cast<uint64_t>(out.rows) > left_) {
            out = out.slice(0, static_cast<int64_t>(left_));
        }
        left_ -= static_cast<uint64_t>(out.rows);
        m.out += static_cast<uint64_t>(out.rows);
        return std::optional(std::move(out));
    }
    return std::optional<arrow::Batch>();
}

}  // namespace

Result<std::shared_ptr<Leaf>> make_index_only_scan(IndexOnlyScanSpec spec) {
    ASSIGN_OR_RETURN(FilterProgram residual,
                     FilterProgram::compile(spec.plan.residual, *spec.table->def().schema()));
    return std::shared_ptr<Leaf>(
        std::make_shared<IndexOnlyScan>(std::move(spec), std::move(residual)));
}

}  // namespace trefoil::access
