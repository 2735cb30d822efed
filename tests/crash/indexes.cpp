// kill -9 of a process that has indexes, or builds one: what was acknowledged is there and answers
// as before; a build that was cut short leaves neither the index nor a file.
//
// All work is done by children; the parent only kills them.

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <functional>
#include <optional>
#include <random>

#include "../agreement/answers.h"
#include "../agreement/recorded.h"

namespace trefoil {
namespace {

using Clock = std::chrono::steady_clock;
using Microseconds = std::chrono::microseconds;

// What a child has said, line by line, and how long it took from its line "start" to its end.
struct Heard {
    std::vector<std::string> lines;
    Microseconds took{0};
    bool killed = false;
    bool has(const std::string& line) const {
        return std::find(lines.begin(), lines.end(), line) != lines.end();
    }
};
using Say = std::function<void(const std::string&)>;

// Runs `work` in a process of its own. It is killed when it says "kill me", or `life` after it has
// said "start"; otherwise it ends by itself.
Heard in_child(const std::function<void(const Say&)>& work,
               std::optional<Microseconds> life = std::nullopt) {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    const pid_t pid = ::fork();
    if (pid == 0) {
        ::close(ends[0]);
        work([&](const std::string& text) {
            const std::string line = text + "\n";
            if (::write(ends[1], line.data(), line.size()) < 0) ::_exit(3);
        });
        ::_exit(0);
    }
    ::close(ends[1]);
    FILE* in = ::fdopen(ends[0], "r");
    Heard heard;
    char line[4096];
    auto started = Clock::now();
    while (std::fgets(line, sizeof(line), in)) {
        heard.lines.emplace_back(line);
        heard.lines.back().pop_back();
        if (heard.lines.back() == "kill me") ::kill(pid, SIGKILL);
        if (heard.lines.back() != "start") continue;
        started = Clock::now();
        if (!life) continue;
        ::usleep(static_cast<useconds_t>(life->count()));
        ::kill(pid, SIGKILL);
    }
    heard.took = std::chrono::duration_cast<Microseconds>(Clock::now() - started);
    std::fclose(in);
    int status = 0;
    ::waitpid(pid, &status, 0);
    heard.killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    const bool ended = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    CHECK_MESSAGE((heard.killed || ended), "the child ended with " << status);
    return heard;
}

// What a killed process had locked may be free a moment after its end.
Database open_database(const std::string& path) {
    for (int attempt = 0;; attempt++) {
        auto opened = Database::open(path, {.threads = 2});
        if (opened.ok() || opened.status().sqlstate() != "55006" || attempt == 500) {
            return must(std::move(opened));
        }
        ::usleep(10000);
    }
}

void execute(Session& session, const Say& say, const std::string& sql) {
    const Answer answer = ask(session, sql);
    if (!answer.ok()) say("failed: " + sql + ": " + answer.status.to_string());
}

bool is_change(const std::string& sql) {
    for (const char* verb : {"CREATE", "INSERT", "UPDATE", "DELETE", "DROP", "ALTER"}) {
        if (sql.starts_with(verb)) return true;
    }
    return false;
}

// Says what in the database is not as it should be, and which indexes t has.
void inspect(const std::string& path, const Say& say) {
    Database db = open_database(path);
    Session session = must(db.connect());
    const Answer check = ask(session, "CHECK DATABASE");
    if (!check.first().starts_with("database|ok|")) say("failed: " + check.first());
    PosixVfs disk;
    const size_t files =
        must(disk.list(path + "/seg")).size() + must(disk.list(path + "/idx")).size();
    if (check.first().find(" " + std::to_string(files) + " files,") == std::string::npos) {
        say("failed: there are " + std::to_string(files) + " files, of which " + check.first());
    }
    for (const std::string& name : must(disk.list(path + "/tmp"))) {
        if (!must(disk.list(path + "/tmp/" + name)).empty()) say("failed: tmp/ holds " + name);
    }
    for (const std::string& row : ask(session, "SELECT name FROM trefoil_indexes").rows) {
        say("index " + row);
    }
}

void check_heard(const Heard& heard) {
    for (const std::string& line : heard.lines) {
        CHECK_MESSAGE(!line.starts_with("failed"), line);
    }
}

}  // namespace

TEST_CASE("the recorded questions have their answers after kill -9 and reopening") {
    TestDirectory directory;
    const std::string path = directory / "db";
    const std::vector<Recorded> script = read_script(TREFOIL_EMPLOYEES_SCRIPT);
    size_t asked = 0;
    for (size_t at = 0; at < script.size();) {
        size_t questions = at;
        while (questions < script.size() && is_change(script[questions].sql)) questions++;
        size_t end = questions;
        while (end < script.size() && !is_change(script[end].sql)) end++;
        const Heard killed = in_child([&](const Say& say) {
            Database db = open_database(path);
            Session session = must(db.connect());
            for (size_t i = at; i < questions; i++) execute(session, say, script[i].sql);
            say("kill me");
            for (;;) ::pause();
        });
        check_heard(killed);
        CHECK(killed.killed);
        check_heard(in_child([&](const Say& say) {
            Database db = open_database(path);
            Session session = must(db.connect());
            for (size_t i = questions; i < end; i++) {
                if (!script[i].sql.starts_with("SELECT")) continue;
                Answer answer = ask(session, script[i].sql);
                for (std::string& row : answer.rows) std::erase(row, '~');
                if (answer.rows != script[i].rows) say("failed: " + script[i].sql);
            }
        }));
        for (size_t i = questions; i < end; i++) asked += script[i].sql.starts_with("SELECT");
        at = end;
    }
    CHECK(asked >= 100);
}

TEST_CASE("kill -9 while an index is built: all of it or nothing, and no files left over") {
    constexpr int kCuts = 10;
    TestDirectory directory;
    const std::string path = directory / "db";
    check_heard(in_child([&](const Say& say) {
        Database db = open_database(path);
        Session session = must(db.connect());
        execute(session, say, "CREATE TABLE t (id BIGINT PRIMARY KEY, s TEXT)");
        execute(session, say,
                "INSERT INTO t SELECT i, 'text ' || (i * 7919 % 400009) "
                "FROM generate_series(1, 400000) g(i)");
        execute(session, say, "INSERT INTO t VALUES (400001, 'in memory')");
    }));
    std::mt19937_64 random(4711);
    for (const std::string keys : {"(s)", "(lower(s)) WHERE id % 3 > 0"}) {
        CAPTURE(keys);
        auto build = [&](const Say& say) {
            Database db = open_database(path);
            Session session = must(db.connect());
            execute(session, say, "DROP INDEX IF EXISTS t_s");
            say("start");
            execute(session, say, "CREATE UNIQUE INDEX t_s ON t " + keys);
            say("done");
        };
        const Heard whole = in_child(build);
        check_heard(whole);
        REQUIRE(whole.has("done"));
        for (int cut = 0; cut < kCuts; cut++) {
            CAPTURE(cut);
            const Heard killed = in_child(build, whole.took * (cut + random() % 2) / kCuts);
            check_heard(killed);
            const Heard after = in_child([&](const Say& say) { inspect(path, say); });
            check_heard(after);
            CHECK(after.has("index t_pkey|"));
            if (killed.has("done")) CHECK(after.has("index t_s|"));
        }
    }
}

}  // namespace trefoil
