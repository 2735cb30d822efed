//! ORDER BY without a sort, and sorts of fewer columns: what a sort over a scan becomes.
//!
//!     Sort(fetch) over [Projection, Filter] over a scan
//!
//! If an index of the table has the order, and C++ says that reading it so is cheaper, the scan
//! reads in that order and the sort goes; where all conditions are the scan's own, it stops by
//! itself after so many rows. The order may be that of an expression which an index is over. Else,
//! if only the first rows are wanted, the sort may do with the columns that it compares, and the
//! others are fetched for the winners (`fetch.rs`). A join below the sort whose both sides have an
//! index on their keys may be a merge of these (`merge_join.rs`), which needs no sort either.
//!
//! Runs late, when it is settled which sorts run in parallel.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::error::Result as DfResult;
use datafusion::execution::memory_pool::MemoryPool;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::{HashJoinExec, SortMergeJoinExec};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::{ChildrenPropertiesMode, ExecutionPlan, ReplaceChildrenOptions};

use crate::fence::Fence;
use crate::fetch;
use crate::first_rows::FirstRows;
use crate::leaf::LeafExec;
use crate::merge_join::{self, MergeJoins};

/// A filter that the scan cannot apply is taken to keep one row in so many.
const FILTER_KEEPS: usize = 4;

/// `rules` with those about order among them.
pub fn physical_rules(mut rules: Rules, memory: Arc<dyn MemoryPool>) -> Rules {
    let before = rules.iter().position(|r| r.name() == "PushdownSort");
    rules.insert(before.unwrap_or(rules.len()), Arc::new(OrderedScans));
    let before = rules.iter().position(|r| r.name() == "EnsureRequirements");
    let joins = MergeJoins::new(memory);
    rules.insert(before.unwrap_or(0), Arc::new(joins));
    rules
}

type Plan = Arc<dyn ExecutionPlan>;
type Rules = Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>>;

#[derive(Debug)]
struct OrderedScans;

impl PhysicalOptimizerRule for OrderedScans {
    fn optimize(&self, plan: Plan, config: &ConfigOptions) -> DfResult<Plan> {
        let rewritten = Fence::open(plan)?.transform_down(|node| {
            if let Some(join) = node.downcast_ref::<SortMergeJoinExec>() {
                return Ok(match merge_join::without_sorts(join, config)? {
                    Some(merged) => Transformed::yes(merged),
                    None => Transformed::no(node),
                });
            }
            let Some(sort) = Sort::of(&node) else {
                return Ok(Transformed::no(node));
            };
            if let Some(ordered) = sort.by_index(config, false)? {
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
    pub input: Plan,
}

impl Sort {
    fn of(node: &Plan) -> Option<Sort> {
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

    fn by_index(&self, config: &ConfigOptions, for_join: bool) -> DfResult<Option<Plan>> {
        let asked = Asked {
            order: &self.order,
            limit: self.fetch,
            wanted: self.fetch,
            for_join,
            config,
        };
        let Some((plan, limited)) = in_order(&self.input, &asked)? else {
            return Ok(None);
        };
        Ok(Some(match self.fetch {
            Some(fetch) if !limited => Arc::new(FirstRows::new(plan, fetch)),
            _ => plan,
        }))
    }
}

/// One side of a merge join without the sort below it, if an index spares that.
pub fn without_sort(node: &Plan, config: &ConfigOptions) -> DfResult<Option<Plan>> {
    if let Some(sort) = Sort::of(node) {
        return sort.by_index(config, true);
    }
    // A sort of each part of what was divided by the keys: of one input the parts keep its order.
    let Some(sort) = node.downcast_ref::<SortExec>() else {
        return Ok(None);
    };
    let divided = sort.input().downcast_ref::<RepartitionExec>();
    let Some(divided) = divided.filter(|_| sort.fetch().is_none()) else {
        return Ok(None);
    };
    let order: Vec<PhysicalSortExpr> = sort.expr().iter().cloned().collect();
    let asked = Asked {
        order: &order,
        limit: None,
        wanted: None,
        for_join: true,
        config,
    };
    let below = in_order(divided.input(), &asked)?;
    below
        .map(|(below, _)| with_children(sort.input(), vec![below]))
        .transpose()
}

/// What is asked of a plan.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    pub order: &'a [PhysicalSortExpr],
    /// Only the first rows in this order; and how many will be read.
    pub limit: Option<usize>,
    pub wanted: Option<usize>,
    /// Who reads is a merge join.
    pub for_join: bool,
    pub config: &'a ConfigOptions,
}

/// The same rows in one stream in the order that is asked for by way of an index, if that is
/// cheaper; and whether there are at most `limit` of them.
pub fn in_order(node: &Plan, asked: &Asked) -> DfResult<Option<(Plan, bool)>> {
    if let Some(leaf) = node.downcast_ref::<LeafExec>() {
        if !leaf.is_free() {
            return Ok(None);
        }
        let leaf = leaf.in_order(asked)?;
        return Ok(leaf.map(|leaf| (Arc::new(leaf) as Plan, asked.limit.is_some())));
    }
    if let Some(child) = spread(node) {
        return in_order(child, asked);
    }
    if let Some(projection) = node.downcast_ref::<ProjectionExec>() {
        let place = |i: usize| Some(projection.expr().get(i)?.expr.clone());
        let Some(order) = moved(asked.order, place) else {
            return Ok(None);
        };
        let order = &order;
        let below = in_order(projection.input(), &Asked { order, ..*asked })?;
        return below
            .map(|(b, limited)| Ok((with_children(node, vec![b])?, limited)))
            .transpose();
    }
    if let Some(filter) = node.downcast_ref::<FilterExec>() {
        let schema = filter.input().schema();
        let place = |i: usize| {
            let below = filter.projection().as_ref().map_or(i, |p| p[i]);
            let column = Column::new(schema.field(below).name(), below);
            Some(Arc::new(column) as Arc<dyn PhysicalExpr>)
        };
        let (Some(order), None) = (moved(asked.order, place), filter.fetch()) else {
            return Ok(None);
        };
        let below = Asked {
            order: &order,
            limit: None,
            wanted: asked.wanted.map(|n| n.saturating_mul(FILTER_KEEPS)),
            ..*asked
        };
        return in_order(filter.input(), &below)?
            .map(|(b, _)| Ok((with_children(node, vec![b])?, false)))
            .transpose();
    }
    if let Some(join) = node.downcast_ref::<HashJoinExec>() {
        let merged = merge_join::in_order(join, asked)?;
        return Ok(merged.map(|plan| (plan, false)));
    }
    Ok(None)
}

/// The child of a node that only spreads rows over threads, or brings them together.
pub fn spread(node: &Plan) -> Option<&Plan> {
    if let Some(repartition) = node.downcast_ref::<RepartitionExec>() {
        return Some(repartition.input());
    }
    let together = node.downcast_ref::<CoalescePartitionsExec>()?;
    together.fetch().is_none().then(|| together.input())
}

pub fn with_children(node: &Plan, children: Vec<Plan>) -> DfResult<Plan> {
    let recompute = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
    node.clone().replace_children(children, recompute)
}

/// The order in terms of the columns below, of which `place` says what stands for each.
pub fn moved(
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
