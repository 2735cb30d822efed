// DataFile: checks the frame of a file when it is opened, and each block when it is first touched.

#include "storage/data_file.h"

#include <algorithm>

#include "base/check.h"
#include "base/hash.h"

namespace trefoil {
namespace {

constexpr uint64_t kHashBytes = 8;

uint64_t u64_at(const char* bytes) {
    uint64_t v;
    std::memcpy(&v, bytes, sizeof v);
    return v;
}

}  // namespace

std::string_view directory_of(FileKind kind) {
    switch (kind) {
        case FileKind::kSegment:
            return "seg";
        case FileKind::kIndexRun:
            return "idx";
        case FileKind::kAdjacency:
            return "gph";
        case FileKind::kVectorGraph:
            return "vec";
    }
    CHECK(false);
}

std::string_view suffix_of(FileKind kind) {
    switch (kind) {
        case FileKind::kSegment:
            return ".seg";
        case FileKind::kIndexRun:
            return ".run";
        case FileKind::kAdjacency:
            return ".csr";
        case FileKind::kVectorGraph:
            return ".hnsw";
    }
    CHECK(false);
}

std::string to_string(const FileName& name) {
    return std::string(directory_of(name.kind)) + "/" + digits_of(name.id) +
           std::string(suffix_of(name.kind));
}

std::string digits_of(FileId id) {
    char digits[17];
    std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(id));
    return digits;
}

DataFile::DataFile(FileName name, std::string path, std::shared_ptr<const FileMap> map,
                   std::shared_ptr<OpenFiles> open_files)
    : name_(name),
      path_(std::move(path)),
      map_(std::move(map)),
      open_files_(std::move(open_files)) {}

DataFile::~DataFile() {
    std::lock_guard guard(open_files_->mutex);
    auto at = open_files_->files.find(name_);
    if (at != open_files_->files.end() && at->second.expired()) open_files_->files.erase(at);
    // What cannot be removed now is swept at the next open.
    if (discarded_ && open_files_->vfs != nullptr) (void)open_files_->vfs->remove(path_);
}

Status DataFile::damaged(std::string_view what) const {
    return Status::corruption("the data file " + path_ + " is damaged: " + std::string(what))
        .with_hint("Restore the database from a backup.");
}

Status DataFile::load(const DatabaseId& database) {
    const uint64_t size = map_->size();
    if (size < kFileHeaderBytes + kHashBytes + kFileTrailerBytes) {
        return damaged("it has only " + std::to_string(size) + " bytes");
    }
    RETURN_IF_ERROR(map_->populate(0, kFileHeaderBytes));
    RETURN_IF_ERROR(map_->populate(size - kFileTrailerBytes, kFileTrailerBytes));
    Reader header(map_->bytes().substr(0, kFileHeaderBytes));
    if (header.bytes(kFileMagic.size()) != kFileMagic) return damaged("its first bytes are wrong");
    if (uint32_t version = header.u32(); version > kFileFormatVersion) {
        return Status::unsupported("the data file " + path_ + " has format version " +
                                   std::to_string(version) + "; this program knows version " +
                                   std::to_string(kFileFormatVersion))
            .with_hint("Use a newer version of Trefoil.");
    }
    Bytes trailer = map_->bytes().substr(size - kFileTrailerBytes);
    if (trailer.substr(56) != kFileEndMagic ||
        u64_at(trailer.data() + 48) != hash_bytes(trailer.substr(0, 48))) {
        return damaged("its end is missing or wrong");
    }
    uint32_t kind = header.u32();
    Bytes uuid = header.bytes(database.size());
    FileId id = header.u64();
    if (kind != static_cast<uint32_t>(name_.kind) || id != name_.id) {
        return damaged("it is another file under this name");
    }
    if (header.u64() != 0) {
        return Status::unsupported("the data file " + path_ + " uses features of a newer version")
            .with_hint("Use a newer version of Trefoil.");
    }
    if (std::memcmp(uuid.data(), database.data(), database.size()) != 0) {
        return damaged("it belongs to another database");
    }
    Reader end(trailer);
    body_bytes_ = end.u64();
    directory_offset_ = end.u64();
    directory_bytes_ = end.u64();
    FileId end_id = end.u64();
    uint32_t block_bytes = end.u32();
    blocks_ = (body_bytes_ + kFileBlockBytes - 1) / kFileBlockBytes;
    if (end_id != id || block_bytes != kFileBlockBytes || end.u32() != kind || size < body_bytes_ ||
        size - body_bytes_ != blocks_ * kHashBytes + kFileTrailerBytes) {
        return damaged("its size does not fit its end");
    }
    RETURN_IF_ERROR(map_->populate(body_bytes_, blocks_ * kHashBytes));
    if (hash_bytes(map_->bytes().substr(body_bytes_, blocks_ * kHashBytes)) != end.u64()) {
        return damaged("its table of checksums is wrong");
    }
    verified_ = std::make_unique<std::atomic<uint64_t>[]>((blocks_ + 63) / 64);
    return {};
}

Status DataFile::verify_block(uint64_t block) const {
    const uint64_t begin = block * kFileBlockBytes;
    const uint64_t length = std::min(kFileBlockBytes, body_bytes_ - begin);
    const uint64_t expected = u64_at(map_->data() + body_bytes_ + block * kHashBytes);
    if (hash_bytes(map_->bytes().substr(begin, length), block) != expected) {
        return damaged("block " + std::to_string(block) + " (bytes " + std::to_string(begin) +
                       " to " + std::to_string(begin + length - 1) +
                       ") does not match its checksum");
    }
    verified_[block / 64].fetch_or(uint64_t{1} << (block % 64), std::memory_order_relaxed);
    return {};
}

Result<Bytes> DataFile::read(uint64_t offset, uint64_t length) const {
    if (offset > body_bytes_ || length > body_bytes_ - offset) {
        return damaged("bytes " + std::to_string(offset) + " to " +
                       std::to_string(offset + length) +
                       " were asked for, but its sections end at " + std::to_string(body_bytes_));
    }
    if (length == 0) return raw_bytes().substr(offset, 0);
    bool populated = false;
    for (uint64_t block = offset / kFileBlockBytes;
         block <= (offset + length - 1) / kFileBlockBytes; ++block) {
        uint64_t bits = verified_[block / 64].load(std::memory_order_relaxed);
        if (bits >> (block % 64) & 1) continue;
        if (!populated) {
            uint64_t begin = block * kFileBlockBytes;
            RETURN_IF_ERROR(map_->populate(begin, offset + length - begin));
            populated = true;
        }
        RETURN_IF_ERROR(verify_block(block));
    }
    return Bytes(map_->data() + offset, length);
}

Status DataFile::populate(uint64_t offset, uint64_t length) const {
    return map_->populate(offset, length);
}

Status DataFile::verify_all() const {
    for (uint64_t block = 0; block < blocks_; ++block) {
        RETURN_IF_ERROR(map_->populate(block * kFileBlockBytes, kFileBlockBytes));
        RETURN_IF_ERROR(verify_block(block));
    }
    return {};
}

}  // namespace trefoil
