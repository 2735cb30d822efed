//! Columns whose values the table makes: SERIAL, GENERATED ... AS IDENTITY, GENERATED ALWAYS AS
//! (expression) STORED, and who may write them.
//!
//! What sqlparser cannot read is cut out of the tokens before it sees them: the options of
//! identities, and OVERRIDING ... VALUE of INSERT, which is looked up again where it is needed.

use std::collections::VecDeque;

use datafusion::sql::sqlparser::ast::{
    ColumnOption, DataType as SqlType, Expr as SqlExpr, GeneratedAs, GeneratedExpressionMode,
};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::bytes::Writer;
use crate::catalog::CppTable;
use crate::check;
use crate::ddl::Column;
use crate::error::{BridgeError, Res};
use crate::parse::{Name, Reader, parser_of};
use crate::rename;
use crate::sequence::{self, SequenceOption};
use crate::statement_format;
use crate::text::{Text, closing};

/// catalog::ColumnDef::Generated; the numbers cross the border.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Generated {
    No = 0,
    Always = 1,
    ByDefault = 2,
    Stored = 3,
}

/// A column whose default is a sequence of its own; `how` is No for SERIAL.
#[derive(Debug)]
pub struct Identity {
    pub how: Generated,
    pub options: Vec<SequenceOption>,
}

/// The expression of a stored column.
#[derive(Debug)]
pub struct Stored {
    pub expression: SqlExpr,
    /// That it uses; found by `constraints::validate`.
    pub columns: Vec<String>,
}

pub fn write_identity(w: &mut Writer, identity: &Identity) {
    w.u8(identity.how as u8);
    sequence::write_options(w, &identity.options);
}

pub fn write_stored(w: &mut Writer, stored: &Stored) {
    w.str(&stored.expression.to_string());
    w.list(&stored.columns, |w, column| w.str(column));
}

/// The integer type that SERIAL and its like stand for.
pub fn serial_type(sql: &SqlType) -> Option<SqlType> {
    let SqlType::Custom(name, arguments) = sql else {
        return None;
    };
    if !arguments.is_empty() {
        return None;
    }
    match name.to_string().to_lowercase().as_str() {
        "serial" | "serial4" => Some(SqlType::Integer(None)),
        "bigserial" | "serial8" => Some(SqlType::BigInt(None)),
        "smallserial" | "serial2" => Some(SqlType::SmallInt(None)),
        _ => None,
    }
}

fn how(ast: GeneratedAs) -> Generated {
    match ast {
        GeneratedAs::Always => Generated::Always,
        GeneratedAs::ByDefault => Generated::ByDefault,
        GeneratedAs::ExpStored => Generated::Stored,
    }
}

impl Identity {
    pub fn serial() -> Identity {
        Identity {
            how: Generated::No,
            options: Vec::new(),
        }
    }

    fn read(r: &Reader, how: Generated) -> Identity {
        Identity {
            how,
            options: r.identities.borrow_mut().pop_front().unwrap_or_default(),
        }
    }
}

/// GENERATED ... of a column.
pub fn read_option(r: &Reader, option: ColumnOption, column: &mut Column, table: &str) -> Res<()> {
    let at = Some(column.name.position as usize);
    match option {
        ColumnOption::Generated {
            generation_expr: Some(mut expression),
            generation_expr_mode: Some(GeneratedExpressionMode::Stored),
            ..
        } => {
            check::expression(r.text, &mut expression)?;
            rename::unqualify(&mut expression, table);
            column.stored = Some(Stored {
                expression,
                columns: Vec::new(),
            });
            Ok(())
        }
        ColumnOption::Generated {
            generation_expr: None,
            generated_as,
            ..
        } => {
            if column.identity.is_some() {
                let what = format!(
                    "multiple identity specifications for column \"{}\" of table \"{table}\"",
                    column.name.text
                );
                return Err(BridgeError::new("42601", what).at(at));
            }
            column.not_null = true;
            column.identity = Some(Identity::read(r, how(generated_as)));
            Ok(())
        }
        _ => Err(BridgeError::unsupported("GENERATED in this form").at(at)),
    }
}

/// An action of ALTER TABLE.
#[derive(Debug)]
pub enum GeneratedAction {
    AddIdentity {
        name: Name,
        identity: Identity,
    },
    SetIdentity {
        name: Name,
        how: Option<Generated>,
        options: Vec<SequenceOption>,
    },
    /// DROP IDENTITY or DROP EXPRESSION.
    Drop {
        name: Name,
        expression: bool,
        if_exists: bool,
    },
}

pub fn add_identity(r: &Reader, name: Name, ast: Option<GeneratedAs>) -> GeneratedAction {
    GeneratedAction::AddIdentity {
        name,
        identity: Identity::read(r, ast.map_or(Generated::ByDefault, how)),
    }
}

/// "action" of bridge.h.
pub fn write_action(w: &mut Writer, action: &GeneratedAction) {
    let mut put = |kind: u8, name: &Name, flags: u8| {
        w.u8(kind);
        statement_format::name(w, name);
        w.str("");
        w.u32(0);
        w.u8(flags);
        w.bool(false);
    };
    match action {
        GeneratedAction::AddIdentity { name, identity } => {
            put(20, name, 0);
            write_identity(w, identity);
        }
        GeneratedAction::SetIdentity { name, how, options } => {
            put(21, name, 0);
            w.u8(how.map_or(0, |how| how as u8));
            sequence::write_options(w, options);
        }
        GeneratedAction::Drop {
            name,
            expression,
            if_exists,
        } => put(if *expression { 23 } else { 22 }, name, *if_exists as u8),
    }
}

// ---- tokens -----------------------------------------------------------------------------------

/// The options of identities in a statement, in their order; those without have none.
pub type Identities = VecDeque<Vec<SequenceOption>>;

fn is_word(token: &TokenWithSpan, word: &str) -> bool {
    matches!(&token.token, Token::Word(w)
        if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(word))
}

/// Takes out of the tokens what sqlparser does not read. Errors: 0A000 for VIRTUAL columns, those
/// of options.
pub fn cut(text: &Text, tokens: Vec<TokenWithSpan>) -> Res<(Vec<TokenWithSpan>, Identities)> {
    let mut identities = Identities::new();
    let wanted = |t: &TokenWithSpan| {
        ["identity", "overriding", "virtual"]
            .iter()
            .any(|word| is_word(t, word))
    };
    if !tokens.iter().any(wanted) {
        return Ok((tokens, identities));
    }
    let solid: Vec<usize> = (0..tokens.len())
        .filter(|i| !matches!(tokens[*i].token, Token::Whitespace(_)))
        .collect();
    let at = |n: usize| solid.get(n).map(|i| &tokens[*i]);
    let is = |n: usize, word: &str| at(n).is_some_and(|t| is_word(t, word));
    let defines = is(0, "create") || is(0, "alter");
    let mut gone = vec![false; tokens.len()];
    for n in 0..solid.len() {
        if defines
            && n > 0
            && is(n, "virtual")
            && at(n - 1).is_some_and(|t| t.token == Token::RParen)
        {
            let place = text.offset(tokens[solid[n]].span.start);
            return Err(BridgeError::unsupported("VIRTUAL generated columns")
                .at(place)
                .hint("STORED columns are supported"));
        }
        if defines && n > 0 && is(n - 1, "as") && is(n, "identity") {
            let inside = parenthesised(&tokens, &solid, n + 1);
            for i in inside.clone() {
                gone[i] = true;
            }
            identities.push_back(read_options(text, &tokens[inside])?);
        }
        if is(n, "overriding") && (is(n + 1, "system") || is(n + 1, "user")) && is(n + 2, "value") {
            for i in &solid[n..n + 3] {
                gone[*i] = true;
            }
        }
    }
    let kept = tokens.into_iter().zip(gone);
    let kept = kept.filter(|(_, gone)| !gone).map(|(token, _)| token);
    Ok((kept.collect(), identities))
}

/// The tokens from an opening parenthesis, if it is the solid token `n`, to its closing one.
fn parenthesised(tokens: &[TokenWithSpan], solid: &[usize], n: usize) -> std::ops::Range<usize> {
    let Some(&first) = solid.get(n) else {
        return 0..0;
    };
    if tokens[first].token != Token::LParen {
        return 0..0;
    }
    closing(tokens, first).map_or(0..0, |end| first..end + 1)
}

fn read_options(text: &Text, tokens: &[TokenWithSpan]) -> Res<Vec<SequenceOption>> {
    if tokens.is_empty() {
        return Ok(Vec::new());
    }
    let inner = tokens[1..tokens.len() - 1].to_vec();
    let end = text.offset(tokens[tokens.len() - 1].span.start);
    let mut parser = parser_of(inner);
    let mut reader = Reader::new(text, &mut parser);
    let options = sequence::options(&mut reader)?;
    match reader.peek().token {
        Token::EOF => Ok(options),
        _ => {
            let error = reader.unexpected("an option of the sequence");
            let at = error.position.or(end);
            Err(error.at(at))
        }
    }
}

/// What INSERT says about values for identity columns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Overriding {
    Nothing,
    System,
    User,
}

/// Of the INSERT into the table whose name stands at `position`, or of the INSERT of MERGE that
/// stands there itself.
pub fn overriding(text: &Text, position: u32) -> Overriding {
    let mut depth = 0;
    let mut last = Overriding::Nothing;
    let mut open = false;
    for token in &text.tokens {
        if text.offset(token.span.start) < Some(position as usize) {
            continue;
        }
        match &token.token {
            Token::LParen => depth += 1,
            Token::RParen if depth == 0 => return Overriding::Nothing,
            Token::RParen => depth -= 1,
            Token::Word(_) if depth == 0 => {
                let ends = ["values", "select", "default", "with", "table"];
                if ends.iter().any(|word| is_word(token, word)) {
                    return last;
                }
                if open && is_word(token, "system") {
                    last = Overriding::System;
                }
                if open && is_word(token, "user") {
                    last = Overriding::User;
                }
                open = is_word(token, "overriding");
            }
            _ => {}
        }
    }
    Overriding::Nothing
}

// ---- who may write ----------------------------------------------------------------------------

/// Refuses a value that is not DEFAULT for a column that the table alone writes. Errors: 428C9.
pub fn refuse_value(
    table: &CppTable,
    column: usize,
    overriding: Overriding,
    update: bool,
) -> Res<()> {
    let how = table.generated(column as u32)?;
    let name = table.schema.field(column).name();
    let detail = match how {
        Generated::Stored => format!("Column \"{name}\" is a generated column."),
        Generated::Always if overriding == Overriding::Nothing => {
            format!("Column \"{name}\" is an identity column defined as GENERATED ALWAYS.")
        }
        _ => return Ok(()),
    };
    let message = match update {
        true => format!("column \"{name}\" can only be updated to DEFAULT"),
        false => format!("cannot insert a non-DEFAULT value into column \"{name}\""),
    };
    let hint = match (how, update) {
        (Generated::Always, false) => "Use OVERRIDING SYSTEM VALUE to override.",
        _ => "",
    };
    Err(BridgeError::new("428C9", message)
        .detail(detail)
        .hint(hint)
        .subject(name.clone()))
}

/// True if the value that a statement gives is not taken: OVERRIDING USER VALUE.
pub fn is_overridden(table: &CppTable, column: usize, overriding: Overriding) -> Res<bool> {
    let how = table.generated(column as u32)?;
    let identity = matches!(how, Generated::Always | Generated::ByDefault);
    Ok(overriding == Overriding::User && identity)
}

/// Checks what a definition says of a column twice. Errors: 42601, 22023.
pub fn check_column(column: &Column, table: &str) -> Res<()> {
    let at = Some(column.name.position as usize);
    let both = |what: &str| {
        let name = &column.name.text;
        let message = format!("both {what} specified for column \"{name}\" of table \"{table}\"");
        Err(BridgeError::new("42601", message).at(at))
    };
    let identity = column.identity.is_some();
    match (column.default.is_some(), identity, column.stored.is_some()) {
        (true, true, _) => both("default and identity"),
        (true, _, true) => both("default and generation expression"),
        (_, true, true) => both("identity and generation expression"),
        _ if identity && !column.data_type.is_signed_integer() => {
            let message = "identity column type must be smallint, integer, or bigint";
            Err(BridgeError::new("22023", message).at(at))
        }
        _ => Ok(()),
    }
}
