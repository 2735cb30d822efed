//! INSERT, UPDATE, DELETE and MERGE, as statements and as parts of WITH: checked, with the name of
//! the table and what is done about conflicts as plain values. Also TRUNCATE.

use datafusion::sql::sqlparser::ast::{
    self, Ident, Insert, Query, SetExpr, Statement as Ast, With,
};

use crate::check;
use crate::error::{BridgeError, Res};
use crate::parse::{Kind, Name, table_name};
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

fn conflict(text: &Text, insert: &Insert) -> Res<Option<Conflict>> {
    let (mut target, mut names) = (Target::Any, Vec::new());
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
