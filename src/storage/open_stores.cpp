// The registry of open directories, and removal of trees.

#include "storage/open_stores.h"

#include <unistd.h>

#include <map>
#include <mutex>

#include "base/check.h"

namespace trefoil {
namespace {

struct Registry {
    std::mutex mutex;
    std::map<std::pair<uint64_t, uint64_t>, pid_t> open;  // and the process that opened it
};

Registry& registry() {
    static Registry instance;
    return instance;
}

}  // namespace

bool remember_open_store(uint64_t device, uint64_t inode) {
    std::lock_guard guard(registry().mutex);
    auto [at, is_new] = registry().open.try_emplace({device, inode}, ::getpid());
    if (!is_new && at->second == ::getpid()) return false;
    at->second = ::getpid();
    return true;
}

void forget_open_store(uint64_t device, uint64_t inode) {
    std::lock_guard guard(registry().mutex);
    registry().open.erase({device, inode});
}

std::string parent_directory(const std::string& path) {
    size_t end = path.find_last_not_of('/');
    size_t slash = path.rfind('/', end == std::string::npos ? 0 : end);
    if (slash == std::string::npos) return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

Status remove_tree(Vfs& vfs, const std::string& path) {
    Status status = vfs.remove(path);
    if (status.code() == Code::kNotFound) return {};
    if (status.code() != Code::kConflict) return status;
    // A directory that is not empty. A link to one was removed above and never followed.
    ASSIGN_OR_RETURN(std::vector<std::string> names, vfs.list(path));
    for (const std::string& name : names) RETURN_IF_ERROR(remove_tree(vfs, path + "/" + name));
    return vfs.remove(path);
}

}  // namespace trefoil
