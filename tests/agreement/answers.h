// Short ways to ask a database and to hold answers against each other.
//
//     Answer a = ask(session, "SELECT * FROM t WHERE id = $1", {Value(7)});
//     CHECK(a.rows == b.rows);          // as sorted text, NULL told apart from ''
//
// An Answer is also what a refused statement leaves: its SQLSTATE and its words.

#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "storage/storage_testing.h"
#include "trefoil/database.h"

namespace trefoil {

struct Answer {
    Status status;
    std::vector<ColumnInfo> columns;
    std::vector<std::string> rows;  // sorted; fields end in '|', NULL is "~"
    std::string tag, tier;
    uint64_t affected = 0;

    bool ok() const { return status.ok(); }
    std::string first() const { return rows.empty() ? "" : rows[0]; }
    // Names and types of the columns.
    std::string shape() const {
        std::string text;
        for (const ColumnInfo& c : columns) text += c.name + " " + c.type + ", ";
        return text;
    }
};

inline std::string row_text(const RowBatch& batch, int64_t row) {
    std::string text;
    for (int32_t c = 0; c < batch.column_count(); c++) {
        text += batch.is_null(row, c) ? "~" : batch.text(row, c);
        text += '|';
    }
    return text;
}

inline Answer read_answer(Result<Rows> rows) {
    Answer answer;
    answer.status = rows.status();
    if (!rows.ok()) return answer;
    answer.columns = rows->columns();
    answer.tier = rows->tier();
    for (;;) {
        auto batch = rows->next();
        if (!batch.ok()) {
            answer.status = batch.status();
            return answer;
        }
        if (!batch->has_value()) break;
        for (int64_t r = 0; r < (*batch)->row_count(); r++) {
            answer.rows.push_back(row_text(**batch, r));
        }
    }
    std::sort(answer.rows.begin(), answer.rows.end());
    answer.tag = rows->tag();
    answer.affected = rows->affected_rows();
    return answer;
}

inline Answer ask(Session& session, std::string_view sql, std::vector<Value> parameters = {}) {
    return read_answer(session.execute(sql, parameters));
}

// The same, and the test fails here if the statement does.
inline Answer run(Session& session, std::string_view sql, std::vector<Value> parameters = {}) {
    Answer answer = ask(session, sql, std::move(parameters));
    if (!answer.ok()) FAIL(sql.substr(0, 500) << "\n" << answer.status.to_string());
    return answer;
}

// The rows in the order in which they come.
inline std::vector<std::string> sequence(Session& session, const std::string& sql) {
    auto rows = must(session.execute(sql));
    std::vector<std::string> out;
    for (;;) {
        auto batch = must(rows.next());
        if (!batch) return out;
        for (int64_t r = 0; r < batch->row_count(); r++) out.push_back(row_text(*batch, r));
    }
}

// The lines of EXPLAIN, each ending in '|' and a new line.
inline std::string plan_of(Session& session, const std::string& sql) {
    std::string text;
    for (const std::string& line : sequence(session, "EXPLAIN " + sql)) text += line + "\n";
    return text;
}

inline bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

inline int64_t number(Session& session, std::string_view sql) {
    Answer answer = run(session, sql);
    REQUIRE(answer.rows.size() == 1);
    return std::stoll(answer.rows[0]);
}

// One counter of trefoil_counters.
inline int64_t counter(Session& session, const std::string& name) {
    return number(session, "SELECT value FROM trefoil_counters WHERE name = '" + name + "'");
}

// What scans and indexes of one table did so far.
struct TableStats {
    int64_t scans = 0, searches = 0, lookups = 0, fetched = 0;
};
inline TableStats stats_of(Session& session, const std::string& table) {
    auto rows = must(session.execute(
        "SELECT scans, searches, point_lookups + range_lookups, rows_fetched FROM trefoil_stats "
        "WHERE table_name = '" +
        table + "'"));
    auto batch = must(rows.next());
    REQUIRE(batch.has_value());
    return {batch->int64(0, 0), batch->int64(0, 1), batch->int64(0, 2), batch->int64(0, 3)};
}

}  // namespace trefoil
