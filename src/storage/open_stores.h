// Helpers of Store: the registry of directories that this process has open, and two for paths.
//
// LMDB must not be opened twice in one process (its locks are per process), so the process
// remembers which directories are open, by device and inode. It is the only state outside of
// objects.

#pragma once

#include <cstdint>
#include <string>

#include "storage/vfs.h"
#include "trefoil/status.h"

namespace trefoil {

// False if this process has that directory open already. A child after fork() starts with none.
bool remember_open_store(uint64_t device, uint64_t inode);
void forget_open_store(uint64_t device, uint64_t inode);

// Removes a file or a link, or a directory with everything in it. It is not an error if there is
// none.
Status remove_tree(Vfs& vfs, const std::string& path);

// "a" for "a/b/", "." for "b", "/" for "/b".
std::string parent_directory(const std::string& path);

}  // namespace trefoil
