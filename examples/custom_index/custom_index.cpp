// A table of the program's own, in plain memory, with an ordered index on age and a hash index on
// department. SQL finds employees through both, joins them with a stored table, and nothing is
// copied into the database.

#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "trefoil/database.h"

using trefoil::CustomColumn;
using trefoil::CustomIndex;
using trefoil::CustomTable;
using trefoil::Database;
using trefoil::IndexKind;
using trefoil::IndexRange;
using trefoil::IndexRequest;
using trefoil::KeyBatch;
using trefoil::Result;
using trefoil::RowSink;
using trefoil::RowStream;
using trefoil::Session;
using trefoil::Status;
using trefoil::Value;

namespace {

struct Employee {
    int id;
    std::string name;
    int age;
    std::string department;
};

// A stream of the keys of some employees.
RowStream keys_of(std::vector<int> ids) {
    return [ids](RowSink& keys) -> Result<bool> {
        for (int id : ids) keys.append_int64(0, id);
        return false;
    };
}

// What people are asked by their age: a sorted map has every range side by side.
class AgeIndex : public CustomIndex {
public:
    explicit AgeIndex(const std::vector<Employee>& all) {
        for (const Employee& e : all) ids_.emplace(e.age, e.id);
    }
    std::string name() const override { return "age_idx"; }
    std::vector<std::string> columns() const override { return {"age"}; }
    std::optional<double> estimate(const IndexRequest& request) const override {
        return static_cast<double>(find(request).size());
    }
    Result<RowStream> scan(const IndexRequest& request) const override {
        return keys_of(find(request));
    }

private:
    std::vector<int> find(const IndexRequest& request) const {
        std::vector<int> found;
        for (const IndexRange& range : request.ranges) {
            auto begin = ids_.begin(), end = ids_.end();
            if (!range.bounded) {  // age = x; nobody here has no age
                if (range.equal[0].is_null()) continue;
                std::tie(begin, end) = ids_.equal_range(*range.equal[0].get_if<int64_t>());
            }
            if (range.low) {
                const int64_t low = *range.low->get_if<int64_t>();
                begin = range.low_inclusive ? ids_.lower_bound(low) : ids_.upper_bound(low);
            }
            if (range.high) {
                const int64_t high = *range.high->get_if<int64_t>();
                end = range.high_inclusive ? ids_.upper_bound(high) : ids_.lower_bound(high);
            }
            for (auto it = begin; it != end; ++it) found.push_back(it->second);
        }
        return found;
    }

    std::multimap<int64_t, int> ids_;
};

// Departments are only ever compared for equality: a hash table will do.
class DepartmentIndex : public CustomIndex {
public:
    explicit DepartmentIndex(const std::vector<Employee>& all) {
        for (const Employee& e : all) ids_[e.department].push_back(e.id);
    }
    std::string name() const override { return "department_idx"; }
    std::vector<std::string> columns() const override { return {"department"}; }
    IndexKind kind() const override { return IndexKind::kHash; }
    Result<RowStream> scan(const IndexRequest& request) const override {
        std::vector<int> found;
        for (const IndexRange& range : request.ranges) {
            const std::string* department = range.equal[0].get_if<std::string>();
            auto it = department ? ids_.find(*department) : ids_.end();
            if (it != ids_.end()) found.insert(found.end(), it->second.begin(), it->second.end());
        }
        return keys_of(std::move(found));
    }

private:
    std::unordered_map<std::string, std::vector<int>> ids_;
};

class Employees : public CustomTable {
public:
    explicit Employees(std::vector<Employee> all) : all_(std::move(all)) {
        indexes_ = {std::make_shared<AgeIndex>(all_), std::make_shared<DepartmentIndex>(all_)};
        for (size_t i = 0; i < all_.size(); i++) by_id_[all_[i].id] = i;
    }
    std::vector<CustomColumn> columns() const override {
        return {{"id", "INTEGER"}, {"name", "TEXT"}, {"age", "INTEGER"}, {"department", "TEXT"}};
    }
    std::vector<std::string> key() const override { return {"id"}; }
    std::vector<std::shared_ptr<const CustomIndex>> indexes() const override { return indexes_; }
    std::optional<double> row_count() const override { return static_cast<double>(all_.size()); }

    Result<RowStream> scan(const std::vector<uint32_t>& columns) const override {
        return RowStream([this, columns](RowSink& rows) -> Result<bool> {
            for (const Employee& e : all_) append(e, columns, rows);
            return false;
        });
    }
    Result<RowStream> fetch(const KeyBatch& keys,
                            const std::vector<uint32_t>& columns) const override {
        return RowStream([this, &keys, columns](RowSink& rows) -> Result<bool> {
            for (uint64_t i = 0; i < keys.size(); i++) {
                auto it = by_id_.find(static_cast<int>(keys.int64(i)));
                if (it != by_id_.end()) append(all_[it->second], columns, rows);
            }
            return false;
        });
    }

private:
    static void append(const Employee& e, const std::vector<uint32_t>& columns, RowSink& rows) {
        for (uint32_t i = 0; i < columns.size(); i++) {
            switch (columns[i]) {
                case 0:
                    rows.append_int64(i, e.id);
                    break;
                case 1:
                    rows.append_text(i, e.name);
                    break;
                case 2:
                    rows.append_int64(i, e.age);
                    break;
                default:
                    rows.append_text(i, e.department);
            }
        }
        if (columns.empty()) rows.append_rows(1);
    }

    std::vector<Employee> all_;
    std::vector<std::shared_ptr<const CustomIndex>> indexes_;
    std::unordered_map<int, size_t> by_id_;
};

// Prints the answer, and answers how many rows it has.
Result<int64_t> show(Session& session, const std::string& sql) {
    std::cout << "> " << sql << "\n";
    auto rows = session.execute(sql);
    if (!rows.ok()) return rows.status();
    int64_t count = 0;
    for (;;) {
        auto batch = rows->next();
        if (!batch.ok()) return batch.status();
        if (!batch->has_value()) return count;
        for (int64_t r = 0; r < (*batch)->row_count(); r++) {
            std::cout << " ";
            for (int32_t c = 0; c < (*batch)->column_count(); c++) {
                std::cout << " " << (*batch)->text(r, c);
            }
            std::cout << "\n";
            count++;
        }
    }
}

Status run() {
    auto database = Database::open("");
    if (!database.ok()) return database.status();
    auto session = database->connect();
    if (!session.ok()) return session.status();

    auto employees = std::make_shared<Employees>(std::vector<Employee>{
        {1, "Alice", 25, "Engineering"},
        {2, "Bob", 30, "Sales"},
        {3, "Charlie", 35, "Marketing"},
        {4, "David", 28, "Engineering"},
        {5, "Eve", 32, "Sales"},
    });
    if (Status status = database->register_table("employees", employees); !status.ok()) {
        return status;
    }
    for (const char* sql :
         {"CREATE TABLE bonus (department TEXT PRIMARY KEY, amount INT)",
          "INSERT INTO bonus VALUES ('Sales', 500), ('Engineering', 400), ('Marketing', 300)"}) {
        if (auto done = session->execute(sql); !done.ok()) return done.status();
    }

    struct Question {
        const char* sql;
        int64_t rows;
    };
    const Question questions[] = {
        {"EXPLAIN SELECT name FROM employees WHERE age < 30 AND department = 'Engineering'", 2},
        {"SELECT name FROM employees WHERE age < 30 AND department = 'Engineering'", 2},
        {"EXPLAIN SELECT * FROM employees WHERE age > 30 OR department = 'Engineering'", 2},
        {"SELECT * FROM employees WHERE age > 30 OR department = 'Engineering'", 4},
        {"SELECT * FROM employees WHERE (age = 25 OR age = 30) AND name LIKE '%o%'", 1},
        {"SELECT name, amount FROM employees JOIN bonus USING (department) WHERE age >= 30", 3},
        {"SELECT department, count(*), avg(age) FROM employees GROUP BY department", 3},
    };
    for (const Question& question : questions) {
        auto rows = show(*session, question.sql);
        if (!rows.ok()) return rows.status();
        if (*rows != question.rows) return Status::invalid("that is not the answer");
    }
    return {};
}

}  // namespace

int main() {
    const Status status = run();
    if (!status.ok()) std::cerr << status.to_string() << "\n";
    return status.ok() ? 0 : 1;
}
