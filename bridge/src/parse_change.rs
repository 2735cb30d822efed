//! INSERT, UPDATE, DELETE and MERGE, as statements and as parts of WITH: checked, with the name of
//! the table and what is done about conflicts as plain values. Also TRUNCATE.

use datafusion::sql::sqlparser::ast::{
    self, Ident, Insert, Query, SetExpr, Statement as Ast, With,
};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::check;
use crate::error::{BridgeError, Res};
use crate::index;
use crate::parse::{Kind, Name, Reader, bare_name, parser_of, table_name};
use crate::text::{Text, ident_text};

/// Which rows that are there stop a row from being inserted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target {
    Any = 0,
    Columns = 1,
    Constraint = 2,
    PrimaryKey = 3,
}

/// ON CONFLICT, INSERT OR IGNORE, INSERT OR REPLACE.
#[derive(Debug, Clone)]
pub struct Conflict {
    pub target: Target,
    pub names: Vec<Name>,
    /// Of WHERE behind the columns, as CREATE INDEX spells them.
    pub conditions: Vec<String>,
    pub update: bool,
}

#[derive(Debug)]
pub struct Truncate {
    pub tables: Vec<Name>,
    pub restart_identity: bool,
    pub cascade: bool,
}

pub fn is_change(query: &Query) -> bool {
    matches!(
        *query.body,
        SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_)
    )
}

/// True if a part of WITH changes something.
pub fn has_changes(with: &Option<With>) -> bool {
    let ctes = with.iter().flat_map(|w| &w.cte_tables);
    ctes.into_iter().any(|cte| is_change(&cte.query))
}

/// The statement that is the body of a query, or stands by itself.
pub fn change(text: &Text, mut with: Option<With>, body: SetExpr) -> Res<Kind> {
    check::with(text, &mut with)?;
    match body {
        SetExpr::Insert(Ast::Insert(mut insert)) => {
            let name = table_name(text, &check::insert(text, &mut insert)?)?;
            let conflict = conflict(text, &insert)?;
            Ok(Kind::Insert(name, with, Box::new(insert), conflict))
        }
        SetExpr::Update(Ast::Update(mut update)) => {
            let name = table_name(text, &check::update(text, &mut update)?)?;
            Ok(Kind::Update(name, with, Box::new(update)))
        }
        SetExpr::Delete(Ast::Delete(mut delete)) => {
            let name = table_name(text, &check::delete(text, &mut delete)?)?;
            Ok(Kind::Delete(name, with, Box::new(delete)))
        }
        SetExpr::Merge(Ast::Merge(mut merge)) => {
            let name = table_name(text, &check::merge(text, &mut merge)?)?;
            Ok(Kind::Merge(name, with, Box::new(merge)))
        }
        _ => Err(BridgeError::unsupported("this statement after WITH")),
    }
}

fn name_of(text: &Text, ident: &Ident) -> Name {
    Name {
        text: ident_text(ident),
        position: text.offset(ident.span.start).unwrap_or(0) as u32,
    }
}

/// The tokens of WHERE behind the columns of ON CONFLICT, without that word, and of the DO after
/// it: as places among those that are no white space.
fn inference(solid: &[&TokenWithSpan], conflict: usize) -> Option<std::ops::Range<usize>> {
    let is = |n: usize, word: &str| {
        let token = solid.get(n).map(|t| &t.token);
        matches!(token, Some(Token::Word(w))
            if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(word))
    };
    if !(is(conflict, "on") && is(conflict + 1, "conflict")) {
        return None;
    }
    let closing = (conflict + 2..solid.len()).find(|n| solid[*n].token == Token::RParen)?;
    let ends = |n: &usize| is(*n, "do") && (is(*n + 1, "nothing") || is(*n + 1, "update"));
    let end = (closing + 1..solid.len()).find(ends)?;
    is(closing + 1, "where").then_some(closing + 2..end)
}

/// Takes out of the tokens what sqlparser does not read: ON CONFLICT (columns) WHERE condition.
pub fn cut_inference(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let solid: Vec<&TokenWithSpan> = solid(&tokens).collect();
    let mut gone = std::collections::HashSet::new();
    for range in (0..solid.len()).filter_map(|n| inference(&solid, n)) {
        gone.extend(solid[range.start - 1..range.end].iter().map(|t| t.span));
    }
    if gone.is_empty() {
        return tokens;
    }
    let kept =
        |t: &TokenWithSpan| matches!(t.token, Token::Whitespace(_)) || !gone.contains(&t.span);
    tokens.iter().filter(|t| kept(t)).cloned().collect()
}

fn solid(tokens: &[TokenWithSpan]) -> impl Iterator<Item = &TokenWithSpan> {
    let white = |t: &&TokenWithSpan| matches!(t.token, Token::Whitespace(_));
    tokens.iter().filter(move |t| !white(t))
}

/// What was cut out behind these columns.
fn inferred(text: &Text, names: &[Name], insert: &Insert) -> Res<Vec<String>> {
    let Some(first) = names.first() else {
        return Ok(Vec::new());
    };
    let solid: Vec<&TokenWithSpan> = solid(&text.tokens).collect();
    let here = |t: &&TokenWithSpan| text.offset(t.span.start) == Some(first.position as usize);
    let Some(at) = solid.iter().position(here) else {
        return Ok(Vec::new());
    };
    let Some(range) = at.checked_sub(3).and_then(|n| inference(&solid, n)) else {
        return Ok(Vec::new());
    };
    let mut parser = parser_of(solid[range].iter().map(|t| (*t).clone()).collect());
    let mut reader = Reader::new(text, &mut parser);
    let mut expr = reader.parser.parse_expr().map_err(|e| reader.syntax(e))?;
    reader.expect(Token::EOF, "DO")?;
    check::expression(text, &mut expr)?;
    let table = match &insert.table_alias {
        Some(alias) => ident_text(&alias.alias),
        None => match &insert.table {
            ast::TableObject::TableName(name) => bare_name(&table_name(text, name)?.text),
            _ => String::new(),
        },
    };
    Ok(index::conditions(expr, &table))
}

fn conflict(text: &Text, insert: &Insert) -> Res<Option<Conflict>> {
    let (mut target, mut names) = (Target::Any, Vec::new());
    let mut conditions = Vec::new();
    let update = match (&insert.or, &insert.on) {
        (None, None) => return Ok(None),
        (Some(ast::SqliteOnConflict::Ignore), None) => false,
        (Some(ast::SqliteOnConflict::Replace), None) => {
            target = Target::PrimaryKey;
            true
        }
        (None, Some(ast::OnInsert::OnConflict(conflict))) => {
            match &conflict.conflict_target {
                None => {}
                Some(ast::ConflictTarget::Columns(columns)) => {
                    target = Target::Columns;
                    names = columns.iter().map(|c| name_of(text, c)).collect();
                    conditions = inferred(text, &names, insert)?;
                }
                Some(ast::ConflictTarget::OnConstraint(name)) => {
                    target = Target::Constraint;
                    names = vec![table_name(text, name)?];
                }
            }
            matches!(conflict.action, ast::OnConflictAction::DoUpdate(_))
        }
        _ => return Err(BridgeError::unsupported("this clause of INSERT")),
    };
    if update && target == Target::Any {
        return Err(BridgeError::new(
            "42601",
            "ON CONFLICT DO UPDATE requires inference specification or constraint name",
        )
        .at(text.find_name("conflict", false))
        .hint("For example, ON CONFLICT (column_name)."));
    }
    Ok(Some(Conflict {
        target,
        names,
        conditions,
        update,
    }))
}

pub fn truncate(text: &Text, ast: ast::Truncate, at: Option<usize>) -> Res<Truncate> {
    let ast::Truncate {
        table_names,
        partitions,
        table: _,
        if_exists,
        identity,
        cascade,
        on_cluster,
    } = ast;
    let odd = [
        (partitions.is_some(), "TRUNCATE of partitions"),
        (if_exists, "TRUNCATE IF EXISTS"),
        (on_cluster.is_some(), "ON CLUSTER"),
        (
            table_names.iter().any(|t| t.only || t.has_asterisk),
            "ONLY and * in TRUNCATE",
        ),
    ];
    if let Some((_, what)) = odd.iter().find(|(found, _)| *found) {
        return Err(BridgeError::unsupported(what).at(at));
    }
    Ok(Truncate {
        tables: table_names
            .iter()
            .map(|t| table_name(text, &t.name))
            .collect::<Res<_>>()?,
        restart_identity: identity == Some(ast::TruncateIdentityOption::Restart),
        cascade: cascade == Some(ast::CascadeOption::Cascade),
    })
}
