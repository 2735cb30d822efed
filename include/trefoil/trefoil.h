/* The C interface of Trefoil: for programs in C, and for every language that can call C.
 *
 *     trefoil_error* error = NULL;
 *     trefoil_database* db = NULL;
 *     trefoil_session* session = NULL;
 *     trefoil_result* result = NULL;
 *     if (trefoil_open("shop.trefoil", NULL, &db, &error) != TREFOIL_OK) return fail(error);
 *     if (trefoil_connect(db, &session, &error) != TREFOIL_OK) return fail(error);
 *     trefoil_value id = trefoil_int64(7);
 *     if (trefoil_execute(session, "SELECT name FROM product WHERE id = $1", &id, 1, &result,
 * &error)
 *         != TREFOIL_OK) return fail(error);
 *     trefoil_batch* batch = NULL;
 *     while (trefoil_next(result, &batch, &error) == TREFOIL_OK && batch != NULL) {
 *         for (int64_t row = 0; row < trefoil_batch_row_count(batch); row++)
 *             puts(trefoil_batch_text(batch, row, 0, NULL));
 *         trefoil_batch_free(batch);
 *     }
 *
 * It says in C what trefoil/database.h says in C++, which explains what the calls mean.
 *
 * Handles. Each is freed once, by its own trefoil_..._free() or trefoil_close(); NULL may be freed.
 * A database outlives its sessions, a session its statements, results and Arrow streams; batches
 * live by themselves. An argument named `out_...` receives a new handle, and NULL if the call
 * fails.
 *
 * Errors. A call that can fail answers a trefoil_code. If that is not TREFOIL_OK and `error` is not
 * NULL, *error is a new trefoil_error, which the caller frees; on success *error is left alone. No
 * C++ exception leaves these functions.
 *
 * Threads. A database may be used from any thread; a session, with what came from it, by one thread
 * at a time. Only trefoil_cancel() may be called from another.
 *
 * Strings are UTF-8 and end with a zero byte. A returned string belongs to the handle it was asked
 * of and lives as long as that, unless its function says otherwise. */

#pragma once

#include <stddef.h>
#include <stdint.h>

#include "trefoil/arrow_c.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct trefoil_database trefoil_database;
typedef struct trefoil_session trefoil_session;
typedef struct trefoil_statement trefoil_statement;
typedef struct trefoil_result trefoil_result;
typedef struct trefoil_batch trefoil_batch;
typedef struct trefoil_error trefoil_error;

/* What the caller can do about it; the numbers never change. */
typedef enum trefoil_code {
    TREFOIL_OK = 0,
    TREFOIL_INVALID_INPUT = 1, /* fix the request */
    TREFOIL_NOT_FOUND = 2,     /* ask for something else */
    TREFOIL_CONFLICT = 3,      /* run the transaction again */
    TREFOIL_READ_ONLY = 4,     /* open for writing */
    TREFOIL_CORRUPTION = 5,    /* stop, and restore or repair */
    TREFOIL_IO = 6,            /* see the message */
    TREFOIL_UNSUPPORTED = 7    /* not yet */
} trefoil_code;

/* "0.1.0" */
const char* trefoil_version(void);

/* ---- Errors
 * -------------------------------------------------------------------------------------- */

trefoil_code trefoil_error_code(const trefoil_error* error);
/* Five characters, as in PostgreSQL: "42703". */
const char* trefoil_error_sqlstate(const trefoil_error* error);
const char* trefoil_error_message(const trefoil_error* error);
/* "" if there is none. */
const char* trefoil_error_detail(const trefoil_error* error);
const char* trefoil_error_hint(const trefoil_error* error);
/* Byte offset, from 0, in the text of the statement; -1 if there is none. */
int64_t trefoil_error_position(const trefoil_error* error);
void trefoil_error_free(trefoil_error* error);

/* ---- Database and session
 * ------------------------------------------------------------------------ */

/* Zero in any field means the default. Set all to zero first, so that later fields are, too. */
typedef struct trefoil_options {
    int32_t read_only;           /* 1: open beside the one writer process, for reading only */
    int32_t must_exist;          /* 1: it is an error if there is no database yet */
    uint64_t memory_limit_bytes; /* 0: half of the machine's memory */
    uint32_t threads;            /* 0: one per core */
    uint32_t reserved;
} trefoil_options;

/* Opens the database directory `path`, creating it if there is none. NULL, "" or ":memory:" is a
 * new database in memory. `options` may be NULL. */
trefoil_code trefoil_open(const char* path, const trefoil_options* options,
                          trefoil_database** out_database, trefoil_error** error);
/* REQUIRES: its sessions are freed. */
void trefoil_close(trefoil_database* database);
/* Writes what commits left in memory to segment files. */
trefoil_code trefoil_checkpoint(trefoil_database* database, trefoil_error** error);

trefoil_code trefoil_connect(trefoil_database* database, trefoil_session** out_session,
                             trefoil_error** error);
/* Rolls back what is open. */
void trefoil_session_free(trefoil_session* session);
/* Stops the running statement of this session, which fails with SQLSTATE 57014. From any thread. */
void trefoil_cancel(trefoil_session* session);
/* 1 between BEGIN and COMMIT or ROLLBACK, else 0. */
int32_t trefoil_in_transaction(const trefoil_session* session);

/* ---- Values
 * -------------------------------------------------------------------------------------- */

typedef enum trefoil_type {
    TREFOIL_NULL = 0,
    TREFOIL_BOOLEAN = 1,
    TREFOIL_INT64 = 2,
    TREFOIL_DOUBLE = 3,
    TREFOIL_TEXT = 4,
    TREFOIL_BLOB = 5,
    TREFOIL_DECIMAL = 6,
    TREFOIL_DATE = 7,
    TREFOIL_TIME = 8,
    TREFOIL_TIMESTAMP = 9,
    TREFOIL_TIMESTAMPTZ = 10,
    TREFOIL_INTERVAL = 11,
    TREFOIL_UUID = 12
} trefoil_type;

/* One parameter. Made by the functions below, or by hand. Text and blobs are borrowed until the
 * call that takes the value returns; trefoil_bind() copies them. */
typedef struct trefoil_value {
    int32_t type; /* a trefoil_type; any other number is refused */
    union {
        int32_t boolean;
        int64_t int64; /* TIME, TIMESTAMP, TIMESTAMPTZ: microseconds since midnight or 1970 */
        double float64;
        int32_t days; /* DATE: since 1970-01-01 */
        struct {
            const char* bytes;
            size_t size;
        } text; /* TEXT and BLOB */
        struct {
            int64_t high; /* the unscaled number is high * 2^64 + low */
            uint64_t low;
            int32_t scale; /* digits behind the point */
        } decimal;
        struct {
            int64_t nanos;
            int32_t months;
            int32_t days;
        } interval;
        uint8_t uuid[16];
    } as;
} trefoil_value;

trefoil_value trefoil_null(void);
trefoil_value trefoil_boolean(int32_t value);
trefoil_value trefoil_int64(int64_t value);
trefoil_value trefoil_double(double value);
trefoil_value trefoil_text(const char* zero_terminated);
trefoil_value trefoil_text_n(const char* bytes, size_t size);
trefoil_value trefoil_blob(const void* bytes, size_t size);

/* ---- Statements
 * ---------------------------------------------------------------------------------- */

/* Runs exactly one statement with parameters $1, $2, ...; `parameters` may be NULL if there are
 * none. */
trefoil_code trefoil_execute(trefoil_session* session, const char* sql,
                             const trefoil_value* parameters, size_t parameter_count,
                             trefoil_result** out_result, trefoil_error** error);

/* Analyses a statement once, to run it many times. */
trefoil_code trefoil_prepare(trefoil_session* session, const char* sql,
                             trefoil_statement** out_statement, trefoil_error** error);
int32_t trefoil_parameter_count(const trefoil_statement* statement);
/* Sets parameter $`number`, from 1, for the runs to come. Parameters never set are NULL. */
trefoil_code trefoil_bind(trefoil_statement* statement, int32_t number, trefoil_value value,
                          trefoil_error** error);
trefoil_code trefoil_execute_prepared(trefoil_statement* statement, trefoil_result** out_result,
                                      trefoil_error** error);
void trefoil_statement_free(trefoil_statement* statement);

/* Appends all rows of an Arrow stream to a table, columns by position, in one transaction (the open
 * one, if there is one). Takes the stream over, also if it fails. `out_rows` may be NULL. */
trefoil_code trefoil_append(trefoil_session* session, const char* table,
                            struct ArrowArrayStream* rows, uint64_t* out_rows,
                            trefoil_error** error);

/* ---- Results
 * ------------------------------------------------------------------------------------- */

/* 0 for a statement that returns no rows. */
int32_t trefoil_column_count(const trefoil_result* result);
/* NULL if there is no such column. */
const char* trefoil_column_name(const trefoil_result* result, int32_t column);
/* As SQL names it: "BIGINT", "DECIMAL(10,2)"; NULL if there is no such column. */
const char* trefoil_column_type(const trefoil_result* result, int32_t column);
/* "SELECT", "INSERT 0 3", "CREATE TABLE", ... */
const char* trefoil_tag(const trefoil_result* result);
/* Rows inserted, updated, deleted or copied; 0 for a query. */
uint64_t trefoil_affected_rows(const trefoil_result* result);
/* The next rows; *out_batch is NULL at the end. */
trefoil_code trefoil_next(trefoil_result* result, trefoil_batch** out_batch, trefoil_error** error);
/* The rest of the rows as an Arrow stream, which the caller releases; it must not outlive the
 * session. The result has no more rows after that. */
trefoil_code trefoil_stream(trefoil_result* result, struct ArrowArrayStream* out_stream,
                            trefoil_error** error);
void trefoil_result_free(trefoil_result* result);

int64_t trefoil_batch_row_count(const trefoil_batch* batch);
/* The following ask for one field. REQUIRES: row and column exist. */
int32_t trefoil_batch_is_null(const trefoil_batch* batch, int64_t row, int32_t column);
/* REQUIRES: not NULL, and the column is of an integer type. */
int64_t trefoil_batch_int64(const trefoil_batch* batch, int64_t row, int32_t column);
/* REQUIRES: not NULL, and the column is REAL or DOUBLE. */
double trefoil_batch_double(const trefoil_batch* batch, int64_t row, int32_t column);
/* The field of any type as SQL prints it; "" for NULL. `out_size`, if not NULL, receives its bytes
 * without the zero at the end. The text lives until the next call with this batch. */
const char* trefoil_batch_text(trefoil_batch* batch, int64_t row, int32_t column, size_t* out_size);
/* The rows as an Arrow struct array, uncopied; the caller releases it. */
void trefoil_batch_export(const trefoil_batch* batch, struct ArrowArray* out_rows);
void trefoil_batch_free(trefoil_batch* batch);

#ifdef __cplusplus
}
#endif
