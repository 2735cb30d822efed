//! One conversation: its settings, and the way from text to rows.
//!
//! The session state of DataFusion is shared with the cursors that are open, and copied only when a
//! setting changes. `RunSlot` in its configuration tells scans during physical planning for whom
//! they are.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use datafusion::common::config::ConfigOptions;
use datafusion::execution::SessionState;
use datafusion::logical_expr::registry::FunctionRegistry;

use crate::catalog::Run;
use crate::constraints;
use crate::ddl::{Action, Column};
use crate::engine::Engine;
use crate::error::{BridgeError, Res};
use crate::parse::{self, Kind, Statement};
use crate::plan::{self, Plan};
use crate::provider::RunSlot;
use crate::suggest;
use crate::test_functions;

const FALLBACKS: &str = "trefoil.sort_merge_fallbacks";
const TEST_FUNCTIONS: &str = "trefoil.test_functions";

/// Settings of DataFusion under the names that people know.
const SHORT_NAMES: [(&str, &str); 4] = [
    ("timezone", "datafusion.execution.time_zone"),
    ("time_zone", "datafusion.execution.time_zone"),
    ("batch_size", "datafusion.execution.batch_size"),
    (
        "target_partitions",
        "datafusion.execution.target_partitions",
    ),
];

/// Settings on which our own planning rests; they can be read, not changed.
const FIXED: [&str; 3] = [
    "datafusion.sql_parser.",
    "datafusion.catalog.",
    "datafusion.runtime.",
];

pub struct Session {
    pub engine: Arc<Engine>,
    pub state: Arc<SessionState>,
    pub fallbacks: Arc<AtomicU64>,
    test_functions: bool,
}

impl Session {
    pub fn open(engine: Arc<Engine>) -> Session {
        let state = first_state(&engine);
        Session {
            engine,
            state,
            fallbacks: Arc::new(AtomicU64::new(0)),
            test_functions: false,
        }
    }

    pub fn parse(&self, sql: &str) -> Res<Statement> {
        let mut statement = parse::parse(sql)?;
        match &mut statement.kind {
            Kind::CreateTable(table) => {
                constraints::validate(&self.state, table).map_err(|e| statement.text.locate(e))?;
                for column in &mut table.columns {
                    self.check_default(column)?;
                }
            }
            Kind::AlterTable(table) => {
                for action in &mut table.actions {
                    if let Action::AddColumn { column, .. } = action {
                        self.check_default(column)?;
                    }
                }
            }
            _ => {}
        }
        Ok(statement)
    }

    fn check_default(&self, column: &mut Column) -> Res<()> {
        if let Some(default) = &column.default {
            let text = default.to_string();
            column.default_volatile = plan::check_default(&self.state, &text, &column.data_type)
                .map_err(|e| e.at(Some(column.name.position as usize)))?;
        }
        Ok(())
    }

    pub fn plan(&self, statement: &Statement, run: &Arc<Run>) -> Res<Plan> {
        plan::plan(&self.state, statement, run)
    }

    // ---- settings -------------------------------------------------------------------------------

    pub fn set(&mut self, name: &str, value: Option<&str>) -> Res<()> {
        let name = name.to_lowercase();
        match name.as_str() {
            TEST_FUNCTIONS => return self.set_test_functions(value),
            FALLBACKS => return Err(read_only(&name)),
            "all" if value.is_none() => {
                self.state = first_state(&self.engine);
                self.test_functions = false;
                return Ok(());
            }
            _ => {}
        }
        let key = long_name(&name);
        if FIXED.iter().any(|start| key.starts_with(start)) {
            self.find(key, &name)?;
            return Err(read_only(&name));
        }
        let default = match value {
            Some(_) => None,
            None => Some(self.default_of(key, &name)?),
        };
        self.find(key, &name)?;
        let state = Arc::make_mut(&mut self.state);
        let text = match (value, &default) {
            (Some(value), _) => value,
            (None, Some(Some(text))) => text.as_str(),
            _ => "",
        };
        state
            .config_mut()
            .options_mut()
            .set(key, text)
            .map_err(|e| {
                BridgeError::new("22023", format!("invalid value for {name}: \"{text}\""))
                    .detail(e.strip_backtrace())
            })?;
        update_functions(state);
        Ok(())
    }

    pub fn get(&self, name: &str) -> Res<String> {
        let name = name.to_lowercase();
        match name.as_str() {
            FALLBACKS => return Ok(self.fallbacks.load(Ordering::Relaxed).to_string()),
            TEST_FUNCTIONS => return Ok(on_off(self.test_functions).to_string()),
            _ => {}
        }
        Ok(self.find(long_name(&name), &name)?.unwrap_or_default())
    }

    /// Every setting: name, value, description.
    pub fn settings(&self) -> Vec<(String, String, String)> {
        let mut all: Vec<_> = self
            .state
            .config_options()
            .entries()
            .into_iter()
            .map(|e| {
                (
                    e.key,
                    e.value.unwrap_or_default(),
                    e.description.to_string(),
                )
            })
            .collect();
        all.sort();
        all
    }

    fn default_of(&self, key: &str, name: &str) -> Res<Option<String>> {
        find_in(self.engine.new_state().config_options(), key, name)
    }

    fn find(&self, key: &str, name: &str) -> Res<Option<String>> {
        find_in(self.state.config_options(), key, name)
    }

    fn set_test_functions(&mut self, value: Option<&str>) -> Res<()> {
        let on = match value.map(str::to_lowercase).as_deref() {
            Some("on" | "true" | "1") => true,
            Some("off" | "false" | "0") | None => false,
            Some(other) => {
                return Err(BridgeError::new(
                    "22023",
                    format!("invalid value for {TEST_FUNCTIONS}: \"{other}\""),
                ));
            }
        };
        let state = Arc::make_mut(&mut self.state);
        if on {
            state.register_udf(Arc::new(test_functions::panic_function()))?;
        } else {
            state.deregister_udf(test_functions::PANIC)?;
        }
        self.test_functions = on;
        Ok(())
    }
}

fn first_state(engine: &Engine) -> Arc<SessionState> {
    let mut state = engine.new_state();
    state
        .config_mut()
        .set_extension(Arc::new(RunSlot::default()));
    Arc::new(state)
}

fn long_name(name: &str) -> &str {
    SHORT_NAMES
        .iter()
        .find(|(short, _)| *short == name)
        .map_or(name, |(_, long)| long)
}

fn find_in(options: &ConfigOptions, key: &str, name: &str) -> Res<Option<String>> {
    let entries = options.entries();
    if let Some(entry) = entries.iter().find(|e| e.key == key) {
        return Ok(entry.value.clone());
    }
    let known = entries
        .iter()
        .map(|e| e.key.as_str())
        .chain(SHORT_NAMES.iter().map(|(short, _)| *short));
    Err(
        BridgeError::new("42704", format!("there is no setting \"{name}\""))
            .hint(suggest::hint(name, known)),
    )
}

fn read_only(name: &str) -> Box<BridgeError> {
    BridgeError::new("55P02", format!("setting {name} cannot be changed"))
}

fn on_off(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

// Some functions (now, to_timestamp) keep the settings that they were made with.
fn update_functions(state: &mut SessionState) {
    let options = state.config_options().clone();
    let renewed: Vec<_> = state
        .scalar_functions()
        .values()
        .filter_map(|f| f.inner().with_updated_config(&options))
        .collect();
    for function in renewed {
        // Registering under a known name replaces, and cannot fail.
        let _ = state.register_udf(Arc::new(function));
    }
}
