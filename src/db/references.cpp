// Foreign keys at the end of a statement: CASCADE, SET NULL and SET DEFAULT.
//
// Each is a statement of its own over the rows that refer, planned by the engine, so that their
// CHECKs and generated columns are seen to; what it changes may have consequences again. The keys
// are handed to it as rows ("\1keys": o0, ... as they were, n0, ... as they are now), all at
// once: a row that moves from key 1 to key 2 is not taken for one that was at 2 before.

#include "table/references.h"

#include "access/given_rows.h"
#include "base/check.h"
#include "base/text_format.h"
#include "db/session_state.h"

namespace trefoil {
namespace {

using catalog::ReferenceAction;
using table::Consequence;

const std::string kKeys("\1keys");

std::string name_of(const Consequence& c, size_t column) {
    return in_quotes(c.child->columns[c.key.columns[column]].name, '"');
}

// What a column that refers becomes.
std::string value_of(const Consequence& c, size_t column) {
    if (c.action == ReferenceAction::kSetNull) return "NULL";
    if (c.action == ReferenceAction::kSetDefault) return "DEFAULT";
    return "k.n" + std::to_string(column);
}

std::string statement_of(const Consequence& c) {
    const std::string table =
        in_quotes(c.child->schema_name, '"') + "." + in_quotes(c.child->name, '"') + " AS c";
    const bool erase = c.deleted && c.action == ReferenceAction::kCascade;
    std::string assignments, condition;
    for (size_t i = 0; i < c.key.columns.size(); i++) {
        assignments += (i ? ", " : "") + name_of(c, i) + " = " + value_of(c, i);
        condition += (i ? " AND c." : "c.") + name_of(c, i) + " = k.o" + std::to_string(i);
    }
    return (erase ? "DELETE FROM " + table + " USING "
                  : "UPDATE " + table + " SET " + assignments + " FROM ") +
           in_quotes(kKeys, '"') + " AS k WHERE " + condition;
}

arrow::Batch rows_of(const Consequence& c) {
    auto schema = std::make_shared<arrow::Schema>();
    arrow::Batch batch{nullptr, c.before[0].length, {}};
    const bool follows = !c.deleted && c.action == ReferenceAction::kCascade;
    for (const auto& [letter, columns] : {std::pair("o", &c.before), std::pair("n", &c.after)}) {
        // No more than the statement names, so that its plan fits all rows of the same text.
        if (columns == &c.after && !follows) continue;
        for (size_t i = 0; i < columns->size(); i++) {
            const arrow::Array& column = (*columns)[i];
            schema->fields.push_back({letter + std::to_string(i), column.type, true});
            batch.columns.push_back(column);
        }
    }
    batch.schema = std::move(schema);
    return batch;
}

// "Foreign keys, table c: index_scans=10"
void add_lines(const catalog::Catalog& catalog, const table::References& references,
               std::vector<std::string>* lines) {
    for (const auto& [id, work] : references.counters()) {
        std::string text;
        for (const auto& [name, number] : {std::pair("point_lookups", work.key_lookups),
                                           std::pair("index_scans", work.index_ranges),
                                           std::pair("rows_scanned", work.rows_scanned)}) {
            if (number == 0) continue;
            text += (text.empty() ? "" : ", ") + std::string(name) + "=" + std::to_string(number);
        }
        const catalog::TablePtr table = catalog.find(id);
        if (text.empty() || !table) continue;
        lines->push_back("Foreign keys, table " + table->full_name() + ": " + text);
    }
}

}  // namespace

Status Session::State::carry_out(table::Transaction& t, const Consequence& consequence) {
    auto now = catalog_of(t.view());
    access::GivenRows given(*now);
    arrow::Batch rows = rows_of(consequence);
    std::vector<arrow::Batch> batches{rows};
    given.set(kKeys, rows.schema, std::move(batches));
    const std::string sql = statement_of(consequence);
    CachedStatementPtr statement = cascades.find(sql);
    if (!statement) {
        statement = std::make_shared<CachedStatement>();
        statement->text = sql;
        ASSIGN_OR_RETURN(statement->statement, engine->parse(sql));
        cascades.insert(statement);
    }
    if (statement->planned_for != t.view()->catalog) {
        statement->planned_for = nullptr;
        ASSIGN_OR_RETURN(statement->plan, engine->plan(statement->statement, given));
        statement->planned_for = t.view()->catalog;
    }
    ASSIGN_OR_RETURN(Changed changed,
                     run_change(t, *statement->plan, {}, given, reference_lines != nullptr));
    if (!reference_lines) return {};
    const std::string title = consequence.key.name +
                              (consequence.deleted ? ", ON DELETE " : ", ON UPDATE ") +
                              std::string(catalog::action_name(consequence.action)) + ": ";
    for (std::string& line : changed.analysis) {
        const bool first = &line == &changed.analysis.front();
        reference_lines->push_back(first ? title + line : std::move(line));
    }
    return {};
}

Status Session::State::settle_references(table::Transaction& t, table::VersionPtr before) {
    auto touched = t.take_touched();
    if (reference_lines) reference_lines->clear();  // of an attempt before this one
    if (touched.empty()) return {};
    table::References references(t, settings.use_indexes);
    while (!touched.empty()) {
        ASSIGN_OR_RETURN(auto consequences, references.note(*before, touched));
        before = t.view();
        for (const Consequence& c : consequences) RETURN_IF_ERROR(carry_out(t, c));
        touched = t.take_touched();
    }
    Status checked = references.check();
    if (reference_lines) add_lines(*t.view()->catalog, references, reference_lines);
    for (const auto& [table, work] : references.counters()) {
        auto counters = db.table_counters.of(table);
        counters->point_lookups.fetch_add(work.key_lookups, std::memory_order_relaxed);
        counters->index_scans.fetch_add(work.index_ranges, std::memory_order_relaxed);
        counters->scans.fetch_add(work.scans, std::memory_order_relaxed);
        counters->rows_scanned.fetch_add(work.rows_scanned, std::memory_order_relaxed);
        counters->add(work.index);
    }
    return checked;
}

}  // namespace trefoil
