// TableVersion: finding rows, and making the next version on a copy.

#include "table/table_version.h"

#include <algorithm>
#include <array>

#include "arrow/compute.h"
#include "base/check.h"
#include "table/keyed_rows.h"
#include "table/segment.h"

namespace trefoil::table {
namespace {

// The delta's last parts from the result on are worth merging into one: each is at most twice as
// large as all that come after it. So sizes fall geometrically and n rows make O(log n) parts.
size_t merge_begin(std::span<const Part> delta, size_t floor) {
    size_t begin = delta.size() - 1;
    uint64_t rows = delta[begin].chunk->rows();
    while (begin > floor) {
        const Chunk& before = *delta[begin - 1].chunk;
        if (before.files() || before.rows() > 2 * rows || before.rows() + rows > kSegmentRows)
            break;
        rows += before.rows();
        begin--;
    }
    return begin;
}

void append_row(uint32_t part, uint32_t row, std::vector<RowSpan>* rows) {
    if (!rows->empty() && rows->back().part == part && rows->back().end == row) {
        rows->back().end++;
    } else {
        rows->push_back({part, row, row + 1});
    }
}

// Ascending, by as many passes over 11 bits as the ids need: hits of a range come in the order of
// their keys, and a comparison sort of them would take longer than all the rest.
void sort_ids(std::vector<uint64_t>* ids) {
    constexpr int kBits = 11;
    constexpr size_t kSmall = 512;
    if (std::is_sorted(ids->begin(), ids->end())) return;
    if (ids->size() < kSmall) return std::sort(ids->begin(), ids->end());
    const auto [least, greatest] = std::minmax_element(ids->begin(), ids->end());
    const uint64_t base = *least, span = *greatest - *least;
    std::vector<uint64_t> sorted(ids->size());
    for (int shift = 0; shift < 64 && span >> shift != 0; shift += kBits) {
        auto digit = [&](uint64_t id) { return (id - base) >> shift & ((1u << kBits) - 1); };
        std::array<size_t, 1 << kBits> begin{};
        for (uint64_t id : *ids) begin[digit(id)]++;
        size_t sum = 0;
        for (size_t& b : begin) sum += std::exchange(b, sum);
        for (uint64_t id : *ids) sorted[begin[digit(id)]++] = id;
        ids->swap(sorted);
    }
}

// Sorts by merging neighbouring sorted stretches, of which there are few.
void sort_stretches(std::vector<RowSpan>* rows) {
    std::vector<size_t> ends;  // of stretches
    for (auto at = rows->begin(); at != rows->end();) {
        at = std::is_sorted_until(at, rows->end());
        ends.push_back(static_cast<size_t>(at - rows->begin()));
    }
    std::vector<RowSpan> merged(ends.size() > 1 ? rows->size() : 0);
    while (ends.size() > 1) {
        std::vector<size_t> fewer;
        size_t begin = 0;
        for (size_t i = 0; i < ends.size(); i += 2) {
            const size_t middle = ends[i], end = ends[std::min(i + 1, ends.size() - 1)];
            auto place = [&](size_t n) { return rows->begin() + static_cast<ptrdiff_t>(n); };
            std::merge(place(begin), place(middle), place(middle), place(end),
                       merged.begin() + static_cast<ptrdiff_t>(begin));
            fewer.push_back(begin = end);
        }
        rows->swap(merged);
        ends = std::move(fewer);
    }
}

// Where the first column descends, keys are those of the same index read backwards: so numbers and
// texts stay as they are in (a DESC, b DESC).
std::shared_ptr<const index::KeyEncoder> make_encoder(const catalog::TableDef& table,
                                                      const catalog::IndexDef& index) {
    std::vector<arrow::Type> types;
    std::vector<PartOrder> orders;
    for (size_t i = 0; i < index.columns.size(); i++) {
        types.push_back(table.columns[index.columns[i]].type);
        const PartOrder order = index.order(i);
        orders.push_back(index.order(0).descending ? order.reversed() : order);
    }
    if (index.is_hash) {
        return std::make_shared<const index::KeyEncoder>(
            index::KeyEncoder::hashing(std::move(types)));
    }
    return std::make_shared<const index::KeyEncoder>(std::move(types), !index.is_primary,
                                                     std::move(orders));
}

}  // namespace

TableVersion::TableVersion(catalog::TablePtr def)
    : def_(std::move(def)),
      base_(std::make_shared<std::vector<Part>>()),
      patches_(std::make_shared<std::vector<Part>>()) {
    for (const catalog::IndexDef& index : def_->indexes) {
        indexes_.push_back(
            {make_encoder(*def_, index), std::make_shared<const std::vector<RunPart>>(), false});
    }
}

const Part& TableVersion::part(size_t i) const {
    if (i < base_->size()) return (*base_)[i];
    i -= base_->size();
    if (i < patches_->size()) return (*patches_)[i];
    return delta_[i - patches_->size()];
}

std::vector<std::shared_ptr<const DataFile>> TableVersion::files() const {
    std::vector<std::shared_ptr<const DataFile>> files;
    for (size_t i = 0; i < part_count(); i++) {
        const SegmentFilesPtr& of_part = part(i).chunk->files();
        if (of_part) files.insert(files.end(), of_part->all().begin(), of_part->all().end());
    }
    for (const TableIndex& index : indexes_) {
        for (const RunPart& r : *index.runs) files.push_back(r.run->file());
    }
    return files;
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

Result<bool> TableVersion::has_key(size_t index, Location at, const index::Key& key,
                                   bool or_null) const {
    const catalog::IndexDef& def = def_->indexes[index];
    std::vector<const arrow::Array*> columns;
    for (uint32_t position : def.columns) {
        ASSIGN_OR_RETURN(const arrow::Array* column, part(at.part).chunk->column(position));
        const bool of_key = columns.size() < def.key_columns().size();
        if (!or_null && of_key && !column->is_valid(at.row)) return false;
        columns.push_back(column);
    }
    ASSIGN_OR_RETURN(RowFilter filter, RowFilter::make(def, *part(at.part).chunk));
    if (!filter.takes(at.row)) return false;
    const index::Key actual = indexes_[index].keys->encode(columns, at.row);
    return def.included > 0 ? actual.bytes.starts_with(key.bytes) : actual == key;
}

Result<bool> TableVersion::has_entry(size_t index, Location at) const {
    ASSIGN_OR_RETURN(RowFilter filter, RowFilter::make(def_->indexes[index], *part(at.part).chunk));
    return filter.takes(at.row);
}

Result<std::optional<Location>> TableVersion::find_key(size_t index, const index::Key& key,
                                                       index::IndexCounters& counters) const {
    const TableIndex& in = indexes_[index];
    // The greatest value of a column may share its key with NULLs.
    const bool shared = in.keys->may_hold_null(key);
    auto look_up = [&](const index::KeyRun& run) {
        if (def_->indexes[index].included == 0) return run.lookup(key, counters);
        return run.range(index::KeyRange::beginning_with(key), counters);
    };
    const uint32_t segments = static_cast<uint32_t>(base_->size() + patches_->size());
    for (size_t i = delta_.size(); i-- > 0;) {
        const Part& p = delta_[i];
        const index::KeyRun& keys = *p.chunk->keys()[index];
        auto [begin, end] = look_up(keys);
        for (uint64_t at = begin; at < end; at++) {
            uint64_t row = keys.row_id(at);
            if (p.is_dead(row)) continue;
            Location found{segments + static_cast<uint32_t>(i), static_cast<uint32_t>(row)};
            if (shared) {
                ASSIGN_OR_RETURN(bool same, has_key(index, found, key, /*or_null=*/false));
                if (!same) continue;
            }
            return std::optional(found);
        }
    }
    for (size_t i = in.runs->size(); i-- > 0;) {
        const RunPart& r = (*in.runs)[i];
        auto [begin, end] = look_up(*r.run);
        for (uint64_t at = begin; at < end; at++) {
            auto found = locate_in_segments(r.row_id_base + r.run->row_id(at));
            if (!found) continue;
            if (in.keys_moved || shared) {
                ASSIGN_OR_RETURN(bool same, has_key(index, *found, key, /*or_null=*/false));
                if (!same) continue;
            }
            return found;
        }
    }
    return std::optional<Location>();
}

Status TableVersion::find_range(size_t index, const index::KeyRange& range,
                                std::vector<RowSpan>* rows, index::IndexCounters& counters) const {
    for (const RunPart& r : *indexes_[index].runs) {
        RETURN_IF_ERROR(find_in_run(index, r, r.run->range(range, counters), rows));
    }
    const size_t segments = base_->size() + patches_->size();
    std::vector<uint64_t> found;
    for (size_t i = 0; i < delta_.size(); i++) {
        const Part& p = delta_[i];
        const index::KeyRun& keys = *p.chunk->keys()[index];
        auto [begin, end] = keys.range(range, counters);
        found.clear();
        for (uint64_t at = begin; at < end; at++) found.push_back(keys.row_id(at));
        sort_ids(&found);
        for (uint64_t row : found) {
            if (p.is_dead(row)) continue;
            append_row(static_cast<uint32_t>(segments + i), static_cast<uint32_t>(row), rows);
        }
    }
    return {};
}

Status TableVersion::find_in_run(size_t index, const RunPart& r, index::Positions entries,
                                 std::vector<RowSpan>* rows) const {
    if (entries.begin == entries.end) return {};
    const bool moved = indexes_[index].keys_moved;
    if (r.run->is_dense() && !moved) {
        const uint64_t first = r.row_id_base + r.run->row_id(entries.begin);
        add_segment_rows(first, first + (entries.end - entries.begin) - 1, rows);
        return {};
    }
    if (moved) {
        for (uint64_t at = entries.begin; at < entries.end; at++) {
            auto found = locate_in_segments(r.row_id_base + r.run->row_id(at));
            if (!found) continue;
            ASSIGN_OR_RETURN(bool same, has_key(index, *found, r.run->key(at), /*or_null=*/true));
            if (same) append_row(found->part, found->row, rows);
        }
        return {};
    }
    std::vector<uint64_t> ids;
    ids.reserve(entries.size());
    for (uint64_t at = entries.begin; at < entries.end; at++) {
        ids.push_back(r.row_id_base + r.run->row_id(at));
    }
    sort_ids(&ids);
    for (uint64_t id : ids) {
        if (auto found = locate_in_segments(id)) append_row(found->part, found->row, rows);
    }
    return {};
}

// The live rows of all segments with ids in [first_id, last_id].
void TableVersion::add_segment_rows(uint64_t first_id, uint64_t last_id,
                                    std::vector<RowSpan>* rows) const {
    auto begin = std::partition_point(base_->begin(), base_->end(), [&](const Part& p) {
        return p.chunk->row_ids().last() < first_id;
    });
    auto add = [&](const Part& p, size_t number) {
        const RowIds& ids = p.chunk->row_ids();
        auto row = ids.lower_bound(first_id), end = ids.lower_bound(last_id + 1);
        if (row < end && !p.dead) {
            rows->push_back({static_cast<uint32_t>(number), row, end});
            return;
        }
        for (; row < end; row++) {
            if (!p.is_dead(row)) append_row(static_cast<uint32_t>(number), row, rows);
        }
    };
    for (auto p = begin; p != base_->end() && p->chunk->row_ids().first() <= last_id; ++p) {
        add(*p, static_cast<size_t>(p - base_->begin()));
    }
    for (size_t i = 0; i < patches_->size(); i++) add((*patches_)[i], base_->size() + i);
}

void normalise(std::vector<RowSpan>* rows) {
    sort_stretches(rows);
    size_t kept = 0;
    for (const RowSpan& next : *rows) {
        if (kept > 0 && (*rows)[kept - 1].part == next.part &&
            next.begin <= (*rows)[kept - 1].end) {
            (*rows)[kept - 1].end = std::max((*rows)[kept - 1].end, next.end);
        } else {
            (*rows)[kept++] = next;
        }
    }
    rows->resize(kept);
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

void TableVersion::replace_chunks(const AlteredChunks& by) {
    auto replace = [&](std::vector<Part>& parts) {
        for (Part& p : parts) {
            if (auto chunk = by.find(p.chunk.get()); chunk != by.end()) p.chunk = chunk->second;
        }
    };
    std::vector<Part> base = *base_, patches = *patches_;
    replace(base);
    replace(patches);
    replace(delta_);
    base_ = std::make_shared<const std::vector<Part>>(std::move(base));
    patches_ = std::make_shared<const std::vector<Part>>(std::move(patches));
}

Status TableVersion::set_definition(catalog::TablePtr def, const AlteredChunks& known) {
    const catalog::TablePtr before = std::exchange(def_, std::move(def));
    std::vector<TableIndex> indexes;
    for (const catalog::IndexDef& index : def_->indexes) {
        const auto old = before->find_index(index.id);
        indexes.push_back(old ? indexes_[*old]
                              : TableIndex{make_encoder(*def_, index),
                                           std::make_shared<const std::vector<RunPart>>(), false});
    }
    indexes_ = std::move(indexes);
    auto alter = [&](std::vector<Part>& parts, bool with_keys) -> Status {
        for (Part& p : parts) {
            if (auto made = known.find(p.chunk.get()); made != known.end()) {
                p.chunk = made->second;
            } else if (with_keys) {
                ASSIGN_OR_RETURN(p.chunk, adopt(p.chunk, *before));
            } else {
                p.chunk = p.chunk->with_definition(def_);
            }
        }
        return {};
    };
    std::vector<Part> base = *base_, patches = *patches_;
    RETURN_IF_ERROR(alter(base, /*with_keys=*/false));
    RETURN_IF_ERROR(alter(patches, /*with_keys=*/false));
    base_ = std::make_shared<const std::vector<Part>>(std::move(base));
    patches_ = std::make_shared<const std::vector<Part>>(std::move(patches));
    return alter(delta_, /*with_keys=*/true);
}

Result<ChunkPtr> TableVersion::adopt(const ChunkPtr& chunk, const catalog::TableDef& before) const {
    const ChunkPtr altered = chunk->with_definition(def_);
    ChunkKeys keys;
    for (size_t i = 0; i < index_count(); i++) {
        if (const auto old = before.find_index(index_def(i).id)) {
            keys.push_back(chunk->keys()[*old]);
            continue;
        }
        ASSIGN_OR_RETURN(auto fresh, keys_of(*altered, *this, i));
        keys.push_back(std::move(fresh));
    }
    return altered->with_row_ids(altered->row_ids(), std::move(keys));
}

void TableVersion::add_run(size_t index, RunPart run) {
    auto runs = std::make_shared<std::vector<RunPart>>(*indexes_[index].runs);
    runs->push_back(std::move(run));
    indexes_[index].runs = std::move(runs);
}

Result<bool> TableVersion::has_null(uint32_t column) const {
    for (size_t i = 0; i < part_count(); i++) {
        const Part& p = part(i);
        if (const ZoneMap* zones = p.chunk->zones()) {
            if (zones->columns[column].all.null_count == 0) continue;
        }
        ASSIGN_OR_RETURN(const arrow::Array* values, p.chunk->column(column));
        for (uint64_t row = 0; row < p.chunk->rows(); row++) {
            if (!values->is_valid(static_cast<int64_t>(row)) && !p.is_dead(row)) return true;
        }
    }
    return false;
}

Status TableVersion::add_delta(Part part, size_t merge_floor) {
    live_rows_ += part.live_rows();
    delta_.push_back(std::move(part));
    size_t floor = std::max(merge_floor, frozen_);
    if (delta_.back().chunk->files() || delta_.size() - 1 <= floor) return {};
    size_t begin = merge_begin(delta_, floor);
    if (begin == delta_.size() - 1) return {};
    ASSIGN_OR_RETURN(Part merged, merge_parts(std::span(delta_).subspan(begin), *this));
    delta_.resize(begin);
    if (merged.chunk->rows() > 0) delta_.push_back(std::move(merged));
    return {};
}

void TableVersion::replace_segments(std::vector<Part> base, std::vector<Part> patches,
                                    std::vector<std::vector<RunPart>> runs, size_t dropped_delta) {
    CHECK(runs.size() == indexes_.size());
    base_ = std::make_shared<std::vector<Part>>(std::move(base));
    patches_ = std::make_shared<std::vector<Part>>(std::move(patches));
    for (size_t i = 0; i < runs.size(); i++) {
        indexes_[i].runs = std::make_shared<const std::vector<RunPart>>(std::move(runs[i]));
    }
    delta_.erase(delta_.begin(), delta_.begin() + static_cast<ptrdiff_t>(dropped_delta));
    frozen_ = 0;
    recount();
}

void TableVersion::recount() {
    live_rows_ = 0;
    for (size_t i = 0; i < part_count(); i++) live_rows_ += part(i).live_rows();
}

}  // namespace trefoil::table
