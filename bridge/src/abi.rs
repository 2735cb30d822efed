//! The structs of `src/engine/bridge.h`, field by field. That header is the manual; this file only
//! mirrors it.
//!
//! Everything here is plain data with C layout. What the fields mean, who owns what, and which call
//! may come from which thread is said in the header; `catalog.rs` wraps the vtables of C++ into
//! safe owners.

use std::ffi::{c_char, c_int, c_void};

use arrow::ffi::{FFI_ArrowArray, FFI_ArrowSchema};

pub const TF_BRIDGE_VERSION: u32 = 1;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct TfText {
    pub data: *const c_char,
    pub size: usize,
}

impl TfText {
    pub const EMPTY: TfText = TfText {
        data: std::ptr::null(),
        size: 0,
    };

    /// A text that borrows `s`.
    pub fn borrow(s: &[u8]) -> TfText {
        TfText {
            data: s.as_ptr().cast(),
            size: s.len(),
        }
    }

    /// # Safety
    /// The bytes must stay valid for `'a`.
    pub unsafe fn bytes<'a>(self) -> &'a [u8] {
        if self.size == 0 || self.data.is_null() {
            return &[];
        }
        unsafe { std::slice::from_raw_parts(self.data.cast(), self.size) }
    }
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct TfSink {
    pub context: *mut c_void,
    pub write: Option<unsafe extern "C" fn(*mut c_void, *const c_char, usize)>,
}

#[repr(C)]
pub struct TfError {
    pub version: u32,
    pub size: u32,
    pub code: i32,
    pub sqlstate: [u8; 6],
    pub position: i64,
    pub message: TfText,
    pub detail: TfText,
    pub hint: TfText,
    pub owner: *mut c_void,
    pub release: Option<unsafe extern "C" fn(*mut TfError)>,
}

impl TfError {
    pub fn zeroed() -> TfError {
        TfError {
            version: 0,
            size: 0,
            code: 0,
            sqlstate: [0; 6],
            position: -1,
            message: TfText::EMPTY,
            detail: TfText::EMPTY,
            hint: TfText::EMPTY,
            owner: std::ptr::null_mut(),
            release: None,
        }
    }
}

pub type WriteBytes =
    Option<unsafe extern "C" fn(*mut c_void, *const TfSink, *mut TfError) -> c_int>;
type WriteSchema =
    Option<unsafe extern "C" fn(*mut c_void, *mut FFI_ArrowSchema, *mut TfError) -> c_int>;
type Release = Option<unsafe extern "C" fn(*mut c_void)>;

#[repr(C)]
pub struct TfProbe {
    pub version: u32,
    pub size: u32,
    pub context: *mut c_void,
    pub columns: *const u32,
    pub column_count: usize,
    pub generation: unsafe extern "C" fn(*mut c_void) -> u64,
    pub ranges: unsafe extern "C" fn(*mut c_void, *const TfSink, *mut TfError) -> c_int,
    pub test: unsafe extern "C" fn(
        *mut c_void,
        *mut FFI_ArrowArray,
        *mut u64,
        *mut u8,
        *mut TfError,
    ) -> c_int,
    pub release: unsafe extern "C" fn(*mut c_void),
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct TfStream {
    pub version: u32,
    pub size: u32,
    pub context: *mut c_void,
    pub next: Option<unsafe extern "C" fn(*mut c_void, *mut FFI_ArrowArray, *mut TfError) -> c_int>,
    pub set_probe: Option<unsafe extern "C" fn(*mut c_void, *const TfProbe)>,
    pub release: Release,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct TfLeaf {
    pub version: u32,
    pub size: u32,
    pub context: *mut c_void,
    pub name: WriteBytes,
    pub explain: WriteBytes,
    pub rejected: WriteBytes,
    pub schema: WriteSchema,
    pub partitions: Option<unsafe extern "C" fn(*mut c_void) -> u32>,
    pub takes_probe: Option<unsafe extern "C" fn(*mut c_void) -> u8>,
    pub is_ordered: Option<unsafe extern "C" fn(*mut c_void) -> u8>,
    pub open: Option<
        unsafe extern "C" fn(*mut c_void, u32, *const u8, *mut TfStream, *mut TfError) -> c_int,
    >,
    pub statistics: WriteBytes,
    pub metrics: WriteBytes,
    pub release: Release,
}

#[repr(C)]
pub struct TfScanRequest {
    pub version: u32,
    pub size: u32,
    pub projection: *const u32,
    pub projection_count: usize,
    pub filters: TfText,
    pub has_limit: u8,
    pub limit: u64,
    pub order: TfText,
    pub wanted: u64,
    pub for_join: u8,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct TfTable {
    pub version: u32,
    pub size: u32,
    pub context: *mut c_void,
    pub schema: WriteSchema,
    pub statistics: WriteBytes,
    pub estimate:
        Option<unsafe extern "C" fn(*mut c_void, TfText, *mut f64, *mut TfError) -> c_int>,
    pub supports: Option<unsafe extern "C" fn(*mut c_void, TfText, *mut u8, *mut TfError) -> c_int>,
    pub primary_key: WriteBytes,
    pub column_default: Option<
        unsafe extern "C" fn(*mut c_void, u32, *const TfSink, *mut u8, *mut TfError) -> c_int,
    >,
    pub checks: WriteBytes,
    pub scan: Option<
        unsafe extern "C" fn(*mut c_void, *const TfScanRequest, *mut TfLeaf, *mut TfError) -> c_int,
    >,
    pub fetch: Option<
        unsafe extern "C" fn(
            *mut c_void,
            *const u32,
            usize,
            *const u64,
            usize,
            *mut FFI_ArrowArray,
            *mut TfError,
        ) -> c_int,
    >,
    pub release: Release,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct TfCatalog {
    pub version: u32,
    pub size: u32,
    pub context: *mut c_void,
    pub find:
        Option<unsafe extern "C" fn(*mut c_void, TfText, u8, *mut TfTable, *mut TfError) -> c_int>,
    pub table_names: WriteBytes,
    pub view: Option<
        unsafe extern "C" fn(*mut c_void, TfText, *const TfSink, *mut u8, *mut TfError) -> c_int,
    >,
    pub sequence: Option<
        unsafe extern "C" fn(
            *mut c_void,
            u8,
            TfText,
            i64,
            u8,
            *mut i64,
            usize,
            *mut TfError,
        ) -> c_int,
    >,
    pub schemas: WriteBytes,
    pub relation: Option<
        unsafe extern "C" fn(*mut c_void, TfText, *const TfSink, *mut u8, *mut TfError) -> c_int,
    >,
}

#[repr(C)]
pub struct TfEngineOptions {
    pub version: u32,
    pub size: u32,
    pub threads: u32,
    pub memory_bytes: u64,
    pub spill_path: TfText,
}

/// True if a struct that came over says that it is the one that we know.
pub fn known<T>(version: u32, size: u32) -> bool {
    version == TF_BRIDGE_VERSION && size as usize == size_of::<T>()
}
