// restore and upgrade, as statements of a session: any program can do the same.

#include "shell/tools.h"

#include <cstdio>

#include "shell/error_text.h"
#include "shell/text.h"
#include "trefoil/database.h"

namespace trefoil::shell {
namespace {

int failed(const Status& status) {
    std::fputs(error_text(status, {}).c_str(), stderr);
    return 1;
}

// Runs one statement; answers its rows as lines of text.
Result<std::string> run(Session& session, const std::string& sql) {
    Result<Rows> rows = session.execute(sql);
    if (!rows.ok()) return rows.status();
    std::string text;
    for (;;) {
        auto batch = rows->next();
        if (!batch.ok()) return batch.status();
        if (!batch->has_value()) return text;
        for (int64_t r = 0; r < (*batch)->row_count(); r++) {
            for (int32_t c = 0; c < (*batch)->column_count(); c++) {
                if (c > 0) text += ": ";
                text += (*batch)->text(r, c);
            }
            text += "\n";
        }
    }
}

// The backup of a backup is the database again.
int restore(const std::string& backup, const std::string& database) {
    OpenOptions open;
    open.read_only = true;
    Result<Database> source = Database::open(backup, open);
    if (!source.ok()) return failed(source.status());
    Result<Session> session = source->connect();
    if (!session.ok()) return failed(session.status());
    Result<std::string> done = run(*session, "BACKUP TO " + quote_literal(database));
    if (!done.ok()) return failed(done.status());
    std::printf("restored %s from %s\n", database.c_str(), backup.c_str());
    return 0;
}

// Opening for writing reads every older form there is, or refuses; VACUUM writes what it rewrites
// in the newest one.
int upgrade(const std::string& database) {
    OpenOptions open;
    open.create_if_missing = false;
    Result<Database> opened = Database::open(database, open);
    if (!opened.ok()) return failed(opened.status());
    Result<Session> session = opened->connect();
    if (!session.ok()) return failed(session.status());
    for (const char* sql : {"CHECK DATABASE", "VACUUM"}) {
        Result<std::string> done = run(*session, sql);
        if (!done.ok()) return failed(done.status());
        if (!done->empty() && !done->starts_with("database: ok")) {
            std::fprintf(stderr, "%s is damaged and was left as it is:\n%s", database.c_str(),
                         done->c_str());
            return 1;
        }
    }
    std::printf("%s is whole and of the format of trefoil %s\n", database.c_str(),
                std::string(version()).c_str());
    return 0;
}

}  // namespace

int run_tool(const ToolOptions& options) {
    return options.name == "restore" ? restore(options.from, options.to) : upgrade(options.from);
}

}  // namespace trefoil::shell
