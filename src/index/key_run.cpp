// KeyRun: opening and looking up. Building is in key_run_builder.cpp, merging in key_run_merge.cpp.

#include "index/key_run.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "learned/last_mile.h"

namespace trefoil::index {
namespace {

constexpr size_t kBatch = 16;

// Begins to load what a search from `hint` will look at first, so that its waits for memory
// overlap.
template <typename T>
void prefetch_around(const T* array, uint64_t count, uint64_t hint) {
    hint = std::min(hint, count - 1);
    constexpr uint64_t kAside = kFirstStride + 1;
    __builtin_prefetch(&array[hint]);
    __builtin_prefetch(&array[std::min(hint + kAside, count - 1)]);
    __builtin_prefetch(&array[hint - std::min(hint, kAside)]);
}

template <typename T>
const T* as_array(Bytes bytes) {
    return reinterpret_cast<const T*>(bytes.data());
}

}  // namespace

// --- Opening
// ----------------------------------------------------------------------------------------

Result<std::shared_ptr<KeyRun>> KeyRun::over_sections(RunDirectory directory,
                                                      const SectionReader& read,
                                                      std::shared_ptr<const void> owner) {
    std::shared_ptr<KeyRun> run(new KeyRun);
    auto section = [&](const RunSection& s) -> Result<Bytes> {
        run->section_bytes_ += s.length;
        return s.length == 0 ? Result<Bytes>(Bytes()) : read(s.offset, s.length);
    };
    ASSIGN_OR_RETURN(Bytes entries, section(directory.entries));
    ASSIGN_OR_RETURN(run->blob_, section(directory.blob));
    ASSIGN_OR_RETURN(Bytes codes, section(directory.codes));
    ASSIGN_OR_RETURN(Bytes firsts, section(directory.firsts));
    ASSIGN_OR_RETURN(Bytes model, section(directory.model));
    if (directory.shape == KeyShape::kInteger) {
        run->integers_ = as_array<IntegerEntry>(entries);
    } else {
        run->entries_ = as_array<BytesEntry>(entries);
        run->codes_ = as_array<uint64_t>(codes);
        if (!firsts.empty()) run->firsts_ = as_array<uint64_t>(firsts);
        run->code_ = PrefixCode(directory.ranges);
    }
    if (directory.model_use == ModelUse::kModel) {
        ASSIGN_OR_RETURN(run->model_, PiecewiseLinearModel::open(model, owner));
        run->has_model_ = true;
    }
    run->directory_ = directory;
    run->owner_ = std::move(owner);
    return run;
}

Result<KeyRunPtr> KeyRun::open(std::shared_ptr<const DataFile> file) {
    ASSIGN_OR_RETURN(Bytes bytes, file->directory());
    ASSIGN_OR_RETURN(RunDirectory directory, RunDirectory::decode(bytes));
    auto read = [&](uint64_t offset, uint64_t length) { return file->read(offset, length); };
    ASSIGN_OR_RETURN(std::shared_ptr<KeyRun> run, over_sections(directory, read, file));
    run->file_ = std::move(file);
    return KeyRunPtr(std::move(run));
}

// --- One entry
// --------------------------------------------------------------------------------------

Bytes KeyRun::bytes_key(uint64_t position) const {
    uint64_t begin = entries_[position].offset, end = entries_[position + 1].offset;
    // Never outside the blob, even if an offset is damaged.
    if (begin > end || end > blob_.size()) return {};
    return {blob_.data() + begin, end - begin};
}

Key KeyRun::key(uint64_t position) const {
    if (is_integer()) return {integer_key(position), {}};
    return {0, std::string(bytes_key(position))};
}

std::optional<uint64_t> KeyRun::first_duplicate() const {
    if (directory_.distinct_keys == size()) return std::nullopt;
    for (uint64_t i = 1; i < size(); ++i) {
        bool same =
            is_integer() ? integer_key(i) == integer_key(i - 1) : bytes_key(i) == bytes_key(i - 1);
        if (same) return i;
    }
    return std::nullopt;
}

std::string KeyRun::model_text() const {
    switch (directory_.model_use) {
        case ModelUse::kPrefixesCollide:
            return "none, prefixes collide";
        case ModelUse::kIrregular:
            return "none, irregular keys";
        case ModelUse::kNotNeeded:
            return is_dense() ? "dense" : "none, empty";
        case ModelUse::kModel:
            break;
    }
    uint64_t segments = model_.segment_count();
    return "learned, " + std::to_string(segments) + (segments == 1 ? " segment" : " segments");
}

// --- Integer keys
// -----------------------------------------------------------------------------------

// Where to begin to search for a key (or code) among `positions`.
uint64_t KeyRun::hint(uint64_t key, uint64_t positions, IndexCounters& counters) const {
    if (!has_model_) return positions / 2;
    ++counters.model_searches;
    return model_.predict(key);
}

uint64_t KeyRun::lower_bound(uint64_t key, IndexCounters& counters) const {
    if (key <= directory_.key_min) return 0;
    if (key > directory_.key_max) return size();
    if (is_dense()) {
        ++counters.model_searches;
        return key - directory_.key_min;
    }
    return integer_from_hint(hint(key, size(), counters), key, counters);
}

// The entries with `key`, given the first that is not less.
Positions KeyRun::run_of_integer(uint64_t begin, uint64_t key) const {
    uint64_t end = begin;
    if (directory_.distinct_keys == size()) {
        end += begin < size() && integers_[begin].key == key;
        return {begin, end};
    }
    uint64_t steps = 0;
    auto same = [&](uint64_t i) { return integers_[begin + i].key == key; };
    return {begin, begin + lower_bound_from(0, size() - begin, same, steps)};
}

// The first entry whose key is not less.
uint64_t KeyRun::integer_from_hint(uint64_t hint, uint64_t key, IndexCounters& counters) const {
    auto before = [&](uint64_t i) { return integers_[i].key < key; };
    if (!has_model_) return bisect(0, size(), before, counters.last_mile_steps);
    return lower_bound_from(hint, size(), before, counters.last_mile_steps);
}

Positions KeyRun::lookup_integer(uint64_t key, IndexCounters& counters) const {
    ++counters.searches;
    if (key < directory_.key_min || key > directory_.key_max || size() == 0) return {};
    if (is_dense()) {
        ++counters.model_searches;
        ++counters.rows_found;
        return {key - directory_.key_min, key - directory_.key_min + 1};
    }
    Positions found =
        run_of_integer(integer_from_hint(hint(key, size(), counters), key, counters), key);
    counters.rows_found += found.size();
    return found;
}

void KeyRun::lookup_integers(std::span<const uint64_t> keys, std::span<Positions> out,
                             IndexCounters& counters) const {
    CHECK(keys.size() == out.size());
    std::array<uint64_t, kBatch> hints;
    for (size_t first = 0; first < keys.size(); first += kBatch) {
        size_t count = std::min(kBatch, keys.size() - first);
        if (is_dense() || size() == 0) {
            for (size_t i = first; i < first + count; ++i)
                out[i] = lookup_integer(keys[i], counters);
            continue;
        }
        for (size_t i = 0; i < count; ++i) {
            hints[i] = hint(keys[first + i], size(), counters);
            prefetch_around(integers_, size(), hints[i]);
        }
        counters.searches += count;
        for (size_t i = 0; i < count; ++i) {
            uint64_t key = keys[first + i];
            out[first + i] = run_of_integer(integer_from_hint(hints[i], key, counters), key);
            counters.rows_found += out[first + i].size();
        }
    }
}

// --- Byte keys
// --------------------------------------------------------------------------------------

uint64_t KeyRun::code_from_hint(uint64_t hint, uint64_t code, IndexCounters& counters) const {
    auto before = [&](uint64_t i) { return codes_[i] < code; };
    uint64_t count = directory_.code_count;
    if (!has_model_) return bisect(0, count, before, counters.last_mile_steps);
    return lower_bound_from(hint, count, before, counters.last_mile_steps);
}

KeyRun::CodeMatch KeyRun::match_code(const PrefixCode::Place& place, uint64_t hint,
                                     IndexCounters& counters) const {
    uint64_t count = directory_.code_count;
    if (place.where == PrefixCode::Where::kAfter && place.code == ~uint64_t{0}) {
        return {false, {size(), size()}};
    }
    uint64_t wanted = place.where == PrefixCode::Where::kAfter ? place.code + 1 : place.code;
    uint64_t at = code_from_hint(hint, wanted, counters);
    // Clamped, so that damaged FIRSTS lead to no position outside the run.
    uint64_t begin = at < count ? std::min(first_of_code(at), size()) : size();
    if (place.where != PrefixCode::Where::kAt || at == count || codes_[at] != wanted) {
        return {false, {begin, begin}};
    }
    uint64_t end = at + 1 < count ? first_of_code(at + 1) : size();
    return {true, {begin, std::clamp(end, begin, size())}};
}

// The first of these entries that is not less than `key`.
uint64_t KeyRun::bytes_lower_bound(Positions among, Bytes key, IndexCounters& counters) const {
    uint64_t low = among.begin, length = among.size();
    while (length > 0) {
        ++counters.last_mile_steps;
        uint64_t half = length / 2;
        if (bytes_key(low + half) < key) {
            low += half + 1;
            length -= half + 1;
        } else {
            length = half;
        }
    }
    return low;
}

uint64_t KeyRun::lower_bound(Bytes key, IndexCounters& counters) const {
    PrefixCode::Place place = code_.place(key);
    CodeMatch match =
        match_code(place, hint(place.code, directory_.code_count, counters), counters);
    return match.found ? bytes_lower_bound(match.entries, key, counters) : match.entries.begin;
}

Positions KeyRun::find_among(Positions among, Bytes key, IndexCounters& counters) const {
    uint64_t begin = bytes_lower_bound(among, key, counters);
    uint64_t end = begin;
    if (directory_.distinct_keys == size()) {
        end += begin < among.end && bytes_key(begin) == key;
    } else {
        uint64_t steps = 0;
        auto same = [&](uint64_t i) { return bytes_key(begin + i) == key; };
        end += lower_bound_from(0, among.end - begin, same, steps);
    }
    counters.rows_found += end - begin;
    return {begin, end};
}

Positions KeyRun::lookup_bytes(Bytes key, IndexCounters& counters) const {
    ++counters.searches;
    PrefixCode::Place place = code_.place(key);
    if (place.where != PrefixCode::Where::kAt || size() == 0) return {};
    CodeMatch match =
        match_code(place, hint(place.code, directory_.code_count, counters), counters);
    return match.found ? find_among(match.entries, key, counters) : Positions{};
}

// Up to kBatch lookups, step by step, so that each step's waits overlap: codes, entries, keys.
void KeyRun::lookup_bytes_group(std::span<const Key> keys, std::span<Positions> out,
                                IndexCounters& counters) const {
    std::array<PrefixCode::Place, kBatch> places;
    std::array<uint64_t, kBatch> hints;
    std::array<CodeMatch, kBatch> matches;
    counters.searches += keys.size();
    for (size_t i = 0; i < keys.size(); ++i) {
        places[i] = code_.place(keys[i].bytes);
        if (places[i].where != PrefixCode::Where::kAt || size() == 0) continue;
        hints[i] = hint(places[i].code, directory_.code_count, counters);
        prefetch_around(codes_, directory_.code_count, hints[i]);
    }
    for (size_t i = 0; i < keys.size(); ++i) {
        matches[i].found = false;
        if (places[i].where != PrefixCode::Where::kAt || size() == 0) continue;
        matches[i] = match_code(places[i], hints[i], counters);
        if (matches[i].found) __builtin_prefetch(&entries_[matches[i].entries.begin]);
    }
    for (size_t i = 0; i < keys.size(); ++i) {
        if (matches[i].found) {
            uint64_t offset = entries_[matches[i].entries.begin].offset;
            __builtin_prefetch(blob_.data() + std::min<uint64_t>(offset, blob_.size()));
        }
    }
    for (size_t i = 0; i < keys.size(); ++i) {
        out[i] = matches[i].found ? find_among(matches[i].entries, keys[i].bytes, counters)
                                  : Positions{};
    }
}

// --- Either shape
// -----------------------------------------------------------------------------------

Positions KeyRun::lookup(const Key& key, IndexCounters& counters) const {
    return is_integer() ? lookup_integer(key.integer, counters) : lookup_bytes(key.bytes, counters);
}

void KeyRun::lookup_batch(std::span<const Key> keys, std::span<Positions> out,
                          IndexCounters& counters) const {
    CHECK(keys.size() == out.size());
    std::array<uint64_t, kBatch> integers;
    for (size_t first = 0; first < keys.size(); first += kBatch) {
        size_t count = std::min(kBatch, keys.size() - first);
        if (is_integer()) {
            for (size_t i = 0; i < count; ++i) integers[i] = keys[first + i].integer;
            lookup_integers({integers.data(), count}, out.subspan(first, count), counters);
        } else {
            lookup_bytes_group(keys.subspan(first, count), out.subspan(first, count), counters);
        }
    }
}

// The first entry whose key is not less than `key`, or, if `after`, whose key is greater.
uint64_t KeyRun::bound(const Key& key, bool after, IndexCounters& counters) const {
    if (is_integer()) {
        if (after && key.integer == ~uint64_t{0}) return size();
        return lower_bound(key.integer + (after ? 1 : 0), counters);
    }
    if (!after) return lower_bound(Bytes(key.bytes), counters);
    // The next byte string after a key is the key and a zero.
    std::string next = key.bytes;
    next.push_back('\0');
    return lower_bound(Bytes(next), counters);
}

Positions KeyRun::range(const KeyRange& range, IndexCounters& counters) const {
    ++counters.searches;
    if (size() == 0 || range.is_empty()) return {};
    uint64_t begin = range.low ? bound(*range.low, !range.low_inclusive, counters) : 0;
    uint64_t end = range.high ? bound(*range.high, range.high_inclusive, counters) : size();
    if (end <= begin) return {};
    counters.rows_found += end - begin;
    return {begin, end};
}

}  // namespace trefoil::index
