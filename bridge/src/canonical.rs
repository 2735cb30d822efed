//! canonical(x): of the floating-point numbers that are equal in SQL, always the same one: 0.0 for
//! -0.0, and NaN for a NaN of any sign.
//!
//! Comparisons, groups and indexes know what is equal. A sort does not: it tells these apart by
//! their bits. So ORDER BY, of queries, windows and aggregates, and PARTITION BY are by
//! canonical(x) where x is REAL or DOUBLE. The rows keep what they have.
//!
//! Nobody can write its name; EXPLAIN shows it as parentheses.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Float32Type, Float64Type, Schema};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::expr::{AggregateFunction, Sort, WindowFunction};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, LogicalPlan, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, Volatility,
};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};

/// Makes each sort of a plan one by canonical numbers.
pub fn sorts(plan: LogicalPlan) -> DfResult<LogicalPlan> {
    let plan = plan.transform_up_with_subqueries(|node| {
        let LogicalPlan::Sort(mut sort) = node else {
            return Ok(Transformed::no(node));
        };
        let changed = all(
            sort.expr.iter_mut().map(|s| &mut s.expr),
            sort.input.schema(),
        );
        Ok(Transformed::new_transformed(
            LogicalPlan::Sort(sort),
            changed,
        ))
    })?;
    Ok(plan.data)
}

/// Does the same to what a window is divided and ordered by; true if that changed anything.
pub fn window(call: &mut WindowFunction, schema: &DFSchema) -> bool {
    let parts = all(call.params.partition_by.iter_mut(), schema);
    ordering(&mut call.params.order_by, schema) || parts
}

/// Does the same to ORDER BY in an aggregate.
pub fn aggregate(call: &mut AggregateFunction, schema: &DFSchema) -> bool {
    ordering(&mut call.params.order_by, schema)
}

fn ordering(order: &mut [Sort], schema: &DFSchema) -> bool {
    all(order.iter_mut().map(|s| &mut s.expr), schema)
}

fn all<'a>(exprs: impl Iterator<Item = &'a mut Expr>, schema: &DFSchema) -> bool {
    let mut changed = false;
    for expr in exprs {
        let floats = expr.get_type(schema).is_ok_and(|t| t.is_floating());
        if floats && std::ptr::eq(inner(expr), expr) && !matches!(expr, Expr::Literal(..)) {
            *expr = function().call(vec![std::mem::take(expr)]);
            changed = true;
        }
    }
    changed
}

/// x of canonical(x); of anything else itself.
pub fn inner(expr: &Expr) -> &Expr {
    match expr {
        Expr::ScalarFunction(call) if call.func == function() => &call.args[0],
        _ => expr,
    }
}

/// The same in a physical plan.
pub fn inner_physical(expr: &Arc<dyn PhysicalExpr>) -> &Arc<dyn PhysicalExpr> {
    match ScalarFunctionExpr::try_downcast_func::<Canonical>(expr.as_ref()) {
        Some(call) => &call.args()[0],
        None => expr,
    }
}

/// canonical(`expr`), of floating point.
pub fn physical(
    expr: Arc<dyn PhysicalExpr>,
    schema: &Schema,
    config: &ConfigOptions,
) -> DfResult<Arc<dyn PhysicalExpr>> {
    let config = Arc::new(config.clone());
    let call = ScalarFunctionExpr::try_new(function(), vec![expr], schema, config)?;
    Ok(Arc::new(call))
}

/// The numbers of an array, canonical; anything else is left as it is.
pub fn numbers(array: &ArrayRef) -> ArrayRef {
    match array.data_type() {
        DataType::Float64 => Arc::new(
            array
                .as_primitive::<Float64Type>()
                .unary::<_, Float64Type>(|v| if v.is_nan() { f64::NAN } else { v + 0.0 }),
        ),
        DataType::Float32 => Arc::new(
            array
                .as_primitive::<Float32Type>()
                .unary::<_, Float32Type>(|v| if v.is_nan() { f32::NAN } else { v + 0.0 }),
        ),
        _ => array.clone(),
    }
}

/// The numbers of an array, without the signs of NaNs.
pub fn unsigned_nans(array: ArrayRef) -> ArrayRef {
    match array.data_type() {
        DataType::Float64 => {
            let numbers = array.as_primitive::<Float64Type>();
            Arc::new(numbers.unary::<_, Float64Type>(|v| if v.is_nan() { f64::NAN } else { v }))
        }
        DataType::Float32 => {
            let numbers = array.as_primitive::<Float32Type>();
            Arc::new(numbers.unary::<_, Float32Type>(|v| if v.is_nan() { f32::NAN } else { v }))
        }
        _ => array,
    }
}

fn function() -> Arc<ScalarUDF> {
    static CANONICAL: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        Arc::new(ScalarUDF::new_from_impl(Canonical {
            signature: Signature::any(1, Volatility::Immutable),
        }))
    });
    CANONICAL.clone()
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Canonical {
    signature: Signature,
}

impl ScalarUDFImpl for Canonical {
    fn name(&self) -> &str {
        ""
    }
    fn schema_name(&self, args: &[Expr]) -> DfResult<String> {
        Ok(args[0].schema_name().to_string())
    }
    fn signature(&self) -> &Signature {
        &self.signature
    }
    fn return_type(&self, types: &[DataType]) -> DfResult<DataType> {
        Ok(types[0].clone())
    }
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        Ok(match &args.args[0] {
            ColumnarValue::Array(array) => ColumnarValue::Array(numbers(array)),
            ColumnarValue::Scalar(scalar) => {
                let number = numbers(&scalar.to_array()?);
                ColumnarValue::Scalar(ScalarValue::try_from_array(&number, 0)?)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::Float64Array;

    #[test]
    fn equal_numbers_have_the_same_bits() {
        let given = [0.0, -0.0, f64::NAN, -f64::NAN, 1.5, f64::NEG_INFINITY];
        let array: ArrayRef = Arc::new(Float64Array::from(given.to_vec()));
        let bits = |array: &ArrayRef| -> Vec<u64> {
            let numbers = array.as_primitive::<Float64Type>();
            numbers.values().iter().map(|v| v.to_bits()).collect()
        };
        let canonical = bits(&numbers(&array));
        assert_eq!(canonical[0], canonical[1]);
        assert_eq!(canonical[2], canonical[3]);
        assert_eq!(canonical[4..], bits(&array)[4..]);
        let plain = bits(&unsigned_nans(array.clone()));
        assert_eq!(plain[..2], bits(&array)[..2]);
        assert_eq!(plain[2], plain[3]);
    }
}
