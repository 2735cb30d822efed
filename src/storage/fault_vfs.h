// FaultVfs: a Vfs that does what it is told at the n-th call: fail, write too little, lie, or kill.
//
//     FaultVfs faulty(disk);
//     faulty.arm({.op = VfsOp::kSync, .call = 3, .error = EIO});   // the third sync fails
//     ... run the workload ...
//     CHECK(faulty.fired());                                       // false: it has fewer syncs
//
// A test counts the calls of a workload once, then fails each of them in turn and checks that the
// state before is intact. Tested by vfs_test.cpp; used by store_fault_test.cpp and the crash tests.

#pragma once

#include <cerrno>
#include <mutex>
#include <optional>

#include "storage/vfs.h"

namespace trefoil {

struct Fault {
    enum class Effect : uint8_t {
        kFail,   // nothing is done, `error` is the answer
        kShort,  // a write writes half of its bytes and answers `error`; others: as kFail
        kLie,    // nothing is done, the answer is ok (for syncs: the barrier is missing)
        kKill,   // the process ends as by kill -9, before the call
    };
    std::optional<VfsOp> op = std::nullopt;  // none: any op
    uint64_t call = 1;                       // which matching call from now on, from 1
    bool sticky = false;                     // that call and all matching ones after it
    Effect effect = Effect::kFail;
    int error = EIO;
};

class FaultVfs : public Vfs {
public:
    // `base` must outlive this object and its files.
    explicit FaultVfs(Vfs& base) : base_(base) {}

    // Replaces the fault and starts counting anew.
    void arm(Fault fault);
    // No more faults; counting goes on.
    void disarm();
    // Calls since arm(), or since construction; of one op or of all.
    uint64_t calls(std::optional<VfsOp> op = std::nullopt) const;
    // True if the armed fault has happened.
    bool fired() const;

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
    bool on_disk() const override { return base_.on_disk(); }
    Status before_root(VfsOp op, const std::string& path) override;
    void after_root_commit(const std::string& path) override;

    // What a call has to do; for the files and maps of this Vfs.
    enum class Verdict : uint8_t { kGo, kFail, kShort, kLie };
    struct Decision {
        Verdict verdict = Verdict::kGo;
        int error = 0;
    };
    Decision decide(VfsOp op);

private:
    Vfs& base_;
    mutable std::mutex mutex_;  // guards what follows
    std::optional<Fault> fault_;
    uint64_t matching_ = 0;
    bool fired_ = false;
    uint64_t calls_[kVfsOps] = {};
};

}  // namespace trefoil
