// Tables and indexes of a program's own (trefoil/custom_table.h): the questions of the golden
// script tests/golden/indexes/employees.golden with its answers, and what such tables and indexes
// may do wrong. The employees of that script are rows in a vector here, see plain_table.h.

#include "answers.h"
#include "plain_table.h"
#include "recorded.h"

namespace trefoil {
namespace {

struct World {
    World() : db(must(Database::open(""))), session(must(db.connect())) {}
    void add(const std::string& name, std::shared_ptr<const CustomTable> table) {
        const Status status = db.register_table(name, std::move(table));
        REQUIRE_MESSAGE(status.ok(), status.to_string());
    }
    std::string plan(const std::string& sql) { return plan_of(session, sql); }
    std::string metrics(const std::string& sql) {
        std::string text;
        for (const std::string& line : run(session, "EXPLAIN ANALYZE " + sql).rows) text += line;
        return text;
    }

    Database db;
    Session session;
};

// Asks what the script asks of the employees until it changes them, and of the staff.
size_t ask_script(World& world, const std::shared_ptr<PlainTable>& with_nulls) {
    size_t asked = 0;
    bool changed = false;
    for (const Recorded& one : read_script(TREFOIL_EMPLOYEES_SCRIPT)) {
        if (one.sql.starts_with("INSERT INTO employees VALUES (6")) {
            must(world.db.unregister_table("employees"));
            world.add("employees", with_nulls);
        }
        changed |= one.sql.starts_with("UPDATE employees");
        if (!one.sql.starts_with("SELECT")) continue;
        if (changed && one.sql.find("FROM staff") == std::string::npos) continue;
        CAPTURE(one.sql);
        std::vector<std::string> rows = run(world.session, one.sql).rows;
        for (std::string& row : rows) std::erase(row, '~');
        CHECK(rows == one.rows);
        asked++;
    }
    return asked;
}

}  // namespace

TEST_CASE("I-01 to I-09: the recorded questions have their answers, through a program's indexes") {
    for (const Manner& manner : {Manner{1000, 0}, Manner{1, 0}, Manner{2, 3}}) {
        CAPTURE(manner.rows_per_call);
        World world;
        auto employees = plain_employees(), more = plain_employees(true), staff = plain_staff();
        for (auto& table : {employees, more, staff}) table->manner = manner;
        world.add("employees", employees);
        world.add("staff", staff);
        CHECK(ask_script(world, more) >= 60);
        CHECK(employees->keys_fetched > 0);
        CHECK(staff->scans == 0);  // each question about them has an index
    }
}

TEST_CASE("the recorded questions have their answers without indexes, and in tables without any") {
    World off;
    auto employees = plain_employees(), staff = plain_staff();
    off.add("employees", employees);
    off.add("staff", staff);
    run(off.session, "SET trefoil.use_indexes = off");
    CHECK(ask_script(off, plain_employees(true)) >= 60);
    CHECK(employees->fetches + staff->fetches == 0);
    World bare;
    for (auto& table : {employees, staff}) {
        table->the_indexes.clear();
        table->the_key.clear();
    }
    bare.add("employees", employees);
    bare.add("staff", staff);
    auto more = plain_employees(true);
    more->the_indexes.clear();
    CHECK(ask_script(bare, more) >= 60);
}

TEST_CASE(
    "I-08, I-12: EXPLAIN shows indexes and how they are combined, EXPLAIN ANALYZE what came") {
    World world;
    auto table = plain_employees();
    table->cost = 100;
    world.add("employees", table);
    const std::string from = "SELECT * FROM employees WHERE ";
    CHECK(has(world.plan(from + "age = 25"), "IndexScan age_idx (ordered): age = 25"));
    CHECK(has(world.plan(from + "department = 'Sales'"),
              "IndexScan department_idx (hash): department = 'Sales'"));
    CHECK(has(world.plan(from + "age = 28 AND department = 'Engineering' AND name LIKE '%v%'"),
              "RecordFetch indexes=[(age_idx AND department_idx)], age = 28 AND department = "
              "'Engineering', filter=[name LIKE '%v%']"));
    CHECK(has(world.plan(from + "age <= 30 OR department = 'Engineering'"),
              "RecordFetch indexes=[(age_idx OR department_idx)], age <= 30 OR department = "
              "'Engineering'"));
    CHECK(has(world.plan(from + "(age > 30 AND department = 'Engineering') OR age = 25"),
              "RecordFetch indexes=["));
    CHECK(has(world.plan(from + "age = 25 OR name = 'Bob'"), "CustomScan employees, filter=["));
    CHECK(has(world.plan("SELECT count(*) FROM employees WHERE age > 26"),
              "IndexScan age_idx (ordered): age > 26, keys only"));
    CHECK(has(world.plan("VERBOSE " + from + "age = 25"),
              "rejected: department_idx: does not answer the conditions"));
    // In the engine.
    const std::string counted = world.plan(
        "VERBOSE SELECT count(*) FROM employees WHERE "
        "age = 25 OR name = 'Bob'");
    CHECK(has(counted, "rejected: age_idx (rows 1, cost "));
    CHECK(has(counted, "): no index answers another branch of the OR"));
    CHECK(has(counted, "rejected: department_idx: does not answer the conditions"));
    const std::string numbers =
        world.metrics(from + "(age <= 30 OR department = 'Engineering') AND name LIKE '%b'");
    CHECK(has(numbers, "age_idx_keys=3"));
    CHECK(has(numbers, "department_idx_keys=2"));
    CHECK(has(numbers, "keys_combined=3"));
    CHECK(has(numbers, "rows_fetched=3"));
    CHECK(has(numbers, "rows_dropped=2"));
    CHECK(has(numbers, "rows_out=1"));
    CHECK(has(numbers, "find_time="));
    CHECK(has(numbers, "fetch_time="));
    CHECK(number(world.session,
                 "SELECT index_scans FROM trefoil_stats WHERE table_name = "
                 "'employees' AND rows_fetched > 0") > 0);
}

TEST_CASE("I-13: joins, aggregates, windows and views over a program's table") {
    World world;
    world.add("employees", plain_employees());
    run(world.session, "CREATE TABLE pay (id INT PRIMARY KEY, amount INT)");
    run(world.session, "INSERT INTO pay SELECT i, i * 100 FROM generate_series(1, 5) AS s(i)");
    CHECK(run(world.session,
              "SELECT e.name, p.amount FROM employees e JOIN pay p USING (id) WHERE "
              "e.department = 'Sales'")
              .rows == std::vector<std::string>{"Bob|200|", "Eve|500|"});
    CHECK(run(world.session,
              "SELECT department, count(*), avg(age) FROM employees GROUP BY "
              "department HAVING count(*) > 1")
              .rows.size() == 2);
    CHECK(run(world.session,
              "SELECT a.name FROM employees a JOIN employees b ON a.age < b.age AND "
              "b.name = 'David'")
              .first() == "Alice|");
    CHECK(run(world.session, "SELECT name FROM employees ORDER BY age DESC LIMIT 1").first() ==
          "Charlie|");
    CHECK(run(world.session,
              "SELECT name FROM employees WHERE id IN (SELECT id FROM pay WHERE amount > 400)")
              .first() == "Eve|");
    run(world.session, "CREATE TABLE copied AS SELECT * FROM employees WHERE age > 28");
    CHECK(number(world.session, "SELECT count(*) FROM copied") == 3);
    CHECK(run(world.session, "SELECT name FROM public.employees WHERE age = $1", {Value(30)})
              .first() == "Bob|");
    CHECK(run(world.session, "DESCRIBE employees").rows[2] == "id|INTEGER|NO|PRI|~|");
    CHECK(has(run(world.session, "SHOW TABLES").rows[1], "employees"));
}

TEST_CASE("keys of different types are joined, and compared with stored rows by any type") {
    World world;
    world.add("employees", plain_employees());
    run(world.session, "CREATE TABLE pay (id BIGINT, text_id TEXT, amount INT)");
    run(world.session,
        "INSERT INTO pay SELECT i, i::text, i * 100 FROM generate_series(1, 5) AS s(i)");
    const std::string where = " WHERE e.department = 'Sales'";
    const std::vector<std::string> both = {"Bob|200|", "Eve|500|"};
    const std::string names = "SELECT e.name, p.amount FROM pay p JOIN employees e ON ";
    CHECK(run(world.session, names + "e.id = p.id" + where).rows == both);
    CHECK(run(world.session, names + "e.id::text = p.text_id" + where).rows == both);
}

TEST_CASE("a view of a program's table works whenever the table is there") {
    TestDirectory directory;
    const std::string path = directory / "db.trefoil";
    {
        Database db = must(Database::open(path));
        must(db.register_table("employees", plain_employees()));
        Session session = must(db.connect());
        run(session,
            "CREATE VIEW sellers AS SELECT name FROM employees WHERE department = 'Sales'");
        CHECK(run(session, "SELECT * FROM sellers").rows.size() == 2);
    }
    Database db = must(Database::open(path));
    Session session = must(db.connect());
    CHECK(ask(session, "SELECT * FROM sellers").status.sqlstate() == "42P01");
    CHECK(ask(session, "SELECT * FROM employees").status.sqlstate() == "42P01");
    must(db.register_table("employees", plain_employees()));
    CHECK(run(session, "SELECT * FROM sellers").rows.size() == 2);
    CHECK(run(session,
              "SELECT name, columns, kind FROM trefoil_indexes WHERE table_name = "
              "'employees'")
              .rows == std::vector<std::string>{"age_idx|age|program, ordered|",
                                                "department_idx|department|program, hash|"});
}

TEST_CASE("I-50: a limit counts rows after indexes were combined") {
    World world;
    world.add("employees", plain_employees());
    for (const char* limit : {"1", "2", "3"}) {
        const std::string where = " FROM employees WHERE age > 20 AND department = 'Sales' LIMIT ";
        const Answer some = run(world.session, "SELECT name" + where + limit);
        CHECK(some.rows.size() == std::min<size_t>(2, std::stoul(limit)));
        for (const std::string& row : some.rows) CHECK((row == "Bob|" || row == "Eve|"));
    }
    CHECK(run(world.session,
              "SELECT name FROM employees WHERE age > 20 AND name LIKE '%e' LIMIT 2 "
              "OFFSET 1")
              .rows.size() == 2);
}

TEST_CASE("I-51, I-52: what an index does not say exactly is checked, or answered by a scan") {
    World world;
    auto table = plain_employees(true);
    auto inexact =
        std::make_shared<PlainIndex>(*table, "inexact_idx", std::vector<std::string>{"age"});
    inexact->answer = IndexAnswer::kInexact;
    table->the_indexes[0] = inexact;
    world.add("employees", table);
    CHECK(has(world.plan("SELECT * FROM employees WHERE age = 25"), "filter=[age = 25]"));
    CHECK(run(world.session, "SELECT id FROM employees WHERE age = 25").rows.size() == 2);
    CHECK(run(world.session, "SELECT id FROM employees WHERE department LIKE 'S%'").rows.size() ==
          3);
    CHECK(table->scans == 1);  // a hash index has no ranges
    CHECK(run(world.session, "SELECT * FROM employees").rows.size() == 8);
}

TEST_CASE("I-53: NULLs that an index does not hold, and keys that come more than once") {
    World world;
    auto table = plain_employees(true);
    auto ages = std::make_shared<PlainIndex>(*table, "age_idx", std::vector<std::string>{"age"});
    auto both = std::make_shared<PlainIndex>(*table, "both_idx",
                                             std::vector<std::string>{"department", "age"});
    ages->nulls = both->nulls = false;
    ages->repeat = 3;
    table->the_indexes = {ages, both};
    world.add("employees", table);
    const std::string ids = "SELECT id FROM employees WHERE ";
    CHECK(run(world.session, ids + "age IS NULL").rows.size() == 2);
    CHECK(run(world.session, ids + "age IS NULL OR age = 25").rows.size() == 4);
    CHECK(run(world.session, ids + "age IS NOT NULL").rows.size() == 6);
    CHECK(run(world.session, ids + "department = 'Sales'").rows.size() == 3);
    CHECK(table->scans == 3);
    CHECK(run(world.session, ids + "department = 'Sales' AND age >= 30").rows.size() == 2);
    CHECK(run(world.session, ids + "age = 25").rows.size() == 2);
    CHECK(run(world.session, "SELECT count(*) FROM employees WHERE age > 0").first() == "6|");
    CHECK(table->scans == 3);
}

TEST_CASE("I-54: no columns, or those of the key alone, are read without fetching") {
    World world;
    auto table = plain_employees();
    table->cost = 100;
    world.add("employees", table);
    CHECK(run(world.session,
              "SELECT count(*) FROM employees WHERE age > 26 AND department = "
              "'Engineering'")
              .first() == "1|");
    CHECK(run(world.session, "SELECT id FROM employees WHERE age < 30").rows.size() == 2);
    CHECK(table->fetches == 0);
    CHECK(run(world.session, "SELECT name FROM employees WHERE age < 30").rows.size() == 2);
    CHECK(run(world.session, "SELECT count(*) FROM employees").first() == "5|");
    CHECK(table->fetches == 1);
}

TEST_CASE("five indexes together, by AND and by OR, and conditions that contradict each other") {
    World world;
    auto table = std::make_shared<PlainTable>();
    table->the_columns = {{"id", "BIGINT"}};
    table->the_key = {"id"};
    std::string all, any;
    for (int c = 0; c < 5; c++) {
        const std::string name = "c" + std::to_string(c);
        table->the_columns.push_back({name, "INT"});
        table->the_indexes.push_back(
            std::make_shared<PlainIndex>(*table, name + "_idx", std::vector<std::string>{name}));
        all += (c ? " AND " : "") + name + " = 1";
        any += (c ? " OR " : "") + name + " = 3";
    }
    for (int i = 0; i < 1000; i++) {
        table->rows.push_back({i, i % 2, i % 3, i % 5, i % 7, i % 11});
    }
    table->cost = 1e6;
    world.add("t", table);
    const std::string from = "SELECT id FROM t WHERE ";
    CHECK(has(world.plan(from + all), "AND c0_idx)"));
    CHECK(run(world.session, from + all).rows == std::vector<std::string>{"1|"});
    size_t some = 0;
    for (const PlainRow& row : table->rows) {
        bool found = false;
        for (size_t c = 1; c < row.size(); c++) found |= row[c] == Value(3);
        some += found;
    }
    CHECK(run(world.session, from + any).rows.size() == some);
    CHECK(run(world.session, from + "c0 = 0 AND c0 = 1").rows.empty());
    CHECK(run(world.session, from + "(c0 = 5 OR c1 = 9) AND c2 = 1").rows.empty());
}

TEST_CASE(
    "an index is used where it pays, and each of an AND only if it saves more than it costs") {
    World world;
    auto table = std::make_shared<PlainTable>();
    table->the_columns = {{"id", "BIGINT"}, {"a", "INT"}, {"b", "INT"}};
    table->the_key = {"id"};
    table->the_indexes = {
        std::make_shared<PlainIndex>(*table, "a_idx", std::vector<std::string>{"a"}),
        std::make_shared<PlainIndex>(*table, "b_idx", std::vector<std::string>{"b"})};
    for (int i = 0; i < 10000; i++) table->rows.push_back({i, i % 100, i % 2});
    world.add("t", table);
    CHECK(has(world.plan("SELECT b FROM t WHERE a < 90"), "CustomScan"));
    CHECK(has(world.plan("SELECT b FROM t WHERE a = 7"), "IndexScan a_idx"));
    CHECK(has(world.plan("SELECT b FROM t WHERE a = 7 AND b = 1"), "filter=[b = 1]"));
}

TEST_CASE("an index of conditions answers what it accepts") {
    World world;
    auto table = plain_employees(true);
    auto letters = std::make_shared<PlainIndex>(
        *table, "letters", std::vector<std::string>{"name", "department"}, IndexKind::kConditions);
    table->the_indexes.push_back(letters);
    world.add("employees", table);
    const std::string from = "SELECT id FROM employees WHERE ";
    CHECK(has(world.plan(from + "name LIKE '%av%'"),
              "IndexScan letters: name LIKE '%av%', filter=[name LIKE '%av%']"));
    CHECK(run(world.session, from + "name LIKE '%av%'").rows == std::vector<std::string>{"4|"});
    CHECK(run(world.session, from + "name LIKE '%a%' AND age = 25").rows.size() == 1);
    CHECK(run(world.session, from + "name LIKE '%v%' OR department LIKE '%rk%'").rows.size() == 3);
    CHECK(table->scans == 0);
    CHECK(run(world.session, from + "name NOT LIKE '%a%'").rows.size() == 3);
    CHECK(table->scans == 1);
}

}  // namespace trefoil
