//! ORDER BY without a sort, and sorts of fewer columns: what a sort over a scan becomes.
//!
//!     Sort(fetch) over [Projection, Filter] over a scan
//!
//! If an index of the table has the order, and C++ says that reading it so is cheaper, the scan
//! reads in that order and the sort goes; where all conditions are the scan's own, it stops by
//! itself after so many rows. The order may be that of an expression which an index is over. Else,
//! if only the first rows are wanted, the sort may do with the columns that it compares, and the
//! others are fetched for the winners (`fetch.rs`).
//!
//! Runs late, when it is settled which sorts run in parallel.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::error::Result as DfResult;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::limit::GlobalLimitExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, ExecutionPlan, Partitioning, ReplaceChildrenOptions,
};

use crate::fetch;
use crate::leaf::LeafExec;

/// A filter that the scan cannot apply is taken to keep one row in so many.
const FILTER_KEEPS: usize = 4;

/// `rules` with this one among them.
pub fn physical_rules(mut rules: Rules) -> Rules {
    let before = rules.iter().position(|r| r.name() == "PushdownSort");
    rules.insert(before.unwrap_or(rules.len()), Arc::new(OrderedScans));
    rules
}

type Rules = Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>>;

#[derive(Debug)]
struct OrderedScans;

impl PhysicalOptimizerRule for OrderedScans {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        let rewritten = plan.transform_down(|node| {
            let Some(sort) = Sort::of(&node) else {
                return Ok(Transformed::no(node));
            };
            if let Some(ordered) = sort.by_index()? {
                return Ok(Transformed::yes(ordered));
            }
            Ok(match fetch::late(&sort, config)? {
                Some(late) => Transformed::new(late, true, TreeNodeRecursion::Jump),
                None => Transformed::no(node),
            })
        })?;
        Ok(rewritten.data)
    }
    fn name(&self) -> &str {
        "trefoil_ordered_scans"
    }
    fn schema_check(&self) -> bool {
        true
    }
}

/// A sort of everything below it into one stream.
pub struct Sort {
    pub order: Vec<PhysicalSortExpr>,
    pub fetch: Option<usize>,
    pub input: Arc<dyn ExecutionPlan>,
}

impl Sort {
    fn of(node: &Arc<dyn ExecutionPlan>) -> Option<Sort> {
        let (sort, parallel) = match node.downcast_ref::<SortPreservingMergeExec>() {
            Some(merge) => {
                let sort = merge.input().downcast_ref::<SortExec>()?;
                if merge.fetch() != sort.fetch() || merge.expr() != sort.expr() {
                    return None;
                }
                (sort, true)
            }
            None => (node.downcast_ref::<SortExec>()?, false),
        };
        (sort.preserve_partitioning() == parallel).then(|| Sort {
            order: sort.expr().iter().cloned().collect(),
            fetch: sort.fetch(),
            input: sort.input().clone(),
        })
    }

    fn by_index(&self) -> DfResult<Option<Arc<dyn ExecutionPlan>>> {
        let ordered = in_order(&self.input, &self.order, self.fetch, self.fetch)?;
        let Some((plan, limited)) = ordered else {
            return Ok(None);
        };
        Ok(Some(match self.fetch {
            Some(fetch) if !limited => Arc::new(GlobalLimitExec::new(plan, 0, Some(fetch))),
            _ => plan,
        }))
    }
}

/// The same rows in this order by way of an index, if that is cheaper; and whether there are at
/// most `limit` of them.
fn in_order(
    node: &Arc<dyn ExecutionPlan>,
    order: &[PhysicalSortExpr],
    limit: Option<usize>,
    wanted: Option<usize>,
) -> DfResult<Option<(Arc<dyn ExecutionPlan>, bool)>> {
    if let Some(leaf) = node.downcast_ref::<LeafExec>() {
        if !leaf.is_free() {
            return Ok(None);
        }
        let leaf = leaf.in_order(order, limit, wanted)?;
        return Ok(leaf.map(|leaf| (Arc::new(leaf) as Arc<dyn ExecutionPlan>, limit.is_some())));
    }
    if let Some(child) = spread(node) {
        return in_order(child, order, limit, wanted);
    }
    if let Some(projection) = node.downcast_ref::<ProjectionExec>() {
        let place = |i: usize| Some(projection.expr().get(i)?.expr.clone());
        let Some(order) = moved(order, place) else {
            return Ok(None);
        };
        let below = in_order(projection.input(), &order, limit, wanted)?;
        return below
            .map(|(b, limited)| Ok((with_child(node, b)?, limited)))
            .transpose();
    }
    if let Some(filter) = node.downcast_ref::<FilterExec>() {
        let schema = filter.input().schema();
        let place = |i: usize| {
            let below = filter.projection().as_ref().map_or(i, |p| p[i]);
            let column = Column::new(schema.field(below).name(), below);
            Some(Arc::new(column) as Arc<dyn PhysicalExpr>)
        };
        let (Some(order), None) = (moved(order, place), filter.fetch()) else {
            return Ok(None);
        };
        let wanted = wanted.map(|n| n.saturating_mul(FILTER_KEEPS));
        let below = in_order(filter.input(), &order, None, wanted)?;
        return below
            .map(|(b, _)| Ok((with_child(node, b)?, false)))
            .transpose();
    }
    Ok(None)
}

/// The child of a node that only spreads rows over threads, or brings them together.
pub fn spread(node: &Arc<dyn ExecutionPlan>) -> Option<&Arc<dyn ExecutionPlan>> {
    if let Some(repartition) = node.downcast_ref::<RepartitionExec>() {
        let even = matches!(repartition.partitioning(), Partitioning::RoundRobinBatch(_));
        return even.then(|| repartition.input());
    }
    let together = node.downcast_ref::<CoalescePartitionsExec>()?;
    together.fetch().is_none().then(|| together.input())
}

fn with_child(
    node: &Arc<dyn ExecutionPlan>,
    child: Arc<dyn ExecutionPlan>,
) -> DfResult<Arc<dyn ExecutionPlan>> {
    let recompute = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
    node.clone().replace_children(vec![child], recompute)
}

/// The order in terms of the columns below, of which `place` says what stands for each.
fn moved(
    order: &[PhysicalSortExpr],
    place: impl Fn(usize) -> Option<Arc<dyn PhysicalExpr>>,
) -> Option<Vec<PhysicalSortExpr>> {
    let one = |sort: &PhysicalSortExpr| {
        let mut known = true;
        let expr = sort.expr.clone().transform_down(|e| {
            let Some(column) = e.downcast_ref::<Column>() else {
                return Ok(Transformed::no(e));
            };
            let below = place(column.index());
            known &= below.is_some();
            Ok(Transformed::new(
                below.unwrap_or(e),
                true,
                TreeNodeRecursion::Jump,
            ))
        });
        let expr = expr.ok()?.data;
        known.then(|| PhysicalSortExpr::new(expr, sort.options))
    };
    order.iter().map(one).collect()
}
