// FaultVfs: each call asks decide() first.

#include "storage/fault_vfs.h"

#include <signal.h>
#include <unistd.h>

#include <numeric>

namespace trefoil {
namespace {

using Verdict = FaultVfs::Verdict;

class FaultMap final : public FileMap {
public:
    FaultMap(FaultVfs& vfs, std::string path, std::shared_ptr<const FileMap> base)
        : vfs_(vfs), path_(std::move(path)), base_(std::move(base)) {}
    const char* data() const override { return base_->data(); }
    uint64_t size() const override { return base_->size(); }
    Status populate(uint64_t offset, uint64_t length) const override {
        auto [verdict, error] = vfs_.decide(VfsOp::kPopulate);
        if (verdict == Verdict::kLie) return {};
        if (verdict != Verdict::kGo) return status_from_errno(error, "read", path_);
        return base_->populate(offset, length);
    }

private:
    FaultVfs& vfs_;
    std::string path_;
    std::shared_ptr<const FileMap> base_;
};

class FaultFile final : public VfsFile {
public:
    FaultFile(FaultVfs& vfs, std::string path, std::unique_ptr<VfsFile> base)
        : vfs_(vfs), path_(std::move(path)), base_(std::move(base)) {}

    Result<size_t> read(uint64_t offset, std::span<char> into) override {
        auto [verdict, error] = vfs_.decide(VfsOp::kRead);
        if (verdict != Verdict::kGo) return status_from_errno(error, "read", path_);
        return base_->read(offset, into);
    }
    Status write(uint64_t offset, Bytes data) override {
        auto [verdict, error] = vfs_.decide(VfsOp::kWrite);
        if (verdict == Verdict::kGo) return base_->write(offset, data);
        if (verdict == Verdict::kLie) return {};
        if (verdict == Verdict::kShort) {
            Status half = base_->write(offset, data.substr(0, data.size() / 2));
            if (!half.ok()) return half;
        }
        return status_from_errno(error, "write", path_);
    }
    Status sync() override {
        auto [verdict, error] = vfs_.decide(VfsOp::kSync);
        if (verdict == Verdict::kGo) return base_->sync();
        if (verdict == Verdict::kLie) return {};
        return status_from_errno(error, "sync", path_);
    }
    Result<uint64_t> size() override {
        auto [verdict, error] = vfs_.decide(VfsOp::kStat);
        if (verdict != Verdict::kGo) return status_from_errno(error, "look at", path_);
        return base_->size();
    }
    Result<std::shared_ptr<const FileMap>> map() override {
        auto [verdict, error] = vfs_.decide(VfsOp::kMap);
        if (verdict != Verdict::kGo) return status_from_errno(error, "map", path_);
        Result<std::shared_ptr<const FileMap>> map = base_->map();
        if (!map.ok()) return map;
        return std::shared_ptr<const FileMap>(
            std::make_shared<FaultMap>(vfs_, path_, std::move(*map)));
    }

private:
    FaultVfs& vfs_;
    std::string path_;
    std::unique_ptr<VfsFile> base_;
};

}  // namespace

void FaultVfs::arm(Fault fault) {
    std::lock_guard guard(mutex_);
    fault_ = fault;
    matching_ = 0;
    fired_ = false;
    for (uint64_t& count : calls_) count = 0;
}

void FaultVfs::disarm() {
    std::lock_guard guard(mutex_);
    fault_.reset();
}

uint64_t FaultVfs::calls(std::optional<VfsOp> op) const {
    std::lock_guard guard(mutex_);
    if (op) return calls_[static_cast<int>(*op)];
    return std::accumulate(std::begin(calls_), std::end(calls_), uint64_t{0});
}

bool FaultVfs::fired() const {
    std::lock_guard guard(mutex_);
    return fired_;
}

FaultVfs::Decision FaultVfs::decide(VfsOp op) {
    std::lock_guard guard(mutex_);
    ++calls_[static_cast<int>(op)];
    if (!fault_ || (fault_->op && *fault_->op != op)) return {};
    ++matching_;
    if (matching_ < fault_->call || (matching_ > fault_->call && !fault_->sticky)) return {};
    fired_ = true;
    switch (fault_->effect) {
        case Fault::Effect::kFail:
            return {Verdict::kFail, fault_->error};
        case Fault::Effect::kShort:
            return {Verdict::kShort, fault_->error};
        case Fault::Effect::kLie:
            return {Verdict::kLie, fault_->error};
        case Fault::Effect::kKill:
            ::kill(::getpid(), SIGKILL);
            for (;;) ::pause();
    }
    return {};
}

Result<std::unique_ptr<VfsFile>> FaultVfs::open(const std::string& path, OpenMode mode) {
    auto [verdict, error] = decide(VfsOp::kOpen);
    if (verdict != Verdict::kGo) return status_from_errno(error, "open", path);
    Result<std::unique_ptr<VfsFile>> file = base_.open(path, mode);
    if (!file.ok()) return file;
    return std::unique_ptr<VfsFile>(std::make_unique<FaultFile>(*this, path, std::move(*file)));
}

Result<FileStat> FaultVfs::stat(const std::string& path) {
    auto [verdict, error] = decide(VfsOp::kStat);
    if (verdict != Verdict::kGo) return status_from_errno(error, "look at", path);
    return base_.stat(path);
}

Result<std::vector<std::string>> FaultVfs::list(const std::string& path) {
    auto [verdict, error] = decide(VfsOp::kList);
    if (verdict != Verdict::kGo) return status_from_errno(error, "list", path);
    return base_.list(path);
}

Status FaultVfs::make_dir(const std::string& path) {
    auto [verdict, error] = decide(VfsOp::kMakeDir);
    if (verdict == Verdict::kLie) return {};
    if (verdict != Verdict::kGo) return status_from_errno(error, "create directory", path);
    return base_.make_dir(path);
}

Status FaultVfs::rename(const std::string& from, const std::string& to) {
    auto [verdict, error] = decide(VfsOp::kRename);
    if (verdict == Verdict::kLie) return {};
    if (verdict != Verdict::kGo) return status_from_errno(error, "rename", from);
    return base_.rename(from, to);
}

Result<bool> FaultVfs::link(const std::string& from, const std::string& to) {
    auto [verdict, error] = decide(VfsOp::kRename);
    if (verdict == Verdict::kLie) return true;
    if (verdict != Verdict::kGo) return status_from_errno(error, "link", from);
    return base_.link(from, to);
}

Status FaultVfs::remove(const std::string& path) {
    auto [verdict, error] = decide(VfsOp::kRemove);
    if (verdict == Verdict::kLie) return {};
    if (verdict != Verdict::kGo) return status_from_errno(error, "remove", path);
    return base_.remove(path);
}

Status FaultVfs::sync_dir(const std::string& path) {
    auto [verdict, error] = decide(VfsOp::kSyncDir);
    if (verdict == Verdict::kLie) return {};
    if (verdict != Verdict::kGo) return status_from_errno(error, "sync directory", path);
    return base_.sync_dir(path);
}

Result<std::unique_ptr<VfsLock>> FaultVfs::lock(const std::string& path) {
    auto [verdict, error] = decide(VfsOp::kLock);
    if (verdict != Verdict::kGo) return status_from_errno(error, "lock", path);
    return base_.lock(path);
}

Result<std::string> FaultVfs::network_file_system(const std::string& path) {
    auto [verdict, error] = decide(VfsOp::kStat);
    if (verdict != Verdict::kGo) return status_from_errno(error, "look at", path);
    return base_.network_file_system(path);
}

Result<uint64_t> FaultVfs::free_bytes(const std::string& path) {
    return base_.free_bytes(path);
}

Status FaultVfs::before_root(VfsOp op, const std::string& path) {
    auto [verdict, error] = decide(op);
    if (verdict == Verdict::kFail || verdict == Verdict::kShort) {
        return status_from_errno(error, "write", path);
    }
    return base_.before_root(op, path);
}

void FaultVfs::after_root_commit(const std::string& path) {
    base_.after_root_commit(path);
}

}  // namespace trefoil
