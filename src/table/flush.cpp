// Flush: choosing what to rewrite, writing it, swapping it in.

#include "table/flush.h"

#include <algorithm>

#include "arrow/compute.h"
#include "base/check.h"
#include "table/manifest.h"
#include "table/manifest_format.h"
#include "table/segment.h"

namespace trefoil::table {
namespace {

constexpr uint64_t kSmallSegmentRows = kSegmentRows / 2;
constexpr uint64_t kDeadPercentMax = 20;
constexpr uint64_t kPatchPercentMax = 5;
constexpr size_t kPatchesMax = 8;
constexpr uint64_t kRunRatio = 8;  // a run is merged with one at most this many times as large
constexpr size_t kRunsMax = 2;
// Segments rewritten for their holes in one background flush, so that the next one, which commits
// may wait for, is not far.
constexpr size_t kCompactedMax = 32;
constexpr uint64_t kDeadKeysMin = 1024;

bool is_holey(const Part& p) {
    return p.dead && p.dead->count() * 100 > p.chunk->rows() * kDeadPercentMax;
}

uint64_t count_rows(std::span<const Part> parts) {
    uint64_t n = 0;
    for (const Part& p : parts) n += p.chunk->rows();
    return n;
}

bool patches_pay(const TableVersion& t) {
    return t.patches().size() >= kPatchesMax ||
           count_rows(t.patches()) * 100 > count_rows(t.base()) * kPatchPercentMax;
}

// Half as many keys of dead rows as there are live rows. Where keys were updated the number says
// nothing: a row may have several entries.
bool run_is_holey(const TableVersion& t, size_t index) {
    if (t.keys_moved(index)) return false;
    uint64_t entries = 0;
    for (const RunPart& r : t.runs(index)) entries += r.run->size();
    const uint64_t live = t.live_rows();
    return entries > live + live / 2 + kDeadKeysMin;
}

bool runs_are_holey(const TableVersion& t) {
    for (size_t i = 0; i < t.index_count(); i++) {
        if (run_is_holey(t, i)) return true;
    }
    return false;
}

size_t small_segments(const TableVersion& t) {
    size_t n = 0;
    for (const Part& p : t.base()) n += p.chunk->rows() < kSmallSegmentRows;
    return n;
}

bool has_many_runs(const TableVersion& t, size_t max) {
    for (size_t i = 0; i < t.index_count(); i++) {
        if (t.runs(i).size() > max) return true;
    }
    return false;
}

bool overlaps(const Part& a, const Part& b) {
    const RowIds& x = a.chunk->row_ids();
    const RowIds& y = b.chunk->row_ids();
    return x.first() <= y.last() && y.first() <= x.last();
}

}  // namespace

bool Flush::pays(const Version& version) {
    return std::any_of(version.tables.begin(), version.tables.end(), [](const auto& entry) {
        const TableVersion& t = *entry.second;
        return std::any_of(t.base().begin(), t.base().end(), is_holey) ||
               (!t.patches().empty() && patches_pay(t)) || runs_are_holey(t);
    });
}

bool Flush::wants_work(const TableVersion& t, bool everything) {
    auto has_dead = [](const Part& p) { return p.dead != nullptr; };
    if (everything && (!t.patches().empty() || has_many_runs(t, 1) ||
                       std::any_of(t.base().begin(), t.base().end(), has_dead))) {
        return true;
    }
    return !t.delta().empty() || runs_are_holey(t) ||
           std::any_of(t.base().begin(), t.base().end(), is_holey) || small_segments(t) > 1 ||
           (!t.patches().empty() && patches_pay(t)) || has_many_runs(t, kRunsMax);
}

Status Flush::freeze() {
    std::lock_guard tip(store_.tip_mutex_);
    auto next = std::make_shared<Version>(*store_.current_.load());
    for (auto& [id, table] : next->tables) {
        auto frozen = std::make_shared<TableVersion>(*table);
        frozen->set_frozen(frozen->delta().size());
        table = frozen;
        const bool everything = goal_.everything && (!goal_.table || *goal_.table == id);
        if (wants_work(*frozen, everything)) {
            rewrites_[id].frozen = frozen;
            rewrites_[id].everything = everything;
        }
    }
    frozen_ = next;
    store_.publish(next);
    return {};
}

Status Flush::build() {
    for (auto& [id, rewrite] : rewrites_) {
        choose_sources(rewrite);
        RETURN_IF_ERROR(write_segments(rewrite));
        for (size_t i = 0; i < rewrite.frozen->index_count(); i++) {
            ASSIGN_OR_RETURN(auto runs, write_run(*rewrite.frozen, i, rewrite.everything));
            rewrite.runs.push_back(std::move(runs));
        }
    }
    return {};
}

void Flush::choose_sources(Rewrite& rewrite) {
    const TableVersion& t = *rewrite.frozen;
    const bool all_patches = !t.patches().empty() && (rewrite.everything || patches_pay(t));
    size_t holes_left = rewrite.everything ? SIZE_MAX : kCompactedMax;
    const bool merge_small =
        small_segments(t) > 1 || (small_segments(t) == 1 && !t.delta().empty());
    for (const Part& p : t.base()) {
        bool patched = all_patches && std::any_of(t.patches().begin(), t.patches().end(),
                                                  [&](const Part& q) { return overlaps(p, q); });
        bool small = merge_small && p.chunk->rows() < kSmallSegmentRows;
        bool holey = (rewrite.everything ? p.dead != nullptr : is_holey(p)) && holes_left > 0;
        if (!patched && !small && !holey) continue;
        holes_left -= holey;
        rewrite.sources.push_back(p);
        rewrite.removed.insert(p.segment_id);
    }
    if (all_patches) {
        for (const Part& p : t.patches()) {
            rewrite.sources.push_back(p);
            rewrite.removed.insert(p.segment_id);
        }
    }
    for (const Part& p : t.delta()) rewrite.sources.push_back(p);
}

// Rows whose ids lie inside a segment that stays become a patch, the others new segments, none of
// which reaches over a segment that stays.
Status Flush::write_segments(Rewrite& rewrite) {
    const TableVersion& t = *rewrite.frozen;
    std::vector<const RowIds*> kept;
    for (const Part& p : t.base()) {
        if (!rewrite.removed.contains(p.segment_id)) kept.push_back(&p.chunk->row_ids());
    }
    // Index into `kept` of the first segment that ends at or after the id.
    auto next_kept = [&](uint64_t id) {
        auto it = std::lower_bound(kept.begin(), kept.end(), id,
                                   [](const RowIds* ids, uint64_t v) { return ids->last() < v; });
        return static_cast<size_t>(it - kept.begin());
    };
    std::vector<LiveRow> rows = live_rows(rewrite.sources);
    std::vector<LiveRow> base, patch;
    size_t gap = 0;
    for (const LiveRow& row : rows) {
        size_t next = next_kept(row.row_id);
        const bool inside = next < kept.size() && kept[next]->first() <= row.row_id;
        std::vector<LiveRow>& piece = inside ? patch : base;
        if (piece.size() == kSegmentRows || (!inside && !base.empty() && next != gap)) {
            RETURN_IF_ERROR(write_piece(rewrite, piece, inside));
            piece.clear();
        }
        if (!inside) gap = next;
        piece.push_back(row);
    }
    RETURN_IF_ERROR(write_piece(rewrite, base, false));
    return write_piece(rewrite, patch, true);
}

Status Flush::write_piece(Rewrite& rewrite, std::span<const LiveRow> rows, bool patch) {
    if (rows.empty()) return {};
    const catalog::TableDef& def = rewrite.frozen->def();
    ASSIGN_OR_RETURN(auto columns, gather_columns(rewrite.sources, rows, def));
    RowIds ids = ids_of(rows);
    ZoneMap zones = build_zone_map(columns, rows.size());
    ASSIGN_OR_RETURN(auto files, write_segment(*store_.store_, def, ids, columns));
    ASSIGN_OR_RETURN(ChunkPtr chunk, Chunk::in_file(rewrite.frozen->def_ptr(), std::move(ids),
                                                    std::move(files), std::move(zones)));
    Part part{std::move(chunk), nullptr, store_.next_part_id_++};
    (patch ? rewrite.new_patches : rewrite.new_base).push_back(std::move(part));
    return {};
}

// The keys of the delta become a run, together with the older runs that are not much larger.
Result<Flush::Rewrite::Runs> Flush::write_run(const TableVersion& t, size_t index,
                                              bool everything) {
    const std::span<const RunPart> runs = t.runs(index);
    Rewrite::Runs out{runs.size(), {}};
    index::KeyRunBuilder builder(t.encoder(index).shape());
    builder.reserve(t.delta_rows());
    for (const Part& p : t.delta()) {
        const index::KeyRun& keys = *p.chunk->keys()[index];
        for (uint64_t at = 0; at < keys.size(); at++) {
            uint64_t row = keys.row_id(at);
            if (!p.is_dead(row)) builder.add(keys.key(at), p.chunk->row_ids().at(row));
        }
    }
    auto fresh = builder.finish();
    uint64_t rows = fresh->size();
    const bool merge_all = everything || run_is_holey(t, index);
    while (out.kept > 0 && (merge_all || out.kept + (rows > 0) > kRunsMax ||
                            runs[out.kept - 1].run->size() <= kRunRatio * rows)) {
        rows += runs[--out.kept].run->size();
    }
    if (rows == 0 && !merge_all) return out;
    std::vector<index::RunSource> sources;
    for (const RunPart& r : runs.subspan(out.kept)) sources.push_back({r.run, r.row_id_base});
    if (fresh->size() > 0) sources.push_back({fresh, 0});
    if (sources.empty()) return out;
    auto alive = [&](uint64_t row_id) { return t.locate(row_id).has_value(); };
    ASSIGN_OR_RETURN(auto run, index::merge_to_file(*store_.store_, sources, alive));
    if (run->size() > 0) {
        out.added.push_back({std::move(run), 0, store_.next_part_id_++});
    } else {
        run->file()->discard();
    }
    return out;
}

Status Flush::publish() {
    std::lock_guard tip(store_.tip_mutex_);
    VersionPtr newest = store_.current_.load();
    for (auto it = rewrites_.begin(); it != rewrites_.end();) {
        if (newest->tables.contains(it->first)) {
            ++it;
        } else {
            discard_new_files(it->second);
            it = rewrites_.erase(it);
        }
    }
    RETURN_IF_ERROR(write_root(frozen_->xid));
    auto next = std::make_shared<Version>(*newest);
    for (auto& [id, table] : next->tables) {
        auto it = rewrites_.find(id);
        if (it != rewrites_.end()) {
            table = swap_in(it->second, *table);
        } else if (table->frozen() > 0) {
            auto thawed = std::make_shared<TableVersion>(*table);
            thawed->set_frozen(0);
            table = thawed;
        }
    }
    store_.checkpoint_xid_ = frozen_->xid;
    store_.log_bytes_ = 0;
    store_.publish(std::move(next));
    store_.counters_.flushes++;
    for (const auto& [id, rewrite] : rewrites_) add_garbage(rewrite);
    rewrites_.clear();
    return {};
}

Status Flush::write_root(uint64_t xid) {
    ASSIGN_OR_RETURN(WriteTransaction root, store_.store_->begin_write());
    for (const auto& [id, rewrite] : rewrites_) RETURN_IF_ERROR(write_table(root, rewrite));
    VersionPtr newest = store_.current_.load();
    for (const auto& [id, table] : frozen_->tables) {
        if (!newest->tables.contains(id)) continue;  // dropped meanwhile
        RETURN_IF_ERROR(put_table_state(root, *table));
        auto rewrite = rewrites_.find(id);
        for (size_t i = 0; i < table->base().size() + table->patches().size(); i++) {
            const Part& p = table->part(i);
            if (rewrite != rewrites_.end() && rewrite->second.removed.contains(p.segment_id))
                continue;
            auto& stored = store_.stored_dead_rows_[p.segment_id];
            if (p.dead == stored) continue;
            RETURN_IF_ERROR(put_dead_rows(root, id, p));
            stored = p.dead;
        }
    }
    Writer checkpoint;
    checkpoint.u64(xid);
    RETURN_IF_ERROR(root.put(Keyspace::kMeta, kCheckpointXidKey, checkpoint.data()));
    RETURN_IF_ERROR(store_.log_.erase_up_to(root, xid));
    return root.commit();
}

Status Flush::write_table(WriteTransaction& root, const Rewrite& rewrite) {
    const catalog::TableDef& def = rewrite.frozen->def();
    for (uint64_t id : rewrite.removed) RETURN_IF_ERROR(erase_segment(root, def.id, id));
    for (const Part& p : rewrite.new_base) RETURN_IF_ERROR(put_segment(root, def, p, false));
    for (const Part& p : rewrite.new_patches) RETURN_IF_ERROR(put_segment(root, def, p, true));
    for (size_t i = 0; i < rewrite.runs.size(); i++) {
        for (const RunPart& r : rewrite.frozen->runs(i).subspan(rewrite.runs[i].kept)) {
            RETURN_IF_ERROR(erase_run(root, def.id, r.run_id));
        }
        for (const RunPart& r : rewrite.runs[i].added) {
            RETURN_IF_ERROR(put_run(root, def.id, def.indexes[i].id, r));
        }
    }
    return {};
}

std::shared_ptr<const TableVersion> Flush::swap_in(const Rewrite& rewrite,
                                                   const TableVersion& newest) {
    const TableVersion& frozen = *rewrite.frozen;
    auto next = std::make_shared<TableVersion>(newest);
    // Rows of the sources that died since freeze().
    std::vector<uint64_t> killed;
    auto collect = [&](const Part& then, const Part& now) {
        if (now.dead == then.dead) return;
        for (uint32_t row = 0; row < now.chunk->rows(); row++) {
            if (now.is_dead(row) && !then.is_dead(row))
                killed.push_back(now.chunk->row_ids().at(row));
        }
    };
    std::map<uint64_t, const Part*> then;
    for (const Part& p : frozen.base()) then[p.segment_id] = &p;
    for (const Part& p : frozen.patches()) then[p.segment_id] = &p;
    std::vector<Part> base = rewrite.new_base, patches, new_patches = rewrite.new_patches;
    if (newest.def_ptr() != frozen.def_ptr()) {  // altered meanwhile
        for (auto* parts : {&base, &new_patches}) {
            for (Part& p : *parts) p.chunk = p.chunk->with_definition(newest.def_ptr());
        }
    }
    for (const Part& p : newest.base()) {
        if (!rewrite.removed.contains(p.segment_id)) {
            base.push_back(p);
        } else {
            collect(*then.at(p.segment_id), p);
        }
    }
    for (const Part& p : newest.patches()) {
        if (!rewrite.removed.contains(p.segment_id)) {
            patches.push_back(p);
        } else {
            collect(*then.at(p.segment_id), p);
        }
    }
    patches.insert(patches.end(), new_patches.begin(), new_patches.end());
    const size_t dropped = frozen.delta().size();
    for (size_t i = 0; i < dropped; i++) collect(frozen.delta()[i], newest.delta()[i]);
    std::sort(base.begin(), base.end(), [](const Part& a, const Part& b) {
        return a.chunk->row_ids().first() < b.chunk->row_ids().first();
    });
    std::vector<std::vector<RunPart>> runs(frozen.index_count());
    for (size_t i = 0; i < runs.size(); i++) {
        auto append = [&](std::span<const RunPart> some) {
            runs[i].insert(runs[i].end(), some.begin(), some.end());
        };
        append(frozen.runs(i).first(rewrite.runs[i].kept));
        append(rewrite.runs[i].added);
        append(newest.runs(i).subspan(frozen.runs(i).size()));
    }
    next->replace_segments(std::move(base), std::move(patches), std::move(runs), dropped);
    next->kill_in_segments(killed);
    return next;
}

void Flush::add_garbage(const Rewrite& rewrite) {
    std::vector<std::shared_ptr<const DataFile>> files;
    for (const Part& p : rewrite.sources) {
        if (!p.chunk->files()) continue;
        store_.stored_dead_rows_.erase(p.segment_id);
        store_.counters_.compacted_segments++;
        const auto& all = p.chunk->files()->all();
        files.insert(files.end(), all.begin(), all.end());
    }
    for (size_t i = 0; i < rewrite.runs.size(); i++) {
        for (const RunPart& r : rewrite.frozen->runs(i).subspan(rewrite.runs[i].kept)) {
            files.push_back(r.run->file());
        }
    }
    store_.add_garbage(std::move(files));
}

void Flush::discard_new_files(const Rewrite& rewrite) {
    for (const auto* parts : {&rewrite.new_base, &rewrite.new_patches}) {
        for (const Part& p : *parts) p.chunk->files()->own()->discard();
    }
    for (const Rewrite::Runs& runs : rewrite.runs) {
        for (const RunPart& r : runs.added) r.run->file()->discard();
    }
}

Flush::~Flush() {
    for (const auto& [id, rewrite] : rewrites_) discard_new_files(rewrite);
}

}  // namespace trefoil::table
