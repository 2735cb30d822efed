//! What the columns of an answer are called.
//!
//! DataFusion calls the column of SELECT 1 + x "Int64(1) + t.x". Ours are called as they are
//! written: an expression without an alias by its text (functions in lower case).
//!
//! SQL allows a name twice, a plan does not. So within a plan every item of a select list gets a
//! name of its own (`make_unique`; a second `id` is `id:1`, as DataFusion says it too), and the
//! schema that leaves the bridge has the names that were written (`of_query`, `rename`).

use std::collections::HashMap;
use std::ops::ControlFlow;

use arrow::datatypes::{Field, Fields, Schema};
use datafusion::sql::sqlparser::ast::{
    Expr, GroupByExpr, Ident, ObjectNamePart, OrderByKind, Query, Select, SelectItem, SetExpr,
    TableFactor, Value, VisitMut, VisitorMut,
};

use crate::dialect::parsed;
use crate::error::{BridgeError, Res};
use crate::same;

#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// What the plan calls it.
    Named,
    Text(String),
    /// A star: any number of columns.
    Wildcard,
}

/// The items of the outermost SELECT, as they are written. In `query` each gets a name of its own:
/// nobody refers to these, so columns beside a star, which may bring the same column, are renamed
/// too.
pub fn of_query(query: &mut Query) -> Vec<Item> {
    let items = of_body(&query.body);
    outermost(&mut query.body);
    items
}

fn of_body(body: &SetExpr) -> Vec<Item> {
    match body {
        SetExpr::Select(select) => select.projection.iter().map(of_item).collect(),
        SetExpr::Query(query) => of_body(&query.body),
        SetExpr::SetOperation { left, .. } => of_body(left),
        _ => Vec::new(),
    }
}

pub fn of_item(item: &SelectItem) -> Item {
    match item {
        SelectItem::UnnamedExpr(expr) => Item::Text(text_of(expr)),
        SelectItem::ExprWithAlias { alias, .. } => Item::Text(folded(alias)),
        SelectItem::ExprWithAliases { .. } => Item::Named,
        SelectItem::QualifiedWildcard(..) | SelectItem::Wildcard(_) => Item::Wildcard,
    }
}

/// The name of a column, or an expression as it is written.
fn text_of(expr: &Expr) -> String {
    match expr {
        Expr::Nested(inner) if column_of(inner).is_some() => text_of(inner),
        _ => match column_of(expr) {
            Some((_, name)) => name,
            None => {
                let mut expr = expr.clone();
                let _ = expr.visit(&mut LowerFunctions);
                expr.to_string()
            }
        },
    }
}

/// (table, name) of a column; the table may be "".
fn column_of(expr: &Expr) -> Option<(String, String)> {
    match expr {
        Expr::Identifier(ident) => Some((String::new(), folded(ident))),
        Expr::CompoundIdentifier(parts) => {
            let (last, front) = parts.split_last()?;
            let front: Vec<String> = front.iter().map(folded).collect();
            Some((front.join("."), folded(last)))
        }
        _ => None,
    }
}

fn folded(ident: &Ident) -> String {
    match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_lowercase(),
    }
}

fn outermost(body: &mut SetExpr) {
    match body {
        SetExpr::Select(select) => unique_items(&mut select.projection, true),
        SetExpr::Query(query) => outermost(&mut query.body),
        SetExpr::SetOperation { left, right, .. } => {
            outermost(left);
            outermost(right);
        }
        _ => {}
    }
}

/// Gives every item of a select list a name of its own; columns and aliases keep theirs unless it
/// is taken.
pub fn make_unique(items: &mut [SelectItem]) {
    unique_items(items, false);
}

/// SELECT DISTINCT lower(x) ... ORDER BY lower(x): what is ordered by is that item, by its number.
pub fn order_by_items(query: &mut Query) {
    let (SetExpr::Select(select), Some(order)) = (query.body.as_ref(), &mut query.order_by) else {
        return;
    };
    let items = &select.projection;
    if select.distinct.is_none() || items.iter().any(|item| of_item(item) == Item::Wildcard) {
        return;
    }
    let OrderByKind::Expressions(keys) = &mut order.kind else {
        return;
    };
    for key in keys {
        if column_of(&key.expr).is_some() || matches!(key.expr, Expr::Value(_)) {
            continue;
        }
        let is_key = |item: &SelectItem| match item {
            SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
                text_of(expr) == text_of(&key.expr)
            }
            _ => false,
        };
        if let Some(at) = items.iter().position(is_key) {
            key.expr = Expr::Value(Value::Number((at + 1).to_string(), false).into());
        }
    }
}

fn unique_items(items: &mut [SelectItem], outermost: bool) {
    if items.len() < 2 {
        return;
    }
    let starred = outermost && items.iter().any(|item| of_item(item) == Item::Wildcard);
    let mut taken: Vec<(String, String)> = Vec::new();
    for item in items {
        let (table, name, is_column, is_named) = match item {
            SelectItem::UnnamedExpr(expr) => match column_of(expr) {
                Some((table, name)) => (table, name, true, true),
                None => (String::new(), text_of(expr), false, false),
            },
            SelectItem::ExprWithAlias { alias, .. } => (String::new(), folded(alias), false, true),
            _ => continue,
        };
        let clashes = |wanted: &str| {
            taken
                .iter()
                .any(|(t, n)| n == wanted && (t.is_empty() || table.is_empty() || *t == table))
        };
        let unique = (usize::from(starred && is_column)..)
            .map(|n| match n {
                0 => name.clone(),
                n => format!("{name}:{n}"),
            })
            .find(|name| !clashes(name))
            .expect("numbers do not end");
        let table = if unique == name { table } else { String::new() };
        if unique != name || !is_named {
            give_alias(item, &unique);
        }
        taken.push((table, unique));
    }
}

/// DataFusion calls CAST(x AS t) by the name of x, so that count(x) and count(x::t) would have one
/// name. Where that happens to functions or keys of GROUP BY, the casts of the SELECT get names:
/// they become arguments of same(), which goes before anything is made of them (rules.rs).
pub fn tell_casts_apart(select: &mut Select) -> Res<()> {
    let mut terms = Terms::default();
    if let GroupByExpr::Expressions(keys, _) = &mut select.group_by
        && !keys.is_empty()
    {
        keys.iter().for_each(|key| terms.add(key));
        for item in &select.projection {
            if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
                terms.add(expr);
            }
        }
    }
    let _ = select.projection.visit(&mut terms);
    let _ = select.having.visit(&mut terms);
    if !terms.clash {
        return Ok(());
    }
    let mut wrap = WrapCasts;
    for found in [
        select.projection.visit(&mut wrap),
        select.group_by.visit(&mut wrap),
        select.having.visit(&mut wrap),
    ] {
        if let ControlFlow::Break(error) = found {
            return Err(error);
        }
    }
    Ok(())
}

/// Functions and keys, by their texts without casts.
#[derive(Default)]
struct Terms {
    seen: HashMap<String, String>,
    clash: bool,
}

impl Terms {
    fn add(&mut self, expr: &Expr) {
        let mut bare = expr.clone();
        let _ = bare.visit(&mut DropCasts);
        let text = expr.to_string();
        let first = self.seen.entry(bare.to_string()).or_insert(text.clone());
        self.clash |= *first != text;
    }
}

impl VisitorMut for Terms {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if matches!(expr, Expr::Function(_)) {
            self.add(expr);
        }
        ControlFlow::Continue(())
    }
}

struct DropCasts;

impl VisitorMut for DropCasts {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Cast { expr: inner, .. } | Expr::Nested(inner) = expr {
            *expr = inner.as_ref().clone();
        }
        ControlFlow::Continue(())
    }
}

struct WrapCasts;

impl VisitorMut for WrapCasts {
    type Break = Box<BridgeError>;

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Box<BridgeError>> {
        if matches!(expr, Expr::Cast { .. }) {
            match parsed(&format!("\"{}\"({expr})", same::NAME)) {
                Ok(wrapped) => *expr = wrapped,
                Err(error) => return ControlFlow::Break(error),
            }
        }
        ControlFlow::Continue(())
    }
}

fn give_alias(item: &mut SelectItem, name: &str) {
    let alias = Ident::with_quote('"', name);
    let old = std::mem::replace(
        item,
        SelectItem::UnnamedExpr(Expr::Identifier(alias.clone())),
    );
    *item = match old {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
            SelectItem::ExprWithAlias { expr, alias }
        }
        other => other,
    };
}

/// "id" of "id:1", if that is how a second "id" was called.
fn written<'a>(name: &'a str, fields: &Fields) -> &'a str {
    match name.rsplit_once(':') {
        Some((front, n)) if n.parse::<usize>().is_ok() && fields.find(front).is_some() => {
            written(front, fields)
        }
        _ => name,
    }
}

/// What columns of `factor` may be qualified with: its alias or its name with all its parts.
pub fn of_table(factor: &TableFactor) -> Option<Vec<String>> {
    match factor {
        TableFactor::Table { alias: Some(a), .. } | TableFactor::Derived { alias: Some(a), .. } => {
            Some(vec![folded(&a.name)])
        }
        TableFactor::Table { name, .. } => {
            let parts = name.0.iter().filter_map(|part| part.as_ident());
            Some(parts.map(folded).collect())
        }
        _ => None,
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
                _ => field
                    .as_ref()
                    .clone()
                    .with_name(written(field.name(), fields)),
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

    #[test]
    fn within_a_plan_every_item_has_a_name_of_its_own() {
        let unique = |sql: &str| match parse(sql).unwrap().kind {
            crate::parse::Kind::Query(query) => query.body.to_string(),
            other => panic!("{other:?}"),
        };
        assert_eq!(
            unique("SELECT id, id, t.id, u.id, CAST(id AS INT), id AS x, y AS x FROM t, u"),
            "SELECT id, id AS \"id:1\", t.id AS \"id:2\", u.id AS \"id:3\", \
             CAST(id AS INT) AS \"CAST(id AS INT)\", id AS x, y AS \"x:1\" FROM t, u"
        );
        assert_eq!(
            unique("SELECT t.id, u.id FROM t, u"),
            "SELECT t.id, u.id FROM t, u"
        );
        assert_eq!(
            unique("SELECT *, age FROM (SELECT age, age FROM t) AS s"),
            "SELECT *, age AS \"age:1\" FROM (SELECT age, age AS \"age:1\" FROM t) AS s"
        );
    }
}
