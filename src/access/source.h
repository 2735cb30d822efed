// What the engine sees of stored data: sources to plan with, leaves to run.
//
//     SourceCatalog --find--> TableSource --scan--> Leaf --open(partition)--> BatchStream
//
// A SourceCatalog is one transaction's view: every source it gives out reads the same snapshot. The
// engine asks a source for its schema, its statistics and which filters it understands; scan() then
// fixes projection, filters and limit into a Leaf, which is immutable, prints itself for EXPLAIN,
// and is opened once per partition, from any thread.

#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "arrow/array.h"
#include "catalog/catalog.h"
#include "plan/expr.h"
#include "trefoil/status.h"

namespace trefoil::access {

class RowProbe;  // row_probe.h

// A stream of batches, used by one thread at a time. After the end or an error, next() is not
// called.
class BatchStream {
public:
    virtual ~BatchStream() = default;
    virtual const arrow::SchemaPtr& schema() const = 0;
    // The next batch, never empty of rows; nullopt at the end. 57014 if cancelled.
    virtual Result<std::optional<arrow::Batch>> next() = 0;
    // Before the first next(), of a leaf that takes_probe().
    // NOLINTNEXTLINE(performance-unnecessary-value-param): who takes it, keeps it.
    virtual void set_probe(std::shared_ptr<RowProbe>) {}
};

// Set from any thread to stop a running statement.
using CancelFlag = std::atomic<bool>;

struct ColumnStatistics {
    std::optional<uint64_t> null_count;
    std::optional<uint64_t> distinct_count;  // an estimate
    Value min, max;                          // NULL if not known
};

struct Statistics {
    std::optional<uint64_t> row_count;
    std::optional<uint64_t> byte_size;
    // Bounds and null counts are those of the rows, not only estimates.
    bool columns_exact = false;
    std::vector<ColumnStatistics> columns;  // by column, or empty
};

// How a source answers a filter. kExact: rows that come out satisfy it, nobody need look again.
enum class FilterSupport : uint8_t { kNone, kInexact, kExact };

// One column of ORDER BY.
struct OrderColumn {
    uint32_t column;  // of the table
    bool descending = false;
    bool nulls_first = false;
};

struct ScanRequest {
    std::vector<uint32_t>
        projection;  // table columns wanted, in this order; may be empty (count only)
    std::vector<plan::Expr> filters;  // all must hold; only ones answered kInexact or kExact
    std::optional<uint64_t> limit;    // after filters; only if all filters are exact
    // The order in which the rows would be welcome: the leaf says whether it keeps it. `limit` is
    // then meant of the rows in this order.
    std::vector<OrderColumn> order;
    // With an order: about how many rows will be read before the reader stops.
    std::optional<uint64_t> wanted;
    // With an order: it is that of the keys of a merge join.
    bool for_join = false;
};

// One counter or time of a leaf, for EXPLAIN ANALYZE, e.g. {"model_searches", 3}. What ends in
// kTimeSuffix is nanoseconds, and is shown as a time without the suffix.
using Metric = std::pair<std::string, uint64_t>;
inline constexpr std::string_view kTimeSuffix = "_ns";

// How many partitions pay for so many rows, if each should have `least`.
inline uint32_t partitions_of(double rows, double least, uint32_t max) {
    return static_cast<uint32_t>(std::clamp(rows / least, 1.0, std::max(1.0, max * 1.0)));
}

class Leaf {
public:
    virtual ~Leaf() = default;
    // "NodeScan", "PointLookup", ...: the operator's name in EXPLAIN.
    virtual std::string name() const = 0;
    // The rest of its line: "person_pkey (learned): id = 7".
    virtual std::string explain() const = 0;
    // For EXPLAIN VERBOSE, one line for each index of the table that was not taken, and why.
    virtual std::vector<std::string> rejected() const { return {}; }
    virtual const arrow::SchemaPtr& schema() const = 0;
    virtual uint32_t partitions() const = 0;
    // `cancel` outlives the stream.
    virtual Result<std::unique_ptr<BatchStream>> open(uint32_t partition,
                                                      const CancelFlag* cancel) const = 0;
    // True if its streams can use a RowProbe.
    virtual bool takes_probe() const { return false; }
    // True if its rows come in the order that was asked for, in one partition.
    virtual bool is_ordered() const { return false; }
    // Of the output, after filters and limit: row count exact only if it is certain.
    virtual Statistics statistics() const = 0;
    virtual bool row_count_is_exact() const = 0;
    // What has been counted so far by all streams of this leaf.
    virtual std::vector<Metric> metrics() const = 0;
};

// A CHECK constraint: its name, and its condition as SQL.
struct Check {
    std::string name;
    std::string condition;
};

class TableSource {
public:
    virtual ~TableSource() = default;
    virtual const arrow::SchemaPtr& schema() const = 0;
    virtual Statistics statistics() const = 0;
    virtual FilterSupport supports(const plan::Expr& filter) const = 0;
    // About how many rows satisfy all `filters`, which may have parts that are not understood;
    // nullopt if nothing is known.
    virtual std::optional<double> estimate(const std::vector<plan::Expr>&) const {
        return std::nullopt;
    }
    // Column indexes of the primary key, empty if there is none.
    virtual std::vector<uint32_t> primary_key() const = 0;
    // SQL text of a column's default, or of the expression of a stored column; nullopt if it has
    // none.
    virtual std::optional<std::string> column_default(uint32_t column) const = 0;
    virtual catalog::ColumnDef::Generated generated(uint32_t) const {
        return catalog::ColumnDef::Generated::kNo;
    }
    // What every row must not violate, by name.
    virtual std::vector<Check> checks() const { return {}; }
    virtual Result<std::shared_ptr<Leaf>> scan(const ScanRequest& request) const = 0;
    // These columns of the rows with these row ids, in the order of the ids, which may repeat.
    // Errors: 0A000 if rows have no ids, XX000 if there is no such row.
    virtual Result<arrow::Batch> fetch(std::span<const uint32_t> /*columns*/,
                                       std::span<const uint64_t> /*row_ids*/) const {
        return Status::unsupported("reading rows of this table by their ids");
    }
};

// A view: what stands for it in a query.
struct ViewText {
    std::string name;                  // its reference, with its schema
    std::vector<std::string> path;     // schemas in which the names in its query are looked up
    std::string query;                 // SELECT ...
    std::vector<std::string> columns;  // the first of the query's columns are called so
};

// A call of one of the functions of sequences, or of one about sessions.
struct SequenceCall {
    enum class Function : uint8_t { kNextval = 0, kCurrval, kLastval, kSetval, kCancel };
    Function function = Function::kNextval;
    std::string_view name;  // as the statement writes it: folded unless in double quotes
    int64_t value = 0;      // of setval, and whether it was given already; of trefoil_cancel
    bool is_called = true;
};

class SourceCatalog {
public:
    virtual ~SourceCatalog() = default;
    // The table of this name, null if there is none. A name is a catalog::Reference as text. With
    // `row_ids` the schema has one more column at its end, kRowIdColumn (UBIGINT, never null): the
    // read side of UPDATE and DELETE.
    virtual Result<std::shared_ptr<TableSource>> find(std::string_view name,
                                                      bool row_ids) const = 0;
    // The view of this name, if there is one.
    virtual std::optional<ViewText> find_view(std::string_view) const { return std::nullopt; }
    virtual std::vector<std::string> table_names() const = 0;
    // The schemas in which names are looked up, in this order; those that exist.
    virtual std::vector<std::string> schemas() const { return {}; }
    // The table, view, sequence or index of this name (as people write it) as SQL writes its name:
    // with its schema only if it would not be found without. nullopt if there is none.
    virtual std::optional<std::string> relation_name(std::string_view) const {
        return std::nullopt;
    }
    // Answers `out.size()` calls. Errors: 42P01, 42809, 55000, 2200H, 22003, 25006.
    virtual Status call_sequence(const SequenceCall&, std::span<int64_t>) const {
        return Status::unsupported("sequences are not supported in this place");
    }
};

inline constexpr std::string_view kRowIdColumn = "_rowid";

}  // namespace trefoil::access
