//! Recognises changes that need no planning each time: values given one by one, and rows found by
//! their whole primary key.
//!
//!     INSERT INTO t [(columns)] VALUES (constants and parameters), ...
//!     UPDATE t SET column = constant | parameter | column +- constant | column +- parameter, ...
//!         WHERE key column = constant or parameter AND ...
//!     DELETE FROM t WHERE key column = constant or parameter AND ...
//!     each with RETURNING plain columns, or without
//!
//! What is written here ("direct" in `src/engine/bridge.h`) is all that C++ needs to run them. It
//! is an offer: a value that C++ does not convert as SQL would takes the ordinary way.

use arrow::datatypes::{DataType, Schema};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::expr::Placeholder;
use datafusion::sql::sqlparser::ast::{
    Assignment, AssignmentTarget, BinaryOperator, Delete, Expr as SqlExpr, Insert, ObjectName,
    SelectItem, SetExpr, UnaryOperator, Update, Value,
};

use crate::bytes::Writer;
use crate::catalog::CppTable;
use crate::dml::{is_default, parse_expression};
use crate::filters::{OPAQUE, encode_constant};
use crate::sequence_functions;
use crate::text::ident_text;

const INSERT: u8 = 0;
const UPDATE: u8 = 1;
const DELETE: u8 = 2;

/// A cell of more rows than these is the engine's: a plan for them is worth its price.
const ROWS_MAX: usize = 64;

type Cell = Vec<u8>;

struct Names<'a> {
    schema: &'a Schema,
    /// What the statement calls the table.
    alias: &'a str,
}

/// `listed`: the table's columns in the order in which values come.
pub fn insert(table: &CppTable, alias: &str, listed: &[usize], ast: &Insert) -> Option<Vec<u8>> {
    let names = Names {
        schema: &table.visible,
        alias,
    };
    let query = ast.source.as_ref()?;
    let SetExpr::Values(values) = query.body.as_ref() else {
        return None;
    };
    if !table.checks().ok()?.is_empty() || !table.stored_columns().ok()?.is_empty() {
        return None;
    }
    let plain = query.with.is_none() && query.order_by.is_none() && query.limit_clause.is_none();
    if !plain || ast.on.is_some() || ast.or.is_some() || values.rows.len() > ROWS_MAX {
        return None;
    }
    let defaults = (0..table.schema.fields().len()).map(|i| default_cell(table, i));
    let defaults = defaults.collect::<Vec<Option<Cell>>>();
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    for given in &values.rows {
        let mut row = defaults.clone();
        for (value, column) in given.content.iter().zip(listed) {
            if !is_default(value) {
                row[*column] = Some(cell(value)?);
            }
        }
        rows.push(row.into_iter().collect::<Option<_>>()?);
    }
    let mut w = Writer::default();
    w.u8(INSERT);
    w.list(&rows, |w, row| w.list(row, write_cell));
    w.list(&[] as &[Cell], write_cell);
    w.list(&[] as &[Cell], write_cell);
    names.returning(&mut w, &ast.returning)?;
    Some(w.out)
}

pub fn update(table: &CppTable, alias: &str, ast: &Update) -> Option<Vec<u8>> {
    let names = Names {
        schema: &table.visible,
        alias,
    };
    let computed = !table.checks().ok()?.is_empty() || !table.stored_columns().ok()?.is_empty();
    if ast.from.is_some() || computed {
        return None;
    }
    let sets = ast.assignments.iter().map(|a| names.set(a));
    let sets = sets.collect::<Option<Vec<Cell>>>()?;
    let keys = names.keys(table, ast.selection.as_ref()?)?;
    let mut w = Writer::default();
    w.u8(UPDATE);
    w.list(&[] as &[Cell], write_cell);
    w.list(&sets, write_cell);
    w.list(&keys, write_cell);
    names.returning(&mut w, &ast.returning)?;
    Some(w.out)
}

pub fn delete(table: &CppTable, alias: &str, ast: &Delete) -> Option<Vec<u8>> {
    let names = Names {
        schema: &table.visible,
        alias,
    };
    if ast.using.is_some() {
        return None;
    }
    let keys = names.keys(table, ast.selection.as_ref()?)?;
    let mut w = Writer::default();
    w.u8(DELETE);
    w.list(&[] as &[Cell], write_cell);
    w.list(&[] as &[Cell], write_cell);
    w.list(&keys, write_cell);
    names.returning(&mut w, &ast.returning)?;
    Some(w.out)
}

fn write_cell(w: &mut Writer, cell: &Cell) {
    w.out.extend_from_slice(cell);
}

fn default_cell(table: &CppTable, column: usize) -> Option<Cell> {
    match table.column_default(column as u32).ok()? {
        Some(sql) => {
            let default = parse_expression(&sql).ok()?;
            cell(&default).or_else(|| next_number(&default))
        }
        None => encode_constant(&Expr::Literal(ScalarValue::Null, None)),
    }
}

/// The next number of a sequence, as an opaque expression that is the sequence's name.
fn next_number(expr: &SqlExpr) -> Option<Cell> {
    let mut w = Writer::default();
    w.u8(OPAQUE);
    w.str(&sequence_functions::next_of(expr)?);
    Some(w.out)
}

/// A constant or a parameter.
fn cell(expr: &SqlExpr) -> Option<Cell> {
    let value = match expr {
        SqlExpr::Nested(inner) => return cell(inner),
        SqlExpr::Value(v) => match &v.value {
            Value::Placeholder(id) => {
                return encode_constant(&Expr::Placeholder(Placeholder::new_with_field(
                    id.clone(),
                    None,
                )));
            }
            Value::Number(digits, _) => number(digits)?,
            Value::SingleQuotedString(text) => ScalarValue::Utf8View(Some(text.clone())),
            Value::Boolean(b) => ScalarValue::Boolean(Some(*b)),
            Value::Null => ScalarValue::Null,
            _ => return None,
        },
        SqlExpr::UnaryOp {
            op: UnaryOperator::Minus,
            expr,
        } => match expr.as_ref() {
            SqlExpr::Value(v) => match &v.value {
                Value::Number(digits, _) => number(&format!("-{digits}"))?,
                _ => return None,
            },
            _ => return None,
        },
        _ => return None,
    };
    encode_constant(&Expr::Literal(value, None))
}

fn number(digits: &str) -> Option<ScalarValue> {
    if let Ok(integer) = digits.parse::<i64>() {
        return Some(ScalarValue::Int64(Some(integer)));
    }
    let (whole, fraction) = digits.split_once('.')?;
    let unscaled = format!("{whole}{fraction}").parse::<i128>().ok()?;
    let precision = digits.bytes().filter(u8::is_ascii_digit).count().max(1);
    // No more digits than a DOUBLE holds, whose rounding is the engine's otherwise.
    (precision <= 15)
        .then(|| ScalarValue::Decimal128(Some(unscaled), precision as u8, fraction.len() as i8))
}

impl Names<'_> {
    fn column(&self, expr: &SqlExpr) -> Option<usize> {
        let name = match expr {
            SqlExpr::Identifier(name) => name,
            SqlExpr::CompoundIdentifier(parts) => match parts.as_slice() {
                [table, name] if ident_text(table) == self.alias => name,
                _ => return None,
            },
            SqlExpr::Nested(inner) => return self.column(inner),
            _ => return None,
        };
        self.schema.index_of(&ident_text(name)).ok()
    }

    fn target(&self, name: &ObjectName) -> Option<usize> {
        match name.0.as_slice() {
            [part] => self.schema.index_of(&ident_text(part.as_ident()?)).ok(),
            _ => None,
        }
    }

    /// u32 column, u8 0 value, 1 column + value, 2 column - value; u32 that column, the value.
    fn set(&self, assignment: &Assignment) -> Option<Cell> {
        let AssignmentTarget::ColumnName(name) = &assignment.target else {
            return None;
        };
        if is_default(&assignment.value) {
            return None;
        }
        let column = self.target(name)?;
        let mut w = Writer::default();
        w.u32(column as u32);
        if let SqlExpr::BinaryOp { left, op, right } = &assignment.value {
            let from = self.column(left)?;
            w.u8(match op {
                BinaryOperator::Plus => 1,
                BinaryOperator::Minus => 2,
                _ => return None,
            });
            let kind = self.schema.field(from).data_type();
            let same = kind == self.schema.field(column).data_type();
            if !same || !(kind.is_signed_integer() || *kind == DataType::Float64) {
                return None;
            }
            w.u32(from as u32);
            w.out.extend_from_slice(&cell(right)?);
        } else {
            w.u8(0);
            w.u32(0);
            w.out.extend_from_slice(&cell(&assignment.value)?);
        }
        Some(w.out)
    }

    /// A value for each column of the primary key, in its order; None unless the condition is just
    /// that.
    fn keys(&self, table: &CppTable, condition: &SqlExpr) -> Option<Vec<Cell>> {
        let key = table.primary_key().ok()?;
        let mut found: Vec<Option<Cell>> = vec![None; key.len()];
        let mut waiting = vec![condition];
        while let Some(expr) = waiting.pop() {
            let SqlExpr::BinaryOp { left, op, right } = expr else {
                return None;
            };
            match op {
                BinaryOperator::And => waiting.extend([left.as_ref(), right.as_ref()]),
                BinaryOperator::Eq => {
                    let (column, value) = match self.column(left) {
                        Some(column) => (column, right),
                        None => (self.column(right)?, left),
                    };
                    let place = key.iter().position(|k| *k as usize == column)?;
                    if found[place].replace(cell(value)?).is_some() {
                        return None;
                    }
                }
                _ => return None,
            }
        }
        if found.is_empty() {
            return None;
        }
        found.into_iter().collect()
    }

    fn returning(&self, w: &mut Writer, items: &Option<Vec<SelectItem>>) -> Option<()> {
        let mut columns: Vec<u32> = Vec::new();
        for item in items.iter().flatten() {
            match item {
                SelectItem::Wildcard(options) if *options == Default::default() => {
                    columns.extend(0..self.schema.fields().len() as u32);
                }
                SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
                    columns.push(self.column(expr)? as u32);
                }
                _ => return None,
            }
        }
        w.list(&columns, |w, column| w.u32(*column));
        Some(())
    }
}
