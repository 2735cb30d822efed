//! Columns that a table keeps for its indexes: what an index over an expression has for a column.
//!
//! They are stored columns at the end of the table whose names begin with a character that nobody
//! writes; the rest of the name is the text of the expression. No statement sees them: the schema
//! that DataFusion plans with leaves them out, and changes fill them in like any stored column
//! (`change.rs`). A condition that crosses to C++ names such a column where the query has its
//! expression (`filters.rs`). For that both went the same way, through analysis and simplification.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema};
use datafusion::logical_expr::{EmptyRelation, Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::optimizer::OptimizerRule;
use datafusion::optimizer::simplify_expressions::SimplifyExpressions;
use datafusion::sql::planner::PlannerContext;

use crate::catalog::CppTable;
use crate::dml::parse_expression;
use crate::error::Res;
use crate::filters::is_null;
use crate::planner::Planner;
use crate::types::is_text;

/// catalog::kHiddenPrefix.
const HIDDEN: char = '\u{1}';

pub fn is_hidden(name: &str) -> bool {
    name.starts_with(HIDDEN)
}

/// The column that an index over an expression has, by its text.
pub fn hidden_name(text: &str) -> String {
    format!("{HIDDEN}{text}")
}

/// The columns that statements see.
pub fn visible(schema: &SchemaRef) -> SchemaRef {
    let hidden = |field: &Arc<Field>| is_hidden(field.name());
    if !schema.fields().iter().any(hidden) {
        return schema.clone();
    }
    let seen = schema.fields().iter().filter(|f| !hidden(f)).cloned();
    Arc::new(Schema::new(seen.collect::<Vec<_>>()))
}

/// What a hidden column holds.
#[derive(Debug)]
pub struct Computed {
    pub column: u32,
    pub expr: Expr,
    data_type: DataType,
}

/// The columns of a table as conditions name them.
#[derive(Clone, Copy)]
pub struct Columns<'a> {
    /// All that C++ knows, in its order.
    pub schema: &'a Schema,
    pub computed: &'a [Computed],
}

impl<'a> Columns<'a> {
    pub fn of(schema: &'a Schema) -> Columns<'a> {
        Columns {
            schema,
            computed: &[],
        }
    }

    /// The place of the column that holds the value of `expr`, be it plain or hidden.
    pub fn find(&self, expr: &Expr) -> Option<u32> {
        if let Expr::Column(column) = expr {
            return self.schema.index_of(&column.name).ok().map(|i| i as u32);
        }
        if self.computed.is_empty() {
            return None;
        }
        let known = |expr: &Expr, only_text: bool| {
            let expr = normal(expr.clone());
            let holds = |c: &&Computed| c.expr == expr && (!only_text || is_text(&c.data_type));
            self.computed.iter().find(holds).map(|c| c.column)
        };
        known(expr, false).or_else(|| match expr {
            // Texts are compared as texts, whatever their form in memory.
            Expr::Cast(c) if is_text(c.field.data_type()) => known(&c.expr, true),
            _ => None,
        })
    }
}

/// Without what differs from query to query: qualifiers of columns, aliases.
fn normal(expr: Expr) -> Expr {
    let plain = expr.transform_up(|e| {
        Ok(match e {
            Expr::Column(c) => Transformed::yes(Expr::Column(Column::new_unqualified(c.name))),
            Expr::Alias(alias) => Transformed::yes(*alias.expr),
            other => Transformed::no(other),
        })
    });
    plain.expect("nothing fails").data
}

/// The hidden columns of a table that conditions may name: none if indexes are not to be used.
pub fn computed_columns(planner: &Planner, table: &CppTable) -> Res<Vec<Computed>> {
    let mut all = Vec::new();
    if table.visible.fields().len() == table.schema.fields().len() {
        return Ok(all);
    }
    for (column, text) in table.stored_columns()? {
        let hidden = is_hidden(table.schema.field(column).name());
        if !hidden || table.supports(&is_null(column as u32))? == 0 {
            continue;
        }
        let schema = Arc::new(DFSchema::try_from(table.visible.as_ref().clone())?);
        let parsed = parse_expression(&text)?;
        let expr = planner
            .sql()
            .sql_to_expr(parsed, &schema, &mut PlannerContext::new())?;
        let rows = LogicalPlan::EmptyRelation(EmptyRelation {
            produce_one_row: false,
            schema,
        });
        let plan = LogicalPlanBuilder::from(rows).project([expr])?.build()?;
        let plan = planner.analysed(plan)?;
        let plan = SimplifyExpressions::new()
            .rewrite(plan, planner.state())?
            .data;
        if let LogicalPlan::Projection(projection) = &plan {
            all.push(Computed {
                column: column as u32,
                expr: normal(projection.expr[0].clone()),
                data_type: plan.schema().field(0).data_type().clone(),
            });
        }
    }
    Ok(all)
}
