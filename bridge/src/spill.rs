//! Sorts in place of a top-k that is too large, and sorts that can spill in place of those that
//! cannot.
//!
//!     Limit(k)                         Projection without the key
//!       Sort by x                        Sort by key
//!         ...                              Projection with repeat(x, 9) AS key
//!
//! A top-k holds k rows in memory and no disk helps it: where these rows would fill half of all
//! memory, all rows are sorted, which spills, and the first k taken. The same is done where it
//! would keep many of the rows and all fit into memory, because a sort is quicker then: of a
//! million rows with three columns the first 10,000 take a top-k 46 ms, the first 20,000 117 ms
//! and the first 100,000 800 ms, and a sort of all takes 35 ms (2 cores).
//!
//! A sort reckons with what its rows take, not with the keys that it computes from them, and finds
//! out too late that those do not fit. So a query that ran out of memory is planned once more
//! `frugally` (cursor.rs): with keys that are columns, and no top-k but small ones.
//!
//! Runs last: what is below and above a sort is settled, and its rows stay in the order that was
//! promised, even if nobody could tell by the plan.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result as DfResult;
use datafusion::execution::memory_pool::{MemoryLimit, MemoryPool};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::limit::{GlobalLimitExec, LocalLimitExec};
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use datafusion::physical_plan::sorts::sort::SortExec;

use crate::error::BridgeError;
use crate::options::is_frugal;
use crate::sizes::{estimated_rows, row_bytes};

/// Rows that a top-k may keep where memory is short, or of however few.
const FEW: usize = 1000;
/// So many times as long as a sort takes for each row, a top-k takes for one that it keeps.
const KEEPING: usize = 100;

type Plan = Arc<dyn ExecutionPlan>;

#[derive(Debug)]
pub struct SpillingSorts {
    memory: Arc<dyn MemoryPool>,
}

impl SpillingSorts {
    pub fn new(memory: Arc<dyn MemoryPool>) -> SpillingSorts {
        SpillingSorts { memory }
    }

    /// True if a top-k of so many rows leaves too little memory, or takes longer than a sort of
    /// all, which needs no disk.
    fn is_large(&self, sort: &SortExec, fetch: usize) -> bool {
        let MemoryLimit::Finite(memory) = self.memory.memory_limit() else {
            return false;
        };
        let bytes_of = |rows: usize| rows.saturating_mul(row_bytes(&sort.input().schema()));
        if bytes_of(fetch) > memory / 2 {
            return true;
        }
        let Some(rows) = estimated_rows(sort.input().as_ref()) else {
            return false;
        };
        let keeps_many = fetch > FEW && fetch.saturating_mul(KEEPING) > rows;
        keeps_many && bytes_of(rows) <= memory / 4
    }

    fn rewritten(&self, sort: &SortExec, frugal: bool) -> DfResult<Option<Plan>> {
        let few = if frugal { FEW } else { usize::MAX };
        let limit = sort.fetch();
        let limit = limit.filter(|fetch| *fetch > few || self.is_large(sort, *fetch));
        if limit.is_none() && !(frugal && sort.fetch().is_none() && has_computed_key(sort)) {
            return Ok(None);
        }
        let sorted = match frugal {
            true => by_columns(sort)?,
            false => plain(sort.expr().clone(), sort.input().clone(), sort),
        };
        Ok(Some(match limit {
            None => sorted,
            Some(fetch) if sort.preserve_partitioning() => {
                Arc::new(LocalLimitExec::new(sorted, fetch))
            }
            Some(fetch) => Arc::new(GlobalLimitExec::new(sorted, 0, Some(fetch))),
        }))
    }
}

impl PhysicalOptimizerRule for SpillingSorts {
    fn optimize(&self, plan: Plan, config: &ConfigOptions) -> DfResult<Plan> {
        let frugal = is_frugal(config);
        let rewritten = plan.transform_up(|node| {
            let Some(sort) = node.downcast_ref::<SortExec>() else {
                return Ok(Transformed::no(node));
            };
            Ok(match self.rewritten(sort, frugal)? {
                Some(spilling) => Transformed::yes(spilling),
                None => Transformed::no(node),
            })
        })?;
        Ok(rewritten.data)
    }
    fn name(&self) -> &str {
        "trefoil_spilling_sorts"
    }
    fn schema_check(&self) -> bool {
        true
    }
}

fn plain(order: LexOrdering, input: Plan, like: &SortExec) -> Plan {
    let sort = SortExec::new(order, input);
    Arc::new(sort.with_preserve_partitioning(like.preserve_partitioning()))
}

fn has_computed_key(sort: &SortExec) -> bool {
    let mut keys = sort.expr().iter();
    keys.any(|key| key.expr.downcast_ref::<Column>().is_none())
}

/// The sort without its limit, and with keys that are columns of its input.
fn by_columns(sort: &SortExec) -> DfResult<Plan> {
    if !has_computed_key(sort) {
        return Ok(plain(sort.expr().clone(), sort.input().clone(), sort));
    }
    let schema = sort.input().schema();
    let column = |i: usize, name: &str| ProjectionExpr {
        expr: Arc::new(Column::new(name, i)),
        alias: name.to_string(),
    };
    let fields = schema.fields().iter().enumerate();
    let given: Vec<ProjectionExpr> = fields.map(|(i, f)| column(i, f.name())).collect();
    let mut with_keys = given.clone();
    let mut order = Vec::new();
    for key in sort.expr() {
        let mut expr = key.expr.clone();
        if expr.downcast_ref::<Column>().is_none() {
            let (name, place) = (format!("key {}", order.len()), with_keys.len());
            let alias = name.clone();
            with_keys.push(ProjectionExpr { expr, alias });
            expr = Arc::new(Column::new(&name, place));
        }
        order.push(PhysicalSortExpr::new(expr, key.options));
    }
    let order = LexOrdering::new(order);
    let order = order.ok_or_else(|| BridgeError::internal("a sort by nothing"))?;
    let below = Arc::new(ProjectionExec::try_new(with_keys, sort.input().clone())?);
    let sorted = plain(order, below, sort);
    Ok(Arc::new(ProjectionExec::try_new(given, sorted)?))
}
