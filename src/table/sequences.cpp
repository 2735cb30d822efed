// Sequences: counting, and reserving ahead.

#include "table/sequences.h"

#include <algorithm>
#include <set>
#include <vector>

#include "base/check.h"
#include "table/manifest_format.h"

namespace trefoil::table {
namespace {

// Numbers that are reserved at once, as in PostgreSQL.
constexpr int64_t kReservedAtOnce = 32;

std::string encode(const Sequences::Place& place) {
    Writer out;
    out.u64(static_cast<uint64_t>(place.value));
    out.u8(place.is_called);
    return out.take();
}

// False at the end of a sequence that does not begin again.
bool advance(const catalog::SequenceDef& s, Sequences::Place& place) {
    if (!place.is_called) {
        place.is_called = true;
        return true;
    }
    int64_t next = 0;
    const bool overflow = __builtin_add_overflow(place.value, s.increment, &next);
    if (overflow || next > s.max || next < s.min) {
        if (!s.cycle) return false;
        next = s.increment > 0 ? s.min : s.max;
    }
    place.value = next;
    return true;
}

bool counts_alike(const catalog::SequenceDef& a, const catalog::SequenceDef& b) {
    return a.increment == b.increment && a.min == b.min && a.max == b.max && a.cycle == b.cycle;
}

Status at_its_end(const catalog::TableDef& sequence) {
    const catalog::SequenceDef& s = sequence.sequence;
    const bool up = s.increment > 0;
    return Status(Code::kInvalidInput, "2200H",
                  std::string("nextval: reached ") + (up ? "maximum" : "minimum") +
                      " value of sequence \"" + sequence.name + "\" (" +
                      std::to_string(up ? s.max : s.min) + ")");
}

}  // namespace

Sequences::~Sequences() {
    if (store_.read_only() || !store_.stopped().ok()) return;
    std::vector<std::pair<uint32_t, Place>> places;
    for (const auto& [id, counter] : counters_) {
        if (counter->reserved > 0) places.emplace_back(id, counter->at);
    }
    if (places.empty()) return;
    auto root = store_.begin_write();
    if (!root.ok()) return;
    for (const auto& [id, place] : places) {
        if (!root->put(Keyspace::kManifest, manifest_key('q', id), encode(place)).ok()) return;
    }
    (void)root->commit();  // what was reserved stays reserved
}

Sequences::CounterPtr Sequences::counter(uint32_t id) {
    std::lock_guard lock(mutex_);
    CounterPtr& found = counters_[id];
    if (!found) found = std::make_shared<Counter>();
    return found;
}

Result<std::optional<Sequences::Place>> Sequences::read(uint32_t id) const {
    ASSIGN_OR_RETURN(ReadTransaction root, store_.begin_read());
    ASSIGN_OR_RETURN(auto stored, root.find(Keyspace::kManifest, manifest_key('q', id)));
    if (!stored) return std::optional<Place>();
    Reader in(*stored);
    Place place;
    place.value = static_cast<int64_t>(in.u64());
    place.is_called = in.u8() != 0;
    if (!in.ok() || !in.at_end()) return Status::corruption("the place of a sequence is malformed");
    return std::optional(place);
}

Status Sequences::write(uint32_t id, const Place& place) {
    ASSIGN_OR_RETURN(WriteTransaction root, store_.begin_write());
    RETURN_IF_ERROR(root.put(Keyspace::kManifest, manifest_key('q', id), encode(place)));
    return root.commit();
}

Status Sequences::load(const catalog::SequenceDef& sequence, Counter& counter) {
    if (counter.loaded && !store_.read_only()) return {};
    ASSIGN_OR_RETURN(auto stored, read(sequence.counter));
    counter.at = stored.value_or(Place{sequence.first, false});
    counter.loaded = true;
    return {};
}

// Writes the place that is reached after `wanted` numbers, or after the usual number of them.
Status Sequences::reserve(const catalog::SequenceDef& sequence, size_t wanted, Counter& counter) {
    const int64_t many = std::max({kReservedAtOnce, sequence.cache, static_cast<int64_t>(wanted)});
    Place ahead = counter.at;
    int64_t reserved = 0;
    while (reserved < many && advance(sequence, ahead)) reserved++;
    if (reserved == 0) return {};
    RETURN_IF_ERROR(write(sequence.counter, ahead));
    counter.reserved = reserved;
    counter.reserved_for = sequence;
    return {};
}

Status Sequences::next(const catalog::TableDef& sequence, std::span<int64_t> out) {
    const catalog::SequenceDef& s = sequence.sequence;
    const CounterPtr held = counter(s.counter);
    std::lock_guard lock(held->mutex);
    RETURN_IF_ERROR(load(s, *held));
    if (!counts_alike(s, held->reserved_for)) held->reserved = 0;
    for (size_t i = 0; i < out.size(); i++) {
        if (held->reserved == 0) RETURN_IF_ERROR(reserve(s, out.size() - i, *held));
        if (held->reserved == 0 || !advance(s, held->at)) return at_its_end(sequence);
        held->reserved--;
        out[i] = held->at.value;
    }
    return {};
}

Status Sequences::set(const catalog::TableDef& sequence, const Place& place) {
    const catalog::SequenceDef& s = sequence.sequence;
    if (place.value < s.min || place.value > s.max) {
        return Status(Code::kInvalidInput, "22003",
                      "setval: value " + std::to_string(place.value) +
                          " is out of bounds for sequence \"" + sequence.name + "\" (" +
                          std::to_string(s.min) + ".." + std::to_string(s.max) + ")");
    }
    const CounterPtr held = counter(s.counter);
    std::lock_guard lock(held->mutex);
    RETURN_IF_ERROR(write(s.counter, place));
    held->loaded = true;
    held->at = place;
    held->reserved = 0;
    return {};
}

Result<Sequences::Place> Sequences::place(const catalog::TableDef& sequence) {
    const CounterPtr held = counter(sequence.sequence.counter);
    std::lock_guard lock(held->mutex);
    RETURN_IF_ERROR(load(sequence.sequence, *held));
    return held->at;
}

Status Sequences::sweep(const catalog::Catalog& catalog) {
    std::set<std::string> used, stored;
    for (const catalog::TablePtr& r : catalog.relations()) {
        if (r->kind != catalog::RelationKind::kSequence) continue;
        used.insert(manifest_key('q', r->sequence.counter));
    }
    ASSIGN_OR_RETURN(ReadTransaction root, store_.begin_read());
    RETURN_IF_ERROR(root.for_each(Keyspace::kManifest, KeyRange::prefix("q"),
                                  [&](Bytes key, Bytes) -> Result<Visit> {
                                      if (!used.contains(std::string(key))) stored.emplace(key);
                                      return Visit::kNext;
                                  }));
    if (stored.empty()) return {};
    ASSIGN_OR_RETURN(WriteTransaction out, store_.begin_write());
    for (const std::string& key : stored) RETURN_IF_ERROR(out.erase(Keyspace::kManifest, key));
    return out.commit();
}

}  // namespace trefoil::table
