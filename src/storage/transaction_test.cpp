// The promises of transactions, kept on disk and in memory alike.

#include "storage/transaction.h"

#include <random>
#include <thread>

#include "storage/storage_testing.h"

namespace trefoil {
namespace {

void on_each_store(const std::function<void(Store&)>& body) {
    TestDirectory directory;
    PosixVfs disk;
    body(*open_store(disk, directory / "db"));
    body(*must(Store::open_memory()));
}

constexpr Keyspace kSpace = Keyspace::kCatalog;

TEST_CASE("a transaction that is not committed leaves no trace") {
    on_each_store([](Store& store) {
        must(put_one(store, kSpace, "a", "1"));
        {
            WriteTransaction txn = must(store.begin_write());
            must(txn.put(kSpace, "b", "2"));
            must(txn.erase(kSpace, "a"));
        }
        ReadTransaction txn = must(store.begin_read());
        CHECK(must(contents_of(txn, kSpace)) == Contents{{"a", "1"}});
    });
}

TEST_CASE("a write transaction reads its own changes; others see them after the commit") {
    on_each_store([](Store& store) {
        must(put_one(store, kSpace, "a", "1"));
        must(put_one(store, kSpace, "c", "3"));
        WriteTransaction txn = must(store.begin_write());
        must(txn.put(kSpace, "b", "2"));
        must(txn.put(kSpace, "a", "new"));
        must(txn.erase(kSpace, "c"));
        must(txn.erase(kSpace, "nothing"));
        CHECK(must(contents_of(txn, kSpace)) == Contents{{"a", "new"}, {"b", "2"}});
        CHECK(must(txn.get(kSpace, "a")) == "new");
        CHECK_FALSE(must(txn.find(kSpace, "c")).has_value());
        ReadTransaction before = must(store.begin_read());
        CHECK(must(before.get(kSpace, "a")) == "1");
        must(txn.commit());
        CHECK(must(contents_of(before, kSpace)) == Contents{{"a", "1"}, {"c", "3"}});
        ReadTransaction after = must(store.begin_read());
        CHECK(must(contents_of(after, kSpace)) == Contents{{"a", "new"}, {"b", "2"}});
        CHECK(after.get(kSpace, "c").status().code() == Code::kNotFound);
    });
}

TEST_CASE("keyspaces do not see each other's keys") {
    on_each_store([](Store& store) {
        must(put_one(store, Keyspace::kCatalog, "k", "catalog"));
        must(put_one(store, Keyspace::kStats, "k", ""));
        ReadTransaction txn = must(store.begin_read());
        CHECK(must(txn.get(Keyspace::kCatalog, "k")) == "catalog");
        CHECK(must(txn.get(Keyspace::kStats, "k")) == "");
        CHECK_FALSE(must(txn.find(Keyspace::kManifest, "k")).has_value());
    });
}

TEST_CASE("ranges and prefixes visit their keys in order and stop when told") {
    on_each_store([](Store& store) {
        WriteTransaction txn = must(store.begin_write());
        const std::string ff = "\xff";
        for (const std::string& key : {std::string("a"), std::string("ab"), std::string("abc"),
                                       std::string("b"), ff, ff + "x"}) {
            must(txn.put(kSpace, key, key));
        }
        must(txn.commit());
        ReadTransaction read = must(store.begin_read());
        CHECK(must(contents_of(read, kSpace, KeyRange::prefix("ab"))).size() == 2);
        CHECK(must(contents_of(read, kSpace, KeyRange::prefix(ff))).size() == 2);
        CHECK(must(contents_of(read, kSpace, {"ab", "b"})) ==
              Contents{{"ab", "ab"}, {"abc", "abc"}});
        CHECK(must(contents_of(read, kSpace, {"b", "a"})).empty());
        std::string seen;
        must(read.for_each(kSpace, {"a", ""}, [&](Bytes key, Bytes) -> Result<Visit> {
            seen += std::string(key) + ",";
            return key == "abc" ? Visit::kStop : Visit::kNext;
        }));
        CHECK(seen == "a,ab,abc,");
        Status refused = read.for_each(
            kSpace, {}, [](Bytes, Bytes) -> Result<Visit> { return Status::conflict("no"); });
        CHECK(refused.code() == Code::kConflict);
        CHECK(must(read.last(kSpace, KeyRange::all()))->key == ff + "x");
        CHECK(must(read.last_key(kSpace, {"", "b"})) == "abc");
        CHECK_FALSE(must(read.last_key(kSpace, {"abd", "b"})).has_value());
        CHECK(must(read.last(kSpace, {"", "b"}))->value == "abc");
        CHECK_FALSE(must(read.last(kSpace, {"abd", "b"})).has_value());
        CHECK_FALSE(must(read.last(Keyspace::kStats, KeyRange::all())).has_value());
    });
}

TEST_CASE("a range is erased whole") {
    on_each_store([](Store& store) {
        WriteTransaction txn = must(store.begin_write());
        for (int i = 0; i < 1000; ++i) must(txn.put(kSpace, std::to_string(10000 + i), "v"));
        CHECK(must(txn.erase_range(kSpace, {"10100", "10200"})) == 100);
        must(txn.commit());
        txn = must(store.begin_write());
        CHECK(must(contents_of(txn, kSpace)).size() == 900);
        CHECK(must(txn.erase_range(kSpace, {"", "10500"})) == 400);
        CHECK(must(txn.erase_range(kSpace, {"10900", ""})) == 100);
        CHECK(must(txn.erase_range(kSpace, KeyRange::all())) == 400);
        must(txn.put(kSpace, "a", "b"));
        must(txn.commit());
        CHECK(must(contents_of(must(store.begin_read()), kSpace)) == Contents{{"a", "b"}});
    });
}

TEST_CASE("keys and values beyond the limits are refused, and the transaction goes on") {
    on_each_store([](Store& store) {
        WriteTransaction txn = must(store.begin_write());
        const std::string longest(511, 'k'), largest(1 << 20, 'v');
        CHECK(txn.put(kSpace, longest + "k", "v").code() == Code::kInvalidInput);
        CHECK(txn.put(kSpace, "", "v").code() == Code::kInvalidInput);
        CHECK(txn.find(kSpace, longest + "k").status().code() == Code::kInvalidInput);
        Status too_large = txn.put(kSpace, "k", largest + "v");
        CHECK(too_large.code() == Code::kInvalidInput);
        CHECK(mentions(too_large, "1048577 bytes; allowed are 1048576"));
        must(txn.put(kSpace, longest, largest));
        must(txn.commit());
        CHECK(must(must(store.begin_read()).get(kSpace, longest)) == largest);
    });
}

TEST_CASE("the next writer waits for the one before it") {
    on_each_store([](Store& store) {
        must(put_one(store, kSpace, "n", std::string(1, '\0')));
        std::vector<std::thread> threads;
        for (int t = 0; t < 4; ++t) {
            threads.emplace_back([&store] {
                for (int i = 0; i < 25; ++i) {
                    WriteTransaction txn = must(store.begin_write());
                    std::string n(must(txn.get(kSpace, "n")));
                    ++n[0];
                    must(txn.put(kSpace, "n", n));
                    must(txn.commit());
                }
            });
        }
        for (std::thread& thread : threads) thread.join();
        CHECK(must(must(store.begin_read()).get(kSpace, "n")) == std::string(1, 100));
    });
}

TEST_CASE("random transactions agree with a map, for readers of every age") {
    on_each_store([](Store& store) {
        std::mt19937_64 random(7);
        Contents model;
        std::vector<std::pair<ReadTransaction, Contents>> readers;
        for (int round = 0; round < 300; ++round) {
            WriteTransaction txn = must(store.begin_write());
            Contents next = model;
            for (uint64_t i = random() % 8; i > 0; --i) {
                std::string key = std::to_string(random() % 40), value = std::to_string(random());
                uint64_t dice = random() % 10;
                if (dice < 6) {
                    must(txn.put(kSpace, key, value));
                    next[key] = value;
                } else if (dice < 9) {
                    must(txn.erase(kSpace, key));
                    next.erase(key);
                } else {
                    std::string to = key + "~";
                    must(txn.erase_range(kSpace, {key, to}));
                    next.erase(next.lower_bound(key), next.lower_bound(to));
                }
            }
            REQUIRE(must(contents_of(txn, kSpace)) == next);
            if (random() % 4 != 0) {
                must(txn.commit());
                model = next;
            }
            if (random() % 3 == 0) readers.emplace_back(must(store.begin_read()), model);
            if (readers.size() > 5) readers.erase(readers.begin() + random() % readers.size());
            for (auto& [reader, expected] : readers) {
                REQUIRE(must(contents_of(reader, kSpace)) == expected);
                auto last = must(reader.last(kSpace, KeyRange::all()));
                REQUIRE(last.has_value() == !expected.empty());
                if (last) REQUIRE(last->key == expected.rbegin()->first);
            }
        }
    });
}

}  // namespace
}  // namespace trefoil
