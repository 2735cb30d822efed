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
constexpr uint64_t kNoXid = std::numeric_limits<uint64_t>::max();

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

}  // namespace

Status for_each_log_entry(uint64_t xid, Bytes record, const LogEntryVisitor& visit) {
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
        RETURN_IF_ERROR(visit(log_key(xid, static_cast<uint16_t>(i)), value));
    }
    return {};
}

Status CommitLog::append(WriteTransaction& txn, uint64_t first_xid,
                         std::span<const Bytes> records) const {
    CHECK(txn.new_records_.records.empty());
    ASSIGN_OR_RETURN(std::optional<uint64_t> last, last_xid(txn));
    if (last && first_xid <= *last) {
        return Status::invalid("the commit log ends with record " + std::to_string(*last) +
                               "; a record " + std::to_string(first_xid) + " cannot follow it");
    }
    txn.new_records_ = {first_xid, {records.begin(), records.end()}};
    return {};
}

Status CommitLog::put_in_root(WriteTransaction& txn) {
    uint64_t xid = txn.new_records_.first_xid;
    for (Bytes record : txn.new_records_.records) {
        RETURN_IF_ERROR(for_each_log_entry(xid++, record, [&](Bytes key, Bytes value) {
            return txn.put(Keyspace::kLog, key, value);
        }));
    }
    return {};
}

Status CommitLog::read_from(const ReadTransaction& txn, uint64_t xid,
                            const RecordVisitor& visit) const {
    // Both places are in the order of xids, so the files are read up to each record of the root.
    auto read_files = [&](uint64_t to) -> Status {
        for (const LogView::Piece& piece : txn.log_.files) {
            const uint64_t from = std::max(xid, txn.log_.first_xid);
            RETURN_IF_ERROR(piece.file->read(piece.frames, from, to, visit));
        }
        xid = to;
        return {};
    };
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
            RETURN_IF_ERROR(read_files(part.xid));
            RETURN_IF_ERROR(visit(part.xid, part.count > 1 ? Bytes(record) : part.bytes));
            record.clear();
            next_part = 0;
            return Visit::kNext;
        }));
    if (next_part != 0) return damaged(open_xid);
    return read_files(kNoXid);
}

Status CommitLog::erase_up_to(WriteTransaction& txn, uint64_t xid) const {
    KeyRange range = KeyRange::all();
    if (xid < kNoXid) range.to = log_key(xid + 1, 0);
    RETURN_IF_ERROR(txn.erase_range(Keyspace::kLog, range).status());
    if (txn.log_.files.empty()) return {};
    txn.log_.erase_up_to(xid);
    return txn.put_log_files();
}

Result<std::optional<uint64_t>> CommitLog::last_xid(const ReadTransaction& txn) const {
    ASSIGN_OR_RETURN(std::optional<std::string> key, txn.last_key(Keyspace::kLog, KeyRange::all()));
    if (key && key->size() != kLogKeyBytes) return damaged(0);
    const uint64_t last = std::max(key ? xid_of(*key) : 0, txn.log_.last_xid());
    return key || last > 0 ? std::optional<uint64_t>(last) : std::nullopt;
}

}  // namespace trefoil
