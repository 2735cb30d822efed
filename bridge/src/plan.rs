//! A planned statement: what can be run many times, each time with the catalog of the moment.
//!
//! The logical plan is analysed and optimised once. Its tables are names (`provider.rs`);
//! parameters stay in it as placeholders until it runs. A plan that asks for the time (now(),
//! current_date) is optimised again for every run, because the optimiser puts the time in as a
//! constant.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::datasource::source_as_provider;
use datafusion::error::Result as DfResult;
use datafusion::execution::SessionState;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, ScalarUDF, Volatility};
use datafusion::sql::planner::PlannerContext;
use datafusion::sql::sqlparser::ast::{Query, Statement as Ast};

use crate::access_query;
use crate::bytes::{Reader, Writer};
use crate::catalog::Run;
use crate::change::{Change, Ready};
use crate::convert::{assign_scalar, assignment, is_ours};
use crate::copy;
use crate::dependent;
use crate::dml::{Dml, parse_expression};
use crate::error::{BridgeError, Res};
use crate::filters::parameter_index;
use crate::join_order::reorder;
use crate::locked_parts::{self, Locking, outside};
use crate::names;
use crate::parse::{Kind, Name, Statement};
use crate::parse_change::has_changes;
use crate::planner::Planner;
use crate::provider::Provider;
use crate::row_locks::Bound;
use crate::rules;
use crate::sequence_functions;
use crate::statement_format::{conflict, data_type, name};
use crate::types::storage_type;
use crate::value::read_value;

pub struct Plan {
    /// None for a query.
    pub change: Option<Change>,
    /// A query inside of the statement that locks what it reads.
    pub locking: Option<Locking>,
    pub logical: LogicalPlan,
    pub schema: SchemaRef,
    pub parameters: Vec<Option<DataType>>,
    pub access: Option<Vec<u8>>,
    pub tables: Vec<String>,
    pub names: Vec<names::Item>,
    /// Calls functions that must know the run.
    pub uses_sequences: bool,
    /// Set if the plan asks for the time: the plan before it was optimised.
    timely: Option<LogicalPlan>,
    /// Of INSERT ... ON CONFLICT DO UPDATE: what happens to the rows that are there; then the
    /// data-changing parts of WITH.
    pub children: Vec<Plan>,
}

/// Plans a statement against the catalog of `run`, of which nothing stays in the plan.
pub fn plan(state: &Arc<SessionState>, statement: &Statement, run: &Arc<Run>) -> Res<Plan> {
    let planner = Planner::new(state, run);
    let result = plan_with(&planner, state, statement);
    planner.end();
    result.map_err(|e| statement.text.locate(e))
}

fn plan_with(planner: &Planner, state: &SessionState, statement: &Statement) -> Res<Plan> {
    let dml = Dml {
        planner,
        state,
        text: &statement.text,
        parts: RefCell::default(),
    };
    let locked = locking_plans(planner, state, statement)?;
    let mut plan = match &statement.kind {
        Kind::Query(query) if has_changes(&query.with) => {
            let mut query = query.clone();
            let context = dml.context(&query.with.take())?;
            let logical = dml.query(query, &context)?;
            Plan::new(state, logical, None, statement.names.clone())?
        }
        Kind::Query(query) => {
            let logical = plan_query(planner, query.clone())?;
            Plan::new(state, logical, None, statement.names.clone())?
        }
        Kind::CreateView(view) => {
            let logical = plan_query(planner, view.query.clone())?;
            Plan::new(state, logical, None, statement.names.clone())?
        }
        Kind::CreateTableAs(table) => {
            let logical = storable(planner, state, table.query.clone())?;
            Plan::new(state, logical, None, statement.names.clone())?
        }
        Kind::CopyTo(copy) => {
            let logical = plan_query(planner, copy::source(planner, copy)?)?;
            Plan::new(state, logical, None, statement.names.clone())?
        }
        Kind::Insert(_, with, ..)
        | Kind::Update(_, with, _)
        | Kind::Delete(_, with, _)
        | Kind::Merge(_, with, _) => {
            let context = dml.context(with)?;
            let mut plan = dml.part(&statement.kind, &context)?;
            if let Some(change) = plan.change.as_mut()
                && (with.is_some() || !locked.is_empty())
            {
                change.direct = None;
            }
            plan
        }
        _ => return Err(BridgeError::internal("this statement has no plan")),
    };
    plan.tables
        .extend(locked.iter().flat_map(|p| p.tables.clone()));
    plan.children.extend(locked);
    plan.children.extend(dml.parts.take());
    if !plan.children.is_empty() {
        plan.access = None;
    }
    plan.tables.extend(planner.views());
    let mut parameters = plan.all_parameters();
    let own = [&statement.locks.limit, &statement.locks.offset];
    let inside = statement.locked.iter().flat_map(|part| part.bounds());
    for bound in own.into_iter().chain(inside) {
        if let Some(Bound::Parameter(n)) = bound {
            let count = parameters.len().max(*n as usize + 1);
            parameters.resize(count, None);
            parameters[*n as usize].get_or_insert(DataType::Int64);
        }
    }
    plan.share_parameters(&parameters);
    Ok(plan)
}

/// Of the queries inside of the statement that lock what they read.
fn locking_plans(planner: &Planner, state: &SessionState, statement: &Statement) -> Res<Vec<Plan>> {
    let mut plans = Vec::new();
    for part in &statement.locked {
        let logical = plan_query(planner, part.query.clone()).map_err(outside)?;
        let mut plan = Plan::new(state, logical, None, part.names.clone())?;
        planner.add_given(part.ready(&mut plan)?);
        plans.push(plan);
    }
    Ok(plans)
}

pub fn plan_query(planner: &Planner, query: Box<Query>) -> Res<LogicalPlan> {
    Ok(planner
        .sql()
        .sql_statement_to_plan_with_context(Ast::Query(query), &mut PlannerContext::new())?)
}

/// The query of CREATE TABLE AS: its columns are of types that tables have.
fn storable(planner: &Planner, state: &SessionState, query: Box<Query>) -> Res<LogicalPlan> {
    let plan = plan_query(planner, query)?;
    let plan = state
        .analyzer()
        .execute_and_check(plan, state.config_options(), |_, _| {})?;
    let schema = plan.schema().clone();
    let mut columns = Vec::new();
    for (qualifier, field) in schema.iter() {
        let column = Expr::Column((qualifier, field).into());
        let to = storage_type(field.data_type());
        columns.push(assignment(column, &schema, &to, field.name())?.alias(field.name()));
    }
    Ok(LogicalPlanBuilder::from(plan).project(columns)?.build()?)
}

fn optimise(state: &SessionState, plan: &LogicalPlan, timely: bool) -> Res<LogicalPlan> {
    let mut now;
    let mut state = state;
    if timely {
        now = state.clone();
        now.mark_start_execution();
        state = &now;
    }
    // DataFusion's joins for subqueries are the better ones, so it goes first.
    let first = match dependent::is_beyond_datafusion(plan) {
        true => None,
        false => Some(state.optimize(plan)),
    };
    let optimised = match first {
        Some(Ok(optimised)) if !dependent::has_subqueries(&optimised) => optimised,
        Some(Err(error)) if !dependent::has_subqueries(plan) => return Err(error.into()),
        _ => state.optimize(&dependent::to_joins(plan)?)?,
    };
    let optimised = rules::null_safe_keys(optimised, state)?;
    Ok(reorder(state, optimised)?)
}

impl Plan {
    fn new(
        state: &SessionState,
        logical: LogicalPlan,
        change: Option<Change>,
        names: Vec<names::Item>,
    ) -> Res<Plan> {
        let parameters = parameters_of(&logical)?;
        let tables = tables_of(&logical)?;
        let timely = asks_for_time(&logical)?.then(|| logical.clone());
        let uses_sequences = calls(&logical, |f| sequence_functions::is_one(f))?;
        let optimised = optimise(state, &logical, timely.is_some())?;
        let access = match (&change, &timely) {
            (None, None) => access_query::describe(&optimised),
            _ => None,
        };
        Ok(Plan {
            change,
            locking: None,
            schema: Arc::new(names::rename(optimised.schema().as_arrow(), &names)),
            names,
            logical: optimised,
            parameters,
            access,
            tables,
            uses_sequences,
            timely,
            children: Vec::new(),
        })
    }

    pub fn of_change(
        state: &SessionState,
        title: &'static str,
        table: &Name,
        ready: Ready,
    ) -> Res<Plan> {
        let names = ready.shape.names();
        let change = Change {
            title,
            table: table.clone(),
            shape: ready.shape,
            direct: ready.direct,
            conflict: None,
            given: String::new(),
        };
        Plan::new(state, ready.plan, Some(change), names)
    }

    /// The statement has one list of parameters, whichever of its parts uses them.
    fn all_parameters(&self) -> Vec<Option<DataType>> {
        let mut all = self.parameters.clone();
        for child in &self.children {
            let others = child.all_parameters();
            all.resize(all.len().max(others.len()), None);
            for (mine, other) in all.iter_mut().zip(others) {
                *mine = mine.take().or(other);
            }
        }
        all
    }

    fn share_parameters(&mut self, all: &[Option<DataType>]) {
        self.parameters = all.to_vec();
        for child in &mut self.children {
            child.share_parameters(all);
        }
    }

    /// The logical plan for one run: with values for its parameters and, if it asks for it, the
    /// time.
    pub fn bound(
        &self,
        state: &SessionState,
        run: &Arc<Run>,
        parameters: &[u8],
    ) -> Res<LogicalPlan> {
        let plan = self.with_values(state, run, parameters)?;
        match self.uses_sequences {
            true => sequence_functions::bind(plan, Some(run)),
            false => Ok(plan),
        }
    }

    fn with_values(
        &self,
        state: &SessionState,
        run: &Arc<Run>,
        parameters: &[u8],
    ) -> Res<LogicalPlan> {
        let mut reader = Reader::new(parameters);
        let values = reader.list(read_value)?;
        reader.end()?;
        let logical = match &self.timely {
            Some(plan) => optimise_again(state, plan, run)?,
            None => self.logical.clone(),
        };
        if values.len() != self.parameters.len() {
            return Err(BridgeError::new(
                "08P01",
                format!(
                    "the statement has {} parameters, but {} values were given",
                    self.parameters.len(),
                    values.len()
                ),
            ));
        }
        if values.is_empty() {
            return Ok(logical);
        }
        let mut typed = Vec::with_capacity(values.len());
        for (i, (value, to)) in values.iter().zip(&self.parameters).enumerate() {
            typed.push(match to {
                Some(to) => assign_scalar(value, to).map_err(|e| in_parameter(e, i))?,
                None => value.clone(),
            });
        }
        fold_casts(logical.with_param_values(typed)?)
    }

    /// What the optimised plan says, with the filters as the tables of `run` understand them.
    pub fn logical_text(&self, logical: &LogicalPlan, run: &Arc<Run>) -> Res<String> {
        with_tables(logical, run, || Ok(logical.display_indent().to_string()))
    }

    /// "plan" of bridge.h.
    pub fn describe(&self) -> Vec<u8> {
        let mut w = Writer::default();
        w.list(&self.parameters, |w, t| w.opt(t, data_type));
        w.opt(&self.access, |w, bytes| w.out.extend_from_slice(bytes));
        w.list(&self.tables, |w, table| w.str(table));
        w.opt(&self.change, |w, change| {
            w.bool(change.shape.action);
            w.bool(change.shape.row_id);
            w.u32(change.shape.columns as u32);
            w.list(&change.shape.checks, |w, name| w.str(name));
            w.bool(change.shape.returning.is_some());
            w.opt(&change.direct, |w, bytes| w.out.extend_from_slice(bytes));
            w.u8(match change.title {
                "Insert" => 0,
                "Update" => 1,
                "Delete" => 2,
                _ => 3,
            });
            name(w, &change.table);
            w.opt(&change.conflict, conflict);
            w.str(&change.given);
        });
        w.opt(&self.locking, locked_parts::write);
        w.out
    }
}

fn in_parameter(mut error: Box<BridgeError>, index: usize) -> Box<BridgeError> {
    if error.detail.is_empty() {
        error.detail = format!("this is the value of parameter ${}", index + 1);
    }
    error
}

// CAST($1 AS BIGINT) with a value in it is that value.
fn fold_casts(plan: LogicalPlan) -> Res<LogicalPlan> {
    let folded = plan.transform_up_with_subqueries(|node| {
        let names = NamePreserver::new(&node);
        node.map_expressions(|expr| {
            let name = names.save(&expr);
            let folded = expr.transform_up(|e| match e {
                Expr::Cast(c) => match (c.expr.as_ref(), c.field.data_type()) {
                    (Expr::Literal(value, _), to) if !is_ours(&value.data_type(), to) => {
                        Ok(Transformed::yes(Expr::Literal(value.cast_to(to)?, None)))
                    }
                    _ => Ok(Transformed::no(Expr::Cast(c))),
                },
                other => Ok(Transformed::no(other)),
            })?;
            Ok(if folded.transformed {
                folded.update_data(|e| name.restore(e))
            } else {
                folded
            })
        })
    })?;
    Ok(folded.data)
}

fn optimise_again(state: &SessionState, plan: &LogicalPlan, run: &Arc<Run>) -> Res<LogicalPlan> {
    with_tables(plan, run, || optimise(state, plan, true))
}

/// Does `work` while the providers of `plan` know the tables of `run`.
fn with_tables<T>(plan: &LogicalPlan, run: &Arc<Run>, work: impl FnOnce() -> Res<T>) -> Res<T> {
    let sources = providers_of(plan)?;
    let providers: Vec<&Provider> = sources
        .iter()
        .filter_map(|source| source.downcast_ref::<Provider>())
        .collect();
    let begun = providers.iter().try_for_each(|p| p.begin_planning(run));
    let result = begun.and_then(|()| work());
    for provider in providers {
        provider.end_planning();
    }
    result
}

fn providers_of(plan: &LogicalPlan) -> Res<Vec<Arc<dyn datafusion::catalog::TableProvider>>> {
    let mut found = Vec::new();
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            found.extend(source_as_provider(&scan.source).ok());
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

fn tables_of(plan: &LogicalPlan) -> Res<Vec<String>> {
    let names: BTreeSet<String> = providers_of(plan)?
        .iter()
        .filter_map(|p| p.downcast_ref::<Provider>())
        .filter(|p| !p.is_given())
        .map(|p| p.name.clone())
        .collect();
    Ok(names.into_iter().collect())
}

fn parameters_of(plan: &LogicalPlan) -> Res<Vec<Option<DataType>>> {
    let mut found: Vec<Option<DataType>> = Vec::new();
    let mut add = |id: &str, data_type: Option<DataType>| {
        if let Some(index) = parameter_index(id) {
            let index = index as usize;
            if found.len() <= index {
                found.resize(index + 1, None);
            }
            found[index] = found[index].take().or(data_type);
        }
    };
    for (id, field) in plan.get_parameter_fields()? {
        let known = field.map(|f| f.data_type().clone());
        add(&id, known.filter(|t| !t.is_null()));
    }
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|e| {
                if let Expr::Cast(c) = e
                    && let Expr::Placeholder(p) = c.expr.as_ref()
                {
                    add(&p.id, Some(c.field.data_type().clone()));
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })?;
        if let LogicalPlan::Limit(limit) = node {
            for bound in [&limit.skip, &limit.fetch].into_iter().flatten() {
                if let Expr::Placeholder(p) = bound.as_ref() {
                    add(&p.id, Some(DataType::Int64));
                }
            }
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

fn asks_for_time(plan: &LogicalPlan) -> Res<bool> {
    calls(plan, |f| f.signature().volatility == Volatility::Stable)
}

/// True if the plan calls a function such as this.
fn calls(plan: &LogicalPlan, wanted: impl Fn(&ScalarUDF) -> bool) -> Res<bool> {
    let mut found = false;
    let in_expr = |expr: &Expr| -> DfResult<bool> {
        expr.exists(|e| Ok(matches!(e, Expr::ScalarFunction(f) if wanted(&f.func))))
    };
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            found |= in_expr(expr)?;
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

/// The plan of one constant expression, as the only column of one row.
pub fn plan_expression(
    state: &Arc<SessionState>,
    sql: &str,
    to: &DataType,
    run: &Arc<Run>,
) -> Res<LogicalPlan> {
    let planner = Planner::new(state, run);
    let empty = DFSchema::empty();
    let expr =
        planner
            .sql()
            .sql_to_expr(parse_expression(sql)?, &empty, &mut PlannerContext::new())?;
    let row = LogicalPlanBuilder::empty(true)
        .project(vec![expr.alias("value")])?
        .build()?;
    let analysed = state
        .analyzer()
        .execute_and_check(row, state.config_options(), |_, _| {})?;
    let schema = analysed.schema().clone();
    let column = Expr::Column(schema.qualified_field(0).into());
    let value = assignment(column, &schema, to, "value")?.alias("value");
    let plan = LogicalPlanBuilder::from(analysed)
        .project(vec![value])?
        .build()?;
    optimise(state, &plan, true)
}

/// Checks that a DEFAULT is an expression of constants; true if it may differ from row to row.
/// Errors carry no position.
pub fn check_default(state: &Arc<SessionState>, sql: &str, to: &DataType) -> Res<bool> {
    let run = unsafe { Run::new(std::ptr::null(), std::ptr::null()) }?;
    let plan = plan_expression(state, sql, to, &run).map_err(|mut e| {
        if e.sqlstate == "42703" {
            e.sqlstate = "0A000".to_string();
            e.message = "a DEFAULT cannot use other columns".to_string();
        }
        e
    })?;
    calls(&plan, |f| f.signature().volatility == Volatility::Volatile)
}
