//! The engine: threads, memory pool, spill folder, and the state that every session starts from.
//!
//! The pool (pool.rs) is wrapped so that an error says who held the memory.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use datafusion::common::config::Dialect;
use datafusion::execution::SessionState;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::config::SessionConfig;
use datafusion::execution::memory_pool::{
    MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation, TrackConsumersPool,
    UnboundedMemoryPool,
};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::logical_expr::registry::FunctionRegistry;
use tokio::runtime::Runtime;

use crate::age;
use crate::error::{BridgeError, Res, from_io};
use crate::fence;
use crate::options::Options as OurOptions;
use crate::ordered;
use crate::planner::{CATALOG, SCHEMA};
use crate::pool::{Limit, SharedPool};
use crate::probe::LIST_MAX;
use crate::rules;
use crate::sequence_functions;
use crate::spill::SpillingSorts;
use crate::timezone;

/// Plans are trees that are walked recursively, and the workers run them.
const STACK_BYTES: usize = 8 << 20;

/// A merge of spilled runs takes memory for a batch of each. Unbounded, the first merge takes all
/// there is and the next finds none; eight at a time merge as well, in a level or two more.
const MERGE_FAN_IN: usize = 8;

/// Rows of a hash table that one thread builds for all, on a single core; on n, by n * n fewer.
const COLLECT_ROWS: usize = 4 << 20;

pub struct Options {
    pub threads: usize,
    pub memory_bytes: u64,
    pub spill_path: String,
}

pub struct Engine {
    pub runtime: Runtime,
    pub environment: Arc<RuntimeEnv>,
    memory_limit: Limit,
    /// What the other side of the bridge has taken out of the pool.
    taken: MemoryReservation,
    state: SessionState,
}

impl Engine {
    pub fn create(options: Options) -> Res<Arc<Engine>> {
        let threads = match options.threads {
            0 => std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
            n => n,
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_stack_size(STACK_BYTES)
            .thread_name("trefoil-engine")
            .enable_time()
            .build()
            .map_err(|e| from_io(&e))?;
        let memory_limit = Limit::new(
            usize::try_from(options.memory_bytes)
                .unwrap_or(usize::MAX)
                .into(),
        );
        let environment = environment(&options, &memory_limit)?;
        let state = first_state(threads, options.memory_bytes, environment.clone());
        let taken = MemoryConsumer::new("index builds").register(&environment.memory_pool);
        Ok(Arc::new(Engine {
            runtime,
            environment,
            memory_limit,
            taken,
            state,
        }))
    }

    /// The size of the pool; very large if there is no limit.
    pub fn memory_bytes(&self) -> usize {
        match self.environment.memory_pool.memory_limit() {
            MemoryLimit::Finite(bytes) => bytes,
            _ => usize::MAX,
        }
    }

    /// Bytes that running queries hold now.
    pub fn memory_used(&self) -> u64 {
        self.environment.memory_pool.reserved() as u64
    }

    /// Takes memory out of the pool for work on the other side; false if so much is not free.
    pub fn take_memory(&self, bytes: u64) -> bool {
        usize::try_from(bytes).is_ok_and(|bytes| self.taken.try_grow(bytes).is_ok())
    }

    /// Gives back what was taken.
    pub fn give_memory_back(&self, bytes: u64) {
        self.taken.shrink(bytes as usize);
    }

    /// Both hold for queries that run already, too. A pool without a limit stays so.
    pub fn set_limits(&self, memory_bytes: u64, temp_bytes: u64) -> Res<()> {
        let bytes = usize::try_from(memory_bytes).unwrap_or(usize::MAX);
        self.memory_limit.store(bytes, Ordering::Relaxed);
        self.environment
            .disk_manager
            .set_max_temp_directory_size(temp_bytes)
            .map_err(Box::<BridgeError>::from)
    }

    pub fn new_state(&self) -> SessionState {
        self.state.clone()
    }
}

fn environment(options: &Options, memory_limit: &Limit) -> Res<Arc<RuntimeEnv>> {
    let pool: Arc<dyn MemoryPool> = match options.memory_bytes {
        0 => Arc::new(UnboundedMemoryPool::default()),
        _ => {
            let top = NonZeroUsize::new(3).expect("three");
            let pool = SharedPool::new(memory_limit.clone());
            Arc::new(TrackConsumersPool::new(pool, top))
        }
    };
    let mut builder = RuntimeEnvBuilder::new()
        .with_memory_pool(pool)
        .with_max_spill_merge_fan_in(MERGE_FAN_IN);
    if !options.spill_path.is_empty() {
        let path = PathBuf::from(&options.spill_path);
        std::fs::create_dir_all(&path)
            .map_err(|e| from_io(&e).detail(format!("folder for spilled runs: {path:?}")))?;
        builder = builder.with_temp_file_path(path);
    }
    builder.build_arc().map_err(Box::<BridgeError>::from)
}

fn first_state(threads: usize, memory_bytes: u64, environment: Arc<RuntimeEnv>) -> SessionState {
    let mut config = SessionConfig::new()
        .with_target_partitions(threads)
        .with_default_catalog_and_schema(CATALOG, SCHEMA)
        .with_create_default_catalog_and_schema(false)
        .with_collect_statistics(true);
    let options = config.options_mut();
    options.extensions.insert(OurOptions::default());
    options.sql_parser.dialect = Dialect::PostgreSQL;
    // 0.1 is the DECIMAL 0.1, as in PostgreSQL: it meets DECIMAL columns exactly and becomes a
    // DOUBLE where it meets one. Numbers with an exponent are DOUBLE (check.rs).
    options.sql_parser.parse_float_as_decimal = true;
    options.sql_parser.map_string_types_to_utf8view = true;
    // Every sort sets this much aside for its last merge; in a small pool that must not be all of
    // it, nor so little that the merge fails: it needs the keys of all rows that it holds.
    if memory_bytes > 0 {
        let share = memory_bytes as usize / (2 * threads).max(4);
        let reserved = &mut options.execution.sort_spill_reservation_bytes;
        *reserved = (*reserved).min(share);
    }
    // It compares whether columns may be NULL, of which the optimiser learns more on the way.
    options.execution.skip_physical_aggregate_schema_check = true;
    // One table for all threads spares the other side its repartitioning, which on few cores costs
    // more than building the table with one of them.
    let collect = &mut options.optimizer.hash_join_single_partition_threshold_rows;
    *collect = (*collect).max(COLLECT_ROWS / (threads * threads).max(1));
    // So that scans can look them up in an index.
    options
        .optimizer
        .hash_join_inlist_pushdown_max_distinct_values = LIST_MAX;
    options.execution.time_zone = Some("UTC".to_string());
    let memory = environment.memory_pool.clone();
    let mut builder = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(environment)
        .with_default_features()
        .with_analyzer_rules(rules::analyzer_rules())
        .with_optimizer_rules(rules::optimizer_rules())
        .with_physical_optimizer_rules(ordered::physical_rules(
            fence::physical_rules(),
            memory.clone(),
        ))
        .with_physical_optimizer_rule(Arc::new(rules::YieldingJoins))
        .with_physical_optimizer_rule(Arc::new(SpillingSorts::new(memory)));
    builder
        .expr_planners()
        .get_or_insert_default()
        .insert(0, Arc::new(rules::Operators));
    let mut state = builder.build();
    let functions = sequence_functions::functions().chain([timezone::function(), age::function()]);
    for function in functions {
        // Registering cannot fail.
        let _ = state.register_udf(Arc::new(function));
    }
    state
}
