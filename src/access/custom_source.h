// CustomSource: a table of the program's own as a source for the engine and the fast path.
//
//     CustomScan    all of its rows, filtered here
//     IndexScan     keys of one of its indexes, then the rows with these keys
//     RecordFetch   keys of several of them, combined
//
// Nothing of it is stored: rows come from the program's code when they are asked for. What an index
// finds is fetched in batches of keys, in the order of the keys, and each row that comes is held
// against the keys that were asked for, so that an index and its table cannot disagree unnoticed.
// If a query wants nothing but columns of the key, nothing is fetched.

#pragma once

#include <memory>

#include "access/custom_def.h"
#include "access/source.h"

namespace trefoil::access {

std::shared_ptr<TableSource> make_custom_source(CustomTableDefPtr table, bool use_indexes);

}  // namespace trefoil::access
