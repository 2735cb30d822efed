// What the tests of this room share: a directory that goes with the test, the table person
// (id BIGINT, name TEXT, key id), and short ways to change and read it.

#pragma once

// Before doctest, whose CHECK is the one that tests mean.
#include "table/table_store.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "arrow/builder.h"
#include "arrow/value.h"

namespace trefoil::table {

// A database directory that goes with the test.
struct Directory {
    Directory() {
        path =
            std::filesystem::temp_directory_path() /
            ("trefoil_table_test_" + std::to_string(getpid()) + "_" + std::to_string(counter()++));
        std::filesystem::remove_all(path);
    }
    ~Directory() { std::filesystem::remove_all(path); }
    static int& counter() {
        static int n = 0;
        return n;
    }
    std::unique_ptr<TableStore> open(TableStoreOptions options = {}) {
        auto store = Store::open(vfs, path.string(), {.create_if_missing = true});
        REQUIRE_MESSAGE(store.ok(), store.status().to_string());
        auto tables = TableStore::open(std::move(*store), options);
        REQUIRE_MESSAGE(tables.ok(), tables.status().to_string());
        return std::move(*tables);
    }
    PosixVfs vfs;
    std::filesystem::path path;
};

#define REQUIRE_OK(expression)                      \
    do {                                            \
        ::trefoil::Status ok_ = (expression);       \
        REQUIRE_MESSAGE(ok_.ok(), ok_.to_string()); \
    } while (0)

inline catalog::TableDef person() {
    catalog::TableDef t;
    t.name = "person";
    t.columns.push_back({0, "id", arrow::int64(), {}, false, {}});
    t.columns.push_back({0, "name", arrow::utf8_view(), {}, false, {}});
    t.indexes.push_back({0, "person_pkey", {0}, true, true, true});
    return t;
}

inline void create_person(TableStore& store) {
    auto txn = store.begin();
    REQUIRE_OK(txn.status());
    REQUIRE_OK(txn->create_table(person()));
    REQUIRE_OK(store.commit(*txn));
}

inline std::string name_of(int64_t id, int64_t generation) {
    return "name of person " + std::to_string(id) + ", generation " + std::to_string(generation);
}

inline arrow::Batch rows_of(const catalog::TablePtr& table, std::span<const int64_t> ids,
                            int64_t generation) {
    arrow::ColumnBuilder id(arrow::int64()), name(arrow::utf8_view());
    for (int64_t i : ids) {
        id.append_int64(i);
        if (i % 10 == 9) {
            name.append_null();
        } else {
            name.append_bytes(name_of(i, generation));
        }
    }
    return {table->schema(), static_cast<int64_t>(ids.size()), {id.finish(), name.finish()}};
}

inline Result<uint64_t> insert(Transaction& txn, std::span<const int64_t> ids,
                               int64_t generation = 0) {
    catalog::TablePtr table = txn.view()->catalog->find("person");
    TableWriter writer(txn, table);
    RETURN_IF_ERROR(writer.insert(rows_of(table, ids, generation)));
    return writer.finish();
}

inline std::optional<Location> find(const TableVersion& table, int64_t id) {
    index::IndexCounters counters;
    std::vector<Value> key = {Value(id)};
    auto at = table.find_key(0, table.key_encoder()->encode(key), counters);
    REQUIRE_OK(at.status());
    return *at;
}

inline uint64_t row_id(const TableVersion& table, int64_t id) {
    auto at = find(table, id);
    REQUIRE(at);
    return table.part(at->part).chunk->row_ids().at(at->row);
}

inline arrow::Array row_ids_of(const Transaction& txn, std::span<const int64_t> ids) {
    arrow::ColumnBuilder out(arrow::uint64());
    for (int64_t id : ids) {
        out.append_int64(static_cast<int64_t>(row_id(*txn.view()->find("person"), id)));
    }
    return out.finish();
}

inline Result<uint64_t> update(Transaction& txn, std::span<const int64_t> ids, int64_t generation) {
    catalog::TablePtr table = txn.view()->catalog->find("person");
    TableWriter writer(txn, table);
    RETURN_IF_ERROR(writer.update(row_ids_of(txn, ids), rows_of(table, ids, generation).columns));
    return writer.finish();
}

inline Result<uint64_t> erase(Transaction& txn, std::span<const int64_t> ids) {
    catalog::TablePtr table = txn.view()->catalog->find("person");
    TableWriter writer(txn, table);
    RETURN_IF_ERROR(writer.erase(row_ids_of(txn, ids)));
    return writer.finish();
}

// Everything that a version shows: id -> name.
inline std::map<int64_t, std::string> contents(const TableVersion& table) {
    std::map<int64_t, std::string> out;
    for (size_t p = 0; p < table.part_count(); p++) {
        const Part& part = table.part(p);
        auto id = part.chunk->column(0), name = part.chunk->column(1);
        REQUIRE_OK(id.status());
        REQUIRE_OK(name.status());
        for (uint64_t row = 0; row < part.chunk->rows(); row++) {
            if (part.is_dead(row)) continue;
            auto at = static_cast<int64_t>(row);
            std::string text = "NULL";
            if ((*name)->is_valid(at)) text = std::string((*name)->bytes_at(at));
            REQUIRE(out.emplace((*id)->values<int64_t>()[at], text).second);
        }
    }
    REQUIRE(out.size() == table.live_rows());
    return out;
}

inline std::vector<int64_t> sequence(int64_t first, int64_t count) {
    std::vector<int64_t> ids;
    for (int64_t i = 0; i < count; i++) ids.push_back(first + i);
    return ids;
}

using Ids = std::vector<int64_t>;

}  // namespace trefoil::table
