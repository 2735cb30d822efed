//! INSERT, UPDATE, DELETE and MERGE, as statements and as parts of WITH: checked, with the name of
//! the table and what is done about conflicts as plain values. Also TRUNCATE.

use std::collections::HashMap;
use std::ops::Range;

use datafusion::sql::sqlparser::ast::{
    self, Ident, Insert, Query, SetExpr, Statement as Ast, With,
};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Word};

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

/// What ON CONFLICT (...) says in tokens, as places among those that are no white space.
struct Inference {
    /// The columns and expressions, between commas.
    keys: Vec<Range<usize>>,
    /// The condition of WHERE behind them, without that word.
    condition: Option<Range<usize>>,
}

/// Whether this token is there, and the word outside of double quotes.
fn is_word(solid: &[&TokenWithSpan], n: usize, word: &str) -> bool {
    let token = solid.get(n).map(|t| &t.token);
    matches!(token, Some(Token::Word(w))
        if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(word))
}

fn inference(solid: &[&TokenWithSpan], conflict: usize) -> Option<Inference> {
    let is = |n: usize, word: &str| is_word(solid, n, word);
    let opens = |n: usize| solid.get(n).is_some_and(|t| t.token == Token::LParen);
    if !(is(conflict, "on") && is(conflict + 1, "conflict") && opens(conflict + 2)) {
        return None;
    }
    let (mut depth, mut keys, mut start) = (1, Vec::new(), conflict + 3);
    let mut n = start;
    while depth > 0 {
        match solid.get(n)?.token {
            Token::LParen => depth += 1,
            Token::RParen => depth -= 1,
            _ => {}
        }
        if depth == 0 || (depth == 1 && solid[n].token == Token::Comma) {
            keys.push(start..n);
            start = n + 1;
        }
        n += 1;
    }
    let ends = |n: &usize| is(*n, "do") && (is(*n + 1, "nothing") || is(*n + 1, "update"));
    let condition = match is(n, "where") {
        true => Some(n + 1..(n + 1..solid.len()).find(ends)?),
        false => None,
    };
    Some(Inference { keys, condition })
}

/// Whether ON CONFLICT is here, behind a SELECT without FROM: there sqlparser takes ON for the name
/// of the last column, unless a WHERE comes between.
fn ends_bare_select(solid: &[&TokenWithSpan], on: usize) -> bool {
    const LATER: [&str; 10] = [
        "from", "where", "group", "having", "window", "order", "limit", "offset", "fetch", "values",
    ];
    if !(is_word(solid, on, "on") && is_word(solid, on + 1, "conflict")) {
        return false;
    }
    let mut depth = 0;
    for n in (0..on).rev() {
        match solid[n].token {
            Token::RParen => depth += 1,
            Token::LParen if depth == 0 => return false,
            Token::LParen => depth -= 1,
            _ if depth > 0 => {}
            _ if is_word(solid, n, "select") => return true,
            _ if LATER.iter().any(|word| is_word(solid, n, word)) => return false,
            _ => {}
        }
    }
    false
}

/// Makes of the tokens what sqlparser reads of ON CONFLICT: the condition behind its keys goes, an
/// expression becomes the name of the hidden column that an index over it has, and WHERE TRUE ends
/// a SELECT before it.
pub fn rewrite_inference(text: &Text, tokens: Vec<TokenWithSpan>) -> Res<Vec<TokenWithSpan>> {
    let says = |word: &str| {
        tokens.iter().any(|t| {
            matches!(&t.token, Token::Word(w)
                if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(word))
        })
    };
    if !says("insert") || !says("conflict") {
        return Ok(tokens);
    }
    let places: Vec<usize> = (0..tokens.len())
        .filter(|i| !matches!(tokens[*i].token, Token::Whitespace(_)))
        .collect();
    let solid: Vec<&TokenWithSpan> = places.iter().map(|i| &tokens[*i]).collect();
    let mut gone = vec![false; tokens.len()];
    let mut bare = gone.clone();
    for n in (0..solid.len()).filter(|n| ends_bare_select(&solid, *n)) {
        bare[places[n]] = true;
    }
    let mut named: HashMap<usize, String> = HashMap::new();
    for found in (0..solid.len()).filter_map(|n| inference(&solid, n)) {
        for key in found.keys.into_iter().filter(|key| key.len() > 1) {
            let key_tokens = solid[key.clone()].iter().map(|t| (*t).clone()).collect();
            let mut parser = parser_of(key_tokens);
            let mut reader = Reader::new(text, &mut parser);
            named.insert(places[key.start], index::column_of_key(&mut reader)?);
            places[key].iter().for_each(|i| gone[*i] = true);
        }
        let condition = found.condition.into_iter();
        for n in condition.flat_map(|range| range.start - 1..range.end) {
            gone[places[n]] = true;
        }
    }
    let mut out = Vec::with_capacity(tokens.len());
    for (i, token) in tokens.into_iter().enumerate() {
        if bare[i] {
            out.extend(["WHERE", "TRUE"].map(|word| TokenWithSpan {
                token: Token::make_keyword(word),
                span: token.span,
            }));
        }
        match named.remove(&i) {
            Some(value) => out.push(TokenWithSpan {
                token: Token::Word(Word {
                    value,
                    quote_style: Some('"'),
                    keyword: Keyword::NoKeyword,
                }),
                span: token.span,
            }),
            None if gone[i] => {}
            None => out.push(token),
        }
    }
    Ok(out)
}

/// What was cut out behind these columns.
fn inferred(text: &Text, names: &[Name], insert: &Insert) -> Res<Vec<String>> {
    let Some(first) = names.first() else {
        return Ok(Vec::new());
    };
    let white = |t: &&TokenWithSpan| matches!(t.token, Token::Whitespace(_));
    let solid: Vec<&TokenWithSpan> = text.tokens.iter().filter(|t| !white(t)).collect();
    let here = |t: &&TokenWithSpan| text.offset(t.span.start) == Some(first.position as usize);
    let Some(at) = solid.iter().position(here) else {
        return Ok(Vec::new());
    };
    let found = at.checked_sub(3).and_then(|n| inference(&solid, n));
    let Some(range) = found.and_then(|found| found.condition) else {
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
