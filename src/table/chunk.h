// Chunk: some rows of a table, immutable. In memory (recent commits, private rows of a transaction)
// or in a segment file that is mapped and read in place.
//
// Columns are Arrow arrays in the table's column order; a segment knows them by the ids of the
// catalog, so that it may lack one that was added later (it answers ColumnDef::missing for it) and
// hold one that was dropped. Those of a segment come to life at the first touch: their blocks are
// verified against their checksums then, so column() may answer kCorruption.
//
// Threads: everything may be called by many at once.

#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "arrow/array.h"
#include "catalog/catalog.h"
#include "index/key_run.h"
#include "table/row_ids.h"
#include "table/zone_map.h"

namespace trefoil::table {

class SegmentFiles;

// Rows of a full segment: 16 zones.
inline constexpr uint64_t kSegmentRows = 131072;

// The keys of a chunk -> rows of it, one run for each index of the table, in its order.
using ChunkKeys = std::vector<index::KeyRunPtr>;

class Chunk;
using ChunkPtr = std::shared_ptr<const Chunk>;

class Chunk {
public:
    // Rows in memory.
    // REQUIRES: the arrays have ids.count() rows and offset 0.
    static std::shared_ptr<const Chunk> in_memory(catalog::TablePtr table, RowIds ids,
                                                  std::vector<arrow::Array> columns,
                                                  ChunkKeys keys);
    // Rows in a segment. `ids` is as the manifest says. `keys` is empty once the table's runs
    // hold them; a staged segment still has its own. Errors: kCorruption if the files' directories
    // do not fit the table.
    static Result<std::shared_ptr<const Chunk>> in_file(catalog::TablePtr table, RowIds ids,
                                                        std::shared_ptr<const SegmentFiles> files,
                                                        ZoneMap zones, ChunkKeys keys = {});

    const catalog::TableDef& table() const { return *table_; }
    uint64_t rows() const { return ids_.count(); }
    const RowIds& row_ids() const { return ids_; }
    const ChunkKeys& keys() const { return keys_; }
    // Both null for chunks in memory.
    const ZoneMap* zones() const { return zones_.get(); }
    const std::shared_ptr<const SegmentFiles>& files() const { return files_; }

    // The pointer is valid as long as this chunk; the array may be copied and outlive it.
    Result<const arrow::Array*> column(uint32_t position) const;

    // Heap bytes, for the budget; 0 for a segment.
    size_t memory_bytes() const { return memory_bytes_; }

    // The same rows under other ids: what a commit does to private rows.
    std::shared_ptr<const Chunk> with_row_ids(RowIds ids, ChunkKeys keys) const;

    // The same rows as chunk of an altered table. Columns are the same if their ids are.
    std::shared_ptr<const Chunk> with_definition(catalog::TablePtr table) const;

    // The same rows with what they have in the columns at these positions, which were lacking;
    // `files` holds them, or is null for a chunk in memory.
    std::shared_ptr<const Chunk> with_columns(
        std::span<const uint32_t> positions, std::vector<arrow::Array> values,
        const std::shared_ptr<const SegmentFiles>& files) const;

    ~Chunk();

private:
    Chunk() = default;
    Result<const arrow::Array*> load_column(uint32_t position) const;
    std::shared_ptr<Chunk> copy() const;

    catalog::TablePtr table_;
    RowIds ids_;
    ChunkKeys keys_;
    size_t memory_bytes_ = 0;
    std::shared_ptr<const SegmentFiles> files_;
    std::shared_ptr<const ZoneMap> zones_;
    mutable std::mutex mutex_;
    mutable std::vector<std::atomic<const arrow::Array*>> columns_;  // owned
};

}  // namespace trefoil::table
