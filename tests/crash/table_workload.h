// One workload over a TableStore, and what must be there after each of its commits.
//
//     run_steps(vfs, path, options, 0, [&](int steps) { acknowledged = steps; });
//     ... the world below fails, or loses its power ...
//     problem_at(path, acknowledged)         "" if nothing is lost and nothing came from nowhere
//
// Table a (id BIGINT, name TEXT, key id) is inserted into, updated (also its keys), deleted from,
// flushed, compacted; it gets an index over an expression, and loses it; table b (id BIGINT, key
// id) takes one insert of more rows than fit a segment, which is staged in files before its commit,
// and is dropped again. The state after step n is known beforehand, so a store that was interrupted
// in step n + 1 must hold state n or n + 1.

#pragma once

#include <functional>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "arrow/builder.h"
#include "base/hash.h"
#include "storage/storage_testing.h"
#include "table/check.h"
#include "table/remainders_testing.h"
#include "table/table_store.h"

namespace trefoil::table {

// What a table holds, in short: the order of rows does not matter.
struct Digest {
    uint64_t rows = 0, sum = 0;
    void add(int64_t id, std::string_view name) {
        rows++;
        sum += hash_u64(static_cast<uint64_t>(id)) * 31 + hash_bytes(name);
    }
    bool operator==(const Digest&) const = default;
};
using Contents = std::map<std::string, Digest>;  // of all tables, by name

// The tables as a std::map: what the workload must have made.
class Model {
public:
    std::map<int64_t, std::string> a;
    std::set<int64_t> b;
    bool has_a = false, has_b = false, has_index = false;

    Contents contents() const {
        Contents out;
        if (has_a) {
            for (const auto& [id, name] : a) {
                out["a"].add(id, name);
                if (has_index) out["a, computed"].add(id % 7, "");
            }
            out["a"];
        }
        if (has_b) {
            for (int64_t id : b) out["b"].add(id, "");
            out["b"];
        }
        return out;
    }
};

inline catalog::TableDef table_a() {
    catalog::TableDef t;
    t.name = "a";
    t.columns.push_back({0, "id", arrow::int64(), {}, true, {}});
    t.columns.push_back({0, "name", arrow::utf8_view(), {}, false, {}});
    t.indexes.push_back({0, "", {0}, true, true, true});
    return t;
}
inline catalog::TableDef table_b() {
    catalog::TableDef t;
    t.name = "b";
    t.columns.push_back({0, "id", arrow::int64(), {}, true, {}});
    t.indexes.push_back({0, "", {0}, true, true, true});
    return t;
}

inline std::vector<int64_t> sequence(int64_t first, int64_t count, int64_t step = 1) {
    std::vector<int64_t> ids;
    for (int64_t i = 0; i < count; i++) ids.push_back(first + i * step);
    return ids;
}
inline std::string name_of(int64_t id, int generation) {
    return "row " + std::to_string(id) + ", written for the time " + std::to_string(generation);
}

// One step: changes the model, and the database in the same way. A null store means: model alone.
class Stepper {
public:
    // `model` and, if there is one, `store` must outlive this.
    Stepper(Model& model, TableStore* store) : model_(model), store_(store) {}
    static constexpr int kSteps = 14;
    // The step that stages rows in files, and the first after which table b is gone again.
    static constexpr int kStagingStep = 6, kDropStep = 10;

    Status run(int step) {
        switch (step) {
            case 0:
                return create();
            case 1:
                return insert_a(sequence(0, 60), 0);
            case 2:
                return change_a(sequence(10, 5), sequence(20, 5), 1);
            case 3:
                return flush();
            case 4:
                return change_a(sequence(0, 10), sequence(40, 7), 2);
            case 5:
                return index_a();
            case kStagingStep:
                return bulk_insert_b();
            case 7:
                return move_keys_a();
            case 8:
                return flush();
            case 9:
                return insert_a(sequence(-50, 30), 3);
            case kDropStep:
                return drop_b();
            case 11:
                return flush();
            case 12:
                return change_a(sequence(50, 5), sequence(-50, 5), 4);
            default:
                return unindex_a();
        }
    }

private:
    using Work = std::function<Status(Transaction&)>;
    Status commit(const Work& work) {
        if (!store_) return {};
        ASSIGN_OR_RETURN(Transaction txn, store_->begin());
        RETURN_IF_ERROR(work(txn));
        return store_->commit(txn);
    }
    Status flush() { return store_ ? store_->checkpoint() : Status(); }

    Status create() {
        model_.has_a = model_.has_b = true;
        return commit([](Transaction& txn) {
            RETURN_IF_ERROR(txn.create_table(table_a()));
            return txn.create_table(table_b());
        });
    }

    Status drop_b() {
        model_.has_b = false;
        model_.b.clear();
        return commit(
            [](Transaction& txn) { return txn.drop_table(txn.view()->catalog->find("b")->id); });
    }

    static arrow::Batch rows(const catalog::TablePtr& table, std::span<const int64_t> ids,
                             int generation) {
        arrow::Batch batch{table->schema(), static_cast<int64_t>(ids.size()), {}};
        arrow::ColumnBuilder id(arrow::int64()), name(arrow::utf8_view());
        for (int64_t i : ids) {
            id.append_int64(i);
            name.append_bytes(name_of(i, generation));
        }
        batch.columns.push_back(id.finish());
        if (table->columns.size() > 1) batch.columns.push_back(name.finish());
        if (table->columns.size() > 2) batch.columns.push_back(remainders(batch.columns[0]));
        return batch;
    }

    static Result<arrow::Array> row_ids(const Transaction& txn, const char* table,
                                        std::span<const int64_t> ids) {
        TableVersionPtr version = txn.view()->find(table);
        arrow::ColumnBuilder out(arrow::uint64());
        index::IndexCounters counters;
        for (int64_t id : ids) {
            std::vector<Value> key = {Value(id)};
            ASSIGN_OR_RETURN(auto at,
                             version->find_key(0, version->key_encoder()->encode(key), counters));
            if (!at) return Status::not_found("key " + std::to_string(id) + " is not found");
            const Part& part = version->part(at->part);
            out.append_int64(static_cast<int64_t>(part.chunk->row_ids().at(at->row)));
        }
        return out.finish();
    }

    static Status insert(Transaction& txn, const char* name, std::span<const int64_t> ids,
                         int generation) {
        catalog::TablePtr table = txn.view()->catalog->find(name);
        TableWriter writer(txn, table);
        RETURN_IF_ERROR(writer.insert(rows(table, ids, generation)));
        return writer.finish().status();
    }
    // Rows with keys `from` become rows with keys `to`.
    static Status update(Transaction& txn, std::span<const int64_t> from,
                         std::span<const int64_t> to, int generation) {
        catalog::TablePtr table = txn.view()->catalog->find("a");
        ASSIGN_OR_RETURN(arrow::Array at, row_ids(txn, "a", from));
        TableWriter writer(txn, table);
        RETURN_IF_ERROR(writer.update(at, rows(table, to, generation).columns));
        return writer.finish().status();
    }
    static Status erase(Transaction& txn, const char* name, std::span<const int64_t> ids) {
        ASSIGN_OR_RETURN(arrow::Array at, row_ids(txn, name, ids));
        TableWriter writer(txn, txn.view()->catalog->find(name));
        RETURN_IF_ERROR(writer.erase(at));
        return writer.finish().status();
    }

    Status insert_a(const std::vector<int64_t>& ids, int generation) {
        for (int64_t id : ids) model_.a[id] = name_of(id, generation);
        return commit([&](Transaction& txn) { return insert(txn, "a", ids, generation); });
    }

    Status change_a(const std::vector<int64_t>& updated, const std::vector<int64_t>& erased,
                    int generation) {
        for (int64_t id : updated) model_.a[id] = name_of(id, generation);
        for (int64_t id : erased) model_.a.erase(id);
        return commit([&](Transaction& txn) {
            RETURN_IF_ERROR(update(txn, updated, updated, generation));
            return erase(txn, "a", erased);
        });
    }

    Status move_keys_a() {
        const std::vector<int64_t> from = sequence(30, 6), to = sequence(31, 6);
        model_.a.erase(30);
        for (int64_t id : to) model_.a[id] = name_of(id, 9);
        return commit([&](Transaction& txn) {
            RETURN_IF_ERROR(erase(txn, "a", std::vector<int64_t>{36}));
            return update(txn, from, to, 9);
        });
    }

    Status index_a() {
        model_.has_index = true;
        return commit([](Transaction& txn) { return add_remainders(txn, "a"); });
    }

    Status unindex_a() {
        model_.has_index = false;
        return commit([](Transaction& txn) { return drop_remainders(txn, "a"); });
    }

    // A little more than a segment, of which some rows are deleted before the commit.
    Status bulk_insert_b() {
        const std::vector<int64_t> ids = sequence(-1000000, kSegmentRows + 50, 17);
        const std::vector<int64_t> gone = {ids[0], ids[5000], ids[kSegmentRows + 3]};
        model_.b.insert(ids.begin(), ids.end());
        for (int64_t id : gone) model_.b.erase(id);
        return commit([&](Transaction& txn) {
            RETURN_IF_ERROR(insert(txn, "b", ids, 0));
            return erase(txn, "b", gone);
        });
    }

    Model& model_;
    TableStore* store_;
};

// What must be there after each number of steps, from 0 to kSteps.
inline const std::vector<Contents>& expected_contents() {
    static const std::vector<Contents> all = [] {
        std::vector<Contents> states = {{}};
        Model model;
        Stepper stepper(model, nullptr);
        for (int step = 0; step < Stepper::kSteps; step++) {
            must(stepper.run(step));
            states.push_back(model.contents());
        }
        return states;
    }();
    return all;
}

inline Result<Digest> digest_of(const TableVersion& table) {
    Digest digest;
    const bool named = table.def().columns.size() > 1;
    for (size_t p = 0; p < table.part_count(); p++) {
        const Part& part = table.part(p);
        ASSIGN_OR_RETURN(const arrow::Array* id, part.chunk->column(0));
        const arrow::Array* name = nullptr;
        if (named) {
            ASSIGN_OR_RETURN(name, part.chunk->column(1));
        }
        for (uint64_t row = 0; row < part.chunk->rows(); row++) {
            if (part.is_dead(row)) continue;
            auto at = static_cast<int64_t>(row);
            digest.add(id->values<int64_t>()[at], name ? name->bytes_at(at) : "");
        }
    }
    return digest;
}

// What live rows hold in the third column.
inline Result<Digest> computed_of(const TableVersion& table) {
    Digest digest;
    for (size_t p = 0; p < table.part_count(); p++) {
        const Part& part = table.part(p);
        ASSIGN_OR_RETURN(const arrow::Array* values, part.chunk->column(2));
        for (uint64_t row = 0; row < part.chunk->rows(); row++) {
            if (part.is_dead(row)) continue;
            const bool null = !values->is_valid(static_cast<int64_t>(row));
            digest.add(null ? -1 : values->values<int64_t>()[row], "");
        }
    }
    return digest;
}

inline Result<Contents> contents_of(TableStore& store) {
    ASSIGN_OR_RETURN(VersionPtr version, store.current());
    Contents contents;
    for (const catalog::TablePtr& def : version->catalog->tables()) {
        const TableVersion& table = *version->tables.at(def->id);
        ASSIGN_OR_RETURN(contents[def->name], digest_of(table));
        if (def->columns.size() < 3) continue;
        ASSIGN_OR_RETURN(contents[def->name + ", computed"], computed_of(table));
    }
    return contents;
}

// "" if the index finds what a scan finds: every `stride`-th row by its key.
inline std::string problem_of_index(const TableVersion& table, uint64_t stride) {
    index::IndexCounters counters;
    for (size_t p = 0; p < table.part_count(); p++) {
        const Part& part = table.part(p);
        auto id = part.chunk->column(0);
        if (!id.ok()) return id.status().to_string();
        for (uint64_t row = 0; row < part.chunk->rows(); row += stride) {
            if (part.is_dead(row)) continue;
            std::vector<Value> key = {Value((*id)->values<int64_t>()[row])};
            auto at = table.find_key(0, table.key_encoder()->encode(key), counters);
            if (!at.ok()) return at.status().to_string();
            Location here{static_cast<uint32_t>(p), static_cast<uint32_t>(row)};
            if (!*at || **at != here) return "the index does not find " + key[0].to_string();
        }
    }
    return "";
}

// Files of the version, as "seg/0000000000000007.seg".
inline std::set<std::string> named_files(const Version& version) {
    std::set<std::string> names;
    for (const auto& [id, table] : version.tables) {
        for (const auto& file : table->files()) names.insert(to_string(file->name()));
    }
    return names;
}

inline std::set<std::string> files_on_disk(const std::string& path) {
    PosixVfs disk;
    std::set<std::string> names;
    for (const char* directory : {"seg", "idx", "gph", "vec"}) {
        auto list = disk.list(path + "/" + directory);
        if (!list.ok()) continue;
        for (const std::string& name : *list) names.insert(std::string(directory) + "/" + name);
    }
    return names;
}

inline constexpr StoreOptions kStoreOptions = {
    .create_if_missing = true, .map_bytes = 1 << 26, .check_root = false};
inline const TableStoreOptions kTableOptions = {
    .flush_rows = uint64_t{1} << 40,
    .flush_bytes = uint64_t{1} << 40,
    .background_flush = false,
    .compute = [](const auto&, auto, const arrow::Batch& rows, const auto*) {
        return Result(std::vector<arrow::Array>{remainders(rows.columns[0])});
    }};

inline Result<std::unique_ptr<TableStore>> open_tables(Vfs& vfs, const std::string& path) {
    ASSIGN_OR_RETURN(auto store, Store::open(vfs, path, kStoreOptions));
    return TableStore::open(std::move(store), kTableOptions);
}

using Acknowledge = std::function<void(int steps)>;

// Opens the database and runs the steps from `from` on. A step that fails while the store can still
// write is run again, once, after `again` was called, if there is one.
inline Status run_steps(Vfs& vfs, const std::string& path, int from, int to,
                        const Acknowledge& acknowledge,
                        const std::function<void()>& again = nullptr) {
    ASSIGN_OR_RETURN(auto store, open_tables(vfs, path));
    Model model;
    for (int step = 0; step < from; step++) must(Stepper(model, nullptr).run(step));
    for (int step = from; step < to; step++) {
        Stepper stepper(model, store.get());
        Status status = stepper.run(step);
        if (!status.ok() && again && store->store().stopped().ok()) {
            again();
            status = stepper.run(step);
        }
        // Whatever happened, what this process shows is a state that was acknowledged.
        ASSIGN_OR_RETURN(Contents now, contents_of(*store));
        if (now != expected_contents()[status.ok() ? step + 1 : step]) {
            return Status::corruption("after a failed step the open store shows something else");
        }
        RETURN_IF_ERROR(status);
        acknowledge(step + 1);
    }
    return {};
}

// "" if the database at `path` is what `acknowledged` steps, or one more, must have left, names
// only whole files, has no others, and can be written on.
inline std::string problem_at(const std::string& path, int acknowledged, uint64_t stride = 1) {
    PosixVfs disk;
    {
        auto opened = open_tables(disk, path);
        if (!opened.ok()) return opened.status().to_string();
        TableStore& store = **opened;
        auto contents = contents_of(store);
        if (!contents.ok()) return contents.status().to_string();
        const auto& states = expected_contents();
        const int next = std::min(acknowledged + 1, Stepper::kSteps);
        if (*contents != states[acknowledged] && *contents != states[next]) {
            return "the state is not one of " + std::to_string(acknowledged) + " or " +
                   std::to_string(next) + " steps";
        }
        if (Status whole = store.verify(); !whole.ok()) return whole.to_string();
        VersionPtr version = *store.current();
        if (files_on_disk(path) != named_files(*version)) return "there are orphan files";
        for (const auto& [id, table] : version->tables) {
            std::string problem = problem_of_index(*table, table->def().name == "b" ? 997 : stride);
            if (!problem.empty()) return problem;
            CheckReport report;
            if (table->def().name == "b") continue;
            if (Status s = check_table(*table, nullptr, &report); !s.ok()) return s.to_string();
            for (const Finding& f : report.findings) return f.object + ": " + f.detail;
        }
        // It must also go on from here.
        catalog::TableDef extra = table_b();
        extra.name = "extra";
        auto txn = store.begin();
        if (Status s = txn->create_table(extra); !s.ok()) return s.to_string();
        if (Status s = store.commit(*txn); !s.ok()) return s.to_string();
        if (Status s = store.checkpoint(); !s.ok()) return s.to_string();
    }
    auto again = open_tables(disk, path);
    if (!again.ok()) return again.status().to_string();
    auto version = (*again)->current();
    return (*version)->find("extra") ? "" : "a commit after the recovery is lost";
}

}  // namespace trefoil::table
