//! Keys of sorts that become columns.
//!
//!     Sort by abs(a % 7)               Projection without the key
//!                                        Sort by key
//!                                          Projection with abs(a % 7) AS key
//!
//! DataFusion asks an expression what order its values have, and each of its parts for its bounds.
//! Some answer with an error where the bounds of what is in them are not known, as in -(a % 7),
//! abs(length(s)) or a % 7 > 2, and what has just been sorted by such a key then seems not to be. A
//! column is not asked. The same goes for the keys of windows, and for ORDER BY in aggregates.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, DFSchemaRef};
use datafusion::error::Result as DfResult;
use datafusion::execution::SessionState;
use datafusion::logical_expr::expr::Sort as Key;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan, Projection, Sort, Window};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalSortExpr};

/// The plan that is to be run, without keys that are misunderstood.
pub fn as_columns(plan: LogicalPlan, state: &SessionState) -> DfResult<LogicalPlan> {
    let rewritten = plan.transform_up_with_subqueries(|node| {
        Ok(match &node {
            LogicalPlan::Sort(sort) => of_sort(sort, state)?,
            LogicalPlan::Window(window) => of_window(window, state)?,
            LogicalPlan::Aggregate(aggregate) => of_aggregate(aggregate, state)?,
            _ => None,
        }
        .map_or(Transformed::no(node), Transformed::yes))
    })?;
    Ok(rewritten.data)
}

fn of_sort(sort: &Sort, state: &SessionState) -> DfResult<Option<LogicalPlan>> {
    let mut keys = Keys::new(sort.input.schema(), state);
    let mut expr = sort.expr.clone();
    keys.replace_order(&mut expr)?;
    let Some(input) = keys.below(&sort.input)? else {
        return Ok(None);
    };
    let fetch = sort.fetch;
    let sorted = LogicalPlan::Sort(Sort { expr, input, fetch });
    without_keys(sorted, sort.input.schema()).map(Some)
}

fn of_window(window: &Window, state: &SessionState) -> DfResult<Option<LogicalPlan>> {
    let mut keys = Keys::new(window.input.schema(), state);
    let calls = keys.replace_in_calls(&window.window_expr)?;
    let Some(input) = keys.below(&window.input)? else {
        return Ok(None);
    };
    let computed = LogicalPlan::Window(Window::try_new(calls, input)?);
    without_keys(computed, &window.schema).map(Some)
}

fn of_aggregate(aggregate: &Aggregate, state: &SessionState) -> DfResult<Option<LogicalPlan>> {
    let mut keys = Keys::new(aggregate.input.schema(), state);
    let calls = keys.replace_in_calls(&aggregate.aggr_expr)?;
    let Some(input) = keys.below(&aggregate.input)? else {
        return Ok(None);
    };
    let computed = Aggregate::try_new(input, aggregate.group_expr.clone(), calls)?;
    Ok(Some(LogicalPlan::Aggregate(computed)))
}

fn without_keys(plan: LogicalPlan, schema: &DFSchemaRef) -> DfResult<LogicalPlan> {
    let columns = schema.iter().map(Expr::from).collect();
    let projection = Projection::try_new(columns, Arc::new(plan))?;
    Ok(LogicalPlan::Projection(projection))
}

/// Keys over the columns of a schema, and those of them that become columns beside these.
struct Keys<'a> {
    schema: &'a DFSchemaRef,
    state: &'a SessionState,
    columns: Vec<Expr>,
    prefix: &'static str,
}

impl<'a> Keys<'a> {
    fn new(schema: &'a DFSchemaRef, state: &'a SessionState) -> Keys<'a> {
        let mut names = schema.fields().iter().map(|f| f.name());
        let taken = names.any(|name| name.starts_with("key "));
        Keys {
            schema,
            state,
            columns: Vec::new(),
            // The latter no statement can write.
            prefix: if taken { "\u{1}key" } else { "key" },
        }
    }

    fn name_of(&self, place: usize) -> String {
        format!("{} {place}", self.prefix)
    }

    /// The calls of window functions or aggregates, which keep their names.
    fn replace_in_calls(&mut self, calls: &[Expr]) -> DfResult<Vec<Expr>> {
        let replaced = calls.iter().map(|call| {
            let name = NamePreserver::new_for_projection().save(call);
            let mut bare = call.clone().unalias();
            match &mut bare {
                Expr::WindowFunction(call) => {
                    for part in &mut call.params.partition_by {
                        self.replace(part)?;
                    }
                    self.replace_order(&mut call.params.order_by)?;
                }
                Expr::AggregateFunction(call) => self.replace_order(&mut call.params.order_by)?,
                _ => {}
            }
            Ok(name.restore(bare))
        });
        replaced.collect()
    }

    fn replace_order(&mut self, order: &mut [Key]) -> DfResult<()> {
        for key in order {
            self.replace(&mut key.expr)?;
        }
        Ok(())
    }

    fn replace(&mut self, key: &mut Expr) -> DfResult<()> {
        if matches!(key, Expr::Column(_)) || self.is_understood(key)? {
            return Ok(());
        }
        let known = self.columns.iter().position(|column| column == key);
        let place = known.unwrap_or(self.columns.len());
        let column = Expr::Column(Column::new_unqualified(self.name_of(place)));
        let key = std::mem::replace(key, column);
        if known.is_none() {
            self.columns.push(key);
        }
        Ok(())
    }

    /// Whether rows sorted by `key` are known to be so. Rows without columns cannot be sorted.
    fn is_understood(&self, key: &Expr) -> DfResult<bool> {
        if self.schema.fields().is_empty() {
            return Ok(false);
        }
        let Ok(key) = self.state.create_physical_expr(key.clone(), self.schema) else {
            return Ok(true);
        };
        let order = [PhysicalSortExpr::new_default(key)];
        let schema = Arc::new(self.schema.as_arrow().clone());
        let sorted = EquivalenceProperties::new_with_orderings(schema, [order.clone()]);
        sorted.ordering_satisfy(order)
    }

    /// `input` with the new columns; None if there are none.
    fn below(self, input: &Arc<LogicalPlan>) -> DfResult<Option<Arc<LogicalPlan>>> {
        if self.columns.is_empty() {
            return Ok(None);
        }
        let mut columns: Vec<Expr> = self.schema.iter().map(Expr::from).collect();
        let keys = self.columns.iter().enumerate();
        columns.extend(keys.map(|(place, key)| key.clone().alias(self.name_of(place))));
        let projection = Projection::try_new(columns, input.clone())?;
        Ok(Some(Arc::new(LogicalPlan::Projection(projection))))
    }
}
