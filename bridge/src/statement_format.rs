//! The bytes in which a parsed statement is described to C++: "statement" of `src/engine/bridge.h`.

use arrow::datatypes::DataType;

use crate::bytes::Writer;
use crate::copy::Options;
use crate::ddl::{Action, Column, Key};
use crate::parse::{Kind, Name, Statement};
use crate::transaction::{Command, Modes};
use crate::types::format_of;

pub fn write(statement: &Statement) -> Vec<u8> {
    let mut w = Writer::default();
    w.opt(&statement.explain, |w, e| {
        w.bool(e.analyze);
        w.bool(e.verbose);
        w.str(&e.format);
    });
    kind(&mut w, &statement.kind);
    w.out
}

fn kind(w: &mut Writer, kind: &Kind) {
    match kind {
        Kind::Query(_) => w.u8(0),
        Kind::Insert(table, ..) => named(w, 1, table),
        Kind::Update(table, ..) => named(w, 2, table),
        Kind::Delete(table, ..) => named(w, 3, table),
        Kind::CreateTable(t) => {
            named(w, 4, &t.table);
            w.bool(t.if_not_exists);
            w.bool(t.temporary);
            w.list(&t.columns, column);
            w.list(&t.keys, key);
        }
        Kind::Drop(d) => {
            w.u8(5);
            w.u8(d.kind as u8);
            w.list(&d.names, name);
            w.bool(d.if_exists);
            w.bool(d.cascade);
        }
        Kind::CreateView(v) => {
            named(w, 31, &v.view);
            w.bool(v.or_replace);
            w.bool(v.if_not_exists);
            w.bool(v.temporary);
            w.list(&v.columns, name);
            w.str(&v.text);
        }
        Kind::CreateTableAs(t) => {
            named(w, 32, &t.table);
            w.bool(t.if_not_exists);
            w.bool(t.temporary);
        }
        Kind::CreateSchema {
            name,
            if_not_exists,
        } => {
            named(w, 33, name);
            w.bool(*if_not_exists);
        }
        Kind::Comment(c) => {
            named(w, 34, &c.name);
            w.u8(c.kind as u8);
            w.opt(&c.column, name);
            w.opt(&c.text, |w, t| w.str(t));
        }
        Kind::Transaction(command) => transaction(w, command),
        Kind::Set { name, value } => {
            w.u8(9);
            w.str(name);
            w.opt(value, |w, v| w.str(v));
        }
        Kind::Show(setting) => {
            w.u8(10);
            w.str(setting);
        }
        Kind::ShowTables => w.u8(11),
        Kind::Describe(table) => named(w, 12, table),
        Kind::CopyFrom(c) => {
            named(w, 13, &c.table);
            w.list(&c.columns, name);
            w.str(&c.file);
            options(w, &c.options);
        }
        Kind::CopyTo(c) => {
            w.u8(14);
            w.str(&c.file);
            options(w, &c.options);
        }
        Kind::Checkpoint => w.u8(15),
        Kind::AlterTable(a) => {
            named(w, 30, &a.table);
            w.bool(a.if_exists);
            w.list(&a.actions, action);
        }
    }
}

fn transaction(w: &mut Writer, command: &Command) {
    match command {
        Command::Begin(m) => {
            w.u8(6);
            modes(w, m);
        }
        Command::Commit { chain } => {
            w.u8(7);
            w.bool(*chain);
        }
        Command::Rollback { chain } => {
            w.u8(8);
            w.bool(*chain);
        }
        Command::Savepoint(savepoint) => named(w, 40, savepoint),
        Command::RollbackTo(savepoint) => named(w, 41, savepoint),
        Command::Release(savepoint) => named(w, 42, savepoint),
        Command::Set { modes: m, session } => {
            w.u8(43);
            modes(w, m);
            w.bool(*session);
        }
    }
}

fn modes(w: &mut Writer, modes: &Modes) {
    w.u8(modes.isolation.map_or(0, |i| i as u8));
    w.opt(&modes.read_only, |w, r| w.bool(*r));
}

fn named(w: &mut Writer, kind: u8, table: &Name) {
    w.u8(kind);
    name(w, table);
}

fn name(w: &mut Writer, name: &Name) {
    w.str(&name.text);
    w.u32(name.position);
}

fn options(w: &mut Writer, options: &Options) {
    w.list(options, |w, (name, value)| {
        w.str(name);
        w.str(value);
    });
}

fn column(w: &mut Writer, column: &Column) {
    name(w, &column.name);
    data_type(w, &column.data_type);
    w.opt(&column.char_length, |w, n| w.u32(*n));
    w.bool(column.not_null);
    w.opt(&column.default, |w, e| w.str(&e.to_string()));
    w.bool(column.default_volatile);
}

fn action(w: &mut Writer, action: &Action) {
    let nameless = Name {
        text: String::new(),
        position: 0,
    };
    let mut put = |kind: u8, old: &Name, new: &Name, flags: u8, text: Option<String>| {
        w.u8(kind);
        name(w, old);
        name(w, new);
        w.u8(flags);
        w.opt(&text, |w, t| w.str(t));
    };
    let flag = |value: bool, bit: u8| if value { bit } else { 0 };
    match action {
        Action::AddColumn { .. } | Action::SetType { .. } => {}
        Action::DropColumn {
            name,
            if_exists,
            cascade,
        } => {
            let flags = flag(*if_exists, 1) | flag(*cascade, 2);
            return put(1, name, &nameless, flags, None);
        }
        Action::RenameColumn { name, to } => return put(2, name, to, 0, None),
        Action::RenameTable { to } => return put(3, &nameless, to, 0, None),
        Action::SetDefault { name, default } => {
            return put(
                4,
                name,
                &nameless,
                0,
                default.as_ref().map(|e| e.to_string()),
            );
        }
        Action::SetNotNull { name, not_null } => {
            return put(5, name, &nameless, flag(*not_null, 4), None);
        }
    }
    let (kind, spec, flags, text) = match action {
        Action::AddColumn {
            column,
            if_not_exists,
        } => (0, column, flag(*if_not_exists, 1), None),
        Action::SetType { column, using } => (6, column, 0, using.as_ref().map(|e| e.to_string())),
        _ => return,
    };
    w.u8(kind);
    column(w, spec);
    name(w, &nameless);
    w.u8(flags);
    w.opt(&text, |w, t| w.str(t));
}

fn key(w: &mut Writer, key: &Key) {
    w.opt(&key.name, name);
    w.bool(key.primary);
    w.list(&key.columns, name);
}

/// A type: its format, and for a list the element's type.
pub fn data_type(w: &mut Writer, t: &DataType) {
    w.str(&format_of(t).unwrap_or_default());
    if let DataType::List(field) = t {
        data_type(w, field.data_type());
    }
}
