// The promises of the commit log.

#include "storage/commit_log.h"

#include <random>

#include "storage/storage_testing.h"

namespace trefoil {
namespace {

using Records = std::vector<std::pair<uint64_t, std::string>>;

Result<Records> records_of(const ReadTransaction& txn, uint64_t xid) {
    Records records;
    RETURN_IF_ERROR(CommitLog().read_from(txn, xid, [&](uint64_t at, Bytes record) {
        records.emplace_back(at, record);
        return Status();
    }));
    return records;
}

Result<Records> records_from(const Store& store, uint64_t xid) {
    ASSIGN_OR_RETURN(ReadTransaction txn, store.begin_read());
    return records_of(txn, xid);
}

constexpr StoreOptions kFileAtOnce = {.create_if_missing = true,
                                      .map_bytes = 1 << 26,
                                      .check_root = false,
                                      .log_file_after = 1,
                                      .log_file_bytes = 8192};

size_t log_files(const TestDirectory& directory) {
    PosixVfs disk;
    return must(disk.list(directory / "db/log")).size();
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

TEST_CASE("commits that change the log alone go to a file, and leave it when they are erased") {
    TestDirectory directory;
    PosixVfs disk;
    auto store = must(Store::open(disk, directory / "db", kFileAtOnce));
    append(*store, 1, {"1"});
    CHECK(log_files(directory) == 0);
    append(*store, 2, {"2"});  // names the file, so it is in the root
    CHECK(log_files(directory) == 1);
    const std::string root = read_file(directory / "db/root/data.mdb");
    append(*store, 3, {"3", "4"});
    append(*store, 5, {"5"});
    CHECK(read_file(directory / "db/root/data.mdb") == root);
    const Records all = {{1, "1"}, {2, "2"}, {3, "3"}, {4, "4"}, {5, "5"}};
    CHECK(must(records_from(*store, 0)) == all);
    store.reset();
    store = must(Store::open(disk, directory / "db", kFileAtOnce));
    CHECK(must(records_from(*store, 0)) == all);
    must(store->verify_root());
    // Only the process that made a file writes to it, so these begin another.
    append(*store, 6, {"6"});
    append(*store, 7, {"7"});
    append(*store, 8, {"8"});
    CHECK(log_files(directory) == 2);
    auto erase = [&](uint64_t xid) {
        WriteTransaction txn = must(store->begin_write());
        must(CommitLog().erase_up_to(txn, xid));
        must(txn.commit());
    };
    erase(4);
    CHECK(log_files(directory) == 2);
    CHECK(must(records_from(*store, 0)) == Records{{5, "5"}, {6, "6"}, {7, "7"}, {8, "8"}});
    erase(5);
    CHECK(log_files(directory) == 1);
    erase(8);
    CHECK(log_files(directory) == 0);
    CHECK_FALSE(must(CommitLog().last_xid(must(store->begin_read()))).has_value());
    append(*store, 9, {"9"});
    append(*store, 10, {"10"});
    store.reset();
    store = must(Store::open(disk, directory / "db", kFileAtOnce));
    CHECK(must(records_from(*store, 0)) == Records{{9, "9"}, {10, "10"}});
}

TEST_CASE("a log file stays as long as the copy of the root names it") {
    TestDirectory directory;
    PosixVfs disk;
    auto store = must(Store::open(disk, directory / "db", kFileAtOnce));
    for (uint64_t xid = 1; xid < 5; ++xid) append(*store, xid, {"record"});
    must(store->backup_root());
    WriteTransaction txn = must(store->begin_write());
    must(CommitLog().erase_up_to(txn, 9));
    must(txn.commit());
    CHECK(log_files(directory) == 1);
    must(store->backup_root());
    CHECK(log_files(directory) == 0);
}

// The log of `store` is held against `model` and against snapshots of earlier states.
TEST_CASE("records of root and files have one order, and a snapshot sees its own") {
    TestDirectory directory;
    PosixVfs disk;
    std::mt19937_64 random(setting("TREFOIL_SEED", 3));
    Records model;
    uint64_t xid = 1;
    for (int round = 0; round < 6; ++round) {
        auto store = must(Store::open(disk, directory / "db", kFileAtOnce));
        CHECK(must(records_from(*store, 0)) == model);
        std::vector<std::pair<ReadTransaction, Records>> snapshots;
        for (int step = 0; step < 60; ++step) {
            WriteTransaction txn = must(store->begin_write());
            std::vector<std::string> texts(1 + random() % 3);
            for (std::string& text : texts) {
                text = std::string(random() % 40 == 0 ? 9000 : random() % 900, 'a' + xid % 26);
            }
            const std::vector<Bytes> records(texts.begin(), texts.end());
            const uint64_t chance = random() % 12;
            if (chance == 0) must(txn.put(Keyspace::kManifest, "more", "than the log"));
            if (chance == 1 && !model.empty()) {
                const uint64_t last = model[random() % model.size()].first;
                must(CommitLog().erase_up_to(txn, last));
                std::erase_if(model, [&](const auto& entry) { return entry.first <= last; });
            }
            must(CommitLog().append(txn, xid, records));
            must(txn.commit());
            for (const std::string& text : texts) model.emplace_back(xid++, text);
            xid += random() % 2;
            if (chance == 2) snapshots.emplace_back(must(store->begin_read()), model);
        }
        CHECK(must(records_from(*store, 0)) == model);
        CHECK(must(CommitLog().last_xid(must(store->begin_read()))) == model.back().first);
        for (const auto& [snapshot, expected] : snapshots) {
            CHECK(must(records_of(snapshot, 0)) == expected);
        }
    }
}

TEST_CASE("a reader in another process follows the log through files and the root") {
    TestDirectory directory;
    PosixVfs disk;
    auto store = must(Store::open(disk, directory / "db", kFileAtOnce));
    append(*store, 1, {"1"});
    // It says what it saw last, and is asked again by a byte in the other direction.
    int ask[2];
    REQUIRE(::pipe(ask) == 0);
    ChildProcess reader([&](const ChildProcess::Say& say) {
        PosixVfs own;
        auto beside = must(Store::open(
            own, directory / "db",
            {.mode = StoreOptions::Mode::kReadOnly, .map_bytes = 1 << 26, .check_root = false}));
        for (char byte; ::read(ask[0], &byte, 1) == 1;) {
            auto txn = must(beside->begin_read());
            say(static_cast<char>(must(CommitLog().last_xid(txn)).value_or(0)));
        }
    });
    auto reader_sees = [&] {
        REQUIRE(::write(ask[1], "?", 1) == 1);
        return static_cast<int>(reader.hear().value_or(-1));
    };
    for (char xid = 2; xid < 60; ++xid) {
        append(*store, static_cast<uint64_t>(xid), {std::string(300, 'r')});
        CHECK(reader_sees() == xid);
        if (xid % 17 != 0) continue;
        WriteTransaction txn = must(store->begin_write());
        must(CommitLog().erase_up_to(txn, static_cast<uint64_t>(xid)));
        must(txn.commit());
        CHECK(reader_sees() == 0);
    }
    reader.kill();
    ::close(ask[0]);
    ::close(ask[1]);
}

TEST_CASE("a log file that is missing or damaged is said so, and one that nobody named goes") {
    TestDirectory directory;
    PosixVfs disk;
    auto store = must(Store::open(disk, directory / "db", kFileAtOnce));
    for (uint64_t xid = 1; xid < 5; ++xid) append(*store, xid, {"record"});
    store.reset();
    const std::string path = directory / "db/log/" + must(disk.list(directory / "db/log")).at(0);
    const std::string whole = read_file(path);
    std::string flipped = whole;
    flipped[512 + 30] ^= 4;
    write_file(path, flipped);
    auto reopen = [&] { return Store::open(disk, directory / "db", kFileAtOnce); };
    CHECK(reopen().status().code() == Code::kCorruption);
    CHECK(mentions(reopen().status(), "commit log"));
    must(disk.remove(path));
    CHECK(reopen().status().code() == Code::kCorruption);
    CHECK(mentions(reopen().status(), "missing"));
    write_file(path, whole);
    write_file(directory / "db/log/00000000000000ff.log", "unfinished");
    store = must(reopen());
    CHECK(must(records_from(*store, 0)).size() == 4);
    CHECK(log_files(directory) == 1);
}

}  // namespace
}  // namespace trefoil
