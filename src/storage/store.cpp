// Store: the life of an open database. Opening is in store_open.cpp, writing files in
// file_writer.cpp.

#include "storage/store.h"

#include <unistd.h>

#include "base/check.h"
#include "storage/open_stores.h"
#include "storage/root.h"
#include "storage/root_value.h"
#include "storage/store_format.h"

namespace trefoil {

Store::Store(Vfs& vfs, std::string path, StoreOptions options)
    : vfs_(vfs), path_(std::move(path)), options_(options), process_(::getpid()) {
    open_files_->vfs = &vfs_;
}

Store::~Store() {
    {
        std::lock_guard guard(open_files_->mutex);
        open_files_->vfs = nullptr;
    }
    if (process_ != ::getpid()) {
        // After fork() the root belongs to the parent; closing it here would end the parent's
        // readers.
        (void)root_.release();
        return;
    }
    root_.reset();
    lock_.reset();
    if (!in_memory()) forget_open_store(device_, inode_);
}

std::string Store::path_of(std::string_view inside) const {
    return in_memory() ? std::string(inside) : path_ + "/" + std::string(inside);
}

Status Store::usable() const {
    if (process_ == ::getpid()) return {};
    return Status(Code::kIo, "55000",
                  "the database was opened before fork() and cannot be used here")
        .with_hint("Open it in the child process.");
}

Status Store::check_writable() const {
    RETURN_IF_ERROR(usable());
    if (read_only()) return Status::read_only("the database " + path_ + " is open read-only");
    return stopped();
}

Result<ReadTransaction> Store::begin_read() const {
    RETURN_IF_ERROR(usable());
    ASSIGN_OR_RETURN(std::unique_ptr<RootTransaction> txn, root_->begin(false));
    return ReadTransaction(std::move(txn));
}

Result<WriteTransaction> Store::begin_write() {
    RETURN_IF_ERROR(check_writable());
    {
        std::unique_lock lock(mutex_);
        CHECK(writer_ != std::this_thread::get_id());
        writer_gone_.wait(lock, [this] { return writer_ == std::thread::id(); });
        writer_ = std::this_thread::get_id();
    }
    Status status = check_writable();  // the writer before us may have failed
    if (status.ok()) {
        Result<std::unique_ptr<RootTransaction>> txn = root_->begin(true);
        if (txn.ok()) return WriteTransaction(*this, std::move(*txn));
        status = txn.status();
    }
    writer_ended();
    return status;
}

void Store::writer_ended() {
    {
        std::lock_guard guard(mutex_);
        writer_ = std::thread::id();
    }
    writer_gone_.notify_one();
}

Result<uint64_t> Store::root_version(const ReadTransaction& txn) {
    ASSIGN_OR_RETURN(std::optional<Bytes> stored, txn.find(Keyspace::kMeta, kRootVersionKey));
    return stored ? Reader(*stored).u64() : 0;
}

Status Store::commit(WriteTransaction& txn) {
    if (txn.beyond_log_) {
        ASSIGN_OR_RETURN(uint64_t version, root_version(txn));
        Writer value;
        value.u64(version + 1);
        RETURN_IF_ERROR(txn.put(Keyspace::kMeta, kRootVersionKey, value.data()));
    }
    // Ids handed out since the last commit; whatever this commit names has one of them at most.
    const FileId next = next_file_id_.load();
    if (next != stored_file_id_) {
        Writer value;
        value.u64(next);
        RETURN_IF_ERROR(txn.put(Keyspace::kMeta, kFileIdKey, value.data()));
    }
    const std::string data_path = path_of("root/data.mdb");
    Status status = vfs_.before_root(VfsOp::kRootCommit, data_path);
    if (status.ok()) status = txn.root_->commit();
    if (!status.ok()) return stopped_by(status);
    stored_file_id_ = next;
    vfs_.after_root_commit(data_path);
    return {};
}

Status Store::stopped() const {
    std::lock_guard guard(mutex_);
    return stopped_;
}

void Store::stop(const Status& reason) {
    {
        std::lock_guard guard(open_files_->mutex);
        open_files_->vfs = nullptr;
    }
    std::lock_guard guard(mutex_);
    if (!stopped_.ok()) return;
    bool full = is_disk_full(reason);
    stopped_ = Status(Code::kIo, full ? "53100" : "58030",
                      "the database is now read-only, because a write failed: " + reason.message())
                   .with_hint(full ? "Free some space and open the database again."
                                   : "Check the disk and open the database again.");
}

Status Store::stopped_by(const Status& reason) {
    stop(reason);
    return stopped();
}

Result<std::unique_ptr<FileWriter>> Store::create_file(FileKind kind) {
    RETURN_IF_ERROR(check_writable());
    std::unique_ptr<FileWriter> writer(new FileWriter(*this, {kind, next_file_id_.fetch_add(1)}));
    RETURN_IF_ERROR(writer->begin());
    return writer;
}

Result<std::unique_ptr<VfsFile>> Store::create_scratch() {
    RETURN_IF_ERROR(check_writable());
    const std::string path =
        path_of("tmp") + "/scratch-" + std::to_string(next_file_id_.fetch_add(1));
    ASSIGN_OR_RETURN(std::unique_ptr<VfsFile> file, vfs_.open(path, OpenMode::kCreate));
    RETURN_IF_ERROR(vfs_.remove(path));
    return file;
}

Result<std::shared_ptr<const DataFile>> Store::open_file(FileKind kind, FileId id) const {
    const FileName name{kind, id};
    {
        std::lock_guard guard(open_files_->mutex);
        auto at = open_files_->files.find(name);
        if (at != open_files_->files.end()) {
            if (std::shared_ptr<const DataFile> file = at->second.lock()) return file;
        }
    }
    const std::string path = path_of(to_string(name));
    ASSIGN_OR_RETURN(std::unique_ptr<VfsFile> raw, vfs_.open(path, OpenMode::kRead));
    ASSIGN_OR_RETURN(std::shared_ptr<const FileMap> map, raw->map());
    std::shared_ptr<DataFile> file(new DataFile(name, path, std::move(map), open_files_));
    RETURN_IF_ERROR(file->load(uuid_));
    std::lock_guard guard(open_files_->mutex);  // ends before `file`, which takes it when it dies
    std::weak_ptr<const DataFile>& entry = open_files_->files[name];
    if (std::shared_ptr<const DataFile> other = entry.lock()) return other;
    entry = file;
    return std::shared_ptr<const DataFile>(std::move(file));
}

Status Store::remove_file(FileKind kind, FileId id) {
    RETURN_IF_ERROR(usable());
    if (read_only()) return Status::read_only("the database " + path_ + " is open read-only");
    {
        std::lock_guard guard(open_files_->mutex);
        open_files_->files.erase({kind, id});
    }
    Status status = vfs_.remove(path_of(to_string(FileName{kind, id})));
    return status.code() == Code::kNotFound ? Status() : status;
}

Result<uint64_t> Store::sweep_orphans(const std::set<FileName>& live) {
    ASSIGN_OR_RETURN(std::vector<FileName> there, list_data_files());
    uint64_t swept = 0;
    for (const FileName& name : there) {
        if (live.contains(name)) continue;
        RETURN_IF_ERROR(remove_file(name.kind, name.id));
        ++swept;
    }
    return swept;
}

// Files whose name is not one of ours are nobody's business.
Result<std::vector<FileName>> Store::list_data_files() const {
    std::vector<FileName> files;
    for (FileKind kind : kFileKinds) {
        ASSIGN_OR_RETURN(std::vector<std::string> names, vfs_.list(path_of(directory_of(kind))));
        for (const std::string& text : names) {
            FileName name{kind, std::strtoull(text.c_str(), nullptr, 16)};
            if (to_string(name) == std::string(directory_of(kind)) + "/" + text) {
                files.push_back(name);
            }
        }
    }
    return files;
}

Status Store::backup_root() {
    if (in_memory()) return {};
    RETURN_IF_ERROR(check_writable());
    const std::string staging = path_of("tmp/root.bak"), staged = staging + "/data.mdb";
    const std::string backup = path_of("root.bak");
    RETURN_IF_ERROR(remove_tree(vfs_, staging));
    RETURN_IF_ERROR(vfs_.make_dir(staging));
    Status status = root_->copy_to(staging);
    if (status.ok()) {
        ASSIGN_OR_RETURN(std::unique_ptr<VfsFile> file, vfs_.open(staged, OpenMode::kReadWrite));
        if (Status synced = file->sync(); !synced.ok()) status = stopped_by(synced);
    }
    if (status.ok()) status = vfs_.make_dir(backup);
    if (status.ok()) status = vfs_.rename(staged, backup + "/data.mdb");
    if (!status.ok()) {
        (void)remove_tree(vfs_, staging);
        return status;
    }
    for (const std::string& directory : {backup, path_}) {
        if (Status synced = vfs_.sync_dir(directory); !synced.ok()) return stopped_by(synced);
    }
    return vfs_.remove(staging);
}

Status Store::verify_root() const {
    ASSIGN_OR_RETURN(ReadTransaction txn, begin_read());
    for (int i = 0; i < kKeyspaces; ++i) {
        RETURN_IF_ERROR(txn.for_each(static_cast<Keyspace>(i), KeyRange::all(),
                                     [](Bytes, Bytes) -> Result<Visit> { return Visit::kNext; }));
    }
    return {};
}

Result<uint64_t> Store::root_bytes() const {
    if (in_memory()) return uint64_t{0};
    ASSIGN_OR_RETURN(FileStat file, vfs_.stat(path_of("root/data.mdb")));
    return file.size;
}

}  // namespace trefoil
