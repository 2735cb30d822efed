//! Runs a plan and hands out its rows.
//!
//! next() polls the plan on the caller's thread; what DataFusion runs beside it runs on the
//! engine's threads. While the plan has nothing to give, the cancel flag is looked at every few
//! milliseconds, so a join or a sort stops too.
//!
//! If memory runs out before the first row is out, the plan is made once more in a way that needs
//! less: with sort-merge joins, because a hash join cannot spill, and with sorts and aggregates
//! that spill (spill.rs).

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, SessionState, TaskContext};
use datafusion::logical_expr::{ExprSchemable, LogicalPlan};
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::Future;

use crate::catalog::Run;
use crate::engine::Engine;
use crate::error::{BridgeError, Res};
use crate::explain;
use crate::fence;
use crate::keys;
use crate::names;
use crate::options::be_frugal;
use crate::provider::RunSlot;
use crate::session::Session;

const CANCEL_POLL: Duration = Duration::from_millis(10);

pub struct Cursor {
    pub schema: SchemaRef,
    engine: Arc<Engine>,
    run: Arc<Run>,
    /// False if somebody else waits for the run to end.
    owns_run: bool,
    source: Source,
    /// What is needed to plan once more; gone with the first row.
    retry: Option<Retry>,
    /// What runs, for its counters.
    physical: Option<Arc<dyn ExecutionPlan>>,
}

enum Source {
    Query(SendableRecordBatchStream),
    /// Read without the engine's runtime, because next() may come back into the bridge: the rows
    /// may be those of another cursor.
    Rows(Box<dyn Iterator<Item = Res<RecordBatch>> + Send>),
    End,
}

struct Retry {
    state: Arc<SessionState>,
    logical: LogicalPlan,
    fallbacks: Arc<AtomicU64>,
}

/// The physical plan of `logical` for `run`.
pub fn physical_plan(
    engine: &Engine,
    state: &SessionState,
    logical: &LogicalPlan,
    run: &Arc<Run>,
) -> Res<Arc<dyn ExecutionPlan>> {
    let slot = state
        .config()
        .get_extension::<RunSlot>()
        .ok_or_else(|| BridgeError::internal("a session without a run slot"))?;
    let logical = fence::hide_terms(logical.clone())?;
    let logical = keys::as_columns(logical, state)?;
    let exact;
    let mut state = state;
    if joins_floats(&logical)? {
        let mut without = state.clone();
        let options = without.config_mut().options_mut();
        options.optimizer.enable_join_dynamic_filter_pushdown = false;
        exact = without;
        state = &exact;
    }
    slot.set(Some(run.clone()));
    let planner = state.query_planner();
    let plan = engine
        .runtime
        .block_on(planner.create_physical_plan(&logical, state));
    slot.set(None);
    plan.map_err(Box::<BridgeError>::from)
}

/// Whether a join compares floating point. What such a join tells its other side (bounds, lists)
/// takes -0.0 and 0.0 for different, which the join itself takes for equal.
fn joins_floats(plan: &LogicalPlan) -> Res<bool> {
    let compares = |node: &LogicalPlan| match node {
        LogicalPlan::Join(join) => join.on.iter().any(|(left, _)| {
            let compared = left.get_type(join.left.schema());
            compared.is_ok_and(|t| t.is_floating())
        }),
        _ => false,
    };
    Ok(plan.exists(|node| Ok(compares(node)))?)
}

/// Execution needs the settings and the environment; the functions are in the plan already.
fn task_context(engine: &Engine, state: &SessionState) -> Arc<TaskContext> {
    Arc::new(TaskContext::new(
        None,
        state.session_id().to_string(),
        state.config().clone(),
        Default::default(),
        Default::default(),
        Default::default(),
        Default::default(),
        engine.environment.clone(),
    ))
}

/// Starts a physical plan.
pub fn execute(
    engine: &Engine,
    state: &SessionState,
    plan: Arc<dyn ExecutionPlan>,
) -> Res<SendableRecordBatchStream> {
    let _inside = engine.runtime.enter();
    execute_stream(plan, task_context(engine, state)).map_err(Box::<BridgeError>::from)
}

impl Cursor {
    /// `items` name the columns.
    pub fn open(
        session: &Session,
        logical: LogicalPlan,
        items: &[names::Item],
        run: Arc<Run>,
    ) -> Res<Cursor> {
        let (engine, state) = (session.engine.clone(), session.state.clone());
        let opened = physical_plan(&engine, &state, &logical, &run)
            .and_then(|plan| Ok((execute(&engine, &state, plan.clone())?, plan)));
        let (stream, physical) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                run.finish();
                return Err(error);
            }
        };
        Ok(Cursor {
            schema: Arc::new(names::rename(&stream.schema(), items)),
            engine,
            run,
            owns_run: true,
            source: Source::Query(stream),
            retry: Some(Retry {
                state,
                logical,
                fallbacks: session.fallbacks.clone(),
            }),
            physical: Some(physical),
        })
    }

    /// A cursor over what already runs.
    pub fn over(engine: Arc<Engine>, stream: SendableRecordBatchStream, run: Arc<Run>) -> Cursor {
        Cursor {
            schema: stream.schema(),
            engine,
            run,
            owns_run: true,
            source: Source::Query(stream),
            retry: None,
            physical: None,
        }
    }

    /// A cursor over rows that are not a query's.
    pub fn over_rows(
        engine: Arc<Engine>,
        schema: SchemaRef,
        rows: impl Iterator<Item = Res<RecordBatch>> + Send + 'static,
        run: Arc<Run>,
    ) -> Cursor {
        Cursor {
            schema,
            engine,
            run,
            owns_run: true,
            source: Source::Rows(Box::new(rows)),
            retry: None,
            physical: None,
        }
    }

    /// Leaves it to the caller to finish the run.
    pub fn leave_run_open(mut self) -> Cursor {
        self.owns_run = false;
        self
    }

    /// The next batch with rows; None at the end.
    pub fn next(&mut self) -> Res<Option<RecordBatch>> {
        loop {
            let next = match &mut self.source {
                Source::End => return Ok(None),
                Source::Rows(_) if self.run.cancelled() => Some(Err(BridgeError::cancelled())),
                Source::Rows(rows) => rows.next(),
                Source::Query(stream) => {
                    let next = self.engine.runtime.block_on(next_of(stream, &self.run));
                    next.map(|item| item.map_err(Box::<BridgeError>::from))
                }
            };
            match next {
                Some(Ok(batch)) if batch.num_rows() == 0 => {}
                Some(Ok(batch)) => {
                    self.retry = None;
                    return Ok(Some(batch));
                }
                Some(Err(error)) => {
                    self.source = Source::End;
                    match self.retry.take() {
                        Some(retry) if error.is_out_of_memory() => {
                            self.start_again(retry, error)?;
                        }
                        _ => return Err(error),
                    }
                }
                None => {
                    self.source = Source::End;
                    return Ok(None);
                }
            }
        }
    }

    /// Plans once more, in the way that needs least memory; `error` if there is none.
    fn start_again(&mut self, retry: Retry, error: Box<BridgeError>) -> Res<()> {
        let joins = count(&retry.logical, |node| matches!(node, LogicalPlan::Join(_)));
        let groups = count(&retry.logical, |node| {
            matches!(node, LogicalPlan::Aggregate(_) | LogicalPlan::Distinct(_))
        });
        let sorts = count(&retry.logical, |node| {
            matches!(node, LogicalPlan::Sort(_) | LogicalPlan::Window(_))
        });
        if joins + groups + sorts == 0 {
            return Err(error);
        }
        let mut state = retry.state.as_ref().clone();
        let config = state.config_mut();
        config.set_extension(Arc::new(RunSlot::default()));
        let options = config.options_mut();
        be_frugal(options);
        if joins > 0 {
            options.optimizer.prefer_hash_join = false;
            retry.fallbacks.fetch_add(1, Ordering::Relaxed);
        }
        // Few sorts at a time have more memory each. With one partition there would be hash joins,
        // and aggregates that cannot spill.
        let reserved = &mut options.execution.sort_spill_reservation_bytes;
        let memory = self.engine.memory_bytes();
        if joins + groups > 0 {
            options.execution.target_partitions = 2;
            *reserved = (*reserved).min(memory / 10);
        } else {
            options.execution.target_partitions = 1;
            *reserved = memory / 2 / sorts;
        }
        let plan = physical_plan(&self.engine, &state, &retry.logical, &self.run)?;
        self.source = Source::Query(execute(&self.engine, &state, plan.clone())?);
        self.physical = Some(plan);
        Ok(())
    }

    /// The plan that runs, with what it has counted so far, as EXPLAIN ANALYZE shows it.
    pub fn analysed(&self) -> Vec<String> {
        self.physical.as_ref().map_or(Vec::new(), explain::analysed)
    }

    /// Everything to the end, without keeping it.
    pub fn drain(&mut self) -> Res<()> {
        while self.next()?.is_some() {}
        Ok(())
    }
}

impl Drop for Cursor {
    fn drop(&mut self) {
        let inside = self.engine.runtime.enter();
        self.source = Source::End;
        self.retry = None;
        self.physical = None;
        drop(inside);
        if self.owns_run {
            self.run.finish();
        }
    }
}

fn count(plan: &LogicalPlan, wanted: impl Fn(&LogicalPlan) -> bool) -> usize {
    let mut found = 0;
    // The walk cannot fail, because its closure does not.
    let _ = plan.apply_with_subqueries(|node| {
        found += usize::from(wanted(node));
        Ok(TreeNodeRecursion::Continue)
    });
    found
}

type Item = Option<Result<RecordBatch, DataFusionError>>;

async fn next_of(stream: &mut SendableRecordBatchStream, run: &Run) -> Item {
    let mut timer: Option<Pin<Box<tokio::time::Sleep>>> = None;
    std::future::poll_fn(|cx| {
        loop {
            if run.cancelled() {
                return Poll::Ready(Some(Err(BridgeError::cancelled().into_datafusion())));
            }
            if let Poll::Ready(item) = stream.as_mut().poll_next(cx) {
                return Poll::Ready(item);
            }
            let sleep = timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(CANCEL_POLL)));
            match sleep.as_mut().poll(cx) {
                Poll::Pending => return Poll::Pending,
                // Slept enough: look at the flag, and sleep again if there is still nothing.
                Poll::Ready(()) => timer = None,
            }
        }
    })
    .await
}
