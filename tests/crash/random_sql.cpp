// kill -9 in the midst of random transactions: tables and indexes that are made, altered, renamed
// and dropped, rows with a primary and a unique key that refer to each other, savepoints,
// statements that fail and are undone.
//
// What the transactions are follows from a seed alone, and so does what must be there after each. A
// child process runs them and says a byte after each acknowledged one; the parent, which never
// opens the database, kills it. The next child first holds what it finds against the model: it must
// be what the last acknowledged transaction left, or the one after it. CHECK DATABASE holds every
// index against its table, and the checkpoints that happen meanwhile must change nothing.
//
// TREFOIL_CRASH_SEED is where it begins, TREFOIL_CRASH_ROUNDS how often it kills.

#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "storage/storage_testing.h"
#include "trefoil/database.h"

namespace trefoil {
namespace {

// --- The model ----------------------------------------------------------------------------------

// Tables have the columns id (primary key), u (unique, may be NULL) and boss (the id of a row, or
// NULL), and numbers that came later, each with the default that its first name says.
struct Table {
    struct Column {
        int64_t number;  // column c7 DEFAULT 7, by index i7
        int64_t name;    // which is c9 by now
    };
    std::vector<Column> added;
    std::set<int64_t> indexed;
    struct Row {
        std::optional<int64_t> u, boss;
        std::map<int64_t, int64_t> values;
    };
    std::map<int64_t, Row> rows;
};
using Model = std::map<std::string, Table>;

std::string text_of(const std::optional<int64_t>& value) {
    return value ? std::to_string(*value) : "NULL";
}

std::string text_of(const Model& model) {
    std::string text;
    for (const auto& [name, table] : model) {
        text += name + ":\n";
        for (int64_t c : table.indexed) text += "i" + std::to_string(c) + "\n";
        for (const auto& [id, row] : table.rows) {
            text += std::to_string(id) + "|" + text_of(row.u) + "|" + text_of(row.boss);
            for (const auto& c : table.added) text += "|" + std::to_string(row.values.at(c.number));
            text += "\n";
        }
    }
    return text;
}

// Random transactions one after the other, and the model after each.
class Script {
public:
    explicit Script(uint64_t seed) : random_(seed) {}

    const Model& model() const { return model_; }

    // The statements of the next transaction; those that begin with '!' must fail. A single one
    // that is not BEGIN runs by itself.
    std::vector<std::string> next() {
        statements_.clear();
        if (one_in(12)) return {"CHECKPOINT"};
        const Model before = model_;
        if (one_in(3)) {
            change();
            return statements_;
        }
        statements_.push_back("BEGIN");
        std::vector<Model> savepoints;
        const uint64_t steps = 1 + random_() % 8;
        for (uint64_t i = 0; i < steps; i++) {
            if (one_in(4)) {
                savepoints.push_back(model_);
                say("SAVEPOINT s" + std::to_string(savepoints.size()));
            }
            change();
            if (!savepoints.empty() && one_in(4)) fail();
            if (!savepoints.empty() && (statements_.back()[0] == '!' || one_in(4))) {
                const size_t to = random_() % savepoints.size();
                model_ = savepoints[to];
                savepoints.resize(to + 1);
                say("ROLLBACK TO s" + std::to_string(to + 1));
            }
        }
        if (one_in(6)) {
            model_ = before;
            say("ROLLBACK");
        } else {
            say("COMMIT");
        }
        return statements_;
    }

private:
    bool one_in(uint64_t n) { return random_() % n == 0; }
    void say(std::string sql) { statements_.push_back(std::move(sql)); }

    std::string any_table() {
        auto at = model_.begin();
        std::advance(at, static_cast<ptrdiff_t>(random_() % model_.size()));
        return at->first;
    }

    void change() {
        if (model_.empty() || (model_.size() < 4 && one_in(15))) return create();
        const std::string name = any_table();
        Table& table = model_[name];
        switch (random_() % 22) {
            case 20:
                return rename_column(name, table);
            case 21:
                return retype(name, table);
            case 0:
                say("DROP TABLE " + name);
                model_.erase(name);
                return;
            case 1:
                return add_column(name, table);
            case 2:
                return rename(name);
            case 3:
                return index(name, table);
            case 4:
                return erase(name, table);
            case 5:
            case 6:
            case 7:
            case 8:
                return update(name, table);
            default:
                return insert(name, table);
        }
    }

    void create() {
        const std::string name = "t" + std::to_string(++names_);
        say("CREATE TABLE " + name + " (id BIGINT PRIMARY KEY, u BIGINT UNIQUE, " +
            "boss BIGINT REFERENCES " + name + " ON DELETE SET NULL)");
        model_[name];
    }

    void add_column(const std::string& name, Table& table) {
        const int64_t column = ++names_;
        const std::string number = std::to_string(column);
        say("ALTER TABLE " + name + " ADD COLUMN c" + number + " BIGINT DEFAULT " + number);
        table.added.push_back({column, column});
        for (auto& [id, row] : table.rows) row.values[column] = column;
    }

    // Makes an index over an added column, or drops it.
    void index(const std::string& name, Table& table) {
        if (table.added.empty()) return add_column(name, table);
        const auto [column, called] = table.added[random_() % table.added.size()];
        const std::string number = std::to_string(column);
        if (table.indexed.erase(column) > 0) return say("DROP INDEX i" + number);
        static const char* const kKeys[] = {"(c", "(u, (abs(c",    "((c",
                                            "(c", "USING hash (c", "(u DESC, c"};
        static const char* const kEnds[] = {")",           ")))",
                                            " * 2 + id))", ") WHERE id % 3 = 0 AND u > 5",
                                            ", id)",       " NULLS FIRST, id DESC)"};
        const uint64_t kind = random_() % 6;
        say("CREATE INDEX i" + number + " ON " + name + " " + kKeys[kind] + std::to_string(called) +
            kEnds[kind]);
        table.indexed.insert(column);
    }

    void rename_column(const std::string& name, Table& table) {
        if (table.added.empty()) return add_column(name, table);
        Table::Column& column = table.added[random_() % table.added.size()];
        const int64_t fresh = ++names_;
        say("ALTER TABLE " + name + " RENAME COLUMN c" + std::to_string(column.name) + " TO c" +
            std::to_string(fresh));
        column.name = fresh;
    }

    // Which looks the same.
    void retype(const std::string& name, const Table& table) {
        std::string column = one_in(2) ? "boss" : "u";
        if (!table.added.empty() && one_in(2)) {
            column = "c" + std::to_string(table.added[random_() % table.added.size()].name);
        }
        const bool decimal = column != "boss" && one_in(2);
        say("ALTER TABLE " + name + " ALTER COLUMN " + column + " TYPE " +
            (decimal ? "DECIMAL(20, 0)" : "BIGINT") + " USING " + column);
    }

    void rename(const std::string& name) {
        const std::string fresh = "t" + std::to_string(++names_);
        say("ALTER TABLE " + name + " RENAME TO " + fresh);
        model_[fresh] = std::move(model_[name]);
        model_.erase(name);
    }

    void erase(const std::string& name, Table& table) {
        const auto from = static_cast<int64_t>(random_() % 400);
        say("DELETE FROM " + name + " WHERE id BETWEEN " + std::to_string(from) + " AND " +
            std::to_string(from + 20));
        table.rows.erase(table.rows.lower_bound(from), table.rows.upper_bound(from + 20));
        for (auto& [id, row] : table.rows) {
            if (row.boss >= from && row.boss <= from + 20) row.boss.reset();
        }
    }

    void update(const std::string& name, Table& table) {
        const auto from = static_cast<int64_t>(random_() % 400);
        const std::string where =
            " WHERE id BETWEEN " + std::to_string(from) + " AND " + std::to_string(from + 9);
        const auto first = table.rows.lower_bound(from), last = table.rows.upper_bound(from + 9);
        if (!table.added.empty() && one_in(2)) {
            const auto [column, called] = table.added[random_() % table.added.size()];
            const std::string c = "c" + std::to_string(called);
            say("UPDATE " + name + " SET " + c + " = " + c + " + id" + where);
            for (auto at = first; at != last; ++at) at->second.values[column] += at->first;
        } else {
            say("UPDATE " + name + " SET u = u + 1000000" + where);
            for (auto at = first; at != last; ++at) {
                if (at->second.u) *at->second.u += 1'000'000;
            }
        }
    }

    void insert(const std::string& name, Table& table) {
        std::string values;
        const uint64_t count = one_in(10) ? 50 : 1 + random_() % 5;
        for (uint64_t i = 0; i < count; i++) {
            const auto id = static_cast<int64_t>(random_() % 400);
            if (table.rows.contains(id)) continue;
            Table::Row row;
            if (!one_in(5)) row.u = static_cast<int64_t>(++names_);
            for (const auto& c : table.added) row.values[c.number] = c.number;
            if (one_in(3)) row.boss = table.rows.empty() ? id : table.rows.begin()->first;
            values += values.empty() ? "(" : ", (";
            values += std::to_string(id) + ", " + text_of(row.u) + ", " + text_of(row.boss) + ")";
            table.rows[id] = std::move(row);
        }
        if (!values.empty()) say("INSERT INTO " + name + " (id, u, boss) VALUES " + values);
    }

    // A key that is there already, or a boss that is not.
    void fail() {
        if (model_.empty()) return;
        const std::string name = any_table();
        if (one_in(2)) return say("!INSERT INTO " + name + " (id, boss) VALUES (1000, 1001)");
        if (model_[name].rows.empty()) return;
        const std::string id = std::to_string(model_[name].rows.begin()->first);
        say("!INSERT INTO " + name + " (id, u) VALUES (1000, NULL), (" + id + ", NULL)");
    }

    std::mt19937_64 random_;
    Model model_;
    std::vector<std::string> statements_;
    int64_t names_ = 0;
};

// --- The child ----------------------------------------------------------------------------------

std::string rows_of(Session& session, const std::string& sql) {
    Rows rows = must(session.execute(sql));
    std::string text;
    for (;;) {
        auto batch = must(rows.next());
        if (!batch) return text;
        for (int64_t r = 0; r < batch->row_count(); r++) {
            for (int32_t c = 0; c < batch->column_count(); c++) {
                text += c > 0 ? "|" : "";
                text += batch->is_null(r, c) ? "NULL" : batch->text(r, c);
            }
            text += "\n";
        }
    }
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    for (size_t at = 0, end; (end = text.find('\n', at)) != std::string::npos; at = end + 1) {
        lines.push_back(text.substr(at, end - at));
    }
    return lines;
}

// What is there, read without indexes, and what CHECK DATABASE finds wrong.
std::string contents(Session& session) {
    std::string text;
    (void)rows_of(session, "SET trefoil.use_indexes = off");
    for (const std::string& name : lines_of(
             rows_of(session,
                     "SELECT table_name FROM information_schema.tables "
                     "WHERE table_schema = 'public' AND table_type = 'BASE TABLE' ORDER BY 1"))) {
        text += name + ":\n" +
                rows_of(session,
                        "SELECT name FROM trefoil_indexes WHERE kind LIKE '%index' AND "
                        "table_name = '" +
                            name + "' ORDER BY length(name), name") +
                rows_of(session, "SELECT * FROM " + name + " ORDER BY id");
    }
    (void)rows_of(session, "SET trefoil.use_indexes = on");
    for (const std::string& line : lines_of(rows_of(session, "CHECK DATABASE"))) {
        if (!line.starts_with("database|ok|")) text += line + "\n";
    }
    return text;
}

// Says '0' or '1' (one transaction further) for what it found, or 'X'; then 'a' after each
// transaction, and 'f' if a statement did what it must not.
void child(const ChildProcess::Say& say, const std::string& directory, Script script,
           Script ahead) {
    Database database = must(Database::open(directory));
    Session session = must(database.connect());
    const std::string found = contents(session);
    if (found == text_of(script.model())) {
        say('0');
    } else if (found == text_of(ahead.model())) {
        say('1');
        script = ahead;
    } else {
        std::cerr << "found\n"
                  << found << "expected\n"
                  << text_of(script.model()) << "or\n"
                  << text_of(ahead.model());
        say('X');
        return;
    }
    for (;;) {
        for (const std::string& sql : script.next()) {
            const bool fails = sql[0] == '!';
            Status done = session.execute(fails ? sql.substr(1) : sql).status();
            if (done.ok() != fails && (!fails || done.sqlstate().starts_with("2350"))) continue;
            std::cerr << sql << "\n" << done.to_string() << "\n";
            say('f');
            return;
        }
        say('a');
    }
}

}  // namespace

TEST_CASE("random transactions are there whole, or not at all, whenever the process is killed") {
    TestDirectory directory;
    const uint64_t seed = setting("TREFOIL_CRASH_SEED", 31);
    const uint64_t rounds = setting("TREFOIL_CRASH_ROUNDS", 15);
    std::mt19937_64 random(seed);
    Script script(seed);
    uint64_t transactions = 0;
    for (uint64_t round = 0; round < rounds; round++) {
        INFO("seed ", seed, ", round ", round);
        Script ahead = script;
        (void)ahead.next();
        ChildProcess process(
            [&](const ChildProcess::Say& say) { child(say, directory / "db", script, ahead); });
        const auto found = process.hear();
        REQUIRE(found.has_value());
        REQUIRE(*found != 'X');
        if (*found == '1') script = ahead;
        const uint64_t life = 1 + random() % 60;
        for (uint64_t i = 0; i < life; i++) {
            const auto heard = process.hear();
            REQUIRE(heard.has_value());
            REQUIRE(*heard == 'a');
            (void)script.next();
            transactions++;
        }
        ::usleep(static_cast<useconds_t>(random() % 3000));
        process.kill();
        while (auto late = process.hear()) {
            REQUIRE(*late == 'a');
            (void)script.next();
            transactions++;
        }
    }
    CHECK(transactions >= rounds);
}

}  // namespace trefoil
