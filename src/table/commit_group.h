// CommitGroup: transactions that commit together, applied one after the other to the newest
// Version.
//
// Each is validated against what the ones before it made. One that fails leaves no trace and the
// others go on. Then everything is written in one transaction of the root, and published.
//
// For the leader of a group, under TableStore::tip_mutex_. Internal to the room.

#pragma once

#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "storage/transaction.h"
#include "table/redo.h"
#include "table/table_store.h"

namespace trefoil::table {

class CommitGroup {
public:
    CommitGroup(TableStore& store, size_t group_size);

    // Validates and applies one transaction. Errors as TableStore::commit.
    Status add(TableStore::CommitRequest& request);
    // Tells later members which rows a member that was added has changed.
    void accept(const Transaction& txn);
    // Makes all of them durable. An error is everyone's.
    Status write();
    void publish();

private:
    struct Change {
        std::shared_ptr<Version> version;
        std::string record;
        std::vector<RedoTable> redo;
        std::vector<uint32_t> dropped;
        std::vector<TableVersionPtr> dropped_tables;  // of those, what has files
        std::vector<catalog::TablePtr> defined;       // created or altered
        std::vector<std::pair<catalog::TablePtr, Part>> segments;
        struct Refiled {  // a segment to which files came, or of which some went
            catalog::TablePtr table;
            Part part;
            bool patch;
        };
        std::vector<Refiled> refiled;
        std::vector<std::shared_ptr<const DataFile>> dropped_files;
        struct Run {
            uint32_t table_id, index_id;
            RunPart run;
        };
        std::vector<Run> runs;
        std::vector<std::pair<uint32_t, RunPart>> dropped_runs;  // table, run
    };

    Status check_reads(const Transaction& txn) const;
    Status apply_catalog(TableStore::CommitRequest& request, Change& change);
    static Status check_alterable(const Transaction& txn, uint32_t id, Alteration alteration,
                                  const Version& newest);
    Status apply_definition(TableStore::CommitRequest& request, const catalog::TablePtr& def,
                            Alteration alteration, Change& change);
    static Status add_indexes(const IndexCatchUp& caught_up, Change& change);
    static void refile_segments(const TableVersion& before, const TableVersion& after,
                                Change& change);
    static Status check_dependencies(const Change& change, const catalog::Catalog& before,
                                     const catalog::Catalog& after);
    Status apply_table(TableStore::CommitRequest& request, uint32_t table_id, Change& change);
    Status kill_rows(Transaction& txn, const TableWrites& writes, bool unchanged,
                     TableVersion& next, RedoTable& redo);
    Status add_part(const Part& part, uint64_t first_id, TableVersion& next, RedoTable& redo,
                    Change& change);
    void remember_kills(const Transaction& txn);
    Status write_manifest(WriteTransaction& root, const Change& change);

    TableStore& store_;
    std::shared_ptr<Version> tip_;
    std::vector<Change> changes_;
    size_t group_size_;
    const Transaction* alone_ = nullptr;  // the only member, if it was added
};

}  // namespace trefoil::table
