//! Queries before they are planned: what DataFusion would drop in silence is refused, what it does
//! not read but means the same is rewritten.
//!
//! Rewritten: items of select lists get names of their own (names.rs); FETCH FIRST n ROWS becomes
//! LIMIT; numbers with an exponent, or with more digits than a DECIMAL holds, become DOUBLE (other
//! numbers with a point are DECIMAL); IS DISTINCT FROM ends where it should; gen_random_uuid() is
//! uuid()::uuid.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CastKind, DataType, Delete, ExactNumberInfo, Expr, FromTable, Function, Insert,
    LimitClause, Merge, MergeAction, ObjectName, OnInsert, OutputClause, Query, Select, SelectItem,
    SetExpr, Spanned, SqliteOnConflict, TableAliasColumnDef, TableFactor, TableObject,
    TableWithJoins, UnaryOperator, Update, UpdateTableFromKind, Value, ValueWithSpan, VisitMut,
    VisitorMut, With,
};

use crate::dialect;
use crate::error::{BridgeError, Res};
use crate::error_text::invalid_input;
use crate::names;
use crate::sequence_functions::strip_regclass;
use crate::text::Text;

type Flow = ControlFlow<Box<BridgeError>>;

/// The column of `generate_series(1, 3) AS n` is called n.
fn name_only_column(factor: &mut TableFactor) {
    let alias = match factor {
        TableFactor::Table {
            name,
            args: Some(_),
            alias: Some(alias),
            ..
        } if ["generate_series", "range"].contains(&name.to_string().to_lowercase().as_str()) => {
            alias
        }
        TableFactor::UNNEST {
            alias: Some(alias),
            array_exprs,
            ..
        } if array_exprs.len() == 1 => alias,
        _ => return,
    };
    if alias.columns.is_empty() {
        alias.columns.push(TableAliasColumnDef {
            name: alias.name.clone(),
            data_type: None,
        });
    }
}

/// Checks and rewrites a query and all that it contains.
pub fn query(text: &Text, query: &mut Query) -> Res<()> {
    run(text, query)
}

pub fn with(text: &Text, with: &mut Option<With>) -> Res<()> {
    match with {
        Some(with) => run(text, with),
        None => Ok(()),
    }
}

pub fn expression(text: &Text, expr: &mut Expr) -> Res<()> {
    run(text, expr)
}

fn run(text: &Text, node: &mut impl VisitMut) -> Res<()> {
    match node.visit(&mut Checker { text }) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct Checker<'a> {
    text: &'a Text,
}

impl Checker<'_> {
    /// LIMIT '5' is LIMIT 5; what is no number of rows is refused here, with its place.
    fn row_count(&self, bound: &mut Expr, clause: &str) -> Flow {
        let position = self.text.offset(bound.span().start);
        if let Expr::Value(ValueWithSpan {
            value: Value::SingleQuotedString(text),
            span,
        }) = bound
        {
            let Ok(number) = text.trim().parse::<i64>() else {
                return ControlFlow::Break(invalid_input(text, "BIGINT").at(position));
            };
            let value = Value::Number(number.to_string(), false);
            *bound = Expr::Value(ValueWithSpan { value, span: *span });
            if number < 0 {
                return ControlFlow::Break(negative_rows(clause).at(position));
            }
        }
        if let Expr::UnaryOp { op, expr } = bound
            && *op == UnaryOperator::Minus
            && matches!(expr.as_ref(), Expr::Value(v) if matches!(&v.value, Value::Number(n, _)
                if n.bytes().any(|b| (b'1'..=b'9').contains(&b))))
        {
            return ControlFlow::Break(negative_rows(clause).at(position));
        }
        ControlFlow::Continue(())
    }

    fn tables_differ(&self, from: &[TableWithJoins]) -> Flow {
        let mut known: Vec<Vec<String>> = Vec::new();
        let factors = from.iter().flat_map(|item| {
            std::iter::once(&item.relation).chain(item.joins.iter().map(|join| &join.relation))
        });
        for factor in factors {
            let Some(name) = names::of_table(factor) else {
                continue;
            };
            if known.contains(&name) {
                return ControlFlow::Break(
                    BridgeError::new(
                        "42712",
                        format!("table name \"{}\" is used more than once", name.join(".")),
                    )
                    .at(self.text.offset(factor.span().start))
                    .hint("give one of them an alias"),
                );
            }
            known.push(name);
        }
        ControlFlow::Continue(())
    }

    fn refuse(&self, what: &str, at: &impl Spanned) -> Flow {
        let position = self.text.offset(at.span().start);
        ControlFlow::Break(BridgeError::unsupported(what).at(position))
    }
}

impl VisitorMut for Checker<'_> {
    type Break = Box<BridgeError>;

    fn pre_visit_query(&mut self, query: &mut Query) -> Flow {
        let Query {
            with: _,
            body: _,
            order_by: _,
            limit_clause: _,
            fetch,
            locks,
            for_clause,
            settings,
            format_clause,
            pipe_operators,
        } = query;
        if let Some(lock) = locks.first() {
            let what = format!("{lock}");
            let position = self.text.find_name("for", false);
            return ControlFlow::Break(BridgeError::unsupported(what).at(position));
        }
        if for_clause.is_some() || settings.is_some() || format_clause.is_some() {
            return ControlFlow::Break(BridgeError::unsupported("this clause after a query"));
        }
        if !pipe_operators.is_empty() {
            return ControlFlow::Break(BridgeError::unsupported("the pipe operator |>"));
        }
        if let Some(fetch) = fetch.take() {
            fetch_to_limit(query, fetch)?;
        }
        names::order_by_items(query);
        if let Some(LimitClause::LimitOffset { limit, offset, .. }) = &mut query.limit_clause {
            if let Some(limit) = limit {
                self.row_count(limit, "LIMIT")?;
            }
            if let Some(offset) = offset {
                self.row_count(&mut offset.value, "OFFSET")?;
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> Flow {
        if select.into.is_some() {
            return self.refuse("SELECT INTO", select);
        }
        let odd = [
            (select.prewhere.is_some(), "PREWHERE"),
            (!select.connect_by.is_empty(), "CONNECT BY"),
            (!select.distribute_by.is_empty(), "DISTRIBUTE BY"),
            (select.value_table_mode.is_some(), "SELECT AS VALUE"),
            (select.select_modifiers.is_some(), "this modifier of SELECT"),
            (select.exclude.is_some(), "EXCLUDE"),
        ];
        for (found, what) in odd {
            if found {
                return self.refuse(what, select);
            }
        }
        if select.projection.is_empty() {
            let position = self.text.offset(select.span().start);
            return ControlFlow::Break(
                BridgeError::new("42601", "syntax error: SELECT without a list of columns")
                    .at(position)
                    .hint("write SELECT * for all columns"),
            );
        }
        names::make_unique(&mut select.projection);
        if let Err(error) = names::tell_casts_apart(select) {
            return ControlFlow::Break(error);
        }
        self.tables_differ(&select.from)
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> Flow {
        let odd: Vec<(bool, &str)> = match &*factor {
            TableFactor::Table {
                name: _,
                alias: _,
                args: _,
                with_hints,
                version,
                with_ordinality,
                partitions,
                json_path,
                sample,
                index_hints,
            } => vec![
                (
                    !with_hints.is_empty() || !index_hints.is_empty(),
                    "a table hint",
                ),
                (version.is_some(), "reading a version of a table"),
                (*with_ordinality, "WITH ORDINALITY"),
                (!partitions.is_empty(), "PARTITION"),
                (json_path.is_some(), "a JSON path"),
                (sample.is_some(), "TABLESAMPLE"),
            ],
            TableFactor::Derived { sample, .. } => vec![(sample.is_some(), "TABLESAMPLE")],
            TableFactor::Function {
                with_ordinality, ..
            } => vec![(*with_ordinality, "WITH ORDINALITY")],
            TableFactor::UNNEST { .. } | TableFactor::NestedJoin { .. } => vec![],
            _ => vec![(true, "this kind of table")],
        };
        for (found, what) in odd {
            if found {
                return self.refuse(what, factor);
            }
        }
        name_only_column(factor);
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> Flow {
        end_distinct_from(expr);
        if let Expr::Function(function) = expr {
            strip_regclass(function);
        }
        if let Err(error) = dialect::rewrite(expr) {
            let position = self.text.offset(expr.span().start);
            return ControlFlow::Break(match error.position {
                Some(_) => error,
                None => error.at(position),
            });
        }
        match expr {
            Expr::Value(v) => {
                if let Err(error) = check_placeholder(self.text, v) {
                    return ControlFlow::Break(error);
                }
                if let Some(number) = as_double(v) {
                    *expr = number;
                }
            }
            // EXISTS (SELECT FROM t): what is selected does not matter.
            Expr::Exists { subquery, .. } => {
                if let SetExpr::Select(select) = subquery.body.as_mut()
                    && select.projection.is_empty()
                {
                    let one = Expr::Value(Value::Number("1".to_string(), false).into());
                    select.projection.push(SelectItem::UnnamedExpr(one));
                }
            }
            Expr::Function(function) if is_random_uuid(function) => {
                let mut name = function.name.clone();
                if let Some(part) = name.0.first_mut()
                    && let Some(ident) = part.as_ident()
                {
                    let mut ident = ident.clone();
                    ident.value = "uuid".to_string();
                    *part = datafusion::sql::sqlparser::ast::ObjectNamePart::Identifier(ident);
                }
                function.name = name;
                *expr = cast(expr.clone(), DataType::Uuid);
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// sqlparser reads `a IS DISTINCT FROM b AND c` as `a IS DISTINCT FROM (b AND c)`. Written
/// parentheses are nodes of their own, so what is wrong is told apart.
fn end_distinct_from(expr: &mut Expr) {
    let (Expr::IsDistinctFrom(_, right) | Expr::IsNotDistinctFrom(_, right)) = &mut *expr else {
        return;
    };
    let is_logical = |e: &Expr| {
        let logical = [BinaryOperator::And, BinaryOperator::Or];
        matches!(e, Expr::BinaryOp { op, .. } if logical.contains(op))
    };
    if !is_logical(right) {
        return;
    }
    let null = || Expr::Value(Value::Null.into());
    let mut whole = std::mem::replace(right.as_mut(), null());
    let mut first = &mut whole;
    while is_logical(first)
        && let Expr::BinaryOp { left, .. } = first
    {
        first = left;
    }
    let operand = std::mem::replace(first, null());
    let mut comparison = std::mem::replace(expr, null());
    if let Expr::IsDistinctFrom(_, right) | Expr::IsNotDistinctFrom(_, right) = &mut comparison {
        **right = operand;
    }
    *first = comparison;
    *expr = whole;
}

fn negative_rows(clause: &str) -> Box<BridgeError> {
    let sqlstate = if clause == "LIMIT" { "2201W" } else { "2201X" };
    BridgeError::new(sqlstate, format!("{clause} must not be negative"))
}

fn fetch_to_limit(query: &mut Query, fetch: datafusion::sql::sqlparser::ast::Fetch) -> Flow {
    if fetch.percent || fetch.with_ties {
        return ControlFlow::Break(BridgeError::unsupported("FETCH with PERCENT or WITH TIES"));
    }
    let one = Expr::Value(Value::Number("1".to_string(), false).into());
    let n = fetch.quantity.unwrap_or(one);
    match &mut query.limit_clause {
        None => {
            query.limit_clause = Some(LimitClause::LimitOffset {
                limit: Some(n),
                offset: None,
                limit_by: vec![],
            });
        }
        Some(LimitClause::LimitOffset { limit, .. }) if limit.is_none() => *limit = Some(n),
        Some(_) => {
            return ControlFlow::Break(BridgeError::new("42601", "both LIMIT and FETCH are given"));
        }
    }
    ControlFlow::Continue(())
}

/// Parameters are $1, $2, ...
fn check_placeholder(text: &Text, value: &ValueWithSpan) -> Res<()> {
    let Value::Placeholder(id) = &value.value else {
        return Ok(());
    };
    match id.strip_prefix('$').and_then(|n| n.parse::<u16>().ok()) {
        Some(n) if n > 0 => Ok(()),
        _ => Err(
            BridgeError::new("42P02", format!("there is no parameter {id}"))
                .at(text.offset(value.span.start))
                .hint("parameters are written $1, $2, ..."),
        ),
    }
}

fn as_double(value: &ValueWithSpan) -> Option<Expr> {
    let Value::Number(number, _) = &value.value else {
        return None;
    };
    let digits = number.bytes().filter(u8::is_ascii_digit).count();
    let exponent = number.contains(['e', 'E']);
    if !exponent && digits <= 38 {
        return None;
    }
    let text = Expr::Value(ValueWithSpan {
        value: Value::SingleQuotedString(number.clone()),
        span: value.span,
    });
    Some(cast(text, DataType::Double(ExactNumberInfo::None)))
}

pub fn cast(expr: Expr, data_type: DataType) -> Expr {
    Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(expr),
        data_type,
        array: false,
        format: None,
    }
}

fn is_random_uuid(function: &Function) -> bool {
    matches!(function.name.0.as_slice(), [part]
        if part.as_ident().is_some_and(|i| i.value.eq_ignore_ascii_case("gen_random_uuid")))
}

/// Refuses each of the clauses that is there.
fn refuse_all(text: &Text, clauses: &[(bool, &str)]) -> Res<()> {
    for (found, what) in clauses {
        if *found {
            let first = what.split(' ').next().unwrap_or(what).to_lowercase();
            let position = text.find_name(&first, false);
            return Err(BridgeError::unsupported(what).at(position));
        }
    }
    Ok(())
}

/// Answers the table's name.
pub fn insert(text: &Text, insert: &mut Insert) -> Res<ObjectName> {
    let Insert {
        insert_token: _,
        optimizer_hints: _,
        or,
        ignore,
        into: _,
        table,
        table_alias: _,
        columns: _,
        overwrite,
        source,
        assignments,
        partitioned,
        after_columns,
        has_table_keyword: _,
        on,
        returning,
        output,
        replace_into,
        priority,
        insert_alias,
        settings,
        format_clause,
        multi_table_insert_type,
        multi_table_into_clauses,
        multi_table_when_clauses,
        multi_table_else_clause,
        ..
    } = insert;
    use SqliteOnConflict::{Ignore, Replace};
    let other_or = or.is_some_and(|or| !matches!(or, Replace | Ignore));
    let several_tables = multi_table_insert_type.is_some() || multi_table_else_clause.is_some();
    let clauses = multi_table_into_clauses.len() + multi_table_when_clauses.len();
    refuse_all(
        text,
        &[
            (other_or, "INSERT OR"),
            (*replace_into, "REPLACE INTO"),
            (
                matches!(on, Some(OnInsert::DuplicateKeyUpdate(_))),
                "ON DUPLICATE KEY UPDATE",
            ),
            (*ignore || priority.is_some(), "INSERT IGNORE"),
            (*overwrite, "INSERT OVERWRITE"),
            (!assignments.is_empty(), "INSERT SET"),
            (
                partitioned.is_some() || !after_columns.is_empty(),
                "PARTITION",
            ),
            (output.is_some(), "OUTPUT"),
            (insert_alias.is_some(), "an alias after VALUES"),
            (
                settings.is_some() || format_clause.is_some(),
                "INSERT FORMAT",
            ),
            (several_tables || clauses > 0, "INSERT into several tables"),
        ],
    )?;
    run(text, source)?;
    run(text, on)?;
    run(text, returning)?;
    match table {
        TableObject::TableName(name) => Ok(name.clone()),
        _ => Err(BridgeError::unsupported("INSERT into a function or query")),
    }
}

pub fn update(text: &Text, update: &mut Update) -> Res<ObjectName> {
    run(text, &mut update.assignments)?;
    run(text, &mut update.selection)?;
    run(text, &mut update.table)?;
    run(text, &mut update.returning)?;
    match &mut update.from {
        Some(UpdateTableFromKind::AfterSet(from)) => run(text, from)?,
        Some(UpdateTableFromKind::BeforeSet(_)) => {
            return Err(BridgeError::unsupported("FROM before SET"));
        }
        None => {}
    }
    let Update {
        update_token: _,
        optimizer_hints: _,
        table,
        assignments: _,
        from: _,
        selection: _,
        returning: _,
        output,
        or,
        order_by,
        limit,
    } = update;
    refuse_all(
        text,
        &[
            (output.is_some(), "OUTPUT"),
            (or.is_some(), "UPDATE OR"),
            (!order_by.is_empty(), "ORDER BY in UPDATE"),
            (limit.is_some(), "LIMIT in UPDATE"),
        ],
    )?;
    target(text, table)
}

pub fn delete(text: &Text, delete: &mut Delete) -> Res<ObjectName> {
    run(text, &mut delete.selection)?;
    run(text, &mut delete.using)?;
    run(text, &mut delete.returning)?;
    let Delete {
        delete_token: _,
        optimizer_hints: _,
        tables,
        from,
        using: _,
        selection: _,
        returning: _,
        output,
        order_by,
        limit,
    } = delete;
    refuse_all(
        text,
        &[
            (output.is_some(), "OUTPUT"),
            (!tables.is_empty(), "DELETE of several tables"),
            (!order_by.is_empty(), "ORDER BY in DELETE"),
            (limit.is_some(), "LIMIT in DELETE"),
        ],
    )?;
    let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = from;
    match from.as_slice() {
        [one] => target(text, one),
        _ => Err(BridgeError::unsupported("DELETE from several tables")),
    }
}

pub fn merge(text: &Text, merge: &mut Merge) -> Res<ObjectName> {
    run(text, &mut merge.source)?;
    run(text, &mut merge.on)?;
    run(text, &mut merge.clauses)?;
    if let Some(OutputClause::Returning { select_items, .. }) = &mut merge.output {
        run(text, select_items)?;
    }
    let Merge {
        merge_token: _,
        optimizer_hints: _,
        into: _,
        table,
        source: _,
        on: _,
        clauses,
        output,
    } = merge;
    let oracle = clauses.iter().any(|clause| match &clause.action {
        MergeAction::Update(update) => {
            update.update_predicate.is_some() || update.delete_predicate.is_some()
        }
        MergeAction::Insert(insert) => insert.insert_predicate.is_some(),
        MergeAction::Delete { .. } => false,
    });
    refuse_all(
        text,
        &[
            (
                matches!(output, Some(OutputClause::Output { .. })),
                "OUTPUT",
            ),
            (oracle, "WHERE in an action of MERGE"),
        ],
    )?;
    let alone = TableWithJoins {
        relation: table.clone(),
        joins: vec![],
    };
    target(text, &alone)
}

fn target(text: &Text, table: &TableWithJoins) -> Res<ObjectName> {
    let TableFactor::Table { name, alias, .. } = &table.relation else {
        return Err(BridgeError::new("42809", "only a table can be changed"));
    };
    let position = text.offset(table.span().start);
    if !table.joins.is_empty() {
        return Err(BridgeError::unsupported("a join as the target")
            .at(position)
            .hint("put the other tables after FROM (UPDATE) or USING (DELETE)"));
    }
    if alias.as_ref().is_some_and(|a| !a.columns.is_empty()) {
        return Err(BridgeError::unsupported("an alias with columns for the target").at(position));
    }
    Ok(name.clone())
}
