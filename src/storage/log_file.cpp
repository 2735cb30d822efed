// LogFile: contents to sectors and back, and the search for frames.

#include "storage/log_file.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "base/check.h"
#include "base/hash.h"
#include "storage/log_file_format.h"
#include "storage/open_stores.h"

namespace trefoil {
namespace {

// A frame that another process is writing is whole after microseconds.
constexpr int kLooksMax = 200;
constexpr auto kBetweenLooks = std::chrono::milliseconds(1);

constexpr Bytes kNoMark("\0\0", 2);

uint64_t sectors_of(uint64_t content_bytes) {
    return (content_bytes + kLogSectorContentBytes - 1) / kLogSectorContentBytes;
}

uint64_t content_of(std::span<const Bytes> records) {
    uint64_t bytes = kLogFrameHeaderBytes;
    for (Bytes record : records) bytes += sizeof(uint32_t) + record.size();
    return bytes;
}

std::string to_sectors(Bytes content) {
    std::string sectors;
    sectors.reserve(sectors_of(content.size()) * kLogSectorBytes);
    for (size_t at = 0; at < content.size(); at += kLogSectorContentBytes) {
        const Bytes piece = content.substr(at, kLogSectorContentBytes);
        sectors.append(kLogSectorHead).append(piece);
        sectors.append(kLogSectorContentBytes - piece.size(), '\0').append(kLogSectorTail);
    }
    return sectors;
}

std::string encode_header(uint64_t file_bytes, uint64_t salt) {
    Writer header;
    header.bytes(kLogFileMagic);
    header.u32(kLogFileFormatVersion);
    header.u64(file_bytes);
    header.u64(hash_bytes(header.data(), salt));
    return header.take();
}

std::string encode_frame(const LogFile::Place& place, std::span<const Bytes> records,
                         uint64_t seed) {
    Writer body;
    for (Bytes record : records) body.str(record);
    Writer frame;
    frame.u32(static_cast<uint32_t>(kLogFrameHeaderBytes + body.size()));
    frame.u32(static_cast<uint32_t>(records.size()));
    frame.u64(place.root_version);
    frame.u64(place.first_xid);
    frame.u64(hash_bytes(body.data(), seed));
    frame.u64(hash_bytes(frame.data(), seed));
    frame.bytes(body.data());
    return frame.take();
}

}  // namespace

uint64_t LogFile::Frame::end() const {
    return at + sectors_of(bytes) * kLogSectorBytes;
}

LogFile::LogFile(std::unique_ptr<VfsFile> file, std::string path, const LogFileName& name,
                 bool may_grow)
    : file_(std::move(file)),
      path_(std::move(path)),
      id_(name.id),
      salt_(hash_bytes({reinterpret_cast<const char*>(name.database.data()), name.database.size()},
                       name.id)),
      may_grow_(may_grow) {}

Result<std::shared_ptr<LogFile>> LogFile::create(Vfs& vfs, const std::string& path,
                                                 const LogFileName& name, uint64_t bytes) {
    ASSIGN_OR_RETURN(std::unique_ptr<VfsFile> raw, vfs.open(path, OpenMode::kCreate));
    std::shared_ptr<LogFile> file(new LogFile(std::move(raw), path, name, /*may_grow=*/false));
    file->size_ = bytes / kLogSectorBytes * kLogSectorBytes;
    std::string contents = to_sectors(encode_header(file->size_, file->salt_));
    contents.resize(file->size_);
    Status status = file->file_->write(0, contents);
    if (status.ok()) status = file->file_->sync();
    if (status.ok()) status = vfs.sync_dir(parent_directory(path));
    if (status.ok()) return file;
    (void)vfs.remove(path);
    return status;
}

Result<std::shared_ptr<LogFile>> LogFile::open(Vfs& vfs, const std::string& path,
                                               const LogFileName& name, bool may_grow) {
    ASSIGN_OR_RETURN(std::unique_ptr<VfsFile> raw, vfs.open(path, OpenMode::kRead));
    std::shared_ptr<LogFile> file(new LogFile(std::move(raw), path, name, may_grow));
    RETURN_IF_ERROR(file->read_header());
    RETURN_IF_ERROR(file->look());
    return file;
}

Status LogFile::read_header() {
    ASSIGN_OR_RETURN(size_, file_->size());
    std::string found(kLogSectorBytes, '\0');
    ASSIGN_OR_RETURN(size_t got, file_->read(0, found));
    // What differs is the version of a newer format, or damage.
    if (got == found.size() && found == to_sectors(encode_header(size_, salt_))) return {};
    Reader reader(found);
    const bool ours = reader.bytes(kLogSectorHead.size()) == kLogSectorHead &&
                      reader.bytes(kLogFileMagic.size()) == kLogFileMagic;
    if (!ours || reader.u32() <= kLogFileFormatVersion) return damaged(0);
    return Status::unsupported(path_ + " was written by a newer version of Trefoil")
        .with_hint("Use a newer version of Trefoil.");
}

Status LogFile::damaged(uint64_t at) const {
    return Status::corruption("the commit log is damaged: " + path_ + " at offset " +
                              std::to_string(at));
}

uint64_t LogFile::end() const {
    return frames_.empty() ? kLogSectorBytes : frames_.back().end();
}

bool LogFile::has_room_for(std::span<const Bytes> records) const {
    std::lock_guard guard(mutex_);
    return end() + sectors_of(content_of(records)) * kLogSectorBytes <= size_;
}

bool LogFile::is_nearly_full() const {
    std::lock_guard guard(mutex_);
    return size_ - end() < size_ / 4;
}

Status LogFile::append(const Place& place, std::span<const Bytes> records) {
    uint64_t at;
    {
        std::lock_guard guard(mutex_);
        CHECK(frames_.empty() || (frames_.back().last_xid() < place.first_xid &&
                                  frames_.back().place.root_version <= place.root_version));
        at = end();
    }
    const std::string content = encode_frame(place, records, salt_ + at);
    RETURN_IF_ERROR(file_->write(at, to_sectors(content)));
    RETURN_IF_ERROR(file_->sync());
    std::lock_guard guard(mutex_);
    frames_.push_back(*read_frame_header(at, content));
    return {};
}

Status LogFile::sync() {
    return file_->sync();
}

Status LogFile::look() {
    std::lock_guard guard(mutex_);
    for (int looks = 1;;) {
        Frame frame;
        const uint64_t at = end();
        ASSIGN_OR_RETURN(Found found, find_frame(at, &frame));
        if (found == Found::kNothing) return {};
        if (found == Found::kFrame) {
            frames_.push_back(frame);
            looks = 1;
            continue;
        }
        if (!may_grow_ || looks++ == kLooksMax) return damaged(at);
        std::this_thread::sleep_for(kBetweenLooks);
    }
}

Result<LogFile::Found> LogFile::find_frame(uint64_t at, Frame* frame) const {
    std::string content;
    ASSIGN_OR_RETURN(Found found, read_content(at, kLogFrameHeaderBytes, &content));
    if (found != Found::kFrame) return found;
    const std::optional<Frame> header = read_frame_header(at, content);
    if (!header) return Found::kDamage;
    *frame = *header;
    return read_frame(*frame, &content);
}

std::optional<LogFile::Frame> LogFile::read_frame_header(uint64_t at, Bytes content) const {
    Reader reader(content);
    Frame frame;
    frame.at = at;
    frame.bytes = reader.u32();
    frame.records = reader.u32();
    frame.place.root_version = reader.u64();
    frame.place.first_xid = reader.u64();
    frame.checksum = reader.u64();
    const uint64_t expected = hash_bytes(content.substr(0, reader.position()), salt_ + at);
    if (reader.u64() != expected || frame.bytes < kLogFrameHeaderBytes) return std::nullopt;
    return frame;
}

Result<LogFile::Found> LogFile::read_frame(const Frame& frame, std::string* content) const {
    ASSIGN_OR_RETURN(Found found, read_content(frame.at, frame.bytes, content));
    if (found != Found::kFrame) return found;
    const Bytes body = Bytes(*content).substr(kLogFrameHeaderBytes);
    return hash_bytes(body, salt_ + frame.at) == frame.checksum ? Found::kFrame : Found::kDamage;
}

// A sector without a beginning or an end was never written, or not to its end; one that has
// something else there is damaged.
Result<LogFile::Found> LogFile::read_content(uint64_t at, uint64_t bytes,
                                             std::string* content) const {
    const uint64_t sectors = sectors_of(bytes);
    if (at + sectors * kLogSectorBytes > size_) {
        return at >= size_ ? Found::kNothing : Found::kDamage;
    }
    std::string raw(sectors * kLogSectorBytes, '\0');
    ASSIGN_OR_RETURN(size_t got, file_->read(at, raw));
    if (got != raw.size()) return damaged(at);
    content->clear();
    bool damage = false;
    for (size_t sector = 0; sector < raw.size(); sector += kLogSectorBytes) {
        Reader reader(Bytes(raw).substr(sector, kLogSectorBytes));
        const Bytes head = reader.bytes(kLogSectorHead.size());
        content->append(reader.bytes(kLogSectorContentBytes));
        const Bytes tail = reader.bytes(kLogSectorTail.size());
        if (head == kNoMark || tail == kNoMark) return Found::kNothing;
        damage |= head != kLogSectorHead || tail != kLogSectorTail;
    }
    content->resize(bytes);
    return damage ? Found::kDamage : Found::kFrame;
}

size_t LogFile::frames_of(uint64_t root_version) const {
    std::lock_guard guard(mutex_);
    auto past = std::upper_bound(
        frames_.begin(), frames_.end(), root_version,
        [](uint64_t version, const Frame& f) { return version < f.place.root_version; });
    return static_cast<size_t>(past - frames_.begin());
}

uint64_t LogFile::last_xid(size_t frames) const {
    std::lock_guard guard(mutex_);
    return frames == 0 ? 0 : frames_[frames - 1].last_xid();
}

std::vector<LogFile::Frame> LogFile::frames_with(size_t frames, uint64_t from, uint64_t to) const {
    std::lock_guard guard(mutex_);
    auto all = frames_.begin() + static_cast<ptrdiff_t>(frames);
    auto first = std::lower_bound(frames_.begin(), all, from,
                                  [](const Frame& f, uint64_t xid) { return f.last_xid() < xid; });
    auto end = std::lower_bound(
        first, all, to, [](const Frame& f, uint64_t xid) { return f.place.first_xid < xid; });
    return {first, end};
}

Status LogFile::read(size_t frames, uint64_t from, uint64_t to, const RecordVisitor& visit) const {
    std::string content;
    for (const Frame& frame : frames_with(frames, from, to)) {
        ASSIGN_OR_RETURN(Found found, read_frame(frame, &content));
        if (found != Found::kFrame) return damaged(frame.at);
        Reader reader(Bytes(content).substr(kLogFrameHeaderBytes));
        for (uint32_t i = 0; i < frame.records; i++) {
            const Bytes record = reader.str();
            if (!reader.ok()) return damaged(frame.at);
            const uint64_t xid = frame.place.first_xid + i;
            if (xid >= from && xid < to) RETURN_IF_ERROR(visit(xid, record));
        }
    }
    return {};
}

}  // namespace trefoil
