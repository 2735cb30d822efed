//! Keeping house: statements about the database as a whole.
//!
//!     CHECKPOINT                      CHECK DATABASE, PRAGMA integrity_check
//!     VACUUM [ANALYZE] [t]            BACKUP [DATABASE] TO 'directory'
//!     EXPORT DATABASE 'directory'     IMPORT DATABASE 'directory'
//!     ANALYZE [t [, ...]]             DISCARD ALL
//!     SET CONSTRAINTS ALL {IMMEDIATE | DEFERRED}
//!
//! What they do is written in C++ (`src/db/maintenance.cpp`); here they are only read.

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::Token;

use crate::copy::{self, Options};
use crate::error::{BridgeError, Res};
use crate::parse::{Kind, Name, Reader};

/// The numbers cross the border.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Action {
    Checkpoint = 0,
    Check = 1,
    IntegrityCheck = 2,
    Vacuum = 3,
    Backup = 4,
    Export = 5,
    Import = 6,
    Discard = 7,
    SetConstraints = 8,
}

#[derive(Debug)]
pub struct House {
    pub action: Action,
    pub table: Option<Name>,
    pub directory: String,
    pub options: Options,
}

/// REQUIRES: the next word begins one of these statements.
pub fn read(r: &mut Reader) -> Res<Kind> {
    let first = r.parser.next_token();
    let word = first.token.to_string().to_uppercase();
    let mut house = House {
        action: Action::Checkpoint,
        table: None,
        directory: String::new(),
        options: Options::new(),
    };
    match word.as_str() {
        "CHECKPOINT" => {}
        "CHECK" => {
            expect_word(r, "DATABASE")?;
            house.action = Action::Check;
        }
        "PRAGMA" => pragma(r, &mut house)?,
        "VACUUM" => {
            house.action = Action::Vacuum;
            vacuum(r, &mut house)?;
        }
        "BACKUP" => {
            house.action = Action::Backup;
            if r.word_is("DATABASE") {
                r.parser.next_token();
            }
            expect_word(r, "TO")?;
            house.directory = directory(r)?;
        }
        "DISCARD" => {
            house.action = Action::Discard;
            let next = r.peek();
            if !r.word_is("ALL") {
                let what = format!("DISCARD {}", next.token.to_string().to_uppercase());
                return Err(BridgeError::unsupported(what).at(r.offset(&next)));
            }
            r.parser.next_token();
        }
        "SET" => set_constraints(r, &mut house)?,
        "EXPORT" => {
            house.action = Action::Export;
            expect_word(r, "DATABASE")?;
            house.directory = directory(r)?;
            house.options = copy::options(r)?;
        }
        _ => {
            house.action = Action::Import;
            expect_word(r, "DATABASE")?;
            house.directory = directory(r)?;
        }
    }
    Ok(Kind::House(house))
}

fn expect_word(r: &mut Reader, word: &str) -> Res<()> {
    if r.word_is(word) {
        r.parser.next_token();
        return Ok(());
    }
    Err(r.unexpected(word))
}

fn directory(r: &mut Reader) -> Res<String> {
    let token = r.parser.next_token();
    match &token.token {
        Token::SingleQuotedString(path) | Token::EscapedStringLiteral(path) => Ok(path.clone()),
        _ => Err(r.unexpected_token("the path of a directory in quotes", &token)),
    }
}

fn vacuum(r: &mut Reader, house: &mut House) -> Res<()> {
    if r.word_is("ANALYZE") || r.word_is("ANALYSE") {
        r.parser.next_token();
        let analyze = ("analyze".to_string(), String::new());
        house.options.push(analyze);
    }
    let next = r.peek();
    let is_option = ["FULL", "FREEZE", "VERBOSE"]
        .iter()
        .find(|word| r.word_is(word));
    if let Some(word) = is_option {
        return Err(BridgeError::unsupported(format!("VACUUM {word}"))
            .at(r.offset(&next))
            .hint("VACUUM alone gives all space back"));
    }
    match next.token {
        Token::Word(_) => {
            let name = r.object_name()?;
            house.table = Some(r.table_name(&name)?);
            Ok(())
        }
        Token::LParen => Err(BridgeError::unsupported("VACUUM with options").at(r.offset(&next))),
        _ => Ok(()),
    }
}

/// There are no deferrable constraints, so for all of them there is nothing to do.
fn set_constraints(r: &mut Reader, house: &mut House) -> Res<()> {
    house.action = Action::SetConstraints;
    expect_word(r, "CONSTRAINTS")?;
    let next = r.peek();
    if !r.word_is("ALL") {
        return Err(
            BridgeError::unsupported("SET CONSTRAINTS of single constraints")
                .at(r.offset(&next))
                .hint("constraints hold at the end of each statement"),
        );
    }
    r.parser.next_token();
    match r.word_is("DEFERRED") {
        true => expect_word(r, "DEFERRED"),
        false => expect_word(r, "IMMEDIATE"),
    }
}

fn pragma(r: &mut Reader, house: &mut House) -> Res<()> {
    let next = r.peek();
    let name = r.identifier()?.to_lowercase();
    if name != "integrity_check" && name != "quick_check" {
        return Err(BridgeError::unsupported(format!("PRAGMA {name}"))
            .at(r.offset(&next))
            .hint("settings are changed by SET; see SHOW ALL"));
    }
    house.action = Action::IntegrityCheck;
    Ok(())
}

/// ANALYZE [VERBOSE] [table [, ...]]
pub fn analyze(r: &mut Reader) -> Res<Kind> {
    r.parser.next_token();
    let _ = r.parser.parse_keyword(Keyword::VERBOSE);
    let mut tables = Vec::new();
    if !matches!(r.peek().token, Token::EOF | Token::SemiColon) {
        loop {
            let name = r.object_name()?;
            tables.push(r.table_name(&name)?);
            let next = r.peek();
            if next.token == Token::LParen {
                return Err(
                    BridgeError::unsupported("ANALYZE of single columns").at(r.offset(&next))
                );
            }
            if !r.parser.consume_token(&Token::Comma) {
                break;
            }
        }
    }
    Ok(Kind::Analyze(tables))
}
