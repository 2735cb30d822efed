//! What the columns of an answer are called.
//!
//! DataFusion calls the column of SELECT 1 + x "Int64(1) + t.x". Ours are called as they are
//! written: an expression without an alias by its text (functions in lower case), everything else
//! as in DataFusion. Only the schema that leaves the bridge is renamed; plans keep their names.

use std::ops::ControlFlow;

use arrow::datatypes::{Field, Schema};
use datafusion::sql::sqlparser::ast::{
    Expr, ObjectNamePart, Query, SelectItem, SetExpr, VisitMut, VisitorMut,
};

#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// A column, or an expression with an alias: the plan has the right name.
    Named,
    /// An expression, by its text.
    Text(String),
    /// A star: any number of columns.
    Wildcard,
}

/// The items of the outermost SELECT, as they are written.
pub fn of_query(query: &Query) -> Vec<Item> {
    of_body(&query.body)
}

fn of_body(body: &SetExpr) -> Vec<Item> {
    match body {
        SetExpr::Select(select) => select.projection.iter().map(of_item).collect(),
        SetExpr::Query(query) => of_query(query),
        SetExpr::SetOperation { left, .. } => of_body(left),
        _ => Vec::new(),
    }
}

fn of_item(item: &SelectItem) -> Item {
    match item {
        SelectItem::UnnamedExpr(Expr::Identifier(_) | Expr::CompoundIdentifier(_)) => Item::Named,
        SelectItem::UnnamedExpr(expr) => {
            let mut expr = expr.clone();
            let _ = expr.visit(&mut LowerFunctions);
            Item::Text(expr.to_string())
        }
        SelectItem::ExprWithAlias { .. } | SelectItem::ExprWithAliases { .. } => Item::Named,
        SelectItem::QualifiedWildcard(..) | SelectItem::Wildcard(_) => Item::Wildcard,
    }
}

struct LowerFunctions;

impl VisitorMut for LowerFunctions {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Function(function) = expr {
            for part in &mut function.name.0 {
                if let ObjectNamePart::Identifier(ident) = part
                    && ident.quote_style.is_none()
                {
                    ident.value = ident.value.to_lowercase();
                }
            }
        }
        ControlFlow::Continue(())
    }
}

/// `schema` with the names that `items` give. Columns that came from a star keep theirs.
pub fn rename(schema: &Schema, items: &[Item]) -> Schema {
    let fields = schema.fields();
    let stars = |item: &Item| *item == Item::Wildcard;
    let front = items.iter().position(stars).unwrap_or(items.len());
    let back = items.iter().rev().position(stars).unwrap_or(0);
    let complete = front == items.len();
    if (complete && front != fields.len()) || front + back > fields.len() {
        return schema.clone();
    }
    let from_back = fields.len() - back;
    let renamed: Vec<Field> = fields
        .iter()
        .enumerate()
        .map(|(i, field)| {
            let item = match i {
                i if i < front => &items[i],
                i if i >= from_back => &items[items.len() - (fields.len() - i)],
                _ => &Item::Named,
            };
            match item {
                Item::Text(text) => field.as_ref().clone().with_name(text),
                _ => field.as_ref().clone(),
            }
        })
        .collect();
    Schema::new(renamed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::parse;
    use arrow::datatypes::DataType;

    #[test]
    fn expressions_are_called_as_they_are_written() {
        let names = parse("SELECT a, COUNT(*), t.*, 1 + x, y AS z FROM t")
            .unwrap()
            .names;
        let schema: Vec<Field> = ["a", "count", "p", "q", "sum", "z"]
            .iter()
            .map(|n| Field::new(*n, DataType::Int64, true))
            .collect();
        let renamed = rename(&Schema::new(schema), &names);
        let found: Vec<&str> = renamed.fields().iter().map(|f| f.name().as_str()).collect();
        assert_eq!(found, ["a", "count(*)", "p", "q", "1 + x", "z"]);
    }
}
