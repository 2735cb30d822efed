// Counters: what the access operators did, per table, since the database was opened.
//
// The proof that an index was used: tests read them, SELECT * FROM trefoil_stats shows them.
// Numbers only grow; each operator adds its own once per batch, so nobody waits for anybody.

#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

#include "index/key_run.h"

namespace trefoil::access {

struct TableCounters {
    std::atomic<uint64_t> scans{0};            // NodeScans that were opened
    std::atomic<uint64_t> rows_scanned{0};     // rows they looked at
    std::atomic<uint64_t> zones_skipped{0};    // zones of 8,192 rows that zone maps ruled out
    std::atomic<uint64_t> point_lookups{0};    // keys looked up
    std::atomic<uint64_t> range_lookups{0};    // key ranges looked up
    std::atomic<uint64_t> index_scans{0};      // keys and key ranges of other indexes
    std::atomic<uint64_t> ordered_scans{0};    // scans that an index put in order
    std::atomic<uint64_t> merge_scans{0};      // the same below a merge join
    std::atomic<uint64_t> late_fetches{0};     // rows that were read after a top-k had chosen them
    std::atomic<uint64_t> index_probes{0};     // keys of a join looked up instead of scanning
    std::atomic<uint64_t> searches{0};         // runs of keys that were searched
    std::atomic<uint64_t> model_searches{0};   // of these, through a learned model
    std::atomic<uint64_t> last_mile_steps{0};  // comparisons after the model's prediction
    std::atomic<uint64_t> rows_fetched{0};     // rows that lookups read
    std::atomic<uint64_t> rows_covered{0};     // rows that keys of an index answered, not read

    void add(const index::IndexCounters& c) {
        searches.fetch_add(c.searches, std::memory_order_relaxed);
        model_searches.fetch_add(c.model_searches, std::memory_order_relaxed);
        last_mile_steps.fetch_add(c.last_mile_steps, std::memory_order_relaxed);
    }
};

using TableCountersPtr = std::shared_ptr<TableCounters>;

// All tables' counters, by table id. One per database.
class CounterRegistry {
public:
    TableCountersPtr of(uint32_t table_id) {
        std::lock_guard lock(mutex_);
        TableCountersPtr& counters = tables_[table_id];
        if (!counters) counters = std::make_shared<TableCounters>();
        return counters;
    }

private:
    std::mutex mutex_;
    std::map<uint32_t, TableCountersPtr> tables_;
};

}  // namespace trefoil::access
