// What the trials of this folder have in common: a database in a folder that is opened again and
// again, seeded random numbers, and the stages through which the tables of most of them go.

#pragma once

#include <random>
#include <string>

#include "answers.h"

namespace trefoil {

inline const char* on_off(bool on) {
    return on ? "on" : "off";
}

class TrialDatabase {
protected:
    TrialDatabase() { open(); }

    void open() {
        session_.reset();
        db_.reset();
        db_.emplace(must(Database::open(directory_ / "db", {.threads = 2})));
        session_.emplace(must(db_->connect()));
    }

    // "index_order", true: SET trefoil.index_order = on
    void set(const std::string& name, bool on) {
        run(*session_, "SET trefoil." + name + " = " + on_off(on));
    }

    TestDirectory directory_;
    std::optional<Database> db_;
    std::optional<Session> session_;
};

class SeededTrial : protected TrialDatabase {
protected:
    explicit SeededTrial(uint32_t seed) : random_(seed) {}
    uint32_t below(uint32_t n) { return random_() % n; }

private:
    std::mt19937 random_;
};

// A trial of rows that are in memory, in segments, patched with keys that moved, inside an open
// transaction, and opened again.
class StagedTrial : protected SeededTrial {
public:
    virtual ~StagedTrial() = default;

    void run_all() {
        // Of every ten rows, so many are there at each stage.
        insert(0, rows_ * 6 / 10);
        compare("in memory");
        must(db_->checkpoint());
        compare("in a segment");
        change();
        insert(rows_ * 6 / 10, rows_ * 9 / 10);
        compare("a segment and memory");
        must(db_->checkpoint());
        change();
        compare("patches, and keys that moved");
        run(*session_, "BEGIN");
        insert(rows_ * 9 / 10, rows_);
        change();
        compare("an open transaction");
        run(*session_, "COMMIT");
        open();
        change();
        compare("opened again");
    }

protected:
    StagedTrial(uint32_t seed, int rows) : SeededTrial(seed), rows_(rows) {}

    // The rows with the numbers from .. to - 1.
    virtual void insert(int from, int to) = 0;
    // Changes values of every index, and removes some rows.
    virtual void change() = 0;
    virtual void compare(const std::string& stage) = 0;

private:
    const int rows_;
};

}  // namespace trefoil
