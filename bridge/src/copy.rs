//! COPY: its grammar, with options as any name and value.
//!
//!     COPY t [(columns)] FROM 'file' [[WITH] (name [value], ...)]
//!     COPY t [(columns)] | (query) TO 'file' [[WITH] (name [value], ...)]
//!
//! and the older form without parentheses (CSV HEADER DELIMITER ';'). Which options there are is
//! for the reader or writer of the file to say; here they only become pairs of text.

use datafusion::sql::sqlparser::ast::Query;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::Token;

use crate::check;
use crate::error::{BridgeError, Res};
use crate::generated::Generated;
use crate::names;
use crate::parse::{Kind, Name, Reader};
use crate::planner::Planner;
use crate::text::DIALECT;

pub type Options = Vec<(String, String)>;

#[derive(Debug)]
pub struct CopyFrom {
    pub table: Name,
    pub columns: Vec<Name>,
    pub file: String,
    pub options: Options,
}

#[derive(Debug)]
pub struct CopyTo {
    pub query: Box<Query>,
    /// COPY t [(columns)]: `query` reads them.
    pub table: Option<(Name, Vec<Name>)>,
    pub file: String,
    pub options: Options,
}

pub fn read(r: &mut Reader) -> Res<Kind> {
    r.parser.next_token();
    if r.peek().token == Token::LParen {
        r.parser.next_token();
        let mut query = r.parser.parse_query().map_err(|e| r.syntax(e))?;
        r.names = names::of_query(&mut query);
        check::query(r.text, &mut query)?;
        r.expect(Token::RParen, "a closing parenthesis")?;
        if !r.parser.parse_keyword(Keyword::TO) {
            return Err(r.unexpected("TO"));
        }
        return to(r, query, None);
    }
    let name = r.object_name()?;
    let columns = columns(r)?;
    if r.parser.parse_keyword(Keyword::TO) {
        let query = table_query(&name.to_string(), &columns).map_err(|e| r.syntax(e))?;
        let table = r.table_name(&name)?;
        return to(r, query, Some((table, columns)));
    }
    if !r.parser.parse_keyword(Keyword::FROM) {
        return Err(r.unexpected("FROM or TO"));
    }
    let table = r.table_name(&name)?;
    let file = file(r, "FROM")?;
    let options = options(r)?;
    if r.parser.parse_keyword(Keyword::WHERE) {
        return Err(BridgeError::unsupported("COPY ... WHERE"));
    }
    Ok(Kind::CopyFrom(CopyFrom {
        table,
        columns,
        file,
        options,
    }))
}

fn to(r: &mut Reader, query: Box<Query>, table: Option<(Name, Vec<Name>)>) -> Res<Kind> {
    let file = file(r, "TO")?;
    let options = options(r)?;
    Ok(Kind::CopyTo(CopyTo {
        query,
        table,
        file,
        options,
    }))
}

fn columns(r: &mut Reader) -> Res<Vec<Name>> {
    let mut columns = Vec::new();
    if !r.parser.consume_token(&Token::LParen) {
        return Ok(columns);
    }
    loop {
        let ident = r.parser.parse_identifier().map_err(|e| r.syntax(e))?;
        columns.push(r.ident(&ident));
        if !r.parser.consume_token(&Token::Comma) {
            break;
        }
    }
    r.expect(Token::RParen, "a closing parenthesis")?;
    Ok(columns)
}

fn table_query(table: &str, columns: &[Name]) -> Result<Box<Query>, ParserError> {
    let quoted = |c: &Name| format!("\"{}\"", c.text.replace('"', "\"\""));
    let list = match columns {
        [] => "*".to_string(),
        some => some.iter().map(quoted).collect::<Vec<_>>().join(", "),
    };
    let sql = format!("SELECT {list} FROM {table}");
    Parser::new(&DIALECT).try_with_sql(&sql)?.parse_query()
}

/// What COPY TO reads. Of a table without a list of columns that is all but the stored ones, which
/// COPY FROM would not take. Errors: 42P10 if one of the list is stored.
pub fn source(planner: &Planner, copy: &CopyTo) -> Res<Box<Query>> {
    let Some((name, columns)) = &copy.table else {
        return Ok(copy.query.clone());
    };
    // A view has none.
    let Ok(table) = planner.table(&name.text) else {
        return Ok(copy.query.clone());
    };
    let (mut given, mut stored) = (Vec::new(), Vec::new());
    for (i, field) in table.schema.fields().iter().enumerate() {
        let column = |list: &mut Vec<Name>| {
            list.push(Name {
                text: field.name().clone(),
                position: name.position,
            });
        };
        match table.generated(i as u32)? {
            Generated::Stored => column(&mut stored),
            _ => column(&mut given),
        }
    }
    for column in columns {
        if stored.iter().any(|s| s.text == column.text) {
            let message = format!("column \"{}\" is a generated column", column.text);
            return Err(BridgeError::new("42P10", message)
                .detail("Generated columns cannot be used in COPY.")
                .at(Some(column.position as usize)));
        }
    }
    if !columns.is_empty() || stored.is_empty() {
        return Ok(copy.query.clone());
    }
    table_query(&name.text, &given).map_err(|e| BridgeError::internal(&e.to_string()))
}

fn file(r: &mut Reader, direction: &str) -> Res<String> {
    let token = r.parser.next_token();
    match &token.token {
        Token::SingleQuotedString(path) => Ok(path.clone()),
        Token::EscapedStringLiteral(path) => Ok(path.clone()),
        Token::Word(w) if matches!(w.keyword, Keyword::STDIN | Keyword::STDOUT) => Err(
            BridgeError::unsupported(format!("COPY {direction} {}", w.value.to_uppercase()))
                .at(r.offset(&token)),
        ),
        Token::Word(w) if w.keyword == Keyword::PROGRAM => {
            Err(BridgeError::unsupported("COPY with PROGRAM").at(r.offset(&token)))
        }
        _ => Err(r.unexpected_token("the path of a file in quotes", &token)),
    }
}

/// [[WITH] (name [value], ...)]
pub fn options(r: &mut Reader) -> Res<Options> {
    let mut options = Options::new();
    let with = r.parser.parse_keyword(Keyword::WITH);
    if r.parser.consume_token(&Token::LParen) {
        loop {
            let name = option_name(r)?;
            let value = option_value(r)?;
            add(r, &mut options, name, value)?;
            if !r.parser.consume_token(&Token::Comma) {
                break;
            }
        }
        r.expect(Token::RParen, "a comma or a closing parenthesis")?;
        return Ok(options);
    }
    while matches!(r.peek().token, Token::Word(_)) && !r.word_is("WHERE") {
        legacy_option(r, &mut options)?;
    }
    if with && options.is_empty() {
        return Err(r.unexpected("options"));
    }
    Ok(options)
}

fn add(r: &Reader, options: &mut Options, name: String, value: String) -> Res<()> {
    if options.iter().any(|(known, _)| *known == name) {
        return Err(BridgeError::new(
            "42601",
            format!("option {} is given more than once", name.to_uppercase()),
        )
        .at(r.offset(&r.peek())));
    }
    options.push((name, value));
    Ok(())
}

fn option_name(r: &mut Reader) -> Res<String> {
    let token = r.parser.next_token();
    match &token.token {
        Token::Word(w) => Ok(w.value.to_lowercase()),
        _ => Err(r.unexpected_token("the name of an option", &token)),
    }
}

/// A string, number, word, list in parentheses, star, or nothing, which is "true".
fn option_value(r: &mut Reader) -> Res<String> {
    match r.peek().token {
        Token::Comma | Token::RParen => return Ok("true".to_string()),
        Token::Eq => {
            r.parser.next_token();
        }
        _ => {}
    }
    if r.parser.consume_token(&Token::LParen) {
        let mut items = Vec::new();
        loop {
            items.push(scalar(r)?);
            if !r.parser.consume_token(&Token::Comma) {
                break;
            }
        }
        r.expect(Token::RParen, "a closing parenthesis")?;
        return Ok(items.join(","));
    }
    scalar(r)
}

fn scalar(r: &mut Reader) -> Res<String> {
    let token = r.parser.next_token();
    Ok(match &token.token {
        Token::SingleQuotedString(s) | Token::EscapedStringLiteral(s) => s.clone(),
        Token::Number(n, _) => n.clone(),
        Token::Mul => "*".to_string(),
        Token::Minus => format!("-{}", scalar(r)?),
        Token::Word(w) if w.quote_style.is_some() => w.value.clone(),
        Token::Word(w) => w.value.to_lowercase(),
        _ => return Err(r.unexpected_token("the value of an option", &token)),
    })
}

// CSV, HEADER, DELIMITER [AS] ';', NULL [AS] '', QUOTE [AS] '"', ESCAPE [AS] '\'
fn legacy_option(r: &mut Reader, options: &mut Options) -> Res<()> {
    let token = r.peek();
    let name = option_name(r)?;
    let (name, value) = match name.as_str() {
        "csv" | "parquet" => ("format".to_string(), name),
        "header" => (name, "true".to_string()),
        "delimiter" | "null" | "quote" | "escape" | "encoding" => {
            let _ = r.parser.parse_keyword(Keyword::AS);
            let value = scalar(r)?;
            (name, value)
        }
        "format" => {
            let value = scalar(r)?;
            (name, value)
        }
        other => {
            return Err(
                BridgeError::unsupported(format!("COPY option {}", other.to_uppercase()))
                    .at(r.offset(&token))
                    .hint("options are written (name value, ...)"),
            );
        }
    };
    add(r, options, name, value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::parse;

    #[test]
    fn both_forms_give_the_same_options() {
        let options = |sql: &str| match parse(sql).unwrap().kind {
            Kind::CopyFrom(c) => c.options,
            Kind::CopyTo(c) => c.options,
            other => panic!("{other:?}"),
        };
        let pair = |a: &str, b: &str| (a.to_string(), b.to_string());
        let expected = vec![
            pair("format", "csv"),
            pair("header", "true"),
            pair("delimiter", ";"),
            pair("null", ""),
        ];
        let new = "COPY t (a, b) FROM 'f.csv' WITH (FORMAT csv, HEADER, DELIMITER ';', NULL '')";
        let old = "COPY t FROM 'f.csv' CSV HEADER DELIMITER AS ';' NULL ''";
        assert_eq!(options(new), expected);
        assert_eq!(options(old), expected);
        let query = "COPY (SELECT 1) TO 'r.csv' (HEADER, DELIMITER ',')";
        assert_eq!(
            options(query),
            vec![pair("header", "true"), pair("delimiter", ",")]
        );
        assert_eq!(parse("COPY t FROM STDIN").unwrap_err().sqlstate, "0A000");
    }
}
