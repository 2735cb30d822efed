//! FirstRows: a limit over rows that come in order, whose input hands them out as soon as there are
//! so many.
//!
//! Filters and joins collect thousands of rows before they pass any on; below a limit of ten of
//! which all come in the right order, that would be reading for nothing. So they run here with
//! batches of as many rows as are wanted.

use std::fmt;
use std::sync::Arc;

use datafusion::error::Result as DfResult;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::limit::LimitStream;
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, SendableRecordBatchStream,
};

use crate::one_input::one_input;

#[derive(Debug)]
pub struct FirstRows {
    input: Arc<dyn ExecutionPlan>,
    fetch: usize,
    metrics: ExecutionPlanMetricsSet,
}

impl FirstRows {
    /// REQUIRES: `input` has one partition.
    pub fn new(input: Arc<dyn ExecutionPlan>, fetch: usize) -> FirstRows {
        FirstRows {
            input,
            fetch,
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }

    fn with_input(&self, input: Arc<dyn ExecutionPlan>) -> FirstRows {
        FirstRows::new(input, self.fetch)
    }
}

impl DisplayAs for FirstRows {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "FirstRows: fetch={}", self.fetch)
    }
}

impl ExecutionPlan for FirstRows {
    one_input!();

    fn name(&self) -> &str {
        "FirstRows"
    }
    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }
    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }
    fn fetch(&self) -> Option<usize> {
        Some(self.fetch)
    }
    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> DfResult<SendableRecordBatchStream> {
        let config = context.session_config();
        let rows = self.fetch.clamp(1, config.batch_size());
        let small = TaskContext::new(
            context.task_id(),
            context.session_id(),
            config.clone().with_batch_size(rows),
            Default::default(),
            Default::default(),
            Default::default(),
            Default::default(),
            context.runtime_env(),
        );
        let rows = self.input.execute(partition, Arc::new(small))?;
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let limited = LimitStream::new(rows, 0, Some(self.fetch), metrics);
        Ok(Box::pin(limited))
    }
    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}
