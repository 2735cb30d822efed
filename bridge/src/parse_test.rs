//! Tests of parse.rs: what each statement becomes, and what errors say and where.

use super::*;
use crate::house::Action;
use crate::transaction::Command;

fn error(sql: &str) -> BridgeError {
    *parse(sql).unwrap_err()
}

#[test]
fn statements_are_told_apart() {
    let is = |sql: &str, ok: fn(&Kind) -> bool| {
        let parsed = parse(sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
        assert!(ok(&parsed.kind), "{sql}: {:?}", parsed.kind);
    };
    is("SELECT 1;", |k| matches!(k, Kind::Query(_)));
    is("VALUES (1)", |k| matches!(k, Kind::Query(_)));
    is("TABLE t ORDER BY a LIMIT 3", |k| {
        matches!(k, Kind::Query(_))
    });
    is(
        "WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a",
        |k| matches!(k, Kind::Insert(n, Some(_), ..) if n.text == "t"),
    );
    is(
        "UPDATE public.\"T\" SET a = 1",
        |k| matches!(k, Kind::Update(n, None, _) if n.text == "public.T" && n.position == 14),
    );
    is(
        "delete from T where a in (select 1)",
        |k| matches!(k, Kind::Delete(n, _, _) if n.text == "t"),
    );
    is("BEGIN", |k| {
        matches!(k, Kind::Transaction(Command::Begin(_)))
    });
    is("END", |k| {
        matches!(k, Kind::Transaction(Command::Commit { chain: false }))
    });
    is("ABORT AND CHAIN", |k| {
        matches!(k, Kind::Transaction(Command::Rollback { chain: true }))
    });
    is(
        "SAVEPOINT a",
        |k| matches!(k, Kind::Transaction(Command::Savepoint(n)) if n.position == 10),
    );
    is(
        "SET TRANSACTION READ ONLY, ISOLATION LEVEL READ COMMITTED",
        |k| matches!(k, Kind::Transaction(Command::Set { session: false, .. })),
    );
    is("SHOW ALL", |k| matches!(k, Kind::Show(n) if n == "all"));
    is(
        "show trefoil.use_indexes",
        |k| matches!(k, Kind::Show(n) if n == "trefoil.use_indexes"),
    );
    is("SHOW TABLES", |k| matches!(k, Kind::ShowTables));
    is("desc t", |k| matches!(k, Kind::Describe(_)));
    is("SET memory_limit = '1GB'", |k| {
        matches!(k, Kind::Set { name, value: Some(v), .. }
                if name == "memory_limit" && v == "1GB")
    });
    is("SET trefoil.use_indexes TO off", |k| {
        matches!(k, Kind::Set { name, value: Some(v), .. }
            if name == "trefoil.use_indexes" && v == "off")
    });
    is("RESET memory_limit", |k| {
        matches!(k, Kind::Set { value: None, .. })
    });
}

#[test]
fn statements_about_the_database_as_a_whole() {
    let house = |sql: &str| match parse(sql).unwrap().kind {
        Kind::House(h) => h,
        other => panic!("{sql}: {other:?}"),
    };
    assert_eq!(house("CHECKPOINT").action, Action::Checkpoint);
    assert_eq!(house("CHECK DATABASE;").action, Action::Check);
    assert_eq!(
        house("PRAGMA integrity_check").action,
        Action::IntegrityCheck
    );
    assert_eq!(house("VACUUM").table, None);
    assert_eq!(house("vacuum T").table.unwrap().text, "t");
    assert_eq!(house("BACKUP DATABASE TO 'a b'").directory, "a b");
    assert_eq!(house("BACKUP TO 'x'").action, Action::Backup);
    assert_eq!(house("IMPORT DATABASE 'x'").action, Action::Import);
    let export = house("EXPORT DATABASE 'x' (FORMAT csv)");
    assert_eq!(export.options, [("format".to_string(), "csv".to_string())]);
    assert_eq!(error("VACUUM FULL").sqlstate, "0A000");
    assert_eq!(error("PRAGMA journal_mode").sqlstate, "0A000");
    assert_eq!(error("BACKUP TO here").sqlstate, "42601");
}

#[test]
fn explain_has_its_options() {
    let explain = |sql: &str| parse(sql).unwrap().explain.unwrap();
    assert!(explain("EXPLAIN ANALYZE SELECT 1").analyze);
    let e = explain("EXPLAIN (ANALYZE, VERBOSE off, FORMAT tree) SELECT 1");
    assert!(e.analyze && !e.verbose && e.format == "tree");
    assert!(!explain("EXPLAIN (SELECT 1)").analyze);
}

#[test]
fn typos_are_explained_where_they_stand() {
    let e = error("SELCT 1");
    assert_eq!(
        (e.position, e.hint.as_str()),
        (Some(0), "did you mean SELECT?")
    );
    let e = error("SELECT * FORM t");
    assert_eq!(
        (e.position, e.hint.as_str()),
        (Some(9), "did you mean FROM?")
    );
    let e = error("SELECT * FROM t WERE a = 1");
    assert_eq!(
        (e.position, e.hint.as_str()),
        (Some(16), "did you mean WHERE?")
    );
    let e = error("INSER INTO t VALUES (1)");
    assert_eq!(
        (e.position, e.hint.as_str()),
        (Some(0), "did you mean INSERT?")
    );
    assert_eq!(error("SELECT 1; SELECT 2").position, Some(10));
    assert_eq!(error("  ").sqlstate, "42601");
    assert_eq!(error("SELECT (1").position, Some(9));
}

#[test]
fn what_we_do_not_do_is_refused_by_name() {
    for (sql, what) in [
        ("ALTER TABLE t OWNER TO me", "ALTER TABLE ... OWNER TO"),
        ("CREATE UNLOGGED TABLE t (a INT)", "CREATE UNLOGGED TABLE"),
        ("UPDATE OR IGNORE t SET a = 1", "UPDATE OR"),
        ("COMMIT PREPARED 'a'", "COMMIT PREPARED"),
        ("SELECT DISTINCT a FROM t FOR UPDATE", "FOR UPDATE"),
        (
            "CREATE TABLE t (a INT, UNIQUE NULLS NOT DISTINCT (a))",
            "UNIQUE",
        ),
        ("CREATE TABLE t (a INT CHECK (a > 0) NOT ENFORCED)", "CHECK"),
        (
            "CREATE TABLE t (a INT REFERENCES u DEFERRABLE)",
            "DEFERRABLE",
        ),
        ("CREATE MATERIALIZED VIEW v AS SELECT 1", "MATERIALIZED"),
        ("SELECT a INTO b FROM t", "SELECT INTO"),
        ("SELECT * FROM t TABLESAMPLE SYSTEM (10)", "TABLESAMPLE"),
    ] {
        let e = error(sql);
        assert_eq!(e.sqlstate, "0A000", "{sql}: {e}");
        assert!(e.message.contains(what), "{sql}: {e}");
    }
}
