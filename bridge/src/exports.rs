//! The functions of `src/engine/bridge.h`. Each catches panics, checks what came in, and hands over
//! to the modules that do the work; nothing is decided here.

use std::cell::RefCell;
use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Once};

use arrow::array::{Array, StructArray};
use arrow::datatypes::{Schema, SchemaRef};
use arrow::ffi::{FFI_ArrowArray, FFI_ArrowSchema, to_ffi};
use arrow::ffi_stream::{ArrowArrayStreamReader, FFI_ArrowArrayStream};
use arrow::record_batch::RecordBatch;

use crate::abi::*;
use crate::bytes::{Reader, Writer};
use crate::catalog::{CppStream, Run, import_schema};
use crate::cursor::Cursor;
use crate::engine::{Engine, Options};
use crate::error::{BridgeError, Res, fill};
use crate::explain::explain;
use crate::files;
use crate::parse::{Explain, Statement};
use crate::plan::{Plan, plan_expression};
use crate::rename::{rename_column, rename_column_in_query, rename_table};
use crate::session::Session;
use crate::statement_format;

pub struct TfEngine(Arc<Engine>);

thread_local! {
    static LAST_PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Keeps what a panic says instead of printing it: a library does not write to standard error.
fn keep_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        std::panic::set_hook(Box::new(|info| {
            let text = info.to_string();
            LAST_PANIC.with(|last| *last.borrow_mut() = text);
        }));
    });
}

fn panic_error(payload: Box<dyn std::any::Any + Send>) -> Box<BridgeError> {
    let said = payload
        .downcast_ref::<&str>()
        .map(|s| s.to_string())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic".to_string());
    let place = LAST_PANIC.with(|last| std::mem::take(&mut *last.borrow_mut()));
    BridgeError::internal(&said)
        .detail(place.lines().collect::<Vec<_>>().join(" "))
        .hint("this is a defect; the statement was stopped and the session is usable")
}

/// Runs `work`; 0, or 1 with `error` filled.
pub fn guard(error: *mut TfError, work: impl FnOnce() -> Res<()>) -> c_int {
    let failed = match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(())) => return 0,
        Ok(Err(e)) => e,
        Err(payload) => panic_error(payload),
    };
    unsafe { fill(error, failed) };
    1
}

/// Drops what a handle holds; a panic on the way is swallowed, as there is nobody to tell.
unsafe fn release<T>(handle: *mut T) {
    if !handle.is_null() {
        let _ = catch_unwind(AssertUnwindSafe(|| drop(unsafe { Box::from_raw(handle) })));
    }
}

fn given<'a, T>(pointer: *const T, what: &str) -> Res<&'a T> {
    unsafe { pointer.as_ref() }.ok_or_else(|| BridgeError::internal(&format!("{what} is null")))
}

fn given_mut<'a, T>(pointer: *mut T, what: &str) -> Res<&'a mut T> {
    unsafe { pointer.as_mut() }.ok_or_else(|| BridgeError::internal(&format!("{what} is null")))
}

fn text<'a>(text: TfText) -> Res<&'a str> {
    std::str::from_utf8(unsafe { text.bytes() })
        .map_err(|e| BridgeError::new("22021", "text is not valid UTF-8").at(Some(e.valid_up_to())))
}

fn give<T>(out: *mut *mut T, value: T) -> Res<()> {
    *given_mut(out, "the out-parameter")? = Box::into_raw(Box::new(value));
    Ok(())
}

pub fn write(sink: *const TfSink, bytes: &[u8]) -> Res<()> {
    let sink = given(sink, "the sink")?;
    let write = sink
        .write
        .ok_or_else(|| BridgeError::internal("a sink that cannot write"))?;
    unsafe { write(sink.context, bytes.as_ptr().cast(), bytes.len()) };
    Ok(())
}

fn write_schema(schema: &Schema, out: *mut FFI_ArrowSchema) -> Res<()> {
    let exported = FFI_ArrowSchema::try_from(schema)?;
    given_mut(out, "the schema")?;
    unsafe { out.write(exported) };
    Ok(())
}

fn write_batch(batch: Option<RecordBatch>, out: *mut FFI_ArrowArray) -> Res<()> {
    given_mut(out, "the array")?;
    let exported = match batch {
        None => FFI_ArrowArray::empty(),
        Some(batch) => {
            let array = if batch.num_columns() == 0 {
                StructArray::new_empty_fields(batch.num_rows(), None)
            } else {
                StructArray::from(batch)
            };
            to_ffi(&array.to_data())?.0
        }
    };
    unsafe { out.write(exported) };
    Ok(())
}

fn schema_of(schema: *const FFI_ArrowSchema) -> Res<SchemaRef> {
    import_schema(given(schema, "the schema")?)
}

// ---- engine and session -------------------------------------------------------------------------

#[unsafe(no_mangle)]
pub extern "C" fn tf_bridge_version() -> u32 {
    TF_BRIDGE_VERSION
}

#[unsafe(no_mangle)]
pub extern "C" fn tf_engine_create(
    options: *const TfEngineOptions,
    out: *mut *mut TfEngine,
    error: *mut TfError,
) -> c_int {
    keep_panics();
    guard(error, || {
        let options = given(options, "the options")?;
        if !known::<TfEngineOptions>(options.version, options.size) {
            return Err(BridgeError::internal(
                "tf_engine_options is of another version of the bridge",
            ));
        }
        let engine = Engine::create(Options {
            threads: options.threads as usize,
            memory_bytes: options.memory_bytes,
            spill_path: text(options.spill_path)?.to_string(),
        })?;
        give(out, TfEngine(engine))
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn tf_engine_memory_used(engine: *const TfEngine) -> u64 {
    match unsafe { engine.as_ref() } {
        Some(engine) => engine.0.memory_used(),
        None => 0,
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn tf_engine_take_memory(engine: *mut TfEngine, bytes: u64) -> c_int {
    unsafe { engine.as_ref() }.is_some_and(|engine| engine.0.take_memory(bytes)) as c_int
}

#[unsafe(no_mangle)]
pub extern "C" fn tf_engine_give_memory_back(engine: *mut TfEngine, bytes: u64) {
    if let Some(engine) = unsafe { engine.as_ref() } {
        engine.0.give_memory_back(bytes);
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn tf_engine_set_limits(
    engine: *mut TfEngine,
    memory_bytes: u64,
    temp_bytes: u64,
    error: *mut TfError,
) -> c_int {
    guard(error, || {
        let engine = given(engine, "the engine")?;
        engine.0.set_limits(memory_bytes, temp_bytes)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn tf_engine_release(engine: *mut TfEngine) {
    unsafe { release(engine) };
}

#[unsafe(no_mangle)]
pub extern "C" fn tf_engine_open_session(
    engine: *mut TfEngine,
    out: *mut *mut Session,
    error: *mut TfError,
) -> c_int {
    guard(error, || {
        let engine = given(engine, "the engine")?;
        give(out, Session::open(engine.0.clone()))
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn tf_session_release(session: *mut Session) {
    unsafe { release(session) };
}

// ---- statements and plans -----------------------------------------------------------------------

#[unsafe(no_mangle)]
pub extern "C" fn tf_session_parse(
    session: *mut Session,
    sql: TfText,
    out: *mut *mut Statement,
    error: *mut TfError,
) -> c_int {
    guard(error, || {
        give(out, given(session, "the session")?.parse(text(sql)?)?)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn tf_statement_describe(
    statement: *const Statement,
    out: *const TfSink,
    error: *mut TfError,
) -> c_int {
    guard(error, || {
        let statement = given(statement, "the statement")?;
        write(out, &statement_format::write(statement))
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn tf_statement_release(statement: *mut Statement) {
    unsafe { release(statement) };
}

#[unsafe(no_mangle)]
pub extern "C" fn tf_session_plan(
    session: *mut Session,
    statement: *const Statement,
    catalog: *const TfCatalog,
    out: *mut *mut Plan,
    error: *mut TfError,
) -> c_int {
    guard(error, || {
        let session = given(session, "the session")?;
        let run = unsafe { Run::new(catalog, std::ptr::null()) }?;
        let plan = session.plan(given(statement, "the statement")?, &run);
        run.finish();
        give(out, plan?)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn tf_plan_schema(
    plan: *const Plan,
    out: *mut FFI_ArrowSchema,
    error: *mut TfError,
) -> c_int {
    guard(error, || {
        write_schema(&given(plan, "the plan")?.schema, out)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn tf_plan_describe(
    plan: *const Plan,
    out: *const TfSink,
    error: *mut TfError,
) -> c_int {
    guard(error, || write(out, &given(plan, "the plan")?.describe()))
}

#[unsafe(no_mangle)]
pub extern "C" fn tf_plan_child(plan: *const Plan, index: usize) -> *const Plan {
    match unsafe { plan.as_ref() }.and_then(|p| p.children.get(index)) {
        Some(child) => child,
        None => std::ptr::null(),
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn tf_plan_release(plan: *mut Plan) {
    unsafe { release(plan) };
}

#[unsafe(no_mangle)]
pub extern "C" fn tf_session_run(
    session: *mut Session,
    plan: *const Plan,
    parameters: TfText,
    catalog: *const TfCatalog,
    cancel: *const u8,
    out: *mut *mut Cursor,
    error: *mut TfError,
) -> c_int {
    guard(error, || {
        let session = given(session, "the session")?;
        let plan = given(plan, "the plan")?;
        let run = unsafe { Run::new(catalog, cancel) }?;
        let logical = plan.bound(&session.state, &run, unsafe { parameters.bytes() });
        let logical = logical.inspect_err(|_| run.finish())?;
        give(out, Cursor::open(session, logical, &plan.names, run)?)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn tf_session_explain(
    session: *mut Session,
    plan: *const Plan,
    analyze: u8,
    verbose: u8,
    format: TfText,
    parameters: TfText,
    catalog: *const TfCatalog,
    cancel: *const u8,
    out: *const TfSink,
    error: *mut TfError,
) -> c_int {
    guard(error, || {
        let how = Explain {
            analyze: analyze != 0,
            verbose: verbose != 0,
            format: text(format)?.to_string(),
        };
        let session = given(session, "the session")?;
        let plan = given(plan, "the plan")?;
        let run = unsafe { Run::new(catalog, cancel) }?;
        let lines = explain(session, plan, &how, unsafe { parameters.bytes() }, &run)?;
        let mut w = Writer::default();
        w.list(&lines, |w, line| w.str(line));
        write(out, &w.out)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn tf_session_evaluate(
    session: *mut Session,
    expression: TfText,
    data_type: *const FFI_ArrowSchema,
    out: *mut FFI_ArrowArray,
    error: *mut TfError,
) -> c_int {
    guard(error, || {
        let session = given(session, "the session")?;
        let to = arrow::datatypes::DataType::try_from(given(data_type, "the type")?)?;
        let run = unsafe { Run::new(std::ptr::null(), std::ptr::null()) }?;
        let plan = plan_expression(&session.state, text(expression)?, &to, &run)?;
        let mut cursor = Cursor::open(session, plan, &[], run)?;
        match cursor.next()? {
            Some(batch) if batch.num_rows() == 1 => write_batch(Some(batch), out),
            _ => Err(BridgeError::internal("an expression without one value")),
        }
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn tf_rename_column(
    expression: TfText,
    column: TfText,
    to: TfText,
    out: *const TfSink,
    error: *mut TfError,
) -> c_int {
    guard(error, || {
        let renamed = rename_column(text(expression)?, text(column)?, text(to)?)?;
        write(out, renamed.as_bytes())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn tf_rename_in_query(
    query: TfText,
    tables: TfText,
    column: TfText,
    to: TfText,
    out: *const TfSink,
    error: *mut TfError,
) -> c_int {
    guard(error, || {
        let mut tables = Reader::new(unsafe { tables.bytes() });
        let tables = tables.list(|r| Ok(r.str()?.to_string()))?;
        let (query, column, to) = (text(query)?, text(column)?, text(to)?);
        let renamed = match column {
            "" => rename_table(query, &tables, to)?,
            column => rename_column_in_query(query, &tables, column, to)?,
        };
        write(out, renamed.as_bytes())
    })
}

// ---- rows from elsewhere ------------------------------------------------------------------------

#[unsafe(no_mangle)]
pub extern "C" fn tf_session_cast_stream(
    session: *mut Session,
    rows: *mut FFI_ArrowArrayStream,
    target: *const FFI_ArrowSchema,
    cancel: *const u8,
    out: *mut *mut Cursor,
    error: *mut TfError,
) -> c_int {
    guard(error, || {
        given_mut(rows, "the stream")?;
        let reader = unsafe { ArrowArrayStreamReader::from_raw(rows) }?;
        let session = given(session, "the session")?;
        let run = unsafe { Run::new(std::ptr::null(), cancel) }?;
        let engine = session.engine.clone();
        give(
            out,
            files::cast_stream(engine, reader, schema_of(target)?, run)?,
        )
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn tf_session_read_parquet(
    session: *mut Session,
    path: TfText,
    cancel: *const u8,
    out: *mut *mut Cursor,
    error: *mut TfError,
) -> c_int {
    guard(error, || {
        let session = given(session, "the session")?;
        let run = unsafe { Run::new(std::ptr::null(), cancel) }?;
        give(
            out,
            files::read_parquet(session.engine.clone(), text(path)?, run)?,
        )
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn tf_session_write_parquet(
    _session: *mut Session,
    rows: *mut TfStream,
    schema: *const FFI_ArrowSchema,
    path: TfText,
    options: TfText,
    row_count: *mut u64,
    error: *mut TfError,
) -> c_int {
    guard(error, || {
        let raw = *given_mut(rows, "the stream")?;
        let rows = CppStream::new(raw, Arc::new(Schema::empty()), None)?;
        let schema = schema_of(schema)?;
        let count = files::write_parquet(
            rows.with_schema(schema.clone()),
            schema,
            text(path)?,
            unsafe { options.bytes() },
        )?;
        *given_mut(row_count, "the row count")? = count;
        Ok(())
    })
}

// ---- settings -----------------------------------------------------------------------------------

#[unsafe(no_mangle)]
pub extern "C" fn tf_session_set(
    session: *mut Session,
    name: TfText,
    has_value: u8,
    value: TfText,
    error: *mut TfError,
) -> c_int {
    guard(error, || {
        let value = if has_value != 0 {
            Some(text(value)?)
        } else {
            None
        };
        given_mut(session, "the session")?.set(text(name)?, value)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn tf_session_get(
    session: *mut Session,
    name: TfText,
    out: *const TfSink,
    error: *mut TfError,
) -> c_int {
    guard(error, || {
        let value = given(session, "the session")?.get(text(name)?)?;
        write(out, value.as_bytes())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn tf_session_settings(
    session: *mut Session,
    out: *const TfSink,
    error: *mut TfError,
) -> c_int {
    guard(error, || {
        let mut w = Writer::default();
        w.list(
            &given(session, "the session")?.settings(),
            |w, (name, value, description)| {
                w.str(name);
                w.str(value);
                w.str(description);
            },
        );
        write(out, &w.out)
    })
}

// ---- cursors ------------------------------------------------------------------------------------

#[unsafe(no_mangle)]
pub extern "C" fn tf_cursor_schema(
    cursor: *const Cursor,
    out: *mut FFI_ArrowSchema,
    error: *mut TfError,
) -> c_int {
    guard(error, || {
        write_schema(&given(cursor, "the cursor")?.schema, out)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn tf_cursor_next(
    cursor: *mut Cursor,
    out: *mut FFI_ArrowArray,
    error: *mut TfError,
) -> c_int {
    guard(error, || {
        write_batch(given_mut(cursor, "the cursor")?.next()?, out)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn tf_cursor_analysed(
    cursor: *const Cursor,
    out: *const TfSink,
    error: *mut TfError,
) -> c_int {
    guard(error, || {
        let mut w = Writer::default();
        w.list(&given(cursor, "the cursor")?.analysed(), |w, line| {
            w.str(line)
        });
        write(out, &w.out)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn tf_cursor_release(cursor: *mut Cursor) {
    unsafe { release(cursor) };
}
