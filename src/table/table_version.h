// TableVersion: one table as one snapshot sees it. Version: the whole database so.
//
//     base       segments in row-id order, their id ranges disjoint
//     patches    segments of rows that were updated; their ids lie inside those of base
//     delta      chunks in memory: what was committed since the last flush, then what
//                the transaction that looks has done itself
//     indexes    for each: sorted runs of keys -> row id over base and patches, oldest first; the
//                chunks of the delta have their own
//
// A row has one id for life and lives in exactly one place; everywhere else that id is marked dead.
// A version never changes once it is shared. The functions that change it (kill, add_delta) are for
// whoever is making the next one, on a copy, which costs a few counted references and the bitmaps
// touched.
//
// So a snapshot is a pointer, readers take no lock, a savepoint is a copy, and a commit is: take
// the newest version, apply the transaction's changes to a copy, publish.

#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "catalog/catalog.h"
#include "index/key_encoder.h"
#include "index/key_run.h"
#include "table/chunk.h"
#include "table/dead_rows.h"
#include "table/statistics.h"

namespace trefoil::table {

struct Part {
    ChunkPtr chunk;
    DeadRowsPtr dead;         // null: all rows live
    uint64_t segment_id = 0;  // of the manifest; 0 for chunks in memory

    bool is_dead(uint64_t row) const { return dead && dead->contains(row); }
    uint64_t live_rows() const { return chunk->rows() - (dead ? dead->count() : 0); }
};

// A run of keys, and what must be added to the row ids it holds (a run that was staged before its
// transaction got its row ids counts them from zero).
struct RunPart {
    std::shared_ptr<const index::KeyRun> run;
    uint64_t row_id_base = 0;
    uint64_t run_id = 0;  // of the manifest
};

// One index of a table. Its definition stands at the same place of TableDef::indexes.
struct TableIndex {
    std::shared_ptr<const index::KeyEncoder> keys;
    std::shared_ptr<const std::vector<RunPart>> runs;  // shared among versions
    bool keys_moved = false;  // some row's key was updated: a run may name it under the old one
};

// A live row: which part (counted through base, patches, delta) and which row of it.
struct Location {
    uint32_t part = 0;
    uint32_t row = 0;
    bool operator==(const Location&) const = default;
    auto operator<=>(const Location&) const = default;
};

// Live rows of one part that follow each other: [begin, end).
struct RowSpan {
    uint32_t part = 0;
    uint32_t begin = 0, end = 0;
    uint32_t size() const { return end - begin; }
    auto operator<=>(const RowSpan&) const = default;
};

// Chunks of a table before it was altered -> the same rows under its new definition.
using AlteredChunks = std::map<const Chunk*, ChunkPtr>;

// Private rows of a transaction have ids from here on until it commits.
inline constexpr uint64_t kPrivateRowId = uint64_t{1} << 62;

class TableVersion {
public:
    explicit TableVersion(catalog::TablePtr def);

    const catalog::TableDef& def() const { return *def_; }
    const catalog::TablePtr& def_ptr() const { return def_; }
    uint64_t live_rows() const { return live_rows_; }
    uint64_t next_row_id() const { return next_row_id_; }
    // Indexes are named by their position in def().indexes.
    size_t index_count() const { return indexes_.size(); }
    const catalog::IndexDef& index_def(size_t i) const { return def_->indexes[i]; }
    const index::KeyEncoder& encoder(size_t i) const { return *indexes_[i].keys; }
    std::span<const RunPart> runs(size_t i) const { return *indexes_[i].runs; }
    bool keys_moved(size_t i) const { return indexes_[i].keys_moved; }
    // Of the primary key, which is index 0; null if the table has none.
    const index::KeyEncoder* key_encoder() const {
        return def_->primary() ? indexes_[0].keys.get() : nullptr;
    }
    // What is known of the values; shared by all versions of the table.
    StatisticsCache& statistics_cache() const { return *statistics_; }
    TableStatisticsPtr statistics() const { return statistics_->of(*this); }

    size_t part_count() const { return base_->size() + patches_->size() + delta_.size(); }
    const Part& part(size_t i) const;
    std::span<const Part> base() const { return *base_; }
    std::span<const Part> patches() const { return *patches_; }
    std::span<const Part> delta() const { return delta_; }
    // Every data file that it reads.
    std::vector<std::shared_ptr<const DataFile>> files() const;
    size_t delta_bytes() const;
    uint64_t delta_rows() const;

    // Where the row is, if it is live.
    std::optional<Location> locate(uint64_t row_id) const;
    // The same if the row is in a segment, where runs(i) say that it is.
    std::optional<Location> locate_in_segments(uint64_t row_id) const;

    // True if a live row holds NULL in this column. Errors: kCorruption.
    Result<bool> has_null(uint32_t column) const;

    // The live row with this key of a unique index, if there is one. No part of the key is NULL.
    // Included columns may be left out of the key, here and in has_key(). Errors: kCorruption (a
    // row had to be read to tell a moved key).
    Result<std::optional<Location>> find_key(size_t index, const index::Key& key,
                                             index::IndexCounters& counters) const;

    // Whether the row is in the index, under this key; if not `or_null`, also without a NULL in it.
    Result<bool> has_key(size_t index, Location at, const index::Key& key, bool or_null) const;

    // Whether the row is in the index under whatever key: always, unless it is partial.
    Result<bool> has_entry(size_t index, Location at) const;

    // Appends the live rows with keys in the range. The spans come in no order, and a row may be in
    // two of them; normalise() puts that right once all ranges are found.
    Status find_range(size_t index, const index::KeyRange& range, std::vector<RowSpan>* rows,
                      index::IndexCounters& counters) const;

    // --- making the next version, on a copy ---

    // Marks rows dead. REQUIRES: they are live.
    void kill(std::span<const Location> rows);
    // Adds rows to the end of the delta. Small neighbours are merged so that n rows make O(log n)
    // parts; parts before `merge_floor` (a position in the delta) are left alone.
    Status add_delta(Part part, size_t merge_floor);
    // Kills those of these rows that are live in a segment.
    void kill_in_segments(std::span<const uint64_t> row_ids);
    // A segment whose ids are disjoint from those of all others, and the run that holds its keys.
    void add_segment(Part part);
    void add_run(size_t index, RunPart run);
    void set_next_row_id(uint64_t id) { next_row_id_ = id; }
    // The same rows in other chunks.
    void replace_chunks(const AlteredChunks& by);
    // The table was altered. Indexes are told by their ids; a new one has the keys of rows in
    // memory, but those of segments must be added as a run. Chunks that are `known` under the new
    // definition are not made again. Errors: kCorruption.
    Status set_definition(catalog::TablePtr def, const AlteredChunks& known = {});
    // A chunk of this table before it was altered, with the keys of the indexes that are new.
    // Errors: kCorruption.
    Result<ChunkPtr> adopt(const ChunkPtr& chunk, const catalog::TableDef& before) const;
    // The commit that altered more than the indexes last; 0 if it was before the database was
    // opened.
    void set_altered_by(uint64_t xid) { altered_by_ = xid; }
    uint64_t altered_by() const { return altered_by_; }
    // The commit that changed the rows last; 0 if it was before the database was opened.
    void set_changed_by(uint64_t xid) { changed_by_ = xid; }
    uint64_t changed_by() const { return changed_by_; }
    void set_keys_moved(size_t index) { indexes_[index].keys_moved = true; }
    // Parts [0, n) of the delta are being written to segments: nothing is merged into them.
    void set_frozen(size_t n) { frozen_ = n; }
    size_t frozen() const { return frozen_; }
    // Replaces segments and the runs of each index, and drops the first `dropped_delta` parts of
    // the delta.
    void replace_segments(std::vector<Part> base, std::vector<Part> patches,
                          std::vector<std::vector<RunPart>> runs, size_t dropped_delta);

private:
    void recount();
    Status find_in_run(size_t index, const RunPart& run, index::Positions entries,
                       std::vector<RowSpan>* rows) const;
    void add_segment_rows(uint64_t first_id, uint64_t last_id, std::vector<RowSpan>* rows) const;

    catalog::TablePtr def_;
    std::vector<TableIndex> indexes_;
    std::shared_ptr<const std::vector<Part>> base_, patches_;  // shared among versions
    std::vector<Part> delta_;
    std::shared_ptr<StatisticsCache> statistics_ = std::make_shared<StatisticsCache>();
    size_t frozen_ = 0;
    uint64_t live_rows_ = 0;
    uint64_t next_row_id_ = 0;
    uint64_t changed_by_ = 0;
    uint64_t altered_by_ = 0;
};

// Sorts spans by part and row, and joins those that overlap or meet. Quick where they come as a few
// sorted stretches, one after the other.
void normalise(std::vector<RowSpan>* rows);

using TableVersionPtr = std::shared_ptr<const TableVersion>;

struct Version {
    uint64_t xid = 0;  // of the last commit that it shows
    catalog::CatalogPtr catalog;
    std::map<uint32_t, TableVersionPtr> tables;

    // Null if there is none.
    TableVersionPtr find(uint32_t id) const {
        auto at = tables.find(id);
        return at == tables.end() ? nullptr : at->second;
    }
    TableVersionPtr find(std::string_view name) const {
        catalog::TablePtr def = catalog->find(name);
        return def ? find(def->id) : nullptr;
    }
};

using VersionPtr = std::shared_ptr<const Version>;

}  // namespace trefoil::table
