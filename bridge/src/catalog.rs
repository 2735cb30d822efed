//! Safe owners of what C++ gives: a run's catalog, its tables, leaves and streams.
//!
//! A `Run` stands for one planning or one execution. Every table, leaf and stream that it hands out
//! counts itself in the run, so that `Run::finish` can wait until the last of them is gone: tasks
//! that DataFusion aborted may hold them a moment longer than the cursor that was released. After
//! `finish` the catalog and the cancel flag, which are only borrowed, are never touched again.

use std::ffi::{c_char, c_void};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use arrow::array::{Array, ArrayRef, StructArray};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi_and_data_type};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};

use crate::abi::*;
use crate::bytes::Reader;
use crate::computed::visible;
use crate::error::{BridgeError, Res, take};
use crate::generated::Generated;
use crate::probe::Probe;

/// How long a released cursor waits for aborted tasks. They end within milliseconds; the bound only
/// keeps a defect from becoming a hang.
const FINISH_WAIT: Duration = Duration::from_secs(60);

pub struct Run {
    catalog: TfCatalog,
    cancel: *const u8,
    over: AtomicBool,
    live: Mutex<usize>,
    idle: Condvar,
}

// The catalog's functions may be called from several threads, says bridge.h; the flag is read
// atomically.
unsafe impl Send for Run {}
unsafe impl Sync for Run {}

impl Run {
    /// # Safety
    /// `catalog` (which may be null) and `cancel` (likewise) must stay valid until `finish`
    /// returned.
    pub unsafe fn new(catalog: *const TfCatalog, cancel: *const u8) -> Res<Arc<Run>> {
        let catalog = if catalog.is_null() {
            TfCatalog {
                version: TF_BRIDGE_VERSION,
                size: size_of::<TfCatalog>() as u32,
                context: std::ptr::null_mut(),
                find: None,
                table_names: None,
                view: None,
                sequence: None,
                schemas: None,
                relation: None,
            }
        } else {
            unsafe { *catalog }
        };
        if !known::<TfCatalog>(catalog.version, catalog.size) {
            return Err(wrong_version("tf_catalog"));
        }
        Ok(Arc::new(Run {
            catalog,
            cancel,
            over: AtomicBool::new(false),
            live: Mutex::new(0),
            idle: Condvar::new(),
        }))
    }

    pub fn cancelled(&self) -> bool {
        if self.cancel.is_null() || self.over.load(Ordering::Acquire) {
            return false;
        }
        let flag = unsafe { AtomicU8::from_ptr(self.cancel.cast_mut()) };
        flag.load(Ordering::Relaxed) != 0
    }

    /// The table of this name, None if there is none.
    pub fn find(self: &Arc<Self>, name: &str, row_ids: bool) -> Res<Option<CppTable>> {
        let Some(find) = self.catalog.find else {
            return Ok(None);
        };
        let guard = self.enter()?;
        let mut raw = TfTable {
            version: 0,
            size: 0,
            context: std::ptr::null_mut(),
            schema: None,
            statistics: None,
            estimate: None,
            supports: None,
            primary_key: None,
            column_default: None,
            checks: None,
            scan: None,
            fetch: None,
            release: None,
        };
        let name = TfText::borrow(name.as_bytes());
        call(|e| unsafe { find(self.catalog.context, name, row_ids as u8, &mut raw, e) })?;
        if raw.release.is_none() {
            return Ok(None);
        }
        if !known::<TfTable>(raw.version, raw.size) {
            return Err(wrong_version("tf_table"));
        }
        let mut table = CppTable {
            raw,
            schema: Arc::new(arrow::datatypes::Schema::empty()),
            visible: Arc::new(arrow::datatypes::Schema::empty()),
            _live: guard,
        };
        let read = table.raw.schema;
        table.schema = read_schema(table.raw.context, read)?;
        table.visible = visible(&table.schema);
        Ok(Some(table))
    }

    /// The view of this name, None if there is none.
    pub fn view(self: &Arc<Self>, name: &str) -> Res<Option<View>> {
        let Some(view) = self.catalog.view else {
            return Ok(None);
        };
        let _guard = self.enter()?;
        let mut has = 0u8;
        let name = TfText::borrow(name.as_bytes());
        let context = self.catalog.context;
        let bytes = collect(|sink, e| unsafe { view(context, name, sink, &mut has, e) })?;
        if has == 0 {
            return Ok(None);
        }
        let mut r = Reader::new(&bytes);
        Ok(Some(View {
            name: r.str()?.to_string(),
            path: r.list(|r| Ok(r.str()?.to_string()))?,
            query: r.str()?.to_string(),
            columns: r.list(|r| Ok(r.str()?.to_string()))?,
        }))
    }

    /// Answers `out.len()` calls of a function of sequences, see tf_catalog.
    pub fn call_sequence(
        self: &Arc<Self>,
        function: u8,
        name: &str,
        value: i64,
        is_called: bool,
        out: &mut [i64],
    ) -> Res<()> {
        let Some(sequence) = self.catalog.sequence else {
            return Err(BridgeError::unsupported("sequences in this place"));
        };
        let _guard = self.enter()?;
        let name = TfText::borrow(name.as_bytes());
        let context = self.catalog.context;
        let (numbers, count) = (out.as_mut_ptr(), out.len());
        call(|e| unsafe {
            sequence(
                context,
                function,
                name,
                value,
                is_called as u8,
                numbers,
                count,
                e,
            )
        })
    }

    /// The schemas in which names are looked up, those that exist.
    pub fn schemas(self: &Arc<Self>) -> Res<Vec<String>> {
        self.names(self.catalog.schemas)
    }

    /// A table, view, sequence or index as SQL writes its name; None if there is none.
    pub fn relation_name(self: &Arc<Self>, name: &str) -> Res<Option<String>> {
        let Some(relation) = self.catalog.relation else {
            return Ok(None);
        };
        let _guard = self.enter()?;
        let mut has = 0u8;
        let name = TfText::borrow(name.as_bytes());
        let context = self.catalog.context;
        let bytes = collect(|sink, e| unsafe { relation(context, name, sink, &mut has, e) })?;
        Ok((has != 0).then(|| String::from_utf8_lossy(&bytes).into_owned()))
    }

    pub fn table_names(self: &Arc<Self>) -> Res<Vec<String>> {
        self.names(self.catalog.table_names)
    }

    fn names(self: &Arc<Self>, asked: WriteBytes) -> Res<Vec<String>> {
        if asked.is_none() {
            return Ok(Vec::new());
        }
        let _guard = self.enter()?;
        let bytes = read_bytes(self.catalog.context, asked)?;
        let mut reader = Reader::new(&bytes);
        reader.list(|r| Ok(r.str()?.to_string()))
    }

    fn enter(self: &Arc<Self>) -> Res<Live> {
        if self.over.load(Ordering::Acquire) {
            return Err(BridgeError::internal("the query that asks is over"));
        }
        *self.live.lock().expect("live") += 1;
        Ok(Live(self.clone()))
    }

    /// Waits until everything that this run handed out is gone.
    pub fn finish(&self) {
        let live = self.live.lock().expect("live");
        let _ = self
            .idle
            .wait_timeout_while(live, FINISH_WAIT, |n| *n > 0)
            .expect("live");
        self.over.store(true, Ordering::Release);
    }
}

/// access::ViewText.
pub struct View {
    pub name: String,
    pub path: Vec<String>,
    pub query: String,
    pub columns: Vec<String>,
}

/// Counts one thing of C++ as alive.
pub struct Live(Arc<Run>);

impl Clone for Live {
    fn clone(&self) -> Live {
        *self.0.live.lock().expect("live") += 1;
        Live(self.0.clone())
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let mut live = self.0.live.lock().expect("live");
        *live -= 1;
        if *live == 0 {
            self.0.idle.notify_all();
        }
    }
}

/// access::ScanRequest.
#[derive(Clone, Default)]
pub struct ScanRequest {
    pub projection: Vec<u32>,
    pub filters: Vec<u8>,
    pub limit: Option<u64>,
    /// Order bytes; empty: in any.
    pub order: Vec<u8>,
    /// With an order: how many rows will be read at most.
    pub rows: Option<u64>,
    /// With an order: that of the keys of a merge join.
    pub for_join: bool,
}

pub struct CppTable {
    raw: TfTable,
    pub schema: SchemaRef,
    /// Without the columns that statements do not see.
    pub visible: SchemaRef,
    _live: Live, // after `raw` was released, see Drop
}
unsafe impl Send for CppTable {}
unsafe impl Sync for CppTable {}

impl Drop for CppTable {
    fn drop(&mut self) {
        if let Some(release) = self.raw.release {
            unsafe { release(self.raw.context) };
        }
    }
}

impl CppTable {
    pub fn statistics(&self) -> Res<Vec<u8>> {
        read_bytes(self.raw.context, self.raw.statistics)
    }

    /// About how many rows satisfy `filters`; None if nothing is known.
    pub fn estimate(&self, filters: &[u8]) -> Res<Option<f64>> {
        let estimate = required(self.raw.estimate)?;
        let mut rows = 0f64;
        let filters = TfText::borrow(filters);
        call(|e| unsafe { estimate(self.raw.context, filters, &mut rows, e) })?;
        Ok((rows >= 0.0).then_some(rows))
    }

    /// 0 not understood, 1 inexact, 2 exact.
    pub fn supports(&self, filter: &[u8]) -> Res<u8> {
        let supports = required(self.raw.supports)?;
        let mut answer = 0u8;
        let filter = TfText::borrow(filter);
        call(|e| unsafe { supports(self.raw.context, filter, &mut answer, e) })?;
        Ok(answer)
    }

    pub fn primary_key(&self) -> Res<Vec<u32>> {
        let bytes = read_bytes(self.raw.context, self.raw.primary_key)?;
        Reader::new(&bytes).list(|r| r.u32())
    }

    pub fn column_default(&self, column: u32) -> Res<Option<String>> {
        Ok(self.default_and_kind(column)?.map(|(text, _)| text))
    }

    /// How the values of a column come about.
    pub fn generated(&self, column: u32) -> Res<Generated> {
        Ok(match self.default_and_kind(column)? {
            Some((_, 2)) => Generated::Always,
            Some((_, 3)) => Generated::ByDefault,
            Some((_, 4)) => Generated::Stored,
            _ => Generated::No,
        })
    }

    /// The expressions of the stored columns, by position.
    pub fn stored_columns(&self) -> Res<Vec<(usize, String)>> {
        let mut stored = Vec::new();
        for i in 0..self.schema.fields().len() {
            if let Some((text, 4)) = self.default_and_kind(i as u32)? {
                stored.push((i, text));
            }
        }
        Ok(stored)
    }

    /// See tf_table.
    fn default_and_kind(&self, column: u32) -> Res<Option<(String, u8)>> {
        let ask = required(self.raw.column_default)?;
        let mut has = 0u8;
        let context = self.raw.context;
        let bytes = collect(|sink, e| unsafe { ask(context, column, sink, &mut has, e) })?;
        if has == 0 {
            return Ok(None);
        }
        Ok(Some((String::from_utf8_lossy(&bytes).into_owned(), has)))
    }

    /// The CHECK constraints: names and conditions.
    pub fn checks(&self) -> Res<Vec<(String, String)>> {
        let bytes = read_bytes(self.raw.context, self.raw.checks)?;
        Reader::new(&bytes).list(|r| Ok((r.str()?.to_string(), r.str()?.to_string())))
    }

    /// The rows of `schema`, columns of the table, that have these ids, in this order.
    pub fn fetch(&self, columns: &[u32], row_ids: &[u64], schema: &SchemaRef) -> Res<RecordBatch> {
        let fetch = required(self.raw.fetch)?;
        let mut array = FFI_ArrowArray::empty();
        let (context, ids) = (self.raw.context, row_ids.as_ptr());
        let (count, rows) = (columns.len(), row_ids.len());
        call(|e| unsafe { fetch(context, columns.as_ptr(), count, ids, rows, &mut array, e) })?;
        import_batch(array, &DataType::Struct(schema.fields().clone()), schema)
    }

    pub fn scan(&self, wanted: &ScanRequest) -> Res<CppLeaf> {
        let request = TfScanRequest {
            version: TF_BRIDGE_VERSION,
            size: size_of::<TfScanRequest>() as u32,
            projection: wanted.projection.as_ptr(),
            projection_count: wanted.projection.len(),
            filters: TfText::borrow(&wanted.filters),
            has_limit: wanted.limit.is_some() as u8,
            limit: wanted.limit.unwrap_or(0),
            order: TfText::borrow(&wanted.order),
            wanted: wanted.rows.unwrap_or(u64::MAX),
            for_join: wanted.for_join as u8,
        };
        let mut raw = TfLeaf {
            version: 0,
            size: 0,
            context: std::ptr::null_mut(),
            name: None,
            explain: None,
            rejected: None,
            schema: None,
            partitions: None,
            takes_probe: None,
            is_ordered: None,
            open: None,
            statistics: None,
            metrics: None,
            release: None,
        };
        let scan = required(self.raw.scan)?;
        call(|e| unsafe { scan(self.raw.context, &request, &mut raw, e) })?;
        if !known::<TfLeaf>(raw.version, raw.size) {
            return Err(wrong_version("tf_leaf"));
        }
        CppLeaf::new(raw, self._live.clone())
    }
}

/// A leaf of C++, with the answers that never change read once.
pub struct CppLeaf {
    raw: TfLeaf,
    pub name: String,
    pub schema: SchemaRef,
    pub partitions: usize,
    live: Live,
}
unsafe impl Send for CppLeaf {}
unsafe impl Sync for CppLeaf {}

impl Drop for CppLeaf {
    fn drop(&mut self) {
        if let Some(release) = self.raw.release {
            unsafe { release(self.raw.context) };
        }
    }
}

impl CppLeaf {
    fn new(raw: TfLeaf, live: Live) -> Res<CppLeaf> {
        let mut leaf = CppLeaf {
            raw,
            name: String::new(),
            schema: Arc::new(arrow::datatypes::Schema::empty()),
            partitions: 1,
            live,
        };
        leaf.name = leaf.text(raw.name)?;
        leaf.schema = read_schema(raw.context, raw.schema)?;
        leaf.partitions = unsafe { required(raw.partitions)?(raw.context) }.max(1) as usize;
        Ok(leaf)
    }

    fn text(
        &self,
        from: Option<
            unsafe extern "C" fn(*mut c_void, *const TfSink, *mut TfError) -> std::ffi::c_int,
        >,
    ) -> Res<String> {
        let bytes = read_bytes(self.raw.context, from)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    pub fn run(&self) -> &Run {
        &self.live.0
    }
    pub fn explain(&self) -> Res<String> {
        self.text(self.raw.explain)
    }
    pub fn rejected(&self) -> Res<Vec<String>> {
        let bytes = read_bytes(self.raw.context, self.raw.rejected)?;
        Reader::new(&bytes).list(|r| Ok(r.str()?.to_string()))
    }
    pub fn takes_probe(&self) -> bool {
        let takes = self.raw.takes_probe;
        takes.is_some_and(|f| unsafe { f(self.raw.context) } != 0)
    }
    pub fn is_ordered(&self) -> bool {
        let ordered = self.raw.is_ordered;
        ordered.is_some_and(|f| unsafe { f(self.raw.context) } != 0)
    }
    pub fn statistics(&self) -> Res<Vec<u8>> {
        read_bytes(self.raw.context, self.raw.statistics)
    }
    pub fn metrics(&self) -> Res<Vec<(String, u64)>> {
        let bytes = read_bytes(self.raw.context, self.raw.metrics)?;
        Reader::new(&bytes).list(|r| Ok((r.str()?.to_string(), r.u64()?)))
    }

    pub fn open(&self, partition: usize) -> Res<CppStream> {
        let mut raw = TfStream {
            version: 0,
            size: 0,
            context: std::ptr::null_mut(),
            next: None,
            set_probe: None,
            release: None,
        };
        let open = required(self.raw.open)?;
        let cancel = self.live.0.cancel;
        let context = self.raw.context;
        call(|e| unsafe { open(context, partition as u32, cancel, &mut raw, e) })?;
        CppStream::new(raw, self.schema.clone(), Some(self.live.clone()))
    }
}

/// A stream of batches of C++.
pub struct CppStream {
    raw: TfStream,
    schema: SchemaRef,
    struct_type: DataType,
    live: Option<Live>,
}
unsafe impl Send for CppStream {}

impl Drop for CppStream {
    fn drop(&mut self) {
        if let Some(release) = self.raw.release {
            unsafe { release(self.raw.context) };
        }
    }
}

impl CppStream {
    /// Takes `raw` over, even when it fails.
    pub fn new(raw: TfStream, schema: SchemaRef, live: Option<Live>) -> Res<CppStream> {
        let stream = CppStream {
            raw,
            struct_type: DataType::Struct(schema.fields().clone()),
            schema,
            live,
        };
        if !known::<TfStream>(raw.version, raw.size) {
            return Err(wrong_version("tf_stream"));
        }
        Ok(stream)
    }

    /// Only for streams of a leaf that takes probes, before they are read.
    pub fn set_probe(&mut self, probe: Probe) -> Res<()> {
        let set = required(self.raw.set_probe)?;
        unsafe { set(self.raw.context, &probe.into_raw()) };
        Ok(())
    }

    pub fn with_schema(mut self, schema: SchemaRef) -> CppStream {
        self.struct_type = DataType::Struct(schema.fields().clone());
        self.schema = schema;
        self
    }

    /// The next batch, None at the end.
    pub fn next(&mut self) -> Res<Option<RecordBatch>> {
        if self.live.as_ref().is_some_and(|live| live.0.cancelled()) {
            return Err(BridgeError::cancelled());
        }
        let next = required(self.raw.next)?;
        let mut array = FFI_ArrowArray::empty();
        call(|e| unsafe { next(self.raw.context, &mut array, e) })?;
        if array.is_released() {
            return Ok(None);
        }
        import_batch(array, &self.struct_type, &self.schema).map(Some)
    }
}

/// A struct array from C++ as a batch, uncopied.
pub fn import_batch(
    array: FFI_ArrowArray,
    struct_type: &DataType,
    schema: &SchemaRef,
) -> Res<RecordBatch> {
    let mut data = unsafe { from_ffi_and_data_type(array, struct_type.clone()) }?;
    data.align_buffers();
    let rows = data.len();
    let columns: Vec<ArrayRef> = if schema.fields().is_empty() {
        Vec::new()
    } else {
        let array = StructArray::from(data);
        if array.null_count() > 0 {
            return Err(BridgeError::internal(
                "a batch came with rows that are null",
            ));
        }
        array.columns().to_vec()
    };
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(schema.clone(), columns, &options)
        .map_err(Box::<BridgeError>::from)
}

// ---- calling C++ --------------------------------------------------------------------------------

fn required<T>(function: Option<T>) -> Res<T> {
    function.ok_or_else(|| BridgeError::internal("a struct of functions came with a null function"))
}

fn wrong_version(what: &str) -> Box<BridgeError> {
    BridgeError::internal(&format!("{what} is of another version of the bridge"))
}

/// Calls, and turns 1 and the filled error into an Err.
fn call(function: impl FnOnce(*mut TfError) -> std::ffi::c_int) -> Res<()> {
    let mut error = TfError::zeroed();
    if function(&mut error) == 0 {
        return Ok(());
    }
    Err(take(error))
}

unsafe extern "C" fn append(context: *mut c_void, data: *const c_char, size: usize) {
    let out = unsafe { &mut *context.cast::<Vec<u8>>() };
    out.extend_from_slice(unsafe { TfText { data, size }.bytes() });
}

/// Calls with a sink, and answers what was written to it.
fn collect(function: impl FnOnce(*const TfSink, *mut TfError) -> std::ffi::c_int) -> Res<Vec<u8>> {
    let mut out: Vec<u8> = Vec::new();
    let sink = TfSink {
        context: (&raw mut out).cast(),
        write: Some(append),
    };
    call(|e| function(&sink, e))?;
    Ok(out)
}

fn read_bytes(
    context: *mut c_void,
    function: Option<
        unsafe extern "C" fn(*mut c_void, *const TfSink, *mut TfError) -> std::ffi::c_int,
    >,
) -> Res<Vec<u8>> {
    let function = required(function)?;
    collect(|sink, e| unsafe { function(context, sink, e) })
}

fn read_schema(
    context: *mut c_void,
    function: Option<
        unsafe extern "C" fn(*mut c_void, *mut FFI_ArrowSchema, *mut TfError) -> std::ffi::c_int,
    >,
) -> Res<SchemaRef> {
    let function = required(function)?;
    let mut schema = FFI_ArrowSchema::empty();
    call(|e| unsafe { function(context, &mut schema, e) })?;
    import_schema(&schema)
}

/// The columns of a "+s" schema.
pub fn import_schema(schema: &FFI_ArrowSchema) -> Res<SchemaRef> {
    let schema = arrow::datatypes::Schema::try_from(schema).map_err(Box::<BridgeError>::from)?;
    Ok(Arc::new(schema))
}
