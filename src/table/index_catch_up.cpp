// IndexCatchUp: finding what is fresh, and giving it columns and keys.

#include "table/index_catch_up.h"

#include <algorithm>
#include <set>

#include "base/check.h"
#include "table/column_fill.h"
#include "table/duplicates.h"
#include "table/index_build.h"
#include "table/keyed_rows.h"
#include "table/table_store.h"

namespace trefoil::table {
namespace {

constexpr uint64_t kNoRow = UINT64_MAX;  // of an entry that is dead

// Of a row's entry in the keys of a chunk in memory.
RowIdOf row_ids_of(const Part& part, const index::KeyRun& keys) {
    return [&part, &keys](uint64_t at) {
        const uint64_t row = keys.row_id(at);
        return part.is_dead(row) ? kNoRow : part.chunk->row_ids().at(row);
    };
}

// True if a row of these entries had another key before.
Result<bool> moves_entries(const TableVersion& before, size_t index, const index::KeyRun& keys,
                           const RowIdOf& row_id_of) {
    for (uint64_t i = 0; i < keys.size(); i++) {
        const auto at = before.locate(row_id_of(i));
        if (!at) continue;
        ASSIGN_OR_RETURN(bool same, before.has_key(index, *at, keys.key(i), /*or_null=*/true));
        if (!same) return true;
    }
    return false;
}

// True if a row of the part was in a partial index before, and is not now.
Result<bool> leaves_index(const TableVersion& before, size_t index, const Part& part) {
    const catalog::IndexDef& def = before.index_def(index);
    if (!def.is_partial()) return false;
    ASSIGN_OR_RETURN(RowFilter filter, RowFilter::make(def, *part.chunk));
    for (uint64_t row = 0; row < part.chunk->rows(); row++) {
        if (part.is_dead(row) || filter.takes(static_cast<int64_t>(row))) continue;
        const auto at = before.locate(part.chunk->row_ids().at(row));
        if (!at) continue;
        ASSIGN_OR_RETURN(bool left, before.has_entry(index, *at));
        if (left) return true;
    }
    return false;
}

}  // namespace

Result<bool> moves_keys(const TableVersion& before, size_t index, const Part& part) {
    ASSIGN_OR_RETURN(bool left, leaves_index(before, index, part));
    if (left) return true;
    const index::KeyRun& keys = *part.chunk->keys()[index];
    return moves_entries(before, index, keys, row_ids_of(part, keys));
}

bool IndexCatchUp::is_needed(const Transaction& txn, uint32_t table_id) {
    const TableVersionPtr before = txn.snapshot()->find(table_id);
    const TableVersionPtr after = txn.view()->find(table_id);
    if (!before || !after) return false;
    const auto& indexes = after->def().indexes;
    return std::any_of(indexes.begin(), indexes.end(), [&](const catalog::IndexDef& index) {
        return !before->def().find_index(index.id);
    });
}

Result<std::unique_ptr<IndexCatchUp>> IndexCatchUp::begin(TableStore& store, Transaction& txn,
                                                          uint32_t table_id) {
    std::unique_ptr<IndexCatchUp> up(new IndexCatchUp(store, txn));
    up->seen_ = txn.snapshot()->find(table_id);
    const TableVersionPtr view = txn.view()->find(table_id);
    for (size_t i = 0; i < view->index_count(); i++) {
        if (!up->seen_->def().find_index(view->index_def(i).id)) up->indexes_.push_back(i);
    }
    up->fills_columns_ = ColumnFill::is_needed(up->seen_->def(), view->def());
    auto writes = txn.state_.writes.find(table_id);
    if (writes == txn.state_.writes.end()) {
        up->result_ = view;
        return up;
    }
    up->leaving_ = writes->second.killed;
    std::sort(up->leaving_.begin(), up->leaving_.end());
    auto result = std::make_shared<TableVersion>(*up->seen_);
    // In the view, parts of its own follow those of the snapshot.
    AlteredChunks known;
    for (size_t i = 0; i < up->seen_->part_count(); i++) {
        known[up->seen_->part(i).chunk.get()] = view->part(i).chunk;
    }
    RETURN_IF_ERROR(result->set_definition(view->def_ptr(), known));
    for (size_t i : up->indexes_) {
        for (const RunPart& run : view->runs(i)) result->add_run(i, run);
        if (view->keys_moved(i)) result->set_keys_moved(i);
    }
    up->result_ = std::move(result);
    return up;
}

uint64_t IndexCatchUp::rows_behind(const TableVersion& newest) const {
    if (!is_same_table(newest)) return 0;
    std::set<const Chunk*> known;
    for (size_t i = 0; i < seen_->part_count(); i++) known.insert(seen_->part(i).chunk.get());
    uint64_t rows = 0;
    for (size_t i = 0; i < newest.part_count(); i++) {
        const Chunk* chunk = newest.part(i).chunk.get();
        if (!known.contains(chunk)) rows += chunk->rows();
    }
    return rows;
}

Status IndexCatchUp::follow(const TableVersionPtr& newest) {
    if (newest == seen_ || !is_same_table(*newest)) return {};
    AlteredChunks known;
    for (size_t i = 0; i < seen_->part_count(); i++) {
        known[seen_->part(i).chunk.get()] = result_->part(i).chunk;
    }
    auto next = std::make_shared<TableVersion>(*newest);
    ColumnFill columns(store_, result_->def_ptr(), txn_.index_work_, &txn_.staged_);
    RETURN_IF_ERROR(columns.fill(*next, known));
    RETURN_IF_ERROR(next->set_definition(result_->def_ptr(), known));
    std::vector<Part> segments;
    std::vector<size_t> fresh;  // parts of the delta
    const size_t first_of_delta = next->base().size() + next->patches().size();
    for (size_t i = 0; i < newest->part_count(); i++) {
        if (known.contains(newest->part(i).chunk.get())) continue;
        if (i < first_of_delta) {
            segments.push_back(next->part(i));
        } else {
            fresh.push_back(i);
        }
    }
    for (size_t i : indexes_) RETURN_IF_ERROR(follow_index(i, segments, fresh, *next));
    seen_ = newest;
    result_ = std::move(next);
    return {};
}

Status IndexCatchUp::follow_index(size_t index, std::span<const Part> segments,
                                  std::span<const size_t> fresh, TableVersion& next) {
    for (const RunPart& run : result_->runs(index)) next.add_run(index, run);
    ASSIGN_OR_RETURN(auto run, build_run(store_.store(), next, index, segments, txn_.index_work_));
    if (run) {
        txn_.staged_.add(run->file());
        next.add_run(index, {run, 0, store_.next_part_id_++});
    }
    ASSIGN_OR_RETURN(bool moved, has_moved(index, run.get(), segments, fresh, next));
    if (moved) next.set_keys_moved(index);
    if (!next.index_def(index).unique) return {};
    auto check = [&](const index::KeyRun& keys, const RowIdOf& row_id_of) {
        return check_entries(next, index, keys, row_id_of, leaving_, txn_.index_work_);
    };
    if (run) RETURN_IF_ERROR(check(*run, [&](uint64_t i) { return run->row_id(i); }));
    for (size_t i : fresh) {
        const index::KeyRun& keys = *next.part(i).chunk->keys()[index];
        RETURN_IF_ERROR(check(keys, row_ids_of(next.part(i), keys)));
    }
    return {};
}

Result<bool> IndexCatchUp::has_moved(size_t index, const index::KeyRun* run,
                                     std::span<const Part> segments, std::span<const size_t> fresh,
                                     const TableVersion& next) const {
    // A run may hold rows that the transaction itself gives other keys.
    if (result_->keys_moved(index) || (run && !leaving_.empty())) return true;
    uint64_t entries = run ? run->size() : 0;
    for (size_t i : fresh) entries += next.part(i).chunk->keys()[index]->size();
    txn_.index_work_.enter(IndexProgress::Phase::kCatchingUp, entries);
    for (const Part& part : segments) {
        ASSIGN_OR_RETURN(bool left, leaves_index(*result_, index, part));
        if (left) return true;
    }
    for (size_t i : fresh) {
        ASSIGN_OR_RETURN(bool moved, moves_keys(*result_, index, next.part(i)));
        if (moved) return true;
    }
    if (run == nullptr) return false;
    return moves_entries(*result_, index, *run, [&](uint64_t i) { return run->row_id(i); });
}

void IndexCatchUp::keep_files() {
    for (size_t i = 0; i < result_->part_count(); i++) txn_.staged_.keep(*result_->part(i).chunk);
    for (size_t i : indexes_) {
        for (const RunPart& run : result_->runs(i)) txn_.staged_.keep(*run.run->file());
    }
}

}  // namespace trefoil::table
