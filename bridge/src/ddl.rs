//! CREATE, ALTER, DROP and COMMENT as plain values. Every clause that is not understood is an error
//! with its name.

use arrow::datatypes::DataType;
use datafusion::sql::sqlparser::ast::helpers::stmt_create_table::CreateTableBuilder;
use datafusion::sql::sqlparser::ast::{
    AlterColumnOperation, AlterTable as AlterTableAst, AlterTableOperation, ColumnDef,
    ColumnOption, CommentObject, CreateTable as CreateTableAst, CreateTableOptions,
    CreateView as CreateViewAst, DataType as SqlType, DropBehavior, Expr, Ident, ObjectType, Query,
    RenameTableNameKind, SchemaName, Spanned, Statement as Ast,
};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::Token;

use crate::check;
use crate::error::{BridgeError, Res};
use crate::generated::{self, GeneratedAction, Identity, Stored, serial_type};
use crate::parse::{Kind, Name, Reader};
use crate::table_constraint::{
    self, Check, Constraints, ForeignKey, Key, refuse_primary_key_options, refuse_unique_options,
};
use crate::text::first_words;
use crate::types::{arrow_type, char_length};

#[derive(Debug)]
pub struct Column {
    pub name: Name,
    pub data_type: DataType,
    pub char_length: Option<u32>,
    pub not_null: bool,
    pub default: Option<Expr>,
    /// The default may differ from row to row.
    pub default_volatile: bool,
    pub identity: Option<Identity>,
    pub stored: Option<Stored>,
}

#[derive(Debug)]
pub struct CreateTable {
    pub table: Name,
    pub if_not_exists: bool,
    pub temporary: bool,
    pub columns: Vec<Column>,
    pub constraints: Constraints,
}

/// One action of ALTER TABLE, in the order of engine::AlterAction::Kind.
#[derive(Debug)]
pub enum Action {
    AddColumn {
        column: Column,
        if_not_exists: bool,
    },
    DropColumn {
        name: Name,
        if_exists: bool,
        cascade: bool,
    },
    RenameColumn {
        name: Name,
        to: Name,
    },
    RenameTable {
        to: Name,
    },
    SetDefault {
        name: Name,
        default: Option<Expr>,
    },
    SetNotNull {
        name: Name,
        not_null: bool,
    },
    SetType {
        column: Column,
        using: Option<Expr>,
    },
    AddConstraint {
        constraint: Constraint,
        /// It came with the column that the action before adds.
        with_column: bool,
    },
    DropConstraint {
        name: Name,
        if_exists: bool,
        cascade: bool,
    },
    RenameConstraint {
        name: Name,
        to: Name,
    },
    Generated(GeneratedAction),
}

#[derive(Debug)]
pub enum Constraint {
    Key(Key),
    Check(Check),
    ForeignKey(ForeignKey),
}

#[derive(Debug)]
pub struct AlterTable {
    pub table: Name,
    pub if_exists: bool,
    pub actions: Vec<Action>,
}

/// catalog::RelationKind.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RelationKind {
    Table = 0,
    View = 1,
    Sequence = 2,
    Schema = 3,
}

#[derive(Debug)]
pub struct Drop {
    pub kind: RelationKind,
    pub names: Vec<Name>,
    pub if_exists: bool,
    pub cascade: bool,
}

#[derive(Debug)]
pub struct CreateView {
    pub view: Name,
    pub or_replace: bool,
    pub if_not_exists: bool,
    pub temporary: bool,
    pub columns: Vec<Name>,
    pub text: String,
    pub query: Box<Query>,
}

#[derive(Debug)]
pub struct CreateTableAs {
    pub table: Name,
    pub if_not_exists: bool,
    pub temporary: bool,
    pub query: Box<Query>,
}

#[derive(Debug)]
pub struct Comment {
    pub kind: RelationKind,
    pub name: Name,
    pub column: Option<Name>,
    pub text: Option<String>,
}

pub fn create_table(r: &Reader, ast: CreateTableAst, at: Option<usize>) -> Res<CreateTable> {
    refuse_clauses(&ast, at)?;
    let mut table = CreateTable {
        table: r.table_name(&ast.name)?,
        if_not_exists: ast.if_not_exists,
        temporary: ast.temporary,
        columns: Vec::new(),
        constraints: Constraints::default(),
    };
    if ast.columns.is_empty() {
        return Err(BridgeError::new("42601", "a table needs at least one column").at(at));
    }
    let name = table.table.text.clone();
    for column in ast.columns {
        let column = read_column(r, column, &name, &mut table.constraints)?;
        if table
            .columns
            .iter()
            .any(|c| c.name.text == column.name.text)
        {
            return Err(BridgeError::new(
                "42701",
                format!("column \"{}\" is given more than once", column.name.text),
            )
            .at(column.name.position as usize));
        }
        table.columns.push(column);
    }
    for constraint in ast.constraints {
        table.constraints.read(r, constraint, &name, at)?;
    }
    if table.constraints.keys.iter().filter(|k| k.primary).count() > 1 {
        let what = format!(
            "multiple primary keys for table \"{}\" are not allowed",
            table.table.text
        );
        return Err(BridgeError::new("42P16", what).at(at));
    }
    Ok(table)
}

// The same statement with only what we read must be the statement.
fn refuse_clauses(ast: &CreateTableAst, at: Option<usize>) -> Res<()> {
    let plain = CreateTableBuilder::new(ast.name.clone())
        .if_not_exists(ast.if_not_exists)
        .temporary(ast.temporary)
        .columns(ast.columns.clone())
        .constraints(ast.constraints.clone())
        .build();
    let named = [
        (ast.or_replace, "CREATE OR REPLACE TABLE"),
        (ast.like.is_some(), "CREATE TABLE LIKE"),
        (ast.partition_by.is_some(), "PARTITION BY"),
        (ast.partition_of.is_some(), "PARTITION OF"),
        (ast.inherits.is_some(), "INHERITS"),
        (ast.on_commit.is_some(), "ON COMMIT"),
    ];
    for (found, what) in named {
        if found {
            return Err(BridgeError::unsupported(what).at(at));
        }
    }
    if plain != *ast {
        return Err(BridgeError::unsupported(
            "CREATE TABLE with clauses beside its columns and its keys",
        )
        .at(at));
    }
    Ok(())
}

/// A column of which only the name and the type are known yet.
fn typed_column(r: &Reader, name: &Ident, data_type: &SqlType) -> Res<Column> {
    let position = r.text.offset(name.span.start);
    let located = |e: Box<BridgeError>| {
        let e = r.text.locate(e);
        let at = e.position.or(position);
        e.at(at)
    };
    Ok(Column {
        name: r.ident(name),
        data_type: arrow_type(data_type).map_err(located)?,
        char_length: char_length(data_type).map_err(located)?,
        not_null: false,
        default: None,
        default_volatile: false,
        identity: None,
        stored: None,
    })
}

fn read_column(
    r: &Reader,
    ast: ColumnDef,
    table: &str,
    constraints: &mut Constraints,
) -> Res<Column> {
    let position = r.text.offset(ast.name.span.start);
    let serial = serial_type(&ast.data_type);
    let mut column = typed_column(r, &ast.name, serial.as_ref().unwrap_or(&ast.data_type))?;
    if serial.is_some() {
        column.not_null = true;
        column.identity = Some(Identity::serial());
    }
    let refuse = |what: &str| Err(BridgeError::unsupported(what).at(position));
    for option in ast.options {
        let given = option.name.as_ref().map(|n| r.ident(n));
        let mut key = |primary| {
            constraints.keys.push(Key {
                name: given.clone(),
                primary,
                columns: vec![column.name.clone()],
            })
        };
        match option.option {
            ColumnOption::Null => {}
            ColumnOption::NotNull => column.not_null = true,
            ColumnOption::Default(mut expr) => {
                check::expression(r.text, &mut expr)?;
                column.default = Some(expr);
            }
            ColumnOption::PrimaryKey(ast) => {
                refuse_primary_key_options(&ast, position)?;
                key(true);
            }
            ColumnOption::Unique(ast) => {
                refuse_unique_options(&ast, position)?;
                key(false);
            }
            ColumnOption::ForeignKey(ast) => {
                let columns = vec![column.name.clone()];
                let key = table_constraint::foreign_key(r, ast, columns, given, position)?;
                constraints.foreign_keys.push(key);
            }
            ColumnOption::Check(ast) => {
                let check = table_constraint::check(r, ast, table, given, position)?;
                constraints.checks.push(check);
            }
            option @ (ColumnOption::Generated { .. } | ColumnOption::Identity(_)) => {
                generated::read_option(r, option, &mut column, table)?;
            }
            ColumnOption::Collation(_) => return refuse("COLLATE"),
            other => return refuse(&format!("{other}")),
        }
    }
    generated::check_column(&column, table)?;
    Ok(column)
}

pub fn alter_table(r: &Reader, ast: AlterTableAst, at: Option<usize>) -> Res<AlterTable> {
    if ast.only || ast.location.is_some() || ast.on_cluster.is_some() || ast.table_type.is_some() {
        return Err(BridgeError::unsupported("ALTER TABLE with ONLY or such options").at(at));
    }
    let table = r.table_name(&ast.name)?;
    let mut actions = Vec::new();
    for operation in ast.operations {
        read_action(r, operation, &table.text, at, &mut actions)?;
    }
    Ok(AlterTable {
        table,
        if_exists: ast.if_exists,
        actions,
    })
}

/// ADD COLUMN with its constraints.
fn add_column(
    r: &Reader,
    ast: ColumnDef,
    table: &str,
    if_not_exists: bool,
    actions: &mut Vec<Action>,
) -> Res<()> {
    let mut constraints = Constraints::default();
    let column = read_column(r, ast, table, &mut constraints)?;
    actions.push(Action::AddColumn {
        column,
        if_not_exists,
    });
    add_constraints(constraints, true, actions);
    Ok(())
}

fn add_constraints(constraints: Constraints, with_column: bool, actions: &mut Vec<Action>) {
    let keys = constraints.keys.into_iter().map(Constraint::Key);
    let checks = constraints.checks.into_iter().map(Constraint::Check);
    let foreign_keys = constraints
        .foreign_keys
        .into_iter()
        .map(Constraint::ForeignKey);
    actions.extend(keys.chain(checks).chain(foreign_keys).map(|constraint| {
        Action::AddConstraint {
            constraint,
            with_column,
        }
    }));
}

fn read_action(
    r: &Reader,
    operation: AlterTableOperation,
    table: &str,
    at: Option<usize>,
    actions: &mut Vec<Action>,
) -> Res<()> {
    let at = r.text.offset(operation.span().start).or(at);
    match operation {
        AlterTableOperation::AddColumn {
            column_keyword: _,
            if_not_exists,
            column_def,
            column_position: None,
        } => add_column(r, column_def, table, if_not_exists, actions)?,
        operation @ (AlterTableOperation::AddConstraint { .. }
        | AlterTableOperation::DropConstraint { .. }
        | AlterTableOperation::RenameConstraint { .. }) => {
            read_constraint_action(r, operation, table, at, actions)?
        }
        AlterTableOperation::DropColumn {
            has_column_keyword: _,
            column_names,
            if_exists,
            drop_behavior,
        } => actions.extend(column_names.iter().map(|name| Action::DropColumn {
            name: r.ident(name),
            if_exists,
            cascade: drop_behavior == Some(DropBehavior::Cascade),
        })),
        AlterTableOperation::RenameColumn {
            old_column_name,
            new_column_name,
        } => actions.push(Action::RenameColumn {
            name: r.ident(&old_column_name),
            to: r.ident(&new_column_name),
        }),
        AlterTableOperation::RenameTable {
            table_name: RenameTableNameKind::To(name),
        } => {
            if name.0.len() > 1 {
                return Err(BridgeError::new(
                    "42601",
                    "the new name of a table cannot name a schema",
                )
                .at(at));
            }
            let to = r.table_name(&name)?;
            actions.push(Action::RenameTable { to });
        }
        AlterTableOperation::AlterColumn { column_name, op } => {
            actions.push(column_action(r, &column_name, op)?);
        }
        other => {
            let what = format!("ALTER TABLE ... {}", first_words(&other));
            return Err(BridgeError::unsupported(what).at(at));
        }
    }
    Ok(())
}

fn read_constraint_action(
    r: &Reader,
    operation: AlterTableOperation,
    table: &str,
    at: Option<usize>,
    actions: &mut Vec<Action>,
) -> Res<()> {
    match operation {
        AlterTableOperation::AddConstraint {
            constraint,
            not_valid,
        } => {
            if not_valid {
                return Err(BridgeError::unsupported("ADD CONSTRAINT NOT VALID").at(at));
            }
            let mut constraints = Constraints::default();
            constraints.read(r, constraint, table, at)?;
            add_constraints(constraints, false, actions);
        }
        AlterTableOperation::DropConstraint {
            if_exists,
            name,
            drop_behavior,
        } => actions.push(Action::DropConstraint {
            name: r.ident(&name),
            if_exists,
            cascade: drop_behavior == Some(DropBehavior::Cascade),
        }),
        AlterTableOperation::RenameConstraint { old_name, new_name } => {
            actions.push(Action::RenameConstraint {
                name: r.ident(&old_name),
                to: r.ident(&new_name),
            })
        }
        other => return Err(BridgeError::unsupported(format!("ALTER TABLE ... {other}")).at(at)),
    }
    Ok(())
}

fn column_action(r: &Reader, column: &Ident, op: AlterColumnOperation) -> Res<Action> {
    let name = r.ident(column);
    Ok(match op {
        AlterColumnOperation::SetNotNull => Action::SetNotNull {
            name,
            not_null: true,
        },
        AlterColumnOperation::DropNotNull => Action::SetNotNull {
            name,
            not_null: false,
        },
        AlterColumnOperation::SetDefault { mut value } => {
            check::expression(r.text, &mut value)?;
            Action::SetDefault {
                name,
                default: Some(value),
            }
        }
        AlterColumnOperation::DropDefault => Action::SetDefault {
            name,
            default: None,
        },
        AlterColumnOperation::SetDataType {
            data_type,
            mut using,
            had_set: _,
        } => {
            if let Some(using) = &mut using {
                check::expression(r.text, using)?;
            }
            Action::SetType {
                column: typed_column(r, column, &data_type)?,
                using,
            }
        }
        AlterColumnOperation::AddGenerated { generated_as, .. } => {
            Action::Generated(generated::add_identity(r, name, generated_as))
        }
    })
}

pub fn drop(r: &Reader, ast: Ast, at: Option<usize>) -> Res<Drop> {
    let Ast::Drop {
        object_type,
        if_exists,
        names,
        cascade,
        restrict: _, // the default
        purge,
        temporary,
        table,
    } = ast
    else {
        return Err(BridgeError::internal("not DROP"));
    };
    let kind = match object_type {
        ObjectType::Table => RelationKind::Table,
        ObjectType::View => RelationKind::View,
        ObjectType::Schema => RelationKind::Schema,
        ObjectType::Sequence => RelationKind::Sequence,
        other => return Err(BridgeError::unsupported(format!("DROP {other}")).at(at)),
    };
    if purge || temporary || table.is_some() {
        return Err(BridgeError::unsupported("DROP with such options").at(at));
    }
    Ok(Drop {
        kind,
        names: names
            .iter()
            .map(|n| r.table_name(n))
            .collect::<Res<Vec<_>>>()?,
        if_exists,
        cascade,
    })
}

pub fn create_table_as(r: &Reader, ast: CreateTableAst, at: Option<usize>) -> Res<CreateTableAs> {
    let plain = CreateTableBuilder::new(ast.name.clone())
        .if_not_exists(ast.if_not_exists)
        .temporary(ast.temporary)
        .query(ast.query.clone())
        .build();
    if plain != ast {
        return Err(BridgeError::unsupported("CREATE TABLE AS with other clauses").at(at));
    }
    let Some(query) = ast.query else {
        return Err(BridgeError::internal("not CREATE TABLE AS"));
    };
    Ok(CreateTableAs {
        table: r.table_name(&ast.name)?,
        if_not_exists: ast.if_not_exists,
        temporary: ast.temporary,
        query,
    })
}

pub fn create_view(r: &Reader, ast: CreateViewAst, at: Option<usize>) -> Res<CreateView> {
    let odd = [
        (ast.or_alter, "CREATE OR ALTER VIEW"),
        (ast.materialized, "CREATE MATERIALIZED VIEW"),
        (ast.secure, "CREATE SECURE VIEW"),
        (ast.with_no_schema_binding, "WITH NO SCHEMA BINDING"),
        (ast.copy_grants, "COPY GRANTS"),
        (ast.comment.is_some(), "COMMENT in CREATE VIEW"),
        (!ast.cluster_by.is_empty(), "CLUSTER BY"),
        (ast.to.is_some(), "TO"),
        (ast.params.is_some(), "these parameters of a view"),
        (
            ast.options != CreateTableOptions::None,
            "CREATE VIEW WITH (options)",
        ),
        (
            ast.columns
                .iter()
                .any(|c| c.data_type.is_some() || c.options.is_some()),
            "types and options of a view's columns",
        ),
    ];
    for (found, what) in odd {
        if found {
            return Err(BridgeError::unsupported(what).at(at));
        }
    }
    Ok(CreateView {
        view: r.table_name(&ast.name)?,
        or_replace: ast.or_replace,
        if_not_exists: ast.if_not_exists,
        temporary: ast.temporary,
        columns: ast.columns.iter().map(|c| r.ident(&c.name)).collect(),
        text: text_after_as(r),
        query: ast.query,
    })
}

/// What stands behind the first AS that is in no parentheses.
fn text_after_as(r: &Reader) -> String {
    let mut depth = 0;
    for token in &r.text.tokens {
        match &token.token {
            Token::LParen => depth += 1,
            Token::RParen => depth -= 1,
            Token::Word(w) if depth == 0 && w.quote_style.is_none() && w.keyword == Keyword::AS => {
                let from = r.text.offset(token.span.end).unwrap_or(0);
                let rest = r.text.sql[from..].trim();
                return rest.trim_end_matches(';').trim_end().to_string();
            }
            _ => {}
        }
    }
    String::new()
}

pub fn create_schema(r: &Reader, ast: Ast, at: Option<usize>) -> Res<Kind> {
    let Ast::CreateSchema {
        schema_name,
        if_not_exists,
        with: None,
        options: None,
        default_collate_spec: None,
        clone: None,
    } = ast
    else {
        return Err(BridgeError::unsupported("CREATE SCHEMA with options").at(at));
    };
    match schema_name {
        SchemaName::Simple(name) if name.0.len() == 1 => Ok(Kind::CreateSchema {
            name: r.table_name(&name)?,
            if_not_exists,
        }),
        _ => Err(BridgeError::unsupported("CREATE SCHEMA with such a name").at(at)),
    }
}

pub fn comment(r: &Reader, ast: Ast, at: Option<usize>) -> Res<Comment> {
    let Ast::Comment {
        object_type,
        object_name,
        comment,
        if_exists: false,
    } = ast
    else {
        return Err(BridgeError::unsupported("COMMENT IF EXISTS").at(at));
    };
    let kind = match object_type {
        CommentObject::Table | CommentObject::Column => RelationKind::Table,
        CommentObject::View => RelationKind::View,
        CommentObject::Sequence => RelationKind::Sequence,
        CommentObject::Schema => RelationKind::Schema,
        other => return Err(BridgeError::unsupported(format!("COMMENT ON {other}")).at(at)),
    };
    let mut name = object_name;
    let mut column = None;
    if object_type == CommentObject::Column {
        let last = name.0.pop();
        column = last.as_ref().and_then(|p| p.as_ident()).map(|i| r.ident(i));
        if name.0.is_empty() || column.is_none() {
            return Err(BridgeError::new("42601", "COMMENT ON COLUMN needs table.column").at(at));
        }
    }
    Ok(Comment {
        kind,
        name: r.table_name(&name)?,
        column,
        text: comment,
    })
}

#[cfg(test)]
mod tests {
    use crate::parse::{Kind, parse};
    use crate::types::format_of;

    #[test]
    fn a_table_is_read_column_by_column() {
        let sql = "CREATE TABLE IF NOT EXISTS T (id BIGINT PRIMARY KEY, n VARCHAR(255) NOT NULL, \
                   p DECIMAL(10,2) DEFAULT 1.5, u UUID, ts TIMESTAMPTZ, tags TEXT[], b BYTEA, \
                   c CHARACTER VARYING(3), d DOUBLE PRECISION, x DATETIME, f FLOAT)";
        let Kind::CreateTable(t) = parse(sql).unwrap().kind else {
            panic!("not a table");
        };
        assert!(
            t.if_not_exists && t.table.text == "t" && t.constraints.keys[0].columns[0].text == "id"
        );
        let formats: Vec<String> = t
            .columns
            .iter()
            .map(|c| format_of(&c.data_type).unwrap())
            .collect();
        let expected = "l vu d:10,2 w:16 tsu:UTC +l vz vu g tsu: g";
        assert_eq!(formats.join(" "), expected);
        assert_eq!(t.columns[1].char_length, Some(255));
        assert_eq!(t.columns[2].default.as_ref().unwrap().to_string(), "1.5");
    }

    #[test]
    fn keys_may_be_named_and_composite() {
        let sql = "CREATE TABLE t (a INT UNIQUE, b INT, CONSTRAINT pk PRIMARY KEY (b, a))";
        let Kind::CreateTable(t) = parse(sql).unwrap().kind else {
            panic!("not a table");
        };
        assert!(!t.constraints.keys[0].primary && t.constraints.keys[0].name.is_none());
        assert!(t.constraints.keys[1].primary);
        assert_eq!(t.constraints.keys[1].name.as_ref().unwrap().text, "pk");
        assert_eq!(t.constraints.keys[1].columns[0].text, "b");
        let e = parse("CREATE TABLE t (a INTEGR)").unwrap_err();
        assert_eq!(e.hint, "did you mean \"integer\"?");
        assert_eq!(e.position, Some(18));
    }
}
