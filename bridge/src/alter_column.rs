//! ALTER TABLE ... ALTER COLUMN of identity and generated columns, which sqlparser does not read:
//!
//!     RESTART [WITH n]   SET GENERATED ALWAYS | BY DEFAULT   SET option of the sequence
//!     DROP IDENTITY [IF EXISTS]   DROP EXPRESSION [IF EXISTS]
//!
//! Such a statement does nothing else beside.

use datafusion::sql::sqlparser::tokenizer::Token;

use crate::ddl::{Action, AlterTable};
use crate::error::{BridgeError, Res};
use crate::generated::{Generated, GeneratedAction};
use crate::index::{if_exists, name, name_of_object, take, word};
use crate::parse::{Kind, Name, Reader};
use crate::sequence::{self, SequenceOption, Setting};

/// Reads the statement if it is one of these.
pub fn read(r: &mut Reader) -> Res<Option<Kind>> {
    if !is_one(r) {
        return Ok(None);
    }
    word(r, "ALTER")?;
    word(r, "TABLE")?;
    let if_exists = if_exists(r)?;
    let table = name_of_object(r)?;
    word(r, "ALTER")?;
    take(r, "COLUMN");
    let column = name(r)?;
    let action = action(r, column)?;
    if r.parser.consume_token(&Token::Comma) {
        let what = "several actions in an ALTER TABLE that alters an identity";
        return Err(BridgeError::unsupported(what).at(r.offset(&r.peek())));
    }
    Ok(Some(Kind::AlterTable(AlterTable {
        table,
        if_exists,
        actions: vec![Action::Generated(action)],
    })))
}

fn is_one(r: &Reader) -> bool {
    let word = |n: usize| match r.parser.peek_nth_token(n).token {
        Token::Word(w) if w.quote_style.is_none() => w.value.to_uppercase(),
        _ => String::new(),
    };
    if word(0) != "ALTER" || word(1) != "TABLE" {
        return false;
    }
    let mut n = if word(2) == "IF" { 5 } else { 3 };
    while r.parser.peek_nth_token(n).token == Token::Period {
        n += 2;
    }
    if word(n) != "ALTER" {
        return false;
    }
    n += if word(n + 1) == "COLUMN" { 3 } else { 2 };
    match word(n).as_str() {
        "RESTART" => true,
        "DROP" => matches!(word(n + 1).as_str(), "IDENTITY" | "EXPRESSION"),
        "SET" => matches!(
            word(n + 1).as_str(),
            "GENERATED"
                | "INCREMENT"
                | "START"
                | "RESTART"
                | "MINVALUE"
                | "MAXVALUE"
                | "NO"
                | "CACHE"
                | "CYCLE"
        ),
        _ => false,
    }
}

fn action(r: &mut Reader, column: Name) -> Res<GeneratedAction> {
    if take(r, "DROP") {
        let expression = take(r, "EXPRESSION");
        if !expression {
            word(r, "IDENTITY")?;
        }
        let if_exists = if_exists(r)?;
        return Ok(GeneratedAction::Drop {
            name: column,
            expression,
            if_exists,
        });
    }
    let mut how = None;
    let mut options: Vec<SequenceOption> = Vec::new();
    loop {
        let set = take(r, "SET");
        if set && take(r, "GENERATED") {
            how = Some(generated(r)?);
            continue;
        }
        let more = sequence::options(r)?;
        if more.is_empty() {
            if set || (options.is_empty() && how.is_none()) {
                return Err(r.unexpected("an option of the sequence"));
            }
            return Ok(GeneratedAction::SetIdentity {
                name: column,
                how,
                options,
            });
        }
        options.extend(more);
        let names = [Setting::OwnedBy, Setting::Name, Setting::Type];
        if let Some(o) = options.iter().find(|o| names.contains(&o.kind)) {
            let what = "sequence option is not supported here";
            return Err(BridgeError::new("42601", what).at(o.position as usize));
        }
    }
}

fn generated(r: &mut Reader) -> Res<Generated> {
    if take(r, "ALWAYS") {
        return Ok(Generated::Always);
    }
    word(r, "BY")?;
    word(r, "DEFAULT")?;
    Ok(Generated::ByDefault)
}
