//! What a change's read plan yields, column by column, and the part of it that every kind of change
//! shares, computed over the rows as they will be stored: which CHECK constraint is violated, and
//! the expressions of RETURNING.
//!
//!     action?  _rowid?  all columns of the table?  violated CHECK?  what RETURNING asks for
//!
//! The rows that the writer does not apply (a row that was met before) are dropped by C++ together
//! with what they would have returned, so RETURNING answers the rows that really changed.

use datafusion::common::{Column, DFSchema, DFSchemaRef, TableReference};
use datafusion::logical_expr::expr::Case;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};
use datafusion::sql::planner::PlannerContext;
use datafusion::sql::sqlparser::ast::{
    SelectItem, SelectItemQualifiedWildcardKind, WildcardAdditionalOptions,
};

use crate::catalog::CppTable;
use crate::computed::is_hidden;
use crate::constraints::violated;
use crate::convert::assignment;
use crate::dml::parse_expression;
use crate::error::{BridgeError, Res};
use crate::merge;
use crate::names;
use crate::parse::Name;
use crate::parse_change::Conflict;
use crate::planner::Planner;
use crate::text::ident_text;

/// The column that says which CHECK is violated, in plans.
const VIOLATED: &str = "violated";

/// The columns of a change's read plan, "change" of bridge.h.
#[derive(Debug, Default, Clone)]
pub struct Shape {
    /// The first column says what is done with each row (MERGE); else it is the same for all.
    pub action: bool,
    pub row_id: bool,
    /// How many columns of the table follow: all or none.
    pub columns: usize,
    /// Names of the CHECK constraints; if there are any, a column says which one is violated.
    pub checks: Vec<String>,
    /// What the columns of RETURNING are called; None without RETURNING.
    pub returning: Option<Vec<String>>,
}

#[derive(Debug)]
pub struct Change {
    /// "Insert", "Update", "Delete" or "Merge".
    pub title: &'static str,
    pub table: Name,
    pub shape: Shape,
    pub direct: Option<Vec<u8>>,
    pub conflict: Option<Conflict>,
    /// Of a part of WITH: under which name its rows are read.
    pub given: String,
}

impl Shape {
    /// The names of all columns, as `names::rename` takes them.
    pub fn names(&self) -> Vec<names::Item> {
        let front = self.width();
        let returned = self.returning.iter().flatten();
        std::iter::repeat_n(names::Item::Named, front)
            .chain(returned.map(|name| names::Item::Text(name.clone())))
            .collect()
    }
}

/// Rows ready to be written.
pub struct Ready {
    pub plan: LogicalPlan,
    pub shape: Shape,
    /// How many columns at the front the statement cannot name.
    pub hidden: usize,
    /// What C++ needs to do it without a plan, if it is that simple.
    pub direct: Option<Vec<u8>>,
}

impl Ready {
    /// Adds which CHECK constraint of `table` is violated, and the columns of RETURNING. A star
    /// there stands for the columns of `target` first, then for those of the other tables.
    pub fn finish(
        mut self,
        planner: &Planner,
        table: &CppTable,
        items: &Option<Vec<SelectItem>>,
        target: &str,
        context: &PlannerContext,
    ) -> Res<Ready> {
        if self.shape.columns > 0 {
            let (of_indexes, own): (Vec<_>, Vec<_>) = table
                .stored_columns()?
                .into_iter()
                .partition(|(column, _)| is_hidden(table.schema.field(*column).name()));
            // Indexes may use stored columns.
            for stored in [own, of_indexes] {
                self.plan = self.with_stored_columns(planner, table, target, &stored)?;
            }
        }
        let schema = self.plan.schema().clone();
        let mut exprs: Vec<Expr> = (0..self.shape.written())
            .map(|i| Expr::Column(Column::from(schema.qualified_field(i))))
            .collect();
        if self.shape.columns > 0 {
            let checks = table.checks()?;
            let stored = of_table(&schema, target)?;
            let violated = violated(planner, &stored, &checks)?;
            let action = self.shape.action.then(|| exprs[0].clone());
            exprs.extend(violated.map(|e| unless_deleted(e, action).alias(VIOLATED)));
            self.shape.checks = checks.into_iter().map(|(name, _)| name).collect();
        }
        if let Some(items) = items {
            let mut list = List {
                planner,
                visible: &visible(&schema, self.hidden)?,
                target,
                context,
                exprs: Vec::new(),
                names: Vec::new(),
            };
            for item in items {
                list.add(item)?;
            }
            for (i, (expr, name)) in list.exprs.into_iter().zip(&list.names).enumerate() {
                refuse_aggregates(&expr, "RETURNING")?;
                // Two columns may have one name.
                let relation = TableReference::bare(format!("returning {i}"));
                exprs.push(expr.alias_qualified(Some(relation), name));
            }
            self.shape.returning = Some(list.names);
        }
        let as_it_is = self.shape.checks.is_empty() && self.shape.returning.is_none();
        if !as_it_is || exprs.len() != schema.fields().len() {
            self.plan = LogicalPlanBuilder::from(self.plan)
                .project(exprs)?
                .build()?;
        }
        Ok(self)
    }
}

impl Ready {
    /// The same rows with what these of the table's stored columns hold, computed from the others.
    fn with_stored_columns(
        &self,
        planner: &Planner,
        table: &CppTable,
        target: &str,
        stored: &[(usize, String)],
    ) -> Res<LogicalPlan> {
        if stored.is_empty() {
            return Ok(self.plan.clone());
        }
        let schema = self.plan.schema().clone();
        let visible = of_table(&schema, target)?;
        let all = |schema: &DFSchemaRef, width: usize| -> Vec<Expr> {
            let columns = (0..width).map(|i| Column::from(schema.qualified_field(i)));
            columns.map(Expr::Column).collect()
        };
        let width = schema.fields().len();
        let mut exprs = all(&schema, width);
        let action = self.shape.action.then(|| exprs[0].clone());
        for (column, sql) in stored {
            let sql = parse_expression(sql)?;
            let value = planner
                .sql()
                .sql_to_expr(sql, &visible, &mut PlannerContext::new())?;
            exprs.push(unless_deleted(value, action.clone()).alias(format!("stored {column}")));
        }
        let plan = LogicalPlanBuilder::from(self.plan.clone());
        let plan = planner.analysed(plan.project(exprs)?.build()?)?;
        let schema = plan.schema().clone();
        let mut exprs = all(&schema, width);
        for (i, (column, _)) in stored.iter().enumerate() {
            let field = table.schema.field(*column);
            let value = Expr::Column(Column::from(schema.qualified_field(width + i)));
            let value = assignment(value, &schema, field.data_type(), field.name())?;
            exprs[self.shape.written() - self.shape.columns + column] =
                value.alias_qualified(Some(TableReference::bare(target)), field.name());
        }
        Ok(LogicalPlanBuilder::from(plan).project(exprs)?.build()?)
    }
}

impl Shape {
    /// The columns in front of those of RETURNING.
    pub fn width(&self) -> usize {
        self.written() + usize::from(!self.checks.is_empty())
    }

    /// The columns that are written.
    fn written(&self) -> usize {
        usize::from(self.action) + usize::from(self.row_id) + self.columns
    }
}

/// What is deleted violates nothing any more.
fn unless_deleted(violated: Expr, action: Option<Expr>) -> Expr {
    let Some(action) = action else {
        return violated;
    };
    let kept = Box::new(action.not_eq(lit(merge::DELETE)));
    Expr::Case(Case::new(None, vec![(kept, Box::new(violated))], None))
}

/// The columns of one table.
fn of_table(schema: &DFSchemaRef, table: &str) -> Res<DFSchema> {
    let fields = schema
        .iter()
        .filter(|(qualifier, _)| qualifier.is_some_and(|q| q.table() == table))
        .map(|(qualifier, field)| (qualifier.cloned(), field.clone()))
        .collect();
    Ok(DFSchema::new_with_metadata(fields, Default::default())?)
}

/// A schema without its first columns and those that no statement sees.
fn visible(schema: &DFSchemaRef, hidden: usize) -> Res<DFSchema> {
    let fields = schema
        .iter()
        .skip(hidden)
        .filter(|(_, field)| !is_hidden(field.name()))
        .map(|(qualifier, field)| (qualifier.cloned(), field.clone()))
        .collect();
    Ok(DFSchema::new_with_metadata(fields, Default::default())?)
}

struct List<'a> {
    planner: &'a Planner<'a>,
    visible: &'a DFSchema,
    target: &'a str,
    context: &'a PlannerContext,
    exprs: Vec<Expr>,
    names: Vec<String>,
}

impl List<'_> {
    fn add(&mut self, item: &SelectItem) -> Res<()> {
        match item {
            SelectItem::Wildcard(options) => {
                refuse_options(options)?;
                self.add_columns(|relation, target| relation == target);
                self.add_columns(|relation, target| relation != target);
                Ok(())
            }
            SelectItem::QualifiedWildcard(kind, options) => {
                refuse_options(options)?;
                self.add_table(kind)
            }
            SelectItem::UnnamedExpr(expr) => {
                let planned = self.plan(expr)?;
                let name = match (names::of_item(item), &planned) {
                    (names::Item::Text(text), _) => text,
                    (_, Expr::Column(column)) => column.name.clone(),
                    (_, other) => other.schema_name().to_string(),
                };
                self.push(planned, name);
                Ok(())
            }
            SelectItem::ExprWithAlias { expr, alias } => {
                let planned = self.plan(expr)?;
                self.push(planned, ident_text(alias));
                Ok(())
            }
            SelectItem::ExprWithAliases { .. } => Err(BridgeError::unsupported(
                "several aliases of one expression",
            )),
        }
    }

    fn plan(&self, expr: &datafusion::sql::sqlparser::ast::Expr) -> Res<Expr> {
        let mut context = self.context.clone();
        Ok(self
            .planner
            .sql()
            .sql_to_expr(expr.clone(), self.visible, &mut context)?)
    }

    fn push(&mut self, expr: Expr, name: String) {
        self.exprs.push(expr);
        self.names.push(name);
    }

    fn add_columns(&mut self, wanted: impl Fn(&str, &str) -> bool) -> usize {
        let before = self.names.len();
        for (qualifier, field) in self.visible.iter() {
            if wanted(qualifier.map_or("", |q| q.table()), self.target) {
                self.exprs
                    .push(Expr::Column(Column::from((qualifier, field))));
                self.names.push(field.name().clone());
            }
        }
        self.names.len() - before
    }

    fn add_table(&mut self, kind: &SelectItemQualifiedWildcardKind) -> Res<()> {
        let name = match kind {
            SelectItemQualifiedWildcardKind::ObjectName(name) => name
                .0
                .last()
                .and_then(|part| part.as_ident())
                .map(ident_text),
            SelectItemQualifiedWildcardKind::Expr(_) => None,
        };
        let name = name.ok_or_else(|| BridgeError::unsupported("a star after an expression"))?;
        if self.add_columns(|relation, _| relation == name) == 0 {
            return Err(BridgeError::new(
                "42P01",
                format!("missing FROM-clause entry for table \"{name}\""),
            )
            .subject(name));
        }
        Ok(())
    }
}

fn refuse_options(options: &WildcardAdditionalOptions) -> Res<()> {
    let plain = WildcardAdditionalOptions {
        wildcard_token: options.wildcard_token.clone(),
        ..Default::default()
    };
    if plain != *options {
        return Err(BridgeError::unsupported("a star with EXCEPT or REPLACE"));
    }
    Ok(())
}

pub fn refuse_aggregates(expr: &Expr, place: &str) -> Res<()> {
    use datafusion::common::tree_node::TreeNode;
    let found = |wanted: fn(&Expr) -> bool| expr.exists(|e| Ok(wanted(e)));
    if found(|e| matches!(e, Expr::AggregateFunction(_)))? {
        return Err(BridgeError::new(
            "42803",
            format!("aggregate functions are not allowed in {place}"),
        ));
    }
    if found(|e| matches!(e, Expr::WindowFunction(_)))? {
        return Err(BridgeError::new(
            "42P20",
            format!("window functions are not allowed in {place}"),
        ));
    }
    Ok(())
}
