// write_backup: a second database that holds what one snapshot of a store holds, made while the
// store goes on.
//
//     {
//         ... at one moment: what `root` shows names exactly `files` ...
//         ASSIGN_OR_RETURN(ReadTransaction root, store.begin_read());
//     }
//     ASSIGN_OR_RETURN(BackupSize size, write_backup(store, root, files, disk, "/backup/monday"));
//
// Data files never change, so they get a second name where the file system can do that, and are
// copied where it cannot. The root is copied value by value out of the snapshot. It is made
// complete under tmp/ and renamed last, so a backup that was interrupted is no database, like a
// creation that was. Also an in-memory store can be written so.
//
// Tested by backup_test.cpp (a failure at every call among others).

#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "storage/store.h"

namespace trefoil {

struct BackupSize {
    uint64_t files_linked = 0, files_copied = 0, bytes = 0;
};

// `path` must not exist, or be an empty directory; its parent must exist. After an error nothing
// is left at `path` that can be removed. REQUIRES: the files are open, so nobody removes them.
// Errors: 58P02 something is at `path`; 58P01 no parent directory; 53100 disk full; others.
Result<BackupSize> write_backup(const Store& store, const ReadTransaction& root,
                                std::span<const std::shared_ptr<const DataFile>> files, Vfs& to,
                                const std::string& path);

}  // namespace trefoil
