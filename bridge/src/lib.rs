//! The bridge between Trefoil's C++ and Apache DataFusion.
//!
//! `src/engine/bridge.h` is the manual: a plain C interface, Arrow data uncopied, no panic and no
//! exception across. In here, from the border inwards:
//!
//!     exports   the C functions      abi   their structs          error   one error type
//!     catalog   tables and streams of C++, owned safely            bytes, value, statement_format
//!     engine -> session -> parse -> plan -> cursor, explain                the way of a statement
//!     text, check, dialect, names, copy, ddl, index, transaction, row_locks       what SQL says
//!     sequence, sequence_functions       CREATE SEQUENCE; nextval and its like
//!     session_functions, serial, age, timezone   current_schema(), age() and the like
//!     generated, alter_column            SERIAL, identity and stored columns
//!     suggest, error_text                what errors say
//!     dml, merge, parts, locked_parts, change, direct, constraints     changes
//!     planner, provider, leaf, filters, access_query  DataFusion's view of our tables
//!     types, convert, rules, row_values, lists, interval   where our SQL differs from DataFusion's
//!     canonical, equal_windows, keys     sorts of floating point; what DataFusion trips over
//!     join_order, join_graph, estimate   what is joined first
//!     computed                           columns that indexes over expressions have
//!     rename                             expressions that a table keeps, when names change
//!     probe, options, sum                filters found while running; switches; SUM of BIGINT
//!     ordered, merge_join, first_rows    sorts that an index spares; joins of what it orders
//!     fetch, one_input                   columns of the winners alone
//!     spill, sizes                       sorts in place of large top-k's, and that spill
//!     dependent, domain, only_row        correlated subqueries as joins
//!     files                              Parquet, and rows streamed in
//!
//! No DataFusion type has a name on the C++ side, so an upgrade of DataFusion stays within this
//! crate.

#![deny(warnings)]
// The exported functions take raw pointers from C; what they may be is the contract of bridge.h.
#![allow(clippy::not_unsafe_ptr_arg_deref, clippy::vec_box)]

mod abi;
mod access_query;
mod age;
mod alter_column;
mod bytes;
mod canonical;
mod catalog;
mod change;
mod check;
mod computed;
mod constraints;
mod convert;
mod copy;
mod cursor;
mod ddl;
mod dependent;
mod dialect;
mod direct;
mod dml;
mod domain;
mod engine;
mod equal_windows;
mod error;
mod error_text;
mod estimate;
mod explain;
pub mod exports;
mod fence;
mod fetch;
mod files;
mod filters;
mod first_rows;
mod generated;
mod house;
mod index;
mod interval;
mod join_graph;
mod join_order;
mod keys;
mod leaf;
mod lists;
mod locked_parts;
mod merge;
mod merge_join;
mod names;
mod one_input;
mod only_row;
mod options;
mod ordered;
mod parse;
mod parse_change;
mod parts;
mod plan;
mod planner;
mod pool;
mod probe;
mod provider;
mod rename;
mod row_locks;
mod row_values;
mod rules;
mod same;
mod sequence;
mod sequence_functions;
mod serial;
mod session;
mod session_functions;
mod sizes;
mod spill;
mod statement_format;
mod suggest;
mod sum;
mod table_constraint;
mod test_functions;
mod text;
mod timezone;
mod transaction;
mod types;
mod value;
