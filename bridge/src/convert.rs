//! Conversions that Arrow's cast does not know, or does otherwise than SQL wants.
//!
//!     text <-> UUID        0190a5c1-...; braces and missing hyphens are read too
//!     text <-> BYTEA       \x00ff; on reading also the escape form of PostgreSQL
//!     text -> list         {1,2,NULL}
//!     text -> TIMESTAMP    also without seconds
//!     text <-> INTERVAL    in the forms of PostgreSQL, see interval.rs
//!     text -> DOUBLE       a NaN has no sign
//!     number -> integer    rounds, halves of a DECIMAL away from zero, of a DOUBLE to the even
//!                          neighbour (Arrow cuts off)
//!
//! `assign` is what happens to a value on its way into a column; its errors name the column.
//! `Convert` is the same as a function inside a plan, and prints as the CAST that it stands for.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewBuilder, Datum, FixedSizeBinaryArray,
    FixedSizeBinaryBuilder, ListArray, StringArray, StringViewArray, StringViewBuilder,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::{CastOptions, cast_with_options, kernels};
use arrow::datatypes::{DataType, FieldRef, Float32Type, Float64Type, IntervalMonthDayNanoType};
use arrow::util::display::FormatOptions;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::binary::BinaryTypeCoercer;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, Operator, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, Volatility,
};

use crate::canonical::unsigned_nans;
use crate::error::{BridgeError, Res};
use crate::error_text::invalid_input;
use crate::interval::{self, INTERVAL};
use crate::types::{UUID, is_bytes, is_text, sql_name};

/// True if casting `from` to `to` is one of ours.
pub fn is_ours(from: &DataType, to: &DataType) -> bool {
    (is_text(from) && (*to == UUID || is_bytes(to) || matches!(to, DataType::List(_))))
        || (is_text(to) && (*from == UUID || is_bytes(from) || *from == INTERVAL))
}

/// True if a CAST from one type to the other is by `Convert`.
pub fn is_our_cast(from: &DataType, to: &DataType) -> bool {
    is_ours(from, to)
        || (is_text(from) && is_read_otherwise(to))
        || (to.is_integer() && (from.is_floating() || from.is_decimal()))
}

fn is_read_otherwise(to: &DataType) -> bool {
    matches!(to, DataType::Timestamp(..) | DataType::Interval(_)) || to.is_floating()
}

/// Casts an array as Arrow does, or in one of our ways.
pub fn convert(array: &ArrayRef, to: &DataType) -> Res<ArrayRef> {
    let from = array.data_type();
    if from == to {
        return Ok(array.clone());
    }
    if is_text(from) && *to == UUID {
        return text_to_uuid(array);
    }
    if let (true, DataType::List(element)) = (is_text(from), to) {
        return text_to_list(array, element);
    }
    if is_text(from) && matches!(to, DataType::Timestamp(..)) {
        return plain_cast(&respelled(array, with_seconds)?, to);
    }
    if is_text(from) && matches!(to, DataType::Interval(_)) {
        return plain_cast(&respelled(array, interval::with_units)?, to);
    }
    if is_text(from) && to.is_floating() {
        return Ok(unsigned_nans(plain_cast(array, to)?));
    }
    if is_text(from) && is_bytes(to) {
        return plain_cast(&text_to_bytes(array)?, to);
    }
    if *from == UUID && is_text(to) {
        return plain_cast(&uuid_to_text(array), to);
    }
    if *from == INTERVAL && is_text(to) {
        let intervals = array.as_primitive::<IntervalMonthDayNanoType>().iter();
        let texts: StringViewArray = intervals.map(|i| i.map(interval::text_of)).collect();
        return plain_cast(&(Arc::new(texts) as ArrayRef), to);
    }
    if is_bytes(from) && is_text(to) {
        return plain_cast(&bytes_to_text(array)?, to);
    }
    plain_cast(array, to)
}

/// Casts an array as CAST and storing in a column of type `to` do.
pub fn assign(array: &ArrayRef, to: &DataType) -> Res<ArrayRef> {
    let from = array.data_type();
    if from == to {
        return Ok(array.clone());
    }
    if !to.is_integer() {
        return convert(array, to);
    }
    match from {
        DataType::Float64 => {
            let rounded: ArrayRef = Arc::new(
                array
                    .as_primitive::<Float64Type>()
                    .unary::<_, Float64Type>(f64::round_ties_even),
            );
            convert(&rounded, to)
        }
        DataType::Float32 => {
            let rounded: ArrayRef = Arc::new(
                array
                    .as_primitive::<Float32Type>()
                    .unary::<_, Float32Type>(f32::round_ties_even),
            );
            convert(&rounded, to)
        }
        DataType::Decimal128(precision, scale) if *scale > 0 => {
            // Arrow rounds halves away from zero when the scale shrinks.
            let whole = (precision - *scale as u8 + 1).clamp(1, 38);
            convert(&plain_cast(array, &DataType::Decimal128(whole, 0))?, to)
        }
        _ => convert(array, to),
    }
}

/// What a value becomes that replaces a parameter of type `to`.
pub fn assign_scalar(value: &ScalarValue, to: &DataType) -> Res<ScalarValue> {
    if value.data_type() == *to {
        return Ok(value.clone());
    }
    if value.is_null() {
        return ScalarValue::try_new_null(to).map_err(Box::<BridgeError>::from);
    }
    let array = value.to_array().map_err(Box::<BridgeError>::from)?;
    let converted = if to.is_integer() && array.data_type().is_floating() {
        whole_number(&array, to)?
    } else {
        convert(&array, to)?
    };
    ScalarValue::try_from_array(&converted, 0).map_err(Box::<BridgeError>::from)
}

// id = 1.5 must not become id = 2, so a parameter that would be cut is refused.
fn whole_number(array: &ArrayRef, to: &DataType) -> Res<ArrayRef> {
    let converted = convert(array, to)?;
    let back = convert(&converted, array.data_type())?;
    if back.to_data() == array.to_data() {
        return Ok(converted);
    }
    let value = ScalarValue::try_from_array(array, 0).map_err(Box::<BridgeError>::from)?;
    Err(invalid_input(&value.to_string(), &sql_name(to)))
}

fn plain_cast(array: &ArrayRef, to: &DataType) -> Res<ArrayRef> {
    if array.data_type() == to {
        return Ok(array.clone());
    }
    let options = CastOptions {
        safe: false,
        format_options: FormatOptions::default(),
    };
    cast_with_options(array, to, &options).map_err(|error| {
        let error = Box::<BridgeError>::from(error);
        if error.sqlstate != "22000" {
            return error;
        }
        if error.message.contains("ot supported") {
            return BridgeError::new(
                "42804",
                format!(
                    "a value of type {} cannot become {}",
                    sql_name(array.data_type()),
                    sql_name(to)
                ),
            );
        }
        error
    })
}

fn texts(array: &ArrayRef) -> Res<StringViewArray> {
    Ok(plain_cast(array, &DataType::Utf8View)?
        .as_string_view()
        .clone())
}

/// Texts as Arrow wants them; `spell` says None of those that are.
fn respelled(array: &ArrayRef, spell: impl Fn(&str) -> Option<String>) -> Res<ArrayRef> {
    let texts = texts(array)?;
    let spelled: Vec<_> = texts.iter().map(|text| text.and_then(&spell)).collect();
    if spelled.iter().all(Option::is_none) {
        return Ok(array.clone());
    }
    let mut out = StringViewBuilder::with_capacity(texts.len());
    for (text, other) in texts.iter().zip(&spelled) {
        out.append_option(other.as_deref().or(text));
    }
    Ok(Arc::new(out.finish()))
}

/// `2024-03-01 12:00+02` as `2024-03-01 12:00:00+02`.
fn with_seconds(text: &str) -> Option<String> {
    let text = text.trim();
    let bytes = text.as_bytes();
    let minutes = bytes.len() >= 16 && bytes[13] == b':' && matches!(bytes[10], b' ' | b'T');
    let lacks = minutes && bytes.get(16).is_none_or(|next| b"+-Zz ".contains(next));
    let (start, zone) = text.split_at_checked(16)?;
    lacks.then(|| format!("{start}:00{zone}"))
}

fn text_to_uuid(array: &ArrayRef) -> Res<ArrayRef> {
    let texts = texts(array)?;
    let mut out = FixedSizeBinaryBuilder::with_capacity(texts.len(), 16);
    for text in texts.iter() {
        match text {
            None => out.append_null(),
            Some(text) => {
                let bytes = parse_uuid(text).ok_or_else(|| invalid_input(text, "UUID"))?;
                out.append_value(bytes).map_err(Box::<BridgeError>::from)?;
            }
        }
    }
    Ok(Arc::new(out.finish()))
}

/// Thirty-two hexadecimal digits; hyphens may stand after every fourth, braces around all.
pub fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    let text = text.trim();
    let text = match (text.strip_prefix('{'), text.ends_with('}')) {
        (Some(inner), true) => &inner[..inner.len() - 1],
        (None, false) => text,
        _ => return None,
    };
    let mut out = [0u8; 16];
    let mut digits = 0;
    for (i, c) in text.bytes().enumerate() {
        if c == b'-' {
            if digits == 0 || digits % 4 != 0 || text.as_bytes()[i - 1] == b'-' {
                return None;
            }
            continue;
        }
        let nibble = (c as char).to_digit(16)? as u8;
        if digits == 32 {
            return None;
        }
        out[digits / 2] |= if digits % 2 == 0 { nibble << 4 } else { nibble };
        digits += 1;
    }
    (digits == 32 && !text.ends_with('-')).then_some(out)
}

pub fn format_uuid(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(36);
    for (i, byte) in bytes.iter().enumerate() {
        if matches!(i, 4 | 6 | 8 | 10) {
            out.push('-');
        }
        push_hex(&mut out, *byte);
    }
    out
}

fn push_hex(out: &mut String, byte: u8) {
    for nibble in [byte >> 4, byte & 15] {
        out.push(char::from_digit(nibble as u32, 16).expect("a nibble"));
    }
}

fn uuid_to_text(array: &ArrayRef) -> ArrayRef {
    let uuids: &FixedSizeBinaryArray = array.as_fixed_size_binary();
    let texts: StringArray = (0..uuids.len())
        .map(|i| uuids.is_valid(i).then(|| format_uuid(uuids.value(i))))
        .collect();
    Arc::new(texts)
}

fn text_to_bytes(array: &ArrayRef) -> Res<ArrayRef> {
    let texts = texts(array)?;
    let mut out = BinaryViewBuilder::with_capacity(texts.len());
    for text in texts.iter() {
        match text {
            None => out.append_null(),
            Some(text) => {
                out.append_value(parse_bytes(text).ok_or_else(|| invalid_input(text, "BYTEA"))?)
            }
        }
    }
    Ok(Arc::new(out.finish()))
}

/// `\x00ff`, or text with `\\` and `\ooo`.
pub fn parse_bytes(text: &str) -> Option<Vec<u8>> {
    if let Some(hex) = text.strip_prefix("\\x") {
        let digits: Vec<u8> = hex
            .chars()
            .filter(|c| !c.is_whitespace())
            .map(|c| c.to_digit(16).map(|d| d as u8))
            .collect::<Option<_>>()?;
        if digits.len() % 2 != 0 {
            return None;
        }
        return Some(digits.chunks(2).map(|d| d[0] << 4 | d[1]).collect());
    }
    let mut out = Vec::with_capacity(text.len());
    let bytes = text.as_bytes();
    let mut i = 0;
    while i < bytes.len() {
        if bytes[i] != b'\\' {
            out.push(bytes[i]);
            i += 1;
        } else if bytes.get(i + 1) == Some(&b'\\') {
            out.push(b'\\');
            i += 2;
        } else {
            let octal = text.get(i + 1..i + 4)?;
            out.push(u8::from_str_radix(octal, 8).ok()?);
            i += 4;
        }
    }
    Some(out)
}

/// Reads `{1,2,NULL}`, the elements as texts of their type.
fn text_to_list(array: &ArrayRef, element: &FieldRef) -> Res<ArrayRef> {
    let texts = texts(array)?;
    let mut items = StringViewBuilder::new();
    let mut lengths = Vec::with_capacity(texts.len());
    for text in texts.iter() {
        let list = match text {
            None => Vec::new(),
            Some(text) => parse_list(text).ok_or_else(|| {
                invalid_input(text, &format!("{}[]", sql_name(element.data_type())))
            })?,
        };
        lengths.push(list.len());
        for item in list {
            items.append_option(item);
        }
    }
    let items: ArrayRef = Arc::new(items.finish());
    let values = convert(&items, element.data_type())?;
    let offsets = OffsetBuffer::from_lengths(lengths);
    let nulls = texts.nulls().cloned();
    Ok(Arc::new(ListArray::try_new(
        element.clone(),
        offsets,
        values,
        nulls,
    )?))
}

/// The elements of `{a,"b c",NULL}`; None if it is malformed or nested.
pub fn parse_list(text: &str) -> Option<Vec<Option<String>>> {
    let inner = text.trim().strip_prefix('{')?.strip_suffix('}')?;
    let mut items = Vec::new();
    if inner.trim().is_empty() {
        return Some(items);
    }
    let mut chars = inner.chars().peekable();
    loop {
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        let mut item = String::new();
        if chars.next_if_eq(&'"').is_some() {
            loop {
                match chars.next()? {
                    '"' => break,
                    '\\' => item.push(chars.next()?),
                    c => item.push(c),
                }
            }
            while chars.next_if(|c| c.is_whitespace()).is_some() {}
            items.push(Some(item));
        } else {
            while let Some(c) = chars.next_if(|c| *c != ',') {
                match c {
                    '{' | '}' | '"' => return None,
                    '\\' => item.push(chars.next()?),
                    c => item.push(c),
                }
            }
            match item.trim_end() {
                "" => return None,
                null if null.eq_ignore_ascii_case("null") => items.push(None),
                word => items.push(Some(word.to_string())),
            }
        }
        match chars.next() {
            None => return Some(items),
            Some(',') => {}
            Some(_) => return None,
        }
    }
}

fn bytes_to_text(array: &ArrayRef) -> Res<ArrayRef> {
    let views = plain_cast(array, &DataType::BinaryView)?;
    let mut out = StringViewBuilder::with_capacity(views.len());
    for value in views.as_binary_view().iter() {
        match value {
            None => out.append_null(),
            Some(bytes) => {
                let mut text = String::with_capacity(2 + 2 * bytes.len());
                text.push_str("\\x");
                for byte in bytes {
                    push_hex(&mut text, *byte);
                }
                out.append_value(text);
            }
        }
    }
    Ok(Arc::new(out.finish()))
}

/// The conversion as a function of one argument.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Convert {
    to: DataType,
    /// Set if the value goes into this column.
    column: Option<String>,
    signature: Signature,
}

impl Convert {
    /// CAST(`expr` AS `to`).
    pub fn cast(expr: Expr, to: &DataType) -> Expr {
        Convert::call(expr, to, None)
    }
    /// `expr` on its way into `column`.
    pub fn assign(expr: Expr, to: &DataType, column: &str) -> Expr {
        Convert::call(expr, to, Some(column.to_string()))
    }
    fn call(expr: Expr, to: &DataType, column: Option<String>) -> Expr {
        let convert = Convert {
            to: to.clone(),
            column,
            signature: Signature::any(1, Volatility::Immutable),
        };
        ScalarUDF::new_from_impl(convert).call(vec![expr])
    }

    fn apply(&self, array: &ArrayRef) -> Res<ArrayRef> {
        let converted = assign(array, &self.to);
        let Some(column) = &self.column else {
            return converted;
        };
        converted.map_err(|mut error| {
            if error.detail.is_empty() {
                error.detail = format!("column \"{column}\" is of type {}", sql_name(&self.to));
            }
            error.subject = error.subject.take().or_else(|| Some(column.clone()));
            error
        })
    }
}

impl ScalarUDFImpl for Convert {
    fn name(&self) -> &str {
        "convert"
    }
    fn display_name(&self, args: &[Expr]) -> DfResult<String> {
        Ok(format!("CAST({} AS {})", args[0], sql_name(&self.to)))
    }
    fn schema_name(&self, args: &[Expr]) -> DfResult<String> {
        Ok(args[0].schema_name().to_string())
    }
    fn signature(&self) -> &Signature {
        &self.signature
    }
    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(self.to.clone())
    }
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        match &args.args[0] {
            ColumnarValue::Array(array) => Ok(ColumnarValue::Array(self.apply(array)?)),
            ColumnarValue::Scalar(scalar) => {
                let array = self.apply(&scalar.to_array()?)?;
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(
                    &array, 0,
                )?))
            }
        }
    }
}

/// `expr` as a value for a column of type `to`; itself if it is one.
pub fn assignment(expr: Expr, schema: &DFSchema, to: &DataType, column: &str) -> Res<Expr> {
    let from = expr.get_type(schema).map_err(Box::<BridgeError>::from)?;
    if from == *to {
        return Ok(expr);
    }
    if let (Expr::Literal(value, _), true) = (&expr, from.is_null()) {
        debug_assert!(value.is_null());
        let null = ScalarValue::try_new_null(to).map_err(Box::<BridgeError>::from)?;
        return Ok(Expr::Literal(null, None));
    }
    if !can_assign(&from, to) {
        return Err(BridgeError::new(
            "42804",
            format!(
                "column \"{column}\" is of type {}, but the value is of type {}",
                sql_name(to),
                sql_name(&from)
            ),
        )
        .subject(column)
        .hint("write a CAST"));
    }
    Ok(Convert::assign(expr, to, column))
}

/// True if there is a way from one type into a column of another without a CAST.
pub fn can_assign(from: &DataType, to: &DataType) -> bool {
    if is_ours(from, to) || from.is_null() {
        return true;
    }
    // Arrow casts between numbers, dates and booleans at will; SQL does not.
    if to.is_nested() && !is_text(from) && !from.is_nested() {
        return false; // Arrow makes a list of one
    }
    let number = |t: &DataType| t.is_numeric();
    if (*to == DataType::Boolean && number(from)) || (*from == DataType::Boolean && number(to)) {
        return false;
    }
    if (number(from) && to.is_temporal()) || (from.is_temporal() && number(to)) {
        return false;
    }
    arrow::compute::can_cast_types(from, to)
}

/// Sums, differences and products of integers that refuse to wrap around, quotients of floats that
/// refuse to divide by zero, and some products of decimals. Stands where DataFusion's own operator
/// would answer something wrong.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Checked {
    sign: char,
    signature: Signature,
}

impl Checked {
    pub fn call(sign: char, left: Expr, right: Expr) -> Expr {
        let checked = Checked {
            sign,
            signature: Signature::any(2, Volatility::Immutable),
        };
        ScalarUDF::new_from_impl(checked).call(vec![left, right])
    }

    fn run(&self, left: &dyn Datum, right: &dyn Datum) -> Res<ArrayRef> {
        let result = match self.sign {
            '+' => kernels::numeric::add(left, right),
            '-' => kernels::numeric::sub(left, right),
            '*' => kernels::numeric::mul(left, right),
            _ if has_zero(right.get().0) && left.get().0.null_count() < left.get().0.len() => {
                return Err(BridgeError::new("22012", "division by zero"));
            }
            _ => kernels::numeric::div(left, right),
        };
        result.map_err(Box::<BridgeError>::from)
    }
}

fn has_zero(array: &dyn Array) -> bool {
    match array.data_type() {
        DataType::Float64 => array
            .as_primitive::<Float64Type>()
            .iter()
            .any(|v| v == Some(0.0)),
        DataType::Float32 => array
            .as_primitive::<Float32Type>()
            .iter()
            .any(|v| v == Some(0.0)),
        _ => false,
    }
}

impl ScalarUDFImpl for Checked {
    fn name(&self) -> &str {
        match self.sign {
            '+' => "checked_add",
            '-' => "checked_subtract",
            '*' => "checked_multiply",
            _ => "checked_divide",
        }
    }
    fn display_name(&self, args: &[Expr]) -> DfResult<String> {
        Ok(format!("({} {} {})", args[0], self.sign, args[1]))
    }
    fn schema_name(&self, args: &[Expr]) -> DfResult<String> {
        let (left, right) = (args[0].schema_name(), args[1].schema_name());
        Ok(format!("{left} {} {right}", self.sign))
    }
    fn signature(&self) -> &Signature {
        &self.signature
    }
    fn return_type(&self, types: &[DataType]) -> DfResult<DataType> {
        if types[0].is_decimal() {
            return BinaryTypeCoercer::new(&types[0], &Operator::Multiply, &types[1])
                .get_result_type();
        }
        Ok(types[0].clone())
    }
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let [left, right] = args.args.as_slice() else {
            return Err(BridgeError::internal("an operator takes two values").into());
        };
        let both_scalar = matches!(
            (left, right),
            (ColumnarValue::Scalar(_), ColumnarValue::Scalar(_))
        );
        let result = match (left, right) {
            (ColumnarValue::Scalar(l), ColumnarValue::Scalar(r)) => {
                self.run(&l.to_scalar()?, &r.to_scalar()?)?
            }
            (ColumnarValue::Array(l), ColumnarValue::Scalar(r)) => self.run(l, &r.to_scalar()?)?,
            (ColumnarValue::Scalar(l), ColumnarValue::Array(r)) => self.run(&l.to_scalar()?, r)?,
            (ColumnarValue::Array(l), ColumnarValue::Array(r)) => self.run(l, r)?,
        };
        if both_scalar {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(
                &result, 0,
            )?));
        }
        Ok(ColumnarValue::Array(result))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_and_bytes_are_read_as_postgresql_reads_them() {
        let text = "0190a5c1-7e2b-7cc3-98c4-dc0c0c07398f";
        let bytes = parse_uuid(text).unwrap();
        assert_eq!(format_uuid(&bytes), text);
        assert_eq!(
            parse_uuid("{0190A5C17E2B7CC398C4DC0C0C07398F}"),
            Some(bytes)
        );
        assert_eq!(parse_uuid("0190a5c1"), None);
        assert_eq!(parse_bytes("\\x00fF"), Some(vec![0, 255]));
        assert_eq!(parse_bytes("\\x0"), None);
        assert_eq!(parse_bytes("a\\\\b\\001"), Some(b"a\\b\x01".to_vec()));
        let item = |s: &str| Some(s.to_string());
        assert_eq!(
            parse_list("{a, \"b,c\" ,NULL,\"NULL\"}"),
            Some(vec![item("a"), item("b,c"), None, item("NULL")])
        );
        assert_eq!(parse_list("{}"), Some(vec![]));
        assert_eq!(parse_list("{a,}"), None);
        assert_eq!(parse_list("{{1},{2}}"), None);
    }

    #[test]
    fn storing_rounds_and_refuses_what_does_not_fit() {
        let floats: ArrayRef = Arc::new(arrow::array::Float64Array::from(vec![1.5, 2.5, -1.5]));
        let stored = assign(&floats, &DataType::Int32).unwrap();
        let expected = arrow::array::Int32Array::from(vec![2, 2, -2]);
        assert_eq!(stored.as_ref(), &expected as &dyn Array);
        let big: ArrayRef = Arc::new(arrow::array::Int64Array::from(vec![99999]));
        assert_eq!(
            assign(&big, &DataType::Int16).unwrap_err().sqlstate,
            "22003"
        );
        let nan: ArrayRef = Arc::new(arrow::array::Float64Array::from(vec![f64::NAN]));
        assert_eq!(
            assign(&nan, &DataType::Int64).unwrap_err().sqlstate,
            "22003"
        );
    }
}
