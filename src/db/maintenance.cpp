// Keeping house: CHECKPOINT, VACUUM, CHECK DATABASE, BACKUP TO. (EXPORT and IMPORT: export.cpp.)

#include "base/check.h"
#include "db/session_state.h"
#include "table/check.h"

namespace trefoil {
namespace {

using Answer = Session::State::Answer;
using Action = engine::House::Action;

const char* name_of(Action action) {
    switch (action) {
        case Action::kCheckpoint:
            return "CHECKPOINT";
        case Action::kCheck:
            return "CHECK DATABASE";
        case Action::kIntegrityCheck:
            return "PRAGMA integrity_check";
        case Action::kVacuum:
            return "VACUUM";
        case Action::kBackup:
            return "BACKUP";
        case Action::kExport:
            return "EXPORT DATABASE";
        case Action::kImport:
            return "IMPORT DATABASE";
        case Action::kDiscard:
            return "DISCARD ALL";
        case Action::kSetConstraints:
            return "SET CONSTRAINTS";
    }
    CHECK(false);
}

// What works on the newest committed state cannot be part of a transaction.
bool needs_no_block(Action action) {
    return action == Action::kCheckpoint || action == Action::kVacuum ||
           action == Action::kBackup || action == Action::kDiscard;
}

std::string summary(const table::CheckReport& report) {
    return std::to_string(report.tables) + " tables, " + std::to_string(report.rows) + " rows, " +
           std::to_string(report.index_entries) + " index entries, " +
           std::to_string(report.files) + " files, " + std::to_string(report.bytes) + " bytes";
}

}  // namespace

Result<Answer> Session::State::keep_house(const engine::House& statement) {
    if (txn && needs_no_block(statement.action)) {
        return Status(
            Code::kInvalidInput, "25001",
            std::string(name_of(statement.action)) + " cannot run inside a transaction block");
    }
    switch (statement.action) {
        case Action::kCheckpoint:
            RETURN_IF_ERROR(db.tables->checkpoint());
            return done("CHECKPOINT");
        case Action::kCheck:
            return check_database(/*as_pragma=*/false);
        case Action::kIntegrityCheck:
            return check_database(/*as_pragma=*/true);
        case Action::kVacuum:
            return vacuum(statement);
        case Action::kBackup:
            RETURN_IF_ERROR(db.tables->backup(db.vfs, statement.directory).status());
            return done("BACKUP");
        case Action::kExport:
            return export_database(statement);
        case Action::kImport:
            return import_database(statement.directory);
        case Action::kDiscard:
            return discard_all();
        case Action::kSetConstraints:
            return done("SET CONSTRAINTS");
    }
    CHECK(false);
}

Result<Answer> Session::State::vacuum(const engine::House& statement) {
    std::optional<uint32_t> table;
    engine::Analyze whose;
    if (statement.table) {
        ASSIGN_OR_RETURN(table::VersionPtr version, db.tables->current());
        ASSIGN_OR_RETURN(catalog::TablePtr def, table_to_change(*version, *statement.table));
        table = def->id;
        whose.tables = {*statement.table};
    }
    RETURN_IF_ERROR(db.tables->vacuum(table));
    if (!statement.options.empty()) RETURN_IF_ERROR(analyze(whose).status());
    return done("VACUUM");
}

// The session is as it was when it was opened.
Result<Answer> Session::State::discard_all() {
    RETURN_IF_ERROR(apply_variable({.name = "all", .value = {}}));
    RETURN_IF_ERROR(drop_temporary());
    named.clear();
    sequences.forget();
    return done("DISCARD ALL");
}

// Rows that a CHECK or a foreign key does not allow. A table that cannot be read has been found
// already.
Status Session::State::check_constraints(const table::VersionPtr& version,
                                         table::CheckReport* report) {
    for (const catalog::TablePtr& table : version->catalog->tables()) {
        const std::string object = "table " + table->full_name();
        auto note = [&](const char* what, const Status& status) {
            if (status.ok() || status.code() == Code::kCorruption) return;
            report->findings.push_back(
                {object, what, std::string(status.message()) + ": " + status.detail()});
        };
        for (const catalog::CheckDef& check : table->checks) {
            Status status = check_all_rows(version, *table, check);
            if (status.sqlstate() == "57014") return status;
            note("check", status);
        }
        for (const catalog::ForeignKeyDef& key : table->foreign_keys) {
            note("foreign key", table::check_references(*version, *table, key));
        }
    }
    return {};
}

// As rows (object, what, detail); the one row "database, ok" if nothing is wrong. The pragma
// answers in a single column, as SQLite does.
Result<Answer> Session::State::check_database(bool as_pragma) {
    ASSIGN_OR_RETURN(table::VersionPtr version, db.tables->current());
    ASSIGN_OR_RETURN(table::CheckReport report,
                     table::check_database(db.tables->store(), *version, &cancel));
    RETURN_IF_ERROR(check_constraints(version, &report));
    std::vector<std::vector<Value>> rows;
    for (const table::Finding& f : report.findings) {
        if (as_pragma) {
            rows.push_back({f.object + ": " + f.what + ": " + f.detail});
        } else {
            rows.push_back({f.object, f.what, f.detail});
        }
    }
    if (as_pragma) {
        if (rows.empty()) rows.push_back({"ok"});
        return text_answer({"integrity_check"}, rows, "PRAGMA");
    }
    if (rows.empty()) rows.push_back({"database", "ok", summary(report)});
    return text_answer({"object", "what", "detail"}, rows, "CHECK");
}

}  // namespace trefoil
