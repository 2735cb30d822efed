//! What a change's read plan yields, column by column, and the part of it that every kind of change
//! shares: the expressions of RETURNING, computed over the rows as they will be stored.
//!
//!     _rowid?   all columns of the table?   what RETURNING asks for
//!
//! The rows that the writer does not apply (a row that was met before) are dropped by C++ together
//! with what they would have returned, so RETURNING answers the rows that really changed.

use datafusion::common::{Column, DFSchema, DFSchemaRef, TableReference};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::sql::planner::PlannerContext;
use datafusion::sql::sqlparser::ast::{
    SelectItem, SelectItemQualifiedWildcardKind, WildcardAdditionalOptions,
};

use crate::error::{BridgeError, Res};
use crate::names;
use crate::planner::Planner;
use crate::text::ident_text;

/// The columns of a change's read plan, "change" of bridge.h.
#[derive(Debug, Default, Clone)]
pub struct Shape {
    pub row_id: bool,
    /// How many columns of the table follow: all or none.
    pub columns: usize,
    /// What the columns of RETURNING are called; None without RETURNING.
    pub returning: Option<Vec<String>>,
}

#[derive(Debug)]
pub struct Change {
    /// "Insert: t" and the like, for EXPLAIN.
    pub title: String,
    pub shape: Shape,
}

impl Shape {
    /// The names of all columns, as `names::rename` takes them.
    pub fn names(&self) -> Vec<names::Item> {
        let front = usize::from(self.row_id) + self.columns;
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
}

impl Ready {
    /// Adds the columns of RETURNING. A star stands for the columns of `target` first, then for
    /// those of the other tables.
    pub fn returning(
        mut self,
        planner: &Planner,
        items: &Option<Vec<SelectItem>>,
        target: &str,
        context: &PlannerContext,
    ) -> Res<Ready> {
        let Some(items) = items else {
            return self.only_written();
        };
        let visible = visible(self.plan.schema(), self.hidden)?;
        let mut list = List {
            planner,
            visible: &visible,
            target,
            context,
            exprs: Vec::new(),
            names: Vec::new(),
        };
        for item in items {
            list.add(item)?;
        }
        let (returned, names) = (list.exprs, list.names);
        let schema = self.plan.schema().clone();
        let mut exprs: Vec<Expr> = (0..self.shape.width())
            .map(|i| Expr::Column(Column::from(schema.qualified_field(i))))
            .collect();
        for (i, (expr, name)) in returned.into_iter().zip(&names).enumerate() {
            refuse_aggregates(&expr, "RETURNING")?;
            // Two columns may have one name.
            let relation = TableReference::bare(format!("returning {i}"));
            exprs.push(expr.alias_qualified(Some(relation), name));
        }
        self.plan = LogicalPlanBuilder::from(self.plan)
            .project(exprs)?
            .build()?;
        self.shape.returning = Some(names);
        Ok(self)
    }

    // The columns of other tables are there for RETURNING alone.
    fn only_written(mut self) -> Res<Ready> {
        let schema = self.plan.schema().clone();
        let width = self.shape.width();
        if width < schema.fields().len() {
            let exprs = (0..width).map(|i| Expr::Column(Column::from(schema.qualified_field(i))));
            self.plan = LogicalPlanBuilder::from(self.plan)
                .project(exprs)?
                .build()?;
        }
        Ok(self)
    }
}

impl Shape {
    /// The columns in front of those of RETURNING.
    fn width(&self) -> usize {
        usize::from(self.row_id) + self.columns
    }
}

/// A schema without its first columns.
fn visible(schema: &DFSchemaRef, hidden: usize) -> Res<DFSchema> {
    let fields = schema
        .iter()
        .skip(hidden)
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
