// IndexCatchUp: finding what is fresh, and giving it keys.

#include "table/index_catch_up.h"

#include <algorithm>
#include <set>

#include "base/check.h"
#include "table/duplicates.h"
#include "table/index_build.h"
#include "table/table_store.h"

namespace trefoil::table {
namespace {

constexpr uint64_t kNoRow = UINT64_MAX;  // of an entry that is dead

}  // namespace

Result<bool> moves_keys(const TableVersion& before, size_t index, const index::KeyRun& keys,
                        const RowIdOf& row_id_of) {
    for (uint64_t i = 0; i < keys.size(); i++) {
        const auto at = before.locate(row_id_of(i));
        if (!at) continue;
        ASSIGN_OR_RETURN(bool same, before.has_key(index, *at, keys.key(i), /*or_null=*/true));
        if (!same) return true;
    }
    return false;
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
    auto writes = txn.state_.writes.find(table_id);
    if (writes == txn.state_.writes.end()) {
        up->result_ = view;
        return up;
    }
    up->leaving_ = writes->second.killed;
    std::sort(up->leaving_.begin(), up->leaving_.end());
    auto result = std::make_shared<TableVersion>(*up->seen_);
    RETURN_IF_ERROR(result->set_definition(view->def_ptr()));
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
    struct Entries {
        index::KeyRunPtr keys;
        RowIdOf row_id_of;
    };
    std::vector<Entries> entries;
    bool moved = result_->keys_moved(index);
    for (const RunPart& run : result_->runs(index)) next.add_run(index, run);
    ASSIGN_OR_RETURN(auto run, build_run(store_.store(), next, index, segments, txn_.index_work_));
    if (run) {
        files_.push_back(run->file());
        txn_.staged_.add(run->file());
        next.add_run(index, {run, 0, store_.next_part_id_++});
        entries.push_back({run, [keys = run.get()](uint64_t i) { return keys->row_id(i); }});
        // It may hold rows that the transaction itself gives other keys.
        moved = moved || !leaving_.empty();
    }
    for (size_t i : fresh) {
        const Part& part = next.part(i);
        const index::KeyRunPtr& keys = part.chunk->keys()[index];
        entries.push_back({keys, [&part, &keys](uint64_t at) {
                               const uint64_t row = keys->row_id(at);
                               return part.is_dead(row) ? kNoRow : part.chunk->row_ids().at(row);
                           }});
    }
    uint64_t rows = 0;
    for (const Entries& e : entries) rows += e.keys->size();
    txn_.index_work_.enter(IndexProgress::Phase::kCatchingUp, rows);
    for (const Entries& e : entries) {
        if (moved) break;
        ASSIGN_OR_RETURN(moved, moves_keys(*result_, index, *e.keys, e.row_id_of));
    }
    if (moved) next.set_keys_moved(index);
    if (!next.index_def(index).unique) return {};
    for (const Entries& e : entries) {
        RETURN_IF_ERROR(
            check_entries(next, index, *e.keys, e.row_id_of, leaving_, txn_.index_work_));
    }
    return {};
}

void IndexCatchUp::keep_files() {
    for (const auto& file : files_) txn_.staged_.keep(*file);
}

}  // namespace trefoil::table
