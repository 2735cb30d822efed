//! The constraints of a table as plain values: PRIMARY KEY, UNIQUE, CHECK and FOREIGN KEY, whether
//! they stand behind a column, beside the columns, or in ALTER TABLE ADD.

use datafusion::sql::sqlparser::ast::{
    CheckConstraint, ConstraintCharacteristics, ConstraintReferenceMatchKind, DeferrableInitial,
    Expr, ForeignKeyConstraint, IndexColumn, KeyOrIndexDisplay, NullsDistinctOption,
    PrimaryKeyConstraint, ReferentialAction, Spanned, TableConstraint, UniqueConstraint,
};

use crate::check;
use crate::error::{BridgeError, Res};
use crate::parse::{Name, Reader};
use crate::rename;

/// PRIMARY KEY or UNIQUE, of a column or of the table.
#[derive(Debug)]
pub struct Key {
    pub name: Option<Name>,
    pub primary: bool,
    pub columns: Vec<Name>,
}

/// CHECK, of a column or of the table.
#[derive(Debug)]
pub struct Check {
    pub name: Option<Name>,
    pub condition: String,
    /// That the condition uses; found by `constraints::validate`.
    pub columns: Vec<String>,
    pub position: Option<usize>,
}

/// FOREIGN KEY, of a column or of the table.
#[derive(Debug)]
pub struct ForeignKey {
    pub name: Option<Name>,
    pub columns: Vec<Name>,
    pub table: Name,
    /// Of that table; none: its primary key.
    pub referenced: Vec<Name>,
    pub match_full: bool,
    pub on_delete: RowAction,
    pub on_update: RowAction,
}

/// catalog::ReferenceAction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RowAction {
    NoAction = 0,
    Restrict = 1,
    Cascade = 2,
    SetNull = 3,
    SetDefault = 4,
}

#[derive(Debug, Default)]
pub struct Constraints {
    pub keys: Vec<Key>,
    pub checks: Vec<Check>,
    pub foreign_keys: Vec<ForeignKey>,
}

impl Constraints {
    /// Reads one that stands beside the columns of `table`.
    pub fn read(
        &mut self,
        r: &Reader,
        constraint: TableConstraint,
        table: &str,
        at: Option<usize>,
    ) -> Res<()> {
        let at = r.text.offset(constraint.span().start).or(at);
        match constraint {
            TableConstraint::Check(ast) => self.checks.push(check(r, ast, table, None, at)?),
            TableConstraint::PrimaryKey(ast) => {
                refuse_primary_key_options(&ast, at)?;
                self.keys.push(Key {
                    name: ast.name.as_ref().map(|n| r.ident(n)),
                    primary: true,
                    columns: key_columns(r, ast.columns, at)?,
                });
            }
            TableConstraint::Unique(ast) => {
                refuse_unique_options(&ast, at)?;
                self.keys.push(Key {
                    name: ast.name.as_ref().map(|n| r.ident(n)),
                    primary: false,
                    columns: key_columns(r, ast.columns, at)?,
                });
            }
            TableConstraint::ForeignKey(ast) => {
                let columns = ast.columns.iter().map(|c| r.ident(c)).collect();
                let key = foreign_key(r, ast, columns, None, at)?;
                self.foreign_keys.push(key);
            }
            _ => return Err(BridgeError::unsupported("this constraint").at(at)),
        }
        Ok(())
    }
}

/// CHECK of a table of this name; `name` is what stands before a column's.
pub fn check(
    r: &Reader,
    ast: CheckConstraint,
    table: &str,
    name: Option<Name>,
    position: Option<usize>,
) -> Res<Check> {
    let CheckConstraint {
        name: own,
        mut expr,
        enforced,
    } = ast;
    if enforced == Some(false) {
        return Err(BridgeError::unsupported("CHECK NOT ENFORCED").at(position));
    }
    check::expression(r.text, &mut expr)?;
    rename::unqualify(&mut expr, table);
    Ok(Check {
        name: own.as_ref().map(|n| r.ident(n)).or(name),
        condition: expr.to_string(),
        columns: Vec::new(),
        position,
    })
}

/// FOREIGN KEY over these columns; `name` is what stands before a column's.
pub fn foreign_key(
    r: &Reader,
    ast: ForeignKeyConstraint,
    columns: Vec<Name>,
    name: Option<Name>,
    at: Option<usize>,
) -> Res<ForeignKey> {
    let ForeignKeyConstraint {
        name: own,
        index_name,
        columns: _,
        foreign_table,
        referred_columns,
        on_delete,
        on_update,
        match_kind,
        characteristics,
    } = ast;
    if index_name.is_some() {
        return Err(BridgeError::unsupported("FOREIGN KEY with the name of an index").at(at));
    }
    if match_kind == Some(ConstraintReferenceMatchKind::Partial) {
        return Err(BridgeError::unsupported("MATCH PARTIAL").at(at));
    }
    refuse_characteristics("FOREIGN KEY", characteristics.as_ref(), at)?;
    Ok(ForeignKey {
        name: own.as_ref().map(|n| r.ident(n)).or(name),
        columns,
        table: r.table_name(&foreign_table)?,
        referenced: referred_columns.iter().map(|c| r.ident(c)).collect(),
        match_full: match_kind == Some(ConstraintReferenceMatchKind::Full),
        on_delete: row_action(on_delete),
        on_update: row_action(on_update),
    })
}

fn row_action(action: Option<ReferentialAction>) -> RowAction {
    match action {
        None | Some(ReferentialAction::NoAction) => RowAction::NoAction,
        Some(ReferentialAction::Restrict) => RowAction::Restrict,
        Some(ReferentialAction::Cascade) => RowAction::Cascade,
        Some(ReferentialAction::SetNull) => RowAction::SetNull,
        Some(ReferentialAction::SetDefault) => RowAction::SetDefault,
    }
}

/// NOT DEFERRABLE, INITIALLY IMMEDIATE and ENFORCED are what every constraint is.
fn refuse_characteristics(
    what: &str,
    characteristics: Option<&ConstraintCharacteristics>,
    at: Option<usize>,
) -> Res<()> {
    let Some(c) = characteristics else {
        return Ok(());
    };
    let odd = match c {
        _ if c.enforced == Some(false) => "NOT ENFORCED",
        _ if c.initially == Some(DeferrableInitial::Deferred) => "INITIALLY DEFERRED",
        _ if c.deferrable == Some(true) => "DEFERRABLE",
        _ => return Ok(()),
    };
    Err(BridgeError::unsupported(format!("{what} {odd}")).at(at))
}

pub fn refuse_primary_key_options(key: &PrimaryKeyConstraint, at: Option<usize>) -> Res<()> {
    let PrimaryKeyConstraint {
        name: _,
        index_name,
        index_type,
        columns: _,
        index_options,
        characteristics,
    } = key;
    if index_name.is_some() || index_type.is_some() || !index_options.is_empty() {
        return Err(BridgeError::unsupported("PRIMARY KEY with options of its index").at(at));
    }
    refuse_characteristics("PRIMARY KEY", characteristics.as_ref(), at)
}

pub fn refuse_unique_options(key: &UniqueConstraint, at: Option<usize>) -> Res<()> {
    let UniqueConstraint {
        name: _,
        index_name,
        index_type_display,
        index_type,
        columns: _,
        index_options,
        characteristics,
        nulls_distinct,
    } = key;
    if index_name.is_some()
        || index_type.is_some()
        || !index_options.is_empty()
        || *index_type_display != KeyOrIndexDisplay::None
    {
        return Err(BridgeError::unsupported("UNIQUE with options of its index").at(at));
    }
    refuse_characteristics("UNIQUE", characteristics.as_ref(), at)?;
    if *nulls_distinct == NullsDistinctOption::NotDistinct {
        return Err(BridgeError::unsupported("UNIQUE NULLS NOT DISTINCT").at(at));
    }
    Ok(())
}

/// The columns of a key, each a plain name.
fn key_columns(r: &Reader, columns: Vec<IndexColumn>, at: Option<usize>) -> Res<Vec<Name>> {
    let mut names = Vec::new();
    for column in columns {
        let plain = column.operator_class.is_none()
            && column.column.with_fill.is_none()
            && column.column.options == Default::default();
        match (&column.column.expr, plain) {
            (Expr::Identifier(ident), true) => names.push(r.ident(ident)),
            _ => {
                return Err(BridgeError::unsupported(
                    "a key of anything but columns in ascending order",
                )
                .at(at));
            }
        }
    }
    Ok(names)
}
