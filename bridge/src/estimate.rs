//! How many rows a logical plan gives, as far as the statistics of its tables tell.
//!
//! The rows of a scan come from C++, which knows distributions; above that the usual assumptions
//! hold: conditions are independent, the keys of the side with fewer are among those of the other.
//! The number of different values of a column is that of its table, before any filter, because
//! joins divide by it.

use std::collections::HashMap;

use datafusion::common::{Column, DFSchema, JoinType};
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{
    Aggregate, Distinct, Expr, FetchType, Filter, Join, LogicalPlan, Operator, Projection,
    TableScan,
};

use crate::provider::Provider;

/// Of a table of which nothing is known.
const UNKNOWN_ROWS: f64 = 1000.0;
/// Shares of conditions of which nothing is known: a usual one, and one over an aggregate, which
/// is there because it keeps little.
const USUAL: f64 = 0.25;
const HAVING: f64 = 0.1;

#[derive(Clone, Debug, Default)]
pub struct Estimate {
    pub rows: f64,
    /// Before filters.
    pub all_rows: f64,
    distinct: HashMap<Column, f64>,
    /// Sets of columns of which no two rows have the same values.
    pub keys: Vec<Vec<Column>>,
}

impl Estimate {
    fn of_rows(rows: f64) -> Estimate {
        Estimate {
            rows,
            all_rows: rows,
            ..Estimate::default()
        }
    }

    /// With the columns of `other`, multiplied.
    pub fn beside(mut self, other: &Estimate) -> Estimate {
        let empty = self.all_rows == 0.0;
        self.rows = if empty {
            other.rows
        } else {
            self.rows * other.rows
        };
        self.all_rows = if empty {
            other.all_rows
        } else {
            self.all_rows * other.all_rows
        };
        self.distinct.extend(other.columns());
        self.keys.clear();
        self
    }

    /// The columns of which something is known.
    fn columns(&self) -> impl Iterator<Item = (Column, f64)> {
        let alone = self.keys.iter().filter(|key| key.len() == 1).flatten();
        let known = self.distinct.keys().chain(alone);
        known.map(|c| (c.clone(), self.distinct(c)))
    }

    /// Different values of a column, before filters.
    pub fn distinct(&self, column: &Column) -> f64 {
        let known = self.distinct.get(column).copied();
        let alone = |key: &Vec<Column>| key.len() == 1 && key[0] == *column;
        if self.keys.iter().any(alone) {
            return self.all_rows.max(1.0);
        }
        known
            .unwrap_or(self.all_rows.powf(0.75))
            .clamp(1.0, self.all_rows.max(1.0))
    }

    /// Different combinations of values, before filters.
    pub fn distinct_of_all<'a>(&self, columns: impl Iterator<Item = &'a Column>) -> f64 {
        let mut each: Vec<f64> = columns.map(|c| self.distinct(c)).collect();
        each.sort_by(|a, b| b.total_cmp(a));
        damped(&each).min(self.all_rows.max(1.0))
    }
}

/// The product of `factors`, greatest first, of which each counts less than the one before:
/// columns that are used together are rarely independent.
pub fn damped(factors: &[f64]) -> f64 {
    let mut weight = 1.0;
    let mut product = 1.0;
    for factor in factors {
        product *= factor.powf(weight);
        weight /= 2.0;
    }
    product
}

pub fn estimate(plan: &LogicalPlan) -> Estimate {
    match plan {
        LogicalPlan::TableScan(scan) => of_scan(scan, &[]),
        LogicalPlan::Filter(filter) => of_filter(filter),
        LogicalPlan::Projection(projection) => of_projection(projection),
        LogicalPlan::SubqueryAlias(alias) => {
            renamed(estimate(&alias.input), alias.input.schema(), &alias.schema)
        }
        LogicalPlan::Aggregate(aggregate) => of_aggregate(aggregate),
        LogicalPlan::Distinct(Distinct::All(input)) => {
            let all = estimate(input);
            let columns = input.schema().columns();
            let mut found = all.clone();
            found.rows = all.rows.min(all.distinct_of_all(columns.iter()));
            found.keys.push(columns);
            found
        }
        LogicalPlan::Join(join) => of_join(join),
        LogicalPlan::Limit(limit) => {
            let mut found = estimate(&limit.input);
            if let Ok(FetchType::Literal(Some(fetch))) = limit.get_fetch_type() {
                found.rows = found.rows.min(fetch as f64);
            }
            found
        }
        LogicalPlan::Sort(sort) => {
            let mut found = estimate(&sort.input);
            if let Some(fetch) = sort.fetch {
                found.rows = found.rows.min(fetch as f64);
            }
            found
        }
        LogicalPlan::Union(union) => {
            Estimate::of_rows(union.inputs.iter().map(|input| estimate(input).rows).sum())
        }
        LogicalPlan::Values(values) => Estimate::of_rows(values.values.len() as f64),
        LogicalPlan::EmptyRelation(_) => Estimate::of_rows(1.0),
        other => match other.inputs().as_slice() {
            [input] => estimate(input),
            _ => Estimate::of_rows(UNKNOWN_ROWS),
        },
    }
}

fn of_scan(scan: &TableScan, filters: &[Expr]) -> Estimate {
    let source = source_as_provider(&scan.source).ok();
    let known = source.as_ref().and_then(|s| {
        let provider = s.downcast_ref::<Provider>()?;
        let all: Vec<Expr> = scan.filters.iter().chain(filters).cloned().collect();
        provider.estimate(&all)
    });
    let Some(known) = known else {
        return Estimate::of_rows(UNKNOWN_ROWS);
    };
    let table = scan.source.schema();
    let column = |i: usize| Column::new(Some(scan.table_name.clone()), table.field(i).name());
    let mut found = Estimate {
        rows: known.rows.max(1.0),
        all_rows: known.all_rows.max(1.0),
        ..Estimate::default()
    };
    for (i, distinct) in known.distinct.iter().enumerate() {
        if let Some(distinct) = distinct {
            found.distinct.insert(column(i), *distinct as f64);
        }
    }
    if !known.key.is_empty() {
        let key = known.key.iter().map(|i| column(*i as usize));
        found.keys.push(key.collect());
    }
    if let Some(fetch) = scan.fetch {
        found.rows = found.rows.min(fetch as f64);
    }
    found
}

fn of_filter(filter: &Filter) -> Estimate {
    if let LogicalPlan::TableScan(scan) = filter.input.as_ref() {
        let conditions: Vec<Expr> = split_conjunction(&filter.predicate)
            .into_iter()
            .cloned()
            .collect();
        return of_scan(scan, &conditions);
    }
    let mut found = estimate(&filter.input);
    let over_groups = matches!(filter.input.as_ref(), LogicalPlan::Aggregate(_));
    for condition in split_conjunction(&filter.predicate) {
        found.rows *= if over_groups {
            HAVING
        } else {
            share(condition, &found)
        };
    }
    found.rows = found.rows.max(1.0);
    found
}

/// The share of rows that satisfy a condition.
pub fn share(condition: &Expr, rows: &Estimate) -> f64 {
    match condition {
        Expr::BinaryExpr(b) if b.op == Operator::And => {
            share(&b.left, rows) * share(&b.right, rows)
        }
        Expr::BinaryExpr(b) if b.op == Operator::Or => {
            let (left, right) = (share(&b.left, rows), share(&b.right, rows));
            left + right - left * right
        }
        Expr::BinaryExpr(b) if b.op == Operator::Eq => {
            let distinct = |side: &Expr| match side {
                Expr::Column(column) => rows.distinct(column),
                _ => 1.0,
            };
            let most = distinct(&b.left).max(distinct(&b.right));
            if most > 1.0 { 1.0 / most } else { USUAL }
        }
        Expr::Not(inner) => 1.0 - share(inner, rows),
        _ => USUAL,
    }
}

fn of_projection(projection: &Projection) -> Estimate {
    let input = estimate(&projection.input);
    let mut found = Estimate {
        rows: input.rows,
        all_rows: input.all_rows,
        ..Estimate::default()
    };
    let mut names: HashMap<&Column, Column> = HashMap::new();
    for (expr, to) in projection.expr.iter().zip(projection.schema.columns()) {
        let mut expr = expr;
        while let Expr::Alias(alias) = expr {
            expr = &alias.expr;
        }
        if let Expr::Column(from) = expr {
            if let Some(distinct) = input.distinct.get(from) {
                found.distinct.insert(to.clone(), *distinct);
            }
            names.insert(from, to);
        }
    }
    found.keys = translated(&input.keys, |c| names.get(c).cloned());
    found
}

fn renamed(input: Estimate, from: &DFSchema, to: &DFSchema) -> Estimate {
    let names: HashMap<Column, Column> = from.columns().into_iter().zip(to.columns()).collect();
    let distinct = input.distinct.iter();
    Estimate {
        rows: input.rows,
        all_rows: input.all_rows,
        distinct: distinct
            .filter_map(|(c, n)| Some((names.get(c)?.clone(), *n)))
            .collect(),
        keys: translated(&input.keys, |c| names.get(c).cloned()),
    }
}

fn translated(
    keys: &[Vec<Column>],
    translate: impl Fn(&Column) -> Option<Column>,
) -> Vec<Vec<Column>> {
    let key = |key: &Vec<Column>| key.iter().map(&translate).collect::<Option<Vec<_>>>();
    keys.iter().filter_map(key).collect()
}

fn of_aggregate(aggregate: &Aggregate) -> Estimate {
    let input = estimate(&aggregate.input);
    let columns: Option<Vec<&Column>> = aggregate.group_expr.iter().map(Expr::try_as_col).collect();
    let groups = match &columns {
        Some(columns) if columns.is_empty() => 1.0,
        Some(columns) => input.distinct_of_all(columns.iter().copied()),
        None => input.rows.powf(0.75),
    };
    // Of the groups of all rows, those that the filters left over.
    let rows = groups.min(input.rows).max(1.0);
    let mut found = Estimate::of_rows(rows);
    for column in columns.iter().flatten() {
        found
            .distinct
            .insert((*column).clone(), input.distinct(column).min(rows));
    }
    if let Some(columns) = columns {
        found.keys.push(columns.into_iter().cloned().collect());
    }
    found
}

fn of_join(join: &Join) -> Estimate {
    let (left, right) = (estimate(&join.left), estimate(&join.right));
    let mut divisors: Vec<f64> = Vec::new();
    for (l, r) in &join.on {
        let of = |side: &Estimate, key: &Expr| match key {
            Expr::Column(column) => side.distinct(column),
            _ => side.all_rows.powf(0.75),
        };
        divisors.push(of(&left, l).max(of(&right, r)).max(1.0));
    }
    divisors.sort_by(|a, b| b.total_cmp(a));
    let inner = (left.rows * right.rows / damped(&divisors)).max(1.0);
    let matched = match divisors.first() {
        Some(most) => (right.rows / most).clamp(0.001, 1.0),
        None => 0.5,
    };
    let rows = match join.join_type {
        JoinType::Inner => inner,
        JoinType::Left => inner.max(left.rows),
        JoinType::Right => inner.max(right.rows),
        JoinType::Full => inner.max(left.rows) + right.rows,
        JoinType::LeftSemi => left.rows * matched,
        JoinType::LeftAnti => left.rows * (1.0 - matched).max(0.1),
        JoinType::LeftMark => left.rows,
        _ => right.rows,
    };
    let mut found = Estimate {
        rows: rows.max(1.0),
        all_rows: rows.max(left.all_rows).max(right.all_rows),
        distinct: left.distinct,
        keys: Vec::new(),
    };
    if join.schema.fields().len() > join.left.schema().fields().len() {
        found.distinct.extend(right.distinct);
    } else {
        found.keys = left.keys;
    }
    found
}
