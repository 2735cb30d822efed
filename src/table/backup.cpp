// TableStore::backup: one snapshot as a database of its own, and the proof that it opens.

#include "storage/backup.h"
#include "table/recovery.h"
#include "table/table_store.h"

namespace trefoil::table {
namespace {

// A snapshot of the root, and the version that it holds, which keeps its files from being removed.
struct Pinned {
    std::optional<ReadTransaction> root;
    VersionPtr version;
};

// Opens the copy as a reader would, and holds it against what was to be written.
Status check_backup(Vfs& vfs, const std::string& path, const Version& expected) {
    ASSIGN_OR_RETURN(auto store, Store::open(vfs, path,
                                             {.mode = StoreOptions::Mode::kReadOnly,
                                              .force_network_fs = true,
                                              .check_root = false}));
    ASSIGN_OR_RETURN(Recovered copy, recover(*store, CommitLog()));
    bool same =
        copy.version->xid == expected.xid && copy.version->tables.size() == expected.tables.size();
    for (const auto& [id, table] : expected.tables) {
        TableVersionPtr other = copy.version->find(id);
        same = same && other && other->live_rows() == table->live_rows();
    }
    if (same) return {};
    return Status::corruption("the backup in \"" + path +
                              "\" does not hold what the database holds");
}

}  // namespace

Result<BackupSize> TableStore::backup(Vfs& to, const std::string& path) {
    Pinned pinned;
    if (store_->read_only()) {
        // The writing process may remove a file between our look at the root and our opening it.
        constexpr int kAttemptsMax = 10;
        for (int attempt = 1;; attempt++) {
            ASSIGN_OR_RETURN(ReadTransaction root, store_->begin_read());
            auto state = recover_from(*store_, log_, root);
            if (state.status().sqlstate() == "58P01" && attempt < kAttemptsMax) continue;
            RETURN_IF_ERROR(state.status());
            pinned = {std::move(root), state->version};
            break;
        }
    } else {
        std::lock_guard tip(tip_mutex_);  // nothing is committed between the two
        ASSIGN_OR_RETURN(ReadTransaction root, store_->begin_read());
        pinned = {std::move(root), current_.load()};
    }
    std::vector<std::shared_ptr<const DataFile>> files;
    for (const auto& [id, table] : pinned.version->tables) {
        for (auto& file : table->files()) files.push_back(std::move(file));
    }
    ASSIGN_OR_RETURN(BackupSize size, write_backup(*store_, *pinned.root, files, to, path));
    pinned.root.reset();
    RETURN_IF_ERROR(check_backup(to, path, *pinned.version));
    return size;
}

}  // namespace trefoil::table
