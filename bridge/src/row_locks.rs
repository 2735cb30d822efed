//! SELECT ... FOR UPDATE and its like: which rows a query locks.
//!
//!     FOR {UPDATE | NO KEY UPDATE | SHARE | KEY SHARE} [OF t, ...] [NOWAIT | SKIP LOCKED]
//!
//! The clauses are cut out of the tokens, because sqlparser knows half of them. The query is then
//! rewritten so that the row ids of each locked table travel along as columns at the end:
//!
//!     SELECT a FROM t x WHERE b FOR UPDATE    SELECT a, x._rowid FROM rows.t x WHERE b
//!
//! C++ locks them and takes the columns off. Only tables by name, and joins of them, can be locked;
//! what has no row of its own to lock (groups, unions, subqueries) is refused by name.

use datafusion::sql::sqlparser::ast::{
    Distinct, ExcludeSelectItem, Expr, GroupByExpr, Ident, JoinOperator, LimitClause, ObjectName,
    Query, Select, SelectItem, SelectItemQualifiedWildcardKind, SetExpr, TableAlias, TableFactor,
    TableWithJoins, Value, WildcardAdditionalOptions, visit_expressions,
};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};
use std::ops::ControlFlow;

use crate::dml::ROW_ID;
use crate::error::{BridgeError, Res};
use crate::filters::parameter_index;
use crate::parse::{Name, bare_name, table_name};
use crate::planner::ROWS;
use crate::text::Text;

/// table::LockMode.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Strength {
    KeyShare = 1,
    Share = 2,
    NoKeyUpdate = 3,
    Update = 4,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Wait {
    Forever = 0,
    Nowait = 1,
    SkipLocked = 2,
}

/// One clause as it is written.
#[derive(Debug)]
pub struct Clause {
    strength: Strength,
    of: Vec<Name>,
    wait: Wait,
    position: Option<usize>,
}

/// A table whose rows are locked. They stand in the order of their row ids' columns.
#[derive(Debug, Clone, PartialEq)]
pub struct LockedTable {
    pub table: Name,
    pub strength: Strength,
    pub wait: Wait,
}

/// LIMIT or OFFSET when C++ has to count: with SKIP LOCKED a row that is skipped does not count.
#[derive(Debug, Clone, PartialEq)]
pub enum Bound {
    Number(u64),
    Parameter(u32),
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct RowLocks {
    pub tables: Vec<LockedTable>,
    pub limit: Option<Bound>,
    pub offset: Option<Bound>,
}

// ---- reading the clauses ------------------------------------------------------------------------

/// Whether there is such a clause anywhere, perhaps.
pub fn may_lock(tokens: &[TokenWithSpan]) -> bool {
    let is = |t: &TokenWithSpan, words: &[&str]| {
        matches!(&t.token, Token::Word(w)
            if w.quote_style.is_none() && words.iter().any(|x| w.value.eq_ignore_ascii_case(x)))
    };
    let mut solid = tokens
        .iter()
        .filter(|t| !matches!(t.token, Token::Whitespace(_)))
        .peekable();
    while let Some(token) = solid.next() {
        let next = ["update", "share", "no", "key"];
        if is(token, &["for"]) && solid.peek().is_some_and(|t| is(t, &next)) {
            return true;
        }
    }
    false
}

/// Takes the locking clauses of the outermost query out of `tokens`.
pub fn cut(text: &Text, tokens: &mut Vec<TokenWithSpan>) -> Res<Vec<Clause>> {
    let mut clauses = Vec::new();
    let mut kept = Vec::with_capacity(tokens.len());
    let mut depth = 0usize;
    let mut at = Words {
        text,
        tokens: tokens.as_slice(),
        at: 0,
    };
    while at.at < at.tokens.len() {
        let token = &at.tokens[at.at];
        match token.token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            _ => {}
        }
        // Blanks may be many, and a clause begins with a word.
        let word = matches!(token.token, Token::Word(_));
        if word && depth == 0 && at.begins() {
            clauses.push(at.clause()?);
            continue;
        }
        kept.push(token.clone());
        at.at += 1;
    }
    *tokens = kept;
    Ok(clauses)
}

struct Words<'a> {
    text: &'a Text,
    tokens: &'a [TokenWithSpan],
    at: usize,
}

impl Words<'_> {
    fn begins(&self) -> bool {
        let mut ahead = Words { ..*self };
        ahead.take("for")
            && ["update", "share", "no", "key"]
                .iter()
                .any(|w| ahead.take(w))
    }

    fn skip_space(&mut self) {
        while matches!(self.tokens.get(self.at), Some(t) if matches!(t.token, Token::Whitespace(_)))
        {
            self.at += 1;
        }
    }

    fn take(&mut self, word: &str) -> bool {
        let before = self.at;
        self.skip_space();
        let there = matches!(self.tokens.get(self.at).map(|t| &t.token), Some(Token::Word(w))
            if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(word));
        self.at = if there { self.at + 1 } else { before };
        there
    }

    fn take_token(&mut self, token: &Token) -> bool {
        let before = self.at;
        self.skip_space();
        let there = self.tokens.get(self.at).is_some_and(|t| t.token == *token);
        self.at = if there { self.at + 1 } else { before };
        there
    }

    fn position(&self) -> Option<usize> {
        self.tokens
            .get(self.at)
            .and_then(|t| self.text.offset(t.span.start))
    }

    fn expected(&mut self, what: &str) -> Box<BridgeError> {
        self.skip_space();
        let found = match self.tokens.get(self.at).map(|t| &t.token) {
            None | Some(Token::EOF) => "the end of the text".to_string(),
            Some(token) => format!("\"{token}\""),
        };
        BridgeError::new(
            "42601",
            format!("syntax error: expected {what}, found {found}"),
        )
        .at(self.position())
    }

    fn clause(&mut self) -> Res<Clause> {
        self.skip_space();
        let position = self.position();
        self.take("for");
        let strength = if self.take("update") {
            Strength::Update
        } else if self.take("share") {
            Strength::Share
        } else if self.take("no") {
            if !(self.take("key") && self.take("update")) {
                return Err(self.expected("KEY UPDATE"));
            }
            Strength::NoKeyUpdate
        } else {
            self.take("key");
            if !self.take("share") {
                return Err(self.expected("SHARE"));
            }
            Strength::KeyShare
        };
        let mut of = Vec::new();
        if self.take("of") {
            of.push(self.name()?);
            while self.take_token(&Token::Comma) {
                of.push(self.name()?);
            }
        }
        let wait = if self.take("nowait") {
            Wait::Nowait
        } else if self.take("skip") {
            if !self.take("locked") {
                return Err(self.expected("LOCKED"));
            }
            Wait::SkipLocked
        } else {
            Wait::Forever
        };
        Ok(Clause {
            strength,
            of,
            wait,
            position,
        })
    }

    fn name(&mut self) -> Res<Name> {
        self.skip_space();
        let position = self.position().unwrap_or(0) as u32;
        let Some(Token::Word(word)) = self.tokens.get(self.at).map(|t| &t.token) else {
            return Err(self.expected("the name of a table"));
        };
        let text = match word.quote_style {
            Some(_) => word.value.clone(),
            None => word.value.to_lowercase(),
        };
        self.at += 1;
        if self.take_token(&Token::Period) {
            return Err(
                BridgeError::new("42601", "OF must specify unqualified relation names")
                    .at(Some(position as usize)),
            );
        }
        Ok(Name { text, position })
    }
}

// ---- rewriting the query ------------------------------------------------------------------------

/// Makes `query` yield the row ids that `clauses` lock. Errors: 0A000, 42P01.
pub fn rewrite(text: &Text, query: &mut Query, clauses: &[Clause]) -> Res<RowLocks> {
    let with: Vec<String> = match &query.with {
        Some(with) => with
            .cte_tables
            .iter()
            .map(|c| folded(&c.alias.name))
            .collect(),
        None => vec![],
    };
    let first = &clauses[0];
    let refuse = |what: &str| {
        let name = clause_name(first.strength);
        Err(BridgeError::unsupported(format!("{name} with {what}")).at(first.position))
    };
    let SetExpr::Select(select) = query.body.as_mut() else {
        return refuse("UNION, INTERSECT, EXCEPT or VALUES");
    };
    if let Some(what) = no_rows_of_its_own(select) {
        return refuse(what);
    }
    let mut locks = RowLocks::default();
    let mut factors = Factors {
        text,
        clauses,
        with: &with,
        used: vec![false; clauses.len()],
        aliases: vec![],
        locked: vec![],
        merged: false,
    };
    for table in &mut select.from {
        factors.joined(table)?;
    }
    factors.all_found()?;
    if factors.locked.is_empty() {
        return refuse("a query without tables");
    }
    star_without_row_ids(select, &factors)?;
    for (i, (alias, table)) in factors.locked.into_iter().enumerate() {
        let column = vec![quoted(&alias), quoted(ROW_ID)];
        select.projection.push(SelectItem::ExprWithAlias {
            expr: Expr::CompoundIdentifier(column),
            alias: quoted(&format!("{ROW_ID}{i}")),
        });
        locks.tables.push(table);
    }
    if locks.tables.iter().any(|t| t.wait == Wait::SkipLocked) {
        take_bounds(query, &mut locks, first)?;
    }
    Ok(locks)
}

fn clause_name(strength: Strength) -> &'static str {
    match strength {
        Strength::KeyShare => "FOR KEY SHARE",
        Strength::Share => "FOR SHARE",
        Strength::NoKeyUpdate => "FOR NO KEY UPDATE",
        Strength::Update => "FOR UPDATE",
    }
}

fn no_rows_of_its_own(select: &Select) -> Option<&'static str> {
    if matches!(&select.distinct, Some(Distinct::Distinct | Distinct::On(_))) {
        return Some("DISTINCT");
    }
    match &select.group_by {
        GroupByExpr::All(_) => return Some("GROUP BY"),
        GroupByExpr::Expressions(e, m) if !e.is_empty() || !m.is_empty() => {
            return Some("GROUP BY");
        }
        GroupByExpr::Expressions(..) => {}
    }
    if select.having.is_some() {
        return Some("HAVING");
    }
    let mut windows = false;
    let _ = visit_expressions(&select.projection, |e: &Expr| {
        windows |= matches!(e, Expr::Function(f) if f.over.is_some());
        ControlFlow::<()>::Continue(())
    });
    windows.then_some("window functions")
}

/// The tables of FROM.
struct Factors<'a> {
    text: &'a Text,
    clauses: &'a [Clause],
    with: &'a [String],
    /// Which clauses with OF have found a table.
    used: Vec<bool>,
    /// All names in FROM, in order, and whether their row ids must be kept out of a star.
    aliases: Vec<(String, bool)>,
    locked: Vec<(String, LockedTable)>,
    /// Columns were merged by USING or NATURAL.
    merged: bool,
}

impl Factors<'_> {
    fn joined(&mut self, table: &mut TableWithJoins) -> Res<()> {
        let from = self.locked.len();
        self.factor(&mut table.relation, false)?;
        for join in &mut table.joins {
            use datafusion::sql::sqlparser::ast::JoinConstraint::{Natural, Using};
            let (left, right, constraint) = match &join.join_operator {
                JoinOperator::Join(c) | JoinOperator::Inner(c) => (false, false, Some(c)),
                JoinOperator::CrossJoin(c) => (false, false, Some(c)),
                JoinOperator::Left(c) | JoinOperator::LeftOuter(c) => (false, true, Some(c)),
                JoinOperator::Right(c) | JoinOperator::RightOuter(c) => (true, false, Some(c)),
                JoinOperator::FullOuter(c) => (true, true, Some(c)),
                _ => return Err(self.refused("this kind of join", 0)),
            };
            self.merged |= matches!(constraint, Some(Natural | Using(_)));
            if left && self.locked.len() > from {
                return Err(self.nullable());
            }
            self.factor(&mut join.relation, right)?;
        }
        Ok(())
    }

    fn refused(&self, what: &str, clause: usize) -> Box<BridgeError> {
        let clause = &self.clauses[clause];
        let name = clause_name(clause.strength);
        BridgeError::unsupported(format!("{name} of {what}")).at(clause.position)
    }

    fn nullable(&self) -> Box<BridgeError> {
        self.refused("the nullable side of an outer join", 0)
            .hint("name the other tables with OF")
    }

    fn factor(&mut self, factor: &mut TableFactor, nullable: bool) -> Res<()> {
        let alias = match factor {
            TableFactor::Table { name, alias, .. } => match alias {
                Some(alias) => folded(&alias.name),
                None => table_name(self.text, name)
                    .map(|n| bare_name(&n.text))
                    .unwrap_or_default(),
            },
            TableFactor::Derived { alias: Some(a), .. }
            | TableFactor::Function { alias: Some(a), .. }
            | TableFactor::UNNEST { alias: Some(a), .. } => folded(&a.name),
            _ => String::new(),
        };
        let clause = self.clause_of(&alias);
        let Some(clause) = clause else {
            self.aliases.push((alias, false));
            return Ok(());
        };
        let TableFactor::Table {
            name, alias: as_, ..
        } = factor
        else {
            return Err(self.refused("a subquery or function in FROM", clause));
        };
        if name.0.len() == 1 && self.with.contains(&alias_of(name)) {
            return Err(self.refused("a WITH query", clause));
        }
        if as_.as_ref().is_some_and(|a| !a.columns.is_empty()) {
            return Err(self.refused("a table whose columns are renamed", clause));
        }
        if nullable {
            return Err(self.nullable());
        }
        let table = table_name(self.text, name)?;
        *name = ObjectName::from(vec![quoted(ROWS), quoted(&table.text)]);
        *as_ = Some(TableAlias {
            explicit: true,
            name: quoted(&alias),
            columns: vec![],
            at: None,
        });
        self.aliases.push((alias.clone(), true));
        let Clause { strength, wait, .. } = self.clauses[clause];
        self.locked.push((
            alias,
            LockedTable {
                table,
                strength,
                wait,
            },
        ));
        Ok(())
    }

    /// The strongest clause that is about the table.
    fn clause_of(&mut self, alias: &str) -> Option<usize> {
        let mut best: Option<usize> = None;
        for (i, clause) in self.clauses.iter().enumerate() {
            let named = clause.of.iter().any(|n| n.text == *alias);
            if !clause.of.is_empty() && !named {
                continue;
            }
            self.used[i] = true;
            if best.is_none_or(|b| self.clauses[b].strength as u8 <= clause.strength as u8) {
                best = Some(i);
            }
        }
        best
    }

    fn all_found(&self) -> Res<()> {
        for name in self.clauses.iter().flat_map(|c| &c.of) {
            if !self.aliases.iter().any(|(alias, _)| *alias == name.text) {
                return Err(BridgeError::new(
                    "42P01",
                    format!(
                        "relation \"{}\" in FOR UPDATE clause not found in FROM clause",
                        name.text
                    ),
                )
                .at(Some(name.position as usize)));
            }
        }
        Ok(())
    }
}

/// A star does not mean the row ids: `*` becomes one star for each table.
fn star_without_row_ids(select: &mut Select, factors: &Factors) -> Res<()> {
    let mut items = Vec::new();
    for item in std::mem::take(&mut select.projection) {
        match item {
            SelectItem::Wildcard(ref options) => {
                if factors.merged || has_options(options) {
                    return Err(factors.refused("* with USING, NATURAL or EXCLUDE", 0));
                }
                for (alias, locked) in &factors.aliases {
                    items.push(star_of(vec![quoted(alias)], *locked));
                }
            }
            SelectItem::QualifiedWildcard(
                SelectItemQualifiedWildcardKind::ObjectName(ref name),
                ref options,
            ) => {
                let alias = alias_of(name);
                let locked = factors.aliases.iter().any(|(a, l)| *a == alias && *l);
                if locked && has_options(options) {
                    return Err(factors.refused("* with EXCLUDE", 0));
                }
                if locked {
                    items.push(star_of(vec![quoted(&alias)], true));
                } else {
                    items.push(item);
                }
            }
            other => items.push(other),
        }
    }
    select.projection = items;
    Ok(())
}

fn has_options(options: &WildcardAdditionalOptions) -> bool {
    options.opt_exclude.is_some()
        || options.opt_except.is_some()
        || options.opt_replace.is_some()
        || options.opt_rename.is_some()
        || options.opt_ilike.is_some()
}

fn star_of(name: Vec<Ident>, locked: bool) -> SelectItem {
    let row_id = ObjectName::from(vec![quoted(ROW_ID)]);
    let options = WildcardAdditionalOptions {
        opt_exclude: locked.then_some(ExcludeSelectItem::Single(row_id)),
        ..Default::default()
    };
    SelectItem::QualifiedWildcard(
        SelectItemQualifiedWildcardKind::ObjectName(ObjectName::from(name)),
        options,
    )
}

/// LIMIT and OFFSET become C++'s to count.
fn take_bounds(query: &mut Query, locks: &mut RowLocks, clause: &Clause) -> Res<()> {
    let Some(taken) = query.limit_clause.take() else {
        return Ok(());
    };
    let refused = || {
        let name = clause_name(clause.strength);
        BridgeError::unsupported(format!(
            "{name} SKIP LOCKED with a LIMIT or OFFSET that is no number or parameter"
        ))
        .at(clause.position)
    };
    let LimitClause::LimitOffset {
        limit,
        offset,
        limit_by,
    } = taken
    else {
        return Err(refused());
    };
    if !limit_by.is_empty() {
        return Err(refused());
    }
    let bound = |e: Expr| match &e {
        Expr::Value(v) => match &v.value {
            Value::Number(n, _) => n.parse().ok().map(Bound::Number).ok_or_else(refused),
            Value::Placeholder(id) => parameter_index(id)
                .map(Bound::Parameter)
                .ok_or_else(refused),
            _ => Err(refused()),
        },
        _ => Err(refused()),
    };
    locks.limit = limit.map(bound).transpose()?;
    locks.offset = offset.map(|o| bound(o.value)).transpose()?;
    Ok(())
}

fn alias_of(name: &ObjectName) -> String {
    let last = name.0.last().and_then(|p| p.as_ident());
    last.map(folded).unwrap_or_default()
}

fn folded(ident: &Ident) -> String {
    match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_lowercase(),
    }
}

fn quoted(name: &str) -> Ident {
    Ident::with_quote('"', name)
}
