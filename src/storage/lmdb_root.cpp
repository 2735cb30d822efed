// LmdbRoot: LMDB behind the Root interface, and the words for its errors.

#include "storage/lmdb_root.h"

#include <fcntl.h>
#include <lmdb.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "base/check.h"
#include "storage/root_value.h"
#include "storage/store_format.h"

namespace trefoil {
namespace {

constexpr unsigned kReadersMax = 1024;
constexpr unsigned kDatabasesMax = 16;
// LMDB may leave the last pages of a transaction unwritten if they were given back within it.
constexpr uint64_t kUnwrittenMaxBytes = uint64_t{64} << 20;
constexpr uint64_t kNearlyFullBytes = uint64_t{1} << 20;

MDB_val val(Bytes bytes) {
    return {bytes.size(), const_cast<char*>(bytes.data())};
}
Bytes bytes_of(const MDB_val& v) {
    return {static_cast<const char*>(v.mv_data), v.mv_size};
}

class LmdbCursor final : public RootCursor {
public:
    LmdbCursor(MDB_cursor* cursor, std::string keyspace)
        : cursor_(cursor), keyspace_(std::move(keyspace)) {}
    ~LmdbCursor() override {
        if (cursor_ != nullptr) mdb_cursor_close(cursor_);
    }
    Result<bool> seek(Bytes key) override {
        key_ = val(key);
        return move(key.empty() ? MDB_FIRST : MDB_SET_RANGE);
    }
    Result<bool> next() override { return move(MDB_NEXT); }
    Result<bool> seek_before(Bytes key) override {
        if (key.empty()) return move(MDB_LAST);
        key_ = val(key);
        ASSIGN_OR_RETURN(bool found, move(MDB_SET_RANGE));
        return move(found ? MDB_PREV : MDB_LAST);
    }
    Bytes key() const override { return bytes_of(key_); }
    Bytes value() const override { return bytes_of(value_); }

private:
    Result<bool> move(MDB_cursor_op op) {
        if (cursor_ == nullptr) return false;
        int rc = mdb_cursor_get(cursor_, &key_, &value_, op);
        if (rc == 0) return true;
        if (rc == MDB_NOTFOUND) return false;
        return Status::corruption("the root of the database is damaged: cannot walk keyspace " +
                                  keyspace_ + ": " + mdb_strerror(rc));
    }
    MDB_cursor* cursor_;  // null: a keyspace that this database does not have
    std::string keyspace_;
    MDB_val key_{}, value_{};
};

}  // namespace

class LmdbTransaction final : public RootTransaction {
public:
    LmdbTransaction(LmdbRoot& root, MDB_txn* txn) : root_(root), txn_(txn) {}
    ~LmdbTransaction() override {
        if (txn_ != nullptr) mdb_txn_abort(txn_);
    }

    Result<std::optional<Bytes>> find(Keyspace keyspace, Bytes key) override {
        if (!root_.has_keyspace(keyspace)) return std::optional<Bytes>();
        MDB_val k = val(key), v;
        int rc = mdb_get(txn_, handle(keyspace), &k, &v);
        if (rc == MDB_NOTFOUND) return std::optional<Bytes>();
        if (rc != 0) return root_.error(rc, "read");
        return std::optional<Bytes>(bytes_of(v));
    }

    Result<std::unique_ptr<RootCursor>> cursor(Keyspace keyspace) override {
        MDB_cursor* cursor = nullptr;
        if (root_.has_keyspace(keyspace)) {
            int rc = mdb_cursor_open(txn_, handle(keyspace), &cursor);
            if (rc != 0) return root_.error(rc, "read");
        }
        return std::unique_ptr<RootCursor>(
            std::make_unique<LmdbCursor>(cursor, std::string(name_of(keyspace))));
    }

    Result<char*> reserve(Keyspace keyspace, Bytes key, size_t bytes) override {
        written_ += bytes + key.size();
        MDB_val k = val(key), v = {bytes, nullptr};
        int rc = mdb_put(txn_, handle(keyspace), &k, &v, MDB_RESERVE);
        if (rc != 0) return root_.error(rc, "write", written_);
        return static_cast<char*>(v.mv_data);
    }

    Status erase(Keyspace keyspace, Bytes key) override {
        MDB_val k = val(key);
        int rc = mdb_del(txn_, handle(keyspace), &k, nullptr);
        if (rc != 0 && rc != MDB_NOTFOUND) return root_.error(rc, "write", written_);
        return {};
    }

    Result<uint64_t> erase_range(Keyspace keyspace, const KeyRange& range) override;

    Status commit() override {
        int rc = mdb_txn_commit(std::exchange(txn_, nullptr));
        if (rc != 0) return root_.error(rc, "commit to", written_);
        return {};
    }

    MDB_txn* raw() { return txn_; }

private:
    MDB_dbi handle(Keyspace keyspace) const { return root_.handles_[static_cast<int>(keyspace)]; }
    Status erase_each(MDB_cursor* cursor, const KeyRange& range, uint64_t& erased);

    LmdbRoot& root_;
    MDB_txn* txn_;
    uint64_t written_ = 0;
};

Result<uint64_t> LmdbTransaction::erase_range(Keyspace keyspace, const KeyRange& range) {
    if (range.from.empty() && range.to.empty()) {
        MDB_stat stat;
        int rc = mdb_stat(txn_, handle(keyspace), &stat);
        if (rc == 0) rc = mdb_drop(txn_, handle(keyspace), 0);
        if (rc != 0) return root_.error(rc, "write", written_);
        return static_cast<uint64_t>(stat.ms_entries);
    }
    MDB_cursor* cursor;
    int rc = mdb_cursor_open(txn_, handle(keyspace), &cursor);
    if (rc != 0) return root_.error(rc, "write", written_);
    uint64_t erased = 0;
    Status status = erase_each(cursor, range, erased);
    mdb_cursor_close(cursor);
    if (!status.ok()) return status;
    return erased;
}

// Searches anew after each removal: where a cursor stands after mdb_cursor_del() differs by
// version.
Status LmdbTransaction::erase_each(MDB_cursor* cursor, const KeyRange& range, uint64_t& erased) {
    for (;;) {
        MDB_val k = val(range.from), v;
        int rc = mdb_cursor_get(cursor, &k, &v, range.from.empty() ? MDB_FIRST : MDB_SET_RANGE);
        if (rc == MDB_NOTFOUND) return {};
        if (rc == 0 && !range.to.empty() && bytes_of(k) >= Bytes(range.to)) return {};
        if (rc == 0) rc = mdb_cursor_del(cursor, 0);
        if (rc != 0) return root_.error(rc, "write", written_);
        ++erased;
    }
}

Result<std::unique_ptr<LmdbRoot>> LmdbRoot::open(Vfs& vfs, const std::string& directory,
                                                 bool read_only, bool create, uint64_t map_bytes) {
    RETURN_IF_ERROR(vfs.before_root(VfsOp::kRootOpen, directory + "/data.mdb"));
    std::unique_ptr<LmdbRoot> root(new LmdbRoot(vfs, directory));
    RETURN_IF_ERROR(root->open_environment(read_only, map_bytes));
    if (!create) RETURN_IF_ERROR(root->cover_all_pages());
    RETURN_IF_ERROR(root->open_keyspaces(create));
    return root;
}

LmdbRoot::~LmdbRoot() {
    if (env_ != nullptr) mdb_env_close(env_);
}

Status LmdbRoot::open_environment(bool read_only, uint64_t map_bytes) {
    const uint64_t page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
    read_only_ = read_only;
    map_bytes_ = std::max<uint64_t>((map_bytes + page - 1) / page * page, 16 * page);
    int rc = mdb_env_create(&env_);
    if (rc == 0) rc = mdb_env_set_mapsize(env_, map_bytes_);
    if (rc == 0) rc = mdb_env_set_maxreaders(env_, kReadersMax);
    if (rc == 0) rc = mdb_env_set_maxdbs(env_, kDatabasesMax);
    unsigned flags = MDB_NOTLS | MDB_NORDAHEAD | (read_only ? MDB_RDONLY : 0);
    if (rc == 0) rc = mdb_env_open(env_, directory_.c_str(), flags, 0666);
    if (rc != 0) return error(rc, "open");
    int dead;
    rc = mdb_reader_check(env_, &dead);  // forget readers that were killed
    if (rc != 0) return error(rc, "open");
    return {};
}

// A page beyond the end of the file would be a SIGBUS. A few may legally be missing (never written
// because never used); they are given space, which changes no byte. More than a few is damage.
Status LmdbRoot::cover_all_pages() {
    MDB_envinfo info;
    MDB_stat stat;
    int rc = mdb_env_info(env_, &info);
    if (rc == 0) rc = mdb_env_stat(env_, &stat);
    if (rc != 0) return error(rc, "open");
    const std::string path = directory_ + "/data.mdb";
    ASSIGN_OR_RETURN(FileStat file, vfs_.stat(path));
    uint64_t needed = (static_cast<uint64_t>(info.me_last_pgno) + 1) * stat.ms_psize;
    if (file.size >= needed) return {};
    Status cut_off = Status::corruption("the root of the database is damaged: " + path + " has " +
                                        std::to_string(file.size) + " bytes and should have " +
                                        std::to_string(needed));
    if (needed - file.size > kUnwrittenMaxBytes) return cut_off;
    int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    if (fd < 0) return cut_off;
    int failed = ::posix_fallocate(fd, static_cast<off_t>(needed - 1), 1);
    ::close(fd);
    if (failed != 0) return cut_off;
    return {};
}

Status LmdbRoot::open_keyspaces(bool create) {
    MDB_txn* txn;
    int rc = mdb_txn_begin(env_, nullptr, create ? 0 : MDB_RDONLY, &txn);
    if (rc != 0) return error(rc, "open");
    for (int i = 0; i < kKeyspaces; ++i) {
        std::string name(name_of(static_cast<Keyspace>(i)));
        MDB_dbi handle;
        rc = mdb_dbi_open(txn, name.c_str(), create ? MDB_CREATE : 0, &handle);
        if (rc == MDB_NOTFOUND) continue;
        if (rc != 0) {
            mdb_txn_abort(txn);
            return error(rc, "open");
        }
        handles_[i] = handle;
    }
    rc = mdb_txn_commit(txn);
    if (rc != 0) return error(rc, "commit to");
    return {};
}

Status LmdbRoot::create_keyspaces() {
    for (unsigned handle : handles_) {
        if (handle == kNoKeyspace) return open_keyspaces(true);
    }
    return {};
}

bool LmdbRoot::has_keyspace(Keyspace keyspace) const {
    return handles_[static_cast<int>(keyspace)] != kNoKeyspace;
}

Result<std::unique_ptr<RootTransaction>> LmdbRoot::begin(bool write) {
    MDB_txn* txn;
    int rc = mdb_txn_begin(env_, nullptr, write ? 0 : MDB_RDONLY, &txn);
    if (rc != 0) return error(rc, write ? "write" : "read");
    return std::unique_ptr<RootTransaction>(std::make_unique<LmdbTransaction>(*this, txn));
}

Status LmdbRoot::copy_to(const std::string& path) {
    RETURN_IF_ERROR(vfs_.before_root(VfsOp::kRootCopy, path + "/data.mdb"));
    int dead;
    int rc = mdb_reader_check(env_, &dead);  // a killed reader would keep old pages alive
    if (rc == 0) rc = mdb_env_copy2(env_, path.c_str(), MDB_CP_COMPACT);
    if (rc != 0) return error(rc, "copy", kNearlyFullBytes);
    return {};
}

Status LmdbRoot::verify() {
    ASSIGN_OR_RETURN(std::unique_ptr<RootTransaction> txn, begin(false));
    for (int i = 0; i < kKeyspaces; ++i) {
        Keyspace keyspace = static_cast<Keyspace>(i);
        ASSIGN_OR_RETURN(std::unique_ptr<RootCursor> cursor, txn->cursor(keyspace));
        std::string previous;
        ASSIGN_OR_RETURN(bool found, cursor->seek({}));
        while (found) {
            RETURN_IF_ERROR(read_root_value(keyspace, cursor->key(), cursor->value()).status());
            // A walk along the leaves does not use the inner pages; a search does.
            ASSIGN_OR_RETURN(std::optional<Bytes> same, txn->find(keyspace, cursor->key()));
            if (!same || cursor->key() <= Bytes(previous)) {
                return Status::corruption("the root of the database is damaged: key " +
                                          hex_of(cursor->key()) + " in keyspace " +
                                          std::string(name_of(keyspace)) + " is out of place");
            }
            previous = cursor->key();
            ASSIGN_OR_RETURN(found, cursor->next());
        }
    }
    return verify_free_pages();
}

// LMDB keeps lists of free pages in its database 0; a page number that is none would be written to.
Status LmdbRoot::verify_free_pages() {
    MDB_envinfo info;
    mdb_env_info(env_, &info);
    ASSIGN_OR_RETURN(std::unique_ptr<RootTransaction> txn, begin(false));
    MDB_cursor* raw;
    int rc = mdb_cursor_open(static_cast<LmdbTransaction&>(*txn).raw(), 0, &raw);
    if (rc != 0) return error(rc, "read");
    LmdbCursor cursor(raw, "free");
    ASSIGN_OR_RETURN(bool found, cursor.seek({}));
    while (found) {
        Reader reader(cursor.value());
        uint64_t count = reader.u64();
        bool good = cursor.key().size() == sizeof(size_t) &&
                    count <= cursor.value().size() / sizeof(uint64_t) - 1;
        for (uint64_t i = 0; good && i < count; ++i) {
            uint64_t page = reader.u64();
            good = page >= 2 && page <= info.me_last_pgno;
        }
        if (!good || !reader.ok()) {
            return Status::corruption(
                "the root of the database is damaged: its list of free pages");
        }
        ASSIGN_OR_RETURN(found, cursor.next());
    }
    return {};
}

Status LmdbRoot::error(int code, std::string_view doing, uint64_t bytes) const {
    const std::string path = directory_ + "/data.mdb";
    const std::string what = "cannot " + std::string(doing) + " " + path + ": ";
    switch (code) {
        case MDB_MAP_FULL:
            return Status(Code::kIo, "53100",
                          what + "it has reached its limit of " + std::to_string(map_bytes_) +
                              " bytes")
                .with_hint("Open the database with a larger map_bytes.");
        case MDB_READERS_FULL:
            return Status(Code::kIo, "53300", what + "too many read transactions are open");
        case MDB_TXN_FULL:
            return Status(Code::kIo, "54000", what + "the transaction is too large");
        case MDB_MAP_RESIZED:
            return Status(Code::kIo, "58030", what + "another process has enlarged its limit")
                .with_hint("Open the database again, with a larger map_bytes.");
        case MDB_PANIC:
            return Status(Code::kIo, "58030", what + "an earlier write failed")
                .with_hint("Open the database again.");
        case MDB_VERSION_MISMATCH:
            return Status::unsupported(what + "it was written by another version of LMDB");
        case MDB_INVALID:
        case MDB_CORRUPTED:
        case MDB_PAGE_NOTFOUND:
            return Status::corruption("the root of the database is damaged: " + what +
                                      mdb_strerror(code));
        case EIO: {
            // LMDB calls a short write EIO; on a disk without room that is what it was.
            Result<uint64_t> free = vfs_.free_bytes(directory_);
            bool full = bytes > 0 && free.ok() && *free < kNearlyFullBytes + 2 * bytes;
            return status_from_errno(full ? ENOSPC : EIO, doing, path);
        }
        default:
            if (code > 0) return status_from_errno(code, doing, path);
            return Status::io(what + mdb_strerror(code));
    }
}

}  // namespace trefoil
