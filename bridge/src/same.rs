//! same(x): x. Of what it is given nothing is concluded: neither by those who simplify expressions,
//! nor by those who reckon with their values, nor by those who name columns.
//!
//! Nobody can write its name; EXPLAIN shows it as parentheses.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::DataType;
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// By this name texts made here call it.
pub const NAME: &str = "\u{1}same";

pub fn function() -> Arc<ScalarUDF> {
    static SAME: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        Arc::new(ScalarUDF::new_from_impl(Same {
            signature: Signature::any(1, Volatility::Immutable),
        }))
    });
    SAME.clone()
}

pub fn same(expr: Expr) -> Expr {
    function().call(vec![expr])
}

/// What same() was given, or `expr` if it is no such call.
pub fn what(expr: &Expr) -> &Expr {
    match expr {
        Expr::ScalarFunction(call) if call.func == function() => &call.args[0],
        other => other,
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Same {
    signature: Signature,
}

impl ScalarUDFImpl for Same {
    fn name(&self) -> &str {
        ""
    }
    fn schema_name(&self, args: &[Expr]) -> DfResult<String> {
        Ok(args[0].to_string())
    }
    fn signature(&self) -> &Signature {
        &self.signature
    }
    fn return_type(&self, types: &[DataType]) -> DfResult<DataType> {
        Ok(types[0].clone())
    }
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        Ok(args.args[0].clone())
    }
}
