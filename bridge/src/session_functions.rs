//! What SQL asks about the session and the catalog, rather than about rows:
//!
//!     current_schema()          where names are looked up first, and things are created
//!     current_schemas(bool)     where names are looked up; `true`: also where that is not said
//!     to_regclass('name')       the relation of this name as SQL writes it, or NULL
//!     'name'::regclass          the same, or an error (regclass('name') in a plan)
//!     pg_typeof(x)              the type of a value, as PostgreSQL calls it
//!
//! All but the last are asked in a plan that is made ready for a run (`sequence_functions::bind`),
//! whose catalog knows; constants stand in their place then.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion::common::ScalarValue;
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::catalog::Run;
use crate::error::{BridgeError, Res};
use crate::types::{sql_name, storage_type};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    CurrentSchema,
    CurrentSchemas,
    ToRegclass,
    Regclass,
}

pub fn functions() -> impl Iterator<Item = ScalarUDF> {
    use Kind::*;
    let kinds = [CurrentSchema, CurrentSchemas, ToRegclass, Regclass];
    let asked = kinds.into_iter().map(|kind| {
        let arguments = match kind {
            CurrentSchema => vec![],
            CurrentSchemas => vec![DataType::Boolean],
            ToRegclass | Regclass => vec![DataType::Utf8View],
        };
        let signature = match arguments.is_empty() {
            true => Signature::nullary(Volatility::Volatile),
            false => Signature::exact(arguments, Volatility::Volatile),
        };
        ScalarUDF::new_from_impl(Asked { kind, signature })
    });
    let type_of = TypeOf {
        signature: Signature::any(1, Volatility::Immutable),
    };
    asked.chain([ScalarUDF::new_from_impl(type_of)])
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Asked {
    kind: Kind,
    signature: Signature,
}

impl ScalarUDFImpl for Asked {
    fn name(&self) -> &str {
        match self.kind {
            Kind::CurrentSchema => "current_schema",
            Kind::CurrentSchemas => "current_schemas",
            Kind::ToRegclass => "to_regclass",
            Kind::Regclass => "regclass",
        }
    }
    fn signature(&self) -> &Signature {
        &self.signature
    }
    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(match self.kind {
            Kind::CurrentSchemas => {
                DataType::List(Arc::new(Field::new("item", DataType::Utf8View, true)))
            }
            _ => DataType::Utf8View,
        })
    }
    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let what = match self.kind {
            Kind::CurrentSchema => "current_schema() in this place".to_string(),
            Kind::Regclass => "a cast to regclass of what is no constant".to_string(),
            _ => format!("{}() of what is no constant", self.name()),
        };
        Err(BridgeError::unsupported(what).into())
    }
}

pub fn is_one(function: &ScalarUDF) -> bool {
    function.inner().downcast_ref::<Asked>().is_some()
}

/// The call as the constant that it is in this run; None if it is another's.
pub fn bound(expr: &Expr, run: &Arc<Run>) -> Res<Option<Expr>> {
    let Expr::ScalarFunction(call) = expr else {
        return Ok(None);
    };
    let Some(asked) = call.func.inner().downcast_ref::<Asked>() else {
        return Ok(None);
    };
    let argument = match call.args.as_slice() {
        [] => None,
        [Expr::Literal(value, _)] => Some(value),
        _ => return Ok(None),
    };
    let text = ScalarValue::Utf8View;
    let answer = match (asked.kind, argument) {
        (Kind::CurrentSchema, _) => {
            let mut schemas = run.schemas()?.into_iter();
            text(schemas.find(|s| !s.starts_with(TEMPORARY)))
        }
        (Kind::CurrentSchemas, Some(ScalarValue::Boolean(Some(all)))) => schemas(run, *all)?,
        (Kind::ToRegclass | Kind::Regclass, Some(value)) => {
            let Some(name) = value.try_as_str().flatten() else {
                return Ok(Some(Expr::Literal(text(None), None)));
            };
            let found = run.relation_name(name)?;
            if found.is_none() && asked.kind == Kind::Regclass {
                let message = format!("relation \"{name}\" does not exist");
                return Err(BridgeError::new("42P01", message));
            }
            text(found)
        }
        _ => ScalarValue::try_new_null(&asked.return_type(&[])?)?,
    };
    Ok(Some(Expr::Literal(answer, None)))
}

/// catalog::kTemporaryPrefix.
const TEMPORARY: &str = "pg_temp_";

/// PostgreSQL looks names up in pg_catalog, too, before all that is said.
fn schemas(run: &Arc<Run>, all: bool) -> Res<ScalarValue> {
    let (mut temporary, mut said): (Vec<String>, Vec<String>) = run
        .schemas()?
        .into_iter()
        .partition(|s| s.starts_with(TEMPORARY));
    if all {
        temporary.push("pg_catalog".to_string());
        temporary.append(&mut said);
        said = temporary;
    }
    let values: Vec<ScalarValue> = said
        .into_iter()
        .map(|s| ScalarValue::Utf8View(Some(s)))
        .collect();
    let list = ScalarValue::new_list_nullable(&values, &DataType::Utf8View);
    Ok(ScalarValue::List(list))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct TypeOf {
    signature: Signature,
}

impl ScalarUDFImpl for TypeOf {
    fn name(&self) -> &str {
        "pg_typeof"
    }
    fn signature(&self) -> &Signature {
        &self.signature
    }
    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(DataType::Utf8View)
    }
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let name = postgresql_name(args.arg_fields[0].data_type());
        Ok(ColumnarValue::Scalar(ScalarValue::Utf8View(Some(name))))
    }
}

fn postgresql_name(data_type: &DataType) -> String {
    if data_type.is_null() {
        return "unknown".to_string();
    }
    match storage_type(data_type) {
        DataType::Float64 => "double precision".to_string(),
        DataType::Decimal128(..) => "numeric".to_string(),
        DataType::Time64(_) => "time without time zone".to_string(),
        DataType::Timestamp(_, None) => "timestamp without time zone".to_string(),
        DataType::Timestamp(_, Some(_)) => "timestamp with time zone".to_string(),
        DataType::List(item) => format!("{}[]", postgresql_name(item.data_type())),
        t => sql_name(&t).to_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::UUID;
    use arrow::datatypes::TimeUnit;

    #[test]
    fn types_have_the_names_of_postgresql() {
        let list = DataType::new_list(DataType::Int32, true);
        for (data_type, name) in [
            (DataType::Int64, "bigint"),
            (DataType::Utf8, "text"),
            (DataType::Float64, "double precision"),
            (DataType::Decimal128(12, 2), "numeric"),
            (
                DataType::Timestamp(TimeUnit::Nanosecond, None),
                "timestamp without time zone",
            ),
            (list, "integer[]"),
            (UUID, "uuid"),
            (DataType::Null, "unknown"),
        ] {
            assert_eq!(postgresql_name(&data_type), name);
        }
    }
}
