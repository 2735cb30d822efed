//! Joins of inputs that come in the order of their keys: no hash table, and no sort.
//!
//!     SortMergeJoin on id = customer
//!       OrderedScan customer_pkey: order=[id]
//!       OrderedScan orders_customer_idx: order=[customer]
//!
//! A hash join is faster where its table fits into memory and nobody asks for an order. So there
//! are three occasions:
//!
//! * ORDER BY the keys, most of all with a LIMIT, behind which nothing is read (`in_order`, which
//!   ordered.rs asks);
//! * a table of more rows than all memory holds, which a hash join would find out too late
//!   (`MergeJoins`, while sorts and partitions are not settled);
//! * a sort-merge join that is planned because the hash join did not fit: its keys are put into an
//!   order that an index has (`MergeJoins`), and the sort of that side goes (`without_sorts`).
//!
//! Keys are columns, not of floating point: -0.0 and 0.0 are equal to an index and to a join, but a
//! sort tells them apart. Sort-merge joins by such keys are made by canonical ones.
//!
//! Sort-merge joins themselves need help. Their conditions must name columns of the left side first
//! (`left_first`), and limits and projections that are pushed down through them take away what they
//! need: so a fence stands above each until ordered.rs runs. An outer join with a condition besides
//! its keys does not keep the order that it says it does.

use std::sync::Arc;

use arrow::compute::SortOptions;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{JoinSide, JoinType, NullEquality};
use datafusion::error::Result as DfResult;
use datafusion::execution::memory_pool::{MemoryLimit, MemoryPool};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::joins::utils::JoinFilter;
use datafusion::physical_plan::joins::{HashJoinExec, SortMergeJoinExec};
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};

use crate::canonical;
use crate::error::BridgeError;
use crate::fence::Fence;
use crate::options::{Switch, is_on};
use crate::ordered::{self, Asked};
use crate::sizes::{estimated_rows, row_bytes};

/// Keys of which every order is tried.
const KEYS_MAX: usize = 3;

// What a row costs, in nanoseconds where these were measured: to be put into a hash table, to be
// looked up there, to be merged, to be read by a scan, to be read in the order of an index; to be
// compared with the best so far, and per halving where all are sorted.
const BUILD: f64 = 60.0;
const PROBE: f64 = 60.0;
const MERGE: f64 = 55.0;
const SCAN: f64 = 10.0;
const ORDERED: f64 = 200.0;
const TOP: f64 = 4.0;
const SORT_STEP: f64 = 3.0;

/// What a row takes in a hash table besides its values.
const ENTRY_BYTES: usize = 16;

type Plan = Arc<dyn ExecutionPlan>;

/// The rows of a hash join in the order that is asked for, by merging, if that is cheaper than to
/// sort them.
pub fn in_order(join: &HashJoinExec, asked: &Asked) -> DfResult<Option<Plan>> {
    if !is_on(asked.config, Switch::MergeJoins) {
        return Ok(None);
    }
    let Some(merge) = Merge::of_hash(join)? else {
        return Ok(None);
    };
    let Some(order) = merge.order_of(asked.order, join.projection.as_deref()) else {
        return Ok(None);
    };
    let Some(share) = merge.share_read(join, asked.wanted) else {
        return Ok(None);
    };
    let read = |rows: f64| asked.wanted.map(|_| (rows * share).ceil() as usize);
    let side = |left: bool| {
        let (plan, order) = (merge.input(left), merge.order_of_side(left, &order));
        let wanted = estimated_rows(plan.as_ref()).and_then(|rows| read(rows as f64));
        ordered::in_order(
            plan,
            &Asked {
                order: &order,
                limit: None,
                wanted,
                for_join: true,
                config: asked.config,
            },
        )
    };
    let Some((left, _)) = side(true)? else {
        return Ok(None);
    };
    let Some((right, _)) = side(false)? else {
        return Ok(None);
    };
    let merged = merge.build(&order, left, right)?;
    projected(merged, join).map(Some)
}

/// Takes away the sorts below a sort-merge join that an index spares.
pub fn without_sorts(join: &SortMergeJoinExec, config: &ConfigOptions) -> DfResult<Option<Plan>> {
    if !is_on(config, Switch::MergeJoins) || Merge::of_sorted(join)?.is_none() {
        return Ok(None);
    }
    let left = ordered::without_sort(join.left(), config)?;
    let right = ordered::without_sort(join.right(), config)?;
    if left.is_none() && right.is_none() {
        return Ok(None);
    }
    let left = left.unwrap_or_else(|| join.left().clone());
    let right = right.unwrap_or_else(|| join.right().clone());
    ordered::with_children(&(Arc::new(join.clone()) as Plan), vec![left, right]).map(Some)
}

/// The rule that runs before it is settled which inputs are sorted, and how they are divided.
#[derive(Debug)]
pub struct MergeJoins {
    memory: Arc<dyn MemoryPool>,
}

impl MergeJoins {
    pub fn new(memory: Arc<dyn MemoryPool>) -> MergeJoins {
        MergeJoins { memory }
    }

    /// True if the rows of the side that is kept are more than all memory holds.
    fn outgrows(&self, join: &HashJoinExec) -> bool {
        let MemoryLimit::Finite(memory) = self.memory.memory_limit() else {
            return false;
        };
        let rows = estimated_rows(join.left().as_ref()).unwrap_or(0);
        rows.saturating_mul(row_bytes(&join.left().schema()) + ENTRY_BYTES) > memory
    }

    fn rewritten(&self, node: &Plan, config: &ConfigOptions) -> DfResult<Option<Plan>> {
        let merges = is_on(config, Switch::MergeJoins);
        if let Some(join) = node.downcast_ref::<SortMergeJoinExec>() {
            if let Some(merge) = Merge::of_sorted(join)?.filter(|_| merges)
                && let Some((order, 1..)) = merge.best_order(config)?
            {
                return Ok(Some(fenced(merge.with_inputs(&order)?)));
            }
            return Ok(Some(fenced(repaired(join, config)?)));
        }
        let Some(join) = node.downcast_ref::<HashJoinExec>() else {
            return Ok(None);
        };
        if !merges || !self.outgrows(join) {
            return Ok(None);
        }
        let Some(merge) = Merge::of_hash(join)? else {
            return Ok(None);
        };
        match merge.best_order(config)? {
            Some((order, 2)) => {
                let merged = fenced(merge.with_inputs(&order)?);
                projected(merged, join).map(Some)
            }
            _ => Ok(None),
        }
    }
}

impl PhysicalOptimizerRule for MergeJoins {
    fn optimize(&self, plan: Plan, config: &ConfigOptions) -> DfResult<Plan> {
        let rewritten = plan.transform_up(|node| {
            Ok(match self.rewritten(&node, config)? {
                Some(merged) => Transformed::yes(merged),
                None => Transformed::no(node),
            })
        })?;
        Ok(rewritten.data)
    }
    fn name(&self) -> &str {
        "trefoil_merge_joins"
    }
    fn schema_check(&self) -> bool {
        true
    }
}

/// A join by equal columns, which can be done by merging.
struct Merge {
    left: Plan,
    right: Plan,
    on: Vec<(Column, Column)>,
    filter: Option<JoinFilter>,
    join_type: JoinType,
    null_equality: NullEquality,
}

/// The keys of a join in the order in which they are merged, and what the rows of the side that
/// streams are ordered by besides.
struct KeyOrder {
    keys: Vec<usize>,
    options: Vec<SortOptions>,
    rest: Vec<PhysicalSortExpr>,
}

impl Merge {
    fn of_hash(join: &HashJoinExec) -> DfResult<Option<Merge>> {
        let (left, right) = (join.left().clone(), join.right().clone());
        let on = columns_of(join.on(), &left, &right);
        let Some(on) = on.filter(|_| !join.null_aware && join.fetch().is_none()) else {
            return Ok(None);
        };
        let merge = Merge {
            on,
            left,
            right,
            filter: join.filter().map(left_first).transpose()?,
            join_type: *join.join_type(),
            null_equality: join.null_equality(),
        };
        Ok(merge.is_mergeable().then_some(merge))
    }

    fn of_sorted(join: &SortMergeJoinExec) -> DfResult<Option<Merge>> {
        let (left, right) = (join.left().clone(), join.right().clone());
        let Some(on) = columns_of(join.on(), &left, &right) else {
            return Ok(None);
        };
        let merge = Merge {
            on,
            left,
            right,
            filter: join.filter().as_ref().map(left_first).transpose()?,
            join_type: join.join_type(),
            null_equality: join.null_equality(),
        };
        Ok(merge.is_mergeable().then_some(merge))
    }

    fn is_mergeable(&self) -> bool {
        let known = !matches!(self.join_type, JoinType::LeftMark | JoinType::RightMark);
        let twice = |i: usize| {
            let (left, right) = &self.on[i];
            let others = &self.on[..i];
            others.iter().any(|(l, r)| l == left || r == right)
        };
        known && !(0..self.on.len()).any(twice)
    }

    /// Whether the rows of the join come in the order of its right side; else in that of its left.
    fn streams_right(&self) -> bool {
        use JoinType::{Right, RightAnti, RightSemi};
        matches!(self.join_type, Right | RightSemi | RightAnti)
    }

    fn input(&self, left: bool) -> &Plan {
        if left { &self.left } else { &self.right }
    }

    fn key(&self, left: bool, i: usize) -> &Column {
        let (l, r) = &self.on[i];
        if left { l } else { r }
    }

    /// The order of the keys that gives the rows of the join this order.
    fn order_of(
        &self,
        order: &[PhysicalSortExpr],
        projection: Option<&[usize]>,
    ) -> Option<KeyOrder> {
        if self.join_type == JoinType::Full || loses_order(self.join_type, &self.filter) {
            return None;
        }
        let place = |i: usize| self.streamed(projection.map_or(Some(i), |p| p.get(i).copied())?);
        let order = ordered::moved(order, place)?;
        let left = !self.streams_right();
        let mut found = KeyOrder {
            keys: Vec::new(),
            options: Vec::new(),
            rest: Vec::new(),
        };
        for sort in order {
            let column = sort.expr.downcast_ref::<Column>();
            let key = (0..self.on.len()).find(|i| column == Some(self.key(left, *i)));
            match key {
                Some(key) if found.keys.contains(&key) => {}
                Some(key) => {
                    found.keys.push(key);
                    found.options.push(sort.options);
                }
                None if found.keys.len() < self.on.len() => return None,
                None => found.rest.push(sort),
            }
        }
        let descending = found.options.first()?.descending;
        for key in 0..self.on.len() {
            if !found.keys.contains(&key) {
                found.keys.push(key);
                found.options.push(SortOptions::new(descending, descending));
            }
        }
        Some(found)
    }

    /// The column of the side that streams which stands for a column of the join.
    fn streamed(&self, column: usize) -> Option<Arc<dyn PhysicalExpr>> {
        use JoinType::{Inner, LeftAnti, LeftSemi, RightAnti, RightSemi};
        let width = self.left.schema().fields().len();
        let (left, at) = match self.join_type {
            LeftSemi | LeftAnti => (true, column),
            RightSemi | RightAnti => (false, column),
            _ if column < width => (true, column),
            _ => (false, column - width),
        };
        let streams = !self.streams_right();
        if left == streams {
            let schema = self.input(left).schema();
            return Some(Arc::new(Column::new(schema.fields().get(at)?.name(), at)));
        }
        let mut keys = (0..self.on.len()).filter(|_| self.join_type == Inner);
        let key = keys.find(|i| self.key(left, *i).index() == at)?;
        Some(Arc::new(self.key(streams, key).clone()))
    }

    fn order_of_side(&self, left: bool, order: &KeyOrder) -> Vec<PhysicalSortExpr> {
        let keys = order.keys.iter().zip(&order.options);
        let mut sorts: Vec<PhysicalSortExpr> = keys
            .map(|(key, options)| {
                PhysicalSortExpr::new(Arc::new(self.key(left, *key).clone()), *options)
            })
            .collect();
        if left != self.streams_right() {
            sorts.extend(order.rest.iter().cloned());
        }
        sorts
    }

    /// The share of both sides that is read by merging until `wanted` rows are out; None if a hash
    /// join and a sort are cheaper, or nothing is known.
    fn share_read(&self, join: &HashJoinExec, wanted: Option<usize>) -> Option<f64> {
        let (left, right) = (
            estimated_rows(self.left.as_ref())? as f64,
            estimated_rows(self.right.as_ref())? as f64,
        );
        let streamed = if self.streams_right() { right } else { left };
        let out = estimated_rows(join)
            .map_or(streamed, |rows| rows as f64)
            .max(1.0);
        let share = wanted.map_or(1.0, |n| (n as f64 / out).min(1.0));
        let sort = match wanted {
            Some(n) if (n as f64) < out / 2.0 => TOP,
            _ => SORT_STEP * (out + 2.0).log2(),
        };
        let hashed = left * (SCAN + BUILD) + right * (SCAN + PROBE) + out * sort;
        let merged = (left + right) * (ORDERED + MERGE) * share;
        (merged < hashed).then_some(share)
    }

    /// The order of the keys that indexes of most sides have, and of how many; None if of none.
    fn best_order(&self, config: &ConfigOptions) -> DfResult<Option<(KeyOrder, usize)>> {
        let mut best: Option<(KeyOrder, usize)> = None;
        for keys in orders(self.on.len()) {
            let order = KeyOrder {
                options: vec![SortOptions::new(false, false); keys.len()],
                keys,
                rest: Vec::new(),
            };
            let mut sides = 0;
            for left in [true, false] {
                let asked = Asked {
                    order: &self.order_of_side(left, &order),
                    limit: None,
                    wanted: None,
                    for_join: true,
                    config,
                };
                let input = self.input(left);
                sides += usize::from(ordered::in_order(input, &asked)?.is_some());
            }
            if best.as_ref().is_none_or(|(_, most)| sides > *most) {
                best = Some((order, sides));
            }
        }
        Ok(best)
    }

    fn with_inputs(&self, order: &KeyOrder) -> DfResult<Arc<SortMergeJoinExec>> {
        self.build(order, self.left.clone(), self.right.clone())
    }

    fn build(&self, order: &KeyOrder, left: Plan, right: Plan) -> DfResult<Arc<SortMergeJoinExec>> {
        let on = order.keys.iter().map(|key| {
            let (l, r) = &self.on[*key];
            (Arc::new(l.clone()) as _, Arc::new(r.clone()) as _)
        });
        Ok(Arc::new(SortMergeJoinExec::try_new(
            left,
            right,
            on.collect(),
            self.filter.clone(),
            self.join_type,
            order.options.clone(),
            self.null_equality,
        )?))
    }
}

/// The same join as it should have been planned: by numbers that a sort takes for equal where the
/// join does, and with the columns of its condition in order.
fn repaired(join: &SortMergeJoinExec, config: &ConfigOptions) -> DfResult<Arc<SortMergeJoinExec>> {
    let (left, right) = (join.left(), join.right());
    let key = |key: &Arc<dyn PhysicalExpr>, side: &Plan| {
        let schema = side.schema();
        match key.data_type(&schema)?.is_floating() {
            true => canonical::physical(key.clone(), &schema, config),
            false => Ok(key.clone()),
        }
    };
    let on = join
        .on()
        .iter()
        .map(|(l, r)| Ok((key(l, left)?, key(r, right)?)));
    Ok(Arc::new(SortMergeJoinExec::try_new(
        left.clone(),
        right.clone(),
        on.collect::<DfResult<_>>()?,
        join.filter().as_ref().map(left_first).transpose()?,
        join.join_type(),
        join.sort_options().to_vec(),
        join.null_equality(),
    )?))
}

fn fenced(join: Arc<SortMergeJoinExec>) -> Plan {
    match loses_order(join.join_type(), join.filter()) {
        true => Fence::above_unordered(join),
        false => Fence::above(join),
    }
}

/// Rows without a partner come late where there is a condition besides the keys.
fn loses_order(join_type: JoinType, filter: &Option<JoinFilter>) -> bool {
    let outer = matches!(join_type, JoinType::Left | JoinType::Right);
    outer && filter.is_some()
}

/// The same condition over the columns of the left side and then those of the right. A sort-merge
/// join hands them over so, whatever the condition says.
fn left_first(filter: &JoinFilter) -> DfResult<JoinFilter> {
    let sides = filter.column_indices();
    let mut order: Vec<usize> = (0..sides.len()).collect();
    order.sort_by_key(|i| sides[*i].side == JoinSide::Right);
    let moved = filter.expression().clone().transform_down(|e| {
        let Some(column) = e.downcast_ref::<Column>() else {
            return Ok(Transformed::no(e));
        };
        let place = order.iter().position(|i| *i == column.index());
        let place = place.ok_or_else(|| BridgeError::internal("a condition of no column"))?;
        Ok(Transformed::yes(
            Arc::new(Column::new(column.name(), place)) as _,
        ))
    })?;
    let schema = filter.schema().project(&order)?;
    let sides = order.iter().map(|i| sides[*i].clone()).collect();
    Ok(JoinFilter::new(moved.data, sides, Arc::new(schema)))
}

/// The keys as pairs of columns of one type that an index and a sort order alike.
fn columns_of(
    on: &[(Arc<dyn PhysicalExpr>, Arc<dyn PhysicalExpr>)],
    left: &Plan,
    right: &Plan,
) -> Option<Vec<(Column, Column)>> {
    let (left, right) = (left.schema(), right.schema());
    on.iter()
        .map(|(l, r)| {
            let (l, r) = (l.downcast_ref::<Column>()?, r.downcast_ref::<Column>()?);
            let of = left.field(l.index()).data_type();
            let same = of == right.field(r.index()).data_type() && !of.is_floating();
            same.then(|| (l.clone(), r.clone()))
        })
        .collect()
}

/// What `join` gives, of the same rows by merging.
fn projected(merged: Plan, join: &HashJoinExec) -> DfResult<Plan> {
    let Some(projection) = &join.projection else {
        return Ok(merged);
    };
    let schema = merged.schema();
    let columns = projection.iter().map(|i| {
        let name = schema.field(*i).name();
        ProjectionExpr {
            expr: Arc::new(Column::new(name, *i)),
            alias: name.clone(),
        }
    });
    let columns: Vec<ProjectionExpr> = columns.collect();
    Ok(Arc::new(ProjectionExec::try_new(columns, merged)?))
}

/// The orders of `n` things: all of a few, else the one that they have.
fn orders(n: usize) -> Vec<Vec<usize>> {
    if n > KEYS_MAX {
        return vec![(0..n).collect()];
    }
    let mut all = vec![Vec::new()];
    for _ in 0..n {
        let longer = |order: &Vec<usize>| {
            let order = order.clone();
            let others = (0..n).filter(|i| !order.contains(i)).collect::<Vec<_>>();
            let with = |i: usize| order.iter().copied().chain([i]).collect::<Vec<_>>();
            others.into_iter().map(with).collect::<Vec<_>>()
        };
        all = all.iter().flat_map(longer).collect();
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_order_of_a_few_keys_is_tried_the_written_one_first() {
        assert_eq!(orders(1), [[0]]);
        let three = orders(3);
        assert_eq!(three.len(), 6);
        assert_eq!(three[0], [0, 1, 2]);
        assert!(three.contains(&vec![2, 0, 1]));
        assert_eq!(orders(5), [[0, 1, 2, 3, 4]]);
    }
}
