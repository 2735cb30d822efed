// Bad input, as a new user would give it: what is wrong, where, and what was probably meant.
//
// Every refusal is checked by its SQLSTATE, by the position in the statement (the word that stands
// there), by the words of its hint, and by what the database holds afterwards: exactly what it held
// before.

#include <filesystem>
#include <fstream>

#include "answers.h"

namespace trefoil {
namespace {

struct Desk {
    Desk() : db(must(Database::open(directory / "db"))), session(must(db.connect())) {
        run(session,
            "CREATE TABLE person (id BIGINT PRIMARY KEY, first_name TEXT NOT NULL, "
            "code VARCHAR(4), age SMALLINT, height DECIMAL(4,2), born DATE)");
        run(session,
            "INSERT INTO person VALUES (1, 'Ann', 'a1', 40, 1.71, '1984-02-29'), "
            "(2, 'Bob', NULL, NULL, NULL, NULL)");
        run(session, "CREATE TABLE pair (a TEXT, b INT, PRIMARY KEY (a, b))");
        run(session, "INSERT INTO pair VALUES ('x', 1)");
        before = contents();
    }

    std::vector<std::string> contents() {
        std::vector<std::string> all = run(session, "SELECT * FROM person").rows;
        for (const std::string& row : run(session, "SELECT * FROM pair").rows) all.push_back(row);
        return all;
    }

    // The statement is refused with `sqlstate`; `at` stands at the position, if it is not empty;
    // every one of `words` is in message, detail or hint; nothing changed.
    void refused(const std::string& sql, const char* sqlstate, const std::string& at,
                 std::initializer_list<const char*> words,
                 const std::vector<Value>& parameters = {}) {
        Answer answer = ask(session, sql, parameters);
        INFO(sql.substr(0, 300));
        INFO(answer.status.to_string());
        CHECK(!answer.ok());
        CHECK(std::string(answer.status.sqlstate()) == sqlstate);
        if (!at.empty()) {
            const auto position = answer.status.position();
            CHECK(position.has_value());
            if (position && *position <= sql.size()) {
                CHECK(sql.substr(*position, at.size()) == at);
            }
        }
        for (const char* word : words) CHECK_MESSAGE(mentions(answer.status, word), word);
        CHECK(contents() == before);
    }

    std::string file(const std::string& name, const std::string& text) {
        std::ofstream(directory / name) << text;
        return directory / name;
    }

    TestDirectory directory;
    Database db;
    Session session;
    std::vector<std::string> before;
};

TEST_CASE("a misspelt keyword, table, column or function: where it is and what was meant") {
    Desk d;
    d.refused("SELCT * FROM person", "42601", "SELCT", {"SELECT"});
    d.refused("SELECT * FORM person", "42601", "", {"FROM"});
    d.refused("SELECT * FROM person WHRE id = 1", "42601", "", {"WHERE"});
    d.refused("INSER INTO person VALUES (3)", "42601", "INSER", {"INSERT"});
    d.refused("UPDTE person SET age = 1", "42601", "UPDTE", {"UPDATE"});
    d.refused("DELETE FORM person", "42601", "FORM", {"FROM"});
    d.refused("CREAT TABLE t (id INT)", "42601", "CREAT", {"CREATE"});
    d.refused("SELECT * FROM persn", "42P01", "persn", {"persn", "person"});
    d.refused("SELECT * FROM person JOIN pairs ON true", "42P01", "pairs", {"pair"});
    d.refused("INSERT INTO perso VALUES (3, 'x')", "42P01", "perso", {"person"});
    d.refused("UPDATE persom SET age = 1", "42P01", "persom", {"person"});
    d.refused("DELETE FROM peson WHERE id = 1", "42P01", "peson", {"person"});
    d.refused("DROP TABLE persn", "42P01", "persn", {"person"});
    d.refused("DESCRIBE persn", "42P01", "persn", {"person"});
    d.refused("COPY persn FROM 'x.csv'", "42P01", "persn", {"person"});
    d.refused("SELECT frist_name FROM person", "42703", "frist_name", {"first_name"});
    d.refused("SELECT id FROM person WHERE agge > 3", "42703", "agge", {"age"});
    d.refused("SELECT id FROM person WHERE agge = 3", "42703", "agge", {"age"});
    d.refused("SELECT id FROM person ORDER BY hieght", "42703", "hieght", {"height"});
    d.refused("SELECT p.first_nam FROM person p", "42703", "", {"first_name"});
    d.refused("INSERT INTO person (id, firstname) VALUES (3, 'x')", "42703", "firstname",
              {"first_name"});
    d.refused("UPDATE person SET heigth = 1 WHERE id = 1", "42703", "heigth", {"height"});
    d.refused("DELETE FROM person WHERE idd = 1", "42703", "idd", {"id"});
    d.refused("COPY person (id, firstname) FROM 'x.csv'", "42703", "firstname", {"first_name"});
    d.refused("SELECT uper(first_name) FROM person", "42883", "uper", {"upper"});
    d.refused("SELECT *\nFROM person\nWHERE agge > 3", "42703", "agge", {"age"});
    d.refused("CREATE TABLE t (id BIGNT PRIMARY KEY)", "42704", "", {"BIGNT"});
    d.refused("CREATE TABLE t (id INT, PRIMARY KEY (idd))", "42703", "idd", {"idd"});
    d.refused("SET trefoil.use_index = off", "42704", "", {"trefoil.use_index"});
    d.refused("SET trefoil.use_indexes = perhaps", "22023", "", {"perhaps", "on or off"});
}

TEST_CASE("text that is no statement") {
    Desk d;
    d.refused("", "42601", "", {});
    d.refused("  -- nothing\n", "42601", "", {});
    d.refused("INVALID SQL QUERY", "42601", "INVALID", {});
    d.refused("SELECT * FROM", "42601", "", {});
    d.refused("SELECT 'never closed", "42601", "", {});
    d.refused("SELECT /* never closed", "42601", "", {});
    d.refused("SELECT \"never closed FROM person", "42601", "", {});
    d.refused("SELECT (1", "42601", "", {});
    d.refused("SELECT 1)", "42601", ")", {});
    d.refused("INSERT INTO person VALUES (3, 'x'", "42601", "", {});
    d.refused("CREATE TABLE t ()", "42601", "", {});
    d.refused(std::string("SELECT '\xff\xfe'"), "22021", "", {});
    d.refused("SELECT 1; SELECT 2", "42601", "SELECT 2", {"multiple statements"});
    d.refused("DELETE FROM person; SELECT 1", "42601", "SELECT", {"multiple statements"});
    d.refused("SELECT '" + std::string(10 << 20, 'x') + "'", "54000", "", {"10MB"});
    CHECK(run(d.session, "SELECT length('" + std::string(9 << 20, 'x') + "')").first() ==
          std::to_string(9 << 20) + "|");
    std::string deep = "SELECT " + std::string(5000, '(') + "1" + std::string(5000, ')');
    CHECK(!ask(d.session, deep).ok());
    auto chain = [](std::string text, const std::string& more, int times) {
        for (int i = 0; i < times; i++) text += more;
        return text;
    };
    d.refused(chain("SELECT 1", " + 1", 100'000), "54001", "+ 1", {"1000 operators"});
    d.refused(chain("SELECT id FROM person WHERE id = 1", " OR id = 2", 100'000), "54001",
              "OR id = 2", {"1000 operators"});
    d.refused(chain("SELECT 1", " UNION ALL SELECT 1", 10'000), "54001", "UNION", {"500"});
    d.refused(chain("SELECT id < ANY ('{1", ", 2", 10'000) + "}') FROM person", "54001", "",
              {"1000 operators"});
    CHECK(run(d.session, chain("SELECT 1", " + 1", 100)).first() == "101|");
    CHECK(run(d.session, chain("SELECT 1 IN (1", ", 2", 10'000) + ")").first() == "true|");
}

TEST_CASE("a value that does not fit refuses the whole statement and names it") {
    Desk d;
    // The good row before the bad one is not kept either.
    d.refused("INSERT INTO person VALUES (3, 'Cem', 'c', 1, 1, NULL), (1, 'x', 'x', 1, 1, NULL)",
              "23505", "", {"person_pkey", "(id)=(1)"});
    d.refused("INSERT INTO person (id, first_name) VALUES (3, 'a'), (4, 'b'), (3, 'c')", "23505",
              "", {"person_pkey", "(id)=(3)"});
    d.refused("INSERT INTO pair VALUES ('y', 1), ('x', 1)", "23505", "",
              {"pair_pkey", "(a, b)=(x, 1)"});
    d.refused("UPDATE person SET id = 1 WHERE id = 2", "23505", "", {"person_pkey", "(id)=(1)"});
    d.refused("UPDATE person SET id = 9", "23505", "", {"person_pkey", "(id)=(9)"});
    d.refused("INSERT INTO person VALUES (3, NULL, 'c', 1, 1, NULL)", "23502", "", {"first_name"});
    d.refused("INSERT INTO person (id) VALUES (3)", "23502", "", {"first_name", "person"});
    d.refused("INSERT INTO person (first_name) VALUES ('x')", "23502", "", {"\"id\""});
    d.refused("UPDATE person SET first_name = NULL WHERE id = 1", "23502", "", {"first_name"});
    d.refused("UPDATE person SET id = NULL WHERE id = 1", "23502", "", {"\"id\""});
    d.refused("INSERT INTO pair VALUES ('z', NULL)", "23502", "", {"\"b\""});
    d.refused("INSERT INTO person VALUES (3, 'Cem', 'toolong', 1, 1, NULL)", "22001", "",
              {"code", "VARCHAR(4)", "toolong"});
    d.refused("UPDATE person SET code = 'abcde'", "22001", "", {"code", "abcde"});
    d.refused("INSERT INTO person VALUES (3, 'Cem', 'c', 70000, 1, NULL)", "22003", "",
              {"70000", "SMALLINT"});
    d.refused("INSERT INTO person VALUES (3, 'Cem', 'c', 1, 1000.5, NULL)", "22003", "",
              {"1000.5"});
    d.refused("INSERT INTO person VALUES ('three', 'Cem', 'c', 1, 1, NULL)", "22P02", "",
              {"three", "BIGINT"});
    d.refused("INSERT INTO person VALUES (3, 'Cem', 'c', 'old', 1, NULL)", "22P02", "",
              {"old", "SMALLINT"});
    d.refused("INSERT INTO person VALUES (3, 'Cem', 'c', 1, 1, 'soon')", "22007", "",
              {"soon", "DATE"});
    d.refused("UPDATE person SET age = age + 40000 WHERE id = 1", "22003", "", {});
    d.refused("INSERT INTO person VALUES (3, 'Cem', 'c', 1, 1, NULL, 7)", "42601", "", {"person"});
    d.refused("INSERT INTO person (id, first_name) VALUES (3)", "42601", "", {});
    d.refused("INSERT INTO person (id, id) VALUES (3, 3)", "42701", "", {"id"});
    d.refused("SELECT 1 / 0", "22012", "", {"zero"});
    d.refused("SELECT 9223372036854775807 + 1", "22003", "", {});
    d.refused("SELECT id FROM person WHERE first_name > 1 + 'x'", "42804", "", {"TEXT", "CAST"});
    // Characters are counted, not bytes.
    run(d.session, "UPDATE person SET code = '\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9' WHERE id = 2");
    CHECK(run(d.session, "SELECT length(code) FROM person WHERE id = 2").first() == "4|");
}

// What the engine under us says of these is right, but not in PostgreSQL's code or without the
// value.
TEST_CASE("a value that does not fit: the code that PostgreSQL gives" * doctest::may_fail()) {
    Desk d;
    d.refused("INSERT INTO person VALUES (3, 'Cem', 'c', 1, 1, '2023-02-29')", "22008", "",
              {"2023-02-29"});
    d.refused("INSERT INTO person VALUES (99999999999999999999, 'Cem', 'c', 1, 1, NULL)", "22003",
              "", {"99999999999999999999"});
    d.refused("INSERT INTO person (id, first_name, age) VALUES ($1, $2, $3)", "22003", "",
              {"70000"}, {Value(3), Value("x"), Value(70000)});
}

TEST_CASE("tables that clash or cannot be") {
    Desk d;
    d.refused("CREATE TABLE person (id INT)", "42P07", "person", {"person"});
    d.refused("CREATE TABLE t (a INT, a TEXT)", "42701", "", {"a"});
    d.refused("CREATE TABLE t (a INT PRIMARY KEY, b INT PRIMARY KEY)", "42P16", "", {});
    d.refused("CREATE TABLE t (a INT, PRIMARY KEY (a, a))", "42701", "", {});
    d.refused("CREATE TABLE trefoil_stats (a INT)", "42939", "trefoil_stats", {"system table"});
    d.refused("CREATE TABLE t (a INT DEFAULT 'x')", "22P02", "", {"x"});
    d.refused("INSERT INTO trefoil_stats VALUES (1)", "42809", "", {"system table"});
    d.refused("DELETE FROM trefoil_tables", "42809", "", {"system table"});
    CHECK(ask(d.session, "DROP TABLE IF EXISTS nothing").ok());
    CHECK(ask(d.session, "CREATE TABLE IF NOT EXISTS person (x INT)").ok());
    CHECK(run(d.session, "SELECT count(*) FROM person").first() == "2|");
}

TEST_CASE("what is not there yet is refused by name and place") {
    Desk d;
    struct Case {
        const char *sql, *at, *word;
    };
    for (const Case& c : std::initializer_list<Case>{
             {"CREATE INDEX i ON person USING gin (age)", "gin", "USING gin"},
             {"ALTER TABLE person OWNER TO me", "ALTER", "ALTER TABLE ... OWNER TO"},
             {"CREATE MATERIALIZED VIEW v AS SELECT 1", "CREATE", "CREATE MATERIALIZED"},
             {"COMMIT PREPARED 'x'", "PREPARED", "COMMIT PREPARED"},
             {"UPDATE OR IGNORE person SET age = 1", "", "UPDATE OR"},
             {"CREATE TABLE t (a INT UNIQUE DEFERRABLE)", "a INT", "UNIQUE"},
             {"CREATE TABLE t (a INT REFERENCES person DEFERRABLE)", "a INT", "DEFERRABLE"},
             {"CREATE UNLOGGED TABLE t (a INT)", "CREATE", "CREATE UNLOGGED TABLE"},
             {"SELECT DISTINCT id FROM person FOR UPDATE", "FOR", "FOR UPDATE"},
             {"SET TRANSACTION SNAPSHOT 'x'", "SNAPSHOT", "SNAPSHOT"},
             {"COPY person FROM STDIN", "STDIN", "STDIN"},
             {"SELECT id INTO other FROM person", "", "SELECT INTO"},
             {"GRANT SELECT ON person TO bob", "GRANT", "GRANT"}}) {
        d.refused(c.sql, "0A000", c.at, {c.word});
    }
}

TEST_CASE("COPY from a file that is missing, or has a bad row") {
    Desk d;
    d.refused("COPY person FROM '/no/such/file.csv'", "58P01", "", {"/no/such/file.csv"});
    d.refused("COPY person FROM '" + (d.directory / ".") + "'", "58030", "", {});
    const std::string good = "3,Cem,c3,30,1.80,2001-01-01\n";
    auto copy = [&](const std::string& name, const std::string& text, const char* sqlstate,
                    std::initializer_list<const char*> words, const std::string& options = "") {
        d.refused("COPY person FROM '" + d.file(name, text) + "'" + options, sqlstate, "", words);
    };
    copy("number.csv", good + "four,Dot,d,1,1,\n", "22P02", {"line 2", "\"id\"", "four"});
    copy("range.csv", good + good.substr(0, 0) + "4,Dot,d,70000,1,\n", "22003",
         {"line 2", "\"age\"", "70000"});
    copy("date.csv", good + "4,Dot,d,1,1,2023-02-29\n", "22008",
         {"line 2", "\"born\"", "2023-02-29"});
    copy("short.csv", good + "4,Dot\n", "22P04", {"line 2", "2 fields", "expected 6"});
    copy("long.csv", good + "4,Dot,d,1,1,,7\n", "22P04", {"line 2", "7 fields"});
    copy("quote.csv", good + "4,\"Dot,d,1,1,\n", "22P04", {"line 2"});
    copy("bytes.csv", good + "4,\xff\xfe,d,1,1,\n", "22021", {"line 2", "first_name"});
    copy("null.csv", good + "4,,d,1,1,\n", "23502", {"first_name"});
    copy("key.csv", good + "1,Again,d,1,1,\n", "23505", {"person_pkey", "(id)=(1)"});
    copy("twice.csv", good + good, "23505", {"person_pkey", "(id)=(3)"});
    copy("width.csv", good + "4,Dot,toolong,1,1,\n", "22001", {"code", "toolong"});
    copy("header.csv", "id,name,code,age,height,born\n" + good, "22P04", {"line 1", "first_name"},
         " (HEADER match)");
    copy("header2.csv", "id,first_name,code,age,height,born\n" + good + "x,Dot,d,1,1,\n", "22P02",
         {"line 3", "\"id\"", "x"}, " (HEADER)");
    copy("good.csv", good, "22023", {"delimiter"}, " (DELIMITER 'ab')");
    copy("good.csv", good, "42601", {"colour"}, " (COLOUR 'red')");
    copy("good.csv", good, "22023", {"xml"}, " (FORMAT xml)");
    // The bad line is far into a file of many blocks.
    std::string many;
    for (int i = 0; i < 100000; i++) many += std::to_string(i + 10) + ",Name,c,1,1,\n";
    copy("many.csv", many + "bad,Name,c,1,1,\n" + many, "22P02", {"line 100001", "bad"});
}

TEST_CASE("COPY with ON_ERROR 'ignore' skips bad rows and counts them") {
    Desk d;
    const std::string file = d.file("mixed.csv",
                                    "3,Cem,c3,30,1.80,2001-01-01\nfour,Dot,d,1,1,\n5,Eve\n"
                                    "6,Fay,f,70000,1,\n7,Gil,g,7,1,\n8,\"Hal,h,1,1,2023-02-30\n");
    Answer copied = run(d.session, "COPY person FROM '" + file + "' (ON_ERROR 'ignore')");
    CHECK(copied.affected == 2);
    CHECK(copied.tag == "COPY 2 (4 bad rows skipped)");
    CHECK(run(d.session, "SELECT id FROM person").rows ==
          std::vector<std::string>{"1|", "2|", "3|", "7|"});
    CHECK(
        ask(d.session, "COPY person FROM '" + file + "' (ON_ERROR 'perhaps')").status.sqlstate() ==
        "22023");
}

TEST_CASE("COPY to a place where nothing can be written leaves what was there") {
    Desk d;
    d.refused("COPY person TO '/no/such/folder/out.csv'", "58P01", "", {"/no/such/folder/out.csv"});
    const std::string file = d.file("out.csv", "precious");
    d.refused("COPY (SELECT 1 / (id - 2) FROM person) TO '" + file + "'", "22012", "", {});
    CHECK(read_file(file) == "precious");
    CHECK(!std::filesystem::exists(file + ".part"));
}

TEST_CASE("after a failed statement a transaction block answers nothing but its end") {
    Desk d;
    Session& s = d.session;
    for (const char* bad :
         {"SELECT nothing FROM person", "SELCT", "INSERT INTO person VALUES (1, 'x')",
          "SELECT * FROM persn WHERE id = 1", "SELECT 1 / 0"}) {
        CAPTURE(bad);
        run(s, "BEGIN");
        run(s, "INSERT INTO person (id, first_name) VALUES (77, 'kept back')");
        CHECK(!ask(s, bad).ok());
        CHECK(s.in_transaction());
        for (const char* next : {"SELECT 1", "SELECT * FROM person WHERE id = 1", "BEGIN",
                                 "INSERT INTO person (id, first_name) VALUES (78, 'x')",
                                 "SET trefoil.fast_path = on", "SHOW TABLES"}) {
            CAPTURE(next);
            const Status refused = ask(s, next).status;
            CHECK(refused.sqlstate() == "25P02");
            CHECK(mentions(refused, "ROLLBACK"));
        }
        // COMMIT of a failed block is a ROLLBACK, as in PostgreSQL.
        CHECK(run(s, "COMMIT").tag == "ROLLBACK");
        CHECK(!s.in_transaction());
        CHECK(d.contents() == d.before);
    }
    CHECK(ask(s, "COMMIT").status.sqlstate() == "25P01");
    CHECK(ask(s, "ROLLBACK").status.sqlstate() == "25P01");
    run(s, "BEGIN");
    CHECK(ask(s, "BEGIN").status.sqlstate() == "25001");
    run(s, "ROLLBACK");
    run(s, "BEGIN READ ONLY");
    CHECK(ask(s, "DELETE FROM person").status.sqlstate() == "25006");
    run(s, "ROLLBACK");
    CHECK(d.contents() == d.before);
}

TEST_CASE("parameters that are missing, too many, or of no use") {
    Desk d;
    d.refused("SELECT * FROM person WHERE id = $1", "08P01", "", {"1", "0"});
    d.refused("SELECT * FROM person WHERE id = $1", "08P01", "", {"1", "2"}, {Value(1), Value(2)});
    d.refused("INSERT INTO person (id, first_name) VALUES ($1, $2)", "08P01", "", {}, {Value(3)});
    d.refused("INSERT INTO person (id, first_name) VALUES ($1, $2)", "22P02", "", {"three"},
              {Value("three"), Value("x")});
    d.refused("INSERT INTO person (id, first_name) VALUES ($1, $2)", "23502", "", {"first_name"},
              {Value(3), Value()});
    d.refused("SET trefoil.fast_path = on", "08P01", "", {}, {Value(1)});
}

}  // namespace
}  // namespace trefoil
