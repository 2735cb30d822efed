//! CHECK constraints: whether a condition can be one, and which of a table's a row violates.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion::common::tree_node::TreeNode;
use datafusion::common::{DFSchema, ScalarValue, TableReference};
use datafusion::execution::SessionState;
use datafusion::logical_expr::expr::Case;
use datafusion::logical_expr::{EmptyRelation, Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::sql::planner::PlannerContext;

use crate::catalog::Run;
use crate::change::refuse_aggregates;
use crate::ddl::CreateTable;
use crate::dml::parse_expression;
use crate::error::{BridgeError, Res};
use crate::parse::bare_name;
use crate::planner::Planner;
use crate::types::sql_name;

/// The place of the first CHECK that is false for a row of `stored`, as an INTEGER that is else
/// NULL; None if there are no constraints.
pub fn violated(
    planner: &Planner,
    stored: &DFSchema,
    checks: &[(String, String)],
) -> Res<Option<Expr>> {
    let mut cases = Vec::new();
    for (i, (_, condition)) in checks.iter().enumerate() {
        let sql = parse_expression(condition)?;
        let condition = planner
            .sql()
            .sql_to_expr(sql, stored, &mut PlannerContext::new())?;
        let number = Expr::Literal(ScalarValue::Int32(Some(i as i32)), None);
        cases.push((Box::new(condition.is_false()), Box::new(number)));
    }
    if cases.is_empty() {
        return Ok(None);
    }
    Ok(Some(Expr::Case(Case::new(None, cases, None))))
}

/// Refuses CHECK constraints that are no conditions over the table's own columns, and finds out
/// which columns each of them uses. Errors: 42804, 42703, 42803, 0A000.
pub fn validate(state: &Arc<SessionState>, table: &mut CreateTable) -> Res<()> {
    if table.constraints.checks.is_empty() {
        return Ok(());
    }
    let run = unsafe { Run::new(std::ptr::null(), std::ptr::null()) }?;
    let planner = Planner::new(state, &run);
    let name = TableReference::bare(bare_name(&table.table.text));
    let fields = table.columns.iter().map(|c| {
        let field = Field::new(&c.name.text, c.data_type.clone(), true);
        (Some(name.clone()), Arc::new(field))
    });
    let schema = DFSchema::new_with_metadata(fields.collect(), Default::default())?;
    for check in &mut table.constraints.checks {
        let at = check.position;
        check.columns = validate_one(state, &planner, &schema, &check.condition)
            .map_err(|e| if e.position.is_none() { e.at(at) } else { e })?;
    }
    Ok(())
}

fn validate_one(
    state: &SessionState,
    planner: &Planner,
    schema: &DFSchema,
    condition: &str,
) -> Res<Vec<String>> {
    let sql = parse_expression(condition)?;
    let expr = planner
        .sql()
        .sql_to_expr(sql, schema, &mut PlannerContext::new())
        .map_err(Box::<BridgeError>::from)?;
    refuse_aggregates(&expr, "check constraints")?;
    let odd = |wanted: fn(&Expr) -> bool| expr.exists(|e| Ok(wanted(e)));
    if odd(|e| {
        matches!(
            e,
            Expr::ScalarSubquery(_) | Expr::InSubquery(_) | Expr::Exists(_)
        )
    })? {
        return Err(BridgeError::new(
            "0A000",
            "cannot use subquery in check constraint",
        ));
    }
    if odd(|e| matches!(e, Expr::Placeholder(_)))? {
        return Err(BridgeError::new(
            "42P02",
            "a check constraint has no parameters",
        ));
    }
    let mut columns: Vec<String> = expr.column_refs().iter().map(|c| c.name.clone()).collect();
    columns.sort();
    columns.dedup();
    let rows = LogicalPlan::EmptyRelation(EmptyRelation {
        produce_one_row: false,
        schema: Arc::new(schema.clone()),
    });
    let plan = LogicalPlanBuilder::from(rows).project([expr])?.build()?;
    let plan = state
        .analyzer()
        .execute_and_check(plan, state.config_options(), |_, _| {})?;
    let kind = plan.schema().field(0).data_type().clone();
    if kind != DataType::Boolean && !kind.is_null() {
        return Err(BridgeError::new(
            "42804",
            format!(
                "argument of CHECK must be type boolean, not type {}",
                sql_name(&kind).to_lowercase()
            ),
        ));
    }
    Ok(columns)
}
