//! Correlated subqueries of any form, made into joins.
//!
//! DataFusion makes joins of the common forms itself and better; what it leaves comes here. A query
//! Q that refers to columns c of the plan O around it is computed for all values of c at once:
//!
//!     D  = SELECT DISTINCT c FROM O                          the domain
//!     Q' = Q over D: the rows of Q, each with the row of D that it belongs to (its keys)
//!     O LEFT JOIN Q' ON c IS NOT DISTINCT FROM keys
//!
//! domain.rs makes D and Q'. LATERAL is the same with O JOIN Q'. The idea is that of Neumann and
//! Kemper, "Unnesting Arbitrary Queries" (BTW 2015).

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, ScalarValue};
use datafusion::error::Result as DfResult;
use datafusion::functions_aggregate::count::count_all;
use datafusion::functions_aggregate::expr_fn::{count, first_value};
use datafusion::logical_expr::expr::{Exists, InSubquery};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{
    BinaryExpr, Expr, ExprSchemable, Join, JoinType, LogicalPlan, LogicalPlanBuilder, Operator,
    Subquery, case, lit,
};

use crate::domain::{
    Dependent, columns_of, conditions_of, join, outer_columns, refers_outside, same, select,
    unsupported,
};
use crate::only_row::only_row;

/// True if `plan` holds a subquery that no join was made of.
pub fn has_subqueries(plan: &LogicalPlan) -> bool {
    let mut found = false;
    // The walk cannot fail, because its closure does not.
    let _ = plan.apply_with_subqueries(|node| {
        let _ = node.apply_expressions(|expr| {
            expr.apply(|e| {
                found |= match e {
                    Expr::OuterReferenceColumn(..) | Expr::Exists(_) | Expr::InSubquery(_) => true,
                    Expr::ScalarSubquery(query) => !query.outer_ref_columns.is_empty(),
                    _ => false,
                };
                Ok(TreeNodeRecursion::Continue)
            })
        });
        Ok(if found {
            TreeNodeRecursion::Stop
        } else {
            TreeNodeRecursion::Continue
        })
    });
    found
}

/// True if DataFusion would plan a subquery of `plan` wrongly: in a condition of JOIN, which it
/// moves to one side even if it refers to both; or IN where false and NULL differ, as
/// `NOT IN (...) OR ...`, for which its mark join knows no NULL.
pub fn is_beyond_datafusion(plan: &LogicalPlan) -> bool {
    let mut found = false;
    // The walk cannot fail, because its closure does not.
    let _ = plan.apply_with_subqueries(|node| {
        found |= match node {
            LogicalPlan::Join(Join {
                filter: Some(filter),
                ..
            }) => filter.exists(|e| Ok(asks_outside(e))).unwrap_or(false),
            LogicalPlan::Filter(filter) => split_conjunction(&filter.predicate)
                .into_iter()
                .filter(|condition| !matches!(condition, Expr::InSubquery(_)))
                .any(|condition| asks_for_null(condition, filter.input.schema())),
            _ => false,
        };
        Ok(TreeNodeRecursion::Continue)
    });
    found
}

/// True if an IN (query) in a condition may be NULL where that is not the same as false.
fn asks_for_null(condition: &Expr, schema: &DFSchema) -> bool {
    match condition {
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::And | Operator::Or,
            right,
        }) => asks_for_null(left, schema) || asks_for_null(right, schema),
        Expr::InSubquery(InSubquery { negated: false, .. }) => false,
        other => other
            .exists(|e| {
                Ok(match e {
                    Expr::InSubquery(InSubquery { expr, subquery, .. }) => {
                        expr.nullable(schema).unwrap_or(true)
                            || subquery.subquery.schema().field(0).is_nullable()
                    }
                    _ => false,
                })
            })
            .unwrap_or(false),
    }
}

/// `plan`, as it was before it was analysed, with joins for its correlated subqueries. Errors:
/// 0A000.
pub fn to_joins(plan: &LogicalPlan) -> DfResult<LogicalPlan> {
    Rewriter { names: 0 }.plan(plan.clone())
}

/// True if `expr` is a subquery that becomes a join here.
fn asks_outside(expr: &Expr) -> bool {
    match expr {
        Expr::ScalarSubquery(query) => refers_outside(&query.subquery),
        Expr::Exists(_) | Expr::InSubquery(_) => true,
        _ => false,
    }
}

pub struct Rewriter {
    names: usize,
}

impl Rewriter {
    pub fn name(&mut self, what: &str) -> String {
        self.names += 1;
        format!("__{what}{}", self.names)
    }

    /// Rewrites what is inside first, and so what depends on the nearest plan around it.
    fn plan(&mut self, plan: LogicalPlan) -> DfResult<LogicalPlan> {
        let plan = plan
            .map_children(|child| Ok(Transformed::yes(self.plan(child)?)))?
            .data
            .recompute_schema()?;
        if let LogicalPlan::Join(join) = &plan {
            let columns = outer_columns(&join.right, join.left.schema());
            if !columns.is_empty() {
                return self.lateral(join, columns);
            }
        }
        let plan = match plan {
            LogicalPlan::Join(join) if join.join_type == JoinType::Inner => filtered(join)?,
            other => other,
        };
        let mut asks = false;
        plan.apply_expressions(|expr| {
            asks |= expr.exists(|e| Ok(asks_outside(e)))?;
            Ok(TreeNodeRecursion::Continue)
        })?;
        if asks { self.node(plan) } else { Ok(plan) }
    }

    /// A node with subqueries in its expressions: they are joined to its input.
    fn node(&mut self, plan: LogicalPlan) -> DfResult<LogicalPlan> {
        let input = match &plan {
            LogicalPlan::Projection(_)
            | LogicalPlan::Filter(_)
            | LogicalPlan::Aggregate(_)
            | LogicalPlan::Sort(_)
            | LogicalPlan::Window(_) => plan.inputs()[0].clone(),
            LogicalPlan::Join(_) => return Err(unsupported("its place in a condition of JOIN")),
            _ => return Err(unsupported("a place like this")),
        };
        let mut joined = input.clone();
        let keeps_names = !matches!(plan, LogicalPlan::Filter(_) | LogicalPlan::Sort(_));
        let mut expressions = Vec::new();
        for expr in plan.expressions() {
            let (table, name) = expr.qualified_name();
            let changed = expr.transform_up(|e| self.replace(e, &input, &mut joined))?;
            expressions.push(match changed.transformed && keeps_names {
                true => changed.data.alias_qualified(table, name),
                false => changed.data,
            });
        }
        let schema = plan.schema().clone();
        let rebuilt = plan.with_new_exprs(expressions, vec![joined])?;
        if rebuilt.schema().fields().len() == schema.fields().len() {
            return Ok(rebuilt);
        }
        select(rebuilt, columns_of(&schema))
    }

    /// Joins a subquery to `joined`, and answers what stands for it.
    fn replace(
        &mut self,
        expr: Expr,
        input: &LogicalPlan,
        joined: &mut LogicalPlan,
    ) -> DfResult<Transformed<Expr>> {
        Ok(match expr {
            Expr::ScalarSubquery(query) if refers_outside(&query.subquery) => {
                Transformed::yes(self.scalar(&query, input, joined)?)
            }
            Expr::Exists(Exists { subquery, negated }) => {
                Transformed::yes(self.exists(&subquery, negated, input, joined)?)
            }
            Expr::InSubquery(InSubquery {
                expr,
                subquery,
                negated,
            }) => {
                let found = self.contains(*expr, &subquery, input, joined)?;
                Transformed::yes(if negated { !found } else { found })
            }
            other => Transformed::no(other),
        })
    }

    /// The query over what it needs of `input`.
    fn dependent(
        &mut self,
        query: &Subquery,
        input: &LogicalPlan,
    ) -> DfResult<(Dependent, Vec<Column>)> {
        let query = self.plan(query.subquery.as_ref().clone())?;
        let columns = outer_columns(&query, input.schema());
        if columns.is_empty() {
            let (plan, keys) = (query, vec![]);
            return Ok((Dependent { plan, keys }, columns));
        }
        let domain = self.domain(input, &columns)?;
        Ok((self.over(&query, &domain)?, columns))
    }

    // ---- what becomes of each kind of subquery --------------------------------------------------

    fn scalar(
        &mut self,
        query: &Subquery,
        input: &LogicalPlan,
        joined: &mut LogicalPlan,
    ) -> DfResult<Expr> {
        let (found, columns) = self.dependent(query, input)?;
        let value = Expr::Column(found.plan.schema().qualified_field(0).into());
        let keys: Vec<Expr> = found.keys.iter().cloned().map(Expr::Column).collect();
        let value_name = self.name("value");
        let (plan, value) = if has_one_row(&query.subquery) {
            (found.plan, value)
        } else {
            let rows = self.name("rows");
            let grouped = LogicalPlanBuilder::from(found.plan)
                .aggregate(
                    keys.clone(),
                    vec![
                        first_value(value, vec![]).alias(&value_name),
                        count_all().alias(&rows),
                    ],
                )?
                .build()?;
            let one = only_row(Expr::Column(Column::from_name(&value_name)), {
                Expr::Column(Column::from_name(&rows))
            });
            (grouped, one)
        };
        let names = self.attach(joined, plan, &columns, keys, vec![(value, value_name)])?;
        Ok(names[0].clone())
    }

    fn exists(
        &mut self,
        query: &Subquery,
        negated: bool,
        input: &LogicalPlan,
        joined: &mut LogicalPlan,
    ) -> DfResult<Expr> {
        let (found, columns) = self.dependent(query, input)?;
        let keys: Vec<Expr> = found.keys.iter().cloned().map(Expr::Column).collect();
        let plan = LogicalPlanBuilder::from(found.plan);
        let plan = match keys.is_empty() {
            true => plan.limit(0, Some(1))?,
            false => plan.project(keys.clone())?.distinct()?,
        };
        let mark = vec![(lit(true), self.name("exists"))];
        let names = self.attach(joined, plan.build()?, &columns, keys, mark)?;
        let mark = names[0].clone();
        Ok(if negated {
            mark.is_null()
        } else {
            mark.is_not_null()
        })
    }

    /// `expr` IN (query): true if a row equals it; else NULL if it or one of the rows is NULL.
    fn contains(
        &mut self,
        expr: Expr,
        query: &Subquery,
        input: &LogicalPlan,
        joined: &mut LogicalPlan,
    ) -> DfResult<Expr> {
        let (found, columns) = self.dependent(query, input)?;
        let value = Expr::Column(found.plan.schema().qualified_field(0).into());
        let keys: Vec<Expr> = found.keys.iter().cloned().map(Expr::Column).collect();
        let (rows, values) = (self.name("rows"), self.name("values"));
        let counts = vec![
            count_all().alias(&rows),
            count(value.clone()).alias(&values),
        ];
        let grouped = LogicalPlanBuilder::from(found.plan.clone())
            .aggregate(keys.clone(), counts)?
            .build()?;
        let counts = [rows, values].map(|name| (Expr::Column(Column::from_name(&name)), name));
        let counts = self.attach(joined, grouped, &columns, keys.clone(), counts.to_vec())?;
        // Each value once for each key, so that the join finds at most one.
        let (item, mark) = (self.name("item"), self.name("equal"));
        let mut items = keys.clone();
        items.push(value.clone().alias(&item));
        let plan = LogicalPlanBuilder::from(found.plan)
            .filter(value.is_not_null())?
            .project(items)?
            .distinct()?
            .build()?;
        let item = Expr::Column(Column::from_name(&item));
        let named = vec![(item.clone(), self.name("item")), (lit(true), mark)];
        let names = self.attach_if(joined, plan, &columns, keys, named, |names| {
            Some(expr.clone().eq(names[0].clone()))
        })?;
        let (rows, values) = (counts[0].clone(), counts[1].clone());
        case(lit(true))
            .when(names[1].clone().is_not_null(), lit(true))
            .when(
                rows.clone().is_null().or(rows.clone().eq(lit(0_i64))),
                lit(false),
            )
            .when(
                expr.is_null().or(values.lt(rows)),
                lit(ScalarValue::Boolean(None)),
            )
            .otherwise(lit(false))
    }

    fn attach(
        &mut self,
        joined: &mut LogicalPlan,
        plan: LogicalPlan,
        columns: &[Column],
        keys: Vec<Expr>,
        values: Vec<(Expr, String)>,
    ) -> DfResult<Vec<Expr>> {
        self.attach_if(joined, plan, columns, keys, values, |_| None)
    }

    /// LEFT JOINs the `values` of `plan` where its `keys` are `columns` and `condition` holds, and
    /// answers what the values are called there.
    fn attach_if(
        &mut self,
        joined: &mut LogicalPlan,
        plan: LogicalPlan,
        columns: &[Column],
        keys: Vec<Expr>,
        values: Vec<(Expr, String)>,
        condition: impl FnOnce(&[Expr]) -> Option<Expr>,
    ) -> DfResult<Vec<Expr>> {
        let alias = self.name("subquery");
        let there = |name: &str| Expr::Column(Column::new(Some(alias.as_str()), name));
        let mut items = Vec::new();
        let mut on = Vec::new();
        for (column, key) in columns.iter().zip(keys) {
            let name = self.name("key");
            on.push(same(Expr::Column(column.clone()), there(&name)));
            items.push(key.alias(name));
        }
        let mut names = Vec::new();
        for (value, name) in values {
            names.push(there(&name));
            items.push(value.alias(name));
        }
        on.extend(condition(&names));
        let right = LogicalPlanBuilder::from(plan)
            .project(items)?
            .alias(alias.as_str())?
            .build()?;
        *joined = join(joined.clone(), right, JoinType::Left, on)?;
        Ok(names)
    }

    /// FROM left JOIN LATERAL right.
    fn lateral(&mut self, join_: &Join, columns: Vec<Column>) -> DfResult<LogicalPlan> {
        if !matches!(join_.join_type, JoinType::Inner | JoinType::Left) {
            return Err(unsupported(&format!(
                "LATERAL under {} JOIN",
                join_.join_type
            )));
        }
        let left = join_.left.as_ref().clone();
        let domain = self.domain(&left, &columns)?;
        let right = self.over(&join_.right, &domain)?;
        let mut on: Vec<Expr> = columns
            .into_iter()
            .zip(right.keys)
            .map(|(column, key)| same(Expr::Column(column), Expr::Column(key)))
            .collect();
        on.extend(conditions_of(join_));
        let all = join(left, right.plan, join_.join_type, on)?;
        select(all, columns_of(&join_.schema))
    }
}

/// An inner join whose condition holds subqueries, as a cross product and a filter.
fn filtered(join_: Join) -> DfResult<LogicalPlan> {
    let asks = match &join_.filter {
        Some(filter) => filter.exists(|e| Ok(asks_outside(e)))?,
        None => false,
    };
    if !asks {
        return Ok(LogicalPlan::Join(join_));
    }
    let condition = conditions_of(&join_).into_iter().reduce(Expr::and);
    let product = LogicalPlanBuilder::from(join_.left.as_ref().clone())
        .cross_join(join_.right.as_ref().clone())?;
    match condition {
        Some(condition) => product.filter(condition)?.build(),
        None => product.build(),
    }
}

/// True if the query cannot give more than one row.
fn has_one_row(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Projection(_) | LogicalPlan::SubqueryAlias(_) | LogicalPlan::Sort(_) => {
            has_one_row(plan.inputs()[0])
        }
        LogicalPlan::Filter(filter) => has_one_row(&filter.input),
        LogicalPlan::Aggregate(aggregate) => aggregate.group_expr.is_empty(),
        LogicalPlan::Limit(limit) => {
            let one = ScalarValue::Int64(Some(1));
            matches!(limit.fetch.as_deref(), Some(Expr::Literal(n, _)) if *n == one)
        }
        LogicalPlan::EmptyRelation(_) => true,
        _ => false,
    }
}
