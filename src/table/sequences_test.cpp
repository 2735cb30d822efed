// Sequences: counting, reserving ahead, and what a crash leaves.

#include "table/sequences.h"

#include <array>
#include <set>
#include <thread>

#include "storage/storage_testing.h"
#include "table/table_store.h"

namespace trefoil::table {
namespace {

catalog::TableDef sequence(uint32_t counter) {
    catalog::TableDef def;
    def.kind = catalog::RelationKind::kSequence;
    def.name = "s";
    def.sequence.counter = counter;
    return def;
}

int64_t next(Sequences& sequences, const catalog::TableDef& def) {
    int64_t number = 0;
    must(sequences.next(def, {&number, 1}));
    return number;
}

}  // namespace

TEST_CASE("numbers go on where they were when the store was closed") {
    TestDirectory directory;
    PosixVfs vfs;
    {
        auto store = open_store(vfs, directory / "db");
        Sequences sequences(*store);
        for (int64_t i = 1; i <= 40; i++) CHECK(next(sequences, sequence(1)) == i);
    }
    auto store = open_store(vfs, directory / "db");
    Sequences sequences(*store);
    CHECK(must(sequences.place(sequence(1))) == Sequences::Place{40, true});
    CHECK(next(sequences, sequence(1)) == 41);
    CHECK(next(sequences, sequence(2)) == 1);  // another counter is at its beginning
}

TEST_CASE("a crash loses numbers and repeats none") {
    auto store = must(Store::open_memory());
    auto lost = std::make_unique<Sequences>(*store);
    for (int64_t i = 1; i <= 3; i++) CHECK(next(*lost, sequence(1)) == i);
    Sequences after(*store);  // as the root has it, while `lost` has not written its place
    CHECK(next(after, sequence(1)) == 33);
}

TEST_CASE("what is reserved for one definition is not given under another") {
    auto store = must(Store::open_memory());
    Sequences sequences(*store);
    catalog::TableDef def = sequence(1);
    CHECK(next(sequences, def) == 1);
    def.sequence.increment = 1000;
    for (int64_t i = 1; i <= 5; i++) CHECK(next(sequences, def) == 1 + 1000 * i);
    Sequences after(*store);
    CHECK(next(after, def) > 5001);
}

TEST_CASE("a sequence ends, or begins again") {
    auto store = must(Store::open_memory());
    Sequences sequences(*store);
    catalog::TableDef def = sequence(1);
    def.sequence.max = 3;
    std::array<int64_t, 4> numbers{};
    CHECK(sequences.next(def, numbers).sqlstate() == "2200H");
    CHECK(numbers[2] == 3);
    CHECK(sequences.next(def, {numbers.data(), 1}).sqlstate() == "2200H");
    def.sequence.cycle = true;
    CHECK(next(sequences, def) == 1);
    def = sequence(2);
    def.sequence.increment = -1;
    def.sequence.min = INT64_MIN;
    def.sequence.max = -1;
    def.sequence.first = -1;
    CHECK(next(sequences, def) == -1);
    must(sequences.set(def, {INT64_MIN, true}));
    CHECK(sequences.next(def, {numbers.data(), 1}).sqlstate() == "2200H");
    CHECK(sequences.set(def, {0, true}).sqlstate() == "22003");
}

TEST_CASE("threads get different numbers") {
    auto store = must(Store::open_memory());
    Sequences sequences(*store);
    std::array<std::array<int64_t, 500>, 4> numbers{};
    std::array<std::thread, 4> threads;
    for (size_t i = 0; i < threads.size(); i++) {
        threads[i] = std::thread([&, i] {
            for (int64_t& n : numbers[i]) n = next(sequences, sequence(1));
        });
    }
    for (std::thread& t : threads) t.join();
    std::set<int64_t> all;
    for (const auto& some : numbers) all.insert(some.begin(), some.end());
    CHECK(all.size() == 2000);
    CHECK(*all.rbegin() == 2000);
}

TEST_CASE("places of sequences that are gone are forgotten at the next open") {
    TestDirectory directory;
    PosixVfs vfs;
    {
        auto store = open_store(vfs, directory / "db");
        Sequences sequences(*store);
        CHECK(next(sequences, sequence(1)) == 1);  // of a transaction that did not commit
    }
    auto tables = must(TableStore::open(open_store(vfs, directory / "db")));
    CHECK(next(tables->sequences(), sequence(1)) == 1);
}

}  // namespace trefoil::table
