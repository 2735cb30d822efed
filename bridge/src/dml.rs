//! INSERT, UPDATE and DELETE as queries: the read side, whose rows the C++ writer applies.
//!
//!     INSERT  source query -> all columns of the table in its order, defaults filled in, converted
//!     UPDATE  SELECT t._rowid, new value or old value, ... FROM t [, from] [WHERE]
//!     DELETE  SELECT t._rowid FROM t [, using] [WHERE]
//!
//! What UPDATE and DELETE read is planned as SELECT * over the tables that they name, so joins and
//! subqueries go through the ordinary planner; the new values are projections over it. The
//! conversions are added after analysis, because only then the types of all expressions are final.
//! What all changes share, from there on, is in `change.rs`.

use std::cell::RefCell;
use std::sync::Arc;

use arrow::datatypes::{Field, FieldRef, Schema};
use datafusion::common::{Column, DFSchema, ScalarValue, TableReference};
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::sql::planner::PlannerContext;
use datafusion::sql::sqlparser::ast::{
    self, Assignment, AssignmentTarget, Delete, Expr as SqlExpr, FromTable, Ident, Insert,
    ObjectName, Query, SelectItem, SetExpr, Statement, TableAlias, TableFactor, TableWithJoins,
    Update, UpdateTableFromKind, Value, With,
};
use datafusion::sql::sqlparser::parser::Parser;

use crate::catalog::CppTable;
use crate::change::{Ready, Shape, refuse_aggregates};
use crate::check;
use crate::computed::is_hidden;
use crate::convert::assignment;
use crate::dependent;
use crate::direct;
use crate::error::{BridgeError, Res};
use crate::filters::parameter_index;
use crate::generated::{self, Generated, Overriding, is_overridden, refuse_value};
use crate::parse::{Name, bare_name};
use crate::parse_change::is_change;
use crate::plan::Plan;
use crate::planner::{Planner, ROWS};
use crate::suggest;
use crate::text::{DIALECT, Text, ident_text};

/// access::kRowIdColumn.
pub const ROW_ID: &str = "_rowid";

/// The qualifier of values that are not converted yet.
const NEW_VALUES: &str = "new";

pub struct Dml<'a> {
    pub planner: &'a Planner<'a>,
    pub state: &'a SessionState,
    pub text: &'a Text,
    /// The data-changing parts of WITH, in their order.
    pub parts: RefCell<Vec<Plan>>,
}

impl Dml<'_> {
    pub fn insert(&self, name: &Name, context: &PlannerContext, ast: &Insert) -> Res<Ready> {
        let table = self.planner.table(&name.text)?;
        let alias = insert_alias(name, ast);
        let listed = self.listed_columns(&table, name, &ast.columns)?;
        let overriding = generated::overriding(self.text, name.position);
        let (source, given) = match &ast.source {
            Some(query) => self.insert_source(&table, name, context, query, &listed, ast)?,
            None => (LogicalPlanBuilder::empty(true).build()?, 0),
        };
        let source = self.analysed(source)?;
        let schema = source.schema().clone();
        let mut exprs = Vec::new();
        for (i, field) in table.schema.fields().iter().enumerate() {
            let mut place = listed[..given].iter().position(|c| *c == i);
            if is_overridden(&table, i, overriding)? {
                place = None;
            }
            let value = match place {
                Some(place) => {
                    let column = Expr::Column(Column::from(schema.qualified_field(place)));
                    assignment(column, &schema, field.data_type(), field.name())?
                }
                None => self.default_value(&table, i)?,
            };
            exprs.push(value.alias_qualified(Some(bare(&alias)), field.name()));
        }
        let ready = Ready {
            plan: LogicalPlanBuilder::from(source).project(exprs)?.build()?,
            shape: Shape {
                columns: table.schema.fields().len(),
                ..Default::default()
            },
            hidden: 0,
            direct: match overriding {
                Overriding::User => None,
                _ => direct::insert(&table, &alias, &listed, ast),
            },
        };
        ready.finish(self.planner, &table, &ast.returning, &alias, context)
    }

    /// What WITH in front of the statement defines, for all its expressions.
    pub fn context(&self, with: &Option<With>) -> Res<PlannerContext> {
        let mut context = PlannerContext::new();
        let Some(with) = with else {
            return Ok(context);
        };
        for (i, cte) in with.cte_tables.iter().enumerate() {
            let name = ident_text(&cte.alias.name);
            if context.contains_cte(&name) {
                return Err(BridgeError::new(
                    "42712",
                    format!("WITH query name \"{name}\" specified more than once"),
                )
                .subject(name));
            }
            if is_change(&cte.query) {
                self.changing(cte, &mut context)?;
                continue;
            }
            let mut query = select_all(vec![], None)?;
            if let SetExpr::Select(select) = query.body.as_mut() {
                select.from = vec![table_named(&[&name], None)];
            }
            query.with = Some(With {
                with_token: with.with_token.clone(),
                recursive: with.recursive,
                cte_tables: with.cte_tables[i..=i].to_vec(),
            });
            let plan = self.query(query, &context)?;
            let plan = LogicalPlanBuilder::from(plan).alias(bare(&name))?;
            context.insert_cte(name, plan.build()?);
        }
        Ok(context)
    }

    pub fn query(&self, query: Box<Query>, context: &PlannerContext) -> Res<LogicalPlan> {
        let mut context = context.clone();
        Ok(self
            .planner
            .sql()
            .sql_statement_to_plan_with_context(Statement::Query(query), &mut context)?)
    }

    /// Table columns in the order in which values come.
    pub fn listed_columns(
        &self,
        table: &CppTable,
        name: &Name,
        columns: &[ObjectName],
    ) -> Res<Vec<usize>> {
        if columns.is_empty() {
            return Ok((0..table.visible.fields().len()).collect());
        }
        let mut listed = Vec::new();
        for column in columns {
            let [ast::ObjectNamePart::Identifier(ident)] = column.0.as_slice() else {
                return Err(BridgeError::new(
                    "42601",
                    format!("{column} is not the name of a column"),
                ));
            };
            let index = self.column_index(table, name, ident)?;
            if listed.contains(&index) {
                return Err(self.twice(ident));
            }
            listed.push(index);
        }
        Ok(listed)
    }

    fn column_index(&self, table: &CppTable, name: &Name, ident: &Ident) -> Res<usize> {
        let wanted = ident_text(ident);
        table.visible.index_of(&wanted).map_err(|_| {
            let known = table.visible.fields().iter().map(|f| f.name().as_str());
            BridgeError::new(
                "42703",
                format!(
                    "column \"{wanted}\" of table \"{}\" does not exist",
                    name.text
                ),
            )
            .at(self.text.offset(ident.span.start))
            .hint(suggest::hint(&wanted, known))
        })
    }

    fn twice(&self, ident: &Ident) -> Box<BridgeError> {
        BridgeError::new(
            "42701",
            format!("column \"{}\" is given more than once", ident_text(ident)),
        )
        .at(self.text.offset(ident.span.start))
    }

    /// The plan of the rows, and how many columns they have.
    fn insert_source(
        &self,
        table: &CppTable,
        name: &Name,
        context: &PlannerContext,
        query: &Query,
        listed: &[usize],
        ast: &Insert,
    ) -> Res<(LogicalPlan, usize)> {
        let mut query = query.clone();
        let overriding = generated::overriding(self.text, name.position);
        if let SetExpr::Values(values) = query.body.as_mut() {
            self.fill_defaults(table, values, listed, overriding)?;
        }
        let types = parameter_types(table, given(&query, listed));
        let context = context.clone().with_prepare_param_data_types(types);
        let at = ast.source.as_ref().and_then(|_| {
            let position = self.text.find_name("values", false);
            position.or_else(|| self.text.find_name("select", false))
        });
        let is_values = matches!(*query.body, SetExpr::Values(_));
        let plan = self.query(Box::new(query), &context)?;
        let given = plan.schema().fields().len();
        for column in listed.iter().take(given).filter(|_| !is_values) {
            refuse_value(table, *column, overriding, false)?;
        }
        if given > listed.len() {
            return Err(BridgeError::new(
                "42601",
                format!(
                    "too many values for INSERT: {given} where \"{}\" takes {}",
                    name.text,
                    listed.len()
                ),
            )
            .at(at));
        }
        if given < listed.len() && !ast.columns.is_empty() {
            return Err(BridgeError::new(
                "42601",
                format!(
                    "too few values for INSERT: {given} for {} columns",
                    listed.len()
                ),
            )
            .at(at));
        }
        Ok((plan, given))
    }

    // DEFAULT in a row of VALUES stands for the text of the column's default.
    fn fill_defaults(
        &self,
        table: &CppTable,
        values: &mut ast::Values,
        listed: &[usize],
        overriding: Overriding,
    ) -> Res<()> {
        let width = values.rows.first().map_or(0, |row| row.content.len());
        for row in &mut values.rows {
            if row.content.len() != width {
                return Err(BridgeError::new(
                    "42601",
                    "the rows of VALUES must all have the same number of values",
                )
                .at(self.text.offset(row.opening_token.0.span.start)));
            }
            for (value, column) in row.content.iter_mut().zip(listed) {
                if is_default(value) {
                    *value = self.default_syntax(table, *column)?;
                } else {
                    refuse_value(table, *column, overriding, false)?;
                }
                // One row may say 0.5 and another 1e300: both are doubles here.
                if table.schema.field(*column).data_type().is_floating() && is_number(value) {
                    let double = ast::DataType::Double(ast::ExactNumberInfo::None);
                    *value = check::cast(value.clone(), double);
                }
            }
        }
        Ok(())
    }

    fn default_syntax(&self, table: &CppTable, column: usize) -> Res<SqlExpr> {
        let stored = table.generated(column as u32)? == Generated::Stored;
        match table.column_default(column as u32)?.filter(|_| !stored) {
            Some(sql) => parse_expression(&sql),
            None => Ok(SqlExpr::Value(Value::Null.into())),
        }
    }

    pub fn default_value(&self, table: &CppTable, column: usize) -> Res<Expr> {
        let field = table.schema.field(column);
        // What is stored is computed when the other columns are known.
        let stored = table.generated(column as u32)? == Generated::Stored;
        let Some(sql) = table.column_default(column as u32)?.filter(|_| !stored) else {
            let null = ScalarValue::try_new_null(field.data_type())?;
            return Ok(Expr::Literal(null, None));
        };
        let empty = DFSchema::empty();
        let expr = self.planner.sql().sql_to_expr(
            parse_expression(&sql)?,
            &empty,
            &mut PlannerContext::new(),
        )?;
        assignment(expr, &empty, field.data_type(), field.name())
    }

    pub fn update(&self, name: &Name, context: &PlannerContext, ast: &Update) -> Res<Ready> {
        let table = self.planner.table(&name.text)?;
        let target = Target::new(name, &ast.table);
        let values = self.new_values(&table, name, &target, &ast.assignments)?;
        let set = values.iter().enumerate();
        let set = set.filter_map(|(i, v)| v.as_ref().map(|v| (v, i)));
        let types = parameter_types(&table, set);
        let from = match &ast.from {
            Some(UpdateTableFromKind::AfterSet(from)) => from.clone(),
            _ => vec![],
        };
        let context = context.clone().with_prepare_param_data_types(types);
        let read = self.read(&target, from, &ast.selection, &context)?;
        let plan = self.with_new_values(read, &table, &target, values, &context)?;
        let ready = Ready {
            plan,
            shape: Shape {
                row_id: true,
                columns: table.schema.fields().len(),
                ..Default::default()
            },
            hidden: 1,
            direct: direct::update(&table, &target.alias, ast),
        };
        ready.finish(
            self.planner,
            &table,
            &ast.returning,
            &target.alias,
            &context,
        )
    }

    /// For each column of the table, what SET gives it.
    pub fn new_values(
        &self,
        table: &CppTable,
        name: &Name,
        target: &Target,
        assignments: &[Assignment],
    ) -> Res<Vec<Option<SqlExpr>>> {
        let mut values: Vec<Option<SqlExpr>> = vec![None; table.schema.fields().len()];
        for (ident, value) in self.assignments(target, assignments)? {
            let index = self.column_index(table, name, &ident)?;
            if values[index].is_some() {
                return Err(self.twice(&ident));
            }
            values[index] = Some(if is_default(&value) {
                self.default_syntax(table, index)?
            } else {
                refuse_value(table, index, Overriding::Nothing, true)?;
                value
            });
        }
        Ok(values)
    }

    /// Row id, the table's columns with their new values, then the columns of the other tables.
    pub fn with_new_values(
        &self,
        read: LogicalPlan,
        table: &CppTable,
        target: &Target,
        values: Vec<Option<SqlExpr>>,
        context: &PlannerContext,
    ) -> Res<LogicalPlan> {
        let schema = read.schema().clone();
        let mut exprs = vec![target.row_id()];
        for (i, (field, value)) in table.schema.fields().iter().zip(values).enumerate() {
            exprs.push(match value {
                Some(sql) => {
                    let mut context = context.clone();
                    let value = self.planner.sql().sql_to_expr(sql, &schema, &mut context)?;
                    refuse_aggregates(&value, "UPDATE")?;
                    value.alias_qualified(Some(bare(NEW_VALUES)), format!("{i}"))
                }
                None if is_hidden(field.name()) => {
                    let value = self.default_value(table, i)?;
                    value.alias_qualified(Some(bare(NEW_VALUES)), format!("{i}"))
                }
                None => target.column(field.name()),
            });
        }
        let others = |q: Option<&TableReference>| q.is_none_or(|q| q.table() != target.alias);
        for (qualifier, field) in schema.iter().filter(|(q, _)| others(*q)) {
            exprs.push(Expr::Column(Column::from((qualifier, field))));
        }
        let plan = LogicalPlanBuilder::from(read).project(exprs)?.build()?;
        let plan = self.analysed(plan)?;
        let schema = plan.schema().clone();
        let column = |i: usize| Expr::Column(Column::from(schema.qualified_field(i)));
        let mut exprs = vec![column(0).alias(ROW_ID)];
        for (i, field) in table.schema.fields().iter().enumerate() {
            let value = assignment(column(i + 1), &schema, field.data_type(), field.name())?;
            exprs.push(value.alias_qualified(Some(bare(&target.alias)), field.name()));
        }
        exprs.extend((exprs.len()..schema.fields().len()).map(column));
        Ok(LogicalPlanBuilder::from(plan).project(exprs)?.build()?)
    }

    /// Each column that SET names, and its value; (a, b) = (1, 2) becomes two.
    fn assignments(
        &self,
        target: &Target,
        assignments: &[Assignment],
    ) -> Res<Vec<(Ident, SqlExpr)>> {
        let mut all = Vec::new();
        for assignment in assignments {
            match (&assignment.target, &assignment.value) {
                (AssignmentTarget::ColumnName(name), value) => {
                    all.push((self.set_column(target, name)?, value.clone()));
                }
                (AssignmentTarget::Tuple(names), SqlExpr::Tuple(values)) => {
                    if names.len() != values.len() {
                        return Err(BridgeError::new(
                            "42601",
                            "SET has not as many values as columns",
                        ));
                    }
                    for (name, value) in names.iter().zip(values) {
                        all.push((self.set_column(target, name)?, value.clone()));
                    }
                }
                (AssignmentTarget::Tuple(names), SqlExpr::Subquery(query)) => {
                    for (i, name) in names.iter().enumerate() {
                        let value = one_of(query, i, names.len())?;
                        all.push((self.set_column(target, name)?, value));
                    }
                }
                (AssignmentTarget::Tuple(names), value) => {
                    let [name] = names.as_slice() else {
                        return Err(BridgeError::new(
                            "42601",
                            "SET has not as many values as columns",
                        ));
                    };
                    let value = match value {
                        SqlExpr::Nested(inner) => inner.as_ref().clone(),
                        other => other.clone(),
                    };
                    all.push((self.set_column(target, name)?, value));
                }
            }
        }
        Ok(all)
    }

    fn set_column(&self, target: &Target, name: &ObjectName) -> Res<Ident> {
        let parts: Vec<&Ident> = name.0.iter().filter_map(|p| p.as_ident()).collect();
        match parts.as_slice() {
            [column] => Ok((*column).clone()),
            [table, column] if ident_text(table) == target.alias => Ok((*column).clone()),
            [table, ..] => Err(BridgeError::new(
                "42P01",
                format!(
                    "SET names \"{}\", but UPDATE changes \"{}\"",
                    ident_text(table),
                    target.alias
                ),
            )
            .at(self.text.offset(table.span.start))),
            [] => Err(BridgeError::new("42601", "SET needs a column")),
        }
    }

    pub fn delete(&self, name: &Name, context: &PlannerContext, ast: &Delete) -> Res<Ready> {
        let table = self.planner.table(&name.text)?;
        let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &ast.from;
        let target = Target::new(name, &from[0]);
        let using = ast.using.clone().unwrap_or_default();
        let plan = self.read(&target, using, &ast.selection, context)?;
        let schema = plan.schema().clone();
        let row_id = target.row_id();
        let mut exprs = vec![row_id.clone().alias(ROW_ID)];
        let columns = schema.iter().map(|f| Expr::Column(Column::from(f)));
        exprs.extend(columns.filter(|c| *c != row_id));
        let ready = Ready {
            plan: LogicalPlanBuilder::from(plan).project(exprs)?.build()?,
            shape: Shape {
                row_id: true,
                ..Default::default()
            },
            hidden: 1,
            direct: direct::delete(&table, &target.alias, ast),
        };
        ready.finish(self.planner, &table, &ast.returning, &target.alias, context)
    }

    /// The rows of the target with their row ids, joined with the other tables.
    fn read(
        &self,
        target: &Target,
        others: Vec<TableWithJoins>,
        selection: &Option<SqlExpr>,
        context: &PlannerContext,
    ) -> Res<LogicalPlan> {
        let mut from = vec![target.relation()];
        from.extend(others);
        self.query(select_all(from, selection.clone())?, context)
    }

    pub fn analysed(&self, plan: LogicalPlan) -> Res<LogicalPlan> {
        let options = self.state.config_options();
        let analyse = |plan| {
            self.state
                .analyzer()
                .execute_and_check(plan, options, |_, _| {})
        };
        match analyse(plan.clone()) {
            // DataFusion refuses some subqueries that we can turn into joins.
            Err(_) if dependent::has_subqueries(&plan) => Ok(analyse(dependent::to_joins(&plan)?)?),
            analysed => Ok(analysed?),
        }
    }
}

/// The table that UPDATE or DELETE changes, under the name by which the statement speaks of it.
pub struct Target {
    pub table: String,
    pub alias: String,
}

impl Target {
    fn new(name: &Name, written: &TableWithJoins) -> Target {
        Target::of_factor(name, &written.relation)
    }

    pub fn of_factor(name: &Name, written: &TableFactor) -> Target {
        let alias = match written {
            TableFactor::Table { alias: Some(a), .. } => ident_text(&a.name),
            _ => bare_name(&name.text),
        };
        Target {
            table: name.text.clone(),
            alias,
        }
    }

    pub fn relation(&self) -> TableWithJoins {
        table_named(&[ROWS, &self.table], Some(&self.alias))
    }

    pub fn column(&self, name: &str) -> Expr {
        Expr::Column(Column::new(Some(bare(&self.alias)), name))
    }

    pub fn row_id(&self) -> Expr {
        self.column(ROW_ID)
    }

    pub fn reference(&self) -> TableReference {
        bare(&self.alias)
    }
}

/// Column `i` of a query of `width` columns, as a value.
fn one_of(query: &Query, i: usize, width: usize) -> Res<SqlExpr> {
    let mut one = query.clone();
    let SetExpr::Select(select) = one.body.as_mut() else {
        return Err(BridgeError::unsupported(
            "SET (columns) = a query that is not a plain SELECT",
        ));
    };
    let plain = |item: &SelectItem| {
        matches!(
            item,
            SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. }
        )
    };
    if select.distinct.is_some() || !select.projection.iter().all(plain) {
        return Err(BridgeError::unsupported(
            "SET (columns) = (SELECT) with DISTINCT or a star",
        ));
    }
    if select.projection.len() != width {
        return Err(BridgeError::new(
            "42601",
            "number of columns does not match number of values",
        ));
    }
    select.projection = vec![select.projection[i].clone()];
    Ok(SqlExpr::Subquery(Box::new(one)))
}

/// The name by which INSERT speaks of its table.
pub fn insert_alias(name: &Name, ast: &Insert) -> String {
    match &ast.table_alias {
        Some(alias) => ident_text(&alias.alias),
        None => bare_name(&name.text),
    }
}

pub fn bare(name: &str) -> TableReference {
    TableReference::bare(name)
}

fn table_named(name: &[&str], alias: Option<&str>) -> TableWithJoins {
    let quoted = |part: &str| Ident::with_quote('"', part);
    TableWithJoins {
        relation: TableFactor::Table {
            name: ObjectName::from(name.iter().map(|part| quoted(part)).collect::<Vec<_>>()),
            alias: alias.map(|alias| TableAlias {
                explicit: true,
                name: quoted(alias),
                columns: vec![],
                at: None,
            }),
            args: None,
            with_hints: vec![],
            version: None,
            with_ordinality: false,
            partitions: vec![],
            json_path: None,
            sample: None,
            index_hints: vec![],
        },
        joins: vec![],
    }
}

/// SELECT * FROM `from` WHERE `selection`.
pub fn select_all(from: Vec<TableWithJoins>, selection: Option<SqlExpr>) -> Res<Box<Query>> {
    let mut query = parse_query("SELECT *")?;
    let SetExpr::Select(select) = query.body.as_mut() else {
        return Err(BridgeError::internal("not a SELECT"));
    };
    select.from = from;
    select.selection = selection;
    Ok(query)
}

/// The expressions that become values of table columns, as far as they can be seen.
fn given<'a>(query: &'a Query, listed: &'a [usize]) -> Vec<(&'a SqlExpr, usize)> {
    let listed = listed.iter().copied();
    match query.body.as_ref() {
        SetExpr::Values(values) => values
            .rows
            .iter()
            .flat_map(|row| row.content.iter().zip(listed.clone()))
            .collect(),
        SetExpr::Select(select) => select
            .projection
            .iter()
            .zip(listed)
            .filter_map(|(item, column)| match item {
                SelectItem::UnnamedExpr(expr) => Some((expr, column)),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// A parameter that is a value by itself has the type of its column.
pub fn parameter_types<'a>(
    table: &CppTable,
    values: impl IntoIterator<Item = (&'a SqlExpr, usize)>,
) -> Vec<Option<FieldRef>> {
    let mut types: Vec<Option<FieldRef>> = Vec::new();
    for (value, column) in values {
        let SqlExpr::Value(v) = value else { continue };
        let Value::Placeholder(id) = &v.value else {
            continue;
        };
        let Some(index) = parameter_index(id) else {
            continue;
        };
        let index = index as usize;
        if types.len() <= index {
            types.resize(index + 1, None);
        }
        let field = table.schema.field(column);
        types[index] = Some(Arc::new(Field::new(
            field.name(),
            field.data_type().clone(),
            true,
        )));
    }
    types
}

fn is_number(expr: &SqlExpr) -> bool {
    match expr {
        SqlExpr::Value(v) => matches!(v.value, Value::Number(..)),
        SqlExpr::UnaryOp { expr, .. } => is_number(expr),
        _ => false,
    }
}

pub fn is_default(expr: &SqlExpr) -> bool {
    matches!(expr, SqlExpr::Identifier(i)
        if i.quote_style.is_none() && i.value.eq_ignore_ascii_case("default"))
}

pub fn parse_query(sql: &str) -> Res<Box<Query>> {
    Parser::new(&DIALECT)
        .try_with_sql(sql)
        .and_then(|mut p| p.parse_query())
        .map_err(|e| BridgeError::internal(&e.to_string()))
}

/// One expression and nothing after it.
pub fn parse_expression(sql: &str) -> Res<SqlExpr> {
    let text = Text::new(sql)?;
    let mut expr = expression_of(&text)?;
    check::expression(&text, &mut expr)?;
    Ok(expr)
}

/// The same as it is written.
pub fn read_expression(sql: &str) -> Res<SqlExpr> {
    expression_of(&Text::new(sql)?)
}

fn expression_of(text: &Text) -> Res<SqlExpr> {
    let mut parser = Parser::new(&DIALECT).with_tokens_with_locations(text.tokens.clone());
    let mut reader = crate::parse::Reader::new(text, &mut parser);
    let expr = reader.parser.parse_expr().map_err(|e| reader.syntax(e))?;
    reader.expect(
        datafusion::sql::sqlparser::tokenizer::Token::EOF,
        "the end of the expression",
    )?;
    Ok(expr)
}

/// The schema with every column nullable: what may be null is the writer's to check.
pub fn nullable(schema: &Schema) -> Schema {
    let fields: Vec<Field> = schema
        .fields()
        .iter()
        .map(|f| f.as_ref().clone().with_nullable(true))
        .collect();
    Schema::new(fields)
}
