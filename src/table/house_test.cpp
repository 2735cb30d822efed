// Keeping house: what nobody needs any more goes from the disk, while others read and write.

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <set>
#include <thread>

#include "table/table_testing.h"

namespace trefoil::table {
namespace {

std::set<std::string> files_of(const Directory& dir) {
    std::set<std::string> names;
    for (const char* kind : {"seg", "idx"}) {
        for (const auto& entry : std::filesystem::directory_iterator(dir.path / kind)) {
            names.insert(entry.path().filename().string());
        }
    }
    return names;
}

uint64_t bytes_of(const Directory& dir) {
    uint64_t bytes = 0;
    for (const char* kind : {"seg", "idx"}) {
        for (const auto& entry : std::filesystem::directory_iterator(dir.path / kind)) {
            std::error_code gone;
            const uint64_t size = entry.file_size(gone);
            if (!gone) bytes += size;
        }
    }
    return bytes;
}

// What the background does is soon done.
bool soon(const std::function<bool()>& condition) {
    for (int i = 0; i < 2000; i++) {
        if (condition()) return true;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
}

TableStoreOptions eager() {
    TableStoreOptions options;
    options.compaction_delay = std::chrono::milliseconds(1);
    return options;
}

// Neither rows nor keys are dense, so that the index needs a file of some size.
std::vector<int64_t> sparse(int64_t count) {
    std::vector<int64_t> ids = sequence(0, count);
    for (int64_t& id : ids) id = id * 7 + id % 3;
    return ids;
}

void insert_and_commit(TableStore& store, std::span<const int64_t> ids) {
    auto txn = store.begin();
    REQUIRE_OK(insert(*txn, ids).status());
    REQUIRE_OK(store.commit(*txn));
}

TEST_CASE("the files of a dropped table go when its last reader does") {
    Directory dir;
    auto store = dir.open(eager());
    create_person(*store);
    insert_and_commit(*store, sparse(kSegmentRows + 10));
    REQUIRE_OK(store->checkpoint());
    CHECK(files_of(dir).size() >= 2);
    auto reader = store->begin();
    auto txn = store->begin();
    REQUIRE_OK(txn->drop_table(txn->view()->catalog->find("person")->id));
    REQUIRE_OK(store->commit(*txn));
    {
        auto ended = std::move(*txn);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    CHECK(files_of(dir).size() >= 2);
    CHECK(contents(*reader->view()->find("person")).size() == kSegmentRows + 10);
    {
        auto ended = std::move(*reader);
    }
    CHECK(soon([&] { return files_of(dir).empty(); }));
}

TEST_CASE("what a transaction staged in files goes with it, unless it commits") {
    Directory dir;
    auto store = dir.open();
    create_person(*store);
    {
        auto txn = store->begin();
        REQUIRE_OK(insert(*txn, sparse(kSegmentRows)).status());
        CHECK(files_of(dir).size() == 1);
    }
    CHECK(files_of(dir).empty());
    {
        // The second statement fails; the first is committed.
        auto txn = store->begin();
        REQUIRE_OK(insert(*txn, sparse(kSegmentRows)).status());
        Transaction::State mark = txn->mark();
        CHECK(insert(*txn, sparse(kSegmentRows)).status().sqlstate() == "23505");
        txn->roll_back_to(std::move(mark));
        CHECK(files_of(dir).size() == 2);
        REQUIRE_OK(store->commit(*txn));
    }
    CHECK(files_of(dir).size() == 2);  // a segment and its run
    CHECK((*store->current())->find("person")->live_rows() == kSegmentRows);
    store.reset();
    store = dir.open();
    CHECK((*store->current())->find("person")->live_rows() == kSegmentRows);
}

TEST_CASE("the space of deleted rows comes back by itself, and a long reader is not disturbed") {
    Directory dir;
    auto store = dir.open(eager());
    create_person(*store);
    const std::vector<int64_t> ids = sparse(2 * kSegmentRows);
    insert_and_commit(*store, ids);
    REQUIRE_OK(store->checkpoint());
    const uint64_t full = bytes_of(dir);
    auto reader = store->begin();
    for (size_t from = 0; from < ids.size(); from += 40000) {
        auto txn = store->begin();
        const size_t count = std::min<size_t>(36000, ids.size() - from);
        REQUIRE_OK(erase(*txn, std::span(ids).subspan(from, count)).status());
        REQUIRE_OK(store->commit(*txn));
    }
    CHECK(soon([&] { return store->counters().compacted_segments >= 2; }));
    CHECK(contents(*reader->view()->find("person")).size() == ids.size());
    const uint64_t live = (*store->current())->find("person")->live_rows();
    CHECK(live < ids.size() / 5);
    {
        auto ended = std::move(*reader);
    }
    // Somebody may just be compacting again, and hold what it replaces.
    CHECK(soon([&] { return bytes_of(dir) < full / 3; }));
    auto after = contents(*(*store->current())->find("person"));
    CHECK(after.size() == live);
    CHECK(find(*(*store->current())->find("person"), after.begin()->first));
}

TEST_CASE("VACUUM gives all space back while others read and write") {
    Directory dir;
    TableStoreOptions options;
    options.compaction_delay = std::chrono::hours(1);
    auto store = dir.open(options);
    create_person(*store);
    const std::vector<int64_t> ids = sparse(2 * kSegmentRows);
    insert_and_commit(*store, ids);
    REQUIRE_OK(store->checkpoint());
    const uint64_t full = bytes_of(dir);
    auto txn = store->begin();
    std::vector<int64_t> some, updated;
    for (size_t i = 0; i < ids.size(); i++) (i % 10 > 5 ? some : updated).push_back(ids[i]);
    updated.resize(2000);
    REQUIRE_OK(erase(*txn, some).status());
    REQUIRE_OK(update(*txn, updated, 1).status());
    REQUIRE_OK(store->commit(*txn));
    {
        auto ended = std::move(*txn);
    }
    const auto expected = contents(*(*store->current())->find("person"));

    std::atomic<bool> stop{false};
    std::atomic<int> wrong{0};
    std::thread reader([&] {
        while (!stop) {
            auto version = *store->current();
            wrong += version->find("person")->live_rows() < expected.size();
            wrong += !version->find("person")->locate(row_id(*version->find("person"), 1 * 7 + 1));
        }
    });
    std::atomic<int64_t> written{0};
    std::thread writer([&] {
        while (!stop && written < 3000) {
            auto own = store->begin();
            const int64_t id = -1 - written;
            wrong += !insert(*own, Ids{id}).ok() || !store->commit(*own).ok();
            written++;
        }
    });
    Status first = store->vacuum(std::nullopt);
    stop = true;
    reader.join();
    writer.join();
    REQUIRE_OK(first);
    CHECK(wrong == 0);
    REQUIRE_OK(store->vacuum((*store->current())->find("person")->def().id));
    VersionPtr now = *store->current();
    const TableVersion& table = *now->find("person");
    CHECK(table.patches().empty());
    CHECK(table.runs(0).size() == 1);
    for (const Part& p : table.base()) CHECK(p.dead == nullptr);
    CHECK(bytes_of(dir) < full * 80 / 100);
    auto after = contents(table);
    CHECK(after.size() == expected.size() + static_cast<size_t>(written.load()));
    for (int64_t id = -written; id < 0; id++) after.erase(id);
    CHECK(after == expected);
}

TEST_CASE("a reader beside the writer replays the log alone as long as nothing else has moved") {
    Directory dir;
    auto store = dir.open();
    create_person(*store);
    insert_and_commit(*store, sequence(0, 100));
    REQUIRE_OK(store->checkpoint());
    int to_child[2], from_child[2];
    REQUIRE(::pipe(to_child) == 0);
    REQUIRE(::pipe(from_child) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
        ::close(to_child[1]);
        ::close(from_child[0]);
        auto opened =
            Store::open(dir.vfs, dir.path.string(), {.mode = StoreOptions::Mode::kReadOnly});
        if (!opened.ok()) ::_exit(1);
        auto reader = TableStore::open(std::move(*opened));
        if (!reader.ok()) ::_exit(2);
        char go = 0;
        for (;;) {
            uint64_t answer[2] = {0, (*reader)->counters().manifest_loads};
            auto now = (*reader)->current();
            if (!now.ok()) ::_exit(3);
            answer[0] = (*now)->find("person")->live_rows();
            answer[1] = (*reader)->counters().manifest_loads;
            if (::write(from_child[1], answer, sizeof answer) < 0) ::_exit(4);
            if (::read(to_child[0], &go, 1) != 1) ::_exit(0);
        }
    }
    ::close(to_child[0]);
    ::close(from_child[1]);
    uint64_t seen[2];
    auto ask = [&] {
        REQUIRE(::read(from_child[0], seen, sizeof seen) == sizeof seen);
        (void)!::write(to_child[1], "", 1);
    };
    auto look = [&] {  // the answer that was under way is of an earlier moment
        ask();
        ask();
    };
    ask();
    CHECK(seen[0] == 100);
    insert_and_commit(*store, sequence(1000, 10));
    look();
    CHECK(seen[0] == 110);
    auto txn = store->begin();
    REQUIRE_OK(erase(*txn, Ids{5, 1005}).status());
    REQUIRE_OK(update(*txn, Ids{6}, 2).status());
    REQUIRE_OK(store->commit(*txn));
    look();
    CHECK(seen[0] == 108);
    CHECK(seen[1] == 0);
    REQUIRE_OK(store->checkpoint());
    insert_and_commit(*store, sequence(2000, 1));
    look();
    CHECK(seen[0] == 109);
    CHECK(seen[1] == 1);
    ::close(to_child[1]);
    ::close(from_child[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
}

}  // namespace
}  // namespace trefoil::table
