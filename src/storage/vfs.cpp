// Vfs: the words for operations and errors that all implementations share.

#include "storage/vfs.h"

#include <cerrno>
#include <system_error>

namespace trefoil {

std::string_view name_of(VfsOp op) {
    static constexpr std::string_view kNames[kVfsOps] = {
        "open", "read", "write", "sync", "sync_dir", "rename",    "remove",      "make_dir",
        "list", "stat", "lock",  "map",  "populate", "root_open", "root_commit", "root_copy",
    };
    return kNames[static_cast<int>(op)];
}

bool is_disk_full(const Status& status) {
    return status.sqlstate() == "53100";
}

Status status_from_errno(int error, std::string_view verb, const std::string& path) {
    std::string message = "cannot " + std::string(verb) + " " + path + ": ";
    switch (error) {
        case ENOSPC:
        case EDQUOT:
            return Status(Code::kIo, "53100", message + "the disk is full")
                .with_hint("Free some space and try again.");
        case ENOENT:
            return Status(Code::kNotFound, "58P01", message + "there is no such file");
        case ENOTDIR:
            return Status(Code::kNotFound, "58P01",
                          message + "part of the path is not a directory");
        case ENOTEMPTY:
            return Status(Code::kConflict, "55006", message + "the directory is not empty");
        case EACCES:
        case EPERM:
            return Status(Code::kIo, "42501", message + "permission denied");
        case EROFS:
            return Status(Code::kReadOnly, "25006", message + "the file system is read-only");
        case ENOMEM:
            return Status(Code::kIo, "53200", message + "out of memory");
        default:
            return Status(Code::kIo, "58030", message + std::generic_category().message(error));
    }
}

}  // namespace trefoil
