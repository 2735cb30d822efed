// Checking a database: see check.h.

#include "table/check.h"

#include <algorithm>
#include <map>
#include <set>

#include "arrow/value.h"
#include "base/check.h"
#include "table/segment.h"

namespace trefoil::table {
namespace {

// Facts of one kind about one object: the first, and how many.
class Tally {
public:
    Tally(CheckReport* report, std::string object) : report_(report), object_(std::move(object)) {}
    ~Tally() {
        for (auto& [what, facts] : facts_) {
            if (facts.count > 1) {
                facts.first += ", and " + std::to_string(facts.count - 1) + " more";
            }
            report_->findings.push_back({object_, what, std::move(facts.first)});
        }
    }
    Tally(const Tally&) = delete;
    Tally& operator=(const Tally&) = delete;

    template <typename Describe>
    void add(const std::string& what, const Describe& describe) {
        Facts& facts = facts_[what];
        if (facts.count++ == 0) facts.first = describe();
    }

private:
    struct Facts {
        uint64_t count = 0;
        std::string first;
    };
    CheckReport* report_;
    std::string object_;
    std::map<std::string, Facts> facts_;
};

class TableCheck {
public:
    TableCheck(const TableVersion& table, const std::atomic<bool>* cancel, CheckReport* report)
        : table_(table), cancel_(cancel), report_(report) {}

    Status run() {
        check_files();
        RETURN_IF_ERROR(go_on());
        load_parts();
        check_rows();
        RETURN_IF_ERROR(go_on());
        for (size_t p = 0; p < table_.part_count(); p++) {
            RETURN_IF_ERROR(go_on());
            check_zones(p);
        }
        for (size_t i = 0; i < table_.index_count(); i++) RETURN_IF_ERROR(check_index(i));
        report_->tables++;
        report_->rows += table_.live_rows();
        return {};
    }

private:
    Status go_on() const {
        if (cancel_ == nullptr || !cancel_->load(std::memory_order_relaxed)) return {};
        return {Code::kInvalidInput, "57014", "the statement was cancelled"};
    }

    void check_files();
    bool is_damaged(const Chunk& chunk) const;
    void load_parts();
    void check_rows();
    void check_order(Tally& tally) const;
    void check_zones(size_t part);

    Status check_index(size_t index);
    void check_run(const index::KeyRun& run, Tally& tally);
    // Entry `at` of a run, which names the row `row_id`.
    void check_entry(size_t index, const index::Key& key, uint64_t row_id, Tally& tally);
    // A unique key finds its row, and so no other one.
    void check_found(size_t index, const index::Key& key, Location at, Tally& tally);
    void check_missing(size_t index, Tally& tally);
    // The key that the row has; nothing if it cannot have one, or its part cannot be read.
    bool key_of(size_t index, Location at, index::Key* key) const;
    // "row 7, (id)=(5)".
    std::string describe(size_t index, uint64_t row_id, std::optional<Location> at) const;

    const TableVersion& table_;
    const std::atomic<bool>* cancel_;
    CheckReport* report_;
    std::set<std::string> damaged_;  // paths of files
    // The columns of each part; empty if they cannot be read.
    std::vector<std::vector<const arrow::Array*>> columns_;
    std::vector<std::vector<bool>> seen_;  // of one index: rows of each part that have an entry
};

void TableCheck::check_files() {
    for (const auto& file : table_.files()) {
        report_->files++;
        report_->bytes += file->size();
        Status whole = file->verify_all();
        if (whole.ok()) continue;
        damaged_.insert(file->path());
        report_->findings.push_back({to_string(file->name()), "checksum", whole.message()});
    }
}

bool TableCheck::is_damaged(const Chunk& chunk) const {
    if (!chunk.files()) return false;
    const auto& files = chunk.files()->all();
    return std::any_of(files.begin(), files.end(),
                       [&](const auto& file) { return damaged_.contains(file->path()); });
}

void TableCheck::load_parts() {
    columns_.resize(table_.part_count());
    for (size_t p = 0; p < table_.part_count(); p++) {
        const Chunk& chunk = *table_.part(p).chunk;
        if (is_damaged(chunk)) continue;
        for (uint32_t c = 0; c < table_.def().columns.size(); c++) {
            auto column = chunk.column(c);
            if (!column.ok()) {
                report_->findings.push_back({chunk.files() ? to_string(chunk.files()->own()->name())
                                                           : "table " + table_.def().name,
                                             "column", column.status().message()});
                columns_[p].clear();
                break;
            }
            columns_[p].push_back(*column);
        }
    }
}

// Segments are searched by row id: those of the base must be in order and apart.
void TableCheck::check_order(Tally& tally) const {
    for (size_t p = 1; p < table_.base().size(); p++) {
        const RowIds& before = table_.base()[p - 1].chunk->row_ids();
        const RowIds& ids = table_.base()[p].chunk->row_ids();
        if (before.last() < ids.first()) continue;
        tally.add("segments", [&] {
            return "row ids from " + std::to_string(ids.first()) + " on follow " +
                   std::to_string(before.last());
        });
    }
}

void TableCheck::check_rows() {
    Tally tally(report_, "table " + table_.def().name);
    check_order(tally);
    uint64_t live = 0;
    for (size_t p = 0; p < table_.part_count(); p++) {
        const Part& part = table_.part(p);
        const RowIds& ids = part.chunk->row_ids();
        live += part.live_rows();
        for (uint64_t row = 0; row < ids.count(); row++) {
            if (part.is_dead(row)) continue;
            const uint64_t id = ids.at(row);
            const Location here{static_cast<uint32_t>(p), static_cast<uint32_t>(row)};
            if (id >= table_.next_row_id()) {
                tally.add("row",
                          [&] { return "row " + std::to_string(id) + " was never handed out"; });
            }
            if (table_.locate(id) != here) {
                tally.add("row", [&] {
                    return "row " + std::to_string(id) + " lives in two places, or is not found";
                });
            }
        }
        for (size_t c = 0; c < columns_[p].size(); c++) {
            const arrow::Array& column = *columns_[p][c];
            if (!table_.def().columns[c].not_null || !column.has_nulls()) continue;
            for (uint64_t row = 0; row < ids.count(); row++) {
                if (part.is_dead(row) || column.is_valid(static_cast<int64_t>(row))) continue;
                tally.add("not null", [&] {
                    return "row " + std::to_string(ids.at(row)) + " has NULL in column " +
                           table_.def().columns[c].name;
                });
            }
        }
    }
    if (live != table_.live_rows()) {
        tally.add("count", [&] {
            return std::to_string(live) + " rows are live where " +
                   std::to_string(table_.live_rows()) + " are counted";
        });
    }
}

bool holds(const Bounds& stored, const Bounds& actual) {
    if (stored.null_count != actual.null_count) return false;
    if (!stored.known || !actual.known || actual.min.is_null()) return true;
    if (stored.min.is_null() || stored.max.is_null()) return false;
    return !less(actual.min, stored.min) && !less(stored.max, actual.max);
}

void TableCheck::check_zones(size_t p) {
    const Chunk& chunk = *table_.part(p).chunk;
    if (chunk.zones() == nullptr || columns_[p].empty()) return;
    std::vector<arrow::Array> columns;
    for (const arrow::Array* column : columns_[p]) columns.push_back(*column);
    const ZoneMap actual = build_zone_map(columns, chunk.rows());
    Tally tally(report_, to_string(chunk.files()->own()->name()));
    for (size_t c = 0; c < columns.size(); c++) {
        const ColumnZones& stored = chunk.zones()->columns[c];
        const ColumnZones& found = actual.columns[c];
        bool good = stored.zones.size() == found.zones.size() && holds(stored.all, found.all);
        for (size_t z = 0; good && z < found.zones.size(); z++) {
            good = holds(stored.zones[z], found.zones[z]);
        }
        if (good) continue;
        tally.add("zone map", [&] {
            return "the bounds of column " + std::string(table_.def().columns[c].shown_name()) +
                   " of table " + table_.def().name + " do not hold its values";
        });
    }
}

bool TableCheck::key_of(size_t index, Location at, index::Key* key) const {
    const auto& columns = columns_[at.part];
    if (columns.empty()) return false;
    std::vector<const arrow::Array*> key_columns;
    for (uint32_t position : table_.index_def(index).columns) {
        if (!table_.encoder(index).nullable() && !columns[position]->is_valid(at.row)) return false;
        key_columns.push_back(columns[position]);
    }
    for (uint32_t position : table_.index_def(index).filters) {
        const arrow::Array& taken = *columns[position];
        if (!taken.is_valid(at.row) || !taken.bool_at(at.row)) return false;
    }
    table_.encoder(index).encode(key_columns, at.row, key);
    return true;
}

std::string TableCheck::describe(size_t index, uint64_t row_id, std::optional<Location> at) const {
    std::string text = "row " + std::to_string(row_id);
    if (!at || columns_[at->part].empty()) return text;
    std::string names, values;
    for (uint32_t position : table_.index_def(index).columns) {
        if (!names.empty()) names += ", ";
        names += table_.def().columns[position].shown_name();
        if (!values.empty()) values += ", ";
        const arrow::Array& column = *columns_[at->part][position];
        if (column.is_valid(at->row)) {
            arrow::append_text(column, at->row, &values);
        } else {
            values += "NULL";
        }
    }
    return text + ", (" + names + ")=(" + values + ")";
}

void TableCheck::check_entry(size_t index, const index::Key& key, uint64_t row_id, Tally& tally) {
    report_->index_entries++;
    if (row_id >= table_.next_row_id()) {
        tally.add("entry",
                  [&] { return "it names row " + std::to_string(row_id) + ", which never was"; });
        return;
    }
    auto at = table_.locate(row_id);
    if (!at) return;  // a row that is dead: its entry goes with the next merge
    index::Key actual;
    if (!key_of(index, *at, &actual)) {
        if (table_.index_def(index).is_partial() && !columns_[at->part].empty() &&
            !table_.keys_moved(index)) {
            tally.add("entry", [&] {
                return "it names " + describe(index, row_id, at) + ", which is not of its rows";
            });
        }
        return;
    }
    if (actual == key) {
        seen_[at->part][at->row] = true;
        check_found(index, key, *at, tally);
    } else if (!table_.keys_moved(index)) {
        tally.add("entry",
                  [&] { return "it names " + describe(index, row_id, at) + " under another key"; });
    }
}

void TableCheck::check_found(size_t index, const index::Key& key, Location at, Tally& tally) {
    const catalog::IndexDef& def = table_.index_def(index);
    const index::Key of_row = table_.encoder(index).first_parts(key, def.key_columns().size());
    if (!def.unique || table_.encoder(index).may_hold_null(of_row)) return;
    index::IndexCounters counters;
    auto found = table_.find_key(index, of_row, counters);
    if (!found.ok() || *found == at) return;  // a file that cannot be read has its own finding
    tally.add(*found ? "duplicate key" : "search", [&] {
        const uint64_t row_id = table_.part(at.part).chunk->row_ids().at(at.row);
        return describe(index, row_id, at) + (*found ? " is there twice" : " is not found");
    });
}

// A search must find every entry where it lies, so the order and the model are right, too.
void TableCheck::check_run(const index::KeyRun& run, Tally& tally) {
    index::IndexCounters counters;
    index::Key before;
    for (uint64_t at = 0; at < run.size(); at++) {
        index::Key key = run.key(at);
        if (at > 0 && key < before) {
            tally.add("order", [&] { return "entry " + std::to_string(at) + " is out of order"; });
        }
        if (at == 0 || key != before) {
            const index::Positions found = run.lookup(key, counters);
            if (found.begin != at || found.end <= at) {
                tally.add("search",
                          [&] { return "a search does not find entry " + std::to_string(at); });
            }
        }
        before = std::move(key);
    }
}

void TableCheck::check_missing(size_t index, Tally& tally) {
    index::Key key;
    for (uint32_t p = 0; p < table_.part_count(); p++) {
        const Part& part = table_.part(p);
        if (columns_[p].empty()) continue;
        for (uint32_t row = 0; row < part.chunk->rows(); row++) {
            const Location here{p, row};
            if (part.is_dead(row) || seen_[p][row] || !key_of(index, here, &key)) continue;
            tally.add("missing entry", [&] {
                return describe(index, part.chunk->row_ids().at(row), here) + " is not in it";
            });
        }
    }
}

Status TableCheck::check_index(size_t index) {
    Tally tally(report_, "index " + table_.index_def(index).name);
    seen_.assign(table_.part_count(), {});
    for (size_t p = 0; p < seen_.size(); p++) seen_[p].resize(table_.part(p).chunk->rows());
    bool complete = true;  // all of it can be read
    for (const RunPart& r : table_.runs(index)) {
        RETURN_IF_ERROR(go_on());
        if (damaged_.contains(r.run->file()->path())) {
            complete = false;
            continue;
        }
        check_run(*r.run, tally);
        for (uint64_t at = 0; at < r.run->size(); at++) {
            check_entry(index, r.run->key(at), r.row_id_base + r.run->row_id(at), tally);
        }
    }
    for (const Part& part : table_.delta()) {
        RETURN_IF_ERROR(go_on());
        const index::KeyRun& keys = *part.chunk->keys()[index];
        check_run(keys, tally);
        if (!table_.index_def(index).is_partial() && keys.size() != part.chunk->rows()) {
            tally.add("count", [&] {
                return std::to_string(keys.size()) + " entries for " +
                       std::to_string(part.chunk->rows()) + " rows in memory";
            });
        }
        for (uint64_t at = 0; at < keys.size(); at++) {
            const uint64_t row = keys.row_id(at);
            if (row >= part.chunk->rows() || part.is_dead(row)) continue;
            check_entry(index, keys.key(at), part.chunk->row_ids().at(row), tally);
        }
    }
    if (complete) check_missing(index, tally);
    return {};
}

}  // namespace

Status check_table(const TableVersion& table, const std::atomic<bool>* cancel,
                   CheckReport* report) {
    return TableCheck(table, cancel, report).run();
}

Result<CheckReport> check_database(const Store& store, const Version& version,
                                   const std::atomic<bool>* cancel) {
    CheckReport report;
    if (Status root = store.verify_root(); !root.ok()) {
        report.findings.push_back({"root", "checksum", root.message()});
    }
    for (const auto& [id, table] : version.tables) {
        RETURN_IF_ERROR(check_table(*table, cancel, &report));
    }
    return report;
}

}  // namespace trefoil::table
