//! Statements of several parts, each a plan of its own: the update of ON CONFLICT DO UPDATE, and
//! the data-changing parts of WITH. What one part hands to another are rows that C++ gives under a
//! name that no statement can write.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::catalog::default_table_source::provider_as_source;
use datafusion::common::Column;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, ident};
use datafusion::sql::planner::PlannerContext;
use datafusion::sql::sqlparser::ast::{
    Cte, Expr as SqlExpr, Ident, Insert, OnConflictAction, OnInsert, SqliteOnConflict,
};

use crate::catalog::CppTable;
use crate::change::{Ready, Shape};
use crate::computed::is_hidden;
use crate::dml::{Dml, ROW_ID, Target, bare, insert_alias, parameter_types};
use crate::error::{BridgeError, Res};
use crate::names;
use crate::parse::{Kind, Name};
use crate::parse_change::change;
use crate::plan::Plan;
use crate::provider::Provider;
use crate::text::ident_text;

/// The rows that ON CONFLICT DO UPDATE changes, see tf_plan_child in bridge.h.
const CONFLICT: &str = "\u{1}conflict";
const EXCLUDED: &str = "excluded";

/// The rows of a data-changing WITH: this and its name.
const WITH_PREFIX: &str = "\u{1}with ";

impl Dml<'_> {
    /// WITH name AS (INSERT, UPDATE, DELETE or MERGE ...): a part of its own, whose rows the rest
    /// of the statement reads under the name.
    pub fn changing(&self, cte: &Cte, context: &mut PlannerContext) -> Res<()> {
        let name = ident_text(&cte.alias.name);
        let query = cte.query.as_ref().clone();
        if query.with.is_some() {
            return Err(
                BridgeError::unsupported("WITH inside of a data-changing WITH")
                    .at(self.text.offset(cte.alias.name.span.start)),
            );
        }
        let kind = change(self.text, None, *query.body)?;
        let mut part = self.part(&kind, context)?;
        let given = format!("{WITH_PREFIX}{name}");
        let Some(shape) = part.change.as_mut() else {
            return Err(BridgeError::internal("a part without a change"));
        };
        shape.given = given.clone();
        if let Some(names) = shape.shape.returning.as_mut() {
            for (name, column) in names.iter_mut().zip(&cte.alias.columns) {
                *name = ident_text(&column.name);
            }
            part.names = shape.shape.names();
            part.schema = Arc::new(names::rename(&part.schema, &part.names));
            let returned = part.schema.fields().iter().skip(shape.shape.width());
            let fields: Vec<Field> = returned
                .map(|field| field.as_ref().clone().with_nullable(true))
                .collect();
            let rows = Provider::given(&given, Arc::new(Schema::new(fields)));
            let source = provider_as_source(Arc::new(rows));
            let plan = LogicalPlanBuilder::scan(bare(&name), source, None)?;
            context.insert_cte(name, plan.build()?);
        } else {
            self.planner.add_silent(&name);
        }
        self.parts.borrow_mut().push(part);
        Ok(())
    }

    /// INSERT, UPDATE, DELETE or MERGE as a plan.
    pub fn part(&self, kind: &Kind, context: &PlannerContext) -> Res<Plan> {
        let plan = |title: &'static str, name: &Name, ready| {
            Plan::of_change(self.state, title, name, ready)
        };
        match kind {
            Kind::Insert(name, _, ast, conflict) => {
                let mut part = plan("Insert", name, self.insert(name, context, ast)?)?;
                if let Some(ready) = self.conflict(name, context, ast)? {
                    part.children.push(plan("Update", name, ready)?);
                }
                if let Some(change) = part.change.as_mut() {
                    change.conflict = conflict.clone();
                }
                Ok(part)
            }
            Kind::Update(name, _, ast) => plan("Update", name, self.update(name, context, ast)?),
            Kind::Delete(name, _, ast) => plan("Delete", name, self.delete(name, context, ast)?),
            Kind::Merge(name, _, ast) => plan("Merge", name, self.merge(name, context, ast)?),
            _ => Err(BridgeError::internal("no change")),
        }
    }

    /// Of INSERT ... ON CONFLICT DO UPDATE and INSERT OR REPLACE: the update of rows that are
    /// there, read from the rows that C++ gives it. None for any other INSERT.
    pub fn conflict(
        &self,
        name: &Name,
        context: &PlannerContext,
        ast: &Insert,
    ) -> Res<Option<Ready>> {
        let table = self.planner.table(&name.text)?;
        let target = Target {
            table: name.text.clone(),
            alias: insert_alias(name, ast),
        };
        let (assignments, selection) = match (&ast.on, &ast.or) {
            (Some(OnInsert::OnConflict(conflict)), _) => match &conflict.action {
                OnConflictAction::DoUpdate(update) => (&update.assignments, &update.selection),
                OnConflictAction::DoNothing => return Ok(None),
            },
            (_, Some(SqliteOnConflict::Replace)) => (&Vec::new(), &None),
            _ => return Ok(None),
        };
        let values = match &ast.on {
            Some(_) => self.new_values(&table, name, &target, assignments)?,
            None => all_excluded(&table),
        };
        let set = values.iter().enumerate();
        let set = set.filter_map(|(i, v)| v.as_ref().map(|v| (v, i)));
        let types = parameter_types(&table, set);
        let context = context.clone().with_prepare_param_data_types(types);
        let mut read = self.conflicting(&table, &target)?;
        if let Some(condition) = selection {
            let schema = read.schema().clone();
            let sql = self.planner.sql();
            let condition = sql.sql_to_expr(condition.clone(), &schema, &mut context.clone())?;
            read = LogicalPlanBuilder::from(read).filter(condition)?.build()?;
        }
        let plan = self.with_new_values(read, &table, &target, values, &context)?;
        let width = 1 + table.schema.fields().len();
        let schema = plan.schema().clone();
        let written = (0..width).map(|i| Expr::Column(Column::from(schema.qualified_field(i))));
        let ready = Ready {
            plan: LogicalPlanBuilder::from(plan).project(written)?.build()?,
            shape: Shape {
                row_id: true,
                columns: table.schema.fields().len(),
                ..Default::default()
            },
            hidden: 1,
            direct: None,
        };
        let ready = ready.finish(
            self.planner,
            &table,
            &ast.returning,
            &target.alias,
            &context,
        )?;
        Ok(Some(ready))
    }

    /// Row id, the proposed row as `excluded`, the row that is there under the target's name.
    fn conflicting(&self, table: &CppTable, target: &Target) -> Res<LogicalPlan> {
        let mut fields = vec![Field::new(ROW_ID, DataType::UInt64, true)];
        let mut exprs = vec![ident(ROW_ID).alias_qualified(Some(bare(&target.alias)), ROW_ID)];
        for (prefix, qualifier) in [("e", EXCLUDED), ("t", target.alias.as_str())] {
            for (i, field) in table.schema.fields().iter().enumerate() {
                let given = format!("{prefix}{i}");
                if !is_hidden(field.name()) {
                    exprs.push(ident(&given).alias_qualified(Some(bare(qualifier)), field.name()));
                }
                fields.push(Field::new(given, field.data_type().clone(), true));
            }
        }
        let rows = Provider::given(CONFLICT, Arc::new(Schema::new(fields)));
        let source = provider_as_source(Arc::new(rows));
        let plan = LogicalPlanBuilder::scan(bare("conflict"), source, None)?;
        Ok(plan.project(exprs)?.build()?)
    }
}

/// SET a = excluded.a, b = excluded.b, ...
fn all_excluded(table: &CppTable) -> Vec<Option<SqlExpr>> {
    let quoted = |part: &str| Ident::with_quote('"', part);
    let fields = table.schema.fields().iter();
    fields
        .map(|f| {
            let named = || SqlExpr::CompoundIdentifier(vec![quoted(EXCLUDED), quoted(f.name())]);
            (!is_hidden(f.name())).then(named)
        })
        .collect()
}
