//! EXPLAIN: the lines of a plan.
//!
//! The physical plan, in which our leaves stand under their own names; for VERBOSE the logical plan
//! before it; for ANALYZE with what was counted while it ran; for both with the rows that were
//! expected of leaves and joins. Of INSERT, UPDATE and DELETE the read
//! side is shown, under a line that says what is done with the rows.

use std::sync::Arc;

use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::display::DisplayableExecutionPlan;
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};

use crate::catalog::Run;
use crate::cursor::{Cursor, execute, physical_plan};
use crate::error::{BridgeError, Res};
use crate::leaf::LeafExec;
use crate::parse::Explain;
use crate::plan::Plan;
use crate::sequence_functions;
use crate::session::Session;

const TREE_WIDTH: usize = 120;

pub fn explain(
    session: &Session,
    plan: &Plan,
    how: &Explain,
    parameters: &[u8],
    run: &Arc<Run>,
) -> Res<Vec<String>> {
    let lines = explain_in(session, plan, how, parameters, run);
    run.finish();
    lines
}

fn explain_in(
    session: &Session,
    plan: &Plan,
    how: &Explain,
    parameters: &[u8],
    run: &Arc<Run>,
) -> Res<Vec<String>> {
    if how.analyze && (plan.change.is_some() || !plan.children.is_empty()) {
        return Err(BridgeError::internal(
            "a change is analysed where it is done",
        ));
    }
    let tree = match how.format.as_str() {
        "" | "indent" => false,
        "tree" => true,
        other => return Err(BridgeError::unsupported(format!("EXPLAIN FORMAT {other}"))),
    };
    let mut logical = plan.bound(&session.state, run, parameters)?;
    if plan.uses_sequences && !how.analyze {
        logical = sequence_functions::bind(logical, None)?;
    }
    let physical = physical_plan(&session.engine, &session.state, &logical, run)?;
    if how.analyze {
        let stream = execute(&session.engine, &session.state, physical.clone())?;
        // `physical` keeps the leaves alive for their counters, so the run ends with explain()
        // only.
        Cursor::over(session.engine.clone(), stream, run.clone())
            .leave_run_open()
            .drain()?;
    }
    let mut lines = Vec::new();
    if how.verbose {
        lines.push("Logical plan".to_string());
        push(&mut lines, &plan.logical_text(&logical, run)?, 1);
        lines.push("Physical plan".to_string());
    }
    let mut depth = usize::from(how.verbose);
    if let Some(change) = &plan.change {
        let indent = "  ".repeat(depth);
        lines.push(format!("{indent}{}: {}", change.title, change.table.text));
        depth += 1;
    }
    let mut shown = shown(&physical, how, tree);
    if !tree {
        shown = without_yields(&shown);
    }
    push(&mut lines, &shown, depth);
    if tree || how.verbose {
        return Ok(lines);
    }
    for part in &plan.children {
        if is_conflict(part) {
            lines.push("On conflict: Update".to_string());
            continue;
        }
        lines.push(title_of(part));
        let logical = part.bound(&session.state, run, parameters)?;
        let physical = physical_plan(&session.engine, &session.state, &logical, run)?;
        push(
            &mut lines,
            &without_yields(&self::shown(&physical, how, false)),
            1,
        );
    }
    Ok(lines)
}

fn title_of(part: &Plan) -> String {
    match (&part.change, &part.locking) {
        (Some(change), _) => {
            let name = change.given.trim_start_matches(char::is_control);
            format!("{name}: {}: {}", change.title, change.table.text)
        }
        (_, Some(locking)) => locking.title(),
        _ => String::new(),
    }
}

// It reads rows that are only known when the statement runs.
fn is_conflict(part: &Plan) -> bool {
    part.change.as_ref().is_some_and(|c| c.given.is_empty())
}

/// A plan that was run, with its counters.
pub fn analysed(plan: &Arc<dyn ExecutionPlan>) -> Vec<String> {
    let how = Explain {
        analyze: true,
        ..Default::default()
    };
    let text = without_yields(&shown(plan, &how, false));
    text.lines()
        .map(|line| line.trim_end().to_string())
        .collect()
}

fn shown(plan: &Arc<dyn ExecutionPlan>, how: &Explain, tree: bool) -> String {
    let display = if how.analyze {
        DisplayableExecutionPlan::with_metrics(plan.as_ref())
    } else {
        DisplayableExecutionPlan::new(plan.as_ref())
    };
    if tree {
        return display
            .set_tree_maximum_render_width(TREE_WIDTH)
            .tree_render()
            .to_string();
    }
    let text = display.indent(how.verbose).to_string();
    if how.analyze || how.verbose {
        with_estimates(&text, plan, how.verbose)
    } else {
        text
    }
}

/// Behind each leaf and join, the number of rows that the planner expected; under each leaf, if
/// that is `verbose`, which indexes it does not use, and why.
fn with_estimates(text: &str, plan: &Arc<dyn ExecutionPlan>, verbose: bool) -> String {
    let mut nodes = Vec::new();
    in_order(plan, &mut nodes);
    let context = StatisticsContext::new();
    let mut out = String::new();
    for (i, line) in text.lines().enumerate() {
        out.push_str(line);
        let node = nodes.get(i);
        if let Some(rows) = node.and_then(|node| estimated_rows(node, &context)) {
            out.push_str(&format!(", estimated_rows={rows}"));
        }
        out.push('\n');
        let leaf = node.and_then(|n| n.downcast_ref::<LeafExec>());
        let indent = line.len() - line.trim_start().len() + 2;
        for rejected in leaf.filter(|_| verbose).map_or(vec![], LeafExec::rejected) {
            out.push_str(&format!("{}rejected: {rejected}\n", " ".repeat(indent)));
        }
    }
    out
}

/// In the order of the lines.
fn in_order<'a>(plan: &'a Arc<dyn ExecutionPlan>, nodes: &mut Vec<&'a Arc<dyn ExecutionPlan>>) {
    nodes.push(plan);
    for child in plan.children() {
        in_order(child, nodes);
    }
}

fn estimated_rows(plan: &Arc<dyn ExecutionPlan>, context: &StatisticsContext) -> Option<usize> {
    if !plan.children().is_empty() && !plan.name().ends_with("JoinExec") {
        return None;
    }
    let known = context
        .compute(plan.as_ref(), &StatisticsArgs::new())
        .ok()?;
    known.num_rows.get_value().copied()
}

/// The text without its CooperativeExec lines: they say nothing about the query.
fn without_yields(text: &str) -> String {
    let mut out = String::new();
    let mut hidden: Vec<usize> = Vec::new();
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        while hidden.last().is_some_and(|at| indent <= *at) {
            hidden.pop();
        }
        if line.trim_start().starts_with("CooperativeExec") {
            hidden.push(indent);
            continue;
        }
        out.push_str(&line[2 * hidden.len()..]);
        out.push('\n');
    }
    out
}

fn push(lines: &mut Vec<String>, text: &str, depth: usize) {
    for line in text.lines() {
        lines.push(format!("{}{}", "  ".repeat(depth), line.trim_end()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_only_yield_are_not_shown() {
        let plan = "A\n  CooperativeExec\n    B\n      CooperativeExec\n        C\n      D\n";
        assert_eq!(without_yields(plan), "A\n  B\n    C\n    D\n");
    }
}
