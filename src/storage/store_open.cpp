// Store::open: from a path to an open database, or to a sentence that says what is wrong with it.
//
// The order matters. Nothing is written into a directory before it is known to be a database or
// empty; the lock comes before anything that another writer could disturb; the root is checked in a
// child process before LMDB maps it here; and it is created under tmp/ and renamed, so that a crash
// cannot leave half a database.

#include <algorithm>
#include <random>

#include "base/check.h"
#include "storage/lmdb_root.h"
#include "storage/memory_root.h"
#include "storage/open_stores.h"
#include "storage/root_value.h"
#include "storage/store.h"
#include "storage/store_format.h"

namespace trefoil {
namespace {

constexpr std::string_view kLockFile = "lock";
constexpr uint64_t kSmallestRootBytes = 2 * 4096;  // LMDB's two meta pages

DatabaseId random_uuid() {
    std::random_device source;
    DatabaseId uuid;
    for (uint8_t& byte : uuid) byte = static_cast<uint8_t>(source());
    uuid[6] = static_cast<uint8_t>((uuid[6] & 0x0f) | 0x40);  // version 4, random
    uuid[8] = static_cast<uint8_t>((uuid[8] & 0x3f) | 0x80);
    return uuid;
}

// Writes one value into a root that has no Store around it yet.
Status put_raw(RootTransaction& txn, std::string_view key, Bytes payload) {
    ASSIGN_OR_RETURN(char* room,
                     txn.reserve(Keyspace::kMeta, key, kRootHeaderBytes + payload.size()));
    write_root_value(room, Keyspace::kMeta, key, payload);
    return {};
}

}  // namespace

class StoreOpener {
public:
    StoreOpener(Vfs& vfs, const std::string& path, const StoreOptions& options)
        : vfs_(vfs), store_(new Store(vfs, path, options)), options_(options) {}

    Result<std::unique_ptr<Store>> open() {
        RETURN_IF_ERROR(find_directory());
        RETURN_IF_ERROR(refuse_network());
        RETURN_IF_ERROR(register_directory());
        RETURN_IF_ERROR(find_root());
        if (!store_->read_only()) RETURN_IF_ERROR(prepare_for_writing());
        RETURN_IF_ERROR(open_root());
        return std::move(store_);
    }

    static Status start_in_memory(Store& store);

private:
    Status find_directory();
    Status create_directory();
    Status refuse_network();
    Status register_directory();
    Status find_root();
    Result<bool> is_unfinished() const;
    Status take_lock();
    Status prepare_for_writing();
    Status create_root();
    Status open_root();
    Status open_log();
    Status read_format(const ReadTransaction& txn);
    Status read_file_id(const ReadTransaction& txn);
    Status with_backup_hint(Status status) const;
    Status not_a_database(const std::string& why) const;
    std::string quoted() const { return "\"" + store_->path_ + "\""; }

    Vfs& vfs_;
    std::unique_ptr<Store> store_;
    const StoreOptions& options_;
    bool has_root_ = false;
};

Status StoreOpener::not_a_database(const std::string& why) const {
    return Status(Code::kInvalidInput, "58P01", quoted() + " is not a database: " + why)
        .with_hint("A Trefoil database is a directory that Trefoil made; choose another path.");
}

Status StoreOpener::find_directory() {
    if (!vfs_.on_disk()) {
        return Status::unsupported("a store with a path needs a Vfs on disk; use open_memory()");
    }
    if (store_->path_.empty()) return Status::invalid("the path of a database must not be empty");
    ASSIGN_OR_RETURN(FileStat there, vfs_.stat(store_->path_));
    if (there.is_directory()) return {};
    if (there.exists()) return not_a_database("it is a file, and a database is a directory");
    if (store_->read_only() || !options_.create_if_missing) {
        return Status(Code::kNotFound, "58P01", "there is no database at " + quoted())
            .with_hint(store_->read_only()
                           ? "Check the path; a read-only open makes no new database."
                           : "Check the path, or ask for a new one to be created.");
    }
    return create_directory();
}

Status StoreOpener::create_directory() {
    Status status = vfs_.make_dir(store_->path_);
    if (status.code() == Code::kNotFound) {
        return Status(Code::kNotFound, "58P01",
                      "cannot create the database " + quoted() + ": there is no directory " +
                          parent_directory(store_->path_));
    }
    RETURN_IF_ERROR(status);
    return vfs_.sync_dir(parent_directory(store_->path_));
}

Status StoreOpener::refuse_network() {
    ASSIGN_OR_RETURN(std::string name, vfs_.network_file_system(store_->path_));
    if (name.empty() || options_.force_network_fs) return {};
    return Status::unsupported("the database " + quoted() + " lies on a network file system (" +
                               name + "), where locks and memory maps cannot be trusted")
        .with_hint("Move it to a local disk, or open it with force_network_fs at your own risk.");
}

Status StoreOpener::register_directory() {
    ASSIGN_OR_RETURN(FileStat there, vfs_.stat(store_->path_));
    if (!remember_open_store(there.device, there.inode)) {
        return Status(Code::kConflict, "55006",
                      "the database " + quoted() + " is already open in this process")
            .with_hint("Use the one that is open; it serves any number of sessions.");
    }
    store_->device_ = there.device;
    store_->inode_ = there.inode;
    return {};
}

// Nothing in it, or only what an interrupted creation leaves: our directories, all without data
// files.
Result<bool> StoreOpener::is_unfinished() const {
    ASSIGN_OR_RETURN(std::vector<std::string> names, vfs_.list(store_->path_));
    for (const std::string& name : names) {
        if (name == kLockFile || name == "tmp") continue;
        if (std::find(std::begin(kStoreDirectories), std::end(kStoreDirectories), name) ==
            std::end(kStoreDirectories)) {
            return false;
        }
        ASSIGN_OR_RETURN(std::vector<std::string> inside, vfs_.list(store_->path_of(name)));
        if (!inside.empty()) return false;
    }
    return true;
}

Status StoreOpener::find_root() {
    ASSIGN_OR_RETURN(FileStat root, vfs_.stat(store_->path_of("root/data.mdb")));
    has_root_ = root.exists();
    if (has_root_) return {};
    ASSIGN_OR_RETURN(bool unfinished, is_unfinished());
    if (!unfinished) {
        ASSIGN_OR_RETURN(FileStat backup, vfs_.stat(store_->path_of("root.bak/data.mdb")));
        if (!backup.exists()) return not_a_database("it has no root/data.mdb");
        return with_backup_hint(Status::corruption("the database " + quoted() +
                                                   " is damaged: root/data.mdb is missing"));
    }
    if (!store_->read_only() && options_.create_if_missing) return {};
    return not_a_database("the directory is empty");
}

Status StoreOpener::take_lock() {
    Result<std::unique_ptr<VfsLock>> lock = vfs_.lock(store_->path_of(kLockFile));
    if (lock.ok()) {
        store_->lock_ = std::move(*lock);
        return {};
    }
    Status status = lock.status();
    if (status.sqlstate() != "55006") return status;
    return Status(Code::kConflict, "55006",
                  "another process is writing the database " + quoted() + ": " + status.message())
        .with_hint("Close it there, or open it read-only here.");
}

Status StoreOpener::prepare_for_writing() {
    RETURN_IF_ERROR(take_lock());
    RETURN_IF_ERROR(find_root());  // another process may have created it before we had the lock
    for (std::string_view directory : kStoreDirectories) {
        RETURN_IF_ERROR(vfs_.make_dir(store_->path_of(directory)));
    }
    ASSIGN_OR_RETURN(std::vector<std::string> staged, vfs_.list(store_->path_of("tmp")));
    for (const std::string& name : staged) {
        RETURN_IF_ERROR(remove_tree(vfs_, store_->path_of("tmp") + "/" + name));
    }
    if (!has_root_) RETURN_IF_ERROR(create_root());
    return vfs_.sync_dir(store_->path_);
}

Status StoreOpener::create_root() {
    const std::string staging = store_->path_of("tmp/root"), data = staging + "/data.mdb";
    RETURN_IF_ERROR(vfs_.make_dir(staging));
    {
        ASSIGN_OR_RETURN(std::unique_ptr<LmdbRoot> root,
                         LmdbRoot::open(vfs_, staging, false, true, options_.map_bytes));
        ASSIGN_OR_RETURN(std::unique_ptr<RootTransaction> txn, root->begin(true));
        RETURN_IF_ERROR(
            put_raw(*txn, kFormatKey, Store::encode_format(random_uuid(), /*read_features=*/0)));
        RETURN_IF_ERROR(vfs_.before_root(VfsOp::kRootCommit, data));
        RETURN_IF_ERROR(txn->commit());
        vfs_.after_root_commit(data);
    }
    RETURN_IF_ERROR(vfs_.sync_dir(staging));
    RETURN_IF_ERROR(vfs_.rename(staging, store_->path_of("root")));
    has_root_ = true;
    return {};
}

Status StoreOpener::with_backup_hint(Status status) const {
    if (status.code() != Code::kCorruption) return status;
    const std::string copy = store_->path_of("root.bak/data.mdb");
    Result<FileStat> backup = vfs_.stat(copy);
    if (!backup.ok() || !backup->exists()) {
        return std::move(status).with_hint(
            "There is no copy in root.bak yet; restore the database from a backup.");
    }
    return std::move(status).with_hint("The state of the last checkpoint is in " + copy +
                                       ": move " + store_->path_of("root/data.mdb") +
                                       " away, copy the former to its place, and open again. " +
                                       "Commits since that checkpoint are lost.");
}

Status StoreOpener::open_root() {
    const std::string directory = store_->path_of("root");
    ASSIGN_OR_RETURN(FileStat file, vfs_.stat(directory + "/data.mdb"));
    if (file.size < kSmallestRootBytes) {  // LMDB would take an empty file for a new environment
        return with_backup_hint(Status::corruption(
            "the root of the database is damaged: " + directory + "/data.mdb is cut off"));
    }
    if (options_.check_root) {
        RETURN_IF_ERROR(with_backup_hint(check_root_in_child(directory, options_.map_bytes)));
    }
    Result<std::unique_ptr<LmdbRoot>> opened =
        LmdbRoot::open(vfs_, directory, store_->read_only(), false, options_.map_bytes);
    if (!opened.ok()) return with_backup_hint(opened.status());
    LmdbRoot& root = **opened;
    store_->root_ = std::move(*opened);
    {
        ASSIGN_OR_RETURN(ReadTransaction txn, store_->begin_read());
        RETURN_IF_ERROR(with_backup_hint(read_format(txn)));
        RETURN_IF_ERROR(with_backup_hint(read_file_id(txn)));
    }
    if (!store_->read_only()) RETURN_IF_ERROR(root.create_keyspaces());
    return with_backup_hint(open_log());
}

Status StoreOpener::open_log() {
    store_->log_files_ = std::make_unique<LogFiles>(vfs_, store_->path_of("log"), store_->uuid_,
                                                    store_->read_only());
    ASSIGN_OR_RETURN(ReadTransaction txn, store_->begin_read());
    if (store_->read_only()) return {};
    return store_->log_files_->recover(txn.log_);
}

Status StoreOpener::read_format(const ReadTransaction& txn) {
    ASSIGN_OR_RETURN(std::optional<Bytes> stored, txn.find(Keyspace::kMeta, kFormatKey));
    if (!stored) return not_a_database("its root was not made by Trefoil");
    Reader reader(*stored);
    Bytes magic = reader.bytes(kStoreMagic.size());
    uint32_t version = reader.u32();
    uint64_t to_read = reader.u64(), to_write = reader.u64();
    Bytes uuid = reader.bytes(store_->uuid_.size());
    if (!reader.ok() || magic != kStoreMagic) {
        return not_a_database("its root was not made by Trefoil");
    }
    if (version > kStoreFormatVersion || (to_read & ~kKnownReadFeatures) != 0) {
        return Status::unsupported("the database " + quoted() +
                                   " was written by a newer version of Trefoil (format " +
                                   std::to_string(version) + "; this program knows format " +
                                   std::to_string(kStoreFormatVersion) + ")")
            .with_hint("Use a newer version of Trefoil.");
    }
    if (!store_->read_only() && (to_write & ~kKnownWriteFeatures) != 0) {
        return Status::unsupported("the database " + quoted() +
                                   " uses features of a newer version of Trefoil and cannot be "
                                   "written by this one")
            .with_hint("Open it read-only, or use a newer version of Trefoil.");
    }
    std::copy(uuid.begin(), uuid.end(), store_->uuid_.begin());
    store_->read_features_ = to_read;
    return {};
}

// A file that was finished but whose commit was lost must not be overwritten by a new one either.
Status StoreOpener::read_file_id(const ReadTransaction& txn) {
    ASSIGN_OR_RETURN(std::optional<Bytes> stored, txn.find(Keyspace::kMeta, kFileIdKey));
    FileId next = stored ? Reader(*stored).u64() : 0;
    store_->stored_file_id_ = next;
    if (!store_->read_only()) {
        ASSIGN_OR_RETURN(std::vector<FileName> files, store_->list_data_files());
        for (const FileName& file : files) next = std::max(next, file.id + 1);
    }
    store_->next_file_id_ = std::max<FileId>(next, 1);
    return {};
}

Status StoreOpener::start_in_memory(Store& store) {
    store.uuid_ = random_uuid();
    for (std::string_view directory : kStoreDirectories) {
        RETURN_IF_ERROR(store.vfs_.make_dir(std::string(directory)));
    }
    store.root_ = std::make_unique<MemoryRoot>();
    ASSIGN_OR_RETURN(std::unique_ptr<RootTransaction> txn, store.root_->begin(true));
    RETURN_IF_ERROR(
        put_raw(*txn, kFormatKey, Store::encode_format(store.uuid_, /*read_features=*/0)));
    return txn->commit();
}

Result<std::unique_ptr<Store>> Store::open(Vfs& vfs, const std::string& path,
                                           const StoreOptions& options) {
    return StoreOpener(vfs, path, options).open();
}

Result<std::unique_ptr<Store>> Store::open_memory(Vfs* files) {
    auto own = files == nullptr ? std::make_unique<MemoryVfs>() : nullptr;
    Vfs& vfs = files == nullptr ? static_cast<Vfs&>(*own) : *files;
    std::unique_ptr<Store> store(new Store(vfs, "", StoreOptions{}));
    store->own_vfs_ = std::move(own);
    RETURN_IF_ERROR(StoreOpener::start_in_memory(*store));
    return store;
}

}  // namespace trefoil
