// Store: a database directory. Its root says what exists; immutable data files beside it hold the
// bulk.
//
//     PosixVfs disk;
//     ASSIGN_OR_RETURN(auto store, Store::open(disk, "shop.trefoil", {.create_if_missing = true}));
//     ASSIGN_OR_RETURN(WriteTransaction txn, store->begin_write());
//
// The one rule of crash safety: a file is complete, durable and named before a transaction of the
// root that mentions it commits. So after a crash the root is either the old or the new one, and
// each names only files that are whole. Files that the root does not name are swept by their owner.
//
// The root is an LMDB environment with default sync; its commit log goes on in files of its own
// (log_files.h), whose commits are one sync. One process writes (a lock tells the second
// one so), any number of processes read beside it. An in-memory store has the same interface: an
// ordered map for the root, a MemoryVfs for the files, and nothing survives it.
//
// After a failed commit or a failed fsync nobody knows what the disk holds, so the store stops:
// reads go on, writes are refused with the reason, until it is opened again. Layout:
// store_format.h.
//
// Threads: every function may be called by any thread at any time. Tested by store_test.cpp
// (opening, processes, damage) and store_fault_test.cpp (a failure at every call, power loss).

#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "storage/data_file.h"
#include "storage/transaction.h"
#include "storage/vfs.h"
#include "trefoil/status.h"

namespace trefoil {

class Root;

struct StoreOptions {
    enum class Mode : uint8_t { kReadWrite, kReadOnly };
    Mode mode = Mode::kReadWrite;
    // Makes the directory (its parent must exist) and an empty database in it. Not with kReadOnly.
    bool create_if_missing = false;
    // Upper bound of root/data.mdb. Address space only: the file grows as needed.
    uint64_t map_bytes = uint64_t{64} << 30;
    // Opens on NFS, SMB, FUSE and the like, where locks and memory maps cannot be trusted.
    bool force_network_fs = false;
    // Reads the whole root (it is small) in a child process before using it, so that damage in
    // LMDB's own pages is an error here and not a crash later.
    bool check_root = true;
    // The log gets a file of its own, of `log_file_bytes`, when this many commits have changed
    // nothing but the log: a file costs some syncs, too.
    uint64_t log_file_after = 16;
    uint64_t log_file_bytes = uint64_t{4} << 20;
};

class Store {
public:
    // Opens the database in directory `path`. `vfs` must outlive the store. What can go wrong, each
    // with a sentence that says what to do:
    //   kNotFound 58P01      nothing is at `path` and create_if_missing is off
    //   kInvalidInput 58P01  a file, or a directory that is not a database, is at `path`
    //   kConflict 55006      another process writes it, or this process has it open already
    //   kUnsupported 0A000   it was written by a newer version, or lies on a network file system
    //   kCorruption XX001    the root is damaged
    //   kIo 42501, 53100, 58030   rights, full disk, other errors
    static Result<std::unique_ptr<Store>> open(Vfs& vfs, const std::string& path,
                                               const StoreOptions& options = {});

    // An empty store in memory. `files` may replace its own MemoryVfs and must then outlive the
    // store.
    static Result<std::unique_ptr<Store>> open_memory(Vfs* files = nullptr);

    // REQUIRES: all transactions and FileWriters have ended. DataFiles may live on.
    ~Store();
    Store(const Store&) = delete;
    Store& operator=(const Store&) = delete;

    // A consistent view of the root as of now.
    Result<ReadTransaction> begin_read() const;
    // Waits until the previous write transaction has ended. Refused when the store is read-only or
    // stopped. REQUIRES: this thread has no write transaction open.
    Result<WriteTransaction> begin_write();

    // Begins a new data file with a new id.
    Result<std::unique_ptr<FileWriter>> create_file(FileKind kind);
    // A file without a name, for what does not fit into memory for a while: its space is free again
    // when it is closed, and after a crash.
    Result<std::unique_ptr<VfsFile>> create_scratch();
    // Opens a finished file, or the one that is open already. kNotFound (58P01) if there is none:
    // for a reader beside a writer that means its view of the manifest is out of date.
    Result<std::shared_ptr<const DataFile>> open_file(FileKind kind, FileId id) const;
    // Deletes a file that no snapshot needs any more. Views into an open DataFile stay valid. It is
    // not an error if there is none.
    Status remove_file(FileKind kind, FileId id);
    // Deletes every data file that is not in `live`; the answer is how many. The owner of the
    // manifest calls it after open, before it creates files.
    Result<uint64_t> sweep_orphans(const std::set<FileName>& live);

    // Writes a compacted copy of the root to root.bak/. Does nothing in memory. Blocks nobody, but
    // pins what is written meanwhile. A failure (except a failed sync) leaves the store and the old
    // copy as they are.
    Status backup_root();
    // Reads every value of the root against its checksum.
    Status verify_root() const;

    // From the commit of `txn` on, who reads the database must know this feature (store_format.h).
    Status require(WriteTransaction& txn, uint64_t feature);

    // Ok, or why this store no longer writes.
    Status stopped() const;
    // Stops writing for good; the first reason stays.
    void stop(const Status& reason);

    bool read_only() const { return options_.mode == StoreOptions::Mode::kReadOnly; }
    bool in_memory() const { return path_.empty(); }
    // As given to open(); "" in memory.
    const std::string& path() const { return path_; }
    // A directory for whatever may be lost at a crash, emptied at each writable open; "" if the
    // store is in memory or read-only.
    std::string tmp_path() const { return in_memory() || read_only() ? "" : path_of("tmp"); }
    const DatabaseId& uuid() const { return uuid_; }
    // A number that differs from one commit to the next if it changed more than the log; a reader
    // whose number is the same still has to replay new records only.
    static Result<uint64_t> root_version(const ReadTransaction& txn);
    // Bytes of root/data.mdb; 0 in memory.
    Result<uint64_t> root_bytes() const;

private:
    friend class FileWriter;
    friend class StoreOpener;
    friend class WriteTransaction;
    Store(Vfs& vfs, std::string path, StoreOptions options);
    std::string path_of(std::string_view inside) const;
    Status usable() const;
    Status check_writable() const;
    // Stops, and answers what stopped() answers.
    Status stopped_by(const Status& reason);
    Result<LogView> log_view(const ReadTransaction& txn) const;
    Status commit(WriteTransaction& txn);
    // Of commit(): for a transaction that only adds records to the log.
    bool takes_into_file(const WriteTransaction& txn) const;
    Status commit_into_file(WriteTransaction& txn);
    Status commit_into_root(WriteTransaction& txn);
    // Begins a log file, if it is time for one, which the root then names.
    Result<std::shared_ptr<LogFile>> begin_log_file(WriteTransaction& txn);
    Status put_version(WriteTransaction& txn);
    static std::string encode_format(const DatabaseId& uuid, uint64_t read_features);
    Result<std::vector<FileName>> list_data_files() const;
    void writer_ended();

    std::unique_ptr<Vfs> own_vfs_;
    Vfs& vfs_;
    std::string path_;
    StoreOptions options_;
    DatabaseId uuid_{};
    int process_ = 0;  // of open(); LMDB must not be used after fork()
    std::unique_ptr<VfsLock> lock_;
    std::unique_ptr<Root> root_;
    std::unique_ptr<LogFiles> log_files_;  // null in memory, and before the uuid is known
    uint64_t device_ = 0, inode_ = 0;      // our entry in the registry of open stores, or 0, 0

    std::atomic<FileId> next_file_id_{1};
    // Guarded by being the writer:
    FileId stored_file_id_ = 0;          // what "store.file_id" says
    uint64_t read_features_ = 0;         // what "store.format" says
    uint64_t log_commits_ = 0;           // commits that changed nothing but the log, in the root
    std::shared_ptr<LogFile> log_file_;  // the one that takes records, or null

    mutable std::mutex mutex_;  // guards what follows
    std::condition_variable writer_gone_;
    std::thread::id writer_;
    Status stopped_;

    std::shared_ptr<OpenFiles> open_files_ = std::make_shared<OpenFiles>();
};

}  // namespace trefoil
