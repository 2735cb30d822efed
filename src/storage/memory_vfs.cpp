// MemoryVfs: a file is a page-aligned heap buffer, a directory is a name.
//
// A map shares the file's buffer, like a kernel map would; a file that grows beyond its buffer
// moves to a larger one, and older maps keep the bytes that they showed. sync() cuts the buffer to
// the file's size, so that a finished data file wastes at most a page.

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <mutex>
#include <set>

#include "storage/vfs.h"

namespace trefoil {
namespace {

constexpr uint64_t kPageBytes = 4096;

struct Free {
    void operator()(char* p) const { std::free(p); }
};

struct Buffer {
    std::unique_ptr<char, Free> data;
    uint64_t capacity = 0;
};

// Null if there is no memory.
std::shared_ptr<Buffer> make_buffer(uint64_t bytes) {
    uint64_t capacity = std::max(kPageBytes, (bytes + kPageBytes - 1) / kPageBytes * kPageBytes);
    char* data = static_cast<char*>(std::aligned_alloc(kPageBytes, capacity));
    if (data == nullptr) return nullptr;
    auto buffer = std::make_shared<Buffer>();
    buffer->data.reset(data);
    buffer->capacity = capacity;
    return buffer;
}

struct Node {
    bool directory = false;
    uint64_t number = 0;
    std::mutex mutex;  // guards what follows
    std::shared_ptr<Buffer> buffer;
    uint64_t size = 0;

    // REQUIRES: mutex is held.
    bool resize_buffer(uint64_t bytes) {
        std::shared_ptr<Buffer> fresh = make_buffer(bytes);
        if (!fresh) return false;
        if (size > 0) std::memcpy(fresh->data.get(), buffer->data.get(), std::min(size, bytes));
        buffer = std::move(fresh);
        return true;
    }
};

class MemoryMap final : public FileMap {
public:
    MemoryMap(std::shared_ptr<Buffer> buffer, uint64_t size)
        : buffer_(std::move(buffer)), size_(size) {}
    const char* data() const override { return buffer_ ? buffer_->data.get() : nullptr; }
    uint64_t size() const override { return size_; }
    Status populate(uint64_t, uint64_t) const override { return {}; }

private:
    std::shared_ptr<Buffer> buffer_;
    uint64_t size_;
};

class MemoryFile final : public VfsFile {
public:
    MemoryFile(std::string path, std::shared_ptr<Node> node, bool writable)
        : path_(std::move(path)), node_(std::move(node)), writable_(writable) {}

    Result<size_t> read(uint64_t offset, std::span<char> into) override {
        std::lock_guard guard(node_->mutex);
        if (offset >= node_->size) return size_t{0};
        size_t n = std::min<uint64_t>(into.size(), node_->size - offset);
        std::memcpy(into.data(), node_->buffer->data.get() + offset, n);
        return n;
    }

    Status write(uint64_t offset, Bytes data) override {
        if (!writable_) return status_from_errno(EBADF, "write", path_);
        std::lock_guard guard(node_->mutex);
        uint64_t end = offset + data.size();
        uint64_t capacity = node_->buffer ? node_->buffer->capacity : 0;
        if (end > capacity && !node_->resize_buffer(std::max(end, capacity * 2))) {
            return status_from_errno(ENOMEM, "write", path_);
        }
        char* bytes = node_->buffer->data.get();
        if (offset > node_->size) std::memset(bytes + node_->size, 0, offset - node_->size);
        if (!data.empty()) std::memcpy(bytes + offset, data.data(), data.size());
        node_->size = std::max(node_->size, end);
        return {};
    }

    Status sync() override {
        std::lock_guard guard(node_->mutex);
        if (node_->buffer && node_->buffer->capacity > node_->size + 4 * kPageBytes) {
            // Without memory for the copy the larger buffer simply stays.
            (void)node_->resize_buffer(node_->size);
        }
        return {};
    }

    Result<uint64_t> size() override {
        std::lock_guard guard(node_->mutex);
        return node_->size;
    }

    Result<std::shared_ptr<const FileMap>> map() override {
        std::lock_guard guard(node_->mutex);
        return std::shared_ptr<const FileMap>(
            std::make_shared<MemoryMap>(node_->buffer, node_->size));
    }

private:
    std::string path_;
    std::shared_ptr<Node> node_;
    bool writable_;
};

bool lies_in(const std::string& path, const std::string& directory) {
    return path.size() > directory.size() && path.starts_with(directory) &&
           path[directory.size()] == '/';
}

}  // namespace

struct MemoryVfs::State {
    std::mutex mutex;  // guards what follows
    std::map<std::string, std::shared_ptr<Node>> nodes;
    std::set<std::string> locks;
    uint64_t next_number = 1;

    std::shared_ptr<Node> find(const std::string& path) {
        auto at = nodes.find(path);
        return at == nodes.end() ? nullptr : at->second;
    }
    bool has_parent(const std::string& path) {
        size_t slash = path.rfind('/');
        if (slash == std::string::npos || slash == 0) return true;
        std::shared_ptr<Node> parent = find(path.substr(0, slash));
        return parent && parent->directory;
    }
    bool is_empty(const std::string& directory) {
        auto next = nodes.upper_bound(directory + "/");
        return next == nodes.end() || !lies_in(next->first, directory);
    }
    void add(const std::string& path, bool directory) {
        auto node = std::make_shared<Node>();
        node->directory = directory;
        node->number = next_number++;
        nodes[path] = std::move(node);
    }
};

namespace {

class MemoryLock final : public VfsLock {
public:
    explicit MemoryLock(std::function<void()> release) : release_(std::move(release)) {}
    ~MemoryLock() override { release_(); }

private:
    std::function<void()> release_;
};

}  // namespace

MemoryVfs::MemoryVfs() : state_(std::make_shared<State>()) {}
MemoryVfs::~MemoryVfs() = default;

Result<std::unique_ptr<VfsFile>> MemoryVfs::open(const std::string& path, OpenMode mode) {
    std::lock_guard guard(state_->mutex);
    std::shared_ptr<Node> node = state_->find(path);
    if (mode == OpenMode::kCreate) {
        if (node) return status_from_errno(EEXIST, "create", path);
        if (!state_->has_parent(path)) return status_from_errno(ENOENT, "create", path);
        state_->add(path, false);
        node = state_->find(path);
    }
    if (!node) return status_from_errno(ENOENT, "open", path);
    if (node->directory) return status_from_errno(EISDIR, "open", path);
    return std::unique_ptr<VfsFile>(
        std::make_unique<MemoryFile>(path, std::move(node), mode != OpenMode::kRead));
}

Result<FileStat> MemoryVfs::stat(const std::string& path) {
    std::lock_guard guard(state_->mutex);
    std::shared_ptr<Node> node = state_->find(path);
    if (!node) return FileStat{};
    FileStat answer;
    answer.kind = node->directory ? FileStat::Kind::kDirectory : FileStat::Kind::kFile;
    std::lock_guard node_guard(node->mutex);
    answer.size = node->size;
    answer.device = 1;
    answer.inode = node->number;
    return answer;
}

Result<std::vector<std::string>> MemoryVfs::list(const std::string& path) {
    std::lock_guard guard(state_->mutex);
    std::shared_ptr<Node> node = state_->find(path);
    if (!node) return status_from_errno(ENOENT, "list", path);
    if (!node->directory) return status_from_errno(ENOTDIR, "list", path);
    std::vector<std::string> names;
    for (auto at = state_->nodes.upper_bound(path + "/");
         at != state_->nodes.end() && lies_in(at->first, path); ++at) {
        std::string name = at->first.substr(path.size() + 1);
        if (name.find('/') == std::string::npos) names.push_back(std::move(name));
    }
    std::sort(names.begin(), names.end());
    return names;
}

Status MemoryVfs::make_dir(const std::string& path) {
    std::lock_guard guard(state_->mutex);
    if (std::shared_ptr<Node> node = state_->find(path)) {
        return node->directory ? Status() : status_from_errno(EEXIST, "create directory", path);
    }
    if (!state_->has_parent(path)) return status_from_errno(ENOENT, "create directory", path);
    state_->add(path, true);
    return {};
}

Status MemoryVfs::rename(const std::string& from, const std::string& to) {
    std::lock_guard guard(state_->mutex);
    std::shared_ptr<Node> node = state_->find(from);
    if (!node || !state_->has_parent(to)) return status_from_errno(ENOENT, "rename", from);
    std::shared_ptr<Node> target = state_->find(to);
    if (target && (target->directory || node->directory)) {
        return status_from_errno(EEXIST, "rename to " + to + " the file", from);
    }
    std::vector<std::pair<std::string, std::shared_ptr<Node>>> moved = {{to, node}};
    for (auto at = state_->nodes.upper_bound(from + "/");
         at != state_->nodes.end() && lies_in(at->first, from);) {
        moved.emplace_back(to + at->first.substr(from.size()), at->second);
        at = state_->nodes.erase(at);
    }
    state_->nodes.erase(from);
    for (auto& [path, moved_node] : moved) state_->nodes[path] = std::move(moved_node);
    return {};
}

Status MemoryVfs::remove(const std::string& path) {
    std::lock_guard guard(state_->mutex);
    std::shared_ptr<Node> node = state_->find(path);
    if (!node) return status_from_errno(ENOENT, "remove", path);
    if (node->directory && !state_->is_empty(path)) {
        return status_from_errno(ENOTEMPTY, "remove", path);
    }
    state_->nodes.erase(path);
    return {};
}

Status MemoryVfs::sync_dir(const std::string& path) {
    std::lock_guard guard(state_->mutex);
    std::shared_ptr<Node> node = state_->find(path);
    if (!node || !node->directory) return status_from_errno(ENOENT, "sync directory", path);
    return {};
}

Result<std::unique_ptr<VfsLock>> MemoryVfs::lock(const std::string& path) {
    std::lock_guard guard(state_->mutex);
    if (!state_->locks.insert(path).second) {
        return Status(Code::kConflict, "55006", path + " is locked by this process");
    }
    if (!state_->find(path)) state_->add(path, false);
    return std::unique_ptr<VfsLock>(std::make_unique<MemoryLock>([state = state_, path] {
        std::lock_guard release_guard(state->mutex);
        state->locks.erase(path);
    }));
}

}  // namespace trefoil
