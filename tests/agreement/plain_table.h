// PlainTable: rows in a vector as a CustomTable, with indexes that are as simple as can be.
//
// What the tests of custom tables ask. An index walks over all of its entries and says of each
// whether it was asked for: slow, and easily seen to be right. How rows and keys come out, in one
// batch or in many with empty ones between, can be chosen.

#pragma once

#include <atomic>
#include <cmath>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "trefoil/database.h"

namespace trefoil {

using PlainRow = std::vector<Value>;

// How a stream hands out its rows.
struct Manner {
    size_t rows_per_call = 1000;
    size_t empty_calls = 0;  // before each call that has some
};

// A stream of these rows.
inline RowStream stream_of(std::vector<PlainRow> rows, const Manner& manner) {
    struct State {
        std::vector<PlainRow> rows;
        size_t at = 0, calls = 0;
    };
    auto state = std::make_shared<State>(State{std::move(rows)});
    return [state, manner](RowSink& sink) -> Result<bool> {
        if (state->calls++ % (manner.empty_calls + 1) != manner.empty_calls) return true;
        for (size_t i = 0; i < manner.rows_per_call && state->at < state->rows.size(); i++) {
            sink.append_row(state->rows[state->at++]);
        }
        return state->at < state->rows.size();
    };
}

// In the order of SQL, NULL last and NaN before it. Numbers with numbers, text with text.
inline bool less(const Value& a, const Value& b) {
    if (a.is_null() || b.is_null()) return !a.is_null();
    if (const std::string* text = a.get_if<std::string>()) return *text < *b.get_if<std::string>();
    auto number = [](const Value& v) {
        const double* d = v.get_if<double>();
        return d ? *d : static_cast<double>(*v.get_if<int64_t>());
    };
    const double x = number(a), y = number(b);
    return x < y || (!std::isnan(x) && std::isnan(y));
}
inline bool equal(const Value& a, const Value& b) {
    return a.is_null() == b.is_null() && (a.is_null() || (!less(a, b) && !less(b, a)));
}

inline bool contains(const IndexRange& range, const PlainRow& key) {
    for (size_t i = 0; i < range.equal.size(); i++) {
        if (!equal(range.equal[i], key[i])) return false;
    }
    if (!range.bounded) return true;
    const Value& v = key[range.equal.size()];
    if (v.is_null()) return false;
    if (range.low && (range.low_inclusive ? less(v, *range.low) : !less(*range.low, v))) {
        return false;
    }
    return !range.high || (range.high_inclusive ? !less(*range.high, v) : less(v, *range.high));
}

class PlainTable : public CustomTable {
public:
    std::vector<CustomColumn> the_columns;
    std::vector<std::string> the_key;
    std::vector<PlainRow> rows;
    std::vector<std::shared_ptr<const CustomIndex>> the_indexes;
    Manner manner;
    double cost = 4;
    mutable std::atomic<uint64_t> scans{0}, fetches{0}, keys_fetched{0};

    size_t column(const std::string& name) const {
        for (size_t i = 0; i < the_columns.size(); i++) {
            if (the_columns[i].name == name) return i;
        }
        return the_columns.size();
    }

    std::vector<CustomColumn> columns() const override { return the_columns; }
    std::vector<std::string> key() const override { return the_key; }
    std::vector<std::shared_ptr<const CustomIndex>> indexes() const override { return the_indexes; }
    std::optional<double> row_count() const override { return static_cast<double>(rows.size()); }
    double fetch_cost() const override { return cost; }

    Result<RowStream> scan(const std::vector<uint32_t>& columns) const override {
        scans++;
        std::vector<PlainRow> picked;
        for (const PlainRow& row : rows) picked.push_back(pick(row, columns));
        return stream_of(std::move(picked), manner);
    }

    Result<RowStream> fetch(const KeyBatch& keys,
                            const std::vector<uint32_t>& columns) const override {
        fetches++;
        keys_fetched += keys.size();
        std::map<std::string, const PlainRow*> by_key;
        for (const PlainRow& row : rows) {
            std::string text;
            for (const std::string& c : the_key) text += row[column(c)].to_string() + "\n";
            by_key.emplace(text, &row);
        }
        std::vector<PlainRow> picked;
        for (uint64_t i = 0; i < keys.size(); i++) {
            std::string text;
            for (uint32_t c = 0; c < the_key.size(); c++) {
                text += keys.value(i, c).to_string() + "\n";
            }
            auto it = by_key.find(text);
            if (it != by_key.end()) picked.push_back(pick(*it->second, columns));
        }
        // In no order that anybody asked for.
        if (picked.size() > 2) std::swap(picked.front(), picked.back());
        return stream_of(std::move(picked), manner);
    }

    static PlainRow pick(const PlainRow& row, const std::vector<uint32_t>& columns) {
        PlainRow out;
        for (uint32_t c : columns) out.push_back(row[c]);
        return out;
    }
};

// Any kind of index over some columns of a PlainTable.
class PlainIndex : public CustomIndex {
public:
    PlainIndex(const PlainTable& table, std::string name, std::vector<std::string> columns,
               IndexKind kind = IndexKind::kOrdered)
        : table_(table), name_(std::move(name)), columns_(std::move(columns)), kind_(kind) {}

    bool nulls = true;
    IndexAnswer answer = IndexAnswer::kExact;
    size_t repeat = 1;  // each key comes so many times
    mutable std::atomic<uint64_t> requests{0};

    std::string name() const override { return name_; }
    std::vector<std::string> columns() const override { return columns_; }
    IndexKind kind() const override { return kind_; }
    bool holds_nulls() const override { return nulls; }
    IndexAnswer answers_ranges() const override { return answer; }
    // LIKE '%x%' by one letter of it: exact for no other pattern.
    IndexAnswer answers(const IndexCondition& condition) const override {
        return condition.op == IndexCondition::Operator::kLike ? IndexAnswer::kInexact
                                                               : IndexAnswer::kNone;
    }
    std::optional<double> estimate(const IndexRequest& request) const override {
        return static_cast<double>(find(request).size());
    }
    Result<RowStream> scan(const IndexRequest& request) const override {
        requests++;
        return stream_of(find(request), table_.manner);
    }

protected:
    std::vector<PlainRow> find(const IndexRequest& request) const {
        std::vector<PlainRow> keys;
        for (const PlainRow& row : table_.rows) {
            if (!matches(request, row)) continue;
            PlainRow key;
            for (const std::string& c : table_.the_key) key.push_back(row[table_.column(c)]);
            for (size_t i = 0; i < repeat; i++) keys.push_back(key);
        }
        return keys;
    }

private:
    bool matches(const IndexRequest& request, const PlainRow& row) const {
        PlainRow key;
        for (const std::string& c : columns_) key.push_back(row[table_.column(c)]);
        for (const Value& v : key) {
            if (v.is_null() && !nulls) return false;
        }
        for (const IndexRange& range : request.ranges) {
            if (contains(range, key)) return true;
        }
        for (const IndexCondition& condition : request.conditions) {
            const Value& text = row[table_.column(condition.column)];
            const std::string& pattern = *condition.values[0].get_if<std::string>();
            const size_t letter = pattern.find_first_not_of("%_\\");
            if (text.is_null()) return false;
            if (letter == std::string::npos || pattern.find('\\') != std::string::npos) continue;
            if (text.get_if<std::string>()->find(pattern[letter]) == std::string::npos) {
                return false;
            }
        }
        return !request.conditions.empty();
    }

    const PlainTable& table_;
    std::string name_;
    std::vector<std::string> columns_;
    IndexKind kind_;
};

// The employees of the examples, with an ordered index on age and a hash index on department.
inline std::shared_ptr<PlainTable> plain_employees(bool with_nulls = false) {
    auto t = std::make_shared<PlainTable>();
    t->the_columns = {
        {"id", "INT", false}, {"name", "TEXT"}, {"age", "INT"}, {"department", "TEXT"}};
    t->the_key = {"id"};
    t->rows = {{1, "Alice", 25, "Engineering"},
               {2, "Bob", 30, "Sales"},
               {3, "Charlie", 35, "Marketing"},
               {4, "David", 28, "Engineering"},
               {5, "Eve", 32, "Sales"}};
    if (with_nulls) {
        t->rows.push_back({6, "Faythe", nullptr, "Sales"});
        t->rows.push_back({7, "Grace", 25, nullptr});
        t->rows.push_back({8, nullptr, nullptr, nullptr});
    }
    t->the_indexes = {
        std::make_shared<PlainIndex>(*t, "age_idx", std::vector<std::string>{"age"}),
        std::make_shared<PlainIndex>(*t, "department_idx", std::vector<std::string>{"department"},
                                     IndexKind::kHash)};
    return t;
}

// The same people under a key of two columns.
inline std::shared_ptr<PlainTable> plain_staff() {
    auto t = std::make_shared<PlainTable>();
    t->the_columns = {{"tenant_id", "TEXT"},
                      {"employee_id", "INT"},
                      {"name", "TEXT"},
                      {"age", "INT"},
                      {"department", "TEXT"}};
    t->the_key = {"tenant_id", "employee_id"};
    t->rows = {{"acme", 1, "Alice", 25, "Engineering"},
               {"acme", 2, "Bob", 30, "Sales"},
               {"acme", 3, "Charlie", 35, "Marketing"},
               {"globex", 1, "David", 28, "Engineering"},
               {"globex", 2, "Eve", 32, "Sales"}};
    t->the_indexes = {
        std::make_shared<PlainIndex>(*t, "age_idx", std::vector<std::string>{"age"}),
        std::make_shared<PlainIndex>(*t, "department_idx", std::vector<std::string>{"department"},
                                     IndexKind::kHash)};
    return t;
}

}  // namespace trefoil
