//! Text to one parsed statement.
//!
//! sqlparser reads SELECT, INSERT, UPDATE, DELETE, CREATE TABLE and the rest of its grammar;
//! EXPLAIN, COPY, SHOW, DESCRIBE and those of house.rs are read here, because their options are
//! ours. What comes out is classified into the kinds of `src/engine/statement.h`. Everything that
//! we do not do is refused by name: a clause is either consumed or an error, never dropped.
//! `check.rs` does that for the inside of queries.

use std::cell::RefCell;

use datafusion::sql::sqlparser::ast::{
    self, Delete, Expr, Insert, Merge, ObjectName, Query, Set, SetExpr, Statement as Ast, Update,
    Value, With,
};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan};

use crate::alter_column;
use crate::check;
use crate::copy::{self, CopyFrom, CopyTo};
use crate::ddl::{self, AlterTable, Comment, CreateTable, CreateTableAs, CreateView, Drop};
use crate::error::{BridgeError, Res};
use crate::generated;
use crate::house::{self, House};
use crate::index::{self, IndexCommand};
use crate::locked_parts::{self, LockedPart};
use crate::merge;
use crate::names;
use crate::parse_change::{
    Conflict, Truncate, change, is_change, rewrite_inference, truncate as truncated,
};
use crate::row_locks::{self, RowLocks};
use crate::sequence::{self, SequenceCommand};
use crate::suggest;
use crate::text::{DIALECT, Text, first_words, folded};
use crate::transaction;

/// Nested expressions and queries deeper than this are refused; DataFusion's own bound is lower
/// than what generated SQL needs, and stacks grow on demand.
const DEPTH_MAX: usize = 400;

#[derive(Debug, Clone, PartialEq)]
pub struct Name {
    pub text: String,
    pub position: u32,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Explain {
    pub analyze: bool,
    pub verbose: bool,
    pub format: String,
}

#[derive(Debug)]
pub enum Kind {
    Query(Box<Query>),
    Insert(Name, Option<With>, Box<Insert>, Option<Conflict>),
    Update(Name, Option<With>, Box<Update>),
    Delete(Name, Option<With>, Box<Delete>),
    Merge(Name, Option<With>, Box<Merge>),
    Truncate(Truncate),
    CreateTable(CreateTable),
    AlterTable(AlterTable),
    Drop(Drop),
    CreateView(CreateView),
    CreateTableAs(CreateTableAs),
    CreateSchema {
        name: Name,
        if_not_exists: bool,
    },
    Comment(Comment),
    Transaction(transaction::Command),
    Index(IndexCommand),
    Sequence(SequenceCommand),
    Set {
        name: String,
        value: Option<String>,
        local: bool,
    },
    Show(String),
    ShowTables,
    Describe(Name),
    CopyFrom(CopyFrom),
    CopyTo(CopyTo),
    House(House),
    /// Of these tables, or of all.
    Analyze(Vec<Name>),
}

#[derive(Debug)]
pub struct Statement {
    pub text: Text,
    pub explain: Option<Explain>,
    pub kind: Kind,
    /// What a query locks.
    pub locks: RowLocks,
    /// Queries inside of it that lock what they read.
    pub locked: Vec<LockedPart>,
    /// What the columns of a query are called.
    pub names: Vec<names::Item>,
}

/// Parses exactly one statement. Errors: 42601, 0A000.
pub fn parse(sql: &str) -> Res<Statement> {
    let text = Text::new(sql)?;
    let tokens = merge::rewrite_tokens(text.tokens.clone());
    let tokens = rewrite_inference(&text, tokens).map_err(|e| text.locate(e))?;
    let (tokens, identities) = generated::cut(&text, tokens).map_err(|e| text.locate(e))?;
    let (tokens, locked) = locked_parts::cut(&text, tokens).map_err(|e| text.locate(e))?;
    let rewritten = (!locked.is_empty()).then(|| tokens.clone());
    let mut parser = parser_of(tokens);
    let mut reader = Reader::new(&text, &mut parser);
    reader.rewritten = rewritten;
    reader.identities = RefCell::new(identities);
    let (explain, kind) = reader.statement().map_err(|e| text.locate(e))?;
    let names = std::mem::take(&mut reader.names);
    let locks = std::mem::take(&mut reader.locks);
    locked_parts::check_statement(&kind, &locks, &locked)?;
    Ok(Statement {
        explain,
        kind,
        locks,
        locked,
        names,
        text,
    })
}

pub fn parser_of(tokens: Vec<TokenWithSpan>) -> Parser<'static> {
    Parser::new(&DIALECT)
        .with_recursion_limit(DEPTH_MAX)
        .with_tokens_with_locations(tokens)
}

/// Reads the tokens of one statement.
pub struct Reader<'a> {
    pub text: &'a Text,
    pub parser: &'a mut Parser<'static>,
    pub names: Vec<names::Item>,
    pub locks: RowLocks,
    lock_clauses: Vec<row_locks::Clause>,
    /// The tokens, if they are not those of the text any more.
    rewritten: Option<Vec<TokenWithSpan>>,
    /// Options of the identity columns that are still to be read.
    pub identities: RefCell<generated::Identities>,
}

impl<'a> Reader<'a> {
    pub fn new(text: &'a Text, parser: &'a mut Parser<'static>) -> Reader<'a> {
        Reader {
            text,
            parser,
            names: Vec::new(),
            locks: RowLocks::default(),
            lock_clauses: Vec::new(),
            rewritten: None,
            identities: RefCell::default(),
        }
    }

    fn statement(&mut self) -> Res<(Option<Explain>, Kind)> {
        while self.parser.consume_token(&Token::SemiColon) {}
        if self.peek().token == Token::EOF {
            return Err(BridgeError::new("42601", "the statement is empty").at(0));
        }
        let explain = self.explain()?;
        let kind = self.kind()?;
        self.end()?;
        if explain.is_some() && !explainable(&kind) {
            return Err(BridgeError::unsupported("EXPLAIN of this kind of statement").at(0));
        }
        Ok((explain, kind))
    }

    fn end(&mut self) -> Res<()> {
        let mut semicolon = false;
        while self.parser.consume_token(&Token::SemiColon) {
            semicolon = true;
        }
        let next = self.peek();
        if next.token == Token::EOF {
            return Ok(());
        }
        if semicolon {
            return Err(
                BridgeError::new("42601", "multiple statements where one is expected")
                    .at(self.offset(&next))
                    .hint("send them one at a time"),
            );
        }
        Err(self.unexpected("the end of the statement"))
    }

    fn kind(&mut self) -> Res<Kind> {
        let first = self.peek();
        let Token::Word(word) = &first.token else {
            return self.by_sqlparser();
        };
        if word.quote_style.is_some() {
            return self.by_sqlparser();
        }
        match word.value.to_uppercase().as_str() {
            "COPY" => copy::read(self),
            "CHECKPOINT" | "CHECK" | "VACUUM" | "BACKUP" | "EXPORT" | "IMPORT" | "PRAGMA"
            | "DISCARD" => house::read(self),
            "SET" if self.second_is("CONSTRAINTS") => house::read(self),
            "ANALYZE" | "ANALYSE" => house::analyze(self),
            "DESCRIBE" | "DESC" => {
                self.parser.next_token();
                let _ = self.parser.parse_keyword(Keyword::TABLE);
                let name = self.object_name()?;
                Ok(Kind::Describe(self.table_name(&name)?))
            }
            "SHOW" => self.show(),
            "TABLE" => self.table_command(),
            first => match transaction::read(self, first)? {
                Some(command) => Ok(command),
                None => self.by_sqlparser(),
            },
        }
    }

    fn explain(&mut self) -> Res<Option<Explain>> {
        if !self.parser.parse_keyword(Keyword::EXPLAIN) {
            return Ok(None);
        }
        let mut explain = Explain::default();
        if self.peek().token == Token::LParen && self.is_option(1) {
            self.parser.next_token();
            loop {
                self.explain_option(&mut explain)?;
                if !self.parser.consume_token(&Token::Comma) {
                    break;
                }
            }
            self.expect(Token::RParen, "a closing parenthesis")?;
            return Ok(Some(explain));
        }
        explain.analyze = self.parser.parse_keyword(Keyword::ANALYZE);
        explain.verbose = self.parser.parse_keyword(Keyword::VERBOSE);
        if self.parser.parse_keyword(Keyword::FORMAT) {
            explain.format = self.explain_format()?;
        }
        Ok(Some(explain))
    }

    fn is_option(&self, n: usize) -> bool {
        match self.parser.peek_nth_token(n).token {
            Token::Word(w) => matches!(
                w.value.to_uppercase().as_str(),
                "ANALYZE" | "VERBOSE" | "FORMAT" | "COSTS" | "TIMING" | "SUMMARY" | "BUFFERS"
            ),
            _ => false,
        }
    }

    fn explain_option(&mut self, explain: &mut Explain) -> Res<()> {
        let token = self.parser.next_token();
        let Token::Word(word) = &token.token else {
            return Err(self.unexpected_token("an option of EXPLAIN", &token));
        };
        match word.value.to_uppercase().as_str() {
            "ANALYZE" => explain.analyze = self.optional_bool()?,
            "VERBOSE" => explain.verbose = self.optional_bool()?,
            "FORMAT" => explain.format = self.explain_format()?,
            other => {
                return Err(BridgeError::unsupported(format!("EXPLAIN option {other}"))
                    .at(self.offset(&token)));
            }
        }
        Ok(())
    }

    fn explain_format(&mut self) -> Res<String> {
        let token = self.parser.next_token();
        let name = match &token.token {
            Token::Word(w) => w.value.to_lowercase(),
            Token::SingleQuotedString(s) => s.to_lowercase(),
            _ => return Err(self.unexpected_token("a format", &token)),
        };
        match name.as_str() {
            "text" | "indent" => Ok("indent".to_string()),
            "tree" => Ok(name),
            other => Err(BridgeError::unsupported(format!("EXPLAIN FORMAT {other}"))
                .at(self.offset(&token))
                .hint("formats are indent and tree")),
        }
    }

    /// ON, OFF, TRUE, FALSE, 1, 0, or nothing, which is true.
    fn optional_bool(&mut self) -> Res<bool> {
        let token = self.peek();
        let value = match &token.token {
            Token::Word(w) => match w.value.to_uppercase().as_str() {
                "ON" | "TRUE" => true,
                "OFF" | "FALSE" => false,
                _ => return Err(self.unexpected("true or false")),
            },
            Token::Number(n, _) if n == "1" => true,
            Token::Number(n, _) if n == "0" => false,
            _ => return Ok(true),
        };
        self.parser.next_token();
        Ok(value)
    }

    fn show(&mut self) -> Res<Kind> {
        self.parser.next_token();
        let first = self.parser.next_token();
        let Token::Word(word) = &first.token else {
            return Err(self.unexpected_token("the name of a setting", &first));
        };
        let mut name = folded(word);
        match name.as_str() {
            "tables" => return Ok(Kind::ShowTables),
            "time" if self.word_is("ZONE") => {
                self.parser.next_token();
                return Ok(Kind::Show("timezone".to_string()));
            }
            "transaction" if self.word_is("ISOLATION") => {
                return Ok(Kind::Show(self.isolation_name()));
            }
            "columns" | "create" | "databases" | "schemas" | "functions" | "indexes"
                if self.peek().token != Token::EOF =>
            {
                return Err(
                    BridgeError::unsupported(format!("SHOW {}", name.to_uppercase()))
                        .at(self.offset(&first))
                        .hint("see information_schema, or DESCRIBE a table"),
                );
            }
            _ => {}
        }
        while self.parser.consume_token(&Token::Period) {
            name.push('.');
            name.push_str(&self.identifier()?);
        }
        Ok(Kind::Show(name))
    }

    fn isolation_name(&mut self) -> String {
        self.parser.next_token();
        let _ = self.parser.parse_keyword(Keyword::LEVEL);
        "transaction_isolation".to_string()
    }

    // TABLE t ... is SELECT * FROM t ...: the word is replaced, and what follows keeps its places.
    fn table_command(&mut self) -> Res<Kind> {
        let is_space = |t: &&TokenWithSpan| matches!(t.token, Token::Whitespace(_));
        let rest = &self.text.tokens[self.parser.index()..];
        let skipped = rest.iter().take_while(is_space).count() + 1;
        let mut tokens = Text::new("SELECT * FROM ")?.tokens;
        tokens.extend_from_slice(&rest[skipped..]);
        *self.parser = parser_of(tokens);
        self.by_sqlparser()
    }

    fn by_sqlparser(&mut self) -> Res<Kind> {
        if let Some(kind) = index::read(self)? {
            return Ok(kind);
        }
        if let Some(kind) = sequence::read(self)? {
            return Ok(kind);
        }
        if let Some(kind) = alter_column::read(self)? {
            return Ok(kind);
        }
        let start = self.peek();
        if let Some(error) = self.known_unsupported(&start) {
            return Err(error);
        }
        if matches!(&start.token, Token::Word(w) if w.keyword == Keyword::SELECT
            || w.keyword == Keyword::WITH)
        {
            let all = self.rewritten.as_ref().unwrap_or(&self.text.tokens);
            let mut tokens = all[self.parser.index()..].to_vec();
            self.lock_clauses = row_locks::cut(self.text, &mut tokens)?;
            if !self.lock_clauses.is_empty() {
                *self.parser = parser_of(tokens);
            }
        }
        let statement = self.parser.parse_statement().map_err(|e| self.syntax(e))?;
        self.classify(statement, &start)
    }

    /// Statements by their first words, so that they are refused by name whatever follows.
    fn known_unsupported(&self, start: &TokenWithSpan) -> Option<Box<BridgeError>> {
        let word = |n: usize| match self.parser.peek_nth_token(n).token {
            Token::Word(w) => w.value.to_uppercase(),
            _ => String::new(),
        };
        let (first, second) = (word(0), word(1));
        let two = matches!(first.as_str(), "CREATE" | "ALTER" | "DROP") && !second.is_empty();
        let name = match (first.as_str(), second.as_str()) {
            ("CREATE" | "ALTER" | "DROP", "TABLE") => return None,
            ("CREATE" | "DROP", "VIEW" | "SCHEMA") | ("DROP", "SEQUENCE") => return None,
            ("COMMENT", "ON") => return None,
            ("CREATE", "TEMP" | "TEMPORARY") if matches!(word(2).as_str(), "TABLE" | "VIEW") => {
                return None;
            }
            ("CREATE", "OR") if word(3) == "VIEW" => return None,
            ("CREATE", "OR" | "UNIQUE" | "TEMP" | "TEMPORARY" | "EXTERNAL" | "UNLOGGED") => {
                format!("{first} {second} {}", word(2))
            }
            ("GRANT" | "REVOKE", _)
            | ("ANALYZE" | "REINDEX" | "CLUSTER" | "COMMENT" | "LISTEN", _)
            | ("NOTIFY" | "PREPARE" | "EXECUTE" | "DEALLOCATE" | "DECLARE" | "FETCH", _)
            | ("LOCK" | "DO" | "CALL" | "ATTACH" | "DETACH" | "USE" | "KILL" | "LOAD", _) => first,
            _ if two => format!("{first} {second}"),
            _ => return None,
        };
        Some(BridgeError::unsupported(name.trim()).at(self.offset(start)))
    }

    fn classify(&mut self, statement: Ast, start: &TokenWithSpan) -> Res<Kind> {
        let at = self.offset(start);
        match statement {
            Ast::Query(query) => self.query(query),
            Ast::Insert(_) => change(self.text, None, SetExpr::Insert(statement)),
            Ast::Update(_) => change(self.text, None, SetExpr::Update(statement)),
            Ast::Delete(_) => change(self.text, None, SetExpr::Delete(statement)),
            Ast::Merge(_) => change(self.text, None, SetExpr::Merge(statement)),
            Ast::Truncate(truncate) => truncated(self.text, truncate, at).map(Kind::Truncate),
            Ast::CreateTable(table) if table.query.is_some() => {
                let mut table = ddl::create_table_as(self, table, at)?;
                self.checked(&mut table.query)?;
                Ok(Kind::CreateTableAs(table))
            }
            Ast::CreateTable(table) => ddl::create_table(self, table, at).map(Kind::CreateTable),
            Ast::CreateView(view) => {
                let mut view = ddl::create_view(self, view, at)?;
                self.checked(&mut view.query)?;
                Ok(Kind::CreateView(view))
            }
            Ast::CreateSchema { .. } => ddl::create_schema(self, statement, at),
            Ast::Comment { .. } => ddl::comment(self, statement, at).map(Kind::Comment),
            Ast::AlterTable(table) => ddl::alter_table(self, table, at).map(Kind::AlterTable),
            Ast::Drop { .. } => ddl::drop(self, statement, at).map(Kind::Drop),
            Ast::Set(set) => self.set(set, at),
            Ast::Reset(reset) => match reset.reset {
                ast::Reset::ALL => Ok(Kind::Set {
                    name: "all".to_string(),
                    value: None,
                    local: false,
                }),
                ast::Reset::ConfigurationParameter(name) => Ok(Kind::Set {
                    name: dotted(&name),
                    value: None,
                    local: false,
                }),
            },
            other => Err(BridgeError::unsupported(first_words(&other)).at(at)),
        }
    }

    /// A query whose rows come out under the names that are written in it.
    fn checked(&mut self, query: &mut Query) -> Res<()> {
        self.names = names::of_query(query);
        check::query(self.text, query)
    }

    // WITH ... INSERT, UPDATE or DELETE is a query whose body is that statement.
    fn query(&mut self, mut query: Box<Query>) -> Res<Kind> {
        if !is_change(&query) {
            self.checked(&mut query)?;
            if !self.lock_clauses.is_empty() {
                self.locks = row_locks::rewrite(self.text, &mut query, &self.lock_clauses)?;
                let ids = self.locks.tables.iter().map(|_| names::Item::Named);
                self.names.extend(ids);
            }
            return Ok(Kind::Query(query));
        }
        let with = query.with.take();
        let body = std::mem::replace(
            &mut *query.body,
            SetExpr::Values(ast::Values {
                explicit_row: false,
                value_keyword: false,
                rows: vec![],
            }),
        );
        change(self.text, with, body)
    }

    fn set(&mut self, set: Set, at: Option<usize>) -> Res<Kind> {
        match set {
            Set::SingleAssignment {
                scope,
                hivevar: false,
                variable,
                values,
            } => {
                if scope == Some(ast::ContextModifier::Global) {
                    return Err(BridgeError::unsupported("SET GLOBAL").at(at));
                }
                let name = dotted(&variable);
                let texts: Vec<String> = values.iter().map(setting_text).collect();
                let is_default = match values.as_slice() {
                    [Expr::Identifier(i)] => {
                        i.quote_style.is_none() && i.value.eq_ignore_ascii_case("default")
                    }
                    _ => false,
                };
                Ok(Kind::Set {
                    name,
                    value: (!is_default).then(|| texts.join(",")),
                    local: scope == Some(ast::ContextModifier::Local),
                })
            }
            Set::SetTimeZone { local, value } => Ok(Kind::Set {
                name: "timezone".to_string(),
                value: Some(setting_text(&value)),
                local,
            }),
            other => Err(BridgeError::unsupported(first_words(&other)).at(at)),
        }
    }

    // ---- for the readers of COPY and DDL --------------------------------------------------------

    pub fn peek(&self) -> TokenWithSpan {
        self.parser.peek_token()
    }
    pub fn offset(&self, token: &TokenWithSpan) -> Option<usize> {
        if token.token == Token::EOF {
            return Some(self.text.sql.trim_end().len());
        }
        self.text.offset(token.span.start)
    }
    pub fn word_is(&self, word: &str) -> bool {
        matches!(self.peek().token, Token::Word(w)
            if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(word))
    }
    fn second_is(&self, word: &str) -> bool {
        matches!(self.parser.peek_nth_token(1).token, Token::Word(w)
            if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(word))
    }
    pub fn expect(&mut self, token: Token, what: &str) -> Res<()> {
        if self.parser.consume_token(&token) {
            return Ok(());
        }
        Err(self.unexpected(what))
    }
    pub fn unexpected(&self, expected: &str) -> Box<BridgeError> {
        self.unexpected_token(expected, &self.peek())
    }
    pub fn unexpected_token(&self, expected: &str, found: &TokenWithSpan) -> Box<BridgeError> {
        let what = match &found.token {
            Token::EOF => "the end of the text".to_string(),
            token => format!("\"{token}\""),
        };
        let error = BridgeError::new(
            "42601",
            format!("syntax error: expected {expected}, found {what}"),
        );
        self.with_keyword_hint(error, self.offset(found))
    }
    pub fn object_name(&mut self) -> Res<ObjectName> {
        self.parser
            .parse_object_name(false)
            .map_err(|e| self.syntax(e))
    }
    pub fn identifier(&mut self) -> Res<String> {
        let ident = self.parser.parse_identifier().map_err(|e| self.syntax(e))?;
        Ok(self.ident(&ident).text)
    }
    pub fn ident(&self, ident: &ast::Ident) -> Name {
        let text = match ident.quote_style {
            Some(_) => ident.value.clone(),
            None => ident.value.to_lowercase(),
        };
        let position = self.text.offset(ident.span.start).unwrap_or(0) as u32;
        Name { text, position }
    }

    /// t, public.t or trefoil.public.t. Errors: 3F000.
    pub fn table_name(&self, name: &ObjectName) -> Res<Name> {
        table_name(self.text, name)
    }

    /// Our error for one of sqlparser's, whose message ends in its place.
    pub fn syntax(&self, error: ParserError) -> Box<BridgeError> {
        let message = match error {
            ParserError::TokenizerError(m) | ParserError::ParserError(m) => m,
            ParserError::RecursionLimitExceeded => {
                return BridgeError::new("54001", "the statement is nested too deeply");
            }
        };
        let (message, location) = split_location(&message);
        let mut message = message.trim().to_string();
        if let Some(rest) = message.strip_prefix("Expected: ") {
            message = match rest.rsplit_once(", found: ") {
                Some((expected, "EOF")) => {
                    format!("expected {expected}, found the end of the text")
                }
                Some((expected, found)) => format!("expected {expected}, found \"{found}\""),
                None => format!("expected {rest}"),
            };
        }
        let position = match location {
            Some(location) => self.text.offset(location),
            None => Some(self.text.sql.trim_end().len()),
        };
        let error = BridgeError::new("42601", format!("syntax error: {message}"));
        self.with_keyword_hint(error, position)
    }

    /// A misspelt keyword often parses as an alias, so the words just before the error are looked
    /// at too; if one of them is the culprit, the error moves there.
    fn with_keyword_hint(
        &self,
        error: Box<BridgeError>,
        position: Option<usize>,
    ) -> Box<BridgeError> {
        let Some(position) = position else {
            return error;
        };
        let words: Vec<(usize, &str, bool)> = self
            .text
            .tokens
            .iter()
            .filter_map(|t| match &t.token {
                Token::Word(w) if w.quote_style.is_none() => Some((
                    self.text.offset(t.span.start)?,
                    w.value.as_str(),
                    suggest::KEYWORDS.contains(&w.value.to_uppercase().as_str()),
                )),
                _ => None,
            })
            .filter(|(at, _, _)| *at <= position)
            .collect();
        for (at, word, known) in words.iter().rev().take(3) {
            if *known {
                continue;
            }
            if let Some(keyword) = suggest::nearest(word, suggest::KEYWORDS) {
                return error.at(*at).hint(format!("did you mean {keyword}?"));
            }
        }
        error.at(position)
    }
}

/// "... at Line: 1, Column: 8" is cut off and read.
fn split_location(message: &str) -> (&str, Option<Location>) {
    let Some(at) = message.rfind(" at Line: ") else {
        return (message, None);
    };
    let mut numbers = message[at + " at Line: ".len()..]
        .split(", Column: ")
        .map(|n| n.trim().parse::<u64>());
    match (numbers.next(), numbers.next()) {
        (Some(Ok(line)), Some(Ok(column))) if line > 0 => {
            (&message[..at], Some(Location { line, column }))
        }
        _ => (&message[..at], None),
    }
}

pub fn table_name(text: &Text, name: &ObjectName) -> Res<Name> {
    let parts: Vec<&ast::Ident> = name.0.iter().filter_map(|p| p.as_ident()).collect();
    let fold = |i: &ast::Ident| match i.quote_style {
        Some(_) => i.value.clone(),
        None => i.value.to_lowercase(),
    };
    let last = parts
        .last()
        .filter(|_| parts.len() == name.0.len())
        .ok_or_else(|| BridgeError::new("42601", "a table's name is expected"))?;
    let position = text.offset(last.span.start).unwrap_or(0) as u32;
    let front: Vec<String> = parts[..parts.len() - 1].iter().map(|i| fold(i)).collect();
    let front: Vec<&str> = front.iter().map(String::as_str).collect();
    let schema = match front.as_slice() {
        [] => None,
        [schema] | ["trefoil", schema] => Some(*schema),
        _ => {
            return Err(BridgeError::new(
                "0A000",
                format!("references to other databases: \"{}\"", front.join(".")),
            )
            .at(text.offset(parts[0].span.start)));
        }
    };
    Ok(Name {
        text: reference(schema, &fold(last)),
        position,
    })
}

/// A name with or without its schema as one text: catalog::reference.
pub fn reference(schema: Option<&str>, name: &str) -> String {
    let part = |text: &str| match text.contains(['.', '"']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_string(),
    };
    match schema {
        Some(schema) => format!("{}.{}", part(schema), part(name)),
        None => part(name),
    }
}

/// The name in a reference, without its schema.
pub fn bare_name(reference: &str) -> String {
    let (mut name, mut quoted) = (String::new(), false);
    let mut chars = reference.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                name.push('"');
                chars.next();
            }
            '"' => quoted = !quoted,
            '.' if !quoted => name.clear(),
            c => name.push(c),
        }
    }
    name
}

fn explainable(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::Query(_) | Kind::Insert(..) | Kind::Update(..) | Kind::Delete(..) | Kind::Merge(..)
    )
}

fn dotted(name: &ObjectName) -> String {
    name.to_string().replace('"', "").to_lowercase()
}

/// The value of a setting as text: 'a string' without quotes, on, 1GB, -5.
fn setting_text(expr: &Expr) -> String {
    match expr {
        Expr::Value(v) => match &v.value {
            Value::SingleQuotedString(s) | Value::DoubleQuotedString(s) => s.clone(),
            other => other.to_string(),
        },
        Expr::Identifier(i) => i.value.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
#[path = "parse_test.rs"]
mod tests;
