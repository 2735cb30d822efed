// BulkInsert: the plan through which rows go.

#include "db/bulk_insert.h"

#include "access/given_rows.h"
#include "arrow/compute.h"
#include "base/check.h"
#include "base/text_format.h"

namespace trefoil {
namespace {

// The rows that are inserted.
const std::string kRows("\1rows");

// What calls something may differ from row to row.
bool is_constant(const std::string& default_sql) {
    return default_sql.find('(') == default_sql.npos;
}

}  // namespace

Result<BulkInsert> BulkInsert::make(engine::EngineSession& engine,
                                    const access::SourceCatalog& catalog,
                                    const access::CancelFlag& cancel, table::TableWriter& writer,
                                    std::vector<uint32_t> columns) {
    using Generated = catalog::ColumnDef::Generated;
    BulkInsert insert(engine, catalog, cancel, writer);
    const catalog::TableDef& table = writer.table();
    bool computed = !table.checks.empty();
    std::vector<bool> given(table.columns.size(), columns.empty());
    for (uint32_t c : columns) given[c] = true;
    for (uint32_t i = 0; i < table.columns.size(); i++) {
        const catalog::ColumnDef& c = table.columns[i];
        const bool stored = c.generated == Generated::kStored;
        if (stored && given[i] && !columns.empty()) {
            return Status(Code::kInvalidInput, "42P10",
                          "column \"" + c.name + "\" is a generated column")
                .with_detail("Generated columns cannot be used in COPY.");
        }
        computed |= stored || (!given[i] && c.default_sql && !is_constant(*c.default_sql));
        if (given[i] && !stored && columns.empty()) insert.columns_.push_back(i);
    }
    if (!columns.empty()) insert.columns_ = std::move(columns);
    auto schema = std::make_shared<arrow::Schema>();
    for (uint32_t c : insert.columns_) {
        schema->fields.push_back({table.columns[c].name, table.columns[c].type, true});
    }
    insert.schema_ = std::move(schema);
    RETURN_IF_ERROR(computed ? insert.make_plan() : insert.evaluate_defaults());
    return insert;
}

Status BulkInsert::make_plan() {
    const catalog::TableDef& table = writer_->table();
    std::string names;
    for (uint32_t c : columns_) {
        names += (names.empty() ? "" : ", ") + in_quotes(table.columns[c].name, '"');
    }
    access::GivenRows given(*catalog_);
    given.set(kRows, schema_, {});
    ASSIGN_OR_RETURN(
        engine::Statement statement,
        engine_->parse("INSERT INTO " + in_quotes(table.schema_name, '"') + "." +
                       in_quotes(table.name, '"') + " (" + names +
                       ") OVERRIDING SYSTEM VALUE SELECT * FROM " + in_quotes(kRows, '"')));
    ASSIGN_OR_RETURN(plan_, engine_->plan(statement, given));
    return {};
}

Status BulkInsert::evaluate_defaults() {
    const catalog::TableDef& table = writer_->table();
    defaults_.resize(table.columns.size());
    std::vector<bool> given(table.columns.size());
    for (uint32_t c : columns_) given[c] = true;
    for (size_t i = 0; i < table.columns.size(); i++) {
        const catalog::ColumnDef& c = table.columns[i];
        if (given[i] || !c.default_sql) continue;
        ASSIGN_OR_RETURN(defaults_[i], engine_->evaluate(*c.default_sql, c.type));
    }
    return {};
}

// The rows with all columns of the table.
Result<arrow::Batch> BulkInsert::widen(arrow::Batch rows) const {
    const catalog::TableDef& table = writer_->table();
    arrow::Batch out{table.schema(), rows.rows, {}};
    std::vector<const arrow::Array*> given(table.columns.size());
    for (size_t i = 0; i < columns_.size(); i++) given[columns_[i]] = &rows.columns[i];
    for (size_t i = 0; i < table.columns.size(); i++) {
        if (given[i]) {
            out.columns.push_back(*given[i]);
            continue;
        }
        ASSIGN_OR_RETURN(arrow::Array constant,
                         arrow::make_constant(table.columns[i].type, defaults_[i], rows.rows));
        out.columns.push_back(std::move(constant));
    }
    return out;
}

Status BulkInsert::write(arrow::Batch rows) {
    if (rows.rows == 0) return {};
    if (!plan_) {
        ASSIGN_OR_RETURN(arrow::Batch all, widen(std::move(rows)));
        return writer_->insert(all);
    }
    access::GivenRows given(*catalog_);
    rows.schema = schema_;
    std::vector<arrow::Batch> batches;
    batches.push_back(std::move(rows));
    given.set(kRows, schema_, std::move(batches));
    ChangeSink sink(*writer_, *plan_);
    ASSIGN_OR_RETURN(auto stream, engine_->run(*plan_, {}, given, cancel_));
    for (;;) {
        ASSIGN_OR_RETURN(auto batch, stream->next());
        if (!batch) return {};
        RETURN_IF_ERROR(sink.write(std::move(*batch)));
    }
}

}  // namespace trefoil
