// SnapshotCatalog: the tables of one Version as sources for the engine and the fast path.
//
// It chooses the access path: indexes where they answer a filter and pay (index_plan.h) and are on,
// else a scan.

#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "access/counters.h"
#include "access/custom_def.h"
#include "access/source.h"
#include "table/table_version.h"

namespace trefoil::access {

// The sequences as one session sees them: which numbers it has, and what it may do.
class SequenceUser {
public:
    virtual ~SequenceUser() = default;
    // `sequence` is null for lastval and trefoil_cancel.
    virtual Status call(const SequenceCall& call, const catalog::TableDef* sequence,
                        std::span<int64_t> out) = 0;
};

// A table that is not stored: made anew for each statement that reads it.
struct VirtualTable {
    arrow::SchemaPtr schema;
    // As the transaction sees it that reads.
    std::function<Result<arrow::Batch>(const table::Version& version)> rows;
};
using VirtualTables = std::map<std::string, VirtualTable, std::less<>>;

struct AccessOptions {
    bool use_indexes = true;
    bool index_order = true;      // an index may answer ORDER BY
    bool index_joins = true;      // a scan may look the keys of a join up
    bool covering_scans = true;   // keys of an index may answer instead of the rows
    uint32_t partitions_max = 1;  // of a scan
    catalog::SearchPath search_path{std::string(catalog::kPublicSchema)};
    SequenceUser* sequences = nullptr;  // if there are any
    bool read_only = false;             // sequences must stay where they are
    // Virtual tables that only the session that reads can fill; they hide others of their names.
    const VirtualTables* session_tables = nullptr;
};

class SnapshotCatalog final : public SourceCatalog {
public:
    // `counters` and `virtual_tables` must outlive the catalog and all that came from it.
    SnapshotCatalog(table::VersionPtr version, AccessOptions options, CounterRegistry& counters,
                    const VirtualTables& virtual_tables,
                    CustomTablesPtr custom_tables = std::make_shared<CustomTables>());

    Result<std::shared_ptr<TableSource>> find(std::string_view name, bool row_ids) const override;
    std::optional<ViewText> find_view(std::string_view name) const override;
    // Tables and views: those in the search path by their plain names.
    std::vector<std::string> table_names() const override;
    std::vector<std::string> schemas() const override;
    std::optional<std::string> relation_name(std::string_view name) const override;
    Status call_sequence(const SequenceCall& call, std::span<int64_t> out) const override;
    // Whatever has this name. Null if there is nothing.
    catalog::TablePtr resolve(std::string_view name) const {
        return version_->catalog->resolve(name, options_.search_path);
    }

    const table::VersionPtr& version() const { return version_; }
    const CustomTablesPtr& custom_tables() const { return custom_tables_; }
    // The program's table of this name, null if there is none. They are in schema public, and are
    // looked up after everything that is stored.
    CustomTableDefPtr find_custom(std::string_view name) const;
    // The sequence that a function names. Errors: 42P01, 42809.
    Result<catalog::TablePtr> find_sequence(std::string_view name) const;
    const catalog::SearchPath& search_path() const { return options_.search_path; }

private:
    Result<std::shared_ptr<TableSource>> custom_source(const CustomTableDefPtr& def) const;
    // Its name and itself; null if there is none.
    const VirtualTables::value_type* find_virtual(std::string_view name) const;

    table::VersionPtr version_;
    AccessOptions options_;
    CounterRegistry& counters_;
    const VirtualTables& virtual_tables_;
    CustomTablesPtr custom_tables_;
    mutable std::mutex snapshots_mutex_;
    mutable std::map<std::string, CustomTableDefPtr>
        snapshots_;  // of custom tables: the same for all who read them here
};

}  // namespace trefoil::access
