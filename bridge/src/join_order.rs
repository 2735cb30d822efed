//! The order of joins by cost: DataFusion joins in the order of FROM.
//!
//! Inner joins and the semi and anti joins among them (IN, EXISTS) are taken apart into relations
//! and conditions, put into the cheapest order that `join_graph` finds, and built again with the
//! smaller side on the left, where a hash join builds its table. Equal columns are equal through
//! third ones, so a join may get a condition that nobody wrote. Everything else, outer joins
//! first of all, is one relation, inside which the same happens.
//!
//! The order stays as it was written if another is not clearly cheaper.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, JoinType, NullEquality};
use datafusion::error::Result as DfResult;
use datafusion::execution::SessionState;
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{
    Expr, ExprSchemable, Join, JoinConstraint, LogicalPlan, LogicalPlanBuilder, Projection,
};
use datafusion::optimizer::Optimizer;
use datafusion::optimizer::optimize_projections::OptimizeProjections;
use datafusion::optimizer::push_down_filter::PushDownFilter;

use crate::estimate::{Estimate, estimate, share};
use crate::join_graph::{Class, Condition, Graph, Semi, Set, Tree};
use crate::options::{Switch, is_on};

/// An order that costs so much of the one that was written is not worth a change.
const CLEARLY: f64 = 0.9;
/// Sets of relations and semi joins are the bits of a number.
const RELATIONS_MAX: usize = 60;

/// `plan`, which is optimised already, with its joins in a better order.
pub fn reorder(state: &SessionState, plan: LogicalPlan) -> DfResult<LogicalPlan> {
    if !is_on(state.config_options(), Switch::JoinOrder) {
        return Ok(plan);
    }
    let ordered = plan.transform_down_with_subqueries(|node| {
        if !is_part(&node) || matches!(node, LogicalPlan::Projection(_)) {
            return Ok(Transformed::no(node));
        }
        reorder_joins(node)
    })?;
    if !ordered.transformed {
        return Ok(ordered.data);
    }
    let tidy = Optimizer::with_rules(vec![
        Arc::new(PushDownFilter::new()),
        Arc::new(OptimizeProjections::new()),
    ]);
    tidy.optimize(ordered.data, state, |_, _| {})
}

/// True for what is taken apart.
fn is_part(node: &LogicalPlan) -> bool {
    match node {
        LogicalPlan::Join(join) => {
            let kind = matches!(
                join.join_type,
                JoinType::Inner | JoinType::LeftSemi | JoinType::LeftAnti
            );
            let conditions = join.on.iter().flat_map(|(l, r)| [l, r]);
            kind && join.null_equality == NullEquality::NullEqualsNothing
                && !join.null_aware
                && conditions.chain(&join.filter).all(is_movable)
        }
        LogicalPlan::Projection(p) => {
            p.expr.iter().all(|e| matches!(e, Expr::Column(_)))
                && matches!(p.input.as_ref(), LogicalPlan::Join(_))
                && is_part(&p.input)
        }
        _ => false,
    }
}

fn is_movable(condition: &Expr) -> bool {
    let fixed = |e: &Expr| {
        Ok(matches!(
            e,
            Expr::ScalarSubquery(_) | Expr::InSubquery(_) | Expr::Exists(_)
        ) || e.is_volatile_node())
    };
    !condition.exists(fixed).unwrap_or(true)
}

/// The answer tells the walk where to go on: not into the joins that were just built.
fn reorder_joins(node: LogicalPlan) -> DfResult<Transformed<LogicalPlan>> {
    let mut parts = Parts::default();
    let written = parts.take_apart(&node)?;
    let (relations, semis) = (parts.plans.len(), parts.semis.len());
    let mut changed = false;
    for plan in parts
        .plans
        .iter_mut()
        .chain(parts.semis.iter_mut().map(|s| &mut s.plan))
    {
        let inner = std::mem::take(plan).transform_down_with_subqueries(|node| {
            if !is_part(&node) || matches!(node, LogicalPlan::Projection(_)) {
                return Ok(Transformed::no(node));
            }
            reorder_joins(node)
        })?;
        changed |= inner.transformed;
        *plan = inner.data;
    }
    let mut tree = written;
    if relations + semis > 2 && relations > 1 && relations + semis <= RELATIONS_MAX {
        let graph = parts.graph()?;
        let best = graph.best();
        if graph.cost(&best) < CLEARLY * graph.cost(&tree) {
            tree = smaller_left(best, &graph);
            changed = true;
        }
    }
    if !changed {
        return Ok(Transformed::new(node, false, TreeNodeRecursion::Jump));
    }
    let (built, _) = parts.build(&tree)?;
    let built = in_order_of(built, &node)?;
    Ok(Transformed::new(built, true, TreeNodeRecursion::Jump))
}

fn smaller_left(tree: Tree, graph: &Graph) -> Tree {
    match tree {
        Tree::Join(left, right) => {
            let rows = |side: &Tree| graph.rows(graph.set_of(side));
            let (left, right) = if rows(&right) < rows(&left) {
                (right, left)
            } else {
                (left, right)
            };
            Tree::Join(
                Box::new(smaller_left(*left, graph)),
                Box::new(smaller_left(*right, graph)),
            )
        }
        Tree::Semi(input, semi) => Tree::Semi(Box::new(smaller_left(*input, graph)), semi),
        relation => relation,
    }
}

/// `plan` with the columns of `like`.
fn in_order_of(plan: LogicalPlan, like: &LogicalPlan) -> DfResult<LogicalPlan> {
    if plan.schema() == like.schema() {
        return Ok(plan);
    }
    let columns = like
        .schema()
        .columns()
        .into_iter()
        .map(Expr::Column)
        .collect();
    Ok(LogicalPlan::Projection(Projection::try_new(
        columns,
        Arc::new(plan),
    )?))
}

/// What joins were made of.
#[derive(Default)]
struct Parts {
    plans: Vec<LogicalPlan>,
    /// Pairs of columns of one type that are equal.
    equal: Vec<(Column, Column)>,
    /// What else must hold, and for an equality its sides.
    conditions: Vec<Expr>,
    semis: Vec<SemiPart>,
}

struct SemiPart {
    plan: LogicalPlan,
    join: Join,
}

impl Parts {
    fn take_apart(&mut self, node: &LogicalPlan) -> DfResult<Tree> {
        if !is_part(node) {
            self.plans.push(node.clone());
            return Ok(Tree::Relation(self.plans.len() - 1));
        }
        let join = match node {
            LogicalPlan::Projection(p) => return self.take_apart(&p.input),
            LogicalPlan::Join(join) => join,
            _ => unreachable!("is_part() knows joins and projections"),
        };
        let left = Box::new(self.take_apart(&join.left)?);
        if join.join_type != JoinType::Inner {
            self.semis.push(SemiPart {
                plan: join.right.as_ref().clone(),
                join: join.clone(),
            });
            return Ok(Tree::Semi(left, self.semis.len() - 1));
        }
        let right = Box::new(self.take_apart(&join.right)?);
        for (l, r) in &join.on {
            match (l, r) {
                (Expr::Column(a), Expr::Column(b))
                    if l.get_type(join.left.schema())? == r.get_type(join.right.schema())? =>
                {
                    self.equal.push((a.clone(), b.clone()));
                }
                _ => self.conditions.push(l.clone().eq(r.clone())),
            }
        }
        if let Some(filter) = &join.filter {
            self.conditions
                .extend(split_conjunction_owned(filter.clone()));
        }
        Ok(Tree::Join(left, right))
    }

    fn relation_of(&self, column: &Column) -> Option<usize> {
        self.plans
            .iter()
            .position(|plan| plan.schema().has_column(column))
    }

    /// The relations whose columns `expr` has.
    fn needs(&self, expr: &Expr) -> Set {
        let columns = expr.column_refs();
        let relations = columns.iter().filter_map(|c| self.relation_of(c));
        relations.fold(0, |set, r| set | 1 << r)
    }

    fn classes(&self) -> Vec<Class> {
        let mut classes: Vec<Class> = Vec::new();
        for (a, b) in &self.equal {
            let (Some(x), Some(y)) = (self.relation_of(a), self.relation_of(b)) else {
                continue;
            };
            let mut joined = Class {
                members: vec![(x, a.clone()), (y, b.clone())],
            };
            classes.retain(|class| {
                let meets = class.members.iter().any(|m| joined.members.contains(m));
                if meets {
                    let news = class.members.iter().filter(|m| !joined.members.contains(m));
                    let news: Vec<_> = news.cloned().collect();
                    joined.members.extend(news);
                }
                !meets
            });
            classes.push(joined);
        }
        classes
    }

    fn sides(&self, condition: &Expr) -> Option<(Set, Set)> {
        let Expr::BinaryExpr(b) = condition else {
            return None;
        };
        let (left, right) = (self.needs(&b.left), self.needs(&b.right));
        let apart = left != 0 && right != 0 && left & right == 0;
        (b.op == datafusion::logical_expr::Operator::Eq && apart).then_some((left, right))
    }

    fn graph(&self) -> DfResult<Graph> {
        let relations: Vec<Estimate> = self.plans.iter().map(estimate).collect();
        let rows_of = |needs: Set| {
            let mut all = Estimate::default();
            for (r, relation) in relations.iter().enumerate() {
                if needs & (1 << r) != 0 {
                    all = all.beside(relation);
                }
            }
            all
        };
        let conditions = self.conditions.iter().map(|condition| {
            let needs = self.needs(condition);
            Condition {
                needs,
                share: share(condition, &rows_of(needs)),
                sides: self.sides(condition),
            }
        });
        let conditions = conditions.collect();
        let semis = self.semis.iter().map(|semi| {
            let keys = semi.join.on.iter().map(|(l, _)| l);
            let (needs, filtered) = self.needs_of_semi(semi);
            let other = estimate(&semi.plan);
            let all = rows_of(needs);
            let most = keys.map(|key| match key {
                Expr::Column(column) => all.distinct(column),
                _ => 1.0,
            });
            let most = most.fold(1.0, f64::max);
            let mut share = if most > 1.0 {
                (other.rows / most).min(1.0)
            } else {
                0.5
            };
            if filtered {
                share *= 0.5;
            }
            if semi.join.join_type == JoinType::LeftAnti {
                share = (1.0 - share).max(0.1);
            }
            Semi {
                needs,
                share,
                rows: other.rows,
            }
        });
        let semis = semis.collect();
        Ok(Graph {
            classes: self.classes(),
            relations,
            conditions,
            semis,
        })
    }

    /// The relations that a semi join looks at, and whether it has a condition besides its keys.
    fn needs_of_semi(&self, semi: &SemiPart) -> (Set, bool) {
        let keys = semi.join.on.iter().map(|(l, _)| self.needs(l));
        let mut needs = keys.fold(0, |a, b| a | b);
        if let Some(filter) = &semi.join.filter {
            let own = filter.column_refs().into_iter();
            let outer = own.filter(|c| !semi.plan.schema().has_column(c));
            needs |= outer
                .filter_map(|c| self.relation_of(c))
                .fold(0, |set, r| set | 1 << r);
        }
        (needs, semi.join.filter.is_some())
    }

    /// The plan of `tree`, and the relations in it.
    fn build(&self, tree: &Tree) -> DfResult<(LogicalPlan, Set)> {
        match tree {
            Tree::Relation(r) => {
                let set = 1 << r;
                let plan = self.plans[*r].clone();
                Ok((
                    self.filtered(plan, |needs| needs != 0 && needs & !set == 0)?,
                    set,
                ))
            }
            Tree::Semi(input, semi) => {
                let (input, set) = self.build(input)?;
                let part = &self.semis[*semi];
                let mut join = part.join.clone();
                join.left = Arc::new(input);
                join.right = Arc::new(part.plan.clone());
                let join = Join::try_new(
                    join.left,
                    join.right,
                    join.on,
                    join.filter,
                    join.join_type,
                    join.join_constraint,
                    join.null_equality,
                    join.null_aware,
                )?;
                Ok((LogicalPlan::Join(join), set))
            }
            Tree::Join(left, right) => self.build_join(left, right),
        }
    }

    fn build_join(&self, left: &Tree, right: &Tree) -> DfResult<(LogicalPlan, Set)> {
        let ((left, l), (right, r)) = (self.build(left)?, self.build(right)?);
        let mut on = Vec::new();
        for class in self.classes() {
            if let (Some(a), Some(b)) = (class.member_in(l), class.member_in(r)) {
                on.push((Expr::Column(a.1.clone()), Expr::Column(b.1.clone())));
            }
        }
        let mut rest = Vec::new();
        for condition in &self.conditions {
            let needs = self.needs(condition);
            if needs & !(l | r) != 0 || needs & !l == 0 || needs & !r == 0 {
                continue;
            }
            match (self.sides(condition), condition) {
                (Some((a, b)), Expr::BinaryExpr(e)) if a & !l == 0 && b & !r == 0 => {
                    on.push((*e.left.clone(), *e.right.clone()));
                }
                (Some((a, b)), Expr::BinaryExpr(e)) if a & !r == 0 && b & !l == 0 => {
                    on.push((*e.right.clone(), *e.left.clone()));
                }
                _ => rest.push(condition.clone()),
            }
        }
        let join = Join::try_new(
            Arc::new(left),
            Arc::new(right),
            on,
            conjunction(rest),
            JoinType::Inner,
            JoinConstraint::On,
            NullEquality::NullEqualsNothing,
            false,
        )?;
        Ok((LogicalPlan::Join(join), l | r))
    }

    /// `plan` with those conditions of whose needs `wanted` says so.
    fn filtered(&self, plan: LogicalPlan, wanted: impl Fn(Set) -> bool) -> DfResult<LogicalPlan> {
        let conditions = self.conditions.iter().filter(|c| wanted(self.needs(c)));
        match conjunction(conditions.cloned()) {
            Some(condition) => LogicalPlanBuilder::from(plan).filter(condition)?.build(),
            None => Ok(plan),
        }
    }
}
