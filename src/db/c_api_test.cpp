// The C interface: every kind of parameter arrives, every misuse is answered, nothing leaks.

#include "trefoil/trefoil.h"

#include <doctest/doctest.h>

#include <cstring>
#include <string>
#include <vector>

namespace {

// One session on a database in memory.
class Conversation {
public:
    Conversation() {
        REQUIRE(trefoil_open(nullptr, nullptr, &database_, nullptr) == TREFOIL_OK);
        REQUIRE(trefoil_connect(database_, &session_, nullptr) == TREFOIL_OK);
    }
    ~Conversation() {
        trefoil_session_free(session_);
        trefoil_close(database_);
    }
    trefoil_session* session() { return session_; }

    // The first field of the first row; or "SQLSTATE at position".
    std::string ask(const char* sql, const std::vector<trefoil_value>& parameters = {}) {
        trefoil_result* result = nullptr;
        trefoil_error* error = nullptr;
        if (trefoil_execute(session_, sql, parameters.data(), parameters.size(), &result, &error) !=
            TREFOIL_OK) {
            CHECK(result == nullptr);
            const std::string text = std::string(trefoil_error_sqlstate(error)) + " at " +
                                     std::to_string(trefoil_error_position(error));
            trefoil_error_free(error);
            return text;
        }
        std::string text = trefoil_tag(result);
        trefoil_batch* batch = nullptr;
        REQUIRE(trefoil_next(result, &batch, nullptr) == TREFOIL_OK);
        if (batch != nullptr) {
            size_t size = 0;
            text = trefoil_batch_text(batch, 0, 0, &size);
            CHECK(size == text.size());
            if (trefoil_batch_is_null(batch, 0, 0) != 0) text = "NULL";
        }
        trefoil_batch_free(batch);
        trefoil_result_free(result);
        return text;
    }

private:
    trefoil_database* database_ = nullptr;
    trefoil_session* session_ = nullptr;
};

trefoil_value typed(int32_t type) {
    trefoil_value value;
    std::memset(&value, 0, sizeof value);
    value.type = type;
    return value;
}

}  // namespace

TEST_CASE("every kind of parameter arrives as it was sent") {
    Conversation c;
    CHECK(c.ask("SELECT CAST($1 AS BIGINT)", {trefoil_int64(INT64_MIN)}) == "-9223372036854775808");
    CHECK(c.ask("SELECT CAST($1 AS DOUBLE)", {trefoil_double(1.5)}) == "1.5");
    CHECK(c.ask("SELECT CAST($1 AS TEXT)", {trefoil_text("ä")}) == "ä");
    CHECK(c.ask("SELECT CAST($1 AS TEXT)", {trefoil_text_n("abc", 2)}) == "ab");
    CHECK(c.ask("SELECT CAST($1 AS TEXT)", {trefoil_text(nullptr)}) == "NULL");
    CHECK(c.ask("SELECT CAST($1 AS BOOLEAN)", {trefoil_boolean(1)}) == "true");
    CHECK(c.ask("SELECT CAST($1 AS BIGINT)", {trefoil_null()}) == "NULL");
    CHECK(c.ask("SELECT CAST($1 AS BYTEA)", {trefoil_blob("\0\xFF", 2)}) == "\\x00ff");

    trefoil_value value = typed(TREFOIL_DATE);
    value.as.days = 59;
    CHECK(c.ask("SELECT CAST($1 AS DATE)", {value}) == "1970-03-01");
    value = typed(TREFOIL_TIMESTAMP);
    value.as.int64 = 1'000'000;
    CHECK(c.ask("SELECT CAST($1 AS TIMESTAMP)", {value}) == "1970-01-01 00:00:01");
    value = typed(TREFOIL_DECIMAL);
    value.as.decimal = {-1, static_cast<uint64_t>(-1250), 2};
    CHECK(c.ask("SELECT CAST($1 AS DECIMAL(10,2))", {value}) == "-12.50");
}

TEST_CASE("a mistake is told with its SQLSTATE and position, and the session goes on") {
    Conversation c;
    CHECK(c.ask("SELECT nme FROM t") == "42P01 at 16");
    CHECK(c.ask("CREATE TABLE t (name TEXT)") == "CREATE TABLE");
    CHECK(c.ask("SELECT nme FROM t") == "42703 at 7");
    CHECK(c.ask("SELECT 1") == "1");
    CHECK(trefoil_execute(c.session(), "SELECT nme FROM t", nullptr, 0, nullptr, nullptr) ==
          TREFOIL_INVALID_INPUT);
}

TEST_CASE("a missing argument is an error, not a crash") {
    Conversation c;
    trefoil_result* result = nullptr;
    trefoil_statement* statement = nullptr;
    trefoil_error* error = nullptr;
    CHECK(trefoil_execute(c.session(), nullptr, nullptr, 0, &result, &error) ==
          TREFOIL_INVALID_INPUT);
    CHECK(std::string(trefoil_error_sqlstate(error)) == "22004");
    CHECK(std::string(trefoil_error_message(error)) == "sql is NULL");
    CHECK(trefoil_error_position(error) == -1);
    trefoil_error_free(error);
    CHECK(trefoil_execute(nullptr, "SELECT 1", nullptr, 0, &result, nullptr) ==
          TREFOIL_INVALID_INPUT);
    CHECK(trefoil_prepare(nullptr, "SELECT 1", &statement, nullptr) == TREFOIL_INVALID_INPUT);
    CHECK(trefoil_connect(nullptr, nullptr, nullptr) == TREFOIL_INVALID_INPUT);
    trefoil_value strange = typed(99);
    CHECK(trefoil_execute(c.session(), "SELECT $1", &strange, 1, &result, nullptr) ==
          TREFOIL_INVALID_INPUT);
    trefoil_error_free(nullptr);
    trefoil_result_free(nullptr);
    trefoil_batch_free(nullptr);
    trefoil_statement_free(nullptr);
    trefoil_session_free(nullptr);
    trefoil_close(nullptr);
    trefoil_cancel(nullptr);
}

TEST_CASE("a prepared statement keeps what was bound") {
    Conversation c;
    REQUIRE(c.ask("CREATE TABLE t (id BIGINT PRIMARY KEY, name TEXT)") == "CREATE TABLE");
    trefoil_statement* insert = nullptr;
    REQUIRE(trefoil_prepare(c.session(), "INSERT INTO t VALUES ($1, $2)", &insert, nullptr) ==
            TREFOIL_OK);
    CHECK(trefoil_parameter_count(insert) == 2);
    trefoil_error* error = nullptr;
    CHECK(trefoil_bind(insert, 3, trefoil_int64(1), &error) == TREFOIL_INVALID_INPUT);
    CHECK(std::string(trefoil_error_sqlstate(error)) == "42P02");
    trefoil_error_free(error);
    {
        const std::string gone_after_bind = "same name";
        REQUIRE(trefoil_bind(insert, 2, trefoil_text(gone_after_bind.c_str()), nullptr) ==
                TREFOIL_OK);
    }
    for (int64_t id = 1; id <= 3; id++) {
        trefoil_result* result = nullptr;
        REQUIRE(trefoil_bind(insert, 1, trefoil_int64(id), nullptr) == TREFOIL_OK);
        REQUIRE(trefoil_execute_prepared(insert, &result, nullptr) == TREFOIL_OK);
        CHECK(trefoil_affected_rows(result) == 1);
        CHECK(trefoil_column_count(result) == 0);
        CHECK(trefoil_column_name(result, 0) == nullptr);
        trefoil_result_free(result);
    }
    trefoil_statement_free(insert);
    CHECK(c.ask("SELECT count(*) FROM t WHERE name = 'same name'") == "3");
}

TEST_CASE("rows leave as an Arrow stream and come back through another") {
    Conversation c;
    REQUIRE(c.ask("CREATE TABLE a (id BIGINT PRIMARY KEY, name TEXT)") == "CREATE TABLE");
    REQUIRE(c.ask("CREATE TABLE b (id BIGINT PRIMARY KEY, name TEXT)") == "CREATE TABLE");
    REQUIRE(c.ask("INSERT INTO a VALUES (1, 'x'), (2, NULL)") == "INSERT 0 2");
    trefoil_result* result = nullptr;
    REQUIRE(trefoil_execute(c.session(), "SELECT id, name FROM a", nullptr, 0, &result, nullptr) ==
            TREFOIL_OK);
    CHECK(std::string(trefoil_column_type(result, 0)) == "BIGINT");
    ArrowArrayStream stream;
    REQUIRE(trefoil_stream(result, &stream, nullptr) == TREFOIL_OK);
    trefoil_batch* batch = nullptr;
    CHECK(trefoil_next(result, &batch, nullptr) == TREFOIL_OK);
    CHECK(batch == nullptr);
    ArrowArrayStream again;
    CHECK(trefoil_stream(result, &again, nullptr) == TREFOIL_INVALID_INPUT);
    uint64_t rows = 0;
    CHECK(trefoil_append(c.session(), "b", &stream, &rows, nullptr) == TREFOIL_OK);
    CHECK(rows == 2);
    trefoil_result_free(result);
    CHECK(c.ask("SELECT count(*) FROM b") == "2");
}

TEST_CASE("a stream is taken over even if nothing can be appended") {
    Conversation c;
    trefoil_result* result = nullptr;
    REQUIRE(trefoil_execute(c.session(), "SELECT 1 AS a", nullptr, 0, &result, nullptr) ==
            TREFOIL_OK);
    ArrowArrayStream stream;
    REQUIRE(trefoil_stream(result, &stream, nullptr) == TREFOIL_OK);
    trefoil_error* error = nullptr;
    CHECK(trefoil_append(c.session(), "nowhere", &stream, nullptr, &error) != TREFOIL_OK);
    CHECK(std::string(trefoil_error_sqlstate(error)) == "42P01");
    trefoil_error_free(error);
    trefoil_result_free(result);
}

TEST_CASE("options reach the database") {
    trefoil_options options = {};
    options.must_exist = 1;
    trefoil_database* database = nullptr;
    trefoil_error* error = nullptr;
    CHECK(trefoil_open("/nonexistent/folder/of/a/database", &options, &database, &error) !=
          TREFOIL_OK);
    CHECK(database == nullptr);
    REQUIRE(error != nullptr);
    CHECK(std::strlen(trefoil_error_message(error)) > 0);
    trefoil_error_free(error);
    CHECK(std::string(trefoil_version()).find('.') != std::string::npos);
}
