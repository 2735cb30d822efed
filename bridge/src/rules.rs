//! Where our SQL differs from DataFusion's: rules that rewrite expressions before they are
//! optimised.
//!
//!     SUM(bigint)            a DECIMAL, which cannot overflow
//!     decimal / decimal      a DOUBLE; DataFusion keeps four digits of the quotient
//!     decimal meets double   a DOUBLE, as in PostgreSQL; DataFusion compares DECIMAL(30,15)
//!     text::uuid, ::bytea    by `convert.rs`; likewise text compared with a UUID or BYTEA
//!     integer + - *          an error when it overflows; DataFusion wraps around
//!     double / 0             an error; DataFusion answers infinity
//!
//! The first three stand before DataFusion's type coercion, because it would refuse them or choose
//! other types; the last two after it, when both sides have one type.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, ScalarValue};
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    BinaryExpr, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Operator, Union, cast,
};
use datafusion::optimizer::AnalyzerRule;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::sql::sqlparser::ast::BinaryOperator;

use crate::convert::{Checked, Convert, is_ours};
use crate::types::{UUID, is_bytes, is_text};

/// Sums of BIGINT have this type: 2^63 rows of 2^63 fit.
const SUM_OF_BIGINT: DataType = DataType::Decimal128(28, 0);

type Rewrite = fn(Expr, &DFSchema) -> DfResult<Transformed<Expr>>;

/// Applies `rewrite` to every expression of every node, keeping the names of the columns.
fn rewrite_plan(plan: LogicalPlan, rewrite: Rewrite) -> DfResult<LogicalPlan> {
    let result = plan.transform_up_with_subqueries(|node| {
        let mut schema = merge_schema(&node.inputs());
        if let LogicalPlan::TableScan(scan) = &node {
            let source = DFSchema::try_from_qualified_schema(
                scan.table_name.clone(),
                &scan.source.schema(),
            )?;
            schema.merge(&source);
        }
        let names = NamePreserver::new(&node);
        node.map_expressions(|expr| {
            let name = names.save(&expr);
            let changed = expr.transform_up(|e| rewrite(e, &schema))?;
            Ok(if changed.transformed {
                changed.update_data(|e| name.restore(e))
            } else {
                changed
            })
        })?
        .map_data(|node| node.recompute_schema())
    })?;
    Ok(result.data)
}

#[derive(Debug)]
pub struct BeforeCoercion;

impl AnalyzerRule for BeforeCoercion {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> DfResult<LogicalPlan> {
        let plan = rewrite_plan(plan, before_coercion)?;
        let united = plan.transform_up_with_subqueries(|node| match node {
            LogicalPlan::Union(union) => union_of_doubles(union),
            other => Ok(Transformed::no(other)),
        })?;
        Ok(united.data)
    }
    fn name(&self) -> &str {
        "trefoil_types"
    }
}

fn before_coercion(expr: Expr, schema: &DFSchema) -> DfResult<Transformed<Expr>> {
    match expr {
        Expr::Cast(c) => {
            let from = c.expr.get_type(schema)?;
            if is_ours(&from, c.field.data_type()) {
                let to = c.field.data_type().clone();
                return Ok(Transformed::yes(Convert::cast(*c.expr, &to)));
            }
            Ok(Transformed::no(Expr::Cast(c)))
        }
        Expr::BinaryExpr(b) => binary(b, schema),
        Expr::InList(mut list) => {
            let Ok(to) = list.expr.get_type(schema) else {
                return Ok(Transformed::no(Expr::InList(list)));
            };
            let mut changed = as_doubles(
                std::iter::once(list.expr.as_mut()).chain(&mut list.list),
                schema,
            );
            for item in &mut list.list {
                changed |= meet(item, &to, schema);
            }
            Ok(Transformed::new_transformed(Expr::InList(list), changed))
        }
        Expr::Between(mut between) => {
            let Ok(to) = between.expr.get_type(schema) else {
                return Ok(Transformed::no(Expr::Between(between)));
            };
            let mut changed = meet(&mut between.low, &to, schema);
            changed |= meet(&mut between.high, &to, schema);
            let all = [&mut between.expr, &mut between.low, &mut between.high];
            changed |= as_doubles(all.into_iter().map(|e| e.as_mut()), schema);
            Ok(Transformed::new_transformed(
                Expr::Between(between),
                changed,
            ))
        }
        Expr::Case(mut case) => {
            let results = case
                .when_then_expr
                .iter_mut()
                .map(|(_, then)| then.as_mut())
                .chain(case.else_expr.as_deref_mut());
            let changed = as_doubles(results, schema);
            Ok(Transformed::new_transformed(Expr::Case(case), changed))
        }
        Expr::ScalarFunction(mut call) if UNITING.contains(&call.func.name()) => {
            let changed = as_doubles(call.args.iter_mut(), schema);
            Ok(Transformed::new_transformed(
                Expr::ScalarFunction(call),
                changed,
            ))
        }
        Expr::AggregateFunction(mut call) if call.func.name() == "sum" => {
            let changed = widen_sum(&mut call.params.args, schema)?;
            Ok(Transformed::new_transformed(
                Expr::AggregateFunction(call),
                changed,
            ))
        }
        Expr::WindowFunction(mut call) if call.fun.name() == "sum" => {
            let changed = widen_sum(&mut call.params.args, schema)?;
            Ok(Transformed::new_transformed(
                Expr::WindowFunction(call),
                changed,
            ))
        }
        other => Ok(Transformed::no(other)),
    }
}

fn binary(mut b: BinaryExpr, schema: &DFSchema) -> DfResult<Transformed<Expr>> {
    let (Ok(left), Ok(right)) = (b.left.get_type(schema), b.right.get_type(schema)) else {
        return Ok(Transformed::no(Expr::BinaryExpr(b)));
    };
    let mut changed = false;
    if b.op.supports_propagation() || b.op == Operator::IsNotDistinctFrom {
        changed |= meet(&mut b.right, &left, schema);
        changed |= meet(&mut b.left, &right, schema);
        changed |= as_doubles([b.left.as_mut(), b.right.as_mut()], schema);
    } else if b.op == Operator::Divide && decimal_quotient(&left, &right) {
        let (l, r) = (*b.left, *b.right);
        b.left = Box::new(cast(l, DataType::Float64));
        b.right = Box::new(cast(r, DataType::Float64));
        changed = true;
    }
    Ok(Transformed::new_transformed(Expr::BinaryExpr(b), changed))
}

fn decimal_quotient(left: &DataType, right: &DataType) -> bool {
    (left.is_decimal() && (right.is_decimal() || right.is_integer()))
        || (left.is_integer() && right.is_decimal())
}

/// Makes `expr` a UUID or bytes if it is text that meets one; true if it did.
fn meet(expr: &mut Expr, to: &DataType, schema: &DFSchema) -> bool {
    if *to != UUID && !is_bytes(to) {
        return false;
    }
    match expr.get_type(schema) {
        Ok(from) if is_text(&from) => {
            *expr = Convert::cast(std::mem::take(expr), to);
            true
        }
        _ => false,
    }
}

/// Functions whose arguments become one type.
const UNITING: [&str; 6] = [
    "coalesce",
    "nvl",
    "nullif",
    "greatest",
    "least",
    "make_array",
];

/// If there are doubles and decimals among `exprs`, makes the decimals doubles; true if it did.
fn as_doubles<'a>(exprs: impl IntoIterator<Item = &'a mut Expr>, schema: &DFSchema) -> bool {
    let exprs: Vec<&mut Expr> = exprs.into_iter().collect();
    let types: Vec<Option<DataType>> = exprs.iter().map(|e| e.get_type(schema).ok()).collect();
    if !mixed(types.iter().flatten()) {
        return false;
    }
    for (expr, data_type) in exprs.into_iter().zip(types) {
        if data_type.is_some_and(|t| t.is_decimal()) {
            *expr = cast(std::mem::take(expr), DataType::Float64);
        }
    }
    true
}

fn mixed<'a>(types: impl Iterator<Item = &'a DataType> + Clone) -> bool {
    types.clone().any(|t| t.is_floating()) && types.clone().any(|t| t.is_decimal())
}

/// UNION of doubles and decimals: the inputs with decimals cast them.
fn union_of_doubles(mut union: Union) -> DfResult<Transformed<LogicalPlan>> {
    let width = union.inputs[0].schema().fields().len();
    let type_of = |input: &Arc<LogicalPlan>, i: usize| {
        let fields = input.schema().fields();
        fields.get(i).map(|f| f.data_type().clone())
    };
    let mut doubles = Vec::new();
    for i in 0..width {
        let types: Vec<DataType> = union
            .inputs
            .iter()
            .filter_map(|input| type_of(input, i))
            .collect();
        if mixed(types.iter()) {
            doubles.push(i);
        }
    }
    if doubles.is_empty() {
        return Ok(Transformed::no(LogicalPlan::Union(union)));
    }
    for input in &mut union.inputs {
        let schema = input.schema().clone();
        let columns = schema.iter().enumerate().map(|(i, (qualifier, field))| {
            let column = Expr::Column(Column::from((qualifier, field)));
            if doubles.contains(&i) && field.data_type().is_decimal() {
                let double = cast(column, DataType::Float64);
                return double.alias_qualified(qualifier.cloned(), field.name());
            }
            column
        });
        let projected = LogicalPlanBuilder::from(input.as_ref().clone()).project(columns)?;
        *input = Arc::new(projected.build()?);
    }
    let inputs = std::mem::take(&mut union.inputs);
    Ok(Transformed::yes(LogicalPlan::Union(
        Union::try_new_with_loose_types(inputs)?,
    )))
}

fn widen_sum(args: &mut [Expr], schema: &DFSchema) -> DfResult<bool> {
    for arg in args.iter_mut() {
        let from = arg.get_type(schema)?;
        if matches!(from, DataType::Int64 | DataType::UInt64 | DataType::UInt32) {
            *arg = cast(std::mem::take(arg), SUM_OF_BIGINT);
            return Ok(true);
        }
    }
    Ok(false)
}

#[derive(Debug)]
pub struct AfterCoercion;

impl AnalyzerRule for AfterCoercion {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> DfResult<LogicalPlan> {
        rewrite_plan(plan, after_coercion)
    }
    fn name(&self) -> &str {
        "trefoil_checked_operators"
    }
}

fn after_coercion(expr: Expr, schema: &DFSchema) -> DfResult<Transformed<Expr>> {
    let Expr::BinaryExpr(b) = expr else {
        return Ok(Transformed::no(expr));
    };
    let sign = match b.op {
        Operator::Plus => '+',
        Operator::Minus => '-',
        Operator::Multiply => '*',
        Operator::Divide => '/',
        _ => return Ok(Transformed::no(Expr::BinaryExpr(b))),
    };
    let (Ok(left), Ok(right)) = (b.left.get_type(schema), b.right.get_type(schema)) else {
        return Ok(Transformed::no(Expr::BinaryExpr(b)));
    };
    let ours = left == right
        && match sign {
            '/' => left.is_floating() && left != DataType::Float16 && !divides_by_constant(&b),
            _ => left.is_integer(),
        };
    if !ours {
        return Ok(Transformed::no(Expr::BinaryExpr(b)));
    }
    Ok(Transformed::yes(Checked::call(sign, *b.left, *b.right)))
}

/// Division by a number that is not zero needs no check.
fn divides_by_constant(b: &BinaryExpr) -> bool {
    let mut divisor = b.right.as_ref();
    while let Expr::Cast(c) = divisor {
        divisor = &c.expr;
    }
    let Expr::Literal(value, _) = divisor else {
        return false;
    };
    matches!(value.cast_to(&DataType::Float64), Ok(ScalarValue::Float64(Some(v))) if v != 0.0)
}

/// Text compared with a UUID or bytes: DataFusion asks for the type of the comparison while it
/// still plans, before any rule has run, so this one case is met here too.
#[derive(Debug)]
pub struct Comparisons;

impl ExprPlanner for Comparisons {
    fn plan_binary_op(
        &self,
        mut raw: RawBinaryExpr,
        schema: &DFSchema,
    ) -> DfResult<PlannerResult<RawBinaryExpr>> {
        use BinaryOperator::*;
        if !matches!(raw.op, Eq | NotEq | Lt | LtEq | Gt | GtEq) {
            return Ok(PlannerResult::Original(raw));
        }
        if let (Ok(left), Ok(right)) = (raw.left.get_type(schema), raw.right.get_type(schema)) {
            meet(&mut raw.right, &left, schema);
            meet(&mut raw.left, &right, schema);
        }
        Ok(PlannerResult::Original(raw))
    }
}

/// A join can make millions of batches from one that it reads, and a consumer that takes them in a
/// loop then never gives its thread back: neither would cancel be seen nor an aborted task end. So
/// every join gives way now and then. EXPLAIN does not show this (explain.rs).
#[derive(Debug)]
pub struct YieldingJoins;

impl PhysicalOptimizerRule for YieldingJoins {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        let wrapped = plan.transform_up(|node| {
            if !node.name().ends_with("JoinExec") {
                return Ok(Transformed::no(node));
            }
            let yielding: Arc<dyn ExecutionPlan> = Arc::new(CooperativeExec::new(node));
            Ok(Transformed::yes(yielding))
        })?;
        Ok(wrapped.data)
    }
    fn name(&self) -> &str {
        "trefoil_yielding_joins"
    }
    fn schema_check(&self) -> bool {
        true
    }
}

/// DataFusion's own analysis with our rules around it.
pub fn analyzer_rules() -> Vec<Arc<dyn AnalyzerRule + Send + Sync>> {
    use datafusion::optimizer::analyzer::resolve_grouping_function::ResolveGroupingFunction;
    use datafusion::optimizer::analyzer::type_coercion::TypeCoercion;
    vec![
        Arc::new(ResolveGroupingFunction::new()),
        Arc::new(BeforeCoercion),
        Arc::new(TypeCoercion::new()),
        Arc::new(AfterCoercion),
    ]
}
