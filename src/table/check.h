// Checking a database: every checksum, and every index against its table.
//
//     ASSIGN_OR_RETURN(CheckReport report, check_database(store, *version, &cancel));
//     for (const Finding& f : report.findings) ...      // none: everything is as it should be
//
// What is checked, of one snapshot:
//   files      each block against its checksum; values of the root likewise
//   rows       a row id is handed out, and lives in one place; counts agree; NOT NULL holds
//   zones      what scans skip by (bounds, counts of NULL) holds for the rows
//   indexes    one loop for all of them: an entry names a row that is dead, or that has just this
//              key; every live row has its entry; a search finds every entry where it lies
//
// It reads everything once and changes nothing. Like facts are told once, with how many there are.
// Tested by check_test.cpp, which damages each of these things.

#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "storage/store.h"
#include "table/table_version.h"

namespace trefoil::table {

struct Finding {
    std::string object;  // "seg/0000000000000007.seg", "table person", "index person_pkey", "root"
    std::string what;    // "checksum", "row", "not null", "zone map", "entry", "missing entry", ...
    std::string detail;
};

struct CheckReport {
    std::vector<Finding> findings;
    uint64_t tables = 0, rows = 0, files = 0, bytes = 0, index_entries = 0;
};

// Errors: 57014 if `cancel` (which may be null) became true. Damage is no error but a finding.
Result<CheckReport> check_database(const Store& store, const Version& version,
                                   const std::atomic<bool>* cancel);

// The same for one table, added to `report`.
Status check_table(const TableVersion& table, const std::atomic<bool>* cancel, CheckReport* report);

}  // namespace trefoil::table
