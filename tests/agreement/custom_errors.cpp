// What a program's tables and indexes may do wrong: each mistake is an error of the query that
// meets it, says who made it, and leaves everything as it was.

#include <thread>

#include "answers.h"
#include "plain_table.h"

namespace trefoil {
namespace {

// Employees whose parts can be replaced.
struct Faulty : PlainTable {
    std::function<Result<RowStream>(const std::vector<uint32_t>&)> on_scan;
    std::function<Result<RowStream>(const KeyBatch&, const std::vector<uint32_t>&)> on_fetch;
    std::function<std::shared_ptr<const CustomTable>()> on_snapshot;

    Result<RowStream> scan(const std::vector<uint32_t>& columns) const override {
        return on_scan ? on_scan(columns) : PlainTable::scan(columns);
    }
    Result<RowStream> fetch(const KeyBatch& keys,
                            const std::vector<uint32_t>& columns) const override {
        return on_fetch ? on_fetch(keys, columns) : PlainTable::fetch(keys, columns);
    }
    std::shared_ptr<const CustomTable> snapshot() const override {
        return on_snapshot ? on_snapshot() : nullptr;
    }
};

struct FaultyIndex : PlainIndex {
    using PlainIndex::PlainIndex;
    std::function<Result<RowStream>()> on_scan;
    std::function<double()> on_estimate;
    Result<RowStream> scan(const IndexRequest& request) const override {
        return on_scan ? on_scan() : PlainIndex::scan(request);
    }
    std::optional<double> estimate(const IndexRequest& request) const override {
        return on_estimate ? on_estimate() : PlainIndex::estimate(request);
    }
};

struct World {
    World() : db(must(Database::open(""))), session(must(db.connect())) {
        auto plain = plain_employees();
        table->the_columns = plain->the_columns;
        table->the_key = plain->the_key;
        table->rows = plain->rows;
        index = std::make_shared<FaultyIndex>(*table, "age_idx", std::vector<std::string>{"age"});
        table->the_indexes = {index};
        must(db.register_table("employees", table));
    }
    // What `sql` fails with: "38000 text".
    std::string error(const std::string& sql) {
        const Answer answer = ask(session, sql);
        return std::string(answer.status.sqlstate()) + " " + answer.status.message();
    }
    std::string scan_error() { return error("SELECT * FROM employees"); }
    std::string index_error() { return error("SELECT name FROM employees WHERE age = 30"); }
    bool works() {
        table->on_scan = {};
        table->on_fetch = {};
        index->on_scan = {};
        index->on_estimate = {};
        return run(session, "SELECT name FROM employees WHERE age = 30").first() == "Bob|" &&
               run(session, "SELECT * FROM employees").rows.size() == 5;
    }

    Database db;
    Session session;
    std::shared_ptr<Faulty> table = std::make_shared<Faulty>();
    std::shared_ptr<FaultyIndex> index;
};

// A stream that does this once.
template <typename Do>
Result<RowStream> once(Do&& what) {
    return RowStream([what](RowSink& sink) -> Result<bool> {
        what(sink);
        return false;
    });
}

}  // namespace

TEST_CASE("I-10: a Status of the program's code ends the query with its text") {
    World world;
    const Status down(Code::kIo, "58030", "the mail server is down");
    world.index->on_scan = [&] { return Result<RowStream>(down); };
    CHECK(world.index_error() == "58030 the mail server is down");
    CHECK(world.works());
    world.index->on_scan = [&] {
        return Result<RowStream>([&](RowSink&) -> Result<bool> { return down; });
    };
    CHECK(world.index_error() == "58030 the mail server is down");
    CHECK(world.error("SELECT max(name) FROM employees WHERE age = 30 GROUP BY department") ==
          "58030 the mail server is down");
    CHECK(world.works());
    world.table->on_fetch = [&](const KeyBatch&, const auto&) { return Result<RowStream>(down); };
    CHECK(world.index_error() == "58030 the mail server is down");
    world.table->on_scan = [&](const auto&) { return Result<RowStream>(down); };
    CHECK(world.scan_error() == "58030 the mail server is down");
    CHECK(world.works());
}

TEST_CASE("an exception stops at the border and names who threw it") {
    World world;
    world.table->on_scan = [](const auto&) -> Result<RowStream> {
        throw std::runtime_error("no such file");
    };
    CHECK(world.scan_error() == "38000 table \"employees\" threw an exception: no such file");
    world.index->on_scan = []() -> Result<RowStream> { throw 7; };
    CHECK(world.index_error() ==
          "38000 index \"age_idx\" of table \"employees\" threw an exception");
    CHECK(world.works());
    world.index->on_scan = [] {
        return Result<RowStream>(
            [](RowSink&) -> Result<bool> { throw std::out_of_range("position"); });
    };
    CHECK(world.index_error() ==
          "38000 index \"age_idx\" of table \"employees\" threw an exception: position");
    CHECK(world.works());
    world.index->on_estimate = []() -> double { throw std::logic_error("no estimate"); };
    CHECK(world.index_error() ==
          "38000 index \"age_idx\" of table \"employees\" threw an exception: no estimate");
    CHECK(world.works());
    world.table->on_scan = [](const auto&) { return Result<RowStream>(RowStream()); };
    CHECK(world.scan_error() == "38000 table \"employees\" answered a stream that is empty");
}

TEST_CASE("keys that the table does not have are an error that names them") {
    World world;
    world.index->on_scan = [] {
        return once([](RowSink& sink) {
            sink.append_row({2});
            sink.append_row({77});
        });
    };
    CHECK(world.index_error() ==
          "XX002 table \"employees\" has no row with key (id)=(77), which was found by index "
          "age_idx");
    CHECK(world.works());
    world.table->on_fetch = [](const KeyBatch&, const auto& columns) {
        return once([n = columns.size()](RowSink& sink) {
            sink.append_row(n == 3 ? PlainRow{3, "Charlie", 30} : PlainRow{3, "Charlie"});
        });
    };
    CHECK(world.index_error() ==
          "38000 table \"employees\" answered a row whose key was not asked for");
    world.table->on_fetch = [](const KeyBatch&, const auto&) {
        return once([](RowSink& sink) {
            sink.append_row({2, "Bob"});
            sink.append_row({2, "Bob"});
        });
    };
    CHECK(world.index_error() == "38000 table \"employees\" answered two rows with one key");
    CHECK(world.works());
}

TEST_CASE("rows of the wrong form are an error that names column, expected and given type") {
    World world;
    auto scan_of = [&](std::function<void(RowSink&)> what) {
        world.table->on_scan = [what](const auto&) { return once(what); };
        return world.scan_error();
    };
    const std::string who = "table \"employees\": ";
    CHECK(scan_of([](RowSink& s) { s.append_row({1, "Ann", "old", "Sales"}); }) ==
          "42804 " + who + "column \"age\" is of type INTEGER, but TEXT was given");
    CHECK(scan_of([](RowSink& s) { s.append_row({1, 2.5, 3, "Sales"}); }) ==
          "42804 " + who + "column \"name\" is of type TEXT, but DOUBLE was given");
    CHECK(scan_of([](RowSink& s) { s.append_row({1, "Ann"}); }) ==
          "22000 " + who + "a row of 2 values for 4 columns");
    CHECK(scan_of([](RowSink& s) { s.append_row({nullptr, "Ann", 3, "Sales"}); }) ==
          "23502 " + who + "null value in column \"id\", which has none");
    CHECK(scan_of([](RowSink& s) { s.append_int64(0, 1); }) ==
          "22000 " + who + "column \"name\" has 0 values, column \"id\" has 1");
    CHECK(scan_of([](RowSink& s) { s.append_row({1, "\xff", 3, "Sales"}); }) ==
          "22021 " + who + "column \"name\": the text is not valid UTF-8");
    CHECK(scan_of([](RowSink& s) { s.append_text(9, "x"); }) ==
          "22000 " + who + "there is no column 9 among the 4 that are wanted");
    CHECK(scan_of([](RowSink& s) {
              s.append_row({int64_t{1} << 40, "Ann", 3, ""});
          }).starts_with("22003 " + who + "column \"id\": "));
    world.index->on_scan = [] { return once([](RowSink& s) { s.append_text(0, "2"); }); };
    CHECK(world.index_error() ==
          "42804 index \"age_idx\" of table \"employees\": column \"id\" is of type INTEGER, but "
          "TEXT was given");
    CHECK(world.works());
}

TEST_CASE("Arrow batches are rows, too, and their types are held against the columns") {
    World world;
    // The rows of a query, which are handed on batch by batch.
    auto forward = [&](const std::string& sql) {
        auto batches = std::make_shared<std::vector<ArrowArray>>();
        auto schema = std::make_shared<ArrowSchema>();
        Rows rows = must(world.session.execute(sql));
        ArrowArrayStream stream;
        rows.export_stream(&stream);
        stream.get_schema(&stream, schema.get());
        for (;;) {
            ArrowArray batch;
            stream.get_next(&stream, &batch);
            if (!batch.release) break;
            batches->push_back(batch);
        }
        stream.release(&stream);
        world.table->on_scan = [=](const auto&) -> Result<RowStream> {
            return once([=](RowSink& sink) {
                for (ArrowArray& batch : *batches) sink.append_arrow(*schema, &batch);
                schema->release(schema.get());
            });
        };
    };
    forward(
        "SELECT i::int AS id, 'n' || i AS name, 40::int AS age, 'Sales' AS department FROM "
        "generate_series(1, 20000) AS s(i)");
    CHECK(run(world.session,
              "SELECT count(*), max(id), min(name), min(age) FROM employees WHERE department "
              "= 'Sales'")
              .first() == "20000|20000|n1|40|");
    forward("SELECT 1::int AS id, 'x' AS name, 'old' AS age, 'Sales' AS department");
    CHECK(world.scan_error() ==
          "42804 table \"employees\": column \"age\" is of type INTEGER, but TEXT was given");
    forward("SELECT 1::int AS id");
    CHECK(world.scan_error() == "42804 table \"employees\": an Arrow batch of 1 columns for 4");
}

TEST_CASE("a table that cannot be is refused when it is registered, and nothing is registered") {
    World world;
    auto refusal = [&](const std::function<void(PlainTable&)>& spoil) {
        auto table = plain_employees();
        spoil(*table);
        const Status status = world.db.register_table("spoiled", table);
        CHECK(ask(world.session, "SELECT * FROM spoiled").status.sqlstate() == "42P01");
        return std::string(status.sqlstate()) + " " + status.message();
    };
    auto index_on = [](PlainTable& t, std::vector<std::string> columns) {
        t.the_indexes.push_back(std::make_shared<PlainIndex>(t, "more_idx", std::move(columns)));
    };
    CHECK(refusal([](PlainTable& t) { t.the_columns[1].name = "id"; }) ==
          "42701 column \"id\" of table \"spoiled\" is specified more than once");
    CHECK(refusal([](PlainTable& t) { t.the_columns[1].type = "TEXTILE"; }) ==
          "42704 type \"TEXTILE\" does not exist");
    CHECK(refusal([](PlainTable& t) { t.the_columns.clear(); }) ==
          "42P16 table \"spoiled\" must have at least one column");
    CHECK(refusal([](PlainTable& t) { t.the_key = {"number"}; }) ==
          "42703 column \"number\" of the key of table \"spoiled\" does not exist");
    CHECK(refusal([](PlainTable& t) { t.the_key.clear(); }) ==
          "42P16 index \"age_idx\" of table \"spoiled\" needs a key of the table, which has none");
    CHECK(refusal([&](PlainTable& t) { index_on(t, {"salary"}); }) ==
          "42703 column \"salary\" of the index \"more_idx\" of table \"spoiled\" does not exist");
    CHECK(refusal([&](PlainTable& t) {
              t.the_columns.push_back({"tags", "TEXT[]"});
              index_on(t, {"tags"});
          }) ==
          "42704 column \"tags\" of type TEXT[] cannot be part of the index \"more_idx\" of "
          "table \"spoiled\": the type has no order");
    CHECK(refusal([](PlainTable& t) { t.the_indexes.push_back(t.the_indexes[0]); }) ==
          "42710 index \"age_idx\" of table \"spoiled\" is specified more than once");
    CHECK(refusal([](PlainTable& t) { t.the_indexes.push_back(nullptr); }) ==
          "42602 table \"spoiled\" has an index that is null");
    CHECK(world.db.register_table("", plain_employees()).sqlstate() == "42602");
    CHECK(world.db.register_table("nothing", nullptr).sqlstate() == "42602");
}

TEST_CASE("names are taken by tables, views and indexes of the database and of the program alike") {
    World world;
    run(world.session, "CREATE TABLE pay (id INT PRIMARY KEY)");
    run(world.session, "CREATE VIEW rich AS SELECT * FROM pay");
    for (const char* taken : {"employees", "pay", "rich", "pay_pkey"}) {
        const Status status = world.db.register_table(taken, plain_employees());
        CHECK(status.sqlstate() == "42P07");
        CHECK(status.message() == "relation \"" + std::string(taken) + "\" already exists");
    }
    CHECK(world.db.register_table("trefoil_stats", plain_employees()).sqlstate() == "42939");
    for (const char* sql :
         {"CREATE TABLE employees (id INT)", "CREATE VIEW employees AS SELECT 1 AS one",
          "CREATE TABLE public.employees AS SELECT 1 AS one", "ALTER TABLE pay RENAME TO employees",
          "CREATE INDEX employees ON pay (id)", "ALTER INDEX pay_pkey RENAME TO employees"}) {
        CAPTURE(sql);
        CHECK(ask(world.session, sql).status.sqlstate() == "42P07");
    }
    run(world.session, "CREATE TABLE IF NOT EXISTS employees (id INT)");
    run(world.session, "CREATE TABLE IF NOT EXISTS employees AS SELECT 1 AS one");
    CHECK(run(world.session, "SELECT * FROM employees").rows.size() == 5);
    // In other schemas names are others.
    run(world.session, "CREATE SCHEMA other");
    run(world.session, "CREATE TABLE other.employees (id INT)");
    CHECK(run(world.session, "SELECT * FROM other.employees").rows.empty());
    CHECK(run(world.session, "SELECT * FROM employees").rows.size() == 5);
    run(world.session, "CREATE TEMPORARY TABLE employees (id INT)");
    CHECK(run(world.session, "SELECT * FROM employees").rows.empty());
    CHECK(run(world.session, "SELECT * FROM public.employees").rows.size() == 5);
}

TEST_CASE("a program's table cannot be changed with SQL") {
    World world;
    for (const char* sql :
         {"INSERT INTO employees VALUES (6, 'Z', 1, 'S')", "UPDATE employees SET age = 1",
          "DELETE FROM employees WHERE id = 1", "TRUNCATE employees", "DROP TABLE employees",
          "CREATE INDEX ON employees (age)", "ALTER TABLE employees ADD COLUMN x INT",
          "SELECT * FROM employees FOR UPDATE"}) {
        CAPTURE(sql);
        const Answer answer = ask(world.session, sql);
        CHECK(answer.status.sqlstate() == "42809");
        CHECK(answer.status.message() ==
              "\"employees\" is a table of the program, which cannot be changed with SQL");
    }
    CHECK(world.works());
}

TEST_CASE("a registered table comes and goes, and statements that were prepared follow") {
    World world;
    auto count = must(world.session.prepare("SELECT count(*) FROM employees WHERE age > 30"));
    CHECK(read_answer(count.execute()).first() == "2|");
    must(world.db.unregister_table("employees"));
    CHECK(world.db.unregister_table("employees").sqlstate() == "42P01");
    CHECK(read_answer(count.execute()).status.sqlstate() == "42P01");
    auto other = plain_employees();
    other->the_columns = {{"age", "BIGINT"}, {"name", "TEXT"}};
    other->the_key.clear();
    other->the_indexes.clear();
    other->rows = {{40, "Zoe"}};
    must(world.db.register_table("employees", other));
    CHECK(read_answer(count.execute()).first() == "1|");
    CHECK(run(world.session, "SELECT * FROM employees").first() == "40|Zoe|");
}

TEST_CASE("a statement sees one snapshot of a table that changes") {
    World world;
    int taken = 0;
    world.table->on_snapshot = [&]() -> std::shared_ptr<const CustomTable> {
        auto now = plain_employees();
        now->the_indexes = {
            std::make_shared<PlainIndex>(*now, "age_idx", std::vector<std::string>{"age"})};
        now->rows.resize(static_cast<size_t>(1 + taken++ % 5));
        return now;
    };
    for (int i = 0; i < 5; i++) {
        CHECK(run(world.session,
                  "SELECT count(*) FROM employees a JOIN employees b ON a.id = b.id "
                  "FULL JOIN employees c ON a.id = c.id WHERE a.id IS NULL OR c.id "
                  "IS NULL")
                  .first() == "0|");
    }
    CHECK(taken >= 5);
    world.table->on_snapshot = [] { return plain_staff(); };
    CHECK(world.scan_error() ==
          "XX000 the snapshot of table \"employees\" has other columns, another key or other "
          "indexes than it was registered with");
}

TEST_CASE(
    "I-11: a slow stream without an end is read as far as it is wanted, and can be cancelled") {
    World world;
    world.table->on_scan = [](const auto& columns) {
        auto next = std::make_shared<int>(0);
        return Result<RowStream>([next, n = columns.size()](RowSink& sink) -> Result<bool> {
            if (++*next % 2) return true;  // nothing this time
            for (uint32_t c = 0; c < n; c++) {
                c == 0 ? sink.append_int64(0, *next) : sink.append_null(c);
            }
            return true;
        });
    };
    CHECK(
        run(world.session, "SELECT id, name, age, department FROM employees LIMIT 3").rows.size() ==
        3);
    run(world.session, "SET statement_timeout = 100");
    CHECK(ask(world.session,
              "SELECT count(DISTINCT id), max(name), max(age), max(department) FROM "
              "employees")
              .status.sqlstate() == "57014");
    CHECK(ask(world.session, "SELECT * FROM employees WHERE name = 'x'").status.sqlstate() ==
          "57014");
}

TEST_CASE("many threads read one table at a time") {
    World world;
    std::vector<std::thread> threads;
    std::atomic<int> right{0};
    for (int t = 0; t < 4; t++) {
        threads.emplace_back([&] {
            Session own = must(world.db.connect());
            for (int i = 0; i < 20; i++) {
                right += ask(own, "SELECT name FROM employees WHERE age = 30").first() == "Bob|";
                right += ask(own, "SELECT sum(age) FROM employees").first() == "150|";
            }
        });
    }
    for (std::thread& t : threads) t.join();
    CHECK(right == 160);
}

}  // namespace trefoil
