//! IN lists of which DataFusion would make one.
//!
//! Its simplifier intersects and unites the lists of `a IN (..) AND a NOT IN (..)` and the like by
//! comparing their items as expressions. Of literals that is right. But $1 and $2, or the columns b
//! and c, may have one value though they are two expressions, and `a IN ($1) AND a IN ($2)` would
//! be false. So where a plan has several lists, those that hold something else than literals become
//! comparisons: a = $1 OR a = $2.

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Expr, LogicalPlan, and, or};

/// Takes lists apart where several could meet.
pub fn apart(plan: LogicalPlan) -> DfResult<LogicalPlan> {
    let (mut lists, mut unknown) = (0, 0);
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|e| {
                if let Expr::InList(list) = e {
                    lists += 1;
                    unknown += usize::from(!is_known(list));
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    if lists < 2 || unknown == 0 {
        return Ok(plan);
    }
    let plan = plan.transform_up_with_subqueries(|node| {
        let names = NamePreserver::new(&node);
        node.map_expressions(|expr| {
            let name = names.save(&expr);
            let changed = expr.transform_up(|e| match e {
                Expr::InList(list) if !is_known(&list) => Ok(Transformed::yes(compared(list))),
                other => Ok(Transformed::no(other)),
            })?;
            Ok(match changed.transformed {
                true => changed.update_data(|e| name.restore(e)),
                false => changed,
            })
        })
    })?;
    Ok(plan.data)
}

fn is_known(list: &InList) -> bool {
    list.list.iter().all(|e| matches!(e, Expr::Literal(..)))
}

fn compared(list: InList) -> Expr {
    let InList {
        expr,
        list,
        negated,
    } = list;
    let mut terms: Vec<Expr> = list
        .into_iter()
        .map(|item| match negated {
            true => expr.as_ref().clone().not_eq(item),
            false => expr.as_ref().clone().eq(item),
        })
        .collect();
    // In pairs, so that a long list does not become a deep tree.
    while terms.len() > 1 {
        let mut pairs = Vec::with_capacity(terms.len().div_ceil(2));
        let mut rest = terms.into_iter();
        while let Some(a) = rest.next() {
            pairs.push(match rest.next() {
                Some(b) if negated => and(a, b),
                Some(b) => or(a, b),
                None => a,
            });
        }
        terms = pairs;
    }
    terms
        .pop()
        .unwrap_or_else(|| datafusion::prelude::lit(negated))
}
