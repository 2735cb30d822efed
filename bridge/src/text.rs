//! The text of a statement, its tokens, and positions in it.
//!
//! sqlparser counts lines and characters from one; our errors carry byte offsets from zero. A name
//! that an error is about ("subject") is found again among the tokens.

use datafusion::sql::sqlparser::ast::Ident;
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{
    Location, Span, Token, TokenWithSpan, Tokenizer, Word,
};

use crate::error::{BridgeError, Res};

/// What a + b + c or a UNION b UNION c makes is nested as deeply as it is long, and whoever walks
/// through it needs stack for each level.
const OPERATORS_MAX: usize = 1000;
const PARTS_MAX: usize = 500;

pub static DIALECT: PostgreSqlDialect = PostgreSqlDialect {};

#[derive(Debug)]
pub struct Text {
    pub sql: String,
    lines: Vec<usize>,
    pub tokens: Vec<TokenWithSpan>,
}

impl Text {
    /// Splits the text into tokens. Errors: 42601, 22021 for a zero byte.
    pub fn new(sql: &str) -> Res<Text> {
        if let Some(zero) = sql.find('\0') {
            return Err(BridgeError::new("22021", "the statement contains a zero byte").at(zero));
        }
        let mut lines = vec![0];
        lines.extend(sql.match_indices('\n').map(|(i, _)| i + 1));
        let mut text = Text {
            sql: sql.to_string(),
            lines,
            tokens: Vec::new(),
        };
        text.tokens = Tokenizer::new(&DIALECT, sql)
            .tokenize_with_location()
            .map_err(|e| {
                let position = text.offset(e.location);
                BridgeError::new("42601", format!("syntax error: {}", e.message)).at(position)
            })?;
        // Of several spaces the first says all; a text may have millions.
        text.tokens
            .dedup_by(|b, a| is_space(&a.token) && is_space(&b.token));
        split_signs(&mut text.tokens);
        drop_pg_catalog(&mut text.tokens);
        check_chains(&text)?;
        Ok(text)
    }

    /// The byte offset of a line and column; None if there is no such place.
    pub fn offset(&self, at: Location) -> Option<usize> {
        let start = *self.lines.get((at.line as usize).checked_sub(1)?)?;
        let column = (at.column as usize).checked_sub(1)?;
        let rest = &self.sql[start..];
        let within = rest
            .char_indices()
            .nth(column)
            .map_or(rest.len(), |(i, _)| i);
        Some(start + within)
    }

    /// Where the words of a dotted name first stand in a row; the last one's place, since that is
    /// the column or the table. A name after FROM and the like is preferred if `relation`.
    pub fn find_name(&self, name: &str, relation: bool) -> Option<usize> {
        let parts: Vec<&str> = name.split('.').collect();
        let meaningful: Vec<&TokenWithSpan> = self
            .tokens
            .iter()
            .filter(|t| !matches!(t.token, Token::Whitespace(_)))
            .collect();
        let mut first = None;
        for i in 0..meaningful.len() {
            if !stands_at(&meaningful[i..], &parts) {
                continue;
            }
            let place = self.offset(meaningful[i].span.start);
            if !relation || (i > 0 && introduces_relation(&meaningful[i - 1].token)) {
                return place;
            }
            first = first.or(place);
        }
        // The planner may say t.x where the text says x.
        if first.is_none() && parts.len() > 1 {
            return self.find_name(parts[parts.len() - 1], relation);
        }
        first
    }

    /// Adds the position of the error's subject if it has none.
    pub fn locate(&self, mut error: Box<BridgeError>) -> Box<BridgeError> {
        if error.position.is_none()
            && let Some(subject) = &error.subject
        {
            error.position = self.find_name(subject, error.sqlstate == "42P01");
        }
        // Whoever comes from a system where double quotes make strings meets this one.
        if error.sqlstate == "42703"
            && !error.hint.starts_with("did you mean")
            && let (Some(subject), Some(position)) = (&error.subject, error.position)
            && self.sql[position..].starts_with('"')
        {
            error.hint = format!("if a string is meant, write it in single quotes: '{subject}'");
        }
        error
    }
}

/// sqlparser takes `<-` of `a<-1` for an operator; in PostgreSQL none of the usual ones ends in a
/// sign, so the signs at the end are tokens of their own.
fn split_signs(tokens: &mut Vec<TokenWithSpan>) {
    let is_sign = |c: char| c == '-' || c == '+';
    let glued = |t: &TokenWithSpan| match &t.token {
        Token::CustomBinaryOperator(s) => s.ends_with(is_sign),
        _ => false,
    };
    if !tokens.iter().any(glued) {
        return;
    }
    for token in std::mem::take(tokens) {
        let Token::CustomBinaryOperator(text) = &token.token else {
            tokens.push(token);
            continue;
        };
        let front = text.trim_end_matches(is_sign);
        let mut start = token.span.start;
        let mut push = |token: Token, length: usize| {
            let mut end = start;
            end.column += length as u64;
            tokens.push(TokenWithSpan::new(token, Span::new(start, end)));
            start = end;
        };
        match Tokenizer::new(&DIALECT, front).tokenize() {
            Ok(parts) if parts.len() == 1 => push(parts[0].clone(), front.len()),
            _ if front.is_empty() => {}
            _ => {
                tokens.push(token);
                continue;
            }
        }
        for sign in text[front.len()..].chars() {
            push(
                if sign == '-' {
                    Token::Minus
                } else {
                    Token::Plus
                },
                1,
            );
        }
    }
}

/// pg_catalog.now(), x::pg_catalog.int4: what is built in has no schema here. Tables keep theirs,
/// pg_catalog.pg_class: there are none, and messages say so.
fn drop_pg_catalog(tokens: &mut Vec<TokenWithSpan>) {
    let is_prefix = |t: &TokenWithSpan| match &t.token {
        Token::Word(w) => folded(w) == "pg_catalog",
        _ => false,
    };
    if !tokens.iter().any(is_prefix) {
        return;
    }
    let (mut gone, mut plain) = (vec![false; tokens.len()], Vec::new());
    for i in 0..tokens.len() {
        let [prefix, dot, name] = &tokens[i..tokens.len().min(i + 3)] else {
            break;
        };
        let inside = i > 0 && tokens[i - 1].token == Token::Period;
        let Token::Word(word) = &name.token else {
            continue;
        };
        let next = tokens.get(i + 3).map(|t| &t.token);
        let table = folded(word).starts_with("pg_") && next != Some(&Token::LParen);
        if is_prefix(prefix) && dot.token == Token::Period && !inside && !table {
            gone[i] = true;
            gone[i + 1] = true;
            plain.push(i + 2);
        }
    }
    // "varchar" is a type like varchar; "char" is another, and "default" a collation.
    for i in plain {
        if let Token::Word(word) = &tokens[i].token
            && !["char", "default"].contains(&word.value.as_str())
            && word
                .value
                .chars()
                .all(|c| c == '_' || c.is_ascii_lowercase() || c.is_ascii_digit())
        {
            tokens[i].token = Token::make_word(&word.value.clone(), None);
        }
    }
    let mut gone = gone.into_iter();
    tokens.retain(|_| !gone.next().unwrap_or(false));
}

fn stands_at(tokens: &[&TokenWithSpan], parts: &[&str]) -> bool {
    let mut at = 0;
    for (n, part) in parts.iter().enumerate() {
        if n > 0 {
            if tokens.get(at).map(|t| &t.token) != Some(&Token::Period) {
                return false;
            }
            at += 1;
        }
        match tokens.get(at).map(|t| &t.token) {
            Some(Token::Word(word)) if folded(word) == *part => at += 1,
            _ => return false,
        }
    }
    true
}

fn introduces_relation(token: &Token) -> bool {
    match token {
        Token::Comma | Token::Period => true,
        Token::Word(w) => matches!(
            w.keyword,
            Keyword::FROM
                | Keyword::JOIN
                | Keyword::INTO
                | Keyword::UPDATE
                | Keyword::TABLE
                | Keyword::USING
                | Keyword::COPY
                | Keyword::DESCRIBE
                | Keyword::DESC
        ),
        _ => false,
    }
}

/// Errors: 54001 if operators, or set operations and joins, follow each other without end.
fn check_chains(text: &Text) -> Res<()> {
    #[derive(Default)]
    struct Chain {
        operators: usize,
        parts: usize,
    }
    // Inside of each parenthesis that is open.
    let mut chains = vec![Chain::default()];
    for token in &text.tokens {
        match token.token {
            Token::LParen => chains.push(Chain::default()),
            Token::RParen if chains.len() > 1 => drop(chains.pop()),
            _ => {}
        }
        let Some(chain) = chains.last_mut() else {
            break;
        };
        match link(&token.token) {
            Link::Operator => chain.operators += 1,
            Link::Part => (chain.operators, chain.parts) = (0, chain.parts + 1),
            Link::End => chain.operators = 0,
            Link::None => {}
        }
        // A place is searched for, so only that of an error.
        let checked = check_operators(chain.operators).and_then(|()| check_parts(chain.parts));
        checked.map_err(|e| e.at(text.offset(token.span.start)))?;
    }
    Ok(())
}

fn check_parts(count: usize) -> Res<()> {
    if count <= PARTS_MAX {
        return Ok(());
    }
    let message = format!("a query joins or unites more than {PARTS_MAX} others");
    Err(BridgeError::new("54001", message)
        .hint("Put some of them into parentheses, or into a table."))
}

/// Errors: 54001 if so many operators in a row are too many.
pub fn check_operators(count: usize) -> Res<()> {
    if count <= OPERATORS_MAX {
        return Ok(());
    }
    let message = format!("an expression has more than {OPERATORS_MAX} operators in a row");
    Err(BridgeError::new("54001", message)
        .hint("IN (...) takes long lists, JOIN (VALUES ...) longer ones."))
}

enum Link {
    Operator,
    Part,
    End,
    None,
}

fn link(token: &Token) -> Link {
    match token {
        Token::Plus | Token::Minus | Token::Mul | Token::Div | Token::Mod => Link::Operator,
        Token::StringConcat | Token::DoubleColon => Link::Operator,
        Token::Comma | Token::SemiColon => Link::End,
        Token::Word(word) => match word.keyword {
            Keyword::AND | Keyword::OR => Link::Operator,
            Keyword::UNION | Keyword::INTERSECT | Keyword::EXCEPT | Keyword::JOIN => Link::Part,
            Keyword::SELECT | Keyword::FROM | Keyword::WHERE | Keyword::ON => Link::End,
            _ => Link::None,
        },
        _ => Link::None,
    }
}

fn is_space(token: &Token) -> bool {
    use datafusion::sql::sqlparser::tokenizer::Whitespace::{Newline, Space, Tab};
    matches!(token, Token::Whitespace(Space | Newline | Tab))
}

/// Where the parenthesis that opens at token `open` closes.
pub fn closing(tokens: &[TokenWithSpan], open: usize) -> Option<usize> {
    let mut depth = 0;
    for (i, token) in tokens.iter().enumerate().skip(open) {
        match token.token {
            Token::LParen => depth += 1,
            Token::RParen => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(i);
        }
    }
    None
}

/// The first two words of what was parsed, which is its name in messages.
pub fn first_words(parsed: &impl std::fmt::Display) -> String {
    let text = parsed.to_string();
    let words: Vec<&str> = text.split_whitespace().take(2).collect();
    words.join(" ").to_uppercase()
}

/// The identifier that a word stands for: folded to lower case unless quoted.
pub fn folded(word: &Word) -> String {
    match word.quote_style {
        Some(_) => word.value.clone(),
        None => word.value.to_lowercase(),
    }
}

/// The name that an identifier stands for.
pub fn ident_text(ident: &Ident) -> String {
    match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_bytes() {
        let text = Text::new("SELECT 'ä',\n  nme FROM \"T\"").unwrap();
        let at = text.find_name("nme", false).unwrap();
        assert_eq!(&text.sql[at..at + 3], "nme");
        let at = text.find_name("T", true).unwrap();
        assert_eq!(&text.sql[at..at + 3], "\"T\"");
        assert_eq!(text.find_name("t", true), None);
    }

    #[test]
    fn a_sign_is_no_part_of_the_operator_before_it() {
        for (glued, apart) in [
            ("a<-1", "a < - 1"),
            ("7%-2", "7 % - 2"),
            ("a>=-1", "a >= - 1"),
            ("5-+2", "5 - + 2"),
            ("a<>-+1", "a <> - + 1"),
            ("a->'b'", "a -> 'b'"),
        ] {
            let tokens = |sql: &str| -> Vec<Token> {
                let all = Text::new(sql).unwrap().tokens.into_iter().map(|t| t.token);
                all.filter(|t| !matches!(t, Token::Whitespace(_))).collect()
            };
            assert_eq!(tokens(glued), tokens(apart), "{glued}");
        }
        let text = Text::new("a<-x").unwrap();
        assert_eq!(text.find_name("x", false), Some(3));
    }

    #[test]
    fn what_is_built_in_has_no_schema() {
        let plain = |sql: &str| -> String {
            let tokens = Text::new(sql).unwrap().tokens.into_iter();
            tokens.map(|t| t.token.to_string()).collect()
        };
        assert_eq!(
            plain("SELECT pg_catalog.now(), x::\"pg_catalog\".\"int4\" FROM t"),
            "SELECT now(), x::int4 FROM t"
        );
        assert_eq!(
            plain("pg_catalog.pg_get_serial_sequence('t', 'a'), a.pg_catalog.b"),
            "pg_get_serial_sequence('t', 'a'), a.pg_catalog.b"
        );
        for sql in [
            "SELECT 1 FROM pg_catalog.pg_class",
            "pg_catalog",
            "pg_catalog.",
        ] {
            assert_eq!(plain(sql), sql);
        }
    }

    #[test]
    fn endless_chains_are_refused() {
        let chain = |first: &str, more: &str, n: usize| {
            let text = Text::new(&format!("SELECT {first}{}", more.repeat(n)));
            text.err().map(|e| e.sqlstate.clone())
        };
        let refused = Some("54001".to_string());
        assert_eq!(chain("1", " + 1", OPERATORS_MAX), None);
        assert_eq!(chain("1", " + 1", OPERATORS_MAX + 1), refused);
        assert_eq!(chain("a", "::INT", OPERATORS_MAX + 1), refused);
        assert_eq!(chain("1", " UNION SELECT 1 + 1 + 1", PARTS_MAX), None);
        assert_eq!(chain("1", " UNION SELECT 1", PARTS_MAX + 1), refused);
        assert_eq!(chain("1", ", 1 + 1", OPERATORS_MAX + 1), None);
        assert_eq!(chain("1", " + (1)", OPERATORS_MAX + 1), refused);
        assert_eq!(chain("(1)", ", (1 + 1)", OPERATORS_MAX + 1), None);
    }

    #[test]
    fn a_relation_is_found_after_from() {
        let text = Text::new("SELECT usr FROM usr").unwrap();
        assert_eq!(text.find_name("usr", false), Some(7));
        assert_eq!(text.find_name("usr", true), Some(16));
    }
}
