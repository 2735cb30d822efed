// Recovery: from the root to a Version. What was flushed comes from the manifest, the rest is
// replayed from the redo records. A reader beside the writing process catches up in the same way.

#pragma once

#include <map>
#include <set>

#include "storage/commit_log.h"
#include "storage/store.h"
#include "table/table_version.h"

namespace trefoil::table {

struct Recovered {
    VersionPtr version;
    uint64_t checkpoint_xid = 0;
    uint64_t root_version = 0;  // see Store::root_version()
    uint32_t next_table_id = 1;
    uint64_t part_id_max = 0;
    bool old_records = false;  // some must be flushed before a table may be altered
    std::set<FileName> files;  // every file that the manifest names
    std::map<uint64_t, DeadRowsPtr> stored_dead_rows;
};

// Errors: kCorruption, kIo, kUnsupported.
Result<Recovered> recover(const Store& store, const CommitLog& log);
// The same as `root` shows it.
Result<Recovered> recover_from(const Store& store, const CommitLog& log,
                               const ReadTransaction& root);

// The newest Version, or null if `current` is the newest. `root_version` is the one that `current`
// was loaded from, and is updated. As long as it stays the same, only new redo records are replayed
// on top of `current`; a flush or a change of tables loads the manifest anew.
Result<VersionPtr> catch_up(const Store& store, const CommitLog& log, const VersionPtr& current,
                            uint64_t* root_version);

}  // namespace trefoil::table
