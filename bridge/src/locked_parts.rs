//! Queries inside of a statement that lock what they read:
//!
//!     UPDATE job SET state = 'taken' WHERE id =
//!         (SELECT id FROM job WHERE state = 'open' ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)
//!     WITH next AS (SELECT id FROM job ... FOR UPDATE) DELETE FROM job USING next ...
//!
//! Each is run once, before the rest, which reads its rows under a name that nobody can write:
//! `id = (SELECT * FROM "\1locked 0")`. So it can refer to nothing that is outside of it; an error
//! says so.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema};
use datafusion::sql::sqlparser::ast::Query;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::bytes::Writer;
use crate::check;
use crate::error::{BridgeError, Res};
use crate::names;
use crate::parse::{Kind, Reader, parser_of};
use crate::plan::Plan;
use crate::provider::Provider;
use crate::row_locks::{self, Bound, RowLocks};
use crate::statement_format;
use crate::text::{Text, closing};

/// Parentheses deeper than this are not looked into.
const DEPTH_MAX: usize = 400;

const PREFIX: &str = "\u{1}locked ";

#[derive(Debug)]
pub struct LockedPart {
    name: String,
    pub query: Box<Query>,
    pub locks: RowLocks,
    pub names: Vec<names::Item>,
}

/// What C++ does with the rows of such a part: locks them, and gives them to the rest.
pub struct Locking {
    name: String,
    locks: RowLocks,
}

impl Locking {
    /// "locked 0: Lock: job"
    pub fn title(&self) -> String {
        let name = self.name.trim_start_matches(char::is_control);
        let tables: Vec<&str> = self
            .locks
            .tables
            .iter()
            .map(|t| t.table.text.as_str())
            .collect();
        format!("{name}: Lock: {}", tables.join(", "))
    }
}

pub fn is_one(table: &str) -> bool {
    table.starts_with(PREFIX)
}

/// Takes such queries out of the tokens of a statement.
pub fn cut(text: &Text, tokens: Vec<TokenWithSpan>) -> Res<(Vec<TokenWithSpan>, Vec<LockedPart>)> {
    let mut parts = Vec::new();
    if !row_locks::may_lock(&tokens) {
        return Ok((tokens, parts));
    }
    let tokens = cut_inside(text, &tokens, &mut parts, 0)?;
    Ok((tokens, parts))
}

fn cut_inside(
    text: &Text,
    tokens: &[TokenWithSpan],
    parts: &mut Vec<LockedPart>,
    depth: usize,
) -> Res<Vec<TokenWithSpan>> {
    if depth > DEPTH_MAX {
        let message = "the statement is nested too deeply";
        return Err(BridgeError::new("54001", message));
    }
    let mut out = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        let end = match tokens[at].token {
            Token::LParen => closing(tokens, at),
            _ => None,
        };
        let Some(end) = end else {
            out.push(tokens[at].clone());
            at += 1;
            continue;
        };
        let inside = cut_inside(text, &tokens[at + 1..end], parts, depth + 1)?;
        out.push(tokens[at].clone());
        match locked_part(text, &inside, parts.len())? {
            Some(part) => {
                out.extend(all_of(&part.name, &tokens[at])?);
                parts.push(part);
            }
            None => out.extend(inside),
        }
        out.push(tokens[end].clone());
        at = end + 1;
    }
    Ok(out)
}

/// SELECT * FROM "name", at the place of `here`.
fn all_of(name: &str, here: &TokenWithSpan) -> Res<Vec<TokenWithSpan>> {
    let sql = format!("SELECT * FROM \"{name}\"");
    let tokens = Text::new(&sql)?.tokens.into_iter();
    Ok(tokens
        .map(|t| TokenWithSpan::new(t.token, here.span))
        .collect())
}

fn locked_part(text: &Text, inside: &[TokenWithSpan], number: usize) -> Res<Option<LockedPart>> {
    let first = inside
        .iter()
        .find(|t| !matches!(t.token, Token::Whitespace(_)));
    let is_query = first.is_some_and(|t| match &t.token {
        Token::Word(w) => ["select", "with"].contains(&w.value.to_lowercase().as_str()),
        _ => false,
    });
    if !is_query || !row_locks::may_lock(inside) {
        return Ok(None);
    }
    let mut tokens = inside.to_vec();
    let clauses = row_locks::cut(text, &mut tokens)?;
    if clauses.is_empty() {
        return Ok(None);
    }
    let mut parser = parser_of(tokens);
    let reader = Reader::new(text, &mut parser);
    let query = reader.parser.parse_query();
    let mut query = query.map_err(|e| reader.syntax(e))?;
    if reader.peek().token != Token::EOF {
        return Err(reader.unexpected("a closing parenthesis"));
    }
    let mut names = names::of_query(&mut query);
    check::query(text, &mut query)?;
    let locks = row_locks::rewrite(text, &mut query, &clauses)?;
    names.extend(locks.tables.iter().map(|_| names::Item::Named));
    Ok(Some(LockedPart {
        name: format!("{PREFIX}{number}"),
        query,
        locks,
        names,
    }))
}

/// Queries and changes can have such parts; a query that locks its own rows cannot. Errors: 0A000.
pub fn check_statement(kind: &Kind, locks: &RowLocks, parts: &[LockedPart]) -> Res<()> {
    let Some(part) = parts.first() else {
        return Ok(());
    };
    let what = match kind {
        Kind::Query(_) if locks.tables.is_empty() => return Ok(()),
        Kind::Insert(..) | Kind::Update(..) | Kind::Delete(..) | Kind::Merge(..) => return Ok(()),
        Kind::Query(_) => "locking rows in a query and in one inside of it",
        _ => "locking rows in this kind of statement",
    };
    let position = part.locks.tables.first().map(|t| t.table.position as usize);
    Err(BridgeError::unsupported(what).at(position))
}

impl LockedPart {
    pub fn bounds(&self) -> [&Option<Bound>; 2] {
        [&self.locks.limit, &self.locks.offset]
    }

    /// What the rest of the statement reads in place of the part.
    pub fn ready(&self, plan: &mut Plan) -> Res<Provider> {
        let columns = plan.schema.fields().len() - self.locks.tables.len();
        let mut fields: Vec<Field> = Vec::new();
        for field in plan.schema.fields().iter().take(columns) {
            if fields.iter().any(|f| f.name() == field.name()) {
                let what = format!("column \"{}\" twice in a query that locks", field.name());
                return Err(BridgeError::unsupported(what));
            }
            fields.push(field.as_ref().clone().with_nullable(true));
        }
        plan.access = None;
        plan.locking = Some(Locking {
            name: self.name.clone(),
            locks: self.locks.clone(),
        });
        Ok(Provider::given(&self.name, Arc::new(Schema::new(fields))))
    }
}

/// A name that is not known in the part may be known outside of it.
pub fn outside(mut error: Box<BridgeError>) -> Box<BridgeError> {
    if matches!(error.sqlstate.as_str(), "42703" | "42P01") && error.detail.is_empty() {
        error.detail =
            "A query that locks rows inside of another cannot refer to what is outside of it."
                .to_string();
    }
    error
}

/// "locking" of bridge.h.
pub fn write(w: &mut Writer, locking: &Locking) {
    w.str(&locking.name);
    statement_format::row_locks(w, &locking.locks);
}

#[cfg(test)]
mod tests {
    use crate::parse::parse;

    #[test]
    fn queries_that_lock_are_taken_out_of_the_statement() {
        for (sql, parts) in [
            (
                "UPDATE t SET a = 1 WHERE id = (SELECT id FROM t FOR UPDATE SKIP LOCKED LIMIT 1)",
                1,
            ),
            (
                "WITH x AS (SELECT id FROM t FOR SHARE) SELECT * FROM x, (SELECT 1)",
                1,
            ),
            (
                "DELETE FROM t WHERE id IN (SELECT id FROM (SELECT id FROM t FOR UPDATE) AS s FOR \
              UPDATE OF t)",
                0,
            ),
            ("SELECT substring('abc' FOR 2) FROM t FOR UPDATE", 0),
        ] {
            let parsed = parse(sql).map(|s| s.locked.len());
            assert_eq!(parsed.unwrap_or(0), parts, "{sql}");
        }
        for sql in [
            "CREATE VIEW v AS SELECT * FROM (SELECT * FROM t FOR UPDATE) AS s",
            "SELECT * FROM t WHERE id IN (SELECT id FROM t FOR UPDATE) FOR UPDATE",
            "SELECT * FROM (SELECT DISTINCT a FROM t FOR UPDATE) AS s",
        ] {
            assert_eq!(parse(sql).unwrap_err().sqlstate, "0A000", "{sql}");
        }
    }
}
