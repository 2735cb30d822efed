// The C interface: every function wraps one of trefoil/database.h and turns a Status into a
// trefoil_error.
//
// guarded() is the wall that no exception passes: what C++ throws (in practice std::bad_alloc)
// becomes an error of its own.

#include "trefoil/trefoil.h"

#include <algorithm>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "trefoil/database.h"

struct trefoil_error {
    trefoil::Status status;
    std::string sqlstate;
};

struct trefoil_database {
    trefoil::Database database;
};

struct trefoil_session {
    trefoil::Session session;
};

struct trefoil_statement {
    trefoil::Prepared prepared;
    std::vector<trefoil::Value> parameters;
};

struct trefoil_result {
    trefoil::Rows rows;
    bool handed_on = false;  // its rows went to a stream
};

struct trefoil_batch {
    trefoil::RowBatch rows;
    std::string text;  // the last field that was asked for
};

namespace {

using trefoil::Code;
using trefoil::Result;
using trefoil::Status;

trefoil_code report(Status status, trefoil_error** error) {
    const auto code = static_cast<trefoil_code>(status.code());
    if (code == TREFOIL_OK || error == nullptr) return code;
    *error = nullptr;
    try {
        const std::string sqlstate(status.sqlstate());
        *error = new trefoil_error{std::move(status), sqlstate};
    } catch (...) {  // no memory for the error itself: the code must do
    }
    return code;
}

// Runs `body`, which answers a Status, behind the wall.
template <typename Body>
trefoil_code guarded(trefoil_error** error, Body body) {
    try {
        return report(body(), error);
    } catch (const std::bad_alloc&) {
        return report(Status(Code::kIo, "53200", "out of memory"), error);
    } catch (const std::exception& e) {
        return report(Status(Code::kCorruption, "XX000", e.what()), error);
    } catch (...) {
        return report(Status(Code::kCorruption, "XX000", "unknown exception"), error);
    }
}

Status missing(const char* what) {
    return Status(Code::kInvalidInput, "22004", std::string(what) + " is NULL");
}

Result<trefoil::Value> to_value(const trefoil_value& value) {
    const auto text = [&] {
        return value.as.text.size == 0 ? std::string()
                                       : std::string(value.as.text.bytes, value.as.text.size);
    };
    switch (value.type) {
        case TREFOIL_NULL:
            return trefoil::Value();
        case TREFOIL_BOOLEAN:
            return trefoil::Value(value.as.boolean != 0);
        case TREFOIL_INT64:
            return trefoil::Value(value.as.int64);
        case TREFOIL_DOUBLE:
            return trefoil::Value(value.as.float64);
        case TREFOIL_TEXT:
            return trefoil::Value(text());
        case TREFOIL_BLOB:
            return trefoil::Value(trefoil::Blob{text()});
        case TREFOIL_DATE:
            return trefoil::Value(trefoil::Date{value.as.days});
        case TREFOIL_TIME:
            return trefoil::Value(trefoil::Time{value.as.int64});
        case TREFOIL_TIMESTAMP:
            return trefoil::Value(trefoil::Timestamp{value.as.int64, false});
        case TREFOIL_TIMESTAMPTZ:
            return trefoil::Value(trefoil::Timestamp{value.as.int64, true});
        case TREFOIL_INTERVAL:
            return trefoil::Value(trefoil::Interval{
                value.as.interval.months, value.as.interval.days, value.as.interval.nanos});
        case TREFOIL_DECIMAL: {
            const auto high = static_cast<unsigned __int128>(value.as.decimal.high);
            const auto unscaled = static_cast<__int128>((high << 64) | value.as.decimal.low);
            return trefoil::Value(trefoil::Decimal{unscaled, value.as.decimal.scale});
        }
        case TREFOIL_UUID: {
            trefoil::Uuid uuid;
            std::memcpy(uuid.bytes.data(), value.as.uuid, uuid.bytes.size());
            return trefoil::Value(uuid);
        }
        default:
            return Status::invalid("a parameter has the unknown type " +
                                   std::to_string(value.type));
    }
}

// Moves what `result` holds into a new Handle.
template <typename Handle, typename T, typename... Rest>
Status hand_out(Result<T> result, Handle** out, Rest... rest) {
    if (!result.ok()) return result.status();
    *out = new Handle{std::move(*result), std::move(rest)...};
    return Status();
}

}  // namespace

extern "C" {

const char* trefoil_version(void) {
    static const std::string version(trefoil::version());
    return version.c_str();
}

trefoil_code trefoil_error_code(const trefoil_error* error) {
    return static_cast<trefoil_code>(error->status.code());
}
const char* trefoil_error_sqlstate(const trefoil_error* error) {
    return error->sqlstate.c_str();
}
const char* trefoil_error_message(const trefoil_error* error) {
    return error->status.message().c_str();
}
const char* trefoil_error_detail(const trefoil_error* error) {
    return error->status.detail().c_str();
}
const char* trefoil_error_hint(const trefoil_error* error) {
    return error->status.hint().c_str();
}
int64_t trefoil_error_position(const trefoil_error* error) {
    const std::optional<uint32_t> position = error->status.position();
    return position ? int64_t{*position} : -1;
}
void trefoil_error_free(trefoil_error* error) {
    delete error;
}

trefoil_code trefoil_open(const char* path, const trefoil_options* options,
                          trefoil_database** out_database, trefoil_error** error) {
    return guarded(error, [&] {
        if (out_database == nullptr) return missing("out_database");
        *out_database = nullptr;
        trefoil::OpenOptions open;
        if (options != nullptr) {
            open.read_only = options->read_only != 0;
            open.create_if_missing = options->must_exist == 0;
            open.memory_limit_bytes = options->memory_limit_bytes;
            open.threads = options->threads;
        }
        return hand_out(trefoil::Database::open(path == nullptr ? "" : path, open), out_database);
    });
}
void trefoil_close(trefoil_database* database) {
    delete database;
}
trefoil_code trefoil_checkpoint(trefoil_database* database, trefoil_error** error) {
    return guarded(error, [&] {
        if (database == nullptr) return missing("database");
        return database->database.checkpoint();
    });
}

trefoil_code trefoil_connect(trefoil_database* database, trefoil_session** out_session,
                             trefoil_error** error) {
    return guarded(error, [&] {
        if (out_session == nullptr) return missing("out_session");
        *out_session = nullptr;
        if (database == nullptr) return missing("database");
        return hand_out(database->database.connect(), out_session);
    });
}
void trefoil_session_free(trefoil_session* session) {
    delete session;
}
void trefoil_cancel(trefoil_session* session) {
    if (session != nullptr) session->session.cancel();
}
int32_t trefoil_in_transaction(const trefoil_session* session) {
    return session->session.in_transaction() ? 1 : 0;
}

trefoil_value trefoil_null(void) {
    return trefoil_value{};
}
trefoil_value trefoil_boolean(int32_t value) {
    trefoil_value v{};
    v.type = TREFOIL_BOOLEAN;
    v.as.boolean = value;
    return v;
}
trefoil_value trefoil_int64(int64_t value) {
    trefoil_value v{};
    v.type = TREFOIL_INT64;
    v.as.int64 = value;
    return v;
}
trefoil_value trefoil_double(double value) {
    trefoil_value v{};
    v.type = TREFOIL_DOUBLE;
    v.as.float64 = value;
    return v;
}
trefoil_value trefoil_text(const char* zero_terminated) {
    if (zero_terminated == nullptr) return trefoil_null();
    return trefoil_text_n(zero_terminated, std::strlen(zero_terminated));
}
trefoil_value trefoil_text_n(const char* bytes, size_t size) {
    trefoil_value v{};
    v.type = TREFOIL_TEXT;
    v.as.text.bytes = bytes;
    v.as.text.size = size;
    return v;
}
trefoil_value trefoil_blob(const void* bytes, size_t size) {
    trefoil_value v = trefoil_text_n(static_cast<const char*>(bytes), size);
    v.type = TREFOIL_BLOB;
    return v;
}

trefoil_code trefoil_execute(trefoil_session* session, const char* sql,
                             const trefoil_value* parameters, size_t parameter_count,
                             trefoil_result** out_result, trefoil_error** error) {
    return guarded(error, [&] {
        if (out_result == nullptr) return missing("out_result");
        *out_result = nullptr;
        if (session == nullptr) return missing("session");
        if (sql == nullptr) return missing("sql");
        if (parameters == nullptr && parameter_count > 0) return missing("parameters");
        std::vector<trefoil::Value> values;
        for (size_t i = 0; i < parameter_count; i++) {
            Result<trefoil::Value> value = to_value(parameters[i]);
            if (!value.ok()) return value.status();
            values.push_back(std::move(*value));
        }
        return hand_out(session->session.execute(sql, std::span<const trefoil::Value>(values)),
                        out_result);
    });
}

trefoil_code trefoil_prepare(trefoil_session* session, const char* sql,
                             trefoil_statement** out_statement, trefoil_error** error) {
    return guarded(error, [&] {
        if (out_statement == nullptr) return missing("out_statement");
        *out_statement = nullptr;
        if (session == nullptr) return missing("session");
        if (sql == nullptr) return missing("sql");
        Result<trefoil::Prepared> prepared = session->session.prepare(sql);
        if (!prepared.ok()) return prepared.status();
        std::vector<trefoil::Value> parameters(static_cast<size_t>(prepared->parameter_count()));
        return hand_out(std::move(prepared), out_statement, std::move(parameters));
    });
}
int32_t trefoil_parameter_count(const trefoil_statement* statement) {
    return statement->prepared.parameter_count();
}
trefoil_code trefoil_bind(trefoil_statement* statement, int32_t number, trefoil_value value,
                          trefoil_error** error) {
    return guarded(error, [&] {
        if (statement == nullptr) return missing("statement");
        const auto count = static_cast<int32_t>(statement->parameters.size());
        if (number < 1 || number > count) {
            return Status(Code::kInvalidInput, "42P02",
                          "there is no parameter $" + std::to_string(number) +
                              ": the statement has " + std::to_string(count));
        }
        Result<trefoil::Value> converted = to_value(value);
        if (!converted.ok()) return converted.status();
        statement->parameters[static_cast<size_t>(number - 1)] = std::move(*converted);
        return Status();
    });
}
trefoil_code trefoil_execute_prepared(trefoil_statement* statement, trefoil_result** out_result,
                                      trefoil_error** error) {
    return guarded(error, [&] {
        if (out_result == nullptr) return missing("out_result");
        *out_result = nullptr;
        if (statement == nullptr) return missing("statement");
        return hand_out(statement->prepared.execute(statement->parameters), out_result);
    });
}
void trefoil_statement_free(trefoil_statement* statement) {
    delete statement;
}

trefoil_code trefoil_append(trefoil_session* session, const char* table,
                            struct ArrowArrayStream* rows, uint64_t* out_rows,
                            trefoil_error** error) {
    return guarded(error, [&] {
        if (rows == nullptr) return missing("rows");
        if (session == nullptr || table == nullptr) {
            if (rows->release != nullptr) rows->release(rows);
            return missing(session == nullptr ? "session" : "table");
        }
        const Result<uint64_t> appended = session->session.append(table, rows);
        if (appended.ok() && out_rows != nullptr) *out_rows = *appended;
        return appended.status();
    });
}

int32_t trefoil_column_count(const trefoil_result* result) {
    return static_cast<int32_t>(result->rows.columns().size());
}
const char* trefoil_column_name(const trefoil_result* result, int32_t column) {
    if (column < 0 || column >= trefoil_column_count(result)) return nullptr;
    return result->rows.columns()[static_cast<size_t>(column)].name.c_str();
}
const char* trefoil_column_type(const trefoil_result* result, int32_t column) {
    if (column < 0 || column >= trefoil_column_count(result)) return nullptr;
    return result->rows.columns()[static_cast<size_t>(column)].type.c_str();
}
const char* trefoil_tag(const trefoil_result* result) {
    return result->rows.tag().c_str();
}
uint64_t trefoil_affected_rows(const trefoil_result* result) {
    return result->rows.affected_rows();
}
trefoil_code trefoil_next(trefoil_result* result, trefoil_batch** out_batch,
                          trefoil_error** error) {
    return guarded(error, [&] {
        if (out_batch == nullptr) return missing("out_batch");
        *out_batch = nullptr;
        if (result == nullptr) return missing("result");
        if (result->handed_on) return Status();
        Result<std::optional<trefoil::RowBatch>> batch = result->rows.next();
        if (!batch.ok()) return batch.status();
        if (batch->has_value()) *out_batch = new trefoil_batch{std::move(**batch), ""};
        return Status();
    });
}
trefoil_code trefoil_stream(trefoil_result* result, struct ArrowArrayStream* out_stream,
                            trefoil_error** error) {
    return guarded(error, [&] {
        if (out_stream == nullptr) return missing("out_stream");
        if (result == nullptr) return missing("result");
        if (result->handed_on) return Status::invalid("the rows of this result went to a stream");
        result->rows.export_stream(out_stream);
        result->handed_on = true;
        return Status();
    });
}
void trefoil_result_free(trefoil_result* result) {
    delete result;
}

int64_t trefoil_batch_row_count(const trefoil_batch* batch) {
    return batch->rows.row_count();
}
int32_t trefoil_batch_is_null(const trefoil_batch* batch, int64_t row, int32_t column) {
    return batch->rows.is_null(row, column) ? 1 : 0;
}
int64_t trefoil_batch_int64(const trefoil_batch* batch, int64_t row, int32_t column) {
    return batch->rows.int64(row, column);
}
double trefoil_batch_double(const trefoil_batch* batch, int64_t row, int32_t column) {
    return batch->rows.float64(row, column);
}
const char* trefoil_batch_text(trefoil_batch* batch, int64_t row, int32_t column,
                               size_t* out_size) {
    try {
        batch->text = batch->rows.text(row, column);
    } catch (...) {  // no memory: nothing is better than half a text
        batch->text.clear();
    }
    if (out_size != nullptr) *out_size = batch->text.size();
    return batch->text.c_str();
}
void trefoil_batch_export(const trefoil_batch* batch, struct ArrowArray* out_rows) {
    batch->rows.export_to(out_rows);
}
void trefoil_batch_free(trefoil_batch* batch) {
    delete batch;
}

}  // extern "C"
