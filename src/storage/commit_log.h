// CommitLog: the redo records of commits that are not yet in files, in order of their xid.
//
// A record is bytes that its owner can replay without looking anything up. It becomes durable
// together with whatever else its transaction changes, and is there as a whole or not at all. What
// a transaction of the root sees of the log is one consistent state, like the rest of what it sees.
//
// Where they lie is decided by each commit (log_files.h): in a log file if it changes the log
// alone, else in Keyspace::kLog of the root, in parts of at most 1 MiB (store_format.h).
//
// Tested by commit_log_test.cpp.

#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "storage/transaction.h"

namespace trefoil {

class CommitLog {
public:
    // Appends `records` with the xids first_xid, first_xid + 1, ... Durable when `txn` commits; the
    // bytes must live until then, and reads of `txn` itself do not see them. Once in a transaction.
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

private:
    friend class Store;
    // Puts what append() was given into the root.
    static Status put_in_root(WriteTransaction& txn);
};

// The entries of Keyspace::kLog that hold a record; kInvalidInput (54000) beyond 65535 parts.
using LogEntryVisitor = std::function<Status(Bytes key, Bytes value)>;
Status for_each_log_entry(uint64_t xid, Bytes record, const LogEntryVisitor& visit);

}  // namespace trefoil
