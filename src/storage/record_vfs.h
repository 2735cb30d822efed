// RecordVfs: remembers every change that goes through it, to rebuild what a power loss could leave.
//
//     RecordVfs recorded(disk, "/tmp/t/shop.trefoil");     // start before the directory exists
//     ... run the workload ...
//     for (size_t n = 0; n <= recorded.events(); ++n)
//         recorded.rebuild(disk, "/tmp/t/after", n, {.loss = PowerLoss::Loss::kDropAll});
//         ... open /tmp/t/after and compare ...
//
// The model of the disk: a write is safe once its file was synced after it; a name (creation,
// rename, removal) is safe once its directory was synced after it; what is not safe may or may not
// be there, independently. root/data.mdb is copied after each commit that LMDB reports, because
// LMDB's own writes do not pass here; a rebuilt state has the last copy. Whole contents are kept in
// memory: for tests. Tested by store_fault_test.cpp, with control runs in which a barrier is
// missing.

#pragma once

#include <map>
#include <mutex>

#include "storage/vfs.h"

namespace trefoil {

struct PowerLoss {
    enum class Loss : uint8_t {
        kKeepAll,    // what kill -9 leaves
        kDropAll,    // only what is safe
        kDropBytes,  // unsafe names are there, unsafe bytes are not
        kDropNames,  // unsafe bytes are there, unsafe names are not
        kRandom,     // each unsafe thing by the toss of a coin; bytes in units of 512
    };
    Loss loss = Loss::kDropAll;
    uint64_t seed = 0;
};

class RecordVfs final : public Vfs {
public:
    // Records changes below the directory `path`, which must not exist yet. `base` must outlive
    // this.
    RecordVfs(Vfs& base, std::string path) : base_(base), path_(std::move(path)) {}

    // Changes so far.
    size_t events() const;
    // Makes the directory `target` and in it what a power loss after the first `events` changes
    // leaves.
    Status rebuild(Vfs& vfs, const std::string& target, size_t events, PowerLoss how) const;

    Result<std::unique_ptr<VfsFile>> open(const std::string& path, OpenMode mode) override;
    Result<FileStat> stat(const std::string& path) override { return base_.stat(path); }
    Result<std::vector<std::string>> list(const std::string& path) override {
        return base_.list(path);
    }
    Status make_dir(const std::string& path) override;
    Status rename(const std::string& from, const std::string& to) override;
    Status remove(const std::string& path) override;
    Status sync_dir(const std::string& path) override;
    Result<std::unique_ptr<VfsLock>> lock(const std::string& path) override {
        return base_.lock(path);
    }
    Result<std::string> network_file_system(const std::string& path) override {
        return base_.network_file_system(path);
    }
    Result<uint64_t> free_bytes(const std::string& path) override { return base_.free_bytes(path); }
    bool on_disk() const override { return base_.on_disk(); }
    Status before_root(VfsOp op, const std::string& path) override {
        return base_.before_root(op, path);
    }
    void after_root_commit(const std::string& path) override;

    struct Event {
        enum class Kind : uint8_t {
            kCreate,
            kWrite,
            kSync,
            kMakeDir,
            kRename,
            kRemove,
            kSyncDir,
            kRootCommit,
        };
        Kind kind;
        std::string path;   // inside path_
        std::string to;     // kRename
        uint64_t file = 0;  // kCreate, kWrite, kSync: number of the file
        uint64_t offset = 0;
        std::string bytes;  // kWrite; kRootCommit: the whole root
    };
    // For the files of this Vfs.
    void record(Event event);

private:
    bool inside(const std::string& path) const;
    std::string relative(const std::string& path) const;

    Vfs& base_;
    std::string path_;
    mutable std::mutex mutex_;  // guards what follows
    std::vector<Event> events_;
    std::map<std::string, uint64_t> files_;  // numbers of files by their present path
    uint64_t next_file_ = 1;
};

}  // namespace trefoil
