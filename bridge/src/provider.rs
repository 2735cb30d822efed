//! A table of C++ as DataFusion's TableProvider.
//!
//! The provider that lives in a plan knows only the table's name and schema, so that a plan can be
//! kept and run against another snapshot. While the statement is planned it also holds the C++
//! table, to ask which filters it understands; `Planning` takes it away again at the end. scan()
//! looks the table up anew in the catalog of the run, which it finds in the session's configuration
//! (`RunSlot`).

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use arrow::datatypes::{DataType, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::DFSchema;
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use datafusion::physical_plan::{ExecutionPlan, Statistics};

use crate::bytes::Writer;
use crate::catalog::{CppTable, Run, ScanRequest};
use crate::computed::{Columns, Computed};
use crate::error::{BridgeError, Res};
use crate::filters::encode_condition;
use crate::leaf::{LeafExec, Scanned, table_statistics};
use crate::options::{Switch, is_on};

/// Names of rows that C++ gives begin so; nobody writes such a name.
const GIVEN: char = '\u{1}';

/// The run that physical planning works for, as an extension of the session's configuration.
#[derive(Default)]
pub struct RunSlot(Mutex<Option<Arc<Run>>>);

impl RunSlot {
    pub fn set(&self, run: Option<Arc<Run>>) {
        *self.0.lock().expect("run slot") = run;
    }
    pub fn get(&self) -> Option<Arc<Run>> {
        self.0.lock().expect("run slot").clone()
    }
}

pub struct Provider {
    pub name: String,
    pub row_ids: bool,
    schema: SchemaRef,
    /// With the hidden columns.
    whole: SchemaRef,
    computed: Vec<Computed>,
    planning: Mutex<Option<Arc<CppTable>>>,
    exact_promised: AtomicBool,
}

pub struct TableEstimate {
    pub all_rows: f64,
    pub rows: f64,
    pub distinct: Vec<Option<usize>>,
    /// The columns of the primary key.
    pub key: Vec<u32>,
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Provider({})", self.name)
    }
}

impl Provider {
    pub fn new(
        name: &str,
        row_ids: bool,
        table: Arc<CppTable>,
        computed: Vec<Computed>,
    ) -> Provider {
        Provider {
            name: name.to_string(),
            row_ids,
            schema: table.visible.clone(),
            whole: table.schema.clone(),
            computed,
            planning: Mutex::new(Some(table)),
            exact_promised: AtomicBool::new(false),
        }
    }

    /// Rows that C++ gives for one run, under a name that no statement can write.
    pub fn given(name: &str, schema: SchemaRef) -> Provider {
        Provider {
            name: name.to_string(),
            row_ids: false,
            whole: schema.clone(),
            schema,
            computed: Vec::new(),
            planning: Mutex::new(None),
            exact_promised: AtomicBool::new(false),
        }
    }
    pub fn is_given(&self) -> bool {
        self.name.starts_with(GIVEN)
    }

    /// The columns of the table as conditions name them to C++.
    pub fn columns(&self) -> Columns<'_> {
        Columns {
            schema: &self.whole,
            computed: &self.computed,
        }
    }

    /// The place in the whole table of a column of `schema`.
    fn place(&self, column: usize) -> usize {
        let name = self.schema.field(column).name();
        self.whole.index_of(name).unwrap_or(column)
    }

    fn places(&self) -> Vec<usize> {
        (0..self.schema.fields().len())
            .map(|c| self.place(c))
            .collect()
    }

    fn planning_table(&self) -> Option<Arc<CppTable>> {
        self.planning.lock().expect("planning table").clone()
    }

    pub fn begin_planning(&self, run: &Arc<Run>) -> Res<()> {
        let table = Arc::new(self.table_of(run)?);
        *self.planning.lock().expect("planning table") = Some(table);
        Ok(())
    }

    pub fn end_planning(&self) {
        *self.planning.lock().expect("planning table") = None;
    }

    /// What is known of the rows that satisfy `filters`; only while a statement is planned.
    pub fn estimate(&self, filters: &[Expr]) -> Option<TableEstimate> {
        let table = self.planning_table()?;
        let statistics = self.statistics_of(&table)?;
        let encoded = filters
            .iter()
            .map(|f| encode_condition(f, self.columns()).bytes);
        let mut request = Writer::default();
        request.u32(filters.len() as u32);
        request.out.extend(encoded.flatten());
        let all_rows = *statistics.num_rows.get_value()? as f64;
        let columns = statistics.column_statistics.iter();
        Some(TableEstimate {
            all_rows,
            rows: table.estimate(&request.out).ok()??,
            distinct: columns
                .map(|c| c.distinct_count.get_value().copied())
                .collect(),
            key: table.primary_key().ok()?,
        })
    }

    fn statistics_of(&self, table: &CppTable) -> Option<Statistics> {
        let all = table_statistics(table, &self.whole).ok()?;
        Some(all.project(Some(&self.places())))
    }

    fn support(&self, table: &CppTable, filter: &Expr) -> Res<TableProviderFilterPushDown> {
        let encoded = encode_condition(filter, self.columns());
        Ok(match table.supports(&encoded.bytes)? {
            0 => TableProviderFilterPushDown::Unsupported,
            // An opaque part cannot have been understood, whatever the answer was.
            2 if encoded.whole => {
                self.exact_promised.store(true, Ordering::Relaxed);
                TableProviderFilterPushDown::Exact
            }
            _ => TableProviderFilterPushDown::Inexact,
        })
    }

    fn table_of(&self, run: &Arc<Run>) -> Res<CppTable> {
        let table = run.find(&self.name, self.row_ids)?.ok_or_else(|| {
            BridgeError::new("42P01", format!("table \"{}\" does not exist", self.name))
                .subject(self.name.clone())
        })?;
        let same = match self.is_given() {
            true => {
                let types = |schema: &SchemaRef| -> Vec<DataType> {
                    let fields = schema.fields().iter();
                    fields.map(|f| f.data_type().clone()).collect()
                };
                types(&table.schema) == types(&self.schema)
            }
            false => table.schema.fields() == self.whole.fields(),
        };
        if !same {
            return Err(BridgeError::new(
                "0A000",
                format!(
                    "table \"{}\" was changed since the statement was planned",
                    self.name
                ),
            )
            .hint("prepare the statement again"));
        }
        Ok(table)
    }

    /// The scan of `columns` with those filters that the table of this run understands, and the
    /// others.
    fn open_leaf(
        &self,
        state: &dyn Session,
        run: &Arc<Run>,
        columns: &[usize],
        filters: &[Expr],
        limit: Option<usize>,
        answers: bool,
    ) -> Res<(LeafExec, Vec<Expr>)> {
        let table = Arc::new(self.table_of(run)?);
        let (understood, left) = self.divide(&table, filters)?;
        let columns = with_columns_of(&left, columns, &self.schema);
        let places: Vec<usize> = columns.iter().map(|c| self.place(*c)).collect();
        let limit = if left.is_empty() { limit } else { None };
        let mut request = Writer::default();
        request.u32(understood.len() as u32);
        for bytes in &understood {
            request.out.extend_from_slice(bytes);
        }
        let request = ScanRequest {
            projection: places.iter().map(|c| *c as u32).collect(),
            filters: request.out,
            limit: limit.map(|n| n as u64),
            ..ScanRequest::default()
        };
        let computed = self.physical(state, &self.whole.project(&places)?);
        let scanned = Scanned {
            computed,
            name: self.name.clone(),
            schema: self.whole.clone(),
            table,
            run: run.clone(),
        };
        Ok((LeafExec::new(Arc::new(scanned), request, answers)?, left))
    }

    /// What hidden columns hold, over the columns of a scan that has what they are made of.
    fn physical(&self, state: &dyn Session, schema: &Schema) -> Vec<(Arc<dyn PhysicalExpr>, u32)> {
        let Ok(schema) = DFSchema::try_from(schema.clone()) else {
            return Vec::new();
        };
        let over = |c: &Computed| state.create_physical_expr(c.expr.clone(), &schema).ok();
        let computed = self.computed.iter();
        computed
            .filter_map(|c| Some((over(c)?, c.column)))
            .collect()
    }

    // A parameter's value may be one that the table cannot use where it could have used another:
    // then the promise made while planning is kept by a filter of DataFusion's.
    fn divide(&self, table: &CppTable, filters: &[Expr]) -> Res<(Vec<Vec<u8>>, Vec<Expr>)> {
        let promised = self.exact_promised.load(Ordering::Relaxed);
        let (mut understood, mut left) = (Vec::new(), Vec::new());
        for filter in filters {
            let encoded = encode_condition(filter, self.columns());
            let support = table.supports(&encoded.bytes)?;
            if support > 0 {
                understood.push(encoded.bytes);
            }
            if support == 0 || (promised && (support == 1 || !encoded.whole)) {
                left.push(filter.clone());
            }
        }
        Ok((understood, left))
    }
}

/// `columns` and after them those that `filters` need besides.
fn with_columns_of(filters: &[Expr], columns: &[usize], schema: &SchemaRef) -> Vec<usize> {
    let mut all = columns.to_vec();
    for column in filters.iter().flat_map(|f| f.column_refs()) {
        if let Ok(index) = schema.index_of(&column.name)
            && !all.contains(&index)
        {
            all.push(index);
        }
    }
    all
}

/// `leaf` filtered by `filters`, and then only its first `width` columns.
fn filtered(
    leaf: LeafExec,
    filters: Vec<Expr>,
    width: usize,
    state: &dyn Session,
) -> DfResult<Arc<dyn ExecutionPlan>> {
    let leaf: Arc<dyn ExecutionPlan> = Arc::new(leaf);
    let Some(condition) = conjunction(filters) else {
        return Ok(leaf);
    };
    let schema = DFSchema::try_from(leaf.schema())?;
    let predicate = state.create_physical_expr(condition, &schema)?;
    let columns: Vec<ProjectionExpr> = leaf.schema().fields()[..width]
        .iter()
        .enumerate()
        .map(|(i, f)| ProjectionExpr::new(Arc::new(Column::new(f.name(), i)), f.name().clone()))
        .collect();
    let filter = Arc::new(FilterExec::try_new(predicate, leaf)?);
    Ok(Arc::new(ProjectionExec::try_new(columns, filter)?))
}

#[async_trait]
impl TableProvider for Provider {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }
    fn table_type(&self) -> TableType {
        TableType::Base
    }
    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> DfResult<Vec<TableProviderFilterPushDown>> {
        let Some(table) = self.planning_table() else {
            return Ok(vec![
                TableProviderFilterPushDown::Unsupported;
                filters.len()
            ]);
        };
        filters
            .iter()
            .map(|f| Ok(self.support(&table, f)?))
            .collect()
    }
    fn statistics(&self) -> Option<Statistics> {
        self.statistics_of(&*self.planning_table()?)
    }
    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        let run = state
            .config()
            .get_extension::<RunSlot>()
            .and_then(|slot| slot.get())
            .ok_or_else(|| BridgeError::internal("a table is scanned outside of a run"))?;
        let columns = match projection {
            Some(columns) => columns.clone(),
            None => (0..self.schema.fields().len()).collect(),
        };
        let answers = is_on(state.config_options(), Switch::MetadataAggregates);
        let (leaf, left) = self.open_leaf(state, &run, &columns, filters, limit, answers)?;
        filtered(leaf, left, columns.len(), state)
    }
}
