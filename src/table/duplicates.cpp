// Duplicates: neighbours in the run that was built, and a lookup for each row that is not in it.

#include "table/duplicates.h"

#include <algorithm>
#include <optional>

#include "base/check.h"
#include "table/keyed_rows.h"

namespace trefoil::table {
namespace {

constexpr uint64_t kEntriesPerStep = 1024;

Status duplicate(const TableVersion& table, size_t index, Location at) {
    const catalog::IndexDef& def = table.index_def(index);
    ASSIGN_OR_RETURN(std::string key,
                     key_text(table.def(), def.key_columns(), *table.part(at.part).chunk, at.row));
    return Status(Code::kInvalidInput, "23505",
                  "could not create unique index \"" + def.name + "\"")
        .with_detail(key + " is duplicated in table \"" + table.def().name + "\".");
}

// Whether the row has this key and no NULL in it. REQUIRES: it has the key or shares it with NULL.
Result<bool> counts(const TableVersion& table, size_t index, Location at, const index::Key& key) {
    if (!table.encoder(index).may_hold_null(key)) return true;
    return table.has_key(index, at, key, /*or_null=*/false);
}

// The key of an entry, without what is included.
index::Key key_of(const TableVersion& table, size_t index, const index::KeyRun& run, uint64_t at) {
    return table.encoder(index).first_parts(run.key(at),
                                            table.index_def(index).key_columns().size());
}

// Within a run of the keys that live rows have now.
Status check_run(const TableVersion& table, size_t index, const index::KeyRun& run,
                 const IndexWork& work) {
    std::optional<uint64_t> next = run.first_duplicate();
    // Entries whose keys are the same may differ in what is included.
    if (table.index_def(index).included > 0 && run.size() > 0) next = 1;
    if (!next) return {};
    std::optional<index::Key> before = key_of(table, index, run, *next - 1);
    bool before_counts = false;
    for (uint64_t i = *next - 1; i < run.size(); i++) {
        if (i % kEntriesPerStep == 0) RETURN_IF_ERROR(work.advance(kEntriesPerStep));
        index::Key key = key_of(table, index, run, i);
        const bool same = before && *before == key;
        if (!same) before_counts = false;
        const auto at = table.locate(run.row_id(i));
        CHECK(at.has_value());
        ASSIGN_OR_RETURN(bool now, counts(table, index, *at, key));
        if (same && before_counts && now) return duplicate(table, index, *at);
        before_counts = before_counts || now;
        before = std::move(key);
    }
    return {};
}

// Refuses the key if two rows have it.
Status check_key(const TableVersion& table, size_t index, const index::Key& key,
                 std::span<const uint64_t> leaving) {
    std::vector<RowSpan> spans;
    index::IndexCounters counters;
    const bool whole = table.index_def(index).included == 0;
    const index::KeyRange range =
        whole ? index::KeyRange::exactly(key) : index::KeyRange::beginning_with(key);
    RETURN_IF_ERROR(table.find_range(index, range, &spans, counters));
    if (spans.size() == 1 && spans[0].size() == 1) return {};
    normalise(&spans);
    uint64_t rows = 0;
    for (const RowSpan& span : spans) {
        for (uint32_t row = span.begin; row < span.end; row++) {
            const Location at{span.part, row};
            const uint64_t id = table.part(span.part).chunk->row_ids().at(row);
            if (std::binary_search(leaving.begin(), leaving.end(), id)) continue;
            ASSIGN_OR_RETURN(bool one, counts(table, index, at, key));
            rows += one;
            if (rows == 2) return duplicate(table, index, at);
        }
    }
    return {};
}

}  // namespace

Status check_entries(const TableVersion& table, size_t index, const index::KeyRun& keys,
                     const RowIdOf& row_id_of, std::span<const uint64_t> leaving,
                     const IndexWork& work) {
    std::optional<index::Key> checked;
    for (uint64_t i = 0; i < keys.size(); i++) {
        if (i % kEntriesPerStep == 0) RETURN_IF_ERROR(work.advance(kEntriesPerStep));
        const auto at = table.locate(row_id_of(i));
        if (!at) continue;
        index::Key key = key_of(table, index, keys, i);
        if (checked && *checked == key) continue;
        // Many rows may be NULL: only for one that is not do the others matter.
        ASSIGN_OR_RETURN(bool one, counts(table, index, *at, key));
        if (!one) continue;
        RETURN_IF_ERROR(check_key(table, index, key, leaving));
        checked = std::move(key);
    }
    return {};
}

Status check_no_duplicates(const TableVersion& table, size_t index, const IndexWork& work) {
    work.enter(IndexProgress::Phase::kChecking, table.live_rows());
    for (const RunPart& r : table.runs(index)) {
        CHECK(r.row_id_base == 0);
        RETURN_IF_ERROR(check_run(table, index, *r.run, work));
    }
    for (const Part& p : table.delta()) {
        const index::KeyRun& keys = *p.chunk->keys()[index];
        auto row_id = [&](uint64_t i) { return p.chunk->row_ids().at(keys.row_id(i)); };
        RETURN_IF_ERROR(check_entries(table, index, keys, row_id, {}, work));
    }
    return {};
}

}  // namespace trefoil::table
