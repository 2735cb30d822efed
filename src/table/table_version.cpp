// TableVersion: finding rows, and making the next version on a copy.

#include "table/table_version.h"

#include <algorithm>

#include "arrow/compute.h"
#include "base/check.h"
#include "table/keyed_rows.h"

namespace trefoil::table {
namespace {

// The delta's last parts from the result on are worth merging into one: each is at most twice as
// large as all that come after it. So sizes fall geometrically and n rows make O(log n) parts.
size_t merge_begin(std::span<const Part> delta, size_t floor) {
    size_t begin = delta.size() - 1;
    uint64_t rows = delta[begin].chunk->rows();
    while (begin > floor) {
        const Chunk& before = *delta[begin - 1].chunk;
        if (before.file() || before.rows() > 2 * rows || before.rows() + rows > kSegmentRows) break;
        rows += before.rows();
        begin--;
    }
    return begin;
}

}  // namespace

TableVersion::TableVersion(catalog::TablePtr def)
    : def_(std::move(def)),
      base_(std::make_shared<std::vector<Part>>()),
      patches_(std::make_shared<std::vector<Part>>()),
      runs_(std::make_shared<const std::vector<RunPart>>()) {
    if (!def_->primary_key.empty()) {
        std::vector<arrow::Type> types;
        for (uint32_t position : def_->primary_key) types.push_back(def_->columns[position].type);
        keys_ = std::make_shared<const index::KeyEncoder>(std::move(types));
    }
}

const Part& TableVersion::part(size_t i) const {
    if (i < base_->size()) return (*base_)[i];
    i -= base_->size();
    if (i < patches_->size()) return (*patches_)[i];
    return delta_[i - patches_->size()];
}

size_t TableVersion::delta_bytes() const {
    size_t n = 0;
    for (const Part& p : delta_) n += p.chunk->memory_bytes();
    return n;
}

uint64_t TableVersion::delta_rows() const {
    uint64_t n = 0;
    for (const Part& p : delta_) n += p.chunk->rows();
    return n;
}

std::optional<Location> TableVersion::locate_in_segments(uint64_t row_id) const {
    const auto& base = *base_;
    auto after = std::upper_bound(base.begin(), base.end(), row_id, [](uint64_t id, const Part& p) {
        return id < p.chunk->row_ids().first();
    });
    if (after != base.begin()) {
        const Part& p = *(after - 1);
        auto row = p.chunk->row_ids().find(row_id);
        if (row && !p.is_dead(*row)) {
            return Location{static_cast<uint32_t>(after - 1 - base.begin()), *row};
        }
    }
    for (size_t i = patches_->size(); i-- > 0;) {
        const Part& p = (*patches_)[i];
        auto row = p.chunk->row_ids().find(row_id);
        if (row && !p.is_dead(*row)) return Location{static_cast<uint32_t>(base.size() + i), *row};
    }
    return std::nullopt;
}

std::optional<Location> TableVersion::locate(uint64_t row_id) const {
    if (auto at = locate_in_segments(row_id)) return at;
    const size_t segments = base_->size() + patches_->size();
    for (size_t i = delta_.size(); i-- > 0;) {
        auto row = delta_[i].chunk->row_ids().find(row_id);
        if (row && !delta_[i].is_dead(*row)) {
            return Location{static_cast<uint32_t>(segments + i), *row};
        }
    }
    return std::nullopt;
}

Result<bool> TableVersion::has_key(Location at, const index::Key& key) const {
    std::vector<const arrow::Array*> columns;
    for (uint32_t position : def_->primary_key) {
        ASSIGN_OR_RETURN(const arrow::Array* column, part(at.part).chunk->column(position));
        columns.push_back(column);
    }
    return keys_->encode(columns, at.row) == key;
}

Result<std::optional<Location>> TableVersion::find_key(const index::Key& key,
                                                       index::IndexCounters& counters) const {
    const size_t segments = base_->size() + patches_->size();
    for (size_t i = delta_.size(); i-- > 0;) {
        const Part& p = delta_[i];
        auto [begin, end] = p.chunk->keys()->lookup(key, counters);
        for (uint64_t at = begin; at < end; at++) {
            uint64_t row = p.chunk->keys()->row_id(at);
            if (p.is_dead(row)) continue;
            return std::optional(
                Location{static_cast<uint32_t>(segments + i), static_cast<uint32_t>(row)});
        }
    }
    for (size_t i = runs_->size(); i-- > 0;) {
        const RunPart& r = (*runs_)[i];
        auto [begin, end] = r.run->lookup(key, counters);
        for (uint64_t at = begin; at < end; at++) {
            auto found = locate_in_segments(r.row_id_base + r.run->row_id(at));
            if (!found) continue;
            if (keys_moved_) {
                ASSIGN_OR_RETURN(bool same, has_key(*found, key));
                if (!same) continue;
            }
            return found;
        }
    }
    return std::optional<Location>();
}

Status TableVersion::find_range(const index::KeyRange& range, std::vector<Location>* rows,
                                index::IndexCounters& counters) const {
    const size_t segments = base_->size() + patches_->size();
    const size_t before = rows->size();
    RETURN_IF_ERROR(find_in_runs(range, rows, counters));
    for (size_t i = 0; i < delta_.size(); i++) {
        const Part& p = delta_[i];
        auto [begin, end] = p.chunk->keys()->range(range, counters);
        for (uint64_t at = begin; at < end; at++) {
            uint64_t row = p.chunk->keys()->row_id(at);
            if (p.is_dead(row)) continue;
            rows->push_back({static_cast<uint32_t>(segments + i), static_cast<uint32_t>(row)});
        }
    }
    // A row that was rewritten may stand in two runs.
    std::sort(rows->begin() + static_cast<ptrdiff_t>(before), rows->end());
    rows->erase(std::unique(rows->begin() + static_cast<ptrdiff_t>(before), rows->end()),
                rows->end());
    return {};
}

Status TableVersion::find_in_runs(const index::KeyRange& range, std::vector<Location>* rows,
                                  index::IndexCounters& counters) const {
    std::vector<const arrow::Array*> columns(def_->primary_key.size());
    for (const RunPart& r : *runs_) {
        auto [begin, end] = r.run->range(range, counters);
        for (uint64_t at = begin; at < end; at++) {
            auto found = locate_in_segments(r.row_id_base + r.run->row_id(at));
            if (!found) continue;
            if (keys_moved_) {
                for (size_t i = 0; i < columns.size(); i++) {
                    ASSIGN_OR_RETURN(columns[i],
                                     part(found->part).chunk->column(def_->primary_key[i]));
                }
                if (!range.contains(keys_->encode(columns, found->row))) continue;
            }
            rows->push_back(*found);
        }
    }
    return {};
}

void TableVersion::kill(std::span<const Location> rows) {
    std::map<uint32_t, std::shared_ptr<DeadRows>> changed;
    for (Location at : rows) {
        auto& dead = changed[at.part];
        if (!dead) {
            const Part& p = part(at.part);
            dead = p.dead ? std::make_shared<DeadRows>(*p.dead)
                          : std::make_shared<DeadRows>(p.chunk->rows());
        }
        CHECK(dead->insert(at.row));
    }
    // Base and patches are shared with older versions: change copies.
    const size_t base = base_->size(), segments = base + patches_->size();
    auto new_base = changed.lower_bound(0) != changed.lower_bound(static_cast<uint32_t>(base))
                        ? std::make_shared<std::vector<Part>>(*base_)
                        : nullptr;
    auto new_patches = changed.lower_bound(static_cast<uint32_t>(base)) !=
                               changed.lower_bound(static_cast<uint32_t>(segments))
                           ? std::make_shared<std::vector<Part>>(*patches_)
                           : nullptr;
    for (auto& [i, dead] : changed) {
        Part& p = i < base       ? (*new_base)[i]
                  : i < segments ? (*new_patches)[i - base]
                                 : delta_[i - segments];
        p.dead = std::move(dead);
    }
    if (new_base) base_ = std::move(new_base);
    if (new_patches) patches_ = std::move(new_patches);
    live_rows_ -= rows.size();
}

void TableVersion::kill_in_segments(std::span<const uint64_t> row_ids) {
    std::vector<Location> rows;
    for (uint64_t id : row_ids) {
        if (auto at = locate_in_segments(id)) rows.push_back(*at);
    }
    kill(rows);
}

void TableVersion::add_segment(Part part) {
    live_rows_ += part.live_rows();
    auto base = std::make_shared<std::vector<Part>>(*base_);
    auto at = std::upper_bound(base->begin(), base->end(), part, [](const Part& a, const Part& b) {
        return a.chunk->row_ids().first() < b.chunk->row_ids().first();
    });
    base->insert(at, std::move(part));
    base_ = std::move(base);
}

void TableVersion::add_run(RunPart run) {
    auto runs = std::make_shared<std::vector<RunPart>>(*runs_);
    runs->push_back(std::move(run));
    runs_ = std::move(runs);
}

Status TableVersion::add_delta(Part part, size_t merge_floor) {
    live_rows_ += part.live_rows();
    delta_.push_back(std::move(part));
    size_t floor = std::max(merge_floor, frozen_);
    if (delta_.back().chunk->file() || delta_.size() - 1 <= floor) return {};
    size_t begin = merge_begin(delta_, floor);
    if (begin == delta_.size() - 1) return {};
    ASSIGN_OR_RETURN(Part merged,
                     merge_parts(std::span(delta_).subspan(begin), *def_, keys_.get()));
    delta_.resize(begin);
    if (merged.chunk->rows() > 0) delta_.push_back(std::move(merged));
    return {};
}

void TableVersion::replace_segments(std::vector<Part> base, std::vector<Part> patches,
                                    std::vector<RunPart> runs, size_t dropped_delta) {
    base_ = std::make_shared<std::vector<Part>>(std::move(base));
    patches_ = std::make_shared<std::vector<Part>>(std::move(patches));
    runs_ = std::make_shared<const std::vector<RunPart>>(std::move(runs));
    delta_.erase(delta_.begin(), delta_.begin() + static_cast<ptrdiff_t>(dropped_delta));
    frozen_ = 0;
    recount();
}

void TableVersion::recount() {
    live_rows_ = 0;
    for (size_t i = 0; i < part_count(); i++) live_rows_ += part(i).live_rows();
}

}  // namespace trefoil::table
