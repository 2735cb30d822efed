// Lexing: statements end where they end, and only literals that may be lifted are lifted.

#include "db/sql_lexer.h"

#include <doctest/doctest.h>

#include "trefoil/database.h"

namespace trefoil {
namespace {

TEST_CASE("a semicolon in a quote or comment does not end a statement") {
    CHECK(first_statement("SELECT ';' ; SELECT 2") == "SELECT ';' ;");
    CHECK(first_statement("SELECT \";\" -- ;\n;x") == "SELECT \";\" -- ;\n;");
    CHECK(first_statement("/* ; /* ; */ ; */ SELECT 1;") == "/* ; /* ; */ ; */ SELECT 1;");
    CHECK(first_statement("SELECT $a$ ; $b$ ; $a$;") == "SELECT $a$ ; $b$ ; $a$;");
    CHECK(first_statement("SELECT E'\\';';") == "SELECT E'\\';';");
    CHECK(first_statement("SELECT $1;") == "SELECT $1;");
    CHECK(!first_statement("SELECT 'a;"));
    CHECK(!first_statement("SELECT 1 /* ;"));
    CHECK(!first_statement("SELECT 1"));
}

TEST_CASE("blank is space and comments only") {
    CHECK(is_blank_sql(" \n -- x\n /* y */ "));
    CHECK(!is_blank_sql(" ; "));
    CHECK(!is_blank_sql("/* open"));
}

TEST_CASE("literals behind WHERE and LIMIT are lifted") {
    auto lifted =
        lift_literals("SELECT name, 1 FROM person WHERE id = 42 AND name = 'O''Brien' LIMIT 3");
    REQUIRE(lifted);
    CHECK(lifted->text == "SELECT name, 1 FROM person WHERE id = $1 AND name = $2 LIMIT $3");
    REQUIRE(lifted->literals.size() == 3);
    CHECK(lifted->literals[0] == Value(42));
    CHECK(lifted->literals[1] == Value("O'Brien"));
}

TEST_CASE("literals of changes are lifted, with their signs") {
    auto insert = lift_literals("INSERT INTO t (a, b) VALUES (-1, 'x'), (2.50, NULL) RETURNING a");
    REQUIRE(insert);
    CHECK(insert->text == "INSERT INTO t (a, b) VALUES ($1, $2), ($3, NULL) RETURNING a");
    CHECK(insert->literals == std::vector<Value>{Value(-1), Value("x"), Value(Decimal{250, 2})});
    auto update = lift_literals("UPDATE t SET n = n - 1, m = - 2 WHERE id = 3");
    REQUIRE(update);
    CHECK(update->text == "UPDATE t SET n = n - $1, m = $2 WHERE id = $3");
    CHECK(update->literals == std::vector<Value>{Value(1), Value(-2), Value(3)});
    CHECK(lift_literals("DELETE FROM t WHERE id = 7")->text == "DELETE FROM t WHERE id = $1");
    CHECK(!lift_literals("INSERT INTO t VALUES (1e3)"));
    CHECK(!lift_literals("INSERT INTO t VALUES (99999999999999999999)"));
    CHECK(!lift_literals("INSERT INTO t VALUES (E'a')"));
}

TEST_CASE("statements that are not simple are left alone") {
    for (const char* sql :
         {"SELECT a FROM t WHERE id = 1 ORDER BY 1", "SELECT count(*) FROM t GROUP BY 1",
          "SELECT 1", "SELECT a FROM t WHERE id = $1 AND b = 2", "SELECT a FROM t WHERE id = -1",
          "SELECT a FROM t WHERE id IN (SELECT 1)", "INSERT INTO t SELECT 1",
          "SELECT a FROM t WHERE d > DATE '2024-01-01'", "SELECT a FROM t WHERE x = 1.5",
          "SELECT a FROM t WHERE x = 'open"}) {
        CAPTURE(sql);
        CHECK(!lift_literals(sql));
    }
}

}  // namespace
}  // namespace trefoil
