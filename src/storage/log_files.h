// LogFiles: the files of the commit log of one store, and what a snapshot sees of them.
//
// The log lies in two places. A commit that changes more than the log is a transaction of the root,
// and its records are in Keyspace::kLog with it. One that changes the log alone goes to the end
// of a log file, which costs one sync in place of LMDB's two. The root names the files there are
// (its key "store.log"), and each frame of a file says after which root version it was written.
// While a file takes records, every transaction of the root has a new version, so both places
// together have one order, and a snapshot of the root sees exactly the frames that belong to it.
//
// A file is begun and named by a transaction of the root, and dropped by the one that erases the
// last of its records. Only the process that made a file writes to it.
//
// Threads: every function may be called by any thread; those of the writer by one at a time. Tested
// by commit_log_test.cpp.

#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "storage/log_file.h"

namespace trefoil {

// The files of the log as a transaction sees them, oldest first.
struct LogView {
    struct Piece {
        std::shared_ptr<LogFile> file;
        size_t frames = 0;
    };
    uint64_t first_xid = 0;  // records below it are erased
    std::vector<Piece> files;

    // The xid of the last record, or 0 if there is none.
    uint64_t last_xid() const;
    bool names(const std::shared_ptr<LogFile>& file) const;
    // Forgets records up to `xid`, and files that have no others.
    void erase_up_to(uint64_t xid);
    // The value of "store.log" (store_format.h).
    std::string encode() const;
};

class LogFiles {
public:
    // The files of the database `database` in `directory`. A reader beside a writer looks for what
    // was appended.
    LogFiles(Vfs& vfs, std::string directory, const DatabaseId& database, bool read_only)
        : vfs_(vfs), directory_(std::move(directory)), database_(database), read_only_(read_only) {}

    // What a root of version `root_version` sees, of which `stored` is the value of "store.log".
    // kNotFound (58P01) if a file is gone: the writer has dropped it, and the root is out of date.
    Result<LogView> view(Bytes stored, uint64_t root_version);

    // For the writer, at its start: makes durable what another process wrote and perhaps did not
    // sync, and removes files that the root does not name.
    Status recover(const LogView& view);
    // A new file, which takes records once the root names it.
    Result<std::shared_ptr<LogFile>> create(FileId id, uint64_t bytes);
    // The root has committed `view`: files that it does not name are removed, unless the copy of
    // the root does.
    void adopt(const LogView& view);
    // The copy of the root was made anew, between these two views.
    void copied(const LogView& before, const LogView& after);

private:
    std::string path_of(FileId id) const;
    Result<std::shared_ptr<LogFile>> open(FileId id);
    void remove_unnamed();

    Vfs& vfs_;
    const std::string directory_;
    const DatabaseId database_;
    const bool read_only_;
    std::mutex mutex_;  // guards what follows
    std::map<FileId, std::shared_ptr<LogFile>> files_;
    std::set<FileId> unnamed_;  // by the root
    std::set<FileId> copied_;   // named by its copy
};

}  // namespace trefoil
