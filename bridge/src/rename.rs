//! What is kept as text when names change: the expressions of a table (of CHECK constraints,
//! generated columns and indexes), and the queries of views.
//!
//! An expression is over the columns of its one table and has no subqueries: every identifier in it
//! is one of these columns. The table itself may get another name, so it is not mentioned.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, GroupByExpr, Ident, Join, JoinConstraint, JoinOperator, ObjectName, ObjectNamePart,
    Query, SelectItem, SetExpr, TableAlias, TableFactor, VisitMut, VisitorMut, visit_expressions,
    visit_expressions_mut,
};

use crate::dml::read_expression;
use crate::error::Res;
use crate::parse::{Reader, bare_name, parser_of, table_name};
use crate::text::{Text, ident_text};

/// Takes the table (a reference, see parse::reference) from in front of its columns.
pub fn unqualify(expr: &mut Expr, table: &str) {
    let table = bare_name(table);
    let _ = visit_expressions_mut(expr, |e| {
        if let Expr::CompoundIdentifier(parts) = e
            && let [first, column] = parts.as_slice()
            && ident_text(first) == table
        {
            *e = Expr::Identifier(column.clone());
        }
        ControlFlow::<()>::Continue(())
    });
}

/// The text of an expression in which the column `from` is called `to`. Both are written as SQL
/// writes them: in quotes if they need them.
pub fn rename_column(expression: &str, from: &str, to: &str) -> Res<String> {
    let mut expr = read_expression(expression)?;
    let (from, to) = (name(from)?, name(to)?);
    let needless = from.quote_style.is_none();
    let _ = visit_expressions_mut(&mut expr, |e| {
        if let Expr::Identifier(column) = e
            && ident_text(column) == ident_text(&from)
        {
            // Who wrote quotes without need will write them again.
            let quotes = column.quote_style.filter(|_| needless);
            column.quote_style = to.quote_style.or(quotes);
            column.value = to.value.clone();
        }
        ControlFlow::<()>::Continue(())
    });
    Ok(expr.to_string())
}

fn name(sql: &str) -> Res<Ident> {
    let text = Text::new(sql)?;
    let mut parser = parser_of(text.tokens.clone());
    let reader = Reader::new(&text, &mut parser);
    let name = reader.parser.parse_identifier();
    name.map_err(|e| reader.syntax(e))
}

// ---- views ------------------------------------------------------------------------------------

fn query_of(sql: &str) -> Res<Box<Query>> {
    let text = Text::new(sql)?;
    let mut parser = parser_of(text.tokens.clone());
    let reader = Reader::new(&text, &mut parser);
    let query = reader.parser.parse_query();
    query.map_err(|e| reader.syntax(e))
}

/// The query of a view over a table that gets another name, `to` as SQL writes it. `tables` is what
/// the query may call it: references. Inside of the query it keeps its name: FROM b AS a.
pub fn rename_table(query: &str, tables: &[String], to: &str) -> Res<String> {
    let mut ast = query_of(query)?;
    let mut with = WithNames::default();
    let _ = ast.visit(&mut with);
    if with.names.iter().any(|name| tables.contains(name)) {
        return Ok(query.to_string());
    }
    let to = name(to)?;
    let _ = ast.visit(&mut Tables { tables, to: &to });
    Ok(ast.to_string())
}

#[derive(Default)]
struct WithNames {
    names: Vec<String>,
}

impl VisitorMut for WithNames {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        let tables = query.with.iter().flat_map(|with| &with.cte_tables);
        self.names.extend(tables.map(|t| ident_text(&t.alias.name)));
        ControlFlow::Continue(())
    }
}

struct Tables<'a> {
    tables: &'a [String],
    to: &'a Ident,
}

impl VisitorMut for Tables<'_> {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table {
            name,
            alias,
            args: None,
            ..
        } = factor
            && is_one_of(name, self.tables)
            && let Some(ObjectNamePart::Identifier(last)) = name.0.last_mut()
        {
            let before = std::mem::replace(last, self.to.clone());
            alias.get_or_insert(TableAlias {
                explicit: true,
                name: before,
                columns: vec![],
                at: None,
            });
        }
        ControlFlow::Continue(())
    }
}

fn is_one_of(name: &ObjectName, tables: &[String]) -> bool {
    let nowhere = Text::new("");
    let reference = nowhere.and_then(|text| table_name(&text, name));
    reference.is_ok_and(|name| tables.contains(&name.text))
}

/// The query of a view over a table with another name for one of its columns, `to` as SQL writes
/// it. Only where names cannot mean anything else: in a single SELECT from tables, without
/// subqueries. Other queries stay as they are.
pub fn rename_column_in_query(query: &str, tables: &[String], from: &str, to: &str) -> Res<String> {
    let mut ast = query_of(query)?;
    let to = name(to)?;
    let Some(aliases) = aliases_in(&ast, tables, [from, &ident_text(&to)]) else {
        return Ok(query.to_string());
    };
    let _ = visit_expressions_mut(&mut ast, |e| {
        let column = match e {
            Expr::Identifier(column) => Some(column),
            Expr::CompoundIdentifier(parts) => match parts.as_mut_slice() {
                [table, column] if aliases.contains(&ident_text(table)) => Some(column),
                _ => None,
            },
            _ => None,
        };
        if let Some(column) = column
            && ident_text(column) == from
        {
            *column = to.clone();
        }
        ControlFlow::<()>::Continue(())
    });
    Ok(ast.to_string())
}

/// What the columns of one of `tables` may be qualified with; None if the query is not simple.
fn aliases_in(query: &Query, tables: &[String], columns: [&str; 2]) -> Option<Vec<String>> {
    let SetExpr::Select(select) = query.body.as_ref() else {
        return None;
    };
    if query.with.is_some() || has_subqueries(query) {
        return None;
    }
    let mut aliases = Vec::new();
    for item in &select.from {
        let merges = |join: &Join| !matches!(constraint(join), Some(JoinConstraint::On(_)) | None);
        if item.joins.iter().any(merges) {
            return None;
        }
        for factor in std::iter::once(&item.relation).chain(item.joins.iter().map(|j| &j.relation))
        {
            let TableFactor::Table {
                name,
                alias,
                args: None,
                ..
            } = factor
            else {
                return None;
            };
            if !is_one_of(name, tables) {
                continue;
            }
            match alias {
                Some(alias) if !alias.columns.is_empty() => return None,
                Some(alias) => aliases.push(ident_text(&alias.name)),
                None => aliases.push(ident_text(name.0.last()?.as_ident()?)),
            }
        }
    }
    // ORDER BY and GROUP BY may mean what a column of the answer is called.
    let is_alias = |item: &SelectItem| {
        matches!(item, SelectItem::ExprWithAlias { alias, .. }
            if columns.contains(&ident_text(alias).as_str()))
    };
    let ordered =
        query.order_by.is_some() || select.group_by != GroupByExpr::Expressions(vec![], vec![]);
    if ordered && select.projection.iter().any(is_alias) {
        return None;
    }
    (!aliases.is_empty()).then_some(aliases)
}

fn constraint(join: &Join) -> Option<&JoinConstraint> {
    use JoinOperator::*;
    match &join.join_operator {
        Join(c) | Inner(c) | Left(c) | LeftOuter(c) | Right(c) | RightOuter(c) | FullOuter(c) => {
            Some(c)
        }
        CrossJoin(JoinConstraint::None) => None,
        _ => Some(&JoinConstraint::Natural),
    }
}

fn has_subqueries(query: &Query) -> bool {
    let mut found = false;
    let _ = visit_expressions(query, |e| {
        found |= matches!(
            e,
            Expr::Subquery(_) | Expr::InSubquery { .. } | Expr::Exists { .. }
        );
        ControlFlow::<()>::Continue(())
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_has_another_name_wherever_it_is_used() {
        let renamed = |text: &str, from: &str, to: &str| rename_column(text, from, to).unwrap();
        assert_eq!(renamed("price < 100", "price", "cost"), "cost < 100");
        assert_eq!(
            renamed("(Price + \"price\" * 2)", "price", "cost"),
            "(cost + \"cost\" * 2)"
        );
        assert_eq!(
            renamed("lower(lower) || 'lower'", "lower", "upper"),
            "lower(upper) || 'lower'"
        );
        assert_eq!(renamed("a > 0", "a", "\"order\""), "\"order\" > 0");
        assert_eq!(renamed("a > 0", "a", "\"A \"\"b\""), "\"A \"\"b\" > 0");
        assert_eq!(renamed("\"A\" > a", "\"A\"", "b"), "b > a");
        assert_eq!(
            renamed(
                "date > DATE '2020-01-01' AND CAST(x AS DATE) = date",
                "date",
                "day"
            ),
            "day > DATE '2020-01-01' AND CAST(x AS DATE) = day"
        );
        assert_eq!(
            renamed("EXTRACT(YEAR FROM born) > year", "year", "y"),
            "EXTRACT(YEAR FROM born) > y"
        );
        assert_eq!(
            renamed("CASE WHEN a IS NULL THEN b ELSE a END IN (a, 1)", "a", "c"),
            "CASE WHEN c IS NULL THEN b ELSE c END IN (c, 1)"
        );
    }

    #[test]
    fn a_view_follows_where_names_are_clear() {
        let tables = ["person".to_string(), "public.person".to_string()];
        let column = |query: &str| rename_column_in_query(query, &tables, "city", "town").unwrap();
        for (query, renamed) in [
            (
                "SELECT city, upper(p.city) AS c FROM person AS p WHERE City <> 'city' \
                 ORDER BY city",
                "SELECT town, upper(p.town) AS c FROM person AS p WHERE town <> 'city' \
                 ORDER BY town",
            ),
            (
                "SELECT person.city, o.city FROM public.person JOIN o ON o.id = person.id",
                "SELECT person.town, o.city FROM public.person JOIN o ON o.id = person.id",
            ),
            (
                "SELECT city AS city FROM person",
                "SELECT town AS city FROM person",
            ),
        ] {
            assert_eq!(column(query), renamed);
        }
        for query in [
            "SELECT upper(city) AS city FROM person ORDER BY city",
            "SELECT city FROM person WHERE id IN (SELECT id FROM person)",
            "WITH person AS (SELECT 1 AS city) SELECT city FROM person",
            "SELECT city FROM person JOIN o USING (id)",
            "SELECT c FROM person AS p (i, c)",
            "SELECT city FROM other",
        ] {
            assert_eq!(column(query), query);
        }
        let table = |query: &str| rename_table(query, &tables, "\"People\"").unwrap();
        assert_eq!(
            table("SELECT person.id FROM person, public.person AS q, app.person"),
            "SELECT person.id FROM \"People\" AS person, public.\"People\" AS q, app.person"
        );
        let shadowed = "WITH person AS (SELECT 1) SELECT * FROM person";
        assert_eq!(table(shadowed), shadowed);
    }

    #[test]
    fn a_table_is_not_mentioned() {
        let mut expr = read_expression("T.a + \"T\".a + t.b").unwrap();
        unqualify(&mut expr, "app.t");
        assert_eq!(expr.to_string(), "a + \"T\".a + b");
    }
}
