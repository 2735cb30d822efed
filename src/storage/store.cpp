// Store: the life of an open database. Opening is in store_open.cpp, writing files in
// file_writer.cpp.

#include "storage/store.h"

#include <unistd.h>

#include "base/check.h"
#include "storage/commit_log.h"
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
    // The writer may drop a log file between our look at the root and our opening the file.
    constexpr int kAttemptsMax = 10;
    for (int attempt = 1;; ++attempt) {
        ASSIGN_OR_RETURN(std::unique_ptr<RootTransaction> root, root_->begin(false));
        ReadTransaction txn(std::move(root), {});
        Result<LogView> log = log_view(txn);
        if (log.status().code() == Code::kNotFound) {
            if (attempt < kAttemptsMax) continue;
            return Status::corruption("a file of the commit log is missing: " +
                                      log.status().message());
        }
        RETURN_IF_ERROR(log.status());
        txn.log_ = std::move(*log);
        return txn;
    }
}

Result<LogView> Store::log_view(const ReadTransaction& txn) const {
    if (log_files_ == nullptr) return LogView();
    ASSIGN_OR_RETURN(std::optional<Bytes> stored, txn.find(Keyspace::kMeta, kLogFilesKey));
    if (!stored) return LogView();
    ASSIGN_OR_RETURN(uint64_t version, root_version(txn));
    return log_files_->view(*stored, version);
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
        Result<std::unique_ptr<RootTransaction>> root = root_->begin(true);
        if (root.ok()) {
            WriteTransaction txn(*this, std::move(*root), {});
            ASSIGN_OR_RETURN(txn.log_, log_view(txn));
            return txn;
        }
        status = root.status();
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

std::string Store::encode_format(const DatabaseId& uuid, uint64_t read_features) {
    Writer writer;
    writer.bytes(kStoreMagic);
    writer.u32(kStoreFormatVersion);
    writer.u64(read_features);
    writer.u64(kKnownWriteFeatures);
    writer.bytes({reinterpret_cast<const char*>(uuid.data()), uuid.size()});
    return writer.take();
}

Status Store::commit(WriteTransaction& txn) {
    return takes_into_file(txn) ? commit_into_file(txn) : commit_into_root(txn);
}

bool Store::takes_into_file(const WriteTransaction& txn) const {
    const std::vector<Bytes>& records = txn.new_records_.records;
    return log_file_ && !txn.in_root_ && !records.empty() && log_file_->has_room_for(records);
}

Status Store::commit_into_file(WriteTransaction& txn) {
    ASSIGN_OR_RETURN(uint64_t version, root_version(txn));
    Status status =
        log_file_->append({version, txn.new_records_.first_xid}, txn.new_records_.records);
    return status.ok() ? status : stopped_by(status);
}

Status Store::commit_into_root(WriteTransaction& txn) {
    const bool log_only = !txn.in_root_ && !txn.new_records_.records.empty();
    RETURN_IF_ERROR(CommitLog::put_in_root(txn));
    std::shared_ptr<LogFile> begun;
    if (log_only) {
        ASSIGN_OR_RETURN(begun, begin_log_file(txn));
    }
    if (txn.beyond_log_ || log_file_) RETURN_IF_ERROR(put_version(txn));
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
    if (txn.log_changed_) {
        if (begun) log_file_ = begun;
        if (!txn.log_.names(log_file_)) log_file_ = nullptr;
        log_files_->adopt(txn.log_);
    }
    return {};
}

Status Store::put_version(WriteTransaction& txn) {
    ASSIGN_OR_RETURN(uint64_t version, root_version(txn));
    Writer value;
    value.u64(version + 1);
    return txn.put(Keyspace::kMeta, kRootVersionKey, value.data());
}

Result<std::shared_ptr<LogFile>> Store::begin_log_file(WriteTransaction& txn) {
    const std::shared_ptr<LogFile> none;
    if (log_files_ == nullptr) return none;
    // One commit that is too large for any file is no reason to begin another.
    if (log_file_ && !log_file_->is_nearly_full()) return none;
    if (++log_commits_ <= options_.log_file_after) return none;
    Result<std::shared_ptr<LogFile>> file =
        log_files_->create(next_file_id_.fetch_add(1), options_.log_file_bytes);
    if (is_disk_full(file.status())) {  // the root may still have room
        log_commits_ = 0;
        return none;
    }
    if (!file.ok()) return stopped_by(file.status());
    if ((read_features_ & kLogFilesFeature) == 0) {
        RETURN_IF_ERROR(require(txn, kLogFilesFeature));
    }
    txn.log_.files.push_back({*file, 0});
    RETURN_IF_ERROR(txn.put_log_files());
    return *file;
}

Status Store::require(WriteTransaction& txn, uint64_t feature) {
    read_features_ |= feature;
    return txn.put(Keyspace::kMeta, kFormatKey, encode_format(uuid_, read_features_));
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
    auto log_now = [&]() -> Result<LogView> {
        ASSIGN_OR_RETURN(ReadTransaction txn, begin_read());
        return txn.log_;
    };
    ASSIGN_OR_RETURN(LogView before, log_now());
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
    ASSIGN_OR_RETURN(LogView after, log_now());
    log_files_->copied(before, after);
    return vfs_.remove(staging);
}

Status Store::verify_root() const {
    ASSIGN_OR_RETURN(ReadTransaction txn, begin_read());
    for (int i = 0; i < kKeyspaces; ++i) {
        RETURN_IF_ERROR(txn.for_each(static_cast<Keyspace>(i), KeyRange::all(),
                                     [](Bytes, Bytes) -> Result<Visit> { return Visit::kNext; }));
    }
    return CommitLog().read_from(txn, 0, [](uint64_t, Bytes) { return Status(); });
}

Result<uint64_t> Store::root_bytes() const {
    if (in_memory()) return uint64_t{0};
    ASSIGN_OR_RETURN(FileStat file, vfs_.stat(path_of("root/data.mdb")));
    return file.size;
}

}  // namespace trefoil
