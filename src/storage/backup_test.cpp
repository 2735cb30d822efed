// write_backup: a copy opens and holds what its snapshot held; a failure at any call leaves no
// half database, and the original as it was.

#include "storage/backup.h"

#include "storage/fault_vfs.h"
#include "storage/storage_testing.h"

namespace trefoil {
namespace {

constexpr StoreOptions kOptions = {
    .create_if_missing = true, .map_bytes = 1 << 26, .check_root = false};

std::shared_ptr<const DataFile> write_file_of(Store& store, const std::string& text) {
    auto writer = must(store.create_file(FileKind::kSegment));
    must(writer->append(text));
    must(writer->finish("end"));
    return must(store.open_file(FileKind::kSegment, writer->id()));
}

struct Original {
    explicit Original(Store& store) : file(write_file_of(store, std::string(100000, 'x'))) {
        for (int i = 0; i < 50; i++) {
            must(put_one(store, Keyspace::kStats, "key " + std::to_string(i),
                         std::string(1000, 'v')));
        }
        must(put_one(store, Keyspace::kManifest, "file", std::to_string(file->name().id)));
    }
    std::shared_ptr<const DataFile> file;
};

// "" if the store at `path` holds what Original made.
std::string problem_at(const std::string& path) {
    PosixVfs disk;
    StoreOptions options = kOptions;
    options.create_if_missing = false;
    auto store = Store::open(disk, path, options);
    if (!store.ok()) return store.status().to_string();
    auto txn = must((*store)->begin_read());
    auto log = must(contents_of(txn, Keyspace::kStats));
    if (log.size() != 50) return "the log is not complete";
    auto id = std::stoull(std::string(must(txn.get(Keyspace::kManifest, "file"))));
    auto file = (*store)->open_file(FileKind::kSegment, id);
    if (!file.ok()) return file.status().to_string();
    if (Status whole = (*file)->verify_all(); !whole.ok()) return whole.to_string();
    // It is a database of its own.
    Status more = put_one(**store, Keyspace::kStats, "more", "of it");
    return more.ok() ? "" : more.to_string();
}

TEST_CASE("a backup holds its snapshot, linked or copied, and outlives the original") {
    TestDirectory directory;
    PosixVfs disk;
    {
        auto store = must(Store::open(disk, directory / "db", kOptions));
        Original original(*store);
        auto snapshot = must(store->begin_read());
        must(put_one(*store, Keyspace::kStats, "later", "than the snapshot"));
        std::vector<std::shared_ptr<const DataFile>> files = {original.file, original.file};
        auto size = must(write_backup(*store, snapshot, files, disk, directory / "copy"));
        CHECK(size.files_linked == 1);
        CHECK(size.files_copied == 0);
        CHECK(size.bytes == original.file->size());
        CHECK(write_backup(*store, snapshot, files, disk, directory / "copy").status().sqlstate() ==
              "58P02");
        CHECK(write_backup(*store, snapshot, files, disk, directory / "a/b").status().sqlstate() ==
              "58P01");
        must(disk.make_dir(directory / "empty"));
        must(write_backup(*store, snapshot, files, disk, directory / "empty"));
    }
    must(remove_tree(disk, directory / "db"));
    CHECK(problem_at(directory / "copy") == "");
    CHECK(problem_at(directory / "empty") == "");

    auto memory = must(Store::open_memory());
    Original original(*memory);
    auto snapshot = must(memory->begin_read());
    auto size = must(write_backup(*memory, snapshot, {{original.file}}, disk, directory / "from"));
    CHECK(size.files_copied == 1);
    CHECK(problem_at(directory / "from") == "");
}

TEST_CASE("a backup that fails at any call is no database, or a whole one") {
    TestDirectory directory;
    PosixVfs disk;
    auto store = must(Store::open(disk, directory / "db", kOptions));
    Original original(*store);
    for (int error : {EIO, ENOSPC}) {
        bool fired = true;
        for (uint64_t call = 1; fired; ++call) {
            CAPTURE(call);
            FaultVfs faulty(disk);
            faulty.arm({.call = call,
                        .sticky = error == ENOSPC,
                        .effect = Fault::Effect::kShort,
                        .error = error});
            const std::string path = directory / "copy";
            auto snapshot = must(store->begin_read());
            auto written = write_backup(*store, snapshot, {{original.file}}, faulty, path);
            fired = faulty.fired();
            CHECK(written.ok() != fired);
            if (!written.ok() && must(disk.stat(path)).exists()) {
                // What could not be removed is no database, or all of one.
                StoreOptions options = kOptions;
                options.create_if_missing = false;
                if (Store::open(disk, path, options).ok()) CHECK(problem_at(path) == "");
            }
            if (written.ok()) CHECK(problem_at(path) == "");
            must(remove_tree(disk, path));
            must(store->stopped());
        }
    }
    must(put_one(*store, Keyspace::kStats, "still", "writing"));
}

TEST_CASE("a copy of a damaged file is refused") {
    TestDirectory directory;
    PosixVfs disk;
    auto store = must(Store::open(disk, directory / "db", kOptions));
    Original original(*store);
    std::string bytes = read_file(original.file->path());
    bytes[70000] ^= 1;
    must(must(disk.open(original.file->path(), OpenMode::kReadWrite))->write(0, bytes));
    // Linked files are not read; a Vfs that cannot link copies.
    class NoLinks final : public FaultVfs {
    public:
        using FaultVfs::FaultVfs;
        Result<bool> link(const std::string&, const std::string&) override { return false; }
    };
    NoLinks copying(disk);
    auto snapshot = must(store->begin_read());
    auto written = write_backup(*store, snapshot, {{original.file}}, copying, directory / "copy");
    CHECK(written.status().code() == Code::kCorruption);
    CHECK_FALSE(must(disk.stat(directory / "copy")).exists());
}

}  // namespace
}  // namespace trefoil
