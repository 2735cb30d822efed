// ChangeSink: taking rows apart, CHECK, ON CONFLICT.

#include "db/change_sink.h"

#include <algorithm>

#include "arrow/builder.h"
#include "arrow/compute.h"
#include "arrow/value.h"
#include "base/check.h"

namespace trefoil {
namespace {

// 23514 for one row, as PostgreSQL words it.
Status violates(const catalog::TableDef& table, const std::string& constraint,
                const arrow::Batch& rows, int64_t row) {
    return Status(Code::kInvalidInput, "23514",
                  "new row for relation \"" + table.name + "\" violates check constraint \"" +
                      constraint + "\"")
        .with_detail("Failing row contains (" + row_text(rows, row) + ").");
}

Status twice() {
    return Status(Code::kInvalidInput, "21000",
                  "ON CONFLICT DO UPDATE command cannot affect row a second time")
        .with_hint(
            "Ensure that no rows proposed for insertion within the same command have duplicate "
            "constrained values.");
}

// A column by its name, which may be that of a hidden one.
std::optional<uint32_t> any_column(const catalog::TableDef& table, std::string_view name) {
    for (uint32_t i = 0; i < table.columns.size(); i++) {
        if (table.columns[i].name == name) return i;
    }
    return std::nullopt;
}

// The places of the columns with these names, sorted. Errors: 42703.
Result<std::vector<uint32_t>> positions_of(const catalog::TableDef& table,
                                           const std::vector<engine::Name>& names) {
    std::vector<uint32_t> positions;
    for (const engine::Name& name : names) {
        auto position = any_column(table, name.text);
        if (!position && !name.text.starts_with(catalog::kHiddenPrefix)) {
            return Status(Code::kInvalidInput, "42703",
                          "column \"" + name.text + "\" does not exist")
                .with_position(name.position);
        }
        // Of an expression that no index has, there is none.
        positions.push_back(position.value_or(UINT32_MAX));
    }
    std::sort(positions.begin(), positions.end());
    positions.erase(std::unique(positions.begin(), positions.end()), positions.end());
    return positions;
}

// Whether ON CONFLICT ... WHERE repeats the conditions of the index, as far as it has some.
bool names_conditions(const catalog::TableDef& table, const catalog::IndexDef& index,
                      const std::vector<std::string>& given) {
    return std::all_of(index.filters.begin(), index.filters.end(), [&](uint32_t position) {
        const std::string_view wanted = table.columns[position].shown_name();
        return std::find(given.begin(), given.end(), wanted) != given.end();
    });
}

// The unique indexes whose keys stop an insertion.
Result<std::vector<size_t>> arbiters_of(const catalog::TableDef& table,
                                        const engine::OnConflict& conflict) {
    using Target = engine::OnConflict::Target;
    std::vector<uint32_t> wanted;
    if (conflict.target == Target::kColumns) {
        ASSIGN_OR_RETURN(wanted, positions_of(table, conflict.names));
    }
    std::vector<size_t> found;
    for (size_t i = 0; i < table.indexes.size(); i++) {
        const catalog::IndexDef& index = table.indexes[i];
        const auto key = index.key_columns();
        std::vector<uint32_t> columns(key.begin(), key.end());
        std::sort(columns.begin(), columns.end());
        const bool meant =
            conflict.target == Target::kAny ||
            (conflict.target == Target::kColumns && columns == wanted &&
             names_conditions(table, index, conflict.conditions)) ||
            (conflict.target == Target::kPrimaryKey && index.is_primary) ||
            (conflict.target == Target::kConstraint && index.name == conflict.names[0].text);
        if (meant && index.unique) found.push_back(i);
    }
    if (conflict.target == Target::kAny || conflict.target == Target::kPrimaryKey) return found;
    if (!found.empty()) return found;
    if (conflict.target == Target::kConstraint) {
        return Status(Code::kInvalidInput, "42704",
                      "constraint \"" + conflict.names[0].text + "\" for table \"" + table.name +
                          "\" does not exist")
            .with_position(conflict.names[0].position);
    }
    return Status(
        Code::kInvalidInput, "42P10",
        "there is no unique or exclusion constraint matching the ON CONFLICT specification");
}

arrow::Array array_of_ids(const std::vector<uint64_t>& ids) {
    arrow::ColumnBuilder column(arrow::uint64());
    for (uint64_t id : ids) column.append_int64(static_cast<int64_t>(id));
    return column.finish();
}

}  // namespace

const std::string kConflictRows("\1conflict");

std::string row_text(const arrow::Batch& rows, int64_t row) {
    std::string values;
    for (size_t i = 0; i < rows.columns.size(); i++) {
        if (rows.schema->fields[i].name.starts_with(catalog::kHiddenPrefix)) break;
        if (i > 0) values += ", ";
        if (rows.columns[i].is_valid(row)) {
            arrow::append_text(rows.columns[i], row, &values);
        } else {
            values += "null";
        }
    }
    return values;
}

arrow::SchemaPtr returned_schema(const engine::QueryPlan& plan) {
    const auto& fields = plan.schema->fields;
    const size_t first = plan.change ? plan.change->width() : 0;
    const size_t locks = plan.locking ? plan.locking->query.locks.size() : 0;
    auto returned = std::make_shared<arrow::Schema>();
    returned->fields.assign(fields.begin() + static_cast<ptrdiff_t>(first),
                            fields.end() - static_cast<ptrdiff_t>(locks));
    return returned;
}

ChangeSink::ChangeSink(table::TableWriter& writer, const engine::QueryPlan& plan)
    : writer_(writer), plan_(plan), returned_schema_(returned_schema(plan)) {}

Status ChangeSink::set_conflict(const engine::OnConflict& conflict) {
    ASSIGN_OR_RETURN(arbiters_, arbiters_of(writer_.table(), conflict));
    proposed_.resize(arbiters_.size());
    skips_ = true;
    updates_ = conflict.update;
    return {};
}

ChangeSink::Pieces ChangeSink::take_apart(const engine::QueryPlan& plan, arrow::Batch batch) const {
    const engine::ChangeShape& shape = *plan.change;
    Pieces pieces;
    auto at = batch.columns.begin();
    if (shape.action) pieces.actions = std::move(*at++);
    if (shape.row_id) pieces.row_ids = std::move(*at++);
    pieces.rows = {writer_.table().schema(), batch.rows, {}};
    pieces.rows.columns.assign(std::make_move_iterator(at),
                               std::make_move_iterator(at + shape.columns));
    at += shape.columns;
    if (!shape.checks.empty()) pieces.violated = std::move(*at++);
    pieces.returned = {returned_schema_, batch.rows, {at, batch.columns.end()}};
    return pieces;
}

Status ChangeSink::check(const engine::QueryPlan& plan, const Pieces& pieces) const {
    RETURN_IF_ERROR(writer_.check_rows(pieces.rows.columns, pieces.rows.rows));
    const auto& checks = plan.change->checks;
    // A condition that is always true may leave a column of NULLs of no type.
    if (checks.empty() || pieces.violated.type.id == arrow::TypeId::kNull) return {};
    if (pieces.violated.type.id != arrow::TypeId::kInt32) {
        return Status::corruption("CHECK of type " + pieces.violated.type.sql_name());
    }
    for (int64_t row = 0; row < pieces.rows.rows; row++) {
        if (!pieces.violated.is_valid(row)) continue;
        const auto which = static_cast<size_t>(pieces.violated.values<int32_t>()[row]);
        return violates(writer_.table(), checks[which], pieces.rows, row);
    }
    return {};
}

Status ChangeSink::write(arrow::Batch batch) {
    Pieces pieces = take_apart(plan_, std::move(batch));
    const engine::ChangeShape& shape = *plan_.change;
    if (shape.action) return merge(pieces);
    if (shape.columns > 0) RETURN_IF_ERROR(check(plan_, pieces));
    if (!shape.row_id) return insert(std::move(pieces));
    std::vector<uint32_t> applied;
    RETURN_IF_ERROR(shape.columns > 0
                        ? writer_.update(pieces.row_ids, pieces.rows.columns, &applied)
                        : writer_.erase(pieces.row_ids, &applied));
    const bool all = applied.size() == static_cast<size_t>(pieces.returned.rows);
    keep(plan_, all ? std::move(pieces.returned) : arrow::take(pieces.returned, applied));
    return {};
}

// Each row as its action says; the batch by actions, because RETURNING keeps no order.
Status ChangeSink::merge(const Pieces& pieces) {
    using Action = engine::RowAction;
    const auto* actions = pieces.actions.values<int32_t>();
    for (Action action : {Action::kInsert, Action::kUpdate, Action::kDelete}) {
        std::vector<uint32_t> places, applied;
        for (uint32_t row = 0; row < pieces.rows.rows; row++) {
            if (actions[row] == static_cast<int32_t>(action)) places.push_back(row);
        }
        if (places.empty()) continue;
        Pieces some;
        some.rows = arrow::take(pieces.rows, places);
        some.row_ids = arrow::take(pieces.row_ids, places);
        if (!plan_.change->checks.empty()) some.violated = arrow::take(pieces.violated, places);
        if (action != Action::kDelete) RETURN_IF_ERROR(check(plan_, some));
        if (action == Action::kInsert) {
            RETURN_IF_ERROR(writer_.insert(some.rows));
        } else {
            RETURN_IF_ERROR(action == Action::kUpdate
                                ? writer_.update(some.row_ids, some.rows.columns, &applied)
                                : writer_.erase(some.row_ids, &applied));
            if (applied.size() < places.size()) {
                return Status(Code::kInvalidInput, "21000",
                              "MERGE command cannot affect row a second time")
                    .with_hint(
                        "Ensure that not more than one source row matches any one target "
                        "row.");
            }
        }
        keep(plan_, arrow::take(pieces.returned, places));
    }
    return {};
}

Status ChangeSink::insert(Pieces pieces) {
    if (skips_) {
        ASSIGN_OR_RETURN(std::vector<uint32_t> fresh, without_conflict(pieces.rows));
        if (fresh.size() < static_cast<size_t>(pieces.rows.rows)) {
            pieces.rows = arrow::take(pieces.rows, fresh);
            pieces.returned = arrow::take(pieces.returned, fresh);
        }
    }
    RETURN_IF_ERROR(writer_.insert(pieces.rows));
    keep(plan_, std::move(pieces.returned));
    return {};
}

// The rows whose keys are free; those that are to be updated instead go to conflicts_.
Result<std::vector<uint32_t>> ChangeSink::without_conflict(const arrow::Batch& rows) {
    std::vector<uint32_t> fresh, taken;
    std::vector<uint64_t> holders;
    std::vector<std::optional<index::Key>> keys(arbiters_.size());
    for (int64_t row = 0; row < rows.rows; row++) {
        bool free = true;
        for (size_t i = 0; free && i < arbiters_.size(); i++) {
            keys[i] = writer_.key_of(arbiters_[i], rows.columns, row);
            if (!keys[i]) continue;
            const bool inserted = proposed_[i].contains(*keys[i]);
            if (inserted && updates_) return twice();
            ASSIGN_OR_RETURN(auto holder, writer_.find(arbiters_[i], *keys[i]));
            free = !inserted && !holder;
            if (holder && updates_) {
                taken.push_back(static_cast<uint32_t>(row));
                holders.push_back(*holder);
            }
        }
        if (!free) continue;
        fresh.push_back(static_cast<uint32_t>(row));
        for (size_t i = 0; i < arbiters_.size(); i++) {
            if (keys[i]) proposed_[i].insert(std::move(*keys[i]));
        }
    }
    if (!taken.empty()) {
        arrow::Batch proposed = arrow::take(rows, taken);
        arrow::Batch pairs{conflict_schema(), proposed.rows, {array_of_ids(holders)}};
        ASSIGN_OR_RETURN(auto held, writer_.read(holders));
        for (auto* columns : {&proposed.columns, &held}) {
            for (arrow::Array& column : *columns) pairs.columns.push_back(std::move(column));
        }
        conflicts_.push_back(std::move(pairs));
    }
    return fresh;
}

arrow::SchemaPtr ChangeSink::conflict_schema() const {
    auto schema = std::make_shared<arrow::Schema>();
    schema->fields.push_back({std::string(access::kRowIdColumn), arrow::uint64(), true});
    for (const char* prefix : {"e", "t"}) {
        int number = 0;
        for (const catalog::ColumnDef& column : writer_.table().columns) {
            schema->fields.push_back({prefix + std::to_string(number++), column.type, true});
        }
    }
    return schema;
}

Status ChangeSink::write_conflicts(const engine::QueryPlan& plan, arrow::Batch batch) {
    Pieces pieces = take_apart(plan, std::move(batch));
    RETURN_IF_ERROR(check(plan, pieces));
    for (int64_t row = 0; row < pieces.rows.rows; row++) {
        if (!updated_.insert(pieces.row_ids.values<uint64_t>()[row]).second) return twice();
    }
    RETURN_IF_ERROR(writer_.update(pieces.row_ids, pieces.rows.columns));
    keep(plan, std::move(pieces.returned));
    return {};
}

void ChangeSink::keep(const engine::QueryPlan& plan, arrow::Batch returned) {
    if (plan.change->returning && returned.rows > 0) returned_.push_back(std::move(returned));
}

}  // namespace trefoil
