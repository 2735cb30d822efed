// KeyRun: one immutable sorted run of (key, row id), in memory or in a mapped file, with a learned
// model.
//
//     KeyRunBuilder builder(encoder.shape());
//     for (...) builder.add(key, row_id);                  // any order
//     KeyRunPtr run = builder.finish();
//     auto [begin, end] = run->lookup(key, counters);      // positions; empty if there is none
//     if (begin < end) use(run->row_id(begin));
//
// The building block of the primary index. Entries are sorted by key, then row id; equal keys are
// allowed. What the row ids mean is the table's business (row ids proper, or positions in a chunk).
//
// A lookup predicts the position with the model and gallops from there; the answer never depends on
// the model. Integer keys without gaps whose row ids are consecutive too need no array at all. Byte
// keys are found by their prefix codes (prefix_code.h); where these collide too much there is no
// model and a plain binary search instead, and model_text() says so. Format: key_run_format.h. Why,
// and when it loses: README.md.
//
// Threads: a KeyRun may be read by many; a builder belongs to one thread at a time. Tested by
// key_run_test.cpp, key_run_merge_test.cpp and key_run_file_test.cpp.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/bytes.h"
#include "index/key.h"
#include "index/key_run_format.h"
#include "index/prefix_code.h"
#include "learned/piecewise_linear.h"
#include "storage/store.h"
#include "trefoil/status.h"

namespace trefoil::index {

// What lookups did; the caller owns it, plain numbers.
struct IndexCounters {
    uint64_t searches = 0;  // lookups and ranges asked of a run
    uint64_t model_searches =
        0;  // predictions by a learned model or the dense formula; a range has two
    uint64_t last_mile_steps = 0;  // comparisons after the prediction
    uint64_t rows_found = 0;
};

// Positions [begin, end) of a run.
struct Positions {
    uint64_t begin = 0;
    uint64_t end = 0;
    uint64_t size() const { return end - begin; }
    bool empty() const { return begin == end; }
    bool operator==(const Positions&) const = default;
};

class KeyRun;
using KeyRunPtr = std::shared_ptr<const KeyRun>;

class KeyRun {
public:
    // The run in a file of kind kIndexRun, used where it lies. Reads the whole file once, for its
    // checksums. Errors: kCorruption, kUnsupported (a newer format), kIo.
    static Result<KeyRunPtr> open(std::shared_ptr<const DataFile> file);

    // The entries with this key. REQUIRES: a key of this run's shape.
    Positions lookup(const Key& key, IndexCounters& counters) const;
    Positions lookup_integer(uint64_t key, IndexCounters& counters) const;
    Positions lookup_bytes(Bytes key, IndexCounters& counters) const;

    // The entries with each of these keys, in `out`. Faster than one by one: the waits for memory
    // of 16 lookups overlap. REQUIRES: out.size() == keys.size().
    void lookup_batch(std::span<const Key> keys, std::span<Positions> out,
                      IndexCounters& counters) const;
    void lookup_integers(std::span<const uint64_t> keys, std::span<Positions> out,
                         IndexCounters& counters) const;

    // The entries with keys in the range.
    Positions range(const KeyRange& range, IndexCounters& counters) const;

    uint64_t size() const { return directory_.entry_count; }
    // True if both keys and row ids are consecutive: entry i has row id row_id(0) + i.
    bool is_dense() const { return directory_.form == RunForm::kDense; }
    uint64_t distinct_keys() const { return directory_.distinct_keys; }
    KeyShape shape() const { return directory_.shape; }

    // One entry. REQUIRES: position < size(), and the shape that the name says.
    uint64_t row_id(uint64_t position) const {
        if (is_dense()) return directory_.dense_row_id + position;
        return is_integer() ? integers_[position].row_id : entries_[position].row_id;
    }
    uint64_t integer_key(uint64_t position) const {
        return is_dense() ? directory_.key_min + position : integers_[position].key;
    }
    // A view that lives as long as the run.
    Bytes bytes_key(uint64_t position) const;
    Key key(uint64_t position) const;

    // The position of the first entry whose key equals that of the entry before it.
    std::optional<uint64_t> first_duplicate() const;

    // For EXPLAIN: "dense", "learned, 12 segments", "none, prefixes collide", "none, irregular
    // keys".
    std::string model_text() const;
    // Bytes in memory; 0 for a run in a file.
    size_t memory_bytes() const { return file_ ? 0 : sizeof(KeyRun) + section_bytes_; }
    // Null for a run in memory.
    const std::shared_ptr<const DataFile>& file() const { return file_; }
    const PrefixRanges& prefix_ranges() const { return directory_.ranges; }

    // A run over sections that `owner` keeps alive; `read` finds them. For RunWriter, open() and
    // tests.
    using SectionReader = std::function<Result<Bytes>(uint64_t offset, uint64_t length)>;
    static Result<std::shared_ptr<KeyRun>> over_sections(RunDirectory directory,
                                                         const SectionReader& read,
                                                         std::shared_ptr<const void> owner);

private:
    // A query by code: the answer lies among the entries of one code, or is the place between two.
    struct CodeMatch {
        bool found;
        Positions entries;  // !found: empty, at the place
    };

    KeyRun() = default;
    bool is_integer() const { return directory_.shape == KeyShape::kInteger; }

    uint64_t hint(uint64_t key, uint64_t positions, IndexCounters& counters) const;
    uint64_t lower_bound(uint64_t key, IndexCounters& counters) const;
    uint64_t lower_bound(Bytes key, IndexCounters& counters) const;
    uint64_t bound(const Key& key, bool after, IndexCounters& counters) const;
    Positions run_of_integer(uint64_t begin, uint64_t key) const;
    uint64_t integer_from_hint(uint64_t hint, uint64_t key, IndexCounters& counters) const;
    uint64_t first_of_code(uint64_t code_number) const {
        return firsts_ ? firsts_[code_number] : code_number;
    }
    uint64_t code_from_hint(uint64_t hint, uint64_t code, IndexCounters& counters) const;
    CodeMatch match_code(const PrefixCode::Place& place, uint64_t hint,
                         IndexCounters& counters) const;
    uint64_t bytes_lower_bound(Positions among, Bytes key, IndexCounters& counters) const;
    Positions find_among(Positions among, Bytes key, IndexCounters& counters) const;
    void lookup_bytes_group(std::span<const Key> keys, std::span<Positions> out,
                            IndexCounters& counters) const;

    RunDirectory directory_;
    const IntegerEntry* integers_ = nullptr;
    const BytesEntry* entries_ = nullptr;
    Bytes blob_;
    const uint64_t* codes_ = nullptr;
    const uint64_t* firsts_ = nullptr;  // null: the i-th entry has the i-th code
    PrefixCode code_;
    PiecewiseLinearModel model_;
    bool has_model_ = false;
    size_t section_bytes_ = 0;
    std::shared_ptr<const void> owner_;
    std::shared_ptr<const DataFile> file_;
};

// Collects entries in any order.
class KeyRunBuilder {
public:
    explicit KeyRunBuilder(KeyShape shape);
    ~KeyRunBuilder();
    KeyRunBuilder(const KeyRunBuilder&) = delete;
    KeyRunBuilder& operator=(const KeyRunBuilder&) = delete;

    void reserve(uint64_t entries);
    void add(const Key& key, uint64_t row_id);
    void add_integer(uint64_t key, uint64_t row_id);  // REQUIRES: shape kInteger
    void add_bytes(Bytes key, uint64_t row_id);       // REQUIRES: shape kBytes
    // What finish() takes at its peak: the entries, and the run made of them.
    size_t memory_bytes() const;
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

// One run of all entries whose row id (with base) `keep` accepts, in one pass; an entry that stands
// in several sources with the same key and row id comes out once. `keep` is asked once for each
// such entry, in key order. REQUIRES: at least one source, all of one shape.
using KeepRow = std::function<bool(uint64_t row_id)>;
KeyRunPtr merge_in_memory(std::span<const RunSource> sources, const KeepRow& keep);
// Told now and then how many entries a merge has taken since it was told last; an error ends it.
using Pulse = std::function<Status(uint64_t entries)>;
// The same, written to a durable file of kind kIndexRun and opened from it. Entries pass through: a
// few MiB are held, whatever their number.
Result<KeyRunPtr> merge_to_file(Store& store, std::span<const RunSource> sources,
                                const KeepRow& keep, const Pulse& pulse = {});
// All entries, written to a file without a name that goes with the run: for what is merged again.
Result<KeyRunPtr> merge_to_scratch(Store& store, std::span<const RunSource> sources,
                                   const Pulse& pulse = {});

}  // namespace trefoil::index
