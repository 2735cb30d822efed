//! tf_test_panic(x): panics when it is evaluated, in whatever thread. It exists only in sessions
//! that set trefoil.test_functions, for the tests that prove that no panic crosses the border.

use arrow::datatypes::DataType;
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

pub const PANIC: &str = "tf_test_panic";

#[derive(Debug, PartialEq, Eq, Hash)]
struct Panic {
    signature: Signature,
}

pub fn panic_function() -> ScalarUDF {
    ScalarUDF::new_from_impl(Panic {
        signature: Signature::any(1, Volatility::Volatile),
    })
}

impl ScalarUDFImpl for Panic {
    fn name(&self) -> &str {
        PANIC
    }
    fn signature(&self) -> &Signature {
        &self.signature
    }
    fn return_type(&self, types: &[DataType]) -> DfResult<DataType> {
        Ok(types[0].clone())
    }
    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        panic!("tf_test_panic was called");
    }
}
