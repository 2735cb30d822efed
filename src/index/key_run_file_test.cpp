// Runs in files: written by a merge, reopened, and what damage does to them.

#include <cstring>

#include "base/check.h"
#include "index/index_testing.h"
#include "index/run_writer.h"
#include "storage/store.h"

namespace trefoil::index {
namespace {

template <typename T>
T must(Result<T> result) {
    if (!result.ok()) FAIL(result.status().to_string());
    return std::move(result).value();
}

TEST_CASE("O-02 a run in a file answers as the run in memory, also after it is opened again") {
    auto store = must(Store::open_memory());
    for (const KeySet& set : key_sets()) {
        CAPTURE(set.name);
        Entries entries;
        RunSource source{build(set, &entries), 0};
        KeyRunPtr written =
            must(merge_to_file(*store, {&source, 1}, [](uint64_t) { return true; }));
        FileId id = written->file()->name().id;
        written.reset();
        KeyRunPtr run = must(KeyRun::open(must(store->open_file(FileKind::kIndexRun, id))));
        CHECK(run->model_text() == source.run->model_text());
        CHECK(run->memory_bytes() == 0);
        std::vector<Key> probes = probes_of(set);
        check_entries(*run, entries);
        check_lookups(*run, entries, probes);
        check_ranges(*run, entries, probes);
        // What came from a file merges on.
        RunSource again{run, 7};
        KeyRunPtr merged = merge_in_memory({&again, 1}, [](uint64_t) { return true; });
        for (auto& entry : entries) entry.second += 7;
        check_entries(*merged, entries);
    }
}

TEST_CASE("a file that is not a run is refused") {
    auto store = must(Store::open_memory());
    for (std::string directory : {std::string(), std::string("hello"), std::string(200, 'x')}) {
        auto writer = must(store->create_file(FileKind::kIndexRun));
        REQUIRE(writer->finish(directory).ok());
        auto file = must(store->open_file(FileKind::kIndexRun, writer->id()));
        CHECK(KeyRun::open(file).status().code() == Code::kCorruption);
    }
}

// A run whose sections can be damaged.
struct Parts {
    RunDirectory directory;
    std::string bytes;
};

Parts parts_of(const KeySet& set) {
    struct StringSink final : RunSink {
        std::string bytes;
        Result<uint64_t> append(Bytes data) override {
            bytes.resize((bytes.size() + 63) / 64 * 64);
            uint64_t offset = bytes.size();
            bytes.append(data);
            return offset;
        }
        Status extend(Bytes data) override {
            bytes.append(data);
            return {};
        }
    };
    PrefixRanges ranges;
    Entries entries;
    KeyRunPtr sorted = build(set, &entries);
    StringSink sink;
    RunWriter writer(sink, set.shape, sorted->prefix_ranges());
    for (const auto& [key, row_id] : entries) {
        REQUIRE((set.shape == KeyShape::kInteger ? writer.add_integer(key.integer, row_id)
                                                 : writer.add_bytes(key.bytes, row_id))
                    .ok());
    }
    RunDirectory directory = must(writer.finish());
    return {std::move(directory), std::move(sink.bytes)};
}

// A run over exactly as many bytes as it has, so that a sanitizer sees a step beyond them.
Result<std::shared_ptr<KeyRun>> run_over(const RunDirectory& directory, const std::string& bytes) {
    auto owner = std::make_shared<std::vector<std::vector<uint64_t>>>();
    auto read = [&](uint64_t offset, uint64_t length) -> Result<Bytes> {
        owner->emplace_back((length + 7) / 8);
        std::memcpy(owner->back().data(), bytes.data() + offset, length);
        return Bytes(reinterpret_cast<const char*>(owner->back().data()), length);
    };
    owner->reserve(5);
    return KeyRun::over_sections(directory, read, owner);
}

TEST_CASE("with any damage to the model, answers stay right") {
    std::mt19937_64 random(8);
    for (const KeySet& set : key_sets()) {
        CAPTURE(set.name);
        Parts parts = parts_of(set);
        Entries entries;
        build(set, &entries);
        if (parts.directory.model.length == 0) continue;
        std::vector<Key> probes = probes_of(set);
        for (int round = 0; round < 60; ++round) {
            std::string damaged = parts.bytes;
            for (int flips = 1 + round % 8; flips > 0; --flips) {
                uint64_t at =
                    parts.directory.model.offset + random() % parts.directory.model.length;
                damaged[at] = static_cast<char>(damaged[at] ^ (1 << random() % 8));
            }
            auto run = run_over(parts.directory, damaged);
            if (!run.ok()) continue;  // its structure was hit
            std::vector<Key> some(30);
            for (Key& k : some) k = probes[random() % probes.size()];
            check_lookups(**run, entries, some);
        }
    }
}

TEST_CASE("with damage anywhere, which checksums would tell, a search stays inside the run") {
    std::mt19937_64 random(9);
    for (const KeySet& set : key_sets()) {
        CAPTURE(set.name);
        Parts parts = parts_of(set);
        std::vector<Key> probes = probes_of(set);
        IndexCounters counters;
        for (int round = 0; round < 30 && !parts.bytes.empty(); ++round) {
            std::string damaged = parts.bytes;
            for (int flips = 1 + round * 5; flips > 0; --flips) {
                damaged[random() % damaged.size()] ^= static_cast<char>(1 << random() % 8);
            }
            auto run = run_over(parts.directory, damaged);
            if (!run.ok()) continue;
            std::vector<Key> some(32);
            std::vector<Positions> out(32);
            for (Key& k : some) k = probes[random() % probes.size()];
            (*run)->lookup_batch(some, out, counters);
            out.push_back((*run)->range({some[0], some[1]}, counters));
            for (const Positions& p : out) {
                REQUIRE(p.begin <= p.end);
                REQUIRE(p.end <= (*run)->size());
                for (uint64_t i = p.begin; i < p.end; ++i) (*run)->key(i);
            }
        }
    }
}

TEST_CASE("a directory is read back, and a malformed one is refused") {
    for (const char* name : {"uniform", "dense", "a common prefix", "urls"}) {
        std::vector<KeySet> sets = key_sets();
        auto set = std::find_if(sets.begin(), sets.end(), [&](auto& s) { return s.name == name; });
        Parts parts = parts_of(*set);
        std::string bytes = parts.directory.encode();
        RunDirectory decoded = must(RunDirectory::decode(bytes));
        CHECK(decoded.encode() == bytes);
        for (size_t n = 0; n < bytes.size(); ++n) {
            REQUIRE_FALSE(RunDirectory::decode(Bytes(bytes).substr(0, n)).ok());
        }
        std::string newer = bytes;
        newer[8] = 2;
        Status status = RunDirectory::decode(newer).status();
        CHECK(status.code() == Code::kUnsupported);
        CHECK(status.message() ==
              "the key run has format 2; this version of Trefoil reads up to 1");
        std::string more = bytes;
        more[16] = static_cast<char>(more[16] + 1);  // one more entry than the section holds
        CHECK(RunDirectory::decode(more).status().code() == Code::kCorruption);
    }
}

}  // namespace
}  // namespace trefoil::index
