//! The bytes in which a parsed statement is described to C++: "statement" of `src/engine/bridge.h`.

use arrow::datatypes::DataType;

use crate::bytes::Writer;
use crate::copy::{CopyFrom, Options};
use crate::ddl::{Action, Column, Comment, Constraint, CreateTable, CreateView, Drop};
use crate::generated;
use crate::house::House;
use crate::index::{self, IndexCommand};
use crate::parse::{Kind, Name, Statement};
use crate::parse_change::Conflict;
use crate::row_locks::{Bound, RowLocks};
use crate::sequence;
use crate::table_constraint::{Check, ForeignKey, Key};
use crate::transaction::{Command, Modes};
use crate::types::format_of;

pub fn write(statement: &Statement) -> Vec<u8> {
    let mut w = Writer::default();
    w.opt(&statement.explain, |w, e| {
        w.bool(e.analyze);
        w.bool(e.verbose);
        w.str(&e.format);
    });
    kind(&mut w, statement);
    w.out
}

fn kind(w: &mut Writer, statement: &Statement) {
    match &statement.kind {
        Kind::Query(_) => {
            w.u8(0);
            row_locks(w, &statement.locks);
        }
        Kind::Insert(table, ..) => named(w, 1, table),
        Kind::Update(table, ..) => named(w, 2, table),
        Kind::Delete(table, ..) => named(w, 3, table),
        Kind::Merge(table, ..) => named(w, 50, table),
        Kind::Truncate(t) => {
            w.u8(51);
            w.list(&t.tables, name);
            w.bool(t.restart_identity);
            w.bool(t.cascade);
        }
        Kind::CreateTable(t) => create_table(w, t),
        Kind::Drop(d) => drop(w, d),
        Kind::CreateView(v) => create_view(w, v),
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
        Kind::Comment(c) => comment(w, c),
        Kind::Transaction(command) => transaction(w, command),
        Kind::Set { name, value, local } => {
            w.u8(9);
            w.str(name);
            w.opt(value, |w, v| w.str(v));
            w.bool(*local);
        }
        Kind::Show(setting) => {
            w.u8(10);
            w.str(setting);
        }
        Kind::ShowTables => w.u8(11),
        Kind::Describe(table) => named(w, 12, table),
        Kind::CopyFrom(c) => copy_from(w, c),
        Kind::CopyTo(c) => {
            w.u8(14);
            w.str(&c.file);
            options(w, &c.options);
        }
        Kind::House(h) => house(w, h),
        Kind::Analyze(tables) => {
            w.u8(70);
            w.list(tables, name);
        }
        Kind::Sequence(command) => sequence::write(w, command),
        Kind::AlterTable(a) => {
            named(w, 30, &a.table);
            w.bool(a.if_exists);
            w.list(&a.actions, action);
        }
        Kind::Index(command) => {
            w.u8(60);
            index_command(w, command);
        }
    }
}

fn create_table(w: &mut Writer, t: &CreateTable) {
    named(w, 4, &t.table);
    w.bool(t.if_not_exists);
    w.bool(t.temporary);
    w.list(&t.columns, column);
    w.list(&t.constraints.keys, key);
    w.list(&t.constraints.checks, check);
    w.list(&t.constraints.foreign_keys, foreign_key);
}

fn drop(w: &mut Writer, d: &Drop) {
    w.u8(5);
    w.u8(d.kind as u8);
    w.list(&d.names, name);
    w.bool(d.if_exists);
    w.bool(d.cascade);
}

fn create_view(w: &mut Writer, v: &CreateView) {
    named(w, 31, &v.view);
    w.bool(v.or_replace);
    w.bool(v.if_not_exists);
    w.bool(v.temporary);
    w.list(&v.columns, name);
    w.str(&v.text);
}

fn comment(w: &mut Writer, c: &Comment) {
    named(w, 34, &c.name);
    w.u8(c.kind as u8);
    w.opt(&c.column, name);
    w.opt(&c.text, |w, t| w.str(t));
}

fn copy_from(w: &mut Writer, c: &CopyFrom) {
    named(w, 13, &c.table);
    w.list(&c.columns, name);
    w.str(&c.file);
    options(w, &c.options);
}

fn house(w: &mut Writer, h: &House) {
    w.u8(15);
    w.u8(h.action as u8);
    w.opt(&h.table, name);
    w.str(&h.directory);
    options(w, &h.options);
}

fn check(w: &mut Writer, check: &Check) {
    w.opt(&check.name, name);
    w.str(&check.condition);
    w.list(&check.columns, |w, column| w.str(column));
}

pub fn row_locks(w: &mut Writer, locks: &RowLocks) {
    w.list(&locks.tables, |w, t| {
        name(w, &t.table);
        w.u8(t.strength as u8);
        w.u8(t.wait as u8);
    });
    w.opt(&locks.limit, bound);
    w.opt(&locks.offset, bound);
}

fn bound(w: &mut Writer, bound: &Bound) {
    match bound {
        Bound::Number(n) => {
            w.u8(0);
            w.u64(*n);
        }
        Bound::Parameter(n) => {
            w.u8(1);
            w.u32(*n);
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

pub fn conflict(w: &mut Writer, conflict: &Conflict) {
    w.u8(conflict.target as u8);
    w.list(&conflict.names, name);
    w.list(&conflict.conditions, |w, text| w.str(text));
    w.bool(conflict.update);
}

fn named(w: &mut Writer, kind: u8, table: &Name) {
    w.u8(kind);
    name(w, table);
}

pub fn name(w: &mut Writer, name: &Name) {
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
    w.opt(&column.identity, generated::write_identity);
    w.opt(&column.stored, generated::write_stored);
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
        Action::AddColumn { .. } | Action::SetType { .. } | Action::AddConstraint { .. } => {}
        Action::Generated(action) => return generated::write_action(w, action),
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
        Action::DropConstraint {
            name,
            if_exists,
            cascade,
        } => {
            let flags = flag(*if_exists, 1) | flag(*cascade, 2);
            return put(10, name, &nameless, flags, None);
        }
        Action::RenameConstraint { name, to } => return put(11, name, to, 0, None),
    }
    if let Action::AddConstraint {
        constraint: added,
        with_column,
    } = action
    {
        constraint(w, added);
        return w.u8(flag(*with_column, 1));
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

fn constraint(w: &mut Writer, constraint: &Constraint) {
    match constraint {
        Constraint::Key(k) => {
            w.u8(7);
            key(w, k);
        }
        Constraint::Check(c) => {
            w.u8(8);
            check(w, c);
            w.u32(c.position.unwrap_or(0) as u32);
        }
        Constraint::ForeignKey(k) => {
            w.u8(9);
            foreign_key(w, k);
        }
    }
}

fn foreign_key(w: &mut Writer, key: &ForeignKey) {
    w.opt(&key.name, name);
    w.list(&key.columns, name);
    name(w, &key.table);
    w.list(&key.referenced, name);
    w.bool(key.match_full);
    w.u8(key.on_delete as u8);
    w.u8(key.on_update as u8);
}

fn index_command(w: &mut Writer, command: &IndexCommand) {
    match command {
        IndexCommand::Create(c) => {
            w.u8(0);
            w.opt(&c.name, name);
            w.bool(c.if_not_exists);
            w.bool(c.unique);
            w.bool(c.hash);
            w.bool(c.concurrently);
            name(w, &c.table);
            w.list(&c.keys, index::write_key);
            w.list(&c.included, name);
            w.list(&c.conditions, name);
        }
        IndexCommand::Drop {
            names,
            if_exists,
            concurrently,
        } => {
            w.u8(1);
            w.list(names, name);
            w.bool(*if_exists);
            w.bool(*concurrently);
        }
        IndexCommand::Rename {
            index,
            to,
            if_exists,
        } => {
            w.u8(2);
            name(w, index);
            name(w, to);
            w.bool(*if_exists);
        }
        IndexCommand::Rebuild {
            name: object,
            of_table,
            concurrently,
        } => {
            w.u8(3);
            name(w, object);
            w.bool(*of_table);
            w.bool(*concurrently);
        }
    }
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
