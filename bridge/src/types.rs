//! SQL type names, and the Arrow types that stand for them.
//!
//! Tables and queries share one mapping, which is the store's canon: TIMESTAMP is in microseconds,
//! TIMESTAMPTZ is UTC, text and bytes are views, UUID is sixteen bytes, FLOAT is DOUBLE as in
//! PostgreSQL, and DECIMAL without arguments is DECIMAL(38,10). A type without a place here is
//! refused by name.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, IntervalUnit, TimeUnit};
use arrow::ffi::FFI_ArrowSchema;
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::planner::TypePlanner;
use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, CharacterLength, DataType as SqlType, ExactNumberInfo, TimezoneInfo,
};

use crate::error::{BridgeError, Res};

pub const UUID: DataType = DataType::FixedSizeBinary(16);

const DECIMAL_PRECISION_MAX: u64 = 38;
const DECIMAL_DEFAULT: DataType = DataType::Decimal128(38, 10);

/// The Arrow type of a SQL type.
pub fn arrow_type(sql: &SqlType) -> Res<DataType> {
    Ok(match sql {
        SqlType::Boolean | SqlType::Bool => DataType::Boolean,
        SqlType::SmallInt(None) | SqlType::Int2(None) | SqlType::Int16 => DataType::Int16,
        SqlType::Int(None) | SqlType::Integer(None) | SqlType::Int4(None) | SqlType::Int32 => {
            DataType::Int32
        }
        SqlType::BigInt(None) | SqlType::Int8(None) | SqlType::Int64 => DataType::Int64,
        SqlType::Real | SqlType::Float4 => DataType::Float32,
        SqlType::Double(ExactNumberInfo::None)
        | SqlType::DoublePrecision
        | SqlType::Float8
        | SqlType::Float64 => DataType::Float64,
        SqlType::Float(info) => float_type(info)?,
        SqlType::Decimal(info) | SqlType::Numeric(info) | SqlType::Dec(info) => decimal_type(info)?,
        SqlType::Text
        | SqlType::String(_)
        | SqlType::Varchar(_)
        | SqlType::Nvarchar(_)
        | SqlType::CharacterVarying(_)
        | SqlType::CharVarying(_)
        | SqlType::Char(_)
        | SqlType::Character(_) => {
            char_length(sql)?;
            DataType::Utf8View
        }
        SqlType::Bytea | SqlType::Blob(None) => DataType::BinaryView,
        SqlType::Date => DataType::Date32,
        SqlType::Time(precision, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => {
            micros(*precision, sql)?;
            DataType::Time64(TimeUnit::Microsecond)
        }
        SqlType::Datetime(precision) => {
            micros(*precision, sql)?;
            DataType::Timestamp(TimeUnit::Microsecond, None)
        }
        SqlType::Timestamp(precision, zone) => {
            micros(*precision, sql)?;
            let utc = matches!(zone, TimezoneInfo::Tz | TimezoneInfo::WithTimeZone);
            DataType::Timestamp(TimeUnit::Microsecond, utc.then(|| "UTC".into()))
        }
        SqlType::Interval {
            fields: None,
            precision: None,
        } => DataType::Interval(IntervalUnit::MonthDayNano),
        SqlType::Uuid => UUID,
        SqlType::Array(
            ArrayElemTypeDef::AngleBracket(inner) | ArrayElemTypeDef::SquareBracket(inner, None),
        ) => {
            let element = arrow_type(inner)?;
            DataType::List(Arc::new(Field::new("item", element, true)))
        }
        other => return Err(unsupported_type(other)),
    })
}

/// The type in which a column keeps values of this type: the nearest of those that SQL has a name
/// for.
pub fn storage_type(t: &DataType) -> DataType {
    match t {
        DataType::Null | DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
        DataType::Binary | DataType::LargeBinary => DataType::BinaryView,
        DataType::Int8 | DataType::UInt8 => DataType::Int16,
        DataType::UInt16 => DataType::Int32,
        DataType::UInt32 => DataType::Int64,
        DataType::UInt64 => DataType::Decimal128(20, 0),
        DataType::Float16 => DataType::Float32,
        DataType::Decimal32(p, s) | DataType::Decimal64(p, s) => DataType::Decimal128(*p, *s),
        DataType::Decimal256(_, s) => DataType::Decimal128(38, (*s).min(38)),
        DataType::Date64 => DataType::Timestamp(TimeUnit::Microsecond, None),
        DataType::Time32(_) | DataType::Time64(_) => DataType::Time64(TimeUnit::Microsecond),
        DataType::Timestamp(_, zone) => {
            DataType::Timestamp(TimeUnit::Microsecond, zone.as_ref().map(|_| "UTC".into()))
        }
        DataType::Interval(_) | DataType::Duration(_) => {
            DataType::Interval(IntervalUnit::MonthDayNano)
        }
        DataType::Dictionary(_, value) => storage_type(value),
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            let element = storage_type(item.data_type());
            DataType::List(Arc::new(Field::new("item", element, true)))
        }
        other => other.clone(),
    }
}

fn unsupported_type(sql: &SqlType) -> Box<BridgeError> {
    let name = sql.to_string();
    let error = BridgeError::new("0A000", format!("type {name} is not supported yet"))
        .subject(name.split(['(', ' ']).next().unwrap_or("").to_lowercase());
    match sql {
        SqlType::Custom(..) => {
            let mut error = error.hint(crate::suggest::hint(
                &name,
                [
                    "boolean",
                    "smallint",
                    "integer",
                    "bigint",
                    "real",
                    "double",
                    "decimal",
                    "numeric",
                    "text",
                    "varchar",
                    "bytea",
                    "date",
                    "time",
                    "timestamp",
                    "timestamptz",
                    "interval",
                    "uuid",
                    "float",
                ],
            ));
            error.sqlstate = "42704".to_string();
            error.code = crate::error::code::NOT_FOUND;
            error.message = format!("type {name} does not exist");
            error
        }
        _ => error,
    }
}

fn float_type(info: &ExactNumberInfo) -> Res<DataType> {
    match info {
        ExactNumberInfo::None => Ok(DataType::Float64),
        ExactNumberInfo::Precision(1..=24) => Ok(DataType::Float32),
        ExactNumberInfo::Precision(25..=53) => Ok(DataType::Float64),
        _ => Err(BridgeError::new(
            "22023",
            "the precision of FLOAT must be between 1 and 53",
        )),
    }
}

fn decimal_type(info: &ExactNumberInfo) -> Res<DataType> {
    let (precision, scale) = match *info {
        ExactNumberInfo::None => return Ok(DECIMAL_DEFAULT),
        ExactNumberInfo::Precision(p) => (p, 0),
        ExactNumberInfo::PrecisionAndScale(p, s) => (p, s),
    };
    if precision == 0 || precision > DECIMAL_PRECISION_MAX {
        return Err(BridgeError::new(
            "22023",
            format!("the precision of DECIMAL must be between 1 and 38, not {precision}"),
        ));
    }
    if scale < 0 || scale as u64 > precision {
        return Err(BridgeError::new(
            "22023",
            format!(
                "the scale of DECIMAL({precision},{scale}) must be between 0 and its precision"
            ),
        ));
    }
    Ok(DataType::Decimal128(precision as u8, scale as i8))
}

// Times are kept in microseconds; less would have to round, more is not there.
fn micros(precision: Option<u64>, sql: &SqlType) -> Res<()> {
    match precision {
        None | Some(6) => Ok(()),
        _ => Err(BridgeError::unsupported(format!(
            "type {sql} (times have a precision of 6)"
        ))),
    }
}

/// n of VARCHAR(n) and CHAR(n); CHAR alone is CHAR(1).
pub fn char_length(sql: &SqlType) -> Res<Option<u32>> {
    let (length, alone) = match sql {
        SqlType::Varchar(l)
        | SqlType::Nvarchar(l)
        | SqlType::CharacterVarying(l)
        | SqlType::CharVarying(l) => (l, None),
        SqlType::Char(l) | SqlType::Character(l) => (l, Some(1)),
        SqlType::String(Some(n)) => return length_of(*n),
        _ => return Ok(None),
    };
    match length {
        None => Ok(alone),
        Some(CharacterLength::IntegerLength { length, unit: None }) => length_of(*length),
        Some(_) => Err(BridgeError::unsupported(format!("type {sql}"))),
    }
}

fn length_of(n: u64) -> Res<Option<u32>> {
    match u32::try_from(n) {
        Ok(n) if (1..=10_485_760).contains(&n) => Ok(Some(n)),
        _ => Err(BridgeError::new(
            "22023",
            format!("the length of VARCHAR must be between 1 and 10485760, not {n}"),
        )),
    }
}

/// Our mapping for types in queries: CAST, `::`, typed literals.
#[derive(Debug)]
pub struct Types;

impl TypePlanner for Types {
    fn plan_type_field(&self, sql: &SqlType) -> DfResult<Option<FieldRef>> {
        let data_type = match sql {
            // DataFusion's own unsigned types and TINYINT stay usable in expressions.
            SqlType::TinyInt(_)
            | SqlType::TinyIntUnsigned(_)
            | SqlType::SmallIntUnsigned(_)
            | SqlType::IntUnsigned(_)
            | SqlType::IntegerUnsigned(_)
            | SqlType::BigIntUnsigned(_)
            | SqlType::Struct(..) => return Ok(None),
            _ => arrow_type(sql)?,
        };
        Ok(Some(Arc::new(Field::new("", data_type, true))))
    }
}

pub fn is_text(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
    )
}

pub fn is_bytes(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView
    )
}

/// The Arrow format string; None for types that the C data interface cannot say.
pub fn format_of(data_type: &DataType) -> Option<String> {
    let schema = FFI_ArrowSchema::try_from(data_type).ok()?;
    Some(schema.format().to_string())
}

/// The type of a format string without children.
pub fn type_of_format(format: &str) -> Res<DataType> {
    let schema =
        FFI_ArrowSchema::try_new(format, vec![], None).map_err(Box::<BridgeError>::from)?;
    DataType::try_from(&schema).map_err(Box::<BridgeError>::from)
}

/// What SQL calls an Arrow type; the Arrow name if SQL has none.
pub fn sql_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Boolean => "BOOLEAN".into(),
        DataType::Int16 => "SMALLINT".into(),
        DataType::Int32 => "INTEGER".into(),
        DataType::Int64 => "BIGINT".into(),
        DataType::UInt64 => "UBIGINT".into(),
        DataType::Float32 => "REAL".into(),
        DataType::Float64 => "DOUBLE".into(),
        DataType::Decimal128(p, s) => format!("DECIMAL({p},{s})"),
        t if is_text(t) => "TEXT".into(),
        t if is_bytes(t) => "BYTEA".into(),
        DataType::Date32 => "DATE".into(),
        DataType::Time64(_) | DataType::Time32(_) => "TIME".into(),
        DataType::Timestamp(_, None) => "TIMESTAMP".into(),
        DataType::Timestamp(_, Some(_)) => "TIMESTAMPTZ".into(),
        DataType::Interval(_) => "INTERVAL".into(),
        DataType::FixedSizeBinary(16) => "UUID".into(),
        DataType::List(field) => format!("{}[]", sql_name(field.data_type())),
        DataType::Null => "NULL".into(),
        other => other.to_string(),
    }
}

/// The SQL name for a type as Arrow's messages write it ("Int64").
pub fn sql_name_of_arrow_text(text: &str) -> String {
    let known = [
        ("Int8", "TINYINT"),
        ("Int16", "SMALLINT"),
        ("Int32", "INTEGER"),
        ("Int64", "BIGINT"),
        ("UInt64", "UBIGINT"),
        ("Float32", "REAL"),
        ("Float64", "DOUBLE"),
        ("Boolean", "BOOLEAN"),
        ("Date32", "DATE"),
        ("Interval", "INTERVAL"),
    ];
    for (arrow, sql) in known {
        if text == arrow {
            return sql.to_string();
        }
    }
    for (start, sql) in [
        ("Time64", "TIME"),
        ("Timestamp", "TIMESTAMP"),
        ("Decimal", "DECIMAL"),
        ("Interval", "INTERVAL"),
        ("Utf8", "TEXT"),
        ("LargeUtf8", "TEXT"),
        ("Binary", "BYTEA"),
        ("FixedSizeBinary(16)", "UUID"),
    ] {
        if text.starts_with(start) {
            return sql.to_string();
        }
    }
    if let Some(inside) = text.strip_prefix("List(").and_then(|t| t.strip_suffix(')')) {
        return format!("{}[]", sql_name_of_arrow_text(inside));
    }
    text.to_string()
}
