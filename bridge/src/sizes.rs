//! How much there is: what rules of the optimiser weigh memory and time by.

use arrow::datatypes::Schema;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};

/// About how many rows come out of a plan, if anything is known of it.
pub fn estimated_rows(plan: &dyn ExecutionPlan) -> Option<usize> {
    let known = StatisticsContext::new().compute(plan, &StatisticsArgs::new());
    known.ok()?.num_rows.get_value().copied()
}

/// About how many bytes a row takes in memory.
pub fn row_bytes(schema: &Schema) -> usize {
    const TEXT_BYTES: usize = 32;
    let types = schema.fields().iter().map(|f| f.data_type());
    types
        .map(|t| t.primitive_width().unwrap_or(TEXT_BYTES))
        .sum()
}
