// Vfs: every file that the store touches, behind one small interface.
//
//     PosixVfs disk;                           // the real thing
//     MemoryVfs memory;                        // heap buffers: in-memory databases, fast tests
//     FaultVfs faulty(disk);                   // fails, lies or kills at the n-th call
//     (fault_vfs.h) RecordVfs recorded(disk);                // remembers, to rebuild power-loss
//     states (record_vfs.h)
//
// That is how crash safety is tested: the same Store runs over any of them. LMDB does its own I/O
// on root/data.mdb; so that faults reach it too, the Store announces what it is about to ask of
// LMDB through before_root() and after_root_commit().
//
// Errors: a missing file is kNotFound (58P01); a full disk is kIo with SQLSTATE 53100; missing
// rights are kIo with 42501; everything else is kIo with 58030. The message names the path and the
// cause.
//
// Threads: a Vfs and its files may be used by many threads at once. Tested by vfs_test.cpp.

#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "trefoil/status.h"

namespace trefoil {

// What a call does; FaultVfs chooses by it, RecordVfs writes it down.
enum class VfsOp : uint8_t {
    kOpen,
    kRead,
    kWrite,
    kSync,
    kSyncDir,
    kRename,
    kRemove,
    kMakeDir,
    kList,
    kStat,
    kLock,
    kMap,
    kPopulate,
    kRootOpen,    // LMDB opens root/data.mdb
    kRootCommit,  // LMDB commits: writes and syncs
    kRootCopy,    // LMDB writes a compacted copy
};
inline constexpr int kVfsOps = 16;
std::string_view name_of(VfsOp op);

// The bytes of a whole file, read-only, as they were when it was mapped. The address is a multiple
// of 4096. They live as long as this object, also when the file is renamed or removed meanwhile.
class FileMap {
public:
    virtual ~FileMap() = default;
    virtual const char* data() const = 0;
    virtual uint64_t size() const = 0;
    // Brings a range into memory, so that touching it is quick and an unreadable disk is an error
    // here instead of a SIGBUS later. Does nothing where the kernel does not know
    // MADV_POPULATE_READ.
    virtual Status populate(uint64_t offset, uint64_t length) const = 0;

    Bytes bytes() const { return {data(), static_cast<size_t>(size())}; }
};

// One open file. Destroying it closes it (and syncs nothing).
class VfsFile {
public:
    virtual ~VfsFile() = default;
    // Reads into `into` from `offset`; the answer is how many bytes, fewer only at the end of the
    // file.
    virtual Result<size_t> read(uint64_t offset, std::span<char> into) = 0;
    // Writes all of `data` at `offset`, growing the file. After an error any part may be written.
    virtual Status write(uint64_t offset, Bytes data) = 0;
    // Makes contents and size durable. After an error the file must be written anew, elsewhere.
    virtual Status sync() = 0;
    virtual Result<uint64_t> size() = 0;
    virtual Result<std::shared_ptr<const FileMap>> map() = 0;
};

// Held until destroyed, or until the process ends.
class VfsLock {
public:
    virtual ~VfsLock() = default;
};

enum class OpenMode : uint8_t {
    kRead,       // it must exist
    kReadWrite,  // it must exist
    kCreate,     // it must not exist
};

struct FileStat {
    enum class Kind : uint8_t { kMissing, kFile, kDirectory, kOther };
    Kind kind = Kind::kMissing;
    uint64_t size = 0;
    // Together they name the file whatever its path; 0, 0 if missing.
    uint64_t device = 0;
    uint64_t inode = 0;

    bool exists() const { return kind != Kind::kMissing; }
    bool is_directory() const { return kind == Kind::kDirectory; }
};

class Vfs {
public:
    virtual ~Vfs() = default;

    virtual Result<std::unique_ptr<VfsFile>> open(const std::string& path, OpenMode mode) = 0;
    // A missing file is an answer here, not an error.
    virtual Result<FileStat> stat(const std::string& path) = 0;
    // Names (not paths) of what a directory holds, sorted.
    virtual Result<std::vector<std::string>> list(const std::string& path) = 0;
    // Not an error if the directory is there already. The parent must exist.
    virtual Status make_dir(const std::string& path) = 0;
    // Atomically; replaces a file at `to`. A directory moves only to where nothing is.
    virtual Status rename(const std::string& from, const std::string& to) = 0;
    // A file, a link (not what it points to), or an empty directory; kConflict if it is not empty.
    virtual Status remove(const std::string& path) = 0;
    // Gives the file `from` a second name; false where that cannot be done (another file system),
    // and the caller copies. For files that are never changed.
    virtual Result<bool> link(const std::string& /*from*/, const std::string& /*to*/) {
        return false;
    }
    // Makes the names in a directory durable: creations, renames, removals.
    virtual Status sync_dir(const std::string& path) = 0;
    // An exclusive lock among processes on the file `path`, which is created and holds the owner's
    // process id as text. Never waits: kConflict (55006), naming that process, if another holds it.
    virtual Result<std::unique_ptr<VfsLock>> lock(const std::string& path) = 0;
    // The kind of network file system that `path` lies on ("nfs"), or "" for a local one.
    virtual Result<std::string> network_file_system(const std::string& path) = 0;
    // Bytes that may still be written near `path`; used to explain errors.
    virtual Result<uint64_t> free_bytes(const std::string& path) = 0;
    // False for MemoryVfs: paths mean nothing to the kernel.
    virtual bool on_disk() const = 0;

    // Called before LMDB does `op` on `path`; an error is taken as if LMDB had met it.
    virtual Status before_root(VfsOp op, const std::string& path) = 0;
    // Called when LMDB has made a commit durable.
    virtual void after_root_commit(const std::string& path) = 0;
};

// The Status for an errno: "cannot write /a/b: No space left on device".
Status status_from_errno(int error, std::string_view verb, const std::string& path);

// True for "disk is full" (SQLSTATE 53100).
bool is_disk_full(const Status& status);

// The file system of this machine.
class PosixVfs final : public Vfs {
public:
    Result<std::unique_ptr<VfsFile>> open(const std::string& path, OpenMode mode) override;
    Result<FileStat> stat(const std::string& path) override;
    Result<std::vector<std::string>> list(const std::string& path) override;
    Status make_dir(const std::string& path) override;
    Status rename(const std::string& from, const std::string& to) override;
    Status remove(const std::string& path) override;
    Result<bool> link(const std::string& from, const std::string& to) override;
    Status sync_dir(const std::string& path) override;
    Result<std::unique_ptr<VfsLock>> lock(const std::string& path) override;
    Result<std::string> network_file_system(const std::string& path) override;
    Result<uint64_t> free_bytes(const std::string& path) override;
    bool on_disk() const override { return true; }
    Status before_root(VfsOp, const std::string&) override { return {}; }
    void after_root_commit(const std::string&) override {}
};

// Files in the heap of this process. Nothing is durable; sync() only gives unused memory back.
// Paths are plain text: "a//b" and "a/b" are two names. Locks exclude within the process.
class MemoryVfs final : public Vfs {
public:
    MemoryVfs();
    ~MemoryVfs() override;

    Result<std::unique_ptr<VfsFile>> open(const std::string& path, OpenMode mode) override;
    Result<FileStat> stat(const std::string& path) override;
    Result<std::vector<std::string>> list(const std::string& path) override;
    Status make_dir(const std::string& path) override;
    Status rename(const std::string& from, const std::string& to) override;
    Status remove(const std::string& path) override;
    Status sync_dir(const std::string& path) override;
    Result<std::unique_ptr<VfsLock>> lock(const std::string& path) override;
    Result<std::string> network_file_system(const std::string&) override { return std::string(); }
    Result<uint64_t> free_bytes(const std::string&) override { return uint64_t{1} << 40; }
    bool on_disk() const override { return false; }
    Status before_root(VfsOp, const std::string&) override { return {}; }
    void after_root_commit(const std::string&) override {}

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace trefoil
