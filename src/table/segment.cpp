// Segments: writing chunks to files and reading them in place.

#include "table/segment.h"

#include <algorithm>

#include "base/check.h"
#include "table/segment_format.h"

namespace trefoil::table {
namespace {

using ArrayPlace = SegmentDirectory::ArrayPlace;

Bytes as_bytes(const arrow::Buffer& buffer) {
    return {reinterpret_cast<const char*>(buffer.data), buffer.size};
}

// Appends the buffers of one array and describes them.
Status write_array(FileWriter& file, const arrow::Array& array, Writer& directory) {
    CHECK(array.offset == 0);
    directory.str(array.type.format());
    directory.u64(static_cast<uint64_t>(array.length));
    directory.u64(static_cast<uint64_t>(std::max<int64_t>(array.null_count, 0)));
    directory.u32(static_cast<uint32_t>(array.buffers.size()));
    for (const arrow::Buffer& buffer : array.buffers) {
        uint64_t offset = 0;
        if (buffer.data && buffer.size) {
            ASSIGN_OR_RETURN(offset, file.append(as_bytes(buffer)));
        }
        directory.u64(offset);
        directory.u64(buffer.data ? buffer.size : 0);
    }
    directory.u32(static_cast<uint32_t>(array.children.size()));
    for (const arrow::Array& child : array.children) {
        RETURN_IF_ERROR(write_array(file, child, directory));
    }
    return {};
}

ArrayPlace read_place(Reader& in, int depth) {
    ArrayPlace place;
    if (depth > kArrayDepthMax) return place;
    place.format = in.str();
    place.length = in.u64();
    place.null_count = in.u64();
    uint32_t buffers = in.u32();
    for (uint32_t i = 0; i < buffers && in.ok(); i++) {
        uint64_t offset = in.u64();
        place.buffers.emplace_back(offset, in.u64());
    }
    uint32_t children = in.u32();
    for (uint32_t i = 0; i < children && in.ok(); i++) {
        place.children.push_back(read_place(in, depth + 1));
    }
    return place;
}

Result<SegmentDirectory> read_directory(const DataFile& file) {
    ASSIGN_OR_RETURN(Bytes bytes, file.directory());
    Reader in(bytes);
    if (uint16_t format = in.u16(); format != kSegmentFormat) {
        return Status::unsupported("segment " + file.path() + " has format " +
                                   std::to_string(format) + "; this program reads format " +
                                   std::to_string(kSegmentFormat));
    }
    SegmentDirectory directory;
    directory.ids_listed = in.u16() & kRowIdsListed;
    directory.rows = in.u64();
    if (directory.ids_listed) directory.ids_offset = in.u64();
    uint32_t columns = in.u32();
    for (uint32_t i = 0; i < columns && in.ok(); i++) {
        directory.column_ids.push_back(in.u32());
        directory.columns.push_back(read_place(in, 0));
    }
    if (!in.ok() || !in.at_end() || directory.rows > kSegmentRowsMax) {
        return Status::corruption("the directory of segment " + file.path() + " is malformed");
    }
    return directory;
}

Result<arrow::Array> read_column(const std::shared_ptr<const DataFile>& file,
                                 const ArrayPlace& place, const arrow::Type& type) {
    if (place.format != type.format() || place.children.size() != type.children.size()) {
        return Status::corruption("segment " + file->path() + " holds a column of Arrow format " +
                                  place.format + " where the catalog says " + type.format());
    }
    arrow::Array array;
    array.type = type;
    array.length = static_cast<int64_t>(place.length);
    array.null_count = static_cast<int64_t>(place.null_count);
    for (auto [offset, bytes] : place.buffers) {
        if (bytes == 0) {
            array.buffers.push_back({});
            continue;
        }
        ASSIGN_OR_RETURN(Bytes view, file->read(offset, bytes));
        array.buffers.push_back({reinterpret_cast<const uint8_t*>(view.data()), view.size(), file});
    }
    for (size_t i = 0; i < place.children.size(); i++) {
        ASSIGN_OR_RETURN(arrow::Array child,
                         read_column(file, place.children[i], type.children[i].type));
        array.children.push_back(std::move(child));
    }
    return array;
}

Result<SegmentFilesPtr> write_file(Store& store, std::span<const uint32_t> column_ids,
                                   const RowIds& ids, const std::vector<arrow::Array>& columns) {
    ASSIGN_OR_RETURN(auto file, store.create_file(FileKind::kSegment));
    Writer directory;
    directory.u16(kSegmentFormat);
    directory.u16(ids.is_dense() ? 0 : kRowIdsListed);
    directory.u64(ids.count());
    if (!ids.is_dense()) {
        Bytes list(reinterpret_cast<const char*>(ids.list().data()), ids.list().size_bytes());
        ASSIGN_OR_RETURN(uint64_t offset, file->append(list));
        directory.u64(offset);
    }
    directory.u32(static_cast<uint32_t>(columns.size()));
    for (size_t i = 0; i < columns.size(); i++) {
        directory.u32(column_ids[i]);
        RETURN_IF_ERROR(write_array(*file, columns[i], directory));
    }
    RETURN_IF_ERROR(file->finish(directory.data()));
    ASSIGN_OR_RETURN(auto written, store.open_file(FileKind::kSegment, file->id()));
    return SegmentFiles::open({std::move(written)});
}

}  // namespace

const ArrayPlace* SegmentDirectory::find(uint32_t column_id) const {
    auto it = std::find(column_ids.begin(), column_ids.end(), column_id);
    return it == column_ids.end() ? nullptr
                                  : &columns[static_cast<size_t>(it - column_ids.begin())];
}

Result<SegmentFilesPtr> SegmentFiles::open(std::vector<std::shared_ptr<const DataFile>> files) {
    auto opened = std::make_shared<SegmentFiles>();
    for (const auto& file : files) {
        ASSIGN_OR_RETURN(SegmentDirectory directory, read_directory(*file));
        opened->directories_.push_back(std::move(directory));
        if (opened->directories_.back().rows == opened->rows()) continue;
        return Status::corruption("segment " + file->path() + " has another number of rows than " +
                                  files.front()->path());
    }
    opened->files_ = std::move(files);
    return SegmentFilesPtr(std::move(opened));
}

bool SegmentFiles::fits(const catalog::TableDef& table) const {
    uint32_t youngest = 0;
    for (uint32_t id : directories_.front().column_ids) youngest = std::max(youngest, id);
    return std::all_of(table.columns.begin(), table.columns.end(),
                       [&](const auto& column) { return has(column.id) || column.id > youngest; });
}

bool SegmentFiles::has(uint32_t column_id) const {
    return directories_.front().find(column_id) || has_beside(column_id);
}

bool SegmentFiles::has_beside(uint32_t column_id) const {
    return std::any_of(directories_.begin() + 1, directories_.end(),
                       [&](const auto& directory) { return directory.find(column_id); });
}

Result<arrow::Array> SegmentFiles::read(uint32_t column_id, const arrow::Type& type) const {
    size_t i = 0;
    while (!directories_[i].find(column_id)) i++;
    ASSIGN_OR_RETURN(arrow::Array array,
                     read_column(files_[i], *directories_[i].find(column_id), type));
    if (array.length == static_cast<int64_t>(rows())) return array;
    return Status::corruption("segment " + files_[i]->path() + " holds a column of another length");
}

Result<RowIds> SegmentFiles::row_ids() const {
    const SegmentDirectory& directory = directories_.front();
    ASSIGN_OR_RETURN(Bytes bytes, own()->read(directory.ids_offset, directory.rows * 8));
    return RowIds::listed({reinterpret_cast<const uint64_t*>(bytes.data()), directory.rows}, own());
}

SegmentFilesPtr SegmentFiles::with(const SegmentFiles& columns) const {
    CHECK(columns.rows() == rows());
    auto more = std::make_shared<SegmentFiles>(*this);
    more->files_.insert(more->files_.end(), columns.files_.begin(), columns.files_.end());
    more->directories_.insert(more->directories_.end(), columns.directories_.begin(),
                              columns.directories_.end());
    return more;
}

SegmentFilesPtr SegmentFiles::without_unused(const catalog::TableDef& table) const {
    auto fewer = std::make_shared<SegmentFiles>();
    for (size_t i = 0; i < files_.size(); i++) {
        const bool used = std::any_of(table.columns.begin(), table.columns.end(), [&](auto& c) {
            return directories_[i].find(c.id) != nullptr;
        });
        if (i > 0 && !used) continue;
        fewer->files_.push_back(files_[i]);
        fewer->directories_.push_back(directories_[i]);
    }
    if (fewer->files_.size() == files_.size()) return shared_from_this();
    return fewer;
}

std::vector<uint32_t> column_ids(const catalog::TableDef& table) {
    std::vector<uint32_t> ids;
    for (const catalog::ColumnDef& column : table.columns) ids.push_back(column.id);
    return ids;
}

Result<SegmentFilesPtr> write_segment(Store& store, const catalog::TableDef& table,
                                      const RowIds& ids, const std::vector<arrow::Array>& columns) {
    return write_file(store, column_ids(table), ids, columns);
}

Result<SegmentFilesPtr> write_columns(Store& store, const catalog::TableDef& table,
                                      std::span<const uint32_t> positions,
                                      const std::vector<arrow::Array>& columns) {
    std::vector<uint32_t> of_columns;
    for (uint32_t position : positions) of_columns.push_back(table.columns[position].id);
    const auto rows = static_cast<uint64_t>(columns.at(0).length);
    return write_file(store, of_columns, RowIds::dense(0, rows), columns);
}

}  // namespace trefoil::table
