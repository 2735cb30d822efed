//! MERGE as a query: each row of the join of source and target, and what becomes of it.
//!
//!     SELECT action, t._rowid, new value, ... FROM source LEFT JOIN t ON condition
//!
//! The first WHEN whose kind and condition fit decides. Values are computed for the rows of their
//! clause alone, so that `THEN UPDATE SET x = 1 / y` divides for nobody else. Rows for which
//! nothing is done do not leave the plan. With NOT MATCHED BY SOURCE it is a full join, and a
//! column of the source that is never NULL tells who came without one.

use datafusion::common::{Column, ScalarValue, TableReference};
use datafusion::logical_expr::expr::Case;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, ident, lit};
use datafusion::sql::planner::PlannerContext;
use datafusion::sql::sqlparser::ast::{
    self, Expr as SqlExpr, Ident, Join, JoinConstraint, JoinOperator, Merge, MergeAction,
    MergeClauseKind, MergeInsertExpr, MergeInsertKind, OutputClause, SelectItem, SetExpr,
    TableAlias, TableFactor, TableWithJoins,
};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Word};

use crate::catalog::CppTable;
use crate::change::{Ready, Shape, refuse_aggregates};
use crate::computed::is_hidden;
use crate::convert::assignment;
use crate::dml::{Dml, ROW_ID, Target, is_default, parse_query, select_all};
use crate::error::{BridgeError, Res};
use crate::generated::{self, is_overridden, refuse_value};
use crate::parse::Name;

/// What the first column says is done with a row; 0 is never seen.
const INSERT: i32 = 1;
const UPDATE: i32 = 2;
pub const DELETE: i32 = 3;

/// The column or the name by which DO NOTHING goes through the parser, which does not know it.
const NOTHING: &str = "\u{1}nothing";
/// The column of the source that is never NULL.
const PRESENT: &str = "\u{1}present";
const CLAUSE: &str = "clause";

/// A clause as values: for each column of the table what it becomes.
struct Clause {
    action: i32,
    values: Vec<Value>,
}

enum Value {
    Sql(SqlExpr),
    /// What the row that is there holds.
    Old,
    Default,
}

impl Dml<'_> {
    pub fn merge(&self, name: &Name, context: &PlannerContext, ast: &Merge) -> Res<Ready> {
        let table = self.planner.table(&name.text)?;
        let target = Target::of_factor(name, &ast.table);
        let read = self.joined(&target, ast, context)?;
        let clauses = ast
            .clauses
            .iter()
            .map(|c| self.clause(&table, name, &target, c));
        let clauses = clauses.collect::<Res<Vec<_>>>()?;
        let chosen = self.choose(read, &target, ast, &clauses, context)?;
        let plan = self.merged(chosen, &table, &target, &clauses, context)?;
        let ready = Ready {
            plan,
            shape: Shape {
                action: true,
                row_id: true,
                columns: table.schema.fields().len(),
                ..Default::default()
            },
            hidden: 2,
            direct: None,
        };
        let returning = match &ast.output {
            Some(OutputClause::Returning { select_items, .. }) => Some(select_items.clone()),
            _ => None,
        };
        ready.finish(self.planner, &table, &returning, &target.alias, context)
    }

    /// The source, joined with the target and its row ids.
    fn joined(&self, target: &Target, ast: &Merge, context: &PlannerContext) -> Res<LogicalPlan> {
        let by_source = |c: &ast::MergeClause| c.clause_kind == MergeClauseKind::NotMatchedBySource;
        let full = ast.clauses.iter().any(by_source);
        let on = JoinConstraint::On(ast.on.as_ref().clone());
        let relation = match full {
            true => with_presence(&ast.source)?,
            false => ast.source.clone(),
        };
        let from = TableWithJoins {
            relation,
            joins: vec![Join {
                relation: target.relation().relation,
                global: false,
                join_operator: match full {
                    true => JoinOperator::FullOuter(on),
                    false => JoinOperator::LeftOuter(on),
                },
            }],
        };
        self.query(select_all(vec![from], None)?, context)
    }

    fn clause(
        &self,
        table: &CppTable,
        name: &Name,
        target: &Target,
        ast: &ast::MergeClause,
    ) -> Res<Option<Clause>> {
        match &ast.action {
            MergeAction::Update(update) => {
                let first = update.assignments.first().map(|a| a.target.to_string());
                if first.is_some_and(|t| t.contains(NOTHING)) {
                    return Ok(None);
                }
                let values = self.new_values(table, name, target, &update.assignments)?;
                let values = values.into_iter().map(|v| v.map_or(Value::Old, Value::Sql));
                Ok(Some(Clause {
                    action: UPDATE,
                    values: values.collect(),
                }))
            }
            MergeAction::Insert(insert) => self.inserted(table, name, insert),
            MergeAction::Delete { .. } => Ok(Some(Clause {
                action: DELETE,
                values: table.schema.fields().iter().map(|_| Value::Old).collect(),
            })),
        }
    }

    fn inserted(
        &self,
        table: &CppTable,
        name: &Name,
        ast: &MergeInsertExpr,
    ) -> Res<Option<Clause>> {
        if ast.columns.iter().any(|c| c.to_string().contains(NOTHING)) {
            return Ok(None);
        }
        let MergeInsertKind::Values(values) = &ast.kind else {
            return Err(BridgeError::unsupported("INSERT ROW"));
        };
        let [row] = values.rows.as_slice() else {
            return Err(BridgeError::new(
                "42601",
                "INSERT in MERGE takes one row of values",
            ));
        };
        let listed = self.listed_columns(table, name, &ast.columns)?;
        let exact = !ast.columns.is_empty();
        if row.content.len() > listed.len() || (exact && row.content.len() < listed.len()) {
            return Err(BridgeError::new(
                "42601",
                format!(
                    "INSERT has {} values for {} columns",
                    row.content.len(),
                    listed.len()
                ),
            ));
        }
        let place = self.text.offset(ast.insert_token.0.span.start);
        let overriding = generated::overriding(self.text, place.unwrap_or(0) as u32);
        let mut all: Vec<Value> = table
            .schema
            .fields()
            .iter()
            .map(|_| Value::Default)
            .collect();
        for (value, column) in row.content.iter().zip(listed) {
            if !is_default(value) && !is_overridden(table, column, overriding)? {
                refuse_value(table, column, overriding, false)?;
                all[column] = Value::Sql(value.clone());
            }
        }
        Ok(Some(Clause {
            action: INSERT,
            values: all,
        }))
    }

    /// Only the rows for which something is done, and at their end the number of the clause.
    fn choose(
        &self,
        read: LogicalPlan,
        target: &Target,
        ast: &Merge,
        clauses: &[Option<Clause>],
        context: &PlannerContext,
    ) -> Res<LogicalPlan> {
        let schema = read.schema().clone();
        let present = schema.index_of_column_by_name(None, PRESENT);
        let present = present.map(|i| Expr::Column(Column::from(schema.qualified_field(i))));
        let has_target = || target.row_id().is_not_null();
        let mut cases = Vec::new();
        for (i, (clause, ast)) in clauses.iter().zip(&ast.clauses).enumerate() {
            let mut fits = match (ast.clause_kind, &present) {
                (MergeClauseKind::Matched, None) => has_target(),
                (MergeClauseKind::Matched, Some(p)) => has_target().and(p.clone().is_not_null()),
                (MergeClauseKind::NotMatchedBySource, Some(p)) => p.clone().is_null(),
                _ => target.row_id().is_null(),
            };
            if let Some(condition) = &ast.predicate {
                let sql = self.planner.sql();
                let condition =
                    sql.sql_to_expr(condition.clone(), &schema, &mut context.clone())?;
                refuse_aggregates(&condition, "MERGE WHEN conditions")?;
                fits = fits.and(condition.is_true());
            }
            let number = clause.as_ref().map(|_| i as i32);
            let number = Expr::Literal(ScalarValue::Int32(number), None);
            cases.push((Box::new(fits), Box::new(number)));
        }
        let chosen = Expr::Case(Case::new(None, cases, None)).alias(CLAUSE);
        let mut exprs: Vec<Expr> = schema
            .iter()
            .map(|f| Expr::Column(Column::from(f)))
            .collect();
        exprs.push(chosen);
        Ok(LogicalPlanBuilder::from(read)
            .project(exprs)?
            .filter(ident(CLAUSE).is_not_null())?
            .build()?)
    }

    /// Action, row id, the table's columns, then the columns of the source.
    fn merged(
        &self,
        chosen: LogicalPlan,
        table: &CppTable,
        target: &Target,
        clauses: &[Option<Clause>],
        context: &PlannerContext,
    ) -> Res<LogicalPlan> {
        let schema = chosen.schema().clone();
        let mut exprs = vec![target.row_id(), ident(CLAUSE)];
        for (i, clause) in clauses.iter().enumerate() {
            for (c, value) in clause.iter().flat_map(|c| c.values.iter().enumerate()) {
                let value = match value {
                    Value::Old if !is_hidden(table.schema.field(c).name()) => {
                        target.column(table.schema.field(c).name())
                    }
                    Value::Old | Value::Default => self.default_value(table, c)?,
                    Value::Sql(sql) => {
                        let sql = sql.clone();
                        let planner = self.planner.sql();
                        let value = planner.sql_to_expr(sql, &schema, &mut context.clone())?;
                        refuse_aggregates(&value, "MERGE")?;
                        value
                    }
                };
                let here = Box::new(ident(CLAUSE).eq(lit(i as i32)));
                let guarded = Case::new(None, vec![(here, Box::new(value))], None);
                let relation = TableReference::bare(format!("when {i}"));
                exprs.push(Expr::Case(guarded).alias_qualified(Some(relation), format!("{c}")));
            }
        }
        let own = |q: Option<&TableReference>| q.is_none_or(|q| q.table() == target.alias);
        let others = schema
            .iter()
            .filter(|(q, f)| !own(*q) && f.name() != PRESENT);
        exprs.extend(others.map(|f| Expr::Column(Column::from(f))));
        let plan = LogicalPlanBuilder::from(chosen).project(exprs)?.build()?;
        self.assigned(self.analysed(plan)?, table, target, clauses)
    }

    fn assigned(
        &self,
        plan: LogicalPlan,
        table: &CppTable,
        target: &Target,
        clauses: &[Option<Clause>],
    ) -> Res<LogicalPlan> {
        let schema = plan.schema().clone();
        let width = table.schema.fields().len();
        let column = |i: usize| Expr::Column(Column::from(schema.qualified_field(i)));
        let case = |cases| Expr::Case(Case::new(Some(Box::new(column(1))), cases, None));
        let done: Vec<(usize, i32)> = clauses
            .iter()
            .enumerate()
            .filter_map(|(i, c)| Some((i, c.as_ref()?.action)))
            .collect();
        let number = |n: i32| Box::new(lit(n));
        let actions = done
            .iter()
            .map(|(i, action)| (number(*i as i32), number(*action)));
        let mut exprs = vec![
            case(actions.collect()).alias("action"),
            column(0).alias(ROW_ID),
        ];
        for (c, field) in table.schema.fields().iter().enumerate() {
            let mut cases = Vec::new();
            for (k, (i, _)) in done.iter().enumerate() {
                let value = column(2 + k * width + c);
                let value = assignment(value, &schema, field.data_type(), field.name())?;
                cases.push((number(*i as i32), Box::new(value)));
            }
            let value = match cases.is_empty() {
                true => Expr::Literal(ScalarValue::try_new_null(field.data_type())?, None),
                false => case(cases),
            };
            exprs.push(value.alias_qualified(Some(target.reference()), field.name()));
        }
        exprs.extend((2 + done.len() * width..schema.fields().len()).map(column));
        Ok(LogicalPlanBuilder::from(plan).project(exprs)?.build()?)
    }
}

/// (SELECT *, true AS present FROM source) AS source
fn with_presence(source: &TableFactor) -> Res<TableFactor> {
    let alias = match source {
        TableFactor::Table {
            name, alias: None, ..
        } => name.0.last().and_then(|part| part.as_ident()).cloned(),
        TableFactor::Table { alias, .. } | TableFactor::Derived { alias, .. } => {
            alias.as_ref().map(|a| a.name.clone())
        }
        _ => None,
    };
    let alias = alias.ok_or_else(|| {
        BridgeError::unsupported("WHEN NOT MATCHED BY SOURCE with this kind of source")
    })?;
    let mut query = parse_query("SELECT *, true AS x")?;
    if let SetExpr::Select(select) = query.body.as_mut() {
        if let Some(SelectItem::ExprWithAlias { alias, .. }) = select.projection.last_mut() {
            *alias = Ident::with_quote('"', PRESENT);
        }
        select.from = vec![TableWithJoins {
            relation: source.clone(),
            joins: vec![],
        }];
    }
    Ok(TableFactor::Derived {
        lateral: false,
        subquery: query,
        alias: Some(TableAlias {
            explicit: true,
            name: alias,
            columns: vec![],
            at: None,
        }),
        sample: None,
    })
}

/// DO NOTHING of a WHEN clause as an action that the parser knows, with the same places.
pub fn rewrite_tokens(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let word = |t: &TokenWithSpan| match &t.token {
        Token::Word(w) if w.quote_style.is_none() => w.keyword,
        _ => Keyword::NoKeyword,
    };
    if !tokens.iter().any(|t| word(t) == Keyword::MERGE) {
        return tokens;
    }
    let places: Vec<usize> = (0..tokens.len())
        .filter(|i| !matches!(tokens[*i].token, Token::Whitespace(_)))
        .collect();
    let at = |n: usize| {
        places
            .get(n)
            .map_or(Keyword::NoKeyword, |i| word(&tokens[*i]))
    };
    let (mut out, mut insert) = (Vec::with_capacity(tokens.len()), false);
    let (mut n, mut copied) = (0, 0);
    while n < places.len() {
        match (at(n), at(n + 1), at(n + 2)) {
            (Keyword::WHEN, Keyword::MATCHED, _) => insert = false,
            (Keyword::WHEN, Keyword::NOT, Keyword::MATCHED) => {
                insert = at(n + 3) != Keyword::BY || at(n + 4) != Keyword::SOURCE;
            }
            (Keyword::THEN, Keyword::DO, Keyword::NOTHING) => {
                out.extend_from_slice(&tokens[copied..=places[n]]);
                out.extend(nothing(insert, &tokens[places[n + 1]]));
                copied = places[n + 2] + 1;
                n += 2;
            }
            _ => {}
        }
        n += 1;
    }
    out.extend_from_slice(&tokens[copied..]);
    out
}

fn nothing(insert: bool, place: &TokenWithSpan) -> Vec<TokenWithSpan> {
    let word = |value: &str, quote_style, keyword| {
        Token::Word(Word {
            value: value.to_string(),
            quote_style,
            keyword,
        })
    };
    let name = word(NOTHING, Some('"'), Keyword::NoKeyword);
    let zero = Token::Number("0".to_string(), false);
    let tokens = match insert {
        true => vec![
            word("INSERT", None, Keyword::INSERT),
            Token::LParen,
            name,
            Token::RParen,
            word("VALUES", None, Keyword::VALUES),
            Token::LParen,
            zero,
            Token::RParen,
        ],
        false => vec![
            word("UPDATE", None, Keyword::UPDATE),
            word("SET", None, Keyword::SET),
            name,
            Token::Eq,
            zero,
        ],
    };
    let spaced = |token| {
        [
            Token::Whitespace(datafusion::sql::sqlparser::tokenizer::Whitespace::Space),
            token,
        ]
    };
    tokens
        .into_iter()
        .flat_map(spaced)
        .map(|token| TokenWithSpan {
            token,
            span: place.span,
        })
        .collect()
}
