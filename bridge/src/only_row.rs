//! only_row(value, rows): the value of a scalar subquery that gave so many rows; 21000 if they are
//! more than one.

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Int64Type};
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::error::BridgeError;

#[derive(Debug, PartialEq, Eq, Hash)]
struct OnlyRow {
    signature: Signature,
}

pub fn only_row(value: Expr, rows: Expr) -> Expr {
    let signature = Signature::any(2, Volatility::Immutable);
    ScalarUDF::new_from_impl(OnlyRow { signature }).call(vec![value, rows])
}

impl ScalarUDFImpl for OnlyRow {
    fn name(&self) -> &str {
        "only_row"
    }
    fn signature(&self) -> &Signature {
        &self.signature
    }
    fn return_type(&self, types: &[DataType]) -> DfResult<DataType> {
        Ok(types[0].clone())
    }
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let rows = args.args[1].to_array(args.number_rows)?;
        if rows
            .as_primitive::<Int64Type>()
            .iter()
            .flatten()
            .any(|n| n > 1)
        {
            return Err(BridgeError::new(
                "21000",
                "a subquery used as an expression returned more than one row",
            )
            .into());
        }
        Ok(args.args[0].clone())
    }
}
