//! Functions of numbers that are not defined for all of them: sqrt, logarithms, inverse functions.
//!
//! Asked what becomes of an order, or of bounds, DataFusion's own answer with an error unless the
//! argument is known to be in their domain, and a plan that is sorted by sqrt(x) then seems not to
//! be. These here say that they know of no order and no bounds.

use arrow::datatypes::DataType;
use datafusion::error::Result as DfResult;
use datafusion::functions::math;
use datafusion::logical_expr::interval_arithmetic::Interval;
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

pub fn functions() -> impl Iterator<Item = ScalarUDF> {
    let all = [
        math::acos(),
        math::acosh(),
        math::asin(),
        math::atanh(),
        math::ln(),
        math::log2(),
        math::log10(),
        math::sqrt(),
    ];
    all.into_iter().map(|whole| {
        let whole = whole.as_ref().clone();
        ScalarUDF::new_from_impl(Partial { whole })
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Partial {
    whole: ScalarUDF,
}

impl ScalarUDFImpl for Partial {
    fn name(&self) -> &str {
        self.whole.name()
    }
    fn signature(&self) -> &Signature {
        self.whole.signature()
    }
    fn return_type(&self, types: &[DataType]) -> DfResult<DataType> {
        self.whole.return_type(types)
    }
    fn is_strict(&self) -> bool {
        self.whole.is_strict()
    }
    fn evaluate_bounds(&self, inputs: &[&Interval]) -> DfResult<Interval> {
        match self.whole.evaluate_bounds(inputs) {
            Ok(known) => Ok(known),
            Err(_) => Interval::make_unbounded(&inputs[0].data_type()),
        }
    }
    fn output_ordering(&self, inputs: &[ExprProperties]) -> DfResult<SortProperties> {
        let known = self.whole.output_ordering(inputs);
        Ok(known.unwrap_or(SortProperties::Unordered))
    }
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        self.whole.invoke_with_args(args)
    }
    fn documentation(&self) -> Option<&Documentation> {
        self.whole.documentation()
    }
}
