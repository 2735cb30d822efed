// Flush: the delta becomes segments; segments that are small, holey or much patched are rewritten.
//
//     freeze()    remember the newest Version; later commits leave its delta parts alone
//     build()     write segments and key runs, table by table, outside any lock
//     publish()   name them in the root, drop the redo records, swap them in; rows that were killed
//                 since freeze() are killed in the new segments too
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
    explicit Flush(TableStore& store) : store_(store) {}

    Status freeze();
    Status build();
    Status publish();
    // After publish(), outside any lock.
    Status remove_files();

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
        std::vector<Runs> runs;  // for each index
    };

    static bool wants_work(const TableVersion& table);
    static void choose_sources(Rewrite& rewrite);
    Status write_segments(Rewrite& rewrite);
    Status write_piece(Rewrite& rewrite, std::span<const LiveRow> rows, bool patch);
    Result<Rewrite::Runs> write_run(const TableVersion& table, size_t index);
    Status write_root(uint64_t xid);
    Status write_table(WriteTransaction& root, const Rewrite& rewrite);
    std::shared_ptr<const TableVersion> swap_in(const Rewrite& rewrite, const TableVersion& newest);

    TableStore& store_;
    VersionPtr frozen_;
    std::map<uint32_t, Rewrite> rewrites_;
};

}  // namespace trefoil::table
