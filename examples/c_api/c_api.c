/* Trefoil from C: open, execute with parameters, prepare, bind, append Arrow rows, read errors. */

#include <stdio.h>
#include <string.h>

#include "trefoil/trefoil.h"

static trefoil_database* database = NULL;
static trefoil_session* session = NULL;

static int fail(trefoil_error* error) {
    fprintf(stderr, "%s: %s\n", trefoil_error_sqlstate(error), trefoil_error_message(error));
    trefoil_error_free(error);
    return 1;
}

/* Runs a statement without rows. */
static int run(const char* sql) {
    trefoil_error* error = NULL;
    trefoil_result* result = NULL;
    if (trefoil_execute(session, sql, NULL, 0, &result, &error) != TREFOIL_OK) return fail(error);
    printf("%s\n", trefoil_tag(result));
    trefoil_result_free(result);
    return 0;
}

/* Prints all rows of a result and frees it. */
static int print(trefoil_result* result) {
    trefoil_error* error = NULL;
    trefoil_batch* batch = NULL;
    for (;;) {
        if (trefoil_next(result, &batch, &error) != TREFOIL_OK) {
            trefoil_result_free(result);
            return fail(error);
        }
        if (batch == NULL) break;
        for (int64_t row = 0; row < trefoil_batch_row_count(batch); row++) {
            for (int32_t column = 0; column < trefoil_column_count(result); column++) {
                const int is_null = trefoil_batch_is_null(batch, row, column);
                const char* text = is_null ? "NULL" : trefoil_batch_text(batch, row, column, NULL);
                printf("%s%s = %s", column > 0 ? ", " : "", trefoil_column_name(result, column),
                       text);
            }
            printf("\n");
        }
        trefoil_batch_free(batch);
    }
    trefoil_result_free(result);
    return 0;
}

static int ask_with_parameters(void) {
    trefoil_error* error = NULL;
    trefoil_result* result = NULL;
    trefoil_value parameters[2];
    parameters[0] = trefoil_double(1.5);
    parameters[1] = trefoil_text("sold");
    if (trefoil_execute(session,
                        "SELECT id, name FROM fruit WHERE price < $1 OR name = $2 ORDER BY id",
                        parameters, 2, &result, &error) != TREFOIL_OK) {
        return fail(error);
    }
    return print(result);
}

static int insert_prepared(void) {
    static const char* const names[] = {"apple", "banana", "cherry"};
    trefoil_error* error = NULL;
    trefoil_statement* insert = NULL;
    if (trefoil_prepare(session, "INSERT INTO fruit VALUES ($1, $2, $3)", &insert, &error) !=
        TREFOIL_OK) {
        return fail(error);
    }
    for (int i = 0; i < 3; i++) {
        trefoil_result* result = NULL;
        if (trefoil_bind(insert, 1, trefoil_int64(i + 1), &error) != TREFOIL_OK ||
            trefoil_bind(insert, 2, trefoil_text(names[i]), &error) != TREFOIL_OK ||
            trefoil_bind(insert, 3, trefoil_double(0.5 + i), &error) != TREFOIL_OK ||
            trefoil_execute_prepared(insert, &result, &error) != TREFOIL_OK) {
            trefoil_statement_free(insert);
            return fail(error);
        }
        trefoil_result_free(result);
    }
    trefoil_statement_free(insert);
    return 0;
}

/* An answer as an Arrow stream, appended to another table without a value being touched. */
static int copy_as_arrow(void) {
    trefoil_error* error = NULL;
    trefoil_result* result = NULL;
    struct ArrowArrayStream stream;
    uint64_t rows = 0;
    if (trefoil_execute(session, "SELECT id, name, price FROM fruit", NULL, 0, &result, &error) !=
        TREFOIL_OK) {
        return fail(error);
    }
    if (trefoil_stream(result, &stream, &error) != TREFOIL_OK) return fail(error);
    if (trefoil_append(session, "basket", &stream, &rows, &error) != TREFOIL_OK) return fail(error);
    trefoil_result_free(result);
    printf("%d rows appended\n", (int)rows);
    return 0;
}

static int make_a_mistake(void) {
    trefoil_error* error = NULL;
    trefoil_result* result = NULL;
    if (trefoil_execute(session, "SELECT nme FROM fruit", NULL, 0, &result, &error) == TREFOIL_OK) {
        trefoil_result_free(result);
        fprintf(stderr, "the mistake was not noticed\n");
        return 1;
    }
    printf("%s at %d: %s\n", trefoil_error_sqlstate(error), (int)trefoil_error_position(error),
           trefoil_error_message(error));
    const int expected = strcmp(trefoil_error_sqlstate(error), "42703") == 0;
    trefoil_error_free(error);
    return expected ? 0 : 1;
}

int main(void) {
    trefoil_error* error = NULL;
    printf("Trefoil %s\n", trefoil_version());
    if (trefoil_open(NULL, NULL, &database, &error) != TREFOIL_OK) return fail(error);
    if (trefoil_connect(database, &session, &error) != TREFOIL_OK) {
        trefoil_close(database);
        return fail(error);
    }
    const int failed =
        run("CREATE TABLE fruit (id BIGINT PRIMARY KEY, name TEXT, price DOUBLE)") ||
        run("CREATE TABLE basket (id BIGINT PRIMARY KEY, name TEXT, price DOUBLE)") ||
        insert_prepared() || ask_with_parameters() || copy_as_arrow() || make_a_mistake();
    trefoil_session_free(session);
    trefoil_close(database);
    return failed ? 1 : 0;
}
