// The promises of Store: opening, what it says when it cannot, other processes, damage, and the
// copy.

#include "storage/store.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <random>

#include "storage/commit_log.h"
#include "storage/fault_vfs.h"
#include "storage/storage_testing.h"
#include "storage/store_format.h"

namespace trefoil {
namespace {

constexpr StoreOptions kReadOnly = {.mode = StoreOptions::Mode::kReadOnly, .map_bytes = 1 << 28};
constexpr StoreOptions kExisting = {.map_bytes = 1 << 28};
constexpr StoreOptions kCreate = {.create_if_missing = true, .map_bytes = 1 << 28};

Status open_status(const std::string& path, const StoreOptions& options) {
    PosixVfs disk;
    return Store::open(disk, path, options).status();
}

std::string value_of(const Store& store, Bytes key) {
    ReadTransaction txn = must(store.begin_read());
    return std::string(must(txn.get(Keyspace::kCatalog, key)));
}

TEST_CASE("a database keeps what was committed, its uuid and its counter of file ids") {
    TestDirectory directory;
    PosixVfs disk;
    DatabaseId uuid;
    {
        auto store = open_store(disk, directory / "db");
        uuid = store->uuid();
        must(must(store->create_file(FileKind::kSegment))->finish(""));
        must(must(store->create_file(FileKind::kSegment))->finish(""));
        must(put_one(*store, Keyspace::kCatalog, "k", "v"));
        must(store->remove_file(FileKind::kSegment, 2));
    }
    auto store = must(Store::open(disk, directory / "db", kExisting));
    CHECK(store->uuid() == uuid);
    CHECK(value_of(*store, "k") == "v");
    CHECK(must(store->create_file(FileKind::kIndexRun))->id() == 3);
    CHECK(must(store->root_bytes()) > 0);
    must(store->verify_root());
}

TEST_CASE("a file that was finished without a commit keeps its id from being used again") {
    TestDirectory directory;
    PosixVfs disk;
    {
        auto store = open_store(disk, directory / "db");
        must(must(store->create_file(FileKind::kSegment))->finish("lost"));
    }
    auto store = open_store(disk, directory / "db");
    CHECK(must(store->create_file(FileKind::kSegment))->id() == 2);
}

TEST_CASE("tmp is emptied at a writable open, and only then") {
    TestDirectory directory;
    PosixVfs disk;
    open_store(disk, directory / "db").reset();
    must(disk.make_dir(directory / "db/tmp/spill"));
    write_file(directory / "db/tmp/spill/x", "x");
    CHECK(must(Store::open(disk, directory / "db", kReadOnly))->tmp_path().empty());
    CHECK(must(disk.stat(directory / "db/tmp/spill/x")).exists());
    auto store = open_store(disk, directory / "db");
    CHECK(store->tmp_path() == directory / "db/tmp");
    CHECK(must(disk.list(store->tmp_path())).empty());
}

TEST_CASE("emptying tmp does not follow links out of it") {
    TestDirectory directory;
    PosixVfs disk;
    open_store(disk, directory / "db").reset();
    must(disk.make_dir(directory / "photos"));
    write_file(directory / "photos/cat.jpg", "meow");
    REQUIRE(::symlink((directory / "photos").c_str(), (directory / "db/tmp/l").c_str()) == 0);
    open_store(disk, directory / "db").reset();
    CHECK(must(disk.list(directory / "db/tmp")).empty());
    CHECK(read_file(directory / "photos/cat.jpg") == "meow");
}

TEST_CASE("a path that is no database is refused with a sentence, and left as it is") {
    TestDirectory directory;
    PosixVfs disk;
    Status missing = open_status(directory / "db", kExisting);
    CHECK(missing.code() == Code::kNotFound);
    CHECK(mentions(missing, "there is no database at \"" + (directory / "db") + "\""));
    CHECK(open_status(directory / "db", kReadOnly).code() == Code::kNotFound);
    CHECK(mentions(open_status(directory / "no/db", kCreate), "there is no directory"));
    CHECK_FALSE(open_status("", kCreate).ok());

    write_file(directory / "file", "hello");
    CHECK(mentions(open_status(directory / "file", kCreate), "it is a file"));

    must(disk.make_dir(directory / "photos"));
    CHECK(mentions(open_status(directory / "photos", kExisting), "the directory is empty"));
    write_file(directory / "photos/cat.jpg", "meow");
    for (const StoreOptions& options : {kCreate, kReadOnly, kExisting}) {
        Status status = open_status(directory / "photos", options);
        CHECK(status.code() == Code::kInvalidInput);
        CHECK(mentions(status, "is not a database: it has no root/data.mdb"));
    }
    CHECK(must(disk.list(directory / "photos")) == std::vector<std::string>{"cat.jpg"});
}

TEST_CASE("an empty directory becomes a database, and an interrupted creation is finished") {
    TestDirectory directory;
    must(PosixVfs().make_dir(directory / "db"));
    must(PosixVfs().make_dir(directory / "db/seg"));
    must(PosixVfs().make_dir(directory / "db/tmp"));
    must(PosixVfs().make_dir(directory / "db/tmp/root"));
    write_file(directory / "db/tmp/root/data.mdb", "half");
    must(open_status(directory / "db", kCreate));
    must(open_status(directory / "db", kReadOnly));
}

TEST_CASE("a directory is opened once in a process, by whatever path") {
    TestDirectory directory;
    PosixVfs disk;
    auto store = open_store(disk, directory / "db");
    REQUIRE(::symlink((directory / "db").c_str(), (directory / "link").c_str()) == 0);
    for (const std::string& path : {directory / "db", directory / "link", directory / "db/"}) {
        Status status = open_status(path, kReadOnly);
        CHECK(status.sqlstate() == "55006");
        CHECK(mentions(status, "already open in this process"));
    }
    store.reset();
    must(open_status(directory / "link", kExisting));
}

TEST_CASE("a second writing process is refused and told who writes; readers are welcome") {
    TestDirectory directory;
    ChildProcess writer([&](const ChildProcess::Say& say) {
        PosixVfs disk;
        auto store = open_store(disk, directory / "db");
        must(put_one(*store, Keyspace::kCatalog, "k", "from the writer"));
        say('r');
        ::pause();
    });
    REQUIRE(writer.hear() == 'r');
    Status status = open_status(directory / "db", kExisting);
    CHECK(status.sqlstate() == "55006");
    CHECK(mentions(status, "another process is writing the database"));
    CHECK(mentions(status, "process " + std::to_string(writer.pid())));
    PosixVfs disk;
    auto reader = must(Store::open(disk, directory / "db", kReadOnly));
    CHECK(value_of(*reader, "k") == "from the writer");
    CHECK(reader->begin_write().status().code() == Code::kReadOnly);
    CHECK(reader->create_file(FileKind::kSegment).status().code() == Code::kReadOnly);
    CHECK(reader->remove_file(FileKind::kSegment, 1).code() == Code::kReadOnly);
    CHECK(reader->backup_root().code() == Code::kReadOnly);
    reader.reset();
    writer.kill();
    auto store = must(Store::open(disk, directory / "db", kExisting));
    CHECK(value_of(*store, "k") == "from the writer");
}

TEST_CASE("a reader in another process sees each commit, and keeps its view while it reads") {
    TestDirectory directory;
    PosixVfs disk;
    open_store(disk, directory / "db").reset();
    int commands[2];
    REQUIRE(::pipe(commands) == 0);
    ChildProcess writer([&](const ChildProcess::Say& say) {
        auto store = open_store(disk, directory / "db");
        char round = '0';
        do {
            must(put_one(*store, Keyspace::kCatalog, "k", Bytes(&round, 1)));
            say(round);
        } while (::read(commands[0], &round, 1) == 1);
    });
    REQUIRE(writer.hear() == '0');
    auto reader = must(Store::open(disk, directory / "db", kReadOnly));
    ReadTransaction old = must(reader->begin_read());
    for (char round = '1'; round <= '9'; ++round) {
        REQUIRE(::write(commands[1], &round, 1) == 1);
        REQUIRE(writer.hear() == round);
        CHECK(value_of(*reader, "k") == std::string(1, round));
        CHECK(must(old.get(Keyspace::kCatalog, "k")) == "0");
    }
}

TEST_CASE("a store that was opened before fork() is refused in the child") {
    TestDirectory directory;
    PosixVfs disk;
    auto store = open_store(disk, directory / "db");
    must(put_one(*store, Keyspace::kCatalog, "k", "v"));
    ReadTransaction txn = must(store->begin_read());
    ChildProcess child([&](const ChildProcess::Say&) {
        bool refused = mentions(store->begin_read().status(), "before fork()") &&
                       mentions(store->begin_write().status(), "before fork()");
        store.reset();  // must not disturb the parent
        ::_exit(refused ? 7 : 8);
    });
    CHECK(child.wait() == 7);
    CHECK(must(txn.get(Keyspace::kCatalog, "k")) == "v");
    must(put_one(*store, Keyspace::kCatalog, "k", "w"));
}

// Rewrites the format record as another version of the program would have written it.
void rewrite_format(const std::string& path, size_t offset, char byte) {
    PosixVfs disk;
    auto store = open_store(disk, path);
    WriteTransaction txn = must(store->begin_write());
    std::string format(must(txn.get(Keyspace::kMeta, kFormatKey)));
    format[offset] = byte;
    must(txn.put(Keyspace::kMeta, kFormatKey, format));
    must(txn.commit());
}

TEST_CASE("a database of a newer version is refused with a sentence") {
    TestDirectory directory;
    rewrite_format(directory / "newer", 8, 2);
    for (const StoreOptions& options : {kExisting, kReadOnly}) {
        Status status = open_status(directory / "newer", options);
        CHECK(status.code() == Code::kUnsupported);
        CHECK(mentions(status, "was written by a newer version of Trefoil (format 2;"));
    }
    rewrite_format(directory / "unreadable", 12, 64);
    CHECK(open_status(directory / "unreadable", kReadOnly).code() == Code::kUnsupported);
    rewrite_format(directory / "unwritable", 20, 1);
    CHECK(mentions(open_status(directory / "unwritable", kExisting), "Open it read-only"));
    must(open_status(directory / "unwritable", kReadOnly));
    rewrite_format(directory / "other", 0, 'X');
    CHECK(mentions(open_status(directory / "other", kExisting), "was not made by Trefoil"));
}

class PretendNfs final : public FaultVfs {
public:
    using FaultVfs::FaultVfs;
    Result<std::string> network_file_system(const std::string&) override {
        return std::string("nfs");
    }
};

TEST_CASE("a network file system is refused unless forced") {
    TestDirectory directory;
    PosixVfs disk;
    PretendNfs nfs(disk);
    Status status = Store::open(nfs, directory / "db", kCreate).status();
    CHECK(status.code() == Code::kUnsupported);
    CHECK(mentions(status, "network file system (nfs)"));
    StoreOptions forced = kCreate;
    forced.force_network_fs = true;
    must(Store::open(nfs, directory / "db", forced).status());
}

TEST_CASE("missing rights are said to be that") {
    if (::geteuid() != 0) return;  // only root can give rights away and still clean up
    TestDirectory directory;
    open_store(*std::make_unique<PosixVfs>(), directory / "db").reset();
    REQUIRE(::chmod((directory / ".").c_str(), 0755) == 0);
    ChildProcess child([&](const ChildProcess::Say& say) {
        if (::seteuid(65534) != 0) ::_exit(3);
        Status write = open_status(directory / "db", kExisting);
        say(write.sqlstate() == "42501" && mentions(write, "permission denied") ? 'y' : 'n');
        Status create = open_status(directory / "new", kCreate);
        say(create.sqlstate() == "42501" ? 'y' : 'n');
    });
    CHECK(child.hear() == 'y');
    CHECK(child.hear() == 'y');
}

TEST_CASE("the copy of the root is complete, and opens in its place") {
    TestDirectory directory;
    PosixVfs disk;
    {
        auto store = open_store(disk, directory / "db");
        must(store->backup_root());
        for (int i = 0; i < 500; ++i) {
            must(put_one(*store, Keyspace::kCatalog, std::to_string(i), std::string(300, 'v')));
        }
        must(store->backup_root());
        CHECK(must(disk.list(directory / "db/tmp")).empty());
        must(put_one(*store, Keyspace::kCatalog, "late", "v"));
    }
    write_file(directory / "db/root/data.mdb", "garbage");
    Status status = open_status(directory / "db", kExisting);
    CHECK(status.code() == Code::kCorruption);
    CHECK(mentions(status, "The state of the last checkpoint is in"));
    CHECK(mentions(status, "root.bak/data.mdb"));
    must(disk.remove(directory / "db/root/data.mdb"));
    CHECK(mentions(open_status(directory / "db", kCreate), "root/data.mdb is missing"));
    must(disk.rename(directory / "db/root.bak/data.mdb", directory / "db/root/data.mdb"));
    auto store = must(Store::open(disk, directory / "db", kExisting));
    ReadTransaction txn = must(store->begin_read());
    CHECK(must(contents_of(txn, Keyspace::kCatalog)).size() == 500);
}

// Everything a user could ask of the root; damage must be an error or not matter.
Status read_whole_root(const std::string& path, const Contents& expected) {
    PosixVfs disk;
    ASSIGN_OR_RETURN(auto store, Store::open(disk, path, kExisting));
    ASSIGN_OR_RETURN(ReadTransaction txn, store->begin_read());
    ASSIGN_OR_RETURN(Contents contents, contents_of(txn, Keyspace::kCatalog));
    CHECK(contents == expected);
    return store->verify_root();
}

Contents fill_root(const std::string& path) {
    PosixVfs disk;
    auto store = open_store(disk, path);
    Contents contents;
    WriteTransaction txn = must(store->begin_write());
    for (int i = 0; i < 400; ++i) contents["key " + std::to_string(i)] = std::string(i, 'v');
    contents["large"] = std::string(20000, 'L');
    for (const auto& [key, value] : contents) must(txn.put(Keyspace::kCatalog, key, value));
    must(txn.commit());
    return contents;
}

TEST_CASE("a flipped bit in the root is an error or harmless, never wrong data and never a crash") {
    TestDirectory directory;
    const Contents contents = fill_root(directory / "db");
    const std::string path = directory / "db/root/data.mdb";
    const std::string good = read_file(path);
    std::mt19937_64 random(11);
    int found = 0;
    for (int i = 0; i < 300; ++i) {
        // The two meta pages choose which commit is the last; LMDB has no checksum there.
        size_t position = 8192 + random() % (good.size() - 8192);
        CAPTURE(position);
        std::string bad = good;
        bad[position] = static_cast<char>(bad[position] ^ (1 << (random() % 8)));
        write_file(path, bad);
        Status status = read_whole_root(directory / "db", contents);
        if (status.ok()) continue;
        ++found;
        CHECK(status.sqlstate() == "XX001");
        CHECK(mentions(status, "root of the database is damaged"));
    }
    CHECK(found > 100);
    write_file(path, good);
    must(read_whole_root(directory / "db", contents));
}

TEST_CASE("a value of the root that is damaged after the open is found at the read") {
    TestDirectory directory;
    PosixVfs disk;
    auto store = open_store(disk, directory / "db");
    const std::string value(20000, 'L');
    must(put_one(*store, Keyspace::kCatalog, "k", value));
    must(put_one(*store, Keyspace::kCatalog, "other", "v"));
    size_t at = read_file(directory / "db/root/data.mdb").find(value);
    auto file = must(disk.open(directory / "db/root/data.mdb", OpenMode::kReadWrite));
    must(file->write(at + 777, "l"));
    Status status = must(store->begin_read()).get(Keyspace::kCatalog, "k").status();
    CHECK(status.sqlstate() == "XX001");
    CHECK(mentions(status, "the value of key 6b in keyspace catalog does not match its checksum"));
    CHECK(value_of(*store, "other") == "v");
    CHECK(store->verify_root().code() == Code::kCorruption);
}

TEST_CASE("a root that is cut off is refused") {
    TestDirectory directory;
    const Contents contents = fill_root(directory / "db");
    const std::string path = directory / "db/root/data.mdb";
    const std::string good = read_file(path);
    for (size_t size : {0ul, 1ul, 4096ul, 8191ul, 8192ul, 12288ul, good.size() / 2,
                        good.size() / 2 + 7, good.size() - 40960}) {
        CAPTURE(size);
        write_file(path, good.substr(0, size));
        Status status = read_whole_root(directory / "db", contents);
        CHECK(status.code() == Code::kCorruption);
        CHECK(mentions(status, "There is no copy in root.bak yet"));
    }
}

TEST_CASE("a failed commit stops writing, says why, and a reopen finds the state before") {
    TestDirectory directory;
    PosixVfs disk;
    FaultVfs faulty(disk);
    auto store = must(Store::open(faulty, directory / "db", kCreate));
    must(put_one(*store, Keyspace::kCatalog, "k", "before"));
    auto writer = must(store->create_file(FileKind::kSegment));
    SUBCASE("disk error") {
        faulty.arm({.op = VfsOp::kRootCommit, .error = EIO});
        CHECK(put_one(*store, Keyspace::kCatalog, "k", "after").sqlstate() == "58030");
        CHECK(mentions(store->stopped(), "the database is now read-only, because a write failed"));
    }
    SUBCASE("disk full") {
        faulty.arm({.op = VfsOp::kRootCommit, .error = ENOSPC});
        Status status = put_one(*store, Keyspace::kCatalog, "k", "after");
        CHECK(status.sqlstate() == "53100");
        CHECK(mentions(status, "the disk is full"));
        CHECK(mentions(status, "Free some space and open the database again."));
    }
    SUBCASE("failed sync of a data file") {
        faulty.arm({.op = VfsOp::kSync, .error = EIO});
        CHECK_FALSE(writer->finish("").ok());
    }
    SUBCASE("failed sync of a directory") {
        faulty.arm({.op = VfsOp::kSyncDir, .error = EIO});
        CHECK_FALSE(writer->finish("").ok());
    }
    CHECK_FALSE(store->stopped().ok());
    CHECK(store->begin_write().status().code() == Code::kIo);
    CHECK(store->create_file(FileKind::kSegment).status().code() == Code::kIo);
    CHECK(value_of(*store, "k") == "before");
    writer.reset();
    store.reset();
    store = must(Store::open(disk, directory / "db", kExisting));
    CHECK(value_of(*store, "k") == "before");
    CHECK(must(store->sweep_orphans({})) == 0);
    must(put_one(*store, Keyspace::kCatalog, "k", "again"));
}

TEST_CASE("a disk that is full under a data file fails that file only") {
    TestDirectory directory;
    PosixVfs disk;
    FaultVfs faulty(disk);
    auto store = must(Store::open(faulty, directory / "db", kCreate));
    auto writer = must(store->create_file(FileKind::kSegment));
    faulty.arm({.op = VfsOp::kWrite, .call = 2, .effect = Fault::Effect::kShort, .error = ENOSPC});
    must(writer->append(std::string(1 << 20, 'x')));
    CHECK(is_disk_full(writer->append(std::string(1 << 20, 'x')).status()));
    CHECK(must(disk.list(store->tmp_path())).empty());
    must(store->stopped());
    must(put_one(*store, Keyspace::kCatalog, "k", "v"));
}

TEST_CASE("a root that reaches its limit fails that transaction only") {
    TestDirectory directory;
    PosixVfs disk;
    auto store = must(
        Store::open(disk, directory / "db", {.create_if_missing = true, .map_bytes = 1 << 20}));
    must(put_one(*store, Keyspace::kCatalog, "k", "v"));
    Status status = put_one(*store, Keyspace::kCatalog, "large", std::string(1 << 20, 'v'));
    CHECK(status.sqlstate() == "53100");
    CHECK(mentions(status, "it has reached its limit of 1048576 bytes"));
    must(store->stopped());
    must(put_one(*store, Keyspace::kCatalog, "k", "w"));
    CHECK(value_of(*store, "k") == "w");
}

TEST_CASE("what a transaction could not put, it does not commit in part") {
    TestDirectory directory;
    PosixVfs disk;
    auto store = must(
        Store::open(disk, directory / "db", {.create_if_missing = true, .map_bytes = 1 << 20}));
    WriteTransaction txn = must(store->begin_write());
    must(txn.put(Keyspace::kCatalog, "a", "v"));
    CHECK_FALSE(txn.put(Keyspace::kCatalog, "b", std::string(1 << 20, 'v')).ok());
    CHECK(txn.commit().sqlstate() == "53100");
    CHECK(must(contents_of(must(store->begin_read()), Keyspace::kCatalog)).empty());
}

// A real full disk: a small tmpfs in a mount namespace of its own. Needs rights; without them it is
// skipped, and the tests with FaultVfs remain.
TEST_CASE("a disk that is really full turns the database read-only and loses nothing") {
    TestDirectory directory;
    must(PosixVfs().make_dir(directory / "small"));
    ChildProcess child([&](const ChildProcess::Say& say) {
        const std::string mount_point = directory / "small";
        if (::unshare(CLONE_NEWNS) != 0 ||
            ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
            ::mount("none", mount_point.c_str(), "tmpfs", 0, "size=4m") != 0) {
            say('s');
            return;
        }
        PosixVfs disk;
        auto store = open_store(disk, mount_point + "/db");
        int committed = 0;
        Status status;
        while ((status = put_one(*store, Keyspace::kCatalog, std::to_string(committed),
                                 std::string(50000, 'v')))
                   .ok()) {
            ++committed;
        }
        say(committed > 20 && status.sqlstate() == "53100" ? 'y' : 'n');
        say(store->begin_write().status().sqlstate() == "53100" ? 'y' : 'n');
        say(value_of(*store, "0") == std::string(50000, 'v') ? 'y' : 'n');
        store.reset();
        store = must(Store::open(disk, mount_point + "/db", kExisting));
        ReadTransaction txn = must(store->begin_read());
        size_t there = must(contents_of(txn, Keyspace::kCatalog)).size();
        say(there == static_cast<size_t>(committed) ? 'y' : 'n');
    });
    std::optional<char> first = child.hear();
    REQUIRE(first.has_value());
    if (*first == 's') {
        MESSAGE("skipped: no rights to mount a tmpfs");
        return;
    }
    CHECK(first == 'y');
    for (int i = 0; i < 3; ++i) CHECK(child.hear() == 'y');
    CHECK(child.wait() == 0);
}

}  // namespace
}  // namespace trefoil
