// TableWriter: collects one statement's rows, checks them, applies them to the transaction.

#include <algorithm>

#include "arrow/compute.h"
#include "base/check.h"
#include "table/keyed_rows.h"
#include "table/segment.h"
#include "table/table_store.h"
#include "table/transaction.h"
#include "table/unique.h"

namespace trefoil::table {
namespace {

constexpr uint64_t kUtf8Continuation = 0x80;

// Characters of UTF-8 text.
uint64_t count_characters(std::string_view text) {
    uint64_t n = 0;
    for (char c : text) n += (static_cast<uint8_t>(c) & 0xC0) != kUtf8Continuation;
    return n;
}

Status check_not_null(const catalog::TableDef& table, const catalog::ColumnDef& column,
                      const arrow::Array& values) {
    if (!column.not_null || !values.has_nulls()) return {};
    return Status(Code::kInvalidInput, "23502",
                  "null value in column \"" + column.name + "\" of table \"" + table.name +
                      "\" violates not-null constraint");
}

Status check_length(const catalog::ColumnDef& column, const arrow::Array& values) {
    if (!column.char_length) return {};
    const auto max = static_cast<uint64_t>(*column.char_length);
    for (int64_t i = 0; i < values.length; i++) {
        if (!values.is_valid(i)) continue;
        std::string_view text = values.bytes_at(i);
        if (text.size() <= max || count_characters(text) <= max) continue;
        return Status(Code::kInvalidInput, "22001",
                      "value too long for column \"" + column.name + "\" of type " +
                          column.sql_type() + ": '" + std::string(text.substr(0, 100)) + "'");
    }
    return {};
}

std::vector<uint32_t> sorted(std::vector<uint32_t> places) {
    std::sort(places.begin(), places.end());
    return places;
}

}  // namespace

TableWriter::TableWriter(Transaction& txn, catalog::TablePtr table)
    : txn_(txn), table_(std::move(table)) {
    touched_.table = table_->id;
    has_references_ = txn_.view()->catalog->has_references(table_->id);
    const TableVersion& current = *txn_.view()->tables.at(table_->id);
    next_ = std::make_unique<TableVersion>(current);
    auto it = txn_.state_.writes.find(table_->id);
    if (it != txn_.state_.writes.end()) {
        writes_ = it->second;
    } else {
        writes_.private_floor = current.delta().size();
    }
}

TableWriter::~TableWriter() = default;

Status TableWriter::check_rows(const std::vector<arrow::Array>& columns, int64_t rows) const {
    CHECK(columns.size() == table_->columns.size());
    for (size_t i = 0; i < columns.size(); i++) {
        CHECK(columns[i].length == rows && columns[i].type == table_->columns[i].type);
        RETURN_IF_ERROR(check_not_null(*table_, table_->columns[i], columns[i]));
        RETURN_IF_ERROR(check_length(table_->columns[i], columns[i]));
    }
    return {};
}

Status TableWriter::insert(const arrow::Batch& rows) {
    RETURN_IF_ERROR(txn_.check_writable());
    RETURN_IF_ERROR(check_rows(rows.columns, rows.rows));
    if (rows.rows == 0) return {};
    pending_.push_back(rows);
    pending_rows_ += static_cast<uint64_t>(rows.rows);
    count_ += static_cast<uint64_t>(rows.rows);
    return pending_rows_ >= kSegmentRows ? flush_pending(false) : Status();
}

// Turns pending rows into parts: full segments into files, the rest (only with `all`) into memory.
Status TableWriter::flush_pending(bool all) {
    while (pending_rows_ >= kSegmentRows || (all && pending_rows_ > 0)) {
        const uint64_t take = std::min(pending_rows_, kSegmentRows);
        std::vector<std::vector<arrow::Array>> pieces(table_->columns.size());
        uint64_t have = 0;
        size_t used = 0;
        while (have < take) {
            arrow::Batch& batch = pending_[used];
            auto n = std::min<uint64_t>(static_cast<uint64_t>(batch.rows), take - have);
            for (size_t c = 0; c < pieces.size(); c++) {
                pieces[c].push_back(batch.columns[c].slice(0, static_cast<int64_t>(n)));
            }
            have += n;
            if (n == static_cast<uint64_t>(batch.rows)) {
                used++;
            } else {
                batch = batch.slice(static_cast<int64_t>(n), batch.rows - static_cast<int64_t>(n));
            }
        }
        pending_.erase(pending_.begin(), pending_.begin() + static_cast<ptrdiff_t>(used));
        pending_rows_ -= take;
        std::vector<arrow::Array> columns;
        for (auto& column : pieces) columns.push_back(to_store(arrow::concat(column)));
        pieces.clear();
        RETURN_IF_ERROR(stage(std::move(columns), take));
    }
    return {};
}

Status TableWriter::stage(std::vector<arrow::Array> columns, uint64_t rows) {
    RowIds ids = RowIds::dense(kPrivateRowId + writes_.private_ids, rows);
    if (touched_.new_rows == 0) touched_.first_new = ids.first();
    touched_.new_rows += rows;
    writes_.private_ids += rows;
    ChunkKeys keys = build_keys(columns, *next_);
    if (rows < kSegmentRows) {
        added_.push_back(
            {Chunk::in_memory(table_, ids, std::move(columns), std::move(keys)), nullptr, 0});
        return {};
    }
    ZoneMap zones = build_zone_map(columns, rows);
    ASSIGN_OR_RETURN(auto files, write_segment(txn_.store_->store(), *table_, ids, columns));
    txn_.staged_.add(files->own());
    ASSIGN_OR_RETURN(auto chunk, Chunk::in_file(table_, ids, std::move(files), std::move(zones),
                                                std::move(keys)));
    added_.push_back({std::move(chunk), nullptr, 0});
    return {};
}

// Locks, and then kills, each row that this statement has not met yet (one it has met is live
// nowhere in next_); tells which ids those were, where they were, and at which places of `row_ids`
// they stand. By location.
Status TableWriter::kill_rows(const arrow::Array& row_ids, LockMode mode, Killed* killed) {
    struct Found {
        Location location;
        uint32_t at;
    };
    std::vector<Found> found;
    const size_t first_own = next_->base().size() + next_->patches().size() + writes_.private_floor;
    const auto* ids = row_ids.values<uint64_t>();
    for (int64_t i = 0; i < row_ids.length; i++) {
        auto location = next_->locate(ids[i]);
        if (location) found.push_back({*location, static_cast<uint32_t>(i)});
    }
    std::sort(found.begin(), found.end(), [](const Found& a, const Found& b) {
        return a.location == b.location ? a.at < b.at : a.location < b.location;
    });
    std::vector<uint64_t> committed;
    for (const Found& f : found) {
        if (f.location.part < first_own) committed.push_back(ids[f.at]);
    }
    RETURN_IF_ERROR(txn_.lock_rows(*table_, committed, mode));
    for (size_t i = 0; i < found.size(); i++) {
        if (i > 0 && found[i].location == found[i - 1].location) continue;
        const uint64_t id = ids[found[i].at];
        killed->locations.push_back(found[i].location);
        killed->ids.push_back(id);
        killed->at.push_back(found[i].at);
        // A row that this transaction has put there itself was killed before, or is new.
        if (found[i].location.part < first_own) writes_.killed.push_back(id);
    }
    next_->kill(killed->locations);
    if (has_references_) {
        touched_.rows.insert(touched_.rows.end(), killed->ids.begin(), killed->ids.end());
    }
    count_ += killed->ids.size();
    return {};
}

// Notes it if a row gets another key in an index: then its runs know it under the old one.
Status TableWriter::note_moved_keys(size_t index, const Killed& killed,
                                    const std::vector<arrow::Array>& columns) {
    if (next_->keys_moved(index)) return {};
    const std::vector<uint32_t>& positions = next_->index_def(index).columns;
    const index::KeyEncoder& encoder = next_->encoder(index);
    const RowFilter now(next_->index_def(index), columns);
    std::vector<const arrow::Array*> before(positions.size()), after;
    for (uint32_t position : positions) after.push_back(&columns[position]);
    index::Key old_key, new_key;
    for (size_t i = 0; i < killed.ids.size(); i++) {
        const Chunk& chunk = *next_->part(killed.locations[i].part).chunk;
        for (size_t k = 0; k < before.size(); k++) {
            ASSIGN_OR_RETURN(before[k], chunk.column(positions[k]));
        }
        ASSIGN_OR_RETURN(RowFilter then, RowFilter::make(next_->index_def(index), chunk));
        if (!then.takes(killed.locations[i].row)) continue;
        encoder.encode(before, killed.locations[i].row, &old_key);
        encoder.encode(after, killed.at[i], &new_key);
        if (old_key != new_key || !now.takes(killed.at[i])) {
            next_->set_keys_moved(index);
            return {};
        }
    }
    return {};
}

Status TableWriter::erase(const arrow::Array& row_ids, std::vector<uint32_t>* applied) {
    RETURN_IF_ERROR(txn_.check_writable());
    Killed killed;
    RETURN_IF_ERROR(kill_rows(row_ids, LockMode::kUpdate, &killed));
    if (applied) *applied = sorted(killed.at);
    return {};
}

Status TableWriter::update(const arrow::Array& row_ids, const std::vector<arrow::Array>& columns,
                           std::vector<uint32_t>* applied) {
    RETURN_IF_ERROR(txn_.check_writable());
    RETURN_IF_ERROR(check_rows(columns, row_ids.length));
    Killed killed;
    RETURN_IF_ERROR(kill_rows(row_ids, LockMode::kNoKeyUpdate, &killed));
    if (applied) *applied = sorted(killed.at);
    if (killed.ids.empty()) return {};
    for (size_t i = 0; i < next_->index_count(); i++) {
        RETURN_IF_ERROR(note_moved_keys(i, killed, columns));
    }
    // Parts keep their rows by row id.
    const std::vector<uint64_t>& fresh = killed.ids;
    std::vector<uint32_t> order(fresh.size());
    for (uint32_t i = 0; i < order.size(); i++) order[i] = i;
    std::sort(order.begin(), order.end(),
              [&](uint32_t a, uint32_t b) { return fresh[a] < fresh[b]; });
    std::vector<uint64_t> ids;
    std::vector<uint32_t> rows;
    for (uint32_t i : order) {
        ids.push_back(fresh[i]);
        rows.push_back(killed.at[i]);
    }
    std::vector<arrow::Array> taken;
    for (const arrow::Array& column : columns) {
        taken.push_back(to_store(arrow::take(column, rows)));
    }
    ChunkKeys keys = build_keys(taken, *next_);
    added_.push_back({Chunk::in_memory(table_, RowIds::listed(std::move(ids)), std::move(taken),
                                       std::move(keys)),
                      nullptr, 0});
    return {};
}

std::optional<index::Key> TableWriter::key_of(size_t index,
                                              const std::vector<arrow::Array>& columns,
                                              int64_t row) const {
    std::vector<const arrow::Array*> key;
    for (uint32_t position : next_->index_def(index).key_columns()) {
        if (!columns[position].is_valid(row)) return std::nullopt;
        key.push_back(&columns[position]);
    }
    if (!RowFilter(next_->index_def(index), columns).takes(row)) return std::nullopt;
    return next_->encoder(index).encode(key, row);
}

Result<std::optional<uint64_t>> TableWriter::find(size_t index, const index::Key& key) const {
    index::IndexCounters counters;
    ASSIGN_OR_RETURN(auto at, next_->find_key(index, key, counters));
    if (!at) return std::optional<uint64_t>();
    return std::optional(next_->part(at->part).chunk->row_ids().at(at->row));
}

Result<std::vector<arrow::Array>> TableWriter::read(std::span<const uint64_t> row_ids) const {
    std::vector<Part> parts;
    std::map<uint32_t, uint32_t> places;  // part of the table -> place in `parts`
    std::vector<LiveRow> rows;
    for (uint64_t id : row_ids) {
        auto at = next_->locate(id);
        CHECK(at.has_value());
        auto [place, fresh] = places.emplace(at->part, static_cast<uint32_t>(parts.size()));
        if (fresh) parts.push_back(next_->part(at->part));
        rows.push_back({id, place->second, at->row});
    }
    return gather_columns(parts, rows, *table_);
}

Result<uint64_t> TableWriter::finish() {
    RETURN_IF_ERROR(flush_pending(true));
    if (count_ == 0) return uint64_t{0};
    const bool bulk = std::any_of(added_.begin(), added_.end(),
                                  [](const Part& p) { return p.chunk->files() != nullptr; });
    if (bulk) {
        ASSIGN_OR_RETURN(ChunkKeys keys, check_unique_bulk(*next_, added_));
        // Also without an index: one that this transaction makes later will have them.
        writes_.staged_keys.push_back(std::move(keys));
    }
    for (Part& part : added_) {
        if (!bulk) RETURN_IF_ERROR(check_unique(*next_, part));
        RETURN_IF_ERROR(next_->add_delta(std::move(part), writes_.private_floor));
    }
    if (has_references_) txn_.state_.touched.push_back(std::move(touched_));
    txn_.state_.writes[table_->id] = std::move(writes_);
    txn_.set_table(std::shared_ptr<const TableVersion>(std::move(next_)));
    return count_;
}

}  // namespace trefoil::table
