// RecordVfs: a list of events, and a small model of a file system that replays a prefix of it.

#include "storage/record_vfs.h"

#include <algorithm>
#include <random>

#include "base/check.h"

namespace trefoil {
namespace {

using Event = RecordVfs::Event;
constexpr size_t kSectorBytes = 512;

std::string parent_of(const std::string& path) {
    size_t slash = path.rfind('/');
    return slash == std::string::npos ? "" : path.substr(0, slash);
}
std::string last_name_of(const std::string& path) {
    size_t slash = path.rfind('/');
    return slash == std::string::npos ? path : path.substr(slash + 1);
}

// Files and directories as nodes; names as edges. Node 0 is the recorded directory.
class DiskModel {
public:
    void apply(const Event& event);
    Status write_to(Vfs& vfs, const std::string& target, PowerLoss how) const;

private:
    struct Piece {
        uint64_t offset;
        std::string bytes;
        bool safe;
    };
    struct Node {
        bool directory = false;
        std::vector<Piece> pieces;
    };
    struct Edge {
        uint64_t parent;
        std::string name;
        auto operator<=>(const Edge&) const = default;
    };
    // Takes `from` away if it is set, then puts `node` at `to` if that is set; both or neither.
    struct NameChange {
        std::optional<Edge> from, to;
        uint64_t node;
        bool safe;
    };
    using Names = std::map<Edge, uint64_t>;

    static std::optional<uint64_t> walk(const Names& names, const std::string& path);
    static void change(Names& names, const NameChange& change);
    Edge edge(const std::string& path) const;
    void add(const std::string& path, uint64_t node);
    void replace_root(const Event& event);
    Names surviving_names(PowerLoss how, std::mt19937_64& coin) const;
    std::string surviving_bytes(const Node& node, PowerLoss how, std::mt19937_64& coin) const;
    Status write_node(Vfs& vfs, const std::string& target, uint64_t node, const Names& names,
                      PowerLoss how, std::mt19937_64& coin) const;

    std::map<uint64_t, Node> nodes_ = {{0, Node{.directory = true, .pieces = {}}}};
    std::map<uint64_t, uint64_t> node_of_file_;
    std::vector<NameChange> changes_;
    Names names_;  // as a running system sees them
    uint64_t next_node_ = 1;
};

std::optional<uint64_t> DiskModel::walk(const Names& names, const std::string& path) {
    if (path.empty()) return 0;
    std::optional<uint64_t> parent = walk(names, parent_of(path));
    if (!parent) return std::nullopt;
    auto at = names.find({*parent, last_name_of(path)});
    if (at == names.end()) return std::nullopt;
    return at->second;
}

void DiskModel::change(Names& names, const NameChange& change) {
    if (change.from) names.erase(*change.from);
    if (change.to) names[*change.to] = change.node;
}

DiskModel::Edge DiskModel::edge(const std::string& path) const {
    std::optional<uint64_t> parent = walk(names_, parent_of(path));
    CHECK(parent.has_value());
    return {*parent, last_name_of(path)};
}

void DiskModel::add(const std::string& path, uint64_t node) {
    changes_.push_back({std::nullopt, edge(path), node, false});
    change(names_, changes_.back());
}

// LMDB has made the whole file durable; its name is as safe as its directory.
void DiskModel::replace_root(const Event& event) {
    std::optional<uint64_t> node = walk(names_, event.path);
    if (!node) {
        node = next_node_++;
        add(event.path, *node);
    }
    nodes_[*node].pieces = {{0, event.bytes, true}};
}

void DiskModel::apply(const Event& event) {
    switch (event.kind) {
        case Event::Kind::kCreate:
            node_of_file_[event.file] = next_node_;
            add(event.path, next_node_++);
            break;
        case Event::Kind::kWrite:
            nodes_[node_of_file_[event.file]].pieces.push_back({event.offset, event.bytes, false});
            break;
        case Event::Kind::kSync:
            for (Piece& piece : nodes_[node_of_file_[event.file]].pieces) piece.safe = true;
            break;
        case Event::Kind::kMakeDir:
            if (walk(names_, event.path)) break;
            nodes_[next_node_].directory = true;
            add(event.path, next_node_++);
            break;
        case Event::Kind::kRename:
        case Event::Kind::kRemove: {
            Edge from = edge(event.path);
            std::optional<Edge> to;
            if (event.kind == Event::Kind::kRename) to = edge(event.to);
            changes_.push_back({from, to, names_.at(from), false});
            change(names_, changes_.back());
            break;
        }
        case Event::Kind::kSyncDir: {
            std::optional<uint64_t> directory = walk(names_, event.path);
            for (NameChange& change : changes_) {
                if (change.from && change.from->parent == directory) change.safe = true;
                if (change.to && change.to->parent == directory) change.safe = true;
            }
            break;
        }
        case Event::Kind::kRootCommit:
            replace_root(event);
            break;
    }
}

bool survives(bool safe, bool dropped, PowerLoss how, std::mt19937_64& coin) {
    if (safe) return true;
    if (how.loss == PowerLoss::Loss::kRandom) return coin() % 2 == 0;
    return !dropped;
}

DiskModel::Names DiskModel::surviving_names(PowerLoss how, std::mt19937_64& coin) const {
    bool drop = how.loss == PowerLoss::Loss::kDropAll || how.loss == PowerLoss::Loss::kDropNames;
    Names names;
    for (const NameChange& change : changes_) {
        if (survives(change.safe, drop, how, coin)) DiskModel::change(names, change);
    }
    return names;
}

std::string DiskModel::surviving_bytes(const Node& node, PowerLoss how,
                                       std::mt19937_64& coin) const {
    bool drop = how.loss == PowerLoss::Loss::kDropAll || how.loss == PowerLoss::Loss::kDropBytes;
    std::string bytes;
    for (const Piece& piece : node.pieces) {
        for (size_t done = 0; done < piece.bytes.size(); done += kSectorBytes) {
            if (!survives(piece.safe, drop, how, coin)) continue;
            std::string_view sector = std::string_view(piece.bytes).substr(done, kSectorBytes);
            size_t at = piece.offset + done;
            if (bytes.size() < at + sector.size()) bytes.resize(at + sector.size());
            bytes.replace(at, sector.size(), sector);
        }
    }
    return bytes;
}

Status DiskModel::write_node(Vfs& vfs, const std::string& target, uint64_t node, const Names& names,
                             PowerLoss how, std::mt19937_64& coin) const {
    const auto at = nodes_.find(node);
    if (at == nodes_.end() || !at->second.directory) {
        ASSIGN_OR_RETURN(std::unique_ptr<VfsFile> file, vfs.open(target, OpenMode::kCreate));
        if (at == nodes_.end()) return {};
        return file->write(0, surviving_bytes(at->second, how, coin));
    }
    RETURN_IF_ERROR(vfs.make_dir(target));
    for (auto child = names.lower_bound({node, ""});
         child != names.end() && child->first.parent == node; ++child) {
        RETURN_IF_ERROR(
            write_node(vfs, target + "/" + child->first.name, child->second, names, how, coin));
    }
    return {};
}

Status DiskModel::write_to(Vfs& vfs, const std::string& target, PowerLoss how) const {
    std::mt19937_64 coin(how.seed);
    return write_node(vfs, target, 0, surviving_names(how, coin), how, coin);
}

class RecordFile final : public VfsFile {
public:
    RecordFile(RecordVfs& vfs, uint64_t number, std::unique_ptr<VfsFile> base)
        : vfs_(vfs), number_(number), base_(std::move(base)) {}

    Result<size_t> read(uint64_t offset, std::span<char> into) override {
        return base_->read(offset, into);
    }
    Status write(uint64_t offset, Bytes data) override {
        RETURN_IF_ERROR(base_->write(offset, data));
        vfs_.record({Event::Kind::kWrite, "", "", number_, offset, std::string(data)});
        return {};
    }
    Status sync() override {
        RETURN_IF_ERROR(base_->sync());
        vfs_.record({Event::Kind::kSync, "", "", number_, 0, ""});
        return {};
    }
    Result<uint64_t> size() override { return base_->size(); }
    Result<std::shared_ptr<const FileMap>> map() override { return base_->map(); }

private:
    RecordVfs& vfs_;
    uint64_t number_;
    std::unique_ptr<VfsFile> base_;
};

Result<std::string> contents_of(VfsFile& file) {
    ASSIGN_OR_RETURN(uint64_t size, file.size());
    std::string bytes(size, '\0');
    ASSIGN_OR_RETURN(size_t n, file.read(0, bytes));
    bytes.resize(n);
    return bytes;
}

}  // namespace

size_t RecordVfs::events() const {
    std::lock_guard guard(mutex_);
    return events_.size();
}

Status RecordVfs::rebuild(Vfs& vfs, const std::string& target, size_t events, PowerLoss how) const {
    std::lock_guard guard(mutex_);
    DiskModel model;
    for (size_t i = 0; i < std::min(events, events_.size()); ++i) model.apply(events_[i]);
    return model.write_to(vfs, target, how);
}

void RecordVfs::record(Event event) {
    std::lock_guard guard(mutex_);
    events_.push_back(std::move(event));
}

bool RecordVfs::inside(const std::string& path) const {
    return path.starts_with(path_ + "/");
}

std::string RecordVfs::relative(const std::string& path) const {
    return inside(path) ? path.substr(path_.size() + 1) : "";
}

Result<std::unique_ptr<VfsFile>> RecordVfs::open(const std::string& path, OpenMode mode) {
    ASSIGN_OR_RETURN(std::unique_ptr<VfsFile> file, base_.open(path, mode));
    if (mode == OpenMode::kRead || !inside(path)) return file;
    uint64_t number;
    bool is_new;
    {
        std::lock_guard guard(mutex_);
        auto at = files_.find(path);
        is_new = mode == OpenMode::kCreate || at == files_.end();
        number = is_new ? next_file_++ : at->second;
        files_[path] = number;
    }
    if (is_new) {
        record({Event::Kind::kCreate, relative(path), "", number, 0, ""});
        // A file that somebody made behind our back (LMDB's copy): what it holds counts as written
        // now.
        ASSIGN_OR_RETURN(std::string bytes, contents_of(*file));
        if (!bytes.empty()) record({Event::Kind::kWrite, "", "", number, 0, std::move(bytes)});
    }
    return std::unique_ptr<VfsFile>(std::make_unique<RecordFile>(*this, number, std::move(file)));
}

Status RecordVfs::make_dir(const std::string& path) {
    RETURN_IF_ERROR(base_.make_dir(path));
    if (inside(path)) record({Event::Kind::kMakeDir, relative(path), "", 0, 0, ""});
    return {};
}

Status RecordVfs::rename(const std::string& from, const std::string& to) {
    RETURN_IF_ERROR(base_.rename(from, to));
    if (!inside(from)) return {};
    record({Event::Kind::kRename, relative(from), relative(to), 0, 0, ""});
    std::lock_guard guard(mutex_);
    if (auto at = files_.find(from); at != files_.end()) {
        files_[to] = at->second;
        files_.erase(from);
    }
    return {};
}

Status RecordVfs::remove(const std::string& path) {
    RETURN_IF_ERROR(base_.remove(path));
    std::lock_guard guard(mutex_);
    // What LMDB made for itself (lock.mdb) was never seen, so it cannot be taken away.
    bool known = files_.erase(path) > 0;
    if (!known && inside(path)) {
        for (const Event& event : events_) {
            known |= event.path == relative(path) && (event.kind == Event::Kind::kMakeDir ||
                                                      event.kind == Event::Kind::kRootCommit);
        }
    }
    if (known) events_.push_back({Event::Kind::kRemove, relative(path), "", 0, 0, ""});
    return {};
}

Status RecordVfs::sync_dir(const std::string& path) {
    RETURN_IF_ERROR(base_.sync_dir(path));
    if (inside(path) || path == path_)
        record({Event::Kind::kSyncDir, relative(path), "", 0, 0, ""});
    return {};
}

void RecordVfs::after_root_commit(const std::string& path) {
    base_.after_root_commit(path);
    Result<std::unique_ptr<VfsFile>> file = base_.open(path, OpenMode::kRead);
    CHECK(file.ok());
    Result<std::string> bytes = contents_of(**file);
    CHECK(bytes.ok());
    record({Event::Kind::kRootCommit, relative(path), "", 0, 0, std::move(*bytes)});
}

}  // namespace trefoil
