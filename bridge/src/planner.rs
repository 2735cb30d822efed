//! Names to things: what SQL planning asks the session and the catalog of C++.
//!
//! Tables are looked up when the planner first meets their name, under `t`, `public.t` or
//! `trefoil.public.t`; a view is replaced by the plan of its query. The read side of UPDATE and
//! DELETE is planned as a query over the schema `kRows`, whose tables are the same with the row id
//! at their end; nobody can write that name.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use arrow::datatypes::{DataType, FieldRef, SchemaRef, TimeUnit};
use datafusion::catalog::cte_worktable::CteWorkTable;
use datafusion::catalog::{TableFunctionArgs, default_table_source::provider_as_source};
use datafusion::common::config::ConfigOptions;
use datafusion::common::{Column, DFSchema, ScalarValue, TableReference};
use datafusion::datasource::ViewTable;
use datafusion::error::{DataFusionError, Result as DfResult};
use datafusion::execution::SessionState;
use datafusion::logical_expr::planner::{ContextProvider, ExprPlanner, TypePlanner};
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{
    AggregateUDF, Expr, HigherOrderUDF, LogicalPlan, LogicalPlanBuilder, ScalarUDF, TableSource,
    WindowUDF, cast, ident,
};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::sql::planner::{ParserOptions, SqlToRel};

use crate::catalog::{CppTable, Run, View};
use crate::computed::computed_columns;
use crate::error::{BridgeError, Res};
use crate::locked_parts;
use crate::parse::{self, Kind, reference};
use crate::plan::plan_query;
use crate::provider::Provider;
use crate::same;
use crate::suggest;
use crate::types::Types;

/// The name of every database, and the schema of what is named without one.
pub const CATALOG: &str = "trefoil";
pub const SCHEMA: &str = "public";

/// Views of views of views, or one that was replaced by a query over itself.
const VIEWS_NESTED_MAX: usize = 100;

/// The schema of tables with row ids. Such a name is written only on purpose.
pub const ROWS: &str = "\u{1}rows";

pub struct Planner<'a> {
    state: &'a SessionState,
    run: &'a Arc<Run>,
    sources: Mutex<HashMap<(String, bool), Arc<Provider>>>,
    views: Mutex<BTreeSet<String>>,
    /// Where the views whose queries are being planned look names up, the innermost last.
    inside: Mutex<Vec<Vec<String>>>,
    expr_planners: Vec<Arc<dyn ExprPlanner>>,
    /// The data-changing parts of WITH that give no rows.
    silent: Mutex<BTreeSet<String>>,
    /// Rows of parts of the statement that are run before, by their names.
    given: Mutex<HashMap<String, Arc<Provider>>>,
}

impl<'a> Planner<'a> {
    pub fn new(state: &'a SessionState, run: &'a Arc<Run>) -> Planner<'a> {
        Planner {
            state,
            run,
            sources: Mutex::new(HashMap::new()),
            views: Mutex::new(BTreeSet::new()),
            inside: Mutex::new(Vec::new()),
            expr_planners: state.expr_planners().to_vec(),
            silent: Mutex::new(BTreeSet::new()),
            given: Mutex::new(HashMap::new()),
        }
    }

    pub fn state(&self) -> &SessionState {
        self.state
    }

    /// WITH `name` AS (a change without RETURNING): the rest of the statement cannot read it.
    pub fn add_silent(&self, name: &str) {
        self.silent.lock().expect("silent").insert(name.to_string());
    }

    /// Rows that a part of the statement gives the rest under a name that nobody can write.
    pub fn add_given(&self, rows: Provider) {
        let mut given = self.given.lock().expect("given");
        given.insert(rows.name.clone(), Arc::new(rows));
    }

    /// The plan with all its expressions in their final types. REQUIRES: it has no subqueries.
    pub fn analysed(&self, plan: LogicalPlan) -> Res<LogicalPlan> {
        let options = self.state.config_options();
        let analyser = self.state.analyzer();
        Ok(analyser.execute_and_check(plan, options, |_, _| {})?)
    }

    pub fn sql(&self) -> SqlToRel<'_, Planner<'a>> {
        let options = ParserOptions::from(&self.state.config_options().sql_parser);
        SqlToRel::new_with_options(self, options)
    }

    /// The table itself, for what DML must know of it. Errors: 42P01, 0A000 for a view.
    pub fn table(&self, name: &str) -> Res<Arc<CppTable>> {
        if let Some(table) = self.run.find(name, false)? {
            return Ok(Arc::new(table));
        }
        Err(match self.run.view(name)? {
            Some(_) => BridgeError::unsupported(format!("changing rows through view \"{name}\""))
                .subject(name),
            None => self.unknown_table(name),
        })
    }

    /// The views that were met, with their schemas.
    pub fn views(&self) -> Vec<String> {
        self.views.lock().expect("views").iter().cloned().collect()
    }

    /// A view stands for the plan of its query. Names in it are looked up where they were looked up
    /// when it was made.
    fn view(&self, view: View) -> Res<Arc<dyn TableSource>> {
        self.views.lock().expect("views").insert(view.name.clone());
        self.inside.lock().expect("inside").push(view.path.clone());
        let plan = self.view_plan(&view);
        self.inside.lock().expect("inside").pop();
        let plan = plan.map_err(|mut e| {
            e.position = None;
            if e.detail.is_empty() {
                e.detail = format!("this is said of the query of view \"{}\"", view.name);
            }
            e
        })?;
        Ok(provider_as_source(Arc::new(ViewTable::new(
            plan,
            Some(view.query),
        ))))
    }

    fn view_plan(&self, view: &View) -> Res<LogicalPlan> {
        if self.inside.lock().expect("inside").len() > VIEWS_NESTED_MAX {
            return Err(BridgeError::new("54001", "views are nested too deeply"));
        }
        let statement = parse::parse(&view.query)?;
        let Kind::Query(query) = statement.kind else {
            return Err(BridgeError::internal("a view of what is no query"));
        };
        let plan = plan_query(self, query)?;
        let columns: Vec<Expr> = plan
            .schema()
            .iter()
            .zip(&view.columns)
            .map(|(column, name)| Expr::Column(Column::from(column)).alias(name))
            .collect();
        if columns.len() < view.columns.len() {
            return Err(BridgeError::new("42703", "the view has lost columns"));
        }
        Ok(LogicalPlanBuilder::from(plan).project(columns)?.build()?)
    }

    /// A table or a view by its reference.
    fn relation(&self, schema: Option<&str>, table: &str) -> Res<Arc<dyn TableSource>> {
        let own = self.inside.lock().expect("inside").last().cloned();
        if own.is_none() && schema.is_none() && self.silent.lock().expect("silent").contains(table)
        {
            let message = format!("WITH query \"{table}\" does not have a RETURNING clause");
            return Err(BridgeError::new("0A000", message).subject(table));
        }
        let candidates: Vec<String> = match (schema, &own) {
            (None, Some(path)) => path.iter().map(|s| reference(Some(s), table)).collect(),
            _ => vec![reference(schema, table)],
        };
        for name in &candidates {
            if let Some(provider) = self.provider(name, false)? {
                return Ok(provider_as_source(provider));
            }
            if let Some(view) = self.run.view(name)? {
                return self.view(view);
            }
        }
        // System tables are in no schema.
        if own.is_some()
            && schema.is_none()
            && let Some(provider) = self.provider(table, false)?
        {
            return Ok(provider_as_source(provider));
        }
        Err(self.unknown_table(&reference(schema, table)))
    }

    /// Lets go of all that belongs to the catalog. The providers stay in the plan.
    pub fn end(&self) {
        for source in self.sources.lock().expect("sources").values() {
            source.end_planning();
        }
    }

    fn provider(&self, name: &str, row_ids: bool) -> Res<Option<Arc<Provider>>> {
        let key = (name.to_string(), row_ids);
        if let Some(known) = self.sources.lock().expect("sources").get(&key) {
            return Ok(Some(known.clone()));
        }
        let Some(table) = self.run.find(name, row_ids)? else {
            return Ok(None);
        };
        let computed = computed_columns(self, &table)?;
        let provider = Arc::new(Provider::new(name, row_ids, Arc::new(table), computed));
        self.sources
            .lock()
            .expect("sources")
            .insert(key, provider.clone());
        Ok(Some(provider))
    }

    fn unknown_table(&self, name: &str) -> Box<BridgeError> {
        let names = self.run.table_names().unwrap_or_default();
        BridgeError::new("42P01", format!("table \"{name}\" does not exist"))
            .subject(name)
            .hint(suggest::hint(name, names.iter().map(String::as_str)))
    }

    fn find(&self, reference: &TableReference) -> Res<Arc<dyn TableSource>> {
        if let Some(catalog) = reference.catalog()
            && catalog != CATALOG
        {
            return Err(
                BridgeError::new("3F000", format!("there is no database \"{catalog}\""))
                    .subject(catalog),
            );
        }
        match (reference.schema(), reference.table()) {
            (None, table) if locked_parts::is_one(table) => {
                let given = self.given.lock().expect("given");
                match given.get(table) {
                    Some(rows) => Ok(provider_as_source(rows.clone())),
                    None => Err(BridgeError::internal("rows of an unknown part")),
                }
            }
            (Some(ROWS), table) => match self.provider(table, true)? {
                Some(provider) => Ok(provider_as_source(provider)),
                None if self.run.view(table)?.is_some() => Err(BridgeError::unsupported(format!(
                    "locking rows of view \"{table}\""
                ))
                .subject(table)),
                None => Err(self.unknown_table(table)),
            },
            (schema, table) => self.relation(schema, table),
        }
    }
}

/// generate_series knows moments in nanoseconds only; tables have them in microseconds.
fn in_nanoseconds(arg: Expr) -> DfResult<Expr> {
    match arg {
        Expr::Literal(value @ ScalarValue::TimestampMicrosecond(..), metadata) => {
            let DataType::Timestamp(_, zone) = value.data_type() else {
                return Ok(Expr::Literal(value, metadata));
            };
            let value = value.cast_to(&DataType::Timestamp(TimeUnit::Nanosecond, zone))?;
            Ok(Expr::Literal(value, metadata))
        }
        other => Ok(other),
    }
}

fn in_microseconds(name: &str, source: Arc<dyn TableSource>) -> DfResult<Arc<dyn TableSource>> {
    let schema = source.schema();
    let is_fine = |field: &FieldRef| {
        matches!(
            field.data_type(),
            DataType::Timestamp(TimeUnit::Nanosecond, _)
        )
    };
    if !schema.fields().iter().any(is_fine) {
        return Ok(source);
    }
    let columns = schema.fields().iter().map(|field| {
        let column = ident(field.name());
        match field.data_type() {
            DataType::Timestamp(_, zone) => {
                let coarse = DataType::Timestamp(TimeUnit::Microsecond, zone.clone());
                cast(column, coarse).alias(field.name())
            }
            _ => column,
        }
    });
    let plan = LogicalPlanBuilder::scan(TableReference::bare(name), source, None)?;
    let plan = plan.project(columns)?.build()?;
    Ok(provider_as_source(Arc::new(ViewTable::new(plan, None))))
}

impl ContextProvider for Planner<'_> {
    fn get_table_source(&self, name: TableReference) -> DfResult<Arc<dyn TableSource>> {
        self.find(&name).map_err(DataFusionError::from)
    }

    fn get_table_function_source(
        &self,
        name: &str,
        args: Vec<Expr>,
    ) -> DfResult<Arc<dyn TableSource>> {
        let known = self.state.table_functions();
        let function = known.get(name).ok_or_else(|| {
            BridgeError::new("42883", format!("function {name}() does not exist"))
                .subject(name)
                .hint(suggest::hint(name, known.keys().map(String::as_str)))
        })?;
        let context = SimplifyContext::builder()
            .with_config_options(self.state.config_options().clone())
            .build();
        let simplifier = ExprSimplifier::new(context);
        let schema = DFSchema::empty();
        let args = args
            .into_iter()
            .map(|arg| simplifier.simplify(simplifier.coerce(arg, &schema)?))
            .map(|arg| in_nanoseconds(arg?))
            .collect::<DfResult<Vec<_>>>()?;
        let args = TableFunctionArgs::new(&args, self.state);
        let source = provider_as_source(function.create_table_provider_with_args(args)?);
        in_microseconds(name, source)
    }

    fn create_cte_work_table(
        &self,
        name: &str,
        schema: SchemaRef,
    ) -> DfResult<Arc<dyn TableSource>> {
        Ok(provider_as_source(Arc::new(CteWorkTable::new(
            name, schema,
        ))))
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        &self.expr_planners
    }
    fn get_type_planner(&self) -> Option<Arc<dyn TypePlanner>> {
        Some(Arc::new(Types))
    }
    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        if name == same::NAME {
            return Some(same::function());
        }
        self.state.scalar_functions().get(name).cloned()
    }
    fn get_higher_order_meta(&self, name: &str) -> Option<Arc<HigherOrderUDF>> {
        self.state.higher_order_functions().get(name).cloned()
    }
    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        self.state.aggregate_functions().get(name).cloned()
    }
    fn get_window_meta(&self, name: &str) -> Option<Arc<WindowUDF>> {
        self.state.window_functions().get(name).cloned()
    }
    fn get_variable_type(&self, _: &[String]) -> Option<DataType> {
        None
    }
    fn options(&self) -> &ConfigOptions {
        self.state.config_options()
    }
    fn udf_names(&self) -> Vec<String> {
        self.state.scalar_functions().keys().cloned().collect()
    }
    fn higher_order_function_names(&self) -> Vec<String> {
        self.state
            .higher_order_functions()
            .keys()
            .cloned()
            .collect()
    }
    fn udaf_names(&self) -> Vec<String> {
        self.state.aggregate_functions().keys().cloned().collect()
    }
    fn udwf_names(&self) -> Vec<String> {
        self.state.window_functions().keys().cloned().collect()
    }
}
