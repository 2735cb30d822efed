//! Where our SQL differs from DataFusion's: rules that rewrite expressions before they are
//! optimised.
//!
//!     SUM(bigint)            a DECIMAL, which cannot overflow; by `sum.rs`, but for SUM(DISTINCT)
//!                            and over windows, which sum decimals
//!     decimal / decimal      a DOUBLE; DataFusion keeps four digits of the quotient
//!     decimal meets double   a DOUBLE, as in PostgreSQL; DataFusion compares DECIMAL(30,15)
//!     double::integer        rounds; DataFusion cuts off
//!     date + interval        a TIMESTAMP; DataFusion drops the hours
//!     round(decimal, 1)      has one type from the beginning; DataFusion's changes on the way
//!     EXCEPT/INTERSECT ALL   count how often a row is there
//!     text::uuid, ::bytea    by `convert.rs`; likewise text compared with a UUID or BYTEA
//!     integer + - *          an error when it overflows; DataFusion wraps around
//!     double / 0             an error; DataFusion answers infinity
//!
//! The first three stand before DataFusion's type coercion, because it would refuse them or choose
//! other types; the last two after it, when both sides have one type.

use std::sync::Arc;

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, NullEquality, ScalarValue};
use datafusion::error::Result as DfResult;
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    BinaryExpr, Expr, ExprFunctionExt, ExprSchemable, Join, JoinType, LogicalPlan,
    LogicalPlanBuilder, Operator, Union, cast, lit,
};
use datafusion::optimizer::extract_equijoin_predicate::ExtractEquijoinPredicate;
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::{AnalyzerRule, Optimizer, OptimizerConfig, OptimizerRule};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::sql::sqlparser::ast::BinaryOperator;

use crate::canonical;
use crate::convert::{Checked, Convert, is_our_cast};
use crate::equal_windows::{self, EqualWindows};
use crate::interval;
use crate::lists;
use crate::row_values;
use crate::same;
use crate::sum;
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

/// EXCEPT ALL and INTERSECT ALL arrive as semi and anti joins that look only whether a row is
/// there, not how often. With every row numbered among its equals they are right.
fn count_all_rows(plan: LogicalPlan) -> DfResult<LogicalPlan> {
    const NUMBER: &str = "__row_among_equals";
    let numbered = |input: &Arc<LogicalPlan>, side: &str| -> DfResult<LogicalPlan> {
        let columns = input.schema().columns().into_iter().map(Expr::Column);
        let number = row_number().partition_by(columns.collect()).build()?;
        LogicalPlanBuilder::from(input.as_ref().clone())
            .window(vec![number.alias(format!("{NUMBER}_{side}"))])?
            .build()
    };
    let result = plan.transform_up_with_subqueries(|node| {
        let LogicalPlan::Join(join) = &node else {
            return Ok(Transformed::no(node));
        };
        let is_set = matches!(join.join_type, JoinType::LeftSemi | JoinType::LeftAnti)
            && join.null_equality == NullEquality::NullEqualsNull;
        if !is_set || matches!(join.left.as_ref(), LogicalPlan::Distinct(_)) {
            return Ok(Transformed::no(node));
        }
        let mut on = join.on.clone();
        let number = |side: &str| Expr::Column(Column::from_name(format!("{NUMBER}_{side}")));
        on.push((number("left"), number("right")));
        let joined = LogicalPlan::Join(Join::try_new(
            Arc::new(numbered(&join.left, "left")?),
            Arc::new(numbered(&join.right, "right")?),
            on,
            join.filter.clone(),
            join.join_type,
            join.join_constraint,
            join.null_equality,
            join.null_aware,
        )?);
        let columns = join.schema.columns().into_iter().map(Expr::Column);
        let projected = LogicalPlanBuilder::from(joined).project(columns)?;
        Ok(Transformed::yes(projected.build()?))
    })?;
    Ok(result.data)
}

#[derive(Debug)]
pub struct BeforeCoercion;

impl AnalyzerRule for BeforeCoercion {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> DfResult<LogicalPlan> {
        let plan = count_all_rows(plan)?;
        let plan = rewrite_plan(plan, before_coercion)?;
        let united = plan.transform_up_with_subqueries(|node| match node {
            LogicalPlan::Union(union) => union_of_doubles(union),
            LogicalPlan::Values(values) => row_values::as_queries(values),
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
            if is_our_cast(&from, c.field.data_type()) {
                let to = c.field.data_type().clone();
                return Ok(Transformed::yes(Convert::cast(*c.expr, &to)));
            }
            Ok(Transformed::no(Expr::Cast(c)))
        }
        Expr::ScalarFunction(mut call) if call.func == same::function() => {
            Ok(Transformed::yes(call.args.swap_remove(0)))
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
        other => call_before_coercion(other, schema),
    }
}

fn call_before_coercion(expr: Expr, schema: &DFSchema) -> DfResult<Transformed<Expr>> {
    let mut expr = expr;
    let changed = match &mut expr {
        Expr::ScalarFunction(call) if ["round", "trunc"].contains(&call.func.name()) => {
            call.args.get_mut(1).is_some_and(as_places)
        }
        Expr::ScalarFunction(call) if UNITING.contains(&call.func.name()) => {
            as_doubles(call.args.iter_mut(), schema)
        }
        Expr::AggregateFunction(call) if call.func == sum::sum_of_integers() => false,
        Expr::AggregateFunction(call) if call.func.name() == "sum" => {
            let args = &mut call.params.args;
            let integers = args.len() == 1 && sum::takes(&args[0].get_type(schema)?);
            if integers && !call.params.distinct {
                call.func = sum::sum_of_integers();
                true
            } else {
                widen_sum(args, schema)?
            }
        }
        Expr::WindowFunction(call) if call.fun.name() == "sum" => {
            widen_sum(&mut call.params.args, schema)?
        }
        _ => false,
    };
    Ok(Transformed::new_transformed(expr, changed))
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
    } else if matches!(b.op, Operator::Plus | Operator::Minus)
        && left == DataType::Date32
        && matches!(right, DataType::Interval(_))
        && !counts_days(&b.right, schema)
    {
        // DataFusion's sum is a DATE, which has no place for hours.
        b.left = Box::new(cast(
            *b.left,
            DataType::Timestamp(TimeUnit::Microsecond, None),
        ));
        changed = true;
    } else if b.op == Operator::Plus
        && matches!(left, DataType::Interval(_))
        && right == DataType::Date32
        && !counts_days(&b.left, schema)
    {
        b.right = Box::new(cast(
            *b.right,
            DataType::Timestamp(TimeUnit::Microsecond, None),
        ));
        changed = true;
    } else if b.op == Operator::Divide && decimal_quotient(&left, &right) {
        let (l, r) = (*b.left, *b.right);
        b.left = Box::new(cast(l, DataType::Float64));
        b.right = Box::new(cast(r, DataType::Float64));
        changed = true;
    }
    Ok(Transformed::new_transformed(Expr::BinaryExpr(b), changed))
}

/// DATE + 7 is read by DataFusion as an interval that was a duration of so many days: a DATE.
fn counts_days(interval: &Expr, schema: &DFSchema) -> bool {
    match interval {
        Expr::Cast(c) => matches!(c.expr.get_type(schema), Ok(DataType::Duration(_))),
        _ => false,
    }
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

/// The second argument of round() as DataFusion wants it: the type of the result depends on it
/// while it is a literal, and must not change when it becomes one.
fn as_places(places: &mut Expr) -> bool {
    let value = match places {
        Expr::Literal(ScalarValue::Int64(Some(n)), _) => *n,
        Expr::Negative(inner) => match inner.as_ref() {
            Expr::Literal(ScalarValue::Int64(Some(n)), _) => -*n,
            _ => return false,
        },
        _ => return false,
    };
    let Ok(value) = i32::try_from(value) else {
        return false;
    };
    *places = lit(value);
    true
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
        if sum::takes(&from) {
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
        let plan = lists::hide(rewrite_plan(plan, after_coercion)?)?;
        canonical::sorts(plan)
    }
    fn name(&self) -> &str {
        "trefoil_checked_operators"
    }
}

fn after_coercion(expr: Expr, schema: &DFSchema) -> DfResult<Transformed<Expr>> {
    match expr {
        Expr::BinaryExpr(b) => checked(b, schema),
        Expr::WindowFunction(mut call) => {
            let changed = canonical::window(&mut call, schema);
            Ok(Transformed::new_transformed(
                Expr::WindowFunction(call),
                changed,
            ))
        }
        Expr::AggregateFunction(mut call) => {
            let changed = canonical::aggregate(&mut call, schema);
            Ok(Transformed::new_transformed(
                Expr::AggregateFunction(call),
                changed,
            ))
        }
        // Text that met a number.
        Expr::Cast(c)
            if c.field.data_type().is_floating() && is_text(&c.expr.get_type(schema)?) =>
        {
            let to = c.field.data_type().clone();
            Ok(Transformed::yes(Convert::cast(*c.expr, &to)))
        }
        other => Ok(Transformed::no(other)),
    }
}

fn checked(b: BinaryExpr, schema: &DFSchema) -> DfResult<Transformed<Expr>> {
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
    // DataFusion makes x * 0 and x * 1 its arguments, which have other types.
    let product = sign == '*'
        && left.is_decimal()
        && right.is_decimal()
        && [&b.left, &b.right]
            .map(|e| constant(e))
            .iter()
            .flatten()
            .any(|v| *v == 0.0 || *v == 1.0);
    if !ours && !product {
        return Ok(Transformed::no(Expr::BinaryExpr(b)));
    }
    Ok(Transformed::yes(Checked::call(sign, *b.left, *b.right)))
}

/// Division by a number that is not zero needs no check.
fn divides_by_constant(b: &BinaryExpr) -> bool {
    constant(&b.right).is_some_and(|v| v != 0.0)
}

/// The value of a literal number, perhaps under casts.
fn constant(mut expr: &Expr) -> Option<f64> {
    while let Expr::Cast(c) = expr {
        expr = &c.expr;
    }
    let Expr::Literal(value, _) = expr else {
        return None;
    };
    match value.cast_to(&DataType::Float64) {
        Ok(ScalarValue::Float64(value)) => value,
        _ => None,
    }
}

/// Text compared with a UUID or bytes, and multiples of intervals: DataFusion asks for the type of
/// the whole while it still plans, before any rule has run.
#[derive(Debug)]
pub struct Operators;

impl ExprPlanner for Operators {
    fn plan_binary_op(
        &self,
        mut raw: RawBinaryExpr,
        schema: &DFSchema,
    ) -> DfResult<PlannerResult<RawBinaryExpr>> {
        use BinaryOperator::*;
        let operator = match raw.op {
            Multiply => Some(Operator::Multiply),
            Divide => Some(Operator::Divide),
            _ => None,
        };
        if let Some(op) = operator {
            let (left, right) = (
                raw.left.get_type(schema).ok(),
                raw.right.get_type(schema).ok(),
            );
            let sides = ((&raw.left, left.as_ref()), (&raw.right, right.as_ref()));
            return Ok(match interval::scaled(sides.0, op, sides.1) {
                Some(scaled) => PlannerResult::Planned(scaled),
                None => PlannerResult::Original(raw),
            });
        }
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

/// A join has keys for which NULL equals NULL, or keys for which it does not. Several rules of
/// DataFusion mix them up when they move conditions between joins; so `a IS NOT DISTINCT FROM b`
/// stays a condition while they run, and becomes a key at the end (`null_safe_keys`).
#[derive(Debug, Default)]
struct JoinKeys(ExtractEquijoinPredicate);

impl OptimizerRule for JoinKeys {
    fn name(&self) -> &str {
        self.0.name()
    }
    fn apply_order(&self) -> Option<ApplyOrder> {
        self.0.apply_order()
    }
    fn rewrite(
        &self,
        plan: LogicalPlan,
        config: &dyn OptimizerConfig,
    ) -> DfResult<Transformed<LogicalPlan>> {
        if null_safe(&plan) {
            return Ok(Transformed::no(plan));
        }
        let rewritten = self.0.rewrite(plan.clone(), config)?;
        Ok(match null_safe(&rewritten.data) {
            true => Transformed::no(plan),
            false => rewritten,
        })
    }
}

fn null_safe(plan: &LogicalPlan) -> bool {
    matches!(plan, LogicalPlan::Join(join) if join.null_equality == NullEquality::NullEqualsNull)
}

/// Makes keys of IS NOT DISTINCT FROM in the joins of an optimised plan that have no other.
pub fn null_safe_keys(plan: LogicalPlan, config: &dyn OptimizerConfig) -> DfResult<LogicalPlan> {
    let rule = ExtractEquijoinPredicate::new();
    let result = plan.transform_up_with_subqueries(|node| match &node {
        LogicalPlan::Join(join) if join.on.is_empty() && join.filter.is_some() => {
            rule.rewrite(node, config)
        }
        _ => Ok(Transformed::no(node)),
    })?;
    Ok(result.data)
}

/// DataFusion's own optimiser with ours in place of what is wrong.
pub fn optimizer_rules() -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    let mut rules = Optimizer::new().rules;
    let ours = JoinKeys::default();
    for rule in &mut rules {
        if rule.name() == ours.name() {
            *rule = Arc::new(JoinKeys::default());
        }
    }
    let at = rules.iter().position(|r| r.name() == equal_windows::BEFORE);
    rules.insert(at.unwrap_or(0), Arc::new(EqualWindows));
    rules
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
