//! A query computed for all values of the outer columns that it refers to: see dependent.rs.
//!
//! `over` goes down from the top of the query. A node below which nothing refers to the outer
//! columns becomes its cross product with the domain; above it, conditions and items use the keys,
//! aggregates also group by them, windows also partition by them, and LIMIT counts rows for each.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, NullEquality, ScalarValue};
use datafusion::error::{DataFusionError, Result as DfResult};
use datafusion::functions::expr_fn::coalesce;
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::expr::Sort as SortKey;
use datafusion::logical_expr::{
    Aggregate, Distinct, Expr, ExprFunctionExt, Filter, Join, JoinType, Limit, LogicalPlan,
    LogicalPlanBuilder, Operator, Projection, SubqueryAlias, Union, Values, Window, binary_expr,
    lit,
};

use crate::dependent::Rewriter;
use crate::error::BridgeError;

/// What a query depends on: some columns of a plan.
pub struct Domain {
    /// Their distinct values, as columns called `columns[i].1`.
    pub plan: LogicalPlan,
    /// The column of the plan around, and its name here.
    pub columns: Vec<(Column, String)>,
}

/// A query over a domain: its own columns, and then `keys`.
pub struct Dependent {
    pub plan: LogicalPlan,
    pub keys: Vec<Column>,
}

pub fn unsupported(what: &str) -> DataFusionError {
    BridgeError::unsupported(format!("a correlated subquery with {what}"))
        .hint("write it as a join")
        .into_datafusion()
}

impl Rewriter {
    pub fn domain(&mut self, input: &LogicalPlan, columns: &[Column]) -> DfResult<Domain> {
        let columns: Vec<(Column, String)> = columns
            .iter()
            .map(|column| (column.clone(), self.name("key")))
            .collect();
        let items = columns
            .iter()
            .map(|(column, name)| Expr::Column(column.clone()).alias(name));
        let plan = LogicalPlanBuilder::from(input.clone())
            .project(items.collect::<Vec<_>>())?
            .distinct()?
            .build()?;
        Ok(Domain { plan, columns })
    }

    /// The domain once more, under names that are nobody else's.
    fn instance(&mut self, domain: &Domain) -> DfResult<Dependent> {
        let alias = self.name("outer");
        let keys = domain
            .columns
            .iter()
            .map(|(_, name)| Column::new(Some(alias.as_str()), name))
            .collect();
        let plan = LogicalPlanBuilder::from(domain.plan.clone())
            .alias(alias.as_str())?
            .build()?;
        Ok(Dependent { plan, keys })
    }

    // ---- a query over a domain ------------------------------------------------------------------

    pub fn over(&mut self, plan: &LogicalPlan, domain: &Domain) -> DfResult<Dependent> {
        if !refers(plan, domain) {
            let Dependent { plan: left, keys } = self.instance(domain)?;
            let plan = LogicalPlanBuilder::from(left)
                .cross_join(plan.clone())?
                .build()?;
            return Ok(Dependent { plan, keys });
        }
        match plan {
            LogicalPlan::Subquery(query) => self.over(&query.subquery, domain),
            LogicalPlan::Projection(p) => {
                let below = self.over(&p.input, domain)?;
                let items = named(&p.expr, &p.schema, |e| below.at(e, domain))?;
                below.project(items)
            }
            LogicalPlan::Filter(filter) => {
                let Dependent { plan, keys } = self.over(&filter.input, domain)?;
                let condition = at_keys(filter.predicate.clone(), domain, &keys)?;
                let plan = LogicalPlan::Filter(Filter::try_new(condition, Arc::new(plan))?);
                Ok(Dependent { plan, keys })
            }
            LogicalPlan::SubqueryAlias(alias) => self.alias_over(alias, domain),
            // An order without a LIMIT means nothing.
            LogicalPlan::Sort(sort) => self.over(&sort.input, domain),
            LogicalPlan::Limit(limit) => self.limit_over(limit, domain),
            LogicalPlan::Distinct(distinct) => self.distinct_over(distinct, domain),
            LogicalPlan::Aggregate(aggregate) => self.aggregate_over(aggregate, domain),
            LogicalPlan::Window(window) => self.window_over(window, domain),
            LogicalPlan::Join(join) => self.join_over(join, domain),
            LogicalPlan::Union(union) => self.union_over(union, domain),
            LogicalPlan::Values(values) => self.values_over(values, domain),
            LogicalPlan::Unnest(unnest) => {
                let Dependent { plan, keys } = self.over(&unnest.input, domain)?;
                let (columns, options) = (unnest.exec_columns.clone(), unnest.options.clone());
                let plan = LogicalPlanBuilder::from(plan)
                    .unnest_columns_with_options(columns, options)?
                    .build()?;
                Dependent { plan, keys }.project(columns_of(&unnest.schema))
            }
            LogicalPlan::RecursiveQuery(_) => Err(unsupported("WITH RECURSIVE")),
            _ => Err(unsupported("a part like this")),
        }
    }

    fn alias_over(&mut self, alias: &SubqueryAlias, domain: &Domain) -> DfResult<Dependent> {
        let Dependent { plan, keys } = self.over(&alias.input, domain)?;
        // The keys keep their names, which are nobody else's.
        let plan = LogicalPlanBuilder::from(plan).alias(alias.alias.clone())?;
        let keys = keys
            .iter()
            .map(|key| Column::new(Some(alias.alias.clone()), &key.name))
            .collect();
        let plan = plan.build()?;
        Ok(Dependent { plan, keys })
    }

    /// Rows are numbered for each key in the order that stands below the LIMIT.
    fn limit_over(&mut self, limit: &Limit, domain: &Domain) -> DfResult<Dependent> {
        let number = self.name("number");
        let below = self.numbered(&limit.input, domain, &number)?;
        let place = || Expr::Column(Column::from_name(&number));
        let skip = match &limit.skip {
            Some(skip) => skip.as_ref().clone(),
            None => lit(0_i64),
        };
        let mut condition = place().gt(skip.clone());
        if let Some(fetch) = &limit.fetch {
            condition = condition.and(place().lt_eq(skip + fetch.as_ref().clone()));
        }
        let plan = LogicalPlanBuilder::from(below.plan)
            .filter(condition)?
            .build()?;
        let items = columns_of(limit.input.schema());
        Dependent {
            plan,
            keys: below.keys,
        }
        .project(items)
    }

    /// The query with a column more: the number of the row among those of its key.
    fn numbered(
        &mut self,
        plan: &LogicalPlan,
        domain: &Domain,
        number: &str,
    ) -> DfResult<Dependent> {
        let (below, order) = match plan {
            LogicalPlan::Projection(p) => {
                let below = self.numbered(&p.input, domain, number)?;
                let mut items = named(&p.expr, &p.schema, |e| below.at(e, domain))?;
                items.push(Expr::Column(Column::from_name(number)));
                return below.project(items);
            }
            LogicalPlan::Sort(sort) => {
                let below = self.over(&sort.input, domain)?;
                let order = sort
                    .expr
                    .iter()
                    .map(|key| {
                        let expr = below.at(key.expr.clone(), domain)?;
                        Ok(SortKey::new(expr, key.asc, key.nulls_first))
                    })
                    .collect::<DfResult<Vec<_>>>()?;
                (below, order)
            }
            other => (self.over(other, domain)?, vec![]),
        };
        let partition: Vec<Expr> = below.keys.iter().cloned().map(Expr::Column).collect();
        let mut call = row_number().partition_by(partition);
        if !order.is_empty() {
            call = call.order_by(order);
        }
        let call = call.build()?.alias("__number");
        let mut items = columns_of(plan.schema());
        items.push(Expr::Column(Column::from_name("__number")).alias(number));
        let numbered = LogicalPlanBuilder::from(below.plan)
            .window(vec![call])?
            .build()?;
        Dependent {
            plan: numbered,
            keys: below.keys,
        }
        .project(items)
    }

    fn distinct_over(&mut self, distinct: &Distinct, domain: &Domain) -> DfResult<Dependent> {
        let below = self.over(distinct.input(), domain)?;
        let keys: Vec<Expr> = below.keys.iter().cloned().map(Expr::Column).collect();
        let builder = LogicalPlanBuilder::from(below.plan.clone());
        let plan = match distinct {
            Distinct::All(_) => builder.distinct()?,
            Distinct::On(on) => {
                let at = |e: &Expr| below.at(e.clone(), domain);
                let mut wanted = keys.clone();
                for expr in &on.on_expr {
                    wanted.push(at(expr)?);
                }
                let mut items = named(&on.select_expr, &on.schema, |e| below.at(e, domain))?;
                items.extend(keys.clone());
                let mut order: Vec<SortKey> = keys
                    .iter()
                    .map(|key| SortKey::new(key.clone(), true, false))
                    .collect();
                for key in on.sort_expr.iter().flatten() {
                    order.push(SortKey::new(at(&key.expr)?, key.asc, key.nulls_first));
                }
                builder.distinct_on(wanted, items, Some(order))?
            }
        };
        let (plan, keys) = (plan.build()?, below.keys);
        Ok(Dependent { plan, keys })
    }

    fn aggregate_over(&mut self, aggregate: &Aggregate, domain: &Domain) -> DfResult<Dependent> {
        let is_set = |e: &Expr| matches!(e, Expr::GroupingSet(_));
        if aggregate.group_expr.iter().any(is_set) {
            return Err(unsupported("GROUPING SETS"));
        }
        let below = self.over(&aggregate.input, domain)?;
        let all = aggregate.group_expr.iter().chain(&aggregate.aggr_expr);
        let all: Vec<Expr> = all.cloned().collect();
        let mut groups = named(&all, &aggregate.schema, |e| below.at(e, domain))?;
        let values = groups.split_off(aggregate.group_expr.len());
        groups.extend(below.keys.iter().cloned().map(Expr::Column));
        let plan =
            LogicalPlan::Aggregate(Aggregate::try_new(Arc::new(below.plan), groups, values)?);
        let grouped = Dependent {
            plan,
            keys: below.keys,
        };
        if aggregate.group_expr.is_empty() {
            return self.with_empty_groups(aggregate, grouped, domain);
        }
        grouped.project(columns_of(&aggregate.schema))
    }

    /// Aggregates without GROUP BY give a row also where there is nothing to aggregate: count() is
    /// zero there, and the others are NULL.
    fn with_empty_groups(
        &mut self,
        aggregate: &Aggregate,
        grouped: Dependent,
        domain: &Domain,
    ) -> DfResult<Dependent> {
        let all = self.instance(domain)?;
        let on = all
            .keys
            .iter()
            .zip(&grouped.keys)
            .map(|(a, b)| same(Expr::Column(a.clone()), Expr::Column(b.clone())));
        let plan = join(all.plan, grouped.plan, JoinType::Left, on.collect())?;
        let mut items = Vec::new();
        for ((table, field), expr) in aggregate.schema.iter().zip(&aggregate.aggr_expr) {
            let column = Expr::Column((table, field).into());
            let nothing = match expr.clone().unalias() {
                Expr::AggregateFunction(call) => call.func.default_value(field.data_type())?,
                _ => ScalarValue::Null,
            };
            items.push(match nothing.is_null() {
                true => column,
                false => coalesce(vec![column, lit(nothing)])
                    .alias_qualified(table.cloned(), field.name()),
            });
        }
        Dependent {
            plan,
            keys: all.keys,
        }
        .project(items)
    }

    fn window_over(&mut self, window: &Window, domain: &Domain) -> DfResult<Dependent> {
        let below = self.over(&window.input, domain)?;
        let keys: Vec<Expr> = below.keys.iter().cloned().map(Expr::Column).collect();
        let mut calls = Vec::new();
        for expr in &window.window_expr {
            let (table, name) = expr.qualified_name();
            let call = below.at(expr.clone(), domain)?.transform_up(|e| {
                let Expr::WindowFunction(mut call) = e else {
                    return Ok(Transformed::no(e));
                };
                call.params.partition_by.extend(keys.iter().cloned());
                Ok(Transformed::yes(Expr::WindowFunction(call)))
            })?;
            calls.push(call.data.unalias().alias_qualified(table, name));
        }
        let plan = LogicalPlan::Window(Window::try_new(calls, Arc::new(below.plan))?);
        let keys = below.keys;
        Dependent { plan, keys }.project(columns_of(&window.schema))
    }

    fn join_over(&mut self, old: &Join, domain: &Domain) -> DfResult<Dependent> {
        use JoinType::*;
        let in_left = refers(&old.left, domain);
        let in_right = refers(&old.right, domain);
        // The side whose rows may go without a partner must have the keys itself.
        let (wants_left, wants_right) = match old.join_type {
            Inner => (in_left || !in_right, in_right),
            Left | LeftSemi | LeftAnti | LeftMark => (true, in_right),
            Right | RightSemi | RightAnti | RightMark => (in_left, true),
            Full => (true, true),
        };
        let mut side = |plan: &LogicalPlan, wants: bool| match wants {
            true => self.over(plan, domain).map(Some),
            false => Ok(None),
        };
        let left = side(&old.left, wants_left)?;
        let right = side(&old.right, wants_right)?;
        let mut on = Vec::new();
        if let (Some(l), Some(r)) = (&left, &right) {
            for (a, b) in l.keys.iter().zip(&r.keys) {
                on.push(same(Expr::Column(a.clone()), Expr::Column(b.clone())));
            }
        }
        let from_right = matches!(old.join_type, Right | RightSemi | RightAnti | RightMark);
        let keys = match (&left, &right) {
            (Some(l), None) => l.keys.clone(),
            (_, Some(r)) if from_right || left.is_none() => r.keys.clone(),
            (Some(l), _) => l.keys.clone(),
            (None, _) => return Err(unsupported("a join like this")),
        };
        let full = match (&left, &right, old.join_type) {
            (Some(l), Some(r), Full) => Some((l.keys.clone(), r.keys.clone())),
            _ => None,
        };
        for condition in conditions_of(old) {
            on.push(at_keys(condition, domain, &keys)?);
        }
        let plan_of = |side: Option<Dependent>, plan: &Arc<LogicalPlan>| match side {
            Some(side) => side.plan,
            None => plan.as_ref().clone(),
        };
        let (l, r) = (plan_of(left, &old.left), plan_of(right, &old.right));
        let plan = join(l, r, old.join_type, on)?;
        let mut items = columns_of(&old.schema);
        let Some((left_keys, right_keys)) = full else {
            return Dependent { plan, keys }.project(items);
        };
        let mut keys = Vec::new();
        for (a, b) in left_keys.into_iter().zip(right_keys) {
            let name = self.name("key");
            items.push(coalesce(vec![Expr::Column(a), Expr::Column(b)]).alias(&name));
            keys.push(Column::from_name(name));
        }
        let plan = select(plan, items)?;
        Ok(Dependent { plan, keys })
    }

    fn union_over(&mut self, union: &Union, domain: &Domain) -> DfResult<Dependent> {
        let names: Vec<String> = domain.columns.iter().map(|_| self.name("key")).collect();
        let mut parts = Vec::new();
        for input in &union.inputs {
            let part = self.over(input, domain)?;
            let mut items = columns_of(input.schema());
            for (key, name) in part.keys.into_iter().zip(&names) {
                items.push(Expr::Column(key).alias(name));
            }
            parts.push(Arc::new(select(part.plan, items)?));
        }
        let plan = LogicalPlan::Union(Union::try_new_with_loose_types(parts)?);
        let columns: Vec<Column> = plan.schema().columns();
        let wanted = union.schema.iter().zip(&columns);
        let mut items: Vec<Expr> = wanted
            .map(|((table, field), column)| {
                Expr::Column(column.clone()).alias_qualified(table.cloned(), field.name())
            })
            .collect();
        let keys: Vec<Column> = names.iter().map(Column::from_name).collect();
        for (column, name) in columns[union.schema.fields().len()..].iter().zip(&names) {
            items.push(Expr::Column(column.clone()).alias(name));
        }
        let plan = select(plan, items)?;
        Ok(Dependent { plan, keys })
    }

    /// VALUES rows of outer columns: each row is made of the domain.
    fn values_over(&mut self, values: &Values, domain: &Domain) -> DfResult<Dependent> {
        let names: Vec<String> = domain.columns.iter().map(|_| self.name("key")).collect();
        let mut parts = Vec::new();
        for row in &values.values {
            let part = self.instance(domain)?;
            let mut items = named(row, &values.schema, |e| part.at(e, domain))?;
            for (key, name) in part.keys.iter().zip(&names) {
                items.push(Expr::Column(key.clone()).alias(name));
            }
            parts.push(Arc::new(select(part.plan, items)?));
        }
        let plan = match parts.len() {
            1 => parts.remove(0).as_ref().clone(),
            _ => LogicalPlan::Union(Union::try_new_with_loose_types(parts)?),
        };
        let keys = names.iter().map(Column::from_name).collect();
        Ok(Dependent { plan, keys })
    }
}

impl Dependent {
    /// `expr` with the keys for the outer columns.
    fn at(&self, expr: Expr, domain: &Domain) -> DfResult<Expr> {
        at_keys(expr, domain, &self.keys)
    }

    /// `items` and the keys.
    fn project(self, mut items: Vec<Expr>) -> DfResult<Dependent> {
        items.extend(self.keys.iter().cloned().map(Expr::Column));
        let plan = select(self.plan, items)?;
        let keys = self.keys;
        Ok(Dependent { plan, keys })
    }
}

fn at_keys(expr: Expr, domain: &Domain, keys: &[Column]) -> DfResult<Expr> {
    let place = |column: &Column| domain.columns.iter().position(|(outer, _)| outer == column);
    let changed = expr.transform_up(|e| {
        Ok(match &e {
            Expr::OuterReferenceColumn(_, column) => match place(column) {
                Some(i) => Transformed::yes(Expr::Column(keys[i].clone())),
                None => Transformed::no(e),
            },
            _ => Transformed::no(e),
        })
    })?;
    Ok(changed.data)
}

/// `exprs`, changed by `change`, under the names that they had in `schema`.
fn named(
    exprs: &[Expr],
    schema: &DFSchema,
    change: impl Fn(Expr) -> DfResult<Expr>,
) -> DfResult<Vec<Expr>> {
    let fields = exprs.iter().zip(schema.iter());
    fields
        .map(|(expr, (table, field))| {
            let changed = change(expr.clone())?;
            Ok(match changed == *expr {
                true => changed,
                false => changed
                    .unalias()
                    .alias_qualified(table.cloned(), field.name()),
            })
        })
        .collect()
}

pub fn select(plan: LogicalPlan, items: Vec<Expr>) -> DfResult<LogicalPlan> {
    Ok(LogicalPlan::Projection(Projection::try_new(
        items,
        Arc::new(plan),
    )?))
}

pub fn columns_of(schema: &DFSchema) -> Vec<Expr> {
    schema.columns().into_iter().map(Expr::Column).collect()
}

pub fn same(a: Expr, b: Expr) -> Expr {
    binary_expr(a, Operator::IsNotDistinctFrom, b)
}

pub fn join(
    left: LogicalPlan,
    right: LogicalPlan,
    kind: JoinType,
    mut on: Vec<Expr>,
) -> DfResult<LogicalPlan> {
    if on.is_empty() {
        on.push(lit(true));
    }
    LogicalPlanBuilder::from(left)
        .join_on(right, kind, on)?
        .build()
}

/// All conditions of a join, as they stand in ON.
pub fn conditions_of(join: &Join) -> Vec<Expr> {
    let equal = |(l, r): &(Expr, Expr)| match join.null_equality {
        NullEquality::NullEqualsNull => same(l.clone(), r.clone()),
        NullEquality::NullEqualsNothing => l.clone().eq(r.clone()),
    };
    let equal = join.on.iter().map(equal);
    equal.chain(join.filter.clone()).collect()
}

/// The outer columns that `plan` and the subqueries in it refer to and `schema` has.
pub fn outer_columns(plan: &LogicalPlan, schema: &DFSchema) -> Vec<Column> {
    let mut found: Vec<Column> = Vec::new();
    visit_outer(plan, &mut |column| {
        if schema.has_column(column) && !found.contains(column) {
            found.push(column.clone());
        }
    });
    found
}

fn refers(plan: &LogicalPlan, domain: &Domain) -> bool {
    let mut found = false;
    visit_outer(plan, &mut |column| {
        found |= domain.columns.iter().any(|(outer, _)| outer == column);
    });
    found
}

pub fn refers_outside(plan: &LogicalPlan) -> bool {
    let mut found = false;
    visit_outer(plan, &mut |_| found = true);
    found
}

fn visit_outer(plan: &LogicalPlan, visit: &mut impl FnMut(&Column)) {
    // The walk cannot fail, because its closures do not.
    let _ = plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|e| {
                if let Expr::OuterReferenceColumn(_, column) = e {
                    visit(column);
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    });
}
