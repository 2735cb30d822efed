// The promises of the commit log.

#include "storage/commit_log.h"

#include "storage/storage_testing.h"

namespace trefoil {
namespace {

using Records = std::vector<std::pair<uint64_t, std::string>>;

Result<Records> records_from(const Store& store, uint64_t xid) {
    ASSIGN_OR_RETURN(ReadTransaction txn, store.begin_read());
    Records records;
    RETURN_IF_ERROR(CommitLog().read_from(txn, xid, [&](uint64_t at, Bytes record) {
        records.emplace_back(at, record);
        return Status();
    }));
    return records;
}

void append(Store& store, uint64_t xid, const std::vector<Bytes>& records) {
    WriteTransaction txn = must(store.begin_write());
    must(CommitLog().append(txn, xid, records));
    must(txn.commit());
}

TEST_CASE("records come back in order, from any xid on, and after a reopen") {
    TestDirectory directory;
    PosixVfs disk;
    auto store = open_store(disk, directory / "db");
    append(*store, 1, {"one", "two"});
    append(*store, 3, {""});
    append(*store, 300, {"three hundred"});
    CHECK(must(CommitLog().last_xid(must(store->begin_read()))) == 300);
    store.reset();
    store = open_store(disk, directory / "db");
    CHECK(must(records_from(*store, 0)) ==
          Records{{1, "one"}, {2, "two"}, {3, ""}, {300, "three hundred"}});
    CHECK(must(records_from(*store, 3)) == Records{{3, ""}, {300, "three hundred"}});
    CHECK(must(records_from(*store, 301)).empty());
}

TEST_CASE("a long record is split and comes back whole") {
    auto store = must(Store::open_memory());
    const size_t part = (size_t{1} << 20) - 2;
    std::string exact(part, 'e'), more(part + 1, 'm'), large(3 * part + 17, 'l');
    append(*store, 5, {"a", exact, more, large, "z"});
    CHECK(must(records_from(*store, 0)) ==
          Records{{5, "a"}, {6, exact}, {7, more}, {8, large}, {9, "z"}});
    CHECK(must(contents_of(must(store->begin_read()), Keyspace::kLog)).size() == 9);
}

TEST_CASE("erased records are gone, the others stay, and the error of a visitor is the answer") {
    auto store = must(Store::open_memory());
    append(*store, 1, {"1", "2", "3", "4"});
    WriteTransaction txn = must(store->begin_write());
    must(CommitLog().erase_up_to(txn, 2));
    must(txn.commit());
    CHECK(must(records_from(*store, 0)) == Records{{3, "3"}, {4, "4"}});
    Status refused = CommitLog().read_from(
        must(store->begin_read()), 0, [](uint64_t, Bytes) { return Status::unsupported("no"); });
    CHECK(refused.code() == Code::kUnsupported);
    txn = must(store->begin_write());
    must(CommitLog().erase_up_to(txn, ~uint64_t{0}));
    must(CommitLog().erase_up_to(txn, 7));
    must(txn.commit());
    CHECK(must(records_from(*store, 0)).empty());
    CHECK_FALSE(must(CommitLog().last_xid(must(store->begin_read()))).has_value());
}

TEST_CASE("an xid that is not above the others is refused") {
    auto store = must(Store::open_memory());
    append(*store, 7, {"7"});
    WriteTransaction txn = must(store->begin_write());
    std::vector<Bytes> records = {"again"};
    CHECK(CommitLog().append(txn, 7, records).code() == Code::kInvalidInput);
}

TEST_CASE("a record of which a part is missing is damage") {
    auto store = must(Store::open_memory());
    std::string large((size_t{1} << 21) + 5, 'l');
    for (int missing = 0; missing < 3; ++missing) {
        append(*store, 10, {large, "next"});
        WriteTransaction txn = must(store->begin_write());
        must(txn.erase(Keyspace::kLog, std::string("\0\0\0\0\0\0\0\x0a\0", 9) +
                                           std::string(1, static_cast<char>(missing))));
        must(txn.commit());
        Status status = records_from(*store, 0).status();
        CHECK(status.code() == Code::kCorruption);
        CHECK(mentions(status, "record"));
        txn = must(store->begin_write());
        must(txn.erase_range(Keyspace::kLog, KeyRange::all()));
        must(txn.commit());
    }
}

}  // namespace
}  // namespace trefoil
