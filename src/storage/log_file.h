// LogFile: one file of the commit log, in which a commit is one write in place and one sync.
//
//     ASSIGN_OR_RETURN(auto file, LogFile::create(vfs, path, {uuid, id}, 4 << 20));
//     RETURN_IF_ERROR(file->append({root_version, first_xid}, records));     // durable now
//     ASSIGN_OR_RETURN(uint64_t last, file->last_xid(file->frames_of(root_version)));
//
// What one append() wrote is a frame. Frames keep the order in which they were written, and with it
// that of their xids and root versions, so what a snapshot sees of a file is a number: its first n
// frames. Format: log_file_format.h.
//
// Threads: every function may be called by any thread; append() by one at a time. Tested by
// log_file_test.cpp.

#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "storage/data_file.h"
#include "storage/vfs.h"

namespace trefoil {

// What belongs to a log file and is not in it.
struct LogFileName {
    DatabaseId database{};
    FileId id = 0;
};

class LogFile {
public:
    // A new file of `bytes` at `path`, durable under its name. It is removed again if that fails.
    static Result<std::shared_ptr<LogFile>> create(Vfs& vfs, const std::string& path,
                                                   const LogFileName& name, uint64_t bytes);
    // A file that is there, with the frames in it. `may_grow`: another process is perhaps writing
    // it, so that what looks damaged is looked at again for a while. kNotFound (58P01) if there is
    // none, kCorruption if it is damaged.
    static Result<std::shared_ptr<LogFile>> open(Vfs& vfs, const std::string& path,
                                                 const LogFileName& name, bool may_grow);

    FileId id() const { return id_; }

    // Whether a frame of these records fits behind the others.
    bool has_room_for(std::span<const Bytes> records) const;

    // Whether less than a quarter is left.
    bool is_nearly_full() const;

    // Writes a frame and makes it durable. The records have the xids first_xid, first_xid + 1, ...
    // After an error nobody knows whether the frame is there: the store must stop.
    // REQUIRES: the file was made by create(), has room, and first_xid and root_version are above
    // or as high as those before.
    struct Place {
        uint64_t root_version = 0;
        uint64_t first_xid = 0;
    };
    Status append(const Place& place, std::span<const Bytes> records);

    // Looks for frames that another process has appended since.
    Status look();
    // Makes durable what was read: it may have come from a process that died before its sync.
    Status sync();

    // How many frames a snapshot of this root version sees.
    size_t frames_of(uint64_t root_version) const;
    // The xid of the last record in the first `frames` frames; 0 if there are none.
    uint64_t last_xid(size_t frames) const;
    // Calls `visit` for the records with from <= xid < to of the first `frames` frames, in order.
    // The bytes are valid during the call. kCorruption if they do not fit their checksums.
    using RecordVisitor = std::function<Status(uint64_t xid, Bytes record)>;
    Status read(size_t frames, uint64_t from, uint64_t to, const RecordVisitor& visit) const;

private:
    struct Frame {
        uint64_t at = 0;     // in the file
        uint64_t bytes = 0;  // of content
        uint64_t checksum = 0;
        uint32_t records = 0;
        Place place;
        uint64_t end() const;
        uint64_t last_xid() const { return place.first_xid + records - 1; }
    };
    // What stands where a frame may be.
    enum class Found : uint8_t { kFrame, kNothing, kDamage };

    LogFile(std::unique_ptr<VfsFile> file, std::string path, const LogFileName& name,
            bool may_grow);
    Status read_header();
    // The answer is damage where another look may help.
    Result<Found> find_frame(uint64_t at, Frame* frame) const;
    Result<Found> read_content(uint64_t at, uint64_t bytes, std::string* content) const;
    Result<Found> read_frame(const Frame& frame, std::string* content) const;
    // What the beginning of a frame's content says; nothing if it is damaged.
    std::optional<Frame> read_frame_header(uint64_t at, Bytes content) const;
    std::vector<Frame> frames_with(size_t frames, uint64_t from, uint64_t to) const;
    Status damaged(uint64_t at) const;
    uint64_t end() const;  // of the last frame; under mutex_

    const std::unique_ptr<VfsFile> file_;
    const std::string path_;
    const FileId id_;
    const uint64_t salt_;
    const bool may_grow_;
    uint64_t size_ = 0;

    mutable std::mutex mutex_;  // guards what follows
    std::vector<Frame> frames_;
};

}  // namespace trefoil
