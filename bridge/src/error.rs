//! One error type for all that can go wrong, and how DataFusion's errors become it.
//!
//! A `BridgeError` carries what `trefoil::Status` carries. Errors of C++ callbacks travel through
//! DataFusion inside `DataFusionError::External` and come out as they went in. For DataFusion's own
//! errors the SQLSTATE is found from the kind of the error and, where that is too coarse, from its
//! message; `error_text.rs` holds what is known about those messages.

use std::ffi::c_void;
use std::fmt;

use arrow::error::ArrowError;
use datafusion::common::{DataFusionError, SchemaError};
use datafusion::parquet::errors::ParquetError;

use crate::abi::{TF_BRIDGE_VERSION, TfError, TfText};
use crate::error_text;
use crate::suggest;

/// trefoil::Code as numbers.
pub mod code {
    pub const INVALID_INPUT: i32 = 1;
    pub const NOT_FOUND: i32 = 2;
    pub const CONFLICT: i32 = 3;
    pub const READ_ONLY: i32 = 4;
    pub const CORRUPTION: i32 = 5;
    pub const IO: i32 = 6;
    pub const UNSUPPORTED: i32 = 7;
}

#[derive(Debug, Clone, PartialEq)]
pub struct BridgeError {
    pub code: i32,
    pub sqlstate: String,
    pub message: String,
    pub detail: String,
    pub hint: String,
    pub position: Option<usize>,
    /// The name that was not found, so that whoever has the text can find its position.
    pub subject: Option<String>,
}

pub type Res<T> = Result<T, Box<BridgeError>>;

impl BridgeError {
    /// An error with the code that goes with its SQLSTATE.
    #[allow(clippy::new_ret_no_self)]
    pub fn new(sqlstate: &str, message: impl Into<String>) -> Box<BridgeError> {
        Box::new(BridgeError {
            code: code_of(sqlstate),
            sqlstate: sqlstate.to_string(),
            message: message.into(),
            detail: String::new(),
            hint: String::new(),
            position: None,
            subject: None,
        })
    }
    pub fn unsupported(what: impl fmt::Display) -> Box<BridgeError> {
        BridgeError::new("0A000", format!("{what} is not supported yet"))
    }
    pub fn internal(message: &str) -> Box<BridgeError> {
        BridgeError::new("XX000", format!("internal error: {message}"))
    }
    pub fn cancelled() -> Box<BridgeError> {
        BridgeError::new("57014", "the statement was cancelled")
    }
    pub fn at(mut self: Box<Self>, position: impl Into<Option<usize>>) -> Box<BridgeError> {
        self.position = position.into();
        self
    }
    pub fn hint(mut self: Box<Self>, hint: impl Into<String>) -> Box<BridgeError> {
        self.hint = hint.into();
        self
    }
    pub fn detail(mut self: Box<Self>, detail: impl Into<String>) -> Box<BridgeError> {
        self.detail = detail.into();
        self
    }
    pub fn subject(mut self: Box<Self>, name: impl Into<String>) -> Box<BridgeError> {
        self.subject = Some(name.into());
        self
    }
    /// The same error on its way through DataFusion.
    pub fn into_datafusion(self: Box<Self>) -> DataFusionError {
        DataFusionError::External(self)
    }
    pub fn is_out_of_memory(&self) -> bool {
        self.sqlstate == "53200"
    }
}

fn code_of(sqlstate: &str) -> i32 {
    match &sqlstate[..2] {
        "0A" => code::UNSUPPORTED,
        "40" => code::CONFLICT,
        "58" | "53" => code::IO,
        _ => match sqlstate {
            "42704" | "42P01" => code::NOT_FOUND,
            "25006" => code::READ_ONLY,
            "XX001" => code::CORRUPTION,
            _ => code::INVALID_INPUT,
        },
    }
}

impl fmt::Display for BridgeError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.message)
    }
}
impl std::error::Error for BridgeError {}

impl From<DataFusionError> for Box<BridgeError> {
    fn from(error: DataFusionError) -> Self {
        from_datafusion(&error)
    }
}
impl From<ArrowError> for Box<BridgeError> {
    fn from(error: ArrowError) -> Self {
        from_arrow(&error)
    }
}
impl From<ParquetError> for Box<BridgeError> {
    fn from(error: ParquetError) -> Self {
        from_parquet(&error)
    }
}
impl From<Box<BridgeError>> for DataFusionError {
    fn from(error: Box<BridgeError>) -> Self {
        error.into_datafusion()
    }
}

fn from_datafusion(error: &DataFusionError) -> Box<BridgeError> {
    match error {
        DataFusionError::External(e) => from_source(e.as_ref()),
        DataFusionError::ArrowError(e, _) => from_arrow(e),
        DataFusionError::ParquetError(e) => from_parquet(e),
        DataFusionError::IoError(e) => from_io(e),
        DataFusionError::ObjectStore(e) => BridgeError::new("58030", e.to_string()),
        DataFusionError::Context(_, inner) => from_datafusion(inner),
        DataFusionError::Shared(inner) => from_datafusion(inner),
        DataFusionError::Collection(all) if !all.is_empty() => from_datafusion(&all[0]),
        DataFusionError::Diagnostic(_, inner) => from_datafusion(inner),
        DataFusionError::SchemaError(e, _) => from_schema(e),
        DataFusionError::ResourcesExhausted(m) => error_text::out_of_memory(m),
        DataFusionError::NotImplemented(m) => error_text::not_implemented(m),
        DataFusionError::SQL(e, _) => BridgeError::new("42601", e.to_string()),
        DataFusionError::ExecutionJoin(e) => BridgeError::internal(&format!("a task failed: {e}")),
        DataFusionError::Plan(m) => error_text::classify(m, "42601"),
        DataFusionError::Execution(m) => error_text::classify(m, "22000"),
        DataFusionError::Configuration(m) => BridgeError::new("22023", m.clone()),
        DataFusionError::Internal(m) => error_text::internal(m),
        other => BridgeError::new("XX000", other.strip_backtrace()),
    }
}

fn from_source(error: &(dyn std::error::Error + Send + Sync + 'static)) -> Box<BridgeError> {
    if let Some(e) = error.downcast_ref::<BridgeError>() {
        return Box::new(e.clone());
    }
    if let Some(e) = error.downcast_ref::<Box<BridgeError>>() {
        return e.clone();
    }
    if let Some(e) = error.downcast_ref::<DataFusionError>() {
        return from_datafusion(e);
    }
    if let Some(e) = error.downcast_ref::<ArrowError>() {
        return from_arrow(e);
    }
    if let Some(e) = error.downcast_ref::<std::io::Error>() {
        return from_io(e);
    }
    BridgeError::internal(&error.to_string())
}

fn from_arrow(error: &ArrowError) -> Box<BridgeError> {
    match error {
        ArrowError::ExternalError(e) => from_source(e.as_ref()),
        ArrowError::DivideByZero => BridgeError::new("22012", "division by zero"),
        ArrowError::ArithmeticOverflow(m) => error_text::overflow(m),
        ArrowError::IoError(_, e) => from_io(e),
        ArrowError::NotYetImplemented(m) => BridgeError::new("0A000", m.clone()),
        ArrowError::CastError(m)
        | ArrowError::ParseError(m)
        | ArrowError::InvalidArgumentError(m)
        | ArrowError::ComputeError(m)
        | ArrowError::SchemaError(m)
        | ArrowError::ParquetError(m)
        | ArrowError::CDataInterface(m) => error_text::classify(m, "22000"),
        other => BridgeError::new("XX000", other.to_string()),
    }
}

fn from_parquet(error: &ParquetError) -> Box<BridgeError> {
    match error {
        ParquetError::External(e) => from_source(e.as_ref()),
        ParquetError::NYI(m) => BridgeError::new("0A000", format!("Parquet: {m}")),
        other => BridgeError::new("22000", format!("Parquet: {other}")),
    }
}

pub fn from_io(error: &std::io::Error) -> Box<BridgeError> {
    // DataFusion's words when a query has spilled too much.
    if error.to_string().contains("during the spilling process") {
        return BridgeError::new(
            "53400",
            "the query needs more temporary files than temp_space_limit allows",
        )
        .hint(
            "raise temp_space_limit or memory_limit, or let the query hold fewer rows at a time",
        );
    }
    let sqlstate = match error.kind() {
        std::io::ErrorKind::NotFound => "58P01",
        std::io::ErrorKind::StorageFull => "53100",
        _ => "58030",
    };
    BridgeError::new(sqlstate, error.to_string())
}

fn from_schema(error: &SchemaError) -> Box<BridgeError> {
    match error {
        SchemaError::FieldNotFound {
            field,
            valid_fields,
        } => {
            let name = match &field.relation {
                Some(relation) => format!("{}.{}", relation.table(), field.name),
                None => field.name.clone(),
            };
            BridgeError::new("42703", format!("column \"{name}\" does not exist"))
                .subject(name)
                .hint(suggest::column_hint(field, valid_fields))
        }
        SchemaError::AmbiguousReference { field } => BridgeError::new(
            "42702",
            format!("column reference \"{}\" is ambiguous", field.name),
        )
        .subject(field.name.clone())
        .hint("put the table's name or alias in front of it"),
        SchemaError::DuplicateQualifiedField { name, .. }
        | SchemaError::DuplicateUnqualifiedField { name } => BridgeError::new(
            "42701",
            format!("column \"{name}\" is there more than once"),
        )
        .subject(name.clone())
        .hint("give one of them another name with AS"),
    }
}

/// What a filled tf_error owns.
struct Owned {
    message: String,
    detail: String,
    hint: String,
}

unsafe extern "C" fn release(error: *mut TfError) {
    if error.is_null() {
        return;
    }
    let error = unsafe { &mut *error };
    if !error.owner.is_null() {
        drop(unsafe { Box::from_raw(error.owner.cast::<Owned>()) });
    }
    error.owner = std::ptr::null_mut();
    error.message = TfText::EMPTY;
    error.detail = TfText::EMPTY;
    error.hint = TfText::EMPTY;
    error.release = None;
}

/// Fills `out`, which may be null, for C++.
///
/// # Safety
/// `out` is null or points to a tf_error.
pub unsafe fn fill(out: *mut TfError, error: Box<BridgeError>) {
    if out.is_null() {
        return;
    }
    let owned = Box::new(Owned {
        message: error.message,
        detail: error.detail,
        hint: error.hint,
    });
    let mut sqlstate = [0u8; 6];
    let n = error.sqlstate.len().min(5);
    sqlstate[..n].copy_from_slice(&error.sqlstate.as_bytes()[..n]);
    let filled = TfError {
        version: TF_BRIDGE_VERSION,
        size: size_of::<TfError>() as u32,
        code: error.code,
        sqlstate,
        position: error.position.map_or(-1, |p| p as i64),
        message: TfText::borrow(owned.message.as_bytes()),
        detail: TfText::borrow(owned.detail.as_bytes()),
        hint: TfText::borrow(owned.hint.as_bytes()),
        owner: Box::into_raw(owned).cast::<c_void>(),
        release: Some(release),
    };
    unsafe { out.write(filled) };
}

/// Takes over an error that C++ filled.
pub fn take(mut error: TfError) -> Box<BridgeError> {
    let text = |t: TfText| String::from_utf8_lossy(unsafe { t.bytes() }).into_owned();
    let state: Vec<u8> = error
        .sqlstate
        .iter()
        .copied()
        .take_while(|b| *b != 0)
        .collect();
    let taken = Box::new(BridgeError {
        code: if error.code == 0 {
            code::INVALID_INPUT
        } else {
            error.code
        },
        sqlstate: if state.len() == 5 {
            String::from_utf8_lossy(&state).into_owned()
        } else {
            "XX000".to_string()
        },
        message: text(error.message),
        detail: text(error.detail),
        hint: text(error.hint),
        position: usize::try_from(error.position).ok(),
        subject: None,
    });
    if let Some(release) = error.release {
        unsafe { release(&mut error) };
    }
    taken
}
