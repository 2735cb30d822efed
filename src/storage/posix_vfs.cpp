// PosixVfs: the file system of this machine, through plain system calls.
//
// Calls that a signal interrupts are repeated; short writes are continued, so that a short write
// that cannot be continued shows its cause (usually a full disk). A failed fsync is never repeated:
// after it the kernel calls the pages clean, and a second fsync would lie.

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "base/check.h"
#include "storage/vfs.h"

namespace trefoil {
namespace {

#ifndef MADV_POPULATE_READ
constexpr int kPopulateRead = 22;
#else
constexpr int kPopulateRead = MADV_POPULATE_READ;
#endif
constexpr uint64_t kPageBytes = 4096;

class Descriptor {
public:
    explicit Descriptor(int fd) : fd_(fd) {}
    Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Descriptor& operator=(Descriptor&&) = delete;
    ~Descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    int get() const { return fd_; }

private:
    int fd_;
};

int open_retrying(const std::string& path, int flags) {
    int fd;
    do {
        fd = ::open(path.c_str(), flags | O_CLOEXEC, 0666);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

class PosixMap final : public FileMap {
public:
    PosixMap(std::string path, const char* data, uint64_t size)
        : path_(std::move(path)), data_(data), size_(size) {}
    ~PosixMap() override {
        if (size_ > 0) ::munmap(const_cast<char*>(data_), size_);
    }
    const char* data() const override { return data_; }
    uint64_t size() const override { return size_; }

    Status populate(uint64_t offset, uint64_t length) const override {
        if (offset >= size_ || length == 0) return {};
        uint64_t begin = offset / kPageBytes * kPageBytes;
        uint64_t end = std::min(size_, offset + std::min(length, size_ - offset));
        int rc;
        do {
            rc = ::madvise(const_cast<char*>(data_) + begin, end - begin, kPopulateRead);
        } while (rc != 0 && (errno == EINTR || errno == EAGAIN));
        if (rc == 0 || errno == EINVAL) return {};  // EINVAL: the kernel is older than 5.14
        // EFAULT stands for the SIGBUS that touching the pages would have raised.
        return status_from_errno(errno == EFAULT ? EIO : errno, "read", path_);
    }

private:
    std::string path_;
    const char* data_;
    uint64_t size_;
};

class PosixFile final : public VfsFile {
public:
    PosixFile(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}

    Result<size_t> read(uint64_t offset, std::span<char> into) override {
        size_t done = 0;
        while (done < into.size()) {
            ssize_t n = ::pread(fd_.get(), into.data() + done, into.size() - done,
                                static_cast<off_t>(offset + done));
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) return status_from_errno(errno, "read", path_);
            if (n == 0) break;
            done += static_cast<size_t>(n);
        }
        return done;
    }

    Status write(uint64_t offset, Bytes data) override {
        while (!data.empty()) {
            ssize_t n = ::pwrite(fd_.get(), data.data(), data.size(), static_cast<off_t>(offset));
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) return status_from_errno(errno, "write", path_);
            if (n == 0) return status_from_errno(ENOSPC, "write", path_);
            data.remove_prefix(static_cast<size_t>(n));
            offset += static_cast<uint64_t>(n);
        }
        return {};
    }

    Status sync() override {
        if (::fdatasync(fd_.get()) != 0) return status_from_errno(errno, "sync", path_);
        return {};
    }

    Result<uint64_t> size() override {
        struct stat info;
        if (::fstat(fd_.get(), &info) != 0) return status_from_errno(errno, "look at", path_);
        return static_cast<uint64_t>(info.st_size);
    }

    Result<std::shared_ptr<const FileMap>> map() override {
        ASSIGN_OR_RETURN(uint64_t bytes, size());
        const char* data = nullptr;
        if (bytes > 0) {
            void* address = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd_.get(), 0);
            if (address == MAP_FAILED) return status_from_errno(errno, "map", path_);
            data = static_cast<const char*>(address);
        }
        return std::shared_ptr<const FileMap>(std::make_shared<PosixMap>(path_, data, bytes));
    }

private:
    std::string path_;
    Descriptor fd_;
};

// flock() belongs to the open file: closing the last descriptor releases it, also when the process
// dies.
class PosixLock final : public VfsLock {
public:
    explicit PosixLock(Descriptor fd) : fd_(std::move(fd)) {}

private:
    Descriptor fd_;
};

std::string owner_of(int fd) {
    char text[32] = {};
    ssize_t n = ::pread(fd, text, sizeof text - 1, 0);
    std::string digits(text, n > 0 ? static_cast<size_t>(n) : 0);
    digits.erase(
        std::find_if(digits.begin(), digits.end(), [](char c) { return c < '0' || c > '9'; }),
        digits.end());
    return digits;
}

std::string_view network_name(uint64_t magic) {
    static constexpr std::pair<uint64_t, std::string_view> kNames[] = {
        {0x6969, "nfs"},        {0x517b, "smb"},        {0xff534d42, "cifs"},
        {0xfe534d42, "smb2"},   {0x65735546, "fuse"},   {0x5346414f, "afs"},
        {0x6b414653, "afs"},    {0x00c36400, "ceph"},   {0x01021997, "9p"},
        {0x0bd00bd0, "lustre"}, {0x47504653, "gpfs"},   {0x73757245, "coda"},
        {0x564c, "ncp"},        {0x7461636f, "ocfs2"},  {0x01161970, "gfs2"},
        {0x786f4256, "vboxsf"}, {0xbacbacbc, "vmhgfs"},
    };
    for (auto [number, name] : kNames) {
        if (number == magic) return name;
    }
    return "";
}

}  // namespace

Result<std::unique_ptr<VfsFile>> PosixVfs::open(const std::string& path, OpenMode mode) {
    int flags = mode == OpenMode::kRead        ? O_RDONLY
                : mode == OpenMode::kReadWrite ? O_RDWR
                                               : O_RDWR | O_CREAT | O_EXCL;
    int fd = open_retrying(path, flags);
    if (fd < 0) {
        return status_from_errno(errno, mode == OpenMode::kCreate ? "create" : "open", path);
    }
    return std::unique_ptr<VfsFile>(std::make_unique<PosixFile>(path, fd));
}

Result<FileStat> PosixVfs::stat(const std::string& path) {
    struct stat info;
    if (::stat(path.c_str(), &info) != 0) {
        if (errno == ENOENT || errno == ENOTDIR) return FileStat{};
        return status_from_errno(errno, "look at", path);
    }
    FileStat answer;
    answer.kind = S_ISREG(info.st_mode)   ? FileStat::Kind::kFile
                  : S_ISDIR(info.st_mode) ? FileStat::Kind::kDirectory
                                          : FileStat::Kind::kOther;
    answer.size = static_cast<uint64_t>(info.st_size);
    answer.device = info.st_dev;
    answer.inode = info.st_ino;
    return answer;
}

Result<std::vector<std::string>> PosixVfs::list(const std::string& path) {
    DIR* directory = ::opendir(path.c_str());
    if (directory == nullptr) return status_from_errno(errno, "list", path);
    std::vector<std::string> names;
    int error = 0;
    for (;;) {
        errno = 0;
        const dirent* entry = ::readdir(directory);
        if (entry == nullptr) {
            error = errno;
            break;
        }
        std::string name = entry->d_name;
        if (name != "." && name != "..") names.push_back(std::move(name));
    }
    ::closedir(directory);
    if (error != 0) return status_from_errno(error, "list", path);
    std::sort(names.begin(), names.end());
    return names;
}

Status PosixVfs::make_dir(const std::string& path) {
    if (::mkdir(path.c_str(), 0777) == 0) return {};
    int error = errno;
    if (error == EEXIST) {
        ASSIGN_OR_RETURN(FileStat there, stat(path));
        if (there.is_directory()) return {};
    }
    return status_from_errno(error, "create directory", path);
}

Status PosixVfs::rename(const std::string& from, const std::string& to) {
    if (::rename(from.c_str(), to.c_str()) == 0) return {};
    return status_from_errno(errno, "rename to " + to + " the file", from);
}

Result<bool> PosixVfs::link(const std::string& from, const std::string& to) {
    if (::link(from.c_str(), to.c_str()) == 0) return true;
    switch (errno) {
        case EXDEV:   // another file system
        case EPERM:   // one without links
        case EMLINK:  // too many of them
        case EOPNOTSUPP:
            return false;
        default:
            return status_from_errno(errno, "link to " + to + " the file", from);
    }
}

Status PosixVfs::remove(const std::string& path) {
    if (::remove(path.c_str()) == 0) return {};
    return status_from_errno(errno == EEXIST ? ENOTEMPTY : errno, "remove", path);
}

Status PosixVfs::sync_dir(const std::string& path) {
    Descriptor fd(open_retrying(path, O_RDONLY | O_DIRECTORY));
    if (fd.get() < 0) return status_from_errno(errno, "open directory", path);
    if (::fsync(fd.get()) != 0) return status_from_errno(errno, "sync directory", path);
    return {};
}

Result<std::unique_ptr<VfsLock>> PosixVfs::lock(const std::string& path) {
    Descriptor fd(open_retrying(path, O_RDWR | O_CREAT));
    if (fd.get() < 0) return status_from_errno(errno, "open", path);
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) return status_from_errno(errno, "lock", path);
        std::string owner = owner_of(fd.get());
        return Status(
            Code::kConflict, "55006",
            path + " is locked by " + (owner.empty() ? "another process" : "process " + owner));
    }
    std::string text = std::to_string(::getpid()) + "\n";
    if (::ftruncate(fd.get(), 0) != 0) return status_from_errno(errno, "write", path);
    ssize_t n = ::pwrite(fd.get(), text.data(), text.size(), 0);
    if (n < 0) return status_from_errno(errno, "write", path);
    return std::unique_ptr<VfsLock>(std::make_unique<PosixLock>(std::move(fd)));
}

Result<std::string> PosixVfs::network_file_system(const std::string& path) {
    struct statfs info;
    if (::statfs(path.c_str(), &info) != 0) return status_from_errno(errno, "look at", path);
    return std::string(network_name(static_cast<uint32_t>(info.f_type)));
}

Result<uint64_t> PosixVfs::free_bytes(const std::string& path) {
    struct statvfs info;
    if (::statvfs(path.c_str(), &info) != 0) return status_from_errno(errno, "look at", path);
    return uint64_t{info.f_bavail} * info.f_frsize;
}

}  // namespace trefoil
