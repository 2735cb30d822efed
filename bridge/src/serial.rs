//! pg_get_serial_sequence('table', 'column'): the name of the sequence from which a column takes
//! its numbers, which programs hand to setval() and currval(); NULL if it takes them from none.
//!
//! Only constants are understood: `bind` puts the name in the function's place when the plan is
//! made ready for a run, whose catalog knows it.

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::sql::sqlparser::parser::Parser;
use std::sync::Arc;

use crate::catalog::Run;
use crate::error::{BridgeError, Res};
use crate::parse::{bare_name, table_name};
use crate::sequence_functions::next_of;
use crate::text::{DIALECT, Text};

const NAME: &str = "pg_get_serial_sequence";

pub fn function() -> ScalarUDF {
    let text = DataType::Utf8View;
    ScalarUDF::new_from_impl(SerialSequence {
        signature: Signature::exact(vec![text.clone(), text], Volatility::Volatile),
    })
}

pub fn is_one(function: &ScalarUDF) -> bool {
    function.inner().downcast_ref::<SerialSequence>().is_some()
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct SerialSequence {
    signature: Signature,
}

impl ScalarUDFImpl for SerialSequence {
    fn name(&self) -> &str {
        NAME
    }
    fn signature(&self) -> &Signature {
        &self.signature
    }
    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(DataType::Utf8View)
    }
    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        Err(BridgeError::unsupported(format!("{NAME}() of names that are no constants")).into())
    }
}

/// The call as the constant that it is in this run; None if it is another's.
pub fn bound(expr: &Expr, run: &Arc<Run>) -> Res<Option<Expr>> {
    let Expr::ScalarFunction(call) = expr else {
        return Ok(None);
    };
    if !is_one(&call.func) {
        return Ok(None);
    }
    let [Expr::Literal(table, _), Expr::Literal(column, _)] = call.args.as_slice() else {
        return Ok(None);
    };
    let sequence = match (table.try_as_str().flatten(), column.try_as_str().flatten()) {
        (Some(table), Some(column)) => sequence_of(table, column, run)?,
        _ => None,
    };
    Ok(Some(Expr::Literal(ScalarValue::Utf8View(sequence), None)))
}

fn sequence_of(table: &str, column: &str, run: &Arc<Run>) -> Res<Option<String>> {
    let invalid = |_| BridgeError::new("42602", format!("invalid name: \"{table}\""));
    let mut parser = Parser::new(&DIALECT).try_with_sql(table).map_err(invalid)?;
    let name = parser.parse_object_name(false).map_err(invalid)?;
    let name = table_name(&Text::new(table)?, &name)?.text;
    let Some(found) = run.find(&name, false)? else {
        let message = format!("relation \"{name}\" does not exist");
        return Err(BridgeError::new("42P01", message));
    };
    let Ok(position) = found.schema.index_of(column) else {
        let relation = bare_name(&name);
        let message = format!("column \"{column}\" of relation \"{relation}\" does not exist");
        return Err(BridgeError::new("42703", message));
    };
    let Some(default) = found.column_default(position as u32)? else {
        return Ok(None);
    };
    let parsed = Parser::new(&DIALECT).try_with_sql(&default);
    let expression = parsed.and_then(|mut p| p.parse_expr());
    Ok(expression.ok().and_then(|e| next_of(&e)))
}
