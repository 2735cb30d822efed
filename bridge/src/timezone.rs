//! AT TIME ZONE, which is PostgreSQL's function timezone(zone, time).
//!
//!     TIMESTAMPTZ AT TIME ZONE z     TIMESTAMP: what clocks in z show at that moment
//!     TIMESTAMP AT TIME ZONE z       TIMESTAMPTZ: the moment at which clocks in z show that
//!
//! Arrow keeps a moment as UTC and its zone in the type, so both are casts to and from a type of
//! zone z. The zone must be a constant.

use arrow::array::timezone::Tz;
use arrow::array::{Array, ArrayRef};
use arrow::datatypes::{DataType, Field, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::error::Result as DfResult;
use datafusion::functions::datetime::to_local_time;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use std::sync::Arc;

use crate::convert::convert;
use crate::error::BridgeError;

pub const NAME: &str = "timezone";

pub fn function() -> ScalarUDF {
    ScalarUDF::new_from_impl(TimeZone {
        signature: Signature::user_defined(Volatility::Immutable),
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct TimeZone {
    signature: Signature,
}

pub fn moment(zone: Option<&str>) -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, zone.map(Into::into))
}

/// What clocks show at these moments, in the zone of their type.
pub fn clock(time: ArrayRef, args: &ScalarFunctionArgs) -> DfResult<ArrayRef> {
    let rows = time.len();
    let local = ScalarFunctionArgs {
        arg_fields: vec![Arc::new(Field::new("time", time.data_type().clone(), true))],
        args: vec![ColumnarValue::Array(time)],
        number_rows: rows,
        return_field: Arc::new(Field::new("clock", moment(None), true)),
        config_options: args.config_options.clone(),
    };
    to_local_time().invoke_with_args(local)?.to_array(rows)
}

impl ScalarUDFImpl for TimeZone {
    fn name(&self) -> &str {
        NAME
    }
    fn signature(&self) -> &Signature {
        &self.signature
    }
    /// What is no TIMESTAMP becomes a TIMESTAMPTZ, as in PostgreSQL.
    fn coerce_types(&self, types: &[DataType]) -> DfResult<Vec<DataType>> {
        let [_, time] = types else {
            return Err(BridgeError::new("42883", "timezone() takes a zone and a time").into());
        };
        let time = match time {
            DataType::Timestamp(_, None) => moment(None),
            _ => moment(Some("UTC")),
        };
        Ok(vec![DataType::Utf8, time])
    }
    fn return_type(&self, types: &[DataType]) -> DfResult<DataType> {
        Ok(match types.get(1) {
            Some(DataType::Timestamp(_, None)) => moment(Some("UTC")),
            _ => moment(None),
        })
    }
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let [ColumnarValue::Scalar(zone), time] = args.args.as_slice() else {
            let what = "AT TIME ZONE with a zone that is no constant";
            return Err(BridgeError::unsupported(what).into());
        };
        let Some(Some(zone)) = zone.try_as_str() else {
            let null = ScalarValue::try_new_null(args.return_type())?;
            return Ok(ColumnarValue::Scalar(null));
        };
        if zone.parse::<Tz>().is_err() {
            let message = format!("time zone \"{zone}\" not recognized");
            return Err(BridgeError::new("22023", message).into());
        }
        let single = matches!(time, ColumnarValue::Scalar(_));
        let rows = if single { 1 } else { args.number_rows };
        let there = moment(Some(zone));
        let time = convert(&time.to_array(rows)?, &there)?;
        let answer = match args.return_type() {
            DataType::Timestamp(_, None) => clock(time, &args)?,
            utc => convert(&time, utc)?,
        };
        Ok(match single {
            true => ColumnarValue::Scalar(ScalarValue::try_from_array(&answer, 0)?),
            false => ColumnarValue::Array(answer),
        })
    }
}
