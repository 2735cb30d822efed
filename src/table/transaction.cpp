// Transaction: a snapshot with private changes.

#include "table/transaction.h"

#include <algorithm>

#include "base/check.h"
#include "table/table_store.h"

namespace trefoil::table {

Status already_exists(const catalog::TableDef& relation) {
    const bool schema = relation.kind == catalog::RelationKind::kSchema;
    return {Code::kInvalidInput, schema ? "42P06" : "42P07",
            std::string(catalog::kind_name(relation.kind)) + " \"" +
                (schema ? relation.name : relation.full_name()) + "\" already exists"};
}

Status name_taken(const std::string& index) {
    return {Code::kInvalidInput, "42P07", "relation \"" + index + "\" already exists"};
}

uint64_t ActiveTransactions::add() {
    std::lock_guard lock(mutex_);
    snapshots_[next_] = 0;  // as old as can be, until it is known
    return next_++;
}

void ActiveTransactions::set_snapshot(uint64_t registration, uint64_t xid) {
    std::lock_guard lock(mutex_);
    snapshots_[registration] = xid;
}

void ActiveTransactions::remove(uint64_t registration) {
    std::lock_guard lock(mutex_);
    snapshots_.erase(registration);
}

uint64_t ActiveTransactions::oldest() const {
    std::lock_guard lock(mutex_);
    uint64_t oldest = UINT64_MAX;
    for (const auto& [id, xid] : snapshots_) oldest = std::min(oldest, xid);
    return oldest;
}

size_t ActiveTransactions::count_before(uint64_t xid) const {
    std::lock_guard lock(mutex_);
    size_t n = 0;
    for (const auto& [id, snapshot] : snapshots_) n += snapshot < xid;
    return n;
}

Transaction::Transaction(TableStore& store, VersionPtr snapshot, bool read_only,
                         std::unique_ptr<Registration> registration)
    : store_(&store),
      snapshot_(std::move(snapshot)),
      read_only_(read_only),
      registration_(std::move(registration)) {
    state_.view = snapshot_;
}

Transaction::~Transaction() = default;

Status Transaction::check_writable() const {
    if (store_->store().read_only()) {
        return Status::read_only("the database is open read-only")
            .with_hint("Open it without --readonly to change it.");
    }
    if (read_only_) return Status::read_only("the transaction is READ ONLY");
    return store_->store().stopped();
}

void Transaction::set_table(std::shared_ptr<const TableVersion> table) {
    auto next = std::make_shared<Version>(*state_.view);
    uint32_t id = table->def().id;
    next->tables[id] = std::move(table);
    state_.view = std::move(next);
}

Status Transaction::create_table(catalog::TableDef table) {
    RETURN_IF_ERROR(check_writable());
    RETURN_IF_ERROR(catalog::validate(table));
    if (auto namesake = state_.view->catalog->find(table.schema_name, table.name)) {
        return already_exists(*namesake);
    }
    if (state_.view->catalog->find_by_index(table.schema_name, table.name)) {
        return name_taken(table.name);
    }
    RETURN_IF_ERROR(catalog::name_indexes(table, *state_.view->catalog));
    table.id = store_->next_table_id_++;
    for (catalog::ColumnDef& column : table.columns) column.id = table.next_column_id++;
    table.finish();
    auto def = std::make_shared<const catalog::TableDef>(std::move(table));
    auto next = std::make_shared<Version>(*state_.view);
    next->catalog = std::make_shared<const catalog::Catalog>(next->catalog->with_table(def));
    if (def->kind == catalog::RelationKind::kTable) {
        next->tables[def->id] = std::make_shared<const TableVersion>(def);
    }
    state_.view = std::move(next);
    state_.created.insert(def->id);
    state_.changed_catalog = true;
    return {};
}

Status Transaction::drop_table(uint32_t table_id) {
    RETURN_IF_ERROR(check_writable());
    auto next = std::make_shared<Version>(*state_.view);
    next->catalog =
        std::make_shared<const catalog::Catalog>(next->catalog->without_table(table_id));
    next->tables.erase(table_id);
    state_.view = std::move(next);
    state_.writes.erase(table_id);
    state_.altered.erase(table_id);
    if (state_.created.erase(table_id) == 0) state_.dropped.insert(table_id);
    state_.changed_catalog = true;
    return {};
}

Status Transaction::alter_table(catalog::TableDef table, bool rows_matter) {
    RETURN_IF_ERROR(check_writable());
    RETURN_IF_ERROR(catalog::validate(table));
    catalog::TablePtr namesake = state_.view->catalog->find(table.schema_name, table.name);
    if (namesake && namesake->id != table.id) return already_exists(*namesake);
    if (state_.view->catalog->find_by_index(table.schema_name, table.name)) {
        return name_taken(table.name);
    }
    table.finish();
    auto def = std::make_shared<const catalog::TableDef>(std::move(table));
    auto next = std::make_shared<Version>(*state_.view);
    next->catalog = std::make_shared<const catalog::Catalog>(
        next->catalog->without_table(def->id).with_table(def));
    if (def->kind == catalog::RelationKind::kTable) {
        auto altered = std::make_shared<TableVersion>(*next->tables.at(def->id));
        altered->set_definition(def);
        next->tables[def->id] = std::move(altered);
    }
    state_.view = std::move(next);
    if (!state_.created.contains(def->id)) state_.altered[def->id] |= rows_matter;
    state_.changed_catalog = true;
    return {};
}

}  // namespace trefoil::table
