// LmdbRoot: the root on disk, the only code that knows LMDB.
//
// Used with default sync and MDB_NOTLS | MDB_NORDAHEAD, and never with MDB_WRITEMAP (SIGBUS on a
// full disk), MDB_NOSYNC (corruption), MDB_DUPSORT or nested transactions (bugs in packaged
// versions). The process that opened it must not use it after fork(); the Store sees to that, to
// one writer at a time, and to one LmdbRoot per directory and process.

#pragma once

#include <string>

#include "storage/root.h"
#include "storage/vfs.h"

struct MDB_env;

namespace trefoil {

class LmdbRoot final : public Root {
public:
    // Opens the environment in `directory`. With `create` it makes one and its keyspaces; without,
    // a keyspace that is missing reads as empty until create_keyspaces().
    static Result<std::unique_ptr<LmdbRoot>> open(Vfs& vfs, const std::string& directory,
                                                  bool read_only, bool create, uint64_t map_bytes);
    ~LmdbRoot() override;

    Result<std::unique_ptr<RootTransaction>> begin(bool write) override;
    Status copy_to(const std::string& path) override;

    Status create_keyspaces();
    bool has_keyspace(Keyspace keyspace) const;
    // Reads everything: every value against its checksum, every key by search, LMDB's list of free
    // pages. May crash if LMDB's pages are damaged: see check_root_in_child().
    Status verify();

private:
    friend class LmdbTransaction;
    LmdbRoot(Vfs& vfs, std::string directory) : vfs_(vfs), directory_(std::move(directory)) {}
    Status open_environment(bool read_only, uint64_t map_bytes);
    Status open_keyspaces(bool create);
    Status cover_all_pages();
    Status verify_free_pages();
    // `bytes`: how much the caller was about to write.
    Status error(int code, std::string_view doing, uint64_t bytes = 0) const;

    Vfs& vfs_;
    std::string directory_;
    MDB_env* env_ = nullptr;
    bool read_only_ = false;
    uint64_t map_bytes_ = 0;
    static constexpr unsigned kNoKeyspace = ~0u;
    unsigned handles_[kKeyspaces] = {kNoKeyspace, kNoKeyspace, kNoKeyspace, kNoKeyspace,
                                     kNoKeyspace};
};

// Opens and verifies the root in `directory` in a child process, which may crash instead of us.
Status check_root_in_child(const std::string& directory, uint64_t map_bytes);

}  // namespace trefoil
