// KeyMerge: a heap of cursors.

#include "access/key_merge.h"

#include <algorithm>

namespace trefoil::access {

using table::Location;

void KeyMerge::seek(const OrderedRange& range, index::IndexCounters* counters) {
    heap_.clear();
    last_.reset();
    rows_ = range.rows;
    for (const table::RunPart& r : table_.runs(index_)) {
        add({r.run.get(),
             r.row_id_base,
             std::nullopt,
             r.run->range(range.keys, *counters),
             0,
             0,
             {}});
    }
    const size_t segments = table_.base().size() + table_.patches().size();
    for (size_t i = 0; i < table_.delta().size(); i++) {
        const index::KeyRun& run = *table_.delta()[i].chunk->keys()[index_];
        add({&run,
             0,
             static_cast<uint32_t>(segments + i),
             run.range(range.keys, *counters),
             0,
             0,
             {}});
    }
    std::make_heap(heap_.begin(), heap_.end(),
                   [this](const Cursor& a, const Cursor& b) { return comes_later(a, b); });
}

void KeyMerge::add(Cursor cursor) {
    if (cursor.left.empty()) return;
    load(&cursor);
    heap_.push_back(cursor);
}

// Takes the next entry out of `left`.
void KeyMerge::load(Cursor* cursor) const {
    cursor->at = backward_ ? --cursor->left.end : cursor->left.begin++;
    if (cursor->run->shape() == index::KeyShape::kInteger) {
        cursor->integer = cursor->run->integer_key(cursor->at);
    } else {
        cursor->bytes = cursor->run->bytes_key(cursor->at);
    }
}

// By key; among equal keys rows of segments first, by row id.
bool KeyMerge::comes_later(const Cursor& a, const Cursor& b) const {
    const Cursor& x = backward_ ? b : a;
    const Cursor& y = backward_ ? a : b;
    if (x.integer != y.integer) return x.integer > y.integer;
    if (const int order = x.bytes.compare(y.bytes); order != 0) return order > 0;
    if (x.delta_part != y.delta_part) return x.delta_part > y.delta_part;
    return x.row_id_base + x.run->row_id(x.at) > y.row_id_base + y.run->row_id(y.at);
}

Result<std::optional<Location>> KeyMerge::next() {
    auto later = [this](const Cursor& a, const Cursor& b) { return comes_later(a, b); };
    while (!heap_.empty()) {
        const Cursor entry = heap_.front();
        if (heap_.size() > 1) std::pop_heap(heap_.begin(), heap_.end(), later);
        if (heap_.back().left.empty()) {
            heap_.pop_back();
        } else {
            load(&heap_.back());
            if (heap_.size() > 1) std::push_heap(heap_.begin(), heap_.end(), later);
        }
        entries_++;
        ASSIGN_OR_RETURN(auto row, row_of(entry));
        if (row) return row;
    }
    return std::optional<Location>();
}

Result<std::optional<Location>> KeyMerge::row_of(const Cursor& entry) {
    const uint64_t id = entry.row_id_base + entry.run->row_id(entry.at);
    std::optional<Location> row;
    if (entry.delta_part) {
        const auto number = static_cast<uint32_t>(id);
        if (!table_.part(*entry.delta_part).is_dead(number)) {
            row = Location{*entry.delta_part, number};
        }
    } else {
        const bool again = last_ && last_->integer == entry.integer &&
                           last_->bytes == entry.bytes &&
                           last_->row_id_base + last_->run->row_id(last_->at) == id;
        last_ = entry;
        if (!again) row = table_.locate_in_segments(id);
        if (row && table_.keys_moved(index_)) {
            ASSIGN_OR_RETURN(bool same, table_.has_key(index_, *row, entry.run->key(entry.at),
                                                       /*or_null=*/true));
            if (!same) row.reset();
        }
    }
    if (row && rows_ != OrderedRange::Rows::kAll) {
        ASSIGN_OR_RETURN(const arrow::Array* column,
                         table_.part(row->part).chunk->column(table_.index_def(index_).columns[0]));
        if (column->is_valid(row->row) != (rows_ == OrderedRange::Rows::kValues)) row.reset();
    }
    return row;
}

}  // namespace trefoil::access
