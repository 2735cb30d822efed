// write_backup: files first, then the root, and its name last.

#include "storage/backup.h"

#include <set>

#include "base/check.h"
#include "storage/commit_log.h"
#include "storage/lmdb_root.h"
#include "storage/open_stores.h"
#include "storage/root_value.h"
#include "storage/store_format.h"

namespace trefoil {
namespace {

constexpr uint64_t kWriteBytes = uint64_t{1} << 20;
// The root is written in transactions of this size: the memory of one grows with it.
constexpr uint64_t kTransactionBytes = uint64_t{16} << 20;

class BackupWriter {
public:
    BackupWriter(const Store& store, Vfs& to, const std::string& path)
        : store_(store), to_(to), path_(path) {}

    Result<BackupSize> run(const ReadTransaction& root,
                           std::span<const std::shared_ptr<const DataFile>> files) {
        ASSIGN_OR_RETURN(FileStat there, to_.stat(path_));
        RETURN_IF_ERROR(check_place(there));
        Status written = write(root, files);
        if (!written.ok()) {
            clear(there.exists());
            return written;
        }
        return size_;
    }

private:
    Status check_place(const FileStat& there) const;
    Status write(const ReadTransaction& root,
                 std::span<const std::shared_ptr<const DataFile>> files);
    Status write_file(const DataFile& file);
    Status copy_file(const DataFile& file, const std::string& to);
    Status write_root(const ReadTransaction& root);
    Status copy_root(const ReadTransaction& from, LmdbRoot& to);
    // Removes what was written; the directory itself if it was not there before.
    void clear(bool keep_directory);
    std::string inside(std::string_view name) const { return path_ + "/" + std::string(name); }

    const Store& store_;
    Vfs& to_;
    const std::string& path_;
    BackupSize size_;
};

Status BackupWriter::check_place(const FileStat& there) const {
    if (path_.empty()) return Status::invalid("the path of a backup must not be empty");
    if (!there.exists()) return {};
    if (there.is_directory()) {
        ASSIGN_OR_RETURN(std::vector<std::string> names, to_.list(path_));
        if (names.empty()) return {};
    }
    return Status(Code::kInvalidInput, "58P02", "\"" + path_ + "\" exists already")
        .with_hint("Name a directory that does not exist yet, or an empty one.");
}

Status BackupWriter::write(const ReadTransaction& root,
                           std::span<const std::shared_ptr<const DataFile>> files) {
    Status made = to_.make_dir(path_);
    if (made.code() == Code::kNotFound) {
        return Status(Code::kNotFound, "58P01",
                      "cannot make \"" + path_ + "\": its parent directory does not exist");
    }
    RETURN_IF_ERROR(made);
    for (std::string_view name : kStoreDirectories) RETURN_IF_ERROR(to_.make_dir(inside(name)));
    std::set<FileName> done;  // staged and later runs may share a file
    for (const auto& file : files) {
        if (done.insert(file->name()).second) RETURN_IF_ERROR(write_file(*file));
    }
    for (std::string_view name : kStoreDirectories) RETURN_IF_ERROR(to_.sync_dir(inside(name)));
    return write_root(root);
}

Status BackupWriter::write_file(const DataFile& file) {
    const std::string name = inside(to_string(file.name()));
    size_.bytes += file.size();
    bool linked = false;
    if (!store_.in_memory()) {
        ASSIGN_OR_RETURN(linked, to_.link(file.path(), name));
    }
    if (!linked) RETURN_IF_ERROR(copy_file(file, name));
    (linked ? size_.files_linked : size_.files_copied)++;
    return {};
}

Status BackupWriter::copy_file(const DataFile& file, const std::string& name) {
    RETURN_IF_ERROR(file.verify_all());  // a copy of damaged bytes would be no backup
    ASSIGN_OR_RETURN(auto out, to_.open(name, OpenMode::kCreate));
    const Bytes bytes = file.raw_bytes();
    for (uint64_t at = 0; at < bytes.size(); at += kWriteBytes) {
        RETURN_IF_ERROR(out->write(at, bytes.substr(at, kWriteBytes)));
    }
    return out->sync();
}

Status BackupWriter::write_root(const ReadTransaction& root) {
    const std::string staging = inside("tmp/root");
    RETURN_IF_ERROR(to_.make_dir(staging));
    {
        ASSIGN_OR_RETURN(std::unique_ptr<LmdbRoot> copy,
                         LmdbRoot::open(to_, staging, /*read_only=*/false, /*create=*/true,
                                        StoreOptions().map_bytes));
        RETURN_IF_ERROR(copy_root(root, *copy));
    }
    RETURN_IF_ERROR(to_.sync_dir(staging));
    RETURN_IF_ERROR(to_.rename(staging, inside("root")));
    RETURN_IF_ERROR(to_.sync_dir(path_));
    return to_.sync_dir(parent_directory(path_));
}

// The copy has the whole log in its root, and no log files.
Status BackupWriter::copy_root(const ReadTransaction& from, LmdbRoot& to) {
    const std::string data = inside("tmp/root/data.mdb");
    std::unique_ptr<RootTransaction> txn;
    uint64_t bytes = 0;
    auto commit = [&]() -> Status {
        RETURN_IF_ERROR(to_.before_root(VfsOp::kRootCommit, data));
        RETURN_IF_ERROR(txn->commit());
        txn.reset();
        to_.after_root_commit(data);
        return {};
    };
    auto put = [&](Keyspace keyspace, Bytes key, Bytes value) -> Status {
        if (!txn) {
            ASSIGN_OR_RETURN(txn, to.begin(true));
            bytes = 0;
        }
        ASSIGN_OR_RETURN(char* room, txn->reserve(keyspace, key, kRootHeaderBytes + value.size()));
        write_root_value(room, keyspace, key, value);
        bytes += key.size() + value.size();
        return bytes >= kTransactionBytes ? commit() : Status();
    };
    for (int i = 0; i < kKeyspaces; ++i) {
        const auto keyspace = static_cast<Keyspace>(i);
        if (keyspace == Keyspace::kLog) continue;
        auto copy = [&](Bytes key, Bytes value) -> Result<Visit> {
            const bool names_files = keyspace == Keyspace::kMeta && key == kLogFilesKey;
            if (!names_files) RETURN_IF_ERROR(put(keyspace, key, value));
            return Visit::kNext;
        };
        RETURN_IF_ERROR(from.for_each(keyspace, KeyRange::all(), copy));
    }
    RETURN_IF_ERROR(CommitLog().read_from(from, 0, [&](uint64_t xid, Bytes record) {
        return for_each_log_entry(
            xid, record, [&](Bytes key, Bytes value) { return put(Keyspace::kLog, key, value); });
    }));
    return txn ? commit() : Status();
}

void BackupWriter::clear(bool keep_directory) {
    auto names = to_.list(path_);
    if (!names.ok()) return;
    // The root first: without it, what is left is no database.
    (void)remove_tree(to_, inside("root"));
    for (const std::string& name : *names) (void)remove_tree(to_, inside(name));
    if (!keep_directory) (void)to_.remove(path_);
}

}  // namespace

Result<BackupSize> write_backup(const Store& store, const ReadTransaction& root,
                                std::span<const std::shared_ptr<const DataFile>> files, Vfs& to,
                                const std::string& path) {
    return BackupWriter(store, to, path).run(root, files);
}

}  // namespace trefoil
