// KeyRunBuilder: sorts entries in memory and writes them as a run in memory.

#include <algorithm>
#include <vector>

#include "base/check.h"
#include "index/run_writer.h"

namespace trefoil::index {

struct KeyRunBuilder::State {
    // A byte key in `heap`. Sorted by its code first, which is in the cache.
    struct Item {
        uint64_t code;
        uint64_t offset;
        uint64_t length;
        uint64_t row_id;
    };

    KeyShape shape;
    std::vector<IntegerEntry> integers;
    std::vector<Item> items;
    std::string heap;
    PrefixRanges ranges;

    Bytes key_of(const Item& item) const { return {heap.data() + item.offset, item.length}; }
    void sort();
    Status write(RunWriter& writer) const;
    size_t estimate() const { return 24 * items.size() + heap.size() + 16 * integers.size() + 512; }
};

void KeyRunBuilder::State::sort() {
    auto integers_in_order = [](const IntegerEntry& a, const IntegerEntry& b) {
        return a.key != b.key ? a.key < b.key : a.row_id < b.row_id;
    };
    if (!std::is_sorted(integers.begin(), integers.end(), integers_in_order)) {
        std::sort(integers.begin(), integers.end(), integers_in_order);
    }
    PrefixCode code(ranges);
    for (Item& item : items) item.code = code.encode(key_of(item));
    auto in_order = [&](const Item& a, const Item& b) {
        if (a.code != b.code) return a.code < b.code;
        int order = key_of(a).compare(key_of(b));
        return order != 0 ? order < 0 : a.row_id < b.row_id;
    };
    if (!std::is_sorted(items.begin(), items.end(), in_order)) {
        std::sort(items.begin(), items.end(), in_order);
    }
}

Status KeyRunBuilder::State::write(RunWriter& writer) const {
    for (const IntegerEntry& e : integers) RETURN_IF_ERROR(writer.add_integer(e.key, e.row_id));
    for (const Item& i : items) RETURN_IF_ERROR(writer.add_bytes(key_of(i), i.row_id));
    return {};
}

KeyRunBuilder::KeyRunBuilder(KeyShape shape) : state_(std::make_unique<State>()) {
    state_->shape = shape;
}

KeyRunBuilder::~KeyRunBuilder() = default;

void KeyRunBuilder::reserve(uint64_t entries) {
    if (state_->shape == KeyShape::kInteger) {
        state_->integers.reserve(entries);
    } else {
        state_->items.reserve(entries);
    }
}

void KeyRunBuilder::add(const Key& key, uint64_t row_id) {
    if (state_->shape == KeyShape::kInteger) {
        state_->integers.push_back({key.integer, row_id});
    } else {
        add_bytes(key.bytes, row_id);
    }
}

void KeyRunBuilder::add_integer(uint64_t key, uint64_t row_id) {
    CHECK(state_->shape == KeyShape::kInteger);
    state_->integers.push_back({key, row_id});
}

void KeyRunBuilder::add_bytes(Bytes key, uint64_t row_id) {
    CHECK(state_->shape == KeyShape::kBytes);
    state_->ranges.observe(key);
    state_->items.push_back({0, state_->heap.size(), key.size(), row_id});
    state_->heap.append(key);
}

size_t KeyRunBuilder::memory_bytes() const {
    return 2 * (sizeof(State::Item) * state_->items.size() + state_->heap.size() +
                sizeof(IntegerEntry) * state_->integers.size());
}

KeyRunPtr KeyRunBuilder::finish() {
    state_->sort();
    return run_in_memory(state_->shape, state_->ranges, state_->estimate(),
                         [&](RunWriter& writer) { return state_->write(writer); });
}

}  // namespace trefoil::index
