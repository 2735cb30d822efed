//! nextval, currval, lastval and setval, and trefoil_cancel. They are volatile, so one call gives
//! one number for each row.
//!
//! The functions ask C++, in the catalog of a run. A plan is kept and run many times, so what
//! stands in it knows no run and cannot be evaluated; `bind` puts functions in their place that
//! know the run for which the plan is made ready.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{
    ColumnarValue, Expr, LogicalPlan, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    TypeSignature, Volatility,
};
use datafusion::sql::sqlparser::ast::{
    Expr as SqlExpr, Function as SqlFunction, FunctionArg, FunctionArgExpr, FunctionArguments,
    Value,
};

use crate::catalog::Run;
use crate::dialect::is_regclass;
use crate::error::{BridgeError, Res};
use crate::serial;
use crate::session_functions;

/// The numbers cross the border.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Nextval = 0,
    Currval = 1,
    Lastval = 2,
    Setval = 3,
    Cancel = 4,
}

const KINDS: [(&str, Kind); 5] = [
    ("nextval", Kind::Nextval),
    ("currval", Kind::Currval),
    ("lastval", Kind::Lastval),
    ("setval", Kind::Setval),
    ("trefoil_cancel", Kind::Cancel),
];

/// What a function is evaluated for.
#[derive(Clone)]
enum Of {
    /// Nothing: it stands in a plan that is kept.
    Plan,
    /// EXPLAIN, which shows a plan and must not count.
    Nobody,
    Run(Arc<Run>),
}

struct Function {
    kind: Kind,
    of: Of,
    signature: Signature,
}

impl Function {
    fn new(kind: Kind, of: Of) -> Function {
        let (text, number) = (DataType::Utf8View, DataType::Int64);
        let exact = |types: &[&DataType]| {
            TypeSignature::Exact(types.iter().map(|t| (*t).clone()).collect())
        };
        let arguments = match kind {
            Kind::Nextval | Kind::Currval => exact(&[&text]),
            Kind::Lastval => TypeSignature::Nullary,
            Kind::Cancel => exact(&[&number]),
            Kind::Setval => TypeSignature::OneOf(vec![
                exact(&[&text, &number]),
                exact(&[&text, &number, &DataType::Boolean]),
            ]),
        };
        Function {
            kind,
            of,
            signature: Signature::new(arguments, Volatility::Volatile),
        }
    }

    fn call(&self, name: &str, value: i64, is_called: bool, out: &mut [i64]) -> Res<()> {
        match &self.of {
            Of::Run(run) => run.call_sequence(self.kind as u8, name, value, is_called, out),
            Of::Nobody => Ok(()),
            Of::Plan => Err(BridgeError::internal(
                "a sequence is asked outside of a run",
            )),
        }
    }
}

pub fn functions() -> impl Iterator<Item = ScalarUDF> {
    KINDS
        .iter()
        .map(|(_, kind)| ScalarUDF::new_from_impl(Function::new(*kind, Of::Plan)))
        .chain([serial::function()])
        .chain(session_functions::functions())
}

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "{:?}", self.kind)
    }
}

impl PartialEq for Function {
    fn eq(&self, other: &Function) -> bool {
        self.kind == other.kind
            && std::mem::discriminant(&self.of) == std::mem::discriminant(&other.of)
    }
}
impl Eq for Function {}
impl Hash for Function {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.kind.hash(state);
    }
}

impl ScalarUDFImpl for Function {
    fn name(&self) -> &str {
        KINDS[self.kind as usize].0
    }
    fn signature(&self) -> &Signature {
        &self.signature
    }
    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(match self.kind {
            Kind::Cancel => DataType::Boolean,
            _ => DataType::Int64,
        })
    }
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let mut numbers = vec![0i64; args.number_rows];
        let name = match args.args.first() {
            Some(ColumnarValue::Scalar(name)) => Some(text_of(name)),
            Some(ColumnarValue::Array(_)) => None,
            None => Some(Some(String::new())),
        };
        // The usual case: one sequence for all rows.
        let one_sequence = !matches!(self.kind, Kind::Setval | Kind::Cancel);
        if let (Some(name), true) = (name, one_sequence) {
            let Some(name) = name else {
                let null = ScalarValue::Int64(None);
                return Ok(ColumnarValue::Scalar(null));
            };
            self.call(&name, 0, true, &mut numbers)?;
            let array: ArrayRef = Arc::new(Int64Array::from(numbers));
            return Ok(ColumnarValue::Array(array));
        }
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let rows = arrays.first().map_or(0, |a| a.len());
        let answers = (0..rows).map(|row| self.call_row(&arrays, row));
        let answers: Int64Array = answers.collect::<Res<_>>()?;
        let answers: ArrayRef = match self.kind {
            Kind::Cancel => Arc::new(
                answers
                    .iter()
                    .map(|n| n.map(|n| n != 0))
                    .collect::<BooleanArray>(),
            ),
            _ => Arc::new(answers),
        };
        if answers.len() == 1 {
            let only = ScalarValue::try_from_array(&answers, 0)?;
            return Ok(ColumnarValue::Scalar(only));
        }
        Ok(ColumnarValue::Array(answers))
    }
}

impl Function {
    // NULL if an argument is.
    fn call_row(&self, arguments: &[ArrayRef], row: usize) -> Res<Option<i64>> {
        if arguments.iter().any(|a| a.is_null(row)) {
            return Ok(None);
        }
        let (name, number) = match self.kind {
            Kind::Cancel => ("", arguments.first()),
            _ => (arguments[0].as_string_view().value(row), arguments.get(1)),
        };
        let value = number.map_or(0, |a| a.as_primitive::<Int64Type>().value(row));
        let is_called = arguments.get(2).is_none_or(|a| a.as_boolean().value(row));
        let mut out = [0i64];
        self.call(name, value, is_called, &mut out)?;
        Ok(Some(out[0]))
    }
}

fn text_of(value: &ScalarValue) -> Option<String> {
    value.try_as_str().flatten().map(str::to_string)
}

pub fn is_one(function: &ScalarUDF) -> bool {
    let asks = function.inner().downcast_ref::<Function>().is_some();
    asks || serial::is_one(function) || session_functions::is_one(function)
}

fn unbound(expr: &Expr) -> Option<Kind> {
    match expr {
        Expr::ScalarFunction(f) => f.func.inner().downcast_ref::<Function>().map(|f| f.kind),
        _ => None,
    }
}

/// The plan with functions that ask the catalog of `run`; without a run they answer 0.
pub fn bind(plan: LogicalPlan, run: Option<&Arc<Run>>) -> Res<LogicalPlan> {
    let bound = plan.transform_up_with_subqueries(|node| {
        let names = NamePreserver::new(&node);
        node.map_expressions(|expr| {
            let asks = |e: &Expr| matches!(e, Expr::ScalarFunction(f) if is_one(&f.func));
            if !expr.exists(|e| Ok(asks(e)))? {
                return Ok(Transformed::no(expr));
            }
            let name = names.save(&expr);
            let bound = expr.transform_up(|mut e| {
                if let Some(run) = run {
                    let constant = match serial::bound(&e, run)? {
                        None => session_functions::bound(&e, run)?,
                        found => found,
                    };
                    if let Some(constant) = constant {
                        return Ok(Transformed::yes(constant));
                    }
                }
                let Some(kind) = unbound(&e) else {
                    return Ok(Transformed::no(e));
                };
                if let Expr::ScalarFunction(f) = &mut e {
                    let of = run.map_or(Of::Nobody, |run| Of::Run(run.clone()));
                    f.func = Arc::new(ScalarUDF::new_from_impl(Function::new(kind, of)));
                }
                Ok(Transformed::yes(e))
            })?;
            Ok(bound.update_data(|e| name.restore(e)))
        })
    })?;
    Ok(bound.data)
}

/// nextval('s'::regclass) is nextval('s').
pub fn strip_regclass(function: &mut SqlFunction) {
    let name = function.name.to_string().to_lowercase();
    if !KINDS.iter().any(|(known, _)| *known == name) {
        return;
    }
    let FunctionArguments::List(list) = &mut function.args else {
        return;
    };
    if let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))) = list.args.first_mut()
        && let SqlExpr::Cast {
            expr, data_type, ..
        } = argument
        && is_regclass(data_type)
    {
        *argument = expr.as_ref().clone();
    }
}

/// The name in nextval('name').
pub fn next_of(expr: &SqlExpr) -> Option<String> {
    let SqlExpr::Function(function) = expr else {
        return None;
    };
    let FunctionArguments::List(list) = &function.args else {
        return None;
    };
    let [FunctionArg::Unnamed(FunctionArgExpr::Expr(SqlExpr::Value(name)))] = list.args.as_slice()
    else {
        return None;
    };
    let plain = function.over.is_none() && function.filter.is_none() && list.clauses.is_empty();
    match &name.value {
        Value::SingleQuotedString(name)
            if plain && function.name.to_string().eq_ignore_ascii_case("nextval") =>
        {
            Some(name.clone())
        }
        _ => None,
    }
}
