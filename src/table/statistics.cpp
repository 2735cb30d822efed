// Statistics: put together from zone maps, samples and the last ANALYZE.

#include "table/statistics.h"

#include <algorithm>

#include "table/analysis.h"
#include "table/table_version.h"

namespace trefoil::table {
namespace {

// Of a column, over some chunks.
struct Merged {
    Bounds bounds;
    arrow::DistinctSketch distinct;
    bool any = false;

    void add(const ColumnZones& zones) {
        bounds = any ? merge(bounds, zones.all) : zones.all;
        distinct.merge(zones.distinct);
        any = true;
    }
};

ZoneMap sample_of(const Chunk& chunk, size_t width) {
    const uint64_t rows = std::min(chunk.rows(), kZoneRows);
    std::vector<arrow::Array> columns;
    for (uint32_t c = 0; c < width; c++) {
        auto column = chunk.column(c);
        if (!column.ok()) return {};
        columns.push_back((*column)->slice(0, static_cast<int64_t>(rows)));
    }
    return build_zone_map(columns, rows);
}

// So many different values among `seen` rows: how many among all `rows`? A column that mostly
// repeats has been seen whole; one that hardly does grows with the table.
uint64_t extrapolated(uint64_t distinct, uint64_t seen, uint64_t rows) {
    if (seen == 0 || seen >= rows || distinct < seen / 2) return distinct;
    return static_cast<uint64_t>(static_cast<double>(distinct) / static_cast<double>(seen) *
                                 static_cast<double>(rows));
}

bool is(const std::weak_ptr<const Chunk>& known, const ChunkPtr& chunk) {
    return !known.owner_before(chunk) && !chunk.owner_before(known);
}

}  // namespace

TableStatisticsPtr StatisticsCache::of(const TableVersion& table) {
    std::unique_lock lock(mutex_);
    if (analysing_ || !wants_analysis_at_once(analysis_.get(), table.live_rows())) {
        return up_to_date(table);
    }
    analysing_ = true;
    lock.unlock();
    auto found = analyse(table);
    lock.lock();
    analysing_ = false;
    // What cannot be read is for whoever reads the rows to say.
    if (!found.ok()) found = Analysis{table.live_rows(), 0, {}};
    analysis_ = std::make_shared<const Analysis>(std::move(*found));
    return up_to_date(table);
}

const TableStatisticsPtr& StatisticsCache::up_to_date(const TableVersion& table) {
    bool same = made_ && chunks_.size() == table.part_count() && made_->analysis == analysis_ &&
                made_->columns.size() == table.def().columns.size();
    for (size_t i = 0; same && i < chunks_.size(); i++) same = is(chunks_[i], table.part(i).chunk);
    if (!same) made_ = put_together(table);
    return made_;
}

TableStatisticsPtr StatisticsCache::put_together(const TableVersion& table) {
    auto made = std::make_shared<TableStatistics>();
    const size_t width = table.def().columns.size();
    std::vector<Merged> merged(width);
    Samples samples;
    chunks_.clear();
    uint64_t seen = 0;
    for (size_t i = 0; i < table.part_count(); i++) {
        const ChunkPtr& chunk = table.part(i).chunk;
        chunks_.push_back(chunk);
        made->rows += chunk->rows();
        const ZoneMap* zones = chunk->zones();
        if (!zones) {
            auto known = samples_.extract(chunk);
            auto [at, fresh] = known.empty()
                                   ? samples.try_emplace(chunk, sample_of(*chunk, width))
                                   : std::pair(samples.insert(std::move(known)).position, false);
            zones = &at->second;
        }
        // A chunk that is older than a column says nothing of it.
        for (size_t c = 0; c < std::min(width, zones->columns.size()); c++) {
            merged[c].add(zones->columns[c]);
        }
        if (zones->columns.size() < width) made->complete = false;
        seen += chunk->zones() ? chunk->rows() : std::min(chunk->rows(), kZoneRows);
    }
    samples_ = std::move(samples);
    if (seen < made->rows) made->complete = false;
    made->analysis = analysis_;
    for (size_t c = 0; c < width; c++) {
        ColumnSummary column;
        column.null_count = merged[c].bounds.null_count;
        column.distinct = extrapolated(merged[c].distinct.estimate(), seen, made->rows);
        if (merged[c].bounds.known) {
            column.min = merged[c].bounds.min;
            column.max = merged[c].bounds.max;
        }
        if (analysis_) {
            auto found = analysis_->columns.find(table.def().columns[c].id);
            if (found != analysis_->columns.end()) column.analysis = &found->second;
        }
        made->columns.push_back(std::move(column));
    }
    return made;
}

AnalysisPtr StatisticsCache::analysis() const {
    std::lock_guard lock(mutex_);
    return analysis_;
}

void StatisticsCache::set_analysis(AnalysisPtr analysis) {
    std::lock_guard lock(mutex_);
    analysis_ = std::move(analysis);
}

}  // namespace trefoil::table
