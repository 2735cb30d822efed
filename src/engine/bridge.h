/* The border between C++ and the Rust crate in bridge/, which links Apache DataFusion.
 *
 * This header is the manual of both sides; src/engine is the only room that includes it, and
 * bridge/src mirrors it in abi.rs. Two kinds of things cross:
 *
 *     C++ -> Rust   tables of functions with a context:  tf_catalog, tf_table, tf_leaf, tf_stream
 *     Rust -> C++   opaque handles:                      tf_engine, tf_session, tf_statement,
 *                                                        tf_plan, tf_cursor
 *
 * Rows travel as Arrow C Data, uncopied. Cold things (a parsed statement, statistics, settings)
 * travel as bytes in the forms drawn at the end.
 *
 * Rules
 *   1. Structs begin with `version` (TF_BRIDGE_VERSION) and `size` (sizeof); the reader refuses
 *      others.
 *   2. A call that can fail returns 0, or 1 after it has filled *error. Out-parameters are written
 *      only on 0. *error arrives zeroed; whoever asked releases it (`if (error.release)
 *      error.release(&error)`). No panic and no exception crosses: each side catches its own.
 *   3. Bytes are handed over by writing them to the asker's tf_sink during the call; nobody frees
 *      anything. A tf_text is borrowed for the call; strings are UTF-8, not zero-terminated.
 *   4. A struct of functions that is written to an out-parameter is owned by the receiver, who
 *      calls its `release` once. tf_catalog alone is borrowed.
 *   5. Threads: tf_catalog, tf_table and tf_leaf are called from several threads at once; a
 *      tf_stream from one thread at a time, but not always the same. A tf_engine may be used by
 *      several threads at once; a tf_session, tf_plan or tf_cursor by one at a time. None of them
 *      may be called from inside a callback. Handles may be released in any order.
 *   6. `cancel` points to one byte, read atomically, that turns from 0 to 1 to stop the statement
 *      (57014). It may be null. It and the catalog must live until the cursor is released; when
 *      tf_cursor_release returns, every table, leaf and stream of that run has been released, and
 *      no callback is running. */

#pragma once

#include <stddef.h>
#include <stdint.h>

#include "trefoil/arrow_c.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TF_BRIDGE_VERSION 1u

typedef struct tf_text {
    const char* data; /* may be null if size is 0 */
    size_t size;
} tf_text;

/* Where bytes are written to; write() appends and never fails. Valid during the call only. */
typedef struct tf_sink {
    void* context;
    void (*write)(void* context, const char* data, size_t size);
} tf_sink;

/* `code` is trefoil::Code as a number (1 invalid input ... 7 unsupported). An error of C++ that
 * passes through Rust comes back with all its fields as they were. */
typedef struct tf_error {
    uint32_t version;
    uint32_t size;
    int32_t code;
    char sqlstate[6]; /* five characters and a zero */
    int64_t position; /* byte offset in the statement's text, -1 if not known */
    tf_text message;
    tf_text detail; /* empty if there is none */
    tf_text hint;   /* empty if there is none */
    void* owner;
    void (*release)(
        struct tf_error* error); /* frees the texts and sets itself to null; never fails */
} tf_error;

/* ---- What C++ gives: stored data ------------------------------------------------------- */

/* access::RowProbe: a condition over columns of a leaf that becomes known, and stricter, while the
 * statement runs. Used by one thread at a time. The functions of Rust that may be called from
 * inside a callback are these. */
typedef struct tf_probe {
    uint32_t version;
    uint32_t size;
    void* context;
    const uint32_t* columns; /* of the leaf's output */
    size_t column_count;
    uint64_t (*generation)(void* context); /* changes when ranges() and test() may */
    /* Writes u32 n, n exprs over the table's columns that hold for all rows that pass. */
    int (*ranges)(void* context, const tf_sink* out, tf_error* error);
    /* `keys` is a struct array of `columns`, which it takes over. Sets bit i % 64 of words[i / 64],
     * all zero before, if row i passes. *useful is 0 if nearly all do. */
    int (*test)(void* context, struct ArrowArray* keys, uint64_t* words, uint8_t* useful,
                tf_error* error);
    void (*release)(void* context);
} tf_probe;

/* access::BatchStream. */
typedef struct tf_stream {
    uint32_t version;
    uint32_t size;
    void* context;
    /* The next batch as a struct array without nulls of its own; out->release is null at the end.
     * After the end or an error it is not called again. */
    int (*next)(void* context, struct ArrowArray* out, tf_error* error);
    /* Before the first next(), and only if the leaf takes_probe(); null in streams of Rust. Takes
     * the probe over. */
    void (*set_probe)(void* context, const tf_probe* probe);
    void (*release)(void* context);
} tf_stream;

/* access::Leaf: a fixed scan, opened once per partition. It is released after the last of its
 * streams. */
typedef struct tf_leaf {
    uint32_t version;
    uint32_t size;
    void* context;
    int (*name)(void* context, const tf_sink* out, tf_error* error);
    int (*explain)(void* context, const tf_sink* out, tf_error* error);
    int (*rejected)(void* context, const tf_sink* out, tf_error* error); /* list of str */
    int (*schema)(void* context, struct ArrowSchema* out, tf_error* error);
    uint32_t (*partitions)(void* context); /* at least 1 */
    uint8_t (*takes_probe)(void* context);
    uint8_t (*is_ordered)(void* context); /* its rows come in the order that was asked for */
    int (*open)(void* context, uint32_t partition, const uint8_t* cancel, tf_stream* out,
                tf_error* error);
    int (*statistics)(void* context, const tf_sink* out,
                      tf_error* error);                                 /* leaf statistics bytes */
    int (*metrics)(void* context, const tf_sink* out, tf_error* error); /* metrics bytes */
    void (*release)(void* context);
} tf_leaf;

typedef struct tf_scan_request {
    uint32_t version;
    uint32_t size;
    const uint32_t* projection; /* table columns, in the order wanted */
    size_t projection_count;
    tf_text
        filters; /* u32 n, n exprs (plan/expr_format.h), each one answered 1 or 2 by supports() */
    uint8_t has_limit;
    uint64_t limit;
    tf_text order;    /* order bytes; empty: in any. The limit is then of rows in this order */
    uint64_t wanted;  /* with an order: rows that will be read at most; UINT64_MAX: all */
    uint8_t for_join; /* with an order: it is that of the keys of a merge join */
} tf_scan_request;

/* access::TableSource. The answers of schema() and supports() depend on the definition of the table
 * alone, not on its rows: a plan is kept and run again with the table of another snapshot. */
typedef struct tf_table {
    uint32_t version;
    uint32_t size;
    void* context;
    int (*schema)(void* context, struct ArrowSchema* out,
                  tf_error* error);                                        /* "+s" of the columns */
    int (*statistics)(void* context, const tf_sink* out, tf_error* error); /* statistics bytes */
    /* About how many rows satisfy all of `filters`: u32 n, n exprs, of which parts may be opaque or
     * parameters; negative if nothing is known. */
    int (*estimate)(void* context, tf_text filters, double* rows, tf_error* error);
    /* *support: 0 not understood, 1 inexact, 2 exact. `filter` is one expr; it may hold parameters.
     */
    int (*supports)(void* context, tf_text filter, uint8_t* support, tf_error* error);
    int (*primary_key)(void* context, const tf_sink* out, tf_error* error); /* u32 n, n u32 */
    /* Writes the SQL text of the default; *has is 0 if there is none, else 1 and
     * catalog::ColumnDef::Generated; of a stored column it is the expression. */
    int (*column_default)(void* context, uint32_t column, const tf_sink* out, uint8_t* has,
                          tf_error* error);
    /* u32 n, n of (str constraint, str condition): the CHECK constraints, by name */
    int (*checks)(void* context, const tf_sink* out, tf_error* error);
    int (*scan)(void* context, const tf_scan_request* request, tf_leaf* out, tf_error* error);
    /* These columns of the rows with these ids, in this order: a "+s" array. */
    int (*fetch)(void* context, const uint32_t* columns, size_t column_count,
                 const uint64_t* row_ids, size_t row_count, struct ArrowArray* out,
                 tf_error* error);
    void (*release)(void* context);
} tf_table;

/* access::SourceCatalog. Borrowed. */
typedef struct tf_catalog {
    uint32_t version;
    uint32_t size;
    void* context;
    /* No table of this name: 0, with out->release left null. */
    int (*find)(void* context, tf_text name, uint8_t row_ids, tf_table* out, tf_error* error);
    int (*table_names)(void* context, const tf_sink* out, tf_error* error); /* u32 n, n strs */
    /* Writes str name with its schema, list str schemas in which names in it are looked up, str
     * query, list str columns. No view of this name: *has is 0. */
    int (*view)(void* context, tf_text name, const tf_sink* out, uint8_t* has, tf_error* error);
    /* access::SequenceCall: `function` is 0 nextval, 1 currval, 2 lastval, 3 setval (with value and
     * is_called), 4 trefoil_cancel (of session `value`; 1 if there is one). Answers `count` calls
     * into `out`. */
    int (*sequence)(void* context, uint8_t function, tf_text name, int64_t value, uint8_t is_called,
                    int64_t* out, size_t count, tf_error* error);
    int (*schemas)(void* context, const tf_sink* out, tf_error* error); /* u32 n, n strs */
    /* The name of a relation as SQL writes it. None of this name: *has is 0. */
    int (*relation)(void* context, tf_text name, const tf_sink* out, uint8_t* has, tf_error* error);
} tf_catalog;

/* ---- What Rust gives: the engine ------------------------------------------------------- */

typedef struct tf_engine tf_engine;
typedef struct tf_session tf_session;
typedef struct tf_statement tf_statement;
typedef struct tf_plan tf_plan;
typedef struct tf_cursor tf_cursor;

typedef struct tf_engine_options {
    uint32_t version;
    uint32_t size;
    uint32_t threads;      /* 0: one per core */
    uint64_t memory_bytes; /* of the pool; 0: no limit */
    tf_text spill_path;    /* existing folder; empty: the system's temporary folder */
} tf_engine_options;

/* TF_BRIDGE_VERSION of the library that was loaded. */
uint32_t tf_bridge_version(void);

int tf_engine_create(const tf_engine_options* options, tf_engine** out, tf_error* error);
uint64_t tf_engine_memory_used(const tf_engine* engine);
/* Bytes of the pool (unless it was made without a limit), and of spilled files; for queries that
 * run already, too. */
int tf_engine_set_limits(tf_engine* engine, uint64_t memory_bytes, uint64_t temp_bytes,
                         tf_error* error);
/* Takes memory out of the pool for work on this side: 1, or 0 if so much is not free. What was
 * taken is given back. */
int tf_engine_take_memory(tf_engine* engine, uint64_t bytes);
void tf_engine_give_memory_back(tf_engine* engine, uint64_t bytes);
void tf_engine_release(tf_engine* engine); /* this and the other releases accept null */

int tf_engine_open_session(tf_engine* engine, tf_session** out, tf_error* error);
void tf_session_release(tf_session* session);

/* Parses exactly one statement. tf_statement_describe writes statement bytes. */
int tf_session_parse(tf_session* session, tf_text sql, tf_statement** out, tf_error* error);
int tf_statement_describe(const tf_statement* statement, const tf_sink* out, tf_error* error);
void tf_statement_release(tf_statement* statement);

/* Plans a query, the read side of INSERT, UPDATE, DELETE, or the query of COPY TO, with or without
 * EXPLAIN in front. The plan keeps nothing of `catalog`. tf_plan_describe writes plan bytes. */
int tf_session_plan(tf_session* session, const tf_statement* statement, const tf_catalog* catalog,
                    tf_plan** out, tf_error* error);
int tf_plan_schema(const tf_plan* plan, struct ArrowSchema* out, tf_error* error);
int tf_plan_describe(const tf_plan* plan, const tf_sink* out, tf_error* error);
void tf_plan_release(tf_plan* plan);
/* A part of the statement that is run by itself; null if there is none of that number. It lives as
 * long as the plan, and is not released. First, of INSERT ... ON CONFLICT DO UPDATE, the update of
 * the rows that are there: it reads the table "\1conflict", which the catalog of its run must have:
 * _rowid (UInt64), the columns e0, e1, ... of the row that was proposed, and t0, t1, ... of the row
 * that is there. Then queries inside of the statement that lock rows ("locking"), and the
 * data-changing parts of WITH, in their order; the others, and the statement itself, may read what
 * they return as a table of the name that the part's "locking" or "change" tells. */
const tf_plan* tf_plan_child(const tf_plan* plan, size_t index);

/* `parameters`: u32 n, n values, cast to the types that the plan inferred. */
int tf_session_run(tf_session* session, const tf_plan* plan, tf_text parameters,
                   const tf_catalog* catalog, const uint8_t* cancel, tf_cursor** out,
                   tf_error* error);

/* Writes u32 n, n strs: the lines of the plan. How (ANALYZE, VERBOSE, FORMAT) is given here, not
 * taken from the statement. `format`: "", "indent" or "tree". */
int tf_session_explain(tf_session* session, const tf_plan* plan, uint8_t analyze, uint8_t verbose,
                       tf_text format, tf_text parameters, const tf_catalog* catalog,
                       const uint8_t* cancel, const tf_sink* out, tf_error* error);

/* The value of a constant expression: a struct array of one row and one column, whose type is that
 * of `type` (which stays the caller's). */
int tf_session_evaluate(tf_session* session, tf_text expression, const struct ArrowSchema* type,
                        struct ArrowArray* out, tf_error* error);

/* The text of an expression over the columns of one table, in which `column` is called `to`. Both
 * are written as SQL writes them. Errors: 42601. */
int tf_rename_column(tf_text expression, tf_text column, tf_text to, const tf_sink* out,
                     tf_error* error);

/* The text of a query that reads a table, when a column of it, or (with column "") it itself, is
 * called `to`. `tables`: u32 n, n strs, what the query may call the table. The same text if it is
 * not clear what names in it mean. Errors: 42601. */
int tf_rename_in_query(tf_text query, tf_text tables, tf_text column, tf_text to,
                       const tf_sink* out, tf_error* error);

/* The rows of `rows`, each column cast by position to the type of the column in `target` ("+s",
 * stays the caller's). Takes `rows` over, even when it fails. */
int tf_session_cast_stream(tf_session* session, struct ArrowArrayStream* rows,
                           const struct ArrowSchema* target, const uint8_t* cancel, tf_cursor** out,
                           tf_error* error);

int tf_session_read_parquet(tf_session* session, tf_text path, const uint8_t* cancel,
                            tf_cursor** out, tf_error* error);

/* Writes the batches of `rows`, whose schema is `schema`, to a file that it creates or replaces.
 * Takes `rows` over, even when it fails. `options`: options bytes; known: "format" (parquet),
 * "compression" (zstd, snappy, lz4, none), "row_group_size". */
int tf_session_write_parquet(tf_session* session, tf_stream* rows, const struct ArrowSchema* schema,
                             tf_text path, tf_text options, uint64_t* row_count, tf_error* error);

/* Settings: every "datafusion.*", and by short names "timezone", "batch_size", "target_partitions".
 * Code 2, SQLSTATE 42704 if there is none of that name. has_value = 0 resets to the default, and
 * every one of them if the name is "all".
 * "trefoil.sort_merge_fallbacks" (read only) counts queries that ran a second time without hash
 * joins; "trefoil.test_functions" = on registers tf_test_panic(x), which panics, for the tests of
 * this border. tf_session_settings writes u32 n, n of (str name, str value, str description). */
int tf_session_set(tf_session* session, tf_text name, uint8_t has_value, tf_text value,
                   tf_error* error);
int tf_session_get(tf_session* session, tf_text name, const tf_sink* out, tf_error* error);
int tf_session_settings(tf_session* session, const tf_sink* out, tf_error* error);

/* The rows of a run. next(): out->release is null at the end; batches are never empty of rows. The
 * batches stay valid after the cursor is released. */
int tf_cursor_schema(const tf_cursor* cursor, struct ArrowSchema* out, tf_error* error);
int tf_cursor_next(tf_cursor* cursor, struct ArrowArray* out, tf_error* error);
/* Writes u32 n, n strs: the plan that runs, with what it has counted so far; nothing if the rows
 * are not those of a plan. */
int tf_cursor_analysed(const tf_cursor* cursor, const tf_sink* out, tf_error* error);
void tf_cursor_release(tf_cursor* cursor);

/* ---- Byte forms --------------------------------------------------------------------------
 *
 * Numbers are little-endian; str is u32 length and the bytes; opt X is u8 0, or u8 1 and X; list X
 * is u32 n and n X. expr and value are those of plan/expr_format.h; a value (parameter) may besides
 * be a list: str "+l", u8 is_null, and unless null u32 n, n values. NULL of no type is str "n",
 * u8 1.
 *
 *   type         str Arrow format; if it is "+l", then the element's type
 *   name         str text (folded to lower case unless quoted; of what may have a schema, a
 *                catalog::Reference), u32 byte offset in the statement
 *   options      list of (str lower-case name, str value); a flag without a value has "true"
 *
 *   order        list of (u32 column of the table, u8: 1 descending, 2 NULLs first)
 *   statistics   opt u64 rows, opt u64 bytes, list of (opt u64 nulls, opt u64 distinct,
 *                value min, value max): one per column of the table (leaf: of its output), or none
 *   leaf stat.   u8 row count is exact, u8 nulls and bounds are exact, statistics
 *   metrics      list of (str name, u64)
 *
 *   plan         list of opt type      parameters $1, $2, ...
 *                opt access            the statement needs no algebra:
 *                  access: str table, list u32 projection, list expr filters, opt expr limit,
 *                          opt expr offset, order
 *                list str              tables and views that it reads, each once
 *                opt change            the columns of a change's read side, in this order:
 *                  change: u8 the first column is an INTEGER that says what is done with each row
 *                          (1 insert, 2 update, 3 delete), u8 there is a row id, u32 columns of the
 *                          table, list str CHECK constraints: unless none, an INTEGER follows:
 *                          which of them the row violates, else NULL; u8 the rest is RETURNING's,
 *                          opt direct: it can be done without the engine,
 *                          u8 kind (0 insert, 1 update, 2 delete, 3 merge), name table,
 *                          opt on conflict, str name under which its rows are read ("": none)
 *                opt locking: str name under which its rows are read, then as in 0 query below
 *                  on conflict: u8 what conflicts (0 any unique key, 1 that of the columns, 2 the
 *                          constraint, 3 the primary key), list name, list str conditions of
 *                          WHERE, u8 update
 *                  direct: u8 kind (0 insert, 1 update, 2 delete),
 *                          list row        of INSERT; a row is a list of expr, all columns
 *                          list (u32 column, u8 (0 value, 1 from + value, 2 from - value),
 *                                u32 from, expr value)    of UPDATE
 *                          list expr       values of the primary key, in its order
 *                          list u32        columns that RETURNING answers
 *
 *   statement    opt (u8 analyze, u8 verbose, str format)       EXPLAIN in front
 *                u8 kind, then by kind:
 *      0 query         list lock, opt bound limit, opt bound offset
 *                        lock: name table, u8 mode (table::LockMode), u8 wait (0 for ever,
 *                              1 nowait, 2 skip locked). Row ids are the last columns of the rows.
 *                        bound (with skip locked only): u8 0, u64 number; or u8 1, u32 parameter
 *      1 insert        name table
 *      2 update        name table
 *      3 delete        name table
 *      4 create table  name, u8 if_not_exists, u8 temporary, list column, list key,
 *                      list check, list foreign key
 *                        column: name, type, opt u32 char length, u8 not_null, opt str default,
 *                                u8 the default may differ from row to row, opt identity,
 *                                opt (str expression, list str columns it uses) of a stored column
 *                        identity: u8 catalog::ColumnDef::Generated (0: SERIAL), list option
 *                        key:    opt name constraint, u8 primary, list name columns
 *                        check:  opt name constraint, str condition, list str columns it uses
 *                        foreign key: opt name constraint, list name columns, name table,
 *                                list name its columns, u8 match full, u8 on delete, u8 on update
 *                                (catalog::ReferenceAction)
 *      5 drop          u8 catalog::RelationKind, list name, u8 if_exists, u8 cascade
 *      6 begin         modes
 *                        modes: u8 isolation (0 not said, 1 read uncommitted, 2 read committed,
 *                               3 repeatable read, 4 serializable), opt u8 read_only
 *      7 commit        u8 and chain
 *      8 rollback      u8 and chain
 *      9 set           str name, opt str value, u8 local
 *     10 show          str name
 *     11 show tables
 *     12 describe      name
 *     13 copy from     name table, list name columns, str file, options
 *     14 copy to       str file, options
 *     15 house         u8 action (0 checkpoint, 1 check, 2 integrity check, 3 vacuum, 4 backup,
 *                      5 export, 6 import), opt name table, str directory, options
 *     31 create view   name, u8 or_replace, u8 if_not_exists, u8 temporary, list name columns,
 *                      str query
 *     32 create table as   name, u8 if_not_exists, u8 temporary
 *     33 create schema name, u8 if_not_exists
 *     34 comment       name, u8 catalog::RelationKind, opt name column, opt str text
 *     30 alter table   name, u8 if_exists, list action
 *                        action: u8 kind (engine::AlterAction::Kind); column if it adds one or sets
 *                                a type, else name; name new name; u8 flags (1 IF [NOT] EXISTS,
 *                                2 CASCADE, 4 NOT NULL); opt str default or USING.
 *                                If it adds a constraint: u8 kind; key, check and u32 byte offset,
 *                                or foreign key; u8 it came with the column added before
 *                                If it adds an identity: identity; if it changes one: u8
 *                                ColumnDef::Generated or 0, list option
 *     40 savepoint     name
 *     41 rollback to   name
 *     42 release       name
 *     43 set transaction  modes, u8 for the session
 *     50 merge         name table
 *     51 truncate      list name tables, u8 restart identity, u8 cascade
 *     60 index         u8 what, then
 *        0 create      opt name, u8 if_not_exists, u8 unique, u8 hash, u8 concurrently,
 *                      name table, list key, list name columns of INCLUDE,
 *                      list name conditions of WHERE: their texts
 *                        key: u8 it is an expression; name: of the column, or its text;
 *                             u8 descending, u8 NULLs first
 *        1 drop        list name, u8 if_exists
 *        2 rename      name, name to, u8 if_exists
 *        3 rebuild     name, u8 of a table: all its indexes
 *     70 analyze       list name; none: all tables
 *     72 create sequence  name, u8 if_not_exists, u8 temporary, list option
 *                        option: u8 engine::SequenceOption::Kind, opt i64 value, list name (of
 *                                OWNED BY: table and column), u32 byte offset in the statement
 *     73 alter sequence   name, u8 if_exists, list option, opt name new name
 */

#ifdef __cplusplus
}
#endif
