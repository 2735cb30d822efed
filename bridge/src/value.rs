//! Single values across the border: the `value` form of `src/plan/expr_format.h`, and lists as
//! parameters.
//!
//! A `ScalarValue` of a type that the form does not know cannot be written; the caller then lets
//! the expression that holds it cross as opaque, or, in statistics, leaves the bound out.

use std::fmt::Display;

use arrow::datatypes::{DataType, IntervalMonthDayNano, IntervalUnit, TimeUnit};
use datafusion::common::ScalarValue;

use crate::bytes::{Reader, Writer};
use crate::error::{BridgeError, Res};
use crate::types::{format_of, sql_name, type_of_format};

/// Writes `value`; false, with nothing written, if its type has no byte form.
pub fn write_value(out: &mut Writer, value: &ScalarValue) -> bool {
    if value.is_null() {
        let format = format_of(&value.data_type()).unwrap_or_else(|| "n".to_string());
        out.str(if format.starts_with('+') {
            "n"
        } else {
            &format
        });
        out.u8(1);
        return true;
    }
    let Some(format) = format_of(&value.data_type()) else {
        return false;
    };
    let mut body = Writer::default();
    if !write_body(&mut body, value) {
        return false;
    }
    out.str(&format);
    out.u8(0);
    out.out.extend_from_slice(&body.out);
    true
}

fn write_body(out: &mut Writer, value: &ScalarValue) -> bool {
    use ScalarValue::*;
    match value {
        Boolean(Some(v)) => out.bool(*v),
        Int8(Some(v)) => out.u64(*v as i64 as u64),
        Int16(Some(v)) => out.u64(*v as i64 as u64),
        Int32(Some(v)) | Date32(Some(v)) => out.u64(*v as i64 as u64),
        Int64(Some(v))
        | Date64(Some(v))
        | Time64Microsecond(Some(v))
        | Time64Nanosecond(Some(v))
        | TimestampSecond(Some(v), _)
        | TimestampMillisecond(Some(v), _)
        | TimestampMicrosecond(Some(v), _)
        | TimestampNanosecond(Some(v), _) => out.u64(*v as u64),
        Time32Second(Some(v)) | Time32Millisecond(Some(v)) => out.u64(*v as i64 as u64),
        UInt8(Some(v)) => out.u64(*v as u64),
        UInt16(Some(v)) => out.u64(*v as u64),
        UInt32(Some(v)) => out.u64(*v as u64),
        UInt64(Some(v)) => out.u64(*v),
        Float32(Some(v)) => out.f64(*v as f64),
        Float64(Some(v)) => out.f64(*v),
        Decimal128(Some(v), _, _) => {
            out.u64(*v as u128 as u64);
            out.u64((*v as u128 >> 64) as u64);
        }
        Utf8(Some(v)) | Utf8View(Some(v)) | LargeUtf8(Some(v)) => out.str(v),
        Binary(Some(v))
        | BinaryView(Some(v))
        | LargeBinary(Some(v))
        | FixedSizeBinary(_, Some(v)) => out.bytes(v),
        IntervalMonthDayNano(Some(v)) => {
            out.u64(v.months as i64 as u64);
            out.u64(v.days as i64 as u64);
            out.u64(v.nanoseconds as u64);
        }
        _ => return false,
    }
    true
}

/// Reads one value; a list becomes a list of the type of its first element that is not NULL.
pub fn read_value(input: &mut Reader) -> Res<ScalarValue> {
    let format = input.str()?;
    let is_null = input.u8()? != 0;
    if format == "+l" {
        return read_list(input, is_null);
    }
    let data_type = type_of_format(format)?;
    if is_null {
        return ScalarValue::try_new_null(&data_type).map_err(Box::<BridgeError>::from);
    }
    read_body(input, &data_type)
}

fn read_list(input: &mut Reader, is_null: bool) -> Res<ScalarValue> {
    if is_null {
        return Ok(ScalarValue::Null);
    }
    let items = input.list(read_value)?;
    let element = items
        .iter()
        .map(|v| v.data_type())
        .find(|t| !t.is_null())
        .unwrap_or(DataType::Null);
    let items = items
        .into_iter()
        .map(|v| v.cast_to(&element))
        .collect::<Result<Vec<_>, _>>()
        .map_err(Box::<BridgeError>::from)?;
    Ok(ScalarValue::List(ScalarValue::new_list_nullable(
        &items, &element,
    )))
}

/// `value` as a smaller integer. Errors: 22003.
fn narrow<T: Display + Copy, N: TryFrom<T>>(value: T, data_type: &DataType) -> Res<N> {
    N::try_from(value).map_err(|_| {
        let name = sql_name(data_type);
        BridgeError::new(
            "22003",
            format!("value \"{value}\" is out of range for type {name}"),
        )
    })
}

fn read_body(input: &mut Reader, data_type: &DataType) -> Res<ScalarValue> {
    use ScalarValue as S;
    let int = |input: &mut Reader| -> Res<i64> { Ok(input.u64()? as i64) };
    Ok(match data_type {
        DataType::Boolean => S::Boolean(Some(input.u8()? != 0)),
        DataType::Int8 => S::Int8(Some(narrow(int(input)?, data_type)?)),
        DataType::Int16 => S::Int16(Some(narrow(int(input)?, data_type)?)),
        DataType::Int32 => S::Int32(Some(narrow(int(input)?, data_type)?)),
        DataType::Int64 => S::Int64(Some(int(input)?)),
        DataType::UInt8 => S::UInt8(Some(narrow(input.u64()?, data_type)?)),
        DataType::UInt16 => S::UInt16(Some(narrow(input.u64()?, data_type)?)),
        DataType::UInt32 => S::UInt32(Some(narrow(input.u64()?, data_type)?)),
        DataType::UInt64 => S::UInt64(Some(input.u64()?)),
        DataType::Float32 => S::Float32(Some(input.f64()? as f32)),
        DataType::Float64 => S::Float64(Some(input.f64()?)),
        DataType::Decimal128(p, s) => {
            let low = input.u64()? as u128;
            let high = input.u64()? as u128;
            S::Decimal128(Some((high << 64 | low) as i128), *p, *s)
        }
        DataType::Utf8 => S::Utf8(Some(input.str()?.to_string())),
        DataType::LargeUtf8 => S::LargeUtf8(Some(input.str()?.to_string())),
        DataType::Utf8View => S::Utf8View(Some(input.str()?.to_string())),
        DataType::Binary => S::Binary(Some(input.bytes()?.to_vec())),
        DataType::LargeBinary => S::LargeBinary(Some(input.bytes()?.to_vec())),
        DataType::BinaryView => S::BinaryView(Some(input.bytes()?.to_vec())),
        DataType::FixedSizeBinary(n) => S::FixedSizeBinary(*n, Some(input.bytes()?.to_vec())),
        DataType::Date32 => S::Date32(Some(narrow(int(input)?, data_type)?)),
        DataType::Date64 => S::Date64(Some(int(input)?)),
        DataType::Time32(TimeUnit::Second) => S::Time32Second(Some(int(input)? as i32)),
        DataType::Time32(_) => S::Time32Millisecond(Some(int(input)? as i32)),
        DataType::Time64(TimeUnit::Nanosecond) => S::Time64Nanosecond(Some(int(input)?)),
        DataType::Time64(_) => S::Time64Microsecond(Some(int(input)?)),
        DataType::Timestamp(unit, zone) => {
            let v = Some(int(input)?);
            match unit {
                TimeUnit::Second => S::TimestampSecond(v, zone.clone()),
                TimeUnit::Millisecond => S::TimestampMillisecond(v, zone.clone()),
                TimeUnit::Microsecond => S::TimestampMicrosecond(v, zone.clone()),
                TimeUnit::Nanosecond => S::TimestampNanosecond(v, zone.clone()),
            }
        }
        DataType::Interval(IntervalUnit::MonthDayNano) => S::IntervalMonthDayNano(Some(
            IntervalMonthDayNano::new(int(input)? as i32, int(input)? as i32, int(input)?),
        )),
        other => {
            return Err(BridgeError::internal(&format!(
                "a value of type {other} cannot cross the border"
            )));
        }
    })
}
