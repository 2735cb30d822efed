// Flush: the delta becomes segments; segments that are small, holey or much patched are rewritten.
//
//     freeze()    remember the newest Version; later commits leave its delta parts alone
//     build()     write segments and key runs, table by table, outside any lock
//     publish()   name them in the root, drop the redo records, swap them in; rows that were killed
//                 since freeze() are killed in the new segments too. What was replaced is garbage
//
// Internal to the room; used under TableStore::flush_mutex_.

#pragma once

#include <map>
#include <memory>
#include <set>
#include <vector>

#include "table/keyed_rows.h"
#include "table/table_store.h"

namespace trefoil::table {

class Flush {
public:
    Flush(TableStore& store, const FlushGoal& goal) : store_(store), goal_(goal) {}
    // Files that were not published are removed.
    ~Flush();

    Status freeze();
    Status build();
    Status publish();

    // Whether a table has grown so many holes that a compaction pays.
    static bool pays(const Version& version);

private:
    // What changes in one table.
    struct Rewrite {
        TableVersionPtr frozen;
        std::vector<Part> sources;   // parts whose live rows are rewritten
        std::set<uint64_t> removed;  // segment ids among them
        std::vector<Part> new_base, new_patches;
        struct Runs {
            size_t kept = 0;  // of the frozen index's runs, from the front
            std::vector<RunPart> added;
        };
        std::vector<Runs> runs;   // for each index
        bool everything = false;  // FlushGoal::everything, for this table
    };

    static bool wants_work(const TableVersion& table, bool everything);
    static void choose_sources(Rewrite& rewrite);
    static void discard_new_files(const Rewrite& rewrite);
    void add_garbage(const Rewrite& rewrite);
    Status write_segments(Rewrite& rewrite);
    Status write_piece(Rewrite& rewrite, std::span<const LiveRow> rows, bool patch);
    Result<Rewrite::Runs> write_run(const TableVersion& table, size_t index, bool everything);
    Status write_root(uint64_t xid);
    Status write_table(WriteTransaction& root, const Rewrite& rewrite);
    std::shared_ptr<const TableVersion> swap_in(const Rewrite& rewrite, const TableVersion& newest);

    TableStore& store_;
    FlushGoal goal_;
    VersionPtr frozen_;
    std::map<uint32_t, Rewrite> rewrites_;
};

}  // namespace trefoil::table
