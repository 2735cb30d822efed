//! CREATE, DROP, ALTER INDEX and REINDEX. They are read here, not by sqlparser, because what they
//! can say is ours: every clause that is not done yet is refused by its name and place.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr as SqlExpr, Ident, ObjectNamePart, VisitMut, VisitorMut,
};
use datafusion::sql::sqlparser::tokenizer::Token;

use crate::bytes::Writer;
use crate::check;
use crate::computed::hidden_name;
use crate::error::{BridgeError, Res};
use crate::parse::{Kind, Name, Reader, bare_name};
use crate::statement_format;
use crate::text::ident_text;

#[derive(Debug)]
pub enum IndexCommand {
    Create(CreateIndex),
    Drop {
        names: Vec<Name>,
        if_exists: bool,
        concurrently: bool,
    },
    Rename {
        index: Name,
        to: Name,
        if_exists: bool,
    },
    Rebuild {
        name: Name,
        of_table: bool,
        concurrently: bool,
    },
}

#[derive(Debug)]
pub struct CreateIndex {
    pub name: Option<Name>,
    pub if_not_exists: bool,
    pub unique: bool,
    pub hash: bool,
    /// Every index is built while others write; this only says that no transaction block may hold
    /// it up.
    pub concurrently: bool,
    pub table: Name,
    pub keys: Vec<OrderedKey>,
    /// Columns of INCLUDE.
    pub included: Vec<Name>,
    /// Of WHERE: their texts, as those of expressions, and their places.
    pub conditions: Vec<Name>,
}

/// A column of an index.
#[derive(Debug)]
pub enum Key {
    Column(Name),
    /// Its text as SQL, in parentheses unless it is a call; and its place.
    Expression(Name),
}

#[derive(Debug)]
pub struct OrderedKey {
    pub key: Key,
    /// One of TEXT_CLASSES.
    pub text_class: Option<Name>,
    pub descending: bool,
    pub nulls_first: bool,
}

pub fn write_key(w: &mut Writer, key: &OrderedKey) {
    let (Key::Column(name) | Key::Expression(name)) = &key.key;
    w.bool(matches!(key.key, Key::Expression(_)));
    statement_format::name(w, name);
    w.bool(key.descending);
    w.bool(key.nulls_first);
    w.opt(&key.text_class, statement_format::name);
}

/// Reads the statement if it is one of these.
pub fn read(r: &mut Reader) -> Res<Option<Kind>> {
    let word = |n: usize| match r.parser.peek_nth_token(n).token {
        Token::Word(w) if w.quote_style.is_none() => w.value.to_uppercase(),
        _ => String::new(),
    };
    let command = match (word(0).as_str(), word(1).as_str(), word(2).as_str()) {
        ("CREATE", "UNIQUE", "INDEX") | ("CREATE", "INDEX", _) => create(r)?,
        ("DROP", "INDEX", _) => drop(r)?,
        ("ALTER", "INDEX", _) => alter(r)?,
        ("REINDEX", _, _) => rebuild(r)?,
        _ => return Ok(None),
    };
    Ok(Some(Kind::Index(command)))
}

fn create(r: &mut Reader) -> Res<IndexCommand> {
    word(r, "CREATE")?;
    let start = r.offset(&r.peek());
    let unique = take(r, "UNIQUE");
    word(r, "INDEX")?;
    let concurrently = take(r, "CONCURRENTLY");
    let if_not_exists = take(r, "IF");
    if if_not_exists {
        word(r, "NOT")?;
        word(r, "EXISTS")?;
    }
    let name = match if_not_exists || !r.word_is("ON") {
        true => Some(name(r)?),
        false => None,
    };
    word(r, "ON")?;
    refuse(r, "ONLY", "ON ONLY")?;
    let table = name_of_object(r)?;
    let hash = take(r, "USING") && method_is_hash(r)?;
    if hash && unique {
        return Err(hash_has_no("unique indexes").at(start));
    }
    let keys = keys(r, &bare_name(&table.text), hash)?;
    let included = included(r, hash)?;
    if r.word_is("NULLS") {
        let at = r.offset(&r.peek());
        word(r, "NULLS")?;
        if take(r, "NOT") {
            return Err(BridgeError::unsupported("NULLS NOT DISTINCT").at(at));
        }
        word(r, "DISTINCT")?;
    }
    for clause in ["WITH", "TABLESPACE"] {
        refuse(r, clause, &format!("{clause} of an index"))?;
    }
    let conditions = match take(r, "WHERE") {
        true => predicate(r, &bare_name(&table.text))?,
        false => Vec::new(),
    };
    Ok(IndexCommand::Create(CreateIndex {
        name,
        if_not_exists,
        unique,
        hash,
        concurrently,
        table,
        keys,
        included,
        conditions,
    }))
}

fn method_is_hash(r: &mut Reader) -> Res<bool> {
    let at = r.offset(&r.peek());
    match r.identifier()?.as_str() {
        "ordered" | "btree" => Ok(false),
        "hash" => Ok(true),
        method => Err(BridgeError::unsupported(format!("USING {method}"))
            .at(at)
            .hint("indexes are ordered, or of hashes; several are combined where that pays")),
    }
}

fn hash_has_no(what: &str) -> Box<BridgeError> {
    BridgeError::new(
        "0A000",
        format!("access method \"hash\" does not support {what}"),
    )
}

fn included(r: &mut Reader, hash: bool) -> Res<Vec<Name>> {
    let at = r.offset(&r.peek());
    let mut names = Vec::new();
    if !take(r, "INCLUDE") {
        return Ok(names);
    }
    if hash {
        return Err(hash_has_no("included columns").at(at));
    }
    r.expect(Token::LParen, "an opening parenthesis")?;
    loop {
        let start = r.offset(&r.peek());
        let called = r.parser.peek_nth_token(1).token == Token::LParen;
        if called || r.peek().token == Token::LParen {
            let what = "expressions are not supported in included columns";
            return Err(BridgeError::new("0A000", what).at(start));
        }
        names.push(name(r)?);
        let at = r.offset(&r.peek());
        for (word, what) in ORDER_OPTIONS {
            if r.word_is(word) {
                let what = format!("including column does not support {what}");
                return Err(BridgeError::new("42P17", what).at(at));
            }
        }
        if !r.parser.consume_token(&Token::Comma) {
            break;
        }
    }
    r.expect(Token::RParen, "a comma or a closing parenthesis")?;
    Ok(names)
}

const ORDER_OPTIONS: [(&str, &str); 3] = [
    ("ASC", "ASC/DESC options"),
    ("DESC", "ASC/DESC options"),
    ("NULLS", "NULLS FIRST/LAST options"),
];

fn keys(r: &mut Reader, table: &str, hash: bool) -> Res<Vec<OrderedKey>> {
    r.expect(Token::LParen, "an opening parenthesis")?;
    let mut keys = Vec::new();
    loop {
        let (key, text_class) = key(r, table)?;
        for (word, what) in ORDER_OPTIONS {
            if hash && r.word_is(word) {
                return Err(hash_has_no(what).at(r.offset(&r.peek())));
            }
        }
        keys.push(ordered(r, key, text_class)?);
        match &r.peek().token {
            Token::Comma => {
                r.parser.next_token();
            }
            Token::RParen => break,
            Token::Word(w) if w.value.eq_ignore_ascii_case("collate") => {
                return Err(BridgeError::unsupported("COLLATE").at(r.offset(&r.peek())));
            }
            Token::Word(_) => {
                let at = r.offset(&r.peek());
                return Err(BridgeError::unsupported("an operator class").at(at));
            }
            _ => return Err(r.unexpected("a comma or a closing parenthesis")),
        }
    }
    r.expect(Token::RParen, "a closing parenthesis")?;
    Ok(keys)
}

fn ordered(r: &mut Reader, key: Key, text_class: Option<Name>) -> Res<OrderedKey> {
    let descending = !take(r, "ASC") && take(r, "DESC");
    let mut nulls_first = descending;
    if take(r, "NULLS") {
        nulls_first = take(r, "FIRST");
        if !nulls_first {
            word(r, "LAST")?;
        }
    }
    Ok(OrderedKey {
        key,
        text_class,
        descending,
        nulls_first,
    })
}

/// Classes of operators that compare texts as we do, by their bytes.
const TEXT_CLASSES: [&str; 5] = [
    "text_ops",
    "varchar_ops",
    "text_pattern_ops",
    "varchar_pattern_ops",
    "bpchar_pattern_ops",
];

fn key(r: &mut Reader, table: &str) -> Res<(Key, Option<Name>)> {
    let key = keyed_by(r, table)?;
    let text_class = match TEXT_CLASSES.iter().any(|class| r.word_is(class)) {
        true => Some(name(r)?),
        false => None,
    };
    Ok((key, text_class))
}

/// A column, a call, or an expression in parentheses.
fn keyed_by(r: &mut Reader, table: &str) -> Res<Key> {
    let start = r.peek();
    let called = r.parser.peek_nth_token(1).token == Token::LParen;
    if matches!(start.token, Token::Word(_)) && !called {
        return Ok(Key::Column(name(r)?));
    }
    let in_parentheses = r.parser.consume_token(&Token::LParen);
    if in_parentheses && (r.word_is("SELECT") || r.word_is("WITH")) {
        let what = "cannot use subquery in index expression";
        return Err(BridgeError::new("0A000", what).at(r.offset(&start)));
    }
    let mut expr = match in_parentheses {
        true => r.parser.parse_expr(),
        false => r.parser.parse_prefix(),
    }
    .map_err(|e| r.syntax(e))?;
    if in_parentheses {
        r.expect(Token::RParen, "a closing parenthesis")?;
    }
    while let SqlExpr::Nested(inner) = expr {
        expr = *inner;
    }
    if let SqlExpr::Identifier(column) = &expr {
        return Ok(Key::Column(r.ident(column)));
    }
    check::expression(r.text, &mut expr)?;
    Ok(Key::Expression(Name {
        text: spelled(expr, table),
        position: r.offset(&start).unwrap_or(0) as u32,
    }))
}

/// What ON CONFLICT names where an index has this: a column, or the hidden one of an expression.
pub fn column_of_key(r: &mut Reader) -> Res<String> {
    let (key, _) = key(r, "")?;
    if r.peek().token != Token::EOF {
        return Err(r.unexpected("a comma or a closing parenthesis"));
    }
    Ok(match key {
        Key::Column(name) => name.text,
        Key::Expression(name) => hidden_name(&name.text),
    })
}

/// The text of an expression, the same for all ways to write it, in parentheses unless it is a
/// call.
fn spelled(mut expr: SqlExpr, table: &str) -> String {
    let _ = expr.visit(&mut OneSpelling { table });
    match &expr {
        SqlExpr::Function(_) => expr.to_string(),
        _ => format!("({expr})"),
    }
}

fn predicate(r: &mut Reader, table: &str) -> Res<Vec<Name>> {
    let position = r.offset(&r.peek()).unwrap_or(0) as u32;
    let mut expr = r.parser.parse_expr().map_err(|e| r.syntax(e))?;
    check::expression(r.text, &mut expr)?;
    let texts = conditions(expr, table).into_iter();
    Ok(texts.map(|text| Name { text, position }).collect())
}

/// The conditions that AND connects, as CREATE INDEX and ON CONFLICT spell them.
pub fn conditions(expr: SqlExpr, table: &str) -> Vec<String> {
    let (mut waiting, mut texts) = (vec![expr], Vec::new());
    while let Some(expr) = waiting.pop() {
        match expr {
            SqlExpr::BinaryOp {
                left,
                op: BinaryOperator::And,
                right,
            } => waiting.extend([*right, *left]),
            SqlExpr::Nested(inner) => waiting.push(*inner),
            other => texts.push(spelled(other, table)),
        }
    }
    texts
}

/// Writes names as all queries may: without the table in front, and folded to lower case.
struct OneSpelling<'a> {
    table: &'a str,
}

impl VisitorMut for OneSpelling<'_> {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut SqlExpr) -> ControlFlow<()> {
        if let SqlExpr::CompoundIdentifier(parts) = expr
            && let [table, column] = parts.as_slice()
            && ident_text(table) == self.table
        {
            *expr = SqlExpr::Identifier(column.clone());
        }
        match expr {
            SqlExpr::Identifier(column) => fold(column),
            SqlExpr::Function(call) => {
                for part in &mut call.name.0 {
                    if let ObjectNamePart::Identifier(name) = part {
                        fold(name);
                    }
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

fn fold(ident: &mut Ident) {
    if ident.quote_style.is_none() {
        ident.value = ident_text(ident);
    }
}

fn drop(r: &mut Reader) -> Res<IndexCommand> {
    word(r, "DROP")?;
    word(r, "INDEX")?;
    let concurrently = take(r, "CONCURRENTLY");
    let if_exists = if_exists(r)?;
    let mut names = vec![name_of_object(r)?];
    while r.parser.consume_token(&Token::Comma) {
        if concurrently {
            let what = "DROP INDEX CONCURRENTLY of several indexes";
            return Err(BridgeError::unsupported(what).at(r.offset(&r.peek())));
        }
        names.push(name_of_object(r)?);
    }
    refuse(r, "CASCADE", "DROP INDEX ... CASCADE")?;
    take(r, "RESTRICT"); // nothing depends on an index that is not a constraint
    Ok(IndexCommand::Drop {
        names,
        if_exists,
        concurrently,
    })
}

fn alter(r: &mut Reader) -> Res<IndexCommand> {
    word(r, "ALTER")?;
    word(r, "INDEX")?;
    let if_exists = if_exists(r)?;
    let index = name_of_object(r)?;
    if !take(r, "RENAME") {
        let at = r.offset(&r.peek());
        let what = r.peek().token.to_string().to_uppercase();
        return Err(BridgeError::unsupported(format!("ALTER INDEX ... {what}")).at(at));
    }
    word(r, "TO")?;
    let to = name(r)?;
    Ok(IndexCommand::Rename {
        index,
        to,
        if_exists,
    })
}

fn rebuild(r: &mut Reader) -> Res<IndexCommand> {
    word(r, "REINDEX")?;
    let of_table = take(r, "TABLE");
    if !of_table && !take(r, "INDEX") {
        let at = r.offset(&r.peek());
        let what = r.peek().token.to_string().to_uppercase();
        return Err(BridgeError::unsupported(format!("REINDEX {what}"))
            .at(at)
            .hint("write REINDEX TABLE or REINDEX INDEX, and a name"));
    }
    let concurrently = take(r, "CONCURRENTLY");
    let name = name_of_object(r)?;
    Ok(IndexCommand::Rebuild {
        name,
        of_table,
        concurrently,
    })
}

pub fn take(r: &mut Reader, word: &str) -> bool {
    let found = r.word_is(word);
    if found {
        r.parser.next_token();
    }
    found
}

pub fn word(r: &mut Reader, word: &str) -> Res<()> {
    match take(r, word) {
        true => Ok(()),
        false => Err(r.unexpected(word)),
    }
}

fn refuse(r: &mut Reader, word: &str, what: &str) -> Res<()> {
    if !r.word_is(word) {
        return Ok(());
    }
    Err(BridgeError::unsupported(what).at(r.offset(&r.peek())))
}

pub fn if_exists(r: &mut Reader) -> Res<bool> {
    let found = take(r, "IF");
    if found {
        word(r, "EXISTS")?;
    }
    Ok(found)
}

pub fn name(r: &mut Reader) -> Res<Name> {
    let ident = r.parser.parse_identifier().map_err(|e| r.syntax(e))?;
    Ok(r.ident(&ident))
}

pub fn name_of_object(r: &mut Reader) -> Res<Name> {
    let name = r.object_name()?;
    r.table_name(&name)
}

#[cfg(test)]
mod tests {
    use super::{IndexCommand, Key};
    use crate::parse::{Kind, parse};

    #[test]
    fn an_index_is_read_with_its_columns() {
        let sql =
            "CREATE UNIQUE INDEX IF NOT EXISTS I ON T USING ordered (a, \"B\" ASC NULLS LAST)";
        let Kind::Index(IndexCommand::Create(index)) = parse(sql).unwrap().kind else {
            panic!("not an index");
        };
        assert!(index.unique && index.if_not_exists);
        assert_eq!(index.name.unwrap().text, "i");
        assert_eq!(index.table.text, "t");
        assert!(matches!(&index.keys[1].key, Key::Column(name) if name.text == "B"));
        let Kind::Index(IndexCommand::Create(index)) = parse("CREATE INDEX ON t (a)").unwrap().kind
        else {
            panic!("not an index");
        };
        assert!(!index.unique && index.name.is_none());
    }

    #[test]
    fn each_column_has_its_order() {
        let sql = "CREATE INDEX ON t (a, b DESC, c DESC NULLS LAST, (d + 1) NULLS FIRST)";
        let Kind::Index(IndexCommand::Create(index)) = parse(sql).unwrap().kind else {
            panic!("not an index");
        };
        let orders = index.keys.iter().map(|k| (k.descending, k.nulls_first));
        assert_eq!(
            orders.collect::<Vec<_>>(),
            [(false, false), (true, true), (true, false), (false, true)]
        );
    }

    #[test]
    fn included_columns_are_read() {
        let sql = "CREATE INDEX ON t (a) INCLUDE (b, \"C\") WHERE a > 0";
        let Kind::Index(IndexCommand::Create(index)) = parse(sql).unwrap().kind else {
            panic!("not an index");
        };
        let names: Vec<_> = index.included.iter().map(|n| n.text.as_str()).collect();
        assert_eq!(names, ["b", "C"]);
        assert_eq!(index.keys.len(), 1);
        let e = parse("CREATE INDEX ON t (a) INCLUDE (b DESC)").unwrap_err();
        assert_eq!(e.sqlstate, "42P17");
    }

    #[test]
    fn an_expression_has_one_spelling() {
        for (sql, text) in [
            ("CREATE INDEX ON t (LOWER(Name))", "lower(name)"),
            ("CREATE INDEX ON t (lower(t.name))", "lower(name)"),
            ("CREATE INDEX ON t ((a+b))", "(a + b)"),
            ("CREATE INDEX ON t ((\"A\" || 'x'))", "(\"A\" || 'x')"),
            ("CREATE INDEX ON t (CAST(a AS TEXT))", "(CAST(a AS TEXT))"),
        ] {
            match parse(sql).map(|s| s.kind) {
                Ok(Kind::Index(IndexCommand::Create(index))) => {
                    assert!(matches!(&index.keys[0].key, Key::Expression(e) if e.text == text));
                }
                Ok(_) => panic!("not an index"),
                Err(e) => assert!(e.message.contains(text), "{sql}: {e}"),
            }
        }
        for sql in [
            "CREATE INDEX ON t (a + b)",
            "CREATE INDEX ON t (lower(a) || b)",
        ] {
            assert_eq!(parse(sql).unwrap_err().sqlstate, "42601", "{sql}");
        }
    }

    #[test]
    fn what_an_index_cannot_do_is_refused_by_name() {
        for (sql, what) in [
            ("DROP INDEX CONCURRENTLY i, j", "several indexes"),
            ("CREATE INDEX i ON t USING bitmap (a)", "USING bitmap"),
            (
                "CREATE UNIQUE INDEX i ON t USING hash (a)",
                "\"hash\" does not support unique indexes",
            ),
            (
                "CREATE INDEX i ON t USING hash (a, b DESC)",
                "does not support ASC/DESC options",
            ),
            (
                "CREATE INDEX i ON t USING hash (a NULLS LAST)",
                "does not support NULLS FIRST/LAST options",
            ),
            ("CREATE INDEX i ON t (a COLLATE \"C\")", "COLLATE"),
            ("CREATE INDEX i ON t (a gin_trgm_ops)", "operator class"),
            (
                "CREATE INDEX i ON t USING hash (a) INCLUDE (b)",
                "does not support included columns",
            ),
            (
                "CREATE INDEX i ON t (a) INCLUDE (b, (c + 1))",
                "expressions are not supported",
            ),
            ("CREATE INDEX i ON t (a) WITH (fillfactor = 70)", "WITH"),
            (
                "CREATE UNIQUE INDEX i ON t (a) NULLS NOT DISTINCT",
                "NULLS NOT",
            ),
            ("DROP INDEX i CASCADE", "CASCADE"),
            ("ALTER INDEX i SET (x = 1)", "ALTER INDEX ... SET"),
            ("REINDEX DATABASE d", "REINDEX DATABASE"),
        ] {
            let e = parse(sql).unwrap_err();
            assert_eq!(e.sqlstate, "0A000", "{sql}: {e}");
            assert!(e.message.contains(what), "{sql}: {e}");
            assert!(e.position.is_some(), "{sql}");
        }
        assert_eq!(parse("CREATE INDEX ON t").unwrap_err().sqlstate, "42601");
    }
}
