// A log file: what was appended comes back; what was not finished is not there; what was changed is
// found out.

#include "storage/log_file.h"

#include "storage/fault_vfs.h"
#include "storage/log_file_format.h"
#include "storage/storage_testing.h"

namespace trefoil {
namespace {

constexpr LogFileName kName = {DatabaseId{1, 2, 3}, 7};
constexpr uint64_t kAll = ~uint64_t{0};

using Records = std::vector<std::pair<uint64_t, std::string>>;

Result<Records> records_of(const LogFile& file, size_t frames, uint64_t from = 0,
                           uint64_t to = kAll) {
    Records records;
    RETURN_IF_ERROR(file.read(frames, from, to, [&](uint64_t xid, Bytes record) {
        records.emplace_back(xid, record);
        return Status();
    }));
    return records;
}

// A file at `path` with three frames: of two records, of one that is longer than a sector, and of
// one that is empty.
const std::string kLong(1200, 'l');
std::shared_ptr<LogFile> three_frames(Vfs& vfs, const std::string& path) {
    auto file = must(LogFile::create(vfs, path, kName, 8192));
    must(file->append({10, 5}, std::vector<Bytes>{"five", "six"}));
    must(file->append({10, 8}, std::vector<Bytes>{kLong}));
    must(file->append({12, 9}, std::vector<Bytes>{""}));
    return file;
}

TEST_CASE("frames come back in order, bounded by root version and xid, also after opening anew") {
    TestDirectory directory;
    PosixVfs disk;
    auto made = three_frames(disk, directory / "log");
    auto opened = must(LogFile::open(disk, directory / "log", kName, false));
    for (const auto& file : {made, opened}) {
        CHECK(file->frames_of(9) == 0);
        CHECK(file->frames_of(11) == 2);
        CHECK(file->frames_of(12) == 3);
        CHECK(file->last_xid(0) == 0);
        CHECK(file->last_xid(1) == 6);
        CHECK(file->last_xid(3) == 9);
        CHECK(must(records_of(*file, 3)) == Records{{5, "five"}, {6, "six"}, {8, kLong}, {9, ""}});
        CHECK(must(records_of(*file, 2, 6)) == Records{{6, "six"}, {8, kLong}});
        CHECK(must(records_of(*file, 3, 6, 8)) == Records{{6, "six"}});
        CHECK(must(records_of(*file, 3, 10)).empty());
    }
}

TEST_CASE("a file has room for what fits, and its length does not change") {
    TestDirectory directory;
    PosixVfs disk;
    auto file = must(LogFile::create(disk, directory / "log", kName, 4096));
    const std::string large(4096, 'l'), fitting(7 * 508 - 44, 'f');
    CHECK_FALSE(file->has_room_for(std::vector<Bytes>{large}));
    CHECK_FALSE(file->is_nearly_full());
    REQUIRE(file->has_room_for(std::vector<Bytes>{fitting}));
    must(file->append({1, 1}, std::vector<Bytes>{fitting}));
    CHECK(file->is_nearly_full());
    CHECK_FALSE(file->has_room_for(std::vector<Bytes>{""}));
    CHECK(read_file(directory / "log").size() == 4096);
    file = must(LogFile::open(disk, directory / "log", kName, false));
    CHECK(must(records_of(*file, 1)) == Records{{1, fitting}});
}

TEST_CASE("a reader beside the writer sees what is appended") {
    TestDirectory directory;
    PosixVfs disk;
    auto writer = must(LogFile::create(disk, directory / "log", kName, 1 << 16));
    auto reader = must(LogFile::open(disk, directory / "log", kName, true));
    for (uint64_t xid = 1; xid <= 20; ++xid) {
        must(writer->append({1, xid}, std::vector<Bytes>{kLong}));
        CHECK(reader->last_xid(reader->frames_of(1)) == xid - 1);
        must(reader->look());
        CHECK(reader->last_xid(reader->frames_of(1)) == xid);
    }
}

TEST_CASE(
    "a frame of which a sector was not written, or not whole, is not there, those before it are") {
    TestDirectory directory;
    PosixVfs disk;
    auto file = must(LogFile::create(disk, directory / "log", kName, 8192));
    must(file->append({1, 1}, std::vector<Bytes>{"first"}));
    must(file->append({1, 2}, std::vector<Bytes>{kLong}));
    const std::string whole = read_file(directory / "log");
    for (size_t sector = 2; sector <= 4; ++sector) {
        for (size_t written : {0, 100, 510}) {
            std::string torn = whole;
            const size_t missing = kLogSectorBytes - written;
            torn.replace(sector * kLogSectorBytes + written, missing, missing, '\0');
            write_file(directory / "torn", torn);
            auto opened = must(LogFile::open(disk, directory / "torn", kName, false));
            CHECK(must(records_of(*opened, opened->frames_of(1))) == Records{{1, "first"}});
        }
    }
}

TEST_CASE("a flipped bit in any sector that was written is damage") {
    TestDirectory directory;
    PosixVfs disk;
    auto file = three_frames(disk, directory / "log");
    const std::string whole = read_file(directory / "log");
    // Of the header 28 bytes mean something; frames have 55, 1244 and 44 bytes of content.
    auto means_something = [](size_t at) {
        const size_t sector = at / kLogSectorBytes, within = at % kLogSectorBytes;
        if (within >= kLogSectorBytes - kLogSectorTail.size()) return true;
        const size_t used[] = {30, 57, 510, 510, 230, 46};
        return sector < 6 && within < used[sector];
    };
    for (size_t at = 0; at < 6 * kLogSectorBytes; ++at) {
        std::string flipped = whole;
        flipped[at] = static_cast<char>(flipped[at] ^ (1 << at % 8));
        write_file(directory / "flipped", flipped);
        auto opened = LogFile::open(disk, directory / "flipped", kName, false);
        CAPTURE(at);
        if (means_something(at)) CHECK_FALSE(opened.ok());
        const bool version = at >= 10 && at < 14;  // may look like a newer one
        if (!opened.ok() && !version) CHECK(opened.status().code() == Code::kCorruption);
        if (opened.ok()) CHECK(must(records_of(**opened, 3)).size() == 4);
    }
    // Also when it happens while the file is open.
    std::string flipped = whole;
    flipped[3 * kLogSectorBytes] ^= 1;
    must(must(disk.open(directory / "log", OpenMode::kReadWrite))->write(0, flipped));
    CHECK(records_of(*file, 3).status().code() == Code::kCorruption);
}

TEST_CASE("the file of another database, of another number, or cut off is damage") {
    TestDirectory directory;
    PosixVfs disk;
    three_frames(disk, directory / "log");
    auto code_of = [&](const LogFileName& name) {
        return LogFile::open(disk, directory / "log", name, false).status().code();
    };
    CHECK(code_of(kName) == Code::kOk);
    CHECK(code_of({DatabaseId{1, 2, 4}, 7}) == Code::kCorruption);
    CHECK(code_of({kName.database, 8}) == Code::kCorruption);
    const std::string whole = read_file(directory / "log");
    for (size_t bytes : {0, 100, 512 + 100, 1024, 1024 + 512}) {
        write_file(directory / "log", whole.substr(0, bytes));
        CHECK(code_of(kName) == Code::kCorruption);
    }
    must(disk.remove(directory / "log"));
    CHECK(code_of(kName) == Code::kNotFound);
}

TEST_CASE("a file that cannot be made is removed again") {
    TestDirectory directory;
    PosixVfs disk;
    const std::string path = directory / "log";
    for (VfsOp op : {VfsOp::kWrite, VfsOp::kSync, VfsOp::kSyncDir}) {
        FaultVfs faulty(disk);
        faulty.arm({.op = op, .effect = Fault::Effect::kShort, .error = ENOSPC});
        CHECK(LogFile::create(faulty, path, kName, 4096).status().sqlstate() == "53100");
        CHECK_FALSE(must(disk.stat(path)).exists());
    }
}

}  // namespace
}  // namespace trefoil
