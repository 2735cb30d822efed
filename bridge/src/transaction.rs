//! BEGIN, COMMIT, ROLLBACK, savepoints, and the modes of transactions: read here from tokens,
//! because sqlparser's grammar takes other databases' forms along.
//!
//!     BEGIN [WORK|TRANSACTION] [mode, ...]         START TRANSACTION [mode, ...]
//!     COMMIT | END [WORK|TRANSACTION] [AND [NO] CHAIN]
//!     ROLLBACK | ABORT [WORK|TRANSACTION] [AND [NO] CHAIN]
//!     SAVEPOINT s       RELEASE [SAVEPOINT] s       ROLLBACK [WORK|TRANSACTION] TO [SAVEPOINT] s
//!     SET TRANSACTION mode, ...
//!     SET SESSION CHARACTERISTICS AS TRANSACTION mode, ...
//!
//!     mode: ISOLATION LEVEL level | READ ONLY | READ WRITE | [NOT] DEFERRABLE

use datafusion::sql::sqlparser::tokenizer::Token;

use crate::error::{BridgeError, Res};
use crate::parse::{Kind, Name, Reader};

/// What BEGIN and SET TRANSACTION ask for. Of what is not said there is nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Modes {
    pub isolation: Option<Isolation>,
    pub read_only: Option<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Isolation {
    ReadUncommitted = 1,
    ReadCommitted = 2,
    RepeatableRead = 3,
    Serializable = 4,
}

#[derive(Debug)]
pub enum Command {
    Begin(Modes),
    Commit {
        chain: bool,
    },
    Rollback {
        chain: bool,
    },
    Savepoint(Name),
    RollbackTo(Name),
    Release(Name),
    /// `session`: of every transaction from now on, not of the open one.
    Set {
        modes: Modes,
        session: bool,
    },
}

/// A statement that begins with `first` (upper case), if it is one of these.
pub fn read(reader: &mut Reader, first: &str) -> Res<Option<Kind>> {
    let command = match first {
        "BEGIN" => {
            next(reader);
            noise(reader);
            Command::Begin(modes(reader, false)?)
        }
        "START" => {
            next(reader);
            word(reader, "TRANSACTION")?;
            Command::Begin(modes(reader, false)?)
        }
        "COMMIT" | "END" => {
            next(reader);
            noise(reader);
            if reader.word_is("PREPARED") {
                return Err(refused(reader, "COMMIT PREPARED"));
            }
            let chain = chain(reader)?;
            Command::Commit { chain }
        }
        "ROLLBACK" | "ABORT" => rollback(reader)?,
        "SAVEPOINT" => {
            next(reader);
            Command::Savepoint(name(reader)?)
        }
        "RELEASE" => {
            next(reader);
            optional(reader, "SAVEPOINT");
            Command::Release(name(reader)?)
        }
        "SET" => match set(reader)? {
            Some(command) => command,
            None => return Ok(None),
        },
        _ => return Ok(None),
    };
    Ok(Some(Kind::Transaction(command)))
}

fn rollback(reader: &mut Reader) -> Res<Command> {
    next(reader);
    noise(reader);
    if reader.word_is("PREPARED") {
        return Err(refused(reader, "ROLLBACK PREPARED"));
    }
    if optional(reader, "TO") {
        optional(reader, "SAVEPOINT");
        return Ok(Command::RollbackTo(name(reader)?));
    }
    let chain = chain(reader)?;
    Ok(Command::Rollback { chain })
}

fn set(reader: &mut Reader) -> Res<Option<Command>> {
    let is = |reader: &Reader, n: usize, what: &str| {
        matches!(reader.parser.peek_nth_token(n).token, Token::Word(w)
            if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(what))
    };
    let session = is(reader, 1, "SESSION") && is(reader, 2, "CHARACTERISTICS");
    let plain = is(reader, 1, "TRANSACTION");
    let local = is(reader, 1, "LOCAL") && is(reader, 2, "TRANSACTION");
    if !session && !plain && !local {
        return Ok(None);
    }
    for _ in 0..if plain { 2 } else { 3 } {
        next(reader);
    }
    if session {
        word(reader, "AS")?;
        word(reader, "TRANSACTION")?;
    }
    if reader.word_is("SNAPSHOT") {
        return Err(refused(reader, "SET TRANSACTION SNAPSHOT"));
    }
    let modes = modes(reader, true)?;
    Ok(Some(Command::Set { modes, session }))
}

fn modes(reader: &mut Reader, required: bool) -> Res<Modes> {
    let mut modes = Modes::default();
    let mut some = false;
    loop {
        if reader.word_is("ISOLATION") {
            next(reader);
            word(reader, "LEVEL")?;
            modes.isolation = Some(isolation(reader)?);
        } else if reader.word_is("READ") {
            next(reader);
            modes.read_only = Some(only_or_write(reader)?);
        } else if reader.word_is("DEFERRABLE") {
            next(reader); // says how long a serializable reader may wait for a safe snapshot
        } else if reader.word_is("NOT") {
            next(reader);
            word(reader, "DEFERRABLE")?;
        } else if some || required {
            return Err(reader.unexpected("a transaction mode"));
        } else {
            return Ok(modes);
        }
        some = true;
        let comma = reader.parser.consume_token(&Token::Comma);
        let more = ["ISOLATION", "READ", "DEFERRABLE", "NOT"];
        if !comma && !more.iter().any(|m| reader.word_is(m)) {
            return Ok(modes);
        }
    }
}

fn only_or_write(reader: &mut Reader) -> Res<bool> {
    if optional(reader, "ONLY") {
        return Ok(true);
    }
    if optional(reader, "WRITE") {
        return Ok(false);
    }
    Err(reader.unexpected("ONLY or WRITE"))
}

fn isolation(reader: &mut Reader) -> Res<Isolation> {
    if optional(reader, "SERIALIZABLE") {
        return Ok(Isolation::Serializable);
    }
    if optional(reader, "SNAPSHOT") {
        return Ok(Isolation::RepeatableRead);
    }
    if optional(reader, "REPEATABLE") {
        word(reader, "READ")?;
        return Ok(Isolation::RepeatableRead);
    }
    if optional(reader, "READ") {
        if optional(reader, "COMMITTED") {
            return Ok(Isolation::ReadCommitted);
        }
        word(reader, "UNCOMMITTED")?;
        return Ok(Isolation::ReadUncommitted);
    }
    Err(reader.unexpected("an isolation level"))
}

fn chain(reader: &mut Reader) -> Res<bool> {
    if !optional(reader, "AND") {
        return Ok(false);
    }
    let no = optional(reader, "NO");
    word(reader, "CHAIN")?;
    Ok(!no)
}

fn name(reader: &mut Reader) -> Res<Name> {
    let position = reader.offset(&reader.peek()).unwrap_or(0) as u32;
    let text = reader.identifier()?;
    Ok(Name { text, position })
}

fn noise(reader: &mut Reader) {
    if reader.word_is("WORK") || reader.word_is("TRANSACTION") {
        next(reader);
    }
}

fn next(reader: &mut Reader) {
    reader.parser.next_token();
}

fn optional(reader: &mut Reader, what: &str) -> bool {
    let there = reader.word_is(what);
    if there {
        next(reader);
    }
    there
}

fn word(reader: &mut Reader, what: &str) -> Res<()> {
    if optional(reader, what) {
        return Ok(());
    }
    Err(reader.unexpected(what))
}

fn refused(reader: &Reader, what: &str) -> Box<BridgeError> {
    BridgeError::unsupported(what).at(reader.offset(&reader.peek()))
}
