//! Dynamic filters at a leaf: what a hash join knows of its other side once that is built, and a
//! top-k sort of the rows it has, reaches the scan that feeds them.
//!
//! C++ asks two things. `ranges`: what can be said of the table's columns, to skip zones by; a
//! condition that is not understood is left out, which only widens. `test`: which rows of some
//! zone pass, given the columns of the condition; C++ reads the other columns of those alone. A
//! filter that keeps nearly everything is not asked again until it changes.

use std::ffi::{c_int, c_void};
use std::sync::Arc;

use arrow::array::{Array, BooleanArray};
use arrow::compute::prep_null_mask_filter;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::ffi::FFI_ArrowArray;
use arrow::record_batch::RecordBatch;
use datafusion::common::{Column as NamedColumn, ScalarValue};
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::{ColumnarValue, Expr, Operator, binary_expr, lit};
use datafusion::physical_expr::expressions::{
    BinaryExpr, CaseExpr, Column, DynamicFilterPhysicalExpr, DynamicFilterTracking, InListExpr,
    IsNullExpr, Literal,
};
use datafusion::physical_expr::utils::{collect_columns, reassign_expr_columns};
use datafusion::physical_expr::{PhysicalExpr, conjunction};
use datafusion::physical_expr_common::physical_expr::snapshot_generation;

use crate::abi::{TF_BRIDGE_VERSION, TfError, TfProbe, TfSink};
use crate::bytes::Writer;
use crate::canonical::inner_physical;
use crate::catalog::import_batch;
use crate::computed::Columns;
use crate::error::{BridgeError, Res};
use crate::exports::{guard, write};
use crate::filters::encode_condition;

/// From here on it can be said whether a filter is worth while.
const ROWS_TRIED: usize = 1 << 16;

/// The keys of a join are told one by one up to so many, then by their bounds alone.
pub const LIST_MAX: usize = 1000;

pub fn is_dynamic(filter: &Arc<dyn PhysicalExpr>) -> bool {
    let says_something = !collect_columns(filter).is_empty();
    says_something && DynamicFilterTracking::classify(filter).contains_dynamic_filter()
}

/// The filters of one stream of a leaf.
pub struct Probe {
    filter: Arc<dyn PhysicalExpr>, // over `keys`
    columns: Vec<u32>,
    keys: SchemaRef,
    struct_type: DataType,
    table: SchemaRef,
    generation: u64,
    tried: usize,
    passed: usize,
}

impl Probe {
    /// `filters` are over `leaf`, whose columns have the names of those of `table`.
    pub fn new(
        filters: &[Arc<dyn PhysicalExpr>],
        leaf: &SchemaRef,
        table: &SchemaRef,
    ) -> DfResult<Probe> {
        let filter = conjunction(filters.to_vec());
        let mut columns: Vec<usize> = collect_columns(&filter).iter().map(|c| c.index()).collect();
        columns.sort_unstable();
        let keys = Arc::new(leaf.project(&columns)?);
        Ok(Probe {
            filter: reassign_expr_columns(filter, &keys)?,
            columns: columns.iter().map(|c| *c as u32).collect(),
            struct_type: DataType::Struct(keys.fields().clone()),
            keys,
            table: table.clone(),
            generation: 0,
            tried: 0,
            passed: 0,
        })
    }

    /// The functions of `self`, which the receiver owns.
    pub fn into_raw(self) -> TfProbe {
        let probe = Box::new(self);
        TfProbe {
            version: TF_BRIDGE_VERSION,
            size: size_of::<TfProbe>() as u32,
            columns: probe.columns.as_ptr(),
            column_count: probe.columns.len(),
            context: Box::into_raw(probe).cast(),
            generation,
            ranges,
            test,
            release,
        }
    }

    fn ranges(&self) -> Res<Vec<u8>> {
        let mut conditions = Vec::new();
        widened(&self.filter, &mut conditions)?;
        let mut encoded = Vec::new();
        for condition in &conditions {
            let bytes = encode_condition(condition, Columns::of(&self.table));
            if bytes.whole {
                encoded.push(bytes.bytes);
            }
        }
        let mut out = Writer::default();
        out.list(&encoded, |w, bytes| w.out.extend_from_slice(bytes));
        Ok(out.out)
    }

    /// Sets the bits of the rows that pass; false if the filter is not worth while.
    fn test(&mut self, keys: &RecordBatch, words: &mut [u64]) -> Res<bool> {
        let generation = snapshot_generation(&self.filter);
        if generation != self.generation {
            (self.generation, self.tried, self.passed) = (generation, 0, 0);
        }
        let rows = keys.num_rows();
        let passing = match self.filter.evaluate(keys)? {
            ColumnarValue::Scalar(ScalarValue::Boolean(Some(true))) => {
                BooleanArray::from(vec![true; rows])
            }
            ColumnarValue::Scalar(_) => BooleanArray::from(vec![false; rows]),
            ColumnarValue::Array(array) => {
                let passing = array.as_any().downcast_ref::<BooleanArray>();
                let passing = passing
                    .ok_or_else(|| BridgeError::internal("a dynamic filter is not BOOLEAN"))?;
                if passing.null_count() > 0 {
                    prep_null_mask_filter(passing)
                } else {
                    passing.clone()
                }
            }
        };
        for (word, bits) in words
            .iter_mut()
            .zip(passing.values().bit_chunks().iter_padded())
        {
            *word = bits;
        }
        self.tried += rows;
        self.passed += passing.true_count();
        Ok(self.tried < ROWS_TRIED || self.passed < self.tried / 10 * 9)
    }
}

/// Adds conditions over named columns that hold wherever `filter` does.
fn widened(filter: &Arc<dyn PhysicalExpr>, conditions: &mut Vec<Expr>) -> DfResult<()> {
    if let Some(dynamic) = filter.downcast_ref::<DynamicFilterPhysicalExpr>() {
        return widened(&dynamic.current()?, conditions);
    }
    if let Some(b) = filter.downcast_ref::<BinaryExpr>()
        && *b.op() == Operator::And
    {
        widened(b.left(), conditions)?;
        return widened(b.right(), conditions);
    }
    conditions.extend(wider(filter)?);
    Ok(())
}

/// A condition that holds wherever `filter` does; None if that is all that can be said.
fn wider(filter: &Arc<dyn PhysicalExpr>) -> DfResult<Option<Expr>> {
    if let Some(b) = filter.downcast_ref::<BinaryExpr>() {
        return wider_binary(b);
    }
    if let Some(case) = filter.downcast_ref::<CaseExpr>() {
        let branches = case.when_then_expr().iter().map(|(_, then)| then);
        let mut any = lit(false);
        for branch in branches.chain(case.else_expr()) {
            match all_of(branch)? {
                Some(condition) => any = any.or(condition),
                None => return Ok(None),
            }
        }
        return Ok(Some(any));
    }
    if let Some(list) = filter.downcast_ref::<InListExpr>() {
        return Ok(list_of(list));
    }
    if let Some(is_null) = filter.downcast_ref::<IsNullExpr>() {
        return Ok(column(is_null.arg()).map(|c| c.is_null()));
    }
    if let Some(literal) = filter.downcast_ref::<Literal>()
        && *literal.value() != ScalarValue::Boolean(Some(true))
    {
        return Ok(Some(lit(false)));
    }
    Ok(None)
}

/// `column IN (values)`, unless they are very many.
fn list_of(list: &InListExpr) -> Option<Expr> {
    if list.negated() || list.len() > LIST_MAX {
        return None;
    }
    let value = |e: &Arc<dyn PhysicalExpr>| {
        let value = e.downcast_ref::<Literal>()?.value();
        Some(Expr::Literal(value.clone(), None))
    };
    let values = list.list().iter().map(value).collect::<Option<_>>()?;
    Some(column(list.expr())?.in_list(values, false))
}

fn wider_binary(b: &BinaryExpr) -> DfResult<Option<Expr>> {
    match b.op() {
        Operator::Or => Ok(match (all_of(b.left())?, all_of(b.right())?) {
            (Some(left), Some(right)) => Some(left.or(right)),
            _ => None,
        }),
        Operator::Eq | Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq => {
            let literal = b.right().downcast_ref::<Literal>();
            Ok(match (column(b.left()), literal) {
                (Some(column), Some(literal)) => {
                    let value = Expr::Literal(literal.value().clone(), None);
                    Some(binary_expr(column, *b.op(), value))
                }
                _ => None,
            })
        }
        _ => Ok(None),
    }
}

fn all_of(filter: &Arc<dyn PhysicalExpr>) -> DfResult<Option<Expr>> {
    let mut conditions = Vec::new();
    widened(filter, &mut conditions)?;
    Ok(datafusion::logical_expr::utils::conjunction(conditions))
}

fn column(expr: &Arc<dyn PhysicalExpr>) -> Option<Expr> {
    let column = inner_physical(expr).downcast_ref::<Column>()?;
    Some(Expr::Column(NamedColumn::new_unqualified(column.name())))
}

// ---- the functions of tf_probe ------------------------------------------------------------------

unsafe extern "C" fn generation(context: *mut c_void) -> u64 {
    snapshot_generation(&unsafe { &*context.cast::<Probe>() }.filter)
}

unsafe extern "C" fn ranges(
    context: *mut c_void,
    out: *const TfSink,
    error: *mut TfError,
) -> c_int {
    guard(error, || {
        write(out, &unsafe { &*context.cast::<Probe>() }.ranges()?)
    })
}

unsafe extern "C" fn test(
    context: *mut c_void,
    keys: *mut FFI_ArrowArray,
    words: *mut u64,
    useful: *mut u8,
    error: *mut TfError,
) -> c_int {
    let keys = unsafe { FFI_ArrowArray::from_raw(keys) };
    guard(error, || {
        let probe = unsafe { &mut *context.cast::<Probe>() };
        let keys = import_batch(keys, &probe.struct_type, &probe.keys)?;
        let words = unsafe { std::slice::from_raw_parts_mut(words, keys.num_rows().div_ceil(64)) };
        let answer = probe.test(&keys, words)?;
        unsafe { *useful = answer as u8 };
        Ok(())
    })
}

unsafe extern "C" fn release(context: *mut c_void) {
    drop(unsafe { Box::from_raw(context.cast::<Probe>()) });
}
