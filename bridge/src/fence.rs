//! What DataFusion's planner would draw wrong conclusions from, kept out of its sight.
//!
//! Terms of filters (`hide_terms`): from `i / 7 = 0` interval arithmetic concludes that i is 0, and
//! it fails for dates and decimals of several scales; `greatest(a, b) = a` makes the planner put
//! one for the other without end. Such a term becomes the argument of same(), see same.rs.
//!
//! Columns with one name: a filter that is pushed down finds the columns of the next plan by name,
//! and so perhaps another one. While filters are pushed down, a fence stands above every plan that
//! has a name twice (`Fenced`).

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::error::Result as DfResult;
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{BinaryExpr, Expr, Filter, LogicalPlan, Operator};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, SendableRecordBatchStream,
};

use crate::one_input::one_input;
use crate::same::same;

/// `plan` with what misleads in its filters hidden.
pub fn hide_terms(plan: LogicalPlan) -> DfResult<LogicalPlan> {
    let hidden = plan.transform_up_with_subqueries(|node| {
        let LogicalPlan::Filter(filter) = node else {
            return Ok(Transformed::no(node));
        };
        let predicate = filter.predicate.transform_down(hide)?;
        let filter = Filter::try_new(predicate.data, filter.input)?;
        Ok(Transformed::new_transformed(
            LogicalPlan::Filter(filter),
            predicate.transformed,
        ))
    })?;
    Ok(hidden.data)
}

fn hide(expr: Expr) -> DfResult<Transformed<Expr>> {
    use Operator::{Divide, Eq, Minus, Modulo, Multiply, Plus};
    let misleads = match &expr {
        Expr::BinaryExpr(BinaryExpr {
            op: Plus | Minus | Multiply | Divide | Modulo,
            ..
        }) => !expr.column_refs().is_empty(),
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Eq,
            right,
        }) => left != right && !left.column_refs().is_disjoint(&right.column_refs()),
        _ => false,
    };
    if !misleads {
        return Ok(Transformed::no(expr));
    }
    Ok(Transformed::new(same(expr), true, TreeNodeRecursion::Jump))
}

/// DataFusion's own rules for physical plans, with fences up while filters are pushed down.
pub fn physical_rules() -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let fenced = |rule: Arc<dyn PhysicalOptimizerRule + Send + Sync>| {
        if rule.name().starts_with("FilterPushdown") {
            return Arc::new(Fenced(rule)) as Arc<dyn PhysicalOptimizerRule + Send + Sync>;
        }
        rule
    };
    let rules = PhysicalOptimizer::new().rules;
    rules.into_iter().map(fenced).collect()
}

#[derive(Debug)]
struct Fenced(Arc<dyn PhysicalOptimizerRule + Send + Sync>);

impl PhysicalOptimizerRule for Fenced {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        let fenced = plan.transform_up(|node| {
            if !has_name_twice(node.as_ref()) {
                return Ok(Transformed::no(node));
            }
            Ok(Transformed::yes(Fence::above(node)))
        })?;
        Fence::open(self.0.optimize(fenced.data, config)?)
    }
    fn name(&self) -> &str {
        self.0.name()
    }
    fn schema_check(&self) -> bool {
        self.0.schema_check()
    }
}

fn has_name_twice(plan: &dyn ExecutionPlan) -> bool {
    let schema = plan.schema();
    let mut seen = HashSet::new();
    !schema
        .fields()
        .iter()
        .all(|field| seen.insert(field.name().as_str()))
}

/// A plan through which nothing is pushed, as that is how plans are unless they say otherwise.
#[derive(Debug)]
pub struct Fence {
    input: Arc<dyn ExecutionPlan>,
    ordered: bool,
    properties: Arc<PlanProperties>,
}

impl Fence {
    pub fn above(input: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
        Arc::new(Fence::new(input, true))
    }

    /// One that does not say in which order its rows come.
    pub fn above_unordered(input: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
        Arc::new(Fence::new(input, false))
    }

    fn new(input: Arc<dyn ExecutionPlan>, ordered: bool) -> Fence {
        let known = input.properties();
        let properties = match ordered {
            true => known.clone(),
            false => Arc::new(PlanProperties::new(
                EquivalenceProperties::new(input.schema()),
                known.output_partitioning().clone(),
                known.emission_type,
                known.boundedness,
            )),
        };
        Fence {
            input,
            ordered,
            properties,
        }
    }

    fn with_input(&self, input: Arc<dyn ExecutionPlan>) -> Fence {
        Fence::new(input, self.ordered)
    }

    /// `plan` without its fences, but those that hide an order: a sort above such a plan would look
    /// at it when it runs, and not sort.
    pub fn open(plan: Arc<dyn ExecutionPlan>) -> DfResult<Arc<dyn ExecutionPlan>> {
        let open = plan.transform_up(|node| {
            let fence = node.downcast_ref::<Fence>().filter(|f| f.ordered);
            let inside = fence.map(|f| f.input.clone());
            Ok(match inside {
                Some(input) => Transformed::yes(input),
                None => Transformed::no(node),
            })
        })?;
        Ok(open.data)
    }
}

impl DisplayAs for Fence {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "Fence")
    }
}

impl ExecutionPlan for Fence {
    one_input!();

    fn name(&self) -> &str {
        "Fence"
    }
    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }
    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }
    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> DfResult<SendableRecordBatchStream> {
        self.input.execute(partition, context)
    }
}
