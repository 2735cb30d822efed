// What goes wrong in a query ends as an error with its name, and the session goes on: failing
// leaves, exceptions in C++, panics in Rust, cancelled queries, memory that runs out.

#include <doctest/doctest.h>

#include <chrono>
#include <new>
#include <thread>

#include "engine/test_tables.h"

using namespace trefoil;
using namespace trefoil::engine;
using Lines = std::vector<std::string>;

namespace {

constexpr uint64_t kMiB = 1 << 20;

// Two tables of 50,000 rows: key, group, text.
struct Fixture {
    TestCatalog catalog;
    std::unique_ptr<Engine> engine;
    std::unique_ptr<EngineSession> session;
    TestTable* big;
    TestTable* other;

    explicit Fixture(uint64_t memory_bytes = 0, int rows = 50'000)
        : engine(Engine::create({2, memory_bytes, ""}).value()),
          session(engine->open_session().value()) {
        std::vector<std::vector<Value>> values;
        for (int i = 0; i < rows; i++) {
            values.push_back({i, i % 100, "text that is longer than a view " + std::to_string(i)});
        }
        std::vector<arrow::Field> fields = {{"id", arrow::int64(), false},
                                            {"grp", arrow::int64(), false},
                                            {"txt", arrow::utf8_view(), false}};
        big = &catalog.add("big", fields, values);
        other = &catalog.add("other", fields, values);
    }

    Result<Lines> rows(std::string_view sql, const access::CancelFlag* cancel = nullptr) {
        return ask(*session, catalog, sql, {}, cancel);
    }
    Status error(std::string_view sql, const access::CancelFlag* cancel = nullptr) {
        return rows(sql, cancel).status();
    }
    // The session still works, and nothing of the failed query is left.
    void check_usable() {
        CHECK(rows("SELECT 6 * 7").value() == Lines{"42"});
        CHECK(big->leaves_alive == 0);
        CHECK(other->leaves_alive == 0);
        // Tasks that were given up let go of their memory on their own threads.
        for (int i = 0; i < 500 && engine->memory_used() > 0; i++) {
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
        CHECK(engine->memory_used() == 0);
    }
};

constexpr const char* kJoin =
    "SELECT count(*), sum(length(a.txt || b.txt)) FROM big a JOIN other b ON a.id = b.id";

}  // namespace

TEST_CASE("the error of a failing leaf arrives with all its fields") {
    Fixture f;
    int batches = 0;
    f.big->before_batch = [&]() -> Status {
        if (++batches < 5) return {};
        return Status(Code::kCorruption, "XX001", "page 7 is damaged: żółw")
            .with_detail("checksum 1, expected 2")
            .with_hint("restore the file")
            .with_position(77);
    };
    Status s = f.error("SELECT sum(id) FROM big");
    CHECK(s.code() == Code::kCorruption);
    CHECK(s.sqlstate() == "XX001");
    CHECK(s.message() == "page 7 is damaged: żółw");
    CHECK(s.detail() == "checksum 1, expected 2");
    CHECK(s.hint() == "restore the file");
    CHECK(s.position() == 77);
    f.big->before_batch = nullptr;
    f.check_usable();
}

TEST_CASE("an error of a leaf under a join on many threads arrives as it is") {
    Fixture f;
    f.big->partitions = 4;
    f.other->partitions = 4;
    std::atomic<int> batches{0};
    f.other->before_batch = [&]() -> Status {
        if (++batches < 20) return {};
        return Status(Code::kIo, "58030", "the disk went away");
    };
    Status s = f.error(kJoin);
    CHECK(s.sqlstate() == "58030");
    CHECK(s.message() == "the disk went away");
    CHECK(s.code() == Code::kIo);
    f.other->before_batch = nullptr;
    f.check_usable();
}

TEST_CASE("an exception in a C++ callback becomes an error and goes no further") {
    Fixture f;
    f.big->before_batch = []() -> Status { throw std::runtime_error("thrown on purpose"); };
    Status s = f.error("SELECT sum(id) FROM big");
    CHECK(s.sqlstate() == "XX000");
    CHECK(s.message().find("thrown on purpose") != std::string::npos);

    f.big->before_batch = []() -> Status { throw 42; };
    CHECK(f.error("SELECT sum(id) FROM big").sqlstate() == "XX000");

    f.big->before_batch = []() -> Status { throw std::bad_alloc(); };
    CHECK(f.error("SELECT sum(id) FROM big").sqlstate() == "53200");
    f.big->before_batch = nullptr;

    f.big->on_scan = [] { throw std::runtime_error("no scan today"); };
    CHECK(f.error("SELECT sum(id) FROM big").message().find("no scan today") != std::string::npos);
    f.big->on_scan = nullptr;

    f.big->on_explain = [] { throw std::runtime_error("no words"); };
    CHECK_FALSE(f.error("EXPLAIN SELECT id FROM big").ok());
    f.big->on_explain = nullptr;
    f.check_usable();
}

TEST_CASE("a panic in Rust becomes an error and goes no further") {
    Fixture f;
    REQUIRE(f.session->set("trefoil.test_functions", "on").ok());
    for (const std::string sql :
         {"SELECT tf_test_panic(id) FROM big LIMIT 1",
          "SELECT tf_test_panic(grp), count(*) FROM big GROUP BY 1",
          "SELECT a.id FROM big a JOIN other b ON a.id = tf_test_panic(b.id)",
          "SELECT id FROM big ORDER BY tf_test_panic(id)"}) {
        INFO(sql);
        f.big->partitions = 3;
        Status s = f.error(sql);
        CHECK(s.sqlstate() == "XX000");
        f.check_usable();
    }
    REQUIRE(f.session->set("trefoil.test_functions", "off").ok());
    CHECK(f.error("SELECT tf_test_panic(1)").code() != Code::kOk);
}

TEST_CASE("a query that is cancelled from another thread stops soon, wherever it is") {
    Fixture f;
    // Billions of pairs: it would take minutes.
    const char* kEndless =
        "SELECT count(*) FROM big a, other b WHERE a.id + b.id + length(a.txt) < -1";
    const char* kSlowSort = "SELECT a.txt FROM big a, other b ORDER BY a.txt || b.txt LIMIT 5";
    for (const std::string sql : {kEndless, kSlowSort}) {
        INFO(sql);
        access::CancelFlag cancel{false};
        std::thread canceller([&] {
            std::this_thread::sleep_for(std::chrono::milliseconds(200));
            cancel = true;
        });
        const auto start = std::chrono::steady_clock::now();
        Status s = f.error(sql, &cancel);
        canceller.join();
        CHECK(s.sqlstate() == "57014");
        CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(20));
        f.check_usable();
    }
}

TEST_CASE("a query whose leaf is slow is cancelled between its batches") {
    Fixture f;
    f.big->before_batch = []() -> Status {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        return {};
    };
    access::CancelFlag cancel{false};
    std::thread canceller([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        cancel = true;
    });
    CHECK(f.error("SELECT sum(id) FROM big", &cancel).sqlstate() == "57014");
    canceller.join();
    CHECK(f.big->rows_given < 50'000);
    f.big->before_batch = nullptr;
    f.check_usable();
}

TEST_CASE("a flag that is up before the start stops the query at once") {
    Fixture f;
    access::CancelFlag cancel{true};
    CHECK(f.error("SELECT sum(id) FROM big", &cancel).sqlstate() == "57014");
    CHECK(f.big->rows_given == 0);
    f.check_usable();
}

TEST_CASE("rows that are not read to the end are given up without harm") {
    Fixture f;
    f.big->partitions = 4;
    for (int round = 0; round < 20; round++) {
        Statement statement = f.session->parse("SELECT txt, id FROM big").value();
        QueryPlan plan = f.session->plan(statement, f.catalog).value();
        auto stream = f.session->run(plan, {}, f.catalog, nullptr).value();
        if (round % 2 == 0) CHECK(stream->next().value().has_value());
        stream.reset();
        REQUIRE(f.big->leaves_alive == 0);
    }
    f.check_usable();
}

TEST_CASE("rows stay readable after their query and their engine are gone") {
    std::optional<arrow::Batch> batch;
    {
        Fixture f;
        Statement statement = f.session->parse("SELECT txt || '!', grp FROM big LIMIT 10").value();
        QueryPlan plan = f.session->plan(statement, f.catalog).value();
        auto stream = f.session->run(plan, {}, f.catalog, nullptr).value();
        batch = stream->next().value();
    }
    REQUIRE(batch.has_value());
    std::string text;
    arrow::append_text(batch->columns[0], 3, &text);
    CHECK(text == "text that is longer than a view 3!");
}

TEST_CASE("a sort over the memory limit spills and answers") {
    Fixture f(8 * kMiB, 200'000);
    Result<Lines> r = f.rows("SELECT id, txt FROM big ORDER BY txt DESC, id");
    INFO(r.status().to_string());
    REQUIRE(r.ok());
    CHECK(r->size() == 200'000);
    CHECK((*r)[0] == "99999|text that is longer than a view 99999");
    f.check_usable();
}

TEST_CASE("an aggregation over the memory limit spills or says that memory ran out") {
    Fixture f(6 * kMiB, 200'000);
    Result<Lines> r = f.rows("SELECT count(*) FROM (SELECT txt, count(*) FROM big GROUP BY txt)");
    if (r.ok()) {
        CHECK(*r == Lines{"200000"});
    } else {
        CHECK(r.status().sqlstate() == "53200");
    }
    f.check_usable();
}

TEST_CASE("a top-k of many rows spills") {
    Fixture f(8 * kMiB, 200'000);
    Result<Lines> r = f.rows(
        "SELECT count(*), min(txt), max(txt) FROM (SELECT txt FROM big ORDER BY txt LIMIT 150000) "
        "t");
    INFO(r.status().to_string());
    REQUIRE(r.ok());
    CHECK(*r == Lines{"150000|text that is longer than a view 0|"
                      "text that is longer than a view 54998"});
    f.check_usable();
}

TEST_CASE("a sort by long computed keys spills") {
    Fixture f(32 * kMiB, 200'000);
    REQUIRE(f.session->set("batch_size", "1024").ok());
    Result<Lines> r = f.rows(
        "SELECT count(*), max(n), min(id) FROM (SELECT id, row_number() OVER (ORDER BY repeat(txt, "
        "20) DESC, id) n FROM big) t WHERE n > 5");
    INFO(r.status().to_string());
    REQUIRE(r.ok());
    CHECK(*r == Lines{"199995|200000|0"});
    f.check_usable();
}

TEST_CASE("array_agg spills, on one thread, too") {
    Fixture f(8 * kMiB, 200'000);
    for (const char* partitions : {"1", "2"}) {
        REQUIRE(f.session->set("target_partitions", partitions).ok());
        Result<Lines> r = f.rows(
            "SELECT count(*), sum(cardinality(a)), min(a[1]) FROM (SELECT grp, array_agg(txt) a "
            "FROM big GROUP BY grp) t");
        INFO(r.status().to_string());
        REQUIRE(r.ok());
        CHECK((*r)[0].starts_with("100|200000|") == true);
        f.check_usable();
    }
}

TEST_CASE("what cannot fit ends with 53200 and names the memory limit") {
    Fixture f(2 * kMiB, 100'000);
    Status s = f.error("SELECT id FROM big ORDER BY repeat(txt, 300)");
    CHECK(s.sqlstate() == "53200");
    CHECK(s.code() == Code::kIo);
    CHECK_FALSE(s.message().empty());
    f.check_usable();
}

TEST_CASE("a hash join that does not fit is run again as a sort-merge join") {
    Fixture f(128 * kMiB, 200'000);
    REQUIRE(f.session->set("batch_size", "256").ok());
    // How much several partitions hold at once depends on who of them runs when.
    REQUIRE(f.session->set("target_partitions", "1").ok());
    Result<Lines> small = f.rows("SELECT count(*) FROM big a JOIN other b ON a.id = b.grp");
    REQUIRE(small.ok());
    const std::string before = f.session->get("trefoil.sort_merge_fallbacks").value();
    Result<Lines> r = f.rows(
        "SELECT count(*), length(min(a.x)), length(max(b.x)) FROM (SELECT id, repeat(txt, 24) x "
        "FROM big) a "
        "JOIN (SELECT id, repeat(txt, 24) x FROM other) b ON a.id = b.id");
    INFO(r.status().to_string());
    REQUIRE(r.ok());
    CHECK((*r)[0].starts_with("200000|"));
    CHECK(f.session->get("trefoil.sort_merge_fallbacks").value() != before);
    f.check_usable();
}

TEST_CASE("two sessions run at once on one engine") {
    Fixture f;
    std::atomic<int> right{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; t++) {
        threads.emplace_back([&] {
            auto session = f.engine->open_session().value();
            for (int i = 0; i < 10; i++) {
                Result<Lines> r =
                    ask(*session, f.catalog, "SELECT count(*) FROM big WHERE grp = 7");
                right += r.ok() && *r == Lines{"500"};
            }
        });
    }
    for (std::thread& t : threads) t.join();
    CHECK(right == 40);
    f.check_usable();
}
