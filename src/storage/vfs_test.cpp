// The promises of Vfs, kept by PosixVfs and MemoryVfs alike, and the tricks of FaultVfs.

#include "storage/vfs.h"

#include <sys/wait.h>
#include <unistd.h>

#include "storage/fault_vfs.h"
#include "storage/storage_testing.h"

namespace trefoil {
namespace {

// Runs `body` on a disk and in memory, in an empty directory.
void on_each_vfs(const std::function<void(Vfs&, const std::string&)>& body) {
    TestDirectory directory;
    PosixVfs disk;
    must(disk.make_dir(directory / "d"));
    body(disk, directory / "d");
    MemoryVfs memory;
    must(memory.make_dir("d"));
    body(memory, "d");
}

TEST_CASE("what is written can be read, also after a rename") {
    on_each_vfs([](Vfs& vfs, const std::string& d) {
        auto file = must(vfs.open(d + "/a", OpenMode::kCreate));
        must(file->write(0, "hello"));
        must(file->write(8, "world"));
        must(file->sync());
        must(vfs.rename(d + "/a", d + "/b"));
        must(vfs.sync_dir(d));
        CHECK_FALSE(must(vfs.stat(d + "/a")).exists());
        CHECK(must(vfs.stat(d + "/b")).size == 13);
        char into[32];
        auto again = must(vfs.open(d + "/b", OpenMode::kRead));
        CHECK(must(again->read(1, into)) == 12);
        CHECK(std::string(into, 12) == std::string("ello\0\0\0world", 12));
        CHECK(must(again->read(13, into)) == 0);
        CHECK_FALSE(again->write(0, "x").ok());
        CHECK(must(vfs.list(d)) == std::vector<std::string>{"b"});
    });
}

TEST_CASE("missing and existing files are told apart") {
    on_each_vfs([](Vfs& vfs, const std::string& d) {
        CHECK(vfs.open(d + "/a", OpenMode::kRead).status().code() == Code::kNotFound);
        CHECK(vfs.open(d + "/no/a", OpenMode::kCreate).status().code() == Code::kNotFound);
        CHECK(vfs.remove(d + "/a").code() == Code::kNotFound);
        CHECK(vfs.list(d + "/no").status().sqlstate() == "58P01");
        must(vfs.open(d + "/a", OpenMode::kCreate));
        CHECK_FALSE(vfs.open(d + "/a", OpenMode::kCreate).ok());
        must(vfs.make_dir(d + "/sub"));
        must(vfs.make_dir(d + "/sub"));
        must(vfs.open(d + "/sub/x", OpenMode::kCreate));
        CHECK_FALSE(vfs.remove(d + "/sub").ok());
        CHECK(must(vfs.list(d)) == std::vector<std::string>{"a", "sub"});
        must(vfs.rename(d + "/sub", d + "/moved"));
        CHECK(must(vfs.stat(d + "/moved/x")).exists());
        must(remove_tree(vfs, d + "/moved"));
        CHECK(must(vfs.list(d)) == std::vector<std::string>{"a"});
    });
}

TEST_CASE("a map keeps its bytes when the file is removed, and is aligned to pages") {
    on_each_vfs([](Vfs& vfs, const std::string& d) {
        must(must(vfs.open(d + "/a", OpenMode::kCreate))->write(0, std::string(10000, 'x')));
        auto map = must(must(vfs.open(d + "/a", OpenMode::kRead))->map());
        must(vfs.remove(d + "/a"));
        must(map->populate(0, 10000));
        must(map->populate(5000, 1 << 30));
        CHECK(reinterpret_cast<uintptr_t>(map->data()) % 4096 == 0);
        CHECK(map->bytes() == std::string(10000, 'x'));
        must(vfs.open(d + "/empty", OpenMode::kCreate));
        CHECK(must(must(vfs.open(d + "/empty", OpenMode::kRead))->map())->size() == 0);
    });
}

TEST_CASE("a page that cannot be read is an error of populate, not a SIGBUS") {
    TestDirectory directory;
    PosixVfs disk;
    write_file(directory / "a", std::string(40960, 'x'));
    auto map = must(must(disk.open(directory / "a", OpenMode::kRead))->map());
    REQUIRE(::truncate((directory / "a").c_str(), 4096) == 0);  // what our rules forbid
    must(map->populate(0, 4096));
    Status status = map->populate(8192, 4096);
    CHECK(status.code() == Code::kIo);
    CHECK(mentions(status, "cannot read"));
}

TEST_CASE("a lock is held by one") {
    on_each_vfs([](Vfs& vfs, const std::string& d) {
        auto lock = must(vfs.lock(d + "/lock"));
        Status second = vfs.lock(d + "/lock").status();
        CHECK(second.code() == Code::kConflict);
        CHECK(second.sqlstate() == "55006");
        lock.reset();
        must(vfs.lock(d + "/lock"));
    });
}

TEST_CASE("a refused lock names the process that holds it, and dies with it") {
    TestDirectory directory;
    PosixVfs disk;
    int ready[2];
    REQUIRE(::pipe(ready) == 0);
    pid_t child = ::fork();
    if (child == 0) {
        auto lock = disk.lock(directory / "lock");
        (void)!::write(ready[1], "r", 1);
        for (;;) ::pause();
    }
    char byte;
    REQUIRE(::read(ready[0], &byte, 1) == 1);
    CHECK(mentions(disk.lock(directory / "lock").status(), "process " + std::to_string(child)));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    must(disk.lock(directory / "lock"));
    ::close(ready[0]);
    ::close(ready[1]);
}

TEST_CASE("errors say what happened and where") {
    CHECK(status_from_errno(ENOSPC, "write", "/a/b").to_string() ==
          "ERROR 53100: cannot write /a/b: the disk is full\nHINT: Free some space and try again.");
    CHECK(status_from_errno(EACCES, "open", "/a/b").sqlstate() == "42501");
    CHECK(status_from_errno(EIO, "sync", "/a/b").sqlstate() == "58030");
}

TEST_CASE("a fault strikes at its call, and only there unless it is sticky") {
    MemoryVfs memory;
    FaultVfs vfs(memory);
    auto file = must(vfs.open("a", OpenMode::kCreate));
    vfs.arm({.op = VfsOp::kWrite, .call = 2, .error = ENOSPC});
    must(file->write(0, "1"));
    must(file->sync());
    CHECK_FALSE(vfs.fired());
    CHECK(is_disk_full(file->write(1, "2")));
    CHECK(vfs.fired());
    must(file->write(1, "3"));
    CHECK(vfs.calls(VfsOp::kWrite) == 3);
    CHECK(vfs.calls() == 4);

    vfs.arm({.op = VfsOp::kSync, .call = 1, .sticky = true});
    CHECK_FALSE(file->sync().ok());
    CHECK_FALSE(file->sync().ok());
    must(file->write(2, "4"));
    vfs.disarm();
    must(file->sync());
}

TEST_CASE("a short write leaves half, a lie leaves nothing") {
    MemoryVfs memory;
    FaultVfs vfs(memory);
    auto file = must(vfs.open("a", OpenMode::kCreate));
    vfs.arm({.op = VfsOp::kWrite, .effect = Fault::Effect::kShort, .error = EIO});
    CHECK_FALSE(file->write(0, "12345678").ok());
    CHECK(must(file->size()) == 4);
    vfs.arm({.op = VfsOp::kWrite, .effect = Fault::Effect::kLie});
    must(file->write(4, "5678"));
    CHECK(must(file->size()) == 4);
}

}  // namespace
}  // namespace trefoil
