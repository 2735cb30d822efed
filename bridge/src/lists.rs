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
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, Operator};
use datafusion::prelude::lit;

use crate::same::same;

/// Hides the lists of a plan from each other, and takes those apart that hold more than values.
pub fn hide(plan: LogicalPlan) -> DfResult<LogicalPlan> {
    let plan = rewrite(plan, |e| match e {
        Expr::InList(list) if list.list.iter().any(is_computed) => {
            Transformed::new(compared(list), true, TreeNodeRecursion::Continue)
        }
        other => Transformed::no(other),
    })?;
    if count(&plan)? < 2 {
        return Ok(plan);
    }
    rewrite(plan, |e| match is_list(&e) {
        true => Transformed::new(same(e), true, TreeNodeRecursion::Jump),
        false => Transformed::no(e),
    })
}

/// Each expression of a plan, from the top, rewritten under its name.
fn rewrite(plan: LogicalPlan, change: impl Fn(Expr) -> Transformed<Expr>) -> DfResult<LogicalPlan> {
    let rewritten = plan.transform_up_with_subqueries(|node| {
        let names = NamePreserver::new(&node);
        node.map_expressions(|expr| {
            let name = names.save(&expr);
            let changed = expr.transform_down(|e| Ok(change(e)))?;
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
        Expr::BinaryExpr(b) => b.op == Operator::Or && one_of(expr).is_some(),
        _ => false,
    }
}

/// What has to be one of several constants, if that is all that `expr` says.
fn one_of(expr: &Expr) -> Option<&Expr> {
    match expr {
        Expr::InList(list) if !list.negated => Some(without_casts(&list.expr)),
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::Eq,
            right,
        }) => match (is_constant(left), is_constant(right)) {
            (false, true) => Some(without_casts(left)),
            (true, false) => Some(without_casts(right)),
            _ => None,
        },
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::Or,
            right,
        }) => one_of(left).filter(|a| one_of(right) == Some(*a)),
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
