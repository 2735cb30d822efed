// Several sessions of one database, whose statements may have to wait for each other.
//
//     World world("REPEATABLE READ");
//     Client &t1 = world.client(), &t2 = world.client();
//     t1("UPDATE t SET v = 1");          // its answer, as text: "UPDATE 1", "10,20", "ERROR 40001"
//     t2("UPDATE t SET v = 2");          // "waits": it stands in line for a lock
//     t1("COMMIT");
//     t2.answer();                       // the answer, now that it has come
//
// Whether a statement waits is asked of trefoil_locks, not of a clock.

#pragma once

#include <chrono>
#include <cstdlib>
#include <future>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "trefoil/database.h"

namespace trefoil {

template <typename T>
T must(Result<T> result) {
    if (result.ok()) return std::move(*result);
    std::cerr << result.status().to_string() << "\n";
    std::abort();
}

// Rows by commas, fields by colons; or the tag; or the error's SQLSTATE.
inline std::string ask(Session& session, const std::string& sql) {
    auto rows = session.execute(sql);
    if (!rows.ok()) return "ERROR " + std::string(rows.status().sqlstate());
    if (rows->columns().empty()) return rows->tag();
    std::string text;
    for (;;) {
        auto batch = rows->next();
        if (!batch.ok()) return "ERROR " + std::string(batch.status().sqlstate());
        if (!batch->has_value()) return text;
        for (int64_t r = 0; r < (*batch)->row_count(); r++) {
            if (!text.empty()) text += ',';
            for (int32_t c = 0; c < (*batch)->column_count(); c++) {
                if (c > 0) text += ':';
                text += (*batch)->is_null(r, c) ? "NULL" : (*batch)->text(r, c);
            }
        }
    }
}

class World;

class Client {
public:
    Client(World& world, Session session) : world_(world), session_(std::move(session)) {}
    ~Client() {
        if (pending_.valid()) session_.cancel();
    }

    // The answer, or "waits".
    std::string operator()(const std::string& sql);
    // Of the statement that waited.
    std::string answer() { return pending_.get(); }
    Session& session() { return session_; }

private:
    World& world_;
    Session session_;
    std::future<std::string> pending_;
};

class World {
public:
    World() : database_(must(Database::open(":memory:"))), observer_(must(database_.connect())) {}

    Client& client() {
        clients_.push_back(std::make_unique<Client>(*this, must(database_.connect())));
        return *clients_.back();
    }
    std::string operator()(const std::string& sql) { return ask(observer_, sql); }
    int waiting() {
        return std::stoi(ask(observer_, "SELECT count(*) FROM trefoil_locks WHERE NOT granted"));
    }
    Database& database() { return database_; }

private:
    Database database_;
    Session observer_;
    std::vector<std::unique_ptr<Client>> clients_;
};

inline std::string Client::operator()(const std::string& sql) {
    const int waiting = world_.waiting();
    pending_ = std::async(std::launch::async, [this, sql] { return ask(session_, sql); });
    for (;;) {
        if (pending_.wait_for(std::chrono::milliseconds(1)) == std::future_status::ready) {
            return pending_.get();
        }
        if (world_.waiting() > waiting) return "waits";
    }
}

}  // namespace trefoil
