//! VALUES with subqueries in it. DataFusion computes the rows of VALUES before anything runs, which
//! a subquery cannot be; so they become a union of queries of one row each.

use std::sync::Arc;

use datafusion::common::DFSchema;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::{
    Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Union, Values, cast,
};

pub fn as_queries(values: Values) -> DfResult<Transformed<LogicalPlan>> {
    let is_subquery = |e: &Expr| {
        matches!(
            e,
            Expr::ScalarSubquery(_) | Expr::InSubquery(_) | Expr::Exists(_)
        )
    };
    let mut found = false;
    for expr in values.values.iter().flatten() {
        found |= expr.exists(|e| Ok(is_subquery(e)))?;
    }
    if !found {
        return Ok(Transformed::no(LogicalPlan::Values(values)));
    }
    let nothing = DFSchema::empty();
    let mut rows = Vec::new();
    for row in values.values {
        let mut items = Vec::new();
        for (expr, field) in row.into_iter().zip(values.schema.fields()) {
            let fits = expr.get_type(&nothing)? == *field.data_type();
            let value = match fits {
                true => expr,
                false => cast(expr, field.data_type().clone()),
            };
            items.push(value.alias(field.name()));
        }
        let one = LogicalPlanBuilder::empty(true).project(items)?.build()?;
        rows.push(Arc::new(one));
    }
    Ok(Transformed::yes(match rows.len() {
        1 => rows.remove(0).as_ref().clone(),
        _ => LogicalPlan::Union(Union::try_new_with_loose_types(rows)?),
    }))
}
