// The primary index against the scan: thousands of generated conditions must select the same rows.
//
// For each kind of key a table is filled and changed until it has rows in segments, rows in memory,
// dead rows, moved keys and keys that came back; each condition is then asked with the index on and
// off, on the access tier and through the engine, with literals and with parameters. Counters prove
// that a condition that the index can serve scans nothing; in a large table, where a scan may be
// cheaper, that most of them scan nothing.
//
// TREFOIL_SEED chooses other conditions, TREFOIL_PREDICATES how many there are per table and stage
// (a quarter of them for a large table).

#include <cstdlib>
#include <functional>
#include <random>
#include <set>

#include "trial.h"

namespace trefoil {
namespace {

using Random = std::mt19937_64;

// A value as SQL text and as a parameter.
struct Literal {
    std::string sql;
    Value value;
    std::string plain = "";  // without the name of its type, if `sql` has it

    const std::string& in_values() const { return plain.empty() ? sql : plain; }
};

std::string quoted(const std::string& text) {
    std::string out = "'";
    for (char c : text) out += c == '\'' ? std::string("''") : std::string(1, c);
    return out + "'";
}

struct KeyColumn {
    std::string type;
    // A value of the column: the same few hundred again and again, so that conditions meet rows.
    std::function<Literal(Random&)> literal;
    bool floating = false;  // ranges without a lower bound do not tell where NaN is
};

Literal integer(int64_t v) {
    return {std::to_string(v), Value(v)};
}

KeyColumn bigint_column() {
    return {"BIGINT", [](Random& random) {
                static const std::vector<int64_t> special = {
                    INT64_MIN, INT64_MIN + 1,       INT64_MAX, INT64_MAX - 1, -1, 0,
                    1,         -4611686018427387904};
                switch (random() % 4) {
                    case 0:
                        return integer(special[random() % special.size()]);
                    case 1:
                        return integer(static_cast<int64_t>(random() % 300) - 150);
                    case 2:
                        return integer(static_cast<int64_t>(random() % 300) * 1000003 - 150000000);
                    default:
                        return integer((static_cast<int64_t>(random() % 100) - 50) << 50);
                }
            }};
}

KeyColumn int_column(int64_t values) {
    return {"INT", [values](Random& random) {
                if (values > 100 && random() % 20 == 0) {
                    return integer(random() % 2 ? INT32_MAX : INT32_MIN);
                }
                return integer(static_cast<int64_t>(random() % values) - values / 4);
            }};
}

KeyColumn text_column(int64_t values) {
    return {"TEXT", [values](Random& random) -> Literal {
                static const std::vector<std::string> special = {"",
                                                                 " ",
                                                                 "a",
                                                                 "A",
                                                                 "ab",
                                                                 "O'Brien",
                                                                 "\xc3\xa9t\xc3\xa9",
                                                                 "zzzzzzzzzzzz",
                                                                 "zzzzzzzzzzzzz",
                                                                 "%",
                                                                 "_",
                                                                 "https://example.org/",
                                                                 "https://example.org"};
                auto n = random() % static_cast<uint64_t>(values);
                std::string text =
                    "https://example.org/a/rather/long/path/" + std::to_string(n % 97);
                switch (random() % 4) {
                    case 0:
                        text = special[random() % special.size()];
                        break;
                    case 1:
                        text = "user:" + std::to_string(n);
                        break;
                    case 2:
                        text += "?page=" + std::to_string(n / 97);
                        break;
                    default:
                        break;
                }
                return {quoted(text), Value(text)};
            }};
}

KeyColumn date_column() {
    return {"DATE", [](Random& random) -> Literal {
                Date date{static_cast<int32_t>(random() % 800) * 37 - 14000};
                std::string text = quoted(Value(date).to_string());
                return {random() % 2 ? "DATE " + text : text, Value(date), text};
            }};
}

KeyColumn timestamp_column() {
    return {"TIMESTAMP", [](Random& random) -> Literal {
                auto n = static_cast<int64_t>(random() % 600) - 200;
                Timestamp at{n * 86399999999 + (random() % 3 ? 0 : 1), false};
                std::string text = quoted(Value(at).to_string());
                return {random() % 2 ? "TIMESTAMP " + text : text, Value(at), text};
            }};
}

KeyColumn uuid_column() {
    return {"UUID", [](Random& random) -> Literal {
                Uuid uuid;
                Random bytes(random() % 500);
                for (uint8_t& b : uuid.bytes) b = static_cast<uint8_t>(bytes());
                if (random() % 3 == 0) std::fill(uuid.bytes.begin(), uuid.bytes.begin() + 12, 0x20);
                return {quoted(Value(uuid).to_string()), Value(uuid)};
            }};
}

KeyColumn decimal_column(const char* type, int32_t scale) {
    return {type, [scale](Random& random) -> Literal {
                Decimal d{static_cast<__int128>(random() % 800) - 300, scale};
                if (random() % 3 == 0) d.unscaled *= 10000019;
                return {Value(d).to_string(), Value(d)};
            }};
}

KeyColumn double_column() {
    return {"DOUBLE",
            [](Random& random) -> Literal {
                static const std::vector<std::string> special = {"1e300", "-1e300", "1e-300", "0.0",
                                                                 "0.1",   "1e15",   "5e-324"};
                if (random() % 8 == 0) {
                    const std::string& text = special[random() % special.size()];
                    return {text, Value(std::strtod(text.c_str(), nullptr))};
                }
                double v = (static_cast<double>(random() % 600) - 200) / 8;
                if (random() % 4 == 0) v = static_cast<double>(static_cast<int64_t>(v));
                return {Value(v).to_string(), Value(v)};
            },
            true};
}

struct Kind {
    std::string name;
    std::vector<KeyColumn> keys;
};

std::vector<Kind> all_kinds() {
    return {{"bigint", {bigint_column()}},
            {"int", {int_column(900)}},
            {"text", {text_column(600)}},
            {"date", {date_column()}},
            {"timestamp", {timestamp_column()}},
            {"uuid", {uuid_column()}},
            {"short decimal", {decimal_column("DECIMAL(12,2)", 2)}},
            {"long decimal", {decimal_column("DECIMAL(30,5)", 5)}},
            {"double", {double_column()}},
            {"text and bigint", {text_column(20), bigint_column()}},
            {"three ints", {int_column(8), int_column(12), int_column(10)}}};
}

// --- Conditions
// -----------------------------------------------------------------------------------------

struct Condition {
    std::string sql;           // with literals
    std::string parametrised;  // with $1, $2, ... instead
    std::vector<Value> parameters;
    bool servable = false;  // the index answers it without a scan
};

class ConditionMaker {
public:
    ConditionMaker(const Kind& kind, Random& random) : kind_(kind), random_(random) {}

    Condition make() {
        Condition c;
        bool servable = tree(2);
        c.sql = std::move(sql_);
        c.parametrised = std::move(parametrised_);
        c.parameters = std::move(parameters_);
        c.servable = servable;
        sql_.clear(), parametrised_.clear(), parameters_.clear();
        return c;
    }

private:
    uint64_t pick(uint64_t n) { return random_() % n; }
    void put(const std::string& text) {
        sql_ += text;
        parametrised_ += text;
    }
    void put(const Literal& literal) {
        sql_ += literal.sql;
        parameters_.push_back(literal.value);
        parametrised_ += "$" + std::to_string(parameters_.size());
    }

    // Appends a condition; true if the index can serve it.
    bool tree(int depth) {
        uint64_t choice = pick(depth > 0 ? 10 : 4);
        if (choice < 3) return key_atom(pick(4) ? 0 : pick(kind_.keys.size()));
        if (choice == 3) return other_atom();
        if (choice == 4) {
            put("NOT (");
            tree(depth - 1);
            put(")");
            return false;
        }
        const bool conjunction = choice < 8;
        put("(");
        bool any = false, all = true;
        const uint64_t children = 2 + pick(2);
        for (uint64_t i = 0; i < children; i++) {
            if (i > 0) put(conjunction ? ") AND (" : ") OR (");
            bool one = tree(depth - 1);
            any |= one;
            all &= one;
        }
        put(")");
        return conjunction ? any : all;
    }

    Literal literal(size_t column) { return kind_.keys[column].literal(random_); }

    bool key_atom(size_t column) {
        const std::string name = "k" + std::to_string(column);
        static const std::vector<std::string> operators = {"=", "<", "<=", ">", ">=", "<>"};
        const bool first = column == 0, floating = kind_.keys[column].floating;
        switch (uint64_t choice = pick(12)) {
            case 0:
                return in_list(name, column) && first;
            case 1: {
                const bool negated = pick(4) == 0;
                put(name + (negated ? " NOT BETWEEN " : " BETWEEN "));
                put(literal(column));
                put(" AND ");
                put(literal(column));
                return first && !negated;
            }
            case 2:
                put(name + (pick(2) ? " IS NULL" : " IS NOT NULL"));
                return false;
            case 3:
            case 4:
                put(name + " = ");
                put(literal(column));
                return first;
            default: {
                const std::string& op = operators[choice % operators.size()];
                const bool reversed = pick(3) == 0;
                const bool below = (op[0] == '<') != reversed;
                if (reversed) {
                    put(literal(column));
                    put(" " + op + " " + name);
                } else {
                    put(name + " " + op + " ");
                    put(literal(column));
                }
                return first && op != "<>" && !(floating && below && op != "=");
            }
        }
    }

    bool in_list(const std::string& name, size_t column) {
        const bool negated = pick(5) == 0;
        put(name + (negated ? " NOT IN (" : " IN ("));
        const uint64_t items = 1 + pick(pick(4) ? 6 : 60);
        for (uint64_t i = 0; i < items; i++) {
            if (i > 0) put(", ");
            put(literal(column));
        }
        put(")");
        return !negated;
    }

    bool other_atom() {
        static const std::vector<std::string> atoms = {
            "v = 3",           "v IS NULL",         "v < 5",
            "v IS NOT NULL",   "v IN (1, 2, 3)",    "w LIKE 'g1%'",
            "w = 'g3'",        "w IS NULL",         "w > 'g5'",
            "w NOT LIKE '%7'", "v BETWEEN 2 AND 6", "v <> 4"};
        put(atoms[pick(atoms.size())]);
        return false;
    }

    const Kind& kind_;
    Random& random_;
    std::string sql_, parametrised_;
    std::vector<Value> parameters_;
};

// --- A table of one kind
// --------------------------------------------------------------------------------

class Trial : TrialDatabase {
public:
    Trial(const Kind& kind, uint64_t seed)
        : kind_(kind), random_(seed), predicates_(setting("TREFOIL_PREDICATES", 40)) {}

    void run_all() {
        create();
        insert(400);
        must(db_->checkpoint());
        change();
        insert(150);
        compare("segments and memory");
        must(db_->checkpoint());
        change();
        compare("patches, and keys that moved");
        run(*session_, "BEGIN");
        insert(60);
        change();
        compare("an open transaction");
        run(*session_, random_() % 2 ? "COMMIT" : "ROLLBACK");
        open();
        change();
        compare("reopened");
    }

    // More rows than a segment holds, loaded at once: the keys are staged in files, and the models
    // of their runs have something to predict. `series` makes the keys from i = 0, 1, ...
    void run_large(const std::string& series) {
        large_ = true;
        predicates_ = std::max<uint64_t>(1, predicates_ / 4);
        create();
        run(*session_, "INSERT INTO t SELECT " + series +
                           ", i % 10, concat('g', i % 20) FROM generate_series(0, 149999) AS s(i)");
        compare("staged segments");
        change();
        compare("staged segments and memory");
        must(db_->checkpoint());
        open();
        compare("staged segments, compacted and reopened");
        CHECK(served_ * 2 > servable_);
    }

    uint64_t asked() const { return asked_; }

private:
    void create() {
        std::string columns, names;
        for (size_t i = 0; i < kind_.keys.size(); i++) {
            std::string name = "k" + std::to_string(i);
            columns += name + " " + kind_.keys[i].type + ", ";
            names += (i ? ", " : "") + name;
        }
        run(*session_,
            "CREATE TABLE t (" + columns + "v INT, w TEXT, PRIMARY KEY (" + names + "))");
    }

    // The keys of all rows, as they are printed.
    std::set<std::string> keys_now() {
        std::string names;
        for (size_t i = 0; i < kind_.keys.size(); i++)
            names += (i ? ", k" : "k") + std::to_string(i);
        const std::vector<std::string> rows = run(*session_, "SELECT " + names + " FROM t").rows;
        return {rows.begin(), rows.end()};
    }

    // A key that is not in `taken`, and is then.
    std::optional<std::vector<Literal>> fresh_key(std::set<std::string>& taken) {
        for (int attempt = 0; attempt < 30; attempt++) {
            std::vector<Literal> key;
            std::string printed;
            for (const KeyColumn& column : kind_.keys) {
                key.push_back(column.literal(random_));
                printed += key.back().value.to_string() + "|";
            }
            if (taken.insert(printed).second) return key;
        }
        return std::nullopt;
    }

    // At most so many rows, with keys that are not there yet.
    void insert(int rows) {
        std::set<std::string> taken = keys_now();
        std::string values;
        for (int i = 0; i < rows; i++) {
            auto key = fresh_key(taken);
            if (!key) break;
            values += values.empty() ? "(" : ", (";
            for (const Literal& l : *key) values += l.in_values() + ", ";
            values += number_or_null() + ", " + name_or_null() + ")";
        }
        if (!values.empty()) run(*session_, "INSERT INTO t VALUES " + values);
    }

    std::string number_or_null() { return random_() % 6 ? std::to_string(random_() % 10) : "NULL"; }
    std::string name_or_null() {
        return random_() % 6 ? "'g" + std::to_string(random_() % 20) + "'" : "NULL";
    }

    // Updates, deletes, moves of keys, and keys that come back.
    void change() {
        const std::string n = std::to_string(random_() % 10);
        run(*session_, "UPDATE t SET v = v + 1, w = 'g" + n + "' WHERE v = " + n);
        run(*session_, "DELETE FROM t WHERE w = 'g" + std::to_string(random_() % 20) + "'");
        std::set<std::string> taken = keys_now();
        for (int i = 0; i < 4; i++) {
            auto to = fresh_key(taken);
            if (!to) break;
            std::string set;
            for (size_t k = 0; k < to->size(); k++) {
                set += (k ? ", k" : "k") + std::to_string(k) + " = " + (*to)[k].sql;
            }
            const std::string where = " WHERE k0 = " + kind_.keys[0].literal(random_).sql;
            if (number(*session_, "SELECT count(*) FROM t" + where) == 1) {
                run(*session_, "UPDATE t SET " + set + where);
            }
        }
        insert(30);  // among them keys that were deleted
    }

    // Asks the same in every way.
    void compare(const std::string& stage) {
        CAPTURE(kind_.name);
        CAPTURE(stage);
        ConditionMaker maker(kind_, random_);
        uint64_t matching = 0;
        for (uint64_t i = 0; i < predicates_; i++) {
            Condition condition = maker.make();
            matching += compare_one(condition) > 0;
            asked_++;
        }
        CHECK(matching > predicates_ / 4);  // otherwise the conditions are no test
    }

    size_t compare_one(const Condition& condition) {
        const std::string sql = "SELECT * FROM t WHERE " + condition.sql;
        INFO(sql);
        set("fast_path", false);
        set("use_indexes", false);
        Answer truth = ask(*session_, sql);
        REQUIRE_MESSAGE(truth.ok(), truth.status.to_string());
        set("fast_path", true);
        check_same(truth, ask(*session_, sql), "scan on the access tier");
        set("use_indexes", true);
        const TableStats before = stats_of(*session_, "t");
        check_same(truth, ask(*session_, sql), "index on the access tier");
        const std::string with_parameters = "SELECT * FROM t WHERE " + condition.parametrised;
        check_same(truth, ask(*session_, with_parameters, condition.parameters), "with parameters");
        set("fast_path", false);
        check_same(truth, ask(*session_, sql), "index under the engine");
        if (condition.servable) {
            const TableStats after = stats_of(*session_, "t");
            const bool scanned = after.scans != before.scans;
            servable_++;
            if (!scanned) served_++;
            if (!large_) CHECK_MESSAGE(!scanned, "the table was scanned");
            if (!scanned && !truth.rows.empty()) CHECK(after.searches > before.searches);
        }
        if (asked_ % 4 == 0) {
            check_same(truth, ask(*session_, with_parameters, condition.parameters),
                       "with parameters under the engine");
        }
        return truth.rows.size();
    }

    static void check_same(const Answer& truth, const Answer& other, const char* how) {
        CAPTURE(how);
        CHECK_MESSAGE(other.ok(), other.status.to_string());
        if (!other.ok()) return;
        CHECK(other.rows == truth.rows);
        CHECK(other.shape() == truth.shape());
    }

    const Kind& kind_;
    Random random_;
    uint64_t predicates_;
    uint64_t asked_ = 0;
    bool large_ = false;                  // the planner may find a scan cheaper
    uint64_t servable_ = 0, served_ = 0;  // conditions: the index can answer them, and did
};

TEST_CASE("the index selects what a scan selects, for every kind of key") {
    const uint64_t seed = setting("TREFOIL_SEED", 11);
    CAPTURE(seed);
    for (const Kind& kind : all_kinds()) {
        CAPTURE(kind.name);
        Trial trial(kind, seed);
        trial.run_all();
        MESSAGE(kind.name << ": " << trial.asked() << " conditions");
    }
}

TEST_CASE("the index selects what a scan selects, in a large table") {
    const uint64_t seed = setting("TREFOIL_SEED", 11);
    CAPTURE(seed);
    const std::vector<Kind> kinds = all_kinds();
    auto kind_named = [&](const char* name) -> const Kind& {
        return *std::find_if(kinds.begin(), kinds.end(),
                             [&](const Kind& kind) { return kind.name == name; });
    };
    Trial sparse(kind_named("bigint"), seed);
    sparse.run_large("i * 1000003 - 150000000");
    Trial composite(kind_named("text and bigint"), seed);
    composite.run_large("concat('user:', i % 20), i / 20 - 150");
}

TEST_CASE("NaN and zeros of floating-point keys are found as a scan finds them") {
    Database db = must(Database::open(":memory:"));
    Session session = must(db.connect());
    run(session, "CREATE TABLE f (k DOUBLE PRIMARY KEY, v INT)");
    run(session,
        "INSERT INTO f VALUES (-0.0, 1), (1.5, 2), ('NaN'::DOUBLE, 3), ('Infinity'::DOUBLE, 4), "
        "('-Infinity'::DOUBLE, 5), (-2.5, 6)");
    for (bool flushed : {false, true}) {
        if (flushed) must(db.checkpoint());
        for (const char* condition :
             {"k = 0.0", "k = -0.0", "k = 0", "k < 0", "k <= 0.0", "k > 0", "k >= -0.0",
              "k = 'NaN'::DOUBLE", "k > 1e308", "k < 'NaN'::DOUBLE", "k >= 'NaN'::DOUBLE",
              "k <> 'NaN'::DOUBLE", "k BETWEEN -2.5 AND 0", "k IN (0.0, 1.5, 'NaN'::DOUBLE)",
              "k < 'Infinity'::DOUBLE", "k >= 'Infinity'::DOUBLE", "NOT (k < 1.5)"}) {
            const std::string sql = std::string("SELECT * FROM f WHERE ") + condition;
            INFO(sql);
            std::vector<std::vector<std::string>> answers;
            for (const char* indexes : {"off", "on"}) {
                for (const char* fast : {"off", "on"}) {
                    run(session, std::string("SET trefoil.use_indexes = ") + indexes);
                    run(session, std::string("SET trefoil.fast_path = ") + fast);
                    answers.push_back(run(session, sql).rows);
                }
            }
            for (const auto& rows : answers) CHECK(rows == answers[0]);
        }
    }
}

}  // namespace
}  // namespace trefoil
