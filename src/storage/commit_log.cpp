// CommitLog: records in parts under (xid, part).

#include "storage/commit_log.h"

#include <algorithm>
#include <limits>
#include <string>

#include "base/check.h"
#include "storage/store_format.h"

namespace trefoil {
namespace {

constexpr size_t kLogKeyBytes = 10;

void append_big_endian(std::string& to, uint64_t v, int bytes) {
    for (int i = bytes - 1; i >= 0; --i) to.push_back(static_cast<char>(v >> (8 * i)));
}

std::string log_key(uint64_t xid, uint16_t part) {
    std::string key;
    append_big_endian(key, xid, 8);
    append_big_endian(key, part, 2);
    return key;
}

// REQUIRES: key.size() == kLogKeyBytes.
uint64_t xid_of(Bytes key) {
    uint64_t xid = 0;
    for (int i = 0; i < 8; ++i) xid = xid << 8 | static_cast<uint8_t>(key[i]);
    return xid;
}

struct Part {
    uint64_t xid = 0;
    uint16_t number = 0;
    uint16_t count = 0;
    Bytes bytes;
};

Status damaged(uint64_t xid) {
    return Status::corruption("the commit log is damaged: record " + std::to_string(xid) +
                              " is not complete");
}

Result<Part> decode(Bytes key, Bytes value) {
    Part part;
    if (key.size() != kLogKeyBytes) return damaged(0);
    part.xid = xid_of(key);
    part.number =
        static_cast<uint16_t>(static_cast<uint8_t>(key[8]) << 8 | static_cast<uint8_t>(key[9]));
    Reader reader(value);
    part.count = reader.u16();
    if (!reader.ok() || part.number >= part.count) return damaged(part.xid);
    part.bytes = value.substr(2);
    return part;
}

Status append_record(WriteTransaction& txn, uint64_t xid, Bytes record) {
    const size_t parts =
        std::max<size_t>(1, (record.size() + kLogPartMaxBytes - 1) / kLogPartMaxBytes);
    if (parts > std::numeric_limits<uint16_t>::max()) {
        return Status(Code::kInvalidInput, "54000",
                      "a commit of " + std::to_string(record.size()) +
                          " bytes is too large for the commit log")
            .with_hint("Commit in smaller transactions.");
    }
    std::string value;
    for (size_t i = 0; i < parts; ++i) {
        Writer head;
        head.u16(static_cast<uint16_t>(parts));
        value = head.take();
        value.append(record.substr(i * kLogPartMaxBytes, kLogPartMaxBytes));
        RETURN_IF_ERROR(txn.put(Keyspace::kLog, log_key(xid, static_cast<uint16_t>(i)), value));
    }
    return {};
}

}  // namespace

Status CommitLog::append(WriteTransaction& txn, uint64_t first_xid,
                         std::span<const Bytes> records) const {
    ASSIGN_OR_RETURN(std::optional<uint64_t> last, last_xid(txn));
    if (last && first_xid <= *last) {
        return Status::invalid("the commit log ends with record " + std::to_string(*last) +
                               "; a record " + std::to_string(first_xid) + " cannot follow it");
    }
    for (Bytes record : records) RETURN_IF_ERROR(append_record(txn, first_xid++, record));
    return {};
}

Status CommitLog::read_from(const ReadTransaction& txn, uint64_t xid,
                            const RecordVisitor& visit) const {
    std::string record;  // only for records of several parts
    uint64_t open_xid = 0;
    uint16_t next_part = 0, open_count = 0;
    RETURN_IF_ERROR(txn.for_each(
        Keyspace::kLog, {log_key(xid, 0), ""}, [&](Bytes key, Bytes value) -> Result<Visit> {
            ASSIGN_OR_RETURN(Part part, decode(key, value));
            if (part.number != next_part) return damaged(part.xid);
            if (next_part > 0 && (part.xid != open_xid || part.count != open_count)) {
                return damaged(open_xid);
            }
            open_xid = part.xid;
            open_count = part.count;
            next_part = static_cast<uint16_t>(part.number + 1);
            if (part.count > 1) record.append(part.bytes);
            if (next_part < part.count) return Visit::kNext;
            RETURN_IF_ERROR(visit(part.xid, part.count > 1 ? Bytes(record) : part.bytes));
            record.clear();
            next_part = 0;
            return Visit::kNext;
        }));
    if (next_part != 0) return damaged(open_xid);
    return {};
}

Status CommitLog::erase_up_to(WriteTransaction& txn, uint64_t xid) const {
    KeyRange range = KeyRange::all();
    ASSIGN_OR_RETURN(std::optional<uint64_t> last, last_xid(txn));
    if (!last) return {};
    if (xid < *last) range.to = log_key(xid + 1, 0);
    return txn.erase_range(Keyspace::kLog, range).status();
}

Result<std::optional<uint64_t>> CommitLog::last_xid(const ReadTransaction& txn) const {
    ASSIGN_OR_RETURN(std::optional<std::string> key, txn.last_key(Keyspace::kLog, KeyRange::all()));
    if (!key) return std::optional<uint64_t>();
    if (key->size() != kLogKeyBytes) return damaged(0);
    return std::optional<uint64_t>(xid_of(*key));
}

}  // namespace trefoil
