// Chunk: rows in memory, or in a segment whose columns come to life at the first touch.

#include "table/chunk.h"

#include "base/check.h"
#include "table/segment.h"

namespace trefoil::table {

std::shared_ptr<const Chunk> Chunk::in_memory(arrow::SchemaPtr schema, RowIds ids,
                                              std::vector<arrow::Array> columns, ChunkKeys keys) {
    auto chunk = std::shared_ptr<Chunk>(new Chunk);
    chunk->columns_ = std::vector<std::atomic<const arrow::Array*>>(columns.size());
    for (size_t i = 0; i < columns.size(); i++) {
        CHECK(columns[i].length == static_cast<int64_t>(ids.count()) && columns[i].offset == 0);
        chunk->memory_bytes_ += columns[i].byte_size();
        chunk->columns_[i] = new arrow::Array(std::move(columns[i]));
    }
    if (!ids.is_dense()) chunk->memory_bytes_ += ids.count() * 8;
    chunk->schema_ = std::move(schema);
    chunk->ids_ = std::move(ids);
    chunk->keys_ = std::move(keys);
    return chunk;
}

Result<std::shared_ptr<const Chunk>> Chunk::in_file(arrow::SchemaPtr schema, RowIds ids,
                                                    std::shared_ptr<const DataFile> file,
                                                    ZoneMap zones, ChunkKeys keys) {
    ASSIGN_OR_RETURN(SegmentDirectory directory, read_segment_directory(*file));
    if (directory.columns.size() != schema->fields.size() || directory.rows != ids.count()) {
        return Status::corruption("segment " + file->path() + " does not fit its table");
    }
    auto chunk = std::shared_ptr<Chunk>(new Chunk);
    chunk->columns_ = std::vector<std::atomic<const arrow::Array*>>(schema->fields.size());
    chunk->schema_ = std::move(schema);
    chunk->ids_ = std::move(ids);
    chunk->file_ = std::move(file);
    chunk->directory_ = std::make_shared<const SegmentDirectory>(std::move(directory));
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
    ASSIGN_OR_RETURN(arrow::Array array, read_column(file_, directory_->columns[position],
                                                     schema_->fields[position].type));
    if (array.length != static_cast<int64_t>(rows())) {
        return Status::corruption("segment " + file_->path() + " holds a column of another length");
    }
    auto* kept = new arrow::Array(std::move(array));
    columns_[position].store(kept, std::memory_order_release);
    return static_cast<const arrow::Array*>(kept);
}

std::shared_ptr<const Chunk> Chunk::with_row_ids(RowIds ids, ChunkKeys keys) const {
    CHECK(ids.count() == rows());
    auto chunk = std::shared_ptr<Chunk>(new Chunk);
    chunk->columns_ = std::vector<std::atomic<const arrow::Array*>>(columns_.size());
    for (size_t i = 0; i < columns_.size(); i++) {
        if (const arrow::Array* array = columns_[i].load()) {
            chunk->columns_[i] = new arrow::Array(*array);
        }
    }
    chunk->schema_ = schema_;
    chunk->ids_ = std::move(ids);
    chunk->keys_ = std::move(keys);
    chunk->memory_bytes_ = memory_bytes_;
    chunk->file_ = file_;
    chunk->directory_ = directory_;
    chunk->zones_ = zones_;
    return chunk;
}

}  // namespace trefoil::table
