//! IN lists of which DataFusion would make one.
//!
//! Its simplifier intersects and unites the lists of `a IN (..) AND a NOT IN (..)` and the like.
//! That is wrong in three ways: $1 and $2, or the columns b and c, are two items for it though they
//! may have one value; where no item is left it says false or true, though a may be NULL; and NULL
//! is an item like any other. It also makes a list of `a = 1 OR a = 2`. So where a plan has several
//! lists, each becomes the argument of same(), see same.rs. The access layer looks through it.
//!
//! Whether a list is constant DataFusion finds out by asking its items about no rows, for which a
//! CASE is NULL, and so constant. So `a IN (CASE ..., 1)` becomes a = CASE ... OR a = 1.

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::{conjunction, disjunction};
use datafusion::logical_expr::{Expr, LogicalPlan, Operator};
use datafusion::prelude::lit;

use crate::same::same;
use crate::text::check_operators;

/// Hides the lists of a plan from each other, and takes those apart that hold more than values.
pub fn hide(plan: LogicalPlan) -> DfResult<LogicalPlan> {
    let plan = rewrite(plan, |e| match e {
        Expr::InList(list) if list.list.iter().any(is_computed) => {
            check_operators(list.list.len())?;
            Ok(Transformed::yes(compared(list)))
        }
        other => Ok(Transformed::no(other)),
    })?;
    if count(&plan)? < 2 {
        return Ok(plan);
    }
    rewrite(plan, |e| match is_list(&e) {
        true => Ok(Transformed::new(same(e), true, TreeNodeRecursion::Jump)),
        false => Ok(Transformed::no(e)),
    })
}

/// Each expression of a plan, from the top, rewritten under its name.
fn rewrite(
    plan: LogicalPlan,
    change: impl Fn(Expr) -> DfResult<Transformed<Expr>>,
) -> DfResult<LogicalPlan> {
    let rewritten = plan.transform_up_with_subqueries(|node| {
        let names = NamePreserver::new(&node);
        node.map_expressions(|expr| {
            let name = names.save(&expr);
            let changed = expr.transform_down(&change)?;
            Ok(match changed.transformed {
                true => changed.update_data(|e| name.restore(e)),
                false => changed,
            })
        })
    })?;
    Ok(rewritten.data)
}

/// Whether an item is neither a constant nor a column.
fn is_computed(item: &Expr) -> bool {
    item.any_column_refs() && !matches!(without_casts(item), Expr::Column(_))
}

/// a = x OR a = y, or a <> x AND a <> y, for a list of x and y.
fn compared(list: InList) -> Expr {
    let (value, negated) = (list.expr, list.negated);
    let terms = list.list.into_iter().map(|item| match negated {
        true => value.as_ref().clone().not_eq(item),
        false => value.as_ref().clone().eq(item),
    });
    let all = match negated {
        true => conjunction(terms),
        false => disjunction(terms),
    };
    all.unwrap_or(lit(negated))
}

fn count(plan: &LogicalPlan) -> DfResult<usize> {
    let mut lists = 0;
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|e| {
                let found = is_list(e);
                lists += usize::from(found);
                Ok(match found {
                    true => TreeNodeRecursion::Jump,
                    false => TreeNodeRecursion::Continue,
                })
            })
        })
    })?;
    Ok(lists)
}

fn is_list(expr: &Expr) -> bool {
    match expr {
        Expr::InList(list) => !list.list.iter().any(has_subquery),
        Expr::BinaryExpr(b) if b.op == Operator::Or => {
            value_of(&b.right).is_some_and(|value| is_one_of(expr, value))
        }
        _ => false,
    }
}

/// Whether `expr` says no more than that `value` is one of several constants.
fn is_one_of(expr: &Expr, value: &Expr) -> bool {
    match expr {
        Expr::BinaryExpr(b) if b.op == Operator::Or => {
            is_one_of(&b.right, value) && is_one_of(&b.left, value)
        }
        other => value_of(other) == Some(value),
    }
}

/// a, if `expr` says a = 1 or a IN (1, 2), or that beside something else.
fn value_of(expr: &Expr) -> Option<&Expr> {
    match expr {
        Expr::InList(list) if !list.negated => Some(without_casts(&list.expr)),
        Expr::BinaryExpr(b) if b.op == Operator::Or => value_of(&b.right),
        Expr::BinaryExpr(b) if b.op == Operator::Eq => {
            match (is_constant(&b.left), is_constant(&b.right)) {
                (false, true) => Some(without_casts(&b.left)),
                (true, false) => Some(without_casts(&b.right)),
                _ => None,
            }
        }
        _ => None,
    }
}

fn is_constant(expr: &Expr) -> bool {
    !expr.any_column_refs() && !has_subquery(expr)
}

fn has_subquery(expr: &Expr) -> bool {
    let found = expr.exists(|e| Ok(matches!(e, Expr::ScalarSubquery(_))));
    found.unwrap_or(false)
}

fn without_casts(mut expr: &Expr) -> &Expr {
    while let Expr::Cast(cast) = expr {
        expr = &cast.expr;
    }
    expr
}
