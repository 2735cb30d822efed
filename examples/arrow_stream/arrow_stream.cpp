// Arrow in and out: an answer leaves as an Arrow C stream, and rows come back in bulk through one.
// The stream between the two is what pyarrow, polars, DuckDB, ... hand over as well.

#include <iostream>
#include <string>

#include "trefoil/arrow_c.h"
#include "trefoil/database.h"

using trefoil::Database;
using trefoil::Result;
using trefoil::Session;
using trefoil::Status;

namespace {

Status failed(ArrowArrayStream& stream) {
    const char* why = stream.get_last_error(&stream);
    return Status::io(why == nullptr ? "the stream broke off" : why);
}

// Reads a stream to its end and tells what was in it.
Status describe(ArrowArrayStream& stream) {
    ArrowSchema schema;
    if (stream.get_schema(&stream, &schema) != 0) return failed(stream);
    for (int64_t c = 0; c < schema.n_children; c++) {
        std::cout << "column " << schema.children[c]->name << " has the Arrow format \""
                  << schema.children[c]->format << "\"\n";
    }
    schema.release(&schema);
    int64_t rows = 0;
    for (;;) {
        ArrowArray batch;
        if (stream.get_next(&stream, &batch) != 0) return failed(stream);
        if (batch.release == nullptr) break;  // the end
        rows += batch.length;
        batch.release(&batch);
    }
    std::cout << rows << " rows came out as Arrow\n";
    return Status();
}

Status run() {
    Result<Database> database = Database::open("");
    if (!database.ok()) return database.status();
    Result<Session> session = database->connect();
    if (!session.ok()) return session.status();
    for (const char* statement :
         {"CREATE TABLE number (n BIGINT PRIMARY KEY, square BIGINT)",
          "INSERT INTO number SELECT value, value * value FROM generate_series(1, 100000)",
          "CREATE TABLE even (n BIGINT PRIMARY KEY, square BIGINT)"}) {
        if (auto done = session->execute(statement); !done.ok()) return done.status();
    }

    auto rows = session->execute("SELECT n, square FROM number WHERE n <= 50000");
    if (!rows.ok()) return rows.status();
    ArrowArrayStream stream;
    rows->export_stream(&stream);
    const Status described = describe(stream);
    stream.release(&stream);
    if (!described.ok()) return described;

    // From one table into another, columns by position; append() takes the stream over.
    auto even = session->execute("SELECT n, square FROM number WHERE n % 2 = 0");
    if (!even.ok()) return even.status();
    even->export_stream(&stream);
    const Result<uint64_t> appended = session->append("even", &stream);
    if (!appended.ok()) return appended.status();
    std::cout << *appended << " rows were appended\n";
    return Status();
}

}  // namespace

int main() {
    const Status status = run();
    if (status.ok()) return 0;
    std::cerr << status.to_string() << "\n";
    return 1;
}
