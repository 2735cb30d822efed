// FileWriter: tmp/ first, then sync, rename, sync of the directory; only then may the root name it.

#include <algorithm>

#include "base/check.h"
#include "base/hash.h"
#include "storage/store.h"

namespace trefoil {
namespace {

// Bytes per write call, a multiple of the hashed block.
constexpr uint64_t kWriteBytes = uint64_t{1} << 20;
static_assert(kWriteBytes % kFileBlockBytes == 0);

}  // namespace

FileWriter::FileWriter(Store& store, FileName name) : store_(store), name_(name) {
    std::string flat = to_string(name);
    std::replace(flat.begin(), flat.end(), '/', '-');
    tmp_path_ = store.path_of("tmp") + "/" + flat;
}

FileWriter::~FileWriter() {
    if (!finished_) discard();
}

void FileWriter::discard() {
    if (file_ == nullptr) return;
    file_.reset();
    // What cannot be removed now is wiped when the database is opened again.
    (void)store_.vfs_.remove(tmp_path_);
}

Status FileWriter::begin() {
    ASSIGN_OR_RETURN(file_, store_.vfs_.open(tmp_path_, OpenMode::kCreate));
    Writer header;
    header.bytes(kFileMagic);
    header.u32(kFileFormatVersion);
    header.u32(static_cast<uint32_t>(name_.kind));
    header.bytes({reinterpret_cast<const char*>(store_.uuid().data()), store_.uuid().size()});
    header.u64(name_.id);
    header.u64(0);
    header.align(kFileHeaderBytes);
    return put(header.data());
}

Status FileWriter::write_blocks(Bytes data) {
    for (uint64_t done = 0; done < data.size(); done += kFileBlockBytes) {
        hashes_.push_back(hash_bytes(data.substr(done, kFileBlockBytes), hashes_.size()));
    }
    Status status = file_->write(written_, data);
    written_ += data.size();
    if (!status.ok()) discard();
    return status;
}

Status FileWriter::put(Bytes data) {
    size_ += data.size();
    if (!buffer_.empty() || data.size() < kWriteBytes) {
        Bytes head = data.substr(0, kWriteBytes - buffer_.size());
        buffer_.append(head);
        data.remove_prefix(head.size());
        if (buffer_.size() < kWriteBytes) return {};
        RETURN_IF_ERROR(write_blocks(buffer_));
        buffer_.clear();
    }
    while (data.size() >= kWriteBytes) {
        RETURN_IF_ERROR(write_blocks(data.substr(0, kWriteBytes)));
        data.remove_prefix(kWriteBytes);
    }
    buffer_.append(data);
    return {};
}

Status FileWriter::align() {
    static constexpr char kZeros[kFileAlignment] = {};
    return put({kZeros, (kFileAlignment - size_ % kFileAlignment) % kFileAlignment});
}

Result<uint64_t> FileWriter::append(Bytes data) {
    CHECK(file_ != nullptr);
    RETURN_IF_ERROR(align());
    uint64_t offset = size_;
    RETURN_IF_ERROR(put(data));
    return offset;
}

Status FileWriter::extend(Bytes data) {
    CHECK(file_ != nullptr);
    return put(data);
}

Status FileWriter::finish(Bytes directory) {
    ASSIGN_OR_RETURN(uint64_t directory_offset, append(directory));
    RETURN_IF_ERROR(align());
    const uint64_t body_bytes = size_;
    RETURN_IF_ERROR(write_blocks(buffer_));
    buffer_.clear();
    Writer table;
    for (uint64_t hash : hashes_) table.u64(hash);
    Writer trailer;
    trailer.u64(body_bytes);
    trailer.u64(directory_offset);
    trailer.u64(directory.size());
    trailer.u64(name_.id);
    trailer.u32(kFileBlockBytes);
    trailer.u32(static_cast<uint32_t>(name_.kind));
    trailer.u64(hash_bytes(table.data()));
    trailer.u64(hash_bytes(trailer.data()));
    trailer.bytes(kFileEndMagic);
    const std::string end = table.data() + trailer.data();
    size_ += end.size();
    Status status = file_->write(body_bytes, end);
    if (!status.ok()) discard();
    return status.ok() ? publish() : status;
}

// A failed sync leaves pages that the kernel calls clean and the disk does not have: the store
// stops.
Status FileWriter::publish() {
    Vfs& vfs = store_.vfs_;
    if (Status status = file_->sync(); !status.ok()) {
        discard();
        return store_.stopped_by(status);
    }
    const std::string final_path = store_.path_of(to_string(name_));
    if (Status status = vfs.rename(tmp_path_, final_path); !status.ok()) {
        discard();
        return status;
    }
    finished_ = true;
    file_.reset();
    Status status = vfs.sync_dir(store_.path_of(directory_of(name_.kind)));
    if (!status.ok()) {
        (void)vfs.remove(final_path);  // an orphan, swept at the next open at the latest
        return store_.stopped_by(status);
    }
    return {};
}

}  // namespace trefoil
