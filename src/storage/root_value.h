// The header of values in the root (store_format.h): how it is written and checked.

#pragma once

#include <string>

#include "base/bytes.h"
#include "storage/transaction.h"
#include "trefoil/status.h"

namespace trefoil {

// Writes header and payload to `to`, which has room for kRootHeaderBytes + payload.size().
void write_root_value(char* to, Keyspace keyspace, Bytes key, Bytes payload);

// The payload of a stored value, or kCorruption naming keyspace and key.
Result<Bytes> read_root_value(Keyspace keyspace, Bytes key, Bytes stored);

// "0a1b..", at most 64 digits.
std::string hex_of(Bytes bytes);

}  // namespace trefoil
