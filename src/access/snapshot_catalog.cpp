// SnapshotCatalog: sources over stored and virtual tables.

#include "access/snapshot_catalog.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "access/custom_source.h"
#include "access/filter.h"
#include "access/index_lookup.h"
#include "access/index_only_scan.h"
#include "access/node_scan.h"
#include "access/ordered_scan.h"
#include "access/row_fetch.h"
#include "access/selectivity.h"
#include "base/check.h"

namespace trefoil::access {
namespace {

arrow::SchemaPtr with_row_id(const arrow::Schema& schema) {
    auto longer = std::make_shared<arrow::Schema>(schema);
    longer->fields.push_back({std::string(kRowIdColumn), arrow::uint64(), false});
    return longer;
}

arrow::SchemaPtr project(const arrow::Schema& schema, const std::vector<uint32_t>& columns) {
    auto out = std::make_shared<arrow::Schema>();
    out->fields.reserve(columns.size());
    for (uint32_t c : columns) out->fields.push_back(schema.fields[c]);
    return out;
}

class StoredTable final : public TableSource {
public:
    StoredTable(table::TableVersionPtr table, bool row_ids, const AccessOptions& options,
                TableCountersPtr counters)
        : table_(std::move(table)),
          schema_(row_ids ? with_row_id(*table_->def().schema()) : table_->def().schema()),
          options_(options),
          counters_(std::move(counters)) {}

    const arrow::SchemaPtr& schema() const override { return schema_; }

    Statistics statistics() const override {
        std::vector<uint32_t> all(schema_->fields.size());
        std::iota(all.begin(), all.end(), 0);
        return statistics_of(all, {}, std::nullopt);
    }

    std::optional<double> estimate(const std::vector<plan::Expr>& filters) const override {
        return static_cast<double>(table_->live_rows()) *
               selectivity(filters, *table_->statistics());
    }

    FilterSupport supports(const plan::Expr& filter) const override {
        if (!options_.use_indexes && names_hidden_column(filter)) return FilterSupport::kNone;
        return access::supports(filter, *table_->def().schema());
    }
    std::vector<uint32_t> primary_key() const override {
        const auto key = table_->def().primary_key();
        return {key.begin(), key.end()};
    }
    std::optional<std::string> column_default(uint32_t column) const override {
        if (column >= table_->def().columns.size()) return std::nullopt;
        return table_->def().columns[column].default_sql;
    }
    catalog::ColumnDef::Generated generated(uint32_t column) const override {
        if (column >= table_->def().columns.size()) return catalog::ColumnDef::Generated::kNo;
        return table_->def().columns[column].generated;
    }
    std::vector<Check> checks() const override {
        std::vector<Check> checks;
        for (const catalog::CheckDef& c : table_->def().checks) {
            checks.push_back({c.name, c.condition});
        }
        auto by_name = [](const Check& a, const Check& b) { return a.name < b.name; };
        std::sort(checks.begin(), checks.end(), by_name);
        return checks;
    }

    Result<std::shared_ptr<Leaf>> scan(const ScanRequest& request) const override {
        arrow::SchemaPtr output = project(*schema_, request.projection);
        std::vector<plan::Expr> filters;
        for (const plan::Expr& f : request.filters) plan::flatten_and(f, &filters);
        if (options_.use_indexes && options_.index_order && !request.order.empty()) {
            if (auto order = choose_index_order(*table_, filters, request.order, wanted(request))) {
                return make_ordered_scan({table_, request.projection, std::move(output),
                                          std::move(filters), std::move(*order), request.order,
                                          request.limit, wanted(request), request.for_join,
                                          counters_});
            }
        }
        if (options_.use_indexes) {
            auto choice = choose_indexes(StoredIndexes(*table_), filters);
            if (auto covering = cheaper_covering(request.projection, filters, choice)) {
                return make_index_only_scan({table_, request.projection, std::move(output),
                                             std::move(filters), std::move(*covering),
                                             request.limit, options_.partitions_max, counters_});
            }
            if (choice) {
                return make_index_lookup({table_, request.projection, std::move(output),
                                          std::move(filters), std::move(*choice), request.limit,
                                          options_.partitions_max, counters_});
            }
        }
        Statistics statistics = statistics_of(request.projection, filters, request.limit);
        return make_node_scan({table_, request.projection, std::move(output), std::move(filters),
                               request.limit, options_.partitions_max, options_.use_indexes,
                               options_.index_joins, std::move(statistics), counters_});
    }

    Result<arrow::Batch> fetch(std::span<const uint32_t> columns,
                               std::span<const uint64_t> row_ids) const override {
        std::vector<table::Location> places;
        for (uint64_t id : row_ids) {
            auto place = table_->locate(id);
            if (!place) {
                return Status(Code::kCorruption, "XX000",
                              "table \"" + table_->def().name + "\" has no row with the id " +
                                  std::to_string(id));
            }
            places.push_back(*place);
        }
        counters_->late_fetches.fetch_add(places.size(), std::memory_order_relaxed);
        const std::vector<uint32_t> projection(columns.begin(), columns.end());
        ASSIGN_OR_RETURN(FilterProgram all, FilterProgram::compile({}, *table_->def().schema()));
        const RowReader reader(*table_, projection, project(*schema_, projection), std::move(all));
        return fetch_rows(reader, *table_, places);
    }

private:
    // Without indexes, the columns that are there for them are not used either.
    bool names_hidden_column(const plan::Expr& e) const {
        const auto& columns = table_->def().columns;
        if (e.kind == plan::Expr::Kind::kColumn) {
            return e.index < columns.size() && columns[e.index].is_hidden();
        }
        return std::any_of(e.children.begin(), e.children.end(),
                           [&](const plan::Expr& child) { return names_hidden_column(child); });
    }

    static std::optional<uint64_t> wanted(const ScanRequest& request) {
        return request.wanted ? request.wanted : request.limit;
    }

    // A covering scan, if it costs less than `choice`, or than a scan if that is none.
    std::optional<CoveringPlan> cheaper_covering(const std::vector<uint32_t>& projection,
                                                 const std::vector<plan::Expr>& filters,
                                                 const std::optional<IndexChoice>& choice) const {
        if (!options_.covering_scans || filters.empty()) return std::nullopt;
        const StoredIndexes indexes(*table_);
        if (choice && indexes.is_lookup(choice->plan)) return std::nullopt;
        auto covering = choose_covering(*table_, filters, projection);
        if (!covering) return std::nullopt;
        const double other =
            choice ? choice->plan.finding + choice->plan.fetching : indexes.scan_cost(filters);
        const double cost = covering->plan.finding + covering->plan.fetching;
        return cost < other ? std::move(covering) : std::nullopt;
    }

    // Of the rows of `columns` that satisfy `filters`.
    Statistics statistics_of(const std::vector<uint32_t>& columns,
                             const std::vector<plan::Expr>& filters,
                             std::optional<uint64_t> limit) const {
        const table::TableStatisticsPtr known = table_->statistics();
        const auto all_rows = static_cast<double>(table_->live_rows());
        const bool narrowed = !filters.empty() || limit;
        double rows = all_rows;
        if (!filters.empty()) rows = std::ceil(rows * selectivity(filters, *known));
        if (limit) rows = std::min(rows, static_cast<double>(*limit));
        Statistics s;
        s.row_count = static_cast<uint64_t>(rows);
        s.columns_exact = !narrowed && known->complete && !has_dead_rows();
        for (uint32_t c : columns) {
            ColumnStatistics& column = s.columns.emplace_back();
            if (c >= known->columns.size()) continue;
            const table::ColumnSummary& summary = known->columns[c];
            double distinct = static_cast<double>(summary.distinct);
            if (summary.analysis) distinct = std::max(distinct, summary.analysis->distinct);
            if (distinct > 0) {
                distinct = distinct_among(rows, all_rows, std::min(distinct, all_rows));
                column.distinct_count = static_cast<uint64_t>(distinct);
            }
            if (s.columns_exact) column.null_count = summary.null_count;
            column.min = summary.min;
            column.max = summary.max;
        }
        return s;
    }

    bool has_dead_rows() const {
        for (size_t i = 0; i < table_->part_count(); i++) {
            if (table_->part(i).dead) return true;
        }
        return false;
    }

    table::TableVersionPtr table_;
    arrow::SchemaPtr schema_;
    AccessOptions options_;
    TableCountersPtr counters_;
};

// --- Virtual tables
// -----------------------------------------------------------------------------------

class BatchLeaf final : public Leaf {
public:
    BatchLeaf(std::string name, arrow::Batch batch)
        : name_(std::move(name)), batch_(std::move(batch)) {}
    std::string name() const override { return "VirtualScan"; }
    std::string explain() const override { return name_; }
    const arrow::SchemaPtr& schema() const override { return batch_.schema; }
    uint32_t partitions() const override { return 1; }
    Result<std::unique_ptr<BatchStream>> open(uint32_t, const CancelFlag*) const override {
        return std::unique_ptr<BatchStream>(new Stream(batch_));
    }
    Statistics statistics() const override {
        Statistics s;
        s.row_count = static_cast<uint64_t>(batch_.rows);
        return s;
    }
    bool row_count_is_exact() const override { return true; }
    std::vector<Metric> metrics() const override { return {}; }

private:
    class Stream final : public BatchStream {
    public:
        explicit Stream(arrow::Batch batch) : schema_(batch.schema), batch_(std::move(batch)) {}
        const arrow::SchemaPtr& schema() const override { return schema_; }
        Result<std::optional<arrow::Batch>> next() override {
            if (batch_ && batch_->rows == 0) batch_.reset();
            return std::exchange(batch_, std::nullopt);
        }

    private:
        arrow::SchemaPtr schema_;
        std::optional<arrow::Batch> batch_;
    };
    std::string name_;
    arrow::Batch batch_;
};

class VirtualSource final : public TableSource {
public:
    VirtualSource(std::string name, const VirtualTable& table, table::VersionPtr version)
        : name_(std::move(name)), table_(table), version_(std::move(version)) {}
    const arrow::SchemaPtr& schema() const override { return table_.schema; }
    Statistics statistics() const override { return {}; }
    FilterSupport supports(const plan::Expr&) const override { return FilterSupport::kNone; }
    std::vector<uint32_t> primary_key() const override { return {}; }
    std::optional<std::string> column_default(uint32_t) const override { return std::nullopt; }
    Result<std::shared_ptr<Leaf>> scan(const ScanRequest& request) const override {
        ASSIGN_OR_RETURN(arrow::Batch all, table_.rows(*version_));
        if (request.limit)
            all = all.slice(0, std::min<int64_t>(all.rows, static_cast<int64_t>(*request.limit)));
        arrow::Batch batch{project(*table_.schema, request.projection), all.rows, {}};
        for (uint32_t c : request.projection) batch.columns.push_back(all.columns[c]);
        return std::shared_ptr<Leaf>(std::make_shared<BatchLeaf>(name_, std::move(batch)));
    }

private:
    std::string name_;
    const VirtualTable& table_;
    table::VersionPtr version_;
};

}  // namespace

SnapshotCatalog::SnapshotCatalog(table::VersionPtr version, AccessOptions options,
                                 CounterRegistry& counters, const VirtualTables& virtual_tables,
                                 CustomTablesPtr custom_tables)
    : version_(std::move(version)),
      options_(std::move(options)),
      counters_(counters),
      virtual_tables_(virtual_tables),
      custom_tables_(std::move(custom_tables)) {}

CustomTableDefPtr SnapshotCatalog::find_custom(std::string_view name) const {
    if (custom_tables_->by_name.empty()) return nullptr;
    const catalog::Reference place = catalog::parse_reference(name);
    const auto& path = options_.search_path;
    const bool here = place.schema.empty() ? std::find(path.begin(), path.end(),
                                                       catalog::kPublicSchema) != path.end()
                                           : place.schema == catalog::kPublicSchema;
    auto it = here ? custom_tables_->by_name.find(place.name) : custom_tables_->by_name.end();
    return it == custom_tables_->by_name.end() || resolve(name) ? nullptr : it->second;
}

Result<std::shared_ptr<TableSource>> SnapshotCatalog::custom_source(
    const CustomTableDefPtr& def) const {
    std::lock_guard lock(snapshots_mutex_);
    CustomTableDefPtr& snapshot = snapshots_[def->name];
    if (!snapshot) {
        ASSIGN_OR_RETURN(snapshot, snapshot_of(def));
    }
    return make_custom_source(snapshot, options_.use_indexes);
}

const VirtualTables::value_type* SnapshotCatalog::find_virtual(std::string_view name) const {
    for (const VirtualTables* tables : {options_.session_tables, &virtual_tables_}) {
        if (!tables) continue;
        if (auto it = tables->find(name); it != tables->end()) return &*it;
    }
    return nullptr;
}

Result<std::shared_ptr<TableSource>> SnapshotCatalog::find(std::string_view name,
                                                           bool row_ids) const {
    catalog::TablePtr def = resolve(name);
    if (def && def->kind == catalog::RelationKind::kTable) {
        return std::shared_ptr<TableSource>(std::make_shared<StoredTable>(
            version_->tables.at(def->id), row_ids, options_, counters_.of(def->id)));
    }
    if (def && def->kind == catalog::RelationKind::kView && row_ids) {
        return Status::unsupported("changing or locking rows through view \"" + def->full_name() +
                                   "\" is not supported yet");
    }
    if (CustomTableDefPtr custom = find_custom(name)) {
        if (!row_ids) return custom_source(custom);
        return Status(
            Code::kInvalidInput, "42809",
            "\"" + custom->name + "\" is a table of the program, which cannot be changed with SQL");
    }
    const auto* it = def ? nullptr : find_virtual(name);
    if (!it) return std::shared_ptr<TableSource>();
    if (row_ids) {
        return Status(Code::kInvalidInput, "42809",
                      "\"" + it->first + "\" is a system table and cannot be changed");
    }
    return std::shared_ptr<TableSource>(
        std::make_shared<VirtualSource>(it->first, it->second, version_));
}

std::optional<ViewText> SnapshotCatalog::find_view(std::string_view name) const {
    catalog::TablePtr def = resolve(name);
    if (!def || def->kind != catalog::RelationKind::kView) return std::nullopt;
    ViewText view{
        catalog::reference(def->schema_name, def->name), def->search_path, def->query, {}};
    for (const catalog::ColumnDef& c : def->columns) view.columns.push_back(c.name);
    return view;
}

std::vector<std::string> SnapshotCatalog::table_names() const {
    std::vector<std::string> names;
    for (const catalog::TablePtr& t : version_->catalog->relations()) {
        if (t->kind != catalog::RelationKind::kTable && t->kind != catalog::RelationKind::kView)
            continue;
        if (resolve(catalog::reference("", t->name)) == t) {
            names.push_back(t->name);
        } else if (!t->schema_name.starts_with(catalog::kTemporaryPrefix)) {
            names.push_back(catalog::reference(t->schema_name, t->name));
        }
    }
    for (const auto& [name, table] : custom_tables_->by_name) {
        std::string plain = catalog::reference("", name);
        if (find_custom(plain)) names.push_back(std::move(plain));
    }
    return names;
}

std::vector<std::string> SnapshotCatalog::schemas() const {
    std::vector<std::string> found;
    for (const std::string& schema : options_.search_path) {
        const bool temporary = schema.starts_with(catalog::kTemporaryPrefix);
        if (temporary || version_->catalog->has_schema(schema)) found.push_back(schema);
    }
    return found;
}

std::optional<std::string> SnapshotCatalog::relation_name(std::string_view name) const {
    std::string wanted = catalog::fold_reference(name);
    const catalog::Reference place = catalog::parse_reference(wanted);
    if (catalog::TablePtr found = resolve(wanted)) {
        const bool visible = resolve(catalog::reference("", found->name)) == found;
        return visible ? catalog::quoted(found->name)
                       : catalog::quoted_reference(found->schema_name, found->name);
    }
    const catalog::SearchPath own = {place.schema};
    for (const std::string& schema : place.schema.empty() ? options_.search_path : own) {
        if (version_->catalog->find_by_index(schema, place.name)) {
            return place.schema.empty() ? catalog::quoted(place.name)
                                        : catalog::quoted_reference(schema, place.name);
        }
    }
    if (find_virtual(wanted) || find_custom(wanted)) return wanted;
    return std::nullopt;
}

Result<catalog::TablePtr> SnapshotCatalog::find_sequence(std::string_view name) const {
    const std::string folded = catalog::fold_reference(name);
    catalog::TablePtr found = resolve(folded);
    if (found && found->kind == catalog::RelationKind::kSequence) return found;
    if (found) {
        return Status(Code::kInvalidInput, "42809",
                      "\"" + found->full_name() + "\" is not a sequence");
    }
    return Status(Code::kInvalidInput, "42P01", "relation \"" + folded + "\" does not exist");
}

Status SnapshotCatalog::call_sequence(const SequenceCall& call, std::span<int64_t> out) const {
    CHECK(options_.sequences != nullptr);
    using Function = SequenceCall::Function;
    if (call.function == Function::kLastval || call.function == Function::kCancel) {
        return options_.sequences->call(call, nullptr, out);
    }
    ASSIGN_OR_RETURN(catalog::TablePtr sequence, find_sequence(call.name));
    const bool moves = call.function != SequenceCall::Function::kCurrval;
    const bool temporary = sequence->schema_name.starts_with(catalog::kTemporaryPrefix);
    if (moves && options_.read_only && !temporary) {
        const bool next = call.function == SequenceCall::Function::kNextval;
        return Status::read_only(std::string("cannot execute ") + (next ? "nextval" : "setval") +
                                 "() in a read-only transaction");
    }
    return options_.sequences->call(call, sequence.get(), out);
}

}  // namespace trefoil::access
