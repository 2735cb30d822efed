// What parse() says of statements that are not queries.

#include <doctest/doctest.h>

#include "engine/test_tables.h"

using namespace trefoil;
using namespace trefoil::engine;

namespace {

EngineSession& session() {
    static std::unique_ptr<Engine> engine = Engine::create({1, 0, ""}).value();
    static std::unique_ptr<EngineSession> session = engine->open_session().value();
    return *session;
}

Statement parsed(std::string_view sql) {
    Result<Statement> statement = session().parse(sql);
    INFO(statement.status().to_string());
    REQUIRE(statement.ok());
    return *statement;
}

template <typename T>
T as(std::string_view sql) {
    Statement statement = parsed(sql);
    const T* kind = std::get_if<T>(&statement.kind);
    REQUIRE(kind != nullptr);
    return *kind;
}

Status error(std::string_view sql) {
    return session().parse(sql).status();
}

ColumnSpec column(const std::string& type) {
    return as<CreateTable>("CREATE TABLE t (c " + type + ")").columns.at(0);
}

}  // namespace

TEST_CASE("every type of CREATE TABLE becomes a type of the store") {
    CHECK(column("BOOLEAN").type == arrow::boolean());
    CHECK(column("BOOL").type == arrow::boolean());
    CHECK(column("SMALLINT").type == arrow::int16());
    CHECK(column("INT").type == arrow::int32());
    CHECK(column("INTEGER").type == arrow::int32());
    CHECK(column("BIGINT").type == arrow::int64());
    CHECK(column("REAL").type == arrow::float32());
    CHECK(column("FLOAT").type == arrow::float64());
    CHECK(column("DOUBLE").type == arrow::float64());
    CHECK(column("DOUBLE PRECISION").type == arrow::float64());
    CHECK(column("DECIMAL(10, 2)").type == arrow::decimal(10, 2));
    CHECK(column("NUMERIC(38, 0)").type == arrow::decimal(38, 0));
    CHECK(column("TEXT").type == arrow::utf8_view());
    CHECK(column("VARCHAR").type == arrow::utf8_view());
    CHECK(column("VARCHAR(20)").type == arrow::utf8_view());
    CHECK(column("VARCHAR(20)").char_length == 20);
    CHECK_FALSE(column("TEXT").char_length.has_value());
    CHECK(column("BYTEA").type == arrow::binary_view());
    CHECK(column("DATE").type == arrow::date32());
    CHECK(column("TIME").type == arrow::time64());
    CHECK(column("TIMESTAMP").type == arrow::timestamp());
    CHECK(column("TIMESTAMPTZ").type == arrow::timestamp("UTC"));
    CHECK(column("TIMESTAMP WITH TIME ZONE").type == arrow::timestamp("UTC"));
    CHECK(column("INTERVAL").type == arrow::interval());
    CHECK(column("UUID").type == arrow::fixed_size_binary(16));
    CHECK(column("INT[]").type == arrow::list(arrow::int32()));
    CHECK(column("TEXT[]").type == arrow::list(arrow::utf8_view()));
    CHECK(error("CREATE TABLE t (c GEOMETRY)").sqlstate() != "00000");
    CHECK(error("CREATE TABLE t (c DECIMAL(99, 2))").sqlstate() != "00000");
}

TEST_CASE("CREATE TABLE tells names with positions, keys, NOT NULL and defaults") {
    const std::string sql =
        "CREATE TABLE IF NOT EXISTS \"Shop\" (Id BIGINT PRIMARY KEY, name VARCHAR(9) NOT NULL "
        "DEFAULT 'x' || 'y', n INT DEFAULT -1)";
    CreateTable create = as<CreateTable>(sql);
    CHECK(create.table.text == "Shop");
    CHECK(create.table.position == sql.find("\"Shop\""));
    CHECK(create.if_not_exists);
    REQUIRE(create.columns.size() == 3);
    CHECK(create.columns[0].name.text == "id");
    CHECK(create.columns[0].name.position == sql.find("Id"));
    CHECK(create.columns[1].not_null);
    REQUIRE(create.columns[1].default_sql.has_value());
    CHECK(session().evaluate(*create.columns[1].default_sql, arrow::utf8_view()).value() ==
          Value("xy"));
    CHECK(session().evaluate(*create.columns[2].default_sql, arrow::int32()).value() == Value(-1));
    REQUIRE(create.keys.size() == 1);
    CHECK(create.keys[0].is_primary);
    CHECK(create.keys[0].columns[0].text == "id");

    create = as<CreateTable>(
        "CREATE TABLE t (a INT CONSTRAINT one UNIQUE, b TEXT, CONSTRAINT k PRIMARY KEY (b, a))");
    REQUIRE(create.keys.size() == 2);
    CHECK_FALSE(create.keys[0].is_primary);
    CHECK(create.keys[0].name->text == "one");
    CHECK(create.keys[1].is_primary);
    CHECK(create.keys[1].name->text == "k");
    REQUIRE(create.keys[1].columns.size() == 2);
    CHECK(create.keys[1].columns[0].text == "b");
}

TEST_CASE("foreign keys are read, of a column and of the table, and by ALTER TABLE") {
    using catalog::ReferenceAction;
    const auto create = as<CreateTable>(
        "CREATE TABLE t (a INT CONSTRAINT one REFERENCES u, b TEXT, FOREIGN KEY (b, a) REFERENCES "
        "s.v (x, y) MATCH FULL ON DELETE SET NULL ON UPDATE CASCADE)");
    REQUIRE(create.foreign_keys.size() == 2);
    const ForeignKeySpec &one = create.foreign_keys[0], &two = create.foreign_keys[1];
    CHECK(one.name->text == "one");
    CHECK(one.table.text == "u");
    CHECK(one.columns.at(0).text == "a");
    CHECK(one.referenced.empty());
    CHECK(one.on_delete == ReferenceAction::kNoAction);
    CHECK(two.table.text == "s.v");
    CHECK(two.referenced.at(1).text == "y");
    CHECK(two.match_full);
    CHECK(two.on_delete == ReferenceAction::kSetNull);
    CHECK(two.on_update == ReferenceAction::kCascade);
    const auto alter = as<AlterTable>(
        "ALTER TABLE t ADD COLUMN c INT CHECK (c > 0), ADD CONSTRAINT k UNIQUE (a, b), "
        "DROP CONSTRAINT IF EXISTS k CASCADE, RENAME CONSTRAINT x TO y");
    using Kind = AlterAction::Kind;
    REQUIRE(alter.actions.size() == 5);
    CHECK(alter.actions[1].kind == Kind::kAddCheck);
    CHECK(alter.actions[1].check.condition == "c > 0");
    CHECK(alter.actions[1].optional);
    CHECK(alter.actions[2].key.columns.at(1).text == "b");
    CHECK_FALSE(alter.actions[2].optional);
    CHECK(alter.actions[3].kind == Kind::kDropConstraint);
    CHECK(alter.actions[3].cascade);
    CHECK(alter.actions[3].optional);
    CHECK(alter.actions[4].new_name.text == "y");
}

TEST_CASE("a clause that is not done yet is refused by its name, with its place") {
    for (const char* sql :
         {"CREATE TABLE t (a INT UNIQUE DEFERRABLE)",
          "CREATE TABLE t (a INT REFERENCES u (b) DEFERRABLE)",
          "CREATE MATERIALIZED VIEW v AS SELECT 1", "CREATE INDEX i ON t (a gin_trgm_ops)",
          "DROP FUNCTION f", "ALTER TABLE t OWNER TO u", "COMMIT PREPARED 'a'",
          "UPDATE OR IGNORE t SET a = 1", "GRANT SELECT ON t TO u"}) {
        INFO(sql);
        Status s = error(sql);
        CHECK(s.sqlstate() == "0A000");
        CHECK(s.code() == Code::kUnsupported);
    }
}

TEST_CASE("DROP TABLE, DESCRIBE and SHOW TABLES") {
    Drop drop = as<Drop>("DROP TABLE IF EXISTS a, \"B\"");
    CHECK(drop.kind == catalog::RelationKind::kTable);
    CHECK(drop.if_exists);
    CHECK_FALSE(drop.cascade);
    REQUIRE(drop.names.size() == 2);
    CHECK(drop.names[1].text == "B");
    CHECK_FALSE(as<Drop>("DROP TABLE a").if_exists);
    CHECK(as<Drop>("DROP VIEW app.v CASCADE").names[0].text == "app.v");
    CHECK(as<Describe>("DESCRIBE person").table.text == "person");
    as<ShowTables>("SHOW TABLES");
    CHECK(as<House>("CHECKPOINT").action == House::Action::kCheckpoint);
    CHECK(as<House>("CHECK DATABASE").action == House::Action::kCheck);
    CHECK(as<House>("VACUUM t").table->text == "t");
    CHECK(as<House>("BACKUP TO '/a/b'").directory == "/a/b");
    CHECK(as<House>("EXPORT DATABASE 'x' (FORMAT csv)").options.size() == 1);
}

TEST_CASE("transaction control") {
    CHECK_FALSE(as<Begin>("BEGIN").modes.isolation);
    CHECK_FALSE(as<Begin>("START TRANSACTION").modes.read_only);
    CHECK(as<Begin>("BEGIN READ ONLY").modes.read_only == true);
    CHECK(as<Begin>("START TRANSACTION READ WRITE").modes.read_only == false);
    const TransactionModes modes =
        as<Begin>("BEGIN WORK ISOLATION LEVEL READ COMMITTED, READ ONLY NOT DEFERRABLE").modes;
    CHECK(modes.isolation == Isolation::kReadCommitted);
    CHECK(modes.read_only == true);
    CHECK_FALSE(as<Commit>("COMMIT").chain);
    CHECK(as<Commit>("END TRANSACTION AND CHAIN").chain);
    CHECK_FALSE(as<Rollback>("ROLLBACK AND NO CHAIN").chain);
    CHECK(as<Rollback>("ABORT AND CHAIN").chain);
    CHECK(as<SetTransaction>("SET TRANSACTION READ ONLY").modes.read_only == true);
    const auto set = as<SetTransaction>(
        "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE");
    CHECK(set.session);
    CHECK(set.modes.isolation == Isolation::kSerializable);
}

TEST_CASE("savepoints") {
    CHECK(as<Savepoint>("SAVEPOINT A").name.text == "a");
    CHECK(as<RollbackTo>("ROLLBACK TO \"A\"").savepoint.text == "A");
    CHECK(as<RollbackTo>("ROLLBACK WORK TO SAVEPOINT a").savepoint.position == 27);
    CHECK(as<Release>("RELEASE SAVEPOINT a").savepoint.text == "a");
    CHECK(as<Release>("RELEASE a").savepoint.text == "a");
}

TEST_CASE("SET, RESET and SHOW") {
    SetVariable set = as<SetVariable>("SET memory_limit = '1GB'");
    CHECK(set.name == "memory_limit");
    CHECK(set.value == "1GB");
    set = as<SetVariable>("SET Trefoil.Use_Indexes TO off");
    CHECK(set.name == "trefoil.use_indexes");
    CHECK(set.value == "off");
    CHECK(as<SetVariable>("SET batch_size = 100").value == "100");
    CHECK_FALSE(as<SetVariable>("RESET batch_size").value.has_value());
    CHECK_FALSE(as<SetVariable>("SET batch_size TO DEFAULT").value.has_value());
    CHECK(as<ShowVariable>("SHOW batch_size").name == "batch_size");
    CHECK(as<ShowVariable>("SHOW ALL").name == "all");
}

TEST_CASE("COPY both ways") {
    CopyFrom from =
        as<CopyFrom>("COPY t (a, b) FROM '/tmp/x.csv' (FORMAT csv, HEADER, DELIMITER ';')");
    CHECK(from.table.text == "t");
    REQUIRE(from.columns.size() == 2);
    CHECK(from.file == "/tmp/x.csv");
    CHECK(from.options == CopyOptions{{"format", "csv"}, {"header", "true"}, {"delimiter", ";"}});
    CopyTo to = as<CopyTo>("COPY (SELECT 1) TO 'y.parquet' (FORMAT parquet)");
    CHECK(to.file == "y.parquet");
    CHECK(to.options == CopyOptions{{"format", "parquet"}});
    CHECK(as<CopyTo>("COPY t TO 'z.csv'").options.empty());
}

TEST_CASE("queries and DML say what they are, and EXPLAIN stands before them") {
    as<Query>("SELECT 1");
    as<Query>("VALUES (1), (2)");
    as<Query>("WITH a AS (SELECT 1) SELECT * FROM a");
    as<Query>("TABLE t");
    CHECK(as<Insert>("INSERT INTO T VALUES (1)").table.text == "t");
    CHECK(as<Update>("UPDATE t SET a = 1").table.position == 7);
    CHECK(as<Delete>("DELETE FROM t").table.text == "t");
    CHECK_FALSE(parsed("SELECT 1").explain.has_value());
    Statement s = parsed("EXPLAIN SELECT 1");
    REQUIRE(s.explain.has_value());
    CHECK_FALSE(s.explain->analyze);
    s = parsed("EXPLAIN ANALYZE VERBOSE INSERT INTO t VALUES (1)");
    CHECK(s.explain->analyze);
    CHECK(s.explain->verbose);
    CHECK(std::holds_alternative<Insert>(s.kind));
    CHECK(parsed("EXPLAIN FORMAT TREE SELECT 1").explain->format == "tree");
}

TEST_CASE("a statement outlives the text that it was made from") {
    auto text = std::make_unique<std::string>("SELECT 40 + 2");
    Statement statement = parsed(*text);
    text.reset();
    TestCatalog catalog;
    QueryPlan plan = session().plan(statement, catalog).value();
    statement = {};
    auto stream = session().run(plan, {}, catalog, nullptr).value();
    plan = {};
    CHECK(text_rows(*stream).value() == std::vector<std::string>{"42"});
}
