//! Names to things: what SQL planning asks the session and the catalog of C++.
//!
//! Tables are looked up when the planner first meets their name, under `t`, `public.t` or
//! `trefoil.public.t`; the tables of information_schema beside them. The read side of UPDATE and
//! DELETE is planned as a query over the schema `kRows`, whose tables are the same with the row id
//! at their end; nobody can write that name.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use arrow::datatypes::{DataType, SchemaRef};
use datafusion::catalog::cte_worktable::CteWorkTable;
use datafusion::catalog::{TableFunctionArgs, default_table_source::provider_as_source};
use datafusion::common::config::ConfigOptions;
use datafusion::common::{DFSchema, TableReference};
use datafusion::error::{DataFusionError, Result as DfResult};
use datafusion::execution::SessionState;
use datafusion::logical_expr::planner::{ContextProvider, ExprPlanner, TypePlanner};
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{
    AggregateUDF, Expr, HigherOrderUDF, ScalarUDF, TableSource, WindowUDF,
};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::sql::planner::{ParserOptions, SqlToRel};

use crate::catalog::{CppTable, Run};
use crate::error::{BridgeError, Res};
use crate::info_schema::{CATALOG, INFORMATION_SCHEMA, InfoTable, SCHEMA, TABLES};
use crate::provider::Provider;
use crate::suggest;
use crate::types::Types;

/// The schema of tables with row ids. Such a name is written only on purpose.
pub const ROWS: &str = "\u{1}rows";

pub struct Planner<'a> {
    state: &'a SessionState,
    run: &'a Arc<Run>,
    sources: Mutex<HashMap<(String, bool), Arc<Provider>>>,
    expr_planners: Vec<Arc<dyn ExprPlanner>>,
}

impl<'a> Planner<'a> {
    pub fn new(state: &'a SessionState, run: &'a Arc<Run>) -> Planner<'a> {
        Planner {
            state,
            run,
            sources: Mutex::new(HashMap::new()),
            expr_planners: state.expr_planners().to_vec(),
        }
    }

    pub fn sql(&self) -> SqlToRel<'_, Planner<'a>> {
        let options = ParserOptions::from(&self.state.config_options().sql_parser);
        SqlToRel::new_with_options(self, options)
    }

    /// The table itself, for what DML must know of it. Errors: 42P01.
    pub fn table(&self, name: &str) -> Res<Arc<CppTable>> {
        match self.run.find(name, false)? {
            Some(table) => Ok(Arc::new(table)),
            None => Err(self.unknown_table(name)),
        }
    }

    /// Lets go of all that belongs to the catalog. The providers stay in the plan.
    pub fn end(&self) {
        for source in self.sources.lock().expect("sources").values() {
            source.end_planning();
        }
    }

    fn provider(&self, name: &str, row_ids: bool) -> Res<Arc<Provider>> {
        let key = (name.to_string(), row_ids);
        if let Some(known) = self.sources.lock().expect("sources").get(&key) {
            return Ok(known.clone());
        }
        let table = self
            .run
            .find(name, row_ids)?
            .ok_or_else(|| self.unknown_table(name))?;
        let provider = Arc::new(Provider::new(name, row_ids, Arc::new(table)));
        self.sources
            .lock()
            .expect("sources")
            .insert(key, provider.clone());
        Ok(provider)
    }

    fn unknown_table(&self, name: &str) -> Box<BridgeError> {
        let names = self.run.table_names().unwrap_or_default();
        BridgeError::new("42P01", format!("table \"{name}\" does not exist"))
            .subject(name)
            .hint(suggest::hint(name, names.iter().map(String::as_str)))
    }

    fn find(&self, reference: &TableReference) -> Res<Arc<dyn TableSource>> {
        let (schema, table) = (reference.schema().unwrap_or(SCHEMA), reference.table());
        if let Some(catalog) = reference.catalog()
            && catalog != CATALOG
        {
            return Err(
                BridgeError::new("3F000", format!("there is no database \"{catalog}\""))
                    .subject(catalog),
            );
        }
        match schema {
            SCHEMA => Ok(provider_as_source(self.provider(table, false)?)),
            ROWS => Ok(provider_as_source(self.provider(table, true)?)),
            INFORMATION_SCHEMA => match InfoTable::find(table) {
                Some(found) => Ok(provider_as_source(Arc::new(found))),
                None => Err(BridgeError::new(
                    "42P01",
                    format!("table \"information_schema.{table}\" does not exist"),
                )
                .subject(table)
                .hint(suggest::hint(table, TABLES))),
            },
            other => Err(
                BridgeError::new("3F000", format!("schema \"{other}\" does not exist"))
                    .subject(other)
                    .hint("all tables are in the schema public"),
            ),
        }
    }
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
            .collect::<DfResult<Vec<_>>>()?;
        let args = TableFunctionArgs::new(&args, self.state);
        Ok(provider_as_source(
            function.create_table_provider_with_args(args)?,
        ))
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
