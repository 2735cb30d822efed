// CommitLog: the redo records of commits that are not yet in files, in order of their xid.
//
// A record is bytes that its owner can replay without looking anything up. It lives in
// Keyspace::kLog, in parts of at most 1 MiB, so it becomes durable together with whatever else its
// transaction changes. There is no torn tail: a record is there as a whole or not at all. Format:
// store_format.h.
//
// It is a class, with no state of its own today, because a preallocated log file could take its
// place. Tested by commit_log_test.cpp.

#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "storage/transaction.h"

namespace trefoil {

class CommitLog {
public:
    // Appends `records` with the xids first_xid, first_xid + 1, ... Durable when `txn` commits.
    // kInvalidInput if first_xid is not above every xid in the log.
    Status append(WriteTransaction& txn, uint64_t first_xid, std::span<const Bytes> records) const;

    // Calls `visit` for every record with xid >= `xid`, in order. The bytes are valid during the
    // call. A record of which a part is missing is kCorruption.
    using RecordVisitor = std::function<Status(uint64_t xid, Bytes record)>;
    Status read_from(const ReadTransaction& txn, uint64_t xid, const RecordVisitor& visit) const;

    // Removes every record with an xid <= `xid`.
    Status erase_up_to(WriteTransaction& txn, uint64_t xid) const;

    // The highest xid in the log, or nothing if it is empty.
    Result<std::optional<uint64_t>> last_xid(const ReadTransaction& txn) const;
};

}  // namespace trefoil
