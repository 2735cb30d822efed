// SnapshotCatalog: the tables of one Version as sources for the engine and the fast path.
//
// It chooses the access path: indexes where they answer a filter and pay (index_plan.h) and are on,
// else a scan.

#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "access/counters.h"
#include "access/source.h"
#include "table/table_version.h"

namespace trefoil::access {

struct AccessOptions {
    bool use_indexes = true;
    uint32_t partitions_max = 1;  // of a scan
};

// A table that is not stored: made anew for each statement that reads it.
struct VirtualTable {
    arrow::SchemaPtr schema;
    std::function<Result<arrow::Batch>()> rows;
};
using VirtualTables = std::map<std::string, VirtualTable, std::less<>>;

class SnapshotCatalog final : public SourceCatalog {
public:
    // `counters` and `virtual_tables` must outlive the catalog and all that came from it.
    SnapshotCatalog(table::VersionPtr version, AccessOptions options, CounterRegistry& counters,
                    const VirtualTables& virtual_tables);

    Result<std::shared_ptr<TableSource>> find(std::string_view name, bool row_ids) const override;
    std::vector<std::string> table_names() const override;

    const table::VersionPtr& version() const { return version_; }

private:
    table::VersionPtr version_;
    AccessOptions options_;
    CounterRegistry& counters_;
    const VirtualTables& virtual_tables_;
};

}  // namespace trefoil::access
