// Puts a universe into a Trefoil database: five tables, appended in bulk from Arrow batches.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "trefoil/database.h"
#include "universe.h"

// The tables in the order in which they are made.
inline const std::vector<std::string> kTables = {"maintainer", "package", "depends", "provides",
                                                 "tag"};

// Makes the tables, dropping those of an earlier run, and fills them; prints a line per table.
trefoil::Status load_universe(trefoil::Session& session, const Universe& universe);

// How many packages an earlier run left in this database; 0 if there is no such table.
int64_t packages_of_earlier_run(trefoil::Session& session);
