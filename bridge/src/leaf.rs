//! A leaf of C++ as DataFusion's ExecutionPlan: it prints, estimates, runs and counts as C++ says.
//!
//! A stream is pulled inline, in the task that wants its batches: making one takes microseconds,
//! and the cancel flag is looked at before each. Statistics are exact only where C++ says so: then
//! count(*), min and max of a whole table are answered from them.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use arrow::datatypes::{DataType, FieldRef, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::common::config::ConfigOptions;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{ColumnStatistics, ScalarValue, Statistics};
use datafusion::error::Result as DfResult;
use datafusion::execution::TaskContext;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::coop::make_cooperative;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, SchedulingType};
use datafusion::physical_plan::filter_pushdown::{
    ChildPushdownResult, FilterPushdownPhase, FilterPushdownPropagation,
};
use datafusion::physical_plan::metrics::{
    BaselineMetrics, Count, ExecutionPlanMetricsSet, Metric, MetricValue, MetricsSet, Time,
};
use datafusion::physical_plan::statistics::StatisticsArgs;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties, RecordBatchStream,
    ReplaceChildrenOptions, SendableRecordBatchStream,
};
use futures::Stream;

use crate::bytes::{Reader, Writer};
use crate::canonical;
use crate::catalog::{CppLeaf, CppStream, CppTable, Run, ScanRequest};
use crate::error::{BridgeError, Res};
use crate::options::{Switch, is_on};
use crate::ordered::Asked;
use crate::probe::{Probe, is_dynamic};
use crate::types::is_text;
use crate::value::read_value;

/// The filters of a request that has none: u32 0.
const NO_FILTERS: [u8; 4] = [0; 4];

/// The table of a leaf: what makes it again in another way.
pub struct Scanned {
    /// Expressions over the leaf's columns, and the hidden columns that hold them.
    pub computed: Vec<(Arc<dyn PhysicalExpr>, u32)>,
    pub name: String,
    pub schema: SchemaRef,
    pub table: Arc<CppTable>,
    pub run: Arc<Run>,
}

#[derive(Clone)]
pub struct LeafExec {
    leaf: Arc<CppLeaf>,
    text: String,
    scanned: Arc<Scanned>,
    request: ScanRequest,
    answers: bool,
    /// Filters that become known while the plan runs, over the leaf's columns.
    dynamic: Vec<Arc<dyn PhysicalExpr>>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl LeafExec {
    /// `answers`: exact statistics may be taken for answers.
    pub fn new(scanned: Arc<Scanned>, request: ScanRequest, answers: bool) -> Res<LeafExec> {
        let mut leaf = scanned.table.scan(&request)?;
        let columns: Vec<usize> = request.projection.iter().map(|c| *c as usize).collect();
        let expected = Arc::new(scanned.schema.project(&columns)?);
        let same =
            |(a, b): (&FieldRef, &FieldRef)| a.name() == b.name() && a.data_type() == b.data_type();
        if leaf.schema.fields().len() != expected.fields().len()
            || !leaf.schema.fields().iter().zip(expected.fields()).all(same)
        {
            return Err(BridgeError::internal(&format!(
                "scan {} has columns {:?} where {:?} were asked for",
                leaf.name,
                leaf.schema.fields(),
                expected.fields()
            )));
        }
        leaf.schema = expected;
        let properties = properties(
            EquivalenceProperties::new(leaf.schema.clone()),
            leaf.partitions,
        );
        Ok(LeafExec {
            text: leaf.explain()?,
            leaf: Arc::new(leaf),
            scanned,
            request,
            answers,
            dynamic: Vec::new(),
            properties,
            metrics: ExecutionPlanMetricsSet::new(),
        })
    }

    /// Why other indexes of its table were not taken, a line for each.
    pub fn rejected(&self) -> Vec<String> {
        self.leaf.rejected().unwrap_or_default()
    }
    pub fn scanned(&self) -> &Arc<Scanned> {
        &self.scanned
    }
    pub fn request(&self) -> &ScanRequest {
        &self.request
    }
    pub fn answers(&self) -> bool {
        self.answers
    }
    /// True if it could be made in another way: nothing depends on which rows come first.
    pub fn is_free(&self) -> bool {
        self.request.limit.is_none() && self.request.order.is_empty() && self.dynamic.is_empty()
    }

    /// True if it reads the table from end to end.
    pub fn is_scan(&self) -> bool {
        self.leaf.name == "NodeScan"
    }
    /// About how many rows it gives; 0 if that is not known.
    pub fn rows(&self) -> usize {
        let bytes = self.leaf.statistics().unwrap_or_default();
        let mut reader = Reader::new(&bytes);
        let flags = reader.u8().and_then(|_| reader.u8());
        let rows = flags.and_then(|_| reader.opt(|r| r.u64()));
        rows.ok().flatten().unwrap_or(0) as usize
    }

    /// The same rows in the order that is asked for, if the table has them so: the first `limit` of
    /// them, or as many as are read, about `wanted`.
    pub fn in_order(&self, asked: &Asked) -> Res<Option<LeafExec>> {
        let order = asked.order;
        let mut bytes = Writer::default();
        bytes.u32(order.len() as u32);
        for sort in order {
            let Some(column) = self.place_of(&sort.expr) else {
                return Ok(None);
            };
            bytes.u32(column);
            bytes.u8(sort.options.descending as u8 + 2 * sort.options.nulls_first as u8);
        }
        let request = ScanRequest {
            order: bytes.out,
            limit: asked.limit.map(|n| n as u64),
            rows: asked.wanted.map(|n| n as u64),
            for_join: asked.for_join,
            ..self.request.clone()
        };
        let mut leaf = LeafExec::new(self.scanned.clone(), request, self.answers)?;
        if !leaf.leaf.is_ordered() {
            return Ok(None);
        }
        let schema = leaf.leaf.schema.clone();
        let equivalences = EquivalenceProperties::new_with_orderings(schema, [order.to_vec()]);
        leaf.properties = properties(equivalences, leaf.leaf.partitions);
        Ok(Some(leaf))
    }

    /// The table's column that holds this value.
    fn place_of(&self, expr: &Arc<dyn PhysicalExpr>) -> Option<u32> {
        // An index knows which numbers are equal.
        let expr = canonical::inner_physical(expr);
        if let Some(column) = expr.downcast_ref::<Column>() {
            return Some(self.request.projection[column.index()]);
        }
        let mut computed = self.scanned.computed.iter();
        computed.find(|(held, _)| held == expr).map(|(_, c)| *c)
    }

    /// The same with `filters` besides.
    fn with_dynamic(&self, filters: Vec<Arc<dyn PhysicalExpr>>) -> LeafExec {
        let mut leaf = self.clone();
        leaf.dynamic.extend(filters);
        let columns: BTreeSet<String> = leaf
            .dynamic
            .iter()
            .flat_map(collect_columns)
            .map(|c| c.name().to_string())
            .collect();
        let columns: Vec<String> = columns.into_iter().collect();
        leaf.text = format!("{}, dynamic=[{}]", self.text, columns.join(", "));
        leaf.metrics = ExecutionPlanMetricsSet::new();
        leaf
    }
}

fn properties(equivalences: EquivalenceProperties, partitions: usize) -> Arc<PlanProperties> {
    let properties = PlanProperties::new(
        equivalences,
        Partitioning::UnknownPartitioning(partitions),
        EmissionType::Incremental,
        Boundedness::Bounded,
    );
    Arc::new(properties.with_scheduling_type(SchedulingType::Cooperative))
}

impl fmt::Debug for LeafExec {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}: {}", self.leaf.name, self.text)
    }
}

impl DisplayAs for LeafExec {
    fn fmt_as(&self, t: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        match t {
            DisplayFormatType::TreeRender => write!(f, "{}", self.text),
            _ if self.text.is_empty() => write!(f, "{}", self.leaf.name),
            _ => write!(f, "{} {}", self.leaf.name, self.text),
        }
    }
}

impl ExecutionPlan for LeafExec {
    fn name(&self) -> &str {
        &self.leaf.name
    }
    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }
    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![]
    }
    fn apply_expressions(
        &self,
        visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> DfResult<TreeNodeRecursion>,
    ) -> DfResult<TreeNodeRecursion> {
        for filter in &self.dynamic {
            if visit(filter)? == TreeNodeRecursion::Stop {
                return Ok(TreeNodeRecursion::Stop);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    }
    // A filter that is taken is still said to be unsupported: whoever made it looks again.
    fn handle_child_pushdown_result(
        &self,
        phase: FilterPushdownPhase,
        result: ChildPushdownResult,
        config: &ConfigOptions,
    ) -> DfResult<FilterPushdownPropagation<Arc<dyn ExecutionPlan>>> {
        let known = |filter: &Arc<dyn PhysicalExpr>| self.dynamic.iter().any(|d| d == filter);
        let takes = matches!(phase, FilterPushdownPhase::Post)
            && self.leaf.takes_probe()
            && is_on(config, Switch::DynamicFilters);
        let mut filters = Vec::new();
        if takes {
            let given = result.parent_filters.iter().map(|f| &f.filter);
            filters.extend(given.filter(|f| is_dynamic(f) && !known(f)).cloned());
        }
        let answer = FilterPushdownPropagation::all_unsupported(result);
        if filters.is_empty() {
            return Ok(answer);
        }
        Ok(answer.with_updated_node(Arc::new(self.with_dynamic(filters))))
    }
    fn replace_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }
    fn with_new_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }
    fn execute(
        &self,
        partition: usize,
        _: Arc<TaskContext>,
    ) -> DfResult<SendableRecordBatchStream> {
        let mut stream = self.leaf.open(partition)?;
        if !self.dynamic.is_empty() {
            stream.set_probe(Probe::new(
                &self.dynamic,
                &self.leaf.schema,
                &self.scanned.schema,
            )?)?;
        }
        let stream = LeafStream {
            stream,
            schema: self.leaf.schema.clone(),
            metrics: BaselineMetrics::new(&self.metrics, partition),
            over: false,
            _leaf: self.leaf.clone(),
        };
        Ok(make_cooperative(Box::pin(stream)))
    }
    fn metrics(&self) -> Option<MetricsSet> {
        let mut metrics = self.metrics.clone_inner();
        for (name, value) in self.leaf.metrics().unwrap_or_default() {
            metrics.push(Arc::new(Metric::new(metric(name, value), None)));
        }
        Some(metrics)
    }
    fn statistics_from_inputs(
        &self,
        _: &[Arc<Statistics>],
        args: &StatisticsArgs,
    ) -> DfResult<Arc<Statistics>> {
        let schema = &self.leaf.schema;
        if args.partition().is_some() && self.leaf.partitions > 1 {
            return Ok(Arc::new(Statistics::new_unknown(schema)));
        }
        let bytes = self.leaf.statistics()?;
        let mut reader = Reader::new(&bytes);
        let rows_exact = reader.u8()? != 0 && self.answers;
        let narrowed = self.request.filters != NO_FILTERS || self.request.limit.is_some();
        let columns_exact = reader.u8()? != 0 && rows_exact && !narrowed;
        let statistics = read_statistics(&mut reader, schema, rows_exact, columns_exact)?;
        Ok(Arc::new(statistics))
    }
}

/// A counter of C++, or a time, whose name says that it is in nanoseconds.
fn metric(name: String, value: u64) -> MetricValue {
    if let Some(name) = name.strip_suffix("_ns") {
        let time = Time::new();
        time.add_duration(Duration::from_nanos(value));
        let name = Cow::Owned(name.to_string());
        return MetricValue::Time { name, time };
    }
    let count = Count::new();
    count.add(value as usize);
    let name = Cow::Owned(name);
    MetricValue::Count { name, count }
}

/// Estimates of a whole table, for the logical optimiser.
pub fn table_statistics(table: &CppTable, schema: &SchemaRef) -> Res<Statistics> {
    let bytes = table.statistics()?;
    read_statistics(&mut Reader::new(&bytes), schema, false, false)
}

fn read_statistics(
    reader: &mut Reader,
    schema: &SchemaRef,
    rows_exact: bool,
    columns_exact: bool,
) -> Res<Statistics> {
    let rows = reader.opt(|r| r.u64())?;
    let bytes = reader.opt(|r| r.u64())?;
    let columns = reader.list(|r| {
        let nulls = r.opt(|r| r.u64())?;
        let distinct = r.opt(|r| r.u64())?;
        let (min, max) = (read_value(r)?, read_value(r)?);
        Ok(ColumnStatistics {
            null_count: precision(nulls, columns_exact),
            distinct_count: precision(distinct, false),
            min_value: bound(min),
            max_value: bound(max),
            ..ColumnStatistics::new_unknown()
        })
    })?;
    let mut statistics = Statistics::new_unknown(schema);
    statistics.num_rows = precision(rows, rows_exact);
    statistics.total_byte_size = precision(bytes, false);
    if columns.len() == schema.fields().len() {
        let typed = columns.into_iter().zip(schema.fields());
        statistics.column_statistics = typed
            .map(|(column, field)| of_type(column, field.data_type(), columns_exact))
            .collect();
    }
    Ok(statistics)
}

fn precision(value: Option<u64>, exact: bool) -> Precision<usize> {
    match value {
        Some(v) if exact => Precision::Exact(v as usize),
        Some(v) => Precision::Inexact(v as usize),
        None => Precision::Absent,
    }
}

fn bound(value: ScalarValue) -> Precision<ScalarValue> {
    if value.is_null() {
        return Precision::Absent;
    }
    Precision::Inexact(value)
}

// Bounds come as plain values (BIGINT, DOUBLE, TEXT); DataFusion compares them as the column's
// type. Exact ones answer min() and max(), so they must be what these would answer: of doubles,
// which have NaN and two zeros, they stay estimates.
fn of_type(mut column: ColumnStatistics, to: &DataType, exact: bool) -> ColumnStatistics {
    let exact =
        exact && (to.is_integer() || to.is_decimal() || is_text(to) || *to == DataType::Date32);
    for bound in [&mut column.min_value, &mut column.max_value] {
        let Precision::Inexact(value) = &*bound else {
            continue;
        };
        *bound = match value.cast_to(to) {
            Ok(value) if exact => Precision::Exact(value),
            Ok(value) => Precision::Inexact(value),
            Err(_) => Precision::Absent,
        };
    }
    column
}

struct LeafStream {
    stream: CppStream,
    schema: SchemaRef,
    metrics: BaselineMetrics,
    over: bool,
    _leaf: Arc<CppLeaf>, // outlives `stream`
}

impl Stream for LeafStream {
    type Item = DfResult<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.over {
            return Poll::Ready(None);
        }
        let elapsed = self.metrics.elapsed_compute().clone();
        let timer = elapsed.timer();
        let next = self.stream.next();
        drop(timer);
        let item = match next {
            Ok(Some(batch)) => Some(Ok(batch)),
            Ok(None) => None,
            Err(error) => Some(Err(error.into_datafusion())),
        };
        self.over = !matches!(item, Some(Ok(_)));
        self.metrics.record_poll(Poll::Ready(item))
    }
}

impl RecordBatchStream for LeafStream {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }
}
