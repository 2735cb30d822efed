//! CREATE, DROP, ALTER INDEX and REINDEX. They are read here, not by sqlparser, because what they
//! can say is ours: every clause that is not done yet is refused by its name and place.

use datafusion::sql::sqlparser::tokenizer::Token;

use crate::error::{BridgeError, Res};
use crate::parse::{Kind, Name, Reader};

#[derive(Debug)]
pub enum IndexCommand {
    Create(CreateIndex),
    Drop {
        names: Vec<Name>,
        if_exists: bool,
        concurrently: bool,
    },
    Rename {
        index: Name,
        to: Name,
        if_exists: bool,
    },
    Rebuild {
        name: Name,
        of_table: bool,
        concurrently: bool,
    },
}

#[derive(Debug)]
pub struct CreateIndex {
    pub name: Option<Name>,
    pub if_not_exists: bool,
    pub unique: bool,
    /// Every index is built while others write; this only says that no transaction block may hold
    /// it up.
    pub concurrently: bool,
    pub table: Name,
    pub columns: Vec<Name>,
}

/// Reads the statement if it is one of these.
pub fn read(r: &mut Reader) -> Res<Option<Kind>> {
    let word = |n: usize| match r.parser.peek_nth_token(n).token {
        Token::Word(w) if w.quote_style.is_none() => w.value.to_uppercase(),
        _ => String::new(),
    };
    let command = match (word(0).as_str(), word(1).as_str(), word(2).as_str()) {
        ("CREATE", "UNIQUE", "INDEX") | ("CREATE", "INDEX", _) => create(r)?,
        ("DROP", "INDEX", _) => drop(r)?,
        ("ALTER", "INDEX", _) => alter(r)?,
        ("REINDEX", _, _) => rebuild(r)?,
        _ => return Ok(None),
    };
    Ok(Some(Kind::Index(command)))
}

fn create(r: &mut Reader) -> Res<IndexCommand> {
    word(r, "CREATE")?;
    let unique = take(r, "UNIQUE");
    word(r, "INDEX")?;
    let concurrently = take(r, "CONCURRENTLY");
    let if_not_exists = take(r, "IF");
    if if_not_exists {
        word(r, "NOT")?;
        word(r, "EXISTS")?;
    }
    let name = match if_not_exists || !r.word_is("ON") {
        true => Some(name(r)?),
        false => None,
    };
    word(r, "ON")?;
    refuse(r, "ONLY", "ON ONLY")?;
    let table = name_of_object(r)?;
    if take(r, "USING") {
        let kind = r.peek();
        let method = r.identifier()?;
        if method != "ordered" && method != "btree" {
            return Err(BridgeError::unsupported(format!("USING {method}"))
                .at(r.offset(&kind))
                .hint("indexes are ordered; leave USING away"));
        }
    }
    let columns = columns(r)?;
    for clause in ["INCLUDE", "WHERE", "WITH", "TABLESPACE"] {
        refuse(r, clause, &format!("{clause} of an index"))?;
    }
    if r.word_is("NULLS") {
        let at = r.offset(&r.peek());
        word(r, "NULLS")?;
        if take(r, "NOT") {
            return Err(BridgeError::unsupported("NULLS NOT DISTINCT").at(at));
        }
        word(r, "DISTINCT")?;
    }
    Ok(IndexCommand::Create(CreateIndex {
        name,
        if_not_exists,
        unique,
        concurrently,
        table,
        columns,
    }))
}

fn columns(r: &mut Reader) -> Res<Vec<Name>> {
    r.expect(Token::LParen, "an opening parenthesis")?;
    let mut names = Vec::new();
    loop {
        let start = r.peek();
        let at = r.offset(&start);
        let next = r.parser.peek_nth_token(1).token;
        if !matches!(start.token, Token::Word(_)) || next == Token::LParen {
            return Err(BridgeError::unsupported("an index of an expression").at(at));
        }
        names.push(name(r)?);
        let order = r.peek();
        let at = r.offset(&order);
        take(r, "ASC");
        if take(r, "DESC") {
            return Err(BridgeError::unsupported("DESC in an index").at(at));
        }
        if take(r, "NULLS") && !take(r, "LAST") {
            return Err(BridgeError::unsupported("NULLS FIRST in an index").at(at));
        }
        match &r.peek().token {
            Token::Comma => {
                r.parser.next_token();
            }
            Token::RParen => break,
            Token::Word(w) if w.value.eq_ignore_ascii_case("collate") => {
                return Err(BridgeError::unsupported("COLLATE").at(r.offset(&r.peek())));
            }
            Token::Word(_) => {
                let at = r.offset(&r.peek());
                return Err(BridgeError::unsupported("an operator class").at(at));
            }
            Token::EOF => return Err(r.unexpected("a comma or a closing parenthesis")),
            _ => return Err(BridgeError::unsupported("an index of an expression").at(at)),
        }
    }
    r.expect(Token::RParen, "a closing parenthesis")?;
    Ok(names)
}

fn drop(r: &mut Reader) -> Res<IndexCommand> {
    word(r, "DROP")?;
    word(r, "INDEX")?;
    let concurrently = take(r, "CONCURRENTLY");
    let if_exists = if_exists(r)?;
    let mut names = vec![name_of_object(r)?];
    while r.parser.consume_token(&Token::Comma) {
        if concurrently {
            let what = "DROP INDEX CONCURRENTLY of several indexes";
            return Err(BridgeError::unsupported(what).at(r.offset(&r.peek())));
        }
        names.push(name_of_object(r)?);
    }
    refuse(r, "CASCADE", "DROP INDEX ... CASCADE")?;
    take(r, "RESTRICT"); // nothing depends on an index that is not a constraint
    Ok(IndexCommand::Drop {
        names,
        if_exists,
        concurrently,
    })
}

fn alter(r: &mut Reader) -> Res<IndexCommand> {
    word(r, "ALTER")?;
    word(r, "INDEX")?;
    let if_exists = if_exists(r)?;
    let index = name_of_object(r)?;
    if !take(r, "RENAME") {
        let at = r.offset(&r.peek());
        let what = r.peek().token.to_string().to_uppercase();
        return Err(BridgeError::unsupported(format!("ALTER INDEX ... {what}")).at(at));
    }
    word(r, "TO")?;
    let to = name(r)?;
    Ok(IndexCommand::Rename {
        index,
        to,
        if_exists,
    })
}

fn rebuild(r: &mut Reader) -> Res<IndexCommand> {
    word(r, "REINDEX")?;
    let of_table = take(r, "TABLE");
    if !of_table && !take(r, "INDEX") {
        let at = r.offset(&r.peek());
        let what = r.peek().token.to_string().to_uppercase();
        return Err(BridgeError::unsupported(format!("REINDEX {what}"))
            .at(at)
            .hint("write REINDEX TABLE or REINDEX INDEX, and a name"));
    }
    let concurrently = take(r, "CONCURRENTLY");
    let name = name_of_object(r)?;
    Ok(IndexCommand::Rebuild {
        name,
        of_table,
        concurrently,
    })
}

pub fn take(r: &mut Reader, word: &str) -> bool {
    let found = r.word_is(word);
    if found {
        r.parser.next_token();
    }
    found
}

pub fn word(r: &mut Reader, word: &str) -> Res<()> {
    match take(r, word) {
        true => Ok(()),
        false => Err(r.unexpected(word)),
    }
}

fn refuse(r: &mut Reader, word: &str, what: &str) -> Res<()> {
    match r.word_is(word) {
        true => Err(BridgeError::unsupported(what).at(r.offset(&r.peek()))),
        false => Ok(()),
    }
}

pub fn if_exists(r: &mut Reader) -> Res<bool> {
    let found = take(r, "IF");
    if found {
        word(r, "EXISTS")?;
    }
    Ok(found)
}

pub fn name(r: &mut Reader) -> Res<Name> {
    let ident = r.parser.parse_identifier().map_err(|e| r.syntax(e))?;
    Ok(r.ident(&ident))
}

pub fn name_of_object(r: &mut Reader) -> Res<Name> {
    let name = r.object_name()?;
    r.table_name(&name)
}

#[cfg(test)]
mod tests {
    use super::IndexCommand;
    use crate::parse::{Kind, parse};

    #[test]
    fn an_index_is_read_with_its_columns() {
        let sql =
            "CREATE UNIQUE INDEX IF NOT EXISTS I ON T USING ordered (a, \"B\" ASC NULLS LAST)";
        let Kind::Index(IndexCommand::Create(index)) = parse(sql).unwrap().kind else {
            panic!("not an index");
        };
        assert!(index.unique && index.if_not_exists);
        assert_eq!(index.name.unwrap().text, "i");
        assert_eq!(index.table.text, "t");
        assert_eq!(index.columns[1].text, "B");
        let Kind::Index(IndexCommand::Create(index)) = parse("CREATE INDEX ON t (a)").unwrap().kind
        else {
            panic!("not an index");
        };
        assert!(!index.unique && index.name.is_none());
    }

    #[test]
    fn what_an_index_cannot_do_is_refused_by_name() {
        for (sql, what) in [
            ("DROP INDEX CONCURRENTLY i, j", "several indexes"),
            ("CREATE INDEX i ON t USING hash (a)", "USING hash"),
            ("CREATE INDEX i ON t (lower(a))", "expression"),
            ("CREATE INDEX i ON t ((a + 1))", "expression"),
            ("CREATE INDEX i ON t (a DESC)", "DESC"),
            ("CREATE INDEX i ON t (a NULLS FIRST)", "NULLS FIRST"),
            ("CREATE INDEX i ON t (a COLLATE \"C\")", "COLLATE"),
            ("CREATE INDEX i ON t (a text_ops)", "operator class"),
            ("CREATE INDEX i ON t (a) INCLUDE (b)", "INCLUDE"),
            ("CREATE INDEX i ON t (a) WHERE a > 1", "WHERE"),
            (
                "CREATE UNIQUE INDEX i ON t (a) NULLS NOT DISTINCT",
                "NULLS NOT",
            ),
            ("DROP INDEX i CASCADE", "CASCADE"),
            ("ALTER INDEX i SET (x = 1)", "ALTER INDEX ... SET"),
            ("REINDEX DATABASE d", "REINDEX DATABASE"),
        ] {
            let e = parse(sql).unwrap_err();
            assert_eq!(e.sqlstate, "0A000", "{sql}: {e}");
            assert!(e.message.contains(what), "{sql}: {e}");
            assert!(e.position.is_some(), "{sql}");
        }
        assert_eq!(parse("CREATE INDEX ON t").unwrap_err().sqlstate, "42601");
    }
}
