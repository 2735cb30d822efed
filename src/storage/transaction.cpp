// Transactions: checks of keys and values, the value header, and what a commit means to the Store.

#include "storage/transaction.h"

#include "base/check.h"
#include "storage/root.h"
#include "storage/root_value.h"
#include "storage/store.h"
#include "storage/store_format.h"

namespace trefoil {
namespace {

Status check_key(Keyspace keyspace, Bytes key) {
    if (!key.empty() && key.size() <= kRootKeyMaxBytes) return {};
    return Status(Code::kInvalidInput, "54000",
                  "a key in keyspace " + std::string(name_of(keyspace)) + " has " +
                      std::to_string(key.size()) + " bytes; allowed are 1 to " +
                      std::to_string(kRootKeyMaxBytes));
}

Status check_value(Keyspace keyspace, Bytes key, Bytes value) {
    if (value.size() <= kRootValueMaxBytes) return {};
    return Status(Code::kInvalidInput, "54000",
                  "the value of key " + hex_of(key) + " in keyspace " +
                      std::string(name_of(keyspace)) + " has " + std::to_string(value.size()) +
                      " bytes; allowed are " + std::to_string(kRootValueMaxBytes));
}

bool is_before_end(Bytes key, const KeyRange& range) {
    return range.to.empty() || key < Bytes(range.to);
}

}  // namespace

std::string_view name_of(Keyspace keyspace) {
    static constexpr std::string_view kNames[kKeyspaces] = {"meta", "catalog", "manifest", "log",
                                                            "stats"};
    return kNames[static_cast<int>(keyspace)];
}

KeyRange KeyRange::prefix(Bytes prefix) {
    KeyRange range{std::string(prefix), std::string(prefix)};
    // The end is the prefix with its last byte one higher; bytes ff have no higher one and are cut
    // off.
    while (!range.to.empty() && static_cast<uint8_t>(range.to.back()) == 0xff) range.to.pop_back();
    if (!range.to.empty()) ++range.to.back();
    return range;
}

ReadTransaction::ReadTransaction(std::unique_ptr<RootTransaction> root, LogView log)
    : root_(std::move(root)), log_(std::move(log)) {}
ReadTransaction::ReadTransaction(ReadTransaction&&) noexcept = default;
ReadTransaction& ReadTransaction::operator=(ReadTransaction&&) noexcept = default;
ReadTransaction::~ReadTransaction() = default;

Result<std::optional<Bytes>> ReadTransaction::find(Keyspace keyspace, Bytes key) const {
    CHECK(root_ != nullptr);
    RETURN_IF_ERROR(check_key(keyspace, key));
    ASSIGN_OR_RETURN(std::optional<Bytes> stored, root_->find(keyspace, key));
    if (!stored) return std::optional<Bytes>();
    ASSIGN_OR_RETURN(Bytes payload, read_root_value(keyspace, key, *stored));
    return std::optional<Bytes>(payload);
}

Result<Bytes> ReadTransaction::get(Keyspace keyspace, Bytes key) const {
    ASSIGN_OR_RETURN(std::optional<Bytes> value, find(keyspace, key));
    if (value) return *value;
    return Status::not_found("there is no key " + hex_of(key) + " in keyspace " +
                             std::string(name_of(keyspace)));
}

Status ReadTransaction::for_each(Keyspace keyspace, const KeyRange& range,
                                 const Visitor& visitor) const {
    CHECK(root_ != nullptr);
    ASSIGN_OR_RETURN(std::unique_ptr<RootCursor> cursor, root_->cursor(keyspace));
    ASSIGN_OR_RETURN(bool found, cursor->seek(range.from));
    while (found && is_before_end(cursor->key(), range)) {
        ASSIGN_OR_RETURN(Bytes value, read_root_value(keyspace, cursor->key(), cursor->value()));
        ASSIGN_OR_RETURN(Visit visit, visitor(cursor->key(), value));
        if (visit == Visit::kStop) return {};
        ASSIGN_OR_RETURN(found, cursor->next());
    }
    return {};
}

Result<std::optional<ReadTransaction::Entry>> ReadTransaction::last(Keyspace keyspace,
                                                                    const KeyRange& range) const {
    CHECK(root_ != nullptr);
    ASSIGN_OR_RETURN(std::unique_ptr<RootCursor> cursor, root_->cursor(keyspace));
    ASSIGN_OR_RETURN(bool found, cursor->seek_before(range.to));
    if (!found || cursor->key() < Bytes(range.from)) return std::optional<Entry>();
    ASSIGN_OR_RETURN(Bytes value, read_root_value(keyspace, cursor->key(), cursor->value()));
    return std::optional<Entry>(Entry{std::string(cursor->key()), value});
}

Result<std::optional<std::string>> ReadTransaction::last_key(Keyspace keyspace,
                                                             const KeyRange& range) const {
    CHECK(root_ != nullptr);
    ASSIGN_OR_RETURN(std::unique_ptr<RootCursor> cursor, root_->cursor(keyspace));
    ASSIGN_OR_RETURN(bool found, cursor->seek_before(range.to));
    if (!found || cursor->key() < Bytes(range.from)) return std::optional<std::string>();
    return std::optional<std::string>(cursor->key());
}

WriteTransaction::WriteTransaction(Store& store, std::unique_ptr<RootTransaction> root, LogView log)
    : ReadTransaction(std::move(root), std::move(log)), store_(&store) {}

WriteTransaction::WriteTransaction(WriteTransaction&&) noexcept = default;
WriteTransaction& WriteTransaction::operator=(WriteTransaction&&) noexcept = default;
WriteTransaction::~WriteTransaction() {
    end();
}

void WriteTransaction::EndTurn::operator()(Store* store) const {
    store->writer_ended();
}

// The next writer may begin only when the root's transaction is over.
void WriteTransaction::end() {
    root_.reset();
    store_.reset();
}

void WriteTransaction::note_change(Keyspace keyspace) {
    in_root_ = true;
    beyond_log_ |= keyspace != Keyspace::kLog;
}

Status WriteTransaction::put(Keyspace keyspace, Bytes key, Bytes value) {
    CHECK(store_ != nullptr);
    RETURN_IF_ERROR(check_key(keyspace, key));
    RETURN_IF_ERROR(check_value(keyspace, key, value));
    note_change(keyspace);
    Result<char*> room = root_->reserve(keyspace, key, kRootHeaderBytes + value.size());
    if (!room.ok()) return failed_ = room.status();
    write_root_value(*room, keyspace, key, value);
    return {};
}

Status WriteTransaction::erase(Keyspace keyspace, Bytes key) {
    CHECK(store_ != nullptr);
    RETURN_IF_ERROR(check_key(keyspace, key));
    note_change(keyspace);
    Status status = root_->erase(keyspace, key);
    if (!status.ok()) failed_ = status;
    return status;
}

Result<uint64_t> WriteTransaction::erase_range(Keyspace keyspace, const KeyRange& range) {
    CHECK(store_ != nullptr);
    note_change(keyspace);
    Result<uint64_t> erased = root_->erase_range(keyspace, range);
    if (!erased.ok()) failed_ = erased.status();
    return erased;
}

Status WriteTransaction::put_log_files() {
    log_changed_ = true;
    if (log_.files.empty()) return erase(Keyspace::kMeta, kLogFilesKey);
    return put(Keyspace::kMeta, kLogFilesKey, log_.encode());
}

Status WriteTransaction::commit() {
    CHECK(store_ != nullptr);
    Status status = failed_;
    if (status.ok()) status = store_->commit(*this);
    end();
    return status;
}

}  // namespace trefoil
