// Chunk: rows in memory, or in a segment whose columns come to life at the first touch.

#include "table/chunk.h"

#include "arrow/compute.h"
#include "base/check.h"
#include "table/segment.h"

namespace trefoil::table {

std::shared_ptr<const Chunk> Chunk::in_memory(catalog::TablePtr table, RowIds ids,
                                              std::vector<arrow::Array> columns, ChunkKeys keys) {
    auto chunk = std::shared_ptr<Chunk>(new Chunk);
    chunk->columns_ = std::vector<std::atomic<const arrow::Array*>>(columns.size());
    for (size_t i = 0; i < columns.size(); i++) {
        CHECK(columns[i].length == static_cast<int64_t>(ids.count()) && columns[i].offset == 0);
        chunk->memory_bytes_ += columns[i].byte_size();
        chunk->columns_[i] = new arrow::Array(std::move(columns[i]));
    }
    if (!ids.is_dense()) chunk->memory_bytes_ += ids.count() * 8;
    chunk->table_ = std::move(table);
    chunk->ids_ = std::move(ids);
    chunk->keys_ = std::move(keys);
    return chunk;
}

Result<std::shared_ptr<const Chunk>> Chunk::in_file(catalog::TablePtr table, RowIds ids,
                                                    SegmentFilesPtr files, ZoneMap zones,
                                                    ChunkKeys keys) {
    if (!files->fits(*table) || files->rows() != ids.count()) {
        return Status::corruption("segment " + files->own()->path() + " does not fit its table");
    }
    auto chunk = std::shared_ptr<Chunk>(new Chunk);
    chunk->columns_ = std::vector<std::atomic<const arrow::Array*>>(table->columns.size());
    chunk->table_ = std::move(table);
    chunk->ids_ = std::move(ids);
    chunk->files_ = std::move(files);
    chunk->zones_ = std::make_shared<const ZoneMap>(std::move(zones));
    chunk->keys_ = std::move(keys);
    return ChunkPtr(std::move(chunk));
}

Chunk::~Chunk() {
    for (auto& column : columns_) delete column.load();
}

Result<const arrow::Array*> Chunk::column(uint32_t position) const {
    const arrow::Array* loaded = columns_[position].load(std::memory_order_acquire);
    if (loaded) return loaded;
    return load_column(position);
}

Result<const arrow::Array*> Chunk::load_column(uint32_t position) const {
    std::lock_guard lock(mutex_);
    if (const arrow::Array* loaded = columns_[position].load()) return loaded;
    const catalog::ColumnDef& column = table_->columns[position];
    ASSIGN_OR_RETURN(arrow::Array array, files_ && files_->has(column.id)
                                             ? files_->read(column.id, column.type)
                                             : arrow::make_constant(column.type, column.missing,
                                                                    static_cast<int64_t>(rows())));
    auto* kept = new arrow::Array(std::move(array));
    columns_[position].store(kept, std::memory_order_release);
    return static_cast<const arrow::Array*>(kept);
}

std::shared_ptr<Chunk> Chunk::copy() const {
    auto chunk = std::shared_ptr<Chunk>(new Chunk);
    chunk->columns_ = std::vector<std::atomic<const arrow::Array*>>(columns_.size());
    for (size_t i = 0; i < columns_.size(); i++) {
        if (const arrow::Array* array = columns_[i].load()) {
            chunk->columns_[i] = new arrow::Array(*array);
        }
    }
    chunk->table_ = table_;
    chunk->ids_ = ids_;
    chunk->keys_ = keys_;
    chunk->memory_bytes_ = memory_bytes_;
    chunk->files_ = files_;
    chunk->zones_ = zones_;
    return chunk;
}

std::shared_ptr<const Chunk> Chunk::with_row_ids(RowIds ids, ChunkKeys keys) const {
    CHECK(ids.count() == rows());
    auto chunk = copy();
    chunk->ids_ = std::move(ids);
    chunk->keys_ = std::move(keys);
    return chunk;
}

std::shared_ptr<const Chunk> Chunk::with_columns(std::span<const uint32_t> positions,
                                                 std::vector<arrow::Array> values,
                                                 const SegmentFilesPtr& files) const {
    CHECK((files == nullptr) == (files_ == nullptr));
    auto chunk = copy();
    if (files) {
        ZoneMap all = *zones_, added = build_zone_map(values, rows());
        for (size_t i = 0; i < positions.size(); i++) {
            all.columns[positions[i]] = std::move(added.columns[i]);
            delete chunk->columns_[positions[i]].exchange(nullptr);
        }
        chunk->zones_ = std::make_shared<const ZoneMap>(std::move(all));
        chunk->files_ = files_->with(*files);
        return chunk;
    }
    for (size_t i = 0; i < positions.size(); i++) {
        CHECK(values[i].length == static_cast<int64_t>(rows()) && values[i].offset == 0);
        chunk->memory_bytes_ += values[i].byte_size();
        delete chunk->columns_[positions[i]].exchange(new arrow::Array(std::move(values[i])));
    }
    return chunk;
}

std::shared_ptr<const Chunk> Chunk::with_definition(catalog::TablePtr table) const {
    auto chunk = std::shared_ptr<Chunk>(new Chunk);
    chunk->columns_ = std::vector<std::atomic<const arrow::Array*>>(table->columns.size());
    ZoneMap zones;
    for (size_t i = 0; i < table->columns.size(); i++) {
        const catalog::ColumnDef& column = table->columns[i];
        const auto before = table_->find_column_id(column.id);
        if (before) {
            if (const arrow::Array* array = columns_[*before].load()) {
                chunk->columns_[i] = new arrow::Array(*array);
            }
        }
        if (zones_) {
            zones.columns.push_back(before ? zones_->columns[*before]
                                           : constant_zones(column.missing, column.type, rows()));
        }
    }
    if (files_) chunk->files_ = files_->without_unused(*table);
    chunk->table_ = std::move(table);
    chunk->ids_ = ids_;
    chunk->keys_ = keys_;
    chunk->memory_bytes_ = memory_bytes_;
    if (zones_) chunk->zones_ = std::make_shared<const ZoneMap>(std::move(zones));
    return chunk;
}

}  // namespace trefoil::table
