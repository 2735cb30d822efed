// kill -9 at random moments, hundreds of times on one database: every acknowledged commit is there,
// and nothing else but perhaps the one that was under way.
//
// A child process opens the database, says what it found, and then writes from two sessions at once
// (single rows, many rows, transactions, tables that come and go, CSV files) while a third thread
// checkpoints. Before each commit it says through a pipe what the commit will do, after it that it
// was acknowledged. The parent never opens the database: it keeps a model from what it hears, kills
// the child, and holds what the next child finds against the model.
//
// TREFOIL_CRASH_SEED repeats a run, as far as the moments of a kill can be repeated;
// TREFOIL_CRASH_KILLS is how many there are.

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <random>
#include <set>
#include <sstream>
#include <thread>

#include "storage/storage_testing.h"
#include "trefoil/database.h"

namespace trefoil {
namespace {

using Random = std::mt19937_64;
using Clock = std::chrono::steady_clock;

constexpr int kWriters = 2;

uint64_t seed() {
    static const uint64_t value = setting("TREFOIL_CRASH_SEED", 4711);
    return value;
}

// --- The model: tables of (id BIGINT, text TEXT)
// ---------------------------------------------------------------

using Table = std::map<int64_t, std::string>;
using Tables = std::map<std::string, Table>;

// One change, and as a line: "create w0_a", "put w0_a 7 some text", "erase w0_a 7", "drop w0_a".
struct Change {
    std::string what, table;
    int64_t id = 0;
    std::string text;

    std::string line() const { return what + " " + table + " " + std::to_string(id) + " " + text; }
    static Change parse(const std::string& line) {
        std::istringstream in(line);
        Change c;
        in >> c.what >> c.table >> c.id;
        in.get();
        std::getline(in, c.text);
        return c;
    }
    void apply(Tables& tables) const {
        if (what == "create") tables[table];
        if (what == "drop") tables.erase(table);
        if (what == "put") tables[table][id] = text;
        if (what == "erase") tables[table].erase(id);
    }
};

// --- The child
// -----------------------------------------------------------------------------------------

// What the child says to its parent, a line at a time, from any thread.
class Voice {
public:
    explicit Voice(int fd) : fd_(fd) {}
    void say(const std::string& text) {
        std::lock_guard lock(mutex_);
        for (size_t at = 0; at < text.size();) {
            ssize_t n = ::write(fd_, text.data() + at, text.size() - at);
            if (n <= 0) ::_exit(3);
            at += static_cast<size_t>(n);
        }
    }
    [[noreturn]] void fail(const std::string& why) {
        std::string line = why;
        std::replace(line.begin(), line.end(), '\n', ' ');
        say("failed " + line + "\n");
        ::_exit(2);
    }

private:
    int fd_;
    std::mutex mutex_;
};

// Opens the database. What a killed process had locked may be free a moment after its end.
Database open_database(Voice& voice, const std::string& path) {
    for (int attempt = 0;; attempt++) {
        auto opened = Database::open(path, {.threads = 2});
        if (opened.ok()) return std::move(*opened);
        if (opened.status().sqlstate() != "55006" || attempt == 100) {
            voice.fail("open: " + opened.status().to_string());
        }
        ::usleep(10000);
    }
}

// All rows of an answer, as one line each; the fields end in a tab.
std::vector<std::string> rows_of(Voice& voice, Session& session, const std::string& sql) {
    auto rows = session.execute(sql);
    if (!rows.ok()) voice.fail(sql.substr(0, 300) + ": " + rows.status().to_string());
    std::vector<std::string> lines;
    for (;;) {
        auto batch = rows->next();
        if (!batch.ok()) voice.fail(sql.substr(0, 300) + ": " + batch.status().to_string());
        if (!batch->has_value()) return lines;
        for (int64_t r = 0; r < (*batch)->row_count(); r++) {
            std::string line;
            for (int32_t c = 0; c < (*batch)->column_count(); c++) {
                line += (*batch)->text(r, c) + "\t";
            }
            lines.push_back(line);
        }
    }
}

// The tables as they are in the database.
Tables read_tables(Voice& voice, Session& session) {
    Tables tables;
    for (std::string name : rows_of(voice, session, "SHOW TABLES")) {
        name.pop_back();
        Table& table = tables[name];
        for (const std::string& row : rows_of(voice, session, "SELECT id, text FROM " + name)) {
            const size_t tab = row.find('\t');
            std::string text = row.substr(tab + 1);
            text.pop_back();
            if (!table.emplace(std::stoll(row), text).second) voice.fail("a key is there twice");
        }
    }
    return tables;
}

// A count of what the directory holds against what the database names.
void check_files(Voice& voice, Session& session, const std::string& path) {
    auto counts = rows_of(voice, session,
                          "SELECT coalesce(sum(segments + patches), 0), "
                          "coalesce(sum(index_runs), 0) FROM trefoil_tables");
    PosixVfs disk;
    const std::string found = std::to_string(must(disk.list(path + "/seg")).size()) + "\t" +
                              std::to_string(must(disk.list(path + "/idx")).size()) + "\t";
    if (counts[0] != found) {
        voice.fail("files on disk (segments, runs): " + found + ", named: " + counts[0]);
    }
    for (const std::string& name : must(disk.list(path + "/tmp"))) {
        if (!must(disk.list(path + "/tmp/" + name)).empty()) voice.fail("tmp/ holds " + name);
    }
}

// The index finds some of the rows that the scan found, and none that it did not.
void check_index(Voice& voice, Session& session, const Tables& tables, Random& random) {
    for (const auto& [name, table] : tables) {
        for (int i = 0; i < 3; i++) {
            auto row = table.lower_bound(static_cast<int64_t>(random() % 3000));
            const int64_t id = row == table.end() ? 5000 : row->first;
            auto found = rows_of(voice, session,
                                 "SELECT text FROM " + name + " WHERE id = " + std::to_string(id));
            const bool right = row == table.end()
                                   ? found.empty()
                                   : found.size() == 1 && found[0] == row->second + "\t";
            if (!right) voice.fail("the index of " + name + " is wrong at " + std::to_string(id));
        }
    }
}

// One thread that changes its own tables, w<n>_a, w<n>_b and w<n>_c.
class Writer {
public:
    Writer(Voice& voice, Database& db, int number, const Tables& tables, std::string directory,
           uint64_t seed)
        : voice_(voice),
          session_(must(db.connect())),
          number_(std::to_string(number)),
          directory_(std::move(directory)),
          random_(seed) {
        for (const auto& [name, table] : tables) {
            if (name.starts_with("w" + number_)) tables_[name] = table;
        }
    }

    [[noreturn]] void work() {
        for (;;) {
            changes_.clear();
            statements_.clear();
            Tables next = tables_;
            const uint64_t statements = random_() % 5 == 0 ? 2 + random_() % 4 : 1;
            for (uint64_t i = 0; i < statements; i++) plan_statement(next);
            if (statements_.empty()) continue;
            announce();
            const bool block = statements_.size() > 1;
            const bool roll_back = block && random_() % 6 == 0;
            if (block) execute("BEGIN");
            for (const std::string& sql : statements_) execute(sql);
            if (roll_back) {
                execute("ROLLBACK");
                voice_.say("undone " + number_ + "\n");
                continue;
            }
            if (block) execute("COMMIT");
            voice_.say("done " + number_ + "\n");
            tables_ = std::move(next);
        }
    }

private:
    void execute(const std::string& sql) { (void)rows_of(voice_, session_, sql); }

    void announce() {
        std::string text = "begin " + number_ + "\n";
        for (const Change& c : changes_) text += "change " + number_ + " " + c.line() + "\n";
        voice_.say(text + "ready " + number_ + "\n");
    }

    void note(Tables& next, Change change) {
        change.apply(next);
        changes_.push_back(std::move(change));
    }

    std::string some_text() {
        return std::string(random_() % 40, static_cast<char>('a' + random_() % 26)) +
               std::to_string(random_() % 1000);
    }

    void plan_statement(Tables& next) {
        const std::string name = "w" + number_ + "_" + static_cast<char>('a' + random_() % 3);
        if (!next.contains(name)) {
            statements_.push_back("CREATE TABLE " + name + " (id BIGINT PRIMARY KEY, text TEXT)");
            note(next, {"create", name, 0, ""});
            return;
        }
        switch (random_() % 16) {
            case 0:
                if (random_() % 3) break;
                statements_.push_back("DROP TABLE " + name);
                note(next, {"drop", name, 0, ""});
                return;
            case 1:
            case 2:
                return copy(next, name);
            case 3:
            case 4:
                return erase(next, name);
            case 5:
            case 6:
            case 7:
                return update(next, name);
            case 8:
                return move_keys(next, name);
            default:
                break;
        }
        insert(next, name, random_() % 4 ? 1 : 1 + random_() % 200);
    }

    std::vector<Change> fresh_rows(const Tables& next, const std::string& name, uint64_t rows) {
        std::map<int64_t, Change> fresh;
        for (uint64_t i = 0; i < rows; i++) {
            auto id = static_cast<int64_t>(random_() % 3000);
            if (!next.at(name).contains(id)) fresh[id] = {"put", name, id, some_text()};
        }
        std::vector<Change> out;
        for (auto& [id, change] : fresh) out.push_back(std::move(change));
        std::shuffle(out.begin(), out.end(), random_);
        return out;
    }

    void insert(Tables& next, const std::string& name, uint64_t rows) {
        std::string values;
        for (Change& c : fresh_rows(next, name, rows)) {
            values += (values.empty() ? "(" : ", (") + std::to_string(c.id) + ", '" + c.text + "')";
            note(next, std::move(c));
        }
        if (!values.empty()) statements_.push_back("INSERT INTO " + name + " VALUES " + values);
    }

    void copy(Tables& next, const std::string& name) {
        const std::string file =
            directory_ + "/" + number_ + "_" + std::to_string(statements_.size()) + ".csv";
        std::ofstream out(file, std::ios::trunc);
        auto rows = fresh_rows(next, name, 1 + random_() % 600);
        if (rows.empty()) return;
        for (Change& c : rows) {
            out << c.id << "," << c.text << "\n";
            note(next, std::move(c));
        }
        statements_.push_back("COPY " + name + " FROM '" + file + "'");
    }

    // A range of ids: most often a few, at times all.
    std::pair<int64_t, int64_t> range() {
        auto from = static_cast<int64_t>(random_() % 3000);
        auto width = static_cast<int64_t>(random_() % 10 ? random_() % 60 : 3000);
        return {from, from + width};
    }
    static std::string where(std::pair<int64_t, int64_t> range) {
        return " WHERE id BETWEEN " + std::to_string(range.first) + " AND " +
               std::to_string(range.second);
    }

    void erase(Tables& next, const std::string& name) {
        auto ids = range();
        const Table before = next[name];
        for (auto row = before.lower_bound(ids.first); row != before.upper_bound(ids.second); ++row)
            note(next, {"erase", name, row->first, ""});
        statements_.push_back("DELETE FROM " + name + where(ids));
    }

    void update(Tables& next, const std::string& name) {
        auto ids = range();
        const std::string text = some_text();
        const Table before = next[name];
        for (auto row = before.lower_bound(ids.first); row != before.upper_bound(ids.second); ++row)
            note(next, {"put", name, row->first, text});
        statements_.push_back("UPDATE " + name + " SET text = '" + text + "'" + where(ids));
    }

    // All ids of a range become others, far above; those that are there already are left alone.
    void move_keys(Tables& next, const std::string& name) {
        const int64_t from = static_cast<int64_t>(random_() % 3000), to = from + 20;
        const int64_t far = 10000 + static_cast<int64_t>(random_() % 1000) * 100;
        const Table before = next[name];
        if (before.lower_bound(far) != before.lower_bound(far + 100)) return;
        for (auto row = before.lower_bound(from); row != before.upper_bound(to); ++row) {
            note(next, {"erase", name, row->first, ""});
            note(next, {"put", name, row->first - from + far, row->second});
        }
        statements_.push_back("UPDATE " + name + " SET id = id + " + std::to_string(far - from) +
                              where({from, to}));
    }

    Voice& voice_;
    Session session_;
    std::string number_, directory_;
    Random random_;
    Tables tables_;
    std::vector<Change> changes_;
    std::vector<std::string> statements_;
};

// Says what is there, then writes until it is killed.
[[noreturn]] void child_main(int fd, const std::string& directory, uint64_t seed, bool write) {
    Voice voice(fd);
    const std::string path = directory + "/db";
    Database db = open_database(voice, path);
    Session session = must(db.connect());
    check_files(voice, session, path);
    const Tables tables = read_tables(voice, session);
    std::string text;
    for (const auto& [name, table] : tables) {
        text += "found " + Change{"create", name, 0, ""}.line() + "\n";
        for (const auto& [id, content] : table) {
            text += "found " + Change{"put", name, id, content}.line() + "\n";
        }
    }
    voice.say(text + "open\n");
    Random random(seed);
    check_index(voice, session, tables, random);
    if (!write) {
        voice.say("end\n");
        ::_exit(0);
    }
    std::vector<std::thread> threads;
    for (int w = 0; w < kWriters; w++) {
        threads.emplace_back(
            [&, w, own = random()] { Writer(voice, db, w, tables, directory, own).work(); });
    }
    for (;;) {
        ::usleep(static_cast<useconds_t>(random() % 40000));
        Status flushed = db.checkpoint();
        if (!flushed.ok()) voice.fail("checkpoint: " + flushed.to_string());
    }
}

// --- The parent
// ----------------------------------------------------------------------------------------

// The other end of the pipe.
class Child {
public:
    Child(const std::string& directory, uint64_t seed, bool write) {
        int ends[2];
        REQUIRE(::pipe(ends) == 0);
        pid_ = ::fork();
        if (pid_ == 0) {
            ::close(ends[0]);
            try {
                child_main(ends[1], directory, seed, write);
            } catch (...) {
                Voice(ends[1]).fail("an exception");
            }
        }
        ::close(ends[1]);
        fd_ = ends[0];
    }
    ~Child() {
        kill();
        ::close(fd_);
    }

    // The next line; nothing when the child has ended, or at the deadline.
    std::optional<std::string> hear(std::optional<Clock::time_point> deadline) {
        for (;;) {
            size_t end = heard_.find('\n', at_);
            if (end != std::string::npos) {
                std::string line = heard_.substr(at_, end - at_);
                at_ = end + 1;
                return line;
            }
            heard_.erase(0, at_);
            at_ = 0;
            int wait = -1;
            if (deadline) {
                auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline - Clock::now());
                wait = std::max(0, static_cast<int>(left.count()));
            }
            pollfd ready{fd_, POLLIN, 0};
            if (::poll(&ready, 1, wait) == 0) return std::nullopt;
            char buffer[65536];
            ssize_t n = ::read(fd_, buffer, sizeof(buffer));
            if (n <= 0) {
                ended_ = true;
                return std::nullopt;
            }
            heard_.append(buffer, static_cast<size_t>(n));
        }
    }
    bool ended() const { return ended_; }

    void kill() {
        if (pid_ < 0) return;
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, &status_, 0);
        pid_ = -1;
    }
    // How it ended, once it was killed: the exit code, or minus the signal.
    int end() const { return WIFEXITED(status_) ? WEXITSTATUS(status_) : -WTERMSIG(status_); }

private:
    pid_t pid_ = -1;
    int fd_ = -1;
    int status_ = 0;
    bool ended_ = false;
    std::string heard_;
    size_t at_ = 0;
};

// What is known from the pipe: the acknowledged state, and what each writer has under way.
class Witness {
public:
    // Takes one line in; false if the child reports a failure.
    void hear(const std::string& line) {
        std::istringstream in(line);
        std::string word, writer;
        in >> word;
        if (word == "failed") FAIL(line);
        if (word == "found") Change::parse(line.substr(6)).apply(found_);
        if (word == "open") compare();
        if (word == "open" || word == "found" || word == "end") return;
        in >> writer;
        Pending& pending = pending_[writer];
        if (word == "begin") pending = {};
        if (word == "change") {
            pending.changes.push_back(Change::parse(line.substr(8 + writer.size())));
        }
        if (word == "ready") pending.complete = true;
        if (word == "done") {
            for (const Change& c : pending.changes) c.apply(model_);
            commits_++;
        }
        if (word == "done" || word == "undone") pending = {};
    }

    uint64_t commits() const { return commits_; }
    uint64_t under_way_kept() const { return under_way_kept_; }

private:
    struct Pending {
        std::vector<Change> changes;
        bool complete = false;
    };

    static Tables part_of(const Tables& tables, const std::string& writer) {
        Tables part;
        for (const auto& [name, table] : tables) {
            if (name.starts_with("w" + writer)) part[name] = table;
        }
        return part;
    }

    // What the child found must be, for each writer, what was acknowledged, or that and the one
    // commit that was under way.
    void compare() {
        for (int w = 0; w < kWriters; w++) {
            const std::string writer = std::to_string(w);
            CAPTURE(writer);
            const Tables found = part_of(found_, writer);
            if (found == part_of(model_, writer)) continue;
            Tables with = model_;
            const Pending& pending = pending_[writer];
            for (const Change& c : pending.changes) c.apply(with);
            const bool same = pending.complete && found == part_of(with, writer);
            CHECK_MESSAGE(same, difference(part_of(model_, writer), found));
            under_way_kept_++;
        }
        model_ = std::exchange(found_, {});
        pending_.clear();
    }

    static std::string difference(const Tables& expected, const Tables& found) {
        for (const auto& [name, table] : expected) {
            auto other = found.find(name);
            if (other == found.end()) return "table " + name + " is lost";
            for (const auto& [id, text] : table) {
                auto row = other->second.find(id);
                if (row == other->second.end()) {
                    return name + ": row " + std::to_string(id) + " is lost";
                }
                if (row->second != text) return name + ": row " + std::to_string(id) + " is old";
            }
            if (other->second.size() > table.size()) return name + ": rows from nowhere";
        }
        return "a table from nowhere";
    }

    Tables model_, found_;
    std::map<std::string, Pending> pending_;
    uint64_t commits_ = 0, under_way_kept_ = 0;
};

TEST_CASE("kill -9 at random moments, again and again, loses nothing that was acknowledged") {
    const uint64_t kills = setting("TREFOIL_CRASH_KILLS", 200);
    MESSAGE("TREFOIL_CRASH_SEED=" << seed());
    TestDirectory directory;
    Random random(seed());
    Witness witness;
    for (uint64_t kill = 0; kill <= kills; kill++) {
        CAPTURE(kill);
        Child child(directory / ".", random(), kill < kills);
        // Most often some time after the opening, at times in the middle of it.
        auto life = std::chrono::microseconds(random() % 120000);
        std::optional<Clock::time_point> deadline;
        if (kill < kills && random() % 8 == 0) deadline = Clock::now() + life / 4;
        while (auto line = child.hear(deadline)) {
            witness.hear(*line);
            if (*line == "open" && !deadline && kill < kills) deadline = Clock::now() + life;
        }
        const bool ended = child.ended();
        child.kill();
        CHECK_MESSAGE(ended == (kill == kills), "the child ended by itself: " << child.end());
        while (auto line = child.hear(std::nullopt)) witness.hear(*line);
    }
    MESSAGE(witness.commits() << " commits acknowledged, " << witness.under_way_kept()
                              << " kept that were under way");
    CHECK(witness.commits() > kills);
}

// --- A large COPY
// --------------------------------------------------------------------------------------

constexpr int64_t kCopyRows = 400000;  // three full segments staged in files, and a rest

// What one child does: with `copy`, it starts the COPY and never ends it by itself.
[[noreturn]] void copy_child(int fd, const std::string& directory, bool copy) {
    Voice voice(fd);
    Database db = open_database(voice, directory + "/db");
    Session session = must(db.connect());
    (void)rows_of(voice, session, "CREATE TABLE IF NOT EXISTS t (id BIGINT PRIMARY KEY, x TEXT)");
    check_files(voice, session, directory + "/db");
    voice.say("count " + rows_of(voice, session, "SELECT count(*) FROM t")[0] + "\n");
    if (copy) {
        (void)rows_of(voice, session, "DELETE FROM t");
        voice.say("start\n");
        (void)rows_of(voice, session, "COPY t FROM '" + directory + "/big.csv'");
        voice.say("done\n");
    }
    ::_exit(0);
}

struct CopyRun {
    int64_t found = -1;
    bool done = false;
    std::chrono::microseconds took{0};
};

CopyRun run_copy(const std::string& directory, bool copy,
                 std::optional<std::chrono::microseconds> life) {
    CopyRun run;
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    const pid_t pid = ::fork();
    if (pid == 0) {
        ::close(ends[0]);
        try {
            copy_child(ends[1], directory, copy);
        } catch (...) {
            ::_exit(4);
        }
    }
    ::close(ends[1]);
    FILE* in = ::fdopen(ends[0], "r");
    char line[4096];
    auto started = Clock::now();
    while (std::fgets(line, sizeof(line), in)) {
        const std::string text = line;
        if (text.starts_with("failed")) FAIL(text);
        if (text.starts_with("count")) run.found = std::stoll(text.substr(6));
        if (text.starts_with("start")) {
            started = Clock::now();
            if (life) {
                ::usleep(static_cast<useconds_t>(life->count()));
                ::kill(pid, SIGKILL);
            }
        }
        if (text.starts_with("done")) run.done = true;
    }
    run.took = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - started);
    std::fclose(in);
    ::waitpid(pid, nullptr, 0);
    return run;
}

TEST_CASE("kill -9 in the middle of a large COPY: all or nothing, and no files left over") {
    TestDirectory directory;
    {
        std::ofstream out(directory / "big.csv");
        for (int64_t i = 0; i < kCopyRows; i++) out << i * 3 << ",text of row " << i << "\n";
    }
    const CopyRun whole = run_copy(directory / ".", true, std::nullopt);
    REQUIRE(whole.done);
    CHECK(run_copy(directory / ".", false, std::nullopt).found == kCopyRows);
    Random random(seed());
    constexpr uint64_t kCuts = 12;
    for (uint64_t cut = 0; cut < kCuts; cut++) {
        CAPTURE(cut);
        auto life = whole.took * (cut + random() % 2) / kCuts;
        const CopyRun killed = run_copy(directory / ".", true, life);
        const CopyRun after = run_copy(directory / ".", false, std::nullopt);
        CHECK((after.found == 0 || after.found == kCopyRows));
        if (killed.done) CHECK(after.found == kCopyRows);
    }
}

}  // namespace
}  // namespace trefoil
