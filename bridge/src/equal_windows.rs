//! Calls of a window function that are the same are computed once.
//!
//!     Projection lag(b) AS "lag(b)", lag(b) AS "lag(ltrim(b))"
//!       Window lag(b)
//!
//! They become the same when constants are folded. DataFusion, which looks for common expressions
//! next, would take the call out of its window and compute it beside it, where it cannot be.

use std::sync::Arc;

use datafusion::common::Column;
use datafusion::common::tree_node::Transformed;
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::{Expr, LogicalPlan, Projection, Window};
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

/// The rule before which this one must run.
pub const BEFORE: &str = "common_sub_expression_eliminate";

#[derive(Debug)]
pub struct EqualWindows;

impl OptimizerRule for EqualWindows {
    fn name(&self) -> &str {
        "trefoil_equal_windows"
    }
    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }
    fn rewrite(
        &self,
        plan: LogicalPlan,
        _: &dyn OptimizerConfig,
    ) -> DfResult<Transformed<LogicalPlan>> {
        let LogicalPlan::Window(window) = &plan else {
            return Ok(Transformed::no(plan));
        };
        Ok(match without_equals(window)? {
            Some(once) => Transformed::yes(once),
            None => Transformed::no(plan),
        })
    }
}

fn without_equals(window: &Window) -> DfResult<Option<LogicalPlan>> {
    let below = calls_below(&window.input);
    let width = window.input.schema().fields().len();
    // What stands for each call: a column of the window without the others.
    let mut kept: Vec<Expr> = Vec::new();
    let mut places = Vec::new();
    for call in &window.window_expr {
        let bare = call.clone().unalias();
        let known = below.iter().find(|(known, _)| *known == bare);
        let again = kept.iter().position(|k| k.clone().unalias() == bare);
        places.push(match (known, again) {
            _ if bare.is_volatile() => width + kept.len(),
            (Some((_, place)), _) => *place,
            (_, Some(at)) => width + at,
            _ => width + kept.len(),
        });
        if places.last() == Some(&(width + kept.len())) {
            kept.push(call.clone());
        }
    }
    if kept.len() == window.window_expr.len() {
        return Ok(None);
    }
    let input = match kept.is_empty() {
        true => window.input.clone(),
        false => {
            let once = Window::try_new(kept, window.input.clone())?;
            Arc::new(LogicalPlan::Window(once))
        }
    };
    let columns = window.schema.iter().enumerate().map(|(i, (of, field))| {
        let from = if i < width { i } else { places[i - width] };
        let column = Column::from(input.schema().qualified_field(from));
        let same = column.relation.as_ref() == of && column.name == *field.name();
        let column = Expr::Column(column);
        match same {
            true => column,
            false => column.alias_qualified(of.cloned(), field.name()),
        }
    });
    let columns = columns.collect();
    let projection = Projection::try_new(columns, input)?;
    Ok(Some(LogicalPlan::Projection(projection)))
}

/// The calls of the windows directly below, and the places of their columns.
fn calls_below(mut plan: &Arc<LogicalPlan>) -> Vec<(Expr, usize)> {
    let mut calls = Vec::new();
    while let LogicalPlan::Window(window) = plan.as_ref() {
        let width = window.input.schema().fields().len();
        let bare = window.window_expr.iter().map(|e| e.clone().unalias());
        calls.extend(bare.enumerate().map(|(i, call)| (call, width + i)));
        plan = &window.input;
    }
    calls
}
