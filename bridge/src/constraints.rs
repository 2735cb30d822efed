//! CHECK constraints: whether a condition can be one, and which of a table's a row violates.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, ScalarValue, TableReference};
use datafusion::execution::SessionState;
use datafusion::logical_expr::expr::Case;
use datafusion::logical_expr::{
    EmptyRelation, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Operator, Volatility,
};
use datafusion::sql::planner::PlannerContext;

use crate::catalog::Run;
use crate::change::refuse_aggregates;
use crate::computed::is_hidden;
use crate::convert::can_assign;
use crate::ddl::CreateTable;
use crate::dml::parse_expression;
use crate::error::{BridgeError, Res};
use crate::parse::bare_name;
use crate::planner::Planner;
use crate::types::{is_text, sql_name};

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
    let any_stored = table.columns.iter().any(|c| c.stored.is_some());
    if table.constraints.checks.is_empty() && !any_stored {
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
        check.columns = validate_one(&planner, &schema, &check.condition)
            .map_err(|e| if e.position.is_none() { e.at(at) } else { e })?;
    }
    let stored: Vec<String> = table
        .columns
        .iter()
        .filter(|c| c.stored.is_some() && !is_hidden(&c.name.text))
        .map(|c| c.name.text.clone())
        .collect();
    for column in &mut table.columns {
        let (at, to) = (column.name.position as usize, column.data_type.clone());
        let name = column.name.text.clone();
        if let Some(expression) = &mut column.stored {
            let text = expression.expression.to_string();
            expression.columns = validate_stored(&planner, &schema, &text, &name, &to, &stored)
                .map_err(|e| if e.position.is_none() { e.at(at) } else { e })?;
        }
    }
    Ok(())
}

/// Refuses an expression that a stored column cannot have; the columns that it uses.
fn validate_stored(
    planner: &Planner,
    schema: &DFSchema,
    text: &str,
    column: &str,
    to: &DataType,
    stored: &[String],
) -> Res<Vec<String>> {
    let expr =
        planner
            .sql()
            .sql_to_expr(parse_expression(text)?, schema, &mut PlannerContext::new())?;
    let of_index = is_hidden(column);
    let place = match of_index {
        true => "index expression",
        false => "column generation expression",
    };
    refuse_aggregates(&expr, &format!("{place}s"))?;
    let has = |wanted: fn(&Expr) -> bool| expr.exists(|e| Ok(wanted(e)));
    if has(is_subquery)? {
        let what = format!("cannot use subquery in {place}");
        return Err(BridgeError::new("0A000", what));
    }
    if has(|e| matches!(e, Expr::Placeholder(_)))? {
        let what = format!("parameters are not allowed in {place}s");
        return Err(BridgeError::new("42P02", what));
    }
    if has(|e| {
        matches!(e, Expr::ScalarFunction(f)
            if f.func.signature().volatility != Volatility::Immutable)
    })? {
        let what = match of_index {
            true => "functions in index expression must be marked IMMUTABLE",
            false => "generation expression is not immutable",
        };
        return Err(BridgeError::new("42P17", what));
    }
    refuse_text_as_number(&expr, schema)?;
    let columns = columns_of(&expr);
    if !of_index && let Some(other) = columns.iter().find(|c| stored.contains(c)) {
        let what =
            format!("cannot use generated column \"{other}\" in column generation expression");
        return Err(BridgeError::new("42P17", what)
            .detail("A generated column cannot reference another generated column."));
    }
    let plan = LogicalPlanBuilder::from(no_rows(schema)).project([expr])?;
    let plan = planner.analysed(plan.build()?)?;
    let from = plan.schema().field(0).data_type();
    if !can_assign(from, to) {
        let what = format!(
            "column \"{column}\" is of type {} but expression is of type {}",
            sql_name(to).to_lowercase(),
            sql_name(from).to_lowercase()
        );
        return Err(BridgeError::new("42804", what));
    }
    Ok(columns)
}

/// A text is no number in what a table keeps: what compares them, or counts with them, would fail
/// for some of its rows. Errors: 42883.
fn refuse_text_as_number(expr: &Expr, schema: &DFSchema) -> Res<()> {
    let is = |e: &Expr, wanted: fn(&DataType) -> bool| e.get_type(schema).is_ok_and(|t| wanted(&t));
    let text = |e: &Expr| !matches!(e, Expr::Literal(..)) && is(e, is_text);
    let number = |e: &Expr| is(e, DataType::is_numeric);
    let mut wrong = None;
    expr.apply(|e| {
        let pairs: Vec<(&Expr, String, &Expr)> = match e {
            Expr::BinaryExpr(b) if b.op.is_numerical_operators() || compares(b.op) => {
                vec![(b.left.as_ref(), b.op.to_string(), b.right.as_ref())]
            }
            Expr::Between(b) => vec![
                (b.expr.as_ref(), ">=".to_string(), b.low.as_ref()),
                (b.expr.as_ref(), "<=".to_string(), b.high.as_ref()),
            ],
            Expr::InList(list) => {
                let items = list.list.iter();
                items
                    .map(|i| (list.expr.as_ref(), "=".to_string(), i))
                    .collect()
            }
            _ => vec![],
        };
        let mixed =
            |(a, _, b): &(&Expr, String, &Expr)| text(a) && number(b) || number(a) && text(b);
        if let Some((a, op, b)) = pairs.into_iter().find(mixed) {
            let name = |e: &Expr| e.get_type(schema).map(|t| sql_name(&t).to_lowercase());
            wrong = Some(format!(
                "operator does not exist: {} {op} {}",
                name(a)?,
                name(b)?
            ));
            return Ok(TreeNodeRecursion::Stop);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    match wrong {
        Some(what) => Err(BridgeError::new("42883", what).hint(concat!(
            "No operator matches the given name and argument types. ",
            "You might need to add explicit type casts."
        ))),
        None => Ok(()),
    }
}

fn compares(op: Operator) -> bool {
    use Operator::*;
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq)
}

fn is_subquery(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::ScalarSubquery(_) | Expr::InSubquery(_) | Expr::Exists(_)
    )
}

fn columns_of(expr: &Expr) -> Vec<String> {
    let mut columns: Vec<String> = expr.column_refs().iter().map(|c| c.name.clone()).collect();
    columns.sort();
    columns.dedup();
    columns
}

fn no_rows(schema: &DFSchema) -> LogicalPlan {
    LogicalPlan::EmptyRelation(EmptyRelation {
        produce_one_row: false,
        schema: Arc::new(schema.clone()),
    })
}

fn validate_one(planner: &Planner, schema: &DFSchema, condition: &str) -> Res<Vec<String>> {
    let sql = parse_expression(condition)?;
    let expr = planner
        .sql()
        .sql_to_expr(sql, schema, &mut PlannerContext::new())
        .map_err(Box::<BridgeError>::from)?;
    refuse_aggregates(&expr, "check constraints")?;
    let odd = |wanted: fn(&Expr) -> bool| expr.exists(|e| Ok(wanted(e)));
    if odd(is_subquery)? {
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
    refuse_text_as_number(&expr, schema)?;
    let columns = columns_of(&expr);
    let plan = LogicalPlanBuilder::from(no_rows(schema)).project([expr])?;
    let plan = planner.analysed(plan.build()?)?;
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
