// The promises of data files: what was written comes back, or an error does.

#include "storage/data_file.h"

#include <random>

#include "storage/storage_testing.h"

namespace trefoil {
namespace {

void on_each_store(const std::function<void(Store&)>& body) {
    TestDirectory directory;
    PosixVfs disk;
    body(*open_store(disk, directory / "db"));
    body(*must(Store::open_memory()));
}

// The file of the worked example in file_format.h (its id is the store's first).
FileId write_example(Store& store) {
    auto writer = must(store.create_file(FileKind::kSegment));
    CHECK(must(writer->append("abc")) == 4096);
    CHECK(must(writer->append(std::string(70000, 'x'))) == 4160);
    must(writer->finish("two"));
    CHECK(writer->size() == 74320);
    return writer->id();
}

TEST_CASE("the worked example of the format has the bytes that it says") {
    on_each_store([](Store& store) {
        FileId id = write_example(store);
        auto file = must(store.open_file(FileKind::kSegment, id));
        CHECK(file->size() == 74320);
        CHECK(must(file->read(4096, 3)) == "abc");
        CHECK(must(file->read(4160, 70000)) == std::string(70000, 'x'));
        CHECK(must(file->directory()) == "two");
        CHECK(reinterpret_cast<uintptr_t>(must(file->read(4160, 1)).data()) % 64 == 0);
        must(file->verify_all());
        must(file->populate(0, file->size()));
        CHECK(to_string(file->name()) == "seg/0000000000000001.seg");
    });
}

TEST_CASE("sections of every size come back, across the borders of blocks and writes") {
    on_each_store([](Store& store) {
        std::mt19937_64 random(3);
        auto writer = must(store.create_file(FileKind::kIndexRun));
        std::vector<std::pair<uint64_t, std::string>> sections;
        for (size_t size : {0, 1, 63, 64, 65, 65535, 65536, 1 << 20, (1 << 20) + 1, 3 << 20, 17}) {
            std::string data(size, '\0');
            for (char& c : data) c = static_cast<char>(random());
            size_t cut = size / 3;
            uint64_t offset = must(writer->append(Bytes(data).substr(0, cut)));
            must(writer->extend(Bytes(data).substr(cut)));
            CHECK(offset % 64 == 0);
            sections.emplace_back(offset, data);
        }
        must(writer->finish(""));
        auto file = must(store.open_file(FileKind::kIndexRun, writer->id()));
        CHECK(file->size() == writer->size());
        for (const auto& [offset, data] : sections) {
            CHECK(must(file->read(offset, data.size())) == data);
        }
        CHECK(must(file->directory()).empty());
        must(file->verify_all());
    });
}

TEST_CASE("a writer that is not finished leaves nothing") {
    on_each_store([](Store& store) {
        FileId id;
        {
            auto writer = must(store.create_file(FileKind::kSegment));
            id = writer->id();
            must(writer->append(std::string(5 << 20, 'x')));
        }
        CHECK(store.open_file(FileKind::kSegment, id).status().code() == Code::kNotFound);
        CHECK(must(store.sweep_orphans({})) == 0);
        auto writer = must(store.create_file(FileKind::kSegment));
        CHECK(writer->id() > id);
    });
}

TEST_CASE("an open file is opened once, and its views outlive its removal") {
    on_each_store([](Store& store) {
        FileId id = write_example(store);
        auto file = must(store.open_file(FileKind::kSegment, id));
        CHECK(must(store.open_file(FileKind::kSegment, id)) == file);
        must(store.remove_file(FileKind::kSegment, id));
        must(store.remove_file(FileKind::kSegment, id));
        CHECK(store.open_file(FileKind::kSegment, id).status().sqlstate() == "58P01");
        CHECK(must(file->read(4160, 70000)) == std::string(70000, 'x'));
    });
}

TEST_CASE("a file that was discarded goes with its last holder, but not after the store stopped") {
    on_each_store([](Store& store) {
        FileId id = write_example(store), kept = write_example(store);
        auto file = must(store.open_file(FileKind::kSegment, id));
        auto other = file;
        file->discard();
        file.reset();
        must(store.open_file(FileKind::kSegment, id));
        other.reset();
        CHECK(store.open_file(FileKind::kSegment, id).status().sqlstate() == "58P01");
        auto last = must(store.open_file(FileKind::kSegment, kept));
        store.stop(Status::io("the disk is gone"));
        last->discard();
        last.reset();
        must(store.open_file(FileKind::kSegment, kept));
    });
}

TEST_CASE("orphans are swept, live files and the files of strangers are not") {
    TestDirectory directory;
    PosixVfs disk;
    auto store = open_store(disk, directory / "db");
    FileId live = write_example(*store), dead = write_example(*store);
    write_file(directory / "db/seg/notes.txt", "mine");
    CHECK(must(store->sweep_orphans({{FileKind::kSegment, live}})) == 1);
    must(store->open_file(FileKind::kSegment, live));
    CHECK_FALSE(store->open_file(FileKind::kSegment, dead).ok());
    CHECK(must(disk.list(directory / "db/seg")).size() == 2);
}

TEST_CASE("ranges outside the sections are refused") {
    auto store = must(Store::open_memory());
    auto file = must(store->open_file(FileKind::kSegment, write_example(*store)));
    CHECK(file->read(74240, 1).status().code() == Code::kCorruption);
    CHECK(file->read(4096, ~uint64_t{0}).status().code() == Code::kCorruption);
    CHECK(file->read(~uint64_t{0}, 2).status().code() == Code::kCorruption);
    CHECK(must(file->read(74240, 0)).empty());
}

// Opens a damaged copy and reads all of it: an error, or exactly the right bytes.
Status read_example(Store& store, FileId id) {
    ASSIGN_OR_RETURN(auto file, store.open_file(FileKind::kSegment, id));
    ASSIGN_OR_RETURN(Bytes first, file->read(4096, 3));
    ASSIGN_OR_RETURN(Bytes second, file->read(4160, 70000));
    ASSIGN_OR_RETURN(Bytes directory, file->directory());
    CHECK(first == "abc");
    CHECK(second == std::string(70000, 'x'));
    CHECK(directory == "two");
    return file->verify_all();
}

TEST_CASE("a flipped bit anywhere is found") {
    TestDirectory directory;
    PosixVfs disk;
    auto store = open_store(disk, directory / "db");
    FileId id = write_example(*store);
    const std::string path = directory / "db/seg/0000000000000001.seg";
    const std::string good = read_file(path);
    std::vector<size_t> positions;
    for (size_t i = 0; i < 64; ++i) positions.push_back(i);  // header
    for (size_t i = good.size() - 80; i < good.size(); ++i)
        positions.push_back(i);                                                  // table, trailer
    for (size_t i = 64; i < good.size() - 80; i += 509) positions.push_back(i);  // body
    for (size_t i : {4095, 4096, 4098, 4099, 4159, 4160, 65535, 65536, 74175, 74176, 74239}) {
        positions.push_back(i);
    }
    for (size_t position : positions) {
        CAPTURE(position);
        std::string bad = good;
        bad[position] = static_cast<char>(bad[position] ^ (1 << (position % 8)));
        write_file(path, bad);
        Status status = read_example(*store, id);
        // A higher version or an unknown feature bit is "written by a newer program".
        bool refused = status.code() == Code::kCorruption || status.code() == Code::kUnsupported;
        CHECK(refused);
        CHECK(mentions(status, path));
    }
    write_file(path, good);
    must(read_example(*store, id));
}

TEST_CASE("damage names the file and the block") {
    TestDirectory directory;
    PosixVfs disk;
    auto store = open_store(disk, directory / "db");
    FileId id = write_example(*store);
    const std::string path = directory / "db/seg/0000000000000001.seg";
    std::string bad = read_file(path);
    bad[70000] ^= 1;
    write_file(path, bad);
    auto file = must(store->open_file(FileKind::kSegment, id));
    CHECK(must(file->read(4096, 3)) == "abc");  // another block
    Status status = file->read(4160, 70000).status();
    CHECK(status.sqlstate() == "XX001");
    CHECK(mentions(status, "block 1 (bytes 65536 to 74239) does not match its checksum"));
}

TEST_CASE("a file that is cut off anywhere is refused") {
    TestDirectory directory;
    PosixVfs disk;
    auto store = open_store(disk, directory / "db");
    FileId id = write_example(*store);
    const std::string path = directory / "db/seg/0000000000000001.seg";
    const std::string good = read_file(path);
    for (size_t size : {0, 1, 63, 64, 4095, 4096, 4168, 65536, 74240, 74256, 74319}) {
        CAPTURE(size);
        write_file(path, good.substr(0, size));
        CHECK(store->open_file(FileKind::kSegment, id).status().code() == Code::kCorruption);
    }
    write_file(path, good + std::string(64, '\0'));
    CHECK(store->open_file(FileKind::kSegment, id).status().code() == Code::kCorruption);
    write_file(path, good.substr(0, 4096) + std::string(good.size() - 4096, '\0'));
    CHECK(store->open_file(FileKind::kSegment, id).status().code() == Code::kCorruption);
}

TEST_CASE("a file under another name or from another database is refused") {
    TestDirectory directory;
    PosixVfs disk;
    auto store = open_store(disk, directory / "db"), other = open_store(disk, directory / "other");
    write_example(*store);
    write_example(*other);
    must(disk.rename(directory / "db/seg/0000000000000001.seg",
                     directory / "db/seg/0000000000000009.seg"));
    CHECK(mentions(store->open_file(FileKind::kSegment, 9).status(), "another file"));
    must(disk.rename(directory / "other/seg/0000000000000001.seg",
                     directory / "db/seg/0000000000000001.seg"));
    CHECK(mentions(store->open_file(FileKind::kSegment, 1).status(), "another database"));
}

}  // namespace
}  // namespace trefoil
