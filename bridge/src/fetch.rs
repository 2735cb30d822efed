//! Late materialisation: `ORDER BY x LIMIT n` over wide rows reads x, keeps n row ids, and then
//! reads the other columns of these n rows.
//!
//!     Projection (as it was)
//!       RowFetch      the other columns, by row id
//!         Sort(n)     of what it compares and the row id
//!           Filter
//!             scan    of what sort and filter look at, and the row id
//!
//! Expressions of a projection below the sort are evaluated above it, for the winners alone, unless
//! they are volatile. C++ reads the rows in the order of their ids and hands them back in ours.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, UInt64Array};
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::error::Result as DfResult;
use datafusion::execution::TaskContext;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_expr::{
    EquivalenceProperties, LexOrdering, PhysicalExpr, PhysicalSortExpr,
};
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties,
    SendableRecordBatchStream,
};
use futures::StreamExt;

use crate::catalog::{CppTable, ScanRequest};
use crate::error::BridgeError;
use crate::leaf::{LeafExec, Scanned};
use crate::one_input::one_input;
use crate::options::{Switch, is_on};
use crate::ordered::{Sort, spread};

/// Rows that are read by their ids; more are read better where they come along.
const ROWS_MAX: usize = 10_000;
/// A scan of fewer rows for each that is kept is over before it is worth while.
const ROWS_EACH: usize = 10;

type Expr = Arc<dyn PhysicalExpr>;

/// The sort with its other columns fetched afterwards, if there are any and it pays.
pub fn late(sort: &Sort, config: &ConfigOptions) -> DfResult<Option<Arc<dyn ExecutionPlan>>> {
    let Some(fetch) = sort.fetch else {
        return Ok(None);
    };
    if fetch == 0 || fetch > ROWS_MAX || !is_on(config, Switch::LateFetch) {
        return Ok(None);
    }
    let Some(over) = OverScan::of(sort)? else {
        return Ok(None);
    };
    let Some(split) = Split::of(&over, fetch)? else {
        return Ok(None);
    };
    split.plan(&over, fetch).map(Some)
}

/// A sort in terms of the columns of the scan below it.
struct OverScan<'a> {
    leaf: &'a LeafExec,
    order: Vec<PhysicalSortExpr>,
    conditions: Vec<Expr>,
    outputs: Vec<ProjectionExpr>,
}

impl<'a> OverScan<'a> {
    fn of(sort: &'a Sort) -> DfResult<Option<OverScan<'a>>> {
        let schema = sort.input.schema();
        let column = |(i, f): (usize, &Arc<Field>)| ProjectionExpr {
            expr: Arc::new(Column::new(f.name(), i)),
            alias: f.name().clone(),
        };
        let mut order = sort.order.clone();
        let mut conditions: Vec<Expr> = Vec::new();
        let mut outputs: Vec<_> = schema.fields().iter().enumerate().map(column).collect();
        let mut node = &sort.input;
        loop {
            if let Some(leaf) = node.downcast_ref::<LeafExec>() {
                return Ok(Some(OverScan {
                    leaf,
                    order,
                    conditions,
                    outputs,
                }));
            }
            if let Some(child) = spread(node) {
                node = child;
                continue;
            }
            let below: Vec<Expr>;
            if let Some(projection) = node.downcast_ref::<ProjectionExec>() {
                below = projection.expr().iter().map(|e| e.expr.clone()).collect();
                if below.iter().any(is_volatile) {
                    return Ok(None);
                }
                node = projection.input();
            } else if let Some(filter) = node.downcast_ref::<FilterExec>() {
                if filter.fetch().is_some() {
                    return Ok(None);
                }
                let input = filter.input().schema();
                let all = || (0..input.fields().len()).collect();
                let kept: Vec<usize> = filter
                    .projection()
                    .as_ref()
                    .map_or_else(all, |p| p.to_vec());
                let column = |i: &usize| Arc::new(Column::new(input.field(*i).name(), *i)) as Expr;
                below = kept.iter().map(column).collect();
                substitute(&below, &mut order, &mut conditions, &mut outputs)?;
                conditions.push(filter.predicate().clone());
                node = filter.input();
                continue;
            } else {
                return Ok(None);
            }
            substitute(&below, &mut order, &mut conditions, &mut outputs)?;
        }
    }
}

fn is_volatile(expr: &Expr) -> bool {
    let mut volatile = false;
    let _ = expr.apply(|e| {
        volatile |= e.is_volatile_node();
        Ok(TreeNodeRecursion::Continue)
    });
    volatile
}

/// Puts `below[i]` in place of column i.
fn substitute(
    below: &[Expr],
    order: &mut [PhysicalSortExpr],
    conditions: &mut [Expr],
    outputs: &mut [ProjectionExpr],
) -> DfResult<()> {
    for sort in order {
        sort.expr = replaced(&sort.expr, |i| below[i].clone())?;
    }
    for condition in conditions {
        *condition = replaced(condition, |i| below[i].clone())?;
    }
    for output in outputs {
        output.expr = replaced(&output.expr, |i| below[i].clone())?;
    }
    Ok(())
}

fn replaced(expr: &Expr, by: impl Fn(usize) -> Expr) -> DfResult<Expr> {
    let done = expr.clone().transform_down(|e| {
        Ok(match e.downcast_ref::<Column>() {
            Some(column) => Transformed::new(by(column.index()), true, TreeNodeRecursion::Jump),
            None => Transformed::no(e),
        })
    })?;
    Ok(done.data)
}

/// Which columns of the scan are read at once, and which late.
struct Split {
    table: Arc<CppTable>,
    early: Vec<usize>,
    late: Vec<usize>,
}

impl Split {
    fn of(over: &OverScan, fetch: usize) -> DfResult<Option<Split>> {
        let leaf = over.leaf;
        let scanned = leaf.scanned();
        if !leaf.is_free() || !leaf.is_scan() || leaf.rows() < fetch.saturating_mul(ROWS_EACH) {
            return Ok(None);
        }
        let compared = over.order.iter().map(|s| &s.expr).chain(&over.conditions);
        let early: BTreeSet<usize> = compared.flat_map(columns_of).collect();
        let outputs = over.outputs.iter().map(|o| &o.expr);
        let late: Vec<usize> = outputs
            .flat_map(columns_of)
            .collect::<BTreeSet<usize>>()
            .difference(&early)
            .copied()
            .collect();
        if late.is_empty() {
            return Ok(None);
        }
        let Some(table) = scanned.run.find(&scanned.name, true)? else {
            return Ok(None);
        };
        Ok(Some(Split {
            table: Arc::new(table),
            early: early.into_iter().collect(),
            late,
        }))
    }

    fn plan(&self, over: &OverScan, fetch: usize) -> DfResult<Arc<dyn ExecutionPlan>> {
        let mut plan = self.scan(over.leaf)?;
        // Places in the plan of the scan's columns, first the early ones, then row id, then late.
        let late = self.late.iter().enumerate();
        let places: HashMap<usize, usize> = (self.early.iter().enumerate())
            .map(|(place, column)| (*column, place))
            .chain(late.map(|(i, column)| (*column, self.early.len() + 1 + i)))
            .collect();
        let names = over.leaf.schema();
        let moved = |expr: &Expr| {
            replaced(expr, |i| {
                Arc::new(Column::new(names.field(i).name(), places[&i]))
            })
        };
        for condition in &over.conditions {
            plan = Arc::new(FilterExec::try_new(moved(condition)?, plan)?);
        }
        let order = over
            .order
            .iter()
            .map(|s| Ok(PhysicalSortExpr::new(moved(&s.expr)?, s.options)))
            .collect::<DfResult<Vec<_>>>()?;
        let order =
            LexOrdering::new(order).ok_or_else(|| BridgeError::internal("a sort by nothing"))?;
        let parallel = plan.properties().output_partitioning().partition_count() > 1;
        let sort = SortExec::new(order.clone(), plan)
            .with_fetch(Some(fetch))
            .with_preserve_partitioning(parallel);
        plan = Arc::new(sort);
        if parallel {
            let merge = SortPreservingMergeExec::new(order, plan);
            plan = Arc::new(merge.with_fetch(Some(fetch)));
        }
        plan = Arc::new(self.fetch(over.leaf, plan));
        let outputs = over
            .outputs
            .iter()
            .map(|o| {
                Ok(ProjectionExpr {
                    expr: moved(&o.expr)?,
                    alias: o.alias.clone(),
                })
            })
            .collect::<DfResult<Vec<_>>>()?;
        Ok(Arc::new(ProjectionExec::try_new(outputs, plan)?))
    }

    fn scan(&self, leaf: &LeafExec) -> DfResult<Arc<dyn ExecutionPlan>> {
        let scanned = leaf.scanned();
        let columns = &leaf.request().projection;
        let row_id = self.table.schema.fields().len() as u32 - 1;
        let request = ScanRequest {
            projection: (self.early.iter().map(|c| columns[*c]))
                .chain([row_id])
                .collect(),
            ..leaf.request().clone()
        };
        let with_ids = Scanned {
            computed: Vec::new(),
            name: scanned.name.clone(),
            schema: self.table.schema.clone(),
            table: self.table.clone(),
            run: scanned.run.clone(),
        };
        let scan = LeafExec::new(Arc::new(with_ids), request, leaf.answers())?;
        Ok(Arc::new(scan))
    }

    fn fetch(&self, leaf: &LeafExec, input: Arc<dyn ExecutionPlan>) -> RowFetch {
        let names = leaf.schema();
        let late: Vec<Field> = self.late.iter().map(|c| names.field(*c).clone()).collect();
        let columns = self.late.iter().map(|c| leaf.request().projection[*c]);
        RowFetch::new(
            Arc::new(Fetched {
                table: self.table.clone(),
                name: leaf.scanned().name.clone(),
                columns: columns.collect(),
                schema: Arc::new(Schema::new(late)),
            }),
            self.early.len(),
            input,
        )
    }
}

fn columns_of(expr: &Expr) -> Vec<usize> {
    collect_columns(expr).iter().map(|c| c.index()).collect()
}

/// What is fetched.
struct Fetched {
    table: Arc<CppTable>,
    name: String,
    columns: Vec<u32>,
    schema: SchemaRef,
}

/// Adds columns of a table to rows that have a row id in column `row_id`.
pub struct RowFetch {
    fetched: Arc<Fetched>,
    row_id: usize,
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl RowFetch {
    fn new(fetched: Arc<Fetched>, row_id: usize, input: Arc<dyn ExecutionPlan>) -> RowFetch {
        let before = input.schema();
        let fields = before.fields().iter().chain(fetched.schema.fields());
        let schema = Arc::new(Schema::new(fields.cloned().collect::<Vec<_>>()));
        let order = input.properties().output_ordering().cloned();
        let properties = PlanProperties::new(
            EquivalenceProperties::new_with_orderings(schema, order),
            Partitioning::UnknownPartitioning(1),
            input.properties().emission_type,
            input.properties().boundedness,
        );
        RowFetch {
            fetched,
            row_id,
            input,
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }

    fn with_input(&self, input: Arc<dyn ExecutionPlan>) -> RowFetch {
        RowFetch::new(self.fetched.clone(), self.row_id, input)
    }
}

impl Fetched {
    fn add_to(
        &self,
        batch: &RecordBatch,
        row_id: usize,
        schema: &SchemaRef,
    ) -> DfResult<RecordBatch> {
        let ids = batch.column(row_id).as_any().downcast_ref::<UInt64Array>();
        let ids = ids.ok_or_else(|| BridgeError::internal("row ids are not UBIGINT"))?;
        let late = self
            .table
            .fetch(&self.columns, ids.values(), &self.schema)?;
        let columns = batch.columns().iter().chain(late.columns()).cloned();
        Ok(RecordBatch::try_new(schema.clone(), columns.collect())?)
    }
}

impl fmt::Debug for RowFetch {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "RowFetch: {}", self.fetched.name)
    }
}

impl DisplayAs for RowFetch {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        let fields = self.fetched.schema.fields();
        let names: Vec<&str> = fields.iter().map(|f| f.name().as_str()).collect();
        write!(
            f,
            "RowFetch {}: columns=[{}]",
            self.fetched.name,
            names.join(", ")
        )
    }
}

impl ExecutionPlan for RowFetch {
    one_input!();

    fn name(&self) -> &str {
        "RowFetch"
    }
    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }
    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }
    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> DfResult<SendableRecordBatchStream> {
        let (fetched, row_id) = (self.fetched.clone(), self.row_id);
        let schema = self.schema();
        let output = schema.clone();
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let rows = self.input.execute(partition, context)?.map(move |batch| {
            let timer = metrics.elapsed_compute().timer();
            let whole = fetched.add_to(&batch?, row_id, &schema)?;
            drop(timer);
            metrics.record_output(whole.num_rows());
            Ok(whole)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(output, rows)))
    }
    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}
