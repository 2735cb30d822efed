// DataFile and FileWriter: bulk bytes beside the root, in files that are written once.
//
//     ASSIGN_OR_RETURN(auto writer, store.create_file(FileKind::kSegment));
//     ASSIGN_OR_RETURN(uint64_t offset, writer->append(column));      // 64-byte aligned
//     RETURN_IF_ERROR(writer->finish(directory));                     // durable, final name
//     ... name writer->id() in the manifest, in one WriteTransaction ...
//
//     ASSIGN_OR_RETURN(auto file, store.open_file(FileKind::kSegment, id));
//     ASSIGN_OR_RETURN(Bytes column, file->read(offset, length));     // a view of the mapped file
//
// A file that no committed manifest names is garbage: whoever knows that calls discard(), and the
// file goes with its last holder; what a crash leaves behind is found by Store::sweep_orphans().
// Each block of 64 KiB carries a checksum that is verified when it is first touched in this
// process; damage is kCorruption naming file and block, never wrong data. Format: file_format.h.
//
// Threads: a DataFile may be read by many; a FileWriter belongs to one thread at a time.
// Tested by data_file_test.cpp.

#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "storage/file_format.h"
#include "storage/vfs.h"
#include "trefoil/status.h"

namespace trefoil {

class Store;

using DatabaseId = std::array<uint8_t, 16>;

// The numbers are stored: append, never reorder.
enum class FileKind : uint32_t {
    kSegment = 1,      // seg/<id>.seg
    kIndexRun = 2,     // idx/<id>.run
    kAdjacency = 3,    // gph/<id>.csr
    kVectorGraph = 4,  // vec/<id>.hnsw
};
inline constexpr FileKind kFileKinds[] = {FileKind::kSegment, FileKind::kIndexRun,
                                          FileKind::kAdjacency, FileKind::kVectorGraph};
std::string_view directory_of(FileKind kind);  // "seg"
std::string_view suffix_of(FileKind kind);     // ".seg"

// Ids are unique in a database over all kinds and are not used again while a file of that id
// exists.
using FileId = uint64_t;

struct FileName {
    FileKind kind;
    FileId id;
    auto operator<=>(const FileName&) const = default;
};
// "seg/0000000000000007.seg"
std::string to_string(const FileName& name);
// 16 hexadecimal digits, as names of files have them.
std::string digits_of(FileId id);

class DataFile;

// The files that a store has open, shared by the store and by them, because they may outlive it.
struct OpenFiles {
    std::mutex mutex;
    Vfs* vfs = nullptr;  // null once the store is closed or has stopped: nothing is removed then
    std::map<FileName, std::weak_ptr<const DataFile>> files;
};

class DataFile {
public:
    // Removes the file from disk if it was discarded.
    ~DataFile();
    DataFile(const DataFile&) = delete;
    DataFile& operator=(const DataFile&) = delete;

    // `length` bytes from `offset`, as FileWriter::append() placed them. Verifies each block that
    // is touched for the first time. The view lives as long as this object; its address is 64-byte
    // aligned where `offset` is. A range outside the sections is kCorruption.
    Result<Bytes> read(uint64_t offset, uint64_t length) const;

    // What was given to FileWriter::finish().
    Result<Bytes> directory() const { return read(directory_offset_, directory_bytes_); }

    // The whole file as it lies on disk, unverified: what a copy of it must hold.
    Bytes raw_bytes() const { return map_->bytes(); }

    // Brings a range into memory ahead of a scan, so that touching it is quick.
    Status populate(uint64_t offset, uint64_t length) const;

    // Reads and verifies every block again, also those verified before.
    Status verify_all() const;

    // The file is removed from disk with the last holder of this object: no committed manifest
    // names it, or none does any more. A store that has stopped removes nothing, because nobody
    // knows which manifest the disk holds.
    void discard() const { discarded_.store(true); }

    const FileName& name() const { return name_; }
    const std::string& path() const { return path_; }
    // Bytes of the whole file on disk.
    uint64_t size() const { return map_->size(); }

private:
    friend class Store;
    DataFile(FileName name, std::string path, std::shared_ptr<const FileMap> map,
             std::shared_ptr<OpenFiles> open_files);
    // Checks header, trailer and hash table, and learns the layout from them.
    Status load(const DatabaseId& database);
    Status verify_block(uint64_t block) const;
    Status damaged(std::string_view what) const;

    FileName name_;
    std::string path_;
    std::shared_ptr<const FileMap> map_;
    uint64_t body_bytes_ = 0;
    uint64_t directory_offset_ = 0;
    uint64_t directory_bytes_ = 0;
    uint64_t blocks_ = 0;
    std::unique_ptr<std::atomic<uint64_t>[]> verified_;  // one bit per block
    std::shared_ptr<OpenFiles> open_files_;
    mutable std::atomic<bool> discarded_{false};
};

class FileWriter {
public:
    // Removes the file unless finish() succeeded.
    ~FileWriter();
    FileWriter(const FileWriter&) = delete;
    FileWriter& operator=(const FileWriter&) = delete;

    // Writes `data` as the next section; the answer is its offset, a multiple of 64.
    // After an error the file is gone; call nothing but the destructor. A full disk (53100) or any
    // other failed write does not stop the store; a failed sync does.
    Result<uint64_t> append(Bytes data);

    // Adds to the section that append() began last: its bytes follow without a gap.
    Status extend(Bytes data);

    // Writes `directory`, checksums and trailer, makes the file durable and gives it its final
    // name.
    Status finish(Bytes directory);

    FileId id() const { return name_.id; }
    const FileName& name() const { return name_; }
    // Bytes so far; after finish(), bytes of the file.
    uint64_t size() const { return size_; }

private:
    friend class Store;
    FileWriter(Store& store, FileName name);
    Status begin();
    Status put(Bytes data);
    Status align();
    Status write_blocks(Bytes data);
    Status publish();
    void discard();

    Store& store_;
    FileName name_;
    std::string tmp_path_;
    std::unique_ptr<VfsFile> file_;
    std::string buffer_;    // what comes after written_
    uint64_t written_ = 0;  // a multiple of kWriteBytes until finish()
    uint64_t size_ = 0;
    std::vector<uint64_t> hashes_;
    bool finished_ = false;
};

}  // namespace trefoil
