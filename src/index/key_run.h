// KeyRun: one immutable sorted run of (key, row id), in memory or in a mapped file, with a learned
// model.
//
// The building block of the primary index. Entries are sorted by key, then row id; equal keys are
// allowed. What the row ids mean is the table's business (row ids proper, or positions in a chunk).

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "index/key_encoder.h"
#include "storage/store.h"

namespace trefoil::index {

// What lookups did; the caller owns it, plain numbers.
struct IndexCounters {
    uint64_t searches = 0;         // runs that were searched
    uint64_t model_searches = 0;   // of these, through a learned model (or the dense formula)
    uint64_t last_mile_steps = 0;  // comparisons after the prediction
    uint64_t rows_found = 0;
};

class KeyRun {
public:
    virtual ~KeyRun() = default;

    // Positions [first, second) of entries with this key, or with keys in this range.
    virtual std::pair<uint64_t, uint64_t> lookup(const Key& key, IndexCounters& counters) const = 0;
    virtual std::pair<uint64_t, uint64_t> range(const KeyRange& range,
                                                IndexCounters& counters) const = 0;

    virtual uint64_t size() const = 0;
    virtual KeyShape shape() const = 0;
    virtual Key key(uint64_t position) const = 0;
    virtual uint64_t row_id(uint64_t position) const = 0;
    // The position of the first entry whose key equals that of the entry before it.
    virtual std::optional<uint64_t> first_duplicate() const = 0;
    // "dense", "learned, 12 segments", "none, prefixes collide": for EXPLAIN.
    virtual std::string model_text() const = 0;
    virtual size_t memory_bytes() const = 0;
    // Null for a run in memory.
    virtual const std::shared_ptr<const DataFile>& file() const = 0;

    static Result<std::shared_ptr<const KeyRun>> open(std::shared_ptr<const DataFile> file);
};

using KeyRunPtr = std::shared_ptr<const KeyRun>;

// Collects entries in any order.
class KeyRunBuilder {
public:
    explicit KeyRunBuilder(KeyShape shape);
    ~KeyRunBuilder();
    void reserve(uint64_t entries);
    void add(const Key& key, uint64_t row_id);
    void add_integer(uint64_t key, uint64_t row_id);  // REQUIRES: shape kInteger
    // Sorts unless sorted, fits the model. The builder is used up.
    KeyRunPtr finish();

private:
    struct State;
    std::unique_ptr<State> state_;
};

struct RunSource {
    KeyRunPtr run;
    uint64_t row_id_base = 0;  // added to its row ids
};

// One run of all entries whose row id (with base) `keep` accepts; an entry that stands in several
// sources with the same key and row id comes out once. REQUIRES: at least one source.
using KeepRow = std::function<bool(uint64_t row_id)>;
KeyRunPtr merge_in_memory(std::span<const RunSource> sources, const KeepRow& keep);
// The same, written to a durable file of kind kIndexRun and opened from it.
Result<KeyRunPtr> merge_to_file(Store& store, std::span<const RunSource> sources,
                                const KeepRow& keep);

}  // namespace trefoil::index
