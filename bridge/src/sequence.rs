//! CREATE and ALTER SEQUENCE, and the options of sequences, which identity columns have, too. They
//! are read here, because sqlparser knows some of the options, and those in one order only.

use datafusion::sql::sqlparser::tokenizer::Token;

use crate::bytes::Writer;
use crate::error::{BridgeError, Res};
use crate::index::{if_exists, name, name_of_object, take, word};
use crate::parse::{Kind, Name, Reader};
use crate::statement_format;

/// engine::SequenceOption::Kind; the numbers cross the border.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Setting {
    Type = 0,
    Increment = 1,
    Min = 2,
    Max = 3,
    Start = 4,
    Cache = 5,
    Cycle = 6,
    Restart = 7,
    OwnedBy = 8,
    Name = 9,
}

/// One option; without a value it is the one that the option has by itself (NO MINVALUE, RESTART).
#[derive(Debug, Clone)]
pub struct SequenceOption {
    pub kind: Setting,
    pub value: Option<i64>,
    /// Of OWNED BY, unless NONE: a table and its column; of SEQUENCE NAME: the name.
    pub names: Vec<Name>,
    pub position: u32,
}

#[derive(Debug)]
pub enum SequenceCommand {
    Create {
        name: Name,
        if_not_exists: bool,
        temporary: bool,
        options: Vec<SequenceOption>,
    },
    Alter {
        name: Name,
        if_exists: bool,
        options: Vec<SequenceOption>,
        to: Option<Name>,
    },
}

/// Reads the statement if it is one of these.
pub fn read(r: &mut Reader) -> Res<Option<Kind>> {
    let words = |n: usize| match r.parser.peek_nth_token(n).token {
        Token::Word(w) if w.quote_style.is_none() => w.value.to_uppercase(),
        _ => String::new(),
    };
    let (first, second, third) = (words(0), words(1), words(2));
    let temporary = matches!(second.as_str(), "TEMP" | "TEMPORARY");
    let command = match (first.as_str(), second.as_str(), third.as_str()) {
        ("CREATE", "SEQUENCE", _) => create(r, false)?,
        ("CREATE", _, "SEQUENCE") if temporary => create(r, true)?,
        ("ALTER", "SEQUENCE", _) => alter(r)?,
        _ => return Ok(None),
    };
    Ok(Some(Kind::Sequence(command)))
}

fn create(r: &mut Reader, temporary: bool) -> Res<SequenceCommand> {
    word(r, "CREATE")?;
    if temporary {
        r.parser.next_token();
    }
    word(r, "SEQUENCE")?;
    let if_not_exists = take(r, "IF");
    if if_not_exists {
        word(r, "NOT")?;
        word(r, "EXISTS")?;
    }
    let name = name_of_object(r)?;
    let options = options(r)?;
    if let Some(o) = options.iter().find(|o| o.kind == Setting::Restart) {
        return Err(
            BridgeError::new("42601", "RESTART is not an option of CREATE SEQUENCE")
                .at(o.position as usize),
        );
    }
    Ok(SequenceCommand::Create {
        name,
        if_not_exists,
        temporary,
        options,
    })
}

fn alter(r: &mut Reader) -> Res<SequenceCommand> {
    word(r, "ALTER")?;
    word(r, "SEQUENCE")?;
    let if_exists = if_exists(r)?;
    let sequence = name_of_object(r)?;
    let mut to = None;
    let mut options_ = Vec::new();
    if take(r, "RENAME") {
        word(r, "TO")?;
        to = Some(name(r)?);
    } else if r.word_is("OWNER") || r.word_is("SET") {
        let at = r.offset(&r.peek());
        let what = r.peek().token.to_string().to_uppercase();
        return Err(BridgeError::unsupported(format!("ALTER SEQUENCE ... {what}")).at(at));
    } else {
        options_ = options(r)?;
        if options_.is_empty() {
            return Err(r.unexpected("an option of the sequence"));
        }
    }
    Ok(SequenceCommand::Alter {
        name: sequence,
        if_exists,
        options: options_,
        to,
    })
}

/// All options that follow. Errors: 42601 if one is given twice.
pub fn options(r: &mut Reader) -> Res<Vec<SequenceOption>> {
    let mut all: Vec<SequenceOption> = Vec::new();
    while let Some(option) = option(r)? {
        if all.iter().any(|o| o.kind == option.kind) {
            return Err(
                BridgeError::new("42601", "conflicting or redundant options")
                    .at(option.position as usize),
            );
        }
        all.push(option);
    }
    Ok(all)
}

fn option(r: &mut Reader) -> Res<Option<SequenceOption>> {
    let token = r.peek();
    let position = r.offset(&token).unwrap_or(0) as u32;
    let Token::Word(first) = &token.token else {
        return Ok(None);
    };
    let mut option = SequenceOption {
        kind: Setting::Type,
        value: None,
        names: Vec::new(),
        position,
    };
    let mut next = first.value.to_uppercase();
    if next == "NO" {
        r.parser.next_token();
        next = format!("NO {}", r.peek().token.to_string().to_uppercase());
    }
    (option.kind, option.value) = match next.as_str() {
        "AS" => (Setting::Type, Some(integer_bytes(r)?)),
        "INCREMENT" => (Setting::Increment, Some(number(r, "BY")?)),
        "MINVALUE" => (Setting::Min, Some(number(r, "")?)),
        "MAXVALUE" => (Setting::Max, Some(number(r, "")?)),
        "START" => (Setting::Start, Some(number(r, "WITH")?)),
        "CACHE" => (Setting::Cache, Some(number(r, "")?)),
        "NO MINVALUE" => (Setting::Min, without_value(r)),
        "NO MAXVALUE" => (Setting::Max, without_value(r)),
        "CYCLE" => (Setting::Cycle, without_value(r).or(Some(1))),
        "NO CYCLE" => (Setting::Cycle, without_value(r).or(Some(0))),
        "RESTART" => (Setting::Restart, restart(r)?),
        "OWNED" => {
            option.names = owner(r)?;
            (Setting::OwnedBy, None)
        }
        "SEQUENCE" => {
            r.parser.next_token();
            word(r, "NAME")?;
            option.names = vec![name_of_object(r)?];
            (Setting::Name, None)
        }
        _ if next.starts_with("NO ") => return Err(r.unexpected("MINVALUE, MAXVALUE or CYCLE")),
        _ => return Ok(None),
    };
    Ok(Some(option))
}

fn without_value(r: &mut Reader) -> Option<i64> {
    r.parser.next_token();
    None
}

/// The number behind the option's word and, perhaps, `filler`.
fn number(r: &mut Reader, filler: &str) -> Res<i64> {
    r.parser.next_token();
    if !filler.is_empty() {
        take(r, filler);
    }
    signed(r)
}

fn signed(r: &mut Reader) -> Res<i64> {
    let minus = r.parser.consume_token(&Token::Minus);
    if !minus {
        let _ = r.parser.consume_token(&Token::Plus);
    }
    let token = r.parser.next_token();
    let Token::Number(digits, _) = &token.token else {
        return Err(r.unexpected_token("a number", &token));
    };
    let text = format!("{}{digits}", if minus { "-" } else { "" });
    text.parse::<i64>().map_err(|_| {
        BridgeError::new(
            "22003",
            format!("value \"{text}\" is out of range for type bigint"),
        )
        .at(r.offset(&token))
    })
}

fn restart(r: &mut Reader) -> Res<Option<i64>> {
    r.parser.next_token();
    let with = take(r, "WITH");
    let is_number = matches!(
        r.peek().token,
        Token::Number(..) | Token::Minus | Token::Plus
    );
    match with || is_number {
        true => signed(r).map(Some),
        false => Ok(None),
    }
}

fn integer_bytes(r: &mut Reader) -> Res<i64> {
    r.parser.next_token();
    let at = r.offset(&r.peek());
    let kind = r.identifier()?;
    match kind.as_str() {
        "smallint" | "int2" => Ok(2),
        "integer" | "int" | "int4" => Ok(4),
        "bigint" | "int8" => Ok(8),
        _ => Err(BridgeError::new(
            "22023",
            "sequence type must be smallint, integer, or bigint",
        )
        .at(at)),
    }
}

/// A table and its column; nothing for NONE.
fn owner(r: &mut Reader) -> Res<Vec<Name>> {
    r.parser.next_token();
    word(r, "BY")?;
    if r.word_is("NONE") {
        r.parser.next_token();
        return Ok(Vec::new());
    }
    let at = r.offset(&r.peek());
    let mut object = r.object_name()?;
    let column = object.0.pop();
    let column = column.as_ref().and_then(|part| part.as_ident());
    match (column, object.0.is_empty()) {
        (Some(column), false) => Ok(vec![r.table_name(&object)?, r.ident(column)]),
        _ => Err(BridgeError::new("42601", "invalid OWNED BY option")
            .at(at)
            .hint("Specify OWNED BY table.column or OWNED BY NONE.")),
    }
}

pub fn write_options(w: &mut Writer, options: &[SequenceOption]) {
    w.list(options, |w, o| {
        w.u8(o.kind as u8);
        w.opt(&o.value, |w, v| w.u64(*v as u64));
        w.list(&o.names, statement_format::name);
        w.u32(o.position);
    });
}

pub fn write(w: &mut Writer, command: &SequenceCommand) {
    match command {
        SequenceCommand::Create {
            name,
            if_not_exists,
            temporary,
            options,
        } => {
            w.u8(72);
            statement_format::name(w, name);
            w.bool(*if_not_exists);
            w.bool(*temporary);
            write_options(w, options);
        }
        SequenceCommand::Alter {
            name,
            if_exists,
            options,
            to,
        } => {
            w.u8(73);
            statement_format::name(w, name);
            w.bool(*if_exists);
            write_options(w, options);
            w.opt(to, statement_format::name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{SequenceCommand, Setting};
    use crate::parse::{Kind, parse};

    #[test]
    fn options_may_come_in_any_order() {
        let sql = "CREATE TEMP SEQUENCE IF NOT EXISTS app.\"S\" START 5 NO CYCLE INCREMENT -2 \
                   MINVALUE -9 NO MAXVALUE CACHE 7 OWNED BY app.t.c AS int2";
        let Kind::Sequence(SequenceCommand::Create { name, options, .. }) =
            parse(sql).unwrap().kind
        else {
            panic!("not a sequence");
        };
        assert_eq!(name.text, "app.S");
        let found: Vec<(Setting, Option<i64>)> =
            options.iter().map(|o| (o.kind, o.value)).collect();
        let expected = [
            (Setting::Start, Some(5)),
            (Setting::Cycle, Some(0)),
            (Setting::Increment, Some(-2)),
            (Setting::Min, Some(-9)),
            (Setting::Max, None),
            (Setting::Cache, Some(7)),
            (Setting::OwnedBy, None),
            (Setting::Type, Some(2)),
        ];
        assert_eq!(found, expected);
        assert_eq!(options[6].names[0].text, "app.t");
    }

    #[test]
    fn what_is_no_option_is_refused() {
        for (sql, state) in [
            ("CREATE SEQUENCE s START 1 START 2", "42601"),
            ("CREATE SEQUENCE s AS text", "22023"),
            ("CREATE SEQUENCE s MAXVALUE 9223372036854775808", "22003"),
            ("CREATE SEQUENCE s OWNED BY c", "42601"),
            ("CREATE SEQUENCE s RESTART", "42601"),
            ("ALTER SEQUENCE s", "42601"),
            ("ALTER SEQUENCE s OWNER TO me", "0A000"),
        ] {
            assert_eq!(parse(sql).unwrap_err().sqlstate, state, "{sql}");
        }
    }
}
